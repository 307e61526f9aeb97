//! One pass of an image through the network.

use crate::functional::direct::multiply_all;
use crate::functional::input::Planes;
use crate::functional::model::{Draws, FunctionalModel, Layer, Weights};
use crate::functional::post::max_pool;
use crate::functional::product::{Sums, multiply};
use crate::functional::weights::BitMatrix;
use crate::random::{Purpose, StreamName};
use crate::workload::LayerInput;
use std::borrow::Cow;

/// Output positions from which on it pays to lay out weights anew for [`multiply_all`].
const DIRECT_POSITIONS: usize = 8;

/// Follows a pass; each method does nothing unless overridden.
pub trait Observer {
    /// Whether [`driven`](Self::driven) is called. If so every layer is computed pulse by pulse, which takes longer.
    const WATCHES_INPUTS: bool = false;

    /// The accumulators of a layer before pooling, `[channel][position]`, in units of the layer's
    /// [`step`](FunctionalModel::step).
    fn accumulators(&mut self, layer: usize, image: usize, member: usize, accumulators: &[i32]) {
        let _ = (layer, image, member, accumulators);
    }

    /// What drives the arrays of a layer at one output position.
    fn driven(&mut self, layer: usize, image: usize, member: usize, position: usize, planes: &Planes) {
        let _ = (layer, image, member, position, planes);
    }
}

/// Watches nothing.
impl Observer for () {}

/// Conversions of a layer, and how many of them clipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clipping {
    pub clipped: u64,
    pub conversions: u64,
}

impl FunctionalModel {
    /// Accumulators of one layer before pooling, `[channel][position]`, from its input codes `[channels][height][width]`
    /// (two's complement where signed). `image` names the stream of weights that are drawn at every position.
    ///
    /// # Panics
    /// Panics if there is no such layer or member, or the codes are not as many as the layer reads.
    pub fn accumulate<O: Observer>(
        &self,
        layer: usize,
        image: usize,
        member: usize,
        codes: &[u16],
        observer: &mut O,
    ) -> (Vec<i32>, Clipping) {
        let index = layer;
        let layer = &self.layers[index];
        let (accumulators, clipped) = match layer.held(member) {
            Some(weights) if layer.takes_direct_path() && !O::WATCHES_INPUTS => {
                (layer.multiply_directly(weights, codes), 0)
            }
            _ => self.multiply_serially(index, image, member, codes, observer),
        };
        observer.accumulators(index, image, member, &accumulators);
        (accumulators, Clipping { clipped, conversions: layer.conversions_per_position * layer.positions as u64 })
    }

    /// Accumulators of one layer, pulse by pulse and row block by row block, and how many conversions clipped.
    fn multiply_serially<O: Observer>(
        &self,
        index: usize,
        image: usize,
        member: usize,
        codes: &[u16],
        observer: &mut O,
    ) -> (Vec<i32>, u64) {
        let layer = &self.layers[index];
        let mut planes = Planes::new(layer.blocks, layer.input_bits, layer.input_signed);
        let mut window = Vec::with_capacity(layer.blocks.rows());
        let mut counts = vec![0; layer.columns];
        let mut column_sums = vec![0; layer.columns];
        let mut accumulators = vec![0; layer.columns * layer.positions];
        let mut weights = match layer.held(member) {
            Some(matrix) => Cow::Borrowed(matrix),
            None => Cow::Owned(BitMatrix::new(layer.blocks, layer.columns)),
        };
        // Samples are numbered in the order in which one copy of the layer draws them.
        let first = ((image * self.members + member) * layer.positions) as u64;
        let mut generators = match &layer.weights {
            Weights::PerPosition(Draws::Registers(draws)) => draws.start(first),
            _ => Vec::new(),
        };
        let mut clipped = 0;
        for position in 0..layer.positions {
            layer.windows.gather(codes, position, &mut window);
            planes.pack(&window);
            if O::WATCHES_INPUTS {
                observer.driven(index, image, member, position, &planes);
            }
            match &layer.weights {
                Weights::PerPosition(Draws::Streams(distribution)) => {
                    let name = StreamName {
                        layer: index as u32,
                        member: member as u32,
                        position: (image * layer.positions + position) as u64,
                        ..StreamName::new(Purpose::WeightSample)
                    };
                    distribution.draw(&mut name.open(self.seed), weights.to_mut());
                }
                Weights::PerPosition(Draws::Registers(draws)) => draws.draw(&mut generators, weights.to_mut()),
                Weights::Shared(_) | Weights::PerMember(_) => {}
            }
            clipped += multiply(&weights, &planes, &layer.sums, &mut counts, &mut column_sums);
            for (map, &sum) in accumulators.chunks_exact_mut(layer.positions).zip(&column_sums) {
                map[position] = sum;
            }
        }
        (accumulators, clipped)
    }

    /// Answers one image with all members: logits `[member][class]`. Adds each layer's conversions to `clipping`.
    ///
    /// Leading layers whose weights all members share run once an image, for member 0.
    pub(super) fn answer(
        &self,
        image: usize,
        codes: &[u16],
        clipping: &mut [Clipping],
        observer: &mut impl Observer,
    ) -> Vec<f64> {
        let sampled = |layer: &Layer| !matches!(layer.weights, Weights::Shared(_));
        let first_sampled = self.layers.iter().position(sampled).unwrap_or(self.layers.len());
        let mut logits = Vec::with_capacity(self.members * self.classes());
        let mut maps: Vec<Vec<u16>> = vec![Vec::new(); self.layers.len()];
        for member in 0..self.members {
            let first = if member == 0 { 0 } else { first_sampled };
            for (index, layer) in self.layers.iter().enumerate().skip(first) {
                let input = match layer.source {
                    LayerInput::Input => codes,
                    LayerInput::Layer(source) => &maps[source],
                };
                let (accumulators, counted) = self.accumulate(index, image, member, input, observer);
                clipping[index].clipped += counted.clipped;
                clipping[index].conversions += counted.conversions;
                let pooled = max_pool(&accumulators, layer.linear, layer.pool);
                let normalised = layer.affine.apply(&pooled);
                match layer.codes {
                    Some(codes) => maps[index] = normalised.map(|value| codes.code(value)).collect(),
                    None => logits.extend(normalised),
                }
            }
        }
        logits
    }
}

impl Layer {
    /// The weights that a member holds for a whole pass; None where they are drawn at every position.
    fn held(&self, member: usize) -> Option<&BitMatrix> {
        match &self.weights {
            Weights::Shared(matrix) => Some(matrix),
            Weights::PerMember(matrices) => Some(&matrices[member]),
            Weights::PerPosition(_) => None,
        }
    }

    /// Whether all positions are multiplied at once, without pulses and row blocks.
    fn takes_direct_path(&self) -> bool {
        matches!(self.sums, Sums::Exact) && self.positions >= DIRECT_POSITIONS
    }

    /// Accumulators `[channel][position]` by [`multiply_all`].
    fn multiply_directly(&self, weights: &BitMatrix, codes: &[u16]) -> Vec<i32> {
        multiply_all(weights, self.positions, self.input_bits, self.input_signed, |position, window| {
            self.windows.gather(codes, position, window);
        })
    }
}
