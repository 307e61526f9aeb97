//! Blocks of several layers in one array: where they lie, that their reads exclude each other, and that nothing else changes
//! but area, leakage and the time that they wait.

mod common;

use common::booked::assert_every_cycle_is_booked_once;
use common::tied::{cases, tied};
use common::*;
use crossbayes::config::*;
use crossbayes::mapping::{LayerMapping, Mapping, Plane};
use crossbayes::report::closed_form::closed_form;
use crossbayes::report::inventory::inventory;
use crossbayes::run::prepare;
use crossbayes::simulate::plan;
use crossbayes::trace::{Action, Component};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// The shape of `digits`, its weights fixed, on one tile.
fn digits() -> Config {
    let mut config = config(real_chip(128, 128), digits_like());
    config.mapping.scheme = Scheme::Deterministic;
    config.mapping.placement = Placement::Shared;
    config
}

fn packed(config: &Config) -> Config {
    let mut config = config.clone();
    config.mapping.placement = Placement::Packed;
    config
}

/// Layer, rows before and own rows of the blocks in each shared array.
fn shared(mapping: &Mapping) -> BTreeMap<u32, Vec<(usize, u32, u32)>> {
    let mut arrays: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for (l, layer) in mapping.layers.iter().enumerate() {
        for (group, shared) in layer.groups.iter().filter_map(|group| Some((group, group.shared?))) {
            assert_eq!((group.arrays(), group.rows), (1, shared.rows.own));
            arrays.entry(shared.array).or_default().push((l, shared.rows.before, shared.rows.own));
        }
    }
    arrays
}

#[test]
fn low_blocks_lie_below_each_other_in_the_first_array_with_room() {
    // conv1 has 9 rows, conv2 128 and 16, fc1 four times 128, fc2 64: 9 + 16 + 64 rows in the array of conv1.
    let mapping = plan(&digits()).unwrap().mapping;
    assert_eq!(shared(&mapping), [(0, vec![(0, 0, 9), (1, 9, 16), (3, 25, 64)])].into());
    let arrays = |mapping: &Mapping| mapping.layers.iter().map(LayerMapping::arrays).collect::<Vec<_>>();
    assert_eq!((mapping.arrays, arrays(&mapping)), (6, vec![1, 2, 4, 1]));
    assert_eq!((plan(&packed(&digits())).unwrap().mapping.arrays, mapping.tiles), (8, 1));

    // Only what lies in one tile shares: conv1 and conv2 in the first one, of 2 arrays, fc1 in two more, fc2 in the last.
    let mut config = digits();
    config.arch.tile.arrays = 2;
    let mapping = plan(&config).unwrap().mapping;
    assert_eq!(shared(&mapping), [(0, vec![(0, 0, 9), (1, 9, 16)])].into());
    assert_eq!((mapping.arrays, mapping.tiles), (7, 4));

    // Copies of a layer work at the same time and share nothing; nor do planes whose generators draw, or of two kinds.
    config = digits();
    config.mapping.replication = vec![("conv1".into(), 2)];
    assert_eq!(shared(&plan(&config).unwrap().mapping), [(3, vec![(1, 0, 16), (3, 16, 64)])].into());
    config.mapping.scheme = Scheme::Dense;
    assert_eq!(shared(&plan(&config).unwrap().mapping), BTreeMap::new());
    config.mapping.replication.clear();
    config.mapping.scheme = Scheme::Sparse {
        first_ensembling_layer: FirstLayer::Layer("fc2".into()),
        eps: Eps::Everything,
        packing: Packing::Full,
        keep_deterministic_part: false,
        skip_zero_rows: false,
    };
    config.arch.sampler = Sampler::Comparator { noise_rows: 4, sub_arrays: 1, offset: Offset::default() };
    let mapping = plan(&config).unwrap().mapping;
    assert_eq!(shared(&mapping), [(0, vec![(0, 0, 9), (1, 9, 16)])].into());
    assert_eq!(mapping.layers[3].planes[0].plane, Plane::Stochastic);
}

