//! The posterior: p of every synapse, batch-norm statistics and input scales of every layer.
//!
//! Read from a safetensors file, compressed with zstd or not, or generated from a seed. For a layer with tensor prefix
//! `conv1` the file holds
//! - `conv1.p`: F32 `[cout, cin, k, k]` or `[cout, in]`, the probability that the weight is +1, or `conv1.p_u8`: U8 of the
//!   same shape, p in steps of 1/255, so that 0 and 1 are exact and the mode is +1 from 128 on;
//! - `conv1.bn_mean`, `conv1.bn_var`: F32 `[cout]`, batch-norm statistics of the fully sampled network, and
//!   `conv1.bn_mean_mode`, `conv1.bn_var_mode` of the mode network;
//! - optionally `conv1.bn_mean_S`, `conv1.bn_var_S`, and with them `conv1.input_scale_S`, for each further set S of
//!   [statistics], in
//!   every layer: `fel_conv5` is sampled from layer `conv5` on; any other S is described in the file's metadata, whose key
//!   `crossbayes` holds JSON: `{"statistics": {"S": {"first_ensembling_layer": "conv5", "eps": 0.05}}}`;
//! - the same with statistics `[T, cout]` of each of T members, where the description has `weights`, the hashes of the
//!   members' weights that they belong to (`[1, cout]` in a layer that all members share);
//! - optionally what training learned beside the weights, F32 `[cout]`: `conv1.bias` of the linear operation,
//!   `conv1.bn_weight` and `conv1.bn_bias` of batch norm;
//! - `conv1.input_scale`: F32 `[1]`, the value of input code 1 (or one tensor for the file with the scales of all layers
//!   in the network's order);
//! - optionally `conv1.w_samples_packed`: U8 `[T, ceil(n/8)]`, weight samples of n synapses in C order, lowest bit
//!   first, 1 = +1;
//! - optionally `conv1.lambda`, the natural parameter from which a trainer computed p; it is not read.
//!
//! Any other tensor whose name starts with `conv1.` is refused: a misspelt one would go unnoticed otherwise. Tensors
//! that belong to no layer are the user's own.
//!
//! In C order a tensor is the transposed crossbar matrix: column `cout`, row `cin k^2 + ky k + kx`.

use crate::config::{Operation, Posterior, Workload};
use crate::error::{Error, nearest};
use crate::network::{LayerInput, Net, NetLayer};
use crate::random::{Purpose, Stream, StreamName, threshold};
use crate::workload::statistics::{
    self, BatchNorm, FROM_LAYER, MemberStatistics, Statistics, StatisticsKey, StatisticsSet, Suits,
};
use crate::workload::tensors::{self, TensorFile, index_text};
use safetensors::tensor::Dtype;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Posterior of a whole network.
#[derive(Debug, Clone)]
pub struct LoadedPosterior {
    /// File that it is from; empty when it is synthetic.
    pub path: PathBuf,
    /// One entry for each layer of the [`Net`], in its order.
    pub layers: Vec<LayerPosterior>,
    /// Batch-norm statistics for further sampling configurations, by name.
    pub sets: Vec<StatisticsSet>,
    /// Batch-norm statistics of the members of ensembles.
    pub member_sets: Vec<MemberStatistics>,
    /// What the file's header says beside its tensors.
    pub metadata: BTreeMap<String, String>,
    /// Factor of the last layer's batch-norm output that gives the logits.
    pub kappa: f64,
    /// Epsilon of batch norm.
    pub bn_eps: f64,
}

/// Posterior of one layer with K rows and M columns.
#[derive(Debug, Clone)]
pub struct LayerPosterior {
    /// P(w = +1), column by column: synapse (row k, column m) at `m K + k`. 0..=1.
    pub p: Vec<f32>,
    /// Batch-norm statistics of the fully sampled network.
    pub sampled: BatchNorm,
    /// Batch-norm statistics of the mode network.
    pub mode: BatchNorm,
    /// Bias, scale and shift; the same for all statistics.
    pub learned: Learned,
    /// Value of input code 1. Positive.
    pub input_scale: f32,
    /// Weight samples stored with the posterior.
    pub samples: Option<PackedSamples>,
}

