//! What a run does with a chip and a workload: mapping, schedule, ensemble and seed.

use crate::config::check;
use crate::config::chip::Chip;
use crate::config::declare::{choice, record, settings};
use crate::config::network::Workload;

record! {
    /// The fully expanded configuration of a run: saved with it, and enough to repeat it.
    #[check(check::config)]
    pub struct Config {
        /// The chip, its cost table in place.
        pub arch: Chip,
        /// The network.
        pub workload: Workload,
        /// Layers to arrays.
        pub mapping: MappingSpec = MappingSpec::default(),
        /// Order of the work.
        pub schedule: ScheduleSpec = ScheduleSpec::default(),
        /// Members and their weight samples.
        pub ensemble: EnsembleSpec = EnsembleSpec::default(),
        /// Values: what is computed beside the timing.
        pub values: ValuesSpec = ValuesSpec::default(),
        /// Master seed of every random stream.
        pub seed: u64 = 1,
    }
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

settings! {
    /// How layers become arrays.
    pub struct MappingSpec {
        /// Which synapses are sampled.
        pub scheme: Scheme = Scheme::Dense,
        /// Copies of a layer's arrays that work on different positions, by layer name; layers not named have one.
        pub replication: Vec<(String, u32)> [1..=65_536] = Vec::new(),
    }
}

choice! {
    /// Which synapses are sampled, and which layers run once a member.
    #[derive(Copy, Eq)]
    pub enum Scheme {
        /// Every synapse in stochastic planes, every layer run for each member.
        Dense,
        /// The mode network: every synapse fixed, one pass an image.
        Deterministic,
    }
}

settings! {
    /// Order of the work.
    #[check(check::schedule)]
    pub struct ScheduleSpec {
        /// What may run at the same time.
        pub mode: Mode = Mode::Layer,
        /// Images sent through the chip in the timed simulation.
        pub images: u32 [1..=1_000_000] = 1,
        /// How finely the simulation steps and the trace tells.
        pub grain: Grain = Grain::Read,
        /// Where the trace tells more than the grain does.
        pub window: Window = Window::Nowhere,
        /// Whether arrays that behave alike are simulated once and counted.
        pub grouping: Grouping = Grouping::Grouped,
        /// Event queue.
        pub queue: Queue = Queue::Ring,
    }
}

choice! {
    /// What may run at the same time.
    #[derive(Copy, Eq)]
    pub enum Mode {
        /// One layer of one member at a time.
        Sequential,
        /// Layers are stages; members and images stream through, a layer starts a pass when its whole input is there.
        Layer,
        /// Layers are stages; a position starts as soon as its window is there.
        Streaming,
    }
}

choice! {
    /// Step of simulation and trace. Cycles and attojoules do not depend on it.
    #[derive(Copy, Eq)]
    pub enum Grain {
        /// One event and span for all reads of an output position.
        Op,
        /// One for each crossbar read.
        Read,
        /// One for each conversion.
        Conversion,
    }
}

choice! {
    /// Cycles in which the trace tells each read and each conversion, whatever the grain.
    #[derive(Copy, Eq)]
    pub enum Window {
        /// None.
        Nowhere,
        /// From one cycle up to, but not including, another.
        Cycles {
            /// First cycle.
            from: u64,
            /// The cycle after the last one.
            to: u64,
        },
    }
}

choice! {
    /// How arrays that behave alike are simulated. Reports do not depend on it.
    #[derive(Copy, Eq)]
    pub enum Grouping {
        /// Once, and counted.
        Grouped,
        /// Each by itself.
        Expanded,
    }
}

choice! {
    /// Event queue. Results do not depend on it.
    #[derive(Copy, Eq)]
    pub enum Queue {
        /// A ring of cycles with an overflow heap.
        Ring,
        /// The `priority-queue` crate, kept as the reference.
        PriorityQueue,
    }
}

settings! {
    /// The ensemble.
    pub struct EnsembleSpec {
        /// Members (T) of the dense scheme.
        pub members: u32 [1..=10_000] = 10,
        /// Where the weight samples come from.
        pub samples: Samples = Samples::Drawn,
    }
}

choice! {
    /// Where weight samples come from.
    #[derive(Copy, Eq)]
    pub enum Samples {
        /// Drawn from p by the simulator's own named streams.
        Drawn,
        /// The samples stored in the posterior file.
        Stored,
    }
}

settings! {
    /// What is computed beside the timing.
    pub struct ValuesSpec {
        /// Which images are answered.
        pub answer: Answer = Answer::All,
    }
}

choice! {
    /// Which images are answered by the functional path.
    #[derive(Copy, Eq)]
    pub enum Answer {
        /// None: timing only, energy from the stated activity.
        Nothing,
        /// The first n images of the workload.
        First(u32 [1..]),
        /// All images of the workload.
        All,
    }
}
