//! Ranges of converters that are calibrated on images, and the conversions that lie beyond a range.

use crossbayes::config::{AdcRange, Base, Config, LoadRequest, Loaded, Plane, load};
use crossbayes::eval::{Request, evaluate};
use crossbayes::functional::kernels::Instructions;
use crossbayes::functional::{Clipping, FunctionalModel, FunctionalSpec, LayerClipping, with_ranges};
use crossbayes::report::OutputFacts;
use crossbayes::run::{calibrate, prepare};
use crossbayes::trace::ParquetSink;
use crossbayes::workload::{LoadedImages, LoadedPosterior, Net, resolve};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const SPARSE: &str = "mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"), eps: Above(0.1))";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads")
}

fn digits(set: &[&str]) -> Loaded {
    let workload = folder().join("digits.ron").display().to_string();
    let set = ["ensemble.members=2"].iter().chain(set).map(|&set| set.to_owned()).collect();
    load(&LoadRequest { arch: None, workload: Some(workload), set }).unwrap()
}

/// Network, posterior and some calibration images.
fn files(config: &Config, images: usize) -> (Net, LoadedPosterior, LoadedImages) {
    let net = resolve(&config.workload).unwrap();
    let posterior = LoadedPosterior::load(&config.workload, &net, &folder()).unwrap().unwrap();
    let calibration = LoadedImages::load_calibration(&config.workload, &net, &folder()).unwrap().unwrap();
    (net, posterior, calibration.select(&(0..images).collect::<Vec<_>>()))
}

/// Each range is the smallest one beyond which lie at most so many of the conversions of the calibration images: of ideal
/// cells and real ones, of one plane and two, of pairs and bitlines, by any number of threads and any instructions.
#[test]
fn a_calibrated_range_is_the_smallest_that_is_wide_enough() {
    let cases: [&[&str]; 5] = [
        &["mapping.scheme=Dense", "arch.adc.bits=4"],
        &[SPARSE, "arch.adc.bits=4", "arch.stochastic.adc_range=Percentile(90)"],
        &[SPARSE, "arch.adc.bits=4", "arch.adc.input=Column", "arch.stochastic.rows=32"],
        &["mapping.scheme=Deterministic", "arch.adc.bits=4", "arch.device.model=pcm_joshi"],
        &[SPARSE, "arch.adc.bits=4", "arch.device.model=pcm_joshi", "arch.device.read_noise=White"],
    ];
    for set in cases {
        let loaded = digits(&[&["arch.adc.range=Percentile(99)"], set].concat());
        let (net, posterior, images) = files(&loaded.config, 6);
        let spec = FunctionalSpec::of(&loaded.config);
        let found = with_ranges(spec.clone(), &net, &posterior, &images, 2, &|_| ()).unwrap();
        assert_eq!(with_ranges(spec.clone(), &net, &posterior, &images, 1, &|_| ()).unwrap(), found);
        let percentiles = spec.percentiles().map(Option::unwrap);
        let run = |spec: &FunctionalSpec| {
            let model = FunctionalModel::new(spec, &net, &posterior).unwrap();
            let clipping = model.run(&images, 0..images.len(), 2, &|_| ()).unwrap().clipping;
            (model, clipping)
        };
        let (model, clipping) = run(&found);
        assert_eq!(model.run(&images, 0..images.len(), 1, &|_| ()).unwrap().clipping, clipping);
        let portable = model.clone().with(Instructions::portable());
        assert_eq!(portable.run(&images, 0..images.len(), 2, &|_| ()).unwrap().clipping, clipping);
        let within = |of: Clipping, plane: usize| {
            of.clipped as f64 <= (1.0 - percentiles[plane] / 100.0) * of.conversions as f64
        };
        let mut narrow = 0;
        for layer in 0..net.layers.len() {
            for of in model.ranges(layer) {
                let plane = of.plane as usize;
                let range = found.ranges.as_ref().unwrap()[layer][plane].unwrap();
                let counted: LayerClipping = clipping[layer];
                assert!(counted[plane].conversions > 0 && within(counted[plane], plane), "{set:?} {layer} {of:?}");
                assert!(range <= of.full_scale && of.step >= 1.0, "{of:?}");
                if of.step > 1.0 {
                    // A narrower one would clip too much.
                    assert!((of.range - f64::from(range)).abs() < 1e-9, "{of:?}");
                    let mut ranges = found.ranges.as_deref().unwrap().clone();
                    ranges[layer][plane] = Some(range - 1);
                    let (_, clipping) = run(&FunctionalSpec { ranges: Some(Arc::new(ranges)), ..found.clone() });
                    assert!(!within(clipping[layer][plane], plane), "{set:?} {layer} {of:?}");
                    narrow += usize::from(range < of.full_scale);
                }
            }
        }
        assert!(narrow >= 1, "{set:?}: {:?}", found.ranges);
    }
}

