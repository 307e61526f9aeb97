//! Do real trained posteriors give, accumulator by accumulator, what their trainer recorded?
//!
//! The posteriors are large and not part of the repository; where they are absent the tests say so and pass.

mod common;
mod shared;

use crossbayes::config::{Images, Posterior, Samples, Workload};
use crossbayes::functional::post::max_pool;
use crossbayes::functional::{FunctionalModel, FunctionalSpec, Observer};
use crossbayes::workload::{LoadedImages, LoadedPosterior, resolve};
use safetensors::SafeTensors;
use shared::shared;

/// A network of the folder's posteriors: `C3` layers with their pools, then fully connected ones.
fn workload(name: &str, input: (u32, u32), convs: &[(u32, u32)], linears: &[u32], bits: u32) -> Workload {
    let mut network = common::vgg(name, input, convs, linears);
    network.layers.iter_mut().for_each(|layer| layer.activation_bits = bits);
    Workload {
        posterior: Posterior::File {
            path: format!("{name}.safetensors"),
            kappa: 4.0,
            bn_eps: 1e-5,
            input_scales: Some(format!("testq{bits}.act_scales")),
        },
        images: Some(Images {
            path: format!("{name}.safetensors"),
            images: "test.images_u8".to_owned(),
            labels: Some("test.labels".to_owned()),
        }),
        ..network
    }
}

/// Posteriors for Fashion-MNIST.
const FMNIST: [&str; 2] = ["fmnist_n100", "fmnist_n1000"];

fn fmnist(name: &str, bits: u32) -> Workload {
    workload(name, (1, 28), &[(32, 1), (32, 2), (64, 1), (64, 2)], &[256, 10], bits)
}

fn cifar10(bits: u32) -> Workload {
    workload("cifar10_n100", (3, 32), &[(32, 1), (32, 2), (64, 1), (64, 2), (128, 1), (128, 2)], &[256, 10], bits)
}

/// The trainer's own ten weight samples on arrays of 128 rows with a wide converter.
fn spec() -> FunctionalSpec {
    FunctionalSpec { members: 10, samples: Samples::Stored, seed: 0, ..common::functional_spec(128, 64, 10) }
}

fn u16_codes(tensors: &SafeTensors, name: &str) -> Vec<u16> {
    tensors.tensor(name).unwrap().data().iter().map(|&byte| u16::from(byte)).collect()
}

fn words<T, const N: usize>(tensors: &SafeTensors, name: &str, from: fn([u8; N]) -> T) -> Vec<T> {
    tensors.tensor(name).unwrap().data().as_chunks::<N>().0.iter().map(|bytes| from(*bytes)).collect()
}

