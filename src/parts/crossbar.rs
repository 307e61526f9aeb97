//! The crossbar of a group of arrays: drives the wordlines, reads, and hands the samples to the converter.
//!
//! With a sample-and-hold the next read may start as soon as the sample of this one is taken; a sample can only be taken
//! once the converter is done with the one before. Without it the array holds its currents until they are converted. A
//! row-serial plane is the same machine: a pulse is a row, the converter a row of comparators, and nothing overlaps.
//!
//! Every cycle of the array from 0 to the end of the run is booked: as a read, or as waiting for input (`WaitOperand`),
//! random bits (`WaitRandom`), the converter (`WaitResource`), a full port behind it (`WaitPort`), or nothing (`WaitDrained`).

use super::build::{Build, shared};
use super::context::{Amount, Context, Job, Units, rows};
use super::energy::{ReadEnergy, RowEnergy, Rows};
use super::readout::Readout;
use super::tag::tags;
use super::token::Token;
use crate::config::{Draws, Grain, Sampler};
use crate::dataflow::Role;
use crate::kernel::port::CREDIT;
use crate::kernel::{Cycle, Event, PartId, PortId, Schedule};
use crate::mapping::Plane;
use crate::trace::{Action, Component, SpanSink};
use crate::units::read_energy;
use std::ops::Range;
use std::sync::Arc;

tags! {
    /// What a crossbar is told.
    pub enum Tag {
        /// The converters, which could not take a sample, can.
        Credit = CREDIT,
        /// A window has come.
        Window,
        /// The read is over, the sample can be taken.
        Sample,
        /// The array is free again.
        Free,
        /// A weight sample is drawn.
        Drawn,
    }
}

/// When the group needs a fresh weight sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Never: weights are fixed, or drawn by the read itself.
    Never,
    /// With each pass.
    Pass,
    /// With each position.
    Position,
}

/// Where the crossbar of one group stands.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// Port of windows, from the buffer.
    pub input: PortId,
    /// Port of samples, to the converters.
    pub output: PortId,
    /// The converter behind it, to tell why it was busy.
    pub converter: PartId,
    /// Asks the generators for the next weight sample.
    pub draw: Option<Event>,
    /// Arrays in one copy of the layer.
    pub arrays: Units,
    /// Copies of the layer that the group covers.
    pub replicas: Range<u32>,
    /// Row blocks of the group.
    pub row_blocks: Range<u32>,
}

/// What a crossbar is. Groups that differ only in where they stand share one.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossbarSpec {
    /// When a fresh weight sample is needed.
    pub refresh: Refresh,
    /// Whether drawn weights have a second bank of latches.
    pub double_buffered: bool,
    /// Pulse on the wordlines, as long as a read.
    pub drive: Job,
    /// One read; waits are booked where it is.
    pub read: Job,
    /// Image and member of the last pass of the run.
    pub last_pass: (u32, u32),
    /// Wordline pulses of a position: input bits, or rows of a row-serial plane.
    pub pulses: u32,
    /// Pulses simulated in one step.
    pub burst: u32,
    /// Cycles to convert one sample.
    pub convert_cycles: Cycle,
    /// Whether the next read overlaps the conversions of this one.
    pub sample_and_hold: bool,
    /// Energy of the reads.
    pub energy: ReadEnergy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    /// A window waits for weights since that cycle.
    Starved(Cycle),
    Reading,
    /// The sample is ready since that cycle and cannot be taken yet.
    Holding(Cycle),
    /// Reads of a burst go on by themselves.
    Running,
}

/// A crossbar at work.
#[derive(Debug)]
pub struct Crossbar {
    spec: Arc<CrossbarSpec>,
    wiring: Wiring,
    phase: Phase,
    token: Token,
    /// Copies of the layer at work on the token, and their arrays.
    copies: u32,
    units: Units,
    pulse: u32,
    /// When the token in hand was taken.
    started: Cycle,
    idle_since: Cycle,
    /// Weight samples drawn, and needed so far.
    drawn: u64,
    used: u64,
}