impl LayerPosterior {
    /// The stored samples, of which `members` are asked for; `tensors` and `path` name layer and file in messages.
    ///
    /// # Errors
    /// [`Error::Config`] for a synthetic posterior, [`Error::Input`] when the file stores none or too few.
    pub fn stored(&self, tensors: &str, members: u32, path: &Path) -> Result<&PackedSamples, Error> {
        let input_error = |message: String| Err(Error::Input { path: path.to_owned(), message });
        match &self.samples {
            None if path.as_os_str().is_empty() => Err(Error::Config(
                "ensemble.samples is Stored; a synthetic posterior stores none, so expected Drawn".to_owned(),
            )),
            None => input_error(format!(
                "there is no tensor \"{tensors}.w_samples_packed\"; ensemble.samples = Stored reads its weight samples"
            )),
            Some(samples) if samples.members < members as usize => input_error(format!(
                "tensor \"{tensors}.w_samples_packed\" holds {} weight samples; {members} members need as many",
                samples.members
            )),
            Some(samples) => Ok(samples),
        }
    }
}

/// Parameters learned beside the weights: batch norm is `scale (x + bias - mean) / sd + shift` of the real-valued
/// accumulators x.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// Bias of the linear operation, one for each output (M).
    pub bias: Vec<f32>,
    /// Scale of batch norm (gamma), one for each output (M).
    pub scale: Vec<f32>,
    /// Shift of batch norm (beta), one for each output (M).
    pub shift: Vec<f32>,
}

impl Learned {
    /// Of a layer of `columns` outputs with neither bias nor affine batch norm.
    #[must_use]
    pub fn none(columns: u32) -> Self {
        let all = |value| vec![value; columns as usize];
        Self { bias: all(0.0), scale: all(1.0), shift: all(0.0) }
    }
}

/// Tensors of a layer by the part of their name behind the prefix. The last one is known, and not read.
pub(super) const TENSORS: [&str; 12] = [
    "p",
    "p_u8",
    "bn_mean",
    "bn_var",
    "bn_mean_mode",
    "bn_var_mode",
    "bn_weight",
    "bn_bias",
    "bias",
    "input_scale",
    "w_samples_packed",
    "lambda",
];

/// Stored weight samples of one layer.
#[derive(Debug, Clone)]
pub struct PackedSamples {
    /// Samples stored (T).
    pub members: usize,
    bytes: Vec<u8>,
}

impl PackedSamples {
    /// Bits of one member's sample in the order of [`LayerPosterior::p`], 1 = +1, lowest bit of a word first.
    ///
    /// # Panics
    /// Panics if `member` is not below [`members`](Self::members).
    #[must_use]
    pub fn member(&self, member: usize) -> Vec<u64> {
        let length = self.bytes.len() / self.members;
        let bytes = &self.bytes[member * length..(member + 1) * length];
        let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        bytes.chunks(8).map(word).collect()
    }
}

impl LoadedPosterior {
    /// The posterior of `workload`, whose resolved network is `net`; a file is taken relative to `folder`. None where the
    /// workload has no posterior.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read, otherwise those of [`from_bytes`](Self::from_bytes).
    pub fn load(workload: &Workload, net: &Net, folder: &Path) -> Result<Option<Self>, Error> {
        match &workload.posterior {
            Posterior::File { path, .. } => {
                let path = folder.join(path);
                let bytes = tensors::read(&path).map_err(Error::io(&path))?;
                Self::from_bytes(&bytes, &path, &workload.posterior, net).map(Some)
            }
            Posterior::Synthetic { seed, probabilistic } => Self::synthetic(*seed, probabilistic, net).map(Some),
            Posterior::Absent => Ok(None),
        }
    }

