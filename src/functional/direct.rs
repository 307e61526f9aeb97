//! Exact products without the detour over bit planes, for layers with many output positions.
//!
//! Where every conversion is exact, pulses and row blocks need not be told apart. With unsigned codes u as bytes and
//! weights as masks (0 for +1, 255 for -1), |u - mask| is u or 255 - u, so over a column
//!
//! ```text
//! sum |u - mask| = sum w u + 255 * (number of -1)
//! ```
//! and a sum of absolute differences of 16 or 32 bytes is one instruction on x86-64. Two's complement codes are shifted up by
//! half their range first, codes of more than 8 bits taken as two bytes.

use crate::functional::kernels::{Instructions, Work};
use crate::functional::weights::BitMatrix;
use std::ops::Range;

/// Bytes that are added up together; rows are filled up to a multiple of it with zeros.
const LANES: usize = 32;

/// Output positions that are multiplied at the same time.
const TOGETHER: usize = 4;

/// Weights as masks, column by column.
#[derive(Debug, Clone)]
pub struct Masks {
    rows: usize,
    /// `[column][row]`, each column filled up to a multiple of [`LANES`].
    bytes: Vec<[u8; LANES]>,
    /// Number of -1 in each column.
    minus: Vec<i32>,
}

impl Masks {
    /// The weights of a matrix.
    #[must_use]
    pub fn new(weights: &BitMatrix) -> Self {
        let (rows, columns) = (weights.blocks().rows(), weights.columns());
        let padded = rows.next_multiple_of(LANES);
        let mut bytes = vec![[0; LANES]; padded / LANES * columns];
        let mut minus = vec![0; columns];
        for (word_rows, words) in weights.blocks().word_rows().zip(weights.words().chunks_exact(columns)) {
            for (column, &word) in words.iter().enumerate() {
                let masks = &mut bytes.as_flattened_mut()[column * padded + word_rows.start..][..word_rows.len()];
                for (i, eight) in masks.chunks_mut(8).enumerate() {
                    let spread = masks_of((word >> (8 * i)) as u8).to_le_bytes();
                    eight.copy_from_slice(&spread[..eight.len()]);
                }
                minus[column] += word_rows.len() as i32 - word.count_ones() as i32;
            }
        }
        Self { rows, bytes, minus }
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

/// Accumulators `[column][position]` of all positions. `gather` collects the codes of a position, one for each row; they
/// are of `bits` (1..=16) bits, two's complement where `signed`. Right as long as the accumulators fit 32 bits.
pub fn multiply_all(
    instructions: Instructions,
    weights: &Masks,
    positions: usize,
    bits: u32,
    signed: bool,
    mut gather: impl FnMut(usize, &mut Vec<u16>),
) -> Vec<i32> {
    let padded = weights.rows.next_multiple_of(LANES);
    let shift = if signed { 1u16 << (bits - 1) } else { 0 };
    let code_mask = u16::MAX >> (16 - bits);
    let mut window = Vec::with_capacity(weights.rows);
    let mut low = vec![[0; LANES]; TOGETHER * padded / LANES];
    let mut high = low.clone();
    let mut accumulators = vec![0i32; weights.minus.len() * positions];
    for first in (0..positions).step_by(TOGETHER) {
        let number = TOGETHER.min(positions - first);
        for together in 0..number {
            gather(first + together, &mut window);
            let bytes = together * padded..;
            let (low, high) = (&mut low.as_flattened_mut()[bytes.clone()], &mut high.as_flattened_mut()[bytes]);
            for ((&code, low), high) in window.iter().zip(low).zip(high) {
                let code = code.wrapping_add(shift) & code_mask;
                *low = code as u8;
                *high = (code >> 8) as u8;
            }
        }
        let block = Block { weights, low: &low, high: (bits > 8).then_some(&*high), shift: shift.into() };
        instructions.run(Columns { block, maps: &mut accumulators, positions: first..first + number, all: positions });
    }
    accumulators
}

/// The codes of some positions, shifted up and cut into bytes.
struct Block<'a> {
    weights: &'a Masks,
    /// `[position][row]`
    low: &'a [[u8; LANES]],
    high: Option<&'a [[u8; LANES]]>,
    shift: i32,
}

impl Block<'_> {
    /// Products of a column and the bytes of each position.
    #[inline(always)]
    fn dots(instructions: Instructions, column: &[[u8; LANES]], minus: i32, bytes: &[[u8; LANES]]) -> [i32; TOGETHER] {
        let window = |window: usize| &bytes[window * column.len()..][..column.len()];
        let sums = instructions.differences(column, [window(0), window(1), window(2), window(3)]);
        sums.map(|sum| (sum as i32).wrapping_sub(minus.wrapping_mul(255)))
    }

    #[inline(always)]
    fn column(&self, instructions: Instructions, column: &[[u8; LANES]], minus: i32) -> [i32; TOGETHER] {
        // Sum of the weights, times what the codes were shifted up by.
        let shifted = self.shift.wrapping_mul(self.weights.rows as i32 - 2 * minus);
        let mut sums = Self::dots(instructions, column, minus, self.low).map(|sum| sum.wrapping_sub(shifted));
        if let Some(high) = self.high {
            for (sum, high) in sums.iter_mut().zip(Self::dots(instructions, column, minus, high)) {
                *sum = sum.wrapping_add(high.wrapping_mul(256));
            }
        }
        sums
    }
}

/// All columns of some positions.
struct Columns<'a> {
    block: Block<'a>,
    /// `[column][position]`
    maps: &'a mut [i32],
    positions: Range<usize>,
    /// Positions of a map.
    all: usize,
}

impl Work for Columns<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, instructions: Instructions) {
        let weights = self.block.weights;
        let columns = weights.bytes.chunks_exact(weights.rows.div_ceil(LANES)).zip(&weights.minus);
        for ((column, &minus), map) in columns.zip(self.maps.chunks_exact_mut(self.all)) {
            let sums = self.block.column(instructions, column, minus);
            map[self.positions.clone()].copy_from_slice(&sums[..self.positions.len()]);
        }
    }
}
