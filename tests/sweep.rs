//! Does a sweep give the rows that single runs give, whatever goes wrong on the way?

mod program;
mod shards;

use crossbayes::config::load_sweep;
use crossbayes::report::quantity::si;
use crossbayes::sweep::{self, Cell, Folder, Shard, Table, figures, merge};
use program::{fine, refused};
use shards::shards;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use tempfile::{TempDir, tempdir};

/// 30 points of a small network, 4 of them dropped, of which those of 11 bits have no converter in one of two cost tables.
const TOY: &str = r#"(
    name: "toy",
    arch: "toy_2x2",
    workload: "toy_two_layers",
    axes: [
        (key: "arch.costs", values: ["survey_22nm", "mine"]),
        (key: "arch.adc.bits", values: [6, 8, 11]),
        (key: "schedule.images", range: (from: 1, to: 5)),
    ],
    conditions: [(drop: "arch.adc.bits == 6 and schedule.images > 3", reason: "enough seen")],
)"#;

/// A cost table that has a converter of 11 bits.
const MINE: &str = r#"(name: "mine", base: "survey_22nm", adc: [
    (bits: 6, convert: (time: "1 ns", energy: "1 pJ", area: "1 um2", leakage: "0 fW", source: "test", accuracy: "test")),
    (bits: 8, convert: (time: "2 ns", energy: "2 pJ", area: "2 um2", leakage: "0 fW", source: "test", accuracy: "test")),
    (bits: 11, convert: (time: "3 ns", energy: "3 pJ", area: "3 um2", leakage: "0 fW", source: "test", accuracy: "test")),
])"#;

fn toy() -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("toy.ron"), TOY).unwrap();
    fs::write(folder.path().join("mine.ron"), MINE).unwrap();
    folder
}

/// All rows of a sweep in the order of their points.
fn rows(path: &Path) -> Table {
    let folder = Folder::open(path).unwrap_or_else(|refused| panic!("{refused:?}"));
    let folders = [folder];
    let mut all = Table::new(merge::columns(&folders).unwrap().to_vec());
    let take = &mut |_: &Folder, rows: &Table| {
        (0..rows.rows())
            .for_each(|row| all.push((0..rows.columns.len()).map(|column| rows.cell(row, column)).collect()));
        Ok(())
    };
    merge::merge(&folders, take).unwrap();
    all
}

fn cell(rows: &Table, row: usize, name: &str) -> Cell {
    rows.cell(row, rows.heads.iter().position(|head| head.name == name).unwrap_or_else(|| panic!("{name}")))
}

#[test]
fn rows_are_those_of_single_runs() {
    let folder = toy();
    let said = fine(&folder, &["sweep", "run", "toy.ron", "--out", "s"]);
    assert_eq!(said, "26 points: 26 computed, 0 there before; 5 could not be run, see the column `problem`\n");
    let all = rows(&folder.path().join("s"));
    assert_eq!(all.rows(), 26);
    let mut refusals = 0;
    for row in 0..all.rows() {
        let text = |name: &str| match cell(&all, row, name) {
            Cell::Text(text) => Some(text),
            _ => None,
        };
        let number = |name: &str| match cell(&all, row, name) {
            Cell::Integer(number) => Some(number),
            _ => None,
        };
        let (costs, bits, images) =
            (text("arch.costs").unwrap(), number("arch.adc.bits").unwrap(), number("schedule.images").unwrap());
        if costs == "survey_22nm" && bits == 11 {
            refusals += 1;
            let problem = text("problem").unwrap();
            assert!(problem.starts_with("cost table \"survey_22nm\" has no converter of 11 bits"), "{problem}");
            assert_eq!((number("latency_cycles"), cell(&all, row, "energy_j")), (None, Cell::Absent));
            continue;
        }
        assert_eq!(text("problem"), None);
        let sets = [
            format!("arch.costs={}", if costs == "mine" { "mine.ron" } else { &costs }),
            format!("arch.adc.bits={bits}"),
            format!("schedule.images={images}"),
        ];
        let out = format!("run{row}");
        let mut arguments =
            vec!["run", "--arch", "toy_2x2", "--workload", "toy_two_layers", "--format", "json", "--out", &out];
        arguments.extend(sets.iter().flat_map(|set| ["--set", set.as_str()]));
        // Ten of the runs are enough.
        if row % 2 == 0 {
            let report: serde_json::Value = serde_json::from_str(&fine(&folder, &arguments)).unwrap();
            assert_eq!(number("run_cycles").unwrap(), report["latency"]["cycles"].as_i64().unwrap());
            assert_eq!(cell(&all, row, "energy_j"), Cell::Real(report["energy"]["per_image_j"].as_f64().unwrap()));
            assert_eq!(cell(&all, row, "area_mm2"), Cell::Real(report["area"]["total_mm2"].as_f64().unwrap()));
            let of_adc = report["energy"]["per_component"]["adc"].as_f64().unwrap();
            assert_eq!(cell(&all, row, "energy.adc_j"), Cell::Real(of_adc));
        }
    }
    assert_eq!(refusals, 5);
}

