//! Pictures of comparators that draw from device noise: what becomes of p, and how alike later draws are.

use super::device::Chart;
use crate::config::{Offset, Trim, TrimTime};
use crate::device::one_over_f::Ladder;
use crate::functional::study::{Study, draw_correlation};
use crate::plot::axis::Axis;
use crate::plot::palette::{BLUE, INK, ORANGE, PALE_INK};
use crate::plot::picture::{Colour, Picture};
use crate::units::Conductance;

/// Numbers of noise rows that are compared.
pub const NOISE_ROWS: [u32; 5] = [0, 4, 8, 16, 32];

const COLOURS: [Colour; 5] = [INK, ORANGE[0], ORANGE[1], BLUE[0], BLUE[1]];
/// Points of a curve.
const POINTS: usize = 40;
/// The largest offset, microsiemens.
const MOST_OFFSET: f64 = 10.0;
/// Decades of time between draws, from 100 ns on.
const DECADES: [&str; 9] =
    ["100 ns", "1 \u{b5}s", "10 \u{b5}s", "100 \u{b5}s", "1 ms", "10 ms", "100 ms", "1 s", "10 s"];

/// The pictures, with the names of their files.
#[must_use]
pub fn pictures(study: &Study) -> Vec<(&'static str, Picture)> {
    vec![
        ("sampler_noise_rows", noise_rows(study)),
        ("sampler_offset", offset(study)),
        ("sampler_members", members(study)),
    ]
}

/// A trim that leaves next to nothing.
fn fine() -> Trim {
    Trim { step: Conductance(100_000), bits: 12, at: TrimTime::Programming }
}

/// Mean magnitude of the error over the intended probability, for several numbers of noise rows.
fn noise_rows(study: &Study) -> Picture {
    let curves = NOISE_ROWS.map(|noise_rows| {
        let offset = Offset { trim: Some(fine()), ..study.offset };
        let study = Study { noise_rows, offset, ..study.clone() };
        let of = |i: usize| i as f64 / POINTS as f64;
        (0..=POINTS).map(|i| (of(i), study.bent(of(i)).mean_error)).collect::<Vec<_>>()
    });
    let most = curves.iter().flatten().map(|(_, error)| *error).fold(0.0, f64::max);
    let mut chart = Chart::new(
        "How far realised probabilities are off, by noise rows",
        &format!("{}, aged {}, comparators trimmed", study.device.model.name, study.device.age),
        &Axis::in_unit("mean of |realised - intended|", "1", 1.0, most * 1.1),
    );
    chart.below((0..=10).map(|i| (f64::from(i) / 10.0, format!("{:.1}", f64::from(i) / 10.0))), "intended probability");
    for (i, (points, noise_rows)) in curves.into_iter().zip(NOISE_ROWS).enumerate() {
        chart.line(points.into_iter(), COLOURS[i]);
        chart.legend(i, &format!("{noise_rows} noise rows"), COLOURS[i]);
    }
    chart.finish()
}

/// Mean magnitude of the error at p = 1/2 over the spread of the comparators' offsets.
fn offset(study: &Study) -> Picture {
    let cases = [(4, false), (4, true), (16, false), (16, true)];
    let curves = cases.map(|(noise_rows, trimmed)| {
        let of = |share: f64| {
            let spread = Conductance((share * MOST_OFFSET * 1e6).round() as u64);
            let offset = Offset { spread, trim: trimmed.then(fine) };
            Study { noise_rows, offset, ..study.clone() }.bent(0.5).mean_error
        };
        let at = |i: usize| i as f64 / POINTS as f64;
        (0..=POINTS).map(|i| (at(i), of(at(i)))).collect::<Vec<_>>()
    });
    let mut chart = Chart::new(
        "What offsets of comparators do to p = 1/2",
        &format!("{}, aged {}", study.device.model.name, study.device.age),
        &Axis::in_unit("mean of |realised - 1/2|", "1", 1.0, 0.6),
    );
    let ticks = (0..=5).map(|i| (f64::from(i) / 5.0, format!("{}", f64::from(i) / 5.0 * MOST_OFFSET)));
    chart.below(ticks, "spread of offsets (\u{b5}S)");
    for (i, (points, (noise_rows, trimmed))) in curves.into_iter().zip(cases).enumerate() {
        let colour = [ORANGE[1], ORANGE[0], BLUE[1], BLUE[0]][i];
        chart.line(points.into_iter(), colour);
        chart.legend(i, &format!("{noise_rows} rows{}", if trimmed { ", trimmed" } else { "" }), colour);
    }
    chart.finish()
}

/// Correlation of noise and of draws over the time between them.
fn members(study: &Study) -> Picture {
    let model = &study.device.model;
    let ladder = Ladder::new(model.since_programming(study.device.age.seconds()), model.read_seconds());
    let decades = (DECADES.len() - 1) as f64;
    let points = |of: &dyn Fn(f64) -> f64| -> Vec<(f64, f64)> {
        let at = |i: usize| i as f64 / 200.0;
        (0..=200).map(|i| (at(i), of(ladder.correlation(1e-7 * libm::pow(10.0, decades * at(i)))))).collect()
    };
    let mut chart = Chart::new(
        "How alike two draws of a synapse are",
        &format!("{}, aged {}, p = 1/2", model.name, study.device.age),
        &Axis::in_unit("correlation", "1", 1.0, 1.0),
    );
    let ticks = DECADES.iter().enumerate().map(|(i, text)| (i as f64 / decades, (*text).to_owned()));
    chart.below(ticks, "time between them");
    for (i, (text, points, colour)) in
        [("read noise", points(&|noise| noise), PALE_INK), ("draws", points(&draw_correlation), BLUE[0])]
            .into_iter()
            .enumerate()
    {
        chart.line(points.into_iter(), colour);
        chart.legend(i, text, colour);
    }
    chart.finish()
}
