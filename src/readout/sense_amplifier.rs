//! Read-out by sense amplifiers: one row after another is selected, and the sense amplifier of each column detects the sign
//! of its weight, by which the row's input is added to or subtracted from the column's sum. No converter, no noise: the
//! sums are exact. Otherwise it is a row-serial read-out like that of the sampling comparators, and costs the same.

use super::{Readout, row_serial};
use crate::config::{Chip, PlaneArrays};

pub(super) fn readout(chip: &Chip, arrays: PlaneArrays, sub_arrays: u32) -> Readout<'_> {
    row_serial::readout(chip, arrays, 0, sub_arrays)
}
