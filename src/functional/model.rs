//! The network as the chip computes it, made ready to run: weights drawn or unpacked, batch norm folded.

use crate::config::{
    Adc, AdcInput, AdcRange, Chip, Compensation, Config, Conversions, Device, Draws as DrawTime, Execution, Packing,
    Plane, RandomSource, ReadNoise, Sampler, Samples, Scheme,
};
use crate::device::one_over_f::Ladder;
use crate::error::Error;
use crate::functional::adc::{Quantiser, largest_current, top_code};
use crate::functional::blocks::RowBlocks;
use crate::functional::devices::{CellPlane, Circuit, Comparators, Latches, Place, Setting, Synapses};
use crate::functional::input::Windows;
use crate::functional::kernels::Instructions;
use crate::functional::lanes::{self, Converted};
use crate::functional::post::{Affine, CodeRange};
use crate::functional::product::Sums;
use crate::functional::realised::{MembersApart, Realised};
use crate::functional::registers::{RegisterDraws, Registers};
use crate::functional::rows::{PlaneRows, RowSets, RowWeights};
use crate::functional::tiles::Tiles;
use crate::functional::times::ReadTimes;
use crate::functional::weights::{BitMatrix, WeightDistribution};
use crate::mapping::pack::packed_plane;
use crate::mapping::{PackedArray, Split, first_ensembling_layer};
use crate::random::{Purpose, StreamName};
use crate::readout::{Digits, Readout};
use crate::units::Conductance;
use crate::workload::{
    BatchNorm, LayerInput, LayerPosterior, LoadedPosterior, MemberStatistics, Net, NetLayer, Shape, Statistics,
    StatisticsKey,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::Arc;

/// What of the arrays of a plane decides values.
#[derive(Debug, Clone, PartialEq)]
pub struct ArraySpec {
    /// Rows of an array, 1..=4096.
    pub rows: u32,
    /// Synapse columns of an array, at least 1.
    pub columns: u32,
    /// Converter of the arrays; none where they are read without rounding.
    pub adc: Option<Adc>,
}

impl ArraySpec {
    fn of(chip: &Chip, plane: Plane) -> Self {
        let readout = Readout::new(chip, plane);
        let (rows, columns) = (readout.arrays.array.rows, readout.arrays.synapse_columns());
        Self { rows, columns, adc: readout.adc }
    }
}

/// The memory cells of a chip, and how many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryCells {
    /// What they are.
    pub device: Device,
    /// Conductances that on and off cells are programmed to, microsiemens.
    pub targets: [f64; 2],
    /// Whether each member has arrays of its own from the first ensembling layer on.
    pub spatial: bool,
}

impl MemoryCells {
    fn of(config: &Config) -> Self {
        let array = &config.arch.array;
        Self {
            device: config.arch.device.clone(),
            targets: [array.conductance_on, array.conductance_off].map(Conductance::microsiemens),
            spatial: config.ensemble.execution == Execution::Spatial,
        }
    }

    /// Whether values depend on when arrays are read.
    #[must_use]
    pub fn needs_times(&self) -> bool {
        self.device.read_noise == ReadNoise::OneOverF && !self.device.has_ideal_cells()
    }
}

impl Default for MemoryCells {
    /// Ideal cells.
    fn default() -> Self {
        Self { device: Device::default(), targets: [25.0, 0.0], spatial: false }
    }
}

/// Ranges of the converters of both planes of a layer, in the order of [`Plane::ALL`], in cell currents of rows at level 1.
pub type LayerRanges = [Option<u32>; 2];

/// What of a configuration decides values.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionalSpec {
    /// Arrays of deterministic planes.
    pub deterministic: ArraySpec,
    /// Arrays of stochastic planes.
    pub stochastic: ArraySpec,
    /// Input bits that a pulse carries where arrays are read by converters (n).
    pub bits_per_pulse: u32,
    /// How weights are drawn in stochastic planes.
    pub sampler: Sampler,
    /// Memory cells.
    pub cells: MemoryCells,
    /// Which synapses are sampled.
    pub scheme: Scheme,
    /// Ensemble members (T); the deterministic scheme has one.
    pub members: u32,
    /// Where weight samples come from.
    pub samples: Samples,
    /// When arrays are read; needed where read noise is `OneOverF`.
    pub times: Option<Arc<ReadTimes>>,
    /// Calibrated ranges of each layer; needed where the range of a converter is `Percentile`. Layers beyond them, and planes
    /// without one, are at full scale.
    pub ranges: Option<Arc<Vec<LayerRanges>>>,
    /// Master seed.
    pub seed: u64,
}

