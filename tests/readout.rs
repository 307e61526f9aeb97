//! Do reads, comparisons and conversions cost what was computed by hand, whatever the read-out and however a block is cut?

mod common;

use common::*;
use crossbayes::config::*;
use crossbayes::functional::{FunctionalModel, FunctionalSpec, Keep};
use crossbayes::readout::Readout;
use crossbayes::report::inventory::inventory;
use crossbayes::simulate::plan;
use crossbayes::trace::{Action, Component};
use crossbayes::workload::{LoadedImages, LoadedPosterior};
use std::sync::Arc;

/// A linear layer of `inputs` x `outputs` synapses that drives each row in each of `bits` pulses.
fn linear(arch: Chip, inputs: u32, outputs: u32, bits: u32) -> Config {
    let mut workload = workload(vec![layer("fc", Operation::Linear { outputs })]);
    workload.input = Input { channels: inputs, height: 1, width: 1, bits, signed: false };
    workload.activity = 1.0;
    let mut config = config(arch, workload);
    config.ensemble.members = 1;
    config
}

/// Attojoules and count of an action of the first layer.
fn spent(both: &Both, component: Component, action: Action) -> (u128, u128) {
    let entry = both.ledger.entry(Some(0), component, action);
    (entry.energy, entry.count)
}

/// All grains, and groups that are simulated array by array: none of them may change a sum.
fn at_every_grain(config: &Config, check: impl Fn(&Both)) {
    for grain in [Grain::Op, Grain::Read, Grain::Conversion] {
        for grouping in [Grouping::Grouped, Grouping::Expanded] {
            let mut config = config.clone();
            (config.schedule.grain, config.schedule.grouping) = (grain, grouping);
            check(&run(&config).1);
        }
    }
}

/// 13 x 4 synapses on arrays of 8 rows: blocks of 8 and 5 rows. Four sub-arrays compare 4 + 4 and 4 + 1 rows, so each row
/// once, with each of 4 columns: 52 comparisons at 11 aJ, 52 accumulations at 13 aJ. Each sub-array has a sum for each
/// column: (8 - 1) x 4 additions at 23 aJ merge them.
#[test]
fn sub_arrays_compare_each_row_once_and_their_sums_are_merged() {
    let mut config = linear(chip(8, 8), 13, 4, 3);
    config.arch.sampler = Sampler::Comparator { noise_rows: 2, sub_arrays: 4, offset: Offset::default() };
    at_every_grain(&config, |both| {
        assert_eq!(spent(both, Component::Comparator, Action::Compare), (52 * 11, 52));
        assert_eq!(spent(both, Component::Accumulator, Action::ShiftAdd), (52 * 13, 52));
        assert_eq!(spent(both, Component::Accumulator, Action::Accumulate), (28 * 23, 28));
        // One cell of the pair and two noise cells are on: 3 x 10 fJ.
        assert_eq!(spent(both, Component::Crossbar, Action::Read).0, 13 * 4 * 30_000);
    });
}

/// 13 x 4 synapses on arrays of 8 rows, 3 input bits, all rows driven in each pulse. A value is read in 3 x 10 cycles and
/// converted in 4 (4 pairs on a converter): 8 pairs in both blocks at 1000 + 3 aJ a conversion, instead of 24. What is driven
/// and read is the same: 13 rows in 3 pulses, 4 cells of 10 fJ on each; and each pulse's charge is sampled, 7 aJ each.
#[test]
fn values_are_read_whole_and_converted_once() {
    let pulses = linear(chip(8, 8), 13, 4, 3);
    let mut values = pulses.clone();
    values.arch.adc.conversions = Conversions::PerValue;
    let block = |config: &Config| {
        let plan = plan(config).unwrap();
        Readout::new(&config.arch, Plane::Deterministic).block(8, 4, &plan.net.layers[0])
    };
    assert_eq!((block(&pulses).pulses, block(&pulses).read, block(&pulses).back_to_back(5)), (3, 10, 5 * 3 * 10 + 4));
    assert_eq!((block(&values).pulses, block(&values).read, block(&values).back_to_back(5)), (1, 30, 5 * 30 + 4));
    let single = block(&values).of_one_pulse();
    assert_eq!((single.pulses, single.period()), (3, block(&pulses).period()));
    for (config, conversions) in [(&pulses, 24), (&values, 8)] {
        at_every_grain(config, |both| {
            assert_eq!(spent(both, Component::Adc, Action::Convert), (conversions * 1003, conversions));
            assert_eq!(spent(both, Component::Accumulator, Action::ShiftAdd), (conversions * 19, conversions));
            assert_eq!(spent(both, Component::SampleHold, Action::Sample), (24 * 7, conversions));
            assert_eq!(spent(both, Component::Driver, Action::Drive).1, 39);
            assert_eq!(spent(both, Component::Crossbar, Action::Read), (39 * 4 * 10_000, 6));
        });
    }
    // Slow converters: a value waits for the one before, 4 x 20 cycles, and no row conducts meanwhile.
    for config in [&pulses, &values] {
        let mut slow = config.clone();
        slow.arch.costs.adc[0].convert.time.0 = 20_000;
        slow.arch.array.read_start = ReadStart::Early;
        let late = |start| {
            let mut config = slow.clone();
            config.arch.array.read_start = start;
            run(&config).1.ledger.makespan()
        };
        assert_eq!(late(ReadStart::Early), late(ReadStart::Late));
    }
}

