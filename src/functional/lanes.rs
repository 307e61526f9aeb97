//! Products of many output positions at once, side by side in lanes.
//!
//! What four rows of a column add depends on the four weights alone: for each of their 16 patterns it is computed once for
//! all positions, then looked up for each column; see [`kernels`](crate::functional::kernels).
//!
//! - *Exactly*: where no conversion rounds, pulses and row blocks need not be told apart. Lanes of 16 bits have sums of input
//!   codes, 32 positions at a time. With `on` the sum of the rows whose weight is +1 and `of` that of all, the product is
//!   2 on - of. Two's complement codes are shifted up by half their range first.
//! - *Converted*: lanes of 8 bits count the driven rows of a row block, a lane for each pulse and position; the counts are
//!   converted and added up in lanes of 16 bits.

use crate::config::AdcInput;
use crate::functional::adc::Quantiser;
use crate::functional::input::{Eight, PaddedMap};
use crate::functional::kernels::{Instructions, Lanes, Multiplication, PLACES, ROWS, Table, Tables, Wide, Work};
use crate::functional::weights::BitMatrix;

/// Bits of the widest codes.
pub(super) const MOST_BITS: u32 = 8;

/// Output positions from which on it pays to compute them together.
pub(super) const FEWEST_POSITIONS: u32 = 8;

/// Words of rows whose counts fit a byte.
const COUNTED: usize = u8::MAX as usize / 64;

/// Columns with two conversions each that lanes of 16 bits count.
const COUNTED_COLUMNS: usize = i16::MAX as usize / 2;

/// Positions of an exact product that are computed together.
const TOGETHER: usize = 32;

/// A plane of a layer at all output positions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Positions<'a> {
    /// What drives the rows, each code 0 where nothing does.
    pub map: &'a PaddedMap,
    /// Places in the map of what drives each row of `weights`.
    pub rows: &'a [usize],
    pub weights: &'a BitMatrix,
    /// The synapses that there are, where not all are; others are -1.
    pub present: Option<&'a BitMatrix>,
}

/// How the sums of row blocks are converted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Converted {
    by: Multiplication,
    input: AdcInput,
    /// Sums up to it, to either side, do not clip; none: nothing clips.
    highest: Option<i16>,
    /// What the pulses are worth; those from `pulses` on there are not.
    weights: [i32; MOST_BITS as usize],
    pulses: usize,
}

impl Converted {
    /// Conversion by `quantiser` and adding up over `blocks` row blocks, where lanes of 16 bits hold that.
    pub(super) fn new(quantiser: &Quantiser, blocks: usize) -> Option<Self> {
        let digits = quantiser.digits();
        let pulses = digits.pulses() as usize;
        let codes = u64::from(quantiser.largest_code()) * 2 * blocks as u64;
        if quantiser.per_value() && pulses > 1
            || digits.highest_level() > 1
            || pulses > MOST_BITS as usize
            || codes > i16::MAX as u64
        {
            return None;
        }
        let highest = quantiser.may_clip().then_some(quantiser.highest() as i16);
        let mut weights = [0; MOST_BITS as usize];
        weights.iter_mut().zip(0..digits.pulses()).for_each(|(weight, pulse)| *weight = digits.weight(pulse));
        Some(Self { by: quantiser.narrow()?, input: quantiser.input(), highest, weights, pulses })
    }
}

/// Adds the exact product to `sums`, `[column][position]`. The map has codes of `bits` bits, shifted up by `shift`. Right as
/// long as the sums fit 32 bits.
pub(super) fn add_exactly(instructions: Instructions, product: Positions<'_>, bits: u32, shift: i32, sums: &mut [i32]) {
    match product.present {
        None => instructions.run(Exactly::<false> { product, bits, shift, sums }),
        Some(_) => instructions.run(Exactly::<true> { product, bits, shift, sums }),
    }
}

/// Adds the product with conversions to `sums`, `[column][position]`, in units of the converter's step. Returns how many
/// conversions clipped.
pub(super) fn add_converted(
    instructions: Instructions,
    product: Positions<'_>,
    converted: Converted,
    sums: &mut [i32],
) -> u64 {
    match product.present {
        None => instructions.run(Conversions::<false> { product, converted, sums }),
        Some(_) => instructions.run(Conversions::<true> { product, converted, sums }),
    }
}

/// What drives a row, as lanes.
trait Drive {
    /// That of the row at a place of the map.
    fn lanes(&self, place: usize) -> Lanes;
}

