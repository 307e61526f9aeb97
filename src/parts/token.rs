//! Tokens: the pieces of work that travel between parts.

use crate::trace::NONE;
use std::ops::Range;

/// A piece of work on its way through the chip: neighbouring positions of one pass of one layer.
///
/// It does not carry values: the functional path computes them, identified by image, member and position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Image in the run.
    pub image: u32,
    /// Ensemble member; 0 in layers that run once an image.
    pub member: u32,
    /// First position: of the layer's output before pooling, or a pixel of a map behind post-processing.
    pub position: u32,
    /// Number of neighbouring positions, one for each copy of the layer; or number of pixels of a map.
    pub lanes: u32,
    /// Number of reads that a sample stands for; 0 outside arrays.
    pub pulses: u32,
    /// Number of reads of the position that follow; 0 for its last sample. A number and no flag, so that tokens have no
    /// padding, which takes instructions of its own to copy.
    pub pulses_left: u32,
    /// Sub-arrays of an array without a row in the last read of the position; 0 outside arrays.
    pub idle: u32,
}

impl Default for Token {
    fn default() -> Self {
        Self::NONE
    }
}

impl Token {
    /// The token of a unit that has no work.
    pub const NONE: Self =
        Self { image: NONE, member: NONE, position: NONE, lanes: 0, pulses: 0, pulses_left: 0, idle: 0 };

    /// Whether it is the last sample of its position.
    #[inline]
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.pulses_left == 0
    }

    /// Number of the given copies of the layer that have a position in this token: lane i is the work of copy i.
    #[inline]
    #[must_use]
    pub fn copies(&self, replicas: &Range<u32>) -> u32 {
        self.lanes.min(replicas.end).saturating_sub(replicas.start)
    }
}
