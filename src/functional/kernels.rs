//! Inner loops of products, with wide instructions where the machine has them.
//!
//! Each loop stands here for AVX2, for AVX-512 where that is other than twice as wide, and in plain integer arithmetic for all
//! other machines. All give the same integers, so results do not depend on the machine; a test compares them.
//!
//! Products are looked up (Wei et al., T-MAC, EuroSys 2025; the idea is older): the weights of four rows in a column are a
//! pattern of four bits, and so are the driven ones among four rows.
//!
//! *Columns side by side*, for one output position: the table of a pattern of driven rows has the number of common bits for
//! each pattern of weights, and one `pshufb` looks up 32 columns.
//!
//! *Positions side by side*, for many of them: the table has what four rows add at all positions for each pattern of weights,
//! and one addition takes 64 bytes of it; see [`lanes`](crate::functional::lanes).
//!
//! *Positions side by side, within a register*: AVX-512 looks 16 numbers of 32 bits up in a register of 16. It holds what four
//! rows of a column add, whatever numbers these are.

#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256d, __m256i, __m512i, _CMP_NEQ_UQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_ZERO};

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

/// What is side by side: 64 bytes as lanes of 8, 16 or 32 bits, the first ones lowest in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(64))]
pub struct Lanes {
    /// Eight lanes of 8 bits, four of 16, or two of 32.
    pub words: [u64; 8],
}

impl Lanes {
    /// 0 in all lanes.
    pub const ZERO: Self = Self { words: [0; 8] };

    /// Lanes of 32 bits.
    #[must_use]
    #[inline(always)]
    pub fn of(lanes: [i32; 16]) -> Self {
        Self { words: pulp::cast(lanes) }
    }

    /// The same lanes.
    #[must_use]
    #[inline(always)]
    pub fn numbers(self) -> [i32; 16] {
        pulp::cast(self.words)
    }

    /// Adds lane by lane; lanes of 8 or 16 bits may not overflow.
    #[inline(always)]
    pub fn add(&mut self, other: &Self) {
        let (mut sums, others): ([u32; 16], [u32; 16]) = (pulp::cast(self.words), pulp::cast(other.words));
        for (sum, other) in sums.iter_mut().zip(others) {
            *sum = sum.wrapping_add(other);
        }
        self.words = pulp::cast(sums);
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// The currents of 32 pairs of rows: lanes of 32 bits have those of a column, of 16 bits each, the first row lower.
pub type Pairs = [Lanes; 32];

/// The levels of 32 pairs of rows, of 16 bits each, the first row lower.
pub type Levels = [u32; 32];

/// For each pattern of four weights, 1 = +1, the first row in the lowest bit, what the rows with +1 add.
pub type Table = [Lanes; 1 << ROWS];

/// Those of 64 rows.
pub type Tables = [Table; 64 / ROWS];

/// 64 lanes of 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(64))]
pub struct Wide {
    pub lanes: [[i16; 16]; 4],
}

impl Wide {
    /// 0 in all lanes.
    pub const ZERO: Self = Self { lanes: [[0; 16]; 4] };
}

/// Which word of [`Lanes`] the i-th eight lanes of a [`Wide`] are from: AVX2 interleaves halves of registers.
pub const PLACES: [usize; 8] = [0, 2, 1, 3, 4, 6, 5, 7];

/// The code of a sum by a multiplication of 16 bits: `min((|s| 2^shift factor + 2^14) >> 15, top)` with the sign of s, for
/// |s| 2^shift below 2^15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multiplication {
    pub shift: u32,
    pub factor: i16,
    pub top: i16,
}

impl Multiplication {
    /// The code of a sum.
    #[must_use]
    #[inline(always)]
    pub fn code(self, sum: i16) -> i16 {
        let magnitude = i32::from(sum.wrapping_abs() << self.shift);
        let code = ((magnitude * i32::from(self.factor) + (1 << 14)) >> 15).min(self.top.into()) as i16;
        if sum < 0 { -code } else { code }
    }
}

/// How currents become codes: rounded in units of a step, halves away from zero, and limited to the extreme codes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounding {
    /// Steps in the unit of currents.
    pub scale: f64,
    pub bottom: f64,
    pub top: f64,
}

impl Rounding {
    /// The code of a current, a whole number, and whether it lies beyond the range.
    #[must_use]
    #[inline(always)]
    pub fn code(self, current: f64) -> (f64, bool) {
        let steps = current * self.scale;
        let code = (steps.abs() + 0.5).floor().copysign(steps);
        let limited = code.clamp(self.bottom, self.top);
        (limited, code != limited)
    }
}

