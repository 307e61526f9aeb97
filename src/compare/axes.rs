//! What is compared: lists of schemes, schedules and members, and their cross product.

use crate::config::{Config, Eps, FirstLayer, Mode, Packing, Record, Scheme};
use crate::error::{Error, nearest};
use crate::network::resolve;

/// A preset of a scheme, see [`Scheme::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Every synapse is sampled, every layer runs for each member.
    Dense,
    /// Layers from the first ensembling layer on are sampled.
    Ls,
    /// In all layers the probabilistic synapses are sampled.
    Rs,
    /// In layers from the first ensembling layer on the probabilistic synapses are sampled.
    LsRs,
    /// The mode network.
    Deterministic,
}

/// A packing without its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackingName {
    /// [`Packing::Full`].
    Full,
    /// [`Packing::Rows`].
    Rows,
    /// [`Packing::Lists`], sorted.
    Lists,
}

impl PackingName {
    fn packing(self) -> Packing {
        match self {
            PackingName::Full => Packing::Full,
            PackingName::Rows => Packing::Rows,
            PackingName::Lists => Packing::Lists { sorted: true },
        }
    }
}

/// Lists whose cross product is compared. An empty list stands for what the configuration has.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axes {
    /// Presets; none: all but the mode network.
    pub presets: Vec<Preset>,
    /// First ensembling layers of `ls` and `ls+rs`; none: [`default_first_layer`].
    pub first_ensembling_layers: Vec<String>,
    /// Thresholds of `rs` and `ls+rs`; none: 0.05.
    pub eps: Vec<f64>,
    /// Packings of `rs` and `ls+rs`; none: full.
    pub packings: Vec<PackingName>,
    /// Whether `rs` and `ls+rs` keep the deterministic part of the first ensembling layer.
    pub keep_deterministic_part: bool,
    /// Schedules.
    pub schedules: Vec<Mode>,
    /// Numbers of members.
    pub members: Vec<u32>,
}

/// The first ensembling layer where none is given: that of [`FirstLayer::FirstLinear`].
#[must_use]
pub fn default_first_layer(config: &Config) -> Option<String> {
    let net = resolve(&config.workload).ok()?;
    Some(net.layers[net.first_linear()].name.clone())
}

impl Axes {
    /// The schemes, each once.
    fn schemes(&self, config: &Config) -> Vec<Scheme> {
        let all = [Preset::Dense, Preset::Ls, Preset::Rs, Preset::LsRs];
        let presets = if self.presets.is_empty() { &all[..] } else { &self.presets };
        let names: Vec<String> = if self.first_ensembling_layers.is_empty() {
            default_first_layer(config).into_iter().collect()
        } else {
            self.first_ensembling_layers.clone()
        };
        let layers: Vec<FirstLayer> = names.into_iter().map(FirstLayer::Layer).collect();
        let eps: Vec<Eps> =
            if self.eps.is_empty() { &[0.05] } else { &self.eps[..] }.iter().copied().map(Eps::Above).collect();
        let packings = if self.packings.is_empty() { &[PackingName::Full] } else { &self.packings[..] };
        let sparse = |layers: &[FirstLayer], eps: &[Eps], packings: &[PackingName]| {
            let mut schemes = Vec::new();
            for layer in layers {
                for &eps in eps {
                    schemes.extend(packings.iter().map(|packing| Scheme::Sparse {
                        first_ensembling_layer: layer.clone(),
                        eps,
                        packing: packing.packing(),
                        keep_deterministic_part: self.keep_deterministic_part && eps != Eps::Everything,
                        skip_zero_rows: false,
                    }));
                }
            }
            schemes
        };
        let mut schemes: Vec<Scheme> = Vec::new();
        for preset in presets {
            let more = match preset {
                Preset::Dense => vec![Scheme::Dense],
                Preset::Deterministic => vec![Scheme::Deterministic],
                Preset::Ls => sparse(&layers, &[Eps::Everything], &[PackingName::Full]),
                Preset::Rs => sparse(&[FirstLayer::First], &eps, packings),
                Preset::LsRs => sparse(&layers, &eps, packings),
            };
            for scheme in more {
                if !schemes.contains(&scheme) {
                    schemes.push(scheme);
                }
            }
        }
        schemes
    }

    /// The cross product on one chip: numbers of members, schedules and, innermost, schemes. The mode network has no members
    /// and comes once a schedule.
    ///
    /// # Errors
    /// Returns [`Error::Config`] for a first ensembling layer that is no layer of the network.
    pub fn expand(&self, config: &Config) -> Result<Vec<Config>, Error> {
        let names = || config.workload.layers.iter().map(|layer| layer.name.as_str());
        if let Some(name) = self.first_ensembling_layers.iter().find(|name| !names().any(|layer| layer == **name)) {
            let near = nearest(name, names()).map(|near| format!("\nhelp: did you mean {near}?")).unwrap_or_default();
            return Err(Error::Config(format!("first ensembling layer \"{name}\" is no layer of the network{near}")));
        }
        let members = if self.members.is_empty() { vec![config.ensemble.members] } else { self.members.clone() };
        let schedules = if self.schedules.is_empty() { vec![config.schedule.mode] } else { self.schedules.clone() };
        let schemes = self.schemes(config);
        let mut configs: Vec<Config> = Vec::new();
        for &members in &members {
            for &mode in &schedules {
                for scheme in &schemes {
                    let mut row = config.clone();
                    if *scheme != Scheme::Deterministic {
                        row.ensemble.members = members;
                    }
                    row.schedule.mode = mode;
                    row.mapping.scheme = scheme.clone();
                    // Nobody reads them.
                    row.values.record = Record::Nothing;
                    if !configs.contains(&row) {
                        configs.push(row);
                    }
                }
            }
        }
        Ok(configs)
    }
}
