//! Reads of a plane of real cells, and what becomes of them.

use super::cells::{Latches, Setting, Synapses};
use super::lines::{Line, Lines, PlaneLines, Scale, VARIANCE_BITS, Wired, difference, select};
use crate::config::{AdcInput, Compensation, NoisePer, Plane, ReadNoise};
use crate::device::one_over_f::{Bank, COMPONENT_BITS, Ladder};
use crate::functional::adc::Quantiser;
use crate::functional::kernels::{Codes, Instructions, Whole, Work};
use crate::functional::weights::BitMatrix;
use crate::random::{Purpose, Stream, StreamName};
use crate::readout::Digits;
use std::borrow::Cow;
use std::ops::Range;

/// Binary places of a compensation factor.
const FACTOR_BITS: u32 = 16;

/// A row block of a plane, or an array with rows of its own.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// The layer's rows in it.
    pub rows: Vec<u32>,
    /// The layer's columns in it.
    pub columns: Range<usize>,
    /// Synapse columns of an array; blocks of more columns are cut into several.
    pub width: usize,
}

/// A plane of real cells that is read by converters.
#[derive(Debug, Clone)]
pub(in crate::functional) struct CellPlane {
    blocks: Vec<Block>,
    lines: Lines,
    /// What the sums of an array are multiplied by, in units of 2^-16: `[replica][block][array]`.
    factors: Vec<Vec<Vec<i64>>>,
    /// Binary places of currents.
    fraction: u32,
    /// The multiplication that converts them, where there is one.
    whole: Option<Whole>,
    /// Whether the numbers of lanes hold what all lines have.
    held: bool,
    /// Read noise that is drawn for each input of a converter.
    noise: Noise,
    /// Whether it is drawn for each device instead.
    per_device: bool,
    /// What has a line: inputs of converters, or bit lines where each device has noise of its own.
    input: AdcInput,
    /// Wires, where they have a resistance.
    wired: Option<Wired>,
    /// Whether members after the first one keep what was read for that one.
    kept: bool,
    layer: u32,
    plane: Plane,
    seed: u64,
}

/// How read noise that is not frozen follows other reads.
#[derive(Debug, Clone)]
enum Noise {
    None,
    White,
    /// By the components that are not frozen.
    OneOverF(Ladder),
}

/// Positions that are computed side by side.
pub(super) const SIDE: usize = 16;

/// Reads of a plane at some output positions together.
pub(in crate::functional) struct Reads<'a> {
    pub cells: &'a CellPlane,
    pub lines: &'a PlaneLines,
    pub quantiser: &'a Quantiser,
    pub member: usize,
    /// Number of the first position, counted over all images.
    pub first: u64,
    /// Input codes `[position][row]`, of `rows` rows.
    pub windows: &'a [u16],
    pub rows: usize,
    /// Results `[position][column]`, in units of the converter's step.
    pub sums: &'a mut [i32],
}

/// A read of a plane.
#[derive(Debug, Clone, Copy)]
pub(in crate::functional) struct At {
    pub member: usize,
    /// Output position, counted over all images.
    pub position: u64,
    /// Seconds from the start of the run, where the times of reads are known.
    pub time: f64,
}

/// A row of a block that a pulse drives.
#[derive(Debug, Clone, Copy)]
struct Driven {
    row: u32,
    level: i32,
}

/// Buffers of [`CellPlane::multiply`].
#[derive(Debug, Default)]
pub(in crate::functional) struct Scratch {
    instructions: Instructions,
    /// What each pulse drives.
    driven: Vec<Vec<Driven>>,
    /// Sums of a pulse, of each column.
    sums: Vec<i32>,
    /// Of each line those of the pulses of a value, each times what it is worth.
    values: [Vec<f64>; 2],
    normals: Vec<f64>,
    /// Sums of codes of a block.
    of_block: Vec<i32>,
    totals: Vec<i64>,
    /// 1/f noise of each line of each block.
    banks: Vec<Bank>,
}

impl Scratch {
    /// For products by these instructions.
    pub(in crate::functional) fn new(instructions: Instructions) -> Self {
        Self { instructions, ..Self::default() }
    }
}

