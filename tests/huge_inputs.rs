//! Are files that cannot be meant (folders, devices, pipes, gigabytes of nothing) refused at once, wherever one is read?
#![cfg(unix)]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// The message of a command that fails with 2, soon; `None` where it has to be ended.
fn reported(folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(arguments).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > Duration::from_secs(20) {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    Some(String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_is_no_file_of_data_is_refused_at_once() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("folder")).unwrap();
    // The network by its file, with its data beside it.
    let workloads = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    fs::copy(workloads.join("digits.ron"), path("digits.ron")).unwrap();
    std::os::unix::fs::symlink(workloads.join("digits"), path("digits")).unwrap();
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    // A terabyte that takes no room on the disk.
    File::create(path("huge")).unwrap().set_len(1 << 40).unwrap();
    File::create(path("large")).unwrap().set_len(8 << 30).unwrap();
    for file in ["folder", "pipe", "huge", "large", "/dev/zero"] {
        let text = match file {
            "folder" => "cannot be read: it is a folder; expected a regular file",
            "huge" => "cannot be read: it has 1099511627776 bytes; expected at most 67108864",
            "large" => "cannot be read: it has 8589934592 bytes; expected at most 67108864",
            _ => "cannot be read: it is a device, pipe or socket; expected a regular file",
        };
        let tensors = match file {
            "huge" => "cannot be read: it has 1099511627776 bytes; expected at most 17179869184",
            "large" => "cannot be read: its header tells of no tensors that fill its 8589934592 bytes",
            _ => text,
        };
        let posterior =
            ["run", "--no-files", "--workload", "digits.ron", "--set", &format!("workload.posterior.path={file}")];
        let images =
            ["run", "--no-files", "--workload", "digits.ron", "--set", &format!("workload.images.path={file}")];
        for (arguments, expected) in [
            (&["check", file][..], text),
            (&["run", "--no-files", "--arch", file], text),
            (&["run", "--no-files", "--workload", file], text),
            (&["run", "--no-files", "--config", file], text),
            (&posterior, tensors),
            (&images, tensors),
        ] {
            let message = reported(folder.path(), arguments).unwrap_or_else(|| panic!("{arguments:?} takes for ever"));
            assert!(message.contains(expected), "{arguments:?}: {message}");
        }
        for verb in [&["report", file][..], &["plot", "all", file]] {
            let expected = match file {
                "folder" => "holds no run",
                "huge" | "large" => "not a Parquet file",
                _ => "is a device, pipe or socket",
            };
            let message = reported(folder.path(), verb).unwrap_or_else(|| panic!("{verb:?} takes for ever"));
            assert!(message.contains(expected), "{verb:?}: {message}");
        }
    }
}
