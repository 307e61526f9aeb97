//! Work per energy and per area.

use crate::report::latency::macs_per_image;
use crate::report::{Area, Energy, RunFacts};
use serde::Serialize;

/// What counts as an operation.
pub const GOPS_DEFINITION: &str = "1 GOPS is 1e9 operations per second; a multiply-accumulate that any ensemble member executes counts as 2, whatever its bits";

/// Work per energy and per area, leakage included; none where the energy or the area is 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Efficiency {
    /// 1e9 operations per joule in steady state: operations of an image divided by its energy there. It is
    /// throughput divided by power over the same interval, the initiation interval.
    pub gops_per_w: Option<f64>,
    /// The same per square millimetre.
    pub gops_per_w_per_mm2: Option<f64>,
    /// 1e9 operations per joule of the run: all its operations divided by all its energy, filling and draining included.
    pub run_gops_per_w: Option<f64>,
    /// The same per square millimetre.
    pub run_gops_per_w_per_mm2: Option<f64>,
    /// [`GOPS_DEFINITION`].
    pub gops_definition: &'static str,
}

/// Work per energy and per area.
#[must_use]
pub fn efficiency(facts: &RunFacts, energy: &Energy, area: &Area) -> Efficiency {
    let operations = 2.0 * macs_per_image(facts) as f64;
    let per_energy = |joules: f64| (joules > 0.0).then(|| operations / joules / 1e9);
    let per_area = |gops: Option<f64>| gops.filter(|_| area.total_mm2 > 0.0).map(|gops| gops / area.total_mm2);
    let (steady_state, run) = (per_energy(energy.steady_state_per_image_j), per_energy(energy.per_image_j));
    Efficiency {
        gops_per_w: steady_state,
        gops_per_w_per_mm2: per_area(steady_state),
        run_gops_per_w: run,
        run_gops_per_w_per_mm2: per_area(run),
        gops_definition: GOPS_DEFINITION,
    }
}