/// The published network at its full width, on CIFAR-100.
fn cifar100_full() -> Workload {
    let convs = [(128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2)];
    let mut network = workload("cifar100_full_n1000", (3, 32), &convs, &[1024, 1024, 100], 8);
    // Statistics of sets are named after layers as here.
    let names = ["conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "fc1", "fc2", "fc3"];
    for (layer, name) in network.layers.iter_mut().zip(names) {
        layer.tensors = Some(std::mem::replace(&mut layer.name, name.to_owned()));
    }
    network
}

/// Every layer by itself, from the recorded input codes of `images` with weight sample 0.
fn accumulators_match(workload: &Workload, bits: u32, images: &str) {
    let Some(path) = shared(&format!("data/posteriors/{}.safetensors", workload.name)) else { return };
    let net = resolve(workload).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let posterior = LoadedPosterior::from_bytes(&bytes, &path, &workload.posterior, &net).unwrap();
    let model = FunctionalModel::new(&FunctionalSpec { members: 1, ..spec() }, &net, &posterior).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    for (index, layer) in net.layers.iter().enumerate() {
        let codes = u16_codes(&tensors, &format!("testq{bits}.layer{index}.in_codes_{images}"));
        let expected =
            words(&tensors, &format!("testq{bits}.layer{index}.acc_after_pool_{images}"), i32::from_le_bytes);
        let images = codes.len() / layer.input.len() as usize;
        for image in 0..images {
            let codes = &codes[image * codes.len() / images..(image + 1) * codes.len() / images];
            let expected = &expected[image * expected.len() / images..(image + 1) * expected.len() / images];
            let (accumulators, _) = model.accumulate(index, image, 0, codes, &mut ());
            let pooled = max_pool(&accumulators, layer.linear, layer.pool);
            assert!(pooled == expected, "{}, {bits} bits, layer {index}, image {image}", workload.name);
        }
    }
}

#[test]
fn fashion_mnist_accumulators() {
    for name in FMNIST {
        for bits in [8, 4, 2] {
            accumulators_match(&fmnist(name, bits), bits, "img0_7");
        }
    }
}

#[test]
fn cifar10_accumulators() {
    for bits in [8, 4, 2] {
        accumulators_match(&cifar10(bits), bits, "img0_7");
    }
}

/// Mode and answers of this one: `shipped_posteriors.rs`.
#[test]
fn cifar100_accumulators_of_a_sample() {
    accumulators_match(&cifar100_full(), 8, "sample0_img0_1");
}

/// Whole passes of the first `count` images with all ten weight samples but those `left_out`, against the recorded
/// logits; against the recorded mean probabilities too where none is left out.
fn logits_match(workload: &Workload, bits: u32, count: usize, left_out: &[usize]) {
    let Some(path) = shared(&format!("data/posteriors/{}.safetensors", workload.name)) else { return };
    let net = resolve(workload).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let posterior = LoadedPosterior::from_bytes(&bytes, &path, &workload.posterior, &net).unwrap();
    let images =
        LoadedImages::from_bytes(&bytes, &path, workload.images.as_ref().unwrap(), &workload.input, &net).unwrap();
    let model = FunctionalModel::new(&spec(), &net, &posterior).unwrap();
    let outputs = model.run(&images, 0..count, 2, &|_| ()).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let expected = words(&tensors, &format!("testq{bits}.logits"), f32::from_le_bytes);
    for image in 0..count {
        for member in (0..10).filter(|member| !left_out.contains(member)) {
            let ours: Vec<f32> =
                outputs.logits[(image * 10 + member) * 10..][..10].iter().map(|&logit| logit as f32).collect();
            let theirs = &expected[(member * images.len() + image) * 10..][..10];
            assert_eq!(ours, theirs, "{}, {bits} bits, image {image}, member {member}", workload.name);
        }
    }
    if left_out.is_empty() {
        let probabilities = words(&tensors, &format!("testq{bits}.ens_probs"), f32::from_le_bytes);
        for (ours, theirs) in outputs.mean_probabilities.iter().zip(probabilities) {
            // A few roundings of a 32-bit float.
            assert!((ours - f64::from(theirs)).abs() < 1e-6, "{ours} is not {theirs}");
        }
    }
}

/// Sample 4 of `cifar10_n100` does not give its recorded logits: one of its weights was exactly 0 when it was drawn, and is
/// packed as -1.
const CIFAR10_WITH_ZERO: [usize; 1] = [4];

/// Layer, column and row of that weight.
const ZERO: (usize, usize, usize) = (6, 29, 975);

/// Input codes of the layer with that weight and of the next one, and the accumulators of both, for the member that has it.
#[derive(Default)]
struct AroundZero {
    windows: [Vec<u16>; 2],
    sums: [Vec<i32>; 2],
}

impl AroundZero {
    fn place(layer: usize, member: usize) -> Option<usize> {
        layer.checked_sub(ZERO.0).filter(|place| *place < 2 && CIFAR10_WITH_ZERO.contains(&member))
    }
}

impl Observer for AroundZero {
    const WATCHES_INPUTS: bool = true;

    fn accumulators(&mut self, layer: usize, _: usize, member: usize, accumulators: &[i32]) {
        if let Some(place) = Self::place(layer, member) {
            self.sums[place] = accumulators.to_vec();
        }
    }

    fn inputs(&mut self, layer: usize, _: usize, member: usize, _: usize, window: &[u16]) {
        if let Some(place) = Self::place(layer, member) {
            self.windows[place] = window.to_vec();
        }
    }
}

/// With a weight of 0 in that place, sample 4 gives the recorded logits too.
#[test]
fn a_weight_of_zero_explains_the_sample_that_differs() {
    const IMAGES: usize = 64;
    let Some(path) = shared("data/posteriors/cifar10_n100.safetensors") else { return };
    let workload = cifar10(8);
    let net = resolve(&workload).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let posterior = LoadedPosterior::from_bytes(&bytes, &path, &workload.posterior, &net).unwrap();
    let images =
        LoadedImages::from_bytes(&bytes, &path, workload.images.as_ref().unwrap(), &workload.input, &net).unwrap();
    let model = FunctionalModel::new(&FunctionalSpec { members: 5, ..spec() }, &net, &posterior).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| words(&tensors, name, f32::from_le_bytes);
    let (layer, column, row) = ZERO;
    let scales = floats("testq8.act_scales");
    let [hidden, last] = [layer, layer + 1].map(|l| {
        let [mean, var] = ["mean", "var"].map(|of| floats(&format!("layer{l}.bn_{of}")));
        let scale = f64::from(scales[l]);
        move |sum: i32, at: usize| (f64::from(sum) * scale - f64::from(mean[at])) / (f64::from(var[at]) + 1e-5).sqrt()
    });
    let code =
        |sum: i32| (hidden(sum, column).max(0.0) / f64::from(scales[layer + 1])).round_ties_even().min(255.0) as i32;
    let recorded = floats("testq8.logits");
    let (units, classes) = (net.layers[layer].columns as usize, 10);
    let packed = tensors.tensor(&format!("layer{}.w_samples_packed", layer + 1)).unwrap();
    let of_sample = &packed.data()[CIFAR10_WITH_ZERO[0] * (units * classes / 8)..];
    let mut differing = 0;
    for image in 0..IMAGES {
        let mut around = AroundZero::default();
        let logits = model.observe(&images, image, &mut around).unwrap();
        let ours = &logits[CIFAR10_WITH_ZERO[0] * classes..][..classes];
        let theirs = &recorded[(CIFAR10_WITH_ZERO[0] * images.len() + image) * classes..][..classes];
        let differs = ours.iter().zip(theirs).any(|(ours, theirs)| *ours as f32 != *theirs);
        let [packed, drawn] = [0, i32::from(around.windows[0][row])].map(|more| code(around.sums[0][column] + more));
        assert_eq!(packed, i32::from(around.windows[1][column]), "image {image}");
        assert_eq!(differs, packed != drawn, "image {image}");
        differing += u32::from(differs);
        for (class, theirs) in theirs.iter().enumerate() {
            let bit = class * units + column;
            let weight = if of_sample[bit / 8] >> (bit % 8) & 1 == 1 { 1 } else { -1 };
            let sum = around.sums[1][class] + weight * (drawn - packed);
            let ours = 4.0 * last(sum, class);
            assert!((ours - f64::from(*theirs)).abs() < 1e-5, "image {image}, class {class}: {ours} is not {theirs}");
        }
    }
    assert!(differing > 0, "no image differs");
}

#[test]
fn whole_passes_give_the_recorded_logits() {
    for bits in [8, 4, 2] {
        FMNIST.iter().for_each(|name| logits_match(&fmnist(name, bits), bits, 64, &[]));
        logits_match(&cifar10(bits), bits, 32, &CIFAR10_WITH_ZERO);
    }
}
