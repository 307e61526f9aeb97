//! Energy of a crossbar read: V^2 (G_on + G_off) t for each synapse on a driven row, and a pulse on each driven wordline.

use super::token::Token;
use std::ops::Range;
use std::sync::Arc;

/// Rows driven by a 1, as the functional path counted them.
pub trait RowActivity: Send + Sync + std::fmt::Debug {
    /// Rows of `row_block` driven in pulse `pulse` (input bit, least significant first) at `position`.
    fn driven(&self, layer: u32, image: u32, member: u32, position: u32, pulse: u32, row_block: u32) -> u32;

    /// Rows of `row_block` whose input code is not 0 at `position`.
    fn non_zero(&self, layer: u32, image: u32, member: u32, position: u32, row_block: u32) -> u32;
}

/// Where the number of driven rows comes from.
#[derive(Debug, Clone)]
pub enum Rows {
    /// The workload's stated activity: for each number of pulses, what they come to on one array.
    Stated(Vec<Pulse>),
    /// Counted by the functional path.
    Counted(Arc<dyn RowActivity>),
}

/// Attojoules of one driven row of one array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowEnergy {
    /// Of its cells.
    pub read: u64,
    /// Of its wordline's pulse.
    pub drive: u64,
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Rows::Stated(a), Rows::Stated(b)) => a == b,
            (Rows::Counted(a), Rows::Counted(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl Rows {
    /// Shares of what `rows` driven rows come to in a position of so many pulses. They are cut from the total of one
    /// array, so that rounding depends neither on the grain nor on the groups.
    #[must_use]
    pub fn stated(rows: f64, pulses: u32, row: RowEnergy) -> Self {
        let fixed = (rows * 4_294_967_296.0).round() as u128;
        let share = |per_row: u64, pulse: u32| {
            ((fixed * u128::from(per_row) * u128::from(pulse) / u128::from(pulses)) >> 32) as u64
        };
        let upto =
            |pulse| Pulse { rows: share(1, pulse), read: share(row.read, pulse), drive: share(row.drive, pulse) };
        Rows::Stated((0..=pulses).map(upto).collect())
    }
}

/// Energies of the arrays of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadEnergy {
    /// Index of the layer.
    pub layer: u32,
    /// Output positions of the layer.
    pub positions: u32,
    /// Pulses of a position.
    pub pulses: u32,
    /// A pulse is a row (row-serial plane) instead of an input bit.
    pub row_serial: bool,
    /// Column blocks of the group: each drives the rows of its own arrays.
    pub column_blocks: u32,
    /// Energy of a driven row of one array.
    pub row: RowEnergy,
    /// How many rows are driven.
    pub rows: Rows,
}

/// Energy of some pulses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// Wordline pulses.
    pub rows: u64,
    /// Attojoules of the cells.
    pub read: u64,
    /// Attojoules of the wordlines.
    pub drive: u64,
}

impl ReadEnergy {
    /// Energy of some pulses of a token on the copies at work, of which copy i has the token's position i. The sum over
    /// pulses does not depend on how they are cut into calls.
    #[must_use]
    #[inline(always)]
    pub fn pulses(&self, token: Token, lanes: Range<u32>, row_blocks: &Range<u32>, pulses: Range<u32>) -> Pulse {
        match &self.rows {
            Rows::Stated(upto) => {
                let arrays = u64::from(self.column_blocks * (row_blocks.end - row_blocks.start))
                    * u64::from(lanes.end - lanes.start);
                let (start, end) = (upto[pulses.start as usize], upto[pulses.end as usize]);
                Pulse {
                    rows: (end.rows - start.rows) * arrays,
                    read: (end.read - start.read) * arrays,
                    drive: (end.drive - start.drive) * arrays,
                }
            }
            Rows::Counted(activity) => {
                let rows = lanes.map(|lane| {
                    let position = token.position + lane;
                    self.counted(activity.as_ref(), Token { position, ..token }, row_blocks, pulses.clone())
                });
                let rows = rows.sum::<u64>() * u64::from(self.column_blocks);
                Pulse { rows, read: rows * self.row.read, drive: rows * self.row.drive }
            }
        }
    }

    #[inline(never)]
    fn counted(&self, activity: &dyn RowActivity, token: Token, row_blocks: &Range<u32>, pulses: Range<u32>) -> u64 {
        let (layer, Token { image, member, position, .. }) = (self.layer, token);
        if self.row_serial {
            // Rows are read one by one; which of them are zero is not told, so they are spread evenly.
            let blocks = row_blocks.clone();
            let non_zero = |block| u64::from(activity.non_zero(layer, image, member, position, block));
            let total: u64 = blocks.map(non_zero).sum();
            let upto = |pulse: u32| total * u64::from(pulse) / u64::from(self.pulses);
            return upto(pulses.end) - upto(pulses.start);
        }
        let mut rows = 0;
        for pulse in pulses {
            for block in row_blocks.clone() {
                rows += u64::from(activity.driven(layer, image, member, position, pulse, block));
            }
        }
        rows
    }
}
