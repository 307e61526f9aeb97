//! Curves over the relative conductance x = g / `conductance_max`, as files give them.

use crate::error::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Least x of logarithms and powers, which have no value at 0.
const LEAST_X: f64 = 1e-7;

/// Number of steps of x at which a curve is checked.
const CHECKED: u32 = 1000;

/// A part of a curve over the relative conductance x.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// The x at which the next piece takes over; the last one's is 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1))]
    pub below: f64,
    /// Its values.
    pub form: Form,
}

/// Values of a piece of a curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Form {
    /// `sum c_k x^k`.
    Polynomial {
        /// Coefficients, the constant first.
        coefficients: Vec<f64>,
    },
    /// `slope ln(x) + intercept` within limits; x is at least 1e-7.
    Logarithm {
        /// Change for each factor e of x.
        slope: f64,
        /// Value at x = 1.
        intercept: f64,
        /// Lower limit.
        least: f64,
        /// Upper limit.
        most: f64,
    },
    /// `factor x^exponent` up to a limit; x is at least 1e-7.
    Power {
        /// Value at x = 1.
        factor: f64,
        /// Exponent.
        exponent: f64,
        /// Upper limit.
        most: f64,
    },
    /// Straight lines between points, for instance measured ones; level beyond the last one.
    Points {
        /// Relative conductances, from 0 up to 1.
        x: Vec<f64>,
        /// Value at each of them.
        y: Vec<f64>,
    },
}

fn one() -> f64 {
    1.0
}

impl Form {
    fn value(&self, x: f64) -> f64 {
        match self {
            Form::Polynomial { coefficients } => coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c),
            Form::Logarithm { slope, intercept, least, most } => {
                (slope * libm::log(x.max(LEAST_X)) + intercept).max(*least).min(*most)
            }
            Form::Power { factor, exponent, most } => (factor * libm::pow(x.max(LEAST_X), *exponent)).min(*most),
            Form::Points { x: at, y } => {
                let above = at.partition_point(|&point| point <= x);
                if above == 0 || above == at.len() {
                    return y[above.saturating_sub(1)];
                }
                let share = (x - at[above - 1]) / (at[above] - at[above - 1]);
                y[above - 1] + share * (y[above] - y[above - 1])
            }
        }
    }

    /// Numbers with the keys that they are given by.
    fn numbers(&self) -> Vec<(String, f64)> {
        let list = |key: &str, numbers: &[f64]| {
            numbers.iter().enumerate().map(|(i, &number)| (format!("{key}[{i}]"), number)).collect::<Vec<_>>()
        };
        let named = |key: &str, number: &f64| (key.to_owned(), *number);
        match self {
            Form::Polynomial { coefficients } => list("coefficients", coefficients),
            Form::Logarithm { slope, intercept, least, most } => {
                vec![named("slope", slope), named("intercept", intercept), named("least", least), named("most", most)]
            }
            Form::Power { factor, exponent, most } => {
                vec![named("factor", factor), named("exponent", exponent), named("most", most)]
            }
            Form::Points { x, y } => [list("x", x), list("y", y)].concat(),
        }
    }

    /// Problems of one form by itself, with the key within it.
    fn problem(&self) -> Option<(String, String)> {
        if let Some((key, number)) = self.numbers().into_iter().find(|(_, number)| !number.is_finite()) {
            return Some((key.clone(), format!("{key} is {number}; expected a finite number")));
        }
        let at = |key: &str, message: String| Some((key.to_owned(), message));
        match self {
            Form::Polynomial { coefficients } if coefficients.is_empty() => {
                at("coefficients", "coefficients is empty; expected at least the constant".to_owned())
            }
            Form::Logarithm { least, most, .. } if least > most => {
                at("least", format!("least is {least}; expected at most {most} (most)"))
            }
            Form::Points { x, y } if x.len() != y.len() || x.len() < 2 => {
                at("y", format!("x has {} numbers and y has {}; expected equally many, at least two", x.len(), y.len()))
            }
            Form::Points { x, .. } => {
                if let Some(i) = (1..x.len()).find(|&i| x[i] <= x[i - 1]) {
                    let message = format!("x[{i}] is {}; expected more than x[{}] ({})", x[i], i - 1, x[i - 1]);
                    return at(&format!("x[{i}]"), message);
                }
                let outside = x.iter().position(|x| !(0.0..=1.0).contains(x))?;
                let message = format!("x[{outside}] is {}; expected 0..=1, in units of conductance_max", x[outside]);
                at(&format!("x[{outside}]"), message)
            }
            _ => None,
        }
    }
}

