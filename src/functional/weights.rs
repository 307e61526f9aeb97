//! Weights of one sample: +-1 as bits, from the mode, stored samples or draws.

use crate::functional::blocks::RowBlocks;
use crate::mapping::Split;
use crate::random::{Stream, Trials};
use crate::workload::LayerPosterior;
use std::ops::Range;

/// A matrix of weights as bits, 1 = +1: for each word of rows the words of all columns side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitMatrix {
    blocks: RowBlocks,
    columns: usize,
    /// `[word][column]`
    words: Vec<u64>,
}

impl BitMatrix {
    /// A matrix of -1.
    #[must_use]
    pub fn new(blocks: RowBlocks, columns: usize) -> Self {
        Self { blocks, columns, words: vec![0; blocks.words() * columns] }
    }

    /// Columns (M).
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How rows fall onto words.
    #[must_use]
    pub fn blocks(&self) -> RowBlocks {
        self.blocks
    }

    /// Words `[word][column]`.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Sets the word of a column that starts with row `row`, the first row of a word.
    pub fn set_word(&mut self, row: usize, column: usize, bits: u64) {
        let (block, within) = (row / self.blocks.rows_per_block(), row % self.blocks.rows_per_block());
        let word = block * self.blocks.words_per_block() + within / 64;
        self.words[word * self.columns + column] = bits;
    }

    /// Sets a column from K consecutive bits, the first of them bit `first` of `bits`.
    pub fn set_column(&mut self, column: usize, bits: &[u64], first: usize) {
        for (word, rows) in self.blocks.word_rows().enumerate() {
            self.words[word * self.columns + column] = extract(bits, first + rows.start, rows.len());
        }
    }

    /// A column as K consecutive bits, row 0 in the lowest of the first word.
    #[must_use]
    pub fn column(&self, column: usize) -> Vec<u64> {
        let mut bits = vec![0; self.blocks.rows().div_ceil(64)];
        for (word, rows) in self.blocks.word_rows().enumerate() {
            let (value, at, shift) = (self.words[word * self.columns + column], rows.start / 64, rows.start % 64);
            bits[at] |= value << shift;
            if shift + rows.len() > 64 {
                bits[at + 1] |= value >> (64 - shift);
            }
        }
        bits
    }

    /// The mode: +1 where p is above one half.
    #[must_use]
    pub fn mode(posterior: &LayerPosterior, blocks: RowBlocks, columns: usize) -> Self {
        let mut matrix = Self::new(blocks, columns);
        let mut bits = vec![0; blocks.rows().div_ceil(64)];
        for (column, p) in posterior.p.chunks_exact(blocks.rows()).enumerate() {
            for (word, p) in bits.iter_mut().zip(p.chunks(64)) {
                *word = p.iter().rev().fold(0, |word, &p| word << 1 | u64::from(p > 0.5));
            }
            matrix.set_column(column, &bits, 0);
        }
        matrix
    }

    /// The synapses of a split: those that are probabilistic, or those that are not.
    #[must_use]
    pub fn of_split(split: &Split, blocks: RowBlocks, probabilistic: bool) -> Self {
        let mut matrix = Self::new(blocks, split.columns() as usize);
        for column in 0..matrix.columns {
            let words = split.column(column as u32);
            if probabilistic {
                matrix.set_column(column, words, 0);
            } else {
                let fixed: Vec<u64> = words.iter().map(|word| !word).collect();
                matrix.set_column(column, &fixed, 0);
            }
        }
        matrix
    }

    /// The weights of synapses that are present; -1 elsewhere.
    ///
    /// # Panics
    /// Panics if the matrices are of different shapes.
    #[must_use]
    pub fn masked(mut self, present: &Self) -> Self {
        self.mask(present);
        self
    }

