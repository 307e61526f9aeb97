//! Answers for many images, on many threads.

use crate::error::Error;
use crate::functional::model::FunctionalModel;
use crate::functional::pass::{Clipping, Observer};
use crate::functional::uncertainty::Answer;
use crate::workload::LoadedImages;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers of a run over images `images`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// Which images were answered.
    pub images: Range<usize>,
    pub members: usize,
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
    pub clipping: Vec<Clipping>,
}

/// What one thread makes of its images.
struct Part {
    logits: Vec<f64>,
    clipping: Vec<Clipping>,
}

impl FunctionalModel {
    /// Answers images `range` with `threads` (at least 1) threads; results do not depend on their number. `progress` is
    /// called after each image with how many are done.
    ///
    /// # Errors
    /// [`Error::Config`] when the images do not have the network's input shape, or `range` goes beyond them.
    pub fn run(
        &self,
        images: &LoadedImages,
        range: Range<usize>,
        threads: usize,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Outputs, Error> {
        self.check_images(images, &range)?;
        let done = AtomicUsize::new(0);
        let part = |range: Range<usize>| {
            let mut part = Part { logits: Vec::new(), clipping: vec![Clipping::default(); self.layers.len()] };
            for image in range {
                part.logits.extend(self.answer(image, images.codes(image), &mut part.clipping, &mut ()));
                progress(done.fetch_add(1, Ordering::Relaxed) + 1);
            }
            part
        };
        let each = range.len().div_ceil(threads.max(1)).max(1);
        let shares: Vec<Range<usize>> =
            range.clone().step_by(each).map(|start| start..(start + each).min(range.end)).collect();
        let part = &part;
        let parts: Vec<Part> = std::thread::scope(|scope| {
            let workers: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || part(share))).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        Ok(self.outputs(range, parts))
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
        let mut clipping = vec![Clipping::default(); self.layers.len()];
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

    /// Puts the parts together in the order of the images.
    fn outputs(&self, images: Range<usize>, parts: Vec<Part>) -> Outputs {
        let (members, classes) = (self.members(), self.classes());
        let mut clipping = vec![Clipping::default(); self.layers.len()];
        let mut logits = Vec::with_capacity(images.len() * members * classes);
        for part in parts {
            logits.extend(part.logits);
            for (sum, counted) in clipping.iter_mut().zip(part.clipping) {
                sum.clipped += counted.clipped;
                sum.conversions += counted.conversions;
            }
        }
        let answers: Vec<Answer> =
            logits.chunks_exact(members * classes).map(|logits| Answer::from_logits(logits, classes)).collect();
        Outputs {
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
        }
    }
}
