//! From the dataflow graph to the flat lists that the engine walks: node i becomes part i, each bounded edge a port.

use super::Part;
use super::accumulator::{Accumulator, AccumulatorSpec, GROUP, GroupInput};
use super::buffer::{self, Buffer, BufferSpec};
use super::context::{Job, Site, Units};
use super::converter::{self, Converter, ConverterSpec, SAMPLED};
use super::crossbar::{self, Crossbar, CrossbarSpec, Refresh, WINDOW};
use super::digital::{self, Digital, DigitalSpec};
use super::energy::{ReadEnergy, RowActivity, RowEnergy, Rows};
use super::link::{self, Link, LinkSpec};
use super::network::{Network, Place};
use super::sampler::{Sampler, SamplerSpec};
use super::sink::{self, Sink};
use super::source::{Source, SourceSpec};
use super::token::Token;
use super::turn::Turn;
use crate::config::{AdcInput, Chip, Config, Cost, Draws, Grain, Mode, Sampler as SamplerKind, Window};
use crate::dataflow::{Dataflow, LOGIT_BITS, Role, pixel_bytes};
use crate::kernel::{Cycle, PartId, PortId, Ports};
use crate::mapping::{ArrayGroup, LayerMapping, Mapping, Plane};
use crate::trace::{Action, Component, NONE};
use crate::units::{Time, read_energy};
use crate::workload::{Net, NetLayer, Source as InputSource};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use std::ops::Range;
use std::sync::Arc;

/// Everything that a simulation starts from.
#[derive(Debug)]
pub struct Assembly {
    /// Part i is node i of the dataflow.
    pub parts: Vec<Part>,
    /// Name of each part.
    pub names: Vec<String>,
    /// Layer of each part.
    pub layers: Vec<Option<usize>>,
    /// Cycles in which arrays tell each read and each conversion; empty: nowhere.
    pub window: Range<Cycle>,
    /// Ports between parts.
    pub ports: Ports<Token>,
    /// Links between tiles.
    pub network: Network,
    /// Whose turn it is; none but in a sequential schedule.
    pub turn: Option<Turn>,
    /// Answers that the run must bring: images times passes of the last layer.
    pub answers: u64,
    /// For each part the one that fills it, where it has one.
    pub producers: Vec<PartId>,
}

/// What the converters of an array look like to the schedule: how they are shared and how long a sample takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readout {
    /// Pulses of a position: input bits, or rows in turn.
    pub pulses: u32,
    /// Inputs in use.
    pub inputs: u32,
    /// Converters in use.
    pub converters: u32,
    /// Conversions of a converter in turn.
    pub steps: u32,
    /// Cycles of one read.
    pub read: u64,
    /// Cycles of all conversions of a sample.
    pub convert: u64,
    /// Whether the next read overlaps the conversions of this one.
    pub overlapped: bool,
    /// Row-serial by comparators.
    pub row_serial: bool,
}

impl Readout {
    /// Read-out of a block of `rows` x `columns` synapses with inputs of `input_bits`.
    #[must_use]
    pub fn new(chip: &Chip, plane: Plane, rows: u32, columns: u32, input_bits: u32) -> Self {
        let cycles = |time: Time| time.cycles(chip.clock);
        let read = cycles(chip.array.read_time);
        if let (Plane::Stochastic, SamplerKind::Comparator { sub_arrays, .. }) = (plane, &chip.sampler) {
            return Self {
                pulses: rows.div_ceil(*sub_arrays),
                inputs: columns * sub_arrays.min(&rows),
                converters: columns * sub_arrays.min(&rows),
                steps: 1,
                read,
                convert: cycles(chip.costs.comparator.time),
                overlapped: false,
                row_serial: true,
            };
        }
        let inputs = match chip.adc.input {
            AdcInput::Pair => columns,
            AdcInput::Column => columns * chip.array.cells_per_synapse,
        };
        let steps = chip.adc.columns_per_adc.min(inputs);
        Self {
            pulses: input_bits,
            inputs,
            converters: inputs.div_ceil(steps),
            steps,
            read,
            convert: u64::from(steps) * cycles(adc_cost(chip).time),
            overlapped: chip.array.sample_and_hold,
            row_serial: false,
        }
    }

