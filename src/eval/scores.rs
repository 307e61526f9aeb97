//! What is kept of the answer to an image: enough for every measure, whatever the number of classes.

use crate::functional::metrics::{Bin, DEFAULT_BINS, Detection, calibration_error};
use crate::functional::uncertainty::Answer;
use serde::Serialize;

/// Numbers of a [`Score`] in a journal.
pub(super) const NUMBERS: usize = 6;

/// The answer of some members to an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Most probable class.
    pub prediction: u32,
    /// Its probability.
    pub confidence: f64,
    /// Probability of the label; none without labels.
    pub label: Option<f64>,
    /// Squared distance to the label's one-hot vector; none without labels.
    pub brier: Option<f64>,
    /// Entropy of the mean probabilities, nats.
    pub entropy: f64,
    /// Mean entropy of the members, nats.
    pub aleatoric: f64,
}

impl Score {
    /// Of logits `[member][class]`.
    #[must_use]
    pub fn new(logits: &[f64], classes: usize, label: Option<u32>) -> Self {
        let answer = Answer::from_logits(logits, classes);
        let p = &answer.mean_probabilities;
        let distance = |label: u32| {
            let of_class = |(class, p): (usize, &f64)| (p - f64::from(u8::from(class == label as usize))).powi(2);
            p.iter().enumerate().map(of_class).sum()
        };
        Self {
            prediction: answer.prediction,
            confidence: p[answer.prediction as usize],
            label: label.map(|label| p[label as usize]),
            brier: label.map(distance),
            entropy: answer.entropy,
            aleatoric: answer.aleatoric,
        }
    }

    /// Epistemic uncertainty, nats; at least 0.
    #[must_use]
    pub fn mutual_information(&self) -> f64 {
        (self.entropy - self.aleatoric).max(0.0)
    }

    /// As numbers; what there is none of is NaN.
    pub(super) fn numbers(&self) -> [f64; NUMBERS] {
        let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let of_label = [number(self.label), number(self.brier)];
        [f64::from(self.prediction), self.confidence, of_label[0], of_label[1], self.entropy, self.aleatoric]
    }

    /// From [`numbers`](Self::numbers).
    pub(super) fn of_numbers(numbers: &[f64]) -> Self {
        let some = |value: f64| (!value.is_nan()).then_some(value);
        Self {
            prediction: numbers[0] as u32,
            confidence: numbers[1],
            label: some(numbers[2]),
            brier: some(numbers[3]),
            entropy: numbers[4],
            aleatoric: numbers[5],
        }
    }
}

/// Measures of the answers to many images. Those that need labels are none without.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measures {
    /// Share of images whose most probable class is their label.
    pub accuracy: Option<f64>,
    /// Expected calibration error with [`DEFAULT_BINS`] bins.
    pub ece: Option<f64>,
    /// Negative log-likelihood, nats.
    pub nll: Option<f64>,
    /// Brier score, summed over classes.
    pub brier: Option<f64>,
    /// Mean entropy of the mean probabilities, nats.
    pub entropy: f64,
    /// Mean entropy of the members, nats.
    pub aleatoric: f64,
    /// Mean mutual information, nats.
    pub mutual_information: f64,
}

/// Confidences of answers and whether they are right.
pub(super) fn confidences<'a>(scores: &'a [Score], labels: &'a [u32]) -> impl Iterator<Item = (f64, bool)> + 'a {
    scores.iter().zip(labels).map(|(score, label)| (score.confidence, score.prediction == *label))
}

impl Measures {
    /// Of at least one answer, in the order of images.
    #[must_use]
    pub fn new(scores: &[Score], labels: Option<&[u32]>) -> Self {
        let n = scores.len() as f64;
        let mean = |of: &dyn Fn(&Score) -> f64| scores.iter().map(of).sum::<f64>() / n;
        let labelled =
            |of: &dyn Fn(&Score) -> Option<f64>| labels.map(|_| scores.iter().filter_map(of).sum::<f64>() / n);
        let right = |labels: &[u32]| confidences(scores, labels).filter(|(_, right)| *right).count() as f64 / n;
        Self {
            accuracy: labels.map(right),
            ece: labels.map(|labels| calibration_error(&Bin::all(confidences(scores, labels), DEFAULT_BINS))),
            nll: labelled(&|score| score.label.map(|p| -libm::log(p))),
            brier: labelled(&|score| score.brier),
            entropy: mean(&|score| score.entropy),
            aleatoric: mean(&|score| score.aleatoric),
            mutual_information: mean(&Score::mutual_information),
        }
    }
}

/// How well uncertainty tells out-of-distribution images from others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OutOfDistribution {
    /// Number of images.
    pub images: usize,
    /// By entropy.
    #[serde(flatten)]
    pub entropy: Detection,
    /// By mutual information, which one member has none of.
    pub mutual_information: Detection,
}

impl OutOfDistribution {
    pub(super) fn new(within: &[Score], outside: &[Score]) -> Self {
        let by = |of: &dyn Fn(&Score) -> f64| {
            let values = |scores: &[Score]| scores.iter().map(of).collect::<Vec<f64>>();
            Detection::new(&values(within), &values(outside))
        };
        Self {
            images: outside.len(),
            entropy: by(&|score| score.entropy),
            mutual_information: by(&Score::mutual_information),
        }
    }
}
