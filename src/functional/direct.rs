//! Exact products without the detour over bit planes, for layers with many output positions.
//!
//! Where every conversion is exact, pulses and row blocks need not be told apart. With unsigned codes u as bytes and
//! weights as masks (0 for +1, 255 for -1), |u - mask| is u or 255 - u, so over a column
//!
//! ```text
//! sum |u - mask| = sum w u + 255 * (number of -1)
//! ```
//! and a sum of absolute differences of 16 bytes is one instruction on x86-64. Two's complement codes are shifted up by
//! half their range first, codes of more than 8 bits taken as two bytes.

use crate::functional::weights::BitMatrix;

/// Bytes that are added up together; rows are filled up to a multiple of it with zeros.
const LANES: usize = 16;

/// Output positions whose windows are held in the first-level cache together.
const TILE: usize = 8;

/// Weights as masks, column by column.
#[derive(Debug)]
struct Masks {
    rows: usize,
    /// `[column][row]`, each column filled up to a multiple of [`LANES`].
    bytes: Vec<u8>,
    /// Number of -1 in each column.
    minus: Vec<i32>,
}

impl Masks {
    fn new(weights: &BitMatrix) -> Self {
        let (rows, columns) = (weights.blocks().rows(), weights.columns());
        let padded = rows.next_multiple_of(LANES);
        let mut bytes = vec![0; padded * columns];
        let mut minus = vec![0; columns];
        for (word_rows, words) in weights.blocks().word_rows().zip(weights.words().chunks_exact(columns)) {
            for (column, &word) in words.iter().enumerate() {
                let masks = &mut bytes[column * padded + word_rows.start..][..word_rows.len()];
                for (i, eight) in masks.chunks_mut(8).enumerate() {
                    let spread = masks_of((word >> (8 * i)) as u8).to_le_bytes();
                    eight.copy_from_slice(&spread[..eight.len()]);
                }
                minus[column] += word_rows.len() as i32 - word.count_ones() as i32;
            }
        }
        Self { rows, bytes, minus }
    }

    fn columns(&self) -> impl Iterator<Item = (&[u8], i32)> {
        self.bytes.chunks_exact(self.rows.next_multiple_of(LANES)).zip(self.minus.iter().copied())
    }
}

/// Eight masks, one in each byte: 0 where the bit is set, else 255.
fn masks_of(bits: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let selected = (u64::from(bits) * ONES) & 0x8040_2010_0804_0201;
    // Each byte holds 0 or one bit; adding 127 carries any bit into the top one, and no further.
    let set = ((selected + 0x7f * ONES) >> 7) & ONES;
    (set ^ ONES) * 0xff
}

/// Sum of absolute differences of two runs of bytes, modulo 2^32.
fn sum_of_differences(a: &[u8], b: &[u8]) -> u32 {
    let (a, b) = (a.as_chunks::<LANES>().0, b.as_chunks::<LANES>().0);
    a.iter().zip(b).fold(0, |sum, (a, b)| {
        let part: u32 = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        sum.wrapping_add(part)
    })
}

/// Accumulators `[column][position]` of all positions. `gather` collects the codes of a position, one for each row; they
/// are of `bits` (1..=16) bits, two's complement where `signed`. Right as long as the accumulators fit 32 bits.
pub fn multiply_all(
    weights: &BitMatrix,
    positions: usize,
    bits: u32,
    signed: bool,
    mut gather: impl FnMut(usize, &mut Vec<u16>),
) -> Vec<i32> {
    let masks = Masks::new(weights);
    let padded = masks.rows.next_multiple_of(LANES);
    let shift = if signed { 1u16 << (bits - 1) } else { 0 };
    let code_mask = u16::MAX >> (16 - bits);
    let mut window = Vec::with_capacity(masks.rows);
    let mut low = vec![0; TILE * padded];
    let mut high = vec![0; TILE * padded];
    let mut accumulators = vec![0i32; weights.columns() * positions];
    for first in (0..positions).step_by(TILE) {
        let tile = first..(first + TILE).min(positions);
        for (position, (low, high)) in tile.clone().zip(low.chunks_exact_mut(padded).zip(high.chunks_exact_mut(padded)))
        {
            gather(position, &mut window);
            for ((&code, low), high) in window.iter().zip(low).zip(high) {
                let code = code.wrapping_add(shift) & code_mask;
                *low = code as u8;
                *high = (code >> 8) as u8;
            }
        }
        for ((column, minus), map) in masks.columns().zip(accumulators.chunks_exact_mut(positions)) {
            // Sum of the weights, times what the codes were shifted up by.
            let shifted = i32::from(shift).wrapping_mul(masks.rows as i32 - 2 * minus);
            let dot = |bytes: &[u8]| (sum_of_differences(column, bytes) as i32).wrapping_sub(minus.wrapping_mul(255));
            for (position, sum) in map[tile.clone()].iter_mut().enumerate() {
                let window = position * padded..(position + 1) * padded;
                *sum = dot(&low[window.clone()]).wrapping_sub(shifted);
                if bits > 8 {
                    *sum = sum.wrapping_add(dot(&high[window]).wrapping_mul(256));
                }
            }
        }
    }
    accumulators
}
