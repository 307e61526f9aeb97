//! Is an evaluation what a run answers, whatever the threads, the number of members and the interruptions?

mod shared;

use crossbayes::Error;
use crossbayes::config::{LoadRequest, load};
use crossbayes::eval::{Evaluated, JOURNAL, Remedy, Request, Source, evaluate, pictures};
use crossbayes::functional::FunctionalSpec;
use crossbayes::plot::paint::svg;
use crossbayes::run::prepare;
use crossbayes::units::Age;
use crossbayes::workload::datasets::Normalisation;
use crossbayes::workload::{LoadedPosterior, resolve};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use shared::shared;
use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// The digits with changes, 24 of their images.
fn digits(set: &[&str]) -> Request {
    workload("digits", set)
}

fn workload(name: &str, set: &[&str]) -> Request {
    let set = set.iter().map(|set| (*set).to_owned()).collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads").join(format!("{name}.ron"));
    let loaded = load(&LoadRequest { arch: None, workload: Some(file.display().to_string()), set });
    let mut loaded = loaded.unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    // Tests that are not about them do without.
    loaded.config.workload.out_of_distribution = None;
    Request {
        config: loaded.config,
        base: loaded.workload_base,
        data: None,
        ood: None,
        normalisation: None,
        limit: Some(24),
        shuffle: false,
        members: vec![4],
        drift: Vec::new(),
        compensation: Vec::new(),
        deployments: 1,
        temperature: false,
    }
}

fn evaluated(request: &Request) -> Evaluated {
    evaluate(request, None, false, 2, &|_| (), &|_, _, _| ()).unwrap()
}

fn refused(request: &Request, expected: &str) {
    let error = evaluate(request, None, false, 1, &|_| (), &|_, _, _| ()).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    assert!(error.to_string().contains(expected), "\"{error}\" does not tell \"{expected}\"");
}

#[track_caller]
fn close(found: Option<f64>, expected: Option<f64>) {
    let (found, expected) = (found.unwrap(), expected.unwrap());
    assert!((found - expected).abs() <= 1e-12, "{found} is not {expected}");
}

