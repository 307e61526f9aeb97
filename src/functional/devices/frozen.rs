//! Products of planes of real cells whose reads have no noise of their own, at many output positions.
//!
//! Columns lie side by side, 16 at a time. A pulse of one bit drives four rows by one of 16 patterns: what they add is
//! tabulated once for all pulses and positions. Levels of more bits are multiplied, two rows at a time.

use super::lines::Line;
use super::read::{Block, Reads, whole_codes};
use crate::functional::adc::Quantiser;
use crate::functional::input::transpose;
use crate::functional::kernels::{Codes, Instructions, Lanes, Levels, Pairs, Tables};
use crate::functional::lanes::fill;

/// Columns that are computed together.
const COLUMNS: usize = 16;
/// Rows that are.
const ROWS: usize = 64;
/// Positions whose levels are multiplied together.
const FOUR: usize = 4;

impl Reads<'_> {
    /// Reads the plane, columns side by side; returns how many conversions clipped.
    #[inline(always)]
    pub(super) fn by_columns(self, instructions: Instructions) -> u64 {
        let positions = self.windows.len() / self.rows;
        let columns = self.sums.len() / positions;
        let mut totals = vec![0; self.sums.len()];
        let mut clipped = 0;
        let codes = self.cells.codes(self.quantiser);
        let factors = self.cells.factors_of(self.member);
        for ((block, lines), factors) in self.cells.blocks().iter().zip(self.lines).zip(factors) {
            let driven = Driven::new(block, self.quantiser, self.windows, self.rows);
            // The second bitline of a pair counts against the first one.
            for (line, sign) in lines.iter().zip([1, -1]) {
                for first in (0..block.columns.len()).step_by(COLUMNS) {
                    let number = COLUMNS.min(block.columns.len() - first);
                    let sums = driven.sums(instructions, line, block.columns.len(), first..first + number);
                    let factors: [i64; COLUMNS] = std::array::from_fn(|i| {
                        factors.get((first + i) / block.width).map_or(0, |factor| factor * sign)
                    });
                    let at = block.columns.start + first;
                    for (position, totals) in totals.chunks_exact_mut(columns).enumerate() {
                        let sums = sums[position * driven.pulses..].iter().take(driven.pulses);
                        clipped += self.convert(instructions, &codes, sums, factors, &mut totals[at..at + number]);
                    }
                }
            }
        }
        whole_codes(self.sums, &totals);
        clipped
    }

    /// Adds the codes of the pulses of a position times factors to totals; returns how many clipped. Columns that there are not
    /// have no current.
    #[inline(always)]
    fn convert<'a>(
        &self,
        instructions: Instructions,
        by: &Codes,
        sums: impl Iterator<Item = &'a Lanes>,
        factors: [i64; COLUMNS],
        totals: &mut [i64],
    ) -> u64 {
        let (mut codes, mut beyond) = ([0; COLUMNS], [0; COLUMNS]);
        if self.quantiser.per_value() {
            let (mut values, mut all) = ([0.0; COLUMNS], [0.0; COLUMNS]);
            for (pulse, sum) in sums.enumerate() {
                let weight = f64::from(self.quantiser.digits().weight(pulse as u32));
                let currents = sum.numbers().map(f64::from);
                values.iter_mut().zip(currents).for_each(|(value, current)| *value += weight * current);
            }
            let by = self.quantiser.rounding(self.cells.steps_per_unit(self.quantiser));
            beyond[0] = instructions.add_codes(&values, by, 1.0, &mut all) as i32;
            codes = all.map(|code| code as i32);
        } else {
            for (pulse, sum) in sums.enumerate().filter(|(_, sum)| **sum != Lanes::ZERO) {
                by.add(&sum.numbers(), self.quantiser.digits().weight(pulse as u32), &mut codes, &mut beyond);
            }
        }
        for ((total, code), factor) in totals.iter_mut().zip(codes).zip(factors) {
            *total += i64::from(code) * factor;
        }
        beyond.iter().map(|&beyond| beyond as u64).sum()
    }
}

/// What drives the rows of a block at some positions.
struct Driven {
    pulses: usize,
    positions: usize,
    levels: OfWords,
}

/// For each 64 rows what drives them, `[position][pulse]`.
enum OfWords {
    /// Whether each row is driven.
    Patterns(Vec<Vec<u64>>),
    /// At which level; positions are filled up to a multiple of [`FOUR`].
    Levels(Vec<Vec<Levels>>),
}

