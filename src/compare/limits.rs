//! How far a run is from physical limits.

use crate::config::{Chip, Plane};
use crate::meter::Ledger;
use crate::report::RunFacts;
use crate::report::latency::macs_per_image;
use crate::trace::{Action, Component};
use crate::units::{attojoules_to_joules, read_energy};
use serde::Serialize;

/// Boltzmann's constant, J/K (exact, SI).
const BOLTZMANN: f64 = 1.380_649e-23;
/// Charge of an electron, C (exact, SI).
const ELECTRON: f64 = 1.602_176_634e-19;
/// Temperature, K.
const TEMPERATURE: f64 = 300.0;
/// Signal-to-noise ratio of a cell read: 20 dB.
const CELL_SNR: f64 = 100.0;
/// Energy of a multiply-accumulate of 8-bit inputs in the best measured core of PCM, J: HERMES, 14 nm, 10.5 TOPS/W at 2
/// operations (Khaddam-Aljameh et al., JSSC 2022).
pub const MEASURED_CORE: f64 = 2.0 / 10.5e12;
/// Cheapest published conversion below 8 effective bits, J: 6.35 bits, 80 MS/s, 28 nm (VLSI 2015, 11.2, in the Murmann
/// survey, revision of June 2025).
pub const BEST_CONVERSION: f64 = 0.30e-12;

/// What the distances are.
pub const DEFINITION: &str = "energy divided by a lower bound at 300 K. converters: 8 kT SNR with SNR = 1.5 x 4^bits for each conversion (a comparison has 1 bit); cells: SNR (2 kT + q V) for each read of a pair, Johnson and shot noise, 20 dB; random bits: kT ln 2 each (Landauer); energy: the whole of the run over the sum of the three, which leaves out wires, memories and logic. of measured core: energy of a multiply-accumulate over the 190 fJ of HERMES (14 nm PCM, 8-bit inputs, 10.5 TOPS/W); of best conversion: energy of a conversion over 0.30 pJ, the least published below 8 effective bits (Murmann survey 2025): less than 1 is an optimistic cost table";

/// Distances of a run from physical limits; none where nothing of the kind is done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limits {
    /// Lower bound of the energy of an image, J.
    pub bound_j: f64,
    /// Energy over [`Self::bound_j`].
    pub energy: Option<f64>,
    /// Energy of converters and comparators over their bound.
    pub converters: Option<f64>,
    /// Energy of reading cells over its bound.
    pub cells: Option<f64>,
    /// Energy of generators over that of erasing their bits.
    pub random_bits: Option<f64>,
    /// Energy of a multiply-accumulate, J.
    pub mac_j: Option<f64>,
    /// The same over [`MEASURED_CORE`].
    pub of_measured_core: Option<f64>,
    /// Energy of a conversion over [`BEST_CONVERSION`]; none without converters.
    pub of_best_conversion: Option<f64>,
}

/// Least energy of a conversion of `bits`, J: 8 kT SNR.
#[must_use]
pub fn conversion(bits: u32) -> f64 {
    8.0 * BOLTZMANN * TEMPERATURE * 1.5 * libm::pow(4.0, f64::from(bits))
}

/// Least energy of a read of a cell at `voltage` volts with the signal-to-noise ratio `snr`, J. It does not depend on the
/// conductance.
#[must_use]
pub fn cell_read(voltage: f64, snr: f64) -> f64 {
    snr * (2.0 * BOLTZMANN * TEMPERATURE + ELECTRON * voltage)
}

/// Least energy of forgetting a bit, J.
#[must_use]
pub fn bit() -> f64 {
    BOLTZMANN * TEMPERATURE * core::f64::consts::LN_2
}

/// Energy of a read of a synapse's pair, J: an on cell and an off cell.
fn pair_read(chip: &Chip, plane: Plane) -> f64 {
    let array = chip.plane(plane).array;
    let of = |conductance| read_energy(array.read_voltage, conductance, array.read_time).0;
    attojoules_to_joules(u128::from(of(array.conductance_on)) + u128::from(of(array.conductance_off)))
}

/// Distances of a run that took `energy_j` for each image.
#[must_use]
pub fn limits(facts: &RunFacts, ledger: &Ledger, energy_j: f64) -> Limits {
    let chip = &facts.config.arch;
    let images = f64::from(facts.config.schedule.images.max(1));
    let (mut conversions, mut converted_j, mut adc_conversions, mut adc_j) = (0.0, 0.0, 0.0, 0.0);
    let (mut reads, mut read_j, mut drawn_j) = (0.0, 0.0, 0.0);
    for (account, entry) in ledger.entries() {
        let joules = attojoules_to_joules(entry.energy);
        let plane = account.plane.unwrap_or(Plane::Deterministic);
        match (account.component, account.action) {
            (Component::Adc, Action::Convert) => {
                conversions += entry.count as f64 * conversion(chip.plane(plane).adc.bits);
                converted_j += joules;
                (adc_conversions, adc_j) = (adc_conversions + entry.count as f64, adc_j + joules);
            }
            (_, Action::Compare) => {
                conversions += entry.count as f64 * conversion(1);
                converted_j += joules;
            }
            (Component::Crossbar, Action::Read) => {
                let voltage = chip.plane(plane).array.read_voltage.0 as f64 * 1e-6;
                // Reads follow from their energy: which rows are driven depends on the data.
                reads += joules / pair_read(chip, plane) * cell_read(voltage, CELL_SNR);
                read_j += joules;
            }
            (Component::Generator, Action::Draw) => drawn_j += joules,
            _ => {}
        }
    }
    let bits: u64 = facts.layers.iter().map(|layer| layer.random_bits).sum();
    let bits = bits as f64 * bit();
    let bound_j = (conversions + reads + bits) / images;
    let over = |joules: f64, bound: f64| (bound > 0.0).then(|| joules / bound);
    let mac_j = over(energy_j, macs_per_image(facts) as f64);
    Limits {
        bound_j,
        energy: over(energy_j, bound_j),
        converters: over(converted_j, conversions),
        cells: over(read_j, reads),
        random_bits: over(drawn_j, bits),
        mac_j,
        of_measured_core: mac_j.map(|joules| joules / MEASURED_CORE),
        of_best_conversion: over(adc_j, adc_conversions * BEST_CONVERSION),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published table of the limits: 4 to 8 bits, and a cell at 0.2 V.
    #[test]
    fn bounds_are_those_of_the_literature() {
        let femto: Vec<f64> = [4, 5, 6, 7, 8].map(|bits| conversion(bits) * 1e15).into();
        for (bound, expected) in femto.iter().zip([0.0127, 0.051, 0.20, 0.81, 3.3]) {
            assert!((bound / expected - 1.0).abs() < 0.03, "{femto:?}");
        }
        assert!((cell_read(0.2, 100.0) * 1e18 - 4.03).abs() < 0.01);
        assert!((bit() * 1e21 - 2.87).abs() < 0.01);
        assert!((MEASURED_CORE * 1e15 - 190.0).abs() < 1.0);
    }
}
