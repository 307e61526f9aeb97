//! Is everything accounted for: each cycle of each unit once, spans as in the ledger, tokens as in the network?

mod common;

use common::tied::{cases, tied};
use common::*;
use crossbayes::config::*;
use crossbayes::dataflow::{Role, pixel_bytes};
use crossbayes::mapping::LayerMapping;
use crossbayes::simulate::{plan, simulate};
use crossbayes::trace::{Action, Component, NONE, Span, SpanSink};
use crossbayes::units::Bytes;
use crossbayes::workload::NetLayer;
use petgraph::graph::NodeIndex;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn configs() -> Vec<Config> {
    let mut configs = Vec::new();
    for mode in [Mode::Sequential, Mode::Layer, Mode::Streaming] {
        for sampler in [
            Sampler::Generator {
                source: RandomSource::Ideal,
                bits_per_cycle: 16,
                probability_bits: 8,
                double_buffered: false,
                draws: Draws::PerMember,
            },
            Sampler::Generator {
                source: RandomSource::Ideal,
                bits_per_cycle: 16,
                probability_bits: 8,
                double_buffered: true,
                draws: Draws::PerPosition,
            },
            Sampler::Comparator { noise_rows: 4, sub_arrays: 1, offset: Offset::default() },
            Sampler::Comparator { noise_rows: 4, sub_arrays: 16, offset: Offset::default() },
        ] {
            let mut config = config(real_chip(64, 48), digits_like());
            config.schedule.mode = mode;
            config.schedule.images = 2;
            config.ensemble.members = 2;
            config.mapping.replication = vec![("conv1".into(), 3)];
            config.arch.sampler = sampler;
            // Conversions longer than a read, so that reads wait.
            config.arch.costs.adc[0].convert.time.0 = 4_000;
            configs.push(config.clone());
            config.arch.array.read_start = ReadStart::Early;
            configs.push(config.clone());
            config.arch.array.readout = ArrayReadout::SenseAmplifiers { sub_arrays: 4 };
            configs.push(config);
        }
    }
    configs
}

/// Arrays have a plane and a group, and their rows name them; what belongs to no array names neither. All rows of a group
/// come from its own stages, or from the accumulator that it delivers to.
#[test]
fn a_row_names_plane_group_and_stage_of_its_unit() {
    let mut deterministic = config(real_chip(64, 48), digits_like());
    deterministic.mapping.scheme = Scheme::Deterministic;
    for mut config in configs().into_iter().chain([deterministic]) {
        for grouping in [Grouping::Grouped, Grouping::Expanded] {
            config.schedule.grouping = grouping;
            let plan = plan(&config).unwrap();
            let (_, both) = run(&config);
            let mut named = BTreeMap::new();
            for span in &both.spans {
                let stage = &plan.dataflow.graph[NodeIndex::new(span.stage as usize)];
                let of_array = match span.component {
                    Component::Accumulator => span.action == Action::ShiftAdd,
                    component => component < Component::Accumulator,
                };
                assert_eq!((span.plane.is_some(), span.group != NONE), (of_array, of_array), "{span:?}");
                if !of_array {
                    continue;
                }
                assert_eq!(stage.layer, Some(span.layer as usize));
                let group = &plan.mapping.layers[span.layer as usize].groups[span.group as usize];
                assert_eq!((span.plane, span.unit), (Some(group.plane), group.first_array));
                match stage.role {
                    Role::Accumulator => assert_eq!(span.component, Component::Accumulator),
                    _ => assert_eq!(stage.group, Some(span.group as usize)),
                }
                *named.entry((span.layer, span.group)).or_insert(0) += 1;
            }
            let groups: usize = plan.mapping.layers.iter().map(|layer| layer.groups.len()).sum();
            assert_eq!(named.len(), groups, "each group has rows");
        }
    }
}

/// Work and waits of every unit, one after another, are the run: no cycle is missing and none is booked twice.
fn assert_every_cycle_of_every_unit_is_booked_once(config: &Config) {
    let mut config = config.clone();
    config.schedule.grouping = Grouping::Expanded;
    let plan = plan(&config).unwrap();
    let (outcome, both) = run(&config);
    common::booked::assert_every_cycle_is_booked_once(&config, &plan, &outcome, &both);
}

#[test]
fn every_cycle_of_every_unit_is_booked_once() {
    for mut config in configs() {
        for grain in [Grain::Op, Grain::Read, Grain::Conversion] {
            config.schedule.grain = grain;
            assert_every_cycle_of_every_unit_is_booked_once(&config);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1_000)))]

    #[test]
    fn every_cycle_of_every_unit_is_booked_once_where_much_happens_at_once(config in tied()) {
        assert_every_cycle_of_every_unit_is_booked_once(&config);
    }
}

