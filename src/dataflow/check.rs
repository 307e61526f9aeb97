//! Checks of a dataflow graph.

use super::graph::Dataflow;
use crate::error::Error;
use petgraph::algo::{connected_components, toposort};
use petgraph::visit::{EdgeFiltered, EdgeRef};

/// Checks that the graph is acyclic but for declared feedback, in one piece, that every channel with a shape meets
/// channels of the same shape at a link, and that every channel that is no signal is bounded.
///
/// # Errors
/// [`Error::Internal`] names the stage: the builder has made a graph that it must not make.
pub fn check(dataflow: &Dataflow) -> Result<(), Error> {
    let graph = &dataflow.graph;
    let forward = EdgeFiltered::from_fn(graph, |edge| !edge.weight().feedback);
    if let Err(cycle) = toposort(&forward, None) {
        let name = &graph[cycle.node_id()].name;
        return Err(Error::Internal(format!("the dataflow has an undeclared cycle through {name}")));
    }
    let pieces = connected_components(graph);
    if pieces != 1 {
        return Err(Error::Internal(format!("the dataflow falls into {pieces} pieces; expected one")));
    }
    for edge in graph.edge_references() {
        let (from, to) = (&graph[edge.source()].name, &graph[edge.target()].name);
        if edge.weight().capacity == 0 && edge.weight().credit != "signal" {
            return Err(Error::Internal(format!("the channel {from} -> {to} has no room")));
        }
        let Some(shape) = edge.weight().shape else { continue };
        for next in graph.edges(edge.target()) {
            if let Some(other) = next.weight().shape
                && other != shape
            {
                return Err(Error::Internal(format!("{to} takes {shape} from {from}, but passes on {other}")));
            }
        }
    }
    Ok(())
}
