//! Does the simulation take the cycles that the closed forms give, where nothing contends?

mod common;

use common::*;
use crossbayes::config::*;
use crossbayes::report::ClosedForm;
use crossbayes::report::closed_form::{LayerTime, closed_form, layer_times};
use crossbayes::simulate::plan;
use crossbayes::trace::{Action, Component};
use proptest::prelude::*;

/// tau of reads of 10 cycles and 4 conversions of 1 cycle with a sample-and-hold: n B max + min = 10 n B + 4.
fn tau(positions: u64, bits: u64, steps: u64) -> u64 {
    positions * bits * 10_u64.max(steps) + 10_u64.min(steps)
}

/// Layers of the digits-like network on 128 x 128 arrays: 64 positions of 5 bits, 64 of 4, one of 4, one of 4.
fn taus() -> [u64; 4] {
    [tau(64, 5, 4), tau(64, 4, 4), tau(1, 4, 4), tau(1, 4, 4)]
}

/// The closed form beside a simulation.
fn form(config: &Config) -> ClosedForm {
    let (_, both) = run(config);
    let plan = plan(config).unwrap();
    let assembly = plan.assemble(config, None).unwrap();
    closed_form(config, &plan.net, &plan.mapping, &assembly, both.ledger.makespan())
}

fn check(config: &Config) -> u64 {
    let form = form(config);
    let cycles = form.simulated_cycles;
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
    config.arch.sampler = Sampler::Comparator { noise_rows: 16, sub_arrays: 1, offset: Offset::default() };
    // Rows of the longest block: 9, 128, 128, 64; 11 cycles each; positions 64, 64, 1, 1.
    assert_eq!(check(&config), 10 * 11 * (64 * 9 + 64 * 128 + 128 + 64));
}

/// Generators that draw one synapse of 8 bits in each cycle.
fn a_synapse_a_cycle(double_buffered: bool) -> Sampler {
    Sampler::Generator {
        source: RandomSource::Ideal,
        bits_per_cycle: 8,
        probability_bits: 8,
        double_buffered,
        draws: Draws::PerMember,
    }
}

#[test]
fn exposed_draws_lengthen_the_interval() {
    let mut config = config(chip(128, 128), digits_like());
    // 8192 synapses of 8 bits at 8 bits a cycle: 8192 cycles a draw in conv2 and fc1, more than any pass.
    config.arch.sampler = a_synapse_a_cycle(true);
    // conv2 holds at most 128 x 32 synapses: 4096; fc1 128 x 64: 8192 cycles. Fill, then nine draws of fc1.
    assert_eq!(check(&config), 5856 + 9 * 8192);
}

#[test]
fn fixed_latencies_of_a_real_periphery_explain_a_sequential_run() {
    let mut config = config(real_chip(128, 128), digits_like());
    config.schedule.mode = Mode::Sequential;
    let form = form(&config);
    assert!(form.fixed_latency_cycles > 0);
    assert_eq!(form.contention_cycles, 0, "{form:?}");
}

#[test]
fn draws_that_other_layers_do_not_hide_delay_a_sequential_run() {
    let mut config = config(chip(128, 128), digits_like());
    config.schedule.mode = Mode::Sequential;
    config.ensemble.members = 2;
    config.arch.sampler = a_synapse_a_cycle(true);
    // Member 0 draws while it runs: fc1, from 3204 + 2564 = 5768 on, 128 x 64 synapses in 8192 cycles, until 13960. Member 1
    // comes to fc1 at 5856 + 5768 = 11624 and waits; then fc1 and fc2 take 44 each.
    assert_eq!(check(&config), 13_960 + 88);
    // Without a second bank fc1 draws from its last sample on, 4 cycles before the pass ends: 5768 + 40 + 8192 = 14000.
    config.arch.sampler = a_synapse_a_cycle(false);
    assert_eq!(check(&config), 14_000 + 88);
}

#[test]
fn streaming_passes_without_a_gap_stay_above_the_bound() {
    let mut config = config(chip(128, 128), digits_like());
    config.schedule.mode = Mode::Streaming;
    config.mapping.scheme = Scheme::Deterministic;
    config.schedule.images = 50;
    let form = form(&config);
    // conv1: 50 images of 64 x 5 x 10 cycles, and once 4.
    assert_eq!(form.ideal_cycles, 160_004);
    assert!(form.contention_cycles >= 0, "{form:?}");
}

