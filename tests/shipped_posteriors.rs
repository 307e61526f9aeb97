//! Are the trained posteriors that ship those of their trainer, and do they answer as they did before they were packed?
//!
//! What they were packed from is large and not part of the repository; where it is absent the tests that compare with it
//! say so and pass.

mod shared;

use crossbayes::config::{Images, LoadRequest, Loaded, load};
use crossbayes::functional::post::max_pool;
use crossbayes::functional::{FunctionalModel, FunctionalSpec, Outputs};
use crossbayes::workload::{BatchNorm, LoadedImages, LoadedPosterior, Net, StatisticsKey, resolve};
use safetensors::{Dtype, SafeTensors};
use shared::shared;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads")
}

/// A shipped network on a chip whose converters are exact.
fn shipped(workload: &str, set: &[&str]) -> (Loaded, Net) {
    let set = ["arch.adc.bits=9"].iter().chain(set).map(|set| (*set).to_owned()).collect();
    let file = folder().join(format!("{workload}.ron")).display().to_string();
    let loaded = load(&LoadRequest { arch: None, workload: Some(file), set }).unwrap();
    let net = resolve(&loaded.config.workload).unwrap();
    (loaded, net)
}

fn packed(loaded: &Loaded, net: &Net) -> LoadedPosterior {
    LoadedPosterior::load(&loaded.config.workload, net, &folder()).unwrap().unwrap()
}

/// The shipped images of a network.
fn images(loaded: &Loaded, net: &Net) -> LoadedImages {
    LoadedImages::load(&loaded.config.workload, net, &folder()).unwrap().unwrap()
}

fn answers(loaded: &Loaded, net: &Net, posterior: &LoadedPosterior, images: &LoadedImages, count: usize) -> Outputs {
    let model = FunctionalModel::new(&FunctionalSpec::of(&loaded.config), net, posterior).unwrap();
    model.run(images, 0..count, 2, &|_| ()).unwrap()
}

fn right(outputs: &Outputs, images: &LoadedImages) -> usize {
    outputs.predictions.iter().zip(images.labels().unwrap()).filter(|(answer, label)| answer == label).count()
}

/// Answers of the mode network and, with optimisation, of the stored and of drawn samples.
#[test]
fn fashion_mnist_is_answered_as_well_as_ever() {
    let score = |set: &[&str]| {
        let (loaded, net) = shipped("fashion_mnist", set);
        let images = images(&loaded, &net);
        right(&answers(&loaded, &net, &packed(&loaded, &net), &images, 500), &images)
    };
    assert_eq!(score(&["mapping.scheme=deterministic"]), 466);
    if !cfg!(debug_assertions) {
        assert_eq!(score(&["mapping.scheme=Dense", "ensemble.samples=stored"]), 464);
        assert_eq!(score(&["mapping.scheme=Dense", "ensemble.samples=drawn"]), 462);
    }
}

#[test]
fn calibration_images_are_none_of_the_answered() {
    for (workload, count) in [("digits", 200), ("fashion_mnist", 200)] {
        let (loaded, net) = shipped(workload, &[]);
        let images = images(&loaded, &net);
        let calibration = LoadedImages::load_calibration(&loaded.config.workload, &net, &folder()).unwrap().unwrap();
        assert_eq!(calibration.len(), count);
        assert!(calibration.labels().is_some());
        for i in 0..count {
            let same = (0..images.len()).find(|other| images.codes(*other) == calibration.codes(i));
            assert_eq!(same, None, "{workload}: calibration image {i}");
        }
    }
}

/// A trained file of the folder of reference data.
struct Trained {
    bytes: Vec<u8>,
    path: PathBuf,
}