    /// Reads a posterior file that is in memory; `path` names it in messages. `spec` gives kappa, epsilon and the
    /// tensor of the scales; anything but [`Posterior::File`] is a defect of the caller.
    ///
    /// # Errors
    /// [`Error::Input`] with the first thing that is wrong: not a safetensors file, cut short, too large when
    /// decompressed, a tensor missing or of another type or shape, p given twice or outside 0..=1, a negative variance, a
    /// scale that is not positive, a tensor of a layer that no layer reads, statistics of an unknown configuration.
    pub fn from_bytes(bytes: &[u8], path: &Path, spec: &Posterior, net: &Net) -> Result<Self, Error> {
        let Posterior::File { kappa, bn_eps, input_scales, .. } = spec else {
            return Err(Error::Internal("a posterior file is read for a workload that names none".to_owned()));
        };
        let bytes = tensors::unpacked(bytes, path)?;
        let file = TensorFile::parse(&bytes, path)?;
        let scales = match input_scales {
            Some(name) => scales(&file, name, net.layers.len(), "input scales of all layers")?,
            None => {
                let mut all = Vec::with_capacity(net.layers.len());
                for layer in &net.layers {
                    let name = format!("{}.input_scale", layer.tensors);
                    all.extend(scales(&file, &name, 1, &format!("input scale of layer {}", layer.name))?);
                }
                all
            }
        };
        let mut layers = Vec::with_capacity(net.layers.len());
        for (layer, input_scale) in net.layers.iter().zip(scales) {
            layers.push(LayerPosterior {
                p: probabilities(&file, layer)?,
                sampled: batch_norm(&file, layer, "", *bn_eps)?,
                mode: batch_norm(&file, layer, "_mode", *bn_eps)?,
                learned: learned(&file, layer)?,
                input_scale,
                samples: samples(&file, layer)?,
            });
        }
        let (sets, member_sets) = further_sets(&file, net, input_scales.as_deref(), *bn_eps)?;
        Ok(Self {
            path: path.to_owned(),
            layers,
            sets,
            member_sets,
            metadata: file.metadata(),
            kappa: *kappa,
            bn_eps: *bn_eps,
        })
    }

    /// The set of statistics that was taken in the configuration `key`, beside those that every posterior has: the one for
    /// the converters and memory cells `read_by`, or else one for no certain ones, or else one for others. The fully sampled
    /// network and the mode network rather have those of the posterior than a set for others.
    #[must_use]
    pub fn set(&self, key: &StatisticsKey, read_by: &Value) -> Option<&StatisticsSet> {
        let has_own = [StatisticsKey::MODE, StatisticsKey::SAMPLED].contains(key);
        let of_key = self.sets.iter().filter(|set| set.key == *key);
        let found = of_key.min_by_key(|set| set.suits(read_by))?;
        (!has_own || found.suits(read_by) == Suits::Same).then_some(found)
    }

    /// Value of input code 1 of layer `layer` in the configuration `key` on a chip that reads by `read_by`.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    #[must_use]
    pub fn input_scale(&self, layer: usize, key: &StatisticsKey, read_by: &Value) -> f32 {
        let of_set = self.set(key, read_by).and_then(|set| set.input_scales.as_ref());
        of_set.map_or(self.layers[layer].input_scale, |scales| scales[layer])
    }