#[test]
fn an_evaluation_is_what_a_run_answers() {
    let request = Request { members: vec![2, 4], ..digits(&["mapping.scheme=Dense"]) };
    let table = evaluated(&request).table;
    for row in &table.rows {
        let mut config = request.config.clone();
        config.ensemble.members = row.members;
        config.values.answer = crossbayes::config::Answer::First(24);
        let run = prepare(config, &request.base, 1, &|_, _, _| ()).unwrap();
        let (finished, _) = run.simulate(None::<crossbayes::trace::ParquetSink>, String::new(), &|_, _, _| ()).unwrap();
        let answers = finished.facts.outputs.unwrap();
        close(row.measures.accuracy, answers.accuracy);
        close(row.measures.ece, answers.ece);
        close(row.measures.nll, answers.nll);
        close(row.measures.brier, answers.brier);
        close(Some(row.measures.entropy), Some(answers.entropy.iter().sum::<f64>() / 24.0));
        let information = answers.mutual_information.iter().sum::<f64>() / 24.0;
        close(Some(row.measures.mutual_information), Some(information));
    }
    assert_eq!(table.rows.iter().map(|row| row.members).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn nothing_depends_on_threads_or_interruptions() {
    let request = Request {
        members: vec![1, 3],
        deployments: 2,
        temperature: true,
        ..digits(&["mapping.scheme=Dense", "arch.adc.bits=5"])
    };
    let folder = tempdir().unwrap();
    let evaluate = |threads: usize| {
        let found = Cell::new(0);
        let done = evaluate(&request, Some(folder.path()), false, threads, &|n| found.set(n), &|_, _, _| ()).unwrap();
        (done, found.get())
    };
    let (whole, found) = evaluate(1);
    assert_eq!(found, 0);
    let journal = fs::read(folder.path().join(JOURNAL)).unwrap();
    let (again, found) = evaluate(2);
    // 24 images of two deployments; what is done is not done again.
    assert_eq!((found, &again.table), (48, &whole.table));
    let mut counts = Vec::new();
    for part in [0, 40, 300, journal.len() / 4 + 3, journal.len() / 2 + 7, journal.len() - 1] {
        fs::write(folder.path().join(JOURNAL), &journal[..part]).unwrap();
        let (resumed, found) = evaluate(2);
        assert_eq!(resumed.table, whole.table, "{part}");
        assert_eq!(resumed.table.to_json(), whole.table.to_json());
        assert_eq!(resumed.to_parquet().unwrap(), whole.to_parquet().unwrap());
        counts.push(found);
    }
    assert!(counts.is_sorted() && counts[0] == 0 && counts[3] > 0 && counts[5] == 47, "{counts:?}");
    // The journal of another evaluation is kept, unless that is asked for.
    let other = Request { deployments: 1, ..request.clone() };
    let error = crossbayes::eval::evaluate(&other, Some(folder.path()), false, 1, &|_| (), &|_, _, _| ()).unwrap_err();
    assert!(error.to_string().contains("another configuration"), "{error}");
    let forced = crossbayes::eval::evaluate(&other, Some(folder.path()), true, 1, &|_| (), &|_, _, _| ()).unwrap();
    assert_eq!(forced.table.rows[..], whole.table.rows[..2]);
    let row = &whole.table.rows[1];
    let scaled = row.scaled.unwrap();
    assert!((0.05..=20.0).contains(&scaled.temperature) && scaled.measures.nll != row.measures.nll);
    assert_eq!(scaled.measures.accuracy, row.measures.accuracy);
    assert_ne!(whole.table.rows[1].measures, whole.table.rows[3].measures, "deployments differ");
    let spread = whole.table.summary[1].figures["nll"];
    let [a, b] = [1, 3].map(|row| whole.table.rows[row].measures.nll.unwrap());
    close(Some(spread.mean), Some((a + b) / 2.0));
    // Of two values.
    close(Some(spread.std), Some((a - b).abs() / 2.0_f64.sqrt()));
}

#[test]
fn what_is_killed_goes_on() {
    let folder = tempdir().unwrap();
    let command = |out: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
        let arguments =
            ["eval", "--workload", "digits", "--set", "mapping.scheme=Dense", "--members", "20", "--out", out];
        command.args(arguments).args(["--threads", "1"]).current_dir(folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let mut child = command("killed").spawn().unwrap();
    let journal = folder.path().join("killed").join(JOURNAL);
    let started = Instant::now();
    // Until a few batches are written.
    while fs::metadata(&journal).map_or(0, |file| file.len()) < 50_000 {
        assert!(
            started.elapsed() < Duration::from_secs(300) && child.try_wait().unwrap().is_none(),
            "it ended by itself"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!folder.path().join("killed/eval.json").exists());
    let output = command("killed").output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("going on: "), "it begins anew");
    assert!(command("whole").output().unwrap().status.success());
    for name in ["eval.json", "eval.csv", "images.parquet", "reliability.svg", "entropy.svg", "members.svg"] {
        let [killed, whole] = ["killed", "whole"].map(|out| fs::read(folder.path().join(out).join(name)).unwrap());
        assert!(killed == whole, "{name}");
    }
    // A folder of anything else is refused and kept.
    fs::create_dir(folder.path().join("thesis")).unwrap();
    fs::write(folder.path().join("thesis/eval.json"), "mine").unwrap();
    let output = command("thesis").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("--out thesis: expected a new or empty folder"), "{message}");
    assert_eq!(fs::read(folder.path().join("thesis/eval.json")).unwrap(), b"mine");
}

#[test]
fn shuffling_takes_other_images_and_the_same_ones_in_all() {
    let all = |shuffle: bool, seed: &str| Request { limit: None, shuffle, members: vec![1], ..digits(&[seed]) };
    let images = |request: &Request| -> Vec<i32> {
        let bytes = bytes::Bytes::from(evaluated(request).to_parquet().unwrap());
        let reader = SerializedFileReader::new(bytes).unwrap();
        reader.get_row_iter(None).unwrap().map(|row| row.unwrap().get_int(3).unwrap()).collect()
    };
    let [plain, shuffled] = [false, true].map(|shuffle| evaluated(&all(shuffle, "seed=1")).table.rows[0].clone());
    close(plain.measures.nll, shuffled.measures.nll);
    let (first, mut second) = (images(&all(true, "seed=1")), images(&all(true, "seed=2")));
    assert_ne!(first, second);
    second.sort_unstable();
    assert_eq!(second, (0..360).collect::<Vec<i32>>());
    let some = images(&Request { limit: Some(24), ..all(true, "seed=1") });
    assert_eq!(some, first[..24]);
}

#[test]
fn scores_of_images_are_in_the_parquet_file() {
    let evaluated = evaluated(&Request { members: vec![2, 4], ..digits(&[]) });
    let bytes = bytes::Bytes::from(evaluated.to_parquet().unwrap());
    let reader = SerializedFileReader::new(bytes).unwrap();
    let names: Vec<String> =
        reader.metadata().file_metadata().schema().get_fields().iter().map(|f| f.name().to_owned()).collect();
    let place = |name: &str| names.iter().position(|n| n == name).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 48);
    for (row, members) in evaluated.table.rows.iter().zip([2, 4]) {
        let of_members = || rows.iter().filter(|row| row.get_int(place("members")).unwrap() == members);
        let mean = |name: &str| Some(of_members().map(|row| row.get_double(place(name)).unwrap()).sum::<f64>() / 24.0);
        close(mean("nll"), row.measures.nll);
        close(mean("brier"), row.measures.brier);
        close(mean("mutual_information"), Some(row.measures.mutual_information));
        let right = of_members()
            .filter(|row| row.get_int(place("label")).unwrap() == row.get_int(place("prediction")).unwrap());
        close(Some(right.count() as f64 / 24.0), row.measures.accuracy);
        assert!(of_members().all(|row| row.get_string(place("set")).unwrap() == "in"));
    }
}

#[test]
fn drift_and_its_compensations_are_axes() {
    let named = |name: &str| Remedy::NAMED.iter().find(|(n, _)| *n == name).unwrap().1;
    let request = Request {
        members: vec![1],
        drift: ["0s", "1year"].map(|age| Age::parse(age).unwrap()).to_vec(),
        compensation: ["off", "arrays", "statistics"].map(named).to_vec(),
        ..digits(&["arch.device.model=pcm_joshi", "mapping.scheme=Deterministic"])
    };
    let evaluated = evaluated(&request);
    let accuracy = |age: f64, name: &str| {
        let row = evaluated.table.rows.iter().find(|row| row.drift_s == age && row.compensation == name);
        row.unwrap().measures.accuracy.unwrap()
    };
    assert_eq!(evaluated.table.rows.len(), 6);
    let year = 31_536_000.0;
    assert!(accuracy(0.0, "off") > 0.9 && accuracy(year, "off") < 0.5, "{}", evaluated.table);
    assert!(accuracy(year, "arrays") > 0.8 && accuracy(year, "statistics") > 0.8, "{}", evaluated.table);
    // A row is what a chip of that age and compensation answers.
    let aged = digits(&[
        "arch.device.model=pcm_joshi",
        "mapping.scheme=Deterministic",
        "arch.device.age=\"1 year\"",
        "arch.device.compensation=Arrays",
    ]);
    let aged = self::evaluated(&Request { members: vec![1], ..aged }).table;
    let row = evaluated.table.rows.iter().find(|row| row.drift_s == year && row.compensation == "arrays").unwrap();
    assert_eq!(&aged.rows[0], row);
    let names: Vec<&str> = pictures(&evaluated).iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["reliability", "entropy", "drift"]);
    pictures(&evaluated).iter().for_each(|(_, picture)| assert!(svg(picture).unwrap().starts_with("<svg")));
    refused(&Request { drift: request.drift, ..digits(&[]) }, "the memory cells are ideal and do not drift");
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let digits_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/digits/test.safetensors");
    let data = |path: &Path| Some(Source { path: path.to_owned(), labels: None });
    let same = Request { data: data(&digits_file), ood: Some(digits_file.clone()), ..digits(&[]) };
    refused(&same, "holds the same images as the first set");
    refused(&Request { ood: Some(digits_file.clone()), ..digits(&[]) }, "holds the same images as the first set");
    refused(&Request { data: data(&digits_file), ..workload("fashion_mnist", &[]) }, "[360, 1, 28, 28]");
    refused(&workload("vgg_cifar100_half", &[]), "names no images; expected --data");
    let temperature = Request { temperature: true, data: data(&digits_file), ..workload("toy_two_layers", &[]) };
    assert!(matches!(
        evaluate(&temperature, None, false, 1, &|_| (), &|_, _, _| ()),
        Err(Error::Input { .. } | Error::Problems(_))
    ));
    let normalisation = Some(Normalisation { mean: vec![0.5], std: vec![0.2] });
    let own = Request { normalisation: normalisation.clone(), ..digits(&[]) };
    refused(&own, "the network's own images are codes of its input, not pixels");
    let codes = Request { normalisation, data: data(&digits_file), ..digits(&[]) };
    refused(&codes, "holds codes of the input, not pixels; expected no normalisation");
    let mut uncalibrated = digits(&["arch.device.model=pcm_joshi"]);
    uncalibrated.compensation = vec![Remedy::Statistics { per_member: false }];
    uncalibrated.config.workload.calibration = None;
    refused(&uncalibrated, "statistics are estimated on the network's calibration images, and it has none");
    let fitted = Request { temperature: true, compensation: Vec::new(), ..uncalibrated };
    refused(&fitted, "a temperature is fitted on the network's calibration images, and it has none");
    let mut unlabelled = Request { temperature: true, ..digits(&[]) };
    unlabelled.config.workload.calibration.as_mut().unwrap().labels = None;
    refused(&unlabelled, "a temperature is fitted to labels, and there are none");
    let mut same = digits(&[]);
    same.config.workload.out_of_distribution = same.config.workload.images.clone();
    refused(&same, "workload.out_of_distribution.path: holds the same images as the first set");
    refused(&digits(&["mapping.scheme=Deterministic"]), "4 members are asked for; the mode network has one");
    let auto = "mapping.scheme=Sparse(first_ensembling_layer: Auto(accuracy: 0.01, ece: 0.01))";
    refused(&digits(&[auto]), "Auto is found by a run");
}

