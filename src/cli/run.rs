//! `run`: simulate, and leave report, trace, configuration and pictures in a folder.

use super::folder::Folder;
use super::progress::Bar;
use super::{Failure, Format, Global, Target, print};
use crate::config::{Base, Config, Posterior, to_ron};
use crate::error::Error;
use crate::plot;
use crate::report::{Report, table};
use crate::run::{Finished, Prepared, prepare};
use crate::trace::ParquetSink;
use crate::trace::columns::FACTS_KEY;
use std::path::{Path, PathBuf};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crossbayes run
  crossbayes run --arch pcm_256 --workload vgg_binaryconnect --set schedule.mode=sequential --no-files
  crossbayes run --set arch.adc.bits=5 --set ensemble.members=20 --out traces/runs/small-adc
  crossbayes run --config traces/runs/pcm_128-digits/config.ron        repeat a stored run")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// What may run at the same time; the same as `--set schedule.mode=MODE`.
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// Folder for report, trace, configuration and pictures [default: traces/runs/<chip>-<network>].
    #[arg(long, value_name = "DIR", conflicts_with = "no_files")]
    out: Option<PathBuf>,
    /// Print the report and write no files.
    #[arg(long)]
    no_files: bool,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let mut target = Target { set: args.target.set.clone(), ..args.target.clone() };
    target.set.extend(args.mode.iter().map(|mode| format!("schedule.mode={mode}")));
    let loaded = target.load(global)?;
    if global.verbose {
        global.say(&format!("read {}", loaded.files.join(", ")));
    }
    let bar = Bar::new(global);
    let tell = |stage, done, total| bar.tell(stage, done, total);
    let config = loaded.config.clone();
    let prepared = prepare(loaded.config, &loaded.workload_base, global.threads(), &tell)?;
    let command = command();
    let report = if args.no_files {
        let (finished, ()) = prepared.simulate((), command, &tell)?;
        bar.clear();
        Report::new(&finished.facts, &finished.ledger)
    } else {
        let default = || Path::new("traces/runs").join(format!("{}-{}", config.arch.name, config.workload.name));
        let place = args.out.clone().unwrap_or_else(default);
        let saved = to_ron(&absolute(config, &loaded.workload_base));
        let report = write(&prepared, &place, &saved, command, &bar)?;
        bar.clear();
        global.say(&format!("wrote {}: {}", place.display(), FILES));
        report
    };
    print(&match global.format {
        Format::Json => report.to_json(),
        Format::Table => table::render(&report),
    })?;
    Ok(())
}

/// What is in the folder of a run.
const FILES: &str = "report.json, report.txt, trace.parquet, config.ron, plots/";

/// Simulates into a folder.
fn write(prepared: &Prepared, place: &Path, config: &str, command: String, bar: &Bar) -> Result<Report, Error> {
    let folder = Folder::create(place)?;
    let tell = |stage, done, total| bar.tell(stage, done, total);
    let names: Vec<&str> = prepared.plan().net.layers.iter().map(|layer| layer.name.as_str()).collect();
    let sink = ParquetSink::create(folder.file("trace.parquet"), &names)?;
    let (Finished { facts, ledger }, sink) = prepared.simulate(sink, command, &tell)?;
    let json = serde_json::to_string(&facts).map_err(|error| Error::Internal(error.to_string()))?;
    sink.finish(&[(FACTS_KEY, &json)])?;
    let report = Report::new(&facts, &ledger);
    folder.write("report.json", &report.to_json())?;
    folder.write("report.txt", &table::render(&report))?;
    folder.write("config.ron", config)?;
    let plots = folder.file("plots");
    std::fs::create_dir(&plots).map_err(Error::io(&plots))?;
    for &kind in plot::KINDS {
        plot::draw(kind, &facts, &ledger, &plots.join(kind.name()))?;
    }
    folder.finish()?;
    Ok(report)
}

/// The configuration with the workload's paths made absolute, so that it can be run again from anywhere. Paths of built-in
/// workloads stay as they are.
fn absolute(mut config: Config, base: &Base) -> Config {
    let Base::Folder(folder) = base else { return config };
    let fix = |path: &mut String| {
        let there = folder.join(&*path);
        *path = std::path::absolute(&there).unwrap_or(there).to_string_lossy().into_owned();
    };
    if let Posterior::File { path, .. } = &mut config.workload.posterior {
        fix(path);
    }
    if let Some(images) = &mut config.workload.images {
        fix(&mut images.path);
    }
    config
}

/// The command line of this process, without the program's path.
fn command() -> String {
    let mut words = vec!["crossbayes".to_owned()];
    words.extend(std::env::args().skip(1));
    words.join(" ")
}