impl Trained {
    fn read(name: &str) -> Option<Self> {
        let path = shared(&format!("data/posteriors/{name}.safetensors"))?;
        Some(Self { bytes: std::fs::read(&path).unwrap(), path })
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let words = self.tensors().tensor(name).unwrap().data().to_vec();
        words.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// p of a layer.
    fn p(&self, layer: usize) -> Vec<f32> {
        match self.tensors().tensor(&format!("layer{layer}.p_u8")) {
            Ok(view) => view.data().iter().map(|step| f32::from(*step) / 255.0).collect(),
            Err(_) => self.floats(&format!("layer{layer}.p")),
        }
    }

    fn statistics(&self, layer: usize, set: &str) -> [Vec<f32>; 2] {
        ["mean", "var"].map(|of| self.floats(&format!("layer{layer}.bn_{of}{set}")))
    }
}

fn is(found: &BatchNorm, expected: &[Vec<f32>; 2]) {
    assert_eq!([&found.mean, &found.var], [&expected[0], &expected[1]]);
}

#[test]
fn what_ships_is_what_was_trained() {
    // Levels of p below one half, in 1/255; None: all.
    let coarse: &[u8] = &[0, 5, 20, 31, 64, 89, 115];
    for (workload, trained, samples, levels) in [
        ("fashion_mnist", "fmnist_n1000", 10, None),
        ("vgg_cifar100_half", "cifar100_half_n1000", 4, None),
        ("vgg_cifar100", "cifar100_full_n1000", 0, Some(coarse)),
    ] {
        let Some(trained) = Trained::read(trained) else { return };
        let (loaded, net) = shipped(workload, &[]);
        let posterior = packed(&loaded, &net);
        let nearest = |p: f32| match levels {
            None => (f64::from(p) * 255.0).round() as u8,
            Some(levels) => {
                let all = levels.iter().copied().chain(levels.iter().rev().map(|level| 255 - level));
                all.min_by_key(|level| ((p * 255.0).round() as i32 - i32::from(*level)).abs()).unwrap()
            }
        };
        let (mut there, mut was) = ([0u64; 4], [0u64; 4]);
        for (index, layer) in posterior.layers.iter().enumerate() {
            let p = trained.p(index);
            assert_eq!(p.len(), layer.p.len());
            for (p, stored) in p.iter().zip(&layer.p) {
                assert_eq!(*stored, f32::from(nearest(*p)) / 255.0, "{workload}, layer {index}: {p}");
                assert_eq!(*p > 0.5, *stored > 0.5, "{workload}, layer {index}: {p}");
            }
            for (i, eps) in [0.01, 0.05, 0.1, 0.3].into_iter().enumerate() {
                let count = |p: &[f32]| p.iter().filter(|p| eps < f64::from(**p) && f64::from(**p) < 1.0 - eps).count();
                there[i] += count(&layer.p) as u64;
                was[i] += count(&p) as u64;
            }
            is(&layer.sampled, &trained.statistics(index, ""));
            is(&layer.mode, &trained.statistics(index, "_mode"));
            let tensors = trained.tensors();
            let all = tensors.tensor(&format!("layer{index}.w_samples_packed")).unwrap();
            let length = all.data().len() / all.shape()[0];
            let stored = layer.samples.as_ref().map_or(0, |stored| stored.members);
            assert_eq!(stored, samples);
            for member in 0..samples {
                let bytes = all.data()[member * length..(member + 1) * length].chunks(8);
                let words = bytes.map(|bytes| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
                assert!(words.eq(layer.samples.as_ref().unwrap().member(member)), "{workload}, layer {index}");
            }
            if workload == "vgg_cifar100" {
                for (first, set) in [(4, "fel_conv5"), (6, "fel_fc1"), (7, "fel_fc2")] {
                    let key = StatisticsKey { first_ensembling_layer: Some(first), eps: 0.0 };
                    let found = posterior.statistics(index, &key, &serde_json::Value::Null);
                    assert_eq!((found.exact, found.set), (true, if index < first { "mode" } else { set }));
                    is(found.batch_norm, &trained.statistics(index, &format!("_{set}")));
                }
            }
        }
        println!("{workload}: probabilistic at eps 0.01, 0.05, 0.1, 0.3: {there:?}, trained: {was:?}");
        for (there, was) in there.into_iter().zip(was) {
            // The full network's levels were chosen so that none of its p crosses one of these eps.
            let most = if levels.is_some() { 0.0 } else { 0.01 };
            assert!((there as f64 / was as f64 - 1.0).abs() <= most, "{workload}: {there} of {was}");
        }
    }
}

/// The mode and the stored samples are the same before and after, so each logit is.
#[test]
fn packed_or_not_the_answers_are_the_same() {
    let Some(trained) = Trained::read("fmnist_n1000") else { return };
    let count = if cfg!(debug_assertions) { 20 } else { 256 };
    for set in ["mapping.scheme=deterministic", "ensemble.samples=stored"] {
        let (loaded, net) = shipped("fashion_mnist", &[set]);
        let packed = packed(&loaded, &net);
        let mut unpacked = packed.clone();
        for (index, layer) in unpacked.layers.iter_mut().enumerate() {
            layer.p = trained.p(index);
        }
        assert_ne!(packed.layers[4].p, unpacked.layers[4].p);
        let images = images(&loaded, &net);
        let [of_packed, of_unpacked] =
            [&packed, &unpacked].map(|posterior| answers(&loaded, &net, posterior, &images, count).logits);
        assert!(of_packed == of_unpacked, "{set}");
    }
}

/// The full network's mode, packed to 14 levels, on the codes and against the accumulators that its trainer recorded.
#[test]
fn the_full_network_gives_the_recorded_accumulators() {
    let Some(trained) = Trained::read("cifar100_full_n1000") else { return };
    let (loaded, net) = shipped("vgg_cifar100", &["mapping.scheme=deterministic"]);
    let posterior = packed(&loaded, &net);
    let model = FunctionalModel::new(&FunctionalSpec::of(&loaded.config), &net, &posterior).unwrap();
    let tensors = trained.tensors();
    for (index, layer) in net.layers.iter().enumerate() {
        let codes = tensors.tensor(&format!("testq8.layer{index}.in_codes_mode_img0_1")).unwrap();
        let codes: Vec<u16> = codes.data().iter().map(|code| u16::from(*code)).collect();
        let expected = tensors.tensor(&format!("testq8.layer{index}.acc_after_pool_mode_img0_1")).unwrap();
        assert_eq!(expected.dtype(), Dtype::I32);
        let expected: Vec<i32> = expected.data().as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect();
        for image in 0..2 {
            let codes = &codes[image * codes.len() / 2..(image + 1) * codes.len() / 2];
            let (accumulators, _) = model.accumulate(index, image, 0, codes, &mut ());
            let pooled = max_pool(&accumulators, layer.linear, layer.pool);
            assert!(pooled == expected[image * expected.len() / 2..(image + 1) * expected.len() / 2], "layer {index}");
        }
    }
    let names = Images { path: String::new(), images: "test.images_u8".to_owned(), labels: None };
    let input = &loaded.config.workload.input;
    let images = LoadedImages::from_bytes(&trained.bytes, &trained.path, &names, input, &net).unwrap();
    let ours = answers(&loaded, &net, &posterior, &images, 2).logits;
    let theirs = trained.floats("testq8.logits_mode");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!((*ours - f64::from(*theirs)).abs() < 1e-5, "{ours} is not {theirs}");
    }
}

/// The mode networks, in codes of 8 bits, on the images that came with the trained files.
#[test]
fn the_cifar_networks_answer_as_their_trainer_measured() {
    // The trainer's floating-point scores of the 256 images are 159 and 152 too.
    let in_all = !cfg!(debug_assertions);
    for (workload, trained, right_of_16, right_of_256) in
        [("vgg_cifar100_half", "cifar100_half_n1000", 7, 159), ("vgg_cifar100", "cifar100_full_n1000", 6, 152)]
    {
        let Some(trained) = Trained::read(trained) else { return };
        let (loaded, net) = shipped(workload, &["mapping.scheme=deterministic"]);
        let names =
            Images { path: String::new(), images: "test.images_u8".to_owned(), labels: Some("test.labels".to_owned()) };
        let input = &loaded.config.workload.input;
        let images = LoadedImages::from_bytes(&trained.bytes, &trained.path, &names, input, &net).unwrap();
        let (count, expected) = if in_all { (256, right_of_256) } else { (16, right_of_16) };
        let outputs = answers(&loaded, &net, &packed(&loaded, &net), &images, count);
        assert_eq!(right(&outputs, &images), expected, "{workload}");
        let logits = trained.floats("test.logits_mode");
        let best = |logits: &[f32]| (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        let same =
            logits.chunks(100).zip(&outputs.predictions).filter(|(logits, ours)| best(logits) == **ours as usize);
        let same = same.count();
        println!("{workload}: {same} of {count} answers are those of floating-point activations");
        assert_eq!(same, count, "{workload}");
    }
}
