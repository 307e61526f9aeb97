//! The converters of a group: ADCs behind multiplexers, or the comparators of a row-serial plane.
//!
//! Every cycle of the converters is booked, as conversions or as waiting for a sample (`WaitOperand`), for the accumulator
//! (`WaitPort`) or because the run has no more work (`WaitDrained`). The samples of a position follow the first one at equal intervals,
//! so the gaps between them are booked with the first.

use super::build::{Build, shared};
use super::context::{Amount, Context, Job, Units, rows};
use super::tag::tags;
use super::token::Token;
use crate::config::Grain;
use crate::kernel::port::CREDIT;
use crate::kernel::{Cycle, EventQueue, PortId};
use crate::readout::Readout;
use crate::trace::{Action, Component, SpanSink};
use std::ops::Range;
use std::sync::Arc;

tags! {
    /// Events of converters.
    pub enum Tag {
        /// The accumulator, which was full, has room again.
        Credit = CREDIT,
        /// A sample has arrived.
        Sampled,
        /// A conversion, or all conversions of the current samples, have ended.
        Done,
    }
}

/// Ports and position of the converters of one group.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// Port of samples, from the crossbar.
    pub input: PortId,
    /// Port of sums, to the accumulator.
    pub output: PortId,
    /// Arrays in one copy of the layer.
    pub arrays: Units,
    /// Copies of the layer that the group covers.
    pub replicas: Range<u32>,
}

/// Description of converters, shared by groups that differ only in their position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConverterSpec {
    /// One conversion with its multiplexer, or comparison.
    pub convert: Job,
    /// Taking a sample; takes no time.
    pub sample: Job,
    /// Converters of an array that are in use.
    pub converters: u32,
    /// Results of a read of an array, each of which is converted.
    pub results: u32,
    /// Results of the last read of a position.
    pub last_results: u32,
    /// Conversions that a converter does one after another.
    pub steps: u32,
    /// Whether each conversion is an event.
    pub fine: bool,
    /// Samples of a position, and cycles from one to the next.
    pub pulses: u32,
    pub period: Cycle,
    /// Image and member of the last pass of the run.
    pub last_pass: (u32, u32),
}

impl ConverterSpec {
    /// Results of a read, which may be the last one of its position.
    #[inline]
    fn results_of(&self, last: bool) -> u32 {
        if last { self.last_results } else { self.results }
    }

    fn build(at: &Build<'_>) -> Self {
        let (l, layer, mapped) = at.layer();
        let group = at.group();
        let readout = Readout::new(at.chip, group.plane);
        let block = readout.block(group.rows, group.columns, layer.input_bits);
        let job =
            |component, action, time, energy| at.job(Some(l), component, action, time, energy).in_plane(group.plane);
        Self {
            convert: job(readout.component, readout.action, block.conversion, readout.energy.0),
            sample: job(Component::SampleHold, Action::Sample, 0, readout.sample.map_or(0, |energy| energy.0)),
            converters: block.converters,
            results: block.results,
            last_results: block.last_results,
            steps: block.steps,
            fine: at.config.schedule.grain == Grain::Conversion,
            pulses: block.pulses,
            period: block.period(),
            last_pass: (at.config.schedule.images - 1, mapped.passes - 1),
        }
    }

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
    /// The current sample, and the arrays that it is from.
    token: Option<Token>,
    arrays: Units,
    step: u32,
    /// Cycle since which the accumulator has refused the result.
    refused_since: Option<Cycle>,
    /// Whether the next sample is the first of its position.
    between: bool,
    /// Cycle at which the last position has left, and at which the present one has begun.
    idle_since: Cycle,
    started: Cycle,
}

impl Converter {
    /// Idle converters of a group; `known` holds the specs built so far.
    pub(super) fn build(at: &Build<'_>, known: &mut Vec<Arc<ConverterSpec>>) -> Self {
        let group = at.group();
        let wiring =
            Wiring { input: at.input(), output: at.output(), arrays: at.arrays(), replicas: group.replicas.clone() };
        Self::new(shared(known, ConverterSpec::build(at)), wiring)
    }

    /// Idle converters.
    #[must_use]
    pub fn new(spec: Arc<ConverterSpec>, wiring: Wiring) -> Self {
        Self {
            arrays: wiring.arrays.times(0),
            spec,
            wiring,
            token: None,
            step: 0,
            refused_since: None,
            between: true,
            idle_since: 0,
            started: 0,
        }
    }

