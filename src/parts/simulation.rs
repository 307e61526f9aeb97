//! A run of the parts on an event queue.

use super::assemble::Assembly;
use super::context::{Context, Shared};
use super::recur::{REMEMBERED, Recurrence, Skip, Visitor};
use super::shared::SharedArrays;
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
    handled: Handled,
    expected_answers: u64,
    /// For each buffer the link that fills it.
    producers: Vec<PartId>,
    /// Looks for a state that comes back.
    recurrence: Option<Recurrence>,
    /// Answers at which it looks next; never, where there is none.
    look_at: u64,
    /// Events that were skipped.
    skipped: u64,
}

/// Declares [`Handled`], with a field for each kind of part.
macro_rules! handled {
    ($($kind:ident $name:ident),+) => {
        /// Events handled by each kind of part. Fields, so that counting one takes one instruction.
        #[derive(Debug, Default)]
        struct Handled { $($name: u64),+ }

        impl Handled {
            /// Hands an event to a part.
            #[inline(always)]
            fn handle<S: EventQueue, K: SpanSink>(&mut self, part: &mut Part, tag: u32, cx: &mut Context<'_, S, K>) {
                match part {
                    $(Part::$kind(part) => {
                        self.$name += 1;
                        part.handle(tag.into(), cx);
                    })+
                }
            }

            /// Shows the counts.
            fn visit(&mut self, visitor: &mut dyn Visitor) {
                $(visitor.sum(&mut self.$name);)+
            }

            fn all(&self) -> u64 {
                [$(self.$name),+].iter().sum()
            }

            fn by_name(&self) -> BTreeMap<String, u64> {
                [$((stringify!($name).to_owned(), self.$name)),+].into()
            }
        }
    };
}

handled! {
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
            self.handled.handle(&mut self.parts[part as usize], tag, cx);
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
        if self.shared.answers >= self.look_at && !queue.has_now() {
            self.look(now, queue);
        }
    }
}

impl<K: SpanSink> Simulation<K> {
    /// Parts ready to run; their spans go to `sink`.
    pub fn new(assembly: Assembly, sink: K) -> Self {
        let parts = assembly.parts;
        let recurrence = assembly.recurrence.filter(|_| sink.repeats());
        let shared = Shared {
            ports: assembly.ports,
            sink,
            network: assembly.network,
            departures: Vec::new(),
            arrays: SharedArrays::new(assembly.shared_arrays),
            turn: assembly.turn,
            refused: vec![(0, 0); parts.len()],
            answers: 0,
            window: assembly.window,
        };
        Self {
            parts,
            names: assembly.names,
            layers: assembly.layers,
            shared,
            handled: Handled::default(),
            expected_answers: assembly.answers,
            producers: assembly.producers,
            look_at: recurrence.as_ref().map_or(u64::MAX, Recurrence::due),
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
        let per_kind = self.handled.by_name();
        let outcome =
            Outcome { cycles: stats.last, events: self.handled.all(), per_kind, random_bits, skipped: self.skipped };
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
        let Some(recurrence) = &mut self.recurrence else { return };
        let (parts, handled, shared) = (&mut self.parts, &mut self.handled, &mut self.shared);
        debug_assert!(shared.departures.is_empty(), "all that is ready has left");
        shared.sink.mark(REMEMBERED);
        let before = handled.all();
        let events = queue.events();
        let skip = recurrence.look(now, shared.answers, |visitor| {
            parts.iter_mut().for_each(|part| part.visit(visitor));
            handled.visit(visitor);
            shared.visit(visitor);
            for (mut at, event) in events.iter().copied() {
                visitor.time(&mut at);
                visitor.same(u64::from(event.part) << 32 | u64::from(event.tag));
            }
        });
        if let Some(Skip { looks, times, lap }) = skip {
            shared.sink.repeat(looks, times, lap);
            queue.delay(lap.cycles * u64::from(times));
            self.skipped += handled.all() - before;
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
