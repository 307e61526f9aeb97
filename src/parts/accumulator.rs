//! The accumulators of a layer: shift-and-add over input bits in each array, adder tree over row blocks.
//!
//! Both are pipelined: they add a latency, not an interval. A position is complete when all groups of the layer have
//! delivered its last sample; then it passes the tree and goes to post-processing. Only `depth` positions may be between
//! their completion by the first group and their leaving; further ones wait, one a group, and so hold up the converters.

use super::context::{Amount, Context, Job, Units, rows};
use super::token::Token;
use crate::kernel::{Cycle, PartId, PortId, Schedule};
use crate::trace::{Action, NONE, SpanSink};
use std::collections::VecDeque;
use std::ops::Range;

/// A position has passed the tree.
const OUT: u32 = 1;
/// First of the tags by which the groups deliver: `GROUP + g`.
pub const GROUP: u32 = 16;

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
    /// Attojoules of one.
    pub shift_add_energy: u64,
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
        let (units, energy) = (self.units.times(copies), count * self.shift_add_energy);
        cx.work(&self.shift_add, start, token, Amount { units, repeats, period, count, energy });
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
    /// The layer's buffer, told when a pass is through the converters.
    pub buffer: PartId,
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
    pub fn handle<S: Schedule, K: SpanSink>(&mut self, tag: u32, cx: &mut Context<'_, S, K>) {
        if tag >= GROUP {
            self.accept(tag - GROUP, cx);
        } else {
            self.leave(cx);
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
        let amount = Amount::once(self.spec.adders, self.spec.additions * lanes, self.spec.tree_energy * lanes);
        cx.work(&self.spec.tree, cx.now + self.spec.latency - self.spec.tree.duration, token, amount);
        self.in_tree.push_back((token, cx.now + self.spec.latency));
        cx.schedule(cx.now + self.spec.latency, OUT);
        if token.position + token.lanes == self.spec.positions {
            cx.notify(self.spec.buffer, super::buffer::PASS_THROUGH);
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
