//! What travels between parts.

use crate::trace::NONE;
use std::ops::Range;

/// A piece of work on its way through the chip: some neighbouring positions of one pass of one layer.
///
/// The values themselves are not in it: they are computed by the functional path and found by image, member and position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Image in the run.
    pub image: u32,
    /// Ensemble member; 0 in layers that run once an image.
    pub member: u32,
    /// First position (of the layer's output before pooling; of a map, once it is one).
    pub position: u32,
    /// Neighbouring positions that it stands for, one for each copy of the layer; or pixels of a map.
    pub lanes: u32,
    /// Reads that a sample stands for; 0 outside arrays.
    pub pulses: u32,
    /// Whether it is the last sample of its position.
    pub last: bool,
}

impl Token {
    /// No work in hand.
    pub const NONE: Self = Self { image: NONE, member: NONE, position: NONE, lanes: 0, pulses: 0, last: false };

    /// How many of some copies of the layer have a position of their own in it: lane i is the work of copy i.
    #[inline]
    #[must_use]
    pub fn copies(&self, replicas: &Range<u32>) -> u32 {
        self.lanes.min(replicas.end).saturating_sub(replicas.start)
    }
}