    /// Sets the weights of synapses that are not present to -1.
    ///
    /// # Panics
    /// Panics if the matrices are of different shapes.
    pub fn mask(&mut self, present: &Self) {
        assert_eq!((self.blocks, self.columns), (present.blocks, present.columns), "matrices of one shape");
        self.words.iter_mut().zip(&present.words).for_each(|(word, present)| *word &= present);
    }

    /// Its own weights where `set` is set, those of `other` elsewhere.
    ///
    /// # Panics
    /// Panics if the matrices are of different shapes.
    #[must_use]
    pub fn where_set(mut self, set: &Self, other: &Self) -> Self {
        let shape = |matrix: &Self| (matrix.blocks, matrix.columns);
        assert!(shape(&self) == shape(set) && shape(set) == shape(other), "matrices of one shape");
        for ((word, set), other) in self.words.iter_mut().zip(&set.words).zip(&other.words) {
            *word = *word & set | other & !set;
        }
        self
    }

    /// Whether the weight of a row and column is +1.
    #[must_use]
    pub fn get(&self, row: usize, column: usize) -> bool {
        let (block, within) = (row / self.blocks.rows_per_block(), row % self.blocks.rows_per_block());
        let word = block * self.blocks.words_per_block() + within / 64;
        self.words[word * self.columns + column] >> (within % 64) & 1 == 1
    }

    /// Sets the weights of a matrix of one block from some rows and columns of another: `set` is whether that weight is +1.
    pub fn gather(&mut self, rows: &[u32], columns: Range<usize>, set: impl Fn(u32, usize) -> bool) {
        for (to, column) in columns.enumerate() {
            for (word, rows) in rows.chunks(64).enumerate() {
                let bits = rows.iter().rev().fold(0, |bits, &row| bits << 1 | u64::from(set(row, column)));
                self.words[word * self.columns + to] = bits;
            }
        }
    }

    /// A stored sample: the bits of all columns after one another, each of K bits.
    #[must_use]
    pub fn stored(sample: &[u64], blocks: RowBlocks, columns: usize) -> Self {
        let mut matrix = Self::new(blocks, columns);
        for column in 0..columns {
            matrix.set_column(column, sample, column * blocks.rows());
        }
        matrix
    }
}

/// `length` (1..=64) bits of a bit string from bit `first` on.
fn extract(bits: &[u64], first: usize, length: usize) -> u64 {
    let (word, shift) = (first / 64, first % 64);
    let mut value = bits[word] >> shift;
    if shift + length > 64 {
        value |= bits[word + 1] << (64 - shift);
    }
    value & (u64::MAX >> (64 - length))
}

/// The distribution of a layer's weights, ready to be drawn from.
#[derive(Debug, Clone)]
pub struct WeightDistribution {
    rows: usize,
    /// One row of trials for each column.
    columns: Vec<Trials>,
}

impl WeightDistribution {
    /// The distribution of a layer of `rows` rows, p held to `bits` bits.
    #[must_use]
    pub fn new(posterior: &LayerPosterior, rows: usize, bits: u32) -> Self {
        Self { rows, columns: posterior.p.chunks_exact(rows).map(|p| Trials::new(p, bits)).collect() }
    }

    /// Draws every weight, column by column. The draws do not depend on the row blocks of `matrix`.
    pub fn draw(&self, stream: &mut Stream, matrix: &mut BitMatrix) {
        let mut bits = vec![0; self.rows.div_ceil(64)];
        for (column, trials) in self.columns.iter().enumerate() {
            trials.draw(stream, &mut bits);
            matrix.set_column(column, &bits, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_the_same_whatever_the_row_blocks() {
        let bits = [0x0123_4567_89ab_cdef, 0xf_edcb_a987];
        for array_rows in [1, 7, 64, 65, 100, 128] {
            let mut matrix = BitMatrix::new(RowBlocks::new(100, array_rows), 2);
            matrix.set_column(1, &bits, 0);
            assert_eq!((matrix.column(0), matrix.column(1)), (vec![0; 2], bits.to_vec()), "{array_rows}");
        }
    }
}
