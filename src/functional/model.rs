//! The network as the chip computes it, made ready to run: weights drawn or unpacked, batch norm folded.

use crate::config::{Adc, AdcInput, AdcRange, Config, Draws as DrawTime, RandomSource, Sampler, Samples, Scheme};
use crate::error::Error;
use crate::functional::blocks::RowBlocks;
use crate::functional::input::Windows;
use crate::functional::post::{Affine, CodeRange};
use crate::functional::product::Sums;
use crate::functional::registers::{RegisterDraws, Registers};
use crate::functional::weights::{BitMatrix, WeightDistribution};
use crate::mapping::Plane;
use crate::random::{Purpose, StreamName};
use crate::readout::Readout;
use crate::workload::{LayerInput, LayerPosterior, LoadedPosterior, Net, NetLayer, Shape};
use std::path::Path;

/// What of a configuration decides values.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionalSpec {
    /// Rows of an array, 1..=4096.
    pub array_rows: u32,
    /// Synapse columns of an array, at least 1.
    pub array_columns: u32,
    /// Converter of the arrays; none where they are read without rounding.
    pub adc: Option<Adc>,
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
            array_columns: config.arch.array.columns / config.arch.array.cells_per_synapse,
            adc: Readout::new(&config.arch, Plane::of(config.mapping.scheme)).adc.cloned(),
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
pub(super) enum Weights {
    /// The same for all members.
    Shared(BitMatrix),
    /// One sample a member, held for whole passes and all images.
    PerMember(Vec<BitMatrix>),
    /// Drawn at every output position of every image.
    PerPosition(Draws),
}

/// What weights are drawn from.
#[derive(Debug, Clone)]
pub(super) enum Draws {
    /// Independent bits.
    Streams(WeightDistribution),
    /// The sequences of shift registers.
    Registers(RegisterDraws),
}

/// A layer ready to run.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) source: LayerInput,
    pub(super) columns: usize,
    pub(super) positions: usize,
    pub(super) linear: Shape,
    pub(super) pool: u32,
    pub(super) windows: Windows,
    pub(super) blocks: RowBlocks,
    pub(super) input_bits: u32,
    pub(super) input_signed: bool,
    pub(super) weights: Weights,
    pub(super) sums: Sums,
    pub(super) conversions_per_position: u64,
    pub(super) affine: Affine,
    /// None in the last layer.
    pub(super) codes: Option<CodeRange>,
}

/// A network on a chip without device noise.
///
/// Weights are drawn once when the model is made (but for fresh draws at every position): a member's sample is the same
/// for all images. Drawn from shift registers it depends on the size of the arrays, else on layer and member alone.
#[derive(Debug, Clone)]
pub struct FunctionalModel {
    pub(super) input: Shape,
    pub(super) layers: Vec<Layer>,
    pub(super) members: usize,
    pub(super) output: usize,
    pub(super) seed: u64,
}

