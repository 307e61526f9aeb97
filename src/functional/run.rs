//! Answers for many images, on many threads.

use crate::error::Error;
use crate::functional::activity::ActivityTable;
use crate::functional::model::FunctionalModel;
use crate::functional::pass::{LayerClipping, Observer, add_clipping};
use crate::functional::uncertainty::Answer;
use crate::parallel::in_order;
use crate::workload::LoadedImages;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers of a run over images `images`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// The answered images.
    pub images: Range<usize>,
    /// Ensemble members of each answer (T).
    pub members: usize,
    /// Classes of an answer.
    pub classes: usize,
    /// Logits `[image][member][class]`.
    pub logits: Vec<f64>,
    /// Mean over members of softmax(logits), `[image][class]`.
    pub mean_probabilities: Vec<f64>,
    /// Most probable class of each image.
    pub predictions: Vec<u32>,
    /// Entropy of the mean probabilities of each image, nats.
    pub entropy: Vec<f64>,
    /// Mean entropy of the members of each image, nats.
    pub aleatoric: Vec<f64>,
    /// Mutual information of answer and weights of each image, nats.
    pub mutual_information: Vec<f64>,
    /// Conversions of each layer, all images and members together.
    pub clipping: Vec<LayerClipping>,
}

/// Logits `[image][member][class]` of a model, and of each image the conversions of each layer.
pub type Counted = (Vec<f64>, Vec<Vec<LayerClipping>>);

/// Values that a run keeps besides its answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Number of images, from the run's first one on, whose reads are counted; those beyond the run's are computed for
    /// that alone.
    pub activity: usize,
    /// Whether accumulators are kept.
    pub accumulators: bool,
}

/// Answers of a run, and the values kept besides them.
#[derive(Debug)]
pub struct Evaluation {
    /// The answers.
    pub outputs: Outputs,
    /// Driven rows of the reads of the images asked for.
    pub activity: ActivityTable,
    /// Accumulators of each layer before pooling, `[image][member][channel][position]`, in units of the layer's
    /// [`step`](FunctionalModel::step); a layer that all members share has those of member 0 only. Empty where they were not
    /// asked for.
    pub accumulators: Vec<Vec<i32>>,
}

/// Results of one image.
struct ImageValues {
    image: usize,
    logits: Vec<f64>,
    clipping: Vec<LayerClipping>,
    activity: Option<ActivityTable>,
    accumulators: Vec<Vec<i32>>,
}

/// Records the values to keep of an image; its reads only if `READS`, which takes longer.
struct Keeper<const READS: bool> {
    activity: ActivityTable,
    accumulators: Option<Vec<Vec<i32>>>,
}

impl<const READS: bool> Observer for Keeper<READS> {
    const WATCHES_INPUTS: bool = READS;

    fn accumulators(&mut self, layer: usize, _: usize, _: usize, accumulators: &[i32]) {
        if let Some(layers) = &mut self.accumulators {
            layers[layer].extend_from_slice(accumulators);
        }
    }

    fn inputs(&mut self, layer: usize, image: usize, member: usize, position: usize, window: &[u16]) {
        self.activity.count(layer, image, member, position, window);
    }
}

