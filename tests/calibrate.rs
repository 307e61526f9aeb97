//! `calibrate`: statistics for the sampling configuration at hand.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const SCHEME: &str = "mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"), eps: Above(0.05))";

const DENSE: &str = "mapping.scheme=Dense";

fn crossbayes(args: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(args).current_dir(folder).output().unwrap()
}

fn json(args: &[&str], folder: &Path) -> Value {
    let output = crossbayes(args, folder);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn statistics_are_taken_stored_and_used_for_their_configuration_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let made = json(&["calibrate", "--format", "json", "--set", SCHEME, "-o", "fc1.safetensors.zst"], at);
    assert_eq!((&made["images"], &made["members"]), (&200.into(), &10.into()));
    // The network was trained with these images: what is taken anew is near what the trainer took.
    for layer in made["layers"].as_array().unwrap() {
        assert!(layer["mean_moved_sd"].as_f64().unwrap() < 0.15, "{layer}");
        let (new, old) = (layer["input_scale"].as_f64().unwrap(), layer["input_scale_before"].as_f64().unwrap());
        assert!((new / old - 1.0).abs() < 0.05, "{layer}");
    }
    // A run in this configuration answers as `after` says: on the calibration images, with the file's new set.
    let posterior = "workload.posterior.path=\"./fc1.safetensors.zst\"";
    let run = |set: &[&str]| {
        let mut args = vec!["run", "--no-files", "--format", "json", "--set", posterior];
        let calibration = "workload.images.path=\"digits/calibration.safetensors\"";
        args.extend(["--set", calibration]);
        set.iter().for_each(|set| args.extend(["--set", set]));
        json(&args, at)["outputs"].clone()
    };
    let own = run(&[SCHEME]);
    for score in ["accuracy", "ece", "nll"] {
        assert_eq!(own[score], made["after"][score], "{score}");
    }
    // Another configuration does not use it.
    let before = |set: &[&str]| {
        let mut args = vec!["run", "--no-files", "--format", "json"];
        args.extend(["--set", "workload.images.path=\"digits/calibration.safetensors\""]);
        set.iter().for_each(|set| args.extend(["--set", set]));
        json(&args, at)["outputs"].clone()
    };
    let deterministic = "mapping.scheme=Deterministic";
    assert_eq!(run(&[deterministic]), before(&[deterministic]));
    // What is there stays.
    let again = crossbayes(&["calibrate", "--set", SCHEME, "-o", "fc1.safetensors.zst"], at);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8(again.stderr).unwrap().contains("is there already"));
}

