//! A run of the parts on an event queue.

use super::assemble::Assembly;
use super::context::{Context, Shared};
use super::recur::{REMEMBERED, Recurrence, Skip};
use super::shared::SharedArrays;
use super::steady::{State, Steady};
use super::{Part, sampler, source};
use crate::error::Error;
use crate::kernel::{Cycle, Event, EventQueue, Handler, PartId, Stats, run};
use crate::trace::SpanSink;
use petgraph::algo::kosaraju_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::BTreeMap;

/// A run in progress.
#[derive(Debug)]
pub struct Simulation<K> {
    parts: Vec<Part>,
    names: Vec<String>,
    layers: Vec<Option<usize>>,
    shared: Shared<K>,
    /// Events that each part has handled. By part, so that counting one takes one instruction.
    handled: Vec<u64>,
    expected_answers: u64,
    /// For each buffer the link that fills it.
    producers: Vec<PartId>,
    /// Looks for passes of layers that repeat themselves.
    steady: Option<Steady>,
    /// Looks for a state that comes back.
    recurrence: Option<Recurrence>,
    /// Answers at which it looks next; never, where there is none.
    look_at: u64,
    /// Events that were skipped.
    skipped: u64,
}

/// Declares how events reach parts, with a name for each kind of part.
macro_rules! kinds {
    ($($kind:ident $name:ident),+) => {
        /// Hands an event to a part.
        #[inline(always)]
        fn hand<S: EventQueue, K: SpanSink>(part: &mut Part, tag: u32, cx: &mut Context<'_, S, K>) {
            match part {
                $(Part::$kind(part) => part.handle(tag.into(), cx),)+
            }
        }

        /// Events that were handled, by kind of part.
        fn by_kind(parts: &[Part], handled: &[u64]) -> BTreeMap<String, u64> {
            let mut sums: BTreeMap<String, u64> = [$((stringify!($name).to_owned(), 0)),+].into();
            for (part, handled) in parts.iter().zip(handled) {
                let name = match part {
                    $(Part::$kind(_) => stringify!($name),)+
                };
                *sums.get_mut(name).expect("all kinds are there") += handled;
            }
            sums
        }
    };
}

kinds! {
    Source source, Buffer buffer, Crossbar crossbar, Converter converter, Sampler sampler, Accumulator accumulator,
    Digital digital, Link link, Sink sink
}

/// Results of a run besides its spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Cycle of the last event.
    pub cycles: Cycle,
    /// Events handled.
    pub events: u64,
    /// Events by kind of part.
    pub per_kind: BTreeMap<String, u64>,
    /// Random bits drawn, by layer.
    pub random_bits: Vec<u64>,
    /// Events that were skipped because they repeat earlier ones; the other counts have them.
    pub skipped: u64,
}

impl<S: EventQueue, K: SpanSink> Handler<S> for Simulation<K> {
    #[inline]
    fn handle(&mut self, now: Cycle, events: &[Event], queue: &mut S) {
        let cx = &mut Context { now, me: 0, queue, shared: &mut self.shared };
        for &Event { part, tag } in events {
            cx.me = part;
            self.handled[part as usize] += 1;
            hand(&mut self.parts[part as usize], tag, cx);
        }
    }

    #[inline]
    fn settle(&mut self, now: Cycle, queue: &mut S) {
        // One branch in most cycles.
        if !self.shared.departures.is_empty() | !self.shared.arrays.is_settled() {
            self.depart(now, queue);
            if !self.shared.arrays.is_settled() {
                self.shared.arrays.grant(&mut self.shared.ports, queue);
            }
        }
        if (self.shared.answers >= self.look_at) | !self.shared.due.is_empty() && !queue.has_now() {
            self.look(now, queue);
        }
    }
}

impl<K: SpanSink> Simulation<K> {
    /// Parts ready to run; their spans go to `sink`.
    pub fn new(assembly: Assembly, sink: K) -> Self {
        let parts = assembly.parts;
        let skips = assembly.skips && sink.repeats();
        let recurrence = assembly.recurrence.filter(|_| skips);
        let steady = skips.then(|| Steady::new(&parts, &assembly.layers)).flatten();
        let steady = steady.filter(|_| assembly.shared_arrays == 0);
        let layers = assembly.layers.iter().flatten().max().map_or(0, |last| last + 1);
        let look_at = (0..layers).map(|_| if steady.is_some() { 0 } else { u32::MAX });
        let shared = Shared {
            ports: assembly.ports,
            sink,
            network: assembly.network,
            departures: Vec::new(),
            arrays: SharedArrays::new(assembly.shared_arrays),
            turn: assembly.turn,
            refused: vec![(0, 0); parts.len()],
            answers: 0,
            look_at: look_at.collect(),
            due: Vec::new(),
            window: assembly.window,
        };
        Self {
            handled: vec![0; parts.len()],
            parts,
            names: assembly.names,
            layers: assembly.layers,
            shared,
            expected_answers: assembly.answers,
            producers: assembly.producers,
            look_at: recurrence.as_ref().map_or(u64::MAX, Recurrence::due),
            steady,
            recurrence,
            skipped: 0,
        }
    }

