//! Work per energy and per area.

use crate::report::latency::macs_per_image;
use crate::report::{Area, Energy, RunFacts};
use serde::Serialize;

/// What counts as an operation.
pub const GOPS_DEFINITION: &str = "1 GOPS is 1e9 operations per second; a multiply-accumulate that any ensemble member executes counts as 2, whatever its bits";

/// Work per energy and per area.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Efficiency {
    /// 1e9 operations per joule, leakage included; none where the run takes no energy.
    pub gops_per_w: Option<f64>,
    /// The same per square millimetre.
    pub gops_per_w_per_mm2: Option<f64>,
    /// [`GOPS_DEFINITION`].
    pub gops_definition: &'static str,
}

/// Work per energy and per area.
#[must_use]
pub fn efficiency(facts: &RunFacts, energy: &Energy, area: &Area) -> Efficiency {
    let operations = 2.0 * macs_per_image(facts) as f64;
    let gops_per_w = (energy.total_j > 0.0).then(|| operations / energy.per_image_j / 1e9);
    Efficiency {
        gops_per_w,
        gops_per_w_per_mm2: gops_per_w.filter(|_| area.total_mm2 > 0.0).map(|gops| gops / area.total_mm2),
        gops_definition: GOPS_DEFINITION,
    }
}