impl FunctionalSpec {
    /// What of `config` decides values.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            deterministic: ArraySpec::of(&config.arch, Plane::Deterministic),
            stochastic: ArraySpec::of(&config.arch, Plane::Stochastic),
            bits_per_pulse: config.arch.driver.bits_per_pulse,
            sampler: config.arch.sampler.clone(),
            cells: MemoryCells::of(config),
            scheme: config.mapping.scheme.clone(),
            members: config.ensemble.members,
            samples: config.ensemble.samples,
            times: None,
            ranges: None,
            seed: config.seed,
        }
    }

    /// The planes whose converters have a range that is calibrated, and the percentage of conversions that lie within it.
    #[must_use]
    pub fn percentiles(&self) -> [Option<f64>; 2] {
        [Plane::Deterministic, Plane::Stochastic].map(|plane| match self.arrays(plane).adc.as_ref()?.range {
            AdcRange::Percentile(percentage) => Some(percentage),
            AdcRange::FullScale | AdcRange::Fixed(_) => None,
        })
    }

    /// The sampling configuration that batch-norm statistics belong to.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the scheme names a first ensembling layer that is none.
    pub fn statistics_key(&self, net: &Net) -> Result<StatisticsKey, Error> {
        let first = first_ensembling_layer(&self.scheme, net).map_err(|problem| Error::Config(problem.message))?;
        let first_ensembling_layer = (first < net.layers.len()).then_some(first);
        Ok(StatisticsKey { first_ensembling_layer, eps: self.scheme.eps().unwrap_or(0.0) })
    }

    /// Number of first layers that answer every image as those of `other` do: another seed draws other members, which layers
    /// that all members share do not have, and a compensation of the logits changes the last layer alone.
    #[must_use]
    pub fn layers_in_common(&self, other: &Self, net: &Net, posterior: &LoadedPosterior) -> usize {
        let mut like = self.clone();
        let mut common = net.layers.len();
        if like.seed != other.seed {
            // Statistics of each member belong to weights of its own. Real cells scatter by the seed.
            let drawn_alone = like.cells.device.is_ideal() && posterior.member_sets.is_empty();
            let first = first_ensembling_layer(&like.scheme, net).unwrap_or(0);
            common = if drawn_alone { first } else { 0 };
            like.seed = other.seed;
        }
        if let (Some(own), Some(others)) = (&like.ranges, &other.ranges) {
            common = common.min(own.iter().zip(&**others).take_while(|(own, other)| own == other).count());
            like.ranges = other.ranges.clone();
        }
        let compensation = other.cells.device.compensation;
        if like.cells.device.compensation != compensation {
            let of_arrays = [like.cells.device.compensation, compensation]
                .iter()
                .any(|of| matches!(of, Compensation::Arrays { .. }));
            // Statistics of a set may belong to a compensation.
            let read_by = posterior.sets.iter().map(|set| &set.read_by);
            let of_statistics =
                read_by.chain(posterior.member_sets.iter().map(|set| &set.read_by)).any(Option::is_some);
            common = common.min(if of_arrays || of_statistics { 0 } else { net.output });
            like.cells.device.compensation = compensation;
        }
        if like == *other { common } else { 0 }
    }

    /// What reads the arrays, as far as accumulators and so batch-norm statistics depend on it: converters, resolution of p,
    /// memory cells. Not which cells and draws they are: neither seed nor members.
    #[must_use]
    pub fn read_by(&self) -> Value {
        let of_plane = |arrays: &ArraySpec| {
            arrays.adc.as_ref().map(|Adc { bits, input, range, conversions, .. }| {
                let mut of = json!({ "rows": arrays.rows, "bits": bits, "input": input, "range": range });
                // Sets of earlier versions were taken pulse by pulse, and do not say so.
                if *conversions != Conversions::PerPulse {
                    of["conversions"] = json!(conversions);
                }
                of
            })
        };
        let bits = match self.sampler {
            Sampler::Generator { probability_bits, .. } => Some(probability_bits),
            Sampler::Comparator { .. } => None,
        };
        let mut device = self.cells.device.clone();
        if !matches!(device.compensation, Compensation::Arrays { .. }) {
            // Behind batch norm.
            device.compensation = Compensation::default();
        }
        // As text, so that numbers are compared as they are written.
        let cells =
            (!device.is_ideal()).then(|| json!({ "device": device, "targets": self.cells.targets }).to_string());
        json!({
            "deterministic": of_plane(&self.deterministic),
            "stochastic": of_plane(&self.stochastic),
            "bits_per_pulse": self.bits_per_pulse,
            "probability_bits": bits,
            "cells": cells,
        })
    }

    /// The batch-norm statistics of each layer, and the names of sets that are passed over because they are of other members'
    /// weights.
    ///
    /// # Errors
    /// As [`FunctionalModel::new`].
    pub fn statistics(
        &self,
        net: &Net,
        posterior: &LoadedPosterior,
    ) -> Result<(Vec<UsedStatistics>, Vec<String>), Error> {
        let sets =
            Sets::new(posterior, self.statistics_key(net)?, self.read_by(), || self.weight_hashes(net, posterior))?;
        let of_layer = |(index, layer): (usize, &NetLayer)| sets.statistics(index, &layer.name).1;
        Ok((net.layers.iter().enumerate().map(of_layer).collect(), sets.passed_over))
    }

    /// A hash of the weights that each member holds, all layers together, by which statistics of its own are found again;
    /// none where weights are drawn at every position.
    ///
    /// # Errors
    /// As [`FunctionalModel::new`].
    pub fn weight_hashes(&self, net: &Net, posterior: &LoadedPosterior) -> Result<Option<Vec<String>>, Error> {
        check_sizes(self, net)?;
        let members = if self.scheme == Scheme::Deterministic { 1 } else { self.members };
        let first = first_ensembling_layer(&self.scheme, net).map_err(|problem| Error::Config(problem.message))?;
        let mut hashers = vec![blake3::Hasher::new(); members as usize];
        for (index, layer) in net.layers.iter().enumerate() {
            let (sampled, last) = (index >= first, index == net.output);
            let planes = Planes { spec: self, index, layer, posterior, sampled, first: index == first, last };
            let weights = planes.whole(planes.split().as_ref())?;
            for (member, hasher) in hashers.iter_mut().enumerate() {
                let matrix = match &weights {
                    Weights::Shared(matrix) => matrix,
                    Weights::PerMember(matrices) => &matrices[member],
                    Weights::PerPosition(_) => return Ok(None),
                };
                // Whatever the arrays: column by column, 64 rows to a word.
                for column in 0..matrix.columns() {
                    matrix.column(column).iter().for_each(|word| {
                        hasher.update(&word.to_le_bytes());
                    });
                }
            }
        }
        Ok(Some(hashers.iter().map(|hasher| hasher.finalize().to_hex().to_string()).collect()))
    }

    /// The pulses that drive the rows of a layer where it is read by converters.
    #[must_use]
    pub fn digits(&self, layer: &NetLayer) -> Digits {
        Digits::new(layer.input_bits, layer.input_signed, self.bits_per_pulse)
    }

    /// The same with both planes on these arrays.
    #[must_use]
    pub fn on(self, arrays: ArraySpec) -> Self {
        Self { deterministic: arrays.clone(), stochastic: arrays, ..self }
    }

    /// 1/f noise by its components, where it follows the times of reads.
    fn ladder(&self) -> Option<(Ladder, &ReadTimes)> {
        let times = self.times.as_deref().filter(|_| self.cells.needs_times())?;
        let device = &self.cells.device;
        let since = device.model.since_programming(device.age.seconds());
        Some((Ladder::new(since, device.model.read_seconds()), times))
    }

    /// Its fast components, and the amplitude of the others, which change little while an image is computed: they are the same
    /// for all its members.
    fn components(&self) -> Option<(Ladder, f64)> {
        self.ladder().map(|(ladder, times)| ladder.faster_than(FROZEN_LATENCIES * times.latency()))
    }

    /// How far members are apart in a layer, and what they have in common of the noise; none where each has arrays of its own.
    fn members_apart(&self, layer: usize) -> Option<MembersApart> {
        let (ladder, times) = self.ladder().filter(|_| self.members > 1 && !self.cells.spatial)?;
        let [first, second] = [0, 1].map(|member| times.of_pass(layer, Plane::Stochastic, 0, member)[0]);
        let seconds = (second - first).abs();
        Some(MembersApart { seconds, noise_correlation: ladder.correlation(seconds) })
    }

    pub(super) fn arrays(&self, plane: Plane) -> &ArraySpec {
        match plane {
            Plane::Deterministic => &self.deterministic,
            Plane::Stochastic => &self.stochastic,
        }
    }
}

/// The weights of a layer, each sample as an `M`.
#[derive(Debug, Clone)]
pub(super) enum Weights<M> {
    /// The same for all members.
    Shared(M),
    /// One sample a member, held for whole passes and all images.
    PerMember(Vec<M>),
    /// Drawn at every output position of every image.
    PerPosition(Draws),
}

