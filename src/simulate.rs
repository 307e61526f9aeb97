//! From a configuration to spans: the steps of the diagram in `lib.rs`, one after another.

use crate::config::{Config, Copies, Execution, Placement, Queue};
use crate::critical::{Chain, Flow, Timing, walk};
use crate::dataflow::{self, Dataflow, LOGIT_BITS, pixel_bytes};
use crate::error::{Error, Problem};
use crate::kernel::{Cycle, ReferenceQueue, Ring};
use crate::mapping::place::{SharedRows, Traffic, by_traffic, byte_hops};
use crate::mapping::replicate::{Candidate, Goal, equalise};
use crate::mapping::{self, Mapping, Placed, Replicated, Split, Splits};
use crate::parts::network::{Place, Topology};
use crate::parts::{Assembly, Outcome, RowActivity, Simulation, assemble, limits};
use crate::report::closed_form::interval;
use crate::report::inventory::inventory;
use crate::report::table::mm2;
use crate::trace::SpanSink;
use crate::units::Area;
use crate::workload::{self, LayerInput, LoadedPosterior, Net, Shape};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A network on a chip, ready to be simulated.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Layers with their shapes.
    pub net: Net,
    /// Layers to arrays; plans that differ in nothing that it depends on share it.
    pub mapping: Arc<Mapping>,
    /// Stages and channels.
    pub dataflow: Dataflow,
}

/// Resolves the network.
///
/// # Errors
/// All problems, by the dotted path of the key within the run's configuration.
pub fn network(config: &Config) -> Result<Net, Vec<Problem>> {
    let below = |p: Problem| Problem { path: format!("workload.{}", p.path), ..p };
    workload::resolve(&config.workload).map_err(|problems| problems.into_iter().map(below).collect())
}

/// Resolves the network, maps it and builds its dataflow. A scheme that splits synapses by their p is planned by
/// [`plan_split`].
///
/// # Errors
/// All problems of the first step that has any, by the dotted path of the key within the run's configuration.
pub fn plan(config: &Config) -> Result<Plan, Vec<Problem>> {
    plan_split(config, None)
}

/// The same for a scheme that splits synapses by their p, which are those of `posterior`; other schemes do not look at it.
///
/// # Errors
/// As [`plan`], and if the scheme needs a posterior and there is none.
pub fn plan_split(config: &Config, posterior: Option<&LoadedPosterior>) -> Result<Plan, Vec<Problem>> {
    let net = network(config)?;
    plan_with(config, &net, |layer, eps| {
        let (of_net, of_layer) = (&net.layers[layer], &posterior?.layers[layer]);
        Some(Arc::new(Split::new(of_net.rows, of_net.columns, &of_layer.p, eps)))
    })
}

/// The same with the splits of layers that `split` gives for a layer and an eps; none where there is no posterior.
///
/// # Errors
/// As [`plan_split`].
pub fn plan_with(
    config: &Config,
    net: &Net,
    split: impl FnMut(usize, f64) -> Option<Arc<Split>>,
) -> Result<Plan, Vec<Problem>> {
    plan_mapped(config, net, split, |map| map().map(Arc::new))
}

/// The same with the mapping that `mapping` gives or makes.
pub(crate) fn plan_mapped(
    config: &Config,
    net: &Net,
    split: impl FnMut(usize, f64) -> Option<Arc<Split>>,
    mapping: impl FnOnce(&dyn Fn() -> Result<Mapping, Vec<Problem>>) -> Result<Arc<Mapping>, Vec<Problem>>,
) -> Result<Plan, Vec<Problem>> {
    if config.mapping.scheme.is_auto() {
        let message = "Auto is found by running values, which planning does not";
        return Err(vec![Problem::new("mapping.scheme", message)]);
    }
    let mut splits = splits(config, net, split)?;
    let mut net = net.clone();
    let first = mapping::first_ensembling_layer(&config.mapping.scheme, &net).map_err(|problem| vec![problem])?;
    if config.ensemble.execution == Execution::Spatial && first < net.layers.len() {
        net = net.side_by_side(first, config.members());
        splits = splits.map(|splits| (0..net.layers.len()).map(|l| splits[net.described(l)].clone()).collect());
    }
    let mapping = mapping(&|| mapped(config, &net, splits.as_ref()))?;
    let problems = limits(config, &net, &mapping);
    if !problems.is_empty() {
        return Err(problems);
    }
    let dataflow = dataflow::build(config, &net, &mapping)?;
    Ok(Plan { net, mapping, dataflow })
}

