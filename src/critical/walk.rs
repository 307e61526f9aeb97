//! From the end of a run back to its start, always to what was met last.
//!
//! A `Node` is a moment of a stage: a position is handed on, a window is taken, a message leaves. It has conditions; each
//! is an earlier moment and jobs that follow it, and the node comes when the last condition is met. Where several are
//! met in the same cycle the first in the order of `Walk::conditions` counts: a unit that was busy up to there before
//! others that it could have waited for. Times of nodes do not depend on the grain of a run, nor does the choice.

use super::chain::Chain;
use super::flow::{Flow, Key, Passage};
use super::links::{Granted, Message, Messages, messages};
use super::timing::{End, Group, Timing, Work};
use crate::config::Mode;
use crate::error::Error;
use crate::kernel::{Cycle, PartId};
use crate::parts::crossbar::Refresh;
use crate::trace::{Action, Component, NONE};
use std::collections::BTreeMap;

/// A moment. Layers and groups are given by their numbers, positions by their place in all that the layer (or group)
/// handles in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    /// The run starts.
    Start,
    /// The source starts to read a row, and hands it on.
    RowStarts(usize),
    RowHandedOn(usize),
    /// A message leaves, gets a link of its route, has left with its tail, and has been written.
    Leaves(PartId, usize),
    GetsLink(Granted),
    Sent(PartId, usize),
    Delivered(PartId, usize),
    /// A window starts to be fetched, and is handed to the arrays.
    FetchStarts(usize, usize),
    Issued(usize, usize),
    /// A group takes a window; its first sample is taken, by the converters if the chain comes from them; its arrays are free
    /// again.
    Begun(usize, usize, usize),
    Sampled(usize, usize, usize, bool),
    Freed(usize, usize, usize),
    /// Converters pass on the last result of a position, and the accumulator has a place for it.
    Converted(usize, usize, usize),
    Placed(usize, usize, usize),
    /// A weight sample is drawn.
    Drawn(usize, usize, usize),
    /// All groups have delivered; the position leaves the accumulator, is taken by post-processing, and handed on.
    Joined(usize, usize),
    Left(usize, usize),
    Taken(usize, usize),
    HandedOn(usize, usize),
}

/// Jobs of a stage, one after another.
type Jobs = (PartId, Work, u64);

/// The unit that waits, and its reason, where a chain comes from another unit.
type Wait = Option<(Component, Action)>;

/// What must have happened before a node: an earlier one, then jobs in the order of time.
#[derive(Debug)]
struct Condition {
    node: Node,
    jobs: Vec<Jobs>,
    wait: Wait,
}

/// Follows the critical path of a run, of whose parts `timing` was read before it started and whose `flow` it has left. The
/// run ended in cycle `end`.
///
/// # Errors
/// Returns [`Error::Internal`] if a moment of the run follows from none of its conditions.
pub fn walk(timing: &Timing, flow: &Flow, end: Cycle) -> Result<Chain, Error> {
    let walk = Walk::new(timing, flow);
    let mut chain = Chain::default();
    let mut node = walk.last(end)?;
    while node != Node::Start {
        let time = walk.time(node);
        let condition = walk.decisive(node, time)?;
        let mut until = time;
        let of = walk.of(node);
        for (stage, work, times) in condition.jobs.into_iter().rev() {
            chain.put_before(timing, (stage, work), times, until, of);
            until -= times * timing.cycles(stage, work);
        }
        if let Some((component, reason)) = condition.wait {
            *chain.waits.entry((walk.layer(node), component, reason)).or_default() += 1;
        }
        node = condition.node;
    }
    chain.segments.reverse();
    Ok(chain)
}

struct Walk<'a> {
    timing: &'a Timing,
    flow: &'a Flow,
    messages: Messages,
    /// For each layer and group the cycles at which weight samples are drawn.
    drawn: BTreeMap<(usize, usize), Vec<Cycle>>,
}

