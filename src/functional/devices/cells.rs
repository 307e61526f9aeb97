//! The cells of a row block: programmed, and what reads find of them at an age.

use crate::config::{Compensation, Device, PairSemantics, Plane, ReadNoise, Reference};
use crate::device::pair::remap;
use crate::device::{Cell, Draws, Moment};
use crate::functional::weights::BitMatrix;
use crate::random::{Purpose, StreamName};
use std::ops::Range;

/// What the cells of a plane are programmed to.
#[derive(Debug, Clone, Copy)]
pub(in crate::functional) enum Synapses<'a> {
    /// Differential pairs of these weights.
    Fixed(&'a BitMatrix),
    /// Two on devices each, selected by a latch.
    Gated(Latches<'a>),
}

/// The latches of a gated plane.
#[derive(Debug, Clone, Copy)]
pub(in crate::functional) enum Latches<'a> {
    /// What they hold for each member.
    Members(&'a [BitMatrix]),
    /// Drawn at every position.
    Drawn,
}

/// The plane whose cells are meant.
#[derive(Debug, Clone, Copy)]
pub(in crate::functional) struct Setting<'a> {
    pub device: &'a Device,
    /// Conductance of on and off cells, microsiemens.
    pub targets: [f64; 2],
    pub layer: u32,
    pub plane: Plane,
    pub synapses: Synapses<'a>,
    /// The synapses that the plane holds; none: all.
    pub present: Option<&'a BitMatrix>,
    /// Times that the plane is there.
    pub replicas: u32,
    /// Whether its sums are multiplied by compensation factors.
    pub compensated: bool,
    /// Amplitude of the read noise that is drawn once for each device: 1 where all of it is frozen.
    pub frozen: f64,
    pub seed: u64,
}

/// The two devices of each synapse of some rows and columns, `[row][column]`.
pub(super) struct Cells {
    pairs: Vec<[Cell; 2]>,
    /// Frozen read noise of each.
    normals: Vec<[f64; 2]>,
    columns: usize,
    /// What weights are multiplied by, by array: other than 1 where pairs were mapped anew.
    scales: Vec<f64>,
    width: usize,
}

/// What a read finds of a synapse: conductances of both devices in microsiemens, and their variance from read to read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub conductance: [f64; 2],
    pub variance: [f64; 2],
}

