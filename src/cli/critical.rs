//! `critical`: the critical path of a run, and what other times would gain.

use super::folder::CONFIG;
use super::plot::Pictures;
use super::progress::Bar;
use super::{Failure, Format, Global, Target, print};
use crate::config::{Answer, Loaded, MappingSpec, Scheme};
use crate::error::Error;
use crate::plot;
use crate::report::critical::Critical;
use crate::run::prepare;
use crate::what_if::{setting, what_if};
use std::path::PathBuf;

/// Arguments of `critical`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crossbayes critical                                       of the built-in network on the built-in chip
  crossbayes critical traces/runs/pcm_128-digits            of a stored run, simulated again
  crossbayes critical --what-if arch.adc.time=-10% --what-if 'arch.array.read_time=8 ns'
  crossbayes critical --workload vgg_binaryconnect --set schedule.mode=streaming --out plots")]
pub(super) struct Args {
    /// Folder of a stored run, whose configuration is simulated again.
    #[arg(value_name = "RUN", conflicts_with_all = ["arch", "workload", "config"])]
    run: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// Estimates the gain of another time from the path, and runs it: a change in percent, or a value. May be given
    /// several times, each for itself. `arch.adc.time` is the time of the converter that the chip has.
    #[arg(long, value_name = "KEY=CHANGE")]
    what_if: Vec<String>,
    #[command(flatten)]
    pictures: Pictures,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let mut target = args.target.clone();
    if let Some(run) = &args.run {
        target.config = Some(if run.is_dir() { run.join(CONFIG) } else { run.clone() });
    }
    let loaded = target.load(global.seed)?;
    let config = &loaded.config;
    // Before anything runs.
    let changes: Vec<(String, String)> = args
        .what_if
        .iter()
        .map(|change| setting(change, config).map_err(|message| Error::Config(format!("--what-if: {message}"))))
        .collect::<Result<_, _>>()?;
    let bar = Bar::new(global);
    let tell = |stage, done, total| bar.tell(stage, done, total);
    let ready = |loaded: &Loaded, mapping: Option<&MappingSpec>| {
        let mut config = loaded.config.clone();
        if let Some(mapping) = mapping {
            config.mapping = mapping.clone();
        }
        // Images are answered where the time of a run depends on them.
        if !matches!(config.mapping.scheme, Scheme::Sparse { skip_zero_rows: true, .. }) {
            config.values.answer = Answer::Nothing;
        }
        prepare(config, &loaded.workload_base, global.threads(), &tell).map_err(|error| Failure::of(error, loaded))
    };
    let prepared = ready(&loaded, None)?;
    let config = prepared.config();
    let critical = prepared.critical(&tell)?;
    let mut answers = Vec::new();
    for (change, (key, value)) in args.what_if.iter().zip(&changes) {
        let mut other = target.clone();
        other.set.push(format!("{key}={value}"));
        let other = other.load(global.seed)?;
        // What `Auto` stood for stays.
        let same = (other.config.mapping == loaded.config.mapping).then_some(&config.mapping);
        let answer = what_if(&critical, config, &ready(&other, same)?, change.clone());
        answers.push(answer.map_err(|error| Failure::of(error, &other))?);
    }
    bar.clear();
    let report = Critical::new(config, &critical.chain, &critical.stages, &critical.layers, answers);
    args.pictures
        .draw(global, || vec![("critical", plot::critical::picture(config, &critical.layers, &critical.chain))])?;
    print(&match global.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&report).map_err(|error| Error::Internal(error.to_string()))?;
            json + "\n"
        }
        Format::Table => report.to_string(),
    })?;
    Ok(())
}