    /// Statistics of layer `layer` in the configuration `key`: those of its own set, or else the nearest.
    ///
    /// Layers before the first ensembling layer see the mode network, so its statistics are exact. For a layer behind it
    /// those sets are candidates in which this layer is sampled, the fully sampled network's among them. Of these the set
    /// with the nearest first ensembling layer is taken (the earlier of two as near), among several the one with the
    /// nearest eps (the smaller of two as near), and among several of these the one that [suits](Self::set) `read_by` best.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    #[must_use]
    pub fn statistics(&self, layer: usize, key: &StatisticsKey, read_by: &Value) -> Statistics<'_> {
        let of_layer = &self.layers[layer];
        // What was calibrated comes with scales of its own, and holds for all layers.
        if let Some(set) = self.set(key, read_by)
            && (set.input_scales.is_some() || key.first_ensembling_layer.is_some_and(|first| first <= layer))
        {
            let read_otherwise = set.suits(read_by) == Suits::Other;
            return Statistics {
                batch_norm: &set.layers[layer],
                set: &set.name,
                exact: !read_otherwise,
                read_otherwise,
            };
        }
        let Some(first) = key.first_ensembling_layer.filter(|first| *first <= layer) else {
            return Statistics { batch_norm: &of_layer.mode, set: "mode", exact: true, read_otherwise: false };
        };
        let sampled = (0, 0.0, "sampled", &of_layer.sampled, Suits::Any);
        let further = self.sets.iter().filter_map(|set| {
            let its_first = set.key.first_ensembling_layer.filter(|first| *first <= layer)?;
            Some((its_first, set.key.eps, set.name.as_str(), &set.layers[layer], set.suits(read_by)))
        });
        let far = |its_first: usize, eps: f64| (its_first.abs_diff(first), its_first, (eps - key.eps).abs(), eps);
        let nearer = |a: &(usize, f64, &str, _, Suits), b: &(usize, f64, &str, _, Suits)| {
            let ((layers, earlier, by, eps), other) = (far(a.0, a.1), far(b.0, b.1));
            let configuration = (layers, earlier).cmp(&(other.0, other.1)).then(by.total_cmp(&other.2));
            configuration.then(eps.total_cmp(&other.3)).then(a.4.cmp(&b.4))
        };
        let (its_first, eps, set, batch_norm, suits) = further.chain([sampled]).min_by(nearer).unwrap_or(sampled);
        let same = its_first == first && eps == key.eps;
        let read_otherwise = same && suits == Suits::Other;
        Statistics { batch_norm, set, exact: same && !read_otherwise, read_otherwise }
    }

    /// Probabilistic synapses of each layer of a synthetic posterior: of a layer's n synapses `round(share n)`, for its
    /// share in `probabilistic`. Exact, and known without drawing any p: [`synthetic`](Self::synthetic) draws which
    /// synapses they are, not how many.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if there is not one share in 0..=1 for each layer.
    pub fn synthetic_counts(probabilistic: &[f64], net: &Net) -> Result<Vec<u64>, Error> {
        if probabilistic.len() != net.layers.len() {
            return Err(Error::Config(format!(
                "posterior.probabilistic has {} shares; the network has {} layers",
                probabilistic.len(),
                net.layers.len()
            )));
        }
        if let Some((i, share)) = probabilistic.iter().enumerate().find(|(_, share)| !(0.0..=1.0).contains(*share)) {
            return Err(Error::Config(format!("posterior.probabilistic[{i}] is {share}; expected 0..=1")));
        }
        let count = |(layer, share): (&NetLayer, &f64)| (share * layer.synapses() as f64).round() as u64;
        Ok(net.layers.iter().zip(probabilistic).map(count).collect())
    }

    /// Synapses of each layer of a synthetic posterior that are [frozen](is_frozen) at `bits` bits, as expected of its
    /// distribution.
    ///
    /// # Errors
    /// As [`synthetic_counts`](Self::synthetic_counts).
    pub fn synthetic_frozen(probabilistic: &[f64], net: &Net, bits: u32) -> Result<Vec<u64>, Error> {
        let counts = Self::synthetic_counts(probabilistic, net)?;
        // p below half a step is held as 0, and as far from 1 as 1.
        let half_step = 0.5 / f64::from(1u32 << bits);
        let bound = f64::from(BOUNDS[0]);
        let of_sure = (half_step / bound).min(1.0);
        let of_probabilistic = ((half_step - bound) / (0.5 - bound)).max(0.0);
        let expected = |(layer, count): (&NetLayer, u64)| {
            let sure = (layer.synapses() - count) as f64;
            (of_sure * sure + of_probabilistic * count as f64).round() as u64
        };
        Ok(net.layers.iter().zip(counts).map(expected).collect())
    }

    /// Makes up a posterior. In each layer a random subset of the synapses, as large as
    /// [`synthetic_counts`](Self::synthetic_counts) says, is [probabilistic](is_probabilistic) with p uniform between the
    /// bounds; the others lie within 0.05 of 0 or 1, on either side as often.
    ///
    /// Batch norm takes the accumulators of independent inputs and weights to mean 0 and variance 1; hidden codes span
    /// four standard deviations, the input's codes span 0..=1. So activations neither die nor saturate.
    ///
    /// # Errors
    /// As [`synthetic_counts`](Self::synthetic_counts).
    pub fn synthetic(seed: u64, probabilistic: &[f64], net: &Net) -> Result<Self, Error> {
        let counts = Self::synthetic_counts(probabilistic, net)?;
        let layers = net.layers.iter().zip(counts).enumerate().map(|(index, (layer, count))| {
            let name = StreamName { layer: index as u32, ..StreamName::new(Purpose::SyntheticPosterior) };
            let largest_code = if layer.input_signed {
                f64::from((1u32 << (layer.input_bits - 1)).max(2) - 1)
            } else {
                f64::from((1u32 << layer.input_bits) - 1)
            };
            // Mean square of an input: uniform in 0..=1, or the positive half of a standard normal.
            let (span, mean_square) = match layer.source {
                LayerInput::Input => (1.0, 1.0 / 3.0),
                LayerInput::Layer(_) => (4.0, 0.5),
            };
            let columns = layer.columns as usize;
            let statistics = BatchNorm {
                mean: vec![0.0; columns],
                var: vec![(f64::from(layer.rows) * mean_square) as f32; columns],
            };
            LayerPosterior {
                p: synthetic_p(name.open(seed), layer.synapses(), count),
                sampled: statistics.clone(),
                mode: statistics,
                learned: Learned::none(layer.columns),
                input_scale: (span / largest_code) as f32,
                samples: None,
            }
        });
        let layers = layers.collect();
        Ok(Self {
            path: PathBuf::new(),
            layers,
            sets: Vec::new(),
            member_sets: Vec::new(),
            metadata: BTreeMap::new(),
            kappa: 1.0,
            bn_eps: 1e-5,
        })
    }
}

