//! Does a run that is ended before its time leave nothing half-written, and what was there before as it was?
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

/// `crossbayes` with its output thrown away.
fn crossbayes(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(arguments).current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A run of a moment.
fn short(folder: &TempDir, out: &str) {
    let arguments = ["run", "--arch", "toy_2x2", "--workload", "toy_two_layers", "--out", out];
    assert!(crossbayes(folder, &arguments).status().unwrap().success());
}

/// Minutes of answering: 360 images with 10 000 members.
const ANSWERING: [&str; 5] = ["run", "--set", "mapping.scheme=Dense", "--set", "ensemble.members=10000"];
/// Minutes of simulating: 100 000 images with 10 members.
const SIMULATING: [&str; 7] =
    ["run", "--set", "mapping.scheme=Dense", "--set", "values.answer=Nothing", "--set", "schedule.images=100000"];

/// A run that is far from its end; killed if a test fails.
struct Long(Child);

impl Long {
    /// Starts one into `out`/run and waits until `there` holds of the hidden folder that it fills.
    fn start(folder: &TempDir, out: &str, arguments: &[&str], there: impl Fn(&Path) -> bool) -> Self {
        let place = format!("{out}/run");
        Self::wait(
            crossbayes(folder, &[arguments, &["--out", &place]].concat()).spawn().unwrap(),
            &folder.path().join(out),
            there,
        )
    }

    /// One that fills `out`/run.
    fn wait(child: Child, out: &Path, there: impl Fn(&Path) -> bool) -> Self {
        let mut long = Self(child);
        let filling = out.join(format!(".run.crossbayes-new-{}", long.0.id()));
        let started = Instant::now();
        while !there(&filling) {
            assert_eq!(long.0.try_wait().unwrap(), None, "it ended by itself");
            assert!(started.elapsed() < Duration::from_secs(300), "{} did not come", filling.display());
            std::thread::sleep(Duration::from_millis(5));
        }
        long
    }

    /// Sends it a signal and waits for its end.
    fn end(&mut self, signal: &str) -> ExitStatus {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        self.0.wait().unwrap()
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The trace has begun to be written.
fn traces(filling: &Path) -> bool {
    let mut entries = fs::read_dir(filling).into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_string_lossy().starts_with(".trace.parquet.crossbayes-new-"))
}

/// Every file and folder below a folder; files with their contents.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut contents(&path));
            found.insert(path, None);
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, Some(bytes));
        }
    }
    found
}

#[test]
fn an_interrupted_run_leaves_what_was_there() {
    let folder = tempdir().unwrap();
    short(&folder, "run");
    let before = contents(folder.path());
    for (arguments, there, signal, number) in [
        (&ANSWERING[..], Path::exists as fn(&Path) -> bool, "-INT", 2),
        (&ANSWERING, Path::exists, "-TERM", 15),
        (&SIMULATING, traces, "-INT", 2),
        (&SIMULATING, traces, "-TERM", 15),
        (&ANSWERING, Path::exists, "-HUP", 1),
    ] {
        let status = Long::start(&folder, ".", arguments, there).end(signal);
        assert_eq!(status.signal(), Some(number), "{arguments:?}");
        assert!(contents(folder.path()) == before, "{arguments:?}, {signal}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_that_ignores_the_end_of_its_terminal_goes_on() {
    let folder = tempdir().unwrap();
    let script = "trap '' HUP; exec \"$0\" \"$@\"";
    let mut ignoring = Command::new("sh");
    ignoring.args(["-c", script, env!("CARGO_BIN_EXE_crossbayes")]).args(ANSWERING).args(["--out", "run"]);
    ignoring.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut long = Long::wait(ignoring.spawn().unwrap(), folder.path(), Path::exists);
    let id = long.0.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(long.0.try_wait().unwrap(), None);
    assert_eq!(long.end("-TERM").signal(), Some(15));
    assert_eq!(contents(folder.path()), BTreeMap::new());
}

#[test]
fn an_interrupted_run_takes_the_folders_that_it_made_along() {
    let folder = tempdir().unwrap();
    let status = Long::start(&folder, "new/folders", &ANSWERING, Path::exists).end("-INT");
    assert_eq!(status.signal(), Some(2));
    assert_eq!(contents(folder.path()), BTreeMap::new());
}

#[test]
fn a_later_run_removes_what_a_killed_one_has_left_and_nothing_of_a_live_one() {
    let folder = tempdir().unwrap();
    let killed = Long::start(&folder, ".", &SIMULATING, traces).end("-KILL");
    assert_eq!(killed.signal(), Some(9));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "what it was filling, and nothing under its name");
    let mut live = Long::start(&folder, ".", &SIMULATING, traces);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "what is filled now");
    short(&folder, "run");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "that and the short run");
    let short = contents(&folder.path().join("run"));
    assert_eq!(live.end("-INT").signal(), Some(2));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(contents(&folder.path().join("run")) == short);
}
