//! Do whole runs on the shipped chips show what the project set out to show?
//!
//! The closed forms are written out here once more, from K, M, P, N, c, B, m and T alone: nothing of
//! `report::closed_form` is used to predict.

use crossbayes::config::{Answer, Config, Draws, Grain, Grouping, LoadRequest, Mode, Queue, Sampler, Scheme, load};
use crossbayes::meter::{Account, Ledger};
use crossbayes::report::Report;
use crossbayes::run::{Finished, prepare};
use crossbayes::simulate::plan;
use crossbayes::trace::{Action, Component, ParquetSink};
use std::collections::BTreeMap;

/// A shipped network on a shipped chip, every synapse sampled, changed and run.
fn run(arch: &str, workload: &str, change: impl FnOnce(&mut Config)) -> Finished {
    let loaded = loaded(arch, workload);
    let mut config = loaded.config;
    config.values.answer = Answer::Nothing;
    config.mapping.scheme = Scheme::Dense;
    change(&mut config);
    let prepared = prepare(config, &loaded.workload_base, 2, &|_, _, _| ()).unwrap();
    prepared.simulate(None::<ParquetSink>, String::new(), &|_, _, _| ()).unwrap().0
}

fn loaded(arch: &str, workload: &str) -> crossbayes::config::Loaded {
    let named = |name: &str| Some(name.to_owned());
    load(&LoadRequest { arch: named(arch), workload: named(workload), set: Vec::new() }).unwrap()
}

/// A layer as the closed forms see it.
struct Layer {
    /// Rows (K = Cin k k) and columns (M) of its matrix.
    rows: u64,
    columns: u64,
    /// Output positions (P).
    positions: u64,
    /// Input bits (B).
    bits: u64,
}

fn layers<const N: usize>(table: [(u64, u64, u64, u64); N]) -> Vec<Layer> {
    table.into_iter().map(|(rows, columns, positions, bits)| Layer { rows, columns, positions, bits }).collect()
}

/// VGGBinaryConnect for 3 x 32 x 32 images and 100 classes: 3 x 3 convolutions at 32, 16 and 8 pixels a side.
fn vgg() -> Vec<Layer> {
    layers([
        (3 * 9, 128, 1024, 8),
        (128 * 9, 128, 1024, 8),
        (128 * 9, 256, 256, 8),
        (256 * 9, 256, 256, 8),
        (256 * 9, 512, 64, 8),
        (512 * 9, 512, 64, 8),
        (512 * 16, 1024, 1, 8),
        (1024, 1024, 1, 8),
        (1024, 100, 1, 8),
    ])
}

/// The digits: pixels 0..=16 take five bits, activations four.
fn digits() -> Vec<Layer> {
    layers([(9, 16, 64, 5), (16 * 9, 32, 64, 4), (32 * 16, 64, 1, 4), (64, 10, 1, 4)])
}

/// R C of all layers on arrays of N x N cells, c = 2 cells a synapse.
fn arrays(layers: &[Layer], size: u64) -> u64 {
    layers.iter().map(|layer| layer.rows.div_ceil(size) * (2 * layer.columns).div_ceil(size)).sum()
}

#[test]
fn the_networks_take_the_arrays_of_the_closed_form() {
    assert_eq!((arrays(&vgg(), 128), arrays(&vgg(), 256)), (1728, 434));
    for (arch, size) in [("pcm_128", 128), ("pcm_256", 256), ("ideal_periphery", 128)] {
        for (workload, layers) in [("vgg_binaryconnect", vgg()), ("digits", digits())] {
            let plan = plan(&loaded(arch, workload).config).unwrap();
            assert_eq!(plan.mapping.arrays, arrays(&layers, size), "{workload} on {arch}");
            for (layer, expected) in plan.net.layers.iter().zip(&layers) {
                let found = (layer.rows, layer.columns, layer.positions, layer.input_bits).into();
                let [rows, columns, positions, bits]: [u32; 4] = found;
                assert_eq!(
                    [rows, columns, positions, bits].map(u64::from),
                    [expected.rows, expected.columns, expected.positions, expected.bits]
                );
            }
        }
    }
}

/// Cycles of positions without a gap, with a sample-and-hold: P B max(t_read, m t_adc) + min(t_read, m t_adc). Reads take
/// 10 cycles, 8-bit conversions 9, m = 8 columns share a converter.
fn tau(layer: &Layer) -> u64 {
    let (read, convert) = (10, 8 * 9);
    layer.positions * layer.bits * read.max(convert) + read.min(convert)
}