#[test]
fn reads_conversions_and_outputs_are_those_of_the_network() {
    for config in configs() {
        let (outcome, both) = run(&config);
        let plan = plan(&config).unwrap();
        let runs = u128::from(config.schedule.images * config.ensemble.members);
        let bits_per_draw = 8;
        for (l, (layer, mapped)) in plan.net.layers.iter().zip(&plan.mapping.layers).enumerate() {
            let count = |component, action| both.ledger.entry(Some(l as u32), component, action).count;
            let positions = u128::from(layer.positions) * runs;
            let results = u128::from(mapped.row_blocks()) * u128::from(layer.columns);
            match config.arch.sampler {
                Sampler::Generator { draws, .. } => {
                    let bits = u128::from(layer.input_bits);
                    // One conversion for each output column, row block, input bit and position.
                    let conversions = match config.arch.array.readout {
                        ArrayReadout::Adc => positions * bits * results,
                        ArrayReadout::SenseAmplifiers { .. } => 0,
                    };
                    assert_eq!(count(Component::Adc, Action::Convert), conversions);
                    let samples =
                        if draws == Draws::PerMember { runs * u128::from(mapped.replication) } else { positions };
                    let arrays = u128::from(mapped.row_blocks()) * u128::from(mapped.column_blocks());
                    assert_eq!(count(Component::Generator, Action::Draw), samples * arrays, "{config:?}");
                    let random = samples * u128::from(layer.synapses()) * bits_per_draw;
                    assert_eq!(u128::from(outcome.random_bits[l]), random);
                }
                Sampler::Comparator { .. } => {
                    assert_eq!(count(Component::Adc, Action::Convert), 0);
                    let compared = positions * u128::from(layer.rows) * u128::from(layer.columns);
                    assert_eq!(count(Component::Comparator, Action::Compare), compared);
                    assert_eq!(outcome.random_bits[l], 0);
                }
            }
            let values = u128::from(layer.output.positions()) * u128::from(layer.columns) * runs;
            assert_eq!(count(Component::Digital, Action::PostProcess), values);
        }
    }
}

/// Runs with the room of some layers' input buffers changed, which no configuration can do: it would be refused.
fn run_with_room(config: &Config, room: impl Fn(&NetLayer, &LayerMapping) -> Option<u32>) -> Result<(), String> {
    let mut plan = plan(config).unwrap();
    let graph = &mut plan.dataflow.graph;
    for edge in graph.edge_indices() {
        let to = &graph[graph.edge_endpoints(edge).unwrap().1];
        if to.role == Role::Buffer
            && graph[edge].credit == "pixel"
            && let Some(pixels) = to.layer.and_then(|l| room(&plan.net.layers[l], &plan.mapping.layers[l]))
        {
            graph[edge].capacity = pixels;
        }
    }
    let assembly = plan.assemble(config, None).unwrap();
    simulate(config, assembly, Forgetful, |_, _| ()).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn a_buffer_that_cannot_hold_a_map_is_a_named_deadlock() {
    let config = config(chip(64, 48), digits_like());
    // conv2 waits for 64 pixels. The output buffer of conv1 holds those of all ten members (640 of 8 bytes in 16 KiB), so
    // conv1 works to its end: 64 positions of 5 bits in 10 cycles each, and 4 conversions after the last; ten times.
    let room = |layer: &NetLayer, _: &LayerMapping| (layer.name == "conv2").then_some(12);
    assert_eq!(
        run_with_room(&config, room).unwrap_err(),
        "deadlock at cycle 32040: conv2.buffer waits for its input, 12 of 64 pixels are there at conv1->conv2.link; \
         conv1->conv2.link finds its port full (12 places) at conv2.buffer"
    );
}

/// The smallest capacity of the input buffers that is accepted.
fn smallest_accepted(config: &Config) -> u64 {
    let (mut refused, mut accepted) = (0, 1 << 20);
    while accepted - refused > 1 {
        let middle = (refused + accepted) / 2;
        let mut config = config.clone();
        config.arch.tile.input_buffer.capacity = Bytes(middle);
        match plan(&config) {
            Ok(_) => accepted = middle,
            Err(problems) => {
                assert!(problems.iter().all(|p| p.path == "arch.tile.input_buffer.capacity"), "{problems:?}");
                refused = middle;
            }
        }
    }
    accepted
}

#[test]
fn exactly_the_input_buffers_that_would_stand_still_are_refused() {
    let mut workloads = vec![digits_like()];
    let mut strided = layer("strided", Operation::Conv { channels: 4, kernel: 3, stride: 2, padding: 1 });
    strided.pool = 2;
    // Without padding no window reaches the last row: it is let go as it arrives.
    let mut skipping = layer("skipping", Operation::Conv { channels: 4, kernel: 3, stride: 2, padding: 0 });
    skipping.pool = 3;
    for conv in [strided, skipping] {
        workloads.push(workload(vec![conv, layer("fc", Operation::Linear { outputs: 3 })]));
    }
    workloads.push(workload(vec![
        layer("one", conv(4)),
        layer("two", conv(4)),
        layer("last", Operation::Linear { outputs: 3 }),
    ]));
    for workload in workloads {
        for mode in [Mode::Sequential, Mode::Layer, Mode::Streaming] {
            for (members, copies) in [(1, 1), (2, 1), (1, 3), (2, 5)] {
                let mut config = config(real_chip(64, 48), workload.clone());
                config.schedule.mode = mode;
                config.schedule.images = 2;
                config.ensemble.members = members;
                config.mapping.replication = vec![(config.workload.layers[0].name.clone(), copies)];
                let smallest = smallest_accepted(&config);
                config.arch.tile.input_buffer.capacity = Bytes(smallest);
                assert_eq!(run_with_room(&config, |_, _| None), Ok(()), "{config:?}");
                let smaller = |layer: &NetLayer, mapped: &LayerMapping| {
                    let pixel = pixel_bytes(layer.input.channels, layer.input_bits);
                    Some(((smallest - 1) * mapped.tiles.len() as u64 / pixel) as u32)
                };
                let message = run_with_room(&config, smaller).unwrap_err();
                assert!(message.starts_with("deadlock at cycle "), "{message}");
            }
        }
    }
}

/// Takes spans and forgets them.
#[derive(Debug)]
struct Forgetful;

impl SpanSink for Forgetful {
    fn push(&mut self, _: &Span) {}
}
