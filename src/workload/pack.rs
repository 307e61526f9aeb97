//! Makes a compact posterior file: p in bytes, batch-norm statistics, input scales, a few weight samples, compressed.
//!
//! A step is a p that `p_u8` holds, a multiple of 1/255. With fewer steps than all 256 the file compresses further; the
//! nearest one is stored for each p, the smaller of two as near.

use crate::error::{Error, nearest};
use crate::workload::posterior::TENSORS;
use crate::workload::statistics::{BatchNorm, METADATA, metadata_object};
use crate::workload::tensors::{self, TensorFile, index_text};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What to store, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct PackOptions {
    /// The steps that are stored, as multiples of 1/255; see [`even_steps`] and [`mirrored_steps`].
    pub steps: BTreeSet<u8>,
    /// Most weight samples that are stored of each layer.
    pub samples: usize,
    /// Prefixes of the layers' tensors and what they become, for all layers in the network's order. Empty: they stay, and
    /// the order is that of their names, by text and then by number.
    pub rename: Vec<(String, String)>,
    /// Input scales of the layers, where the file has no `<layer>.input_scale`.
    pub scales: Scales,
    /// Name of the posterior.
    pub name: String,
    /// How the posterior was made, for people.
    pub description: String,
}

/// Where input scales come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Scales {
    /// Each layer's own tensor `<layer>.input_scale`.
    Stored,
    /// A tensor with one scale for each layer, in the network's order.
    Tensor(String),
    /// These, in the network's order.
    Given(Vec<f32>),
    /// `first` for the first layer, [`half_normal_scale`] of `bits` for each other one.
    Estimated { bits: u32, first: f32 },
}

/// Scale of `bits`-bit codes with the least mean squared error on the positive half of a standard normal distribution: what
/// a ReLU leaves of normalised activations, if they are normal. Codes are rounded and clipped.
///
/// # Errors
/// Returns [`Error::Config`] unless the bits are 1..=12.
pub fn half_normal_scale(bits: u32) -> Result<f32, Error> {
    if !(1..=12).contains(&bits) {
        return Err(Error::Config(format!("scales are estimated for 1..=12 bits, not {bits}")));
    }
    let largest = f64::from((1u32 << bits) - 1);
    let density = |x: f64| libm::exp(-0.5 * x * x) / libm::sqrt(2.0 * std::f64::consts::PI);
    let above = |x: f64| 0.5 * libm::erfc(x / std::f64::consts::SQRT_2);
    // Integral of (x - c)^2 times the density from a on: (1 + c^2) Q(a) + (a - 2 c) density(a).
    let from = |a: f64, c: f64| (1.0 + c * c) * above(a) + (a - 2.0 * c) * density(a);
    let error = |scale: f64| {
        let codes = (0..1u32 << bits).map(f64::from);
        let of_code = |code: f64| {
            let (value, low) = (code * scale, ((code - 0.5) * scale).max(0.0));
            let rest = if code < largest { from((code + 0.5) * scale, value) } else { 0.0 };
            from(low, value) - rest
        };
        codes.map(of_code).sum::<f64>()
    };
    // Golden-section search: the error falls, then rises.
    let (mut low, mut high) = (0.5 / largest, 8.0 / largest);
    let shrink = 2.0 / (1.0 + libm::sqrt(5.0));
    for _ in 0..60 {
        let (a, b) = (high - shrink * (high - low), low + shrink * (high - low));
        if error(a) < error(b) { high = b } else { low = a }
    }
    Ok((0.5 * (low + high)) as f32)
}

/// A posterior file that is made.
#[derive(Debug, Clone)]
pub struct Packed {
    /// The safetensors file, not compressed.
    pub bytes: Vec<u8>,
    /// Its layers, in the network's order.
    pub layers: Vec<PackedLayer>,
    /// Names of further sets of batch-norm statistics.
    pub sets: Vec<String>,
    /// Tensors of the source that are no part of it.
    pub left_out: Vec<String>,
}

