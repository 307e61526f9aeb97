//! The inputs from which a part is built: its stage of the dataflow with ports, and chip, network and mapping.

use super::context::{Job, Site, Units};
use super::energy::RowActivity;
use super::network::Network;
use crate::config::{Chip, Config, Cost, Packing, Plane};
use crate::dataflow::{Channel, Role, Stage};
use crate::kernel::{Event, PartId, PortId};
use crate::mapping::{ArrayGroup, LayerMapping, Mapping};
use crate::readout::{Block, Readout};
use crate::trace::{Action, Component, NONE};
use crate::units::Time;
use crate::workload::{Net, NetLayer};
use petgraph::Direction;
use petgraph::graph::{DiGraph, EdgeReference, NodeIndex};
use petgraph::visit::EdgeRef;
use std::sync::Arc;

/// An edge of the dataflow in the engine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire {
    /// Its port; none for a signal.
    pub port: Option<PortId>,
    /// The tag by which it notifies its target.
    pub event: Event,
}

/// A stage of the dataflow from which a part is built.
#[derive(Debug, Clone, Copy)]
pub struct Build<'a> {
    pub(super) config: &'a Config,
    pub(super) chip: &'a Chip,
    pub(super) net: &'a Net,
    pub(super) mapping: &'a Mapping,
    pub(super) network: &'a Network,
    /// Counts of driven rows, where images were evaluated.
    pub(super) activity: Option<&'a Arc<dyn RowActivity>>,
    pub(super) graph: &'a DiGraph<Stage, Channel>,
    /// By index of the edge.
    pub(super) wires: &'a [Wire],
    pub(super) node: NodeIndex,
}

