//! Axes with round ticks and a unit that keeps the numbers short.

use crate::report::quantity::prefix;

/// An axis from 0 to `max`.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Largest value, in base units; above 0.
    pub max: f64,
    /// What it shows, with its unit.
    pub label: String,
    /// Values and texts of the ticks.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis of `quantity` in the unit of base `symbol` that suits `max`; an empty symbol: no unit.
    #[must_use]
    pub fn new(quantity: &str, symbol: &str, max: f64) -> Self {
        let (factor, prefix) = prefix(max);
        Self::in_unit(quantity, &format!("{}{symbol}", if prefix == "u" { "\u{b5}" } else { prefix }), factor, max)
    }

    /// An axis in a unit that holds `factor` base units.
    #[must_use]
    pub fn in_unit(quantity: &str, unit: &str, factor: f64, max: f64) -> Self {
        let max = if max > 0.0 { max } else { factor };
        let step = step(max / factor);
        let decimals = (-libm::floor(libm::log10(step) + 1e-9)).max(0.0) as usize;
        let ticks = (0..)
            .map(|i| f64::from(i) * step)
            .take_while(|value| *value <= max / factor * (1.0 + 1e-9))
            .map(|value| (value * factor, format!("{value:.decimals$}")));
        Self { max, label: format!("{quantity} ({unit})"), ticks: ticks.collect() }
    }

    /// Shares in percent.
    #[must_use]
    pub fn percent(quantity: &str) -> Self {
        Self::in_unit(quantity, "%", 0.01, 1.0)
    }
}

/// A step of 1, 2 or 5 times a power of ten that gives 5 to 10 ticks up to `max`.
fn step(max: f64) -> f64 {
    let rough = max / 10.0;
    let power = libm::pow(10.0, libm::floor(libm::log10(rough) + 1e-9));
    let multiple = [1.0, 2.0, 5.0].into_iter().find(|multiple| multiple * power >= rough * (1.0 - 1e-9));
    multiple.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        let axis = Axis::new("time", "s", 46.35e-6);
        assert_eq!(axis.label, "time (\u{b5}s)");
        assert_eq!(texts(&axis), ["0", "5", "10", "15", "20", "25", "30", "35", "40", "45"]);
        assert_eq!(texts(&Axis::new("energy", "J", 1.2e-9)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0", "1.2"]);
        assert_eq!(Axis::percent("share").ticks.len(), 11);
        assert_eq!(Axis::percent("share").ticks[10].1, "100");
    }

    #[test]
    fn nothing_has_an_axis() {
        assert_eq!(Axis::new("energy", "J", 0.0).max, 1.0);
    }
}
