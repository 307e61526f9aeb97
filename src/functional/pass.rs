//! One pass of an image through the network.

use crate::functional::direct::multiply_all;
use crate::functional::input::Planes;
use crate::functional::model::{Draws, FunctionalModel, Layer, PackedProduct, PlaneProduct, Weights};
use crate::functional::post::max_pool;
use crate::functional::product::{Scratch, Sums, multiply};
use crate::functional::registers::Generator;
use crate::functional::weights::BitMatrix;
use crate::random::{Purpose, StreamName};
use crate::workload::LayerInput;
use std::borrow::Cow;

/// Output positions from which on it pays to lay out weights anew for [`multiply_all`].
const DIRECT_POSITIONS: usize = 8;

/// Follows a pass; each method does nothing unless overridden.
pub trait Observer {
    /// Whether [`driven`](Self::driven) and [`inputs`](Self::inputs) are called. If so every layer is computed pulse by pulse, which takes longer.
    const WATCHES_INPUTS: bool = false;

    /// The accumulators of a layer before pooling, `[channel][position]`, in units of the layer's
    /// [`step`](FunctionalModel::step).
    fn accumulators(&mut self, layer: usize, image: usize, member: usize, accumulators: &[i32]) {
        let _ = (layer, image, member, accumulators);
    }

    /// What drives the arrays of the first plane of a layer at one output position.
    fn driven(&mut self, layer: usize, image: usize, member: usize, position: usize, planes: &Planes) {
        let _ = (layer, image, member, position, planes);
    }

