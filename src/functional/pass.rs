//! One pass of an image through the network.

use crate::functional::adc::Quantiser;
use crate::functional::devices::{self, CellPlane, PlaneLines, Reads};
use crate::functional::input::Planes;
use crate::functional::kernels::Instructions;
use crate::functional::lanes::{self, Positions};
use crate::functional::model::{
    ByNoise, Draws, FunctionalModel, LaidOut, Layer, PackedProduct, PlaneProduct, Present, Together, Weights,
};
use crate::functional::post::{Codes, max_pool};
use crate::functional::product::{Sums, multiply};
use crate::functional::registers::Generator;
use crate::functional::weights::BitMatrix;
use crate::random::{Purpose, StreamName};
use crate::workload::LayerInput;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// Follows a pass; each method does nothing unless overridden.
pub trait Observer {
    /// Whether [`driven`](Self::driven) and [`inputs`](Self::inputs) are called. If so windows are collected for them, which
    /// takes longer.
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

/// Output positions of planes of real cells that are computed together.
const POSITIONS_AT_ONCE: usize = 64;

/// Conversions of a plane of a layer, and how many of them lay beyond the range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clipping {
    pub clipped: u64,
    pub conversions: u64,
}

/// Those of both planes of a layer, in the order of `Plane::ALL`.
pub type LayerClipping = [Clipping; 2];

impl Clipping {
    /// That of both planes together.
    #[must_use]
    pub fn of_layer(planes: &LayerClipping) -> Self {
        planes.iter().fold(Self::default(), |mut sum, plane| {
            sum.add(*plane);
            sum
        })
    }

    /// Counts further conversions.
    pub fn add(&mut self, further: Self) {
        self.clipped += further.clipped;
        self.conversions += further.conversions;
    }

    /// Share of conversions that clipped; 0 without any.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.conversions == 0 { 0.0 } else { self.clipped as f64 / self.conversions as f64 }
    }
}

