//! The parts of the chip, one file each: its fixed description (spec) and how that follows from chip and network, its state,
//! the events that it receives (tags) and how it handles them.
//!
//! A part books time, energy and trace together through [`Context::work`], and every gap with its reason through
//! [`Context::wait`], so that latency, energy and trace cannot disagree. Work and waits of a unit add up to the whole run.
//! Parts that a chip has few of use a [`timeline::Timeline`] for each unit; crossbars and converters do the same inline.

pub mod tag;
pub mod token;
pub mod turn;
pub mod network;
pub mod context;
pub mod timeline;
pub mod energy;
pub mod limits;
pub mod build;
pub mod crossbar;
pub mod shared;
pub mod converter;
pub mod gather;
pub mod generator;
pub mod sampler;
pub mod accumulator;
pub mod buffer;
pub mod digital;
pub mod link;
pub mod source;
pub mod sink;
pub mod recur;
pub mod steady;
pub mod assemble;
pub mod simulation;

pub use assemble::{Assembly, assemble};
pub use context::{Amount, Context, Job, Shared, Site, Units};
pub use energy::{At, RowActivity};
pub use limits::limits;
pub use simulation::{Outcome, Simulation};
pub use token::Token;

/// Any part. An enum in a flat list, dispatched by `match`: cheaper than a trait object. Kinds that a chip has
/// few of are boxed, so that the numerous ones lie close together in memory, each in four cache lines; the discriminant has a
/// byte of its own.
#[derive(Debug)]
#[repr(u8, align(64))]
pub enum Part {
    /// Sends the images.
    Source(Box<source::Source>),
    /// Holds the input of a layer.
    Buffer(Box<buffer::Buffer>),
    /// Arrays of a group.
    Crossbar(crossbar::Crossbar),
    /// ADCs or comparators of a group.
    Converter(converter::Converter),
    /// Generators of a group.
    Sampler(sampler::Sampler),
    /// Shift-and-add and adder tree of a layer.
    Accumulator(Box<accumulator::Accumulator>),
    /// Post-processing of a layer.
    Digital(Box<digital::Digital>),
    /// Carries outputs of a layer to a consumer.
    Link(Box<link::Link>),
    /// Takes the answers.
    Sink(sink::Sink),
}

impl Part {
    /// Events that came from others than the parts of its layer within a pass.
    fn heard(&self) -> u64 {
        match self {
            Part::Buffer(part) => part.heard(),
            Part::Crossbar(part) => part.heard(),
            _ => 0,
        }
    }

    /// Shows its state.
    fn visit(&mut self, visitor: &mut dyn recur::Visitor) {
        match self {
            Part::Source(part) => part.visit(visitor),
            Part::Buffer(part) => part.visit(visitor),
            Part::Crossbar(part) => part.visit(visitor),
            Part::Converter(part) => part.visit(visitor),
            Part::Sampler(part) => part.visit(visitor),
            Part::Accumulator(part) => part.visit(visitor),
            Part::Digital(part) => part.visit(visitor),
            Part::Link(part) => part.visit(visitor),
            Part::Sink(_) => {}
        }
    }
}
