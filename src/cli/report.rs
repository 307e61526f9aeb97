//! `report`: the report of a stored run, computed again from its trace.

use super::{Failure, Format, Global, print};
use crate::error::{Error, nearest};
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

/// Name of the trace in the folder of a run.
pub(super) const TRACE: &str = "trace.parquet";

/// The trace of a run's folder, or the file itself.
pub(super) fn trace_of(path: &Path) -> Result<PathBuf, Error> {
    let refuse = |message: &str, help: Option<String>| {
        let help = help.map(|help| format!("\nhelp: {help}")).unwrap_or_default();
        let message = format!("{message}; expected the folder of a run, or its {TRACE}{help}");
        Err(Error::Input { path: path.to_owned(), message })
    };
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let trace = path.join(TRACE);
    if trace.is_file() {
        return Ok(trace);
    }
    if path.is_dir() {
        let runs = runs_in(path);
        return refuse(
            "holds no run",
            (!runs.is_empty()).then(|| format!("it holds folders of runs: {}", runs.join(", "))),
        );
    }
    if path.exists() {
        return refuse("is a device, pipe or socket", None);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let runs = path.parent().map(runs_in).unwrap_or_default();
    let near = nearest(&name, runs.iter().map(String::as_str));
    refuse(
        "there is no such file or folder",
        near.map(|near| format!("did you mean {}?", path.with_file_name(near).display())),
    )
}

/// Names of the folders of runs in a folder, sorted; hidden ones are not finished.
fn runs_in(folder: &Path) -> Vec<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let runs = entries.filter(|entry| entry.path().join(TRACE).is_file());
    let names = runs.map(|run| run.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable();
    names
}
