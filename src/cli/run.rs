//! `run`: simulate, and leave report, trace, configuration and pictures in a folder.

use super::folder::{CONFIG, Folder, Place};
use super::progress::Bar;
use super::report::TRACE;
use super::{Failure, Format, Global, Target, discard_on_signals, print};
use crate::config::{Config, Grain, Loaded, to_ron};
use crate::error::Error;
use crate::plot;
use crate::report::settings::differences;
use crate::report::{Report, Setting};
use crate::run::{Finished, Prepared, prepare};
use crate::trace::columns::FACTS_KEY;
use crate::trace::{Merge, ParquetSink};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crossbayes run
  crossbayes run --arch pcm_256 --workload vgg_binaryconnect --set schedule.mode=sequential --no-files
  crossbayes run --set arch.adc.bits=5 --set ensemble.members=20 --out traces/runs/small-adc
  crossbayes run --set schedule.grain=op --window 1000..2000            a short trace, in detail where one looks
  crossbayes run --config traces/runs/pcm_128-digits/config.ron        repeat a stored run")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// What may run at the same time; the same as `--set schedule.mode=MODE`.
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// Cycles in which the trace resolves each read and each conversion, whatever the grain; the same as
    /// `--set schedule.window=Cycles(from:FROM,to:TO)`.
    #[arg(long, value_name = "FROM..TO", value_parser = window)]
    window: Option<Range<u64>>,
    /// Folder for report, trace, configuration and pictures. An earlier run there is replaced, anything else refused
    /// [default: traces/runs/<chip>-<network>, with what was set behind it and a number where another run is there].
    #[arg(long, value_name = "DIR", conflicts_with = "no_files")]
    out: Option<PathBuf>,
    /// Print the report and write no files.
    #[arg(long)]
    no_files: bool,
    /// Pictures as PNG too, beside the SVG.
    #[arg(long, conflicts_with = "no_files")]
    png: bool,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let mut target = Target { set: args.target.set.clone(), ..args.target.clone() };
    target.set.extend(args.mode.iter().map(|mode| format!("schedule.mode={mode}")));
    let window = args.window.iter();
    target.set.extend(window.map(|Range { start, end }| format!("schedule.window=Cycles(from:{start},to:{end})")));
    let loaded = target.load(global.seed)?;
    if global.verbose {
        global.say(&format!("read {}", loaded.files.join(", ")));
    }
    let bar = Bar::new(global);
    let tell = |stage, done, total| bar.tell(stage, done, total);
    let config = loaded.portable_config();
    let settings = changed(&target, global, &loaded, &config);
    let place = match &args.out {
        Some(out) => Place::Exactly(out.clone()),
        None => {
            let seed = global.seed.map(|seed| format!("seed={seed}"));
            let names = format!("{}-{}", config.arch.name, config.workload.name);
            Place::Numbered(Path::new("traces/runs").join(folder_name(&names, target.set.iter().chain(&seed))))
        }
    };
    // A place that cannot be written is refused before the work, not after it.
    let folder = if args.no_files {
        None
    } else {
        discard_on_signals()?;
        let saved = to_ron(&config);
        Some((Folder::create(place, &saved)?, saved))
    };
    let prepared =
        prepare(config, &loaded.workload_base, global.threads(), &tell).map_err(|error| Failure::of(error, &loaded))?;
    let command = command();
    let report = match folder {
        None => {
            let (mut finished, _) = prepared.simulate(None::<ParquetSink>, command, &tell)?;
            finished.facts.settings = settings;
            bar.clear();
            Report::new(&finished.facts, &finished.ledger)
        }
        Some((folder, saved)) => {
            let written = write(&prepared, folder, &saved, args.png, command, settings, &bar);
            bar.clear();
            let (report, place) = written?;
            let values = prepared.recorded().map_or(String::new(), |_| format!(", {VALUES}"));
            global.say(&format!("wrote {}: {FILES}{values}", place.display()));
            report
        }
    };
    print(&match global.format {
        Format::Json => report.to_json(),
        Format::Table => report.to_string(),
    })?;
    Ok(())
}

/// Cycles from..to.
fn window(text: &str) -> Result<Range<u64>, String> {
    let cycles = text.split_once("..").and_then(|(from, to)| Some(from.trim().parse().ok()?..to.trim().parse().ok()?));
    cycles.filter(|cycles| !cycles.is_empty()).ok_or_else(|| {
        "expected two whole numbers of cycles, the second larger than the first, such as 1000..2000".to_owned()
    })
}

