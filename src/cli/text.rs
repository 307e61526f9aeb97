//! Values and tables as text.

use crate::error::Error;
use serde::Serialize;

/// A value as RON, or as JSON.
pub(super) fn value(value: &impl Serialize, json: bool) -> Result<String, Error> {
    let told = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
    if json {
        serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| told(&error))
    } else {
        let pretty = ron::ser::PrettyConfig::new().new_line("\n");
        ron::ser::to_string_pretty(value, pretty).map(|text| text + "\n").map_err(|error| told(&error))
    }
}

/// Columns of text, the first to the left, the others to the right.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .enumerate()
            .map(|(c, cell)| if c == 0 { format!("{cell:<0$}", widths[c]) } else { format!("{cell:>0$}", widths[c]) });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Cells of a row.
pub(super) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}
