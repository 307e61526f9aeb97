//! Does an evaluation that is killed again and again end in the table of one that is not?

mod killed;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use tempfile::tempdir;

fn command(folder: &Path, out: &str, threads: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(["eval", "--workload", "digits", "--set", "arch.device.model=pcm_joshi", "--limit", "60"]);
    command.args(["--drift", "0s,1day", "--compensation", "off,logits,statistics", "--members", "1,3"]);
    command.args(["--deployments", "2", "--temperature", "--threads", threads, "--out", out]);
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn killed_at_random_moments_it_ends_in_the_same_table() {
    let folder = tempdir().unwrap();
    let started = Instant::now();
    assert!(command(folder.path(), "whole", "2").status().unwrap().success());
    let whole = started.elapsed();
    let (mut kills, mut attempt) = (0, 0);
    loop {
        attempt += 1;
        // With either number of threads.
        let mut child = command(folder.path(), "killed", ["1", "2"][attempt as usize % 2]).spawn().unwrap();
        if attempt <= 12 {
            killed::at_random(&mut child, attempt, whole.mul_f64(0.4));
        }
        let status = child.wait().unwrap();
        if status.success() {
            break;
        }
        assert!(attempt <= 12, "it fails by itself: {status}");
        kills += 1;
    }
    assert!(kills >= 3, "{kills} kills");
    for entry in fs::read_dir(folder.path().join("whole")).unwrap() {
        let name = entry.unwrap().file_name();
        // The order of its records is that of the threads and of the interruptions.
        if name != "eval.journal" {
            let [killed, whole] = ["killed", "whole"].map(|out| fs::read(folder.path().join(out).join(&name)).unwrap());
            assert!(killed == whole, "{} after {kills} kills", name.display());
        }
    }
}
