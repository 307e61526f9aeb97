//! Answers to whole data sets: values only, no timing.
//!
//! ```text
//! data sets -> images in batches -> model of a condition -> scores of an image -> journal
//!                                                               `-> measures -> rows -> table, pictures
//! ```
//! A condition is a deployment (a seed: other cells, other members), an age of the memory cells and a compensation of
//! their drift. Of an image only [`Score`]s are kept, those of the first 1, 2, .. T members, so that memory does not grow with
//! classes. They go to the journal as they come, so that an evaluation that is killed goes on from there.

mod journal;
mod parquet;
mod picture;
pub mod scores;
pub mod table;
pub mod temperature;

pub use picture::pictures;
pub use scores::{Measures, OutOfDistribution, Score};
pub use table::{Row, Scaled, Spread, Summary, Table};

use crate::config::{Base, Config, Posterior, Scheme, ranges_without_images};
use crate::device::{Compensation, Reference};
use crate::error::{Error, Problem};
use crate::functional::{Clipping, FunctionalModel, FunctionalSpec, LayerClipping, ReadTimes, with_ranges};
use crate::network::Net;
use crate::random::{Purpose, StreamName};
use crate::report::content_hash;
use crate::run::{ImageSet, ImageSets, Progress, RunPhase, load_posterior, timed_spec};
use crate::simulate::network;
use crate::units::Age;
use crate::workload::datasets::{Normalisation, Reader};
use crate::workload::{LoadedImages, LoadedPosterior};
use journal::{Journal, Place};
use scores::NUMBERS;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Images that each thread answers between two writes of the journal.
const BATCH: usize = 16;
/// Models that are in memory at the same time.
const TOGETHER: usize = 8;
/// Name of the journal in the folder of an evaluation.
pub const JOURNAL: &str = "eval.journal";

/// How drift is made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// As the chip does.
    Chip,
    /// As stated.
    Set(Compensation),
    /// Not at all, but batch-norm statistics are estimated anew on the calibration images: for all members together, or for
    /// each by itself.
    Statistics {
        /// Whether each member has its own.
        per_member: bool,
    },
}

impl Remedy {
    /// All that can be named, with their names.
    pub const NAMED: [(&'static str, Remedy); 7] = [
        ("off", Remedy::Set(Compensation::Off)),
        ("arrays", Remedy::Set(Compensation::Arrays { reference: Reference::Noisy })),
        ("arrays-ideal", Remedy::Set(Compensation::Arrays { reference: Reference::Ideal })),
        ("logits", Remedy::Set(Compensation::Logits { reference: Reference::Noisy })),
        ("logits-ideal", Remedy::Set(Compensation::Logits { reference: Reference::Ideal })),
        ("statistics", Remedy::Statistics { per_member: false }),
        ("statistics-of-members", Remedy::Statistics { per_member: true }),
    ];

    fn name(self, chip: Compensation) -> &'static str {
        let this = if self == Remedy::Chip { Remedy::Set(chip) } else { self };
        Self::NAMED.iter().find(|(_, remedy)| *remedy == this).map_or("chip", |(name, _)| name)
    }
}

/// A data set: its file, and that of its labels where they lie apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its images.
    pub path: PathBuf,
    /// Its labels, if they are in another file.
    pub labels: Option<PathBuf>,
}

/// What is to be evaluated.
#[derive(Debug, Clone)]
pub struct Request {
    /// Chip, network, scheme, samples and master seed; the rest does not matter.
    pub config: Config,
    /// Where the paths of the network start.
    pub base: Base,
    /// The data set; none: the images that the network names.
    pub data: Option<Source>,
    /// Images of another kind; none: those that the network names, if it does.
    pub ood: Option<PathBuf>,
    /// How pixels were normalised in training, if they were.
    pub normalisation: Option<Normalisation>,
    /// Most images of each set.
    pub limit: Option<usize>,
    /// Whether images are taken in random order (of the master seed).
    pub shuffle: bool,
    /// Numbers of members that are reported, at least one: the first of the largest number that runs. Empty: those of the
    /// configuration.
    pub members: Vec<u32>,
    /// Ages of the memory cells; empty: that of the chip.
    pub drift: Vec<Age>,
    /// Compensations; empty: that of the chip.
    pub compensation: Vec<Remedy>,
    /// Number of seeds, from the master seed on.
    pub deployments: u32,
    /// Whether a temperature is fitted on the calibration images.
    pub temperature: bool,
}

