//! The network as the chip computes it: prepared once, then run for image after image.

use crate::config::{Adc, AdcInput, AdcRange, Config, Draws, Sampler, Samples, Scheme};
use crate::error::Error;
use crate::functional::adc::Converter;
use crate::functional::blocks::RowBlocks;
use crate::functional::input::{Planes, Windows};
use crate::functional::post::{Affine, CodeRange, max_pool};
use crate::functional::product::{Readout, multiply};
use crate::functional::weights::{BitMatrix, WeightDistribution};
use crate::random::{Purpose, StreamName};
use crate::workload::{LayerPosterior, LoadedPosterior, Net, NetLayer, Shape, Source};
use std::borrow::Cow;
use std::path::Path;

/// What of a configuration decides values.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionalSpec {
    /// Rows of an array, 1..=4096.
    pub array_rows: u32,
    /// Converter of deterministic and latched arrays.
    pub adc: Adc,
    /// How weights are drawn in the dense scheme.
    pub sampler: Sampler,
    /// Which synapses are sampled.
    pub scheme: Scheme,
    /// Ensemble members (T) of the dense scheme.
    pub members: u32,
    /// Where weight samples come from.
    pub samples: Samples,
    /// Master seed.
    pub seed: u64,
}

impl FunctionalSpec {
    /// What of `config` decides values.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            array_rows: config.arch.array.rows,
            adc: config.arch.adc.clone(),
            sampler: config.arch.sampler.clone(),
            scheme: config.mapping.scheme,
            members: config.ensemble.members,
            samples: config.ensemble.samples,
            seed: config.seed,
        }
    }
}

/// The weights of a layer.
#[derive(Debug, Clone)]
enum Weights {
    /// The same for all members.
    Shared(BitMatrix),
    /// One sample a member, held for whole passes and all images.
    PerMember(Vec<BitMatrix>),
    /// Drawn at every output position of every image.
    PerPosition(WeightDistribution),
}

/// A layer ready to run.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    source: Source,
    pub(super) columns: usize,
    pub(super) positions: usize,
    linear: Shape,
    pool: u32,
    windows: Windows,
    pub(super) blocks: RowBlocks,
    pub(super) input_bits: u32,
    input_signed: bool,
    weights: Weights,
    readout: Readout,
    conversions_per_position: u64,
    affine: Affine,
    /// None in the last layer.
    codes: Option<CodeRange>,
}

/// A network on a chip without device noise.
///
/// Weights are drawn once when the model is made (but for fresh draws at every position), from a stream named by layer
/// and member: a member's sample is the same for all images, and does not depend on the arrays.
#[derive(Debug, Clone)]
pub struct FunctionalModel {
    pub(super) input: Shape,
    pub(super) layers: Vec<Layer>,
    pub(super) members: usize,
    output: usize,
    seed: u64,
}

/// Follows a pass; each method does nothing unless overridden.
pub trait Observer {
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
    /// Conversions whose sum lay beyond the range.
    pub clipped: u64,
    /// All conversions.
    pub conversions: u64,
}

impl FunctionalModel {
    /// Prepares a network: draws or unpacks the weights, folds batch norm.
    ///
    /// # Errors
    /// [`Error::Input`] when the posterior holds too few stored samples; [`Error::Config`] when stored samples are asked
    /// for and there are none, when layers that read the same output expect different scales, when an accumulator could
    /// need more than 32 bits, or when a size that the configuration's check bounds is out of bounds.
    pub fn new(spec: &FunctionalSpec, net: &Net, posterior: &LoadedPosterior) -> Result<Self, Error> {
        check_sizes(spec, net)?;
        let members = match spec.scheme {
            Scheme::Dense => spec.members,
            Scheme::Deterministic => 1,
        };
        let mut layers = Vec::with_capacity(net.layers.len());
        for (index, (layer, posterior_of_layer)) in net.layers.iter().zip(&posterior.layers).enumerate() {
            let blocks = RowBlocks::new(layer.rows, spec.array_rows);
            let readout = readout(spec);
            let statistics = match spec.scheme {
                Scheme::Dense => &posterior_of_layer.sampled,
                Scheme::Deterministic => &posterior_of_layer.mode,
            };
            let (bn_eps, step, scale) = (posterior.bn_eps, readout.step(), posterior_of_layer.input_scale);
            let (affine, codes) = match output_scale(index, net, posterior)? {
                Some(output_scale) => (
                    Affine::hidden(statistics, bn_eps, step, scale, output_scale),
                    Some(CodeRange::new(layer.output_bits, layer.relu)),
                ),
                None => (Affine::logits(statistics, bn_eps, step, scale, posterior.kappa), None),
            };
            layers.push(Layer {
                source: layer.source,
                columns: layer.columns as usize,
                positions: layer.positions as usize,
                linear: layer.linear,
                pool: layer.pool,
                windows: Windows::new(layer),
                blocks,
                input_bits: layer.input_bits,
                input_signed: layer.input_signed,
                weights: weights(spec, index, layer, posterior, blocks)?,
                readout,
                conversions_per_position: conversions_per_position(spec, layer, blocks),
                affine,
                codes,
            });
        }
        Ok(Self { input: net.input, layers, members: members as usize, output: net.output, seed: spec.seed })
    }

