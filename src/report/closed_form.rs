//! What the cycles should be: the closed form of an idle periphery, extended by the fixed latencies of the parts.
//!
//! For a layer of P positions on r copies, with B pulses of a position, tau is the back-to-back time of ceil(P/r)
//! positions: `n B max(t_read, m t_adc) + min(t_read, m t_adc)` with a sample-and-hold, `n B (t_read + m t_adc)` without;
//! `n rows (t_read + t_compare)` for a row-serial plane. `interval` is the least distance between the starts of two passes
//! of the layer: tau, or longer where weights must be drawn between them.
//!
//! - sequential: `sum over l < L0 of (tau + fixed) + T * sum over l >= L0 of (tau + fixed)`, for each image;
//! - layer: `sum of (tau + fixed) + (T - 1) max over l >= L0 of interval`, then `II` for each further image with
//!   `II = max(max over l < L0 of interval, T max over l >= L0 of interval)`;
//! - streaming: no closed form; the busiest stage's work is a lower bound.
//!
//! What the simulation takes beyond that is contention: a unit, port or link that was busy.

use crate::config::{Config, Draws, Mode, Sampler};
use crate::mapping::{Mapping, Plane};
use crate::parts::Part;
use crate::parts::assemble::{Assembly, Readout, draw_cycles};
use crate::report::facts::ClosedForm;
use crate::workload::Net;

/// Times of a layer where nothing contends, cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerTime {
    /// One pass, from the first read to the last conversion (tau).
    pub pass: u64,
    /// Least distance between the starts of two passes.
    pub interval: u64,
    /// What fetch, accumulation, post-processing and transfer add to a pass.
    pub fixed: u64,
}

/// Times of all layers; `fixed` is read from the specs of the assembled parts.
#[must_use]
pub fn layer_times(config: &Config, net: &Net, mapping: &Mapping, assembly: &Assembly) -> Vec<LayerTime> {
    let mut times: Vec<LayerTime> = net
        .layers
        .iter()
        .zip(&mapping.layers)
        .map(|(layer, mapped)| {
            let positions = u64::from(layer.positions.div_ceil(mapped.replication));
            let mut time = LayerTime { pass: 0, interval: 0, fixed: 0 };
            for group in &mapped.groups {
                let readout = Readout::new(&config.arch, group.plane, group.rows, group.columns, layer.input_bits);
                let draw = if group.plane == Plane::Stochastic {
                    draw_cycles(&config.arch, group.synapses_per_array())
                } else {
                    0
                };
                let (pass, interval) = pass_time(&config.arch.sampler, readout, positions, draw);
                time.pass = time.pass.max(pass);
                time.interval = time.interval.max(interval);
            }
            time
        })
        .collect();
    for (id, part) in assembly.parts.iter().enumerate() {
        let Some(l) = assembly.layers[id] else { continue };
        let (layer, copies) = (&net.layers[l], mapping.layers[l].replication);
        match part {
            Part::Buffer(buffer) => times[l].fixed += buffer.spec().fetch(0, copies.min(layer.positions)).1,
            Part::Accumulator(accumulator) => times[l].fixed += accumulator.spec().latency,
            Part::Digital(digital) => {
                let first = (layer.positions - 1) / copies * copies;
                let pixels = layer.completed(layer.positions) - layer.completed(first);
                times[l].fixed += digital.spec().cycles(layer.positions - first, pixels).iter().sum::<u64>();
            }
            _ => {}
        }
    }
    // A layer's last message goes to each of its consumers; the slowest counts.
    for (l, layer) in net.layers.iter().enumerate() {
        let copies = mapping.layers[l].replication;
        let first = (layer.positions - 1) / copies * copies;
        let pixels = layer.completed(layer.positions) - layer.completed(first);
        let slowest = links_from(assembly, l as u32).map(|link| message_cycles(link, pixels, assembly)).max();
        times[l].fixed += slowest.unwrap_or(0);
    }
    times
}

/// Links that carry the output of a layer; [`crate::trace::NONE`]: the images.
fn links_from(assembly: &Assembly, producer: u32) -> impl Iterator<Item = &crate::parts::link::LinkSpec> {
    assembly.parts.iter().filter_map(move |part| match part {
        Part::Link(link) if link.spec().transfer.site.layer == producer => Some(link.spec()),
        _ => None,
    })
}

/// Cycles of a message of `pixels` over an idle link.
fn message_cycles(link: &crate::parts::link::LinkSpec, pixels: u32, assembly: &Assembly) -> u64 {
    let bytes = u64::from(pixels) * link.pixel_bytes;
    let (read, write) = link.ends(bytes);
    read + assembly.network.latency(link.route.len(), bytes) + link.spread + write
}

