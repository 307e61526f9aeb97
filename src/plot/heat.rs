//! A figure over two axes of a design space: a cell for each pair of their values.

use crate::plot::frame::{LABEL, TEXT};
use crate::plot::palette::{BAND, INK, PALE_INK, shade, text_on};
use crate::plot::panels::{MARGIN, WIDTH, head, text};
use crate::plot::picture::{Anchor, Mark, Picture};
use crate::plot::text::{fitted, text_width};

/// Height of a cell, and of all of them before they get lower.
const CELL: f64 = 34.0;
const LOWEST: f64 = 16.0;
const CHART: f64 = 600.0;

/// Contents of a heat map.
#[derive(Debug)]
pub struct Contents<'a> {
    /// Title: what the picture shows.
    pub title: &'a str,
    /// Subtitle: of what.
    pub subtitle: &'a str,
    /// Names of the axes: to the right, and downwards.
    pub axes: [&'a str; 2],
    /// Their values.
    pub values: [&'a [String]; 2],
    /// Value and text of each cell, row by row; none: there is no such point.
    pub cells: &'a [Option<(f64, String)>],
}

/// Draws the cells, the darker the larger their values are.
#[must_use]
pub fn picture(contents: &Contents<'_>) -> Picture {
    let [across, down] = contents.values;
    let (mut shapes, top) = head(contents.title, contents.subtitle, &[]);
    let widest = down.iter().map(|name| text_width(name, TEXT, false)).fold(0.0, f64::max);
    let (left, top) = (MARGIN + widest.min(LABEL) + 10.0, top + 6.0);
    let width = (WIDTH - MARGIN - left) / across.len().max(1) as f64;
    let height = (CHART / down.len().max(1) as f64).clamp(LOWEST, CELL);
    let bottom = top + height * down.len() as f64;
    shapes.push(text((MARGIN, top - 18.0), contents.axes[1], Anchor::Start, PALE_INK));
    shapes.push(text(((left + WIDTH - MARGIN) / 2.0, bottom + 36.0), contents.axes[0], Anchor::Middle, PALE_INK));
    for (column, name) in across.iter().enumerate() {
        let x = left + (column as f64 + 0.5) * width;
        shapes.push(text((x, bottom + 14.0), &fitted(name, TEXT, width - 4.0), Anchor::Middle, INK));
    }
    let known = || contents.cells.iter().flatten().map(|(value, _)| *value);
    let (low, high) = known().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    // Equal ratios get equal steps where values are far apart.
    let place = |value: f64| if low > 0.0 && high > 10.0 * low { libm::log(value) } else { value };
    let share = |value: f64| if high > low { (place(value) - place(low)) / (place(high) - place(low)) } else { 0.5 };
    for (row, (name, cells)) in down.iter().zip(contents.cells.chunks(across.len().max(1))).enumerate() {
        let y = top + row as f64 * height;
        let middle = y + height / 2.0;
        shapes.push(text((left - 10.0, middle), &fitted(name, TEXT, LABEL), Anchor::End, INK));
        for (column, cell) in cells.iter().enumerate() {
            let x = left + column as f64 * width;
            let fill = cell.as_ref().map_or(BAND, |(value, _)| shade(share(*value)));
            let written = cell.as_ref().map_or("-", |(_, written)| written.as_str());
            shapes.push(Mark::Rectangle { x, y, width: width - 2.0, height: height - 2.0, fill });
            let written = fitted(written, TEXT, width - 6.0);
            shapes.push(text((x + width / 2.0 - 1.0, middle - 1.0), &written, Anchor::Middle, text_on(fill)));
        }
    }
    Picture { width: WIDTH, height: bottom + 36.0 + MARGIN, shapes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::palette::grey;

    #[test]
    fn larger_values_are_darker_and_absent_ones_are_marked() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (across, down) = (names(&["4", "5", "6"]), names(&["a", "b"]));
        let value = |value: f64| Some((value, format!("{value} J")));
        let cells = [value(1.0), value(3.0), value(2.0), None, value(500.0), value(40.0)];
        let contents = Contents { title: "t", subtitle: "", axes: ["x", "y"], values: [&across, &down], cells: &cells };
        let drawn = picture(&contents);
        let fills: Vec<f64> = drawn
            .shapes
            .iter()
            .filter_map(|shape| match shape {
                Mark::Rectangle { x, y, width, height, fill } => {
                    assert!(*x > MARGIN && x + width <= WIDTH - MARGIN && *y > 80.0 && y + height < drawn.height);
                    Some(grey(*fill))
                }
                _ => None,
            })
            .collect();
        assert_eq!(fills.len(), 6);
        assert!(fills[0] > fills[2] && fills[2] > fills[1] && fills[1] > fills[5] && fills[5] > fills[4], "{fills:?}");
        assert_eq!(fills[3], grey(BAND));
        let is_text =
            |wanted: &str| drawn.shapes.iter().any(|shape| matches!(shape, Mark::Text { text, .. } if text == wanted));
        assert!(["4", "b", "40 J", "-", "x", "y"].into_iter().all(is_text));
    }
}
