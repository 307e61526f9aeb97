//! The converters of a group: ADCs behind multiplexers, or the comparators of a row-serial plane.

use super::context::{Amount, Context, Job};
use super::token::Token;
use crate::kernel::{Cycle, PortId, Schedule};
use crate::trace::{Action, SpanSink};

/// A sample has come.
pub const SAMPLED: u32 = 1;
/// A conversion, or all conversions of the samples in hand, are over.
const DONE: u32 = 2;

/// What the converters are and how they are wired.
#[derive(Debug, Clone)]
pub struct ConverterSpec {
    /// Port of samples, from the crossbar.
    pub input: PortId,
    /// Port of sums, to the accumulator.
    pub output: PortId,
    /// One conversion, or comparison.
    pub convert: Job,
    /// Taking a sample; takes no time.
    pub sample: Job,
    /// Attojoules of the multiplexer for one conversion.
    pub multiplex_energy: u64,
    /// Arrays in one copy of the layer.
    pub arrays: u32,
    /// Copies of the layer that the group covers.
    pub replicas: std::ops::Range<u32>,
    /// Converters of an array that are in use.
    pub converters: u32,
    /// Inputs of an array that are in use.
    pub inputs: u32,
    /// Conversions that a converter does one after another.
    pub steps: u32,
    /// Whether each conversion is an event.
    pub fine: bool,
    /// Attojoules of one conversion.
    pub convert_energy: u64,
    /// Attojoules of one sample.
    pub sample_energy: u64,
    /// Cycles from one sample to the next in a burst.
    pub period: Cycle,
}

/// Converters at work.
#[derive(Debug)]
pub struct Converter {
    spec: ConverterSpec,
    token: Option<Token>,
    step: u32,
    /// Since when the accumulator refuses the result.
    refused_since: Option<Cycle>,
}

impl Converter {
    /// Idle converters.
    #[must_use]
    pub fn new(spec: ConverterSpec) -> Self {
        Self { spec, token: None, step: 0, refused_since: None }
    }

    /// Handles an event.
    #[inline]
    pub fn handle<S: Schedule, K: SpanSink>(&mut self, tag: u32, cx: &mut Context<'_, S, K>) {
        match tag {
            SAMPLED => self.begin(cx),
            DONE if self.spec.fine && self.step < self.spec.steps => self.convert_one(cx),
            _ => self.pass_on(cx),
        }
    }

    #[inline]
    fn arrays(&self, token: Token) -> u32 {
        self.spec.arrays * token.copies(&self.spec.replicas)
    }

    fn begin<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let token = cx.take(self.spec.input).expect("the crossbar has sent a sample");
        self.token = Some(token);
        let arrays = u64::from(self.arrays(token));
        let samples = arrays * u64::from(self.spec.inputs) * u64::from(token.pulses);
        let units = self.arrays(token) * self.spec.inputs;
        let period = self.spec.period;
        let strided = |units, count, energy| Amount { units, repeats: token.pulses, period, count, energy };
        cx.work(&self.spec.sample, cx.now, token, strided(units, samples, samples * self.spec.sample_energy));
        if self.spec.fine {
            self.step = 0;
            self.convert_one(cx);
            return;
        }
        // The conversions of a sample follow each other without a gap.
        let job = Job { duration: self.spec.convert.duration * u64::from(self.spec.steps), ..self.spec.convert };
        let energy = samples * (self.spec.convert_energy + self.spec.multiplex_energy);
        cx.work(&job, cx.now, token, strided(self.arrays(token) * self.spec.converters, samples, energy));
        cx.schedule(cx.now + u64::from(token.pulses - 1) * period + job.duration, DONE);
    }

    /// One conversion of each converter.
    fn convert_one<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let token = self.token.expect("a sample is in hand");
        // Converter j has inputs j * steps and up; only the last one may have fewer than `steps`.
        let whole = self.spec.inputs / self.spec.steps;
        let used = whole + u32::from(self.step < self.spec.inputs % self.spec.steps);
        let count = u64::from(self.arrays(token)) * u64::from(used);
        let energy = count * (self.spec.convert_energy + self.spec.multiplex_energy);
        let units = self.arrays(token) * self.spec.converters;
        cx.work(&self.spec.convert, cx.now, token, Amount::once(units, count, energy));
        self.step += 1;
        cx.schedule(cx.now + self.spec.convert.duration, DONE);
    }

    /// Gives the result to the accumulator; the sample-and-hold is free only then.
    fn pass_on<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let Some(token) = self.token else { return };
        // Only the last sample of a position needs a place: the others are added to a sum that is there already.
        if !cx.send(self.spec.output, token, u32::from(token.last)) {
            self.refused_since.get_or_insert(cx.now);
            return;
        }
        if let Some(since) = self.refused_since.take() {
            cx.shared.refused[cx.me as usize] = (since, cx.now);
            let units = self.arrays(token) * self.spec.converters;
            cx.wait(Action::WaitPort, self.spec.convert.site, since, token, units);
        }
        self.token = None;
        cx.release(self.spec.input, 1);
    }
}
