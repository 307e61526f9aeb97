//! The default queue: a ring of cycles, and a heap for later events.
//!
//! A slot holds the events of one cycle in the order of their arrival. Delays longer than the ring go to an overflow heap,
//! ordered by cycle and sequence. They move into the ring as soon as it covers their cycle, before any event of the
//! new cycle runs; so of two events for the same cycle the one pushed first stays first.

use super::event::{Cycle, Event, PartId};
use super::queue::EventQueue;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Number of cycles that the ring covers: above the delays of reads, conversions and most transfers, and small enough that
/// the slots stay in the cache.
const SIZE: usize = 1024;
const MASK: u64 = SIZE as u64 - 1;
const WORDS: usize = SIZE / 64;

/// Ring of cycles with an overflow heap.
#[derive(Debug)]
pub struct Ring {
    slots: Box<[Vec<Event>; SIZE]>,
    /// Allocations of emptied slots, reused by the slots that fill next so that they stay in the cache.
    spare: Vec<Vec<Event>>,
    /// One bit a slot: whether it holds events. Not maintained for the slot of `now`.
    occupied: [u64; WORDS],
    now: Cycle,
    overflow: BinaryHeap<Reverse<(Cycle, u64, Event)>>,
    sequence: u64,
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            slots: Box::new([const { Vec::new() }; SIZE]),
            spare: Vec::new(),
            occupied: [0; WORDS],
            now: 0,
            overflow: BinaryHeap::new(),
            sequence: 0,
        }
    }
}

impl Ring {
    #[inline]
    fn put(&mut self, at: Cycle, event: Event) {
        let slot = (at & MASK) as usize;
        let events = &mut self.slots[slot];
        if events.is_empty() {
            self.occupied[slot / 64] |= 1 << (slot % 64);
            if events.capacity() == 0 {
                *events = self.spare.pop().unwrap_or_default();
            }
        }
        events.push(event);
    }

    /// An event beyond the ring.
    #[cold]
    #[inline(never)]
    fn push_far(&mut self, at: Cycle, event: Event) {
        assert!(at >= self.now, "event scheduled for cycle {at}, but the time is {}", self.now);
        self.overflow.push(Reverse((at, self.sequence, event)));
        self.sequence += 1;
    }

    /// The first occupied cycle after `now` within the ring.
    fn next_occupied(&self) -> Option<Cycle> {
        let start = (self.now + 1) & MASK;
        let first = (start / 64) as usize;
        let mut word = self.occupied[first] & (!0 << (start % 64));
        // The first word is visited twice: its lower slots are the last ones of the ring.
        for step in 0..=WORDS {
            let index = (first + step) % WORDS;
            if step > 0 {
                word = self.occupied[index];
            }
            if word != 0 {
                let slot = index as u64 * 64 + u64::from(word.trailing_zeros());
                return Some(self.now + 1 + (slot.wrapping_sub(start) & MASK));
            }
        }
        None
    }

    /// Advances from the empty slot of `now` to the next cycle that has events, and moves events that the ring now covers
    /// into it. Returns false if there are none. A function of its own: events of the same cycle come without it.
    #[inline(never)]
    fn advance(&mut self) -> bool {
        let slot = (self.now & MASK) as usize;
        self.occupied[slot / 64] &= !(1 << (slot % 64));
        let Some(to) = self.next_occupied().or_else(|| self.overflow.peek().map(|Reverse((at, ..))| *at)) else {
            return false;
        };
        let room = std::mem::take(&mut self.slots[slot]);
        if room.capacity() > 0 {
            self.spare.push(room);
        }
        self.now = to;
        while let Some(Reverse((at, ..))) = self.overflow.peek()
            && *at - self.now <= MASK
        {
            if let Some(Reverse((at, _, event))) = self.overflow.pop() {
                self.put(at, event);
            }
        }
        true
    }
}

impl EventQueue for Ring {
    #[inline]
    fn push(&mut self, at: Cycle, event: Event) {
        // One comparison separates the near future from the far one and from the past.
        if at.wrapping_sub(self.now) <= MASK {
            self.put(at, event);
        } else {
            self.push_far(at, event);
        }
    }

    #[inline]
    fn push_now(&mut self, event: Event) {
        self.slots[(self.now & MASK) as usize].push(event);
    }

    #[inline]
    fn take(&mut self, events: &mut Vec<Event>) -> Option<Cycle> {
        events.clear();
        if self.slots[(self.now & MASK) as usize].is_empty() && !self.advance() {
            return None;
        }
        // The slot reuses the allocation of the events before.
        std::mem::swap(&mut self.slots[(self.now & MASK) as usize], events);
        Some(self.now)
    }

    #[inline]
    fn has_now(&self) -> bool {
        !self.slots[(self.now & MASK) as usize].is_empty()
    }

    fn events(&self) -> Vec<(Cycle, Event)> {
        let slot = |at: Cycle| self.slots[(at & MASK) as usize].iter().map(move |event| (at, *event));
        let mut events: Vec<_> = slot(self.now).collect();
        let start = (self.now + 1) & MASK;
        for word in 0..WORDS {
            let mut occupied = self.occupied[word];
            while occupied != 0 {
                let place = word as u64 * 64 + u64::from(occupied.trailing_zeros());
                occupied &= occupied - 1;
                let at = self.now + 1 + (place.wrapping_sub(start) & MASK);
                if at - self.now <= MASK {
                    events.extend(slot(at));
                }
            }
        }
        // Those of a cycle keep their order.
        events.sort_by_key(|(at, _)| *at);
        let mut far: Vec<_> = self.overflow.iter().map(|Reverse(event)| *event).collect();
        far.sort_unstable();
        events.extend(far.into_iter().map(|(at, _, event)| (at, event)));
        events
    }

    fn delay(&mut self, cycles: Cycle) {
        debug_assert!(!self.has_now(), "events wait for the cycle that is to be later");
        let events = self.events();
        *self = Self { now: self.now + cycles, ..Self::default() };
        events.into_iter().for_each(|(at, event)| self.push(at + cycles, event));
    }

    fn put_off(&mut self, cycles: Cycle, of: &dyn Fn(PartId) -> bool) {
        debug_assert!(!self.has_now(), "events wait for the cycle last taken");
        let mut later = self.events();
        later.retain(|(_, event)| of(event.part));
        for &(at, _) in later.iter().filter(|(at, _)| at - self.now <= MASK) {
            let slot = (at & MASK) as usize;
            self.slots[slot].retain(|event| !of(event.part));
            if self.slots[slot].is_empty() {
                self.occupied[slot / 64] &= !(1 << (slot % 64));
            }
        }
        self.overflow.retain(|Reverse((.., event))| !of(event.part));
        later.into_iter().for_each(|(at, event)| self.push(at + cycles, event));
    }

    fn len(&self) -> usize {
        self.slots.iter().map(Vec::len).sum::<usize>() + self.overflow.len()
    }
}
