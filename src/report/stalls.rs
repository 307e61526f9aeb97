//! What units waited for.

use crate::report::RunFacts;
use crate::report::booked::{Booked, Time};
use crate::trace::{Action, Component};
use serde::Serialize;
use std::collections::BTreeMap;

/// What [`Stalls::per_reason_cycles`] counts.
pub const STALLS_DEFINITION: &str = "cycles that an average array of the layer (of the chip) waited: unit-cycles of the \
    waits of its crossbars, divided by its arrays";

/// Waiting by reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stalls {
    /// [`STALLS_DEFINITION`].
    pub definition: &'static str,
    /// Cycles that an average array of the chip waited.
    pub per_reason_cycles: BTreeMap<&'static str, f64>,
    /// The same by layer.
    pub per_layer: Vec<LayerStalls>,
    /// Unit-cycles of every component's waits, not averaged.
    pub per_component_unit_cycles: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
}

/// Waiting of a layer by reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerStalls {
    /// Name of the layer.
    pub layer: String,
    /// Cycles that an average array of the layer waited.
    pub per_reason_cycles: BTreeMap<&'static str, f64>,
    /// Unit-cycles of every component's waits, not averaged.
    pub per_component_unit_cycles: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
}

/// Waiting of the run.
#[must_use]
pub fn stalls(facts: &RunFacts, booked: &Booked) -> Stalls {
    let per_layer = facts.layers.iter().zip(&booked.layers).map(|(layer, times)| LayerStalls {
        layer: layer.name.clone(),
        per_reason_cycles: averages(times, layer.arrays),
        per_component_unit_cycles: unit_cycles(times),
    });
    Stalls {
        definition: STALLS_DEFINITION,
        per_reason_cycles: averages(&booked.all, facts.arrays),
        per_layer: per_layer.collect(),
        per_component_unit_cycles: unit_cycles(&booked.all),
    }
}

/// Waits of the crossbars, averaged over `arrays`; every reason is listed.
fn averages(times: &BTreeMap<Component, Time>, arrays: u64) -> BTreeMap<&'static str, f64> {
    let waited = |reason: Action| times.get(&Component::Crossbar)?.waits.get(&reason).copied();
    let reasons = Action::ALL.iter().filter(|action| action.is_wait());
    reasons.map(|reason| (reason.name(), waited(*reason).unwrap_or(0) as f64 / arrays.max(1) as f64)).collect()
}

/// Waits of all components that have any.
fn unit_cycles(times: &BTreeMap<Component, Time>) -> BTreeMap<&'static str, BTreeMap<&'static str, u64>> {
    let waits = |time: &Time| {
        let waits = time.waits.iter();
        waits.map(|(reason, cycles)| (reason.name(), u64::try_from(*cycles).unwrap_or(u64::MAX))).collect()
    };
    let waiting = times.iter().filter(|(_, time)| !time.waits.is_empty());
    waiting.map(|(component, time)| (component.name(), waits(time))).collect()
}
