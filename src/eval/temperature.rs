//! Temperature scaling (Guo et al., ICML 2017): logits are divided by a number that is fitted on calibration images.

use crate::functional::metrics::negative_log_likelihood;
use crate::functional::uncertainty::Answer;

/// Temperatures that are considered, and how many of them, in equal ratios, are tried before the best is refined.
pub const LEAST: f64 = 0.05;
pub const MOST: f64 = 20.0;
const TRIED: u32 = 61;
/// Steps of the refinement: the ratio of neighbours, 1.105, shrinks by 0.618 each time, to 1 + 1e-9.
const STEPS: u32 = 40;

/// Logits divided by a temperature.
pub(super) fn scaled(logits: &[f64], temperature: f64) -> Vec<f64> {
    logits.iter().map(|logit| logit / temperature).collect()
}

/// The temperature in 0.05..=20 with the least negative log-likelihood of the ensemble's mean probabilities, from logits
/// `[image][member][class]` of `members` members.
///
/// An ensemble's likelihood may have several minima: of temperatures in equal ratios the best is found first, then a
/// golden-section search between its neighbours.
#[must_use]
pub fn fit(logits: &[f64], members: usize, classes: usize, labels: &[u32]) -> f64 {
    let nll = |place: f64| {
        let temperature = libm::exp(place);
        let of_image = |logits: &[f64]| Answer::from_logits(&scaled(logits, temperature), classes).mean_probabilities;
        let p: Vec<f64> = logits.chunks_exact(members * classes).flat_map(of_image).collect();
        negative_log_likelihood(&p, labels)
    };
    let (least, most) = (libm::log(LEAST), libm::log(MOST));
    let step = (most - least) / f64::from(TRIED - 1);
    let places = (0..TRIED).map(|index| least + f64::from(index) * step);
    let best =
        places.map(|place| (nll(place), place)).min_by(|a, b| a.0.total_cmp(&b.0)).map_or(0.0, |(_, place)| place);
    let (mut low, mut high) = ((best - step).max(least), (best + step).min(most));
    let shrink = 2.0 / (1.0 + libm::sqrt(5.0));
    let inner = |low: f64, high: f64| (high - shrink * (high - low), low + shrink * (high - low));
    let (mut a, mut b) = inner(low, high);
    let (mut of_a, mut of_b) = (nll(a), nll(b));
    for _ in 0..STEPS {
        if of_a <= of_b {
            (high, b, of_b) = (b, a, of_a);
            a = inner(low, high).0;
            of_a = nll(a);
        } else {
            (low, a, of_a) = (a, b, of_b);
            b = inner(low, high).1;
            of_b = nll(b);
        }
    }
    libm::exp(0.5 * (low + high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fitted_temperature_gives_the_share_that_is_right() {
        // Logits (3, 0), right for 8 of 10 images: 1 / (1 + exp(-3 / T)) = 0.8, so T = 3 / ln 4.
        let logits = [3.0, 0.0].repeat(10);
        let labels = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
        let temperature = fit(&logits, 1, 2, &labels);
        assert!((temperature - 3.0 / 4.0_f64.ln()).abs() < 1e-6, "{temperature}");
        // Always right: the lower end. Right as often as not: the upper end.
        assert!((fit(&logits, 1, 2, &[0; 10]) - LEAST).abs() < 1e-3);
        assert!((fit(&logits, 1, 2, &[0, 1].repeat(5)) - MOST).abs() < 1e-3);
    }

    #[test]
    fn an_ensemble_is_scaled_as_a_whole() {
        // Two members that agree are one.
        let labels = [0, 0, 1];
        let one = [2.0, 0.0].repeat(3);
        let two = [2.0, 0.0].repeat(6);
        assert!((fit(&one, 1, 2, &labels) - fit(&two, 2, 2, &labels)).abs() < 1e-9);
    }
}
