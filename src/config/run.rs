//! Settings of a run: mapping, schedule, ensemble, values and seed.

use crate::config::chip::Chip;
use crate::network::Workload;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The fully expanded configuration of a run: saved with it, and enough to repeat it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The chip, its cost table in place.
    pub arch: Chip,
    /// The network.
    pub workload: Workload,
    /// Layers to arrays.
    #[serde(default)]
    pub mapping: MappingSpec,
    /// Order of the work.
    #[serde(default)]
    pub schedule: ScheduleSpec,
    /// Members and their weight samples.
    #[serde(default)]
    pub ensemble: EnsembleSpec,
    /// Values: what is computed beside the timing.
    #[serde(default)]
    pub values: ValuesSpec,
    /// Master seed of every random stream.
    #[serde(default = "first_seed")]
    pub seed: u64,
}

impl Config {
    /// Members that run: the mode network has one.
    #[must_use]
    pub fn members(&self) -> u32 {
        match self.mapping.scheme {
            Scheme::Dense => self.ensemble.members,
            Scheme::Deterministic => 1,
        }
    }

    /// Passes of an ensembled layer in the run: images times members.
    #[must_use]
    pub fn passes(&self) -> u64 {
        u64::from(self.schedule.images) * u64::from(self.members())
    }
}

/// Most passes of a layer in a run: some of what is known of each is kept until the end.
pub const MAX_PASSES: u64 = 1_000_000;

/// How layers become arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(default, deny_unknown_fields)]
pub struct MappingSpec {
    /// Which synapses are sampled.
    pub scheme: Scheme,
    /// Copies of a layer's arrays that work on different positions, by layer name; layers not named have one.
    #[schemars(schema_with = "copies")]
    pub replication: Vec<(String, u32)>,
}

/// Which synapses are sampled, and which layers run once a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum Scheme {
    /// Every synapse in stochastic planes, every layer run for each member.
    #[default]
    Dense,
    /// The mode network: every synapse fixed, one pass an image.
    Deterministic,
}

/// Order of the work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleSpec {
    /// Schedule: which passes may run at the same time.
    pub mode: Mode,
    /// Images sent through the chip in the timed simulation.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub images: u32,
    /// Grain of the simulation and of the trace.
    pub grain: Grain,
    /// Cycles in which the trace is finer than the grain.
    pub window: TraceWindow,
    /// Whether arrays that behave alike are simulated once and counted.
    pub grouping: Grouping,
    /// Event queue.
    pub queue: Queue,
}

impl Default for ScheduleSpec {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            images: 1,
            grain: Grain::default(),
            window: TraceWindow::default(),
            grouping: Grouping::default(),
            queue: Queue::default(),
        }
    }
}

/// Schedule: which passes may run at the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum Mode {
    /// One layer of one member at a time.
    Sequential,
    /// Layers are stages; members and images stream through, a layer starts a pass when its whole input has arrived.
    #[default]
    Layer,
    /// Layers are stages; a position starts as soon as its window has arrived.
    Streaming,
}

/// Step of simulation and trace. Cycles and attojoules do not depend on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum Grain {
    /// One event and span for all reads of an output position.
    Op,
    /// One for each crossbar read.
    #[default]
    Read,
    /// One for each conversion.
    Conversion,
}

/// Cycles in which each read and each conversion has a row in the trace, whatever the grain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
#[serde(deny_unknown_fields)]
pub enum TraceWindow {
    /// None.
    #[default]
    Nowhere,
    /// From one cycle up to, but not including, another.
    Cycles {
        /// First cycle.
        from: u64,
        /// The cycle after the last one.
        to: u64,
    },
}

/// How arrays that behave alike are simulated. Reports do not depend on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum Grouping {
    /// Once, and counted.
    #[default]
    Grouped,
    /// Each by itself.
    Expanded,
}

/// Event queue. Results do not depend on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum Queue {
    /// A ring of cycles with an overflow heap.
    #[default]
    Ring,
    /// The `priority-queue` crate, kept as the reference.
    PriorityQueue,
}

/// The ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnsembleSpec {
    /// Members (T) of the dense scheme.
    #[schemars(range(min = 1, max = 10_000))]
    pub members: u32,
    /// Where the weight samples come from.
    pub samples: Samples,
}

impl Default for EnsembleSpec {
    fn default() -> Self {
        Self { members: 10, samples: Samples::default() }
    }
}

/// Where weight samples come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum Samples {
    /// Drawn from p by the simulator's own named streams.
    #[default]
    Drawn,
    /// The samples stored in the posterior file.
    Stored,
}

/// Values computed beside the timing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(default, deny_unknown_fields)]
pub struct ValuesSpec {
    /// Which images are answered.
    pub answer: Answer,
    /// Values written to `values.safetensors` beside the report.
    pub record: Record,
}

/// Which images are answered by the functional path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum Answer {
    /// None: timing only, energy from the stated activity.
    Nothing,
    /// The first n images of the workload.
    First(#[schemars(range(min = 1))] u32),
    /// All images of the workload.
    #[default]
    All,
}

/// Values that a run writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum Record {
    /// Nothing.
    Nothing,
    /// Logits and probabilities of every member.
    #[default]
    Answers,
    /// These, and the accumulators of every layer; at most 1 GiB of them.
    Accumulators,
}

fn first_seed() -> u64 {
    1
}

/// Names of layers with a number each; a map says the same.
fn copies(_: &mut SchemaGenerator) -> Schema {
    let number = serde_json::json!({ "type": "integer", "format": "uint32", "minimum": 1, "maximum": 65_536 });
    json_schema!({ "anyOf": [
        { "type": "array", "items": { "type": "array", "prefixItems": [{ "type": "string" }, number], "minItems": 2, "maxItems": 2 } },
        { "type": "object", "additionalProperties": number },
    ] })
}
