//! One run, from a configuration to facts and sums: values first where there are images, then time and energy.

use crate::config::{
    Answer, Array, Base, Config, Copies, Described, EnsembleSpec, FastForward, Grouping, Images, Interconnect,
    Location, MappingSpec, Plane, Posterior, Record, Sampler, Samples, Scheme, StochasticArrays, Tile, ValuesSpec,
    Workload, embedded, ranges_without_images,
};
use crate::critical::Flow;
use crate::error::{Error, Problem};
use crate::functional::choose::{CANDIDATES, ChoiceImages, Tried, choose};
use crate::functional::metrics::{Detection, Scores};
use crate::functional::times::TIMED_IMAGES;
use crate::functional::{
    CalibratedLayer, Clipping, Evaluation, FunctionalModel, FunctionalSpec, Keep, LayerClipping, Outputs, PlaneRange,
    ReadClock, ReadTimes, Recorded, metrics, with_ranges,
};
use crate::mapping::{Mapping, Split, is_sampled};
use crate::meter::{Ledger, Tally};
use crate::parts::{At, Outcome, RowActivity};
use crate::report::closed_form::closed_form;
use crate::report::compensation::reference_reads;
use crate::report::inventory::inventory;
use crate::report::{ConverterFacts, DetectionFacts, EventFacts, LayerFacts, OutputFacts, RunFacts, content_hash};
use crate::simulate::{Critical, Plan, network, plan_mapped, plan_split, simulate};
use crate::trace::SpanSink;
use crate::workload::pack::{NewSet, with_set};
use crate::workload::posterior::{is_frozen, is_probabilistic};
use crate::workload::{LayerPosterior, LoadedImages, LoadedPosterior, Net, NetLayer, resolve, tensors};
use std::borrow::{Borrow, Cow};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Instant;

/// What a run is doing, for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunPhase {
    /// Trying schemes on calibration images; the count is of schemes, the total the most that may be tried.
    Choosing,
    /// Taking statistics; the count is of layers.
    Calibrating,
    /// Answering images; the count is of images.
    Values,
    /// Simulating; the count is of answers that have left the chip.
    Cycles,
}

/// Told how far a stage is: done and total.
pub type Progress<'a> = &'a (dyn Fn(RunPhase, u64, u64) + Sync);

/// A run that is ready to be simulated: planned, its files read, its images answered.
#[derive(Debug)]
pub struct Prepared {
    config: Config,
    /// The network as described; the plan's may have copies of layers.
    net: Net,
    plan: Plan,
    workload_hash: String,
    values: Option<Values>,
    probabilistic: Option<Vec<u64>>,
    frozen: Option<Vec<u64>>,
    tried: Vec<Tried>,
}

/// Counts of the network's layers for the layers of a plan, of which some may be copies for a member.
#[derive(Debug)]
struct OfCopies {
    counts: Arc<dyn RowActivity>,
    /// For each layer of the plan, the layer of the network and the member, where it is a copy.
    layers: Vec<(u32, Option<u32>)>,
}

impl OfCopies {
    fn new(counts: Arc<dyn RowActivity>, net: &Net) -> Self {
        let member = |layer: &NetLayer| layer.copy.as_ref().map(|copy| copy.member);
        let layers = net.layers.iter().enumerate().map(|(l, layer)| (net.described(l) as u32, member(layer)));
        Self { counts, layers: layers.collect() }
    }

    fn at(&self, at: At) -> At {
        let (layer, member) = self.layers[at.layer as usize];
        At { layer, member: member.unwrap_or(at.member), ..at }
    }
}

impl RowActivity for OfCopies {
    fn driven(&self, at: At, pulse: u32, row_block: u32) -> u32 {
        self.counts.driven(self.at(at), pulse, row_block)
    }

    fn squares(&self, at: At, pulse: u32, row_block: u32) -> u32 {
        self.counts.squares(self.at(at), pulse, row_block)
    }

    fn non_zero(&self, at: At, row_block: u32) -> u32 {
        self.counts.non_zero(self.at(at), row_block)
    }

    fn weights(&self, at: At, pulse: u32, row_block: u32, column_block: u32) -> u64 {
        self.counts.weights(self.at(at), pulse, row_block, column_block)
    }

    fn weights_of_non_zero(&self, at: At, row_block: u32, column_block: u32) -> u64 {
        self.counts.weights_of_non_zero(self.at(at), row_block, column_block)
    }
}

/// What a simulated run leaves beside its spans.
#[derive(Debug)]
pub struct Finished {
    /// What a report needs beside the sums.
    pub facts: RunFacts,
    /// The sums.
    pub ledger: Ledger,
}

/// Plans a run, reads its posterior and images, and answers the images that the configuration asks for with `threads`
/// threads.
///
/// # Errors
/// Returns [`Error::Problems`] if the network does not fit the chip or more images are asked for than there are,
/// [`Error::Input`] for posterior and images.
pub fn prepare(config: Config, base: &Base, threads: usize, progress: Progress<'_>) -> Result<Prepared, Error> {
    Shared::new(&config, base)?.prepare(config, threads, progress)
}

/// What `calibrate` has made.
#[derive(Debug)]
pub struct Calibration {
    /// The posterior's file with the new set.
    pub bytes: Vec<u8>,
    /// Images and members that the statistics are of.
    pub images: usize,
    pub members: usize,
    /// What changed, layer by layer.
    pub layers: Vec<CalibrationLayer>,
    /// Scores of these images with the statistics that were used before, and with the new ones; none without labels.
    pub before: Option<Scores>,
    pub after: Option<Scores>,
}

/// What calibration has changed in a layer.
#[derive(Debug)]
pub struct CalibrationLayer {
    /// Its name.
    pub name: String,
    /// Value of input code 1, after and before.
    pub input_scale: f32,
    pub input_scale_before: f32,
    /// Mean over outputs, and members where each has its own, of how far the mean moved, in standard deviations of before.
    pub mean_moved_sd: f64,
    /// Mean over the same of the relative change of the standard deviation.
    pub sd_changed: f64,
}

