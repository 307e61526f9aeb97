//! Energy of a crossbar read: V^2 (G_on + G_off) t for each synapse on a row that is driven at full level, and a pulse on
//! each driven wordline; and the energy of a driven row in each cycle for which it conducts beyond the read. A row at level v
//! of L draws (v / L)^2 of it; that of an array in a pulse is rounded to the attojoule. Places that hold no weight are two
//! off cells: where values are computed, the weights on driven rows are counted, else each row counts as an average one.

use super::token::Token;
use crate::config::{Chip, Sampler};
use crate::mapping::{Plane, PlaneMapping};
use crate::readout::Readout;
use crate::units::{Conductance, Energy, cycle_energy, read_energy};
use std::ops::Range;
use std::sync::Arc;

/// A position of a plane of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Index of the layer.
    pub layer: u32,
    /// Its plane.
    pub plane: Plane,
    /// Image of the run.
    pub image: u32,
    /// Member.
    pub member: u32,
    /// Output position.
    pub position: u32,
}

/// Driven rows, as the functional path counted them.
pub trait RowActivity: Send + Sync + std::fmt::Debug {
    /// Rows of `row_block` (an array where the plane is packed) driven in pulse `pulse` (digit of the input, least significant
    /// first) at `position`.
    fn driven(&self, at: At, pulse: u32, row_block: u32) -> u32;

    /// The squares of their levels, added up.
    fn squares(&self, at: At, pulse: u32, row_block: u32) -> u32;

    /// Rows of `row_block` with an input code that is not 0 at `position`.
    fn non_zero(&self, at: At, row_block: u32) -> u32;

    /// Weights on the rows that pulse `pulse` drives, in the columns of `column_block` (0 where the plane is packed), each
    /// times the square of its row's level. Asked only of planes of which some places hold none.
    fn weights(&self, at: At, pulse: u32, row_block: u32, column_block: u32) -> u64;

    /// Weights on the rows with an input code that is not 0, likewise.
    fn weights_of_non_zero(&self, at: At, row_block: u32, column_block: u32) -> u64;
}

/// Where the number of driven rows comes from.
#[derive(Debug, Clone)]
pub enum Rows {
    /// The workload's stated activity.
    Stated {
        /// Driven rows of a pulse.
        rows: Share,
        /// The squares of their levels, added up; as `rows` where there is one level.
        squares: Share,
    },
    /// Counted by the functional path.
    Counted(Arc<dyn RowActivity>),
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Rows::Stated { rows, squares }, Rows::Stated { rows: other_rows, squares: other_squares }) => {
                (rows, squares) == (other_rows, other_squares)
            }
            (Rows::Counted(a), Rows::Counted(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// Rows that a pulse drives in one array on average, as a whole number and a fraction of 2^31.
///
/// Arrays of equal blocks count their pulses together: pulse after pulse of a pass, array after array within a pulse. Of
/// the first n pulses floor(n x share) rows are driven. So the sum over a pass is exact to one row, and neither grain nor
/// grouping changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    whole: u64,
    fraction: u64,
}

impl Share {
    const BITS: u32 = 31;

    /// `rows` driven rows in a pulse.
    #[must_use]
    pub fn new(rows: f64) -> Self {
        let fixed = (rows * f64::from(1u32 << Self::BITS)).round() as u64;
        Self { whole: fixed >> Self::BITS, fraction: fixed & ((1 << Self::BITS) - 1) }
    }

    /// Whether any `pulses` pulses that follow each other drive as many rows as the next ones.
    fn repeats(self, pulses: u64) -> bool {
        u128::from(self.fraction) * u128::from(pulses) % (1 << Self::BITS) == 0
    }

    /// Rows driven in `number` pulses of an array from the one numbered `first` on.
    #[inline]
    fn rows(self, first: u64, number: u64) -> u64 {
        // Every 2^31 pulses the fractions add up to whole rows.
        let first = first & ((1 << Self::BITS) - 1);
        let upto = |pulses: u64| (self.fraction * pulses) >> Self::BITS;
        self.whole * number + upto(first + number) - upto(first)
    }
}

/// Attojoules of the cells of driven rows of one array, at full level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellEnergy {
    /// Of a row with as many weights as an average one of its plane.
    pub average: u64,
    /// Of a row whose places all hold weights, or none, whichever is more.
    pub most: u64,
    /// Of a row without weights.
    empty: u64,
    /// What each weight adds: an on cell instead of an off cell.
    weight: i64,
}

impl CellEnergy {
    /// Of rows and the weights that they hold; none if it is more than 64 bits can hold.
    #[must_use]
    pub fn of(&self, rows: u64, weights: u64) -> Option<u64> {
        let sum = i128::from(rows) * i128::from(self.empty) + i128::from(weights) * i128::from(self.weight);
        u64::try_from(sum).ok()
    }
}

