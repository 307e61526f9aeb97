//! Costs of the random bits of an array, by the kind of generator.

use crate::config::{Chip, Cost, RandomSource, Sampler};

/// Parts of one kind in the generator of an array.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorPart<'a> {
    /// Name in the inventory.
    pub name: &'static str,
    /// Number in one array.
    pub number: u64,
    /// Cost of one of them in a cycle of work.
    pub cost: &'a Cost,
}

/// Parts that make the random bits of an array with a generator, the one whose time is a step first; none for a chip of
/// comparators.
///
/// A shift register of w bits that gives u bits a cycle takes w flip-flops and u times as many gates as its feedback
/// adds up bits, less one: its next u states stand in a row of gates. An array has R of them, with R u = g.
#[must_use]
pub fn generator_parts(chip: &Chip) -> Vec<GeneratorPart<'_>> {
    let costs = &chip.costs;
    let Sampler::Generator { source, bits_per_cycle, .. } = &chip.sampler else { return Vec::new() };
    let width = u64::from(*bits_per_cycle);
    match source {
        RandomSource::Ideal => vec![GeneratorPart { name: "random_bit", number: width, cost: &costs.random_bit }],
        RandomSource::Trng => {
            vec![GeneratorPart { name: "true_random_bit", number: width, cost: &costs.true_random_bit }]
        }
        RandomSource::Lfsr { bits, taps, registers } => {
            let flip_flops = u64::from(*bits) * u64::from(*registers);
            let gates = width * (taps.len() as u64 - 1);
            vec![
                GeneratorPart { name: "lfsr_register", number: flip_flops, cost: &costs.lfsr_register },
                GeneratorPart { name: "lfsr_gate", number: gates, cost: &costs.lfsr_gate },
            ]
        }
    }
}

/// Steps of an array's generator, each a cycle's bits, to draw `synapses` weights: ceil(n b / g).
fn steps(chip: &Chip, synapses: u64) -> u64 {
    match chip.sampler {
        Sampler::Generator { bits_per_cycle, probability_bits, .. } => {
            (synapses * u64::from(probability_bits)).div_ceil(u64::from(bits_per_cycle))
        }
        Sampler::Comparator { .. } => 0,
    }
}

/// Cycles to draw one weight sample of an array with `synapses`.
#[must_use]
pub fn draw_cycles(chip: &Chip, synapses: u64) -> u64 {
    let step = generator_parts(chip).first().map_or(0, |part| part.cost.time.cycles(chip.clock).max(1));
    steps(chip, synapses) * step
}

/// Attojoules of one weight sample of an array with `synapses`: all its generator's parts at every step, and for each
/// synapse the fetch of p, a comparison and a latch. Saturates at 64 bits; [`mod@super::limits`] refuses such runs.
#[must_use]
pub fn draw_energy(chip: &Chip, synapses: u64) -> u64 {
    let (costs, all) = (&chip.costs, |number: u64, energy: u64| u128::from(number) * u128::from(energy));
    let step: u128 = generator_parts(chip).iter().map(|part| all(part.number, part.cost.energy.0)).sum();
    let synapse = costs.probability_fetch.energy.0 + costs.draw_compare.energy.0 + costs.draw_latch.energy.0;
    let sum = u128::from(steps(chip, synapses)) * step + all(synapses, synapse);
    u64::try_from(sum).unwrap_or(u64::MAX)
}
