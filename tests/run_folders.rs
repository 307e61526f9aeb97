//! Does a run ever remove what no run has written, and is a place that cannot be used reported before the work?

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(arguments).current_dir(folder);
    command
}

/// `run` of the small network with further arguments.
fn toy(folder: &TempDir, arguments: &[&str]) -> Output {
    let small = ["run", "--arch", "toy_2x2", "--workload", "toy_two_layers", "--quiet"];
    command(folder.path(), &[&small, arguments].concat()).output().unwrap()
}

#[track_caller]
fn fine(output: &Output) {
    assert!(output.status.success(), "{}", message(output));
}

fn message(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Far more work than a test can wait for: only errors raised before the simulation are returned.
const ENDLESS: [&str; 3] = ["run", "--set", "ensemble.members=10000"];

/// What comes of a command that does not take long; it is ended where it does.
fn soon(mut command: Command) -> Output {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    child.wait_with_output().unwrap()
}

/// The message of a run that is refused before its work; the folder stays as it is.
#[track_caller]
fn refused(folder: &TempDir, out: &str) -> String {
    let before = contents(folder.path());
    let output = soon(command(folder.path(), &[&ENDLESS[..], &["--out", out]].concat()));
    assert_eq!(output.status.code(), Some(2), "{}", message(&output));
    assert!(contents(folder.path()) == before, "something has changed");
    message(&output)
}

/// Every file and folder below a folder; files with their contents.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.append(&mut contents(&path));
            found.insert(path, None);
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            found.insert(path, Some(bytes));
        }
    }
    found
}

/// A folder with a finished run, `run`.
fn with_run() -> TempDir {
    let folder = tempdir().unwrap();
    fine(&toy(&folder, &["--out", "run"]));
    folder
}

#[test]
fn a_folder_with_anything_beside_the_run_is_refused() {
    for (name, shown) in [
        ("src/main.rs", "src"),
        (".git/HEAD", ".git"),
        ("notes.txt", "notes.txt"),
        ("plots/mine.svg", "plots/mine.svg"),
        ("plots/deep/er/mine", "plots/deep"),
    ] {
        let folder = with_run();
        let file = folder.path().join("run").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "mine").unwrap();
        assert_eq!(
            refused(&folder, "run"),
            format!(
                "error: run: holds {shown}, which no run has written; it stays as it is\n\
                 help: move {shown} elsewhere, or choose another folder with --out\n"
            )
        );
    }
    // A folder and a link are not files of a run either.
    let folder = with_run();
    fs::create_dir(folder.path().join("run/empty")).unwrap();
    assert!(refused(&folder, "run").contains("holds empty, which no run has written"));
}

#[test]
fn a_file_of_the_run_that_was_changed_is_kept() {
    let folder = with_run();
    let report = folder.path().join("run/report.txt");
    let text = fs::read_to_string(&report).unwrap();
    // As long as before.
    fs::write(&report, text.replacen("toy", "TOY", 1)).unwrap();
    let reported = "error: run: report.txt was changed after the run had written it; it stays as it is\n\
                help: move run elsewhere, or choose another folder with --out\n";
    assert_eq!(refused(&folder, "run"), reported);
    fs::write(&report, text.clone() + "my notes").unwrap();
    assert_eq!(refused(&folder, "run"), reported);
    fs::write(&report, text).unwrap();
    fine(&toy(&folder, &["--out", "run"]));
    // What was deleted cannot be lost.
    fs::remove_file(&report).unwrap();
    fine(&toy(&folder, &["--out", "run"]));
    assert!(report.is_file());
    let list = folder.path().join("run/b3sums");
    for text in [fs::read_to_string(&list).unwrap() + "\n", "{}".to_owned(), String::new()] {
        fs::write(&list, text).unwrap();
        assert_eq!(refused(&folder, "run"), reported.replace("report.txt", "b3sums"));
    }
}

#[test]
fn a_run_of_an_earlier_version_is_refused() {
    let folder = with_run();
    fs::remove_file(folder.path().join("run/b3sums")).unwrap();
    assert_eq!(
        refused(&folder, "run"),
        "error: run: holds files, and no b3sums that lists those of a run; version 0.1 wrote none\n\
         help: move or remove run yourself, or choose another folder with --out\n"
    );
}