/// One age, compensation and seed.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Condition {
    age: Age,
    remedy: Remedy,
    deployment: u32,
}

/// A set of images as it is answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) images: LoadedImages,
    /// Where each image was in its file.
    pub(crate) order: Vec<usize>,
}

/// Scores of one condition.
#[derive(Debug)]
pub(crate) struct Scored {
    pub(crate) temperatures: Vec<f64>,
    /// Conversions of each layer for the first set, all members that ran together.
    pub(crate) clipping: Vec<LayerClipping>,
    /// Of each set, image by image: the scores of 1 to T members, then with temperatures those of the numbers asked for.
    pub(crate) sets: Vec<Vec<Vec<Score>>>,
}

/// An evaluation that is done.
#[derive(Debug)]
pub struct Evaluated {
    /// Its figures.
    pub table: Table,
    /// In and out of distribution.
    sets: Vec<Answered>,
    scored: Vec<Scored>,
    members: Vec<u32>,
    classes: usize,
}

/// What images are answered by.
struct Setup {
    net: Net,
    posterior: LoadedPosterior,
    posterior_hash: Option<String>,
    sets: Vec<Answered>,
    calibration: Option<LoadedImages>,
    members: Vec<u32>,
    conditions: Vec<Condition>,
    /// When arrays are read, where values depend on it: the same in all conditions.
    times: Option<Arc<ReadTimes>>,
}

fn problem(path: &str, message: &str) -> Error {
    Error::Problems(vec![Problem::new(path, message)])
}

