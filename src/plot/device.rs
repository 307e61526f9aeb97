//! Pictures of a kind of memory cell: conductance over time, and read noise over conductance.

use crate::device::population::population;
use crate::device::{Device, Moment};
use crate::plot::axis::Axis;
use crate::plot::palette::{BLUE, GRID, INK, ORANGE, PALE_INK, pale};
use crate::plot::picture::{Anchor, Colour, Mark, Picture};
use crate::units::Age;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 800.0;
const TOP: f64 = 75.0;
const BOTTOM: f64 = 420.0;
const TEXT: f64 = 11.5;

/// Targets, as shares of the largest conductance.
const TARGETS: [f64; 5] = [0.0, 0.2, 0.4, 0.7, 1.0];
/// Devices of each target.
const DEVICES: u64 = 4_000;
/// Points of a curve.
const POINTS: usize = 72;
/// Ages that are labelled; the axis is logarithmic in the age.
const AGES: [(Age, &str); 7] = [
    (Age(1_000), "1 s"),
    (Age(60_000), "1 min"),
    (Age(3_600_000), "1 h"),
    (Age(86_400_000), "1 day"),
    (Age(30 * 86_400_000), "30 days"),
    (Age(31_536_000_000), "1 year"),
    (Age(10 * 31_536_000_000), "10 years"),
];

/// Both pictures, with the names of their files.
#[must_use]
pub fn pictures(device: &Device, seed: u64, threads: usize) -> Vec<(&'static str, Picture)> {
    vec![("device_over_time", over_time(device, seed, threads)), ("device_read_noise", read_noise(device))]
}

/// Conductance of reads over the age: mean, and a band of one standard deviation to either side.
fn over_time(device: &Device, seed: u64, threads: usize) -> Picture {
    let model = &device.model;
    let largest = model.conductance_max.microsiemens();
    let last = AGES[AGES.len() - 1].0.seconds();
    let share_of = |age: f64| libm::log(age) / libm::log(last);
    let age_of = |share: f64| libm::pow(last, share);
    let mut chart = Chart::new(
        "Conductance of a read over its age",
        &format!("{}: mean and one standard deviation of {DEVICES} devices for each target", model.name),
        &Axis::in_unit("conductance", "\u{b5}S", 1.0, largest * 1.1),
    );
    chart.below(AGES.map(|(age, text)| (share_of(age.seconds()), text.to_owned())), "age since the first read");
    for (i, target) in TARGETS.into_iter().enumerate() {
        let colour = if i % 2 == 0 { BLUE[0] } else { ORANGE[0] };
        let at = |point: usize| point as f64 / POINTS as f64;
        let of = |share: f64| population(device, target * largest, age_of(share), DEVICES, seed, threads).read;
        let spreads: Vec<_> = (0..=POINTS).map(|point| of(at(point))).collect();
        for (point, spread) in spreads.iter().enumerate() {
            let half = 0.5 / POINTS as f64;
            let (from, to) = ((at(point) - half).max(0.0), (at(point) + half).min(1.0));
            chart.band(from, to, (spread.mean - spread.std).max(0.0), spread.mean + spread.std, pale(colour));
        }
        chart.line((0..=POINTS).map(|point| (at(point), spreads[point].mean)), colour);
        let end = spreads[POINTS].mean;
        chart.note(end, &format!("target {} \u{b5}S", (target * largest * 1e3).round() / 1e3), colour);
    }
    chart.finish()
}

/// Relative standard deviation of reads over the programmed conductance, at three ages.
fn read_noise(device: &Device) -> Picture {
    let model = &device.model;
    let largest = model.conductance_max.microsiemens();
    let ages = [(Age(0), BLUE[0]), (Age(3_600_000), ORANGE[0]), (Age(31_536_000_000), PALE_INK)];
    let moments: Vec<(Age, Colour, Moment)> = ages.map(|(age, colour)| (age, colour, model.at(age.seconds()))).to_vec();
    let sigma = |share: f64, moment: Moment| model.read_sigma(share * largest, moment);
    let points = |moment: Moment| {
        (0..=POINTS * 4).map(move |i| i as f64 / (POINTS * 4) as f64).map(move |share| (share, sigma(share, moment)))
    };
    let most = moments.iter().flat_map(|(.., moment)| points(*moment)).map(|(_, sigma)| sigma).fold(0.0, f64::max);
    let mut chart = Chart::new(
        "Read noise over the programmed conductance",
        &format!("{}: standard deviation of reads as a share of the conductance", model.name),
        &Axis::in_unit("standard deviation / conductance", "%", 0.01, most * 1.05),
    );
    let axis = Axis::in_unit("programmed conductance", "\u{b5}S", 1.0, largest);
    chart.below(axis.ticks.iter().map(|(value, text)| (value / largest, text.clone())), &axis.label);
    for (i, (age, colour, moment)) in moments.iter().enumerate() {
        chart.line(points(*moment), *colour);
        let text = if age.0 == 0 { "first read".to_owned() } else { format!("after {age}") };
        chart.legend(i, &text, *colour);
    }
    chart.finish()
}