#[test]
fn fashion_mnist_is_told_from_letters() {
    let path = |name: &str| shared(&format!("data/{name}"));
    let Some(images) = path("fashion-mnist/t10k-images-idx3-ubyte.gz") else { return };
    let Some(letters) = path("notmnist/t10k-images-idx3-ubyte.gz") else { return };
    let labels = path("fashion-mnist/t10k-labels-idx1-ubyte.gz");
    let request = Request {
        data: Some(Source { path: images, labels }),
        ood: Some(letters),
        limit: Some(60),
        shuffle: true,
        members: vec![2],
        ..workload("fashion_mnist", &["mapping.scheme=Dense"])
    };
    let row = evaluated(&request).table.rows.remove(0);
    // 92.5% of all 10 000: 4 standard errors of 60 images are 13.6%.
    assert!(row.measures.accuracy.unwrap() > 0.78, "{row:?}");
    let ood = row.ood.unwrap();
    assert!((0.6..1.0).contains(&ood.entropy.auroc) && ood.images == 60, "{row:?}");
}

/// Conditions whose first layers answer alike are computed together.
#[test]
fn what_conditions_share_changes_no_figure() {
    let named = |name: &str| Remedy::NAMED.iter().find(|(n, _)| *n == name).unwrap().1;
    let names = ["off", "arrays", "logits", "logits-ideal", "statistics"];
    for cells in ["read_noise=Frozen", "read_noise=White"] {
        let cells = format!("arch.device.{cells}");
        let request = Request {
            limit: Some(6),
            members: vec![1, 2],
            drift: vec![Age::parse("1h").unwrap()],
            compensation: names.map(named).to_vec(),
            ..digits(&["arch.device.model=pcm_joshi", "mapping.scheme=Dense", &cells])
        };
        let together = evaluated(&request).table.rows;
        for name in names {
            let alone = evaluated(&Request { compensation: vec![named(name)], ..request.clone() }).table.rows;
            let of_name: Vec<_> = together.iter().filter(|row| row.compensation == name).cloned().collect();
            assert_eq!(of_name, alone, "{name}, {cells}");
        }
        let nll = |name: &str| together.iter().find(|row| row.compensation == name).unwrap().measures.nll;
        assert!(nll("off") != nll("logits") && nll("off") != nll("arrays"), "{together:?}");
    }
    // Ideal cells: deployments differ from fc1 on.
    let request = Request { limit: Some(6), members: vec![3], deployments: 3, ..digits(&["arch.adc.bits=5"]) };
    let together = evaluated(&request).table.rows;
    for seed in 1..=3 {
        let set = ["arch.adc.bits=5".to_owned(), format!("seed={seed}")];
        let of_seed = digits(&set.each_ref().map(String::as_str));
        let alone = evaluated(&Request { limit: Some(6), members: vec![3], ..of_seed }).table.rows.remove(0);
        let row = &together[seed - 1];
        assert_eq!((row.seed, row.measures), (seed as u64, alone.measures));
    }
    assert_ne!(together[0].measures, together[1].measures);
}

