//! Do products read real memory cells as the chip's file describes them?

use crossbayes::config::{LoadRequest, load};
use crossbayes::device::population::population;
use crossbayes::device::{Draws, Moment};
use crossbayes::functional::{FunctionalModel, FunctionalSpec, Outputs};
use crossbayes::random::{Purpose, StreamName};
use crossbayes::workload::{LoadedImages, LoadedPosterior, resolve};
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads")
}

/// The digits on the default chip with these changes.
fn digits(set: &[&str]) -> (FunctionalModel, LoadedImages) {
    let workload = Some(folder().join("digits.ron").display().to_string());
    let set = set.iter().map(|&change| change.to_owned()).collect();
    let loaded = load(&LoadRequest { arch: None, workload, set }).unwrap_or_else(|errors| panic!("{errors}"));
    let workload = &loaded.config.workload;
    let net = resolve(workload).unwrap();
    let posterior = LoadedPosterior::load(workload, &net, &folder()).unwrap().unwrap();
    let images = LoadedImages::load(workload, &net, &folder()).unwrap().unwrap();
    (FunctionalModel::new(&FunctionalSpec::of(&loaded.config), &net, &posterior).unwrap(), images)
}

fn answers(set: &[&str], images: usize, threads: usize) -> Outputs {
    let (model, loaded) = digits(set);
    model.run(&loaded, 0..images, threads, &|_| {}).unwrap()
}

/// `first`, then `more`.
fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, more].concat()
}

const JOSHI: &str = "arch.device.model=pcm_joshi";

/// Cells that are not ideal, by far less than their conductances are held to.
const NEARLY_IDEAL: [&str; 5] = [
    JOSHI,
    "arch.device.model.programming=[(form: Polynomial(coefficients: [1e-12]))]",
    "arch.device.model.drift_mean=[(form: Polynomial(coefficients: [0]))]",
    "arch.device.model.drift_sigma=[(form: Polynomial(coefficients: [0]))]",
    "arch.device.model.read=[(form: Polynomial(coefficients: [0]))]",
];

/// The index of the layer fc1 of the digits, its rows, its columns, and the bits of its inputs.
const FC1: usize = 2;
const ROWS: usize = 512;
const COLUMNS: usize = 64;

#[test]
fn cells_without_noise_give_the_answers_of_ideal_ones() {
    let sparse = "mapping.scheme=Sparse(eps: Above(0.05))";
    let rows = "mapping.scheme=Sparse(eps: Above(0.05), packing: Rows)";
    let kept = "mapping.scheme=Sparse(eps: Above(0.05), keep_deterministic_part: true)";
    let cases: [&[&str]; 12] = [
        &["mapping.scheme=Dense"],
        &["mapping.scheme=Deterministic"],
        &["mapping.scheme=Dense", "arch.adc.bits=10"],
        &["mapping.scheme=Dense", "arch.adc.bits=6", "arch.adc.input=Column"],
        &["mapping.scheme=Dense", "arch.adc.bits=6", "arch.adc.range=Fixed(20)"],
        &["mapping.scheme=Dense", "arch.driver.bits_per_pulse=2", "arch.adc.bits=7"],
        &["mapping.scheme=Dense", "arch.sampler.draws=PerPosition", "arch.adc.bits=6"],
        &["mapping.scheme=Dense", "ensemble.samples=Stored", "arch.array.rows=64"],
        &[sparse, "arch.adc.bits=6"],
        &[rows, "arch.adc.bits=6", "arch.stochastic.columns=16"],
        &[kept, "arch.adc.bits=6", "arch.adc.input=Column", "arch.stochastic.adc_bits=5"],
        &[sparse, "ensemble.execution=Spatial", "schedule.mode=Streaming"],
    ];
    let ways: [&[&str]; 3] = [
        &[],
        &["arch.device.read_noise=White", "arch.device.age=1 year", "arch.device.compensation=Arrays()"],
        &["arch.device.compensation=Logits(reference: Ideal)", "arch.device.pairs=Remapped"],
    ];
    for case in cases {
        let case = with(case, &["ensemble.members=3"]);
        let ideal = answers(&case, 6, 2);
        for way in ways {
            let found = answers(&with(&with(&case, &NEARLY_IDEAL), way), 6, 2);
            assert_eq!(found, ideal, "{case:?} {way:?}");
        }
    }
}

#[test]
fn threads_do_not_change_what_real_cells_answer() {
    for noise in ["Frozen", "White"] {
        let noise = format!("arch.device.read_noise={noise}");
        let set = [JOSHI, &noise, "arch.device.age=1 day", "arch.device.compensation=Arrays()", "ensemble.members=2"];
        let one = answers(&set, 9, 1);
        assert_eq!(answers(&set, 9, 2), one);
        assert_eq!(answers(&set, 9, 4), one);
        // Another seed programs other cells.
        assert_ne!(answers(&with(&set, &["seed=2"]), 9, 2).logits, one.logits);
    }
}

