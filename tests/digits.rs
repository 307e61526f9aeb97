//! Does the chip answer the committed digits as the trainer's quantised network did, accumulator by accumulator?
//!
//! `workloads/digits/trainer_record.safetensors` and `scores.json` hold what the trainer recorded;
//! `workloads/train/README.md` says what each number is.

use crossbayes::config::{LoadRequest, Loaded, Samples, Scheme, load};
use crossbayes::functional::adc::Quantiser;
use crossbayes::functional::input::Planes;
use crossbayes::functional::{Clipping, FunctionalModel, FunctionalSpec, Keep, Observer};
use crossbayes::report::OutputFacts;
use crossbayes::run::prepare;
use crossbayes::workload::{LoadedImages, LoadedPosterior, Net, NetLayer, resolve};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::path::{Path, PathBuf};

const LAYERS: [&str; 4] = ["conv1", "conv2", "fc1", "fc2"];
/// Images whose accumulators are recorded in full.
const IN_FULL: usize = 4;
const MEMBERS: usize = 10;
/// Images that each chip answers: without optimisation all 360 take minutes.
const IMAGES: usize = if cfg!(debug_assertions) { 12 } else { 360 };

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads")
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join("digits").join(name)).unwrap()
}

/// The numbers of a recorded tensor.
fn recorded<const N: usize, T>(name: &str, dtype: Dtype, of: impl Fn([u8; N]) -> T) -> Vec<T> {
    let bytes = bytes("trainer_record.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor(name).unwrap();
    assert_eq!(tensor.dtype(), dtype, "{name}");
    tensor.data().chunks_exact(N).map(|number| of(number.try_into().unwrap())).collect()
}

/// Numbers of a tensor of 32-bit floats.
fn tensor_of(file: &[u8], name: &str) -> Vec<f32> {
    let tensor = SafeTensors::deserialize(file).unwrap().tensor(name).unwrap().data().to_vec();
    tensor.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

fn scores() -> Value {
    serde_json::from_slice(&bytes("scores.json")).unwrap()
}

fn close(found: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= 1e-12, "{found} is not {expected}");
}

/// Chips whose values must be those of integer arithmetic: name, changes, and whether every sum that the arrays could
/// give is a code of its own. Where it is, the model may take short cuts (and takes fewer where the inputs are watched).
/// Where it is not, conversions are carried out one by one, and the test makes sure that none of the sums of these images
/// clips.
const CHIPS: [(&str, &[&str], bool); 7] = [
    ("pcm_128", &["arch.adc.bits=10"], true),
    ("pcm_128", &["arch.adc.bits=8", "arch.adc.range=Fixed(127.0)"], false),
    ("pcm_128", &["arch.adc.bits=8", "arch.adc.input=Column"], true),
    ("pcm_128", &["arch.adc.bits=7", "arch.adc.input=Column", "arch.adc.range=Fixed(127.0)"], false),
    ("pcm_256", &["arch.adc.bits=10"], true),
    ("pcm_256", &["arch.adc.bits=8", "arch.adc.input=Column", "arch.adc.range=Fixed(255.0)"], false),
    // Blocks of 16 rows: codes -15..=15 for sums -16..=16.
    ("pcm_128", &["arch.array.rows=16", "arch.adc.bits=5", "arch.adc.range=Fixed(15.0)"], false),
];

/// The digits on a chip with a scheme: from the files of the repository.
fn digits(arch: &str, set: &[&str], scheme: Scheme, samples: Samples) -> Loaded {
    let workload = folder().join("digits.ron").display().to_string();
    let set = set.iter().map(|&change| change.to_owned()).collect();
    let mut loaded = load(&LoadRequest { arch: Some(arch.to_owned()), workload: Some(workload), set }).unwrap();
    loaded.config.mapping.scheme = scheme;
    loaded.config.ensemble.samples = samples;
    loaded
}

fn model(loaded: &Loaded) -> (FunctionalModel, Net, LoadedImages) {
    let workload = &loaded.config.workload;
    let net = resolve(workload).unwrap();
    let posterior = LoadedPosterior::load(workload, &net, &folder()).unwrap().unwrap();
    let images = LoadedImages::load(workload, &net, &folder()).unwrap().unwrap();
    assert_eq!(images.len(), 360);
    (FunctionalModel::new(&FunctionalSpec::of(&loaded.config), &net, &posterior).unwrap(), net, images)
}

/// Hash of a layer's accumulators as the trainer takes it: sum of a_i K^(i + 1) modulo 2^64.
fn hash(accumulators: &[i32]) -> i64 {
    const K: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut power = 1u64;
    let terms = accumulators.iter().map(|&a| {
        power = power.wrapping_mul(K);
        (i64::from(a) as u64).wrapping_mul(power)
    });
    terms.fold(0, u64::wrapping_add) as i64
}

/// The passes of one image: accumulators and their hashes, `[member * layers]`.
#[derive(Debug, Default, PartialEq)]
struct Passes {
    accumulators: Vec<Vec<i32>>,
    hashes: Vec<i64>,
}

impl Observer for Passes {
    fn accumulators(&mut self, layer: usize, _: usize, member: usize, accumulators: &[i32]) {
        assert_eq!(member * LAYERS.len() + layer, self.hashes.len(), "passes come member by member");
        self.hashes.push(hash(accumulators));
        self.accumulators.push(accumulators.to_vec());
    }
}

/// The same, pulse by pulse, with the codes that drove the arrays.
struct Watched {
    passes: Passes,
    /// `[member * layers][position]`: the codes of the window, put together from what each pulse drove.
    windows: Vec<Vec<Vec<u16>>>,
    /// Rows of each layer's matrix, and of an array.
    rows: Vec<usize>,
    array_rows: usize,
}

impl Watched {
    fn new(net: &Net, loaded: &Loaded) -> Self {
        let rows = net.layers.iter().map(|layer| layer.rows as usize).collect();
        let array_rows = loaded.config.arch.array.rows as usize;
        Self { passes: Passes::default(), windows: Vec::new(), rows, array_rows }
    }
}

impl Observer for Watched {
    const WATCHES_INPUTS: bool = true;

    fn accumulators(&mut self, layer: usize, image: usize, member: usize, accumulators: &[i32]) {
        self.passes.accumulators(layer, image, member, accumulators);
    }

    fn driven(&mut self, layer: usize, _: usize, member: usize, position: usize, planes: &Planes) {
        let pass = member * LAYERS.len() + layer;
        self.windows.resize(pass + 1, Vec::new());
        let (rows, block) = (self.rows[layer], self.array_rows.min(self.rows[layer]));
        assert_eq!(planes.driven(0).len(), rows.div_ceil(block));
        let code = |row: usize| {
            // Each block starts a word of its own.
            let (word, bit) = (row / block * block.div_ceil(64) + row % block / 64, row % block % 64);
            (0..planes.bits()).map(|of| (planes.plane(of)[word] >> bit & 1) << of).sum::<u64>() as u16
        };
        assert_eq!(self.windows[pass].len(), position);
        self.windows[pass].push((0..rows).map(code).collect());
    }
}

/// What a 3x3 window of codes `[channels][8][8]` with padding holds, straight from the definition.
fn window(codes: &[u8], position: usize) -> Vec<u16> {
    let (y, x) = (position / 8, position % 8);
    let tap = |i: usize| {
        let (channel, ky, kx) = (i / 9, i / 3 % 3, i % 3);
        let inside = (1..=8).contains(&(y + ky)) && (1..=8).contains(&(x + kx));
        if inside { u16::from(codes[channel * 64 + (y + ky - 1) * 8 + x + kx - 1]) } else { 0 }
    };
    (0..codes.len() / 64 * 9).map(tap).collect()
}

/// Answers images on a chip and compares everything with the record of the mode network or of the stored samples.
fn check(arch: &str, set: &[&str], exact: bool, scheme: Scheme) {
    let loaded = digits(arch, set, scheme.clone(), Samples::Stored);
    let (kind, members) = if scheme == Scheme::Dense { ("samples", MEMBERS) } else { ("mode", 1) };
    let chip = &loaded.config.arch;
    let (model, net, images) = model(&loaded);
    let spec = FunctionalSpec::of(&loaded.config);
    let converter =
        |layer: &NetLayer| Quantiser::new(&chip.adc, layer.rows.min(chip.array.rows), spec.digits(layer), None);
    let converters: Vec<Quantiser> = net.layers.iter().map(converter).collect();
    assert_eq!(converters.iter().all(Quantiser::is_exact), exact, "{set:?}");
    assert!(converters.iter().all(|converter| converter.step() == 1.0), "{set:?}");
    assert_eq!(model.members(), members);

    let clipping = model.run(&images, 0..IN_FULL, 2, &|_| ()).unwrap().clipping;
    for (layer, clipping) in clipping.iter().map(Clipping::of_layer).enumerate() {
        assert_eq!(clipping.clipped, 0, "{} of {set:?}", LAYERS[layer]);
        assert!(clipping.conversions > 0);
    }

    let hashes = recorded(&format!("{kind}.acc_hash"), Dtype::I64, i64::from_le_bytes);
    let logits = recorded(&format!("{kind}.logits"), Dtype::F64, f64::from_le_bytes);
    assert_eq!((hashes.len(), logits.len()), (members * 360 * 4, members * 360 * 10));
    let of = |member: usize, image: usize, count: usize| {
        let first = (member * 360 + image) * count;
        first..first + count
    };
    for image in 0..IMAGES {
        let mut passes = Passes::default();
        let answered = model.observe(&images, image, &mut passes).unwrap();
        for member in 0..members {
            let place = format!("image {image}, member {member} of {set:?}");
            let (found, expected) = (&passes.hashes[4 * member..4 * member + 4], &hashes[of(member, image, 4)]);
            assert_eq!(found, expected, "{place}");
            // The same bits: no tolerance.
            assert_eq!(answered[10 * member..10 * member + 10], logits[of(member, image, 10)], "{place}");
        }
        if image < IN_FULL {
            let mut watched = Watched::new(&net, &loaded);
            assert_eq!(model.observe(&images, image, &mut watched).unwrap(), answered);
            assert_eq!(watched.passes, passes);
            check_in_full(kind, image, members, &watched);
        }
    }
}

/// Compares every accumulator and, for the mode network, every code of one of the first images.
fn check_in_full(kind: &str, image: usize, members: usize, watched: &Watched) {
    for (layer, name) in LAYERS.iter().enumerate() {
        let expected = recorded(&format!("{kind}.{name}.acc"), Dtype::I16, i16::from_le_bytes);
        let size = expected.len() / (members * IN_FULL);
        for member in 0..members {
            let first = (member * IN_FULL + image) * size;
            let expected: Vec<i32> = expected[first..first + size].iter().map(|&a| i32::from(a)).collect();
            assert_eq!(
                watched.passes.accumulators[4 * member + layer],
                expected,
                "{name}, image {image}, member {member}"
            );
        }
        if kind == "mode" {
            let codes = recorded(&format!("mode.{name}.codes"), Dtype::U8, u8::from_le_bytes);
            let codes = &codes[image * codes.len() / IN_FULL..(image + 1) * codes.len() / IN_FULL];
            for (position, found) in watched.windows[layer].iter().enumerate() {
                let expected =
                    if layer < 2 { window(codes, position) } else { codes.iter().map(|&c| u16::from(c)).collect() };
                assert_eq!(found, &expected, "{name}, image {image}, position {position}");
            }
        }
    }
}

#[test]
fn the_mode_network_is_the_trainers() {
    for (arch, set, exact) in CHIPS {
        check(arch, set, exact, Scheme::Deterministic);
    }
}

#[test]
fn the_ten_stored_samples_are_the_trainers() {
    for (arch, set, exact) in CHIPS {
        check(arch, set, exact, Scheme::Dense);
    }
}

#[test]
fn a_narrow_converter_differs_from_a_wide_one() {
    // Were the converter left out, this chip would agree with the record as well.
    let loaded = digits("pcm_128", &["arch.adc.bits=5"], Scheme::Deterministic, Samples::Drawn);
    let (model, _, images) = model(&loaded);
    let hashes = recorded("mode.acc_hash", Dtype::I64, i64::from_le_bytes);
    let mut passes = Passes::default();
    model.observe(&images, 0, &mut passes).unwrap();
    // conv1 fills 9 rows, which 5 bits (codes -15..=15) count exactly; the others fill 128 and 64.
    assert_eq!(passes.hashes[0], hashes[0]);
    for (layer, name) in LAYERS.iter().enumerate().skip(1) {
        assert_ne!(passes.hashes[layer], hashes[layer], "{name}");
    }
}

/// The report's outputs of a whole run with that configuration on all images.
fn outputs(loaded: Loaded) -> OutputFacts {
    let prepared = prepare(loaded.config, &loaded.workload_base, 2, &|_, _, _| ()).unwrap();
    let (finished, _) =
        prepared.simulate(None::<crossbayes::trace::ParquetSink>, String::new(), &|_, _, _| ()).unwrap();
    finished.facts.outputs.unwrap()
}

fn check_scores(outputs: &OutputFacts, expected: &Value) {
    assert_eq!(outputs.images, 360);
    close(outputs.accuracy.unwrap(), &expected["accuracy"]);
    close(outputs.ece.unwrap(), &expected["ece"]);
    close(outputs.nll.unwrap(), &expected["nll"]);
    close(outputs.brier.unwrap(), &expected["brier"]);
}

#[test]
fn the_scores_of_whole_runs_are_the_trainers() {
    let wide = &["arch.adc.bits=10"];
    let mode = outputs(digits("pcm_128", wide, Scheme::Deterministic, Samples::Drawn));
    check_scores(&mode, &scores()["mode"]);
    let stored = outputs(digits("pcm_128", wide, Scheme::Dense, Samples::Stored));
    check_scores(&stored, &scores()["stored_ensemble"]);
    let expected = recorded("samples.mean_probabilities", Dtype::F64, f64::from_le_bytes);
    let found: Vec<f64> = stored.mean_probabilities.concat();
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        // NumPy's exp and libm's differ in the last bit.
        assert!((found - expected).abs() <= 1e-12, "image {}, class {}: {found}, {expected}", i / 10, i % 10);
    }
}

