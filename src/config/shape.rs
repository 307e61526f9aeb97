//! What keys a configuration has: one description that the decoder, the JSON Schema and the key reference share.

use crate::units::Unit;
use std::fmt;

/// Type of a value.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number from 0 to `largest`.
    Integer { largest: u64 },
    /// A real number.
    Real,
    /// Text.
    Text,
    /// A number with a unit, as text.
    Quantity { name: &'static str, units: &'static [Unit], example: &'static str },
    /// May be `None`.
    Optional(Box<Kind>),
    /// A list.
    List(Box<Kind>),
    /// Pairs of a name and a whole number.
    Pairs,
    /// A struct.
    Record(Record),
    /// One of several variants.
    Choice(Choice),
}

/// A struct of the configuration.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its type's name.
    pub name: &'static str,
    /// Its documentation.
    pub doc: String,
    /// Whether the path of a file may stand in its place.
    pub from_file: bool,
    /// Its keys.
    pub fields: Vec<Field>,
}

/// A key.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub key: &'static str,
    /// Its documentation.
    pub doc: String,
    /// Type of its value.
    pub kind: Kind,
    /// What values are allowed.
    pub range: Option<Range>,
    /// The value where the key is not given; none: it must be given.
    pub default: Option<DefaultValue>,
}

/// A default in both notations.
#[derive(Debug, Clone)]
pub struct DefaultValue {
    /// As it stands in a file.
    pub ron: String,
    /// As it stands in the JSON Schema.
    pub json: serde_json::Value,
}

impl DefaultValue {
    /// Both notations of a value.
    #[must_use]
    pub fn of(value: &impl serde::Serialize) -> Self {
        Self {
            ron: ron::to_string(value).unwrap_or_default(),
            json: serde_json::to_value(value).unwrap_or(serde_json::Value::Null),
        }
    }
}

/// An enum of the configuration.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Its type's name.
    pub name: &'static str,
    /// Its documentation.
    pub doc: String,
    /// What may be chosen.
    pub variants: Vec<Variant>,
}

/// A variant.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Its name.
    pub name: &'static str,
    /// Its documentation.
    pub doc: String,
    /// What stands in its parentheses.
    pub body: Body,
}

/// What a variant holds.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    Unit,
    /// One value.
    Value(Box<Kind>, Option<Range>),
    /// Keys.
    Fields(Vec<Field>),
}

/// An end of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    Integer(u64),
    Real(f64),
    /// A quantity in one of its units.
    Quantity(&'static str),
}

/// Allowed values, both ends included. For a text: its length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Least value.
    pub least: Bound,
    /// Largest value; none: no limit but the type's.
    pub most: Option<Bound>,
}

impl From<u64> for Bound {
    fn from(value: u64) -> Self {
        Bound::Integer(value)
    }
}

impl From<f64> for Bound {
    fn from(value: f64) -> Self {
        Bound::Real(value)
    }
}

impl From<&'static str> for Bound {
    fn from(value: &'static str) -> Self {
        Bound::Quantity(value)
    }
}

impl<T: Into<Bound> + Copy> From<std::ops::RangeInclusive<T>> for Range {
    fn from(range: std::ops::RangeInclusive<T>) -> Self {
        Self { least: (*range.start()).into(), most: Some((*range.end()).into()) }
    }
}

impl<T: Into<Bound>> From<std::ops::RangeFrom<T>> for Range {
    fn from(range: std::ops::RangeFrom<T>) -> Self {
        Self { least: range.start.into(), most: None }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Integer(value) => write!(f, "{value}"),
            Bound::Real(value) => write!(f, "{value}"),
            Bound::Quantity(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.most {
            None => write!(f, "at least {}", self.least),
            Some(most) if most == self.least => write!(f, "{most}"),
            Some(most) => write!(f, "{}..={most}", self.least),
        }
    }
}

/// The text of doc comments: lines joined, without the blank that `///` leaves in front.
#[must_use]
pub fn join_doc(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}
