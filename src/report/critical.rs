//! The critical path of a run as a report, and what other times would change.

use crate::config::Config;
use crate::critical::{Chain, Segment};
use crate::report::quantity::{grouped, percent, si};
use crate::report::settings::Setting;
use crate::report::table::{grid, line, title};
use crate::trace::NONE;
use serde::Serialize;
use std::fmt;

/// What the critical path is.
pub const CRITICAL_DEFINITION: &str = "jobs from the first cycle of the run to the last, each starting in the cycle in \
    which the one before it ends, because it waited for that one last: for its own unit, for input, for room, for a \
    link or for weights";

/// Stretches that the report lists, and waits that its table does.
const LONGEST: usize = 10;
/// Smallest share of the run that has a line of its own in the table.
const LEAST: f64 = 0.001;

/// The critical path of a run. Its fields are the keys of its JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Critical {
    /// [`CRITICAL_DEFINITION`].
    pub definition: &'static str,
    /// Network and chip.
    pub workload: String,
    pub arch: String,
    /// Schedule, images and members.
    pub schedule: String,
    pub images: u32,
    pub members: u32,
    /// Cycles of the run, which are those of the path, and the time that they take.
    pub cycles: u64,
    pub latency_s: f64,
    /// Its cycles by layer, component and action, most first.
    pub path: Vec<Share>,
    /// How often it passes from a unit that waited to the one that it waited for.
    pub waits: Vec<Waits>,
    /// Number of stretches: times that it stays within one stage of the dataflow.
    pub stretches: u64,
    /// The ten longest of them.
    pub longest: Vec<Stretch>,
    /// What other times would change.
    pub what_if: Vec<WhatIf>,
}

/// Cycles of the path in one action.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Share {
    /// Layer; none for what belongs to no layer.
    pub layer: Option<String>,
    /// Component.
    pub component: &'static str,
    /// Action.
    pub action: &'static str,
    /// Cycles.
    pub cycles: u64,
    /// Their share of the run.
    pub share: f64,
}

/// Waits that the path passes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waits {
    /// Layer of the unit that waited.
    pub layer: Option<String>,
    /// The unit.
    pub component: &'static str,
    /// What it waited for.
    pub action: &'static str,
    /// How often.
    pub times: u64,
}

/// A time for which the path stays within one stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stretch {
    /// Stage of the dataflow; the arrays' where converters have a part in it.
    pub stage: String,
    /// First cycle.
    pub start: u64,
    /// Cycles.
    pub cycles: u64,
    /// Their share of the run.
    pub share: f64,
    /// Image and member of its first and its last job.
    pub from_image: u32,
    pub from_member: u32,
    pub to_image: u32,
    pub to_member: u32,
    /// Cycles by component and action.
    pub path: Vec<Share>,
}

/// The path with other times, beside a run with them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhatIf {
    /// What was asked for.
    pub change: String,
    /// What that changes.
    pub settings: Vec<Setting>,
    /// Length of the path with the other times: no run is shorter as long as messages take links in the same order.
    pub estimated_cycles: u64,
    /// Cycles of a run with them.
    pub run_cycles: u64,
    /// Time that is gained, as a share of the run's: by the estimate, and by the run.
    pub estimated_gain: f64,
    pub run_gain: f64,
    /// Whether every job of the path takes as many cycles as before.
    pub same_cycles: bool,
}

impl WhatIf {
    /// What there is to say of it, beside its numbers.
    #[must_use]
    pub fn note(&self) -> &'static str {
        if self.settings.is_empty() {
            "changes nothing"
        } else if self.same_cycles && self.run_cycles == self.estimated_cycles {
            "the same whole cycles"
        } else if self.run_cycles == self.estimated_cycles {
            "exact"
        } else if self.run_cycles > self.estimated_cycles {
            "another path is longer"
        } else {
            "messages leave in another order"
        }
    }
}

impl Critical {
    /// Of the run of a configuration; `stages` names the stages of its dataflow, `layers` its layers.
    #[must_use]
    pub fn new(config: &Config, chain: &Chain, stages: &[String], layers: &[String], what_if: Vec<WhatIf>) -> Self {
        let cycles = chain.cycles();
        let layer = |layer: u32| layers.get(layer as usize).filter(|_| layer != NONE).cloned();
        let share = |(l, component, action): (u32, crate::trace::Component, crate::trace::Action), part: u64| Share {
            layer: layer(l),
            component: component.name(),
            action: action.name(),
            cycles: part,
            share: part as f64 / cycles.max(1) as f64,
        };
        let sorted = |mut shares: Vec<Share>| {
            shares.sort_by_key(|share| std::cmp::Reverse(share.cycles));
            shares
        };
        let stretch = |segment: &Segment| Stretch {
            stage: stages[segment.stage as usize].clone(),
            start: segment.start,
            cycles: segment.end - segment.start,
            share: (segment.end - segment.start) as f64 / cycles.max(1) as f64,
            from_image: segment.from.0,
            from_member: segment.from.1,
            to_image: segment.to.0,
            to_member: segment.to.1,
            path: sorted(segment.cycles.iter().map(|((c, a), part)| share((segment.layer, *c, *a), *part)).collect()),
        };
        let mut waits: Vec<Waits> = chain
            .waits
            .iter()
            .map(|((l, component, action), times)| Waits {
                layer: layer(*l),
                component: component.name(),
                action: action.name(),
                times: *times,
            })
            .collect();
        waits.sort_by_key(|waits| std::cmp::Reverse(waits.times));
        Self {
            definition: CRITICAL_DEFINITION,
            workload: config.workload.name.clone(),
            arch: config.arch.name.clone(),
            schedule: format!("{:?}", config.schedule.mode).to_lowercase(),
            images: config.schedule.images,
            members: config.members(),
            cycles,
            latency_s: cycles as f64 / config.arch.clock.0 as f64,
            path: sorted(chain.by_place().into_iter().map(|(place, part)| share(place, part)).collect()),
            waits,
            stretches: chain.segments.len() as u64,
            longest: chain.longest(LONGEST).into_iter().map(stretch).collect(),
            what_if,
        }
    }
}

