//! How a block of an array is read: pulses, inputs in use, converters, conversions in turn, and how long a sample takes.

use crate::config::{AdcInput, Chip, Cost, Sampler};
use crate::mapping::Plane;
use crate::units::Time;

/// What the converters of an array look like to the schedule: how they are shared and how long a sample takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readout {
    /// Pulses of a position: input bits, or rows in turn.
    pub pulses: u32,
    /// Inputs in use.
    pub inputs: u32,
    /// Converters in use.
    pub converters: u32,
    /// Conversions of a converter in turn.
    pub steps: u32,
    /// Cycles of one read.
    pub read: u64,
    /// Cycles of all conversions of a sample.
    pub convert: u64,
    /// Whether the next read overlaps the conversions of this one.
    pub overlapped: bool,
    /// Row-serial by comparators.
    pub row_serial: bool,
}

impl Readout {
    /// Read-out of a block of `rows` x `columns` synapses with inputs of `input_bits`.
    #[must_use]
    pub fn new(chip: &Chip, plane: Plane, rows: u32, columns: u32, input_bits: u32) -> Self {
        let cycles = |time: Time| time.cycles(chip.clock);
        let read = cycles(chip.array.read_time);
        if let (Plane::Stochastic, Sampler::Comparator { sub_arrays, .. }) = (plane, &chip.sampler) {
            return Self {
                pulses: rows.div_ceil(*sub_arrays),
                inputs: columns * sub_arrays.min(&rows),
                converters: columns * sub_arrays.min(&rows),
                steps: 1,
                read,
                convert: cycles(chip.costs.comparator.time),
                overlapped: false,
                row_serial: true,
            };
        }
        let inputs = match chip.adc.input {
            AdcInput::Pair => columns,
            AdcInput::Column => columns * chip.array.cells_per_synapse,
        };
        let steps = chip.adc.columns_per_adc.min(inputs);
        Self {
            pulses: input_bits,
            inputs,
            converters: inputs.div_ceil(steps),
            steps,
            read,
            convert: u64::from(steps) * cycles(adc_cost(chip).time),
            overlapped: chip.array.sample_and_hold,
            row_serial: false,
        }
    }

    /// Cycles from one sample to the next when none is held up.
    #[must_use]
    pub fn period(&self) -> u64 {
        if self.overlapped { self.read.max(self.convert) } else { self.read + self.convert }
    }

    /// Cycles of `positions` positions that follow each other without a gap, from the first read to the last conversion.
    #[must_use]
    pub fn back_to_back(&self, positions: u64) -> u64 {
        let tail = if self.overlapped { self.read.min(self.convert) } else { 0 };
        positions * u64::from(self.pulses) * self.period() + tail
    }
}

/// Cost of a conversion at the chip's resolution; validation has made sure that the table has it.
#[must_use]
pub fn adc_cost(chip: &Chip) -> &Cost {
    let entry = chip.costs.adc.iter().find(|entry| entry.bits == chip.adc.bits);
    &entry.expect("a validated chip has a cost for its converter").convert
}
