//! The workload as its file describes it: a graph of layers, a posterior, images to answer and to calibrate on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A network with what is known of its weights and inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Name used in reports and in the default output folder.
    #[schemars(length(min = 1))]
    pub name: String,
    /// One paragraph for people: where network, posterior and data come from.
    #[serde(default)]
    pub description: String,
    /// What enters the network. Layers name it `input`.
    pub input: Input,
    /// Layers; the one whose output no other layer reads gives the logits.
    pub layers: Vec<Layer>,
    /// Where p of each synapse comes from.
    #[serde(default)]
    pub posterior: Posterior,
    /// Images to answer, if there are any.
    pub images: Option<Images>,
    /// Images, not among those to answer, on which statistics and scales are estimated, if there are any.
    pub calibration: Option<Images>,
    /// Images of another kind, by which a run tells how well uncertainty detects what the network was not trained for, if
    /// there are any. Their labels are not read.
    pub out_of_distribution: Option<Images>,
    /// Share of input bits that are 1, for energy where no image is simulated; a layer may say its own.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[serde(default = "half")]
    pub activity: f64,
}

/// Shape and coding of the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Channels.
    #[schemars(range(min = 1, max = 65_536))]
    pub channels: u32,
    /// Rows of pixels.
    #[schemars(range(min = 1, max = 4096))]
    pub height: u32,
    /// Pixels in a row.
    #[schemars(range(min = 1, max = 4096))]
    pub width: u32,
    /// Bits of a pixel's code, fed serially.
    #[schemars(range(min = 1, max = 16))]
    pub bits: u32,
    /// Two's complement codes (a normalised image) instead of unsigned ones.
    #[serde(default)]
    pub signed: bool,
}

/// One layer: a linear operation on crossbars, then pooling, batch norm, activation and quantisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Name; unique in the network.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The linear operation.
    pub op: Operation,
    /// Names of the layers it reads (`input`: the network's input). Empty: the layer before it in the file.
    #[schemars(inner(length(min = 1)))]
    #[serde(default)]
    pub inputs: Vec<String>,
    /// Side of the max-pooling window (equal to its stride), applied to the accumulators; 1: none.
    #[schemars(range(min = 1, max = 4096))]
    #[serde(default = "one")]
    pub pool: u32,
    /// Whether negative values are cut off.
    #[serde(default = "yes")]
    pub relu: bool,
    /// Bits of an output code, fed serially to the next layer; the last layer's logits are not quantised.
    #[schemars(range(min = 1, max = 16))]
    pub activation_bits: u32,
    /// Share of this layer's input bits that are 1, where no image is simulated. None: the workload's.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub activity: Option<f64>,
    /// Prefix of this layer's tensors in the posterior file. None: the layer's name.
    #[schemars(length(min = 1))]
    pub tensors: Option<String>,
}

/// A linear operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Copy, Eq)]
#[serde(deny_unknown_fields)]
pub enum Operation {
    /// Two-dimensional convolution without bias.
    Conv {
        /// Output channels (M).
        #[schemars(range(min = 1, max = 1_048_576))]
        channels: u32,
        /// Side of the square kernel.
        #[schemars(range(min = 1, max = 1_048_576))]
        kernel: u32,
        /// Step of the window.
        #[schemars(range(min = 1, max = 1_048_576))]
        #[serde(default = "one")]
        stride: u32,
        /// Zero padding on each side.
        #[serde(default)]
        padding: u32,
    },
    /// Fully connected; a feature map is flattened channel by channel, row by row.
    Linear {
        /// Outputs (M).
        #[schemars(range(min = 1, max = 1_048_576))]
        outputs: u32,
    },
}

/// Where p of each synapse comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub enum Posterior {
    /// A safetensors file, relative to the workload file: `<layer>.p`, batch-norm statistics and input scales.
    File {
        /// Path of the file.
        #[schemars(length(min = 1))]
        path: String,
        /// Factor of the last layer's batch-norm output that gives the logits.
        #[schemars(range(min = 1e-6, max = 1e6))]
        #[serde(default = "kappa")]
        kappa: f64,
        /// Epsilon of batch norm.
        #[schemars(range(min = 0.0, max = 1.0))]
        #[serde(default = "bn_eps")]
        bn_eps: f64,
        /// Tensor with the input scale of every layer in order. None: `<layer>.input_scale` for each layer.
        #[schemars(length(min = 1))]
        input_scales: Option<String>,
    },
    /// Seeded synthetic p: in each layer a stated share of synapses has p uniform in 0.05..0.95, the rest within
    /// 0.05 of 0 or 1. Not trained: it has a shape, not a meaning, so there are no answers to score.
    Synthetic {
        /// Seed of the generator.
        seed: u64,
        /// Share of probabilistic synapses, one number a layer: of n synapses exactly round(share n), drawn from the seed.
        #[schemars(inner(range(min = 0.0, max = 1.0)))]
        probabilistic: Vec<f64>,
    },
    /// No posterior: timing and energy only.
    #[default]
    Absent,
}

/// Images, labelled or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// A safetensors file, relative to the workload file.
    #[schemars(length(min = 1))]
    pub path: String,
    /// Tensor of pixel codes: U8 (I8 where the input is signed) `[n, channels, height, width]`.
    #[schemars(length(min = 1))]
    #[serde(default = "images")]
    pub images: String,
    /// Tensor of labels: U8 or I64 `[n]`. None: the images have none; answers and their uncertainty are reported, accuracy and
    /// the other scores are not.
    #[schemars(length(min = 1))]
    #[serde(default = "labels")]
    pub labels: Option<String>,
}

impl Images {
    /// The same images without their labels.
    #[must_use]
    pub fn unlabelled(&self) -> Self {
        Self { labels: None, ..self.clone() }
    }
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn half() -> f64 {
    0.5
}

fn kappa() -> f64 {
    1.0
}

fn bn_eps() -> f64 {
    1e-5
}

fn images() -> String {
    "images".to_owned()
}

fn labels() -> Option<String> {
    Some("labels".to_owned())
}
