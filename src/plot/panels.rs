//! Small charts side by side: lines over the same categories.

use crate::plot::frame::TEXT;
use crate::plot::palette::{BAND, GRID, INK, PALE_INK, component};
use crate::plot::picture::{Anchor, Colour, Mark, Picture};
use crate::plot::text::{fitted, text_width};
use crate::report::quantity::prefix;
use crate::trace::Component;

pub(super) const WIDTH: f64 = 900.0;
pub(super) const MARGIN: f64 = 20.0;
const TITLE: f64 = 15.0;
const LEGEND_LINE: f64 = 22.0;
/// Panels beside each other.
const ACROSS: usize = 2;
/// Room between panels, for the texts of the ticks of a panel, and above its chart.
const GAP: f64 = 26.0;
const TICKS: f64 = 52.0;
const HEAD: f64 = 30.0;
/// Height of a chart, and of what is below it.
const CHART: f64 = 150.0;
const FOOT: f64 = 56.0;
/// Side of a marker, and how far lines are apart sideways.
const MARKER: f64 = 7.0;
const APART: f64 = 9.0;

/// Colours of lines; more of them begin anew.
const COLOURS: [Component; 5] =
    [Component::Crossbar, Component::Adc, Component::Generator, Component::Digital, Component::Driver];

/// Colour of a line by its place in the legend.
#[must_use]
pub fn line_colour(index: usize) -> Colour {
    component(COLOURS[index % COLOURS.len()])
}

/// Scale of a panel's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// From 0.
    FromZero,
    /// As far as values and their errors reach.
    Range,
    /// Logarithmic; a value of 0 is written as such.
    Logarithmic,
}

/// A value of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Index of its category.
    pub category: usize,
    /// The value.
    pub value: f64,
    /// Ends of its error bar; both the value: none.
    pub error: (f64, f64),
}

/// One chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// Symbol of the unit, `%` for shares; empty: none.
    pub unit: &'static str,
    /// Scale of the values.
    pub scale: Scale,
    /// Points of each line, in the order of the legend.
    pub lines: Vec<Vec<Point>>,
}

/// Contents of a picture of panels.
#[derive(Debug)]
pub struct Contents<'a> {
    /// Title: what the picture shows.
    pub title: &'a str,
    /// Subtitle: the runs.
    pub subtitle: &'a str,
    /// Legend: a colour for each line.
    pub legend: &'a [(Colour, String)],
    /// Categories, from left to right.
    pub categories: &'a [String],
    /// What they are.
    pub axis: &'a str,
    /// The charts.
    pub panels: &'a [Panel],
}

/// Draws the panels, two beside each other.
#[must_use]
pub fn picture(contents: &Contents<'_>) -> Picture {
    let (mut shapes, top) = head(contents.title, contents.subtitle, contents.legend);
    let width = (WIDTH - 2.0 * MARGIN - GAP * (ACROSS - 1) as f64) / ACROSS as f64;
    let height = HEAD + CHART + FOOT;
    for (index, panel) in contents.panels.iter().enumerate() {
        let x = MARGIN + (index % ACROSS) as f64 * (width + GAP);
        let y = top + (index / ACROSS) as f64 * height;
        chart(&mut shapes, contents, panel, (x, y), width);
    }
    let rows = contents.panels.len().div_ceil(ACROSS);
    Picture { width: WIDTH, height: top + rows as f64 * height, shapes }
}

/// Title, subtitle and legend, and where they end.
pub(super) fn head(title: &str, subtitle: &str, legend: &[(Colour, String)]) -> (Vec<Mark>, f64) {
    let mut shapes = Vec::new();
    let fitting = fitted(title, TITLE, 0.95 * (WIDTH - 2.0 * MARGIN));
    let (x, y) = (MARGIN, MARGIN + TITLE / 2.0);
    shapes.push(Mark::Text { x, y, text: fitting, size: TITLE, bold: true, anchor: Anchor::Start, colour: INK });
    let subtitle = fitted(subtitle, TEXT, WIDTH - 2.0 * MARGIN);
    shapes.push(text((MARGIN, 55.0), &subtitle, Anchor::Start, PALE_INK));
    let (mut x, mut y) = (MARGIN, 80.0);
    for (colour, name) in legend {
        let width = MARKER + 6.0 + text_width(name, TEXT, false);
        if x > MARGIN && x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + LEGEND_LINE);
        }
        shapes.push(marker(x + MARKER / 2.0, y, *colour));
        shapes.push(text((x + MARKER + 6.0, y), name, Anchor::Start, INK));
        x += width + 24.0;
    }
    (shapes, y + LEGEND_LINE)
}

