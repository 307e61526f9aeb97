//! `Auto`: the first ensembling layer and eps that calibration images allow.

use serde_json::Value;
use std::process::{Command, Output};

fn run(scheme: &str, more: &[&str]) -> Output {
    let set = format!("mapping.scheme=Sparse({scheme})");
    let args = ["run", "--no-files", "--format", "json", "--set", &set];
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(args).args(more).output().unwrap()
}

fn report(scheme: &str) -> Value {
    json(scheme, &[])
}

fn json(scheme: &str, more: &[&str]) -> Value {
    let output = run(scheme, more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The trained digits answer their own training images without fault whatever is sampled, so the deepest layer and the
/// largest eps are found at once where AUROC may fall; a tolerance that nothing meets leaves what was there.
#[test]
fn the_deepest_layer_and_the_largest_eps_within_the_tolerance_are_taken() {
    let found = report("first_ensembling_layer: Auto(auroc: 1), eps: Auto(auroc: 1)");
    let scheme = &found["config"]["mapping"]["scheme"]["Sparse"];
    assert_eq!((&scheme["first_ensembling_layer"]["Layer"], &scheme["eps"]["Above"]), (&"fc2".into(), &0.45.into()));
    let tried = found["tried"].as_array().unwrap();
    let sampled: Vec<u64> = tried.iter().map(|tried| tried["sampled_synapses"].as_u64().unwrap()).collect();
    assert_eq!(sampled, [38_160, 640, 7]);
    assert!(tried.iter().all(|tried| tried["kept"] == true));

    // Without a tolerance only schemes that answer at least as well are kept.
    let kept = report("first_ensembling_layer: Layer(\"fc1\"), eps: Auto(accuracy: 0, ece: 0, auroc: 1)");
    let tried = kept["tried"].as_array().unwrap();
    let (reference, last) = (&tried[0], tried.last().unwrap());
    for tried in &tried[1..] {
        let within = tried["ece"].as_f64() <= reference["ece"].as_f64()
            && tried["accuracy"].as_f64() >= reference["accuracy"].as_f64();
        assert_eq!(tried["kept"], within, "{tried}");
    }
    let eps = &kept["config"]["mapping"]["scheme"]["Sparse"]["eps"];
    let expected = if last["kept"] == true { &last["eps"] } else { &Value::Null };
    assert_eq!(&eps["Above"], expected);
}

/// With hardly anything sampled the digits are answered as well as ever, and clothes are no longer told from them.
#[test]
fn images_out_of_distribution_ask_for_more_to_be_sampled() {
    let found = report("first_ensembling_layer: Auto, eps: Auto");
    let tried = found["tried"].as_array().unwrap();
    let auroc = |tried: &Value| tried["auroc"].as_f64().unwrap();
    let reference = auroc(&tried[0]);
    assert!(reference > 0.9, "{reference}");
    for tried in &tried[1..] {
        assert_eq!(tried["kept"], auroc(tried) >= reference - 0.01, "{tried}");
    }
    assert!(tried.iter().any(|tried| tried["kept"] == false && tried["eps"] == 0.45));
    let eps = found["config"]["mapping"]["scheme"]["Sparse"]["eps"]["Above"].as_f64().unwrap();
    assert!((0.0..0.45).contains(&eps), "{eps}");

    // Without such images the tolerance has no effect, and the report says so.
    let none = ["--set", "workload.out_of_distribution=None"];
    let blind = json("first_ensembling_layer: Auto, eps: Auto(auroc: 0)", &none);
    assert_eq!(blind["config"]["mapping"]["scheme"]["Sparse"]["eps"]["Above"], 0.45);
    assert!(blind["tried"].as_array().unwrap().iter().all(|tried| tried["auroc"].is_null()));
    assert!(blind["outputs"]["ood"].is_null());
    let args = ["run", "--no-files", "--set", "mapping.scheme=Sparse(eps: Auto)"];
    let table = Command::new(env!("CARGO_BIN_EXE_crossbayes")).args(args).args(none).output().unwrap();
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("not compared: the network names no out-of-distribution images"), "{table}");
}

#[test]
fn a_run_reports_how_well_uncertainty_detects_other_images() {
    let ood = report("eps: Above(0.05)")["outputs"]["ood"].clone();
    assert_eq!(ood["images"], 200);
    for score in ["entropy", "mutual_information"] {
        assert!(ood[score]["auroc"].as_f64().unwrap() > 0.9, "{ood}");
        assert!((0.1..0.5).contains(&ood[score]["fpr95"].as_f64().unwrap()), "{ood}");
    }
    // The mode network has no mutual information: every score is 0.
    let args = ["run", "--no-files", "--format", "json", "--set", "mapping.scheme=Deterministic"];
    let output = Command::new(env!("CARGO_BIN_EXE_crossbayes")).args(args).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["outputs"]["ood"]["mutual_information"]["auroc"], 0.5);
    let same = run("eps: Above(0.05)", &["--set", "workload.out_of_distribution.path=\"digits/test.safetensors\""]);
    assert_eq!(same.status.code(), Some(2));
    let message = String::from_utf8(same.stderr).unwrap();
    assert!(message.contains("holds the images of images; expected others"), "{message}");
}

