//! `eval`: answers to whole data sets.

use super::progress::Bar;
use super::{Failure, Format, Global, Target, discard_on_signals, print};
use crate::error::Error;
use crate::eval::{JOURNAL, Remedy, Request, Source, evaluate, pictures};
use crate::plot;
use crate::report::quantity::grouped;
use crate::run::RunPhase;
use crate::units::Age;
use crate::whole;
use crate::workload::datasets::Normalisation;
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments of `eval`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Formats are known by the name: *.bin (CIFAR-10 and -100), *ubyte and *.idx, also .gz (IDX), *.npz, *.safetensors,
also .zst. An eval with --out that is killed goes on where it was when it is started again.

Examples:
  crossbayes eval --workload digits
  crossbayes eval --workload fashion_mnist --data t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz
  crossbayes eval --workload vgg_cifar100_half --data test.bin --ood cifar10.bin --limit 1000 --shuffle --out half
  crossbayes eval --set arch.device.model=pcm_joshi --drift 0s,1day,1year --compensation off,arrays --deployments 5
  crossbayes eval --members 1,2,5,10 --temperature"
)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Data set [default: the images that the network names]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Its labels, if they lie in another file (IDX).
    #[arg(long, value_name = "FILE", requires = "data")]
    labels: Option<PathBuf>,
    /// Images of another kind: how well uncertainty tells them from the data set [default: those that the network names, if
    /// it does]
    #[arg(long, value_name = "FILE")]
    ood: Option<PathBuf>,
    /// Mean of each channel that was subtracted from pixels (byte / 255) in training, or one for all.
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "std")]
    mean: Vec<f64>,
    /// Standard deviation of each channel by which they were divided, or one for all.
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "mean")]
    std: Vec<f64>,
    /// Most images of each set.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Take images in random order, that of the master seed.
    #[arg(long)]
    shuffle: bool,
    /// Numbers of ensemble members: the largest runs, the others are its first ones [default: that of the network's run]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=10_000))]
    members: Vec<u32>,
    /// Chips with other cells and other members, of the seeds from the master seed on: mean and spread.
    #[arg(long, visible_alias = "seeds", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    deployments: u32,
    /// Ages of the memory cells, such as 0s,1h,30days,1year [default: that of the chip]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = Age::parse)]
    drift: Vec<Age>,
    /// Compensations of drift: off, arrays, arrays-ideal, logits, logits-ideal, statistics (batch norm,
    /// estimated anew on the calibration images), statistics-of-members (for each by itself) [default: that of the chip]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = remedy)]
    compensation: Vec<Remedy>,
    /// Also with logits divided by a temperature that is fitted on the calibration images.
    #[arg(long)]
    temperature: bool,
    /// Folder for the table (JSON, CSV), the scores of each image (Parquet), pictures, and the journal to go on from.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite the results of another evaluation in that folder.
    #[arg(long, requires = "out")]
    force: bool,
    /// Writes the rows as CSV; an earlier file is replaced.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

fn remedy(text: &str) -> Result<Remedy, String> {
    let found = Remedy::NAMED.iter().find(|(name, _)| *name == text).map(|(_, remedy)| *remedy);
    let names = || Remedy::NAMED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("there is no compensation `{text}`; expected {}", names()))
}

/// Makes the folder, or refuses one with anything but an evaluation in it.
fn folder(out: &Path) -> Result<(), Error> {
    fs::create_dir_all(out).map_err(Error::io(out))?;
    let mut entries = fs::read_dir(out).map_err(Error::io(out))?;
    if !out.join(JOURNAL).exists() && entries.next().is_some() {
        let message = format!("--out {}: expected a new or empty folder, or that of an earlier eval", out.display());
        return Err(Error::Config(message));
    }
    Ok(())
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let loaded = args.target.load(global.seed)?;
    discard_on_signals()?;
    if let Some(out) = &args.out {
        folder(out)?;
    }
    let csv = args.csv.as_deref().map(whole::NewFile::create).transpose()?;
    let request = Request {
        config: loaded.config.clone(),
        base: loaded.workload_base.clone(),
        data: args.data.clone().map(|path| Source { path, labels: args.labels.clone() }),
        ood: args.ood.clone(),
        normalisation: (!args.std.is_empty()).then(|| Normalisation { mean: args.mean.clone(), std: args.std.clone() }),
        limit: args.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        shuffle: args.shuffle,
        members: args.members.clone(),
        drift: args.drift.clone(),
        compensation: args.compensation.clone(),
        deployments: args.deployments,
        temperature: args.temperature,
    };
    let bar = Bar::new(global);
    let tell = |phase: RunPhase, done: u64, total: u64| bar.tell(phase, done, total);
    let found = |images: u64| global.say(&format!("going on: {} images are answered", grouped(images)));
    let done = evaluate(&request, args.out.as_deref(), args.force, global.threads(), &found, &tell);
    bar.clear();
    let done = done.map_err(|error| Failure::of(error, &loaded))?;
    if let Some((new, mut file)) = csv {
        std::io::Write::write_all(&mut file, &done.table.to_csv()?).map_err(Error::io("--csv"))?;
        new.finish()?;
    }
    if let Some(out) = &args.out {
        let write = |name: &str, contents: &[u8]| whole::write(&out.join(name), contents, true);
        write("eval.json", done.table.to_json().as_bytes())?;
        write("eval.csv", &done.table.to_csv()?)?;
        write("images.parquet", &done.to_parquet()?)?;
        for (name, picture) in pictures(&done) {
            for (name, contents) in plot::files(name, &picture, false)? {
                write(&name, &contents)?;
            }
        }
        global.say(&format!("wrote {}: eval.json, eval.csv, images.parquet, pictures", out.display()));
    }
    print(&match global.format {
        Format::Json => done.table.to_json(),
        Format::Table => done.table.to_string(),
    })?;
    Ok(())
}
