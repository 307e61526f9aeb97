//! Does a search run the points that it says, the same ones each time, and find with few of them what all would show?

mod program;
mod shards;

use program::{fine, refused};
use serde_json::Value;
use shards::shards;
use std::fs;
use std::path::Path;
use tempfile::{TempDir, tempdir};

/// 240 points of the digits without values, 16 of them dropped.
const GRID: &str = r#"(
    name: "grid",
    workload: "digits",
    set: ["values.answer=Nothing"],
    axes: [
        (key: "arch.costs", values: ["neurosim_22nm", "survey_22nm"]),
        (key: "schedule.mode", values: [Layer, Sequential]),
        (key: "arch.adc.columns_per_adc", powers_of_two: (from: 2, to: 32)),
        (key: "arch.adc.bits", range: (from: 4, to: 8)),
        (key: "ensemble.members", values: [1, 2]),
    ],
    conditions: [(drop: "arch.adc.bits == 8 and arch.adc.columns_per_adc == 2", reason: "large")],
    record: ["energy_j", "area_mm2", "latency_cycles", "accuracy", "bottleneck"],
    search: SEARCH,
)"#;

const OBJECTIVES: &str = "objectives: [\"area\", \"latency\"], subject_to: [\"energy<=3e-7\", \"ensemble.members>=2\"]";

fn write(folder: &TempDir, name: &str, search: &str) {
    let text = match search {
        "" => GRID.replace("    search: SEARCH,\n", ""),
        search => GRID.replace("SEARCH", search),
    };
    fs::write(folder.path().join(name), text).unwrap();
}

/// Numbers of the points of a merged sweep, in the order of its rows.
fn points(folder: &TempDir, sweep: &str) -> Vec<u64> {
    let csv = format!("{sweep}.csv");
    fine(folder, &["sweep", "merge", sweep, "--csv", &csv]);
    let text = fs::read_to_string(folder.path().join(csv)).unwrap();
    text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
}

/// Area and latency of the front of a sweep.
fn front(folder: &TempDir, sweep: &str) -> Vec<[f64; 2]> {
    let mut arguments = vec!["sweep", "pareto", sweep, "--objectives", "area,latency", "--format", "json"];
    arguments.extend(["--subject-to", "energy<=3e-7", "--subject-to", "ensemble.members>=2"]);
    let found: Value = serde_json::from_str(&fine(folder, &arguments)).unwrap();
    let figure = |point: &Value, name: &str| point["figures"][name].as_f64().unwrap();
    let front = found["front"].as_array().unwrap().iter();
    front.map(|point| [figure(point, "area_mm2"), figure(point, "latency_cycles")]).collect()
}

/// Area that a front dominates, up to a corner; sorted by the first objective, as `sweep pareto` does.
fn hypervolume(front: &[[f64; 2]], corner: [f64; 2]) -> f64 {
    let (mut area, mut above) = (0.0, corner[1]);
    for [x, y] in front.iter().filter(|[x, y]| *x < corner[0] && *y < corner[1]) {
        area += (corner[0] - x) * (above - y.min(above));
        above = y.min(above);
    }
    area
}

#[test]
fn a_search_finds_the_front_with_fewer_points() {
    let folder = tempdir().unwrap();
    write(&folder, "all.ron", "");
    fine(&folder, &["sweep", "run", "all.ron", "--out", "all"]);
    let all = front(&folder, "all");
    let corner = [0, 1].map(|of| all.iter().map(|point| point[of]).fold(0.0, f64::max) * 1.5);
    let whole = hypervolume(&all, corner);
    assert!(all.len() > 5 && whole > 0.0, "{all:?}");
    for seed in 1..=3 {
        let name = format!("s{seed}");
        write(&folder, "search.ron", &format!("(by: Nsga2(population: 12), points: 72, seed: {seed}, {OBJECTIVES})"));
        let said = fine(&folder, &["sweep", "run", "search.ron", "--out", &name]);
        assert_eq!(said, "72 points: 72 computed, 0 there before\n");
        let mut run = points(&folder, &name);
        run.sort_unstable();
        run.dedup();
        assert_eq!(run.len(), 72, "no point comes twice");
        let share = hypervolume(&front(&folder, &name), corner) / whole;
        println!("seed {seed}: {share}");
        assert!((0.97..=1.0).contains(&share), "seed {seed}: {share}");
    }
}

