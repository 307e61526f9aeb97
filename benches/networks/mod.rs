//! Networks and chips of the benches.

#[path = "../../tests/common/mod.rs"]
mod common;

pub use common::functional_spec as spec;
use crossbayes::config::{Input, Layer, Operation, Posterior, Workload};
use crossbayes::functional::{FunctionalModel, FunctionalSpec};
use crossbayes::workload::{LoadedImages, LoadedPosterior, Net, resolve};

/// 3x3 convolutions with their pools, then fully connected layers, on square 8-bit images.
pub fn network(channels: u32, side: u32, convs: &[(u32, u32)], linears: &[u32], activation_bits: u32) -> Net {
    let conv = |&(channels, pool): &(u32, u32)| (Operation::Conv { channels, kernel: 3, stride: 1, padding: 1 }, pool);
    let linear = |&outputs: &u32| (Operation::Linear { outputs }, 1);
    let layers_of = convs.iter().map(conv).chain(linears.iter().map(linear)).collect();
    let input = Input { channels, height: side, width: side, bits: 8, signed: false };
    layers(input, layers_of, activation_bits)
}

/// Layers, each with its pool.
pub fn layers(input: Input, layers: Vec<(Operation, u32)>, activation_bits: u32) -> Net {
    let workload = Workload {
        name: "bench".to_owned(),
        description: String::new(),
        input,
        layers: layers
            .into_iter()
            .enumerate()
            .map(|(i, (op, pool))| Layer {
                name: format!("layer{i}"),
                op,
                inputs: Vec::new(),
                pool,
                relu: true,
                activation_bits,
                activity: None,
                tensors: None,
            })
            .collect(),
        posterior: Posterior::Absent,
        images: None,
        calibration: None,
        out_of_distribution: None,
        activity: 0.5,
    };
    resolve(&workload).expect("the network is sound")
}

pub fn vgg_binaryconnect() -> Net {
    let convs = [(128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2)];
    network(3, 32, &convs, &[1024, 1024, 100], 8)
}

/// A quarter of its width, on ten classes.
pub fn cifar10_quarter() -> Net {
    let convs = [(32, 1), (32, 2), (64, 1), (64, 2), (128, 1), (128, 2)];
    network(3, 32, &convs, &[256, 10], 8)
}

pub fn posterior(net: &Net) -> LoadedPosterior {
    LoadedPosterior::synthetic(1, &vec![0.1; net.layers.len()], net).expect("one share a layer")
}

pub fn model(spec: &FunctionalSpec, net: &Net) -> FunctionalModel {
    FunctionalModel::new(spec, net, &posterior(net)).expect("the sizes are sound")
}

pub fn image(net: &Net) -> LoadedImages {
    let codes = (0..net.input.len()).map(|i| ((i * 2_654_435_761) >> 7 & 0xff) as u16).collect();
    LoadedImages::new(net.input, codes, None)
}
