//! Cycle-level discrete-event simulation of in-memory accelerators that run Bayesian binary neural networks on
//! phase-change-memory crossbars: cycles, joules, area, utilisation and the network's answers from one run.
//!
//! ```text
//! arch/*.ron ------> config ---.                                                        .-> report --> plot
//! workloads/*.ron -> workload --+-> mapping -> dataflow -> kernel + parts (spans) ------+-> trace
//! posterior, images ------------+      (which      (petgraph)        |                  `-> meter (sums)
//!                                      cell is                    functional (values) ----> answers
//!                                      where)
//! ```
//!
//! The modules in the order of that path; each uses only modules above it:
//!
//! - [`error`], [`units`], [`random`], [`lfsr`]: problems, exact quantities, named random streams, shift registers;
//! - [`read`]: bounded reading of files that users name;
//! - [`whole`]: files that appear whole or not at all;
//! - `parallel`: work on many threads;
//! - [`device`]: physics of memory cells;
//! - [`network`]: what a network's file describes, layers and shapes;
//! - [`config`]: files to a validated, fully expanded [`config::Config`];
//! - [`workload`]: posterior, images;
//! - [`mapping`]: layers to arrays and tiles;
//! - [`dataflow`]: the graph of stages, checked and drawn;
//! - [`kernel`]: events, queues, ports, the loop;
//! - [`trace`]: the span and where spans go;
//! - [`readout`]: how the arrays of a plane are read;
//! - [`parts`]: crossbar, converter, sampler and the other parts at work;
//! - [`critical`]: the chain of jobs that the time of a run hangs on;
//! - [`functional`]: values, uncertainty, metrics;
//! - [`meter`]: sums over spans;
//! - [`report`]: figures for people and programs;
//! - [`plot`]: the pictures of a run;
//! - [`simulate`], [`run`]: the arrows of the diagram, one behind the other;
//! - [`what_if`]: what other times would change;
//! - [`compare`]: runs side by side;
//! - [`eval`]: answers to whole data sets;
//! - [`sweep`]: design spaces;
//! - [`cli`]: the command line.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

pub mod error;
pub mod units;
pub mod random;
pub mod lfsr;
pub mod read;
pub mod whole;
mod parallel;
pub mod device;
pub mod network;
pub mod config;
pub mod workload;
pub mod mapping;
pub mod dataflow;
pub mod kernel;
pub mod trace;
pub mod readout;
pub mod parts;
pub mod critical;
pub mod functional;
pub mod meter;
pub mod report;
pub mod plot;
pub mod simulate;
pub mod run;
pub mod what_if;
pub mod compare;
pub mod eval;
pub mod sweep;
pub mod cli;

pub use error::{Error, Problem};