    /// Handles an event.
    #[inline]
    pub fn handle<S: EventQueue, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Sampled => self.begin(cx),
            Tag::Done if self.spec.fine && self.step < self.spec.steps => self.convert_next(cx),
            Tag::Done | Tag::Credit => self.pass_on(cx),
        }
    }

    /// `of_array` units of each array that the current sample is from.
    #[inline]
    fn units(&self, of_array: u32) -> Units {
        self.arrays.times(of_array)
    }

    #[inline]
    fn begin<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let token = cx.take(self.wiring.input).expect("the crossbar has sent a sample");
        self.token = Some(token);
        self.arrays = self.wiring.arrays.times(token.copies(&self.wiring.replicas));
        self.step = 0;
        if self.between {
            self.between = false;
            self.begin_position(token, cx);
        }
        let spec = &*self.spec;
        let (repeats, period) = (token.pulses, spec.period);
        let whole = spec.whole();
        let end = cx.now + u64::from(repeats - 1) * period + whole.duration;
        if spec.fine || cx.in_window(cx.now, end) {
            self.begin_in_detail(end, cx);
            return;
        }
        let results = u64::from(repeats - 1) * u64::from(spec.results) + u64::from(spec.results_of(token.last));
        let count = u64::from(self.arrays.number) * results;
        let amount = |units| Amount { units, repeats, period, count };
        cx.work(&spec.sample, cx.now, token, amount(self.units(spec.results)));
        cx.work(&whole, cx.now, token, amount(self.units(spec.converters)));
        cx.schedule(end, Tag::Done);
    }

    /// Books each conversion in a row of its own; with the finest grain each is also an event.
    #[inline(never)]
    fn begin_in_detail<S: EventQueue, K: SpanSink>(&mut self, end: Cycle, cx: &mut Context<'_, S, K>) {
        let token = self.token.expect("a sample is in hand");
        let samples = self.units(self.spec.results);
        let count = u64::from(samples.number);
        for (pulse, (start, _)) in (1..).zip(rows(cx.now, token.pulses, self.spec.period, true)) {
            cx.work(&self.spec.sample, start, token, Amount::once(samples, count));
            if self.spec.fine {
                // The finest grain has one read at a time.
                self.convert_next(cx);
                return;
            }
            for step in 0..self.spec.steps {
                let last = token.last && pulse == token.pulses;
                self.convert(step, last, start + u64::from(step) * self.spec.convert.duration, cx);
            }
        }
        cx.schedule(end, Tag::Done);
    }

    /// The next conversion of each converter, as an event of its own.
    fn convert_next<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let last = self.token.is_some_and(|token| token.last);
        self.convert(self.step, last, cx.now, cx);
        self.step += 1;
        cx.schedule(cx.now + self.spec.convert.duration, Tag::Done);
    }

    /// Books one conversion of each converter.
    fn convert<S: EventQueue, K: SpanSink>(&self, step: u32, last: bool, start: Cycle, cx: &mut Context<'_, S, K>) {
        let token = self.token.expect("a sample is in hand");
        // Converter j has results j * steps and up; only the last one may have fewer than `steps`.
        let results = self.spec.results_of(last);
        let used = results / self.spec.steps + u32::from(step < results % self.spec.steps);
        let count = u64::from(self.arrays.number) * u64::from(used);
        cx.work(&self.spec.convert, start, token, Amount::once(self.units(self.spec.converters), count));
    }

    /// Passes the result to the accumulator; only then is the sample-and-hold free.
    #[inline]
    fn pass_on<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let Some(token) = self.token else { return };
        // Only the last sample of a position needs a place: the others are added to an existing sum.
        if !cx.send(self.wiring.output, token, u32::from(token.last)) {
            self.refused_since.get_or_insert(cx.now);
            return;
        }
        if let Some(since) = self.refused_since.take() {
            cx.shared.refused[cx.me as usize] = (since, cx.now);
            let units = self.units(self.spec.converters);
            cx.wait(Action::WaitPort, self.spec.convert.site, since, token, units);
        }
        if token.last {
            (self.between, self.idle_since) = (true, cx.now);
            let (all, units) = (self.all_units(), self.units(self.spec.converters));
            if units != all {
                self.end_position(token, Units { number: all.number - units.number, ..all }, cx);
            }
        }
        self.token = None;
        cx.release(self.wiring.input, 1);
    }

    /// Books the waits of the converters since the last position, and those within this one.
    #[inline(never)]
    fn begin_position<S: EventQueue, K: SpanSink>(&mut self, token: Token, cx: &mut Context<'_, S, K>) {
        let spec = &*self.spec;
        let (site, convert, period) = (spec.convert.site, spec.whole().duration, spec.period);
        let (all, units) = (self.all_units(), self.units(spec.converters));
        let (mut first, mut gaps) = (cx.now + convert, spec.pulses - 1);
        if cx.now - self.idle_since == period - convert && units == all {
            // Positions follow each other without a gap of their own: one row tells of all.
            (first, gaps) = (self.idle_since, spec.pulses);
        } else {
            cx.wait_between(Action::WaitOperand, site, self.idle_since, cx.now, token, all);
        }
        self.started = cx.now;
        let detail = spec.fine || cx.in_window(first, first + u64::from(gaps) * period);
        for (start, repeats) in rows(first, gaps, period, detail) {
            let amount = Amount { units, repeats, period, count: 0 };
            cx.wait_repeated(Action::WaitOperand, site, start, period - convert, token, amount);
        }
    }

    /// Books the waits of `idle` converters of copies that had no position of their own.
    #[cold]
    #[inline(never)]
    fn end_position<S: EventQueue, K: SpanSink>(&self, token: Token, idle: Units, cx: &mut Context<'_, S, K>) {
        let over = (token.image, token.member) == self.spec.last_pass;
        let reason = if over { Action::WaitDrained } else { Action::WaitOperand };
        cx.wait(reason, self.spec.convert.site, self.started, token, idle);
    }

    /// Converters in use of all arrays of all copies.
    fn all_units(&self) -> Units {
        self.wiring.arrays.times(self.wiring.replicas.len() as u32 * self.spec.converters)
    }

    /// Books the rest of the run.
    pub fn finish<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let site = self.spec.convert.site;
        cx.wait(Action::WaitDrained, site, self.idle_since, Token::NONE, self.all_units());
    }
}
