//! What units waited for.

use crate::meter::Ledger;
use crate::report::RunFacts;
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

/// Waiting of a layer's arrays by reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerStalls {
    /// Name of the layer.
    pub layer: String,
    /// Cycles that an average array of the layer waited.
    pub per_reason_cycles: BTreeMap<&'static str, f64>,
}

/// Waiting of the run.
#[must_use]
pub fn stalls(facts: &RunFacts, ledger: &Ledger) -> Stalls {
    let mut per_component: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for (_, component, action, entry) in ledger.entries().filter(|(_, _, action, _)| action.is_wait()) {
        let sum = per_component.entry(component.name()).or_default().entry(action.name()).or_default();
        *sum = sum.saturating_add(u64::try_from(entry.unit_cycles).unwrap_or(u64::MAX));
    }
    let per_layer = facts.layers.iter().zip(0..).map(|(layer, index)| LayerStalls {
        layer: layer.name.clone(),
        per_reason_cycles: averages(ledger, layer.arrays, |owner| owner == Some(index)),
    });
    Stalls {
        definition: STALLS_DEFINITION,
        per_reason_cycles: averages(ledger, facts.arrays, |_| true),
        per_layer: per_layer.collect(),
        per_component_unit_cycles: per_component,
    }
}

/// Waits of crossbars in the layers that `counts` picks, averaged over `arrays`; every reason is listed.
fn averages(ledger: &Ledger, arrays: u64, counts: impl Fn(Option<u32>) -> bool) -> BTreeMap<&'static str, f64> {
    let reasons = Action::ALL.iter().filter(|action| action.is_wait());
    let mut sums: BTreeMap<Action, u128> = reasons.map(|reason| (*reason, 0)).collect();
    for (layer, component, action, entry) in ledger.entries() {
        if action.is_wait() && component == Component::Crossbar && counts(layer) {
            *sums.entry(action).or_default() += entry.unit_cycles;
        }
    }
    sums.into_iter().map(|(reason, sum)| (reason.name(), sum as f64 / arrays.max(1) as f64)).collect()
}