/// Value of a curve at x.
///
/// # Panics
/// Panics if the curve has [`problems`].
#[must_use]
pub fn value(curve: &[Piece], x: f64) -> f64 {
    let piece = curve.iter().find(|piece| x < piece.below).or(curve.last());
    piece.expect("a curve has a piece").form.value(x)
}

/// Whether it is 0 for every x.
#[must_use]
pub fn is_zero(curve: &[Piece]) -> bool {
    curve.iter().all(|piece| match &piece.form {
        Form::Polynomial { coefficients: numbers } | Form::Points { y: numbers, .. } => {
            numbers.iter().all(|number| *number == 0.0)
        }
        Form::Logarithm { least, most, .. } => *least == 0.0 && *most == 0.0,
        Form::Power { factor, .. } => *factor == 0.0,
    })
}

/// Problems of the curve called `name`: pieces that do not follow each other up to x = 1, numbers that are none, points
/// that do not rise in x or leave 0..=1, and values below 0.
#[must_use]
pub fn problems(name: &str, curve: &[Piece]) -> Vec<Problem> {
    let Some(last) = curve.last() else {
        return vec![Problem::new(name, format!("{name} has no piece; expected at least one"))];
    };
    for (i, piece) in curve.iter().enumerate() {
        if let Some((key, message)) = piece.form.problem() {
            return vec![Problem::new(format!("{name}[{i}].form.{key}"), message)];
        }
        let before = if i == 0 { 0.0 } else { curve[i - 1].below };
        if piece.below.is_nan() || piece.below <= before {
            let message = format!("below is {}; expected more than {before}, where the piece starts", piece.below);
            return vec![Problem::new(format!("{name}[{i}].below"), message)];
        }
        if let Form::Points { x, .. } = &piece.form
            && (x[0] > before || x[x.len() - 1] < piece.below)
        {
            let message = format!(
                "the points reach from x = {} to {}; expected them to cover the piece, {before} to {}",
                x[0],
                x[x.len() - 1],
                piece.below
            );
            return vec![Problem::new(format!("{name}[{i}].form.x"), message)];
        }
    }
    if last.below != 1.0 {
        let i = curve.len() - 1;
        let message = format!("below is {} in the last piece; expected 1", last.below);
        return vec![Problem::new(format!("{name}[{i}].below"), message)];
    }
    let checked = (0..=CHECKED).map(|i| f64::from(i) / f64::from(CHECKED));
    let negative = checked.map(|x| (x, value(curve, x))).find(|(_, value)| *value < 0.0);
    let problem = negative.map(|(x, value)| {
        Problem::new(name, format!("{name} is {value:.3e} at x = {x}; expected nothing below 0 for x in 0..=1"))
    });
    problem.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(form: Form) -> Piece {
        Piece { below: 1.0, form }
    }

    #[test]
    fn forms_have_their_values() {
        let polynomial = [piece(Form::Polynomial { coefficients: vec![0.5, -1.0, 2.0] })];
        assert_eq!([0.0, 0.5, 2.0].map(|x| value(&polynomial, x)), [0.5, 0.5, 6.5]);
        // e^-2 = 0.1353: 0.1 * 2 + 0.3.
        let logarithm = [piece(Form::Logarithm { slope: -0.1, intercept: 0.3, least: 0.35, most: 0.6 })];
        assert!((value(&logarithm, libm::exp(-2.0)) - 0.5).abs() < 1e-15);
        assert_eq!([0.0, 1.0].map(|x| value(&logarithm, x)), [0.6, 0.35]);
        let power = [piece(Form::Power { factor: 0.5, exponent: -0.5, most: 2.0 })];
        assert_eq!([0.0, 0.25, 1.0].map(|x| value(&power, x)), [2.0, 1.0, 0.5]);
        let points = [piece(Form::Points { x: vec![0.0, 0.25, 1.0], y: vec![1.0, 2.0, 0.5] })];
        assert_eq!([0.0, 0.125, 0.25, 0.5, 1.0, 1.5].map(|x| value(&points, x)), [1.0, 1.5, 2.0, 1.5, 0.5, 0.5]);
        let level = |y| Form::Polynomial { coefficients: vec![y] };
        let pieces = [Piece { below: 0.25, form: level(3.0) }, piece(level(4.0))];
        assert_eq!([0.0, 0.24, 0.25, 1.0, 1.2].map(|x| value(&pieces, x)), [3.0, 3.0, 4.0, 4.0, 4.0]);
    }

    #[test]
    fn wrong_curves_are_told() {
        let reported = |curve: &[Piece]| {
            let problems = problems("read", curve);
            problems.first().map(|problem| format!("{}: {}", problem.path, problem.message)).unwrap_or_default()
        };
        let points = |x: &[f64], y: &[f64]| [piece(Form::Points { x: x.to_vec(), y: y.to_vec() })];
        let polynomial = |coefficients: &[f64]| piece(Form::Polynomial { coefficients: coefficients.to_vec() });
        for (curve, expected) in [
            (&[][..], "read: read has no piece; expected at least one"),
            (
                &[polynomial(&[0.1, f64::NAN])],
                "read[0].form.coefficients[1]: coefficients[1] is NaN; expected a finite number",
            ),
            (&points(&[0.0, f64::INFINITY], &[0.1, 0.2]), "read[0].form.x[1]: x[1] is inf; expected a finite number"),
            (&[polynomial(&[])], "read[0].form.coefficients: coefficients is empty; expected at least the constant"),
            (
                &points(&[0.0, 0.5, 0.5, 1.0], &[0.1; 4]),
                "read[0].form.x[2]: x[2] is 0.5; expected more than x[1] (0.5)",
            ),
            (
                &points(&[0.0, 0.5, 1.5], &[0.1; 3]),
                "read[0].form.x[2]: x[2] is 1.5; expected 0..=1, in units of conductance_max",
            ),
            (
                &points(&[0.0, 0.5, 0.9], &[0.1; 3]),
                "read[0].form.x: the points reach from x = 0 to 0.9; expected them to cover the piece, 0 to 1",
            ),
            (
                &points(&[0.0, 1.0], &[0.1; 3]),
                "read[0].form.y: x has 2 numbers and y has 3; expected equally many, at least two",
            ),
            (
                &points(&[0.0, 0.5, 1.0], &[0.1, -0.1, 0.1]),
                "read: read is -4.000e-4 at x = 0.251; expected nothing below 0 for x in 0..=1",
            ),
            (
                &[polynomial(&[0.1, -0.2])],
                "read: read is -2.000e-4 at x = 0.501; expected nothing below 0 for x in 0..=1",
            ),
            (
                &[piece(Form::Logarithm { slope: 1.0, intercept: 0.0, least: 2.0, most: 1.0 })],
                "read[0].form.least: least is 2; expected at most 1 (most)",
            ),
            (
                &[polynomial(&[0.1]), polynomial(&[0.1])],
                "read[1].below: below is 1; expected more than 1, where the piece starts",
            ),
            (
                &[Piece { below: 0.5, form: Form::Polynomial { coefficients: vec![0.1] } }],
                "read[0].below: below is 0.5 in the last piece; expected 1",
            ),
        ] {
            assert_eq!(reported(curve), expected);
        }
    }
}
