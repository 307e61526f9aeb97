//! What is drawn at random.

use crate::report::RunFacts;
use serde::Serialize;

/// Probabilistic synapses and random bits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sampling {
    /// Synapses with 0.05 < p < 0.95; none without a posterior.
    pub probabilistic_synapses: Option<u64>,
    /// Sampled synapses whose stored p is 0 or 1 at the generator's bits: never drawn otherwise. None without a posterior,
    /// or where no p is stored.
    pub frozen_synapses: Option<u64>,
    /// Synapses that each member draws; where members run side by side, those of all members.
    pub sampled_synapses: u64,
    /// Places for synapses in stochastic planes, whether they hold a sampled one or a pair of reset cells.
    pub stored_synapses: u64,
    /// Random bits of the whole run.
    pub random_bits: u64,
    /// The same by layer.
    pub per_layer: Vec<LayerSampling>,
}

/// Probabilistic synapses and random bits of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerSampling {
    /// Name of the layer.
    pub layer: String,
    /// Synapses: K M.
    pub synapses: u64,
    /// Those with 0.05 < p < 0.95; none without a posterior.
    pub probabilistic_synapses: Option<u64>,
    /// Those whose stored p is 0 or 1 at the generator's bits; none without a posterior, or where no p is stored.
    pub frozen_synapses: Option<u64>,
    /// Those that are drawn.
    pub sampled_synapses: u64,
    /// Places for them in stochastic planes of a copy.
    pub stored_synapses: u64,
    /// Random bits of the whole run.
    pub random_bits: u64,
}

/// Sampling of the run.
#[must_use]
pub fn sampling(facts: &RunFacts) -> Sampling {
    let per_layer = facts.layers.iter().map(|layer| LayerSampling {
        layer: layer.name.clone(),
        synapses: layer.synapses,
        probabilistic_synapses: layer.probabilistic_synapses,
        frozen_synapses: layer.frozen_synapses,
        sampled_synapses: layer.sampled_synapses,
        stored_synapses: layer.stored_synapses,
        random_bits: layer.random_bits,
    });
    Sampling {
        probabilistic_synapses: facts.layers.iter().map(|layer| layer.probabilistic_synapses).sum(),
        frozen_synapses: facts.layers.iter().map(|layer| layer.frozen_synapses).sum(),
        sampled_synapses: facts.layers.iter().map(|layer| layer.sampled_synapses).sum(),
        stored_synapses: facts.layers.iter().map(|layer| layer.stored_synapses).sum(),
        random_bits: facts.layers.iter().map(|layer| layer.random_bits).sum(),
        per_layer: per_layer.collect(),
    }
}
