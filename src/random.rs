//! Randomness as named streams: every random number of a run belongs to a stream named by its purpose.
//!
//! A stream is a PCG generator (`Pcg64Dxsm`) whose seed is a BLAKE3 hash of the master seed and the stream's name.
//! No stream is shared and none is split off another, so results do not depend on the order in which streams are used,
//! on threads or on how the work is cut into arrays. The samplers are ours: Bernoulli trials use only integers and
//! comparisons, normal draws functions of `libm`, so that every machine draws the same numbers.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Dxsm;
use std::sync::LazyLock;

/// Purpose of a stream. The codes are part of the streams' names: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Purpose {
    /// Drawing weights from the posterior.
    WeightSample = 1,
    /// Generating a synthetic posterior.
    SyntheticPosterior = 2,
    /// Seeds of the shift registers in an array's generator.
    RegisterSeed = 3,
    /// Programming, drift, read noise and faults of memory devices.
    Device = 4,
    /// Noise of reads that draw it anew.
    ReadNoise = 5,
    /// Read noise of the reference reads of drift compensation.
    ReferenceRead = 6,
    /// Order of the images of a data set.
    ImageOrder = 7,
    /// 1/f noise of reads: phases and values of its components.
    Fluctuation = 8,
    /// Offsets of comparators, and devices of the noise rows beside them.
    Comparator = 9,
    /// Points of a design space.
    Search = 10,
}

/// Full name of a stream; fields that do not apply are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamName {
    /// Purpose.
    pub purpose: Purpose,
    /// Index of the layer in the network.
    pub layer: u32,
    /// Number of the array; 0 for draws that must not depend on the mapping.
    pub array: u32,
    /// Ensemble member.
    pub member: u32,
    /// Output position, counted over all images where each image has its own.
    pub position: u64,
    /// Input bit.
    pub bit: u32,
}

impl StreamName {
    /// The stream of a purpose that has no further name.
    #[must_use]
    pub const fn new(purpose: Purpose) -> Self {
        Self { purpose, layer: 0, array: 0, member: 0, position: 0, bit: 0 }
    }

    /// The stream of that name under a master seed, at its beginning.
    #[must_use]
    pub fn open(self, master_seed: u64) -> Stream {
        let mut hasher = blake3::Hasher::new_derive_key("crossbayes stream v1");
        hasher.update(&master_seed.to_le_bytes());
        for part in [self.purpose as u32, self.layer, self.array, self.member, self.bit] {
            hasher.update(&part.to_le_bytes());
        }
        hasher.update(&self.position.to_le_bytes());
        Stream { generator: Pcg64Dxsm::from_seed(*hasher.finalize().as_bytes()) }
    }
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Stream {
    generator: Pcg64Dxsm,
}

impl Stream {
    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform among the numbers below `n`, which is at most 2^53.
    pub fn below(&mut self, n: u64) -> u64 {
        ((self.uniform() * n as f64) as u64).min(n.saturating_sub(1))
    }

    /// Normal with mean 0 and variance 1, by the ziggurat of Marsaglia and Tsang (J. Stat. Softw. 5(8), 2000) with 256
    /// layers.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        let ziggurat = &*ZIGGURAT;
        loop {
            // Layer, sign and place are bits of their own.
            let bits = self.bits();
            let layer = (bits & 0xff) as usize;
            let sign = f64::from_bits(1.0_f64.to_bits() | (bits & 0x100) << 55);
            let value = (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64) * ziggurat.x[layer];
            if value < ziggurat.x[layer + 1] {
                return sign * value;
            }
            if let Some(value) = self.beyond_layer(ziggurat, layer, value) {
                return sign * value;
            }
        }
    }

    /// A normal from the part of a layer that may lie above the density.
    #[cold]
    fn beyond_layer(&mut self, Ziggurat { density, .. }: &Ziggurat, layer: usize, value: f64) -> Option<f64> {
        if layer == 0 {
            return Some(self.normal_tail());
        }
        let height = density[layer] + (density[layer + 1] - density[layer]) * self.uniform();
        (height < libm::exp(-0.5 * value * value)).then_some(value)
    }

    /// The part of a normal beyond the ziggurat's base layer (Marsaglia 1964).
    fn normal_tail(&mut self) -> f64 {
        loop {
            // 1 - uniform is never 0.
            let beyond = -libm::log(1.0 - self.uniform()) / BASE;
            if -2.0 * libm::log(1.0 - self.uniform()) > beyond * beyond {
                return BASE + beyond;
            }
        }
    }
}

/// Where the base layer of the ziggurat ends, and the area of each of its layers.
const BASE: f64 = 3.654_152_885_361_009;
const AREA: f64 = 0.004_928_673_233_974_655;

/// Layers of equal area below exp(-x^2 / 2).
struct Ziggurat {
    /// Width of each layer, widest first: `x[1]` is [`BASE`], the last one 0; `x[0]` is as wide as a rectangle of the base
    /// layer's area.
    x: [f64; 257],
    /// exp(-x^2 / 2) of each.
    density: [f64; 257],
}

