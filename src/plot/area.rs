//! Area by part.

use crate::plot::axis::Axis;
use crate::plot::frame::{Contents, Frame};
use crate::plot::palette::{INK, component};
use crate::plot::picture::{Anchor, Colour, Picture};
use crate::report::RunFacts;
use crate::report::quantity::{percent, square_millimetres};
use crate::trace::Component;
use std::collections::BTreeMap;

const PITCH: f64 = 28.0;
const BAR: f64 = 16.0;

/// A row per part, the largest first.
#[must_use]
pub fn picture(facts: &RunFacts) -> Picture {
    let mut sums: BTreeMap<(&str, Component), u128> = BTreeMap::new();
    for item in facts.inventory.iter().filter(|item| item.area_nm2 > 0) {
        *sums.entry((&item.part, item.component)).or_default() += item.area_nm2;
    }
    let mut parts: Vec<((&str, Component), u128)> = sums.into_iter().collect();
    parts.sort_by_key(|((part, _), area)| (std::cmp::Reverse(*area), *part));
    let total: u128 = parts.iter().map(|(_, area)| area).sum();
    let mm2 = |area: u128| area as f64 / 1e12;
    let labels: Vec<String> = parts.iter().map(|((part, _), _)| part.replace('_', " ")).collect();
    let squared = |area: u128| square_millimetres(mm2(area)).replace("um2", "\u{b5}m\u{b2}").replace("mm2", "mm\u{b2}");
    let values: Vec<String> =
        parts.iter().map(|(_, area)| format!("{}, {}", squared(*area), percent(*area as f64 / total as f64))).collect();
    let mut owners: Vec<Component> = parts.iter().map(|((_, owner), _)| *owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let legend: Vec<(Colour, String)> = owners.iter().map(|c| (component(*c), c.name().replace('_', " "))).collect();
    let largest = parts.first().map_or(0, |(_, area)| *area);
    let axis = if mm2(largest) < 0.01 {
        Axis::in_unit("area", "\u{b5}m\u{b2}", 1e-6, mm2(largest))
    } else {
        Axis::in_unit("area", "mm\u{b2}", 1.0, mm2(largest))
    };
    let subtitle = format!("{}; {} in all", super::subtitle(facts), squared(total));
    let mut frame = Frame::new(&Contents {
        title: "Area by part",
        subtitle: &subtitle,
        legend: &legend,
        labels: &labels,
        pitch: PITCH,
        values: &values,
        axis,
    });
    let zero = frame.x(0.0);
    for (row, (((_, owner), area), value)) in parts.iter().zip(&values).enumerate() {
        let y = frame.row(row) + (PITCH - BAR) / 2.0;
        let end = frame.x(mm2(*area));
        frame.rectangle(zero, y, end - zero, BAR, component(*owner));
        frame.text(end + 6.0, y + BAR / 2.0, value, Anchor::Start, INK);
    }
    frame.finish()
}
