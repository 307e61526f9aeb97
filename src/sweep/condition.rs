//! Conditions that leave points out: `arch.adc.bits < 6 and mapping.scheme == Dense`.

use crate::config::tree::{self, Node, Value};
use crate::error::nearest;
use crate::units::Quantity;

/// Comparisons that all hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition(Vec<Comparison>);

#[derive(Debug, Clone, PartialEq)]
struct Comparison {
    left: Operand,
    operator: Operator,
    right: Operand,
}

/// A side of a comparison.
#[derive(Debug, Clone, PartialEq)]
enum Operand {
    /// What the values of an axis, by its number, compare as.
    Axis(usize, Vec<Measure>),
    Literal(Measure),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Those of two letters first: `<` begins `<=`.
const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

/// What a value compares as.
#[derive(Debug, Clone, PartialEq)]
enum Measure {
    /// A number of something: plain, of a quantity's base units, or within a variant (`Above(0.05)`).
    Number(String, f64),
    Text(String),
}

impl Measure {
    fn of(text: &str) -> Self {
        let node = tree::read(text, 0).ok();
        let number = |node: &Node| match node.value {
            Value::Integer(value) => Some(value as f64),
            Value::Float(value) => Some(value),
            _ => None,
        };
        let words = match node.as_ref().map(|node| &node.value) {
            Some(Value::Tuple { name: Some(name), items }) if items.len() == 1 => {
                return match number(&items[0]) {
                    Some(value) => Measure::Number(name.clone(), value),
                    None => Measure::Text(text.trim().to_owned()),
                };
            }
            Some(Value::Text(words)) => words,
            _ => match node.as_ref().and_then(number) {
                Some(value) => return Measure::Number(String::new(), value),
                None => text.trim(),
            },
        };
        match Quantity::of(words) {
            Some((quantity, value)) => Measure::Number(quantity.name.to_owned(), value as f64),
            None => Measure::Text(words.to_owned()),
        }
    }

    fn compares(&self, operator: Operator, other: &Self) -> bool {
        match (self, other, operator) {
            (_, _, Operator::Equal) => self == other,
            (_, _, Operator::Unequal) => self != other,
            (Measure::Number(of, a), Measure::Number(other, b), _) if of == other => match operator {
                Operator::Less => a < b,
                Operator::AtMost => a <= b,
                Operator::Greater => a > b,
                _ => a >= b,
            },
            _ => false,
        }
    }
}

impl Operand {
    fn parse(text: &str, axes: &[(&str, &[String])]) -> Result<Self, (String, Option<String>)> {
        if let Some(axis) = axes.iter().position(|(key, _)| *key == text) {
            return Ok(Operand::Axis(axis, axes[axis].1.iter().map(|value| Measure::of(value)).collect()));
        }
        let words: Vec<&str> = text.split('.').collect();
        if text.is_empty() {
            return Err(("a side of a comparison is missing".to_owned(), None));
        }
        if words.len() > 1 && words.iter().all(|word| tree::is_name(word)) {
            let keys = || axes.iter().map(|(key, _)| *key);
            let message = format!("\"{text}\" is no axis; expected one of {}", keys().collect::<Vec<_>>().join(", "));
            return Err((message, nearest(text, keys()).map(|near| format!("did you mean \"{near}\"?"))));
        }
        Ok(Operand::Literal(Measure::of(text)))
    }

    fn of<'a>(&'a self, choice: &[u32]) -> &'a Measure {
        match self {
            Operand::Axis(axis, values) => &values[choice[*axis] as usize],
            Operand::Literal(value) => value,
        }
    }

    fn all(&self) -> &[Measure] {
        match self {
            Operand::Axis(_, values) => values,
            Operand::Literal(value) => std::slice::from_ref(value),
        }
    }
}