/// Reads what a request names, and refuses what cannot be evaluated.
fn set_up(request: &Request) -> Result<(Config, Setup), Error> {
    let mut config = request.config.clone();
    let net = network(&config).map_err(Error::Problems)?;
    config.mapping.scheme.name_first_layer(&net);
    if config.mapping.scheme.is_auto() {
        let message = "Auto is found by a run, whose report tells what it stands for; expected a layer and an eps";
        return Err(problem("mapping.scheme", message));
    }
    let (posterior, posterior_hash) = load_posterior(&config.workload, &net, &request.base)?;
    let Some(posterior) = posterior else {
        return Err(problem("workload.posterior", "the network has no posterior; expected File(..) or Synthetic(..)"));
    };
    let mut members = request.members.clone();
    if members.is_empty() {
        members.push(config.members());
    }
    members.sort_unstable();
    members.dedup();
    let most = members.last().copied().unwrap_or(1);
    if config.mapping.scheme == Scheme::Deterministic && most > 1 {
        return Err(problem("mapping.scheme", &format!("{most} members are asked for; the mode network has one")));
    }
    config.ensemble.members = most;
    let aged = !request.drift.is_empty() || !request.compensation.is_empty();
    if aged && config.arch.device.has_ideal_cells() {
        let message = "the memory cells are ideal and do not drift, so neither ages nor compensations differ";
        let hint = "name cells that do, such as --set arch.device.model=pcm_joshi";
        return Err(Error::Problems(vec![Problem::new("arch.device.model", message).hint(hint)]));
    }
    if request.normalisation.is_some() && request.data.is_none() && request.ood.is_none() {
        let message = "a normalisation is given, and the network's own images are codes of its input, not pixels";
        return Err(problem("workload.images", message));
    }
    let named = ImageSets::default();
    let of_workload = |set: &ImageSet| -> Result<Option<LoadedImages>, Error> {
        Ok(set.load(&config.workload, &net, &request.base)?.as_deref().cloned())
    };
    let spec = FunctionalSpec::of(&config);
    let key = spec.statistics_key(&net)?;
    let reader = Reader {
        input: &config.workload.input,
        net: &net,
        scale: posterior.input_scale(0, &key, &spec.read_by()),
        normalisation: request.normalisation.as_ref(),
    };
    let data = match &request.data {
        Some(source) => Some(reader.read(&source.path, source.labels.as_deref(), true)?),
        None => of_workload(&named.images)?,
    };
    let Some(data) = data else {
        return Err(problem("workload.images", "the network names no images; expected --data with a data set"));
    };
    let outside = match &request.ood {
        Some(path) => Some(reader.read(path, None, false)?),
        None => of_workload(&named.out_of_distribution)?,
    };
    if outside.as_ref().is_some_and(|outside| outside.hash() == data.hash()) {
        let message = "holds the same images as the first set; expected images of another kind".to_owned();
        return Err(match &request.ood {
            Some(path) => Error::Input { path: path.clone(), message },
            None => problem("workload.out_of_distribution.path", &message),
        });
    }
    let sets = std::iter::once(data).chain(outside);
    let remedies = listed(&request.compensation, Remedy::Chip);
    let anew = remedies.iter().any(|remedy| matches!(remedy, Remedy::Statistics { .. }));
    let mut calibration = None;
    let calibrated = spec.percentiles() != [None; 2];
    if let Some(problem) = ranges_without_images(&config) {
        return Err(Error::Problems(vec![problem]));
    }
    if request.temperature || anew || calibrated {
        calibration = of_workload(&named.calibration)?;
        if calibration.is_none() {
            let what = if request.temperature { "a temperature is fitted" } else { "statistics are estimated" };
            let message = format!("{what} on the network's calibration images, and it has none");
            return Err(problem("workload.calibration", &message));
        }
    }
    if let Some(calibration) = calibration.as_ref().filter(|_| request.temperature)
        && calibration.labels().is_none()
    {
        return Err(problem("workload.calibration.labels", "a temperature is fitted to labels, and there are none"));
    }
    let ages = listed(&request.drift, config.arch.device.age);
    let conditions = ages.iter().flat_map(|&age| {
        let of_age = remedies.iter().flat_map(move |&remedy| {
            (0..request.deployments).map(move |deployment| Condition { age, remedy, deployment })
        });
        of_age.collect::<Vec<_>>()
    });
    let conditions = conditions.collect();
    let answered = |(set, images): (usize, LoadedImages)| {
        let order = order(images.len(), request, config.seed, set as u32);
        Answered { images: images.select(&order), order }
    };
    let sets = sets.enumerate().map(answered).collect();
    let times = timed_spec(&config, &posterior)?.times;
    Ok((config, Setup { net, posterior, posterior_hash, sets, calibration, members, conditions, times }))
}

/// What is listed, each once; without a list, what there is otherwise.
fn listed<T: Copy + PartialEq>(list: &[T], otherwise: T) -> Vec<T> {
    let mut listed = if list.is_empty() { vec![otherwise] } else { Vec::new() };
    for &of in list {
        if !listed.contains(&of) {
            listed.push(of);
        }
    }
    listed
}

/// Which images are answered, in which order.
fn order(count: usize, request: &Request, seed: u64, set: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    if request.shuffle {
        let mut stream = StreamName { array: set, ..StreamName::new(Purpose::ImageOrder) }.open(seed);
        // Fisher and Yates; the remainder of 64 bits by a number of images is as good as uniform.
        for last in (1..count).rev() {
            order.swap(last, (stream.bits() % (last as u64 + 1)) as usize);
        }
    }
    order.truncate(request.limit.unwrap_or(count));
    order
}

