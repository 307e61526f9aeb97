//! Row-serial read-out by comparators: one row after another is read with noise rows beside it, a comparator on each
//! column draws the weight, and the row's input is added to or subtracted from the column's sum.
//!
//! Sub-arrays share the rows of a block. Each has its own noise rows, comparators and accumulators, and works beside the
//! others; their sums are merged by the adder tree.

use super::{Instance, Pulse, Readout};
use crate::config::{Chip, PlaneArrays};
use crate::trace::{Action, Component};

pub(super) fn readout(chip: &Chip, arrays: PlaneArrays, noise_rows: u32, sub_arrays: u32) -> Readout<'_> {
    let (costs, array) = (&chip.costs, &arrays.array);
    let sub_arrays_there = u64::from(sub_arrays.min(array.rows));
    let columns = u64::from(arrays.synapse_columns()) * sub_arrays_there;
    let noise_cells = sub_arrays_there * u64::from(noise_rows) * u64::from(array.columns);
    let instance = |component, part, number, units, cost| Instance { component, part, number, units, cost };
    let mut instances = Vec::new();
    if noise_cells > 0 {
        instances.push(instance(Component::Crossbar, "noise_cell", noise_cells, false, &costs.cell));
    }
    instances.extend([
        instance(Component::Comparator, "comparator", columns, true, &costs.comparator),
        instance(Component::Accumulator, "sampled_accumulate", columns, true, &costs.sampled_accumulate),
    ]);
    Readout {
        pulse: Pulse::Row { sub_arrays },
        // A row is selected or not, whatever its input: amplitudes have no meaning here.
        bits_per_pulse: 1,
        dac: None,
        per_column: 1,
        in_turn: 1,
        noise_rows,
        component: Component::Comparator,
        action: Action::Compare,
        time: costs.comparator.time,
        energy: costs.comparator.energy,
        sample: None,
        accumulate: &costs.sampled_accumulate,
        adc: None,
        instances,
        arrays,
        chip,
    }
}
