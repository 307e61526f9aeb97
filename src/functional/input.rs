//! What drives the rows of a layer's arrays: the window of an output position, cut into bit planes.

use crate::config::Operation;
use crate::functional::blocks::RowBlocks;
use crate::functional::kernels::{Driven, ROWS};
use crate::functional::tiles::PER_WORD;
use crate::workload::{NetLayer, Shape};

/// Where the rows of a layer's matrix find their input codes.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    input: Shape,
    op: Operation,
    output_width: usize,
}

impl Windows {
    #[must_use]
    /// Windows of a layer.
    pub fn new(layer: &NetLayer) -> Self {
        Self { input: layer.input, op: layer.op, output_width: layer.linear.width as usize }
    }

    /// Collects the codes of an output position, row by row (`cin k^2 + ky k + kx`; the map's own order for a linear
    /// layer), from a map `[channels][height][width]`; 0 outside the map.
    pub fn gather(&self, map: &[u16], position: usize, window: &mut Vec<u16>) {
        let Operation::Conv { kernel, .. } = self.op else {
            window.clear();
            window.extend_from_slice(map);
            return;
        };
        window.resize(self.input.channels as usize * (kernel * kernel) as usize, 0);
        // The usual widths known to the compiler: a row of a window is then copied without a call.
        match kernel {
            1 => self.gather_conv::<1>(map, position, 1, window),
            3 => self.gather_conv::<3>(map, position, 3, window),
            5 => self.gather_conv::<5>(map, position, 5, window),
            _ => self.gather_conv::<0>(map, position, kernel as usize, window),
        }
    }

    /// The map of a convolution with its padding, each code as the byte that `byte` gives it, for `positions` output positions.
    pub(super) fn pad(&self, map: &[u16], positions: usize, byte: impl Fn(u16) -> u8) -> PaddedMap {
        let Operation::Conv { kernel, stride, padding, .. } = self.op else {
            unreachable!("only convolutions have several positions")
        };
        let (kernel, stride, padding) = (kernel as usize, stride as usize, padding as usize);
        let (channels, height, width) =
            (self.input.channels as usize, self.input.height as usize, self.input.width as usize);
        let (padded_height, padded_width) = (height + 2 * padding, width + 2 * padding);
        let of_channel = padded_height * padded_width;
        // Eight codes are read at once, also at the end.
        let mut bytes = vec![byte(0); channels * of_channel + 7];
        for (row, codes) in map.chunks_exact(width).enumerate() {
            let first = row / height * of_channel + (row % height + padding) * padded_width + padding;
            bytes[first..first + width].iter_mut().zip(codes).for_each(|(to, &code)| *to = byte(code));
        }
        let mut rows = Vec::with_capacity(channels * kernel * kernel);
        for channel in 0..channels {
            for y in 0..kernel {
                rows.extend((0..kernel).map(|x| channel * of_channel + y * padded_width + x));
            }
        }
        let position = |position: usize| {
            position / self.output_width * stride * padded_width + position % self.output_width * stride
        };
        PaddedMap { bytes, rows, positions: (0..positions).map(position).collect() }
    }

    /// The same of a convolution with a kernel of `kernel` rows; `K` is the same, or 0.
    #[inline(always)]
    fn gather_conv<const K: usize>(&self, map: &[u16], position: usize, kernel: usize, window: &mut [u16]) {
        let Operation::Conv { stride, padding, .. } = self.op else { return };
        let kernel = if K > 0 { K } else { kernel };
        let (height, width) = (self.input.height as usize, self.input.width as usize);
        let (stride, padding) = (stride as usize, padding as usize);
        // Counted from the first row and column of padding.
        let (top, left) = (position / self.output_width * stride, position % self.output_width * stride);
        let inside = left.max(padding)..(left + kernel).min(padding + width);
        let whole = inside.len() == kernel;
        for (channel, of_channel) in map.chunks_exact(height * width).zip(window.chunks_exact_mut(kernel * kernel)) {
            for (y, of_row) in (top..).zip(of_channel.chunks_exact_mut(kernel)) {
                if !(padding..padding + height).contains(&y) || inside.is_empty() {
                    of_row.fill(0);
                    continue;
                }
                let row = &channel[(y - padding) * width..][..width];
                if whole {
                    of_row.copy_from_slice(&row[left - padding..][..kernel]);
                } else {
                    of_row.fill(0);
                    let codes = &row[inside.start - padding..inside.end - padding];
                    of_row[inside.start - left..inside.end - left].copy_from_slice(codes);
                }
            }
        }
    }
}

/// The input codes of a convolution: that of a row at a position is found by adding up a place of each.
#[derive(Debug, Clone)]
pub(super) struct PaddedMap {
    bytes: Vec<u8>,
    /// Places of the rows of the layer's matrix.
    pub(super) rows: Vec<usize>,
    positions: Vec<usize>,
}

/// Eight output positions that follow each other, or fewer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Eight {
    places: [usize; 8],
    in_a_row: bool,
    /// The bytes of those that there are.
    mask: u64,
}

impl PaddedMap {
    /// Number of output positions.
    pub(super) fn positions(&self) -> usize {
        self.positions.len()
    }

    /// The positions from `first` on, as many as there are.
    pub(super) fn eight(&self, first: usize) -> Eight {
        let positions = self.positions.get(first..).unwrap_or(&[]);
        let mut eight = Eight { in_a_row: true, ..Eight::default() };
        for (i, &place) in positions.iter().take(8).enumerate() {
            eight.places[i] = place;
            eight.in_a_row &= place == eight.places[0] + i;
            eight.mask |= 0xff << (8 * i);
        }
        eight
    }

