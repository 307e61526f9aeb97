//! Many devices with one target: their mean and scatter after programming, drift and reading.

use crate::device::cell::Draws;
use crate::device::model::Device;
use crate::parallel::in_order;
use crate::random::{Purpose, StreamName};
use serde::Serialize;

/// Devices that share a stream.
const BLOCK: u64 = 1 << 14;

/// Mean and standard deviation of a quantity of the devices.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub std: f64,
}

/// Devices with one target, at one age.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Population {
    /// Conductance after programming, microsiemens.
    pub programmed: Spread,
    /// Drift exponent.
    pub exponent: Spread,
    /// Conductance after drift, microsiemens.
    pub drifted: Spread,
    /// Conductance of a read, microsiemens.
    pub read: Spread,
}

/// Sums of a quantity and of its square, both of the distance from a value near the mean.
#[derive(Clone, Copy)]
struct Sums {
    near: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, value: f64) {
        let distance = value - self.near;
        self.sum += distance;
        self.squares += distance * distance;
    }

    fn spread(self, devices: u64) -> Spread {
        let mean = self.sum / devices as f64;
        let variance = (self.squares / devices as f64 - mean * mean).max(0.0);
        Spread { mean: self.near + mean, std: libm::sqrt(variance) }
    }
}

/// `devices` (at least one) devices programmed to `target` microsiemens, drifted and read at `age` seconds. The result does
/// not depend on the number of threads.
#[must_use]
pub fn population(device: &Device, target: f64, age: f64, devices: u64, seed: u64, threads: usize) -> Population {
    let moment = device.model.at(age);
    let exponent = device.model.drift_exponent(target).0;
    let near = [target, exponent, target * libm::exp(-exponent * moment.drift)];
    let start = || [near[0], near[1], near[2], near[2]].map(|near| Sums { near, sum: 0.0, squares: 0.0 });
    let block = |block: usize| {
        let first = block as u64 * BLOCK;
        let name = StreamName { position: block as u64, ..StreamName::new(Purpose::Device) };
        let mut stream = name.open(seed);
        let mut sums = start();
        for _ in first..(first + BLOCK).min(devices) {
            let draws = Draws::new(&mut stream);
            let cell = device.program(target, &draws);
            let values =
                [cell.programmed, cell.exponent, cell.drifted(moment), cell.read(&device.model, moment, draws.read)];
            sums.iter_mut().zip(values).for_each(|(sums, value)| sums.add(value));
        }
        sums
    };
    let mut all = start();
    for sums in in_order(0..devices.div_ceil(BLOCK) as usize, threads, &block) {
        for (all, sums) in all.iter_mut().zip(sums) {
            all.sum += sums.sum;
            all.squares += sums.squares;
        }
    }
    let [programmed, exponent, drifted, read] = all.map(|sums| sums.spread(devices));
    Population { programmed, exponent, drifted, read }
}