/// Bounds of the p of probabilistic synapses.
const BOUNDS: [f32; 2] = [0.05, 0.95];

/// Whether a synapse is probabilistic: 0.05 < p < 0.95. The bounds are the literature's: with them shares of probabilistic
/// synapses can be compared. Synapses beyond them are drawn all the same, and rarely flip.
#[must_use]
pub fn is_probabilistic(p: f32) -> bool {
    BOUNDS[0] < p && p < BOUNDS[1]
}

/// Whether a synapse whose p is held to `bits` bits is never drawn otherwise: its p is held as 0 or 1.
#[must_use]
pub fn is_frozen(p: f32, bits: u32) -> bool {
    let threshold = threshold(p, bits);
    threshold == 0 || threshold == 1 << bits
}

/// p of `synapses` synapses, of which a random subset of `probabilistic` is probabilistic.
fn synthetic_p(mut stream: Stream, synapses: u64, mut probabilistic: u64) -> Vec<f32> {
    let within = |p: f32| p.clamp(BOUNDS[0].next_up(), BOUNDS[1].next_down());
    let draw = |left: u64| {
        // Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S): every subset is as likely, and its size is exact.
        let chosen = (u128::from(stream.bits()) * u128::from(left)) >> 64 < u128::from(probabilistic);
        probabilistic -= u64::from(chosen);
        let place = stream.uniform();
        // The side of a sure synapse is a coin toss: arithmetic is cheaper than a branch that is guessed wrong.
        let side = f64::from(u8::from(place >= 0.5));
        let sure = (1.0 - side) * (0.1 * place) + side * (1.0 - 0.1 * (1.0 - place));
        if chosen { within((0.05 + 0.9 * place) as f32) } else { sure as f32 }
    };
    (1..=synapses).rev().map(draw).collect()
}

