//! Are the probabilistic synapses of real trained posteriors, and what packings store of them, those that an independent
//! program counted?
//!
//! The posteriors are large and not part of the repository; where they are absent the test says so and passes.

mod common;
mod shared;

use common::vgg;
use crossbayes::config::{LoadRequest, load};
use crossbayes::report::sparsity::{ArraySize, sparsity};
use crossbayes::workload::{LoadedPosterior, resolve};
use safetensors::SafeTensors;
use serde_json::Value;
use shared::shared;
use std::path::Path;

/// Every figure of `golden` stands in `ours` under the same key: integers exactly, reals but for the order of a sum.
fn stands_in(golden: &Value, ours: &Value, place: &str) -> usize {
    match golden {
        Value::Object(keys) => {
            keys.iter().map(|(key, value)| stands_in(value, &ours[key], &format!("{place}.{key}"))).sum()
        }
        Value::Number(number) if number.is_f64() => {
            let (expected, got) = (golden.as_f64().unwrap(), ours.as_f64().expect(place));
            assert!((expected - got).abs() <= 1e-11 * expected.abs(), "{place}: expected {expected}, got {got}");
            1
        }
        _ => {
            assert_eq!(golden, ours, "{place}");
            1
        }
    }
}

#[test]
fn trained_posteriors_are_as_sparse_as_counted_elsewhere() {
    let networks = [
        vgg("fmnist_n1000", (1, 28), &[(32, 1), (32, 2), (64, 1), (64, 2)], &[256, 10]),
        vgg(
            "cifar100_half_n1000",
            (3, 32),
            &[(64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2)],
            &[512, 512, 100],
        ),
    ];
    let Some(golden) = shared("golden/sparsity.json") else { return };
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    assert_eq!(golden.as_object().unwrap().len(), networks.len());
    for workload in networks {
        let Some(path) = shared(&format!("data/posteriors/{}.safetensors", workload.name)) else { return };
        let bytes = std::fs::read(path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let net = resolve(&workload).unwrap();
        let p: Vec<Vec<f32>> = (0..net.layers.len())
            .map(|layer| {
                let p = tensors.tensor(&format!("layer{layer}.p")).unwrap();
                p.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            })
            .collect();
        let arrays = [128, 256].map(|rows| ArraySize { rows, synapse_columns: rows / 2 });
        let eps = [0.01, 0.05, 0.1, 0.3];
        let ours = sparsity(&workload.name, &net, p.iter().map(Vec::as_slice), &eps, &arrays);
        let mut figures = 0;
        for (layer, golden) in golden[&workload.name].as_array().unwrap().iter().enumerate() {
            let ours = serde_json::to_value(&ours.layers[layer]).unwrap();
            figures += stands_in(golden, &ours, &format!("{}[{layer}]", workload.name));
        }
        println!("{}: {figures} figures agree", workload.name);
    }
}

/// Packed to steps of 1/255 no p crosses 0.1 or 0.3, half-way points between two steps: every figure at these eps stays.
#[test]
fn packed_posteriors_are_as_sparse_as_before() {
    let Some(golden) = shared("golden/sparsity.json") else { return };
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    for (name, packed) in [("fmnist_n1000", "fashion_mnist"), ("cifar100_half_n1000", "vgg_cifar100_half")] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
        let file = folder.join(format!("{packed}.ron")).display().to_string();
        let loaded = load(&LoadRequest { arch: None, workload: Some(file), set: Vec::new() }).unwrap();
        let workload = &loaded.config.workload;
        let net = resolve(workload).unwrap();
        let posterior = LoadedPosterior::load(workload, &net, &folder).unwrap().unwrap();
        let arrays = [128, 256].map(|rows| ArraySize { rows, synapse_columns: rows / 2 });
        let p = posterior.layers.iter().map(|layer| layer.p.as_slice());
        let ours = sparsity(packed, &net, p, &[0.1, 0.3], &arrays);
        let mut figures = 0;
        for (layer, golden) in golden[name].as_array().unwrap().iter().enumerate() {
            let ours = serde_json::to_value(&ours.layers[layer]).unwrap();
            for eps in ["0.1", "0.3"] {
                let (golden, ours) = (&golden["by_eps"][eps], &ours["by_eps"][eps]);
                figures += stands_in(golden, ours, &format!("{packed}[{layer}], eps {eps}"));
            }
        }
        println!("{packed}: {figures} figures agree");
    }
}
