//! Which tiles the layers take, and the places of these tiles on the interconnect.
//!
//! Tiles are taken in the order of the layers. `Packed` lets a layer into what its predecessor leaves of a tile, unless it
//! would spread over more tiles than it has alone. `Shared` does so too, and puts blocks with few rows below each other in
//! one array: block by block in the order of the layers, each into the first array of the tile that the layer is let into
//! with enough rows left, of the same plane and without a block of the same layer; else into an array of its own, the
//! layer's last ones. Blocks below each other have rows of their own and share the columns from the first one on.
//! `ByTraffic` keeps the tiles and orders the layers along the places of
//! the interconnect, so that what is sent far is little: the sum over messages of bytes times links.

use crate::config::{Placement, Plane};
use priority_queue::PriorityQueue;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// Part of a layer in what it shares with others: its blocks in a tile, or its rows in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Portion {
    /// Those of other layers before them.
    pub before: u32,
    /// Those of the layer.
    pub own: u32,
    /// Those of all layers.
    pub used: u32,
}

impl Portion {
    /// Its part of what the layers share by these numbers. The parts of all of them add up to the whole.
    #[must_use]
    pub fn of(&self, whole: u64) -> u64 {
        let until = |number: u32| (u128::from(whole) * u128::from(number) / u128::from(self.used.max(1))) as u64;
        until(self.before + self.own) - until(self.before)
    }
}

/// A block in an array that blocks of other layers have rows of too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SharedArray {
    /// The array: the number of the first block in it.
    pub array: u32,
    /// The block's part of the array: rows before it, its own, and those of all blocks.
    pub rows: Portion,
}

/// A block that leaves rows of its array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LowBlock {
    pub number: u32,
    pub plane: Plane,
    pub rows: u32,
    /// Rows of an array.
    pub of_array: u32,
}

/// What of a layer is placed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Demand {
    /// All its blocks, each in an array of its own if it shares none.
    pub blocks: u64,
    /// Those of them that may share an array.
    pub low: Vec<LowBlock>,
    /// Layers with the same number are copies of one.
    pub described: usize,
}

/// The tiles of a layer, and its shares of the first and the last of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ground {
    pub tiles: Range<u32>,
    pub shares: [Portion; 2],
    /// The arrays that it shares, by block number.
    pub arrays: BTreeMap<u32, SharedArray>,
}

/// An array with rows left, and the layer of each block in it.
struct OpenArray {
    blocks: Vec<(usize, LowBlock)>,
    left: u32,
}

/// For each low block of a layer the open array that it goes into.
fn fit(demand: &Demand, demands: &[Demand], open: &[OpenArray]) -> Vec<Option<usize>> {
    let mut taken = vec![false; open.len()];
    let mut into = |block: &LowBlock| {
        let fits = |array: &OpenArray| {
            let other = |(layer, _): &(usize, LowBlock)| demands[*layer].described != demand.described;
            array.blocks[0].1.plane == block.plane && array.left >= block.rows && array.blocks.iter().all(other)
        };
        let found = open.iter().zip(&taken).position(|(array, taken)| !taken && fits(array))?;
        taken[found] = true;
        Some(found)
    };
    demand.low.iter().map(&mut into).collect()
}