/// Counts the conversions of further passes, layer by layer.
pub(super) fn add_clipping(sums: &mut [LayerClipping], further: &[LayerClipping]) {
    for (sum, further) in sums.as_flattened_mut().iter_mut().zip(further.as_flattened()) {
        sum.add(*further);
    }
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
    ) -> (Vec<i32>, LayerClipping) {
        let index = layer;
        let layer = &self.layers[index];
        if O::WATCHES_INPUTS {
            let mut planes = Planes::new(layer.products[0].blocks, layer.input_bits, layer.input_signed);
            let mut window = Vec::with_capacity(layer.rows);
            for position in 0..layer.positions {
                layer.windows.gather(codes, position, &mut window);
                planes.pack(&window);
                observer.driven(index, image, member, position, &planes);
                observer.inputs(index, image, member, position, &window);
            }
        }
        let mut accumulators = vec![0; layer.columns * layer.positions];
        let mut clipped = [0; 2];
        self.multiply_serially(index, image, member, codes, &mut accumulators, &mut clipped);
        for product in &layer.products {
            if let (Some(how), Some(LaidOut::Together(weights))) = (product.together, product.held(member)) {
                clipped[product.plane as usize] +=
                    layer.multiply_together(self.instructions, product, how, weights, codes, &mut accumulators);
            }
        }
        self.multiply_cells(index, image, member, codes, &mut accumulators, &mut clipped);
        observer.accumulators(index, image, member, &accumulators);
        let of_plane = |plane: usize| {
            let conversions = layer.conversions_per_position[plane] * layer.positions as u64;
            Clipping { clipped: clipped[plane], conversions }
        };
        (accumulators, [0, 1].map(of_plane))
    }

    /// What a layer puts out for a pass, from its input codes; nothing of the last layer, which puts out logits.
    pub(super) fn codes(&self, index: usize, image: usize, member: usize, input: &[u16]) -> Vec<u16> {
        let layer = &self.layers[index];
        let (accumulators, _) = self.accumulate(index, image, member, input, &mut ());
        let pooled = max_pool(&accumulators, layer.linear, layer.pool);
        let codes = |range| Codes { affine: layer.affine(member), range, accumulators: &pooled };
        layer.codes.map_or_else(Vec::new, |range| self.instructions.run(codes(range)))
    }

    /// Adds the products of the planes that are read position by position, and how many of each plane's conversions clipped.
    fn multiply_serially(
        &self,
        index: usize,
        image: usize,
        member: usize,
        codes: &[u16],
        accumulators: &mut [i32],
        clipped: &mut [u64; 2],
    ) {
        let layer = &self.layers[index];
        let (bits, signed) = (layer.input_bits, layer.input_signed);
        let serial = layer
            .products
            .iter()
            .filter(|product| product.together.is_none() && self.at_once(layer, product, member).is_none());
        let mut products: Vec<Running<'_>> =
            serial.map(|product| Running::new(self, index, product, image, member)).collect();
        if products.is_empty() {
            return;
        }
        let mut window = Vec::with_capacity(layer.rows);
        let mut sums = vec![0; layer.columns];
        // The arrays of planes with equal row blocks are driven alike.
        let mut planes: Vec<Planes> = Vec::new();
        for Running { product, .. } in &products {
            let by_bits = product.packed.is_none() && product.cells.is_none();
            if by_bits && !planes.iter().any(|planes| planes.blocks() == product.blocks) {
                planes.push(Planes::new(product.blocks, bits, signed));
            }
        }
        for position in 0..layer.positions {
            layer.windows.gather(codes, position, &mut window);
            planes.iter_mut().for_each(|planes| planes.pack(&window));
            for running in &mut products {
                running.draw(self, index, image, member, position);
                let time = running.time(position, layer.positions);
                let at = devices::At { member, position: (image * layer.positions + position) as u64, time };
                clipped[running.product.plane as usize] +=
                    running.multiply(self.instructions, &planes, &window, at, &mut sums);
                let maps = accumulators.chunks_exact_mut(layer.positions).zip(&sums);
                maps.for_each(|(map, &sum)| map[position] += running.product.scaled(sum));
            }
        }
    }

    /// What reads of a plane of real cells find, where those of many positions are computed together.
    fn at_once<'a>(
        &self,
        layer: &Layer,
        product: &'a PlaneProduct,
        member: usize,
    ) -> Option<(&'a CellPlane, &'a PlaneLines, &'a Quantiser)> {
        let (Some(cells), Sums::Quantised(quantiser)) = (&product.cells, &product.sums) else { return None };
        match cells.lines(member, None)? {
            Cow::Borrowed(lines) if cells.at_once(self.instructions, layer.positions) => {
                Some((cells, lines, quantiser))
            }
            _ => None,
        }
    }

    /// Adds the products of the planes of real cells whose reads are computed together, and how many of each plane's
    /// conversions clipped.
    fn multiply_cells(
        &self,
        index: usize,
        image: usize,
        member: usize,
        codes: &[u16],
        accumulators: &mut [i32],
        clipped: &mut [u64; 2],
    ) {
        let layer = &self.layers[index];
        let (mut windows, mut window) = (Vec::new(), Vec::with_capacity(layer.rows));
        for product in &layer.products {
            let Some((cells, lines, quantiser)) = self.at_once(layer, product, member) else { continue };
            let mut sums = vec![0; POSITIONS_AT_ONCE.min(layer.positions) * layer.columns];
            for first in (0..layer.positions).step_by(POSITIONS_AT_ONCE) {
                let number = POSITIONS_AT_ONCE.min(layer.positions - first);
                let position = (image * layer.positions + first) as u64;
                windows.clear();
                for position in first..first + number {
                    layer.windows.gather(codes, position, &mut window);
                    windows.extend_from_slice(&window);
                }
                let (rows, sums) = (layer.rows, &mut sums[..number * layer.columns]);
                let windows = &windows;
                let plane = Reads { cells, lines, quantiser, member, first: position, windows, rows, sums };
                clipped[product.plane as usize] += self.instructions.run(plane);
                for (at, sums) in sums.chunks_exact(layer.columns).enumerate() {
                    let maps = accumulators.chunks_exact_mut(layer.positions).zip(sums);
                    maps.for_each(|(map, &sum)| map[first + at] += product.scaled(sum));
                }
            }
        }
    }

    /// Answers one image with all members: logits `[member][class]`. Adds each layer's conversions to `clipping`.
    ///
    /// Layers before the first ensembling one run once an image, for member 0.
    pub(super) fn answer(
        &self,
        image: usize,
        codes: &[u16],
        clipping: &mut [LayerClipping],
        observer: &mut impl Observer,
    ) -> Vec<f64> {
        let mut pass = Pass::new(self, 0);
        for member in 0..self.members {
            pass.run(image, codes, member, &[], clipping, observer);
        }
        pass.logits
    }

    /// The same of this model and of others with as many members, model by model, with the conversions of their layers. First
    /// layers that another one holds together with this one are run once.
    pub(super) fn answer_together(
        &self,
        others: &[&FunctionalModel],
        image: usize,
        codes: &[u16],
    ) -> Vec<(Vec<f64>, Vec<LayerClipping>)> {
        let in_common = |other: &FunctionalModel| {
            let pairs = self.layers.iter().zip(&other.layers);
            pairs.take_while(|(own, other)| Arc::ptr_eq(own, other)).count()
        };
        let mut own = Pass::new(self, 0);
        let none = || vec![LayerClipping::default(); self.layers.len()];
        let mut passes: Vec<_> = others.iter().map(|other| (Pass::new(other, in_common(other)), none())).collect();
        let mut of_own = none();
        for member in 0..self.members {
            own.run(image, codes, member, &[], &mut of_own, &mut ());
            for (pass, clipping) in &mut passes {
                pass.run(image, codes, member, &own.maps, clipping, &mut ());
            }
        }
        let own = own.logits;
        let of_other = |(pass, mut clipping): (Pass<'_>, Vec<LayerClipping>)| {
            clipping[..pass.from].copy_from_slice(&of_own[..pass.from]);
            // A model that has all layers in common answers alike.
            let logits = if pass.from == pass.model.layers.len() { own.clone() } else { pass.logits };
            (logits, clipping)
        };
        let others: Vec<_> = passes.into_iter().map(of_other).collect();
        std::iter::once((own, of_own)).chain(others).collect()
    }
}

