//! How good answers are: accuracy, calibration and out-of-distribution detection over a data set.
//!
//! Probabilities are flat `[image][class]`, natural logarithms. Every function wants as many labels as images, at least
//! one.

use crate::functional::uncertainty::largest;
use serde::{Deserialize, Serialize};

/// Bins of the calibration error where nothing else is said.
pub const DEFAULT_BINS: usize = 15;

/// Figures by which answers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// [`accuracy`].
    pub accuracy: f64,
    /// [`expected_calibration_error`] with [`DEFAULT_BINS`] bins.
    pub ece: f64,
    /// [`negative_log_likelihood`], nats.
    pub nll: f64,
}

impl Scores {
    /// Of the answers to labelled images.
    #[must_use]
    pub fn new(probabilities: &[f64], labels: &[u32]) -> Self {
        Self {
            accuracy: accuracy(probabilities, labels),
            ece: expected_calibration_error(probabilities, labels, DEFAULT_BINS),
            nll: negative_log_likelihood(probabilities, labels),
        }
    }
}

/// Images with their labels: `(probabilities of the classes, label)`.
fn labelled<'a>(probabilities: &'a [f64], labels: &'a [u32]) -> impl Iterator<Item = (&'a [f64], usize)> {
    let classes = probabilities.len() / labels.len();
    probabilities.chunks_exact(classes).zip(labels.iter().map(|&label| label as usize))
}

/// Share of images whose most probable class is their label.
#[must_use]
pub fn accuracy(probabilities: &[f64], labels: &[u32]) -> f64 {
    let right = labelled(probabilities, labels).filter(|(p, label)| largest(p) == *label).count();
    right as f64 / labels.len() as f64
}

/// Negative log-likelihood of the labels, mean over images; infinite where a label has probability 0.
#[must_use]
pub fn negative_log_likelihood(probabilities: &[f64], labels: &[u32]) -> f64 {
    let sum: f64 = labelled(probabilities, labels).map(|(p, label)| -libm::log(p[label])).sum();
    sum / labels.len() as f64
}

/// Brier score: squared distance to the label's one-hot vector, summed over classes, mean over images.
#[must_use]
pub fn brier(probabilities: &[f64], labels: &[u32]) -> f64 {
    let distance = |(p, label): (&[f64], usize)| -> f64 {
        let term = |(class, p): (usize, &f64)| {
            let target = if class == label { 1.0 } else { 0.0 };
            (p - target) * (p - target)
        };
        p.iter().enumerate().map(term).sum()
    };
    labelled(probabilities, labels).map(distance).sum::<f64>() / labels.len() as f64
}

/// Images whose answer's confidence, the probability of its most probable class, is in one interval.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bin {
    /// Number of images.
    pub images: u64,
    /// Number of right answers.
    pub right: u64,
    /// Sum of the confidences.
    pub confidence: f64,
}

impl Bin {
    /// `bins` equal bins ((m-1)/M, m/M] of answers with their confidences, and whether they are right.
    #[must_use]
    pub fn all(answers: impl Iterator<Item = (f64, bool)>, bins: usize) -> Vec<Self> {
        let mut all = vec![Self::default(); bins];
        for (confidence, right) in answers {
            let bin = &mut all[((confidence * bins as f64).ceil() as usize).clamp(1, bins) - 1];
            bin.images += 1;
            bin.right += u64::from(right);
            bin.confidence += confidence;
        }
        all
    }
}

/// Mean distance of accuracy and confidence in bins, weighted by their images.
#[must_use]
pub fn calibration_error(bins: &[Bin]) -> f64 {
    let gap: f64 = bins.iter().map(|bin| (bin.right as f64 - bin.confidence).abs()).sum();
    gap / bins.iter().map(|bin| bin.images).sum::<u64>() as f64
}

/// Expected calibration error: over `bins` equal bins ((m-1)/M, m/M] of the most probable class's probability, the mean
/// distance of accuracy and confidence, weighted by the images in the bin.
#[must_use]
pub fn expected_calibration_error(probabilities: &[f64], labels: &[u32], bins: usize) -> f64 {
    let answer = |(p, label): (&[f64], usize)| (p[largest(p)], largest(p) == label);
    calibration_error(&Bin::all(labelled(probabilities, labels).map(answer), bins))
}

