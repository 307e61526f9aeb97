//! Do grain, grouping and queue leave cycles, attojoules and counts as they are?

mod common;

use common::tied::{self, tied};
use common::*;
use crossbayes::config::*;
use crossbayes::meter::{Account, Ledger};
use crossbayes::trace::{Component, Span};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Unit-cycles, attojoules and elementary actions.
type Sums = BTreeMap<Account, (u128, u128, u128)>;

/// Sums that must not depend on how coarsely a run was simulated.
fn sums(ledger: &Ledger) -> Sums {
    ledger
        .entries()
        // Waits have no elementary actions to count.
        .map(|(account, e)| {
            let count = if account.action.is_wait() { 0 } else { e.count };
            (account, (e.unit_cycles, e.energy, count))
        })
        .collect()
}

/// Chips and schedules that differ in what they contend for.
fn cases() -> Vec<Config> {
    let mut cases = Vec::new();
    for mode in [Mode::Sequential, Mode::Layer, Mode::Streaming] {
        for hold in [true, false] {
            for adc_ns in [1, 4] {
                for real in [true, false] {
                    let arch = if real { real_chip(64, 48) } else { chip(64, 48) };
                    let mut config = config(arch, digits_like());
                    config.schedule.mode = mode;
                    config.schedule.images = 2;
                    config.ensemble.members = 3;
                    config.arch.array.sample_and_hold = hold;
                    config.arch.costs.adc[0].convert.time.0 = adc_ns * 1000;
                    config.mapping.replication = vec![("conv1".into(), 3), ("conv2".into(), 5)];
                    cases.push(config);
                }
            }
        }
    }
    let base = cases[1].clone();
    for draws in [Draws::PerMember, Draws::PerPosition] {
        for double_buffered in [true, false] {
            let mut config = base.clone();
            config.arch.sampler = Sampler::Generator {
                source: RandomSource::Ideal,
                bits_per_cycle: 40,
                probability_bits: 8,
                double_buffered,
                draws,
            };
            cases.push(config);
        }
    }
    let mut serial = base.clone();
    serial.arch.sampler = Sampler::Comparator { noise_rows: 4, sub_arrays: 2, offset: Offset::default() };
    cases.push(serial);
    let mut fixed = base.clone();
    fixed.mapping.scheme = Scheme::Deterministic;
    cases.push(fixed.clone());
    fixed.arch.array.readout = ArrayReadout::SenseAmplifiers { sub_arrays: 8 };
    cases.push(fixed);
    // What the array draws while it waits and while its currents are converted.
    for (sample_and_hold, held_bitlines) in
        [(true, HeldBitlines::Selected), (false, HeldBitlines::Selected), (false, HeldBitlines::All)]
    {
        let mut drawing = base.clone();
        // Reads of 10 cycles wait for conversions of 16; a fraction of a row is driven in each pulse.
        drawing.arch.costs.adc[0].convert.time.0 = 4_000;
        drawing.workload.activity = 0.3;
        drawing.arch.array.read_start = ReadStart::Early;
        (drawing.arch.array.sample_and_hold, drawing.arch.array.held_bitlines) = (sample_and_hold, held_bitlines);
        cases.push(drawing);
    }
    // Pulses of more than one bit, the last of them of fewer.
    for bits_per_pulse in [2, 3, 8] {
        for sample_and_hold in [true, false] {
            let mut levels = base.clone();
            levels.arch.costs.adc[0].convert.time.0 = 4_000;
            levels.workload.activity = 0.3;
            levels.arch.driver.bits_per_pulse = bits_per_pulse;
            levels.arch.array.read_start = ReadStart::Early;
            levels.arch.array.sample_and_hold = sample_and_hold;
            cases.push(levels);
        }
    }
    // Values that are put together before they are converted, faster and slower than that.
    for (adc_ns, bits_per_pulse) in [(1, 1), (4, 2), (30, 1)] {
        let mut values = base.clone();
        values.arch.adc.conversions = Conversions::PerValue;
        values.arch.costs.adc[0].convert.time.0 = adc_ns * 1000;
        values.workload.activity = 0.3;
        values.arch.driver.bits_per_pulse = bits_per_pulse;
        values.arch.array.read_start = ReadStart::Early;
        cases.push(values);
    }
    // Slow post-processing: the arrays are held up from behind.
    let mut slow = base;
    slow.arch = real_chip(64, 48);
    slow.arch.digital.lanes = 1;
    slow.arch.costs.post_process.time.0 = 3_000;
    slow.schedule.mode = Mode::Layer;
    cases.push(slow.clone());
    slow.arch.array.read_start = ReadStart::Early;
    cases.push(slow);
    cases
}

fn assert_same(config: &Config, change: impl Fn(&mut Config), what: &str) {
    let (outcome, both) = run(config);
    let mut other = config.clone();
    change(&mut other);
    let (other_outcome, other_both) = run(&other);
    assert_eq!(both.ledger.makespan(), other_both.ledger.makespan(), "{what}: {config:?}");
    assert_eq!(outcome.random_bits, other_outcome.random_bits, "{what}");
    let (a, b) = (sums(&both.ledger), sums(&other_both.ledger));
    for (key, value) in &a {
        assert_eq!(
            Some(value),
            b.get(key),
            "{what}: {key:?} in {:?} {:?} {:?}",
            config.schedule,
            config.arch.sampler,
            config.mapping
        );
    }
    assert_eq!(a.len(), b.len(), "{what}");
}