/// Hash of all that the scores depend on.
fn key(config: &Config, request: &Request, setup: &Setup) -> String {
    let mut config = config.clone();
    config.workload.images = None;
    config.workload.out_of_distribution = None;
    if let (Posterior::File { path, .. }, Some(hash)) = (&mut config.workload.posterior, &setup.posterior_hash) {
        *path = hash.clone();
    }
    if let Some(calibration) = &mut config.workload.calibration {
        calibration.path = String::new();
    }
    let images = |images: &LoadedImages| (images.hash(), images.labels().map(<[u32]>::to_vec));
    let data: Vec<_> = setup.sets.iter().map(|set| &set.images).chain(&setup.calibration).map(images).collect();
    let conditions = format!("{:?}", setup.conditions);
    content_hash(&(env!("CARGO_PKG_VERSION"), &config, data, conditions, &setup.members, request.temperature))
}

/// Evaluates with `threads` threads; results do not depend on their number. With a folder the scores of images go to the
/// journal in it, and those that an earlier evaluation of the same left there are taken from it; `anew` overwrites the journal
/// of another. `found` is called with the number of images that it holds.
///
/// # Errors
/// Returns [`Error::Problems`] for what cannot be evaluated, [`Error::Input`] for files of images and posterior, and the
/// errors of the journal.
pub fn evaluate(
    request: &Request,
    folder: Option<&Path>,
    anew: bool,
    threads: usize,
    found: &dyn Fn(u64),
    progress: Progress<'_>,
) -> Result<Evaluated, Error> {
    let (config, setup) = set_up(request)?;
    let most = config.members() as usize;
    let scaled = if request.temperature { setup.members.len() } else { 0 };
    let of_scores = (most + scaled) * NUMBERS;
    let numbers = of_scores + setup.net.layers.len() * COUNTS;
    let (mut journal, mut known) = match folder {
        Some(folder) => {
            let path = folder.join(JOURNAL);
            let (journal, known) = Journal::open(&path, &key(&config, request, &setup), numbers, anew)?;
            (Some(journal), known)
        }
        None => (None, BTreeMap::new()),
    };
    let sizes: Vec<usize> = setup.sets.iter().map(|set| set.images.len()).collect();
    let total = (sizes.iter().sum::<usize>() * setup.conditions.len()) as u64;
    let mut done = known.keys().filter(|place| place[1] != TEMPERATURES).count() as u64;
    if done > 0 {
        found(done);
    }
    let mut scored: Vec<Option<Scored>> = (0..setup.conditions.len()).map(|_| None).collect();
    for family in setup.families(&config) {
        let at = |condition: usize, set: usize, image: usize| -> Place { [condition as u32, set as u32, image as u32] };
        let temperatures_of = |condition: usize| at(condition, TEMPERATURES as usize, 0);
        let lacks = |known: &BTreeMap<Place, Vec<f64>>, set, image| {
            family.iter().any(|&condition| !known.contains_key(&at(condition, set, image)))
        };
        let missing =
            sizes.iter().enumerate().map(|(set, &size)| (0..size).filter(|&image| lacks(&known, set, image)).collect());
        let missing: Vec<Vec<usize>> = missing.collect();
        let unfitted = scaled > 0 && family.iter().any(|&of| !known.contains_key(&temperatures_of(of)));
        if unfitted || missing.iter().any(|missing| !missing.is_empty()) {
            let models = setup.models(&config, &family, threads, progress)?;
            for (&of, model) in family.iter().zip(&models) {
                let place = temperatures_of(of);
                if scaled > 0 && !known.contains_key(&place) {
                    let fitted = [(place, setup.temperatures(model, threads)?)];
                    journal.as_mut().map_or(Ok(()), |journal| journal.add(&fitted))?;
                    known.extend(fitted);
                }
            }
            let (first, others) = models.split_first().expect("a family has a member");
            let others: Vec<&FunctionalModel> = others.iter().collect();
            let classes = first.classes();
            for (set, missing) in missing.iter().enumerate() {
                let images = &setup.sets[set].images;
                for batch in batches(missing, BATCH * threads) {
                    let tell = |more: usize| progress(RunPhase::Values, done + (more * family.len()) as u64, total);
                    let of_models = first.run_together(&others, images, batch.clone(), threads, &tell)?;
                    let mut records: Vec<(Place, Vec<f64>)> = Vec::with_capacity(batch.len() * family.len());
                    for (&condition, (logits, clipping)) in family.iter().zip(&of_models) {
                        let temperatures = known.get(&temperatures_of(condition)).map_or(&[][..], |of| &of[..scaled]);
                        let of_images = logits.chunks_exact(most * classes).zip(clipping);
                        for (image, (logits, clipping)) in batch.clone().zip(of_images) {
                            let place = at(condition, set, image);
                            if !known.contains_key(&place) {
                                let label = images.labels().map(|labels| labels[image]);
                                let scores = setup.scores(logits, classes, label, temperatures);
                                let scores = scores.iter().flat_map(Score::numbers);
                                records.push((place, scores.chain(counts(clipping)).collect()));
                            }
                        }
                    }
                    journal.as_mut().map_or(Ok(()), |journal| journal.add(&records))?;
                    done += records.len() as u64;
                    known.extend(records);
                }
            }
        }
        for &condition in &family {
            let temperatures = known.remove(&temperatures_of(condition)).unwrap_or_default();
            let mut clipping = vec![LayerClipping::default(); setup.net.layers.len()];
            let sets = sizes.iter().enumerate().map(|(set, &size)| {
                let of_image = |image: usize| {
                    let numbers = known.remove(&at(condition, set, image)).unwrap_or_default();
                    let (scores, counted) = numbers.split_at_checked(of_scores).unwrap_or_default();
                    if set == 0 {
                        add_counts(&mut clipping, counted);
                    }
                    scores.chunks_exact(NUMBERS).map(Score::of_numbers).collect()
                };
                (0..size).map(of_image).collect()
            });
            let temperatures = temperatures.into_iter().take(scaled).collect();
            let sets = sets.collect();
            scored[condition] = Some(Scored { temperatures, clipping, sets });
        }
    }
    let scored: Vec<Scored> = scored.into_iter().flatten().collect();
    let statistics = FunctionalSpec::of(&config).statistics(&setup.net, &setup.posterior)?;
    let table = Table::new(&config, request, &setup, &scored, statistics);
    let classes = setup.net.classes() as usize;
    Ok(Evaluated { table, sets: setup.sets, scored, members: setup.members, classes })
}

