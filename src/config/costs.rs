//! The cost table: what each action of each part takes, with its source.

use crate::units::{Area, Energy, Length, Power, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Cost of one action, and of one instance of the part that does it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Time of one action.
    #[schemars(extend("x-range" = ["0 ps", "1 ms"]))]
    pub time: Time,
    /// Energy of one action.
    #[schemars(extend("x-range" = ["0 aJ", "1 nJ"]))]
    pub energy: Energy,
    /// Area of one instance.
    #[schemars(extend("x-range" = ["0 nm2", "100 mm2"]))]
    pub area: Area,
    /// Leakage of one instance.
    #[schemars(extend("x-range" = ["0 fW", "1000 mW"]))]
    pub leakage: Power,
    /// Where the numbers are from.
    #[schemars(length(min = 1))]
    pub source: String,
    /// How far they may be trusted.
    #[schemars(length(min = 1))]
    pub accuracy: String,
}

/// A converter of one resolution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdcCost {
    /// Resolution in bits.
    #[schemars(range(min = 1, max = 16))]
    pub bits: u32,
    /// One conversion; area and leakage of one converter.
    pub convert: Cost,
}

/// A digital-to-analogue converter of one resolution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DacCost {
    /// Resolution in bits; a driver of one bit has none.
    #[schemars(range(min = 2, max = 8))]
    pub bits: u32,
    /// One conversion, of one row in one pulse; area and leakage of one converter. Its time is part of the array's
    /// `read_time`.
    pub convert: Cost,
}

/// Costs of all parts of a chip at one corner.
/// A file may name another table as its `base`, and give only what differs: whole costs, or some numbers of a cost with
/// their `source` and `accuracy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-base" = true))]
pub struct CostTable {
    /// Name of the corner, e.g. `neurosim_22nm`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// One paragraph for people.
    #[serde(default)]
    pub description: String,
    /// Technology node of the numbers.
    #[schemars(extend("x-range" = ["1 nm", "1 um"]))]
    pub node: Length,
    /// One cell: area and leakage only; the energy of a read is V^2 G t, its time the array's `read_time`.
    pub cell: Cost,
    /// One wordline pulse over 128 cells (scaled to the columns of the array); area and leakage of one wordline's
    /// driver.
    pub wordline: Cost,
    /// Digital-to-analogue converters of the rows, one entry a resolution; drivers of one bit need none.
    #[serde(default)]
    pub dac: Vec<DacCost>,
    /// Taking one sample; per converter input. Time 0: the sample is taken as the read ends.
    pub sample_and_hold: Cost,
    /// Column multiplexer in front of one converter; energy per conversion.
    pub multiplexer: Cost,
    /// Converters, one entry a resolution.
    pub adc: Vec<AdcCost>,
    /// One comparison of the row-serial sampler; area of one comparator.
    pub comparator: Cost,
    /// One accumulation behind a comparator; area of one accumulator. Time: drain after the last row.
    pub sampled_accumulate: Cost,
    /// One fresh bit of an ideal source, at an assumed price; area per bit of a cycle. Time: one step.
    pub random_bit: Cost,
    /// One fresh bit of a true random generator; area per bit of a cycle. Time: one step.
    pub true_random_bit: Cost,
    /// One step of one bit of a shift register; area and leakage of that bit. Time: one cycle's steps.
    pub lfsr_register: Cost,
    /// One sum of two bits in the feedback of a shift register; area and leakage of its gate.
    pub lfsr_gate: Cost,
    /// Comparing a draw with p; area and leakage of one comparator, of which an array has g / b.
    pub draw_compare: Cost,
    /// Latching a drawn weight; area and leakage of one latch: one synapse in one bank.
    pub draw_latch: Cost,
    /// Fetching the stored p of one synapse; area of its storage.
    pub probability_fetch: Cost,
    /// Fetching one bit of an index of a packed array; area and leakage of its storage.
    pub index_bit: Cost,
    /// One input code gathered from a bank of the layer's register file into a packed array, without its wires, which cost as
    /// those of `link`; area and leakage of the selector of one bank. Time: one access.
    pub gather: Cost,
    /// One shift-and-add; area of one unit. Time: latency after the conversion, pipelined.
    pub shift_add: Cost,
    /// One addition of the adder tree over row blocks; area of one adder. Time: latency of one level of the tree.
    pub adder: Cost,
    /// Batch-norm scale and shift, activation and quantisation of one value; area of one lane. Time: one step of
    /// the lanes.
    pub post_process: Cost,
    /// One comparison of max-pooling; area of one lane's comparator. Its time is part of `post_process`.
    pub pool: Cost,
    /// One byte read from a tile buffer; time of one access of `bytes_per_cycle`; area and leakage of one byte.
    pub buffer_read: Cost,
    /// One byte written to a tile buffer; area and leakage are `buffer_read`'s (0 here).
    pub buffer_write: Cost,
    /// One byte read from the global buffer; area and leakage of one byte.
    pub global_read: Cost,
    /// One byte written to the global buffer; area and leakage are `global_read`'s (0 here).
    pub global_write: Cost,
    /// One byte over one hop; time of one step of a link, which is also the latency of a hop; area and leakage of
    /// one router or branch.
    pub link: Cost,
}

impl CostTable {
    /// Every cost with its key, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = (String, &Cost)> {
        let named = |name: &str, cost| (name.to_owned(), cost);
        let drivers = [named("cell", &self.cell), named("wordline", &self.wordline)];
        let levels = self.dac.iter().map(|entry| (format!("dac ({} bits)", entry.bits), &entry.convert));
        let samples = [named("sample_and_hold", &self.sample_and_hold), named("multiplexer", &self.multiplexer)];
        let converters = self.adc.iter().map(|entry| (format!("adc ({} bits)", entry.bits), &entry.convert));
        let rest = [
            named("comparator", &self.comparator),
            named("sampled_accumulate", &self.sampled_accumulate),
            named("random_bit", &self.random_bit),
            named("true_random_bit", &self.true_random_bit),
            named("lfsr_register", &self.lfsr_register),
            named("lfsr_gate", &self.lfsr_gate),
            named("draw_compare", &self.draw_compare),
            named("draw_latch", &self.draw_latch),
            named("probability_fetch", &self.probability_fetch),
            named("index_bit", &self.index_bit),
            named("gather", &self.gather),
            named("shift_add", &self.shift_add),
            named("adder", &self.adder),
            named("post_process", &self.post_process),
            named("pool", &self.pool),
            named("buffer_read", &self.buffer_read),
            named("buffer_write", &self.buffer_write),
            named("global_read", &self.global_read),
            named("global_write", &self.global_write),
            named("link", &self.link),
        ];
        drivers.into_iter().chain(levels).chain(samples).chain(converters).chain(rest)
    }
}
