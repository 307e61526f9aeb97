//! Does a sweep that is killed again and again, and worked on by several processes, end in the data set of one that is not?
#![cfg(unix)]

mod killed;
mod shards;

use shards::shards;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempdir;

const SWEEP: &str = r#"(
    name: "killed",
    workload: "digits",
    set: ["values.answer=Nothing"],
    axes: [(key: "arch.adc.columns_per_adc", values: [4, 8, 16]), (key: "schedule.images", range: (from: 1, to: 16))],
)"#;

/// The same points by generations of 8 in shards of 3, 3 and 2.
fn search() -> String {
    let by =
        "(by: Nsga2(population: 8), points: 40, objectives: [\"energy\", \"latency\"], subject_to: [\"area<=2.3\"])";
    SWEEP.replace("    workload:", &format!("    search: {by},\n    workload:"))
}

fn command(folder: &Path, out: &str, threads: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(["sweep", "run", "killed.ron", "--out", out, "--points-per-shard", "3", "--threads", threads]);
    command.args(["--format", "json"]).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// More kills for a soak: `SWEEP_KILLS=200`.
fn kills() -> u32 {
    std::env::var("SWEEP_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(12)
}

#[test]
fn killed_at_random_moments_it_ends_in_the_same_data_set() {
    is_killed_again_and_again(SWEEP, 16);
}

#[test]
fn a_search_that_is_killed_goes_on_to_the_same_points() {
    is_killed_again_and_again(&search(), 15);
}

fn is_killed_again_and_again(sweep: &str, shards_of_it: usize) {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("killed.ron"), sweep).unwrap();
    let started = Instant::now();
    assert!(command(folder, "whole", "2").status().unwrap().success());
    let whole = started.elapsed();
    let expected = shards(&folder.join("whole"));
    assert_eq!(expected.len(), shards_of_it);
    let (mut killed, mut rounds) = (0, 0);
    let mut attempt = 0;
    while killed < kills() {
        // It is begun anew when it has come to its end.
        rounds += 1;
        let out = format!("killed{rounds}");
        loop {
            attempt += 1;
            let mut child = command(folder, &out, ["1", "2"][attempt as usize % 2]).spawn().unwrap();
            if killed < kills() {
                killed::at_random(&mut child, attempt, whole.mul_f64(0.6));
            }
            let status = child.wait().unwrap();
            if status.success() {
                break;
            }
            assert!([Some(9), Some(15)].contains(&status.signal()), "it fails by itself: {status}");
            killed += 1;
        }
        assert!(shards(&folder.join(&out)) == expected, "after {killed} kills");
        fs::remove_dir_all(folder.join(out)).unwrap();
    }
}

/// Points that a process says it has computed.
fn computed(output: &std::process::Output) -> u64 {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    said["computed"].as_u64().unwrap()
}

#[test]
fn two_processes_share_a_sweep() {
    is_shared(SWEEP, 48);
}

#[test]
fn two_processes_share_a_search() {
    is_shared(&search(), 40);
}

fn is_shared(sweep: &str, points: u64) {
    let folder = tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("killed.ron"), sweep).unwrap();
    assert!(command(folder, "whole", "1").status().unwrap().success());
    let mut pair = Vec::new();
    for _ in 0..2 {
        // Both plan the folder, too.
        pair.push(command(folder, "shared", "1").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    }
    let both: Vec<u64> = pair.into_iter().map(|child| computed(&child.wait_with_output().unwrap())).collect();
    assert_eq!(both.iter().sum::<u64>(), points, "no point twice, and none lost: {both:?}");
    assert!(shards(&folder.join("shared")) == shards(&folder.join("whole")));
    // One of two is killed: the other does its work.
    let mut first = command(folder, "left", "1").spawn().unwrap();
    let second = command(folder, "left", "1").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while fs::read_dir(folder.join("left/shards")).map_or(0, Iterator::count) < 3 {
        std::thread::sleep(Duration::from_millis(2));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    computed(&second.wait_with_output().unwrap());
    assert!(shards(&folder.join("left")) == shards(&folder.join("whole")));
}
