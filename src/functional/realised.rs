//! How draws from device noise compare with what was intended.

use serde::{Deserialize, Serialize};

/// Bins of [`Realised::histogram`].
const BINS: usize = 20;

/// Realised against intended probabilities of the sampled synapses of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Realised {
    /// Sampled synapses, those of all copies of the arrays together.
    pub synapses: u64,
    /// Mean of the intended probabilities.
    pub mean_intended: f64,
    /// Mean of the realised ones.
    pub mean_realised: f64,
    /// Mean magnitude of realised minus intended.
    pub mean_error: f64,
    /// The largest magnitude of it.
    pub worst: f64,
    /// Synapses by realised minus intended: 20 bins of 0.1 from -1 to 1, closed on the left.
    pub histogram: Vec<u64>,
}

impl Default for Realised {
    fn default() -> Self {
        let histogram = vec![0; BINS];
        Self { synapses: 0, mean_intended: 0.0, mean_realised: 0.0, mean_error: 0.0, worst: 0.0, histogram }
    }
}

impl Realised {
    /// Adds a synapse; means are sums until [`finish`](Self::finish).
    pub(super) fn add(&mut self, intended: f64, realised: f64) {
        let error = realised - intended;
        self.synapses += 1;
        self.mean_intended += intended;
        self.mean_realised += realised;
        self.mean_error += error.abs();
        self.worst = self.worst.max(error.abs());
        let bin = ((error + 1.0) * (BINS / 2) as f64) as usize;
        self.histogram[bin.min(BINS - 1)] += 1;
    }

    pub(super) fn finish(mut self) -> Self {
        let count = self.synapses.max(1) as f64;
        for sum in [&mut self.mean_intended, &mut self.mean_realised, &mut self.mean_error] {
            *sum /= count;
        }
        self
    }
}

/// How far members are apart in time, and what that means for their noise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MembersApart {
    /// Seconds from the first read of a member to that of the next one, in the first layer that members run by themselves.
    pub seconds: f64,
    /// Correlation of the read noise of a device between these reads.
    pub noise_correlation: f64,
}
