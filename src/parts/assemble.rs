//! From the dataflow graph to the flat lists that the engine walks: node i becomes part i, each bounded edge a port.

use super::accumulator::{Accumulator, AccumulatorSpec};
use super::buffer::{Buffer, BufferSpec};
use super::build::{Build, Wire};
use super::converter::{Converter, ConverterSpec};
use super::crossbar::{Crossbar, CrossbarSpec};
use super::digital::{Digital, DigitalSpec};
use super::energy::RowActivity;
use super::link::{Link, LinkSpec};
use super::network::{Network, Topology};
use super::recur::{Recurrence, Size};
use super::sampler::{Sampler, SamplerSpec};
use super::sink::Sink;
use super::source::{Source, SourceSpec};
use super::token::Token;
use super::turn::Turn;
use super::{Part, accumulator, buffer, converter, crossbar, digital, link, sampler, sink, source};
use crate::config::{Config, FastForward, Mode};
use crate::dataflow::{Dataflow, Role, Stage};
use crate::kernel::{Cycle, Event, PartId, Ports};
use crate::mapping::Mapping;
use crate::workload::Net;
use petgraph::visit::EdgeRef;
use std::ops::Range;
use std::sync::Arc;

/// Everything that a simulation starts from.
#[derive(Debug)]
pub struct Assembly {
    /// Parts; part i belongs to node i of the dataflow.
    pub parts: Vec<Part>,
    /// Name of each part.
    pub names: Vec<String>,
    /// Layer of each part.
    pub layers: Vec<Option<usize>>,
    /// Cycles in which each read and each conversion gets a row of the trace; an empty range for none.
    pub window: Range<Cycle>,
    /// Ports between parts.
    pub ports: Ports<Token>,
    /// Links between tiles.
    pub network: Network,
    /// Number of arrays that blocks of several layers share.
    pub shared_arrays: usize,
    /// The turn of a sequential schedule; none in other schedules.
    pub turn: Option<Turn>,
    /// Number of answers that the run must produce: images times passes of the last layer.
    pub answers: u64,
    /// Whether the run may skip what repeats itself.
    pub skips: bool,
    /// Looks for states that come back, where the run may skip them.
    pub recurrence: Option<Recurrence>,
    /// For each part, the part that sends to it, if there is one.
    pub producers: Vec<PartId>,
}

/// The tag by which an edge notifies the stage at its end.
fn notification(from: &Stage, to: &Stage) -> u32 {
    match (from.role, to.role) {
        (Role::Converter, Role::Accumulator) => {
            let group = from.group.expect("converters belong to a group of arrays");
            accumulator::Tag::Group(group as u32).into()
        }
        (Role::Accumulator, Role::Buffer) => buffer::Tag::PassThrough.into(),
        (Role::Link, Role::Buffer) => buffer::Tag::Pixels.into(),
        (Role::Sampler, Role::Crossbar) => crossbar::Tag::Drawn.into(),
        (Role::Buffer, Role::Crossbar) => crossbar::Tag::Window.into(),
        (Role::Crossbar, Role::Sampler) => sampler::Tag::Draw.into(),
        (Role::Crossbar, Role::Converter) => converter::Tag::Sampled.into(),
        (Role::Accumulator, Role::Digital) => digital::Tag::Position.into(),
        (Role::Source | Role::Digital, Role::Link) => link::Tag::Pixels.into(),
        (Role::Link, Role::Sink) => sink::Tag::Answer.into(),
        _ => unreachable!("no channel leads from {} to {}", from.name, to.name),
    }
}