fn sampler() -> impl Strategy<Value = Sampler> {
    let generator = (1u32..400, 1u32..17, any::<bool>(), any::<bool>()).prop_map(|(bits, b, double_buffered, held)| {
        let draws = if held { Draws::PerMember } else { Draws::PerPosition };
        Sampler::Generator {
            source: RandomSource::Ideal,
            bits_per_cycle: bits,
            probability_bits: b,
            double_buffered,
            draws,
        }
    });
    let comparator =
        (1u32..5).prop_map(|sub_arrays| Sampler::Comparator { noise_rows: 16, sub_arrays, offset: Offset::default() });
    prop_oneof![4 => generator, 1 => comparator]
}

/// Runs of small networks with any sampler, converter and replication, on any array.
fn readout() -> impl Strategy<Value = ArrayReadout> {
    let sense = (0u32..5).prop_map(|log| ArrayReadout::SenseAmplifiers { sub_arrays: 1 << log });
    prop_oneof![3 => Just(ArrayReadout::Adc), 1 => sense]
}

fn any_config() -> impl Strategy<Value = Config> {
    let array = (prop::sample::select(vec![16u32, 48, 128]), any::<[bool; 2]>(), any::<bool>(), readout());
    let adc = (0u32..4, 1u64..6, prop::sample::select(vec![1u32, 1, 2, 3, 8]));
    let run = (1u32..5, 1u32..4, prop::bool::weighted(0.8));
    (sampler(), array, adc, prop::collection::vec(1u32..20, 2), run).prop_map(
        |(
            sampler,
            (size, [hold, per_value], pair, readout),
            (log, adc_ns, bits_per_pulse),
            copies,
            (members, images, dense),
        )| {
            let mut config = config(chip(size, size), digits_like());
            let arch = &mut config.arch;
            arch.costs = costs(adc_ns);
            arch.driver.bits_per_pulse = bits_per_pulse;
            arch.array.sample_and_hold = hold;
            arch.array.readout = readout;
            arch.adc.columns_per_adc = 1 << log;
            arch.adc.input = if pair { AdcInput::Pair } else { AdcInput::Column };
            if hold && per_value {
                arch.adc.conversions = Conversions::PerValue;
            }
            arch.sampler = sampler;
            config.ensemble.members = members;
            config.schedule.images = images;
            config.mapping.scheme = if dense { Scheme::Dense } else { Scheme::Deterministic };
            config.mapping.replication = vec![("conv1".into(), copies[0]), ("conv2".into(), copies[1])];
            config
        },
    )
}

/// What the formulas that are written out give, with `load` cycles until an image is on the chip.
fn written_out(config: &Config, load: u64) -> u64 {
    let plan = plan(config).unwrap();
    let assembly = plan.assemble(config, None).unwrap();
    let times = layer_times(config, &plan.net, &plan.mapping, &assembly);
    let (once, sampled) = times.split_at(plan.mapping.first_ensembling_layer);
    let (images, members) = (u64::from(config.schedule.images), u64::from(plan.mapping.members));
    let sum = |layers: &[LayerTime]| layers.iter().map(|time| time.fetch + time.pass(0) + time.after).sum::<u64>();
    let longest = |layers: &[LayerTime]| layers.iter().map(|time| time.interval(0)).max().unwrap_or(0);
    if config.schedule.mode == Mode::Sequential {
        images * (load + sum(once) + members * sum(sampled))
    } else {
        let interval = longest(once).max(members * longest(sampled));
        load + sum(&times) + (members - 1) * longest(sampled) + (images - 1) * interval
    }
}

/// The closed form alone.
fn predicted(config: &Config) -> ClosedForm {
    let plan = plan(config).unwrap();
    closed_form(config, &plan.net, &plan.mapping, &plan.assemble(config, None).unwrap(), 0)
}

