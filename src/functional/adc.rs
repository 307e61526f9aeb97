//! The converter: what a sum of cell currents becomes.
//!
//! A read of a row block gives whole numbers of cell currents: +-1 weights, and rows driven at levels 0 to 2^p - 1 by
//! pulses of p bits (0 or 1 where p is 1). The unit is the current of an on cell at level 1. A converter of n bits turns a
//! sum s into the code `clamp(round(s / step))`, halves away from zero.
//! - A pair's sum has a sign; codes are -(2^(n-1) - 1)..=2^(n-1) - 1, symmetric about 0: two's complement has one code
//!   more on the negative side, which is not used. (One bit: codes -1 and 0.)
//! - A single bitline's sum has none; codes are 0..=2^n - 1.
//!
//! With the largest code c, the range sets the step, and sums beyond the extreme codes clip:
//! - `Fixed(range)`: `step = range (2^p - 1) / c`, a reference that is set once for all layers, stated in currents at full
//!   level. A step that is no whole number of cell currents rounds, also where it is finer than one.
//! - `FullScale`: `step = max(1, rows level / c)` for the rows in use in the layer's largest row block and the highest level
//!   of its inputs: the reference is set layer by layer so that one code is one cell current where the bits suffice, and no
//!   sum clips.
//! - `Percentile(p)`: `step = max(1, r / c)` for a range of r cell currents at level 1, which is found layer by
//!   layer.
//!
//! With conversions `PerValue` sums are those of whole input codes: `sum over pulses of 2^(its lowest bit) s`. Then the largest
//! code stands for the highest level, and for full level what a row comes to that is at full level in every pulse.

use crate::config::{Adc, AdcInput, AdcRange, Conversions};
use crate::functional::kernels::{Multiplication, Rounding};
use crate::readout::Digits;

/// Codes for all sums that an array of a layer can give.
#[derive(Debug, Clone)]
pub struct Quantiser {
    input: AdcInput,
    digits: Digits,
    conversions: Conversions,
    step: f64,
    /// Extreme codes.
    bottom: i32,
    top: i32,
    /// Code of sum s at `s + offset`; empty where there are too many of them.
    codes: Vec<i32>,
    offset: i32,
    /// The same codes by a multiplication, where one gives them.
    scale: Option<Scale>,
    narrow: Option<Multiplication>,
    /// Sums that do not clip.
    lowest: i32,
    highest: i32,
    /// The largest sum of ideal cells.
    most: i32,
}

/// The largest sum whose codes are listed.
const MOST_LISTED: i32 = 1 << 15;

/// The code of sum s as `min((|s| factor + half) >> shift, top)` with the sign of s: what wide instructions compute faster
/// than they look up.
#[derive(Debug, Clone, Copy)]
struct Scale {
    factor: i32,
    half: i32,
    shift: u32,
    top: i32,
}

impl Scale {
    /// The one that gives `codes` for the sums from `first` on, if there is one within 32 bits.
    fn find(step: f64, first: i32, codes: &[i32]) -> Option<Self> {
        let top = codes.iter().copied().max()?;
        let fits = |shift: u32| {
            let factor = (f64::from(1_u32 << shift) / step).round();
            let half = (1_i32 << shift) >> 1;
            let fits = factor >= 1.0 && factor * codes.len() as f64 + f64::from(half) <= f64::from(i32::MAX);
            fits.then_some(Self { factor: factor as i32, half, shift, top })
        };
        let agrees = |scale: &Self| (first..).zip(codes).all(|(sum, &code)| scale.code(sum) == code);
        (0..=24).rev().filter_map(fits).find(agrees)
    }

    #[inline(always)]
    fn code(self, sum: i32) -> i32 {
        let code = ((sum.abs() * self.factor + self.half) >> self.shift).min(self.top);
        if sum < 0 { -code } else { code }
    }
}

/// The multiplication of 16 bits that gives `codes` for the sums from `first` on, if there is one.
fn narrow(step: f64, first: i32, codes: &[i32]) -> Option<Multiplication> {
    let top = i16::try_from(codes.iter().copied().max()?).ok()?;
    let last = first + codes.len() as i32 - 1;
    // The least shift whose factor fits has the most places.
    let scale = |shift: u32| f64::from(1_u32 << (15 - shift)) / step;
    let shift = (0..15).find(|&shift| scale(shift) <= i16::MAX.into())?;
    if last << shift > i16::MAX.into() {
        return None;
    }
    let agrees = |by: &Multiplication| (first..).zip(codes).all(|(sum, &code)| i32::from(by.code(sum as i16)) == code);
    let factors = [scale(shift).round(), scale(shift).ceil(), scale(shift).floor()];
    factors.map(|factor| Multiplication { shift, factor: factor as i16, top }).into_iter().find(agrees)
}

