//! `check`: validate files of any kind and tell every problem.

use super::{Failure, Format, Global, print};
use crate::config::check_files;
use crate::run::check_described;
use std::path::PathBuf;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crossbayes check arch/pcm_128.ron
  crossbayes check arch/*.ron arch/parts/*.ron workloads/*.ron")]
pub(super) struct Args {
    /// Chips, cost tables, networks, expanded configurations.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let kinds = check_files(&args.files, &check_described).map_err(Failure::Config)?;
    let text = match global.format {
        Format::Table => kinds.iter().fold(String::new(), |text, (path, kind)| {
            text + &format!("{}: {}, fine\n", path.display(), kind.description())
        }),
        Format::Json => {
            let entry = |(path, kind): &(PathBuf, crate::config::FileKind)| serde_json::json!({ "file": path.display().to_string(), "kind": kind.name() });
            format!("{:#}\n", serde_json::Value::from(kinds.iter().map(entry).collect::<Vec<_>>()))
        }
    };
    print(&text)?;
    Ok(())
}