#[test]
fn the_points_depend_on_nothing_but_the_plan() {
    let folder = tempdir().unwrap();
    write(&folder, "s.ron", &format!("(by: Nsga2(population: 10), points: 25, {OBJECTIVES})"));
    fine(&folder, &["sweep", "run", "s.ron", "--out", "one", "--threads", "1", "--points-per-shard", "4"]);
    fine(&folder, &["sweep", "run", "s.ron", "--out", "three", "--threads", "3", "--points-per-shard", "4"]);
    fine(&folder, &["sweep", "plan", "s.ron", "--out", "shards", "--points-per-shard", "4"]);
    // Generations of 10, 10 and 5 points are shards of 4, 4, 2; 4, 4, 2; 4, 1.
    let told = refused(&folder, &["sweep", "shard", "shards", "--index", "3"]);
    assert!(told.contains("--index 3: its points depend on earlier shards of the search"), "{told}");
    for shard in [2, 0, 1, 5, 4, 3, 7, 6] {
        fine(&folder, &["sweep", "shard", "shards", "--index", &shard.to_string()]);
    }
    let [one, three, by_shard] = ["one", "three", "shards"].map(|name| shards(&folder.path().join(name)));
    assert_eq!(one.len(), 8);
    assert!(one == three && one == by_shard);
    // The first shard again, which later ones depend on, and the last.
    fs::remove_file(folder.path().join("one/shards/00000.parquet")).unwrap();
    fs::write(folder.path().join("one/shards/00007.parquet"), "cut").unwrap();
    assert_eq!(fine(&folder, &["sweep", "missing", "one"]), "0,7\n");
    assert_eq!(fine(&folder, &["sweep", "run", "one"]), "25 points: 5 computed, 20 there before\n");
    assert!(shards(&folder.path().join("one")) == three);
    // Shards of another size hold the same points.
    fine(&folder, &["sweep", "run", "s.ron", "--out", "large", "--points-per-shard", "100"]);
    assert_eq!(shards(&folder.path().join("large")).len(), 3);
    assert_eq!(points(&folder, "large"), points(&folder, "one"));
    // Another seed is another plan.
    write(&folder, "s.ron", &format!("(by: Nsga2(population: 10), points: 25, seed: 2, {OBJECTIVES})"));
    assert!(refused(&folder, &["sweep", "run", "s.ron", "--out", "one"]).contains("holds another state of this sweep"));
    fine(&folder, &["sweep", "run", "s.ron", "--out", "other"]);
    assert_ne!(points(&folder, "other"), points(&folder, "one"));
    let told = refused(&folder, &["sweep", "submit", "one", "--engine", "slurm", "--dry-run"]);
    assert!(told.contains("the points of this search depend on those before"), "{told}");
}

#[test]
fn samples_are_ordinary_sweeps() {
    let folder = tempdir().unwrap();
    write(&folder, "all.ron", "");
    fine(&folder, &["sweep", "run", "all.ron", "--out", "all"]);
    let all: Vec<u64> = points(&folder, "all");
    assert_eq!(all.len(), 192);
    for by in ["Random", "LatinHypercube", "Sobol"] {
        write(&folder, "s.ron", &format!("(by: {by}, points: 20, seed: 7)"));
        let text = match by {
            "Random" => "20 of 192 points at random",
            "Sobol" => "20 of 192 points by a Sobol sequence",
            _ => "20 of 192 points by Latin hypercube",
        };
        assert_eq!(fine(&folder, &["check", "s.ron"]), format!("s.ron: sweep, {text}, fine\n"));
        assert!(
            fine(&folder, &["show", "sweep", "s.ron"]).contains(&format!("\n{text}, 20 points in 20 shards of 1\n"))
        );
        fine(&folder, &["sweep", "run", "s.ron", "--out", by]);
        let chosen = points(&folder, by);
        let mut different = chosen.clone();
        different.sort_unstable();
        different.dedup();
        assert!(different.len() == 20 && different.iter().all(|point| all.contains(point)), "{by}: {chosen:?}");
        // Its rows are those of the whole sweep.
        let lines = |sweep: &str| fs::read_to_string(folder.path().join(format!("{sweep}.csv"))).unwrap();
        let whole = lines("all");
        assert!(lines(by).lines().all(|line| whole.lines().any(|other| other == line)), "{by}");
        let submitted = fine(&folder, &["sweep", "plan", "s.ron", "--out", &format!("{by}2")]);
        assert_eq!(submitted, "grid: 20 points in 20 shards of 1\n");
        let jobs = fine(&folder, &["sweep", "submit", &format!("{by}2"), "--engine", "slurm", "--dry-run"]);
        assert!(jobs.contains("--array=0-19"), "{jobs}");
    }
}

