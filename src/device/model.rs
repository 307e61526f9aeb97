//! A kind of memory cell, and how a chip uses it.

use crate::device::curve::{self, Piece};
use crate::device::wires::Wires;
use crate::error::Problem;
use crate::units::{Age, Conductance, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// A kind of memory cell: how its conductance scatters after programming, drifts and fluctuates.
///
/// Curves are over x = g / `conductance_max`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceModel {
    /// Name used in reports.
    #[schemars(length(min = 1))]
    pub name: String,
    /// One paragraph for people.
    #[serde(default)]
    pub description: String,
    /// The conductance that x = 1 stands for.
    #[schemars(extend("x-range" = ["1 nS", "10 mS"]))]
    pub conductance_max: Conductance,
    /// Time from programming to the first read (t_0): ages count from then on, and drift starts there.
    #[schemars(extend("x-range" = ["1 ms", "1 day"]))]
    pub reference_time: Age,
    /// Time over which a read integrates its current (t_read): noise slower than that is seen.
    #[schemars(extend("x-range" = ["1 ps", "1 ms"]))]
    pub read_time: Time,
    /// Standard deviation of the conductance after programming, in microsiemens, over the target.
    pub programming: Vec<Piece>,
    /// Mean of the drift exponent over the target.
    pub drift_mean: Vec<Piece>,
    /// Standard deviation of the drift exponent over the target.
    pub drift_sigma: Vec<Piece>,
    /// Relative size of read noise (Q) over the programmed conductance: t after programming the standard deviation of a
    /// read is `Q g sqrt(ln((t + t_read) / (2 t_read)))`.
    pub read: Vec<Piece>,
    /// Where the numbers are from.
    #[schemars(length(min = 1))]
    pub source: String,
}

/// How the two devices of a differential pair are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub enum PairSemantics {
    /// Each device drifts and fluctuates by itself.
    #[default]
    Separate,
    /// As aihwkit 1.1.0 does it: after programming the difference of a pair becomes one weight, which is put on a fresh
    /// pair, scaled so that the largest weight of the array is an on cell; that pair drifts. For comparisons.
    Remapped,
}

/// When read noise is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub enum ReadNoise {
    /// Once for each device: all reads of a run find the same. What 1/f noise comes near where a run is short.
    #[default]
    Frozen,
    /// Anew at every read.
    White,
    /// As 1/f noise at the times of the reads, which the simulated schedule gives: reads close to each other share most of it.
    /// Components slower than ten latencies of an image are drawn once for each device.
    OneOverF,
}

/// What read noise that is not frozen is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub enum NoisePer {
    /// Each input of a converter: a normal with the variances of all devices that it sums.
    #[default]
    Input,
    /// Each device, whose conductance does not fall below 0: many times slower. For checks of `Input`.
    Device,
}

/// How drift is made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub enum Compensation {
    /// Not at all.
    #[default]
    Off,
    /// Global drift compensation: the sums of each array are multiplied by a factor of its own, by which the mean magnitude of
    /// its weights has fallen since programming.
    Arrays {
        /// How that is measured.
        #[serde(default)]
        reference: Reference,
    },
    /// Only the sums of the last layer, by one factor for each of its planes.
    Logits {
        /// How that is measured.
        #[serde(default)]
        reference: Reference,
    },
}

/// How the mean magnitude of the weights of an array is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub enum Reference {
    /// By reads with their noise, one right after programming and one now.
    #[default]
    Noisy,
    /// Without read noise.
    Ideal,
}

/// The memory cells of a chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Device {
    /// Kind of cell: in a chip file also the name of a built-in one (`ideal`, `pcm_joshi`, `hermes`) or the path of a file.
    #[schemars(extend("x-file" = true))]
    pub model: DeviceModel,
    /// How the two devices of a differential pair are kept.
    pub pairs: PairSemantics,
    /// Share of devices that cannot be programmed and stay at 0 S.
    #[schemars(range(min = 0, max = 1))]
    pub stuck_at_reset: f64,
    /// Share of devices that cannot be programmed and stay at `conductance_max`, without drift.
    #[schemars(range(min = 0, max = 1))]
    pub stuck_at_set: f64,
    /// Resistance of word and bit lines; none by default.
    pub wires: Wires,
    /// Time from the first read after programming to the run, during which nothing drifts any further.
    pub age: Age,
    /// When read noise is drawn.
    pub read_noise: ReadNoise,
    /// What read noise that is not frozen is drawn for.
    pub read_noise_per: NoisePer,
    /// How drift is made up for.
    pub compensation: Compensation,
    /// Time from one measurement of compensation factors to the next, over which its cost is spread; one measurement a
    /// deployment if left out.
    #[schemars(extend("x-range" = ["1 ms", "100 years"]))]
    pub reference_interval: Option<Age>,
}

impl Default for DeviceModel {
    /// A cell that keeps its target for ever: `arch/devices/ideal.ron`.
    fn default() -> Self {
        static IDEAL: LazyLock<DeviceModel> = LazyLock::new(|| {
            ron::from_str(include_str!("../../arch/devices/ideal.ron")).expect("a test reads the file")
        });
        IDEAL.clone()
    }
}

