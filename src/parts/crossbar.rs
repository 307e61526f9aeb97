//! The crossbar of a group of arrays: drives the wordlines, reads, and hands the samples to the converter.
//!
//! With a sample-and-hold a read overlaps the conversions of the read before it; its sample can be taken only after these
//! conversions. A read starts late, so that its sample is ready just then, or early, and then
//! the array conducts while it waits. Both take the same cycles. Without a sample-and-hold the array holds its currents
//! until they are converted. A row-serial plane is the same machine: a pulse is a row, the converter a row of comparators,
//! and nothing overlaps. What cells draw beyond a read is booked with the wait in which they draw it.
//!
//! Every cycle of the array from 0 to the end of the run is booked: as a read, or as waiting for input (`WaitOperand`),
//! random bits (`WaitRandom`), the converter (`WaitResource`), a full port behind it (`WaitPort`), or nothing (`WaitDrained`).

use super::build::{Build, shared};
use super::context::{Amount, Context, Job, Units, rows};
use super::energy::{CellEnergy, ReadEnergy, RowEnergy, Rows, Share, Working, spread};
use super::gather::Gather;
use super::recur::Visitor;
use super::shared::Request;
use super::tag::tags;
use super::token::{Reads, Token};
use crate::config::{Draws, Grain, Packing, ReadStart, Sampler};
use crate::dataflow::Role;
use crate::kernel::port::CREDIT;
use crate::kernel::{Cycle, Event, EventQueue, PartId, PortId};
use crate::mapping::Plane;
use crate::readout::{Block, Pulse, Readout};
use crate::trace::{Action, Component, SpanSink};
use std::ops::Range;
use std::sync::Arc;

tags! {
    /// Events of a crossbar.
    pub enum Tag {
        /// The converters, which were full, can take a sample again.
        Credit = CREDIT,
        /// A window has arrived.
        Window,
        /// A read has ended: its sample can be taken.
        Sample,
        /// The array is free again.
        Free,
        /// A weight sample has been drawn.
        Drawn,
        /// The inputs of a position have been gathered.
        Gathered,
        /// It has the array that it shares.
        Granted,
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

/// Ports and position of the crossbar of one group.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// Port of windows, from the buffer.
    pub input: PortId,
    /// Port of samples, to the converters.
    pub output: PortId,
    /// The converter behind it, asked for the reason when it was busy.
    pub converter: PartId,
    /// The event that asks the generators for the next weight sample.
    pub draw: Option<Event>,
    /// Arrays in one copy of the layer.
    pub arrays: Units,
    /// Copies of the layer that the group covers.
    pub replicas: Range<u32>,
    /// Row and column blocks of the group.
    pub row_blocks: Range<u32>,
    pub column_blocks: Range<u32>,
    /// Place of its first array among those with blocks of the same size.
    pub first_peer: u32,
    /// The array that blocks of other layers share, by its place among such arrays, and the port in which its results need
    /// a place.
    pub shared: Option<(u32, PortId)>,
}

/// Description of a crossbar, shared by groups that differ only in their position.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossbarSpec {
    /// When a fresh weight sample is needed.
    pub refresh: Refresh,
    /// Whether drawn weights have a second bank of latches.
    pub double_buffered: bool,
    /// Pulse on the wordlines, as long as a read.
    pub drive: Job,
    /// One read; waits are booked at its site.
    pub read: Job,
    /// Image and member of the last pass of the run.
    pub last_pass: (u32, u32),
    /// How its arrays are read.
    pub block: Block,
    /// Pulses simulated in one step.
    pub burst: u32,
    /// Whether a read starts late, so that its sample does not wait for the converter.
    pub late: bool,
    /// Energy of the reads.
    pub energy: ReadEnergy,
    /// Gathering a code, where rows or cells take inputs of their own.
    pub gather: Option<(Job, Gather)>,
    /// Whether only rows are read whose input is not 0.
    pub skips: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    /// The inputs of a window are being gathered until that cycle.
    Gathering(Cycle),
    /// A window has been waiting for weights since that cycle.
    Starved(Cycle),
    /// A window has been waiting for the shared array since that cycle.
    Asking(Cycle),
    Reading,
    /// The sample has been ready since that cycle and cannot be taken yet.
    Holding(Cycle),
    /// The reads of a burst proceed without events.
    Running,
}

