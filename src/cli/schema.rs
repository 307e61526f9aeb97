//! `schema`: JSON Schemas of files, for editors.

use super::{Failure, print};
use crate::config::{FileKind, json_schema};
use clap::ValueEnum;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  crossbayes schema arch > arch.schema.json")]
pub(super) struct Args {
    /// Kind of file.
    #[arg(value_enum)]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Chip.
    Arch,
    /// Cost table.
    #[value(alias = "costs")]
    Parts,
    /// Memory cell.
    Device,
    /// Network.
    Workload,
    /// Fully expanded configuration.
    Run,
    /// Design space.
    Sweep,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let kind = match args.kind {
        Kind::Arch => FileKind::Arch,
        Kind::Parts => FileKind::Parts,
        Kind::Device => FileKind::Device,
        Kind::Workload => FileKind::Workload,
        Kind::Run => FileKind::Run,
        Kind::Sweep => FileKind::Sweep,
    };
    print(&format!("{:#}\n", json_schema(kind)))?;
    Ok(())
}
