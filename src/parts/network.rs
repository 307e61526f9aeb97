//! The links between tiles: routes, and until when each link is occupied.
//!
//! A message takes the links of its route one after another (virtual cut-through): the head moves on one hop a step, a link
//! stays taken until the tail has passed. A message that finds a link taken waits for it; links are granted in the order in
//! which messages ask.

use super::recur::Visitor;
use crate::config::Interconnect;
use crate::kernel::{Cycle, PartId};

/// The interconnect at work.
#[derive(Debug, Clone)]
pub struct Network {
    topology: Topology,
    /// Cycle from which each link is free; none if no message has taken it yet.
    free_at: Vec<Option<Cycle>>,
    /// Cycles of one step of a link, and of one hop.
    step: Cycle,
    bytes_per_step: u64,
}

/// The interconnect of a chip: its links, and the ways between tiles. Tile numbers are those of the mapping; the global
/// buffer has a place of its own.
#[derive(Debug, Clone)]
pub struct Topology {
    kind: Kind,
    links: u64,
    /// Place of each tile, by its number; empty: its number.
    places: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Bus,
    /// Width of the grid and number of tiles.
    Mesh {
        width: u32,
        height: u32,
    },
    /// Levels of the tree.
    HTree {
        levels: u32,
    },
}

/// Where a message starts or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The global buffer.
    GlobalBuffer,
    /// A tile.
    Tile(u32),
}

/// A request to leave: image, member and link. The requests of a cycle are granted in this order: the oldest pass first, and
/// within a pass the message into the layer nearest to the input.
pub type Departure = (u32, u32, PartId);

/// One link on a message's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// Number of the link.
    pub link: u32,
    /// Cycle at which the message before has left it; 0 if there was none.
    pub free: Cycle,
    /// Cycle at which the head of the message requests it.
    pub asked: Cycle,
    /// Cycle at which it is granted.
    pub granted: Cycle,
}

impl Topology {
    /// Of `tiles` tiles, whose places are their numbers.
    #[must_use]
    pub fn new(interconnect: &Interconnect, tiles: u32) -> Self {
        let (kind, links) = match *interconnect {
            Interconnect::Bus { .. } => (Kind::Bus, 1),
            Interconnect::Mesh { width, .. } => {
                let width = if width == 0 { tiles.isqrt() + u32::from(tiles.isqrt().pow(2) < tiles) } else { width };
                let width = width.max(1);
                let height = tiles.div_ceil(width).max(1);
                // Four directions and one exit for each tile, one exit to the global buffer.
                (Kind::Mesh { width, height }, u64::from(width) * u64::from(height) * 5 + 1)
            }
            Interconnect::HTree { .. } => {
                let levels = tiles.max(2).next_power_of_two().trailing_zeros();
                // A link up and one down for each node of a binary tree.
                (Kind::HTree { levels }, 2 << (levels + 1))
            }
        };
        Self { kind, links, places: Vec::new() }
    }

    /// The same with the tiles at other places.
    #[must_use]
    pub fn with_places(self, places: Vec<u32>) -> Self {
        Self { places, ..self }
    }

    /// Where a message starts or ends on the interconnect.
    fn placed(&self, place: Place) -> Place {
        match place {
            Place::Tile(tile) if !self.places.is_empty() => Place::Tile(self.places[tile as usize]),
            place => place,
        }
    }

    /// Number of links from one place to another.
    #[must_use]
    pub fn hops(&self, from: Place, to: Place) -> u64 {
        let (from, to) = (self.placed(from), self.placed(to));
        match self.kind {
            Kind::Bus => 1,
            Kind::Mesh { width, .. } => {
                let (from, to) = (corner_or_tile(from), corner_or_tile(to));
                let (x, y) = ((from % width).abs_diff(to % width), (from / width).abs_diff(to / width));
                u64::from(x) + u64::from(y) + 1
            }
            Kind::HTree { levels } => {
                let (mut from, mut to, mut hops) = (tree_node(levels, from), tree_node(levels, to), 0);
                while from != to {
                    if from > to {
                        from /= 2
                    } else {
                        to /= 2
                    }
                    hops += 1;
                }
                hops
            }
        }
    }

    /// The links from one place to another.
    #[must_use]
    pub fn route(&self, from: Place, to: Place) -> Vec<u32> {
        let (from, to) = (self.placed(from), self.placed(to));
        match self.kind {
            Kind::Bus => vec![0],
            Kind::Mesh { width, height } => mesh_route(width, height, from, to),
            Kind::HTree { levels } => tree_route(levels, from, to),
        }
    }