impl<M> Weights<M> {
    /// The same with every sample that is held laid out by `lay_out`.
    fn map<N>(self, lay_out: impl Fn(M) -> N) -> Weights<N> {
        match self {
            Weights::Shared(sample) => Weights::Shared(lay_out(sample)),
            Weights::PerMember(samples) => Weights::PerMember(samples.into_iter().map(lay_out).collect()),
            Weights::PerPosition(draws) => Weights::PerPosition(draws),
        }
    }
}

/// A sample as it is multiplied.
#[derive(Debug, Clone)]
pub(super) enum LaidOut {
    /// Many positions at once: the whole plane, or each array with rows of its own.
    Together(Vec<BitMatrix>),
    /// Position by position and pulse by pulse.
    Serial(Tiles),
    /// The same, each array with rows of its own.
    Packed(Vec<Tiles>),
    /// It is in the plane's real memory cells.
    Cells,
}

/// What weights are drawn from.
#[derive(Debug, Clone)]
pub(super) enum Draws {
    /// Independent bits.
    Streams(WeightDistribution),
    /// The sequences of shift registers.
    Registers(RegisterDraws),
    /// Comparators and the read noise of devices.
    Comparators(Arc<ComparatorDraws>),
}

/// Draws by comparators.
#[derive(Debug)]
pub(super) struct ComparatorDraws {
    pub(super) how: ByNoise,
    realised: Realised,
}

/// How read noise follows that of other reads.
#[derive(Debug)]
pub(super) enum ByNoise {
    /// Not at all: independent draws, one distribution for each copy of the arrays.
    White(Vec<WeightDistribution>),
    /// By the times of reads.
    OneOverF(Comparators),
}

/// A plane of a layer as it is multiplied.
#[derive(Debug, Clone)]
pub(super) struct PlaneProduct {
    /// The plane; that of the drawn synapses where it stands for both.
    pub(super) plane: Plane,
    /// How the rows of its matrices fall onto words.
    pub(super) blocks: RowBlocks,
    /// Its weights; where others are present, those of absent synapses are -1.
    pub(super) weights: Weights<LaidOut>,
    /// The synapses that it holds; none: all of the layer.
    pub(super) present: Option<Present>,
    /// How many positions are multiplied at once, where they are.
    pub(super) together: Option<Together>,
    /// Arrays that convert rows of their own, where that matters.
    pub(super) packed: Option<Vec<PackedProduct>>,
    /// How the sums of an array are converted.
    pub(super) sums: Sums,
    /// Its memory cells, where they are not ideal and converters read them: then they are what is multiplied.
    pub(super) cells: Option<CellPlane>,
    /// Units of the layer's accumulators in one of this plane's; none: 1.
    pub(super) scale: Option<f64>,
}

/// Places of synapses as they are multiplied.
#[derive(Debug, Clone)]
pub(super) enum Present {
    Together(BitMatrix),
    Serial(Tiles),
}

impl Present {
    /// For products position by position.
    pub(super) fn tiles(&self) -> Option<&Tiles> {
        match self {
            Present::Serial(tiles) => Some(tiles),
            Present::Together(_) => None,
        }
    }

    /// For products of many positions at once.
    pub(super) fn matrix(&self) -> Option<&BitMatrix> {
        match self {
            Present::Together(matrix) => Some(matrix),
            Present::Serial(_) => None,
        }
    }
}

/// How many positions are multiplied at once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Together {
    Exactly,
    Converted(Converted),
}

impl Together {
    /// None where that does not pay, or sums need more bits than it has.
    fn new(layer: &NetLayer, weights: &Weights<BitMatrix>, sums: &Sums, blocks: usize) -> Option<Self> {
        let held = !matches!(weights, Weights::PerPosition(_));
        if !held || layer.positions < lanes::FEWEST_POSITIONS || layer.input_bits > lanes::MOST_BITS {
            return None;
        }
        match sums {
            Sums::Exact => Some(Together::Exactly),
            Sums::Quantised(quantiser) => Converted::new(quantiser, blocks).map(Together::Converted),
        }
    }
}

/// An array with rows of its own.
#[derive(Debug, Clone)]
pub(super) struct PackedProduct {
    /// The layer's rows that it has, in their order.
    pub(super) rows: Vec<u32>,
    /// The layer's columns that it has.
    pub(super) columns: Range<usize>,
    /// The synapses of them that it holds.
    pub(super) present: Tiles,
    pub(super) mask: BitMatrix,
}

impl PackedProduct {
    /// Its weights in a sample of the whole plane.
    pub(super) fn weights(&self, plane: &BitMatrix) -> BitMatrix {
        let mut weights = BitMatrix::new(self.mask.blocks(), self.columns.len());
        weights.gather(&self.rows, self.columns.clone(), |row, column| plane.get(row as usize, column));
        weights.masked(&self.mask)
    }
}

impl PlaneProduct {
    #[expect(clippy::too_many_arguments, reason = "a plane has as many properties")]
    fn new(
        plane: Plane,
        layer: &NetLayer,
        blocks: RowBlocks,
        weights: Weights<BitMatrix>,
        present: Option<BitMatrix>,
        packed: Option<Vec<PackedProduct>>,
        sums: Sums,
        cells: Option<CellPlane>,
    ) -> Self {
        let product = Self {
            plane,
            blocks,
            weights: Weights::PerMember(Vec::new()),
            present: None,
            together: None,
            packed,
            sums,
            cells,
            scale: None,
        };
        if product.cells.is_some() {
            return Self { weights: weights.map(|_| LaidOut::Cells), packed: None, ..product };
        }
        // An array of its own adds to a column only what it holds.
        let of_column = product.packed.as_ref().map_or(blocks.count(), |_| 1);
        let together = Together::new(layer, &weights, &product.sums, of_column);
        let product = Self { together, ..product };
        let weights = weights.map(|sample| product.lay_out(sample));
        let present = present.map(|present| match together {
            Some(_) => Present::Together(present),
            None => Present::Serial(Tiles::new(&present)),
        });
        Self { weights, present, ..product }
    }