/// Start and end of all that reads or converts on each shared array, by the place of its block's first row.
fn uses(config: &Config) -> BTreeMap<u32, Vec<(u64, u64, u32)>> {
    let mapping = plan(config).unwrap().mapping;
    let mut uses: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for span in run(config).1.spans {
        if !matches!(span.action, Action::Read | Action::Convert | Action::Compare) {
            continue;
        }
        let group = &mapping.layers[span.layer as usize].groups[span.group as usize];
        let Some(shared) = group.shared else { continue };
        let of_array = uses.entry(shared.array).or_default();
        for piece in 0..u64::from(span.repeats) {
            let start = span.start + piece * span.period;
            of_array.push((start, start + span.duration, shared.rows.before));
        }
    }
    uses
}

/// No block reads or converts while another one of its array does.
fn assert_exclusive(config: &Config) {
    for (array, mut uses) in uses(config) {
        uses.sort_unstable();
        let mut until: BTreeMap<u32, u64> = BTreeMap::new();
        for (start, end, block) in uses {
            let others = until.iter().filter(|(other, _)| **other != block).map(|(_, end)| *end).max();
            assert!(others <= Some(start), "array {array}, block {block}: {start} before {others:?}, {config:?}");
            let until = until.entry(block).or_default();
            *until = end.max(*until);
        }
    }
}

#[test]
fn blocks_of_an_array_wait_for_each_other() {
    let mut config = digits();
    config.schedule.images = 3;
    for mode in [Mode::Sequential, Mode::Layer, Mode::Streaming] {
        config.schedule.mode = mode;
        assert_exclusive(&config);
        let (alone, (outcome, both)) = (run(&packed(&config)).0.cycles, run(&config));
        let waits = |layer| both.ledger.entry(Some(layer), Component::Crossbar, Action::WaitResource).unit_cycles;
        let without = run(&packed(&config)).1.ledger;
        let more =
            (0..4).map(|l| waits(l) - without.entry(Some(l), Component::Crossbar, Action::WaitResource).unit_cycles);
        let more: u128 = more.sum();
        let plan = plan(&config).unwrap();
        let assembly = plan.assemble(&config, None).unwrap();
        let contention = |cycles| closed_form(&config, &plan.net, &plan.mapping, &assembly, cycles).contention_cycles;
        match mode {
            // One layer at a time.
            Mode::Sequential => assert_eq!((outcome.cycles, more, contention(outcome.cycles)), (alone, 0, 0)),
            Mode::Layer | Mode::Streaming => {
                assert!(more > 0 && outcome.cycles > alone, "{mode:?}: {more}, {} and {alone}", outcome.cycles);
                assert!(contention(outcome.cycles) >= (outcome.cycles - alone) as i64, "{mode:?}");
            }
        }
    }
}

/// Work and its energy are the same, area and leakage fall by the arrays saved.
#[test]
fn sharing_saves_area_and_leakage_and_changes_no_work() {
    let config = digits();
    let energies = |config: &Config| {
        let mut energies = BTreeMap::new();
        for (account, entry) in run(config).1.ledger.entries().filter(|(account, _)| !account.action.is_wait()) {
            *energies.entry((account.component, account.layer, account.action)).or_insert(0) += entry.energy;
        }
        energies
    };
    assert_eq!(energies(&config), energies(&packed(&config)));
    let parts = |config: &Config| {
        let plan = plan(config).unwrap();
        let mut parts = BTreeMap::new();
        for item in inventory(config, &plan.net, &plan.mapping, 0) {
            let of: &mut (u64, u128, u128) = parts.entry(item.part).or_default();
            *of = (of.0 + item.instances, of.1 + item.area_nm2, of.2 + item.leakage_fw);
        }
        parts
    };
    let (shared, alone) = (parts(&config), parts(&packed(&config)));
    for part in ["cell", "wordline", "adc"] {
        // Six arrays for eight; all instances of these parts cost the same.
        assert_eq!(shared[part].0 * 8, alone[part].0 * 6, "{part}");
        assert_eq!((shared[part].1 * 8, shared[part].2 * 8), (alone[part].1 * 6, alone[part].2 * 6), "{part}");
    }
    let rest = |parts: &BTreeMap<String, (u64, u128, u128)>| {
        let of_arrays = ["cell", "wordline", "adc", "multiplexer", "sample_and_hold", "shift_add"];
        parts.iter().filter(|(part, _)| !of_arrays.contains(&part.as_str())).map(|(_, of)| of.0).sum::<u64>()
    };
    assert_eq!(rest(&shared), rest(&alone), "{:?}", shared.keys());
    // A layer has its rows' part of the array.
    let mapping = plan(&config).unwrap().mapping;
    let cells: Vec<u64> = mapping.layers.iter().map(|layer| layer.cells).collect();
    let parts = [9, 25, 89].map(|rows| 128 * 128 * rows / 89);
    assert_eq!(cells, [parts[0], 128 * 128 + parts[1] - parts[0], 4 * 128 * 128, parts[2] - parts[1]]);
}

