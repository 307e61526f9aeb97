//! Does the simulation take the cycles that the closed forms give, where nothing contends?

mod common;

use common::*;
use crossbayes::config::*;
use crossbayes::report::closed_form::closed_form;
use crossbayes::simulate::plan;

/// tau of reads of 10 cycles and 4 conversions of 1 cycle with a sample-and-hold: n B max + min = 10 n B + 4.
fn tau(positions: u64, bits: u64, steps: u64) -> u64 {
    positions * bits * 10_u64.max(steps) + 10_u64.min(steps)
}

/// Layers of the digits-like network on 128 x 128 arrays: 64 positions of 5 bits, 64 of 4, one of 4, one of 4.
fn taus() -> [u64; 4] {
    [tau(64, 5, 4), tau(64, 4, 4), tau(1, 4, 4), tau(1, 4, 4)]
}

fn check(config: &Config) -> u64 {
    let (_, both) = run(config);
    let cycles = both.ledger.makespan();
    let plan = plan(config).unwrap();
    let assembly = plan.assemble(config, None).unwrap();
    let form = closed_form(config, &plan.net, &plan.mapping, &assembly, cycles);
    assert_eq!(form.fixed_latency_cycles, 0, "the periphery is ideal");
    assert_eq!(form.predicted_cycles, cycles, "{form:?}");
    cycles
}

#[test]
fn sequential_latency_is_the_sum_over_layers_and_members() {
    let mut config = config(chip(128, 128), digits_like());
    config.schedule.mode = Mode::Sequential;
    // 3204 + 2564 + 44 + 44 = 5856 cycles a member, ten members.
    assert_eq!(taus().iter().sum::<u64>(), 5856);
    assert_eq!(check(&config), 58_560);
}

#[test]
fn layer_latency_is_fill_and_the_longest_stage() {
    let config = config(chip(128, 128), digits_like());
    // 5856 + 9 * 3204
    assert_eq!(check(&config), 34_692);
}

#[test]
fn further_images_come_at_the_initiation_interval() {
    let mut config = config(chip(128, 128), digits_like());
    config.schedule.images = 3;
    // 34692 + 2 * 10 * 3204
    assert_eq!(check(&config), 98_772);
    config.schedule.mode = Mode::Sequential;
    assert_eq!(check(&config), 3 * 58_560);
}

#[test]
fn a_deterministic_network_runs_once() {
    let mut config = config(chip(128, 128), digits_like());
    config.mapping.scheme = Scheme::Deterministic;
    assert_eq!(check(&config), 5856);
    config.schedule.images = 4;
    // 5856 + 3 * 3204
    assert_eq!(check(&config), 15_468);
}

#[test]
fn without_a_sample_and_hold_reads_and_conversions_add_up() {
    let mut config = config(chip(128, 128), digits_like());
    config.schedule.mode = Mode::Sequential;
    config.arch.array.sample_and_hold = false;
    // 14 * (64*5 + 64*4 + 4 + 4) = 8176 a member
    assert_eq!(check(&config), 81_760);
}

#[test]
fn slow_converters_set_the_pace() {
    let mut config = config(chip(128, 128), digits_like());
    config.schedule.mode = Mode::Sequential;
    config.arch.costs = costs(7);
    // 4 conversions of 7: max 28, min 10; (64*5 + 64*4 + 8) * 28 + 4 * 10 = 16392 a member
    assert_eq!(check(&config), 163_920);
}

#[test]
fn copies_divide_the_positions() {
    let mut config = config(chip(128, 128), digits_like());
    config.schedule.mode = Mode::Sequential;
    config.mapping.replication = vec![("conv1".into(), 4), ("conv2".into(), 5)];
    // conv1: 16 positions: 16*5*10 + 4 = 804; conv2: 13: 13*4*10 + 4 = 524; then 44 twice
    assert_eq!(check(&config), 10 * (804 + 524 + 88));
}

#[test]
fn a_row_serial_plane_takes_a_read_and_a_comparison_for_each_row() {
    let mut config = config(chip(128, 128), digits_like());
    config.schedule.mode = Mode::Sequential;
    config.arch.sampler = Sampler::Comparator { noise_rows: 16, sub_arrays: 1 };
    // Rows of the longest block: 9, 128, 128, 64; 11 cycles each; positions 64, 64, 1, 1.
    assert_eq!(check(&config), 10 * 11 * (64 * 9 + 64 * 128 + 128 + 64));
}

#[test]
fn exposed_draws_lengthen_the_interval() {
    let mut config = config(chip(128, 128), digits_like());
    // 8192 synapses of 8 bits at 8 bits a cycle: 8192 cycles a draw in conv2 and fc1, more than any pass.
    config.arch.sampler =
        Sampler::Generator { bits_per_cycle: 8, probability_bits: 8, double_buffered: true, draws: Draws::PerMember };
    // conv2 holds at most 128 x 32 synapses: 4096; fc1 128 x 64: 8192 cycles. Fill, then nine draws of fc1.
    assert_eq!(check(&config), 5856 + 9 * 8192);
}

#[test]
fn fixed_latencies_of_a_real_periphery_explain_a_sequential_run() {
    let mut config = config(real_chip(128, 128), digits_like());
    config.schedule.mode = Mode::Sequential;
    let (_, both) = run(&config);
    let plan = plan(&config).unwrap();
    let assembly = plan.assemble(&config, None).unwrap();
    let form = closed_form(&config, &plan.net, &plan.mapping, &assembly, both.ledger.makespan());
    assert!(form.fixed_latency_cycles > 0);
    assert_eq!(form.contention_cycles, 0, "{form:?}");
}