impl Setting<'_> {
    /// Microsiemens of a weight of 1.
    pub(super) fn unit(&self) -> f64 {
        let [on, off] = self.targets;
        match self.synapses {
            Synapses::Fixed(_) => on - off,
            Synapses::Gated(_) => on,
        }
    }

    pub(super) fn moment(&self) -> Moment {
        self.device.model.at(self.device.age.seconds())
    }

    fn name(&self, purpose: Purpose, replica: u32, row: u32) -> StreamName {
        let array = match self.plane {
            Plane::Deterministic => 0,
            Plane::Stochastic => 1,
        };
        StreamName { layer: self.layer, array, member: replica, position: row.into(), ..StreamName::new(purpose) }
    }

    fn target(&self, row: u32, column: usize) -> Option<[f64; 2]> {
        let [on, off] = self.targets;
        let present = self.present.is_none_or(|present| present.get(row as usize, column));
        match self.synapses {
            Synapses::Fixed(_) if !present => Some([off, off]),
            Synapses::Fixed(weights) if weights.get(row as usize, column) => Some([on, off]),
            Synapses::Fixed(_) => Some([off, on]),
            Synapses::Gated(_) => present.then_some([on, on]),
        }
    }

    /// Programs some rows and columns of a replica, in arrays of `width` synapse columns.
    pub(super) fn program(&self, replica: u32, rows: &[u32], columns: &Range<usize>, width: usize) -> Cells {
        let size = rows.len() * columns.len();
        let (mut pairs, mut normals) = (Vec::with_capacity(size), Vec::with_capacity(size));
        for &row in rows {
            let mut stream = self.name(Purpose::Device, replica, row).open(self.seed);
            for column in 0..columns.end {
                let draws = [Draws::new(&mut stream), Draws::new(&mut stream)];
                if column < columns.start {
                    continue;
                }
                let pair = self
                    .target(row, column)
                    .map_or([Cell::default(); 2], |targets| [0, 1].map(|i| self.device.program(targets[i], &draws[i])));
                pairs.push(pair);
                normals.push(draws.map(|draws| draws.read));
            }
        }
        let mut cells = Cells { pairs, normals, columns: columns.len(), scales: Vec::new(), width };
        let arrays = columns.len().div_ceil(width);
        cells.scales = vec![1.0; arrays];
        if self.device.pairs == PairSemantics::Remapped && matches!(self.synapses, Synapses::Fixed(_)) {
            for array in 0..arrays {
                cells.remap(array, self.targets[0]);
            }
        }
        cells
    }

    /// What reads find of the cells at the chip's age.
    pub(super) fn found(&self, cells: &Cells) -> Vec<Found> {
        let (model, moment) = (&self.device.model, self.moment());
        let noisy = self.device.read_noise != ReadNoise::Frozen;
        let read = |(pair, normals): (&[Cell; 2], &[f64; 2])| {
            [0, 1].map(|i| pair[i].read(model, moment, self.frozen * normals[i]))
        };
        let conductances: Vec<[f64; 2]> = cells.pairs.iter().zip(&cells.normals).map(read).collect();
        // Of gated ones not all are connected: what wires leave is known where they are selected.
        let fixed = matches!(self.synapses, Synapses::Fixed(_));
        let shares = if fixed { self.shares(cells, &conductances) } else { None };
        let found = |at: usize| {
            let share = shares.as_ref().map_or([1.0; 2], |shares| shares[at]);
            let sigma =
                |i: usize| if noisy { share[i] * cells.pairs[at][i].read_deviation(model, moment) } else { 0.0 };
            Found {
                conductance: [0, 1].map(|i| share[i] * conductances[at][i]),
                variance: [0, 1].map(|i| sigma(i) * sigma(i)),
            }
        };
        (0..conductances.len()).map(found).collect()
    }

    /// What wires leave of these conductances of the cells; none where they leave all. Those of gated synapses are connected
    /// on one side, all of them.
    fn shares(&self, cells: &Cells, conductances: &[[f64; 2]]) -> Option<Vec<[f64; 2]>> {
        let wires = self.device.wires;
        if wires.are_perfect() {
            return None;
        }
        let ways: &[[f64; 2]] = match self.synapses {
            Synapses::Fixed(_) => &[[1.0, 1.0]],
            Synapses::Gated(_) => &[[1.0, 0.0], [0.0, 1.0]],
        };
        let mut shares = vec![[1.0; 2]; conductances.len()];
        for array in 0..cells.scales.len() {
            let columns = cells.columns_of(array);
            let places = || cells.places(columns.clone());
            for way in ways {
                let load = |at: usize| [0, 1].map(|i| way[i] * conductances[at][i]);
                let found = wires.shares(&places().flat_map(load).collect::<Vec<_>>(), 2 * columns.len());
                for (at, share) in places().zip(found.as_chunks::<2>().0) {
                    (0..2).filter(|&i| way[i] > 0.0).for_each(|i| shares[at][i] = share[i]);
                }
            }
        }
        Some(shares)
    }

    /// Sums of the magnitudes of an array's weights, as a reference read finds them: right after programming, and now. Each
    /// row is read by itself. A gated plane is read with all latches one way, then the other.
    pub(super) fn reference(&self, cells: &Cells, replica: u32, rows: &[u32], columns: &Range<usize>) -> Vec<[f64; 2]> {
        let noisy = match self.device.compensation {
            Compensation::Off => return vec![[1.0; 2]; cells.scales.len()],
            Compensation::Arrays { reference } | Compensation::Logits { reference } => reference == Reference::Noisy,
        };
        let (model, moments) = (&self.device.model, [self.device.model.at(0.0), self.moment()]);
        let frozen = self.device.read_noise == ReadNoise::Frozen;
        let mut found = [const { Vec::new() }; 2];
        for &row in rows {
            let mut stream = self.name(Purpose::ReferenceRead, replica, row).open(self.seed);
            for column in 0..columns.end {
                // Two devices, before and now.
                let normals: [[f64; 2]; 2] = std::array::from_fn(|_| [stream.normal(), stream.normal()]);
                if column < columns.start {
                    continue;
                }
                let index = found[0].len();
                for (now, moment) in moments.into_iter().enumerate() {
                    let read = |i: usize| {
                        let cell = cells.pairs[index][i];
                        if !noisy {
                            return cell.drifted(moment);
                        }
                        // The noise of a later read is that of the products where it is frozen.
                        let normal = if frozen && now == 1 { cells.normals[index][i] } else { normals[now][i] };
                        cell.read(model, moment, normal)
                    };
                    found[now].push([read(0), read(1)]);
                }
            }
        }
        let gated = matches!(self.synapses, Synapses::Gated(_));
        let mut sums = vec![[0.0; 2]; cells.scales.len()];
        for (now, found) in found.iter().enumerate() {
            let shares = self.shares(cells, found);
            for (at, read) in found.iter().enumerate() {
                let share = shares.as_ref().map_or([1.0; 2], |shares| shares[at]);
                let [plus, minus] = [0, 1].map(|i| share[i] * read[i]);
                let array = at % cells.columns / cells.width;
                sums[array][now] += if gated { plus + minus } else { ((plus - minus) * cells.scales[array]).abs() };
            }
        }
        sums
    }
}

impl Cells {
    /// The scale of the weights in each place, `[row][column]`.
    pub(super) fn scales(&self) -> impl Iterator<Item = f64> + '_ {
        let of_column = |at: usize| self.scales[at % self.columns / self.width];
        (0..self.pairs.len()).map(of_column)
    }

    /// Maps the pairs of an array anew.
    fn remap(&mut self, array: usize, on: f64) {
        let places: Vec<usize> = self.places(self.columns_of(array)).collect();
        let mut of_array: Vec<[Cell; 2]> = places.iter().map(|&at| self.pairs[at]).collect();
        self.scales[array] = remap(&mut of_array, on);
        for (at, pair) in places.into_iter().zip(of_array) {
            self.pairs[at] = pair;
        }
    }

    /// The columns of an array.
    fn columns_of(&self, array: usize) -> Range<usize> {
        array * self.width..((array + 1) * self.width).min(self.columns)
    }

    /// Places of these columns in all rows.
    fn places(&self, columns: Range<usize>) -> impl Iterator<Item = usize> + use<> {
        let row = self.columns;
        (0..self.pairs.len() / row).flat_map(move |at| columns.clone().map(move |column| at * row + column))
    }
}