/// Gives layers their tiles, in their order; with the number of tiles.
pub(super) fn lay_out(demands: &[Demand], arrays_of_tile: u32, placement: Placement) -> (Vec<Ground>, u32) {
    let mut layers = Vec::with_capacity(demands.len());
    let size = u64::from(arrays_of_tile);
    // Tiles taken, arrays that the last of them has left, and blocks in it.
    let (mut taken, mut free, mut placed) = (0_u64, 0_u64, 0_u64);
    // Arrays of the last tile with rows left, and those of tiles before it.
    let (mut open, mut closed): (Vec<OpenArray>, Vec<OpenArray>) = (Vec::new(), Vec::new());
    for (l, demand) in demands.iter().enumerate() {
        let mut into = fit(demand, demands, &open);
        let guests = |into: &[Option<usize>]| into.iter().flatten().count() as u64;
        let spans = (size - free + demand.blocks - guests(&into)).div_ceil(size);
        let joins = placement.shares_tiles() && taken > 0 && spans <= demand.blocks.div_ceil(size);
        let (first, before, placed_before) = if joins { (taken - 1, size - free, placed) } else { (taken, 0, 0) };
        if !joins {
            into.fill(None);
        }
        let own = demand.blocks - guests(&into);
        let end = before + own;
        let tiles = end.div_ceil(size);
        taken = first + tiles;
        free = tiles * size - end;
        let share = |before: u64, own: u64| Portion { before: before as u32, own: own as u32, used: 0 };
        let in_first = share(placed_before, own.min(size - before) + guests(&into));
        let in_last = if tiles > 1 { share(0, size - free) } else { in_first };
        placed = u64::from(in_last.before + in_last.own);
        layers.push(Ground { tiles: first as u32..taken as u32, shares: [in_first, in_last], arrays: BTreeMap::new() });
        for (block, into) in demand.low.iter().zip(&into) {
            if let Some(array) = into.map(|array| &mut open[array]) {
                array.blocks.push((l, *block));
                array.left -= block.rows;
            }
        }
        if !joins || tiles > 1 {
            closed.append(&mut open);
        }
        // Low blocks in arrays of their own are the layer's last ones.
        let mut of_own: Vec<&LowBlock> =
            demand.low.iter().zip(&into).filter(|(_, into)| into.is_none()).map(|(block, _)| block).collect();
        let elsewhere = of_own.len().saturating_sub(if tiles > 1 { size - free } else { own } as usize);
        of_own.drain(..elsewhere);
        open.extend(
            of_own.into_iter().map(|block| OpenArray { blocks: vec![(l, *block)], left: block.of_array - block.rows }),
        );
    }
    closed.append(&mut open);
    for array in closed.iter().filter(|array| array.blocks.len() > 1) {
        let used = array.blocks.iter().map(|(_, block)| block.rows).sum();
        let mut before = 0;
        for (l, block) in &array.blocks {
            let rows = Portion { before, own: block.rows, used };
            layers[*l].arrays.insert(block.number, SharedArray { array: array.blocks[0].1.number, rows });
            before += block.rows;
        }
    }
    let mut used: BTreeMap<u32, u32> = BTreeMap::new();
    let ends = |layer: &Ground| [layer.tiles.start, layer.tiles.end.saturating_sub(1)];
    for layer in &layers {
        for (tile, share) in ends(layer).into_iter().zip(layer.shares) {
            let used = used.entry(tile).or_default();
            *used = (*used).max(share.before + share.own);
        }
    }
    for layer in &mut layers {
        for (tile, share) in ends(layer).into_iter().zip(&mut layer.shares) {
            share.used = used[&tile];
        }
    }
    (layers, taken as u32)
}

/// What is sent for an image from one layer to another. None: the global buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Its messages leave from this layer's last tile.
    pub from: Option<usize>,
    /// They enter at this layer's first tile.
    pub to: Option<usize>,
    /// Bytes in all.
    pub bytes: u64,
}

/// Links of the interconnect from one place to another; none: the global buffer.
pub type Hops<'a> = &'a dyn Fn(Option<u32>, Option<u32>) -> u64;

/// Sum over flows of bytes times links, where layer l has its first and its last tile at `ends(l)`.
#[must_use]
pub fn byte_hops(flows: &[Traffic], ends: impl Fn(usize) -> [u32; 2], hops: Hops<'_>) -> u64 {
    let of =
        |flow: &Traffic| flow.bytes.saturating_mul(hops(flow.from.map(|l| ends(l)[1]), flow.to.map(|l| ends(l)[0])));
    flows.iter().map(of).fold(0, u64::saturating_add)
}