fn chart(shapes: &mut Vec<Mark>, contents: &Contents<'_>, panel: &Panel, (x, y): (f64, f64), width: f64) {
    let (left, right, top) = (x + TICKS, x + width, y + HEAD);
    let bottom = top + CHART;
    let values = || panel.lines.iter().flatten().flat_map(|point| [point.error.0, point.value, point.error.1]);
    let axis = ValueAxis::new(panel.scale, panel.unit, values());
    let title = axis.label(&panel.title);
    shapes.push(text((x, y + HEAD / 2.0 - 3.0), &title, Anchor::Start, INK));
    let slot = (right - left) / contents.categories.len().max(1) as f64;
    for (index, name) in contents.categories.iter().enumerate() {
        let from = left + index as f64 * slot;
        if index % 2 == 0 {
            shapes.push(Mark::Rectangle { x: from, y: top, width: slot, height: CHART, fill: BAND });
        }
        let name = fitted(name, TEXT, slot - 4.0);
        shapes.push(text((from + slot / 2.0, bottom + 14.0), &name, Anchor::Middle, INK));
    }
    let at = |value: f64| bottom - CHART * axis.share(value);
    for (value, label) in &axis.ticks {
        shapes.push(Mark::Line { from: (left - 4.0, at(*value)), to: (right, at(*value)), colour: GRID });
        shapes.push(text((left - 8.0, at(*value)), label, Anchor::End, INK));
    }
    shapes.push(Mark::Line { from: (left, bottom), to: (right, bottom), colour: INK });
    shapes.push(text(((left + right) / 2.0, bottom + 34.0), contents.axis, Anchor::Middle, PALE_INK));
    let in_category = |category: usize| {
        let has = move |line: &Vec<Point>| line.iter().any(|point| point.category == category);
        panel.lines.iter().map(has)
    };
    for (index, (line, (colour, _))) in panel.lines.iter().zip(contents.legend).enumerate() {
        // Lines with a point in a category stand beside each other in it.
        let place = |point: &Point| {
            let beside = in_category(point.category).filter(|has| *has).count() as f64;
            let before = in_category(point.category).take(index).filter(|has| *has).count() as f64;
            let aside = (before - (beside - 1.0) / 2.0) * APART.min(slot / beside);
            left + (point.category as f64 + 0.5) * slot + aside
        };
        let written = panel.scale == Scale::Logarithmic;
        let drawn: Vec<&Point> = line.iter().filter(|point| !(written && point.value <= 0.0)).collect();
        for pair in drawn.windows(2) {
            let ends = [pair[0], pair[1]].map(|point| (place(point), at(point.value)));
            shapes.push(Mark::Line { from: ends[0], to: ends[1], colour: *colour });
        }
        for point in &drawn {
            let (low, high) = (at(point.error.0), at(point.error.1));
            if low > high {
                shapes.push(Mark::Line { from: (place(point), high), to: (place(point), low), colour: *colour });
            }
            shapes.push(marker(place(point), at(point.value), *colour));
        }
        for point in line.iter().filter(|point| written && point.value <= 0.0) {
            shapes.push(text((place(point), bottom - 8.0), "0", Anchor::Middle, *colour));
        }
    }
}

/// Values that span more than this have a logarithmic scale.
const WIDE: f64 = 10.0;

/// Values from bottom to top.
pub(super) struct ValueAxis {
    /// Ends, as logarithms on a logarithmic scale.
    ends: (f64, f64),
    logarithmic: bool,
    pub(super) unit: String,
    pub(super) ticks: Vec<(f64, String)>,
}

