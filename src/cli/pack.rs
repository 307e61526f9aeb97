//! `pack`: a compact posterior file from a large one.

use super::text::{aligned, row};
use super::{Failure, Format, Global, discard_on_signals, print};
use crate::error::Error;
use crate::report::quantity::grouped;
use crate::whole;
use crate::workload::pack::{PackOptions, Packed, Scales, compress, even_steps, mirrored_steps, pack};
use crate::workload::tensors;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Arguments of `pack`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crossbayes pack mine.safetensors -o mine.safetensors.zst
  crossbayes pack trained.safetensors -o small.safetensors.zst --levels 16 --keep-samples 0
  crossbayes pack trained.safetensors -o mine.safetensors.zst --input-scales testq8.act_scales \\
      --rename layer0=conv1,layer1=fc1")]
pub(super) struct Args {
    /// Posterior: a safetensors file, compressed or not.
    #[arg(value_name = "IN")]
    from: PathBuf,
    /// File to write; compressed with zstd if its name ends in `.zst`.
    #[arg(short, long, value_name = "OUT")]
    out: PathBuf,
    /// Levels of p at equal distances, an even number of them up to 256.
    #[arg(long, value_name = "N", default_value_t = 256, conflicts_with = "steps")]
    levels: u32,
    /// Levels of p below 1/2 as multiples of 1/255, 0 among them; the others are their mirror images.
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    steps: Vec<u8>,
    /// Most weight samples to keep of those that are stored.
    #[arg(long, value_name = "K", default_value_t = usize::MAX, hide_default_value = true)]
    keep_samples: usize,
    /// New prefixes of the layers' tensors: all layers in the network's order. Otherwise they keep theirs, and the order is
    /// that of their names, by text and then by number.
    #[arg(long, value_name = "OLD=NEW", value_delimiter = ',', value_parser = renamed)]
    rename: Vec<(String, String)>,
    /// Tensor with the input scales of all layers, or the scales themselves, in the network's order. Otherwise each layer
    /// has a tensor `input_scale`.
    #[arg(long, value_name = "TENSOR|SCALES")]
    input_scales: Option<String>,
    /// Without stored scales: those of codes of BITS bits that fit normalised activations behind a ReLU, if these are
    /// normal, with the least squared error. The first layer has --first-scale.
    #[arg(long, value_name = "BITS", conflicts_with = "input_scales", requires = "first_scale")]
    estimate_scales: Option<u32>,
    /// Value of code 1 of a pixel, for --estimate-scales.
    #[arg(long, value_name = "SCALE", requires = "estimate_scales")]
    first_scale: Option<f32>,
    /// Name of the posterior; otherwise that of the file.
    #[arg(long)]
    name: Option<String>,
    /// How the posterior was made, for people.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    /// Replace OUT if it exists.
    #[arg(long)]
    force: bool,
}

/// `OLD=NEW`.
fn renamed(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, name)) if !from.is_empty() && !name.is_empty() => Ok((from.to_owned(), name.to_owned())),
        _ => Err("expected OLD=NEW".to_owned()),
    }
}

/// Refuses to replace a file, unless that is asked for: before there is anything to lose.
pub(super) fn must_be_free(out: &Path, force: bool) -> Result<(), Error> {
    if force || out.symlink_metadata().is_err() {
        return Ok(());
    }
    let message = "is there already; it stays as it is\nhelp: choose another name, or --force".to_owned();
    Err(Error::Input { path: out.to_owned(), message })
}

