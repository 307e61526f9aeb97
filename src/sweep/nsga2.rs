//! NSGA-II over the values of axes (Deb, Pratap, Agarwal and Meyarivan, IEEE Trans. Evol. Comput. 6(2), 2002), with
//! constrained domination. A generation is a function of the points before it: parents are the best of all of them, and no
//! point comes twice.

use crate::random::Stream;
use crate::sweep::pareto;
use crate::sweep::sample::{self, is_free};
use crate::sweep::space::Space;
use std::collections::BTreeSet;

/// Share of children that have two parents.
const CROSSED: f64 = 0.9;
/// Share of changed values that may become any other.
const FAR: f64 = 0.25;
/// Children that are bred for each one that is new.
const BRED: u32 = 100;

/// A point that was run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scored {
    /// Its number.
    pub index: u64,
    /// Its objectives, the smaller the better; none if it could not be run.
    pub cost: Option<Vec<f64>>,
    /// How far it is beyond the bounds; 0 if it keeps to them.
    pub excess: f64,
}

/// The best `n` of some points, the better first: those within the bounds by front and then by crowding distance, those
/// beyond by how far, those that could not be run last. Each with its front, counted from 0, and its distance.
pub(super) fn best(points: &[Scored], n: usize) -> Vec<(usize, usize, f64)> {
    let within = |at: &usize| points[*at].excess == 0.0 && points[*at].cost.is_some();
    let (mut left, mut others): (Vec<usize>, Vec<usize>) = (0..points.len()).partition(within);
    let cost = |at: usize| points[at].cost.as_deref().unwrap_or_default();
    let mut best = Vec::new();
    let mut rank = 0;
    while best.len() < n && !left.is_empty() {
        let costs: Vec<Vec<f64>> = left.iter().map(|&at| cost(at).to_vec()).collect();
        let mut front: Vec<usize> = pareto::front(&costs).into_iter().map(|at| left[at]).collect();
        front.sort_unstable();
        let of_front: BTreeSet<usize> = front.iter().copied().collect();
        left.retain(|at| !of_front.contains(at));
        let distances = crowding(&front.iter().map(|&at| cost(at)).collect::<Vec<_>>());
        let mut front: Vec<(usize, f64)> = front.into_iter().zip(distances).collect();
        front.sort_by(|a, b| b.1.total_cmp(&a.1));
        best.extend(front.into_iter().map(|(at, distance)| (at, rank, distance)));
        rank += 1;
    }
    let far = |at: &usize| if points[*at].cost.is_some() { points[*at].excess } else { f64::INFINITY };
    others.sort_by(|a, b| far(a).total_cmp(&far(b)));
    for (at, after) in others.into_iter().zip(rank..) {
        best.push((at, after, 0.0));
    }
    best.truncate(n);
    best
}

/// Distances of the neighbours of each point of a front, summed over the objectives; infinite at their ends.
fn crowding(costs: &[&[f64]]) -> Vec<f64> {
    let mut distances = vec![0.0; costs.len()];
    for objective in 0..costs.first().map_or(0, |cost| cost.len()) {
        let mut order: Vec<usize> = (0..costs.len()).collect();
        order.sort_by(|&a, &b| costs[a][objective].total_cmp(&costs[b][objective]));
        let [first, last] = [order[0], order[order.len() - 1]];
        let span = costs[last][objective] - costs[first][objective];
        distances[first] = f64::INFINITY;
        distances[last] = f64::INFINITY;
        if span > 0.0 {
            for three in order.windows(3) {
                distances[three[1]] += (costs[three[2]][objective] - costs[three[0]][objective]) / span;
            }
        }
    }
    distances
}

