//! `plot`: pictures of a stored run.

use super::report::trace_of;
use super::{Failure, Format, Global, discard_on_signals, print};
use crate::error::{Error, nearest};
use crate::plot::{self, Kind, Picture};
use crate::read;
use crate::report::load;
use crate::whole;
use std::path::{Path, PathBuf};

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
    /// Pictures as PNG too, beside the SVG.
    #[arg(long)]
    png: bool,
    /// Replace files of the same names, whatever is in them.
    #[arg(long)]
    force: bool,
}

/// Where pictures go beside a table.
#[derive(Debug, clap::Args)]
pub(super) struct Pictures {
    /// Folder for pictures, where there are any: of `critical`, `show sparsity` and `show device`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Pictures as PNG too, beside the SVG.
    #[arg(long, requires = "out")]
    png: bool,
    /// Replace files of the same names, whatever is in them.
    #[arg(long, requires = "out")]
    force: bool,
}

impl Pictures {
    /// Draws pictures with their names, where a folder for them is named.
    pub(super) fn draw<N: AsRef<str>>(
        &self,
        global: &Global,
        pictures: impl FnOnce() -> Vec<(N, Picture)>,
    ) -> Result<(), Failure> {
        let Some(out) = &self.out else { return Ok(()) };
        let files = pictures().into_iter().map(|(name, picture)| plot::files(name.as_ref(), &picture, self.png));
        let files: Vec<Vec<_>> = files.collect::<Result<_, _>>()?;
        let drawn = write(files.concat(), out, self.force)?;
        global.say(&format!("wrote {}", drawn.join(", ")));
        Ok(())
    }
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let kinds: Vec<Kind> = if args.kind == "all" {
        plot::KINDS.to_vec()
    } else {
        vec![Kind::from_name(&args.kind).ok_or_else(|| unknown(&args.kind))?]
    };
    let (facts, ledger) = load(&trace_of(&args.trace)?)?;
    let mut files = Vec::new();
    for kind in kinds {
        files.extend(plot::draw(kind, &facts, &ledger, args.png)?);
    }
    let drawn = write(files, &args.out, args.force)?;
    print(&match global.format {
        Format::Table => drawn.iter().map(|path| format!("{path}\n")).collect(),
        Format::Json => format!("{:#}\n", serde_json::Value::from(drawn)),
    })?;
    Ok(())
}

/// Writes pictures into a folder, and returns their paths. What is there with other contents is replaced only by `force`.
pub(super) fn write(files: Vec<(String, Vec<u8>)>, out: &Path, force: bool) -> Result<Vec<String>, Error> {
    let mut files: Vec<(PathBuf, Vec<u8>)> =
        files.into_iter().map(|(name, contents)| (out.join(name), contents)).collect();
    let drawn: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    if !force {
        // All are looked at before one is written.
        let mut new = Vec::new();
        for (path, contents) in files {
            match std::fs::symlink_metadata(&path) {
                Err(_) => new.push((path, contents)),
                Ok(_) if read::bytes(&path, contents.len() as u64).is_ok_and(|there| there == contents) => {}
                Ok(_) => {
                    let message = "is there with other contents; it stays as it is\n\
                                   help: --force replaces it, --out DIR draws elsewhere";
                    return Err(Error::Input { path, message: message.to_owned() });
                }
            }
        }
        files = new;
    }
    discard_on_signals()?;
    std::fs::create_dir_all(out).map_err(Error::io(out))?;
    for (path, contents) in files {
        whole::write(&path, &contents, force)?;
    }
    Ok(drawn)
}

fn unknown(kind: &str) -> Error {
    let names: Vec<&str> = plot::KINDS.iter().map(|kind| kind.name()).chain(["all"]).collect();
    let help =
        nearest(kind, names.iter().copied()).map(|near| format!("\nhelp: did you mean {near}?")).unwrap_or_default();
    Error::Config(format!("there is no picture \"{kind}\"; expected {}{help}", names.join(", ")))
}
