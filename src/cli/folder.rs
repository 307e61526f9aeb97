//! The folder of a run: filled beside its place under another name, then put there as a whole.

use crate::error::Error;
use crate::whole::Unfinished;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that is being filled. Dropped without [`Folder::finish`], it leaves nothing.
#[derive(Debug)]
pub(super) struct Folder(Unfinished);

/// Name of the file by which a folder is known to be a run's.
const MARK: &str = "report.json";

impl Folder {
    /// Opens a folder beside `place`.
    pub(super) fn create(place: &Path) -> Result<Self, Error> {
        let refuse = |message: String| Err(Error::Input { path: place.to_owned(), message });
        if place.exists() && !place.join(MARK).is_file() && !is_empty(place) {
            return refuse(format!("is there and holds no run ({MARK} is missing); expected a new folder or a run's"));
        }
        if place.file_name().is_none() {
            return refuse("cannot be replaced as a whole; expected a folder with its name".into());
        }
        // A link stays: what it leads to is replaced.
        if place.components().as_path().is_symlink() && place.exists() {
            return Unfinished::folder(&fs::canonicalize(place).map_err(Error::io(place))?).map(Self);
        }
        Unfinished::folder(place).map(Self)
    }

    /// Path of a file of the run while the folder is being filled.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file of the run.
    pub(super) fn write(&self, name: &str, contents: &str) -> Result<(), Error> {
        let path = self.file(name);
        fs::write(&path, contents).map_err(Error::io(&path))
    }

    /// Puts the folder in its place; an earlier run there goes as a whole.
    pub(super) fn finish(self) -> Result<(), Error> {
        self.0.finish()
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}
