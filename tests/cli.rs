//! Does the program do what its command line says, leave what it says it leaves, and tell what is wrong?

use crossbayes::trace::TraceReader;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::{TempDir, tempdir};

/// What a command has left on its streams.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Done {
    /// The result of a command that succeeded.
    #[track_caller]
    fn fine(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out
    }

    /// The message of a command that failed; it has written no result.
    #[track_caller]
    fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.err);
        self.err
    }
}

fn command(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(arguments).current_dir(folder.path()).env_remove("NO_COLOR");
    command
}

fn crossbayes(folder: &TempDir, arguments: &[&str]) -> Done {
    let output = command(folder, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// `run` of the small network with further arguments.
fn toy(folder: &TempDir, arguments: &[&str]) -> Done {
    crossbayes(folder, &[&["run", "--arch", "toy_2x2", "--workload", "toy_two_layers"], arguments].concat())
}

#[test]
fn currents_that_are_held_for_very_long_are_booked() {
    let folder = tempfile::tempdir().unwrap();
    let network = r#"(name: "slow", description: "", posterior: Absent, activity: 0.5,
        input: (channels: 1024, height: 1, width: 16, bits: 2, signed: false),
        layers: [
            (name: "a", op: Conv(channels: 1024, kernel: 1, stride: 1, padding: 0), activation_bits: 2),
            (name: "b", op: Linear(outputs: 2), relu: false, activation_bits: 2),
        ])"#;
    fs::write(folder.path().join("slow.ron"), network).unwrap();
    let mut arguments = vec!["run", "--workload", "slow.ron", "--no-files", "--format", "json"];
    for set in [
        "mapping.scheme=deterministic",
        "arch.array.rows=1024",
        "arch.array.columns=2048",
        "arch.array.read_voltage=\"100 mV\"",
        "arch.array.conductance_on=\"10 mS\"",
        "arch.array.held_bitlines=All",
        "arch.array.read_start=Early",
        "arch.adc.columns_per_adc=1",
        "arch.digital.lanes=1",
        "arch.digital.depth=1",
        "arch.costs.post_process.time=\"1 ms\"",
    ] {
        arguments.extend(["--set", set]);
    }
    let report = json(&crossbayes(&folder, &arguments).fine());
    // Post-processing takes 1024 ms a position; meanwhile the array draws 512 rows x 1024 columns x (100 mV)^2 x 10 mS =
    // 52.4 W: more in one wait than the 18 J that a row can hold. Eleven of the sixteen positions wait for a place.
    let energy = report["energy"]["per_component"]["crossbar"].as_f64().unwrap();
    let run = report["latency"]["ns"].as_f64().unwrap() * 1e-9 * 52.4288;
    assert!(energy > 11.0 * 1.024 * 52.4288 - 1.0 && energy < run, "{energy} J of at most {run}");
}

/// Every file below a folder with its contents; every folder with none.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_owned();
            if path.is_dir() {
                open.push(path);
                found.insert(name, None);
            } else {
                found.insert(name, Some(fs::read(&path).unwrap()));
            }
        }
    }
    found
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A report without what differs when a run is repeated: the command, its settings and the time that it took.
fn figures(text: &str) -> Value {
    let mut report = json(text);
    report["provenance"]["command"] = Value::Null;
    report["provenance"]["settings"] = Value::Null;
    for key in ["simulation_s", "wall_s", "events_per_s"] {
        report["events"][key] = Value::Null;
    }
    report
}

/// What a run leaves in its folder.
const LEFT: [&str; 10] = [
    "b3sums",
    "config.ron",
    "plots",
    "plots/area.svg",
    "plots/energy.svg",
    "plots/timeline.svg",
    "plots/utilisation.svg",
    "report.json",
    "report.txt",
    "trace.parquet",
];

#[test]
fn a_run_without_arguments_writes_everything_and_says_so() {
    let folder = tempdir().unwrap();
    let done = crossbayes(&folder, &["run"]);
    assert_eq!(
        done.err,
        "wrote traces/runs/pcm_128-digits: report.json, report.txt, trace.parquet, config.ron, plots/, values.safetensors\n"
    );
    let place = folder.path().join("traces/runs/pcm_128-digits");
    let left: Vec<PathBuf> = contents(&place).into_keys().collect();
    let expected: Vec<&str> = LEFT.into_iter().chain(["values.safetensors"]).collect();
    assert_eq!(left, expected.iter().map(PathBuf::from).collect::<Vec<_>>());
    assert_eq!(contents(folder.path()).len(), expected.len() + 3, "nothing else but the folders on the way");
    #[cfg(unix)]
    for name in &left {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &Path| fs::metadata(place.join(name)).unwrap().permissions().mode();
        let expected = mode(if place.join(name).is_dir() { Path::new("plots") } else { Path::new("report.txt") });
        assert_eq!(mode(name), expected, "{}", name.display());
    }
    assert_eq!(done.out, fs::read_to_string(place.join("report.txt")).unwrap());
    assert!(done.out.starts_with("digits on pcm_128\n"));
    let report = json(&fs::read_to_string(place.join("report.json")).unwrap());
    assert_eq!(report["outputs"]["predictions"].as_array().unwrap().len(), 360);
    assert_eq!(report["provenance"]["command"], "crossbayes run");
}

#[test]
fn no_files_are_written_where_none_are_wanted() {
    let folder = tempdir().unwrap();
    let done = toy(&folder, &["--no-files"]);
    assert_eq!(done.err, "");
    assert!(done.fine().starts_with("toy_two_layers on toy_2x2\n"));
    assert_eq!(contents(folder.path()).len(), 0);
    let message = toy(&folder, &["--no-files", "--out", "here"]).failed(2);
    assert!(message.contains("'--no-files' cannot be used with '--out <DIR>'"), "{message}");
}

#[test]
fn live_stored_and_recomputed_reports_are_the_same_bytes() {
    let folder = tempdir().unwrap();
    let live = toy(&folder, &["--out", "run", "--format", "json"]).fine();
    let stored = |name: &str| fs::read_to_string(folder.path().join("run").join(name)).unwrap();
    assert_eq!(live, stored("report.json"));
    assert_eq!(live, crossbayes(&folder, &["report", "run", "--format", "json"]).fine());
    assert_eq!(live, crossbayes(&folder, &["--format", "json", "report", "run/trace.parquet"]).fine());
    assert_eq!(stored("report.txt"), crossbayes(&folder, &["report", "run"]).fine());
}

