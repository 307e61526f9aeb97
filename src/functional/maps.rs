//! Codes that the layers of a network put out for some images, layer by layer.

use crate::functional::model::FunctionalModel;
use crate::parallel::in_order;
use crate::workload::{LayerInput, LoadedImages, Net};

/// Codes that layers read: of each member that they run for, and each image.
pub(super) struct Maps<'a> {
    net: &'a Net,
    images: &'a LoadedImages,
    /// Passes of an image through each layer: one, or one a member.
    passes: Vec<usize>,
    /// What each layer puts out, member by member, image by image; empty once no later layer reads it.
    maps: Vec<Vec<Vec<u16>>>,
}

impl<'a> Maps<'a> {
    /// Of so many members, whose passes part at the layer `first_ensembling`. No layer has run yet.
    pub(super) fn new(net: &'a Net, images: &'a LoadedImages, members: usize, first_ensembling: usize) -> Self {
        let passes = (0..net.layers.len()).map(|layer| if layer < first_ensembling { 1 } else { members });
        Self { net, images, passes: passes.collect(), maps: Vec::new() }
    }

    /// Bytes of the codes of the layer that puts out most of them.
    pub(super) fn bytes(&self) -> u128 {
        let passes = self.net.layers.iter().zip(&self.passes);
        let bytes = passes.map(|(layer, &passes)| u128::from(layer.output.len()) * 2 * passes as u128);
        bytes.max().unwrap_or(0) * self.images.len() as u128
    }

    /// Number of images.
    pub(super) fn images(&self) -> usize {
        self.images.len()
    }

    /// What `of` makes of each pass through a layer, given image, member and input: member by member, image by image. Only the
    /// first `images` images.
    pub(super) fn each<T: Send>(
        &self,
        layer: usize,
        images: usize,
        threads: usize,
        of: &(dyn Fn(usize, usize, &[u16]) -> T + Sync),
    ) -> Vec<T> {
        let input = |member: usize, image: usize| -> &[u16] {
            match self.net.layers[layer].source {
                LayerInput::Input => self.images.codes(image),
                LayerInput::Layer(source) => {
                    &self.maps[source][member.min(self.passes[source] - 1) * self.images.len() + image]
                }
            }
        };
        in_order(0..self.passes[layer] * images, threads, &|job| {
            let (member, image) = (job / images, job % images);
            of(image, member, input(member, image))
        })
    }

    /// Takes what the next layer puts out, and forgets what no later layer reads.
    pub(super) fn push(&mut self, codes: Vec<Vec<u16>>) {
        let layer = self.maps.len();
        self.maps.push(codes);
        for (source, map) in self.maps.iter_mut().enumerate() {
            if self.net.consumers(source).all(|consumer| consumer <= layer) {
                *map = Vec::new();
            }
        }
    }

    /// Runs the next layer of a model.
    pub(super) fn run(&mut self, model: &FunctionalModel, threads: usize) {
        let layer = self.maps.len();
        let codes = self
            .each(layer, self.images.len(), threads, &|image, member, input| model.codes(layer, image, member, input));
        self.push(codes);
    }
}