    /// Ways through the places of `tiles` tiles, for layers to be strung along: on a mesh row by row, and the same back and
    /// forth, so that each step goes to a neighbour; on a tree from leaf to leaf. None on a bus, where all places are alike.
    #[must_use]
    pub fn paths(&self, tiles: u32) -> Vec<Vec<u32>> {
        match self.kind {
            Kind::Bus => Vec::new(),
            Kind::HTree { .. } => vec![(0..tiles).collect()],
            Kind::Mesh { width, .. } => {
                let back_and_forth = |tile: u32| {
                    let (row, column) = (tile / width, tile % width);
                    row * width + if row.is_multiple_of(2) { column } else { width - 1 - column }
                };
                vec![(0..tiles).collect(), (0..tiles).map(back_and_forth).collect()]
            }
        }
    }
}

impl Network {
    /// A network of idle links.
    #[must_use]
    pub fn new(interconnect: &Interconnect, topology: Topology, step: Cycle) -> Self {
        let (Interconnect::Bus { bytes_per_cycle }
        | Interconnect::Mesh { bytes_per_cycle, .. }
        | Interconnect::HTree { bytes_per_cycle }) = *interconnect;
        Self {
            free_at: vec![None; topology.links as usize],
            topology,
            step,
            bytes_per_step: u64::from(bytes_per_cycle),
        }
    }

    /// Cycles that a link is taken by `bytes`.
    #[must_use]
    pub fn occupancy(&self, bytes: u64) -> Cycle {
        bytes.div_ceil(self.bytes_per_step) * self.step
    }

    /// Cycles from the head's entering an idle route of `hops` links to the tail's leaving it.
    #[must_use]
    pub fn latency(&self, hops: usize, bytes: u64) -> Cycle {
        if hops == 0 { 0 } else { (hops as u64 - 1) * self.step + self.occupancy(bytes) }
    }

    /// Shows until when each link is taken.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        self.free_at.iter_mut().for_each(|free_at| visitor.time_if(free_at));
    }

    /// Shows it of one link.
    pub fn visit_link(&mut self, link: u32, visitor: &mut dyn Visitor) {
        visitor.time_if(&mut self.free_at[link as usize]);
    }

    /// Number of links, for utilisation and area.
    #[must_use]
    pub fn links(&self) -> usize {
        self.free_at.len()
    }

    /// At the end of a run, the cycle from which a link was free; none if no message has taken it, and the second time.
    pub fn close(&mut self, link: u32) -> Option<Cycle> {
        self.free_at[link as usize].take()
    }

    /// The links from one place to another.
    #[must_use]
    pub fn route(&self, from: Place, to: Place) -> Vec<u32> {
        self.topology.route(from, to)
    }

    /// Takes the links of a route for a message of `bytes` whose head is ready at `start`; the grants go into `hops`.
    /// Returns the cycle at which the tail has arrived.
    pub fn transfer(&mut self, route: &[u32], start: Cycle, bytes: u64, hops: &mut Vec<Hop>) -> Cycle {
        let occupancy = self.occupancy(bytes);
        hops.clear();
        let mut head = start;
        for &link in route {
            let free_at = &mut self.free_at[link as usize];
            let free = free_at.unwrap_or(0);
            let granted = head.max(free);
            hops.push(Hop { link, free, asked: head, granted });
            *free_at = Some(granted + occupancy);
            head = granted + self.step;
        }
        hops.last().map_or(start, |hop| hop.granted + occupancy)
    }
}

/// A place of a mesh: the global buffer sits beside tile 0.
fn corner_or_tile(place: Place) -> u32 {
    match place {
        Place::GlobalBuffer => 0,
        Place::Tile(tile) => tile,
    }
}

/// A node of a tree, numbered as in a heap: the root is 1 and holds the global buffer.
fn tree_node(levels: u32, place: Place) -> u32 {
    match place {
        Place::GlobalBuffer => 1,
        Place::Tile(tile) => (1 << levels) + tile,
    }
}

/// X first, then Y, then the exit at the target.
fn mesh_route(width: u32, height: u32, from: Place, to: Place) -> Vec<u32> {
    let (from, exit) = (corner_or_tile(from), corner_or_tile(to));
    let (mut x, mut y) = (from % width, from / width);
    let (to_x, to_y) = (exit % width, exit / width);
    let mut route = Vec::new();
    let link = |x: u32, y: u32, direction: u32| (y * width + x) * 5 + direction;
    while x != to_x {
        let east = x < to_x;
        route.push(link(x, y, u32::from(!east)));
        x = if east { x + 1 } else { x - 1 };
    }
    while y != to_y {
        let south = y < to_y;
        route.push(link(x, y, 2 + u32::from(!south)));
        y = if south { y + 1 } else { y - 1 };
    }
    route.push(if to == Place::GlobalBuffer { width * height * 5 } else { link(to_x, to_y, 4) });
    route
}