#[test]
fn a_run_replaces_an_earlier_one_as_a_whole() {
    let folder = tempdir().unwrap();
    toy(&folder, &["--out", "run"]).fine();
    let before = contents(&folder.path().join("run"));
    toy(&folder, &["--out", "run", "--set", "ensemble.members=3"]).fine();
    let after = contents(&folder.path().join("run"));
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for name in LEFT.iter().filter(|name| !name.contains("area") && **name != "plots") {
        assert_ne!(after[Path::new(name)], before[Path::new(name)], "{name}");
    }
    assert_eq!(contents(folder.path()).len(), LEFT.len() + 1, "no folder on the side");
}

#[test]
fn a_folder_that_is_no_run_is_left_alone() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("mine")).unwrap();
    fs::write(folder.path().join("mine/letter.txt"), "dear").unwrap();
    let before = contents(folder.path());
    let help = "choose another folder with --out";
    for (out, reported) in [
        (
            "mine",
            format!(
                "holds files, and no b3sums that lists those of a run; version 0.1 wrote none\n\
                 help: move or remove mine yourself, or {help}"
            ),
        ),
        ("mine/letter.txt", format!("is a file; expected a folder\nhelp: {help}")),
        (".", format!("is or holds the working directory, and cannot be replaced\nhelp: {help}")),
        ("mine/..", format!("is or holds the working directory, and cannot be replaced\nhelp: {help}")),
    ] {
        assert_eq!(toy(&folder, &["--out", out]).failed(2), format!("error: {out}: {reported}\n"));
        assert_eq!(contents(folder.path()), before);
    }
    fs::create_dir(folder.path().join("empty")).unwrap();
    toy(&folder, &["--out", "empty"]).fine();
    assert_eq!(contents(&folder.path().join("empty")).len(), LEFT.len());
}

#[test]
#[cfg(unix)]
fn a_run_goes_where_a_link_leads() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("disk")).unwrap();
    std::os::unix::fs::symlink("disk", folder.path().join("link")).unwrap();
    for out in ["link", "link/"] {
        toy(&folder, &["--out", out]).fine();
        assert!(folder.path().join("link").is_symlink());
        assert_eq!(contents(&folder.path().join("disk")).len(), LEFT.len(), "{out}");
    }
}

#[test]
fn a_name_does_not_lead_out_of_the_folder_of_runs() {
    let folder = tempdir().unwrap();
    toy(&folder, &["--set", "arch.name=../../chip"]).fine();
    let place = folder.path().join("traces/runs/.._.._chip-toy_two_layers-arch.name=.._.._chip");
    assert_eq!(contents(&place).len(), LEFT.len());
    assert_eq!(contents(folder.path()).len(), LEFT.len() + 3);
}

/// A buffer of 8 pixels for a map of 9.
const TOO_SMALL: &str = "arch.tile.input_buffer.capacity=4 B";

