//! Which synapses of a layer are probabilistic: the split into a deterministic and a stochastic plane.
//!
//! A synapse with `eps < p < 1 - eps` is probabilistic and belongs to the stochastic plane; any other is fixed at its mode
//! and belongs to the deterministic one.

use std::ops::Range;

/// The probabilistic synapses of a layer with K rows and M columns, one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    rows: u32,
    columns: u32,
    /// Words of 64 rows that a column takes.
    words: usize,
    /// Column by column, the lowest row in the lowest bit.
    bits: Vec<u64>,
}

/// Whether a synapse is sampled at an eps. The comparison is made in double precision, so that a p stored as the float
/// nearest to eps falls on the side where that float lies.
#[must_use]
pub fn is_sampled(p: f32, eps: f64) -> bool {
    let p = f64::from(p);
    p > eps && p < 1.0 - eps
}

impl Split {
    /// Splits a layer. `p` holds P(w = +1) column by column: synapse (row k, column m) at `m K + k`.
    ///
    /// # Panics
    /// Panics if `p` does not hold `rows * columns` values.
    #[must_use]
    pub fn new(rows: u32, columns: u32, p: &[f32], eps: f64) -> Self {
        assert_eq!(p.len() as u64, u64::from(rows) * u64::from(columns), "p of each synapse");
        let words = (rows as usize).div_ceil(64);
        let mut bits = Vec::with_capacity(words * columns as usize);
        for column in p.chunks(rows as usize) {
            bits.extend(
                column
                    .chunks(64)
                    .map(|chunk| chunk.iter().rev().fold(0, |word, &p| word << 1 | u64::from(is_sampled(p, eps)))),
            );
        }
        Self { rows, columns, words, bits }
    }

    /// Rows of the layer (K).
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Columns of the layer (M).
    #[must_use]
    pub fn columns(&self) -> u32 {
        self.columns
    }

    /// Probabilistic synapses of the layer.
    #[must_use]
    pub fn probabilistic(&self) -> u64 {
        self.bits.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Probabilistic synapses of a column.
    #[must_use]
    pub fn in_column(&self, column: u32) -> u32 {
        self.column(column).iter().map(|word| word.count_ones()).sum()
    }

    /// Whether a synapse is probabilistic.
    #[must_use]
    pub fn contains(&self, row: u32, column: u32) -> bool {
        self.column(column)[row as usize / 64] >> (row % 64) & 1 == 1
    }

    /// One bit a row of a column, the lowest row in the lowest bit.
    #[must_use]
    pub fn column(&self, column: u32) -> &[u64] {
        &self.bits[column as usize * self.words..][..self.words]
    }

    /// Probabilistic synapses of a block of rows and columns.
    #[must_use]
    pub fn in_block(&self, rows: Range<u32>, columns: Range<u32>) -> u64 {
        // The words that hold some of the rows, and their bits outside of them.
        let words = rows.start as usize / 64..(rows.end as usize).div_ceil(64);
        if words.is_empty() {
            return 0;
        }
        let (below, above) = (rows.start % 64, words.len() as u32 * 64 - (rows.end - rows.start) - rows.start % 64);
        let ones = |column| {
            let words = &self.column(column)[words.clone()];
            let outside = (words[0] & !(u64::MAX << below)).count_ones()
                + (words[words.len() - 1] & !(u64::MAX >> above)).count_ones();
            u64::from(words.iter().map(|word| word.count_ones()).sum::<u32>() - outside)
        };
        columns.map(ones).sum()
    }

    /// Rows that hold a probabilistic synapse in any of `columns`, one bit each.
    #[must_use]
    pub fn rows_with_any(&self, columns: Range<u32>) -> Vec<u64> {
        let mut any = vec![0; self.words];
        for column in columns {
            for (any, word) in any.iter_mut().zip(self.column(column)) {
                *any |= word;
            }
        }
        any
    }
}

/// Bits that are 1.
#[must_use]
pub(crate) fn ones(words: &[u64]) -> u32 {
    words.iter().map(|word| word.count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synapses_beyond_eps_are_fixed() {
        // Two columns of three rows. 0.05 as a float lies above 0.05 as a double, 0.95 below: both count as probabilistic.
        let split = Split::new(3, 2, &[0.0, 0.05, 0.5, 1.0, 0.95, 0.96], 0.05);
        assert_eq!(split.column(0), [0b110]);
        assert_eq!(split.column(1), [0b010]);
        assert_eq!((split.probabilistic(), split.in_column(0), split.in_column(1)), (3, 2, 1));
        assert_eq!(split.rows_with_any(0..2), [0b110]);
        assert_eq!(split.rows_with_any(1..2), [0b010]);
    }

    #[test]
    fn a_column_may_take_several_words() {
        let mut p = vec![0.0; 130];
        (p[0], p[64], p[129]) = (0.5, 0.5, 0.5);
        let split = Split::new(130, 1, &p, 0.0);
        assert_eq!(split.column(0), [1, 1, 2]);
        assert_eq!(split.in_column(0), 3);
        let counted = |rows: Range<u32>| rows.filter(|&row| split.contains(row, 0)).count() as u64;
        for start in 0..=130 {
            for end in start..=130 {
                assert_eq!(split.in_block(start..end, 0..1), counted(start..end), "{start}..{end}");
            }
        }
    }
}
