//! Batch-norm statistics by sampling configuration.
//!
//! Statistics belong to a way of sampling: the mode network with those of the sampled one loses points of accuracy. Every
//! posterior has two sets, of the fully sampled network and of the mode network; a file may hold further ones.

use crate::error::{Error, nearest};
use crate::workload::tensors::TensorFile;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Batch-norm statistics of a layer's M accumulators, in units of real-valued activations.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    /// Means, one for each output (M).
    pub mean: Vec<f32>,
    /// Variances, one for each output (M); not negative.
    pub var: Vec<f32>,
}

/// What of a sampling configuration batch-norm statistics belong to. Those of a set may belong to converters and memory cells
/// besides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatisticsKey {
    /// Index of the first ensembling layer in the [`Net`](crate::network::Net): layers before it are at the mode. None: all layers are.
    pub first_ensembling_layer: Option<usize>,
    /// From that layer on synapses with p <= eps or p >= 1 - eps are at the mode too. 0..0.5.
    pub eps: f64,
}

impl StatisticsKey {
    /// The mode network.
    pub const MODE: Self = Self { first_ensembling_layer: None, eps: 0.0 };
    /// The fully sampled network.
    pub const SAMPLED: Self = Self { first_ensembling_layer: Some(0), eps: 0.0 };
}

/// Statistics of all layers for one sampling configuration.
#[derive(Debug, Clone)]
pub struct StatisticsSet {
    /// Its name: what follows `bn_mean_` in the names of its tensors.
    pub name: String,
    /// The configuration that it belongs to.
    pub key: StatisticsKey,
    /// One entry for each layer of the [`Net`](crate::network::Net), in its order.
    pub layers: Vec<BatchNorm>,
    /// Input scales of all layers that belong to it, if it has any.
    pub input_scales: Option<Vec<f32>>,
    /// Converters and memory cells that it was taken with; none: no certain ones.
    pub read_by: Option<Value>,
}

impl StatisticsSet {
    /// How well the set suits a chip that reads its arrays by `read_by`, best first: taken with the same, with no certain
    /// converters and memory cells, with others.
    pub(super) fn suits(&self, read_by: &Value) -> Suits {
        match &self.read_by {
            Some(own) if own == read_by => Suits::Same,
            Some(_) => Suits::Other,
            None => Suits::Any,
        }
    }
}

/// See [`StatisticsSet::suits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Suits {
    Same,
    Any,
    Other,
}

/// Statistics of each member of an ensemble. They belong to the members' very weights, whatever these were drawn or read
/// from.
#[derive(Debug, Clone)]
pub struct MemberStatistics {
    /// Its name: what follows `bn_mean_` in the names of its tensors.
    pub name: String,
    /// The configuration that it belongs to.
    pub key: StatisticsKey,
    /// The hash of each member's weights.
    pub weights: Vec<String>,
    /// Statistics `[layer][member]`; of one member only in a layer that all members share.
    pub layers: Vec<Vec<BatchNorm>>,
    /// Input scales of all layers, the same for all members.
    pub input_scales: Vec<f32>,
    /// Converters and memory cells that they were taken with; none: no certain ones.
    pub read_by: Option<Value>,
}

/// Statistics of one layer, as found for a sampling configuration.
#[derive(Debug, Clone, Copy)]
pub struct Statistics<'a> {
    /// The statistics.
    pub batch_norm: &'a BatchNorm,
    /// Name of the set that they are from; `sampled` and `mode` are the two that every posterior has.
    pub set: &'a str,
    /// Whether they were taken in this configuration; otherwise they are the nearest ones.
    pub exact: bool,
    /// Whether they are not exact only for having been taken with other converters or memory cells.
    pub read_otherwise: bool,
}

/// Key of a file's metadata whose JSON object is read.
pub(super) const METADATA: &str = "crossbayes";

/// A set's configuration in that JSON, in the object `statistics` under the set's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Described {
    /// Name of the first ensembling layer; none: all layers are at the mode. It cannot be left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) first_ensembling_layer: Option<String>,
    /// Threshold of probabilistic synapses.
    #[serde(default)]
    pub(super) eps: f64,
    /// Hashes of the members' weights, where each member has statistics of its own.
    #[serde(default)]
    pub(super) weights: Option<Vec<String>>,
    /// Hash of the file of the calibration images that they were taken on.
    #[serde(default)]
    pub(super) calibration: Option<String>,
    /// Converters and memory cells that they were taken with; none: no certain ones.
    #[serde(default)]
    pub(super) read_by: Option<Value>,
}

/// Part of names that need no description: `fel_conv5` is sampled from layer `conv5` on.
pub(super) const FROM_LAYER: &str = "fel_";

/// Descriptions of sets in a file's metadata, by name.
pub(super) fn described(file: &TensorFile) -> Result<BTreeMap<String, Described>, Error> {
    let sets = metadata_object(&file.metadata()).and_then(|mut object| object.remove("statistics"));
    let Some(sets) = sets else { return Ok(BTreeMap::new()) };
    serde_json::from_value(sets).map_err(|error| {
        file.error(format!(
            "statistics in the metadata \"{METADATA}\" are not described by first_ensembling_layer and eps: {error}"
        ))
    })
}

/// The JSON object in a file's metadata.
pub(super) fn metadata_object(
    metadata: &BTreeMap<String, String>,
) -> Option<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_str(metadata.get(METADATA)?).ok()
}

/// The configuration of the set `name`, if its name or the metadata tell; `layers` are indices by name.
pub(super) fn key(
    file: &TensorFile,
    layers: &BTreeMap<&str, usize>,
    described: &BTreeMap<String, Described>,
    name: &str,
) -> Result<Option<StatisticsKey>, Error> {
    let index = |layer: &str| layers.get(layer).copied();
    let Some(Described { first_ensembling_layer: first, eps, .. }) = described.get(name) else {
        let first = name.strip_prefix(FROM_LAYER).and_then(index);
        return Ok(first.map(|first| StatisticsKey { first_ensembling_layer: Some(first), eps: 0.0 }));
    };
    if !(0.0..0.5).contains(eps) {
        return Err(file.error(format!("statistics \"{name}\" are described with an eps of {eps}; expected 0..0.5")));
    }
    let Some(first) = first else { return Ok(Some(StatisticsKey { first_ensembling_layer: None, eps: eps.abs() })) };
    match index(first) {
        Some(first) => Ok(Some(StatisticsKey { first_ensembling_layer: Some(first), eps: eps.abs() })),
        None => {
            let near = nearest(first, layers.keys().copied());
            let remedy = near.map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
            let message =
                format!("statistics \"{name}\" are described as sampled from \"{first}\" on, which is no layer");
            Err(file.error(message + &remedy))
        }
    }
}
