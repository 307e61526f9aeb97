//! The folder of a run: filled beside its place under another name, then put there as a whole.
//!
//! Nothing that no run has written is ever removed. A finished folder holds [`MARK`], the list of its files with their
//! BLAKE3 hashes in the format of `b3sum`. It is replaced only where it holds nothing but files of that list, unchanged;
//! that is looked at before the work, and once more when the folder has been put aside, where nobody finds it by its name.
//! Then the files of the list are removed one by one, and folders that are empty then.
//!
//! While it is filled, a folder is called `.NAME.crossbayes-new-PROCESS` and holds [`BEGUN`], the names of the files begun
//! in it: by them it is removed when the run fails, when a signal ends the process, or, after a kill, when the next run of
//! the same name begins. A lock on that list shows whether somebody still fills the folder: it ends with its process, on
//! whatever machine that runs (if the file system shares its locks), where a process number says nothing about others.

use crate::error::Error;
use crate::whole::{self, NEW, hidden};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Name of the list by which a folder is known to be a run's: a line `HASH  NAME` for each file.
pub(super) const MARK: &str = "b3sums";
/// Name of the list of files begun in a folder that is being filled.
const BEGUN: &str = ".begun";
/// Name of the file by whose contents runs are distinguished.
pub(super) const CONFIG: &str = "config.ron";
/// Word in the hidden name of a folder that has been put aside for another one.
const OLD: &str = "crossbayes-old";

/// Where the folder of a run goes.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// To this path, or nowhere.
    Exactly(PathBuf),
    /// To this path, or with a number behind it where a run of another configuration or anything else is there.
    Numbered(PathBuf),
}

/// A folder that is being filled. Dropped without [`Folder::finish`], it leaves nothing.
#[derive(Debug)]
pub(super) struct Folder {
    place: Place,
    path: PathBuf,
    /// The list of what was begun, locked; none when the folder is finished.
    begun: Option<File>,
    config: blake3::Hash,
}

impl Folder {
    /// Opens a folder for the run of `config`, and makes the folders above it.
    ///
    /// # Errors
    /// Returns [`Error::Input`] if its place holds anything but a run, or cannot be replaced; [`Error::Io`] if nothing can be
    /// written beside it.
    pub(super) fn create(place: Place, config: &str) -> Result<Self, Error> {
        let place = match place {
            Place::Exactly(place) => Place::Exactly(replaceable(&place)?),
            numbered @ Place::Numbered(_) => numbered,
        };
        let (Place::Exactly(path) | Place::Numbered(path)) = &place;
        let above = path.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let above: Vec<PathBuf> = above.map(Path::to_owned).collect();
        if let Some(parent) = above.first() {
            fs::create_dir_all(parent).map_err(Error::io(path))?;
        }
        remove_leftovers(path);
        let (path, begun) = begin(path, above)?;
        let folder = Self { place, path, begun: Some(begun), config: blake3::hash(config.as_bytes()) };
        if let Place::Exactly(place) = &folder.place {
            try_to_replace(place, &folder.path)?;
        }
        Ok(folder)
    }

