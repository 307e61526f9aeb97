//! The dataflow of a mapped network: a petgraph graph of stages and bounded channels, checked and drawn here.
//!
//! The engine walks flat arrays that are built from this graph, node by node and edge by edge.

pub mod pixel;
mod room;
pub mod graph;
pub mod check;
pub mod dot;

pub use check::check;
pub use dot::to_dot;
pub use graph::{Channel, Dataflow, Role, Stage, build};
pub use pixel::{LOGIT_BITS, pixel_bytes};
