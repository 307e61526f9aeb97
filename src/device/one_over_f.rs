//! Read noise in time: 1/f, so that reads close to each other share most of it.
//!
//! The variance that reads have gathered t after programming grows as `ln((t + t_r) / (2 t_r))`. Two reads dt apart share
//! every component slower than dt, so the share of variance that is fresh is
//!
//! ```text
//! F(dt) = ln((dt + t_r) / (2 t_r)) / ln((t + t_r) / (2 t_r)),   correlation = 1 - F(dt)
//! ```
//! (derived from the law of the accumulated noise, which is assumed to hold below a millisecond too).
//!
//! [`Ladder`] draws noise of that correlation: a sum of components k, each held for a period T_k and then drawn anew, with
//! a random phase. Two reads dt apart see the same value of component k with probability max(0, 1 - dt / T_k), so the
//! correlation of the sum is a polygon with its corners at the periods. Any convex falling correlation is such a sum with
//! positive weights (Polya's criterion), and F is exact at the corners; [`STEPS_PER_DECADE`] corners a decade leave
//! an error of at most `(ln 10 / 3)^2 / 8 = 0.074` of the `ln((t + t_r) / (2 t_r)) = 17.5` (t = 20 s, t_r = 250 ns) in
//! between: 0.4 % of the variance. A sum of Ornstein-Uhlenbeck processes was the alternative; it has no exact points, and
//! each read has to move every component, where here slow ones stay as they are. Marginals are exactly normal.
//!
//! Below [`FIRST`] read times no stationary process follows F: it would make reads t_r apart identical and yet different
//! from later ones. There the correlation falls in a straight line from 1: at dt = t_r the fresh share of sigma is
//! 0.12 instead of 0.

use crate::random::StreamName;

/// The shortest period, in read times: the least at which the polygon that starts with correlation 1 is convex (3.31),
/// rounded up.
pub const FIRST: f64 = 4.0;

/// Periods in each factor of 10.
pub const STEPS_PER_DECADE: u32 = 3;

/// Share of the variance that is fresh between reads `dt` apart, `t` after programming: 0 at `dt = read_time`, 1 at
/// `dt = t`. All in seconds.
#[must_use]
pub fn fresh_variance(dt: f64, t: f64, read_time: f64) -> f64 {
    let log = |time: f64| libm::log((time + read_time) / (2.0 * read_time));
    (log(dt) / log(t)).clamp(0.0, 1.0)
}

/// The same of the standard deviation.
#[must_use]
pub fn fresh_sigma(dt: f64, t: f64, read_time: f64) -> f64 {
    libm::sqrt(fresh_variance(dt, t, read_time))
}

/// Bits of [`StreamName::bit`] that number the components of a bank.
pub const COMPONENT_BITS: u32 = 6;

/// Components of 1/f noise, of variance 1 all together.
#[derive(Debug, Clone, PartialEq)]
pub struct Ladder {
    /// Period in seconds, and amplitude, of each; shortest period first.
    steps: Vec<(f64, f64)>,
}

