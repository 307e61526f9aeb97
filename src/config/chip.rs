//! The chip as its file describes it: arrays, converters, samplers, tiles and interconnect.

use crate::config::costs::CostTable;
use crate::device::Device;
use crate::units::{Bytes, Conductance, Frequency, Length, Time, Voltage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A chip: everything the mapping and the simulation need to know about the hardware.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    /// Name used in reports and in the default output folder.
    #[schemars(length(min = 1))]
    pub name: String,
    /// One paragraph for people: what the chip is, and what its parts overlap.
    #[serde(default)]
    pub description: String,
    /// Technology node. Where it is not that of the cost table, digital parts are scaled from that to this one.
    #[schemars(extend("x-range" = ["1 nm", "1 um"]))]
    pub node: Length,
    /// Clock; each time in nanoseconds becomes whole cycles of it once, rounding up.
    #[schemars(extend("x-range" = ["1 MHz", "100 GHz"]))]
    pub clock: Frequency,
    /// Cost table: in a chip file the path of a file under `parts/`, relative to the chip file; expanded in place.
    #[schemars(extend("x-file" = true))]
    pub costs: CostTable,
    /// Crossbar array.
    pub array: Array,
    /// Its memory cells.
    #[serde(default)]
    pub device: Device,
    /// Wordline driver.
    #[serde(default)]
    pub driver: Driver,
    /// Analogue-to-digital converter of a deterministic or latched array.
    pub adc: Adc,
    /// How probabilistic synapses are drawn.
    pub sampler: Sampler,
    /// What differs in the arrays of stochastic planes.
    #[serde(default)]
    pub stochastic: StochasticArrays,
    /// Shift-and-add and adder tree.
    pub accumulator: Accumulator,
    /// Batch norm, activation, quantisation and pooling.
    pub digital: Digital,
    /// Tile: what a group of arrays shares.
    pub tile: Tile,
    /// Network between tiles.
    pub interconnect: Interconnect,
    /// Buffer at the chip's edge that images come from and answers go to.
    pub global_buffer: Buffer,
}

/// The plane that an array belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// Deterministic: weights fixed at their mode.
    Deterministic,
    /// Stochastic: weights drawn for each member.
    Stochastic,
}

impl Plane {
    /// All of them, in the order of their codes.
    pub const ALL: &'static [Plane] = &[Plane::Deterministic, Plane::Stochastic];

    /// Name in traces and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Plane::Deterministic => "deterministic",
            Plane::Stochastic => "stochastic",
        }
    }
}

/// The arrays of a plane, with their drivers and converters.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaneArrays {
    /// Crossbar array.
    pub array: Array,
    /// Analogue-to-digital converter, where the array is read by converters.
    pub adc: Adc,
}

impl PlaneArrays {
    /// Synapse columns of an array.
    #[must_use]
    pub fn synapse_columns(&self) -> u32 {
        self.array.columns / self.array.cells_per_synapse
    }
}

impl Chip {
    /// The arrays of a plane: those of the chip, and for the stochastic plane with what [`StochasticArrays`] changes.
    #[must_use]
    pub fn plane(&self, plane: Plane) -> PlaneArrays {
        let (mut array, mut adc) = (self.array.clone(), self.adc.clone());
        if plane == Plane::Stochastic {
            let other = &self.stochastic;
            array.rows = other.rows.unwrap_or(array.rows);
            array.columns = other.columns.unwrap_or(array.columns);
            array.read_time = other.read_time.unwrap_or(array.read_time);
            array.readout = other.readout.clone().unwrap_or(array.readout);
            adc.bits = other.adc_bits.unwrap_or(adc.bits);
            adc.columns_per_adc = other.columns_per_adc.unwrap_or(adc.columns_per_adc);
            adc.range = other.adc_range.unwrap_or(adc.range);
        }
        PlaneArrays { array, adc }
    }
}

impl Chip {
    /// Banks of the register file that packed arrays gather from: one for each synapse column unless the chip says
    /// otherwise.
    #[must_use]
    pub fn gather_banks(&self) -> u32 {
        self.stochastic.gather_banks.unwrap_or_else(|| self.plane(Plane::Stochastic).synapse_columns()).max(1)
    }
}

