//! How busy the units are, and how full the arrays.

use crate::meter::Ledger;
use crate::report::RunFacts;
use crate::trace::{Action, Component};
use serde::Serialize;
use std::collections::BTreeMap;

/// Shares, 0 to 1, over the whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Utilisation {
    /// Busy unit-cycles of a component, divided by its units and the cycles of the run.
    pub per_component: BTreeMap<&'static str, f64>,
    /// The same by layer.
    pub per_layer: Vec<LayerUtilisation>,
}

/// Shares of a layer, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerUtilisation {
    /// Name of the layer.
    pub layer: String,
    /// Time in which its arrays read.
    pub arrays: f64,
    /// Cells of its arrays that hold a weight.
    pub cells: f64,
    /// Time in which its units of each component work.
    pub per_component: BTreeMap<&'static str, f64>,
}

/// Busy shares of the run.
#[must_use]
pub fn utilisation(facts: &RunFacts, ledger: &Ledger) -> Utilisation {
    let makespan = ledger.makespan();
    let per_layer = facts.layers.iter().zip(0..).map(|(layer, index)| {
        let reads = ledger.entry(Some(index), Component::Crossbar, Action::Read).unit_cycles;
        LayerUtilisation {
            layer: layer.name.clone(),
            arrays: share(reads, u128::from(layer.arrays) * u128::from(makespan)).unwrap_or(0.0),
            cells: share(u128::from(layer.cells_used), u128::from(layer.cells_total)).unwrap_or(0.0),
            per_component: busy_shares(facts, ledger, |owner| owner == Some(index)),
        }
    });
    Utilisation { per_component: busy_shares(facts, ledger, |_| true), per_layer: per_layer.collect() }
}

/// Busy share of each component that has units, over the layers that `counts` picks.
fn busy_shares(facts: &RunFacts, ledger: &Ledger, counts: impl Fn(Option<u32>) -> bool) -> BTreeMap<&'static str, f64> {
    let mut busy: BTreeMap<Component, u128> = BTreeMap::new();
    for (layer, component, action, entry) in ledger.entries() {
        if counts(layer) && !action.is_wait() {
            *busy.entry(component).or_default() += entry.unit_cycles;
        }
    }
    let mut units: BTreeMap<Component, u64> = BTreeMap::new();
    for item in facts.inventory.iter().filter(|item| counts(item.layer)) {
        *units.entry(item.component).or_default() += item.units;
    }
    let available = |units: u64| u128::from(units) * u128::from(ledger.makespan());
    let shares = units.into_iter().filter_map(|(component, units)| {
        let busy = busy.get(&component).copied().unwrap_or(0);
        Some((component.name(), share(busy, available(units))?))
    });
    shares.collect()
}

fn share(part: u128, whole: u128) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
