//! Stages and channels of a mapped network.

use super::pixel::{LOGIT_BITS, pixel_bytes};
use super::room;
use crate::config::{Config, Plane, Sampler};
use crate::error::Problem;
use crate::mapping::Mapping;
use crate::workload::{LayerInput, Net, Shape};
use petgraph::graph::{DiGraph, NodeIndex};
use serde::Serialize;

/// Role of a stage; the engine has a kind of part for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Role {
    /// Sends images out of the global buffer.
    Source,
    /// Holds a layer's input and fetches windows from it.
    Buffer,
    /// Drives and reads the arrays of a group.
    Crossbar,
    /// Converts what was read: ADC, or comparator of a row-serial plane.
    Converter,
    /// Draws the weights of a group.
    Sampler,
    /// Adds over input bits and row blocks.
    Accumulator,
    /// Pools, normalises, quantises.
    Digital,
    /// Carries outputs to the next buffer.
    Link,
    /// Takes the answers.
    Sink,
}

/// A node of the graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// Unique name, e.g. `conv2.crossbar[1]`.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its layer; the consumer's for a link from the source.
    pub layer: Option<usize>,
    /// Its group of arrays within the layer.
    pub group: Option<usize>,
}

/// An edge of the graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Channel {
    /// Credits of the port behind it; 0 for a signal, which needs no room.
    pub capacity: u32,
    /// Unit of a credit.
    pub credit: &'static str,
    /// Shape of all values that pass, where both ends must agree on it.
    pub shape: Option<Shape>,
    /// A declared feedback: it may close a cycle.
    pub feedback: bool,
}

/// The dataflow of a mapped network.
#[derive(Debug, Clone)]
pub struct Dataflow {
    /// Stages and channels.
    pub graph: DiGraph<Stage, Channel>,
    /// The stage that sends images.
    pub source: NodeIndex,
    /// The stage that takes answers.
    pub sink: NodeIndex,
}

/// Pixels that fit into `bytes`.
fn pixels(bytes: u64, channels: u32, bits: u32) -> u32 {
    u32::try_from(bytes / pixel_bytes(channels, bits)).unwrap_or(u32::MAX)
}

/// The stages and channels of `net` on the chip.
///
/// # Errors
/// Returns problems if a buffer cannot hold a message that must go through it, or the pixels that its layer waits for: the
/// run would deadlock.
pub fn build(config: &Config, net: &Net, mapping: &Mapping) -> Result<Dataflow, Vec<Problem>> {
    let mut graph = DiGraph::new();
    let mut problems = Vec::new();
    let chip = &config.arch;
    let stage = |name: String, role, layer, group| Stage { name, role, layer, group };
    let token = |capacity| Channel { capacity, credit: "position", shape: None, feedback: false };
    let signal = |feedback| Channel { capacity: 0, credit: "signal", shape: None, feedback };
    let source = graph.add_node(stage("source".into(), Role::Source, None, None));
    let mut buffers = Vec::new();
    let mut digitals = Vec::new();
    for (l, (layer, mapped)) in net.layers.iter().zip(&mapping.layers).enumerate() {
        let name = &layer.name;
        let at = Some(l);
        let buffer = graph.add_node(stage(format!("{name}.buffer"), Role::Buffer, at, None));
        let accumulator = graph.add_node(stage(format!("{name}.accumulator"), Role::Accumulator, at, None));
        let digital = graph.add_node(stage(format!("{name}.digital"), Role::Digital, at, None));
        for (g, group) in mapped.groups.iter().enumerate() {
            let crossbar = graph.add_node(stage(format!("{name}.crossbar[{g}]"), Role::Crossbar, at, Some(g)));
            let converter = graph.add_node(stage(format!("{name}.converter[{g}]"), Role::Converter, at, Some(g)));
            graph.add_edge(buffer, crossbar, token(1));
            graph.add_edge(crossbar, converter, token(1));
            // A shared array is left at once: its results have a place, and a second one while the next are read.
            graph.add_edge(converter, accumulator, token(if group.shared.is_some() { 2 } else { 1 }));
            if group.plane == Plane::Stochastic && matches!(chip.sampler, Sampler::Generator { .. }) {
                let sampler = graph.add_node(stage(format!("{name}.sampler[{g}]"), Role::Sampler, at, Some(g)));
                graph.add_edge(sampler, crossbar, signal(false));
                graph.add_edge(crossbar, sampler, signal(true));
            }
        }
        graph.add_edge(accumulator, digital, token(chip.digital.depth));
        graph.add_edge(accumulator, buffer, signal(true));
        buffers.push(buffer);
        digitals.push(digital);
    }
    let sink = graph.add_node(stage("sink".into(), Role::Sink, None, None));
    // Links: from each producer to each of its consumers.
    for (l, (layer, mapped)) in net.layers.iter().zip(&mapping.layers).enumerate() {
        let input = layer.input;
        let (producer, label, out_bytes) = match layer.source {
            LayerInput::Input => (source, "source".to_owned(), chip.global_buffer.capacity.0),
            LayerInput::Layer(j) => {
                let bytes = mapping.layers[j].of_tiles(chip.tile.output_buffer.capacity.0);
                (digitals[j], net.layers[j].name.clone(), bytes)
            }
        };
        let link = graph.add_node(stage(format!("{label}->{}.link", layer.name), Role::Link, Some(l), None));
        let in_bytes = mapped.of_tiles(chip.tile.input_buffer.capacity.0);
        problems.extend(room::message_problem(net, mapping, l, out_bytes));
        problems.extend(room::input_problem(config, net, mapping, l, in_bytes));
        let channel = |bytes| Channel {
            capacity: pixels(bytes, input.channels, layer.input_bits),
            credit: "pixel",
            shape: Some(input),
            feedback: false,
        };
        graph.add_edge(producer, link, channel(out_bytes));
        graph.add_edge(link, buffers[l], channel(in_bytes));
    }
    for output in net.outputs() {
        let last = &net.layers[output];
        let link = graph.add_node(stage(format!("{}->sink.link", last.name), Role::Link, Some(output), None));
        let answer = |bytes| Channel {
            capacity: pixels(bytes, last.output.channels, LOGIT_BITS),
            credit: "pixel",
            shape: Some(last.output),
            feedback: false,
        };
        let out_bytes = mapping.layers[output].of_tiles(chip.tile.output_buffer.capacity.0);
        let in_bytes = chip.global_buffer.capacity.0;
        problems.extend(room::answer_problems(net, mapping, output, out_bytes, in_bytes));
        graph.add_edge(digitals[output], link, answer(out_bytes));
        graph.add_edge(link, sink, answer(in_bytes));
    }
    if problems.is_empty() {
        return Ok(Dataflow { graph, source, sink });
    }
    // With tiles of its own a layer has all of their buffers.
    let more = |problem: Problem| match problem.hint.clone() {
        Some(hint) if config.mapping.placement.shares_tiles() && problem.path.starts_with("arch.tile.") => {
            problem.hint(format!("{hint}, or mapping.placement=in_order"))
        }
        _ => problem,
    };
    Err(problems.into_iter().map(more).collect())
}
