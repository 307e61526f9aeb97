//! Does `compare` put the runs side by side that it says, with the figures of those runs, and write whole files?

use crossbayes::compare::simulated;
use crossbayes::config::{LoadRequest, load};
use crossbayes::run::{RunPhase, Shared};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::{TempDir, tempdir};

/// What a command has left: its exit code, stdout and stderr.
fn crossbayes(folder: &TempDir, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    let output = command.args(arguments).current_dir(folder.path()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Stdout of a command that succeeded.
#[track_caller]
fn fine(folder: &TempDir, arguments: &[&str]) -> String {
    let (code, out, err) = crossbayes(folder, arguments);
    assert_eq!(code, Some(0), "{err}");
    out
}

#[track_caller]
fn rows(folder: &TempDir, arguments: &[&str]) -> Vec<Value> {
    let json = fine(folder, &[&["compare", "--format", "json"], arguments].concat());
    let value: Value = serde_json::from_str(&json).unwrap();
    value["rows"].as_array().unwrap().clone()
}

fn number(row: &Value, key: &str) -> f64 {
    let value = key.split('.').fold(row, |value, key| &value[key]);
    value.as_f64().unwrap_or_else(|| panic!("{key} is {value}"))
}

const TOY: [&str; 4] = ["--archs", "toy_2x2", "--workload", "toy_two_layers"];

/// The keys that programs rely on.
const KEYS: [&str; 21] = [
    "arch",
    "costs",
    "scheme",
    "first_ensembling_layer",
    "eps",
    "packing",
    "schedule",
    "ensemble",
    "latency_cycles",
    "initiation_interval_cycles",
    "energy_j",
    "power_w",
    "area_mm2",
    "arrays",
    "random_bits",
    "probabilistic_synapses",
    "stored_synapses",
    "gops_per_w",
    "gops_per_w_per_mm2",
    "outputs",
    "ratio",
];

#[test]
fn a_row_has_the_figures_of_its_run_live_and_stored() {
    let folder = tempdir().unwrap();
    let of_run =
        ["--set", "mapping.scheme=Sparse(eps:Above(0.1))", "--set", "ensemble.members=4", "--mode", "sequential"];
    let run = [&["run", "--arch", "ideal_periphery", "--out", "stored", "--format", "json"][..], &of_run].concat();
    let report: Value = serde_json::from_str(&fine(&folder, &run)).unwrap();
    let lists = ["--archs", "ideal_periphery", "--schemes", "dense,rs", "--eps", "0.1", "--members", "4"];
    let live = rows(&folder, &[&lists[..], &["--schedules", "sequential"]].concat());
    let stored = rows(&folder, &["stored"]);
    assert_eq!((live.len(), stored.len()), (2, 1));
    for row in [&live[1], &stored[0]] {
        for (key, of_report) in [
            ("energy_j", "energy.total_j"),
            ("power_w", "power.run_w"),
            ("area_mm2", "area.total_mm2"),
            ("latency_cycles", "latency.cycles"),
            ("initiation_interval_cycles", "latency.initiation_interval_cycles"),
            ("arrays", "mapping.arrays"),
            ("random_bits", "sampling.random_bits"),
            ("stored_synapses", "sampling.stored_synapses"),
            ("probabilistic_synapses", "sampling.probabilistic_synapses"),
            ("gops_per_w", "efficiency.gops_per_w"),
            ("gops_per_w_per_mm2", "efficiency.gops_per_w_per_mm2"),
            ("outputs.accuracy", "outputs.accuracy"),
            ("outputs.ece", "outputs.ece"),
            ("outputs.nll", "outputs.nll"),
        ] {
            assert_eq!(number(row, key), number(&report, of_report), "{key}");
        }
        assert_eq!((&row["scheme"], &row["eps"], &row["ensemble"]), (&"rs".into(), &0.1.into(), &"temporal".into()));
        assert_eq!((&row["first_ensembling_layer"], &row["packing"]), (&"conv1".into(), &"full".into()));
        for key in KEYS {
            assert!(row.as_object().unwrap().contains_key(key), "{key}");
        }
    }
    // A ratio is that of the row to the first one, and of the first one to itself 1.
    for (name, key) in
        [("energy", "energy_j"), ("area", "area_mm2"), ("latency", "latency_cycles"), ("ece", "outputs.ece")]
    {
        assert_eq!(live[1]["ratio"][name].as_f64().unwrap(), number(&live[1], key) / number(&live[0], key), "{name}");
        assert_eq!(live[0]["ratio"][name], 1.0);
    }
    // Stored runs come behind what is asked for beside them.
    let both = rows(&folder, &[&lists[..], &["stored"]].concat());
    assert_eq!(both.len(), 3);
    assert_eq!((&both[2]["run"], &both[1]["run"]), (&"stored".into(), &Value::Null));
    assert_eq!(number(&both[2], "ratio.energy"), number(&both[2], "energy_j") / number(&both[0], "energy_j"));
}

#[test]
fn lists_are_crossed_and_schemes_take_what_concerns_them() {
    let folder = tempdir().unwrap();
    let lists =
        ["--schemes", "dense,ls,rs,ls+rs,deterministic", "--eps", "0.05,0.3", "--schedules", "layer,sequential"];
    let rows =
        rows(&folder, &[&TOY[..], &lists, &["--first-ensembling-layer", "conv1,fc1", "--members", "2,3"]].concat());
    let reported = |row: &Value| {
        let text = |key: &str| row[key].as_str().map_or_else(|| row[key].to_string(), str::to_owned);
        ["scheme", "first_ensembling_layer", "eps", "members", "schedule"].map(text).join(" ")
    };
    let all: Vec<String> = rows.iter().map(reported).collect();
    // dense, ls of two layers, rs of two eps, ls+rs of both: 9, for each schedule and number of members; the mode network
    // has no members.
    assert_eq!(all.len(), 2 * 2 * 9 + 2, "{all:#?}");
    assert_eq!(
        all[..5],
        [
            "dense conv1 null 2 layer",
            "ls conv1 null 2 layer",
            "ls fc1 null 2 layer",
            "rs conv1 0.05 2 layer",
            "rs conv1 0.3 2 layer"
        ]
    );
    assert_eq!(all.iter().filter(|row| row.starts_with("deterministic null null 1")).count(), 2);
    let mut once = all.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), all.len());
}