/// A pass of an image through the layers of a model that no other one has run for it.
struct Pass<'a> {
    model: &'a FunctionalModel,
    /// Its first layer.
    from: usize,
    /// Codes that each of its layers put out last.
    maps: Vec<Vec<u16>>,
    /// `[member][class]`.
    logits: Vec<f64>,
}

impl<'a> Pass<'a> {
    fn new(model: &'a FunctionalModel, from: usize) -> Self {
        let logits = Vec::with_capacity(model.members * model.classes());
        Self { model, from, maps: vec![Vec::new(); model.layers.len()], logits }
    }

    /// Runs a member, after those before it; `before` holds what the layers before the first one put out for it.
    fn run(
        &mut self,
        image: usize,
        codes: &[u16],
        member: usize,
        before: &[Vec<u16>],
        clipping: &mut [LayerClipping],
        observer: &mut impl Observer,
    ) {
        let model = self.model;
        let first = if member == 0 { self.from } else { self.from.max(model.first_ensembling) };
        for (index, layer) in model.layers.iter().enumerate().skip(first) {
            let input = match layer.source {
                LayerInput::Input => codes,
                LayerInput::Layer(source) if source < self.from => &before[source],
                LayerInput::Layer(source) => &self.maps[source],
            };
            let (accumulators, counted) = model.accumulate(index, image, member, input, observer);
            add_clipping(&mut clipping[index..=index], &[counted]);
            let pooled = max_pool(&accumulators, layer.linear, layer.pool);
            let affine = layer.affine(member);
            match layer.codes {
                Some(range) => {
                    self.maps[index] = model.instructions.run(Codes { affine, range, accumulators: &pooled });
                }
                None => self.logits.extend(affine.apply(&pooled)),
            }
        }
    }
}

/// A plane in a pass of its layer.
struct Running<'a> {
    product: &'a PlaneProduct,
    weights: Cow<'a, LaidOut>,
    /// What weights are drawn into, where each position has its own.
    drawn: BitMatrix,
    generators: Vec<Generator>,
    /// What drives each array with rows of its own.
    packed: Vec<Planes>,
    /// What reads of real memory cells find.
    lines: Option<Cow<'a, PlaneLines>>,
    scratch: devices::Scratch,
    /// Seconds of the pass's first and last read, where they matter.
    reads: [f64; 2],
    /// Read noise that comparators draw from, where it follows the times of reads.
    noise: Option<devices::Noise>,
}

