//! The folder of a sweep: its plan, and a Parquet file for each shard, which together are the data set.
//!
//! ```text
//! plan.json            what is run: the sweep's text, hashes of the files that it names, points of a shard
//! shards/00017.parquet rows of a shard in the order of their points, without times or hosts: the same bytes whoever made them
//! locks/00017.lock     held by the process that computes a shard; the system frees it when the process ends, however it does
//! ```
//!
//! The truth is the files. A shard appears whole, on the disk, and carries its hash: one that was cut short or changed is
//! found, and counts as not there.

use crate::config::{Base, ConfigErrors, Location, OpenedSweep, Posterior, parse_sweep};
use crate::error::Error;
use crate::read;
use crate::report::content_hash;
use crate::sweep::estimate::{Pilot, check_memory};
use crate::sweep::nsga2::Scored;
use crate::sweep::points::Points;
use crate::sweep::search::Search;
use crate::sweep::space::Space;
use crate::sweep::table::{Head, Table, Values, Writer};
use crate::trace::seal::{BLANK, HASH_KEY, Hashed, hashes};
use crate::units::Age;
use crate::whole::{self, NewFile};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Changes whenever the layout of a sweep's folder does.
pub const FORMAT: u32 = 1;
/// Most points of a shard where nothing else is asked for.
const LARGEST_SHARD: u64 = 256;
const PLAN: &str = "plan.json";
/// Metadata keys of a shard.
const OF_PLAN: &str = "crossbayes.plan";
const OF_SHARD: &str = "crossbayes.shard";
const OF_PROBLEMS: &str = "crossbayes.problems";

/// What a sweep's folder is to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the program.
    pub version: String,
    /// Hash of what determines the rows: sweep, contents of files, version.
    pub id: String,
    /// Name of the sweep.
    pub name: String,
    /// Points that are run.
    pub points: u64,
    /// Combinations of values, those included that are dropped.
    pub combinations: u64,
    /// Combinations that a shard takes: shard i has those from i times this number on. Of a search, points of a round.
    pub points_per_shard: u64,
    /// Number of shards.
    pub shards: u64,
    /// Columns of the shards.
    pub columns: Vec<Head>,
    /// Files that the points read, with the hash of their contents.
    pub inputs: Vec<Input>,
    /// Overrides that were given beside the sweep file.
    pub set: Vec<String>,
    /// Folder that paths in the sweep start from; none: it is built in.
    pub folder: Option<String>,
    /// Name of the sweep file.
    pub file: String,
    /// Text of the sweep file.
    pub text: String,
}

/// A file that points read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Input {
    /// Its path.
    pub file: String,
    /// BLAKE3 of its contents.
    pub blake3: String,
}

/// How a shard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shard {
    /// Whole.
    Done {
        /// Points.
        rows: u64,
        /// Points that could not be run.
        problems: u64,
    },
    /// Not there.
    Missing,
    /// There, but cut short, changed, or of another plan.
    Damaged,
}

/// The file of a shard.
enum Opened {
    Missing,
    Damaged,
    /// With the number of its points that could not be run.
    Whole(Box<SerializedFileReader<File>>, u64),
}

/// A sweep's folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    plan: Plan,
    points: Points,
    search: Option<Search>,
    chosen: Mutex<Chosen>,
}

/// Rounds of a search that are known.
#[derive(Debug, Default)]
struct Chosen {
    rounds: Vec<Vec<u64>>,
    /// Points of all of them but the last.
    scored: Vec<Scored>,
}

/// Why a folder is not made or opened.
#[derive(Debug)]
pub enum Refused {
    /// The sweep file has problems.
    Config(ConfigErrors),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Other(error)
    }
}

/// How large the shards of a plan are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardSize {
    /// A 64th of the points, at most 256.
    Default,
    /// So many points.
    Points(u64),
    /// What one thread runs in about this time, judged by a few points.
    Time(Age),
}

/// Points of a shard where nothing else is asked for: enough shards for many threads, none of more than 256.
#[must_use]
pub fn points_per_shard(combinations: u64) -> u64 {
    combinations.div_ceil(64).clamp(1, LARGEST_SHARD)
}