#[test]
fn values_that_nothing_keeps_or_converts_are_refused() {
    let refused = |set: &[&str]| {
        let set = ["arch.adc.conversions=PerValue"].iter().chain(set).map(|&set| set.to_owned()).collect();
        load(&LoadRequest { arch: None, workload: None, set }).expect_err("refused").render(false)
    };
    let found = refused(&["arch.array.sample_and_hold=false"]);
    let expected = "conversions is PerValue, and without a sample-and-hold nothing adds up the pulses of a value";
    assert!(found.contains(expected) && found.contains("expected array.sample_and_hold: true, or PerPulse"), "{found}");
    let found = refused(&["arch.array.readout=SenseAmplifiers()"]);
    assert!(found.contains("conversions is PerValue, and no array is read by converters"), "{found}");
    let found = refused(&["arch.adc.input=Column", "workload.input.signed=true"]);
    let expected = "converters of single bitlines have no negative codes; the inputs of layer \"conv1\" are signed";
    assert!(found.contains(expected) && found.contains("expected arch.adc.input=Pair, or PerPulse"), "{found}");
    let mut config = linear(chip(8, 8), 13, 4, 3);
    config.workload.input.signed = true;
    (config.arch.adc.conversions, config.arch.adc.input) = (Conversions::PerValue, AdcInput::Column);
    let net = plan(&config).unwrap().net;
    let posterior = LoadedPosterior::synthetic(1, &[0.5], &net).unwrap();
    let error = FunctionalModel::new(&FunctionalSpec::of(&config), &net, &posterior).unwrap_err().to_string();
    assert!(error.contains("layer fc has signed inputs"), "{error}");
}

/// 300 rows are three blocks of arrays of 128 rows; 10 columns. Energy: 300 x 10 accumulations, (3 s - 1) x 10 additions.
#[test]
fn more_sub_arrays_never_take_less_energy_to_accumulate() {
    for sub_arrays in [1, 2, 4, 8, 16, 32] {
        let mut config = linear(chip(128, 32), 300, 10, 3);
        config.arch.sampler = Sampler::Comparator { noise_rows: 2, sub_arrays, offset: Offset::default() };
        let (_, both) = run(&config);
        let energy: u128 = [Action::ShiftAdd, Action::Accumulate]
            .map(|action| spent(&both, Component::Accumulator, action).0)
            .iter()
            .sum();
        assert_eq!(energy, 300 * 10 * 13 + u128::from(3 * sub_arrays - 1) * 10 * 23, "{sub_arrays} sub-arrays");
    }
}

/// 1 x 4096 arrays of a 32768 x 131072 layer have 2^32 converter inputs: more than a row of the trace can count.
#[test]
fn units_that_cannot_be_counted_are_refused() {
    let mut config = linear(chip(1, 4096), 32768, 131_072, 1);
    config.arch.adc.columns_per_adc = 1;
    let problems = plan(&config).expect_err("2^32 converters do not fit 32 bits");
    assert_eq!(problems[0].path, "arch.array");
    assert!(problems[0].message.contains("4294967296"), "{}", problems[0].message);
}

