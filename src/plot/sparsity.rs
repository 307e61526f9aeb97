//! What a posterior leaves to sample: by first ensembling layer, by p, and by the width of a packed plane.

use crate::plot::axis::Axis;
use crate::plot::frame::{Contents, Frame};
use crate::plot::palette::{BLUE, GRID, INK, PALE_INK, component};
use crate::plot::picture::{Anchor, Colour, Picture};
use crate::report::quantity::{grouped, percent};
use crate::report::sparsity::{ArraySize, BINS, LayerSparsity, Sparsity, WIDTHS};
use crate::trace::Component;

/// Height of a bar beside others in its row, and of the room that a row has above and below its bars.
const BAR: f64 = 14.0;
const MARGIN: f64 = 6.0;
/// Height of a row of the histogram, and of its highest column.
const HISTOGRAM: f64 = 70.0;
const COLUMN: f64 = 48.0;
/// Smallest share that the histogram shows: 0.01 %.
const LEAST: f64 = 1e-4;

/// All pictures, with the names of their files. That of packings is for the first eps and counts of arrays of `size`.
#[must_use]
pub fn pictures(sparsity: &Sparsity, eps: &[f64], size: ArraySize) -> Vec<(&'static str, Picture)> {
    vec![
        ("sparsity-first-layer", first_layer(sparsity, eps)),
        ("sparsity-histogram", histogram(sparsity)),
        ("sparsity-width", width(sparsity, eps[0], size)),
    ]
}

/// A row for each first ensembling layer: the probabilistic synapses from there on, a bar for each eps.
#[must_use]
pub fn first_layer(sparsity: &Sparsity, eps: &[f64]) -> Picture {
    let total = synapses(sparsity);
    let mut eps: Vec<f64> = eps.to_vec();
    eps.sort_by(f64::total_cmp);
    eps.dedup();
    let tint = |bar: usize| tint(bar as f64 / (eps.len().max(2) - 1) as f64);
    let legend = eps.iter().enumerate().map(|(bar, eps)| (tint(bar), format!("eps {eps}"))).collect();
    let rows = sparsity.from_layer.iter().map(|from| {
        let counts = eps.iter().map(|eps| from.probabilistic[&eps.to_string()]);
        let bar =
            |count: u64| (count as f64, format!("{}, {}", grouped(count), percent(count as f64 / total.max(1) as f64)));
        (format!("from {}", from.layer), counts.map(bar).collect())
    });
    let subtitle = format!("{}; share of its {} synapses", sparsity.workload, grouped(total));
    let most = sparsity.from_layer.iter().flat_map(|from| from.probabilistic.values()).copied().max().unwrap_or(0);
    bars(
        "Probabilistic synapses from each first ensembling layer on",
        &subtitle,
        legend,
        &rows.collect::<Vec<Row>>(),
        Axis::new("synapses", "", most as f64),
        None,
    )
}

/// A row for each width of a plane: what packing by rows and by lists stores of the network in it.
#[must_use]
pub fn width(sparsity: &Sparsity, eps: f64, size: ArraySize) -> Picture {
    let total = synapses(sparsity).max(1) as f64;
    let of_layers = || sparsity.layers.iter().map(|layer| &layer.by_eps[&eps.to_string()][&size.rows.to_string()]);
    let rows = WIDTHS.iter().map(|width| {
        let width = width.to_string();
        let stored = [
            of_layers().map(|counts| counts.rows_packing_by_width[&width]).sum::<u64>(),
            of_layers().map(|counts| counts.lists_slots_by_width[&width]).sum(),
            of_layers().map(|counts| counts.sorted_lists_slots_by_width[&width]).sum(),
        ];
        let bar = |stored: u64| (stored as f64 / total, percent(stored as f64 / total));
        (format!("{width} columns"), stored.map(bar).to_vec())
    });
    let colours = [Component::Crossbar, Component::Adc, Component::Generator].map(component);
    let names = ["rows", "lists", "sorted lists"].map(str::to_owned);
    let probabilistic = of_layers().map(|counts| counts.probabilistic).sum::<u64>() as f64 / total;
    let mut legend: Vec<(Colour, String)> = colours.into_iter().zip(names).collect();
    legend.push((INK, format!("probabilistic synapses, {}", percent(probabilistic))));
    let subtitle = format!(
        "{}; eps {eps}; places that a packing takes, of the synapses of a plane as large as the layers",
        sparsity.workload
    );
    bars(
        "Stored share of the network's synapses by width of the stochastic plane",
        &subtitle,
        legend,
        &rows.collect::<Vec<Row>>(),
        Axis::percent("stored share"),
        Some(probabilistic),
    )
}

