//! The figures of an evaluation: rows, their means over deployments, as table, JSON and CSV.

use crate::compare::csv::to_csv;
use crate::config::{Config, Plane};
use crate::error::Error;
use crate::eval::scores::{Measures, OutOfDistribution, Score};
use crate::eval::{Request, Scored, Setup};
use crate::functional::{Clipping, LayerClipping, UsedStatistics};
use crate::network::{Net, NetLayer};
use crate::report::quantity::{grouped, percent};
use crate::report::table::aligned;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Changes whenever a key of the JSON or its meaning does.
pub const SCHEMA_VERSION: u32 = 1;

/// Figures of one condition and number of members. Its fields are the keys of its JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Age of the memory cells, seconds.
    pub drift_s: f64,
    /// How drift is made up for.
    pub compensation: &'static str,
    /// Number of the deployment, from 0 on.
    pub deployment: u32,
    /// Its seed.
    pub seed: u64,
    /// Members of the ensemble.
    pub members: u32,
    /// Number of images.
    pub images: usize,
    /// Measures of the answers.
    #[serde(flatten)]
    pub measures: Measures,
    /// Largest share of conversions of a plane of a layer that clipped.
    pub clipped_share: f64,
    /// Conversions of each plane of each layer that converters read.
    pub converters: Vec<Converters>,
    /// With logits divided by a fitted temperature, where one was asked for.
    pub scaled: Option<Scaled>,
    /// Detection of out-of-distribution images, where there are any.
    pub ood: Option<OutOfDistribution>,
}

/// The conversions of a plane of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Converters {
    /// The layer's name.
    pub layer: String,
    /// The plane.
    pub plane: Plane,
    /// Conversions, and those that clipped.
    #[serde(flatten)]
    pub clipping: Clipping,
    /// Share of conversions that clipped.
    pub clipped_share: f64,
}

impl Converters {
    /// Those of each plane with conversions.
    fn of_layers(net: &Net, clipping: &[LayerClipping]) -> Vec<Self> {
        let layers = net.layers.iter().zip(clipping);
        let of_layer = |(layer, planes): (&NetLayer, &LayerClipping)| {
            let planes = Plane::ALL.iter().zip(*planes).filter(|(_, clipping)| clipping.conversions > 0);
            let name = layer.name.clone();
            planes.map(move |(&plane, clipping)| Self {
                layer: name.clone(),
                plane,
                clipping,
                clipped_share: clipping.share(),
            })
        };
        layers.flat_map(of_layer).collect()
    }
}

/// Measures with a fitted temperature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scaled {
    /// The temperature.
    pub temperature: f64,
    /// Measures of the answers.
    #[serde(flatten)]
    pub measures: Measures,
}

/// Mean and standard deviation (of a sample) over deployments.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub std: f64,
}

impl Spread {
    /// Of some values; none without any.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (!values.is_empty()).then(|| Self { mean, std: libm::sqrt(squares / (n - 1.0)) })
    }
}

/// Figures over deployments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// As in a row.
    pub drift_s: f64,
    pub compensation: &'static str,
    pub members: u32,
    /// Number of deployments.
    pub deployments: usize,
    /// By the key of the figure; figures that there are none of are left out.
    pub figures: BTreeMap<&'static str, Spread>,
}

/// Figures that are summarised.
type Figure = (&'static str, fn(&Row) -> Option<f64>);

const FIGURES: [Figure; 10] = [
    ("accuracy", |row| row.measures.accuracy),
    ("ece", |row| row.measures.ece),
    ("nll", |row| row.measures.nll),
    ("brier", |row| row.measures.brier),
    ("entropy", |row| Some(row.measures.entropy)),
    ("aleatoric", |row| Some(row.measures.aleatoric)),
    ("mutual_information", |row| Some(row.measures.mutual_information)),
    ("auroc", |row| Some(row.ood?.entropy.auroc)),
    ("aupr", |row| Some(row.ood?.entropy.aupr)),
    ("fpr95", |row| Some(row.ood?.entropy.fpr95)),
];

/// An evaluation. Its fields are the keys of its JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What the figures mean.
    pub definitions: BTreeMap<&'static str, &'static str>,
    /// Name of the network.
    pub workload: String,
    /// Name of the chip.
    pub arch: String,
    /// Kind of memory cells.
    pub device: String,
    /// Name of the scheme's preset.
    pub scheme: &'static str,
    /// First layer that runs once a member; none: the network's first, or no layer.
    pub first_ensembling_layer: Option<String>,
    /// Threshold of sampled synapses; none: all are, or none is.
    pub eps: Option<f64>,
    /// The batch-norm statistics of each layer, where none were estimated anew.
    pub statistics: Vec<UsedStatistics>,
    /// Sets of statistics that are of other members' weights, and not used.
    pub statistics_of_others: Vec<String>,
    /// A row for each age, compensation, deployment and number of members.
    pub rows: Vec<Row>,
    /// The same over deployments, where there are several.
    pub summary: Vec<Summary>,
}