/// Estimates batch-norm statistics and input scales for the sampling configuration of `config` on the workload's calibration
/// images, and adds them to its posterior as the set `name`: one for all members, or with `per_member` one for each.
///
/// # Errors
/// Returns [`Error::Problems`] for a workload without calibration images or posterior file, and for members that hold no
/// weights of their own; otherwise as [`prepare`].
pub fn calibrate(
    config: &Config,
    base: &Base,
    name: &str,
    per_member: bool,
    threads: usize,
    progress: Progress<'_>,
) -> Result<Calibration, Error> {
    let mut config = config.clone();
    let net = network(&config).map_err(Error::Problems)?;
    let problem = |path: &str, message: &str| Error::Problems(vec![Problem::new(path, message)]);
    let Posterior::File { path, .. } = &config.workload.posterior else {
        return Err(problem(
            "workload.posterior",
            "a set of statistics is added to a posterior file; this network has none",
        ));
    };
    let (file, file_path) = read(base, path, "a posterior")?;
    let posterior = LoadedPosterior::from_bytes(&file, &file_path, &config.workload.posterior, &net)?;
    let sets = ImageSets::default();
    resolve_scheme(&mut config, &net, Some(&posterior), &sets, base, threads, progress)?;
    let timed = timed_spec(&config, &posterior)?;
    let spec = calibrated(timed, &config, &net, &posterior, &sets, base, threads, progress)?;
    let (key, read_by) = (spec.statistics_key(&net)?, spec.read_by());
    let first = key.first_ensembling_layer.map(|first| net.layers[first].name.as_str());
    if per_member && first.is_none() {
        return Err(problem("mapping.scheme", "the mode network has no members"));
    }
    let Some(images) = sets.calibration.load(&config.workload, &net, base)? else {
        return Err(problem(
            "workload.calibration",
            "statistics are taken on calibration images; this network has none",
        ));
    };
    let mut model = FunctionalModel::new(&spec, &net, &posterior)?;
    let weights = if per_member { spec.weight_hashes(&net, &posterior)? } else { None };
    if per_member && weights.is_none() {
        let message = "weights are drawn at every position, so no member has statistics of its own; expected a generator \
                       that draws PerMember";
        return Err(problem("arch.sampler", message));
    }
    let scores = |model: &FunctionalModel| -> Result<Option<Scores>, Error> {
        let Some(labels) = images.labels() else { return Ok(None) };
        let outputs = model.run(&images, 0..images.len(), threads, &|_| ())?;
        Ok(Some(Scores::new(&outputs.mean_probabilities, labels)))
    };
    let count = images.len();
    let before = scores(&model)?;
    let total = net.layers.len() as u64;
    let tell = |done: usize| progress(RunPhase::Calibrating, done as u64, total);
    let made = model.calibrate(&spec, &net, &posterior, &images, per_member, threads, &tell)?;
    let after = scores(&model)?;
    let change = |(l, (layer, made)): (usize, (&NetLayer, &CalibratedLayer))| {
        let old = posterior.statistics(l, &key, &read_by).batch_norm;
        let outputs = old.mean.len() as f64;
        let sd = |var: f32| (f64::from(var) + posterior.bn_eps).sqrt();
        let old_sd = || old.var.iter().map(|&var| sd(var));
        let of_members = || made.statistics.iter();
        let moved = of_members().flat_map(|of| old.mean.iter().zip(&of.mean).zip(old_sd()));
        let changed = of_members().flat_map(|of| of.var.iter().map(|&var| sd(var)).zip(old_sd()));
        let outputs = outputs * made.statistics.len() as f64;
        CalibrationLayer {
            name: layer.name.clone(),
            input_scale: made.input_scale,
            input_scale_before: posterior.input_scale(l, &key, &read_by),
            mean_moved_sd: moved.map(|((old, new), sd)| (f64::from(*new) - f64::from(*old)).abs() / sd).sum::<f64>()
                / outputs,
            sd_changed: changed.map(|(new, old)| (new - old).abs() / old).sum::<f64>() / outputs,
        }
    };
    let layers = net.layers.iter().zip(&made).enumerate().map(change).collect();
    let of_set = |(layer, made): (&'_ NetLayer, &'_ CalibratedLayer)| (layer.tensors.clone(), made.clone());
    let of_set: Vec<(String, CalibratedLayer)> = net.layers.iter().zip(&made).map(of_set).collect();
    let set = NewSet {
        name,
        first_ensembling_layer: first,
        eps: key.eps,
        weights,
        read_by: read_by.clone(),
        calibration: sets.calibration.hash(&config.workload, base)?.unwrap_or_default(),
        layers: of_set
            .iter()
            .map(|(tensors, made)| (tensors.as_str(), &made.statistics[..], made.input_scale))
            .collect(),
    };
    let bytes = with_set(&file, &file_path, &set)?;
    Ok(Calibration { bytes, images: count, members: model.members(), layers, before, after })
}

/// What of `config` decides values, with the times of reads where these need them: then the chip is simulated first.
///
/// # Errors
/// As [`plan_split`], and [`Error::Deadlock`] if parts wait for each other.
pub fn timed_spec(config: &Config, posterior: &LoadedPosterior) -> Result<FunctionalSpec, Error> {
    spec_with_times(config, || plan_split(config, Some(posterior)).map_err(Error::Problems))
}

/// The same with a plan at hand, or to be made if times are needed.
fn spec_with_times<P: Borrow<Plan>>(
    config: &Config,
    plan: impl FnOnce() -> Result<P, Error>,
) -> Result<FunctionalSpec, Error> {
    let mut spec = FunctionalSpec::of(config);
    if spec.cells.needs_times() {
        spec.times = Some(Arc::new(read_times(config, plan()?.borrow())?));
    }
    Ok(spec)
}

/// The same with its `Percentile` ranges calibrated on the network's calibration images.
#[expect(clippy::too_many_arguments, reason = "what a calibration reads")]
fn calibrated(
    spec: FunctionalSpec,
    config: &Config,
    net: &Net,
    posterior: &LoadedPosterior,
    sets: &ImageSets,
    base: &Base,
    threads: usize,
    progress: Progress<'_>,
) -> Result<FunctionalSpec, Error> {
    if spec.percentiles() == [None; 2] {
        return Ok(spec);
    }
    if let Some(problem) = ranges_without_images(config) {
        return Err(Error::Problems(vec![problem]));
    }
    match sets.calibration.load(&config.workload, net, base)? {
        Some(images) => {
            let tell = |layers: usize| progress(RunPhase::Calibrating, layers as u64, net.layers.len() as u64);
            with_ranges(spec, net, posterior, &images, threads, &tell)
        }
        None => Ok(spec),
    }
}

