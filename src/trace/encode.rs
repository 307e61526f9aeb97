//! The two encodings of trace columns, after the Parquet format's `Encodings.md`.
//!
//! The writer of the `parquet` crate takes 230 ns a span for fourteen of the columns, most of it for hashing names into
//! dictionaries that are known beforehand and for values one at a time. These encoders work on whole columns.

/// Values of a block, and of a part of it that has a width of its own.
const BLOCK: usize = 128;
const PART: usize = 32;

/// Appends a number, seven bits a byte, low bits first.
fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number so that small ones of either sign are short: even codes from 0 up, odd ones below.
fn put_zigzag(value: i64, out: &mut Vec<u8>) {
    put_varint((value << 1 ^ value >> 63) as u64, out);
}

/// Bits that hold `value`.
fn width_of(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Appends the low `width` bits of each value, the first value in the lowest bits; the last byte is filled with zeros.
fn put_bits(values: &[u64], width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    // Narrow values go in four at a time, as one value of four times the width.
    if width <= 16 && values.len().is_multiple_of(4) {
        let four = |v: &[u64; 4]| v[0] | v[1] << width | v[2] << (2 * width) | v[3] << (3 * width);
        let (fours, _) = values.as_chunks();
        put_words(fours.iter().map(four), 4 * width, out);
    } else {
        put_words(values.iter().copied(), width, out);
    }
}

fn put_words(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    let (mut word, mut filled) = (0_u64, 0);
    for value in values {
        word |= value << filled;
        filled += width;
        if filled >= u64::BITS {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= u64::BITS;
            // The bits that did not fit; none when the value ended with the word.
            word = value.checked_shr(width - filled).unwrap_or(0);
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..filled.div_ceil(8) as usize]);
}

/// Values that wait until a block is full.
#[derive(Debug)]
struct Block {
    values: [i64; BLOCK],
    filled: usize,
}

impl Block {
    const EMPTY: Self = Self { values: [0; BLOCK], filled: 0 };

    /// Puts values in, as `convert` makes them of each and the one before it, and hands full blocks on.
    #[inline]
    fn fill(
        &mut self,
        mut before: i64,
        mut values: &[i64],
        convert: impl Fn(i64, i64) -> i64,
        mut full: impl FnMut(&[i64; BLOCK]),
    ) {
        while let Some(&first) = values.first() {
            let (now, later) = values.split_at(values.len().min(BLOCK - self.filled));
            let places = &mut self.values[self.filled..][..now.len()];
            places[0] = convert(first, before);
            for (place, pair) in places[1..].iter_mut().zip(now.windows(2)) {
                *place = convert(pair[1], pair[0]);
            }
            self.filled += now.len();
            before = now[now.len() - 1];
            values = later;
            if self.filled == BLOCK {
                full(&self.values);
                self.filled = 0;
            }
        }
    }

    /// What is in it, and leaves it empty.
    fn rest(&mut self) -> &mut [i64] {
        &mut self.values[..std::mem::take(&mut self.filled)]
    }
}

/// `DELTA_BINARY_PACKED`: differences of neighbours, packed to the bits that a part of a block needs. Written block by block,
/// so that values need not be kept.
#[derive(Debug)]
pub(super) struct Delta {
    /// INT64; the differences of INT32 wrap at 32 bits.
    wide: bool,
    count: u64,
    first: i64,
    last: i64,
    differences: Block,
    out: Vec<u8>,
}

impl Delta {
    /// No values.
    pub fn new(wide: bool) -> Self {
        Self { wide, count: 0, first: 0, last: 0, differences: Block::EMPTY, out: Vec::new() }
    }

    /// Appends values.
    pub fn extend(&mut self, mut values: &[i64]) {
        if self.count == 0
            && let Some((&first, others)) = values.split_first()
        {
            (self.first, self.last, self.count, values) = (first, first, 1, others);
        }
        let Some(&last) = values.last() else { return };
        let (out, full) = (&mut self.out, |out: &mut Vec<u8>, block: &[i64; BLOCK]| put_block(block, out));
        if self.wide {
            self.differences.fill(self.last, values, i64::wrapping_sub, |block| full(out, block));
        } else {
            let difference = |value: i64, before| i64::from(value.wrapping_sub(before) as i32);
            self.differences.fill(self.last, values, difference, |block| full(out, block));
        }
        self.count += values.len() as u64;
        self.last = last;
    }

    /// Appends what was encoded to a page, and begins anew.
    pub fn finish(&mut self, page: &mut Vec<u8>) {
        let rest = self.differences.rest();
        if !rest.is_empty() {
            put_block(rest, &mut self.out);
        }
        put_varint(BLOCK as u64, page);
        put_varint((BLOCK / PART) as u64, page);
        put_varint(self.count, page);
        put_zigzag(self.first, page);
        page.append(&mut self.out);
        (self.count, self.first, self.last) = (0, 0, 0);
    }
}

/// Appends a block of differences: the smallest, the width of each part, and how far each lies above the smallest.
fn put_block(deltas: &[i64], out: &mut Vec<u8>) {
    let first = deltas[0];
    // Many columns are constant or grow evenly.
    if deltas.iter().fold(0, |differ, delta| differ | (delta ^ first)) == 0 {
        put_zigzag(first, out);
        out.extend([0; BLOCK / PART]);
        return;
    }
    let smallest = smallest(deltas);
    put_zigzag(smallest, out);
    let mut above = [0_u64; BLOCK];
    for (above, delta) in above.iter_mut().zip(deltas) {
        *above = delta.wrapping_sub(smallest) as u64;
    }
    let parts = above.chunks(PART);
    let widths = parts.clone().map(|part| width_of(part.iter().fold(0, |all, value| all | value)));
    out.extend(widths.clone().map(|width| width as u8));
    parts.zip(widths).for_each(|(part, width)| put_bits(part, width, out));
}

/// The smallest of some numbers, found in several chains that do not wait for each other.
fn smallest(values: &[i64]) -> i64 {
    let mut chains = [i64::MAX; 8];
    for values in values.chunks(chains.len()) {
        for (chain, &value) in chains.iter_mut().zip(values) {
            *chain = value.min(*chain);
        }
    }
    chains.into_iter().fold(i64::MAX, i64::min)
}

/// The hybrid of run lengths and packed bits for small numbers: one run where all are equal, else packed bits. Written block
/// by block, too.
#[derive(Debug)]
pub(super) struct Hybrid {
    /// Bits of a number.
    width: u32,
    count: u64,
    first: i64,
    /// Whether not all are equal: only then blocks are written.
    varied: bool,
    codes: Block,
    out: Vec<u8>,
}

impl Hybrid {
    /// No numbers yet; all will be below `limit`.
    pub fn new(limit: usize) -> Self {
        let width = width_of(limit.saturating_sub(1) as u64);
        Self { width, count: 0, first: 0, varied: false, codes: Block::EMPTY, out: Vec::new() }
    }

    /// Bits of a number.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Appends numbers.
    pub fn extend(&mut self, values: &[i64]) {
        let Some(&first) = values.first() else { return };
        if self.count == 0 {
            self.first = first;
        }
        if !self.varied && values.iter().any(|&value| value != self.first) {
            self.varied = true;
            let before = [self.first; BLOCK];
            for start in (0..self.count).step_by(BLOCK) {
                self.pack(&before[..BLOCK.min((self.count - start) as usize)]);
            }
        }
        if self.varied {
            self.pack(values);
        }
        self.count += values.len() as u64;
    }

    fn pack(&mut self, values: &[i64]) {
        let (width, out) = (self.width, &mut self.out);
        // Blocks end at whole bytes.
        self.codes.fill(0, values, |value, _| value, |block| put_bits(&block.map(|code| code as u64), width, out));
    }

    /// Appends what was encoded to a page, and begins anew.
    pub fn finish(&mut self, page: &mut Vec<u8>) {
        if self.varied {
            let rest = self.codes.rest();
            let mut codes = [0; BLOCK];
            codes.iter_mut().zip(rest.iter()).for_each(|(code, value)| *code = *value as u64);
            // Groups of eight values end at whole bytes.
            put_bits(&codes[..rest.len().next_multiple_of(8)], self.width, &mut self.out);
            put_varint(self.count.div_ceil(8) << 1 | 1, page);
            page.append(&mut self.out);
        } else if self.count > 0 {
            put_varint(self.count << 1, page);
            page.extend_from_slice(&self.first.to_le_bytes()[..self.width.div_ceil(8) as usize]);
        }
        (self.count, self.varied) = (0, false);
    }
}

/// A dictionary: each name after its length.
pub(super) fn dictionary<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut out = Vec::new();
    for name in names {
        out.extend_from_slice(&(name.len() as u32).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out);
        out
    }

    fn delta(values: &[i64], wide: bool, out: &mut Vec<u8>) {
        let mut delta = Delta::new(wide);
        delta.extend(values);
        delta.finish(out);
    }

    fn hybrid(values: &[i64], limit: usize, out: &mut Vec<u8>) {
        let mut hybrid = Hybrid::new(limit);
        hybrid.extend(values);
        hybrid.finish(out);
    }

    #[test]
    fn bits_are_packed_low_first() {
        // The format's own example: 0 to 7 in three bits each.
        assert_eq!(bytes(|out| put_bits(&[0, 1, 2, 3, 4, 5, 6, 7], 3, out)), [0b1000_1000, 0b1100_0110, 0b1111_1010]);
        assert_eq!(bytes(|out| put_bits(&[u64::MAX, 1], 64, out)), [[0xff; 8], 1_u64.to_le_bytes()].concat());
        // 63 bits of ones, then the number 1 across the border of the first word.
        let across = bytes(|out| put_bits(&[u64::MAX >> 1, 1], 63, out));
        assert_eq!(across, [[0xff; 8], [0; 8]].concat());
    }

    #[test]
    fn deltas_are_those_of_the_formats_examples() {
        // 1 to 5: blocks of 128 in 4 parts, 5 values, first 1 (zigzag 2); smallest difference 1 (2), no bits at all.
        assert_eq!(bytes(|out| delta(&[1, 2, 3, 4, 5], true, out)), [0x80, 1, 4, 5, 2, 2, 0, 0, 0, 0]);
        // 7, 5, 3, 1, 2, 3, 4, 5: smallest -2 (3), then 0 0 0 3 3 3 3 in two bits, filled up to 32 values.
        let packed = [0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0];
        let expected = [vec![0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0], packed.to_vec()].concat();
        assert_eq!(bytes(|out| delta(&[7, 5, 3, 1, 2, 3, 4, 5], true, out)), expected);
        assert_eq!(bytes(|out| delta(&[], true, out)), [0x80, 1, 4, 0, 0]);
    }

    #[test]
    fn equal_values_are_one_run() {
        // 100 fives: length 100 shifted by one, then the value in one byte.
        assert_eq!(bytes(|out| hybrid(&[5; 100], 8, out)), [0xc8, 1, 5]);
        // Two groups of eight in one bit each.
        let mixed: Vec<i64> = (0..9).map(|i| i % 2).collect();
        assert_eq!(bytes(|out| hybrid(&mixed, 2, out)), [5, 0b1010_1010, 0]);
        // Three zeros of a single name: no bits at all.
        assert_eq!(bytes(|out| hybrid(&[0; 3], 1, out)), [6]);
    }

    /// Pages must not depend on how many values came at a time, and an encoder begins anew after each.
    #[test]
    fn values_may_come_in_pieces() {
        let values: Vec<i64> = (0..1000).map(|i: i64| if i < 500 { 3 } else { i * i % 7 }).collect();
        let whole = [
            bytes(|out| delta(&values, true, out)),
            bytes(|out| delta(&values, false, out)),
            bytes(|out| hybrid(&values, 8, out)),
        ];
        let (mut wide, mut narrow, mut codes) = (Delta::new(true), Delta::new(false), Hybrid::new(8));
        for piece in [1, 7, 127, 128, 129, 256, 1000] {
            for part in values.chunks(piece) {
                wide.extend(part);
                narrow.extend(part);
                codes.extend(part);
            }
            let pieces =
                [bytes(|out| wide.finish(out)), bytes(|out| narrow.finish(out)), bytes(|out| codes.finish(out))];
            assert_eq!(pieces, whole, "pieces of {piece}");
        }
    }
}
