//! From the logits of an ensemble to a prediction and its uncertainty. Natural logarithms.

/// Softmax, shifted by the largest logit.
#[must_use]
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = logits.iter().map(|logit| libm::exp(logit - largest)).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|exponential| exponential / sum).collect()
}

/// Entropy of a distribution, nats; 0 log 0 = 0.
#[must_use]
pub fn entropy(probabilities: &[f64]) -> f64 {
    -probabilities.iter().filter(|&&p| p > 0.0).map(|&p| p * libm::log(p)).sum::<f64>()
}

/// Prediction of an ensemble for one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Mean over members of softmax(logits).
    pub mean_probabilities: Vec<f64>,
    /// Class of the largest mean probability, the lowest such class.
    pub prediction: u32,
    /// Entropy of the mean: total uncertainty.
    pub entropy: f64,
    /// Mean of the members' entropies.
    pub aleatoric: f64,
    /// Epistemic uncertainty: mutual information of answer and weights. At least 0.
    pub mutual_information: f64,
}

impl Answer {
    /// From logits `[member][class]` of at least one member and class.
    #[must_use]
    pub fn from_logits(logits: &[f64], classes: usize) -> Self {
        let members = (logits.len() / classes) as f64;
        let mut mean_probabilities = vec![0.0; classes];
        let mut aleatoric = 0.0;
        for member in logits.chunks_exact(classes) {
            let probabilities = softmax(member);
            aleatoric += entropy(&probabilities);
            for (sum, p) in mean_probabilities.iter_mut().zip(probabilities) {
                *sum += p;
            }
        }
        for sum in &mut mean_probabilities {
            *sum /= members;
        }
        aleatoric /= members;
        let total = entropy(&mean_probabilities);
        let prediction = largest(&mean_probabilities) as u32;
        Self {
            mean_probabilities,
            prediction,
            entropy: total,
            aleatoric,
            mutual_information: (total - aleatoric).max(0.0),
        }
    }
}

/// Index of the largest value, the lowest one of equals.
pub(super) fn largest(values: &[f64]) -> usize {
    values.iter().enumerate().fold(0, |best, (i, &value)| if value > values[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_contradict_each_other_tell_of_the_weights() {
        // Two members, each nearly sure of another class: mean (1/2, 1/2), so total ln 2; aleatoric nearly 0.
        let answer = Answer::from_logits(&[50.0, 0.0, 0.0, 50.0], 2);
        assert_eq!(answer.mean_probabilities, [0.5, 0.5]);
        assert_eq!(answer.prediction, 0, "the lowest class wins a tie");
        assert!((answer.entropy - std::f64::consts::LN_2).abs() < 1e-15);
        assert!((answer.mutual_information - std::f64::consts::LN_2).abs() < 1e-15);
    }

    #[test]
    fn probabilities_are_averaged_not_logits() {
        // softmax(ln 9, 0) = (0.9, 0.1), softmax(0, 0) = (0.5, 0.5): mean (0.7, 0.3).
        let answer = Answer::from_logits(&[9f64.ln(), 0.0, 0.0, 0.0], 2);
        assert!((answer.mean_probabilities[0] - 0.7).abs() < 1e-15);
        // Mean of 0.325083 (at 0.9) and 0.693147 nats.
        assert!((answer.aleatoric - 0.509_115).abs() < 1e-6);
    }

    #[test]
    fn members_that_agree_leave_nothing_epistemic() {
        let answer = Answer::from_logits(&[3.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0], 3);
        assert!(answer.mutual_information >= 0.0 && answer.mutual_information < 1e-15);
    }
}
