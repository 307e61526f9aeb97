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
    /// What a sample stands for; nothing outside arrays.
    pub reads: Reads,
}

/// The reads of a sample on its way through the parts of an array. In one word, so that a token has no padding and that copies
/// of it need not wait for several stores of different widths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads(u64);

impl Reads {
    /// Most reads that a sample can stand for.
    pub const MOST: u32 = u16::MAX as u32;

    /// `pulses` reads, at most [`Reads::MOST`], with `left` of the position to follow, whose last read leaves `idle` sub-arrays,
    /// less than 2^16, of an array without a row.
    #[inline]
    #[must_use]
    pub fn new(pulses: u32, left: u32, idle: u32) -> Self {
        debug_assert!(pulses <= Self::MOST && idle <= u32::from(u16::MAX), "{pulses} pulses, {idle} idle sub-arrays");
        Self(u64::from(left) << 32 | u64::from(idle) << 16 | u64::from(pulses))
    }

    /// All in one word.
    #[must_use]
    pub fn word(self) -> u64 {
        self.0
    }

    /// Number of reads that the sample stands for.
    #[inline]
    #[must_use]
    pub fn pulses(self) -> u32 {
        u32::from(self.0 as u16)
    }

    /// Number of reads of the position that follow; 0 for its last sample.
    #[inline]
    #[must_use]
    pub fn left(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Sub-arrays of an array without a row in the last read of the position.
    #[inline]
    #[must_use]
    pub fn idle(self) -> u32 {
        u32::from((self.0 >> 16) as u16)
    }
}

impl Default for Token {
    fn default() -> Self {
        Self::NONE
    }
}

impl Token {
    /// The token of a unit that has no work.
    pub const NONE: Self = Self { image: NONE, member: NONE, position: NONE, lanes: 0, reads: Reads(0) };

    /// Whether it is the last sample of its position.
    #[inline]
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.reads.left() == 0
    }

    /// Number of the given copies of the layer that have a position in this token: lane i is the work of copy i.
    #[inline]
    #[must_use]
    pub fn copies(&self, replicas: &Range<u32>) -> u32 {
        self.lanes.min(replicas.end).saturating_sub(replicas.start)
    }
}
