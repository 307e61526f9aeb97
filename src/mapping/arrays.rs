//! Placement of the blocks of layers in arrays.

use super::pack::{PackedArray, Packing, packed_plane};
use super::place::{Demand, LowBlock, Placed, Portion, SharedArray, lay_out};
use super::replicate::Replicated;
use super::split::Split;
pub use crate::config::Plane;
use crate::config::{Choices, Config, FirstLayer, Grouping, Placement, Sampler, Scheme, no_first_layer};
use crate::error::Problem;
use crate::network::LayerInput;
use crate::workload::{Net, NetLayer};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// Arrays of a layer that hold blocks of the same size in the same plane, so that they do the same work at the same time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArrayGroup {
    /// Plane of its arrays.
    pub plane: Plane,
    /// Row blocks that the group covers; of a packed plane, whose arrays each have rows of their own, its arrays.
    pub row_blocks: Range<u32>,
    /// Column blocks that the group covers; 0..1 in a packed plane.
    pub column_blocks: Range<u32>,
    /// Copies of the layer that the group covers.
    pub replicas: Range<u32>,
    /// Rows in use in each of its arrays.
    pub rows: u32,
    /// Synapse columns in use in each of its arrays.
    pub columns: u32,
    /// Number on the chip of its first block: that of its array, unless it shares one.
    pub first_array: u32,
    /// Arrays in one copy of the layer that hold blocks of this size, in this group or another.
    pub peers: u32,
    /// Place of the group's first array among them.
    pub first_peer: u32,
    /// Synapses drawn in each of its arrays of a copy, where fixed pairs are gated; none where all are drawn.
    pub drawn: Option<Vec<u64>>,
    /// Whether it works for the first member only, whose sums are kept for the others.
    pub first_member_only: bool,
    /// The array that its block shares with other layers' blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedArray>,
}

impl ArrayGroup {
    /// Whether its block lies in an array that counts as another layer's.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.shared.is_some_and(|shared| shared.rows.before > 0)
    }

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

    /// Places of synapses in one array.
    #[must_use]
    pub fn synapses_per_array(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.columns)
    }

    /// Synapses that are drawn in all arrays of a copy.
    #[must_use]
    pub fn drawn(&self) -> u64 {
        let all = || self.synapses_per_array() * u64::from(self.arrays_per_replica());
        self.drawn.as_ref().map_or_else(all, |drawn| drawn.iter().sum())
    }
}

/// One plane of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlaneMapping {
    /// Which one.
    pub plane: Plane,
    /// Rows in use of the arrays of its tallest column block: their sums are added up.
    pub tallest: Vec<u32>,
    /// Column blocks of one copy (C).
    pub column_blocks: u32,
    /// Arrays of one copy.
    pub arrays: u32,
    /// Places of synapses in use in one copy.
    pub slots: u64,
    /// Those of them that hold a weight: the others are pairs of reset cells.
    pub weights: u64,
    /// Synapses drawn in the array that draws most.
    pub most_drawn: u64,
    /// Arrays of a packed plane, each with the inputs of its rows or cells; none where arrays hold blocks of the matrix.
    pub packed: Option<Vec<PackedArray>>,
    /// [`PackedArray::bank_loads`] of these.
    #[serde(skip)]
    pub bank_loads: Vec<Vec<u32>>,
}

impl PlaneMapping {
    /// Row blocks of its tallest column block (R).
    #[must_use]
    pub fn row_blocks(&self) -> u32 {
        self.tallest.len() as u32
    }
}

/// Placement of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerMapping {
    /// Its planes that hold arrays, the deterministic one first.
    pub planes: Vec<PlaneMapping>,
    /// Copies (r).
    pub replication: u32,
    /// Passes of the layer for one image: T, or 1 where nothing before it and nothing in it is sampled.
    pub passes: u32,
    /// Its arrays by group.
    pub groups: Vec<ArrayGroup>,
    /// Tiles that hold them.
    pub tiles: Range<u32>,
    /// What it has of the first and of the last of them.
    pub shares: [Portion; 2],
    /// Cells that hold weights.
    pub cells_used: u64,
    /// Cells of its arrays.
    pub cells: u64,
}

impl LayerMapping {
    /// Arrays of all copies, those that it shares among them.
    #[must_use]
    pub fn arrays(&self) -> u64 {
        self.groups.iter().map(ArrayGroup::arrays).sum()
    }