#[test]
#[cfg(unix)]
fn a_link_in_the_place_of_a_file_is_no_file_of_the_run() {
    let folder = with_run();
    let report = folder.path().join("run/report.txt");
    fs::rename(&report, folder.path().join("moved.txt")).unwrap();
    std::os::unix::fs::symlink("../moved.txt", &report).unwrap();
    assert!(refused(&folder, "run").contains("report.txt was changed"));
}

#[test]
fn the_folder_that_one_works_in_is_refused() {
    let folder = with_run();
    for inside in ["run", "run/plots"] {
        let place = folder.path().join("run").display().to_string();
        let before = contents(folder.path());
        let output = soon(command(&folder.path().join(inside), &[&ENDLESS[..], &["--out", &place]].concat()));
        assert_eq!(output.status.code(), Some(2));
        assert!(message(&output).contains("is or holds the working directory"), "{}", message(&output));
        assert!(contents(folder.path()) == before);
    }
}

#[test]
#[cfg(unix)]
fn a_link_that_leads_nowhere_is_refused() {
    let folder = tempdir().unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    assert_eq!(
        refused(&folder, "link"),
        "error: link: is a link that leads nowhere; expected a folder\nhelp: choose another folder with --out\n"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_mount_point_is_refused() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("disk")).unwrap();
    // In name spaces of its own, where one may mount.
    let unshared = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).current_dir(folder.path());
        command.env("CROSSBAYES", env!("CARGO_BIN_EXE_crossbayes")).output()
    };
    if !unshared("mount --bind disk disk").is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    let run = ENDLESS.join(" ");
    let output = unshared(&format!("mount --bind disk disk && exec $CROSSBAYES {run} --out disk")).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", message(&output));
    assert_eq!(
        message(&output),
        "error: disk: cannot be replaced as a whole (Device or resource busy (os error 16)): a mount point?\n\
         help: choose a folder below it, such as disk/run\n"
    );
    assert_eq!(contents(folder.path()).len(), 1);
}

#[test]
fn runs_that_differ_lose_nothing_in_a_loop() {
    let folder = tempdir().unwrap();
    let run = |arguments: &[&str]| fine(&toy(&folder, arguments));
    let runs = || {
        let entries = fs::read_dir(folder.path().join("traces/runs")).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    };
    for bits in ["4", "5", "6"] {
        run(&["--set", &format!("arch.adc.bits={bits}")]);
    }
    run(&["--seed", "7"]);
    run(&["--mode", "streaming"]);
    run(&["--set", "mapping.replication=[(\"conv1\", 2)]"]);
    run(&[]);
    let plain = "toy_2x2-toy_two_layers";
    let expected = [
        String::new(),
        "-adc.bits=4".into(),
        "-adc.bits=5".into(),
        "-adc.bits=6".into(),
        "-mapping.replication=conv1_2".into(),
        "-schedule.mode=streaming".into(),
        "-seed=7".into(),
    ];
    let mut expected = expected.map(|set: String| format!("{plain}{set}")).to_vec();
    expected.sort_unstable();
    assert_eq!(runs(), expected);
    // The same once more takes its own place.
    run(&["--seed", "7"]);
    run(&[]);
    assert_eq!(runs(), expected);
    // Another chip of the same name, and the same setting under another value of the chip's file.
    let chip = command(folder.path(), &["show", "arch", "--arch", "toy_2x2"]).output().unwrap();
    let chip = String::from_utf8(chip.stdout).unwrap().replacen("clock: \"1 GHz\"", "clock: \"2 GHz\"", 1);
    fs::write(folder.path().join("chip.ron"), chip).unwrap();
    let own = ["run", "--arch", "chip.ron", "--workload", "toy_two_layers"];
    for again in 0..2 {
        let output = command(folder.path(), &own).output().unwrap();
        fine(&output);
        let wrote = format!("wrote traces/runs/{plain}-2: ");
        assert!(message(&output).starts_with(&wrote), "{again}: {}", message(&output));
    }
    // A run that somebody has written notes into stays, too.
    fs::write(folder.path().join("traces/runs").join(plain).join("notes"), "mine").unwrap();
    run(&[]);
    assert!(runs().contains(&format!("{plain}-3")));
    assert_eq!(fs::read_to_string(folder.path().join("traces/runs").join(plain).join("notes")).unwrap(), "mine");
}

