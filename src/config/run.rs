//! Settings of a run: mapping, schedule, ensemble, values and seed.

use crate::config::chip::Chip;
use crate::network::{Net, Workload};
use crate::units::Area;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::ops::Range;

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
            Scheme::Dense | Scheme::Sparse { .. } => self.ensemble.members,
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
    /// Whether layers have just the copies that `replication` gives.
    pub copies: Copies,
    /// Which tiles layers take, and where these are.
    pub placement: Placement,
}

/// How the number of copies of layers is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub enum Copies {
    /// They are those of `replication`.
    #[default]
    Given,
    /// Those of `replication` are the start: the layer with the longest interval gets more, again and again, until no layer
    /// takes longer than the target, or its next copies would exceed the area budget.
    Auto {
        /// Cycles from one image to the next, all members counted, that are short enough.
        #[serde(default)]
        #[schemars(range(min = 1))]
        target_interval: Option<u64>,
        /// Area that the chip may take.
        #[serde(default)]
        area_budget: Option<Area>,
    },
}

/// Which tiles layers take, and where these are on the interconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
pub enum Placement {
    /// Each layer takes whole tiles; tiles follow each other in the order of the layers.
    #[default]
    InOrder,
    /// A layer also takes arrays that its predecessor leaves of a tile. Layers of one tile share its buffers, ports and
    /// lanes by their arrays.
    Packed,
    /// As `Packed`, and blocks with few rows share an array: a block of a layer takes rows that layers before it leave of an
    /// array of the tile.
    Shared,
    /// Each layer takes whole tiles; layers that exchange many bytes sit close to each other.
    ByTraffic,
}

impl Placement {
    /// Whether layers share tiles.
    #[must_use]
    pub const fn shares_tiles(self) -> bool {
        matches!(self, Placement::Packed | Placement::Shared)
    }
}

/// Which synapses are sampled, and which layers run once a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Scheme {
    /// Every synapse in stochastic planes, every layer run for each member.
    Dense,
    /// The mode network: every synapse fixed, one pass an image.
    Deterministic,
    /// Layers from the first ensembling layer on run for each member, and in them only uncertain synapses are sampled.
    /// Three independent choices, of which each is that of `Dense` where nothing else is chosen.
    Sparse {
        /// The first layer that runs once a member (L0). Layers before it run once an image, with their weights at the mode.
        #[serde(default)]
        first_ensembling_layer: FirstLayer,
        /// Synapses with p <= eps or p >= 1 - eps are fixed at their mode, in a deterministic plane of their own.
        #[serde(default)]
        eps: Eps,
        /// How stochastic planes store what is sampled.
        #[serde(default)]
        packing: Packing,
        /// Whether the sums of the deterministic plane of the first ensembling layer are kept from the first member for the
        /// others: its input is the same for all of them.
        #[serde(default)]
        keep_deterministic_part: bool,
        /// Whether a row-serial stochastic plane skips rows whose input is 0.
        #[serde(default)]
        skip_zero_rows: bool,
    },
}

/// Every synapse sampled from the first Linear layer on.
impl Default for Scheme {
    fn default() -> Self {
        Scheme::Sparse {
            first_ensembling_layer: FirstLayer::FirstLinear,
            eps: Eps::default(),
            packing: Packing::default(),
            keep_deterministic_part: false,
            skip_zero_rows: false,
        }
    }
}

/// What a scheme chooses, whatever its name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choices<'a> {
    /// Name of the first layer that runs once a member (L0); none: the first one of the network.
    pub first_ensembling_layer: Option<&'a str>,
    /// Threshold of probabilistic synapses; none where all are sampled.
    pub eps: Option<f64>,
    /// How stochastic planes store what is sampled.
    pub packing: Packing,
    /// Whether the deterministic plane of L0 is read for the first member only.
    pub keep_deterministic_part: bool,
    /// Whether a row-serial stochastic plane skips rows whose input is 0.
    pub skip_zero_rows: bool,
}

/// The first layer that runs once a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub enum FirstLayer {
    /// The first layer of the network.
    #[default]
    First,
    /// The first Linear layer on which all later ones depend; the last layer where there is none. Once a configuration is
    /// read, it is that layer.
    FirstLinear,
    /// The layer of that name.
    Layer(String),
    /// The deepest one that keeps the answers of the fully sampled network to the calibration images.
    Auto(Tolerance),
}

/// Which synapses of an ensembling layer are sampled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub enum Eps {
    /// All.
    #[default]
    Everything,
    /// Those with eps < p < 1 - eps.
    Above(#[schemars(range(min = 0.0, max = 0.499_999))] f64),
    /// The largest that keeps the answers of the fully sampled network to the calibration images.
    Auto(Tolerance),
}

/// How far answers to the calibration images may fall behind those of the fully sampled network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tolerance {
    /// Most by which the accuracy may fall.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub accuracy: f64,
    /// Most by which the expected calibration error may rise.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub ece: f64,
    /// Most by which the area under the receiver operating characteristic may fall that tells the workload's
    /// out-of-distribution images from the calibration images by mutual information. Without such images it has no effect.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub auroc: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { accuracy: 0.01, ece: 0.01, auroc: 0.01 }
    }
}

