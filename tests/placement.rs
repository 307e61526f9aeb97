//! Copies that are chosen, and where layers sit: copies equalise intervals that the simulation confirms; a placement moves
//! messages and shares tiles, and changes nothing else.

mod common;

use common::*;
use crossbayes::config::*;
use crossbayes::mapping::replicate::Ended;
use crossbayes::report::closed_form::closed_form;
use crossbayes::report::inventory::inventory;
use crossbayes::simulate::plan;
use crossbayes::trace::{Action, Component, NONE};
use crossbayes::units::Area;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::{Command, Output};

fn auto(config: &mut Config, target_interval: u64) {
    config.mapping.copies = Copies::Auto { target_interval: Some(target_interval), area_budget: None };
}

/// Cycles that a second image adds.
fn simulated_interval(config: &Config) -> u64 {
    let cycles = |images| {
        let mut config = config.clone();
        config.schedule.images = images;
        run(&config).0.cycles
    };
    cycles(3) - cycles(2)
}

#[test]
fn chosen_copies_shorten_the_interval_to_what_they_say() {
    let mut config = config(chip(128, 128), digits_like());
    auto(&mut config, 16_000);
    // Ten members; conv1: 64 positions of 5 bits of 10 cycles, and 4; conv2 of 4 bits; reads of 10 cycles.
    // conv1 32040 -> 2 copies 16040; conv2 25640 -> 2 copies 12840; conv1 -> 3 copies, 22 steps, 11040.
    let replicated = plan(&config).unwrap().mapping.replicated.clone().unwrap();
    assert_eq!((replicated.interval_before, replicated.interval), (32_040, 12_840));
    assert_eq!((replicated.ended, replicated.limited_by.as_str()), (Ended::TargetMet, "conv2"));
    assert_eq!(replicated.replication(), [("conv1".to_owned(), 3), ("conv2".to_owned(), 2)]);
    assert_eq!(simulated_interval(&config), 12_840);

    // Copies that are given are the start.
    config.mapping.replication = vec![("conv2".into(), 4)];
    let replicated = plan(&config).unwrap().mapping.replicated.clone().unwrap();
    assert_eq!(replicated.replication(), [("conv1".to_owned(), 3), ("conv2".to_owned(), 4)]);
    assert_eq!(simulated_interval(&config), 11_040);

    // fc1 has one position and draws 8192 synapses for each member, 16 a cycle: 5120 cycles, whatever copies do. conv1 needs
    // 7 of them to be as fast (10 steps, 5040 cycles), conv2 6 (11 steps, 4440).
    config.mapping.replication = Vec::new();
    auto(&mut config, 1);
    let replicated = plan(&config).unwrap().mapping.replicated.clone().unwrap();
    assert_eq!((replicated.interval, replicated.ended), (5120, Ended::Positions));
    assert_eq!(replicated.limited_by, "fc1");
    assert_eq!(replicated.replication(), [("conv1".to_owned(), 7), ("conv2".to_owned(), 6)]);
    assert_eq!(simulated_interval(&config), 5120);
}

#[test]
fn the_area_of_the_budget_is_that_of_the_inventory() {
    let mut config = config(chip(128, 128), digits_like());
    let area = |config: &Config| {
        let plan = plan(config).unwrap();
        inventory(config, &plan.net, &plan.mapping, 0).iter().map(|item| item.area_nm2).sum::<u128>()
    };
    let least = area(&config);
    for placement in [Placement::InOrder, Placement::Packed, Placement::Shared] {
        config.mapping.placement = placement;
        let budget = Area(u64::try_from(least + least / 10).unwrap());
        config.mapping.copies = Copies::Auto { target_interval: None, area_budget: Some(budget) };
        let replicated = plan(&config).unwrap().mapping.replicated.clone().unwrap();
        assert_eq!(replicated.ended, Ended::AreaBudget);
        assert!(replicated.interval < replicated.interval_before);
        assert_eq!(u128::from(replicated.area.0), area(&config));
        assert!(replicated.area <= budget && replicated.area_before < replicated.area);
        // The next copies of the layer that limits are too large.
        let mut more = config.clone();
        more.mapping.copies = Copies::Given;
        more.mapping.replication = replicated.replication();
        assert_eq!(area(&more), area(&config));
        let limiting = replicated.per_layer.iter().find(|layer| layer.layer == replicated.limited_by).unwrap();
        let steps = 64_u32.div_ceil(limiting.copies);
        more.mapping.replication.retain(|(name, _)| *name != limiting.layer);
        more.mapping.replication.push((limiting.layer.clone(), 64_u32.div_ceil(steps - 1)));
        assert!(area(&more) > u128::from(budget.0));
    }
    config.mapping.copies = Copies::Auto { target_interval: None, area_budget: Some(Area(1_000_000_000)) };
    let problems = plan(&config).unwrap_err();
    assert_eq!(problems[0].path, "mapping.copies.area_budget");
    assert!(
        problems[0].message.starts_with("area_budget is 1000 um2; the copies that are given take "),
        "{problems:?}"
    );
}

