//! How large it is, by component, part and layer.

use crate::report::RunFacts;
use crate::trace::Component;
use serde::Serialize;
use std::collections::BTreeMap;

/// Area of the parts that the network occupies, square millimetres.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Area {
    /// All parts.
    pub total_mm2: f64,
    /// By component, as spans call it.
    pub per_component: BTreeMap<&'static str, f64>,
    /// By part, as the cost table calls it.
    pub per_part: BTreeMap<String, f64>,
    /// By layer.
    pub per_layer: Vec<LayerArea>,
    /// Parts that belong to no layer.
    pub no_layer_mm2: f64,
}

/// Area of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerArea {
    /// Name of the layer.
    pub layer: String,
    /// Its arrays with everything around them.
    pub total_mm2: f64,
}

/// Area of the run's chip.
#[must_use]
pub fn area(facts: &RunFacts) -> Area {
    let mut per_component: BTreeMap<Component, u128> = BTreeMap::new();
    let mut per_part: BTreeMap<String, u128> = BTreeMap::new();
    let mut per_layer = vec![0; facts.layers.len()];
    let mut no_layer = 0;
    for item in &facts.inventory {
        *per_component.entry(item.component).or_default() += item.area_nm2;
        *per_part.entry(item.part.clone()).or_default() += item.area_nm2;
        match item.layer {
            Some(layer) => per_layer[layer as usize] += item.area_nm2,
            None => no_layer += item.area_nm2,
        }
    }
    let layers = facts.layers.iter().zip(per_layer);
    Area {
        total_mm2: in_mm2(facts.inventory.iter().map(|item| item.area_nm2).sum()),
        per_component: per_component.into_iter().map(|(c, area)| (c.name(), in_mm2(area))).collect(),
        per_part: per_part.into_iter().map(|(part, area)| (part, in_mm2(area))).collect(),
        per_layer: layers.map(|(l, area)| LayerArea { layer: l.name.clone(), total_mm2: in_mm2(area) }).collect(),
        no_layer_mm2: in_mm2(no_layer),
    }
}

fn in_mm2(nm2: u128) -> f64 {
    nm2 as f64 / 1e12
}
