//! Exact fast-forward within a pass: position after position a layer does the same.
//!
//! In the `sequential` and `layer` schedules a pass of a layer starts when its whole input is there and its weights are drawn.
//! From then on its parts (buffer, arrays, converters, accumulators, post-processing, and the links that carry its output) hear
//! nothing from others that changes what they do, as long as there is room for the output and no other message takes the same
//! links of the interconnect. So when their state is that of an earlier position of the pass, but for times that are all later
//! by the same number of cycles and positions that are all later by the same number, what they have done in between comes again,
//! up to where a position differs from the one so many before: in the pixels that it fetches, completes or releases. Where a layer's
//! output goes to several layers, everything is simulated.
//!
//! These periods are skipped: their sums are booked as often as they would come, and the parts, with their events, are moved on to
//! their end. They are then ahead of the other parts, which see the output at once instead of one by one. That changes nothing:
//! - a layer behind starts when the last pixel of a map is there, which is never skipped;
//! - room for the output is only skipped over that is there at the start, and no part waits for it;
//! - room that a layer gives back for its input is only skipped over where the link that fills it never lacks any.

use super::Part;
use super::buffer::Buffer;
use super::context::Shared;
use super::link::Sent;
use super::recur::{Moves, Period, Snapshot, Visitor};
use crate::config::Mode;
use crate::kernel::{Cycle, Event, EventQueue, PartId, PortId};
use crate::trace::{NONE, OfLayer, SpanSink};
use crate::workload::NetLayer;
use std::collections::{BTreeMap, VecDeque};

/// Looks at positions one after another, from the start of a row on.
const LOOKS: u32 = 8;
/// A row with fewer positions is simulated in whole, unless it is like an earlier one: looking takes as long.
const SHORT: u32 = 12;
/// Earlier states with which the present one is compared.
const REMEMBERED: usize = 4;
/// Rows without a state that came back, after which a pass is simulated, and such passes, after which the layer is.
const ROWS: u32 = 6;
const PASSES: u32 = 2;

/// A run at the end of a cycle.
pub(super) struct State<'a, K> {
    pub(super) now: Cycle,
    pub(super) parts: &'a mut [Part],
    pub(super) handled: &'a mut [u64],
    pub(super) shared: &'a mut Shared<K>,
}

/// A link that carries the output of a layer to a buffer.
#[derive(Debug)]
struct Output {
    link: PartId,
    port: PortId,
    buffer: PartId,
}

/// A layer's state in a cycle.
#[derive(Debug)]
struct Look {
    mark: u32,
    position: u32,
    /// Whether all events are the layer's.
    alone: bool,
    snapshot: Snapshot,
    released: u64,
    /// What was sent, and the room for more.
    sent: Sent,
    free: u32,
}

/// The parts of a layer, and what is remembered of its pass.
#[derive(Debug)]
struct Layer {
    of: OfLayer,
    net: NetLayer,
    /// Positions that it works on at once.
    lanes: u32,
    buffer: PartId,
    parts: Vec<PartId>,
    /// Ports between them, and whether these are of pixels.
    ports: Vec<(PortId, bool)>,
    input: PortId,
    /// None only while the layers are built.
    output: Option<Output>,
    /// Links of the interconnect that it takes, and whether no other message takes them.
    hops: Vec<u32>,
    alone_on_hops: bool,
    pass: (u32, u32),
    row: u32,
    /// Looks in this row, and whether one of them found something.
    looked: u32,
    found: bool,
    /// The place in a row whose state came back in the last one.
    known: Option<u32>,
    /// The last looks in this row, and at the start of the last rows.
    steps: VecDeque<Look>,
    rows: VecDeque<Look>,
    spare: Vec<Snapshot>,
    marks: u32,
    /// Rows in which nothing came back, in this pass, and passes.
    rows_in_vain: u32,
    passes_in_vain: u32,
}

/// Looks for passes that repeat themselves.
#[derive(Debug)]
pub(super) struct Steady {
    layers: Vec<Option<Layer>>,
    /// For each part the layer that it belongs to, or [`NONE`].
    layer_of: Vec<u32>,
}

