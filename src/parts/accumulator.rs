//! The accumulators of a layer: shift-and-add over input bits in each array, adder tree over row blocks.
//!
//! Both are pipelined: they add a latency, not an interval. A position is complete when all groups of the layer have
//! delivered its last sample; then it passes the tree and goes to post-processing. At most `depth` positions may be
//! between their completion by the first group and their departure; further ones wait, one a group, and stall the converters.

use super::build::{Build, levels};
use super::context::{Amount, Context, Job, Units, rows};
use super::recur::Visitor;
use super::token::Token;
use crate::config::{Chip, Cost, Plane};
use crate::dataflow::Role;
use crate::kernel::port::CREDIT;
use crate::kernel::{Cycle, Event, EventQueue, PartId, PortId};
use crate::mapping::{LayerMapping, PlaneMapping};
use crate::readout::Readout;
use crate::trace::{Action, Component, NONE, SpanSink};
use crate::units::Time;
use crate::workload::NetLayer;
use std::collections::VecDeque;
use std::ops::Range;

/// Events of accumulators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// Post-processing, which was full, has room again.
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

/// Input from one group of arrays.
#[derive(Debug, Clone)]
pub struct GroupInput {
    /// Port of its sums, and the converter that sends them.
    pub port: PortId,
    pub converter: PartId,
    /// Copies of the layer that the group covers.
    pub replicas: Range<u32>,
    /// Whether it delivers for the first member only.
    pub first_member_only: bool,
    /// Shift-and-add units, for one copy; the first is that of the first array.
    pub units: Units,
    /// Results of one sample, for one copy.
    pub results: u64,
    /// Those of one sub-array of each array.
    pub of_sub_arrays: u64,
    /// Cycles from one sample to the next in a burst.
    pub period: Cycle,
    /// One shift-and-add, or accumulation behind a comparator.
    pub shift_add: Job,
}

impl GroupInput {
    /// Books the shift-and-adds of samples that follow each other with a period; the last may be the last one of its
    /// position.
    #[inline(always)]
    fn add<S: EventQueue, K: SpanSink>(
        &self,
        start: Cycle,
        repeats: u32,
        last: bool,
        token: Token,
        cx: &mut Context<'_, S, K>,
    ) {
        let copies = token.copies(&self.replicas);
        let missing = if last { u64::from(token.reads.idle()) * self.of_sub_arrays } else { 0 };
        let results = u64::from(repeats) * self.results - missing;
        let (units, period) = (self.units.times(copies), self.period);
        let amount = Amount { units, repeats, period, count: results * u64::from(copies) };
        cx.work(&self.shift_add, start, token, amount);
    }

    /// Books those of a burst whose samples come with one token.
    #[inline(never)]
    fn add_burst<S: EventQueue, K: SpanSink>(&self, token: Token, cx: &mut Context<'_, S, K>) {
        // Only the last sample may have been held up.
        let (since, until) = cx.shared.refused[self.converter as usize];
        let converted = if until == cx.now { since } else { cx.now };
        let first = converted - u64::from(token.reads.pulses() - 1) * self.period;
        let even = if converted == cx.now { token.reads.pulses() } else { token.reads.pulses() - 1 };
        let detail = cx.in_window(first, cx.now + self.shift_add.duration);
        let mut left = token.reads.pulses();
        for (start, repeats) in rows(first, even, self.period, detail) {
            left -= repeats;
            self.add(start, repeats, token.is_last() && left == 0, token, cx);
        }
        if left > 0 {
            self.add(cx.now, 1, token.is_last(), token, cx);
        }
    }
}