impl CellPlane {
    /// Programs a plane of blocks with these rows and columns, cut into arrays of `width` synapse columns.
    pub(in crate::functional) fn new(
        setting: &Setting<'_>,
        blocks: &[(Vec<u32>, Range<usize>)],
        width: usize,
        quantiser: &Quantiser,
        fast: Option<&Ladder>,
        kept: bool,
    ) -> Self {
        let of_block =
            |(rows, columns): &(Vec<u32>, Range<usize>)| Block { rows: rows.clone(), columns: columns.clone(), width };
        let blocks: Vec<Block> = blocks.iter().map(of_block).collect();
        let rows = blocks.iter().map(|block| block.rows.len()).max().unwrap_or(1) as u64;
        let level = u64::from(quantiser.digits().highest_level());
        let reach = setting.device.model.conductance_max.microsiemens() / setting.unit();
        let scale = Scale {
            unit: setting.unit(),
            fraction: fraction(reach, rows * level),
            noisy: setting.device.read_noise != ReadNoise::Frozen,
        };
        let per_device = scale.noisy && setting.device.read_noise_per == NoisePer::Device;
        let input = if per_device { AdcInput::Column } else { quantiser.input() };
        let (mut lines, mut factors) = (Vec::new(), Vec::new());
        for replica in 0..setting.replicas {
            let (mut of_replica, mut references): (PlaneLines, Vec<Vec<[f64; 2]>>) = Default::default();
            for Block { rows, columns, width } in &blocks {
                let cells = setting.program(replica, rows, columns, *width);
                of_replica.push(match setting.synapses {
                    Synapses::Fixed(_) => scale.pairs(setting, &cells, input),
                    Synapses::Gated(_) => scale.devices(setting, &cells),
                });
                references.push(setting.reference(&cells, replica, rows, columns));
            }
            lines.push(of_replica);
            factors.push(of_references(setting, &references));
        }
        let mut plane = Self {
            blocks,
            lines: Lines::Fixed(Vec::new()),
            factors,
            fraction: scale.fraction,
            whole: None,
            held: false,
            noise: match (setting.device.read_noise, fast) {
                (ReadNoise::White, _) => Noise::White,
                (ReadNoise::OneOverF, Some(fast)) => Noise::OneOverF(fast.clone()),
                _ => Noise::None,
            },
            per_device,
            input,
            wired: (!setting.device.wires.are_perfect())
                .then(|| Wired { wires: setting.device.wires, unit: scale.unit / f64::from(1_u32 << scale.fraction) }),
            kept,
            layer: setting.layer,
            plane: setting.plane,
            seed: setting.seed,
        };
        plane.lines = match setting.synapses {
            Synapses::Fixed(_) => Lines::Fixed(lines),
            Synapses::Gated(Latches::Drawn) => Lines::Drawn(lines),
            Synapses::Gated(Latches::Members(members)) => {
                let of_member =
                    |(member, weights): (usize, &BitMatrix)| plane.selected(of_replica(&lines, member), weights);
                Lines::Members(members.iter().enumerate().map(of_member).collect())
            }
        };
        plane.whole = quantiser.rounding(plane.steps_per_unit(quantiser)).whole();
        if let Lines::Fixed(all) | Lines::Members(all) = &plane.lines {
            let hold = |(line, block): (&Vec<Line>, &Block)| line.iter().all(|line| line.is_held(block.rows.len()));
            plane.held = all.iter().all(|lines| lines.iter().zip(&plane.blocks).all(hold));
        }
        plane
    }

    fn selected(&self, devices: &PlaneLines, weights: &BitMatrix) -> PlaneLines {
        let of_block = |(block, devices): (&Block, &Vec<Line>)| {
            let Some(wired) = &self.wired else {
                return select(devices, weights, &block.rows, &block.columns, self.input);
            };
            let mut lines = select(devices, weights, &block.rows, &block.columns, AdcInput::Column);
            wired.through(&mut lines, block.columns.len(), block.width);
            if self.input == AdcInput::Pair { vec![difference(&lines)] } else { lines }
        };
        self.blocks.iter().zip(devices).map(of_block).collect()
    }

