//! Members side by side: from the first ensembling layer on each has layers of its own.

use serde_json::Value;
use std::process::{Command, Output};

fn crossbayes(set: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(["run", "--no-files", "--format", "json", "--set", "values.answer=First(20)"]);
    for set in set {
        command.args(["--set", set]);
    }
    command.output().unwrap()
}

fn report(set: &[&str]) -> Value {
    let output = crossbayes(set);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

const SPATIAL: &str = "ensemble.execution=Spatial";
const FROM_FC1: &str = "mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"))";
const BOTH_PLANES: &str =
    "mapping.scheme=Sparse(first_ensembling_layer: Layer(\"conv2\"), eps: Above(0.05), packing: Rows)";

/// What members answer, what is drawn and what is multiplied do not depend on where they run. Counted reads cost the same;
/// only messages, buffers and post-processing of more tiles differ.
#[test]
fn answers_draws_and_reads_are_those_of_members_in_turn() {
    for scheme in ["mapping.scheme=Dense", FROM_FC1, BOTH_PLANES] {
        let (temporal, spatial) = (report(&[scheme]), report(&[scheme, SPATIAL]));
        assert_eq!(temporal["outputs"], spatial["outputs"], "{scheme}");
        assert_eq!(temporal["sampling"]["random_bits"], spatial["sampling"]["random_bits"], "{scheme}");
        for component in ["crossbar", "driver", "sample_hold", "adc", "generator", "accumulator"] {
            let energy = |report: &Value| report["energy"]["per_component"][component].clone();
            assert_eq!(energy(&temporal), energy(&spatial), "{scheme}, {component}");
        }
    }
}

/// With a periphery that takes no time an image takes the time of one member, and ten take no longer.
#[test]
fn latency_is_that_of_one_member() {
    let ideal = |set: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
        command.args(["run", "--no-files", "--format", "json", "--arch", "ideal_periphery"]);
        command.args(["--set", "values.answer=Nothing"]);
        for set in set {
            command.args(["--set", set]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    for scheme in ["mapping.scheme=Dense", FROM_FC1, BOTH_PLANES] {
        let one = ideal(&[scheme, "ensemble.members=1"]);
        let ten = ideal(&[scheme, SPATIAL]);
        assert_eq!(one["latency"]["cycles"], ten["latency"]["cycles"], "{scheme}");
        assert_eq!(ten["checks"]["closed_form"]["contention_cycles"], 0, "{scheme}");
        let interval = |report: &Value| report["latency"]["initiation_interval_cycles"].clone();
        assert_eq!(interval(&one), interval(&ten), "{scheme}");
    }
    // Arrays: those before the first ensembling layer once, the others for each member.
    let (one, ten) = (ideal(&[FROM_FC1, "ensemble.members=1"]), ideal(&[FROM_FC1, SPATIAL]));
    let arrays = |report: &Value, layers: std::ops::Range<usize>| -> u64 {
        layers.map(|l| report["mapping"]["per_layer"][l]["arrays"].as_u64().unwrap()).sum()
    };
    assert_eq!(arrays(&ten, 0..22), arrays(&one, 0..2) + 10 * arrays(&one, 2..4));
    assert_eq!(ten["mapping"]["per_layer"][21]["name"], "fc2[9]");
}

#[test]
fn what_cannot_run_side_by_side_is_refused() {
    for (set, expected) in [
        (vec![SPATIAL, "schedule.mode=Sequential"], "the sequential schedule runs one layer of one member at a time"),
        (
            vec![SPATIAL, "mapping.scheme=Sparse(eps: Above(0.05), keep_deterministic_part: true)"],
            "each member has planes of its own",
        ),
    ] {
        let output = crossbayes(&set);
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(expected), "{message}");
    }
}