#[test]
fn a_failed_run_leaves_the_earlier_one_and_nothing_else() {
    let folder = tempdir().unwrap();
    toy(&folder, &["--out", "run"]).fine();
    let before = contents(folder.path());
    let message = toy(&folder, &["--out", "run", "--set", TOO_SMALL]).failed(2);
    assert_eq!(
        message,
        "--set arch.tile.input_buffer.capacity=4 B: error: the input buffer of layer \"conv1\" holds 8 B on 2 tiles; in \
         schedule layer it must hold its whole input, 9 B\n\
         help: expected at least 5 B, or schedule.mode=streaming\n"
    );
    assert!(contents(folder.path()) == before);

    let empty = tempdir().unwrap();
    toy(&empty, &["--out", "new/folders/run", "--set", TOO_SMALL]).failed(2);
    toy(&empty, &["--set", TOO_SMALL]).failed(2);
    assert_eq!(contents(empty.path()), BTreeMap::new());
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let before = contents(folder.path());
    // Below a file nobody can write, whatever their rights.
    assert_eq!(toy(&folder, &["--out", "file/run"]).failed(1), "error: file/run: Not a directory (os error 20)\n");
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn a_stored_configuration_repeats_its_run() {
    let folder = tempdir().unwrap();
    let first = crossbayes(
        &folder,
        &["run", "--set", "values.answer=First(3)", "--set", "arch.adc.bits=5", "--seed", "7", "--out", "first"],
    );
    first.fine();
    let stored = fs::read_to_string(folder.path().join("first/report.json")).unwrap();
    let again = crossbayes(&folder, &["run", "--config", "first/config.ron", "--out", "again", "--format", "json"]);
    assert!(figures(&again.fine()) == figures(&stored));
    let file = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(file("first/config.ron") == file("again/config.ron"));
    assert_eq!(json(&stored)["config"]["seed"], 7);
    let changed = crossbayes(&folder, &["run", "--config", "first/config.ron", "--no-files", "--seed", "8", "-q"]);
    assert_ne!(changed.fine().into_bytes(), file("first/report.txt"));
    let both = crossbayes(&folder, &["run", "--config", "first/config.ron", "--arch", "pcm_256"]).failed(2);
    assert!(both.contains("'--config <FILE>' cannot be used with '--arch <FILE>'"), "{both}");
}

#[test]
fn the_hash_of_a_network_covers_its_files_and_not_their_places() {
    let folder = tempdir().unwrap();
    let network = fs::read_to_string(repository("workloads/digits.ron")).unwrap();
    let file = |name: &str| fs::read(repository(&format!("workloads/digits/{name}.safetensors"))).unwrap();
    let (posterior, images) = (file("posterior"), file("test"));
    fs::create_dir(folder.path().join("digits")).unwrap();
    fs::write(folder.path().join("digits/out_of_distribution.safetensors"), file("out_of_distribution")).unwrap();
    let hash = |posterior: &[u8], images: &[u8], answer: &str| {
        for (name, text) in [("p", posterior), ("i", images), ("n.ron", network.as_bytes())] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let paths = ["--set", "workload.posterior.path=p", "--set", "workload.images.path=i"];
        let answer = format!("values.answer={answer}");
        let run = [&["run", "--workload", "n.ron", "--no-files", "--format", "json", "--set", &answer], &paths[..]];
        json(&crossbayes(&folder, &run.concat()).fine())["provenance"]["workload_hash"].as_str().unwrap().to_owned()
    };
    let whole = hash(&posterior, &images, "Nothing");
    // Neither what is answered nor where the files lie is the network's.
    assert_eq!(whole, hash(&posterior, &images, "First(1)"));
    let built_in = crossbayes(&folder, &["run", "--no-files", "--format", "json", "--set", "values.answer=Nothing"]);
    assert_eq!(json(&built_in.fine())["provenance"]["workload_hash"], whole);
    // Other weights, another pixel, another label: labels and pixels are distinguished by their places in the file.
    let header = 8 + u64::from_le_bytes(*images.first_chunk().unwrap()) as usize;
    let tensors: Value = serde_json::from_slice(&images[8..header]).unwrap();
    let last_byte = |name: &str| header + tensors[name]["data_offsets"][1].as_u64().unwrap() as usize - 1;
    let changed = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let other = [
        hash(&changed(&posterior, posterior.len() - 1), &images, "Nothing"),
        hash(&posterior, &changed(&images, last_byte("images")), "Nothing"),
        hash(&posterior, &changed(&images, last_byte("labels")), "Nothing"),
    ];
    assert_eq!(other.iter().chain([&whole]).collect::<BTreeSet<_>>().len(), 4, "{whole} {other:?}");
}

#[test]
fn the_seed_decides_and_threads_do_not() {
    let folder = tempdir().unwrap();
    let run = |more: &[&str]| {
        let fixed = ["run", "--no-files", "--format", "json", "--set", "values.answer=First(5)"];
        figures(&crossbayes(&folder, &[&fixed, more].concat()).fine())
    };
    let one = run(&["--threads", "1"]);
    assert!(one == run(&["--threads", "2"]));
    assert!(one == run(&["--seed", "1", "--threads", "5"]));
    let other = run(&["--seed", "2"]);
    assert_ne!(one["outputs"], other["outputs"]);
    assert!(other == run(&["--set", "seed=2"]));
}

#[test]
fn wrong_usage_exits_with_2() {
    let folder = tempdir().unwrap();
    let reported = |arguments: &[&str]| crossbayes(&folder, arguments).failed(2);
    assert!(reported(&["simulate"]).starts_with("error: unrecognized subcommand 'simulate'"));
    assert!(reported(&["run", "--frobnicate"]).starts_with("error: unexpected argument '--frobnicate' found"));
    assert!(reported(&["run", "--format", "xml"]).contains("[possible values: table, json]"));
    assert!(reported(&[]).contains("Usage: crossbayes"));
    assert_eq!(
        reported(&["plot", "timelin", "run"]),
        "error: there is no picture \"timelin\"; expected timeline, energy, area, utilisation, all\n\
         help: did you mean timeline?\n"
    );
    for window in ["2000..1000", "20", "5..5", "a..b", "-1..4"] {
        let message = reported(&["run", &format!("--window={window}")]);
        let expected = format!(
            "error: invalid value '{window}' for '--window <FROM..TO>': expected two whole numbers of cycles, the second \
             larger than the first, such as 1000..2000\n"
        );
        assert!(message.starts_with(&expected), "{message}");
    }
    assert_eq!(contents(folder.path()), BTreeMap::new());
}

#[test]
fn a_report_names_the_settings_that_were_changed() {
    let folder = tempdir().unwrap();
    // The second is what the file says, so nothing was changed by it.
    let set = ["--set", "ensemble.members=3", "--set", "arch.adc.bits=4", "--mode", "sequential", "--seed", "7"];
    let done = toy(&folder, &[&set[..], &["--out", "run"]].concat()).fine();
    let reported: Vec<&str> = done.lines().filter(|line| line.contains(" (files: ")).map(str::trim).collect();
    assert_eq!(
        reported,
        [
            "changed settings        schedule.mode = Sequential (files: Layer)",
            "ensemble.members = 3 (files: 10)",
            "seed = 7 (files: 1)"
        ]
    );
    // They are stored with the run.
    assert_eq!(crossbayes(&folder, &["report", "run"]).fine(), done);
    let table = ["--no-files", "--set", "arch.costs=survey_22nm", "--set", "arch.costs.comparator.energy=1 pJ"];
    let reported = toy(&folder, &table).fine();
    let (_, settings) = reported.split_once("changed settings").unwrap();
    let settings: Vec<&str> = settings.lines().map(str::trim).take(3).collect();
    assert_eq!(settings[0], "arch.costs = survey_22nm (files: neurosim_22nm)");
    assert_eq!(settings[1], "arch.costs.comparator.energy = 1 pJ (files: 16 fJ)");
    assert!(settings[2].starts_with("probabilistic synapses"), "{reported}");
    assert!(!toy(&folder, &["--no-files"]).fine().contains("changed settings"));
    // A setting may mend what the files have out of range; where they cannot be read at all, it is reported as it was given.
    let network = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/workloads/toy_two_layers.ron")).unwrap();
    let mended =
        ["run", "--arch", "toy_2x2", "--workload", "broken.ron", "--no-files", "--set", "workload.activity=0.25"];
    for (broken, instead) in [("5.0", " (files: 5.0)"), ("\"much\"", "")] {
        fs::write(folder.path().join("broken.ron"), network.replace("activity: 0.5", &format!("activity: {broken}")))
            .unwrap();
        let setting = format!("  changed settings        workload.activity = 0.25{instead}\n");
        assert!(crossbayes(&folder, &mended).fine().contains(&setting), "{setting}");
    }
}

#[test]
fn a_window_makes_the_trace_longer_and_nothing_else() {
    let folder = tempdir().unwrap();
    let run = |out: &str, window: &[&str]| {
        toy(&folder, &[&["--set", "schedule.grain=op", "--format", "json", "--out", out], window].concat()).fine()
    };
    let (whole, seen) = (run("whole", &[]), run("seen", &["--window", "10..40"]));
    let rows = |out: &str| TraceReader::open(folder.path().join(out).join("trace.parquet")).unwrap().rows();
    assert!(rows("seen") > rows("whole"), "{} rows of {}", rows("seen"), rows("whole"));
    let [whole, seen] = [whole, seen].map(|text| {
        let mut figures = figures(&text);
        assert!(figures["config"]["schedule"].as_object_mut().unwrap().remove("window").is_some());
        figures
    });
    assert!(whole == seen);
}

#[test]
fn a_wrong_change_names_the_nearest_key() {
    let folder = tempdir().unwrap();
    let reported = |set: &str| toy(&folder, &["--set", set]).failed(2);
    assert_eq!(
        reported("arch.adc.bit=3"),
        "--set arch.adc.bit=3: error: unknown key \"bit\" of adc; expected one of bits, columns_per_adc, input, range, conversions, cost\n\
         help: did you mean \"bits\"?\n"
    );
    assert!(reported("arch.adc.bits=many").contains("bits: expected a whole number, found"));
    assert!(reported("schedule.mode").contains("expected key=value, such as schedule.mode=layer; found no `=`"));
    let message = toy(&folder, &["--mode", "layers"]).failed(2);
    assert!(message.contains("did you mean Layer?") || message.contains("did you mean \"layer\"?"), "{message}");
}

#[test]
fn what_does_not_fit_the_chip_is_reported_with_its_place() {
    let folder = tempdir().unwrap();
    let copies = "mapping.replication=[(\"conv1\", 5)]";
    let reported =
        format!("--set {copies}: error: 5 copies of layer \"conv1\"; expected 1..=4 (its output positions)\n");
    assert_eq!(toy(&folder, &["--set", copies]).failed(2), reported);
    let shown = ["show", "mapping", "--arch", "toy_2x2", "--workload", "toy_two_layers", "--set", copies];
    assert_eq!(crossbayes(&folder, &shown).failed(2), reported);
    assert_eq!(
        crossbayes(&folder, &["run", "--set", "schedule.images=400"]).failed(2),
        "--set schedule.images=400: error: 400 images are asked for; the workload has 360\n"
    );
    assert_eq!(contents(folder.path()), BTreeMap::new());
}

/// Both planes of a layer have blocks and arrays of their own. digits on arrays of 64 synapse columns: conv1 9 x 16, conv2
/// 144 x 32, fc1 512 x 64 and fc2 64 x 10; in arrays of 16 synapse columns the stochastic plane of fc1 has 4 column blocks.
#[test]
fn a_mapping_shows_both_planes() {
    let folder = tempdir().unwrap();
    let scheme = "mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"), eps: Above(0.05))";
    let shown = ["show", "mapping", "--set", scheme, "--set", "arch.stochastic.columns=32"];
    let text = crossbayes(&folder, &shown).fine();
    let columns: Vec<Vec<&str>> = text
        .lines()
        .take(5)
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    let place = |name| columns[0].iter().position(|cell| *cell == name).unwrap();
    let of = |name| columns[1..].iter().map(|row| row[place(name)]).collect::<Vec<_>>();
    assert_eq!(of("R x C"), ["1 x 1", "2 x 1", "4 x 1 + 4 x 4", "1 x 1 + 1 x 1"], "{text}");
    assert_eq!(of("arrays"), ["1", "2", "20", "2"], "{text}");
    assert_eq!(of("passes"), ["1", "1", "10", "10"], "{text}");
    let arrays = "25 arrays on 6 tiles: 8 deterministic of 128 x 128 cells, 17 stochastic of 128 x 32 cells; ";
    assert!(text.contains(arrays), "{text}");
}

