//! Products of planes of real cells whose reads have noise of their own, at many output positions, 16 of them side by side.
//!
//! What four rows of a column add is tabulated for the patterns by which a pulse of one bit drives them, and looked up within a
//! register. Levels of more bits are multiplied, two rows at a time. The variance of a read is a second product of that kind.

use super::lines::{DIGIT, Line};
use super::read::{Block, Reads, SIDE, add_noise, whole_codes};
use crate::functional::adc::Quantiser;
use crate::functional::input::transpose;
use crate::functional::kernels::{self, Instructions, Lanes, Levels, Pairs};
use crate::random::Stream;
use std::ops::Range;

/// Columns that are computed together.
const COLUMNS: usize = 4;
/// Rows whose levels are multiplied together.
const ROWS: usize = 64;
/// Words of rows whose products with squares of levels, both cut into digits, fit 32 bits.
const SQUARED: usize = 4;
/// Tables of them.
const TABLES: usize = ROWS / kernels::ROWS;
impl Reads<'_> {
    /// Reads the plane, positions side by side; returns how many conversions clipped.
    #[inline(always)]
    pub(super) fn by_positions(self, instructions: Instructions) -> u64 {
        let Reads { cells, lines, quantiser, member, first, windows, rows, sums } = self;
        let positions = windows.len() / rows;
        let columns = sums.len() / positions;
        let groups = positions.div_ceil(SIDE);
        let mut noise = Noise {
            streams: (0..positions as u64).filter_map(|position| cells.white(member, first + position)).collect(),
            normals: Vec::new(),
            fraction: cells.fraction(),
        };
        let mut totals = vec![[0_i64; SIDE]; columns * groups];
        let mut beyond = [0; SIDE];
        let mut clipped = 0;
        let mut product = Product::default();
        let codes = cells.codes(quantiser);
        for ((block, lines), factors) in cells.blocks().iter().zip(lines).zip(cells.factors_of(member)) {
            let driven = Driven::new(block, quantiser, windows, rows);
            noise.draw(&driven, lines.len(), block.columns.len());
            // The second bitline of a pair counts against the first one.
            for ((number, line), sign) in lines.iter().enumerate().zip([1, -1]) {
                let all = block.columns.len();
                for first in (0..all).step_by(COLUMNS) {
                    let here = first..(first + COLUMNS).min(all);
                    product.set(instructions, &driven, line, all, here.clone());
                    for group in 0..groups {
                        let mut of = [Converted::default(); COLUMNS];
                        for pulse in 0..driven.pulses {
                            let vector = group * driven.pulses + pulse;
                            if !driven.any[vector] {
                                continue;
                            }
                            let mut sums = product.currents(instructions, &driven, vector);
                            let variances = product.variances(instructions, &driven, vector);
                            for ((sums, variances), column) in sums.iter_mut().zip(&variances).zip(here.clone()) {
                                let normals = &noise.normals[(number * driven.any.len() + vector) * all + column];
                                add_noise(sums, variances, normals, noise.fraction);
                            }
                            let weight = quantiser.digits().weight(pulse as u32);
                            for (of, sums) in of[..here.len()].iter_mut().zip(&sums) {
                                if quantiser.per_value() {
                                    // Whole numbers below 2^53.
                                    let values = of.values.iter_mut().zip(sums);
                                    values.for_each(|(value, &sum)| *value += f64::from(weight) * f64::from(sum));
                                } else {
                                    codes.add(sums, weight, &mut of.codes, &mut beyond);
                                }
                            }
                        }
                        for (of, column) in of.iter_mut().zip(here.clone()) {
                            if quantiser.per_value() {
                                let mut all = [0.0; SIDE];
                                let by = quantiser.rounding(cells.steps_per_unit(quantiser));
                                clipped += u64::from(instructions.add_codes(&of.values, by, 1.0, &mut all));
                                of.codes = all.map(|code| code as i32);
                            }
                            let factor = factors[column / block.width] * sign;
                            let totals = &mut totals[(block.columns.start + column) * groups + group];
                            totals.iter_mut().zip(&of.codes).for_each(|(all, &code)| *all += i64::from(code) * factor);
                        }
                    }
                }
                clipped += beyond.iter().map(|&beyond| beyond as u64).sum::<u64>();
                beyond = [0; SIDE];
            }
        }
        let mut of_position = vec![0; columns];
        for (position, sums) in sums.chunks_exact_mut(columns).enumerate() {
            let of_columns = totals.chunks_exact(groups).map(|of| of[position / SIDE][position % SIDE]);
            of_position.iter_mut().zip(of_columns).for_each(|(to, of)| *to = of);
            whole_codes(sums, &of_position);
        }
        clipped
    }
}

