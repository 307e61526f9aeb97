//! Resistance of word and bit lines: what is left of a cell's conductance between the driver of its row and the converter of
//! its column.
//!
//! A row that is not driven is held at 0 V, and converters hold bit lines at 0 V. Currents are then linear in the voltages of
//! the rows, whichever are driven, so that an array has one effective conductance from each row to each column. Here it is that
//! of the cell times the share of the voltage that its word line delivers if bit lines are perfect, times the share of
//! its current that its bit line delivers if word lines are: both exact, so the product is exact where one kind of line is
//! perfect, and to first order in the resistances elsewhere. Lines start at the corner of the first row and the first column.

use crate::units::Resistance;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Resistance of the lines of an array, of the piece from one cell to the next and of that before the first cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Wires {
    /// Of a word line, from bit line to bit line. The driver is before the first bit line.
    #[schemars(extend("x-range" = ["0 Ohm", "1 kOhm"]))]
    pub word_line: Resistance,
    /// Of a bit line, from word line to word line. The converter is before the first word line.
    #[schemars(extend("x-range" = ["0 Ohm", "1 kOhm"]))]
    pub bit_line: Resistance,
}

impl Wires {
    /// Whether lines have no resistance.
    #[must_use]
    pub fn are_perfect(self) -> bool {
        self == Self::default()
    }

    /// What each cell of an array is multiplied by. `loads` are the conductances that load the lines in microsiemens,
    /// `[row][column]` with `columns` bit lines.
    #[must_use]
    pub fn shares(self, loads: &[f64], columns: usize) -> Vec<f64> {
        let rows = loads.len() / columns;
        let mut shares = vec![0.0; loads.len()];
        for (shares, loads) in shares.chunks_mut(columns).zip(loads.chunks(columns)) {
            shares.copy_from_slice(&delivered(self.word_line, loads));
        }
        let mut loads_of = vec![0.0; rows];
        for column in 0..columns {
            loads_of.iter_mut().zip(loads[column..].iter().step_by(columns)).for_each(|(to, &load)| *to = load);
            let of_bit_line = delivered(self.bit_line, &loads_of);
            shares[column..].iter_mut().step_by(columns).zip(of_bit_line).for_each(|(share, of)| *share *= of);
        }
        shares
    }

    /// Mean of the shares in an array of cells that all load lines with `load` microsiemens.
    #[must_use]
    pub fn mean_share(self, load: f64, rows: usize, columns: usize) -> f64 {
        let mean = |resistance, cells: usize| {
            delivered(resistance, &vec![load; cells]).iter().sum::<f64>() / cells.max(1) as f64
        };
        mean(self.word_line, columns) * mean(self.bit_line, rows)
    }
}

impl std::fmt::Display for Wires {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} a cell of word lines, {} of bit lines", self.word_line, self.bit_line)
    }
}