/// The tables of a word of rows; returns the sum of all rows.
#[inline(always)]
fn tabulate(rows: &[usize], tables: &mut Tables, drive: &impl Drive) -> Lanes {
    let mut all = Lanes::ZERO;
    for (group, table) in tables.iter_mut().enumerate() {
        let mut lanes = [Lanes::ZERO; ROWS];
        let rows = rows.get(ROWS * group..).unwrap_or(&[]);
        for (lanes, &place) in lanes.iter_mut().zip(rows) {
            *lanes = drive.lanes(place);
        }
        fill(table, lanes);
        all.add(&table[15]);
    }
    all
}

/// Each entry has the sum of its pattern's rows.
#[inline(always)]
pub(super) fn fill(table: &mut Table, rows: [Lanes; ROWS]) {
    table[0] = Lanes::ZERO;
    for (row, lanes) in rows.iter().enumerate() {
        for pattern in 0..1 << row {
            let mut entry = table[pattern];
            entry.add(lanes);
            table[1 << row | pattern] = entry;
        }
    }
}

/// The work of [`add_exactly`].
struct Exactly<'a, const PRESENT: bool> {
    product: Positions<'a>,
    bits: u32,
    shift: i32,
    sums: &'a mut [i32],
}

/// Sums of a column: of the last words, and of those before.
#[derive(Clone, Copy)]
struct Sum {
    recent: Lanes,
    totals: [i32; TOGETHER],
}

impl Sum {
    const ZERO: Self = Self { recent: Lanes::ZERO, totals: [0; TOGETHER] };

    /// Moves the sums of the last words to the totals.
    #[inline(always)]
    fn flush(&mut self) {
        for (totals, word) in self.totals.chunks_exact_mut(4).zip(self.recent.words) {
            for (i, total) in totals.iter_mut().enumerate() {
                *total += i32::from((word >> (16 * i)) as u16);
            }
        }
        self.recent = Lanes::ZERO;
    }
}

impl<const PRESENT: bool> Work for Exactly<'_, PRESENT> {
    type Output = ();

    #[inline(always)]
    fn run(self, instructions: Instructions) {
        let Positions { map, rows, weights, present } = self.product;
        let (columns, positions) = (weights.columns(), map.positions());
        // Words whose sums fit 16 bits.
        let held = usize::from(u16::MAX) / (64 * ((1 << self.bits) - 1));
        let mut tables = [[Lanes::ZERO; 16]; 16];
        let mut on = vec![Sum::ZERO; columns];
        let mut of = vec![Sum::ZERO; if PRESENT { columns } else { 1 }];
        for first in (0..positions).step_by(TOGETHER) {
            let eights: [Eight; 4] = std::array::from_fn(|i| map.eight(first + 8 * i));
            for sum in on.iter_mut().chain(&mut of) {
                sum.totals = [0; TOGETHER];
            }
            let mut words = weights.words().chunks_exact(columns);
            let mut present = present.map(|present| present.words().chunks_exact(columns));
            for (word, (range, selected)) in weights.blocks().word_rows().zip(&mut words).enumerate() {
                let all = tabulate(&rows[range], &mut tables, &Codes { map, eights: &eights });
                for (sum, &patterns) in on.iter_mut().zip(selected) {
                    sum.recent = instructions.look_up(&tables, patterns, sum.recent);
                }
                if PRESENT {
                    let present = present.as_mut().and_then(Iterator::next).unwrap_or(&[]);
                    for (sum, &patterns) in of.iter_mut().zip(present) {
                        sum.recent = instructions.look_up(&tables, patterns, sum.recent);
                    }
                } else {
                    of[0].recent.add(&all);
                }
                if word % held == held - 1 {
                    for sum in on.iter_mut().chain(&mut of) {
                        sum.flush();
                    }
                }
            }
            for sum in on.iter_mut().chain(&mut of) {
                sum.flush();
            }
            let number = TOGETHER.min(positions - first);
            for (column, (on, map)) in on.iter().zip(self.sums.chunks_exact_mut(positions)).enumerate() {
                let of = if PRESENT { &of[column] } else { &of[0] };
                let map = &mut map[first..first + number];
                for ((sum, on), of) in map.iter_mut().zip(on.totals).zip(of.totals) {
                    *sum = sum.wrapping_add(on.wrapping_mul(2).wrapping_sub(of));
                }
            }
        }
        if self.shift != 0 {
            self.shift_down();
        }
    }
}

