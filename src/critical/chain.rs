//! A chain of jobs: where its cycles go, and how long it is with other times.

use super::timing::{Timing, Work};
use crate::kernel::{Cycle, PartId};
use crate::trace::{Action, Component};
use std::collections::BTreeMap;

/// A component of a layer ([`crate::trace::NONE`]: of none) at an action.
pub type Place = (u32, Component, Action);

/// A stretch of the chain within one stage of the dataflow. Arrays and the converters behind them are one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// First cycle, and the cycle after the last one.
    pub start: Cycle,
    pub end: Cycle,
    /// Stage of the dataflow; the arrays' where converters have a part in it.
    pub stage: PartId,
    /// Layer, or [`crate::trace::NONE`].
    pub layer: u32,
    /// Image and member of its first and of its last job.
    pub from: (u32, u32),
    pub to: (u32, u32),
    /// Cycles by component and action.
    pub cycles: BTreeMap<(Component, Action), Cycle>,
}

impl Segment {
    /// The component that has most of its cycles.
    #[must_use]
    pub fn component(&self) -> Component {
        let mut sums: BTreeMap<Component, Cycle> = BTreeMap::new();
        for ((component, _), cycles) in &self.cycles {
            *sums.entry(*component).or_default() += cycles;
        }
        let most = sums.values().copied().max();
        sums.into_iter().find(|(_, cycles)| Some(*cycles) == most).map_or(Component::GlobalBuffer, |(c, _)| c)
    }
}

/// The critical path of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// Its stretches in the order of time: the first starts at cycle 0, each other one where the one before it ends.
    pub segments: Vec<Segment>,
    /// How often the chain passes from a unit that waited to the one that it waited for, by the unit and its reason.
    pub waits: BTreeMap<Place, u64>,
    /// Jobs of its stages.
    pub(super) jobs: BTreeMap<(PartId, Work), u64>,
}

impl Chain {
    /// Its length.
    #[must_use]
    pub fn cycles(&self) -> Cycle {
        self.segments.iter().map(|segment| segment.end - segment.start).sum()
    }

    /// Its cycles by layer, component and action.
    #[must_use]
    pub fn by_place(&self) -> BTreeMap<Place, Cycle> {
        let mut places = BTreeMap::new();
        for segment in &self.segments {
            for ((component, action), cycles) in &segment.cycles {
                *places.entry((segment.layer, *component, *action)).or_default() += cycles;
            }
        }
        places
    }

    /// The longest stretches, the earlier first where two are equal.
    #[must_use]
    pub fn longest(&self, number: usize) -> Vec<&Segment> {
        let mut segments: Vec<&Segment> = self.segments.iter().collect();
        segments.sort_by_key(|segment| (std::cmp::Reverse(segment.end - segment.start), segment.start));
        segments.truncate(number);
        segments
    }

    /// Its length with the times of other parts, which do the same jobs. No run of these parts is shorter as long as
    /// messages take the links between tiles in the same order: the jobs of the chain still wait for each other.
    #[must_use]
    pub fn cycles_with(&self, timing: &Timing) -> Cycle {
        self.jobs.iter().map(|((stage, work), times)| times * timing.cycles(*stage, *work)).sum()
    }

    /// Whether each of its jobs takes the same cycles with both times.
    #[must_use]
    pub fn same_cycles(&self, timing: &Timing, other: &Timing) -> bool {
        self.jobs.keys().all(|(stage, work)| timing.cycles(*stage, *work) == other.cycles(*stage, *work))
    }

    /// Adds jobs of a stage that end where the chain, which is built backwards, starts so far.
    pub(super) fn put_before(
        &mut self,
        timing: &Timing,
        (stage, work): (PartId, Work),
        times: u64,
        end: Cycle,
        of: (u32, u32),
    ) {
        let (job, cycles) = (timing.job(stage, work), times * timing.cycles(stage, work));
        *self.jobs.entry((stage, work)).or_default() += times;
        if cycles == 0 {
            return;
        }
        let stage = timing.groups.get(&stage).map_or(stage, |&(l, g)| timing.layers[l].groups[g].arrays);
        let (start, layer, kind) = (end - cycles, job.site.layer, (job.site.component, job.action));
        match self.segments.last_mut() {
            Some(next) if (next.stage, next.layer) == (stage, layer) => {
                (next.start, next.from) = (start, of);
                *next.cycles.entry(kind).or_default() += cycles;
            }
            _ => self.segments.push(Segment {
                start,
                end,
                stage,
                layer,
                from: of,
                to: of,
                cycles: BTreeMap::from([(kind, cycles)]),
            }),
        }
    }
}