/// A layer of a packed posterior.
#[derive(Debug, Clone, PartialEq)]
pub struct PackedLayer {
    /// Prefix of its tensors in the source.
    pub from: String,
    /// Prefix of its tensors.
    pub name: String,
    /// Number of synapses.
    pub synapses: u64,
    /// Largest distance of a p from the step that stands for it.
    pub largest_error: f64,
    /// Value of input code 1.
    pub input_scale: f32,
    /// Weight samples that are stored, and those of the source.
    pub samples: [usize; 2],
}

/// `levels` steps at equal distances, from 0 to 1.
///
/// # Errors
/// Returns [`Error::Config`] unless the number is even and in 2..=256: an odd number has a step at 1/2, which has no mode.
pub fn even_steps(levels: u32) -> Result<BTreeSet<u8>, Error> {
    if !(2..=256).contains(&levels) || !levels.is_multiple_of(2) {
        return Err(Error::Config(format!("{levels} levels; expected an even number in 2..=256")));
    }
    let last = levels - 1;
    // Rounded; below a half it stays below.
    Ok((0..levels).map(|level| ((2 * 255 * level + last) / (2 * last)) as u8).collect())
}

/// The steps of `lower` and 255 less each of them.
///
/// # Errors
/// Returns [`Error::Config`] unless 0 is among them and all are below 128.
pub fn mirrored_steps(lower: &[u8]) -> Result<BTreeSet<u8>, Error> {
    if let Some(step) = lower.iter().find(|step| **step > 127) {
        return Err(Error::Config(format!("step {step}; expected 0..=127, whose mirror images are added")));
    }
    if !lower.contains(&0) {
        return Err(Error::Config("step 0 is missing: p of exactly 0 and 1 would be lost".to_owned()));
    }
    Ok(lower.iter().flat_map(|step| [*step, 255 - step]).collect())
}

