//! The chip as its file describes it: arrays, converters, samplers, tiles and interconnect.

use crate::config::check;
use crate::config::costs::CostTable;
use crate::config::declare::{choice, record, settings};
use crate::units::{Bytes, Conductance, Frequency, Length, Time, Voltage};

record! {
    /// A chip: everything the mapping and the simulation need to know about the hardware.
    #[check(check::chip)]
    pub struct Chip {
        /// Name used in reports and in the default output folder.
        pub name: String [1..],
        /// One paragraph for people: what the chip is, and what its parts overlap.
        pub description: String = String::new(),
        /// Technology node of the cost table.
        pub node: Length ["1 nm"..="1 um"],
        /// Clock; each time in nanoseconds becomes whole cycles of it once, rounding up.
        pub clock: Frequency ["1 MHz"..="100 GHz"],
        /// Cost table: in a chip file the path of a file under `parts/`, relative to the chip file; expanded in place.
        pub costs: CostTable,
        /// Crossbar array.
        pub array: Array,
        /// Wordline driver.
        pub driver: Driver = Driver::default(),
        /// Analogue-to-digital converter of a deterministic or latched array.
        pub adc: Adc,
        /// How probabilistic synapses are drawn.
        pub sampler: Sampler,
        /// Shift-and-add and adder tree.
        pub accumulator: Accumulator,
        /// Batch norm, activation, quantisation and pooling.
        pub digital: Digital,
        /// Tile: what a group of arrays shares.
        pub tile: Tile,
        /// Network between tiles.
        pub interconnect: Interconnect,
        /// Buffer at the chip's edge that images come from and answers go to.
        pub global_buffer: Buffer,
    }
}

record! {
    /// A crossbar of PCM cells.
    #[check(check::array)]
    pub struct Array {
        /// Wordlines.
        pub rows: u32 [1..=4096],
        /// Bitlines (cells in a row).
        pub columns: u32 [1..=4096],
        /// Cells of a synapse: 2 is a differential pair (the only value that +-1 weights need today).
        pub cells_per_synapse: u32 [2..=2] = 2,
        /// Read voltage.
        pub read_voltage: Voltage ["1 mV"..="5 V"],
        /// Conductance of a programmed (on) cell.
        pub conductance_on: Conductance ["1 nS"..="10 mS"],
        /// Conductance of a reset (off) cell.
        pub conductance_off: Conductance ["0 pS"..="10 mS"] = Conductance(0),
        /// Time to drive the wordlines and let the bitlines settle.
        pub read_time: Time ["1 ps"..="1 ms"],
        /// Whether a sample-and-hold lets the next read overlap the conversions of this one.
        pub sample_and_hold: bool,
    }
}

settings! {
    /// The wordline driver.
    #[check(check::driver)]
    pub struct Driver {
        /// Input bits that one pulse carries; 1 is bit-serial. More than 1 is not simulated yet and refused.
        pub bits_per_pulse: u32 = 1,
    }
}

record! {
    /// Analogue-to-digital converter.
    pub struct Adc {
        /// Resolution; the cost table must have an entry for it.
        pub bits: u32 [1..=16],
        /// Inputs that share a converter through a multiplexer (m): a read is followed by m conversions in turn.
        pub columns_per_adc: u32 [1..=4096],
        /// What one input of the converter is.
        pub input: AdcInput,
        /// Range that the codes span.
        pub range: AdcRange,
    }
}

choice! {
    /// What a converter digitises.
    #[derive(Copy, Eq)]
    pub enum AdcInput {
        /// The current difference of a differential pair, subtracted before conversion: columns / cells_per_synapse
        /// inputs.
        Pair,
        /// Each bitline by itself; the pair is subtracted digitally: `columns` inputs, two conversions a synapse
        /// column.
        Column,
    }
}

choice! {
    /// Range of a converter, in currents of one on cell driven by one row.
    #[derive(Copy)]
    pub enum AdcRange {
        /// All rows in use in the layer's largest row block on, set layer by layer: never clips; the step grows when the
        /// bits do not suffice.
        FullScale,
        /// A fixed range of so many cell currents (to either side for `Pair`); larger sums clip.
        Fixed(f64 [0.5..=1e9]),
    }
}

choice! {
    /// How the probabilistic synapses of a stochastic plane are drawn.
    pub enum Sampler {
        /// Digital random bits compared with a stored p; drawn bits are latched, then the plane is read like any other.
        Generator {
            /// Fresh random bits per cycle and array (g).
            bits_per_cycle: u32 [1..=65_536],
            /// Bits of p and of each draw (b).
            probability_bits: u32 [1..=16],
            /// Two banks of latches: the next sample is drawn while this one is read.
            double_buffered: bool = true,
            /// When a fresh sample is drawn.
            draws: Draws = Draws::PerMember,
        },
        /// Device noise and a comparator per column: one row after another is read and compared; draws are fresh at
        /// each read.
        Comparator {
            /// Noise rows that are always on (kn).
            noise_rows: u32 [0..=4096],
            /// Sub-arrays that share the rows of a row block and work side by side (n).
            sub_arrays: u32 [1..=4096] = 1,
        },
    }
}

choice! {
    /// When a fresh weight sample is drawn.
    #[derive(Copy, Eq)]
    pub enum Draws {
        /// One sample held for a whole pass of a member: the Bayesian network's own meaning.
        PerMember,
        /// A fresh sample at every output position.
        PerPosition,
    }
}

record! {
    /// Shift-and-add over input bits and adder tree over row blocks.
    pub struct Accumulator {
        /// Results that may wait in its output register.
        pub depth: u32 [1..=65_536] = 2,
    }
}

record! {
    /// Digital post-processing of a tile.
    pub struct Digital {
        /// Values per step and tile.
        pub lanes: u32 [1..=65_536],
        /// Positions that may wait before it.
        pub depth: u32 [1..=65_536] = 2,
    }
}

record! {
    /// A tile.
    pub struct Tile {
        /// Arrays in a tile.
        pub arrays: u32 [1..=65_536],
        /// Buffer that holds what the tile's layer reads.
        pub input_buffer: Buffer,
        /// Buffer in front of the interconnect.
        pub output_buffer: Buffer,
    }
}

record! {
    /// A bounded buffer.
    pub struct Buffer {
        /// Bytes it holds.
        pub capacity: Bytes ["1 B"..="64 GiB"],
        /// Bytes read or written per step of the cost table's buffer time.
        pub bytes_per_cycle: u32 [1..=65_536],
    }
}

choice! {
    /// The network between tiles. Links are contended: a link carries one message at a time.
    pub enum Interconnect {
        /// One medium that all tiles share.
        Bus {
            /// Bytes per link step.
            bytes_per_cycle: u32 [1..=65_536],
        },
        /// Grid of tiles with XY routes; the global buffer sits at the top-left corner.
        Mesh {
            /// Tiles in a row of the grid; 0: the nearest square that holds the network.
            width: u32 [0..=4096] = 0,
            /// Bytes per link step.
            bytes_per_cycle: u32 [1..=65_536],
        },
        /// Binary tree with the tiles as leaves and the global buffer at the root.
        HTree {
            /// Bytes per link step.
            bytes_per_cycle: u32 [1..=65_536],
        },
    }
}
