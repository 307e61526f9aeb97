//! Placement of the blocks of layers in arrays.

use crate::config::{Config, Grouping, Scheme};
use crate::error::Problem;
use crate::workload::Net;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// The plane that an array belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// Deterministic: weights fixed at their mode.
    Deterministic,
    /// Stochastic: weights drawn for each member.
    Stochastic,
}

impl Plane {
    /// The plane that holds the layers of a scheme.
    #[must_use]
    pub fn of(scheme: Scheme) -> Self {
        match scheme {
            Scheme::Dense => Plane::Stochastic,
            Scheme::Deterministic => Plane::Deterministic,
        }
    }
}

impl Plane {
    /// All of them, in the order of their codes.
    pub const ALL: &'static [Plane] = &[Plane::Deterministic, Plane::Stochastic];

    /// Name in traces and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Plane::Deterministic => "deterministic",
            Plane::Stochastic => "stochastic",
        }
    }
}

/// Arrays of a layer that hold blocks of the same size in the same plane, so that they do the same work at the same time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArrayGroup {
    /// Plane of its arrays.
    pub plane: Plane,
    /// Row blocks that the group covers.
    pub row_blocks: Range<u32>,
    /// Column blocks that the group covers.
    pub column_blocks: Range<u32>,
    /// Copies of the layer that the group covers.
    pub replicas: Range<u32>,
    /// Rows in use in each of its arrays.
    pub rows: u32,
    /// Synapse columns in use in each of its arrays.
    pub columns: u32,
    /// Number on the chip of its first array.
    pub first_array: u32,
    /// Arrays in one copy of the layer that hold blocks of this size, in this group or another.
    pub peers: u32,
    /// Place of the group's first array among them.
    pub first_peer: u32,
}

impl ArrayGroup {
    /// Arrays in one copy of the layer.
    #[must_use]
    pub fn arrays_per_replica(&self) -> u32 {
        self.row_blocks.len() as u32 * self.column_blocks.len() as u32
    }

    /// Arrays in all copies.
    #[must_use]
    pub fn arrays(&self) -> u64 {
        u64::from(self.arrays_per_replica()) * self.replicas.len() as u64
    }

    /// Synapses in one array.
    #[must_use]
    pub fn synapses_per_array(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.columns)
    }
}

/// Placement of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerMapping {
    /// Row blocks of one copy (R).
    pub row_blocks: u32,
    /// Column blocks of one copy (C).
    pub column_blocks: u32,
    /// Copies (r).
    pub replication: u32,
    /// Passes of the layer for one image: T, or 1 where nothing before it and nothing in it is sampled.
    pub passes: u32,
    /// Its arrays by group.
    pub groups: Vec<ArrayGroup>,
    /// Tiles that hold them.
    pub tiles: Range<u32>,
    /// Cells that hold weights.
    pub cells_used: u64,
    /// Cells of its arrays.
    pub cells: u64,
}

impl LayerMapping {
    /// Arrays of all copies.
    #[must_use]
    pub fn arrays(&self) -> u64 {
        self.groups.iter().map(ArrayGroup::arrays).sum()
    }
}

/// A network on a chip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mapping {
    /// One entry a layer, in the network's order.
    pub layers: Vec<LayerMapping>,
    /// Tiles in use.
    pub tiles: u32,
    /// Arrays in use.
    pub arrays: u64,
    /// Index of the first layer that runs once a member; the number of layers if none does.
    pub first_ensembling_layer: usize,
    /// Members (T).
    pub members: u32,
}

/// Most arrays that a mapping may take: array numbers are 32 bits.
const MOST_ARRAYS: u64 = 1 << 31;