impl Steady {
    /// Of parts, each of a layer or none; none where no layer has a pass that goes on by itself.
    pub(super) fn new(parts: &[Part], layer_of: &[Option<usize>]) -> Option<Self> {
        let number = layer_of.iter().flatten().max()? + 1;
        let mut layers: Vec<Option<Layer>> = (0..number).map(|_| None).collect();
        // Who takes from a port: a buffer, by its layer.
        let mut buffers = BTreeMap::new();
        for (id, part) in (0..).zip(parts) {
            let Part::Buffer(buffer) = part else { continue };
            let spec = buffer.spec();
            if spec.mode == Mode::Streaming {
                return None;
            }
            buffers.insert(spec.input, (id, spec.index));
            layers[spec.index as usize] = Some(Layer {
                of: OfLayer { layer: spec.index, consumer: NONE },
                net: spec.layer.clone(),
                lanes: spec.replication,
                buffer: id,
                parts: vec![id],
                ports: spec.groups.iter().map(|(port, _)| (*port, false)).collect(),
                input: spec.input,
                output: None,
                hops: Vec::new(),
                alone_on_hops: false,
                pass: (NONE, NONE),
                row: NONE,
                looked: 0,
                found: false,
                known: None,
                spare: Vec::new(),
                steps: VecDeque::new(),
                rows: VecDeque::new(),
                marks: 0,
                rows_in_vain: 0,
                passes_in_vain: 0,
            });
        }
        let mut of_part = vec![NONE; parts.len()];
        let mut producers = BTreeMap::new();
        for ((id, part), l) in (0..).zip(parts).zip(layer_of) {
            let Some(layer) = l.and_then(|l| layers[l].as_mut()) else { continue };
            match part {
                Part::Crossbar(part) => layer.ports.push((part.spec().1.output, false)),
                Part::Converter(part) => layer.ports.push((part.spec().1.output, false)),
                Part::Accumulator(part) => layer.ports.push((part.spec().output, false)),
                // Within a pass the others work by themselves.
                Part::Sampler(part) if part.spec().per_position.is_some() => {}
                // An output to several layers, such as members side by side: what holds for one is not proved for them.
                Part::Digital(part) if part.spec().outputs.len() > 1 => return None,
                Part::Digital(part) => {
                    for &port in &part.spec().outputs {
                        layer.ports.push((port, true));
                        producers.insert(port, layer.of.layer);
                    }
                }
                Part::Buffer(_) => {
                    of_part[id as usize] = layer.of.layer;
                    continue;
                }
                Part::Sampler(_) | Part::Link(_) | Part::Source(_) | Part::Sink(_) => continue,
            }
            layer.parts.push(id);
            of_part[id as usize] = layer.of.layer;
        }
        let mut users: BTreeMap<u32, u32> = BTreeMap::new();
        for (id, part) in (0..).zip(parts) {
            let Part::Link(link) = part else { continue };
            let spec = link.spec();
            for &hop in &spec.route {
                *users.entry(hop).or_default() += 1;
            }
            let Some(&l) = producers.get(&spec.input) else { continue };
            let Some(&(buffer, consumer)) = buffers.get(&spec.output) else {
                // Answers are counted one by one.
                layers[l as usize] = None;
                continue;
            };
            let Some(layer) = &mut layers[l as usize] else { continue };
            layer.parts.push(id);
            of_part[id as usize] = l;
            layer.output = Some(Output { link: id, port: spec.output, buffer });
            layer.of.consumer = consumer;
            layer.hops.extend(&spec.route);
        }
        for layer in layers.iter_mut().flatten() {
            layer.alone_on_hops = layer.hops.iter().all(|hop| users[hop] == 1);
        }
        let works = |layer: &Layer| layer.output.is_some() && layer.net.positions / layer.lanes > 4;
        layers.iter_mut().for_each(|layer| *layer = layer.take().filter(works));
        layers.iter().any(Option::is_some).then_some(Self { layers, layer_of: of_part })
    }

    /// Looks at the state of a layer, and skips what comes again. Returns the number of events that were skipped.
    pub(super) fn look<K: SpanSink, S: EventQueue>(
        &mut self,
        index: u32,
        mut state: State<'_, K>,
        queue: &mut S,
    ) -> u64 {
        let Some(layer) = &mut self.layers[index as usize] else {
            state.shared.look_at[index as usize] = u32::MAX;
            return 0;
        };
        let Some((position, pass)) = layer.buffer(state.parts).within() else { return 0 };
        if pass != layer.pass {
            layer.begin(pass);
            state.shared.sink.forget_layer(index);
        }
        let width = layer.net.linear.width;
        let row = position / width;
        let starts = row != layer.row;
        if starts {
            layer.begin_row(row);
        }
        let Some(skipped) = layer.compare(position, starts, &mut state, queue, &self.layer_of) else {
            state.shared.look_at[index as usize] = 0;
            return 0;
        };
        layer.looked += 1;
        layer.found |= skipped > 0;
        state.shared.look_at[index as usize] = if layer.rows_in_vain >= ROWS {
            state.shared.sink.forget_layer(index);
            // Not before the next pass.
            if layer.passes_in_vain + 1 >= PASSES { u32::MAX } else { layer.net.positions }
        } else if skipped > 0 || width < SHORT {
            (row + 1) * width
        } else if layer.looked == LOOKS {
            layer.known = None;
            (row + 1) * width
        } else if starts {
            row * width + layer.known.unwrap_or(0)
        } else {
            0
        };
        skipped
    }
}

