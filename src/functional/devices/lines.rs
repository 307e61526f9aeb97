//! Conductances as numbers: what a driven row adds to each line of a block that a converter reads.

use super::cells::{Cells, Found, Setting};
use crate::config::AdcInput;
use crate::device::Wires;
use crate::functional::weights::BitMatrix;
use std::ops::Range;

/// Binary places of a variance, in units of the square of a weight.
pub(super) const VARIANCE_BITS: u32 = 24;

/// What rows add to the inputs of converters, `[row][column]`.
#[derive(Debug, Clone, Default)]
pub(in crate::functional) struct Line {
    /// Current in units of 2^-fraction weights.
    pub current: Vec<i16>,
    /// Its variance from read to read, in units of 2^-24 squared weights; empty without such noise.
    pub variance: Vec<u32>,
}

/// Bits of a digit of a variance that is multiplied by levels.
pub(super) const DIGIT: u32 = 15;

impl Line {
    /// Whether sums of its variances over a block of so many rows fit 32 bits, and two digits hold each of them.
    pub(super) fn is_held(&self, rows: usize) -> bool {
        let largest = self.variance.iter().max().copied().unwrap_or(0);
        u64::from(largest) * rows as u64 <= u32::MAX.into() && largest >> (2 * DIGIT) == 0
    }
}

/// The lines of each block of a plane: the difference of pairs, or both bitlines.
pub(in crate::functional) type PlaneLines = Vec<Vec<Line>>;

/// The lines of a plane.
#[derive(Debug, Clone)]
pub(super) enum Lines {
    /// They stay as they are: of each replica.
    Fixed(Vec<PlaneLines>),
    /// Those that each member's latches select.
    Members(Vec<PlaneLines>),
    /// Selected at every position from the plus and minus devices of a replica.
    Drawn(Vec<PlaneLines>),
}

/// Turns what is found of cells into numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Microsiemens of a weight of 1.
    pub unit: f64,
    pub fraction: u32,
    /// Whether reads have noise of their own.
    pub noisy: bool,
}

impl Scale {
    fn line(self, values: impl Iterator<Item = (f64, f64)>) -> Line {
        let mut line = Line::default();
        let one = f64::from(1_u32 << self.fraction);
        let square = f64::from(1_u32 << VARIANCE_BITS);
        for (current, variance) in values {
            let current = (current / self.unit * one).round();
            line.current.push(current.clamp(i16::MIN.into(), i16::MAX.into()) as i16);
            if self.noisy {
                line.variance.push((variance / (self.unit * self.unit) * square).round() as u32);
            }
        }
        line
    }

    /// The lines of pairs: their difference, or each bitline.
    pub(super) fn pairs(self, setting: &Setting<'_>, cells: &Cells, input: AdcInput) -> Vec<Line> {
        let found: Vec<(Found, f64)> = setting.found(cells).into_iter().zip(cells.scales()).collect();
        match input {
            AdcInput::Pair => {
                let difference = |(found, scale): &(Found, f64)| {
                    let [plus, minus] = found.conductance;
                    ((plus - minus) * scale, found.variance.iter().sum::<f64>() * scale * scale)
                };
                vec![self.line(found.iter().map(difference))]
            }
            AdcInput::Column => self.devices(setting, cells),
        }
    }

    /// The plus and the minus devices.
    pub(super) fn devices(self, setting: &Setting<'_>, cells: &Cells) -> Vec<Line> {
        let found: Vec<(Found, f64)> = setting.found(cells).into_iter().zip(cells.scales()).collect();
        let device = |i: usize| {
            let of = |(found, scale): &(Found, f64)| (found.conductance[i] * scale, found.variance[i] * scale * scale);
            self.line(found.iter().map(of))
        };
        vec![device(0), device(1)]
    }
}

/// Wires between gated devices and converters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wired {
    pub wires: Wires,
    /// Microsiemens of a current of 1.
    pub unit: f64,
}

impl Wired {
    /// What converters see of the connected devices on both bit lines of a block, in arrays of `width` synapse columns.
    pub(super) fn through(&self, lines: &mut [Line], columns: usize, width: usize) {
        let rows = lines[0].current.len() / columns;
        for first in (0..columns).step_by(width) {
            let here = first..(first + width).min(columns);
            let places = || (0..rows).flat_map(|row| here.clone().map(move |column| row * columns + column));
            let loads = places().flat_map(|at| [0, 1].map(|i| f64::from(lines[i].current[at]) * self.unit));
            let shares = self.wires.shares(&loads.collect::<Vec<_>>(), 2 * here.len());
            for (at, shares) in places().zip(shares.as_chunks::<2>().0) {
                for (line, share) in lines.iter_mut().zip(shares) {
                    line.current[at] = (f64::from(line.current[at]) * share).round() as i16;
                    if let Some(variance) = line.variance.get_mut(at) {
                        *variance = (f64::from(*variance) * share * share).round() as u32;
                    }
                }
            }
        }
    }
}

/// The difference of two bit lines.
pub(super) fn difference(lines: &[Line]) -> Line {
    let [plus, minus] = lines else { unreachable!("there are two bit lines") };
    let both = |plus: &[u32], minus: &[u32]| plus.iter().zip(minus).map(|(plus, minus)| plus + minus).collect();
    Line {
        current: plus.current.iter().zip(&minus.current).map(|(plus, minus)| plus - minus).collect(),
        variance: both(&plus.variance, &minus.variance),
    }
}

/// The lines of gated devices whose latches hold `weights`, at these rows and columns of the layer.
pub(super) fn select(
    devices: &[Line],
    weights: &BitMatrix,
    rows: &[u32],
    columns: &Range<usize>,
    input: AdcInput,
) -> Vec<Line> {
    let [plus, minus] = devices else { unreachable!("there are two devices") };
    let noisy = !plus.variance.is_empty();
    let empty =
        || Line { current: Vec::with_capacity(plus.current.len()), variance: Vec::with_capacity(plus.variance.len()) };
    let set = rows.iter().flat_map(|&row| columns.clone().map(move |column| weights.get(row as usize, column)));
    match input {
        AdcInput::Pair => {
            let mut line = empty();
            for (at, set) in set.enumerate() {
                line.current.push(if set { plus.current[at] } else { -minus.current[at] });
                if noisy {
                    line.variance.push(if set { plus.variance[at] } else { minus.variance[at] });
                }
            }
            vec![line]
        }
        AdcInput::Column => {
            let mut lines = [empty(), empty()];
            for (at, set) in set.enumerate() {
                for ((line, device), on) in lines.iter_mut().zip(devices).zip([set, !set]) {
                    line.current.push(if on { device.current[at] } else { 0 });
                    if noisy {
                        line.variance.push(if on { device.variance[at] } else { 0 });
                    }
                }
            }
            lines.into()
        }
    }
}
