//! Points over two quantities, some of them joined by steps.

use crate::plot::frame::TEXT;
use crate::plot::palette::{GRID, INK, PALE_INK};
use crate::plot::panels::{MARGIN, ValueAxis, WIDTH, head, marker, text};
use crate::plot::picture::{Anchor, Colour, Mark, Picture};
use crate::plot::text::text_width;
use std::collections::BTreeSet;

const CHART: f64 = 400.0;

/// What is along an axis.
#[derive(Debug, Clone, Copy)]
pub struct Quantity<'a> {
    /// Name.
    pub name: &'a str,
    /// Symbol of the unit, `%` for shares; empty: none.
    pub unit: &'a str,
}

/// Points of a colour.
#[derive(Debug)]
pub struct Series {
    /// Their colour.
    pub colour: Colour,
    /// What they are.
    pub name: String,
    /// Where they are, to the right and upwards.
    pub points: Vec<(f64, f64)>,
}

/// Contents of a scatter plot.
#[derive(Debug)]
pub struct Contents<'a> {
    /// Title: what the picture shows.
    pub title: &'a str,
    /// Subtitle: of what.
    pub subtitle: &'a str,
    /// Below and to the left.
    pub axes: [Quantity<'a>; 2],
    /// Points; later ones cover earlier ones.
    pub series: &'a [Series],
    /// Whether the last series is joined, in its order, by steps that go sideways first.
    pub stairs: bool,
}

/// Draws the points. All values are finite; there is at least one.
#[must_use]
pub fn picture(contents: &Contents<'_>) -> Picture {
    let along = |axis: usize| {
        let points = contents.series.iter().flat_map(|series| &series.points);
        let values = points.map(|point| if axis == 0 { point.0 } else { point.1 });
        ValueAxis::fitting(contents.axes[axis].unit, values)
    };
    let axes = [along(0), along(1)];
    let label = |axis: usize| axes[axis].label(contents.axes[axis].name);
    let ticks = axes[1].ticks.iter().map(|(_, tick)| text_width(tick, TEXT, false)).fold(0.0, f64::max);
    let legend: Vec<_> = contents.series.iter().map(|series| (series.colour, series.name.clone())).collect();
    let (mut shapes, top) = head(contents.title, contents.subtitle, &legend);
    let top = top + 22.0;
    let (left, right, bottom) = (MARGIN + ticks + 10.0, WIDTH - MARGIN - 20.0, top + CHART);
    shapes.push(text((MARGIN, top - 20.0), &label(1), Anchor::Start, PALE_INK));
    shapes.push(text(((left + right) / 2.0, bottom + 38.0), &label(0), Anchor::Middle, PALE_INK));
    let at = |(x, y): (f64, f64)| (left + (right - left) * axes[0].share(x), bottom - CHART * axes[1].share(y));
    for (value, tick) in &axes[0].ticks {
        let x = left + (right - left) * axes[0].share(*value);
        shapes.push(Mark::Line { from: (x, top), to: (x, bottom + 5.0), colour: GRID });
        shapes.push(text((x, bottom + 16.0), tick, Anchor::Middle, INK));
    }
    for (value, tick) in &axes[1].ticks {
        let y = bottom - CHART * axes[1].share(*value);
        shapes.push(Mark::Line { from: (left - 4.0, y), to: (right, y), colour: GRID });
        shapes.push(text((left - 8.0, y), tick, Anchor::End, INK));
    }
    shapes.push(Mark::Line { from: (left, bottom), to: (right, bottom), colour: INK });
    shapes.push(Mark::Line { from: (left, top), to: (left, bottom), colour: INK });
    for (index, series) in contents.series.iter().enumerate() {
        let places: Vec<(f64, f64)> = series.points.iter().map(|point| at(*point)).collect();
        if contents.stairs && index + 1 == contents.series.len() {
            for pair in places.windows(2) {
                let corner = (pair[1].0, pair[0].1);
                shapes.push(Mark::Line { from: pair[0], to: corner, colour: series.colour });
                shapes.push(Mark::Line { from: corner, to: pair[1], colour: series.colour });
            }
        }
        // Of many points at the same place one is enough.
        let mut drawn = BTreeSet::new();
        let new = places.into_iter().filter(|(x, y)| drawn.insert((x.round() as i64, y.round() as i64)));
        shapes.extend(new.map(|(x, y)| marker(x, y, series.colour)));
    }
    Picture { width: WIDTH, height: bottom + 38.0 + MARGIN, shapes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_stand_within_the_chart_and_equal_ones_once() {
        let series =
            |name: &str, points: &[(f64, f64)]| Series { colour: INK, name: name.to_owned(), points: points.to_vec() };
        let all = [
            series("others", &[(5e-9, 0.9), (5e-9, 0.9), (3e-7, 0.5)]),
            series("front", &[(1e-9, 0.95), (2e-9, 0.97)]),
        ];
        let axes = [Quantity { name: "energy_j", unit: "J" }, Quantity { name: "accuracy", unit: "%" }];
        let contents = Contents { title: "front", subtitle: "", axes, series: &all, stairs: true };
        let drawn = picture(&contents);
        let markers: Vec<(f64, f64)> = drawn
            .shapes
            .iter()
            .filter_map(|shape| match shape {
                Mark::Rectangle { x, y, .. } => Some((*x, *y)),
                _ => None,
            })
            .collect();
        // Two of the legend, and four places.
        assert_eq!(markers.len(), 6);
        for (x, y) in &markers[2..] {
            assert!((0.0..WIDTH - MARGIN).contains(x) && (119.0..=124.0 + CHART).contains(y), "{x} {y}");
        }
        let in_ink = |shape: &&Mark| matches!(shape, Mark::Line { colour, .. } if *colour == INK);
        // Both axes, and a step of two lines.
        assert_eq!(drawn.shapes.iter().filter(in_ink).count(), 4);
    }
}