    /// The same as codes, one for each row of the layer.
    fn inputs(&mut self, layer: usize, image: usize, member: usize, position: usize, window: &[u16]) {
        let _ = (layer, image, member, position, window);
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
        let (accumulators, clipped) = match layer.direct(member) {
            Some(weights) if !O::WATCHES_INPUTS => (layer.multiply_directly(weights, codes), 0),
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
        let (bits, signed) = (layer.input_bits, layer.input_signed);
        let mut products: Vec<Running<'_>> =
            layer.products.iter().map(|product| Running::new(self, index, product, image, member)).collect();
        let mut window = Vec::with_capacity(layer.rows);
        let mut scratch = Scratch::default();
        let mut sums = vec![0; layer.columns];
        let mut accumulators = vec![0; layer.columns * layer.positions];
        let mut clipped = 0;
        // The arrays of planes with equal row blocks are driven alike.
        let mut planes: Vec<Planes> = Vec::new();
        for product in &layer.products {
            if !planes.iter().any(|planes| planes.blocks() == product.blocks) {
                planes.push(Planes::new(product.blocks, bits, signed));
            }
        }
        for position in 0..layer.positions {
            layer.windows.gather(codes, position, &mut window);
            planes.iter_mut().for_each(|planes| planes.pack(&window));
            if O::WATCHES_INPUTS {
                observer.driven(index, image, member, position, &planes[0]);
                observer.inputs(index, image, member, position, &window);
            }
            for running in &mut products {
                running.draw(self, index, image, member, position);
                let driven = planes.iter().find(|planes| planes.blocks() == running.product.blocks);
                clipped += running.multiply(driven.expect("made above"), &window, &mut scratch, &mut sums);
                let maps = accumulators.chunks_exact_mut(layer.positions).zip(&sums);
                match running.product.scale {
                    None => maps.for_each(|(map, &sum)| map[position] += sum),
                    Some(scale) => {
                        maps.for_each(|(map, &sum)| map[position] += (f64::from(sum) * scale).round() as i32)
                    }
                }
            }
        }
        (accumulators, clipped)
    }

    /// Answers one image with all members: logits `[member][class]`. Adds each layer's conversions to `clipping`.
    ///
    /// Layers before the first ensembling one run once an image, for member 0.
    pub(super) fn answer(
        &self,
        image: usize,
        codes: &[u16],
        clipping: &mut [Clipping],
        observer: &mut impl Observer,
    ) -> Vec<f64> {
        let mut logits = Vec::with_capacity(self.members * self.classes());
        let mut maps: Vec<Vec<u16>> = vec![Vec::new(); self.layers.len()];
        for member in 0..self.members {
            let first = if member == 0 { 0 } else { self.first_ensembling };
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

/// A plane in a pass of its layer.
struct Running<'a> {
    product: &'a PlaneProduct,
    weights: Cow<'a, BitMatrix>,
    /// The weights of arrays with rows of their own, and what drives them.
    packed: Vec<(BitMatrix, Planes)>,
    generators: Vec<Generator>,
}

impl<'a> Running<'a> {
    fn new(model: &FunctionalModel, index: usize, product: &'a PlaneProduct, image: usize, member: usize) -> Self {
        let layer = &model.layers[index];
        let weights = match product.held(member) {
            Some(matrix) => Cow::Borrowed(matrix),
            None => Cow::Owned(BitMatrix::new(product.blocks, layer.columns)),
        };
        // Samples are numbered in the order in which one copy of the layer draws them.
        let first = ((image * model.members + member) * layer.positions) as u64;
        let generators = match &product.weights {
            Weights::PerPosition(Draws::Registers(draws)) => draws.start(first),
            _ => Vec::new(),
        };
        let of_array = |array: &PackedProduct| {
            let blocks = array.present.blocks();
            let planes = Planes::new(blocks, layer.input_bits, layer.input_signed);
            (BitMatrix::new(blocks, array.columns.len()), planes)
        };
        let packed = product.packed.iter().flatten().map(of_array).collect();
        let mut running = Self { product, weights, packed, generators };
        running.gather();
        running
    }

    /// Puts the weights of the plane's matrix into arrays with rows of their own.
    fn gather(&mut self) {
        for (array, (weights, _)) in self.product.packed.iter().flatten().zip(&mut self.packed) {
            let present = &self.weights;
            weights.gather(&array.rows, array.columns.clone(), |row, column| present.get(row as usize, column));
            let all = std::mem::replace(weights, BitMatrix::new(array.present.blocks(), 0));
            *weights = all.masked(&array.present);
        }
    }

    /// Draws the weights of a position, where each has its own.
    fn draw(&mut self, model: &FunctionalModel, index: usize, image: usize, member: usize, position: usize) {
        match &self.product.weights {
            Weights::PerPosition(Draws::Streams(distribution)) => {
                let name = StreamName {
                    layer: index as u32,
                    member: member as u32,
                    position: (image * model.layers[index].positions + position) as u64,
                    ..StreamName::new(Purpose::WeightSample)
                };
                distribution.draw(&mut name.open(model.seed), self.weights.to_mut());
            }
            Weights::PerPosition(Draws::Registers(draws)) => {
                draws.draw(&mut self.generators, self.weights.to_mut());
            }
            Weights::Shared(_) | Weights::PerMember(_) => return,
        }
        self.gather();
    }

    /// The sums of a position, one for each column, in units of the plane's step; how many conversions clipped.
    fn multiply(&mut self, driven: &Planes, window: &[u16], scratch: &mut Scratch, sums: &mut [i32]) -> u64 {
        let product = self.product;
        let Some(arrays) = &product.packed else {
            return multiply(&self.weights, product.present.as_ref(), driven, &product.sums, scratch, sums);
        };
        sums.fill(0);
        let (mut clipped, mut inputs) = (0, Vec::new());
        let mut of_array = Vec::new();
        for (array, (weights, planes)) in arrays.iter().zip(&mut self.packed) {
            inputs.clear();
            inputs.extend(array.rows.iter().map(|&row| window[row as usize]));
            planes.pack(&inputs);
            of_array.resize(array.columns.len(), 0);
            clipped += multiply(weights, Some(&array.present), planes, &product.sums, scratch, &mut of_array);
            sums[array.columns.clone()].iter_mut().zip(&of_array).for_each(|(sum, more)| *sum += more);
        }
        clipped
    }
}

impl PlaneProduct {
    /// The weights that a member holds for a whole pass; None where they are drawn at every position.
    fn held(&self, member: usize) -> Option<&BitMatrix> {
        match &self.weights {
            Weights::Shared(matrix) => Some(matrix),
            Weights::PerMember(matrices) => Some(&matrices[member]),
            Weights::PerPosition(_) => None,
        }
    }
}

impl Layer {
    /// The weights of a member where all positions can be multiplied at once, without pulses and row blocks.
    fn direct(&self, member: usize) -> Option<&BitMatrix> {
        let [product @ PlaneProduct { sums: Sums::Exact, present: None, .. }] = &self.products[..] else { return None };
        if self.positions >= DIRECT_POSITIONS { product.held(member) } else { None }
    }

    /// Accumulators `[channel][position]` by [`multiply_all`].
    fn multiply_directly(&self, weights: &BitMatrix, codes: &[u16]) -> Vec<i32> {
        multiply_all(weights, self.positions, self.input_bits, self.input_signed, |position, window| {
            self.windows.gather(codes, position, window);
        })
    }
}
