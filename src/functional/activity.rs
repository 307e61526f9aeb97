//! How many rows each read drives, at which levels, and the weights on them: what the energy of reads depends on.

use crate::functional::model::{FunctionalModel, Layer};
use crate::functional::rows::{PlaneRows, RowSets};
use crate::mapping::{EMPTY, Plane};
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
    rows: PlaneRows,
    /// Column blocks whose weights are counted apart (C); 0 where all places of the plane hold weights.
    column_blocks: usize,
    /// `[image][member][position][pulse][block]`
    driven: Vec<u16>,
    /// The same; empty where all levels are 0 or 1.
    squares: Vec<u32>,
    /// `[image][member][position][block]`
    nonzero: Vec<u16>,
    /// `[image][member][position][pulse][block][column block]`
    weights: Vec<u64>,
    /// `[image][member][position][block][column block]`
    weights_of_nonzero: Vec<u32>,
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

    /// Weights on the rows that a pulse drives, in the columns of a column block, each times the square of its row's level.
    ///
    /// # Panics
    /// As [`driven`](Self::driven), and where all places of the plane hold weights.
    #[must_use]
    pub fn weights(
        &self,
        image: usize,
        member: usize,
        position: usize,
        pulse: usize,
        block: usize,
        column_block: usize,
    ) -> u64 {
        self.weights[self.read_index(image, member, position, pulse, block) * self.column_blocks + column_block]
    }

    /// Weights on the rows whose input code is not 0, in the columns of a column block.
    ///
    /// # Panics
    /// As [`weights`](Self::weights).
    #[must_use]
    pub fn weights_of_nonzero(
        &self,
        image: usize,
        member: usize,
        position: usize,
        block: usize,
        column_block: usize,
    ) -> u32 {
        let index = self.position_index(image, member, position) * self.blocks + block;
        self.weights_of_nonzero[index * self.column_blocks + column_block]
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
        let of_plane = |layer: &Layer, rows: &PlaneRows| {
            let digits = layer.digits;
            let digit = |bits: Range<u32>| (bits.start, u16::MAX >> (16 - bits.len()));
            let (members, positions, pulses) = (model.members(), layer.positions, digits.pulses() as usize);
            let blocks = rows.sets.count();
            let column_blocks = rows.weights.as_ref().map_or(0, |weights| weights.column_blocks);
            let reads = images.len() * members * positions;
            LayerActivity {
                plane: rows.plane,
                members,
                positions,
                pulses,
                blocks,
                digits: (0..digits.pulses()).map(|pulse| digits.of_pulse(pulse)).map(digit).collect(),
                rows: rows.clone(),
                column_blocks,
                driven: vec![0; reads * pulses * blocks],
                squares: if digits.highest_level() > 1 { vec![0; reads * pulses * blocks] } else { Vec::new() },
                nonzero: vec![0; reads * blocks],
                weights: vec![0; reads * pulses * blocks * column_blocks],
                weights_of_nonzero: vec![0; reads * blocks * column_blocks],
            }
        };
        let of_layer = |layer: &Arc<Layer>| layer.row_sets.iter().map(|rows| of_plane(layer, rows)).collect();
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
            layer.weights.extend(next.weights);
            layer.weights_of_nonzero.extend(next.weights_of_nonzero);
        }
    }

    /// Takes down what drives the arrays of a layer at one output position: the codes of its rows.
    pub(super) fn count(&mut self, layer: usize, image: usize, member: usize, position: usize, window: &[u16]) {
        let image = image - self.images.start;
        for plane in &mut self.layers[layer] {
            let index = plane.position_index(image, member, position) * plane.blocks;
            let (driven, squares, nonzero) = (&mut plane.driven, &mut plane.squares, &mut plane.nonzero);
            let (of_pulses, of_nonzero) = (&mut plane.weights, &mut plane.weights_of_nonzero);
            let column_blocks = plane.column_blocks;
            // A row of a block, by its place among all rows of the plane.
            let mut add = |block: usize, row: usize, code: u16| {
                if code == 0 {
                    return;
                }
                nonzero[index + block] += 1;
                let weights = plane.rows.weights.as_ref().map_or(&[][..], |weights| weights.of(row));
                let of_block = of_nonzero[(index + block) * column_blocks..].iter_mut();
                of_block.zip(weights).for_each(|(sum, &weights)| *sum += weights);
                for (pulse, &(first, levels)) in plane.digits.iter().enumerate() {
                    let level = code >> first & levels;
                    if level == 0 {
                        continue;
                    }
                    let index = index * plane.pulses + pulse * plane.blocks + block;
                    driven[index] += 1;
                    let square = u32::from(level) * u32::from(level);
                    if let Some(squares) = squares.get_mut(index) {
                        *squares += square;
                    }
                    let of_pulse = of_pulses[index * column_blocks..].iter_mut();
                    of_pulse.zip(weights).for_each(|(sum, &weights)| *sum += u64::from(square) * u64::from(weights));
                }
            };
            match &plane.rows.sets {
                RowSets::Blocks(blocks) => {
                    for block in 0..plane.blocks {
                        blocks.block(block).for_each(|row| add(block, row, window[row]));
                    }
                }
                RowSets::Packed(arrays) => {
                    let code = |&input: &u32| if input == EMPTY { 0 } else { window[input as usize] };
                    // A row of lists has an input for each of its cells: it is driven if any of them is not 0.
                    let codes = |inputs: &[u32]| inputs.iter().map(code).fold(0, |any, code| any | code);
                    let rows = arrays
                        .iter()
                        .enumerate()
                        .flat_map(|(block, array)| array.inputs_of_rows().map(move |inputs| (block, inputs)));
                    rows.enumerate().for_each(|(row, (block, inputs))| add(block, row, codes(inputs)));
                }
            }
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

    fn weights(&self, at: At, pulse: u32, row_block: u32, column_block: u32) -> u64 {
        let [image, member, position] = [at.image, at.member, at.position].map(|i| i as usize);
        let [pulse, row_block, column_block] = [pulse, row_block, column_block].map(|i| i as usize);
        self.of(at).weights(image, member, position, pulse, row_block, column_block)
    }

    fn weights_of_non_zero(&self, at: At, row_block: u32, column_block: u32) -> u64 {
        let [image, member, position] = [at.image, at.member, at.position].map(|i| i as usize);
        self.of(at).weights_of_nonzero(image, member, position, row_block as usize, column_block as usize).into()
    }
}