/// The largest sum of ideal cells that a converter gets of a block of so many rows.
#[must_use]
pub fn largest_current(adc: &Adc, rows: u32, digits: Digits) -> u32 {
    rows * match adc.conversions {
        Conversions::PerPulse => digits.highest_level(),
        Conversions::PerValue => digits.highest_value(),
    }
}

/// The highest code of a converter.
#[must_use]
pub fn top_code(adc: &Adc) -> i32 {
    match adc.input {
        AdcInput::Pair => (1 << (adc.bits - 1)) - 1,
        AdcInput::Column => (1 << adc.bits) - 1,
    }
}

impl Quantiser {
    /// The converter of a layer whose largest row block uses `rows` rows, driven by `digits`. `calibrated` is the range of a
    /// `Percentile`; none: full scale.
    #[must_use]
    pub fn new(adc: &Adc, rows: u32, digits: Digits, calibrated: Option<u32>) -> Self {
        let most = largest_current(adc, rows, digits) as i32;
        let top = top_code(adc);
        let (bottom, sums) = match adc.input {
            // One bit has no positive code; its step spans the range.
            AdcInput::Pair => (-top.max(1), -most..=most),
            AdcInput::Column => (0, 0..=most),
        };
        let codes = f64::from(top.max(1));
        let step = match adc.range {
            AdcRange::FullScale => (f64::from(most) / codes).max(1.0),
            AdcRange::Percentile(_) => (calibrated.map_or(f64::from(most), f64::from) / codes).max(1.0),
            AdcRange::Fixed(range) => {
                let full = match adc.conversions {
                    Conversions::PerPulse => digits.full_level(),
                    Conversions::PerValue => digits.full_value(),
                };
                range * f64::from(full) / codes
            }
        };
        let code = |sum: i32| (f64::from(sum) / step).round() as i32;
        let listed = (most <= MOST_LISTED).then(|| sums.clone()).into_iter().flatten();
        let codes: Vec<i32> = listed.map(|sum| code(sum).clamp(bottom, top)).collect();
        // Codes grow with sums.
        let last = |fits: &dyn Fn(i32) -> bool| {
            let (mut fitting, mut beyond) = (0, most + 1);
            while beyond - fitting > 1 {
                let middle = fitting + (beyond - fitting) / 2;
                if fits(middle) { fitting = middle } else { beyond = middle }
            }
            fitting
        };
        Self {
            conversions: adc.conversions,
            most,
            scale: Scale::find(step, *sums.start(), &codes),
            narrow: narrow(step, *sums.start(), &codes),
            input: adc.input,
            digits,
            step,
            bottom,
            top,
            offset: -sums.start(),
            lowest: (-last(&|sum| code(-sum) >= bottom)).max(*sums.start()),
            highest: last(&|sum| code(sum) <= top),
            codes,
        }
    }

    /// What it digitises.
    #[must_use]
    pub fn input(&self) -> AdcInput {
        self.input
    }

    /// The pulses whose sums it digitises.
    #[must_use]
    pub fn digits(&self) -> Digits {
        self.digits
    }

    /// The pulses that are converted together, one after another.
    pub fn conversions(&self) -> impl Iterator<Item = std::ops::Range<u32>> + use<> {
        let together = if self.per_value() { self.digits.pulses() } else { 1 };
        (0..self.digits.pulses()).step_by(together as usize).map(move |first| first..first + together)
    }

    /// Whether all pulses of a value are converted together.
    #[must_use]
    #[inline(always)]
    pub fn per_value(&self) -> bool {
        self.conversions == Conversions::PerValue
    }

    /// What the code of a conversion that begins with this pulse is worth.
    #[must_use]
    #[inline(always)]
    pub fn weight(&self, pulse: u32) -> i32 {
        if self.per_value() { 1 } else { self.digits.weight(pulse) }
    }

    /// Sum of the magnitudes of all of them.
    #[must_use]
    pub fn weights(&self) -> u64 {
        if self.per_value() { 1 } else { self.digits.weights() }
    }

    /// Cell currents in one code.
    #[must_use]
    pub fn step(&self) -> f64 {
        self.step
    }

    /// The code of a sum within the rows in use.
    #[must_use]
    #[inline]
    pub fn code(&self, sum: i32) -> i32 {
        match self.codes.get((sum + self.offset) as usize) {
            Some(&code) => code,
            None => ((f64::from(sum) / self.step).round() as i32).clamp(self.bottom, self.top),
        }
    }

