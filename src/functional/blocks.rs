//! Row blocks: how the K rows of a weight matrix fall onto arrays of N rows, and onto 64-bit words.

use std::ops::Range;

/// K rows cut into runs of N (the last one may be shorter); each block starts a word of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowBlocks {
    rows: usize,
    block_rows: usize,
}

impl RowBlocks {
    /// `rows` rows on arrays of `array_rows` rows, both at least 1.
    #[must_use]
    pub fn new(rows: u32, array_rows: u32) -> Self {
        Self { rows: rows as usize, block_rows: array_rows.min(rows) as usize }
    }

    /// Rows of the whole matrix (K).
    #[must_use]
    pub fn rows(self) -> usize {
        self.rows
    }

    /// Blocks: ceil(K / N).
    #[must_use]
    pub fn count(self) -> usize {
        self.rows.div_ceil(self.block_rows)
    }

    /// Rows of a block.
    #[must_use]
    pub fn block(self, block: usize) -> Range<usize> {
        block * self.block_rows..((block + 1) * self.block_rows).min(self.rows)
    }

    /// Rows of every block but a shorter last one: what [`slice::chunks`] cuts rows into blocks by.
    #[must_use]
    pub fn rows_per_block(self) -> usize {
        self.block_rows
    }

    /// Words of every block but a shorter last one: what [`slice::chunks`] cuts words into blocks by.
    #[must_use]
    pub fn words_per_block(self) -> usize {
        self.block_rows.div_ceil(64)
    }

    /// Words of all blocks.
    #[must_use]
    pub fn words(self) -> usize {
        let last = self.count() - 1;
        last * self.words_per_block() + self.block(last).len().div_ceil(64)
    }

    /// The rows that each word holds, first row in the lowest bit.
    pub fn word_rows(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.count()).flat_map(move |block| {
            let rows = self.block(block);
            rows.clone().step_by(64).map(move |start| start..(start + 64).min(rows.end))
        })
    }
}
