//! Weights drawn from the bit sequences of shift registers, as the arrays' generators draw them.
//!
//! Each array of a layer has its own generator: R registers, each from a seed of its own, that step g / R times a cycle. The
//! bits of a cycle are those of the first register in the order of its steps, then those of the second, and so on; the
//! cycles' bits follow each other. Draw i takes bits i b to (i + 1) b, the first of them lowest, and draws go to the
//! synapses in use column by column, row by row within a column. What is left of a sample's last cycle is not used; the
//! next sample goes on with the next cycle.

use crate::functional::blocks::RowBlocks;
use crate::functional::kernels::{Instructions, Work};
use crate::functional::weights::BitMatrix;
use crate::lfsr::Sequence;
use crate::random::{Purpose, StreamName, threshold};
use crate::workload::LayerPosterior;
use std::ops::Range;

/// Parameters that the generators of all arrays share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registers {
    /// Bits of a register (w).
    pub bits: u32,
    /// Its taps.
    pub taps: Vec<u32>,
    /// Registers of an array (R), a divisor of `bits_per_cycle`.
    pub number: u32,
    /// Bits of a cycle (g).
    pub bits_per_cycle: u32,
    /// Bits of a draw (b).
    pub draw_bits: u32,
}

/// The distribution of a layer's weights, and the generators that draw them.
#[derive(Debug, Clone)]
pub struct RegisterDraws {
    registers: Registers,
    blocks: RowBlocks,
    columns: usize,
    /// Columns of an array.
    array_columns: usize,
    /// Draws below it are +1; synapse (row k, column m) at `m K + k`.
    thresholds: Thresholds,
    /// Seeds `[array][register]`, row block by row block.
    seeds: Vec<u64>,
}

/// Draws below which weights are +1.
#[derive(Debug, Clone)]
enum Thresholds {
    Numbers(Vec<u32>),
    /// Of draws of eight bits from one register: the largest ones. Weights that are never +1 are not `possible`.
    Bytes {
        largest: Vec<u8>,
        possible: BitMatrix,
    },
}

impl Thresholds {
    fn new(posterior: &LayerPosterior, registers: &Registers, blocks: RowBlocks) -> Self {
        let thresholds = posterior.p.iter().map(|&p| threshold(p, registers.draw_bits) as u32);
        if (registers.draw_bits, registers.number) != (8, 1) {
            return Thresholds::Numbers(thresholds.collect());
        }
        let columns = posterior.p.len() / blocks.rows();
        let mut possible = BitMatrix::new(blocks, columns);
        let all: Vec<u32> = thresholds.collect();
        for (column, thresholds) in all.chunks_exact(blocks.rows()).enumerate() {
            for rows in blocks.word_rows() {
                let set = thresholds[rows.clone()].iter().rev();
                possible.set_word(rows.start, column, set.fold(0, |word, &of| word << 1 | u64::from(of > 0)));
            }
        }
        Thresholds::Bytes { largest: all.iter().map(|of| of.saturating_sub(1) as u8).collect(), possible }
    }
}

impl RegisterDraws {
    /// The generators of layer `layer` on arrays of `array_columns` synapse columns. Seeds come from a stream that names
    /// layer and array.
    #[must_use]
    pub fn new(
        registers: Registers,
        posterior: &LayerPosterior,
        layer: usize,
        blocks: RowBlocks,
        array_columns: usize,
        master_seed: u64,
    ) -> Self {
        let columns = posterior.p.len() / blocks.rows();
        let arrays = blocks.count() * columns.div_ceil(array_columns);
        let mut seeds = Vec::with_capacity(arrays * registers.number as usize);
        for array in 0..arrays {
            let name =
                StreamName { layer: layer as u32, array: array as u32, ..StreamName::new(Purpose::RegisterSeed) };
            let mut stream = name.open(master_seed);
            for _ in 0..registers.number {
                // The all-zero state never changes.
                let mut draw = || stream.bits() >> (64 - registers.bits);
                seeds.push(std::iter::repeat_with(&mut draw).find(|seed| *seed != 0).unwrap_or(1));
            }
        }
        let thresholds = Thresholds::new(posterior, &registers, blocks);
        Self { registers, blocks, columns, array_columns, thresholds, seeds }
    }

