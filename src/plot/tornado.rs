//! What axes do to figures: a bar for each figure in a row for each axis.

use crate::plot::axis::Axis;
use crate::plot::frame::{Contents, Frame};
use crate::plot::palette::INK;
use crate::plot::panels::line_colour;
use crate::plot::picture::{Anchor, Colour, Picture};
use crate::report::quantity::percent;

const BAR: f64 = 16.0;
const GAP: f64 = 12.0;

/// Names of the axes with a spread for each figure, as a share of its mean; none where there is no pair of points to tell.
#[must_use]
pub fn picture(subtitle: &str, figures: &[&str], axes: &[(String, Vec<Option<f64>>)]) -> Picture {
    let legend: Vec<(Colour, String)> =
        figures.iter().enumerate().map(|(index, name)| (line_colour(index), (*name).to_owned())).collect();
    let labels: Vec<String> = axes.iter().map(|(name, _)| name.clone()).collect();
    let written = |spread: &Option<f64>| spread.map_or_else(|| "-".to_owned(), percent);
    let values: Vec<String> = axes.iter().flat_map(|(_, spreads)| spreads.iter().map(written)).collect();
    let max = axes.iter().flat_map(|(_, spreads)| spreads).flatten().copied().fold(0.0, f64::max);
    let mut frame = Frame::new(&Contents {
        title: "Sensitivity: spread of each objective over each axis",
        subtitle,
        legend: &legend,
        labels: &labels,
        pitch: BAR * figures.len() as f64 + GAP,
        values: &values,
        axis: Axis::in_unit("mean of (max - min) / mean of otherwise equal points", "%", 0.01, max),
    });
    let (left, _) = frame.sides();
    for (row, (_, spreads)) in axes.iter().enumerate() {
        for (index, spread) in spreads.iter().enumerate() {
            let y = frame.row(row) + GAP / 2.0 + index as f64 * BAR;
            let end = frame.x(spread.unwrap_or(0.0));
            if end > left {
                frame.rectangle(left, y + 2.0, end - left, BAR - 4.0, line_colour(index));
            }
            frame.text(end + 8.0, y + BAR / 2.0, &written(spread), Anchor::Start, INK);
        }
    }
    frame.finish()
}
