//! Kinds of configuration files.

/// What a configuration file describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A chip.
    Arch,
    /// A cost table.
    Parts,
    /// A kind of memory cell.
    Device,
    /// A network.
    Workload,
    /// A fully expanded configuration.
    Run,
    /// A design space.
    Sweep,
}

impl FileKind {
    /// All of them.
    pub const ALL: [FileKind; 6] =
        [FileKind::Arch, FileKind::Parts, FileKind::Device, FileKind::Workload, FileKind::Run, FileKind::Sweep];

    /// Name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FileKind::Arch => "arch",
            FileKind::Parts => "parts",
            FileKind::Device => "device",
            FileKind::Workload => "workload",
            FileKind::Run => "run",
            FileKind::Sweep => "sweep",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Name of such a file in messages.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            FileKind::Arch => "chip",
            FileKind::Parts => "cost table",
            FileKind::Device => "memory cell",
            FileKind::Workload => "network",
            FileKind::Run => "expanded configuration",
            FileKind::Sweep => "sweep",
        }
    }

    /// The keys by which such a file is recognised.
    pub(super) const fn own_keys(self) -> &'static [&'static str] {
        match self {
            FileKind::Arch => &[
                "clock",
                "costs",
                "array",
                "driver",
                "sampler",
                "accumulator",
                "digital",
                "tile",
                "interconnect",
                "global_buffer",
                "device",
            ],
            FileKind::Parts => &[
                "cell",
                "wordline",
                "sample_and_hold",
                "multiplexer",
                "comparator",
                "random_bit",
                "draw_latch",
                "shift_add",
                "adder",
                "post_process",
                "buffer_read",
                "buffer_write",
                "global_read",
                "global_write",
                "link",
                "base",
            ],
            FileKind::Device => {
                &["conductance_max", "reference_time", "programming", "drift_mean", "drift_sigma", "read"]
            }
            FileKind::Workload => {
                &["input", "layers", "posterior", "images", "calibration", "out_of_distribution", "activity"]
            }
            FileKind::Run => &["arch", "workload", "mapping", "schedule", "ensemble", "values"],
            FileKind::Sweep => &["axes", "conditions", "seeds", "repeats", "record", "set", "arch", "workload"],
        }
    }
}