/// What becomes of the sums of a column.
#[derive(Clone, Copy, Default)]
struct Converted {
    /// Sums of codes over the pulses.
    codes: [i32; SIDE],
    /// Sums of currents over the pulses, where they are converted together.
    values: [f64; SIDE],
}

/// Noise of the reads of a block.
struct Noise {
    /// That of each position.
    streams: Vec<Stream>,
    /// `[line][vector][column]`
    normals: Vec<[f64; SIDE]>,
    fraction: u32,
}

impl Noise {
    /// Draws what each position takes for its pulses that drive a row: pulse by pulse, line by line, column by column.
    #[inline(always)]
    fn draw(&mut self, driven: &Driven, lines: usize, columns: usize) {
        let vectors = driven.any.len();
        // Where nothing is driven the variance is 0.
        self.normals.resize(lines * vectors * columns, [0.0; SIDE]);
        for (position, stream) in self.streams.iter_mut().enumerate() {
            for pulse in 0..driven.pulses {
                if !driven.each[position * driven.pulses + pulse] {
                    continue;
                }
                let vector = position / SIDE * driven.pulses + pulse;
                for line in 0..lines {
                    let normals = &mut self.normals[(line * vectors + vector) * columns..][..columns];
                    normals.iter_mut().for_each(|normals| normals[position % SIDE] = stream.normal());
                }
            }
        }
    }
}

/// What drives the rows of a block: vectors of 16 positions for each pulse.
struct Driven {
    pulses: usize,
    /// Whether a pulse drives any row, `[position][pulse]`.
    each: Vec<bool>,
    /// The same of vectors, `[16 positions][pulse]`.
    any: Vec<bool>,
    words: usize,
    levels: Driving,
}

enum Driving {
    /// Which rows: patterns of four, `[vector][four rows]`.
    Patterns(Vec<Lanes>),
    /// At which level, and digits of its square: lower and upper eight bits, `[vector][two rows]`.
    Levels { levels: Vec<Lanes>, squares: [Vec<Lanes>; 2] },
}

impl Driven {
    #[inline(always)]
    fn new(block: &Block, quantiser: &Quantiser, windows: &[u16], rows: usize) -> Self {
        let digits = quantiser.digits();
        let (pulses, positions) = (digits.pulses() as usize, windows.len() / rows);
        let (vectors, words) = (positions.div_ceil(SIDE) * pulses, block.rows.len().div_ceil(ROWS));
        let (mut each, mut any) = (vec![false; positions * pulses], vec![false; vectors]);
        let one_bit = digits.highest_level() == 1;
        let of_vectors = |there: bool| vec![[0; SIDE]; if there { vectors * words * ROWS / 2 } else { 0 }];
        let mut levels = of_vectors(!one_bit);
        let mut squares = [of_vectors(!one_bit), of_vectors(!one_bit)];
        let mut patterns = vec![[0; SIDE]; if one_bit { vectors * words * TABLES } else { 0 }];
        for (word, of_word) in block.rows.chunks(ROWS).enumerate() {
            let mut codes = [0; ROWS];
            for (position, window) in windows.chunks_exact(rows).enumerate() {
                codes.iter_mut().zip(of_word).for_each(|(code, &row)| *code = window[row as usize]);
                let codes = &codes[..of_word.len()];
                let (first, lane) = (position / SIDE * pulses, position % SIDE);
                let mut drive = |pulse: usize| {
                    each[position * pulses + pulse] = true;
                    any[first + pulse] = true;
                };
                if one_bit {
                    for pulse in (0..pulses).step_by(8) {
                        let of_pulses = transpose(codes, pulse as u32);
                        for (pulse, of_pulse) in (pulse..pulses).zip(of_pulses).filter(|(_, of_pulse)| *of_pulse != 0) {
                            drive(pulse);
                            let to = &mut patterns[((first + pulse) * words + word) * TABLES..][..TABLES];
                            for (i, to) in to.iter_mut().enumerate() {
                                to[lane] = (of_pulse >> (kernels::ROWS * i) & 15) as i32;
                            }
                        }
                    }
                    continue;
                }
                for pulse in 0..pulses {
                    let at = (first + pulse) * words + word;
                    for (pair, codes) in codes.chunks(2).enumerate() {
                        let of = [Some(&codes[0]), codes.get(1)];
                        let of = of.map(|code| code.map_or(0, |&code| i32::from(digits.level(code, pulse as u32))));
                        if of == [0; 2] {
                            continue;
                        }
                        drive(pulse);
                        let at = at * ROWS / 2 + pair;
                        levels[at][lane] = of[0] | of[1] << 16;
                        let of = of.map(|level| level * level);
                        squares[0][at][lane] = of[0] & 0xff | (of[1] & 0xff) << 16;
                        squares[1][at][lane] = of[0] >> 8 | of[1] >> 8 << 16;
                    }
                }
            }
        }
        let lanes = |of: Vec<[i32; SIDE]>| of.into_iter().map(Lanes::of).collect();
        let levels = if one_bit {
            Driving::Patterns(lanes(patterns))
        } else {
            Driving::Levels { levels: lanes(levels), squares: squares.map(lanes) }
        };
        Self { pulses, each, any, words, levels }
    }
}

