//! What tells the rows of a comparison apart.

use crate::compare::{Comparison, Row};

/// A part of a row's configuration.
pub(super) struct Part {
    /// Head of its column.
    pub(super) head: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// What it is in a row.
    pub(super) text: fn(&Row) -> Option<String>,
    /// The same in a label, where it goes without saying if it is the usual.
    label: fn(&Row) -> Option<String>,
}

/// All parts.
const PARTS: [Part; 11] = {
    const fn part(head: &'static str, name: &'static str, text: fn(&Row) -> Option<String>) -> Part {
        Part { head, name, text, label: text }
    }
    [
        part("network", "network", |row| Some(row.workload.clone())),
        part("scheme", "scheme", |row| Some(row.scheme.to_owned())),
        Part {
            label: |row| row.first_ensembling_layer.clone().filter(|_| row.scheme.starts_with("ls")),
            ..part("L0", "first ensembling layer", |row| row.first_ensembling_layer.clone())
        },
        part("eps", "eps", |row| row.eps.map(|eps| eps.to_string())),
        Part {
            label: |row| row.packing.filter(|packing| *packing != "full").map(str::to_owned),
            ..part("packing", "packing", |row| row.packing.map(str::to_owned))
        },
        Part {
            label: |row| row.keep_deterministic_part.then(|| "kept".to_owned()),
            ..part("kept", "sums of DP at L0 kept", |row| {
                Some(if row.keep_deterministic_part { "yes" } else { "no" }.to_owned())
            })
        },
        Part {
            label: |row| Some(format!("T={}", row.members)),
            ..part("T", "members", |row| Some(row.members.to_string()))
        },
        part("ensemble", "ensemble", |row| Some(row.ensemble.to_owned())),
        part("schedule", "schedule", |row| Some(row.schedule.to_owned())),
        part("chip", "chip", |row| Some(row.arch.clone())),
        part("costs", "costs", |row| Some(row.costs.clone())),
    ]
};

impl Comparison {
    /// Parts that differ between rows, and those that do not. The scheme is always one of the former.
    pub(super) fn varying(&self) -> (Vec<Part>, Vec<Part>) {
        PARTS.into_iter().partition(|part| {
            let mut texts = self.rows.iter().map(part.text);
            let first = texts.next();
            part.head == "scheme" || !texts.all(|text| Some(text) == first)
        })
    }

    /// A label of each row: its number and the parts that differ; number and scheme alone if a label had more than `longest`
    /// letters.
    pub(super) fn labels(&self, longest: usize) -> Vec<String> {
        let (varying, _) = self.varying();
        let all = |row: &Row| varying.iter().filter_map(|part| (part.label)(row)).collect::<Vec<_>>().join(" ");
        let number = |(index, text): (usize, String)| format!("{} {text}", index + 1);
        let whole: Vec<String> = self.rows.iter().map(all).enumerate().map(number).collect();
        if whole.iter().all(|label| label.chars().count() <= longest) {
            return whole;
        }
        self.rows.iter().map(|row| row.scheme.to_owned()).enumerate().map(number).collect()
    }
}
