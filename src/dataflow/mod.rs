//! The dataflow of a mapped network: a petgraph graph of stages and bounded channels, checked and drawn here.
//!
//! The engine walks flat arrays that are built from this graph, node by node and edge by edge.

pub mod graph;
mod room;
pub mod check;
pub mod dot;

pub use check::check;
pub use dot::to_dot;
pub use graph::{Channel, Dataflow, LOGIT_BITS, Role, Stage, build, pixel_bytes};