/// 27 rows on arrays of 16: 30 % of 16 and of 11 rows in 5 pulses at 64 positions are 1536 and 1056 driven rows; each
/// group of equal arrays is within one row of its share.
#[test]
fn fractions_of_driven_rows_add_up_over_a_pass() {
    let mut workload = workload(vec![layer("conv", conv(3)), layer("fc", Operation::Linear { outputs: 2 })]);
    workload.input.channels = 3;
    workload.activity = 0.3;
    let mut config = config(chip(16, 8), workload);
    config.ensemble.members = 1;
    at_every_grain(&config, |both| {
        let rows = spent(both, Component::Driver, Action::Drive).1;
        assert!((2590..=2594).contains(&rows), "{rows}");
    });
}

/// 13 x 4 pairs, 3 pulses: each of the 156 on cells draws 10 fJ in a read, and 1 fJ in each cycle of the conversion of its
/// own input (1 cycle) when nothing holds the sample.
#[test]
fn without_a_sample_and_hold_cells_conduct_while_their_input_is_converted() {
    let mut config = linear(chip(16, 8), 13, 4, 3);
    config.arch.array.sample_and_hold = false;
    at_every_grain(&config, |both| {
        assert_eq!(spent(both, Component::Crossbar, Action::Read).0, 156 * 10_000);
        assert_eq!(spent(both, Component::Crossbar, Action::WaitResource).0, 156 * 1_000);
    });
}

/// 156 driven cells, four inputs of a cycle each a converter: every bitline conducts for four cycles.
#[test]
fn all_bitlines_conduct_until_the_last_conversion_if_none_is_disconnected() {
    let mut config = linear(chip(16, 8), 13, 4, 3);
    config.arch.array.sample_and_hold = false;
    config.arch.array.held_bitlines = HeldBitlines::All;
    at_every_grain(&config, |both| {
        assert_eq!(spent(both, Component::Crossbar, Action::WaitResource).0, 156 * 4_000);
    });
}

/// A read of 10 cycles, four conversions of 4 cycles. The samples of the second and third pulse wait 6 cycles each: 52
/// cells at 1 fJ a cycle if the read starts early, nothing if it starts 6 cycles later. The run takes 10 + 3 x 16 cycles.
#[test]
fn a_read_that_starts_late_draws_nothing_while_it_waits_and_costs_no_cycle() {
    for (read_start, energy) in [(ReadStart::Late, 0), (ReadStart::Early, 2 * 6 * 52_000)] {
        let mut config = linear(chip(16, 8), 13, 4, 3);
        config.arch.costs.adc[0].convert.time.0 = 4_000;
        config.arch.array.read_start = read_start;
        at_every_grain(&config, |both| {
            assert_eq!(both.ledger.makespan(), 58);
            assert_eq!(spent(both, Component::Crossbar, Action::Read).0, 156 * 10_000);
            assert_eq!(spent(both, Component::Crossbar, Action::WaitResource).0, energy);
        });
    }
}

/// What follows the converters is so slow that it holds them up, which nobody could foresee: arrays draw current for those
/// cycles however late they start, one fJ a cycle for each of 9 x 16 driven cells (9 rows, all driven).
#[test]
fn a_converter_that_is_held_up_costs_current_cycle_by_cycle() {
    let mut workload = workload(vec![layer("conv", conv(16)), layer("fc", Operation::Linear { outputs: 2 })]);
    workload.activity = 1.0;
    for read_start in [ReadStart::Late, ReadStart::Early] {
        let mut config = config(chip(16, 32), workload.clone());
        config.ensemble.members = 1;
        config.arch.array.read_start = read_start;
        config.arch.digital.lanes = 1;
        config.arch.costs.post_process.time.0 = 20_000;
        at_every_grain(&config, |both| {
            let wait = |action| both.ledger.entry(Some(0), Component::Crossbar, action);
            // Conversions take 4 of 10 cycles, so nothing else is waited for.
            let cycles = wait(Action::WaitPort).unit_cycles + wait(Action::WaitResource).unit_cycles;
            assert!(cycles > 10_000, "{cycles}");
            let energy = wait(Action::WaitPort).energy + wait(Action::WaitResource).energy;
            assert_eq!(energy, cycles * 9 * 16 * 1_000);
        });
    }
}

