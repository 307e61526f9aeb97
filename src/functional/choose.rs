//! The deepest first ensembling layer and the largest eps that keep the answers of the fully sampled network.
//!
//! Both are found by running values on calibration images: first the layer, from the last one backwards, with the eps that is
//! given (none where it is to be found too); then eps at that layer, from the largest candidate downwards. The first that
//! keeps accuracy, calibration error and, where there are out-of-distribution images, the AUROC of telling them from the
//! calibration images within the stated tolerances is taken.
//!
//! Images are told apart by mutual information, the uncertainty that comes from sampling: entropy detects them without any
//! sampling too, so a tolerance on it would let sampling go.

use crate::config::{Eps, FirstLayer, Scheme, Tolerance};
use crate::error::{Error, Problem};
use crate::functional::metrics::{Scores, auroc};
use crate::functional::{FunctionalModel, FunctionalSpec, with_ranges};
use crate::mapping::{Split, first_ensembling_layer};
use crate::workload::{LoadedImages, LoadedPosterior, Net};
use serde::{Deserialize, Serialize};

/// Values of eps that are tried, largest first.
pub const CANDIDATES: [f64; 12] = [0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.02, 0.01, 0.0];

/// A scheme that was tried, and how it answers the calibration images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// Name of the first ensembling layer; none: the network's first one.
    pub first_ensembling_layer: Option<String>,
    /// Threshold of probabilistic synapses; none: every synapse is sampled.
    pub eps: Option<f64>,
    /// Synapses that a member samples.
    pub sampled_synapses: u64,
    /// Share of right predictions.
    pub accuracy: f64,
    /// Expected calibration error.
    pub ece: f64,
    /// Mean negative log-likelihood, nats.
    pub nll: f64,
    /// AUROC of telling out-of-distribution images from the calibration images by mutual information; none without such.
    #[serde(default)]
    pub auroc: Option<f64>,
    /// Whether all of these are within their tolerances.
    pub kept: bool,
}

/// Images to choose by.
#[derive(Debug, Clone, Copy)]
pub struct ChoiceImages<'a> {
    /// Calibration images, with labels.
    pub calibration: &'a LoadedImages,
    /// Images out of distribution.
    pub out_of_distribution: Option<&'a LoadedImages>,
}

/// Calibration images, and what answers them.
struct Trial<'a> {
    /// What decides values in a scheme.
    spec: &'a dyn Fn(&Scheme) -> Result<FunctionalSpec, Error>,
    net: &'a Net,
    posterior: &'a LoadedPosterior,
    images: ChoiceImages<'a>,
    labels: &'a [u32],
    threads: usize,
    tried: Vec<Tried>,
}

/// Replaces `Auto` in a scheme by what keeps the answers to `images`, and tells what was tried: the fully sampled network
/// first. `spec` says what decides values in a scheme; where they depend on when arrays are read, it simulates that. `progress` is called with the number of schemes tried.
///
/// # Errors
/// Returns [`Error::Problems`] if the calibration images have no labels, otherwise the errors of `spec` and
/// [`FunctionalModel`].
pub fn choose(
    scheme: &Scheme,
    spec: &dyn Fn(&Scheme) -> Result<FunctionalSpec, Error>,
    net: &Net,
    posterior: &LoadedPosterior,
    images: ChoiceImages<'_>,
    threads: usize,
    progress: &dyn Fn(usize),
) -> Result<(Scheme, Vec<Tried>), Error> {
    let mut scheme = scheme.clone();
    let Some(labels) = images.calibration.labels() else {
        let message = "Auto compares accuracies on the calibration images, which have no labels";
        return Err(Error::Problems(vec![Problem::new("workload.calibration.labels", message)]));
    };
    let mut trial = Trial { spec, net, posterior, images, labels, threads, tried: Vec::new() };
    trial.run(Scheme::Dense, None)?;
    progress(1);
    let Scheme::Sparse { first_ensembling_layer, eps, .. } = &scheme else { return Ok((scheme, trial.tried)) };
    let (first, threshold) = (first_ensembling_layer.clone(), *eps);
    if let FirstLayer::Auto(tolerance) = first {
        let eps = if matches!(threshold, Eps::Auto(_)) { Eps::Everything } else { threshold };
        let layers = net.layers.iter().skip(1).rev().map(|layer| FirstLayer::Layer(layer.name.clone()));
        let schemes = layers.map(|layer| with(&scheme, layer, eps)).collect();
        let found = trial.first_kept(schemes, tolerance, progress)?;
        let layer =
            found.and_then(|scheme| scheme.choices().and_then(|of| of.first_ensembling_layer.map(str::to_owned)));
        scheme = with(&scheme, layer.map_or(FirstLayer::First, FirstLayer::Layer), threshold);
    }
    if let (Eps::Auto(tolerance), Scheme::Sparse { first_ensembling_layer, .. }) = (threshold, &scheme) {
        let layer = first_ensembling_layer.clone();
        let schemes = CANDIDATES.iter().map(|&eps| with(&scheme, layer.clone(), Eps::Above(eps))).collect();
        let found = trial.first_kept(schemes, tolerance, progress)?;
        scheme = found.unwrap_or_else(|| with(&scheme, layer, Eps::Everything));
    }
    Ok((scheme, trial.tried))
}

