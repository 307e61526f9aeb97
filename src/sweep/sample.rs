//! Samples of a design space: points chosen before any is run.

use crate::random::Stream;
use crate::sweep::space::Space;
use std::collections::BTreeSet;

/// Dimensions of the Sobol sequence at hand.
pub(super) const SOBOL_AXES: usize = 256;
/// Points of a Sobol sequence.
const SOBOL_POINTS: u32 = 1 << 16;
/// Draws for each point that is asked for, after which the points that are left are counted.
const DRAWS: u64 = 100;
/// Exchanges by which a sample that falls on another one, or on a point that is dropped, is to get a place of its own.
const EXCHANGES: u64 = 1000;

/// Whether a point may be run, and is new.
pub(super) fn is_free(space: &Space, taken: &BTreeSet<u64>, index: u64) -> bool {
    !taken.contains(&index) && space.dropped(index).is_none()
}

/// Adds `n` points, each of those that are not taken as likely as any other. There must be as many.
pub(super) fn random(space: &Space, n: u64, stream: &mut Stream, taken: &mut BTreeSet<u64>, chosen: &mut Vec<u64>) {
    let all = space.len() / space.step();
    let (mut left, mut draws) = (n, DRAWS * n);
    while left > 0 && draws > 0 {
        draws -= 1;
        let index = stream.below(all) * space.step();
        if is_free(space, taken, index) {
            taken.insert(index);
            chosen.push(index);
            left -= 1;
        }
    }
    // Few are left of many: some of them, by their number among all that are (Vitter's algorithm R).
    let mut kept: Vec<u64> = Vec::new();
    let free = (0..all).map(|design| design * space.step()).filter(|&index| left > 0 && is_free(space, taken, index));
    for (seen, index) in (0_u64..).zip(free) {
        if seen < left {
            kept.push(index);
        } else if let Some(place) = kept.get_mut(stream.below(seen + 1) as usize) {
            *place = index;
        }
    }
    taken.extend(&kept);
    chosen.extend(kept);
}

/// `n` points, of which each coordinate has one in each of `n` strata (McKay, Beckman and Conover, Technometrics 21(2), 1979).
/// Where no exchange of strata finds a point that is not dropped and not another one's, any point takes its place.
pub(super) fn latin_hypercube(space: &Space, n: u64, stream: &mut Stream) -> Vec<u64> {
    let sizes = space.coordinates();
    // Values by coordinate and sample: within its stratum a sample is anywhere.
    let mut values: Vec<Vec<u32>> = Vec::new();
    for &size in &sizes {
        let mut strata: Vec<u32> = (0..n)
            .map(|stratum| {
                let place = (stratum as f64 + stream.uniform()) / n as f64;
                ((place * f64::from(size)) as u32).min(size - 1)
            })
            .collect();
        for last in (1..strata.len()).rev() {
            strata.swap(last, stream.below(last as u64 + 1) as usize);
        }
        values.push(strata);
    }
    let point = |values: &[Vec<u32>], sample: usize| -> u64 {
        space.number(&values.iter().map(|of| of[sample]).collect::<Vec<_>>())
    };
    let mut taken = BTreeSet::new();
    let mut waiting = Vec::new();
    let mut chosen: Vec<Option<u64>> = vec![None; n as usize];
    for (sample, place) in chosen.iter_mut().enumerate() {
        let index = point(&values, sample);
        if is_free(space, &taken, index) {
            taken.insert(index);
            *place = Some(index);
        } else {
            waiting.push(sample);
        }
    }
    for sample in waiting {
        for _ in 0..EXCHANGES {
            let (other, axis) = (stream.below(n) as usize, stream.below(sizes.len() as u64) as usize);
            // One that waits itself has no place to lose.
            let Some(of_other) = chosen[other] else { continue };
            values[axis].swap(sample, other);
            taken.remove(&of_other);
            let [own, others] = [sample, other].map(|at| point(&values, at));
            if own != others && is_free(space, &taken, own) && is_free(space, &taken, others) {
                taken.extend([own, others]);
                (chosen[sample], chosen[other]) = (Some(own), Some(others));
                break;
            }
            values[axis].swap(sample, other);
            taken.insert(of_other);
        }
    }
    let mut chosen: Vec<u64> = chosen.into_iter().flatten().collect();
    random(space, n - chosen.len() as u64, stream, &mut taken, &mut chosen);
    chosen
}