/// Builds parts and ports. `activity` gives the driven rows where images were evaluated.
#[must_use]
pub fn assemble(
    config: &Config,
    net: &Net,
    mapping: &Mapping,
    dataflow: &Dataflow,
    activity: Option<Arc<dyn RowActivity>>,
) -> Assembly {
    let (chip, graph) = (&config.arch, &dataflow.graph);
    let driven_by_images = activity.is_some();
    let mut ports = Ports::default();
    let mut producers = vec![0; graph.node_count()];
    let wires: Vec<Wire> = graph
        .edge_references()
        .map(|edge| {
            let (from, to, capacity) = (edge.source(), edge.target(), edge.weight().capacity);
            let event = Event { part: to.index() as PartId, tag: notification(&graph[from], &graph[to]) };
            let port = (capacity > 0).then(|| {
                let sender = from.index() as PartId;
                producers[to.index()] = sender;
                ports.add(sender, event.part, event.tag, capacity)
            });
            Wire { port, event }
        })
        .collect();
    let topology = Topology::new(&chip.interconnect, mapping.tiles).with_places(mapping.places.clone());
    let network = Network::new(&chip.interconnect, topology, chip.costs.link.time.cycles(chip.clock));
    let (mut crossbars, mut converters) = (Vec::new(), Vec::new());
    let parts = graph
        .node_indices()
        .map(|node| {
            let activity = activity.as_ref();
            let at = Build { config, chip, net, mapping, network: &network, activity, graph, wires: &wires, node };
            part(&at, &mut crossbars, &mut converters)
        })
        .collect();
    let answers = mapping.answers(net, config.schedule.images);
    // What is driven by the codes of images, or booked in detail in some cycles, does not come back.
    let comes_back = !driven_by_images && config.schedule.window.cycles().is_empty();
    let skips = config.schedule.fast_forward != FastForward::Off && comes_back;
    let size = Size { images: config.schedule.images, members: mapping.members };
    Assembly {
        parts,
        names: graph.node_weights().map(|stage| stage.name.clone()).collect(),
        layers: graph.node_weights().map(|stage| stage.layer).collect(),
        shared_arrays: mapping.shared_arrays().len(),
        turn: (config.schedule.mode == Mode::Sequential).then(|| turn(net, mapping, dataflow)),
        answers,
        skips,
        recurrence: if skips { Recurrence::new(size, answers) } else { None },
        window: config.schedule.window.cycles(),
        ports,
        network,
        producers,
    }
}

/// The part of a stage. Groups that differ only in their position share a spec.
fn part(at: &Build<'_>, crossbars: &mut Vec<Arc<CrossbarSpec>>, converters: &mut Vec<Arc<ConverterSpec>>) -> Part {
    match at.stage().role {
        Role::Source => Part::Source(Box::new(Source::new(SourceSpec::build(at)))),
        Role::Buffer => Part::Buffer(Box::new(Buffer::new(BufferSpec::build(at)))),
        Role::Crossbar => Part::Crossbar(Crossbar::build(at, crossbars)),
        Role::Converter => Part::Converter(Converter::build(at, converters)),
        Role::Sampler => Part::Sampler(Sampler::new(SamplerSpec::build(at))),
        Role::Accumulator => Part::Accumulator(Box::new(Accumulator::new(AccumulatorSpec::build(at)))),
        Role::Digital => Part::Digital(Box::new(Digital::new(DigitalSpec::build(at)))),
        Role::Link => Part::Link(Box::new(Link::new(LinkSpec::build(at)))),
        Role::Sink => Part::Sink(Sink::build(at)),
    }
}

fn turn(net: &Net, mapping: &Mapping, dataflow: &Dataflow) -> Turn {
    let graph = &dataflow.graph;
    let wake = |node: petgraph::graph::NodeIndex, tag: u32| Event { part: node.index() as PartId, tag };
    let source = wake(dataflow.source, source::Tag::Turn.into());
    let mut buffers = vec![source; net.layers.len()];
    let mut links = vec![0; net.layers.len()];
    for node in graph.node_indices() {
        match (graph[node].role, graph[node].layer) {
            (Role::Buffer, Some(l)) => buffers[l] = wake(node, buffer::Tag::Turn.into()),
            (Role::Digital, Some(l)) => links[l] = graph.edges(node).count() as u32,
            _ => {}
        }
    }
    Turn::new(links, buffers, source, mapping.members, mapping.first_ensembling_layer as u32)
}