/// Writes a posterior file whole or not at all, compressed with zstd if its name ends in `.zst`. Returns its length.
pub(super) fn write_posterior(out: &Path, bytes: &[u8], force: bool) -> Result<usize, Failure> {
    let compressed = out.extension().is_some_and(|extension| extension == "zst");
    let contents = if compressed { Cow::Owned(compress(bytes)?) } else { Cow::Borrowed(bytes) };
    discard_on_signals()?;
    whole::write(out, &contents, force)?;
    Ok(contents.len())
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    must_be_free(&args.out, args.force)?;
    let steps = if args.steps.is_empty() { even_steps(args.levels)? } else { mirrored_steps(&args.steps)? };
    let file_name = args.from.file_name().unwrap_or_default().to_string_lossy();
    let options = PackOptions {
        steps,
        samples: args.keep_samples,
        rename: args.rename.clone(),
        scales: scales(args),
        name: args.name.clone().unwrap_or_else(|| file_name.split('.').next().unwrap_or_default().to_owned()),
        description: args.description.clone(),
    };
    let bytes = tensors::read(&args.from).map_err(Error::io(&args.from))?;
    let packed = pack(&bytes, &args.from, &options)?;
    let length = write_posterior(&args.out, &packed.bytes, args.force)?;
    print(&match global.format {
        Format::Table => table(args, &options, &packed, length),
        Format::Json => json(args, &options, &packed, length),
    })?;
    Ok(())
}

/// Estimated, numbers, or the name of a tensor.
fn scales(args: &Args) -> Scales {
    if let (Some(bits), Some(first)) = (args.estimate_scales, args.first_scale) {
        return Scales::Estimated { bits, first };
    }
    let numbers = |text: &str| text.split(',').map(|number| number.trim().parse().ok()).collect::<Option<Vec<f32>>>();
    match args.input_scales.as_deref() {
        None => Scales::Stored,
        Some(text) => numbers(text).map_or_else(|| Scales::Tensor(text.to_owned()), Scales::Given),
    }
}

/// Largest distance of a p from what is stored for it.
fn largest_error(packed: &Packed) -> f64 {
    packed.layers.iter().map(|layer| layer.largest_error).fold(0.0, f64::max)
}

fn table(args: &Args, options: &PackOptions, packed: &Packed, bytes: usize) -> String {
    let mut rows = vec![row(["layer", "from", "synapses", "largest |p - stored p|", "input scale", "samples"])];
    rows.extend(packed.layers.iter().map(|layer| {
        vec![
            layer.name.clone(),
            layer.from.clone(),
            grouped(layer.synapses),
            format!("{:.5}", layer.largest_error),
            format!("{:.6}", layer.input_scale),
            format!("{} of {}", layer.samples[0], layer.samples[1]),
        ]
    }));
    let synapses: u64 = packed.layers.iter().map(|layer| layer.synapses).sum();
    let sets = ["sampled", "mode"].into_iter().chain(packed.sets.iter().map(String::as_str)).collect::<Vec<_>>();
    format!(
        "{}: {} synapses at {} levels of p, {} bytes ({} before compression)\n\n{}\nlargest |p - stored p|: {:.5}\nbatch-norm \
         statistics: {}\nleft out: {} tensors\n",
        args.out.display(),
        grouped(synapses),
        options.steps.len(),
        grouped(bytes as u64),
        grouped(packed.bytes.len() as u64),
        aligned(&rows),
        largest_error(packed),
        sets.join(", "),
        packed.left_out.len()
    )
}

fn json(args: &Args, options: &PackOptions, packed: &Packed, bytes: usize) -> String {
    let layers = packed.layers.iter().map(|layer| {
        serde_json::json!({
            "name": layer.name,
            "from": layer.from,
            "synapses": layer.synapses,
            "largest_error": layer.largest_error,
            "input_scale": layer.input_scale,
            "samples": layer.samples[0],
            "samples_of": layer.samples[1],
        })
    });
    let value = serde_json::json!({
        "file": args.out.display().to_string(),
        "bytes": bytes,
        "unpacked_bytes": packed.bytes.len(),
        "synapses": packed.layers.iter().map(|layer| layer.synapses).sum::<u64>(),
        "levels": options.steps.len(),
        "largest_error": largest_error(packed),
        "sets": packed.sets,
        "layers": layers.collect::<Vec<_>>(),
        "left_out": packed.left_out,
    });
    format!("{value:#}\n")
}
