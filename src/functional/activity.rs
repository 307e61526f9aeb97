//! How many rows each read drives, and at which levels: what the energy of reads depends on.

use crate::functional::blocks::RowBlocks;
use crate::functional::model::{FunctionalModel, Layer, RowSets};
use crate::mapping::{EMPTY, PackedArray, Plane};
use crate::parts::{At, RowActivity};
use std::ops::Range;
use std::sync::Arc;

/// Driven rows of every read of some images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityTable {
    /// The images it is of.
    pub images: Range<usize>,
    /// For each layer one entry for each of its planes, the deterministic one first.
    pub layers: Vec<Vec<LayerActivity>>,
}

/// Driven rows of every read of one plane of a layer.
///
/// Row blocks are runs of as many rows as an array has; of a packed plane they are its arrays. A layer that all members share runs once, for member 0; its other
/// members' counts are 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerActivity {
    /// The plane.
    pub plane: Plane,
    /// Ensemble members (T).
    pub members: usize,
    /// Output positions before pooling (P).
    pub positions: usize,
    /// Pulses of a position: digits of an input code.
    pub pulses: usize,
    /// Row blocks (R).
    pub blocks: usize,
    /// Of each pulse the lowest bit, and the levels it can take.
    digits: Vec<(u32, u16)>,
    rows: Rows,
    /// `[image][member][position][pulse][block]`
    driven: Vec<u16>,
    /// The same; empty where all levels are 0 or 1.
    squares: Vec<u32>,
    /// `[image][member][position][block]`
    nonzero: Vec<u16>,
}

impl LayerActivity {
    /// Rows of a block that a pulse (lowest input bits first) drives. `image` counts from the table's first one.
    ///
    /// # Panics
    /// Panics if an index is out of range; its neighbours' counts may be returned when only the flat index is in range.
    #[must_use]
    pub fn driven(&self, image: usize, member: usize, position: usize, pulse: usize, block: usize) -> u16 {
        self.driven[self.read_index(image, member, position, pulse, block)]
    }

    /// Squares of the levels at which that pulse drives the rows of the block, added up.
    ///
    /// # Panics
    /// As [`driven`](Self::driven).
    #[must_use]
    pub fn squares(&self, image: usize, member: usize, position: usize, pulse: usize, block: usize) -> u32 {
        let index = self.read_index(image, member, position, pulse, block);
        if self.squares.is_empty() { self.driven[index].into() } else { self.squares[index] }
    }

    /// Rows of a block whose input code is not 0: what a row-serial array steps through, less the rows it may skip.
    ///
    /// # Panics
    /// As [`driven`](Self::driven).
    #[must_use]
    pub fn nonzero(&self, image: usize, member: usize, position: usize, block: usize) -> u16 {
        self.nonzero[self.position_index(image, member, position) * self.blocks + block]
    }

    fn read_index(&self, image: usize, member: usize, position: usize, pulse: usize, block: usize) -> usize {
        (self.position_index(image, member, position) * self.pulses + pulse) * self.blocks + block
    }

    fn position_index(&self, image: usize, member: usize, position: usize) -> usize {
        (image * self.members + member) * self.positions + position
    }
}

impl ActivityTable {
    /// Counts of 0 for the reads of images `images`.
    pub(super) fn new(model: &FunctionalModel, images: Range<usize>) -> Self {
        let of_plane = |layer: &Layer, plane: Plane, rows: &RowSets| {
            let digits = layer.digits;
            let digit = |bits: Range<u32>| (bits.start, u16::MAX >> (16 - bits.len()));
            let (members, positions, pulses) = (model.members(), layer.positions, digits.pulses() as usize);
            let rows = match rows {
                RowSets::Blocks(blocks) => Rows::Blocks(*blocks),
                RowSets::Packed(arrays) => Rows::Packed(Arc::clone(arrays)),
            };
            let blocks = rows.count();
            let reads = images.len() * members * positions;
            LayerActivity {
                plane,
                members,
                positions,
                pulses,
                blocks,
                digits: (0..digits.pulses()).map(|pulse| digits.of_pulse(pulse)).map(digit).collect(),
                rows,
                driven: vec![0; reads * pulses * blocks],
                squares: if digits.highest_level() > 1 { vec![0; reads * pulses * blocks] } else { Vec::new() },
                nonzero: vec![0; reads * blocks],
            }
        };
        let of_layer =
            |layer: &Layer| layer.row_sets.iter().map(|(plane, rows)| of_plane(layer, *plane, rows)).collect();
        Self { layers: model.layers.iter().map(of_layer).collect(), images }
    }