/// `n` new points bred from the best `population` of those before. There must be as many that are free.
pub(super) fn offspring(space: &Space, before: &[Scored], population: usize, n: u64, stream: &mut Stream) -> Vec<u64> {
    let sizes = space.coordinates();
    let parents: Vec<(Vec<u32>, usize, f64)> = best(before, population)
        .into_iter()
        .map(|(at, rank, distance)| (space.at(before[at].index), rank, distance))
        .collect();
    let mut taken: BTreeSet<u64> = before.iter().map(|point| point.index).collect();
    let mut chosen = Vec::new();
    let movable = sizes.iter().filter(|size| **size > 1).count().max(1);
    for _ in 0..n * u64::from(BRED) {
        if chosen.len() as u64 == n || parents.is_empty() {
            break;
        }
        // The better of two that meet by chance.
        let mut winner = || {
            let [a, b] = [(); 2].map(|()| stream.below(parents.len() as u64) as usize);
            let better = parents[a].1.cmp(&parents[b].1).then(parents[b].2.total_cmp(&parents[a].2));
            if better.is_le() { a } else { b }
        };
        let (mother, father) = (winner(), winner());
        let mut child = parents[mother].0.clone();
        if stream.uniform() < CROSSED {
            for (own, of_father) in child.iter_mut().zip(&parents[father].0) {
                if stream.uniform() < 0.5 {
                    *own = *of_father;
                }
            }
        }
        for (value, &size) in child.iter_mut().zip(&sizes) {
            if size > 1 && stream.uniform() < 1.0 / movable as f64 {
                *value = mutated(*value, size, stream);
            }
        }
        let index = space.number(&child);
        if is_free(space, &taken, index) {
            taken.insert(index);
            chosen.push(index);
        }
    }
    sample::random(space, n - chosen.len() as u64, stream, &mut taken, &mut chosen);
    chosen
}

