//! Do both queues give the same events in the same order, whatever is pushed when?

use crossbayes::kernel::{Cycle, Event, EventQueue, PartId, ReferenceQueue, Ring};
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One thing that is done to a queue.
#[derive(Debug, Clone)]
enum Step {
    /// An event a number of cycles after the cycle last taken.
    Push(u64),
    Take,
    /// Cycles in which nothing comes, unless an event waits for the cycle last taken.
    Delay(u64),
    /// The same for the events of one part.
    PutOff(u64, u32),
}

/// Steps whose delays are 0, within the ring, about a word of its bitmap and about its 1024 cycles, and far beyond; bursts of
/// one delay make ties.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let delay = prop_oneof![
        4 => Just(0u64),
        6 => 1..12u64,
        3 => 60..70u64,
        3 => 1018..1030u64,
        2 => 100..100_000u64,
        1 => Just(1 << 40),
    ];
    let pushes = (delay, 1..4usize).prop_map(|(delay, times)| vec![Step::Push(delay); times]);
    let takes = Just(vec![Step::Take]);
    let delays = prop_oneof![0..3u64, 1020..1030u64, Just(1 << 40)].prop_map(|cycles| vec![Step::Delay(cycles)]);
    let put_off = (prop_oneof![0..70u64, 1020..1030u64, Just(1 << 40)], 0..7u32)
        .prop_map(|(cycles, part)| vec![Step::PutOff(cycles, part)]);
    prop::collection::vec(prop_oneof![6 => pushes, 4 => takes, 1 => delays, 1 => put_off], 0..300)
        .prop_map(|steps| steps.concat())
}

/// The next events and their cycle.
fn take(queue: &mut impl EventQueue) -> Option<(Cycle, Vec<Event>)> {
    // What the vector held is not kept.
    let mut events = vec![Event { part: u32::MAX, tag: u32::MAX }];
    queue.take(&mut events).map(|now| (now, events))
}

/// What the takes gave, and after each step whether an event waited for the cycle last taken.
type Played = (Vec<Option<(Cycle, Vec<Event>)>>, Vec<bool>);

/// Takes all steps, then what is left. Every event has a number of its own, so a wrong order of ties shows.
fn play(queue: &mut impl EventQueue, steps: &[Step]) -> Played {
    let (mut taken, mut has_now) = (Vec::new(), Vec::new());
    let (mut now, mut number, mut waiting) = (0, 0, 0usize);
    for step in steps {
        match step {
            Step::Push(delay) => {
                let event = Event { part: number % 7, tag: number };
                if *delay == 0 && number % 2 == 0 {
                    queue.push_now(event);
                } else {
                    queue.push(now + delay, event);
                }
                number += 1;
                waiting += 1;
            }
            Step::Take => {
                let next = take(queue);
                if let Some((at, events)) = &next {
                    now = *at;
                    waiting -= events.len();
                }
                taken.push(next);
            }
            Step::Delay(_) | Step::PutOff(..) if queue.has_now() => {}
            Step::PutOff(cycles, part) => queue.put_off(*cycles, &|of| of == *part),
            Step::Delay(cycles) => {
                let later = |events: Vec<(Cycle, Event)>| events.into_iter().map(|(at, event)| (at + cycles, event));
                let expected: Vec<_> = later(queue.events()).collect();
                queue.delay(*cycles);
                now += cycles;
                assert_eq!(queue.events(), expected);
            }
        }
        assert_eq!((queue.len(), queue.is_empty()), (waiting, waiting == 0));
        has_now.push(queue.has_now());
    }
    taken.extend(std::iter::from_fn(|| take(queue).map(Some)));
    assert!(queue.is_empty());
    (taken, has_now)
}

/// The contract, written out: by cycle, then in the order of the pushes.
#[derive(Default)]
struct Sorted {
    events: Vec<(Cycle, u64, Event)>,
    pushed: u64,
    now: Cycle,
}

impl EventQueue for Sorted {
    fn push(&mut self, at: Cycle, event: Event) {
        self.events.push((at, self.pushed, event));
        self.pushed += 1;
    }

    fn push_now(&mut self, event: Event) {
        self.push(self.now, event);
    }

    fn take(&mut self, events: &mut Vec<Event>) -> Option<Cycle> {
        self.events.sort_unstable_by_key(|&(at, number, _)| (at, number));
        let first = self.events.first()?.0;
        let rest = self.events.partition_point(|&(at, ..)| at == first);
        *events = self.events.drain(..rest).map(|(.., event)| event).collect();
        self.now = first;
        Some(first)
    }

    fn has_now(&self) -> bool {
        self.events.iter().any(|&(at, ..)| at == self.now)
    }

    fn events(&self) -> Vec<(Cycle, Event)> {
        let mut events = self.events.clone();
        events.sort_unstable_by_key(|&(at, number, _)| (at, number));
        events.into_iter().map(|(at, _, event)| (at, event)).collect()
    }

    fn delay(&mut self, cycles: Cycle) {
        self.now += cycles;
        self.events.iter_mut().for_each(|(at, ..)| *at += cycles);
    }

    fn put_off(&mut self, cycles: Cycle, of: &dyn Fn(PartId) -> bool) {
        let mut later: Vec<_> = self.events();
        later.retain(|(_, event)| of(event.part));
        self.events.retain(|(.., event)| !of(event.part));
        later.into_iter().for_each(|(at, event)| self.push(at + cycles, event));
    }

    fn len(&self) -> usize {
        self.events.len()
    }
}

proptest! {
    #[test]
    fn every_queue_gives_events_by_cycle_and_then_in_the_order_of_pushes(steps in steps()) {
        let expected = play(&mut Sorted::default(), &steps);
        prop_assert_eq!(&play(&mut ReferenceQueue::default(), &steps), &expected);
        prop_assert_eq!(&play(&mut Ring::default(), &steps), &expected);
    }
}

#[test]
fn an_event_pushed_early_stays_ahead_of_one_pushed_late() {
    fn check(mut queue: impl EventQueue) {
        let event = |tag| Event { part: 0, tag };
        // Cycle 1100 lies beyond a ring of 1024 at cycle 0, within it at cycle 500.
        queue.push(1100, event(1));
        queue.push(500, event(2));
        assert_eq!(take(&mut queue), Some((500, vec![event(2)])));
        queue.push(1100, event(3));
        assert_eq!([take(&mut queue), take(&mut queue)], [Some((1100, vec![event(1), event(3)])), None]);
    }
    check(Ring::default());
    check(ReferenceQueue::default());
}

#[test]
fn pushing_into_the_past_panics() {
    fn reported(queue: &mut impl EventQueue) -> String {
        let event = Event { part: 0, tag: 0 };
        queue.push(10, event);
        assert_eq!(take(queue), Some((10, vec![event])));
        queue.push(10, event);
        let panic = catch_unwind(AssertUnwindSafe(|| queue.push(9, event))).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    }
    let expected = "event scheduled for cycle 9, but the time is 10";
    assert_eq!(reported(&mut Ring::default()), expected);
    assert_eq!(reported(&mut ReferenceQueue::default()), expected);
}
