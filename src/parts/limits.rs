//! What a run can count: units in 32 bits, energies of one booking in 64.

use super::energy::RowEnergy;
use super::generator::draw_energy;
use crate::config::Config;
use crate::error::Problem;
use crate::mapping::Mapping;
use crate::readout::Readout;
use crate::workload::Net;

/// Problems of layers whose units or energies do not fit.
#[must_use]
pub fn limits(config: &Config, net: &Net, mapping: &Mapping) -> Vec<Problem> {
    let chip = &config.arch;
    let mut problems = Vec::new();
    for (layer, mapped) in net.layers.iter().zip(&mapping.layers) {
        let (mut results, mut energy, mut draws) = (0_u128, 0_u128, 0_u128);
        for group in &mapped.groups {
            let readout = Readout::new(chip, group.plane);
            let block = readout.block(group.rows, group.columns, layer.input_bits);
            let row = RowEnergy::new(chip, &readout, group.columns);
            // At most all rows in each of a position's pulses.
            let driven = u128::from(group.arrays()) * u128::from(group.rows) * u128::from(layer.input_bits);
            let held = u128::from(row.hold) * u128::from(block.conducting.max(block.convert));
            results += u128::from(group.arrays()) * u128::from(block.results);
            draws += u128::from(group.arrays()) * u128::from(draw_energy(chip, group.synapses_per_array()));
            energy += driven * u128::from(row.read).max(row.drive.into()).max(held);
        }
        if results > u32::MAX.into() {
            let message = format!(
                "layer \"{}\" has {results} results in each read; expected at most {} (units are counted with 32 bits)",
                layer.name,
                u32::MAX
            );
            problems.push(Problem::new("arch.array", message).hint("larger arrays, or fewer copies"));
        }
        if energy > u64::MAX.into() {
            let message = format!(
                "a position of layer \"{}\" may draw {energy} aJ from its cells; expected at most {} aJ",
                layer.name,
                u64::MAX
            );
            problems.push(Problem::new("arch.array.read_voltage", message));
        }
        if draws > u64::MAX.into() {
            let message = format!(
                "a weight sample of layer \"{}\" takes {draws} aJ; expected at most {} aJ",
                layer.name,
                u64::MAX
            );
            problems.push(Problem::new("arch.sampler", message));
        }
        let lanes = mapped.tiles.len() as u64 * u64::from(chip.digital.lanes);
        if lanes > u32::MAX.into() {
            let message = format!("layer \"{}\" has {lanes} lanes; expected at most {}", layer.name, u32::MAX);
            problems.push(Problem::new("arch.digital.lanes", message));
        }
    }
    problems
}