#[test]
fn the_share_of_probabilistic_synapses_is_the_trainers() {
    let loaded = digits("pcm_128", &["values.answer=nothing"], Scheme::Dense, Samples::Drawn);
    let prepared = prepare(loaded.config, &loaded.workload_base, 1, &|_, _, _| ()).unwrap();
    let (finished, _) =
        prepared.simulate(None::<crossbayes::trace::ParquetSink>, String::new(), &|_, _, _| ()).unwrap();
    let posterior = bytes("posterior.safetensors");
    let expected = &scores()["probabilistic_share"]["eps_0.05"];
    let (mut probabilistic, mut synapses) = (0, 0);
    for layer in &finished.facts.layers {
        let counted = layer.probabilistic_synapses.unwrap();
        close(counted as f64 / layer.synapses as f64, &expected[&layer.name]);
        // Half a step of 8 bits from 0 or 1.
        let p = tensor_of(&posterior, &format!("{}.p", layer.name));
        let frozen = p.iter().filter(|&&p| !(1.0 / 512.0..511.0 / 512.0).contains(&p)).count() as u64;
        assert_eq!(layer.frozen_synapses, Some(frozen), "{}", layer.name);
        (probabilistic, synapses) = (probabilistic + counted, synapses + layer.synapses);
    }
    close(probabilistic as f64 / synapses as f64, &expected["total"]);
}

