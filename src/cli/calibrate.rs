//! `calibrate`: batch-norm statistics and input scales for the sampling configuration at hand.

use super::progress::Bar;
use super::text::{aligned, row};
use super::{Failure, Format, Global, Target, discard_on_signals, print};
use crate::error::Error;
use crate::report::quantity::percent;
use crate::run::{Calibration, RunPhase, calibrate};
use crate::whole;
use crate::workload::pack::compress;
use std::path::PathBuf;

/// Arguments of `calibrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crossbayes calibrate --set 'mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"))' -o fc1.safetensors
  crossbayes run --set 'mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"))' \\
      --set 'workload.posterior.path=\"./fc1.safetensors\"'")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Posterior file to write: that of the network, with a further set of statistics. Compressed with zstd if its name ends
    /// in `.zst`.
    #[arg(short, long, value_name = "OUT")]
    out: PathBuf,
    /// Name of the set; one of the same name is replaced.
    #[arg(long, value_name = "NAME", default_value = "calibrated")]
    name: String,
    /// Replace OUT if it exists.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let refuse = |message: &str| Error::Input { path: args.out.clone(), message: message.to_owned() };
    if !args.force && args.out.symlink_metadata().is_ok() {
        return Err(refuse("is there already; it stays as it is\nhelp: choose another name, or --force").into());
    }
    if args.name.is_empty() || !args.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || args.name == "mode"
    {
        let message = "--name: expected letters, digits and _, and not \"mode\"";
        return Err(Error::Config(message.to_owned()).into());
    }
    let loaded = args.target.load(global.seed)?;
    let bar = Bar::new(global);
    let tell = |phase: RunPhase, done: u64, total: u64| bar.tell(phase, done, total);
    let base = &loaded.workload_base;
    let made = calibrate(&loaded.config, base, &args.name, global.threads(), &tell);
    let made = made.map_err(|error| Failure::of(error, &loaded))?;
    bar.clear();
    let compressed = args.out.extension().is_some_and(|extension| extension == "zst");
    let contents = if compressed { compress(&made.bytes)? } else { made.bytes.clone() };
    discard_on_signals()?;
    whole::write(&args.out, &contents, args.force)?;
    print(&match global.format {
        Format::Table => table(args, &made),
        Format::Json => json(args, &made),
    })?;
    Ok(())
}

fn table(args: &Args, made: &Calibration) -> String {
    let mut rows = vec![row(["layer", "input scale", "before", "mean moved by", "sd changed by"])];
    rows.extend(made.layers.iter().map(|layer| {
        vec![
            layer.name.clone(),
            format!("{:.6}", layer.input_scale),
            format!("{:.6}", layer.input_scale_before),
            format!("{:.3} sd", layer.mean_moved_sd),
            percent(layer.sd_changed),
        ]
    }));
    let scores = |scores: &Option<[f64; 3]>| match scores {
        Some([accuracy, ece, nll]) => format!("accuracy {}, ECE {ece:.4}, NLL {nll:.4}", percent(*accuracy)),
        None => "no labels".to_owned(),
    };
    format!(
        "{}: set \"{}\", from {} images and {} members\n\n{}\nbefore: {}\nafter:  {}\n",
        args.out.display(),
        args.name,
        made.images,
        made.members,
        aligned(&rows),
        scores(&made.before),
        scores(&made.after)
    )
}

fn json(args: &Args, made: &Calibration) -> String {
    let scores = |scores: &Option<[f64; 3]>| {
        scores.map(|[accuracy, ece, nll]| serde_json::json!({ "accuracy": accuracy, "ece": ece, "nll": nll }))
    };
    let layers = made.layers.iter().map(|layer| {
        serde_json::json!({
            "name": layer.name,
            "input_scale": layer.input_scale,
            "input_scale_before": layer.input_scale_before,
            "mean_moved_sd": layer.mean_moved_sd,
            "sd_changed": layer.sd_changed,
        })
    });
    let value = serde_json::json!({
        "file": args.out.display().to_string(),
        "set": args.name,
        "images": made.images,
        "members": made.members,
        "layers": layers.collect::<Vec<_>>(),
        "before": scores(&made.before),
        "after": scores(&made.after),
    });
    format!("{value:#}\n")
}