#[test]
fn the_data_set_depends_on_nothing_but_the_plan() {
    let folder = toy();
    fine(&folder, &["sweep", "run", "toy.ron", "--out", "one", "--threads", "1"]);
    fine(&folder, &["sweep", "run", "toy.ron", "--out", "three", "--threads", "3"]);
    fine(&folder, &["sweep", "plan", "toy.ron", "--out", "shards"]);
    for shard in (0..30).rev() {
        fine(&folder, &["sweep", "shard", "shards", "--index", &shard.to_string()]);
    }
    let [one, three, by_shard] = ["one", "three", "shards"].map(|name| shards(&folder.path().join(name)));
    assert_eq!(one.len(), 30);
    assert!(one == three && one == by_shard);
    // Again: nothing is computed, and nothing is left of the locks.
    let said = fine(&folder, &["sweep", "run", "one", "--resume"]);
    assert_eq!(said, "26 points: 0 computed, 26 there before; 5 could not be run, see the column `problem`\n");
    assert_eq!(fs::read_dir(folder.path().join("one/locks")).unwrap().count(), 0);
    assert_eq!(shards(&folder.path().join("one")), one);
    // Larger shards hold the same rows.
    fine(&folder, &["sweep", "run", "toy.ron", "--out", "large", "--points-per-shard", "7"]);
    assert_eq!(shards(&folder.path().join("large")).len(), 5);
    for name in ["one", "large"] {
        fine(&folder, &["sweep", "merge", name, "--csv", &format!("{name}.csv")]);
    }
    let [one, large] = ["one.csv", "large.csv"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
    assert_eq!(one.lines().count(), 27);
    assert_eq!(one, large);
}

/// Runs of four points share their values: those that others compute at the moment come later.
#[test]
fn points_that_share_values_do_not_depend_on_threads() {
    let folder = toy();
    let sweep = r#"(
        name: "shared", workload: "digits", set: ["values.answer=First(8)", "schedule.grain=Op"],
        axes: [
            (key: "arch.adc.bits", values: [5, 6, 7]),
            (key: "arch.adc.columns_per_adc", powers_of_two: (from: 8, to: 64)),
        ],
    )"#;
    fs::write(folder.path().join("shared.ron"), sweep).unwrap();
    let [one, four] = ["1", "4"].map(|threads| {
        let said = fine(&folder, &["sweep", "run", "shared.ron", "--out", threads, "--threads", threads]);
        assert_eq!(said, "12 points: 12 computed, 0 there before\n");
        shards(&folder.path().join(threads))
    });
    assert_eq!(one, four);
}

#[test]
fn a_pilot_sizes_shards_by_time() {
    let folder = toy();
    let planned =
        |time: &str, out: &str| fine(&folder, &["sweep", "plan", "toy.ron", "--out", out, "--time-per-shard", time]);
    assert_eq!(planned("1 year", "long"), "toy: 26 points in 1 shards of 30\n");
    assert_eq!(planned("0s", "short"), "toy: 26 points in 30 shards of 1\n");
    // A plan that is there is kept, as another pilot would come to another number.
    assert_eq!(planned("1 year", "short"), "toy: 26 points in 30 shards of 1\n");
}

