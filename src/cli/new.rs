//! `new`: a commented file to start from.

use super::{Failure, Format, Global, discard_on_signals, print};
use crate::config::{FileKind, template};
use crate::error::Error;
use crate::whole;
use clap::ValueEnum;
use std::path::PathBuf;

/// Arguments of `new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crossbayes new arch mine
  crossbayes run --arch mine.ron
  crossbayes new costs corner && crossbayes run --set arch.costs=corner.ron")]
pub(super) struct Args {
    /// Kind of file.
    #[arg(value_enum)]
    kind: Kind,
    /// Name, and path of the file: NAME.ron.
    name: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Chip.
    Arch,
    /// Network.
    Workload,
    /// Cost table.
    #[value(alias = "parts")]
    Costs,
    /// Memory cell.
    Device,
    /// Design space.
    Sweep,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let (kind, way) = match args.kind {
        Kind::Arch => (FileKind::Arch, "run --arch "),
        Kind::Workload => (FileKind::Workload, "run --workload "),
        Kind::Costs => (FileKind::Parts, "run --set arch.costs="),
        Kind::Device => (FileKind::Device, "show device --model "),
        Kind::Sweep => (FileKind::Sweep, "sweep run "),
    };
    let mut path = args.name.clone();
    if path.extension().is_none_or(|extension| extension != "ron") {
        path.as_mut_os_string().push(".ron");
    }
    let refuse = |message: &str| Err(Error::Input { path: path.clone(), message: message.to_owned() }.into());
    let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|name| !name.chars().any(char::is_control));
    let Some(name) = name.filter(|_| args.name.file_name().is_some()) else {
        return refuse(
            "its name becomes that of what it describes; expected a file name in UTF-8 without control characters",
        );
    };
    if path.symlink_metadata().is_ok() {
        return refuse("is there already; it stays as it is\nhelp: choose another name");
    }
    discard_on_signals()?;
    whole::write(&path, template(kind, name).as_bytes(), false)?;
    let shown = path.display().to_string();
    global.say(&format!("edit it, then: crossbayes check {shown}; crossbayes {way}{shown}"));
    print(&match global.format {
        Format::Table => format!("{shown}\n"),
        Format::Json => format!("{:#}\n", serde_json::json!({ "file": shown, "kind": kind.name() })),
    })?;
    Ok(())
}
