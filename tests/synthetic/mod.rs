//! A made-up run: facts and spans of a chip that never was, simple enough to add up by hand.

#[path = "../common/mod.rs"]
mod common;

use crossbayes::config::{AdcRange, Answer, Config, Posterior, Workload};
use crossbayes::mapping::Plane;
use crossbayes::meter::Ledger;
use crossbayes::report::{ClosedForm, EventFacts, InventoryItem, LayerFacts, OutputFacts, RunFacts, content_hash};
use crossbayes::trace::{Action, Component, NONE, Span, SpanSink};
use std::collections::BTreeMap;

/// A run of `layers` layers, `images` images and `members` members, one layer after another: each pass of layer l
/// reads for 100 (l + 1) cycles, converts for as long with 10 cycles' delay, and sends a message of 5 cycles.
pub fn run(layers: u32, images: u32, members: u32) -> (RunFacts, Vec<Span>) {
    let mut spans = Vec::new();
    let mut now = 0;
    for image in 0..images {
        for member in 0..members {
            for layer in 0..layers {
                now = pass(&mut spans, now, layer, image, member);
            }
        }
    }
    let facts = facts(layers, images, members, now);
    (facts, spans)
}

/// The ledger of these spans, sized as the run's.
pub fn ledger(facts: &RunFacts, spans: &[Span]) -> Ledger {
    let mut ledger =
        Ledger::new(facts.layers.len() as u32, facts.config.schedule.images, facts.config.ensemble.members);
    spans.iter().for_each(|span| ledger.push(span));
    ledger
}

/// One pass; returns the cycle after it.
fn pass(spans: &mut Vec<Span>, start: u64, layer: u32, image: u32, member: u32) -> u64 {
    let reads = 10 * (layer + 1);
    let base = Span {
        start,
        duration: 10,
        repeats: reads,
        period: 10,
        component: Component::Crossbar,
        action: Action::Read,
        plane: Some(Plane::Stochastic),
        layer,
        group: 0,
        stage: layer,
        image,
        member,
        position: 0,
        unit: layer * 4,
        units: 4,
        count: u64::from(reads) * 4,
        energy: 2_000_000 * u64::from(reads),
    };
    let end = start + 10 * u64::from(reads);
    let convert = Span {
        start: start + 10,
        component: Component::Adc,
        action: Action::Convert,
        units: 8,
        energy: 5_000_000 * u64::from(reads),
        ..base
    };
    let wait = Span {
        start: end,
        duration: 15,
        repeats: 1,
        period: 15,
        action: Action::WaitPort,
        position: NONE,
        count: 1,
        energy: 0,
        ..base
    };
    let transfer = Span {
        start: end + 10,
        duration: 5,
        repeats: 1,
        period: 5,
        component: Component::Link,
        action: Action::Transfer,
        plane: None,
        layer: NONE,
        group: NONE,
        position: NONE,
        unit: NONE,
        units: 1,
        count: 64,
        energy: 640_000,
        ..base
    };
    spans.extend([base, convert, wait, transfer]);
    end + 15
}