/// Only what is sampled can be frozen: nothing before L0, and at an eps what lies between it and half a step of 8 bits.
#[test]
fn what_is_fixed_is_not_frozen() {
    let posterior = bytes("posterior.safetensors");
    for (eps, least) in [("Everything", -1.0), ("Above(0.0)", 0.0), ("Above(0.001)", 0.001), ("Above(0.05)", 0.05)] {
        let scheme = format!("mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"), eps: {eps})");
        let set = [scheme, "values.answer=Nothing".to_owned()].into();
        let loaded = load(&LoadRequest { set, ..LoadRequest::default() }).unwrap();
        let prepared = prepare(loaded.config, &loaded.workload_base, 1, &|_, _, _| ()).unwrap();
        let (finished, _) =
            prepared.simulate(None::<crossbayes::trace::ParquetSink>, String::new(), &|_, _, _| ()).unwrap();
        for layer in &finished.facts.layers {
            let frozen = |p: &&f64| !(1.0 / 512.0..511.0 / 512.0).contains(*p) && least < **p && **p < 1.0 - least;
            let p = tensor_of(&posterior, &format!("{}.p", layer.name)).into_iter().map(f64::from);
            let expected = p.collect::<Vec<_>>().iter().filter(frozen).count() as u64;
            let expected = if layer.name.starts_with("fc") { expected } else { 0 };
            assert_eq!(layer.frozen_synapses, Some(expected), "{} at {eps}", layer.name);
        }
    }
}

