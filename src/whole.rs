//! Files and folders that stand under their names whole or not at all.
//!
//! Each is filled under a hidden name in the same folder, `.NAME.crossbayes-new-PROCESS`, and takes its own when it is done.
//! Dropped before, it goes away; when a signal ends the process, [`discard_all`] sees to that. A process that was killed
//! outright leaves what it was filling; the next one that begins the same name removes it.
//!
//! A lock on the file or folder itself tells whether somebody still fills it: it ends with its process, on whatever
//! machine that runs (if the file system shares its locks), where a process number says nothing about other machines. Without such locks (folders on
//! Windows, some network file systems) leftovers stay: nothing is removed that another process may be writing.

use crate::error::Error;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is being filled, in this process: hidden path to folders made on the way to it, the deepest first. Whoever holds
/// the lock can rely on it that nothing is begun, finished or discarded meanwhile.
static UNFINISHED: Mutex<BTreeMap<PathBuf, Vec<PathBuf>>> = Mutex::new(BTreeMap::new());

fn unfinished() -> MutexGuard<'static, BTreeMap<PathBuf, Vec<PathBuf>>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Word in the hidden name of what is being filled.
const NEW: &str = "crossbayes-new";
/// Word in the hidden name of a folder that has been put aside for another one.
const OLD: &str = "crossbayes-old";

/// A file or folder that is being filled. Dropped without [`Unfinished::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Unfinished {
    place: PathBuf,
    path: PathBuf,
    /// Keeps the lock; none where there are no locks.
    _lock: Option<File>,
}

impl Unfinished {
    /// Begins a file that is to become `place`.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be created.
    pub fn file(place: &Path) -> Result<(Self, File), Error> {
        let mut file = None;
        let begun = Self::begin(place, Vec::new(), |path| {
            let created = File::create_new(path)?;
            let lock = created.try_clone()?;
            file = Some(created);
            Ok(Some(lock))
        })?;
        Ok((begun, file.expect("it was created")))
    }

    /// Begins a folder that is to become `place`, and makes the folders above it.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be created.
    pub fn folder(place: &Path) -> Result<Self, Error> {
        let above = place.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let above: Vec<PathBuf> = above.map(Path::to_owned).collect();
        if let Some(parent) = above.first() {
            fs::create_dir_all(parent).map_err(Error::io(place))?;
        }
        Self::begin(place, above, |path| {
            fs::create_dir(path)?;
            Ok(File::open(path).ok())
        })
    }

    /// Creates it and locks the handle that `create` gives.
    fn begin(
        place: &Path,
        above: Vec<PathBuf>,
        mut create: impl FnMut(&Path) -> io::Result<Option<File>>,
    ) -> Result<Self, Error> {
        remove_leftovers(place);
        let path = beside(place, NEW);
        let mut unfinished = unfinished();
        loop {
            let handle = create(&path).map_err(|error| {
                above.iter().for_each(|folder| drop(fs::remove_dir(folder)));
                let taken = error.kind() == ErrorKind::AlreadyExists;
                Error::io(if taken { &path } else { place })(error)
            })?;
            let lock = handle.filter(|handle| handle.lock().is_ok());
            // Before it was locked another process may have taken it for a leftover.
            if lock.is_none() || path.exists() {
                unfinished.insert(path.clone(), above);
                return Ok(Self { place: place.to_owned(), path, _lock: lock });
            }
        }
    }

    /// Where it is until it is finished.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name. A file or folder of that name goes as a whole, or stays as it was when that fails. A file never
    /// takes the place of a folder, nor a folder that of a file.
    ///
    /// # Errors
    /// [`Error::Io`] when the name cannot be given, or the earlier folder cannot be removed.
    pub fn finish(self) -> Result<(), Error> {
        // Given up before `self` is dropped, which takes it again.
        let mut unfinished = unfinished();
        let place = &self.place;
        // A file replaces a file in one step, and nothing else; a folder has to put the earlier one aside.
        let aside = (self.path.is_dir() && place.is_dir()).then(|| beside(place, OLD));
        let _kept_from_others = aside.as_ref().and_then(|_| free(place));
        if let Some(aside) = &aside {
            fs::rename(place, aside).map_err(Error::io(place))?;
        }
        if let Err(error) = fs::rename(&self.path, place) {
            if let Some(aside) = &aside {
                // What was there stays there.
                let _ = fs::rename(aside, place);
            }
            return Err(Error::io(place)(error));
        }
        unfinished.remove(&self.path);
        let Some(mut aside) = aside else { return Ok(()) };
        // Under this name what is left of it, should this process be killed here, is not taken for a whole one.
        if fs::rename(&aside, &self.path).is_ok() {
            aside.clone_from(&self.path);
        }
        fs::remove_dir_all(&aside).map_err(Error::io(&aside))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(above) = unfinished().remove(&self.path) {
            discard(&self.path, &above);
        }
    }
}

/// Writes a file that stands under its name only when all of it is there.
///
/// # Errors
/// [`Error::Io`] when it cannot be written.
pub fn write(place: &Path, contents: &[u8]) -> Result<(), Error> {
    let (unfinished, mut file) = Unfinished::file(place)?;
    file.write_all(contents).map_err(Error::io(place))?;
    unfinished.finish()
}

/// Removes what this process has not finished, for a process that is about to end: from here on whoever begins,
/// finishes or drops an [`Unfinished`] waits for that end.
pub fn discard_all() {
    let unfinished = unfinished();
    for (path, above) in unfinished.iter() {
        discard(path, above);
    }
    std::mem::forget(unfinished);
}