fn count(n: u32, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A share of the time that is gained; below 0 where time is lost.
fn gain(share: f64) -> String {
    let text = percent(share.abs());
    match text.strip_prefix("< ") {
        Some(small) if share < 0.0 => format!("> -{small}"),
        _ if share < 0.0 => format!("-{text}"),
        _ => text,
    }
}

impl fmt::Display for Critical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = format!("Critical path of {} on {}", self.workload, self.arch);
        writeln!(f, "{heading}\n{}", "=".repeat(heading.len().min(100)))?;
        let run = format!("{}, {}, {}", self.schedule, count(self.images, "image"), count(self.members, "member"));
        line(f, "schedule", &run)?;
        line(f, "latency", &format!("{} cycles = {}", grouped(self.cycles), si(self.latency_s, "s")))?;
        line(f, "path", self.definition)?;
        line(f, "stretches in a stage", &grouped(self.stretches))?;
        let layer = |layer: &Option<String>| layer.clone().unwrap_or_else(|| "-".to_owned());

        title(f, "Cycles of the path by layer, component and action")?;
        let row = |layer: String, component: &str, action: &str, cycles: u64| {
            let of_run = percent(cycles as f64 / self.cycles.max(1) as f64);
            [layer, component.to_owned(), action.to_owned(), grouped(cycles), of_run]
        };
        let (large, small): (Vec<&Share>, Vec<&Share>) = self.path.iter().partition(|share| share.share >= LEAST);
        let mut rows: Vec<[String; 5]> =
            large.iter().map(|s| row(layer(&s.layer), s.component, s.action, s.cycles)).collect();
        if !small.is_empty() {
            let others = format!("({} others)", small.len());
            rows.push(row(others, "", "", small.iter().map(|share| share.cycles).sum()));
        }
        grid(f, ["layer", "component", "action", "cycles", "of the run"], &rows)?;

        title(f, "Waits that it passes: from the unit that waited to the one that it waited for")?;
        let rows: Vec<[String; 4]> = self
            .waits
            .iter()
            .take(LONGEST)
            .map(|w| [layer(&w.layer), w.component.to_owned(), w.action.to_owned(), grouped(w.times)])
            .collect();
        grid(f, ["layer", "unit that waited", "for", "times"], &rows)?;

        title(f, "Longest stretches within a stage")?;
        let rows: Vec<[String; 6]> = self
            .longest
            .iter()
            .map(|s| {
                let range = |from: u32, to: u32| if from == to { from.to_string() } else { format!("{from}..{to}") };
                let most =
                    s.path.first().map_or(String::new(), |share| format!("{} {}", share.component, share.action));
                [
                    s.stage.clone(),
                    format!("{} {}", grouped(s.start), grouped(s.cycles)),
                    percent(s.share),
                    range(s.from_image, s.to_image),
                    range(s.from_member, s.to_member),
                    most,
                ]
            })
            .collect();
        grid(f, ["stage", "from, cycles", "of the run", "image", "member", "mostly"], &rows)?;

        if !self.what_if.is_empty() {
            title(f, "With other times: length of the path, and a run")?;
            let rows: Vec<[String; 6]> = self
                .what_if
                .iter()
                .map(|w| {
                    [
                        w.change.clone(),
                        grouped(w.estimated_cycles),
                        gain(w.estimated_gain),
                        grouped(w.run_cycles),
                        gain(w.run_gain),
                        w.note().to_owned(),
                    ]
                })
                .collect();
            grid(f, ["change", "path", "gain", "run", "gain", ""], &rows)?;
            let settings = self.what_if.iter().flat_map(|what_if| {
                what_if.settings.iter().map(|setting| {
                    let before = setting.instead_of.clone().unwrap_or_default();
                    [what_if.change.clone(), setting.key.clone(), setting.value.clone(), before]
                })
            });
            writeln!(f)?;
            grid(f, ["change", "key", "value", "instead of"], &settings.collect::<Vec<_>>())?;
        }
        Ok(())
    }
}
