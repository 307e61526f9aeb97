//! What a run can count: units with 32 bits, the energy of one booking with 64.

use super::accumulator::{adders, group_lanes};
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
        let mut results = 0_u128;
        let (mut reads, mut conversions, mut draws) = (0_u128, 0_u128, 0_u128);
        for group in &mapped.groups {
            let arrays = u128::from(group.arrays());
            let plane = mapped.plane(group.plane).expect("a group belongs to a plane of its layer");
            let readout = Readout::new(chip, group.plane);
            let block = readout.block(group.rows, group.columns, layer);
            let row = RowEnergy::new(chip, &readout, plane, [group.rows, group.columns]);
            let held = u128::from(row.hold.most) * u128::from(block.convert.max(block.conducting));
            let of_row = u128::from(row.read.most).max(row.drive.into()).max(held);
            let of_result = readout.energy.max(readout.accumulate.energy).max(readout.sample.unwrap_or_default());
            let of_result = u128::from(of_result.0) * u128::from(block.integrated);
            results += arrays * u128::from(block.results);
            // At most all rows in each pulse of a position.
            reads += arrays * u128::from(group.rows) * u128::from(layer.input_bits) * of_row;
            conversions += arrays * u128::from(block.results) * u128::from(block.pulses) * of_result;
            draws += arrays * u128::from(draw_energy(chip, group.synapses_per_array()));
        }
        let adders = adders(chip, layer, mapped, |plane| u64::from(group_lanes(chip, layer, mapped, plane)));
        let post_process = mapped.tiles.len() as u128 * u128::from(chip.digital.lanes);
        let (units, energy) = (u128::from(u32::MAX), u128::from(u64::MAX));
        for (path, what, amount, most) in [
            ("arch.array", "results in each read", results, units),
            ("arch.array", "adders in each copy", adders.into(), units),
            ("arch.digital.lanes", "lanes", post_process, units),
            ("arch.array.read_voltage", "aJ in the cells for a position", reads, energy),
            ("arch.costs", "aJ in the converters for a position", conversions, energy),
            ("arch.sampler", "aJ in a weight sample", draws, energy),
        ] {
            if amount > most {
                let message = format!("layer \"{}\" has {amount} {what}; expected at most {most}", layer.name);
                problems.push(Problem::new(path, message));
            }
        }
    }
    problems
}