impl FunctionalModel {
    /// Prepares a network: draws or unpacks the weights, folds batch norm.
    ///
    /// # Errors
    /// Returns [`Error::Input`] if the posterior holds too few stored samples; [`Error::Config`] if stored samples are asked
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
            let sums = Sums::new(spec.adc.as_ref(), blocks);
            check_accumulators(&layer.name, &sums, layer.input_bits, blocks)?;
            let statistics = match spec.scheme {
                Scheme::Dense => &posterior_of_layer.sampled,
                Scheme::Deterministic => &posterior_of_layer.mode,
            };
            let (bn_eps, step, scale) = (posterior.bn_eps, sums.step(), posterior_of_layer.input_scale);
            let learned = &posterior_of_layer.learned;
            let (affine, codes) = match output_scale(index, net, posterior)? {
                Some(output_scale) => (
                    Affine::hidden(statistics, learned, bn_eps, step, scale, output_scale),
                    Some(CodeRange::new(layer.output_bits, layer.relu)),
                ),
                None => (Affine::logits(statistics, learned, bn_eps, step, scale, posterior.kappa), None),
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
                sums,
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
    /// Panics if there is no such layer.
    #[must_use]
    pub fn step(&self, layer: usize) -> f64 {
        self.layers[layer].sums.step()
    }
}

/// Refuses sizes that would not fit the numbers used here. The configuration's own check says the same with places.
fn check_sizes(spec: &FunctionalSpec, net: &Net) -> Result<(), Error> {
    let refuse = |what: String| Err(Error::Config(what));
    if !(1..=4096).contains(&spec.array_rows) {
        return refuse(format!("arch.array.rows is {}; expected 1..=4096", spec.array_rows));
    }
    if let Some(adc) = &spec.adc
        && !(1..=16).contains(&adc.bits)
    {
        return refuse(format!("arch.adc.bits is {}; expected 1..=16", adc.bits));
    }
    if let Some(Adc { range: AdcRange::Fixed(range), .. }) = spec.adc
        && (range.is_nan() || range <= 0.0)
    {
        return refuse(format!("arch.adc.range is {range}; expected a positive number of cell currents"));
    }
    if let Sampler::Generator { probability_bits, .. } = spec.sampler
        && !(1..=16).contains(&probability_bits)
    {
        return refuse(format!("arch.sampler.probability_bits is {probability_bits}; expected 1..=16"));
    }
    if spec.array_columns == 0 {
        return refuse("arch.array.columns holds no synapse".to_owned());
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

/// Refuses a converter whose codes, added up over pulses and row blocks, could need more than 32 bits.
fn check_accumulators(layer: &str, sums: &Sums, input_bits: u32, blocks: RowBlocks) -> Result<(), Error> {
    let Sums::Quantised(quantiser) = sums else { return Ok(()) };
    // A column's result is the difference of two codes, each of them at most this large and not negative.
    if (u64::from(quantiser.largest_code()) * blocks.count() as u64) << input_bits > i32::MAX as u64 {
        return Err(Error::Config(format!(
            "the accumulators of layer {layer} would need more than 32 bits: {} row blocks of codes up to {} by \
             {input_bits}-bit inputs; expected a wider arch.adc.range or fewer arch.adc.bits",
            blocks.count(),
            quantiser.largest_code()
        )));
    }
    Ok(())
}

/// Conversions of all arrays at one output position.
fn conversions_per_position(spec: &FunctionalSpec, layer: &NetLayer, blocks: RowBlocks) -> u64 {
    let per_column = match &spec.adc {
        None => return 0,
        Some(Adc { input: AdcInput::Pair, .. }) => 1,
        Some(Adc { input: AdcInput::Column, .. }) => 2,
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
    let new = || BitMatrix::new(blocks, columns);
    match &spec.sampler {
        Sampler::Generator {
            source: RandomSource::Lfsr { bits, taps, registers },
            bits_per_cycle,
            probability_bits,
            draws,
            ..
        } => {
            let registers = Registers {
                bits: *bits,
                taps: taps.clone(),
                number: *registers,
                bits_per_cycle: *bits_per_cycle,
                draw_bits: *probability_bits,
            };
            let array_columns = spec.array_columns as usize;
            let distribution = RegisterDraws::new(registers, of_layer, index, blocks, array_columns, spec.seed);
            if *draws == DrawTime::PerPosition {
                return Ok(Weights::PerPosition(Draws::Registers(distribution)));
            }
            let mut generators = distribution.start(0);
            let members = (0..spec.members).map(|_| {
                let mut matrix = new();
                distribution.draw(&mut generators, &mut matrix);
                matrix
            });
            Ok(Weights::PerMember(members.collect()))
        }
        Sampler::Generator { probability_bits, draws: DrawTime::PerMember, .. } => {
            let distribution = WeightDistribution::new(of_layer, blocks.rows(), *probability_bits);
            let members = (0..spec.members).map(|member| {
                let name = StreamName { layer: index as u32, member, ..StreamName::new(Purpose::WeightSample) };
                let mut matrix = new();
                distribution.draw(&mut name.open(spec.seed), &mut matrix);
                matrix
            });
            Ok(Weights::PerMember(members.collect()))
        }
        Sampler::Generator { probability_bits: bits, .. } => Ok(per_position(of_layer, blocks, *bits)),
        Sampler::Comparator { .. } => Ok(per_position(of_layer, blocks, 32)),
    }
}

/// Weights of independent bits, p held to `bits` bits, drawn at every position.
fn per_position(posterior: &LayerPosterior, blocks: RowBlocks, bits: u32) -> Weights {
    Weights::PerPosition(Draws::Streams(WeightDistribution::new(posterior, blocks.rows(), bits)))
}

/// Stored samples, one for each member.
fn stored_weights(
    spec: &FunctionalSpec,
    layer: &NetLayer,
    posterior: &LayerPosterior,
    path: &Path,
    blocks: RowBlocks,
) -> Result<Vec<BitMatrix>, Error> {
    let samples = posterior.stored(&layer.tensors, spec.members, path)?;
    let columns = layer.columns as usize;
    Ok((0..spec.members as usize).map(|member| BitMatrix::stored(&samples.member(member), blocks, columns)).collect())
}
