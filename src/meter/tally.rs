//! The fast way into a ledger.
//!
//! Neighbouring spans of one layer, plane, component and action are mostly for the same image and member. Their sums are kept
//! in one cache line and 64 bits each, and go to the ledger when image or member changes, or a sum might not fit.

use super::ledger::{Account, Entry, Interval, Ledger};
use crate::mapping::Plane;
use crate::trace::span::{KINDS, PLANES, booked_at, of_kind};
use crate::trace::{Lap, NONE, OfLayer, Span, SpanSink};
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

/// Image and member of an account that nothing has come for.
const UNUSED: u32 = NONE - 1;

/// Sums that have gone to the ledger: number of their account, image and member.
#[derive(Debug, Clone, Copy)]
struct Booked {
    number: usize,
    pass: (u32, u32),
    sums: Entry,
}

/// What has gone to the ledger since the first of some marks.
#[derive(Debug, Clone, Default)]
struct Log {
    /// Numbers of marks, with the place at which each is.
    marks: VecDeque<(u32, usize)>,
    booked: VecDeque<Booked>,
    /// Places of what is forgotten: those above are counted from the first that there ever was.
    forgotten: usize,
    /// By the number of an account, the place after its last sums, if sums of one account, image and member are to be one
    /// between two marks.
    last: Vec<usize>,
}

impl Log {
    fn push(&mut self, booked: Booked) {
        let Some(&(_, mark)) = self.marks.back() else { return };
        let end = self.end();
        if let Some(last) = self.last.get_mut(booked.number) {
            if *last > mark {
                let before = &mut self.booked[*last - 1 - self.forgotten];
                if before.pass == booked.pass {
                    return before.sums.join(&booked.sums);
                }
            }
            *last = end + 1;
        }
        self.booked.push_back(booked);
    }

    /// The place of what comes next.
    fn end(&self) -> usize {
        self.forgotten + self.booked.len()
    }

    fn mark(&mut self, number: u32) {
        self.marks.push_back((number, self.end()));
    }

    /// Forgets the marks before the one of this number.
    fn forget_before(&mut self, oldest: u32) {
        let gone = self.marks.partition_point(|(number, _)| *number < oldest);
        self.marks.drain(..gone);
        let first = self.marks.front().map_or(self.end(), |(_, at)| *at);
        self.booked.drain(..first - self.forgotten);
        self.forgotten = first;
    }

    fn since(&self, mark: u32) -> impl Iterator<Item = &Booked> {
        let at = self.marks.iter().find(|(number, _)| *number == mark).map_or(self.end(), |(_, at)| *at);
        self.booked.iter().skip(at - self.forgotten)
    }
}

/// Takes spans for a [`Ledger`]: the same sums as if the ledger took them itself, in less time.
#[derive(Debug, Clone)]
pub struct Tally {
    /// By [`Span::account`].
    open: Vec<Open>,
    /// Numbers of accounts that something has come for, and whether they are of the link into the layer: of the chip, and of
    /// each layer.
    used: Vec<Vec<(usize, bool)>>,
    ledger: Ledger,
    /// What the whole run has booked since the last marks, and how many marks there were.
    log: Log,
    marks: u32,
    /// What each layer has.
    logs: Vec<Log>,
    /// For each layer the one whose output comes in by its link.
    into: Vec<u32>,
}

