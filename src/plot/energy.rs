//! Energy by layer and component.

use crate::meter::Ledger;
use crate::plot::axis::Axis;
use crate::plot::frame::{Contents, Frame, TEXT};
use crate::plot::palette::{INK, LEAKAGE, component, text_on};
use crate::plot::picture::{Anchor, Colour, Picture};
use crate::plot::text::text_width;
use crate::report::RunFacts;
use crate::report::energy::{EnergyShare, energy};
use crate::report::quantity::{percent, si};
use crate::trace::Component;
use std::collections::BTreeMap;

const PITCH: f64 = 30.0;
const BAR: f64 = 18.0;

/// A first row with each component's share of the whole, then a row per layer in joules.
#[must_use]
pub fn picture(facts: &RunFacts, ledger: &Ledger) -> Picture {
    let energy = energy(facts, ledger);
    let mut labels = vec!["whole run, shares".to_owned()];
    let mut shares: Vec<&EnergyShare> = Vec::new();
    for layer in &energy.per_layer {
        labels.push(layer.layer.clone());
        shares.push(&layer.share);
    }
    if energy.no_layer.total_j > 0.0 {
        labels.push("(no layer)".to_owned());
        shares.push(&energy.no_layer);
    }
    let micro = |joules: f64| si(joules, "J").replace(" u", " \u{b5}");
    let mut values = vec![micro(energy.total_j)];
    values.extend(shares.iter().map(|share| micro(share.total_j)));
    let total = parts(&energy.per_component, energy.leakage_j);
    let legend: Vec<(Colour, String)> = total
        .iter()
        .map(|(name, colour, joules)| {
            (*colour, format!("{} {}", name.replace('_', " "), percent(joules / energy.total_j)))
        })
        .collect();
    let largest = shares.iter().map(|share| share.total_j).fold(0.0, f64::max);
    let subtitle = super::subtitle(facts);
    let mut frame = Frame::new(&Contents {
        title: "Energy of the run by layer and component",
        subtitle: &subtitle,
        legend: &legend,
        labels: &labels,
        pitch: PITCH,
        values: &values,
        axis: Axis::new("energy of a layer", "J", largest),
    });
    let (left, right) = frame.sides();
    let whole = |joules: f64| left + (right - left) * joules / energy.total_j;
    stack(&mut frame, 0, &total, whole, |joules| percent(joules / energy.total_j));
    for (row, share) in shares.iter().enumerate() {
        let parts = parts(&share.per_component, share.leakage_j);
        let zero = frame.x(0.0);
        let unit = frame.x(largest) - zero;
        stack(&mut frame, row + 1, &parts, |joules| zero + unit * joules / largest, |_| String::new());
    }
    for (row, value) in values.iter().enumerate() {
        let y = frame.row(row) + PITCH / 2.0;
        let end = if row == 0 { right } else { frame.x(shares[row - 1].total_j) };
        frame.text(end + 6.0, y, value, Anchor::Start, INK);
    }
    frame.finish()
}

/// Components that took energy, in their fixed order, then leakage.
fn parts(work: &BTreeMap<&'static str, f64>, leakage: f64) -> Vec<(&'static str, Colour, f64)> {
    let of = |c: &Component| Some((c.name(), component(*c), *work.get(c.name())?));
    let mut parts: Vec<_> = Component::ALL.iter().filter_map(of).collect();
    parts.push(("leakage", LEAKAGE, leakage));
    parts.retain(|(_, _, joules)| *joules > 0.0);
    parts
}

/// Bars beside each other; `x` places a sum of joules, `tell` is written where it fits.
fn stack(
    frame: &mut Frame,
    row: usize,
    parts: &[(&'static str, Colour, f64)],
    x: impl Fn(f64) -> f64,
    tell: impl Fn(f64) -> String,
) {
    let y = frame.row(row) + (PITCH - BAR) / 2.0;
    let mut sum = 0.0;
    for (_, colour, joules) in parts {
        let (from, to) = (x(sum), x(sum + joules));
        sum += joules;
        // A part of less than half a pixel stays out, so that a bar ends where its total does.
        if to - from < 0.25 {
            continue;
        }
        // A gap keeps neighbours apart where it costs little of the bar.
        let gap = if to - from > 4.0 { 0.5 } else { 0.0 };
        frame.rectangle(from, y, to - from - gap, BAR, *colour);
        let text = tell(*joules);
        if !text.is_empty() && text_width(&text, TEXT, false) + 8.0 < to - from {
            frame.text((from + to) / 2.0, y + BAR / 2.0, &text, Anchor::Middle, text_on(*colour));
        }
    }
}
