//! What arrays and converters of each layer do with their time, and how full the arrays are.

use crate::meter::Ledger;
use crate::plot::axis::Axis;
use crate::plot::frame::{Contents, Frame};
use crate::plot::palette::{INK, component, wait};
use crate::plot::picture::{Anchor, Colour, Picture};
use crate::report::quantity::percent;
use crate::report::{Booked, RunFacts};
use crate::trace::{Action, Component};

const BAR: f64 = 15.0;
const GAP: f64 = 8.0;
const CELLS: Colour = [0x55, 0x55, 0x55];
/// Rows of a layer whose units have work and waits, and what their work is called.
const UNITS: [(Component, &str); 3] = [
    (Component::Crossbar, "arrays reading"),
    (Component::Adc, "converters converting"),
    (Component::Comparator, "comparators comparing"),
];

/// For each layer a bar for its arrays and one for its converters or comparators in use: work, then waiting by reason,
/// together the run; and a bar for its cells that hold a weight. Work and cells are given as numbers.
#[must_use]
pub fn picture(facts: &RunFacts, ledger: &Ledger) -> Picture {
    let booked = Booked::of(ledger);
    let there: Vec<(Component, &str)> =
        UNITS.into_iter().filter(|(unit, _)| booked.all.get(unit).is_some_and(|time| time.work > 0)).collect();
    let mut legend: Vec<(Colour, String)> =
        there.iter().map(|(unit, works)| (component(*unit), (*works).to_owned())).collect();
    for (reason, name) in Action::ALL.iter().filter_map(|action| Some((action, action.waiting()?))) {
        let waited = |unit: &Component| booked.all.get(unit).is_some_and(|time| time.waits.contains_key(reason));
        if there.iter().any(|(unit, _)| waited(unit)) {
            legend.push((wait(*reason), name.to_owned()));
        }
    }
    legend.push((CELLS, "cells that hold a weight".to_owned()));
    let labels: Vec<String> = facts.layers.iter().map(|layer| layer.name.clone()).collect();
    let subtitle = super::subtitle(facts);
    let mut frame = Frame::new(&Contents {
        title: "Time of the arrays and converters in use, and cells in use",
        subtitle: &subtitle,
        legend: &legend,
        labels: &labels,
        pitch: BAR * (there.len() + 1) as f64 + GAP,
        values: &["100.0 %".to_owned()],
        axis: Axis::percent("share of time, of cells"),
    });
    for (row, (layer, times)) in facts.layers.iter().zip(&booked.layers).enumerate() {
        let top = frame.row(row) + GAP / 2.0;
        for (i, (unit, _)) in there.iter().enumerate() {
            let y = top + i as f64 * BAR;
            let Some(time) = times.get(unit) else { continue };
            let mut parts = vec![(component(*unit), time.work)];
            parts.extend(time.waits.iter().map(|(reason, cycles)| (wait(*reason), *cycles)));
            let share = |cycles: u128| cycles as f64 / time.all().max(1) as f64;
            let mut sum = 0;
            for (colour, cycles) in parts {
                let (from, to) = (frame.x(share(sum)), frame.x(share(sum + cycles)));
                sum += cycles;
                if to - from >= 0.25 {
                    frame.rectangle(from, y + 1.0, to - from, BAR - 2.0, colour);
                }
            }
            let end = frame.x(share(sum));
            frame.text(end + 6.0, y + BAR / 2.0, &percent(share(time.work)), Anchor::Start, INK);
        }
        let y = top + there.len() as f64 * BAR;
        let cells = layer.cells_used as f64 / layer.cells_total.max(1) as f64;
        let (zero, end) = (frame.x(0.0), frame.x(cells));
        if cells > 0.0 {
            frame.rectangle(zero, y + 1.0, end - zero, BAR - 2.0, CELLS);
        }
        frame.text(end + 6.0, y + BAR / 2.0, &percent(cells), Anchor::Start, INK);
    }
    frame.finish()
}
