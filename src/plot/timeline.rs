//! Passes of each layer over time.

use crate::meter::{Interval, Ledger};
use crate::plot::axis::Axis;
use crate::plot::frame::{Contents, Frame};
use crate::plot::palette::{BLUE, ORANGE};
use crate::plot::picture::{Colour, Picture};
use crate::report::RunFacts;
use crate::report::quantity::grouped;
use crate::trace::NONE;

const PITCH: f64 = 32.0;
const BAR: f64 = 20.0;

/// A row per layer, a bar per pass, from its first read to its last conversion.
#[must_use]
pub fn picture(facts: &RunFacts, ledger: &Ledger) -> Picture {
    let clock = facts.config.arch.clock;
    let hertz = clock.0 as f64;
    let makespan = ledger.makespan();
    let labels: Vec<String> = facts.layers.iter().map(|layer| layer.name.clone()).collect();
    let legend = legend(facts, ledger);
    let mut axis = Axis::new("time", "s", makespan as f64 / hertz);
    axis.label += &format!("; {} cycles at {clock}", grouped(makespan));
    let subtitle = super::subtitle(facts);
    let mut frame = Frame::new(&Contents {
        title: "Passes of the layers, first read to last conversion",
        subtitle: &subtitle,
        legend: &legend,
        labels: &labels,
        pitch: PITCH,
        values: &[],
        axis,
    });
    for (row, layer) in (0..ledger.layers()).enumerate() {
        let y = frame.row(row) + (PITCH - BAR) / 2.0;
        // A pixel shows one pass, so the picture stays small however many there are.
        let mut drawn_to = f64::NEG_INFINITY;
        for (image, member, Interval { start, end }) in ledger.passes(layer) {
            let (left, right) = (frame.x(start as f64 / hertz), frame.x(end as f64 / hertz));
            if right > drawn_to + 0.5 {
                frame.rectangle(left, y, right - left, BAR, colour(image, member));
                drawn_to = right.max(left + 0.5);
            }
        }
    }
    frame.finish()
}

fn colour(image: u32, member: u32) -> Colour {
    let parity = |index: u32| if index == NONE { 0 } else { index as usize % 2 };
    [BLUE, ORANGE][parity(image)][parity(member)]
}

fn legend(facts: &RunFacts, ledger: &Ledger) -> Vec<(Colour, String)> {
    let several_members = facts.layers.iter().any(|layer| layer.passes_per_image > 1);
    let images: &[&str] = if ledger.images() > 1 { &["images 0, 2, \u{2026}", "images 1, 3, \u{2026}"] } else { &[""] };
    let members: &[&str] = if several_members { &["members 0, 2, \u{2026}", "members 1, 3, \u{2026}"] } else { &[""] };
    let mut legend = Vec::new();
    for (hue, image) in [BLUE, ORANGE].into_iter().zip(images) {
        for (colour, member) in hue.into_iter().zip(members) {
            let text = [*image, *member].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
            legend.push((colour, text));
        }
    }
    legend.retain(|(_, text)| !text.is_empty());
    legend
}
