//! Reference data that is too large or not ours to be part of the repository.

use std::path::PathBuf;

/// A file of the folder of reference data (`CROSSBAYES_SHARED`, else `../shared` beside the repository), or None, with a
/// note, where it is absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CROSSBAYES_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = folder.join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}
