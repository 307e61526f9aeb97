//! How the arrays of a plane are read: one file for each kind.
//!
//! A [`Readout`] describes how a position is split into reads, how many results a read gives, how they are converted and
//! what is booked for that, how values are rounded, and the components of an array that do it. Parts, inventory, values
//! and closed forms use this description and do not distinguish kinds.

mod adc;
mod digits;
mod row_serial;
mod sense_amplifier;

pub use digits::Digits;

use crate::config::{Adc, ArrayReadout, Chip, Conversions, Cost, HeldBitlines, Plane, PlaneArrays, Sampler};
use crate::trace::{Action, Component};
use crate::units::{Energy, Time};
use crate::workload::NetLayer;

/// The rows that one read of a position drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// A digit of the inputs of all rows: as many bits as the driver's amplitudes tell apart.
    Digit,
    /// One row of each sub-array.
    Row {
        /// Sub-arrays that share the rows of a block.
        sub_arrays: u32,
    },
}

/// Components of an array that belong to its read-out.
#[derive(Debug, Clone, Copy)]
pub struct Instance<'a> {
    /// Component that it is booked under.
    pub component: Component,
    /// Name in the inventory.
    pub part: &'static str,
    /// Number in an array.
    pub number: u64,
    /// Whether they are the units that spans of the component count.
    pub units: bool,
    /// Area and leakage of one.
    pub cost: &'a Cost,
}

/// How the arrays of a plane are read.
#[derive(Debug, Clone)]
pub struct Readout<'a> {
    /// What one read drives.
    pub pulse: Pulse,
    /// Bits that a pulse of the driver carries (n); 1 where rows are selected one by one.
    pub bits_per_pulse: u32,
    /// The digital-to-analogue converter of each row, where a pulse carries more than one bit.
    pub dac: Option<&'a Cost>,
    /// Results of a read for each synapse column of a sub-array.
    pub per_column: u32,
    /// Most results that a converter converts in turn.
    pub in_turn: u32,
    /// Rows that are on beside each row that is read.
    pub noise_rows: u32,
    /// Component of the converters: booked for each conversion.
    pub component: Component,
    /// Action of a conversion.
    pub action: Action,
    /// Time of one conversion.
    pub time: Time,
    /// Energy of one conversion.
    pub energy: Energy,
    /// Energy of taking one sample, where a sample-and-hold lets reads and conversions overlap.
    pub sample: Option<Energy>,
    /// Adds each result to a sum.
    pub accumulate: &'a Cost,
    /// The converter that rounds sums of currents; none where each result is exact.
    pub adc: Option<Adc>,
    /// What an array occupies for it.
    pub instances: Vec<Instance<'a>>,
    /// The arrays that are read.
    pub arrays: PlaneArrays,
    chip: &'a Chip,
}

impl<'a> Readout<'a> {
    /// The read-out of a plane of a chip.
    #[must_use]
    pub fn new(chip: &'a Chip, plane: Plane) -> Self {
        let arrays = chip.plane(plane);
        if let (Plane::Stochastic, Sampler::Comparator { noise_rows, sub_arrays, .. }) = (plane, &chip.sampler) {
            return row_serial::readout(chip, arrays, *noise_rows, *sub_arrays);
        }
        match arrays.array.readout {
            ArrayReadout::Adc => adc::readout(chip, arrays),
            ArrayReadout::SenseAmplifiers { sub_arrays } => sense_amplifier::readout(chip, arrays, sub_arrays),
        }
    }

    /// The digits by which the inputs of a layer drive the rows.
    #[must_use]
    pub fn digits(&self, layer: &NetLayer) -> Digits {
        Digits::new(layer.input_bits, layer.input_signed, self.bits_per_pulse)
    }

    /// The same for a block of `rows` x `columns` synapses of a layer in an array.
    #[must_use]
    pub fn block(&self, rows: u32, columns: u32, layer: &NetLayer) -> Block {
        let per_value = self.adc.as_ref().is_some_and(|adc| adc.conversions == Conversions::PerValue);
        let integrated = if per_value { self.digits(layer).pulses() } else { 1 };
        let (pulses, side_by_side, idle) = match self.pulse {
            Pulse::Digit => (self.digits(layer).pulses() / integrated, 1, 0),
            Pulse::Row { sub_arrays } => {
                let side_by_side = sub_arrays.min(rows);
                let pulses = rows.div_ceil(side_by_side);
                // Sub-arrays without a row left do not compare in the last read.
                (pulses, side_by_side, pulses * side_by_side - rows)
            }
        };
        let results = columns * self.per_column;
        let steps = self.in_turn.min(results);
        let cycles = |time: Time| time.cycles(self.chip.clock);
        let conversion = cycles(self.time);
        let convert = u64::from(steps) * conversion;
        let all = self.arrays.array.held_bitlines == HeldBitlines::All;
        let overlapped = self.sample.is_some();
        Block {
            pulses,
            integrated,
            results: results * side_by_side,
            idle,
            converters: results.div_ceil(steps) * side_by_side,
            steps,
            partial_sums: side_by_side,
            read: cycles(self.arrays.array.read_time) * u64::from(integrated),
            conversion,
            convert,
            overlapped,
            conducting: if overlapped {
                0
            } else if all {
                convert
            } else {
                conversion
            },
            // What several pulses add up to is in the sample-and-hold, and no row is driven any more.
            holds: (overlapped || all) && integrated == 1,
        }
    }
}

/// The read-out of a block of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Reads of a position.
    pub pulses: u32,
    /// Pulses that a read adds up before its results are converted.
    pub integrated: u32,
    /// Results of a read, each of which is converted.
    pub results: u32,
    /// Sub-arrays without a row in the last read of a position that reads all rows.
    pub idle: u32,
    /// Converters in use.
    pub converters: u32,
    /// Conversions of a converter in turn.
    pub steps: u32,
    /// Sums that a column has when all reads of a position are added up: one for each sub-array in use.
    pub partial_sums: u32,
    /// Cycles of a read: of all its pulses.
    pub read: u64,
    /// Cycles of one conversion.
    pub conversion: u64,
    /// Cycles of all conversions of a read.
    pub convert: u64,
    /// Whether the next read overlaps the conversions of this one.
    pub overlapped: bool,
    /// Cycles for which a driven row conducts while the results of its read are converted.
    pub conducting: u64,
    /// Whether driven rows conduct while the array waits for the converters.
    pub holds: bool,
}

impl Block {
    /// The same with reads of one pulse.
    #[must_use]
    pub fn of_one_pulse(self) -> Self {
        let pulses = self.integrated;
        Self { pulses: self.pulses * pulses, integrated: 1, read: self.read / u64::from(pulses), ..self }
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

    /// Sums that an array delivers side by side once those of its sub-arrays are merged: adders of a level of the tree.
    #[must_use]
    pub fn lanes(&self) -> u32 {
        self.converters / self.partial_sums
    }
}