/// What a run reports.
fn report(set: &[&str], threads: &str) -> serde_json::Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(["run", "--no-files", "--quiet", "--format", "json", "--threads", threads]);
    command.args(set.iter().flat_map(|set| ["--set", set]));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn schedules_and_grains_do_not_change_what_real_cells_answer() {
    let cells = [JOSHI, "arch.device.read_noise=White", "arch.device.age=1 h", "ensemble.members=2"];
    let outputs = |set: &[&str], threads| report(&with(&cells, set), threads)["outputs"].clone();
    let first = outputs(&[], "1");
    assert!(first["accuracy"].as_f64().is_some_and(|accuracy| accuracy > 0.5), "{first}");
    for set in [
        &["schedule.mode=Sequential"][..],
        &["schedule.mode=Streaming", "schedule.grain=Read"],
        &["schedule.grain=Conversion", "schedule.grouping=Expanded"],
        &["mapping.replication=[(\"conv1\", 4)]"],
    ] {
        assert_eq!(outputs(set, "2"), first, "{set:?}");
    }
}

/// Sums of fc1 for input codes, in weights.
fn sums(set: &[&str], codes: &[u16], image: usize) -> Vec<f64> {
    let (model, _) = digits(set);
    let step = model.step(FC1);
    model.accumulate(FC1, image, 0, codes, &mut ()).0.iter().map(|&sum| f64::from(sum) * step).collect()
}

/// Codes of 4 bits.
fn codes() -> Vec<u16> {
    let mut stream = StreamName::new(Purpose::SyntheticPosterior).open(1);
    (0..ROWS).map(|_| (stream.bits() & 15) as u16).collect()
}

fn root_mean_square(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count() as f64;
    (values.map(|value| value * value).sum::<f64>() / count).sqrt()
}

#[test]
fn neither_arrays_nor_packing_change_a_device() {
    // Steps of 300 / 32767 = 0.009 currents: conversions of 4 bits and at most 8 blocks round by at most
    // 0.5 * 0.009 * 15 * 8 = 0.6.
    // A shift register draws other weights for arrays of other sizes.
    let fine = ["arch.adc.bits=16", "arch.adc.range=Fixed(300)", "ensemble.members=1", "arch.sampler.source=Ideal"];
    let costs = "arch.costs.adc=[(bits: 16, convert: (time: \"1 ns\", energy: \"1 pJ\", area: \"1 um2\", \
                 leakage: \"0 fW\", source: \"test\", accuracy: \"test\"))]";
    let fine = with(&fine, &[costs]);
    let near = |first: &[f64], second: &[f64]| first.iter().zip(second).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    for scheme in ["mapping.scheme=Deterministic", "mapping.scheme=Dense", "mapping.scheme=Sparse(eps: Above(0.05))"] {
        let ideal = sums(&with(&fine, &[scheme]), &codes(), 0);
        let real = with(&fine, &[scheme, JOSHI]);
        let of_128 = sums(&real, &codes(), 0);
        // 512 rows at a mean square level of 77.5, with 4 to 8 % of a weight each: 8 to 16.
        let noise = root_mean_square(ideal.iter().zip(&of_128).map(|(ideal, real)| ideal - real));
        assert!((5.0..30.0).contains(&noise), "{scheme}: {noise}");
        for rows in ["arch.array.rows=64", "arch.array.rows=256"] {
            let other = sums(&with(&real, &[rows]), &codes(), 0);
            assert!(near(&of_128, &other) < 1.2, "{scheme}, {rows}: {}", near(&of_128, &other));
        }
        if scheme.contains("eps") {
            let packed = with(&real, &["mapping.scheme=Sparse(eps: Above(0.05), packing: Rows)"]);
            let packed = sums(&with(&packed, &["arch.stochastic.columns=16"]), &codes(), 0);
            assert!(near(&of_128, &packed) < 1.2, "{scheme}, packed: {}", near(&of_128, &packed));
        }
    }
}

