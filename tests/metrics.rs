//! Do the uncertainty metrics equal reference values cross-checked against torchmetrics, netcal and scikit-learn?
//!
//! Where the reference values are absent the test says so and passes; `functional::metrics` has small ones of its own.

mod shared;

use crossbayes::functional::metrics::{
    DEFAULT_BINS, accuracy, auroc, average_precision, brier, expected_calibration_error, fpr95, negative_log_likelihood,
};
use crossbayes::functional::uncertainty::Answer;
use serde_json::Value;
use shared::shared;

fn close(found: f64, expected: &Value) {
    let expected = expected.as_f64().expect("a number");
    assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} is not {expected}");
}

/// Answers from logits `[item][member][class]`.
fn answers(logits: &Value) -> Vec<Answer> {
    let items: Vec<Vec<Vec<f64>>> = serde_json::from_value(logits.clone()).unwrap();
    items.iter().map(|members| Answer::from_logits(&members.concat(), members[0].len())).collect()
}

/// How uncertain an answer is.
type Score = fn(&Answer) -> f64;

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

#[test]
fn metrics_equal_the_reference() {
    let Some(path) = shared("golden/metrics.json") else { return };
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let expected = &golden["expected"];
    let labels: Vec<u32> = serde_json::from_value(golden["labels"].clone()).unwrap();
    let (known, unknown) = (answers(&golden["logits_id"]), answers(&golden["logits_ood"]));
    assert_eq!((known.len(), unknown.len()), (300, 200));

    let p: Vec<f64> = known.iter().flat_map(|answer| answer.mean_probabilities.iter().copied()).collect();
    close(accuracy(&p, &labels), &expected["accuracy_mean_prob"]);
    close(negative_log_likelihood(&p, &labels), &expected["nll"]);
    close(brier(&p, &labels), &expected["brier_sum_over_classes"]);
    close(expected_calibration_error(&p, &labels, 10), &expected["ece10_right_closed"]);
    close(expected_calibration_error(&p, &labels, DEFAULT_BINS), &expected["ece15_right_closed"]);
    close(expected_calibration_error(&p, &labels, 20), &expected["ece20_right_closed"]);

    close(mean(known.iter().map(|a| a.entropy)), &expected["predictive_entropy_mean"]);
    close(mean(known.iter().map(|a| a.aleatoric)), &expected["expected_entropy_aleatoric_mean"]);
    close(mean(known.iter().map(|a| a.mutual_information)), &expected["mutual_information_epistemic_mean"]);
    close(mean(unknown.iter().map(|a| a.entropy)), &expected["ood_predictive_entropy_mean"]);
    close(mean(unknown.iter().map(|a| a.aleatoric)), &expected["ood_aleatoric_mean"]);
    close(mean(unknown.iter().map(|a| a.mutual_information)), &expected["ood_mutual_information_mean"]);

    let scores: [(&str, Score); 4] = [
        ("predictive_entropy", |a| a.entropy),
        ("mutual_information", |a| a.mutual_information),
        ("aleatoric", |a| a.aleatoric),
        ("one_minus_maxprob", |a| 1.0 - a.mean_probabilities[a.prediction as usize]),
    ];
    for (name, score) in scores {
        let negatives: Vec<f64> = known.iter().map(score).collect();
        let positives: Vec<f64> = unknown.iter().map(score).collect();
        close(auroc(&negatives, &positives), &expected[format!("auroc_ood_{name}")]);
        close(average_precision(&negatives, &positives), &expected[format!("aupr_ood_{name}")]);
        close(fpr95(&negatives, &positives), &expected[format!("fpr_at_95tpr_id_{name}")]);
    }
}
