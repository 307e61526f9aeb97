//! The dataflow graph as Graphviz DOT.

use super::graph::{Dataflow, Role};
use petgraph::dot::{Config, Dot};
use petgraph::visit::EdgeRef;

/// The graph in DOT: stages as boxes by role, channels with their bound, feedback dashed.
#[must_use]
pub fn to_dot(dataflow: &Dataflow) -> String {
    let graph = &dataflow.graph;
    let edge = |_, edge: petgraph::graph::EdgeReference<'_, super::Channel>| {
        let channel = edge.weight();
        let style = if channel.feedback { ", style=dashed" } else { "" };
        let shape = channel.shape.map(|s| format!(" {s}")).unwrap_or_default();
        if channel.capacity == 0 {
            format!("label=\"{}\"{style}", channel.credit)
        } else {
            format!("label=\"{}{shape}, {} {}s\"{style}", edge.id().index(), channel.capacity, channel.credit)
        }
    };
    let node = |_, (_, stage): (petgraph::graph::NodeIndex, &super::Stage)| {
        let shape = match stage.role {
            Role::Source | Role::Sink => "ellipse",
            Role::Buffer => "cylinder",
            Role::Link => "cds",
            _ => "box",
        };
        format!("label=\"{}\", shape={shape}", stage.name)
    };
    let dot = Dot::with_attr_getters(graph, &[Config::EdgeNoLabel, Config::NodeNoLabel], &edge, &node);
    format!("{dot:?}").replacen(
        "digraph {",
        "digraph dataflow {\n    rankdir=LR;\n    node [fontname=\"sans-serif\"];",
        1,
    )
}