/// Statistics belong to the converters and memory cells that they were taken with: a chip with others uses them where there
/// are no nearer ones, and the report says so.
#[test]
fn statistics_belong_to_converters_and_memory_cells() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let few = "arch.adc.bits=5";
    let with = |file: &str| format!("workload.posterior.path=\"./{file}\"");
    let make = |from: Option<&str>, out: &str, name: &str, set: &[&str]| {
        let from = from.map(with);
        let mut args = vec!["calibrate", "--format", "json", "-o", out, "--name", name];
        from.iter().for_each(|from| args.extend(["--set", from]));
        set.iter().for_each(|set| args.extend(["--set", set]));
        json(&args, at)
    };
    let used = |file: &str, set: &[&str]| {
        let posterior = with(file);
        let mut args =
            vec!["run", "--no-files", "--format", "json", "--set", "ensemble.members=2", "--set", &posterior];
        set.iter().for_each(|set| args.extend(["--set", set]));
        let used = json(&args, at)["outputs"]["statistics"].as_array().unwrap().last().unwrap().clone();
        let is = |key: &str| used[key].as_bool().unwrap();
        (used["set"].as_str().unwrap().to_owned(), is("exact"), is("read_otherwise"))
    };
    let is = |set: &str, exact, read_otherwise| (set.to_owned(), exact, read_otherwise);
    make(None, "one.safetensors", "of_8_bits", &[SCHEME]);
    assert_eq!(used("one.safetensors", &[SCHEME]), is("of_8_bits", true, false));
    // Neither seed nor schedule nor costs are part of the configuration; converters, bits of p and cells are.
    for same in ["seed=3", "schedule.mode=Sequential", "arch.costs=survey_22nm", "arch.adc.columns_per_adc=4"] {
        assert_eq!(used("one.safetensors", &[SCHEME, same]), is("of_8_bits", true, false), "{same}");
    }
    for other in [few, "arch.array.rows=64", "arch.sampler.probability_bits=6", "arch.device.model=pcm_joshi"] {
        assert_eq!(used("one.safetensors", &[SCHEME, other]), is("of_8_bits", false, true), "{other}");
    }
    let one = with("one.safetensors");
    let output = crossbayes(&["run", "--no-files", "--set", SCHEME, "--set", &one, "--set", few], at);
    let words = String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let expected =
        "batch-norm statistics taken with other converters or memory cells: \"of_8_bits\" in conv1, conv2, fc1, fc2";
    assert!(words.contains(expected), "{words}");
    // Each chip finds its own of two.
    make(Some("one.safetensors"), "two.safetensors", "of_5_bits", &[SCHEME, few]);
    assert_eq!(used("two.safetensors", &[SCHEME]), is("of_8_bits", true, false));
    assert_eq!(used("two.safetensors", &[SCHEME, few]), is("of_5_bits", true, false));
    // The fully sampled network and the mode network may have further ones for a chip; on others they keep their own.
    for (scheme, own) in [(DENSE, "sampled"), ("mapping.scheme=Deterministic", "mode")] {
        let made = make(None, "more.safetensors", "of_5_bits", &[scheme, few, "ensemble.members=2"]);
        assert!(made["after"]["nll"].as_f64().unwrap() < made["before"]["nll"].as_f64().unwrap(), "{made}");
        assert_eq!(used("more.safetensors", &[scheme, few]), is("of_5_bits", true, false));
        assert_eq!(used("more.safetensors", &[scheme]), is(own, true, false));
        std::fs::remove_file(at.join("more.safetensors")).unwrap();
    }
}

/// Statistics of each member belong to its weights: other draws, or another posterior, do not use them.
#[test]
fn statistics_of_members_are_used_by_these_members_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let made = json(&["calibrate", "--per-member", "--set", DENSE, "--format", "json", "-o", "own.safetensors"], at);
    assert_eq!((&made["per_member"], &made["members"]), (&true.into(), &10.into()));
    let own = "workload.posterior.path=\"./own.safetensors\"";
    let run = |set: &[&str]| {
        let mut args = vec!["run", "--no-files", "--format", "json"];
        args.extend(["--set", DENSE, "--set", "workload.images.path=\"digits/calibration.safetensors\""]);
        set.iter().for_each(|set| args.extend(["--set", set]));
        json(&args, at)["outputs"].clone()
    };
    let with = run(&[own]);
    for score in ["accuracy", "ece", "nll"] {
        assert_eq!(with[score], made["after"][score], "{score}");
    }
    assert!(with["statistics"].as_array().unwrap().iter().all(|used| used["per_member"] == true));
    assert_ne!(with["mean_probabilities"], run(&[])["mean_probabilities"]);
    // Fewer members of the same draws have theirs.
    let fewer = "ensemble.members=3";
    let some = run(&[own, fewer]);
    assert_eq!(some["statistics"][0]["per_member"], true);
    assert_ne!(some["mean_probabilities"], run(&[fewer])["mean_probabilities"]);
    // Other draws, stored samples, p of fewer bits and arrays whose registers draw otherwise have not, and answer as with
    // the posterior as it was.
    for set in ["seed=2", "ensemble.samples=Stored", "arch.sampler.probability_bits=6", "arch.array.rows=64"] {
        let others = run(&[own, set]);
        assert_eq!(others["statistics_of_others"], serde_json::json!(["calibrated"]), "{set}");
        assert_eq!(others["statistics"][0]["per_member"], false, "{set}");
        assert_eq!(others["mean_probabilities"], run(&[set])["mean_probabilities"], "{set}");
    }
    let output = crossbayes(&["run", "--no-files", "--set", DENSE, "--set", own, "--set", "seed=2"], at);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("\"calibrated\" not used: of members with other weights"), "{table}");
}