/// When arrays are read in the schedule of a plan.
fn read_times(config: &Config, plan: &Plan) -> Result<ReadTimes, Error> {
    let mut config = config.clone();
    config.schedule.images = config.schedule.images.max(TIMED_IMAGES);
    let assembly = plan.assemble(&config, None)?;
    let cycle = 1.0 / config.arch.clock.0 as f64;
    let clock = ReadClock::new(&plan.net, config.schedule.images, config.members(), cycle);
    let (_, clock) = simulate(&config, assembly, clock, |_, _| ())?;
    Ok(clock.times())
}

/// Replaces the choices of the scheme that depend on the network: `FirstLinear` by its layer, and `Auto` by what the
/// calibration images allow. Returns what was tried for the latter.
fn resolve_scheme(
    config: &mut Config,
    net: &Net,
    posterior: Option<&LoadedPosterior>,
    sets: &ImageSets,
    base: &Base,
    threads: usize,
    progress: Progress<'_>,
) -> Result<Vec<Tried>, Error> {
    config.mapping.scheme.name_first_layer(net);
    if !config.mapping.scheme.is_auto() {
        return Ok(Vec::new());
    }
    let problem = |message: &str| Error::Problems(vec![Problem::new("mapping.scheme", message)]);
    let Some(posterior) = posterior else {
        return Err(problem("Auto finds what to sample by the network's answers, and it has no posterior"));
    };
    let workload = &config.workload;
    sets.calibration.differs(&sets.out_of_distribution, workload, "calibration", base)?;
    let out_of_distribution = sets.out_of_distribution.load(workload, net, base)?;
    let Some(calibration) = sets.calibration.load(&config.workload, net, base)? else {
        return Err(problem("Auto finds what to sample on the workload's calibration images, and it has none"));
    };
    let images = ChoiceImages { calibration: &calibration, out_of_distribution: out_of_distribution.as_deref() };
    let tell = |tried: usize| progress(RunPhase::Choosing, tried as u64, (net.layers.len() + CANDIDATES.len()) as u64);
    let spec = |scheme: &Scheme| {
        let mut config = config.clone();
        config.mapping.scheme = scheme.clone();
        timed_spec(&config, posterior)
    };
    let (scheme, tried) = choose(&config.mapping.scheme, &spec, net, posterior, images, threads, &tell)?;
    config.mapping.scheme = scheme;
    Ok(tried)
}

/// Plans a run without running it. Its posterior is read where the scheme splits synapses by their p.
///
/// # Errors
/// As [`prepare`].
pub fn planned(config: &Config, base: &Base) -> Result<Plan, Error> {
    let shared = Shared::new(config, base)?;
    if config.mapping.scheme.eps().is_some() || config.mapping.scheme.is_auto() {
        shared.read_posterior()?;
    }
    let mut config = config.clone();
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    shared.resolve_scheme(&mut config, threads, &|_, _, _| ())?;
    shared.plan(&config)
}

/// What runs of one network have in common, whatever chip, scheme and schedule: its files, the splits of its layers, and
/// values. Each is read or computed when a run first needs it.
#[derive(Debug)]
pub struct Shared {
    workload: Workload,
    base: Base,
    net: Net,
    /// The posterior, if the network has one, and the hash of its file, if that has one.
    posterior: OnceLock<(Option<LoadedPosterior>, Option<String>)>,
    /// Held while the posterior is read.
    reading: Mutex<()>,
    /// Probabilistic synapses by layer.
    probabilistic: OnceLock<Option<Vec<u64>>>,
    frozen: Mutex<Frozen>,
    /// The hash of the network, by whether calibration images choose scheme or ranges.
    hashes: Mutex<BTreeMap<bool, String>>,
    splits: Mutex<Splits>,
    /// The last few mappings.
    mappings: Mutex<VecDeque<(MappedBy, Arc<Mapping>)>>,
    sets: ImageSets,
    /// The last few answers to images.
    answered: Mutex<VecDeque<(ValuesKey, Arc<Answers>)>>,
}

/// What a mapping with given copies depends on, within a network: neither times, energies and areas nor converters.
#[derive(Debug, PartialEq)]
struct MappedBy {
    array: Array,
    stochastic: StochasticArrays,
    sampler: Sampler,
    tile: Tile,
    lanes: u32,
    interconnect: Interconnect,
    mapping: MappingSpec,
    ensemble: EnsembleSpec,
    grouping: Grouping,
}

impl MappedBy {
    /// None where the copies are chosen, which depends on all that a layer takes.
    fn of(config: &Config) -> Option<Self> {
        let chip = &config.arch;
        (config.mapping.copies == Copies::Given).then(|| Self {
            array: chip.array.clone(),
            stochastic: chip.stochastic.clone(),
            sampler: chip.sampler.clone(),
            tile: chip.tile.clone(),
            lanes: chip.digital.lanes,
            interconnect: chip.interconnect.clone(),
            mapping: config.mapping.clone(),
            ensemble: config.ensemble.clone(),
            grouping: config.schedule.grouping,
        })
    }
}

/// Frozen synapses by layer, by the bits of the stored p and those of eps.
type Frozen = BTreeMap<(u32, Option<u64>), Option<Vec<u64>>>;

/// Splits of layers at the last few eps.
#[derive(Debug, Default)]
struct Splits {
    /// By the bits of eps and the layer.
    of: BTreeMap<(u64, usize), Arc<Split>>,
    /// The bits of the eps in the order in which they came.
    eps: VecDeque<u64>,
}

/// What comes of asking for values.
enum Answered {
    Values(Box<Values>),
    /// There are no images, or no posterior.
    Nothing,
    /// Another thread computes them, and the caller does not wait.
    Busy,
}

/// Values, once a run has computed them. Others that need the same wait for it, or come back later.
#[derive(Debug, Default)]
struct Answers {
    computing: Mutex<()>,
    values: OnceLock<Values>,
}

/// Most eps whose splits are kept: those of VGGBinaryConnect take 1.8 MB each.
const KEPT_EPS: usize = 16;
/// Most mappings that are kept.
const KEPT_MAPPINGS: usize = 8;
/// Most values that are kept, and most probabilities in them.
const KEPT_VALUES: usize = 64;
const KEPT_PROBABILITIES: usize = 1 << 25;

/// What panicked while it held a lock left nothing half-changed: entries are added whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What values depend on, within a network.
#[derive(Debug, Clone, PartialEq)]
struct ValuesKey {
    spec: FunctionalSpec,
    values: ValuesSpec,
    /// Images that are simulated in time.
    timed: u32,
}