    /// Path of a file of the run while the folder is being filled. Folders in its name are made.
    pub(super) fn file(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        if let Some(mut begun) = self.begun.as_ref() {
            writeln!(begun, "{name}").map_err(Error::io(&path))?;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::io(parent))?;
        }
        Ok(path)
    }

    /// Writes a file of the run.
    pub(super) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<(), Error> {
        let path = self.file(name)?;
        fs::write(&path, contents).map_err(Error::io(&path))
    }

    /// Puts the folder in its place and returns that; an earlier run there goes. Where the place has been taken meanwhile,
    /// what is there stays, and the new run goes beside it.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the place is taken, or the folder cannot be put anywhere.
    pub(super) fn finish(mut self) -> Result<PathBuf, Error> {
        // The list of what was begun, and its lock, go.
        let _kept_from_others = File::open(&self.path).ok().filter(|folder| folder.lock().is_ok());
        self.write_mark().map_err(Error::io(self.path.join(MARK)))?;
        // Until it has its name nobody may discard it.
        let mut unfinished = whole::unfinished();
        let placed = match &self.place {
            Place::Exactly(place) => match swap(&self.path, place, None) {
                Ok(()) => Ok(place.clone()),
                Err(refusal) => {
                    let beside = numbered(&self.path, place, self.config, 2)?;
                    let message = format!("{}\nhelp: the new run is in {}", refusal.message, beside.display());
                    Err(Error::io(&refusal.path)(io::Error::other(message)))
                }
            },
            Place::Numbered(stem) => numbered(&self.path, stem, self.config, 1),
        };
        unfinished.remove(&self.path);
        self.begun = None;
        placed
    }

    fn write_mark(&self) -> io::Result<()> {
        let mut names = Vec::new();
        files_in(&self.path, Path::new(""), &mut names)?;
        let mut mark = String::new();
        for name in names.iter().filter(|name| *name != BEGUN) {
            mark += &format!("{}  {name}\n", hash(&self.path.join(name))?);
        }
        fs::write(self.path.join(MARK), mark)?;
        fs::remove_file(self.path.join(BEGUN))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.begun.is_some()
            && let Some(remove) = whole::unfinished().remove(&self.path)
        {
            remove();
        }
    }
}

/// Why a folder is left alone.
#[derive(Debug)]
struct Refusal {
    path: PathBuf,
    message: String,
    help: String,
}

impl Refusal {
    fn new(path: &Path, message: impl Into<String>) -> Self {
        let help = "choose another folder with --out".to_owned();
        Self { path: path.to_owned(), message: message.into(), help }
    }

    fn move_first(self, what: &str) -> Self {
        let help = format!("move {what} elsewhere, or {}", self.help);
        Self { help, ..self }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Input { path: refusal.path, message: format!("{}\nhelp: {}", refusal.message, refusal.help) }
    }
}

/// The path itself, or what it leads to as a link, if a run may take its place.
fn replaceable(place: &Path) -> Result<PathBuf, Refusal> {
    let refuse = |message: &str| Err(Refusal::new(place, message));
    // `link/` is the link too.
    let bare: PathBuf = place.components().collect();
    if bare.is_symlink() && !bare.exists() {
        return refuse("is a link that leads nowhere; expected a folder");
    }
    if !place.exists() && place.file_name().is_some() {
        return Ok(bare);
    }
    let real = fs::canonicalize(place).map_err(|error| Refusal::new(place, error.to_string()))?;
    if std::env::current_dir().and_then(fs::canonicalize).is_ok_and(|current| current.starts_with(&real)) {
        return refuse("is or holds the working directory, and cannot be replaced");
    }
    if real.file_name().is_none() {
        return refuse("cannot be replaced as a whole");
    }
    if !real.is_dir() {
        return refuse("is a file; expected a folder");
    }
    files_of_run(&real, place)?;
    Ok(if bare.is_symlink() || place.file_name().is_none() { real } else { bare })
}

/// Whether a folder, if it is there, can be renamed: a mount point cannot, nor what stands in a folder that nobody may
/// change. `filled` is a folder beside it that is not empty, so the try cannot succeed.
fn try_to_replace(place: &Path, filled: &Path) -> Result<(), Refusal> {
    if !cfg!(unix) || !place.exists() {
        return Ok(());
    }
    match fs::rename(place, filled) {
        // The last thing that the system looks at: nothing else stands in the way.
        Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => Ok(()),
        Err(error) => {
            let busy = if error.kind() == ErrorKind::ResourceBusy { ": a mount point?" } else { "" };
            let refusal = Refusal::new(place, format!("cannot be replaced as a whole ({error}){busy}"));
            Err(Refusal {
                help: format!("choose a folder below it, such as {}", place.join("run").display()),
                ..refusal
            })
        }
        Ok(()) => Err(Refusal::new(place, format!("has moved to {}", filled.display()))),
    }
}

/// What is left in the folder of a finished run.
#[derive(Debug, Default)]
struct OfRun {
    /// Files and their hashes.
    files: BTreeMap<String, blake3::Hash>,
    /// Folders that held files of the run, and are empty.
    emptied: Vec<String>,
}