impl Folder {
    /// Plans a sweep in a folder that is new, empty, or has the same plan already, whose shards then stay as large as they are.
    /// `threads` are to run it.
    ///
    /// # Errors
    /// Returns problems of the sweep with their places; [`Error::Config`] if its shards do not fit into memory;
    /// [`Error::Input`] if the folder holds anything else, or shards of another number of points than is asked for;
    /// [`Error::Io`].
    pub fn create(
        path: &Path,
        opened: &OpenedSweep,
        set: &[String],
        size: ShardSize,
        threads: usize,
    ) -> Result<Self, Refused> {
        let located = |problems| Refused::Config(opened.locate(problems));
        let space = Space::new(&opened.sweep, &opened.base, set).map_err(located)?;
        let points = Points::new(space);
        let refused = points.refused_values();
        if !refused.is_empty() {
            return Err(located(refused));
        }
        let search = Search::new(&opened.sweep, &points).map_err(located)?;
        let space = points.space();
        let mut sweep = opened.sweep.clone();
        // What is said to people changes no row.
        sweep.description.clear();
        let inputs = inputs(&points)?;
        let contents: Vec<&str> = inputs.iter().map(|input| input.blake3.as_str()).collect();
        let run = search.as_ref().map(Search::points);
        let combinations = run.unwrap_or(space.len());
        let points_run = run.unwrap_or_else(|| space.count().points);
        let file = path.join(PLAN);
        let per_shard = match size {
            ShardSize::Points(points) => points,
            ShardSize::Time(time) if !file.exists() => {
                let seconds = Pilot::run(&points)?.point_s;
                let kept = points_run.max(1) as f64 / combinations.max(1) as f64;
                ((time.seconds() / (seconds * kept)) as u64).clamp(1, combinations.max(1))
            }
            ShardSize::Time(_) | ShardSize::Default => points_per_shard(combinations),
        };
        check_memory(points.heads().len(), per_shard, threads)?;
        let plan = Plan {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            id: content_hash(&(FORMAT, env!("CARGO_PKG_VERSION"), sweep, set, contents)),
            name: opened.sweep.name.clone(),
            points: points_run,
            combinations: space.len(),
            points_per_shard: per_shard,
            shards: search.as_ref().map_or(space.len().div_ceil(per_shard), |search| search.shards(per_shard)),
            columns: points.heads(),
            inputs,
            set: set.to_vec(),
            folder: match &opened.base {
                Base::Folder(folder) => {
                    let folder = std::path::absolute(folder.join(".")).map_err(Error::io(folder))?;
                    Some(folder.to_string_lossy().into_owned())
                }
                Base::Embedded => None,
            },
            file: opened.name.clone(),
            text: opened.text.clone(),
        };
        if !file.exists() {
            // Another process may be at the same, or have been killed at it.
            let own =
                |name: &str| ["shards", "locks"].contains(&name) || name.starts_with('.') && name.contains(whole::NEW);
            let foreign = |entry: io::Result<fs::DirEntry>| {
                entry.is_ok_and(|entry| !own(&entry.file_name().to_string_lossy()) && entry.file_name() != PLAN)
            };
            if fs::read_dir(path).is_ok_and(|mut entries| entries.any(foreign)) {
                let message = "holds other files, and no sweep; expected a new or empty folder".to_owned();
                return Err(Error::Input { path: path.to_owned(), message }.into());
            }
            for folder in ["shards", "locks"] {
                let folder = path.join(folder);
                fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
            }
            let text = serde_json::to_string_pretty(&plan).expect("a plan is JSON") + "\n";
            match whole::write_to_disk(&file, text.as_bytes(), false) {
                // Another process was faster: its plan counts.
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {}
                written => written?,
            }
        }
        let there = read_plan(path)?;
        if there.id != plan.id {
            let what = if there.name == plan.name {
                "another state of this sweep, of the files that it names or of --set".to_owned()
            } else {
                format!("the sweep {}", there.name)
            };
            let message = format!("holds {what}; expected a new folder, or the sweep that was begun in it");
            return Err(Error::Input { path: path.to_owned(), message }.into());
        }
        if matches!(size, ShardSize::Points(asked) if asked != there.points_per_shard) {
            let message = format!(
                "was planned with {} points a shard; expected the same, or a new folder",
                there.points_per_shard
            );
            return Err(Error::Input { path: path.to_owned(), message }.into());
        }
        Ok(Self { path: path.to_owned(), plan: there, points, search, chosen: Mutex::default() })
    }