    /// What a member's reads find; `drawn` are the weights of the position, where each has its own: without them there is
    /// nothing to find then.
    pub(in crate::functional) fn lines(&self, member: usize, drawn: Option<&BitMatrix>) -> Option<Cow<'_, PlaneLines>> {
        Some(match &self.lines {
            Lines::Fixed(replicas) => Cow::Borrowed(of_replica(replicas, member)),
            Lines::Members(members) => Cow::Borrowed(&members[member]),
            Lines::Drawn(replicas) => Cow::Owned(self.selected(of_replica(replicas, member), drawn?)),
        })
    }

    /// Whether reads of many positions can be computed together by these instructions.
    pub(in crate::functional) fn at_once(&self, instructions: Instructions, positions: usize) -> bool {
        match self.noise {
            Noise::None => true,
            Noise::White => {
                let held = self.held && !self.per_device;
                held && positions >= SIDE && instructions.look_up_within_registers()
            }
            Noise::OneOverF(_) => false,
        }
    }

    /// Whether reads have noise of their own.
    pub(super) fn is_noisy(&self) -> bool {
        !matches!(self.noise, Noise::None)
    }

    /// Noise of the reads of a position, where none depends on others.
    pub(super) fn white(&self, member: usize, position: u64) -> Option<Stream> {
        let member = if self.kept { 0 } else { member } as u32;
        let name = StreamName { member, position, ..self.name(Purpose::ReadNoise) };
        matches!(self.noise, Noise::White).then(|| name.open(self.seed))
    }

    /// Binary places of currents.
    pub(super) fn fraction(&self) -> u32 {
        self.fraction
    }

    /// How currents become codes.
    #[inline(always)]
    pub(super) fn codes(&self, quantiser: &Quantiser) -> Codes {
        Codes::new(quantiser.rounding(self.steps_per_unit(quantiser)), self.whole)
    }

    /// Its row blocks.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Compensation factors for a member, `[block][array]`.
    pub(super) fn factors_of(&self, member: usize) -> &[Vec<i64>] {
        of_replica::<Vec<Vec<i64>>>(&self.factors, if self.kept { 0 } else { member })
    }

    /// Steps of the converter in the unit of currents.
    #[inline(always)]
    pub(super) fn steps_per_unit(&self, quantiser: &Quantiser) -> f64 {
        1.0 / (quantiser.step() * f64::from(1_u32 << self.fraction))
    }

    /// The largest compensation factor.
    pub(in crate::functional) fn largest_factor(&self) -> f64 {
        let factors = self.factors.iter().flatten().flatten();
        factors.copied().max().unwrap_or(0) as f64 / f64::from(1_u32 << FACTOR_BITS)
    }

    /// Reads the plane at one output position: sums of codes, one for each column, in units of the converter's step. Returns
    /// how many conversions clipped.
    pub(in crate::functional) fn multiply(
        &self,
        lines: &PlaneLines,
        quantiser: &Quantiser,
        at: At,
        window: &[u16],
        scratch: &mut Scratch,
        sums: &mut [i32],
    ) -> u64 {
        let at = At { member: if self.kept { 0 } else { at.member }, ..at };
        let factors = of_replica(&self.factors, at.member);
        let mut white = self.white(at.member, at.position);
        let mut banks = std::mem::take(&mut scratch.banks);
        if let Noise::OneOverF(fast) = &self.noise
            && banks.is_empty()
        {
            banks = self.banks(fast, lines, at.member);
        }
        let mut first_bank = 0;
        let mut clipped = 0;
        scratch.totals.clear();
        scratch.totals.resize(sums.len(), 0);
        for ((block, lines), factors) in self.blocks.iter().zip(lines).zip(factors) {
            let slow = match &self.noise {
                Noise::OneOverF(_) => &mut banks[first_bank..first_bank + lines.len()],
                _ => &mut [],
            };
            first_bank += lines.len();
            let mut normals = |line: usize, normals: &mut Vec<f64>| match (&mut white, slow.get_mut(line)) {
                (Some(stream), _) => normals.iter_mut().for_each(|normal| *normal = stream.normal()),
                (None, Some(bank)) => normals.copy_from_slice(bank.at(at.time)),
                _ => normals.clear(),
            };
            clipped += self.block(block, lines, quantiser, window, &mut normals, scratch);
            let totals = scratch.totals[block.columns.clone()].chunks_mut(block.width);
            for ((totals, codes), factor) in totals.zip(scratch.of_block.chunks(block.width)).zip(factors) {
                totals.iter_mut().zip(codes).for_each(|(total, &code)| *total += i64::from(code) * factor);
            }
        }
        scratch.banks = banks;
        whole_codes(sums, &scratch.totals);
        clipped
    }

    fn name(&self, purpose: Purpose) -> StreamName {
        let array = match self.plane {
            Plane::Deterministic => 0,
            Plane::Stochastic => 1,
        };
        StreamName { layer: self.layer, array, ..StreamName::new(purpose) }
    }

    /// Normals that the noise of a line takes in a read.
    fn normals(&self, block: &Block) -> usize {
        block.columns.len() * if self.per_device { block.rows.len() } else { 1 }
    }

    /// 1/f noise of each line of each block in the arrays of a member.
    fn banks(&self, fast: &Ladder, lines: &PlaneLines, member: usize) -> Vec<Bank> {
        let replica = replica_of(self.factors.len(), member) as u32;
        let of_block = |(block, lines): (usize, &Vec<Line>)| {
            let bank = move |line: usize| {
                let bit = ((2 * block + line) as u32) << COMPONENT_BITS;
                let name = StreamName { member: replica, bit, ..self.name(Purpose::Fluctuation) };
                Bank::new(fast, name, self.seed, self.normals(&self.blocks[block]))
            };
            (0..lines.len()).map(bank)
        };
        lines.iter().enumerate().flat_map(of_block).collect()
    }

    /// Sums of the codes of a block over all pulses; how many conversions clipped. `noise` gives that of the columns
    /// (or devices) of a line in a read, in standard deviations; none if there is none.
    fn block(
        &self,
        block: &Block,
        lines: &[Line],
        quantiser: &Quantiser,
        window: &[u16],
        noise: &mut dyn FnMut(usize, &mut Vec<f64>),
        scratch: &mut Scratch,
    ) -> u64 {
        let Scratch { instructions, driven: all, sums, values, normals, of_block, .. } = scratch;
        let columns = block.columns.len();
        of_block.clear();
        of_block.resize(columns, 0);
        let inverse = self.steps_per_unit(quantiser);
        let mut clipped = 0;
        drive(block, quantiser.digits(), window, all);
        for of_line in &mut *values {
            of_line.clear();
            of_line.resize(columns, 0.0);
        }
        // The second bitline of a pair counts against the first one: behind the converter, or before it.
        let joined = self.per_device && quantiser.input() == AdcInput::Pair;
        for (pulse, driven) in (0..).zip(&*all) {
            if driven.is_empty() {
                continue;
            }
            for ((number, line), sign) in lines.iter().enumerate().zip([1, -1]) {
                let behind = if joined { 1 } else { sign };
                normals.resize(self.normals(block), 0.0);
                noise(number, normals);
                if self.per_device {
                    if number == 0 || !joined {
                        sums.clear();
                        sums.resize(columns, 0);
                    }
                    add_devices(line, driven, self.fraction, normals, if joined { sign } else { 1 }, sums);
                    if number == 0 && joined {
                        continue;
                    }
                } else {
                    sums.resize(columns, 0);
                    instructions.run(Add { currents: &line.current, driven, sums });
                    if !normals.is_empty() {
                        let (variances, fraction) = (&line.variance, self.fraction);
                        instructions.run(AddNoise { variances, driven, fraction, normals, sums });
                    }
                }
                let weight = quantiser.digits().weight(pulse);
                if quantiser.per_value() {
                    // Whole numbers below 2^53. What a converter sees of both devices belongs to the first one.
                    let input = if joined { 0 } else { number };
                    let values = values[input].iter_mut().zip(&*sums);
                    values.for_each(|(value, &sum)| *value += f64::from(weight) * f64::from(sum));
                } else {
                    let weight = behind * weight;
                    clipped += instructions.run(Convert { quantiser, sums: &*sums, inverse, weight, of_block });
                }
            }
        }
        if quantiser.per_value() {
            let inputs = if joined { 1 } else { lines.len() };
            for (values, weight) in values.iter().take(inputs).zip([1, -1]) {
                clipped += instructions.run(Convert { quantiser, sums: values, inverse, weight, of_block });
            }
        }
        clipped
    }
}