#[test]
fn coarse_and_fine_grains_agree() {
    for config in cases() {
        assert_same(&config, |c| c.schedule.grain = Grain::Op, "op");
        assert_same(&config, |c| c.schedule.grain = Grain::Conversion, "conversion");
    }
}

#[test]
fn grouped_and_expanded_agree() {
    for config in cases() {
        assert_same(&config, |c| c.schedule.grouping = Grouping::Expanded, "expanded");
    }
}

#[test]
fn both_queues_give_the_same_spans() {
    for config in cases() {
        let (outcome, both) = run(&config);
        let mut other = config.clone();
        other.schedule.queue = Queue::PriorityQueue;
        let (other_outcome, other_both) = run(&other);
        assert_eq!(outcome, other_outcome);
        assert_eq!(both.spans, other_both.spans);
    }
}

/// A window holds the same rows as the grain of conversions, and nothing else changes.
#[test]
fn in_a_window_the_trace_is_that_of_conversions() {
    for (number, config) in cases().into_iter().enumerate() {
        let mut fine = config.clone();
        fine.schedule.grain = Grain::Conversion;
        let (_, fine) = run(&fine);
        // A stretch in the middle of the run, of more than one read.
        let middle = fine.ledger.makespan() / 2;
        let (from, to) = (middle, middle + 100);
        let within = |spans: &[Span]| -> Vec<String> {
            let mut rows: Vec<_> = spans.iter().filter(|s| s.start < to && s.end() > from).collect();
            rows.sort_by_key(|s| (s.start, s.component, s.action, s.layer, s.unit, s.member, s.duration));
            rows.into_iter().map(|s| format!("{s:?}")).collect()
        };
        let expected = within(&fine.spans);
        assert!(expected.len() > 20, "case {number}: {} rows", expected.len());
        for grain in [Grain::Op, Grain::Read] {
            let mut plain = config.clone();
            plain.schedule.grain = grain;
            let (outcome, plain_run) = run(&plain);
            let mut windowed = plain.clone();
            windowed.schedule.window = TraceWindow::Cycles { from, to };
            let (other, run) = run(&windowed);
            let found = within(&run.spans);
            let differing: Vec<_> = found.iter().zip(&expected).filter(|(a, b)| a != b).collect();
            assert!(differing.is_empty(), "case {number}, grain {grain:?}: {:#?}", differing);
            assert_eq!(found.len(), expected.len(), "case {number}, grain {grain:?}");
            assert_eq!((outcome.events, outcome.cycles), (other.events, other.cycles), "case {number}, {grain:?}");
            assert_eq!(sums(&run.ledger), sums(&plain_run.ledger), "case {number}, grain {grain:?}");
            // Far from the window the rows are those of the grain.
            assert!(run.spans.len() < plain_run.spans.len() + 40 * expected.len(), "case {number}, grain {grain:?}");
        }
    }
}

/// At cycle 61 two messages could leave: the last pixel of `a` in member 1 and the first one of `b` in member 0. Both want the
/// bus at 62. The older one gets it; the other costs the last pass of `b`, and with it the run, a cycle (142 instead of 141).
#[test]
fn messages_that_leave_at_the_same_cycle_do_not_depend_on_the_grain() {
    let mut config = pointwise_toy(2);
    config.ensemble.members = 2;
    config.arch.array.read_time.0 = 5_000;
    config.arch.costs.buffer_write.time.0 = 2_000;
    for grain in [Grain::Op, Grain::Read, Grain::Conversion] {
        config.schedule.grain = grain;
        assert_eq!(run(&config).1.ledger.makespan(), 142, "{grain:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(tied::cases(1_000)))]

    /// Cycles, attojoules, counts and waits, for whatever happens in the same cycle. More of them:
    /// `PROPTEST_CASES=10000 cargo test --release --test equivalence ties`.
    #[test]
    fn ties_are_decided_alike_however_a_run_is_simulated(config in tied()) {
        assert_same(&config, |c| c.schedule.grain = Grain::Op, "op");
        assert_same(&config, |c| c.schedule.grain = Grain::Conversion, "conversion");
        assert_same(&config, |c| c.schedule.grouping = Grouping::Expanded, "expanded");
        assert_same(&config, |c| c.schedule.queue = Queue::PriorityQueue, "queue");
        assert_same(&config, |c| c.schedule.window = TraceWindow::Cycles { from: 20, to: 60 }, "window");
        let all = |c: &mut Config| {
            c.schedule.grain = Grain::Op;
            c.schedule.grouping = Grouping::Expanded;
            c.schedule.queue = Queue::PriorityQueue;
            c.schedule.window = TraceWindow::Cycles { from: 50, to: 100 };
        };
        assert_same(&config, all, "op, expanded, queue and window");
    }

    /// A late read takes its window and its weights when an early one does, and hands its sample over in the same cycle.
    #[test]
    fn late_and_early_reads_take_the_same_cycles(mut config in tied()) {
        config.arch.array.read_start = ReadStart::Early;
        let (_, early) = run(&config);
        config.arch.array.read_start = ReadStart::Late;
        let (_, late) = run(&config);
        prop_assert_eq!(early.ledger.makespan(), late.ledger.makespan());
        let cells = |both: &Both| {
            let all = both.ledger.entries().filter(|(account, _)| account.component == Component::Crossbar);
            all.map(|(_, entry)| entry.energy).sum::<u128>()
        };
        prop_assert!(cells(&late) <= cells(&early));
    }
}