    /// Opens the folder of a sweep that was planned.
    ///
    /// # Errors
    /// As [`Self::create`]; also [`Error::Input`] if the folder is of another version of the program, or a file that its
    /// points read has changed.
    pub fn open(path: &Path) -> Result<Self, Refused> {
        let plan = read_plan(path)?;
        let base = plan.folder.as_ref().map_or(Base::Embedded, |folder| Base::Folder(folder.into()));
        let opened = parse_sweep(&plan.file, &plan.text, base).map_err(Refused::Config)?;
        let space = Space::new(&opened.sweep, &opened.base, &plan.set)
            .map_err(|problems| Refused::Config(opened.locate(problems)))?;
        let points = Points::new(space);
        let search =
            Search::new(&opened.sweep, &points).map_err(|problems| Refused::Config(opened.locate(problems)))?;
        Ok(Self { path: path.to_owned(), plan, points, search, chosen: Mutex::default() })
    }

    /// Checks that the files that points read are those of the plan.
    ///
    /// # Errors
    /// Returns [`Error::Input`] for one that has changed or cannot be read.
    pub fn check_inputs(&self) -> Result<(), Error> {
        for input in &self.plan.inputs {
            let path = Path::new(&input.file);
            if hash_of(path)? != input.blake3 {
                let message =
                    "has changed since the sweep was planned; expected its old contents, or a new folder".to_owned();
                return Err(Error::Input { path: path.to_owned(), message });
            }
        }
        Ok(())
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The points.
    #[must_use]
    pub fn points(&self) -> &Points {
        &self.points
    }

    /// Where the folder is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which points are run, where these are not all.
    #[must_use]
    pub fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// Points of a shard of a sweep that runs all.
    fn of_grid(&self, shard: u64) -> impl Iterator<Item = u64> {
        let (space, start) = (self.points.space(), shard * self.plan.points_per_shard);
        let range: Range<u64> = start..(start + self.plan.points_per_shard).min(self.plan.combinations);
        range.filter(|&index| space.dropped(index).is_none())
    }

    /// Number of points of a shard.
    #[must_use]
    pub fn size(&self, shard: u64) -> u64 {
        match &self.search {
            Some(search) => {
                let (_, range) = search.place(shard, self.plan.points_per_shard);
                range.end - range.start
            }
            None => self.of_grid(shard).count() as u64,
        }
    }

    /// Points of a shard; none as long as shards of earlier rounds of a search are missing, on whose rows they depend.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file of such a shard cannot be read, and [`Error::Config`] if the rows of all of them say
    /// nothing to choose points by.
    pub fn of_shard(&self, shard: u64) -> Result<Option<Vec<u64>>, Error> {
        let Some(search) = &self.search else { return Ok(Some(self.of_grid(shard).collect())) };
        let (round, range) = search.place(shard, self.plan.points_per_shard);
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        while chosen.rounds.len() <= round {
            let next = chosen.rounds.len();
            if next > 0 {
                let mut scored = Vec::new();
                for before in search.of_round(next - 1, self.plan.points_per_shard) {
                    let Some(rows) = self.rows(before)? else { return Ok(None) };
                    scored.extend(search.scored(&rows));
                }
                chosen.scored.extend(scored);
            }
            let points = match search.choose(self.points.space(), next, &chosen.scored) {
                Ok(points) => points,
                Err(error) => {
                    *chosen = Chosen::default();
                    return Err(error);
                }
            };
            chosen.rounds.push(points);
        }
        Ok(Some(chosen.rounds[round][range.start as usize..range.end as usize].to_vec()))
    }

    /// File of a shard.
    #[must_use]
    pub fn shard_path(&self, shard: u64) -> PathBuf {
        self.path.join("shards").join(format!("{shard:05}.parquet"))
    }

    fn lock_path(&self, shard: u64) -> PathBuf {
        self.path.join("locks").join(format!("{shard:05}.lock"))
    }

    /// How a shard stands: its whole file is read.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file is there and cannot be read.
    pub fn shard(&self, shard: u64) -> Result<Shard, Error> {
        Ok(match self.open_shard(shard)? {
            Opened::Missing => Shard::Missing,
            Opened::Damaged => Shard::Damaged,
            Opened::Whole(file, problems) => {
                let rows = u64::try_from(file.metadata().file_metadata().num_rows()).unwrap_or(0);
                Shard::Done { rows, problems }
            }
        })
    }

    /// The rows of a shard; none where it is missing or damaged.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file is there and cannot be read.
    pub fn rows(&self, shard: u64) -> Result<Option<Table>, Error> {
        let Opened::Whole(file, _) = self.open_shard(shard)? else { return Ok(None) };
        let path = self.shard_path(shard);
        let message = |error| Error::Input { path, message: format!("cannot be read: {error}") };
        Table::read(&file).map(Some).map_err(message)
    }

    /// Opens the file of a shard and looks whether it is what it should be.
    fn open_shard(&self, shard: u64) -> Result<Opened, Error> {
        let path = self.shard_path(shard);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Opened::Missing),
            Err(error) => return Err(Error::io(path)(error)),
        };
        // A file that is too short for a footer is damaged, and so is one whose footer holds no hash.
        let Ok(Some([stored, found])) = hashes(&mut file) else { return Ok(Opened::Damaged) };
        if stored != found {
            return Ok(Opened::Damaged);
        }
        let Ok(file) = SerializedFileReader::new(file) else { return Ok(Opened::Damaged) };
        let metadata = file.metadata().file_metadata();
        let value = |key: &str| {
            let all = metadata.key_value_metadata()?;
            all.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.clone())
        };
        let own = value(OF_PLAN).as_ref() == Some(&self.plan.id) && value(OF_SHARD) == Some(shard.to_string());
        let problems = value(OF_PROBLEMS).and_then(|number| number.parse().ok());
        let rows = self.size(shard) as i64;
        Ok(match problems {
            Some(problems) if own && metadata.num_rows() == rows => Opened::Whole(Box::new(file), problems),
            _ => Opened::Damaged,
        })
    }

    /// Writes the rows of a shard: the file appears when it is whole and on the disk.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written; an earlier file is kept then.
    pub fn write(&self, shard: u64, rows: &Table) -> Result<(), Error> {
        let place = self.shard_path(shard);
        let at_place = |error| match error {
            Error::Io { source, .. } => Error::Io { path: place.clone(), source },
            error => error,
        };
        let problems = match rows.column("problem") {
            Some(Values::Text(problems)) => problems.iter().flatten().count(),
            _ => 0,
        };
        let (new, file) = NewFile::create(&place)?;
        let mut writer = Writer::new(&self.plan.columns, Hashed::new(file)).map_err(at_place)?;
        writer.add(rows).map_err(at_place)?;
        let mut metadata = self.metadata();
        metadata.push((OF_SHARD, shard.to_string()));
        metadata.push((OF_PROBLEMS, problems.to_string()));
        metadata.push((HASH_KEY, BLANK.to_owned()));
        writer.finish(&metadata).map_err(at_place)?.seal().map_err(Error::io(&place))?;
        new.finish()?;
        whole::sync_folder(&place)
    }

    /// What made the rows, for a file's metadata.
    #[must_use]
    pub fn metadata(&self) -> Vec<(&'static str, String)> {
        vec![
            (OF_PLAN, self.plan.id.clone()),
            ("crossbayes.version", self.plan.version.clone()),
            ("crossbayes.sweep", self.plan.name.clone()),
            ("crossbayes.sweep_text", self.plan.text.clone()),
        ]
    }

    /// Claims a shard until the claim is dropped or the process ends; none if another process, or another claim of this one,
    /// has it.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file of the lock cannot be made.
    pub fn claim(&self, shard: u64) -> Result<Option<Claim>, Error> {
        let path = self.lock_path(shard);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(Error::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Claim { _file: file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io(path)(error)),
        }
    }

    /// Removes what processes that were killed have left of shards.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be read.
    pub fn tidy(&self) -> Result<(), Error> {
        let shards = self.path.join("shards");
        for entry in fs::read_dir(&shards).map_err(Error::io(&shards))? {
            let name = entry.map_err(Error::io(&shards))?.file_name().to_string_lossy().into_owned();
            let unfinished = name.strip_prefix('.').filter(|name| name.contains(whole::NEW));
            let shard = unfinished.and_then(|name| name.split('.').next()?.parse().ok());
            // Who is alive has its claim.
            if let Some(shard) = shard
                && let Some(claim) = self.claim(shard)?
            {
                // It may have been finished since.
                let _ = fs::remove_file(shards.join(&name));
                claim.finish();
            }
        }
        Ok(())
    }

    /// Whether a process is at work on a shard.
    #[must_use]
    pub fn is_claimed(&self, shard: u64) -> bool {
        // Opened only to ask: nothing is made.
        File::open(self.lock_path(shard))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// A shard that this process computes.
#[derive(Debug)]
pub struct Claim {
    _file: File,
    path: PathBuf,
}

impl Claim {
    /// Removes the lock's file when the shard is there. Whoever has opened it before looks at the shard again.
    pub fn finish(self) {
        // If it stays it is taken again.
        let _ = fs::remove_file(&self.path);
    }
}

fn read_plan(path: &Path) -> Result<Plan, Error> {
    let file = path.join(PLAN);
    let refused = |message: String| Error::Input { path: path.to_owned(), message };
    let bytes = match read::bytes(&file, read::TEXT) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(refused(
                "is no folder of a sweep: it has no plan.json\nhelp: crossbayes sweep plan makes one".to_owned(),
            ));
        }
        read => read.map_err(Error::io(&file))?,
    };
    #[derive(Deserialize)]
    struct Made {
        format: u32,
        version: String,
    }
    let broken =
        |error: serde_json::Error| Error::Input { path: file.clone(), message: format!("is no plan: {error}") };
    let made: Made = serde_json::from_slice(&bytes).map_err(broken)?;
    if (made.format, made.version.as_str()) != (FORMAT, env!("CARGO_PKG_VERSION")) {
        return Err(refused(format!(
            "was begun by crossbayes {}, and this is {}; expected the same version, or a new folder",
            made.version,
            env!("CARGO_PKG_VERSION")
        )));
    }
    serde_json::from_slice(&bytes).map_err(broken)
}