    /// A sample laid out for products.
    pub(super) fn lay_out(&self, sample: BitMatrix) -> LaidOut {
        let of_arrays =
            |arrays: &[PackedProduct]| arrays.iter().map(|array| array.weights(&sample)).collect::<Vec<_>>();
        match (&self.packed, self.together) {
            _ if self.cells.is_some() => LaidOut::Cells,
            (None, Some(_)) => LaidOut::Together(vec![sample]),
            (Some(arrays), Some(_)) => LaidOut::Together(of_arrays(arrays)),
            (None, None) => LaidOut::Serial(Tiles::new(&sample)),
            (Some(arrays), None) => LaidOut::Packed(of_arrays(arrays).iter().map(Tiles::new).collect()),
        }
    }
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
    pub(super) rows: usize,
    pub(super) input_bits: u32,
    pub(super) input_signed: bool,
    /// The pulses that drive the rows of planes that are read by converters.
    pub(super) digits: Digits,
    /// Its planes; one for both where no conversion rounds.
    pub(super) products: Vec<PlaneProduct>,
    /// The rows of each plane that the chip has.
    pub(super) row_sets: Vec<PlaneRows>,
    /// Cell currents, of rows at level 1, in one unit of its accumulators.
    pub(super) step: f64,
    /// Of each plane.
    pub(super) conversions_per_position: [u64; 2],
    /// The ranges of its converters.
    pub(super) ranges: Vec<PlaneRange>,
    /// Batch norm of each member, or of one for all.
    pub(super) affines: Vec<Affine>,
    /// None in the last layer.
    pub(super) codes: Option<CodeRange>,
}

impl Layer {
    /// Batch norm of a member.
    pub(super) fn affine(&self, member: usize) -> &Affine {
        &self.affines[member.min(self.affines.len() - 1)]
    }
}

/// Range of the converters of a plane of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlaneRange {
    /// The plane.
    pub plane: Plane,
    /// Cell currents, of rows at level 1, in one step.
    pub step: f64,
    /// Cell currents that the highest code stands for.
    pub range: f64,
    /// The largest sum of ideal cells.
    pub full_scale: u32,
}

/// Which batch-norm statistics a layer uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UsedStatistics {
    /// The layer's name.
    pub layer: String,
    /// Name of the set; `sampled` and `mode` are those that every posterior has.
    pub set: String,
    /// Whether the set was taken in this sampling configuration; otherwise it is the nearest one.
    pub exact: bool,
    /// Whether it is not exact only for having been taken with other converters or memory cells.
    #[serde(default)]
    pub read_otherwise: bool,
    /// Whether each member has its own.
    pub per_member: bool,
}

/// Where the statistics and scales of a model come from.
struct Sets<'a> {
    posterior: &'a LoadedPosterior,
    key: StatisticsKey,
    read_by: Value,
    /// Those of the members, and which of its members each member is.
    of_members: Option<(&'a MemberStatistics, Vec<usize>)>,
    /// Names of sets of other members.
    passed_over: Vec<String>,
}

impl<'a> Sets<'a> {
    /// `weights` are hashes of the members' weights.
    fn new(
        posterior: &'a LoadedPosterior,
        key: StatisticsKey,
        read_by: Value,
        weights: impl FnOnce() -> Result<Option<Vec<String>>, Error>,
    ) -> Result<Self, Error> {
        let mut fitting = posterior.member_sets.iter().filter(|set| set.key == key).peekable();
        let weights = if fitting.peek().is_some() { weights()?.unwrap_or_default() } else { Vec::new() };
        let (mut of_members, mut passed_over) = (None, Vec::new());
        for set in fitting {
            let place = |weights: &String| set.weights.iter().position(|of| of == weights);
            match weights.iter().map(place).collect::<Option<Vec<usize>>>() {
                Some(places) if !places.is_empty() && set.read_by.as_ref().is_none_or(|own| *own == read_by) => {
                    of_members = Some((set, places));
                }
                _ => passed_over.push(set.name.clone()),
            }
        }
        Ok(Self { posterior, key, read_by, of_members, passed_over })
    }

    fn input_scale(&self, layer: usize) -> f32 {
        let of_members = self.of_members.as_ref().map(|(set, _)| set.input_scales[layer]);
        of_members.unwrap_or_else(|| self.posterior.input_scale(layer, &self.key, &self.read_by))
    }

    /// Those of each member, or one for all, and what they are.
    fn statistics(&self, index: usize, layer: &str) -> (Vec<&'a BatchNorm>, UsedStatistics) {
        let layer = layer.to_owned();
        if let Some((set, places)) = &self.of_members {
            let of = &set.layers[index];
            let members = places.iter().map(|&place| &of[place.min(of.len() - 1)]).collect();
            let set = set.name.clone();
            return (members, UsedStatistics { layer, set, exact: true, read_otherwise: false, per_member: true });
        }
        let posterior = self.posterior;
        let Statistics { batch_norm, set, exact, read_otherwise } =
            posterior.statistics(index, &self.key, &self.read_by);
        (vec![batch_norm], UsedStatistics { layer, set: set.to_owned(), exact, read_otherwise, per_member: false })
    }
}

/// A network on a chip.
///
/// Weights are drawn once when the model is made (but for fresh draws at every position): a member's sample is the same
/// for all images. Drawn from shift registers it depends on the size of the arrays, else on layer and member alone.
#[derive(Debug, Clone)]
pub struct FunctionalModel {
    pub(super) input: Shape,
    /// Held by several models where they have them in common.
    pub(super) layers: Vec<Arc<Layer>>,
    pub(super) members: usize,
    /// First layer that runs for each member.
    pub(super) first_ensembling: usize,
    pub(super) output: usize,
    pub(super) seed: u64,
    /// When arrays are read, where that matters.
    pub(super) times: Option<Arc<ReadTimes>>,
    /// How far members are apart in the first layer that they run by themselves, where noise follows the times of reads.
    pub members_apart: Option<MembersApart>,
    /// How products are computed; it makes no difference but in time.
    pub(super) instructions: Instructions,
    /// The batch-norm statistics of each layer.
    pub statistics: Vec<UsedStatistics>,
    /// Names of sets of statistics for this sampling configuration that are of other members' weights, or were taken with
    /// other converters or memory cells, and not used.
    pub passed_over: Vec<String>,
}

impl FunctionalModel {
    /// Prepares a network: draws or unpacks the weights, folds batch norm.
    ///
    /// # Errors
    /// Returns [`Error::Input`] if the posterior holds too few stored samples; [`Error::Config`] if stored samples are asked
    /// for and there are none, when layers that read the same output expect different scales, when an accumulator could
    /// need more than 32 bits, or when a size that the configuration's check bounds is out of bounds.
    pub fn new(spec: &FunctionalSpec, net: &Net, posterior: &LoadedPosterior) -> Result<Self, Error> {
        Self::prepare(spec, net, posterior, &[], net.layers.len())
    }