    /// The same from its planes, which do not depend on the number of copies.
    pub(super) fn arrays_of_copies(&self) -> u64 {
        self.planes.iter().map(|plane| u64::from(plane.arrays)).sum::<u64>() * u64::from(self.replication)
    }

    /// Its part, in all its arrays of a plane, of what an array has `of_array` of and blocks that share it have by their rows.
    #[must_use]
    pub fn of_arrays(&self, plane: &PlaneMapping, of_array: u64) -> u64 {
        let whole = u64::from(plane.arrays) * u64::from(self.replication);
        let shared = self.shared(plane.plane);
        shared.fold(whole * of_array, |sum, shared| sum - of_array + shared.rows.of(of_array))
    }

    /// The arrays of a plane that it shares with other layers.
    fn shared(&self, plane: Plane) -> impl Iterator<Item = &SharedArray> {
        self.groups.iter().filter(move |group| group.plane == plane).filter_map(|group| group.shared.as_ref())
    }

    /// Its part, in all its tiles, of what each tile has `of_tile` of and layers share by their blocks.
    #[must_use]
    pub fn of_tiles(&self, of_tile: u64) -> u64 {
        let [first, last] = self.shares.map(|share| share.of(of_tile));
        if self.tiles.len() == 1 { first } else { first + (self.tiles.len() as u64 - 2) * of_tile + last }
    }

    /// The least of it that it has in a tile.
    #[must_use]
    pub fn least_of_tile(&self, of_tile: u64) -> u64 {
        let [first, last] = self.shares.map(|share| share.of(of_tile));
        first.min(last)
    }

    /// The same in its last tile.
    #[must_use]
    pub fn of_last_tile(&self, of_tile: u64) -> u64 {
        self.shares[1].of(of_tile)
    }

    /// One of its planes, if it has arrays in it.
    #[must_use]
    pub fn plane(&self, plane: Plane) -> Option<&PlaneMapping> {
        self.planes.iter().find(|of| of.plane == plane)
    }

    /// Synapses whose draws a sample of a group waits for. The generators of a plane in which fixed pairs are gated run in
    /// step: each sample takes as long as that of the array that draws most.
    #[must_use]
    pub fn draws_at_once(&self, group: &ArrayGroup) -> u64 {
        let most = self.plane(group.plane).filter(|_| group.drawn.is_some()).map(|plane| plane.most_drawn);
        most.unwrap_or_else(|| group.synapses_per_array())
    }

    /// Most row blocks of a plane (R).
    #[must_use]
    pub fn row_blocks(&self) -> u32 {
        self.planes.iter().map(PlaneMapping::row_blocks).max().unwrap_or(0)
    }

    /// Most column blocks of a plane (C).
    #[must_use]
    pub fn column_blocks(&self) -> u32 {
        self.planes.iter().map(|plane| plane.column_blocks).max().unwrap_or(0)
    }
}

/// A network on a chip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mapping {
    /// One entry a layer, in the network's order.
    pub layers: Vec<LayerMapping>,
    /// Tiles in use.
    pub tiles: u32,
    /// Arrays in use, each counted once.
    pub arrays: u64,
    /// The place of each tile on the interconnect, by its number; empty: its number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<u32>,
    /// What the placement comes to.
    pub placed: Placed,
    /// The copies that were chosen, where they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicated: Option<Replicated>,
    /// Index of the first layer that runs once a member (L0); the number of layers if none does.
    pub first_ensembling_layer: usize,
    /// Members (T).
    pub members: u32,
}

/// Most arrays that a mapping may take: array numbers are 32 bits.
const MOST_ARRAYS: u64 = 1 << 31;

/// The index of the first ensembling layer of a scheme; the number of layers where none is.
///
/// # Errors
/// Returns the problem of a name that is no layer's, or of a layer behind a fork: one that runs for each member beside
/// layers that read what comes before it.
pub fn first_ensembling_layer(scheme: &Scheme, net: &Net) -> Result<usize, Problem> {
    if matches!(scheme, Scheme::Sparse { first_ensembling_layer: FirstLayer::FirstLinear, .. }) {
        return Ok(net.first_linear());
    }
    let Some(choices) = scheme.choices() else { return Ok(net.layers.len()) };
    let Some(name) = choices.first_ensembling_layer else { return Ok(0) };
    let path = "mapping.scheme.first_ensembling_layer";
    let Some(first) = net.layers.iter().position(|layer| layer.described_name() == name) else {
        return Err(no_first_layer(name, net.layers.iter().map(NetLayer::described_name)));
    };
    let behind = net.layers.iter().enumerate().skip(first + 1).find(|(l, layer)| match layer.source {
        // Copies of the layer for other members.
        _ if net.described(*l) == first => false,
        LayerInput::Input => true,
        LayerInput::Layer(source) => source < first,
    });
    if let Some((_, other)) = behind {
        let message = format!(
            "first_ensembling_layer is \"{name}\", but layer \"{}\" behind it reads what comes before: the network forks \
             there",
            other.name
        );
        return Err(Problem::new(path, message).hint("expected a layer that all later ones depend on"));
    }
    Ok(first)
}