static ZIGGURAT: LazyLock<Ziggurat> = LazyLock::new(|| {
    let of = |x: f64| libm::exp(-0.5 * x * x);
    let (mut x, mut density) = ([0.0; 257], [1.0; 257]);
    (x[0], x[1]) = (AREA / of(BASE), BASE);
    for layer in 2..256 {
        x[layer] = libm::sqrt(-2.0 * libm::log(AREA / x[layer - 1] + of(x[layer - 1])));
    }
    density.iter_mut().zip(&x).for_each(|(density, &x)| *density = of(x));
    Ziggurat { x, density }
});

/// Draws of `bits` bits below it succeed: `round(p 2^bits)`. At 0 none does, at 2^bits all do.
#[must_use]
pub fn threshold(p: f32, bits: u32) -> u64 {
    (f64::from(p) * (1u64 << bits) as f64).round() as u64
}

/// A row of independent Bernoulli trials, each with its own probability, drawn 64 at a time.
///
/// Probabilities are held to b bits: a trial succeeds where a b-bit draw is below `round(p 2^b)`, so p = 0 never and
/// p = 1 always does. A draw is the upper b bits of a lane of 8, 16 or 32 bits (the narrowest that holds b) of the
/// stream's 64-bit numbers, lowest lane first; the last word's unused trials are drawn too and fail.
#[derive(Debug, Clone)]
pub struct Trials {
    lane_bits: u32,
    /// Thresholds, shifted to the top of their lanes; `64 / lane_bits` to a number, lowest lane first.
    thresholds: Vec<u64>,
    /// Trials whose threshold is 2^b, which a lane does not hold; bit i of word w is trial 64 w + i.
    certain: Vec<u64>,
}

impl Trials {
    /// Trials with these probabilities (0..=1) at `bits` (1..=32) bits.
    #[must_use]
    pub fn new(probabilities: &[f32], bits: u32) -> Self {
        let lane_bits = bits.next_power_of_two().max(8);
        let lanes = (64 / lane_bits) as usize;
        let words = probabilities.len().div_ceil(64);
        let mut thresholds = vec![0; words * lane_bits as usize];
        let mut certain = vec![0; words];
        for (i, &p) in probabilities.iter().enumerate() {
            let threshold = threshold(p, bits);
            if threshold >> bits != 0 {
                certain[i / 64] |= 1 << (i % 64);
            } else {
                let lane = (i % lanes) as u32;
                thresholds[i / lanes] |= threshold << (lane_bits - bits) << (lane * lane_bits);
            }
        }
        Self { lane_bits, thresholds, certain }
    }

    /// Draws every trial once: bit i of `outcome[w]` is the outcome of trial 64 w + i.
    ///
    /// # Panics
    /// Panics if `outcome` has not one word for every 64 trials.
    pub fn draw(&self, stream: &mut Stream, outcome: &mut [u64]) {
        assert_eq!(outcome.len(), self.certain.len(), "one word for every 64 trials");
        match self.lane_bits {
            8 => self.draw_lanes::<8>(stream, outcome),
            16 => self.draw_lanes::<16>(stream, outcome),
            _ => self.draw_lanes::<32>(stream, outcome),
        }
    }

    fn draw_lanes<const LANE_BITS: usize>(&self, stream: &mut Stream, outcome: &mut [u64]) {
        let (thresholds, _) = self.thresholds.as_chunks::<LANE_BITS>();
        for ((outcome, thresholds), certain) in outcome.iter_mut().zip(thresholds).zip(&self.certain) {
            let mut word = *certain;
            for (i, &threshold) in thresholds.iter().enumerate() {
                word |= below::<LANE_BITS>(stream.bits(), threshold) << (i * (64 / LANE_BITS));
            }
            *outcome = word;
        }
    }
}

