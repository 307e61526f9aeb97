//! Planes of real memory cells: every device has a conductance of its own.
//!
//! ```text
//! targets of a plane -> cells (programmed, drifted) -> lines (fixed point) -> read (sums, noise, conversion) -> factors
//! ```
//! Conductances are fixed-point numbers in units of the plane's nominal weight, so that sums are whole numbers and depend
//! neither on their order nor on threads. Every device belongs to a stream named by layer, plane, replica and row, within which
//! it is found by its column: neither the size of arrays nor the packing changes a device.
//!
//! What a synapse is made of depends on the plane:
//! - *Fixed* (deterministic planes): a differential pair, one device programmed on and one off. Both conduct whenever the row is
//!   driven. A synapse that such a plane does not hold is a pair of two off devices.
//! - *Gated* (stochastic planes with latches): both devices are programmed on, and the latch of the drawn weight selects which
//!   of them is connected. The other one, and both of a synapse that the plane does not hold, are cut off.

mod cells;
mod frozen;
mod lines;
mod positions;
mod read;
mod comparators;

pub(super) use cells::{Latches, Setting, Synapses};
pub(super) use comparators::{Circuit, Comparators, Noise, Place};
pub(super) use lines::PlaneLines;
pub(super) use read::{At, CellPlane, Reads, Scratch};

use crate::functional::kernels::{Instructions, Work};

/// Results in how many conversions clipped.
impl Work for Reads<'_> {
    type Output = u64;

    #[inline(always)]
    fn run(self, instructions: Instructions) -> u64 {
        if self.cells.is_noisy() { self.by_positions(instructions) } else { self.by_columns(instructions) }
    }
}