/// The contents of the files that decide a result are in the network's hash.
#[test]
fn images_that_decide_a_result_are_part_of_the_hash() {
    let quick = ["--set", "values.answer=Nothing"];
    let hash = |scheme: &str, set: &str| {
        let set = if set.is_empty() { Vec::new() } else { vec!["--set", set] };
        json(scheme, &[&quick[..], &set].concat())["provenance"]["workload_hash"].clone()
    };
    let calibration = "workload.calibration.path=\"digits/test.safetensors\"";
    let auto = "first_ensembling_layer: Layer(\"fc2\"), eps: Auto(auroc: 1)";
    assert_ne!(hash(auto, ""), hash(auto, calibration));
    let given = "first_ensembling_layer: Layer(\"fc2\")";
    assert_eq!(hash(given, ""), hash(given, calibration));
    let outside = "workload.out_of_distribution.path=\"digits/calibration.safetensors\"";
    assert_ne!(hash(given, ""), hash(given, outside));
}

#[test]
fn a_tolerance_is_written_as_the_keys_of_auto_and_as_a_struct_in_it() {
    let chosen = |auto: &str| report(&format!("first_ensembling_layer: Layer(\"fc2\"), eps: {auto}"))["tried"].clone();
    assert_eq!(chosen("Auto(auroc: 1)"), chosen("Auto((auroc: 1))"));
    let output = run("eps: Auto(aurroc: 1)", &[]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("unknown key \"aurroc\" of Auto; expected one of accuracy, ece, auroc"), "{message}");
    assert!(message.contains("did you mean \"auroc\"?"), "{message}");
}

#[test]
fn without_calibration_images_or_a_posterior_it_says_so() {
    let output = run("eps: Auto", &["--workload", "vgg_binaryconnect"]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("on the workload's calibration images, and it has none"), "{message}");
    let output = run("eps: Auto(ece: 2)", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("ece is 2; expected 0..=1"));
}

/// Where answers depend on when arrays are read, each scheme is tried at the times of its own schedule.
#[test]
fn schemes_are_tried_at_the_times_of_their_schedules() {
    let tried = |more: &[&str]| {
        let set = ["--set", "arch.device.model=pcm_joshi", "--set", "arch.device.read_noise=OneOverF"];
        let few = ["--set", "values.answer=First(1)", "--set", "ensemble.members=2"];
        let found = json("first_ensembling_layer: Layer(\"fc1\"), eps: Auto(auroc: 1)", &[&set, &few, more].concat());
        found["tried"].clone()
    };
    let first = tried(&[]);
    assert!(first[0]["nll"].as_f64().unwrap() > 0.0, "{first}");
    assert_eq!(tried(&["--set", "schedule.grain=Conversion"]), first);
    let slower = tried(&["--set", "arch.array.read_time=1 ms"]);
    assert_ne!(slower[0]["nll"], first[0]["nll"]);
}
