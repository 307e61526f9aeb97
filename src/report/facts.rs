//! What a report needs beside the spans: the configuration, the mapping, the inventory of the chip and the answers.
//!
//! The facts are stored in the metadata of a trace file, so that a stored trace gives the same report as the run.

use crate::config::Config;
use crate::functional::metrics::Detection;
use crate::functional::{Clipping, MembersApart, PlaneRange, Realised, Tried, UsedStatistics};
use crate::mapping::{Placed, Replicated};
use crate::meter::decimal;
use crate::report::{ReferenceReads, Setting};
use crate::trace::Component;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that a report needs and spans do not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Version of the simulator.
    pub version: String,
    /// Command that made the run.
    pub command: String,
    /// Settings that differ from chip, network and defaults.
    #[serde(default)]
    pub settings: Vec<Setting>,
    /// The fully expanded configuration.
    pub config: Config,
    /// [`content_hash`] of the chip.
    pub arch_hash: String,
    /// Hash of the network and of the contents of the files that it names: posterior, images and labels.
    pub workload_hash: String,
    /// Layers in the order of their indices in spans.
    pub layers: Vec<LayerFacts>,
    /// Names of the dataflow's stages in the order of their indices in spans.
    pub stages: Vec<String>,
    /// Parts of the chip that the network occupies.
    pub inventory: Vec<InventoryItem>,
    /// One measurement of the factors of drift compensation; none without compensation.
    #[serde(default)]
    pub reference_reads: Option<ReferenceReads>,
    /// Tiles in use.
    pub tiles: u32,
    /// Crossbar arrays in use, copies included.
    pub arrays: u64,
    /// What the placement comes to; none in a trace of before it was counted.
    #[serde(default)]
    pub placed: Option<Placed>,
    /// The copies that were chosen, where they were.
    #[serde(default)]
    pub replicated: Option<Replicated>,
    /// Events of the simulation.
    pub events: EventFacts,
    /// Schemes that were tried on calibration images, where the first ensembling layer or eps was to be found.
    #[serde(default)]
    pub tried: Vec<Tried>,
    /// What the network answers; none for a run without images.
    pub outputs: Option<OutputFacts>,
    /// What the cycles should be where nothing contends.
    pub closed_form: ClosedForm,
}

/// A layer and where it was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFacts {
    /// Name, unique in the network.
    pub name: String,
    /// Rows of the weight matrix (K).
    pub rows: u32,
    /// Columns of the weight matrix (M).
    pub columns: u32,
    /// Output positions (P).
    pub positions: u32,
    /// Row blocks (R).
    pub row_blocks: u32,
    /// Column blocks (C).
    pub column_blocks: u32,
    /// Copies that work on different positions (r).
    pub replication: u32,
    /// Crossbar arrays, copies included.
    pub arrays: u64,
    /// Tiles that hold them.
    pub tiles: u32,
    /// Cells that hold a weight, copies included.
    pub cells_used: u64,
    /// Cells of the layer's arrays.
    pub cells_total: u64,
    /// Passes for one image: S(l), T for a sampled layer and 1 for one that is not.
    pub passes_per_image: u32,
    /// Multiply-accumulates of one pass: K M P.
    pub macs_per_pass: u64,
    /// Synapses: K M.
    pub synapses: u64,
    /// Synapses with 0.05 < p < 0.95; none without a posterior.
    pub probabilistic_synapses: Option<u64>,
    /// Synapses in the planes of a generator whose stored p is 0 or 1 at its bits, so that they are never drawn otherwise;
    /// as expected where a synthetic posterior is not made up. None without a posterior, or without stored p.
    pub frozen_synapses: Option<u64>,
    /// Places for synapses in stochastic planes of a copy, whether they hold a sampled one or a pair of reset cells.
    pub stored_synapses: u64,
    /// Synapses that are sampled.
    #[serde(default)]
    pub sampled_synapses: u64,
    /// Random bits drawn for this layer in the whole run.
    pub random_bits: u64,
}

/// Equal parts of one layer, or of the chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryItem {
    /// What spans call it.
    pub component: Component,
    /// What the cost table calls it, e.g. `cell`.
    pub part: String,
    /// Index of the layer that owns them; none: the chip.
    pub layer: Option<u32>,
    /// Number of instances.
    pub instances: u64,
    /// Units that spans of this component name when all of them work at once ([`Span::units`](crate::trace::Span)); 0
    /// for a part whose work is booked on another one, such as a cell or a multiplexer.
    pub units: u64,
    /// Area of all instances together, square nanometres.
    #[serde(with = "decimal")]
    pub area_nm2: u128,
    /// Leakage of all instances together, femtowatts.
    #[serde(with = "decimal")]
    pub leakage_fw: u128,
}

/// Events of the simulation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EventFacts {
    /// Events taken from the queue.
    pub count: u64,
    /// The same by kind of event.
    pub per_kind: BTreeMap<String, u64>,
    /// Those that were skipped because they repeat earlier ones (`schedule.fast_forward`).
    #[serde(default)]
    pub skipped: u64,
    /// Wall-clock seconds of the simulation itself: events, sums, and spans handed to the trace. Not in it are planning,
    /// values, and waiting for the trace to be written; 0 in a trace of before it was measured. The two times are the only numbers of a report that differ between
    /// equal runs.
    #[serde(default)]
    pub simulation_s: f64,
    /// The same with the time that it waited for the trace, which a thread of its own encodes and writes.
    pub wall_s: f64,
}

