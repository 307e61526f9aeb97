//! What happens to a layer's accumulators: max-pooling, batch norm, activation and quantisation.
//!
//! Batch norm is folded into one product and one sum, each rounded to f64 by itself (no fused multiply-add), so that
//! any IEEE 754 implementation of the same formula gives the same codes. With accumulator a in units of the sums'
//! step, input scale s_in, scale s_out of the layers that read the output, sd = sqrt(var + eps), and learned bias c,
//! scale gamma and shift beta (0, 1 and 0 where there are none):
//! - hidden layer: code = clip(round(a * (gamma step s_in / (sd s_out)) + (gamma (c - mean) / (sd s_out) + beta / s_out))),
//!   halves to even;
//! - last layer: logit = a * (kappa gamma step s_in / sd) + (kappa gamma (c - mean) / sd + kappa beta).
//!
//! Pooling takes the largest accumulator whatever the sign of gamma: it comes before batch norm, as in a network
//! that is trained as convolution, max-pool, batch norm, ReLU.

use crate::functional::kernels::{Instructions, Work};
use crate::workload::{BatchNorm, Learned, Shape};

/// Largest accumulators of square windows that do not overlap: from a map `[channels][height][width]` of `shape` to one
/// of `shape / side`.
#[must_use]
pub fn max_pool(accumulators: &[i32], shape: Shape, side: u32) -> Vec<i32> {
    if side == 1 {
        return accumulators.to_vec();
    }
    let (height, width, side) = (shape.height as usize, shape.width as usize, side as usize);
    let mut pooled = vec![i32::MIN; accumulators.len() / (side * side)];
    let rows_of_windows =
        accumulators.chunks_exact(height * width).flat_map(|channel| channel.chunks_exact(side * width));
    for (pooled, rows) in pooled.chunks_exact_mut(width / side).zip(rows_of_windows) {
        for row in rows.chunks_exact(width) {
            for (largest, window) in pooled.iter_mut().zip(row.chunks_exact(side)) {
                *largest = window.iter().fold(*largest, |largest, &of| largest.max(of));
            }
        }
    }
    pooled
}

/// Folded batch norm of one layer: factor and summand of each channel.
#[derive(Debug, Clone)]
pub struct Affine {
    channels: Vec<(f64, f64)>,
}

/// Batch norm of one channel: `gamma (x + centre) / sd + beta`.
struct Channel {
    centre: f64,
    sd: f64,
    gamma: f64,
    beta: f64,
}

impl Affine {
    /// Batch norm of a hidden layer, to codes of scale `output_scale`.
    #[must_use]
    pub fn hidden(
        statistics: &BatchNorm,
        learned: &Learned,
        bn_eps: f64,
        step: f64,
        input_scale: f32,
        output_scale: f32,
    ) -> Self {
        let (input_scale, output_scale) = (f64::from(input_scale), f64::from(output_scale));
        Self::fold(statistics, learned, bn_eps, |c| {
            let factor = c.gamma * (step * input_scale) / (c.sd * output_scale);
            (factor, c.gamma * c.centre / (c.sd * output_scale) + c.beta / output_scale)
        })
    }

    /// Batch norm of the last layer, to logits.
    #[must_use]
    pub fn logits(
        statistics: &BatchNorm,
        learned: &Learned,
        bn_eps: f64,
        step: f64,
        input_scale: f32,
        kappa: f64,
    ) -> Self {
        let input_scale = f64::from(input_scale);
        Self::fold(statistics, learned, bn_eps, |c| {
            let factor = c.gamma * (kappa * input_scale * step) / c.sd;
            (factor, c.gamma * (kappa * c.centre) / c.sd + kappa * c.beta)
        })
    }

    fn fold(statistics: &BatchNorm, learned: &Learned, bn_eps: f64, fold: impl Fn(Channel) -> (f64, f64)) -> Self {
        let channel = |m: usize| {
            fold(Channel {
                centre: f64::from(learned.bias[m]) - f64::from(statistics.mean[m]),
                sd: (f64::from(statistics.var[m]) + bn_eps).sqrt(),
                gamma: f64::from(learned.scale[m]),
                beta: f64::from(learned.shift[m]),
            })
        };
        Self { channels: (0..statistics.mean.len()).map(channel).collect() }
    }

    /// Applies it to a map `[channels][...]` of accumulators.
    pub fn apply(&self, accumulators: &[i32]) -> impl Iterator<Item = f64> {
        let size = accumulators.len() / self.channels.len();
        accumulators.chunks_exact(size).zip(&self.channels).flat_map(|(channel, &(factor, summand))| {
            channel.iter().map(move |&accumulator| f64::from(accumulator) * factor + summand)
        })
    }
}

