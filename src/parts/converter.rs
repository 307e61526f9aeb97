//! The converters of a group: ADCs behind multiplexers, or the comparators of a row-serial plane.
//!
//! Every cycle of the converters is booked, as conversions or as waiting for a sample (`WaitOperand`), for the accumulator
//! (`WaitPort`) or because the run has no more work (`WaitDrained`). The samples of a position follow the first one at equal intervals,
//! so the gaps between them are booked with the first.

use super::build::{Build, shared};
use super::context::{Amount, Context, Job, Units, rows};
use super::recur::Visitor;
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
    /// The array that blocks of other layers share, by its place among such arrays.
    pub shared: Option<u32>,
}

/// Description of converters, shared by groups that differ only in their position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConverterSpec {
    /// One conversion with its multiplexer, or comparison.
    pub convert: Job,
    /// All conversions of a sample, which follow each other without a gap.
    pub convert_all: Job,
    /// Taking a sample; takes no time.
    pub sample: Job,
    /// Converters of an array that are in use.
    pub converters: u32,
    /// Results of a read of an array, each of which is converted.
    pub results: u32,
    /// Those of each of its sub-arrays.
    pub of_sub_array: u32,
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
    /// Results of the last read of a position.
    #[inline]
    fn last_results(&self, token: Token) -> u32 {
        self.results - token.reads.idle() * self.of_sub_array
    }

    fn build(at: &Build<'_>) -> Self {
        let (l, _, _) = at.layer();
        let group = at.group();
        let readout = Readout::new(at.chip, group.plane);
        let block = at.block();
        let job =
            |component, action, time, energy| at.job(Some(l), component, action, time, energy).in_plane(group.plane);
        // Each pulse's charge is taken.
        let sample = readout.sample.map_or(0, |energy| energy.0) * u64::from(block.integrated);
        let convert = job(readout.component, readout.action, block.conversion, readout.energy.0);
        Self {
            convert,
            convert_all: Job { duration: convert.duration * u64::from(block.steps), ..convert },
            sample: job(Component::SampleHold, Action::Sample, 0, sample),
            converters: block.converters,
            results: block.results,
            of_sub_array: block.results / block.partial_sums,
            steps: block.steps,
            fine: at.config.schedule.grain == Grain::Conversion,
            pulses: block.pulses,
            period: block.period(),
            last_pass: at.last_pass(),
        }
    }
}

/// Conversions of one sample of all arrays, with the attojoules of its taking and of its conversions.
#[derive(Debug, Clone, Copy, Default)]
struct OfSample {
    count: u64,
    sample: u64,
    convert: u64,
}

/// Converters at work.
#[derive(Debug)]
pub struct Converter {
    spec: Arc<ConverterSpec>,
    wiring: Wiring,
    /// The current sample, if they are busy with one.
    token: Token,
    busy: bool,
    /// What has a part in the current position: inputs and converters.
    samples: Units,
    converters: Units,
    /// Converters in use of all arrays of all copies.
    all: Units,
    /// What a sample of the current position comes to: one that is not its last, and its last.
    each: [OfSample; 2],
    /// Places that the sums of a position need in the accumulator: none for a shared array, which has reserved one.
    places: u32,
    step: u32,
    /// Cycle since which the accumulator has refused the result.
    refused_since: Option<Cycle>,
    /// Whether the next sample is the first of its position.
    between: bool,
    /// Gaps between samples that are not booked yet, because further positions may follow without a gap of their own: the
    /// token of the first position and the number of gaps; and the cycle of the first one.
    gaps: Option<(Token, u32)>,
    gaps_since: Cycle,
    /// Cycle at which the last position has left, and at which the present one has begun.
    idle_since: Cycle,
    started: Cycle,
}

impl Converter {
    /// Idle converters of a group; `known` holds the specs built so far.
    pub(super) fn build(at: &Build<'_>, known: &mut Vec<Arc<ConverterSpec>>) -> Self {
        let group = at.group();
        let wiring = Wiring {
            input: at.input(),
            output: at.output(),
            arrays: at.arrays(),
            replicas: group.replicas.clone(),
            shared: at.shared_array(),
        };
        Self::new(shared(known, ConverterSpec::build(at)), wiring)
    }

    /// Idle converters.
    #[must_use]
    pub fn new(spec: Arc<ConverterSpec>, wiring: Wiring) -> Self {
        Self {
            all: wiring.arrays.times(wiring.replicas.len() as u32 * spec.converters),
            samples: wiring.arrays.times(0),
            converters: wiring.arrays.times(0),
            places: u32::from(wiring.shared.is_none()),
            spec,
            wiring,
            token: Token::NONE,
            busy: false,
            each: [OfSample::default(); 2],
            step: 0,
            refused_since: None,
            between: true,
            gaps: None,
            gaps_since: 0,
            idle_since: 0,
            started: 0,
        }
    }

