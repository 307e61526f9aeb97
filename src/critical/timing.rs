//! What the stages of a run do, and how long each job takes.

use crate::kernel::{Cycle, PartId, PortId};
use crate::parts::accumulator::AccumulatorSpec;
use crate::parts::buffer::BufferSpec;
use crate::parts::converter::ConverterSpec;
use crate::parts::crossbar::{self, CrossbarSpec};
use crate::parts::digital::DigitalSpec;
use crate::parts::link::LinkSpec;
use crate::parts::network::Network;
use crate::parts::sampler::SamplerSpec;
use crate::parts::source::SourceSpec;
use crate::parts::{Assembly, Job, Part};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A job of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    /// A row of an image is read from the global buffer.
    Row,
    /// A message is read at its start.
    ReadOut {
        bytes: u64,
    },
    /// The head of a message moves on by a link.
    Hop,
    /// A message passes a link, or the last of them.
    Pass {
        bytes: u64,
    },
    /// It is spread over the tiles of the layer.
    Spread,
    /// It is written.
    Store {
        bytes: u64,
    },
    /// A window is fetched.
    Window {
        position: u32,
        lanes: u32,
    },
    /// The inputs of a packed plane are gathered.
    Gather,
    /// A read of the arrays.
    Read,
    /// The conversions of a read.
    Convert,
    /// A weight sample is drawn.
    Draw,
    /// The last shift-and-add of a position.
    Drain,
    /// A position passes the adder tree.
    Tree,
    /// Positions are pooled.
    Pool {
        lanes: u32,
    },
    /// Pixels are post-processed, and written.
    Process {
        pixels: u32,
    },
    Result {
        pixels: u32,
    },
}

/// The arrays of a group with what serves them.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub crossbar: Arc<CrossbarSpec>,
    pub wiring: crossbar::Wiring,
    /// Stages of the arrays and of the converters.
    pub arrays: PartId,
    pub converters: PartId,
    pub converter: Arc<ConverterSpec>,
    /// Port of sums.
    pub sums: PortId,
    /// Stage of the generators.
    pub sampler: Option<PartId>,
}

/// The stages of a layer.
#[derive(Debug, Clone)]
pub(super) struct LayerStages {
    pub buffer: PartId,
    pub accumulator: PartId,
    pub digital: PartId,
    pub groups: Vec<Group>,
    /// The link that fills the buffer.
    pub link: PartId,
    /// Links to the consumers.
    pub links: Vec<PartId>,
}

/// Who sends to a port, or takes from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Source,
    /// Stages of a layer.
    Layer(usize),
    Sink,
}

/// A link of the dataflow with its ends.
#[derive(Debug, Clone)]
pub(super) struct LinkStage {
    pub spec: LinkSpec,
    pub from: End,
    pub to: End,
    /// Pixels that fit into the ports before and behind it.
    pub room_before: u64,
    pub room_behind: u64,
}

/// The stages of a run as they are assembled: what each waits for and how long its jobs take.
#[derive(Debug, Clone)]
pub struct Timing {
    pub(super) source: SourceSpec,
    pub(super) source_stage: PartId,
    pub(super) buffers: BTreeMap<PartId, BufferSpec>,
    pub(super) samplers: BTreeMap<PartId, SamplerSpec>,
    pub(super) accumulators: BTreeMap<PartId, AccumulatorSpec>,
    pub(super) digitals: BTreeMap<PartId, DigitalSpec>,
    pub(super) links: BTreeMap<PartId, LinkStage>,
    pub(super) layers: Vec<LayerStages>,
    /// Positions that fit between accumulator and post-processing of each layer.
    pub(super) depths: Vec<u64>,
    /// For each stage of arrays and converters its layer and group.
    pub(super) groups: BTreeMap<PartId, (usize, usize)>,
    /// Links between tiles, all of them free.
    pub(super) network: Network,
    /// Whether layers run in turn, the number of members, and the first layer that runs once a member.
    pub(super) in_turn: bool,
    pub(super) members: u32,
    pub(super) first_ensembling_layer: usize,
}