/// Time of a pass of `positions`, and least distance to the next, when each sample takes `draw` cycles to draw.
fn pass_time(sampler: &Sampler, readout: Readout, positions: u64, draw: u64) -> (u64, u64) {
    let pass = readout.back_to_back(positions);
    let Sampler::Generator { double_buffered, draws, .. } = sampler else { return (pass, pass) };
    if draw == 0 {
        return (pass, pass);
    }
    // From a position's first read to the array's being free: the last sample is taken, or converted.
    let one = u64::from(readout.pulses) * readout.period();
    let free = if readout.overlapped { readout.read + one - readout.period() } else { one };
    match (draws, double_buffered) {
        (Draws::PerMember, true) => (pass, pass.max(draw)),
        (Draws::PerMember, false) => {
            let last_start = (positions - 1) * one;
            (pass, pass.max(last_start + free + draw))
        }
        (Draws::PerPosition, double_buffered) => {
            let step = if *double_buffered { one.max(draw) } else { one.max(free + draw) };
            let last = readout.back_to_back(1);
            ((positions - 1) * step + last, ((positions - 1) * step + last).max(positions * step))
        }
    }
}

/// The closed form of a run that took `simulated` cycles.
#[must_use]
pub fn closed_form(config: &Config, net: &Net, mapping: &Mapping, assembly: &Assembly, simulated: u64) -> ClosedForm {
    let times = layer_times(config, net, mapping, assembly);
    let (images, members) = (u64::from(config.schedule.images), u64::from(mapping.members));
    let (once, sampled) = times.split_at(mapping.first_ensembling_layer);
    let load = load_cycles(net, assembly);
    let sum = |layers: &[LayerTime], fixed: bool| -> u64 {
        layers.iter().map(|t| t.pass + if fixed { t.fixed } else { 0 }).sum()
    };
    let longest = |layers: &[LayerTime]| layers.iter().map(|t| t.interval).max().unwrap_or(0);
    let interval = longest(once).max(members * longest(sampled));
    let (formula, total, initiation_interval): (&str, Box<dyn Fn(bool) -> u64>, u64) = match config.schedule.mode {
        Mode::Sequential => {
            let image = move |fixed| {
                let load = if fixed { load } else { 0 };
                load + sum(once, fixed) + members * sum(sampled, fixed)
            };
            (
                "images * (sum_{l<L0} tau_l + T * sum_{l>=L0} tau_l)",
                Box::new(move |fixed| images * image(fixed)),
                image(true),
            )
        }
        Mode::Layer => (
            "sum_l tau_l + (T-1) max_{l>=L0} tau_l + (images-1) max(max_{l<L0} tau_l, T max_{l>=L0} tau_l)",
            Box::new(move |fixed| {
                let load = if fixed { load } else { 0 };
                let passes = sum(once, fixed) + sum(sampled, fixed);
                load + passes + members.saturating_sub(1) * longest(sampled) + (images - 1) * interval
            }),
            interval,
        ),
        Mode::Streaming => (
            "lower bound: images * max(max_{l<L0} tau_l, T max_{l>=L0} tau_l)",
            Box::new(move |fixed| {
                let fixed = if fixed { load + times_fixed(once) + times_fixed(sampled) } else { 0 };
                images * interval + fixed
            }),
            interval,
        ),
    };
    let (ideal, predicted) = (total(false), total(true));
    ClosedForm {
        formula: formula.to_owned(),
        ideal_cycles: ideal,
        fixed_latency_cycles: predicted - ideal,
        predicted_cycles: predicted,
        simulated_cycles: simulated,
        contention_cycles: simulated as i64 - predicted as i64,
        initiation_interval_cycles: initiation_interval,
    }
}

fn times_fixed(layers: &[LayerTime]) -> u64 {
    layers.iter().map(|t| t.fixed).sum()
}

/// Cycles until an image is in the first buffer: its rows follow each other at the pace of the slower of global buffer and
/// link.
fn load_cycles(net: &Net, assembly: &Assembly) -> u64 {
    let rows = u64::from(net.input.height);
    let row = assembly.parts.iter().find_map(|part| match part {
        Part::Source(source) => Some(source.spec().row_cycles()),
        _ => None,
    });
    let row = row.unwrap_or(0);
    links_from(assembly, crate::trace::NONE)
        .map(|link| {
            let bytes = u64::from(net.input.width) * link.pixel_bytes;
            let pace = row.max(link.ends(bytes).0 + assembly.network.occupancy(bytes));
            row + (rows - 1) * pace + message_cycles(link, net.input.width, assembly)
        })
        .max()
        .unwrap_or(0)
}
