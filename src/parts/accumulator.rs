//! The accumulators of a layer: shift-and-add over input bits in each array, adder tree over row blocks.
//!
//! Both are pipelined: they add a latency, not an interval. A position is complete when all groups of the layer have
//! delivered its last sample; then it passes the tree and goes to post-processing. Only `depth` positions may be between
//! their completion by the first group and their leaving; further ones wait, one a group, and so hold up the converters.

use super::build::{Build, levels};
use super::context::{Amount, Context, Job, Units, rows};
use super::readout::Readout;
use super::token::Token;
use crate::config::Chip;
use crate::dataflow::Role;
use crate::kernel::port::CREDIT;
use crate::kernel::{Cycle, Event, PartId, PortId, Schedule};
use crate::mapping::LayerMapping;
use crate::trace::{Action, Component, NONE, SpanSink};
use crate::units::Time;
use crate::workload::NetLayer;
use std::collections::VecDeque;
use std::ops::Range;

/// What accumulators are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// Post-processing, which had no room, has some.
    Credit,
    /// A position has passed the tree.
    Out,
    /// A group of arrays, by its number in the layer, has delivered.
    Group(u32),
}

impl Tag {
    const OUT: u32 = CREDIT + 1;
    const FIRST_GROUP: u32 = Self::OUT + 1;
}

impl From<Tag> for u32 {
    #[inline]
    fn from(tag: Tag) -> u32 {
        match tag {
            Tag::Credit => CREDIT,
            Tag::Out => Tag::OUT,
            Tag::Group(group) => Tag::FIRST_GROUP + group,
        }
    }
}

impl From<u32> for Tag {
    #[inline]
    fn from(number: u32) -> Self {
        match number {
            CREDIT => Tag::Credit,
            Tag::OUT => Tag::Out,
            _ => Tag::Group(number - Tag::FIRST_GROUP),
        }
    }
}

/// What one group delivers.
#[derive(Debug, Clone)]
pub struct GroupInput {
    /// Port of its sums, and the converter that sends them.
    pub port: PortId,
    pub converter: PartId,
    /// Copies of the layer that the group covers.
    pub replicas: Range<u32>,
    /// Shift-and-add units, for one copy; the first is that of the first array.
    pub units: Units,
    /// Results of one sample, for one copy.
    pub results: u64,
    /// One shift-and-add, or accumulation behind a comparator.
    pub shift_add: Job,
}

impl GroupInput {
    /// Books the shift-and-adds of some samples, a `period` from one to the next.
    #[inline(always)]
    fn add<S: Schedule, K: SpanSink>(
        &self,
        start: Cycle,
        repeats: u32,
        period: Cycle,
        token: Token,
        cx: &mut Context<'_, S, K>,
    ) {
        let copies = token.copies(&self.replicas);
        let count = self.results * u64::from(copies) * u64::from(repeats);
        let units = self.units.times(copies);
        cx.work(&self.shift_add, start, token, Amount { units, repeats, period, count });
    }

    /// Books those of a burst whose samples come with one token.
    #[inline(never)]
    fn add_burst<S: Schedule, K: SpanSink>(&self, token: Token, period: Cycle, cx: &mut Context<'_, S, K>) {
        // Only the last sample may have been held up.
        let (since, until) = cx.shared.refused[self.converter as usize];
        let converted = if until == cx.now { since } else { cx.now };
        let first = converted - u64::from(token.pulses - 1) * period;
        let even = if converted == cx.now { token.pulses } else { token.pulses - 1 };
        let detail = cx.in_window(first, cx.now + self.shift_add.duration);
        for (start, repeats) in rows(first, even, period, detail) {
            self.add(start, repeats, period, token, cx);
        }
        if even < token.pulses {
            self.add(cx.now, 1, 0, token, cx);
        }
    }
}

