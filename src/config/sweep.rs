//! A design space as its file describes it: what varies, what is left out, and what is kept of each point.

use crate::config::Answer;
use crate::config::check::Whole;
use crate::config::de::GIVEN;
use crate::error::Problem;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;

/// A design space: the points are all combinations of the values of its axes, those left out that a condition drops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Name used in messages and results.
    #[schemars(length(min = 1))]
    pub name: String,
    /// One paragraph for people: which question it answers.
    #[serde(default)]
    pub description: String,
    /// Chip of all points: a file, its path from this file's folder on, or the name of a built-in one.
    #[schemars(length(min = 1))]
    pub arch: Option<String>,
    /// Network of all points, likewise.
    #[schemars(length(min = 1))]
    pub workload: Option<String>,
    /// What all points change, `key=value` each, as `--set` takes it.
    #[serde(default)]
    pub set: Vec<String>,
    /// What varies. The last axis varies fastest.
    #[serde(default)]
    pub axes: Vec<Axis>,
    /// Points that are left out.
    #[serde(default)]
    pub conditions: Vec<DropCondition>,
    /// Master seeds: each point is run with each of them.
    #[serde(default)]
    pub seeds: Vec<u64>,
    /// Number of runs of each point, with the seeds 1, 2 and so on; not beside `seeds`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub repeats: Option<u32>,
    /// Names of the figures that are kept of each point; empty: all.
    #[serde(default)]
    pub record: Vec<String>,
    /// Runs some of the points instead of all.
    pub search: Option<Search>,
}

/// Which of the points are run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// How points are chosen.
    pub by: Method,
    /// How many are run.
    #[schemars(range(min = 1, max = 65_536))]
    pub points: u32,
    /// Seed of the choice. It is not that of the runs.
    #[serde(default = "first_seed")]
    pub seed: u32,
    /// Figures that are to be small or large, as `sweep pareto` takes them: `energy`, `max:entropy`.
    #[serde(default)]
    pub objectives: Vec<String>,
    /// Bounds of figures, as `sweep pareto` takes them: `ece<=0.05`.
    #[serde(default)]
    pub subject_to: Vec<String>,
    /// Runs the points on some images first, and only the promising ones on all.
    pub screen: Option<Screen>,
}

/// How points are chosen. Coordinates are those of the axes: axes of one `zip` group are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Method {
    /// Any point is as likely as any other.
    Random,
    /// As many strata of each coordinate as points, and a point in each of them.
    LatinHypercube,
    /// An Owen-scrambled Sobol sequence.
    Sobol,
    /// By generations, of which each is bred from the best points so far: NSGA-II.
    Nsga2 {
        /// Points of a generation.
        #[serde(default = "population")]
        #[schemars(range(min = 4, max = 4096))]
        population: u32,
    },
}

/// Two fidelities of a point: some images first, more of them for the promising ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Screen {
    /// What all points of the search answer.
    pub images: Answer,
    /// What the promising ones answer.
    #[serde(default)]
    pub then: Answer,
    /// Share of the points that are promising: the best by the objectives within the bounds.
    #[schemars(range(min = 0.000_001, max = 1.0))]
    pub keep: f64,
}

/// One thing that varies. Exactly one of `values`, `range`, `log_range` and `powers_of_two` is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Dotted path of a key as `--set` takes it, or `arch` or `workload` for the file or built-in name of a chip or network.
    #[schemars(length(min = 1))]
    pub key: String,
    /// Its values, written as in a file of the key.
    #[serde(default)]
    pub values: Vec<Given>,
    /// Values at equal distances.
    pub range: Option<StepRange>,
    /// Values at equal ratios.
    pub log_range: Option<LogRange>,
    /// Powers of two.
    pub powers_of_two: Option<PowerRange>,
    /// Text around the numbers of a range, whose place is `{}`: `"{} ns"`, `"Above({})"`.
    pub text: Option<String>,
    /// Name of a group: axes of one group have equally many values and vary together.
    #[schemars(length(min = 1))]
    pub zip: Option<String>,
}

/// Numbers at equal distances.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepRange {
    /// First number.
    pub from: f64,
    /// Number that none exceeds.
    pub to: f64,
    /// Distance of neighbours.
    #[serde(default = "one")]
    pub step: f64,
}

/// Numbers at equal ratios.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogRange {
    /// First number.
    pub from: f64,
    /// Last number.
    pub to: f64,
    /// How many.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub points: u32,
}

/// Powers of two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PowerRange {
    /// Number that none is below.
    pub from: u64,
    /// Number that none exceeds.
    pub to: u64,
}

/// Points that are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DropCondition {
    /// Comparisons of axes and values that all hold for such points: `arch.adc.bits < 6 and mapping.scheme == Dense`. A
    /// comparison has one of `==`, `!=`, `<`, `<=`, `>`, `>=`.
    #[schemars(length(min = 1))]
    pub drop: String,
    /// Why, for people.
    #[schemars(length(min = 1))]
    pub reason: String,
}

/// A value of any type, as RON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Given(pub String);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Given;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Given, E> {
                Ok(Given(text.to_owned()))
            }
        }
        deserializer.deserialize_newtype_struct(GIVEN, Text)
    }
}

impl JsonSchema for Given {
    fn schema_name() -> Cow<'static, str> {
        "Given".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-any": true })
    }
}

fn one() -> f64 {
    1.0
}

fn first_seed() -> u32 {
    1
}

fn population() -> u32 {
    16
}

impl Whole for Sweep {
    /// What takes more than a look at single keys is found where the space is built.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}