/// Cuts the layers into arrays and places them.
///
/// # Errors
/// Returns an error if copies exceed a layer's positions, or the arrays exceed what can be numbered.
pub fn map(config: &Config, net: &Net) -> Result<Mapping, Vec<Problem>> {
    let array = &config.arch.array;
    let block_rows = array.rows;
    let block_columns = array.columns / array.cells_per_synapse;
    let members = config.members();
    let plane = Plane::of(config.mapping.scheme);
    let first_ensembling_layer = if plane == Plane::Stochastic { 0 } else { net.layers.len() };
    let mut problems = Vec::new();
    let mut layers = Vec::with_capacity(net.layers.len());
    let (mut next_array, mut next_tile) = (0_u64, 0_u32);
    let entries = config.mapping.replication.iter().enumerate();
    let copies: BTreeMap<&str, (usize, u32)> =
        entries.map(|(i, (name, copies))| (name.as_str(), (i, *copies))).collect();
    for (index, layer) in net.layers.iter().enumerate() {
        let entry = copies.get(layer.name.as_str());
        let replication = entry.map_or(1, |(_, copies)| *copies);
        if let Some((i, _)) = entry
            && (replication == 0 || replication > layer.positions)
        {
            problems.push(Problem::new(
                format!("mapping.replication[{i}]"),
                format!(
                    "{replication} copies of layer \"{}\"; expected 1..={} (its output positions)",
                    layer.name, layer.positions
                ),
            ));
            continue;
        }
        let row_blocks = layer.rows.div_ceil(block_rows);
        let column_blocks = layer.columns.div_ceil(block_columns);
        let per_replica = u64::from(row_blocks) * u64::from(column_blocks);
        let arrays = per_replica * u64::from(replication);
        if next_array + arrays > MOST_ARRAYS {
            problems.push(
                Problem::new(
                    "arch.array",
                    format!(
                        "layer \"{}\" brings the chip to {} arrays; expected at most {MOST_ARRAYS}",
                        layer.name,
                        next_array + arrays
                    ),
                )
                .hint("larger arrays, or fewer copies"),
            );
            break;
        }
        let whole =
            Blocks { row_blocks, column_blocks, first_array: next_array as u32, per_replica: per_replica as u32 };
        let edges = |total: u32, block: u32, blocks: u32| {
            // The last block may be smaller than the others: then it is a group of its own.
            let last = total - (blocks - 1) * block;
            if last == block {
                vec![(0..blocks, block)]
            } else if blocks == 1 {
                vec![(0..1, last)]
            } else {
                vec![(0..blocks - 1, block), (blocks - 1..blocks, last)]
            }
        };
        let mut groups = Vec::new();
        for (row_range, rows) in edges(layer.rows, block_rows, row_blocks) {
            for (column_range, columns) in edges(layer.columns, block_columns, column_blocks) {
                let group = ArrayGroup {
                    plane,
                    peers: row_range.len() as u32 * column_range.len() as u32,
                    first_peer: 0,
                    first_array: whole.number(0, row_range.start, column_range.start),
                    row_blocks: row_range.clone(),
                    column_blocks: column_range,
                    replicas: 0..replication,
                    rows,
                    columns,
                };
                match config.schedule.grouping {
                    Grouping::Grouped => groups.push(group),
                    Grouping::Expanded => groups.extend(whole.single_arrays(&group)),
                }
            }
        }
        let tiles = u32::try_from(arrays.div_ceil(u64::from(config.arch.tile.arrays))).unwrap_or(u32::MAX);
        layers.push(LayerMapping {
            row_blocks,
            column_blocks,
            replication,
            passes: if index >= first_ensembling_layer { members } else { 1 },
            groups,
            tiles: next_tile..next_tile + tiles,
            cells_used: layer.synapses() * u64::from(array.cells_per_synapse) * u64::from(replication),
            cells: arrays * u64::from(array.rows) * u64::from(array.columns),
        });
        next_array += arrays;
        next_tile += tiles;
    }
    if problems.is_empty() {
        Ok(Mapping { layers, tiles: next_tile, arrays: next_array, first_ensembling_layer, members })
    } else {
        Err(problems)
    }
}

/// Numbering of a layer's arrays: copy by copy, row block by row block.
struct Blocks {
    row_blocks: u32,
    column_blocks: u32,
    first_array: u32,
    per_replica: u32,
}

impl Blocks {
    fn number(&self, replica: u32, row_block: u32, column_block: u32) -> u32 {
        debug_assert!(row_block < self.row_blocks);
        self.first_array + replica * self.per_replica + row_block * self.column_blocks + column_block
    }

    /// One group for each array of `group`.
    fn single_arrays(&self, group: &ArrayGroup) -> Vec<ArrayGroup> {
        let mut single = Vec::with_capacity(group.arrays() as usize);
        for replica in group.replicas.clone() {
            for row_block in group.row_blocks.clone() {
                for column_block in group.column_blocks.clone() {
                    single.push(ArrayGroup {
                        row_blocks: row_block..row_block + 1,
                        column_blocks: column_block..column_block + 1,
                        replicas: replica..replica + 1,
                        first_array: self.number(replica, row_block, column_block),
                        first_peer: (row_block - group.row_blocks.start) * group.column_blocks.len() as u32
                            + (column_block - group.column_blocks.start),
                        ..group.clone()
                    });
                }
            }
        }
        single
    }
}
