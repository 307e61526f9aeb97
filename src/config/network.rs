//! The workload as its file describes it: a graph of layers, a posterior, images.

use serde::{Deserialize, Serialize};

/// A network with what is known of its weights and inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Name used in reports and in the default output folder.
    pub name: String,
    /// One paragraph for people: where network, posterior and data come from.
    pub description: String,
    /// What enters the network. Layers name it `input`.
    pub input: Input,
    /// Layers; the last one in the file whose output no other layer reads gives the logits.
    pub layers: Vec<Layer>,
    /// Where p of each synapse comes from.
    pub posterior: Posterior,
    /// Labelled images to answer, if there are any.
    pub images: Option<Images>,
    /// Share of input bits that are 1, for energy where no image is simulated; a layer may say its own. 0..=1.
    pub activity: f64,
}

/// Shape and coding of the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Channels.
    pub channels: u32,
    /// Rows of pixels.
    pub height: u32,
    /// Pixels in a row.
    pub width: u32,
    /// Bits of a pixel's code, fed serially. 1..=16.
    pub bits: u32,
    /// Two's complement codes (a normalised image) instead of unsigned ones.
    pub signed: bool,
}

/// One layer: a linear operation on crossbars, then pooling, batch norm, activation and quantisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Name; unique in the network.
    pub name: String,
    /// The linear operation.
    pub op: Operation,
    /// Names of the layers it reads (`input`: the network's input). Empty: the layer before it in the file.
    pub inputs: Vec<String>,
    /// Side of the max-pooling window (equal to its stride), applied to the accumulators; 1: none.
    pub pool: u32,
    /// Whether negative values are cut off.
    pub relu: bool,
    /// Bits of an output code, fed serially to the next layer; the last layer's logits are not quantised. 1..=16.
    pub activation_bits: u32,
    /// Share of this layer's input bits that are 1, where no image is simulated. None: the workload's.
    pub activity: Option<f64>,
    /// Prefix of this layer's tensors in the posterior file. None: the layer's name.
    pub tensors: Option<String>,
}

/// A linear operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Two-dimensional convolution without bias.
    Conv {
        /// Output channels (M).
        channels: u32,
        /// Side of the square kernel.
        kernel: u32,
        /// Step of the window.
        stride: u32,
        /// Zero padding on each side.
        padding: u32,
    },
    /// Fully connected; a feature map is flattened channel by channel, row by row.
    Linear {
        /// Outputs (M).
        outputs: u32,
    },
}

/// Where p of each synapse comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Posterior {
    /// A safetensors file, relative to the workload file: `<layer>.p`, batch-norm statistics and input scales.
    File {
        /// Path of the file.
        path: String,
        /// Factor of the last layer's batch-norm output that gives the logits.
        kappa: f64,
        /// Epsilon of batch norm.
        bn_eps: f64,
        /// Tensor with the input scale of every layer in order. None: `<layer>.input_scale` for each layer.
        input_scales: Option<String>,
    },
    /// Seeded synthetic p: in each layer a stated share of synapses has p uniform in 0.05..0.95, the rest within 0.05 of
    /// 0 or 1. Not trained: it has a shape, not a meaning, so there are no answers to score.
    Synthetic {
        /// Seed of the generator.
        seed: u64,
        /// Share of probabilistic synapses, one number a layer. 0..=1.
        probabilistic: Vec<f64>,
    },
    /// No posterior: timing and energy only.
    Absent,
}

/// Labelled images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Images {
    /// A safetensors file, relative to the workload file.
    pub path: String,
    /// Tensor of pixel codes: U8 [n, channels, height, width].
    pub images: String,
    /// Tensor of labels: U8 or I64 [n].
    pub labels: String,
}
