//! Do comparators draw from the noise of devices as they really are?

use crossbayes::config::{LoadRequest, load};
use std::path::Path;
use std::process::Command;

const CELLS: [&str; 2] = ["arch.device.model=pcm_joshi", "values.answer=First(8)"];

/// What a run on the chip with comparators reports.
fn report(set: &[&str], threads: &str) -> serde_json::Value {
    let chip = Path::new(env!("CARGO_MANIFEST_DIR")).join("arch/pcm_128_rowserial.ron");
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(["run", "--no-files", "--quiet", "--format", "json", "--threads", threads, "--arch"]).arg(chip);
    command.args(CELLS.iter().chain(set).flat_map(|set| ["--set", set]));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

const WHITE: &str = "arch.device.read_noise=White";
const IN_TIME: &str = "arch.device.read_noise=OneOverF";

#[test]
fn realised_probabilities_are_reported_and_repeat_with_the_seed() {
    for noise in [WHITE, IN_TIME] {
        let set = [noise, "ensemble.members=4"];
        let one = report(&set, "1")["outputs"].clone();
        assert_eq!(report(&set, "2")["outputs"], one, "{noise}");
        let realised = &one["realised"];
        assert!(realised[0].is_null(), "conv1 is deterministic: {realised}");
        let fc1 = &realised[2];
        assert_eq!(fc1["synapses"], 512 * 64);
        let number = |key: &str| fc1[key].as_f64().unwrap();
        assert!(number("mean_error") > 0.02 && number("worst") > 0.3, "{fc1}");
        assert!(number("mean_error") < number("worst") && number("worst") <= 1.0, "{fc1}");
        let counts = fc1["histogram"].as_array().unwrap();
        assert_eq!(counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), 512 * 64);
        assert_ne!(report(&[noise, "ensemble.members=4", "seed=2"], "2")["outputs"]["realised"], *realised);
    }
    assert!(report(&[WHITE], "2")["outputs"]["members_apart"].is_null());
}

#[test]
fn a_faster_chip_gives_more_alike_members() {
    let figures = |read_time: &str| {
        let set = [
            IN_TIME,
            "arch.sampler=Comparator(noise_rows: 16, offset: (trim: (step: \"100 nS\", bits: 12)))",
            "ensemble.members=4",
            read_time,
        ];
        let outputs = report(&set, "2")["outputs"].clone();
        let apart = &outputs["members_apart"];
        let correlation = outputs["member_correlation"].as_f64().unwrap();
        (apart["seconds"].as_f64().unwrap(), apart["noise_correlation"].as_f64().unwrap(), correlation)
    };
    let (fast, noise, members) = figures("arch.stochastic.read_time=10 ns");
    let (slow, slow_noise, slow_members) = figures("arch.stochastic.read_time=100 us");
    assert!(fast < slow && noise > slow_noise + 0.3, "{fast} s, {noise}; {slow} s, {slow_noise}");
    assert!(members > slow_members + 0.01, "{members} at {fast} s, {slow_members} at {slow} s");
}