    /// The states of the generators at the start of sample number `sample` (from 0 on).
    #[must_use]
    pub fn start(&self, sample: u64) -> Vec<Generator> {
        let registers = &self.registers;
        let steps = registers.bits_per_cycle / registers.number;
        let seeds = self.seeds.chunks_exact(registers.number as usize);
        seeds
            .zip(self.arrays())
            .map(|(seeds, (rows, columns))| {
                let cycles = (rows.len() * columns.len() * registers.draw_bits as usize)
                    .div_ceil(registers.bits_per_cycle as usize);
                let skip = sample * cycles as u64 * u64::from(steps);
                let sequence = |&seed: &u64| Sequence::new(registers.bits, &registers.taps, seed, skip);
                Generator { registers: seeds.iter().map(sequence).collect(), steps, current: 0, left: steps }
            })
            .collect()
    }

    /// Draws every weight of the next sample.
    ///
    /// # Panics
    /// Panics if `matrix` is of another shape, or `generators` are not those of [`start`](Self::start).
    pub fn draw(&self, generators: &mut [Generator], matrix: &mut BitMatrix) {
        match &self.thresholds {
            Thresholds::Numbers(thresholds) => {
                self.draw_words(generators, matrix, thresholds, |generator, thresholds| {
                    let mut word = 0;
                    for (bit, &threshold) in thresholds.iter().enumerate() {
                        word |= u64::from(generator.take(self.registers.draw_bits) < threshold) << bit;
                    }
                    word
                })
            }
            Thresholds::Bytes { largest, possible } => {
                let instructions = Instructions::best();
                self.draw_words(generators, matrix, largest, |generator, largest| {
                    match <&[u8; 64]>::try_from(largest) {
                        Ok(largest) => instructions.run(NotAbove { draws: generator.take_bytes(), largest }),
                        Err(_) => (0..).zip(largest).fold(0, |word, (bit, &largest)| {
                            word | u64::from(generator.take(8) <= largest.into()) << bit
                        }),
                    }
                });
                matrix.mask(possible);
            }
        }
    }

    /// Draws each word of weights by `draw` from its own of `of_synapses`.
    fn draw_words<T>(
        &self,
        generators: &mut [Generator],
        matrix: &mut BitMatrix,
        of_synapses: &[T],
        draw: impl Fn(&mut Generator, &[T]) -> u64,
    ) {
        let rows_in_all = self.blocks.rows();
        for (generator, (rows, columns)) in generators.iter_mut().zip(self.arrays()) {
            for column in columns {
                let of_column = &of_synapses[column * rows_in_all..][rows.clone()];
                for (i, of_word) in of_column.chunks(64).enumerate() {
                    matrix.set_word(rows.start + 64 * i, column, draw(generator, of_word));
                }
            }
            generator.end_sample();
        }
    }

    /// Rows and columns of each array, row block by row block.
    fn arrays(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + '_ {
        (0..self.blocks.count()).flat_map(move |block| {
            let starts = (0..self.columns).step_by(self.array_columns);
            starts.map(move |start| (self.blocks.block(block), start..(start + self.array_columns).min(self.columns)))
        })
    }
}

/// Which draws are not above the largest ones that make a weight +1, the first one lowest.
struct NotAbove<'a> {
    draws: [u8; 64],
    largest: &'a [u8; 64],
}

impl Work for NotAbove<'_> {
    type Output = u64;

    #[inline(always)]
    fn run(self, instructions: Instructions) -> u64 {
        instructions.not_above(&self.draws, self.largest)
    }
}

/// The generator of one array at work.
#[derive(Debug, Clone)]
pub struct Generator {
    registers: Vec<Sequence>,
    /// Steps of a register in a cycle.
    steps: u32,
    /// The register whose bits are read, and how many of this cycle it has left.
    current: usize,
    left: u32,
}

impl Generator {
    /// The next `count` (1..=32) bits, the first of them lowest.
    fn take(&mut self, count: u32) -> u32 {
        let (mut bits, mut have) = (0, 0);
        while have < count {
            let run = self.left.min(count - have);
            bits |= self.registers[self.current].take(run) << have;
            have += run;
            self.pass(run);
        }
        bits
    }

    /// The next 64 draws of eight bits from the only register.
    fn take_bytes(&mut self) -> [u8; 64] {
        let mut bytes = [0; 64];
        for eight in bytes.as_chunks_mut::<8>().0 {
            *eight = self.registers[0].take_word().to_le_bytes();
        }
        let taken = (self.steps - self.left + 8 * 64) % self.steps;
        self.left = self.steps - taken;
        bytes
    }

    /// Skips the rest of the current cycle.
    fn end_sample(&mut self) {
        while self.current != 0 || self.left != self.steps {
            let run = self.left.min(32);
            self.registers[self.current].take(run);
            self.pass(run);
        }
    }