impl Driven {
    #[inline(always)]
    fn new(block: &Block, quantiser: &Quantiser, windows: &[u16], rows: usize) -> Self {
        let digits = quantiser.digits();
        let (pulses, positions) = (digits.pulses() as usize, windows.len() / rows);
        let one_bit = digits.highest_level() == 1;
        let of_word = |word: &[u32]| {
            let mut codes = [0; ROWS];
            let mut patterns = Vec::with_capacity(if one_bit { positions * pulses } else { 0 });
            let filled = if one_bit { 0 } else { positions.next_multiple_of(FOUR) * pulses };
            let mut levels = vec![[0; ROWS / 2]; filled];
            for (position, window) in windows.chunks_exact(rows).enumerate() {
                codes.iter_mut().zip(word).for_each(|(code, &row)| *code = window[row as usize]);
                let codes = &codes[..word.len()];
                if one_bit {
                    for first in (0..pulses).step_by(8) {
                        patterns.extend(&transpose(codes, first as u32)[..(pulses - first).min(8)]);
                    }
                    continue;
                }
                for pulse in 0..pulses {
                    let level = |code: u16| u32::from(digits.level(code, pulse as u32));
                    let of_pulse = &mut levels[position * pulses + pulse];
                    for (pair, codes) in of_pulse.iter_mut().zip(codes.chunks(2)) {
                        *pair = level(codes[0]) | level(codes.get(1).copied().unwrap_or(0)) << 16;
                    }
                }
            }
            (patterns, levels)
        };
        let words = block.rows.chunks(ROWS).map(of_word);
        let levels = if one_bit {
            OfWords::Patterns(words.map(|(patterns, _)| patterns).collect())
        } else {
            OfWords::Levels(words.map(|(_, levels)| levels).collect())
        };
        Self { pulses, positions, levels }
    }

    /// Sums of the currents of some columns of a line of `all` columns, `[position][pulse]`.
    #[inline(always)]
    fn sums(&self, instructions: Instructions, line: &Line, all: usize, columns: std::ops::Range<usize>) -> Vec<Lanes> {
        let mut sums = vec![Lanes::ZERO; self.positions.next_multiple_of(FOUR) * self.pulses];
        let words = line.current.chunks(ROWS * all);
        match &self.levels {
            OfWords::Patterns(of_words) => {
                let mut tables: Tables = [[Lanes::ZERO; 16]; 16];
                for (word, patterns) in words.zip(of_words) {
                    let mut rows = word.chunks_exact(all);
                    for table in &mut tables {
                        let mut of_rows = [Lanes::ZERO; 4];
                        for (lanes, row) in of_rows.iter_mut().zip(&mut rows) {
                            *lanes = Lanes::of(currents(&row[columns.clone()]));
                        }
                        fill(table, of_rows);
                    }
                    for (sum, &pattern) in sums.iter_mut().zip(patterns) {
                        if pattern != 0 {
                            *sum = instructions.look_up(&tables, pattern, *sum);
                        }
                    }
                }
            }
            OfWords::Levels(of_words) => {
                let mut pairs: Pairs = [Lanes::ZERO; ROWS / 2];
                for (word, levels) in words.zip(of_words) {
                    let mut rows = word.chunks_exact(all);
                    for pair in &mut pairs {
                        let mut next = || rows.next().map_or([0; COLUMNS], |row| currents(&row[columns.clone()]));
                        let (first, second) = (next(), next());
                        *pair = Lanes::of(std::array::from_fn(|i| (first[i] & 0xffff) | second[i] << 16));
                    }
                    let fours = sums.as_chunks_mut::<FOUR>().0.iter_mut().zip(levels.as_chunks::<FOUR>().0);
                    for (sums, [a, b, c, d]) in fours {
                        instructions.multiply_add(&pairs, [a, b, c, d], sums);
                    }
                }
            }
        }
        sums
    }
}

/// The currents of a row.
#[inline(always)]
fn currents(of_row: &[i16]) -> [i32; COLUMNS] {
    let mut lanes = [0; COLUMNS];
    for (lane, &current) in lanes.iter_mut().zip(of_row) {
        *lane = i32::from(current);
    }
    lanes
}