#[test]
fn a_row_that_cannot_be_planned_says_why() {
    let folder = tempdir().unwrap();
    let lists = ["--schemes", "rs", "--packing", "lists,rows", "--csv", "all.csv"];
    let table = fine(&folder, &[&["compare"], &TOY[..], &lists].concat());
    assert!(table.contains("packing is Lists, whose rows hold another"), "{table}");
    assert!(table.contains("ratios to row 2"), "{table}");
    let csv = fs::read_to_string(folder.path().join("all.csv")).unwrap();
    let refused = csv.lines().nth(1).unwrap();
    assert!(refused.contains("expected a Comparator sampler"), "{refused}");
    // Nothing but refused rows is an error.
    let (code, out, err) =
        crossbayes(&folder, &[&["compare"], &TOY[..], &["--schemes", "rs", "--packing", "lists"]].concat());
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("packing is Lists"), "{err}");
}

#[test]
fn bad_lists_are_refused() {
    let folder = tempdir().unwrap();
    for (arguments, message) in [
        (&["--schemes", "dens"][..], "there is no scheme `dens`; expected dense, ls, rs, ls+rs, deterministic"),
        (&["--packing", "columns"], "there is no packing `columns`; expected full, rows, lists"),
        (&["--schedules", "later"], "there is no schedule `later`; expected layer, sequential, streaming"),
        (&["--eps", "0.5"], "expected a number in 0..0.5, got `0.5`"),
        (&["--members", "0"], "0 is not in 1..=10000"),
        (
            &["--schemes", "ls", "--first-ensembling-layer", "fc3"],
            "first ensembling layer \"fc3\" is no layer of the network\nhelp: did you mean fc",
        ),
        (&["--set", "mapping.scheme=dense"], "rows take their schemes from --schemes"),
        (&["--set", "mapping.replication={\"conv9\":2}"], "replication names \"conv9\", which is no layer"),
        (&["--png"], "expected --picture or --quality"),
        (&["--picture", "a.png", "--png"], "expected a name that ends in .svg"),
        (&["no-run"], "no-run: there is no such file or folder"),
        (&["--costs", "servey_22nm"], "did you mean"),
    ] {
        let (code, out, err) = crossbayes(&folder, &[&["compare"], arguments].concat());
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        assert!(err.contains(message), "{arguments:?}: {err}");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn files_appear_whole_or_not_at_all() {
    let folder = tempdir().unwrap();
    let files = ["--csv", "a.csv", "--picture", "a.svg", "--png"];
    let json = fine(&folder, &[&["compare", "--format", "json", "-q"], &TOY[..], &files].concat());
    assert_eq!(names(folder.path()), ["a.csv", "a.png", "a.svg"]);
    assert!(fs::read_to_string(folder.path().join("a.svg")).unwrap().trim_end().ends_with("</svg>"));
    // The CSV has the same numbers as the JSON, to the last digit.
    let rows: Value = serde_json::from_str(&json).unwrap();
    let csv = fs::read_to_string(folder.path().join("a.csv")).unwrap();
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let column = |name: &str| head.iter().position(|head| *head == name).unwrap();
    for (line, row) in lines.zip(rows["rows"].as_array().unwrap()) {
        for name in ["energy_j", "latency_cycles", "ratio.energy", "limits.energy", "arrays"] {
            assert_eq!(line[column(name)].parse::<f64>().unwrap(), number(row, name), "{name}");
        }
    }
    // A place that cannot be written is refused before any work, and nothing is left.
    let before = names(folder.path());
    let files = ["--csv", "b.csv", "--picture", "none/b.svg"];
    let (code, _, err) = crossbayes(&folder, &[&["compare"], &TOY[..], &files].concat());
    assert_eq!(code, Some(1), "{err}");
    assert_eq!(names(folder.path()), before);
}

/// Rows are conv1 and fc1 at two eps and with all sampled, and the mode network.
#[test]
fn the_picture_of_quality_is_over_the_first_layer() {
    let folder = tempdir().unwrap();
    let lists = ["--schemes", "deterministic,dense,ls,rs,ls+rs", "--eps", "0.1,0.3", "--quality", "q.svg"];
    let images = ["compare", "-q", "--set", "values.answer=First(2)"];
    fine(&folder, &[&images, &lists[..]].concat());
    let svg = fs::read_to_string(folder.path().join("q.svg")).unwrap();
    let texts: Vec<&str> = svg.lines().map(str::trim).collect();
    let charts = ["accuracy; bars: standard error (Wilson) (%)", "expected calibration error", "sampled synapses"];
    for text in charts.iter().chain(&["conv1", "fc1", "none", "0.1 &lt; p &lt; 0.9", "0.3 &lt; p &lt; 0.7"]) {
        assert!(texts.contains(text), "{text}: {texts:?}");
    }
    // Layers that no row begins at are left out.
    assert!(!texts.contains(&"conv2"), "{texts:?}");
    let twice = ["--schedules", "layer,sequential", "--quality", "no.svg"];
    // Before anything is read or simulated: the posterior is not missed.
    let absent = ["compare", "--set", "workload.posterior.path=absent.safetensors"];
    let (code, _, err) = crossbayes(&folder, &[&absent[..], &twice].concat());
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("these differ in schedule"), "{err}");
    let (_, _, err) = crossbayes(&folder, &[&absent[..], &twice[..2]].concat());
    assert!(err.contains("absent.safetensors"), "{err}");
    assert_eq!(names(folder.path()), ["q.svg"]);
}

#[test]
fn lines_of_the_table_have_at_most_100_columns() {
    let folder = tempdir().unwrap();
    let lists = ["--archs", "pcm_128,pcm_256", "--costs", "neurosim_22nm,survey_22nm", "--eps", "0.05,0.3"];
    let table = fine(
        &folder,
        &[&["compare", "--set", "values.answer=First(2)", "--schedules", "layer,sequential"], &lists[..]].concat(),
    );
    for line in table.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    // 2 chips, 2 tables, 2 schedules; dense, ls, rs and ls+rs at two eps.
    assert!(table.starts_with("Comparison of 48 rows"), "{table}");
}

const VGG: [&str; 4] = ["--archs", "ideal_periphery", "--workload", "vgg_binaryconnect"];

/// Where a multiply-accumulate costs the same everywhere, dense / LS is T / ((1 - s) + s T); the ratios are computed by hand
/// from the layers of VGGBinaryConnect, T = 10.
#[test]
fn layer_sparsity_saves_the_energy_of_the_closed_form() {
    let folder = tempdir().unwrap();
    let lists = ["--schemes", "dense,ls", "--first-ensembling-layer", "fc1,fc2,conv6,conv5"];
    let equal = rows(&folder, &[&VGG[..], &["--costs", "equal_mac"], &lists].concat());
    for (row, expected) in equal[1..].iter().zip([8.78, 9.83, 2.99, 2.25]) {
        let ratio = 1.0 / number(row, "ratio.energy");
        assert!((ratio / expected - 1.0).abs() < 0.005, "{}: {ratio}", row["first_ensembling_layer"]);
    }
    // With what the closed form leaves out (converters, wordlines, buffers, links, draws and leakage) the same rows differ.
    let whole = rows(&folder, &[&VGG[..], &["--schemes", "dense,ls"]].concat());
    let ratio = 1.0 / number(&whole[1], "ratio.energy");
    assert!((ratio / 8.78 - 1.0).abs() > 0.05, "{ratio}");
}

/// A bit a draw: T times the synapses from L0 on, and as many at each position where each has a sample of its own.
#[test]
fn random_bits_are_those_of_the_draws() {
    let folder = tempdir().unwrap();
    let bit = ["--set", "arch.sampler.probability_bits=1"];
    let once = rows(&folder, &[&VGG[..], &bit, &["--schemes", "dense,ls"]].concat());
    let bits: Vec<f64> = once.iter().map(|row| number(row, "random_bits")).collect();
    assert_eq!(bits, [141_141_760.0, 95_395_840.0]);
    let anew = ["--schemes", "dense", "--set", "arch.sampler.draws=PerPosition"];
    let anew = rows(&folder, &[&VGG[..], &bit, &anew].concat());
    assert_eq!(number(&anew[0], "random_bits"), 6_170_583_040.0);
}

/// The energy and area ratios that the page about the published figures states, on the trained posterior.
#[test]
fn the_published_figures_are_as_far_as_the_book_says() {
    let folder = tempdir().unwrap();
    let network = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads/vgg_cifar100.ron");
    let close =
        |ratio: f64, reported: f64| assert!((ratio / reported - 1.0).abs() < 0.03, "{ratio} instead of {reported}");
    for (costs, schedule, energy, area) in [
        ("neurosim_22nm", "layer", [5.33, 4.76], [1.25, 0.95]),
        ("neurosim_22nm", "sequential", [8.65, 7.72], [1.25, 0.95]),
        ("survey_22nm", "layer", [6.41, 5.88], [1.18, 0.83]),
        ("survey_22nm", "sequential", [7.80, 7.11], [1.18, 0.83]),
    ] {
        let lists = ["--schemes", "dense,ls,ls+rs", "--costs", costs, "--schedules", schedule];
        let rows = rows(&folder, &[&["--workload", network][..], &lists].concat());
        for (row, (energy, area)) in rows[1..].iter().zip(energy.into_iter().zip(area)) {
            close(1.0 / number(row, "ratio.energy"), energy);
            close(1.0 / number(row, "ratio.area"), area);
        }
        // Of the synapses that ls samples, ls+rs at eps 0.05 samples a quarter.
        close(number(&rows[2], "sampled_synapses") / number(&rows[1], "sampled_synapses"), 0.253);
    }
    // Copies with which each layer takes at most 65,000 cycles an image: both chips are as fast as that.
    let copies = ["--schemes", "dense,ls,ls+rs", "--set", "mapping.copies=Auto(target_interval: 65000)"];
    let rows = rows(&folder, &[&["--workload", network][..], &copies].concat());
    for (row, [energy, area]) in rows[1..].iter().zip([[11.4, 5.29], [13.0, 4.11]]) {
        close(1.0 / number(row, "ratio.energy"), energy);
        close(1.0 / number(row, "ratio.area"), area);
    }
    assert!(rows.iter().all(|row| number(row, "initiation_interval_cycles") <= 65_000.0));
}

/// Values depend on neither schedule nor cost table: rows that differ in these alone answer the images once.
#[test]
fn rows_share_values() {
    let load = |set: &[&str]| {
        let set = set.iter().map(|set| (*set).to_owned()).collect();
        load(&LoadRequest { set, ..LoadRequest::default() }).unwrap()
    };
    let first = load(&["values.answer=First(3)"]);
    let shared = Shared::new(&first.config, &first.workload_base).unwrap();
    let answered = AtomicU64::new(0);
    let tell = |phase: RunPhase, _: u64, _: u64| {
        answered.fetch_add(u64::from(phase == RunPhase::Values), Ordering::Relaxed);
    };
    let row = |set: &[&str]| {
        let row = simulated(&load(set).config, &shared, 1, &tell).unwrap();
        (row.outputs.unwrap(), row.latency_cycles.unwrap(), answered.swap(0, Ordering::Relaxed))
    };
    let (outputs, latency, work) = row(&["values.answer=First(3)"]);
    // Three images of the test set, and the 200 out-of-distribution ones.
    assert_eq!(work, 203);
    for other in ["schedule.mode=sequential", "arch.costs=survey_22nm"] {
        let (again, cycles, work) = row(&["values.answer=First(3)", other]);
        assert_eq!((&again, work), (&outputs, 0), "{other}");
        assert_ne!(cycles, latency);
    }
    // Converters of other bits answer anew.
    assert_eq!(row(&["values.answer=First(3)", "arch.adc.bits=5"]).2, 203);
}