/// Ends of the Wilson interval of one standard error of a share of `n`: unlike the share's own it has a width at 0 and 1.
#[must_use]
pub fn wilson(share: f64, n: f64) -> (f64, f64) {
    let middle = (share + 0.5 / n) / (1.0 + 1.0 / n);
    let half = libm::sqrt(share * (1.0 - share) / n + 0.25 / (n * n)) / (1.0 + 1.0 / n);
    (middle - half, middle + half)
}

/// Area under the receiver operating characteristic: the probability that a positive scores above a negative, ties
/// counting half (the Mann-Whitney statistic by mid-ranks).
#[must_use]
pub fn auroc(negatives: &[f64], positives: &[f64]) -> f64 {
    let mut above = 0.0;
    let (mut positives_below, mut negatives_below) = (0u64, 0u64);
    for tie in ties(negatives, positives) {
        above += tie.positives as f64 * (negatives_below as f64 + tie.negatives as f64 / 2.0);
        positives_below += tie.positives;
        negatives_below += tie.negatives;
    }
    above / (positives_below as f64 * negatives_below as f64)
}

/// Area under precision and recall as the mean precision at each positive (average precision), equal scores accepted
/// together.
#[must_use]
pub fn average_precision(negatives: &[f64], positives: &[f64]) -> f64 {
    let mut area = 0.0;
    let (mut hits, mut accepted) = (0u64, 0u64);
    for tie in ties(negatives, positives).into_iter().rev() {
        hits += tie.positives;
        accepted += tie.positives + tie.negatives;
        area += tie.positives as f64 * hits as f64 / accepted as f64;
    }
    area / hits as f64
}

/// Share of positives that are accepted as negative where 95% of the negatives are: the false-positive rate at a
/// true-positive rate of 95% of detecting negatives. Equal scores are accepted by shares, as mid-ranks do; where several
/// thresholds accept exactly 95%, the highest one counts.
#[must_use]
pub fn fpr95(negatives: &[f64], positives: &[f64]) -> f64 {
    // In hundredths of a negative.
    let target = 95 * negatives.len() as u64;
    let (mut accepted, mut wrongly) = (0, 0.0);
    for tie in ties(negatives, positives) {
        let of_tie = 100 * tie.negatives;
        if accepted + of_tie > target {
            wrongly += tie.positives as f64 * (target - accepted) as f64 / of_tie as f64;
            break;
        }
        accepted += of_tie;
        wrongly += tie.positives as f64;
    }
    wrongly / positives.len() as f64
}

/// How well a score tells images that are out of distribution (positive) from others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// [`auroc`].
    pub auroc: f64,
    /// [`average_precision`].
    pub aupr: f64,
    /// [`fpr95`].
    pub fpr95: f64,
}

impl Detection {
    /// By the scores of at least one image in and one out of distribution.
    #[must_use]
    pub fn new(within: &[f64], outside: &[f64]) -> Self {
        Self { auroc: auroc(within, outside), aupr: average_precision(within, outside), fpr95: fpr95(within, outside) }
    }
}

/// Images of one score.
struct Tie {
    negatives: u64,
    positives: u64,
}

/// Counts of each distinct score, lowest score first.
fn ties(negatives: &[f64], positives: &[f64]) -> Vec<Tie> {
    let labelled = negatives.iter().map(|&score| (score, false)).chain(positives.iter().map(|&score| (score, true)));
    let mut scores: Vec<(f64, bool)> = labelled.collect();
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let equal = scores.chunk_by(|a, b| a.0 == b.0);
    let counts = equal.map(|tie| {
        let positives = tie.iter().filter(|(_, positive)| *positive).count() as u64;
        Tie { negatives: tie.len() as u64 - positives, positives }
    });
    counts.collect()
}

