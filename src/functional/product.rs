//! Bit-serial matrix-vector products of one output position.

use crate::config::{Adc, AdcInput};
use crate::functional::adc::Quantiser;
use crate::functional::input::Planes;
use crate::functional::weights::BitMatrix;

/// Conversion of the sums of an array's columns.
#[derive(Debug, Clone)]
pub enum Sums {
    /// Exactly: a comparator's counter, or a converter that is exact for every sum of its arrays.
    Exact,
    /// By a converter that rounds or clips, each row block and pulse by itself.
    Quantised(Quantiser),
}

impl Sums {
    /// Sums of arrays with this converter, if they have one; the largest array uses `rows` rows.
    #[must_use]
    pub fn new(adc: Option<&Adc>, rows: u32) -> Self {
        let quantiser = adc.map(|adc| Quantiser::new(adc, rows));
        quantiser.filter(|quantiser| !quantiser.is_exact()).map_or(Sums::Exact, Sums::Quantised)
    }

    /// Cell currents in one unit of an accumulator.
    #[must_use]
    pub fn step(&self) -> f64 {
        match self {
            Sums::Exact => 1.0,
            Sums::Quantised(quantiser) => quantiser.step(),
        }
    }
}

/// Buffers of [`multiply`], one number for each column.
#[derive(Debug, Default)]
pub struct Scratch {
    counts: Vec<u64>,
    driven: Vec<u64>,
}

/// Adds up all pulses and row blocks of a position into `accumulators`, one for each column, in units of the sums'
/// step. Where only some synapses are `present`, `weights` holds no +1 elsewhere. Returns how many conversions clipped.
pub fn multiply(
    weights: &BitMatrix,
    present: Option<&BitMatrix>,
    input: &Planes,
    sums: &Sums,
    scratch: &mut Scratch,
    accumulators: &mut [i32],
) -> u64 {
    let Scratch { counts, driven: of_column } = scratch;
    counts.resize(accumulators.len(), 0);
    of_column.resize(accumulators.len(), 0);
    accumulators.fill(0);
    let mut clipped = 0;
    let per_block = weights.blocks().words_per_block();
    for pulse in 0..input.pulses() {
        let (plane, driven, weight) = (input.plane(pulse), input.driven(pulse), input.weight(pulse));
        match sums {
            Sums::Exact => {
                let driven: i32 = driven.iter().copied().map(i32::from).sum();
                if driven > 0 {
                    count_on(plane, weights.words(), counts);
                    match present {
                        None => of_column.fill(driven as u64),
                        Some(present) => count_on(plane, present.words(), of_column),
                    }
                    for ((accumulator, &on), &driven) in accumulators.iter_mut().zip(&*counts).zip(&*of_column) {
                        *accumulator += weight * (2 * on as i32 - driven as i32);
                    }
                }
            }
            Sums::Quantised(quantiser) => {
                let words = per_block * weights.columns();
                let mut present = present.map(|present| present.words().chunks(words));
                for ((plane, weights), &driven) in
                    plane.chunks(per_block).zip(weights.words().chunks(words)).zip(driven)
                {
                    let present = present.as_mut().and_then(Iterator::next);
                    if driven > 0 {
                        count_on(plane, weights, counts);
                        match present {
                            None => of_column.fill(u64::from(driven)),
                            Some(present) => count_on(plane, present, of_column),
                        }
                        clipped += convert(quantiser, counts, of_column, weight, accumulators);
                    }
                }
            }
        }
    }
    clipped
}

/// Rows that are driven and hold +1, for each column.
fn count_on(plane: &[u64], weights: &[u64], counts: &mut [u64]) {
    counts.fill(0);
    for (&input, weights) in plane.iter().zip(weights.chunks_exact(counts.len())) {
        // High bits of activations are mostly 0, so this is common.
        if input != 0 {
            for (count, weights) in counts.iter_mut().zip(weights) {
                *count += u64::from((input & weights).count_ones());
            }
        }
    }
}

/// Converts the sums of one row block and adds their codes. Returns how many conversions clipped.
fn convert(quantiser: &Quantiser, counts: &[u64], driven: &[u64], weight: i32, accumulators: &mut [i32]) -> u64 {
    let mut clipped = 0;
    match quantiser.input() {
        AdcInput::Pair => {
            for ((accumulator, &on), &driven) in accumulators.iter_mut().zip(counts).zip(driven) {
                let sum = 2 * on as i32 - driven as i32;
                *accumulator += weight * quantiser.code(sum);
                clipped += u64::from(quantiser.clips(sum));
            }
        }
        AdcInput::Column => {
            for ((accumulator, &on), &driven) in accumulators.iter_mut().zip(counts).zip(driven) {
                let (plus, minus) = (on as i32, driven as i32 - on as i32);
                *accumulator += weight * (quantiser.code(plus) - quantiser.code(minus));
                clipped += u64::from(quantiser.clips(plus)) + u64::from(quantiser.clips(minus));
            }
        }
    }
    clipped
}