    /// What drives the row at place `row`, the first position in the lowest byte; 0 for positions that there are not.
    #[inline(always)]
    pub(super) fn codes(&self, row: usize, eight: &Eight) -> u64 {
        let bytes = if eight.in_a_row {
            self.bytes[row + eight.places[0]..].first_chunk().copied().unwrap_or_default()
        } else {
            let mut bytes = [0; 8];
            for (byte, place) in bytes.iter_mut().zip(eight.places) {
                *byte = self.bytes[row + place];
            }
            bytes
        };
        u64::from_le_bytes(bytes) & eight.mask
    }
}

/// The bits of a window: one plane for each bit of a code, lowest bit first, rows as words of row blocks.
#[derive(Debug, Clone)]
pub struct Planes {
    blocks: RowBlocks,
    bits: usize,
    signed: bool,
    /// `[bit][word]`
    words: Vec<u64>,
    /// `[bit][block]`
    driven: Vec<u16>,
    /// The rows of `driven`, four by four where any of them is.
    groups: Vec<Driven>,
    /// Where those of a bit and block end, `[bit][block]`.
    ends: Vec<u32>,
}

impl Planes {
    /// Planes of windows over these row blocks with codes of `bits` bits, all 0.
    #[must_use]
    pub fn new(blocks: RowBlocks, bits: u32, signed: bool) -> Self {
        let bits = bits as usize;
        let (words, counts) = (bits * blocks.words(), bits * blocks.count());
        let (driven, ends) = (vec![0; counts], vec![0; counts]);
        Self { blocks, bits, signed, words: vec![0; words], driven, groups: Vec::new(), ends }
    }

    /// How rows fall onto words.
    #[must_use]
    pub fn blocks(&self) -> RowBlocks {
        self.blocks
    }

    /// Takes the lowest bits of the codes of a window, one code for each row.
    pub fn pack(&mut self, window: &[u16]) {
        let words = self.blocks.words();
        for (word, codes) in window.chunks(self.blocks.rows_per_block()).flat_map(|block| block.chunks(64)).enumerate()
        {
            for first in (0..self.bits).step_by(8) {
                let transposed = transpose(codes, first as u32);
                for (bit, rows) in (first..self.bits).zip(transposed) {
                    self.words[bit * words + word] = rows;
                }
            }
        }
        self.groups.clear();
        let blocks = self.words.chunks_exact(words).flat_map(|plane| plane.chunks(self.blocks.words_per_block()));
        for (block, (driven, end)) in blocks.zip(self.driven.iter_mut().zip(&mut self.ends)) {
            *driven = block.iter().map(|word| word.count_ones() as u16).sum();
            for (place, &word) in block.iter().enumerate() {
                let mut left = word;
                while left != 0 {
                    let group = left.trailing_zeros() as usize / ROWS;
                    let pattern = (word >> (ROWS * group)) as u8 & 15;
                    left &= !(15 << (ROWS * group));
                    self.groups.push(Driven { group: (place * PER_WORD + group) as u16, pattern });
                }
            }
            *end = self.groups.len() as u32;
        }
    }

    /// Bits of a code.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// What a bit is worth: 2^bit, negative for the sign bit of two's complement codes.
    #[must_use]
    pub fn weight(&self, bit: usize) -> i32 {
        if self.signed && bit + 1 == self.bits { -(1 << bit) } else { 1 << bit }
    }

    /// Words of a bit.
    #[must_use]
    pub fn plane(&self, bit: usize) -> &[u64] {
        let words = self.blocks.words();
        &self.words[bit * words..(bit + 1) * words]
    }

    /// Rows whose code has a 1 in this bit, one number for each row block.
    #[must_use]
    #[inline]
    pub fn driven(&self, bit: usize) -> &[u16] {
        let count = self.blocks.count();
        &self.driven[bit * count..(bit + 1) * count]
    }

    /// The rows of a block whose code has a 1 in this bit, four by four.
    #[must_use]
    #[inline(always)]
    pub fn groups(&self, bit: usize, block: usize) -> &[Driven] {
        let place = bit * self.blocks.count() + block;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.groups[start as usize..self.ends[place] as usize]
    }

    /// Rows whose code is not 0, one number for each row block.
    pub fn nonzero(&self) -> impl Iterator<Item = u16> + '_ {
        let words = self.blocks.words();
        let per_block = self.blocks.words_per_block();
        (0..words).step_by(per_block).map(move |start| {
            (start..(start + per_block).min(words))
                .map(|word| {
                    let any = (0..self.bits).fold(0, |any, bit| any | self.words[bit * words + word]);
                    any.count_ones() as u16
                })
                .sum()
        })
    }
}

/// Eight bits, from bit `first` on, of up to 64 codes as eight words: bit i of a word is from code i.
#[inline(always)]
pub(super) fn transpose(codes: &[u16], first: u32) -> [u64; 8] {
    let mut planes = [0; 8];
    for (i, eight) in codes.chunks(8).enumerate() {
        let bytes = eight.iter().rev().fold(0u64, |bytes, &code| bytes << 8 | u64::from((code >> first) as u8));
        for (bit, plane) in planes.iter_mut().enumerate() {
            // Multiplying brings the lowest bits of all bytes together in the top byte; nothing carries.
            let column = (bytes >> bit & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            *plane |= column << (8 * i);
        }
    }
    planes
}
