//! `calibrate`: statistics for the sampling configuration at hand.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const SCHEME: &str = "mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"), eps: Above(0.05))";

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

#[test]
fn what_has_its_statistics_from_training_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (args, expected) in [
        (vec!["--set", "mapping.scheme=Dense"], "have the statistics of their training"),
        (vec!["--set", "mapping.scheme=Deterministic"], "have the statistics of their training"),
        (
            vec!["--workload", "vgg_binaryconnect", "--set", SCHEME],
            "is added to a posterior file; this network has none",
        ),
        (vec!["--set", SCHEME, "--name", "mode"], "--name: expected letters"),
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