#[test]
fn missing_files_are_bad_input_and_named() {
    let folder = tempdir().unwrap();
    let reported = |arguments: &[&str]| crossbayes(&folder, arguments).failed(2);
    assert_eq!(
        reported(&["run", "--arch", "pcm_129"]),
        "pcm_129: error: there is no such file, and none of that name is built in (ideal_periphery, pcm_128, \
         pcm_128_narrow, pcm_128_rowserial, pcm_256, toy_2x2)\n\
         help: did you mean pcm_128?\n"
    );
    let expected = "expected the folder of a run, or its trace.parquet";
    assert_eq!(reported(&["report", "run"]), format!("error: run: there is no such file or folder; {expected}\n"));
    assert_eq!(reported(&["plot", "all", "."]), format!("error: .: holds no run; {expected}\n"));
    assert!(reported(&["check", "chip.ron"]).starts_with("chip.ron: error: "));
    let network = fs::read_to_string(repository("workloads/digits.ron")).unwrap();
    fs::write(folder.path().join("network.ron"), network).unwrap();
    let message = reported(&["run", "--workload", "network.ron"]);
    let end = "digits/posterior.safetensors: cannot be read: No such file or directory (os error 2); expected a \
               posterior in a safetensors file\n";
    assert!(message.starts_with("error: ") && message.ends_with(end), "{message}");
    assert_eq!(contents(folder.path()).len(), 1);
}

fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