impl Table {
    pub(super) fn new(
        config: &Config,
        request: &Request,
        setup: &Setup,
        scored: &[Scored],
        statistics: (Vec<UsedStatistics>, Vec<String>),
    ) -> Self {
        let chip = config.arch.device.compensation;
        let most = config.members() as usize;
        let mut rows = Vec::new();
        for (condition, scored) in setup.conditions.iter().zip(scored) {
            for (index, &members) in setup.members.iter().enumerate() {
                let at = |set: usize, place: usize| -> Vec<Score> {
                    scored.sets[set].iter().map(|of_image| of_image[place]).collect()
                };
                let labels = setup.sets[0].images.labels();
                let place = members as usize - 1;
                let within = at(0, place);
                let scaled = |temperature: &f64| Scaled {
                    temperature: *temperature,
                    measures: Measures::new(&at(0, most + index), labels),
                };
                rows.push(Row {
                    drift_s: condition.age.seconds(),
                    compensation: condition.remedy.name(chip),
                    deployment: condition.deployment,
                    seed: config.seed.wrapping_add(u64::from(condition.deployment)),
                    members,
                    images: within.len(),
                    measures: Measures::new(&within, labels),
                    clipped_share: scored.clipping.as_flattened().iter().map(Clipping::share).fold(0.0, f64::max),
                    converters: Converters::of_layers(&setup.net, &scored.clipping),
                    scaled: scored.temperatures.get(index).map(scaled),
                    ood: (setup.sets.len() > 1).then(|| OutOfDistribution::new(&within, &at(1, place))),
                });
            }
        }
        let summary = if request.deployments > 1 { summary(&rows) } else { Vec::new() };
        let choices = config.mapping.scheme.choices();
        let definitions = [
            ("ece", "15 equal bins of the confidence, closed on the right"),
            ("brier", "summed over classes, mean over images"),
            (
                "entropy, aleatoric, mutual_information",
                "means over images, nats; aleatoric: mean entropy of the members",
            ),
            ("members", "the first of those that ran"),
            (
                "clipped_share, converters",
                "conversions for the images, by all members that ran; clipped_share: largest",
            ),
            ("ood", "out of distribution is positive; auroc, aupr (average precision) and fpr95 by entropy"),
            ("ood.fpr95", "share of out-of-distribution images accepted where 95% of the others are"),
            ("scaled", "logits divided by the temperature with the least nll on the calibration images"),
            ("summary", "mean and standard deviation of a sample, over deployments"),
        ];
        Self {
            schema_version: SCHEMA_VERSION,
            definitions: definitions.into(),
            workload: config.workload.name.clone(),
            arch: config.arch.name.clone(),
            device: config.arch.device.model.name.clone(),
            scheme: config.mapping.scheme.name(),
            first_ensembling_layer: choices
                .as_ref()
                .and_then(|choices| choices.first_ensembling_layer.map(str::to_owned)),
            eps: choices.and_then(|choices| choices.eps),
            statistics: statistics.0,
            statistics_of_others: statistics.1,
            rows,
            summary,
        }
    }

    /// Indented JSON with full-precision numbers, ending in a line break.
    ///
    /// # Panics
    /// Never: every value can be written as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("an evaluation is JSON") + "\n"
    }

    /// The rows as CSV, columns named by the keys of the JSON; missing values are empty.
    ///
    /// # Errors
    /// Returns [`Error::Internal`] if the writer refuses.
    pub fn to_csv(&self) -> Result<Vec<u8>, Error> {
        let columns: Vec<String> = COLUMNS.iter().map(|column| (*column).to_owned()).collect();
        to_csv(&columns, &self.rows)
    }
}

const COLUMNS: [&str; 26] = [
    "drift_s",
    "compensation",
    "deployment",
    "seed",
    "members",
    "images",
    "accuracy",
    "ece",
    "nll",
    "brier",
    "entropy",
    "aleatoric",
    "mutual_information",
    "clipped_share",
    "scaled.temperature",
    "scaled.accuracy",
    "scaled.ece",
    "scaled.nll",
    "scaled.brier",
    "ood.images",
    "ood.auroc",
    "ood.aupr",
    "ood.fpr95",
    "ood.mutual_information.auroc",
    "ood.mutual_information.aupr",
    "ood.mutual_information.fpr95",
];

fn summary(rows: &[Row]) -> Vec<Summary> {
    let key = |row: &Row| (row.drift_s.to_bits(), row.compensation, row.members);
    let mut keys = Vec::new();
    rows.iter().map(key).for_each(|key| {
        if !keys.contains(&key) {
            keys.push(key);
        }
    });
    let of_key = |of_key: &(u64, &'static str, u32)| {
        let rows: Vec<&Row> = rows.iter().filter(|row| key(row) == *of_key).collect();
        let spread = |(name, figure): &Figure| {
            let values: Vec<f64> = rows.iter().filter_map(|row| figure(row)).collect();
            Spread::of(&values).map(|spread| (*name, spread))
        };
        Summary {
            drift_s: f64::from_bits(of_key.0),
            compensation: of_key.1,
            members: of_key.2,
            deployments: rows.len(),
            figures: FIGURES.iter().filter_map(spread).collect(),
        }
    };
    keys.iter().map(of_key).collect()
}

