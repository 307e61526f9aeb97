//! Is everything accounted for: each cycle of each array, each unit once, spans as in the ledger, tokens as in the network?

mod common;

use common::*;
use crossbayes::config::*;
use crossbayes::simulate::plan;
use crossbayes::trace::{Action, Component, Span};
use std::collections::BTreeMap;

fn configs() -> Vec<Config> {
    let mut configs = Vec::new();
    for mode in [Mode::Sequential, Mode::Layer, Mode::Streaming] {
        for sampler in [
            Sampler::Generator {
                bits_per_cycle: 16,
                probability_bits: 8,
                double_buffered: false,
                draws: Draws::PerMember,
            },
            Sampler::Generator {
                bits_per_cycle: 16,
                probability_bits: 8,
                double_buffered: true,
                draws: Draws::PerPosition,
            },
            Sampler::Comparator { noise_rows: 4, sub_arrays: 1 },
        ] {
            let mut config = config(real_chip(64, 48), digits_like());
            config.schedule.mode = mode;
            config.schedule.images = 2;
            config.ensemble.members = 2;
            config.mapping.replication = vec![("conv1".into(), 3)];
            config.arch.sampler = sampler;
            configs.push(config);
        }
    }
    configs
}

#[test]
fn every_cycle_of_every_array_is_booked() {
    for config in configs() {
        let (outcome, both) = run(&config);
        let plan = plan(&config).unwrap();
        for (l, mapped) in plan.mapping.layers.iter().enumerate() {
            let booked: u128 = both
                .ledger
                .entries()
                .filter(|(layer, component, ..)| *layer == Some(l as u32) && *component == Component::Crossbar)
                .map(|(.., entry)| entry.unit_cycles)
                .sum();
            assert_eq!(booked, u128::from(mapped.arrays()) * u128::from(outcome.cycles), "layer {l} of {config:?}");
        }
    }
}

/// Start and end of each piece of a span.
fn pieces(span: &Span) -> impl Iterator<Item = (u64, u64)> + '_ {
    (0..u64::from(span.repeats)).map(move |i| {
        let start = span.start + i * span.period;
        (start, start + span.duration)
    })
}

#[test]
fn no_unit_is_booked_twice_at_a_cycle() {
    for mut config in configs() {
        config.schedule.grouping = Grouping::Expanded;
        for grain in [Grain::Op, Grain::Conversion] {
            config.schedule.grain = grain;
            let (_, both) = run(&config);
            let mut booked: BTreeMap<(Component, u32, u32), Vec<(u64, u64)>> = BTreeMap::new();
            for span in &both.spans {
                // An array is one unit for its reads and waits, its converters are another, a link is one by number.
                let exclusive = matches!(
                    span.component,
                    Component::Crossbar | Component::Adc | Component::Comparator | Component::Generator
                ) || (span.component == Component::Link && span.duration > 0 && !span.action.is_wait());
                if exclusive && !(span.action.is_wait() && span.component != Component::Crossbar) {
                    let layer = if span.component == Component::Link { 0 } else { span.layer };
                    booked.entry((span.component, layer, span.unit)).or_default().extend(pieces(span));
                }
            }
            assert!(booked.len() > 10);
            for (unit, mut pieces) in booked {
                pieces.sort_unstable();
                for pair in pieces.windows(2) {
                    assert!(pair[0].1 <= pair[1].0, "{unit:?}: {:?} and {:?} overlap", pair[0], pair[1]);
                }
            }
        }
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
            let results = u128::from(mapped.row_blocks) * u128::from(layer.columns);
            match config.arch.sampler {
                Sampler::Generator { draws, .. } => {
                    let bits = u128::from(layer.input_bits);
                    // One conversion for each output column, row block, input bit and position.
                    assert_eq!(count(Component::Adc, Action::Convert), positions * bits * results);
                    let samples =
                        if draws == Draws::PerMember { runs * u128::from(mapped.replication) } else { positions };
                    let random = samples * u128::from(layer.synapses()) * bits_per_draw;
                    assert_eq!(count(Component::Generator, Action::Draw), random, "{config:?}");
                    assert_eq!(u128::from(outcome.random_bits[l]), random);
                }
                Sampler::Comparator { .. } => {
                    assert_eq!(count(Component::Adc, Action::Convert), 0);
                    assert_eq!(outcome.random_bits[l], 0);
                }
            }
            let values = u128::from(layer.output.positions()) * u128::from(layer.columns) * runs;
            assert_eq!(count(Component::Digital, Action::PostProcess), values);
        }
    }
}

#[test]
fn a_buffer_that_cannot_hold_a_map_is_a_named_deadlock() {
    use crossbayes::units::Bytes;
    let mut config = config(real_chip(64, 48), digits_like());
    // conv2's input is 64 pixels of 8 bytes; its 6 arrays are in one tile, whose 100 B hold 12 of them.
    config.arch.tile.input_buffer.capacity = Bytes(100);
    config.schedule.mode = Mode::Layer;
    let plan = plan(&config).unwrap();
    let assembly = plan.assemble(&config, None).unwrap();
    let error = crossbayes::simulate::simulate(&config, assembly, Sums, |_, _| ()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("deadlock at cycle "), "{text}");
    assert!(
        text.contains("conv2.buffer waits for its input, 12 of 64 pixels are there at conv1->conv2.link"),
        "{text}"
    );
    assert!(text.contains("conv1->conv2.link finds its port full (12 places) at conv2.buffer"), "{text}");
}

/// Takes spans and forgets them.
#[derive(Debug)]
struct Sums;

impl crossbayes::trace::SpanSink for Sums {
    fn push(&mut self, _: Span) {}
}