/// Latency of `images` images, T passes each, every layer ensembling (or none: T = 1).
fn latency(mode: Mode, layers: &[Layer], members: u64, images: u64) -> u64 {
    let sum: u64 = layers.iter().map(tau).sum();
    let longest = layers.iter().map(tau).max().unwrap();
    match mode {
        Mode::Sequential => images * members * sum,
        Mode::Layer => sum + (members - 1) * longest + (images - 1) * members * longest,
        Mode::Streaming => unreachable!("streaming has no closed form"),
    }
}

#[test]
fn an_ideal_periphery_takes_exactly_the_cycles_of_the_closed_form() {
    for (workload, layers) in [("digits", digits()), ("vgg_binaryconnect", vgg())] {
        for mode in [Mode::Sequential, Mode::Layer] {
            for (scheme, members) in [(Scheme::Dense, 10), (Scheme::Dense, 3), (Scheme::Deterministic, 1)] {
                for images in [1, 2] {
                    let finished = run("ideal_periphery", workload, |config| {
                        config.schedule.mode = mode;
                        config.schedule.images = images;
                        config.mapping.scheme = scheme.clone();
                        config.ensemble.members = members;
                    });
                    let expected = latency(mode, &layers, u64::from(members), u64::from(images));
                    let place = format!("{workload}, {mode:?}, {scheme:?}, {members} members, {images} images");
                    assert_eq!(finished.ledger.makespan(), expected, "{place}");
                    let form = &finished.facts.closed_form;
                    let reported = (form.ideal_cycles, form.predicted_cycles, form.simulated_cycles);
                    assert_eq!(reported, (expected, expected, expected), "{place}");
                    assert_eq!((form.fixed_latency_cycles, form.contention_cycles), (0, 0), "{place}");
                }
            }
        }
    }
}

#[test]
fn real_chips_tell_what_contention_takes() {
    for arch in ["pcm_128", "pcm_256"] {
        for mode in [Mode::Sequential, Mode::Layer] {
            for (workload, layers) in [("digits", digits()), ("vgg_binaryconnect", vgg())] {
                let finished = run(arch, workload, |config| config.schedule.mode = mode);
                let report = Report::new(&finished.facts, &finished.ledger);
                let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
                let form = &json["checks"]["closed_form"];
                let number = |key: &str| form[key].as_i64().unwrap();
                let cycles = finished.ledger.makespan() as i64;
                println!("{workload} on {arch}, {mode:?}: {form:#}");
                assert_eq!(number("simulated_cycles"), cycles);
                assert_eq!(number("ideal_cycles"), latency(mode, &layers, 10, 1) as i64);
                assert_eq!(number("predicted_cycles"), number("ideal_cycles") + number("fixed_latency_cycles"));
                assert_eq!(number("contention_cycles"), cycles - number("predicted_cycles"));
                assert!(number("fixed_latency_cycles") > 0);
                // Nothing can be faster than the arrays; fixed latencies hide behind other layers at most.
                assert!(cycles > number("ideal_cycles"), "{workload} on {arch}, {mode:?}");
            }
        }
    }
}

#[test]
fn a_slow_part_behind_the_arrays_is_reported_as_contention() {
    let finished = run("pcm_128", "digits", |config| config.arch.costs.post_process.time.0 = 1_000_000);
    // Post-processing of conv1 takes 1000 cycles a position, its converters 5 x 72 = 360; the difference adds up
    // over nearly all of 10 x 64 positions.
    let form = &finished.facts.closed_form;
    assert_eq!(form.contention_cycles, form.simulated_cycles as i64 - form.predicted_cycles as i64);
    assert!(form.contention_cycles > 10 * 60 * (1000 - 360), "{form:?}");
    assert!(finished.ledger.entry(Some(0), Component::Crossbar, Action::WaitPort).unit_cycles > 0);
}

