//! Inner loops of products, with wide instructions where the machine has them.
//!
//! Each loop stands here twice: for AVX2, and in plain integer arithmetic for all other machines. Both give the same
//! integers, so results do not depend on the machine; a test compares them.
//!
//! *Rows driven and +1*, by table look-up (Wei et al., T-MAC, EuroSys 2025; the idea is older): of four rows the driven ones
//! are a pattern of four bits, and so are the weights of a column. Their common bits are counted by a table of 16 entries,
//! and one `pshufb` looks up 32 columns.
//!
//! *Sums of absolute differences*, of bytes, 32 at a time by `psadbw`; see [`direct`](crate::functional::direct).

#[cfg(target_arch = "x86_64")]
use pulp::x86::V3;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::__m256i;

/// Columns that are looked up together.
pub const COLUMNS: usize = 64;
/// Rows that are looked up together.
pub const ROWS: usize = 4;

/// The weights of [`ROWS`] rows and [`COLUMNS`] columns, 1 = +1: byte i has column i in its lower half and column 32 + i in
/// its upper one, the first row in the lowest bit.
pub type Tile = [u8; 32];

/// Driven rows among four neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Driven {
    /// Which four rows of a row block.
    pub group: u16,
    /// Which of them, 1..=15; the first row in the lowest bit.
    pub pattern: u8,
}

/// Groups whose counts fit a byte.
const FIT_A_BYTE: usize = u8::MAX as usize / ROWS;

/// Work in loops of this module. Everything that it calls there must be `#[inline(always)]`, and so must be its method: what
/// is not inlined is compiled for the instructions that every machine has.
pub trait Work {
    /// What it results in.
    type Output;

    /// Does it.
    fn run(self, instructions: Instructions) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
struct Inlined<W>(W, Instructions);

#[cfg(target_arch = "x86_64")]
impl<W: Work> pulp::WithSimd for Inlined<W> {
    type Output = W::Output;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> W::Output {
        self.0.run(self.1)
    }
}

/// The instructions that are used. Which ones makes no difference but in time.
#[derive(Debug, Clone, Copy)]
pub struct Instructions {
    #[cfg(target_arch = "x86_64")]
    avx2: Option<V3>,
}

impl Default for Instructions {
    /// The widest ones that this machine has.
    fn default() -> Self {
        Self::best()
    }
}

impl Instructions {
    /// The widest ones that this machine has.
    #[must_use]
    pub fn best() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            avx2: V3::try_new(),
        }
    }

    /// Those that every machine has.
    #[must_use]
    pub fn portable() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            avx2: None,
        }
    }

    /// Runs `work` with its loops compiled for these instructions.
    pub fn run<W: Work>(self, work: W) -> W::Output {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.avx2 {
            return pulp::Simd::vectorize(avx2, Inlined(work, self));
        }
        work.run(self)
    }

    /// Adds, for each column, the driven rows whose weight is +1. `tiles` are those of the row block.
    #[inline(always)]
    pub fn count(self, tiles: &[Tile], driven: &[Driven], counts: &mut [i32; COLUMNS]) {
        for driven in driven.chunks(FIT_A_BYTE) {
            #[cfg(target_arch = "x86_64")]
            let of_columns = match self.avx2 {
                Some(avx2) => count_avx2(avx2, tiles, driven),
                None => count(tiles, driven),
            };
            #[cfg(not(target_arch = "x86_64"))]
            let of_columns = count(tiles, driven);
            for (count, of_column) in counts.iter_mut().zip(of_columns.as_flattened()) {
                *count += i32::from(*of_column);
            }
        }
    }

    /// Sums of the absolute differences of a column and each of four windows of the same length, modulo 2^32.
    #[inline(always)]
    pub fn differences(self, column: &[[u8; 32]], windows: [&[[u8; 32]]; 4]) -> [u32; 4] {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.avx2 {
            return differences_avx2(avx2, column, windows);
        }
        windows.map(|window| differences(column, window))
    }
}

/// Counts of common bits: row p is the table of the pattern p, twice.
static COMMON_BITS: [[u8; 32]; 16] = {
    let mut tables = [[0; 32]; 16];
    let mut pattern = 0;
    while pattern < 16 {
        let mut i = 0;
        while i < 32 {
            tables[pattern][i] = (pattern & i & 15).count_ones() as u8;
            i += 1;
        }
        pattern += 1;
    }
    tables
};

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn count_avx2(V3 { avx, avx2, .. }: V3, tiles: &[Tile], driven: &[Driven]) -> [[u8; 32]; 2] {
    let half = avx._mm256_set1_epi8(15);
    let mut counts = [avx._mm256_setzero_si256(); 2];
    for &Driven { group, pattern } in driven {
        let table: __m256i = pulp::cast(COMMON_BITS[usize::from(pattern & 15)]);
        let tile: __m256i = pulp::cast(tiles[usize::from(group)]);
        let lower = avx2._mm256_and_si256(tile, half);
        let upper = avx2._mm256_and_si256(avx2._mm256_srli_epi16::<4>(tile), half);
        counts[0] = avx2._mm256_add_epi8(counts[0], avx2._mm256_shuffle_epi8(table, lower));
        counts[1] = avx2._mm256_add_epi8(counts[1], avx2._mm256_shuffle_epi8(table, upper));
    }
    counts.map(pulp::cast)
}

