//! Batch-norm statistics and input scales for a sampling configuration, estimated anew on images.
//!
//! Layer by layer, on the chip as configured: the accumulators of all images and members behind pooling give mean and
//! variance of each output; the values that batch norm makes of them with these give the scale of the layers that read
//! them, the one with the least squared error of quantising; and the codes of that scale are the next layer's input.

use crate::error::Error;
use crate::functional::maps::Maps;
use crate::functional::post::{Affine, CodeRange, max_pool};
use crate::functional::ranges::next_layer;
use crate::functional::{FunctionalModel, FunctionalSpec};
use crate::workload::{BatchNorm, LoadedImages, LoadedPosterior, Net};
use std::sync::Arc;

/// Statistics of a layer in the configuration of a model.
#[derive(Debug, Clone)]
pub struct CalibratedLayer {
    /// Batch-norm statistics of each member, or one for all.
    pub statistics: Vec<BatchNorm>,
    /// Value of input code 1.
    pub input_scale: f32,
}

/// Most bytes of codes that are kept at once.
const MOST: u128 = 1 << 31;
/// Bins of the histogram that scales are fitted to, and scales that are compared.
const BINS: usize = 4096;
const SCALES: usize = 200;

impl FunctionalModel {
    /// Estimates the statistics of every layer, and the scales of all inputs but that of the network, on `images`. All
    /// members share the scales, and with `per_member` each member has statistics of its own in the layers that run for it.
    /// The model itself, which was made by `spec`, is left with them; calibrated ranges of converters are found anew, layer by
    /// layer, on the first of the images. `progress` is called with the number of layers done.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the images do not have the network's input shape, there are none, or so many that the
    /// codes of a layer take more than 2 GiB.
    #[expect(clippy::too_many_arguments, reason = "a calibration has as many")]
    pub fn calibrate(
        &mut self,
        spec: &FunctionalSpec,
        net: &Net,
        posterior: &LoadedPosterior,
        images: &LoadedImages,
        per_member: bool,
        threads: usize,
        progress: &dyn Fn(usize),
    ) -> Result<Vec<CalibratedLayer>, Error> {
        self.check_images(images, &(0..images.len()))?;
        let mut maps = Maps::new(net, images, self.members, self.first_ensembling);
        let bytes = maps.bytes();
        if images.is_empty() || bytes > MOST {
            let message = format!(
                "{} calibration images need {bytes} B; expected 1 image or more and at most {MOST} B",
                images.len()
            );
            return Err(Error::Config(message));
        }
        let mut spec = spec.clone();
        let mut scales: Vec<f32> = posterior.layers.iter().map(|layer| layer.input_scale).collect();
        let mut calibrated = Vec::with_capacity(net.layers.len());
        for (l, layer) in net.layers.iter().enumerate() {
            if spec.ranges.is_some() {
                let before = Self { layers: self.layers[..l].to_vec(), ..self.clone() };
                let with = next_layer(&mut spec, &before, net, posterior, &maps, threads)?;
                self.layers[l] = Arc::clone(&with.layers[l]);
            }
            let pooled = maps.each(l, images.len(), threads, &|image, member, input| {
                let (accumulators, _) = self.accumulate(l, image, member, input, &mut ());
                max_pool(&accumulators, layer.linear, layer.pool)
            });
            let unit = self.step(l) * f64::from(scales[l]);
            let learned = &posterior.layers[l].learned;
            // Maps that share statistics follow each other.
            let together = if per_member { images.len() } else { pooled.len() };
            let of_maps = |maps: &[Vec<i32>]| statistics(maps, layer.columns as usize, unit, &learned.bias);
            let statistics: Vec<BatchNorm> = pooled.chunks(together).map(of_maps).collect();
            let consumers: Vec<usize> = net.consumers(l).collect();
            let (bn_eps, step, scale) = (posterior.bn_eps, self.step(l), scales[l]);
            let affines = if consumers.is_empty() {
                let affine = |of: &BatchNorm| Affine::logits(of, learned, bn_eps, step, scale, posterior.kappa);
                statistics.iter().map(affine).collect()
            } else {
                let to_codes_of = |output_scale: f32| -> Vec<Affine> {
                    let affine = |of: &BatchNorm| Affine::hidden(of, learned, bn_eps, step, scale, output_scale);
                    statistics.iter().map(affine).collect()
                };
                // To values first: codes of scale 1.
                let to_values = to_codes_of(1.0);
                let range = CodeRange::new(layer.output_bits, layer.relu);
                let values = |take: &mut dyn FnMut(f64)| {
                    for (map, sums) in pooled.iter().enumerate() {
                        to_values[map / together].apply(sums).for_each(&mut *take);
                    }
                };
                let output_scale = best_scale(values, range);
                consumers.iter().for_each(|&consumer| scales[consumer] = output_scale);
                let affines = to_codes_of(output_scale);
                let codes = |(map, sums): (usize, &Vec<i32>)| {
                    affines[map / together].apply(sums).map(|value| range.code(value)).collect()
                };
                maps.push(pooled.iter().enumerate().map(codes).collect());
                affines
            };
            Arc::make_mut(&mut self.layers[l]).affines = affines;
            if consumers.is_empty() {
                maps.push(Vec::new());
            }
            calibrated.push(CalibratedLayer { statistics, input_scale: scales[l] });
            progress(l + 1);
        }
        Ok(calibrated)
    }
}

