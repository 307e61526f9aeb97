//! Values and tables as text.

use crate::error::Error;
pub(super) use crate::report::table::aligned;
use serde::Serialize;

/// A value as RON, or as JSON.
pub(super) fn value(value: &impl Serialize, json: bool) -> Result<String, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
    if json {
        serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| failed(&error))
    } else {
        let pretty = ron::ser::PrettyConfig::new().new_line("\n");
        ron::ser::to_string_pretty(value, pretty).map(|text| text + "\n").map_err(|error| failed(&error))
    }
}

/// Cells of a row.
pub(super) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}
