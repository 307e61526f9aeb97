//! A link of the dataflow: carries outputs of a layer over the interconnect into the next buffer.
//!
//! A message leaves the output buffer, takes the links of its route, is spread over the tiles of the consumer and written.
//! The next message may leave as soon as this one's tail has. Room at the other end is reserved before a message leaves.
//!
//! Links of the dataflow share the links of the interconnect. So a message that is ready to leave makes a request, and the
//! requests of a cycle are granted oldest first ([`super::network::Departure`]), once all events of the cycle have run. The buffer at the
//! other end has one write port: messages are written one after another, in the order of their arrival, and a message is
//! available when its own write has ended.

use super::build::Build;
use super::context::{Amount, Context, Job, Site, Units};
use super::network::{Hop, Place};
use super::recur::Visitor;
use super::tag::tags;
use super::timeline::Timeline;
use super::token::Token;
use crate::dataflow::{LOGIT_BITS, Role, pixel_bytes};
use crate::kernel::port::CREDIT;
use crate::kernel::{Cycle, EventQueue, PortId};
use crate::trace::{Action, Component, NONE, SpanSink};
use std::collections::VecDeque;

tags! {
    /// Events of a link.
    pub enum Tag {
        /// The consumer, which was full, has room again.
        Credit = CREDIT,
        /// Pixels have arrived.
        Pixels,
        /// The tail of a message has left.
        Sent,
        /// A message has arrived and is written.
        Delivered,
    }
}

/// Where the waits of the links of the interconnect are booked: they belong to no layer.
const LINKS: Site = Site::new(Component::Link, NONE, None);

/// Changes of what a link has delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Messages.
    pub messages: u64,
    /// Their pixels.
    pub pixels: u64,
}

/// Description and ports of a link.
#[derive(Debug, Clone)]
pub struct LinkSpec {
    /// Port of pixels, from the producer.
    pub input: PortId,
    /// Port of pixels, to the consumer.
    pub output: PortId,
    /// Links of the interconnect on the way.
    pub route: Vec<u32>,
    /// One step of a link; energy of a byte over one hop.
    pub transfer: Job,
    /// One access of the buffer at this end; energy of a byte.
    pub read: Job,
    /// That buffer; none where images come from: the source has read them.
    pub read_unit: Option<Units>,
    /// Bytes read in one access.
    pub read_bytes: u64,
    /// One access of the buffers at the other end; energy of a byte.
    pub write: Job,
    /// Where waits of the links of the interconnect are booked.
    pub hops: Site,
    /// Those buffers.
    pub write_units: Units,
    /// Bytes written in one access.
    pub write_bytes: u64,
    /// Further copies of a message within the consumer's tiles.
    pub copies: u32,
    /// Cycles to spread a message over the tiles of the consumer.
    pub spread: Cycle,
    /// Bytes of a pixel.
    pub pixel_bytes: u64,
    /// Pixels of a whole map, to know the last one.
    pub pixels: u32,
    /// Whether delivering its last pixel may move the turn on.
    pub moves_turn: bool,
}