/// What a finished run has left in a folder, where there is nothing else; nothing in an empty folder. Messages call
/// it `shown`.
fn files_of_run(folder: &Path, shown: &Path) -> Result<OfRun, Refusal> {
    let failed = |error: io::Error| Refusal::new(shown, error.to_string());
    if fs::read_dir(folder).map_err(failed)?.next().is_none() {
        return Ok(OfRun::default());
    }
    let Some(listed) = marked(folder).map_err(failed)? else {
        let message = format!("holds files, and no {MARK} that lists those of a run; version 0.1 wrote none");
        let refusal = Refusal::new(shown, message);
        return Err(Refusal {
            help: format!("move or remove {} yourself, or {}", shown.display(), refusal.help),
            ..refusal
        });
    };
    let changed = |name: &str| {
        let message = format!("{name} was changed after the run had written it; it stays as it is");
        Refusal::new(shown, message).move_first(&shown.display().to_string())
    };
    let listed = listed.ok_or_else(|| changed(MARK))?;
    let mut found = Vec::new();
    files_in(folder, Path::new(""), &mut found).map_err(failed)?;
    found.retain(|name| name != MARK);
    let of_run = |name: &String| {
        let within = format!("{name}/");
        listed.contains_key(name) || listed.keys().any(|file| file.starts_with(&within))
    };
    if let Some(name) = found.iter().find(|name| !of_run(name)) {
        // Of a folder in which nothing is the run's, the folder.
        let parents = Path::new(name).ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
        let foreign = parents.map(|parent| parent.to_string_lossy().into_owned()).filter(|parent| !of_run(parent));
        let name = foreign.last().unwrap_or_else(|| name.clone());
        let message = format!("holds {name}, which no run has written; it stays as it is");
        return Err(Refusal::new(shown, message).move_first(&name));
    }
    let mut of_run = OfRun::default();
    for name in found {
        let Some(hash) = listed.get(&name) else {
            of_run.emptied.push(name);
            continue;
        };
        let path = folder.join(&name);
        // A link is none of the run's.
        let same = path.symlink_metadata().is_ok_and(|entry| entry.is_file())
            && self::hash(&path).is_ok_and(|found| found == *hash);
        if !same {
            return Err(changed(&name));
        }
        of_run.files.insert(name, *hash);
    }
    Ok(of_run)
}

/// The files that a folder's mark lists; the inner [`None`] when it is none of ours, the outer when there is none.
#[allow(clippy::type_complexity)]
fn marked(folder: &Path) -> io::Result<Option<Option<BTreeMap<String, blake3::Hash>>>> {
    let text = match fs::read_to_string(folder.join(MARK)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => return Ok(Some(None)),
        text => text?,
    };
    let line = |line: &str| {
        let (hash, name) = line.split_once("  ")?;
        Some((name.to_owned(), blake3::Hash::from_hex(hash).ok()?))
    };
    let listed: Option<BTreeMap<_, _>> = text.lines().map(line).collect();
    // Exactly what was written: not a blank more.
    let same = |listed: &BTreeMap<String, blake3::Hash>| {
        !listed.is_empty()
            && listed.iter().map(|(name, hash)| format!("{hash}  {name}\n")).eq(text.split_inclusive('\n'))
    };
    Ok(Some(listed.filter(same)))
}

/// Paths within `folder` of all that is in its folder `below`, with `/`, sorted: files, links and empty folders.
fn files_in(folder: &Path, below: &Path, found: &mut Vec<String>) -> io::Result<()> {
    let mut names =
        fs::read_dir(folder.join(below))?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    for name in names {
        let path = below.join(name);
        let is_folder = folder.join(&path).symlink_metadata()?.is_dir();
        let before = found.len();
        if is_folder {
            files_in(folder, &path, found)?;
        }
        if !is_folder || found.len() == before {
            let words: Vec<_> = path.iter().map(OsStr::to_string_lossy).collect();
            found.push(words.join("/"));
        }
    }
    Ok(())
}