/// Layers one after another along a path of places, each in the path's direction or against it.
#[derive(Debug, Clone)]
struct Order {
    /// The layers in their order.
    layers: Vec<usize>,
    /// By layer, whether it runs against the path.
    turned: Vec<bool>,
}

impl Order {
    /// By layer, the places along the path of its first and its last tile.
    fn ends(&self, sizes: &[u32]) -> Vec<[u32; 2]> {
        let (mut ends, mut next) = (vec![[0; 2]; sizes.len()], 0);
        for &l in &self.layers {
            let last = next + sizes[l] - 1;
            ends[l] = if self.turned[l] { [last, next] } else { [next, last] };
            next += sizes[l];
        }
        ends
    }
}

/// Most links that the search for an order looks up.
const MOST_LOOKS: usize = 400_000;

/// The place of each tile, by its number, such that little is sent far; none where no order of the layers is better than
/// that of their numbers. Layers have `sizes` tiles each, which stay side by side on one of `paths`.
///
/// First the layer that exchanges most with those that are placed is placed next, then layers are swapped and turned while
/// that helps. The order of the network is tried too.
#[must_use]
pub fn by_traffic(sizes: &[u32], flows: &[Traffic], paths: &[Vec<u32>], hops: Hops<'_>) -> Option<Vec<u32>> {
    let in_order = Order { layers: (0..sizes.len()).collect(), turned: vec![false; sizes.len()] };
    let numbers = in_order.ends(sizes);
    let first = byte_hops(flows, |l| numbers[l], hops);
    let mut best: Option<(u64, &Vec<u32>, Order)> = None;
    let mut looks = MOST_LOOKS / flows.len().max(1);
    for path in paths {
        let cost = |order: &Order| {
            let ends = order.ends(sizes);
            byte_hops(flows, |l| ends[l].map(|along| path[along as usize]), hops)
        };
        for start in [in_order.clone(), greedy(sizes.len(), flows)] {
            let (order, cost) = improved(start, &cost, &mut looks);
            if best.as_ref().map_or(first, |(least, ..)| *least) > cost {
                best = Some((cost, path, order));
            }
        }
    }
    let (_, path, order) = best?;
    let mut places = Vec::new();
    for [start, end] in order.ends(sizes) {
        let along: Box<dyn Iterator<Item = u32>> =
            if start <= end { Box::new(start..=end) } else { Box::new((end..=start).rev()) };
        places.extend(along.map(|along| path[along as usize]));
    }
    Some(places)
}

/// The layer that exchanges most with those before it comes next; of equal ones that of the lowest number.
fn greedy(layers: usize, flows: &[Traffic]) -> Order {
    let mut neighbours: Vec<Vec<(usize, u64)>> = vec![Vec::new(); layers];
    let mut waiting: PriorityQueue<usize, (u64, Reverse<usize>)> = (0..layers).map(|l| (l, (0, Reverse(l)))).collect();
    let add = |waiting: &mut PriorityQueue<usize, (u64, Reverse<usize>)>, l: usize, bytes: u64| {
        if let Some(&(known, place)) = waiting.get_priority(&l) {
            waiting.change_priority(&l, (known.saturating_add(bytes), place));
        }
    };
    for flow in flows {
        match (flow.from, flow.to) {
            (Some(from), Some(to)) => {
                neighbours[from].push((to, flow.bytes));
                neighbours[to].push((from, flow.bytes));
            }
            // The global buffer has its place from the start.
            (None, Some(l)) | (Some(l), None) => add(&mut waiting, l, flow.bytes),
            (None, None) => {}
        }
    }
    let mut order = Vec::with_capacity(layers);
    while let Some((l, _)) = waiting.pop() {
        order.push(l);
        for &(other, bytes) in &neighbours[l] {
            add(&mut waiting, other, bytes);
        }
    }
    Order { layers: order, turned: vec![false; layers] }
}

