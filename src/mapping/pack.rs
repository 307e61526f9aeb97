//! Layout of the probabilistic synapses of a layer in its stochastic plane.
//!
//! The columns of the layer are cut into blocks as wide as the plane's arrays (`width` synapse columns). The packing
//! decides how many array rows a block takes; a block of height h takes `ceil(h / N)` arrays of N rows.

use super::split::{Split, ones};
use serde::{Deserialize, Serialize};

/// How a stochastic plane stores its synapses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packing {
    /// The plane is as large as the layer; fixed synapses are reset pairs in it.
    Full,
    /// Only rows that hold a probabilistic synapse in the column block are stored. Each stored row needs the index of its
    /// input.
    Rows,
    /// Each column stores its own probabilistic synapses one under another. Each stored synapse needs the index of its
    /// input.
    Lists {
        /// Whether columns are sorted by the length of their lists before they are cut into blocks, which shortens blocks.
        sorted: bool,
    },
}

/// A column block of a packed stochastic plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedBlock {
    /// Synapse columns in use.
    pub columns: u32,
    /// Rows in use; 0 when the block holds nothing and takes no array.
    pub height: u32,
    /// Synapses that are drawn where fixed pairs are gated: the probabilistic ones.
    pub probabilistic: u64,
}

impl PackedBlock {
    /// Places for synapses: rows times columns in use.
    #[must_use]
    pub fn slots(&self) -> u64 {
        u64::from(self.height) * u64::from(self.columns)
    }
}

/// Cuts a layer into column blocks of `width` synapse columns.
///
/// # Panics
/// Panics if `width` is 0.
#[must_use]
pub fn pack(split: &Split, packing: Packing, width: u32) -> Vec<PackedBlock> {
    let mut lists: Vec<u32> = (0..split.columns()).map(|column| split.in_column(column)).collect();
    if packing == (Packing::Lists { sorted: true }) {
        lists.sort_unstable_by(|a, b| b.cmp(a));
    }
    let blocks = lists.chunks(width as usize).enumerate().map(|(index, lists)| {
        let (first, columns) = (index as u32 * width, lists.len() as u32);
        let height = match packing {
            Packing::Full => split.rows(),
            Packing::Rows => ones(&split.rows_with_any(first..first + columns)),
            Packing::Lists { .. } => lists.iter().copied().max().unwrap_or(0),
        };
        PackedBlock { columns, height, probabilistic: lists.iter().map(|&list| u64::from(list)).sum() }
    });
    blocks.collect()
}

/// Arrays of `rows` wordlines that the blocks take.
#[must_use]
pub fn arrays(blocks: &[PackedBlock], rows: u32) -> u64 {
    blocks.iter().map(|block| u64::from(block.height.div_ceil(rows))).sum()
}

/// Bits of an index that selects one of `inputs` rows: `ceil(log2 inputs)`, at least 1.
#[must_use]
pub fn index_bits(inputs: u32) -> u32 {
    inputs.saturating_sub(1).checked_ilog2().map_or(1, |log| log + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five rows, four columns; `#` is probabilistic:
    ///
    /// ```text
    /// # . . .
    /// # # . .
    /// . # . .
    /// . . . #
    /// # . . .
    /// ```
    fn split() -> Split {
        let columns = [[0.5, 0.5, 0.0, 0.0, 0.5], [0.0, 0.5, 0.5, 1.0, 0.0], [0.0; 5], [0.0, 1.0, 0.0, 0.5, 0.0]];
        Split::new(5, 4, columns.as_flattened(), 0.1)
    }

    fn heights(packing: Packing, width: u32) -> Vec<u32> {
        pack(&split(), packing, width).iter().map(|block| block.height).collect()
    }

    #[test]
    fn packings_store_what_they_say() {
        assert_eq!(heights(Packing::Full, 2), [5, 5]);
        // Rows 0, 1, 2 and 4 in the left half; row 3 in the right one.
        assert_eq!(heights(Packing::Rows, 2), [4, 1]);
        assert_eq!(heights(Packing::Rows, 4), [5]);
        // Lists of 3, 2, 0 and 1 synapses.
        assert_eq!(heights(Packing::Lists { sorted: false }, 2), [3, 1]);
        assert_eq!(heights(Packing::Lists { sorted: true }, 1), [3, 2, 1, 0]);
    }

    #[test]
    fn an_empty_block_takes_no_array() {
        let blocks = pack(&split(), Packing::Lists { sorted: true }, 3);
        assert_eq!(blocks[1], PackedBlock { columns: 1, height: 0, probabilistic: 0 });
        assert_eq!((arrays(&blocks, 2), blocks[0].slots()), (2, 9));
    }

    #[test]
    fn an_index_selects_any_row() {
        assert_eq!([1, 2, 3, 4, 5, 8192, 8193].map(index_bits), [1, 1, 2, 2, 3, 13, 14]);
    }
}
