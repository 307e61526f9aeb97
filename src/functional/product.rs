//! Matrix-vector products of one output position, pulse by pulse.
//!
//! A pulse of more than one bit sums levels: those of a column are added up from the bit planes, `sum 2^b popcount`.

use crate::config::{Adc, AdcInput};
use crate::functional::adc::Quantiser;
use crate::functional::input::Planes;
use crate::functional::weights::BitMatrix;
use crate::readout::Digits;

/// Conversion of the sums of an array's columns.
#[derive(Debug, Clone)]
pub enum Sums {
    /// Exactly: a comparator's counter, or a converter that is exact for every sum of its arrays.
    Exact,
    /// By a converter that rounds or clips, each row block and pulse by itself.
    Quantised(Quantiser),
}

impl Sums {
    /// Sums of arrays with this converter, if they have one; the largest array uses `rows` rows, driven by `digits`.
    #[must_use]
    pub fn new(adc: Option<&Adc>, rows: u32, digits: Digits) -> Self {
        let quantiser = adc.map(|adc| Quantiser::new(adc, rows, digits));
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
    match sums {
        Sums::Exact => {
            // Nothing rounds, so it does not matter how bits share pulses.
            for bit in 0..input.bits() {
                let (plane, weight) = (input.plane(bit), input.weight(bit));
                let driven: i32 = input.driven(bit).iter().copied().map(i32::from).sum();
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
            0
        }
        Sums::Quantised(quantiser) => {
            let per_block = weights.blocks().words_per_block();
            let words = per_block * weights.columns();
            let mut clipped = 0;
            for pulse in 0..quantiser.digits().pulses() {
                let (bits, weight) = (quantiser.digits().of_pulse(pulse), quantiser.digits().weight(pulse));
                let mut present = present.map(|present| present.words().chunks(words));
                for (block, weights) in weights.words().chunks(words).enumerate() {
                    let present = present.as_mut().and_then(Iterator::next);
                    let rows = block * per_block..block * per_block + weights.len() / accumulators.len();
                    let plane = |bit: u32| &input.plane(bit as usize)[rows.clone()];
                    let levels = |bit: u32| u64::from(input.driven(bit as usize)[block]) << (bit - bits.start);
                    let driven: u64 = bits.clone().map(levels).sum();
                    if driven > 0 {
                        sum_levels(bits.clone().map(plane), weights, counts);
                        match present {
                            None => of_column.fill(driven),
                            Some(present) => sum_levels(bits.clone().map(plane), present, of_column),
                        }
                        clipped += convert(quantiser, counts, of_column, weight, accumulators);
                    }
                }
            }
            clipped
        }
    }
}

/// Levels of the rows that hold +1, added up for each column, from the bit planes of a pulse, lowest bit first.
fn sum_levels<'a>(planes: impl DoubleEndedIterator<Item = &'a [u64]>, weights: &[u64], counts: &mut [u64]) {
    let mut planes = planes.rev();
    if let Some(highest) = planes.next() {
        count_on(highest, weights, counts);
    }
    for plane in planes {
        counts.iter_mut().for_each(|count| *count *= 2);
        add_on(plane, weights, counts);
    }
}

/// Rows that are driven and hold +1, for each column.
fn count_on(plane: &[u64], weights: &[u64], counts: &mut [u64]) {
    counts.fill(0);
    add_on(plane, weights, counts);
}

/// Adds them to `counts`.
fn add_on(plane: &[u64], weights: &[u64], counts: &mut [u64]) {
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