/// Mean and variance of each of `columns` outputs, with its bias, over maps `[column][position]` in units of `unit`. Sums
/// are whole numbers, so their order does not matter.
fn statistics(maps: &[Vec<i32>], columns: usize, unit: f64, bias: &[f32]) -> BatchNorm {
    let mut sums = vec![(0_i128, 0_i128); columns];
    let mut number = 0_u64;
    for map in maps {
        let positions = map.len() / columns;
        number += positions as u64;
        for (values, (sum, squares)) in map.chunks_exact(positions).zip(&mut sums) {
            for &value in values {
                *sum += i128::from(value);
                *squares += i128::from(value) * i128::from(value);
            }
        }
    }
    let n = number as f64;
    let mean = |&(sum, _): &(i128, i128)| sum as f64 / n;
    let var = |&(sum, squares): &(i128, i128)| {
        // n squares - sum^2 is whole and not negative.
        ((i128::from(number) * squares - sum * sum) as f64 / (n * n)).max(0.0)
    };
    BatchNorm {
        mean: sums.iter().zip(bias).map(|(sum, bias)| (mean(sum) * unit + f64::from(*bias)) as f32).collect(),
        var: sums.iter().map(|sum| (var(sum) * unit * unit) as f32).collect(),
    }
}

/// The scale of codes of `range` that quantises values, each given to a function, with the least squared error, of [`SCALES`] equally far from each
/// other up to the one that clips nothing.
fn best_scale(values: impl Fn(&mut dyn FnMut(f64)), range: CodeRange) -> f32 {
    let (lowest, highest) = (range.lowest(), range.highest());
    let used = |value: f64| if lowest == 0.0 { value.max(0.0) } else { value.abs() };
    let mut largest = 0.0_f64;
    values(&mut |value| largest = largest.max(used(value)));
    if largest == 0.0 {
        return 1.0;
    }
    let mut histogram = vec![0_u64; BINS];
    values(&mut |value| {
        let bin = used(value) / largest * BINS as f64;
        histogram[(bin as usize).min(BINS - 1)] += 1;
    });
    let error = |scale: f64| {
        let bins = histogram.iter().enumerate().filter(|(_, count)| **count > 0);
        let of_bin = |(bin, &count): (usize, &u64)| {
            let value = (bin as f64 + 0.5) / BINS as f64 * largest;
            let code = (value / scale).round_ties_even().min(highest);
            (value - code * scale).powi(2) * count as f64
        };
        bins.map(of_bin).sum::<f64>()
    };
    let scales = (1..=SCALES).map(|i| largest / highest * i as f64 / SCALES as f64);
    let best = scales.map(|scale| (scale, error(scale))).min_by(|a, b| a.1.total_cmp(&b.1));
    best.map_or(1.0, |(scale, _)| scale as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_all_maps() {
        // Column 0: 1, 3, 5 and 7; column 1: -2 four times. In units of 0.5, with biases of 1 and 0.
        let made = statistics(&[vec![1, 3, -2, -2], vec![5, 7, -2, -2]], 2, 0.5, &[1.0, 0.0]);
        assert_eq!((made.mean, made.var), (vec![3.0, -1.0], vec![1.25, 0.0]));
    }

    #[test]
    fn a_scale_clips_what_is_rare() {
        let range = CodeRange::new(2, true);
        // Codes 0 to 3: values of 0 to 3 are exact at scale 1.
        let scale = |values: &[f64]| best_scale(|take| values.iter().copied().for_each(take), range);
        let mut values: Vec<f64> = (0..400).map(|i| f64::from(i % 4)).collect();
        assert!((scale(&values) - 1.0).abs() < 0.01);
        // One value of 6 among them is not worth twice the step.
        values.push(6.0);
        assert!((scale(&values) - 1.0).abs() < 0.02);
        assert_eq!(scale(&[0.0, -1.0]), 1.0);
    }
}