fn facts(layers: u32, images: u32, members: u32, cycles: u64) -> RunFacts {
    let names = ["conv1", "conv2_a_name_that_is_longer_than_a_column", "conv3", "fc1", "fc2"];
    let config = config(layers, images, members);
    let layers: Vec<LayerFacts> = (0..layers)
        .map(|i| LayerFacts {
            name: if (i as usize) < names.len() { names[i as usize].into() } else { format!("layer{i}") },
            rows: 128,
            columns: 64 * (i + 1),
            positions: 100,
            row_blocks: 1,
            column_blocks: 4,
            replication: 1,
            arrays: 4,
            tiles: 1,
            cells_used: 10_000 * u64::from(i + 1) / u64::from(layers),
            cells_total: 4 * 128 * 128,
            passes_per_image: members,
            macs_per_pass: 128 * 64 * u64::from(i + 1) * 100,
            synapses: 128 * 64 * u64::from(i + 1),
            probabilistic_synapses: Some(1000),
            frozen_synapses: Some(400),
            stored_synapses: 128 * 64 * u64::from(i + 1),
            sampled_synapses: 0,
            random_bits: 8000,
        })
        .collect();
    let item = |component, part: &str, layer, instances, units, area_nm2, leakage_fw| InventoryItem {
        component,
        part: part.into(),
        layer,
        instances,
        units,
        area_nm2,
        leakage_fw,
    };
    let mut inventory: Vec<InventoryItem> = (0..layers.len() as u32)
        .flat_map(|layer| {
            [
                item(Component::Crossbar, "cell", Some(layer), 65_536, 0, 65_536 * 10_000, 0),
                item(Component::Crossbar, "array", Some(layer), 4, 4, 0, 1_000_000_000),
                item(Component::Adc, "adc_8bit", Some(layer), 8, 8, 8 * 2_000_000_000, 2_000_000_000_000),
                item(Component::Accumulator, "shift_add", Some(layer), 8, 8, 8 * 100_000_000, 0),
            ]
        })
        .collect();
    inventory.push(item(Component::Link, "link", None, 2, 2, 3_000_000_000, 500_000_000));
    let answers = images as usize;
    RunFacts {
        version: "0.1.0".into(),
        command: "crossbayes run".into(),
        arch_hash: content_hash(&config.arch),
        workload_hash: content_hash(&config.workload),
        tiles: layers.len() as u32,
        arrays: 4 * layers.len() as u64,
        settings: Vec::new(),
        placed: None,
        replicated: None,
        events: EventFacts {
            count: 1234,
            skipped: 0,
            per_kind: BTreeMap::from([("read_done".into(), 1234)]),
            simulation_s: 0.125,
            wall_s: 0.25,
        },
        tried: Vec::new(),
        outputs: Some(OutputFacts {
            images,
            members,
            labels: vec![1; answers],
            predictions: vec![1; answers],
            mean_probabilities: vec![vec![0.1, 0.9]; answers],
            entropy: vec![0.1 + 0.2; answers],
            member_correlation: None,
            members_apart: None,
            realised: Vec::new(),
            mutual_information: vec![1.0 / 3.0; answers],
            accuracy: Some(0.975),
            ece: Some(0.0123),
            nll: Some(0.1),
            brier: Some(0.05),
            ood: None,
            statistics: Vec::new(),
            statistics_of_others: Vec::new(),
            clipped_share: vec![0.0; layers.len()],
            converters: Vec::new(),
            adc_step: vec![1.0; layers.len()],
        }),
        closed_form: ClosedForm {
            formula: "sum of P B max(t_read, m t_adc)".into(),
            ideal_cycles: cycles.saturating_sub(100),
            fixed_latency_cycles: 60,
            predicted_cycles: cycles.saturating_sub(40),
            simulated_cycles: cycles,
            contention_cycles: 40,
            initiation_interval_cycles: 100,
        },
        stages: layers.iter().map(|layer| format!("{}.stage", layer.name)).collect(),
        config,
        layers,
        inventory,
        reference_reads: None,
    }
}

/// A small chip and a network of nothing; fractions that are no short decimals must survive being stored.
fn config(layers: u32, images: u32, members: u32) -> Config {
    let mut arch = common::chip(128, 128);
    arch.name = "made_up".into();
    arch.adc.range = AdcRange::Fixed(0.1);
    let workload = Workload {
        name: "nothing".into(),
        posterior: Posterior::Synthetic { seed: 1, probabilistic: vec![0.1; layers as usize] },
        activity: 1.0 / 3.0,
        ..common::workload(Vec::new())
    };
    let mut config = common::config(arch, workload);
    config.schedule.images = images;
    config.ensemble.members = members;
    config.values.answer = Answer::First(images);
    config
}