#[test]
fn the_share_of_driven_rows_is_the_trainers() {
    let wide = digits("pcm_128", &["arch.adc.bits=10"], Scheme::Deterministic, Samples::Drawn);
    let (model, net, images) = model(&wide);
    let table =
        model.evaluate(&images, 0..360, Keep { activity: 360, accumulators: false }, 2, &|_| ()).unwrap().activity;
    for ((name, layer), counts) in LAYERS.iter().zip(&net.layers).zip(table.layers.iter().map(|planes| &planes[0])) {
        let mut driven = 0u64;
        for image in 0..360 {
            for position in 0..counts.positions {
                for pulse in 0..counts.pulses {
                    for block in 0..counts.blocks {
                        driven += u64::from(counts.driven(image, 0, position, pulse, block));
                    }
                }
            }
        }
        let all = 360 * u64::from(layer.positions) * u64::from(layer.input_bits) * u64::from(layer.rows);
        close(driven as f64 / all as f64, &scores()["mode_activity"]["crossbar_rows"][name]);
    }
}

/// Mean and variance of its estimate.
fn estimate(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance / count)
}

/// Ensembles drawn by the simulator score as the trainer's fresh ones: their means over 24 seeds and over the trainer's
/// 100 ensembles differ by at most 4 combined standard errors, sqrt(s1^2 / 24 + s2^2 / 100). By chance alone a score
/// fails this about once in 16,000 times; the seeds are fixed, so it passes or fails for good.
#[test]
#[cfg_attr(debug_assertions, ignore = "answers 86,400 passes: cargo test --release")]
fn drawn_ensembles_score_as_the_trainers_do() {
    let seeds: Vec<OutputFacts> = (1..=24)
        .map(|seed| {
            let mut loaded = digits("pcm_128", &["arch.adc.bits=10"], Scheme::Dense, Samples::Drawn);
            loaded.config.seed = seed;
            outputs(loaded)
        })
        .collect();
    let scores = scores();
    let fresh = &scores["fresh_ensembles"];
    assert_eq!((fresh["count"].as_f64(), fresh["members"].as_f64()), (Some(100.0), Some(10.0)));
    type Score = fn(&OutputFacts) -> Option<f64>;
    let kinds: [(&str, Score); 4] =
        [("accuracy", |o| o.accuracy), ("ece", |o| o.ece), ("nll", |o| o.nll), ("brier", |o| o.brier)];
    for (name, score) in kinds {
        let found: Vec<f64> = seeds.iter().map(|outputs| score(outputs).unwrap()).collect();
        let (mean, variance) = estimate(&found);
        let number = |key: &str| fresh[name][key].as_f64().unwrap();
        let error = (variance + number("std").powi(2) / 100.0).sqrt();
        let distance = (mean - number("mean")) / error;
        println!("{name}: {mean:.5}, the trainer's {:.5}: {distance:+.2} standard errors", number("mean"));
        assert!(
            distance.abs() <= 4.0,
            "{name}: {mean} and {} are {distance:+.1} standard errors apart",
            number("mean")
        );
        // It can tell: the mode network, answered ten times, would be far outside.
        let mode = scores["mode"][name].as_f64().unwrap();
        assert!((mode - number("mean")).abs() > 4.0 * error, "{name}");
    }
}

