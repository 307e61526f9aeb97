//! Read-out by converters: all rows are driven by an input bit at a time, and multiplexed converters digitise the sums of
//! currents, each of which a shift-and-add unit takes up.

use super::{Instance, Pulse, Readout, synapse_columns};
use crate::config::{AdcInput, Chip, Cost};
use crate::trace::{Action, Component};
use crate::units::Energy;

pub(super) fn readout(chip: &Chip) -> Readout<'_> {
    let (costs, array) = (&chip.costs, &chip.array);
    let adc = cost(chip);
    let per_column = match chip.adc.input {
        AdcInput::Pair => 1,
        AdcInput::Column => array.cells_per_synapse,
    };
    let inputs = synapse_columns(chip) * u64::from(per_column);
    let converters = inputs.div_ceil(u64::from(chip.adc.columns_per_adc));
    let instance = |component, part, number, units, cost| Instance { component, part, number, units, cost };
    let mut instances = Vec::new();
    if array.sample_and_hold {
        instances.push(instance(Component::SampleHold, "sample_and_hold", inputs, true, &costs.sample_and_hold));
    }
    instances.extend([
        instance(Component::Adc, "adc", converters, true, adc),
        instance(Component::Adc, "multiplexer", converters, false, &costs.multiplexer),
        instance(Component::Accumulator, "shift_add", converters, true, &costs.shift_add),
    ]);
    Readout {
        pulse: Pulse::Bit,
        per_column,
        in_turn: chip.adc.columns_per_adc,
        noise_rows: 0,
        component: Component::Adc,
        action: Action::Convert,
        time: adc.time,
        energy: Energy(adc.energy.0 + costs.multiplexer.energy.0),
        sample: array.sample_and_hold.then_some(costs.sample_and_hold.energy),
        accumulate: &costs.shift_add,
        adc: Some(&chip.adc),
        instances,
        chip,
    }
}

/// Cost of a conversion at the chip's resolution; validation has made sure that the table has it.
fn cost(chip: &Chip) -> &Cost {
    let entry = chip.costs.adc.iter().find(|entry| entry.bits == chip.adc.bits);
    &entry.expect("a validated chip has a cost for its converter").convert
}
