//! How busy the units are, how full the arrays, and what limits the run.

use crate::report::RunFacts;
use crate::report::booked::{Booked, Time};
use crate::trace::Component;
use serde::Serialize;
use std::collections::BTreeMap;

/// Use of the run's units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Utilisation {
    /// By component.
    pub per_component: BTreeMap<&'static str, Use>,
    /// By layer.
    pub per_layer: Vec<LayerUtilisation>,
}

/// Use of a layer's units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerUtilisation {
    /// Name of the layer.
    pub layer: String,
    /// Time in which its arrays read, 0 to 1.
    pub arrays: f64,
    /// Cells of its arrays that hold a weight, 0 to 1.
    pub cells: f64,
    /// By component.
    pub per_component: BTreeMap<&'static str, Use>,
}

/// Units of a component and the share of the run in which they work, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Use {
    /// Units there are.
    pub units: u64,
    /// Units that the network uses; none for a component that does not book every cycle.
    pub units_in_use: Option<u64>,
    /// Busy share of the units in use; none for a component that does not book every cycle.
    pub busy: Option<f64>,
    /// Busy share of the units there are; none where there are none or the run takes no cycles.
    pub busy_of_all: Option<f64>,
}

/// The busiest units of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bottleneck {
    /// Name of the layer that they belong to; none: the chip.
    pub layer: Option<String>,
    /// Component, as spans call it.
    pub component: &'static str,
    /// Busy share of those in use, 0 to 1.
    pub busy: f64,
    /// What they wait for longest.
    pub waits_for: Option<&'static str>,
    /// Share of their time that they wait for it, 0 to 1.
    pub waiting: f64,
    /// All of it in a line.
    pub text: String,
}

/// Units by layer, the last row of no layer, and component.
fn units(facts: &RunFacts) -> Vec<BTreeMap<Component, u64>> {
    let mut units = vec![BTreeMap::new(); facts.layers.len() + 1];
    for item in &facts.inventory {
        let layer = item.layer.map_or(facts.layers.len(), |layer| layer as usize);
        *units[layer].entry(item.component).or_default() += item.units;
    }
    units
}

/// Use of the units of a run of `makespan` cycles.
#[must_use]
pub fn utilisation(facts: &RunFacts, booked: &Booked, makespan: u64) -> Utilisation {
    let units = units(facts);
    let nothing = Time::default();
    let uses = |units: &BTreeMap<Component, u64>, times: &BTreeMap<Component, Time>| {
        let each = units.iter().filter(|(_, units)| **units > 0);
        each.map(|(component, units)| {
            (component.name(), used(*component, *units, times.get(component).unwrap_or(&nothing), makespan))
        })
        .collect()
    };
    let per_layer = facts.layers.iter().zip(&units).zip(&booked.layers).map(|((layer, units), times)| {
        let reads = times.get(&Component::Crossbar).map_or(0, |time| time.work);
        LayerUtilisation {
            layer: layer.name.clone(),
            arrays: share(reads, u128::from(layer.arrays) * u128::from(makespan)).unwrap_or(0.0),
            cells: share(u128::from(layer.cells_used), u128::from(layer.cells_total)).unwrap_or(0.0),
            per_component: uses(units, times),
        }
    });
    let mut all = BTreeMap::<Component, u64>::new();
    for (component, units) in units.iter().flatten() {
        *all.entry(*component).or_default() += units;
    }
    Utilisation { per_layer: per_layer.collect(), per_component: uses(&all, &booked.all) }
}

fn used(component: Component, units: u64, time: &Time, makespan: u64) -> Use {
    let in_use = component.books_every_cycle().then(|| time.all().checked_div(makespan.into())).flatten();
    Use {
        units,
        units_in_use: in_use.map(|units| u64::try_from(units).unwrap_or(u64::MAX)),
        busy: in_use.and_then(|_| share(time.work, time.all())),
        busy_of_all: share(time.work, u128::from(units) * u128::from(makespan)),
    }
}

/// The busiest units: of those of a layer and of those of the chip the component with the largest busy share; of equal
/// ones the first. None where nothing works.
#[must_use]
pub fn bottleneck(facts: &RunFacts, booked: &Booked) -> Option<Bottleneck> {
    let units = units(facts);
    let mut busiest: Option<(Option<usize>, Component, &Time, f64)> = None;
    for (layer, units) in units.iter().enumerate() {
        let layer = (layer < facts.layers.len()).then_some(layer);
        // What belongs to the chip works for layers, too.
        let times = layer.map_or(&booked.all, |layer| &booked.layers[layer]);
        for component in units.keys().filter(|component| component.books_every_cycle()) {
            let Some(time) = times.get(component) else { continue };
            let busy = share(time.work, time.all()).unwrap_or(0.0);
            if busy > busiest.map_or(0.0, |(.., busy)| busy) {
                busiest = Some((layer, *component, time, busy));
            }
        }
    }
    let (layer, component, time, busy) = busiest?;
    let layer = layer.map(|layer| facts.layers[layer].name.clone());
    let (reason, cycles) = time.longest_wait().unzip();
    let waiting = share(cycles.unwrap_or(0), time.all()).unwrap_or(0.0);
    let of = layer.as_ref().map(|layer| format!("{layer} ")).unwrap_or_default();
    let busy_percent = busy * 100.0;
    let text = format!("{of}{}, {busy_percent:.1} % busy of those in use", component.plural());
    Some(Bottleneck {
        layer,
        component: component.name(),
        busy,
        waits_for: reason.map(|reason| reason.name()),
        waiting,
        text,
    })
}

fn share(part: u128, whole: u128) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