/// In place of a set: fitted temperatures.
const TEMPERATURES: u32 = u32::MAX;

/// Numbers of a layer in a journal: those of both planes' conversions.
const COUNTS: usize = 4;

/// The conversions of layers as numbers, and added up from them.
fn counts(clipping: &[LayerClipping]) -> impl Iterator<Item = f64> {
    clipping.as_flattened().iter().flat_map(|of| [of.clipped as f64, of.conversions as f64])
}

fn add_counts(clipping: &mut [LayerClipping], numbers: &[f64]) {
    for (sum, [clipped, conversions]) in clipping.as_flattened_mut().iter_mut().zip(numbers.as_chunks().0) {
        sum.add(Clipping { clipped: *clipped as u64, conversions: *conversions as u64 });
    }
}

/// Consecutive images of a sorted list, at most `most` at a time.
fn batches(images: &[usize], most: usize) -> Vec<std::ops::Range<usize>> {
    let runs = images.chunk_by(|a, b| a + 1 == *b);
    runs.flat_map(|run| run.chunks(most)).map(|batch| batch[0]..batch[0] + batch.len()).collect()
}

impl Setup {
    fn spec(&self, config: &Config, condition: &Condition) -> FunctionalSpec {
        let mut config = config.clone();
        config.seed = config.seed.wrapping_add(u64::from(condition.deployment));
        config.arch.device.age = condition.age;
        config.arch.device.compensation = match condition.remedy {
            Remedy::Chip => config.arch.device.compensation,
            Remedy::Set(compensation) => compensation,
            Remedy::Statistics { .. } => Compensation::Off,
        };
        FunctionalSpec { times: self.times.clone(), ..FunctionalSpec::of(&config) }
    }