    /// Its description, and its ports.
    #[must_use]
    pub fn spec(&self) -> (&Arc<ConverterSpec>, &Wiring) {
        (&self.spec, &self.wiring)
    }

    /// Handles an event.
    #[inline]
    pub fn handle<S: EventQueue, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Sampled => self.begin(cx),
            Tag::Done if self.spec.fine && self.step < self.spec.steps => self.convert_next(cx),
            // Of a shared array the request for the next position waits for the credit.
            Tag::Credit if self.wiring.shared.is_some() => {}
            Tag::Done | Tag::Credit => self.pass_on(cx),
        }
    }

    #[inline]
    fn begin<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let taken = cx.take_into(self.wiring.input, &mut self.token);
        assert!(taken, "the crossbar has sent a sample");
        let token = self.token;
        self.busy = true;
        self.step = 0;
        if self.between {
            self.between = false;
            self.begin_position(token, cx);
        }
        if token.reads.pulses() == 1 {
            self.convert_samples(1, token, cx);
        } else {
            self.convert_burst(token, cx);
        }
    }

    /// The samples of a burst, which come with one token.
    #[inline(never)]
    fn convert_burst<S: EventQueue, K: SpanSink>(&mut self, token: Token, cx: &mut Context<'_, S, K>) {
        self.convert_samples(token.reads.pulses(), token, cx);
    }

    /// Converts samples that follow each other with the period.
    #[inline(always)]
    fn convert_samples<S: EventQueue, K: SpanSink>(&mut self, repeats: u32, token: Token, cx: &mut Context<'_, S, K>) {
        let spec = &*self.spec;
        let period = spec.period;
        let end = cx.now + u64::from(repeats - 1) * period + spec.convert_all.duration;
        if spec.fine || cx.in_window(cx.now, end) {
            self.begin_in_detail(end, cx);
            return;
        }
        let [each, last] = &self.each;
        let of = if token.is_last() { last } else { each };
        if repeats == 1 {
            let amount = |units| Amount { units, repeats, period, count: of.count };
            cx.work_with_energy(&spec.sample, cx.now, token, amount(self.samples), of.sample);
            cx.work_with_energy(&spec.convert_all, cx.now, token, amount(self.converters), of.convert);
        } else {
            let count = u64::from(repeats - 1) * each.count + of.count;
            let amount = |units| Amount { units, repeats, period, count };
            cx.work(&spec.sample, cx.now, token, amount(self.samples));
            cx.work(&spec.convert_all, cx.now, token, amount(self.converters));
        }
        cx.schedule(end, Tag::Done);
    }

    /// Books each conversion in a row of its own; with the finest grain each is also an event.
    #[inline(never)]
    fn begin_in_detail<S: EventQueue, K: SpanSink>(&mut self, end: Cycle, cx: &mut Context<'_, S, K>) {
        let token = self.token;
        let samples = self.samples;
        let count = u64::from(samples.number);
        for (pulse, (start, _)) in (1..).zip(rows(cx.now, token.reads.pulses(), self.spec.period, true)) {
            cx.work(&self.spec.sample, start, token, Amount::once(samples, count));
            if self.spec.fine {
                // The finest grain has one read at a time.
                self.convert_next(cx);
                return;
            }
            for step in 0..self.spec.steps {
                let last = token.is_last() && pulse == token.reads.pulses();
                self.convert(step, last, start + u64::from(step) * self.spec.convert.duration, cx);
            }
        }
        cx.schedule(end, Tag::Done);
    }

    /// The next conversion of each converter, as an event of its own.
    fn convert_next<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.convert(self.step, self.token.is_last(), cx.now, cx);
        self.step += 1;
        cx.schedule(cx.now + self.spec.convert.duration, Tag::Done);
    }

    /// Books one conversion of each converter.
    fn convert<S: EventQueue, K: SpanSink>(&self, step: u32, last: bool, start: Cycle, cx: &mut Context<'_, S, K>) {
        // Converter j has results j * steps and up; only the last one may have fewer than `steps`.
        let results = if last { self.spec.last_results(self.token) } else { self.spec.results };
        let used = results / self.spec.steps + u32::from(step < results % self.spec.steps);
        let count = u64::from(self.converters.number / self.spec.converters) * u64::from(used);
        cx.work(&self.spec.convert, start, self.token, Amount::once(self.converters, count));
    }

    /// Passes the result to the accumulator; only then is the sample-and-hold free.
    #[inline]
    fn pass_on<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        if !self.busy {
            return;
        }
        // Only the last sample of a position needs a place: the others are added to an existing sum.
        let last = self.token.is_last();
        let places = if last { self.places } else { 0 };
        if !cx.send(self.wiring.output, &self.token, places) {
            self.refused_since.get_or_insert(cx.now);
            return;
        }
        if let Some(since) = self.refused_since {
            self.refused_since = None;
            cx.shared.refused[cx.me as usize] = (since, cx.now);
            cx.wait(Action::WaitPort, self.spec.convert.site, since, self.token, self.converters);
        }
        if last {
            (self.between, self.idle_since) = (true, cx.now);
            if let Some(array) = self.wiring.shared {
                cx.shared.arrays.converted(array);
            }
            if self.converters != self.all {
                self.end_position(self.token, cx);
            }
        }
        self.busy = false;
        cx.release(self.wiring.input, 1);
    }

    /// Books the waits of the converters since the last position, and those within this one.
    #[inline(never)]
    fn begin_position<S: EventQueue, K: SpanSink>(&mut self, token: Token, cx: &mut Context<'_, S, K>) {
        let spec = &*self.spec;
        let arrays = self.wiring.arrays.times(token.copies(&self.wiring.replicas));
        self.samples = arrays.times(spec.results);
        self.converters = arrays.times(spec.converters);
        self.each = [spec.results, spec.last_results(token)].map(|results| {
            let count = u64::from(arrays.number) * u64::from(results);
            OfSample { count, sample: spec.sample.energy_of(count), convert: spec.convert_all.energy_of(count) }
        });
        let (site, convert, period) = (spec.convert.site, spec.convert_all.duration, spec.period);
        let (all, units) = (self.all, self.converters);
        let pulses = token.reads.pulses() + token.reads.left();
        let (mut first, mut gaps) = (cx.now + convert, pulses - 1);
        let follows = cx.now - self.idle_since == period - convert && units == all;
        if follows {
            // Positions follow each other without a gap of their own.
            (first, gaps) = (self.idle_since, pulses);
        }
        self.started = cx.now;
        let detail = spec.fine || cx.in_window(first, first + u64::from(gaps) * period);
        if follows
            && !detail
            && let Some((before, repeats)) = &mut self.gaps
            && (before.image, before.member, before.lanes) == (token.image, token.member, token.lanes)
            && self.gaps_since + u64::from(*repeats) * period == first
            && let Some(sum) = repeats.checked_add(gaps)
        {
            *repeats = sum;
            return;
        }
        let idle_since = self.idle_since;
        self.book_gaps(cx);
        if !follows {
            cx.wait_between(Action::WaitOperand, site, idle_since, cx.now, token, all);
        }
        if detail {
            for (start, repeats) in rows(first, gaps, period, true) {
                let amount = Amount { units, repeats, period, count: 0 };
                cx.wait_repeated(Action::WaitOperand, site, start, period - convert, token, amount, 0);
            }
        } else {
            (self.gaps, self.gaps_since) = (Some((token, gaps)), first);
        }
    }

    /// Books the gaps that have been put together, in one row.
    fn book_gaps<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        if let Some((token, repeats)) = self.gaps.take() {
            let (spec, copies) = (&self.spec, token.copies(&self.wiring.replicas));
            let units = self.wiring.arrays.times(copies).times(spec.converters);
            let duration = spec.period - spec.convert_all.duration;
            let amount = Amount { units, repeats, period: spec.period, count: 0 };
            cx.wait_repeated(Action::WaitOperand, spec.convert.site, self.gaps_since, duration, token, amount, 0);
        }
    }

    /// Books the waits of converters of copies without a position.
    #[cold]
    #[inline(never)]
    fn end_position<S: EventQueue, K: SpanSink>(&self, token: Token, cx: &mut Context<'_, S, K>) {
        let idle = Units { number: self.all.number - self.converters.number, ..self.all };
        let over = (token.image, token.member) == self.spec.last_pass;
        let reason = if over { Action::WaitDrained } else { Action::WaitOperand };
        cx.wait(reason, self.spec.convert.site, self.started, token, idle);
    }

    /// Shows its state.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        visitor.token(&mut self.token);
        visitor.same(u64::from(self.busy) << 1 | u64::from(self.between));
        [self.samples.number, self.converters.number, self.step]
            .into_iter()
            .for_each(|value| visitor.same(value.into()));
        for of in self.each {
            [of.count, of.sample, of.convert].into_iter().for_each(|value| visitor.same(value));
        }
        visitor.time_if(&mut self.refused_since);
        visitor.same(self.gaps.is_some().into());
        if let Some((token, gaps)) = &mut self.gaps {
            visitor.token(token);
            let mut end = self.gaps_since + u64::from(*gaps) * self.spec.period;
            visitor.time(&mut end);
            let mut number = u64::from(*gaps);
            visitor.count(&mut number);
            *gaps = number as u32;
        }
        [&mut self.gaps_since, &mut self.idle_since, &mut self.started].into_iter().for_each(|at| visitor.time(at));
    }

    /// Books the rest of the run.
    pub fn finish<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.book_gaps(cx);
        let site = self.spec.convert.site;
        cx.wait(Action::WaitDrained, site, self.idle_since, Token::NONE, self.all);
    }
}
