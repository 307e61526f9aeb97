//! Busy arrays and used cells by layer.

use crate::meter::Ledger;
use crate::plot::axis::Axis;
use crate::plot::frame::{Contents, Frame};
use crate::plot::palette::{INK, component};
use crate::plot::picture::{Anchor, Colour, Picture};
use crate::report::RunFacts;
use crate::report::quantity::percent;
use crate::report::utilisation::utilisation;
use crate::trace::Component;

const BAR: f64 = 15.0;
const GAP: f64 = 8.0;
const CELLS: Colour = [0xaa, 0xaa, 0xaa];

/// For each layer the time in which its arrays read, the time in which its converters convert where it has any, and its
/// cells that hold a weight.
#[must_use]
pub fn picture(facts: &RunFacts, ledger: &Ledger) -> Picture {
    let layers = utilisation(facts, ledger).per_layer;
    let adc = Component::Adc.name();
    let converts = layers.iter().any(|layer| layer.per_component.contains_key(adc));
    let mut legend = vec![(component(Component::Crossbar), "arrays reading, share of time".to_owned())];
    if converts {
        legend.push((component(Component::Adc), "converters converting, share of time".to_owned()));
    }
    legend.push((CELLS, "cells that hold a weight".to_owned()));
    let bars = |layer: &crate::report::utilisation::LayerUtilisation| {
        let mut shares = vec![layer.arrays];
        if converts {
            shares.push(layer.per_component.get(adc).copied().unwrap_or(0.0));
        }
        shares.push(layer.cells);
        shares
    };
    let labels: Vec<String> = layers.iter().map(|layer| layer.layer.clone()).collect();
    let subtitle = super::subtitle(facts);
    let pitch = BAR * legend.len() as f64 + GAP;
    let mut frame = Frame::new(&Contents {
        title: "Use of the arrays",
        subtitle: &subtitle,
        legend: &legend,
        labels: &labels,
        pitch,
        values: &["100.0 %".to_owned()],
        axis: Axis::percent("share"),
    });
    let zero = frame.x(0.0);
    for (row, layer) in layers.iter().enumerate() {
        for (i, (share, (colour, _))) in bars(layer).into_iter().zip(&legend).enumerate() {
            let y = frame.row(row) + GAP / 2.0 + i as f64 * BAR;
            let end = frame.x(share);
            if share > 0.0 {
                frame.rectangle(zero, y + 1.0, end - zero, BAR - 2.0, *colour);
            }
            frame.text(end + 6.0, y + BAR / 2.0, &percent(share), Anchor::Start, INK);
        }
    }
    frame.finish()
}