/// All conversions of the calibration images lie within the range of the hundredth percentile, and a converter with bits
/// enough for full scale stays exact.
#[test]
fn the_hundredth_percentile_clips_nothing() {
    let loaded = digits(&["mapping.scheme=Dense", "arch.adc.bits=5", "arch.adc.range=Percentile(100)"]);
    let (net, posterior, images) = files(&loaded.config, 6);
    let spec = with_ranges(FunctionalSpec::of(&loaded.config), &net, &posterior, &images, 2, &|_| ()).unwrap();
    let model = FunctionalModel::new(&spec, &net, &posterior).unwrap();
    let clipping = model.run(&images, 0..images.len(), 2, &|_| ()).unwrap().clipping;
    assert!(clipping.as_flattened().iter().all(|of| of.clipped == 0));
    assert!((0..4).any(|layer| model.ranges(layer)[0].range < model.ranges(layer)[0].full_scale.into()));
    let wide = digits(&["mapping.scheme=Dense", "arch.adc.bits=10", "arch.adc.range=Percentile(50)"]);
    let spec = with_ranges(FunctionalSpec::of(&wide.config), &net, &posterior, &images, 2, &|_| ()).unwrap();
    let model = FunctionalModel::new(&spec, &net, &posterior).unwrap();
    assert!((0..4).all(|layer| model.step(layer) == 1.0 && model.ranges(layer)[0].range == 511.0));
}

fn outputs(loaded: &Loaded, threads: usize) -> OutputFacts {
    let base = loaded.workload_base.clone();
    let prepared = prepare(loaded.config.clone(), &base, threads, &|_, _, _| ()).unwrap();
    prepared.simulate(None::<ParquetSink>, String::new(), &|_, _, _| ()).unwrap().0.facts.outputs.unwrap()
}

/// The report and an evaluation have the conversions of each plane of each layer, by hand from the ranges.
#[test]
fn report_and_evaluation_count_alike() {
    let set = [SPARSE, "arch.adc.bits=5", "arch.adc.range=Percentile(97)", "values.answer=First(5)"];
    let loaded = digits(&set);
    let facts = outputs(&loaded, 2);
    assert_eq!(facts, outputs(&loaded, 1));
    assert_eq!(facts.converters.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 2, 2]);
    // conv1: 9 rows in a block, 64 positions of 8 columns for 5 images, whose 4-bit codes come in 4 pulses.
    let net = resolve(&loaded.config.workload).unwrap();
    let conv1 = &net.layers[0];
    let of = facts.converters[0][0];
    assert_eq!((of.range.plane, of.range.full_scale), (Plane::Deterministic, conv1.rows.min(128)));
    assert_eq!(of.clipping.conversions, u64::from(conv1.positions * conv1.columns * conv1.input_bits) * 5);
    for (layer, share) in facts.converters.iter().zip(&facts.clipped_share) {
        let all = layer.iter().fold(Clipping::default(), |mut sum, of| {
            sum.add(of.clipping);
            sum
        });
        assert_eq!(all.share(), *share);
        assert!(layer.iter().all(|of| of.clipped_share == of.clipping.share()));
    }
    assert!(facts.clipped_share.iter().any(|share| *share > 0.0));
    let request = Request {
        config: loaded.config.clone(),
        base: loaded.workload_base.clone(),
        data: None,
        ood: None,
        normalisation: None,
        limit: Some(5),
        shuffle: false,
        members: vec![2],
        drift: Vec::new(),
        compensation: Vec::new(),
        deployments: 1,
        temperature: false,
    };
    let rows = evaluate(&request, None, false, 2, &|_| (), &|_, _, _| ()).unwrap().table.rows;
    let counted = |layer: &str, plane: Plane| {
        rows[0].converters.iter().find(|of| (of.layer.as_str(), of.plane) == (layer, plane)).unwrap().clipping
    };
    let mut largest = 0.0_f64;
    for (layer, of_layer) in net.layers.iter().zip(&facts.converters) {
        for of in of_layer {
            assert_eq!(counted(&layer.name, of.range.plane), of.clipping, "{}", layer.name);
            largest = largest.max(of.clipped_share);
        }
    }
    assert_eq!((rows[0].clipped_share, rows[0].measures.accuracy), (largest, facts.accuracy));
}