    fn pass(&mut self, bits: u32) {
        self.left -= bits;
        if self.left == 0 {
            self.current = (self.current + 1) % self.registers.len();
            self.left = self.steps;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{BatchNorm, Learned};

    fn posterior(p: Vec<f32>) -> LayerPosterior {
        let none = BatchNorm { mean: Vec::new(), var: Vec::new() };
        let (sampled, mode) = (none.clone(), none);
        LayerPosterior { p, sampled, mode, learned: Learned::none(0), input_scale: 1.0, samples: None }
    }

    fn registers(bits: u32, taps: &[u32], number: u32, bits_per_cycle: u32, draw_bits: u32) -> Registers {
        Registers { bits, taps: taps.to_vec(), number, bits_per_cycle, draw_bits }
    }

    /// Whether each weight `[row][column]` is +1.
    fn weights(matrix: &BitMatrix, rows: usize) -> Vec<Vec<bool>> {
        let mut weights = Vec::new();
        for (words, range) in matrix.words().chunks(matrix.columns()).zip(matrix.blocks().word_rows()) {
            weights.extend((0..range.len()).map(|bit| words.iter().map(|word| word >> bit & 1 == 1).collect()));
        }
        assert_eq!(weights.len(), rows);
        weights
    }

    /// One register by itself, one step at a time: the bits that leave it.
    fn stepped(bits: usize, taps: &[u32], seed: u64, steps: usize) -> Vec<bool> {
        let mut sequence: Vec<bool> = (0..bits).map(|bit| seed >> bit & 1 == 1).collect();
        while sequence.len() < steps {
            let next = taps.iter().fold(false, |sum, &tap| sum ^ sequence[sequence.len() - tap as usize]);
            sequence.push(next);
        }
        sequence
    }

    #[test]
    fn each_synapse_gets_the_bits_that_the_hardware_gives_it() {
        // 5 x 3 weights on arrays of 2 rows and 2 columns: 3 x 2 arrays; two registers of 5 bits, each 3 of a cycle's 6 bits;
        // draws of 4 bits. An array of 2 x 2 takes ceil(16 / 6) = 3 cycles, of 1 x 2 or 2 x 1 ceil(8 / 6) = 2, of 1 x 1 one.
        let (rows, columns, taps) = (5, 3, [5, 3]);
        let p: Vec<f32> = (0..15).map(|i| (i as f32 + 0.5) / 15.0).collect();
        let blocks = RowBlocks::new(5, 2);
        let draws = RegisterDraws::new(registers(5, &taps, 2, 6, 4), &posterior(p.clone()), 7, blocks, 2, 99);
        let mut generators = draws.start(0);
        for sample in 0..40 {
            let mut matrix = BitMatrix::new(blocks, columns);
            draws.draw(&mut generators, &mut matrix);
            let mut later = BitMatrix::new(blocks, columns);
            draws.draw(&mut draws.start(sample), &mut later);
            assert_eq!(matrix, later, "sample {sample} by itself");
            let found = weights(&matrix, rows);
            for (block, column_block) in (0..3).flat_map(|block| [(block, 0), (block, 1)]) {
                let name = StreamName {
                    layer: 7,
                    array: (block * 2 + column_block) as u32,
                    ..StreamName::new(Purpose::RegisterSeed)
                };
                let mut stream = name.open(99);
                let mut seed = || std::iter::repeat_with(|| stream.bits() >> 59).find(|&seed| seed != 0).unwrap();
                let (first, second) = (stepped(5, &taps, seed(), 1000), stepped(5, &taps, seed(), 1000));
                let held_rows = if block == 2 { 1 } else { 2 };
                let held_columns = if column_block == 1 { 1 } else { 2 };
                let cycles = (held_rows * held_columns * 4usize).div_ceil(6);
                let start = sample as usize * cycles;
                let bits: Vec<bool> = (start..start + cycles)
                    .flat_map(|c| first[3 * c..3 * c + 3].iter().chain(&second[3 * c..3 * c + 3]).copied())
                    .collect();
                for i in 0..held_rows * held_columns {
                    let (row, column) = (block * 2 + i % held_rows, column_block * 2 + i / held_rows);
                    let draw = (0..4).fold(0, |draw, bit| draw | u32::from(bits[4 * i + bit]) << bit);
                    let expected = draw < (p[column * rows + row] * 16.0).round() as u32;
                    assert_eq!(found[row][column], expected, "sample {sample}, row {row}, column {column}");
                }
            }
        }
    }

    /// A sample of an array of one column whose synapses all have the same p.
    fn column(registers: Registers, p: f32, rows: usize, samples: usize) -> Vec<bool> {
        let blocks = RowBlocks::new(rows as u32, rows as u32);
        let draws = RegisterDraws::new(registers, &posterior(vec![p; rows]), 0, blocks, 1, 5);
        let mut generators = draws.start(0);
        let mut all = Vec::new();
        for _ in 0..samples {
            let mut matrix = BitMatrix::new(blocks, 1);
            draws.draw(&mut generators, &mut matrix);
            all.extend(weights(&matrix, rows).into_iter().map(|row| row[0]));
        }
        all
    }

    /// Draws of eight bits from one register are taken as words where they can.
    #[test]
    fn draws_of_eight_bits_are_those_bit_by_bit() {
        let (rows, columns, taps) = (330, 3, [64, 63, 61, 60]);
        let p: Vec<f32> = (0..rows * columns).map(|i| (i % 7) as f32 / 6.0).collect();
        let blocks = RowBlocks::new(rows as u32, 130);
        // 13 bits a cycle: words and cycles do not meet.
        let draws = RegisterDraws::new(registers(64, &taps, 1, 13, 8), &posterior(p.clone()), 3, blocks, 2, 21);
        assert!(matches!(draws.thresholds, Thresholds::Bytes { .. }));
        let numbers = p.iter().map(|&p| threshold(p, 8) as u32).collect();
        let singly = RegisterDraws { thresholds: Thresholds::Numbers(numbers), ..draws.clone() };
        let (mut fast, mut slow) = (draws.start(0), draws.start(0));
        for _ in 0..5 {
            let mut found = [BitMatrix::new(blocks, columns), BitMatrix::new(blocks, columns)];
            draws.draw(&mut fast, &mut found[0]);
            singly.draw(&mut slow, &mut found[1]);
            assert_eq!(found[0], found[1]);
            let set = |row: usize, column: usize| found[0].get(row, column);
            assert!(
                (0..rows * columns)
                    .all(|i| (i % 7 != 0 || !set(i % rows, i / rows)) && (i % 7 != 6 || set(i % rows, i / rows)))
            );
        }
    }

    #[test]
    fn an_eight_bit_register_repeats_its_draws_and_a_long_one_does_not() {
        let equal = |weights: &[bool], distance: usize| {
            let pairs = weights.iter().zip(&weights[distance..]);
            pairs.clone().filter(|(a, b)| a == b).count() as f64 / pairs.count() as f64
        };
        // One register: 255 draws of 8 bits are 8 rounds of its 255 bits. Draws take whole cycles: samples run on.
        let one = column(registers(8, &[8, 6, 5, 4], 1, 128, 8), 0.5, 4096, 2);
        assert_eq!(equal(&one, 255), 1.0);
        // 128 registers, a bit each a cycle, 16 draws a cycle: the same after 255 cycles.
        let many = column(registers(8, &[8, 6, 5, 4], 128, 128, 8), 0.5, 4096, 4);
        assert_eq!(equal(&many, 255 * 16), 1.0);
        assert!((equal(&many, 255) - 0.5).abs() < 0.05);
        let long = column(registers(64, &[64, 63, 61, 60], 1, 128, 8), 0.5, 4096, 4);
        for distance in [1, 16, 255, 255 * 16] {
            // Four standard errors of a share of 1/2 among 12,000: 4 * 0.0046.
            assert!((equal(&long, distance) - 0.5).abs() < 0.0185, "{distance}");
        }
    }

    #[test]
    fn frequencies_are_those_of_the_register() {
        let ones = |weights: Vec<bool>| weights.iter().filter(|&&w| w).count();
        // An 8-bit register is never 0. Of the 255 draws of a whole round of 255 x 8 bits each value but 0 comes once: below
        // round(0.25 * 256) = 64 lie 63 of them, so p is 63/255 = 0.247.
        assert_eq!(ones(column(registers(8, &[8, 6, 5, 4], 1, 8, 8), 0.25, 255, 3)), 3 * 63);
        let long = ones(column(registers(64, &[64, 63, 61, 60], 1, 128, 8), 0.25, 4096, 25));
        // Four standard errors of a share of 1/4 among 102,400: 4 * 0.00135.
        assert!((long as f64 / 102_400.0 - 0.25).abs() < 0.0054, "{long}");
    }
}