/// Layers to arrays, with the copies that are to be chosen, and arrays to places.
fn mapped(config: &Config, net: &Net, splits: Option<&Splits>) -> Result<Mapping, Vec<Problem>> {
    let mut mapping = mapping::map(config, net, splits)?;
    if let Copies::Auto { target_interval, area_budget } = config.mapping.copies {
        let goal = Goal { interval: target_interval, area: area_budget };
        let replicated = chosen_copies(config, net, &mapping, goal).map_err(|problem| vec![problem])?;
        let mut config = config.clone();
        config.mapping.replication = replicated.replication();
        mapping = Mapping { replicated: Some(replicated), ..mapping::map(&config, net, splits)? };
    }
    place(config, net, &mut mapping).map_err(|problem| vec![problem])?;
    Ok(mapping)
}

/// The copies that equalise the layers' intervals; `mapping` has those at the start.
fn chosen_copies(config: &Config, net: &Net, mapping: &Mapping, goal: Goal) -> Result<Replicated, Problem> {
    // Copies of a layer for several members are one layer.
    let (mut names, mut firsts, mut of_layer) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (l, layer) in net.layers.iter().enumerate() {
        let candidate = *names.entry(layer.described_name()).or_insert(firsts.len());
        if candidate == firsts.len() {
            firsts.push(l);
        }
        of_layer.push(candidate);
    }
    let candidate = |&l: &usize| Candidate {
        name: net.layers[l].described_name().to_owned(),
        positions: net.layers[l].positions,
        copies: mapping.layers[l].replication,
    };
    let candidates: Vec<Candidate> = firsts.iter().map(candidate).collect();
    let mut occupied = mapping.clone();
    let interval = |candidate: usize, copies: u32| {
        let l = firsts[candidate];
        interval(config, &net.layers[l], &mapping.layers[l], copies)
    };
    let mut area = |copies: &[u32]| {
        let of_layers: Vec<u32> = of_layer.iter().map(|&candidate| copies[candidate]).collect();
        occupied.set_copies(config, net, &of_layers);
        let area: u128 = inventory(config, net, &occupied, 0).iter().map(|item| item.area_nm2).sum();
        Area(u64::try_from(area).unwrap_or(u64::MAX))
    };
    equalise(&candidates, goal, &interval, &mut area).map_err(|least| {
        let budget = goal.area.unwrap_or_default();
        let message = format!("area_budget is {budget}; the copies that are given take {}", mm2(least));
        Problem::new("mapping.copies.area_budget", message)
    })
}

/// Most tiles whose places are chosen.
const MOST_PLACED: u32 = 1 << 20;

/// Chooses the places of the tiles, and counts what is sent how far.
fn place(config: &Config, net: &Net, mapping: &mut Mapping) -> Result<(), Problem> {
    let interconnect = &config.arch.interconnect;
    let bytes = |map: Shape, bits, passes: u32| {
        u64::from(passes) * u64::from(map.positions()) * pixel_bytes(map.channels, bits)
    };
    let mut flows: Vec<Traffic> = Vec::new();
    for (l, layer) in net.layers.iter().enumerate() {
        let (from, passes) = match layer.source {
            LayerInput::Input => (None, 1),
            LayerInput::Layer(j) => (Some(j), mapping.layers[j].passes),
        };
        flows.push(Traffic { from, to: Some(l), bytes: bytes(layer.input, layer.input_bits, passes) });
    }
    flows.extend(net.outputs().map(|last| {
        let answers = bytes(net.layers[last].output, LOGIT_BITS, mapping.layers[last].passes);
        Traffic { from: Some(last), to: None, bytes: answers }
    }));
    let sizes: Vec<u32> = mapping.layers.iter().map(|layer| layer.tiles.len() as u32).collect();
    let tiles_in_order: u32 = sizes.iter().sum();
    let at = |tile: Option<u32>| tile.map_or(Place::GlobalBuffer, Place::Tile);
    let mut next = 0;
    let in_order: Vec<[u32; 2]> = sizes
        .iter()
        .map(|size| {
            next += size;
            [next - size, next - 1]
        })
        .collect();
    let topology = Topology::new(interconnect, tiles_in_order);
    let hops = |from, to| topology.hops(at(from), at(to));
    let byte_hops_in_order = byte_hops(&flows, |l| in_order[l], &hops);
    if config.mapping.placement == Placement::ByTraffic {
        if mapping.tiles > MOST_PLACED {
            let message = format!("ByTraffic places {} tiles; expected at most {MOST_PLACED}", mapping.tiles);
            return Err(Problem::new("mapping.placement", message).hint("expected InOrder or Packed"));
        }
        mapping.places = by_traffic(&sizes, &flows, &topology.paths(tiles_in_order), &hops).unwrap_or_default();
    }
    let ends = |l: usize| [mapping.layers[l].tiles.start, mapping.layers[l].tiles.end - 1];
    let topology = Topology::new(interconnect, mapping.tiles).with_places(mapping.places.clone());
    let hops = |from, to| topology.hops(at(from), at(to));
    let shared_arrays = shared_rows(config, net, mapping);
    let byte_hops = byte_hops(&flows, ends, &hops);
    mapping.placed = Placed { byte_hops, byte_hops_in_order, tiles_in_order, shared_arrays };
    Ok(())
}