    /// Cycles from one sample to the next when none is held up.
    #[must_use]
    pub fn period(&self) -> u64 {
        if self.overlapped { self.read.max(self.convert) } else { self.read + self.convert }
    }

    /// Cycles of `positions` positions that follow each other without a gap, from the first read to the last conversion.
    #[must_use]
    pub fn back_to_back(&self, positions: u64) -> u64 {
        let tail = if self.overlapped { self.read.min(self.convert) } else { 0 };
        positions * u64::from(self.pulses) * self.period() + tail
    }
}

/// Cost of a conversion at the chip's resolution; validation has made sure that the table has it.
#[must_use]
pub fn adc_cost(chip: &Chip) -> &Cost {
    let entry = chip.costs.adc.iter().find(|entry| entry.bits == chip.adc.bits);
    &entry.expect("a validated chip has a cost for its converter").convert
}

/// Cycles to draw one weight sample of an array with `synapses`: ceil(n b / g) steps of the generator.
#[must_use]
pub fn draw_cycles(chip: &Chip, synapses: u64) -> u64 {
    match chip.sampler {
        SamplerKind::Generator { bits_per_cycle, probability_bits, .. } => {
            let step = chip.costs.random_bit.time.cycles(chip.clock).max(1);
            (synapses * u64::from(probability_bits)).div_ceil(u64::from(bits_per_cycle)) * step
        }
        SamplerKind::Comparator { .. } => 0,
    }
}

/// Levels of a binary tree over `leaves`.
fn levels(leaves: u64) -> u64 {
    u64::from(leaves.max(1).next_power_of_two().trailing_zeros())
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
    let builder = Builder {
        config,
        chip: &config.arch,
        net,
        mapping,
        dataflow,
        activity,
        ports: Vec::new(),
        built: Ports::default(),
        crossbars: Vec::new(),
        converters: Vec::new(),
    };
    builder.build()
}

struct Builder<'a> {
    config: &'a Config,
    chip: &'a Chip,
    net: &'a Net,
    mapping: &'a Mapping,
    dataflow: &'a Dataflow,
    activity: Option<Arc<dyn RowActivity>>,
    /// Port of each edge that has one.
    ports: Vec<Option<PortId>>,
    built: Ports<Token>,
    /// Specs so far.
    crossbars: Vec<Arc<CrossbarSpec>>,
    converters: Vec<Arc<ConverterSpec>>,
}

/// One of `known` that equals `spec`, so that what many parts read stays in the cache; a new one if there is none.
fn shared<T: PartialEq>(known: &mut Vec<Arc<T>>, spec: T) -> Arc<T> {
    // Those of the layer in hand stand at the end.
    let found = known.iter().rev().find(|other| ***other == spec).cloned();
    found.unwrap_or_else(|| {
        known.push(Arc::new(spec));
        Arc::clone(&known[known.len() - 1])
    })
}

