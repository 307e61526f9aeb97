//! The report of a run: figures for people and programs, computed from spans and [`RunFacts`].
//!
//! One small file per section. A live run and a stored trace go the same way: spans are folded into a
//! [`Ledger`], and [`Report::new`] computes every figure from ledger and facts.

pub mod facts;
pub mod inventory;
pub mod closed_form;
pub mod booked;
pub mod latency;
pub mod energy;
pub mod power;
pub mod area;
pub mod efficiency;
pub mod utilisation;
pub mod stalls;
pub mod sampling;
pub mod compensation;
pub mod settings;
pub mod sparsity;
pub mod stored;
pub mod quantity;
pub mod table;
pub mod critical;

pub use area::Area;
pub use booked::Booked;
pub use compensation::{CompensationCost, ReferenceReads};
pub use efficiency::Efficiency;
pub use energy::Energy;
pub use facts::{
    ClosedForm, ConverterFacts, DetectionFacts, EventFacts, InventoryItem, LayerFacts, OutputFacts, RunFacts,
    content_hash,
};
pub use latency::{Latency, Throughput};
pub use power::Power;
pub use sampling::Sampling;
pub use settings::Setting;
pub use sparsity::{ArraySize, Sparsity, sparsity};
pub use stalls::Stalls;
pub use stored::{from_trace, load};
pub use utilisation::{Bottleneck, Utilisation};

use crate::config::Config;
use crate::functional::Tried;
use crate::mapping::{Placed, Replicated};
use crate::meter::Ledger;
use serde::Serialize;
use std::collections::BTreeMap;

/// Changes whenever a key of the report or its meaning does.
pub const SCHEMA_VERSION: u32 = 2;

/// The report. Its fields are the keys of its JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made it.
    pub provenance: Provenance,
    /// The fully expanded configuration.
    pub config: Config,
    /// Arrays and tiles.
    pub mapping: Mapping,
    /// Time.
    pub latency: Latency,
    /// Work per time.
    pub throughput: Throughput,
    /// Energy.
    pub energy: Energy,
    /// Power.
    pub power: Power,
    /// Area.
    pub area: Area,
    /// Work per energy and area.
    pub efficiency: Efficiency,
    /// The busiest units; none where nothing works.
    pub bottleneck: Option<Bottleneck>,
    /// How busy and how full units are.
    pub utilisation: Utilisation,
    /// What units waited for.
    pub stalls: Stalls,
    /// What is drawn at random.
    pub sampling: Sampling,
    /// Reference reads of drift compensation, beside the run; none without compensation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compensation: Option<CompensationCost>,
    /// Events of the simulation.
    pub events: Events,
    /// What the network answers.
    pub outputs: Option<OutputFacts>,
    /// Schemes that were tried on calibration images.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
    /// What the simulation was compared with.
    pub checks: Checks,
}

/// What made a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Provenance {
    /// Version of the simulator.
    pub version: String,
    /// Master seed.
    pub seed: u64,
    /// [`content_hash`] of the chip.
    pub arch_hash: String,
    /// Hash of the network and of the contents of its posterior's file.
    pub workload_hash: String,
    /// Command.
    pub command: String,
    /// Settings that differ from chip, network and defaults.
    pub settings: Vec<Setting>,
}

/// Where the layers were put.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mapping {
    /// Crossbar arrays, copies included.
    pub arrays: u64,
    /// Tiles.
    pub tiles: u32,
    /// What the placement comes to; none in a trace of before it was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed: Option<Placed>,
    /// The copies that were chosen, where they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicated: Option<Replicated>,
    /// By layer.
    pub per_layer: Vec<LayerFacts>,
}

/// Events of the simulation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Events {
    /// Events taken from the queue.
    pub count: u64,
    /// By kind.
    pub per_kind: BTreeMap<String, u64>,
    /// Those that were skipped because they repeat earlier ones.
    pub skipped: u64,
    /// Wall-clock seconds of the simulation itself, see [`EventFacts::simulation_s`].
    pub simulation_s: f64,
    /// The same with the time that it waited for the trace to be written.
    pub wall_s: f64,
    /// Events per second of the simulation itself, without those skipped; none where no time was measured.
    pub events_per_s: Option<f64>,
}

/// What the simulation was compared with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checks {
    /// Cycles of the closed form.
    pub closed_form: ClosedForm,
}

impl Report {
    /// Computes every figure of a run.
    #[must_use]
    pub fn new(facts: &RunFacts, ledger: &Ledger) -> Self {
        let latency = latency::latency(facts, ledger);
        let energy = energy::energy(facts, ledger, latency.initiation_interval_cycles);
        let booked = Booked::of(ledger);
        let area = area::area(facts);
        let events = &facts.events;
        Self {
            schema_version: SCHEMA_VERSION,
            provenance: Provenance {
                version: facts.version.clone(),
                seed: facts.config.seed,
                arch_hash: facts.arch_hash.clone(),
                workload_hash: facts.workload_hash.clone(),
                command: facts.command.clone(),
                settings: facts.settings.clone(),
            },
            config: facts.config.clone(),
            mapping: Mapping {
                arrays: facts.arrays,
                tiles: facts.tiles,
                placed: facts.placed.clone(),
                replicated: facts.replicated.clone(),
                per_layer: facts.layers.clone(),
            },
            throughput: latency::throughput(facts, &latency),
            efficiency: efficiency::efficiency(facts, &energy, &area),
            power: power::power(facts, &latency, &energy),
            bottleneck: utilisation::bottleneck(facts, &booked),
            utilisation: utilisation::utilisation(facts, &booked, ledger.makespan()),
            stalls: stalls::stalls(facts, &booked),
            sampling: sampling::sampling(facts),
            compensation: facts.reference_reads.as_ref().map(|of| compensation::cost(of, &facts.config)),
            events: Events {
                count: events.count,
                per_kind: events.per_kind.clone(),
                skipped: events.skipped,
                simulation_s: events.simulation_s,
                wall_s: events.wall_s,
                events_per_s: (events.simulation_s > 0.0)
                    .then(|| (events.count - events.skipped) as f64 / events.simulation_s),
            },
            outputs: facts.outputs.clone(),
            tried: facts.tried.clone(),
            checks: Checks { closed_form: facts.closed_form.clone() },
            latency,
            energy,
            area,
        }
    }

    /// The report as indented JSON with full-precision numbers, ending in a line break.
    ///
    /// # Panics
    /// Never: every value of a report can be written as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is JSON") + "\n"
    }
}
