//! The program, as a user of a folder calls it.

use std::process::{Command, Output};
use tempfile::TempDir;

pub fn crossbayes(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crossbayes")).args(arguments).current_dir(folder.path()).output().unwrap()
}

/// What a command that is fine prints.
pub fn fine(folder: &TempDir, arguments: &[&str]) -> String {
    let output = crossbayes(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command tells that refuses its input.
pub fn refused(folder: &TempDir, arguments: &[&str]) -> String {
    let output = crossbayes(folder, arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    text
}