impl Ladder {
    /// Components of the noise that devices show `t` seconds after programming, read in `read_time` seconds.
    ///
    /// # Panics
    /// Panics unless `t` is more than [`FIRST`] times `read_time`.
    #[must_use]
    pub fn new(t: f64, read_time: f64) -> Self {
        let first = FIRST * read_time;
        assert!(t > first, "{t} s after programming there is no noise slower than a read of {read_time} s");
        let factor = libm::pow(10.0, 1.0 / f64::from(STEPS_PER_DECADE));
        let mut periods = Vec::new();
        let mut period = first;
        while period < t / libm::sqrt(factor) {
            periods.push(period);
            period *= factor;
        }
        periods.push(t);
        // Slopes of the polygon through (0, 1) and F at the periods; behind the last one it is level.
        let corners: Vec<(f64, f64)> = std::iter::once((0.0, 1.0))
            .chain(periods.iter().map(|&period| (period, 1.0 - fresh_variance(period, t, read_time))))
            .collect();
        let mut slopes: Vec<f64> =
            corners.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)).collect();
        slopes.push(0.0);
        // A component of variance v and period T has slope -v / T up to T.
        let variance = |k: usize| (slopes[k + 1] - slopes[k]) * periods[k];
        let steps = (0..periods.len()).map(|k| (periods[k], libm::sqrt(variance(k).max(0.0)))).collect();
        Self { steps }
    }

    /// Its components with periods below `period` seconds, and the amplitude of all others together.
    #[must_use]
    pub fn faster_than(&self, period: f64) -> (Self, f64) {
        let (fast, slow): (Vec<_>, Vec<_>) = self.steps.iter().partition(|(of, _)| *of < period);
        let variance: f64 = slow.iter().map(|(_, amplitude)| amplitude * amplitude).sum();
        (Self { steps: fast }, libm::sqrt(variance))
    }

    /// Correlation of the noise of reads `dt` seconds apart; where faster components are all there is, covariance.
    #[must_use]
    pub fn correlation(&self, dt: f64) -> f64 {
        self.steps.iter().map(|(period, amplitude)| amplitude * amplitude * (1.0 - dt / period).max(0.0)).sum()
    }
}

/// Noise of some devices (or outputs) side by side, at any times in any order.
///
/// Component k has the same random phase for all of them, and values of its own in each period: those of a period come from a
/// stream that is named by k and the number of the period, so that what a read finds depends neither on which reads were
/// simulated before it nor on threads.
#[derive(Debug, Clone)]
pub struct Bank {
    name: StreamName,
    seed: u64,
    held: Vec<Held>,
    sums: Vec<f64>,
}

/// A component of a bank.
#[derive(Debug, Clone)]
struct Held {
    period: f64,
    amplitude: f64,
    phase: f64,
    /// Number of the period that the values belong to.
    number: Option<u64>,
    values: Vec<f64>,
}

impl Bank {
    /// Noise of `count` devices, drawn from streams of this name. Banks whose names differ in anything but position and the
    /// lowest [`COMPONENT_BITS`] of `bit` are independent.
    #[must_use]
    pub fn new(ladder: &Ladder, name: StreamName, seed: u64, count: usize) -> Self {
        let mut phases = StreamName { position: u64::MAX, ..name }.open(seed);
        let component = |&(period, amplitude): &(f64, f64)| Held {
            period,
            amplitude,
            phase: phases.uniform(),
            number: None,
            values: vec![0.0; count],
        };
        Self { name, seed, held: ladder.steps.iter().map(component).collect(), sums: vec![0.0; count] }
    }