impl Builder<'_> {
    fn build(mut self) -> Assembly {
        let graph = &self.dataflow.graph;
        // Accumulators tell their groups apart by tag.
        for edge in graph.edge_references() {
            let channel = edge.weight();
            let port = (channel.capacity > 0).then(|| {
                let (from, to) = (edge.source(), edge.target());
                let arrival = match graph[to].role {
                    Role::Accumulator => GROUP + graph[from].group.unwrap_or(0) as u32,
                    Role::Crossbar => WINDOW,
                    Role::Converter => SAMPLED,
                    Role::Buffer => buffer::PIXELS,
                    Role::Digital => digital::POSITION,
                    Role::Link => link::PIXELS,
                    Role::Sink => sink::ANSWER,
                    Role::Source | Role::Sampler => unreachable!("no port leads to {}", graph[to].name),
                };
                self.built.add(from.index() as PartId, to.index() as PartId, arrival, channel.capacity)
            });
            self.ports.push(port);
        }
        let step = self.chip.costs.link.time.cycles(self.chip.clock);
        let network = Network::new(&self.chip.interconnect, self.mapping.tiles, step);
        let parts: Vec<Part> = graph.node_indices().map(|node| self.part(node, &network)).collect();
        let producers = graph
            .node_indices()
            .map(|node| self.inputs(node).next().map_or(0, |(from, _)| from.index() as PartId))
            .collect();
        let last = self.net.output;
        Assembly {
            parts,
            names: graph.node_weights().map(|stage| stage.name.clone()).collect(),
            layers: graph.node_weights().map(|stage| stage.layer).collect(),
            turn: (self.config.schedule.mode == Mode::Sequential).then(|| self.turn()),
            answers: u64::from(self.config.schedule.images) * u64::from(self.mapping.layers[last].passes),
            window: match self.config.schedule.window {
                Window::Nowhere => 0..0,
                Window::Cycles { from, to } => from..to,
            },
            ports: self.built,
            network,
            producers,
        }
    }

    /// Stages that feed a node through a port.
    fn inputs(&self, node: NodeIndex) -> impl Iterator<Item = (NodeIndex, PortId)> + '_ {
        self.linked(node, Direction::Incoming)
    }

    /// Stages that a node feeds through a port.
    fn outputs(&self, node: NodeIndex) -> impl Iterator<Item = (NodeIndex, PortId)> + '_ {
        self.linked(node, Direction::Outgoing)
    }

    fn linked(&self, node: NodeIndex, direction: Direction) -> impl Iterator<Item = (NodeIndex, PortId)> + '_ {
        // petgraph lists the edge added last first.
        let mut edges: Vec<_> = self.dataflow.graph.edges_directed(node, direction).collect();
        edges.reverse();
        edges.into_iter().filter_map(move |edge| {
            let other = if direction == Direction::Incoming { edge.source() } else { edge.target() };
            self.ports[edge.id().index()].map(|port| (other, port))
        })
    }

    fn input(&self, node: NodeIndex) -> PortId {
        self.inputs(node).next().expect("the stage has an input").1
    }

    fn output(&self, node: NodeIndex) -> (NodeIndex, PortId) {
        self.outputs(node).next().expect("the stage has an output")
    }

    /// The stage of a role that a node has a signal to or from.
    fn signal(&self, node: NodeIndex, role: Role) -> Option<NodeIndex> {
        self.dataflow.graph.neighbors_undirected(node).find(|&other| self.dataflow.graph[other].role == role)
    }

    fn cycles(&self, time: Time) -> u64 {
        time.cycles(self.chip.clock)
    }

    fn job(&self, component: Component, action: Action, layer: Option<usize>, duration: u64) -> Job {
        let layer = layer.map_or(NONE, |l| l as u32);
        Job { site: Site { component, layer }, action, duration }
    }

    fn part(&mut self, node: NodeIndex, network: &Network) -> Part {
        let stage = &self.dataflow.graph[node];
        match (stage.role, stage.layer) {
            (Role::Source, _) => Part::Source(Box::new(self.source(node))),
            (Role::Sink, _) => {
                let pixels = self.net.layers[self.net.output].output.positions();
                Part::Sink(Sink { input: self.input(node), pixels })
            }
            (Role::Link, Some(l)) => Part::Link(Box::new(self.link(node, l, network))),
            (Role::Buffer, Some(l)) => Part::Buffer(Box::new(self.buffer(node, l))),
            (Role::Accumulator, Some(l)) => Part::Accumulator(Box::new(self.accumulator(node, l))),
            (Role::Digital, Some(l)) => Part::Digital(Box::new(self.digital(node, l))),
            (role, Some(l)) => {
                let (layer, mapped) = (&self.net.layers[l], &self.mapping.layers[l]);
                let group = &mapped.groups[stage.group.expect("stages of arrays belong to a group")];
                let readout = Readout::new(self.chip, group.plane, group.rows, group.columns, layer.input_bits);
                match role {
                    Role::Crossbar => Part::Crossbar(self.crossbar(node, l, layer, mapped, group, readout)),
                    Role::Converter => Part::Converter(self.converter(node, l, group, readout)),
                    _ => Part::Sampler(self.sampler(node, l, layer, mapped, group)),
                }
            }
            (_, None) => unreachable!("{} belongs to a layer", stage.name),
        }
    }

    fn source(&self, node: NodeIndex) -> Source {
        let (costs, input) = (&self.chip.costs, self.net.input);
        let read = self.cycles(costs.global_read.time);
        Source::new(SourceSpec {
            outputs: self.outputs(node).map(|(_, port)| port).collect(),
            images: self.config.schedule.images,
            height: input.height,
            width: input.width,
            pixel_bytes: pixel_bytes(input.channels, self.net.input_bits),
            read: self.job(Component::GlobalBuffer, Action::Fetch, None, read),
            byte_energy: costs.global_read.energy.0,
            bytes_per_access: u64::from(self.chip.global_buffer.bytes_per_cycle),
        })
    }

    fn buffer(&self, node: NodeIndex, l: usize) -> Buffer {
        let (layer, mapped) = (&self.net.layers[l], &self.mapping.layers[l]);
        let costs = &self.chip.costs;
        let sources = match layer.source {
            InputSource::Input => 1,
            InputSource::Layer(j) => self.mapping.layers[j].passes,
        };
        let tiles = mapped.tiles.len() as u32;
        // Tiles that hold different row blocks serve different rows of a window side by side.
        let banks = tiles.min(mapped.row_blocks);
        Buffer::new(BufferSpec {
            input: self.input(node),
            groups: self.outputs(node).map(|(_, port)| port).collect(),
            index: l as u32,
            layer: layer.clone(),
            replication: mapped.replication,
            passes: mapped.passes,
            replays: mapped.passes / sources,
            images: self.config.schedule.images,
            mode: self.config.schedule.mode,
            fetch: self.job(Component::Buffer, Action::Fetch, Some(l), self.cycles(costs.buffer_read.time)),
            byte_energy: costs.buffer_read.energy.0,
            bytes_per_access: u64::from(self.chip.tile.input_buffer.bytes_per_cycle) * u64::from(banks),
            tiles: Units { first: mapped.tiles.start, number: tiles },
        })
    }

    fn crossbar(
        &mut self,
        node: NodeIndex,
        l: usize,
        layer: &NetLayer,
        mapped: &LayerMapping,
        group: &ArrayGroup,
        readout: Readout,
    ) -> Crossbar {
        let (array, costs) = (&self.chip.array, &self.chip.costs);
        let (output_node, output) = self.output(node);
        let (refresh, double_buffered, noise_rows) = match (group.plane, &self.chip.sampler) {
            (Plane::Stochastic, SamplerKind::Generator { draws, double_buffered, .. }) => {
                let refresh = if *draws == Draws::PerMember { Refresh::Pass } else { Refresh::Position };
                (refresh, *double_buffered, 0)
            }
            (Plane::Stochastic, SamplerKind::Comparator { noise_rows, .. }) => (Refresh::Never, false, *noise_rows),
            (Plane::Deterministic, _) => (Refresh::Never, false, 0),
        };
        // A driven row sees one on and one off cell in each synapse, and the noise rows that are on beside it.
        let cell = |conductance| read_energy(array.read_voltage, conductance, array.read_time).0;
        let on = cell(array.conductance_on);
        let synapse = on * u64::from(1 + noise_rows) + cell(array.conductance_off);
        // The cost table's pulse crosses 128 cells.
        let wordline = costs.wordline.energy.0 * u64::from(array.columns) / 128;
        let row = RowEnergy { read: u64::from(group.columns) * synapse, drive: wordline };
        let rows = match &self.activity {
            Some(activity) => Rows::Counted(Arc::clone(activity)),
            None => {
                let bits = layer.input_bits;
                let share = if readout.row_serial {
                    // Chance that a code is not 0 when each of its bits is 1 with the stated activity.
                    1.0 - (0..bits).fold(1.0, |zero, _| zero * (1.0 - layer.activity))
                } else {
                    layer.activity * f64::from(bits)
                };
                Rows::stated(f64::from(group.rows) * share, readout.pulses, row)
            }
        };
        let wiring = crossbar::Wiring {
            input: self.input(node),
            output,
            converter: output_node.index() as PartId,
            sampler: self.signal(node, Role::Sampler).map(|s| s.index() as PartId),
            arrays: Units { first: group.first_array, number: group.arrays_per_replica() },
            replicas: group.replicas.clone(),
            row_blocks: group.row_blocks.clone(),
        };
        let on_array = |component, action| self.job(component, action, Some(l), readout.read);
        let spec = CrossbarSpec {
            refresh,
            double_buffered,
            drive: on_array(Component::Driver, Action::Drive),
            read: on_array(Component::Crossbar, Action::Read),
            last_pass: (self.config.schedule.images - 1, mapped.passes - 1),
            pulses: readout.pulses,
            burst: if self.config.schedule.grain == Grain::Op { readout.pulses } else { 1 },
            convert_cycles: readout.convert,
            sample_and_hold: readout.overlapped,
            energy: ReadEnergy {
                layer: l as u32,
                positions: layer.positions,
                pulses: readout.pulses,
                row_serial: readout.row_serial,
                column_blocks: group.column_blocks.len() as u32,
                row,
                rows,
            },
        };
        Crossbar::new(shared(&mut self.crossbars, spec), wiring)
    }

    fn converter(&mut self, node: NodeIndex, l: usize, group: &ArrayGroup, readout: Readout) -> Converter {
        let costs = &self.chip.costs;
        let (component, action, convert, multiplex, hold) = if readout.row_serial {
            (Component::Comparator, Action::Compare, &costs.comparator, 0, 0)
        } else {
            let hold = if readout.overlapped { costs.sample_and_hold.energy.0 } else { 0 };
            (Component::Adc, Action::Convert, adc_cost(self.chip), costs.multiplexer.energy.0, hold)
        };
        let job = |component, action, duration| self.job(component, action, Some(l), duration);
        let spec = ConverterSpec {
            convert: job(component, action, self.cycles(convert.time)),
            sample: job(Component::SampleHold, Action::Sample, 0),
            arrays: group.arrays_per_replica(),
            converters: readout.converters,
            inputs: readout.inputs,
            steps: readout.steps,
            fine: self.config.schedule.grain == Grain::Conversion,
            convert_energy: convert.energy.0 + multiplex,
            sample_energy: hold,
            period: readout.period(),
        };
        let wiring = converter::Wiring {
            input: self.input(node),
            output: self.output(node).1,
            first_array: group.first_array,
            replicas: group.replicas.clone(),
        };
        Converter::new(shared(&mut self.converters, spec), wiring)
    }

    fn sampler(
        &self,
        node: NodeIndex,
        l: usize,
        layer: &NetLayer,
        mapped: &LayerMapping,
        group: &ArrayGroup,
    ) -> Sampler {
        let costs = &self.chip.costs;
        let SamplerKind::Generator { probability_bits, draws, .. } = self.chip.sampler else {
            unreachable!("only generators have a stage of their own")
        };
        let synapses = group.synapses_per_array() * u64::from(group.arrays_per_replica());
        let bits = synapses * u64::from(probability_bits);
        let per_synapse = costs.draw.energy.0 + costs.probability_fetch.energy.0;
        let passes = u64::from(self.config.schedule.images) * u64::from(mapped.passes);
        let batches = u64::from(layer.positions.div_ceil(mapped.replication));
        let last_lanes = layer.positions - (batches as u32 - 1) * mapped.replication;
        let duration = draw_cycles(self.chip, group.synapses_per_array());
        let crossbar = self.signal(node, Role::Crossbar).expect("a sampler serves a crossbar");
        Sampler::new(SamplerSpec {
            crossbar: crossbar.index() as PartId,
            draw: self.job(Component::Generator, Action::Draw, Some(l), duration),
            generators: Units { first: group.first_array, number: group.arrays_per_replica() },
            bits,
            energy: bits * costs.random_bit.energy.0 + synapses * per_synapse,
            replicas: group.replicas.clone(),
            samples: if draws == Draws::PerMember { passes } else { passes * batches },
            per_position: (draws == Draws::PerPosition).then_some((batches, last_lanes)),
        })
    }

    fn accumulator(&self, node: NodeIndex, l: usize) -> Accumulator {
        let (layer, mapped) = (&self.net.layers[l], &self.mapping.layers[l]);
        let costs = &self.chip.costs;
        let graph = &self.dataflow.graph;
        let mut row_serial = false;
        let mut period = 0;
        let mut widest = 0;
        let job = |action, duration| self.job(Component::Accumulator, action, Some(l), duration);
        let groups = self
            .inputs(node)
            .map(|(converter, port)| {
                let group = &mapped.groups[graph[converter].group.unwrap_or(0)];
                let readout = Readout::new(self.chip, group.plane, group.rows, group.columns, layer.input_bits);
                row_serial = readout.row_serial;
                period = readout.period();
                widest = widest.max(readout.converters);
                let add = if row_serial { &costs.sampled_accumulate } else { &costs.shift_add };
                GroupInput {
                    port,
                    converter: converter.index() as PartId,
                    replicas: group.replicas.clone(),
                    units: Units { first: group.first_array, number: group.arrays_per_replica() * readout.converters },
                    results: u64::from(group.arrays_per_replica()) * u64::from(readout.inputs),
                    shift_add: job(Action::ShiftAdd, self.cycles(add.time)),
                    shift_add_energy: add.energy.0,
                }
            })
            .collect();
        let latency = AccumulatorLatency::new(self.chip, layer, mapped, row_serial);
        let row_adds = u64::from(mapped.row_blocks - 1) * u64::from(layer.columns);
        let crossing = latency.crossing_bytes * costs.link.energy.0;
        Accumulator::new(AccumulatorSpec {
            groups,
            output: self.output(node).1,
            buffer: self.signal(node, Role::Buffer).expect("an accumulator tells its buffer").index() as PartId,
            period,
            tree: job(Action::Accumulate, latency.tree),
            adders: Units { first: NONE, number: (mapped.row_blocks - 1) * mapped.column_blocks * widest },
            additions: row_adds,
            tree_energy: row_adds * costs.adder.energy.0 + crossing,
            latency: latency.total(),
            depth: self.chip.accumulator.depth,
            positions: layer.positions,
            replication: mapped.replication,
            passes: mapped.passes,
        })
    }

    fn digital(&self, node: NodeIndex, l: usize) -> Digital {
        let (layer, mapped) = (&self.net.layers[l], &self.mapping.layers[l]);
        let (costs, tile) = (&self.chip.costs, &self.chip.tile);
        let tiles = Units { first: mapped.tiles.start, number: mapped.tiles.len() as u32 };
        let job = |component, action, time| self.job(component, action, Some(l), self.cycles(time));
        Digital::new(DigitalSpec {
            input: self.input(node),
            outputs: self.outputs(node).map(|(_, port)| port).collect(),
            layer: layer.clone(),
            output_bits: if l == self.net.output { LOGIT_BITS } else { layer.output_bits },
            lanes: tiles.times(self.chip.digital.lanes),
            process: job(Component::Digital, Action::PostProcess, costs.post_process.time),
            process_energy: costs.post_process.energy.0,
            pool: job(Component::Digital, Action::Pool, costs.post_process.time),
            pool_energy: costs.pool.energy.0,
            write: job(Component::Buffer, Action::Write, costs.buffer_write.time),
            byte_energy: costs.buffer_write.energy.0,
            bytes_per_access: u64::from(tile.output_buffer.bytes_per_cycle) * u64::from(tiles.number),
            tiles,
        })
    }

    /// The link into layer `l`, or from it to the sink.
    fn link(&self, node: NodeIndex, l: usize, network: &Network) -> Link {
        let graph = &self.dataflow.graph;
        let (producer_node, input) = self.inputs(node).next().expect("a link has a producer");
        let (consumer_node, output) = self.output(node);
        let producer = graph[producer_node].layer;
        let to_sink = graph[consumer_node].role == Role::Sink;
        let (costs, chip) = (&self.chip.costs, self.chip);
        let (tile_in, tile_out, global) = (&chip.tile.input_buffer, &chip.tile.output_buffer, &chip.global_buffer);
        // Messages leave from the last tile of the producer and enter at the first tile of the consumer.
        let from = producer.map_or(Place::GlobalBuffer, |p| Place::Tile(self.mapping.layers[p].tiles.end - 1));
        let to = if to_sink { Place::GlobalBuffer } else { Place::Tile(self.mapping.layers[l].tiles.start) };
        let copies = if to_sink { 0 } else { self.mapping.layers[l].tiles.len() as u32 - 1 };
        let layer = &self.net.layers[l];
        let (map, bits) = if to_sink { (layer.output, LOGIT_BITS) } else { (layer.input, layer.input_bits) };
        let job = |component, action, time| self.job(component, action, producer, self.cycles(time));
        let (read, read_from, read_cost, read_bytes) = match producer {
            // The source has read the row already.
            None => (job(Component::GlobalBuffer, Action::Fetch, Time(0)), NONE, 0, global.bytes_per_cycle),
            Some(p) => {
                let read = job(Component::Buffer, Action::Fetch, costs.buffer_read.time);
                let tile = self.mapping.layers[p].tiles.end - 1;
                (read, tile, costs.buffer_read.energy.0, tile_out.bytes_per_cycle)
            }
        };
        let (mut write, write_cost, write_bytes) = if to_sink {
            (
                job(Component::GlobalBuffer, Action::Write, costs.global_write.time),
                costs.global_write.energy.0,
                global.bytes_per_cycle,
            )
        } else {
            (
                job(Component::Buffer, Action::Write, costs.buffer_write.time),
                costs.buffer_write.energy.0,
                tile_in.bytes_per_cycle,
            )
        };
        let mut write_to = NONE;
        if !to_sink {
            // The write belongs to the layer whose buffer it fills.
            write.site.layer = l as u32;
            write_to = self.mapping.layers[l].tiles.start;
        }
        Link::new(LinkSpec {
            input,
            output,
            route: network.route(from, to),
            transfer: job(Component::Link, Action::Transfer, costs.link.time),
            hop_energy: costs.link.energy.0,
            read,
            read_unit: Units::one(read_from),
            read_energy: read_cost,
            read_bytes: u64::from(read_bytes),
            write,
            write_units: Units { first: write_to, number: copies + 1 },
            write_energy: write_cost,
            write_bytes: u64::from(write_bytes),
            copies,
            spread: levels(u64::from(copies) + 1) * self.cycles(costs.link.time),
            pixel_bytes: pixel_bytes(map.channels, bits),
            pixels: map.positions(),
            moves_turn: producer.is_some(),
        })
    }

    fn turn(&self) -> Turn {
        let graph = &self.dataflow.graph;
        let layers = self.net.layers.len();
        let mut buffers = vec![0; layers];
        let mut links = vec![0; layers];
        for node in graph.node_indices() {
            match (graph[node].role, graph[node].layer) {
                (Role::Buffer, Some(l)) => buffers[l] = node.index() as PartId,
                (Role::Digital, Some(l)) => links[l] = self.outputs(node).count() as u32,
                _ => {}
            }
        }
        let source = self.dataflow.source.index() as PartId;
        let first = self.mapping.first_ensembling_layer as u32;
        Turn::new(links, buffers, source, self.mapping.members, first)
    }
}

