//! Rows of equal pieces put together before they are written.
//!
//! With the default grain each read of a position is a row, and so are its conversions and additions. Most often they
//! follow each other evenly and cost the same, within a position and from one position to the next: one row with `repeats`
//! says as much. What differs in anything, its energy included, stays a row of its own, so no cycle and no attojoule is lost.

use crate::kernel::Cycle;
use crate::trace::{Moved, Span, SpanSink};
use std::ops::Range;
use std::time::Duration;

/// Rows that can grow at the same time, a power of two. Two that fall onto the same slot close each other at each piece:
/// a run with more of them has a longer trace.
const SLOTS: usize = 1 << 12;

/// A row that may grow. Aligned, so that it lies in two cache lines.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Open {
    /// Its first piece, whose position is the row's.
    first: Span,
    /// Its account.
    account: usize,
    /// Number of pieces.
    repeats: u32,
    /// Number of pieces for which the row's sums fit 64 bits.
    most: u32,
    /// Cycles from one piece to the next, and the start of the next one; not known of a single piece.
    period: Cycle,
    next: Cycle,
}

impl Open {
    fn new(account: usize, first: &Span) -> Self {
        let most = u64::MAX / first.count.max(first.energy).max(1);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        Self { first: *first, account, repeats: 1, most, period: first.period, next: first.start }
    }

    /// The row.
    fn row(&self) -> Span {
        let pieces = u64::from(self.repeats);
        let (count, energy) = (self.first.count * pieces, self.first.energy * pieces);
        Span { repeats: self.repeats, period: self.period, count, energy, ..self.first }
    }

    /// Takes a piece in, if it is like the others and follows them evenly.
    #[inline(always)]
    fn grow(&mut self, account: usize, piece: &Span) -> bool {
        let first = &self.first;
        // Joined bit by bit: most often nothing differs, and one branch is enough. The account stands for the layer, plane,
        // component and action: bytes that were just stored one by one are slow to load together.
        let accounts = (self.account ^ account) as u64;
        let long =
            accounts | (first.duration ^ piece.duration) | (first.energy ^ piece.energy) | (first.count ^ piece.count);
        let short = (first.units ^ piece.units)
            | (first.unit ^ piece.unit)
            | (first.group ^ piece.group)
            | (first.member ^ piece.member)
            | (first.image ^ piece.image)
            | (first.stage ^ piece.stage);
        if long | u64::from(short) != 0 || self.repeats == self.most {
            return false;
        }
        if self.next == piece.start && self.repeats > 1 {
            self.repeats += 1;
            self.next += self.period;
            return true;
        }
        self.begin(piece.start)
    }

    /// Takes the second piece in, unless it overlaps the first.
    #[cold]
    #[inline(never)]
    fn begin(&mut self, start: Cycle) -> bool {
        let Some(period) = start.checked_sub(self.first.start) else { return false };
        if self.repeats > 1 || period < self.first.duration.max(1) {
            return false;
        }
        (self.repeats, self.period, self.next) = (2, period, start.saturating_add(period));
        true
    }
}

/// Puts rows together on their way to another sink. They reach it when the next one of their stage, units and action does
/// not fit them, or with [`Merge::finish`].
#[derive(Debug)]
pub struct Merge<K> {
    sink: K,
    /// Cycles whose rows are left as they are.
    window: Range<Cycle>,
    /// By [`slot`].
    open: Box<[Option<Open>]>,
}

impl<K: SpanSink> Merge<K> {
    /// For a sink. What lies in `window`, in part or as a whole, is left as it is.
    #[must_use]
    pub fn new(sink: K, window: Range<Cycle>) -> Self {
        Self { sink, window, open: vec![None; SLOTS].into() }
    }

    /// Hands on what is left, and gives the sink back.
    #[must_use]
    pub fn finish(mut self) -> K {
        for open in self.open.iter().flatten() {
            self.sink.push(&open.row());
        }
        self.sink
    }
}

