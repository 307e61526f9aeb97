//! Answers of a chip whose comparators draw weights from the noise of devices, over noise rows, offsets and the time between
//! reads.

use crate::config::{Config, Offset, ReadNoise, Sampler, Trim, TrimTime, check_config};
use crate::error::{Error, Problem};
use crate::plot::Picture;
use crate::plot::panels::{Contents, Panel, Point, Scale, line_colour, picture};
use crate::plot::sampler::NOISE_ROWS;
use crate::report::OutputFacts;
use crate::run::{Progress, Shared};
use crate::units::{Conductance, Time};
use serde::Serialize;

/// Deployments of each point: other devices, other draws.
const DEPLOYMENTS: u64 = 3;
/// Spreads of offsets.
const SPREADS: [Conductance; 5] =
    [Conductance(0), Conductance(1_000_000), Conductance(2_000_000), Conductance(5_000_000), Conductance(10_000_000)];
/// Times of a read of a row.
const READ_TIMES: [Time; 5] = [Time(10_000), Time(100_000), Time(1_000_000), Time(10_000_000), Time(100_000_000)];
/// Trimming, where the chip has none.
const FINE: Trim = Trim { step: Conductance(100_000), bits: 12, at: TrimTime::Programming };

/// Answers over one property of the comparators.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Over {
    /// The property: `noise_rows`, `offset` or `read_time`.
    pub over: &'static str,
    /// Lines of points, with what they stand for.
    pub lines: Vec<(&'static str, Vec<Answered>)>,
}

/// Answers of some deployments of one chip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answered {
    /// The value of the property.
    pub at: String,
    /// Noise that the first two members of an image have in common; none where every draw has its own.
    pub noise_correlation: Option<f64>,
    /// Shares of right answers.
    pub accuracy: Vec<f64>,
    /// Expected calibration errors.
    pub ece: Vec<f64>,
    /// Means over images of the mutual information of answer and weights, nats.
    pub mutual_information: Vec<f64>,
    /// Correlations of the logits of two members.
    pub member_correlation: Vec<f64>,
}

/// What is changed of a chip's comparators.
#[derive(Debug, Clone, Copy)]
struct Change {
    noise_rows: Option<u32>,
    spread: Option<Conductance>,
    trimmed: bool,
    read_time: Option<Time>,
}

/// Answers over noise rows and over offsets, trimmed or not, with white noise, and over the time of a read with 1/f noise: each
/// of three seeds from that of `config` on. Everything else is as `config` says.
///
/// # Errors
/// Returns [`Error::Problems`] if the chip has no comparators or ideal devices, or the network no images with labels; otherwise
/// as [`Shared::prepare`].
pub fn answers(config: &Config, shared: &Shared, threads: usize, progress: Progress<'_>) -> Result<Vec<Over>, Error> {
    let as_it_is = Change { noise_rows: None, spread: None, trimmed: true, read_time: None };
    let rows = NOISE_ROWS.map(|rows| (rows.to_string(), Change { noise_rows: Some(rows), ..as_it_is }));
    let spreads = SPREADS.map(|spread| (spread.to_string(), Change { spread: Some(spread), ..as_it_is }));
    let times = READ_TIMES.map(|time| (time.to_string(), Change { read_time: Some(time), ..as_it_is }));
    let fresh = ("fresh".to_owned(), as_it_is);
    let untrimmed = |points: &[(String, Change)]| -> Vec<(String, Change)> {
        points.iter().map(|(at, change)| (at.clone(), Change { trimmed: false, ..*change })).collect()
    };
    let plan = [
        ("noise_rows", vec![("trimmed", rows.to_vec()), ("not trimmed", untrimmed(&rows))]),
        ("offset", vec![("trimmed", spreads.to_vec()), ("not trimmed", untrimmed(&spreads))]),
        ("read_time", vec![("trimmed", times.into_iter().chain([fresh]).collect())]),
    ];
    let mut found = Vec::new();
    for (over, lines) in plan {
        let mut of_lines = Vec::new();
        for (name, line) in lines {
            let mut answered = Vec::new();
            for (at, change) in line {
                answered.push(of_point(at, &changed(config, change)?, shared, threads, progress)?);
            }
            of_lines.push((name, answered));
        }
        found.push(Over { over, lines: of_lines });
    }
    Ok(found)
}