/// How a stochastic plane stores its synapses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub enum Packing {
    /// The plane is as large as the layer; fixed synapses are reset pairs in it.
    #[default]
    Full,
    /// Only rows that hold a probabilistic synapse in the column block are stored. Each stored row needs the index of its
    /// input.
    Rows,
    /// Each column stores its own probabilistic synapses one under another. Each stored synapse needs the index of its
    /// input, and the plane must be row-serial.
    Lists {
        /// Whether columns are sorted by the length of their lists before they are cut into blocks, which shortens blocks.
        #[serde(default = "yes")]
        sorted: bool,
    },
}

impl Scheme {
    /// Replaces [`FirstLayer::FirstLinear`] by the layer of `net` that it is.
    pub fn name_first_layer(&mut self, net: &Net) {
        if let Scheme::Sparse { first_ensembling_layer: layer @ FirstLayer::FirstLinear, .. } = self {
            *layer = match net.first_linear() {
                0 => FirstLayer::First,
                index => FirstLayer::Layer(net.layers[index].described_name().to_owned()),
            };
        }
    }

    /// Whether something of it is still to be found by running values.
    #[must_use]
    pub fn is_auto(&self) -> bool {
        matches!(
            self,
            Scheme::Sparse { first_ensembling_layer: FirstLayer::Auto(_), .. }
                | Scheme::Sparse { eps: Eps::Auto(_), .. }
        )
    }

    /// The choices that it stands for, with nothing chosen where that is still to be found; none where nothing is sampled.
    #[must_use]
    pub fn choices(&self) -> Option<Choices<'_>> {
        match self {
            Scheme::Dense => Some(Choices::default()),
            Scheme::Deterministic => None,
            Scheme::Sparse { first_ensembling_layer, eps, packing, keep_deterministic_part, skip_zero_rows } => {
                let first_ensembling_layer = match first_ensembling_layer {
                    FirstLayer::First | FirstLayer::FirstLinear | FirstLayer::Auto(_) => None,
                    FirstLayer::Layer(name) => Some(name.as_str()),
                };
                let eps = match eps {
                    Eps::Everything | Eps::Auto(_) => None,
                    Eps::Above(eps) => Some(*eps),
                };
                Some(Choices {
                    first_ensembling_layer,
                    eps,
                    packing: *packing,
                    keep_deterministic_part: *keep_deterministic_part,
                    skip_zero_rows: *skip_zero_rows,
                })
            }
        }
    }

    /// The eps by which synapses are split between planes; none where all or none are sampled.
    #[must_use]
    pub fn eps(&self) -> Option<f64> {
        self.choices().and_then(|choices| choices.eps)
    }

    /// Name of its preset: `dense`, `deterministic`, `ls` (layer sparsity), `rs` (sparsity within layers) or `ls+rs`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.choices() {
            None => "deterministic",
            Some(choices) => match (choices.first_ensembling_layer, choices.eps) {
                (None, None) => "dense",
                (Some(_), None) => "ls",
                (None, Some(_)) => "rs",
                (Some(_), Some(_)) => "ls+rs",
            },
        }
    }
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
    /// Whether periods of a run that repeats itself are skipped. Exact; a run that writes a trace, or whose rows are driven by
    /// the codes of images, has none to skip.
    pub fast_forward: FastForward,
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
            fast_forward: FastForward::default(),
        }
    }
}

/// Skipping of periods that repeat earlier ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum FastForward {
    /// All is simulated.
    Off,
    /// Periods are skipped.
    #[default]
    On,
    /// The run is simulated with and without; a difference is an error.
    Checked,
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

/// Step of the simulation. Cycles and attojoules do not depend on it. A row of the trace is a step; steps that follow each
/// other evenly and are equal are one row, except conversions and what lies in the window.
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

impl TraceWindow {
    /// Its cycles.
    #[must_use]
    pub fn cycles(self) -> Range<u64> {
        match self {
            TraceWindow::Nowhere => 0..0,
            TraceWindow::Cycles { from, to } => from..to,
        }
    }
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
    /// Members (T); the deterministic scheme has one.
    #[schemars(range(min = 1, max = 10_000))]
    pub members: u32,
    /// Where the weight samples come from.
    pub samples: Samples,
    /// Whether members share the layers that run for each of them, or have copies of their own.
    pub execution: Execution,
}

/// How members run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Default, Copy, Eq)]
pub enum Execution {
    /// One after another on the same arrays.
    #[default]
    Temporal,
    /// Side by side: from the first ensembling layer on each member has tiles of its own.
    Spatial,
}

impl Default for EnsembleSpec {
    fn default() -> Self {
        Self { members: 10, samples: Samples::default(), execution: Execution::default() }
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

fn yes() -> bool {
    true
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
