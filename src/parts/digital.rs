//! Digital post-processing of a layer: max-pooling of accumulators, batch norm, activation, quantisation.
//!
//! The lanes of all tiles of the layer take a position's values in steps. A pooled layer compares at every position and
//! post-processes when a window is complete; the result is then written to the output buffer.

use super::build::Build;
use super::context::{Amount, Context, Job, Units};
use super::tag::tags;
use super::token::Token;
use crate::dataflow::{LOGIT_BITS, pixel_bytes};
use crate::kernel::port::CREDIT;
use crate::kernel::{Cycle, PortId, Schedule};
use crate::trace::{Action, Component, SpanSink};
use crate::workload::NetLayer;

tags! {
    /// What post-processing is told.
    pub enum Tag {
        /// A consumer that had no room has some.
        Credit = CREDIT,
        /// A position has come.
        Position,
        /// It is processed and written.
        Done,
    }
}

/// What the post-processing is and how it is wired.
#[derive(Debug, Clone)]
pub struct DigitalSpec {
    /// Port of positions, from the accumulator.
    pub input: PortId,
    /// Ports of the links to the consumers.
    pub outputs: Vec<PortId>,
    /// The layer.
    pub layer: NetLayer,
    /// Bits of an output value.
    pub output_bits: u32,
    /// Lanes of all tiles of the layer; the first is in the first tile.
    pub lanes: Units,
    /// One step of the lanes; energy of a value.
    pub process: Job,
    /// One step of the lanes when pooling; energy of comparing a value.
    pub pool: Job,
    /// One access of the output buffer; energy of a byte.
    pub write: Job,
    /// Bytes that all tiles of the layer write in one access.
    pub bytes_per_access: u64,
    /// Tiles of the layer.
    pub tiles: Units,
}

impl DigitalSpec {
    pub(super) fn build(at: &Build<'_>) -> Self {
        let (l, layer, mapped) = at.layer();
        let costs = &at.chip.costs;
        let tiles = Units::tiles(mapped);
        let job = |component, action, cost| at.job_of(Some(l), component, action, cost);
        let process = job(Component::Digital, Action::PostProcess, &costs.post_process);
        Self {
            input: at.input(),
            outputs: at.outputs().collect(),
            layer: layer.clone(),
            output_bits: if l == at.net.output { LOGIT_BITS } else { layer.output_bits },
            lanes: tiles.times(at.chip.digital.lanes),
            process,
            // Comparing keeps the pace of post-processing.
            pool: Job { action: Action::Pool, energy: costs.pool.energy.0, ..process },
            write: job(Component::Buffer, Action::Write, &costs.buffer_write),
            bytes_per_access: u64::from(at.chip.tile.output_buffer.bytes_per_cycle) * u64::from(tiles.number),
            tiles,
        }
    }

    /// Cycles of pooling, post-processing and writing for `positions` positions that complete `pixels` pixels.
    #[must_use]
    pub fn cycles(&self, positions: u32, pixels: u32) -> [Cycle; 3] {
        let steps = |count: u32| {
            (u64::from(count) * u64::from(self.layer.columns)).div_ceil(u64::from(self.lanes.number))
                * self.process.duration
        };
        let pool = if self.layer.pool > 1 { steps(positions) } else { 0 };
        let write = self.bytes(pixels).div_ceil(self.bytes_per_access) * self.write.duration;
        [pool, steps(pixels), write]
    }

    fn bytes(&self, pixels: u32) -> u64 {
        u64::from(pixels) * pixel_bytes(self.layer.columns, self.output_bits)
    }
}

/// Post-processing at work.
#[derive(Debug)]
pub struct Digital {
    spec: DigitalSpec,
    /// Positions in hand, and the pixels that they complete.
    in_hand: Option<(Token, Token)>,
    /// Consumers that have room for the result.
    roomy: usize,
    refused_since: Option<Cycle>,
}

impl Digital {
    /// Idle lanes.
    #[must_use]
    pub fn new(spec: DigitalSpec) -> Self {
        Self { spec, in_hand: None, roomy: 0, refused_since: None }
    }

    /// What it is.
    #[must_use]
    pub fn spec(&self) -> &DigitalSpec {
        &self.spec
    }

    /// Handles an event.
    #[inline(never)]
    pub fn handle<S: Schedule, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Position => self.begin(cx),
            Tag::Done => self.pass_on(cx),
            Tag::Credit => {
                if self.refused_since.is_some() {
                    self.pass_on(cx);
                }
            }
        }
    }

    fn begin<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        if self.in_hand.is_some() {
            return;
        }
        let Some(token) = cx.take(self.spec.input) else { return };
        let layer = &self.spec.layer;
        let first = layer.completed(token.position);
        let pixels = layer.completed(token.position + token.lanes) - first;
        let output = Token { position: first, lanes: pixels, ..token };
        let [pool, process, write] = self.spec.cycles(token.lanes, pixels);
        let columns = u64::from(layer.columns);
        let mut start = cx.now;
        let mut book = |job: Job, duration: Cycle, units: Units, count: u64| {
            if count > 0 {
                cx.work(&Job { duration, ..job }, start, token, Amount::once(units, count));
            }
            start += duration;
        };
        let pooled = if layer.pool > 1 { u64::from(token.lanes) * columns } else { 0 };
        book(self.spec.pool, pool, self.spec.lanes, pooled);
        book(self.spec.process, process, self.spec.lanes, u64::from(pixels) * columns);
        book(self.spec.write, write, self.spec.tiles, self.spec.bytes(pixels));
        self.in_hand = Some((token, output));
        cx.schedule(start, Tag::Done);
    }

    /// Sends the pixels to all consumers when all of them have room, and takes the next position.
    fn pass_on<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let Some((token, output)) = self.in_hand else { return };
        if output.lanes > 0 {
            while let Some(&port) = self.spec.outputs.get(self.roomy) {
                if !cx.shared.ports.has_room(port, output.lanes) {
                    self.refused_since.get_or_insert(cx.now);
                    return;
                }
                self.roomy += 1;
            }
            for &port in &self.spec.outputs {
                assert!(cx.send(port, output, output.lanes), "room was found before");
            }
        }
        if let Some(since) = self.refused_since.take() {
            cx.wait(Action::WaitPort, self.spec.process.site, since, token, self.spec.lanes);
        }
        self.roomy = 0;
        self.in_hand = None;
        cx.release(self.spec.input, 1);
        self.begin(cx);
    }
}
