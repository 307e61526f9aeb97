//! Layout of the probabilistic synapses of a layer in its stochastic plane.
//!
//! The columns of the layer are cut into blocks as wide as the plane's arrays (`width` synapse columns). The packing
//! decides how many array rows a block takes; a block of height h takes `ceil(h / N)` arrays of N rows.

use super::split::{Split, ones};
pub use crate::config::Packing;
use serde::Serialize;

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

/// An array of a packed plane: some of the layer's synapses, and the inputs that its rows, or its cells, take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackedArray {
    /// Rows in use.
    pub rows: u32,
    /// Synapse columns in use.
    pub columns: u32,
    /// Of rows, the layer's column that is its first one; of lists, the first place in the order of columns.
    pub first_column: u32,
    /// Logical rows whose inputs it takes: one for each row, or with lists one for each synapse row by row, where
    /// [`EMPTY`] stands for a place without a synapse.
    #[serde(skip)]
    pub inputs: Vec<u32>,
    /// Synapses that are drawn where fixed pairs are gated: the probabilistic ones.
    pub probabilistic: u64,
}

/// A place of a list without a synapse.
pub const EMPTY: u32 = u32::MAX;

impl PackedArray {
    /// The inputs of each row: one, or with lists one for each cell.
    pub fn inputs_of_rows(&self) -> impl Iterator<Item = &[u32]> {
        self.inputs.chunks(self.inputs.len() / self.rows as usize)
    }

    /// For each read the most of its inputs that one of `banks` banks holds, where input k is in bank k mod banks: for all
    /// rows at once of an array with an input a row, else for each row.
    #[must_use]
    pub fn bank_loads(&self, banks: u32) -> Vec<u32> {
        let cells = self.inputs.len() / self.rows as usize;
        let at_once = if cells == 1 { self.inputs.len() } else { cells };
        let mut held = vec![0; banks as usize];
        let most = |inputs: &[u32]| {
            held.fill(0);
            let mut most = 0;
            for &input in inputs.iter().filter(|&&input| input != EMPTY) {
                let held = &mut held[(input % banks) as usize];
                *held += 1;
                most = most.max(*held);
            }
            most
        };
        self.inputs.chunks(at_once).map(most).collect()
    }

    /// Indices that it stores.
    #[must_use]
    pub fn indices(&self) -> u64 {
        self.inputs.iter().filter(|&&input| input != EMPTY).count() as u64
    }
}

/// A stochastic plane cut into arrays of at most `rows` x `width` synapses, and what its tallest column block takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedPlane {
    /// Its arrays, those of equal size side by side.
    pub arrays: Vec<PackedArray>,
    /// Rows of the arrays of the tallest column block.
    pub tallest: Vec<u32>,
    /// Column blocks that hold a synapse.
    pub column_blocks: u32,
}

/// The arrays of `rows` x `width` synapses that hold the probabilistic synapses of a layer in rows or lists.
///
/// # Panics
/// Panics if `rows` or `width` is 0, or `packing` is [`Packing::Full`], whose arrays are blocks of the whole matrix.
#[must_use]
pub fn packed_plane(split: &Split, packing: Packing, width: u32, rows: u32) -> PackedPlane {
    let mut order: Vec<u32> = (0..split.columns()).collect();
    if packing == (Packing::Lists { sorted: true }) {
        order.sort_by_key(|&column| std::cmp::Reverse(split.in_column(column)));
    }
    let (mut arrays, mut tallest, mut column_blocks) = (Vec::new(), Vec::new(), 0);
    for (block, columns) in order.chunks(width as usize).enumerate() {
        let (first, first_column) = (arrays.len(), block as u32 * width);
        match packing {
            Packing::Full => unreachable!("a whole plane has no layout of its own"),
            Packing::Rows => {
                let columns = columns[0]..columns[0] + columns.len() as u32;
                let any = split.rows_with_any(columns.clone());
                let stored: Vec<u32> = bits(&any).collect();
                arrays.extend(stored.chunks(rows as usize).map(|inputs| PackedArray {
                    rows: inputs.len() as u32,
                    columns: columns.len() as u32,
                    first_column,
                    inputs: inputs.to_vec(),
                    // Rows between them hold none in these columns.
                    probabilistic: split.in_block(inputs[0]..inputs[inputs.len() - 1] + 1, columns.clone()),
                }));
            }
            Packing::Lists { .. } => {
                let lists: Vec<Vec<u32>> = columns.iter().map(|&column| bits(split.column(column)).collect()).collect();
                let height = lists.iter().map(Vec::len).max().unwrap_or(0);
                for start in (0..height).step_by(rows as usize) {
                    let end = (start + rows as usize).min(height);
                    let place = |(row, list): (usize, &Vec<u32>)| list.get(row).copied().unwrap_or(EMPTY);
                    let inputs: Vec<u32> =
                        (start..end).flat_map(|row| lists.iter().map(move |list| place((row, list)))).collect();
                    let probabilistic = inputs.iter().filter(|&&input| input != EMPTY).count() as u64;
                    let (rows, columns) = ((end - start) as u32, columns.len() as u32);
                    arrays.push(PackedArray { rows, columns, first_column, inputs, probabilistic });
                }
            }
        }
        let block: Vec<u32> = arrays[first..].iter().map(|array| array.rows).collect();
        column_blocks += u32::from(!block.is_empty());
        if block.iter().sum::<u32>() > tallest.iter().sum() {
            tallest = block;
        }
    }
    // Those of equal size do the same work at the same time.
    arrays.sort_by_key(|array| std::cmp::Reverse((array.rows, array.columns)));
    PackedPlane { arrays, tallest, column_blocks }
}

/// Places of the bits that are 1.
fn bits(words: &[u64]) -> impl Iterator<Item = u32> + '_ {
    words.iter().enumerate().flat_map(|(i, &word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            (rest != 0).then(|| {
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                i as u32 * 64 + bit
            })
        })
    })
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