impl LinkSpec {
    /// The link into the layer of the node, or from that layer to the sink.
    pub(super) fn build(at: &Build<'_>) -> Self {
        let (l, layer, mapped) = at.layer();
        let (costs, chip) = (&at.chip.costs, at.chip);
        let (tile_in, tile_out, global) = (&chip.tile.input_buffer, &chip.tile.output_buffer, &chip.global_buffer);
        let producer = at.producer().layer;
        let to_sink = at.consumer().role == Role::Sink;
        // Messages leave from the last tile of the producer and enter at the first tile of the consumer.
        let last_tile = producer.map(|p| at.mapping.layers[p].tiles.end - 1);
        let from = last_tile.map_or(Place::GlobalBuffer, Place::Tile);
        let to = if to_sink { Place::GlobalBuffer } else { Place::Tile(mapped.tiles.start) };
        let copies = if to_sink { 0 } else { mapped.tiles.len() as u32 - 1 };
        let (map, bits) = if to_sink { (layer.output, LOGIT_BITS) } else { (layer.input, layer.input_bits) };
        let transfer = at.job_of(producer, Component::Link, Action::Transfer, &costs.link);
        let (read, read_bytes) = match producer {
            // The source has read the row already.
            None => (at.job(None, Component::GlobalBuffer, Action::Fetch, 0, 0), global.bytes_per_cycle.into()),
            Some(p) => {
                let bytes = at.mapping.layers[p].of_last_tile(tile_out.bytes_per_cycle.into());
                (at.job_of(producer, Component::Buffer, Action::Fetch, &costs.buffer_read), bytes)
            }
        };
        let (write, write_to, write_bytes) = if to_sink {
            let write = at.job_of(producer, Component::GlobalBuffer, Action::Write, &costs.global_write);
            (write, 0, global.bytes_per_cycle.into())
        } else {
            // The write belongs to the layer whose buffer it fills.
            let write = at.job_of(Some(l), Component::Buffer, Action::Write, &costs.buffer_write);
            let write = Job { site: write.site.of_link(l as u32), ..write };
            // All tiles write the same message: the smallest part of a tile sets the pace.
            (write, mapped.tiles.start, mapped.least_of_tile(tile_in.bytes_per_cycle.into()))
        };
        Self {
            input: at.input(),
            output: at.output(),
            route: at.network.route(from, to),
            transfer,
            read,
            read_unit: last_tile.map(Units::one),
            read_bytes,
            write,
            hops: if to_sink { LINKS } else { LINKS.of_link(l as u32) },
            write_units: Units::new(write_to, copies + 1),
            write_bytes,
            copies,
            spread: super::build::levels(u64::from(copies) + 1) * transfer.duration,
            pixel_bytes: pixel_bytes(map.channels, bits),
            pixels: map.positions(),
            moves_turn: producer.is_some(),
        }
    }

    /// Cycles to read a message of `bytes` at this end and to write it at the other.
    #[must_use]
    pub fn ends(&self, bytes: u64) -> (Cycle, Cycle) {
        (bytes.div_ceil(self.read_bytes) * self.read.duration, bytes.div_ceil(self.write_bytes) * self.write.duration)
    }
}

/// A link at work.
#[derive(Debug)]
pub struct Link {
    spec: LinkSpec,
    /// Whether the message at the head of the input has requested to leave.
    asks: bool,
    /// The message whose tail has not left yet.
    leaving: Option<Token>,
    /// Messages on their way, oldest first: they are written in this order.
    under_way: VecDeque<Token>,
    /// Whether the consumer has no room for the next message.
    refused: bool,
    /// The ports through which messages are read and written at the two ends.
    read_port: Option<Timeline>,
    write_port: Timeline,
    hops: Vec<Hop>,
    sent: Sent,
}

impl Link {
    /// A link with nothing on it.
    #[must_use]
    pub fn new(spec: LinkSpec) -> Self {
        Self {
            read_port: spec.read_unit.map(|unit| Timeline::new(spec.read.site, unit)),
            write_port: Timeline::new(spec.write.site, spec.write_units),
            spec,
            asks: false,
            leaving: None,
            under_way: VecDeque::new(),
            refused: false,
            hops: Vec::new(),
            sent: Sent::default(),
        }
    }

    /// Its description.
    #[must_use]
    pub fn spec(&self) -> &LinkSpec {
        &self.spec
    }

    /// What it has delivered.
    #[must_use]
    pub fn sent(&self) -> Sent {
        self.sent
    }