impl Layer {
    fn buffer<'a>(&self, parts: &'a [Part]) -> &'a Buffer {
        let Part::Buffer(buffer) = &parts[self.buffer as usize] else { unreachable!("the layer's buffer is one") };
        buffer
    }

    fn begin(&mut self, pass: (u32, u32)) {
        self.passes_in_vain += u32::from(self.rows_in_vain >= ROWS);
        (self.pass, self.row, self.looked, self.found) = (pass, NONE, 0, false);
        (self.marks, self.rows_in_vain) = (0, 0);
        let looks = self.steps.drain(..).chain(self.rows.drain(..));
        self.spare.extend(looks.map(|look| look.snapshot));
    }

    fn begin_row(&mut self, row: u32) {
        self.rows_in_vain = if self.found { 0 } else { self.rows_in_vain + u32::from(self.looked > 0) };
        (self.row, self.looked, self.found) = (row, 0, false);
        self.spare.extend(self.steps.drain(..).map(|look| look.snapshot));
    }

    /// Shows the state of all parts; what they have heard from others is none of it.
    fn visit<K>(&self, state: &mut State<'_, K>, events: &[(Cycle, Event)], visitor: &mut dyn Visitor) {
        let State { parts, handled, shared, .. } = state;
        for (mut at, event) in events.iter().copied() {
            visitor.time(&mut at);
            visitor.same(u64::from(event.part) << 32 | u64::from(event.tag));
        }
        for &part in &self.parts {
            let id = part as usize;
            parts[id].visit(visitor);
            let heard = parts[id].heard();
            let mut own = handled[id] - heard;
            visitor.sum(&mut own);
            handled[id] = own + heard;
            let (from, until) = &mut shared.refused[id];
            visitor.time(from);
            visitor.time(until);
        }
        for &(port, of_pixels) in &self.ports {
            shared.ports.visit_one(port, |credits, tokens| {
                credits.into_iter().for_each(|value| visitor.same(value));
                let mut number = 0;
                for token in tokens {
                    if of_pixels {
                        visitor.message(token)
                    } else {
                        visitor.token(token)
                    }
                    number += 1;
                }
                visitor.same(number);
            });
        }
        self.hops.iter().for_each(|&hop| shared.network.visit_link(hop, visitor));
    }

    /// Compares the state with earlier ones, and skips the periods that follow; returns the events that were skipped. None while
    /// output waits for room.
    fn compare<K: SpanSink, S: EventQueue>(
        &mut self,
        position: u32,
        starts: bool,
        state: &mut State<'_, K>,
        queue: &mut S,
        layer_of: &[u32],
    ) -> Option<u64> {
        let output = self.output.as_ref()?;
        let free = state.shared.ports.free(output.port)?;
        let Part::Link(link) = &state.parts[output.link as usize] else { return None };
        let sent = link.sent();
        let mut events = queue.events();
        let all = events.len();
        events.retain(|(_, event)| layer_of[event.part as usize] == self.of.layer);
        let alone = events.len() == all;
        if !alone && !self.alone_on_hops {
            return Some(0);
        }
        let mut snapshot = Snapshot::new(state.now, true, self.spare.pop());
        self.visit(state, &events, &mut snapshot);
        let released = self.buffer(state.parts).released();
        let here = Look { mark: self.marks, position, alone, snapshot, released, sent, free };
        self.marks += 1;
        let oldest = self.rows.front().into_iter().chain(self.steps.front()).map(|look| look.mark).min();
        state.shared.sink.mark_layer(self.of, here.mark, oldest.unwrap_or(here.mark));
        let others = if starts { &self.rows } else { &self.steps };
        let found = others.iter().rev().find_map(|before| Some((before, self.period(before, &here, state)?)));
        let Some((before, again)) = found else {
            let others = if starts { &mut self.rows } else { &mut self.steps };
            others.push_back(here);
            if others.len() > REMEMBERED {
                self.spare.extend(others.pop_front().map(|look| look.snapshot));
            }
            return Some(0);
        };
        let (mark, position) = (before.mark, before.position);
        self.spare.push(here.snapshot);
        if starts {
            self.spare.extend(self.rows.drain(..).map(|look| look.snapshot));
        } else {
            self.spare.extend(self.steps.drain(..).map(|look| look.snapshot));
            self.known = Some(position % self.net.linear.width);
        }
        Some(self.skip(mark, &again, &events, state, queue, layer_of))
    }

    /// The period between two looks, if it comes again.
    fn period<K>(&self, before: &Look, here: &Look, state: &State<'_, K>) -> Option<Again> {
        if !(self.alone_on_hops || before.alone && here.alone) {
            return None;
        }
        let (mut period, moves) = Period::within(&before.snapshot, &here.snapshot)?;
        let alike = |part: &PartId| match &state.parts[*part as usize] {
            Part::Crossbar(crossbar) => crossbar.spec().0.energy.repeats(moves.positions),
            _ => true,
        };
        if !self.parts.iter().all(alike) {
            return None;
        }
        let (mut times, completed) = self.times(moves)?;
        let messages = here.sent.messages - before.sent.messages;
        let pixels = u32::try_from(here.sent.pixels - before.sent.pixels).ok()?;
        if pixels != completed || before.free < pixels || (moves.pixels > 0 && moves.pixels != pixels) {
            return None;
        }
        times = times.min(here.free.checked_div(pixels).unwrap_or(times));
        let sent = Sent { messages, pixels: pixels.into() };
        let released = u32::try_from(here.released - before.released).ok()?;
        if released > 0 {
            let room = u64::from(state.shared.ports.free(self.input)?);
            if !here.alone && room < self.buffer(state.parts).expected() {
                return None;
            }
        }
        period.times = times;
        (times > 0).then_some(Again { period, sent, released })
    }

    /// How often positions that move so far come again, and the pixels that they complete.
    fn times(&self, moves: Moves) -> Option<(u32, u32)> {
        let (net, by, lanes) = (&self.net, moves.positions, self.lanes);
        // The first position of a pass takes new weights.
        if by % lanes != 0 || moves.first == 0 || moves.first + by >= net.positions {
            return None;
        }
        let of = |position: u32| {
            let later = position + by;
            let completed = net.completed(later) - net.completed(position);
            let done = net.pixels_done(later) - net.pixels_done(position);
            (completed, done)
        };
        let first = of(moves.first);
        let alike = |position: &u32| {
            position + by < net.positions
                && net.pixels_fetched(*position) == net.pixels_fetched(position + by)
                && of(*position) == first
        };
        // Up to there each position is like the one a period later.
        let width = net.linear.width;
        let end = if by % width == 0 {
            // So a row is if its ends and its middle are: pixels differ with the row, and what positions complete grows along it.
            let ends = |row: &u32| [0, width / 2, width - 1].map(|column| (row * width + column).max(moves.first));
            let row = (moves.first / width..).find(|row| !ends(row).iter().all(alike))?;
            moves.first.max(row * width)
        } else {
            (moves.first..).find(|position| !alike(position))?
        };
        let room = end.checked_sub(moves.last + lanes + 1)?;
        let times = (room / by + 1).min(moves.most);
        // The last pixel of a map starts what comes behind.
        let reaches = |times: &u32| net.completed(moves.last + times * by + lanes) < net.output.positions();
        Some(((0..=times).rev().find(reaches)?, first.0))
    }

    /// Skips periods that come again.
    fn skip<K: SpanSink, S: EventQueue>(
        &self,
        mark: u32,
        again: &Again,
        events: &[(Cycle, Event)],
        state: &mut State<'_, K>,
        queue: &mut S,
        layer_of: &[u32],
    ) -> u64 {
        let handled = |state: &State<'_, K>| state.handled.iter().sum::<u64>();
        let before = handled(state);
        let Again { period, sent, released } = again;
        period.skip(|visitor| self.visit(state, events, visitor));
        let times = u64::from(period.times);
        queue.put_off(period.cycles() * times, &|part| layer_of[part as usize] == self.of.layer);
        state.shared.sink.repeat_layer(self.of.layer, mark, period.times, period.cycles());
        if let Some(output) = &self.output {
            let sent = Sent { messages: sent.messages * times, pixels: sent.pixels * times };
            state.shared.ports.reserve(output.port, sent.pixels as u32);
            state.handled[output.buffer as usize] += sent.messages;
            if let Part::Buffer(buffer) = &mut state.parts[output.buffer as usize] {
                buffer.hear(sent);
            }
        }
        state.shared.ports.release(self.input, released * period.times, queue);
        handled(state) - before
    }
}

/// A period that comes again, with what it sends and the room that it gives back.
#[derive(Debug)]
struct Again {
    period: Period,
    sent: Sent,
    released: u32,
}
