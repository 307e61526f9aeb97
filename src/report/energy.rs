//! Where the energy went: components, planes, layers and leakage.

use crate::mapping::Plane;
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
    /// Work for an image (the mean of the run's), and leakage over an initiation interval.
    pub steady_state_per_image_j: f64,
    /// Leakage power of all parts times the latency of the run.
    pub leakage_j: f64,
    /// Work by component, without leakage.
    pub per_component: BTreeMap<&'static str, f64>,
    /// Work of arrays and what surrounds them by plane, without leakage.
    pub per_plane: BTreeMap<&'static str, f64>,
    /// Work and leakage by layer.
    pub per_layer: Vec<LayerEnergy>,
    /// What belongs to no layer: the global buffer, the interconnect.
    pub no_layer: EnergyShare,
    /// Where the leakage is.
    pub leakage: Leakage,
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
    /// Work of arrays and what surrounds them by plane.
    pub per_plane: BTreeMap<&'static str, f64>,
}

/// Leakage of the run, joules, by component that has any.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leakage {
    /// Of the chip.
    pub per_component: BTreeMap<&'static str, f64>,
    /// By layer.
    pub per_layer: Vec<LayerLeakage>,
    /// Of what belongs to no layer.
    pub no_layer: BTreeMap<&'static str, f64>,
}

/// Leakage of a layer, joules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerLeakage {
    /// Name of the layer.
    pub layer: String,
    /// By component that has any.
    pub per_component: BTreeMap<&'static str, f64>,
}

/// Energy in attojoules: sums of the ledger, and leakage of the inventory over the makespan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attojoules {
    /// Work by layer, plane and component; the last row belongs to no layer.
    pub work: Vec<BTreeMap<(Option<Plane>, Component), u128>>,
    /// Leakage by layer and component that has any; the last row belongs to no layer.
    pub leakage: Vec<BTreeMap<Component, u128>>,
}

/// Leakage power of all parts, femtowatts.
#[must_use]
pub fn leakage_fw(facts: &RunFacts) -> u128 {
    facts.inventory.iter().map(|item| item.leakage_fw).sum()
}

/// What a leakage power in femtowatts comes to over some cycles, attojoules, rounded down.
#[must_use]
pub fn leaked(facts: &RunFacts, power_fw: u128, cycles: u64) -> u128 {
    // fW * cycles / Hz = 1e-15 J = 1000 aJ
    let clock = u128::from(facts.config.arch.clock.0);
    power_fw.saturating_mul(u128::from(cycles)).saturating_mul(1000) / clock
}

impl Attojoules {
    /// Sums the run.
    #[must_use]
    pub fn of(facts: &RunFacts, ledger: &Ledger) -> Self {
        let layers = facts.layers.len();
        let row = |layer: Option<u32>| layer.map_or(layers, |layer| layer as usize);
        let mut work = vec![BTreeMap::new(); layers + 1];
        // Arrays may draw current while they wait.
        let spent = ledger.entries().filter(|(account, entry)| !account.action.is_wait() || entry.energy > 0);
        for (account, entry) in spent {
            *work[row(account.layer)].entry((account.plane, account.component)).or_default() += entry.energy;
        }
        let mut leakage = vec![BTreeMap::new(); layers + 1];
        for item in facts.inventory.iter().filter(|item| item.leakage_fw > 0) {
            *leakage[row(item.layer)].entry(item.component).or_default() += item.leakage_fw;
        }
        // Cut from the leakage of all, so that the parts add up to it in whole attojoules.
        let (mut power, mut before) = (0, 0);
        for part in leakage.iter_mut().flat_map(BTreeMap::values_mut) {
            power += *part;
            let upto = leaked(facts, power, ledger.makespan());
            *part = upto - before;
            before = upto;
        }
        Self { work, leakage }
    }

    /// All work.
    #[must_use]
    pub fn work(&self) -> u128 {
        self.work.iter().flat_map(BTreeMap::values).sum()
    }

    /// All leakage.
    #[must_use]
    pub fn leakage(&self) -> u128 {
        self.leakage.iter().flat_map(BTreeMap::values).sum()
    }
}

/// Energy of the run, whose images follow each other every `interval` cycles in steady state.
#[must_use]
pub fn energy(facts: &RunFacts, ledger: &Ledger, interval: u64) -> Energy {
    let sums = Attojoules::of(facts, ledger);
    let whole = |rows: &[BTreeMap<_, u128>]| share(rows.iter().flatten(), []);
    let all = whole(&sums.work);
    let leakage = sum(sums.leakage.iter().flatten().map(|(component, energy)| (component.name(), *energy)));
    let mut shares: Vec<EnergyShare> =
        sums.work.iter().zip(&sums.leakage).map(|(work, leakage)| share(work, leakage.values().copied())).collect();
    let mut leakages: Vec<_> = sums.leakage.iter().map(by_component).collect();
    let belong_to_none = "the last row belongs to no layer";
    let (no_layer, leakage_of_none) = (shares.pop().expect(belong_to_none), leakages.pop().expect(belong_to_none));
    let names = || facts.layers.iter().map(|layer| layer.name.clone());
    let total_j = attojoules_to_joules(sums.work() + sums.leakage());
    let images = f64::from(facts.config.schedule.images.max(1));
    let leaked_an_interval = leaked(facts, leakage_fw(facts), interval);
    Energy {
        total_j,
        per_image_j: total_j / images,
        steady_state_per_image_j: attojoules_to_joules(sums.work()) / images + attojoules_to_joules(leaked_an_interval),
        leakage_j: attojoules_to_joules(sums.leakage()),
        per_component: all.per_component,
        per_plane: all.per_plane,
        per_layer: names().zip(shares).map(|(layer, share)| LayerEnergy { layer, share }).collect(),
        no_layer,
        leakage: Leakage {
            per_component: leakage,
            per_layer: names()
                .zip(leakages)
                .map(|(layer, per_component)| LayerLeakage { layer, per_component })
                .collect(),
            no_layer: leakage_of_none,
        },
    }
}

fn share<'a>(
    work: impl IntoIterator<Item = (&'a (Option<Plane>, Component), &'a u128)> + Clone,
    leakage: impl IntoIterator<Item = u128>,
) -> EnergyShare {
    let leakage: u128 = leakage.into_iter().sum();
    let booked = || work.clone().into_iter();
    EnergyShare {
        total_j: attojoules_to_joules(booked().map(|(_, energy)| energy).sum::<u128>() + leakage),
        leakage_j: attojoules_to_joules(leakage),
        per_component: sum(booked().map(|((_, component), energy)| (component.name(), *energy))),
        per_plane: sum(booked().filter_map(|((plane, _), energy)| Some((plane.as_ref()?.name(), *energy)))),
    }
}

fn by_component(sums: &BTreeMap<Component, u128>) -> BTreeMap<&'static str, f64> {
    sum(sums.iter().map(|(component, energy)| (component.name(), *energy)))
}

/// Attojoules of equal names added up, in joules.
fn sum(parts: impl Iterator<Item = (&'static str, u128)>) -> BTreeMap<&'static str, f64> {
    let mut sums: BTreeMap<&str, u128> = BTreeMap::new();
    for (name, energy) in parts {
        *sums.entry(name).or_default() += energy;
    }
    sums.into_iter().map(|(name, energy)| (name, attojoules_to_joules(energy))).collect()
}