/// A chart with linear axes: x from 0 to 1, y from 0 to the end of its axis.
pub(super) struct Chart {
    picture: Picture,
    max: f64,
    /// Heights of the notes at its right.
    notes: Vec<f64>,
}

impl Chart {
    pub(super) fn new(title: &str, subtitle: &str, axis: &Axis) -> Self {
        let picture = Picture { width: WIDTH, height: HEIGHT, shapes: Vec::new() };
        let mut chart = Self { picture, max: axis.max, notes: Vec::new() };
        chart.text(20.0, 27.0, title, 15.0, Anchor::Start, INK);
        chart.text(20.0, 50.0, &format!("{subtitle}; vertical: {}", axis.label), TEXT, Anchor::Start, PALE_INK);
        for (value, text) in &axis.ticks {
            let y = chart.y(*value);
            chart.picture.shapes.push(Mark::Line { from: (LEFT, y), to: (RIGHT, y), colour: GRID });
            chart.text(LEFT - 8.0, y, text, TEXT, Anchor::End, INK);
        }
        chart
    }

    /// Ticks at shares of the width, and the meaning of the axis.
    pub(super) fn below(&mut self, ticks: impl IntoIterator<Item = (f64, String)>, label: &str) {
        for (share, text) in ticks {
            let x = self.x(share);
            self.picture.shapes.push(Mark::Line { from: (x, TOP), to: (x, BOTTOM + 5.0), colour: GRID });
            self.text(x, BOTTOM + 16.0, &text, TEXT, Anchor::Middle, INK);
        }
        self.picture.shapes.push(Mark::Line { from: (LEFT, BOTTOM), to: (RIGHT, BOTTOM), colour: INK });
        self.text((LEFT + RIGHT) / 2.0, BOTTOM + 38.0, label, TEXT, Anchor::Middle, PALE_INK);
    }

    fn x(&self, share: f64) -> f64 {
        LEFT + share * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - value / self.max * (BOTTOM - TOP)
    }

    fn band(&mut self, from: f64, to: f64, low: f64, high: f64, fill: Colour) {
        let (x, y) = (self.x(from), self.y(high));
        let (width, height) = (self.x(to) - x, self.y(low) - y);
        self.picture.shapes.push(Mark::Rectangle { x, y, width, height, fill });
    }

    pub(super) fn line(&mut self, points: impl Iterator<Item = (f64, f64)>, colour: Colour) {
        let points: Vec<(f64, f64)> = points.map(|(share, value)| (self.x(share), self.y(value))).collect();
        for pair in points.windows(2) {
            self.picture.shapes.push(Mark::Line { from: pair[0], to: pair[1], colour });
        }
    }

    /// A text at the end of a curve, beside others that came before.
    fn note(&mut self, value: f64, text: &str, colour: Colour) {
        let mut y = self.y(value);
        while let Some(near) = self.notes.iter().find(|near| (*near - y).abs() < 14.0) {
            y = near - 14.0;
        }
        self.notes.push(y);
        self.text(RIGHT + 6.0, y, text, TEXT, Anchor::Start, colour);
    }

    pub(super) fn legend(&mut self, index: usize, text: &str, colour: Colour) {
        let y = TOP + 14.0 + 18.0 * index as f64;
        self.picture.shapes.push(Mark::Rectangle {
            x: RIGHT - 130.0,
            y: y - 6.0,
            width: 12.0,
            height: 12.0,
            fill: colour,
        });
        self.text(RIGHT - 112.0, y, text, TEXT, Anchor::Start, INK);
    }

    fn text(&mut self, x: f64, y: f64, text: &str, size: f64, anchor: Anchor, colour: Colour) {
        let bold = size > TEXT;
        self.picture.shapes.push(Mark::Text { x, y, text: text.to_owned(), size, bold, anchor, colour });
    }

    pub(super) fn finish(self) -> Picture {
        self.picture
    }
}
