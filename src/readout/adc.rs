//! Read-out by converters: all rows are driven by a digit of their inputs at a time, and multiplexed converters digitise the
//! sums of currents, each of which a shift-and-add unit takes up. A digit of more than one bit is an amplitude, which each
//! row has a digital-to-analogue converter for.

use super::{Instance, Pulse, Readout};
use crate::config::{AdcInput, Chip, Cost, PlaneArrays};
use crate::trace::{Action, Component};
use crate::units::Energy;

pub(super) fn readout(chip: &Chip, arrays: PlaneArrays) -> Readout<'_> {
    let (costs, array, converter) = (&chip.costs, &arrays.array, &arrays.adc);
    let adc = cost(chip, converter.bits);
    let bits_per_pulse = chip.driver.bits_per_pulse;
    let dac = (bits_per_pulse > 1).then(|| dac_cost(chip, bits_per_pulse));
    let per_column = match converter.input {
        AdcInput::Pair => 1,
        AdcInput::Column => array.cells_per_synapse,
    };
    let inputs = u64::from(arrays.synapse_columns()) * u64::from(per_column);
    let converters = inputs.div_ceil(u64::from(converter.columns_per_adc));
    let instance = |component, part, number, units, cost| Instance { component, part, number, units, cost };
    let mut instances = Vec::new();
    if let Some(dac) = dac {
        instances.push(instance(Component::Driver, "dac", array.rows.into(), false, dac));
    }
    if array.sample_and_hold {
        instances.push(instance(Component::SampleHold, "sample_and_hold", inputs, true, &costs.sample_and_hold));
    }
    instances.extend([
        instance(Component::Adc, "adc", converters, true, adc),
        instance(Component::Adc, "multiplexer", converters, false, &costs.multiplexer),
        instance(Component::Accumulator, "shift_add", converters, true, &costs.shift_add),
    ]);
    Readout {
        pulse: Pulse::Digit,
        bits_per_pulse,
        dac,
        per_column,
        in_turn: converter.columns_per_adc,
        noise_rows: 0,
        component: Component::Adc,
        action: Action::Convert,
        time: adc.time,
        energy: Energy(adc.energy.0 + costs.multiplexer.energy.0),
        sample: array.sample_and_hold.then_some(costs.sample_and_hold.energy),
        accumulate: &costs.shift_add,
        adc: Some(converter.clone()),
        instances,
        arrays,
        chip,
    }
}

/// Cost of a conversion at a resolution; validation has made sure that the table has it.
fn cost(chip: &Chip, bits: u32) -> &Cost {
    let entry = chip.costs.adc.iter().find(|entry| entry.bits == bits);
    &entry.expect("a validated chip has a cost for its converter").convert
}

/// Cost of a digital-to-analogue conversion at a resolution, which validation has made sure of as well.
fn dac_cost(chip: &Chip, bits: u32) -> &Cost {
    let entry = chip.costs.dac.iter().find(|entry| entry.bits == bits);
    &entry.expect("a validated chip has a cost for its digital-to-analogue converters").convert
}
