//! Does `pack` store what it read, and say what it did not?

mod common;

use crossbayes::workload::pack::{PackOptions, Scales, compress, even_steps, half_normal_scale, mirrored_steps, pack};
use crossbayes::workload::{LoadedPosterior, StatisticsKey, resolve};
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Element type, shape and bytes of a tensor.
type Tensor = (Dtype, Vec<usize>, Vec<u8>);
/// Tensors by name.
type Tensors = BTreeMap<String, Tensor>;

fn floats(shape: &[usize], values: &[f32]) -> Tensor {
    (Dtype::F32, shape.to_vec(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

fn file(tensors: &Tensors, metadata: &[(&str, &str)]) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    let metadata = metadata.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    serialize(views, Some(metadata)).unwrap()
}

/// A convolution of 2 channels (3x3 on 1x4x4) and a fully connected layer of 3 classes, as a trainer might leave them.
fn trained(p: &[f32]) -> Tensors {
    let mut tensors = Tensors::new();
    let mut p = p.iter().copied().cycle();
    for (layer, shape) in [("layer0", vec![2, 1, 3, 3]), ("layer1", vec![3, 8])] {
        let (columns, synapses): (usize, usize) = (shape[0], shape.iter().product());
        let p: Vec<f32> = (&mut p).take(synapses).collect();
        tensors.insert(format!("{layer}.p"), floats(&shape, &p));
        tensors.insert(format!("{layer}.lambda"), floats(&shape, &p));
        for (i, set) in ["", "_mode", "_fel_fc1"].into_iter().enumerate() {
            let numbers: Vec<f32> = (0..columns).map(|column| (10 * i + column) as f32 + 0.1).collect();
            tensors.insert(format!("{layer}.bn_mean{set}"), floats(&[columns], &numbers));
            tensors.insert(format!("{layer}.bn_var{set}"), floats(&[columns], &numbers));
        }
        let packed: Vec<u8> = (0..3 * synapses.div_ceil(8)).map(|i| i as u8).collect();
        tensors.insert(format!("{layer}.w_samples_packed"), (Dtype::U8, vec![3, synapses.div_ceil(8)], packed));
    }
    tensors.insert("testq8.act_scales".to_owned(), floats(&[2], &[0.25, 0.125]));
    tensors.insert("test.labels".to_owned(), (Dtype::U8, vec![1], vec![0]));
    tensors
}

fn options() -> PackOptions {
    PackOptions {
        steps: even_steps(256).unwrap(),
        samples: 2,
        rename: vec![("layer0".to_owned(), "conv1".to_owned()), ("layer1".to_owned(), "fc1".to_owned())],
        scales: Scales::Tensor("testq8.act_scales".to_owned()),
        name: "small".to_owned(),
        description: "made up".to_owned(),
    }
}

fn loaded(bytes: &[u8]) -> LoadedPosterior {
    let workload = common::small_workload();
    let net = resolve(&workload).unwrap();
    LoadedPosterior::from_bytes(bytes, Path::new("small.st"), &workload.posterior, &net).unwrap()
}

#[test]
fn what_is_packed_is_loaded_again() {
    let p: Vec<f32> = (0..42).map(|i| i as f32 / 41.0).collect();
    let tensors = trained(&p);
    let bytes = file(&tensors, &[("trainer", r#"{"epochs": 3}"#), ("note", "by hand")]);
    let packed = pack(&bytes, Path::new("trained.st"), &options()).unwrap();
    assert_eq!(packed.left_out, ["layer0.lambda", "layer1.lambda", "test.labels", "testq8.act_scales"]);
    assert_eq!(packed.sets, ["fel_fc1"]);
    assert_eq!(packed.layers.iter().map(|layer| layer.samples).collect::<Vec<_>>(), [[2, 3]; 2]);
    let compressed = compress(&packed.bytes).unwrap();
    let posterior = loaded(&compressed);
    let stored: Vec<f32> = posterior.layers.iter().flat_map(|layer| layer.p.clone()).collect();
    let expected: Vec<f32> = p.iter().map(|p| (f64::from(*p) * 255.0).round() as f32 / 255.0).collect();
    assert_eq!(stored, expected);
    assert_eq!(posterior.layers.iter().map(|layer| layer.input_scale).collect::<Vec<_>>(), [0.25, 0.125]);
    let error = p.iter().zip(&expected).map(|(p, q)| (p - q).abs()).fold(0.0, f32::max);
    let reported = packed.layers.iter().map(|layer| layer.largest_error).fold(0.0, f64::max);
    assert!((reported - f64::from(error)).abs() < 1e-6 && reported <= 0.5 / 255.0, "{reported}");
    assert_eq!(posterior.layers[1].sampled.mean, [0.1, 1.1, 2.1]);
    assert_eq!(posterior.layers[1].mode.mean, [10.1, 11.1, 12.1]);
    let key = StatisticsKey { first_ensembling_layer: Some(1), eps: 0.0 };
    assert_eq!(posterior.statistics(1, &key, &serde_json::Value::Null).batch_norm.mean, [20.1, 21.1, 22.1]);
    let samples = posterior.layers[1].samples.as_ref().unwrap();
    assert_eq!((samples.members, samples.member(1)), (2, vec![0x05_0403]));
    let about: serde_json::Value = serde_json::from_str(&posterior.metadata["crossbayes"]).unwrap();
    assert_eq!((&about["name"], &about["description"]), (&"small".into(), &"made up".into()));
    assert_eq!(about["source"], serde_json::json!({ "trainer": { "epochs": 3 }, "note": "by hand" }));
    assert_eq!(about["packed"]["renamed"]["fc1"], "layer1");
    assert_eq!(about["packed"]["source_blake3"], blake3::hash(&bytes).to_hex().as_str());
    // The same file again, whatever the order of its metadata.
    let again = pack(&bytes, Path::new("elsewhere.st"), &options()).unwrap();
    assert_eq!(again.bytes, packed.bytes);
    // A packed file can be packed again, and nothing changes but its account.
    let own = PackOptions { rename: Vec::new(), scales: Scales::Stored, ..options() };
    let twice = loaded(&pack(&compressed, Path::new("small.st"), &own).unwrap().bytes);
    assert_eq!(twice.layers[0].p, posterior.layers[0].p);
    assert_eq!(twice.layers[1].input_scale, 0.125);
    assert_eq!(twice.sets.len(), 1);
}

#[test]
fn descriptions_of_statistics_are_kept() {
    let mut tensors = trained(&[0.5]);
    for (layer, columns) in [("layer0", 2), ("layer1", 3)] {
        for of in ["mean", "var"] {
            tensors.insert(format!("{layer}.bn_{of}_coarse"), floats(&[columns], &vec![3.0; columns]));
        }
    }
    let text = r#"{"statistics": {"coarse": {"first_ensembling_layer": "fc1", "eps": 0.25}}}"#;
    let packed = pack(&file(&tensors, &[("crossbayes", text)]), Path::new("trained.st"), &options()).unwrap();
    let posterior = loaded(&packed.bytes);
    let key = StatisticsKey { first_ensembling_layer: Some(1), eps: 0.25 };
    let found = posterior.statistics(1, &key, &serde_json::Value::Null);
    assert_eq!((found.set, found.exact, found.batch_norm.mean[0]), ("coarse", true, 3.0));
}

#[test]
fn levels_are_spread_evenly_or_given() {
    let steps = |steps: BTreeSet<u8>| steps.into_iter().collect::<Vec<_>>();
    assert_eq!(steps(even_steps(2).unwrap()), [0, 255]);
    assert_eq!(steps(even_steps(16).unwrap()), (0..16).map(|i| 17 * i).collect::<Vec<_>>());
    assert_eq!(steps(even_steps(256).unwrap()), (0..=255).collect::<Vec<_>>());
    assert_eq!(steps(mirrored_steps(&[0, 5, 99]).unwrap()), [0, 5, 99, 156, 250, 255]);
    for levels in [0, 1, 3, 255, 257] {
        let reported = even_steps(levels).unwrap_err().to_string();
        assert_eq!(reported, format!("{levels} levels; expected an even number in 2..=256"));
    }
    assert_eq!(mirrored_steps(&[5]).unwrap_err().to_string(), "step 0 is missing: p of exactly 0 and 1 would be lost");
    let reported = mirrored_steps(&[0, 128]).unwrap_err().to_string();
    assert_eq!(reported, "step 128; expected 0..=127, whose mirror images are added");
}

/// Against the mean squared error by plain summation over a fine grid.
#[test]
fn estimated_scales_have_the_least_squared_error() {
    for bits in [1, 2, 4, 8] {
        let scale = f64::from(half_normal_scale(bits).unwrap());
        let largest = f64::from((1u32 << bits) - 1);
        let error = |scale: f64| {
            let points = (0..100_000).map(|i| f64::from(i) * 1e-4);
            points.map(|x| (-0.5 * x * x).exp() * ((x / scale).round().min(largest) * scale - x).powi(2)).sum::<f64>()
        };
        let here = error(scale);
        for other in [0.9, 0.98, 1.02, 1.1] {
            assert!(here < error(other * scale), "{bits} bits: {scale} is worse than {}", other * scale);
        }
    }
    assert_eq!(half_normal_scale(13).unwrap_err().to_string(), "scales are estimated for 1..=12 bits, not 13");
    let estimated = PackOptions { scales: Scales::Estimated { bits: 8, first: 0.5 }, ..options() };
    let packed = pack(&file(&trained(&[0.5]), &[]), Path::new("trained.st"), &estimated).unwrap();
    let scales: Vec<f32> = packed.layers.iter().map(|layer| layer.input_scale).collect();
    assert_eq!(scales, [0.5, half_normal_scale(8).unwrap()]);
}

proptest! {
    /// Whatever the levels, a mode never changes, the nearest level stands for p, and 0 and 1 stay.
    #[test]
    fn a_mode_never_changes(
        p in prop::collection::vec(prop_oneof![0f32..=1.0, 0.499f32..=0.501, Just(0.0), Just(1.0), Just(0.5)], 42),
        lower in prop::collection::btree_set(1u8..128, 0..8),
        levels in (1u32..=128).prop_map(|half| 2 * half),
        even: bool,
    ) {
        let lower: Vec<u8> = [0].into_iter().chain(lower).collect();
        let steps = if even { even_steps(levels).unwrap() } else { mirrored_steps(&lower).unwrap() };
        let options = PackOptions { steps: steps.clone(), ..options() };
        let packed = pack(&file(&trained(&p), &[]), Path::new("trained.st"), &options).unwrap();
        let stored: Vec<f32> = loaded(&packed.bytes).layers.iter().flat_map(|layer| layer.p.clone()).collect();
        for (p, q) in p.into_iter().zip(stored) {
            prop_assert_eq!(p > 0.5, q > 0.5, "{} became {}", p, q);
            prop_assert!((p != 0.0 || q == 0.0) && (p != 1.0 || q == 1.0), "{} became {}", p, q);
            let (p, q) = (f64::from(p) * 255.0, f64::from(q) * 255.0);
            let least = steps.iter().map(|step| (p - f64::from(*step)).abs()).fold(f64::MAX, f64::min);
            prop_assert!(((p - q).abs() - least).abs() < 1e-4, "{} became {}", p, q);
        }
    }
}

/// The message about a source with some tensors replaced (or removed).
fn message(changes: &[(&str, Option<Tensor>)], options: &PackOptions) -> String {
    let mut tensors = trained(&[0.5]);
    for (name, tensor) in changes {
        tensors.remove(*name);
        tensors.extend(tensor.clone().map(|tensor| ((*name).to_owned(), tensor)));
    }
    let error = pack(&file(&tensors, &[]), Path::new("trained.st"), options).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn what_cannot_be_packed_is_told() {
    let reported = |changes: &[(&str, Option<_>)]| message(changes, &options());
    let bytes = |shape: &[usize]| (Dtype::U8, shape.to_vec(), vec![0; shape.iter().product()]);
    assert_eq!(
        reported(&[("layer0.p_u8", Some(bytes(&[2, 1, 3, 3])))]),
        "trained.st: tensors \"layer0.p\" and \"layer0.p_u8\" both hold p; expected one of them"
    );
    assert_eq!(
        reported(&[("layer0.p", Some(floats(&[2], &[0.0, 1.5])))]),
        "trained.st: tensor \"layer0.p\" holds 1.5 at [1]; a probability is within 0..=1"
    );
    assert_eq!(
        reported(&[("layer1.bn_var", None)]),
        "trained.st: there is no tensor \"layer1.bn_var\" (batch-norm statistics); did you mean \"layer0.bn_var\"?"
    );
    assert_eq!(
        reported(&[("layer1.bn_wieght", Some(floats(&[3], &[1.0; 3])))]),
        "trained.st: tensor \"layer1.bn_wieght\" is none that a posterior has; did you mean \"layer1.bn_weight\"?"
    );
    assert_eq!(
        reported(&[("layer1.bn_var", Some(floats(&[2], &[1.0; 2])))]),
        "trained.st: tensor \"layer1.bn_var\" has shape [2]; the network expects [3]"
    );
    assert_eq!(
        reported(&[("layer1.w_samples_packed", Some(bytes(&[3, 2])))]),
        "trained.st: tensor \"layer1.w_samples_packed\" has shape [3, 2]; the network expects [3, 3]"
    );
    let all = ["layer0.p", "layer1.p"].map(|name| (name, None));
    let none = PackOptions { rename: Vec::new(), ..options() };
    assert_eq!(
        message(&all, &none),
        "trained.st: there is no tensor LAYER.p or LAYER.p_u8; expected one for each layer"
    );
    let scales = |scales| message(&[], &PackOptions { scales, ..options() });
    assert_eq!(scales(Scales::Stored), "trained.st: there is no tensor \"layer0.input_scale\" (input scale)");
    assert_eq!(
        scales(Scales::Tensor("testq4.act_scales".to_owned())),
        "trained.st: there is no tensor \"testq4.act_scales\" (input scales of all layers); did you mean \
         \"testq8.act_scales\"?"
    );
    assert_eq!(
        scales(Scales::Given(vec![1.0])),
        "trained.st: 1 input scales are given; expected one for each of the 2 layers"
    );
    assert_eq!(
        scales(Scales::Given(vec![1.0, -1.0])),
        "trained.st: the input scale of layer layer1 is -1; a scale is positive"
    );
    let rename = |pairs: &[(&str, &str)]| {
        let rename = pairs.iter().map(|(from, name)| ((*from).to_owned(), (*name).to_owned())).collect();
        message(&[], &PackOptions { rename, ..options() })
    };
    assert_eq!(rename(&[("layer2", "a")]), "trained.st: \"layer2\" is no layer; did you mean \"layer0\"?");
    assert_eq!(rename(&[("layer0", "a"), ("layer0", "b")]), "trained.st: \"layer0\" is renamed twice");
    assert_eq!(rename(&[("layer0", "a"), ("layer1", "a")]), "trained.st: two layers would be called \"a\"");
    assert_eq!(
        rename(&[("layer1", "a")]),
        "trained.st: layer \"layer0\" has no new name; expected one for each layer, or for none"
    );
}

fn crossbayes(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crossbayes")).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn the_command_line_packs_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("trained.safetensors"), file(&trained(&[0.25, 0.0, 1.0]), &[])).unwrap();
    let arguments = [
        "pack",
        "trained.safetensors",
        "-o",
        "small.safetensors.zst",
        "--rename",
        "layer0=conv1,layer1=fc1",
        "--input-scales",
        "testq8.act_scales",
        "--keep-samples",
        "1",
    ];
    let done = crossbayes(folder.path(), &arguments);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let written = fs::read(folder.path().join("small.safetensors.zst")).unwrap();
    assert!(written.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
    let reported = text(&done.stdout);
    assert!(reported.starts_with("small.safetensors.zst: 42 synapses at 256 levels of p, "), "{reported}");
    // 0.25 is 63.75 / 255.
    assert!(
        reported.contains("largest |p - stored p|: 0.00098\nbatch-norm statistics: sampled, mode, fel_fc1\n"),
        "{reported}"
    );
    assert_eq!(loaded(&written).layers[0].samples.as_ref().unwrap().members, 1);

    let again = crossbayes(folder.path(), &arguments);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(
        text(&again.stderr),
        "error: small.safetensors.zst: is there already; it stays as it is\nhelp: choose another name, or --force\n"
    );
    assert_eq!(fs::read(folder.path().join("small.safetensors.zst")).unwrap(), written);

    let numbers = ["--force", "--format", "json", "--steps", "0,51", "--name", "mine"];
    let mut arguments = arguments.to_vec();
    arguments[7] = "0.5,0.25";
    arguments.extend(numbers);
    let reported = crossbayes(folder.path(), &arguments);
    let reported: serde_json::Value = serde_json::from_slice(&reported.stdout).unwrap();
    assert_eq!((&reported["levels"], &reported["synapses"]), (&4.into(), &42.into()));
    assert_eq!(reported["layers"][1]["input_scale"], 0.25);
    let posterior = loaded(&fs::read(folder.path().join("small.safetensors.zst")).unwrap());
    assert_eq!(posterior.layers[0].p[..3], [0.2, 0.0, 1.0]);

    let reported = |arguments: &[&str]| {
        let done = crossbayes(folder.path(), arguments);
        assert_eq!(done.status.code(), Some(2));
        text(&done.stderr)
    };
    let start = ["pack", "trained.safetensors", "-o", "other.zst"];
    assert!(reported(&[&start[..], &["--rename", "layer0"]].concat()).contains("expected OLD=NEW"));
    assert_eq!(
        reported(&[&start[..], &["--levels", "3"]].concat()),
        "error: 3 levels; expected an even number in 2..=256\n"
    );
    assert!(reported(&[&start[..], &["--levels", "4", "--steps", "0"]].concat()).contains("cannot be used with"));
    assert!(reported(&[&start[..], &["--estimate-scales", "8"]].concat()).contains("--first-scale <SCALE>"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_posterior_is_shown_with_how_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = trained(&[0.25, 0.0, 1.0]);
    tensors.retain(|name, _| name.starts_with("layer") || name.starts_with("testq8"));
    let options = PackOptions { description: "by \u{1b}[1mhand".to_owned(), ..options() };
    let packed = pack(&file(&tensors, &[("note", "two words")]), Path::new("trained.st"), &options).unwrap();
    fs::write(folder.path().join("small.safetensors.zst"), compress(&packed.bytes).unwrap()).unwrap();
    let network = r#"(
        name: "small",
        input: (channels: 1, height: 4, width: 4, bits: 4),
        layers: [
            (name: "conv1", op: Conv(channels: 2, kernel: 3), activation_bits: 4),
            (name: "fc1", op: Linear(outputs: 3), relu: false, activation_bits: 4),
        ],
        posterior: File(path: "small.safetensors.zst"),
    )"#;
    fs::write(folder.path().join("small.ron"), network).unwrap();
    let shown = |more: &[&str]| {
        let arguments = [&["show", "posterior", "--workload", "small.ron"], more].concat();
        let done = crossbayes(folder.path(), &arguments);
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    assert_eq!(
        shown(&[]),
        "small: 42 synapses\n\
         name: small\n\
         description: by \\u{1b}[1mhand\n\
         \n\
         layer  tensors  synapses  levels of p  input scale  samples\n\
         conv1    conv1        18            3     0.250000        2\n\
         fc1        fc1        24            3     0.125000        2\n\
         \n\
         batch-norm statistics\n  \
           sampled    all layers sampled\n  \
           mode       no layer sampled\n  \
           fel_fc1    sampled from fc1 on, eps 0\n"
    );
    let json: serde_json::Value = serde_json::from_str(&shown(&["--format", "json"])).unwrap();
    assert_eq!(json["sets"], serde_json::json!([{ "name": "fel_fc1", "first_ensembling_layer": "fc1", "eps": 0.0 }]));
    assert_eq!(json["layers"][1]["levels"], 3);
    assert_eq!(json["metadata"]["crossbayes"]["source"], serde_json::json!({ "note": "two words" }));
    let without = crossbayes(
        folder.path(),
        &["show", "posterior", "--workload", "small.ron", "--set", "workload.posterior=Absent"],
    );
    assert_eq!(without.status.code(), Some(2));
    assert!(text(&without.stderr).contains("the network has no posterior; expected `File(..)` or `Synthetic(..)`"));
}