    /// Ensemble members; 1 in the deterministic scheme.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.layers[self.output].columns
    }

    /// Cell currents in one unit of a layer's accumulators: 1 where the converter is exact.
    ///
    /// # Panics
    /// When there is no such layer.
    #[must_use]
    pub fn step(&self, layer: usize) -> f64 {
        self.layers[layer].readout.step()
    }

    /// Accumulators of one layer before pooling, `[channel][position]`, from its input codes `[channels][height][width]`
    /// (two's complement where signed). `image` names the stream of weights that are drawn at every position.
    ///
    /// # Panics
    /// When there is no such layer or member, or the codes are not as many as the layer reads.
    pub fn accumulate(
        &self,
        layer: usize,
        image: usize,
        member: usize,
        codes: &[u16],
        observer: &mut impl Observer,
    ) -> (Vec<i32>, Clipping) {
        let index = layer;
        let layer = &self.layers[index];
        let mut planes = Planes::new(layer.blocks, layer.input_bits, layer.input_signed);
        let mut window = Vec::with_capacity(layer.blocks.rows());
        let mut counts = vec![0; layer.columns];
        let mut column_sums = vec![0; layer.columns];
        let mut accumulators = vec![0; layer.columns * layer.positions];
        let mut weights = match &layer.weights {
            Weights::Shared(matrix) => Cow::Borrowed(matrix),
            Weights::PerMember(matrices) => Cow::Borrowed(&matrices[member]),
            Weights::PerPosition(_) => Cow::Owned(BitMatrix::new(layer.blocks, layer.columns)),
        };
        let mut clipped = 0;
        for position in 0..layer.positions {
            layer.windows.gather(codes, position, &mut window);
            planes.pack(&window);
            observer.driven(index, image, member, position, &planes);
            if let Weights::PerPosition(distribution) = &layer.weights {
                let name = StreamName {
                    layer: index as u32,
                    member: member as u32,
                    position: (image * layer.positions + position) as u64,
                    ..StreamName::new(Purpose::WeightSample)
                };
                distribution.draw(&mut name.open(self.seed), weights.to_mut());
            }
            clipped += multiply(&weights, &planes, &layer.readout, &mut counts, &mut column_sums);
            for (map, &sum) in accumulators.chunks_exact_mut(layer.positions).zip(&column_sums) {
                map[position] = sum;
            }
        }
        observer.accumulators(index, image, member, &accumulators);
        (accumulators, Clipping { clipped, conversions: layer.conversions_per_position * layer.positions as u64 })
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
                    Source::Input => codes,
                    Source::Layer(source) => &maps[source],
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

/// Refuses sizes that would not fit the numbers used here. The configuration's own check says the same with places.
fn check_sizes(spec: &FunctionalSpec, net: &Net) -> Result<(), Error> {
    let refuse = |what: String| Err(Error::Config(what));
    if !(1..=4096).contains(&spec.array_rows) {
        return refuse(format!("arch.array.rows is {}; expected 1..=4096", spec.array_rows));
    }
    if !(1..=16).contains(&spec.adc.bits) {
        return refuse(format!("arch.adc.bits is {}; expected 1..=16", spec.adc.bits));
    }
    if let AdcRange::Fixed(range) = spec.adc.range
        && (range.is_nan() || range <= 0.0)
    {
        return refuse(format!("arch.adc.range is {range}; expected a positive number of cell currents"));
    }
    if let Sampler::Generator { probability_bits, .. } = spec.sampler
        && !(1..=16).contains(&probability_bits)
    {
        return refuse(format!("arch.sampler.probability_bits is {probability_bits}; expected 1..=16"));
    }
    if spec.members == 0 {
        return refuse("ensemble.members is 0; expected at least 1".to_owned());
    }
    for layer in &net.layers {
        for (what, bits) in [("input", layer.input_bits), ("activation", layer.output_bits)] {
            if !(1..=16).contains(&bits) {
                return refuse(format!("layer {} has {bits} {what} bits; expected 1..=16", layer.name));
            }
        }
        if u64::from(layer.rows) << layer.input_bits > i32::MAX as u64 {
            return refuse(format!(
                "the accumulators of layer {} would need more than 32 bits: {} rows of {}-bit codes",
                layer.name, layer.rows, layer.input_bits
            ));
        }
    }
    Ok(())
}

/// How the arrays are read: comparators count exactly, everything else goes through the converter.
fn readout(spec: &FunctionalSpec) -> Readout {
    if compares(spec) {
        return Readout::Exact;
    }
    let converter = Converter::new(&spec.adc, spec.array_rows);
    if converter.is_exact() { Readout::Exact } else { Readout::Converted(converter) }
}

/// Whether arrays are read row by row with comparators, without a converter.
fn compares(spec: &FunctionalSpec) -> bool {
    spec.scheme == Scheme::Dense && matches!(spec.sampler, Sampler::Comparator { .. })
}

/// Conversions of all arrays at one output position.
fn conversions_per_position(spec: &FunctionalSpec, layer: &NetLayer, blocks: RowBlocks) -> u64 {
    if compares(spec) {
        return 0;
    }
    let per_column = match spec.adc.input {
        AdcInput::Pair => 1,
        AdcInput::Column => 2,
    };
    u64::from(layer.columns) * per_column * u64::from(layer.input_bits) * blocks.count() as u64
}

/// Scale of the codes that layer `index` puts out: the input scale of the layers that read it; None for the last layer.
fn output_scale(index: usize, net: &Net, posterior: &LoadedPosterior) -> Result<Option<f32>, Error> {
    let mut scale = None;
    for consumer in net.consumers(index) {
        let expected = posterior.layers[consumer].input_scale;
        match scale {
            None => scale = Some((consumer, expected)),
            Some((first, scale)) if scale != expected => {
                return Err(Error::Config(format!(
                    "layers {} and {} read the output of {} at different input scales: {scale} and {expected}",
                    net.layers[first].name, net.layers[consumer].name, net.layers[index].name
                )));
            }
            Some(_) => {}
        }
    }
    Ok(scale.map(|(_, scale)| scale))
}

/// The weights of layer `index` for all members.
fn weights(
    spec: &FunctionalSpec,
    index: usize,
    layer: &NetLayer,
    posterior: &LoadedPosterior,
    blocks: RowBlocks,
) -> Result<Weights, Error> {
    let columns = layer.columns as usize;
    let of_layer = &posterior.layers[index];
    if spec.scheme == Scheme::Deterministic {
        return Ok(Weights::Shared(BitMatrix::mode(of_layer, blocks, columns)));
    }
    if spec.samples == Samples::Stored {
        return stored_weights(spec, layer, of_layer, &posterior.path, blocks).map(Weights::PerMember);
    }
    let (bits, draws) = match spec.sampler {
        Sampler::Generator { probability_bits, draws, .. } => (probability_bits, draws),
        Sampler::Comparator { .. } => (32, Draws::PerPosition),
    };
    let distribution = WeightDistribution::new(of_layer, blocks.rows(), bits);
    if draws == Draws::PerPosition {
        return Ok(Weights::PerPosition(distribution));
    }
    let members = (0..spec.members).map(|member| {
        let name = StreamName { layer: index as u32, member, ..StreamName::new(Purpose::WeightSample) };
        let mut matrix = BitMatrix::new(blocks, columns);
        distribution.draw(&mut name.open(spec.seed), &mut matrix);
        matrix
    });
    Ok(Weights::PerMember(members.collect()))
}

/// Stored samples, one for each member.
fn stored_weights(
    spec: &FunctionalSpec,
    layer: &NetLayer,
    posterior: &LayerPosterior,
    path: &Path,
    blocks: RowBlocks,
) -> Result<Vec<BitMatrix>, Error> {
    let members = spec.members as usize;
    let input_error = |message: String| Error::Input { path: path.to_owned(), message };
    let Some(samples) = &posterior.samples else {
        if path.as_os_str().is_empty() {
            return Err(Error::Config(
                "ensemble.samples is Stored; a synthetic posterior stores none, so expected Drawn".to_owned(),
            ));
        }
        return Err(input_error(format!(
            "there is no tensor \"{}.w_samples_packed\"; ensemble.samples = Stored reads its weight samples",
            layer.tensors
        )));
    };
    if samples.members < members {
        return Err(input_error(format!(
            "tensor \"{}.w_samples_packed\" holds {} weight samples; {members} members need as many",
            layer.tensors, samples.members
        )));
    }
    let columns = layer.columns as usize;
    Ok((0..members).map(|member| BitMatrix::stored(&samples.member(member), blocks, columns)).collect())
}