impl<const PRESENT: bool> Exactly<'_, PRESENT> {
    /// Subtracts what codes were shifted up by, times the sum of a column's weights.
    #[inline(always)]
    fn shift_down(self) {
        let Positions { map, rows, weights, present } = self.product;
        let ones = |matrix: &BitMatrix, column: usize| -> u32 {
            matrix.words().iter().skip(column).step_by(matrix.columns()).map(|word| word.count_ones()).sum()
        };
        for (column, sums) in self.sums.chunks_exact_mut(map.positions()).enumerate() {
            let of = present.map_or(rows.len() as i32, |present| ones(present, column) as i32);
            let shifted = self.shift.wrapping_mul(2 * ones(weights, column) as i32 - of);
            sums.iter_mut().for_each(|sum| *sum = sum.wrapping_sub(shifted));
        }
    }
}

/// Codes of 32 positions in lanes of 16 bits.
struct Codes<'a> {
    map: &'a PaddedMap,
    eights: &'a [Eight; 4],
}

impl Drive for Codes<'_> {
    #[inline(always)]
    fn lanes(&self, place: usize) -> Lanes {
        let mut lanes = Lanes::ZERO;
        for (words, eight) in lanes.words.as_chunks_mut::<2>().0.iter_mut().zip(self.eights) {
            let codes = self.map.codes(place, eight);
            *words = [spread(codes as u32), spread((codes >> 32) as u32)];
        }
        lanes
    }
}

/// Four bytes as lanes of 16 bits.
#[inline(always)]
fn spread(bytes: u32) -> u64 {
    let pairs = (u64::from(bytes) | u64::from(bytes) << 16) & 0x0000_ffff_0000_ffff;
    (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff
}

/// The work of [`add_converted`].
struct Conversions<'a, const PRESENT: bool> {
    product: Positions<'a>,
    converted: Converted,
    sums: &'a mut [i32],
}

/// The bits of each pulse of some positions in lanes of 8 bits.
struct Bits<'a> {
    instructions: Instructions,
    map: &'a PaddedMap,
    eights: &'a [Eight],
    pulses: usize,
}

impl Drive for Bits<'_> {
    #[inline(always)]
    fn lanes(&self, place: usize) -> Lanes {
        const LOWEST: u64 = 0x0101_0101_0101_0101;
        if let [eight] = self.eights {
            // Bits of pulses that there are not are 0.
            return self.instructions.bits(self.map.codes(place, eight));
        }
        let mut lanes = Lanes::ZERO;
        for (eight, places) in self.eights.iter().zip(PLACES.chunks_exact(self.pulses)) {
            let codes = self.map.codes(place, eight);
            for (pulse, &to) in places.iter().enumerate() {
                lanes.words[to] = codes >> pulse & LOWEST;
            }
        }
        lanes
    }
}

/// Counts of a column in a row block: those of the last words, and those of all before.
#[derive(Clone, Copy)]
struct Count {
    recent: Lanes,
    before: Wide,
}

impl Count {
    const ZERO: Self = Self { recent: Lanes::ZERO, before: Wide::ZERO };

    /// Adds a word of rows, the `word`-th of its block but not the last one.
    #[inline(always)]
    fn add(&mut self, instructions: Instructions, tables: &Tables, patterns: u64, word: usize) {
        let recent = if word.is_multiple_of(COUNTED) { Lanes::ZERO } else { self.recent };
        self.recent = instructions.look_up(tables, patterns, recent);
        if word % COUNTED == COUNTED - 1 {
            self.before = self.counted(instructions, self.recent, word);
        }
    }

    /// The count of a block with its last word, the `word`-th one.
    #[inline(always)]
    fn with(&self, instructions: Instructions, tables: &Tables, patterns: u64, word: usize) -> Wide {
        let recent = if word.is_multiple_of(COUNTED) { Lanes::ZERO } else { self.recent };
        let recent = instructions.look_up(tables, patterns, recent);
        self.counted(instructions, recent, word)
    }

    #[inline(always)]
    fn counted(&self, instructions: Instructions, recent: Lanes, word: usize) -> Wide {
        let count = instructions.widen(recent);
        if word < COUNTED { count } else { instructions.add(self.before, count) }
    }
}

