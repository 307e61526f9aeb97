//! A comparison as a picture: energy, area and latency of each row as shares of the reference's.

use crate::compare::label::Part;
use crate::compare::{Comparison, Row};
use crate::plot::Picture;
use crate::plot::axis::Axis;
use crate::plot::frame::{Contents, Frame};
use crate::plot::palette::{BLUE, INK, ORANGE};
use crate::plot::picture::{Anchor, Colour};
use crate::report::quantity::{percent, si, significant, square_millimetres};

const PITCH: f64 = 48.0;
const BAR: f64 = 11.0;
/// What is drawn: the name of a ratio, what it is called, and its colour.
const BARS: [(&str, &str, Colour); 3] =
    [("energy", "energy of an image", BLUE[0]), ("latency", "latency", ORANGE[0]), ("area", "area", BLUE[1])];
/// Longest name of the reference in the title.
const LONGEST: usize = 40;

/// Lines below a row's label: what is sampled, and how it answers.
fn note(row: &Row) -> String {
    let from = row.first_ensembling_layer.as_deref().unwrap_or_default();
    let uncertain = row.eps.map(|eps| format!("{eps} < p < {}", 1.0 - eps)).unwrap_or_default();
    let sampled = match row.scheme {
        "dense" => "all synapses sampled".to_owned(),
        "ls" => format!("all sampled from {from} on"),
        "rs" => format!("{uncertain} sampled"),
        "ls+rs" => format!("{uncertain} from {from} on"),
        _ => "nothing sampled".to_owned(),
    };
    let answers = row
        .outputs
        .as_ref()
        .and_then(|outputs| Some(format!("\naccuracy {}, ECE {:.4}", percent(outputs.accuracy?), outputs.ece?)));
    format!("\n{sampled}{}", answers.unwrap_or_default())
}

impl Comparison {
    /// Three bars a row; the longest one of all fills the width. Rows without figures have none.
    #[must_use]
    pub fn picture(&self) -> Picture {
        let labels: Vec<String> =
            self.labels(usize::MAX).into_iter().zip(&self.rows).map(|(label, row)| label + &note(row)).collect();
        let value = |row: &Row, name: &str| {
            let value = match name {
                "energy" => si(row.energy_j?, "J").replace(" u", " \u{b5}"),
                "area" => square_millimetres(row.area_mm2?).replace("um2", "\u{b5}m\u{b2}").replace("mm2", "mm\u{b2}"),
                _ => si(row.latency_s?, "s").replace(" u", " \u{b5}"),
            };
            Some(format!("{value}, \u{d7} {}", significant(*row.ratio.get(name)?)))
        };
        let values: Vec<String> =
            self.rows.iter().flat_map(|row| BARS.iter().filter_map(|(name, ..)| value(row, name))).collect();
        let ratios = self.rows.iter().flat_map(|row| BARS.iter().filter_map(|(name, ..)| row.ratio.get(name)));
        let largest = ratios.copied().fold(1.0, f64::max);
        let (_, same) = self.varying();
        let same = same.iter().filter(|part| ["network", "chip", "costs", "schedule"].contains(&part.head));
        let text = |part: &Part| {
            let text = part.text(self.rows.first()?)?;
            Some(if part.head == "schedule" { format!("schedule {text}") } else { text })
        };
        let subtitle = same.filter_map(text).collect::<Vec<_>>().join(", ");
        // The reference by what it is, or where that is long by its number.
        let reference = self.reference.map_or_else(String::new, |index| {
            let label = labels[index].lines().next().and_then(|label| label.split_once(' '));
            let name = label.map_or("", |(_, name)| name);
            if (1..=LONGEST).contains(&name.len()) { name.to_owned() } else { format!("row {}", index + 1) }
        });
        let title = format!("Energy, latency and area relative to {reference}");
        let legend: Vec<(Colour, String)> =
            BARS.iter().map(|(_, text, colour)| (*colour, (*text).to_owned())).collect();
        let mut axis = Axis::in_unit("", "", 1.0, largest);
        axis.label = format!("ratio to {reference}");
        let contents = Contents {
            title: &title,
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
