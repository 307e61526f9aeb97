//! Digital post-processing of a layer: max-pooling of accumulators, batch norm, activation, quantisation.
//!
//! The lanes of all tiles of the layer take a position's values in steps. A pooled layer compares at every position and
//! post-processes when a window is complete; the result is then written to the output buffer.

use super::build::Build;
use super::context::{Context, Job, Units};
use super::recur::Visitor;
use super::tag::tags;
use super::timeline::Timeline;
use super::token::Token;
use crate::dataflow::{LOGIT_BITS, pixel_bytes};
use crate::kernel::port::CREDIT;
use crate::kernel::{Cycle, EventQueue, PortId};
use crate::trace::{Action, Component, SpanSink};
use crate::workload::NetLayer;

tags! {
    /// Events of post-processing.
    pub enum Tag {
        /// A consumer that was full has room again.
        Credit = CREDIT,
        /// A position has arrived.
        Position,
        /// The current position is processed and written.
        Done,
    }
}

/// Description and ports of post-processing.
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
            output_bits: if at.net.outputs().any(|output| output == l) { LOGIT_BITS } else { layer.output_bits },
            lanes: Units::new(tiles.first, mapped.of_tiles(at.chip.digital.lanes.into()) as u32),
            process,
            // Comparisons run at the rate of post-processing.
            pool: Job { action: Action::Pool, energy: costs.pool.energy.0, ..process },
            write: job(Component::Buffer, Action::Write, &costs.buffer_write),
            bytes_per_access: mapped.of_tiles(at.chip.tile.output_buffer.bytes_per_cycle.into()),
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
    /// The current positions, and the pixels that they complete.
    in_hand: Option<(Token, Token)>,
    /// Number of consumers that have room for the result, and whether one was full.
    roomy: usize,
    refused: bool,
    /// The lanes, and the ports through which results are written to the output buffers.
    lanes: Timeline,
    write_port: Timeline,
}

impl Digital {
    /// Idle lanes.
    #[must_use]
    pub fn new(spec: DigitalSpec) -> Self {
        Self {
            lanes: Timeline::new(spec.process.site, spec.lanes),
            write_port: Timeline::new(spec.write.site, spec.tiles),
            spec,
            in_hand: None,
            roomy: 0,
            refused: false,
        }
    }

    /// Its description.
    #[must_use]
    pub fn spec(&self) -> &DigitalSpec {
        &self.spec
    }

    /// Handles an event.
    #[inline(never)]
    pub fn handle<S: EventQueue, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Position => self.begin(cx),
            Tag::Done => self.pass_on(cx),
            Tag::Credit => {
                if self.refused {
                    self.pass_on(cx);
                }
            }
        }
    }

    fn begin<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
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
        let (lanes, port, spec) = (&mut self.lanes, &mut self.write_port, &self.spec);
        lanes.wait(Action::WaitOperand, cx.now, token, cx);
        if layer.pool > 1 {
            lanes.work(&spec.pool, pool, token, u64::from(token.lanes) * columns, cx);
        }
        lanes.work(&spec.process, process, token, u64::from(pixels) * columns, cx);
        port.wait(Action::WaitOperand, lanes.until(), token, cx);
        port.work(&spec.write, write, token, spec.bytes(pixels), cx);
        lanes.wait(Action::WaitResource, port.until(), token, cx);
        let end = lanes.until();
        self.in_hand = Some((token, output));
        cx.schedule(end, Tag::Done);
    }

    /// Sends the pixels to all consumers when all of them have room, and takes the next position.
    fn pass_on<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let Some((token, output)) = self.in_hand else { return };
        if output.lanes > 0 {
            while let Some(&port) = self.spec.outputs.get(self.roomy) {
                if !cx.shared.ports.has_room(port, output.lanes) {
                    self.refused = true;
                    return;
                }
                self.roomy += 1;
            }
            for &port in &self.spec.outputs {
                assert!(cx.send(port, &output, output.lanes), "room was found before");
            }
        }
        self.lanes.wait(Action::WaitPort, cx.now, token, cx);
        (self.roomy, self.refused) = (0, false);
        self.in_hand = None;
        cx.release(self.spec.input, 1);
        self.begin(cx);
    }

    /// Shows its state.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        visitor.same(self.in_hand.is_some().into());
        if let Some((token, output)) = &mut self.in_hand {
            visitor.token(token);
            visitor.message(output);
        }
        visitor.same((self.roomy as u64) << 1 | u64::from(self.refused));
        self.lanes.visit(visitor);
        self.write_port.visit(visitor);
    }

    /// Books the rest of the run.
    pub fn finish<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.lanes.finish(cx);
        self.write_port.finish(cx);
    }
}