/// Packs the posterior in `bytes`; `path` names it in messages.
///
/// # Errors
/// Returns [`Error::Input`] if it is no posterior file, or lacks a tensor that a posterior needs.
pub fn pack(bytes: &[u8], path: &Path, options: &PackOptions) -> Result<Packed, Error> {
    let unpacked = tensors::unpacked(bytes, path)?;
    let file = TensorFile::parse(&unpacked, path)?;
    let order = order(&file, &options.rename)?;
    let scales = scales(&file, &order, &options.scales)?;
    let steps: Vec<u8> = options.steps.iter().copied().collect();
    let nearest_step = |p: f64| {
        let place = p * 255.0;
        let above = steps.partition_point(|step| f64::from(*step) < place);
        let far = |step: &u8| (place - f64::from(*step)).abs();
        // Of two as near the first.
        let near = steps[above.saturating_sub(1)..].iter().take(2).min_by(|a, b| far(a).total_cmp(&far(b)));
        near.copied().unwrap_or(0)
    };
    let mut made = Made::new();
    let (mut layers, mut sets) = (Vec::new(), BTreeSet::new());
    for ((from, name), input_scale) in order.iter().zip(scales) {
        let (shape, p) = probabilities(&file, from)?;
        let steps: Vec<u8> = p.iter().map(|p| nearest_step(*p)).collect();
        let error = |(p, step): (&f64, &u8)| (p - f64::from(*step) / 255.0).abs();
        let mut layer = PackedLayer {
            from: from.clone(),
            name: name.clone(),
            synapses: p.len() as u64,
            largest_error: p.iter().zip(&steps).map(error).fold(0.0, f64::max),
            input_scale,
            samples: [0; 2],
        };
        let columns = shape.first().copied().unwrap_or(0);
        made.insert(format!("{name}.p_u8"), (Dtype::U8, shape, steps));
        made.insert(format!("{name}.input_scale"), floats(&[input_scale]));
        for tensor in tensors_of(&file, from, &order) {
            let full = format!("{from}.{tensor}");
            let scale = tensor.starts_with("input_scale_");
            let set = ["bn_mean_", "bn_var_", "input_scale_"].iter().find_map(|kind| tensor.strip_prefix(kind));
            sets.extend(set.filter(|set| *set != "mode").map(str::to_owned));
            match tensor.as_str() {
                "p" | "p_u8" | "input_scale" | "lambda" => {}
                "w_samples_packed" => {
                    let length = p.len().div_ceil(8);
                    let view = file.get(&full, "weight samples")?;
                    let stored = view.shape().first().copied().unwrap_or(0);
                    file.expect(&full, &view, Dtype::U8, &[stored, length])?;
                    let kept = stored.min(options.samples);
                    layer.samples = [kept, stored];
                    if kept > 0 {
                        let samples = view.data()[..kept * length].to_vec();
                        made.insert(format!("{name}.{tensor}"), (Dtype::U8, vec![kept, length], samples));
                    }
                }
                known if set.is_some() || TENSORS.contains(&known) => {
                    let view = file.get(&full, "one number for each output")?;
                    let shape = match view.shape() {
                        // Statistics of each member.
                        &[members, of] if set.is_some() && of == columns => vec![members, columns],
                        _ => vec![if scale { 1 } else { columns }],
                    };
                    let values = file.floats(&full, "one number for each output", &shape)?;
                    let (dtype, _, bytes) = floats(&values);
                    made.insert(format!("{name}.{tensor}"), (dtype, shape, bytes));
                }
                _ => {
                    let near = nearest(&tensor, TENSORS).map(|near| format!("; did you mean \"{from}.{near}\"?"));
                    let message = format!("tensor \"{full}\" is none that a posterior has");
                    return Err(file.error(message + &near.unwrap_or_default()));
                }
            }
        }
        for needed in ["bn_mean", "bn_var", "bn_mean_mode", "bn_var_mode"] {
            file.get(&format!("{from}.{needed}"), "batch-norm statistics")?;
        }
        layers.push(layer);
    }
    let prefixes: Vec<String> = order.iter().map(|(from, _)| format!("{from}.")).collect();
    let of_layer = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix)) && !name.ends_with(".lambda");
    let left_out = file.names().into_iter().filter(|name| !of_layer(name)).map(str::to_owned).collect();
    let about = about(&file, bytes, options, &layers);
    let bytes = written(made, &about).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Packed { bytes, layers, sets: sets.into_iter().collect(), left_out })
}

/// A set of statistics to add to a posterior file.
#[derive(Debug, Clone)]
pub struct NewSet<'a> {
    /// Its name.
    pub name: &'a str,
    /// Name of the first ensembling layer that it belongs to; none: the mode network.
    pub first_ensembling_layer: Option<&'a str>,
    /// Threshold of probabilistic synapses that it belongs to.
    pub eps: f64,
    /// Hashes of the members' weights, where each has statistics of its own.
    pub weights: Option<Vec<String>>,
    /// Converters and memory cells that it was taken with.
    pub read_by: Value,
    /// Hash of the file of the calibration images.
    pub calibration: String,
    /// For each layer the prefix of its tensors, its statistics (those of each member, or one for all) and its input scale.
    pub layers: Vec<(&'a str, &'a [BatchNorm], f32)>,
}