/// Description and ports of accumulators.
#[derive(Debug, Clone)]
pub struct AccumulatorSpec {
    /// Groups of arrays of the layer.
    pub groups: Vec<GroupInput>,
    /// Port of complete positions, to post-processing.
    pub output: PortId,
    /// The event that notifies the layer's buffer that a pass has left the converters.
    pub passed: Event,
    /// The adder tree: its latency, and the energy of an addition.
    pub tree: Job,
    /// Adders of the tree.
    pub adders: Units,
    /// Additions of the tree for one position of a copy.
    pub additions: u64,
    /// The same where the sums of the deterministic plane are held from the first member.
    pub additions_to_held: u64,
    /// Bytes of these sums for one position of a copy; 0 where none are held.
    pub held_bytes: u64,
    /// Writing a byte of them with the first member, and reading it with each later one.
    pub hold: Job,
    pub recall: Job,
    /// A byte of a partial sum on its way to another tile; its time is part of the tree's.
    pub cross: Job,
    /// Bytes of partial sums that cross tiles, for one position of a copy.
    pub crossing_bytes: u64,
    /// Cycles from the last sample of a position to its departure.
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
        let mut drain = 0;
        let groups = at
            .inputs()
            .map(|(converter, port)| {
                let of_group = Build { node: converter, ..*at };
                let group = of_group.group();
                let readout = Readout::new(at.chip, group.plane);
                let block = of_group.block();
                let shift_add = at.job_of(Some(l), Component::Accumulator, Action::ShiftAdd, readout.accumulate);
                drain = drain.max(shift_add.duration);
                let results = |of_array: u32| u64::from(group.arrays_per_replica()) * u64::from(of_array);
                GroupInput {
                    port,
                    converter: converter.index() as PartId,
                    replicas: group.replicas.clone(),
                    first_member_only: group.first_member_only,
                    units: of_group.arrays().times(block.converters),
                    results: results(block.results),
                    of_sub_arrays: results(block.results / block.partial_sums),
                    period: block.period(),
                    shift_add: shift_add.in_plane(group.plane),
                }
            })
            .collect();
        let sums = PartialSums::new(at.chip, layer, mapped);
        let latency = Latency::new(at.chip, mapped, drain, sums.most);
        let adder = costs.adder.energy.0;
        let adders = adders(at.chip, layer, mapped, |plane| u64::from(group_lanes(at.chip, layer, mapped, plane)));
        let held = HeldSums::new(layer, mapped);
        let on_sums = |action, cost: &Cost| at.job(Some(l), Component::Accumulator, action, 0, cost.energy.0);
        Self {
            groups,
            output: at.output(),
            passed: at.signal(Role::Buffer).expect("an accumulator tells its buffer"),
            tree: at.job(Some(l), Component::Accumulator, Action::Accumulate, latency.tree, adder),
            adders: Units::new(NONE, adders as u32),
            additions: sums.additions,
            additions_to_held: sums.additions_to_held,
            held_bytes: held.map_or(0, |held| held.bytes_of_position),
            hold: on_sums(Action::Write, &costs.buffer_write),
            recall: on_sums(Action::Fetch, &costs.buffer_read),
            cross: at.job(Some(l), Component::Link, Action::Transfer, 0, costs.link.energy.0),
            crossing_bytes: latency.crossing_tiles * u64::from(layer.columns) * PARTIAL_SUM_BYTES,
            latency: latency.total(),
            depth: at.chip.accumulator.depth,
            positions: layer.positions,
            replication: mapped.replication,
            passes: mapped.passes,
        }
    }

    /// Groups that deliver for a position of a member.
    fn expected(&self, member: u32) -> usize {
        self.groups.iter().filter(|group| member == 0 || !group.first_member_only).count()
    }

    /// Sequence number of a token among all that the layer handles in the run.
    fn sequence(&self, token: Token) -> u64 {
        let pass = u64::from(token.image) * u64::from(self.passes) + u64::from(token.member);
        pass * u64::from(self.positions.div_ceil(self.replication)) + u64::from(token.position / self.replication)
    }
}

/// Accumulators at work.
#[derive(Debug)]
pub struct Accumulator {
    spec: AccumulatorSpec,
    /// For each position that has not entered the tree, oldest first, the number of groups that have yet to deliver.
    joining: VecDeque<(usize, Token)>,
    /// Number of complete positions so far.
    joined: u64,
    /// Complete sums that wait for a place, with their group.
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

    /// Its description.
    #[must_use]
    pub fn spec(&self) -> &AccumulatorSpec {
        &self.spec
    }

