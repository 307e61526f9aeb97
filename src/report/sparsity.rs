//! What a posterior leaves to sample: probabilistic synapses layer by layer, and what each packing stores of them.

use crate::config::Array;
use crate::mapping::pack::{Packing, arrays, index_bits, pack};
use crate::mapping::split::{Split, ones};
use crate::workload::{Net, NetLayer};
use serde::Serialize;
use std::collections::BTreeMap;

/// Widths of a stochastic plane, in synapse columns, at which row packing is compared.
pub const WIDTHS: [u32; 6] = [4, 8, 16, 32, 64, 128];

/// Size of an array, as packings see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArraySize {
    /// Wordlines (N).
    pub rows: u32,
    /// Synapse columns (W): bitlines over the cells of a synapse.
    pub synapse_columns: u32,
}

impl ArraySize {
    /// The size of a chip's array.
    #[must_use]
    pub fn of(array: &Array) -> Self {
        Self { rows: array.rows, synapse_columns: array.columns / array.cells_per_synapse }
    }
}

/// Sparsity of a network's posterior.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sparsity {
    /// Name of the network.
    pub workload: String,
    /// One entry a layer.
    pub layers: Vec<LayerSparsity>,
    /// What each first ensembling layer leaves to sample, in the order of the layers.
    pub from_layer: Vec<FromLayer>,
}

/// Sparsity of one layer with K rows and M columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerSparsity {
    /// Index of the layer.
    pub layer: usize,
    /// Its name.
    pub name: String,
    /// K.
    pub rows: u32,
    /// M.
    pub columns: u32,
    /// Entropy of all weights: sum of `-p log2 p - (1-p) log2 (1-p)`, bits.
    pub entropy_bits: f64,
    /// Synapses whose p is exactly 0 or 1.
    pub exact_zero_or_one: u64,
    /// Counts by eps, then by the rows of the array.
    pub by_eps: BTreeMap<String, BTreeMap<String, Counts>>,
    /// Number of synapses by p, in twenty bins of equal width over 0..=1.
    pub histogram: [u64; BINS],
}

impl LayerSparsity {
    /// Synapses of the layer: K M.
    #[must_use]
    pub fn synapses(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.columns)
    }
}

/// Bins of the histogram of p.
pub const BINS: usize = 20;

/// What is probabilistic in a layer at one eps, and what each packing stores in arrays of one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counts {
    /// Synapses with eps < p < 1 - eps.
    pub probabilistic: u64,
    /// Their share of the layer's synapses.
    pub share: f64,
    /// Rows that hold one.
    pub rows_with_any: u32,
    /// Columns that hold one.
    pub columns_with_any: u32,
    /// Packing by rows.
    pub rows_packing: RowsCounts,
    /// Synapses that row packing stores in planes of other widths, by width in synapse columns.
    pub rows_packing_by_width: BTreeMap<String, u64>,
    /// Places that packing by lists takes in planes of other widths, columns in the order of the layer, and sorted.
    pub lists_slots_by_width: BTreeMap<String, u64>,
    pub sorted_lists_slots_by_width: BTreeMap<String, u64>,
    /// Packing by lists, columns in the order of the layer.
    pub lists_packing: ListsCounts,
    /// Packing by lists, columns sorted by the length of their lists.
    pub sorted_lists_packing: ListsCounts,
    /// No packing.
    pub full: FullCounts,
}

/// What packing by rows stores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowsCounts {
    /// Rows of all column blocks together.
    pub stored_rows: u64,
    /// Stored rows times columns of their block.
    pub stored_synapses: u64,
    /// Arrays.
    pub arrays: u64,
    /// Stored rows if the same number of probabilistic synapses fell independently: sum over blocks of `K (1 - (1 - q)^w)`.
    pub expected_stored_rows_if_independent: f64,
}

/// What packing by lists stores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListsCounts {
    /// Synapses stored: the probabilistic ones.
    pub stored_synapses: u64,
    /// Places taken: for each column block its longest list times its columns.
    pub slots: u64,
    /// Arrays.
    pub arrays: u64,
    /// Longest list of the layer.
    pub longest_column: u32,
    /// Bits of the index beside each stored synapse: ceil(log2 K).
    pub index_bits_per_synapse: u32,
}

/// What a plane as large as the layer stores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FullCounts {
    /// Synapses: K M.
    pub stored_synapses: u64,
    /// Arrays.
    pub arrays: u64,
}

/// What is left to sample if ensembling starts at a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FromLayer {
    /// Name of the first ensembling layer.
    pub layer: String,
    /// Synapses from that layer on.
    pub synapses: u64,
    /// Multiply-accumulates of a member from that layer on.
    pub macs: u64,
    /// Share of the network's multiply-accumulates.
    pub mac_share: f64,
    /// Probabilistic synapses from that layer on, by eps.
    pub probabilistic: BTreeMap<String, u64>,
}

