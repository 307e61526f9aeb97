//! Draws by comparators from the read noise of devices.
//!
//! A sampled synapse is a pair of devices on either side of the middle between on and off, whose difference makes the sum of
//! all read noise exceed it with probability p. It is read beside kn pairs of noise rows, all of them in the middle; the
//! comparator of the column draws +1 where
//!
//! ```text
//! d + o + sqrt(v_s) n_s(t) + sqrt(v_c) n_c(t) > 0
//! ```
//! with d the difference that the pair has become (programmed, drifted), o the offset of the comparator and the imbalance of
//! its noise rows, v_s and v_c the variances of the read noise of the pair and of the noise rows. So the realised probability
//! is Phi((d + o) / sqrt(v_s + v_c)). Devices and comparators belong to streams named by layer, replica and row (or group of
//! rows that share comparators), within which they are found by their column: packing does not change them.

use crate::config::{Device, Offset, TrimTime};
use crate::device::one_over_f::{Bank, COMPONENT_BITS, Ladder};
use crate::device::{Cell, Draws, Moment};
use crate::functional::devices::read::replica_of;
use crate::functional::weights::BitMatrix;
use crate::random::{Purpose, Stream, StreamName};

/// Points of the table from differences to probabilities.
const POINTS: usize = 4096;

/// Comparators of a chip, and the devices that they read.
#[derive(Debug, Clone, Copy)]
pub(in crate::functional) struct Circuit<'a> {
    pub device: &'a Device,
    /// Conductance of on and off cells, microsiemens.
    pub targets: [f64; 2],
    /// Noise rows (kn).
    pub noise_rows: u32,
    pub offset: Offset,
    pub seed: u64,
}

/// Where a layer's synapses are.
#[derive(Debug, Clone, Copy)]
pub(in crate::functional) struct Place {
    pub layer: u32,
    pub rows: usize,
    pub columns: usize,
    /// Rows that share comparators and noise rows.
    pub group: usize,
}

/// What is compared: a difference of conductances and the variance of its read noise, microsiemens.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Compared {
    difference: f64,
    /// Read noise that is drawn once.
    frozen: f64,
    variance: f64,
}

/// The nominal difference of a pair for each probability.
#[derive(Debug, Clone)]
pub(in crate::functional) struct Nominal {
    /// Probabilities at equal steps of the difference, from 0 to on - off.
    probabilities: Vec<f64>,
    most: f64,
}