impl Rounding {
    /// The multiplication that gives the same codes for all whole currents, if there is one.
    #[must_use]
    pub fn whole(self) -> Option<Whole> {
        // A factor of 31 bits: its product with a current has 62.
        let shift = 30 - libm::ilogb(self.scale);
        if !(31..=62).contains(&shift) {
            return None;
        }
        let exact = libm::ldexp(self.scale, shift);
        let (shift, half) = (shift as u32, 1_i64 << (shift - 1));
        // A factor that is larger by little rounds halves away from zero.
        let factors = [libm::ceil(exact), libm::floor(exact) + 1.0].into_iter().filter(|of| *of <= i32::MAX.into());
        let (bottom, top) = (self.bottom as i32, self.top as i32);
        factors.map(|factor| Whole { factor: factor as i32, half, shift, bottom, top }).find(|of| self.agrees(of))
    }

    /// Whether it gives the same codes. Codes grow with currents, so it is enough to look where they change.
    fn agrees(self, whole: &Whole) -> bool {
        let unlimited = Self { bottom: f64::NEG_INFINITY, top: f64::INFINITY, ..self };
        let of_sign = |sign: i64, extreme: f64| {
            let code = |current: i64| unlimited.code((sign * current) as f64).0 * sign as f64;
            for next in 1..=extreme as i64 + 1 {
                // The least current of this code, about, then exactly.
                let mut first = ((next as f64 - 0.5) / self.scale) as i64;
                while first > 0 && code(first - 1) >= next as f64 {
                    first -= 1;
                }
                while code(first) < next as f64 {
                    first += 1;
                }
                if first > i64::from(i32::MAX) {
                    return true;
                }
                let found = |current: i64| i64::from(whole.unlimited((sign * current) as i32)) * sign;
                if found(first) < next || found(first - 1) >= next {
                    return false;
                }
            }
            true
        };
        of_sign(1, self.top) && of_sign(-1, -self.bottom)
    }
}

/// How whole currents become codes: `(s factor + half) >> shift`, limited to the extreme codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    factor: i32,
    half: i64,
    shift: u32,
    bottom: i32,
    top: i32,
}

impl Whole {
    #[inline(always)]
    fn unlimited(self, current: i32) -> i32 {
        ((i64::from(current) * i64::from(self.factor) + self.half) >> self.shift) as i32
    }
}

/// How sums of currents become codes.
#[derive(Debug, Clone, Copy)]
pub struct Codes {
    by: Rounding,
    whole: Option<Whole>,
}

impl Codes {
    /// Those of this rounding; `whole` is the multiplication that gives the same, if there is one.
    #[must_use]
    pub fn new(by: Rounding, whole: Option<Whole>) -> Self {
        Self { by, whole }
    }