/// What the accumulators are and how they are wired.
#[derive(Debug, Clone)]
pub struct AccumulatorSpec {
    /// Groups of arrays of the layer.
    pub groups: Vec<GroupInput>,
    /// Port of complete positions, to post-processing.
    pub output: PortId,
    /// Tells the layer's buffer that a pass is through the converters.
    pub passed: Event,
    /// Cycles from one sample to the next in a burst.
    pub period: Cycle,
    /// The way through the adder tree.
    pub tree: Job,
    /// Adders of the tree.
    pub adders: Units,
    /// Additions of the tree for one position of a copy.
    pub additions: u64,
    /// Attojoules of the tree for one position of a copy, with partial sums that cross tiles.
    pub tree_energy: u64,
    /// Cycles from the last sample to the position's leaving.
    pub latency: Cycle,
    /// Positions that may be held at once.
    pub depth: u32,
    /// Output positions of the layer.
    pub positions: u32,
    /// Copies that share the positions.
    pub replication: u32,
    /// Passes of an image.
    pub passes: u32,
}

impl AccumulatorSpec {
    pub(super) fn build(at: &Build<'_>) -> Self {
        let (l, layer, mapped) = at.layer();
        let costs = &at.chip.costs;
        let mut row_serial = false;
        let mut period = 0;
        let mut widest = 0;
        let groups = at
            .inputs()
            .map(|(converter, port)| {
                let of_group = Build { node: converter, ..*at };
                let group = of_group.group();
                let readout = Readout::new(at.chip, group.plane, group.rows, group.columns, layer.input_bits);
                row_serial = readout.row_serial;
                period = readout.period();
                widest = widest.max(readout.converters);
                let add = if row_serial { &costs.sampled_accumulate } else { &costs.shift_add };
                GroupInput {
                    port,
                    converter: converter.index() as PartId,
                    replicas: group.replicas.clone(),
                    units: of_group.arrays().times(readout.converters),
                    results: u64::from(group.arrays_per_replica()) * u64::from(readout.inputs),
                    shift_add: at.job_of(Some(l), Component::Accumulator, Action::ShiftAdd, add).in_plane(group.plane),
                }
            })
            .collect();
        let latency = AccumulatorLatency::new(at.chip, layer, mapped, row_serial);
        let row_adds = u64::from(mapped.row_blocks - 1) * u64::from(layer.columns);
        let crossing = latency.crossing_bytes * costs.link.energy.0;
        Self {
            groups,
            output: at.output(),
            passed: at.signal(Role::Buffer).expect("an accumulator tells its buffer"),
            period,
            tree: at.job(Some(l), Component::Accumulator, Action::Accumulate, latency.tree, 0),
            adders: Units::new(NONE, (mapped.row_blocks - 1) * mapped.column_blocks * widest),
            additions: row_adds,
            tree_energy: row_adds * costs.adder.energy.0 + crossing,
            latency: latency.total(),
            depth: at.chip.accumulator.depth,
            positions: layer.positions,
            replication: mapped.replication,
            passes: mapped.passes,
        }
    }

    /// Number of a token among all that the layer handles in the run.
    fn sequence(&self, token: Token) -> u64 {
        let pass = u64::from(token.image) * u64::from(self.passes) + u64::from(token.member);
        pass * u64::from(self.positions.div_ceil(self.replication)) + u64::from(token.position / self.replication)
    }
}

/// Accumulators at work.
#[derive(Debug)]
pub struct Accumulator {
    spec: AccumulatorSpec,
    /// For each position that waits for some of its groups, oldest first, how many have delivered.
    joining: VecDeque<usize>,
    /// Number of positions that have been joined in full.
    joined: u64,
    /// Complete sums that found no place, with their group.
    stalled: Vec<(u32, Token)>,
    /// Positions in the tree, with the cycle at which they leave it.
    in_tree: VecDeque<(Token, Cycle)>,
    refused_since: Option<Cycle>,
}

impl Accumulator {
    /// Empty accumulators.
    #[must_use]
    pub fn new(spec: AccumulatorSpec) -> Self {
        Self {
            spec,
            joining: VecDeque::new(),
            joined: 0,
            stalled: Vec::new(),
            in_tree: VecDeque::new(),
            refused_since: None,
        }
    }

    /// What it is.
    #[must_use]
    pub fn spec(&self) -> &AccumulatorSpec {
        &self.spec
    }

