//! How many rows each read drives: what the energy of reads depends on.

use crate::error::Error;
use crate::functional::input::Planes;
use crate::functional::model::FunctionalModel;
use crate::functional::pass::Observer;
use crate::workload::LoadedImages;
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
    /// When an index is out of range; its neighbours' counts may be returned when only the flat index is in range.
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

impl FunctionalModel {
    /// Runs images `range` and counts what drives the arrays.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn activity(&self, images: &LoadedImages, range: Range<usize>) -> Result<ActivityTable, Error> {
        self.check_images(images, &range)?;
        let layers = self.layers.iter().map(|layer| {
            let (members, positions, blocks) = (self.members(), layer.positions, layer.blocks.count());
            let pulses = layer.input_bits as usize;
            let reads = range.len() * members * positions;
            LayerActivity {
                members,
                positions,
                pulses,
                blocks,
                driven: vec![0; reads * pulses * blocks],
                nonzero: vec![0; reads * blocks],
            }
        });
        let mut table = ActivityTable { images: range.clone(), layers: layers.collect() };
        for image in range {
            self.observe(images, image, &mut table)?;
        }
        Ok(table)
    }
}

impl Observer for ActivityTable {
    const WATCHES_INPUTS: bool = true;

    fn driven(&mut self, layer: usize, image: usize, member: usize, position: usize, planes: &Planes) {
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
