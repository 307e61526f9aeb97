//! Do programmed, drifted and read conductances follow the reference, device by device and in whole arrays?
//!
//! Reference: tables made with aihwkit 1.1.0 and in closed form. Where they are absent the tests that need them say so and
//! pass; the analytic tests have all that they need.

mod shared;

use crossbayes::config::{Device, PairSemantics, load_device};
use crossbayes::device::pair::{compensation, remap};
use crossbayes::device::population::{Spread, population};
use crossbayes::device::{Cell, Draws};
use crossbayes::random::{Purpose, StreamName};
use shared::shared;
use std::collections::BTreeMap;
use std::path::Path;

/// Cells of a built-in kind.
fn device(model: &str) -> Device {
    Device { model: load_device(model).unwrap_or_else(|errors| panic!("{errors}")), ..Device::default() }
}

/// Rows of a table of numbers by the names of its columns; text is left out.
fn table(path: &Path) -> Vec<BTreeMap<String, f64>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let row = |record: csv::StringRecord| {
        names.iter().zip(&record).filter_map(|(name, text)| Some((name.clone(), text.parse().ok()?))).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

const DEVICES: u64 = 1_000_000;

/// The mean within `errors` standard errors, the standard deviation within `share`.
fn agrees(what: &str, found: Spread, mean: f64, std: f64, errors: f64, share: f64) {
    let error = std / (DEVICES as f64).sqrt();
    assert!((found.mean - mean).abs() <= errors * error, "{what}: mean {}, expected {mean} +- {error}", found.mean);
    assert!((found.std - std).abs() <= share * std, "{what}: std {}, expected {std}", found.std);
}

#[test]
fn a_million_devices_follow_the_reference() {
    let Some(path) = shared("golden/pcm.csv") else { return };
    let rows = table(&path);
    assert_eq!(rows.len(), 42);
    let device = device("pcm_joshi");
    for row in rows {
        let (target, age) = (row["g_target_uS"], row["t_inference_s"]);
        let found = population(&device, target, age, DEVICES, 11, 2);
        let what = |quantity: &str| format!("{quantity} of {target} uS at {age} s");
        for (name, spread, mean, std) in [
            ("programmed", found.programmed, "analytic_gprog_mean", "analytic_gprog_std"),
            ("exponent", found.exponent, "analytic_nu_mean", "analytic_nu_std"),
            ("drifted", found.drifted, "analytic_gdrift_mean", "analytic_gdrift_std"),
            ("read", found.read, "analytic_gfinal_mean", "analytic_gfinal_std"),
        ] {
            agrees(&what(name), spread, row[mean], row[std], 5.0, 0.01);
        }
        // aihwkit's own million devices scatter as well.
        agrees(&what("read, aihwkit"), found.read, row["mc_gfinal_mean"], row["mc_gfinal_std"], 7.1, 0.01);
    }
}

#[test]
fn devices_follow_closed_forms() {
    let joshi = device("pcm_joshi");
    // 20 uS: sigma 0.26348 + 1.9650 * 0.8 - 1.1731 * 0.64 = 1.084696; exponent |N(0.049, 0.008)|. Far from 0 nothing is
    // rectified, and E[(t/t0)^-n] of a normal n is exp(-m L + (s L)^2 / 2), L = ln(t / t0) = ln(181) = 5.19850.
    let (log, mean, sigma) = (libm::log(181.0), 0.049, 0.008);
    let first = libm::exp(-mean * log + sigma * sigma * log * log / 2.0);
    let second = libm::exp(-2.0 * mean * log + 2.0 * sigma * sigma * log * log);
    let found = population(&joshi, 20.0, 3600.0, DEVICES, 1, 1);
    agrees("programmed", found.programmed, 20.0, 1.084_696, 4.0, 0.005);
    agrees("exponent", found.exponent, mean, sigma, 4.0, 0.005);
    let squares = 20.0 * 20.0 + 1.084_696 * 1.084_696;
    let drifted = (squares * second - 20.0 * 20.0 * first * first).sqrt();
    agrees("drifted", found.drifted, 20.0 * first, drifted, 4.0, 0.005);
    // Target 0: sigma 0.26348, rectified: mean s / sqrt(2 pi), variance s^2 (1/2 - 1/(2 pi)).
    let pi = std::f64::consts::PI;
    let off = population(&joshi, 0.0, 0.0, DEVICES, 1, 1);
    let s = 0.26348;
    agrees("off", off.programmed, s / (2.0 * pi).sqrt(), s * (0.5 - 0.5 / pi).sqrt(), 4.0, 0.005);
    // HERMES, one device: 0.15781817 + 2.32443916 - 2.16310839 + 0.68841818 = 1.00756712 uS at 10.35 uS; exponent mean
    // 0.0736 - 0.0126 - 0.0436 = 0.0174, sigma 0.0104 + 0.0116 - 0.0165 = 0.0055; below x = 0.0945 the mean is
    // -0.0387 ln(0.05) - 0.0182 = 0.09773.
    let hermes = device("hermes").model;
    assert!((hermes.programming_sigma(10.35) - 1.007_567_12).abs() < 1e-12);
    let (mean, sigma) = hermes.drift_exponent(10.35);
    assert!((mean - 0.0174).abs() < 1e-12 && (sigma - 0.0055).abs() < 1e-12, "{mean} {sigma}");
    assert!((hermes.drift_exponent(10.35 * 0.05).0 - 0.097_734).abs() < 1e-6);
    // t_0 = 200 s, t_read = 512 ns: sqrt(ln(200 / 1.024e-6)) = sqrt(19.0901) = 4.3692; Q = 0.0088 + 0.0768 - 0.1352 + 0.0664 = 0.0168 at
    // x = 1.
    let moment = hermes.at(0.0);
    assert!((hermes.read_sigma(10.35, moment) - 0.0168 * 4.369_22).abs() < 1e-5, "{moment:?}");
}

#[test]
fn ideal_devices_keep_their_target() {
    let ideal = device("ideal");
    assert!(ideal.is_ideal() && !device("pcm_joshi").is_ideal());
    let found = population(&ideal, 25.0, 3e8, 1_000, 1, 1);
    for spread in [found.programmed, found.drifted, found.read] {
        assert_eq!((spread.mean, spread.std), (25.0, 0.0));
    }
}

#[test]
fn stuck_devices_are_as_many_as_stated() {
    let stuck = Device { stuck_at_reset: 0.1, stuck_at_set: 0.02, ..device("ideal") };
    let found = population(&stuck, 10.0, 3600.0, DEVICES, 1, 1);
    // Shares 0.1 at 0 and 0.02 at 25 uS: mean 0.88 * 10 + 0.02 * 25 = 9.3, E[g^2] = 88 + 12.5 = 100.5.
    agrees("stuck", found.read, 9.3, (100.5f64 - 9.3 * 9.3).sqrt(), 4.0, 0.005);
    // They neither scatter nor drift.
    let all = Device { stuck_at_set: 1.0, ..device("pcm_joshi") };
    let found = population(&all, 10.0, 3600.0, 1_000, 1, 1).drifted;
    assert!((found.mean - 25.0).abs() < 1e-9 && found.std < 1e-5, "{found:?}");
}

#[test]
fn threads_and_settings_leave_a_device_its_luck() {
    let joshi = device("pcm_joshi");
    let of = |threads| population(&joshi, 5.0, 60.0, 200_000, 9, threads);
    assert_eq!(of(1), of(2));
    assert_eq!(of(1), of(5));
    let draw = || Draws::new(&mut StreamName::new(Purpose::Device).open(4));
    let faulty = Device { stuck_at_reset: 0.01, ..joshi.clone() };
    assert!(draw().fault > 0.01);
    assert_eq!(joshi.program(5.0, &draw()), faulty.program(5.0, &draw()));
}

/// An array of pairs at several ages: for each its compensation factor, mean and standard deviation of its weights by
/// sign, and the relative error of a product after compensation.
fn array(device: &Device, size: usize, seed: u64, ages: &[f64]) -> Vec<[f64; 4]> {
    let on = device.model.conductance_max.microsiemens();
    let mut signs = StreamName { array: 1, ..StreamName::new(Purpose::WeightSample) }.open(seed);
    let signs: Vec<f64> = (0..size * size).map(|_| if signs.bits() & 1 == 0 { 1.0 } else { -1.0 }).collect();
    let mut inputs = StreamName { array: 2, ..StreamName::new(Purpose::WeightSample) }.open(seed);
    let inputs: Vec<f64> = (0..size).map(|_| inputs.uniform()).collect();
    let mut stream = StreamName::new(Purpose::Device).open(seed);
    let (mut pairs, mut normals): (Vec<[Cell; 2]>, Vec<[f64; 2]>) = Default::default();
    for &sign in &signs {
        let draws = [Draws::new(&mut stream), Draws::new(&mut stream)];
        let targets = if sign > 0.0 { [on, 0.0] } else { [0.0, on] };
        pairs.push([device.program(targets[0], &draws[0]), device.program(targets[1], &draws[1])]);
        normals.push(draws.map(|draws| draws.read));
    }
    let programmed: Vec<f64> = pairs.iter().map(|[plus, minus]| (plus.programmed - minus.programmed) / on).collect();
    let scale = if device.pairs == PairSemantics::Remapped { remap(&mut pairs, on) } else { 1.0 };
    let product = |weights: &[f64]| -> Vec<f64> {
        (0..size).map(|column| (0..size).map(|row| inputs[row] * weights[row * size + column]).sum()).collect()
    };
    let exact = product(&signs);
    let at = |&age: &f64| {
        let moment = device.model.at(age);
        let read = |(pair, normal): (&[Cell; 2], &[f64; 2])| {
            let [plus, minus] = [0, 1].map(|i| pair[i].read(&device.model, moment, normal[i]));
            (plus - minus) * scale / on
        };
        let weights: Vec<f64> = pairs.iter().zip(&normals).map(read).collect();
        let alpha = compensation(programmed.iter().copied(), weights.iter().copied());
        let count = weights.len() as f64;
        let signed = || weights.iter().zip(&signs).map(|(weight, sign)| weight * sign);
        let mean = signed().sum::<f64>() / count;
        let std = (signed().map(|weight| (weight - mean).powi(2)).sum::<f64>() / count).sqrt();
        let found = product(&weights);
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
        let error = norm(&mut found.iter().zip(&exact).map(|(found, exact)| alpha * found - exact));
        [alpha, mean, std, error / norm(&mut exact.iter().copied())]
    };
    ages.iter().map(at).collect()
}

#[test]
fn arrays_follow_the_reference_in_both_semantics() {
    let Some(path) = shared("golden/tile_gdc.csv") else { return };
    let rows = table(&path);
    let ages: Vec<f64> = rows.iter().map(|row| row["t_inference_s"]).collect();
    assert_eq!(ages.len(), 5);
    const ARRAYS: u64 = 40;
    for (pairs, prefix) in [(PairSemantics::Separate, "device"), (PairSemantics::Remapped, "aihwkit")] {
        let device = Device { pairs, ..device("pcm_joshi") };
        let arrays: Vec<_> = (0..ARRAYS).map(|seed| array(&device, 256, seed, &ages)).collect();
        for (i, row) in rows.iter().enumerate() {
            for (k, quantity) in ["gdc_alpha", "w_mean", "w_std", "mvm_rel_l2_after_gdc"].into_iter().enumerate() {
                let mean = arrays.iter().map(|array| array[i][k]).sum::<f64>() / ARRAYS as f64;
                let expected = row[&format!("{prefix}_{quantity}_mean")];
                let sd = row[&format!("{prefix}_{quantity}_sd_over_tiles")];
                // Both means are of 40 arrays; four standard errors of their difference, and the table's six digits.
                let error = 4.0 * sd * (2.0 / ARRAYS as f64).sqrt() + 5e-6 * expected;
                let what = format!("{prefix}: {quantity} at {} s", ages[i]);
                assert!((mean - expected).abs() <= error, "{what}: {mean}, expected {expected} +- {error}");
            }
        }
    }
}

#[test]
fn show_device_prints_what_its_devices_do() {
    let show = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_crossbayes"));
        command.args(["show", "device"]).args(args).output().unwrap()
    };
    let args = ["--g", "10 uS", "--t", "3600 s", "--devices", "1000000", "--format", "json"];
    let output = show(&args);
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = population(&device("pcm_joshi"), 10.0, 3600.0, DEVICES, 1, 2);
    for (key, spread) in [("programmed", found.programmed), ("drifted", found.drifted), ("final", found.read)] {
        assert_eq!(shown[format!("{key}_mean_us")], spread.mean, "{key}");
        assert_eq!(shown[format!("{key}_std_us")], spread.std, "{key}");
    }
    // The number of threads does not show.
    assert_eq!(show(&[&args[..], &["--threads", "1"]].concat()).stdout, output.stdout);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pictures");
    assert!(show(&["--devices", "10", "--out", out.to_str().unwrap()]).status.success());
    for name in ["device_over_time.svg", "device_read_noise.svg"] {
        assert!(std::fs::read_to_string(out.join(name)).unwrap().starts_with("<svg"), "{name}");
    }
    for (args, expected) in [
        (["--g", "30 uS"], "--g is 30 uS; the cells of \"pcm_joshi\" reach 25 uS"),
        (["--t", "-5 s"], "\"-5 s\" is negative; expected a duration of 0 or more"),
        (["--model", "pcm_jushi"], "did you mean pcm_joshi?"),
    ] {
        let output = show(&args);
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && reported.contains(expected), "{args:?}: {reported}");
    }
}