/// BLAKE3 of a file.
fn hash(path: &Path) -> io::Result<blake3::Hash> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize()),
            length => hasher.update(&buffer[..length]),
        };
    }
}

/// Removes files of a folder, then `folders` in it and those that the files were in, then the folder: what is not empty
/// stays.
fn remove<'a>(
    folder: &'a Path,
    files: impl IntoIterator<Item = &'a str>,
    mut folders: Vec<&'a Path>,
) -> io::Result<()> {
    let gone = |removed: io::Result<()>| match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    for name in files {
        gone(fs::remove_file(folder.join(name)))?;
        folders.extend(Path::new(name).ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()));
    }
    // Longer paths first: those within others.
    folders.sort_unstable_by_key(|path| std::cmp::Reverse((path.as_os_str().len(), *path)));
    folders.dedup();
    for path in folders {
        gone(fs::remove_dir(folder.join(path)))?;
    }
    gone(fs::remove_dir(folder))
}

/// Removes a folder that holds a run, or is empty.
fn remove_run(folder: &Path) -> Result<(), Error> {
    let OfRun { files, emptied } = files_of_run(folder, folder)?;
    let files = files.keys().map(String::as_str).chain([MARK]);
    remove(folder, files, emptied.iter().map(Path::new).collect()).map_err(Error::io(folder))
}

/// Removes a folder that was being filled, as far as the run had begun files in it; or was just finished.
fn remove_begun(folder: &Path) {
    if !folder.join(BEGUN).exists() {
        let _ = remove_run(folder);
        return;
    }
    // Another thread may still put a file into it.
    const TRIES: usize = 100;
    for _ in 0..TRIES {
        let begun = fs::read_to_string(folder.join(BEGUN)).unwrap_or_default();
        // A file that is written under a hidden name of its own.
        let mut names = Vec::new();
        for name in begun.lines() {
            let prefix = hidden(Path::new(name), NEW);
            let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
            let own = entries.filter(|entry| entry.as_encoded_bytes().starts_with(prefix.as_encoded_bytes()));
            names.extend(own.filter_map(|entry| entry.into_string().ok()));
        }
        names.extend(begun.lines().map(str::to_owned));
        names.extend([MARK, BEGUN].map(str::to_owned));
        if remove(folder, names.iter().map(String::as_str), Vec::new()).is_ok() {
            break;
        }
    }
}

/// Makes the hidden folder of `place` and locks its list; `above` are folders that were made for it, the deepest first.
fn begin(place: &Path, above: Vec<PathBuf>) -> Result<(PathBuf, File), Error> {
    let path = beside(place, NEW);
    let mut unfinished = whole::unfinished();
    let create = || loop {
        fs::create_dir(&path)?;
        let begun = match File::create_new(path.join(BEGUN)) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            begun => begun?,
        };
        // Where nothing can be locked others leave it alone. Before it was locked another process may have taken it for
        // a leftover.
        let _ = begun.lock();
        if path.exists() {
            return Ok(begun);
        }
    };
    let begun = create().map_err(|error: io::Error| {
        above.iter().for_each(|folder| drop(fs::remove_dir(folder)));
        let taken = error.kind() == ErrorKind::AlreadyExists;
        Error::io(if taken { &path } else { place })(error)
    })?;
    let own = path.clone();
    let discard = move || {
        remove_begun(&own);
        // One that somebody else has put something into stays.
        above.iter().for_each(|folder| drop(fs::remove_dir(folder)));
    };
    unfinished.insert(path.clone(), Box::new(discard));
    Ok((path, begun))
}

