//! Searches: some points of a design space instead of all, chosen round by round.
//!
//! A round is a function of the sweep and of the rows of the rounds before it, so whoever makes a shard makes the same one.
//! The number of points of each round is known when a sweep is planned.

use crate::config::{Answer, Method, Sweep};
use crate::error::{Error, Problem};
use crate::random::{Purpose, Stream, StreamName};
use crate::report::quantity::grouped;
use crate::sweep::figures;
use crate::sweep::nsga2::{self, Scored};
use crate::sweep::pareto::{Bound, Objective, numbers};
use crate::sweep::points::Points;
use crate::sweep::sample;
use crate::sweep::space::Space;
use crate::sweep::table::Table;
use std::collections::BTreeSet;
use std::ops::Range;

/// Which points of a space are run.
#[derive(Debug, Clone)]
pub struct Search {
    by: Method,
    seed: u32,
    objectives: Vec<Objective>,
    bounds: Vec<Bound>,
    /// Points of each round.
    rounds: Vec<u64>,
}

impl Search {
    /// The search of a sweep, if it has one. `points`: those of its space.
    ///
    /// # Errors
    /// All problems, by the dotted path of the key within the sweep.
    pub fn new(sweep: &Sweep, points: &Points) -> Result<Option<Self>, Vec<Problem>> {
        let Some(of) = &sweep.search else { return Ok(None) };
        let space = points.space();
        let mut problems = Vec::new();
        let mut problem = |path: &str, message: String| {
            let (message, hint) = match message.split_once("\nhelp: ") {
                Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
                None => (message, None),
            };
            problems.push(Problem { path: format!("search.{path}"), message, hint });
        };
        let there = space.count().points / space.step();
        let asked = u64::from(of.points);
        if asked > there {
            problem("points", format!("{asked} points of a space of {there}; expected at most as many"));
        }
        let axes = space.coordinates().len();
        if matches!(of.by, Method::Sobol) && axes > sample::SOBOL_AXES {
            problem("by", format!("{axes} axes; expected at most {} for Sobol", sample::SOBOL_AXES));
        }
        let chooses = matches!(of.by, Method::Nsga2 { .. }) || of.screen.is_some();
        for (name, given) in [("objectives", &of.objectives), ("subject_to", &of.subject_to)] {
            if !chooses && !given.is_empty() {
                problem(name, format!("{name} is for Nsga2 or a screen, which choose by it; expected none"));
            }
        }
        if chooses && of.objectives.is_empty() {
            problem("objectives", "expected at least one figure to choose points by".to_owned());
        }
        let heads = points.heads();
        let (mut objectives, mut bounds): (Vec<Objective>, Vec<Bound>) = (Vec::new(), Vec::new());
        let mut figures: Vec<(String, String)> = Vec::new();
        for (i, text) in of.objectives.iter().enumerate() {
            let path = format!("objectives[{i}]");
            match Objective::parse(text, &heads) {
                Err(message) => problem(&path, message),
                Ok(parsed) if objectives.iter().any(|earlier| earlier.figure == parsed.figure) => {
                    problem(&path, format!("{} is there twice", parsed.figure));
                }
                Ok(parsed) => {
                    figures.push((path, parsed.figure.clone()));
                    objectives.push(parsed);
                }
            }
        }
        for (i, text) in of.subject_to.iter().enumerate() {
            let path = format!("subject_to[{i}]");
            match Bound::parse(text, &heads) {
                Err(message) => problem(&path, message),
                Ok(bound) => {
                    figures.push((path, bound.figure.clone()));
                    bounds.push(bound);
                }
            }
        }
        if let Some(screen) = of.screen {
            for (key, answer) in [("images", screen.images), ("then", screen.then)] {
                if answer == Answer::Nothing {
                    problem(&format!("screen.{key}"), "found Nothing; expected images to answer".to_owned());
                }
            }
            let number = |answer| match answer {
                Answer::Nothing => 0,
                Answer::First(n) => n,
                Answer::All => u32::MAX,
            };
            if number(screen.images) >= number(screen.then) {
                problem("screen.images", "these are no fewer than those of `then`; expected fewer".to_owned());
            }
        } else if let Some((path, figure)) = figures.iter().find(|(_, figure)| figures::needs_values(figure))
            && answers_nothing(points)
        {
            let message = format!("{figure} needs values, and values.answer is Nothing; expected First(n) or All");
            problem(path, message);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut rounds = vec![asked];
        if let Method::Nsga2 { population } = of.by {
            let population = u64::from(population);
            rounds = (0..asked.div_ceil(population)).map(|g| population.min(asked - g * population)).collect();
        }
        if let Some(screen) = of.screen {
            rounds.push((libm::ceil(screen.keep * asked as f64) as u64).clamp(1, asked));
        }
        Ok(Some(Self { by: of.by, seed: of.seed, objectives, bounds, rounds }))
    }

    /// Points of each round.
    #[must_use]
    pub fn rounds(&self) -> &[u64] {
        &self.rounds
    }

    /// Points of all rounds.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.rounds.iter().sum()
    }