impl ValueAxis {
    pub(super) fn new(scale: Scale, symbol: &str, values: impl Iterator<Item = f64> + Clone) -> Self {
        let largest = values.clone().fold(f64::MIN, f64::max);
        let logarithmic = scale == Scale::Logarithmic;
        let smallest = match scale {
            Scale::FromZero => 0.0,
            Scale::Range => values.fold(f64::MAX, f64::min),
            Scale::Logarithmic => values.filter(|value| *value > 0.0).fold(f64::MAX, f64::min),
        };
        let (smallest, largest) = match largest {
            _ if smallest < largest => (smallest, largest),
            0.0 => (0.0, 1.0),
            largest => (largest * 0.9, largest),
        };
        if logarithmic {
            let low = libm::floor(libm::log10(smallest.max(f64::MIN_POSITIVE)));
            let high = libm::ceil(libm::log10(largest.max(smallest))).max(low + 1.0);
            let powers = (0..).map(|step| low + f64::from(step)).take_while(|power| *power <= high);
            let tick = |power: f64| {
                let value = libm::pow(10.0, power);
                let (factor, prefix) = prefix(value * (1.0 + 1e-9));
                (value, format!("{:.0}{}{prefix}", value / factor, if prefix.is_empty() { "" } else { " " }))
            };
            return Self { ends: (low, high), logarithmic, unit: symbol.to_owned(), ticks: powers.map(tick).collect() };
        }
        let (factor, unit) = match symbol {
            "%" => (0.01, "%".to_owned()),
            "" => (1.0, String::new()),
            symbol => {
                let (factor, prefix) = prefix(largest);
                (factor, format!("{}{symbol}", if prefix == "u" { "\u{b5}" } else { prefix }))
            }
        };
        let step = step((largest - smallest) / factor);
        let (low, high) = (libm::floor(smallest / factor / step + 1e-9), libm::ceil(largest / factor / step - 1e-9));
        let decimals = (-libm::floor(libm::log10(step) + 1e-9)).max(0.0) as usize;
        let count = (high - low) as u32;
        let ticks = (0..=count).map(|tick| (low + f64::from(tick)) * step);
        let ticks = ticks.map(|value| (value * factor, format!("{value:.decimals$}"))).collect();
        Self { ends: (low * step * factor, high * step * factor), logarithmic, unit, ticks }
    }

    /// An axis for values of unlike sizes: logarithmic where they span more than a factor of 10, but for shares.
    pub(super) fn fitting(symbol: &str, values: impl Iterator<Item = f64> + Clone) -> Self {
        let (low, high) = values.clone().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        let wide = low > 0.0 && high > WIDE * low && symbol != "%";
        Self::new(if wide { Scale::Logarithmic } else { Scale::Range }, symbol, values)
    }

    /// A name with the unit.
    pub(super) fn label(&self, name: &str) -> String {
        if self.unit.is_empty() { name.to_owned() } else { format!("{name} ({})", self.unit) }
    }

    /// How far up a value is.
    pub(super) fn share(&self, value: f64) -> f64 {
        let value = if self.logarithmic { libm::log10(value) } else { value };
        (value - self.ends.0) / (self.ends.1 - self.ends.0)
    }
}

/// A step of 1, 2 or 5 times a power of ten that gives 3 to 5 steps in a span.
fn step(span: f64) -> f64 {
    let rough = span / 5.0;
    let power = libm::pow(10.0, libm::floor(libm::log10(rough) + 1e-9));
    let multiple = [1.0, 2.0, 5.0].into_iter().find(|multiple| multiple * power >= rough * (1.0 - 1e-9));
    multiple.unwrap_or(10.0) * power
}

pub(super) fn marker(x: f64, y: f64, fill: Colour) -> Mark {
    Mark::Rectangle { x: x - MARKER / 2.0, y: y - MARKER / 2.0, width: MARKER, height: MARKER, fill }
}

pub(super) fn text((x, y): (f64, f64), text: &str, anchor: Anchor, colour: Colour) -> Mark {
    Mark::Text { x, y, text: text.to_owned(), size: TEXT, bold: false, anchor, colour }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_their_values_between_round_ticks() {
        let ticks = |scale, unit, values: &[f64]| {
            let axis = ValueAxis::new(scale, unit, values.iter().copied());
            values.iter().filter(|value| **value > 0.0).for_each(|value| {
                assert!((-1e-9..=1.0 + 1e-9).contains(&axis.share(*value)), "{value} of {values:?}");
            });
            let texts: Vec<String> = axis.ticks.iter().map(|(_, text)| text.clone()).collect();
            (texts.join(" "), axis.unit)
        };
        let all = |texts: &str, unit: &str| (texts.to_owned(), unit.to_owned());
        assert_eq!(ticks(Scale::Range, "%", &[0.991, 1.0]), all("99.0 99.2 99.4 99.6 99.8 100.0", "%"));
        assert_eq!(ticks(Scale::FromZero, "J", &[46e-9, 391e-9]), all("0 100 200 300 400", "nJ"));
        assert_eq!(ticks(Scale::FromZero, "J", &[24e-6]), all("0 5 10 15 20 25", "\u{b5}J"));
        assert_eq!(ticks(Scale::Logarithmic, "", &[0.0, 7.0, 38_160.0]), all("1 10 100 1 k 10 k 100 k", ""));
        assert_eq!(ticks(Scale::Range, "", &[0.0, 0.0]), all("0.0 0.2 0.4 0.6 0.8 1.0", ""));
        assert_eq!(ticks(Scale::Range, "", &[0.0068, 0.0068]), all("0.0060 0.0062 0.0064 0.0066 0.0068", ""));
    }
}