/// Up to the lowest common branch, then down.
fn tree_route(levels: u32, from: Place, to: Place) -> Vec<u32> {
    let (mut up, mut down) = (tree_node(levels, from), tree_node(levels, to));
    let (mut rising, mut falling) = (Vec::new(), Vec::new());
    while up != down {
        if up > down {
            rising.push(up * 2);
            up /= 2;
        } else {
            falling.push(down * 2 + 1);
            down /= 2;
        }
    }
    falling.reverse();
    rising.extend(falling);
    rising
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(interconnect: Interconnect, tiles: u32, step: Cycle) -> Network {
        Network::new(&interconnect, Topology::new(&interconnect, tiles), step)
    }

    #[test]
    fn mesh_routes_go_along_x_then_y() {
        let mesh = network(Interconnect::Mesh { width: 3, bytes_per_cycle: 32 }, 9, 1);
        // Tile 0 (0,0) to tile 5 (2,1): east twice, south once, exit.
        assert_eq!(mesh.route(Place::Tile(0), Place::Tile(5)), [0, 5, 12, 29]);
        assert_eq!(mesh.route(Place::GlobalBuffer, Place::Tile(0)), [4]);
        assert_eq!(mesh.route(Place::Tile(1), Place::GlobalBuffer), [6, 45]);
    }

    #[test]
    fn tiles_may_have_other_places() {
        // Back and forth on 3 x 3: 0 1 2, 5 4 3, 6 7 8. Tiles 2 and 3 of a row-by-row order lie 3 links apart, here 1.
        let mesh = Topology::new(&Interconnect::Mesh { width: 3, bytes_per_cycle: 32 }, 9);
        let paths = mesh.paths(9);
        assert_eq!(paths[1], [0, 1, 2, 5, 4, 3, 6, 7, 8]);
        assert_eq!(mesh.route(Place::Tile(2), Place::Tile(3)).len(), 4);
        let mesh = mesh.with_places(paths[1].clone());
        assert_eq!(mesh.route(Place::Tile(2), Place::Tile(3)), [2 * 5 + 2, 5 * 5 + 4]);
    }

    #[test]
    fn tree_routes_meet_at_the_common_branch() {
        let tree = network(Interconnect::HTree { bytes_per_cycle: 32 }, 4, 1);
        // Leaves are nodes 4..8: tile 0 -> tile 1 turns at node 2, tile 0 -> tile 3 at the root.
        assert_eq!(tree.route(Place::Tile(0), Place::Tile(1)), [8, 11]);
        assert_eq!(tree.route(Place::Tile(0), Place::Tile(3)), [8, 4, 7, 15]);
        assert_eq!(tree.route(Place::GlobalBuffer, Place::Tile(2)), [7, 13]);
    }

    #[test]
    fn hops_are_the_links_of_a_route() {
        let kinds = [
            Interconnect::Bus { bytes_per_cycle: 1 },
            Interconnect::Mesh { width: 3, bytes_per_cycle: 1 },
            Interconnect::HTree { bytes_per_cycle: 1 },
        ];
        for topology in kinds.map(|kind| Topology::new(&kind, 7).with_places(vec![3, 1, 0, 2, 6, 5, 4])) {
            let places = || (0..7).map(Place::Tile).chain([Place::GlobalBuffer]);
            for (from, to) in places().flat_map(|from| places().map(move |to| (from, to))) {
                assert_eq!(topology.hops(from, to), topology.route(from, to).len() as u64, "{from:?} {to:?}");
            }
        }
    }

    #[test]
    fn a_taken_link_is_waited_for() {
        let mut bus = network(Interconnect::Bus { bytes_per_cycle: 16 }, 4, 2);
        let mut hops = Vec::new();
        // 40 B in 3 steps of 2 cycles.
        assert_eq!(bus.transfer(&[0], 10, 40, &mut hops), 16);
        assert_eq!(bus.transfer(&[0], 11, 16, &mut hops), 18);
        assert_eq!(hops, [Hop { link: 0, free: 16, asked: 11, granted: 16 }]);
        assert_eq!([bus.close(0), bus.close(0)], [Some(18), None]);
    }

    #[test]
    fn the_head_moves_a_hop_a_step() {
        let mut mesh = network(Interconnect::Mesh { width: 4, bytes_per_cycle: 32 }, 16, 1);
        let route = mesh.route(Place::Tile(0), Place::Tile(3));
        let mut hops = Vec::new();
        // 3 links east and the exit: head at the exit after 3 cycles, 64 B take 2.
        assert_eq!(mesh.transfer(&route, 0, 64, &mut hops), 5);
        assert_eq!(mesh.latency(4, 64), 5);
    }
}
