//! The generator of a group: draws the weights of the next pass (or position) into latches.
//!
//! The first sample is drawn while the chip waits for an image: its energy is booked at cycle 0 and takes no time of the
//! run. Every other one is drawn as soon as a bank of latches is free. Until then the generators wait (`WaitPort`), after the
//! last sample of the run as well (`WaitDrained`); those of a copy that has no position of its own wait for one
//! (`WaitOperand`).

use super::build::Build;
use super::context::{Amount, Context, Job, Units};
use super::generator::{draw_cycles, draw_energy};
use super::recur::Visitor;
use super::tag::tags;
use super::token::Token;
use crate::config::{Draws, Sampler as SamplerKind};
use crate::dataflow::Role;
use crate::kernel::{Cycle, Event, EventQueue};
use crate::trace::{Action, Component, SpanSink};

tags! {
    /// Events of generators.
    pub enum Tag {
        /// The crossbar has taken a sample and requests the next one.
        Draw,
        /// The run starts: the first sample is booked.
        Preload,
        /// The sample has been drawn.
        Done,
    }
}

/// Description and ports of generators.
#[derive(Debug, Clone)]
pub struct SamplerSpec {
    /// The event that notifies the crossbar of a new sample.
    pub drawn: Event,
    /// Drawing one sample of an array.
    pub draw: Job,
    /// Generators of one copy of the layer: one an array.
    pub generators: Units,
    /// Those of them that draw anything: one whose array holds no probabilistic synapse only keeps step.
    pub drawing: u64,
    /// Attojoules of one sample on one copy.
    pub energy: u64,
    /// Random bits of one sample on one copy.
    pub bits: u64,
    /// Copies that it covers.
    pub replicas: std::ops::Range<u32>,
    /// Number of samples that the run needs.
    pub samples: u64,
    /// Passes of an image.
    pub passes: u32,
    /// Positions that a sample is for.
    pub step: u32,
    /// Where each position has a sample of its own: samples of a pass, and lanes of the last of them.
    pub per_position: Option<(u64, u32)>,
}

impl SamplerSpec {
    pub(super) fn build(at: &Build<'_>) -> Self {
        let (l, layer, mapped) = at.layer();
        let group = at.group();
        let SamplerKind::Generator { probability_bits, draws, .. } = at.chip.sampler else {
            unreachable!("only generators have a stage of their own")
        };
        let bits = group.drawn() * u64::from(probability_bits);
        let of_array = |synapses| draw_energy(at.chip, synapses);
        let all = u64::from(group.arrays_per_replica());
        let (drawing, energy) = match &group.drawn {
            None => (all, of_array(group.synapses_per_array()) * all),
            Some(drawn) => {
                let drawing = drawn.iter().filter(|&&synapses| synapses > 0).count() as u64;
                (drawing, drawn.iter().map(|&synapses| of_array(synapses)).sum())
            }
        };
        let passes = u64::from(at.config.schedule.images) * u64::from(mapped.passes);
        let batches = u64::from(layer.positions.div_ceil(mapped.replication));
        let last_lanes = layer.positions - (batches as u32 - 1) * mapped.replication;
        let duration = draw_cycles(at.chip, mapped.draws_at_once(group));
        Self {
            drawn: at.signal(Role::Crossbar).expect("a sampler serves a crossbar"),
            draw: at.job(Some(l), Component::Generator, Action::Draw, duration, 0).in_plane(group.plane),
            generators: at.arrays(),
            drawing,
            energy,
            bits,
            replicas: group.replicas.clone(),
            samples: if draws == Draws::PerMember { passes } else { passes * batches },
            passes: mapped.passes,
            step: mapped.replication,
            per_position: (draws == Draws::PerPosition).then_some((batches, last_lanes)),
        }
    }

    /// Number of copies that take part in a sample.
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

    /// Its description.
    #[must_use]
    pub fn spec(&self) -> &SamplerSpec {
        &self.spec
    }

    /// Random bits drawn so far.
    #[must_use]
    pub fn random_bits(&self) -> u64 {
        self.bits
    }

    /// Handles an event.
    #[inline(never)]
    pub fn handle<S: EventQueue, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Done => cx.notify(self.spec.drawn),
            Tag::Draw | Tag::Preload if self.started == self.spec.samples => {}
            Tag::Preload => {
                self.book(Job { duration: 0, ..self.spec.draw }, cx.now, cx);
            }
            Tag::Draw => {
                let (start, site) = (self.free_at.max(cx.now), self.spec.draw.site);
                cx.wait_between(Action::WaitPort, site, self.free_at, start, Token::NONE, self.all_units());
                self.free_at = start + self.spec.draw.duration;
                let at_work = self.book(self.spec.draw, start, cx);
                let idle = Units { number: self.all_units().number - at_work.number, ..at_work };
                cx.wait_between(Action::WaitOperand, site, start, self.free_at, Token::NONE, idle);
                cx.schedule(self.free_at, Tag::Done);
            }
        }
    }

    /// Generators of all copies.
    fn all_units(&self) -> Units {
        self.spec.generators.times(self.spec.replicas.len() as u32)
    }

    /// Shows its state.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        let of_pass = self.spec.per_position.map_or(1, |(samples, _)| samples);
        let (mut pass, mut sample) = (self.started / of_pass, self.started % of_pass);
        visitor.step(&mut sample, self.spec.step);
        visitor.passes(&mut pass, self.spec.passes.into());
        self.started = pass * of_pass + sample;
        visitor.sum(&mut self.bits);
        visitor.time(&mut self.free_at);
    }

    /// Books the rest of the run.
    pub fn finish<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        cx.wait(Action::WaitDrained, self.spec.draw.site, self.free_at, Token::NONE, self.all_units());
    }

    /// Books the next sample on the generators that take part in it.
    fn book<S: EventQueue, K: SpanSink>(&mut self, job: Job, start: Cycle, cx: &mut Context<'_, S, K>) -> Units {
        let copies = self.spec.copies(self.started);
        self.started += 1;
        self.bits += self.spec.bits * u64::from(copies);
        let units = self.spec.generators.times(copies);
        let energy = self.spec.energy * u64::from(copies);
        let draws = self.spec.drawing * u64::from(copies);
        cx.work_with_energy(&job, start, Token::NONE, Amount::once(units, draws), energy);
        units
    }
}