/// The replica of a member, of so many: the only one, or its own.
pub(super) fn replica_of(replicas: usize, member: usize) -> usize {
    member.min(replicas - 1)
}

/// What belongs to it.
fn of_replica<T>(replicas: &[T], member: usize) -> &T {
    &replicas[replica_of(replicas.len(), member)]
}

/// Sums of codes times compensation factors, in whole codes.
#[inline(always)]
pub(super) fn whole_codes(sums: &mut [i32], totals: &[i64]) {
    for (sum, total) in sums.iter_mut().zip(totals) {
        *sum = ((total + (1 << (FACTOR_BITS - 1))) >> FACTOR_BITS) as i32;
    }
}

/// Binary places of currents whose largest magnitude is about `reach` weights, so that 16 bits hold one and 32 bits the sum of
/// `levels` of them.
fn fraction(reach: f64, levels: u64) -> u32 {
    // Room for twice the largest conductance: no device comes near that.
    let whole = libm::ceil(libm::log2(reach.max(1.0))) as u32 + 1;
    let beyond = levels.next_power_of_two().ilog2().saturating_sub(16);
    15_u32.saturating_sub(whole + beyond)
}

/// Compensation factors of the arrays of each block from the sums of their reference reads.
fn of_references(setting: &Setting<'_>, references: &[Vec<[f64; 2]>]) -> Vec<Vec<i64>> {
    let one = 1_i64 << FACTOR_BITS;
    let factor = |[before, now]: [f64; 2]| {
        if setting.compensated && now > 0.0 { (before / now * one as f64).round() as i64 } else { one }
    };
    if let Compensation::Logits { .. } = setting.device.compensation {
        // One factor for the whole layer.
        let all = references.iter().flatten().fold([0.0; 2], |sum, of| [sum[0] + of[0], sum[1] + of[1]]);
        return references.iter().map(|arrays| vec![factor(all); arrays.len()]).collect();
    }
    references.iter().map(|arrays| arrays.iter().map(|&sums| factor(sums)).collect()).collect()
}

