//! Runs side by side: the rows of a comparison, from configurations or from stored runs, with ratios to the first.
//!
//! What rows share is computed once (see [`Shared`]): files, the splits of a posterior at an eps, and values, which depend
//! on neither schedule nor cost table.

pub mod axes;
pub mod row;
mod label;
pub mod limits;
pub mod published;
pub mod table;
pub mod csv;
pub mod picture;
pub mod quality;
pub mod sampler;

pub use axes::{Axes, PackingName, Preset, default_first_layer};
pub use limits::Limits;
pub use row::{FIGURES, Figure, Row};
pub use table::Figures;

use crate::config::{Config, check_config};
use crate::error::Error;
use crate::report::efficiency::GOPS_DEFINITION;
use crate::report::load;
use crate::run::{Progress, Shared};
use crate::trace::ParquetSink;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Changes whenever a key of a comparison's JSON or its meaning does.
pub const SCHEMA_VERSION: u32 = 1;

/// Rows side by side. Its fields are the keys of its JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What the figures mean.
    pub definitions: BTreeMap<&'static str, &'static str>,
    /// Index of the row that ratios are to: the first one that was simulated.
    pub reference: Option<usize>,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Comparison {
    /// Puts rows side by side: gives each its ratios to the first one that has figures.
    #[must_use]
    pub fn new(mut rows: Vec<Row>) -> Self {
        let reference = rows.iter().position(|row| row.problem.is_none());
        if let Some(first) = reference.map(|index| rows[index].clone()) {
            for row in &mut rows {
                row.ratio = row.ratios(&first);
            }
        }
        let definitions = [
            (
                "energy_j, power_w",
                "work and leakage of an image, mean of the run; that energy over the latency of the run",
            ),
            ("gops_per_w, gops_per_w_per_mm2", GOPS_DEFINITION),
            ("latency_cycles, initiation_interval_cycles", "of the first image; from one image to the next"),
            ("limits", limits::DEFINITION),
            ("probabilistic_synapses", "0.05 < p < 0.95, whatever the scheme"),
            ("ratio", "the row's figure divided by that of the row of index `reference`"),
            ("sampled_synapses", "synapses that are drawn for each member"),
            (
                "stored_synapses",
                "places for synapses in stochastic planes, whether they hold a sampled one or reset cells",
            ),
        ];
        Self { schema_version: SCHEMA_VERSION, definitions: definitions.into(), reference, rows }
    }

    /// The comparison as indented JSON with full-precision numbers, ending in a line break.
    ///
    /// # Panics
    /// Never: every value of a comparison can be written as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a comparison is JSON") + "\n"
    }
}

/// The row of a configuration, simulated with what it shares with other rows. If it cannot be planned, or its parts wait
/// for each other, the row says why.
///
/// # Errors
/// Returns those errors of [`Shared::prepare`] and [`Prepared::simulate`](crate::run::Prepared::simulate) that are not of
/// the configuration but of its files.
pub fn simulated(config: &Config, shared: &Shared, threads: usize, progress: Progress<'_>) -> Result<Row, Error> {
    let run = || {
        let problems = check_config(config);
        if !problems.is_empty() {
            return Err(Error::Problems(problems));
        }
        let prepared = shared.prepare(config.clone(), threads, progress)?;
        let (finished, _) = prepared.simulate(None::<ParquetSink>, String::new(), progress)?;
        Ok(Row::of(&finished.facts, &finished.ledger))
    };
    match run() {
        Err(error @ (Error::Problems(_) | Error::Deadlock { .. })) => Ok(Row::refused(config, &error)),
        other => other,
    }
}

/// The row of a stored run.
///
/// # Errors
/// Those of [`load`].
pub fn stored(trace: &Path, name: &str) -> Result<Row, Error> {
    let (facts, ledger) = load(trace)?;
    Ok(Row { run: Some(name.to_owned()), ..Row::of(&facts, &ledger) })
}
