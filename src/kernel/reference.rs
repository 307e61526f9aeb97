//! The reference queue: the `priority-queue` crate behind the same contract.
//!
//! The crate keeps one entry an item and breaks ties as it likes. So the item is a unique sequence number with its event,
//! and the priority is (cycle, sequence), reversed because the crate pops the largest first.

use super::event::{Cycle, Event, PartId};
use super::queue::EventQueue;
use priority_queue::PriorityQueue;
use std::cmp::Reverse;

/// Events in a `priority_queue::PriorityQueue`.
#[derive(Debug, Default)]
pub struct ReferenceQueue {
    queue: PriorityQueue<(u64, Event), Reverse<(Cycle, u64)>>,
    sequence: u64,
    now: Cycle,
}

impl EventQueue for ReferenceQueue {
    fn push(&mut self, at: Cycle, event: Event) {
        assert!(at >= self.now, "event scheduled for cycle {at}, but the time is {}", self.now);
        self.queue.push((self.sequence, event), Reverse((at, self.sequence)));
        self.sequence += 1;
    }

    fn push_now(&mut self, event: Event) {
        self.push(self.now, event);
    }

    fn take(&mut self, events: &mut Vec<Event>) -> Option<Cycle> {
        events.clear();
        let (_, &Reverse((first, _))) = self.queue.peek()?;
        while let Some((_, &Reverse((at, _)))) = self.queue.peek()
            && at == first
        {
            events.extend(self.queue.pop().map(|((_, event), _)| event));
        }
        self.now = first;
        Some(first)
    }

    fn has_now(&self) -> bool {
        self.queue.peek().is_some_and(|(_, &Reverse((at, _)))| at == self.now)
    }

    fn events(&self) -> Vec<(Cycle, Event)> {
        let mut events: Vec<_> =
            self.queue.iter().map(|((sequence, event), Reverse((at, _)))| (*at, *sequence, *event)).collect();
        events.sort_unstable();
        events.into_iter().map(|(at, _, event)| (at, event)).collect()
    }

    fn delay(&mut self, cycles: Cycle) {
        let events = self.events();
        self.queue.clear();
        self.now += cycles;
        events.into_iter().for_each(|(at, event)| self.push(at + cycles, event));
    }

    fn put_off(&mut self, cycles: Cycle, of: &dyn Fn(PartId) -> bool) {
        let (later, stay): (Vec<_>, Vec<_>) = self.events().into_iter().partition(|(_, event)| of(event.part));
        self.queue.clear();
        stay.into_iter().for_each(|(at, event)| self.push(at, event));
        later.into_iter().for_each(|(at, event)| self.push(at + cycles, event));
    }

    fn len(&self) -> usize {
        self.queue.len()
    }
}
