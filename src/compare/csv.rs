//! A comparison as CSV: a row each, columns named by the keys of the JSON.

use crate::compare::{Comparison, FIGURES};
use crate::error::Error;
use serde::Serialize;
use serde_json::Value;

impl Comparison {
    /// The rows as CSV; keys of nested objects behind a dot, a ratio to the reference behind `ratio.`. Missing values are
    /// empty.
    ///
    /// # Errors
    /// Returns [`Error::Internal`] if the writer refuses.
    pub fn to_csv(&self) -> Result<Vec<u8>, Error> {
        let mut columns: Vec<String> = COLUMNS.iter().map(|column| (*column).to_owned()).collect();
        columns.extend(FIGURES.iter().map(|(name, _)| format!("ratio.{name}")));
        to_csv(&columns, &self.rows)
    }
}

/// Rows as CSV; a column names a key of their JSON, one of a nested object behind a dot.
pub(crate) fn to_csv(columns: &[String], rows: &[impl Serialize]) -> Result<Vec<u8>, Error> {
    let refused = |error: &dyn std::fmt::Display| Error::Internal(format!("a table as CSV: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns).map_err(|error| refused(&error))?;
    for row in rows {
        let row = serde_json::to_value(row).map_err(|error| refused(&error))?;
        let cell = |column: &String| {
            let value = column.split('.').try_fold(&row, |value, key| value.get(key));
            match value {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            }
        };
        writer.write_record(columns.iter().map(cell)).map_err(|error| refused(&error))?;
    }
    writer.into_inner().map_err(|error| refused(&error))
}

/// Columns in front of the ratios.
const COLUMNS: &[&str] = &[
    "run",
    "workload",
    "arch",
    "costs",
    "scheme",
    "first_ensembling_layer",
    "eps",
    "packing",
    "keep_deterministic_part",
    "schedule",
    "ensemble",
    "members",
    "problem",
    "latency_cycles",
    "latency_s",
    "initiation_interval_cycles",
    "energy_j",
    "power_w",
    "area_mm2",
    "arrays",
    "random_bits",
    "sampled_synapses",
    "probabilistic_synapses",
    "stored_synapses",
    "gops_per_w",
    "gops_per_w_per_mm2",
    "outputs.images",
    "outputs.accuracy",
    "outputs.ece",
    "outputs.nll",
    "outputs.mutual_information",
    "limits.bound_j",
    "limits.energy",
    "limits.converters",
    "limits.cells",
    "limits.random_bits",
    "limits.mac_j",
    "limits.of_measured_core",
    "limits.of_best_conversion",
];