fn hash_of(path: &Path) -> Result<String, Error> {
    let mut hasher = blake3::Hasher::new();
    let mut file = read::open(path).map_err(Error::io(path))?;
    hasher.update_reader(&mut file).map_err(Error::io(path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Files that points read: those of chips and networks for each value of an axis, and the data of the networks.
fn inputs(points: &Points) -> Result<Vec<Input>, Error> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let space = points.space();
    for (a, axis) in space.axes().iter().enumerate() {
        // Only such values can name a file.
        let values = if axis.kind == crate::sweep::table::Kind::Text { axis.values.len() } else { 1 };
        for value in 0..values {
            let Some(index) = space.with_value(a, value as u32, 0) else { continue };
            let Ok(loaded) = points.load(&space.point(index)) else { continue };
            let mut named: Vec<PathBuf> = Vec::new();
            named.extend(loaded.files.iter().filter(|file| !file.starts_with("built-in:")).map(PathBuf::from));
            let workload = &loaded.config.workload;
            let mut paths: Vec<&str> = [&workload.images, &workload.calibration, &workload.out_of_distribution]
                .into_iter()
                .flatten()
                .map(|images| images.path.as_str())
                .collect();
            if let Posterior::File { path, .. } = &workload.posterior {
                paths.push(path);
            }
            for path in paths {
                if let Location::File(file) = loaded.workload_base.locate(path) {
                    named.push(file);
                }
            }
            for file in named {
                let file = std::path::absolute(&file).map_err(Error::io(&file))?;
                let name = file.to_string_lossy().into_owned();
                if let Entry::Vacant(entry) = files.entry(name) {
                    entry.insert(hash_of(&file)?);
                }
            }
        }
    }
    Ok(files.into_iter().map(|(file, blake3)| Input { file, blake3 }).collect())
}