/// What the network answers. Lists hold one item per image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputFacts {
    /// Images answered.
    pub images: u32,
    /// Ensemble members behind each answer.
    pub members: u32,
    /// True classes; empty where the images have no labels.
    pub labels: Vec<u32>,
    /// Class of the largest mean probability.
    pub predictions: Vec<u32>,
    /// Mean of the members' softmax, by class.
    pub mean_probabilities: Vec<Vec<f64>>,
    /// Entropy of the mean, nats.
    pub entropy: Vec<f64>,
    /// Mutual information of answer and weights, nats.
    pub mutual_information: Vec<f64>,
    /// Correlation of the logits of two members over images and classes, mean over all pairs; none with one member.
    #[serde(default)]
    pub member_correlation: Option<f64>,
    /// How far members are apart; none unless read noise follows the times of reads and members share arrays.
    #[serde(default)]
    pub members_apart: Option<MembersApart>,
    /// Realised against intended probabilities by layer, where comparators draw from the noise of devices.
    #[serde(default)]
    pub realised: Vec<Option<Realised>>,
    /// Share of right predictions; none without labels.
    pub accuracy: Option<f64>,
    /// Expected calibration error; none without labels.
    pub ece: Option<f64>,
    /// Mean negative log-likelihood, nats; none without labels.
    pub nll: Option<f64>,
    /// Mean Brier score; none without labels.
    pub brier: Option<f64>,
    /// How well uncertainty tells out-of-distribution images from these; none without such images.
    #[serde(default)]
    pub ood: Option<DetectionFacts>,
    /// Batch-norm statistics that were used, by layer.
    #[serde(default)]
    pub statistics: Vec<UsedStatistics>,
    /// Sets of members' statistics for this sampling configuration that were not used: they are of other weights.
    #[serde(default)]
    pub statistics_of_others: Vec<String>,
    /// Share of conversions that clipped, by layer.
    pub clipped_share: Vec<f64>,
    /// Ranges and conversions of each plane that converters read, by layer; empty in reports of earlier versions.
    #[serde(default)]
    pub converters: Vec<Vec<ConverterFacts>>,
    /// Cell currents, of rows at the driver's lowest level, in one step of the converter, by layer; 1 where it resolves
    /// single ones.
    pub adc_step: Vec<f64>,
}

/// The converters of a plane of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ConverterFacts {
    /// Plane and range.
    #[serde(flatten)]
    pub range: PlaneRange,
    /// Conversions, and those that clipped.
    #[serde(flatten)]
    pub clipping: Clipping,
    /// Share of conversions that clipped.
    pub clipped_share: f64,
}

/// How well uncertainty tells out-of-distribution images from those that were answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectionFacts {
    /// Out-of-distribution images.
    pub images: u32,
    /// By entropy.
    pub entropy: Detection,
    /// By mutual information.
    pub mutual_information: Detection,
}

/// The closed form beside the simulation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedForm {
    /// The formula in words and symbols.
    pub formula: String,
    /// Cycles with a periphery that takes no time.
    pub ideal_cycles: u64,
    /// Cycles that buffers, links and post-processing add where nothing contends.
    pub fixed_latency_cycles: u64,
    /// Both together.
    pub predicted_cycles: u64,
    /// Cycles of the simulation.
    pub simulated_cycles: u64,
    /// Simulated less predicted: what contention costs, or how far `streaming` is above its lower bound.
    pub contention_cycles: i64,
    /// Cycles from one image to the next that the closed form gives.
    pub initiation_interval_cycles: u64,
}

/// BLAKE3 of a value's JSON with sorted keys, as 64 hexadecimal digits. Equal values have equal hashes, however their
/// files were laid out.
///
/// # Panics
/// Panics if the value cannot be written as JSON: a map whose keys are not strings.
#[must_use]
pub fn content_hash<T: Serialize>(value: &T) -> String {
    let mut json = serde_json::to_value(value).expect("configuration values are JSON");
    json.sort_all_objects();
    blake3::hash(json.to_string().as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_does_not_depend_on_the_order_of_fields() {
        #[derive(Serialize)]
        struct Written {
            size: u32,
            name: &'static str,
        }
        let expected = blake3::hash(br#"{"name":"toy","size":2}"#).to_hex().to_string();
        assert_eq!(content_hash(&Written { size: 2, name: "toy" }), expected);
    }

    #[test]
    fn sums_of_128_bits_survive_json() {
        let item = InventoryItem {
            component: Component::GlobalBuffer,
            part: "global_read".into(),
            layer: None,
            instances: u64::MAX,
            units: 1,
            area_nm2: u128::MAX,
            leakage_fw: 1 << 64,
        };
        let text = serde_json::to_string(&item).unwrap();
        assert!(text.contains(r#""component":"global_buffer""#), "{text}");
        assert!(text.contains(r#""leakage_fw":"18446744073709551616""#), "{text}");
        assert_eq!(serde_json::from_str::<InventoryItem>(&text).unwrap(), item);
    }
}
