//! `check`: validate files of any kind and tell every problem.

use super::{Failure, Format, Global, print};
use crate::config::{Base, Described, FileKind, check_files, load_sweep};
use crate::report::quantity::grouped;
use crate::run::check_described;
use crate::sweep::{self, Points, Search, Space};
use std::path::PathBuf;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crossbayes check arch/pcm_128.ron
  crossbayes check arch/*.ron arch/parts/*.ron workloads/*.ron")]
pub(super) struct Args {
    /// Chips, cost tables, networks, sweeps, expanded configurations.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let further = |described: Described<'_>, base: &Base| match described {
        Described::Sweep(of) => sweep::problems(of, base),
        described => check_described(described, base),
    };
    let kinds = check_files(&args.files, &further).map_err(Failure::Config)?;
    let mut lines = String::new();
    for (path, kind) in &kinds {
        let points = if *kind == FileKind::Sweep { points(path)? } else { String::new() };
        lines += &format!("{}: {}, {points}fine\n", path.display(), kind.description());
    }
    let text = match global.format {
        Format::Table => lines,
        Format::Json => {
            let entry = |(path, kind): &(PathBuf, crate::config::FileKind)| serde_json::json!({ "file": path.display().to_string(), "kind": kind.name() });
            format!("{:#}\n", serde_json::Value::from(kinds.iter().map(entry).collect::<Vec<_>>()))
        }
    };
    print(&text)?;
    Ok(())
}

/// What a sweep comes to.
fn points(path: &std::path::Path) -> Result<String, Failure> {
    let opened = load_sweep(&path.to_string_lossy()).map_err(Failure::Config)?;
    let located = |problems| Failure::Config(opened.locate(problems));
    let points = Points::new(Space::new(&opened.sweep, &opened.base, &[]).map_err(located)?);
    if let Some(search) = Search::new(&opened.sweep, &points).map_err(located)? {
        return Ok(search.text(points.space()) + ", ");
    }
    let count = points.space().count();
    let dropped: u64 = count.dropped.iter().map(|(_, points)| points).sum();
    let dropped = if dropped > 0 { format!(" ({} dropped)", grouped(dropped)) } else { String::new() };
    Ok(format!("{} points{dropped}, ", grouped(count.points)))
}
