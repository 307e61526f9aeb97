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
    let output = run(scheme, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The trained digits answer their own training images without fault whatever is sampled, so the deepest layer and the
/// largest eps are found at once; a tolerance that nothing meets leaves what was there.
#[test]
fn the_deepest_layer_and_the_largest_eps_within_the_tolerance_are_taken() {
    let found = report("first_ensembling_layer: Auto, eps: Auto");
    let scheme = &found["config"]["mapping"]["scheme"]["Sparse"];
    assert_eq!((&scheme["first_ensembling_layer"]["Layer"], &scheme["eps"]["Above"]), (&"fc2".into(), &0.45.into()));
    let tried = found["tried"].as_array().unwrap();
    let sampled: Vec<u64> = tried.iter().map(|tried| tried["sampled_synapses"].as_u64().unwrap()).collect();
    assert_eq!(sampled, [38_160, 640, 7]);
    assert!(tried.iter().all(|tried| tried["kept"] == true));

    // Without a tolerance only schemes that answer at least as well are kept.
    let kept = report("first_ensembling_layer: Layer(\"fc1\"), eps: Auto(accuracy: 0, ece: 0)");
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
