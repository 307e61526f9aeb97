//! Differential pairs of an array: re-pairing as aihwkit does it, and the factor of global drift compensation.

use crate::device::cell::Cell;

/// Puts the differences of an array's pairs on fresh pairs, each with one device at 0, scaled so that the largest is `on`
/// microsiemens; drift exponents stay where they are. Returns what a difference of the fresh pairs has to be multiplied by.
/// An array without a difference stays as it is.
///
/// This is what aihwkit 1.1.0 does between programming and drift (`SinglePairConductanceConverter`).
pub fn remap(pairs: &mut [[Cell; 2]], on: f64) -> f64 {
    let difference = |[plus, minus]: &[Cell; 2]| plus.programmed - minus.programmed;
    let largest = pairs.iter().map(|pair| difference(pair).abs()).fold(0.0, f64::max);
    if largest == 0.0 {
        return 1.0;
    }
    let scale = on / largest;
    for pair in pairs {
        let scaled = difference(pair) * scale;
        pair[0].programmed = scaled.max(0.0);
        pair[1].programmed = (-scaled).max(0.0);
    }
    1.0 / scale
}

/// Global drift compensation: the factor that brings the mean magnitude of an array's weights back from `now` to
/// `baseline`. It is measured by reading one row after another (one-hot inputs) and averaging the magnitudes of the
/// outputs; with all rows driven at once the +-1 of a column would cancel.
#[must_use]
pub fn compensation(baseline: impl Iterator<Item = f64>, now: impl Iterator<Item = f64>) -> f64 {
    let sum = |weights: &mut dyn Iterator<Item = f64>| weights.map(f64::abs).sum::<f64>();
    let (mut baseline, mut now) = (baseline, now);
    let (before, after) = (sum(&mut baseline), sum(&mut now));
    if after > 0.0 { before / after } else { 1.0 }
}