#[test]
fn damaged_shards_are_found_and_computed_again() {
    let folder = toy();
    let path = folder.path().join("s");
    fine(&folder, &["sweep", "run", "toy.ron", "--out", "s", "--points-per-shard", "5"]);
    let whole = shards(&path);
    let opened = Folder::open(&path).unwrap_or_else(|refused| panic!("{refused:?}"));
    let file = opened.shard_path(2);
    let bytes = fs::read(&file).unwrap();
    // Any changed byte, and any missing end.
    for at in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&file, changed).unwrap();
        assert_eq!(opened.shard(2).unwrap(), Shard::Damaged, "byte {at}");
        fs::write(&file, &bytes[..at]).unwrap();
        assert_eq!(opened.shard(2).unwrap(), Shard::Damaged, "length {at}");
    }
    // The shard of another number, and that of another sweep.
    fs::write(&file, &whole[1].1).unwrap();
    assert_eq!(opened.shard(2).unwrap(), Shard::Damaged);
    fine(
        &folder,
        &["sweep", "run", "toy.ron", "--out", "other", "--points-per-shard", "5", "--set", "schedule.mode=layer"],
    );
    fs::write(&file, &shards(&folder.path().join("other"))[2].1).unwrap();
    assert_eq!(opened.shard(2).unwrap(), Shard::Damaged);
    fs::remove_file(opened.shard_path(4)).unwrap();
    assert_eq!(fine(&folder, &["sweep", "missing", "s"]), "2,4\n");
    assert_eq!(fine(&folder, &["sweep", "missing", "s", "--lines"]), "2\n4\n");
    let status = fine(&folder, &["sweep", "status", "s"]);
    assert!(status.ends_with("6 shards: 4 done, 0 at work, 1 missing, 1 damaged\n"), "{status}");
    let told = refused(&folder, &["sweep", "merge", "s", "--out", "all.parquet"]);
    assert!(told.contains("2 of its 6 shards are missing or damaged: 2,4"), "{told}");
    assert!(!folder.path().join("all.parquet").exists());
    fine(&folder, &["sweep", "run", "s"]);
    assert_eq!(shards(&path), whole);
    assert_eq!(fine(&folder, &["sweep", "missing", "s"]), "");
}