    /// The codes of some sums.
    #[inline(always)]
    pub fn convert<const N: usize>(&self, sums: [i32; N]) -> [i32; N] {
        let mut codes = [0; N];
        match self.scale {
            Some(scale) => codes.iter_mut().zip(sums).for_each(|(code, sum)| *code = scale.code(sum)),
            None => codes.iter_mut().zip(sums).for_each(|(code, sum)| *code = self.code(sum)),
        }
        codes
    }

    /// The codes of all sums of an array by a multiplication of 16 bits, where there is one that gives them.
    #[must_use]
    pub fn narrow(&self) -> Option<Multiplication> {
        self.narrow
    }

    /// Sums of ideal cells up to it, to either side, do not clip.
    #[must_use]
    pub fn highest(&self) -> i32 {
        self.highest
    }

    /// Whether any sum lies beyond the range.
    #[must_use]
    pub fn may_clip(&self) -> bool {
        self.lowest > -self.offset || self.highest < self.most
    }

    /// How any currents, of which a step is `scale` times as large as their unit is of it, become codes.
    #[must_use]
    #[inline(always)]
    pub fn rounding(&self, scale: f64) -> Rounding {
        Rounding { scale, bottom: self.bottom.into(), top: self.top.into() }
    }

    /// Largest magnitude of a code.
    #[must_use]
    pub fn extreme_code(&self) -> u32 {
        self.bottom.unsigned_abs().max(self.top.unsigned_abs())
    }

    /// Largest magnitude of a code that it gives for sums of ideal cells.
    #[must_use]
    pub fn largest_code(&self) -> u32 {
        // Codes grow with sums.
        [-self.offset, self.most].map(|sum| self.code(sum).unsigned_abs()).into_iter().max().unwrap_or(0)
    }

    /// Whether the sum lies beyond the range.
    #[must_use]
    pub fn clips(&self, sum: i32) -> bool {
        sum < self.lowest || sum > self.highest
    }

