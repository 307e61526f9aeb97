//! Where the energy went: components, layers and leakage.

use crate::meter::Ledger;
use crate::report::RunFacts;
use crate::trace::Component;
use crate::units::attojoules_to_joules;
use serde::Serialize;
use std::collections::BTreeMap;

/// Energy of the run, joules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Energy {
    /// Work and leakage.
    pub total_j: f64,
    /// The total divided by the images of the run.
    pub per_image_j: f64,
    /// Leakage power of all parts times the latency of the run.
    pub leakage_j: f64,
    /// Work by component, without leakage.
    pub per_component: BTreeMap<&'static str, f64>,
    /// Work and leakage by layer.
    pub per_layer: Vec<LayerEnergy>,
    /// What belongs to no layer: the global buffer, the interconnect.
    pub no_layer: EnergyShare,
}

/// Energy of a layer, joules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerEnergy {
    /// Name of the layer.
    pub layer: String,
    /// Its energy.
    #[serde(flatten)]
    pub share: EnergyShare,
}

/// Energy of a part of the chip, joules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EnergyShare {
    /// Work and leakage.
    pub total_j: f64,
    /// Leakage of the parts that belong to it.
    pub leakage_j: f64,
    /// Work by component.
    pub per_component: BTreeMap<&'static str, f64>,
}

/// Energy in attojoules: sums of the ledger, and leakage of the inventory over the makespan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attojoules {
    /// Work by layer and component; the last row belongs to no layer.
    pub work: Vec<BTreeMap<Component, u128>>,
    /// Leakage by layer; the last one belongs to no layer.
    pub leakage: Vec<u128>,
}

impl Attojoules {
    /// Sums the run.
    #[must_use]
    pub fn of(facts: &RunFacts, ledger: &Ledger) -> Self {
        let layers = facts.layers.len();
        let mut work = vec![BTreeMap::new(); layers + 1];
        for (layer, component, action, entry) in ledger.entries() {
            if !action.is_wait() {
                *work[layer.map_or(layers, |layer| layer as usize)].entry(component).or_default() += entry.energy;
            }
        }
        let mut power = vec![0; layers + 1];
        for item in &facts.inventory {
            power[item.layer.map_or(layers, |layer| layer as usize)] += item.leakage_fw;
        }
        // fW * cycles / Hz = 1e-15 J = 1000 aJ
        let clock = u128::from(facts.config.arch.clock.0);
        let over_run = |power: u128| power.saturating_mul(u128::from(ledger.makespan())).saturating_mul(1000) / clock;
        Self { work, leakage: power.into_iter().map(over_run).collect() }
    }

    /// Everything.
    #[must_use]
    pub fn total(&self) -> u128 {
        self.work.iter().flat_map(BTreeMap::values).sum::<u128>() + self.leakage.iter().sum::<u128>()
    }
}

/// Energy of the run.
#[must_use]
pub fn energy(facts: &RunFacts, ledger: &Ledger) -> Energy {
    let sums = Attojoules::of(facts, ledger);
    let mut per_component: BTreeMap<Component, u128> = BTreeMap::new();
    for (component, energy) in sums.work.iter().flatten() {
        *per_component.entry(*component).or_default() += energy;
    }
    let mut shares: Vec<EnergyShare> =
        sums.work.iter().zip(&sums.leakage).map(|(work, leakage)| share(work, *leakage)).collect();
    let no_layer = shares.pop().expect("one share belongs to no layer");
    let layers = facts.layers.iter().zip(shares);
    let total_j = attojoules_to_joules(sums.total());
    Energy {
        total_j,
        per_image_j: total_j / f64::from(facts.config.schedule.images.max(1)),
        leakage_j: attojoules_to_joules(sums.leakage.iter().sum()),
        per_component: in_joules(&per_component),
        per_layer: layers.map(|(layer, share)| LayerEnergy { layer: layer.name.clone(), share }).collect(),
        no_layer,
    }
}

fn share(work: &BTreeMap<Component, u128>, leakage: u128) -> EnergyShare {
    EnergyShare {
        total_j: attojoules_to_joules(work.values().sum::<u128>() + leakage),
        leakage_j: attojoules_to_joules(leakage),
        per_component: in_joules(work),
    }
}

fn in_joules(sums: &BTreeMap<Component, u128>) -> BTreeMap<&'static str, f64> {
    sums.iter().map(|(component, energy)| (component.name(), attojoules_to_joules(*energy))).collect()
}
