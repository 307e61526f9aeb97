//! Cycle-level discrete-event simulation of in-memory accelerators that run Bayesian binary neural networks.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

pub mod error;
pub mod units;
pub mod config;
pub mod workload;
pub mod mapping;
pub mod dataflow;
pub mod kernel;
pub mod trace;
pub mod parts;
pub mod meter;
pub mod report;
pub mod simulate;

pub use error::{Error, Problem};
