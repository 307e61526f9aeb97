//! Where values are computed, a driven row costs what its own weights do (`planes.rs` counts that by hand). How far would
//! average rows be off, as a run without values has them?

mod common;

use common::run_plan;
use crossbayes::config::{Eps, FirstLayer, LoadRequest, Packing, Plane, Scheme, load};
use crossbayes::functional::{FunctionalModel, FunctionalSpec, Keep};
use crossbayes::simulate::plan_split;
use crossbayes::trace::{Action, Component};
use crossbayes::units::read_energy;
use crossbayes::workload::{LoadedImages, LoadedPosterior, resolve};
use std::path::Path;
use std::sync::Arc;

/// By how much the cells of a layer would cost more if each of its driven rows were an average one: in each plane, and in both.
fn errors(workload: &str, layer: &str, packing: Packing, keep: bool) -> [f64; 3] {
    const IMAGES: usize = 50;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
    let file = folder.join(format!("{workload}.ron")).display().to_string();
    let mut config = load(&LoadRequest { workload: Some(file), ..LoadRequest::default() }).unwrap().config;
    config.schedule.images = IMAGES as u32;
    config.mapping.scheme = Scheme::Sparse {
        first_ensembling_layer: FirstLayer::Layer(layer.to_owned()),
        eps: Eps::Above(0.05),
        packing,
        keep_deterministic_part: keep,
        skip_zero_rows: false,
    };
    let net = resolve(&config.workload).unwrap();
    let posterior = LoadedPosterior::load(&config.workload, &net, &folder).unwrap().unwrap();
    let images = LoadedImages::load(&config.workload, &net, &folder).unwrap().unwrap();
    let model = FunctionalModel::new(&FunctionalSpec::of(&config), &net, &posterior).unwrap();
    let counted = Keep { activity: IMAGES, accumulators: false };
    let activity = model.evaluate(&images, 0..IMAGES, counted, 2, &|_| ()).unwrap().activity;
    let plan = plan_split(&config, Some(&posterior)).unwrap();
    let (_, both) = run_plan(&config, &plan, Some(Arc::new(activity)));

    let l = net.layers.iter().position(|of| of.name == layer).unwrap();
    let array = &config.arch.array;
    let [on, off] = [array.conductance_on, array.conductance_off]
        .map(|cell| read_energy(array.read_voltage, cell, array.read_time).0 as f64);
    let (mut averages, mut all) = (Vec::new(), Vec::new());
    for plane in [Plane::Deterministic, Plane::Stochastic] {
        let mapped = &plan.mapping.layers[l];
        let (of_plane, groups) = (mapped.plane(plane).unwrap(), mapped.groups.iter().filter(|of| of.plane == plane));
        // All arrays of these layers are as wide.
        let columns: Vec<_> = groups.map(|group| group.columns).collect();
        assert!(columns.iter().all(|of| *of == columns[0]), "{columns:?}");
        let of = |component, action| {
            let entries = both.ledger.entries();
            let here = entries.filter(|(of, _)| {
                (of.layer, of.plane, of.component, of.action) == (Some(l as u32), Some(plane), component, action)
            });
            here.fold((0, 0), |(count, energy), (_, entry)| (count + entry.count, energy + entry.energy))
        };
        let weights = of_plane.weights as f64 / of_plane.slots as f64;
        let average_row = f64::from(columns[0]) * (weights * (on + off) + (1.0 - weights) * 2.0 * off);
        averages.push(of(Component::Driver, Action::Drive).0 as f64 * average_row);
        all.push(of(Component::Crossbar, Action::Read).1 as f64);
    }
    [
        averages[0] / all[0] - 1.0,
        averages[1] / all[1] - 1.0,
        averages.iter().sum::<f64>() / all.iter().sum::<f64>() - 1.0,
    ]
}

/// The figures of the book's page on limits. Where both planes are read as often, what one has too much the other has too
/// little.
#[test]
fn average_rows_are_off_where_inputs_and_probabilistic_synapses_avoid_each_other() {
    for (workload, layer, packing, keep, [fixed, drawn, both]) in [
        ("digits", "fc1", Packing::Full, false, [-0.073, 0.403, 0.0]),
        ("digits", "fc1", Packing::Rows, false, [-0.073, 0.403, 0.0]),
        ("digits", "fc1", Packing::Full, true, [-0.073, 0.403, 0.233]),
        ("fashion_mnist", "fc1", Packing::Full, false, [-0.012, 0.082, 0.0]),
    ] {
        let errors = errors(workload, layer, packing, keep);
        println!("{workload} {layer} {packing:?} {keep} {errors:+.3?}");
        for (error, expected) in errors.into_iter().zip([fixed, drawn, both]) {
            assert!((error - expected).abs() < 0.0006, "{workload} {packing:?} {errors:?}");
        }
    }
}