fn normal_below(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

impl Circuit<'_> {
    fn middle(&self) -> f64 {
        0.5 * (self.targets[0] + self.targets[1])
    }

    /// Variance of a read of a device that is programmed to exactly `target`, at its first read.
    fn nominal_variance(&self, target: f64) -> f64 {
        let model = &self.device.model;
        let sigma = target * model.read_sigma(target, model.at(0.0));
        sigma * sigma
    }

    /// The nominal differences: those of devices without scatter at their first read, and comparators without offset.
    pub(in crate::functional) fn nominal(&self) -> Nominal {
        let most = self.targets[0] - self.targets[1];
        let beside = 2.0 * f64::from(self.noise_rows) * self.nominal_variance(self.middle());
        let probability = |i: usize| {
            let difference = most * i as f64 / POINTS as f64;
            let targets = self.pair(difference);
            let variance = targets.map(|target| self.nominal_variance(target)).iter().sum::<f64>() + beside;
            normal_below(difference / libm::sqrt(variance))
        };
        Nominal { probabilities: (0..=POINTS).map(probability).collect(), most }
    }

    /// Targets of a pair whose devices differ by `difference`.
    fn pair(&self, difference: f64) -> [f64; 2] {
        [self.middle() + 0.5 * difference, (self.middle() - 0.5 * difference).max(0.0)]
    }

    /// The next pair of a stream, programmed to these targets, and what is compared of it at a moment.
    fn programmed(&self, targets: [f64; 2], stream: &mut Stream, moment: Moment) -> ([Cell; 2], Compared) {
        let draws = [Draws::new(stream), Draws::new(stream)];
        let pair = [0, 1].map(|i| self.device.program(targets[i], &draws[i]));
        (pair, self.compared(pair, draws.map(|draws| draws.read), moment))
    }

    fn compared(&self, pair: [Cell; 2], normals: [f64; 2], moment: Moment) -> Compared {
        let mut compared = Compared::default();
        for ((cell, normal), sign) in pair.iter().zip(normals).zip([1.0, -1.0]) {
            let sigma = cell.read_deviation(&self.device.model, moment);
            compared.difference += sign * cell.drifted(moment);
            compared.frozen += sign * sigma * normal;
            compared.variance += sigma * sigma;
        }
        compared
    }

    /// The comparators of a group of rows, one for each column.
    fn comparators(&self, place: Place, replica: u32, group: usize, moment: Moment) -> Vec<Compared> {
        let name = StreamName { layer: place.layer, member: replica, ..StreamName::new(Purpose::Comparator) };
        let mut stream = StreamName { position: group as u64, ..name }.open(self.seed);
        let trimmed_at = match self.offset.trim.map_or(TrimTime::Programming, |trim| trim.at) {
            TrimTime::Programming => self.device.model.at(0.0),
            TrimTime::Run => moment,
        };
        let comparator = |_| {
            let offset = self.offset.spread.microsiemens() * stream.normal();
            let (mut sum, mut fresh) = (Compared::default(), 0.0);
            for _ in 0..self.noise_rows {
                let (pair, of) = self.programmed([self.middle(); 2], &mut stream, moment);
                sum.difference += of.difference;
                sum.frozen += of.frozen;
                sum.variance += of.variance;
                fresh += pair[0].drifted(trimmed_at) - pair[1].drifted(trimmed_at);
            }
            // Trimmed with the noise rows on.
            let trimmed = self.offset.trim.map_or(0.0, |trim| trim.nearest(offset + fresh));
            Compared { difference: sum.difference + offset - trimmed, ..sum }
        };
        (0..place.columns).map(comparator).collect()
    }

    /// The synapses of a row, `p` being their probabilities.
    fn row(
        &self,
        place: Place,
        replica: u32,
        row: usize,
        moment: Moment,
        nominal: &Nominal,
        p: impl Fn(usize) -> f64,
    ) -> Vec<Compared> {
        let name = StreamName { layer: place.layer, array: 1, member: replica, ..StreamName::new(Purpose::Device) };
        let mut stream = StreamName { position: row as u64, ..name }.open(self.seed);
        let synapse = |column: usize| self.programmed(self.pair(nominal.difference(p(column))), &mut stream, moment).1;
        (0..place.columns).map(synapse).collect()
    }
}

impl Nominal {
    /// The difference that gives a probability; the largest there is for those beyond it.
    pub(in crate::functional) fn difference(&self, p: f64) -> f64 {
        if p < 0.5 {
            return -self.difference(1.0 - p);
        }
        let step = self.most / POINTS as f64;
        let above = self.probabilities.partition_point(|&of| of <= p);
        if above > POINTS {
            return self.most;
        }
        let (low, high) = (self.probabilities[above - 1], self.probabilities[above]);
        step * ((above - 1) as f64 + (p - low) / (high - low))
    }
}

/// The comparators of a layer's stochastic plane, and the synapses that they draw.
#[derive(Debug, Clone)]
pub(in crate::functional) struct Comparators {
    place: Place,
    replicas: Vec<Replica>,
    /// Fast components of 1/f noise, where reads follow each other in time, and the amplitude of the others.
    fast: Option<(Ladder, f64)>,
    seed: u64,
}

/// Those of one copy of the arrays.
#[derive(Debug, Clone)]
struct Replica {
    /// `[group][column]`
    comparators: Vec<Compared>,
    /// `[row][column]`; none where the plane holds no synapse: then the fixed weight.
    synapses: Vec<Result<Compared, bool>>,
}

impl Comparators {
    /// Programs synapses with the probabilities that `p` gives for row and column; `held` says which the plane holds, the
    /// others are drawn as 0 or 1 exactly.
    pub(in crate::functional) fn new(
        circuit: &Circuit<'_>,
        place: Place,
        replicas: u32,
        fast: Option<(Ladder, f64)>,
        p: impl Fn(usize, usize) -> f32,
        held: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let moment = circuit.device.model.at(circuit.device.age.seconds());
        let nominal = circuit.nominal();
        let replica = |replica: u32| {
            let groups = place.rows.div_ceil(place.group);
            let comparators =
                (0..groups).flat_map(|group| circuit.comparators(place, replica, group, moment)).collect();
            let of_row = |row: usize| {
                let compared = circuit.row(place, replica, row, moment, &nominal, |column| p(row, column).into());
                let of = |(column, compared)| if held(row, column) { Ok(compared) } else { Err(p(row, column) > 0.5) };
                compared.into_iter().enumerate().map(of).collect::<Vec<_>>()
            };
            Replica { comparators, synapses: (0..place.rows).flat_map(of_row).collect() }
        };
        Self { place, replicas: (0..replicas).map(replica).collect(), fast, seed: circuit.seed }
    }

