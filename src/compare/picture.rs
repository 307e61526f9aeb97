//! A comparison as a picture: energy, area and latency of each row as shares of the reference's.

use crate::compare::Comparison;
use crate::plot::Picture;
use crate::plot::axis::Axis;
use crate::plot::frame::{Contents, Frame};
use crate::plot::palette::{BLUE, INK, ORANGE};
use crate::plot::picture::{Anchor, Colour};
use crate::report::quantity::{si, significant, square_millimetres};

const PITCH: f64 = 48.0;
const BAR: f64 = 11.0;
/// What is drawn: the name of a ratio, what it is called, and its colour.
const BARS: [(&str, &str, Colour); 3] =
    [("energy", "energy of an image", BLUE[0]), ("area", "area", BLUE[1]), ("latency", "latency", ORANGE[0])];

impl Comparison {
    /// Three bars a row; the longest one of all fills the width. Rows without figures have none.
    #[must_use]
    pub fn picture(&self) -> Picture {
        let labels = self.labels(usize::MAX);
        let value = |row: &super::Row, name: &str| {
            let value = match name {
                "energy" => si(row.energy_j?, "J").replace(" u", " \u{b5}"),
                "area" => square_millimetres(row.area_mm2?).replace("um2", "\u{b5}m\u{b2}").replace("mm2", "mm\u{b2}"),
                _ => si(row.latency_s?, "s").replace(" u", " \u{b5}"),
            };
            Some(format!("{value}, x {}", significant(*row.ratio.get(name)?)))
        };
        let values: Vec<String> =
            self.rows.iter().flat_map(|row| BARS.iter().filter_map(|(name, ..)| value(row, name))).collect();
        let ratios = self.rows.iter().flat_map(|row| BARS.iter().filter_map(|(name, ..)| row.ratio.get(name)));
        let largest = ratios.copied().fold(1.0, f64::max);
        let first = self.reference.map_or(String::new(), |index| format!("; ratios to row {}", index + 1));
        let (_, same) = self.varying();
        let same = same.iter().filter(|part| ["network", "chip", "costs", "schedule"].contains(&part.head));
        let told: Vec<String> = same.filter_map(|part| part.text(self.rows.first()?)).collect();
        let subtitle = format!("{}{first}", told.join(", "));
        let legend: Vec<(Colour, String)> =
            BARS.iter().map(|(_, text, colour)| (*colour, (*text).to_owned())).collect();
        let mut axis = Axis::in_unit("ratio to the reference", "1", 1.0, largest);
        axis.label = "ratio to the reference".to_owned();
        let contents = Contents {
            title: "Energy, area and latency side by side",
            subtitle: &subtitle,
            legend: &legend,
            labels: &labels,
            pitch: PITCH,
            values: &values,
            axis,
        };
        let mut frame = Frame::new(&contents);
        let zero = frame.x(0.0);
        for (index, row) in self.rows.iter().enumerate() {
            let top = frame.row(index) + (PITCH - 3.0 * (BAR + 2.0)) / 2.0;
            for (bar, (name, _, colour)) in BARS.iter().enumerate() {
                let (Some(ratio), Some(value)) = (row.ratio.get(name), value(row, name)) else { continue };
                let y = top + bar as f64 * (BAR + 2.0);
                let end = frame.x(*ratio);
                frame.rectangle(zero, y, end - zero, BAR, *colour);
                frame.text(end + 6.0, y + BAR / 2.0, &value, Anchor::Start, INK);
            }
        }
        frame.finish()
    }
}
