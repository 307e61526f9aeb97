//! One device: programmed once, then drifting and read.

use crate::device::model::{Device, DeviceModel, Moment};
use crate::random::Stream;

/// The random numbers of a device. All are drawn whatever the settings, so that a device keeps its luck when they change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draws {
    /// Normal: programming.
    pub programming: f64,
    /// Normal: drift exponent.
    pub drift: f64,
    /// Normal: read noise of the one read that is frozen.
    pub read: f64,
    /// Uniform in [0, 1): whether it is stuck.
    pub fault: f64,
}

impl Draws {
    /// Those of the next device of a stream.
    pub fn new(stream: &mut Stream) -> Self {
        Self { programming: stream.normal(), drift: stream.normal(), read: stream.normal(), fault: stream.uniform() }
    }
}

/// A device after programming.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cell {
    /// Conductance after programming, microsiemens.
    pub programmed: f64,
    /// Drift exponent.
    pub exponent: f64,
}

impl Device {
    /// A device programmed to `target` microsiemens: `max(0, target + sigma N)`, with the drift exponent `|N(mean, sigma)|`
    /// of its target.
    #[must_use]
    pub fn program(&self, target: f64, draws: &Draws) -> Cell {
        if draws.fault < self.stuck_at_reset {
            return Cell { programmed: 0.0, exponent: 0.0 };
        }
        let model = &self.model;
        if draws.fault < self.stuck_at_reset + self.stuck_at_set {
            return Cell { programmed: model.conductance_max.microsiemens(), exponent: 0.0 };
        }
        let (mean, sigma) = model.drift_exponent(target);
        Cell {
            programmed: (target + model.programming_sigma(target) * draws.programming).max(0.0),
            exponent: (mean + sigma * draws.drift).abs(),
        }
    }
}

impl Cell {
    /// Conductance before read noise, microsiemens: `programmed (t / t_0)^-exponent`.
    #[must_use]
    pub fn drifted(&self, moment: Moment) -> f64 {
        self.programmed * libm::exp(-self.exponent * moment.drift)
    }

    /// Standard deviation of the conductance from read to read, microsiemens.
    #[must_use]
    pub fn read_deviation(&self, model: &DeviceModel, moment: Moment) -> f64 {
        self.drifted(moment) * model.read_sigma(self.programmed, moment)
    }

    /// Conductance of a read whose noise is `normal`, microsiemens: `max(0, drifted (1 + sigma N))`.
    #[must_use]
    pub fn read(&self, model: &DeviceModel, moment: Moment, normal: f64) -> f64 {
        (self.drifted(moment) * (1.0 + model.read_sigma(self.programmed, moment) * normal)).max(0.0)
    }
}
