//! Traces: the span, the sinks that take spans, and the Parquet file.

pub mod span;
pub mod sinks;
pub mod merge;
pub mod columns;
mod encode;
mod row_group;
pub(crate) mod seal;
pub mod parquet;
pub mod reader;

pub use merge::Merge;
pub use parquet::ParquetSink;
pub use reader::TraceReader;
pub use span::{Action, Component, Lap, Moved, NONE, OfLayer, Span, SpanSink};