/// A killed evaluation that goes on counts what it had counted before.
#[test]
fn conversions_are_in_the_journal() {
    let loaded = digits(&["arch.adc.bits=5", "arch.adc.range=Percentile(95)"]);
    let request = |limit| Request {
        config: loaded.config.clone(),
        base: loaded.workload_base.clone(),
        data: None,
        ood: None,
        normalisation: None,
        limit: Some(limit),
        shuffle: false,
        members: vec![1, 2],
        drift: Vec::new(),
        compensation: Vec::new(),
        deployments: 1,
        temperature: false,
    };
    let folder = tempfile::tempdir().unwrap();
    let run = |folder: Option<&Path>| evaluate(&request(6), folder, false, 2, &|_| (), &|_, _, _| ()).unwrap().table;
    let whole = run(Some(folder.path()));
    let journal = folder.path().join("eval.journal");
    let bytes = std::fs::read(&journal).unwrap();
    std::fs::write(&journal, &bytes[..bytes.len() * 2 / 3]).unwrap();
    assert_eq!(run(Some(folder.path())), whole);
    assert_eq!(run(None), whole);
    assert!(whole.rows[0].clipped_share > 0.0 && whole.to_json().contains("\"clipped_share\""));
    assert!(String::from_utf8(whole.to_csv().unwrap()).unwrap().contains(",clipped_share,"));
    assert!(whole.to_string().contains("clipped"));
}