/// The synapses that each layer samples, for a scheme that splits them; none for layers before the first ensembling one.
pub type Splits = Vec<Option<Arc<Split>>>;

/// Cuts the layers into arrays and places them. `splits` has one entry for each layer where the scheme has an eps.
///
/// # Errors
/// Returns an error if copies exceed a layer's positions, the first ensembling layer is none, or the arrays exceed what can
/// be numbered.
pub fn map(config: &Config, net: &Net, splits: Option<&Splits>) -> Result<Mapping, Vec<Problem>> {
    // Members that run side by side have layers of their own.
    let spatial = net.layers.iter().any(|layer| layer.copy.is_some());
    let members = if spatial { 1 } else { config.members() };
    let first_ensembling_layer =
        first_ensembling_layer(&config.mapping.scheme, net).map_err(|problem| vec![problem])?;
    let choices = config.mapping.scheme.choices().unwrap_or_default();
    let mut problems = Vec::new();
    let mut layers = Vec::with_capacity(net.layers.len());
    let mut next_array = 0_u64;
    let entries = config.mapping.replication.iter().enumerate();
    let copies: BTreeMap<&str, (usize, u32)> =
        entries.map(|(i, (name, copies))| (name.as_str(), (i, *copies))).collect();
    for (index, layer) in net.layers.iter().enumerate() {
        let entry = copies.get(layer.described_name());
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
        let split = splits.and_then(|splits| splits[index].as_deref());
        let kinds: &[(Plane, Contents<'_>)] = match split {
            _ if index < first_ensembling_layer => &[(Plane::Deterministic, Contents::Everything)],
            None => &[(Plane::Stochastic, Contents::Everything)],
            Some(split) => {
                &[(Plane::Deterministic, Contents::Fixed(split)), (Plane::Stochastic, Contents::Sampled(split))]
            }
        };
        let keeps = choices.keep_deterministic_part && index == first_ensembling_layer && members > 1;
        let cut: Vec<Cut> = kinds
            .iter()
            .filter_map(|(plane, contents)| Cut::new(config, layer.rows, layer.columns, *plane, *contents, &choices))
            .collect();
        let per_replica: u64 = cut.iter().map(Cut::arrays).sum();
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
        let (mut groups, mut planes, mut before) = (Vec::new(), Vec::new(), 0);
        let mut cells_used = 0;
        // Planes that have something to keep for later members must not be the only ones.
        let keeps = keeps && cut.len() == 2;
        for of_plane in cut {
            let numbers = Numbers { first_array: next_array as u32 + before, per_replica: per_replica as u32 };
            before += of_plane.arrays() as u32;
            let arrays = config.arch.plane(of_plane.plane).array;
            cells_used += of_plane.weights() * u64::from(arrays.cells_per_synapse) * u64::from(replication);
            let first_member_only = keeps && of_plane.plane == Plane::Deterministic;
            // Which rows are 0 differs between arrays, and with it what they do.
            let alike = !(choices.skip_zero_rows && of_plane.plane == Plane::Stochastic);
            let grouping = if alike { config.schedule.grouping } else { Grouping::Expanded };
            for mut group in of_plane.groups(replication, &numbers) {
                group.first_member_only = first_member_only;
                // Whether it shares an array differs between blocks.
                let shares = of_plane.packed.is_none() && may_share(config, &group);
                match if shares { Grouping::Expanded } else { grouping } {
                    Grouping::Grouped => groups.push(group),
                    Grouping::Expanded => groups.extend(of_plane.single_arrays(&group, &numbers)),
                }
            }
            planes.push(of_plane.mapping(config.arch.gather_banks()));
        }
        layers.push(LayerMapping {
            planes,
            replication,
            passes: if index >= first_ensembling_layer { members } else { 1 },
            groups,
            // Known once all layers are cut, as are shared arrays and cells.
            tiles: 0..0,
            shares: [Portion { before: 0, own: 0, used: 0 }; 2],
            cells_used,
            cells: 0,
        });
        next_array += arrays;
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let tiles = lay_out_layers(&mut layers, config, net);
    let mut arrays = next_array;
    for layer in &mut layers {
        layer.cells = layer
            .planes
            .iter()
            .map(|plane| {
                let array = config.arch.plane(plane.plane).array;
                layer.of_arrays(plane, u64::from(array.rows) * u64::from(array.columns))
            })
            .sum();
        arrays -= layer.groups.iter().filter(|group| group.is_guest()).count() as u64;
    }
    problems.extend(layers.iter().zip(&net.layers).filter_map(|(mapped, layer)| no_part(config, mapped, &layer.name)));
    if !problems.is_empty() {
        return Err(problems);
    }
    let (places, placed) = (Vec::new(), Placed { tiles_in_order: tiles, ..Placed::default() });
    let replicated = None;
    // Each copy runs once an image.
    let first_ensembling_layer = if spatial { net.layers.len() } else { first_ensembling_layer };
    Ok(Mapping { layers, tiles, arrays, places, placed, replicated, first_ensembling_layer, members })
}

/// The problem of a layer whose part of a shared tile is too small to work with.
fn no_part(config: &Config, mapped: &LayerMapping, name: &str) -> Option<Problem> {
    let tile = &config.arch.tile;
    let shared = [
        ("lanes", u64::from(config.arch.digital.lanes)),
        ("bytes of an access of the input buffer", u64::from(tile.input_buffer.bytes_per_cycle)),
        ("bytes of an access of the output buffer", u64::from(tile.output_buffer.bytes_per_cycle)),
    ];
    let (what, whole) = shared.into_iter().find(|&(_, whole)| mapped.least_of_tile(whole) == 0)?;
    let Portion { own, used, .. } = mapped.shares.into_iter().find(|share| share.of(whole) == 0)?;
    let message = format!(
        "placement is {placement:?}, and layer \"{name}\" has {own} of {used} blocks in a tile: none of its {whole} {what}",
        placement = config.mapping.placement
    );
    Some(Problem::new("mapping.placement", message).hint("expected InOrder, or tiles with more of it"))
}

impl Mapping {
    /// Numbers of the arrays that blocks of several layers share.
    #[must_use]
    pub fn shared_arrays(&self) -> BTreeSet<u32> {
        self.layers.iter().flat_map(|layer| &layer.groups).filter_map(|group| Some(group.shared?.array)).collect()
    }

    /// Number of answers to `images` images: the passes of the layers that give logits.
    #[must_use]
    pub fn answers(&self, net: &Net, images: u32) -> u64 {
        let passes: u64 = net.outputs().map(|l| u64::from(self.layers[l].passes)).sum();
        u64::from(images) * passes
    }

    /// Gives the layers other numbers of copies and the tiles for them; groups and arrays stay those of before. For
    /// estimates of what the copies occupy.
    pub(crate) fn set_copies(&mut self, config: &Config, net: &Net, copies: &[u32]) {
        for (layer, &copies) in self.layers.iter_mut().zip(copies) {
            layer.replication = copies;
        }
        self.tiles = lay_out_layers(&mut self.layers, config, net);
    }
}

/// Whether blocks of a group may share an array. Copies of a layer work at the same time, and the generators of an array
/// draw for one block.
fn may_share(config: &Config, group: &ArrayGroup) -> bool {
    let drawn = group.plane == Plane::Stochastic && matches!(config.arch.sampler, Sampler::Generator { .. });
    let low = group.rows < config.arch.plane(group.plane).array.rows;
    config.mapping.placement == Placement::Shared && low && !drawn && group.replicas.len() == 1
}

/// Gives the layers their tiles and the arrays that they share; returns the number of tiles.
fn lay_out_layers(layers: &mut [LayerMapping], config: &Config, net: &Net) -> u32 {
    let demand = |(l, layer): (usize, &LayerMapping)| {
        let single = |group: &&ArrayGroup| layer.replication == 1 && group.arrays() == 1 && may_share(config, group);
        let whole = |group: &&ArrayGroup| layer.plane(group.plane).is_some_and(|plane| plane.packed.is_none());
        let low = |group: &ArrayGroup| LowBlock {
            number: group.first_array,
            plane: group.plane,
            rows: group.rows,
            of_array: config.arch.plane(group.plane).array.rows,
        };
        let low = layer.groups.iter().filter(single).filter(whole).map(low).collect();
        Demand { blocks: layer.arrays_of_copies(), low, described: net.described(l) }
    };
    let demands: Vec<Demand> = layers.iter().enumerate().map(demand).collect();
    let (ground, tiles) = lay_out(&demands, config.arch.tile.arrays, config.mapping.placement);
    for (layer, mut ground) in layers.iter_mut().zip(ground) {
        for group in &mut layer.groups {
            group.shared = ground.arrays.remove(&group.first_array);
        }
        (layer.tiles, layer.shares) = (ground.tiles, ground.shares);
    }
    tiles
}

/// What a plane of a layer holds.
#[derive(Debug, Clone, Copy)]
enum Contents<'a> {
    /// All synapses of the layer.
    Everything,
    /// Those that are not probabilistic.
    Fixed(&'a Split),
    /// Those that are.
    Sampled(&'a Split),
}

/// Numbering of a plane's arrays: copy by copy, row block by row block.
struct Numbers {
    first_array: u32,
    per_replica: u32,
}

/// A plane of a layer, cut into arrays.
struct Cut<'a> {
    plane: Plane,
    contents: Contents<'a>,
    rows: u32,
    columns: u32,
    block_rows: u32,
    block_columns: u32,
    packed: Option<super::pack::PackedPlane>,
    /// Whether all that is stored is drawn.
    draws_all: bool,
}

impl<'a> Cut<'a> {
    /// None for a plane that holds nothing.
    fn new(
        config: &Config,
        rows: u32,
        columns: u32,
        plane: Plane,
        contents: Contents<'a>,
        choices: &Choices<'_>,
    ) -> Option<Self> {
        let arrays = config.arch.plane(plane);
        let (block_rows, block_columns) = (arrays.array.rows, arrays.synapse_columns());
        let packed = match (contents, choices.packing) {
            (Contents::Sampled(split), packing @ (Packing::Rows | Packing::Lists { .. })) => {
                Some(packed_plane(split, packing, block_columns, block_rows))
            }
            _ => None,
        };
        let lists = matches!(choices.packing, Packing::Lists { .. });
        let draws_all = config.arch.stochastic.draw_fixed_pairs && !lists;
        let cut = Self { plane, contents, rows, columns, block_rows, block_columns, packed, draws_all };
        (cut.weights() > 0).then_some(cut)
    }

    /// Row and column blocks of a plane that is not packed.
    fn blocks(&self) -> (u32, u32) {
        (self.rows.div_ceil(self.block_rows), self.columns.div_ceil(self.block_columns))
    }

    /// Arrays of one copy.
    fn arrays(&self) -> u64 {
        let (rows, columns) = self.blocks();
        let whole = || u64::from(rows) * u64::from(columns);
        self.packed.as_ref().map_or_else(whole, |packed| packed.arrays.len() as u64)
    }

    /// Synapses with a weight.
    fn weights(&self) -> u64 {
        let all = u64::from(self.rows) * u64::from(self.columns);
        match self.contents {
            Contents::Everything => all,
            Contents::Fixed(split) => all - split.probabilistic(),
            Contents::Sampled(split) => split.probabilistic(),
        }
    }

    /// Columns of a column block.
    fn block(&self, index: u32, size: u32, total: u32) -> Range<u32> {
        index * size..((index + 1) * size).min(total)
    }

    /// Synapses that an array of a whole plane draws; none where it draws all it has.
    fn drawn(&self, row_block: u32, column_block: u32) -> Option<u64> {
        let Contents::Sampled(split) = self.contents else { return None };
        if self.draws_all {
            return None;
        }
        let rows = self.block(row_block, self.block_rows, self.rows);
        Some(split.in_block(rows, self.block(column_block, self.block_columns, self.columns)))
    }

    fn mapping(self, banks: u32) -> PlaneMapping {
        let (row_blocks, column_blocks) = self.blocks();
        let rows = |block| self.block(block, self.block_rows, self.rows).len() as u32;
        let whole = u64::from(self.rows) * u64::from(self.columns);
        let draws_all = self.draws_all;
        let drawn = |array: &PackedArray| {
            if draws_all { u64::from(array.rows) * u64::from(array.columns) } else { array.probabilistic }
        };
        let mut mapping = PlaneMapping {
            plane: self.plane,
            tallest: (0..row_blocks).map(rows).collect(),
            column_blocks,
            arrays: self.arrays() as u32,
            slots: whole,
            weights: self.weights(),
            most_drawn: u64::from(rows(0)) * u64::from(self.block(0, self.block_columns, self.columns).len() as u32),
            packed: None,
            bank_loads: Vec::new(),
        };
        if let Some(packed) = self.packed {
            let slots = packed.arrays.iter().map(|array| u64::from(array.rows) * u64::from(array.columns)).sum();
            let most_drawn = packed.arrays.iter().map(drawn).max().unwrap_or(0);
            let bank_loads = packed.arrays.iter().map(|array| array.bank_loads(banks)).collect();
            let (tallest, column_blocks, packed) = (packed.tallest, packed.column_blocks, Some(packed.arrays));
            mapping = PlaneMapping { tallest, column_blocks, slots, most_drawn, packed, bank_loads, ..mapping };
        } else if matches!(self.contents, Contents::Sampled(_)) && !draws_all {
            let blocks = (0..row_blocks).flat_map(|row| (0..column_blocks).map(move |column| (row, column)));
            mapping.most_drawn = blocks.filter_map(|(row, column)| self.drawn(row, column)).max().unwrap_or(0);
        }
        mapping
    }

    /// Groups of arrays of the same size.
    fn groups(&self, replication: u32, numbers: &Numbers) -> Vec<ArrayGroup> {
        let mut groups = Vec::new();
        let mut add = |row_blocks: Range<u32>, column_blocks: Range<u32>, rows, columns, drawn: Option<Vec<u64>>| {
            groups.push(ArrayGroup {
                plane: self.plane,
                peers: row_blocks.len() as u32 * column_blocks.len() as u32,
                first_peer: 0,
                first_array: self.number(numbers, 0, row_blocks.start, column_blocks.start),
                row_blocks,
                column_blocks,
                replicas: 0..replication,
                rows,
                columns,
                drawn,
                first_member_only: false,
                shared: None,
            });
        };
        if let Some(packed) = &self.packed {
            let mut start = 0;
            for alike in packed.arrays.chunk_by(|a, b| (a.rows, a.columns) == (b.rows, b.columns)) {
                let end = start + alike.len() as u32;
                let drawn = (!self.draws_all).then(|| alike.iter().map(|array| array.probabilistic).collect());
                add(start..end, 0..1, alike[0].rows, alike[0].columns, drawn);
                start = end;
            }
            return groups;
        }
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
        let (row_blocks, column_blocks) = self.blocks();
        for (row_range, rows) in edges(self.rows, self.block_rows, row_blocks) {
            for (column_range, columns) in edges(self.columns, self.block_columns, column_blocks) {
                let arrays = row_range.clone().flat_map(|row| column_range.clone().map(move |column| (row, column)));
                let drawn = arrays.map(|(row, column)| self.drawn(row, column)).collect();
                add(row_range.clone(), column_range, rows, columns, drawn);
            }
        }
        groups
    }

    fn number(&self, numbers: &Numbers, replica: u32, row_block: u32, column_block: u32) -> u32 {
        let columns = if self.packed.is_some() { 1 } else { self.blocks().1 };
        numbers.first_array + replica * numbers.per_replica + row_block * columns + column_block
    }

    /// One group for each array of `group`.
    fn single_arrays(&self, group: &ArrayGroup, numbers: &Numbers) -> Vec<ArrayGroup> {
        let mut single = Vec::with_capacity(group.arrays() as usize);
        for replica in group.replicas.clone() {
            for row_block in group.row_blocks.clone() {
                for column_block in group.column_blocks.clone() {
                    let place = (row_block - group.row_blocks.start) * group.column_blocks.len() as u32
                        + (column_block - group.column_blocks.start);
                    single.push(ArrayGroup {
                        row_blocks: row_block..row_block + 1,
                        column_blocks: column_block..column_block + 1,
                        replicas: replica..replica + 1,
                        first_array: self.number(numbers, replica, row_block, column_block),
                        first_peer: place,
                        drawn: group.drawn.as_ref().map(|drawn| vec![drawn[place as usize]]),
                        ..group.clone()
                    });
                }
            }
        }
        single
    }
}