#[test]
fn a_shard_is_computed_by_one_at_a_time() {
    let folder = toy();
    fine(&folder, &["sweep", "plan", "toy.ron", "--out", "s", "--points-per-shard", "5"]);
    let opened = Folder::open(&folder.path().join("s")).unwrap_or_else(|refused| panic!("{refused:?}"));
    let claim = opened.claim(3).unwrap().unwrap();
    assert!(opened.claim(3).unwrap().is_none() && opened.is_claimed(3) && !opened.is_claimed(2));
    let status = fine(&folder, &["sweep", "status", "s", "--format", "json"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!((&status["shards"]["at_work"], &status["shards"]["missing"]), (&1.into(), &5.into()));
    // Another one does the rest, waits, and takes the shard over when its owner ends without it.
    std::thread::scope(|scope| {
        let other = scope.spawn(|| fine(&folder, &["sweep", "run", "s"]));
        while (0..6).filter(|&shard| matches!(opened.shard(shard).unwrap(), Shard::Done { .. })).count() < 5 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(!other.is_finished());
        drop(claim);
        assert!(other.join().unwrap().starts_with("26 points: 26 computed"));
    });
    // A process that is told to stop does nothing more.
    fs::remove_file(opened.shard_path(0)).unwrap();
    let ran = sweep::run(&opened, 0..6, 2, &AtomicBool::new(true), &|_| ()).unwrap();
    assert!(ran.stopped && ran.computed == 0);
}

#[test]
fn sweeps_merge() {
    let folder = toy();
    fine(&folder, &["sweep", "run", "toy.ron", "--out", "whole", "--points-per-shard", "5"]);
    // Each of two folders has shards that the other lacks.
    for (name, of) in [("a", [0, 1, 2]), ("b", [3, 4, 5])] {
        fine(&folder, &["sweep", "plan", "toy.ron", "--out", name, "--points-per-shard", "5"]);
        for shard in of {
            fine(&folder, &["sweep", "shard", name, "--index", &shard.to_string()]);
        }
    }
    assert_eq!(fine(&folder, &["sweep", "merge", "a", "b", "--out", "ab.parquet"]), "26 rows\n");
    assert_eq!(fine(&folder, &["sweep", "merge", "whole", "--out", "whole.parquet"]), "26 rows\n");
    let [both, whole] = ["ab.parquet", "whole.parquet"].map(|name| fs::read(folder.path().join(name)).unwrap());
    assert!(both == whole);
    // Another sweep with the same axes adds the rows that are not there.
    fs::write(folder.path().join("more.ron"), TOY.replace("[6, 8, 11]", "[8, 10]").replace("\"toy\"", "\"more\""))
        .unwrap();
    fine(&folder, &["sweep", "run", "more.ron", "--out", "more"]);
    let said = fine(&folder, &["sweep", "merge", "whole", "more", "--csv", "all.csv"]);
    assert_eq!(said, "36 rows; 10 that sweeps have alike are there once\n");
    fs::write(folder.path().join("few.ron"), TOY.replace("conditions", "record: [\"energy_j\"], conditions")).unwrap();
    fine(&folder, &["sweep", "run", "few.ron", "--out", "few"]);
    let told = refused(&folder, &["sweep", "merge", "whole", "few", "--csv", "no.csv"]);
    assert!(told.contains("few: its columns are not those of whole: latency_cycles, "), "{told}");
    assert!(!folder.path().join("no.csv").exists());
}

#[test]
fn values_of_points_are_those_of_a_run() {
    let folder = tempdir().unwrap();
    let text = r#"(name: "v", workload: "digits", set: ["values.answer=First(12)"], record: ["accuracy", "nll", "answered_images"],
        axes: [(key: "ensemble.members", values: [1, 2]), (key: "schedule.mode", values: [Layer, Sequential])], seeds: [3, 4])"#;
    fs::write(folder.path().join("v.ron"), text).unwrap();
    fine(&folder, &["sweep", "run", "v.ron", "--out", "s", "--threads", "2"]);
    let all = rows(&folder.path().join("s"));
    assert_eq!(all.rows(), 8);
    let names: Vec<&str> = all.heads.iter().map(|head| head.name.as_str()).collect();
    assert_eq!(
        names,
        ["point", "ensemble.members", "schedule.mode", "seed", "answered_images", "accuracy", "nll", "problem", "key"]
    );
    let nll = all.numbers("nll").unwrap();
    // Values do not depend on the schedule, and do on members and seed.
    for members in 0..2 {
        for seed in 0..2 {
            assert_eq!(nll[members * 4 + seed], nll[members * 4 + 2 + seed]);
        }
        assert_ne!(nll[members * 4], nll[members * 4 + 1]);
    }
    assert_ne!(nll[0], nll[4]);
    let set = ["values.answer=First(12)", "ensemble.members=2", "seed=4"];
    let mut arguments = vec!["run", "--format", "json", "--out", "run"];
    arguments.extend(set.iter().flat_map(|set| ["--set", set]));
    let report: serde_json::Value = serde_json::from_str(&fine(&folder, &arguments)).unwrap();
    assert_eq!(nll[5], report["outputs"]["nll"].as_f64());
}

#[test]
fn bad_sweeps_are_told_with_their_place() {
    let folder = toy();
    let text = |name: &str, from: &str, to: &str| {
        assert!(TOY.contains(from));
        fs::write(folder.path().join(name), TOY.replace(from, to)).unwrap();
    };
    text("unknown.ron", "arch.adc.bits", "arch.adc.bist");
    text("typo.ron", "axes", "axis");
    text("value.ron", "[6, 8, 11]", "[6, 8, 17]");
    text("all.ron", "workload: \"toy_two_layers\"", "workload: \"toy_two_layers\", set: [\"schedule.imgs=2\"]");
    text("none.ron", "arch.adc.bits == 6 and schedule.images > 3", "schedule.images > 0");
    text("empty.ron", "(from: 1, to: 5)", "(from: 5, to: 1)");
    text("twice.ron", "\"schedule.images\"", "\"arch.costs\"");
    text("quote.ron", "name: \"toy\",", "name: \"toy,");
    for (file, expected) in [
        (
            "unknown.ron",
            "unknown.ron:7:15: error: arch.adc.bist: every point of it is refused: unknown key \"bist\" of adc",
        ),
        ("typo.ron", "typo.ron:5:5: error: unknown key \"axis\" of sweep"),
        (
            "value.ron",
            "value.ron:7:47: error: arch.adc.bits=17: every point of it is refused: bits is 17; expected 1..=16",
        ),
        ("all.ron", "error: every point is refused: unknown key \"imgs\" of schedule"),
        ("none.ron", "none.ron:10:17: error: the conditions drop all 30 points (enough seen: 30)"),
        ("empty.ron", "empty.ron:8:41: error: schedule.images: the range is empty: from is 5 and to is 1"),
        ("twice.ron", "twice.ron:8:15: error: there are two axes of arch.costs"),
        ("quote.ron", "quote.ron:"),
        (
            "missing.ron",
            "missing.ron: error: there is no such file, and none of that name is built in (digits_adc, digits_search, vgg_timing)",
        ),
    ] {
        for arguments in [
            &["sweep", "run", file, "--out", "s"][..],
            &["show", "sweep", file],
            &["sweep", "plan", file, "--out", "s"],
        ] {
            let told = refused(&folder, arguments);
            assert!(told.contains(expected), "{arguments:?}: {told}");
        }
        assert!(!folder.path().join("s").exists(), "{file}");
    }
    let told = refused(&folder, &["check", "unknown.ron"]);
    assert!(told.contains("unknown.ron:7:15: error: arch.adc.bist"), "{told}");
    assert!(told.contains("did you mean \"bits\"?"), "{told}");
    assert_eq!(fine(&folder, &["check", "toy.ron"]), "toy.ron: sweep, 26 points (4 dropped), fine\n");
}

#[test]
fn folders_of_something_else_are_refused() {
    let folder = toy();
    let run = ["sweep", "run", "toy.ron", "--out", "s"];
    fine(&folder, &run);
    let whole = shards(&folder.path().join("s"));
    let plan = folder.path().join("s/plan.json");
    let text = fs::read_to_string(&plan).unwrap();

    fs::write(folder.path().join("changed.ron"), TOY.replace("[6, 8, 11]", "[6, 8, 10]")).unwrap();
    let told = refused(&folder, &["sweep", "run", "changed.ron", "--out", "s"]);
    assert!(told.contains("s: holds another state of this sweep, of the files that it names or of --set"), "{told}");
    let told = refused(&folder, &["sweep", "run", "digits_adc", "--out", "s"]);
    assert!(told.contains("s: holds the sweep toy; expected a new folder"), "{told}");
    let told = refused(&folder, &["sweep", "run", "toy.ron", "--out", "s", "--seed", "9"]);
    assert!(told.contains("s: holds another state of this sweep"), "{told}");
    let told = refused(&folder, &["sweep", "run", "toy.ron", "--out", "s", "--points-per-shard", "9"]);
    assert!(told.contains("s: was planned with 1 points a shard"), "{told}");
    let told = refused(&folder, &["sweep", "run", "toy.ron"]);
    assert!(told.contains("toy.ron: expected --out DIR"), "{told}");
    let told = refused(&folder, &["sweep", "shard", "s", "--index", "30"]);
    assert!(told.contains("--index 30: the plan has 30 shards, 0 to 29"), "{told}");
    let told = refused(&folder, &["sweep", "run", "toy.ron", "--out", "big", "--points-per-shard", "1000000000000"]);
    assert!(told.contains("shards of 1000000000000 points take about"), "{told}");
    assert!(!folder.path().join("big").exists());

    let told = refused(&folder, &["sweep", "plan", "toy.ron", "--out", "t", "--time-per-shard", "5"]);
    assert!(told.contains("the number has no unit"), "{told}");

    // A comment or a description changes no row.
    let described = TOY.replace("name: \"toy\",", "name: \"toy\", description: \"small\", // as it was");
    fs::write(folder.path().join("described.ron"), described).unwrap();
    fine(&folder, &["sweep", "run", "described.ron", "--out", "s"]);

    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    fs::write(&plan, text.replace(&version, "\"version\": \"0.0.9\"")).unwrap();
    for arguments in [&run[..], &["sweep", "shard", "s", "--index", "0"], &["sweep", "status", "s"]] {
        let told = refused(&folder, arguments);
        assert!(told.contains("s: was begun by crossbayes 0.0.9, and this is"), "{told}");
    }
    fs::write(&plan, "my notes").unwrap();
    assert!(refused(&folder, &run).contains("is no plan"));
    fs::write(&plan, &text).unwrap();

    // A file that points read has changed: the plan is of its old contents.
    let mine = folder.path().join("mine.ron");
    fs::write(&mine, MINE.replace("3 pJ", "4 pJ")).unwrap();
    let told = refused(&folder, &["sweep", "run", "s"]);
    assert!(told.contains("mine.ron: has changed since the sweep was planned"), "{told}");
    assert!(refused(&folder, &run).contains("s: holds another state of this sweep"));
    fs::write(&mine, MINE).unwrap();
    assert_eq!(shards(&folder.path().join("s")), whole);

    fs::create_dir(folder.path().join("thesis")).unwrap();
    fs::write(folder.path().join("thesis/text"), "mine").unwrap();
    let told = refused(&folder, &["sweep", "plan", "toy.ron", "--out", "thesis"]);
    assert!(told.contains("thesis: holds other files, and no sweep"), "{told}");
    let told = refused(&folder, &["sweep", "status", "thesis"]);
    assert!(told.contains("thesis: is no folder of a sweep"), "{told}");
    let told = refused(&folder, &["show", "arch", "toy.ron"]);
    assert!(told.contains("toy.ron: only a sweep is named by a file alone"), "{told}");
}

/// No file may grow beyond a bound, as on a full disk.
#[test]
#[cfg(unix)]
fn nothing_is_said_to_be_there_that_is_not() {
    let folder = toy();
    fine(&folder, &["sweep", "run", "toy.ron", "--out", "whole", "--points-per-shard", "5"]);
    let whole = shards(&folder.path().join("whole"));
    let smallest = whole.iter().map(|(_, bytes)| bytes.len()).min().unwrap();
    fine(&folder, &["sweep", "plan", "toy.ron", "--out", "s", "--points-per-shard", "5"]);
    // In units of 512 bytes; ignoring the signal makes the write fail.
    let command = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" sweep run s --threads 1", smallest / 512);
    let output = Command::new("sh")
        .args(["-c", &command, env!("CARGO_BIN_EXE_crossbayes")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(".parquet: File too large"), "{told}");
    assert_eq!(shards(&folder.path().join("s")), []);
    fine(&folder, &["sweep", "run", "s"]);
    assert_eq!(shards(&folder.path().join("s")), whole);
}

#[test]
fn figures_and_points_are_shown() {
    let folder = toy();
    let listed = fine(&folder, &["sweep", "figures"]);
    assert_eq!(listed.lines().count(), figures::heads().count());
    assert!(listed.contains("energy_j") && listed.contains("accuracy"));
    let shown = fine(&folder, &["show", "sweep", "toy.ron"]);
    assert!(shown.contains("26 points in 30 shards of 1\n4 dropped: enough seen\n"), "{shown}");
    assert!(shown.contains("ms each"), "{shown}");
    let json: serde_json::Value =
        serde_json::from_str(&fine(&folder, &["show", "sweep", "toy.ron", "--format", "json"])).unwrap();
    assert_eq!((&json["points"], &json["dropped"][0]["points"]), (&26.into(), &4.into()));
    assert_eq!(json["first"][0]["set"][1], "arch.adc.bits=6");
    assert!(json["estimate"]["point_s"].as_f64().unwrap() > 0.0);
}

/// The key of a point is of its configuration, however it came to it.
#[test]
fn equal_configurations_have_equal_keys() {
    let folder = toy();
    fs::write(
        folder.path().join("other.ron"),
        r#"(name: "other", arch: "toy_2x2", workload: "toy_two_layers", set: ["arch.adc.bits=8"],
            axes: [(key: "schedule.images", values: [2]), (key: "arch.costs", values: ["survey_22nm"])])"#,
    )
    .unwrap();
    fine(&folder, &["sweep", "run", "other.ron", "--out", "other"]);
    fine(&folder, &["sweep", "run", "toy.ron", "--out", "s"]);
    let (all, other) = (rows(&folder.path().join("s")), rows(&folder.path().join("other")));
    let key = cell(&other, 0, "key");
    let same: Vec<usize> = (0..all.rows()).filter(|&row| cell(&all, row, "key") == key).collect();
    assert_eq!(same.len(), 1);
    assert_eq!(cell(&all, same[0], "schedule.images"), Cell::Integer(2));
    assert_eq!(cell(&all, same[0], "energy_j"), cell(&other, 0, "energy_j"));
    // The built-in sweeps are what their files say.
    let opened = load_sweep("vgg_timing").unwrap();
    let space = sweep::Space::new(&opened.sweep, &opened.base, &[]).unwrap();
    assert_eq!(space.count().points, 10_000);
}