    /// All conditions, some together whose models have layers in common.
    fn families(&self, config: &Config) -> Vec<Vec<usize>> {
        let mut families: Vec<Vec<usize>> = Vec::new();
        for (index, condition) in self.conditions.iter().enumerate() {
            let joins = |family: &&mut Vec<usize>| {
                if family.len() == TOGETHER {
                    return false;
                }
                let first = &self.conditions[family[0]];
                let anew = [first, condition].iter().any(|of| matches!(of.remedy, Remedy::Statistics { .. }));
                let specs = [condition, first].map(|condition| self.spec(config, condition));
                !anew && specs[0].layers_in_common(&specs[1], &self.net, &self.posterior) > 0
            };
            match families.iter_mut().find(joins) {
                Some(family) => family.push(index),
                None => families.push(vec![index]),
            }
        }
        families
    }

    /// The models of a family.
    fn models(
        &self,
        config: &Config,
        family: &[usize],
        threads: usize,
        progress: Progress<'_>,
    ) -> Result<Vec<FunctionalModel>, Error> {
        let tell = |layers: usize| progress(RunPhase::Calibrating, layers as u64, self.net.layers.len() as u64);
        let mut models: Vec<FunctionalModel> = Vec::with_capacity(family.len());
        let ranged = |condition: &Condition| {
            let spec = self.spec(config, condition);
            match &self.calibration {
                Some(images) => with_ranges(spec, &self.net, &self.posterior, images, threads, &tell),
                None => Ok(spec),
            }
        };
        let first = ranged(&self.conditions[family[0]])?;
        for &condition in family {
            let condition = &self.conditions[condition];
            let spec = if models.is_empty() { first.clone() } else { ranged(condition)? };
            let mut model = match models.first() {
                None => FunctionalModel::new(&spec, &self.net, &self.posterior)?,
                Some(beside) => beside.beside(&first, &spec, &self.net, &self.posterior)?,
            };
            if let (Remedy::Statistics { per_member }, Some(images)) = (condition.remedy, &self.calibration) {
                model.calibrate(&spec, &self.net, &self.posterior, images, per_member, threads, &tell)?;
            }
            models.push(model);
        }
        Ok(models)
    }

    /// Fitted for each number of members asked for.
    fn temperatures(&self, model: &FunctionalModel, threads: usize) -> Result<Vec<f64>, Error> {
        let Some((images, labels)) = self.calibration.as_ref().and_then(|images| Some((images, images.labels()?)))
        else {
            return Ok(Vec::new());
        };
        let outputs = model.run(images, 0..images.len(), threads, &|_| ())?;
        let of_image = || outputs.logits.chunks_exact(outputs.members * outputs.classes);
        let of_members = |&members: &u32| {
            let members = members as usize;
            let logits: Vec<f64> =
                of_image().flat_map(|logits| &logits[..members * outputs.classes]).copied().collect();
            temperature::fit(&logits, members, outputs.classes, labels)
        };
        Ok(self.members.iter().map(of_members).collect())
    }

    /// Of 1 to T members, then scaled ones.
    fn scores(&self, logits: &[f64], classes: usize, label: Option<u32>, temperatures: &[f64]) -> Vec<Score> {
        let most = logits.len() / classes;
        let mut scores: Vec<Score> =
            (1..=most).map(|members| Score::new(&logits[..members * classes], classes, label)).collect();
        scores.extend(self.members.iter().zip(temperatures).map(|(&members, &temperature)| {
            let logits = temperature::scaled(&logits[..members as usize * classes], temperature);
            Score::new(&logits, classes, label)
        }));
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_consecutive() {
        assert_eq!(batches(&[0, 1, 2, 3, 6, 7, 9], 3), [0..3, 3..4, 6..8, 9..10]);
        assert!(batches(&[], 3).is_empty());
    }
}
