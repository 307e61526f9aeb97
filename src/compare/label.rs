//! What distinguishes the rows of a comparison.

use crate::compare::{Comparison, Row};

/// A part of a row's configuration.
pub(super) struct Part {
    /// Head of its column.
    pub(super) head: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// What it is in a row.
    of: fn(&Row) -> Option<String>,
    /// Whether a row's scheme takes it.
    concerns: fn(&Row) -> bool,
}

impl Part {
    /// What it is in a row whose scheme takes it.
    pub(super) fn text(&self, row: &Row) -> Option<String> {
        (self.of)(row).filter(|_| (self.concerns)(row))
    }

    /// The same in a label, without what goes without saying.
    fn label(&self, row: &Row) -> Option<String> {
        let text = self.text(row)?;
        match self.head {
            "T" => Some(format!("T={text}")),
            "kept" => (text == "yes").then(|| "kept".to_owned()),
            "packing" => (text != "full").then_some(text),
            _ => Some(text),
        }
    }
}

/// All parts.
const PARTS: [Part; 11] = {
    const fn part(head: &'static str, of: fn(&Row) -> Option<String>) -> Part {
        Part { head, name: head, of, concerns: |_| true }
    }
    [
        part("network", |row| Some(row.workload.clone())),
        part("scheme", |row| Some(row.scheme.to_owned())),
        Part {
            name: "first ensembling layer",
            concerns: |row| row.scheme.starts_with("ls"),
            ..part("L0", |row| row.first_ensembling_layer.clone())
        },
        part("eps", |row| row.eps.map(|eps| eps.to_string())),
        Part { concerns: |row| row.eps.is_some(), ..part("packing", |row| row.packing.map(str::to_owned)) },
        Part {
            name: "sums kept at L0",
            concerns: |row| row.eps.is_some(),
            ..part("kept", |row| Some(if row.keep_deterministic_part { "yes" } else { "no" }.to_owned()))
        },
        Part {
            name: "members",
            concerns: |row| row.scheme != "deterministic",
            ..part("T", |row| Some(row.members.to_string()))
        },
        part("ensemble", |row| Some(row.ensemble.to_owned())),
        part("schedule", |row| Some(row.schedule.to_owned())),
        part("chip", |row| Some(row.arch.clone())),
        part("costs", |row| Some(row.costs.clone())),
    ]
};

impl Comparison {
    /// Parts that differ between rows that take them, and those that do not. The scheme is always one of the former.
    pub(super) fn varying(&self) -> (Vec<Part>, Vec<Part>) {
        PARTS.into_iter().partition(|part| {
            let mut texts = self.rows.iter().filter_map(|row| part.text(row));
            let first = texts.next();
            part.head == "scheme" || !texts.all(|text| Some(text) == first)
        })
    }

    /// A label of each row: its number and the parts that differ; number and scheme alone if a label had more than `longest`
    /// letters.
    pub(super) fn labels(&self, longest: usize) -> Vec<String> {
        let (varying, _) = self.varying();
        let all = |row: &Row| varying.iter().filter_map(|part| part.label(row)).collect::<Vec<_>>().join(" ");
        let number = |(index, text): (usize, String)| format!("{} {text}", index + 1);
        let whole: Vec<String> = self.rows.iter().map(all).enumerate().map(number).collect();
        if whole.iter().all(|label| label.chars().count() <= longest) {
            return whole;
        }
        self.rows.iter().map(|row| row.scheme.to_owned()).enumerate().map(number).collect()
    }
}