/// Removes a file or folder, and folders above it that are empty then.
fn discard(path: &Path, above: &[PathBuf]) {
    // Another thread may still put a file into a folder while that is emptied.
    const TRIES: usize = 100;
    for _ in 0..TRIES {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        if removed.map_or_else(|error| error.kind() == ErrorKind::NotFound, |()| true) {
            break;
        }
    }
    for folder in above {
        // One that somebody else has put something into stays.
        let _ = fs::remove_dir(folder);
    }
}

/// Removes what processes that are gone have left of `place`; an earlier folder that one had put aside, and nothing in
/// its stead, takes its place again.
fn remove_leftovers(place: &Path) {
    let folder = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is = |what| name.strip_prefix(&hidden(place, what)).is_some_and(is_number);
        let path = entry.path();
        if !is(NEW) && !is(OLD) {
            continue;
        }
        let Some(_kept_from_others) = free(&path) else { continue };
        if is(NEW) || place.exists() {
            discard(&path, &[]);
        } else {
            // Where this fails it is left for the next one.
            let _ = fs::rename(&path, place);
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The lock on a file or folder, if nobody holds it.
fn free(path: &Path) -> Option<File> {
    // Some network file systems lock only what is open for writing, which a folder cannot be.
    let file = if path.is_dir() { File::open(path) } else { File::options().write(true).open(path) };
    file.ok().filter(|file| file.try_lock().is_ok())
}

/// A name in the same folder that no other process of this machine uses.
fn beside(place: &Path, what: &str) -> PathBuf {
    place.with_file_name(format!("{}{}", hidden(place, what), std::process::id()))
}

/// How hidden names of `place` start.
fn hidden(place: &Path, what: &str) -> String {
    let name = place.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy());
    format!(".{name}.{what}-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What is in a folder.
    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn listed<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
        names.map(str::to_owned).into()
    }

    #[test]
    fn a_file_stands_under_its_name_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.svg");
        fs::write(&place, "earlier").unwrap();
        let (unfinished, mut file) = Unfinished::file(&place).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "earlier");
        drop(unfinished);
        assert_eq!(names(folder.path()), listed(["a.svg"]));
        write(&place, b"later").unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "later");
        assert_eq!(names(folder.path()), listed(["a.svg"]));
    }

    #[test]
    fn a_name_is_filled_once_at_a_time_in_a_process() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("trace.parquet");
        let (first, _) = Unfinished::file(&place).unwrap();
        let error = Unfinished::file(&place).unwrap_err().to_string();
        assert!(error.starts_with(&first.path().display().to_string()), "{error}");
        first.finish().unwrap();
        assert_eq!(names(folder.path()), listed(["trace.parquet"]));
    }

    #[test]
    fn a_file_does_not_replace_a_folder_nor_a_folder_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("timeline.svg");
        fs::create_dir(&place).unwrap();
        fs::write(place.join("mine"), "kept").unwrap();
        assert!(write(&place, b"a picture").is_err());
        assert_eq!(fs::read_to_string(place.join("mine")).unwrap(), "kept");
        assert!(Unfinished::folder(&place.join("mine")).unwrap().finish().is_err());
        assert_eq!(fs::read_to_string(place.join("mine")).unwrap(), "kept");
        assert_eq!(names(folder.path()), listed(["timeline.svg"]));
        assert_eq!(names(&place), listed(["mine"]));
    }

    #[test]
    fn folders_on_the_way_go_too_unless_somebody_uses_them() {
        let folder = tempfile::tempdir().unwrap();
        let begin = || Unfinished::folder(&folder.path().join("a/b/run")).unwrap();
        drop(begin());
        assert_eq!(names(folder.path()), listed([]));
        let unfinished = begin();
        fs::write(folder.path().join("a/mine"), "").unwrap();
        drop(unfinished);
        assert_eq!(names(&folder.path().join("a")), listed(["mine"]));
        // Below a file nothing can be made.
        assert!(Unfinished::folder(&folder.path().join("a/mine/run")).is_err());
        assert_eq!(names(&folder.path().join("a")), listed(["mine"]));
    }

    #[test]
    #[cfg(unix)]
    fn leftovers_of_the_same_name_go_unless_somebody_fills_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [
            ".run.crossbayes-new-1",
            ".run.crossbayes-new-2",
            ".run.crossbayes-old-3",
            ".run.crossbayes-new-x",
            ".run2.crossbayes-new-1",
            "run",
        ] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("file"), name).unwrap();
        }
        let filled = File::open(at(".run.crossbayes-new-2")).unwrap();
        filled.lock().unwrap();
        let run = Unfinished::folder(&at("run")).unwrap();
        let own = run.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(
            names(folder.path()),
            listed([".run.crossbayes-new-2", ".run.crossbayes-new-x", ".run2.crossbayes-new-1", "run", own])
        );
        assert_eq!(fs::read_to_string(at("run/file")).unwrap(), "run");
        drop(filled);
        drop(run);
        drop(Unfinished::folder(&at("run")).unwrap());
        assert_eq!(names(folder.path()), listed([".run.crossbayes-new-x", ".run2.crossbayes-new-1", "run"]));
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_that_was_put_aside_for_nothing_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at(".run.crossbayes-old-3")).unwrap();
        fs::write(at(".run.crossbayes-old-3").join("file"), "earlier").unwrap();
        drop(Unfinished::folder(&at("run")).unwrap());
        assert_eq!(names(folder.path()), listed(["run"]));
        assert_eq!(fs::read_to_string(at("run/file")).unwrap(), "earlier");
    }
}