/// Finds the rows of a block that each pulse drives.
fn drive(block: &Block, digits: Digits, window: &[u16], driven: &mut Vec<Vec<Driven>>) {
    driven.resize_with(digits.pulses() as usize, Vec::new);
    driven.iter_mut().for_each(Vec::clear);
    for (row, &of_layer) in (0..).zip(&block.rows) {
        let code = window[of_layer as usize];
        if code == 0 {
            continue;
        }
        for (pulse, driven) in (0..).zip(&mut *driven) {
            let level = digits.level(code, pulse);
            if level > 0 {
                driven.push(Driven { row, level: level.into() });
            }
        }
    }
}

/// Sums of the currents of driven rows at their levels, one for each column.
struct Add<'a> {
    currents: &'a [i16],
    driven: &'a [Driven],
    sums: &'a mut [i32],
}

impl Work for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, _: Instructions) {
        let columns = self.sums.len();
        let mut first = 0;
        let (wide, rest) = self.sums.as_chunks_mut::<WIDE>();
        for sums in wide {
            *sums = added(self.currents, self.driven, columns, first);
            first += WIDE;
        }
        let (narrow, rest) = rest.as_chunks_mut::<NARROW>();
        for sums in narrow {
            *sums = added(self.currents, self.driven, columns, first);
            first += NARROW;
        }
        for sum in rest {
            [*sum] = added(self.currents, self.driven, columns, first);
            first += 1;
        }
    }
}

/// Columns whose sums are held in registers.
const WIDE: usize = 32;
const NARROW: usize = 8;

/// The sums of some columns, from `first` on.
#[inline(always)]
fn added<const N: usize>(currents: &[i16], driven: &[Driven], columns: usize, first: usize) -> [i32; N] {
    let mut sums = [0; N];
    for &Driven { row, level } in driven {
        let start = row as usize * columns + first;
        let currents: &[i16; N] = currents[start..].first_chunk().expect("a row has all columns");
        if level == 1 {
            sums.iter_mut().zip(currents).for_each(|(sum, &current)| *sum += i32::from(current));
        } else {
            sums.iter_mut().zip(currents).for_each(|(sum, &current)| *sum += level * i32::from(current));
        }
    }
    sums
}