impl<'a> Running<'a> {
    fn new(model: &FunctionalModel, index: usize, product: &'a PlaneProduct, image: usize, member: usize) -> Self {
        let layer = &model.layers[index];
        let (weights, drawn) = match product.held(member) {
            Some(sample) => (Cow::Borrowed(sample), BitMatrix::new(product.blocks, 0)),
            None => {
                let drawn = BitMatrix::new(product.blocks, layer.columns);
                (Cow::Owned(product.lay_out(drawn.clone())), drawn)
            }
        };
        // Samples are numbered in the order in which one copy of the layer draws them.
        let first = ((image * model.members + member) * layer.positions) as u64;
        let generators = match &product.weights {
            Weights::PerPosition(Draws::Registers(draws)) => draws.start(first),
            _ => Vec::new(),
        };
        let planes = |array: &PackedProduct| Planes::new(array.present.blocks(), layer.input_bits, layer.input_signed);
        let packed = product.packed.iter().flatten().map(planes).collect();
        let (lines, scratch) = (product.lines(member, None), devices::Scratch::new(model.instructions));
        let plane = product.plane;
        let reads = model.times.as_ref().map_or([0.0; 2], |times| times.of_pass(index, plane, image, member));
        let noise = match &product.weights {
            Weights::PerPosition(Draws::Comparators(draws)) => match &draws.how {
                ByNoise::OneOverF(comparators) => comparators.noise(member),
                ByNoise::White(_) => None,
            },
            _ => None,
        };
        Self { product, weights, drawn, generators, packed, lines, scratch, reads, noise }
    }

    /// Seconds at which a position is read first.
    fn time(&self, position: usize, positions: usize) -> f64 {
        let [first, last] = self.reads;
        first + (last - first) * position as f64 / positions as f64
    }

    /// Draws the weights of a position, where each has its own.
    fn draw(&mut self, model: &FunctionalModel, index: usize, image: usize, member: usize, position: usize) {
        let Weights::PerPosition(draws) = &self.product.weights else { return };
        let positions = model.layers[index].positions;
        let times = [position, position + 1].map(|position| self.time(position, positions));
        let stream = || {
            let name = StreamName {
                layer: index as u32,
                member: member as u32,
                position: (image * positions + position) as u64,
                ..StreamName::new(Purpose::WeightSample)
            };
            name.open(model.seed)
        };
        match draws {
            Draws::Streams(distribution) => distribution.draw(&mut stream(), &mut self.drawn),
            Draws::Comparators(draws) => match (&draws.how, &mut self.noise) {
                (ByNoise::OneOverF(comparators), Some(noise)) => comparators.draw(noise, times, &mut self.drawn),
                (ByNoise::White(of), _) => of[member.min(of.len() - 1)].draw(&mut stream(), &mut self.drawn),
                (ByNoise::OneOverF(_), None) => unreachable!("noise is there where it follows the times of reads"),
            },
            Draws::Registers(draws) => draws.draw(&mut self.generators, &mut self.drawn),
        }
        match self.weights.to_mut() {
            LaidOut::Serial(tiles) => tiles.take(&self.drawn),
            LaidOut::Cells => self.lines = self.product.lines(member, Some(&self.drawn)),
            laid_out => *laid_out = self.product.lay_out(self.drawn.clone()),
        }
    }

