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

/// What a command prints, its runs of spaces put together.
fn printed(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_crossbayes")).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.join("\n")
}

/// Tables have a line for all copies of a layer, with the sums of arrays, energy and area and the means of shares; JSON has
/// each.
#[test]
fn copies_are_one_line() {
    let set = ["--set", FROM_FC1, "--set", SPATIAL, "--set", "ensemble.members=3", "--set", "values.answer=Nothing"];
    let table = printed(&[&["run", "--no-files"], &set[..]].concat());
    assert!(!table.contains("fc1[0]"), "{table}");
    let line = |start: &str| table.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
    // 3 copies of 4 arrays.
    assert!(line("fc1 (3 copies) 512").starts_with("fc1 (3 copies) 512 x 64 1 1 1 12 "), "{table}");
    // Cells used, as of each: 512 x 64 of as many.
    assert!(line("fc1 (3 copies) 100.0").starts_with("fc1 (3 copies) 100.0 "), "{table}");
    assert!(line("fc2 (3 copies) 7.8").starts_with("fc2 (3 copies) 7.8 "), "{table}");
    let json = report(&[FROM_FC1, SPATIAL, "ensemble.members=3"]);
    let layers = json["energy"]["per_layer"].as_array().unwrap();
    let names: Vec<_> = json["mapping"]["per_layer"].as_array().unwrap().iter().map(|layer| &layer["name"]).collect();
    assert_eq!(names, ["conv1", "conv2", "fc1[0]", "fc2[0]", "fc1[1]", "fc2[1]", "fc1[2]", "fc2[2]"]);
    assert_eq!(layers.len(), 8);
    let mapping = printed(&[&["show", "mapping"], &set[..]].concat());
    assert!(mapping.contains("\nfc2 (3 copies) 64 x 10 1 1 x 1 1 3 3 7.8 % 1\n"), "{mapping}");
}

/// Copies of layers have names on the critical path, and rows in its picture.
#[test]
fn the_critical_path_names_copies() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let set = ["--set", FROM_FC1, "--set", SPATIAL, "--set", "ensemble.members=3", "--out", &out];
    let table = printed(&[&["critical"], &set[..]].concat());
    assert!(table.contains("fc2["), "{table}");
    assert!(std::fs::read_to_string(folder.path().join("critical.svg")).is_ok_and(|svg| svg.contains("fc1[2]")));
}

/// Frozen synapses are sampled ones: layers before the first ensembling layer have none, nor those that an eps leaves to the
/// generators.
#[test]
fn frozen_synapses_are_sampled() {
    let frozen = |scheme| {
        let report = report(&[scheme]);
        let layers = report["sampling"]["per_layer"].as_array().unwrap();
        layers.iter().map(|layer| layer["frozen_synapses"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let (all, from_fc1) = (frozen("mapping.scheme=Dense"), frozen(FROM_FC1));
    assert!(all.iter().all(|&frozen| frozen > 0));
    assert_eq!(from_fc1, [0, 0, all[2], all[3]]);
    assert_eq!(frozen(BOTH_PLANES), [0; 4]);
}

/// The table tells what is probabilistic, what is drawn, and the places of the stochastic planes apart.
#[test]
fn sampled_synapses_are_told_apart_from_their_places() {
    let lines = |set: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
        command.args(["run", "--no-files", "--set", "values.answer=Nothing", "--set", "ensemble.members=3"]);
        for set in set {
            command.args(["--set", set]);
        }
        let printed = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let lines = printed.lines().filter(|line| line.contains(" synapses ")).map(|line| line.trim().to_owned());
        lines.collect::<Vec<_>>()
    };
    // fc2 has 64 x 10 synapses, 39 of them with 0.05 < p < 0.95; at an eps none of those is frozen.
    let from_fc2 = "mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc2\"), eps: Above(0.05))";
    let probabilistic = "probabilistic synapses  7 334 of 38 160 (0.05 < p < 0.95)";
    let sampled = "sampled synapses        39 by each member, in stochastic planes with places for 640";
    assert_eq!(lines(&[from_fc2]), [probabilistic, sampled]);
    let fc1 = lines(&[FROM_FC1]);
    assert_eq!(fc1[..2], [probabilistic, "sampled synapses        33 408 by each member"]);
    assert!(fc1[2].starts_with("frozen synapses         20 580 (61.6 %) have p = 0 or 1 at 8 bits"), "{fc1:?}");
    assert_eq!(lines(&[FROM_FC1, SPATIAL])[1], "sampled synapses        100 224 by all members");
}