/// A posterior file with a further set of statistics; a set of the same name is replaced. `path` names the file in messages.
///
/// # Errors
/// Returns [`Error::Input`] if it is no safetensors file.
pub fn with_set(bytes: &[u8], path: &Path, set: &NewSet<'_>) -> Result<Vec<u8>, Error> {
    let unpacked = tensors::unpacked(bytes, path)?;
    let file = TensorFile::parse(&unpacked, path)?;
    let mut made = Made::new();
    for name in file.names() {
        let view = file.get(name, "a tensor of the file")?;
        made.insert(name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec()));
    }
    for (prefix, statistics, input_scale) in &set.layers {
        for (kind, of) in [("mean", (|s| &s.mean) as fn(&BatchNorm) -> &Vec<f32>), ("var", |s| &s.var)] {
            let (dtype, mut shape, bytes) = floats(&statistics.iter().flat_map(of).copied().collect::<Vec<f32>>());
            if set.weights.is_some() {
                shape = vec![statistics.len(), shape[0] / statistics.len()];
            }
            made.insert(format!("{prefix}.bn_{kind}_{}", set.name), (dtype, shape, bytes));
        }
        made.insert(format!("{prefix}.input_scale_{}", set.name), floats(&[*input_scale]));
    }
    let metadata = file.metadata();
    let mut about = metadata_object(&metadata).unwrap_or_default();
    for (key, text) in metadata.into_iter().filter(|(key, _)| key != METADATA) {
        about.entry("source").or_insert_with(|| json!({}))[key] = Value::String(text);
    }
    let described = about.entry("statistics").or_insert_with(|| json!({}));
    described[set.name] = json!({
        "first_ensembling_layer": set.first_ensembling_layer,
        "eps": set.eps,
        "calibration": set.calibration,
        "read_by": set.read_by,
    });
    if let Some(weights) = &set.weights {
        described[set.name]["weights"] = json!(weights);
    }
    written(made, &Value::Object(about)).map_err(|error| Error::Internal(error.to_string()))
}

/// Compresses a file with zstd.
///
/// # Errors
/// Returns [`Error::Internal`] if the library fails.
pub fn compress(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    // Of all levels this one leaves the smallest posteriors.
    zstd::encode_all(bytes, 19).map_err(|error| Error::Internal(format!("zstd: {error}")))
}

/// Element type, shape and bytes of tensors, by name.
type Made = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn floats(values: &[f32]) -> (Dtype, Vec<usize>, Vec<u8>) {
    (Dtype::F32, vec![values.len()], values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn written(made: Made, about: &Value) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let views = made
        .iter()
        .map(|(name, (dtype, shape, bytes))| TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name, view)));
    // One key: several are written in no fixed order.
    let metadata = [(METADATA.to_owned(), about.to_string())].into();
    serialize(views.collect::<Result<Vec<_>, _>>()?, Some(metadata))
}

/// Prefixes of the layers and what they become, in the network's order.
fn order(file: &TensorFile, rename: &[(String, String)]) -> Result<Vec<(String, String)>, Error> {
    let names = file.names();
    let prefixes: BTreeSet<&str> =
        names.iter().filter_map(|name| name.strip_suffix(".p").or(name.strip_suffix(".p_u8"))).collect();
    if prefixes.is_empty() {
        return Err(file.error("there is no tensor LAYER.p or LAYER.p_u8; expected one for each layer"));
    }
    if rename.is_empty() {
        let number = |name: &str| {
            let text = name.trim_end_matches(|c: char| c.is_ascii_digit());
            (text.to_owned(), name[text.len()..].parse::<u64>().unwrap_or(0), name.to_owned())
        };
        let mut order: Vec<(String, String)> =
            prefixes.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
        order.sort_by_key(|(name, _)| number(name));
        return Ok(order);
    }
    let mut becomes = BTreeSet::new();
    let mut left = prefixes.clone();
    for (from, name) in rename {
        if !left.remove(from.as_str()) {
            let near = nearest(from, prefixes.iter().copied()).filter(|near| near != from);
            let near = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
            let what = if prefixes.contains(from.as_str()) { "is renamed twice" } else { "is no layer" };
            return Err(file.error(format!("\"{from}\" {what}{near}")));
        }
        if !becomes.insert(name) {
            return Err(file.error(format!("two layers would be called \"{name}\"")));
        }
    }
    match left.first() {
        Some(left) => {
            Err(file.error(format!("layer \"{left}\" has no new name; expected one for each layer, or for none")))
        }
        None => Ok(rename.to_vec()),
    }
}

/// Names of the tensors of layer `prefix` behind its prefix. A layer whose prefix is longer keeps its own.
fn tensors_of(file: &TensorFile, prefix: &str, order: &[(String, String)]) -> Vec<String> {
    let longer: Vec<String> = order
        .iter()
        .filter(|(other, _)| other.len() > prefix.len() && other.starts_with(prefix))
        .map(|(other, _)| format!("{other}."))
        .collect();
    let own = |name: &&str| !longer.iter().any(|longer| name.starts_with(longer.as_str()));
    let behind = |name: &str| name.strip_prefix(prefix)?.strip_prefix('.').map(str::to_owned);
    file.names().into_iter().filter(own).filter_map(behind).collect()
}

