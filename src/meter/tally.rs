//! The fast way into a ledger.
//!
//! Neighbouring spans of one layer, plane, component and action are mostly for the same image and member. Their sums are kept
//! in one cache line and 64 bits each, and go to the ledger when image or member changes, or a sum would not fit.

use super::ledger::{Account, Entry, Interval, Ledger, PLANES, place};
use crate::mapping::Plane;
use crate::trace::{Action, Component, Span, SpanSink};

/// Sums of spans of one account, image and member that the ledger has not got yet.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Open {
    /// Image and member, see [`key`].
    key: u64,
    unit_cycles: u64,
    energy: u64,
    count: u64,
    rows: u64,
    window: Interval,
}

impl Open {
    const fn new(key: u64) -> Self {
        Self { key, unit_cycles: 0, energy: 0, count: 0, rows: 0, window: Interval::EMPTY }
    }
}

/// Image and member in one number.
#[inline]
fn key(span: &Span) -> u64 {
    u64::from(span.image) << 32 | u64::from(span.member)
}

/// One for each component and action.
type Row = [[Open; Action::ALL.len()]; Component::ALL.len()];

/// Takes spans for a [`Ledger`]: the same sums as if the ledger took them itself, in less time.
#[derive(Debug, Clone)]
pub struct Tally {
    /// What belongs to no layer, then the layers, each with a row for each plane.
    rows: Vec<Row>,
    ledger: Ledger,
}

impl Tally {
    /// For a ledger.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        const EMPTY: Row = [[Open::new(0); Action::ALL.len()]; Component::ALL.len()];
        Self { rows: vec![EMPTY; (ledger.layers() as usize + 1) * PLANES], ledger }
    }

    /// The ledger, with everything that came.
    #[must_use]
    pub fn ledger(mut self) -> Ledger {
        for (i, row) in self.rows.iter().enumerate() {
            let layer = (i / PLANES).checked_sub(1).map(|layer| layer as u32);
            let plane = Plane::ALL.get(i % PLANES).copied();
            for (open, &component) in row.iter().zip(Component::ALL) {
                for (open, &action) in open.iter().zip(Action::ALL) {
                    close(open, &Account { layer, plane, component, action }, &mut self.ledger);
                }
            }
        }
        self.ledger
    }

    /// Row of a span's layer, of which [`NONE`] comes before 0, and plane.
    #[inline]
    fn row(span: &Span) -> usize {
        span.layer.wrapping_add(1) as usize * PLANES + place(span.plane)
    }

    /// A span that cannot be added to what is open.
    #[inline(never)]
    fn turn_over(&mut self, span: &Span) {
        let open = &mut self.rows[Self::row(span)][span.component as usize][span.action as usize];
        close(open, &Account::of(span), &mut self.ledger);
        *open = Open::new(key(span));
        self.ledger.push(span);
    }
}

fn close(open: &Open, account: &Account, ledger: &mut Ledger) {
    let Open { key, unit_cycles, energy, count, rows, window } = *open;
    if rows > 0 {
        let [unit_cycles, energy, count] = [unit_cycles, energy, count].map(u128::from);
        let sums = Entry { unit_cycles, energy, count, rows, window };
        ledger.add(account, ((key >> 32) as u32, key as u32), &sums);
    }
}

impl SpanSink for Tally {
    #[inline(always)]
    fn push(&mut self, span: &Span) {
        let open = &mut self.rows[Self::row(span)][span.component as usize][span.action as usize];
        let units = u64::from(span.repeats) * u64::from(span.units);
        if let Some(unit_cycles) = span.duration.checked_mul(units)
            && let Some(unit_cycles) = open.unit_cycles.checked_add(unit_cycles)
            && let Some(energy) = open.energy.checked_add(span.energy)
            && let Some(count) = open.count.checked_add(span.count)
            && open.key == key(span)
        {
            open.unit_cycles = unit_cycles;
            open.energy = energy;
            open.count = count;
            open.rows += 1;
            open.window.widen(Interval { start: span.start, end: span.end() });
        } else {
            // A copy, so that the span needs no memory where this is not called.
            self.turn_over(&Span { ..*span });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::NONE;
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
