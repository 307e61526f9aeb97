//! What comparators make of a probability, without a network: many synapses that are all meant to have it.

use crate::config::{Chip, Offset, Sampler};
use crate::device::Device;
use crate::functional::devices::{Circuit, Comparators, Place};
use serde::Serialize;

/// Synapses: rows and columns, and rows that share a comparator.
const PLACE: Place = Place { layer: 0, rows: 128, columns: 128, group: 16 };

/// Comparators under study.
#[derive(Debug, Clone)]
pub struct Study {
    /// Memory cells.
    pub device: Device,
    /// Conductances of on and off cells, microsiemens.
    pub targets: [f64; 2],
    /// Noise rows (kn).
    pub noise_rows: u32,
    /// Offset of the comparators.
    pub offset: Offset,
    /// Master seed.
    pub seed: u64,
}

/// Realised probabilities of synapses with the same intended one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bent {
    /// Intended.
    pub intended: f64,
    /// Mean of the realised ones.
    pub mean: f64,
    /// Their standard deviation.
    pub std: f64,
    /// Mean magnitude of realised minus intended.
    pub mean_error: f64,
}

impl Study {
    /// The comparators of a chip; those of one without comparators have 16 noise rows and no offset.
    #[must_use]
    pub fn of(chip: &Chip, seed: u64) -> Self {
        let (noise_rows, offset) = match chip.sampler {
            Sampler::Comparator { noise_rows, offset, .. } => (noise_rows, offset),
            Sampler::Generator { .. } => (16, Offset::default()),
        };
        let targets = [chip.array.conductance_on, chip.array.conductance_off].map(|g| g.microsiemens());
        Self { device: chip.device.clone(), targets, noise_rows, offset, seed }
    }

    /// Realised probabilities of 16,384 synapses, read by 1,024 comparators, that are meant to have the probability `p`.
    #[must_use]
    pub fn bent(&self, p: f64) -> Bent {
        let Self { device, targets, noise_rows, offset, seed } = self;
        let circuit = Circuit { device, targets: *targets, noise_rows: *noise_rows, offset: *offset, seed: *seed };
        let comparators = Comparators::new(&circuit, PLACE, 1, None, |_, _| p as f32, |_, _| true);
        let places = (0..PLACE.rows).flat_map(|row| (0..PLACE.columns).map(move |column| (row, column)));
        let realised: Vec<f64> = places.filter_map(|(row, column)| comparators.realised(0, row, column)).collect();
        let count = realised.len() as f64;
        let mean = realised.iter().sum::<f64>() / count;
        let variance = realised.iter().map(|found| (found - mean) * (found - mean)).sum::<f64>() / count;
        let mean_error = realised.iter().map(|found| (found - p).abs()).sum::<f64>() / count;
        Bent { intended: p, mean, std: libm::sqrt(variance), mean_error }
    }
}

/// Correlation of two draws with probability 1/2 whose noise has this correlation.
#[must_use]
pub fn draw_correlation(noise: f64) -> f64 {
    2.0 / std::f64::consts::PI * libm::asin(noise.clamp(-1.0, 1.0))
}
