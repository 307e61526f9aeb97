//! What a run does with a chip and a workload: mapping, schedule, ensemble and seed.

use crate::config::chip::Chip;
use crate::config::network::Workload;
use serde::{Deserialize, Serialize};

/// The fully expanded configuration of a run: saved with it, and enough to repeat it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The chip, its cost table in place.
    pub arch: Chip,
    /// The network.
    pub workload: Workload,
    /// Layers to arrays.
    pub mapping: MappingSpec,
    /// Order of the work.
    pub schedule: ScheduleSpec,
    /// Members and their weight samples.
    pub ensemble: EnsembleSpec,
    /// Values: what is computed beside the timing.
    pub values: ValuesSpec,
    /// Master seed of every random stream.
    pub seed: u64,
}

/// How layers become arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MappingSpec {
    /// Which synapses are sampled.
    pub scheme: Scheme,
    /// Copies of a layer's arrays that work on different positions, by layer name; layers not named have one.
    pub replication: Vec<(String, u32)>,
}

/// Which synapses are sampled, and which layers run once a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// Every synapse in stochastic planes, every layer run for each member.
    Dense,
    /// The mode network: every synapse fixed, one pass an image.
    Deterministic,
}

/// Order of the work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleSpec {
    /// What may run at the same time.
    pub mode: Mode,
    /// Images sent through the chip in the timed simulation.
    pub images: u32,
    /// How finely the simulation steps and the trace tells.
    pub grain: Grain,
    /// Whether arrays that behave alike are simulated once and counted.
    pub grouping: Grouping,
    /// Event queue.
    pub queue: Queue,
}

/// What may run at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// One layer of one member at a time.
    Sequential,
    /// Layers are stages; members and images stream through, a layer starts a pass when its whole input is there.
    Layer,
    /// Layers are stages; a position starts as soon as its window is there.
    Streaming,
}

/// Step of simulation and trace. Cycles and attojoules do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grain {
    /// One event and span for all reads of an output position.
    Op,
    /// One for each crossbar read.
    Read,
    /// One for each conversion.
    Conversion,
}

/// How arrays that behave alike are simulated. Reports do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grouping {
    /// Once, and counted.
    Grouped,
    /// Each by itself.
    Expanded,
}

/// Event queue. Results do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Queue {
    /// A ring of cycles with an overflow heap.
    Ring,
    /// The `priority-queue` crate, kept as the reference.
    PriorityQueue,
}

/// The ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsembleSpec {
    /// Members (T) of the dense scheme.
    pub members: u32,
    /// Where the weight samples come from.
    pub samples: Samples,
}

/// Where weight samples come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Samples {
    /// Drawn from p by the simulator's own named streams.
    Drawn,
    /// The samples stored in the posterior file.
    Stored,
}

/// What is computed beside the timing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValuesSpec {
    /// Which images are answered.
    pub answer: Answer,
}

/// Which images are answered by the functional path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// None: timing only, energy from the stated activity.
    Nothing,
    /// The first n images of the workload.
    First(u32),
    /// All images of the workload.
    All,
}
