//! One row of a comparison: a configuration and its figures.

use crate::compare::limits::{Limits, limits};
use crate::config::{Config, Execution, Mode, Packing};
use crate::error::Error;
use crate::meter::Ledger;
use crate::report::{OutputFacts, Report, RunFacts};
use serde::Serialize;
use std::collections::BTreeMap;

/// A row. Its fields are the keys of its JSON; figures are null where there are none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Folder or trace of a stored run; null for a row that was simulated.
    pub run: Option<String>,
    /// Name of the network.
    pub workload: String,
    /// Name of the chip.
    pub arch: String,
    /// Name of the cost table.
    pub costs: String,
    /// Name of the scheme's preset.
    pub scheme: &'static str,
    /// First layer that runs once a member; null where none does.
    pub first_ensembling_layer: Option<String>,
    /// Its place in the network.
    #[serde(skip)]
    pub first_layer: Option<usize>,
    /// Threshold of probabilistic synapses; null where all or none are sampled.
    pub eps: Option<f64>,
    /// Packing of stochastic planes; null where there are none.
    pub packing: Option<&'static str>,
    /// Whether the deterministic part of the first ensembling layer is kept.
    pub keep_deterministic_part: bool,
    /// Schedule.
    pub schedule: &'static str,
    /// How members are run.
    pub ensemble: &'static str,
    /// Members that run.
    pub members: u32,
    /// Why there are no figures.
    pub problem: Option<String>,
    /// Cycles to the end of the first image.
    pub latency_cycles: Option<u64>,
    /// The same in seconds.
    pub latency_s: Option<f64>,
    /// Cycles from one image to the next.
    pub initiation_interval_cycles: Option<u64>,
    /// Energy of an image, mean of the run, J.
    pub energy_j: Option<f64>,
    /// Mean power of the run, W.
    pub power_w: Option<f64>,
    /// Area, mm2.
    pub area_mm2: Option<f64>,
    /// Arrays.
    pub arrays: Option<u64>,
    /// Random bits of an image.
    pub random_bits: Option<u64>,
    /// Synapses that are drawn for each member.
    pub sampled_synapses: Option<u64>,
    /// Synapses with 0.05 < p < 0.95.
    pub probabilistic_synapses: Option<u64>,
    /// Places for synapses in stochastic planes.
    pub stored_synapses: Option<u64>,
    /// Efficiency in steady state, 1e9/J.
    pub gops_per_w: Option<f64>,
    /// The same by area, 1e9/(J mm2).
    pub gops_per_w_per_mm2: Option<f64>,
    /// What the network answers; null without images.
    pub outputs: Option<Scores>,
    /// Figures divided by those of the reference, by the names of [`FIGURES`].
    pub ratio: BTreeMap<&'static str, f64>,
    /// Distance to physical limits.
    pub limits: Option<Limits>,
}

/// Scores of the answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Images answered.
    pub images: u32,
    /// Share of right answers; null without labels.
    pub accuracy: Option<f64>,
    /// Expected calibration error; null without labels.
    pub ece: Option<f64>,
    /// Mean negative log-likelihood, nats; null without labels.
    pub nll: Option<f64>,
    /// Mutual information of answer and weights, mean over the images, nats.
    pub mutual_information: Option<f64>,
}

impl Scores {
    fn of(outputs: &OutputFacts) -> Self {
        let images = f64::from(outputs.images);
        Self {
            images: outputs.images,
            accuracy: outputs.accuracy,
            ece: outputs.ece,
            nll: outputs.nll,
            mutual_information: (images > 0.0).then(|| outputs.mutual_information.iter().sum::<f64>() / images),
        }
    }
}

/// A figure of which ratios are taken: its name there, and its value in a row.
pub type Figure = (&'static str, fn(&Row) -> Option<f64>);

/// Figures of which ratios are taken.
pub const FIGURES: &[Figure] = &[
    ("latency", |row| whole(row.latency_cycles)),
    ("initiation_interval", |row| whole(row.initiation_interval_cycles)),
    ("energy", |row| row.energy_j),
    ("power", |row| row.power_w),
    ("area", |row| row.area_mm2),
    ("arrays", |row| whole(row.arrays)),
    ("random_bits", |row| whole(row.random_bits)),
    ("sampled_synapses", |row| whole(row.sampled_synapses)),
    ("probabilistic_synapses", |row| whole(row.probabilistic_synapses)),
    ("stored_synapses", |row| whole(row.stored_synapses)),
    ("gops_per_w", |row| row.gops_per_w),
    ("gops_per_w_per_mm2", |row| row.gops_per_w_per_mm2),
    ("accuracy", |row| row.outputs.as_ref()?.accuracy),
    ("ece", |row| row.outputs.as_ref()?.ece),
    ("nll", |row| row.outputs.as_ref()?.nll),
    ("mutual_information", |row| row.outputs.as_ref()?.mutual_information),
];

fn whole(number: Option<u64>) -> Option<f64> {
    number.map(|number| number as f64)
}

/// How the members of a configuration are run.
fn ensemble(config: &Config) -> &'static str {
    match config.ensemble.execution {
        Execution::Temporal => "temporal",
        Execution::Spatial => "spatial",
    }
}