/// Statistics are taken with the ranges that a run with them finds: it answers as `calibrate` says.
#[test]
fn statistics_and_ranges_are_found_together() {
    let set = [SPARSE, "arch.adc.bits=5", "arch.adc.range=Percentile(98)"];
    let mut loaded = digits(&set);
    let base = loaded.workload_base.clone();
    let made = calibrate(&loaded.config, &base, "narrow", false, 2, &|_, _, _| ()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("posterior.safetensors.zst");
    std::fs::write(&path, &made.bytes).unwrap();
    let text = path.display().to_string();
    if let crossbayes::config::Posterior::File { path, .. } = &mut loaded.config.workload.posterior {
        *path = text;
    }
    loaded.config.workload.images = loaded.config.workload.calibration.clone();
    let facts = outputs(&loaded, 2);
    let after = made.after.unwrap();
    assert_eq!((facts.accuracy, facts.ece, facts.nll), (Some(after.accuracy), Some(after.ece), Some(after.nll)));
    assert!(facts.statistics.iter().all(|used| used.exact && used.set == "narrow"), "{:?}", facts.statistics);
    // A set belongs to its percentile.
    loaded.config.arch.adc.range = AdcRange::Percentile(97.0);
    assert!(outputs(&loaded, 2).statistics.iter().all(|used| !used.exact));
    let _: Base = base;
}

/// What changes an answer changes the hash of the network, and nothing else does.
#[test]
fn calibration_images_count_where_ranges_are_calibrated() {
    let hash = |range: &str, calibration: &str| {
        let mut loaded = digits(&["values.answer=First(1)", &format!("arch.adc.range={range}")]);
        loaded.config.workload.calibration.as_mut().unwrap().path = calibration.to_owned();
        let prepared = prepare(loaded.config, &loaded.workload_base, 2, &|_, _, _| ()).unwrap();
        prepared.simulate(None::<ParquetSink>, String::new(), &|_, _, _| ()).unwrap().0.facts.workload_hash
    };
    let files = ["digits/calibration.safetensors", "digits/test.safetensors"];
    let [same, other] = files.map(|file| hash("FullScale", file));
    assert_eq!(same, other);
    let [same, other] = files.map(|file| hash("Percentile(99)", file));
    assert_ne!(same, other);
}

fn crossbayes(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_crossbayes")).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_network_without_calibration_images_is_refused() {
    let expected = "the range is Percentile, which is calibrated on the network's calibration images, and it has none";
    let none = ["--set", "workload.calibration=None"];
    for range in ["arch.adc.range=Percentile(99)", "arch.stochastic.adc_range=Percentile(99)"] {
        for command in [&["run", "--no-files"][..], &["eval"], &["calibrate", "--out", "none/p.zst"]] {
            let (code, _, error) = crossbayes(&[command, &none, &["--set", range]].concat());
            assert_eq!(code, Some(2), "{command:?} {error}");
            assert!(error.contains(expected) && error.contains("expected FullScale or Fixed(..)"), "{error}");
        }
    }
    // Times need no ranges.
    let timing = ["run", "--no-files", "--set", "values.answer=Nothing", "--set", "arch.adc.range=Percentile(99)"];
    let (code, _, error) = crossbayes(&[&timing[..], &none].concat());
    assert_eq!(code, Some(0), "{error}");
    let (code, _, error) = crossbayes(&["run", "--no-files", "--set", "arch.adc.range=Percentile(101)"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("range is 101; expected 1..=100"), "{error}");
    let loaded = digits(&["arch.adc.range=Percentile(99)"]);
    let (net, posterior, images) = files(&loaded.config, 0);
    let spec = FunctionalSpec::of(&loaded.config);
    let refused = FunctionalModel::new(&spec, &net, &posterior).unwrap_err().to_string();
    assert_eq!(refused, "arch.adc.range is Percentile, and no ranges are calibrated");
    let refused = with_ranges(spec, &net, &posterior, &images, 1, &|_| ()).unwrap_err().to_string();
    assert_eq!(refused, "there are no images to calibrate ranges on");
}

#[test]
fn the_table_lists_converters_that_clip() {
    let set = ["run", "--no-files", "--set", "ensemble.members=2", "--set", "values.answer=First(3)"];
    let table = |range: &str| crossbayes(&[&set[..], &["--set", range, "--set", "arch.adc.bits=5"]].concat()).1;
    assert!(!table("arch.adc.range=FullScale").contains("converters of"));
    let narrow = table("arch.adc.range=Percentile(95)");
    let at = narrow.find("converters of").unwrap_or_else(|| panic!("{narrow}"));
    let lines: Vec<&str> = narrow[at..].lines().skip(1).take_while(|line| !line.is_empty()).collect();
    assert!(lines.iter().any(|line| line.contains("conv2") && line.contains("deterministic")), "{narrow}");
    let json = crossbayes(&[&set[..], &["--format", "json", "--set", "arch.adc.range=Fixed(4.0)"]].concat()).1;
    let json: Value = serde_json::from_str(&json).unwrap();
    let of = &json["outputs"]["converters"][1][0];
    assert_eq!((&of["plane"], &of["range"], &of["full_scale"]), (&"deterministic".into(), &4.0.into(), &128.into()));
    let (clipped, conversions) = (of["clipped"].as_f64().unwrap(), of["conversions"].as_f64().unwrap());
    assert_eq!(of["clipped_share"].as_f64().unwrap(), clipped / conversions);
    assert!(clipped > 0.0);
}