#[test]
fn generators_cost_what_was_added_by_hand() {
    let report = |set: &[&str]| {
        let loaded = digits("pcm_128", &[&["values.answer=nothing"], set].concat(), Scheme::Dense, Samples::Drawn);
        let prepared = prepare(loaded.config, &loaded.workload_base, 1, &|_, _, _| ()).unwrap();
        let (finished, _) =
            prepared.simulate(None::<crossbayes::trace::ParquetSink>, String::new(), &|_, _, _| ()).unwrap();
        crossbayes::report::Report::new(&finished.facts, &finished.ledger)
    };
    let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-12, "{found}, not {expected}");
    let by_default = report(&[]);
    // 8 arrays of 128 x 64 synapses with two banks of latches of one register bit each, 1.24 um2; 128 / 8 comparators; one
    // register of 64 bits; 128 times 3 gates.
    let area = |part: &str| by_default.area.per_part[part] * 1e6;
    near(area("draw_latch"), 8.0 * 8192.0 * 2.0 * 1.24);
    near(area("draw_compare"), 8.0 * 16.0 * 11.1);
    near(area("lfsr_register"), 8.0 * 64.0 * 1.24);
    near(area("lfsr_gate"), 8.0 * 384.0 * 0.5);
    let single = report(&["arch.sampler.double_buffered=false"]);
    near(single.area.per_part["draw_latch"] * 2.0, by_default.area.per_part["draw_latch"]);

    // Cycles of a sample at 16 synapses each: conv1 9, conv2 256 and 32, fc1 4 arrays of 512, fc2 40. In each the register
    // and the gates of an array work; 10 samples of 38,160 synapses are compared, latched and their p fetched.
    let energy = |report: &crossbayes::report::Report| report.energy.per_component["generator"] * 1e15;
    let synapses = 10.0 * 38_160.0 * (8.6 + 2.6 + 150.0);
    let cycles = 10.0 * f64::from(9 + 256 + 32 + 4 * 512 + 40);
    near(energy(&by_default), cycles * (64.0 * 2.6 + 128.0 * 3.0 * 0.386) + synapses);
    let short = "arch.sampler.source=Lfsr(bits: 8, taps: [8, 6, 5, 4], registers: 128)";
    near(energy(&report(&[short])), cycles * (1024.0 * 2.6 + 128.0 * 3.0 * 0.386) + synapses);
    near(energy(&report(&["arch.sampler.source=Trng"])), cycles * 128.0 * 186.0 + synapses);
    near(energy(&report(&["arch.sampler.source=Ideal"])), cycles * 128.0 * 22.0 + synapses);
}