/// Shares of the voltage at the start of a line that cells along it find, of these conductances in microsiemens to 0 V. By
/// reciprocity also the shares of their currents that arrive there.
fn delivered(resistance: Resistance, conductances: &[f64]) -> Vec<f64> {
    let resistance = resistance.0 as f64 * 1e-12;
    // From the end: of the voltage before each piece what is left behind it.
    let mut left = vec![0.0; conductances.len()];
    let mut beyond = 0.0;
    for (left, conductance) in left.iter_mut().zip(conductances).rev() {
        let behind = conductance + beyond;
        *left = 1.0 / (1.0 + resistance * behind);
        beyond = behind * *left;
    }
    let mut voltage = 1.0;
    for left in &mut left {
        voltage *= *left;
        *left = voltage;
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, StreamName};

    /// Currents into the bit lines' ends, microamperes, for voltages of the rows: all nodes of the network, by elimination.
    fn exact(wires: Wires, conductances: &[f64], columns: usize, voltages: &[f64]) -> Vec<f64> {
        let cells = conductances.len();
        let [word, bit] = [wires.word_line, wires.bit_line].map(|of| 1e12 / of.0 as f64);
        // Nodes of word lines, then of bit lines.
        let nodes = 2 * cells;
        let mut equations = vec![vec![0.0; nodes + 1]; nodes];
        let mut join = |a: usize, b: Option<usize>, conductance: f64, voltage: f64| {
            equations[a][a] += conductance;
            match b {
                Some(b) => {
                    equations[b][b] += conductance;
                    equations[a][b] -= conductance;
                    equations[b][a] -= conductance;
                }
                None => equations[a][nodes] += conductance * voltage,
            }
        };
        for (row, &voltage) in voltages.iter().enumerate() {
            for column in 0..columns {
                let cell = row * columns + column;
                join(cell, Some(cells + cell), conductances[cell], 0.0);
                join(cell, (column > 0).then(|| cell - 1), word, voltage);
                join(cells + cell, (row > 0).then(|| cells + cell - columns), bit, 0.0);
            }
        }
        for pivot in 0..nodes {
            let (above, below) = equations.split_at_mut(pivot + 1);
            let of_pivot = &above[pivot];
            for row in below.iter_mut().filter(|row| row[pivot] != 0.0) {
                let factor = row[pivot] / of_pivot[pivot];
                row[pivot..].iter_mut().zip(&of_pivot[pivot..]).for_each(|(of, pivot)| *of -= factor * pivot);
            }
        }
        let mut found = vec![0.0; nodes];
        for node in (0..nodes).rev() {
            let known: f64 = (node + 1..nodes).map(|other| equations[node][other] * found[other]).sum();
            found[node] = (equations[node][nodes] - known) / equations[node][node];
        }
        (0..columns).map(|column| found[cells + column] * bit).collect()
    }

    fn wires(word_line: u64, bit_line: u64) -> Wires {
        Wires { word_line: Resistance(word_line), bit_line: Resistance(bit_line) }
    }

    /// Cells of 0.1 and 25 uS, differential pairs in neighbouring columns.
    fn pairs(rows: usize, columns: usize, seed: u64) -> Vec<f64> {
        let mut stream = StreamName::new(Purpose::Device).open(seed);
        let pair = |_| if stream.uniform() < 0.5 { [25.0, 0.1] } else { [0.1, 25.0] };
        (0..rows * columns / 2).flat_map(pair).collect()
    }

    /// Largest error of the currents of random driven rows, and what perfect lines would err by, as shares of the mean current.
    fn errors(wires: Wires, rows: usize, columns: usize) -> [f64; 2] {
        let conductances = pairs(rows, columns, 3);
        let shares = wires.shares(&conductances, columns);
        let mut stream = StreamName::new(Purpose::Device).open(4);
        let mut errors = [0.0_f64; 2];
        for _ in 0..4 {
            let voltages: Vec<f64> = (0..rows).map(|_| if stream.uniform() < 0.5 { 0.2 } else { 0.0 }).collect();
            let exact = exact(wires, &conductances, columns, &voltages);
            let mean = exact.iter().sum::<f64>() / columns as f64;
            for (column, exact) in exact.iter().enumerate() {
                let current = |share: &dyn Fn(usize) -> f64| {
                    let of = |row: usize| {
                        let cell = row * columns + column;
                        voltages[row] * conductances[cell] * share(cell)
                    };
                    (0..rows).map(of).sum::<f64>()
                };
                let of = [current(&|cell| shares[cell]), current(&|_| 1.0)];
                errors.iter_mut().zip(of).for_each(|(error, of)| *error = error.max((of - exact).abs() / mean));
            }
        }
        errors
    }

    #[test]
    fn a_line_of_two_cells_is_as_computed_by_hand() {
        // 1 MOhm and 1 uS: behind the second piece 1 MOhm to ground, so half of the voltage before it; before it the first cell
        // beside 2 MOhm, 1.5 uS together: 1 / 2.5 of all.
        let found = delivered(Resistance(1_000_000_000_000), &[1.0, 1.0]);
        assert!((found[0] - 0.4).abs() < 1e-15 && (found[1] - 0.2).abs() < 1e-15, "{found:?}");
        assert_eq!(delivered(Resistance(0), &[25.0; 3]), [1.0; 3]);
    }

    #[test]
    fn one_kind_of_line_is_exact() {
        // The other kind is next to perfect: 1 uOhm.
        for wires in [wires(1, 20_000_000), wires(20_000_000, 1)] {
            let [error, perfect] = errors(wires, 12, 16);
            assert!(error < 1e-6 && perfect > 0.01, "{error} instead of {perfect}");
        }
    }

    #[test]
    fn both_kinds_are_near_the_solution_of_all_nodes() {
        // Ohms, and the largest error as a share of the mean current.
        for (ohm, most) in [(1, 5e-6), (10, 5e-4), (25, 5e-3)] {
            let [error, perfect] = errors(wires(ohm * 1_000_000, ohm * 1_000_000), 16, 16);
            assert!(error < most && perfect > 10.0 * error, "{ohm} Ohm: {error}, perfect {perfect}");
        }
    }

    #[test]
    fn the_mean_is_that_of_equal_cells() {
        let wires = wires(5_000_000, 10_000_000);
        let shares = wires.shares(&[12.5; 8 * 20], 20);
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        assert!((mean - wires.mean_share(12.5, 8, 20)).abs() < 1e-12);
    }
}