impl<'a> Build<'a> {
    /// The stage itself.
    pub(super) fn stage(&self) -> &'a Stage {
        &self.graph[self.node]
    }

    /// Index, shape and mapping of its layer.
    pub(super) fn layer(&self) -> (usize, &'a NetLayer, &'a LayerMapping) {
        let l = self.stage().layer.expect("the stage belongs to a layer");
        (l, &self.net.layers[l], &self.mapping.layers[l])
    }

    /// Its group of arrays.
    pub(super) fn group(&self) -> &'a ArrayGroup {
        let group = self.stage().group.expect("the stage belongs to a group of arrays");
        &self.layer().2.groups[group]
    }

    /// Packing of its group's plane, and whether the plane skips rows whose input is 0.
    pub(super) fn packing(&self) -> (Packing, bool) {
        let choices = self.config.mapping.scheme.choices().filter(|_| self.group().plane == Plane::Stochastic);
        let choices = choices.unwrap_or_default();
        (choices.packing, choices.skip_zero_rows)
    }

    /// How the arrays of its group are read.
    pub(super) fn block(&self) -> Block {
        let (group, layer) = (self.group(), self.layer().1);
        Readout::new(self.chip, group.plane).block(group.rows, group.columns, layer)
    }

    /// Place of the array that its group shares among all that are shared.
    pub(super) fn shared_array(&self) -> Option<u32> {
        let array = self.group().shared?.array;
        Some(self.mapping.shared_arrays().range(..array).count() as u32)
    }

    /// Image and member of the last pass of the run in which the group takes part.
    pub(super) fn last_pass(&self) -> (u32, u32) {
        let passes = if self.group().first_member_only { 1 } else { self.layer().2.passes };
        (self.config.schedule.images - 1, passes - 1)
    }

    /// The group's arrays in one copy of the layer.
    pub(super) fn arrays(&self) -> Units {
        let (group, index) = (self.group(), self.stage().group.map_or(NONE, |index| index as u32));
        Units { first: group.first_array, number: group.arrays_per_replica(), group: index }
    }

    /// Edges with a port, in the order in which they were added, each with the stage at the other end.
    fn ports(self, direction: Direction) -> impl Iterator<Item = (NodeIndex, PortId)> + use<'a> {
        // petgraph lists the edge added last first.
        let mut edges: Vec<EdgeReference<'a, Channel>> = self.graph.edges_directed(self.node, direction).collect();
        edges.reverse();
        edges.into_iter().filter_map(move |edge| {
            let other = if direction == Direction::Incoming { edge.source() } else { edge.target() };
            self.wires[edge.id().index()].port.map(|port| (other, port))
        })
    }

    /// Stages that feed it, with the ports between.
    pub(super) fn inputs(&self) -> impl Iterator<Item = (NodeIndex, PortId)> + use<'a> {
        self.ports(Direction::Incoming)
    }

    /// Its only input.
    pub(super) fn input(&self) -> PortId {
        self.inputs().next().expect("the stage has an input").1
    }

    /// Ports to the stages that it feeds.
    pub(super) fn outputs(&self) -> impl Iterator<Item = PortId> + use<'a> {
        self.ports(Direction::Outgoing).map(|(_, port)| port)
    }

    /// Ports to the groups of arrays that it feeds, and whether a group takes part in the first member only.
    pub(super) fn groups(self) -> impl Iterator<Item = (PortId, bool)> + use<'a> {
        self.ports(Direction::Outgoing)
            .map(move |(node, port)| (port, Build { node, ..self }.group().first_member_only))
    }

    /// Its only output.
    pub(super) fn output(&self) -> PortId {
        self.outputs().next().expect("the stage has an output")
    }

    /// The stage that feeds it.
    pub(super) fn producer(&self) -> &'a Stage {
        let (node, _) = self.inputs().next().expect("the stage has an input");
        &self.graph[node]
    }

    /// The stage that it feeds.
    pub(super) fn consumer(&self) -> &'a Stage {
        &self.graph[self.consumer_node()]
    }

    /// The only output of the stage that it feeds.
    pub(super) fn output_of_consumer(&self) -> PortId {
        Build { node: self.consumer_node(), ..*self }.output()
    }

    /// Part of the stage that it feeds.
    pub(super) fn consumer_part(&self) -> PartId {
        self.consumer_node().index() as PartId
    }

    fn consumer_node(&self) -> NodeIndex {
        self.ports(Direction::Outgoing).next().expect("the stage has an output").0
    }

    /// The wake-up sent by the signal to the stage of a role, if there is one.
    pub(super) fn signal(&self, to: Role) -> Option<Event> {
        let mut edges = self.graph.edges_directed(self.node, Direction::Outgoing);
        let edge = edges.find(|edge| self.graph[edge.target()].role == to)?;
        Some(self.wires[edge.id().index()].event)
    }

    /// A time in whole cycles.
    pub(super) fn cycles(&self, time: Time) -> u64 {
        time.cycles(self.chip.clock)
    }

    /// An action of a component for a layer.
    pub(super) fn job(
        &self,
        layer: Option<usize>,
        component: Component,
        action: Action,
        duration: u64,
        energy: u64,
    ) -> Job {
        let layer = layer.map_or(NONE, |l| l as u32);
        Job { site: Site::new(component, layer, None), action, duration, energy }
    }

    /// The same with time and energy of an entry of the cost table.
    pub(super) fn job_of(&self, layer: Option<usize>, component: Component, action: Action, cost: &Cost) -> Job {
        self.job(layer, component, action, self.cycles(cost.time), cost.energy.0)
    }
}

/// The element of `known` that equals `spec`, or a new one: shared specs stay in the cache.
pub(super) fn shared<T: PartialEq>(known: &mut Vec<Arc<T>>, spec: T) -> Arc<T> {
    // Specs of the current layer are at the end.
    let found = known.iter().rev().find(|other| ***other == spec).cloned();
    found.unwrap_or_else(|| {
        known.push(Arc::new(spec));
        Arc::clone(&known[known.len() - 1])
    })
}

/// Levels of a binary tree over `leaves`.
pub(super) fn levels(leaves: u64) -> u64 {
    u64::from(leaves.max(1).next_power_of_two().trailing_zeros())
}