impl Tally {
    /// For a ledger.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        let layers = ledger.layers() as usize;
        Self {
            open: vec![Open::new(UNUSED, UNUSED); (layers + 1) * PLANES * KINDS],
            used: vec![Vec::new(); layers + 1],
            ledger,
            log: Log { last: vec![0; (layers + 1) * PLANES * KINDS], ..Log::default() },
            marks: 0,
            logs: vec![Log::default(); layers],
            into: vec![NONE; layers],
        }
    }

    /// The ledger, with everything that came.
    #[must_use]
    pub fn ledger(mut self) -> Ledger {
        self.close_all();
        self.ledger
    }

    /// Moves all open sums to the ledger.
    fn close_all(&mut self) {
        for row in 0..self.used.len() {
            (0..self.used[row].len()).for_each(|at| self.close(self.used[row][at].0));
        }
    }

    /// The layer of an account's number, whether it is of the link into it, and the account.
    fn account(number: usize) -> (Option<u32>, bool, Account) {
        let (row, (component, action)) = (number / KINDS, of_kind(number % KINDS));
        let of_layer = (row / PLANES).checked_sub(1).map(|layer| layer as u32);
        let of_plane = Plane::ALL.get(row % PLANES).copied();
        let (layer, plane) = booked_at(of_layer, of_plane, component);
        (of_layer, plane != of_plane, Account { layer, plane, component, action })
    }

    /// Adds sums to the ledger.
    fn book(&mut self, number: usize, pass: (u32, u32), sums: &Entry) {
        let (layer, of_link, account) = Self::account(number);
        self.ledger.add(&account, pass, sums);
        let booked = Booked { number, pass, sums: *sums };
        self.log.push(booked);
        let by = layer.map(|layer| if of_link { self.into[layer as usize] } else { layer });
        if let Some(log) = by.and_then(|by| self.logs.get_mut(by as usize)) {
            log.push(booked);
        }
    }

    /// Moves the open sums of an account to the ledger.
    #[cold]
    #[inline(never)]
    fn close(&mut self, account: usize) {
        let open = &mut self.open[account];
        let Open { unit_cycles, energy, count, window, room, image, member } = *open;
        if room < FULL {
            *open = Open::new(image, member);
            let [unit_cycles, energy, count] = [unit_cycles, energy, count].map(u128::from);
            let sums = Entry { unit_cycles, energy, count, rows: FULL - room, window };
            self.book(account, (image, member), &sums);
        }
    }

    /// A span that cannot be added to what is open.
    #[cold]
    #[inline(never)]
    fn turn_over(&mut self, account: usize, span: &Span) {
        if self.open[account].image == UNUSED {
            self.used[account / KINDS / PLANES].push((account, Self::account(account).1));
        }
        self.close(account);
        self.open[account] = Open::new(span.image, span.member);
        self.book(account, (span.image, span.member), &Entry::of(span));
    }
}

impl SpanSink for Tally {
    fn repeats(&self) -> bool {
        true
    }

    fn mark(&mut self, most: usize) {
        self.close_all();
        self.log.mark(self.marks);
        self.marks += 1;
        self.log.forget_before(self.marks.saturating_sub(most as u32 + 1));
    }

    fn repeat(&mut self, marks: usize, times: u32, lap: Lap) {
        for Booked { number, pass, sums } in self.log.since(self.marks - 1 - marks as u32) {
            self.ledger.add_again(&Self::account(*number).2, *pass, sums, times, lap);
        }
        self.log.forget_before(self.marks);
    }

    fn mark_layer(&mut self, of: OfLayer, mark: u32, oldest: u32) {
        self.into[of.consumer as usize] = of.layer;
        for (layer, link) in [(of.layer, false), (of.consumer, true)] {
            let row = layer as usize + 1;
            for at in 0..self.used[row].len() {
                let (account, of_link) = self.used[row][at];
                if of_link == link && self.open[account].room < FULL {
                    self.close(account);
                }
            }
        }
        let log = &mut self.logs[of.layer as usize];
        log.forget_before(oldest);
        log.mark(mark);
    }

    fn repeat_layer(&mut self, layer: u32, mark: u32, times: u32, cycles: u64) {
        let again: Vec<Booked> = self.logs[layer as usize].since(mark).copied().collect();
        for Booked { number, pass, sums } in again {
            self.book(number, pass, &sums.again(times, cycles));
        }
    }

    fn forget_layer(&mut self, layer: u32) {
        self.logs[layer as usize].forget_before(u32::MAX);
    }

    #[inline(always)]
    fn push(&mut self, span: &Span) {
        self.push_to(span.account(), span);
    }

    #[inline(always)]
    fn push_to(&mut self, account: usize, span: &Span) {
        debug_assert!(span.is_of(account));
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
            self.turn_over(account, &Span { ..*span });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Action, Component};
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
                // Buffers and links belong to no array.
                let of_arrays = ![Component::Buffer, Component::Link].contains(&Component::ALL[component]);
                let plane = plane.filter(|_| of_arrays);
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
