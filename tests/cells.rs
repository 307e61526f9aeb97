//! Do products read real memory cells as the chip's file describes them?

use crossbayes::config::{LoadRequest, load};
use crossbayes::device::one_over_f::{Bank, Ladder, fresh_sigma};
use crossbayes::device::population::population;
use crossbayes::device::{Draws, Moment, Wires};
use crossbayes::functional::kernels::Instructions;
use crossbayes::functional::{FunctionalModel, FunctionalSpec, Outputs, ReadTimes};
use crossbayes::random::{Purpose, StreamName};
use crossbayes::units::Resistance;
use crossbayes::workload::{LoadedImages, LoadedPosterior, resolve};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads")
}

/// The digits on the default chip with these changes.
fn digits(set: &[&str]) -> (FunctionalModel, LoadedImages) {
    timed_digits(set, None)
}

/// The same, with arrays read at these times.
fn timed_digits(set: &[&str], times: Option<ReadTimes>) -> (FunctionalModel, LoadedImages) {
    let workload = Some(folder().join("digits.ron").display().to_string());
    let set = set.iter().map(|&change| change.to_owned()).collect();
    let loaded = load(&LoadRequest { arch: None, workload, set }).unwrap_or_else(|errors| panic!("{errors}"));
    let workload = &loaded.config.workload;
    let net = resolve(workload).unwrap();
    let posterior = LoadedPosterior::load(workload, &net, &folder()).unwrap().unwrap();
    let images = LoadedImages::load(workload, &net, &folder()).unwrap().unwrap();
    let spec = FunctionalSpec { times: times.map(Arc::new), ..FunctionalSpec::of(&loaded.config) };
    (FunctionalModel::new(&spec, &net, &posterior).unwrap(), images)
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
const PER_DEVICE: &str = "arch.device.read_noise_per=Device";

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
    let cases: [&[&str]; 15] = [
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
        &["mapping.scheme=Dense", "arch.adc.conversions=PerValue"],
        &[rows, "arch.adc.bits=6", "arch.adc.conversions=PerValue", "arch.driver.bits_per_pulse=2"],
        &["mapping.scheme=Dense", "arch.adc.input=Column", "arch.adc.conversions=PerValue", "arch.adc.range=Fixed(9)"],
        &[sparse, "ensemble.execution=Spatial", "schedule.mode=Streaming"],
    ];
    let ways: [&[&str]; 4] = [
        &[],
        &[
            "arch.device.wires=(word_line: \"1 uOhm\", bit_line: \"1 uOhm\")",
            "arch.device.read_noise=White",
            PER_DEVICE,
        ],
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

#[test]
fn instructions_do_not_change_what_real_cells_answer() {
    let cases: [&[&str]; 7] = [
        &[],
        // Whole values at once, some of which clip.
        &["mapping.scheme=Dense", "arch.driver.bits_per_pulse=8", "arch.array.rows=300", "arch.adc.range=Fixed(2)"],
        &["mapping.scheme=Deterministic", "arch.array.rows=300", "arch.adc.bits=6", "arch.adc.range=Fixed(5)"],
        &["mapping.scheme=Dense", "arch.adc.input=Column", "arch.adc.conversions=PerValue"],
        &["mapping.scheme=Dense", "arch.adc.input=Column"],
        // Levels of several bits; arrays that share no multiple with wide registers.
        &[
            "mapping.scheme=Dense",
            "arch.driver.bits_per_pulse=3",
            "arch.array.rows=37",
            "arch.array.columns=26",
            "arch.adc.columns_per_adc=13",
        ],
        &["mapping.scheme=Sparse(first_ensembling_layer: First, eps: Above(0.05), packing: Rows)", "arch.adc.bits=5"],
    ];
    for case in cases {
        for noise in ["Frozen", "White"] {
            let noise = format!("arch.device.read_noise={noise}");
            let set = [JOSHI, &noise, "arch.device.age=1 h", "arch.device.compensation=Arrays()", "ensemble.members=2"];
            let (model, images) = digits(&with(&set, case));
            let wide = model.run(&images, 0..3, 1, &|_| ()).unwrap();
            for instructions in [Instructions::best().narrower(), Instructions::portable()] {
                let other = model.clone().with(instructions).run(&images, 0..3, 2, &|_| ()).unwrap();
                assert_eq!(wide, other, "{case:?}, {noise}, {instructions:?}");
            }
        }
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

/// Rows that [`driven`] drives.
const DRIVEN: usize = 100;

/// Codes with which one pulse drives the first rows of `fc1`.
fn driven() -> Vec<u16> {
    (0..ROWS).map(|row| u16::from(row < DRIVEN)).collect()
}

/// A mode network on converters that hardly round.
const FINE: [&str; 4] = [
    "mapping.scheme=Deterministic",
    "arch.adc.bits=14",
    "arch.adc.range=Fixed(128)",
    "arch.costs.adc=[(bits: 14, convert: (time: \"1 ns\", energy: \"1 pJ\", area: \"1 um2\", leakage: \"0 fW\", \
     source: \"test\", accuracy: \"test\"))]",
];

#[test]
fn noise_of_a_conversion_is_that_of_its_devices() {
    const READS: usize = 400;
    let codes = driven();
    let (model, _) = digits(&with(&FINE, &[JOSHI, "arch.device.read_noise=White"]));
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
    let (frozen, _) = digits(&with(&FINE, &[JOSHI]));
    let of = |image| frozen.accumulate(FC1, image, 0, &codes, &mut ()).0;
    assert_eq!(of(0), of(1));
    assert_ne!(reads[0], reads[1]);
}

/// Seconds from the first of some reads to the later ones, and the share of sigma that should be fresh then, 20 s after
/// programming.
const FRESH: [(f64, f64); 5] = [(1e-6, 0.23), (10e-6, 0.42), (100e-6, 0.55), (1e-3, 0.66), (1.0, 0.91)];

/// Fresh shares of sigma in `reads`, `[read of a group][output]` of independent groups, the first of which the others are
/// compared with.
fn fresh_shares(groups: &[Vec<Vec<f64>>]) -> Vec<f64> {
    let outputs = groups[0][0].len();
    let count = (groups.len() * groups[0].len()) as f64;
    let mean = |output: usize| groups.iter().flatten().map(|read| read[output]).sum::<f64>() / count;
    let means: Vec<f64> = (0..outputs).map(mean).collect();
    let product = |i: usize, k: usize| {
        let of = |group: &Vec<Vec<f64>>| {
            let both = group[i].iter().zip(&group[k]).zip(&means);
            both.map(|((a, b), mean)| (a - mean) * (b - mean)).sum::<f64>()
        };
        groups.iter().map(of).sum::<f64>()
    };
    (1..groups[0].len()).map(|k| (1.0 - product(0, k) / (product(0, 0) * product(k, k)).sqrt()).sqrt()).collect()
}

#[test]
fn reads_in_time_have_the_fresh_share_of_their_distance() {
    const GROUPS: usize = 400;
    let codes = driven();
    let noise = "arch.device.read_noise=OneOverF";
    // Groups are five times the longest period apart, and no multiple of any period. The last layer makes an image take 10 s:
    // no component is frozen.
    const APART: f64 = 97.123_456_789;
    let within = |image: usize| if image.is_multiple_of(6) { 0.0 } else { FRESH[image % 6 - 1].0 };
    let start = |layer: usize, image: usize, _| match layer {
        0 => (image / 6) as f64 * APART,
        FC1 => (image / 6) as f64 * APART + within(image),
        _ => (image / 6) as f64 * APART + 10.0,
    };
    let times = ReadTimes::given(4, 6 * GROUPS, 1, start);
    assert_eq!(times.latency(), 10.0);
    let (model, _) = timed_digits(&with(&FINE, &[JOSHI, noise]), Some(times));
    let step = model.step(FC1);
    let read = |image| -> Vec<f64> {
        model.accumulate(FC1, image, 0, &codes, &mut ()).0.iter().map(|&sum| f64::from(sum) * step).collect()
    };
    let reads: Vec<Vec<Vec<f64>>> = (0..GROUPS).map(|group| (0..6).map(|of| read(6 * group + of)).collect()).collect();
    // The same by devices: those of one column, each with noise of its own in time.
    let device = load(&LoadRequest { set: vec![JOSHI.to_owned()], ..LoadRequest::default() }).unwrap();
    let device = device.config.arch.device;
    let (moment, ladder) = (device.model.at(0.0), Ladder::new(20.0, 250e-9));
    let mut stream = StreamName::new(Purpose::Device).open(78);
    let cells: Vec<_> = (0..2 * DRIVEN)
        .map(|i| device.program(if i % 2 == 0 { 25.0 } else { 0.0 }, &Draws::new(&mut stream)))
        .collect();
    let mut banks: Vec<Bank> = (0..2 * DRIVEN)
        .map(|i| Bank::new(&ladder, StreamName { array: i as u32, ..StreamName::new(Purpose::Fluctuation) }, 9, 64))
        .collect();
    let by_devices: Vec<Vec<Vec<f64>>> = (0..GROUPS)
        .map(|group| {
            let of_read = |of: usize| {
                let mut sums = vec![0.0; 64];
                for (i, (cell, bank)) in cells.iter().zip(&mut banks).enumerate() {
                    let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
                    for (sum, normal) in sums.iter_mut().zip(bank.at(group as f64 * APART + within(of))) {
                        *sum += sign * cell.read(&device.model, moment, *normal) / 25.0;
                    }
                }
                sums
            };
            (0..6).map(of_read).collect()
        })
        .collect();
    let (found, of_devices) = (fresh_shares(&reads), fresh_shares(&by_devices));
    for (i, (dt, share)) in FRESH.into_iter().enumerate() {
        let law = fresh_sigma(dt, 20.0, 250e-9);
        assert!((law - share).abs() < 0.005);
        // The polygon is 0.4 % of the variance above the law; conversions of 128 / 8191 weights have a variance of 2e-5,
        // against (0.037 sqrt(100))^2 = 0.14.
        assert!((found[i] - law).abs() < 0.03, "{dt} s: {} by conversions, law {law}", found[i]);
        assert!((of_devices[i] - law).abs() < 0.03, "{dt} s: {} by devices, law {law}", of_devices[i]);
    }
    let sigma = |reads: &[Vec<Vec<f64>>]| {
        let first: Vec<&Vec<f64>> = reads.iter().map(|group| &group[0]).collect();
        let of = |output: usize| {
            let values = first.iter().map(|read| read[output]);
            let mean = values.clone().sum::<f64>() / GROUPS as f64;
            values.map(|value| (value - mean).powi(2)).sum::<f64>() / GROUPS as f64
        };
        let outputs = first[0].len();
        ((0..outputs).map(of).sum::<f64>() / outputs as f64).sqrt()
    };
    let ratio = sigma(&reads) / sigma(&by_devices);
    assert!((ratio - 1.0).abs() < 0.02, "{ratio}");
}

#[test]
fn noise_of_inputs_has_the_mean_and_variance_of_noise_of_devices() {
    const GROUPS: usize = 150;
    let codes = driven();
    // White noise, and 1/f noise in pairs of reads 1 ms apart; pairs are as good as independent, and nothing is frozen.
    let start = |layer: usize, image: usize, _| {
        let within = if layer == FC1 && image % 2 == 1 { 1e-3 } else { 0.0 };
        (image / 2) as f64 * 97.123_456_789 + within + if layer > FC1 { 10.0 } else { 0.0 }
    };
    let timed = Some(ReadTimes::given(4, 2 * GROUPS, 1, start));
    // Two pulses of a value, each with noise of its own; inputs have 4 bits, so that a step is 64 x 15 / 8191 cell currents.
    let twice: Vec<u16> = codes.iter().map(|code| 5 * code).collect();
    let values: &[&str] = &["arch.adc.conversions=PerValue", "arch.adc.range=Fixed(64)"];
    let cases: [(&str, _, &[&str], &Vec<u16>); 3] =
        [("White", None, &[], &codes), ("White", None, values, &twice), ("OneOverF", timed, &[], &codes)];
    for (noise, times, conversions, codes) in cases {
        for input in ["Pair", "Column"] {
            let [noise, input] = [format!("arch.device.read_noise={noise}"), format!("arch.adc.input={input}")];
            let reads = |more: &[&str]| -> Vec<Vec<Vec<f64>>> {
                let set = with(&with(&FINE, conversions), &[JOSHI, &noise, &input]);
                let (model, _) = timed_digits(&with(&set, more), times.clone());
                let step = model.step(FC1);
                let read = |image: usize| {
                    let sums = model.accumulate(FC1, image, 0, codes, &mut ()).0;
                    sums.iter().map(|&sum| f64::from(sum) * step).collect()
                };
                (0..GROUPS).map(|group| vec![read(2 * group), read(2 * group + 1)]).collect()
            };
            let both = [reads(&[]), reads(&[PER_DEVICE])];
            // Mean and variance of the first read of a group, of each output.
            let moments = |output: usize| {
                both.each_ref().map(|reads| {
                    let values = reads.iter().map(|group| group[0][output]);
                    let mean = values.clone().sum::<f64>() / GROUPS as f64;
                    let squares = values.map(|value| (value - mean).powi(2)).sum::<f64>();
                    [mean, squares / (GROUPS - 1) as f64]
                })
            };
            let (mut z_squared, mut variances) = (0.0, [0.0; 2]);
            for output in 0..COLUMNS {
                let [[of_inputs, first], [of_devices, second]] = moments(output);
                z_squared += (of_inputs - of_devices).powi(2) / ((first + second) / GROUPS as f64);
                (variances[0], variances[1]) = (variances[0] + first, variances[1] + second);
            }
            // The mean of 64 squares of standard normals has a standard error of sqrt(2 / 64) = 0.18.
            let z_squared = z_squared / COLUMNS as f64;
            assert!(
                (z_squared - 1.0).abs() < 4.0 * 0.18,
                "{noise}, {input}, {conversions:?}: means differ by {z_squared} squared errors"
            );
            // Each variance is known to sqrt(2 / (64 * 150)) = 1.4 %, so their ratio to 2.0 %.
            let ratio = variances[0] / variances[1];
            assert!(
                (ratio - 1.0).abs() < 4.0 * 0.0204,
                "{noise}, {input}, {conversions:?}: variances have a ratio of {ratio}"
            );
            if times.is_some() {
                // Standard error of a share of 0.66 in 64 * 150 pairs: 0.0053; the polygon is 0.4 % off in the variance.
                let law = fresh_sigma(1e-3, 20.0, 250e-9);
                let shares = both.each_ref().map(|reads| fresh_shares(reads)[0]);
                assert!(shares.iter().all(|share| (share - law).abs() < 4.0 * 0.006), "{input}: {shares:?}, law {law}");
            }
        }
    }
}

#[test]
fn threads_and_instructions_do_not_change_noise_of_devices() {
    let set = [JOSHI, "arch.device.read_noise=White", PER_DEVICE, "ensemble.members=2", "mapping.scheme=Dense"];
    let (model, images) = digits(&set);
    let one = model.run(&images, 0..2, 1, &|_| ()).unwrap();
    assert_eq!(model.with(Instructions::portable()).run(&images, 0..2, 2, &|_| ()).unwrap(), one);
    assert_ne!(answers(&set[..2], 2, 1).logits, one.logits);
}

#[test]
fn wires_take_what_a_computation_by_hand_says() {
    const WIRES: &str = "arch.device.wires=(word_line: \"2 Ohm\", bit_line: \"4 Ohm\")";
    let wires = Wires { word_line: Resistance(2_000_000), bit_line: Resistance(4_000_000) };
    let codes = codes();
    // Blocks of 128 rows of 64 pairs of 25 and 0 uS, as the mode or a stored sample has them.
    let loaded = load(&LoadRequest::default()).unwrap();
    let net = resolve(&loaded.config.workload).unwrap();
    let posterior = LoadedPosterior::load(&loaded.config.workload, &net, &folder()).unwrap().unwrap();
    let fc1 = &posterior.layers[FC1];
    let sample = fc1.samples.as_ref().unwrap().member(0);
    let mode = |at: usize| fc1.p[at] > 0.5;
    let stored = |at: usize| sample[at / 64] >> (at % 64) & 1 == 1;
    let by_hand = |set: &dyn Fn(usize) -> bool| -> Vec<f64> {
        let mut sums = vec![0.0; COLUMNS];
        for first in (0..ROWS).step_by(128) {
            let pair = |row: usize, column: usize| if set(column * ROWS + row) { [25.0, 0.0] } else { [0.0, 25.0] };
            let loads: Vec<f64> = (0..128 * COLUMNS).flat_map(|at| pair(first + at / COLUMNS, at % COLUMNS)).collect();
            let shares = wires.shares(&loads, 2 * COLUMNS);
            for (at, (load, share)) in loads.iter().zip(&shares).enumerate() {
                let (row, line) = (first + at / (2 * COLUMNS), at % (2 * COLUMNS));
                let sign = if line % 2 == 0 { 1.0 } else { -1.0 };
                sums[line / 2] += sign * f64::from(codes[row]) * load / 25.0 * share;
            }
        }
        sums
    };
    let stored_samples = ["mapping.scheme=Dense", "ensemble.samples=Stored", "ensemble.members=1"];
    for (set, weights) in [(&[][..], &mode as &dyn Fn(usize) -> bool), (&stored_samples, &stored)] {
        let found = sums(&with(&with(&FINE, set), &[WIRES]), &codes, 0);
        let perfect = sums(&with(&FINE, set), &codes, 0);
        // Conversions of 14 bits round by at most 0.5 * 128 / 8191 of a current: of 4 bits and 4 blocks 0.5. Currents by at
        // most 2^-15: 512 rows of at most 15 by 0.1.
        for ((found, by_hand), perfect) in found.iter().zip(by_hand(weights)).zip(&perfect) {
            assert!((found - by_hand).abs() < 0.6, "{set:?}: {found}, by hand {by_hand}, perfect {perfect}");
        }
        // Bit lines of a pair differ by what they carry, so their difference loses about twice of what each of them does.
        let ratio = root_mean_square(found.iter().copied()) / root_mean_square(perfect.iter().copied());
        assert!((0.4..0.8).contains(&ratio), "{ratio}");
    }
    let size = |set: &[&str]| root_mean_square(sums(&with(&FINE, set), &codes, 0).into_iter());
    // Global drift compensation compares with the same wires: it brings back what drift took, no more.
    let year = [JOSHI, "arch.device.age=1 year", "arch.device.compensation=Arrays(reference: Ideal)", WIRES];
    let compensated = size(&year) / size(&[JOSHI, WIRES]);
    assert!((compensated - 1.0).abs() < 0.08, "{compensated}");
    // Energy follows: that of all blocks, the smallest of which hardly lose anything.
    let energy = |set: &[&str]| {
        let report = report(&with(&["mapping.scheme=Deterministic", "values.answer=First(1)"], set), "1");
        report["energy"]["per_component"]["crossbar"].as_f64().unwrap()
    };
    let found = energy(&[WIRES]) / energy(&[]);
    let share = wires.mean_share(12.5, 128, 128);
    assert!(found > share && found < 0.97, "{found}, equal cells {share}");
}

#[test]
fn noise_in_time_follows_the_schedule_and_nothing_else() {
    let cells = [JOSHI, "arch.device.read_noise=OneOverF", "ensemble.members=3", "values.answer=First(40)"];
    let outputs = |set: &[&str], threads| report(&with(&cells, set), threads)["outputs"].clone();
    let first = outputs(&[], "1");
    assert!(first["accuracy"].as_f64().is_some_and(|accuracy| accuracy > 0.9), "{first}");
    for set in [
        &[][..],
        &["schedule.grain=Conversion"],
        &["schedule.grain=Op"],
        &["schedule.grouping=Expanded"],
        &["schedule.queue=PriorityQueue"],
    ] {
        assert_eq!(outputs(set, "2"), first, "{set:?}");
    }
    // Members side by side have devices of their own.
    let spatial = outputs(&["ensemble.execution=Spatial"], "2");
    assert!(spatial["members_apart"].is_null() && !first["members_apart"].is_null());
    // Other times, other noise.
    for set in [&["schedule.mode=Sequential"][..], &["arch.array.read_time=100 ns"], &["seed=2"]] {
        assert_ne!(outputs(set, "2"), first, "{set:?}");
    }
    // Images that follow do not change those before them; all are at the distance of the first two.
    let more = outputs(&["values.answer=First(80)"], "2");
    let of = |outputs: &serde_json::Value| outputs["mean_probabilities"].as_array().unwrap()[..40].to_vec();
    assert_eq!(of(&more), of(&first));
}

#[test]
fn a_time_that_depends_on_values_is_refused_where_values_depend_on_time() {
    let set = [
        JOSHI,
        "arch.device.read_noise=OneOverF",
        "arch.stochastic.readout=SenseAmplifiers()",
        "mapping.scheme=Sparse(eps: Above(0.05), skip_zero_rows: true)",
    ];
    let set = set.iter().map(|&set| set.to_owned()).collect();
    let problems = load(&LoadRequest { set, ..LoadRequest::default() }).unwrap_err().to_string();
    assert!(problems.contains("skip_zero_rows lets times depend on values"), "{problems}");
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

#[test]
fn reference_reads_cost_what_a_count_by_hand_says() {
    let set = |more: &[&'static str]| {
        let first = ["arch.device.model=pcm_joshi", "mapping.scheme=Deterministic", "values.answer=First(1)"];
        report(&[&first, more].concat(), "1")
    };
    let off = set(&[]);
    assert!(off.get("compensation").is_none());
    let hourly =
        set(&["arch.device.compensation=Arrays()", "arch.device.age=1 day", "arch.device.reference_interval=1 h"]);
    let cost = &hourly["compensation"];
    // Rows of conv1, conv2 (two arrays), fc1 (four), fc2; each converts its columns.
    assert_eq!((cost["arrays"].as_u64(), cost["reads"].as_u64()), (Some(8), Some(9 + 144 + 512 + 64)));
    let conversions = 9 * 16 + 144 * 32 + 512 * 64 + 64 * 10;
    assert_eq!(cost["conversions"].as_u64(), Some(conversions));
    // 128 rows of fc1: eight conversions of 9 cycles in turn are longer than a read of 10 cycles, which comes first.
    assert_eq!(cost["cycles"].as_u64(), Some(128 * 8 * 9 + 10));
    let device = load(&LoadRequest {
        set: vec![JOSHI.to_owned(), "arch.device.age=1 day".to_owned()],
        ..LoadRequest::default()
    });
    let chip = device.unwrap().config.arch;
    // A pair of an on and an off cell at 0.2 V for 10 ns; a pulse across 128 cells; conversion, sample, shift-and-add.
    let pair = (chip.device.mean_conductance(25.0) + chip.device.mean_conductance(0.0)) * 1e-6 * 0.04 * 10e-9;
    let costs = &chip.costs;
    let adc = costs.adc.iter().find(|adc| adc.bits == 8).unwrap().convert.energy.0;
    let conversion =
        (adc + costs.multiplexer.energy.0 + costs.sample_and_hold.energy.0 + costs.shift_add.energy.0) as f64 * 1e-18;
    let drive = costs.wordline.energy.0 as f64 * 1e-18 * 729.0;
    let expected = conversions as f64 * (pair + conversion) + drive;
    let energy = cost["energy_j"].as_f64().unwrap();
    assert!((energy / expected - 1.0).abs() < 1e-3, "{energy} J, by hand {expected} J");
    assert_eq!(cost["power_w"].as_f64(), Some(energy / 3600.0));
    // The last layer alone: 64 rows of 10 columns.
    let logits = set(&["arch.device.compensation=Logits()"]);
    let cost = &logits["compensation"];
    assert_eq!((cost["reads"].as_u64(), cost["conversions"].as_u64()), (Some(64), Some(640)));
    assert!(cost["interval_s"].is_null() && cost["power_w"].is_null(), "once a deployment: {cost}");
    // Latched planes are measured both ways.
    let latched = report(&[JOSHI, "arch.device.compensation=Logits()", "values.answer=First(1)"], "1");
    assert_eq!(latched["compensation"]["reads"].as_u64(), Some(128));
    // It is no part of the run.
    assert_eq!(hourly["latency"], off["latency"]);
}