    /// Whether every sum of the array is its own code, and a code is one cell current.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.step == 1.0 && !self.may_clip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converter(bits: u32, input: AdcInput, range: AdcRange, rows: u32) -> Quantiser {
        levels(bits, input, range, rows, Digits::new(8, false, 1))
    }

    fn levels(bits: u32, input: AdcInput, range: AdcRange, rows: u32, digits: Digits) -> Quantiser {
        let conversions = Conversions::PerPulse;
        Quantiser::new(
            &Adc { bits, columns_per_adc: 8, input, range, conversions, cost: Default::default() },
            rows,
            digits,
            None,
        )
    }

    /// Every shipped resolution is found, and what is found gives the same codes.
    #[test]
    fn codes_by_multiplication_are_those_of_the_table() {
        for input in [AdcInput::Pair, AdcInput::Column] {
            for rows in [1, 2, 9, 100, 128, 255, 256, 1000, 4096] {
                for range in [AdcRange::FullScale, AdcRange::Fixed(40.0), AdcRange::Fixed(128.0)] {
                    for bits in 1..=12 {
                        let quantiser = converter(bits, input, range, rows);
                        let sums = -quantiser.offset..quantiser.codes.len() as i32 - quantiser.offset;
                        assert!(sums.clone().all(|sum| quantiser.convert([sum]) == [quantiser.code(sum)]));
                        assert_eq!(sums.clone().any(|sum| quantiser.clips(sum)), quantiser.may_clip());
                        assert!(
                            quantiser.scale.is_some() || bits == 1 || rows > 256,
                            "{input:?} {rows} {range:?} {bits}"
                        );
                        let narrow = |by: Multiplication| {
                            sums.clone().all(|sum| i32::from(by.code(sum as i16)) == quantiser.code(sum))
                        };
                        assert!(
                            quantiser.narrow.map_or(bits == 1 || bits > 10 || rows > 256, narrow),
                            "{input:?} {rows} {range:?} {bits}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_pulse_of_more_bits_needs_a_converter_of_more_bits() {
        // Levels up to 3 on 42 rows: sums -126..=126, within 8 bits; a row more needs 9. A bitline: 85 x 3 = 255.
        let digits = Digits::new(4, false, 2);
        let full = |bits, input, rows| levels(bits, input, AdcRange::FullScale, rows, digits);
        assert!(full(8, AdcInput::Pair, 42).is_exact() && !full(8, AdcInput::Pair, 43).is_exact());
        assert!(full(8, AdcInput::Column, 85).is_exact() && !full(8, AdcInput::Column, 86).is_exact());
        assert_eq!(full(8, AdcInput::Pair, 128).step(), 384.0 / 127.0);
        // Codes of 3 bits reach level 7 of a driver of 15 levels: full scale spans what occurs, a fixed range what is stated
        // at full level, 4 cells at 15.
        let few = Digits::new(3, false, 4);
        assert_eq!(levels(4, AdcInput::Column, AdcRange::FullScale, 10, few).step(), 70.0 / 15.0);
        let fixed = levels(4, AdcInput::Column, AdcRange::Fixed(4.0), 10, few);
        assert_eq!((fixed.step(), fixed.code(60), fixed.code(70)), (4.0, 15, 15));
        assert_eq!([60, 61].map(|sum| fixed.clips(sum)), [false, false]);
        assert_eq!([62, 70].map(|sum| fixed.clips(sum)), [true, true]);
    }

    #[test]
    fn enough_bits_count_currents_exactly() {
        // A pair of 128 rows: sums -128..=128, so 2^(n-1) - 1 >= 128 needs n = 9. A bitline: 0..=128 needs n = 8.
        assert!(converter(9, AdcInput::Pair, AdcRange::FullScale, 128).is_exact());
        assert!(!converter(8, AdcInput::Pair, AdcRange::FullScale, 128).is_exact());
        assert!(converter(8, AdcInput::Column, AdcRange::FullScale, 128).is_exact());
        assert!(!converter(7, AdcInput::Column, AdcRange::FullScale, 128).is_exact());
        // Sums -1..=1 are their own codes, but each stands for 8/7 cell currents.
        assert!(!converter(4, AdcInput::Pair, AdcRange::Fixed(8.0), 1).is_exact());
    }

    #[test]
    fn full_scale_never_clips_and_its_step_grows() {
        // 4 bits: codes -7..=7 for sums -128..=128, step 128/7 = 18.29; 27/18.29 = 1.48, 28/18.29 = 1.53.
        let pair = converter(4, AdcInput::Pair, AdcRange::FullScale, 128);
        assert_eq!(pair.step(), 128.0 / 7.0);
        assert_eq!([-128, -28, -27, 0, 27, 28, 128].map(|sum| pair.code(sum)), [-7, -2, -1, 0, 1, 2, 7]);
        assert!((-128..=128).all(|sum| !pair.clips(sum)));
        // 4 bits: codes 0..=15 for sums 0..=30, step 2; halves go up.
        let column = converter(4, AdcInput::Column, AdcRange::FullScale, 30);
        assert_eq!([0, 1, 2, 3, 29, 30].map(|sum| column.code(sum)), [0, 1, 1, 2, 15, 15]);
        assert!((0..=30).all(|sum| !column.clips(sum)));
    }

    #[test]
    fn a_fixed_range_clips_at_the_extreme_codes() {
        // 8 bits: codes -127..=127 over -40..=40 cell currents, step 40/127 = 0.315; 39/0.315 = 123.8.
        let pair = converter(8, AdcInput::Pair, AdcRange::Fixed(40.0), 128);
        assert_eq!(pair.step(), 40.0 / 127.0);
        assert_eq!([-128, -41, -40, -1, 39, 40, 41].map(|sum| pair.code(sum)), [-127, -127, -127, -3, 124, 127, 127]);
        assert_eq!([-41, -40, 40, 41].map(|sum| pair.clips(sum)), [true, false, false, true]);
        assert!(!pair.is_exact());
        // One cell current a code: exact, as far as the codes go.
        let unit = converter(8, AdcInput::Pair, AdcRange::Fixed(127.0), 128);
        assert_eq!((unit.step(), unit.code(127), unit.code(128)), (1.0, 127, 127));
        assert!(!unit.clips(127) && unit.clips(128));
        assert!(converter(8, AdcInput::Pair, AdcRange::Fixed(127.0), 127).is_exact());
        // 3 bits: codes 0..=7, step 14/7 = 2.
        let column = converter(3, AdcInput::Column, AdcRange::Fixed(14.0), 64);
        assert_eq!([13, 14, 15, 64].map(|sum| column.code(sum)), [7, 7, 7, 7]);
        assert_eq!([14, 15].map(|sum| column.clips(sum)), [false, true]);
        // Codes of all 16 bits of a bitline: 4096 currents of 2^-15 steps clip at 65535.
        assert_eq!(converter(16, AdcInput::Column, AdcRange::Fixed(2.0), 4096).largest_code(), 65_535);
    }

    #[test]
    fn one_bit_of_a_pair_detects_a_negative_half_range() {
        let pair = converter(1, AdcInput::Pair, AdcRange::FullScale, 10);
        assert_eq!([-10, -5, -4, 0, 10].map(|sum| pair.code(sum)), [-1, -1, 0, 0, 0]);
    }
}
