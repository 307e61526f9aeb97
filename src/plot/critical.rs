//! Where the critical path is over time.

use crate::config::Config;
use crate::critical::Chain;
use crate::plot::axis::Axis;
use crate::plot::frame::{Contents, Frame};
use crate::plot::palette::{INK, component};
use crate::plot::picture::{Anchor, Colour, Picture};
use crate::report::quantity::{grouped, percent};
use crate::trace::{Component, NONE};
use std::collections::BTreeMap;

const PITCH: f64 = 36.0;
const BAR: f64 = 26.0;
/// Slices of the run.
const SLICES: usize = 350;

/// A row for each of `names`, the layers. In each slice of time the path fills the rows of the layers that it is in, as high as its share of the
/// slice, with the colours of the components.
#[must_use]
pub fn picture(config: &Config, names: &[String], chain: &Chain) -> Picture {
    let cycles = chain.cycles().max(1);
    let hertz = config.arch.clock.0 as f64;
    let layers = names.len();
    let row = |layer: u32| if layer == NONE { layers } else { layer as usize };
    let outside = chain.segments.iter().any(|segment| segment.layer == NONE);
    let mut labels = names.to_vec();
    labels.extend(outside.then(|| "(no layer)".to_owned()));

    let mut of_layer = vec![0; layers + 1];
    let mut of_component: BTreeMap<Component, u64> = BTreeMap::new();
    // Cycles by slice and row.
    let mut slices = vec![BTreeMap::<(usize, Component), f64>::new(); SLICES];
    let width = cycles as f64 / SLICES as f64;
    for segment in &chain.segments {
        let length = (segment.end - segment.start) as f64;
        for ((component, _), part) in &segment.cycles {
            of_layer[row(segment.layer)] += part;
            *of_component.entry(*component).or_default() += part;
            let mut from = segment.start as f64;
            while from < segment.end as f64 - 1e-9 {
                let slice = ((from / width + 1e-9) as usize).min(SLICES - 1);
                let to = if slice == SLICES - 1 {
                    segment.end as f64
                } else {
                    ((slice + 1) as f64 * width).min(segment.end as f64)
                };
                *slices[slice].entry((row(segment.layer), *component)).or_default() +=
                    (to - from) * *part as f64 / length;
                from = to;
            }
        }
    }
    // In thousandths, so that slices that are alike compare.
    for part in slices.iter_mut().flat_map(|slice| slice.values_mut()) {
        *part = (*part / width * 1000.0).round() / 1000.0;
    }
    let share = |part: u64| percent(part as f64 / cycles as f64);
    let legend: Vec<(Colour, String)> = of_component
        .iter()
        .map(|(c, part)| (component(*c), format!("{} {}", c.name().replace('_', " "), share(*part))))
        .collect();
    let values: Vec<String> = of_layer.iter().take(labels.len()).map(|part| share(*part)).collect();
    let mut axis = Axis::new("time", "s", cycles as f64 / hertz);
    axis.label += &format!("; {} cycles at {}", grouped(cycles), config.arch.clock);
    let subtitle = format!(
        "{} on {}; height: share of the time slice that the path spends in the layer",
        config.workload.name, config.arch.name
    );
    let mut frame = Frame::new(&Contents {
        title: "Critical path: layers and components that the run waits for",
        subtitle: &subtitle,
        legend: &legend,
        labels: &labels,
        pitch: PITCH,
        values: &values,
        axis,
    });
    let (left, right) = frame.sides();
    let step = (right - left) / SLICES as f64;
    // Slices that are alike are one rectangle.
    let mut first = 0;
    while first < SLICES {
        let mut end = first + 1;
        while end < SLICES && slices[end] == slices[first] {
            end += 1;
        }
        let mut heights = vec![0.0; labels.len()];
        for ((row, of), part) in &slices[first] {
            let height = BAR * part.min(1.0);
            let bottom = frame.row(*row) + (PITCH + BAR) / 2.0 - heights[*row];
            heights[*row] += height;
            if height > 0.25 {
                let from = left + first as f64 * step;
                frame.rectangle(from, bottom - height, (end - first) as f64 * step, height, component(*of));
            }
        }
        first = end;
    }
    for (row, value) in values.iter().enumerate() {
        frame.text(right + 8.0, frame.row(row) + PITCH / 2.0, value, Anchor::Start, INK);
    }
    frame.finish()
}