/// 13 x 4 synapses behind sense amplifiers, two sub-arrays: 7 reads of 10 cycles, each followed by a comparison of 1. 52
/// comparisons at 11 aJ, 52 accumulations at 13 aJ, and the two sums of a column become one by an addition at 23 aJ. Each
/// row is driven once: 80 aJ for 8 of the 128 cells of a 1280 aJ pulse, 10 fJ for an on cell, and 1 fJ while it is compared.
#[test]
fn sense_amplifiers_read_row_by_row_without_a_converter() {
    let mut config = linear(chip(16, 8), 13, 4, 3);
    config.mapping.scheme = Scheme::Deterministic;
    config.arch.array.readout = ArrayReadout::SenseAmplifiers { sub_arrays: 2 };
    at_every_grain(&config, |both| {
        assert_eq!(both.ledger.makespan(), 7 * 11);
        assert_eq!(spent(both, Component::Driver, Action::Drive), (13 * 80, 13));
        assert_eq!(spent(both, Component::Crossbar, Action::Read).0, 52 * 10_000);
        assert_eq!(spent(both, Component::Crossbar, Action::WaitResource).0, 52 * 1_000);
        assert_eq!(spent(both, Component::Comparator, Action::Compare), (52 * 11, 52));
        assert_eq!(spent(both, Component::Accumulator, Action::ShiftAdd), (52 * 13, 52));
        assert_eq!(spent(both, Component::Accumulator, Action::Accumulate), (4 * 23, 4));
        assert_eq!(spent(both, Component::Adc, Action::Convert), (0, 0));
    });
    assert_eq!(FunctionalSpec::of(&config).deterministic.adc, None);
    // 4 columns and two sub-arrays.
    assert_eq!(instances(&config, "comparator"), 8);
    assert_eq!(instances(&config, "adder"), 4);
    assert_eq!(instances(&config, "adc"), 0);
}

/// A chip whose driver has `bits` bits, and no time but that of reads and conversions.
fn levels(mut arch: Chip, bits: u32) -> Chip {
    arch.driver.bits_per_pulse = bits;
    arch
}

/// 16 x 4 synapses, inputs of 4 bits in two pulses of 2, all at level 3: a read of 10 cycles and four conversions of one,
/// twice, so 2 x 10 + 4 cycles instead of 4 x 10 + 4. At full level an on cell draws 10 fJ; a wordline's pulse takes 80 aJ
/// (8 of 128 cells), a digital-to-analogue conversion of 2 bits 10 aJ.
#[test]
fn pulses_of_two_bits_halve_reads_and_conversions() {
    let config = linear(levels(chip(16, 8), 2), 16, 4, 4);
    at_every_grain(&config, |both| {
        assert_eq!(both.ledger.makespan(), 24);
        assert_eq!(spent(both, Component::Crossbar, Action::Read), (2 * 64 * 10_000, 2));
        assert_eq!(spent(both, Component::Driver, Action::Drive), (32 * (80 + 10), 32));
        assert_eq!(spent(both, Component::Adc, Action::Convert), (2 * 4 * 1003, 2 * 4));
        assert_eq!(spent(both, Component::Accumulator, Action::ShiftAdd).1, 2 * 4);
    });
    let bit_serial = linear(chip(16, 8), 16, 4, 4);
    assert_eq!(run(&bit_serial).1.ledger.makespan(), 44);
    // A converter for each row of the array.
    assert_eq!((instances(&config, "dac"), instances(&bit_serial, "dac")), (16, 0));
}

/// Bits that are 1 with chance 1/4: of 16 rows a pulse of two bits drives 7, whose levels squared add up to 24. Four on
/// cells on each row draw (v / 3)^2 of 40 fJ, 24/9 x 40 fJ = 106,667 aJ in each of two pulses.
#[test]
fn stated_activity_gives_squares_of_levels() {
    let mut config = linear(levels(chip(16, 8), 2), 16, 4, 4);
    config.workload.activity = 0.25;
    at_every_grain(&config, |both| {
        assert_eq!(spent(both, Component::Crossbar, Action::Read).0, 2 * 106_667);
        assert_eq!(spent(both, Component::Driver, Action::Drive).1, 2 * 7);
    });
    // Without a sample-and-hold, a cycle at a tenth of that for each column's own conversion.
    config.arch.array.sample_and_hold = false;
    at_every_grain(&config, |both| {
        assert_eq!(spent(both, Component::Crossbar, Action::WaitResource).0, 2 * 10_667);
    });
    // 13 rows, 5 bits in pulses of 2, 2 and 1: all ones are 13 (9 + 9 + 1) = 247 squares, 82 in each pulse and one more; 82 of
    // them are 364,444 aJ, 83 are 368,889.
    let config = linear(levels(chip(16, 8), 2), 13, 4, 5);
    at_every_grain(&config, |both| {
        assert_eq!(spent(both, Component::Crossbar, Action::Read), (2 * 364_444 + 368_889, 3));
        assert_eq!(spent(both, Component::Driver, Action::Drive).1, 3 * 13);
    });
}