/// What rows add to four columns.
#[derive(Default)]
struct Product {
    currents: Columns,
    variances: Columns,
    /// Their upper digits where levels are multiplied, if they are not 0 everywhere.
    upper: Option<Columns>,
}

/// Numbers of four columns of all rows.
#[derive(Default)]
struct Columns {
    tables: [Vec<Lanes>; COLUMNS],
    pairs: [Vec<Levels>; COLUMNS],
}

/// Numbers `[row][column]` of some columns.
struct Numbers<'a, T> {
    all: &'a [T],
    /// Columns in all.
    width: usize,
    columns: Range<usize>,
}

impl<T: Copy> Numbers<'_, T> {
    /// Those of a row; 0 where there is none.
    #[inline(always)]
    fn row(&self, row: usize, number: impl Fn(T) -> i32) -> [i32; COLUMNS] {
        let mut numbers = [0; COLUMNS];
        let (start, end) = (row * self.width + self.columns.start, row * self.width + self.columns.end);
        let of_row = self.all.get(start..end).unwrap_or(&[]);
        if let Ok(of_row) = <&[T; COLUMNS]>::try_from(of_row) {
            // Its length is known to the compiler.
            for (to, &of) in numbers.iter_mut().zip(of_row) {
                *to = number(of);
            }
        } else {
            for (to, &of) in numbers.iter_mut().zip(of_row) {
                *to = number(of);
            }
        }
        numbers
    }
}

impl Columns {
    #[inline(always)]
    fn set<T: Copy>(
        &mut self,
        instructions: Instructions,
        driven: &Driven,
        numbers: &Numbers<'_, T>,
        number: impl Fn(T) -> i32,
    ) {
        let rows = driven.words * ROWS;
        match driven.levels {
            Driving::Patterns(_) => {
                self.tables.iter_mut().for_each(|tables| tables.resize(rows / kernels::ROWS, Lanes::ZERO));
                for group in 0..rows / kernels::ROWS {
                    let mut four = [[0; COLUMNS]; kernels::ROWS];
                    for (i, row) in four.iter_mut().enumerate() {
                        *row = numbers.row(kernels::ROWS * group + i, &number);
                    }
                    for (tables, table) in self.tables.iter_mut().zip(instructions.tabulate(&four)) {
                        tables[group] = table;
                    }
                }
            }
            Driving::Levels { .. } => {
                self.pairs.iter_mut().for_each(|pairs| pairs.resize(driven.words, [0; ROWS / 2]));
                for pair in 0..rows / 2 {
                    let [first, second] = [numbers.row(2 * pair, &number), numbers.row(2 * pair + 1, &number)];
                    for (column, pairs) in self.pairs.iter_mut().enumerate() {
                        pairs[2 * pair / ROWS][pair % (ROWS / 2)] =
                            first[column] as u32 & 0xffff | (second[column] as u32) << 16;
                    }
                }
            }
        }
    }