/// The codes of the accumulators of a hidden layer.
pub(super) struct Codes<'a> {
    pub affine: &'a Affine,
    pub range: CodeRange,
    /// `[channel][...]`
    pub accumulators: &'a [i32],
}

impl Work for Codes<'_> {
    type Output = Vec<u16>;

    #[inline(always)]
    fn run(self, _: Instructions) -> Vec<u16> {
        let size = self.accumulators.len() / self.affine.channels.len();
        let mut codes = vec![0; self.accumulators.len()];
        let channels = self.accumulators.chunks_exact(size).zip(codes.chunks_exact_mut(size));
        for ((accumulators, codes), &(factor, summand)) in channels.zip(&self.affine.channels) {
            for (code, &accumulator) in codes.iter_mut().zip(accumulators) {
                *code = self.range.code(f64::from(accumulator) * factor + summand);
            }
        }
        codes
    }
}

/// Codes of an activation with a given number of bits, as an interval.
#[derive(Debug, Clone, Copy)]
pub struct CodeRange {
    lowest: f64,
    highest: f64,
}

impl CodeRange {
    /// Codes of `bits` (1..=16) bits: from 0 on after a ReLU, else two's complement.
    #[must_use]
    pub fn new(bits: u32, relu: bool) -> Self {
        let codes = f64::from(1u32 << bits);
        if relu {
            Self { lowest: 0.0, highest: codes - 1.0 }
        } else {
            Self { lowest: -codes / 2.0, highest: codes / 2.0 - 1.0 }
        }
    }

    /// Smallest code.
    #[must_use]
    pub fn lowest(self) -> f64 {
        self.lowest
    }

    /// Largest code.
    #[must_use]
    pub fn highest(self) -> f64 {
        self.highest
    }

    /// The code of a value in units of the scale; two's complement in 16 bits.
    #[must_use]
    #[inline(always)]
    pub fn code(self, value: f64) -> u16 {
        value.round_ties_even().clamp(self.lowest, self.highest) as i32 as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_accumulator_of_each_window_is_kept() {
        let shape = Shape { channels: 1, height: 2, width: 4 };
        assert_eq!(max_pool(&[1, -5, 7, 2, 3, 0, -9, 8], shape, 2), [3, 8]);
        assert_eq!(max_pool(&[-4, -3, -2, -1, -8, -7, -6, -5], shape, 2), [-3, -1]);
    }

    #[test]
    fn halves_go_to_the_even_code_and_codes_are_clipped() {
        let relu = CodeRange::new(4, true);
        assert_eq!([-0.6, 0.5, 1.5, 2.5, 14.4, 15.6, 99.0].map(|v| relu.code(v)), [0, 0, 2, 2, 14, 15, 15]);
        let signed = CodeRange::new(4, false);
        assert_eq!([-9.0, -8.4, -0.5, 7.0, 7.6].map(|v| signed.code(v) as i16), [-8, -8, 0, 7, 7]);
    }

    #[test]
    fn batch_norm_is_folded() {
        // sd = sqrt(3.75 + 0.25) = 2: (10 * 0.5 - 1) / 2 / 0.25 = 8; logit 4 * (10 * 0.5 - 1) / 2 = 8.
        let statistics = BatchNorm { mean: vec![1.0], var: vec![3.75] };
        let none = Learned::none(1);
        let hidden = Affine::hidden(&statistics, &none, 0.25, 1.0, 0.5, 0.25);
        assert_eq!(hidden.apply(&[10]).collect::<Vec<_>>(), [8.0]);
        let logits = Affine::logits(&statistics, &none, 0.25, 1.0, 0.5, 4.0);
        assert_eq!(logits.apply(&[10]).collect::<Vec<_>>(), [8.0]);
        // Two cell currents to a unit: as 20 single ones.
        let coarse = Affine::logits(&statistics, &none, 0.25, 2.0, 0.5, 4.0);
        assert_eq!(coarse.apply(&[10]).collect::<Vec<_>>(), [18.0]);
        // With bias 3, gamma -2 and beta 0.5: (-2 (10 * 0.5 + 3 - 1) / 2 + 0.5) / 0.25 = -26, times 4 = -26 as logit.
        let learned = Learned { bias: vec![3.0], scale: vec![-2.0], shift: vec![0.5] };
        let hidden = Affine::hidden(&statistics, &learned, 0.25, 1.0, 0.5, 0.25);
        assert_eq!(hidden.apply(&[10]).collect::<Vec<_>>(), [-26.0]);
        let logits = Affine::logits(&statistics, &learned, 0.25, 1.0, 0.5, 4.0);
        assert_eq!(logits.apply(&[10]).collect::<Vec<_>>(), [-26.0]);
    }
}