#[test]
fn layers_in_common_are_those_before_the_first_difference() {
    let request = digits(&[]);
    let net = resolve(&request.config.workload).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    let posterior = LoadedPosterior::load(&request.config.workload, &net, &folder).unwrap().unwrap();
    let spec = |set: &[&str]| {
        let mut config = digits(set).config;
        config.mapping.scheme.name_first_layer(&net);
        FunctionalSpec::of(&config)
    };
    let common = |a: &[&str], b: &[&str]| spec(a).layers_in_common(&spec(b), &net, &posterior);
    // conv1, conv2, fc1, fc2; members begin at fc1.
    assert_eq!(common(&[], &[]), 4);
    assert_eq!(common(&["seed=2"], &[]), 2);
    assert_eq!(common(&["seed=2", "mapping.scheme=Dense"], &["mapping.scheme=Dense"]), 0);
    assert_eq!(common(&["seed=2", "mapping.scheme=Deterministic"], &["mapping.scheme=Deterministic"]), 4);
    let [real, off] = ["arch.device.model=pcm_joshi", "arch.device.compensation=Off"];
    let [logits, arrays] = ["Logits", "Arrays"].map(|kind| format!("arch.device.compensation={kind}"));
    assert_eq!(common(&[real, off], &[real, &logits]), 3);
    assert_eq!(common(&[real, off], &[real, &arrays]), 0);
    assert_eq!(common(&[real, off, "seed=2"], &[real, off]), 0);
    assert_eq!(common(&[real, off, "arch.device.age=\"1 h\""], &[real, off]), 0);
    assert_eq!(common(&["arch.adc.bits=7"], &["arch.adc.bits=8"]), 0);
}

