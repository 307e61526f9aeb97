//! `show sampler`: what comparators that draw from device noise make of p.

use super::plot::Pictures;
use super::progress::Bar;
use super::text::{aligned, row, value};
use super::{Failure, Format, Global, Target};
use crate::compare::sampler::{Answered, Over, answers, pictures};
use crate::config::{Loaded, TrimTime, load_device};
use crate::device::one_over_f::Ladder;
use crate::error::Error;
use crate::functional::study::{Bent, Study, draw_correlation};
use crate::plot;
use crate::plot::sampler::NOISE_ROWS;
use crate::report::quantity::percent;
use crate::run::Shared;
use crate::units::Time;
use serde::Serialize;

/// Options of `show sampler`.
#[derive(Debug, clap::Args)]
pub(super) struct SamplerOptions {
    /// `sampler`: what the network answers over noise rows, offsets and the time of a read, on a chip with comparators.
    #[arg(long)]
    answers: bool,
}

/// Probabilities that are shown.
const PROBABILITIES: [f64; 7] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];
/// Times between draws.
const BETWEEN: [Time; 5] =
    [Time(1_000_000), Time(10_000_000), Time(100_000_000), Time(1_000_000_000), Time(1_000_000_000_000)];

#[derive(Debug, Serialize)]
struct Shown {
    model: String,
    age_s: f64,
    noise_rows: Vec<OfNoiseRows>,
    between: Vec<Alike>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Over>,
}

#[derive(Debug, Serialize)]
struct OfNoiseRows {
    noise_rows: u32,
    probabilities: Vec<Bent>,
}

#[derive(Debug, Serialize)]
struct Alike {
    dt_s: f64,
    noise_correlation: f64,
    draw_correlation: f64,
}

/// Realised probabilities for several numbers of noise rows and the chip's own, as a table or as JSON.
pub(super) fn text(
    options: &SamplerOptions,
    to: &Pictures,
    target: &Target,
    global: &Global,
) -> Result<String, Failure> {
    let loaded = target.load(global.seed)?;
    let config = &loaded.config;
    let answers = if options.answers { answered(&loaded, global)? } else { Vec::new() };
    let mut study = Study::of(&config.arch, config.seed);
    if study.device.has_ideal_cells() {
        study.device.model = load_device("pcm_joshi").map_err(Failure::Config)?;
    }
    let mut rows: Vec<u32> = NOISE_ROWS.into_iter().chain([study.noise_rows]).collect();
    rows.sort_unstable();
    rows.dedup();
    let of = |noise_rows: u32| {
        let study = Study { noise_rows, ..study.clone() };
        OfNoiseRows { noise_rows, probabilities: PROBABILITIES.map(|p| study.bent(p)).to_vec() }
    };
    let model = &study.device.model;
    let age = study.device.age.seconds();
    let ladder = Ladder::new(model.since_programming(age), model.read_seconds());
    let alike = |dt: Time| {
        let dt_s = dt.0 as f64 / 1e12;
        let noise_correlation = ladder.correlation(dt_s);
        Alike { dt_s, noise_correlation, draw_correlation: draw_correlation(noise_correlation) }
    };
    let shown = Shown {
        model: model.name.clone(),
        age_s: age,
        noise_rows: rows.into_iter().map(of).collect(),
        between: BETWEEN.into_iter().map(alike).collect(),
        answers,
    };
    to.draw(global, || {
        let of_answers = pictures(
            &shown.answers,
            &format!("{}, {}, aged {}", config.workload.name, study.device.model.name, study.device.age),
        );
        let of_study = plot::sampler::pictures(&study).into_iter().map(|(name, picture)| (name.to_owned(), picture));
        of_study.chain(of_answers).collect()
    })?;
    if global.format == Format::Json {
        return Ok(value(&shown, true)?);
    }
    Ok(table(&shown, &study))
}

/// What the network answers, with the place of what is wrong with the chip.
fn answered(loaded: &Loaded, global: &Global) -> Result<Vec<Over>, Failure> {
    let located = |error| match error {
        Error::Problems(problems) => Failure::Config(loaded.locate(problems)),
        other => other.into(),
    };
    let mut config = loaded.config.clone();
    // What tells images apart is not shown.
    config.workload.out_of_distribution = None;
    let shared = Shared::new(&config, &loaded.workload_base).map_err(located)?;
    let bar = Bar::new(global);
    let progress = |stage, done, total| bar.tell(stage, done, total);
    let found = answers(&config, &shared, global.threads(), &progress);
    bar.clear();
    found.map_err(located)
}

/// A table of answers: means of the deployments.
fn answers_table(over: &Over) -> String {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let head = [over.over, "", "accuracy", "ECE", "mutual information", "members correlate", "their noise"];
    let of_point = |name: &str, of: &Answered| {
        row([
            &of.at,
            name,
            &percent(mean(&of.accuracy)),
            &format!("{:.4}", mean(&of.ece)),
            &format!("{:.5}", mean(&of.mutual_information)),
            &format!("{:.4}", mean(&of.member_correlation)),
            &of.noise_correlation.map_or(String::new(), |noise| format!("{noise:.3}")),
        ])
    };
    let points = over.lines.iter().flat_map(|(name, points)| points.iter().map(|of| of_point(name, of)));
    aligned(&std::iter::once(row(head)).chain(points).collect::<Vec<_>>())
}

fn table(shown: &Shown, study: &Study) -> String {
    let mut rows =
        vec![std::iter::once("noise rows".to_owned()).chain(PROBABILITIES.map(|p| format!("p = {p}"))).collect()];
    rows.extend(shown.noise_rows.iter().map(|of| {
        let bent = of.probabilities.iter().map(|bent| format!("{:.3} +- {:.3}", bent.mean, bent.std));
        std::iter::once(of.noise_rows.to_string()).chain(bent).collect::<Vec<String>>()
    }));
    let mut between = vec![row(["time between two draws", "correlation of noise", "of draws at p = 0.5"])];
    between.extend(BETWEEN.iter().zip(&shown.between).map(|(dt, alike)| {
        let number = |value: f64| format!("{value:.3}");
        row([&dt.to_string(), &number(alike.noise_correlation), &number(alike.draw_correlation)])
    }));
    let trim = study.offset.trim.map_or_else(
        || "not trimmed".to_owned(),
        |trim| {
            let again = if trim.at == TrimTime::Run { ", again before the run" } else { "" };
            format!("trimmed in steps of {} with {} bits{again}", trim.step, trim.bits)
        },
    );
    let text = format!(
        "{}, aged {}; offsets of {}, {trim}\nrealised probabilities: mean and standard deviation\n\n{}\n{}",
        shown.model,
        study.device.age,
        study.offset.spread,
        aligned(&rows),
        aligned(&between)
    );
    shown.answers.iter().fold(text, |text, over| format!("{text}\n{}", answers_table(over)))
}
