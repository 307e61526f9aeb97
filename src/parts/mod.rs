//! The parts of the chip, one file each: what it is (spec), what it remembers (state), what it does at an event.
//!
//! A part books time, energy and trace together through [`Context::work`], and every gap with its reason through
//! [`Context::wait`], so that latency, energy and trace cannot disagree.

pub mod token;
pub mod turn;
pub mod network;
pub mod context;
pub mod energy;
pub mod crossbar;
pub mod converter;
pub mod sampler;
pub mod accumulator;
pub mod buffer;
pub mod digital;
pub mod link;
pub mod source;
pub mod sink;
pub mod assemble;
pub mod simulation;

pub use assemble::{Assembly, assemble};
pub use context::{Amount, Context, Job, Shared, Site};
pub use energy::RowActivity;
pub use simulation::{Outcome, Simulation};
pub use token::Token;

/// Any part. An enum in a flat list, dispatched by `match`: cheaper than a trait object.
#[derive(Debug)]
pub enum Part {
    Source(source::Source),
    Buffer(buffer::Buffer),
    Crossbar(crossbar::Crossbar),
    Converter(converter::Converter),
    Sampler(sampler::Sampler),
    Accumulator(accumulator::Accumulator),
    Digital(digital::Digital),
    Link(link::Link),
    Sink(sink::Sink),
}

impl Part {
    /// Kinds of parts, in the order of [`Part::kind`].
    pub const KINDS: [&'static str; 9] =
        ["source", "buffer", "crossbar", "converter", "sampler", "accumulator", "digital", "link", "sink"];

    /// Index of the kind in [`Part::KINDS`].
    #[must_use]
    pub fn kind(&self) -> usize {
        match self {
            Part::Source(_) => 0,
            Part::Buffer(_) => 1,
            Part::Crossbar(_) => 2,
            Part::Converter(_) => 3,
            Part::Sampler(_) => 4,
            Part::Accumulator(_) => 5,
            Part::Digital(_) => 6,
            Part::Link(_) => 7,
            Part::Sink(_) => 8,
        }
    }
}
