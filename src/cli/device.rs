//! `show device`: what is left of a conductance after programming, drift and reading.

use super::plot::Pictures;
use super::text::{aligned, row, value};
use super::{Failure, Format, Global, Target};
use crate::config::{Device, load_device};
use crate::device::one_over_f::fresh_sigma;
use crate::device::population::{Population, Spread, population};
use crate::error::Error;
use crate::plot;
use crate::report::quantity::{grouped, percent, significant};
use crate::units::{Age, Conductance, Time};
use serde::Serialize;

/// Options of `show device`.
#[derive(Debug, clap::Args)]
pub(super) struct DeviceOptions {
    /// `device`: kind of memory cell, a built-in name or a file. Left out: the chip's, or pcm_joshi where that is ideal.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// `device`: target conductance. Left out: the chip's conductance_on.
    #[arg(long, value_name = "CONDUCTANCE", value_parser = Conductance::parse)]
    g: Option<Conductance>,
    /// `device`: age, the time since the first read after programming.
    #[arg(long, value_name = "AGE", default_value = "1 h", allow_hyphen_values = true, value_parser = Age::parse)]
    t: Age,
    /// `device`: devices that are drawn.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(2..=1_000_000_000_000))]
    devices: u64,
}

/// Times between reads whose common noise is shown.
const BETWEEN: [Time; 5] =
    [Time(1_000_000), Time(10_000_000), Time(100_000_000), Time(1_000_000_000), Time(1_000_000_000_000)];

/// The statistics as JSON.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    model: &'a str,
    source: &'a str,
    pairs: crate::config::PairSemantics,
    stuck_at_reset: f64,
    stuck_at_set: f64,
    g_us: f64,
    t_s: f64,
    devices: u64,
    seed: u64,
    programmed_mean_us: f64,
    programmed_std_us: f64,
    drift_exponent_mean: f64,
    drift_exponent_std: f64,
    drifted_mean_us: f64,
    drifted_std_us: f64,
    final_mean_us: f64,
    final_std_us: f64,
    read_sigma_relative: f64,
    fresh_share: Vec<Fresh>,
}

/// Noise that is fresh between two reads.
#[derive(Debug, Serialize)]
struct Fresh {
    dt_s: f64,
    of_sigma: f64,
}

/// Statistics of devices as a table, or as JSON. Draws pictures where a folder for them is named.
pub(super) fn text(
    options: &DeviceOptions,
    to: &Pictures,
    target: &Target,
    global: &Global,
) -> Result<String, Failure> {
    let config = target.load(global.seed)?.config;
    let (mut device, seed) = (config.arch.device, config.seed);
    let model = options.model.as_deref().or(device.has_ideal_cells().then_some("pcm_joshi"));
    if let Some(model) = model {
        device.model = load_device(model).map_err(Failure::Config)?;
    }
    let device = &device;
    let g = options.g.unwrap_or(config.arch.array.conductance_on.min(device.model.conductance_max));
    if g > device.model.conductance_max {
        let message =
            format!("--g is {g}; the cells of \"{}\" reach {}", device.model.name, device.model.conductance_max);
        return Err(Error::Config(message).into());
    }
    let (g_us, age) = (g.microsiemens(), options.t.seconds());
    let found = population(device, g_us, age, options.devices, seed, global.threads());
    to.draw(global, || plot::device::pictures(device, seed, global.threads()))?;
    if global.format == Format::Json {
        return Ok(value(&shown(device, options, g_us, seed, &found), true)?);
    }
    Ok(table(device, options, g, &found))
}

/// Fresh share of sigma between reads, with the times between them.
fn fresh(device: &Device, age: f64) -> impl Iterator<Item = (Time, f64)> {
    let model = &device.model;
    let (t, read) = (model.since_programming(age), model.read_seconds());
    BETWEEN.into_iter().map(move |dt| (dt, fresh_sigma(dt.0 as f64 / 1e12, t, read)))
}

fn shown<'a>(device: &'a Device, options: &DeviceOptions, g_us: f64, seed: u64, found: &Population) -> Shown<'a> {
    let (model, age) = (&device.model, options.t.seconds());
    Shown {
        model: &model.name,
        source: &model.source,
        pairs: device.pairs,
        stuck_at_reset: device.stuck_at_reset,
        stuck_at_set: device.stuck_at_set,
        g_us,
        t_s: age,
        devices: options.devices,
        seed,
        programmed_mean_us: found.programmed.mean,
        programmed_std_us: found.programmed.std,
        drift_exponent_mean: found.exponent.mean,
        drift_exponent_std: found.exponent.std,
        drifted_mean_us: found.drifted.mean,
        drifted_std_us: found.drifted.std,
        final_mean_us: found.read.mean,
        final_std_us: found.read.std,
        read_sigma_relative: model.read_sigma(g_us, model.at(age)),
        fresh_share: fresh(device, age).map(|(dt, of_sigma)| Fresh { dt_s: dt.0 as f64 / 1e12, of_sigma }).collect(),
    }
}

fn table(device: &Device, options: &DeviceOptions, g: Conductance, found: &Population) -> String {
    let (model, age) = (&device.model, options.t.seconds());
    let line = |name: &str, spread: Spread, unit: &str| {
        let number = |value: f64| format!("{value:.4}{unit}");
        row([name, &number(spread.mean), &number(spread.std)])
    };
    let rows = [
        row(["", "mean", "std"]),
        line("programmed", found.programmed, " uS"),
        line("drift exponent", found.exponent, ""),
        line("drifted", found.drifted, " uS"),
        line("read", found.read, " uS"),
    ];
    let mut between = vec![row(["time between two reads", "sigma that is fresh"])];
    between.extend(fresh(device, age).map(|(dt, share)| row([&dt.to_string(), &percent(share)])));
    let relative = model.read_sigma(g.microsiemens(), model.at(age));
    format!(
        "{}: {g}, aged {}, {} devices\n\n{}\nread noise of a device at its target: {} of its conductance\n\n{}\nsource: {}\n",
        model.name,
        options.t,
        grouped(options.devices),
        aligned(&rows),
        significant(relative),
        aligned(&between),
        model.source
    )
}