/// What differs in the arrays of stochastic planes; what is left out is as in `array` and `adc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(default, deny_unknown_fields)]
pub struct StochasticArrays {
    /// Wordlines.
    #[schemars(range(min = 1, max = 4096))]
    pub rows: Option<u32>,
    /// Bitlines (cells in a row).
    #[schemars(range(min = 1, max = 4096))]
    pub columns: Option<u32>,
    /// Time to drive the wordlines and let the bitlines settle.
    #[schemars(extend("x-range" = ["1 ps", "1 ms"]))]
    pub read_time: Option<Time>,
    /// How latched arrays are read; arrays with a `Comparator` sampler are read by its comparators.
    pub readout: Option<ArrayReadout>,
    /// Resolution of their converters.
    #[schemars(range(min = 1, max = 16))]
    pub adc_bits: Option<u32>,
    /// Inputs that share one of their converters.
    #[schemars(range(min = 1, max = 4096))]
    pub columns_per_adc: Option<u32>,
    /// Range of their converters.
    pub adc_range: Option<AdcRange>,
    /// Banks of the register file from which packed arrays gather their inputs: a bank gives one input at a time to each
    /// array. One for each synapse column if left out.
    #[schemars(range(min = 1, max = 65_536))]
    pub gather_banks: Option<u32>,
    /// Whether generators draw fixed pairs of a plane, too, instead of leaving them out. Lists store none.
    pub draw_fixed_pairs: bool,
}

/// A crossbar of PCM cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Array {
    /// Wordlines.
    #[schemars(range(min = 1, max = 4096))]
    pub rows: u32,
    /// Bitlines (cells in a row).
    #[schemars(range(min = 1, max = 4096))]
    pub columns: u32,
    /// Cells of a synapse: 2 is a differential pair (the only value that +-1 weights need today).
    #[schemars(range(min = 2, max = 2))]
    #[serde(default = "two")]
    pub cells_per_synapse: u32,
    /// Read voltage.
    #[schemars(extend("x-range" = ["1 mV", "5 V"]))]
    pub read_voltage: Voltage,
    /// Conductance of a programmed (on) cell.
    #[schemars(extend("x-range" = ["1 nS", "10 mS"]))]
    pub conductance_on: Conductance,
    /// Conductance of a reset (off) cell.
    #[schemars(extend("x-range" = ["0 pS", "10 mS"]))]
    #[serde(default)]
    pub conductance_off: Conductance,
    /// Time to drive the wordlines and let the bitlines settle.
    #[schemars(extend("x-range" = ["1 ps", "1 ms"]))]
    pub read_time: Time,
    /// Whether a sample-and-hold lets the next read overlap the conversions of this one.
    pub sample_and_hold: bool,
    /// With a sample-and-hold: when a read starts whose sample has to wait for the converter.
    #[serde(default)]
    pub read_start: ReadStart,
    /// Without a sample-and-hold: which bitlines conduct while the currents are converted.
    #[serde(default)]
    pub held_bitlines: HeldBitlines,
    /// How deterministic and latched arrays are read.
    #[serde(default)]
    pub readout: ArrayReadout,
}

/// When a read starts whose sample has to wait for the converter. The cycles of a run are the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum ReadStart {
    /// So that its sample is ready when the converter frees the sample-and-hold: the array draws no current while it
    /// waits, unless the converter is held up from behind.
    #[default]
    Late,
    /// As soon as the array is free: the array holds its currents until the sample can be taken.
    Early,
}

/// Which bitlines conduct while an array without a sample-and-hold is converted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum HeldBitlines {
    /// The one that the multiplexer connects: the others are disconnected once the read has settled.
    #[default]
    Selected,
    /// All in use, until the last conversion of the sample has ended.
    All,
}

/// How deterministic and latched arrays are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub enum ArrayReadout {
    /// By converters (`adc`): all rows are driven by a pulse of their inputs (`driver.bits_per_pulse` bits) at a time, and
    /// the sums of currents are converted.
    #[default]
    Adc,
    /// By a sense amplifier on each column (cost `comparator`): one row after another is driven if its input is not 0,
    /// and the input is added or subtracted digitally. Values are exact.
    SenseAmplifiers {
        /// Sub-arrays that share the rows of a row block and work side by side.
        #[schemars(range(min = 1, max = 4096))]
        #[serde(default = "one")]
        sub_arrays: u32,
    },
}

/// The wordline drivers of arrays that are read by converters. Arrays that are read row by row only select rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Driver {
    /// Input bits that one pulse carries (n); 1 is bit-serial. More bits drive each row at one of 2^n amplitudes by a
    /// digital-to-analogue converter, for which the cost table must have an entry.
    #[schemars(range(min = 1, max = 8))]
    pub bits_per_pulse: u32,
}

impl Default for Driver {
    fn default() -> Self {
        Self { bits_per_pulse: 1 }
    }
}