#[test]
fn schedules_and_packings_do_not_change_draws_of_white_noise() {
    let set = |more: &[&'static str]| [&[WHITE, "ensemble.members=3"], more].concat();
    let outputs = |more: &[&'static str]| report(&set(more), "2")["outputs"].clone();
    let first = outputs(&["mapping.scheme=Sparse(eps: Above(0.05))", "arch.adc.bits=9"]);
    for more in [
        &["mapping.scheme=Sparse(eps: Above(0.05))", "arch.adc.bits=9", "schedule.mode=Sequential"][..],
        &["mapping.scheme=Sparse(eps: Above(0.05), packing: Lists())", "arch.adc.bits=9"],
        &["mapping.scheme=Sparse(eps: Above(0.05), packing: Rows)", "arch.adc.bits=9"],
    ] {
        assert_eq!(outputs(more)["mean_probabilities"], first["mean_probabilities"], "{more:?}");
    }
}

#[test]
fn comparators_without_fresh_noise_are_refused() {
    let chip = Path::new(env!("CARGO_MANIFEST_DIR")).join("arch/pcm_128_rowserial.ron").display().to_string();
    let problems = |set: &[&str]| {
        let set = set.iter().map(|&set| set.to_owned()).collect();
        load(&LoadRequest { arch: Some(chip.clone()), set, ..LoadRequest::default() })
            .err()
            .map(|errors| errors.to_string())
    };
    let told = problems(&CELLS).unwrap();
    assert!(told.contains("read noise is Frozen, and comparators draw weights from it"), "{told}");
    assert_eq!(problems(&[CELLS[0], WHITE]), None);
    assert_eq!(problems(&[CELLS[0], "mapping.scheme=Deterministic"]), None);
    assert_eq!(problems(&[]), None);
}

#[test]
fn show_sampler_prints_and_draws_what_becomes_of_p() {
    let folder = tempfile::tempdir().unwrap();
    let show = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
        let output = command.args(["show", "sampler"]).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let shown: serde_json::Value = serde_json::from_str(&show(&["--format", "json"])).unwrap();
    let of = |rows: u64, p: f64| {
        let rows = shown["noise_rows"].as_array().unwrap().iter().find(|of| of["noise_rows"] == rows).unwrap();
        let bent = rows["probabilities"].as_array().unwrap().iter().find(|bent| bent["intended"] == p).unwrap().clone();
        (bent["mean"].as_f64().unwrap(), bent["std"].as_f64().unwrap())
    };
    // Comparators are not trimmed here: their noise rows are off by as much as the pair of a synapse, each.
    for rows in [0, 4, 16] {
        let ((low, _), (middle, spread), (high, _)) = (of(rows, 0.1), of(rows, 0.5), of(rows, 0.9));
        // 1,024 comparators: a standard error of 0.35 / 32.
        assert!((middle - 0.5).abs() < 0.045, "{rows}: {middle}");
        assert!(low > 0.1 && high < 0.9, "errors pull towards the middle: {low}, {high}");
        assert!((0.2..0.45).contains(&spread), "{rows}: {spread}");
    }
    // 1 - F(1 ms) = 1 - 0.66^2 = 0.566; the draws' correlation is 2 / pi asin of it: 0.383.
    let between = &shown["between"][3];
    assert!((between["noise_correlation"].as_f64().unwrap() - 0.566).abs() < 0.02, "{between}");
    assert!((between["draw_correlation"].as_f64().unwrap() - 0.383).abs() < 0.02, "{between}");
    show(&["--out", folder.path().join("pictures").to_str().unwrap()]);
    for name in ["sampler_noise_rows.svg", "sampler_offset.svg", "sampler_members.svg"] {
        let svg = std::fs::read_to_string(folder.path().join("pictures").join(name)).unwrap();
        assert!(svg.contains("<svg") && svg.len() > 5_000, "{name}");
    }
}

#[test]
fn show_sampler_answers_over_noise_rows_offsets_and_times() {
    let folder = tempfile::tempdir().unwrap();
    let show = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
        command.args(["show", "sampler", "--answers", "--set", "values.answer=First(6)"]);
        command.args(["--set", "ensemble.members=2", "--set", "arch.device.read_noise=White"]).args(more);
        command.output().unwrap()
    };
    let chip = ["--arch", "pcm_128_rowserial", "--set", CELLS[0]];
    let pictures = folder.path().join("pictures");
    let output = show(&[&chip[..], &["--format", "json", "--out", pictures.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let answers = shown["answers"].as_array().unwrap();
    let over: Vec<&str> = answers.iter().map(|over| over["over"].as_str().unwrap()).collect();
    assert_eq!(over, ["noise_rows", "offset", "read_time"]);
    for over in answers {
        for line in over["lines"].as_array().unwrap() {
            for point in line[1].as_array().unwrap() {
                let accuracies = point["accuracy"].as_array().unwrap();
                assert!(accuracies.len() == 3 && accuracies.iter().all(|of| of.as_f64().unwrap() <= 1.0), "{point}");
            }
        }
        let svg = format!("sampler_answers_{}.svg", over["over"].as_str().unwrap());
        assert!(std::fs::read_to_string(pictures.join(svg)).unwrap().contains("expected calibration error"));
    }
    // Slower reads leave members less of their noise in common; white noise none.
    let times = answers[2]["lines"][0][1].as_array().unwrap();
    let noise: Vec<f64> = times.iter().filter_map(|point| point["noise_correlation"].as_f64()).collect();
    assert!(noise.len() == 5 && noise.windows(2).all(|pair| pair[0] > pair[1]), "{noise:?}");
    for (more, told, hint) in [
        (
            &chip[..2],
            "the memory cells are ideal: comparators draw with p whatever they are",
            "--set arch.device.model=",
        ),
        (&chip[2..], "the chip has no comparators", "--arch pcm_128_rowserial"),
    ] {
        let output = show(more);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(told) && error.contains(hint), "{error}");
    }
}