/// Attojoules of one driven row of one array, at full level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowEnergy {
    /// Of its cells in a read.
    pub read: CellEnergy,
    /// Of its wordline's pulse, at any level, and of the conversion that sets the level.
    pub drive: u64,
    /// Of its cells in a cycle for which they conduct beyond the read.
    pub hold: CellEnergy,
}

impl RowEnergy {
    /// A row of an array of so many rows and columns of places for synapses, and the noise rows that are on beside it. Of all places of the plane
    /// some hold weights, one on and one off cell each; the others are two off cells.
    /// Energies saturate at 64 bits; [`mod@super::limits`] refuses such runs.
    #[must_use]
    pub fn new(chip: &Chip, readout: &Readout<'_>, plane: &PlaneMapping, [rows, columns]: [u32; 2]) -> Self {
        let array = &readout.arrays.array;
        let conductances = conductances(chip, readout, plane.plane, [rows, columns]);
        let synapse = |cell: &dyn Fn(Conductance) -> Energy| {
            let [on, off] = conductances.map(|of| cell(of).0);
            // Of so many weights in so many places.
            let of_row = |weights: u64, places: u64| {
                let (weights, places) = (u128::from(weights), u128::from(places));
                let noise = u128::from(readout.noise_rows) * places;
                let on = u128::from(on) * (weights + noise);
                let off = u128::from(off) * (2 * places - weights + noise);
                u64::try_from((on + off) * u128::from(columns) / places).unwrap_or(u64::MAX)
            };
            CellEnergy {
                average: of_row(plane.weights, plane.slots),
                most: of_row(1, 1).max(of_row(0, 1)),
                empty: of_row(0, 1),
                weight: i64::try_from(i128::from(on) - i128::from(off)).unwrap_or(i64::MAX),
            }
        };
        Self {
            read: synapse(&|conductance| read_energy(array.read_voltage, conductance, array.read_time)),
            hold: synapse(&|conductance| cycle_energy(array.read_voltage, conductance, chip.clock)),
            // The cost table's pulse crosses 128 cells.
            drive: chip.costs.wordline.energy.0 * u64::from(array.columns) / 128
                + readout.dac.map_or(0, |dac| dac.energy.0),
        }
    }
}

/// Conductances of on and off cells: the mean at the age of the chip, and in an array of so many rows and places. The off cells
/// of latched arrays are cut off, but for what the chip says that they conduct.
fn conductances(chip: &Chip, readout: &Readout<'_>, plane: Plane, [rows, columns]: [u32; 2]) -> [Conductance; 2] {
    let (array, device) = (&readout.arrays.array, &chip.device);
    let targets = [array.conductance_on, array.conductance_off];
    if device.is_ideal() {
        return targets;
    }
    let rounded = |microsiemens: f64| Conductance((microsiemens * 1e6).round() as u64);
    let mean = |target: Conductance| rounded(device.mean_conductance(target.microsiemens()));
    if plane == Plane::Stochastic && matches!(chip.sampler, Sampler::Comparator { .. }) {
        // Both devices of a pair that is drawn from are near the middle; those of places without one are off.
        let (middle, off) = (mean(Conductance(u64::midpoint(targets[0].0, targets[1].0))), mean(targets[1]));
        return [Conductance((2 * middle.0).saturating_sub(off.0)), off];
    }
    let latched = plane == Plane::Stochastic && matches!(chip.sampler, Sampler::Generator { .. });
    let found = [mean(targets[0]), if latched { targets[1] } else { mean(targets[1]) }].map(Conductance::microsiemens);
    let load = 0.5 * (found[0] + found[1]);
    found.map(|of| rounded(of * device.wires.mean_share(load, rows as usize, 2 * columns as usize)))
}

/// Driven rows of the arrays of a group, and their energy.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadEnergy {
    /// Index of the layer.
    pub layer: u32,
    /// Plane of the group.
    pub plane: Plane,
    /// Output positions of the layer.
    pub positions: u32,
    /// Pulses of a position.
    pub pulses: u32,
    /// A pulse is a row (row-serial plane) instead of a digit of the input.
    pub row_serial: bool,
    /// Square of the level of a row that is driven at full level; 1 where rows have no levels.
    pub full_square: u64,
    /// Whether weights on driven rows are counted, of which some have more than others.
    pub weighed: bool,
    /// Arrays of a copy with blocks of the same size.
    pub peers: u32,
    /// Energy of a driven row of one array.
    pub row: RowEnergy,
    /// Numbers of driven rows.
    pub rows: Rows,
}

