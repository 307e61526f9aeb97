//! Ranges of converters that are calibrated, layer by layer, on images.
//!
//! The range of a plane of a layer is the smallest whole number of cell currents with which at most 100 - p per cent of its
//! conversions clip, at least the highest code (a step is never finer than a cell current) and at most full scale. The images
//! run through the chip as it is configured, with its memory cells, and with the ranges that the layers before have got. Wider
//! ranges clip less, so the range is found by bisection.

use crate::config::Plane;
use crate::error::Error;
use crate::functional::adc::top_code;
use crate::functional::maps::Maps;
use crate::functional::model::{FunctionalModel, FunctionalSpec};
use crate::functional::pass::{Clipping, LayerClipping};
use crate::workload::{LoadedImages, LoadedPosterior, Net};
use std::sync::Arc;

/// Images that ranges are calibrated on, at most: the first ones.
pub const MOST_IMAGES: usize = 64;

/// The configuration with its `Percentile` ranges calibrated on the first 64 of `images`; as it is if it has
/// none. Results do not depend on the number of threads. `progress` is called with the number of layers done.
///
/// # Errors
/// Returns [`Error::Config`] if there are no images, or they do not have the network's input shape; otherwise as
/// [`FunctionalModel::new`].
pub fn with_ranges(
    spec: FunctionalSpec,
    net: &Net,
    posterior: &LoadedPosterior,
    images: &LoadedImages,
    threads: usize,
    progress: &dyn Fn(usize),
) -> Result<FunctionalSpec, Error> {
    if spec.percentiles() == [None; 2] {
        return Ok(spec);
    }
    let first: Vec<usize> = (0..images.len().min(MOST_IMAGES)).collect();
    let images = images.select(&first);
    let mut spec = FunctionalSpec { ranges: Some(Arc::default()), ..spec };
    let mut model = FunctionalModel::prepare(&spec, net, posterior, &[], 0)?;
    if images.is_empty() {
        return Err(Error::Config("there are no images to calibrate ranges on".to_owned()));
    }
    model.check_images(&images, &(0..images.len()))?;
    let mut maps = Maps::new(net, &images, model.members(), model.first_ensembling);
    for layer in 0..net.layers.len() {
        progress(layer);
        model = next_layer(&mut spec, &model, net, posterior, &maps, threads)?;
        maps.run(&model, threads);
    }
    Ok(spec)
}

/// A model with one layer more, whose calibrated ranges are found and added to `spec`; `maps` has what it reads.
pub(super) fn next_layer(
    spec: &mut FunctionalSpec,
    before: &FunctionalModel,
    net: &Net,
    posterior: &LoadedPosterior,
    maps: &Maps<'_>,
    threads: usize,
) -> Result<FunctionalModel, Error> {
    let layer = before.layers.len();
    let with = |ranges: [Option<u32>; 2]| {
        let mut all = spec.ranges.as_deref().cloned().unwrap_or_default();
        all.truncate(layer);
        all.push(ranges);
        FunctionalSpec { ranges: Some(Arc::new(all)), ..spec.clone() }
    };
    let build = |spec: &FunctionalSpec| FunctionalModel::prepare(spec, net, posterior, &before.layers, layer + 1);
    let widest = build(&with([None; 2]))?;
    let percentiles = spec.percentiles();
    // The range of each plane is one of these.
    let mut between = [Plane::Deterministic, Plane::Stochastic].map(|plane| {
        percentiles[plane as usize]?;
        let most = widest.ranges(layer).iter().find(|range| range.plane == plane)?.full_scale;
        let top = top_code(spec.arrays(plane).adc.as_ref()?).max(1) as u32;
        Some((top.min(most), most))
    });
    let open = |between: &[Option<(u32, u32)>; 2]| between.iter().flatten().any(|(low, high)| low < high);
    while open(&between) {
        let middle = between.map(|range| range.map(|(low, high)| low + (high - low) / 2));
        let model = build(&with(middle))?;
        let mut counted = LayerClipping::default();
        let images = maps.images().min(MOST_IMAGES);
        let passes = maps.each(layer, images, threads, &|image, member, input| {
            model.accumulate(layer, image, member, input, &mut ()).1
        });
        for of_pass in passes {
            counted.iter_mut().zip(of_pass).for_each(|(sum, more)| sum.add(more));
        }
        for ((range, middle), (counted, percentage)) in
            between.iter_mut().zip(middle).zip(counted.into_iter().zip(percentiles))
        {
            if let (Some((low, high)), Some(middle), Some(percentage)) = (range, middle, percentage) {
                if within(counted, percentage) { *high = middle } else { *low = middle + 1 }
            }
        }
    }
    *spec = with(between.map(|range| range.map(|(_, high)| high)));
    build(spec)
}

/// Whether a percentage of conversions, or more, did not clip.
fn within(counted: Clipping, percentage: f64) -> bool {
    // Counts are whole numbers below 2^53.
    counted.clipped as f64 * 100.0 <= (100.0 - percentage) * counted.conversions as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_of_conversions_may_clip() {
        let clips = |clipped| within(Clipping { clipped, conversions: 1000 }, 99.5);
        assert_eq!([0, 5, 6].map(clips), [true, true, false]);
        assert!(!within(Clipping { clipped: 1, conversions: 1 << 40 }, 100.0));
    }
}
