//! `report`: the report of a stored run, computed again from its trace.

use super::{Failure, Format, Global, print};
use crate::report::from_trace;
use std::path::{Path, PathBuf};

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crossbayes report traces/runs/pcm_128-digits
  crossbayes report traces/runs/pcm_128-digits/trace.parquet --format json")]
pub(super) struct Args {
    /// Trace of a run, or its folder.
    #[arg(value_name = "FILE")]
    trace: PathBuf,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let report = from_trace(&trace_of(&args.trace))?;
    print(&match global.format {
        Format::Json => report.to_json(),
        Format::Table => report.to_string(),
    })?;
    Ok(())
}

/// The trace of a run's folder, or the file itself.
pub(super) fn trace_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("trace.parquet") } else { path.to_owned() }
}