/// Adds the codes of sums, whose unit is `inverse` steps of the converter, `weight` times to those of a block. Results in how many
/// conversions clipped.
struct Convert<'a, T> {
    quantiser: &'a Quantiser,
    sums: &'a [T],
    inverse: f64,
    weight: i32,
    of_block: &'a mut [i32],
}

impl<T: Copy + Into<f64>> Work for Convert<'_, T> {
    type Output = u64;

    #[inline(always)]
    fn run(self, instructions: Instructions) -> u64 {
        let by = self.quantiser.rounding(self.inverse);
        let mut clipped = 0;
        for (of_block, sums) in self.of_block.chunks_mut(16).zip(self.sums.chunks(16)) {
            // Columns that there are not have no current.
            let (mut currents, mut codes) = ([0.0; 16], [0.0; 16]);
            currents.iter_mut().zip(sums).for_each(|(current, &sum)| *current = sum.into());
            clipped += u64::from(instructions.add_codes(&currents, by, self.weight.into(), &mut codes));
            of_block.iter_mut().zip(codes).for_each(|(all, code)| *all += code as i32);
        }
        clipped
    }
}

/// Adds the currents of a bit line's driven devices `sign` times, each with noise of its own: `normals`, `[row][column]`. A
/// conductance is not negative.
fn add_devices(line: &Line, driven: &[Driven], fraction: u32, normals: &[f64], sign: i32, sums: &mut [i32]) {
    let scale = sigma_scale(fraction);
    let columns = sums.len();
    for &Driven { row, level } in driven {
        let of_row = row as usize * columns..(row as usize + 1) * columns;
        let devices = line.current[of_row.clone()].iter().zip(&line.variance[of_row.clone()]).zip(&normals[of_row]);
        for (sum, ((&current, &variance), normal)) in sums.iter_mut().zip(devices) {
            let found = f64::from(current) + f64::from(variance).sqrt() * scale * normal;
            *sum += sign * level * found.max(0.0).round() as i32;
        }
    }
}

/// A standard deviation in units of currents, where the square root of a variance in its unit is 1.
#[inline(always)]
fn sigma_scale(fraction: u32) -> f64 {
    f64::from(1_u32 << fraction) / f64::from(1_u32 << (VARIANCE_BITS / 2))
}

/// Adds noise of these variances to sums; `scale` is a standard deviation of their unit in that of sums.
#[inline(always)]
fn add_normals(sums: &mut [i32], variances: &[u64], normals: &[f64], scale: f64) {
    for ((sum, &variance), normal) in sums.iter_mut().zip(variances).zip(normals) {
        let sigma = (variance as f64).sqrt() * scale;
        *sum = sum.saturating_add((sigma * normal).round() as i32);
    }
}

/// The same to sums of currents of so many binary places.
#[inline(always)]
pub(super) fn add_noise(sums: &mut [i32; 16], variances: &[u64; 16], normals: &[f64; 16], fraction: u32) {
    add_normals(sums, variances, normals, sigma_scale(fraction));
}

/// Adds the noise of a read, which is that of all driven devices together: normal, with the sum of their variances.
struct AddNoise<'a> {
    variances: &'a [u32],
    driven: &'a [Driven],
    fraction: u32,
    normals: &'a [f64],
    sums: &'a mut [i32],
}

impl Work for AddNoise<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, _: Instructions) {
        let scale = sigma_scale(self.fraction);
        let columns = self.sums.len();
        for (first, (sums, normals)) in
            (0..).step_by(NARROW).zip(self.sums.chunks_mut(NARROW).zip(self.normals.chunks(NARROW)))
        {
            let mut variances = [0; NARROW];
            for &Driven { row, level } in self.driven {
                let of_row = &self.variances[row as usize * columns + first..];
                let square = (level * level) as u64;
                if let Some(of_row) = of_row.first_chunk::<NARROW>() {
                    for (sum, &of) in variances.iter_mut().zip(of_row) {
                        *sum += square * u64::from(of);
                    }
                } else {
                    for (sum, &of) in variances.iter_mut().zip(of_row) {
                        *sum += square * u64::from(of);
                    }
                }
            }
            add_normals(sums, &variances, normals, scale);
        }
    }
}