#[test]
fn the_files_that_a_network_names_are_checked_too() {
    let folder = tempdir().unwrap();
    let network = fs::read_to_string(repository("workloads/digits.ron")).unwrap();
    fs::write(folder.path().join("network.ron"), &network).unwrap();
    let line = |text: &str| network.lines().position(|line| line.contains(text)).unwrap() + 1;
    let (posterior, images, calibration) = (line("posterior: File"), line("images: ("), line("calibration: ("));
    let outside = line("out_of_distribution: (");
    let reported = || {
        let text = crossbayes(&folder, &["check", "network.ron"]).failed(2);
        text.lines().filter(|line| line.contains(": error: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let missing = "cannot be read: No such file or directory (os error 2); expected";
    assert_eq!(
        reported(),
        [
            format!(
                "network.ron:{posterior}:27: error: digits/posterior.safetensors: {missing} a posterior in a safetensors \
                 file"
            ),
            format!("network.ron:{images}:20: error: digits/test.safetensors: {missing} images in a safetensors file"),
            format!(
                "network.ron:{calibration}:25: error: digits/calibration.safetensors: {missing} images in a safetensors \
                 file"
            ),
            format!(
                "network.ron:{outside}:33: error: digits/out_of_distribution.safetensors: {missing} images in a \
                 safetensors file"
            ),
        ]
    );
    fs::create_dir(folder.path().join("digits")).unwrap();
    fs::copy(repository("workloads/digits/test.safetensors"), folder.path().join("digits/test.safetensors")).unwrap();
    for copy in ["posterior", "calibration", "out_of_distribution"] {
        let copy = folder.path().join(format!("digits/{copy}.safetensors"));
        fs::copy(folder.path().join("digits/test.safetensors"), copy).unwrap();
    }
    assert_eq!(
        reported(),
        [format!(
            "network.ron:{posterior}:27: error: digits/posterior.safetensors: there is no tensor \"conv1.input_scale\" \
             (input scale of layer conv1)"
        )]
    );
    // A saved configuration leads to its files, and to the chip that its network must fit.
    crossbayes(&folder, &["run", "--out", "run", "--set", "values.answer=First(1)"]).fine();
    crossbayes(&folder, &["check", "run/config.ron", &repository("workloads/digits.ron")]).fine();
    let saved = fs::read_to_string(folder.path().join("run/config.ron")).unwrap();
    for (from, to, expected) in [
        ("capacity: \"128 KiB\"", "capacity: \"8 B\"", "the input buffer of layer \"conv1\" holds 8 B"),
        ("digits/posterior.saf", "digits/no.saf", "workloads/digits/no.safetensors: is not built into the program"),
        ("images: 1,", "images: 361,", "361 images are asked for; the workload has 360"),
    ] {
        assert!(saved.contains(from), "{from}");
        fs::write(folder.path().join("saved.ron"), saved.replacen(from, to, 1)).unwrap();
        let message = crossbayes(&folder, &["check", "saved.ron"]).failed(2);
        let line = saved.lines().position(|line| line.contains(from)).unwrap() + 1;
        assert!(message.starts_with(&format!("saved.ron:{line}:")) && message.contains(expected), "{message}");
    }
}

#[test]
fn stored_samples_that_a_run_needs_are_checked() {
    let folder = tempdir().unwrap();
    let set = ["--set", "mapping.scheme=Dense", "--set", "ensemble.samples=stored", "--set", "values.answer=First(1)"];
    crossbayes(&folder, &[&["run", "--out", "run"], &set[..]].concat()).fine();
    crossbayes(&folder, &["check", "run/config.ron"]).fine();
    let saved = fs::read_to_string(folder.path().join("run/config.ron")).unwrap();
    let (line, from) = saved.lines().enumerate().find(|(_, line)| line.contains("samples: ")).unwrap();
    assert_eq!((saved.matches("members: 10,").count(), from.trim()), (1, "samples: Stored,"));
    let check = |text: &str| {
        fs::write(folder.path().join("saved.ron"), text).unwrap();
        crossbayes(&folder, &["check", "saved.ron"])
    };
    let more = saved.replace("members: 10,", "members: 11,");
    let message = check(&more).failed(2);
    let reported = "tensor \"conv1.w_samples_packed\" holds 10 weight samples; 11 members need as many";
    assert!(message.starts_with(&format!("saved.ron:{}:", line + 1)) && message.contains(reported), "{message}");
    // Where none is looked at, as many are not needed.
    check(&more.replace("answer: First(1)", "answer: Nothing")).fine();
    check(&more.replace("scheme: Dense", "scheme: Deterministic")).fine();
}

#[test]
fn runs_that_may_be_meant_are_named() {
    let folder = tempdir().unwrap();
    for out in ["runs/second", "runs/first", "alone"] {
        toy(&folder, &["--out", out]).fine();
    }
    let reported = |path: &str| crossbayes(&folder, &["report", path]).failed(2);
    let expected = "expected the folder of a run, or its trace.parquet";
    for (path, near) in [("runs/frist", "runs/first"), ("alon", "alone")] {
        let message =
            format!("error: {path}: there is no such file or folder; {expected}\nhelp: did you mean {near}?\n");
        assert_eq!(reported(path), message);
    }
    assert_eq!(
        reported("runs"),
        format!("error: runs: holds no run; {expected}\nhelp: it holds folders of runs: first, second\n")
    );
    assert_eq!(reported("no/run"), format!("error: no/run: there is no such file or folder; {expected}\n"));
    let other = reported("alone/report.json");
    assert!(other.starts_with("error: alone/report.json: not a Parquet file; expected a trace"), "{other}");
}

#[test]
fn good_files_are_fine_and_every_problem_of_bad_ones_is_told() {
    let folder = tempdir().unwrap();
    toy(&folder, &["--out", "run"]).fine();
    let good = ["arch/pcm_128.ron", "arch/parts/survey_22nm.ron", "workloads/vgg_binaryconnect.ron"].map(repository);
    let files: Vec<&str> = good.iter().map(String::as_str).chain(["run/config.ron"]).collect();
    let out = crossbayes(&folder, &[&["check"], files.as_slice()].concat()).fine();
    let kinds = ["chip", "cost table", "network", "expanded configuration"];
    let expected: String = files.iter().zip(kinds).map(|(file, kind)| format!("{file}: {kind}, fine\n")).collect();
    assert_eq!(out, expected);
    let listed = json(&crossbayes(&folder, &[&["check", "--format", "json"], files.as_slice()].concat()).fine());
    assert_eq!(listed[2]["kind"], "workload");

    let chip = fs::read_to_string(repository("arch/pcm_128.ron")).unwrap();
    let broken = chip.replace("\"0.2 V\"", "\"0.2 A\"").replace("bits_per_pulse", "bits_per_pulses");
    fs::write(folder.path().join("broken.ron"), &broken).unwrap();
    let line = |text: &str| broken.lines().position(|line| line.contains(text)).unwrap() + 1;
    let message = crossbayes(&folder, &["check", "broken.ron", files[0]]).failed(2);
    for line in [line("0.2 A"), line("bits_per_pulses")] {
        assert!(message.contains(&format!("broken.ron:{line}:")), "{message}");
    }
}

#[test]
fn everything_can_be_shown() {
    let folder = tempdir().unwrap();
    for what in ["arch", "workload", "config", "mapping", "dataflow", "costs"] {
        let show = |more: &[&str]| crossbayes(&folder, &[&["show", what], more].concat()).fine();
        assert!(show(&[]).lines().count() > 5, "{what}");
        assert!(json(&show(&["--format", "json"])).is_object(), "{what}");
        let other = ["--arch", "ideal_periphery", "--workload", "toy_two_layers"];
        assert_ne!(show(&[]), show(&other), "{what}");
    }
    assert!(crossbayes(&folder, &["show", "arches"]).failed(2).contains("a similar value exists: 'arch'"));
    // What is shown of a chip and a network can be given back.
    for (what, flag) in [("arch", "--arch"), ("workload", "--workload"), ("config", "--config")] {
        let set: &[&str] = if what == "workload" { &["--workload", "toy_two_layers"] } else { &[] };
        let shown = crossbayes(&folder, &[&["show", what], set].concat()).fine();
        fs::write(folder.path().join("shown.ron"), &shown).unwrap();
        assert_eq!(crossbayes(&folder, &["show", what, flag, "shown.ron"]).fine(), shown, "{what}");
    }
}

#[test]
fn the_dataflow_is_drawn_as_dot() {
    let folder = tempdir().unwrap();
    let text = crossbayes(&folder, &["show", "dataflow", "--dot"]).fine();
    let mut lines = text.trim_end().lines();
    assert_eq!((lines.next(), lines.next_back()), (Some("digraph dataflow {"), Some("}")));
    let (mut nodes, mut edges) = (BTreeSet::new(), 0);
    for line in lines.map(str::trim).filter(|line| line.contains('[') && !line.starts_with("node ")) {
        let (place, attributes) = line.split_once(" [").unwrap();
        assert!(attributes.ends_with(']') && attributes.matches('"').count() % 2 == 0, "{line}");
        match place.split_once(" -> ") {
            None => assert!(nodes.insert(place.to_owned()), "{line}"),
            Some((from, to)) => {
                assert!(nodes.contains(from) && nodes.contains(to), "{line}");
                edges += 1;
            }
        }
    }
    let listed = json(&crossbayes(&folder, &["show", "dataflow", "--format", "json"]).fine());
    let count = |key: &str| listed[key].as_array().unwrap().len();
    assert_eq!((nodes.len(), edges), (count("stages"), count("channels")));
    assert!(edges > 20);
}

#[test]
fn areas_of_a_cost_table_have_one_unit() {
    let folder = tempdir().unwrap();
    let set = ["--set", "arch.costs.cell.area=23200 nm2", "--set", "arch.costs.link.area=3 mm2"];
    let text = crossbayes(&folder, &[&["show", "costs"], &set[..]].concat()).fine();
    let line = |name: &str| text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    assert!(line("cell").contains(" 0.0232 um2 "), "{}", line("cell"));
    assert!(line("link").contains(" 3000000 um2 "), "{}", line("link"));
    assert!(!text.lines().any(|line| line.contains("nm2  ") || line.contains("mm2  ")), "{text}");
}

#[test]
fn a_new_file_is_fine_and_replaces_nothing() {
    let folder = tempdir().unwrap();
    let file = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let made = |kind: &str, of: &str| {
        let name = format!("mine-{kind}.ron");
        let done = crossbayes(&folder, &["new", kind, &format!("mine-{kind}")]);
        assert!(done.err.contains(&format!("crossbayes check {name}")), "{}", done.err);
        assert_eq!(done.fine(), format!("{name}\n"));
        let checked = json(&crossbayes(&folder, &["check", &name, "--format", "json"]).fine());
        assert_eq!((&checked[0]["file"], &checked[0]["kind"]), (&name.as_str().into(), &of.into()));
        // Every key of the schema is there, and what the reference says of it.
        let text = file(&name);
        let words = text.replace("//", "").split_whitespace().collect::<Vec<_>>().join(" ");
        let schema = json(&crossbayes(&folder, &["schema", of]).fine());
        for (key, schema) in schema["properties"].as_object().unwrap() {
            assert!(text.contains(&format!("\n    {key}: ")) || text.contains(&format!("\n    // {key}: ")), "{key}");
            let reported = schema["description"].as_str().unwrap();
            assert!(words.contains(&reported.split_whitespace().collect::<Vec<_>>().join(" ")), "{key}: {reported}");
        }
        assert!(text.lines().all(|line| line.starts_with(' ') || line.len() <= 120), "{text}");
        name
    };
    let sweep = made("sweep", "sweep");
    let checked = crossbayes(&folder, &["check", &sweep]).fine();
    assert_eq!(checked, format!("{sweep}: sweep, 36 points (4 dropped), fine\n"));
    for (kind, of, run) in [
        ("arch", "arch", &["--arch", "mine-arch.ron"][..]),
        ("workload", "workload", &["--workload", "mine-workload.ron"]),
        ("costs", "parts", &["--set", "arch.costs=mine-costs.ron"]),
    ] {
        let name = made(kind, of);
        let report = json(
            &crossbayes(
                &folder,
                &[&["run", "--no-files", "--format", "json", "--set", "values.answer=Nothing"], run].concat(),
            )
            .fine(),
        );
        let config = &report["config"];
        let names = [&config["arch"]["name"], &config["workload"]["name"], &config["arch"]["costs"]["name"]];
        assert!(names.iter().any(|found| **found == format!("mine-{kind}")), "{names:?}");
        // Nothing but name and description differs from what it started from.
        let default = json(
            &crossbayes(&folder, &["run", "--no-files", "--format", "json", "--set", "values.answer=Nothing"]).fine(),
        );
        assert_eq!(report["latency"], default["latency"]);
        fs::write(folder.path().join(&name), "mine").unwrap();
        assert_eq!(
            crossbayes(&folder, &["new", kind, &name]).failed(2),
            format!("error: {name}: is there already; it stays as it is\nhelp: choose another name\n")
        );
        assert_eq!(file(&name), "mine");
    }
    assert!(crossbayes(&folder, &["new", "chip", "x"]).failed(2).contains("invalid value 'chip'"));
    assert_eq!(contents(folder.path()).len(), 4);
}

#[test]
fn schemas_are_json() {
    let folder = tempdir().unwrap();
    for kind in ["arch", "parts", "workload", "run"] {
        let schema = json(&crossbayes(&folder, &["schema", kind]).fine());
        assert!(schema["$schema"].is_string() && schema["properties"].is_object(), "{kind}");
    }
    // A cost table has the name of its folder, and that of its key.
    let [parts, costs] = ["parts", "costs"].map(|kind| crossbayes(&folder, &["schema", kind]).fine());
    assert_eq!(parts, costs);
    crossbayes(&folder, &["schema", "chip"]).failed(2);
}

#[test]
fn pictures_are_drawn_again_the_same() {
    let folder = tempdir().unwrap();
    toy(&folder, &["--out", "run"]).fine();
    let plot = |more: &[&str]| crossbayes(&folder, &[&["plot"], more].concat());
    assert_eq!(plot(&["all", "run", "--out", "again"]).fine().lines().count(), 4);
    assert!(contents(&folder.path().join("again")) == contents(&folder.path().join("run/plots")));
    assert_eq!(plot(&["energy", "run/trace.parquet"]).fine().replace("./", ""), "energy.svg\n");
    let out = plot(&["energy", "run", "--png", "--out", "listed", "--format", "json"]).fine();
    assert_eq!(json(&out), serde_json::json!(["listed/energy.svg", "listed/energy.png"]));
    toy(&folder, &["--out", "with-png", "--png"]).fine();
    let file = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(file("with-png/plots/energy.png") == file("listed/energy.png"));
    assert_eq!(contents(&folder.path().join("with-png")).len(), LEFT.len() + 4);
}

#[test]
fn a_picture_replaces_no_other_file() {
    let folder = tempdir().unwrap();
    toy(&folder, &["--out", "run"]).fine();
    let plot = |more: &[&str]| crossbayes(&folder, &[&["plot", "all", "run"], more].concat());
    fs::write(folder.path().join("energy.svg"), "drawn by hand").unwrap();
    let before = contents(folder.path());
    assert_eq!(
        plot(&[]).failed(2),
        "error: ./energy.svg: is there with other contents; it stays as it is\n\
         help: --force replaces it, --out DIR draws elsewhere\n"
    );
    assert!(contents(folder.path()) == before, "no other picture is drawn either");
    plot(&["--force"]).fine();
    assert_ne!(fs::read(folder.path().join("energy.svg")).unwrap(), b"drawn by hand");
    // The same once more changes nothing.
    plot(&[]).fine();
}

#[test]
fn quiet_runs_say_nothing_and_colour_is_asked_for() {
    let folder = tempdir().unwrap();
    assert_eq!(toy(&folder, &["--out", "run", "-q"]).err, "");
    let reported = toy(&folder, &["--out", "run", "-v"]).err;
    assert!(reported.starts_with("read built-in:arch/toy_2x2.ron, "), "{reported}");
    let (plain, coloured) = (["report", "no", "--color", "never"], ["report", "no", "--color", "always"]);
    assert!(!crossbayes(&folder, &plain).failed(2).contains('\u{1b}'));
    assert!(crossbayes(&folder, &coloured).failed(2).contains('\u{1b}'));
}

/// A command whose readers have gone away before it writes.
fn unread(folder: &TempDir, arguments: &[&str], streams: (Stdio, Stdio)) -> Option<i32> {
    let mut child = command(folder, arguments).stdout(streams.0).stderr(streams.1).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    child.wait().unwrap().code()
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = tempdir().unwrap();
    let run = ["run", "--arch", "toy_2x2", "--workload", "toy_two_layers", "--out", "run"];
    for arguments in [&run[..], &["show", "costs"], &["--help"]] {
        assert_eq!(unread(&folder, arguments, (Stdio::piped(), Stdio::null())), Some(0), "{arguments:?}");
        assert_eq!(unread(&folder, arguments, (Stdio::null(), Stdio::piped())), Some(0), "{arguments:?}");
    }
    // A message that nobody reads leaves the exit code as it is.
    assert_eq!(unread(&folder, &["report", "no"], (Stdio::null(), Stdio::piped())), Some(2));
    assert_eq!(unread(&folder, &["check", "no.ron"], (Stdio::null(), Stdio::piped())), Some(2));
}

/// A tensor of a file as numbers of N bytes, with its shape.
fn tensor<const N: usize, T>(file: &[u8], name: &str, of: fn([u8; N]) -> T) -> (Vec<usize>, Vec<T>) {
    let file = safetensors::SafeTensors::deserialize(file).unwrap();
    let tensor = file.tensor(name).unwrap();
    let numbers = tensor.data().chunks_exact(N).map(|number| of(number.try_into().unwrap()));
    (tensor.shape().to_vec(), numbers.collect())
}

#[test]
fn the_values_of_a_run_can_be_compared_with_its_trainers() {
    let folder = tempdir().unwrap();
    let set = ["mapping.scheme=Dense", "ensemble.samples=stored", "arch.adc.bits=9", "values.answer=First(4)"];
    let run = |record: &str, out: &str| {
        let record = format!("values.record={record}");
        let set = set.iter().chain([&record.as_str()]).flat_map(|change| ["--set", change]).collect::<Vec<_>>();
        crossbayes(&folder, &[&["run", "--out", out], &set[..]].concat()).fine();
        fs::read(folder.path().join(out).join("values.safetensors"))
    };
    let values = run("Accumulators", "all").unwrap();
    let trainer = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/digits");
    let record = fs::read(trainer.join("trainer_record.safetensors")).unwrap();

    // The trainer has them by member, then image: 10 members, 360 images, 10 classes.
    let (shape, logits) = tensor(&values, "logits", f64::from_le_bytes);
    assert_eq!(shape, [4, 10, 10]);
    let (_, expected) = tensor(&record, "samples.logits", f64::from_le_bytes);
    for (i, logit) in logits.iter().enumerate() {
        let (image, member, class) = (i / 100, i / 10 % 10, i % 10);
        let expected = expected[(member * 360 + image) * 10 + class];
        assert!((logit - expected).abs() < 1e-12, "image {image}, member {member}, class {class}");
    }
    let (shape, probabilities) = tensor(&values, "probabilities", f64::from_le_bytes);
    assert_eq!(shape, [4, 10, 10]);
    for (logits, probabilities) in logits.chunks(10).zip(probabilities.chunks(10)) {
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        for (logit, probability) in logits.iter().zip(probabilities) {
            assert!((logit.exp() / sum - probability).abs() < 1e-12);
        }
    }
    let images = fs::read(trainer.join("test.safetensors")).unwrap();
    let (_, labels) = tensor(&images, "labels", u8::from_le_bytes);
    let expected: Vec<i64> = labels[..4].iter().map(|&label| label.into()).collect();
    assert_eq!(tensor(&values, "labels", i64::from_le_bytes), (vec![4], expected));
    for (layer, map) in [("conv1", [16, 8, 8]), ("conv2", [32, 8, 8]), ("fc1", [64, 1, 1]), ("fc2", [10, 1, 1])] {
        let (shape, found) = tensor(&values, &format!("accumulators.{layer}"), i32::from_le_bytes);
        assert_eq!(shape, [&[4, 10], &map[..]].concat());
        let (_, expected) = tensor(&record, &format!("samples.{layer}.acc"), i16::from_le_bytes);
        let size = map.iter().product::<usize>();
        for (i, pass) in found.chunks(size).enumerate() {
            let at = (i % 10 * 4 + i / 10) * size;
            let expected: Vec<i32> = expected[at..at + size].iter().map(|&sum| sum.into()).collect();
            assert_eq!(pass, expected, "{layer}, image {}, member {}", i / 10, i % 10);
        }
    }

    // Accumulators only where they are asked for, and nothing where nothing is.
    let answers = run("Answers", "answers").unwrap();
    assert_eq!(tensor(&answers, "logits", f64::from_le_bytes).1, logits);
    let file = safetensors::SafeTensors::deserialize(&answers).unwrap();
    assert_eq!(
        file.names().into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from(["labels", "logits", "probabilities"])
    );
    assert!(run("Nothing", "nothing").is_err());
    let huge = ["run", "--no-files", "--set", "values.record=Accumulators", "--set", "ensemble.members=1000"];
    assert_eq!(
        crossbayes(&folder, &huge).failed(2),
        "--set values.record=Accumulators: error: the accumulators of 360 images would take 4530240000 B; expected at \
         most 1073741824 B\nhelp: answer fewer images: values.answer=First(n)\n"
    );
}

#[test]
fn images_without_labels_are_answered_and_not_scored() {
    let folder = tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    fs::create_dir(folder.path().join("files")).unwrap();
    for file in ["posterior", "test", "calibration", "out_of_distribution"] {
        let file = format!("{file}.safetensors");
        fs::copy(shipped.join("digits").join(&file), folder.path().join("files").join(file)).unwrap();
    }
    let text = fs::read_to_string(shipped.join("digits.ron")).unwrap();
    assert!(text.contains(r#"labels: "labels""#));
    fs::write(
        folder.path().join("network.ron"),
        text.replace(r#"labels: "labels""#, "labels: None").replace("\"digits/", "\"files/"),
    )
    .unwrap();
    let run = |workload: &str| -> Value {
        let arguments =
            ["run", "--workload", workload, "--set", "values.answer=First(5)", "--no-files", "--format", "json"];
        serde_json::from_str(&crossbayes(&folder, &arguments).fine()).unwrap()
    };
    let (without, with) = (run("network.ron"), run("digits"));
    for key in ["predictions", "mean_probabilities", "entropy", "mutual_information"] {
        assert_eq!(without["outputs"][key], with["outputs"][key], "{key}");
    }
    for key in ["accuracy", "ece", "nll", "brier"] {
        assert!(without["outputs"][key].is_null() && with["outputs"][key].is_number(), "{key}");
    }
    assert_eq!(without["outputs"]["labels"], serde_json::json!([]));
    assert_eq!(crossbayes(&folder, &["check", "network.ron"]).fine(), "network.ron: network, fine\n");
}

#[test]
fn the_critical_path_of_a_stored_run_is_that_of_its_configuration() {
    let folder = tempdir().unwrap();
    toy(&folder, &["--out", "run", "--set", "schedule.mode=streaming"]).fine();
    let cycles = &json(&fs::read_to_string(folder.path().join("run/report.json")).unwrap())["latency"]["cycles"];
    let critical = |more: &[&str]| crossbayes(&folder, &[&["critical"], more].concat());
    let stored = critical(&["run", "--format", "json"]).fine();
    let target = ["--arch", "toy_2x2", "--workload", "toy_two_layers", "--set", "schedule.mode=streaming"];
    assert_eq!(stored, critical(&[&target[..], &["--format", "json"]].concat()).fine());
    assert_eq!(stored, critical(&["--config", "run/config.ron", "--format", "json"]).fine());
    let report = json(&stored);
    assert_eq!(&report["cycles"], cycles);
    let path = report["path"].as_array().unwrap();
    assert_eq!(path.iter().map(|share| share["cycles"].as_u64().unwrap()).sum::<u64>(), cycles.as_u64().unwrap());
    assert!(report["longest"].as_array().unwrap().len() <= 10 && report["what_if"] == serde_json::json!([]));

    // Two questions, each for itself; a picture in both forms, which is not replaced.
    let asked = ["run", "--what-if", "arch.array.read_time=-50%", "--what-if", "arch.adc.time=1 ms", "--out", "drawn"];
    let table = critical(&[&asked[..], &["--png"]].concat()).fine();
    let line = |start: &str| table.lines().find(|line| line.trim_start().starts_with(start)).unwrap().to_owned();
    assert!(line("arch.array.read_time=-50%").ends_with("exact"), "{table}");
    assert!(line("arch.adc.time=1 ms").ends_with("another path is longer"), "{table}");
    assert!(table.contains("arch.costs.adc[0].convert.time"), "{table}");
    let svg = fs::read_to_string(folder.path().join("drawn/critical.svg")).unwrap();
    assert!(svg.starts_with("<svg") && folder.path().join("drawn/critical.png").is_file());
    fs::write(folder.path().join("drawn/critical.svg"), "mine").unwrap();
    assert!(critical(&asked).failed(2).contains("is there with other contents"));
    critical(&[&asked[..], &["--force"]].concat()).fine();

    let reported = |more: &[&str]| critical(&[&["run"], more].concat()).failed(2);
    assert_eq!(
        reported(&["--what-if", "arch.array.raed_time=-10%"]),
        "error: --what-if: there is no key arch.array.raed_time\nhelp: did you mean arch.array.read_time?\n"
    );
    assert!(reported(&["--what-if", "arch.array.read_time=-100%"]).contains("read_time is 0 ps; expected 1 ps"));
    let refused = reported(&["--what-if", "schedule.mode=layer"]);
    assert!(refused.contains("says nothing about another value of schedule.mode"), "{refused}");
    assert!(reported(&["--arch", "pcm_128"]).contains("cannot be used with"));
    assert!(critical(&["nowhere"]).failed(2).contains("nowhere"));
}

#[test]
fn show_sparsity_draws_where_it_is_told_to() {
    let folder = tempdir().unwrap();
    let show = |more: &[&str]| crossbayes(&folder, &[&["show", "sparsity"], more].concat());
    let table = show(&[]).fine();
    assert!(contents(folder.path()).is_empty());
    let drawn = show(&["--out", "drawn", "--png"]);
    let names = ["first-layer", "histogram", "width"].map(|name| format!("drawn/sparsity-{name}"));
    let written: Vec<String> = names.iter().flat_map(|name| [format!("{name}.svg"), format!("{name}.png")]).collect();
    assert_eq!(drawn.err, format!("wrote {}\n", written.join(", ")));
    assert_eq!(drawn.fine(), table);
    assert!(written.iter().all(|name| folder.path().join(name).is_file()));
    // The same again is fine; another picture is not replaced.
    show(&["--out", "drawn", "-q"]).fine();
    assert!(show(&["--out", "drawn", "--eps", "0.2"]).failed(2).contains("is there with other contents"));
    show(&["--out", "drawn", "--eps", "0.2", "--force"]).fine();
    assert!(show(&["--png"]).failed(2).contains("--out <DIR>"));
}
