//! The command line: one file a verb. Results go to stdout, progress and messages to stderr.
//!
//! Exit codes: 0 fine, 1 the run failed, 2 usage or bad input; of a shell also 130, 143 and 129, ended by Ctrl-C, SIGTERM and SIGHUP.

mod check;
mod compare;
mod critical;
mod device;
mod eval;
mod folder;
#[cfg(unix)]
mod interrupt;
mod new;
mod pack;
mod pareto;
mod calibrate;
mod plot;
mod posterior;
mod progress;
mod report;
mod run;
mod sampler;
mod schema;
mod show;
mod sparsity;
mod submit;
mod sweep;
mod text;

use crate::config::{ConfigErrors, LoadRequest, Loaded, load, load_expanded};
use crate::error::Error;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Simulates in-memory accelerators that run Bayesian binary neural networks: cycles, joules, area, utilisation and the
/// network's answers from one run.
#[derive(Debug, Parser)]
#[command(name = "crossbayes", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Examples:
  crossbayes run                                     the built-in network on the built-in chip
  crossbayes run --arch arch/pcm_256.ron --set schedule.mode=sequential
  crossbayes compare                                 what sparsity saves, side by side
  crossbayes check arch/*.ron workloads/*.ron        every problem, with its place
  crossbayes show mapping --workload vgg_binaryconnect")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Args)]
struct Global {
    /// Form of the result.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, help_heading = "Global options")]
    format: Format,
    /// No progress and no messages but errors.
    #[arg(short, long, global = true, help_heading = "Global options")]
    quiet: bool,
    /// More messages.
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = "Global options")]
    verbose: bool,
    /// Master seed of every random stream; the same as `--set seed=N`.
    #[arg(long, global = true, value_name = "N", help_heading = "Global options")]
    seed: Option<u64>,
    /// Threads for the values; results do not depend on it. 0: one for each core.
    #[arg(long, global = true, value_name = "N", default_value_t = 0, help_heading = "Global options")]
    threads: usize,
    /// Colour in messages.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN", help_heading = "Global options")]
    color: Colour,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Simulate a network on a chip: report, trace and pictures.
    Run(run::Args),
    /// Compare schemes, schedules, chips and cost tables, and stored runs, in one table.
    Compare(compare::Args),
    /// Answer whole data sets: accuracy, calibration and uncertainty, over drift, members and deployments.
    Eval(eval::Args),
    /// Run design spaces: all combinations of many values, on all cores or many machines.
    Sweep(sweep::Args),
    /// Validate files without running; reports every problem.
    Check(check::Args),
    /// Print expanded values: chip, network, mapping, dataflow, costs.
    Show(show::Args),
    /// Write a commented file to start from: chip, network, cost table, memory cell or sweep.
    New(new::Args),
    /// Make a compact posterior file: p in bytes, compressed.
    Pack(pack::Args),
    /// Take batch-norm statistics for a sampling configuration.
    Calibrate(calibrate::Args),
    /// Print the JSON Schema of a kind of file, for editors.
    Schema(schema::Args),
    /// Print the report of a stored run.
    Report(report::Args),
    /// Draw pictures of a stored run.
    Plot(plot::Args),
    /// Find the critical path of a run, and what other times would gain.
    Critical(critical::Args),
}

/// What to simulate.
#[derive(Debug, Clone, Args)]
struct Target {
    /// Chip: a file, or the name of a built-in one.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    arch: Option<String>,
    /// Network: a file, or the name of a built-in one.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    workload: Option<String>,
    /// A fully expanded configuration, as a run has saved it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Changes one key, e.g. `arch.adc.bits=6`; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Target {
    /// Reads what it names. `seed` is the master seed, if it is given.
    fn load(&self, seed: Option<u64>) -> Result<Loaded, Failure> {
        let mut set = self.set.clone();
        set.extend(seed.map(|seed| format!("seed={seed}")));
        let loaded = match &self.config {
            Some(file) => load_expanded(file, &set),
            None => load(&LoadRequest { arch: self.arch.clone(), workload: self.workload.clone(), set }),
        };
        loaded.map_err(Failure::Config)
    }
}

/// Why a verb did not do what it was asked for.
#[derive(Debug)]
enum Failure {
    /// The configuration has problems.
    Config(ConfigErrors),
    /// Anything else.
    Other(Error),
}

impl Failure {
    /// An error about the configuration `loaded`, with the places of its problems.
    fn of(error: Error, loaded: &Loaded) -> Self {
        match error {
            Error::Problems(problems) => Failure::Config(loaded.locate(problems)),
            error => Failure::Other(error),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

impl Global {
    fn colour(&self) -> bool {
        match self.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    fn threads(&self) -> usize {
        if self.threads > 0 { self.threads } else { std::thread::available_parallelism().map_or(1, usize::from) }
    }

    /// A message for people, unless they want none.
    fn say(&self, message: &str) {
        if !self.quiet {
            tell(&format!("{message}\n"));
        }
    }
}

/// Called before files are written: where there are signals, one that ends the program leaves no half of them.
fn discard_on_signals() -> Result<(), Error> {
    #[cfg(unix)]
    interrupt::discard_on_signals()?;
    Ok(())
}

/// Writes a result to stdout. A reader that has gone away (`| head`) is no error.
fn print(text: &str) -> Result<(), Error> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io("standard output")(error)),
        _ => Ok(()),
    }
}

/// Writes a message to stderr. There is nobody to tell when that fails.
fn tell(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let global = &cli.global;
    let done = match &cli.verb {
        Verb::Run(args) => run::run(args, global),
        Verb::Compare(args) => compare::run(args, global),
        Verb::Eval(args) => eval::run(args, global),
        Verb::Sweep(args) => sweep::run(args, global),
        Verb::Check(args) => check::run(args, global),
        Verb::Show(args) => show::run(args, global),
        Verb::New(args) => new::run(args, global),
        Verb::Pack(args) => pack::run(args, global),
        Verb::Calibrate(args) => calibrate::run(args, global),
        Verb::Schema(args) => schema::run(args),
        Verb::Report(args) => report::run(args, global),
        Verb::Plot(args) => plot::run(args, global),
        Verb::Critical(args) => critical::run(args, global),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Config(errors)) => {
            tell(&errors.render(global.colour()));
            ExitCode::from(2)
        }
        Err(Failure::Other(error)) => {
            let label = if global.colour() { "\u{1b}[1;31merror:\u{1b}[0m" } else { "error:" };
            tell(&format!("{label} {error}\n"));
            ExitCode::from(error.exit_code())
        }
    }
}