#[test]
fn every_synapse_is_drawn_once_a_member_or_once_a_position() {
    let synapses: u64 = vgg().iter().map(|layer| layer.rows * layer.columns).sum();
    assert_eq!(synapses, 14_114_176);
    let drawn = |finished: &Finished| finished.facts.layers.iter().map(|layer| layer.random_bits).sum::<u64>();
    // 141.1 M draws of 8 bits.
    let finished = run("pcm_128", "vgg_binaryconnect", |_| ());
    assert_eq!(drawn(&finished), 141_141_760 * 8);
    assert_eq!(Report::new(&finished.facts, &finished.ledger).sampling.random_bits, 141_141_760 * 8);
    // 617,058,304 multiply-accumulates an image, so 6.171 G draws where each position has its own.
    let finished = run("pcm_128", "vgg_binaryconnect", |config| {
        let Sampler::Generator { draws, .. } = &mut config.arch.sampler else { panic!("pcm_128 has generators") };
        *draws = Draws::PerPosition;
    });
    assert_eq!(drawn(&finished), 6_170_583_040 * 8);
}

/// Unit-cycles, attojoules and, of work, elementary actions.
type Sums = BTreeMap<Account, (u128, u128, u128)>;

fn sums(ledger: &Ledger) -> Sums {
    ledger
        .entries()
        .map(|(account, entry)| {
            let count = if account.action.is_wait() { 0 } else { entry.count };
            (account, (entry.unit_cycles, entry.energy, count))
        })
        .collect()
}

/// Cycles and attojoules must not depend on how a run was simulated.
fn assert_same(base: &Finished, other: &Finished, what: &str) {
    assert_eq!(base.ledger.makespan(), other.ledger.makespan(), "{what}");
    for (key, sum) in sums(&base.ledger) {
        assert_eq!(Some(&sum), sums(&other.ledger).get(&key), "{what}: {key:?}");
    }
    assert_eq!(sums(&base.ledger).len(), sums(&other.ledger).len(), "{what}");
    assert_eq!(base.facts.outputs, other.facts.outputs, "{what}");
}

/// Another way to simulate the same, and its name.
type Way = (&'static str, fn(&mut Config));

const GRAINS: [Way; 2] =
    [("op", |c| c.schedule.grain = Grain::Op), ("conversion", |c| c.schedule.grain = Grain::Conversion)];
const EXPANDED: Way = ("expanded", |c| c.schedule.grouping = Grouping::Expanded);
const QUEUE: Way = ("priority queue", |c| c.schedule.queue = Queue::PriorityQueue);

#[test]
fn digits_cost_the_same_at_every_grain_however_simulated() {
    for arch in ["pcm_128", "pcm_256"] {
        for mode in [Mode::Sequential, Mode::Layer, Mode::Streaming] {
            let with = |change: fn(&mut Config)| {
                run(arch, "digits", |config| {
                    config.schedule.mode = mode;
                    // Real images, so that the energy of a read depends on the rows that it drives.
                    config.schedule.images = 2;
                    config.values.answer = Answer::First(2);
                    config.ensemble.members = 4;
                    change(config);
                })
            };
            let base = with(|_| ());
            let stated = run(arch, "digits", |config| {
                config.schedule.mode = mode;
                config.schedule.images = 2;
                config.ensemble.members = 4;
            });
            let read = |finished: &Finished| finished.ledger.entry(Some(1), Component::Crossbar, Action::Read).energy;
            assert_ne!(read(&base), read(&stated), "energies come from the images");
            for (what, change) in GRAINS.into_iter().chain([EXPANDED, QUEUE]) {
                assert_same(&base, &with(change), &format!("{what} on {arch}, {mode:?}"));
            }
        }
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "some twenty million events: cargo test --release")]
fn vgg_costs_the_same_at_every_grain_and_on_either_queue() {
    for mode in [Mode::Sequential, Mode::Layer] {
        let with = |change: fn(&mut Config)| {
            run("pcm_128", "vgg_binaryconnect", |config| {
                config.schedule.mode = mode;
                config.ensemble.members = 2;
                change(config);
            })
        };
        let base = with(|_| ());
        for (what, change) in GRAINS.into_iter().chain([QUEUE]) {
            assert_same(&base, &with(change), &format!("{what}, {mode:?}"));
        }
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "1,728 arrays one by one: cargo test --release")]
fn vgg_costs_the_same_grouped_and_expanded() {
    let with = |change: fn(&mut Config)| {
        run("pcm_128", "vgg_binaryconnect", |config| {
            config.schedule.grain = Grain::Op;
            config.mapping.scheme = Scheme::Deterministic;
            change(config);
        })
    };
    assert_same(&with(|_| ()), &with(EXPANDED.1), "expanded");
}