impl<'a> Walk<'a> {
    fn new(timing: &'a Timing, flow: &'a Flow) -> Self {
        let mut walk = Self { timing, flow, messages: messages(timing, flow), drawn: BTreeMap::new() };
        for (l, layer) in timing.layers.iter().enumerate() {
            for (g, group) in layer.groups.iter().enumerate() {
                let Some(sampler) = group.sampler else { continue };
                let spec = &timing.samplers[&sampler];
                // The first sample is drawn before the run.
                let mut ends = vec![0];
                for sample in 1..spec.samples as usize {
                    let asked = walk.time(walk.asked(l, g, sample));
                    ends.push(asked.max(ends[sample - 1]) + spec.draw.duration);
                }
                walk.drawn.insert((l, g), ends);
            }
        }
        walk
    }

    fn group(&self, l: usize, g: usize) -> &'a Group {
        &self.timing.layers[l].groups[g]
    }

    /// Layers and groups of the blocks that share an array.
    fn sharing(&self, array: u32) -> impl Iterator<Item = (usize, usize)> {
        let groups = self.timing.groups.iter().filter(|(stage, (l, g))| self.group(*l, *g).arrays == **stage);
        let of = move |group: &Group| group.wiring.shared.is_some_and(|(shared, _)| shared == array);
        groups.map(|(_, place)| *place).filter(move |&(l, g)| of(self.group(l, g)))
    }

    /// Positions of a layer in a pass, counting those that its copies handle side by side as one.
    fn batches(&self, l: usize) -> usize {
        let spec = &self.timing.buffers[&self.timing.layers[l].buffer];
        spec.layer.positions.div_ceil(spec.replication) as usize
    }

    /// Pass and first position of place `p` of a layer.
    fn pass(&self, l: usize, p: usize) -> (usize, u32) {
        let spec = &self.timing.buffers[&self.timing.layers[l].buffer];
        (p / self.batches(l), (p % self.batches(l)) as u32 * spec.replication)
    }

    fn key(&self, l: usize, p: usize) -> Key {
        let passes = self.timing.buffers[&self.timing.layers[l].buffer].passes as usize;
        let (pass, position) = self.pass(l, p);
        ((pass / passes) as u32, (pass % passes) as u32, position)
    }

    fn place(&self, l: usize, (image, member, position): Key) -> usize {
        let spec = &self.timing.buffers[&self.timing.layers[l].buffer];
        let pass = image as usize * spec.passes as usize + member as usize;
        pass * self.batches(l) + (position / spec.replication) as usize
    }

    /// Neighbouring positions at place `p`.
    fn lanes(&self, l: usize, p: usize) -> u32 {
        let spec = &self.timing.buffers[&self.timing.layers[l].buffer];
        spec.replication.min(spec.layer.positions - self.pass(l, p).1)
    }

    /// First pixel and number of pixels that place `p` completes.
    fn pixels(&self, l: usize, p: usize) -> (u32, u32) {
        let layer = &self.timing.buffers[&self.timing.layers[l].buffer].layer;
        let position = self.pass(l, p).1;
        let first = layer.completed(position);
        (first, layer.completed(position + self.lanes(l, p)) - first)
    }

    /// Window `q` of a group.
    fn window(&self, l: usize, g: usize, q: usize) -> &'a Passage {
        &self.flow.at(self.group(l, g).wiring.input)[q]
    }

    /// Reads of a group's window `q`.
    fn pulses(&self, l: usize, g: usize, q: usize) -> u64 {
        u64::from(self.flow.at(self.group(l, g).wiring.output)[q].pulses)
    }

    /// Place of a group's window among those of its layer.
    fn place_of(&self, l: usize, g: usize, q: usize) -> usize {
        self.place(l, self.window(l, g, q).key)
    }

    /// Place among a group's windows of one of its layer's.
    fn window_of(&self, l: usize, g: usize, p: usize) -> Option<usize> {
        self.flow.find(self.group(l, g).wiring.input, self.key(l, p))
    }

    fn message(&self, stage: PartId, m: usize) -> &Message {
        &self.messages[&stage][m]
    }

    /// First message of a stage with which at least so many pixels have passed it.
    fn message_with(&self, stage: PartId, pixels: u64) -> usize {
        self.messages[&stage].partition_point(|message| message.pixels < pixels)
    }

    fn left(&self, l: usize, p: usize) -> &'a Passage {
        &self.flow.at(self.timing.accumulators[&self.timing.layers[l].accumulator].output)[p]
    }

    /// The last message of a pass on a link.
    fn last_of(&self, stage: PartId, image: u32, member: u32) -> usize {
        let messages = self.flow.at(self.timing.links[&stage].spec.input);
        messages.partition_point(|message| message.key <= (image, member, u32::MAX)) - 1
    }

    /// Weight sample that a group's window waits for; none if it goes on with the one in use.
    fn sample(&self, l: usize, g: usize, q: usize) -> Option<usize> {
        match self.group(l, g).crossbar.refresh {
            Refresh::Never => None,
            Refresh::Position => Some(q),
            Refresh::Pass => q.is_multiple_of(self.batches(l)).then(|| q / self.batches(l)),
        }
    }

    /// The moment at which a weight sample is asked for.
    fn asked(&self, l: usize, g: usize, sample: usize) -> Node {
        let group = self.group(l, g);
        let windows = if group.crossbar.refresh == Refresh::Pass { self.batches(l) } else { 1 };
        if group.crossbar.double_buffered {
            Node::Begun(l, g, (sample - 1) * windows)
        } else {
            Node::Freed(l, g, sample * windows - 1)
        }
    }

    /// The latest moment of the run, which ended in cycle `end`.
    fn last(&self, end: Cycle) -> Result<Node, Error> {
        let layers = || (0..self.timing.layers.len()).rev();
        let groups = || layers().flat_map(|l| (0..self.timing.layers[l].groups.len()).map(move |g| (l, g)));
        let to_sink = |stage: &PartId| self.timing.links[stage].to != End::Sink;
        let mut links: Vec<PartId> = self.timing.links.keys().copied().collect();
        links.sort_by_key(to_sink);
        let messages = links.iter().filter_map(|stage| Some((*stage, self.messages[stage].len().checked_sub(1)?)));
        let positions =
            |l: usize| self.flow.at(self.timing.accumulators[&self.timing.layers[l].accumulator].output).len();
        let windows = |(l, g)| self.flow.at(self.group(l, g).sums).len() - 1;
        let delivered = messages.clone().map(|(stage, m)| Node::Delivered(stage, m));
        let sent = messages.map(|(stage, m)| Node::Sent(stage, m));
        let handed_on = layers().map(|l| Node::HandedOn(l, positions(l) - 1));
        let converted = groups().map(|(l, g)| Node::Converted(l, g, windows((l, g))));
        let freed = groups().map(|(l, g)| Node::Freed(l, g, windows((l, g))));
        let drawn = self.drawn.iter().map(|((l, g), ends)| Node::Drawn(*l, *g, ends.len() - 1));
        let mut all = delivered.chain(sent).chain(handed_on).chain(converted).chain(freed).chain(drawn);
        all.find(|node| self.time(*node) == end)
            .ok_or_else(|| Error::Internal(format!("nothing ends in cycle {end}, the last of the run")))
    }

    /// The condition that was met last, in cycle `time` in which the node comes.
    fn decisive(&self, node: Node, time: Cycle) -> Result<Condition, Error> {
        let mut decisive = None;
        for condition in self.conditions(node) {
            let jobs = condition.jobs.iter().map(|(stage, work, times)| times * self.timing.cycles(*stage, *work));
            let met = self.time(condition.node) + jobs.sum::<Cycle>();
            debug_assert!(met <= time, "{node:?} comes in cycle {time}, before {condition:?} is met in cycle {met}");
            if met == time && decisive.is_none() {
                decisive = Some(condition);
            }
        }
        decisive.ok_or_else(|| Error::Internal(format!("cycle {time} of {node:?} follows from nothing")))
    }

    /// Cycle in which a node comes.
    fn time(&self, node: Node) -> Cycle {
        match node {
            Node::Start => 0,
            Node::RowHandedOn(row) => self.flow.at(self.timing.source.outputs[0])[row].first,
            Node::Leaves(stage, m) => self.message(stage, m).left,
            Node::GetsLink((stage, m, hop)) => self.message(stage, m).hops[hop].0,
            Node::Sent(stage, m) => self.message(stage, m).sent,
            Node::Delivered(stage, m) => self.message(stage, m).delivered,
            Node::Issued(l, p) => {
                let groups = 0..self.timing.layers[l].groups.len();
                let mut windows = groups.filter_map(|g| Some(self.window(l, g, self.window_of(l, g, p)?)));
                windows.next().expect("a window goes to some group").first
            }
            Node::Begun(l, g, q) => self.window(l, g, q).taken,
            Node::Sampled(l, g, q, _) => self.flow.at(self.group(l, g).wiring.output)[q].first,
            Node::Freed(l, g, q) => {
                let block = self.group(l, g).crossbar.block;
                let last = self.time(Node::Sampled(l, g, q, false)) + (self.pulses(l, g, q) - 1) * block.period();
                last + if block.overlapped { 0 } else { block.convert }
            }
            Node::Converted(l, g, q) => self.flow.at(self.group(l, g).sums)[q].last,
            Node::Drawn(l, g, sample) => self.drawn[&(l, g)][sample],
            Node::Left(l, p) => self.left(l, p).first,
            Node::Taken(l, p) => self.left(l, p).taken,
            Node::HandedOn(l, p) => {
                let digital = &self.timing.digitals[&self.timing.layers[l].digital];
                let ((image, member, _), (first, pixels)) = (self.key(l, p), self.pixels(l, p));
                if pixels == 0 {
                    let cycles: Cycle = digital.cycles(self.lanes(l, p), 0).iter().sum();
                    return self.left(l, p).taken + cycles;
                }
                let port = digital.outputs[0];
                let message = self.flow.find(port, (image, member, first)).expect("pixels are handed on");
                self.flow.at(port)[message].first
            }
            // What no port tells.
            Node::RowStarts(_) | Node::FetchStarts(..) | Node::Placed(..) | Node::Joined(..) => {
                self.conditions(node).iter().map(|condition| self.time(condition.node)).max().unwrap_or(0)
            }
        }
    }

    /// Image and member of a node.
    fn of(&self, node: Node) -> (u32, u32) {
        let key = match node {
            Node::Start => (0, 0, 0),
            Node::RowStarts(row) | Node::RowHandedOn(row) => self.flow.at(self.timing.source.outputs[0])[row].key,
            Node::Leaves(stage, m)
            | Node::GetsLink((stage, m, _))
            | Node::Sent(stage, m)
            | Node::Delivered(stage, m) => self.flow.at(self.timing.links[&stage].spec.input)[m].key,
            Node::FetchStarts(l, p)
            | Node::Issued(l, p)
            | Node::Joined(l, p)
            | Node::Left(l, p)
            | Node::Taken(l, p)
            | Node::HandedOn(l, p) => self.key(l, p),
            Node::Begun(l, g, q)
            | Node::Sampled(l, g, q, _)
            | Node::Freed(l, g, q)
            | Node::Converted(l, g, q)
            | Node::Placed(l, g, q) => self.window(l, g, q).key,
            Node::Drawn(l, g, sample) => {
                let q = (0..).find(|q| self.sample(l, g, *q) == Some(sample)).unwrap_or(0);
                self.window(l, g, q).key
            }
        };
        (key.0, key.1)
    }

    /// Layer of a node's stage.
    fn layer(&self, node: Node) -> u32 {
        let link = |stage: PartId| self.timing.links[&stage].spec.transfer.site.layer;
        match node {
            Node::Start | Node::RowStarts(_) | Node::RowHandedOn(_) => NONE,
            Node::Leaves(stage, _) | Node::GetsLink((stage, ..)) | Node::Sent(stage, _) | Node::Delivered(stage, _) => {
                link(stage)
            }
            Node::FetchStarts(l, _)
            | Node::Issued(l, _)
            | Node::Joined(l, _)
            | Node::Left(l, _)
            | Node::Taken(l, _)
            | Node::HandedOn(l, _)
            | Node::Begun(l, ..)
            | Node::Sampled(l, ..)
            | Node::Freed(l, ..)
            | Node::Converted(l, ..)
            | Node::Placed(l, ..)
            | Node::Drawn(l, ..) => l as u32,
        }
    }

    /// All conditions of a node, those of its own unit first.
    fn conditions(&self, node: Node) -> Vec<Condition> {
        let timing = self.timing;
        let mut all = Vec::with_capacity(4);
        let mut after = |node, jobs: &[Jobs], wait| all.push(Condition { node, jobs: jobs.to_vec(), wait });
        match node {
            Node::Start => {}
            Node::RowStarts(row) => {
                let image = row as u32 / timing.source.height;
                match row.checked_sub(1) {
                    Some(before) => after(Node::RowHandedOn(before), &[], None),
                    None => after(Node::Start, &[], None),
                }
                if timing.in_turn && image > 0 && (row as u32).is_multiple_of(timing.source.height) {
                    for node in self.before_turn(0, image, 0) {
                        after(node, &[], Some((Component::GlobalBuffer, Action::WaitOperand)));
                    }
                }
            }
            Node::RowHandedOn(row) => {
                after(Node::RowStarts(row), &[(timing.source_stage, Work::Row, 1)], None);
                for (stage, link) in timing.links.iter().filter(|(_, link)| link.from == End::Source) {
                    if let Some(sent) = self.makes_room(*stage, row, link.room_before) {
                        after(sent, &[], Some((Component::GlobalBuffer, Action::WaitPort)));
                    }
                }
            }
            Node::Leaves(stage, m) => {
                let link = &timing.links[&stage];
                if let Some(before) = m.checked_sub(1) {
                    after(Node::Sent(stage, before), &[], None);
                }
                let component = link.spec.read.site.component;
                let (image, member, pixel) = self.flow.at(link.spec.input)[m].key;
                let handed_on = match link.from {
                    End::Layer(l) => Node::HandedOn(l, self.completes(l, (image, member), pixel)),
                    End::Source | End::Sink => Node::RowHandedOn(m),
                };
                after(handed_on, &[], Some((component, Action::WaitOperand)));
                // Room for its pixels behind the link.
                let needed = self.message(stage, m).pixels.saturating_sub(link.room_behind);
                if needed > 0 {
                    let wait = Some((component, Action::WaitPort));
                    after(Node::Delivered(stage, self.message_with(stage, needed)), &[], wait);
                    if let End::Layer(l) = link.to {
                        after(Node::Issued(l, self.lets_go(l, needed)), &[], wait);
                    }
                }
            }
            Node::GetsLink((stage, m, hop)) => {
                let message = self.message(stage, m);
                match hop.checked_sub(1) {
                    Some(before) => after(Node::GetsLink((stage, m, before)), &[(stage, Work::Hop, 1)], None),
                    None => after(Node::Leaves(stage, m), &[(stage, Work::ReadOut { bytes: message.bytes }, 1)], None),
                }
                if let Some(other) = message.hops[hop].1 {
                    let bytes = self.message(other.0, other.1).bytes;
                    let wait = Some((Component::Link, Action::WaitLink));
                    after(Node::GetsLink(other), &[(other.0, Work::Pass { bytes }, 1)], wait);
                }
            }
            Node::Sent(stage, m) => {
                let message = self.message(stage, m);
                let bytes = message.bytes;
                if message.hops.is_empty() {
                    after(Node::Leaves(stage, m), &[(stage, Work::ReadOut { bytes }, 1)], None);
                } else {
                    after(Node::GetsLink((stage, m, 0)), &[(stage, Work::Pass { bytes }, 1)], None);
                }
            }
            Node::Delivered(stage, m) => {
                let message = self.message(stage, m);
                let bytes = message.bytes;
                let write = (stage, Work::Store { bytes }, 1);
                if let Some(before) = m.checked_sub(1) {
                    after(Node::Delivered(stage, before), &[write], None);
                }
                let (node, way) = match message.hops.len().checked_sub(1) {
                    Some(last) => (Node::GetsLink((stage, m, last)), Work::Pass { bytes }),
                    None => (Node::Leaves(stage, m), Work::ReadOut { bytes }),
                };
                after(node, &[(stage, way, 1), (stage, Work::Spread, 1), write], None);
            }
            Node::FetchStarts(l, p) => {
                let stages = &timing.layers[l];
                let spec = &timing.buffers[&stages.buffer];
                if let Some(before) = p.checked_sub(1) {
                    after(Node::Issued(l, before), &[], None);
                }
                let (pass, position) = self.pass(l, p);
                let window = match spec.mode {
                    Mode::Streaming => spec.layer.pixels_needed_by(position, self.lanes(l, p)),
                    Mode::Sequential | Mode::Layer => spec.layer.input.positions(),
                };
                let map = u64::from(spec.layer.input.positions());
                let needed = (pass as u64 / u64::from(spec.replays)) * map + u64::from(window);
                let wait = Some((Component::Buffer, Action::WaitOperand));
                after(Node::Delivered(stages.link, self.message_with(stages.link, needed)), &[], wait);
                if timing.in_turn {
                    let (image, member, _) = self.key(l, p);
                    for node in self.before_turn(l, image, member) {
                        after(node, &[], wait);
                    }
                }
            }
            Node::Issued(l, p) => {
                let stages = &timing.layers[l];
                let (pass, position) = self.pass(l, p);
                let work = Work::Window { position, lanes: self.lanes(l, p) };
                after(Node::FetchStarts(l, p), &[(stages.buffer, work, 1)], None);
                for g in 0..stages.groups.len() {
                    if let Some(before) = self.window_of(l, g, p).and_then(|q| q.checked_sub(1)) {
                        after(Node::Begun(l, g, before), &[], Some((Component::Buffer, Action::WaitPort)));
                    }
                }
                let barrier = position == 0 && timing.buffers[&stages.buffer].mode != Mode::Streaming;
                if barrier && pass > 0 {
                    after(Node::Joined(l, p - 1), &[], Some((Component::Buffer, Action::WaitResource)));
                }
            }
            Node::Begun(l, g, q) => {
                let group = self.group(l, g);
                // Rows gather their inputs while the position before is read, lists while the first read is made.
                let (gather, ahead) = match group.crossbar.gather {
                    Some((_, gather)) => (vec![(group.arrays, Work::Gather, 1)], gather.ahead),
                    None => (Vec::new(), true),
                };
                if let Some(before) = q.checked_sub(1) {
                    after(Node::Freed(l, g, before), if ahead { &[] } else { &gather }, None);
                }
                let waits = |reason| Some((Component::Crossbar, reason));
                after(Node::Issued(l, self.place_of(l, g, q)), &gather, waits(Action::WaitOperand));
                if let Some(sample) = self.sample(l, g, q) {
                    after(Node::Drawn(l, g, sample), &[], waits(Action::WaitRandom));
                }
                if let Some((array, _)) = group.wiring.shared {
                    // The block that had the array, and a place for the results.
                    let time = self.time(node);
                    for (other, of) in self.sharing(array) {
                        let before = self.flow.at(self.group(other, of).sums).partition_point(|sums| sums.last <= time);
                        if let Some(before) = before.checked_sub(1).filter(|_| (other, of) != (l, g)) {
                            after(Node::Converted(other, of, before), &[], waits(Action::WaitResource));
                        }
                    }
                    if let Some(before) = q.checked_sub(2) {
                        after(Node::Placed(l, g, before), &[], waits(Action::WaitPort));
                    }
                }
            }
            Node::Sampled(l, g, q, by_converters) => {
                let group = self.group(l, g);
                let held = |after: &mut dyn FnMut(Node, &[Jobs], Wait)| {
                    if let Some(before) = q.checked_sub(1) {
                        let wait = (!by_converters).then_some((Component::Crossbar, Action::WaitResource));
                        after(Node::Converted(l, g, before), &[], wait);
                    }
                };
                let wait = by_converters.then_some((group.converter.convert.site.component, Action::WaitOperand));
                if by_converters {
                    held(&mut after);
                }
                after(Node::Begun(l, g, q), &[(group.arrays, Work::Read, 1)], wait);
                if !by_converters {
                    held(&mut after);
                }
            }
            Node::Freed(l, g, q) => {
                let group = self.group(l, g);
                let more = self.pulses(l, g, q) - 1;
                let (reads, converts) = ((group.arrays, Work::Read, more), (group.converters, Work::Convert, more));
                if group.crossbar.block.overlapped {
                    after(Node::Sampled(l, g, q, false), &[reads], None);
                    let wait = Some((Component::Crossbar, Action::WaitResource));
                    after(Node::Sampled(l, g, q, true), &[converts], wait);
                } else {
                    let all = [reads, (group.converters, Work::Convert, more + 1)];
                    after(Node::Sampled(l, g, q, false), &all, None);
                }
            }
            Node::Converted(l, g, q) => {
                let group = self.group(l, g);
                let component = group.converter.convert.site.component;
                let pulses = self.pulses(l, g, q);
                let reads = (group.arrays, Work::Read, pulses - 1);
                let converts = |times| (group.converters, Work::Convert, times);
                if group.crossbar.block.overlapped {
                    after(Node::Sampled(l, g, q, true), &[converts(pulses)], None);
                    let wait = Some((component, Action::WaitOperand));
                    after(Node::Sampled(l, g, q, false), &[reads, converts(1)], wait);
                } else {
                    after(Node::Sampled(l, g, q, true), &[reads, converts(pulses)], None);
                }
                if let Some(before) = q.checked_sub(1).filter(|_| group.wiring.shared.is_none()) {
                    after(Node::Placed(l, g, before), &[], Some((component, Action::WaitPort)));
                }
            }
            Node::Placed(l, g, q) => {
                after(Node::Converted(l, g, q), &[], None);
                let depth = timing.accumulators[&timing.layers[l].accumulator].depth as usize;
                if let Some(before) = self.place_of(l, g, q).checked_sub(depth) {
                    after(Node::Left(l, before), &[], Some((Component::Accumulator, Action::WaitPort)));
                }
            }
            Node::Drawn(l, g, sample) => {
                let Some(sampler) = self.group(l, g).sampler else { return all };
                match sample.checked_sub(1) {
                    None => after(Node::Start, &[], None),
                    Some(before) => {
                        let draw = (sampler, Work::Draw, 1);
                        after(Node::Drawn(l, g, before), &[draw], None);
                        let wait = Some((Component::Generator, Action::WaitPort));
                        after(self.asked(l, g, sample), &[draw], wait);
                    }
                }
            }
            Node::Joined(l, p) => {
                for g in 0..timing.layers[l].groups.len() {
                    if let Some(q) = self.window_of(l, g, p) {
                        after(Node::Placed(l, g, q), &[], Some((Component::Accumulator, Action::WaitOperand)));
                    }
                }
            }
            Node::Left(l, p) => {
                let stage = timing.layers[l].accumulator;
                after(Node::Joined(l, p), &[(stage, Work::Drain, 1), (stage, Work::Tree, 1)], None);
                let wait = Some((Component::Accumulator, Action::WaitPort));
                // Positions leave in order, and so those that are complete before an earlier one wait for it.
                if let Some(before) = p.checked_sub(timing.depths[l] as usize) {
                    after(Node::HandedOn(l, before), &[], wait);
                }
                if let Some(before) = p.checked_sub(1) {
                    after(Node::Left(l, before), &[], wait);
                }
            }
            Node::Taken(l, p) => {
                if let Some(before) = p.checked_sub(1) {
                    after(Node::HandedOn(l, before), &[], None);
                }
                after(Node::Left(l, p), &[], Some((Component::Digital, Action::WaitOperand)));
            }
            Node::HandedOn(l, p) => {
                let (stage, lanes) = (timing.layers[l].digital, self.lanes(l, p));
                let ((image, member, _), (first, pixels)) = (self.key(l, p), self.pixels(l, p));
                let works = [Work::Pool { lanes }, Work::Process { pixels }, Work::Result { pixels }];
                after(Node::Taken(l, p), &works.map(|work| (stage, work, 1)), None);
                let links = timing.layers[l].links.iter().filter(|_| pixels > 0);
                for link in links {
                    let LinkEnds { input, room } = self.ends(*link);
                    let message = self.flow.find(input, (image, member, first)).expect("pixels are handed on");
                    if let Some(sent) = self.makes_room(*link, message, room) {
                        after(sent, &[], Some((Component::Digital, Action::WaitPort)));
                    }
                }
            }
        }
        all
    }

    fn ends(&self, link: PartId) -> LinkEnds {
        let link = &self.timing.links[&link];
        LinkEnds { input: link.spec.input, room: link.room_before }
    }

    /// When there is room before a link for its message `m`; none if there always is.
    fn makes_room(&self, stage: PartId, m: usize, room: u64) -> Option<Node> {
        let needed = self.message(stage, m).pixels.checked_sub(room)?;
        (needed > 0).then(|| Node::Sent(stage, self.message_with(stage, needed)))
    }

    /// The place of a layer that completes a pixel of a pass.
    fn completes(&self, l: usize, (image, member): (u32, u32), pixel: u32) -> usize {
        let spec = &self.timing.buffers[&self.timing.layers[l].buffer];
        let first = self.place(l, (image, member, 0));
        let (mut low, mut high) = (0, self.batches(l));
        while low < high {
            let middle = (low + high) / 2;
            let end = ((middle + 1) as u32 * spec.replication).min(spec.layer.positions);
            if spec.layer.completed(end) > pixel { high = middle } else { low = middle + 1 }
        }
        first + low
    }

    /// The first place of a layer after which the layer needs no more than the rest of its input: all but `pixels`.
    fn lets_go(&self, l: usize, pixels: u64) -> usize {
        let spec = &self.timing.buffers[&self.timing.layers[l].buffer];
        let (map, replays) = (u64::from(spec.layer.input.positions()), u64::from(spec.replays));
        let done = |p: usize| {
            let (pass, position) = self.pass(l, p);
            let (before, pass) = (pass as u64 / replays * map, pass as u64);
            let last = pass % replays == replays - 1;
            before + if last { u64::from(spec.layer.pixels_done(position + self.lanes(l, p))) } else { 0 }
        };
        let (mut low, mut high) = (0, self.batches(l) * (spec.images * spec.passes) as usize);
        while low < high {
            let middle = (low + high) / 2;
            if done(middle) >= pixels { high = middle } else { low = middle + 1 }
        }
        low
    }

    /// What ends the turn before that of a layer.
    fn before_turn(&self, l: usize, image: u32, member: u32) -> Vec<Node> {
        let timing = self.timing;
        let (layers, first) = (timing.layers.len(), timing.first_ensembling_layer);
        let before = if l == first && member > 0 {
            Some((layers - 1, image, member - 1))
        } else if l > 0 {
            Some((l - 1, image, if l > first { member } else { 0 }))
        } else {
            image.checked_sub(1).map(|image| (layers - 1, image, if first < layers { timing.members - 1 } else { 0 }))
        };
        let Some((l, image, member)) = before else { return Vec::new() };
        let links = timing.layers[l].links.iter();
        links.map(|link| Node::Delivered(*link, self.last_of(*link, image, member))).collect()
    }
}

/// Where a link takes messages from.
struct LinkEnds {
    input: u32,
    room: u64,
}
