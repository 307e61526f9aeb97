//! Linear-feedback shift registers: their bit sequence, and whether their taps give the full period.
//!
//! A register of w bits holds the last w bits of its sequence. Each step appends the sum modulo 2 of the bits that lie its
//! taps back, `s[n] = s[n - t1] ^ s[n - t2] ^ ..`; the largest tap is w. The characteristic polynomial is
//! `x^w + sum of x^(w - t)`. Where it is primitive, every seed but 0 runs through all 2^w - 1 states.

/// Widest register.
pub const MOST_BITS: u32 = 64;

/// The polynomials modulo a register's characteristic polynomial: coefficient i in bit i.
#[derive(Debug, Clone, Copy)]
struct Modulus {
    bits: u32,
    /// The characteristic polynomial without its leading term.
    low: u64,
}

impl Modulus {
    fn new(bits: u32, taps: &[u32]) -> Self {
        Self { bits, low: taps.iter().fold(0, |low, tap| low | 1 << (bits - tap)) }
    }

    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    /// x a.
    fn shifted(self, a: u64) -> u64 {
        let leading = a >> (self.bits - 1) & 1;
        (a << 1 & self.mask()) ^ (self.low * leading)
    }

    fn product(self, a: u64, b: u64) -> u64 {
        (0..self.bits).rev().fold(0, |sum, bit| self.shifted(sum) ^ (a * (b >> bit & 1)))
    }

    /// x^exponent.
    fn power_of_x(self, exponent: u64) -> u64 {
        let bits = 64 - exponent.leading_zeros();
        // x itself is no residue where the register has one bit.
        let x = self.shifted(1);
        (0..bits).rev().fold(1, |power, bit| {
            let square = self.product(power, power);
            if exponent >> bit & 1 == 1 { self.product(square, x) } else { square }
        })
    }
}

/// Whether a register of `bits` bits with these taps (each in 1..=bits, the largest of them `bits`) has the period
/// 2^bits - 1: whether x has that order modulo its characteristic polynomial.
///
/// # Panics
/// Panics if `bits` is not in 1..=[`MOST_BITS`] or a tap is not in 1..=bits.
#[must_use]
pub fn has_full_period(bits: u32, taps: &[u32]) -> bool {
    // The sets that the book names and chips come with need not be examined at each start.
    taps.first() == Some(&bits) && FULL_PERIOD.contains(&taps) || examine(bits, taps)
}

/// Taps of full period, the number of bits first.
const FULL_PERIOD: [&[u32]; 7] = [
    &[8, 6, 5, 4],
    &[12, 6, 4, 1],
    &[16, 15, 13, 4],
    &[24, 23, 22, 17],
    &[32, 22, 2, 1],
    &[48, 47, 21, 20],
    &[64, 63, 61, 60],
];

fn examine(bits: u32, taps: &[u32]) -> bool {
    let modulus = Modulus::new(bits, taps);
    let period = modulus.mask();
    modulus.power_of_x(period) == 1 && prime_factors(bits).iter().all(|factor| modulus.power_of_x(period / factor) != 1)
}