    /// As [`new`](Self::new), beside the model that was made from `other` for the same network and posterior: the first layers
    /// that both have [in common](FunctionalSpec::layers_in_common) are held once.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn beside(
        &self,
        other: &FunctionalSpec,
        spec: &FunctionalSpec,
        net: &Net,
        posterior: &LoadedPosterior,
    ) -> Result<Self, Error> {
        let common = &self.layers[..spec.layers_in_common(other, net, posterior)];
        Self::prepare(spec, net, posterior, common, net.layers.len())
    }

    /// With these first layers, and only so many in all.
    pub(super) fn prepare(
        spec: &FunctionalSpec,
        net: &Net,
        posterior: &LoadedPosterior,
        common: &[Arc<Layer>],
        number: usize,
    ) -> Result<Self, Error> {
        check_sizes(spec, net)?;
        let members = if spec.scheme == Scheme::Deterministic { 1 } else { spec.members };
        let first_ensembling =
            first_ensembling_layer(&spec.scheme, net).map_err(|problem| Error::Config(problem.message))?;
        let key = spec.statistics_key(net)?;
        let sets = Sets::new(posterior, key, spec.read_by(), || spec.weight_hashes(net, posterior))?;
        let mut used = Vec::with_capacity(net.layers.len());
        let mut layers = Vec::with_capacity(net.layers.len());
        for (index, (layer, of_layer)) in net.layers.iter().zip(&posterior.layers).take(number).enumerate() {
            let (statistics, of_layer_used) = sets.statistics(index, &layer.name);
            used.push(of_layer_used);
            if let Some(common) = common.get(index) {
                layers.push(Arc::clone(common));
                continue;
            }
            let sampled = index >= first_ensembling;
            let (first, last) = (index == first_ensembling, index == net.output);
            let planes = Planes { spec, index, layer, posterior, sampled, first, last };
            let Built { products, row_sets, ranges, step } = planes.build()?;
            let (bn_eps, scale, learned) = (posterior.bn_eps, sets.input_scale(index), &of_layer.learned);
            let output_scale = output_scale(index, net, &sets)?;
            let affine = |statistics: &BatchNorm| match output_scale {
                Some(output_scale) => Affine::hidden(statistics, learned, bn_eps, step, scale, output_scale),
                None => Affine::logits(statistics, learned, bn_eps, step, scale, posterior.kappa),
            };
            let affines = statistics.into_iter().map(affine).collect();
            let codes = output_scale.map(|_| CodeRange::new(layer.output_bits, layer.relu));
            layers.push(Arc::new(Layer {
                source: layer.source,
                columns: layer.columns as usize,
                positions: layer.positions as usize,
                linear: layer.linear,
                pool: layer.pool,
                windows: Windows::new(layer),
                rows: layer.rows as usize,
                input_bits: layer.input_bits,
                input_signed: layer.input_signed,
                digits: spec.digits(layer),
                products,
                conversions_per_position: conversions_per_position(spec, layer, &row_sets),
                row_sets,
                ranges,
                step,
                affines,
                codes,
            }));
        }
        let (input, output, seed, instructions) = (net.input, net.output, spec.seed, Instructions::best());
        let (members, statistics, passed_over) = (members as usize, used, sets.passed_over);
        let times = spec.times.clone();
        let members_apart =
            (first_ensembling < net.layers.len()).then(|| spec.members_apart(first_ensembling)).flatten();
        let model = Self {
            input,
            layers,
            members,
            first_ensembling,
            output,
            seed,
            times,
            members_apart,
            instructions,
            statistics,
            passed_over,
        };
        Ok(model)
    }

    /// The same, computed by these instructions.
    #[must_use]
    pub fn with(self, instructions: Instructions) -> Self {
        Self { instructions, ..self }
    }

    /// Ensemble members; 1 in the deterministic scheme.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members
    }

    /// The probabilities that comparators draw a layer's weights with, where they draw from the noise of devices.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    #[must_use]
    pub fn realised(&self, layer: usize) -> Option<&Realised> {
        self.layers[layer].products.iter().find_map(|product| match &product.weights {
            Weights::PerPosition(Draws::Comparators(draws)) => Some(&draws.realised),
            _ => None,
        })
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.layers[self.output].columns
    }

    /// Cell currents, of rows at level 1, in one unit of a layer's accumulators: 1 where the converter is exact.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    #[must_use]
    pub fn step(&self, layer: usize) -> f64 {
        self.layers[layer].step
    }

    /// The ranges of a layer's converters, plane by plane; of none where the layer is read without.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    #[must_use]
    pub fn ranges(&self, layer: usize) -> &[PlaneRange] {
        &self.layers[layer].ranges
    }
}

