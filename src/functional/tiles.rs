//! Weights laid out for [`kernels`](crate::functional::kernels).

use crate::functional::blocks::RowBlocks;
use crate::functional::kernels::{COLUMNS, ROWS, Tile};
use crate::functional::weights::BitMatrix;

/// Tiles of a word of rows.
pub(super) const PER_WORD: usize = 64 / ROWS;

/// A matrix of weights as tiles. Columns are filled up to a multiple of [`COLUMNS`], rows of a block to one of 64, with -1.
#[derive(Debug, Clone)]
pub struct Tiles {
    blocks: RowBlocks,
    columns: usize,
    /// `[chunk of columns][group of rows]`
    tiles: Vec<Tile>,
}

impl Tiles {
    /// The weights of a matrix.
    #[must_use]
    pub fn new(weights: &BitMatrix) -> Self {
        let (blocks, columns) = (weights.blocks(), weights.columns());
        let mut tiles = Self { blocks, columns, tiles: vec![[0; 32]; columns.div_ceil(COLUMNS) * of_rows(blocks)] };
        tiles.take(weights);
        tiles
    }

    /// Takes the weights of another matrix of the same shape.
    ///
    /// # Panics
    /// Panics if it is of another shape.
    pub fn take(&mut self, weights: &BitMatrix) {
        assert_eq!((self.blocks, self.columns), (weights.blocks(), weights.columns()), "matrices of one shape");
        for (chunk, tiles) in self.tiles.chunks_exact_mut(of_rows(self.blocks)).enumerate() {
            let first = chunk * COLUMNS;
            let columns = first..(first + COLUMNS).min(self.columns);
            for (words, tiles) in weights.words().chunks_exact(self.columns).zip(tiles.chunks_exact_mut(PER_WORD)) {
                let mut of_chunk = [0; COLUMNS];
                of_chunk[..columns.len()].copy_from_slice(&words[columns.clone()]);
                let (lower, upper) = of_chunk.split_at(COLUMNS / 2);
                for (group, tile) in tiles.iter_mut().enumerate() {
                    for ((byte, lower), upper) in tile.iter_mut().zip(lower).zip(upper) {
                        let rows = |word: &u64| (word >> (ROWS * group)) as u8 & 15;
                        *byte = rows(lower) | rows(upper) << 4;
                    }
                }
            }
        }
    }

    /// How rows fall onto blocks.
    #[must_use]
    pub fn blocks(&self) -> RowBlocks {
        self.blocks
    }

    /// Columns (M).
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// For each chunk of columns its tiles, block after block.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &[Tile]> {
        self.tiles.chunks_exact(of_rows(self.blocks))
    }

    /// Tiles of every block but a shorter last one.
    pub(super) fn per_block(&self) -> usize {
        self.blocks.words_per_block() * PER_WORD
    }
}

/// Tiles of all rows of a chunk of columns.
fn of_rows(blocks: RowBlocks) -> usize {
    blocks.words() * PER_WORD
}