/// What the accumulators of a layer add to the latency of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccumulatorLatency {
    /// Shift-and-add (or drain of a row-serial plane) after the last sample.
    pub shift_add: u64,
    /// Levels of the adder tree, with partial sums that cross tiles.
    pub tree: u64,
    /// Bytes of partial sums that cross tiles, per position.
    pub crossing_bytes: u64,
}

impl AccumulatorLatency {
    /// Bytes of a partial sum on its way to another tile.
    const PARTIAL_SUM_BYTES: u64 = 4;

    /// Of a layer on a chip.
    #[must_use]
    pub fn new(chip: &Chip, layer: &NetLayer, mapped: &LayerMapping, row_serial: bool) -> Self {
        let cycles = |time: Time| time.cycles(chip.clock);
        let costs = &chip.costs;
        let shift_add = cycles(if row_serial { costs.sampled_accumulate.time } else { costs.shift_add.time });
        // Arrays are placed row block by row block, so a column block spreads over the tiles of a copy.
        let tiles =
            (mapped.tiles.len() as u64).div_ceil(u64::from(mapped.replication)).min(u64::from(mapped.row_blocks));
        let hops = levels(tiles) * cycles(costs.link.time);
        Self {
            shift_add,
            tree: levels(u64::from(mapped.row_blocks)) * cycles(costs.adder.time) + hops,
            crossing_bytes: (tiles - 1) * u64::from(layer.columns) * Self::PARTIAL_SUM_BYTES,
        }
    }

    /// Cycles in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.shift_add + self.tree
    }
}