/// 18 points of the digits with 20 images, of whose axes two vary together.
const SMALL: &str = r#"(
    name: "small",
    workload: "digits",
    set: ["values.answer=First(20)"],
    axes: [
        (key: "arch.costs", values: ["neurosim_22nm", "survey_22nm"]),
        (key: "arch.adc.columns_per_adc", values: [4, 8, 16]),
        (key: "arch.adc.bits", values: [4, 5, 6], zip: "together"),
        (key: "schedule.images", values: [1, 2, 3], zip: "together"),
    ],
    record: ["energy_j", "latency_cycles", "accuracy", "area_mm2", "entropy", "bottleneck"],
)"#;

#[test]
fn the_front_of_a_sweep_is_what_no_point_dominates() {
    let folder = toy();
    fs::write(folder.path().join("small.ron"), SMALL).unwrap();
    fine(&folder, &["sweep", "run", "small.ron", "--out", "s"]);
    let all = rows(&folder.path().join("s"));
    let figure = |name: &str| all.numbers(name).unwrap().into_iter().map(Option::unwrap).collect::<Vec<f64>>();
    let [energy, latency, accuracy, area] = ["energy_j", "latency_cycles", "accuracy", "area_mm2"].map(figure);
    let middle = {
        let mut sorted = area.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() * 2 / 3]
    };
    // By the definition.
    let costs: Vec<[f64; 3]> = (0..all.rows()).map(|row| [energy[row], latency[row], -accuracy[row]]).collect();
    let within: Vec<usize> = (0..all.rows()).filter(|&row| accuracy[row] >= 0.9 && area[row] <= middle).collect();
    let dominates = |a: &usize, b: usize| {
        let pairs = || costs[*a].iter().zip(&costs[b]);
        pairs().all(|(a, b)| a <= b) && pairs().any(|(a, b)| a < b)
    };
    let expected: Vec<usize> =
        within.iter().copied().filter(|&row| !within.iter().any(|other| dominates(other, row))).collect();
    assert!(!expected.is_empty() && expected.len() < within.len() && within.len() < all.rows());

    let bound = format!("area<={middle}");
    let asked = ["sweep", "pareto", "s", "--objectives", "energy,latency,accuracy", "--subject-to", "accuracy >= 0.9"];
    let asked = [&asked[..], &["--subject-to", &bound]].concat();
    let with = |more: &[&str]| fine(&folder, &[&asked[..], more].concat());
    let json: serde_json::Value = serde_json::from_str(&with(&["--format", "json", "--csv", "front.csv"])).unwrap();
    let front = json["front"].as_array().unwrap();
    let points: Vec<usize> = front.iter().map(|point| point["point"].as_u64().unwrap() as usize).collect();
    let mut sorted = points.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert!(points.windows(2).all(|pair| energy[pair[0]] <= energy[pair[1]]));
    let count = |name: &str| json["points"][name].as_u64().unwrap() as usize;
    assert_eq!((count("all"), count("without_figures"), count("front")), (18, 0, expected.len()));
    assert_eq!(count("outside_bounds"), 18 - within.len());
    assert_eq!(json["objectives"][2]["direction"], "max");
    let first = &front[0];
    assert_eq!(first["figures"]["energy_j"].as_f64().unwrap(), energy[points[0]]);
    let Cell::Integer(bits) = cell(&all, points[0], "arch.adc.bits") else { panic!("bits") };
    assert_eq!((&first["axes"]["arch.adc.bits"], &first["folder"]), (&bits.into(), &"s".into()));

    // Nine groups of two points differ in the cost table alone; the zipped axes are one.
    let moved = json["sensitivity"].as_array().unwrap();
    let of = |axis: &str| moved.iter().find(|moved| moved["axes"][0] == axis).unwrap();
    let spread: f64 =
        (0..9).map(|row| (energy[row] - energy[row + 9]).abs() / ((energy[row] + energy[row + 9]) / 2.0)).sum();
    assert!((of("arch.costs")["spread"]["energy_j"].as_f64().unwrap() - spread / 9.0).abs() < 1e-12);
    assert_eq!(of("arch.costs")["groups"]["energy_j"], 9);
    assert_eq!((moved.len(), &of("arch.adc.bits")["axes"][1]), (3, &"schedule.images".into()));

    let csv = fs::read_to_string(folder.path().join("front.csv")).unwrap();
    assert_eq!(csv.lines().count(), expected.len() + 1);
    assert!(csv.starts_with("folder,point,arch.costs,") && csv.lines().next().unwrap().ends_with(",key"), "{csv}");
    let pictures = ["--picture", "front.svg", "--tornado", "tornado.svg", "--parallel", "parallel.svg"];
    let text = with(&[&pictures[..], &["--heat", "heat.svg", "--png"]].concat());
    assert!(
        text.starts_with(&format!("small: 18 points, 0 without the figures, {} outside", 18 - within.len())),
        "{text}"
    );
    assert!(text.contains("energy_j (min)  latency_cycles (min)  accuracy (max)"), "{text}");
    for name in ["front", "tornado", "parallel", "heat"] {
        assert!(fs::read_to_string(folder.path().join(name).with_extension("svg")).unwrap().starts_with("<svg"));
        assert!(fs::read(folder.path().join(name).with_extension("png")).unwrap().starts_with(b"\x89PNG"));
    }

    // Cells of the heat map have the least energy within the bounds of their two values.
    with(&["--heat", "heat.svg", "--over", "arch.costs,arch.adc.bits"]);
    let heat = fs::read_to_string(folder.path().join("heat.svg")).unwrap().replace('\n', "");
    let of = |costs: &str, bits: i64| {
        let has = |row: &&usize| cell(&all, **row, "arch.costs") == Cell::Text(costs.to_owned());
        let of_bits = |row: &&usize| cell(&all, **row, "arch.adc.bits") == Cell::Integer(bits);
        within.iter().filter(has).filter(of_bits).map(|row| energy[*row]).reduce(f64::min)
    };
    let pairs = ["neurosim_22nm", "survey_22nm"].into_iter().flat_map(|costs| [4, 5, 6].map(|bits| of(costs, bits)));
    let least: Vec<Option<f64>> = pairs.collect();
    assert_eq!(heat.matches(">-<").count(), least.iter().filter(|least| least.is_none()).count());
    let mut written = least.iter().flatten().map(|least| format!(">{}<", si(*least, "J")));
    assert!(written.all(|text| heat.contains(&text)) && least.iter().flatten().count() > 1, "{least:?}");
    assert!(heat.contains(">Smallest energy_j within the bounds<"));

    // Points of one cost table alone.
    let one = with(&["--where", "arch.costs == survey_22nm and arch.adc.bits > 4", "--format", "json"]);
    let one: serde_json::Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one["points"]["all"], 6);
    let is_one = |row: &&usize| {
        cell(&all, **row, "arch.costs") == Cell::Text("survey_22nm".to_owned())
            && cell(&all, **row, "arch.adc.bits") != Cell::Integer(4)
    };
    assert_eq!(one["points"]["outside_bounds"], 6 - within.iter().filter(is_one).count());

    // Points that could not be run have no figures.
    fine(&folder, &["sweep", "run", "toy.ron", "--out", "toy"]);
    let text = fine(&folder, &["sweep", "pareto", "toy", "--objectives", "energy", "--subject-to", "arch.adc.bits<8"]);
    assert!(text.starts_with("toy: 26 points, 5 without the figures, "), "{text}");
    let none = fine(&folder, &["sweep", "pareto", "toy", "--objectives", "energy", "--subject-to", "energy<0"]);
    assert!(none.contains(" 0 on the front\n21 points break energy_j < 0\n"), "{none}");
}

