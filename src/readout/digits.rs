//! How the bits of an input code fall onto the pulses of a driver.

use std::ops::Range;

/// The digits of a layer's input codes: the bits that each pulse of a driver of n bits carries, lowest bits first; the last
/// pulse may carry fewer. A row whose digit is v is driven at level v.
///
/// Amplitudes have no sign: the sign bit of two's complement codes is a pulse of its own, the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits {
    bits: u32,
    signed: bool,
    per_pulse: u32,
}

impl Digits {
    /// Codes of `bits` (1..=16) bits, two's complement where `signed`, and a driver of `per_pulse` (1..=8) bits.
    #[must_use]
    pub fn new(bits: u32, signed: bool, per_pulse: u32) -> Self {
        Self { bits, signed, per_pulse }
    }

    /// Bits that are not the sign.
    fn unsigned_bits(self) -> u32 {
        self.bits - u32::from(self.signed)
    }

    /// Pulses of a code: ceil(B / n), or ceil((B - 1) / n) + 1 with a sign bit.
    #[must_use]
    pub fn pulses(self) -> u32 {
        self.unsigned_bits().div_ceil(self.per_pulse) + u32::from(self.signed)
    }

    /// The bits of a code that a pulse carries.
    #[must_use]
    pub fn of_pulse(self, pulse: u32) -> Range<u32> {
        let first = pulse * self.per_pulse;
        if first < self.unsigned_bits() {
            first..(first + self.per_pulse).min(self.unsigned_bits())
        } else {
            self.unsigned_bits()..self.bits
        }
    }

    /// The level at which a pulse drives a row whose input has this code.
    #[must_use]
    #[inline(always)]
    pub fn level(self, code: u16, pulse: u32) -> u16 {
        let bits = self.of_pulse(pulse);
        code >> bits.start & (u16::MAX >> (16 - bits.len()))
    }

    /// What level 1 of a pulse is worth in a code: 2^(its lowest bit), negative for the sign bit.
    #[must_use]
    pub fn weight(self, pulse: u32) -> i32 {
        let first = self.of_pulse(pulse).start;
        if self.signed && first + 1 == self.bits { -(1 << first) } else { 1 << first }
    }

    /// Sum of the magnitudes of all weights.
    #[must_use]
    pub fn weights(self) -> u64 {
        (0..self.pulses()).map(|pulse| u64::from(self.weight(pulse).unsigned_abs())).sum()
    }

    /// The highest level of any pulse: 2^n - 1, less where codes have fewer bits than a pulse.
    #[must_use]
    pub fn highest_level(self) -> u32 {
        (1 << self.of_pulse(0).len()) - 1
    }

    /// The level of a row at full amplitude: 2^n - 1.
    #[must_use]
    pub fn full_level(self) -> u32 {
        (1 << self.per_pulse) - 1
    }

    /// Whether the last pulse is that of a sign.
    #[must_use]
    pub fn signed(self) -> bool {
        self.signed
    }

    /// The largest magnitude of a code: 2^B - 1, or 2^(B-1) with a sign bit.
    #[must_use]
    pub fn highest_value(self) -> u32 {
        if self.signed { 1 << (self.bits - 1) } else { (1 << self.bits) - 1 }
    }

    /// What a row comes to that is at full amplitude in every pulse but that of the sign, at least 1.
    #[must_use]
    pub fn full_value(self) -> u32 {
        ((1 << (self.per_pulse * self.unsigned_bits().div_ceil(self.per_pulse))) - 1).max(1)
    }

    /// Mean number of pulses that drive a row, whose code has a 1 in each bit with chance `activity`, independent of the
    /// others.
    #[must_use]
    pub fn driven(self, activity: f64) -> f64 {
        self.sum(|bits| match bits.len() {
            1 => activity,
            more => 1.0 - (0..more).fold(1.0, |zero, _| zero * (1.0 - activity)),
        })
    }