/// Counts the sparsity of a posterior at each eps, for arrays of each size. `p` holds one slice a layer, in the order of
/// [`LayerPosterior::p`](crate::workload::LayerPosterior::p).
#[must_use]
pub fn sparsity<'a>(
    workload: &str,
    net: &Net,
    p: impl IntoIterator<Item = &'a [f32]>,
    eps: &[f64],
    arrays: &[ArraySize],
) -> Sparsity {
    let layers: Vec<_> = net
        .layers
        .iter()
        .zip(p)
        .enumerate()
        .map(|(index, (layer, p))| layer_sparsity(index, layer, p, eps, arrays))
        .collect();
    let from_layer = (0..layers.len()).map(|first| from_layer(first, net, &layers, eps)).collect();
    Sparsity { workload: workload.to_owned(), layers, from_layer }
}

fn layer_sparsity(index: usize, layer: &NetLayer, p: &[f32], eps: &[f64], arrays: &[ArraySize]) -> LayerSparsity {
    let mut histogram = [0; BINS];
    let (mut entropy_bits, mut exact_zero_or_one) = (0.0, 0);
    for &p in p {
        let p = f64::from(p);
        histogram[((p * BINS as f64) as usize).min(BINS - 1)] += 1;
        if p <= 0.0 || p >= 1.0 {
            exact_zero_or_one += 1;
        } else {
            entropy_bits -= p * libm::log2(p) + (1.0 - p) * libm::log2(1.0 - p);
        }
    }
    let by_eps = eps.iter().map(|&eps| {
        let split = Split::new(layer.rows, layer.columns, p, eps);
        (eps.to_string(), arrays.iter().map(|&size| (size.rows.to_string(), counts(&split, size))).collect())
    });
    LayerSparsity {
        layer: index,
        name: layer.name.clone(),
        rows: layer.rows,
        columns: layer.columns,
        entropy_bits,
        exact_zero_or_one,
        by_eps: by_eps.collect(),
        histogram,
    }
}

fn counts(split: &Split, size: ArraySize) -> Counts {
    let (k, m) = (split.rows(), split.columns());
    let synapses = u64::from(k) * u64::from(m);
    let probabilistic = split.probabilistic();
    let share = probabilistic as f64 / synapses as f64;
    let (longest_column, columns_with_any) = (0..m)
        .map(|column| split.in_column(column))
        .fold((0, 0), |(longest, any), list| (longest.max(list), any + u32::from(list > 0)));
    let blocks = pack(split, Packing::Rows, size.synapse_columns);
    let rows_packing = RowsCounts {
        stored_rows: blocks.iter().map(|block| u64::from(block.height)).sum(),
        stored_synapses: blocks.iter().map(|block| block.slots()).sum(),
        arrays: arrays(&blocks, size.rows),
        expected_stored_rows_if_independent: blocks
            .iter()
            .map(|block| f64::from(k) * (1.0 - libm::pow(1.0 - share, f64::from(block.columns))))
            .sum(),
    };
    let by_width = |packing| {
        let stored = |width: u32| pack(split, packing, width).iter().map(|block| block.slots()).sum();
        WIDTHS.iter().map(|&width| (width.to_string(), stored(width))).collect()
    };
    let lists = |sorted| {
        let blocks = pack(split, Packing::Lists { sorted }, size.synapse_columns);
        ListsCounts {
            stored_synapses: probabilistic,
            slots: blocks.iter().map(|block| block.slots()).sum(),
            arrays: arrays(&blocks, size.rows),
            longest_column,
            index_bits_per_synapse: index_bits(k),
        }
    };
    let full = pack(split, Packing::Full, size.synapse_columns);
    Counts {
        probabilistic,
        share,
        rows_with_any: ones(&split.rows_with_any(0..m)),
        columns_with_any,
        rows_packing,
        rows_packing_by_width: by_width(Packing::Rows),
        lists_slots_by_width: by_width(Packing::Lists { sorted: false }),
        sorted_lists_slots_by_width: by_width(Packing::Lists { sorted: true }),
        lists_packing: lists(false),
        sorted_lists_packing: lists(true),
        full: FullCounts { stored_synapses: synapses, arrays: arrays(&full, size.rows) },
    }
}

fn from_layer(first: usize, net: &Net, layers: &[LayerSparsity], eps: &[f64]) -> FromLayer {
    let macs = |layers: &[NetLayer]| layers.iter().map(NetLayer::macs).sum::<u64>();
    let probabilistic = |eps: &f64| {
        let of = |layer: &LayerSparsity| layer.by_eps[&eps.to_string()].values().next().map_or(0, |c| c.probabilistic);
        (eps.to_string(), layers[first..].iter().map(of).sum())
    };
    let left = macs(&net.layers[first..]);
    FromLayer {
        layer: layers[first].name.clone(),
        synapses: net.layers[first..].iter().map(NetLayer::synapses).sum(),
        macs: left,
        mac_share: left as f64 / macs(&net.layers) as f64,
        probabilistic: eps.iter().map(probabilistic).collect(),
    }
}
