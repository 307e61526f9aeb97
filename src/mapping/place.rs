//! Which tiles the layers take, and the places of these tiles on the interconnect.
//!
//! Tiles are taken in the order of the layers. `Packed` lets a layer into what its predecessor leaves of a tile, unless it
//! would spread over more tiles than it has alone. `ByTraffic` keeps the tiles and orders the layers along the places of
//! the interconnect, so that what is sent far is little: the sum over messages of bytes times links.

use crate::config::Placement;
use priority_queue::PriorityQueue;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

/// Arrays of a layer in a tile that other layers may have arrays in too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TileShare {
    /// Arrays of other layers before them.
    pub before: u32,
    /// Arrays of the layer.
    pub own: u32,
    /// Arrays of all layers.
    pub used: u32,
}

impl TileShare {
    /// Its part of what the layers of the tile share by their arrays. The parts of all of them add up to the whole.
    #[must_use]
    pub fn of(&self, whole: u64) -> u64 {
        let until = |arrays: u32| (u128::from(whole) * u128::from(arrays) / u128::from(self.used.max(1))) as u64;
        until(self.before + self.own) - until(self.before)
    }
}

/// The tiles of a layer, and its shares of the first and the last of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ground {
    pub tiles: Range<u32>,
    pub shares: [TileShare; 2],
}

/// Gives layers of so many arrays their tiles, in their order; and the number of tiles.
pub(super) fn lay_out(arrays: &[u64], arrays_of_tile: u32, placement: Placement) -> (Vec<Ground>, u32) {
    let mut layers = Vec::with_capacity(arrays.len());
    let size = u64::from(arrays_of_tile);
    // Tiles taken, and arrays that the last of them has left.
    let (mut taken, mut free) = (0_u64, 0_u64);
    for &arrays in arrays {
        let joins = placement == Placement::Packed
            && free > 0
            && (size - free + arrays).div_ceil(size) == arrays.div_ceil(size);
        let (first, before) = if joins { (taken - 1, size - free) } else { (taken, 0) };
        let end = before + arrays;
        let tiles = end.div_ceil(size);
        taken = first + tiles;
        free = tiles * size - end;
        let share = |before: u64, own: u64| TileShare { before: before as u32, own: own as u32, used: 0 };
        let in_first = share(before, arrays.min(size - before));
        let in_last = if tiles > 1 { share(0, size - free) } else { in_first };
        layers.push(Ground { tiles: first as u32..taken as u32, shares: [in_first, in_last] });
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Sum over the messages of an image of bytes times links.
    pub byte_hops: u64,
    /// The same with the tiles in the order of the layers, none of them shared.
    pub byte_hops_in_order: u64,
    /// Tiles in that case.
    pub tiles_in_order: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(from: Option<u32>, to: Option<u32>) -> u64 {
        u64::from(from.unwrap_or(0).abs_diff(to.unwrap_or(0))) + 1
    }

    #[test]
    fn parts_of_a_tile_add_up() {
        let parts = [(0, 1), (1, 2), (3, 4)].map(|(before, own)| TileShare { before, own, used: 7 });
        // 16 * 1/7 = 2.3, 16 * 3/7 = 6.9: 2, 4 and 10.
        assert_eq!(parts.map(|part| part.of(16)), [2, 4, 10]);
        assert_eq!(TileShare { before: 0, own: 3, used: 3 }.of(16), 16);
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