/// Analogue-to-digital converter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adc {
    /// Resolution; the cost table must have an entry for it, unless `cost` is `Survey`.
    #[schemars(range(min = 1, max = 16))]
    pub bits: u32,
    /// Inputs that share a converter through a multiplexer (m): a read is followed by m conversions in turn.
    #[schemars(range(min = 1, max = 4096))]
    pub columns_per_adc: u32,
    /// What one input of the converter is.
    pub input: AdcInput,
    /// Range that the codes span.
    pub range: AdcRange,
    /// What is converted: the sums of each pulse, or those of an input value.
    #[serde(default)]
    pub conversions: Conversions,
    /// Where the costs of converters are from.
    #[serde(default)]
    pub cost: ConverterCost,
}

/// Where the costs of converters are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub enum ConverterCost {
    /// The cost table's entry for their resolution.
    #[default]
    Table,
    /// The regression over Murmann's survey at their resolution, which is 4 bits or more, and the chip's node.
    Survey {
        /// Conversions a second of a converter, whose time is one over it.
        #[schemars(extend("x-range" = ["1 kHz", "10 GHz"]))]
        rate: Frequency,
    },
}

/// When the sums of the pulses of an input value are converted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum Conversions {
    /// Each by itself; codes are shifted and added digitally.
    #[default]
    PerPulse,
    /// All together, once: the sample-and-hold of each input of a converter shifts and adds the charges of the pulses, and is
    /// converted after the last one. A range is then in currents of a cell on a row that is at full level in every pulse but
    /// that of the sign.
    PerValue,
}

/// What a converter digitises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Copy, Eq)]
pub enum AdcInput {
    /// The current difference of a differential pair, subtracted before conversion: columns / cells_per_synapse
    /// inputs.
    Pair,
    /// Each bitline by itself; the pair is subtracted digitally: `columns` inputs, two conversions a synapse
    /// column.
    Column,
}

/// Range of a converter, in currents of one on cell on a row that is driven at full level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Copy)]
pub enum AdcRange {
    /// All rows in use in the layer's largest row block at the highest level of its inputs, set layer by layer: never
    /// clips; the step grows when the bits do not suffice.
    FullScale,
    /// A fixed range, in cell currents (to either side for `Pair`), the same for all layers; the extreme codes
    /// stand for its ends, and larger sums clip there.
    Fixed(#[schemars(range(min = 0.5, max = 1e9))] f64),
    /// Calibrated layer by layer on the network's calibration images, which it needs: the smallest range within which
    /// lies this percentage of the conversions, at most full scale.
    Percentile(#[schemars(range(min = 1.0, max = 100.0))] f64),
}

/// How the probabilistic synapses of a stochastic plane are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Sampler {
    /// Digital random bits compared with a stored p; drawn bits are latched, then the plane is read like any other.
    Generator {
        /// Where the random bits come from.
        #[serde(default)]
        source: RandomSource,
        /// Fresh random bits per cycle and array (g).
        #[schemars(range(min = 1, max = 65_536))]
        bits_per_cycle: u32,
        /// Bits of p and of each draw (b).
        #[schemars(range(min = 1, max = 16))]
        probability_bits: u32,
        /// Two banks of latches: the next sample is drawn while this one is read.
        #[serde(default = "yes")]
        double_buffered: bool,
        /// When a fresh sample is drawn.
        #[serde(default)]
        draws: Draws,
    },
    /// Device noise and a comparator per column: one row after another is read and compared; draws are fresh at
    /// each read.
    Comparator {
        /// Noise rows of a sub-array that are on in each of its reads (kn).
        #[schemars(range(min = 0, max = 4096))]
        noise_rows: u32,
        /// Sub-arrays that share the rows of a row block and work side by side (s).
        #[schemars(range(min = 1, max = 4096))]
        #[serde(default = "one")]
        sub_arrays: u32,
        /// Offset of the comparators. With ideal memory cells, which have no noise, draws follow p whatever it is.
        #[serde(default)]
        offset: Offset,
    },
}

/// Offset of comparators, referred to their input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Offset {
    /// Standard deviation from comparator to comparator, as the difference of conductances, at the read voltage, that it
    /// stands for.
    #[schemars(extend("x-range" = ["0 pS", "10 mS"]))]
    pub spread: Conductance,
    /// How it is trimmed, and with it the imbalance of the noise rows; not at all if left out.
    pub trim: Option<Trim>,
}

/// When comparators are trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub enum TrimTime {
    /// Once, right after programming.
    #[default]
    Programming,
    /// Again at the age of the devices, right before the run.
    Run,
}

