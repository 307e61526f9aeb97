//! The fast way into a ledger.
//!
//! Neighbouring spans of one layer, plane, component and action are mostly for the same image and member. Their sums are kept
//! in one cache line and 64 bits each, and go to the ledger when image or member changes, or a sum might not fit.

use super::ledger::{Account, Entry, Interval, Ledger, Sums};
use crate::mapping::Plane;
use crate::trace::span::{KINDS, PLANES, of_kind};
use crate::trace::{Lap, Span, SpanSink};
use std::collections::VecDeque;

/// Bits of what a span may add to an open sum, and number of spans for which the sum fits 64 bits then.
const BITS: u32 = 48;
const FULL: u64 = 1 << (u64::BITS - BITS);

/// Sums of spans of one account, image and member that the ledger has not got yet.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Open {
    unit_cycles: u64,
    energy: u64,
    count: u64,
    window: Interval,
    /// Spans that may still be added.
    room: u64,
    image: u32,
    member: u32,
}

impl Open {
    const fn new(image: u32, member: u32) -> Self {
        Self { unit_cycles: 0, energy: 0, count: 0, window: Interval::EMPTY, room: FULL, image, member }
    }
}

/// Takes spans for a [`Ledger`]: the same sums as if the ledger took them itself, in less time.
#[derive(Debug, Clone)]
pub struct Tally {
    /// By [`Span::account`].
    open: Vec<Open>,
    /// What has come since the last mark.
    ledger: Ledger,
    /// What has come between the last marks, and all before, where there are marks.
    marked: VecDeque<Sums>,
    before: Option<Ledger>,
}

impl Tally {
    /// For a ledger.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        Self {
            open: vec![Open::new(0, 0); (ledger.layers() as usize + 1) * PLANES * KINDS],
            ledger,
            marked: VecDeque::new(),
            before: None,
        }
    }

    /// The ledger, with everything that came.
    #[must_use]
    pub fn ledger(mut self) -> Ledger {
        if self.before.is_some() {
            self.mark(0);
        } else {
            self.close_all();
        }
        self.before.unwrap_or(self.ledger)
    }

    /// Moves all open sums to the ledger.
    fn close_all(&mut self) {
        (0..self.open.len()).for_each(|account| self.close(account));
    }

    /// The sums of all before the last `most` marks.
    fn settle(&mut self, most: usize) -> &mut Ledger {
        let before = self
            .before
            .get_or_insert_with(|| Ledger::new(self.ledger.layers(), self.ledger.images(), self.ledger.members()));
        while self.marked.len() > most {
            before.put(&self.marked.pop_front().expect("there are more"));
        }
        before
    }

    /// Moves the open sums of an account to the ledger.
    #[cold]
    #[inline(never)]
    fn close(&mut self, account: usize) {
        let open = &mut self.open[account];
        let Open { unit_cycles, energy, count, window, room, image, member } = *open;
        if room < FULL {
            let (row, (component, action)) = (account / KINDS, of_kind(account % KINDS));
            let layer = (row / PLANES).checked_sub(1).map(|layer| layer as u32);
            let plane = Plane::ALL.get(row % PLANES).copied();
            let [unit_cycles, energy, count] = [unit_cycles, energy, count].map(u128::from);
            let sums = Entry { unit_cycles, energy, count, rows: FULL - room, window };
            self.ledger.add(&Account { layer, plane, component, action }, (image, member), &sums);
            *open = Open::new(image, member);
        }
    }

    /// A span that cannot be added to what is open.
    #[cold]
    #[inline(never)]
    fn turn_over(&mut self, span: &Span) {
        let account = span.account();
        self.close(account);
        self.open[account] = Open::new(span.image, span.member);
        self.ledger.push(span);
    }
}

impl SpanSink for Tally {
    fn repeats(&self) -> bool {
        true
    }

    fn mark(&mut self, most: usize) {
        self.close_all();
        self.marked.push_back(self.ledger.take());
        self.settle(most);
    }

    fn repeat(&mut self, marks: usize, times: u32, lap: Lap) {
        let period = self.marked.split_off(self.marked.len() - marks);
        let before = self.settle(0);
        for sums in &period {
            before.put(sums);
            before.put_again(sums, times, lap);
        }
    }