impl CrossbarSpec {
    fn build(at: &Build<'_>) -> Self {
        let (l, layer, mapped) = at.layer();
        let group = at.group();
        let readout = Readout::new(at.chip, group.plane, group.rows, group.columns, layer.input_bits);
        let (array, costs) = (&at.chip.array, &at.chip.costs);
        let (refresh, double_buffered, noise_rows) = match (group.plane, &at.chip.sampler) {
            (Plane::Stochastic, Sampler::Generator { draws, double_buffered, .. }) => {
                let refresh = if *draws == Draws::PerMember { Refresh::Pass } else { Refresh::Position };
                (refresh, *double_buffered, 0)
            }
            (Plane::Stochastic, Sampler::Comparator { noise_rows, .. }) => (Refresh::Never, false, *noise_rows),
            (Plane::Deterministic, _) => (Refresh::Never, false, 0),
        };
        // A driven row sees one on and one off cell in each synapse, and the noise rows that are on beside it.
        let cell = |conductance| read_energy(array.read_voltage, conductance, array.read_time).0;
        let on = cell(array.conductance_on);
        let synapse = on * u64::from(1 + noise_rows) + cell(array.conductance_off);
        // The cost table's pulse crosses 128 cells.
        let wordline = costs.wordline.energy.0 * u64::from(array.columns) / 128;
        let row = RowEnergy { read: u64::from(group.columns) * synapse, drive: wordline };
        let rows = match at.activity {
            Some(activity) => Rows::Counted(Arc::clone(activity)),
            None => {
                let bits = layer.input_bits;
                let share = if readout.row_serial {
                    // Chance that a code is not 0 when each of its bits is 1 with the stated activity.
                    1.0 - (0..bits).fold(1.0, |zero, _| zero * (1.0 - layer.activity))
                } else {
                    layer.activity * f64::from(bits)
                };
                Rows::stated(f64::from(group.rows) * share, readout.pulses, row)
            }
        };
        let on_array = |component, action| at.job(Some(l), component, action, readout.read, 0).in_plane(group.plane);
        Self {
            refresh,
            double_buffered,
            drive: on_array(Component::Driver, Action::Drive),
            read: on_array(Component::Crossbar, Action::Read),
            last_pass: (at.config.schedule.images - 1, mapped.passes - 1),
            pulses: readout.pulses,
            burst: if at.config.schedule.grain == Grain::Op { readout.pulses } else { 1 },
            convert_cycles: readout.convert,
            sample_and_hold: readout.overlapped,
            energy: ReadEnergy {
                layer: l as u32,
                positions: layer.positions,
                pulses: readout.pulses,
                row_serial: readout.row_serial,
                column_blocks: group.column_blocks.len() as u32,
                row,
                rows,
            },
        }
    }
}

impl Crossbar {
    /// An idle crossbar of a group; `known` are the specs so far.
    pub(super) fn build(at: &Build<'_>, known: &mut Vec<Arc<CrossbarSpec>>) -> Self {
        let group = at.group();
        let wiring = Wiring {
            input: at.input(),
            output: at.output(),
            converter: at.consumer_part(),
            draw: at.signal(Role::Sampler),
            arrays: at.arrays(),
            replicas: group.replicas.clone(),
            row_blocks: group.row_blocks.clone(),
        };
        Self::new(shared(known, CrossbarSpec::build(at)), wiring)
    }

    /// An idle crossbar whose first weight sample, if it needs one, is drawn.
    #[must_use]
    pub fn new(spec: Arc<CrossbarSpec>, wiring: Wiring) -> Self {
        Self {
            units: wiring.arrays.times(0),
            spec,
            wiring,
            phase: Phase::Idle,
            token: Token::NONE,
            copies: 0,
            pulse: 0,
            started: 0,
            idle_since: 0,
            drawn: 1,
            used: 0,
        }
    }