    /// Noise of each at `time` seconds (not negative), with the variance of the ladder.
    pub fn at(&mut self, time: f64) -> &[f64] {
        let mut changed = false;
        for (k, held) in self.held.iter_mut().enumerate() {
            let number = libm::floor(time / held.period + held.phase) as u64;
            if held.number != Some(number) {
                (held.number, changed) = (Some(number), true);
                let name = StreamName { position: number, bit: self.name.bit | k as u32, ..self.name };
                let mut stream = name.open(self.seed);
                held.values.iter_mut().for_each(|value| *value = held.amplitude * stream.normal());
            }
        }
        if changed {
            // Always in the same order: sums do not depend on what changed before.
            self.sums.fill(0.0);
            for held in &self.held {
                self.sums.iter_mut().zip(&held.values).for_each(|(sum, value)| *sum += value);
            }
        }
        &self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    /// Time after programming and read time of the PCM of Joshi et al. at its first read.
    const T: f64 = 20.0;
    const READ: f64 = 250e-9;

    #[test]
    fn the_law_gives_the_published_shares() {
        // sqrt(ln(1.25 us / 0.5 us) / ln(20 s / 0.5 us)) = sqrt(0.916 / 17.504) = 0.229.
        for (dt, share) in [(1e-6, 0.23), (10e-6, 0.42), (100e-6, 0.55), (1e-3, 0.66), (1.0, 0.91)] {
            assert!((fresh_sigma(dt, T, READ) - share).abs() < 0.005, "{dt} s: {}", fresh_sigma(dt, T, READ));
        }
        assert_eq!((fresh_variance(READ, T, READ), fresh_variance(T, T, READ)), (0.0, 1.0));
    }

    #[test]
    fn the_ladder_follows_the_law() {
        let ladder = Ladder::new(T, READ);
        let variance: f64 = ladder.steps.iter().map(|(_, amplitude)| amplitude * amplitude).sum();
        assert!((variance - 1.0).abs() < 1e-12, "{variance}");
        assert!(ladder.steps.iter().all(|(_, amplitude)| *amplitude > 0.0), "convex everywhere: {ladder:?}");
        // Between its corners the polygon lies above the law; the last one ends a shorter or longer step.
        for i in 0..=7_300 {
            let dt = FIRST * READ * libm::pow(10.0, f64::from(i) / 1_000.0);
            let error = ladder.correlation(dt) - (1.0 - fresh_variance(dt, T, READ));
            assert!((-1e-12..0.009).contains(&error), "{dt} s: {error}");
            if dt < 5.0 {
                assert!(error < 0.0043, "{dt} s: {error}");
            }
        }
        assert!((libm::sqrt(1.0 - ladder.correlation(READ)) - 0.115).abs() < 0.001);
    }

    #[test]
    fn draws_have_the_fresh_shares() {
        let ladder = Ladder::new(T, READ);
        let count = 100_000u32;
        let times = [0.0, 1e-6, 10e-6, 100e-6, 1e-3, 1.0];
        let (mut squares, mut products) = ([0.0; 6], [0.0; 6]);
        for device in 0..count {
            let name = StreamName { array: device, ..StreamName::new(Purpose::Fluctuation) };
            let mut noise = Bank::new(&ladder, name, 5, 1);
            let values = times.map(|time| noise.at(time)[0]);
            for i in 0..6 {
                squares[i] += values[i] * values[i];
                products[i] += values[0] * values[i];
            }
        }
        for (i, share) in [(1, 0.23), (2, 0.42), (3, 0.55), (4, 0.66), (5, 0.91)] {
            let variance = squares[i] / f64::from(count);
            // Standard error of a variance of 100,000 draws: 0.0045.
            assert!((variance - 1.0).abs() < 4.0 * 0.0045, "at {} s: {variance}", times[i]);
            let correlation = products[i] / libm::sqrt(squares[0] * squares[i]);
            let fresh = libm::sqrt(1.0 - correlation);
            // The law's own digits, and four standard errors of the share: (1 - r^2) / sqrt(N) / (2 share), at most 0.0018.
            let law = fresh_sigma(times[i], T, READ);
            assert!((fresh - law).abs() < 4.0 * 0.0018, "at {} s: {fresh}, law {law}", times[i]);
            assert!((fresh - share).abs() < 0.0125, "at {} s: {fresh}, published {share}", times[i]);
        }
    }

    #[test]
    fn what_a_read_finds_does_not_depend_on_the_reads_before_it() {
        let ladder = Ladder::new(T, READ);
        let name = StreamName { bit: 3 << COMPONENT_BITS, ..StreamName::new(Purpose::Fluctuation) };
        let times = [0.0, 1e-6, 40e-6, 3e-3, 0.25, 5.0];
        let mut forward = Bank::new(&ladder, name, 1, 8);
        let found: Vec<Vec<f64>> = times.iter().map(|&time| forward.at(time).to_vec()).collect();
        let mut backward = Bank::new(&ladder, name, 1, 8);
        for (time, found) in times.iter().zip(&found).rev() {
            assert_eq!(backward.at(*time), found, "{time} s");
        }
        assert_ne!(found[0], found[5]);
    }

    #[test]
    fn slow_and_fast_components_are_all_of_it() {
        let ladder = Ladder::new(T, READ);
        for period in [0.0, 1e-6, 2e-5, 1e-2, 1.0, 100.0] {
            let (fast, slow) = ladder.faster_than(period);
            assert!((fast.correlation(0.0) + slow * slow - 1.0).abs() < 1e-12, "{period} s");
        }
        assert_eq!(ladder.faster_than(0.0).0.steps.len(), 0);
        assert_eq!(ladder.faster_than(100.0).0, ladder);
    }
}
