//! 128-bit sums in JSON as decimal strings, since many readers of JSON hold numbers as 64-bit floats.
//!
//! For `#[serde(with = "crate::meter::decimal")]`.

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// Writes the number as a string of decimal digits.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Reads a string of decimal digits.
///
/// # Errors
/// Returns an error if the value is no string of decimal digits, or more than 128 bits.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("expected a whole number in a string, found \"{text}\"")))
}
