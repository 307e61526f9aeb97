//! The critical path of a run: the chain of jobs, one starting where the one before it ends, from the first cycle to the
//! last.
//!
//! Every job of a stage starts at the latest of a few earlier moments: its unit becomes free, its input is there, there
//! is room behind it, its weights are drawn. [`mod@walk`] states these conditions for each kind of stage, and follows the one
//! that was met last, back from the end of the run. A simulation leaves the moments in a [`Flow`]; a [`Timing`] holds how
//! long each job takes, so that a chain can also be measured with the times of another chip.

pub mod flow;
pub mod timing;
pub mod chain;
mod links;
pub mod walk;

pub use chain::{Chain, Segment};
pub use flow::Flow;
pub use timing::Timing;
pub use walk::walk;