/// Values of a tensor, and its shape.
fn tensor(file: &Path, name: &str) -> (Vec<usize>, Vec<f64>) {
    let bytes = std::fs::read(file).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor(name).unwrap();
    let values = view.data().as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes)));
    (view.shape().to_vec(), values.collect())
}

/// In the first ensembling layer all members see the same codes. There the distribution that all share is the mixture of those
/// of the members: its mean is the mean of the means, its variance the mean of the variances and the variance of the means.
#[test]
fn the_shared_set_is_the_mixture_of_those_of_the_members() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let scheme = "mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"))";
    let args = ["calibrate", "--format", "json", "--set", scheme, "--set", "ensemble.members=2", "-o"];
    json(&[&args[..], &["all.safetensors"]].concat(), at);
    json(&[&args[..], &["own.safetensors", "--per-member"]].concat(), at);
    let own = |name: &str| tensor(&at.join("own.safetensors"), name);
    let all = |name: &str| tensor(&at.join("all.safetensors"), name).1;
    let ((shape, mean), (_, var)) = (own("fc1.bn_mean_calibrated"), own("fc1.bn_var_calibrated"));
    assert_eq!((shape, own("conv2.bn_mean_calibrated").0), (vec![2, 64], vec![1, 32]));
    let (all_mean, all_var) = (all("fc1.bn_mean_calibrated"), all("fc1.bn_var_calibrated"));
    let mut apart = 0.0_f64;
    for column in 0..64 {
        let (a, b) = (mean[column], mean[64 + column]);
        let half = (a - b) / 2.0;
        let mixed = (var[column] + var[64 + column]) / 2.0 + half * half;
        assert!(((a + b) / 2.0 - all_mean[column]).abs() < 1e-5, "column {column}");
        assert!((mixed - all_var[column]).abs() < 1e-5 * mixed, "column {column}");
        apart = apart.max(half * half / mixed);
    }
    assert!(apart > 0.01, "members differ: {apart}");
    assert_ne!(own("fc2.bn_mean_calibrated").1[..10], own("fc2.bn_mean_calibrated").1[10..]);
}

#[test]
fn the_report_says_where_statistics_are_not_exact() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let scheme = "mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"))";
    let report = json(&["run", "--no-files", "--format", "json", "--set", scheme], at);
    let used: Vec<(&str, bool)> = report["outputs"]["statistics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|used| (used["set"].as_str().unwrap(), used["exact"].as_bool().unwrap()))
        .collect();
    assert_eq!(used, [("mode", true), ("mode", true), ("sampled", false), ("sampled", false)]);
    let table = |set: &str| String::from_utf8(crossbayes(&["run", "--no-files", "--set", set], at).stdout).unwrap();
    let words = table(scheme).split_whitespace().collect::<Vec<_>>().join(" ");
    let expected =
        "batch-norm statistics the nearest, not those of ls, 10 members, from fc1 on: \"sampled\" in fc1, fc2";
    assert!(words.contains(expected), "{words}");
    assert!(!table("mapping.scheme=Dense").contains("batch-norm statistics"));
}

#[test]
fn what_has_no_file_or_no_members_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (args, expected) in [
        (
            vec!["--workload", "vgg_binaryconnect", "--set", SCHEME],
            "is added to a posterior file; this network has none",
        ),
        (vec!["--set", SCHEME, "--name", "mode"], "--name: expected letters"),
        (vec!["--per-member", "--set", "mapping.scheme=Deterministic"], "the mode network has no members"),
        (vec!["--per-member", "--set", "arch.sampler.draws=PerPosition"], "weights are drawn at every position"),
    ] {
        let mut all = vec!["calibrate", "-o", "out.safetensors"];
        all.extend(args);
        let output = crossbayes(&all, folder.path());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    assert!(!folder.path().join("out.safetensors").exists());
}