/// Correlation (Pearson) of the logits of two members over images and classes, mean over all pairs of members; `logits` are
/// `[image][member][class]`. None with one member, or where a member's logits are all equal.
#[must_use]
pub fn member_correlation(logits: &[f64], members: usize, classes: usize) -> Option<f64> {
    let of_member = |member: usize| logits.chunks_exact(classes).skip(member).step_by(members).flatten().copied();
    let count = (logits.len() / members.max(1)) as f64;
    if members < 2 {
        return None;
    }
    // With values of mean 0 and variance 1 for each member, the squares of their sums hold every pair twice.
    let mut sums = vec![0.0; logits.len() / members];
    for member in 0..members {
        let mean = of_member(member).sum::<f64>() / count;
        let variance = of_member(member).map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
        if variance <= 0.0 || variance.is_nan() {
            return None;
        }
        let sigma = libm::sqrt(variance);
        sums.iter_mut().zip(of_member(member)).for_each(|(sum, value)| *sum += (value - mean) / sigma);
    }
    let squares = sums.iter().map(|sum| sum * sum).sum::<f64>() / count;
    let members = members as f64;
    Some((squares - members) / (members * (members - 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four images, two classes; the last one is answered wrongly.
    const P: [f64; 8] = [1.0, 0.0, 0.75, 0.25, 0.375, 0.625, 0.5, 0.5];
    const LABELS: [u32; 4] = [0, 0, 1, 1];

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn scores_of_four_images() {
        close(accuracy(&P, &LABELS), 0.75);
        // -(ln 1 + ln 0.75 + ln 0.625 + ln 0.5) / 4 = (0 + 0.2876821 + 0.4700036 + 0.6931472) / 4
        close(negative_log_likelihood(&P, &LABELS), 1.450_832_882_257_5 / 4.0);
        // (0 + 2 * 0.0625 + 2 * 0.140625 + 2 * 0.25) / 4 = 0.90625 / 4
        close(brier(&P, &LABELS), 0.226_562_5);
    }

    #[test]
    fn calibration_bins_are_closed_on_the_right() {
        // Bins (0, 1/4], (1/4, 1/2], (1/2, 3/4], (3/4, 1]: 1.0 alone, right: 0; 0.75 and 0.625, both right:
        // |2 - 1.375|; 0.5, wrong: |0 - 0.5|. Sum 1.125, over 4 images.
        close(expected_calibration_error(&P, &LABELS, 4), 1.125 / 4.0);
    }

    #[test]
    fn ties_count_half() {
        // Positives 2, 3 against negatives 1, 2: (2 > 1) + (2 = 2) / 2 + (3 > 1) + (3 > 2) = 3.5 of 4.
        close(auroc(&[1.0, 2.0], &[2.0, 3.0]), 0.875);
        // Accepting 3: precision 1; accepting 2 as well: 2 of 3. Mean over the positives.
        close(average_precision(&[1.0, 2.0], &[2.0, 3.0]), (1.0 + 2.0 / 3.0) / 2.0);
        // 1.9 of the negatives: 1 and nine tenths of the tie at 2, with as much of its positive.
        close(fpr95(&[1.0, 2.0], &[2.0, 3.0]), 0.45);
        // Scores that tell nothing: the diagonal.
        close(fpr95(&[0.0; 3], &[0.0; 7]), 0.95);
        // 19 of 20 negatives are 95%, up to a threshold of 100.
        let negatives: Vec<f64> = (0..19).map(f64::from).chain([100.0]).collect();
        close(fpr95(&negatives, &[18.0, 18.5, 50.0, 200.0]), 0.75);
    }

    /// Its ends are the p whose standard error sqrt(p (1 - p) / n) is how far they are from the share.
    #[test]
    fn ends_of_the_interval_are_a_standard_error_from_the_share() {
        for (share, n) in [(0.924, 500.0), (0.5, 10.0), (0.9, 20.0)] {
            let (low, high) = wilson(share, n);
            for p in [low, high] {
                assert!(((p - share).abs() - (p * (1.0 - p) / n).sqrt()).abs() < 1e-12, "{share} of {n}: {p}");
            }
            assert!(low < share && share < high);
        }
        let (low, high) = wilson(1.0, 360.0);
        assert!((low - 360.0 / 361.0).abs() < 1e-12 && (high - 1.0).abs() < 1e-12);
    }

    #[test]
    fn members_correlate_by_pairs() {
        // Two images of two classes, three members: the third is the first one's opposite.
        let logits = [1.0, 2.0, 2.0, 4.0, -1.0, -2.0, 3.0, 0.0, 6.0, 0.0, -3.0, -0.0];
        // Pairs: 1, -1, -1.
        assert!((member_correlation(&logits, 3, 2).unwrap() + 1.0 / 3.0).abs() < 1e-12);
        // (1, 2) and (2, 4) by hand: 1.
        assert!((member_correlation(&[1.0, 2.0, 2.0, 4.0], 2, 2).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(member_correlation(&[1.0, 2.0], 1, 2), None);
        assert_eq!(member_correlation(&[1.0, 1.0, 2.0, 4.0], 2, 2), None);
    }
}