/// Gives a finished folder the name `place`. A run that is there, of configuration `config` if one is given, goes; anything
/// else stays, and the folder keeps its hidden name.
fn swap(finished: &Path, place: &Path, config: Option<blake3::Hash>) -> Result<(), Refusal> {
    let refuse = |error: io::Error| Refusal::new(place, error.to_string());
    if !place.is_dir() {
        // A file stays: a folder cannot take its name.
        return fs::rename(finished, place).map_err(refuse);
    }
    let fits = |folder: &Path| match files_of_run(folder, place) {
        Ok(OfRun { files, .. })
            if files.is_empty() || config.is_none_or(|config| files.get(CONFIG) == Some(&config)) =>
        {
            Ok(())
        }
        Ok(_) => Err(Refusal::new(place, "holds a run of another configuration")),
        Err(refusal) => Err(refusal),
    };
    fits(place)?;
    let aside = beside(place, OLD);
    // Kept from others who would put it back.
    let _lock = free(place);
    fs::rename(place, &aside).map_err(refuse)?;
    // Once more, where nobody finds it by its name.
    if let Err(refusal) = fits(&aside).and_then(|()| fs::rename(finished, place).map_err(refuse)) {
        // Where that fails, the next run of this name tries again.
        let _ = fs::rename(&aside, place);
        return Err(refusal);
    }
    // Under its new name what is left of it, should this process be killed here, is not taken for a whole one.
    let rest = if fs::rename(&aside, finished).is_ok() { finished } else { &aside };
    // What somebody has put there in these moments stays.
    if remove_run(rest).is_err() {
        let _ = fs::rename(rest, &aside);
    }
    Ok(())
}

/// Puts a finished folder to `stem`, or with a number from `first` on behind it: the first place that is free or holds a
/// run of the same configuration.
fn numbered(finished: &Path, stem: &Path, config: blake3::Hash, first: u32) -> Result<PathBuf, Error> {
    let mut number = first;
    loop {
        let mut place = stem.as_os_str().to_owned();
        if number > 1 {
            place.push(format!("-{number}"));
        }
        let place = PathBuf::from(place);
        // Told from its list alone, whether it is worth a look at every file.
        let same = || {
            marked(&place).is_ok_and(|listed| listed.flatten().is_some_and(|files| files.get(CONFIG) == Some(&config)))
        };
        if place.symlink_metadata().is_err() || same() {
            match swap(finished, &place, Some(config)) {
                Ok(()) => return Ok(place),
                // Nothing is in the way, and still it does not go.
                Err(refusal) if place.symlink_metadata().is_err() => return Err(refusal.into()),
                Err(_) => {}
            }
        }
        number += 1;
    }
}

/// Removes what processes that are gone have left of `place`; an earlier folder that one had put aside, and nothing in
/// its stead, takes its place again.
fn remove_leftovers(place: &Path) {
    let folder = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is = |what| {
            let number = name.as_encoded_bytes().strip_prefix(hidden(place, what).as_encoded_bytes());
            number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
        };
        let path = entry.path();
        if !is(NEW) && !is(OLD) {
            continue;
        }
        let Some(_kept_from_others) = free(&path) else { continue };
        if is(NEW) || place.exists() {
            // What no run has written stays.
            remove_begun(&path);
        } else {
            // Where this fails it is left for the next one.
            let _ = fs::rename(&path, place);
        }
    }
}

/// The lock on a folder, if nobody holds it.
fn free(folder: &Path) -> Option<File> {
    let begun = folder.join(BEGUN);
    // Some network file systems lock only what is open for writing, which a folder cannot be.
    let file = if begun.exists() { File::options().write(true).open(begun) } else { File::open(folder) };
    file.ok().filter(|file| file.try_lock().is_ok())
}