/// Answers to images, and what is kept beside them.
#[derive(Debug, Clone)]
struct Values {
    outputs: OutputFacts,
    activity: Arc<dyn RowActivity>,
    recorded: Option<Arc<Recorded>>,
}

impl Shared {
    /// Of the network of `config`, whose paths start from `base`. Nothing is read yet.
    ///
    /// # Errors
    /// Returns [`Error::Problems`] if the layers do not fit each other.
    pub fn new(config: &Config, base: &Base) -> Result<Self, Error> {
        Ok(Self {
            workload: config.workload.clone(),
            base: base.clone(),
            net: network(config).map_err(Error::Problems)?,
            posterior: OnceLock::new(),
            reading: Mutex::default(),
            probabilistic: OnceLock::new(),
            frozen: Mutex::default(),
            hashes: Mutex::default(),
            splits: Mutex::default(),
            mappings: Mutex::default(),
            sets: ImageSets::default(),
            answered: Mutex::default(),
        })
    }

    /// Whether a configuration whose paths start from `base` has this network.
    #[must_use]
    pub fn serves(&self, config: &Config, base: &Base) -> bool {
        config.workload == self.workload && *base == self.base
    }

    /// As [`prepare`], with what earlier runs, or runs on other threads, had in common with this one.
    ///
    /// # Errors
    /// As [`prepare`]; and [`Error::Internal`] if `config` has another network.
    pub fn prepare(&self, config: Config, threads: usize, progress: Progress<'_>) -> Result<Prepared, Error> {
        Ok(self.prepare_if(config, threads, progress, true)?.expect("it waits"))
    }

