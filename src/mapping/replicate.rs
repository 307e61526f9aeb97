//! Copies of layers that equalise their intervals.
//!
//! The layer with the longest interval sets the pace of a pipeline. It gets copies until another one has the longest
//! interval, and so on: each step goes to the least number of copies with which it takes fewer steps for a map.

use crate::units::Area;
use priority_queue::PriorityQueue;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::fmt;

/// Most copies of a layer that a configuration may give.
const MOST_COPIES: u32 = 65_536;

/// When the search has done enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Goal {
    /// Cycles from one image to the next that are short enough.
    pub interval: Option<u64>,
    /// Area that the chip may take.
    pub area: Option<Area>,
}

/// A layer that may get copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its output positions.
    pub positions: u32,
    /// Copies that it has.
    pub copies: u32,
}

/// What ended the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// No layer takes longer than the target.
    TargetMet,
    /// The next copies would take the chip beyond its budget.
    AreaBudget,
    /// The layer has a copy for each of its positions, or the most that a configuration may give.
    Positions,
    /// The layer waits for its draws: copies do not shorten that.
    Draws,
}

/// Copies before and after, of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerCopies {
    /// Name of the layer.
    pub layer: String,
    /// Copies that it had.
    pub copies_before: u32,
    /// Copies that it has now.
    pub copies: u32,
    /// Cycles that it takes for an image, all members counted, with the copies that it had.
    pub interval_before: u64,
    /// The same with those that it has now.
    pub interval: u64,
}

/// The copies that were chosen, and why no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replicated {
    /// Cycles that were asked for.
    pub target_interval: Option<u64>,
    /// Area that was allowed.
    pub area_budget: Option<Area>,
    /// Area before.
    pub area_before: Area,
    /// Area after.
    pub area: Area,
    /// Longest interval of a layer before.
    pub interval_before: u64,
    /// Longest interval of a layer after.
    pub interval: u64,
    /// What ended the search.
    pub ended: Ended,
    /// The layer that sets the interval.
    pub limited_by: String,
    /// By layer.
    pub per_layer: Vec<LayerCopies>,
}

impl Replicated {
    /// Layers with more than one copy, as `mapping.replication` gives them.
    #[must_use]
    pub fn replication(&self) -> Vec<(String, u32)> {
        let several = self.per_layer.iter().filter(|layer| layer.copies > 1);
        several.map(|layer| (layer.layer.clone(), layer.copies)).collect()
    }
}

impl fmt::Display for Replicated {
    /// What ended the search, in a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (layer, interval) = (&self.limited_by, self.interval);
        write!(f, "{layer} sets the interval at {interval} cycles")?;
        if let (Some(target), false) = (self.target_interval, self.ended == Ended::TargetMet) {
            write!(f, ", above the target of {target}")?;
        }
        f.write_str(match self.ended {
            Ended::TargetMet => ": the target is met",
            Ended::AreaBudget => ": its next copies would exceed the area budget",
            Ended::Positions => ": it has the most copies that its positions allow",
            Ended::Draws => ": it waits for its draws, which copies do not shorten",
        })
    }
}

/// The least number of copies above `copies` with which a map of `positions` takes fewer steps.
fn next(positions: u32, copies: u32) -> Option<u32> {
    let steps = positions.div_ceil(copies);
    (steps > 1).then(|| positions.div_ceil(steps - 1)).filter(|copies| *copies <= MOST_COPIES)
}

