//! How much power it takes.

use crate::report::energy::leakage_fw;
use crate::report::{Energy, Latency, RunFacts};
use serde::Serialize;

/// Power, watts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Power {
    /// Mean of the run: its energy divided by its latency; none where it takes no cycles.
    pub run_w: Option<f64>,
    /// Energy of an image in steady state divided by the initiation interval; none where that is 0.
    pub steady_state_w: Option<f64>,
    /// Leakage of all parts, which is in both.
    pub leakage_w: f64,
}

/// Power of the run.
#[must_use]
pub fn power(facts: &RunFacts, latency: &Latency, energy: &Energy) -> Power {
    let clock = facts.config.arch.clock.0 as f64;
    let over = |joules: f64, cycles: u64| (cycles > 0).then(|| joules * clock / cycles as f64);
    Power {
        run_w: over(energy.total_j, latency.cycles),
        steady_state_w: over(energy.steady_state_per_image_j, latency.initiation_interval_cycles),
        leakage_w: leakage_fw(facts) as f64 * 1e-15,
    }
}