/// The configuration with other comparators.
fn changed(config: &Config, change: Change) -> Result<Config, Error> {
    let problem = |path: &str, message: &str, hint: &str| {
        Err(Error::Problems(vec![Problem::new(path, message.to_owned()).hint(hint.to_owned())]))
    };
    let mut config = config.clone();
    if config.arch.device.has_ideal_cells() {
        let message = "the memory cells are ideal: comparators draw with p whatever they are";
        return problem(
            "arch.device.model",
            message,
            "name cells that are not, such as --set arch.device.model=pcm_joshi",
        );
    }
    let Sampler::Comparator { noise_rows, offset, .. } = &mut config.arch.sampler else {
        return problem(
            "arch.sampler",
            "the chip has no comparators",
            "expected a chip such as --arch pcm_128_rowserial",
        );
    };
    *noise_rows = change.noise_rows.unwrap_or(*noise_rows);
    *offset = Offset {
        spread: change.spread.unwrap_or(offset.spread),
        trim: change.trimmed.then(|| offset.trim.unwrap_or(FINE)),
    };
    config.arch.device.read_noise = ReadNoise::White;
    if let Some(time) = change.read_time {
        config.arch.device.read_noise = ReadNoise::OneOverF;
        config.arch.stochastic.read_time = Some(time);
    }
    let problems = check_config(&config);
    if problems.is_empty() { Ok(config) } else { Err(Error::Problems(problems)) }
}

fn of_point(
    at: String,
    config: &Config,
    shared: &Shared,
    threads: usize,
    progress: Progress<'_>,
) -> Result<Answered, Error> {
    let mut answered = Answered {
        at,
        noise_correlation: None,
        accuracy: Vec::new(),
        ece: Vec::new(),
        mutual_information: Vec::new(),
        member_correlation: Vec::new(),
    };
    for deployment in 0..DEPLOYMENTS {
        let config = Config { seed: config.seed.wrapping_add(deployment), ..config.clone() };
        let prepared = shared.prepare(config, threads, progress)?;
        let Some((outputs, accuracy, ece)) = prepared.outputs().and_then(scored) else {
            let message = "the network has no images with labels, so there are no answers to score";
            return Err(Error::Problems(vec![Problem::new("workload.images", message)]));
        };
        answered.noise_correlation = outputs.members_apart.as_ref().map(|apart| apart.noise_correlation);
        answered.accuracy.push(accuracy);
        answered.ece.push(ece);
        let information = &outputs.mutual_information;
        answered.mutual_information.push(information.iter().sum::<f64>() / information.len() as f64);
        answered.member_correlation.extend(outputs.member_correlation);
    }
    Ok(answered)
}

fn scored(outputs: &OutputFacts) -> Option<(&OutputFacts, f64, f64)> {
    Some((outputs, outputs.accuracy?, outputs.ece?))
}

/// A picture for each property, with the name of its file. `subtitle` says what the runs have in common.
#[must_use]
pub fn pictures(answers: &[Over], subtitle: &str) -> Vec<(String, Picture)> {
    answers.iter().map(|over| (format!("sampler_answers_{}", over.over), of_property(over, subtitle))).collect()
}

/// What a chart shows: its title, unit and values.
type Chart = (&'static str, &'static str, fn(&Answered) -> &[f64]);

const CHARTS: [Chart; 4] = [
    ("accuracy", "%", |of| &of.accuracy),
    ("expected calibration error", "", |of| &of.ece),
    ("mutual information (nats)", "", |of| &of.mutual_information),
    ("correlation of members", "", |of| &of.member_correlation),
];

fn of_property(over: &Over, subtitle: &str) -> Picture {
    let (title, axis, noise) = match over.over {
        "noise_rows" => ("Answers over the number of noise rows", "noise rows", "white read noise"),
        "offset" => ("Answers over the spread of comparators' offsets", "spread of offsets", "white read noise"),
        _ => ("Answers over the time of a read", "read of a row; fresh: white noise", "1/f read noise"),
    };
    let panels = CHARTS.map(|(title, unit, of)| {
        let line = |points: &Vec<Answered>| {
            let of_point = |(category, point): (usize, &Answered)| {
                let values = of(point);
                let value = values.iter().sum::<f64>() / values.len() as f64;
                let fold = |with: fn(f64, f64) -> f64| values.iter().copied().fold(value, with);
                (!values.is_empty()).then(|| Point { category, value, error: (fold(f64::min), fold(f64::max)) })
            };
            points.iter().enumerate().filter_map(of_point).collect()
        };
        let lines = over.lines.iter().map(|(_, points)| line(points)).collect();
        Panel { title: title.to_owned(), unit, scale: Scale::Range, lines }
    });
    let legend = over.lines.iter().enumerate().map(|(i, (name, _))| (line_colour(i), (*name).to_owned()));
    let categories: Vec<String> = over.lines[0].1.iter().map(|point| point.at.replace('u', "\u{b5}")).collect();
    picture(&Contents {
        title,
        subtitle: &format!("{subtitle}, {noise}; mean, lowest and highest of {DEPLOYMENTS} deployments"),
        legend: &legend.collect::<Vec<_>>(),
        categories: &categories,
        axis,
        panels: &panels,
    })
}
