//! The workload as its file describes it: a graph of layers, a posterior, images.

use crate::config::check;
use crate::config::declare::{choice, record};

record! {
    /// A network with what is known of its weights and inputs.
    #[check(check::workload)]
    pub struct Workload {
        /// Name used in reports and in the default output folder.
        pub name: String [1..],
        /// One paragraph for people: where network, posterior and data come from.
        pub description: String = String::new(),
        /// What enters the network. Layers name it `input`.
        pub input: Input,
        /// Layers; the one whose output no other layer reads gives the logits.
        pub layers: Vec<Layer>,
        /// Where p of each synapse comes from.
        pub posterior: Posterior = Posterior::Absent,
        /// Labelled images to answer, if there are any.
        pub images: Option<Images> = None,
        /// Share of input bits that are 1, for energy where no image is simulated; a layer may say its own.
        pub activity: f64 [0.0..=1.0] = 0.5,
    }
}

record! {
    /// Shape and coding of the network's input.
    pub struct Input {
        /// Channels.
        pub channels: u32 [1..=65_536],
        /// Rows of pixels.
        pub height: u32 [1..=4096],
        /// Pixels in a row.
        pub width: u32 [1..=4096],
        /// Bits of a pixel's code, fed serially.
        pub bits: u32 [1..=16],
        /// Two's complement codes (a normalised image) instead of unsigned ones.
        pub signed: bool = false,
    }
}

record! {
    /// One layer: a linear operation on crossbars, then pooling, batch norm, activation and quantisation.
    pub struct Layer {
        /// Name; unique in the network.
        pub name: String [1..],
        /// The linear operation.
        pub op: Operation,
        /// Names of the layers it reads (`input`: the network's input). Empty: the layer before it in the file.
        pub inputs: Vec<String> [1..] = Vec::new(),
        /// Side of the max-pooling window (equal to its stride), applied to the accumulators; 1: none.
        pub pool: u32 [1..=4096] = 1,
        /// Whether negative values are cut off.
        pub relu: bool = true,
        /// Bits of an output code, fed serially to the next layer; the last layer's logits are not quantised.
        pub activation_bits: u32 [1..=16],
        /// Share of this layer's input bits that are 1, where no image is simulated. None: the workload's.
        pub activity: Option<f64> [0.0..=1.0] = None,
        /// Prefix of this layer's tensors in the posterior file. None: the layer's name.
        pub tensors: Option<String> [1..] = None,
    }
}

choice! {
    /// A linear operation.
    #[derive(Copy, Eq)]
    pub enum Operation {
        /// Two-dimensional convolution without bias.
        Conv {
            /// Output channels (M).
            channels: u32 [1..=1_048_576],
            /// Side of the square kernel.
            kernel: u32 [1..=1_048_576],
            /// Step of the window.
            stride: u32 [1..=1_048_576] = 1,
            /// Zero padding on each side.
            padding: u32 = 0,
        },
        /// Fully connected; a feature map is flattened channel by channel, row by row.
        Linear {
            /// Outputs (M).
            outputs: u32 [1..=1_048_576],
        },
    }
}

choice! {
    /// Where p of each synapse comes from.
    pub enum Posterior {
        /// A safetensors file, relative to the workload file: `<layer>.p`, batch-norm statistics and input scales.
        File {
            /// Path of the file.
            path: String [1..],
            /// Factor of the last layer's batch-norm output that gives the logits.
            kappa: f64 [1e-6..=1e6] = 1.0,
            /// Epsilon of batch norm.
            bn_eps: f64 [0.0..=1.0] = 1e-5,
            /// Tensor with the input scale of every layer in order. None: `<layer>.input_scale` for each layer.
            input_scales: Option<String> [1..] = None,
        },
        /// Seeded synthetic p: in each layer a stated share of synapses has p uniform in 0.05..0.95, the rest within
        /// 0.05 of 0 or 1. Not trained: it has a shape, not a meaning, so there are no answers to score.
        Synthetic {
            /// Seed of the generator.
            seed: u64,
            /// Share of probabilistic synapses, one number a layer.
            probabilistic: Vec<f64> [0.0..=1.0],
        },
        /// No posterior: timing and energy only.
        Absent,
    }
}

record! {
    /// Labelled images.
    pub struct Images {
        /// A safetensors file, relative to the workload file.
        pub path: String [1..],
        /// Tensor of pixel codes: U8 (I8 where the input is signed) `[n, channels, height, width]`.
        pub images: String [1..] = "images".to_owned(),
        /// Tensor of labels: U8 or I64 `[n]`.
        pub labels: String [1..] = "labels".to_owned(),
    }
}