/// Why the cells of reads come to what 64 bits hold.
const TOO_MUCH: &str = "reads of more than 18 J are refused";

/// Rows driven by some pulses, and the attojoules of driving them and of their cells.
#[derive(Debug, Clone, Copy)]
struct OfPulses {
    rows: u64,
    drive: u64,
    cells: u64,
}

impl OfPulses {
    /// Of as many pulses that are alike; none if it is more than 64 bits can hold.
    #[inline]
    fn times(self, pulses: u32) -> Option<Self> {
        let pulses = u64::from(pulses);
        Some(Self { rows: self.rows * pulses, drive: self.drive * pulses, cells: self.cells.checked_mul(pulses)? })
    }
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
    /// What each pulse comes to in these arrays, where all pulses come to the same.
    each: Option<OfPulses>,
    pulse: u32,
    /// Reads of the current position, and the sub-arrays without a row in the last of them.
    pulses: u32,
    idle: u32,
    /// Rows that it drives, where the others are skipped, and the weights on them, where they are counted.
    rows: u64,
    weights: u64,
    /// Cycle at which the window in the port has arrived, where its inputs are gathered ahead.
    arrived: Option<Cycle>,
    /// Cycle at which the current token was taken.
    started: Cycle,
    /// Cycle at which the converters finish what they have received, if nothing delays them.
    converted: Cycle,
    idle_since: Cycle,
    /// Number of weight samples that are drawn and not yet used.
    ahead: u64,
    /// Times that it was told of weights for a pass.
    heard: u64,
}

impl CrossbarSpec {
    fn build(at: &Build<'_>) -> Self {
        let (l, layer, mapped) = at.layer();
        let group = at.group();
        let plane = mapped.plane(group.plane).expect("a group belongs to a plane of its layer");
        let readout = Readout::new(at.chip, group.plane);
        let block = at.block();
        let (packing, skips) = at.packing();
        let gather = Gather::new(at.chip, layer, plane, packing, group, &block).map(|gather| {
            let job = at.job(Some(l), Component::Driver, Action::Gather, gather.cycles, gather.energy);
            (job.in_plane(group.plane), gather)
        });
        let (refresh, double_buffered) = match (group.plane, &at.chip.sampler) {
            (Plane::Stochastic, Sampler::Generator { draws, double_buffered, .. }) => {
                let refresh = if *draws == Draws::PerMember { Refresh::Pass } else { Refresh::Position };
                (refresh, *double_buffered)
            }
            (Plane::Stochastic, Sampler::Comparator { .. }) | (Plane::Deterministic, _) => (Refresh::Never, false),
        };
        let row_serial = matches!(readout.pulse, Pulse::Row { .. });
        let rows = match at.activity {
            Some(activity) => Rows::Counted(Arc::clone(activity)),
            None => {
                let (driven, squares) = if row_serial {
                    let bits = layer.input_bits;
                    // Chance that a code is not 0 when each of its bits is 1 with the stated activity; a row of lists is
                    // driven if any of its cells has such an input.
                    let lists = matches!(packing, Packing::Lists { .. });
                    let codes = if lists && group.plane == Plane::Stochastic && plane.packed.is_some() {
                        group.columns
                    } else {
                        1
                    };
                    let driven = 1.0 - (0..bits * codes).fold(1.0, |zero, _| zero * (1.0 - layer.activity));
                    (driven, driven)
                } else {
                    let digits = readout.digits(layer);
                    (digits.driven(layer.activity), digits.squares(layer.activity))
                };
                let of_rows =
                    |share: f64| Share::new(f64::from(group.rows) * share / f64::from(block.pulses * block.integrated));
                Rows::Stated { rows: of_rows(driven), squares: of_rows(squares) }
            }
        };
        let on_array = |component, action| at.job(Some(l), component, action, block.read, 0).in_plane(group.plane);
        Self {
            refresh,
            double_buffered,
            drive: on_array(Component::Driver, Action::Drive),
            read: on_array(Component::Crossbar, Action::Read),
            last_pass: at.last_pass(),
            block,
            burst: if at.config.schedule.grain == Grain::Op { block.pulses.min(Reads::MOST) } else { 1 },
            gather,
            skips,
            late: block.overlapped && readout.arrays.array.read_start == ReadStart::Late,
            energy: ReadEnergy {
                layer: l as u32,
                plane: group.plane,
                positions: layer.positions,
                pulses: block.pulses * block.integrated,
                row_serial,
                full_square: u64::from(readout.digits(layer).full_level()).pow(2),
                weighed: at.activity.is_some() && plane.weights < plane.slots,
                peers: group.peers,
                row: RowEnergy::new(at.chip, &readout, plane, [group.rows, group.columns]),
                rows,
            },
        }
    }
}

