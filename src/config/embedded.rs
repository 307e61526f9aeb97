//! Chips, cost tables, networks and sweeps that are built into the program.

/// A built-in file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// Its path in the repository, with `/`.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! embed {
    ($($path:literal),* $(,)?) => {
        &[$(Embedded { path: $path, text: include_str!(concat!("../../", $path)) }),*]
    };
}

/// All of them, by path.
pub const FILES: &[Embedded] = embed![
    "arch/devices/hermes.ron",
    "arch/devices/ideal.ron",
    "arch/devices/pcm_joshi.ron",
    "arch/ideal_periphery.ron",
    "arch/parts/equal_mac.ron",
    "arch/parts/ideal_periphery.ron",
    "arch/parts/neurosim_22nm.ron",
    "arch/parts/survey_22nm.ron",
    "arch/pcm_128.ron",
    "arch/pcm_128_narrow.ron",
    "arch/pcm_128_rowserial.ron",
    "arch/pcm_256.ron",
    "arch/toy_2x2.ron",
    "sweeps/digits_adc.ron",
    "sweeps/digits_search.ron",
    "sweeps/vgg_timing.ron",
    "workloads/digits.ron",
    "workloads/toy_two_layers.ron",
    "workloads/vgg_binaryconnect.ron",
];

/// Data files of the built-in networks, by their path in the repository.
const DATA: &[(&str, &[u8])] = &[
    ("workloads/digits/calibration.safetensors", include_bytes!("../../workloads/digits/calibration.safetensors")),
    (
        "workloads/digits/out_of_distribution.safetensors",
        include_bytes!("../../workloads/digits/out_of_distribution.safetensors"),
    ),
    ("workloads/digits/posterior.safetensors", include_bytes!("../../workloads/digits/posterior.safetensors")),
    ("workloads/digits/test.safetensors", include_bytes!("../../workloads/digits/test.safetensors")),
];

/// The built-in data file at that path of the repository.
#[must_use]
pub fn data(path: &str) -> Option<&'static [u8]> {
    DATA.iter().find(|(name, _)| *name == path).map(|(_, bytes)| *bytes)
}

/// Chips.
pub const ARCH: &str = "arch";
/// Cost tables.
pub const PARTS: &str = "arch/parts";
/// Kinds of memory cells.
pub const DEVICES: &str = "arch/devices";
/// Networks.
pub const WORKLOADS: &str = "workloads";

/// Design spaces.
pub const SWEEPS: &str = "sweeps";

/// The chip of a run that names none.
pub const DEFAULT_ARCH: &str = "arch/pcm_128.ron";
/// The network of a run that names none.
pub const DEFAULT_WORKLOAD: &str = "workloads/digits.ron";

/// The file at that path of the repository.
#[must_use]
pub fn at(path: &str) -> Option<Embedded> {
    FILES.iter().copied().find(|file| file.path == path)
}

/// The file of a folder called `name`, with or without `.ron`.
#[must_use]
pub fn named(folder: &str, name: &str) -> Option<Embedded> {
    let stem = name.strip_suffix(".ron").unwrap_or(name);
    at(&format!("{folder}/{stem}.ron"))
}

/// Names of a folder's files, without `.ron`.
pub fn names(folder: &str) -> impl Iterator<Item = &'static str> {
    FILES.iter().filter_map(move |file| {
        let (parent, name) = file.path.rsplit_once('/')?;
        if parent == folder { name.strip_suffix(".ron") } else { None }
    })
}