impl Condition {
    /// Reads comparisons of the axes, by their keys and values.
    ///
    /// # Errors
    /// What is wrong, and the remedy where it is known.
    pub(super) fn parse(text: &str, axes: &[(&str, &[String])]) -> Result<Self, (String, Option<String>)> {
        let comparison = |text: &str| {
            let found = OPERATORS.iter().filter_map(|(sign, operator)| Some((text.find(sign)?, sign, *operator)));
            let Some((at, sign, operator)) = found.min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len())))
            else {
                let message = format!("\"{}\" is no comparison; expected one with ==, !=, <, <=, > or >=", text.trim());
                return Err((message, None));
            };
            let side = |text: &str| Operand::parse(text.trim(), axes);
            let (left, right) = (side(&text[..at])?, side(&text[at + sign.len()..])?);
            if ![&left, &right].iter().any(|side| matches!(side, Operand::Axis(..))) {
                let keys = axes.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", ");
                return Err((format!("\"{}\" compares no axis; expected one of {keys}", text.trim()), None));
            }
            let ordered = !matches!(operator, Operator::Equal | Operator::Unequal);
            let alike = |a: &Measure, b: &Measure| match (a, b) {
                (Measure::Number(of, _), Measure::Number(other, _)) => of == other,
                _ => false,
            };
            if ordered && !left.all().iter().any(|a| right.all().iter().any(|b| alike(a, b))) {
                let message =
                    format!("\"{}\" compares what has no order; expected numbers of the same unit", text.trim());
                return Err((message, None));
            }
            Ok(Comparison { left, operator, right })
        };
        Ok(Self(text.split(" and ").map(comparison).collect::<Result<_, _>>()?))
    }

    /// Whether it drops the point that has these values of the axes.
    pub(super) fn drops(&self, choice: &[u32]) -> bool {
        self.0.iter().all(|of| of.left.of(choice).compares(of.operator, of.right.of(choice)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drops(text: &str, choice: &[u32]) -> bool {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let bits = owned(&["4", "6", "8"]);
        let times = owned(&["\"10 ns\"", "\"1 us\""]);
        let eps = owned(&["Everything", "Above(0.05)", "Above(0.3)"]);
        let axes: [(&str, &[String]); 3] = [("a.bits", &bits), ("a.time", &times), ("m.eps", &eps)];
        Condition::parse(text, &axes).unwrap_or_else(|(message, _)| panic!("{message}")).drops(choice)
    }

    #[test]
    fn numbers_quantities_and_variants_compare() {
        assert!(drops("a.bits < 6", &[0, 0, 0]) && !drops("a.bits < 6", &[1, 0, 0]));
        assert!(drops("6<=a.bits", &[1, 0, 0]) && !drops("a.bits >= 6 and a.bits != 8", &[2, 0, 0]));
        assert!(drops("a.time < 500 ns", &[0, 0, 0]) && !drops("a.time < \"500 ns\"", &[0, 1, 0]));
        assert!(drops("a.time == 1000 ns", &[0, 1, 0]));
        assert!(drops("m.eps == Everything", &[0, 0, 0]) && !drops("m.eps == Everything", &[0, 0, 1]));
        assert!(drops("m.eps > Above(0.1)", &[0, 0, 2]) && !drops("m.eps > Above(0.1)", &[0, 0, 1]));
        // What has no order is on neither side.
        assert!(!drops("m.eps > Above(0.1)", &[0, 0, 0]) && !drops("m.eps <= Above(0.1)", &[0, 0, 0]));
    }

    #[test]
    fn what_is_no_condition_is_told() {
        let values = ["1".to_owned()];
        let axes: [(&str, &[String]); 1] = [("arch.adc.bits", &values)];
        for (text, expected) in [
            ("arch.adc.bits", "\"arch.adc.bits\" is no comparison"),
            ("arch.adc.bist < 3", "\"arch.adc.bist\" is no axis"),
            ("3 < 4", "\"3 < 4\" compares no axis"),
            ("arch.adc.bits <", "a side of a comparison is missing"),
            ("arch.adc.bits < few", "compares what has no order"),
            ("arch.adc.bits < 10 ns", "compares what has no order"),
        ] {
            let (message, _) = Condition::parse(text, &axes).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
        let (_, help) = Condition::parse("arch.adc.bist < 3", &axes).unwrap_err();
        assert_eq!(help.as_deref(), Some("did you mean \"arch.adc.bits\"?"));
    }
}
