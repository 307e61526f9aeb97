//! Is every cycle of every unit booked once?

use super::*;
use crossbayes::mapping::{ArrayGroup, LayerMapping};
use crossbayes::simulate::Plan;
use crossbayes::trace::{Action, Component, NONE};
use std::collections::BTreeMap;

/// Start and end of each piece of a span.
fn pieces(span: &Span) -> impl Iterator<Item = (u64, u64)> + '_ {
    (0..u64::from(span.repeats)).map(move |i| {
        let start = span.start + i * span.period;
        (start, start + span.duration)
    })
}

/// Work and waits of every unit, one after another, are the run: no cycle is missing and none is booked twice. The run is
/// one of expanded groups, whose spans name single arrays.
pub fn assert_every_cycle_is_booked_once(config: &Config, plan: &Plan, outcome: &Outcome, both: &Both) {
    let cycles = both.ledger.makespan();
    assert_eq!(outcome.cycles, cycles);
    type Pieces = Vec<(u64, u64)>;
    let mut booked = BTreeMap::<(Component, u32, u32, u32), Pieces>::new();
    let mut drives = BTreeMap::<u32, Pieces>::new();
    let mut reads = drives.clone();
    for span in &both.spans {
        match (span.component, span.action) {
            (Component::Driver, Action::Drive) => drives.entry(span.unit).or_default().extend(pieces(span)),
            (Component::Crossbar, Action::Read) => reads.entry(span.unit).or_default().extend(pieces(span)),
            _ => {}
        }
        let (layer, stage) = match span.component {
            // Drivers work while their array reads, as is checked below; a sample takes no time; accumulators are pipelines.
            Component::Driver | Component::SampleHold | Component::Accumulator => continue,
            // A message that waits is no unit.
            Component::Link if span.unit == NONE => continue,
            Component::Link => (NONE, NONE),
            // Every stage has ports of its own.
            Component::Buffer | Component::GlobalBuffer => (span.layer, span.stage),
            _ => (span.layer, NONE),
        };
        let unit = booked.entry((span.component, layer, span.unit, stage)).or_default();
        unit.extend(pieces(span).filter(|(start, end)| end > start));
    }
    assert_eq!(drives, reads, "{config:?}");
    for (unit, pieces) in &mut booked {
        pieces.sort_unstable();
        let mut until = 0;
        for &(start, end) in &*pieces {
            assert_eq!(start, until, "{unit:?} is booked up to {until} and then from {start} on: {config:?}");
            until = end;
        }
        assert_eq!(until, cycles, "{unit:?}: {config:?}");
    }
    let units = |component| booked.keys().filter(|(found, ..)| *found == component).count() as u64;
    let layers = plan.net.layers.len();
    // Layers that share an array each book it.
    let arrays: u64 = plan.mapping.layers.iter().map(LayerMapping::arrays).sum();
    assert_eq!(units(Component::Crossbar), arrays);
    assert_eq!(units(Component::Adc) + units(Component::Comparator), arrays);
    let generators = matches!(config.arch.sampler, Sampler::Generator { .. });
    let groups = plan.mapping.layers.iter().flat_map(|layer| &layer.groups);
    let stochastic = groups.filter(|group| group.plane == Plane::Stochastic).map(ArrayGroup::arrays).sum();
    assert_eq!(units(Component::Generator), if generators { stochastic } else { 0 });
    assert_eq!(units(Component::Digital), layers as u64);
    assert!(units(Component::Link) > 0);
    // In each layer a port to write, one to read windows and one to write results, and one to read for each link that leaves.
    assert_eq!(units(Component::Buffer), 4 * layers as u64);
    assert_eq!(units(Component::GlobalBuffer), 2);
}