/// Compares the lanes of two numbers, unsigned: bit i of the result is 1 if lane i of `a` is below lane i of `b`.
fn below<const LANE_BITS: usize>(a: u64, b: u64) -> u64 {
    // The top bit of each lane, set.
    let top = (u64::MAX / ((1 << LANE_BITS) - 1)) << (LANE_BITS - 1);
    // With the top bits out of the way no lane borrows from the next; the top bit left over says a >= b without them.
    let not_below = (a | top) - (b & !top);
    let lanes = (((!a & b) | (!(a ^ b) & !not_below)) & top) >> (LANE_BITS - 1);
    // Multiplying brings the lanes' bits together at the top of the number; no two products meet, so nothing carries.
    match LANE_BITS {
        8 => lanes.wrapping_mul(0x0102_0408_1020_4080) >> 56,
        16 => (lanes.wrapping_mul(0x0001_0002_0004_0008) >> 48) & 0xf,
        _ => (lanes | lanes >> 31) & 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_part_of_the_name_and_the_seed_names_another_stream() {
        let name = StreamName::new(Purpose::WeightSample);
        let others = [
            StreamName { purpose: Purpose::SyntheticPosterior, ..name },
            StreamName { layer: 1, ..name },
            StreamName { array: 1, ..name },
            StreamName { member: 1, ..name },
            StreamName { position: 1, ..name },
            StreamName { bit: 1, ..name },
        ];
        let mut firsts: Vec<u64> = others.iter().map(|other| other.open(7).bits()).collect();
        firsts.push(name.open(7).bits());
        firsts.push(name.open(8).bits());
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), others.len() + 2);
    }

    #[test]
    fn uniform_is_in_the_half_open_unit_interval() {
        let mut stream = StreamName::new(Purpose::SyntheticPosterior).open(1);
        let values: Vec<f64> = (0..10_000).map(|_| stream.uniform()).collect();
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        let mean = values.iter().sum::<f64>() / 10_000.0;
        // Standard error of the mean: 0.2887 / 100.
        assert!((mean - 0.5).abs() < 4.0 * 0.002_887, "mean {mean}");
    }

    #[test]
    fn normals_follow_their_distribution() {
        let mut stream = StreamName::new(Purpose::Device).open(3);
        let count = 1_000_000;
        let values: Vec<f64> = (0..count).map(|_| stream.normal()).collect();
        // Standard errors of the first four moments of a million draws: 0.001, 0.00141, 0.00387, 0.0098.
        let moment = |power: i32| values.iter().map(|x| x.powi(power)).sum::<f64>() / f64::from(count);
        for (power, expected, error) in [(1, 0.0, 0.001), (2, 1.0, 0.001_41), (3, 0.0, 0.003_87), (4, 3.0, 0.009_8)] {
            assert!((moment(power) - expected).abs() < 4.0 * error, "moment {power}: {}", moment(power));
        }
        // Shares below bounds on all layers and in the tail, against the error function.
        for bound in [-4.0, -3.7, -3.0, -2.0, -1.0, -0.3, 0.0, 0.1, 0.7, 1.5, 2.5, 3.5, 3.66, 4.0] {
            let share = values.iter().filter(|x| **x < bound).count() as f64 / f64::from(count);
            let expected = 0.5 * libm::erfc(-bound / libm::sqrt(2.0));
            let error = libm::sqrt(expected * (1.0 - expected) / f64::from(count));
            assert!((share - expected).abs() < 4.0 * error, "below {bound}: {share}, expected {expected}");
        }
    }

    #[test]
    fn the_layers_of_the_ziggurat_have_equal_areas() {
        let Ziggurat { x, density } = &*ZIGGURAT;
        for layer in 1..256 {
            let area = x[layer] * (density[layer + 1] - density[layer]);
            assert!((area - AREA).abs() < 1e-11, "layer {layer}: {area}");
        }
    }

    #[test]
    fn trials_happen_as_often_as_their_probability_says() {
        for bits in [1, 4, 8, 12, 16, 32] {
            let p = [0.0, 0.25, 0.5, 0.75, 1.0];
            let trials = Trials::new(&p, bits);
            let mut stream = StreamName::new(Purpose::WeightSample).open(u64::from(bits));
            let mut successes = [0u32; 5];
            let mut outcome = [0];
            for _ in 0..4_000 {
                trials.draw(&mut stream, &mut outcome);
                assert_eq!(outcome[0] >> 5, 0, "trials that do not exist fail");
                for (i, successes) in successes.iter_mut().enumerate() {
                    *successes += (outcome[0] >> i & 1) as u32;
                }
            }
            assert_eq!((successes[0], successes[4]), (0, 4_000), "p of 0 and 1 are exact");
            for i in 1..4 {
                // One bit knows 0, 1/2 and 1 only: 0.25 rounds to 1/2 and 0.75 to 1.
                let held = (f64::from(p[i]) * f64::from(1u32 << bits.min(8))).round() / f64::from(1u32 << bits.min(8));
                let error = f64::from(successes[i]) / 4_000.0 - held;
                // Four standard errors of a share of 1/2 among 4,000: 4 * 0.0079.
                assert!(error.abs() < 0.032, "{bits} bits, p = {}: off by {error}", p[i]);
            }
        }
    }

    proptest! {
        #[test]
        fn lanes_are_compared_one_by_one(a: u64, b: u64) {
            let bytes = (0..8).filter(|i| ((a >> (8 * i)) as u8) < (b >> (8 * i)) as u8);
            prop_assert_eq!(below::<8>(a, b), bytes.map(|i| 1 << i).sum::<u64>());
            let halves = (0..4).filter(|i| ((a >> (16 * i)) as u16) < (b >> (16 * i)) as u16);
            prop_assert_eq!(below::<16>(a, b), halves.map(|i| 1 << i).sum::<u64>());
            let words = (0..2).filter(|i| ((a >> (32 * i)) as u32) < (b >> (32 * i)) as u32);
            prop_assert_eq!(below::<32>(a, b), words.map(|i| 1 << i).sum::<u64>());
        }
    }
}
