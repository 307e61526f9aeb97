//! Do both queues give the same events in the same order, whatever is pushed when?

use crossbayes::kernel::{Cycle, Event, PriorityQueueSchedule, Ring, Schedule};
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One thing that is done to a queue.
#[derive(Debug, Clone)]
enum Step {
    /// An event so many cycles after the last one popped.
    Push(u64),
    Pop,
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
    let pops = (1..5usize).prop_map(|times| vec![Step::Pop; times]);
    prop::collection::vec(prop_oneof![3 => pushes, 2 => pops], 0..300).prop_map(|steps| steps.concat())
}

/// Takes all steps, then pops what is left. Every event has a number of its own, so a wrong order of ties shows.
fn play(queue: &mut impl Schedule, steps: &[Step]) -> Vec<Option<(Cycle, Event)>> {
    let mut popped = Vec::new();
    let (mut now, mut number, mut waiting) = (0, 0, 0usize);
    for step in steps {
        match step {
            Step::Push(delay) => {
                queue.push(now + delay, Event { part: number % 7, tag: number });
                number += 1;
                waiting += 1;
            }
            Step::Pop => {
                let next = queue.pop();
                now = next.map_or(now, |(at, _)| at);
                waiting -= usize::from(next.is_some());
                popped.push(next);
            }
        }
        assert_eq!((queue.len(), queue.is_empty()), (waiting, waiting == 0));
    }
    popped.extend(std::iter::from_fn(|| queue.pop().map(Some)));
    assert!(queue.is_empty());
    popped
}

/// The contract, written out: by cycle, then in the order of the pushes.
#[derive(Default)]
struct Sorted {
    events: Vec<(Cycle, u64, Event)>,
    pushed: u64,
}

impl Schedule for Sorted {
    fn push(&mut self, at: Cycle, event: Event) {
        self.events.push((at, self.pushed, event));
        self.pushed += 1;
    }

    fn pop(&mut self) -> Option<(Cycle, Event)> {
        let first = (0..self.events.len()).min_by_key(|&i| (self.events[i].0, self.events[i].1))?;
        let (at, _, event) = self.events.remove(first);
        Some((at, event))
    }

    fn len(&self) -> usize {
        self.events.len()
    }
}

proptest! {
    #[test]
    fn every_queue_pops_by_cycle_and_then_in_the_order_of_pushes(steps in steps()) {
        let expected = play(&mut Sorted::default(), &steps);
        prop_assert_eq!(&play(&mut PriorityQueueSchedule::default(), &steps), &expected);
        prop_assert_eq!(&play(&mut Ring::default(), &steps), &expected);
    }
}

#[test]
fn an_event_pushed_early_stays_ahead_of_one_pushed_late() {
    fn check(mut queue: impl Schedule) {
        let event = |tag| Event { part: 0, tag };
        // Cycle 1100 lies beyond a ring of 1024 at cycle 0, within it at cycle 500.
        queue.push(1100, event(1));
        queue.push(500, event(2));
        assert_eq!(queue.pop(), Some((500, event(2))));
        queue.push(1100, event(3));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some((1100, event(1))), Some((1100, event(3))), None]);
    }
    check(Ring::default());
    check(PriorityQueueSchedule::default());
}

#[test]
fn pushing_into_the_past_panics() {
    fn told(queue: &mut impl Schedule) -> String {
        let event = Event { part: 0, tag: 0 };
        queue.push(10, event);
        assert_eq!(queue.pop(), Some((10, event)));
        queue.push(10, event);
        let panic = catch_unwind(AssertUnwindSafe(|| queue.push(9, event))).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    }
    let expected = "event scheduled for cycle 9, but the time is 10";
    assert_eq!(told(&mut Ring::default()), expected);
    assert_eq!(told(&mut PriorityQueueSchedule::default()), expected);
}