/// How long ago devices were programmed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// ln(t / t_0), t from programming.
    pub drift: f64,
    /// sqrt(ln((t + t_read) / (2 t_read))).
    pub accumulated: f64,
}

impl DeviceModel {
    /// Relative conductance of `g` microsiemens.
    #[must_use]
    pub fn relative(&self, g: f64) -> f64 {
        g / self.conductance_max.microsiemens()
    }

    /// t_read in seconds.
    #[must_use]
    pub fn read_seconds(&self) -> f64 {
        self.read_time.0 as f64 / 1e12
    }

    /// Time since programming, in seconds, of devices of an age in seconds: both count from another start.
    #[must_use]
    pub fn since_programming(&self, age: f64) -> f64 {
        age + self.reference_time.seconds()
    }

    /// The moment at an age in seconds.
    #[must_use]
    pub fn at(&self, age: f64) -> Moment {
        let (t, read) = (self.since_programming(age), self.read_seconds());
        Moment {
            drift: libm::log(t / self.reference_time.seconds()),
            accumulated: libm::sqrt(libm::log((t + read) / (2.0 * read)).max(0.0)),
        }
    }

    /// Standard deviation of the conductance after programming to `target`; both in microsiemens.
    #[must_use]
    pub fn programming_sigma(&self, target: f64) -> f64 {
        curve::value(&self.programming, self.relative(target))
    }

    /// Mean and standard deviation of the drift exponent of devices with this target, in microsiemens.
    #[must_use]
    pub fn drift_exponent(&self, target: f64) -> (f64, f64) {
        let x = self.relative(target);
        (curve::value(&self.drift_mean, x), curve::value(&self.drift_sigma, x))
    }

    /// Relative standard deviation of reads of a device that was programmed to `programmed` microsiemens.
    #[must_use]
    pub fn read_sigma(&self, programmed: f64, moment: Moment) -> f64 {
        curve::value(&self.read, self.relative(programmed)) * moment.accumulated
    }

    /// Whether reads give the target, at any age.
    #[must_use]
    pub fn is_ideal(&self) -> bool {
        [&self.programming, &self.drift_mean, &self.drift_sigma, &self.read].into_iter().all(|c| curve::is_zero(c))
    }

    /// Problems across its keys.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let curves = [
            ("programming", &self.programming),
            ("drift_mean", &self.drift_mean),
            ("drift_sigma", &self.drift_sigma),
            ("read", &self.read),
        ];
        curves.into_iter().flat_map(|(name, curve)| curve::problems(name, curve)).collect()
    }
}

impl std::fmt::Display for Device {
    /// Kind, age, noise and compensation.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let noise = match self.read_noise {
            ReadNoise::Frozen => "frozen",
            ReadNoise::White => "white",
            ReadNoise::OneOverF => "1/f",
        };
        let compensation = match self.compensation {
            Compensation::Off => "no compensation of drift",
            Compensation::Arrays { .. } => "drift compensated by array",
            Compensation::Logits { .. } => "drift compensated in the logits",
        };
        write!(f, "{}, aged {}; {noise} read noise; {compensation}", self.model.name, self.age)?;
        if !self.wires.are_perfect() { write!(f, "; {}", self.wires) } else { Ok(()) }
    }
}

impl Device {
    /// Mean conductance before read noise of devices with this target at the chip's age; both in microsiemens.
    ///
    /// Programming noise and drift are independent, so the means of a rectified normal and of `exp(-|N(m, d)| L)`, L =
    /// ln(t / t_0), multiply.
    #[must_use]
    pub fn mean_conductance(&self, target: f64) -> f64 {
        let below = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
        let model = &self.model;
        let sigma = model.programming_sigma(target);
        let programmed = if sigma > 0.0 {
            let x = target / sigma;
            let density = libm::exp(-0.5 * x * x) / libm::sqrt(2.0 * std::f64::consts::PI);
            target * below(x) + sigma * density
        } else {
            target
        };
        let log = model.at(self.age.seconds()).drift;
        let (mean, sigma) = model.drift_exponent(target);
        let kept = if sigma > 0.0 {
            let half = |mean: f64| {
                libm::exp(-mean * log + 0.5 * sigma * sigma * log * log) * below(mean / sigma - sigma * log)
            };
            half(mean) + half(-mean)
        } else {
            libm::exp(-mean * log)
        };
        let working = 1.0 - self.stuck_at_reset - self.stuck_at_set;
        working * programmed * kept + self.stuck_at_set * model.conductance_max.microsiemens()
    }

    /// Whether every read of every device gives its target.
    #[must_use]
    pub fn has_ideal_cells(&self) -> bool {
        self.model.is_ideal() && self.stuck_at_reset == 0.0 && self.stuck_at_set == 0.0
    }

    /// Whether converters see the targets: devices are ideal, and so are wires.
    #[must_use]
    pub fn is_ideal(&self) -> bool {
        self.has_ideal_cells() && self.wires.are_perfect()
    }

    /// Problems across its keys.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let stuck = self.stuck_at_reset + self.stuck_at_set;
        let message = format!("stuck_at_reset and stuck_at_set are {stuck} together; expected at most 1");
        (stuck > 1.0).then(|| Problem::new("stuck_at_set", message)).into_iter().collect()
    }
}
