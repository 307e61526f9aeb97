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

/// `DELTA_BINARY_PACKED`: differences of neighbours, packed to the bits that a part of a block needs. `wide` means INT64
/// from INT32, whose differences wrap at 32 bits.
pub(super) fn delta(values: &[i64], wide: bool, out: &mut Vec<u8>) {
    put_varint(BLOCK as u64, out);
    put_varint((BLOCK / PART) as u64, out);
    put_varint(values.len() as u64, out);
    put_zigzag(values.first().copied().unwrap_or(0), out);
    let blocks = values.get(1..).unwrap_or_default().chunks(BLOCK);
    for (block, before) in blocks.zip(values.chunks(BLOCK)) {
        let mut deltas = [0_i64; BLOCK];
        let deltas = &mut deltas[..block.len()];
        for ((delta, &value), &before) in deltas.iter_mut().zip(block).zip(before) {
            *delta = value.wrapping_sub(before);
        }
        if !wide {
            deltas.iter_mut().for_each(|delta| *delta = i64::from(*delta as i32));
        }
        put_block(deltas, out);
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

/// The hybrid of run lengths and packed bits for numbers below `limit`: one run where all are equal, else packed bits.
pub(super) fn hybrid(values: &[i64], limit: usize, out: &mut Vec<u8>) {
    let width = width_of(limit.saturating_sub(1) as u64);
    let Some(&first) = values.first() else { return };
    if values.iter().all(|&value| value == first) {
        put_varint((values.len() as u64) << 1, out);
        out.extend_from_slice(&first.to_le_bytes()[..width.div_ceil(8) as usize]);
        return;
    }
    let groups = values.len().div_ceil(8);
    put_varint((groups as u64) << 1 | 1, out);
    // Groups of eight values end at whole bytes, and so do blocks.
    for block in values.chunks(BLOCK) {
        let mut codes = [0_u64; BLOCK];
        codes.iter_mut().zip(block).for_each(|(code, value)| *code = *value as u64);
        put_bits(&codes[..block.len().next_multiple_of(8)], width, out);
    }
}

/// Indices into a dictionary of `names` entries: their width, then the hybrid.
pub(super) fn indices(values: &[i64], names: usize, out: &mut Vec<u8>) {
    out.push(width_of(names.saturating_sub(1) as u64) as u8);
    hybrid(values, names, out);
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
        assert_eq!(bytes(|out| indices(&[0; 3], 1, out)), [0, 6]);
    }
}
