//! The rows of a plane's arrays: the inputs that drive them, and the weights that they hold.

use crate::functional::blocks::RowBlocks;
use crate::mapping::{EMPTY, PackedArray, Packing, Plane, Split};
use std::sync::Arc;

/// Which input drives each row of the arrays of a plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RowSets {
    /// Arrays of a row block have its rows.
    Blocks(RowBlocks),
    /// Each array has rows, or cells, of its own.
    Packed(Arc<Vec<PackedArray>>),
}

impl RowSets {
    /// Row blocks, or packed arrays.
    pub(super) fn count(&self) -> usize {
        match self {
            RowSets::Blocks(blocks) => blocks.count(),
            RowSets::Packed(arrays) => arrays.len(),
        }
    }
}

/// The rows of the arrays of a plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlaneRows {
    pub(super) plane: Plane,
    pub(super) sets: RowSets,
    /// Where the plane holds only some of the layer's synapses.
    pub(super) weights: Option<Arc<RowWeights>>,
}

/// The number of weights in each row of a plane's arrays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowWeights {
    /// Column blocks that share the rows of a block; 1 of packed arrays.
    pub(super) column_blocks: usize,
    /// `[row][column block]`, the rows of one block, or packed array, after another.
    of_rows: Vec<u32>,
}

impl RowWeights {
    /// Those of a plane on arrays of so many synapse columns, of which the stochastic one holds what `split` samples, the
    /// other one the rest.
    pub(super) fn new(split: &Split, plane: Plane, sets: &RowSets, packing: Packing, columns: u32) -> Self {
        let holds = |row, column| split.contains(row, column) == (plane == Plane::Stochastic);
        match sets {
            RowSets::Blocks(_) => {
                let column_blocks = split.columns().div_ceil(columns) as usize;
                let mut of_rows = vec![0; split.rows() as usize * column_blocks];
                for column in 0..split.columns() {
                    for (row, weights) in of_rows.chunks_mut(column_blocks).enumerate() {
                        weights[(column / columns) as usize] += u32::from(holds(row as u32, column));
                    }
                }
                Self { column_blocks, of_rows }
            }
            RowSets::Packed(arrays) => {
                let of_array = |array: &PackedArray| -> Vec<u32> {
                    let held = |inputs: &[u32]| match packing {
                        Packing::Lists { .. } => inputs.iter().filter(|&&input| input != EMPTY).count(),
                        _ => {
                            let columns = array.first_column..array.first_column + array.columns;
                            columns.filter(|&column| holds(inputs[0], column)).count()
                        }
                    };
                    array.inputs_of_rows().map(|inputs| held(inputs) as u32).collect()
                };
                Self { column_blocks: 1, of_rows: arrays.iter().flat_map(of_array).collect() }
            }
        }
    }

    /// Those of a row, by column block.
    pub(super) fn of(&self, row: usize) -> &[u32] {
        &self.of_rows[row * self.column_blocks..][..self.column_blocks]
    }
}