#[test]
fn promising_points_answer_more_images() {
    let folder = tempdir().unwrap();
    let text = r#"(name: "screened", workload: "digits", record: ["energy_j", "accuracy", "answered_images"],
        axes: [(key: "arch.adc.bits", range: (from: 4, to: 9)), (key: "ensemble.members", values: [1, 2])],
        search: (by: LatinHypercube, points: 8, objectives: ["energy", "accuracy"],
            screen: (images: First(20), then: First(60), keep: 0.25)))"#;
    fs::write(folder.path().join("s.ron"), text).unwrap();
    let said = fine(&folder, &["check", "s.ron"]);
    assert_eq!(said, "s.ron: sweep, 8 of 12 points by Latin hypercube, 2 of them on more images, fine\n");
    assert_eq!(fine(&folder, &["sweep", "run", "s.ron", "--out", "s"]), "10 points: 10 computed, 0 there before\n");
    fine(&folder, &["sweep", "merge", "s", "--csv", "s.csv"]);
    let text = fs::read_to_string(folder.path().join("s.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let heads = lines.next().unwrap();
    let column = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let rows: Vec<Vec<String>> = lines.collect();
    let answered: Vec<&str> = rows.iter().map(|row| row[column("answered_images")].as_str()).collect();
    assert_eq!(answered, [["20"; 8].as_slice(), &["60"; 2]].concat());
    assert_eq!(rows[0][column("values.answer")], "First(20)");
    // The best by accuracy is among the two: the ends of a front are the first of it.
    let number = |row: &[String], name: &str| row[column(name)].parse::<f64>().unwrap();
    let best = rows[..8].iter().map(|row| number(row, "accuracy")).fold(0.0, f64::max);
    let bits = |row: &[String]| (number(row, "arch.adc.bits"), number(row, "ensemble.members"));
    let of_best: Vec<_> = rows[..8].iter().filter(|row| number(row, "accuracy") == best).map(|row| bits(row)).collect();
    assert!(rows[8..].iter().any(|row| of_best.contains(&bits(row))), "{rows:?}");
    // Only those are compared.
    let found = fine(&folder, &["sweep", "pareto", "s", "--objectives", "energy,accuracy"]);
    assert!(found.starts_with("screened: 2 points, 0 without the figures"), "{found}");
}

#[test]
fn bad_searches_are_told_with_their_place() {
    let folder = tempdir().unwrap();
    let nsga2 = |rest: &str| format!("(by: Nsga2(), points: 60, {rest})");
    for (search, place, message) in [
        ("(by: Sobol, points: 193)".to_owned(), "14:33", "193 points of a space of 192; expected at most as many"),
        ("(by: Sobol, points: 0)".to_owned(), "14:33", "points is 0; expected 1..=65536"),
        ("(by: Sobal, points: 9)".to_owned(), "14:18", "did you mean Sobol?"),
        ("(by: Sobol)".to_owned(), "14:13", "points"),
        (nsga2(""), "14:13", "expected at least one figure to choose points by"),
        (nsga2("objectives: [\"enrgy\"]"), "14:52", "there is no figure \"enrgy\""),
        (nsga2("objectives: [\"entropy\"]"), "14:52", "entropy is not kept by this sweep; its `record` names what is"),
        (nsga2("objectives: [\"energy\", \"energy_j\"]"), "14:62", "energy_j is there twice"),
        (nsga2("objectives: [\"bottleneck\"]"), "14:52", "bottleneck holds texts"),
        (nsga2("objectives: [\"low:energy\"]"), "14:52", "found low:, expected min: or max:"),
        (
            nsga2("objectives: [\"energy\", \"accuracy\"]"),
            "14:62",
            "accuracy needs values, and values.answer is Nothing",
        ),
        (
            nsga2("objectives: [\"energy\"], subject_to: [\"accuracy>=0.9\"]"),
            "14:76",
            "accuracy needs values, and values.answer is Nothing",
        ),
        (
            nsga2("objectives: [\"energy\"], subject_to: [\"ece<=0.05\"]"),
            "14:76",
            "ece is not kept by this sweep; its `record` names what is",
        ),
        (nsga2("objectives: [\"energy\"], subject_to: [\"area=<3\"]"), "14:76", "\"=<\" is no comparison"),
        (
            "(by: Sobol, points: 9, objectives: [\"energy\"])".to_owned(),
            "14:48",
            "objectives is for Nsga2 or a screen, which choose by it; expected none",
        ),
        (
            nsga2("objectives: [\"energy\"], screen: (images: First(20), then: First(20), keep: 0.5)"),
            "14:",
            "these are no fewer than those of `then`",
        ),
        (
            nsga2("objectives: [\"energy\"], screen: (images: Nothing, keep: 0.5)"),
            "14:",
            "found Nothing; expected images to answer",
        ),
        (nsga2("objectives: [\"energy\"], screen: (images: First(20), keep: 0)"), "14:", "keep is 0"),
    ] {
        write(&folder, "bad.ron", &search);
        for arguments in
            [&["sweep", "run", "bad.ron", "--out", "s"][..], &["show", "sweep", "bad.ron"], &["check", "bad.ron"]]
        {
            let told = refused(&folder, arguments);
            assert!(
                told.contains(&format!("bad.ron:{place}")) && told.contains(message),
                "{search} {arguments:?}: {told}"
            );
        }
        assert!(!folder.path().join("s").exists(), "{search}");
    }
    // What no run has is found by the first generation.
    write(&folder, "none.ron", &nsga2("objectives: [\"energy\", \"accuracy\"]"));
    let text = fs::read_to_string(folder.path().join("none.ron")).unwrap();
    let text =
        text.replace("(key: \"ensemble.members\", values: [1, 2])", "(key: \"values.answer\", values: [Nothing])");
    fs::write(folder.path().join("none.ron"), text).unwrap();
    let told = refused(&folder, &["sweep", "run", "none.ron", "--out", "none"]);
    assert!(told.contains("none of the 16 points of the search so far has all of energy_j, accuracy"), "{told}");
    assert!(Path::new(&folder.path().join("none/shards/00000.parquet")).exists());
}