#[test]
fn what_a_front_cannot_be_asked_for_is_refused() {
    let folder = toy();
    fs::write(folder.path().join("small.ron"), SMALL.replace("First(20)", "Nothing")).unwrap();
    fine(&folder, &["sweep", "run", "small.ron", "--out", "s"]);
    let told = |objectives: &str, more: &[&str]| {
        refused(&folder, &[&["sweep", "pareto", "s", "--objectives", objectives], more].concat())
    };
    let says = |told: String, expected: &str| assert!(told.contains(expected), "{told}");
    says(told("enrgy", &[]), "--objectives enrgy: there is no figure \"enrgy\"\nhelp: did you mean energy?");
    says(told("wavelength", &[]), "help: crossbayes sweep figures lists them");
    says(told("best:energy", &[]), "found best:, expected min: or max:");
    says(told("entropy", &[]), "expected min:entropy or max:entropy");
    says(told("bottleneck", &[]), "bottleneck holds texts, expected a figure that is a number");
    says(told("energy,nll", &[]), "--objectives nll: nll is not kept by this sweep");
    says(told("energy,max:energy_j", &[]), "--objectives: energy_j is there twice");
    says(told("energy,accuracy", &[]), "no point of the sweep has the figure accuracy");
    let bound = |text: &str| told("energy", &["--subject-to", text]);
    says(bound("latency"), "--subject-to latency: there is no comparison; expected a figure, one of <=, <, >=, >,");
    says(bound("latency<=fast"), "\"fast\" is no number; expected");
    says(bound("latency=>1"), "\"=>\" is no comparison");
    says(bound("latncy<=1"), "help: did you mean latency?");
    says(told("energy", &["--picture", "front.svg"]), "--picture: expected two objectives");
    says(told("energy,latency", &["--picture", "front.png"]), "front.png: expected a name that ends in .svg");
    says(told("energy", &["--png"]), "--png: expected one of --picture, --tornado, --parallel, --heat, which it draws");
    says(
        told("energy", &["--where", "arch.adc.bist > 4"]),
        "--where arch.adc.bist > 4: \"arch.adc.bist\" is no axis; expected",
    );
    says(told("energy", &["--where", "arch.adc.bits"]), "\"arch.adc.bits\" is no comparison");
    let over = |axes: &str| told("energy", &["--heat", "heat.svg", "--over", axes]);
    says(over("arch.costs"), "--over arch.costs: expected two axes");
    says(over("arch.costs,arch.adc.bit"), "help: did you mean arch.adc.bits?");
    says(over("arch.costs,arch.costs"), "expected two different axes");
    fine(&folder, &["sweep", "plan", "toy.ron", "--out", "planned"]);
    says(
        refused(&folder, &["sweep", "pareto", "planned", "--objectives", "energy"]),
        "30 of its 30 shards are missing or damaged: 0-29",
    );
    assert!(!folder.path().join("front.svg").exists());
}
