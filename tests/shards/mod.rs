//! The data set of a sweep.

use std::fs;
use std::path::Path;

/// Names and contents of the files of the data set in a sweep's folder.
pub fn shards(sweep: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(sweep.join("shards")).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect();
    files.sort();
    files
}
