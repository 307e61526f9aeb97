//! Gathering the inputs of packed arrays: each row, or each cell, takes the input that its stored index names.
//!
//! The layer's input codes are in a register file of banks, row k in bank k mod banks; a bank gives one code an access to
//! each array. Rows of a plane packed by rows are gathered into latches at the wordlines while the position before is
//! read. With lists each read needs the codes of its cells: they are gathered while the read before is made, and where a
//! bank holds so many of them that this takes longer, the position takes longer by the difference. The arrays of a plane
//! are in step: the one that takes longest counts.

use crate::config::Chip;
use crate::kernel::Cycle;
use crate::mapping::pack::index_bits;
use crate::mapping::{ArrayGroup, Packing, PlaneMapping};
use crate::readout::Block;
use crate::workload::NetLayer;

/// The gathers of a group for one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gather {
    /// Cycles that they take, or by which they lengthen the position.
    pub cycles: Cycle,
    /// Whether they are made while the position before is read.
    pub ahead: bool,
    /// Codes gathered in the group's arrays of one copy.
    pub codes: u64,
    /// Attojoules of a code, with its index and wires.
    pub energy: u64,
}

impl Gather {
    /// None for a group of `layer` whose arrays hold blocks of its matrix.
    #[must_use]
    pub fn new(
        chip: &Chip,
        layer: &NetLayer,
        plane: &PlaneMapping,
        packing: Packing,
        group: &ArrayGroup,
        block: &Block,
    ) -> Option<Self> {
        let arrays = plane.packed.as_ref()?;
        let access = chip.costs.gather.time.cycles(chip.clock);
        let loads = plane.bank_loads.iter();
        let ahead = packing == Packing::Rows;
        let cycles = if ahead {
            loads.map(|loads| loads.iter().map(|&load| u64::from(load) * access).sum()).max()
        } else {
            let late = |&load: &u32| (u64::from(load) * access).saturating_sub(block.period());
            loads.map(|loads| loads.iter().map(late).sum()).max()
        };
        let of_group = &arrays[group.row_blocks.start as usize..group.row_blocks.end as usize];
        let costs = &chip.costs;
        // A link carries a byte over a whole pitch.
        let wires = costs.link.energy.0 * u64::from(layer.input_bits) / 16;
        let index = u64::from(index_bits(layer.rows)) * costs.index_bit.energy.0;
        Some(Self {
            cycles: cycles.unwrap_or(0),
            ahead,
            codes: of_group.iter().map(|array| array.indices()).sum(),
            energy: costs.gather.energy.0 + index + wires,
        })
    }
}