/// A name in the same folder that no other process of this machine uses.
fn beside(place: &Path, what: &str) -> PathBuf {
    let mut name = hidden(place, what);
    name.push(std::process::id().to_string());
    place.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whole::tests::names;

    fn begun(place: &Path) -> Folder {
        Folder::create(Place::Exactly(place.to_owned()), "config").unwrap()
    }

    /// A finished run in `place`.
    fn run(place: &Path, text: &str) {
        let folder = begun(place);
        folder.write("report.txt", text).unwrap();
        folder.write("plots/energy.svg", "drawn").unwrap();
        assert_eq!(folder.finish().unwrap(), place);
    }

    #[test]
    fn folders_on_the_way_go_too_unless_somebody_uses_them() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/b/run");
        let unfinished = begun(&place);
        unfinished.write("plots/energy.svg", "drawn").unwrap();
        drop(unfinished);
        assert!(names(folder.path()).is_empty());
        let unfinished = begun(&place);
        fs::write(folder.path().join("a/mine"), "").unwrap();
        drop(unfinished);
        assert_eq!(names(&folder.path().join("a")), ["mine"]);
        // Below a file nothing can be made.
        assert!(Folder::create(Place::Exactly(folder.path().join("a/mine/run")), "").is_err());
        assert_eq!(names(&folder.path().join("a")), ["mine"]);
    }

    #[test]
    fn what_somebody_puts_into_an_unfinished_folder_stays() {
        let folder = tempfile::tempdir().unwrap();
        let unfinished = begun(&folder.path().join("run"));
        unfinished.write("report.txt", "half").unwrap();
        let hidden = unfinished.path.clone();
        fs::write(hidden.join("mine"), "kept").unwrap();
        drop(unfinished);
        assert_eq!(names(&hidden), ["mine"]);
    }

    #[test]
    #[cfg(unix)]
    fn leftovers_of_the_same_name_go_unless_somebody_fills_them() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        run(&at("run"), "the earlier one");
        let all = [".run.crossbayes-new-1", ".run.crossbayes-new-2", ".run.crossbayes-new-x", ".run2.crossbayes-new-1"];
        for name in all {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join(BEGUN), "report.txt\ntrace.parquet\n").unwrap();
            fs::write(at(name).join("report.txt"), "half").unwrap();
            fs::write(at(name).join(".trace.parquet.crossbayes-new-abc"), "half").unwrap();
        }
        // One that had been put aside for the run that is there now.
        run(&at("aside"), "older");
        fs::rename(at("aside"), at(".run.crossbayes-old-3")).unwrap();
        let filled = File::options().write(true).open(at(".run.crossbayes-new-2").join(BEGUN)).unwrap();
        filled.lock().unwrap();
        let unfinished = begun(&at("run"));
        let own = unfinished.path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut left: Vec<&str> = all[1..].to_vec();
        left.extend(["run", &own]);
        left.sort_unstable();
        assert_eq!(names(folder.path()), left);
        assert_eq!(fs::read_to_string(at("run/report.txt")).unwrap(), "the earlier one");
        drop(filled);
        drop(unfinished);
        drop(begun(&at("run")));
        assert_eq!(names(folder.path()), [".run.crossbayes-new-x", ".run2.crossbayes-new-1", "run"]);
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_that_was_put_aside_for_nothing_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        run(&at("run"), "earlier");
        fs::rename(at("run"), at(".run.crossbayes-old-3")).unwrap();
        drop(begun(&at("run")));
        assert_eq!(names(folder.path()), ["run"]);
        assert_eq!(fs::read_to_string(at("run/report.txt")).unwrap(), "earlier");
    }

    #[test]
    fn a_list_that_names_files_elsewhere_removes_none_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let (place, mine) = (folder.path().join("run"), folder.path().join("mine"));
        fs::create_dir(&place).unwrap();
        fs::write(&mine, "kept").unwrap();
        let hash = hash(&mine).unwrap();
        fs::write(place.join(MARK), format!("{hash}  ../mine\n{hash}  {}\n", mine.display())).unwrap();
        run(&place, "later");
        assert_eq!(fs::read_to_string(&mine).unwrap(), "kept");
    }

    #[test]
    fn a_finished_folder_holds_the_hashes_of_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("run");
        run(&place, "abc");
        let [drawn, abc] = ["drawn", "abc"].map(|text| blake3::hash(text.as_bytes()));
        let expected = format!("{drawn}  plots/energy.svg\n{abc}  report.txt\n");
        assert_eq!(fs::read_to_string(place.join(MARK)).unwrap(), expected);
        // Folders that were emptied go too.
        fs::remove_file(place.join("plots/energy.svg")).unwrap();
        run(&place, "abcd");
        assert_eq!(names(folder.path()), ["run"]);
    }
}