    /// Runs to the end. `progress` is called now and then with the number of answers so far and the cycle.
    ///
    /// # Errors
    /// [`Error::Deadlock`] names the parts that wait for each other.
    pub fn run<S: EventQueue>(
        mut self,
        queue: &mut S,
        mut progress: impl FnMut(u64, Cycle),
    ) -> Result<(Outcome, K), Error> {
        for (id, part) in self.parts.iter().enumerate() {
            let tag = match part {
                Part::Source(_) => source::Tag::Start.into(),
                Part::Sampler(_) => sampler::Tag::Preload.into(),
                _ => continue,
            };
            queue.push(0, Event { part: id as PartId, tag });
        }
        let stats = run(&mut self, queue, |simulation, now| progress(simulation.shared.answers, now));
        if self.shared.answers < self.expected_answers {
            return Err(self.deadlock(stats.last));
        }
        Ok(self.finish(stats, queue))
    }

    fn finish<S: EventQueue>(mut self, stats: Stats, queue: &mut S) -> (Outcome, K) {
        let layers = self.layers.iter().flatten().max().map_or(0, |l| l + 1);
        let mut random_bits = vec![0; layers];
        for (id, part) in self.parts.iter_mut().enumerate() {
            let cx = &mut Context { now: stats.last, me: id as PartId, queue, shared: &mut self.shared };
            match part {
                Part::Crossbar(part) => part.finish(cx),
                Part::Converter(part) => part.finish(cx),
                Part::Source(part) => part.finish(cx),
                Part::Buffer(part) => part.finish(cx),
                Part::Digital(part) => part.finish(cx),
                Part::Link(part) => part.finish(cx),
                Part::Sampler(part) => {
                    part.finish(cx);
                    random_bits[self.layers[id].unwrap_or(0)] += part.random_bits();
                }
                Part::Accumulator(_) | Part::Sink(_) => {}
            }
        }
        let (events, per_kind) = (self.handled.iter().sum(), by_kind(&self.parts, &self.handled));
        let outcome = Outcome { cycles: stats.last, events, per_kind, random_bits, skipped: self.skipped };
        (outcome, self.shared.sink)
    }

    /// Sends the messages that are ready to leave in this cycle, in their canonical order.
    #[inline(never)]
    fn depart<S: EventQueue>(&mut self, now: Cycle, queue: &mut S) {
        let mut departures = std::mem::take(&mut self.shared.departures);
        departures.sort_unstable();
        let cx = &mut Context { now, me: 0, queue, shared: &mut self.shared };
        for (.., link) in departures.drain(..) {
            cx.me = link;
            if let Part::Link(part) = &mut self.parts[link as usize] {
                part.depart(cx);
            }
        }
        // The list keeps its allocation.
        self.shared.departures = departures;
    }

    /// Looks whether the state has come back, and skips the periods that would follow.
    #[cold]
    #[inline(never)]
    fn look<S: EventQueue>(&mut self, now: Cycle, queue: &mut S) {
        if let Some(steady) = &mut self.steady {
            while let Some(layer) = self.shared.due.pop() {
                let state = State { now, parts: &mut self.parts, handled: &mut self.handled, shared: &mut self.shared };
                self.skipped += steady.look(layer, state, queue);
            }
        }
        if self.shared.answers < self.look_at {
            return;
        }
        let Some(recurrence) = &mut self.recurrence else { return };
        let (parts, handled, shared) = (&mut self.parts, &mut self.handled, &mut self.shared);
        debug_assert!(shared.departures.is_empty(), "all that is ready has left");
        shared.sink.mark(REMEMBERED);
        let all = |handled: &[u64]| handled.iter().sum::<u64>();
        let before = all(handled);
        let events = queue.events();
        let skip = recurrence.look(now, shared.answers, |visitor| {
            parts.iter_mut().for_each(|part| part.visit(visitor));
            handled.iter_mut().for_each(|handled| visitor.sum(handled));
            shared.visit(visitor);
            for (mut at, event) in events.iter().copied() {
                visitor.time(&mut at);
                visitor.same(u64::from(event.part) << 32 | u64::from(event.tag));
            }
        });
        if let Some(Skip { looks, times, lap }) = skip {
            shared.sink.repeat(looks, times, lap);
            queue.delay(lap.cycles * u64::from(times));
            self.skipped += all(handled) - before;
        }
        self.look_at = recurrence.due();
    }

    /// Finds a cycle of parts that wait for each other, with the reason of each.
    fn deadlock(&self, cycle: Cycle) -> Error {
        let mut why: BTreeMap<(PartId, PartId), String> = BTreeMap::new();
        for (sender, receiver, capacity) in self.shared.ports.blocked() {
            why.insert((sender, receiver), format!("finds its port full ({capacity} places)"));
        }
        for (id, part) in self.parts.iter().enumerate() {
            let id = id as PartId;
            match part {
                Part::Buffer(buffer) => {
                    if let Some((producer, reason)) = buffer.waits_for(self.producers[id as usize]) {
                        why.insert((id, producer), reason);
                    }
                }
                Part::Crossbar(crossbar) => {
                    if let Some(other) = crossbar.waits_for() {
                        why.insert((id, other), "waits for it".into());
                    }
                }
                _ => {}
            }
        }
        let graph: DiGraphMap<PartId, ()> = why.keys().map(|&(a, b)| (a, b, ())).collect();
        let cycle_parts = kosaraju_scc(&graph).into_iter().find(|parts| parts.len() > 1);
        let name = |part: PartId| &self.names[part as usize];
        let waits: Vec<String> = why
            .iter()
            .filter(|((a, b), _)| cycle_parts.as_ref().is_none_or(|parts| parts.contains(a) && parts.contains(b)))
            .map(|((a, b), reason)| format!("{} {reason} at {}", name(*a), name(*b)))
            .collect();
        Error::Deadlock { cycle, message: waits.join("; ") }
    }
}