/// Codes of 4 bits in two pulses of 2 on one column: 13 is (1, 3), 6 is (2, 1). Squares 1 + 4 and 9 + 1 of ninths of 10 fJ:
/// 5,556 and 11,111 aJ; 4 driven rows. In one pulse of 8 bits, of 255 levels: (13^2 + 6^2) / 255^2 of 10 fJ, 31.5 aJ.
#[test]
fn evaluated_images_give_the_squares_of_their_levels() {
    // As signed codes, -3 is 1101 and 6 is 0110: levels of bits 0 and 1 are 1 and 2, of bit 2 are 1 and 1, of the sign 1 and 0,
    // so squares are 5, 2 and 1.
    for (bits, codes, signed, cells, rows) in [
        (2, [13, 6, 0], false, 16_667, 4),
        (8, [13, 6, 0], false, 32, 2),
        (2, [-3_i16 as u16, 6, 0], true, 5_556 + 2_222 + 1_111, 5),
    ] {
        let mut config = linear(levels(chip(4, 2), bits), 3, 1, 4);
        config.workload.input.signed = signed;
        config.values.answer = Answer::First(1);
        let plan = plan(&config).unwrap();
        let posterior = LoadedPosterior::synthetic(1, &[0.5], &plan.net).unwrap();
        let model = FunctionalModel::new(&FunctionalSpec::of(&config), &plan.net, &posterior).unwrap();
        let images = LoadedImages::new(plan.net.input, codes.to_vec(), None);
        let keep = Keep { activity: 1, accumulators: false };
        let activity = Arc::new(model.evaluate(&images, 0..1, keep, 1, &|_| ()).unwrap().activity);
        for grain in [Grain::Op, Grain::Read, Grain::Conversion] {
            config.schedule.grain = grain;
            let (_, both) = run_plan(&config, &plan, Some(activity.clone()));
            assert_eq!(spent(&both, Component::Crossbar, Action::Read).0, cells, "{bits} bits, signed: {signed}");
            assert_eq!(spent(&both, Component::Driver, Action::Drive).1, rows);
        }
    }
}

/// Row-serial arrays select rows: a driver of more bits changes neither time nor energy, and takes no converter.
#[test]
fn amplitudes_have_no_meaning_where_rows_are_selected() {
    let mut serial = linear(chip(16, 8), 13, 4, 4);
    serial.arch.array.readout = ArrayReadout::SenseAmplifiers { sub_arrays: 2 };
    let mut compared = linear(chip(16, 8), 13, 4, 4);
    compared.arch.sampler = Sampler::Comparator { noise_rows: 2, sub_arrays: 1, offset: Offset::default() };
    for mut config in [serial, compared] {
        let (outcome, both) = run(&config);
        config.arch.driver.bits_per_pulse = 4;
        let (of_levels, of_levels_both) = run(&config);
        assert_eq!((outcome.cycles, both.spans), (of_levels.cycles, of_levels_both.spans));
        assert_eq!(instances(&config, "dac"), 0);
    }
}

fn instances(config: &Config, part: &str) -> u64 {
    let plan = plan(config).unwrap();
    let items = inventory(config, &plan.net, &plan.mapping, 0);
    items.iter().filter(|item| item.part == part).map(|item| item.instances).sum()
}

/// 2 arrays of 8 rows and 4 columns of pairs in 4 sub-arrays with 2 noise rows each; 4 sums of each of 2 blocks are merged
/// by 7 adders on each of 4 columns.
#[test]
fn each_sub_array_has_its_own_noise_rows_comparators_and_accumulators() {
    let mut config = linear(chip(8, 8), 13, 4, 3);
    config.arch.sampler = Sampler::Comparator { noise_rows: 2, sub_arrays: 4, offset: Offset::default() };
    assert_eq!(instances(&config, "noise_cell"), 2 * 4 * 2 * 8);
    assert_eq!(instances(&config, "comparator"), 2 * 4 * 4);
    assert_eq!(instances(&config, "sampled_accumulate"), 2 * 4 * 4);
    assert_eq!(instances(&config, "adder"), 7 * 4);
    // Sampling comparators need no converter, but the mode network of the same chip is read by one.
    assert_eq!(FunctionalSpec::of(&config).stochastic.adc, None);
    assert!(FunctionalSpec::of(&config).deterministic.adc.is_some());
}