/// Another value: one nearby, or any other, which is for values that have no order.
fn mutated(value: u32, size: u32, stream: &mut Stream) -> u32 {
    let other = |stream: &mut Stream| {
        let other = stream.below(u64::from(size) - 1) as u32;
        if other < value { other } else { other + 1 }
    };
    if stream.uniform() < FAR {
        return other(stream);
    }
    let up = stream.uniform() < 0.5;
    let mut step = 1;
    while stream.uniform() < 0.5 {
        step += 1;
    }
    let near = if up { value.checked_add(step) } else { value.checked_sub(step) };
    near.filter(|near| *near < size).unwrap_or_else(|| other(stream))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Base, parse_sweep};
    use crate::random::{Purpose, StreamName};

    fn space(axes: usize, values: u32) -> Space {
        let axis = |i: usize| format!("(key: \"k{i}\", range: (from: 0, to: {}))", values - 1);
        let text = format!("(name: \"s\", axes: [{}])", (0..axes).map(axis).collect::<Vec<_>>().join(", "));
        let opened = parse_sweep("test.ron", &text, Base::Embedded).unwrap_or_else(|errors| panic!("{errors}"));
        Space::new(&opened.sweep, &opened.base, &[]).unwrap()
    }

    /// ZDT1 (Zitzler, Deb and Thiele, 2000) at equally distant values.
    fn zdt1(x: &[f64]) -> ([f64; 2], f64) {
        let g = 1.0 + 9.0 * x[1..].iter().sum::<f64>() / (x.len() - 1) as f64;
        ([x[0], g * (1.0 - (x[0] / g).sqrt())], 0.0)
    }

    /// ZDT2.
    fn zdt2(x: &[f64]) -> ([f64; 2], f64) {
        let g = 1.0 + 9.0 * x[1..].iter().sum::<f64>() / (x.len() - 1) as f64;
        ([x[0], g * (1.0 - (x[0] / g).powi(2))], 0.0)
    }

    /// BNH (Binh and Korn, 1997), with two bounds.
    fn bnh(x: &[f64]) -> ([f64; 2], f64) {
        let (a, b) = (5.0 * x[0], 3.0 * x[1]);
        let bounds = [(a - 5.0).powi(2) + b * b - 25.0, 7.7 - (a - 8.0).powi(2) - (b + 3.0).powi(2)];
        let excess = bounds[0].max(0.0) / 25.0 + bounds[1].max(0.0) / 7.7;
        ([4.0 * a * a + 4.0 * b * b, (a - 5.0).powi(2) + (b - 5.0).powi(2)], excess)
    }

    type Problem = fn(&[f64]) -> ([f64; 2], f64);

    fn score(space: &Space, problem: Problem, index: u64) -> Scored {
        let last = f64::from(space.coordinates()[0] - 1);
        let x: Vec<f64> = space.at(index).iter().map(|&at| f64::from(at) / last).collect();
        let (cost, excess) = problem(&x);
        Scored { index, cost: Some(cost.to_vec()), excess }
    }

    /// Area that points within the bounds dominate, up to a corner.
    fn hypervolume(points: &[Scored], corner: [f64; 2]) -> f64 {
        let costs: Vec<Vec<f64>> =
            points.iter().filter(|point| point.excess == 0.0).map(|point| point.cost.clone().unwrap()).collect();
        let (mut area, mut above) = (0.0, corner[1]);
        for at in pareto::front(&costs) {
            let [x, y] = [costs[at][0], costs[at][1]];
            if x < corner[0] && y < above {
                area += (corner[0] - x) * (above - y);
                above = y;
            }
        }
        area
    }

    fn search(space: &Space, problem: Problem, points: u64, population: u64, seed: u64) -> Vec<Scored> {
        let mut known = Vec::new();
        let mut round = 0;
        while (known.len() as u64) < points {
            let stream = &mut StreamName { position: round, ..StreamName::new(Purpose::Search) }.open(seed);
            let n = population.min(points - known.len() as u64);
            let new = if round == 0 {
                sample::latin_hypercube(space, n, stream)
            } else {
                offspring(space, &known, population as usize, n, stream)
            };
            known.extend(new.into_iter().map(|index| score(space, problem, index)));
            round += 1;
        }
        known
    }

    #[test]
    fn known_fronts_are_found() {
        // Axes, values of each, points, corner, area of the true front, least share of it that is found.
        for (name, problem, axes, values, points, corner, whole, least) in [
            ("ZDT1", zdt1 as Problem, 8, 8, 512, [1.1, 10.0], 10.584_863_418_294_509, 0.985),
            ("ZDT1", zdt1, 6, 16, 512, [1.1, 10.0], 10.629_940_108_741_094, 0.985),
            ("ZDT2", zdt2, 6, 16, 512, [1.1, 10.0], 0.0, 0.985),
            ("BNH", bnh, 2, 64, 256, [140.0, 50.0], 5_275.927_336_835_282, 0.985),
        ] {
            let space = space(axes, values);
            let front: Vec<Scored> = if axes == 2 {
                (0..space.len()).map(|index| score(&space, problem, index)).collect()
            } else {
                let of = |x| space.number(&std::iter::once(x).chain((1..axes).map(|_| 0)).collect::<Vec<_>>());
                (0..values).map(|x| score(&space, problem, of(x))).collect()
            };
            let area = hypervolume(&front, corner);
            assert!(whole == 0.0 || (area - whole).abs() < 1e-9 * whole, "{name}: {area}");
            let found: Vec<f64> =
                (1..=5).map(|seed| hypervolume(&search(&space, problem, points, 16, seed), corner)).collect();
            println!("{name}, {axes} axes of {values} values, {points} points: {found:?} of {area}");
            assert!(found.iter().all(|found| *found >= least * area && *found <= area), "{name}: {found:?} of {area}");
        }
    }

    #[test]
    fn points_within_the_bounds_come_first_and_failed_ones_last() {
        let point = |index, cost: Option<[f64; 2]>, excess| Scored { index, cost: cost.map(Vec::from), excess };
        let points = [
            point(0, None, 0.0),
            point(1, Some([0.0, 0.0]), 0.5),
            point(2, Some([1.0, 3.0]), 0.0),
            point(3, Some([3.0, 1.0]), 0.0),
            point(4, Some([4.0, 4.0]), 0.0),
            point(5, Some([0.0, 0.0]), 0.1),
            point(6, Some([2.5, 1.5]), 0.0),
            point(7, Some([2.0, 2.1]), 0.0),
        ];
        let order: Vec<u64> = best(&points, 8).iter().map(|(at, _, _)| points[*at].index).collect();
        // The ends of the front, then 7 with a distance of 1.5/2 + 1.5/2 and 6 with 1/2 + 1.1/2.
        assert_eq!(order, [2, 3, 7, 6, 4, 5, 1, 0]);
        assert_eq!(best(&points, 3).len(), 3);
    }

    #[test]
    fn no_point_comes_twice_and_all_can_come() {
        let space = space(2, 8);
        let points = search(&space, bnh, 64, 16, 3);
        assert_eq!(points.iter().map(|point| point.index).collect::<BTreeSet<_>>().len(), 64);
        assert_eq!(search(&space, bnh, 48, 16, 3), points[..48]);
        assert_ne!(search(&space, bnh, 48, 16, 4), points[..48]);
    }
}
