//! The default queue: a ring of cycles, and a heap for what lies beyond it.
//!
//! A slot holds the events of one cycle in the order of their arrival. Delays longer than the ring go to an overflow heap,
//! ordered by cycle and sequence. They move into the ring as soon as their cycle comes within its reach, before any event
//! of the new cycle runs; so an event that was pushed early stays ahead of one pushed late for the same cycle.

use super::event::{Cycle, Event};
use super::queue::Schedule;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Ring of cycles with an overflow heap.
#[derive(Debug)]
pub struct Ring {
    slots: Vec<Vec<Event>>,
    /// One bit a slot: whether it holds events.
    occupied: Vec<u64>,
    mask: u64,
    now: Cycle,
    /// Next event of the current slot.
    cursor: usize,
    in_ring: usize,
    overflow: BinaryHeap<Reverse<(Cycle, u64, Event)>>,
    sequence: u64,
}

impl Ring {
    /// A ring that reaches at least `longest_common_delay` cycles ahead.
    #[must_use]
    pub fn new(longest_common_delay: u64) -> Self {
        let size = (longest_common_delay + 1).next_power_of_two().clamp(64, 1 << 20);
        Self {
            slots: vec![Vec::new(); size as usize],
            occupied: vec![0; (size / 64) as usize],
            mask: size - 1,
            now: 0,
            cursor: 0,
            in_ring: 0,
            overflow: BinaryHeap::new(),
            sequence: 0,
        }
    }

    fn put(&mut self, at: Cycle, event: Event) {
        let slot = (at & self.mask) as usize;
        self.slots[slot].push(event);
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.in_ring += 1;
    }

    /// The first occupied cycle after `now`; the ring must hold an event of a later cycle.
    fn next_occupied(&self) -> Cycle {
        let start = (self.now + 1) & self.mask;
        let words = self.occupied.len();
        let first = (start / 64) as usize;
        let head = self.occupied[first] & (!0 << (start % 64));
        let mut index = first;
        let mut word = head;
        for step in 0..=words {
            if word != 0 {
                let slot = index as u64 * 64 + u64::from(word.trailing_zeros());
                return self.now + 1 + (slot.wrapping_sub(start) & self.mask);
            }
            index = (first + step + 1) % words;
            word = self.occupied[index];
        }
        unreachable!("the ring holds an event")
    }

    /// Moves `now` on and brings in what has come within reach.
    fn advance(&mut self, to: Cycle) {
        self.now = to;
        self.cursor = 0;
        while let Some(Reverse((at, _, _))) = self.overflow.peek() {
            if *at - self.now > self.mask {
                break;
            }
            let Reverse((at, _, event)) = self.overflow.pop().expect("just seen");
            self.put(at, event);
        }
    }
}

impl Schedule for Ring {
    #[inline]
    fn push(&mut self, at: Cycle, event: Event) {
        assert!(at >= self.now, "event scheduled for cycle {at}, but the time is {}", self.now);
        if at - self.now <= self.mask {
            self.put(at, event);
        } else {
            self.overflow.push(Reverse((at, self.sequence, event)));
            self.sequence += 1;
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<(Cycle, Event)> {
        loop {
            let slot = (self.now & self.mask) as usize;
            if let Some(&event) = self.slots[slot].get(self.cursor) {
                self.cursor += 1;
                self.in_ring -= 1;
                return Some((self.now, event));
            }
            if self.cursor > 0 {
                self.slots[slot].clear();
                self.occupied[slot / 64] &= !(1 << (slot % 64));
                self.cursor = 0;
            }
            let to = if self.in_ring > 0 {
                self.next_occupied()
            } else {
                let Reverse((at, _, _)) = self.overflow.peek()?;
                *at
            };
            self.advance(to);
        }
    }

    fn len(&self) -> usize {
        self.in_ring + self.overflow.len()
    }
}
