//! Sinks made of other things: a vector keeps spans in memory, a pair feeds two sinks, a reference lends one.

use crate::trace::{Span, SpanSink};

/// Keeps every span, in order.
impl SpanSink for Vec<Span> {
    #[inline]
    fn push(&mut self, span: &Span) {
        Vec::push(self, *span);
    }
}

/// Gives every span to both.
impl<A: SpanSink, B: SpanSink> SpanSink for (A, B) {
    #[inline]
    fn push(&mut self, span: &Span) {
        self.0.push(span);
        self.1.push(span);
    }
}

/// Lends a sink.
impl<S: SpanSink + ?Sized> SpanSink for &mut S {
    #[inline]
    fn push(&mut self, span: &Span) {
        (**self).push(span);
    }
}

/// A sink that may be absent.
impl<S: SpanSink> SpanSink for Option<S> {
    #[inline]
    fn push(&mut self, span: &Span) {
        if let Some(sink) = self {
            sink.push(span);
        }
    }
}