#[inline(always)]
fn count(tiles: &[Tile], driven: &[Driven]) -> [[u8; 32]; 2] {
    const HALVES: u64 = 0x1111_1111_1111_1111;
    const PAIRS: u64 = 3 * HALVES;
    const LOWER: u64 = 0x0f0f_0f0f_0f0f_0f0f;
    let mut counts = [[0_u64; 4]; 2];
    for &Driven { group, pattern } in driven {
        let pattern = HALVES * u64::from(pattern & 15);
        for (word, tile) in tiles[usize::from(group)].as_chunks::<8>().0.iter().enumerate() {
            // Bits of each half byte are counted in place: in pairs, then both pairs.
            let common = u64::from_le_bytes(*tile) & pattern;
            let pairs = common - (common >> 1 & 0x5555_5555_5555_5555);
            let ones = (pairs & PAIRS) + (pairs >> 2 & PAIRS);
            counts[0][word] += ones & LOWER;
            counts[1][word] += ones >> 4 & LOWER;
        }
    }
    counts.map(|words| {
        let mut bytes = [0; 32];
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    })
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn differences_avx2(V3 { avx, avx2, .. }: V3, column: &[[u8; 32]], windows: [&[[u8; 32]]; 4]) -> [u32; 4] {
    let mut sums = [avx._mm256_setzero_si256(); 4];
    let windows = windows.map(|window| &window[..column.len()]);
    for (i, &weights) in column.iter().enumerate() {
        let weights = pulp::cast(weights);
        for (sum, window) in sums.iter_mut().zip(windows) {
            *sum = avx2._mm256_add_epi64(*sum, avx2._mm256_sad_epu8(weights, pulp::cast(window[i])));
        }
    }
    sums.map(|sum| pulp::cast::<_, [u64; 4]>(sum).iter().sum::<u64>() as u32)
}

#[inline(always)]
fn differences(column: &[[u8; 32]], window: &[[u8; 32]]) -> u32 {
    column.iter().zip(window).fold(0, |sum: u32, (column, window)| {
        // 16 bytes at a time, as 128-bit instructions have them.
        let halves = column.as_chunks::<16>().0.iter().zip(window.as_chunks::<16>().0);
        halves.fold(sum, |sum, (column, window)| {
            let part: u32 = column.iter().zip(window).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            sum.wrapping_add(part)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Count<'a>(&'a [Tile], &'a [Driven]);

    impl Work for Count<'_> {
        type Output = [i32; COLUMNS];

        #[inline(always)]
        fn run(self, instructions: Instructions) -> Self::Output {
            let mut counts = [3; COLUMNS];
            instructions.count(self.0, self.1, &mut counts);
            counts
        }
    }

    struct Differences<'a>(&'a [[u8; 32]], [&'a [[u8; 32]]; 4]);

    impl Work for Differences<'_> {
        type Output = [u32; 4];

        #[inline(always)]
        fn run(self, instructions: Instructions) -> Self::Output {
            instructions.differences(self.0, self.1)
        }
    }

    proptest! {
        /// Wide and narrow instructions give what the definition says.
        #[test]
        fn counts_are_those_of_the_definition(
            tiles in prop::collection::vec(any::<[u8; 32]>(), 200),
            driven in prop::collection::vec((0..200_u16, 1..16_u8), 0..200),
        ) {
            let driven: Vec<_> = driven.into_iter().map(|(group, pattern)| Driven { group, pattern }).collect();
            let mut expected = [3_i32; COLUMNS];
            for &Driven { group, pattern } in &driven {
                for (column, expected) in expected.iter_mut().enumerate() {
                    let weights = tiles[usize::from(group)][column % 32] >> (4 * (column / 32)) & 15;
                    *expected += (weights & pattern).count_ones() as i32;
                }
            }
            for instructions in [Instructions::best(), Instructions::portable()] {
                prop_assert_eq!(instructions.run(Count(&tiles, &driven)), expected);
            }
        }

        #[test]
        fn differences_are_those_of_the_definition(
            column in prop::collection::vec(any::<[u8; 32]>(), 0..70),
            window in prop::collection::vec(any::<[u8; 32]>(), 280),
        ) {
            let windows = [0, 70, 140, 210].map(|first| &window[first..first + column.len()]);
            let expected = windows.map(|window| {
                let bytes = column.as_flattened().iter().zip(window.as_flattened());
                bytes.map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>()
            });
            for instructions in [Instructions::best(), Instructions::portable()] {
                prop_assert_eq!(instructions.run(Differences(&column, windows)), expected);
            }
        }
    }
}