/// The slot of the row that a piece may continue, by what does it and what it does.
#[inline(always)]
fn slot(account: usize, piece: &Span) -> usize {
    let units = u64::from(piece.stage) << 32 | u64::from(piece.unit ^ piece.group);
    // The upper bits of a product depend on all bits of its factors.
    ((units ^ (account as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize % SLOTS
}

impl<K: SpanSink> SpanSink for Merge<K> {
    const FOLLOWS: bool = K::FOLLOWS;

    fn push(&mut self, span: &Span) {
        self.push_to(span.account(), span);
    }

    #[inline]
    fn push_to(&mut self, account: usize, span: &Span) {
        // What a link books at its far end is put together with what others book there.
        debug_assert!(span.is_of(account));
        let account = span.account();
        let seen = span.start < self.window.end && span.end() > self.window.start;
        if span.repeats != 1 || seen {
            self.sink.push(span);
            return;
        }
        let open = &mut self.open[slot(account, span)];
        if let Some(open) = open {
            if open.grow(account, span) {
                return;
            }
            self.sink.push(&open.row());
        }
        *open = Some(Open::new(account, span));
    }

    #[inline(always)]
    fn moved(&mut self, moved: &Moved) {
        self.sink.moved(moved);
    }

    fn waited(&self) -> Duration {
        self.sink.waited()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Action, Component, NONE};
    use proptest::prelude::*;

    const PIECE: Span = Span {
        start: 0,
        duration: 2,
        repeats: 1,
        period: 2,
        component: Component::Crossbar,
        action: Action::Read,
        plane: None,
        layer: 0,
        group: 0,
        stage: 3,
        image: 0,
        member: 0,
        position: 7,
        unit: 0,
        units: 4,
        count: 5,
        energy: 11,
    };

    fn merged(spans: &[Span], window: Range<Cycle>) -> Vec<Span> {
        let mut merge = Merge::new(Vec::new(), window);
        spans.iter().for_each(|span| SpanSink::push(&mut merge, span));
        merge.finish()
    }

    /// Units of a stage that work in turn do not close each other's rows.
    #[test]
    fn every_unit_has_rows_of_its_own() {
        let at = |unit: u32, start| Span { unit, start, component: Component::Link, group: NONE, ..PIECE };
        let spans: Vec<Span> = (0..10).flat_map(|turn| (0..3).map(move |unit| at(unit, 10 * turn))).collect();
        assert_eq!(merged(&spans, 0..0).len(), 3);
    }

    #[test]
    fn equal_pieces_at_equal_intervals_are_one_row() {
        let at = |start| Span { start, ..PIECE };
        let row = Span { start: 10, repeats: 3, period: 5, count: 15, energy: 33, ..PIECE };
        assert_eq!(merged(&[at(10), at(15), at(20)], 0..0), [row]);
        // 22 breaks the rhythm, and begins a row of its own.
        assert_eq!(
            merged(&[at(10), at(15), at(20), at(22), at(24)], 0..0),
            [row, Span { start: 22, repeats: 2, period: 2, count: 10, energy: 22, ..PIECE }]
        );
        // The piece in [15, 17) lies in the window.
        let others = Span { start: 10, repeats: 2, period: 10, count: 10, energy: 22, ..PIECE };
        assert_eq!(merged(&[at(10), at(15), at(20)], 16..17), [at(15), others]);
        // Pieces that overlap, or do different things, stay apart.
        for other in [at(11), at(10), Span { energy: 12, ..at(15) }, Span { member: 1, ..at(15) }] {
            assert_eq!(merged(&[at(10), other], 0..0), [at(10), other]);
        }
        // From one position to the next, too.
        let next = Span { position: 8, ..at(15) };
        assert_eq!(merged(&[at(10), next], 0..0), [Span { repeats: 2, period: 5, count: 10, energy: 22, ..at(10) }]);
        let most = Span { energy: u64::MAX / 2 + 1, ..at(10) };
        let next = Span { start: 15, ..most };
        assert_eq!(merged(&[most, next], 0..0), [most, next]);
    }

    /// Runs of even steps, now and then broken.
    fn spans() -> impl Strategy<Value = Vec<Span>> {
        let kind = (0..3_u32, prop_oneof![Just(NONE), 0..6_u32], 0..2_u64, 0..3_u64);
        let run =
            (kind, 1..6_u64, 1..6_u64, 1..3_u32).prop_map(|((stage, group, energy, duration), runs, step, repeats)| {
                let period = if repeats == 1 { duration } else { duration + 1 };
                let first = Span { stage, group, energy, duration, repeats, period, ..PIECE };
                (0..runs).map(move |i| Span { start: 10 * runs + i * step, ..first }).collect::<Vec<_>>()
            });
        prop::collection::vec(run, 0..30).prop_map(|runs| runs.concat())
    }

    proptest! {
        /// The pieces are the same ones, whatever rows they are in.
        #[test]
        fn no_piece_is_lost_or_changed(spans in spans(), from in 0..40_u64) {
            let pieces = |rows: &[Span]| {
                let mut pieces: Vec<Span> = rows.iter().flat_map(Span::pieces).collect();
                pieces.sort_by_key(|p| (p.stage, p.group, p.start, p.duration, p.count, p.energy));
                pieces
            };
            let rows = merged(&spans, from..from + 5);
            prop_assert_eq!(pieces(&rows), pieces(&spans));
            prop_assert!(rows.len() <= spans.len());
        }
    }
}