    /// Number of copies of the arrays.
    pub(in crate::functional) fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// The realised probability of a synapse of a replica over all read noise; none where the plane does not hold it.
    pub(in crate::functional) fn realised(&self, replica: usize, row: usize, column: usize) -> Option<f64> {
        let Replica { comparators, synapses } = &self.replicas[replica];
        let synapse = synapses[row * self.place.columns + column].ok()?;
        let comparator = comparators[row / self.place.group * self.place.columns + column];
        Some(probability(synapse, comparator))
    }

    /// The noise of a pass of a member.
    pub(in crate::functional) fn noise(&self, member: usize) -> Option<Noise> {
        let (fast, frozen) = self.fast.as_ref()?;
        let replica = replica_of(self.replicas.len(), member);
        let name = StreamName { layer: self.place.layer, array: 2, ..StreamName::new(Purpose::Fluctuation) };
        let bank = |array: u32, number: usize| {
            let name = StreamName { array, member: replica as u32, bit: (number as u32) << COMPONENT_BITS, ..name };
            Bank::new(fast, name, self.seed, self.place.columns)
        };
        let groups = self.place.rows.div_ceil(self.place.group);
        Some(Noise {
            replica,
            frozen: *frozen,
            columns: (0..groups).map(|group| bank(2, group)).collect(),
            rows: (0..self.place.rows).map(|row| bank(3, row)).collect(),
        })
    }

    /// Draws all weights in a position whose first row is read at `first` seconds and its last one at `last`.
    pub(in crate::functional) fn draw(&self, noise: &mut Noise, [first, last]: [f64; 2], drawn: &mut BitMatrix) {
        let Place { columns, group, .. } = self.place;
        let Replica { comparators, synapses } = &self.replicas[noise.replica];
        let mut words = vec![0_u64; columns];
        for rows in drawn.blocks().word_rows() {
            words.fill(0);
            for row in rows.clone() {
                let time = first + (last - first) * (row % group) as f64 / group as f64;
                let of_columns = noise.columns[row / group].at(time);
                let of_synapses = noise.rows[row].at(time);
                let comparators = &comparators[row / group * columns..][..columns];
                for (column, synapse) in synapses[row * columns..][..columns].iter().enumerate() {
                    let set = synapse.map_or_else(
                        |fixed| fixed,
                        |synapse| {
                            let comparator = comparators[column];
                            synapse.difference
                                + comparator.difference
                                + noise.frozen * (synapse.frozen + comparator.frozen)
                                + libm::sqrt(synapse.variance) * of_synapses[column]
                                + libm::sqrt(comparator.variance) * of_columns[column]
                                > 0.0
                        },
                    );
                    words[column] |= u64::from(set) << (row - rows.start);
                }
            }
            words.iter().enumerate().for_each(|(column, &word)| drawn.set_word(rows.start, column, word));
        }
    }
}

fn probability(synapse: Compared, comparator: Compared) -> f64 {
    let sigma = libm::sqrt(synapse.variance + comparator.variance);
    let difference = synapse.difference + comparator.difference;
    // Without noise the comparator always decides alike.
    if sigma > 0.0 { normal_below(difference / sigma) } else { f64::from(difference > 0.0) }
}

/// 1/f noise of a pass.
#[derive(Debug, Clone)]
pub(in crate::functional) struct Noise {
    replica: usize,
    frozen: f64,
    /// Of the noise rows of each group.
    columns: Vec<Bank>,
    /// Of the synapses of each row.
    rows: Vec<Bank>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Trim;
    use crate::device::curve::{Form, Piece};
    use crate::functional::blocks::RowBlocks;
    use crate::units::{Age, Conductance};

    fn joshi() -> Device {
        let model = ron::from_str(include_str!("../../../arch/devices/pcm_joshi.ron")).unwrap();
        Device { model, ..Device::default() }
    }

    fn never() -> Vec<Piece> {
        vec![Piece { below: 1.0, form: Form::Polynomial { coefficients: vec![0.0] } }]
    }