#[test]
fn noise_of_a_conversion_is_that_of_its_devices() {
    // The first 100 rows are driven by one pulse.
    const DRIVEN: usize = 100;
    const READS: usize = 400;
    let codes: Vec<u16> = (0..ROWS).map(|row| u16::from(row < DRIVEN)).collect();
    let costs = "arch.costs.adc=[(bits: 14, convert: (time: \"1 ns\", energy: \"1 pJ\", area: \"1 um2\", \
                 leakage: \"0 fW\", source: \"test\", accuracy: \"test\"))]";
    let fine = ["mapping.scheme=Deterministic", "arch.adc.bits=14", "arch.adc.range=Fixed(128)", costs];
    let (model, _) = digits(&with(&fine, &[JOSHI, "arch.device.read_noise=White"]));
    let step = model.step(FC1);
    let reads: Vec<Vec<i32>> = (0..READS).map(|image| model.accumulate(FC1, image, 0, &codes, &mut ()).0).collect();
    let spread = |column: usize| {
        let values = reads.iter().map(|sums| f64::from(sums[column]) * step);
        let mean = values.clone().sum::<f64>() / READS as f64;
        values.map(|value| (value - mean).powi(2)).sum::<f64>() / READS as f64
    };
    let found = ((0..COLUMNS).map(spread).sum::<f64>() / COLUMNS as f64).sqrt();
    // The same by devices, each with noise of its own in every read.
    let device = load(&LoadRequest { set: vec![JOSHI.to_owned()], ..LoadRequest::default() }).unwrap();
    let device = device.config.arch.device;
    let moment: Moment = device.model.at(0.0);
    let mut stream = StreamName::new(Purpose::Device).open(77);
    let mut variance = 0.0;
    for column in 0..COLUMNS {
        let cells: Vec<_> = (0..DRIVEN)
            .map(|row| {
                let targets = if (row + column) % 2 == 0 { [25.0, 0.0] } else { [0.0, 25.0] };
                targets.map(|target| device.program(target, &Draws::new(&mut stream)))
            })
            .collect();
        let mut read = || {
            let of_pair = |[plus, minus]: &[crossbayes::device::Cell; 2]| {
                let plus = plus.read(&device.model, moment, stream.normal());
                plus - minus.read(&device.model, moment, stream.normal())
            };
            cells.iter().map(of_pair).sum::<f64>() / 25.0
        };
        let values: Vec<f64> = (0..READS).map(|_| read()).collect();
        let mean = values.iter().sum::<f64>() / READS as f64;
        variance += values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / READS as f64;
    }
    let by_devices = (variance / COLUMNS as f64).sqrt();
    // Standard error of each of both: 1 / sqrt(2 * 400 * 64) = 0.44 %.
    assert!((found / by_devices - 1.0).abs() < 0.02, "{found} by conversions, {by_devices} by devices");
    // A frozen read is the same in every read.
    let (frozen, _) = digits(&with(&fine, &[JOSHI]));
    let of = |image| frozen.accumulate(FC1, image, 0, &codes, &mut ()).0;
    assert_eq!(of(0), of(1));
    assert_ne!(reads[0], reads[1]);
}

#[test]
fn compensation_brings_sums_back() {
    let size = |layer: usize, set: &[&str]| {
        let (model, _) = digits(&with(&[JOSHI, "mapping.scheme=Deterministic"], set));
        let codes: Vec<u16> = codes().into_iter().take(if layer == FC1 { ROWS } else { 64 }).collect();
        root_mean_square(model.accumulate(layer, 0, 0, &codes, &mut ()).0.iter().map(|&sum| f64::from(sum)))
    };
    let year = "arch.device.age=1 year";
    for (layer, logits) in [(FC1, false), (FC1 + 1, true)] {
        let fresh = size(layer, &[]);
        // Means of on devices fall to a half in a year: 12.5 of 25 uS.
        let ratio = |set: &[&str]| size(layer, &with(&[year], set)) / fresh;
        let aged = ratio(&[]);
        assert!((0.45..0.56).contains(&aged), "layer {layer}: {aged}");
        for reference in ["Ideal", "Noisy"] {
            let of = |kind: &str| format!("arch.device.compensation={kind}(reference: {reference})");
            let (found, last) = (ratio(&[&of("Arrays")]), ratio(&[&of("Logits")]));
            // The noise of the cells is in the sums, most where there are few: fc2 has 10 of them.
            assert!((found - 1.0).abs() < 0.08, "layer {layer}, {reference}: {found}");
            assert_eq!((last - 1.0).abs() < 0.08, logits, "layer {layer}, {reference}: {last}");
        }
    }
}

#[test]
fn mean_conductances_are_those_of_many_devices() {
    let set =
        |age: &str| vec![JOSHI.to_owned(), format!("arch.device.age={age}"), "arch.device.stuck_at_set=0.01".into()];
    for age in ["0 s", "1 h", "1 year"] {
        let device = load(&LoadRequest { set: set(age), ..LoadRequest::default() }).unwrap().config.arch.device;
        for target in [0.0, 1.0, 10.0, 25.0] {
            let found = population(&device, target, device.age.seconds(), 400_000, 3, 2).drifted;
            let mean = device.mean_conductance(target);
            let error = found.std / 400_000f64.sqrt();
            assert!((found.mean - mean).abs() < 4.0 * error, "{target} uS, {age}: {}, expected {mean}", found.mean);
        }
    }
}

#[test]
fn crossbars_take_the_energy_of_their_real_conductances() {
    let energy = |set: &[&str]| {
        let report = report(&with(set, &["mapping.scheme=Deterministic"]), "2");
        report["energy"]["per_component"]["crossbar"].as_f64().unwrap()
    };
    let ideal = energy(&[]);
    // On and off cells of pcm_joshi, means: 25 + 0.105 uS at first; after a year 12.5 + 0.030 uS. Inputs of later layers, and
    // with them driven rows, differ too.
    let (first, aged) =
        (energy(&[JOSHI]), energy(&[JOSHI, "arch.device.age=1 year", "arch.device.compensation=Arrays()"]));
    assert!((first / ideal - 1.004).abs() < 0.02, "{}", first / ideal);
    assert!((aged / ideal - 0.501).abs() < 0.03, "{}", aged / ideal);
}
