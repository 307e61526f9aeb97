//! Reports from stored traces.

use crate::error::Error;
use crate::meter::{Ledger, Tally};
use crate::report::{Report, RunFacts};
use crate::trace::{NONE, Span, SpanSink, TraceReader};
use std::path::Path;

/// The facts and the ledger of a stored run.
///
/// # Errors
/// [`Error::Io`] when the file cannot be read; [`Error::Input`] when it is no whole trace of a run.
pub fn load(path: &Path) -> Result<(RunFacts, Ledger), Error> {
    let input = |message: String| Error::Input { path: path.to_owned(), message };
    let trace = TraceReader::open(path)?;
    let facts = trace.facts().ok_or_else(|| input("the trace holds spans, but no facts of a run".into()))?;
    let facts: RunFacts = serde_json::from_str(facts)
        .map_err(|error| input(format!("the facts of the run in its metadata cannot be read: {error}")))?;
    if !trace.layers().iter().eq(facts.layers.iter().map(|layer| &layer.name)) {
        return Err(input("the layers of the trace are not those of its facts".into()));
    }
    let layers = facts.layers.len() as u32;
    if let Some(item) = facts.inventory.iter().find(|item| item.layer.is_some_and(|layer| layer >= layers)) {
        return Err(input(format!("part \"{}\" belongs to a layer that the network does not have", item.part)));
    }
    if facts.config.arch.clock.0 == 0 {
        return Err(input("the facts of the run name a clock of 0 Hz".into()));
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
        Some((row, what, index, size)) => Err(input(format!("row {row}: {what} {index}, but the run has {size}"))),
        None => Ok((facts, tally.ledger())),
    }
}

/// The report of a stored run: the same, to the last digit, as the one that the run itself gave.
///
/// # Errors
/// Those of [`load`].
pub fn from_trace(path: &Path) -> Result<Report, Error> {
    let (facts, ledger) = load(path)?;
    Ok(Report::new(&facts, &ledger))
}