impl Timing {
    /// Reads the stages off the parts of a run, before it starts. `members` and `first_ensembling_layer` are those of the
    /// mapping.
    ///
    /// # Panics
    /// Panics if the parts are not those of a checked dataflow.
    #[must_use]
    pub fn new(assembly: &Assembly, members: u32, first_ensembling_layer: usize) -> Self {
        let number = assembly.layers.iter().flatten().max().map_or(0, |l| l + 1);
        let parts = || (0..).zip(&assembly.parts);
        let layer = |id: PartId| assembly.layers[id as usize].expect("the stage belongs to a layer");
        let mut source = None;
        let (mut buffers, mut samplers) = (BTreeMap::new(), BTreeMap::new());
        let (mut accumulators, mut digitals) = (BTreeMap::new(), BTreeMap::new());
        // Ends of the ports that links send to and take from.
        let (mut before, mut behind) = (BTreeMap::new(), BTreeMap::new());
        for (id, part) in parts() {
            match part {
                Part::Source(part) => {
                    before.extend(part.spec().outputs.iter().map(|port| (*port, End::Source)));
                    source = Some((part.spec().clone(), id));
                }
                Part::Buffer(part) => {
                    behind.insert(part.spec().input, End::Layer(layer(id)));
                    buffers.insert(id, part.spec().clone());
                }
                Part::Sampler(part) => drop(samplers.insert(id, part.spec().clone())),
                Part::Accumulator(part) => drop(accumulators.insert(id, part.spec().clone())),
                Part::Digital(part) => {
                    before.extend(part.spec().outputs.iter().map(|port| (*port, End::Layer(layer(id)))));
                    digitals.insert(id, part.spec().clone());
                }
                Part::Sink(part) => behind.extend(part.inputs.iter().map(|&input| (input, End::Sink))),
                Part::Crossbar(_) | Part::Converter(_) | Part::Link(_) => {}
            }
        }
        let mut links = BTreeMap::new();
        for (id, part) in parts() {
            if let Part::Link(part) = part {
                let spec = part.spec().clone();
                let room = |port| u64::from(assembly.ports.capacity(port));
                let link = LinkStage {
                    from: before[&spec.input],
                    to: behind[&spec.output],
                    room_before: room(spec.input),
                    room_behind: room(spec.output),
                    spec,
                };
                links.insert(id, link);
            }
        }
        let mut groups: Vec<Vec<Group>> = vec![Vec::new(); number];
        let mut places = BTreeMap::new();
        for (id, part) in parts() {
            let Part::Crossbar(part) = part else { continue };
            let (spec, wiring) = part.spec();
            let Part::Converter(converter) = &assembly.parts[wiring.converter as usize] else {
                unreachable!("converters are behind arrays")
            };
            let (of_converter, ports) = converter.spec();
            let place = (layer(id), groups[layer(id)].len());
            places.insert(id, place);
            places.insert(wiring.converter, place);
            groups[place.0].push(Group {
                crossbar: Arc::clone(spec),
                arrays: id,
                converters: wiring.converter,
                converter: Arc::clone(of_converter),
                sums: ports.output,
                sampler: wiring.draw.map(|draw| draw.part),
                wiring: wiring.clone(),
            });
        }
        fn of_layer<'a>(mut stages: impl Iterator<Item = &'a PartId>, at: impl Fn(PartId) -> bool) -> PartId {
            *stages.find(|id| at(**id)).expect("each layer has one")
        }
        let ends = |end: fn(&LinkStage) -> End, l| -> Vec<PartId> {
            links.iter().filter(|(_, link)| end(link) == End::Layer(l)).map(|(id, _)| *id).collect()
        };
        let stages: Vec<LayerStages> = groups
            .into_iter()
            .enumerate()
            .map(|(l, groups)| LayerStages {
                buffer: of_layer(buffers.keys(), |id| layer(id) == l),
                accumulator: of_layer(accumulators.keys(), |id| layer(id) == l),
                digital: of_layer(digitals.keys(), |id| layer(id) == l),
                groups,
                link: ends(|link| link.to, l)[0],
                links: ends(|link| link.from, l),
            })
            .collect();
        let depth = |layer: &LayerStages| u64::from(assembly.ports.capacity(digitals[&layer.digital].input));
        let depths = stages.iter().map(depth).collect();
        let (source, source_stage) = source.expect("a run has a source");
        Self {
            source,
            source_stage,
            samplers,
            depths,
            buffers,
            accumulators,
            digitals,
            links,
            layers: stages,
            groups: places,
            network: assembly.network.clone(),
            in_turn: assembly.turn.is_some(),
            members,
            first_ensembling_layer,
        }
    }

    /// Input ports of the links: messages share the links between tiles, so the order in which they leave counts.
    #[must_use]
    pub fn departures(&self) -> Vec<PortId> {
        self.links.values().map(|link| link.spec.input).collect()
    }

    pub(super) fn group(&self, stage: PartId) -> &Group {
        let (l, g) = self.groups[&stage];
        &self.layers[l].groups[g]
    }

    /// What a job of a stage is booked as.
    pub(super) fn job(&self, stage: PartId, work: Work) -> Job {
        let link = || &self.links[&stage].spec;
        let digital = || &self.digitals[&stage];
        match work {
            Work::Row => self.source.read,
            Work::ReadOut { .. } => link().read,
            Work::Hop | Work::Pass { .. } | Work::Spread => link().transfer,
            Work::Store { .. } => link().write,
            Work::Window { .. } => self.buffers[&stage].fetch,
            Work::Gather => self.group(stage).crossbar.gather.map_or(self.group(stage).crossbar.drive, |(job, _)| job),
            Work::Read => self.group(stage).crossbar.read,
            Work::Convert => self.group(stage).converter.convert_all,
            Work::Draw => self.samplers[&stage].draw,
            Work::Drain => self.accumulators[&stage].groups[0].shift_add,
            Work::Tree => self.accumulators[&stage].tree,
            Work::Pool { .. } => digital().pool,
            Work::Process { .. } => digital().process,
            Work::Result { .. } => digital().write,
        }
    }

    /// Cycles of a job of a stage.
    pub(super) fn cycles(&self, stage: PartId, work: Work) -> Cycle {
        let link = || &self.links[&stage].spec;
        let digital = || &self.digitals[&stage];
        match work {
            Work::Row => self.source.row_cycles(),
            Work::ReadOut { bytes } => link().ends(bytes).0,
            Work::Hop => self.network.latency(2, 0),
            Work::Pass { bytes } => self.network.occupancy(bytes),
            Work::Spread => link().spread,
            Work::Store { bytes } => link().ends(bytes).1,
            Work::Window { position, lanes } => self.buffers[&stage].fetch(position, lanes).1,
            Work::Gather => self.group(stage).crossbar.gather.map_or(0, |(_, gather)| gather.cycles),
            Work::Read => self.group(stage).crossbar.block.read,
            Work::Convert => self.group(stage).crossbar.block.convert,
            Work::Draw => self.samplers[&stage].draw.duration,
            Work::Drain => self.accumulators[&stage].latency - self.accumulators[&stage].tree.duration,
            Work::Tree => self.accumulators[&stage].tree.duration,
            Work::Pool { lanes } => digital().cycles(lanes, 0)[0],
            Work::Process { pixels } => digital().cycles(0, pixels)[1],
            Work::Result { pixels } => digital().cycles(0, pixels)[2],
        }
    }
}
