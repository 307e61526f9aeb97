//! Points of many dimensions as lines over parallel axes (Inselberg, "The plane with parallel coordinates", The Visual
//! Computer 1, 1985).

use crate::plot::frame::TEXT;
use crate::plot::palette::{GRID, INK, PALE_INK};
use crate::plot::panels::{MARGIN, ValueAxis, WIDTH, head, text};
use crate::plot::picture::{Anchor, Colour, Mark, Picture};
use crate::plot::scatter::Quantity;
use crate::plot::text::{fitted, text_width};
use std::collections::BTreeSet;

const CHART: f64 = 380.0;
/// Distance of the lines of the axes' names, which stand in turn on two of them.
const LINE: f64 = 18.0;

/// What is along an axis, upwards.
#[derive(Debug)]
pub enum Along<'a> {
    /// Named values; a point has the index of its one.
    Values {
        /// Name of the axis.
        name: &'a str,
        /// Names of the values.
        values: &'a [String],
    },
    /// Numbers.
    Numbers(Quantity<'a>),
}

/// Points of a colour.
#[derive(Debug)]
pub struct Series {
    /// Their colour.
    pub colour: Colour,
    /// What they are.
    pub name: String,
    /// Value of each point on each axis.
    pub points: Vec<Vec<f64>>,
}

/// Contents of a picture of parallel coordinates.
#[derive(Debug)]
pub struct Contents<'a> {
    /// Title: what the picture shows.
    pub title: &'a str,
    /// Subtitle: of what.
    pub subtitle: &'a str,
    /// The axes, from left to right; at least two.
    pub axes: &'a [Along<'a>],
    /// Points; later ones cover earlier ones.
    pub series: &'a [Series],
}

/// An axis that is laid out: its name, ticks with their shares of the height, and what gives the share of a value.
struct Laid<'a> {
    name: String,
    ticks: Vec<(f64, String)>,
    share: Box<dyn Fn(f64) -> f64 + 'a>,
}

impl<'a> Laid<'a> {
    fn new(along: &'a Along<'a>, values: impl Iterator<Item = f64> + Clone) -> Self {
        match along {
            Along::Values { name, values } => {
                let count = values.len();
                let share = move |index: f64| if count < 2 { 0.5 } else { index / (count - 1) as f64 };
                let ticks = values.iter().enumerate().map(|(index, name)| (share(index as f64), name.clone()));
                Self { name: (*name).to_owned(), ticks: ticks.collect(), share: Box::new(share) }
            }
            Along::Numbers(quantity) => {
                let axis = ValueAxis::fitting(quantity.unit, values);
                let ticks = axis.ticks.iter().map(|(value, text)| (axis.share(*value), text.clone())).collect();
                Self { name: axis.label(quantity.name), ticks, share: Box::new(move |value| axis.share(value)) }
            }
        }
    }
}

