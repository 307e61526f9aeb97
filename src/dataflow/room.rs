//! Buffers that are too small for what they must hold: such a run would always deadlock, so it is refused.

use super::pixel::{LOGIT_BITS, pixel_bytes};
use crate::config::{Config, Mode};
use crate::error::Problem;
use crate::mapping::{LayerMapping, Mapping};
use crate::workload::{LayerInput, Net, NetLayer};

/// Where the whole messages to a layer end: pixels of its input that are there after each of them.
struct Arrivals(Vec<u32>);

impl Arrivals {
    fn of(net: &Net, mapping: &Mapping, layer: &NetLayer) -> Self {
        match layer.source {
            LayerInput::Input => Self((1..=layer.input.height).map(|rows| rows * layer.input.width).collect()),
            LayerInput::Layer(j) => Self::from_layer(net, mapping, j),
        }
    }

    /// Of the output of layer `j`.
    fn from_layer(net: &Net, mapping: &Mapping, j: usize) -> Self {
        let copies = mapping.layers[j].replication;
        let steps = (0..net.layers[j].positions).step_by(copies as usize);
        let mut ends: Vec<u32> =
            steps.map(|position| net.layers[j].completed(position.saturating_add(copies))).collect();
        ends.dedup();
        Self(ends)
    }

    /// Pixels of the largest message.
    fn largest(&self) -> u32 {
        let starts = std::iter::once(&0).chain(&self.0);
        self.0.iter().zip(starts).map(|(end, start)| end - start).max().unwrap_or(0)
    }

    /// Pixels that have arrived once the first `needed` ones have.
    fn with(&self, needed: u32) -> u32 {
        self.0.get(self.0.partition_point(|&end| end < needed)).copied().unwrap_or(needed)
    }
}

/// The buffer before the link to layer `l`, of `bytes` in all, must hold each message.
pub(super) fn message_problem(net: &Net, mapping: &Mapping, l: usize, bytes: u64) -> Option<Problem> {
    let layer = &net.layers[l];
    let message = u64::from(Arrivals::of(net, mapping, layer).largest()) * bytes_of_pixel(layer);
    if message <= bytes {
        return None;
    }
    let (path, text, tiles) = match layer.source {
        LayerInput::Input => {
            let text = format!("the global buffer holds {bytes} B; a row of the input has {message} B");
            ("arch.global_buffer.capacity", text, None)
        }
        LayerInput::Layer(j) => {
            let text = format!(
                "the output buffer of layer \"{}\" holds {}; a message to layer \"{}\" has {message} B",
                net.layers[j].name,
                on_tiles(bytes, mapping.layers[j].tiles.len() as u64),
                layer.name
            );
            ("arch.tile.output_buffer.capacity", text, Some(&mapping.layers[j]))
        }
    };
    Some(
        Problem::new(path, text)
            .hint(format!("expected at least {} B", tiles.map_or(message, |of| capacity(of, message)))),
    )
}

/// The last layer's output buffer and the global buffer must each hold a message with logits.
pub(super) fn answer_problems(
    net: &Net,
    mapping: &Mapping,
    last_layer: usize,
    output: u64,
    global: u64,
) -> Vec<Problem> {
    let last = &net.layers[last_layer];
    let pixels = u64::from(Arrivals::from_layer(net, mapping, last_layer).largest());
    let message = pixels * pixel_bytes(last.output.channels, LOGIT_BITS);
    let mapped = &mapping.layers[last_layer];
    let (tiles, least) = (mapped.tiles.len() as u64, capacity(mapped, message));
    let buffers = [
        ("arch.tile.output_buffer.capacity", format!("output buffer of layer \"{}\"", last.name), output, tiles, least),
        ("arch.global_buffer.capacity", "global buffer".to_owned(), global, 1, message),
    ];
    let small = buffers.into_iter().filter(|(.., bytes, _, _)| *bytes < message);
    small
        .map(|(path, name, bytes, tiles, least)| {
            let text = format!("the {name} holds {}; a message with logits has {message} B", on_tiles(bytes, tiles));
            Problem::new(path, text).hint(format!("expected at least {least} B"))
        })
        .collect()
}

/// The input buffer of layer `l`, of `bytes` in all, must hold what a position of the layer waits for.
pub(super) fn input_problem(config: &Config, net: &Net, mapping: &Mapping, l: usize, bytes: u64) -> Option<Problem> {
    let layer = &net.layers[l];
    let needed = |mode| u64::from(pixels_held(net, mapping, l, mode)) * bytes_of_pixel(layer);
    let mode = config.schedule.mode;
    let here = needed(mode);
    if here <= bytes {
        return None;
    }
    let (schedule, what) = match mode {
        Mode::Sequential => ("sequential", "its whole input"),
        Mode::Layer => ("layer", "its whole input"),
        Mode::Streaming => ("streaming", "all that has come when a window is whole"),
    };
    let tiles = mapping.layers[l].tiles.len() as u64;
    let message = format!(
        "the input buffer of layer \"{}\" holds {}; in schedule {schedule} it must hold {what}, {here} B",
        layer.name,
        on_tiles(bytes, tiles)
    );
    let mut hint = format!("expected at least {} B", capacity(&mapping.layers[l], here));
    if mode != Mode::Streaming && needed(Mode::Streaming) <= bytes {
        hint.push_str(", or schedule.mode=streaming");
    }
    Some(Problem::new("arch.tile.input_buffer.capacity", message).hint(hint))
}

/// Most pixels that the input buffer of layer `l` holds when a position becomes ready. With less room it never does.
fn pixels_held(net: &Net, mapping: &Mapping, l: usize, mode: Mode) -> u32 {
    let (layer, mapped) = (&net.layers[l], &mapping.layers[l]);
    if mode != Mode::Streaming {
        return layer.input.positions();
    }
    let arrivals = Arrivals::of(net, mapping, layer);
    let passes_of_input = match layer.source {
        LayerInput::Input => 1,
        LayerInput::Layer(j) => mapping.layers[j].passes,
    };
    // The first of several passes on the same input releases nothing.
    let keeps = mapped.passes > passes_of_input;
    (0..layer.positions)
        .step_by(mapped.replication as usize)
        .map(|position| {
            let lanes = mapped.replication.min(layer.positions - position);
            let gone = if keeps { 0 } else { layer.pixels_done(position) };
            arrivals.with(layer.pixels_needed_by(position, lanes)).saturating_sub(gone)
        })
        .fold(arrivals.largest(), u32::max)
}

/// The least capacity of a tile's buffer with which the layer has `bytes` in all of its tiles.
fn capacity(layer: &LayerMapping, bytes: u64) -> u64 {
    // Parts of this many bytes are whole bytes.
    let some = layer.shares.iter().map(|share| u64::from(share.used)).product::<u64>();
    let exact = u128::from(bytes) * u128::from(some);
    let least = u64::try_from(exact.div_ceil(u128::from(layer.of_tiles(some)))).unwrap_or(u64::MAX);
    // Parts of others are rounded.
    (least..).find(|&capacity| layer.of_tiles(capacity) >= bytes).unwrap_or(least)
}

fn bytes_of_pixel(layer: &NetLayer) -> u64 {
    pixel_bytes(layer.input.channels, layer.input_bits)
}

/// "256 B", with the number of tiles that share them where they are several.
fn on_tiles(bytes: u64, tiles: u64) -> String {
    if tiles == 1 { format!("{bytes} B") } else { format!("{bytes} B on {tiles} tiles") }
}