/// An age as people say it.
pub(super) fn age(seconds: f64) -> String {
    let units = [(31_536_000.0, "year"), (86_400.0, "day"), (3_600.0, "h"), (60.0, "min")];
    let unit = units.into_iter().find(|(length, _)| seconds >= *length && seconds % length == 0.0);
    let (length, name) = unit.unwrap_or((1.0, "s"));
    let number = seconds / length;
    let plural = if number > 1.0 && ["year", "day"].contains(&name) { "s" } else { "" };
    format!("{number} {name}{plural}")
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, outside) = (self.rows.first(), self.rows.iter().find_map(|row| row.ood));
        let scaled = self.rows.iter().any(|row| row.scaled.is_some());
        let images = first.map_or(0, |row| row.images);
        let from = self.first_ensembling_layer.as_ref().map_or(String::new(), |layer| format!(" from {layer} on"));
        let eps = self.eps.map_or(String::new(), |eps| format!(", eps {eps}"));
        write!(f, "{} on {}, {} cells, scheme {}{from}{eps}: ", self.workload, self.arch, self.device, self.scheme)?;
        write!(f, "{} images", grouped(images as u64))?;
        if let Some(outside) = outside {
            write!(f, ", {} out of distribution", grouped(outside.images as u64))?;
        }
        writeln!(f, "\n")?;
        let several = !self.summary.is_empty();
        let mut head = vec!["drift", "compensation"];
        head.extend(several.then_some("seed"));
        head.extend(["T", "accuracy", "ECE", "NLL", "Brier", "entropy", "mutual inf."]);
        let clips = self.rows.iter().any(|row| row.clipped_share > 0.0);
        head.extend(clips.then_some("clipped"));
        if scaled {
            head.extend(["temperature", "scaled ECE", "scaled NLL"]);
        }
        if outside.is_some() {
            head.extend(["AUROC", "AUPR", "FPR95", "AUROC (MI)"]);
        }
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
        let share = |value: Option<f64>| value.map_or("-".to_owned(), percent);
        let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
        rows.extend(self.rows.iter().map(|row| {
            let of = row.measures;
            let mut cells = vec![age(row.drift_s), row.compensation.to_owned()];
            cells.extend(several.then(|| row.seed.to_string()));
            cells.extend([row.members.to_string(), share(of.accuracy), number(of.ece), number(of.nll)]);
            cells.extend([of.brier, Some(of.entropy), Some(of.mutual_information)].map(number));
            cells.extend(clips.then(|| percent(row.clipped_share)));
            if let Some(scaled) = row.scaled {
                cells.extend([Some(scaled.temperature), scaled.measures.ece, scaled.measures.nll].map(number));
            }
            if let Some(ood) = row.ood {
                let of = ood.entropy;
                cells.extend([of.auroc, of.aupr, of.fpr95, ood.mutual_information.auroc].map(|of| number(Some(of))));
            }
            cells
        }));
        write!(f, "{}", aligned(&rows))?;
        if several {
            writeln!(f, "\nmean and standard deviation over deployments\n")?;
            let mut rows = vec![["drift", "compensation", "T", "n"].map(str::to_owned).to_vec()];
            let first = self.summary.first();
            rows[0].extend(first.into_iter().flat_map(|first| first.figures.keys()).map(|name| (*name).to_owned()));
            rows.extend(self.summary.iter().map(|of| {
                let mut cells = vec![age(of.drift_s), of.compensation.to_owned()];
                cells.extend([of.members.to_string(), of.deployments.to_string()]);
                cells.extend(of.figures.values().map(|spread| format!("{:.4} +- {:.4}", spread.mean, spread.std)));
                cells
            }));
            write!(f, "{}", aligned(&rows))?;
        }
        writeln!(
            f,
            "\nECE: 15 bins, closed on the right. Entropies in nats. T: members, the first of those that ran."
        )?;
        let inexact: Vec<&str> = self.statistics.iter().filter(|of| !of.exact).map(|of| of.layer.as_str()).collect();
        if !inexact.is_empty() {
            let layers = inexact.join(", ");
            writeln!(
                f,
                "Batch-norm statistics are the nearest that the posterior has, not those of this scheme, in {layers}."
            )?;
        }
        if clips {
            writeln!(
                f,
                "clipped: conversions beyond the range, in the plane of a layer that clips most; all members."
            )?;
        }
        if outside.is_some() {
            writeln!(f, "AUROC, AUPR, FPR95: out of distribution is positive, by entropy; MI: by mutual information.")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn ages_are_in_the_largest_unit_that_fits() {
        let ages = [0.0, 20.0, 90.0, 3_600.0, 86_400.0, 2_592_000.0, 31_536_000.0, 315_360_000.0].map(age);
        assert_eq!(ages, ["0 s", "20 s", "90 s", "1 h", "1 day", "30 days", "1 year", "10 years"]);
    }
}
