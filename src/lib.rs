//! Cycle-level discrete-event simulation of in-memory accelerators that run Bayesian binary neural networks.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

pub mod config;
pub mod error;
pub mod trace;
pub mod meter;
pub mod report;
pub mod plot;
pub mod units;
pub mod workload;

pub use error::{Error, Problem};