#[test]
fn what_is_listed_twice_counts_once_and_equal_deployments_answer_alike() {
    let request = Request {
        limit: Some(4),
        members: vec![1],
        deployments: 2,
        ..digits(&["mapping.scheme=Deterministic", "arch.adc.bits=5"])
    };
    let rows = evaluated(&request).table.rows;
    assert_eq!((rows.len(), rows[0].measures), (2, rows[1].measures));
    let [age, off] = ["0s", "1h"].map(|age| Age::parse(age).unwrap());
    let request = Request {
        deployments: 1,
        drift: vec![age, off, age],
        compensation: vec![Remedy::Set(crossbayes::config::Compensation::Off); 2],
        ..Request { limit: Some(4), members: vec![1], ..digits(&["arch.device.model=pcm_joshi"]) }
    };
    assert_eq!(evaluated(&request).table.rows.iter().map(|row| row.drift_s).collect::<Vec<_>>(), [0.0, 3600.0]);
}

#[test]
fn the_network_s_out_of_distribution_images_are_the_second_set() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    let mut request = Request { members: vec![2], ..digits(&[]) };
    let file = folder.join("digits/out_of_distribution.safetensors");
    let named = evaluated(&Request { ood: Some(file), ..request.clone() }).table;
    assert_eq!(named.rows[0].ood.unwrap().images, 24);
    let file = folder.join("digits.ron").display().to_string();
    let loaded = load(&LoadRequest { arch: None, workload: Some(file), set: Vec::new() });
    let named_by_network = loaded.unwrap_or_else(|errors| panic!("{}", errors.render(false))).config.workload;
    request.config.workload.out_of_distribution = named_by_network.out_of_distribution;
    assert_eq!(evaluated(&request).table.rows, named.rows);
}