/// Prime factors of 2^bits - 1, each once.
fn prime_factors(bits: u32) -> Vec<u64> {
    let mut factors = Vec::new();
    let mut rest = u64::MAX >> (64 - bits);
    // A prime factor q divides 2^d - 1 for the order d of 2 modulo q, which divides `bits`, and q - 1 is a multiple of d.
    for d in (2..=bits).filter(|d| bits.is_multiple_of(*d)) {
        let mut part = gcd(rest, u64::MAX >> (64 - d));
        let step = u64::from(if d % 2 == 0 { d } else { 2 * d });
        let mut candidate = 1 + step;
        while candidate * candidate <= part {
            if part.is_multiple_of(candidate) {
                factors.push(candidate);
                while part.is_multiple_of(candidate) {
                    part /= candidate;
                }
            }
            candidate += step;
        }
        if part > 1 {
            factors.push(part);
        }
        for factor in &factors {
            while rest.is_multiple_of(*factor) {
                rest /= factor;
            }
        }
    }
    factors
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The sequence of a register, read in runs of bits.
#[derive(Debug, Clone)]
pub struct Sequence {
    taps: Vec<usize>,
    /// Words of 64 bits of the sequence: two rounds, each of as many words as the register has bits.
    words: Vec<u64>,
    /// Where the next word to be read stands, in the second round.
    next: usize,
    /// Bits that were taken from their word and not read yet, lowest first.
    open: u64,
    open_bits: u32,
}

impl Sequence {
    /// The sequence from step `skip` on of a register that starts with `seed`; the seed's own bits are the first, lowest
    /// bit first.
    ///
    /// # Panics
    /// As [`has_full_period`].
    #[must_use]
    pub fn new(bits: u32, taps: &[u32], seed: u64, skip: u64) -> Self {
        let modulus = Modulus::new(bits, taps);
        let taps: Vec<usize> = taps.iter().map(|&tap| tap as usize).collect();
        let width = bits as usize;
        let run_on = |first: &[bool], length: usize| {
            let mut sequence = first.to_vec();
            for n in width..length {
                sequence.push(taps.iter().fold(false, |sum, tap| sum ^ sequence[n - tap]));
            }
            sequence
        };
        let seed: Vec<bool> = (0..width).map(|bit| seed >> bit & 1 == 1).collect();
        // With x^skip = sum of c_i x^i modulo the characteristic polynomial, s[skip + n] is the sum of c_i s[i + n].
        let jump = modulus.power_of_x(skip);
        let near = run_on(&seed, 2 * width);
        let far = |n: usize| (0..width).fold(false, |sum, i| sum ^ (near[i + n] & (jump >> i & 1 == 1)));
        let state: Vec<bool> = (0..width).map(far).collect();
        let sequence = run_on(&state, 64 * width);
        let (words, _) = sequence.as_chunks::<64>();
        let word = |bits: &[bool; 64]| bits.iter().rev().fold(0, |word, &bit| word << 1 | u64::from(bit));
        let mut rounds = vec![0; width];
        rounds.extend(words.iter().map(word));
        Self { words: rounds, taps, next: width, open: 0, open_bits: 0 }
    }

    /// The next `count` (0..=32) bits, the first of them lowest.
    #[inline]
    pub fn take(&mut self, count: u32) -> u32 {
        let (mut bits, have) = (self.open, self.open_bits);
        if have < count {
            let word = self.word();
            bits |= word << have;
            self.open = word >> (count - have);
            self.open_bits = have + 64 - count;
        } else {
            self.open = bits >> count;
            self.open_bits = have - count;
        }
        (bits & !(u64::MAX << count)) as u32
    }

    /// The next 64 bits, the first of them lowest.
    #[inline]
    pub fn take_word(&mut self) -> u64 {
        let word = self.word();
        if self.open_bits == 0 {
            return word;
        }
        let bits = self.open | word << self.open_bits;
        self.open = word >> (64 - self.open_bits);
        bits
    }

    /// The next word.
    #[inline]
    fn word(&mut self) -> u64 {
        if self.next == self.words.len() {
            self.go_on();
        }
        self.next += 1;
        self.words[self.next - 1]
    }

    /// The next round. Squaring the characteristic polynomial six times doubles the distance of every tap as often, so that
    /// whole words follow the rule of single bits.
    fn go_on(&mut self) {
        let width = self.words.len() / 2;
        self.words.copy_within(width.., 0);
        // Words as near as the nearest tap do not depend on each other: they are computed side by side.
        let nearest = self.taps.iter().copied().min().unwrap_or(width);
        for first in (width..2 * width).step_by(nearest) {
            let (before, now) = self.words.split_at_mut(first);
            let now = &mut now[..nearest.min(2 * width - first)];
            now.fill(0);
            for tap in &self.taps {
                now.iter_mut().zip(&before[first - tap..]).for_each(|(word, of_tap)| *word ^= of_tap);
            }
        }
        self.next = width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bits of a sequence.
    fn bits(sequence: &mut Sequence, count: usize) -> Vec<u32> {
        (0..count).map(|_| sequence.take(1)).collect()
    }

    #[test]
    fn the_sequence_is_that_of_hand() {
        // s[n] = s[n - 4] ^ s[n - 3] from 1, 0, 0, 0: 1 0 0 0 | 1^0 = 1, 0^0 = 0, 0^0 = 0, 0^1 = 1, 1^0 = 1, 0^0 = 0, 0^1 = 1,
        // 1^1 = 0, 1^0 = 1, 0^1 = 1, 1^0 = 1, and again.
        let expected = [1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1];
        assert_eq!(bits(&mut Sequence::new(4, &[4, 3], 1, 0), 20), expected);
    }

    #[test]
    fn runs_of_bits_are_the_bits_one_by_one() {
        for (width, taps) in [(4, &[4, 3][..]), (8, &[8, 6, 5, 4]), (64, &[64, 63, 61, 60])] {
            let single = bits(&mut Sequence::new(width, taps, 5, 0), 3000);
            let mut sequence = Sequence::new(width, taps, 5, 0);
            let mut at = 0;
            for count in [1, 8, 0, 32, 7, 31, 32, 32, 5].into_iter().cycle().take(100) {
                let run = sequence.take(count);
                for i in 0..count {
                    assert_eq!(run >> i & 1, single[at + i as usize], "{width} bits, bit {at} + {i}");
                }
                assert_eq!(u64::from(run) >> count, 0);
                at += count as usize;
            }
        }
    }

    #[test]
    fn words_are_the_bits_one_by_one() {
        for (width, taps) in [(4, &[4, 3][..]), (64, &[64, 63, 61, 60])] {
            let single = bits(&mut Sequence::new(width, taps, 5, 0), 20_000);
            let mut sequence = Sequence::new(width, taps, 5, 0);
            let mut at = 0;
            for before in (0..32).cycle().take(200) {
                sequence.take(before);
                at += before as usize;
                let expected = (0..64).fold(0, |word, i| word | u64::from(single[at + i]) << i);
                assert_eq!(sequence.take_word(), expected, "{width} bits, bit {at}");
                at += 64;
            }
        }
    }

    #[test]
    fn a_jump_lands_where_single_steps_do() {
        for (width, taps) in [(2, &[2, 1][..]), (8, &[8, 6, 5, 4]), (32, &[32, 22, 2, 1]), (64, &[64, 63, 61, 60])] {
            let mut far = Sequence::new(width, taps, 3, 0);
            let skipped: Vec<u32> = (0..1000).map(|_| far.take(13)).collect();
            assert_eq!(skipped.len(), 1000);
            assert_eq!(bits(&mut Sequence::new(width, taps, 3, 13_000), 200), bits(&mut far, 200), "{width} bits");
        }
        // Once around.
        let period = u64::from(u32::MAX);
        let taps = [32, 22, 2, 1];
        assert_eq!(
            bits(&mut Sequence::new(32, &taps, 77, period), 100),
            bits(&mut Sequence::new(32, &taps, 77, 0), 100)
        );
    }

    /// Steps until the state comes back.
    fn walked(width: u32, taps: &[u32]) -> u64 {
        let mask = (1u64 << width) - 1;
        let step = |state: u64| {
            let bit = taps.iter().fold(0, |sum, tap| sum ^ (state >> (width - tap) & 1));
            (state >> 1 | bit << (width - 1)) & mask
        };
        let mut state = step(1);
        let mut steps = 1;
        while state != 1 {
            state = step(state);
            steps += 1;
        }
        steps
    }

    #[test]
    fn the_full_period_agrees_with_walking_it() {
        // All sets of taps of small registers.
        let mut full = 0;
        for width in 2..=9u32 {
            for set in 0..1u32 << (width - 1) {
                let taps: Vec<u32> = (1..width).filter(|tap| set >> (tap - 1) & 1 == 1).chain([width]).collect();
                let expected = walked(width, &taps) == (1 << width) - 1;
                assert_eq!(examine(width, &taps), expected, "{width} bits, taps {taps:?}");
                full += u32::from(expected);
            }
        }
        // Primitive polynomials of degrees 2 to 9: phi(2^n - 1) / n.
        assert_eq!(full, 1 + 2 + 2 + 6 + 6 + 18 + 16 + 48);
    }

    #[test]
    fn the_taps_that_the_book_names_have_the_full_period() {
        for taps in FULL_PERIOD {
            assert!(examine(taps[0], taps) && has_full_period(taps[0], taps), "{taps:?}");
        }
        for taps in [&[16, 15, 13, 4][..], &[24, 23, 22, 17]] {
            assert_eq!(walked(taps[0], taps), (1 << taps[0]) - 1, "{taps:?}");
        }
        assert!(!has_full_period(64, &[64, 63, 61, 59]));
    }

    #[test]
    fn factors_of_mersenne_numbers() {
        assert_eq!(prime_factors(8), [3, 5, 17]);
        assert_eq!(prime_factors(11), [23, 89]);
        assert_eq!(prime_factors(31), [2_147_483_647]);
        assert_eq!(prime_factors(64), [3, 5, 17, 257, 65_537, 641, 6_700_417]);
    }
}
