//! Sinks made of other things: a vector keeps spans as they are, a pair feeds two sinks, a reference lends one.
//!
//! Those that hand a span on are always inlined: it may then never be written to memory.

use crate::trace::{Lap, Moved, OfLayer, Span, SpanSink};
use std::time::Duration;

/// Keeps every span, in order.
impl SpanSink for Vec<Span> {
    #[inline]
    fn push(&mut self, span: &Span) {
        Vec::push(self, *span);
    }
}

/// Gives every span to both.
impl<A: SpanSink, B: SpanSink> SpanSink for (A, B) {
    const FOLLOWS: bool = A::FOLLOWS || B::FOLLOWS;

    #[inline(always)]
    fn push(&mut self, span: &Span) {
        self.0.push(span);
        self.1.push(span);
    }

    #[inline(always)]
    fn moved(&mut self, moved: &Moved) {
        self.0.moved(moved);
        self.1.moved(moved);
    }

    #[inline(always)]
    fn push_to(&mut self, account: usize, span: &Span) {
        self.0.push_to(account, span);
        self.1.push_to(account, span);
    }

    fn repeats(&self) -> bool {
        self.0.repeats() && self.1.repeats()
    }

    fn mark(&mut self, most: usize) {
        self.0.mark(most);
        self.1.mark(most);
    }

    fn repeat(&mut self, marks: usize, times: u32, lap: Lap) {
        self.0.repeat(marks, times, lap);
        self.1.repeat(marks, times, lap);
    }

    fn mark_layer(&mut self, layer: OfLayer, mark: u32, oldest: u32) {
        self.0.mark_layer(layer, mark, oldest);
        self.1.mark_layer(layer, mark, oldest);
    }

    fn repeat_layer(&mut self, layer: u32, mark: u32, times: u32, cycles: u64) {
        self.0.repeat_layer(layer, mark, times, cycles);
        self.1.repeat_layer(layer, mark, times, cycles);
    }

    fn forget_layer(&mut self, layer: u32) {
        self.0.forget_layer(layer);
        self.1.forget_layer(layer);
    }

    fn waited(&self) -> Duration {
        self.0.waited() + self.1.waited()
    }
}

/// Lends a sink.
impl<S: SpanSink> SpanSink for &mut S {
    const FOLLOWS: bool = S::FOLLOWS;

    #[inline(always)]
    fn push(&mut self, span: &Span) {
        (**self).push(span);
    }

    #[inline(always)]
    fn moved(&mut self, moved: &Moved) {
        (**self).moved(moved);
    }

    #[inline(always)]
    fn push_to(&mut self, account: usize, span: &Span) {
        (**self).push_to(account, span);
    }

    fn repeats(&self) -> bool {
        (**self).repeats()
    }

    fn mark(&mut self, most: usize) {
        (**self).mark(most);
    }

    fn repeat(&mut self, marks: usize, times: u32, lap: Lap) {
        (**self).repeat(marks, times, lap);
    }

    fn mark_layer(&mut self, layer: OfLayer, mark: u32, oldest: u32) {
        (**self).mark_layer(layer, mark, oldest);
    }

    fn repeat_layer(&mut self, layer: u32, mark: u32, times: u32, cycles: u64) {
        (**self).repeat_layer(layer, mark, times, cycles);
    }

    fn forget_layer(&mut self, layer: u32) {
        (**self).forget_layer(layer);
    }

    fn waited(&self) -> Duration {
        (**self).waited()
    }
}

/// A sink that may be absent.
impl<S: SpanSink> SpanSink for Option<S> {
    const FOLLOWS: bool = S::FOLLOWS;

    #[inline(always)]
    fn push(&mut self, span: &Span) {
        if let Some(sink) = self {
            sink.push(span);
        }
    }

    #[inline(always)]
    fn moved(&mut self, moved: &Moved) {
        if let Some(sink) = self {
            sink.moved(moved);
        }
    }

    #[inline(always)]
    fn push_to(&mut self, account: usize, span: &Span) {
        if let Some(sink) = self {
            sink.push_to(account, span);
        }
    }

    fn repeats(&self) -> bool {
        self.as_ref().is_none_or(SpanSink::repeats)
    }

    fn mark(&mut self, most: usize) {
        if let Some(sink) = self {
            sink.mark(most);
        }
    }

    fn repeat(&mut self, marks: usize, times: u32, lap: Lap) {
        if let Some(sink) = self {
            sink.repeat(marks, times, lap);
        }
    }

    fn mark_layer(&mut self, layer: OfLayer, mark: u32, oldest: u32) {
        if let Some(sink) = self {
            sink.mark_layer(layer, mark, oldest);
        }
    }

    fn repeat_layer(&mut self, layer: u32, mark: u32, times: u32, cycles: u64) {
        if let Some(sink) = self {
            sink.repeat_layer(layer, mark, times, cycles);
        }
    }

    fn forget_layer(&mut self, layer: u32) {
        if let Some(sink) = self {
            sink.forget_layer(layer);
        }
    }

    fn waited(&self) -> Duration {
        self.as_ref().map_or(Duration::ZERO, SpanSink::waited)
    }
}
