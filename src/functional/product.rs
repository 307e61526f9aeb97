//! Bit-serial matrix-vector products of one output position.

use crate::config::{Adc, AdcInput};
use crate::functional::adc::Quantiser;
use crate::functional::blocks::RowBlocks;
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
    /// Sums of arrays with this converter, if they have one.
    #[must_use]
    pub fn new(adc: Option<&Adc>, blocks: RowBlocks) -> Self {
        let quantiser = adc.map(|adc| Quantiser::new(adc, blocks.rows_per_block() as u32));
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

/// Adds up all pulses and row blocks of a position into `accumulators`, one for each column, in units of the sums'
/// step. `counts` is scratch of the same length. Returns how many conversions clipped.
pub fn multiply(weights: &BitMatrix, input: &Planes, sums: &Sums, counts: &mut [u64], accumulators: &mut [i32]) -> u64 {
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
                    for (accumulator, &on) in accumulators.iter_mut().zip(&*counts) {
                        *accumulator += weight * (2 * on as i32 - driven);
                    }
                }
            }
            Sums::Quantised(quantiser) => {
                let weights = weights.words().chunks(per_block * weights.columns());
                for ((plane, weights), &driven) in plane.chunks(per_block).zip(weights).zip(driven) {
                    if driven > 0 {
                        count_on(plane, weights, counts);
                        clipped += convert(quantiser, counts, i32::from(driven), weight, accumulators);
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
fn convert(quantiser: &Quantiser, counts: &[u64], driven: i32, weight: i32, accumulators: &mut [i32]) -> u64 {
    let mut clipped = 0;
    match quantiser.input() {
        AdcInput::Pair => {
            for (accumulator, &on) in accumulators.iter_mut().zip(counts) {
                let sum = 2 * on as i32 - driven;
                *accumulator += weight * quantiser.code(sum);
                clipped += u64::from(quantiser.clips(sum));
            }
        }
        AdcInput::Column => {
            for (accumulator, &on) in accumulators.iter_mut().zip(counts) {
                let (plus, minus) = (on as i32, driven - on as i32);
                *accumulator += weight * (quantiser.code(plus) - quantiser.code(minus));
                clipped += u64::from(quantiser.clips(plus)) + u64::from(quantiser.clips(minus));
            }
        }
    }
    clipped
}
