//! `sweep`: design spaces, planned, run, looked at and merged.

use super::text::{aligned, row, value};
use super::{Failure, Format, Global, discard_on_signals, pareto, print, progress, submit};
use crate::config::{OpenedSweep, load_sweep};
use crate::error::Error;
use crate::report::quantity::grouped;
use crate::sweep::{
    self, Cell, Estimate, Folder, Kind, Points, Ran, Refused, Search, Shard, ShardSize, Space, Writer, estimate,
    figures, folder, merge, ranges,
};
use crate::trace::seal::{BLANK, HASH_KEY, Hashed};
use crate::units::Age;
use crate::whole::NewFile;
use clap::Subcommand;
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Arguments of `sweep`.
#[derive(Debug, clap::Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "A sweep's folder is the data set: shards/*.parquet has a row a point, and DuckDB, pandas and polars read it as it
lies. Running again computes what is missing and nothing else, after any kill and beside other processes.

Examples:
  crossbayes show sweep digits_adc
  crossbayes sweep run digits_adc --out digits
  crossbayes sweep status digits
  crossbayes sweep merge digits --csv digits.csv
  crossbayes sweep pareto digits --objectives energy,latency --subject-to \"accuracy>=0.9\"
  crossbayes sweep plan my.ron --out s && seq 0 63 | xargs -P 8 -I{} crossbayes sweep shard s --threads 1 --index {}"
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Plan and run a sweep, or go on with one: what is there already is kept.
    Run(Run),
    /// Write the plan of a sweep into a folder, for shards to be run from it.
    Plan(PlanArgs),
    /// Run one shard of a planned sweep, unless it is there; the only thing that a cluster has to call.
    Shard(ShardArgs),
    /// Submit the missing shards of a planned sweep to a cluster.
    Submit(submit::Args),
    /// Say what of a sweep is there, at work, missing or damaged.
    Status(Of),
    /// Print the numbers of the shards that are missing or damaged.
    Missing(Missing),
    /// Write the rows of complete sweeps into one file.
    Merge(Merge),
    /// Find the best points of complete sweeps under several objectives and bounds, and what each axis does.
    Pareto(pareto::Args),
    /// Print the figures that a sweep records.
    Figures,
}