/// Shape and p of a layer.
fn probabilities(file: &TensorFile, layer: &str) -> Result<(Vec<usize>, Vec<f64>), Error> {
    let (name, in_bytes) = (format!("{layer}.p"), format!("{layer}.p_u8"));
    match (file.find(&name), file.find(&in_bytes)) {
        (Some(_), Some(_)) => {
            Err(file.error(format!("tensors \"{name}\" and \"{in_bytes}\" both hold p; expected one of them")))
        }
        (None, Some(view)) => {
            file.expect_dtype(&in_bytes, &view, &[Dtype::U8])?;
            Ok((view.shape().to_vec(), view.data().iter().map(|&step| f64::from(step) / 255.0).collect()))
        }
        _ => {
            let shape = file.get(&name, "p of a layer's synapses")?.shape().to_vec();
            let p = file.floats(&name, "p of a layer's synapses", &shape)?;
            if let Some(i) = p.iter().position(|p| !(0.0..=1.0).contains(p)) {
                let (p, place) = (p[i], index_text(i, &shape));
                return Err(
                    file.error(format!("tensor \"{name}\" holds {p} at {place}; a probability is within 0..=1"))
                );
            }
            Ok((shape, p.into_iter().map(f64::from).collect()))
        }
    }
}

/// The input scale of each layer.
fn scales(file: &TensorFile, order: &[(String, String)], scales: &Scales) -> Result<Vec<f32>, Error> {
    let all = match scales {
        Scales::Tensor(name) => file.floats(name, "input scales of all layers", &[order.len()])?,
        Scales::Given(given) if given.len() == order.len() => given.clone(),
        Scales::Given(given) => {
            let (given, layers) = (given.len(), order.len());
            return Err(
                file.error(format!("{given} input scales are given; expected one for each of the {layers} layers"))
            );
        }
        Scales::Estimated { bits, first } => {
            let others = half_normal_scale(*bits)?;
            std::iter::once(*first).chain(std::iter::repeat(others)).take(order.len()).collect()
        }
        Scales::Stored => {
            let of = |(layer, _): &(String, String)| file.floats(&format!("{layer}.input_scale"), "input scale", &[1]);
            order.iter().map(of).collect::<Result<Vec<_>, _>>()?.concat()
        }
    };
    match all.iter().position(|scale| !scale.is_finite() || *scale <= 0.0) {
        Some(i) => {
            Err(file.error(format!("the input scale of layer {} is {}; a scale is positive", order[i].0, all[i])))
        }
        None => Ok(all),
    }
}

/// What the header says: how the posterior was made and packed, configurations of its statistics, the source's metadata.
fn about(file: &TensorFile, bytes: &[u8], options: &PackOptions, layers: &[PackedLayer]) -> Value {
    let metadata = file.metadata();
    let statistics = metadata_object(&metadata).and_then(|mut object| object.remove("statistics"));
    let parsed = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    let source: Map<String, Value> = metadata.into_iter().map(|(key, text)| (key, parsed(text))).collect();
    let renamed = layers.iter().filter(|layer| layer.from != layer.name);
    let mut about = json!({
        "format": "crossbayes-posterior",
        "name": options.name,
        "description": options.description,
        "packed": {
            "version": env!("CARGO_PKG_VERSION"),
            "source_blake3": blake3::hash(bytes).to_hex().as_str(),
            "steps": options.steps,
            "largest_error": layers.iter().map(|layer| layer.largest_error).fold(0.0, f64::max),
            "renamed": renamed.map(|layer| (layer.name.clone(), layer.from.clone().into())).collect::<Map<_, Value>>(),
        },
        "source": source,
    });
    if let Some(statistics) = statistics {
        about["statistics"] = statistics;
    }
    about
}
