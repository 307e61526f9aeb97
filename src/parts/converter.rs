//! The converters of a group: ADCs behind multiplexers, or the comparators of a row-serial plane.

use super::context::{Amount, Context, Job, Units, rows};
use super::token::Token;
use crate::kernel::{Cycle, PortId, Schedule};
use crate::trace::{Action, SpanSink};
use std::ops::Range;
use std::sync::Arc;

/// A sample has come.
pub const SAMPLED: u32 = 1;
/// A conversion, or all conversions of the samples in hand, are over.
const DONE: u32 = 2;

/// Where the converters of one group stand.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// Port of samples, from the crossbar.
    pub input: PortId,
    /// Port of sums, to the accumulator.
    pub output: PortId,
    /// Number of the first array.
    pub first_array: u32,
    /// Copies of the layer that the group covers.
    pub replicas: Range<u32>,
}

/// What the converters are. Groups that differ only in where they stand share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConverterSpec {
    /// One conversion, or comparison.
    pub convert: Job,
    /// Taking a sample; takes no time.
    pub sample: Job,
    /// Arrays in one copy of the layer.
    pub arrays: u32,
    /// Converters of an array that are in use.
    pub converters: u32,
    /// Inputs of an array that are in use.
    pub inputs: u32,
    /// Conversions that a converter does one after another.
    pub steps: u32,
    /// Whether each conversion is an event.
    pub fine: bool,
    /// Attojoules of one conversion, with its multiplexer.
    pub convert_energy: u64,
    /// Attojoules of one sample.
    pub sample_energy: u64,
    /// Cycles from one sample to the next in a burst.
    pub period: Cycle,
}

impl ConverterSpec {
    /// All conversions of a sample, which follow each other without a gap.
    #[inline]
    fn whole(&self) -> Job {
        Job { duration: self.convert.duration * u64::from(self.steps), ..self.convert }
    }
}

/// Converters at work.
#[derive(Debug)]
pub struct Converter {
    spec: Arc<ConverterSpec>,
    wiring: Wiring,
    /// Sample in hand, and arrays that it is from.
    token: Option<Token>,
    arrays: u32,
    step: u32,
    /// Since when the accumulator refuses the result.
    refused_since: Option<Cycle>,
}

impl Converter {
    /// Idle converters.
    #[must_use]
    pub fn new(spec: Arc<ConverterSpec>, wiring: Wiring) -> Self {
        Self { spec, wiring, token: None, arrays: 0, step: 0, refused_since: None }
    }

    /// Handles an event.
    #[inline]
    pub fn handle<S: Schedule, K: SpanSink>(&mut self, tag: u32, cx: &mut Context<'_, S, K>) {
        match tag {
            SAMPLED => self.begin(cx),
            DONE if self.spec.fine && self.step < self.spec.steps => self.convert_next(cx),
            _ => self.pass_on(cx),
        }
    }

    /// So many units of each array that the sample in hand is from.
    #[inline]
    fn units(&self, of_array: u32) -> Units {
        Units { first: self.wiring.first_array, number: self.arrays * of_array }
    }

    #[inline]
    fn begin<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let token = cx.take(self.wiring.input).expect("the crossbar has sent a sample");
        let spec = &*self.spec;
        self.token = Some(token);
        self.arrays = spec.arrays * token.copies(&self.wiring.replicas);
        self.step = 0;
        let (repeats, period) = (token.pulses, spec.period);
        let whole = spec.whole();
        let end = cx.now + u64::from(repeats - 1) * period + whole.duration;
        if spec.fine || cx.in_window(cx.now, end) {
            self.begin_in_detail(end, cx);
            return;
        }
        let count = u64::from(self.arrays * spec.inputs) * u64::from(repeats);
        let amount = |units, energy| Amount { units, repeats, period, count, energy: count * energy };
        cx.work(&spec.sample, cx.now, token, amount(self.units(spec.inputs), spec.sample_energy));
        cx.work(&whole, cx.now, token, amount(self.units(spec.converters), spec.convert_energy));
        cx.schedule(end, DONE);
    }

    /// Tells each conversion; each is an event of its own where the grain asks for that.
    #[inline(never)]
    fn begin_in_detail<S: Schedule, K: SpanSink>(&mut self, end: Cycle, cx: &mut Context<'_, S, K>) {
        let token = self.token.expect("a sample is in hand");
        let samples = self.units(self.spec.inputs);
        let count = u64::from(samples.number);
        for (start, _) in rows(cx.now, token.pulses, self.spec.period, true) {
            let amount = Amount::once(samples, count, count * self.spec.sample_energy);
            cx.work(&self.spec.sample, start, token, amount);
            if self.spec.fine {
                // The grain of conversions has one read at a time.
                self.convert_next(cx);
                return;
            }
            for step in 0..self.spec.steps {
                self.convert(step, start + u64::from(step) * self.spec.convert.duration, cx);
            }
        }
        cx.schedule(end, DONE);
    }

    /// The next conversion of each converter, as an event of its own.
    fn convert_next<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.convert(self.step, cx.now, cx);
        self.step += 1;
        cx.schedule(cx.now + self.spec.convert.duration, DONE);
    }

    /// Books one conversion of each converter.
    fn convert<S: Schedule, K: SpanSink>(&self, step: u32, start: Cycle, cx: &mut Context<'_, S, K>) {
        let token = self.token.expect("a sample is in hand");
        // Converter j has inputs j * steps and up; only the last one may have fewer than `steps`.
        let whole = self.spec.inputs / self.spec.steps;
        let used = whole + u32::from(step < self.spec.inputs % self.spec.steps);
        let count = u64::from(self.arrays) * u64::from(used);
        let amount = Amount::once(self.units(self.spec.converters), count, count * self.spec.convert_energy);
        cx.work(&self.spec.convert, start, token, amount);
    }

    /// Gives the result to the accumulator; the sample-and-hold is free only then.
    #[inline]
    fn pass_on<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let Some(token) = self.token else { return };
        // Only the last sample of a position needs a place: the others are added to a sum that is there already.
        if !cx.send(self.wiring.output, token, u32::from(token.last)) {
            self.refused_since.get_or_insert(cx.now);
            return;
        }
        if let Some(since) = self.refused_since.take() {
            cx.shared.refused[cx.me as usize] = (since, cx.now);
            let units = self.units(self.spec.converters);
            cx.wait(Action::WaitPort, self.spec.convert.site, since, token, units);
        }
        self.token = None;
        cx.release(self.wiring.input, 1);
    }
}
