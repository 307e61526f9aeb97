//! `report`: the report of a stored run, computed again from its trace.

use super::{Failure, Format, Global, print};
use crate::error::Error;
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
    let report = from_trace(&trace_of(&args.trace)?)?;
    print(&match global.format {
        Format::Json => report.to_json(),
        Format::Table => report.to_string(),
    })?;
    Ok(())
}

/// The trace of a run's folder, or the file itself.
pub(super) fn trace_of(path: &Path) -> Result<PathBuf, Error> {
    let refuse = |message: &str| Err(Error::Input { path: path.to_owned(), message: message.to_owned() });
    let trace = path.join("trace.parquet");
    if path.is_file() {
        Ok(path.to_owned())
    } else if trace.is_file() {
        Ok(trace)
    } else if path.is_dir() {
        refuse("holds no run (trace.parquet is missing)")
    } else {
        refuse("there is no such file or folder")
    }
}
