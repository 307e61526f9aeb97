//! Traces: the span, and the sinks that take spans.

pub mod span;

pub use span::{Action, Component, NONE, Span, SpanSink};
