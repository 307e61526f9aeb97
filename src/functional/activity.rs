//! How many rows each read drives: what the energy of reads depends on.

use crate::functional::input::Planes;
use crate::functional::model::FunctionalModel;
use std::ops::Range;

/// Driven rows of every read of some images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityTable {
    /// The images it is of.
    pub images: Range<usize>,
    /// One entry for each layer.
    pub layers: Vec<LayerActivity>,
}

/// Driven rows of every read of one layer.
///
/// Row blocks are runs of as many rows as an array has. A layer that all members share runs once, for member 0; its other
/// members' counts are 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerActivity {
    /// Ensemble members (T).
    pub members: usize,
    /// Output positions before pooling (P).
    pub positions: usize,
    /// Pulses of a position (B).
    pub pulses: usize,
    /// Row blocks (R).
    pub blocks: usize,
    /// `[image][member][position][pulse][block]`
    driven: Vec<u16>,
    /// `[image][member][position][block]`
    nonzero: Vec<u16>,
}

impl LayerActivity {
    /// Rows of a block that a pulse (lowest input bit first) drives with a 1. `image` counts from the table's first one.
    ///
    /// # Panics
    /// Panics if an index is out of range; its neighbours' counts may be returned when only the flat index is in range.
    #[must_use]
    pub fn driven(&self, image: usize, member: usize, position: usize, pulse: usize, block: usize) -> u16 {
        self.driven[(self.position_index(image, member, position) * self.pulses + pulse) * self.blocks + block]
    }

    /// Rows of a block whose input code is not 0: what a row-serial array steps through, less the rows it may skip.
    ///
    /// # Panics
    /// As [`driven`](Self::driven).
    #[must_use]
    pub fn nonzero(&self, image: usize, member: usize, position: usize, block: usize) -> u16 {
        self.nonzero[self.position_index(image, member, position) * self.blocks + block]
    }

    fn position_index(&self, image: usize, member: usize, position: usize) -> usize {
        (image * self.members + member) * self.positions + position
    }
}

impl ActivityTable {
    /// Counts of 0 for the reads of images `images`.
    pub(super) fn new(model: &FunctionalModel, images: Range<usize>) -> Self {
        let layers = model.layers.iter().map(|layer| {
            let (members, positions, blocks) = (model.members(), layer.positions, layer.blocks.count());
            let pulses = layer.input_bits as usize;
            let reads = images.len() * members * positions;
            LayerActivity {
                members,
                positions,
                pulses,
                blocks,
                driven: vec![0; reads * pulses * blocks],
                nonzero: vec![0; reads * blocks],
            }
        });
        Self { layers: layers.collect(), images }
    }

    /// Adds the images that follow its own.
    pub(super) fn append(&mut self, next: Self) {
        debug_assert_eq!(self.images.end, next.images.start);
        self.images.end = next.images.end;
        for (layer, next) in self.layers.iter_mut().zip(next.layers) {
            layer.driven.extend(next.driven);
            layer.nonzero.extend(next.nonzero);
        }
    }

    /// Takes down what drives the arrays of a layer at one output position.
    pub(super) fn count(&mut self, layer: usize, image: usize, member: usize, position: usize, planes: &Planes) {
        let layer = &mut self.layers[layer];
        let index = layer.position_index(image - self.images.start, member, position) * layer.blocks;
        for pulse in 0..layer.pulses {
            let start = index * layer.pulses + pulse * layer.blocks;
            layer.driven[start..start + layer.blocks].copy_from_slice(planes.driven(pulse));
        }
        for (count, nonzero) in layer.nonzero[index..].iter_mut().zip(planes.nonzero()) {
            *count = nonzero;
        }
    }
}

impl crate::parts::RowActivity for ActivityTable {
    fn driven(&self, layer: u32, image: u32, member: u32, position: u32, pulse: u32, row_block: u32) -> u32 {
        let [image, member, position] = [image, member, position].map(|i| i as usize);
        u32::from(self.layers[layer as usize].driven(image, member, position, pulse as usize, row_block as usize))
    }

    fn non_zero(&self, layer: u32, image: u32, member: u32, position: u32, row_block: u32) -> u32 {
        let [image, member, position] = [image, member, position].map(|i| i as usize);
        u32::from(self.layers[layer as usize].nonzero(image, member, position, row_block as usize))
    }
}