fn crossbayes(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crossbayes")).args(args).output().unwrap()
}

fn report(set: &[&str]) -> Value {
    let mut args = vec!["run", "--no-files", "--format", "json", "--set", "values.answer=nothing"];
    args.extend(set.iter().flat_map(|set| ["--set", set]));
    let output = crossbayes(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_run_stores_the_copies_that_were_chosen() {
    let found = report(&["mapping.copies=Auto(target_interval: 60000)", "schedule.images=2"]);
    let mapping = &found["config"]["mapping"];
    assert_eq!(mapping["copies"], "Given");
    let replicated = &found["mapping"]["replicated"];
    assert_eq!(found["latency"]["initiation_interval_cycles"], replicated["interval"]);
    assert!(replicated["interval"].as_u64().unwrap() <= 60_000, "{replicated}");
    let given = format!(
        "mapping.replication={}",
        mapping["replication"].to_string().replace("[\"", "(\"").replace("],(", "),(").replace("]]", ")]")
    );
    let again = report(&[&given, "schedule.images=2"]);
    assert_eq!(again["latency"], found["latency"]);
    assert_eq!(again["energy"], found["energy"]);
}

#[test]
fn what_cannot_be_chosen_or_placed_is_refused() {
    for (set, message) in [
        (vec!["mapping.copies=Auto"], "copies is Auto without a goal; expected target_interval, area_budget or both"),
        (vec!["mapping.copies=Auto(target_interval: 0)"], "target_interval is 0; expected at least 1"),
        (
            vec!["mapping.copies=Auto(target_interval: 9)", "schedule.mode=sequential"],
            "in schedule sequential layers take turns",
        ),
        (
            vec!["mapping.placement=packed", "arch.digital.lanes=4"],
            "layer \"conv1\" has 1 of 8 blocks in a tile: none of its 4 lanes",
        ),
        (vec!["mapping.placement=packed", "arch.tile.input_buffer.capacity=1 KiB"], "or mapping.placement=in_order"),
        (vec!["mapping.placement=by_trafic"], "did you mean ByTraffic?"),
    ] {
        let mut args = vec!["show", "mapping"];
        args.extend(set.iter().flat_map(|set| ["--set", set]));
        let output = crossbayes(&args);
        let text = String::from_utf8_lossy(&output.stderr).replace("\n    ", " ");
        assert!(output.status.code() == Some(2) && text.contains(message), "{set:?}: {text}");
    }
}

#[test]
fn layers_that_share_a_tile_send_less_far() {
    let mut config = config(chip(128, 128), digits_like());
    let mut placed = |placement| {
        config.mapping.placement = placement;
        let mapping = plan(&config).unwrap().mapping;
        (mapping.placed.byte_hops, mapping.tiles, mapping.places.clone())
    };
    // Bytes an image: 64 of pixels, then ten times 512, 256, 32, and logits of 40. Four tiles on 2 x 2; hops with the
    // exit: 1, 2, 3 (from the end of a row to the next), 2, and 3 to the global buffer in the corner.
    assert_eq!(placed(Placement::InOrder), (64 + 2 * 5120 + 3 * 2560 + 2 * 320 + 3 * 400, 4, vec![]));
    // Around the corners each step goes to a neighbour; the answers, which are more than the pixels, have the global
    // buffer's corner.
    assert_eq!(placed(Placement::ByTraffic), (2 * 64 + 2 * 5120 + 2 * 2560 + 2 * 320 + 400, 4, vec![1, 3, 2, 0]));
    // 1 + 2 + 4 + 1 arrays fill a tile: exits alone.
    assert_eq!(placed(Placement::Packed), (64 + 5120 + 2560 + 320 + 400, 1, vec![]));
}

/// A layer goes where another one has left arrays, unless that spreads it over more tiles than it takes alone.
#[test]
fn a_packed_layer_takes_no_more_tiles_than_alone() {
    let mut config = config(chip(128, 128), digits_like());
    config.mapping.placement = Placement::Packed;
    config.arch.tile.arrays = 4;
    // 1 and 2 arrays share the first tile; 4 take one of their own, for two would not be fewer; 1 takes another.
    let tiles: Vec<_> = plan(&config).unwrap().mapping.layers.iter().map(|layer| layer.tiles.clone()).collect();
    assert_eq!(tiles, [0..1, 0..1, 1..2, 2..3]);
    config.arch.tile.arrays = 3;
    // 4 arrays take two tiles anyway, and 1 the rest of the second.
    let mapping = plan(&config).unwrap().mapping;
    let tiles: Vec<_> = mapping.layers.iter().map(|layer| layer.tiles.clone()).collect();
    assert_eq!(tiles, [0..1, 0..1, 1..3, 2..3]);
    // The first two have 1/3 and 2/3 of 16 lanes, the third a tile and a half of another.
    let lanes: Vec<u64> = mapping.layers.iter().map(|layer| layer.of_tiles(16)).collect();
    assert_eq!(lanes, [5, 11, 24, 8]);
}

/// Attojoules by component and layer; links apart from what spreads within a layer.
fn energies(config: &Config) -> (BTreeMap<(Component, u32), u64>, u64) {
    let (mut energies, mut links) = (BTreeMap::new(), 0);
    for span in run(config).1.spans {
        if span.component == Component::Link && span.unit != NONE && span.action == Action::Transfer {
            links += span.energy;
        } else if span.energy > 0 {
            *energies.entry((span.component, span.layer)).or_default() += span.energy;
        }
    }
    (energies, links)
}

/// Random networks of the shape of `digits` on random chips.
fn cases() -> impl Strategy<Value = Config> {
    let interconnects = prop::sample::select(vec![
        Interconnect::Bus { bytes_per_cycle: 16 },
        Interconnect::Mesh { width: 0, bytes_per_cycle: 16 },
        Interconnect::Mesh { width: 3, bytes_per_cycle: 32 },
        Interconnect::HTree { bytes_per_cycle: 16 },
    ]);
    let modes = prop::sample::select(vec![Mode::Sequential, Mode::Layer, Mode::Streaming]);
    let sizes = prop::sample::select(vec![32_u32, 64, 128]);
    (interconnects, modes, (sizes.clone(), sizes), 2_u32..9, 1_u32..5, prop::collection::vec(1_u32..6, 2)).prop_map(
        |(interconnect, mode, (rows, columns), arrays, members, copies)| {
            let mut config = config(real_chip(rows, columns), digits_like());
            config.arch.interconnect = interconnect;
            config.arch.tile.arrays = arrays;
            config.schedule.mode = mode;
            config.schedule.images = 2;
            config.ensemble.members = members;
            config.mapping.replication = vec![("conv1".into(), copies[0]), ("conv2".into(), copies[1])];
            config
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Energies do not depend on the placement, but for links, where they are bytes times links; area falls with tiles
    /// that are shared; and the closed form knows the parts of shared tiles.
    #[test]
    fn a_placement_changes_links_and_shared_tiles_alone(config in cases()) {
        let mut in_order = config.clone();
        in_order.mapping.placement = Placement::InOrder;
        let expected = energies(&in_order).0;
        let least = plan(&in_order).unwrap().mapping.tiles;
        for placement in [Placement::InOrder, Placement::Packed, Placement::Shared, Placement::ByTraffic] {
            let mut config = config.clone();
            config.mapping.placement = placement;
            let mapping = plan(&config).unwrap().mapping;
            let (found, links) = energies(&config);
            prop_assert_eq!(&found, &expected, "{:?}", placement);
            // 53 aJ for each byte and link, two images.
            prop_assert_eq!(links, 2 * 53 * mapping.placed.byte_hops, "{:?}", placement);
            prop_assert_eq!(mapping.placed.tiles_in_order, least);
            let mut seen = mapping.places.clone();
            seen.sort_unstable();
            seen.dedup();
            prop_assert_eq!(seen.len(), mapping.places.len());
            match placement {
                Placement::InOrder => prop_assert_eq!(mapping.placed.byte_hops, mapping.placed.byte_hops_in_order),
                Placement::ByTraffic => prop_assert!(mapping.placed.byte_hops <= mapping.placed.byte_hops_in_order),
                Placement::Packed | Placement::Shared => prop_assert!(mapping.tiles <= least),
            }
            if config.schedule.mode == Mode::Sequential {
                let plan = plan(&config).unwrap();
                let assembly = plan.assemble(&config, None).unwrap();
                let form = closed_form(&config, &plan.net, &plan.mapping, &assembly, run(&config).0.cycles);
                prop_assert_eq!(form.contention_cycles, 0, "{:?} {:?}", placement, form);
            }
        }
    }
}