impl<const PRESENT: bool> Work for Conversions<'_, PRESENT> {
    type Output = u64;

    #[inline(always)]
    fn run(self, instructions: Instructions) -> u64 {
        let Positions { map, rows, weights, present } = self.product;
        let (columns, positions) = (weights.columns(), map.positions());
        let pulses = self.converted.pulses;
        // A word of lanes has a pulse of eight positions: so many eights are computed together.
        let together = PLACES.len() / pulses;
        let mut tables = [[Lanes::ZERO; 16]; 16];
        let mut on = vec![Count::ZERO; columns];
        let mut of = vec![Count::ZERO; if PRESENT { columns } else { 0 }];
        let mut codes = vec![Wide::ZERO; columns];
        let mut clipped = 0;
        let per_block = weights.blocks().words_per_block();
        let words = weights.blocks().words();
        for first in (0..positions).step_by(8 * together) {
            let mut eights = [Eight::default(); PLACES.len()];
            for (i, eight) in eights[..together].iter_mut().enumerate() {
                *eight = map.eight(first + 8 * i);
            }
            codes.fill(Wide::ZERO);
            let mut driven = Wide::ZERO;
            let mut clips = Wide::ZERO;
            let selected = weights.words().chunks_exact(columns);
            let mut present = present.map(|present| present.words().chunks_exact(columns));
            for (word, (range, selected)) in weights.blocks().word_rows().zip(selected).enumerate() {
                let of_block = word % per_block;
                let last = of_block + 1 == per_block || word + 1 == words;
                let all = tabulate(
                    &rows[range],
                    &mut tables,
                    &Bits { instructions, map, eights: &eights[..together], pulses },
                );
                let all = instructions.widen(all);
                driven = if of_block == 0 { all } else { instructions.add(driven, all) };
                let present = present.as_mut().and_then(Iterator::next).unwrap_or(&[]);
                if !last {
                    for (&patterns, count) in selected.iter().zip(&mut on) {
                        count.add(instructions, &tables, patterns, of_block);
                    }
                    for (&patterns, count) in present.iter().zip(&mut of) {
                        count.add(instructions, &tables, patterns, of_block);
                    }
                    continue;
                }
                for (column, ((&patterns, count), codes)) in selected.iter().zip(&on).zip(&mut codes).enumerate() {
                    let on = count.with(instructions, &tables, patterns, of_block);
                    let of = if PRESENT {
                        of[column].with(instructions, &tables, present[column], of_block)
                    } else {
                        driven
                    };
                    self.converted.add(instructions, on, of, codes, &mut clips);
                    if column % COUNTED_COLUMNS == COUNTED_COLUMNS - 1 {
                        clipped += drain(&mut clips);
                    }
                }
                if self.converted.highest.is_some() {
                    clipped += drain(&mut clips);
                }
            }
            for (codes, sums) in codes.iter().zip(self.sums.chunks_exact_mut(positions)) {
                self.converted.weigh(codes, &mut sums[first..]);
            }
        }
        clipped
    }
}

impl Converted {
    /// Converts counts and adds their codes; counts those that clip.
    #[inline(always)]
    fn add(&self, instructions: Instructions, on: Wide, of: Wide, codes: &mut Wide, clips: &mut Wide) {
        let minus = instructions.subtract(of, on);
        match self.input {
            AdcInput::Pair => {
                let sum = instructions.subtract(on, minus);
                *codes = instructions.add(*codes, instructions.convert(sum, self.by));
                if let Some(highest) = self.highest {
                    *clips = instructions.add(*clips, instructions.beyond(sum, highest));
                }
            }
            AdcInput::Column => {
                *codes = instructions.add(*codes, instructions.convert(on, self.by));
                *codes = instructions.subtract(*codes, instructions.convert(minus, self.by));
                if let Some(highest) = self.highest {
                    *clips = instructions.add(*clips, instructions.beyond(on, highest));
                    *clips = instructions.add(*clips, instructions.beyond(minus, highest));
                }
            }
        }
    }

    /// Adds sums of codes, each pulse times what it is worth, to those of the positions from the first one on.
    #[inline(always)]
    fn weigh(&self, codes: &Wide, sums: &mut [i32]) {
        let of_pulses = codes.lanes.as_flattened().chunks_exact(8 * self.pulses);
        for (of_pulses, sums) in of_pulses.zip(sums.chunks_mut(8)) {
            let mut weighed = [0; 8];
            for (codes, &weight) in of_pulses.as_chunks::<8>().0.iter().zip(&self.weights) {
                for (sum, &code) in weighed.iter_mut().zip(codes) {
                    *sum += weight * i32::from(code);
                }
            }
            sums.iter_mut().zip(weighed).for_each(|(sum, weighed)| *sum += weighed);
        }
    }
}

/// The sum of all lanes, none of which is negative; they are 0 then.
#[inline(always)]
fn drain(lanes: &mut Wide) -> u64 {
    let mut sum = 0;
    for &lane in lanes.lanes.as_flattened() {
        sum += lane as u64;
    }
    *lanes = Wide::ZERO;
    sum
}