/// A row for each layer and one for all: synapses by p, in bins of equal width.
#[must_use]
pub fn histogram(sparsity: &Sparsity) -> Picture {
    let mut rows: Vec<(String, [u64; BINS])> =
        sparsity.layers.iter().map(|layer| (layer.name.clone(), layer.histogram)).collect();
    let sum = std::array::from_fn(|bin| rows.iter().map(|(_, bins)| bins[bin]).sum());
    rows.push(("all".to_owned(), sum));
    let labels: Vec<String> = rows.iter().map(|(label, _)| label.clone()).collect();
    let subtitle = format!(
        "{}; height: share of the layer's synapses, logarithmic; bins of {}",
        sparsity.workload,
        1.0 / BINS as f64
    );
    let scale = ["100 %", "1 %", "0.01 %"].map(str::to_owned);
    let ticks = (0..=10).map(|tick| f64::from(tick) / 10.0).map(|p| (p, format!("{p:.1}"))).collect();
    let mut frame = Frame::new(&Contents {
        title: "Synapses by their probability p of weight +1",
        subtitle: &subtitle,
        legend: &[],
        labels: &labels,
        pitch: HISTOGRAM,
        values: &scale,
        axis: Axis { max: 1.0, label: "p".to_owned(), ticks },
    });
    let (left, right) = frame.sides();
    for (row, (_, bins)) in rows.iter().enumerate() {
        let all = bins.iter().sum::<u64>().max(1) as f64;
        let bottom = frame.row(row) + (HISTOGRAM + COLUMN) / 2.0;
        for (line, text) in scale.iter().enumerate() {
            let y = bottom - COLUMN * (1.0 - line as f64 / 2.0);
            frame.rectangle(left, y, right - left, 0.0, GRID);
            frame.text(right + 8.0, y, text, Anchor::Start, PALE_INK);
        }
        for (bin, count) in bins.iter().enumerate() {
            let (from, to) = (frame.x(bin as f64 / BINS as f64), frame.x((bin + 1) as f64 / BINS as f64));
            let height = COLUMN * (1.0 - libm::log10((*count as f64 / all).max(LEAST)) / libm::log10(LEAST));
            if height > 0.0 {
                frame.rectangle(from + 0.5, bottom - height, to - from - 1.0, height, BLUE[0]);
            }
        }
    }
    frame.finish()
}

/// Label of a row, and its bars with their texts.
type Row = (String, Vec<(f64, String)>);

/// Rows of bars below each other; a line at `mark`.
fn bars(
    title: &str,
    subtitle: &str,
    legend: Vec<(Colour, String)>,
    rows: &[Row],
    axis: Axis,
    mark: Option<f64>,
) -> Picture {
    let labels: Vec<String> = rows.iter().map(|(label, _)| label.clone()).collect();
    let values: Vec<String> = rows.iter().flat_map(|(_, bars)| bars).map(|(_, text)| text.clone()).collect();
    let number = rows.first().map_or(0, |(_, bars)| bars.len());
    let pitch = number as f64 * BAR + 2.0 * MARGIN;
    let contents = Contents { title, subtitle, legend: &legend, labels: &labels, pitch, values: &values, axis };
    let mut frame = Frame::new(&contents);
    let (left, _) = frame.sides();
    for (row, (_, bars)) in rows.iter().enumerate() {
        for (bar, (value, text)) in bars.iter().enumerate() {
            let (y, end) = (frame.row(row) + MARGIN + bar as f64 * BAR, frame.x(*value));
            if end > left {
                frame.rectangle(left, y + 1.0, end - left, BAR - 2.0, legend[bar].0);
            }
            frame.text(end + 6.0, y + BAR / 2.0, text, Anchor::Start, INK);
        }
        if let Some(mark) = mark {
            frame.rectangle(frame.x(mark), frame.row(row), 0.0, pitch, INK);
        }
    }
    frame.finish()
}

/// Blue, dark at 0 and light at 1.
fn tint(share: f64) -> Colour {
    let [dark, light] = BLUE;
    std::array::from_fn(|i| (f64::from(dark[i]) + share * (f64::from(light[i]) - f64::from(dark[i]))) as u8)
}

fn synapses(sparsity: &Sparsity) -> u64 {
    sparsity.layers.iter().map(LayerSparsity::synapses).sum()
}