    /// Sums of looked up rows.
    #[inline(always)]
    fn looked_up(&self, instructions: Instructions, patterns: &[Lanes]) -> [[i32; SIDE]; COLUMNS] {
        let mut sums = [Lanes::ZERO; COLUMNS];
        instructions.look_up_within(self.tables.each_ref().map(Vec::as_slice), patterns, &mut sums);
        sums.map(Lanes::numbers)
    }

    /// Sums of products with the levels of some words.
    #[inline(always)]
    fn multiplied(&self, instructions: Instructions, levels: &[Pairs], words: Range<usize>) -> [[i32; SIDE]; COLUMNS] {
        let mut sums = [Lanes::ZERO; COLUMNS];
        for word in words {
            let pairs = self.pairs.each_ref().map(|pairs| &pairs[word]);
            instructions.multiply_add(&levels[word], pairs, &mut sums);
        }
        sums.map(Lanes::numbers)
    }
}

impl Product {
    #[inline(always)]
    fn set(&mut self, instructions: Instructions, driven: &Driven, line: &Line, all: usize, columns: Range<usize>) {
        let currents = Numbers { all: &line.current, width: all, columns: columns.clone() };
        self.currents.set(instructions, driven, &currents, i32::from);
        let variances = Numbers { all: &line.variance, width: all, columns };
        if let Driving::Patterns(_) = driven.levels {
            return self.variances.set(instructions, driven, &variances, |of| of as i32);
        }
        self.variances.set(instructions, driven, &variances, |of| (of & ((1 << DIGIT) - 1)) as i32);
        let upper = |of: u32| (of >> DIGIT) as i32;
        if (0..line.variance.len() / all).any(|row| variances.row(row, upper) != [0; COLUMNS]) {
            self.upper.get_or_insert_default().set(instructions, driven, &variances, upper);
        } else {
            self.upper = None;
        }
    }

    #[inline(always)]
    fn currents(&self, instructions: Instructions, driven: &Driven, vector: usize) -> [[i32; SIDE]; COLUMNS] {
        match &driven.levels {
            Driving::Patterns(patterns) => self.currents.looked_up(instructions, driven.patterns(patterns, vector)),
            Driving::Levels { levels, .. } => {
                self.currents.multiplied(instructions, driven.of_words(levels, vector), 0..driven.words)
            }
        }
    }

    #[inline(always)]
    fn variances(&self, instructions: Instructions, driven: &Driven, vector: usize) -> [[u64; SIDE]; COLUMNS] {
        let (words, squares) = match &driven.levels {
            Driving::Patterns(patterns) => {
                let sums = self.variances.looked_up(instructions, driven.patterns(patterns, vector));
                return sums.map(|sums| sums.map(|sum| u64::from(sum as u32)));
            }
            Driving::Levels { squares, .. } => (0..driven.words, squares),
        };
        let mut sums = [[0; SIDE]; COLUMNS];
        for (digit, columns) in [Some(&self.variances), self.upper.as_ref()].into_iter().enumerate() {
            let Some(columns) = columns else { continue };
            for (square, squares) in squares.iter().enumerate() {
                let shift = digit as u32 * DIGIT + 8 * square as u32;
                for first in words.clone().step_by(SQUARED) {
                    let words = first..(first + SQUARED).min(driven.words);
                    let of = columns.multiplied(instructions, driven.of_words(squares, vector), words);
                    for (sum, of) in sums.as_flattened_mut().iter_mut().zip(of.as_flattened()) {
                        *sum += (*of as u64) << shift;
                    }
                }
            }
        }
        sums
    }
}

impl Driven {
    fn patterns<'a>(&self, patterns: &'a [Lanes], vector: usize) -> &'a [Lanes] {
        let of_vector = self.words * TABLES;
        &patterns[vector * of_vector..][..of_vector]
    }

    fn of_words<'a>(&self, of: &'a [Lanes], vector: usize) -> &'a [Pairs] {
        &of.as_chunks().0[vector * self.words..][..self.words]
    }
}