    #[inline(always)]
    fn push(&mut self, span: &Span) {
        self.push_to(span.account(), span);
    }

    #[inline(always)]
    fn push_to(&mut self, account: usize, span: &Span) {
        debug_assert_eq!(account, span.account());
        let open = &mut self.open[account];
        let units = u64::from(span.repeats) * u64::from(span.units);
        let unit_cycles = u128::from(span.duration) * u128::from(units);
        // Joined bit by bit, so that one branch decides and what only the other path needs is not loaded.
        let large = (unit_cycles as u64 | span.energy | span.count) >> BITS | (unit_cycles >> 64) as u64;
        let other = (open.image ^ span.image) | (open.member ^ span.member);
        if large | u64::from(other) == 0 {
            open.unit_cycles += unit_cycles as u64;
            open.energy += span.energy;
            open.count += span.count;
            open.window.widen(Interval { start: span.start, end: span.end() });
            open.room -= 1;
            if open.room == 0 {
                self.close(account);
            }
        } else {
            // A copy, so that the span needs no memory where this is not called.
            self.turn_over(&Span { ..*span });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Action, Component, NONE};
    use proptest::prelude::*;

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        let index = || prop_oneof![4 => 0..2_u32, 1 => Just(NONE)];
        let sum = || prop_oneof![4 => 0..1000_u64, 1 => Just(u64::MAX)];
        let duration = prop_oneof![4 => 0..100_u64, 1 => Just(1 << 40)];
        let units = prop_oneof![4 => 0..10_u32, 1 => Just(u32::MAX)];
        let plane = prop::sample::select(vec![None, Some(Plane::Deterministic), Some(Plane::Stochastic)]);
        let action = prop::sample::select(vec![Action::Read, Action::Convert, Action::WaitPort]);
        let kind = (plane, 0..Component::ALL.len(), action);
        let span = (0..1000_u64, duration, 1..4_u32, kind, (index(), index(), index()), units, sum(), sum()).prop_map(
            |(start, duration, repeats, (plane, component, action), (layer, image, member), units, count, energy)| {
                Span {
                    start,
                    duration,
                    repeats,
                    period: duration,
                    component: Component::ALL[component],
                    action,
                    plane,
                    layer,
                    group: NONE,
                    stage: 0,
                    image,
                    member,
                    position: 0,
                    unit: 0,
                    units,
                    count,
                    energy,
                }
            },
        );
        // Runs of one span: the case that is made fast.
        let run = (span, 1..4_usize).prop_map(|(span, times)| vec![span; times]);
        prop::collection::vec(run, 0..60).prop_map(|runs| runs.concat())
    }

    /// Sums of 2^17 spans that each add as much as the fast path takes.
    #[test]
    fn sums_never_wrap() {
        let most = (1 << BITS) - 1;
        let span = Span {
            start: 0,
            duration: most,
            repeats: 1,
            period: most,
            component: Component::Adc,
            action: Action::Convert,
            plane: None,
            layer: NONE,
            group: NONE,
            stage: 0,
            image: 0,
            member: 0,
            position: 0,
            unit: 0,
            units: 1,
            count: most,
            energy: most,
        };
        let mut tally = Tally::new(Ledger::new(1, 1, 1));
        (0..2 * FULL).for_each(|_| tally.push(&span));
        let sums = tally.ledger().entry(None, Component::Adc, Action::Convert);
        let sum = u128::from(2 * FULL) * u128::from(most);
        assert_eq!(
            [sums.unit_cycles, sums.energy, sums.count, sums.rows.into()],
            [sum, sum, sum, u128::from(2 * FULL)]
        );
    }

    proptest! {
        #[test]
        fn the_ledger_is_the_same(spans in spans()) {
            let mut ledger = Ledger::new(2, 2, 2);
            let mut tally = Tally::new(ledger.clone());
            for span in &spans {
                ledger.push(span);
                tally.push(span);
            }
            prop_assert_eq!(tally.ledger(), ledger);
        }
    }
}