/// Input scales: `count` positive numbers.
fn scales(file: &TensorFile, name: &str, count: usize, meaning: &str) -> Result<Vec<f32>, Error> {
    let scales = file.floats(name, meaning, &[count])?;
    match scales.iter().position(|&scale| scale <= 0.0) {
        Some(i) => Err(file.error(format!("tensor \"{name}\" holds {} at [{i}]; a scale is positive", scales[i]))),
        None => Ok(scales),
    }
}

/// p of a layer's synapses.
fn probabilities(file: &TensorFile, layer: &NetLayer) -> Result<Vec<f32>, Error> {
    let name = format!("{}.p", layer.tensors);
    let columns = layer.columns as usize;
    let shape = match layer.op {
        Operation::Conv { kernel, .. } => {
            vec![columns, layer.input.channels as usize, kernel as usize, kernel as usize]
        }
        Operation::Linear { .. } => vec![columns, layer.rows as usize],
    };
    let in_bytes = format!("{name}_u8");
    if let Some(view) = file.find(&in_bytes) {
        if file.find(&name).is_some() {
            return Err(file.error(format!("tensors \"{name}\" and \"{in_bytes}\" both hold p; expected one of them")));
        }
        file.expect(&in_bytes, &view, Dtype::U8, &shape)?;
        return Ok(view.data().iter().map(|&step| f32::from(step) / 255.0).collect());
    }
    let p = file.floats(&name, &format!("p of the synapses of layer {}", layer.name), &shape)?;
    match p.iter().position(|p| !(0.0..=1.0).contains(p)) {
        Some(i) => Err(file.error(format!(
            "tensor \"{name}\" holds {} at {}; a probability is within 0..=1",
            p[i],
            index_text(i, &shape)
        ))),
        None => Ok(p),
    }
}

/// One set of a layer's batch-norm statistics.
fn batch_norm(file: &TensorFile, layer: &NetLayer, suffix: &str, bn_eps: f64) -> Result<BatchNorm, Error> {
    statistics_of(file, layer, suffix, bn_eps, &[layer.columns as usize])
}

/// A layer's batch-norm statistics of each of `members` members, or of one for all of them.
fn member_batch_norms(
    file: &TensorFile,
    layer: &NetLayer,
    suffix: &str,
    bn_eps: f64,
    members: usize,
) -> Result<Vec<BatchNorm>, Error> {
    let name = format!("{}.bn_mean{suffix}", layer.tensors);
    let columns = layer.columns as usize;
    let shared = file.find(&name).is_some_and(|view| view.shape() == [1, columns]);
    let shape = [if shared { 1 } else { members }, columns];
    let BatchNorm { mean, var } = statistics_of(file, layer, suffix, bn_eps, &shape)?;
    let of_members = mean.chunks_exact(columns).zip(var.chunks_exact(columns));
    Ok(of_members.map(|(mean, var)| BatchNorm { mean: mean.to_vec(), var: var.to_vec() }).collect())
}