    /// Handles an event.
    #[inline]
    pub fn handle<S: EventQueue, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Group(group) => self.accept(group, cx),
            Tag::Credit | Tag::Out => self.leave(cx),
        }
    }

    /// Adds the samples that a group has delivered with one token.
    #[inline]
    fn accept<S: EventQueue, K: SpanSink>(&mut self, group: u32, cx: &mut Context<'_, S, K>) {
        let input = &self.spec.groups[group as usize];
        let token = cx.take(input.port).expect("the group has delivered");
        if token.reads.pulses() == 1 {
            input.add(cx.now, 1, token.is_last(), token, cx);
        } else {
            input.add_burst(token, cx);
        }
        if token.is_last() {
            // A copy, so that the token can stay in registers on the common path.
            self.place(group, Token { ..token }, cx);
        }
    }

    /// Finds a place for a group's complete sum, or lets it wait.
    #[inline(never)]
    fn place<S: EventQueue, K: SpanSink>(&mut self, group: u32, token: Token, cx: &mut Context<'_, S, K>) {
        let place = (self.spec.sequence(token) - self.joined) as usize;
        if place + self.in_tree.len() >= self.spec.depth as usize {
            self.stalled.push((group, token));
            return;
        }
        cx.release(self.spec.groups[group as usize].port, 1);
        self.join(place, token, cx);
    }

    /// Counts a delivery. Positions enter the tree in their order, each once all its groups have delivered.
    fn join<S: EventQueue, K: SpanSink>(&mut self, place: usize, token: Token, cx: &mut Context<'_, S, K>) {
        while self.joining.len() <= place {
            self.joining.push_back((usize::MAX, token));
        }
        let (left, of_position) = &mut self.joining[place];
        if *left == usize::MAX {
            (*left, *of_position) = (self.spec.expected(token.member), token);
        }
        *left -= 1;
        while let Some(&(0, token)) = self.joining.front() {
            self.joining.pop_front();
            self.joined += 1;
            self.enter_tree(token, cx);
        }
    }

    fn enter_tree<S: EventQueue, K: SpanSink>(&mut self, token: Token, cx: &mut Context<'_, S, K>) {
        let lanes = u64::from(token.lanes);
        let spec = &self.spec;
        let start = cx.now + spec.latency - spec.tree.duration;
        let additions = if token.member > 0 && spec.held_bytes > 0 { spec.additions_to_held } else { spec.additions };
        cx.work(&spec.tree, start, token, Amount::once(spec.adders, additions * lanes));
        if spec.held_bytes > 0 {
            let job = if token.member == 0 { &spec.hold } else { &spec.recall };
            cx.work(job, cx.now, token, Amount::once(Units::one(NONE), spec.held_bytes * lanes));
        }
        cx.work(&spec.cross, start, token, Amount::once(Units::one(NONE), spec.crossing_bytes * lanes));
        self.in_tree.push_back((token, cx.now + self.spec.latency));
        cx.schedule(cx.now + self.spec.latency, Tag::Out);
        if token.position + token.lanes == self.spec.positions {
            cx.notify(self.spec.passed);
        }
    }

    /// Shows its state.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        let of_pass = u64::from(self.spec.positions.div_ceil(self.spec.replication));
        let (mut pass, mut step) = (self.joined / of_pass, self.joined % of_pass);
        visitor.step(&mut step, self.spec.replication);
        visitor.passes(&mut pass, self.spec.passes.into());
        self.joined = pass * of_pass + step;
        visitor.same(self.joining.len() as u64);
        for (left, token) in &mut self.joining {
            visitor.same(*left as u64);
            visitor.token(token);
        }
        visitor.same(self.stalled.len() as u64);
        for (group, token) in &mut self.stalled {
            visitor.same((*group).into());
            visitor.token(token);
        }
        visitor.same(self.in_tree.len() as u64);
        for (token, leaves) in &mut self.in_tree {
            visitor.token(token);
            visitor.time(leaves);
        }
        visitor.time_if(&mut self.refused_since);
    }

    /// Sends what has passed the tree.
    fn leave<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        while let Some(&(token, ready)) = self.in_tree.front() {
            if ready > cx.now {
                return;
            }
            if !cx.send(self.spec.output, &token, 1) {
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

/// Bytes of a partial sum on its way to another tile.
const PARTIAL_SUM_BYTES: u64 = 4;

/// Partial sums of a layer: of all row blocks of both planes, and of the sub-arrays in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialSums {
    /// Of the column that has most.
    pub most: u32,
    /// Additions for one position of a copy.
    pub additions: u64,
    /// The same where those of the deterministic plane are added up and held.
    pub additions_to_held: u64,
}

impl PartialSums {
    /// Of a layer on a chip.
    #[must_use]
    pub fn new(chip: &Chip, layer: &NetLayer, mapped: &LayerMapping) -> Self {
        let most = mapped.planes.iter().map(|plane| of_column(chip, layer, plane)).sum();
        let all = |plane: Option<Plane>| -> u64 {
            let first_copy = mapped.groups.iter().filter(|group| group.replicas.start == 0);
            let groups = first_copy.filter(|group| plane.is_none_or(|plane| group.plane == plane));
            let sums = groups.map(|group| {
                let block = Readout::new(chip, group.plane).block(group.rows, group.columns, layer);
                u64::from(group.arrays_per_replica()) * u64::from(block.partial_sums) * u64::from(group.columns)
            });
            sums.sum()
        };
        let (columns, all_planes) = (u64::from(layer.columns), all(None));
        Self { most, additions: all_planes - columns, additions_to_held: all(Some(Plane::Stochastic)) }
    }
}

/// Partial sums of the column of a plane that has most.
fn of_column(chip: &Chip, layer: &NetLayer, plane: &PlaneMapping) -> u32 {
    let readout = Readout::new(chip, plane.plane);
    plane.tallest.iter().map(|&rows| readout.block(rows, 1, layer).partial_sums).sum()
}

/// Sums that an array of a plane in use delivers side by side.
#[must_use]
pub fn group_lanes(chip: &Chip, layer: &NetLayer, mapped: &LayerMapping, plane: Plane) -> u32 {
    let readout = Readout::new(chip, plane);
    let groups = mapped.groups.iter().filter(|group| group.plane == plane);
    groups.map(|group| readout.block(group.rows, group.columns, layer).lanes()).max().unwrap_or(0)
}

/// Adders of one copy: a tree for each lane of a plane's column blocks, and adders that merge both planes. `lanes` gives
/// the sums that an array of a plane delivers side by side. Saturates at 64 bits.
#[must_use]
pub fn adders(chip: &Chip, layer: &NetLayer, mapped: &LayerMapping, lanes: impl Fn(Plane) -> u64) -> u64 {
    let wide = |plane: &PlaneMapping| u64::from(plane.column_blocks).saturating_mul(lanes(plane.plane));
    let trees =
        mapped.planes.iter().map(|plane| wide(plane).saturating_mul(u64::from(of_column(chip, layer, plane)) - 1));
    let merge = if mapped.planes.len() > 1 { mapped.planes.iter().map(wide).max().unwrap_or(0) } else { 0 };
    trees.fold(merge, u64::saturating_add)
}

/// The sums of a layer's deterministic plane that are held for later members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldSums {
    /// Bits of a sum: of any that K rows of input codes can give.
    pub bits: u32,
    /// Bytes of one position of a copy.
    pub bytes_of_position: u64,
    /// Bytes of all positions.
    pub bytes: u64,
}