/// The arrays of a group that work on a token.
#[derive(Debug, Clone)]
pub struct Working<'a> {
    /// Copies of the layer: copy i works on the token's position i.
    pub copies: Range<u32>,
    /// Row blocks of the group.
    pub row_blocks: &'a Range<u32>,
    /// Its column blocks: each drives the rows of its own arrays.
    pub column_blocks: &'a Range<u32>,
    /// Its arrays among those with blocks of the same size: the first, and how many.
    pub first_peer: u32,
    pub arrays: u32,
}

impl ReadEnergy {
    /// Rows driven by each pulse in one array, where that is a constant whole number.
    #[must_use]
    pub fn constant(&self) -> Option<u64> {
        match self.rows {
            Rows::Stated { rows, .. } if rows.fraction == 0 => Some(rows.whole),
            _ => None,
        }
    }

    /// Whether a pulse of a position drives as many rows as the same pulse `positions` positions later.
    #[must_use]
    pub fn repeats(&self, positions: u32) -> bool {
        let pulses = u64::from(positions) * u64::from(self.pulses) * u64::from(self.peers);
        match self.rows {
            Rows::Stated { rows, squares } => rows.repeats(pulses) && squares.repeats(pulses),
            Rows::Counted(_) => false,
        }
    }

    /// Rows driven by pulses of a token. The sum over pulses does not depend on how they are split into calls.
    #[must_use]
    pub fn driven(&self, token: Token, at: &Working<'_>, pulses: Range<u32>) -> u64 {
        match &self.rows {
            Rows::Stated { rows, .. } => self.share(*rows, token, at, pulses),
            Rows::Counted(activity) => self.counted(token, at, |of, blocks| {
                if self.row_serial {
                    self.spread(activity.as_ref(), of, blocks, &pulses)
                } else {
                    reads(&pulses, blocks).map(|(pulse, block)| u64::from(activity.driven(of, pulse, block))).sum()
                }
            }),
        }
    }

    /// Whether the energy of cells follows from the number of driven rows alone.
    #[inline]
    #[must_use]
    pub fn of_average_rows(&self) -> bool {
        self.full_square == 1 && !self.weighed
    }

    /// Attojoules of the cells in pulses of a token; None if they are more than 64 bits can hold. The sum over pulses does
    /// not depend on how they are split into calls.
    #[must_use]
    pub fn cells(&self, token: Token, at: &Working<'_>, pulses: Range<u32>, of_row: &CellEnergy) -> Option<u64> {
        if self.of_average_rows() {
            return self.driven(token, at, pulses).checked_mul(of_row.average);
        }
        if self.weighed {
            return self.weighed(token, at, &pulses, of_row);
        }
        // The squares of an array in a pulse are below 2^28.
        let of = |squares: u64| self.at_levels(u128::from(squares) * u128::from(of_row.average));
        match &self.rows {
            Rows::Stated { squares, .. } => {
                // Each array has one of two numbers of squares in a pulse.
                let number = at.copies.len() as u64 * u64::from(at.arrays) * pulses.len() as u64;
                let more = self.share(Share { whole: 0, ..*squares }, token, at, pulses);
                let (each, of_more) = (of(squares.whole)?, of(squares.whole + 1)?);
                number.checked_mul(each)?.checked_add(more.checked_mul(of_more - each)?)
            }
            Rows::Counted(activity) => {
                let mut fits = true;
                let energy = self.counted(token, at, |position, blocks| {
                    let squares = reads(&pulses, blocks).map(|(pulse, block)| activity.squares(position, pulse, block));
                    let mut all = squares.map(|squares| of(squares.into()));
                    all.try_fold(0_u64, |sum, energy| sum.checked_add(energy?)).unwrap_or_else(|| {
                        fits = false;
                        0
                    })
                });
                fits.then_some(energy)
            }
        }
    }

    /// Attojoules of rows whose squared levels, each times its energy at full level, add up to `sum`.
    fn at_levels(&self, sum: u128) -> Option<u64> {
        let full = u128::from(self.full_square);
        u64::try_from((sum + full / 2) / full).ok()
    }