/// Draws a line for each point. All values are finite.
#[must_use]
pub fn picture(contents: &Contents<'_>) -> Picture {
    let legend: Vec<_> = contents.series.iter().map(|series| (series.colour, series.name.clone())).collect();
    let (mut shapes, head) = head(contents.title, contents.subtitle, &legend);
    let values =
        |axis: usize| contents.series.iter().flat_map(move |of| of.points.iter().map(move |point| point[axis]));
    let axes: Vec<Laid<'_>> =
        contents.axes.iter().enumerate().map(|(index, along)| Laid::new(along, values(index))).collect();
    let top = head + 2.0 * LINE + 8.0;
    let bottom = top + CHART;
    // Texts of ticks stand to the left of their axis.
    let widest = |ticks: &[(f64, String)]| ticks.iter().map(|(_, t)| text_width(t, TEXT, false)).fold(0.0, f64::max);
    let left = MARGIN + axes.first().map_or(0.0, |axis| widest(&axis.ticks)).min(120.0) + 8.0;
    let apart = (WIDTH - MARGIN - 30.0 - left) / (axes.len().max(2) - 1) as f64;
    let x = |axis: usize| left + axis as f64 * apart;
    let y = |share: f64| bottom - CHART * share;
    // Of many lines at the same place one is enough.
    for series in contents.series {
        let mut drawn = BTreeSet::new();
        for point in &series.points {
            let heights: Vec<f64> = axes.iter().zip(point).map(|(axis, value)| y((axis.share)(*value))).collect();
            for (axis, ends) in heights.windows(2).enumerate() {
                if drawn.insert((axis, ends[0].round() as i64, ends[1].round() as i64)) {
                    let (from, to) = ((x(axis), ends[0]), (x(axis + 1), ends[1]));
                    shapes.push(Mark::Line { from, to, colour: series.colour });
                }
            }
        }
    }
    for (index, axis) in axes.iter().enumerate() {
        let x = x(index);
        shapes.push(Mark::Line { from: (x, top), to: (x, bottom), colour: INK });
        for (share, tick) in &axis.ticks {
            let tick = fitted(tick, TEXT, if index == 0 { 120.0 } else { apart - 14.0 });
            let width = text_width(&tick, TEXT, false);
            let middle = y(*share);
            let (fill, height) = ([0xff; 3], TEXT + 2.0);
            let backed =
                Mark::Rectangle { x: x - 9.0 - width, y: middle - height / 2.0, width: width + 2.0, height, fill };
            shapes.push(Mark::Line { from: (x - 4.0, middle), to: (x + 4.0, middle), colour: INK });
            shapes.push(backed);
            shapes.push(text((x - 8.0, middle), &tick, Anchor::End, INK));
        }
        let line = top - 16.0 - LINE * (index % 2) as f64;
        if index % 2 == 1 {
            shapes.push(Mark::Line { from: (x, line + 8.0), to: (x, top), colour: GRID });
        }
        let (anchor, room) = match index {
            0 => (Anchor::Start, 2.0 * apart + left - MARGIN),
            last if last + 1 == axes.len() => (Anchor::End, 2.0 * apart),
            _ => (Anchor::Middle, 2.0 * apart),
        };
        let at = match anchor {
            Anchor::Start => MARGIN,
            Anchor::End => WIDTH - MARGIN,
            Anchor::Middle => x,
        };
        shapes.push(text((at, line), &fitted(&axis.name, TEXT, room - 12.0), anchor, PALE_INK));
    }
    Picture { width: WIDTH, height: bottom + 12.0 + MARGIN, shapes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_line_over_all_axes_and_equal_pieces_are_drawn_once() {
        let values = ["Layer".to_owned(), "Sequential".to_owned()];
        let axes = [
            Along::Values { name: "schedule.mode", values: &values },
            Along::Numbers(Quantity { name: "energy_j", unit: "J" }),
            Along::Numbers(Quantity { name: "accuracy", unit: "%" }),
        ];
        let series = |name: &str, colour, points: &[[f64; 3]]| Series {
            colour,
            name: name.to_owned(),
            points: points.iter().map(|point| point.to_vec()).collect(),
        };
        let others = [1, 2, 3];
        let front = [4, 5, 6];
        let all = [
            series("points", others, &[[0.0, 1e-9, 0.9], [1.0, 1e-9, 0.9], [1.0, 5e-6, 0.5]]),
            series("front", front, &[[0.0, 1e-9, 0.97]]),
        ];
        let drawn = picture(&Contents { title: "t", subtitle: "", axes: &axes, series: &all });
        let lines = |of: Colour| {
            let lines = drawn.shapes.iter().filter_map(move |shape| match shape {
                Mark::Line { from, to, colour } if *colour == of => Some((*from, *to)),
                _ => None,
            });
            lines.collect::<Vec<_>>()
        };
        // Six pieces, one of them twice.
        assert_eq!((lines(others).len(), lines(front).len()), (5, 2));
        let (first, second) = (lines(front)[0], lines(front)[1]);
        assert_eq!(first.1, second.0);
        assert!(first.0.0 < first.1.0 && second.1.0 <= WIDTH - MARGIN);
        // The first value stands below, the smallest energy too, the largest accuracy above.
        assert!(first.0.1 > lines(others)[2].0.1 - 1e-9 && second.1.1 < lines(others)[1].1.1);
    }
}