    /// Adds the codes of 16 currents, `weight` times, to `codes`, and 1 to `beyond` where a current lies beyond the range.
    #[inline(always)]
    pub fn add(&self, currents: &[i32; 16], weight: i32, codes: &mut [i32; 16], beyond: &mut [i32; 16]) {
        let lanes = codes.iter_mut().zip(beyond).zip(currents);
        if let Some(whole) = self.whole {
            for ((sum, beyond), &current) in lanes {
                let code = whole.unlimited(current);
                let limited = code.clamp(whole.bottom, whole.top);
                *sum += weight * limited;
                *beyond += i32::from(code != limited);
            }
        } else {
            for ((sum, beyond), &current) in lanes {
                let (code, clips) = self.by.code(current.into());
                *sum += weight * code as i32;
                *beyond += i32::from(clips);
            }
        }
    }
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
    #[cfg(target_arch = "x86_64")]
    avx512: Option<V4>,
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
            #[cfg(target_arch = "x86_64")]
            avx512: V4::try_new(),
        }
    }

    /// The same without AVX-512.
    #[must_use]
    pub fn narrower(self) -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            avx512: None,
            ..self
        }
    }

    /// Those that every machine has.
    #[must_use]
    pub fn portable() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            avx2: None,
            #[cfg(target_arch = "x86_64")]
            avx512: None,
        }
    }

    /// Whether [`look_up_within`](Self::look_up_within) is faster than [`look_up`](Self::look_up).
    #[must_use]
    pub fn look_up_within_registers(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.avx512.is_some();
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Runs `work` with its loops compiled for these instructions.
    pub fn run<W: Work>(self, work: W) -> W::Output {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx512) = self.avx512 {
            return pulp::Simd::vectorize(avx512, Inlined(work, self));
        }
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

    /// A bit for each place, the first one lowest: whether the byte is not above the other one.
    #[inline(always)]
    pub fn not_above(self, bytes: &[u8; 64], others: &[u8; 64]) -> u64 {
        #[cfg(target_arch = "x86_64")]
        if let Some(V3 { avx2, .. }) = self.avx2 {
            let (bytes, others): ([__m256i; 2], [__m256i; 2]) = (pulp::cast(*bytes), pulp::cast(*others));
            let half = |i: usize| {
                let least = avx2._mm256_min_epu8(bytes[i], others[i]);
                avx2._mm256_movemask_epi8(avx2._mm256_cmpeq_epi8(least, bytes[i])) as u32
            };
            return join(half(0), half(1));
        }
        bytes.iter().zip(others).rev().fold(0, |bits, (byte, other)| bits << 1 | u64::from(byte <= other))
    }

    /// Adds to `sum` what 16 tables have for 16 patterns, four bits of `patterns` each, the first one lowest. Lanes of 8
    /// or 16 bits may not overflow.
    #[inline(always)]
    pub fn look_up(self, tables: &Tables, patterns: u64, sum: Lanes) -> Lanes {
        #[cfg(target_arch = "x86_64")]
        if let Some(V4 { avx512f, .. }) = self.avx512 {
            let (mut sum, mut patterns): (__m512i, u64) = (pulp::cast(sum.words), patterns);
            for table in tables {
                sum = avx512f._mm512_add_epi32(sum, pulp::cast(table[(patterns & 15) as usize].words));
                patterns >>= ROWS;
            }
            return Lanes { words: pulp::cast(sum) };
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.avx2 {
            return look_up_avx2(avx2, tables, patterns, sum);
        }
        look_up(tables, patterns, sum)
    }

    /// What four rows add to each of four columns for each pattern of the rows, from their numbers `[row][column]`.
    #[inline(always)]
    pub fn tabulate(self, rows: &[[i32; 4]; ROWS]) -> [Lanes; 4] {
        let mut tables = [Lanes::ZERO; 4];
        #[cfg(target_arch = "x86_64")]
        if let Some(V4 { avx512f, .. }) = self.avx512 {
            for (column, table) in tables.iter_mut().enumerate() {
                let place = avx512f._mm512_set1_epi32(column as i32);
                let mut sum = avx512f._mm512_setzero_si512();
                for (row, taken) in rows.iter().zip(TAKEN) {
                    let row = avx512f._mm512_castsi128_si512(pulp::cast(*row));
                    let of_row = avx512f._mm512_maskz_permutexvar_epi32(taken, place, row);
                    sum = avx512f._mm512_add_epi32(sum, of_row);
                }
                table.words = pulp::cast(sum);
            }
            return tables;
        }
        for (column, table) in tables.iter_mut().enumerate() {
            let mut entries = [0_i32; 16];
            for (pattern, entry) in entries.iter_mut().enumerate() {
                for (row, taken) in rows.iter().zip(TAKEN) {
                    *entry = entry.wrapping_add(if taken >> pattern & 1 == 1 { row[column] } else { 0 });
                }
            }
            *table = Lanes::of(entries);
        }
        tables
    }

    /// Adds to lanes of 32 bits what rows of four columns each add at 16 positions, for the patterns of all four rows.
    #[inline(always)]
    pub fn look_up_within(self, tables: [&[Lanes]; 4], patterns: &[Lanes], sums: &mut [Lanes; 4]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(V4 { avx512f, .. }) = self.avx512 {
            let mut of: [__m512i; 4] = sums.map(|sum| pulp::cast(sum.words));
            let tables = tables.map(|tables| &tables[..patterns.len()]);
            for (i, patterns) in patterns.iter().enumerate() {
                let patterns: __m512i = pulp::cast(patterns.words);
                for (of, tables) in of.iter_mut().zip(tables) {
                    let found = avx512f._mm512_permutexvar_epi32(patterns, pulp::cast(tables[i].words));
                    *of = avx512f._mm512_add_epi32(*of, found);
                }
            }
            *sums = of.map(|of| Lanes { words: pulp::cast(of) });
            return;
        }
        for (sum, tables) in sums.iter_mut().zip(tables) {
            for (table, patterns) in tables.iter().zip(patterns) {
                let table = table.numbers();
                sum.add(&Lanes::of(patterns.numbers().map(|pattern| table[(pattern & 15) as usize])));
            }
        }
    }

    /// Adds, for four positions, the products of currents and levels to lanes of 32 bits.
    #[inline(always)]
    pub fn multiply_add(self, pairs: &Pairs, levels: [&Levels; 4], sums: &mut [Lanes; 4]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(V4 { avx512f, avx512bw, .. }) = self.avx512 {
            let mut of: [__m512i; 4] = sums.map(|sum| pulp::cast(sum.words));
            for (i, pair) in pairs.iter().enumerate() {
                let pair: __m512i = pulp::cast(pair.words);
                for (of, levels) in of.iter_mut().zip(levels) {
                    let product = avx512bw._mm512_madd_epi16(pair, avx512f._mm512_set1_epi32(levels[i] as i32));
                    *of = avx512f._mm512_add_epi32(*of, product);
                }
            }
            *sums = of.map(|of| Lanes { words: pulp::cast(of) });
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.avx2 {
            return multiply_add_avx2(avx2, pairs, levels, sums);
        }
        multiply_add(pairs, levels, sums);
    }

    /// The i-th bit of eight bytes in the word that the i-th of [`PLACES`] is, in the lowest bit of each byte.
    #[inline(always)]
    pub fn bits(self, bytes: u64) -> Lanes {
        const LOWEST: u64 = 0x0101_0101_0101_0101;
        #[cfg(target_arch = "x86_64")]
        if let Some(V3 { avx, avx2, .. }) = self.avx2 {
            // As registers: what is stored word by word keeps the load of a register waiting.
            let (bytes, lowest) = (avx._mm256_set1_epi64x(bytes as i64), avx._mm256_set1_epi64x(LOWEST as i64));
            let shifts: [__m256i; 2] = pulp::cast(PLACES.map(|place| place as u64));
            let words = shifts.map(|shifts| avx2._mm256_and_si256(avx2._mm256_srlv_epi64(bytes, shifts), lowest));
            return Lanes { words: pulp::cast(words) };
        }
        // Their order undoes itself.
        Lanes { words: PLACES.map(|bit| bytes >> bit & LOWEST) }
    }

    /// Lanes of 8 bits as lanes of 16, in the order that [`PLACES`] undoes.
    #[inline(always)]
    pub fn widen(self, lanes: Lanes) -> Wide {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.avx2 {
            return widen_avx2(avx2, lanes);
        }
        widen(lanes)
    }

    /// Lane by lane.
    #[inline(always)]
    pub fn add(self, a: Wide, b: Wide) -> Wide {
        #[cfg(target_arch = "x86_64")]
        if let Some(V3 { avx2, .. }) = self.avx2 {
            return zip_avx2(a, b, |a, b| avx2._mm256_add_epi16(a, b));
        }
        zip(a, b, i16::wrapping_add)
    }

    /// Lane by lane.
    #[inline(always)]
    pub fn subtract(self, a: Wide, b: Wide) -> Wide {
        #[cfg(target_arch = "x86_64")]
        if let Some(V3 { avx2, .. }) = self.avx2 {
            return zip_avx2(a, b, |a, b| avx2._mm256_sub_epi16(a, b));
        }
        zip(a, b, i16::wrapping_sub)
    }

    /// The codes of sums.
    #[inline(always)]
    pub fn convert(self, sums: Wide, by: Multiplication) -> Wide {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.avx2 {
            return convert_avx2(avx2, sums, by);
        }
        map(sums, |sum| by.code(sum))
    }

    /// Adds the codes of 16 currents, `weight` times, to `codes`; returns how many currents lie beyond the range.
    #[inline(always)]
    pub fn add_codes(self, currents: &[f64; 16], by: Rounding, weight: f64, codes: &mut [f64; 16]) -> u32 {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = self.avx2 {
            return add_codes_avx2(avx2, currents, by, weight, codes);
        }
        add_codes(currents, by, weight, codes)
    }

    /// 1 in each lane whose sum lies beyond `highest` to either side, else 0.
    #[inline(always)]
    pub fn beyond(self, sums: Wide, highest: i16) -> Wide {
        #[cfg(target_arch = "x86_64")]
        if let Some(V3 { avx, avx2, .. }) = self.avx2 {
            let highest = avx._mm256_set1_epi16(highest);
            let beyond = |sums| avx2._mm256_cmpgt_epi16(avx2._mm256_abs_epi16(sums), highest);
            return zip_avx2(sums, sums, |sums, _| avx2._mm256_abs_epi16(beyond(sums)));
        }
        map(sums, |sum| i16::from(sum.wrapping_abs() > highest))
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
fn look_up_avx2(V3 { avx2, .. }: V3, tables: &Tables, mut patterns: u64, sum: Lanes) -> Lanes {
    let mut sums: [__m256i; 2] = pulp::cast(sum.words);
    for table in tables {
        let entry: [__m256i; 2] = pulp::cast(table[(patterns & 15) as usize].words);
        sums[0] = avx2._mm256_add_epi32(sums[0], entry[0]);
        sums[1] = avx2._mm256_add_epi32(sums[1], entry[1]);
        patterns >>= ROWS;
    }
    Lanes { words: pulp::cast(sums) }
}

#[inline(always)]
fn look_up(tables: &Tables, mut patterns: u64, mut sum: Lanes) -> Lanes {
    for table in tables {
        sum.add(&table[(patterns & 15) as usize]);
        patterns >>= ROWS;
    }
    sum
}

/// The patterns that have each of four rows.
const TAKEN: [u16; ROWS] = [0xaaaa, 0xcccc, 0xf0f0, 0xff00];

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn multiply_add_avx2(V3 { avx, avx2, .. }: V3, pairs: &Pairs, levels: [&Levels; 4], sums: &mut [Lanes; 4]) {
    let [a, b, c, d] = *sums;
    let mut of: [[__m256i; 2]; 4] =
        [pulp::cast(a.words), pulp::cast(b.words), pulp::cast(c.words), pulp::cast(d.words)];
    for (i, pair) in pairs.iter().enumerate() {
        let pair: [__m256i; 2] = pulp::cast(pair.words);
        for (of, levels) in of.iter_mut().zip(levels) {
            let level = avx._mm256_set1_epi32(levels[i] as i32);
            of[0] = avx2._mm256_add_epi32(of[0], avx2._mm256_madd_epi16(pair[0], level));
            of[1] = avx2._mm256_add_epi32(of[1], avx2._mm256_madd_epi16(pair[1], level));
        }
    }
    for (sum, of) in sums.iter_mut().zip(of) {
        sum.words = pulp::cast(of);
    }
}

#[inline(always)]
fn multiply_add(pairs: &Pairs, levels: [&Levels; 4], sums: &mut [Lanes; 4]) {
    let halves = |word: i32| [word as i16, (word >> 16) as i16].map(i32::from);
    for (sum, levels) in sums.iter_mut().zip(levels) {
        for (pair, &level) in pairs.iter().zip(levels) {
            let [low, high] = halves(level as i32);
            let product = pair.numbers().map(|pair| {
                let [first, second] = halves(pair);
                (first * low).wrapping_add(second * high)
            });
            sum.add(&Lanes::of(product));
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn widen_avx2(V3 { avx, avx2, .. }: V3, lanes: Lanes) -> Wide {
    let zero = avx._mm256_setzero_si256();
    let [first, second]: [__m256i; 2] = pulp::cast(lanes.words);
    let halves = [
        avx2._mm256_unpacklo_epi8(first, zero),
        avx2._mm256_unpackhi_epi8(first, zero),
        avx2._mm256_unpacklo_epi8(second, zero),
        avx2._mm256_unpackhi_epi8(second, zero),
    ];
    Wide { lanes: pulp::cast(halves) }
}

#[inline(always)]
fn widen(lanes: Lanes) -> Wide {
    let mut wide = Wide::ZERO;
    for (eight, place) in wide.lanes.as_flattened_mut().chunks_exact_mut(8).zip(PLACES) {
        eight.iter_mut().zip(lanes.words[place].to_le_bytes()).for_each(|(lane, byte)| *lane = byte.into());
    }
    wide
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn zip_avx2(a: Wide, b: Wide, of: impl Fn(__m256i, __m256i) -> __m256i) -> Wide {
    let (a, b): ([__m256i; 4], [__m256i; 4]) = (pulp::cast(a.lanes), pulp::cast(b.lanes));
    Wide { lanes: pulp::cast([of(a[0], b[0]), of(a[1], b[1]), of(a[2], b[2]), of(a[3], b[3])]) }
}

#[inline(always)]
fn zip(mut a: Wide, b: Wide, of: impl Fn(i16, i16) -> i16) -> Wide {
    a.lanes.as_flattened_mut().iter_mut().zip(b.lanes.as_flattened()).for_each(|(a, &b)| *a = of(*a, b));
    a
}

#[inline(always)]
fn map(a: Wide, of: impl Fn(i16) -> i16) -> Wide {
    zip(a, a, |a, _| of(a))
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn convert_avx2(V3 { sse2, avx, avx2, .. }: V3, sums: Wide, by: Multiplication) -> Wide {
    let (factor, top) = (avx._mm256_set1_epi16(by.factor), avx._mm256_set1_epi16(by.top));
    let shift = sse2._mm_set1_epi64x(by.shift.into());
    zip_avx2(sums, sums, |sums, _| {
        let magnitudes = avx2._mm256_sll_epi16(avx2._mm256_abs_epi16(sums), shift);
        let codes = avx2._mm256_min_epi16(avx2._mm256_mulhrs_epi16(magnitudes, factor), top);
        avx2._mm256_sign_epi16(codes, sums)
    })
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn add_codes_avx2(
    V3 { avx, avx2, .. }: V3,
    currents: &[f64; 16],
    by: Rounding,
    weight: f64,
    codes: &mut [f64; 16],
) -> u32 {
    let all = |number: f64| avx._mm256_set1_pd(number);
    let (scale, half, sign) = (all(by.scale), all(0.5), all(-0.0));
    let (bottom, top, weight) = (all(by.bottom), all(by.top), all(weight));
    let currents: [__m256d; 4] = pulp::cast(*currents);
    let mut sums: [__m256d; 4] = pulp::cast(*codes);
    let mut beyond = avx._mm256_setzero_si256();
    for (sum, current) in sums.iter_mut().zip(currents) {
        let steps = avx._mm256_mul_pd(current, scale);
        let away = avx._mm256_or_pd(half, avx._mm256_and_pd(steps, sign));
        let code = avx._mm256_round_pd::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>(avx._mm256_add_pd(steps, away));
        let limited = avx._mm256_min_pd(avx._mm256_max_pd(code, bottom), top);
        let differs = avx._mm256_cmp_pd::<_CMP_NEQ_UQ>(code, limited);
        // All bits of a lane that differs are set: -1.
        beyond = avx2._mm256_sub_epi64(beyond, avx._mm256_castpd_si256(differs));
        // Products and sums are whole numbers below 2^53: it does not matter how they are rounded.
        *sum = avx._mm256_add_pd(*sum, avx._mm256_mul_pd(limited, weight));
    }
    *codes = pulp::cast(sums);
    let beyond: [u64; 4] = pulp::cast(beyond);
    beyond.iter().sum::<u64>() as u32
}

#[inline(always)]
fn add_codes(currents: &[f64; 16], by: Rounding, weight: f64, codes: &mut [f64; 16]) -> u32 {
    let mut beyond = 0;
    for (code, &current) in codes.iter_mut().zip(currents) {
        let (limited, clips) = by.code(current);
        *code += weight * limited;
        beyond += u32::from(clips);
    }
    beyond
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

    struct Multiply<'a>(&'a Pairs, [&'a Levels; 4]);

    impl Work for Multiply<'_> {
        type Output = [Lanes; 4];

        #[inline(always)]
        fn run(self, instructions: Instructions) -> Self::Output {
            let mut sums = [Lanes::of([5; 16]); 4];
            instructions.multiply_add(self.0, self.1, &mut sums);
            sums
        }
    }

    struct AddCodes<'a>(&'a [f64; 16], Rounding, f64);

    impl Work for AddCodes<'_> {
        type Output = ([f64; 16], u32);

        #[inline(always)]
        fn run(self, instructions: Instructions) -> Self::Output {
            let mut codes = [3.0; 16];
            let beyond = instructions.add_codes(self.0, self.1, self.2, &mut codes);
            (codes, beyond)
        }
    }

    struct Within<'a>([&'a [[i32; 4]]; 4], &'a [Lanes]);

    impl Work for Within<'_> {
        type Output = [Lanes; 4];

        #[inline(always)]
        fn run(self, instructions: Instructions) -> Self::Output {
            let mut tables: [Vec<Lanes>; 4] = Default::default();
            for group in 0..self.1.len() {
                let rows = std::array::from_fn(|row| std::array::from_fn(|column| self.0[column][group][row]));
                for (tables, table) in tables.iter_mut().zip(instructions.tabulate(&rows)) {
                    tables.push(table);
                }
            }
            let mut sums = [Lanes::of([5; 16]); 4];
            instructions.look_up_within(tables.each_ref().map(Vec::as_slice), self.1, &mut sums);
            sums
        }
    }

    struct AddWhole<'a>(&'a [i32; 16], Codes, i32);

    impl Work for AddWhole<'_> {
        type Output = ([i32; 16], [i32; 16]);

        #[inline(always)]
        fn run(self, _: Instructions) -> Self::Output {
            let (mut codes, mut beyond) = ([3; 16], [4; 16]);
            self.1.add(self.0, self.2, &mut codes, &mut beyond);
            (codes, beyond)
        }
    }

    /// Converters of the shipped resolutions have a multiplication, and it gives what the definition does, where codes change
    /// and anywhere else.
    #[test]
    fn whole_currents_become_the_same_codes() {
        for (bottom, top) in [(-1, 0), (-7, 7), (-127, 127), (-2047, 2047), (0, 1), (0, 255), (0, 4095)] {
            // Some have halves that are whole numbers of currents.
            for step in [1.0, 1.5, 7.0, 8192.0, 128.0 * 8192.0 / 127.0, 256.0 * 16384.0 / 127.0, 36.6 * 4096.0 / 255.0]
            {
                let by = Rounding { scale: 1.0 / step, bottom: f64::from(bottom), top: f64::from(top) };
                let whole = by.whole();
                assert!(whole.is_some() == (step > 1.0) || top > 127, "{bottom}..={top}, {step}");
                let near = (bottom - 2..=top + 2).flat_map(|code| {
                    let half = ((f64::from(code) + 0.5) * step) as i32;
                    (-2..=2).map(move |by| half + by)
                });
                let far = (0..1000).map(|i: i32| i.wrapping_mul(0x1234_5677));
                for currents in near.chain(far).collect::<Vec<_>>().chunks(16) {
                    let currents = std::array::from_fn(|i| currents.get(i).copied().unwrap_or(0));
                    let mut expected = ([3; 16], [4; 16]);
                    for (i, current) in currents.into_iter().enumerate() {
                        let (code, beyond) = by.code(f64::from(current));
                        expected.0[i] += 2 * code as i32;
                        expected.1[i] += i32::from(beyond);
                    }
                    for instructions in
                        [Instructions::best(), Instructions::best().narrower(), Instructions::portable()]
                    {
                        for whole in [whole, None] {
                            let found = instructions.run(AddWhole(&currents, Codes::new(by, whole), 2));
                            assert_eq!(found, expected, "{bottom}..={top}, {step}: {currents:?}");
                        }
                    }
                }
            }
        }
    }

    struct NotAbove<'a>(&'a [u8; 64], &'a [u8; 64]);

    impl Work for NotAbove<'_> {
        type Output = u64;

        #[inline(always)]
        fn run(self, instructions: Instructions) -> u64 {
            instructions.not_above(self.0, self.1)
        }
    }

    /// Everything that is done with positions side by side.
    struct Side<'a>(&'a Tables, u64, Lanes, [Wide; 2], Multiplication);

    impl Work for Side<'_> {
        type Output = (Lanes, [Wide; 5], Lanes);

        #[inline(always)]
        fn run(self, instructions: Instructions) -> Self::Output {
            let Side(tables, patterns, sum, [a, b], by) = self;
            let sum = instructions.look_up(tables, patterns, sum);
            let wide = [
                instructions.widen(sum),
                instructions.add(a, b),
                instructions.subtract(a, b),
                instructions.convert(a, by),
                instructions.beyond(a, by.top),
            ];
            (sum, wide, instructions.bits(patterns))
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
            for instructions in [Instructions::best(), Instructions::best().narrower(), Instructions::portable()] {
                prop_assert_eq!(instructions.run(Count(&tiles, &driven)), expected);
            }
        }

        #[test]
        fn currents_become_codes(
            currents in any::<[i16; 16]>(),
            halves in any::<[bool; 16]>(),
            (bottom, top) in prop::sample::select(vec![(-127.0, 127.0), (0.0, 255.0), (-1.0, 0.0), (-2047.0, 2047.0)]),
            scale in prop::sample::select(vec![1.0, 0.5, 1.0 / 3.0, 1.0 / 128.0, 0.37]),
            weight in prop::sample::select(vec![1.0, 128.0, -64.0]),
        ) {
            // Ties, too.
            let currents = std::array::from_fn(|i| f64::from(currents[i]) + if halves[i] { 0.5 / scale } else { 0.0 });
            let by = Rounding { scale, bottom, top };
            let mut expected = ([3.0; 16], 0);
            for (code, current) in expected.0.iter_mut().zip(currents) {
                let rounded = (current * scale).round();
                *code += weight * rounded.clamp(bottom, top);
                expected.1 += u32::from(!(bottom..=top).contains(&rounded));
            }
            for instructions in [Instructions::best(), Instructions::best().narrower(), Instructions::portable()] {
                prop_assert_eq!(instructions.run(AddCodes(&currents, by, weight)), expected);
            }
        }

        #[test]
        fn bytes_are_compared(bytes in any::<[u8; 32]>(), others in any::<[u8; 32]>()) {
            let twice = |half: [u8; 32]| -> [u8; 64] { pulp::cast([half, half.map(|byte| byte & 3)]) };
            let (bytes, others) = (twice(bytes), twice(others));
            for instructions in [Instructions::best(), Instructions::best().narrower(), Instructions::portable()] {
                let found = instructions.run(NotAbove(&bytes, &others));
                prop_assert!((0..64).all(|i| (found >> i & 1 == 1) == (bytes[i] <= others[i])));
            }
        }

        #[test]
        fn currents_are_multiplied_and_added(
            currents in prop::collection::vec(any::<[i16; 32]>(), 32),
            levels in prop::collection::vec((0..256_u32, 0..256_u32), 128),
        ) {
            let pairs: Pairs = std::array::from_fn(|i| {
                Lanes::of(std::array::from_fn(|c| (currents[i][c] as u16 as i32) | i32::from(currents[i][16 + c]) << 16))
            });
            let of: Vec<Levels> =
                levels.chunks(32).map(|of| std::array::from_fn(|i| of[i].0 | of[i].1 << 16)).collect();
            let expected: [Lanes; 4] = std::array::from_fn(|p| {
                Lanes::of(std::array::from_fn(|c| {
                    let term = |i: usize| {
                        let (low, high) = levels[32 * p + i];
                        i32::from(currents[i][c]) * low as i32 + i32::from(currents[i][16 + c]) * high as i32
                    };
                    5 + (0..32).map(term).sum::<i32>()
                }))
            });
            for instructions in [Instructions::best(), Instructions::best().narrower(), Instructions::portable()] {
                prop_assert_eq!(instructions.run(Multiply(&pairs, [&of[0], &of[1], &of[2], &of[3]])), expected);
            }
        }

        #[test]
        fn rows_are_looked_up_within_registers(
            rows in prop::collection::vec(any::<[i32; 4]>(), 20),
            patterns in prop::collection::vec(prop::array::uniform16(0..16_i32), 5),
        ) {
            let of = |column: usize| &rows[5 * column..][..5];
            let expected: [Lanes; 4] = std::array::from_fn(|column| {
                Lanes::of(std::array::from_fn(|lane| {
                    let driven = |i: usize, row: usize| patterns[i][lane] >> row & 1 == 1;
                    let all = (0..20).filter(|at| driven(at / 4, at % 4)).map(|at| of(column)[at / 4][at % 4]);
                    all.fold(5, i32::wrapping_add)
                }))
            });
            let patterns: Vec<Lanes> = patterns.into_iter().map(Lanes::of).collect();
            for instructions in [Instructions::best(), Instructions::best().narrower(), Instructions::portable()] {
                prop_assert_eq!(instructions.run(Within(std::array::from_fn(of), &patterns)), expected);
            }
        }

        /// Lanes of 32 bits carry nothing to each other.
        #[test]
        fn negative_lanes_are_looked_up(numbers in any::<[i32; 16]>(), added in any::<[i32; 16]>()) {
            let mut tables = [[Lanes::ZERO; 16]; 16];
            tables[3][9] = Lanes::of(added);
            let by = Multiplication { shift: 0, factor: 1, top: 1 };
            for instructions in [Instructions::best(), Instructions::best().narrower(), Instructions::portable()] {
                let side = Side(&tables, 9 << 12, Lanes::of(numbers), [Wide::ZERO; 2], by);
                let expected = std::array::from_fn(|i| numbers[i].wrapping_add(added[i]));
                prop_assert_eq!(instructions.run(side).0.numbers(), expected);
            }
        }

        #[test]
        fn positions_side_by_side_are_those_of_the_definition(
            entries in prop::collection::vec(any::<[u8; 64]>(), 256),
            patterns in any::<u64>(),
            wide in any::<[[i16; 32]; 4]>(),
            (shift, factor, top) in (0..3_u32, 1..i16::MAX, 1..i16::MAX),
        ) {
            // 15 a lane: 16 of them do not overflow.
            let lanes = |bytes: &[u8; 64]| Lanes {
                words: std::array::from_fn(|i| u64::from_le_bytes(bytes[8 * i..][..8].try_into().unwrap()) & 0x0f0f_0f0f_0f0f_0f0f),
            };
            let tables: Tables = std::array::from_fn(|i| std::array::from_fn(|j| lanes(&entries[16 * i + j])));
            let bytes: Vec<u8> = (0..64).map(|lane| {
                let entry = |i: usize| entries[16 * i + (patterns >> (4 * i) & 15) as usize][lane] & 15;
                1 + (0..16).map(entry).sum::<u8>()
            }).collect();
            let limited = |lanes: &[i16; 32]| lanes.map(|lane| lane >> (shift + 1));
            let wide = [0, 2].map(|i| Wide {
                lanes: pulp::cast([limited(&wide[i]), limited(&wide[i + 1])]),
            });
            let by = Multiplication { shift, factor, top };
            let expected = |of: &dyn Fn(i16, i16) -> i16| -> Vec<i16> {
                let [a, b] = wide.map(|wide| wide.lanes.as_flattened().to_vec());
                a.into_iter().zip(b).map(|(a, b)| of(a, b)).collect()
            };
            for instructions in [Instructions::best(), Instructions::best().narrower(), Instructions::portable()] {
                let (sum, found, bits) =
                    instructions.run(Side(&tables, patterns, Lanes { words: [0x0101_0101_0101_0101; 8] }, wide, by));
                let found = found.map(|wide| wide.lanes.as_flattened().to_vec());
                let of_sum: Vec<u8> = sum.words.iter().flat_map(|word| word.to_le_bytes()).collect();
                prop_assert_eq!(&of_sum, &bytes);
                for (bit, place) in PLACES.into_iter().enumerate() {
                    prop_assert_eq!(bits.words[place], patterns >> bit & 0x0101_0101_0101_0101);
                }
                let widened = PLACES.iter().flat_map(|&place| &bytes[8 * place..8 * place + 8]);
                prop_assert_eq!(&found[0], &widened.map(|&byte| i16::from(byte)).collect::<Vec<_>>());
                prop_assert_eq!(&found[1], &expected(&i16::wrapping_add));
                prop_assert_eq!(&found[2], &expected(&i16::wrapping_sub));
                prop_assert_eq!(&found[3], &expected(&|sum, _| {
                    let product = f64::from(sum.abs()) * f64::from(1_u32 << shift) * f64::from(factor) / 32768.0;
                    ((product + 0.5).floor().min(top.into()) as i16) * sum.signum()
                }));
                prop_assert_eq!(&found[4], &expected(&|sum, _| i16::from(sum.abs() > top)));
            }
        }
    }
}
