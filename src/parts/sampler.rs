//! The generator of a group: draws the weights of the next pass (or position) into latches.
//!
//! The first sample is drawn while the chip waits for an image: its energy is booked at cycle 0 and takes no time of the
//! run. Every other one is drawn as soon as a bank of latches is free.

use super::context::{Amount, Context, Job, Units};
use super::crossbar::{DRAWN, NO_TOKEN};
use crate::kernel::{Cycle, PartId, Schedule};
use crate::trace::SpanSink;

/// The crossbar has taken a sample and wants the next one.
pub const DRAW: u32 = 1;
/// The first sample is booked.
pub const PRELOAD: u32 = 2;
/// The sample is drawn.
const DONE: u32 = 3;

/// What the generators are and how they are wired.
#[derive(Debug, Clone)]
pub struct SamplerSpec {
    /// The crossbar that it serves.
    pub crossbar: PartId,
    /// Drawing one sample of an array.
    pub draw: Job,
    /// Generators of one copy of the layer: one an array.
    pub generators: Units,
    /// Random bits of one sample on one copy.
    pub bits: u64,
    /// Attojoules of one sample on one copy.
    pub energy: u64,
    /// Copies that it covers.
    pub replicas: std::ops::Range<u32>,
    /// Samples that the run needs.
    pub samples: u64,
    /// Where each position has a sample of its own: samples of a pass, and lanes of the last of them.
    pub per_position: Option<(u64, u32)>,
}

impl SamplerSpec {
    /// Copies that take part in a sample.
    fn copies(&self, sample: u64) -> u32 {
        let lanes = match self.per_position {
            Some((samples, lanes)) if sample % samples == samples - 1 => lanes,
            _ => u32::MAX,
        };
        lanes.clamp(self.replicas.start, self.replicas.end) - self.replicas.start
    }
}

/// Generators at work.
#[derive(Debug)]
pub struct Sampler {
    spec: SamplerSpec,
    started: u64,
    bits: u64,
    free_at: Cycle,
}

impl Sampler {
    /// Idle generators.
    #[must_use]
    pub fn new(spec: SamplerSpec) -> Self {
        Self { spec, started: 0, bits: 0, free_at: 0 }
    }

    /// Random bits drawn so far.
    #[must_use]
    pub fn random_bits(&self) -> u64 {
        self.bits
    }

    /// Handles an event.
    #[inline(never)]
    pub fn handle<S: Schedule, K: SpanSink>(&mut self, tag: u32, cx: &mut Context<'_, S, K>) {
        match tag {
            DONE => cx.notify(self.spec.crossbar, DRAWN),
            _ if self.started == self.spec.samples => {}
            PRELOAD => {
                self.book(Job { duration: 0, ..self.spec.draw }, cx.now, cx);
            }
            _ => {
                let start = self.free_at.max(cx.now);
                self.free_at = start + self.spec.draw.duration;
                self.book(self.spec.draw, start, cx);
                cx.schedule(self.free_at, DONE);
            }
        }
    }

    fn book<S: Schedule, K: SpanSink>(&mut self, job: Job, start: Cycle, cx: &mut Context<'_, S, K>) {
        let copies = self.spec.copies(self.started);
        let bits = self.spec.bits * u64::from(copies);
        self.started += 1;
        self.bits += bits;
        let energy = self.spec.energy * u64::from(copies);
        cx.work(&job, start, NO_TOKEN, Amount::once(self.spec.generators.times(copies), bits, energy));
    }
}