    /// How many points of how many are chosen how, for people.
    #[must_use]
    pub fn text(&self, space: &Space) -> String {
        let method = match self.by {
            Method::Random => "at random",
            Method::LatinHypercube => "by Latin hypercube",
            Method::Sobol => "by a Sobol sequence",
            Method::Nsga2 { .. } => "by NSGA-II",
        };
        let again = if space.step() > 1 { self.rounds[self.rounds.len() - 1] } else { 0 };
        let promising = if again > 0 { format!(", {} of them on more images", grouped(again)) } else { String::new() };
        let all = space.count().points / space.step();
        format!("{} of {} points {method}{promising}", grouped(self.points() - again), grouped(all))
    }

    /// The points of the first round.
    ///
    /// # Errors
    /// None: nothing was run before them.
    pub fn first(&self, space: &Space) -> Result<Vec<u64>, Error> {
        self.choose(space, 0, &[])
    }

    /// Number of shards, of which none has points of two rounds.
    #[must_use]
    pub fn shards(&self, per_shard: u64) -> u64 {
        self.rounds.iter().map(|points| points.div_ceil(per_shard)).sum()
    }

    /// Round of a shard, and which of its points it has.
    pub(super) fn place(&self, shard: u64, per_shard: u64) -> (usize, Range<u64>) {
        let mut first = 0;
        for (round, points) in self.rounds.iter().enumerate() {
            let shards = points.div_ceil(per_shard);
            if shard < first + shards {
                let start = (shard - first) * per_shard;
                return (round, start..(start + per_shard).min(*points));
            }
            first += shards;
        }
        (self.rounds.len(), 0..0)
    }

    /// Shards of a round.
    pub(super) fn of_round(&self, round: usize, per_shard: u64) -> Range<u64> {
        let first = self.rounds[..round].iter().map(|points| points.div_ceil(per_shard)).sum();
        first..first + self.rounds[round].div_ceil(per_shard)
    }

    /// The points of a round, by those that were run `before` it.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if there is nothing to choose by: no point has all objectives and figures of bounds.
    pub(super) fn choose(&self, space: &Space, round: usize, before: &[Scored]) -> Result<Vec<u64>, Error> {
        if round > 0 && before.iter().all(|point| point.cost.is_none()) {
            let names = self.objectives.iter().map(|of| of.figure.as_str());
            let names: Vec<&str> = names.chain(self.bounds.iter().map(|of| of.figure.as_str())).collect();
            let message = format!(
                "none of the {} points of the search so far has all of {}; expected figures that its runs have",
                before.len(),
                names.join(", ")
            );
            return Err(Error::Config(message));
        }
        let n = self.rounds[round];
        let mut stream: Stream =
            StreamName { position: round as u64, ..StreamName::new(Purpose::Search) }.open(self.seed.into());
        if round > 0 && space.step() > 1 && round + 1 == self.rounds.len() {
            let best = nsga2::best(before, n as usize);
            return Ok(best.into_iter().map(|(at, _, _)| before[at].index + 1).collect());
        }
        Ok(match self.by {
            Method::LatinHypercube => sample::latin_hypercube(space, n, &mut stream),
            Method::Sobol => sample::sobol(space, n, self.seed, &mut stream),
            Method::Nsga2 { population } if round > 0 => {
                nsga2::offspring(space, before, population as usize, n, &mut stream)
            }
            Method::Nsga2 { .. } => sample::latin_hypercube(space, n, &mut stream),
            Method::Random => {
                let mut chosen = Vec::new();
                sample::random(space, n, &mut stream, &mut BTreeSet::new(), &mut chosen);
                chosen
            }
        })
    }

    /// What the rows of points say of them.
    pub(super) fn scored(&self, rows: &Table) -> Vec<Scored> {
        let costs: Vec<_> = self.objectives.iter().map(|of| (numbers(rows, &of.figure), of.direction)).collect();
        let bounded: Vec<_> = self.bounds.iter().map(|bound| (numbers(rows, &bound.figure), bound)).collect();
        let score = |(row, index): (usize, Option<f64>)| {
            let cost = costs.iter().map(|(values, direction)| values[row].map(|value| direction.cost(value))).collect();
            let excess: Option<f64> =
                bounded.iter().map(|(values, bound)| values[row].map(|value| bound.excess(value))).sum();
            let cost = excess.and(cost);
            Scored { index: index.unwrap_or(0.0) as u64, cost, excess: excess.unwrap_or(0.0) }
        };
        numbers(rows, "point").into_iter().enumerate().map(score).collect()
    }
}

/// Whether no point computes values, by the first of them.
fn answers_nothing(points: &Points) -> bool {
    let space = points.space();
    if space.axes().iter().any(|axis| axis.key == "values" || axis.key.starts_with("values.")) {
        return false;
    }
    let loaded = space.next(0).and_then(|index| points.load(&space.point(index)).ok());
    loaded.is_some_and(|loaded| loaded.config.values.answer == Answer::Nothing)
}