/// The scheme with another first layer and eps.
fn with(scheme: &Scheme, layer: FirstLayer, threshold: Eps) -> Scheme {
    let mut scheme = scheme.clone();
    if let Scheme::Sparse { first_ensembling_layer, eps, .. } = &mut scheme {
        (*first_ensembling_layer, *eps) = (layer, threshold);
    }
    scheme
}

impl Trial<'_> {
    /// The first of some schemes whose answers stay within the tolerance.
    fn first_kept(
        &mut self,
        schemes: Vec<Scheme>,
        tolerance: Tolerance,
        progress: &dyn Fn(usize),
    ) -> Result<Option<Scheme>, Error> {
        for scheme in schemes {
            let kept = self.run(scheme.clone(), Some(tolerance))?;
            progress(self.tried.len());
            if kept {
                return Ok(Some(scheme));
            }
        }
        Ok(None)
    }

    /// Answers the images in a scheme, and tells whether that stays within the tolerance of the first one tried.
    fn run(&mut self, scheme: Scheme, tolerance: Option<Tolerance>) -> Result<bool, Error> {
        let problem = |problem| Error::Problems(vec![problem]);
        let first = first_ensembling_layer(&scheme, self.net).map_err(problem)?;
        let layers = self.net.layers.iter().zip(&self.posterior.layers).skip(first);
        let sampled = layers.map(|(layer, of_layer)| match scheme.eps() {
            None => layer.synapses(),
            Some(eps) => Split::new(layer.rows, layer.columns, &of_layer.p, eps).probabilistic(),
        });
        let sampled_synapses = sampled.sum();
        let spec = (self.spec)(&scheme)?;
        let spec = with_ranges(spec, self.net, self.posterior, self.images.calibration, self.threads, &|_| ())?;
        let model = FunctionalModel::new(&spec, self.net, self.posterior)?;
        let answers = |images: &LoadedImages| model.run(images, 0..images.len(), self.threads, &|_| ());
        let outputs = answers(self.images.calibration)?;
        let Scores { accuracy, ece, nll } = Scores::new(&outputs.mean_probabilities, self.labels);
        let outside = self.images.out_of_distribution.map(answers).transpose()?;
        let auroc = outside.map(|outside| auroc(&outputs.mutual_information, &outside.mutual_information));
        let kept = match (tolerance, self.tried.first()) {
            (Some(tolerance), Some(reference)) => {
                accuracy >= reference.accuracy - tolerance.accuracy
                    && ece <= reference.ece + tolerance.ece
                    && auroc.zip(reference.auroc).is_none_or(|(auroc, of)| auroc >= of - tolerance.auroc)
            }
            _ => true,
        };
        self.tried.push(Tried {
            first_ensembling_layer: scheme.choices().and_then(|of| of.first_ensembling_layer.map(str::to_owned)),
            eps: scheme.eps(),
            sampled_synapses,
            accuracy,
            ece,
            nll,
            auroc,
            kept,
        });
        Ok(kept)
    }
}
