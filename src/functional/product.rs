//! Matrix-vector products of one output position, pulse by pulse.
//!
//! A pulse of more than one bit sums levels: those of a column are added up from the bit planes, `sum 2^b popcount`.

use crate::config::AdcInput;
use crate::functional::adc::Quantiser;
use crate::functional::input::Planes;
use crate::functional::kernels::{COLUMNS, Instructions, Tile, Work};
use crate::functional::tiles::Tiles;

/// Conversion of the sums of an array's columns.
#[derive(Debug, Clone)]
pub enum Sums {
    /// Exactly: a comparator's counter, or a converter that is exact for every sum of its arrays.
    Exact,
    /// By a converter that rounds or clips, each row block and pulse by itself.
    Quantised(Quantiser),
}

impl Sums {
    /// Cell currents in one unit of an accumulator.
    #[must_use]
    pub fn step(&self) -> f64 {
        match self {
            Sums::Exact => 1.0,
            Sums::Quantised(quantiser) => quantiser.step(),
        }
    }
}

/// Adds up all pulses and row blocks of a position into `accumulators`, one for each column, in units of the sums'
/// step. Where only some synapses are `present`, `weights` holds no +1 elsewhere. Returns how many conversions clipped.
///
/// # Panics
/// Panics if the shapes of weights, present synapses, input and accumulators do not agree.
pub fn multiply(
    instructions: Instructions,
    weights: &Tiles,
    present: Option<&Tiles>,
    input: &Planes,
    sums: &Sums,
    accumulators: &mut [i32],
) -> u64 {
    assert_eq!((weights.columns(), weights.blocks()), (accumulators.len(), input.blocks()), "one shape");
    instructions.run(Product { weights, present, input, sums, accumulators })
}

/// What [`multiply`] takes.
struct Product<'a> {
    weights: &'a Tiles,
    present: Option<&'a Tiles>,
    input: &'a Planes,
    sums: &'a Sums,
    accumulators: &'a mut [i32],
}

impl Work for Product<'_> {
    type Output = u64;

    #[inline(always)]
    fn run(self, instructions: Instructions) -> u64 {
        let mut present = self.present.map(Tiles::chunks);
        let mut clipped = 0;
        for (weights, accumulators) in self.weights.chunks().zip(self.accumulators.chunks_mut(COLUMNS)) {
            let present = match &mut present {
                Some(present) => present.next(),
                None => None,
            };
            let chunk =
                Chunk { instructions, weights, present, per_block: self.weights.per_block(), input: self.input };
            let mut totals = [0; COLUMNS];
            match self.sums {
                Sums::Exact => chunk.exactly(&mut totals),
                Sums::Quantised(quantiser) => clipped += chunk.converted(quantiser, &mut totals, accumulators.len()),
            }
            accumulators.copy_from_slice(&totals[..accumulators.len()]);
        }
        clipped
    }
}

/// What is multiplied at a time: some columns of all rows.
struct Chunk<'a> {
    instructions: Instructions,
    weights: &'a [Tile],
    present: Option<&'a [Tile]>,
    per_block: usize,
    input: &'a Planes,
}

impl Chunk<'_> {
    /// Adds, for each column, the rows of a block whose code has a 1 in this bit: those with weight +1 to `on`, all that are
    /// present to `of`.
    #[inline(always)]
    fn count(&self, bit: usize, block: usize, on: &mut [i32; COLUMNS], of: &mut [i32; COLUMNS]) {
        let groups = self.input.groups(bit, block);
        if groups.is_empty() {
            return;
        }
        let start = block * self.per_block;
        self.instructions.count(&self.weights[start..], groups, on);
        match self.present {
            Some(present) => self.instructions.count(&present[start..], groups, of),
            None => {
                let driven = i32::from(self.input.driven(bit)[block]);
                of.iter_mut().for_each(|of| *of += driven);
            }
        }
    }

    /// Nothing rounds, so it does not matter how bits share pulses.
    #[inline(always)]
    fn exactly(&self, totals: &mut [i32; COLUMNS]) {
        for bit in 0..self.input.bits() {
            let (mut on, mut of) = ([0; COLUMNS], [0; COLUMNS]);
            for block in 0..self.input.blocks().count() {
                self.count(bit, block, &mut on, &mut of);
            }
            let weight = self.input.weight(bit);
            for ((total, on), of) in totals.iter_mut().zip(on).zip(of) {
                *total += weight * (2 * on - of);
            }
        }
    }

    /// Each row block and pulse by itself. Returns how many conversions of the first `columns` columns clipped.
    #[inline(always)]
    fn converted(&self, quantiser: &Quantiser, totals: &mut [i32; COLUMNS], columns: usize) -> u64 {
        let digits = quantiser.digits();
        let mut clipped = 0;
        for pulses in quantiser.conversions() {
            let mut of_pulse = [0; COLUMNS];
            let bits = digits.of_pulse(pulses.start).start..digits.of_pulse(pulses.end - 1).end;
            // A sign among other bits counts against them.
            let negative = (quantiser.per_value() && digits.signed()).then(|| bits.end - 1);
            for block in 0..self.input.blocks().count() {
                if bits.clone().all(|bit| self.input.groups(bit as usize, block).is_empty()) {
                    continue;
                }
                let (mut on, mut of) = ([0; COLUMNS], [0; COLUMNS]);
                for bit in bits.clone().rev() {
                    // Levels of more than one bit: what was counted so far is worth twice as much.
                    on.iter_mut().chain(&mut of).for_each(|count| *count *= 2);
                    self.count(bit as usize, block, &mut on, &mut of);
                    if negative == Some(bit) {
                        on.iter_mut().chain(&mut of).for_each(|count| *count = -*count);
                    }
                }
                let mut minus = [0; COLUMNS];
                for ((minus, on), of) in minus.iter_mut().zip(on).zip(of) {
                    *minus = of - on;
                }
                let of = columns;
                clipped += match quantiser.input() {
                    AdcInput::Pair => {
                        on.iter_mut().zip(minus).for_each(|(sum, minus)| *sum -= minus);
                        convert(quantiser, on, 1, of, &mut of_pulse)
                    }
                    AdcInput::Column => {
                        convert(quantiser, on, 1, of, &mut of_pulse) + convert(quantiser, minus, -1, of, &mut of_pulse)
                    }
                };
            }
            let weight = quantiser.weight(pulses.start);
            totals.iter_mut().zip(of_pulse).for_each(|(total, sum)| *total += weight * sum);
        }
        clipped
    }
}

/// Adds the codes of some sums, `sign` times, to `totals`. Returns how many of the first `columns` sums clipped.
#[inline(always)]
fn convert(quantiser: &Quantiser, sums: [i32; COLUMNS], sign: i32, columns: usize, totals: &mut [i32; COLUMNS]) -> u64 {
    for (total, code) in totals.iter_mut().zip(quantiser.convert(sums)) {
        *total += sign * code;
    }
    if quantiser.may_clip() { sums[..columns].iter().filter(|&&sum| quantiser.clips(sum)).count() as u64 } else { 0 }
}