    /// Adds the images that follow its own.
    pub(super) fn append(&mut self, next: Self) {
        debug_assert_eq!(self.images.end, next.images.start);
        self.images.end = next.images.end;
        for (layer, next) in self.layers.iter_mut().flatten().zip(next.layers.into_iter().flatten()) {
            layer.driven.extend(next.driven);
            layer.squares.extend(next.squares);
            layer.nonzero.extend(next.nonzero);
        }
    }

    /// Takes down what drives the arrays of a layer at one output position: the codes of its rows.
    pub(super) fn count(&mut self, layer: usize, image: usize, member: usize, position: usize, window: &[u16]) {
        let image = image - self.images.start;
        for plane in &mut self.layers[layer] {
            let index = plane.position_index(image, member, position) * plane.blocks;
            let (driven, squares, nonzero) = (&mut plane.driven, &mut plane.squares, &mut plane.nonzero);
            let mut add = |block: usize, code: u16| {
                for (pulse, &(first, levels)) in plane.digits.iter().enumerate() {
                    let index = index * plane.pulses + pulse * plane.blocks + block;
                    let level = code >> first & levels;
                    driven[index] += u16::from(level != 0);
                    if let Some(squares) = squares.get_mut(index) {
                        *squares += u32::from(level) * u32::from(level);
                    }
                }
            };
            match &plane.rows {
                Rows::Blocks(blocks) => {
                    for block in 0..plane.blocks {
                        let codes = &window[blocks.block(block)];
                        codes.iter().for_each(|&code| add(block, code));
                        nonzero[index + block] = codes.iter().filter(|&&code| code != 0).count() as u16;
                    }
                }
                Rows::Packed(arrays) => {
                    for (block, array) in arrays.iter().enumerate() {
                        let code = |&input: &u32| if input == EMPTY { 0 } else { window[input as usize] };
                        let mut rows = 0;
                        // A row of lists has an input for each of its cells: it is driven if any of them is not 0.
                        for inputs in array.inputs.chunks(array.inputs.len() / array.rows as usize) {
                            let any = inputs.iter().map(code).fold(0, |any, code| any | code);
                            add(block, any);
                            rows += u16::from(any != 0);
                        }
                        nonzero[index + block] = rows;
                    }
                }
            }
        }
    }
}

/// The rows of a plane's arrays.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rows {
    /// Those of row blocks.
    Blocks(RowBlocks),
    /// Of each array its own.
    Packed(Arc<Vec<PackedArray>>),
}

impl Rows {
    fn count(&self) -> usize {
        match self {
            Rows::Blocks(blocks) => blocks.count(),
            Rows::Packed(arrays) => arrays.len(),
        }
    }
}

impl ActivityTable {
    /// The counts of a plane.
    ///
    /// # Panics
    /// Panics if the layer has no such plane.
    fn of(&self, at: At) -> &LayerActivity {
        let plane = self.layers[at.layer as usize].iter().find(|of| of.plane == at.plane);
        plane.expect("counts of each plane that is simulated")
    }
}

impl RowActivity for ActivityTable {
    fn driven(&self, at: At, pulse: u32, row_block: u32) -> u32 {
        let [image, member, position] = [at.image, at.member, at.position].map(|i| i as usize);
        u32::from(self.of(at).driven(image, member, position, pulse as usize, row_block as usize))
    }

    fn squares(&self, at: At, pulse: u32, row_block: u32) -> u32 {
        let [image, member, position] = [at.image, at.member, at.position].map(|i| i as usize);
        self.of(at).squares(image, member, position, pulse as usize, row_block as usize)
    }

    fn non_zero(&self, at: At, row_block: u32) -> u32 {
        let [image, member, position] = [at.image, at.member, at.position].map(|i| i as usize);
        u32::from(self.of(at).nonzero(image, member, position, row_block as usize))
    }
}
