//! Watches a run span by span: a sink of one's own that adds up what the arrays of each layer wait for.
//!
//! Spans are the rows of the trace; a sink sees them in the order in which they are booked, and may keep as little as it
//! likes. A `Vec<Span>` keeps them all.
//!
//! `cargo run --release --example spans`

use crossbayes::config::{LoadRequest, load};
use crossbayes::simulate::{plan, simulate};
use crossbayes::trace::{Action, Component, Span, SpanSink};
use std::collections::BTreeMap;
use std::error::Error;

/// Unit-cycles of the crossbars' work and waits, by layer and action.
#[derive(Debug, Default)]
struct CrossbarTime {
    unit_cycles: BTreeMap<(u32, Action), u128>,
    end: u64,
}

impl SpanSink for CrossbarTime {
    fn push(&mut self, span: &Span) {
        if !span.action.is_wait() {
            self.end = self.end.max(span.end());
        }
        if span.component == Component::Crossbar {
            *self.unit_cycles.entry((span.layer, span.action)).or_default() += span.unit_cycles();
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Without images the energy of reads comes from the workload's stated activity; times do not depend on it.
    let request = LoadRequest { set: vec!["values.answer=nothing".into()], ..LoadRequest::default() };
    let config = load(&request)?.config;
    let plan = plan(&config).map_err(|problems| format!("{problems:?}"))?;
    let assembly = plan.assemble(&config, None)?;
    let (outcome, time) = simulate(&config, assembly, CrossbarTime::default(), |_, _| {})?;
    println!("{} events, {} cycles", outcome.events, time.end);
    for ((layer, action), cycles) in &time.unit_cycles {
        let layer = *layer as usize;
        // Every cycle of every array is booked exactly once, so the shares of a layer add up to 1.
        let all = u128::from(time.end) * u128::from(plan.mapping.layers[layer].arrays());
        let share = *cycles as f64 / all as f64;
        println!("{:<8} {:<14} {:>7.3} %", plan.net.layers[layer].name, action.name(), share * 100.0);
    }
    Ok(())
}
