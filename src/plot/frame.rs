//! The frame of all pictures: title, legend, labelled rows and an axis below them.

use crate::plot::axis::Axis;
use crate::plot::palette::{BAND, GRID, INK, PALE_INK};
use crate::plot::picture::{Anchor, Colour, Mark, Picture};
use crate::plot::text::{fitted, text_width};

const WIDTH: f64 = 900.0;
const MARGIN: f64 = 20.0;
const TITLE: f64 = 15.0;
/// Size of an em of the texts.
pub const TEXT: f64 = 11.5;
/// Distance of the lines of a label.
const LINE: f64 = 14.0;
/// Widest label of a row.
pub(super) const LABEL: f64 = 190.0;
const LEGEND_LINE: f64 = 22.0;

/// Contents of a frame.
#[derive(Debug)]
pub struct Contents<'a> {
    /// Title: what the picture shows.
    pub title: &'a str,
    /// Subtitle: the run.
    pub subtitle: &'a str,
    /// Legend: colours with their meaning.
    pub legend: &'a [(Colour, String)],
    /// One row each; lines behind the first are paler.
    pub labels: &'a [String],
    /// Height of a row.
    pub pitch: f64,
    /// Texts that will stand to the right of bars; room is left for them.
    pub values: &'a [String],
    /// Axis below the rows.
    pub axis: Axis,
}

/// A picture with rows to draw into.
#[derive(Debug)]
pub struct Frame {
    picture: Picture,
    left: f64,
    right: f64,
    top: f64,
    pitch: f64,
    max: f64,
}

impl Frame {
    /// Lays everything out and draws all but the rows' contents.
    #[must_use]
    pub fn new(contents: &Contents<'_>) -> Self {
        let lines = |texts: &[String]| -> Vec<f64> {
            texts.iter().flat_map(|text| text.lines()).map(|line| text_width(line, TEXT, false)).collect()
        };
        let widest = |texts: &[String]| lines(texts).into_iter().fold(0.0, f64::max);
        let left = MARGIN + widest(contents.labels).min(LABEL) + 10.0;
        let last_tick = contents.axis.ticks.last().map_or(0.0, |(_, text)| text_width(text, TEXT, false) / 2.0);
        let values = if contents.values.is_empty() { 0.0 } else { widest(contents.values) + 8.0 };
        let right = WIDTH - MARGIN - last_tick.max(values);
        let picture = Picture { width: WIDTH, height: 0.0, shapes: Vec::new() };
        let mut frame = Self { picture, left, right, top: 0.0, pitch: contents.pitch, max: contents.axis.max };
        let room = WIDTH - 2.0 * MARGIN;
        frame.text_bold(MARGIN, MARGIN + TITLE / 2.0, contents.title, TITLE);
        frame.text(MARGIN, 55.0, &fitted(contents.subtitle, TEXT, room), Anchor::Start, PALE_INK);
        frame.top = frame.legend(contents.legend, 80.0);
        frame.rows(contents.labels);
        frame.axis(&contents.axis, contents.labels.len());
        frame
    }

    /// Draws the legend in as many lines as it needs; returns where the rows start.
    fn legend(&mut self, legend: &[(Colour, String)], top: f64) -> f64 {
        if legend.is_empty() {
            return top - 6.0;
        }
        let (mut x, mut y) = (MARGIN, top);
        for (colour, text) in legend {
            let width = 20.0 + text_width(text, TEXT, false);
            if x > MARGIN && x + width > WIDTH - MARGIN {
                (x, y) = (MARGIN, y + LEGEND_LINE);
            }
            self.rectangle(x, y - 6.0, 12.0, 12.0, *colour);
            self.text(x + 18.0, y, text, Anchor::Start, INK);
            x += width + 20.0;
        }
        y + LEGEND_LINE
    }

    fn rows(&mut self, labels: &[String]) {
        for (i, label) in labels.iter().enumerate() {
            let y = self.top + i as f64 * self.pitch;
            if i % 2 == 0 {
                self.rectangle(MARGIN, y, self.right - MARGIN, self.pitch, BAND);
            }
            let lines = label.lines().count().max(1) as f64;
            for (line, text) in label.lines().enumerate() {
                let middle = y + self.pitch / 2.0 + (line as f64 - (lines - 1.0) / 2.0) * LINE;
                let text = fitted(text, TEXT, LABEL);
                self.text(self.left - 10.0, middle, &text, Anchor::End, if line == 0 { INK } else { PALE_INK });
            }
        }
    }

    fn axis(&mut self, axis: &Axis, rows: usize) {
        let bottom = self.top + rows as f64 * self.pitch;
        for (value, text) in &axis.ticks {
            let x = self.x(*value);
            self.picture.shapes.push(Mark::Line { from: (x, self.top), to: (x, bottom + 5.0), colour: GRID });
            self.text(x, bottom + 16.0, text, Anchor::Middle, INK);
        }
        let line = Mark::Line { from: (self.left, bottom), to: (self.right, bottom), colour: INK };
        self.picture.shapes.push(line);
        let middle = (self.left + self.right) / 2.0;
        self.text(middle, bottom + 38.0, &axis.label, Anchor::Middle, PALE_INK);
        self.picture.height = bottom + 38.0 + MARGIN;
    }

    /// Where a value of the axis is.
    #[must_use]
    pub fn x(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * (value / self.max)
    }

    /// Where rows end to the left and to the right.
    #[must_use]
    pub fn sides(&self) -> (f64, f64) {
        (self.left, self.right)
    }

    /// Top of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> f64 {
        self.top + row as f64 * self.pitch
    }

    /// Adds a rectangle.
    pub fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, fill: Colour) {
        self.picture.shapes.push(Mark::Rectangle { x, y, width, height, fill });
    }

    /// Adds a text, `y` its middle.
    pub fn text(&mut self, x: f64, y: f64, text: &str, anchor: Anchor, colour: Colour) {
        let text = text.to_owned();
        self.picture.shapes.push(Mark::Text { x, y, text, size: TEXT, bold: false, anchor, colour });
    }

    fn text_bold(&mut self, x: f64, y: f64, text: &str, size: f64) {
        let text = text.to_owned();
        self.picture.shapes.push(Mark::Text { x, y, text, size, bold: true, anchor: Anchor::Start, colour: INK });
    }

    /// The finished picture.
    #[must_use]
    pub fn finish(self) -> Picture {
        self.picture
    }
}