    fn circuit(device: &Device, noise_rows: u32, offset: Offset) -> Circuit<'_> {
        Circuit { device, targets: [25.0, 0.0], noise_rows, offset, seed: 4 }
    }

    const PLACE: Place = Place { layer: 0, rows: 64, columns: 64, group: 32 };
    const FINE: Option<Trim> = Some(Trim { step: Conductance(1_000), bits: 16, at: TrimTime::Programming });

    fn all(comparators: &Comparators) -> Vec<f64> {
        let places = (0..64).flat_map(|row| (0..64).map(move |column| (row, column)));
        places.map(|(row, column)| comparators.realised(0, row, column).unwrap()).collect()
    }

    #[test]
    fn devices_without_scatter_realise_what_was_intended() {
        let mut device = joshi();
        device.model.programming = never();
        for noise_rows in [0, 4, 16] {
            let circuit = circuit(&device, noise_rows, Offset::default());
            let p = |row: usize, column: usize| (row * 64 + column) as f32 / 4096.0;
            let comparators = Comparators::new(&circuit, PLACE, 1, None, p, |_, _| true);
            for (i, realised) in all(&comparators).into_iter().enumerate() {
                let intended = i as f64 / 4096.0;
                assert!((realised - intended).abs() < 1e-4, "{noise_rows} noise rows, p = {intended}: {realised}");
            }
        }
        // With 64 noise rows 25 uS are 3.0 standard deviations: sqrt(2 * 65) 0.722 uS = 8.2 uS. That is all there is.
        let nominal = circuit(&device, 64, Offset::default()).nominal();
        assert_eq!((nominal.difference(1.0), nominal.difference(0.0)), (25.0, -25.0));
        assert!(nominal.difference(0.9) < 25.0 && nominal.difference(0.5) == 0.0);
    }

    #[test]
    fn noise_rows_dilute_programming_errors_as_computed_by_hand() {
        // A day after programming, drift left out, a pair in the middle has sigma_read 1.24 uS and sigma_prog 1.35 uS. One
        // sigma moves p = 0.5 to Phi(1.35 / (1.24 sqrt(1 + kn))).
        let mut device = joshi();
        (device.model.drift_mean, device.model.drift_sigma) = (never(), never());
        device.age = Age(86_400_000);
        for (noise_rows, moved) in [(0, 0.86), (4, 0.69), (8, 0.64), (16, 0.60), (32, 0.58)] {
            let circuit = circuit(&device, noise_rows, Offset { trim: FINE, ..Offset::default() });
            let comparators = Comparators::new(&circuit, PLACE, 1, None, |_, _| 0.5, |_, _| true);
            // Means of |N(0, s)| = 0.798 s in the argument of Phi: found by the median of |z|, 0.6745 s.
            let mut errors: Vec<f64> = all(&comparators).iter().map(|p| (p - 0.5).abs()).collect();
            errors.sort_by(f64::total_cmp);
            let median = errors[errors.len() / 2];
            let z = |p: f64| {
                let (mut low, mut high) = (0.0, 10.0);
                for _ in 0..60 {
                    let middle = 0.5 * (low + high);
                    if normal_below(middle) < p { low = middle } else { high = middle }
                }
                low
            };
            let sigma = z(0.5 + median) / 0.6745;
            assert!((normal_below(sigma) - moved).abs() < 0.012, "{noise_rows}: {}", normal_below(sigma));
        }
        // Not trimmed, the noise rows' own errors count as much: kn + 1 of them.
        let circuit = circuit(&device, 16, Offset::default());
        let comparators = Comparators::new(&circuit, PLACE, 1, None, |_, _| 0.5, |_, _| true);
        let spread = all(&comparators).iter().map(|p| (p - 0.5).abs()).sum::<f64>() / 4096.0;
        assert!(spread > 0.2, "{spread}");
    }

    #[test]
    fn a_trimmed_offset_is_gone_but_for_half_a_step() {
        let device = joshi();
        let error = |offset| {
            let circuit = circuit(&device, 16, offset);
            let comparators = Comparators::new(&circuit, PLACE, 1, None, |_, _| 0.5, |_, _| true);
            all(&comparators).iter().map(|p| (p - 0.5).abs()).sum::<f64>() / 4096.0
        };
        let offset = |spread, trim| Offset { spread: Conductance(spread), trim };
        let trimmed = error(offset(0, FINE));
        assert!((error(offset(5_000_000, FINE)) - trimmed).abs() < 1e-3);
        assert!(error(offset(5_000_000, None)) > error(offset(0, None)) + 0.02);
        // Steps of 8 uS leave a uniform offset of 2.3 uS rms, on 4.2 uS of noise.
        assert!(
            error(offset(5_000_000, Some(Trim { step: Conductance(8_000_000), bits: 8, at: TrimTime::Programming })))
                > trimmed + 0.05
        );
    }

    #[test]
    fn trimming_again_leaves_what_pairs_have_drifted_apart() {
        // A year on, 16 pairs of noise rows are as far off as four pairs of synapses, and the 32 synapses of a comparator
        // have that in common. Trimmed again, they have the mean of their own errors in common, a sqrt(32)th of one: 1.25 mean
        // magnitudes.
        let device = Device { age: Age(31_536_000_000), ..joshi() };
        let error = |trim: Option<Trim>| {
            let circuit = circuit(&device, 16, Offset { spread: Conductance(2_000_000), trim });
            let comparators = Comparators::new(&circuit, PLACE, 1, None, |_, _| 0.5, |_, _| true);
            let of_columns = (0..64).map(|column| {
                let errors = (0..32).map(|row| comparators.realised(0, row, column).unwrap() - 0.5);
                errors.sum::<f64>() / 32.0
            });
            let squares: f64 = of_columns.map(|mean| mean * mean).sum();
            (libm::sqrt(squares / 64.0), all(&comparators).iter().map(|p| (p - 0.5).abs()).sum::<f64>() / 4096.0)
        };
        let again = |trim: Trim| Trim { at: TrimTime::Run, ..trim };
        let (once, later) = (error(FINE), error(FINE.map(again)));
        let own = 1.25 * later.1 / libm::sqrt(32.0);
        assert!(later.0 < 1.5 * own && once.0 > 3.0 * later.0, "{once:?}, again {later:?}");
        assert!(later.1 < 0.7 * once.1, "{once:?}, again {later:?}");
    }

    #[test]
    fn draws_in_time_have_the_realised_probability_and_repeat_themselves() {
        let device = joshi();
        let circuit = circuit(&device, 4, Offset { trim: FINE, ..Offset::default() });
        let (ladder, none) = Ladder::new(20.0, 250e-9).faster_than(1e3);
        assert_eq!(none, 0.0);
        let p = |row: usize, _: usize| if row.is_multiple_of(2) { 0.5 } else { 0.8 };
        let comparators = Comparators::new(&circuit, PLACE, 1, Some((ladder, none)), p, |row, _| row != 63);
        let mut noise = comparators.noise(0).unwrap();
        let blocks = RowBlocks::new(64, 64);
        let mut draw = |time: f64| {
            let mut drawn = BitMatrix::new(blocks, 64);
            comparators.draw(&mut noise, [time, time + 1e-6], &mut drawn);
            drawn
        };
        const SAMPLES: usize = 1_000;
        let apart = |i: usize| i as f64 * 97.123_456_789;
        let (mut set, mut alike) = (vec![0_u32; 4096], [0.0; 3]);
        for i in 0..SAMPLES {
            let first = draw(apart(i));
            for (k, dt) in [1e-6, 1e-3, 10.0].into_iter().enumerate() {
                let later = draw(apart(i) + dt);
                alike[k] += first
                    .words()
                    .iter()
                    .zip(later.words())
                    .map(|(a, b)| f64::from((!(a ^ b)).count_ones()))
                    .sum::<f64>();
            }
            for (row, set) in set.chunks_mut(64).enumerate() {
                set.iter_mut().enumerate().for_each(|(column, set)| *set += u32::from(first.get(row, column)));
            }
        }
        let mut worst: f64 = 0.0;
        for row in 0..64 {
            for column in 0..64 {
                let share = f64::from(set[row * 64 + column]) / SAMPLES as f64;
                match comparators.realised(0, row, column) {
                    Some(realised) => worst = worst.max((share - realised).abs()),
                    None => assert_eq!((row, share), (63, 1.0), "a fixed synapse of 0.8 is +1"),
                }
            }
        }
        // Five standard errors of a share of 1/2 among 1,000: 0.08.
        assert!(worst < 0.08, "{worst}");
        let alike = alike.map(|alike| alike / (SAMPLES * 4096) as f64);
        assert!(alike[0] > 0.9 && alike[0] > alike[1] + 0.05 && alike[1] > alike[2] + 0.05, "{alike:?}");
    }
}
