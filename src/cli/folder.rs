//! The folder of a run: filled beside its place under another name, then put there as a whole.

use crate::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that is being filled. Dropped without [`Folder::finish`], it leaves nothing.
#[derive(Debug)]
pub(super) struct Folder {
    place: PathBuf,
    filling: PathBuf,
    /// Folders above the place that were not there before, the deepest first.
    above: Vec<PathBuf>,
    finished: bool,
}

/// Name of the file by which a folder is known to be a run's.
const MARK: &str = "report.json";

impl Folder {
    /// Opens a folder beside `place`.
    pub(super) fn create(place: &Path) -> Result<Self, Error> {
        if place.exists() && !place.join(MARK).is_file() && !is_empty(place) {
            let message = format!("is there and holds no run ({MARK} is missing); expected a new folder or a run's");
            return Err(Error::Input { path: place.to_owned(), message });
        }
        let filling = beside(place, "new");
        let above = filling.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let above = above.map(Path::to_owned).collect();
        let folder = Self { place: place.to_owned(), filling, above, finished: false };
        fs::create_dir_all(&folder.filling).map_err(Error::io(place))?;
        Ok(folder)
    }

    /// Path of a file of the run while the folder is being filled.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.filling.join(name)
    }

    /// Writes a file of the run.
    pub(super) fn write(&self, name: &str, contents: &str) -> Result<(), Error> {
        let path = self.file(name);
        fs::write(&path, contents).map_err(Error::io(&path))
    }

    /// Puts the folder in its place; an earlier run there goes as a whole.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        let old = beside(&self.place, "old");
        let replaces = self.place.exists();
        if replaces {
            fs::rename(&self.place, &old).map_err(Error::io(&self.place))?;
        }
        if let Err(error) = fs::rename(&self.filling, &self.place) {
            if replaces {
                // What was there stays there.
                let _ = fs::rename(&old, &self.place);
            }
            return Err(Error::io(&self.place)(error));
        }
        self.finished = true;
        if replaces {
            fs::remove_dir_all(&old).map_err(Error::io(&old))?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_dir_all(&self.filling);
            for folder in &self.above {
                // One that somebody else has put something into stays.
                let _ = fs::remove_dir(folder);
            }
        }
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// A name in the same folder that no other process uses.
fn beside(place: &Path, what: &str) -> PathBuf {
    let name = place.file_name().map_or_else(|| "run".into(), |n| n.to_string_lossy().into_owned());
    place.with_file_name(format!(".{name}.{what}-{}", std::process::id()))
}