    /// The same; none if another thread computes the values at the moment and the caller does not wait.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn prepare_if(
        &self,
        mut config: Config,
        threads: usize,
        progress: Progress<'_>,
        waits: bool,
    ) -> Result<Option<Prepared>, Error> {
        if config.workload != self.workload {
            return Err(Error::Internal("runs that share files have one network".to_owned()));
        }
        let answers = config.values.answer != Answer::Nothing && config.workload.images.is_some();
        // Bits of the p that a generator's planes store.
        let bits = match (&config.mapping.scheme, &config.arch.sampler) {
            (Scheme::Dense | Scheme::Sparse { .. }, Sampler::Generator { probability_bits, .. }) => {
                Some(*probability_bits)
            }
            _ => None,
        };
        // Millions of made-up p that nothing looks at are not made up.
        let made_up = match &config.workload.posterior {
            Posterior::Synthetic { probabilistic, .. }
                if !answers && config.mapping.scheme.eps().is_none() && !config.mapping.scheme.is_auto() =>
            {
                Some(probabilistic)
            }
            _ => None,
        };
        let expected = made_up.map(|shares| {
            let frozen = bits.map(|bits| LoadedPosterior::synthetic_frozen(shares, &self.net, bits)).transpose()?;
            Ok::<_, Error>((Some(LoadedPosterior::synthetic_counts(shares, &self.net)?), frozen))
        });
        if expected.is_none() {
            self.read_posterior()?;
        }
        let chosen = config.mapping.scheme.is_auto();
        let tried = self.resolve_scheme(&mut config, threads, progress)?;
        let (probabilistic, frozen) = match expected {
            Some(expected) => expected?,
            None => (self.probabilistic(), bits.and_then(|bits| self.frozen(bits, config.mapping.scheme.eps()))),
        };
        let plan = self.plan(&config)?;
        if let Some(replicated) = &plan.mapping.replicated {
            (config.mapping.replication, config.mapping.copies) = (replicated.replication(), Copies::Given);
        }
        // Their contents are part of the network's hash, whether they are answered or not.
        let chosen = chosen || FunctionalSpec::of(&config).percentiles() != [None; 2];
        let workload_hash = self.workload_hash(chosen)?;
        let values = match answers.then(|| self.values(&config, &plan, threads, progress, waits)).transpose()? {
            Some(Answered::Busy) => return Ok(None),
            Some(Answered::Values(values)) => Some(*values),
            Some(Answered::Nothing) | None => None,
        };
        let net = self.net.clone();
        Ok(Some(Prepared { config, net, plan, workload_hash, values, probabilistic, frozen, tried }))
    }

    fn read_posterior(&self) -> Result<(), Error> {
        let _alone = lock(&self.reading);
        if self.posterior.get().is_none() {
            let loaded = load_posterior(&self.workload, &self.net, &self.base)?;
            self.posterior.get_or_init(|| loaded);
        }
        Ok(())
    }

    fn workload_hash(&self, chosen: bool) -> Result<String, Error> {
        if let Some(hash) = lock(&self.hashes).get(&chosen) {
            return Ok(hash.clone());
        }
        let posterior = self.posterior.get().and_then(|(_, hash)| hash.clone());
        let hash = workload_hash(&self.workload, posterior, &self.sets, chosen, &self.base)?;
        lock(&self.hashes).insert(chosen, hash.clone());
        Ok(hash)
    }

    fn resolve_scheme(&self, config: &mut Config, threads: usize, progress: Progress<'_>) -> Result<Vec<Tried>, Error> {
        resolve_scheme(config, &self.net, self.posterior(), &self.sets, &self.base, threads, progress)
    }

    fn posterior(&self) -> Option<&LoadedPosterior> {
        self.posterior.get().and_then(|(posterior, _)| posterior.as_ref())
    }

    /// Synapses by layer whose p are such.
    fn count(&self, is: impl Fn(f32) -> bool) -> Option<Vec<u64>> {
        let of_layer = |layer: &LayerPosterior| layer.p.iter().map(|p| u64::from(is(*p))).sum();
        self.posterior().map(|posterior| posterior.layers.iter().map(of_layer).collect())
    }

    fn probabilistic(&self) -> Option<Vec<u64>> {
        self.probabilistic.get_or_init(|| self.count(is_probabilistic)).clone()
    }

    /// Those that `bits` bits freeze, of the synapses that a layer samples at `eps`.
    fn frozen(&self, bits: u32, eps: Option<f64>) -> Option<Vec<u64>> {
        let count = || self.count(|p| is_frozen(p, bits) && eps.is_none_or(|eps| is_sampled(p, eps)));
        lock(&self.frozen).entry((bits, eps.map(f64::to_bits))).or_insert_with(count).clone()
    }

    /// Plans a run with the posterior as far as it was read.
    fn plan(&self, config: &Config) -> Result<Plan, Error> {
        let by = MappedBy::of(config);
        let kept = |by: &MappedBy| lock(&self.mappings).iter().find(|(of, _)| of == by).map(|(_, kept)| kept.clone());
        let mapping = |map: &dyn Fn() -> Result<Mapping, Vec<Problem>>| {
            if let Some(kept) = by.as_ref().and_then(kept) {
                return Ok(kept);
            }
            let mapping = Arc::new(map()?);
            if let Some(by) = by {
                let mut mappings = lock(&self.mappings);
                mappings.push_back((by, mapping.clone()));
                if mappings.len() > KEPT_MAPPINGS {
                    mappings.pop_front();
                }
            }
            Ok(mapping)
        };
        plan_mapped(config, &self.net, |layer, eps| self.split(layer, eps), mapping).map_err(Error::Problems)
    }

    /// The split of a layer; none where no posterior was read.
    fn split(&self, layer: usize, eps: f64) -> Option<Arc<Split>> {
        let (of_net, of_layer) = (&self.net.layers[layer], &self.posterior()?.layers[layer]);
        let bits = eps.to_bits();
        let mut splits = lock(&self.splits);
        if !splits.eps.contains(&bits) {
            splits.eps.push_back(bits);
            if splits.eps.len() > KEPT_EPS {
                let oldest = splits.eps.pop_front();
                splits.of.retain(|(bits, _), _| Some(*bits) != oldest);
            }
        }
        let compute = || Arc::new(Split::new(of_net.rows, of_net.columns, &of_layer.p, eps));
        Some(splits.of.entry((bits, layer)).or_insert_with(compute).clone())
    }

    /// Answers the images and counts the driven rows of those that are simulated in time.
    fn values(
        &self,
        config: &Config,
        plan: &Plan,
        threads: usize,
        progress: Progress<'_>,
        waits: bool,
    ) -> Result<Answered, Error> {
        let Some(posterior) = self.posterior() else { return Ok(Answered::Nothing) };
        let timed = config.schedule.images;
        let spec = spec_with_times(config, || Ok(plan))?;
        let key = ValuesKey { spec, values: config.values.clone(), timed };
        let sets = &self.sets;
        sets.images.differs(&sets.out_of_distribution, &self.workload, "images", &self.base)?;
        let outside = sets.out_of_distribution.load(&self.workload, &self.net, &self.base)?;
        let images = sets.images.load(&self.workload, &self.net, &self.base)?;
        let Some(images) = images else { return Ok(Answered::Nothing) };
        let spec = key.spec.clone();
        let answers = self.answers(key);
        let _alone = match answers.computing.try_lock() {
            Err(TryLockError::WouldBlock) if !waits && answers.values.get().is_none() => return Ok(Answered::Busy),
            Err(TryLockError::WouldBlock) => lock(&answers.computing),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Ok(alone) => alone,
        };
        if let Some(values) = answers.values.get() {
            return Ok(Answered::Values(Box::new(values.clone())));
        }
        let mut problems = too_many_images(config, &images);
        let (count, timed) = (answered(config, &images), timed as usize);
        problems.extend(too_much_to_record(config, &self.net, count));
        if !problems.is_empty() {
            return Err(Error::Problems(problems));
        }
        let spec = calibrated(spec, config, &self.net, posterior, sets, &self.base, threads, progress)?;
        let model = FunctionalModel::new(&spec, &self.net, posterior)?;
        let record = config.values.record;
        let keep = Keep { activity: timed, accumulators: record == Record::Accumulators };
        let (first, further) = (count.max(timed), outside.as_ref().map_or(0, |outside| outside.len()));
        let tell = |done: usize| progress(RunPhase::Values, done as u64, (first + further) as u64);
        let Evaluation { outputs, activity, accumulators } = model.evaluate(&images, 0..count, keep, threads, &tell)?;
        let mut facts = output_facts(&outputs, &images, &model);
        if let Some(outside) = outside {
            let outside = model.run(&outside, 0..further, threads, &|done| tell(first + done))?;
            facts.ood = Some(DetectionFacts {
                images: further as u32,
                entropy: Detection::new(&outputs.entropy, &outside.entropy),
                mutual_information: Detection::new(&outputs.mutual_information, &outside.mutual_information),
            });
        }
        let labels = images.labels().map(|labels| labels[..count].to_vec());
        let recorded = (record != Record::Nothing).then(|| Arc::new(Recorded { outputs, labels, accumulators }));
        let values = Values { outputs: facts, activity: Arc::new(activity), recorded };
        Ok(Answered::Values(Box::new(answers.values.get_or_init(|| values).clone())))
    }

    /// The place of values, which may have to be computed.
    fn answers(&self, key: ValuesKey) -> Arc<Answers> {
        let mut kept = lock(&self.answered);
        if let Some((_, answers)) = kept.iter().find(|(of, _)| *of == key) {
            return answers.clone();
        }
        let probabilities = |(_, answers): &(ValuesKey, Arc<Answers>)| {
            let of = |values: &Values| values.outputs.mean_probabilities.iter().map(Vec::len).sum::<usize>();
            answers.values.get().map_or(0, of)
        };
        while kept.len() >= KEPT_VALUES || kept.iter().map(probabilities).sum::<usize>() > KEPT_PROBABILITIES {
            kept.pop_front();
        }
        let answers = Arc::<Answers>::default();
        kept.push_back((key, answers.clone()));
        answers
    }
}

/// Problems that only show when a network is placed on its chip, and when the files that it names are read. `base` is
/// where their paths start.
#[must_use]
pub fn check_described(described: Described<'_>, base: &Base) -> Vec<Problem> {
    match described {
        Described::Workload(workload) => match resolve(workload) {
            Ok(net) => check_data(workload, &net, base, "").0,
            Err(problems) => problems,
        },
        Described::Run(config) => match network(config) {
            Ok(net) => {
                let (mut problems, mut posterior, images) = check_data(&config.workload, &net, base, "workload.");
                problems.extend(images.into_iter().flat_map(|images| too_many_images(config, &images)));
                problems.extend(posterior.as_ref().and_then(|posterior| too_few_samples(config, &net, posterior)));
                let splits = config.mapping.scheme.eps().is_some();
                if let (true, Posterior::Synthetic { .. }) = (splits, &config.workload.posterior) {
                    posterior = load_posterior(&config.workload, &net, base).ok().and_then(|(posterior, _)| posterior);
                }
                // A posterior that cannot be read is a problem of its own.
                if !splits || posterior.is_some() || matches!(config.workload.posterior, Posterior::Absent) {
                    problems.extend(plan_split(config, posterior.as_ref()).err().into_iter().flatten());
                }
                problems
            }
            Err(problems) => problems,
        },
        // Where the space is built.
        Described::Sweep(_) => Vec::new(),
    }
}