/// Adds copies until the goal is met or no more of them helps. `interval` gives the cycles that a layer takes for an image
/// with some copies, `area` that of the chip with the copies of each layer.
///
/// # Errors
/// Returns the area at the start if the budget does not allow it.
///
/// # Panics
/// Panics if there is no layer.
pub fn equalise(
    candidates: &[Candidate],
    goal: Goal,
    interval: &dyn Fn(usize, u32) -> u64,
    area: &mut dyn FnMut(&[u32]) -> Area,
) -> Result<Replicated, Area> {
    let start: Vec<u32> = candidates.iter().map(|layer| layer.copies).collect();
    let mut copies = start.clone();
    let area_before = area(&copies);
    if goal.area.is_some_and(|budget| area_before > budget) {
        return Err(area_before);
    }
    let mut now = area_before;
    // The longest interval first, of equal ones that of the first layer.
    let of_layer = |l: usize, copies: u32| (interval(l, copies), Reverse(l));
    let mut layers: PriorityQueue<usize, (u64, Reverse<usize>)> =
        copies.iter().enumerate().map(|(l, &copies)| (l, of_layer(l, copies))).collect();
    let (ended, limit) = loop {
        let (&l, &(longest, _)) = layers.peek().expect("a network has layers");
        if goal.interval.is_some_and(|target| longest <= target) {
            break (Ended::TargetMet, l);
        }
        let Some(more) = next(candidates[l].positions, copies[l]) else { break (Ended::Positions, l) };
        if interval(l, more) >= longest {
            break (Ended::Draws, l);
        }
        let fewer = std::mem::replace(&mut copies[l], more);
        let with_more = area(&copies);
        if goal.area.is_some_and(|budget| with_more > budget) {
            copies[l] = fewer;
            break (Ended::AreaBudget, l);
        }
        now = with_more;
        layers.change_priority(&l, of_layer(l, more));
    };
    let per_layer: Vec<LayerCopies> = candidates
        .iter()
        .enumerate()
        .map(|(l, layer)| LayerCopies {
            layer: layer.name.clone(),
            copies_before: start[l],
            copies: copies[l],
            interval_before: interval(l, start[l]),
            interval: interval(l, copies[l]),
        })
        .collect();
    Ok(Replicated {
        target_interval: goal.interval,
        area_budget: goal.area,
        area_before,
        area: now,
        interval_before: per_layer.iter().map(|layer| layer.interval_before).max().unwrap_or(0),
        interval: per_layer[limit].interval,
        ended,
        limited_by: candidates[limit].name.clone(),
        per_layer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(positions: &[u32]) -> Vec<Candidate> {
        let name = |i: usize| format!("layer{i}");
        positions.iter().enumerate().map(|(i, &positions)| Candidate { name: name(i), positions, copies: 1 }).collect()
    }

    /// Ten cycles a position of layers of 64, 16 and 1 positions.
    fn search(goal: Goal) -> Replicated {
        let layers = candidates(&[64, 16, 1]);
        let interval = |l: usize, copies: u32| 10 * u64::from(layers[l].positions.div_ceil(copies));
        equalise(&layers, goal, &interval, &mut |copies| Area(copies.iter().map(|c| u64::from(*c)).sum())).unwrap()
    }

    fn copies(found: &Replicated) -> Vec<u32> {
        found.per_layer.iter().map(|layer| layer.copies).collect()
    }

    #[test]
    fn the_slowest_layer_gets_the_copies_that_shorten_it() {
        // 640 -> 320 -> 220 -> 160 with 4 copies, as long as the second layer, the target.
        let found = search(Goal { interval: Some(160), area: None });
        assert_eq!((copies(&found), found.interval, found.ended), (vec![4, 1, 1], 160, Ended::TargetMet));
        // Below it: 5 copies for 130, then 2 of the second layer for 80, then 6 of the first for 110.
        assert_eq!(copies(&search(Goal { interval: Some(129), area: None })), [6, 2, 1]);
        // 64 positions in 5 steps take 13 copies: no number between 11 (6 steps) and 13 helps.
        assert_eq!((next(64, 11), next(64, 12), next(64, 64), next(1, 1)), (Some(13), Some(13), None, None));
    }

    #[test]
    fn it_ends_where_copies_no_longer_help() {
        // One step each: 10 cycles everywhere.
        let all = search(Goal { interval: Some(1), area: None });
        assert_eq!((copies(&all), all.ended, all.limited_by.as_str()), (vec![64, 16, 1], Ended::Positions, "layer0"));
        assert!(all.to_string().contains("above the target of 1: it has the most copies"), "{all}");
        // 3 at the start; 4 copies of the first make 6, and 5 would make 7.
        let small = search(Goal { interval: None, area: Some(Area(6)) });
        assert_eq!((copies(&small), small.area, small.ended), (vec![4, 1, 1], Area(6), Ended::AreaBudget));
        // Draws of 50 cycles.
        let layers = candidates(&[64]);
        let interval = |_: usize, copies: u32| (10 * u64::from(64_u32.div_ceil(copies))).max(50);
        let drawn = equalise(&layers, Goal { interval: Some(1), area: None }, &interval, &mut |_| Area(0)).unwrap();
        assert_eq!((copies(&drawn), drawn.interval, drawn.ended), (vec![13], 50, Ended::Draws));
        let none = equalise(&layers, Goal { interval: None, area: Some(Area(1)) }, &interval, &mut |_| Area(2));
        assert_eq!(none, Err(Area(2)));
    }
}