impl FunctionalModel {
    /// Answers images `range` with `threads` (at least 1) threads; results do not depend on their number. `progress` is
    /// called after each image with how many are done.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the images do not have the network's input shape, or `range` goes beyond them.
    pub fn run(
        &self,
        images: &LoadedImages,
        range: Range<usize>,
        threads: usize,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Outputs, Error> {
        self.evaluate(images, range, Keep::default(), threads, progress).map(|evaluation| evaluation.outputs)
    }

    /// The same, and keeps what is asked for: each image is computed once.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn evaluate(
        &self,
        images: &LoadedImages,
        range: Range<usize>,
        keep: Keep,
        threads: usize,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Evaluation, Error> {
        let counted = range.start..range.start + keep.activity;
        let end = range.end.max(counted.end);
        self.check_images(images, &(range.start..end))?;
        let done = AtomicUsize::new(0);
        let values = in_order(range.start..end, threads, &|image| {
            let values = if counted.contains(&image) {
                self.values::<true>(image, images, keep.accumulators)
            } else {
                self.values::<false>(image, images, keep.accumulators)
            };
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            values
        });
        Ok(self.put_together(range, values))
    }

    fn values<const READS: bool>(&self, image: usize, images: &LoadedImages, accumulators: bool) -> ImageValues {
        let read = if READS { image..image + 1 } else { image..image };
        let accumulators = accumulators.then(|| vec![Vec::new(); self.layers.len()]);
        let mut keeper = Keeper::<READS> { activity: ActivityTable::new(self, read), accumulators };
        let mut clipping = vec![LayerClipping::default(); self.layers.len()];
        let logits = self.answer(image, images.codes(image), &mut clipping, &mut keeper);
        let activity = READS.then_some(keeper.activity);
        ImageValues { image, logits, clipping, activity, accumulators: keeper.accumulators.unwrap_or_default() }
    }

    /// Logits `[image][member][class]` of images `range` by this model and by `others`, which have as many members, with
    /// their conversions: model by model. Layers that another model holds [together](Self::beside) with this one are computed once.
    ///
    /// # Errors
    /// As [`run`](Self::run), which gives the same logits.
    pub fn run_together(
        &self,
        others: &[&FunctionalModel],
        images: &LoadedImages,
        range: Range<usize>,
        threads: usize,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Counted>, Error> {
        self.check_images(images, &range)?;
        let done = AtomicUsize::new(0);
        let answers = in_order(range, threads, &|image| {
            let logits = self.answer_together(others, image, images.codes(image));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            logits
        });
        let mut of_models = vec![(Vec::new(), Vec::new()); others.len() + 1];
        for of_image in answers {
            for ((all, counted), (logits, clipping)) in of_models.iter_mut().zip(of_image) {
                all.extend(logits);
                counted.push(clipping);
            }
        }
        Ok(of_models)
    }

    /// Runs one image with all members and shows every step to `observer`; gives the logits `[member][class]`.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn observe(
        &self,
        images: &LoadedImages,
        image: usize,
        observer: &mut impl Observer,
    ) -> Result<Vec<f64>, Error> {
        self.check_images(images, &(image..image + 1))?;
        let mut clipping = vec![LayerClipping::default(); self.layers.len()];
        Ok(self.answer(image, images.codes(image), &mut clipping, observer))
    }

    pub(super) fn check_images(&self, images: &LoadedImages, range: &Range<usize>) -> Result<(), Error> {
        if images.shape() != self.input {
            return Err(Error::Config(format!("images are {}; the network reads {}", images.shape(), self.input)));
        }
        if range.end > images.len() {
            return Err(Error::Config(format!("image {} is asked for; there are {}", range.end - 1, images.len())));
        }
        Ok(())
    }

    /// Puts images together in their order.
    fn put_together(&self, images: Range<usize>, values: Vec<ImageValues>) -> Evaluation {
        let (members, classes) = (self.members(), self.classes());
        let mut clipping = vec![LayerClipping::default(); self.layers.len()];
        let mut logits = Vec::with_capacity(images.len() * members * classes);
        let mut activity = ActivityTable::new(self, images.start..images.start);
        let mut accumulators: Vec<Vec<i32>> = Vec::new();
        for image in values {
            if let Some(reads) = image.activity {
                activity.append(reads);
            }
            if image.image >= images.end {
                continue;
            }
            logits.extend(image.logits);
            add_clipping(&mut clipping, &image.clipping);
            if accumulators.is_empty() {
                accumulators = image.accumulators;
            } else {
                accumulators.iter_mut().zip(image.accumulators).for_each(|(all, more)| all.extend(more));
            }
        }
        let answers: Vec<Answer> =
            logits.chunks_exact(members * classes).map(|logits| Answer::from_logits(logits, classes)).collect();
        let outputs = Outputs {
            images,
            members,
            classes,
            mean_probabilities: answers.iter().flat_map(|answer| answer.mean_probabilities.iter().copied()).collect(),
            predictions: answers.iter().map(|answer| answer.prediction).collect(),
            entropy: answers.iter().map(|answer| answer.entropy).collect(),
            aleatoric: answers.iter().map(|answer| answer.aleatoric).collect(),
            mutual_information: answers.iter().map(|answer| answer.mutual_information).collect(),
            logits,
            clipping,
        };
        Evaluation { outputs, activity, accumulators }
    }
}
