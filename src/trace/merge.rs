//! Rows of equal pieces put together before they are written.
//!
//! With the default grain each read of a position is a row, and so are its conversions and additions. Most often they
//! follow each other evenly and cost the same: one row with `repeats` says as much, for an eighth of the rows with 8 bits
//! an input. What differs in anything, its energy included, stays a row of its own, so no cycle and no attojoule is lost.

use crate::kernel::Cycle;
use crate::trace::{Action, Moved, Span, SpanSink};
use std::ops::Range;
use std::time::Duration;

/// Array groups of a stage whose rows are put together apart from each other. Stages with more have longer traces.
const GROUPS: usize = 4;

/// A row that may grow: its first piece, the number of pieces (0: there is none) and the cycles from one to the next.
#[derive(Debug, Clone, Copy)]
struct Open {
    first: Span,
    repeats: u32,
    period: Cycle,
}

impl Open {
    /// The row. Its sums fit 64 bits, see [`Open::grow`].
    fn row(&self) -> Span {
        let pieces = u64::from(self.repeats);
        let (count, energy) = (self.first.count * pieces, self.first.energy * pieces);
        Span { repeats: self.repeats, period: self.period, count, energy, ..self.first }
    }

    /// Takes a piece in, if it is like the others and follows them evenly.
    #[inline(always)]
    fn grow(&mut self, piece: &Span) -> bool {
        let first = &self.first;
        // Joined bit by bit: most often all are equal, and one branch is enough.
        let alike = (first.duration == piece.duration)
            & (first.position == piece.position)
            & (first.energy == piece.energy)
            & (first.count == piece.count)
            & (first.units == piece.units)
            & (first.unit == piece.unit)
            & (first.group == piece.group)
            & (first.member == piece.member)
            & (first.image == piece.image)
            & (first.layer == piece.layer)
            & (first.stage == piece.stage)
            & (first.action == piece.action)
            & (first.component == piece.component)
            & (first.plane == piece.plane);
        if !alike {
            return false;
        }
        let period = if self.repeats == 1 { piece.start.wrapping_sub(first.start) } else { self.period };
        let pieces = self.repeats.wrapping_add(1);
        let even = period >= first.duration
            && piece.start > first.start
            && piece.start - first.start == u64::from(self.repeats).wrapping_mul(period);
        if !even || pieces == 0 || first.count.max(first.energy).checked_mul(pieces.into()).is_none() {
            return false;
        }
        (self.repeats, self.period) = (pieces, period);
        true
    }
}

/// Puts rows together on their way to another sink. They reach it when the next one of their stage, group and action does
/// not fit them, or with [`Merge::finish`].
#[derive(Debug)]
pub struct Merge<K> {
    sink: K,
    /// Cycles whose rows are left as they are.
    window: Range<Cycle>,
    /// By stage, group and action.
    open: Vec<Open>,
}

impl<K: SpanSink> Merge<K> {
    /// For a sink. What lies in `window`, in part or as a whole, is left as it is.
    #[must_use]
    pub fn new(sink: K, window: Range<Cycle>) -> Self {
        Self { sink, window, open: Vec::new() }
    }

    /// Hands on what is left, and gives the sink back.
    #[must_use]
    pub fn finish(mut self) -> K {
        for open in self.open.iter().filter(|open| open.repeats > 0) {
            self.sink.push(&open.row());
        }
        self.sink
    }

    /// A place that no row has used yet.
    #[cold]
    #[inline(never)]
    fn open(&mut self, place: usize, span: &Span) {
        self.open.resize(place + 1, Open { first: *span, repeats: 0, period: 0 });
    }
}

impl<K: SpanSink> SpanSink for Merge<K> {
    const FOLLOWS: bool = K::FOLLOWS;

    #[inline]
    fn push(&mut self, span: &Span) {
        let seen = span.start < self.window.end && span.end() > self.window.start;
        if span.repeats != 1 || seen {
            self.sink.push(span);
            return;
        }
        let of_stage = span.stage as usize * GROUPS + span.group as usize % GROUPS;
        let place = of_stage * Action::ALL.len() + span.action as usize;
        if place >= self.open.len() {
            self.open(place, span);
        }
        let open = &mut self.open[place];
        if open.repeats > 0 {
            if open.grow(span) {
                return;
            }
            self.sink.push(&open.row());
        }
        *open = Open { first: *span, repeats: 1, period: span.period };
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
    use crate::trace::{Component, NONE};
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
        for other in [at(11), at(10), Span { energy: 12, ..at(15) }, Span { position: 8, ..at(15) }] {
            assert_eq!(merged(&[at(10), other], 0..0), [at(10), other]);
        }
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