impl Crossbar {
    /// An idle crossbar of a group; `known` holds the specs built so far.
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
            column_blocks: group.column_blocks.clone(),
            first_peer: group.first_peer,
            shared: at.shared_array().map(|array| (array, at.output_of_consumer())),
        };
        Self::new(shared(known, CrossbarSpec::build(at)), wiring)
    }

    /// An idle crossbar; its first weight sample, if it needs one, is already drawn.
    #[must_use]
    pub fn new(spec: Arc<CrossbarSpec>, wiring: Wiring) -> Self {
        Self {
            units: wiring.arrays.times(0),
            spec,
            wiring,
            phase: Phase::Idle,
            token: Token::NONE,
            copies: 0,
            each: None,
            pulse: 0,
            pulses: 0,
            idle: 0,
            rows: 0,
            weights: 0,
            arrived: None,
            started: 0,
            converted: 0,
            idle_since: 0,
            ahead: 1,
            heard: 0,
        }
    }

    /// Its description, and its ports.
    #[must_use]
    pub fn spec(&self) -> (&Arc<CrossbarSpec>, &Wiring) {
        (&self.spec, &self.wiring)
    }

    /// Handles an event.
    #[inline]
    pub fn handle<S: EventQueue, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Sample => self.hand_over(cx.now, cx),
            Tag::Credit => self.try_again(cx),
            Tag::Window => self.arrive(cx),
            Tag::Free => self.free(cx),
            Tag::Drawn => self.drawn(cx),
            Tag::Gathered => self.begin(cx),
            Tag::Granted => self.granted(cx),
        }
    }

    #[inline(never)]
    fn try_again<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        // Only a held sample waits for credits.
        let Phase::Holding(since) = self.phase else { unreachable!("a credit has come back that nobody waits for") };
        self.hand_over(since, cx);
    }

    #[inline(never)]
    fn free<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.go_on(cx);
    }

    #[inline(never)]
    fn drawn<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.ahead += 1;
        self.heard += u64::from(self.spec.refresh == Refresh::Pass);
        self.begin(cx);
    }

    /// Arrays of all copies.
    #[inline]
    fn all_units(&self) -> Units {
        self.wiring.arrays.times(self.wiring.replicas.len() as u32)
    }

    /// Starts the next window, if there is one and its weights are drawn.
    #[inline(never)]
    fn begin<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let since = match self.phase {
            Phase::Idle => cx.now,
            Phase::Gathering(until) if until > cx.now => return,
            Phase::Gathering(_) => cx.now,
            Phase::Starved(since) => since,
            Phase::Asking(_) | Phase::Reading | Phase::Holding(_) | Phase::Running => return,
        };
        let Some(token) = cx.shared.ports.peek(self.wiring.input) else { return };
        if self.phase == Phase::Idle && self.spec.gather.is_some() && !self.gathered(token, cx) {
            return;
        }
        let fresh = match self.spec.refresh {
            Refresh::Never => false,
            Refresh::Pass => token.position == 0,
            Refresh::Position => true,
        };
        if fresh && self.ahead == 0 {
            self.phase = Phase::Starved(since);
            return;
        }
        let all = self.all_units();
        cx.wait_between(Action::WaitOperand, self.spec.read.site, self.idle_since, since, token, all);
        cx.wait_between(Action::WaitRandom, self.spec.read.site, since, cx.now, token, all);
        if let Some((array, sums)) = self.wiring.shared {
            let event = Event { part: cx.me, tag: Tag::Granted.into() };
            let request = Request::new(cx.now, self.spec.energy.layer, event, array, sums);
            cx.shared.arrays.ask(request);
            self.phase = Phase::Asking(cx.now);
            return;
        }
        self.start(token, fresh, cx);
    }

    /// Starts the window for which it has asked for the shared array. Blocks with weights to be drawn share none.
    #[cold]
    #[inline(never)]
    fn granted<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let Phase::Asking(since) = self.phase else { unreachable!("an array was granted that nobody asked for") };
        let token = cx.shared.ports.peek(self.wiring.input).expect("a window waits for the array");
        cx.wait_between(Action::WaitResource, self.spec.read.site, since, cx.now, token, self.all_units());
        self.start(token, false, cx);
    }

    /// Starts a window.
    fn start<S: EventQueue, K: SpanSink>(&mut self, token: Token, fresh: bool, cx: &mut Context<'_, S, K>) {
        cx.take(self.wiring.input);
        cx.release(self.wiring.input, 1);
        self.arrived = None;
        self.token = token;
        self.copies = token.copies(&self.wiring.replicas);
        self.units = self.wiring.arrays.times(self.copies);
        self.each = self.alike();
        self.started = cx.now;
        self.pulse = 0;
        (self.pulses, self.idle) =
            if self.spec.skips { self.reads_not_skipped() } else { (self.spec.block.pulses, self.spec.block.idle) };
        if fresh {
            self.ahead -= 1;
            if self.spec.double_buffered {
                self.ask_for_weights(cx);
            }
        }
        self.read(cx);
    }

    /// A window has arrived: rows gather their inputs at once.
    #[inline]
    fn arrive<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        if let Some((job, gather)) = self.spec.gather
            && gather.ahead
            && let Some(token) = cx.shared.ports.peek(self.wiring.input)
        {
            self.gather_ahead(&job, &gather, token, cx);
        }
        self.begin(cx);
    }

    /// The cycle in which the window has arrived: the first in which it is seen, be it when it is told of or, before that
    /// in the same cycle, when the array is free.
    fn gather_ahead<S: EventQueue, K: SpanSink>(
        &mut self,
        job: &Job,
        gather: &Gather,
        token: Token,
        cx: &mut Context<'_, S, K>,
    ) -> Cycle {
        match self.arrived {
            Some(arrived) => arrived,
            None => {
                self.arrived = Some(cx.now);
                self.book_gather(job, gather, token, cx);
                cx.now
            }
        }
    }

    fn book_gather<S: EventQueue, K: SpanSink>(
        &self,
        job: &Job,
        gather: &Gather,
        token: Token,
        cx: &mut Context<'_, S, K>,
    ) {
        let copies = token.copies(&self.wiring.replicas);
        let count = gather.codes * u64::from(copies);
        cx.work(job, cx.now, token, Amount::once(self.wiring.arrays.times(copies), count));
    }

    /// Whether the inputs of the window are gathered; if not, an event follows when they are.
    #[inline(never)]
    fn gathered<S: EventQueue, K: SpanSink>(&mut self, token: Token, cx: &mut Context<'_, S, K>) -> bool {
        let Some((job, gather)) = self.spec.gather else { return true };
        let start = if gather.ahead {
            self.gather_ahead(&job, &gather, token, cx)
        } else {
            self.book_gather(&job, &gather, token, cx);
            cx.now
        };
        let until = start + gather.cycles;
        if until > cx.now {
            self.phase = Phase::Gathering(until);
            cx.schedule(until, Tag::Gathered);
        }
        until <= cx.now
    }

    /// Counts the rows of the current position that are not skipped; gives its reads, at least one, and the sub-arrays
    /// without a row in the last of them.
    #[inline(never)]
    fn reads_not_skipped(&mut self) -> (u32, u32) {
        self.rows = self.spec.energy.driven(self.token, &self.working(), 0..self.spec.block.pulses);
        self.weights = self.spec.energy.weights(self.token, &self.working());
        // Arrays that skip rows are simulated one by one.
        let (rows, sub_arrays) = (self.rows as u32, self.spec.block.partial_sums);
        let reads = rows.div_ceil(sub_arrays).max(1);
        (reads, reads * sub_arrays - rows)
    }

    fn ask_for_weights<S: EventQueue, K: SpanSink>(&self, cx: &mut Context<'_, S, K>) {
        if let Some(draw) = self.wiring.draw {
            cx.notify(draw);
        }
    }

    /// What each pulse comes to, if that is known without their number and the rows that each drives.
    fn alike(&self) -> Option<OfPulses> {
        let energy = &self.spec.energy;
        let rows = energy.constant().filter(|_| !self.spec.skips && energy.of_average_rows())?;
        let rows = rows * u64::from(self.units.number);
        let each = OfPulses { rows, drive: rows * energy.row.drive, cells: rows.checked_mul(energy.row.read.average)? };
        each.times(self.spec.block.integrated)
    }

    /// The wordline pulses of reads of the current position.
    fn integrated(&self, first: u32, reads: u32) -> Range<u32> {
        let of_read = self.spec.block.integrated;
        first * of_read..(first + reads) * of_read
    }

    /// What `pulses` reads of the current token come to, from read `first` on.
    #[inline(always)]
    fn of_pulses(&self, first: u32, pulses: u32) -> OfPulses {
        let (rows, row) = (self.driven(first, pulses), &self.spec.energy.row);
        let cells = self.cells(first, pulses, rows, &row.read).expect(TOO_MUCH);
        OfPulses { rows, drive: rows * row.drive, cells }
    }

    /// Rows driven by these pulses.
    #[inline(never)]
    fn driven(&self, first: u32, pulses: u32) -> u64 {
        if self.spec.skips {
            return spread(self.rows, &(first..first + pulses), self.pulses);
        }
        self.spec.energy.driven(self.token, &self.working(), self.integrated(first, pulses))
    }

    /// Attojoules of the cells in some pulses, which drive `rows` rows.
    #[inline(always)]
    fn cells(&self, first: u32, pulses: u32, rows: u64, of_row: &CellEnergy) -> Option<u64> {
        if self.spec.energy.of_average_rows() {
            rows.checked_mul(of_row.average)
        } else {
            self.of_rows(first, pulses, of_row)
        }
    }

    /// The same where rows have levels, or weights of their own.
    #[inline(never)]
    fn of_rows(&self, first: u32, pulses: u32, of_row: &CellEnergy) -> Option<u64> {
        let pulses = self.integrated(first, pulses);
        if self.spec.skips {
            return Some(spread(of_row.of(self.rows, self.weights)?, &pulses, self.pulses));
        }
        self.spec.energy.cells(self.token, &self.working(), pulses, of_row)
    }

    /// The arrays that work on the current token.
    fn working(&self) -> Working<'_> {
        let wiring = &self.wiring;
        Working {
            copies: wiring.replicas.start..wiring.replicas.start + self.copies,
            row_blocks: &wiring.row_blocks,
            column_blocks: &wiring.column_blocks,
            first_peer: wiring.first_peer,
            arrays: wiring.arrays.number,
        }
    }

    /// Books reads of the current token, from pulse `first` on.
    #[inline(always)]
    fn book_reads<S: EventQueue, K: SpanSink>(
        &self,
        start: Cycle,
        first: u32,
        pulses: u32,
        period: Cycle,
        cx: &mut Context<'_, S, K>,
    ) {
        let of = match self.each {
            Some(each) if pulses == 1 => each,
            Some(each) => each.times(pulses).expect(TOO_MUCH),
            None => self.of_pulses(first, pulses),
        };
        let units = self.units;
        let amount = |count| Amount { units, repeats: pulses, period, count };
        cx.work_with_energy(&self.spec.drive, start, self.token, amount(of.rows), of.drive);
        let reads = u64::from(pulses * self.spec.block.integrated);
        let (reads, cells) = (u64::from(units.number) * reads, of.cells);
        cx.work_with_energy(&self.spec.read, start, self.token, amount(reads), cells);
    }

    /// Starts the read of the next pulse.
    #[inline(always)]
    fn read<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.phase = Phase::Reading;
        let read = self.spec.read.duration;
        let mut start = cx.now;
        if self.spec.late && start + read < self.converted {
            start = self.converted - read;
            self.book_late(start, cx);
        }
        self.book_reads(start, self.pulse, 1, 0, cx);
        cx.schedule(start + read, Tag::Sample);
    }

    /// Books the time up to `start`, at which a late read starts.
    #[inline(never)]
    fn book_late<S: EventQueue, K: SpanSink>(&self, start: Cycle, cx: &mut Context<'_, S, K>) {
        cx.wait_between(Action::WaitResource, self.spec.read.site, cx.now, start, self.token, self.units);
    }

    /// Passes the sample to the converter if it is free, and continues with the pulses of the burst.
    #[inline(always)]
    fn hand_over<S: EventQueue, K: SpanSink>(&mut self, since: Cycle, cx: &mut Context<'_, S, K>) {
        let left = self.pulses - self.pulse;
        let pulses = self.spec.burst.min(left);
        self.token.reads = Reads::new(pulses, left - pulses, self.idle);
        if !cx.send(self.wiring.output, &self.token, 1) {
            self.phase = Phase::Holding(since);
            return;
        }
        if since < cx.now {
            self.book_held(since, cx);
        }
        if pulses == 1 && self.spec.block.overlapped {
            self.converted = cx.now + self.spec.block.convert;
            self.pulse += 1;
            self.go_on(cx);
        } else {
            self.run_on(pulses, cx);
        }
    }

    /// Books the rest of a burst. Nothing can delay it, so its reads and gaps follow by arithmetic.
    #[inline(never)]
    fn run_on<S: EventQueue, K: SpanSink>(&mut self, pulses: u32, cx: &mut Context<'_, S, K>) {
        let (now, block) = (cx.now, self.spec.block);
        let (read, convert, period) = (block.read, block.convert, block.period());
        // Up to the last read's end, or the last conversion's where these hold the array.
        let detail = cx.in_window(now, now + u64::from(pulses) * (read + convert));
        let next = self.pulse + 1;
        let (reads, free) = if block.overlapped {
            let gap = period - read;
            let (reads, gaps, conducting) = if self.spec.late { (now + gap, now, 0) } else { (now, now + read, gap) };
            self.book_gaps(gaps, gap, next, pulses - 1, conducting, detail, cx);
            (reads, now + u64::from(pulses - 1) * period)
        } else {
            self.book_gaps(now, convert, self.pulse, pulses, block.conducting, detail, cx);
            (now + convert, now + convert + u64::from(pulses - 1) * period)
        };
        let mut pulse = next;
        for (start, reads) in rows(reads, pulses - 1, period, detail) {
            self.book_reads(start, pulse, reads, period, cx);
            pulse += reads;
        }
        self.converted = now + u64::from(pulses - 1) * period + convert;
        self.pulse += pulses;
        if free == now {
            self.go_on(cx);
        } else {
            self.phase = Phase::Running;
            cx.schedule(free, Tag::Free);
        }
    }

    /// Books the gaps of a burst, one for each pulse from `first` on, in which driven rows conduct for `conducting` cycles.
    #[expect(clippy::too_many_arguments, reason = "a burst has as many properties")]
    fn book_gaps<S: EventQueue, K: SpanSink>(
        &self,
        start: Cycle,
        duration: Cycle,
        first: u32,
        gaps: u32,
        conducting: Cycle,
        detail: bool,
        cx: &mut Context<'_, S, K>,
    ) {
        let (units, period) = (self.units, self.spec.block.period());
        let mut pulse = first;
        for (start, repeats) in rows(start, gaps, period, detail) {
            let energy = self.held_energy(pulse, repeats, conducting);
            let amount = Amount { units, repeats, period, count: 0 };
            let site = self.spec.read.site;
            cx.wait_repeated(Action::WaitResource, site, start, duration, self.token, amount, energy);
            pulse += repeats;
        }
    }

    /// Attojoules of the rows that some pulses drive, each of which conducts for `cycles` cycles beyond its read.
    fn held_energy(&self, first: u32, pulses: u32, cycles: Cycle) -> u64 {
        if cycles == 0 {
            return 0;
        }
        let rows = self.driven(first, pulses);
        let energy = self.cells(first, pulses, rows, &self.spec.energy.row.hold);
        energy.and_then(|energy| energy.checked_mul(cycles)).expect("currents held for so long exceed 18 J")
    }

    /// Books the time for which the sample was held, because the converter was busy or its output was full.
    #[inline(never)]
    fn book_held<S: EventQueue, K: SpanSink>(&self, since: Cycle, cx: &mut Context<'_, S, K>) {
        let (from, until) = cx.shared.refused[self.wiring.converter as usize];
        let (from, until) = (from.clamp(since, cx.now), until.clamp(since, cx.now));
        let times = [
            (Action::WaitResource, since, from),
            (Action::WaitPort, from, until),
            (Action::WaitResource, until, cx.now),
        ];
        let per_cycle = if self.spec.block.holds { self.held_energy(self.pulse, 1, 1) } else { 0 };
        // Back-pressure has no bound, and one row holds at most 18 J.
        let most = u64::MAX / per_cycle.max(1);
        for (reason, mut start, end) in times {
            while start < end {
                let duration = most.min(end - start);
                let (energy, amount) = (duration * per_cycle, Amount::once(self.units, 1));
                cx.wait_repeated(reason, self.spec.read.site, start, duration, self.token, amount, energy);
                start += duration;
            }
        }
    }

    /// Continues with the next pulse of the position, or the next position.
    #[inline(always)]
    fn go_on<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        if self.pulse < self.pulses {
            self.read(cx);
        } else {
            self.end(cx);
        }
    }

    /// Ends a position, all of whose pulses are read.
    #[inline(never)]
    fn end<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.phase = Phase::Idle;
        self.idle_since = cx.now;
        // Copies without a position (at the end of a map) have waited for input, or have finished.
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

    /// Times that it was told of what others than the parts of its layer's pass do.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// Shows its state.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        let (phase, mut since) = match &mut self.phase {
            Phase::Idle => (0, None),
            Phase::Gathering(until) => (1, Some(until)),
            Phase::Starved(since) => (2, Some(since)),
            Phase::Asking(since) => (3, Some(since)),
            Phase::Reading => (4, None),
            Phase::Holding(since) => (5, Some(since)),
            Phase::Running => (6, None),
        };
        visitor.same(phase);
        if let Some(since) = &mut since {
            visitor.time(since);
        }
        visitor.token(&mut self.token);
        let each = self.each.map_or([u64::MAX; 3], |each| [each.rows, each.drive, each.cells]);
        let reads = [self.copies, self.units.number, self.pulse, self.pulses, self.idle].map(u64::from);
        each.into_iter().chain(reads).for_each(|value| visitor.same(value));
        [self.rows, self.weights].into_iter().for_each(|value| visitor.same(value));
        if self.spec.refresh == Refresh::Position {
            visitor.same(self.ahead);
        } else {
            // Within a pass generators work by themselves.
            visitor.external(self.ahead);
        }
        visitor.external_sum(&mut self.heard);
        visitor.time_if(&mut self.arrived);
        [&mut self.started, &mut self.converted, &mut self.idle_since].into_iter().for_each(|at| visitor.time(at));
    }

    /// Books the rest of the run.
    pub fn finish<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let units = self.all_units();
        cx.wait(Action::WaitDrained, self.spec.read.site, self.idle_since, Token::NONE, units);
    }

    /// The part that it waits for, in a deadlock.
    #[must_use]
    pub fn waits_for(&self) -> Option<PartId> {
        match self.phase {
            Phase::Holding(_) => Some(self.wiring.converter),
            Phase::Starved(_) => self.wiring.draw.map(|draw| draw.part),
            _ => None,
        }
    }
}