#[test]
fn statistics_of_members_are_estimated_for_each() {
    let remedy = |per_member| vec![Remedy::Statistics { per_member }];
    let request = |per_member, members| Request {
        limit: Some(8),
        members: vec![members],
        compensation: remedy(per_member),
        ..digits(&["arch.device.model=pcm_joshi"])
    };
    let measures = |per_member, members| evaluated(&request(per_member, members)).table.rows[0].measures;
    assert_ne!(measures(true, 3), measures(false, 3));
    assert_eq!(measures(true, 1), measures(false, 1));
}

#[test]
fn statistics_that_are_not_those_of_the_scheme_are_told() {
    let table = |set: &[&str]| evaluated(&Request { limit: Some(2), members: vec![1], ..digits(set) }).table;
    let told = "Batch-norm statistics are the nearest that the posterior has, not those of this scheme, in ";
    assert!(table(&[]).to_string().contains(&format!("{told}fc1, fc2.")));
    let dense = table(&["mapping.scheme=Dense"]);
    assert!(!dense.to_string().contains(told) && dense.statistics.iter().all(|of| of.exact && of.set == "sampled"));
}

/// What programs that read the JSON rely on.
#[test]
fn keys_are_the_stated_ones() {
    let request = Request { limit: Some(8), members: vec![2], deployments: 2, temperature: true, ..digits(&[]) };
    let ood = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/digits/out_of_distribution.safetensors");
    let json: serde_json::Value =
        serde_json::from_str(&evaluated(&Request { ood: Some(ood), ..request }).table.to_json()).unwrap();
    let row = &json["rows"][0];
    for key in ["drift_s", "deployment", "members", "images", "accuracy", "ece", "nll", "brier", "entropy", "aleatoric"]
    {
        assert!(row[key].is_number(), "{key}: {row}");
    }
    assert!(row["mutual_information"].is_number() && row["compensation"] == "off", "{row}");
    for key in ["auroc", "aupr", "fpr95", "images"] {
        assert!(row["ood"][key].is_number(), "{key}: {row}");
    }
    assert!(row["scaled"]["temperature"].is_number() && row["ood"]["mutual_information"]["auroc"].is_number());
    for key in ["accuracy", "aleatoric", "auroc"] {
        assert!(json["summary"][0]["figures"][key]["std"].is_number(), "{key}");
    }
}