/// The order after swaps of two layers and turns of one, each kept if it lowers the cost, until none does or `looks` are
/// used up.
fn improved(mut order: Order, cost: &dyn Fn(&Order) -> u64, looks: &mut usize) -> (Order, u64) {
    let mut least = cost(&order);
    let layers = order.layers.len();
    loop {
        let before = least;
        for i in 0..layers {
            for j in i..layers {
                if *looks == 0 {
                    return (order, least);
                }
                *looks -= 1;
                let change = |order: &mut Order| {
                    if i == j {
                        order.turned[order.layers[i]] ^= true;
                    } else {
                        order.layers.swap(i, j);
                    }
                };
                change(&mut order);
                let now = cost(&order);
                if now < least {
                    least = now;
                } else {
                    change(&mut order);
                }
            }
        }
        if least == before {
            return (order, least);
        }
    }
}

/// What the placement comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Sum over the messages of an image of bytes times links.
    pub byte_hops: u64,
    /// The same with the tiles in the order of the layers, none of them shared.
    pub byte_hops_in_order: u64,
    /// Tiles in that case.
    pub tiles_in_order: u32,
    /// The arrays that layers share, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_arrays: Vec<SharedRows>,
}

/// An array that layers share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedRows {
    /// Its number: that of the first block in it.
    pub array: u32,
    /// Its rows.
    pub rows: u32,
    /// Names of the layers, from the first row on, and rows of each.
    pub layers: Vec<(String, u32)>,
}

impl fmt::Display for SharedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers: Vec<String> = self.layers.iter().map(|(layer, rows)| format!("{layer} ({rows})")).collect();
        let used: u32 = self.layers.iter().map(|(_, rows)| rows).sum();
        write!(f, "array {} holds rows of {}: {used} of {}", self.array, layers.join(", "), self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(from: Option<u32>, to: Option<u32>) -> u64 {
        u64::from(from.unwrap_or(0).abs_diff(to.unwrap_or(0))) + 1
    }

    #[test]
    fn parts_of_a_tile_add_up() {
        let parts = [(0, 1), (1, 2), (3, 4)].map(|(before, own)| Portion { before, own, used: 7 });
        // 16 * 1/7 = 2.3, 16 * 3/7 = 6.9: 2, 4 and 10.
        assert_eq!(parts.map(|part| part.of(16)), [2, 4, 10]);
        assert_eq!(Portion { before: 0, own: 3, used: 3 }.of(16), 16);
    }

    #[test]
    fn layers_that_exchange_much_sit_side_by_side() {
        // The first of three layers gets 5 bytes, and sends 1 to the second and 100 to the third.
        let flow = |from, to, bytes| Traffic { from, to, bytes };
        let flows = [flow(None, Some(0), 5), flow(Some(0), Some(1), 1), flow(Some(0), Some(2), 100)];
        let sizes = [1, 3, 1];
        // In order: 5 + 1 * 2 + 100 * 5.
        assert_eq!(byte_hops(&flows, |l| [[0, 0], [1, 3], [4, 4]][l], &line), 507);
        let places = by_traffic(&sizes, &flows, &[(0..5).collect()], &line).unwrap();
        // The third follows the first: 5 + 1 * 3 + 100 * 2. With the third before the first it is 10 + 2 + 200.
        assert_eq!(places, [0, 2, 3, 4, 1]);
    }

    #[test]
    fn a_layer_is_turned_where_its_end_lies_nearer() {
        // Two layers of four tiles: only the last tile of the second sends, to the global buffer.
        let flows = [Traffic { from: Some(1), to: None, bytes: 1 }];
        let places = by_traffic(&[4, 4], &flows, &[(0..8).collect()], &line).unwrap();
        assert_eq!(places[7], 0);
        let mut sorted = places.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn where_nothing_is_better_tiles_keep_their_places() {
        let flows = [Traffic { from: None, to: Some(0), bytes: 5 }, Traffic { from: Some(0), to: Some(1), bytes: 5 }];
        assert_eq!(by_traffic(&[1, 2], &flows, &[(0..3).collect()], &line), None);
    }
}