/// Trimming of comparators.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trim {
    /// Step, as a difference of conductances.
    #[schemars(extend("x-range" = ["1 pS", "10 mS"]))]
    pub step: Conductance,
    /// Bits: steps reach to 2^(bits - 1) - 1 to either side.
    #[schemars(range(min = 2, max = 16))]
    pub bits: u32,
    /// When: what noise rows drift apart later stays.
    #[serde(default)]
    pub at: TrimTime,
}

impl Trim {
    /// What is subtracted from an offset, both in microsiemens: the nearest step that there is.
    #[must_use]
    pub fn nearest(&self, offset: f64) -> f64 {
        let (step, most) = (self.step.microsiemens(), f64::from((1_i32 << (self.bits - 1)) - 1));
        (offset / step).round().clamp(-most, most) * step
    }
}

/// SourceText of the random bits of an array.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum RandomSource {
    /// Linear-feedback shift registers: their own bit sequences are drawn from, with their correlations.
    Lfsr {
        /// Bits of a register (w).
        #[schemars(range(min = 2, max = 64))]
        bits: u32,
        /// Taps: each new bit is the sum modulo 2 of the bits this many steps back. They must give the full period,
        /// 2^bits - 1.
        #[schemars(inner(range(min = 1, max = 64)))]
        taps: Vec<u32>,
        /// Registers of an array's generator; each steps bits_per_cycle / registers times a cycle, by as many gates in a
        /// row.
        #[schemars(range(min = 1, max = 65_536))]
        #[serde(default = "one")]
        registers: u32,
    },
    /// Independent bits, which no circuit gives: what other sources are compared with. They cost `random_bit`.
    Ideal,
    /// A true random generator: independent bits at the price of `true_random_bit`.
    Trng,
}

impl Default for RandomSource {
    /// One register an array, long enough that no run of a network walks through a noticeable part of its period.
    fn default() -> Self {
        Self::Lfsr { bits: 64, taps: vec![64, 63, 61, 60], registers: 1 }
    }
}

/// When a fresh weight sample is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum Draws {
    /// One sample held for a whole pass of a member: the Bayesian network's own meaning.
    #[default]
    PerMember,
    /// A fresh sample at every output position.
    PerPosition,
}

/// Shift-and-add over input bits and adder tree over row blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accumulator {
    /// Results that may wait in its output register.
    #[schemars(range(min = 1, max = 65_536))]
    #[serde(default = "two")]
    pub depth: u32,
}

/// Digital post-processing of a tile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Digital {
    /// Values per step and tile.
    #[schemars(range(min = 1, max = 65_536))]
    pub lanes: u32,
    /// Positions that may wait before it.
    #[schemars(range(min = 1, max = 65_536))]
    #[serde(default = "two")]
    pub depth: u32,
}

/// A tile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tile {
    /// Arrays in a tile.
    #[schemars(range(min = 1, max = 65_536))]
    pub arrays: u32,
    /// Buffer that holds what the tile's layer reads.
    pub input_buffer: Buffer,
    /// Buffer in front of the interconnect.
    pub output_buffer: Buffer,
}

/// A bounded buffer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Buffer {
    /// Bytes it holds.
    #[schemars(extend("x-range" = ["1 B", "64 GiB"]))]
    pub capacity: Bytes,
    /// Bytes read or written per step of the cost table's buffer time.
    #[schemars(range(min = 1, max = 65_536))]
    pub bytes_per_cycle: u32,
}

/// The network between tiles. Links are contended: a link carries one message at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Interconnect {
    /// One medium that all tiles share.
    Bus {
        /// Bytes per link step.
        #[schemars(range(min = 1, max = 65_536))]
        bytes_per_cycle: u32,
    },
    /// Grid of tiles with XY routes; the global buffer sits at the top-left corner.
    Mesh {
        /// Tiles in a row of the grid; 0: the nearest square that holds the network.
        #[schemars(range(min = 0, max = 4096))]
        #[serde(default)]
        width: u32,
        /// Bytes per link step.
        #[schemars(range(min = 1, max = 65_536))]
        bytes_per_cycle: u32,
    },
    /// Binary tree with the tiles as leaves and the global buffer at the root.
    HTree {
        /// Bytes per link step.
        #[schemars(range(min = 1, max = 65_536))]
        bytes_per_cycle: u32,
    },
}

fn one() -> u32 {
    1
}

fn two() -> u32 {
    2
}

fn yes() -> bool {
    true
}
