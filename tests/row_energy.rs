//! How far is the energy of average rows from that of each row with its own weights, on real inputs?

use crossbayes::config::{Eps, FirstLayer, LoadRequest, Packing, Plane, Samples, Scheme, load};
use crossbayes::functional::{FunctionalModel, FunctionalSpec, Observer};
use crossbayes::workload::{LayerPosterior, LoadedImages, LoadedPosterior, resolve};
use std::path::Path;

const EPS: f32 = 0.05;
const IMAGES: usize = if cfg!(debug_assertions) { 12 } else { 100 };

/// Pulses that drive each row, by layer, over images, members and positions.
struct Driven(Vec<Vec<u64>>);

impl Observer for Driven {
    const WATCHES_INPUTS: bool = true;

    fn inputs(&mut self, layer: usize, _: usize, _: usize, _: usize, window: &[u16]) {
        for (pulses, code) in self.0[layer].iter_mut().zip(window) {
            *pulses += u64::from(code.count_ones());
        }
    }
}

/// Energy of a plane's reads by row, in units of conductance: of each row with its weights, and of average rows.
fn energies(
    posterior: &LayerPosterior,
    pulses: &[u64],
    plane: Plane,
    packing: Packing,
    [on, off]: [f64; 2],
) -> [f64; 2] {
    let (rows, columns) = (pulses.len(), posterior.p.len() / pulses.len());
    // p lies column by column.
    let probabilistic = |row: usize, column: usize| {
        let p = posterior.p[column * rows + row];
        p > EPS && p < 1.0 - EPS
    };
    let (mut weights, mut places) = (0, 0);
    let mut each = Vec::new();
    for first in (0..columns).step_by(64) {
        let block = first..columns.min(first + 64);
        for (row, &pulses) in pulses.iter().enumerate() {
            let drawn = block.clone().filter(|&column| probabilistic(row, column)).count();
            if plane == Plane::Stochastic && packing == Packing::Rows && drawn == 0 {
                continue;
            }
            let held = if plane == Plane::Stochastic { drawn } else { block.len() - drawn };
            (weights, places) = (weights + held, places + block.len());
            each.push((pulses as f64, held as f64, block.len() as f64));
        }
    }
    // A weight is an on and an off cell, another place two off cells.
    let energy = |held: f64, places: f64| held * (on + off) + (places - held) * 2.0 * off;
    let average = weights as f64 / places as f64;
    let exact = each.iter().map(|(pulses, held, places)| pulses * energy(*held, *places)).sum();
    let averaged = each.iter().map(|(pulses, _, places)| pulses * energy(average * places, *places)).sum();
    [exact, averaged]
}

/// Every driven row counts as an average one of its plane (`RowEnergy`): in one plane that is far off where inputs and probabilistic
/// synapses avoid each other, but what it has too much the other one has too little.
#[test]
fn both_planes_together_cost_what_their_rows_do() {
    for workload in ["digits", "fashion_mnist"] {
        for (packing, first) in [(Packing::Full, "conv1"), (Packing::Rows, "conv1"), (Packing::Full, "fc1")] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
            let file = folder.join(format!("{workload}.ron")).display().to_string();
            let request = LoadRequest { workload: Some(file), ..LoadRequest::default() };
            let mut config = load(&request).unwrap().config;
            config.ensemble.samples = Samples::Drawn;
            config.ensemble.members = 3;
            config.mapping.scheme = Scheme::Sparse {
                first_ensembling_layer: FirstLayer::Layer(first.to_owned()),
                eps: Eps::Above(EPS.into()),
                packing,
                keep_deterministic_part: false,
                skip_zero_rows: false,
            };
            let net = resolve(&config.workload).unwrap();
            let posterior = LoadedPosterior::load(&config.workload, &net, &folder).unwrap().unwrap();
            let images = LoadedImages::load(&config.workload, &net, &folder).unwrap().unwrap();
            let model = FunctionalModel::new(&FunctionalSpec::of(&config), &net, &posterior).unwrap();
            let mut driven = Driven(net.layers.iter().map(|layer| vec![0; layer.rows as usize]).collect());
            for image in 0..IMAGES {
                model.observe(&images, image, &mut driven).unwrap();
            }
            let array = &config.arch.array;
            let cells = [array.conductance_on, array.conductance_off].map(|cell| cell.0 as f64);
            let first = net.layers.iter().position(|layer| layer.name == first).unwrap();
            let mut all = [0.0; 2];
            for (l, layer) in net.layers.iter().enumerate().skip(first) {
                for plane in [Plane::Deterministic, Plane::Stochastic] {
                    let [exact, averaged] = energies(&posterior.layers[l], &driven.0[l], plane, packing, cells);
                    println!(
                        "{workload} {packing:?} {} {plane:?}: {:+.2} %",
                        layer.name,
                        100.0 * (averaged / exact - 1.0)
                    );
                    all = [all[0] + exact, all[1] + averaged];
                }
            }
            let error = all[1] / all[0] - 1.0;
            println!("{workload} {packing:?} from layer {first}: {:+.3} %", 100.0 * error);
            assert!(error.abs() < 0.001, "{workload} {packing:?} {error}");
        }
    }
}