/// What to sweep.
#[derive(Debug, Clone, clap::Args)]
struct PlanArgs {
    /// Sweep: a file, or the name of a built-in one.
    #[arg(value_name = "FILE")]
    file: String,
    /// Folder of the results: new, empty, or of the same sweep.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Clone, clap::Args)]
struct Options {
    /// Changes one key of all points, e.g. `schedule.images=4`; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Points of a shard, which is lost as a whole when a process is killed [default: a 64th of them, at most 256].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    points_per_shard: Option<u64>,
    /// Time that a thread takes for a shard, such as 5min: tries a few points, and sets how many a shard has.
    #[arg(long, value_name = "TIME", value_parser = Age::parse, conflicts_with = "points_per_shard")]
    time_per_shard: Option<Age>,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Sweep: a file, the name of a built-in one, or the folder of one that was planned.
    #[arg(value_name = "FILE")]
    file: String,
    /// Folder of the results: new, empty, or of the same sweep.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Goes on with a sweep that was begun, which is done without it too.
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
struct Of {
    /// Folder of a sweep.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Debug, clap::Args)]
struct ShardArgs {
    #[command(flatten)]
    of: Of,
    /// Number of the shard, from 0 on.
    #[arg(long, value_name = "I")]
    index: u64,
}

#[derive(Debug, clap::Args)]
struct Missing {
    #[command(flatten)]
    of: Of,
    /// One number a line, instead of ranges such as 9,16-63.
    #[arg(long)]
    lines: bool,
}

#[derive(Debug, clap::Args)]
struct Merge {
    /// Folders of sweeps with the same columns. Folders of the same sweep may each have some of its shards.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Parquet file; an earlier one is replaced.
    #[arg(long, value_name = "FILE", required_unless_present = "csv")]
    out: Option<PathBuf>,
    /// CSV file; an earlier one is replaced.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Config(errors) => Failure::Config(errors),
            Refused::Other(error) => Failure::Other(error),
        }
    }
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    match &args.verb {
        Verb::Run(args) => run_all(args, global),
        Verb::Plan(args) => {
            discard_on_signals()?;
            let folder = planned(&args.file, &args.out, &args.options, global)?;
            let plan = folder.plan();
            global.say(&format!("planned {}", args.out.display()));
            let text = match global.format {
                Format::Json => format!("{:#}\n", json!(plan)),
                Format::Table => format!(
                    "{}: {} points in {} shards of {}\n",
                    plan.name,
                    grouped(plan.points),
                    grouped(plan.shards),
                    grouped(plan.points_per_shard)
                ),
            };
            Ok(print(&text)?)
        }
        Verb::Shard(args) => {
            let folder = Folder::open(&args.of.folder)?;
            let shards = folder.plan().shards;
            if args.index >= shards {
                let message = format!("--index {}: the plan has {shards} shards, 0 to {}", args.index, shards - 1);
                return Err(Error::Config(message).into());
            }
            if !matches!(folder.shard(args.index)?, Shard::Done { .. }) && folder.of_shard(args.index)?.is_none() {
                let message = format!(
                    "--index {}: its points depend on earlier shards of the search, of which some are missing; expected \
                     `crossbayes sweep run {}`, which computes them in turn",
                    args.index,
                    folder.path().display()
                );
                return Err(Error::Config(message).into());
            }
            work(&folder, args.index..args.index + 1, folder.size(args.index), global)
        }
        Verb::Submit(args) => {
            let folder = Folder::open(&args.folder)?;
            submit::run(args, &folder, &missing(&folder)?, global)
        }
        Verb::Status(args) => status(&Folder::open(&args.folder)?, global),
        Verb::Missing(args) => {
            let missing = missing(&Folder::open(&args.of.folder)?)?;
            Ok(print(&match global.format {
                Format::Json => format!("{}\n", json!(missing)),
                Format::Table if args.lines => missing.iter().map(|shard| format!("{shard}\n")).collect(),
                Format::Table if missing.is_empty() => String::new(),
                Format::Table => ranges(&missing) + "\n",
            })?)
        }
        Verb::Merge(args) => merged(args, global),
        Verb::Pareto(args) => pareto::run(args, global),
        Verb::Figures => {
            let text = match global.format {
                Format::Json => format!("{:#}\n", json!(figures::heads().collect::<Vec<_>>())),
                Format::Table => {
                    let kind = |kind| match kind {
                        Kind::Integer => "whole number",
                        Kind::Real => "number",
                        Kind::Text => "text",
                    };
                    aligned(
                        &figures::heads()
                            .map(|head| vec![head.name.clone(), kind(head.kind).to_owned()])
                            .collect::<Vec<_>>(),
                    )
                }
            };
            Ok(print(&text)?)
        }
    }
}

/// Overrides beside the sweep file.
fn overrides(set: &[String], global: &Global) -> Vec<String> {
    set.iter().cloned().chain(global.seed.map(|seed| format!("seed={seed}"))).collect()
}

fn planned(file: &str, out: &Path, options: &Options, global: &Global) -> Result<Folder, Failure> {
    let opened = load_sweep(file).map_err(Failure::Config)?;
    let size = match (options.points_per_shard, options.time_per_shard) {
        (Some(points), _) => ShardSize::Points(points),
        (None, Some(time)) => ShardSize::Time(time),
        (None, None) => ShardSize::Default,
    };
    Ok(Folder::create(out, &opened, &overrides(&options.set, global), size, global.threads())?)
}

fn run_all(args: &Run, global: &Global) -> Result<(), Failure> {
    let folder = match &args.out {
        Some(out) => planned(&args.file, out, &args.options, global)?,
        None if Path::new(&args.file).is_dir() => Folder::open(Path::new(&args.file))?,
        None => {
            let message = format!("{}: expected --out DIR, the folder of the results", args.file);
            return Err(Error::Config(message).into());
        }
    };
    let plan = folder.plan();
    let (shards, points) = (plan.shards, plan.points);
    work(&folder, 0..shards, points, global)
}

static STOP: AtomicBool = AtomicBool::new(false);

/// Runs shards to their end, or until a signal, and says what came of it.
fn work(folder: &Folder, shards: std::ops::Range<u64>, points: u64, global: &Global) -> Result<(), Failure> {
    #[cfg(unix)]
    super::interrupt::stop_on_signals(&STOP)?;
    folder.check_inputs()?;
    let bar = progress::points(global, points);
    let begun = std::sync::Once::new();
    let tell = |ran: &Ran| {
        // The rate is that of the points that are computed here.
        begun.call_once(|| bar.set_position(ran.found));
        bar.set_position(ran.found + ran.computed);
    };
    let ran = sweep::run(folder, shards, global.threads(), &STOP, &tell);
    bar.finish_and_clear();
    #[cfg(unix)]
    if !matches!(&ran, Ok(ran) if !ran.stopped) {
        super::interrupt::end_if_asked();
    }
    let ran = ran?;
    if ran.repaired > 0 {
        global.say(&format!("{} damaged shards were computed again", grouped(ran.repaired)));
    }
    let text = match global.format {
        Format::Json => format!(
            "{:#}\n",
            json!({ "found": ran.found, "computed": ran.computed, "problems": ran.problems, "repaired": ran.repaired })
        ),
        Format::Table => {
            let problems = match ran.problems {
                0 => String::new(),
                problems => format!("; {} could not be run, see the column `problem`", grouped(problems)),
            };
            format!(
                "{} points: {} computed, {} there before{problems}\n",
                grouped(ran.found + ran.computed),
                grouped(ran.computed),
                grouped(ran.found)
            )
        }
    };
    Ok(print(&text)?)
}

fn missing(folder: &Folder) -> Result<Vec<u64>, Error> {
    let mut missing = Vec::new();
    for shard in 0..folder.plan().shards {
        if !matches!(folder.shard(shard)?, Shard::Done { .. }) {
            missing.push(shard);
        }
    }
    Ok(missing)
}

fn status(folder: &Folder, global: &Global) -> Result<(), Failure> {
    let plan = folder.plan();
    let (mut done, mut at_work, mut absent, mut damaged, mut points, mut problems) = (0, 0, 0, 0, 0, 0);
    for shard in 0..plan.shards {
        match folder.shard(shard)? {
            Shard::Done { rows, problems: of_shard } => {
                done += 1;
                points += rows;
                problems += of_shard;
            }
            _ if folder.is_claimed(shard) => at_work += 1,
            Shard::Missing => absent += 1,
            Shard::Damaged => damaged += 1,
        }
    }
    let text = match global.format {
        Format::Json => format!(
            "{:#}\n",
            json!({
                "name": plan.name, "id": plan.id, "version": plan.version,
                "points": { "all": plan.points, "done": points, "problems": problems },
                "shards": { "all": plan.shards, "done": done, "at_work": at_work, "missing": absent, "damaged": damaged },
            })
        ),
        Format::Table => {
            let mut text = format!(
                "{}: {} of {} points, {problems} of them could not be run\n",
                plan.name,
                grouped(points),
                grouped(plan.points)
            );
            let _ = writeln!(
                text,
                "{} shards: {done} done, {at_work} at work, {absent} missing, {damaged} damaged",
                grouped(plan.shards)
            );
            text
        }
    };
    Ok(print(&text)?)
}

fn merged(args: &Merge, global: &Global) -> Result<(), Failure> {
    discard_on_signals()?;
    let folders = args.folders.iter().map(|folder| Folder::open(folder)).collect::<Result<Vec<_>, _>>()?;
    let columns = merge::columns(&folders)?;
    let create = |place: &Option<PathBuf>| place.as_deref().map(NewFile::create).transpose();
    let (out, csv) = (create(&args.out)?, create(&args.csv)?);
    let mut out = match out {
        Some((new, file)) => Some((new, Writer::new(columns, Hashed::new(file))?)),
        None => None,
    };
    let in_csv = |error: &dyn std::fmt::Display| Error::Internal(format!("results as CSV: {error}"));
    let mut csv = match csv {
        Some((new, file)) => {
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(columns.iter().map(|head| &head.name)).map_err(|error| in_csv(&error))?;
            Some((new, writer))
        }
        None => None,
    };
    let merged = merge::merge(&folders, &mut |_, rows| {
        if let Some((_, writer)) = &mut out {
            writer.add(rows)?;
        }
        csv.as_mut().map_or(Ok(()), |(_, writer)| rows.write_csv(writer))
    })?;
    if let Some((new, mut writer)) = out {
        let mut metadata = folders[0].metadata();
        metadata.push((HASH_KEY, BLANK.to_owned()));
        writer.finish(&metadata)?.seal().map_err(Error::io("--out"))?;
        new.finish()?;
    }
    if let Some((new, writer)) = csv {
        let file = writer.into_inner().map_err(|error| in_csv(&error))?;
        file.sync_all().map_err(Error::io("--csv"))?;
        new.finish()?;
    }
    let text = match global.format {
        Format::Json => format!("{:#}\n", json!({ "rows": merged.rows, "repeated": merged.repeated })),
        Format::Table if merged.repeated > 0 => {
            format!(
                "{} rows; {} that sweeps have alike are there once\n",
                grouped(merged.rows),
                grouped(merged.repeated)
            )
        }
        Format::Table => format!("{} rows\n", grouped(merged.rows)),
    };
    Ok(print(&text)?)
}

/// Points that `show` lists.
const SHOWN: usize = 5;

/// What a sweep comes to: its points, and from a few of them what they take.
pub(super) fn shown(file: &str, set: &[String], global: &Global) -> Result<String, Failure> {
    let opened: OpenedSweep = load_sweep(file).map_err(Failure::Config)?;
    let located = |problems| Failure::Config(opened.locate(problems));
    let space = Space::new(&opened.sweep, &opened.base, &overrides(set, global)).map_err(located)?;
    let points = Points::new(space);
    let refused = points.refused_values();
    if !refused.is_empty() {
        return Err(located(refused));
    }
    let search = Search::new(&opened.sweep, &points).map_err(located)?;
    let space = points.space();
    let count = space.count();
    let run = search.as_ref().map_or(count.points, Search::points);
    let per_shard = folder::points_per_shard(search.as_ref().map_or(space.len(), Search::points));
    let threads = global.threads();
    let takes: Estimate = estimate(&points, run, per_shard, threads)?;
    let first: Vec<u64> = match &search {
        Some(search) => search.first(space)?.into_iter().take(SHOWN).collect(),
        None => std::iter::successors(space.next(0), |index| space.next(index + 1)).take(SHOWN).collect(),
    };
    let cells = |index: &u64| -> Vec<String> {
        std::iter::once(index.to_string()).chain(space.point(*index).cells.iter().map(Cell::to_string)).collect()
    };
    if global.format == Format::Json {
        let axes: Vec<_> = space.axes().iter().map(|axis| json!({ "key": axis.key, "values": axis.values })).collect();
        let dropped: Vec<_> =
            count.dropped.iter().map(|(reason, points)| json!({ "reason": reason, "points": points })).collect();
        let first: Vec<_> =
            first.iter().map(|&index| json!({ "point": index, "set": space.point(index).set })).collect();
        return Ok(value(
            &json!({
                "name": opened.sweep.name, "axes": axes, "points": count.points, "dropped": dropped,
                "search": search.as_ref().map(|search| json!({ "points": run, "rounds": search.rounds() })),
                "points_per_shard": per_shard, "first": first,
                "estimate": {
                    "tried": takes.pilot.tried, "first_s": takes.pilot.first_s, "point_s": takes.pilot.point_s,
                    "threads": threads, "total_s": takes.total_s, "memory_bytes": takes.memory,
                },
            }),
            true,
        )?);
    }
    let mut text = opened.sweep.name.clone();
    if !opened.sweep.description.is_empty() {
        let _ = write!(text, ": {}", opened.sweep.description);
    }
    text.push_str("\n\n");
    let mut rows = vec![row(["axis", "values", "from", "to"])];
    for axis in space.axes() {
        let (first, last) = (&axis.values[0], &axis.values[axis.values.len() - 1]);
        rows.push(vec![axis.key.clone(), grouped(axis.values.len() as u64), first.clone(), last.clone()]);
    }
    text += &aligned(&rows);
    let shards = search.as_ref().map_or(space.len().div_ceil(per_shard), |search| search.shards(per_shard));
    let of = search.as_ref().map_or(String::new(), |search| search.text(space) + ", ");
    let _ = writeln!(text, "\n{of}{} points in {} shards of {}", grouped(run), grouped(shards), grouped(per_shard));
    for (reason, points) in &count.dropped {
        let _ = writeln!(text, "{} dropped: {reason}", grouped(*points));
    }
    text.push('\n');
    let heads = std::iter::once("point".to_owned()).chain(space.axes().iter().map(|axis| axis.key.clone()));
    let mut rows = vec![heads.collect::<Vec<_>>()];
    rows.extend(first.iter().map(cells));
    text += &aligned(&rows);
    let memory = takes.memory.map(|bytes| format!(" and {} MiB", grouped(bytes >> 20))).unwrap_or_default();
    let _ = writeln!(
        text,
        "\nabout {} on {threads} threads{memory}, by {} points: {:.1} ms each and {:.1} s for what they share",
        duration(takes.total_s),
        takes.pilot.tried,
        takes.pilot.point_s * 1e3,
        takes.pilot.first_s
    );
    Ok(text)
}

/// A time for people.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3600.0),
    }
}