/// Problems of the posterior's and the images' file, at keys below `prefix`; and what is in the files.
fn check_data(
    workload: &Workload,
    net: &Net,
    base: &Base,
    prefix: &str,
) -> (Vec<Problem>, Option<LoadedPosterior>, Option<Arc<LoadedImages>>) {
    let mut problems = Vec::new();
    let mut report = |key: &str, error: Error| problems.push(Problem::new(format!("{prefix}{key}"), error.to_string()));
    let mut posterior = None;
    // A synthetic posterior has no file, and nothing in it can be wrong.
    if matches!(workload.posterior, Posterior::File { .. }) {
        match load_posterior(workload, net, base) {
            Ok((loaded, _)) => posterior = loaded,
            Err(error) => report("posterior.path", error),
        }
    }
    if let Some(error) = posterior.as_ref().and_then(|posterior| unequal_samples(net, posterior)) {
        report("posterior.path", error);
    }
    let mut load = |set: &ImageSet, key: &str| {
        set.load(workload, net, base).unwrap_or_else(|error| {
            report(key, error);
            None
        })
    };
    let sets = ImageSets::default();
    let images = load(&sets.images, "images.path");
    load(&sets.calibration, "calibration.path");
    load(&sets.out_of_distribution, "out_of_distribution.path");
    (problems, posterior, images)
}

/// The problem of a posterior that stores more weight samples of one layer than of another.
fn unequal_samples(net: &Net, posterior: &LoadedPosterior) -> Option<Error> {
    let stored = |layer: &LayerPosterior| layer.samples.as_ref().map_or(0, |samples| samples.members);
    let mut layers = net.layers.iter().zip(posterior.layers.iter().map(stored));
    let (first, members) = layers.next()?;
    let (other, differs) = layers.find(|(_, others)| *others != members)?;
    Some(Error::Input {
        path: posterior.path.clone(),
        message: format!(
            "holds {members} weight samples of layer {} and {differs} of layer {}; expected as many of each",
            first.name, other.name
        ),
    })
}

/// The problem of a run whose members are stored samples that its posterior does not have.
fn too_few_samples(config: &Config, net: &Net, posterior: &LoadedPosterior) -> Option<Problem> {
    let asked = config.ensemble.samples == Samples::Stored && config.mapping.scheme != Scheme::Deterministic;
    // Without answers no sample is looked at.
    if !asked || config.values.answer == Answer::Nothing || config.workload.images.is_none() {
        return None;
    }
    let members = config.ensemble.members;
    let mut layers = net.layers.iter().zip(&posterior.layers);
    let error = layers.find_map(|(layer, of_layer)| of_layer.stored(&layer.tensors, members, &posterior.path).err())?;
    Some(Problem::new("ensemble.samples", error.to_string()))
}

/// The posterior, if there is one, and the hash of its file, if it has one.
pub(crate) fn load_posterior(
    workload: &Workload,
    net: &Net,
    base: &Base,
) -> Result<(Option<LoadedPosterior>, Option<String>), Error> {
    let posterior = &workload.posterior;
    match posterior {
        Posterior::Absent => Ok((None, None)),
        Posterior::Synthetic { seed, probabilistic } => {
            Ok((Some(LoadedPosterior::synthetic(*seed, probabilistic, net)?), None))
        }
        Posterior::File { path, .. } => {
            let (bytes, path) = read(base, path, "a posterior")?;
            let loaded = LoadedPosterior::from_bytes(&bytes, &path, posterior, net)?;
            Ok((Some(loaded), Some(hash(&bytes))))
        }
    }
}

/// The images that a network names.
#[derive(Debug)]
pub(crate) struct ImageSets {
    pub(crate) images: ImageSet,
    pub(crate) calibration: ImageSet,
    pub(crate) out_of_distribution: ImageSet,
}

impl Default for ImageSets {
    fn default() -> Self {
        Self {
            images: ImageSet::new(|workload| workload.images.clone()),
            calibration: ImageSet::new(|workload| workload.calibration.clone()),
            out_of_distribution: ImageSet::new(|workload| {
                workload.out_of_distribution.as_ref().map(Images::unlabelled)
            }),
        }
    }
}

/// Images of a network, which may name none. File and contents are read when they are first asked for.
#[derive(Debug)]
pub(crate) struct ImageSet {
    names: fn(&Workload) -> Option<Images>,
    read: Mutex<ReadSet>,
}

/// What of a set of images has been read.
#[derive(Debug, Default)]
struct ReadSet {
    /// The hash of the file.
    hash: Option<String>,
    /// The file, until its contents are read.
    file: Option<(Contents, PathBuf)>,
    images: Option<Arc<LoadedImages>>,
}

impl ImageSet {
    fn new(names: fn(&Workload) -> Option<Images>) -> Self {
        Self { names, read: Mutex::default() }
    }

    /// What there is once the file is read.
    fn read(&self, workload: &Workload, base: &Base) -> Result<MutexGuard<'_, ReadSet>, Error> {
        let mut set = lock(&self.read);
        if let (None, Some(names)) = (&set.hash, (self.names)(workload)) {
            let (bytes, path) = read(base, &names.path, "images")?;
            set.hash = Some(hash(&bytes));
            set.file = Some((bytes, path));
        }
        Ok(set)
    }

    /// The hash of the file, which is read.
    fn hash(&self, workload: &Workload, base: &Base) -> Result<Option<String>, Error> {
        Ok(self.read(workload, base)?.hash.clone())
    }

    /// Refuses out-of-distribution images that are the same as these, which `key` names.
    fn differs(&self, outside: &Self, workload: &Workload, key: &str, base: &Base) -> Result<(), Error> {
        let tensor = |set: &Self| (set.names)(workload).map(|names| names.images);
        let hash = self.hash(workload, base)?;
        if hash.is_some() && hash == outside.hash(workload, base)? && tensor(self) == tensor(outside) {
            let message = format!("holds the images of {key}; expected others, to be told from these");
            return Err(Error::Problems(vec![Problem::new("workload.out_of_distribution.path", message)]));
        }
        Ok(())
    }

    /// The images.
    pub(crate) fn load(&self, workload: &Workload, net: &Net, base: &Base) -> Result<Option<Arc<LoadedImages>>, Error> {
        let mut set = self.read(workload, base)?;
        if let (Some(names), Some((bytes, path))) = ((self.names)(workload), &set.file) {
            let images = LoadedImages::from_bytes(bytes, path, &names, &workload.input, net)?;
            set.images = Some(Arc::new(images));
            set.file = None;
        }
        Ok(set.images.clone())
    }
}

