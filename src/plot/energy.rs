//! Energy by layer and component.

use crate::meter::Ledger;
use crate::plot::axis::Axis;
use crate::plot::frame::{Contents, Frame, TEXT};
use crate::plot::palette::{INK, component, pale, text_on};
use crate::plot::picture::{Anchor, Colour, Picture};
use crate::plot::text::text_width;
use crate::report::RunFacts;
use crate::report::energy::energy;
use crate::report::latency::initiation_interval;
use crate::report::quantity::{percent, si};
use crate::trace::Component;
use std::collections::BTreeMap;

const PITCH: f64 = 30.0;
const BAR: f64 = 18.0;

/// A part of a bar: what it shows, its colour, joules.
type Part = (String, Colour, f64);

/// A row for the whole run, then a row per layer, all in joules of one axis: the work of each component, then its leakage
/// in a paler colour.
#[must_use]
pub fn picture(facts: &RunFacts, ledger: &Ledger) -> Picture {
    let energy = energy(facts, ledger, initiation_interval(facts, ledger));
    let mut rows = vec![("whole run".to_owned(), parts(&energy.per_component, &energy.leakage.per_component))];
    for (layer, leakage) in energy.per_layer.iter().zip(&energy.leakage.per_layer) {
        rows.push((layer.layer.clone(), parts(&layer.share.per_component, &leakage.per_component)));
    }
    if energy.no_layer.total_j > 0.0 {
        rows.push(("(no layer)".to_owned(), parts(&energy.no_layer.per_component, &energy.leakage.no_layer)));
    }
    let sum = |parts: &[Part]| parts.iter().map(|(.., joules)| joules).sum::<f64>();
    let whole = energy.total_j;
    let share = |joules: f64| percent(if whole > 0.0 { joules / whole } else { 0.0 });
    let micro = |joules: f64| si(joules, "J").replace(" u", " \u{b5}");
    let value = |parts: &[Part]| format!("{}, {}", micro(sum(parts)), share(sum(parts)));
    let values: Vec<String> = rows.iter().map(|(_, parts)| value(parts)).collect();
    let legend: Vec<(Colour, String)> =
        rows[0].1.iter().map(|(name, colour, joules)| (*colour, format!("{name} {}", share(*joules)))).collect();
    let labels: Vec<String> = rows.iter().map(|(label, _)| label.clone()).collect();
    let subtitle = super::subtitle(facts);
    let mut frame = Frame::new(&Contents {
        title: "Energy of the run by layer and component",
        subtitle: &subtitle,
        legend: &legend,
        labels: &labels,
        pitch: PITCH,
        values: &values,
        axis: Axis::new("energy", "J", whole),
    });
    for (row, ((_, parts), value)) in rows.iter().zip(&values).enumerate() {
        stack(&mut frame, row, parts, share);
        let end = frame.x(sum(parts));
        frame.text(end + 6.0, frame.row(row) + PITCH / 2.0, value, Anchor::Start, INK);
    }
    frame.finish()
}

/// Components that took energy by their work, in their fixed order, then those that leak.
fn parts(work: &BTreeMap<&'static str, f64>, leakage: &BTreeMap<&'static str, f64>) -> Vec<Part> {
    let name = |c: &Component| c.name().replace('_', " ");
    let works = Component::ALL.iter().filter_map(|c| Some((name(c), component(*c), *work.get(c.name())?)));
    let leaks = Component::ALL
        .iter()
        .filter_map(|c| Some((format!("{} leakage", name(c)), pale(component(*c)), *leakage.get(c.name())?)));
    works.chain(leaks).filter(|(.., joules)| *joules > 0.0).collect()
}

/// Bars beside each other; `tell` is written where it fits.
fn stack(frame: &mut Frame, row: usize, parts: &[Part], tell: impl Fn(f64) -> String) {
    let y = frame.row(row) + (PITCH - BAR) / 2.0;
    let mut sum = 0.0;
    for (_, colour, joules) in parts {
        let (from, to) = (frame.x(sum), frame.x(sum + joules));
        sum += joules;
        // A part of less than a quarter of a pixel stays out, so that a bar ends where its total does.
        if to - from < 0.25 {
            continue;
        }
        // A gap keeps neighbours apart where it costs little of the bar.
        let gap = if to - from > 4.0 { 0.5 } else { 0.0 };
        frame.rectangle(from, y, to - from - gap, BAR, *colour);
        let text = tell(*joules);
        if text_width(&text, TEXT, false) + 8.0 < to - from {
            frame.text((from + to) / 2.0, y + BAR / 2.0, &text, Anchor::Middle, text_on(*colour));
        }
    }
}
