//! What the reference reads of drift compensation cost.
//!
//! The factors of an array are measured by driving its rows one by one at full level and converting the result of each column;
//! the magnitudes are added up digitally. A plane with latches is measured twice, with its latches one way and the other. Arrays
//! measure side by side; blocks of layers that share an array take turns. This happens between images: it is no part of the
//! run, and its energy is beside the run's.

use crate::config::{Compensation, Config};
use crate::mapping::{Mapping, Plane};
use crate::meter::decimal;
use crate::parts::energy::RowEnergy;
use crate::readout::Readout;
use crate::workload::Net;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One measurement of all factors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceReads {
    /// Arrays that are measured.
    pub arrays: u64,
    /// Reads of single rows, in all arrays together.
    pub reads: u64,
    /// Conversions.
    pub conversions: u64,
    /// Cycles from the first read to the last conversion.
    pub cycles: u64,
    /// Energy, attojoules.
    #[serde(with = "decimal")]
    pub energy: u128,
}

/// The reference reads of a mapped network; none where its cells do not drift or nothing is compensated.
#[must_use]
pub fn reference_reads(config: &Config, net: &Net, mapping: &Mapping) -> Option<ReferenceReads> {
    let chip = &config.arch;
    let last_alone = matches!(chip.device.compensation, Compensation::Logits { .. });
    if chip.device.has_ideal_cells() || chip.device.compensation == Compensation::Off {
        return None;
    }
    let mut all = ReferenceReads { arrays: 0, reads: 0, conversions: 0, cycles: 0, energy: 0 };
    // Cycles by shared array.
    let mut turns: BTreeMap<u32, u64> = BTreeMap::new();
    for (l, (layer, mapped)) in net.layers.iter().zip(&mapping.layers).enumerate() {
        if last_alone && !net.outputs().any(|output| output == l) {
            continue;
        }
        for group in &mapped.groups {
            let readout = Readout::new(chip, group.plane);
            let (Some(plane), Some(_)) = (mapped.plane(group.plane), &readout.adc) else { continue };
            let block = readout.block(group.rows, group.columns, layer).of_one_pulse();
            let row = RowEnergy::new(chip, &readout, plane, [group.rows, group.columns]);
            let ways = if group.plane == Plane::Stochastic { 2 } else { 1 };
            let reads = u64::from(group.rows) * ways;
            let conversion =
                readout.energy.0 + readout.sample.map_or(0, |energy| energy.0) + readout.accumulate.energy.0;
            let of_read = row.read.average + row.drive + u64::from(block.results) * conversion;
            let tail = if block.overlapped { block.read.min(block.convert) } else { 0 };
            let cycles = reads * block.period() + tail;
            all.arrays += if group.is_guest() { 0 } else { group.arrays() };
            all.reads += reads * group.arrays();
            all.conversions += reads * u64::from(block.results) * group.arrays();
            all.energy += u128::from(of_read) * u128::from(reads) * u128::from(group.arrays());
            match group.shared {
                Some(shared) => *turns.entry(shared.array).or_insert(0) += cycles,
                None => all.cycles = all.cycles.max(cycles),
            }
        }
    }
    all.cycles = turns.into_values().fold(all.cycles, u64::max);
    Some(all)
}

/// What compensation costs, by measurement and over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompensationCost {
    /// Arrays that are measured.
    pub arrays: u64,
    /// Reads of single rows.
    pub reads: u64,
    /// Conversions.
    pub conversions: u64,
    /// Cycles of a measurement.
    pub cycles: u64,
    /// Energy of a measurement, joules.
    pub energy_j: f64,
    /// Seconds from one measurement to the next; none if there is one a deployment.
    pub interval_s: Option<f64>,
    /// Mean power of the measurements, watts.
    pub power_w: Option<f64>,
    /// Share of time in which the arrays measure instead of computing.
    pub time_share: Option<f64>,
}

/// The cost of compensation in a run.
#[must_use]
pub fn cost(of: &ReferenceReads, config: &Config) -> CompensationCost {
    let ReferenceReads { arrays, reads, conversions, cycles, energy } = *of;
    let energy_j = energy as f64 / 1e18;
    let interval_s = config.arch.device.reference_interval.map(|interval| interval.seconds());
    let seconds = cycles as f64 / config.arch.clock.0 as f64;
    CompensationCost {
        arrays,
        reads,
        conversions,
        cycles,
        energy_j,
        interval_s,
        power_w: interval_s.map(|interval| energy_j / interval),
        time_share: interval_s.map(|interval| seconds / interval),
    }
}