/// Means and variances in tensors of a shape.
fn statistics_of(
    file: &TensorFile,
    layer: &NetLayer,
    suffix: &str,
    bn_eps: f64,
    shape: &[usize],
) -> Result<BatchNorm, Error> {
    let mean_name = format!("{}.bn_mean{suffix}", layer.tensors);
    let mean = file.floats(&mean_name, &format!("batch-norm means of layer {}", layer.name), shape)?;
    let var_name = format!("{}.bn_var{suffix}", layer.tensors);
    let var = file.floats(&var_name, &format!("batch-norm variances of layer {}", layer.name), shape)?;
    if let Some(i) = var.iter().position(|&var| var < 0.0) {
        return Err(file.error(format!("tensor \"{var_name}\" holds {} at [{i}]; a variance is not negative", var[i])));
    }
    if let Some(i) = var.iter().position(|&var| f64::from(var) + bn_eps <= 0.0) {
        return Err(
            file.error(format!("tensor \"{var_name}\" holds 0 at [{i}], and bn_eps is {bn_eps}: their sum divides"))
        );
    }
    Ok(BatchNorm { mean, var })
}

/// Bias, scale and shift of a layer; what the file does not have changes nothing.
fn learned(file: &TensorFile, layer: &NetLayer) -> Result<Learned, Error> {
    let none = Learned::none(layer.columns);
    let of = |suffix: &str, meaning: &str, absent: Vec<f32>| {
        let name = format!("{}.{suffix}", layer.tensors);
        match file.find(&name) {
            Some(_) => file.floats(&name, meaning, &[layer.columns as usize]),
            None => Ok(absent),
        }
    };
    Ok(Learned {
        bias: of("bias", "biases", none.bias)?,
        scale: of("bn_weight", "scales of batch norm", none.scale)?,
        shift: of("bn_bias", "shifts of batch norm", none.shift)?,
    })
}

/// Statistics beside those that every posterior has. Refuses a tensor that bears a layer's prefix and is none of those
/// that a layer has.
fn further_sets(
    file: &TensorFile,
    net: &Net,
    scales_of_all: Option<&str>,
    bn_eps: f64,
) -> Result<(Vec<StatisticsSet>, Vec<MemberStatistics>), Error> {
    let described = statistics::described(file)?;
    let prefixes: BTreeMap<&str, &NetLayer> = net.layers.iter().map(|layer| (layer.tensors.as_str(), layer)).collect();
    let indices = net.layers.iter().enumerate().map(|(index, layer)| (layer.name.as_str(), index)).collect();
    let mut keys: BTreeMap<String, StatisticsKey> = BTreeMap::new();
    let mut known = BTreeMap::from([
        ((Some(0), 0, None, None), "bn_mean and bn_var".to_owned()),
        ((None, 0, None, None), "bn_mean_mode and bn_var_mode".to_owned()),
    ]);
    let weights_of = |set: &str| described.get(set).and_then(|described| described.weights.clone());
    let read_by = |set: &str| described.get(set).and_then(|described| described.read_by.clone());
    for name in file.names().into_iter().filter(|name| Some(*name) != scales_of_all) {
        // A prefix may contain dots itself; the longest one applies.
        let mut dots = name.char_indices().rev().filter(|(_, c)| *c == '.');
        let of_layer = dots.find_map(|(dot, _)| Some((*prefixes.get(&name[..dot])?, &name[dot + 1..])));
        let Some((layer, tensor)) = of_layer.filter(|(_, tensor)| !TENSORS.contains(tensor)) else { continue };
        let kinds = ["bn_mean_", "bn_var_", "input_scale_"];
        let set = kinds.iter().find_map(|kind| tensor.strip_prefix(kind));
        if set.is_some_and(|set| keys.contains_key(set)) {
            continue;
        }
        let key = set.map(|set| statistics::key(file, &indices, &described, set)).transpose()?.flatten();
        let (Some(set), Some(key)) = (set, key) else {
            return Err(unknown(file, net, described.keys(), layer, name));
        };
        let reader = read_by(set).map(|reader| reader.to_string());
        let configuration = (key.first_ensembling_layer, key.eps.to_bits(), weights_of(set), reader);
        let same = known.insert(configuration, format!("\"{set}\""));
        if let Some(same) = same {
            return Err(file.error(format!(
                "statistics \"{set}\" belong to the same sampling configuration as {same}; expected one set for each"
            )));
        }
        keys.insert(set.to_owned(), key);
    }
    let (of_members, shared): (Vec<_>, Vec<_>) = keys.into_iter().partition(|(name, _)| weights_of(name).is_some());
    let of_members = of_members.into_iter().map(|(name, key)| {
        let weights = weights_of(&name).unwrap_or_default();
        let suffix = format!("_{name}");
        let layer = |layer| member_batch_norms(file, layer, &suffix, bn_eps, weights.len());
        let layers = net.layers.iter().map(layer).collect::<Result<_, Error>>()?;
        let scale = |layer: &NetLayer| {
            let tensor = format!("{}.input_scale{suffix}", layer.tensors);
            Ok(scales(file, &tensor, 1, "input scale of a set of statistics")?[0])
        };
        let input_scales = net.layers.iter().map(scale).collect::<Result<_, Error>>()?;
        Ok(MemberStatistics { read_by: read_by(&name), name, key, weights, layers, input_scales })
    });
    let of_members = of_members.collect::<Result<_, Error>>()?;
    let set = |(name, key): (String, StatisticsKey)| {
        let layers = net.layers.iter().map(|layer| batch_norm(file, layer, &format!("_{name}"), bn_eps));
        let scale = |layer: &NetLayer| format!("{}.input_scale_{name}", layer.tensors);
        let has_scales = net.layers.iter().any(|layer| file.find(&scale(layer)).is_some());
        let input_scales = has_scales.then(|| {
            let of_layer = |layer| Ok(scales(file, &scale(layer), 1, "input scale of a set of statistics")?[0]);
            net.layers.iter().map(of_layer).collect::<Result<Vec<f32>, Error>>()
        });
        let (layers, input_scales) = (layers.collect::<Result<_, Error>>()?, input_scales.transpose()?);
        Ok(StatisticsSet { layers, input_scales, read_by: read_by(&name), name, key })
    };
    Ok((shared.into_iter().map(set).collect::<Result<_, Error>>()?, of_members))
}

