//! Files that appear complete or not at all, and clean-up when a signal ends the process.
//!
//! A file is written under a hidden name in the same folder, `.NAME.crossbayes-new-XXXXXX`, and renamed when it is
//! complete. It is removed if it is dropped before that; [`discard_all`] removes it when a signal ends the process. If a
//! process is killed with SIGKILL, the hidden file remains.

use crate::error::Error;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempPath;

/// Part of the hidden name of unfinished files.
pub(crate) const NEW: &str = "crossbayes-new";

/// Removal function by hidden path.
type Unfinished = BTreeMap<PathBuf, Box<dyn Fn() + Send>>;

static UNFINISHED: Mutex<Unfinished> = Mutex::new(BTreeMap::new());

/// Unfinished files of this process. While the lock is held, none is begun, finished or discarded.
pub(crate) fn unfinished() -> MutexGuard<'static, Unfinished> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is being written. If it is dropped without [`NewFile::finish`], it is removed.
#[derive(Debug)]
pub struct NewFile {
    place: PathBuf,
    /// Taken when it is finished or dropped.
    hidden: Option<TempPath>,
}

impl NewFile {
    /// Begins a file that is to become `place`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be created.
    pub fn create(place: &Path) -> Result<(Self, File), Error> {
        let folder = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let prefix = hidden(place, NEW);
        let mut unfinished = unfinished();
        // The crate's own error repeats the path, and its own files can be read by nobody else.
        let mut refused = None;
        let create = |path: &Path| File::create_new(path).inspect_err(|error| refused = error.raw_os_error());
        let created = tempfile::Builder::new()
            .prefix(&prefix)
            .make_in(folder, create)
            .map_err(|error| Error::io(place)(refused.map_or(error, std::io::Error::from_raw_os_error)))?;
        let (file, path) = created.into_parts();
        let hidden = path.to_path_buf();
        unfinished.insert(hidden.clone(), Box::new(move || drop(fs::remove_file(&hidden))));
        Ok((Self { place: place.to_owned(), hidden: Some(path) }, file))
    }

    /// Renames it to its final name. An earlier file of that name is replaced atomically, or kept if that fails; a folder is
    /// kept.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the name cannot be given.
    pub fn finish(self) -> Result<(), Error> {
        self.rename(true)
    }

    /// Renames it to its final name, unless a file of that name exists.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the name is taken or cannot be given.
    pub fn finish_new(self) -> Result<(), Error> {
        self.rename(false)
    }

    fn rename(mut self, replace: bool) -> Result<(), Error> {
        let mut unfinished = unfinished();
        let Some(hidden) = self.hidden.take() else { return Ok(()) };
        unfinished.remove(&hidden.to_path_buf());
        let named = if replace { hidden.persist(&self.place) } else { hidden.persist_noclobber(&self.place) };
        named.map_err(|error| Error::io(&self.place)(error.error))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(hidden) = self.hidden.take() {
            // It removes itself.
            unfinished().remove(&hidden.to_path_buf());
        }
    }
}

/// Writes a file that appears under its name only when it is complete. An existing file is replaced if `replace` is true.
///
/// # Errors
/// Returns [`Error::Io`] if it cannot be written.
pub fn write(place: &Path, contents: &[u8], replace: bool) -> Result<(), Error> {
    let (new, mut file) = NewFile::create(place)?;
    file.write_all(contents).map_err(Error::io(place))?;
    if replace { new.finish() } else { new.finish_new() }
}

/// The same, and waits until file and name are on the disk.
///
/// # Errors
/// Returns [`Error::Io`] if it cannot be written.
pub fn write_to_disk(place: &Path, contents: &[u8], replace: bool) -> Result<(), Error> {
    let (new, mut file) = NewFile::create(place)?;
    file.write_all(contents).and_then(|()| file.sync_all()).map_err(Error::io(place))?;
    if replace {
        new.finish()?
    } else {
        new.finish_new()?
    }
    sync_folder(place)
}

/// Waits until the name of a file is on the disk, where folders can be waited for.
///
/// # Errors
/// Returns [`Error::Io`] if the disk reports a failure.
pub fn sync_folder(place: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        let folder = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))?;
    }
    Ok(())
}

/// Removes the unfinished files of a process that is about to end; threads that begin, finish or drop one from then on
/// block.
pub fn discard_all() {
    let unfinished = unfinished();
    unfinished.values().for_each(|remove| remove());
    std::mem::forget(unfinished);
}

/// Prefix of hidden names for `place`.
pub(crate) fn hidden(place: &Path, what: &str) -> std::ffi::OsString {
    let mut name = std::ffi::OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(format!(".{what}-"));
    name
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Entries of a folder, sorted.
    pub(crate) fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_file_stands_under_its_name_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.svg");
        fs::write(&place, "earlier").unwrap();
        let (new, mut file) = NewFile::create(&place).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "earlier");
        assert_eq!(names(folder.path()).len(), 2);
        drop(new);
        assert_eq!(names(folder.path()), ["a.svg"]);
        write(&place, b"later", true).unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "later");
        assert!(write(&place, b"never", false).unwrap_err().to_string().contains("exists"));
        assert_eq!(fs::read_to_string(&place).unwrap(), "later");
        write(&folder.path().join("b.svg"), b"new", false).unwrap();
        assert_eq!(names(folder.path()), ["a.svg", "b.svg"]);
        assert!(unfinished().keys().all(|path| !path.starts_with(folder.path())), "nothing is left to discard");
    }

    #[test]
    #[cfg(unix)]
    fn a_file_has_the_rights_of_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [mine, any] = ["mine", "any"].map(|name| folder.path().join(name));
        write(&mine, b"", true).unwrap();
        fs::write(&any, b"").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(mine), mode(any));
    }

    #[test]
    fn a_file_does_not_replace_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("timeline.svg");
        fs::create_dir(&place).unwrap();
        assert!(write(&place, b"a picture", true).is_err());
        assert_eq!(names(folder.path()), ["timeline.svg"]);
        let error = write(&folder.path().join("no/file"), b"", true).unwrap_err();
        assert!(error.to_string().contains("no/file: No such file"), "{error}");
    }
}