    /// Mean of the squares of its levels, added up over the pulses.
    #[must_use]
    pub fn squares(self, activity: f64) -> f64 {
        self.sum(|bits| {
            // E[(sum 2^b x_b)^2]: a for x_b^2, a^2 for products of two bits.
            let level = f64::from((1_u32 << bits.len()) - 1);
            let squares: f64 = (0..bits.len() as u32).map(|bit| f64::from(1_u32 << (2 * bit))).sum();
            activity * squares + activity * activity * (level * level - squares)
        })
    }

    fn sum(self, of_pulse: impl Fn(Range<u32>) -> f64) -> f64 {
        (0..self.pulses()).map(|pulse| of_pulse(self.of_pulse(pulse))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(digits: Digits, code: i32, pulse: u32) -> i32 {
        digits.level(code as u16, pulse).into()
    }

    #[test]
    fn pulses_carry_digits_and_the_sign_bit_comes_last() {
        let pulses = |digits: Digits| -> Vec<_> {
            (0..digits.pulses()).map(|pulse| (digits.of_pulse(pulse), digits.weight(pulse))).collect()
        };
        assert_eq!(pulses(Digits::new(3, false, 1)), [(0..1, 1), (1..2, 2), (2..3, 4)]);
        assert_eq!(pulses(Digits::new(3, true, 1)), [(0..1, 1), (1..2, 2), (2..3, -4)]);
        assert_eq!(pulses(Digits::new(5, false, 2)), [(0..2, 1), (2..4, 4), (4..5, 16)]);
        assert_eq!(pulses(Digits::new(5, true, 2)), [(0..2, 1), (2..4, 4), (4..5, -16)]);
        assert_eq!(pulses(Digits::new(5, true, 3)), [(0..3, 1), (3..4, 8), (4..5, -16)]);
        assert_eq!(pulses(Digits::new(2, false, 8)), [(0..2, 1)]);
        assert_eq!(pulses(Digits::new(1, true, 4)), [(0..1, -1)]);
        assert_eq!(Digits::new(8, false, 4).weights(), 1 + 16);
    }

    /// -7 of 5 bits is 11001: digits 1, 2 and the sign bit, 1 + 4 x 2 - 16.
    #[test]
    fn levels_put_a_code_together() {
        for per_pulse in 1..=8 {
            for bits in 1..=9 {
                for signed in [false, true] {
                    let digits = Digits::new(bits, signed, per_pulse);
                    let range = if signed { -(1 << (bits - 1))..1 << (bits - 1) } else { 0..1 << bits };
                    for code in range {
                        let level = |pulse| level(digits, code, pulse);
                        let sum: i32 = (0..digits.pulses()).map(|pulse| level(pulse) * digits.weight(pulse)).sum();
                        assert_eq!(sum, code, "{digits:?}");
                        assert!((0..digits.pulses()).all(|pulse| level(pulse) <= digits.highest_level().cast_signed()));
                    }
                }
            }
        }
        let digits = Digits::new(5, true, 2);
        assert_eq!([0, 1, 2].map(|pulse| level(digits, -7, pulse)), [1, 2, 1]);
    }

    /// Two bits, each 1 with chance 1/4: levels 0 to 3 with chances 9, 3, 3 and 1 of 16, mean square (3 + 12 + 9) / 16.
    #[test]
    fn stated_activity_gives_driven_rows_and_mean_squares() {
        let digits = Digits::new(4, false, 2);
        assert_eq!((digits.driven(0.25), digits.squares(0.25)), (2.0 * 7.0 / 16.0, 2.0 * 1.5));
        // A pulse of two bits and one of one bit.
        let digits = Digits::new(3, false, 2);
        assert_eq!((digits.driven(0.25), digits.squares(0.25)), (11.0 / 16.0, 1.75));
        let digits = Digits::new(3, true, 1);
        assert_eq!((digits.driven(0.25), digits.squares(0.25)), (0.75, 0.75));
        assert_eq!(Digits::new(8, false, 8).squares(1.0), 65_025.0);
    }
}