/// The error about a tensor that bears the prefix of `layer` and is none that it has.
fn unknown<'a>(
    file: &TensorFile,
    net: &Net,
    described: impl Iterator<Item = &'a String>,
    layer: &NetLayer,
    name: &str,
) -> Error {
    let of_layer = |tensor: &str| format!("{}.{tensor}", layer.tensors);
    let expected: Vec<String> = TENSORS.iter().map(|tensor| of_layer(tensor)).collect();
    let from_layers = net.layers.iter().map(|layer| format!("{FROM_LAYER}{}", layer.name));
    let sets = described.cloned().chain(from_layers);
    let sets: Vec<String> =
        sets.flat_map(|set| ["mean", "var"].map(|of| of_layer(&format!("bn_{of}_{set}")))).collect();
    let near = nearest(name, expected.iter().chain(&sets).map(String::as_str));
    let remedy = near.map_or_else(
        || {
            format!(
                "expected one of {}, or further statistics as {}",
                expected.join(", "),
                of_layer("bn_mean_fel_LAYER")
            )
        },
        |near| format!("did you mean \"{near}\"?"),
    );
    file.error(format!("tensor \"{name}\" is none that layer {} reads; {remedy}", layer.name))
}

/// The stored weight samples of a layer, if the file has them.
fn samples(file: &TensorFile, layer: &NetLayer) -> Result<Option<PackedSamples>, Error> {
    let name = format!("{}.w_samples_packed", layer.tensors);
    let Some(view) = file.find(&name) else { return Ok(None) };
    let members = view.shape().first().copied().unwrap_or(0);
    let bytes = usize::try_from(layer.synapses().div_ceil(8)).unwrap_or(usize::MAX);
    file.expect(&name, &view, Dtype::U8, &[members, bytes])?;
    if members == 0 {
        return Err(file.error(format!("tensor \"{name}\" holds no sample; expected at least one")));
    }
    Ok(Some(PackedSamples { members, bytes: view.data().to_vec() }))
}