/// Images that a run answers.
fn answered(config: &Config, images: &LoadedImages) -> usize {
    match config.values.answer {
        Answer::Nothing => 0,
        Answer::First(n) => n as usize,
        Answer::All => images.len(),
    }
}

/// Problems of a run that asks for more images than there are.
fn too_many_images(config: &Config, images: &LoadedImages) -> Vec<Problem> {
    // Without answers the images are not looked at, and any number of them takes the same time.
    if config.values.answer == Answer::Nothing {
        return Vec::new();
    }
    [("values.answer", answered(config, images)), ("schedule.images", config.schedule.images as usize)]
        .into_iter()
        .filter(|(_, asked)| *asked > images.len())
        .map(|(key, asked)| {
            Problem::new(key, format!("{asked} images are asked for; the workload has {}", images.len()))
        })
        .collect()
}

/// A problem of a run that would keep more accumulators of `images` images than fit.
fn too_much_to_record(config: &Config, net: &Net, images: usize) -> Option<Problem> {
    const MOST: u128 = 1 << 30;
    if config.values.record != Record::Accumulators {
        return None;
    }
    let of_pass: u64 = net.layers.iter().map(|layer| layer.linear.len() * size_of::<i32>() as u64).sum();
    let bytes = u128::from(of_pass) * u128::from(config.members()) * images as u128;
    let message = format!("the accumulators of {images} images would take {bytes} B; expected at most {MOST} B");
    (bytes > MOST).then(|| Problem::new("values.record", message).hint("answer fewer images: values.answer=First(n)"))
}

/// Hash of a network: of the files that it names the contents count and not the paths; the hash of the posterior's file is
/// given. Calibration images change a result only where the scheme, or ranges of converters, were chosen by them.
fn workload_hash(
    workload: &Workload,
    posterior: Option<String>,
    sets: &ImageSets,
    chosen: bool,
    base: &Base,
) -> Result<String, Error> {
    let mut hashed = workload.clone();
    if let (Posterior::File { path, .. }, Some(contents)) = (&mut hashed.posterior, posterior) {
        *path = contents;
    }
    if !chosen {
        hashed.calibration = None;
    }
    for (named, set) in [
        (&mut hashed.images, &sets.images),
        (&mut hashed.calibration, &sets.calibration),
        (&mut hashed.out_of_distribution, &sets.out_of_distribution),
    ] {
        if let Some(named) = named
            && let Some(contents) = set.hash(workload, base)?
        {
            named.path = contents;
        }
    }
    Ok(content_hash(&hashed))
}

/// BLAKE3 of a file's bytes, as 64 hexadecimal digits.
fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The bytes of a file; borrowed where it is built in.
type Contents = Cow<'static, [u8]>;

/// The bytes of a file that a workload names, and its path for messages; `what` should be in it.
fn read(base: &Base, path: &str, what: &str) -> Result<(Contents, PathBuf), Error> {
    match base.locate(path) {
        Location::File(file) => {
            let bytes = tensors::read(&file).map_err(|error| Error::Input {
                path: file.clone(),
                message: format!("cannot be read: {error}; expected {what} in a safetensors file"),
            })?;
            Ok((bytes.into(), file))
        }
        Location::Embedded(name) => {
            let path = PathBuf::from(&name);
            let message = "is not built into the program; name the workload by its file".to_owned();
            let bytes = embedded::data(&name).ok_or(Error::Input { path: path.clone(), message })?;
            Ok((bytes.into(), path))
        }
    }
}

impl Prepared {
    /// The plan of the run.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The configuration, with what `Auto` stood for.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the network answers; none without images, posterior or answers asked for.
    #[must_use]
    pub fn outputs(&self) -> Option<&OutputFacts> {
        self.values.as_ref().map(|values| &values.outputs)
    }

    /// Runs it and follows its critical path.
    ///
    /// # Errors
    /// As [`Plan::critical`].
    pub fn critical(&self, progress: Progress<'_>) -> Result<Critical, Error> {
        let total = self.plan.answers(&self.config);
        let tell = |answers: u64, _| progress(RunPhase::Cycles, answers, total);
        self.plan.critical(&self.config, self.activity(), tell)
    }

    /// Cycles of the run.
    ///
    /// # Errors
    /// Returns [`Error::Deadlock`] if parts wait for each other.
    pub fn cycles(&self) -> Result<u64, Error> {
        let assembly = self.plan.assemble(&self.config, self.activity())?;
        Ok(simulate(&self.config, assembly, None::<Flow>, |_, _| ())?.0.cycles)
    }

    /// Driven rows of the images that are simulated in time, where there are any.
    fn activity(&self) -> Option<Arc<dyn RowActivity>> {
        let counts = self.values.as_ref()?.activity.clone();
        let copies = self.plan.net.layers.iter().any(|layer| layer.copy.is_some());
        Some(if copies { Arc::new(OfCopies::new(counts, &self.plan.net)) } else { counts })
    }

    /// The network as it is described.
    #[must_use]
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The values that the configuration asks to be written.
    #[must_use]
    pub fn recorded(&self) -> Option<&Recorded> {
        self.values.as_ref()?.recorded.as_deref()
    }