/// Who has rows of the arrays that layers share.
fn shared_rows(config: &Config, net: &Net, mapping: &Mapping) -> Vec<SharedRows> {
    let mut arrays: BTreeMap<u32, SharedRows> = BTreeMap::new();
    for (layer, mapped) in net.layers.iter().zip(&mapping.layers) {
        for group in &mapped.groups {
            let Some(shared) = group.shared else { continue };
            let rows = config.arch.plane(group.plane).array.rows;
            let new = || SharedRows { array: shared.array, rows, layers: Vec::new() };
            arrays.entry(shared.array).or_insert_with(new).layers.push((layer.name.clone(), group.rows));
        }
    }
    arrays.into_values().collect()
}

/// Which synapses each layer samples, if the scheme splits them.
fn splits(
    config: &Config,
    net: &Net,
    mut split: impl FnMut(usize, f64) -> Option<Arc<Split>>,
) -> Result<Option<Splits>, Vec<Problem>> {
    let Some(eps) = config.mapping.scheme.eps() else { return Ok(None) };
    let first = mapping::first_ensembling_layer(&config.mapping.scheme, net).map_err(|problem| vec![problem])?;
    let mut splits = vec![None; first];
    for layer in first..net.layers.len() {
        let Some(split) = split(layer, eps) else {
            let message = "eps splits synapses by their p, and the network has no posterior";
            let problem = Problem::new("mapping.scheme.eps", message);
            return Err(vec![problem.hint("expected eps: Everything, or a posterior")]);
        };
        splits.push(Some(split));
    }
    Ok(Some(splits))
}

impl Plan {
    /// Parts, ports and links of the plan. `activity` gives the driven rows where images were evaluated.
    ///
    /// # Errors
    /// Returns [`Error::Internal`] if the dataflow fails its check.
    pub fn assemble(&self, config: &Config, activity: Option<Arc<dyn RowActivity>>) -> Result<Assembly, Error> {
        dataflow::check(&self.dataflow)?;
        Ok(assemble(config, &self.net, &self.mapping, &self.dataflow, activity))
    }

    /// Number of answers that a run produces: the total of its progress.
    #[must_use]
    pub fn answers(&self, config: &Config) -> u64 {
        self.mapping.answers(&self.net, config.schedule.images)
    }
}

/// Runs assembled parts on the queue that the configuration names. `progress` is called with the number of
/// answers so far and the cycle.
///
/// # Errors
/// Returns [`Error::Deadlock`] if parts wait for each other.
pub fn simulate<K: SpanSink>(
    config: &Config,
    assembly: Assembly,
    sink: K,
    progress: impl FnMut(u64, Cycle),
) -> Result<(Outcome, K), Error> {
    let simulation = Simulation::new(assembly, sink);
    match config.schedule.queue {
        Queue::Ring => simulation.run(&mut Ring::default(), progress),
        Queue::PriorityQueue => simulation.run(&mut ReferenceQueue::default(), progress),
    }
}

/// The critical path of a run.
#[derive(Debug)]
pub struct Critical {
    /// The chain.
    pub chain: Chain,
    /// The times that it was found with.
    pub timing: Timing,
    /// Cycles of the run.
    pub cycles: Cycle,
    /// Names of the stages.
    pub stages: Vec<String>,
    /// Names of the layers, of which members side by side have copies.
    pub layers: Vec<String>,
}

impl Plan {
    /// How long each job takes.
    ///
    /// # Errors
    /// Returns [`Error::Internal`] if the dataflow fails its check.
    pub fn timing(&self, config: &Config) -> Result<Timing, Error> {
        let assembly = self.assemble(config, None)?;
        Ok(Timing::new(&assembly, self.mapping.members, self.mapping.first_ensembling_layer))
    }

    /// Runs the plan and follows its critical path. Memory holds 48 bytes for each piece of work at each port.
    ///
    /// # Errors
    /// Returns [`Error::Deadlock`] if parts wait for each other.
    pub fn critical(
        &self,
        config: &Config,
        activity: Option<Arc<dyn RowActivity>>,
        progress: impl FnMut(u64, Cycle),
    ) -> Result<Critical, Error> {
        let assembly = self.assemble(config, activity)?;
        let timing = Timing::new(&assembly, self.mapping.members, self.mapping.first_ensembling_layer);
        let stages = assembly.names.clone();
        let layers = self.net.layers.iter().map(|layer| layer.name.clone()).collect();
        let (outcome, flow) = simulate(config, assembly, Flow::new(timing.departures()), progress)?;
        let chain = walk(&timing, &flow, outcome.cycles)?;
        Ok(Critical { chain, timing, cycles: outcome.cycles, stages, layers })
    }
}