    /// The sums of a position, one for each column, in units of the plane's step; how many conversions clipped.
    fn multiply(
        &mut self,
        instructions: Instructions,
        driven: &[Planes],
        window: &[u16],
        at: devices::At,
        sums: &mut [i32],
    ) -> u64 {
        let product = self.product;
        match &*self.weights {
            LaidOut::Cells => {
                let (Some(cells), Some(lines), Sums::Quantised(quantiser)) =
                    (&product.cells, &self.lines, &product.sums)
                else {
                    unreachable!("cells are read by converters, after what latches hold is drawn")
                };
                cells.multiply(lines, quantiser, at, window, &mut self.scratch, sums)
            }
            LaidOut::Together(_) => unreachable!("such planes are multiplied apart"),
            LaidOut::Serial(tiles) => {
                let driven = driven.iter().find(|planes| planes.blocks() == product.blocks).expect("made before");
                multiply(
                    instructions,
                    tiles,
                    product.present.as_ref().and_then(Present::tiles),
                    driven,
                    &product.sums,
                    sums,
                )
            }
            LaidOut::Packed(arrays) => {
                sums.fill(0);
                let (mut clipped, mut inputs, mut of_array) = (0, Vec::new(), Vec::new());
                let packed = product.packed.iter().flatten().zip(arrays).zip(&mut self.packed);
                for ((array, tiles), planes) in packed {
                    inputs.clear();
                    inputs.extend(array.rows.iter().map(|&row| window[row as usize]));
                    planes.pack(&inputs);
                    of_array.resize(array.columns.len(), 0);
                    clipped +=
                        multiply(instructions, tiles, Some(&array.present), planes, &product.sums, &mut of_array);
                    sums[array.columns.clone()].iter_mut().zip(&of_array).for_each(|(sum, more)| *sum += more);
                }
                clipped
            }
        }
    }
}

impl PlaneProduct {
    /// What a member's reads of real cells find, where there are any; `drawn` are the weights of a position that has its own.
    fn lines(&self, member: usize, drawn: Option<&BitMatrix>) -> Option<Cow<'_, PlaneLines>> {
        self.cells.as_ref()?.lines(member, drawn)
    }

    /// The weights that a member holds for a whole pass; None where they are drawn at every position.
    fn held(&self, member: usize) -> Option<&LaidOut> {
        match &self.weights {
            Weights::Shared(sample) => Some(sample),
            Weights::PerMember(samples) => Some(&samples[member]),
            Weights::PerPosition(_) => None,
        }
    }

    /// A sum in units of the layer's accumulators.
    fn scaled(&self, sum: i32) -> i32 {
        self.scale.map_or(sum, |scale| (f64::from(sum) * scale).round() as i32)
    }
}

impl Layer {
    /// Adds the product of a plane at all positions; returns how many conversions clipped.
    fn multiply_together(
        &self,
        instructions: Instructions,
        product: &PlaneProduct,
        how: Together,
        weights: &[BitMatrix],
        codes: &[u16],
        accumulators: &mut [i32],
    ) -> u64 {
        // An exact product has no use for the bits of two's complement codes.
        let shift = match how {
            Together::Exactly if self.input_signed => 1 << (self.input_bits - 1),
            _ => 0,
        };
        let mask = u16::MAX >> (16 - self.input_bits);
        let map = self.windows.pad(codes, self.positions, |code| (code.wrapping_add(shift) & mask) as u8);
        let mut scaled = product.scale.map(|_| vec![0; accumulators.len()]);
        let sums = scaled.as_deref_mut().unwrap_or(&mut *accumulators);
        let add = |positions: Positions<'_>, sums: &mut [i32]| match how {
            Together::Exactly => {
                lanes::add_exactly(instructions, positions, self.input_bits, shift.into(), sums);
                0
            }
            // Slower with AVX-512, as measured: `cargo bench --bench values`.
            Together::Converted(converted) => lanes::add_converted(instructions.narrower(), positions, converted, sums),
        };
        let clipped = match &product.packed {
            None => weights.iter().fold(0, |clipped, weights| {
                let present = product.present.as_ref().and_then(Present::matrix);
                clipped + add(Positions { map: &map, rows: &map.rows, weights, present }, sums)
            }),
            Some(arrays) => arrays.iter().zip(weights).fold(0, |clipped, (array, weights)| {
                let rows: Vec<usize> = array.rows.iter().map(|&row| map.rows[row as usize]).collect();
                let columns = array.columns.start * self.positions..array.columns.end * self.positions;
                let positions = Positions { map: &map, rows: &rows, weights, present: Some(&array.mask) };
                clipped + add(positions, &mut sums[columns])
            }),
        };
        if let Some(scaled) = scaled {
            accumulators.iter_mut().zip(scaled).for_each(|(sum, more)| *sum += product.scaled(more));
        }
        clipped
    }
}