/// The first `n` different points, none of them dropped, of an Owen-scrambled Sobol sequence (Burley, JCGT 9(4), 2020).
/// Where a sequence of 65,536 has fewer, any points follow.
pub(super) fn sobol(space: &Space, n: u64, seed: u32, stream: &mut Stream) -> Vec<u64> {
    let sizes = space.coordinates();
    let (mut taken, mut chosen) = (BTreeSet::new(), Vec::new());
    for at in 0..SOBOL_POINTS {
        if chosen.len() as u64 == n {
            break;
        }
        let value = |(axis, size): (u32, &u32)| {
            let place = f64::from(sobol_burley::sample(at, axis, seed));
            ((place * f64::from(*size)) as u32).min(size - 1)
        };
        let index = space.number(&(0..).zip(&sizes).map(value).collect::<Vec<_>>());
        if is_free(space, &taken, index) {
            taken.insert(index);
            chosen.push(index);
        }
    }
    random(space, n - chosen.len() as u64, stream, &mut taken, &mut chosen);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Base, parse_sweep};
    use crate::random::{Purpose, StreamName};

    fn space(axes: &[u32], conditions: &str) -> Space {
        let axes: Vec<String> = (0..)
            .zip(axes)
            .map(|(i, values)| format!("(key: \"k{i}\", range: (from: 0, to: {}))", values - 1))
            .collect();
        let text = format!("(name: \"s\", axes: [{}], conditions: [{conditions}])", axes.join(", "));
        let opened = parse_sweep("test.ron", &text, Base::Embedded).unwrap_or_else(|errors| panic!("{errors}"));
        Space::new(&opened.sweep, &opened.base, &[]).unwrap()
    }

    fn stream(seed: u64) -> Stream {
        StreamName::new(Purpose::Search).open(seed)
    }

    /// How often each value of a coordinate comes.
    fn counts(space: &Space, points: &[u64], axis: usize) -> Vec<u32> {
        let mut counts = vec![0; space.coordinates()[axis] as usize];
        points.iter().for_each(|&point| counts[space.at(point)[axis] as usize] += 1);
        counts
    }

    fn all_different(points: &[u64]) -> bool {
        points.iter().collect::<BTreeSet<_>>().len() == points.len()
    }

    #[test]
    fn a_latin_hypercube_has_a_point_in_each_stratum() {
        for seed in 0..20 {
            // As many values as points, four points a value, and four values a point.
            let space = space(&[16, 4, 64], "");
            let points = latin_hypercube(&space, 16, &mut stream(seed));
            assert!(all_different(&points));
            assert_eq!(counts(&space, &points, 0), [1; 16]);
            assert_eq!(counts(&space, &points, 1), [4; 4]);
            let of_four: Vec<u32> = counts(&space, &points, 2).chunks(4).map(|chunk| chunk.iter().sum()).collect();
            assert_eq!(of_four, [1; 16]);
        }
        // Half of all points: strata that fall on one point are exchanged.
        let small = space(&[4, 6], "");
        let points = latin_hypercube(&small, 12, &mut stream(1));
        assert!(all_different(&points));
        assert_eq!((counts(&small, &points, 0), counts(&small, &points, 1)), (vec![3; 4], vec![2; 6]));
        assert_ne!(points, latin_hypercube(&small, 12, &mut stream(2)));
        assert_eq!(points, latin_hypercube(&small, 12, &mut stream(1)));
    }

    #[test]
    fn a_sobol_sequence_is_a_net() {
        for seed in 0..20 {
            let space = space(&[64, 64, 64], "");
            let points = sobol(&space, 64, seed, &mut stream(1));
            assert!(all_different(&points));
            (0..3).for_each(|axis| assert_eq!(counts(&space, &points, axis), [1; 64]));
            // Of the first two coordinates each box of 1/64 has a point, whatever its sides.
            for bits in 0..=6 {
                let boxes: BTreeSet<_> = points
                    .iter()
                    .map(|&point| (space.at(point)[0] >> bits, space.at(point)[1] >> (6 - bits)))
                    .collect();
                assert_eq!(boxes.len(), 64);
            }
        }
        let space = space(&[64, 64], "");
        let [a, b] = [1, 2].map(|seed| sobol(&space, 32, seed, &mut stream(1)));
        assert_ne!(a, b);
        assert_eq!(a[..16], sobol(&space, 16, 1, &mut stream(1)));
    }

    #[test]
    fn what_is_dropped_is_not_chosen_and_all_that_is_left_can_be() {
        let drop = "(drop: \"k0 != 3\", reason: \"three\"), (drop: \"k1 >= 998\", reason: \"end\")";
        let space = space(&[40, 1000], drop);
        assert_eq!(space.count().points, 998);
        let free = |points: &[u64]| all_different(points) && points.iter().all(|&point| space.dropped(point).is_none());
        for n in [1, 400, 998] {
            let mut random_points = Vec::new();
            random(&space, n, &mut stream(1), &mut BTreeSet::new(), &mut random_points);
            for points in
                [random_points, latin_hypercube(&space, n, &mut stream(1)), sobol(&space, n, 1, &mut stream(1))]
            {
                assert_eq!(points.len() as u64, n);
                assert!(free(&points));
            }
        }
    }

    #[test]
    fn random_points_are_uniform() {
        let space = space(&[4, 5], "");
        let mut seen = [0_u32; 20];
        for seed in 0..2000 {
            let mut points = Vec::new();
            random(&space, 5, &mut stream(seed), &mut BTreeSet::new(), &mut points);
            points.iter().for_each(|&point| seen[point as usize] += 1);
        }
        // Binomial of 2,000 and 1/4: 500 with a standard deviation of 19.4.
        assert!(seen.iter().all(|seen| (400..600).contains(seen)), "{seen:?}");
    }
}
