//! Reports from stored traces.

use crate::config::MAX_PASSES;
use crate::error::Error;
use crate::meter::{Ledger, Tally};
use crate::report::{Report, RunFacts};
use crate::trace::columns::{FACTS_KEY, HASH_KEY, LAYERS_KEY};
use crate::trace::reader::{DAMAGED, REPEAT};
use crate::trace::{NONE, Span, SpanSink, TraceReader};
use std::path::Path;

/// The facts and the ledger of a stored run.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is no whole trace of a run.
pub fn load(path: &Path) -> Result<(RunFacts, Ledger), Error> {
    let input = |message: String| Error::Input { path: path.to_owned(), message };
    let trace = TraceReader::open(path)?;
    let json = trace.facts().ok_or_else(|| {
        let expected = "expected those of a run, as `crossbayes run` writes them";
        input(format!("{FACTS_KEY} is not in its metadata; {expected}"))
    })?;
    if !trace.sealed() {
        let expected = "expected the hash that `crossbayes run` puts there, without which a changed run is not told from a \
                        whole one";
        return Err(input(format!("{HASH_KEY} is not in its metadata; {expected}{DAMAGED}")));
    }
    let facts: RunFacts = serde_json::from_str(json).map_err(|error| {
        let expected = concat!("expected those of a run of version ", env!("CARGO_PKG_VERSION"));
        let by = written_by(json).map(|version| format!(", of version {version},")).unwrap_or_default();
        input(format!("{FACTS_KEY} in its metadata{by} cannot be read ({error}); {expected}{REPEAT}"))
    })?;
    let names: Vec<&str> = facts.layers.iter().map(|layer| layer.name.as_str()).collect();
    if trace.layers() != names {
        let (found, expected) = (trace.layers().join(", "), names.join(", "));
        return Err(input(format!("{LAYERS_KEY} is {found}; expected the layers of {FACTS_KEY}, {expected}")));
    }
    let layers = facts.layers.len() as u32;
    for item in &facts.inventory {
        if let Some(layer) = item.layer.filter(|layer| *layer >= layers) {
            let found = format!("part \"{}\" in {FACTS_KEY} belongs to layer {layer}", item.part);
            return Err(input(format!("{found}; expected less than {layers}")));
        }
    }
    if facts.config.arch.clock.0 == 0 {
        return Err(input(format!("the clock in {FACTS_KEY} is 0 Hz; expected at least 1 Hz")));
    }
    // Sizes the sums below.
    if facts.config.passes() > MAX_PASSES {
        let found = format!("the run in {FACTS_KEY} has {} passes of a layer", facts.config.passes());
        return Err(input(format!("{found}; expected at most {MAX_PASSES}")));
    }
    let images = facts.config.schedule.images;
    let members = facts.config.ensemble.members;
    let mut tally = Tally::new(Ledger::new(layers, images, members));
    let mut row = 0_u64;
    let mut stray = None;
    trace.for_each(|span: Span| {
        let beyond = |index: u32, size: u32| index != NONE && index >= size;
        if beyond(span.image, images) {
            stray.get_or_insert((row, "image", span.image, images));
        } else if beyond(span.member, members) {
            stray.get_or_insert((row, "member", span.member, members));
        } else {
            tally.push(&span);
        }
        row += 1;
    })?;
    match stray {
        Some((row, what, index, size)) => {
            Err(input(format!("row {row}: {what} is {index}; expected less than {size} ({what}s of the run)")))
        }
        None => Ok((facts, tally.ledger())),
    }
}

/// Version of the program that has written some facts, if that much of them can be read.
fn written_by(facts: &str) -> Option<String> {
    let facts: serde_json::Value = serde_json::from_str(facts).ok()?;
    Some(facts.get("version")?.as_str()?.to_owned())
}

/// The report of a stored run: the same, to the last digit, as the one that the run itself gave.
///
/// # Errors
/// Those of [`load`].
pub fn from_trace(path: &Path) -> Result<Report, Error> {
    let (facts, ledger) = load(path)?;
    Ok(Report::new(&facts, &ledger))
}