    /// The cells in pulses of a token, each array with the weights on its driven rows.
    #[inline(never)]
    fn weighed(&self, token: Token, at: &Working<'_>, pulses: &Range<u32>, of_row: &CellEnergy) -> Option<u64> {
        let Rows::Counted(activity) = &self.rows else { unreachable!("weights are counted with the rows") };
        let mut sum = 0_u64;
        for position in self.positions(token, at) {
            for (row_block, column_block) in arrays(at) {
                if self.row_serial {
                    let rows = u64::from(activity.non_zero(position, row_block));
                    let weights = activity.weights_of_non_zero(position, row_block, column_block);
                    let energy = of_row.of(rows, weights)?;
                    sum = sum.checked_add(spread(energy, pulses, self.pulses))?;
                    continue;
                }
                for pulse in pulses.clone() {
                    let squares = u64::from(activity.squares(position, pulse, row_block));
                    let weights = activity.weights(position, pulse, row_block, column_block);
                    sum = sum.checked_add(self.at_levels(of_row.of(squares, weights)?.into())?)?;
                }
            }
        }
        Some(sum)
    }

    /// Weights on the rows of a row-serial array that it reads at a position of a token; 0 where they are not counted.
    #[must_use]
    pub fn weights(&self, token: Token, at: &Working<'_>) -> u64 {
        let Rows::Counted(activity) = &self.rows else { return 0 };
        if !self.weighed {
            return 0;
        }
        let of = |position| {
            arrays(at).map(move |(row, column)| activity.weights_of_non_zero(position, row, column)).sum::<u64>()
        };
        self.positions(token, at).map(of).sum()
    }

    /// The positions of a token.
    fn positions(&self, token: Token, at: &Working<'_>) -> impl Iterator<Item = At> + use<> {
        let (layer, plane) = (self.layer, self.plane);
        let Token { image, member, position, .. } = token;
        at.copies.clone().map(move |lane| At { layer, plane, image, member, position: position + lane })
    }

    /// What each pulse has a share of, added up.
    #[inline]
    fn share(&self, share: Share, token: Token, at: &Working<'_>, pulses: Range<u32>) -> u64 {
        let position = u64::from(token.position) + u64::from(at.copies.start);
        let of_pulse =
            |position: u64, pulse: u32| (position * u64::from(self.pulses) + u64::from(pulse)) * u64::from(self.peers);
        if at.copies.len() == 1 && (pulses.len() == 1 || at.arrays == self.peers) {
            let first = of_pulse(position, pulses.start) + u64::from(at.first_peer);
            return share.rows(first, u64::from(pulses.end - pulses.start) * u64::from(at.arrays));
        }
        self.stated(share, &of_pulse, position, at, pulses)
    }

    /// Pulse by pulse and copy by copy.
    #[inline(never)]
    fn stated(
        &self,
        share: Share,
        of_pulse: &dyn Fn(u64, u32) -> u64,
        position: u64,
        at: &Working<'_>,
        pulses: Range<u32>,
    ) -> u64 {
        let copies = 0..at.copies.len() as u64;
        let each = |copy| {
            let of = |pulse| share.rows(of_pulse(position + copy, pulse) + u64::from(at.first_peer), at.arrays.into());
            pulses.clone().map(of).sum::<u64>()
        };
        copies.map(each).sum()
    }

    /// What the images have at each position, in all column blocks: `of_position` gives that of some row blocks.
    #[inline(never)]
    fn counted(&self, token: Token, at: &Working<'_>, mut of_position: impl FnMut(At, &Range<u32>) -> u64) -> u64 {
        let sum: u64 = self.positions(token, at).map(|position| of_position(position, at.row_blocks)).sum();
        sum * at.column_blocks.len() as u64
    }

    /// Rows of a row-serial plane. They are read one by one; which of them are zero is not known, so those of an array are
    /// spread evenly. Each array by itself: grouping must not change what is driven in a pulse.
    fn spread(&self, activity: &dyn RowActivity, at: At, row_blocks: &Range<u32>, pulses: &Range<u32>) -> u64 {
        let of_block = |block| spread(activity.non_zero(at, block).into(), pulses, self.pulses);
        row_blocks.clone().map(of_block).sum()
    }
}

/// What `pulses` have of an amount that is spread evenly over `all` pulses.
#[must_use]
pub fn spread(amount: u64, pulses: &Range<u32>, all: u32) -> u64 {
    let upto = |pulse: u32| (u128::from(amount) * u128::from(pulse) / u128::from(all)) as u64;
    upto(pulses.end) - upto(pulses.start)
}

/// Row and column blocks of a group's arrays.
fn arrays<'a>(at: &Working<'a>) -> impl Iterator<Item = (u32, u32)> + use<'a> {
    let columns = at.column_blocks;
    at.row_blocks.clone().flat_map(move |row| columns.clone().map(move |column| (row, column)))
}

/// Pulses and row blocks.
fn reads(pulses: &Range<u32>, row_blocks: &Range<u32>) -> impl Iterator<Item = (u32, u32)> {
    let row_blocks = row_blocks.clone();
    pulses.clone().flat_map(move |pulse| row_blocks.clone().map(move |block| (pulse, block)))
}
