//! `plot`: pictures of a stored run.

use super::report::trace_of;
use super::{Failure, Format, Global, discard_on_signals, print};
use crate::error::{Error, nearest};
use crate::plot::{self, Kind};
use crate::report::load;
use std::path::PathBuf;

/// Arguments of `plot`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crossbayes plot timeline traces/runs/pcm_128-digits
  crossbayes plot all traces/runs/pcm_128-digits --out pictures")]
pub(super) struct Args {
    /// Picture: timeline, energy, area, utilisation, or all.
    kind: String,
    /// Trace of a run, or its folder.
    #[arg(value_name = "FILE")]
    trace: PathBuf,
    /// Folder for the pictures.
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let kinds: Vec<Kind> = if args.kind == "all" {
        plot::KINDS.to_vec()
    } else {
        vec![Kind::from_name(&args.kind).ok_or_else(|| unknown(&args.kind))?]
    };
    let (facts, ledger) = load(&trace_of(&args.trace)?)?;
    discard_on_signals()?;
    std::fs::create_dir_all(&args.out).map_err(Error::io(&args.out))?;
    let mut drawn = Vec::new();
    for kind in kinds {
        let paths = plot::draw(kind, &facts, &ledger, &args.out.join(kind.name()))?;
        drawn.extend(paths.iter().map(|path| path.display().to_string()));
    }
    print(&match global.format {
        Format::Table => drawn.iter().map(|path| format!("{path}\n")).collect(),
        Format::Json => format!("{:#}\n", serde_json::Value::from(drawn)),
    })?;
    Ok(())
}

fn unknown(kind: &str) -> Error {
    let names: Vec<&str> = plot::KINDS.iter().map(|kind| kind.name()).chain(["all"]).collect();
    let help =
        nearest(kind, names.iter().copied()).map(|near| format!("\nhelp: did you mean {near}?")).unwrap_or_default();
    Error::Config(format!("there is no picture \"{kind}\"; expected {}{help}", names.join(", ")))
}