    /// Handles an event.
    #[inline]
    pub fn handle<S: Schedule, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Sample => self.hand_over(cx.now, cx),
            Tag::Credit => self.try_again(cx),
            Tag::Window => self.begin(cx),
            Tag::Free => self.free(cx),
            Tag::Drawn => self.drawn(cx),
        }
    }

    #[inline(never)]
    fn try_again<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        // Nothing else asks for credits, and nothing else ends the holding.
        let Phase::Holding(since) = self.phase else { unreachable!("a credit has come back that nobody waits for") };
        self.hand_over(since, cx);
    }

    #[inline(never)]
    fn free<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.go_on(cx);
    }

    #[inline(never)]
    fn drawn<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.drawn += 1;
        self.begin(cx);
    }

    /// Arrays of all copies.
    #[inline]
    fn all_units(&self) -> Units {
        self.wiring.arrays.times(self.wiring.replicas.len() as u32)
    }

    /// Starts on the next window, if there is one and its weights are drawn.
    #[inline(never)]
    fn begin<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let since = match self.phase {
            Phase::Idle => cx.now,
            Phase::Starved(since) => since,
            Phase::Reading | Phase::Holding(_) | Phase::Running => return,
        };
        let Some(token) = cx.shared.ports.peek(self.wiring.input) else { return };
        let fresh = match self.spec.refresh {
            Refresh::Never => false,
            Refresh::Pass => token.position == 0,
            Refresh::Position => true,
        };
        if fresh && self.drawn <= self.used {
            self.phase = Phase::Starved(since);
            return;
        }
        let all = self.all_units();
        cx.wait_between(Action::WaitOperand, self.spec.read.site, self.idle_since, since, token, all);
        cx.wait_between(Action::WaitRandom, self.spec.read.site, since, cx.now, token, all);
        cx.take(self.wiring.input);
        cx.release(self.wiring.input, 1);
        self.token = token;
        self.copies = token.copies(&self.wiring.replicas);
        self.units = self.wiring.arrays.times(self.copies);
        self.started = cx.now;
        self.pulse = 0;
        if fresh {
            self.used += 1;
            if self.spec.double_buffered {
                self.ask_for_weights(cx);
            }
        }
        self.read(cx);
    }

    fn ask_for_weights<S: Schedule, K: SpanSink>(&self, cx: &mut Context<'_, S, K>) {
        if let Some(draw) = self.wiring.draw {
            cx.notify(draw);
        }
    }

    /// Books reads of the token in hand, from pulse `first` on.
    #[inline(always)]
    fn book_reads<S: Schedule, K: SpanSink>(
        &self,
        start: Cycle,
        first: u32,
        pulses: u32,
        period: Cycle,
        cx: &mut Context<'_, S, K>,
    ) {
        let (wiring, at) = (&self.wiring, self.token);
        let lanes = wiring.replicas.start..wiring.replicas.start + self.copies;
        let energy = self.spec.energy.pulses(at, lanes, &wiring.row_blocks, first..first + pulses);
        let units = self.units;
        let amount = |count| Amount { units, repeats: pulses, period, count };
        cx.work_with_energy(&self.spec.drive, start, self.token, amount(energy.rows), energy.drive);
        let reads = u64::from(units.number) * u64::from(pulses);
        cx.work_with_energy(&self.spec.read, start, self.token, amount(reads), energy.read);
    }

    /// Starts the read of the next pulse.
    #[inline(always)]
    fn read<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.phase = Phase::Reading;
        self.book_reads(cx.now, self.pulse, 1, 0, cx);
        cx.schedule(cx.now + self.spec.read.duration, Tag::Sample);
    }

    /// Gives the sample to the converter if it is free, and goes on with the pulses of the burst.
    #[inline(always)]
    fn hand_over<S: Schedule, K: SpanSink>(&mut self, since: Cycle, cx: &mut Context<'_, S, K>) {
        let left = self.spec.pulses - self.pulse;
        let pulses = self.spec.burst.min(left);
        if !cx.send(self.wiring.output, Token { pulses, last: pulses == left, ..self.token }, 1) {
            self.phase = Phase::Holding(since);
            return;
        }
        if since < cx.now {
            self.book_held(since, cx);
        }
        if pulses == 1 && self.spec.sample_and_hold {
            self.pulse += 1;
            self.go_on(cx);
        } else {
            self.run_on(pulses, cx);
        }
    }

    /// The rest of a burst, which cannot be held up: its reads and gaps follow by arithmetic.
    #[inline(never)]
    fn run_on<S: Schedule, K: SpanSink>(&mut self, pulses: u32, cx: &mut Context<'_, S, K>) {
        let (now, units) = (cx.now, self.units);
        let (read, convert) = (self.spec.read.duration, self.spec.convert_cycles);
        // Up to the last read's end, or the last conversion's where these hold the array.
        let detail = cx.in_window(now, now + u64::from(pulses) * (read + convert));
        let held = |cx: &mut Context<'_, S, K>, start, duration, repeats, period| {
            for (start, repeats) in rows(start, repeats, period, detail) {
                let amount = Amount { units, repeats, period, count: 0 };
                cx.wait_repeated(Action::WaitResource, self.spec.read.site, start, duration, self.token, amount);
            }
        };
        let (first, period) = if self.spec.sample_and_hold {
            let period = read.max(convert);
            held(cx, now + read, period - read, pulses - 1, period);
            (now, period)
        } else {
            let period = read + convert;
            held(cx, now, convert, pulses, period);
            (now + convert, period)
        };
        let mut pulse = self.pulse + 1;
        for (start, reads) in rows(first, pulses - 1, period, detail) {
            self.book_reads(start, pulse, reads, period, cx);
            pulse += reads;
        }
        self.pulse += pulses;
        let free = first + u64::from(pulses - 1) * period;
        if free == now {
            self.go_on(cx);
        } else {
            self.phase = Phase::Running;
            cx.schedule(free, Tag::Free);
        }
    }

    /// Books the time for which the sample was held: the converter was busy, or its output was refused.
    #[inline(never)]
    fn book_held<S: Schedule, K: SpanSink>(&self, since: Cycle, cx: &mut Context<'_, S, K>) {
        let units = self.units;
        let (from, until) = cx.shared.refused[self.wiring.converter as usize];
        let (from, until) = (from.clamp(since, cx.now), until.clamp(since, cx.now));
        let site = self.spec.read.site;
        cx.wait_between(Action::WaitResource, site, since, from, self.token, units);
        cx.wait_between(Action::WaitPort, site, from, until, self.token, units);
        cx.wait_between(Action::WaitResource, site, until, cx.now, self.token, units);
    }

    /// The next pulse of the position, or the next position.
    #[inline(always)]
    fn go_on<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        if self.pulse < self.spec.pulses {
            self.read(cx);
        } else {
            self.end(cx);
        }
    }

    /// All pulses of the position are read.
    #[inline(never)]
    fn end<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.phase = Phase::Idle;
        self.idle_since = cx.now;
        // Copies that had no position of their own (at the end of a map) have waited for input, or are done.
        let idle = self.wiring.arrays.times(self.wiring.replicas.len() as u32 - self.copies);
        let over = (self.token.image, self.token.member) == self.spec.last_pass;
        let reason = if over { Action::WaitDrained } else { Action::WaitOperand };
        cx.wait(reason, self.spec.read.site, self.started, self.token, idle);
        let unit_over = match self.spec.refresh {
            Refresh::Never => false,
            Refresh::Pass => self.last_of_pass(),
            Refresh::Position => true,
        };
        if unit_over && !self.spec.double_buffered {
            self.ask_for_weights(cx);
        }
        self.begin(cx);
    }

    fn last_of_pass(&self) -> bool {
        self.token.position + self.token.lanes == self.spec.energy.positions
    }

    /// Books the rest of the run.
    pub fn finish<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let units = self.all_units();
        cx.wait(Action::WaitDrained, self.spec.read.site, self.idle_since, Token::NONE, units);
    }

    /// The part that it waits for, at the end of a run that stands still.
    #[must_use]
    pub fn waits_for(&self) -> Option<PartId> {
        match self.phase {
            Phase::Holding(_) => Some(self.wiring.converter),
            Phase::Starved(_) => self.wiring.draw.map(|draw| draw.part),
            _ => None,
        }
    }
}