/// Refuses sizes that would not fit the numbers used here. The configuration's own check says the same with places.
fn check_sizes(spec: &FunctionalSpec, net: &Net) -> Result<(), Error> {
    let refuse = |what: String| Err(Error::Config(what));
    for ArraySpec { rows, columns, adc } in [&spec.deterministic, &spec.stochastic] {
        if !(1..=4096).contains(rows) {
            return refuse(format!("arch.array.rows is {rows}; expected 1..=4096"));
        }
        if let Some(adc) = adc
            && !(1..=16).contains(&adc.bits)
        {
            return refuse(format!("arch.adc.bits is {}; expected 1..=16", adc.bits));
        }
        if let Some(Adc { range: AdcRange::Fixed(range), .. }) = adc
            && (range.is_nan() || *range <= 0.0)
        {
            return refuse(format!("arch.adc.range is {range}; expected a positive number of cell currents"));
        }
        if let Some(Adc { range: AdcRange::Percentile(percentage), .. }) = adc
            && !(0.0..=100.0).contains(percentage)
        {
            return refuse(format!("arch.adc.range is Percentile({percentage}); expected 0..=100"));
        }
        if *columns == 0 {
            return refuse("arch.array.columns holds no synapse".to_owned());
        }
    }
    if !(1..=8).contains(&spec.bits_per_pulse) {
        return refuse(format!("arch.driver.bits_per_pulse is {}; expected 1..=8", spec.bits_per_pulse));
    }
    if let Sampler::Generator { probability_bits, .. } = spec.sampler
        && !(1..=16).contains(&probability_bits)
    {
        return refuse(format!("arch.sampler.probability_bits is {probability_bits}; expected 1..=16"));
    }
    let lists = spec.scheme.choices().is_some_and(|choices| matches!(choices.packing, Packing::Lists { .. }));
    if lists && spec.stochastic.adc.is_some() {
        return refuse(
            "packing is Lists and the stochastic plane is read by converters; expected Rows or Full".to_owned(),
        );
    }
    if spec.cells.needs_times() && spec.times.is_none() {
        return refuse("arch.device.read_noise is OneOverF, and the times of reads are not given".to_owned());
    }
    let single = |arrays: &ArraySpec| {
        arrays.adc.as_ref().is_some_and(|of| (of.conversions, of.input) == (Conversions::PerValue, AdcInput::Column))
    };
    if let Some(layer) = net.layers.iter().find(|layer| layer.input_signed)
        && [&spec.deterministic, &spec.stochastic].into_iter().any(single)
    {
        return refuse(format!(
            "layer {} has signed inputs; with arch.adc.conversions=PerValue expected arch.adc.input=Pair",
            layer.name
        ));
    }
    if spec.percentiles() != [None; 2] && spec.ranges.is_none() {
        return refuse("arch.adc.range is Percentile, and no ranges are calibrated".to_owned());
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

/// The largest magnitude of a plane's sums in units of its step, over pulses and the most arrays of a column.
///
/// # Errors
/// Returns an error if a converter's codes could need more than 32 bits.
fn largest_sum(layer: &NetLayer, sums: &Sums, blocks: usize, real: bool) -> Result<u64, Error> {
    let Sums::Quantised(quantiser) = sums else { return Ok(u64::from(layer.rows) << layer.input_bits) };
    // A column's result is the difference of two codes, each of them at most this large and not negative. Real cells reach
    // codes that ideal ones do not.
    let code = if real { quantiser.extreme_code() } else { quantiser.largest_code() };
    let largest = u64::from(code) * blocks as u64 * quantiser.weights();
    if largest > i32::MAX as u64 {
        return Err(Error::Config(format!(
            "the accumulators of layer {} would need more than 32 bits: {blocks} row blocks of codes up to {} by \
             {}-bit inputs; expected a wider arch.adc.range or fewer arch.adc.bits",
            layer.name, code, layer.input_bits
        )));
    }
    Ok(largest)
}

/// Refuses planes whose sums together could need more than 32 bits. `largest` holds those of each plane.
fn check_both(layer: &NetLayer, products: &[PlaneProduct], largest: &[u64]) -> Result<(), Error> {
    let in_units = |(product, largest): (&PlaneProduct, &u64)| {
        let factor = product.cells.as_ref().map_or(1.0, CellPlane::largest_factor);
        *largest as f64 * factor * product.scale.unwrap_or(1.0)
    };
    let sum: f64 = products.iter().zip(largest).map(in_units).sum();
    if sum > f64::from(i32::MAX) {
        return Err(Error::Config(format!(
            "the accumulators of layer {} would need more than 32 bits: the sums of its planes reach {sum} units; \
             expected wider ranges or fewer bits of arch.adc and arch.stochastic",
            layer.name
        )));
    }
    Ok(())
}

/// Conversions of all arrays of each plane at one output position.
fn conversions_per_position(spec: &FunctionalSpec, layer: &NetLayer, row_sets: &[PlaneRows]) -> [u64; 2] {
    let of_plane = |rows: &PlaneRows| {
        let Some(adc) = &spec.arrays(rows.plane).adc else { return 0 };
        let per_column = match adc.input {
            AdcInput::Pair => 1,
            AdcInput::Column => 2,
        };
        let of_position = match adc.conversions {
            Conversions::PerPulse => u64::from(spec.digits(layer).pulses()),
            Conversions::PerValue => 1,
        };
        let columns = match &rows.sets {
            RowSets::Blocks(blocks) => u64::from(layer.columns) * blocks.count() as u64,
            RowSets::Packed(arrays) => arrays.iter().map(|array| u64::from(array.columns)).sum(),
        };
        columns * per_column * of_position
    };
    let mut conversions = [0; 2];
    row_sets.iter().for_each(|rows| conversions[rows.plane as usize] += of_plane(rows));
    conversions
}

/// Scale of the codes that layer `index` puts out: the input scale of the layers that read it; None for the last layer.
fn output_scale(index: usize, net: &Net, sets: &Sets<'_>) -> Result<Option<f32>, Error> {
    let mut scale = None;
    for consumer in net.consumers(index) {
        let expected = sets.input_scale(consumer);
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

/// The planes of a layer, about to be built.
struct Planes<'a> {
    spec: &'a FunctionalSpec,
    index: usize,
    layer: &'a NetLayer,
    posterior: &'a LoadedPosterior,
    /// Whether the layer runs for each member.
    sampled: bool,
    /// Whether it is the first of these.
    first: bool,
    /// Whether it gives the logits.
    last: bool,
}

/// Components of 1/f noise with periods of so many latencies of an image, or more, are drawn once for each device.
pub const FROZEN_LATENCIES: f64 = 10.0;

/// The planes of a layer, and the step of its accumulators.
struct Built {
    products: Vec<PlaneProduct>,
    row_sets: Vec<PlaneRows>,
    ranges: Vec<PlaneRange>,
    step: f64,
}

/// How the sums of a plane are converted.
struct Converting {
    sums: Sums,
    /// The largest of them in units of its step.
    largest: u64,
    range: Option<PlaneRange>,
}

impl Planes<'_> {
    fn of_layer(&self) -> &LayerPosterior {
        &self.posterior.layers[self.index]
    }

    fn blocks(&self, plane: Plane) -> RowBlocks {
        RowBlocks::new(self.layer.rows, self.spec.arrays(plane).rows)
    }

    /// How a plane's sums are converted.
    fn sums(&self, plane: Plane, largest_block: usize, blocks: usize) -> Result<Converting, Error> {
        let real = !self.spec.cells.device.is_ideal();
        let adc = self.spec.arrays(plane).adc.as_ref();
        let ranges = self.spec.ranges.as_ref().and_then(|ranges| ranges.get(self.index));
        let calibrated = ranges.and_then(|ranges| ranges[plane as usize]);
        let quantiser =
            adc.map(|adc| Quantiser::new(adc, largest_block as u32, self.spec.digits(self.layer), calibrated));
        let range = quantiser.as_ref().zip(adc).map(|(quantiser, adc)| {
            let step = quantiser.step();
            let full_scale = largest_current(adc, largest_block as u32, self.spec.digits(self.layer));
            PlaneRange { plane, step, range: step * f64::from(top_code(adc).max(1)), full_scale }
        });
        // The currents of real cells are no whole numbers: no converter is exact for them.
        let quantiser = quantiser.filter(|quantiser| real || !quantiser.is_exact());
        let sums = quantiser.map_or(Sums::Exact, Sums::Quantised);
        let largest = largest_sum(self.layer, &sums, blocks, real)?;
        Ok(Converting { sums, largest, range })
    }

    /// How its synapses are split between planes, where they are.
    fn split(&self) -> Option<Split> {
        let eps = self.spec.scheme.eps().filter(|_| self.sampled)?;
        Some(Split::new(self.layer.rows, self.layer.columns, &self.of_layer().p, eps))
    }

    fn plane(&self) -> Plane {
        if self.sampled { Plane::Stochastic } else { Plane::Deterministic }
    }

    /// All weights of the layer together; with a split only its synapses are sampled.
    fn whole(&self, split: Option<&Split>) -> Result<Weights<BitMatrix>, Error> {
        let blocks = self.blocks(self.plane());
        match split {
            _ if !self.sampled => {
                Ok(Weights::Shared(BitMatrix::mode(self.of_layer(), blocks, self.layer.columns as usize)))
            }
            None => self.drawn(self.of_layer(), blocks, None),
            Some(split) => self.drawn(&self.forced(split, f32::from), blocks, Some(split)),
        }
    }

    fn build(&self) -> Result<Built, Error> {
        if let Some(split) = self.split() {
            return self.two_planes(&split);
        }
        let plane = self.plane();
        let blocks = self.blocks(plane);
        let Converting { sums, largest, range } = self.sums(plane, blocks.rows_per_block(), blocks.count())?;
        let weights = self.whole(None)?;
        let step = sums.step();
        let cells = self.cells(plane, &weights, None, &blocked(blocks, self.layer.columns), &sums);
        let product = PlaneProduct::new(plane, self.layer, blocks, weights, None, None, sums, cells);
        check_both(self.layer, std::slice::from_ref(&product), &[largest])?;
        Ok(Built {
            products: vec![product],
            row_sets: vec![PlaneRows { plane, sets: RowSets::Blocks(blocks), weights: None }],
            ranges: range.into_iter().collect(),
            step,
        })
    }

    /// Both planes of a layer whose probabilistic synapses are those of `split`.
    fn two_planes(&self, split: &Split) -> Result<Built, Error> {
        let (spec, columns) = (self.spec, self.layer.columns as usize);
        let (fixed_blocks, sampled_blocks) = (self.blocks(Plane::Deterministic), self.blocks(Plane::Stochastic));
        let fixed = u64::from(split.rows()) * u64::from(split.columns()) - split.probabilistic();
        let packing = spec.scheme.choices().map_or(Packing::Full, |choices| choices.packing);
        let arrays = &spec.stochastic;
        let packed = (packing != Packing::Full)
            .then(|| Arc::new(packed_plane(split, packing, arrays.columns, arrays.rows).arrays));
        let largest = match &packed {
            None => sampled_blocks.rows_per_block(),
            Some(arrays) => arrays.iter().map(|array| array.rows as usize).max().unwrap_or(1),
        };
        let of_fixed = || self.sums(Plane::Deterministic, fixed_blocks.rows_per_block(), fixed_blocks.count());
        let of_sampled = || self.sums(Plane::Stochastic, largest, sampled_blocks.count());
        let fixed_sums = (fixed > 0).then(of_fixed).transpose()?;
        let sampled_sums = (split.probabilistic() > 0).then(of_sampled).transpose()?;
        let rows = |plane, sets| {
            let weights = RowWeights::new(split, plane, &sets, packing, spec.arrays(plane).columns);
            PlaneRows { plane, sets, weights: Some(Arc::new(weights)) }
        };
        let mut row_sets = Vec::new();
        if fixed_sums.is_some() {
            row_sets.push(rows(Plane::Deterministic, RowSets::Blocks(fixed_blocks)));
        }
        if sampled_sums.is_some() {
            let packed = packed.as_ref().map(|arrays| RowSets::Packed(Arc::clone(arrays)));
            row_sets.push(rows(Plane::Stochastic, packed.unwrap_or(RowSets::Blocks(sampled_blocks))));
        }
        let mode = || BitMatrix::mode(self.of_layer(), fixed_blocks, columns);
        let both = || [&fixed_sums, &sampled_sums].into_iter().flatten();
        let ranges = both().filter_map(|of| of.range).collect();
        if both().all(|of| matches!(of.sums, Sums::Exact)) {
            // Integers add up the same in one plane as in two.
            let (plane, blocks, weights) = if sampled_sums.is_some() {
                (Plane::Stochastic, sampled_blocks, self.whole(Some(split))?)
            } else {
                (Plane::Deterministic, fixed_blocks, Weights::Shared(mode()))
            };
            let product = PlaneProduct::new(plane, self.layer, blocks, weights, None, None, Sums::Exact, None);
            return Ok(Built { products: vec![product], row_sets, ranges, step: 1.0 });
        }
        let (mut products, mut largest_sums) = (Vec::new(), Vec::new());
        let mut add = |plane, blocks, weights, present, packed, of: Converting, cells| {
            let product = PlaneProduct::new(plane, self.layer, blocks, weights, Some(present), packed, of.sums, cells);
            products.push(product);
            largest_sums.push(of.largest);
        };
        if let Some(of) = fixed_sums {
            let present = BitMatrix::of_split(split, fixed_blocks, false);
            let weights = Weights::Shared(mode().masked(&present));
            let rows = blocked(fixed_blocks, self.layer.columns);
            let cells = self.cells(Plane::Deterministic, &weights, Some(&present), &rows, &of.sums);
            add(Plane::Deterministic, fixed_blocks, weights, present, None, of, cells);
        }
        if let Some(of) = sampled_sums {
            let present = BitMatrix::of_split(split, sampled_blocks, true);
            // An absent synapse is never +1.
            let mut weights = self.drawn(&self.forced(split, |_| 0.0), sampled_blocks, Some(split))?;
            if let Weights::PerMember(members) = &mut weights {
                for matrix in members {
                    *matrix = std::mem::replace(matrix, BitMatrix::new(sampled_blocks, 0)).masked(&present);
                }
            }
            let rows = packed.as_ref().map_or_else(
                || blocked(sampled_blocks, self.layer.columns),
                |arrays| arrays.iter().map(|array| (array.inputs.clone(), columns_of(array))).collect(),
            );
            let cells = self.cells(Plane::Stochastic, &weights, Some(&present), &rows, &of.sums);
            let quantised = matches!(of.sums, Sums::Quantised(_)) && cells.is_none();
            let packed = packed.filter(|_| quantised).map(|arrays| self.packed(split, &arrays));
            add(Plane::Stochastic, sampled_blocks, weights, present, packed, of, cells);
        }
        let step = common_step(self.layer, &mut products);
        check_both(self.layer, &products, &largest_sums)?;
        Ok(Built { products, row_sets, ranges, step })
    }

    /// The memory cells of a plane whose blocks have these rows and columns, where they are not ideal and converters read
    /// them.
    fn cells(
        &self,
        plane: Plane,
        weights: &Weights<BitMatrix>,
        present: Option<&BitMatrix>,
        blocks: &[(Vec<u32>, Range<usize>)],
        sums: &Sums,
    ) -> Option<CellPlane> {
        let (spec, Sums::Quantised(quantiser)) = (self.spec, sums) else { return None };
        let MemoryCells { device, targets, .. } = &spec.cells;
        if device.is_ideal() {
            return None;
        }
        let synapses = match weights {
            Weights::Shared(weights) => Synapses::Fixed(weights),
            Weights::PerMember(members) => Synapses::Gated(Latches::Members(members)),
            Weights::PerPosition(_) => Synapses::Gated(Latches::Drawn),
        };
        let (fast, frozen) = spec.components().map_or((None, None), |(fast, frozen)| (Some(fast), Some(frozen)));
        let setting = Setting {
            device,
            targets: *targets,
            layer: self.index as u32,
            plane,
            synapses,
            present,
            replicas: self.replicas(),
            compensated: match device.compensation {
                Compensation::Off => false,
                Compensation::Arrays { .. } => true,
                Compensation::Logits { .. } => self.last,
            },
            frozen: frozen.unwrap_or(if device.read_noise == ReadNoise::Frozen { 1.0 } else { 0.0 }),
            seed: spec.seed,
        };
        let kept = plane == Plane::Deterministic
            && self.sampled
            && spec.scheme.choices().is_some_and(|choices| choices.keep_deterministic_part)
            && self.first;
        Some(CellPlane::new(&setting, blocks, spec.arrays(plane).columns as usize, quantiser, fast.as_ref(), kept))
    }

    /// The arrays of a plane packed by rows, with their places in the layer's matrix.
    fn packed(&self, split: &Split, arrays: &[PackedArray]) -> Vec<PackedProduct> {
        let of_array = |array: &PackedArray| {
            let rows = array.inputs.clone();
            let columns = columns_of(array);
            let mut mask = BitMatrix::new(RowBlocks::new(array.rows, array.rows), columns.len());
            mask.gather(&rows, columns.clone(), |row, column| split.contains(row, column as u32));
            PackedProduct { rows, columns, present: Tiles::new(&mask), mask }
        };
        arrays.iter().map(of_array).collect()
    }

    /// The posterior with every fixed synapse at a probability of its own: by `fixed` from its mode.
    fn forced(&self, split: &Split, fixed: impl Fn(bool) -> f32) -> LayerPosterior {
        let mut posterior = self.of_layer().clone();
        let rows = split.rows() as usize;
        for (column, p) in posterior.p.chunks_exact_mut(rows).enumerate() {
            for (row, p) in p.iter_mut().enumerate() {
                if !split.contains(row as u32, column as u32) {
                    *p = fixed(*p > 0.5);
                }
            }
        }
        posterior
    }

    /// The weights of a sampled plane for all members; of a stored sample only what `split` samples.
    fn drawn(
        &self,
        of_layer: &LayerPosterior,
        blocks: RowBlocks,
        split: Option<&Split>,
    ) -> Result<Weights<BitMatrix>, Error> {
        let (spec, index, columns) = (self.spec, self.index, self.layer.columns as usize);
        if spec.samples == Samples::Stored {
            let samples = of_layer.stored(&self.layer.tensors, spec.members, &self.posterior.path)?;
            let forced = split
                .map(|split| (BitMatrix::of_split(split, blocks, true), BitMatrix::mode(of_layer, blocks, columns)));
            let members = (0..spec.members as usize).map(|member| {
                let stored = BitMatrix::stored(&samples.member(member), blocks, columns);
                match &forced {
                    None => stored,
                    Some((sampled, fixed)) => stored.where_set(sampled, fixed),
                }
            });
            return Ok(Weights::PerMember(members.collect()));
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
                let array_columns = spec.stochastic.columns as usize;
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
            Sampler::Comparator { .. } if spec.cells.device.has_ideal_cells() => Ok(per_position(of_layer, blocks, 32)),
            Sampler::Comparator { noise_rows, sub_arrays, offset } => {
                let MemoryCells { device, targets, .. } = &spec.cells;
                let circuit =
                    Circuit { device, targets: *targets, noise_rows: *noise_rows, offset: *offset, seed: spec.seed };
                let rows = blocks.rows();
                let group = (spec.stochastic.rows / sub_arrays).max(1) as usize;
                let place = Place { layer: index as u32, rows, columns, group };
                let p = |row: usize, column: usize| of_layer.p[column * rows + row];
                let held =
                    |row: usize, column: usize| split.is_none_or(|split| split.contains(row as u32, column as u32));
                let comparators = Comparators::new(&circuit, place, self.replicas(), spec.components(), p, held);
                Ok(Weights::PerPosition(Draws::Comparators(Arc::new(of_comparators(
                    comparators,
                    of_layer,
                    rows,
                    spec,
                )))))
            }
        }
    }

    /// Copies of the layer's arrays that members have of their own.
    fn replicas(&self) -> u32 {
        if self.spec.cells.spatial && self.sampled { self.spec.members } else { 1 }
    }
}

/// Draws of a layer's weights by comparators, and how the probabilities that they realise compare with those of `intended`.
fn of_comparators(
    comparators: Comparators,
    intended: &LayerPosterior,
    rows: usize,
    spec: &FunctionalSpec,
) -> ComparatorDraws {
    let mut realised = Realised::default();
    let mut distributions = Vec::new();
    for replica in 0..comparators.replicas() {
        let mut found = intended.clone();
        for (at, p) in found.p.iter_mut().enumerate() {
            if let Some(probability) = comparators.realised(replica, at % rows, at / rows) {
                realised.add(f64::from(*p), probability);
                *p = probability as f32;
            }
        }
        if spec.times.is_none() {
            distributions.push(WeightDistribution::new(&found, rows, 32));
        }
    }
    let how = if spec.times.is_none() { ByNoise::White(distributions) } else { ByNoise::OneOverF(comparators) };
    ComparatorDraws { how, realised: realised.finish() }
}

/// Rows and columns of each row block.
fn blocked(blocks: RowBlocks, columns: u32) -> Vec<(Vec<u32>, Range<usize>)> {
    let of_block = |block| {
        let rows = blocks.block(block);
        (rows.start as u32..rows.end as u32).collect()
    };
    (0..blocks.count()).map(|block| (of_block(block), 0..columns as usize)).collect()
}

/// The columns of the layer that an array has.
fn columns_of(array: &PackedArray) -> Range<usize> {
    let first = array.first_column as usize;
    first..first + array.columns as usize
}

/// Brings the sums of planes with different steps to one: a binary fraction of a cell current, as fine as 31 bits hold, up
/// to 2^-10. Planes of one step keep it, and their sums.
fn common_step(layer: &NetLayer, products: &mut [PlaneProduct]) -> f64 {
    let first = products.first().map_or(1.0, |product| product.sums.step());
    if products.iter().all(|product| product.sums.step() == first) {
        return first;
    }
    // Sums are below K 2^B; a converter's rounding and the other plane may add as much again.
    let most = (u64::from(layer.rows) << layer.input_bits).ilog2() + 2;
    let bits = 30_u32.saturating_sub(most).min(10);
    let step = 1.0 / f64::from(1_u32 << bits);
    for product in products {
        product.scale = Some(product.sums.step() / step);
    }
    step
}

/// Weights of independent bits, p held to `bits` bits, drawn at every position.
fn per_position(posterior: &LayerPosterior, blocks: RowBlocks, bits: u32) -> Weights<BitMatrix> {
    Weights::PerPosition(Draws::Streams(WeightDistribution::new(posterior, blocks.rows(), bits)))
}