/// What is in the folder of every run.
const FILES: &str = "report.json, report.txt, trace.parquet, config.ron, plots/";
/// Name of the file with the values of a run that has answers.
const VALUES: &str = "values.safetensors";

/// Simulates into a folder and puts it in its place.
fn write(
    prepared: &Prepared,
    folder: Folder,
    config: &str,
    png: bool,
    command: String,
    settings: Vec<Setting>,
    bar: &Bar,
) -> Result<(Report, PathBuf), Error> {
    let tell = |stage, done, total| bar.tell(stage, done, total);
    let names: Vec<&str> = prepared.net().layers.iter().map(|layer| layer.name.as_str()).collect();
    let schedule = &prepared.config().schedule;
    // Who asks for conversions gets each.
    let apart = if schedule.grain == Grain::Conversion { 0..u64::MAX } else { schedule.window.cycles() };
    let sink = Merge::new(ParquetSink::create(folder.file(TRACE)?, &names)?, apart);
    let (Finished { mut facts, ledger }, sink) = prepared.simulate(sink, command, &tell)?;
    facts.settings = settings;
    let json = serde_json::to_string(&facts).map_err(|error| Error::Internal(error.to_string()))?;
    sink.finish().finish(&[(FACTS_KEY, &json)])?;
    let report = Report::new(&facts, &ledger);
    folder.write("report.json", report.to_json())?;
    folder.write("report.txt", report.to_string())?;
    folder.write(CONFIG, config)?;
    if let Some(recorded) = prepared.recorded() {
        recorded.write(prepared.net(), &folder.file(VALUES)?)?;
    }
    for &kind in plot::KINDS {
        for (name, contents) in plot::draw(kind, &facts, &ledger, png)? {
            folder.write(&format!("plots/{name}"), contents)?;
        }
    }
    Ok((report, folder.finish()?))
}

/// What was set for the run: where it differs from what the files alone say, or as it was given where they alone cannot be
/// read.
fn changed(target: &Target, global: &Global, loaded: &Loaded, config: &Config) -> Vec<Setting> {
    let seed = global.seed.map(|seed| format!("seed={seed}"));
    if target.set.is_empty() && seed.is_none() {
        return Vec::new();
    }
    // Another cost table is one setting, not each of its numbers.
    let table = target.set.iter().rfind(|set| set.split_once('=').is_some_and(|(key, _)| key.trim() == "arch.costs"));
    let files = loaded.without_overrides().map(|files| files.portable_config());
    let base = table.map_or_else(
        || files.clone(),
        |table| {
            let with_table = Target { set: vec![table.clone()], ..target.clone() };
            with_table.load(None).ok().map(|loaded| loaded.portable_config())
        },
    );
    match (files, base) {
        (Some(files), Some(base)) => {
            let table = table.map(|_| Setting {
                key: "arch.costs".to_owned(),
                value: base.arch.costs.name.clone(),
                instead_of: Some(files.arch.costs.name),
            });
            table.into_iter().chain(differences(&base, config)).collect()
        }
        _ => {
            let pairs = target.set.iter().chain(&seed).filter_map(|set| set.split_once('='));
            let given = |(key, value): (&str, &str)| (key.trim().to_owned(), value.trim().to_owned());
            pairs.map(given).map(|(key, value)| Setting { key, value, instead_of: None }).collect()
        }
    }
}

/// Name of a run's folder: `names`, then the last two words of each key that was set, and its value.
fn folder_name<'a>(names: &str, set: impl Iterator<Item = &'a String>) -> String {
    // File systems take 255 bytes, of which the hidden name needs some.
    const LONGEST: usize = 160;
    let plain = |text: &str| {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._+-".contains(c)));
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
    };
    // Names are free text: what they hold must not lead to another folder.
    let mut name = names.replace(['/', '\\'], "_");
    for change in set {
        let (key, value) = change.split_once('=').unwrap_or((change, ""));
        let section = key.rsplit('.').nth(1).map(|section| plain(section) + ".").unwrap_or_default();
        let key = plain(key.rsplit('.').next().unwrap_or_default());
        let more = format!("-{section}{key}={}", plain(value));
        if name.len() + more.len() > LONGEST {
            break;
        }
        name += &more;
    }
    name
}

/// The command line of this process, without the program's path.
fn command() -> String {
    let mut words = vec!["crossbayes".to_owned()];
    words.extend(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