    /// Simulates time and energy. Spans go to `sink` as well as to the ledger; `command` is stated in the report.
    ///
    /// # Errors
    /// Returns [`Error::Deadlock`] if parts wait for each other.
    pub fn simulate<K: SpanSink>(
        &self,
        sink: K,
        command: String,
        progress: Progress<'_>,
    ) -> Result<(Finished, K), Error> {
        let (config, plan) = (&self.config, &self.plan);
        let assembly = plan.assemble(config, self.activity())?;
        let links = assembly.network.links() as u64;
        // Read off the parts before the run takes them.
        let expected = closed_form(config, &plan.net, &plan.mapping, &assembly, 0);
        let total = plan.answers(config);
        let start = Instant::now();
        let tell = |answers: u64, _| progress(RunPhase::Cycles, answers, total);
        let (outcome, (tally, sink)) = simulate(config, assembly, (Tally::new(self.empty_ledger()), sink), tell)?;
        let ledger = tally.ledger();
        if config.schedule.fast_forward == FastForward::Checked {
            self.check(&outcome, &ledger)?;
        }
        let (all, waited) = (start.elapsed(), sink.waited());
        let facts = RunFacts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command,
            settings: Vec::new(),
            arch_hash: content_hash(&config.arch),
            workload_hash: self.workload_hash.clone(),
            layers: self.layer_facts(&outcome),
            stages: plan.dataflow.graph.node_weights().map(|stage| stage.name.clone()).collect(),
            inventory: inventory(config, &plan.net, &plan.mapping, links),
            reference_reads: reference_reads(config, &plan.net, &plan.mapping),
            tiles: plan.mapping.tiles,
            arrays: plan.mapping.arrays,
            placed: Some(plan.mapping.placed.clone()),
            replicated: plan.mapping.replicated.clone(),
            events: EventFacts {
                count: outcome.events,
                per_kind: outcome.per_kind,
                skipped: outcome.skipped,
                simulation_s: all.saturating_sub(waited).as_secs_f64(),
                wall_s: all.as_secs_f64(),
            },
            outputs: self.values.as_ref().map(|values| values.outputs.clone()),
            tried: self.tried.clone(),
            closed_form: expected.beside(ledger.makespan()),
            config: config.clone(),
        };
        Ok((Finished { facts, ledger }, sink))
    }

    /// A ledger with room for the run.
    fn empty_ledger(&self) -> Ledger {
        Ledger::new(self.plan.net.layers.len() as u32, self.config.schedule.images, self.plan.mapping.members)
    }

    /// Checks that the sums of a run are those of the same run without anything skipped.
    fn check(&self, outcome: &Outcome, ledger: &Ledger) -> Result<(), Error> {
        let mut config = self.config.clone();
        config.schedule.fast_forward = FastForward::Off;
        let assembly = self.plan.assemble(&config, self.activity())?;
        let (whole, tally) = simulate(&config, assembly, Tally::new(self.empty_ledger()), |_, _| ())?;
        if tally.ledger() == *ledger && whole == (Outcome { skipped: 0, ..outcome.clone() }) {
            return Ok(());
        }
        Err(Error::Internal(format!(
            "the run that skips {} of its events is not the one that simulates all: {} and {} cycles",
            outcome.skipped, outcome.cycles, whole.cycles
        )))
    }

    fn layer_facts(&self, outcome: &Outcome) -> Vec<LayerFacts> {
        let layers = self.plan.net.layers.iter().zip(&self.plan.mapping.layers).enumerate();
        layers
            .map(|(l, (layer, mapped))| LayerFacts {
                name: layer.name.clone(),
                rows: layer.rows,
                columns: layer.columns,
                positions: layer.positions,
                row_blocks: mapped.row_blocks(),
                column_blocks: mapped.column_blocks(),
                replication: mapped.replication,
                arrays: mapped.arrays(),
                tiles: mapped.tiles.len() as u32,
                cells_used: mapped.cells_used,
                cells_total: mapped.cells,
                passes_per_image: mapped.passes,
                macs_per_pass: layer.macs(),
                synapses: layer.synapses(),
                probabilistic_synapses: self.probabilistic.as_ref().map(|counts| counts[self.plan.net.described(l)]),
                frozen_synapses: self
                    .frozen
                    .as_ref()
                    .map(|counts| mapped.plane(Plane::Stochastic).map_or(0, |_| counts[self.plan.net.described(l)])),
                stored_synapses: mapped.plane(Plane::Stochastic).map_or(0, |plane| plane.slots),
                sampled_synapses: mapped.plane(Plane::Stochastic).map_or(0, |plane| plane.weights),
                random_bits: outcome.random_bits.get(l).copied().unwrap_or(0),
            })
            .collect()
    }
}

/// The converters of a layer, plane by plane.
fn converter_facts(ranges: &[PlaneRange], clipping: &LayerClipping) -> Vec<ConverterFacts> {
    let of_plane = |range: &PlaneRange| {
        let clipping = clipping[range.plane as usize];
        ConverterFacts { range: *range, clipping, clipped_share: clipping.share() }
    };
    ranges.iter().map(of_plane).collect()
}

fn output_facts(outputs: &Outputs, images: &LoadedImages, model: &FunctionalModel) -> OutputFacts {
    let labels = images.labels().map(|labels| &labels[outputs.images.clone()]);
    let probabilities = &outputs.mean_probabilities;
    let scored = |score: &dyn Fn(&[f64], &[u32]) -> f64| labels.map(|labels| score(probabilities, labels));
    OutputFacts {
        images: outputs.images.len() as u32,
        members: outputs.members as u32,
        labels: labels.unwrap_or_default().to_vec(),
        predictions: outputs.predictions.clone(),
        mean_probabilities: probabilities.chunks_exact(outputs.classes).map(<[f64]>::to_vec).collect(),
        entropy: outputs.entropy.clone(),
        mutual_information: outputs.mutual_information.clone(),
        member_correlation: metrics::member_correlation(&outputs.logits, outputs.members, outputs.classes),
        members_apart: model.members_apart,
        realised: (0..outputs.clipping.len()).map(|layer| model.realised(layer).cloned()).collect(),
        accuracy: scored(&metrics::accuracy),
        ece: scored(&|p, labels| metrics::expected_calibration_error(p, labels, metrics::DEFAULT_BINS)),
        nll: scored(&metrics::negative_log_likelihood),
        brier: scored(&metrics::brier),
        ood: None,
        statistics: model.statistics.clone(),
        statistics_of_others: model.passed_over.clone(),
        clipped_share: outputs.clipping.iter().map(|of| Clipping::of_layer(of).share()).collect(),
        converters: (0..outputs.clipping.len())
            .map(|layer| converter_facts(model.ranges(layer), &outputs.clipping[layer]))
            .collect(),
        adc_step: (0..outputs.clipping.len()).map(|layer| model.step(layer)).collect(),
    }
}