impl HeldSums {
    /// None where the layer holds none.
    #[must_use]
    pub fn new(layer: &NetLayer, mapped: &LayerMapping) -> Option<Self> {
        mapped.groups.iter().any(|group| group.first_member_only).then(|| {
            // -K 2^B to K 2^B.
            let bits = (u64::from(layer.rows) << (layer.input_bits + 1)).ilog2() + 1;
            let bytes_of_position = (u64::from(layer.columns) * u64::from(bits)).div_ceil(8);
            Self { bits, bytes_of_position, bytes: bytes_of_position * u64::from(layer.positions) }
        })
    }
}

/// Contribution of a layer's accumulators to the latency of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Latency {
    /// Shift-and-add (or drain of a row-serial plane) after the last sample.
    drain: u64,
    /// Levels of the adder tree, with partial sums that cross tiles.
    tree: u64,
    /// Tiles whose partial sums go to another.
    crossing_tiles: u64,
}

impl Latency {
    /// Of a layer on a chip, whose columns have `sums` partial sums.
    fn new(chip: &Chip, mapped: &LayerMapping, drain: u64, sums: u32) -> Self {
        let cycles = |time: Time| time.cycles(chip.clock);
        // Arrays are placed plane by plane and row block by row block, so a column block spreads over the tiles of a copy.
        let blocks: u64 = mapped.planes.iter().map(|plane| u64::from(plane.row_blocks())).sum();
        let tiles = (mapped.tiles.len() as u64).div_ceil(u64::from(mapped.replication)).min(blocks);
        let hops = levels(tiles) * cycles(chip.costs.link.time);
        Self { drain, tree: levels(sums.into()) * cycles(chip.costs.adder.time) + hops, crossing_tiles: tiles - 1 }
    }

    fn total(&self) -> u64 {
        self.drain + self.tree
    }
}