fn report(set: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(["run", "--no-files", "--format", "json", "--set", "values.answer=First(10)"]);
    command.args(set.iter().flat_map(|set| ["--set", set]));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Converter ranges are those of the rows of a block, wherever it lies.
#[test]
fn answers_are_the_same() {
    let scheme = "mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"))";
    let with = |placement| report(&[scheme, placement, "schedule.mode=Streaming"]);
    let (alone, shared) = (with("mapping.placement=Packed"), with("mapping.placement=Shared"));
    assert_eq!(alone["outputs"], shared["outputs"]);
    assert_eq!((&alone["mapping"]["arrays"], &shared["mapping"]["arrays"]), (&8.into(), &7.into()));
    assert!(shared["area"]["total_mm2"].as_f64() < alone["area"]["total_mm2"].as_f64());
    assert!(shared["latency"]["cycles"].as_u64() > alone["latency"]["cycles"].as_u64());
}

#[test]
fn the_mapping_tells_who_shares() {
    let set = ["mapping.scheme=Deterministic", "mapping.placement=Shared"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    command.args(["show", "mapping"]).args(set.iter().flat_map(|set| ["--set", set]));
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(text.contains("array 0 holds rows of conv1 (9), conv2 (16), fc2 (64): 89 of 128"), "{text}");
    assert!(text.contains("6 arrays on 1 tiles: 6 deterministic of 128 x 128 cells"), "{text}");
}

/// Chips full of ties, with blocks that share arrays of deterministic planes or of planes that comparators sample.
fn sharing() -> impl Strategy<Value = Config> {
    (tied(), any::<[bool; 5]>(), 1_u32..6).prop_map(|(mut config, copies, arrays)| {
        if matches!(config.arch.sampler, Sampler::Generator { .. }) {
            config.mapping.scheme = Scheme::Deterministic;
        }
        // Rows for several layers.
        config.arch.array.rows *= 4;
        config.arch.tile.arrays = 4 * arrays;
        config.arch.digital.lanes = 64;
        let tile = &mut config.arch.tile;
        (tile.input_buffer.bytes_per_cycle, tile.output_buffer.bytes_per_cycle) = (64, 64);
        let all = std::mem::take(&mut config.mapping.replication);
        config.mapping.replication =
            all.into_iter().zip(copies).filter(|(_, copies)| *copies).map(|(of, _)| of).collect();
        config.mapping.placement = Placement::Shared;
        // A layer has less of a tile that it shares.
        while plan(&config).is_err() {
            let tile = &mut config.arch.tile;
            (tile.input_buffer.capacity.0, tile.output_buffer.capacity.0) =
                (2 * tile.input_buffer.capacity.0, 2 * tile.output_buffer.capacity.0);
        }
        config
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1_000)))]

    /// Reads exclude each other, every cycle is booked, ties are decided alike at every grain and grouping, only time is lost
    /// against arrays of their own, and the critical path is found.
    #[test]
    fn shared_arrays_keep_what_holds_for_others(config in sharing()) {
        assert_exclusive(&config);
        let mut expanded = config.clone();
        expanded.schedule.grouping = Grouping::Expanded;
        let plan = plan(&expanded).unwrap();
        let (outcome, both) = run(&expanded);
        assert_every_cycle_is_booked_once(&expanded, &plan, &outcome, &both);
        for grain in [Grain::Op, Grain::Read, Grain::Conversion] {
            for (grouping, queue) in [(Grouping::Grouped, Queue::Ring), (Grouping::Expanded, Queue::PriorityQueue)] {
                let mut other = config.clone();
                (other.schedule.grain, other.schedule.grouping, other.schedule.queue) = (grain, grouping, queue);
                prop_assert_eq!(run(&other).0.cycles, outcome.cycles, "{:?} {:?}", grain, grouping);
            }
        }
        let ready = prepare(config.clone(), &Base::Embedded, 1, &|_, _, _| ()).unwrap();
        let chain = ready.critical(&|_, _, _| ()).unwrap();
        prop_assert_eq!(chain.cycles, outcome.cycles);
    }
}
