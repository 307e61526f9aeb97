//! `calibrate`: batch-norm statistics and input scales for the sampling configuration at hand.

use super::pack::{must_be_free, write_posterior};
use super::progress::Bar;
use super::text::{aligned, row};
use super::{Failure, Format, Global, Target, print};
use crate::error::Error;
use crate::functional::metrics::Scores;
use crate::report::quantity::percent;
use crate::run::{Calibration, RunPhase, calibrate};
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
    /// Statistics of each member's own weights instead of one set for all members. Only a run whose members have these very
    /// weights uses them.
    #[arg(long)]
    per_member: bool,
    /// Replace OUT if it exists.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    must_be_free(&args.out, args.force)?;
    if args.name.is_empty() || !args.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || args.name == "mode"
    {
        let message = "--name: expected letters, digits and _, and not \"mode\"";
        return Err(Error::Config(message.to_owned()).into());
    }
    let loaded = args.target.load(global.seed)?;
    let bar = Bar::new(global);
    let tell = |phase: RunPhase, done: u64, total: u64| bar.tell(phase, done, total);
    let base = &loaded.workload_base;
    let made = calibrate(&loaded.config, base, &args.name, args.per_member, global.threads(), &tell);
    let made = made.map_err(|error| Failure::of(error, &loaded))?;
    bar.clear();
    write_posterior(&args.out, &made.bytes, args.force)?;
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
    let scores = |scores: Option<Scores>| match scores {
        Some(Scores { accuracy, ece, nll }) => format!("accuracy {}, ECE {ece:.4}, NLL {nll:.4}", percent(accuracy)),
        None => "no labels".to_owned(),
    };
    format!(
        "{}: set \"{}\"{}, from {} images and {} members\n\n{}\nbefore: {}\nafter:  {}\n",
        args.out.display(),
        args.name,
        if args.per_member { " of each member" } else { "" },
        made.images,
        made.members,
        aligned(&rows),
        scores(made.before),
        scores(made.after)
    )
}

fn json(args: &Args, made: &Calibration) -> String {
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
        "per_member": args.per_member,
        "images": made.images,
        "members": made.members,
        "layers": layers.collect::<Vec<_>>(),
        "before": made.before,
        "after": made.after,
    });
    format!("{value:#}\n")
}