/// Starts a run of a moment whose folder is changed while it works: when its hidden folder is there.
#[cfg(unix)]
fn meanwhile(folder: &TempDir, change: impl FnOnce()) -> Output {
    // Seconds of answering: long enough to be met at work.
    let more = ["--set", "ensemble.members=100", "--set", "values.answer=First(90)", "--quiet", "--out", "run"];
    let arguments = [&["run"][..], &more].concat();
    let mut command = command(folder.path(), &arguments);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let filling = folder.path().join(format!(".run.crossbayes-new-{}", child.id()));
    let started = Instant::now();
    while !filling.exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "{} did not come", filling.display());
        std::thread::sleep(Duration::from_millis(1));
    }
    change();
    assert!(filling.exists(), "the run was over too soon for this test");
    child.wait_with_output().unwrap()
}

#[test]
#[cfg(unix)]
fn what_comes_into_the_folder_during_the_run_stays_and_so_does_the_new_run() {
    let folder = with_run();
    let mine = folder.path().join("run/mine.txt");
    let output = meanwhile(&folder, || fs::write(&mine, "mine").unwrap());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        message(&output),
        "error: run: holds mine.txt, which no run has written; it stays as it is\n\
         help: the new run is in run-2\n"
    );
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    for name in ["report.json", "trace.parquet", "b3sums"] {
        assert!(folder.path().join("run").join(name).is_file(), "{name}");
        assert!(folder.path().join("run-2").join(name).is_file(), "{name}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
#[cfg(unix)]
fn a_folder_that_comes_into_the_place_during_the_run_stays() {
    let folder = tempdir().unwrap();
    let mine = folder.path().join("run/src/main.rs");
    let output = meanwhile(&folder, || {
        fs::create_dir_all(mine.parent().unwrap()).unwrap();
        fs::write(&mine, "mine").unwrap();
    });
    assert_eq!(output.status.code(), Some(1), "{}", message(&output));
    assert!(message(&output).ends_with("help: the new run is in run-2\n"), "{}", message(&output));
    assert_eq!(fs::read_to_string(&mine).unwrap(), "mine");
    assert!(folder.path().join("run-2/report.json").is_file());
}

#[test]
#[cfg(unix)]
fn leftovers_with_something_of_the_users_stay() {
    let folder = with_run();
    for (hidden, name) in [(".run.crossbayes-new-1", "mine.txt"), (".run.crossbayes-old-2", "mine.txt")] {
        fs::create_dir(folder.path().join(hidden)).unwrap();
        fs::write(folder.path().join(hidden).join(name), "mine").unwrap();
    }
    fine(&toy(&folder, &["--out", "run"]));
    for hidden in [".run.crossbayes-new-1", ".run.crossbayes-old-2"] {
        assert_eq!(fs::read_to_string(folder.path().join(hidden).join("mine.txt")).unwrap(), "mine");
    }
}

#[test]
#[cfg(unix)]
fn names_need_not_be_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempdir().unwrap();
    let bad = OsStr::from_bytes(b"bad\xff");
    let run = |more: &[&OsStr]| {
        let mut command = command(folder.path(), &["run", "--arch", "toy_2x2", "--workload", "toy_two_layers"]);
        command.args(more).output().unwrap()
    };
    for _ in 0..2 {
        let output = run(&[OsStr::new("--out"), bad]);
        fine(&output);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(folder.path().join(bad).join("report.json").is_file());
    }
    let report = fs::read_to_string(folder.path().join(bad).join("report.json")).unwrap();
    assert!(report.contains("--out bad\u{fffd}"), "the report states the command");
    // A network in such a folder finds what it names.
    let workloads = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    fs::copy(workloads.join("digits.ron"), folder.path().join(bad).join("digits.ron")).unwrap();
    std::os::unix::fs::symlink(workloads.join("digits"), folder.path().join(bad).join("digits")).unwrap();
    let inside = ["run", "--no-files", "--workload", "digits.ron", "--set", "values.answer=First(1)"];
    fine(&command(&folder.path().join(bad), &inside).output().unwrap());
    // Everywhere else it is refused, or shown as well as can be.
    for arguments in [
        &["run", "--arch"][..],
        &["run", "--workload"],
        &["run", "--set"],
        &["run", "--mode"],
        &["run", "--window"],
        &["run", "--seed"],
        &["run", "--config"],
        &["check"],
        &["show"],
        &["schema"],
        &["report"],
        &["plot", "all"],
        &["plot"],
        &["--format"],
        &[],
    ] {
        let output = command(folder.path(), arguments).arg(OsStr::from_bytes(b"no\xff")).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", message(&output));
        assert!(message(&output).starts_with("error: ") || message(&output).contains(": error: "), "{arguments:?}");
    }
}
