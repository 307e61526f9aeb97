//! `sweep submit`: the missing shards of a sweep as jobs of a cluster, each of which calls `sweep shard`.

use super::{Failure, Format, Global, discard_on_signals, print};
use crate::error::Error;
use crate::sweep::{Folder, ranges};
use crate::whole;
use clap::ValueEnum;
use serde_json::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Arguments of `sweep submit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of a sweep that was planned; all machines must see it under the same path.
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// What runs the jobs.
    #[arg(long, value_enum, value_name = "ENGINE")]
    engine: Engine,
    /// Prints script and commands, and neither writes nor submits anything.
    #[arg(long)]
    dry_run: bool,
    /// Most jobs that run at the same time; without it as many as the cluster lets.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    at_once: Option<u64>,
    /// Most jobs of an array: Slurm's MaxArraySize less one.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    array_size: u64,
    /// Options for sbatch, such as --partition=main --time=30 --cpus-per-task=4.
    #[arg(last = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Engine {
    /// Job arrays of Slurm.
    Slurm,
}

/// Submits the shards that are `missing`.
pub(super) fn run(args: &Args, folder: &Folder, missing: &[u64], global: &Global) -> Result<(), Failure> {
    discard_on_signals()?;
    let Engine::Slurm = args.engine;
    let short = |option: &str| option.starts_with("-a") || option == "--array" || option.starts_with("--array=");
    if let Some(option) = args.options.iter().find(|option| short(option)) {
        let message = format!("{option}: the array is that of the missing shards; expected --at-once N before --");
        return Err(Error::Config(message).into());
    }
    if folder.search().is_some_and(|search| search.rounds().len() > 1) {
        let message = format!(
            "the points of this search depend on those before; expected jobs that run `crossbayes sweep run {}`, as many as \
             are to work on it",
            folder.path().display()
        );
        return Err(Error::Config(message).into());
    }
    // Otherwise each job finds out for itself.
    folder.check_inputs()?;
    let place = std::path::absolute(folder.path()).map_err(Error::io(folder.path()))?;
    let program = std::env::current_exe().map_err(Error::io("the program's own path"))?;
    let script = script(text(&program)?, text(&place)?);
    let file = place.join("slurm.sh");
    let name = &folder.plan().name;
    let arrays: Vec<(&[u64], Vec<String>)> = missing
        .chunk_by(|a, b| a / args.array_size == b / args.array_size)
        .map(|shards| Ok((shards, arguments(args, name, text(&place)?, text(&file)?, shards))))
        .collect::<Result<_, Error>>()?;
    if arrays.is_empty() {
        global.say(&format!("none of the {} shards is missing: nothing is submitted", folder.plan().shards));
    }
    if args.dry_run {
        return Ok(print(&match global.format {
            Format::Json => {
                let commands: Vec<_> = arrays.iter().map(|(_, arguments)| arguments).collect();
                format!("{:#}\n", json!({ "file": text(&file)?, "script": script, "commands": commands }))
            }
            Format::Table if arrays.is_empty() => String::new(),
            Format::Table => {
                let commands = arrays.iter().map(|(_, arguments)| {
                    let words: Vec<_> = arguments.iter().map(|word| quoted(word)).collect();
                    words.join(" ") + "\n"
                });
                format!("# {}\n{script}\n{}", text(&file)?, commands.collect::<String>())
            }
        })?);
    }
    if !arrays.is_empty() {
        let logs = place.join("logs");
        fs::create_dir_all(&logs).map_err(Error::io(&logs))?;
        whole::write(&file, script.as_bytes(), true)?;
    }
    let (mut jobs, mut failed) = (Vec::new(), None);
    for (shards, arguments) in &arrays {
        match submitted(arguments) {
            Ok(job) => jobs.push((job, ranges(shards))),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    // What was submitted is told even if a later array is refused.
    print(&match global.format {
        Format::Json => {
            let jobs: Vec<_> = jobs.iter().map(|(job, shards)| json!({ "job": job, "shards": shards })).collect();
            format!("{:#}\n", json!(jobs))
        }
        Format::Table => jobs.iter().map(|(job, shards)| format!("job {job}: shards {shards}\n")).collect(),
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// What each job of an array runs. The number of its shard is that of the job and the first argument, by which plans of more
/// shards than an array may have jobs are cut. Slurm ends jobs by SIGTERM, which reaches the program as it takes the place
/// of the shell.
fn script(program: &str, folder: &str) -> String {
    let (program, folder) = (quoted(program), quoted(folder));
    format!(
        "#!/bin/sh\n#SBATCH --requeue\n#SBATCH --open-mode=append\n\
         exec {program} sweep shard {folder} --index $((${{1:-0}} + SLURM_ARRAY_TASK_ID)) \
         --threads \"${{SLURM_CPUS_PER_TASK:-1}}\"\n"
    )
}

/// The command of an array. Options of the caller come after ours, so that theirs count.
fn arguments(args: &Args, name: &str, place: &str, file: &str, shards: &[u64]) -> Vec<String> {
    let base = shards[0] / args.array_size * args.array_size;
    let tasks: Vec<u64> = shards.iter().map(|shard| shard - base).collect();
    let at_once = args.at_once.map(|most| format!("%{most}")).unwrap_or_default();
    let mut arguments = vec![
        "sbatch".to_owned(),
        "--parsable".to_owned(),
        format!("--job-name={name}"),
        // A percent sign begins a pattern.
        format!("--output={}/logs/%A_%a.txt", place.replace('%', "%%")),
        format!("--array={}{at_once}", ranges(&tasks)),
    ];
    arguments.extend(args.options.iter().cloned());
    arguments.extend([file.to_owned(), base.to_string()]);
    arguments
}

/// Runs a command of sbatch and returns the number of the job.
fn submitted(arguments: &[String]) -> Result<String, Error> {
    let output = match Command::new(&arguments[0]).args(&arguments[1..]).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = "--engine slurm: there is no sbatch on the PATH; expected Slurm's commands, or --dry-run";
            return Err(Error::Config(message.to_owned()));
        }
        output => output.map_err(Error::io("sbatch"))?,
    };
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let failed = |what: String| Error::io("sbatch")(io::Error::other(what));
    if !output.status.success() {
        return Err(failed(format!("{}: {}", output.status, said(&output.stderr))));
    }
    // NUMBER, or NUMBER;CLUSTER.
    let job = said(&output.stdout);
    match job.split(';').next() {
        Some(number) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number.to_owned()),
        _ => Err(failed(format!("expected the number of a job, found {job:?}"))),
    }
}

/// A path as text, which a script needs.
fn text(path: &Path) -> Result<&str, Error> {
    let message = "is not UTF-8; expected a path that a script can name".to_owned();
    path.to_str().ok_or_else(|| Error::Input { path: path.to_owned(), message })
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=,:+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_quoted_for_a_shell() {
        let quoted = ["a/b-1%2", "a b", "it's", "$x", ""].map(super::quoted);
        assert_eq!(quoted, ["a/b-1%2", "'a b'", r"'it'\''s'", "'$x'", "''"]);
    }
}