/// Name of a schedule, as the configuration has it.
#[must_use]
pub const fn schedule(mode: Mode) -> &'static str {
    match mode {
        Mode::Sequential => "sequential",
        Mode::Layer => "layer",
        Mode::Streaming => "streaming",
    }
}

impl Row {
    /// The row of a configuration, without figures.
    #[must_use]
    pub fn without_figures(config: &Config) -> Self {
        let scheme = &config.mapping.scheme;
        let choices = scheme.choices();
        let layers = &config.workload.layers;
        let first_layer = choices.as_ref().and_then(|choices| match choices.first_ensembling_layer {
            None => (!layers.is_empty()).then_some(0),
            Some(name) => layers.iter().position(|layer| layer.name == name),
        });
        Self {
            run: None,
            workload: config.workload.name.clone(),
            arch: config.arch.name.clone(),
            costs: config.arch.costs.name.clone(),
            scheme: scheme.name(),
            first_ensembling_layer: first_layer.map(|index| layers[index].name.clone()),
            first_layer,
            eps: scheme.eps(),
            packing: choices.as_ref().map(|choices| match choices.packing {
                Packing::Full => "full",
                Packing::Rows => "rows",
                Packing::Lists { sorted: true } => "lists",
                Packing::Lists { sorted: false } => "unsorted lists",
            }),
            keep_deterministic_part: choices.is_some_and(|choices| choices.keep_deterministic_part),
            schedule: schedule(config.schedule.mode),
            ensemble: ensemble(config),
            members: config.members(),
            problem: None,
            latency_cycles: None,
            latency_s: None,
            initiation_interval_cycles: None,
            energy_j: None,
            power_w: None,
            area_mm2: None,
            arrays: None,
            random_bits: None,
            sampled_synapses: None,
            probabilistic_synapses: None,
            stored_synapses: None,
            gops_per_w: None,
            gops_per_w_per_mm2: None,
            outputs: None,
            ratio: BTreeMap::new(),
            limits: None,
        }
    }

    /// The row of a configuration that cannot be simulated.
    #[must_use]
    pub fn refused(config: &Config, error: &Error) -> Self {
        Self { problem: Some(error.to_string().replace('\n', "; ")), ..Self::without_figures(config) }
    }

    /// The row of a run.
    #[must_use]
    pub fn of(facts: &RunFacts, ledger: &Ledger) -> Self {
        let config = &facts.config;
        let report = Report::new(facts, ledger);
        let cycles = report.latency.per_image.first().map_or(report.latency.cycles, |image| image.end_cycle);
        let images = u64::from(config.schedule.images.max(1));
        Self {
            latency_cycles: Some(cycles),
            latency_s: Some(cycles as f64 / config.arch.clock.0 as f64),
            initiation_interval_cycles: Some(report.latency.initiation_interval_cycles),
            energy_j: Some(report.energy.per_image_j),
            power_w: report.power.run_w,
            area_mm2: Some(report.area.total_mm2),
            arrays: Some(facts.arrays),
            random_bits: Some(report.sampling.random_bits / images),
            sampled_synapses: Some(facts.layers.iter().map(|layer| layer.sampled_synapses).sum()),
            probabilistic_synapses: report.sampling.probabilistic_synapses,
            stored_synapses: Some(report.sampling.stored_synapses),
            gops_per_w: report.efficiency.gops_per_w,
            gops_per_w_per_mm2: report.efficiency.gops_per_w_per_mm2,
            outputs: facts.outputs.as_ref().map(Scores::of),
            limits: Some(limits(facts, ledger, report.energy.per_image_j)),
            ..Self::without_figures(config)
        }
    }

    /// Its figures divided by those of `first`, where both have them and the latter is not 0.
    #[must_use]
    pub fn ratios(&self, first: &Row) -> BTreeMap<&'static str, f64> {
        let ratio = |(name, of): &Figure| {
            let first = of(first).filter(|first| *first != 0.0)?;
            Some((*name, of(self)? / first))
        };
        FIGURES.iter().filter_map(ratio).collect()
    }
}