#[test]
fn draws_that_are_not_hidden_follow_their_recurrence() {
    let mut config = config(chip(128, 128), digits_like());
    config.schedule.mode = Mode::Sequential;
    // 8192 synapses of 8 bits take fc1 8192 cycles at 8 bits a cycle; the turns of all layers take 5856.
    for (bits_per_cycle, formula) in [(8, "start(l,g,k) = max("), (16, "images (load + sum_")] {
        config.arch.sampler = Sampler::Generator {
            source: RandomSource::Ideal,
            bits_per_cycle,
            probability_bits: 8,
            double_buffered: true,
            draws: Draws::PerMember,
        };
        let reported = predicted(&config).formula;
        assert!(reported.starts_with(formula), "{reported}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_closed_form_is_the_simulation_for_any_chip_with_an_idle_periphery(mut config in any_config()) {
        for mode in [Mode::Sequential, Mode::Layer] {
            config.schedule.mode = mode;
            let form = form(&config);
            prop_assert_eq!(form.fixed_latency_cycles, 0);
            prop_assert_eq!(form.contention_cycles, 0, "{:?}: {:?}", mode, form);
        }
        config.schedule.mode = Mode::Streaming;
        let form = form(&config);
        prop_assert!(form.contention_cycles >= 0, "{:?}", form);
    }

    #[test]
    fn the_reported_formula_gives_the_prediction(mut config in any_config(), real in any::<bool>()) {
        if real {
            config.arch.costs = real_chip(16, 16).costs;
        }
        // One pass of each layer: load and the sum over layers.
        let mut one = config.clone();
        (one.ensemble.members, one.schedule.images) = (1, 1);
        let load = predicted(&one).predicted_cycles - written_out(&one, 0);
        prop_assert_eq!(load > 0, real);
        for mode in [Mode::Sequential, Mode::Layer] {
            config.schedule.mode = mode;
            let form = predicted(&config);
            let recurrence = form.formula.starts_with("start(l,g,k)");
            let expected = written_out(&config, load);
            let shown = form.predicted_cycles.checked_sub(expected);
            prop_assert!(if recurrence { shown.is_some() } else { shown == Some(0) }, "{:?}: {} {:?}", mode, expected, form);
        }
    }
}

/// Rows of an image are written one after another, so a slow write port sets their pace.
#[test]
fn a_slow_write_port_sets_the_pace_of_loading() {
    let mut config = config(chip(128, 128), digits_like());
    config.ensemble.members = 1;
    config.arch.tile.input_buffer.bytes_per_cycle = 1;
    config.arch.costs.buffer_write.time.0 = 3_000;
    // 8 rows of 8 bytes in 24 cycles each; then the layers, each with one access of 3 cycles to its output buffer, and the
    // last message, 8 bytes of conv1, 16 of conv2 and 32 of fc1, at 3 cycles a byte.
    let form = form(&config);
    assert_eq!(form.predicted_cycles, 8 * 24 + 5856 + 3 * (8 + 16 + 32) + 4 * 3, "{form:?}");
    assert_eq!(form.contention_cycles, 0, "{form:?}");
}

/// Three copies of `a` send positions 0, 1 and 2 in one message and position 3 in another, which is written in a third of
/// the time. By hand, from the end of writing the image (4 bytes in 48 cycles, from 8 on):
///
/// ```text
/// a          56 fetch 3, 59 read 5, 64 convert 2 x 5, 74 shift-and-add 1, 75 lanes 2 (6 values on 3), 77 write 12  -> 89
/// positions  89 read out 1, 90 bus 2, 92 write 3 x 12                                                    -> 128
/// 0 to 2
/// position 3 102 read out 1, 103 bus 1, 104 waits for the port, 128 write 12                             -> 140
/// b          128 fetch 1, 129 read 5, 134 convert 2 x 5, 144 shift-and-add 1, 145 lanes 2, 147 write 12  -> 159
///            the others follow at 14 cycles, the lanes' and the write's                                  -> 201
/// position 3 201 read out 1, 202 bus 1, 203 spread over 4 tiles 2, 205 write 12                          -> 217
/// c          217 fetch 1, 218 read 5, 223 convert 2 x 5, 233 shift-and-add and tree 5, 238 lanes 1, 239 write 12 -> 251
/// answer     251 read out 1, 252 bus 4 (8 bytes), 256 global buffer 8                                    -> 264
/// ```
///
/// Had position 0 been there when position 3, written beside it, was (at 116), the run would take 252.
#[test]
fn a_pixel_is_there_when_its_own_write_has_ended() {
    let mut config = pointwise_toy(4);
    config.ensemble.members = 1;
    config.schedule.mode = Mode::Streaming;
    config.mapping.replication = vec![("a".into(), 3)];
    config.arch.tile.input_buffer.bytes_per_cycle = 1;
    config.arch.tile.output_buffer.bytes_per_cycle = 64;
    config.arch.costs.buffer_write.time.0 = 12_000;
    config.arch.array.read_time.0 = 5_000;
    let (_, both) = run(&config);
    let starts = |component, action, layer| -> Vec<(u64, u64)> {
        let rows = both.spans.iter().filter(|s| (s.component, s.action, s.layer) == (component, action, layer));
        rows.map(|s| (s.start, s.duration)).collect()
    };
    // Written one after another, and the first window is fetched when its pixel is written.
    let written = starts(Component::Buffer, Action::Write, 1);
    assert_eq!(written[..2], [(92, 36), (128, 12)]);
    assert_eq!(starts(Component::Buffer, Action::Fetch, 1)[0], (128, 1));
    assert_eq!(both.ledger.makespan(), 264);
}