    /// Handles an event.
    #[inline(never)]
    pub fn handle<S: EventQueue, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Sent => {
                if let Some(token) = self.leaving.take() {
                    cx.release(self.spec.input, token.lanes);
                }
            }
            Tag::Delivered => self.arrive(cx),
            Tag::Credit | Tag::Pixels => {}
        }
        self.ask(cx);
    }

    /// Requests to leave, if a message is ready. No other part takes the message or its room, so it is still ready when all
    /// events of the cycle have run.
    fn ask<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        if self.asks || self.leaving.is_some() {
            return;
        }
        let Some(token) = cx.shared.ports.peek(self.spec.input) else { return };
        if cx.shared.ports.has_room(self.spec.output, token.lanes) {
            self.asks = true;
            cx.shared.departures.push((token.image, token.member, cx.me));
        } else if !self.refused {
            self.refused = true;
            if let Some(port) = &mut self.read_port {
                port.wait(Action::WaitOperand, cx.now, token, cx);
            }
        }
    }

    /// Sends the message that has requested to leave.
    pub fn depart<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.asks = false;
        let token = cx.take(self.spec.input).expect("a message has asked");
        cx.shared.ports.reserve(self.spec.output, token.lanes);
        let bytes = u64::from(token.lanes) * self.spec.pixel_bytes;
        let (read, write) = self.spec.ends(bytes);
        let spec = &self.spec;
        let tail = cx.shared.network.transfer(&spec.route, cx.now + read, bytes, &mut self.hops);
        let occupancy = cx.shared.network.occupancy(bytes);
        let granted = self.hops.first().map_or(cx.now + read, |hop| hop.granted);
        let sent = if self.hops.is_empty() { granted } else { granted + occupancy };
        if let Some(port) = &mut self.read_port {
            let reason = if self.refused { Action::WaitPort } else { Action::WaitOperand };
            port.wait(reason, cx.now, token, cx);
            port.work(&spec.read, read, token, bytes, cx);
            port.wait(Action::WaitLink, granted, token, cx);
            port.wait(Action::WaitResource, sent, token, cx);
        }
        let (message, transfer) = (Units::one(NONE), Job { duration: occupancy, ..spec.transfer });
        for hop in &self.hops {
            let (link, site) = (Units::one(hop.link), spec.hops);
            cx.wait_between(Action::WaitLink, transfer.site, hop.asked, hop.granted, token, message);
            cx.wait_between(Action::WaitOperand, site, hop.free, hop.granted, token, link);
            cx.work(&transfer, hop.granted, token, Amount::once(link, bytes));
        }
        if spec.copies > 0 {
            let spread = Job { duration: 0, ..transfer };
            cx.work(&spread, tail, token, Amount::once(message, bytes * u64::from(spec.copies)));
        }
        // The write of the message before may not have ended.
        self.write_port.wait(Action::WaitOperand, tail + spec.spread, token, cx);
        self.write_port.work(&spec.write, write, token, bytes * u64::from(spec.copies + 1), cx);
        self.refused = false;
        self.leaving = Some(token);
        self.under_way.push_back(token);
        cx.schedule(sent, Tag::Sent);
        cx.schedule(self.write_port.until(), Tag::Delivered);
    }

    /// Shows its state.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        visitor.same(u64::from(self.asks) << 1 | u64::from(self.refused));
        visitor.same(self.leaving.is_some().into());
        self.leaving.iter_mut().for_each(|token| visitor.message(token));
        visitor.same(self.under_way.len() as u64);
        self.under_way.iter_mut().for_each(|token| visitor.message(token));
        visitor.sum(&mut self.sent.messages);
        visitor.sum(&mut self.sent.pixels);
        if let Some(port) = &mut self.read_port {
            port.visit(visitor);
        }
        self.write_port.visit(visitor);
    }

    /// Books the rest of the run.
    pub fn finish<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        if let Some(port) = &mut self.read_port {
            port.finish(cx);
        }
        self.write_port.finish(cx);
        // A link that several stages share is booked once.
        for &link in &self.spec.route {
            if let Some(free) = cx.shared.network.close(link) {
                cx.wait(Action::WaitDrained, LINKS, free, Token::NONE, Units::one(link));
            }
        }
    }

    fn arrive<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let token = self.under_way.pop_front().expect("a message is under way");
        cx.deliver(self.spec.output, &token);
        self.sent.messages += 1;
        self.sent.pixels += u64::from(token.lanes);
        let last = token.position + token.lanes == self.spec.pixels;
        if self.spec.moves_turn
            && last
            && let Some(turn) = &mut cx.shared.turn
            && let Some(woken) = turn.delivered()
        {
            for event in woken {
                cx.notify(event);
            }
        }
    }
}