    /// Handles an event.
    #[inline]
    pub fn handle<S: Schedule, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Group(group) => self.accept(group, cx),
            Tag::Credit | Tag::Out => self.leave(cx),
        }
    }

    /// Adds the samples that a group has delivered with one token.
    #[inline]
    fn accept<S: Schedule, K: SpanSink>(&mut self, group: u32, cx: &mut Context<'_, S, K>) {
        let input = &self.spec.groups[group as usize];
        let token = cx.take(input.port).expect("the group has delivered");
        if token.pulses == 1 {
            input.add(cx.now, 1, 0, token, cx);
        } else {
            input.add_burst(token, self.spec.period, cx);
        }
        if token.last {
            // A copy, so that the token needs no memory where this is not called.
            self.place(group, Token { ..token }, cx);
        }
    }

    /// Finds a place for a group's complete sum, or lets it wait.
    #[inline(never)]
    fn place<S: Schedule, K: SpanSink>(&mut self, group: u32, token: Token, cx: &mut Context<'_, S, K>) {
        let place = (self.spec.sequence(token) - self.joined) as usize;
        if place + self.in_tree.len() >= self.spec.depth as usize {
            self.stalled.push((group, token));
            return;
        }
        cx.release(self.spec.groups[group as usize].port, 1);
        self.join(place, token, cx);
    }

    /// Counts a delivery. Groups deliver in order, so the position that is complete now is the oldest.
    fn join<S: Schedule, K: SpanSink>(&mut self, place: usize, token: Token, cx: &mut Context<'_, S, K>) {
        if place == self.joining.len() {
            self.joining.push_back(0);
        }
        self.joining[place] += 1;
        if self.joining[place] == self.spec.groups.len() {
            self.joining.pop_front();
            self.joined += 1;
            self.enter_tree(token, cx);
        }
    }

    fn enter_tree<S: Schedule, K: SpanSink>(&mut self, token: Token, cx: &mut Context<'_, S, K>) {
        let lanes = u64::from(token.lanes);
        let amount = Amount::once(self.spec.adders, self.spec.additions * lanes);
        let start = cx.now + self.spec.latency - self.spec.tree.duration;
        cx.work_with_energy(&self.spec.tree, start, token, amount, self.spec.tree_energy * lanes);
        self.in_tree.push_back((token, cx.now + self.spec.latency));
        cx.schedule(cx.now + self.spec.latency, Tag::Out);
        if token.position + token.lanes == self.spec.positions {
            cx.notify(self.spec.passed);
        }
    }

    /// Sends what has passed the tree.
    fn leave<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        while let Some(&(token, ready)) = self.in_tree.front() {
            if ready > cx.now {
                return;
            }
            if !cx.send(self.spec.output, token, 1) {
                self.refused_since.get_or_insert(cx.now);
                return;
            }
            if let Some(since) = self.refused_since.take() {
                cx.wait(Action::WaitPort, self.spec.tree.site, since, token, Units::one(NONE));
            }
            self.in_tree.pop_front();
            for (group, token) in std::mem::take(&mut self.stalled) {
                self.place(group, token, cx);
            }
        }
    }
}

/// What the accumulators of a layer add to the latency of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccumulatorLatency {
    /// Shift-and-add (or drain of a row-serial plane) after the last sample.
    pub shift_add: u64,
    /// Levels of the adder tree, with partial sums that cross tiles.
    pub tree: u64,
    /// Bytes of partial sums that cross tiles, per position.
    pub crossing_bytes: u64,
}

impl AccumulatorLatency {
    /// Bytes of a partial sum on its way to another tile.
    const PARTIAL_SUM_BYTES: u64 = 4;

    /// Of a layer on a chip.
    #[must_use]
    pub fn new(chip: &Chip, layer: &NetLayer, mapped: &LayerMapping, row_serial: bool) -> Self {
        let cycles = |time: Time| time.cycles(chip.clock);
        let costs = &chip.costs;
        let shift_add = cycles(if row_serial { costs.sampled_accumulate.time } else { costs.shift_add.time });
        // Arrays are placed row block by row block, so a column block spreads over the tiles of a copy.
        let tiles =
            (mapped.tiles.len() as u64).div_ceil(u64::from(mapped.replication)).min(u64::from(mapped.row_blocks));
        let hops = levels(tiles) * cycles(costs.link.time);
        Self {
            shift_add,
            tree: levels(u64::from(mapped.row_blocks)) * cycles(costs.adder.time) + hops,
            crossing_bytes: (tiles - 1) * u64::from(layer.columns) * Self::PARTIAL_SUM_BYTES,
        }
    }

    /// Cycles in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.shift_add + self.tree
    }
}
