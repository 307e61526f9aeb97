//! Is the critical path a chain of jobs of the run, as long as the run, and what it says with other times never too long?

mod common;

use common::tied::{cases, tied};
use common::*;
use crossbayes::config::*;
use crossbayes::critical::{Flow, Timing};
use crossbayes::plot::critical::picture;
use crossbayes::plot::palette::component;
use crossbayes::plot::picture::Mark;
use crossbayes::report::critical::WhatIf;
use crossbayes::report::quantity::percent;
use crossbayes::run::{Prepared, planned, prepare};
use crossbayes::simulate::{Critical, Plan, simulate};
use crossbayes::trace::Component;
use crossbayes::what_if::{setting, what_if};
use proptest::prelude::*;

fn plan(config: &Config) -> Plan {
    planned(config, &Base::Embedded).expect("the test's configuration is valid")
}

fn ready(config: &Config) -> Prepared {
    prepare(config.clone(), &Base::Embedded, 1, &|_, _, _| ()).expect("the test's configuration is valid")
}

fn critical(config: &Config) -> Critical {
    ready(config).critical(&|_, _, _| ()).expect("every moment follows from an earlier one")
}

fn timing(config: &Config) -> Timing {
    plan(config).timing(config).expect("the dataflow is sound")
}

/// The ports that messages leave from, message by message.
fn order(config: &Config) -> Vec<u32> {
    let plan = plan(config);
    let assembly = plan.assemble(config, None).expect("the dataflow is sound");
    let flow = Flow::new(timing(config).departures());
    simulate(config, assembly, flow, |_, _| ()).expect("no deadlock").1.order().to_vec()
}

/// The same where some layers run once an image, and synapses are split between two planes.
fn split() -> impl Strategy<Value = Config> {
    let lists = [true, false].map(|sorted| Packing::Lists { sorted });
    let packing = prop::sample::select([&[Packing::Full, Packing::Rows], &lists[..]].concat());
    let choices = (0..5usize, any::<[bool; 4]>(), packing, prop::collection::vec(0..11u32, 5));
    (tied(), choices).prop_map(|(config, (first, [splits, keep, layer, skips], packing, shares))| {
        let layers = &config.workload.layers;
        let first = &layers[first % layers.len()].name;
        let scheme = Scheme::Sparse {
            first_ensembling_layer: if layer { FirstLayer::Layer(first.clone()) } else { FirstLayer::First },
            eps: if splits { Eps::Above(0.05) } else { Eps::Everything },
            packing,
            keep_deterministic_part: keep,
            skip_zero_rows: skips,
        };
        let probabilistic = shares[..layers.len()].iter().map(|share| f64::from(*share) / 10.0).collect();
        let mut other = config.clone();
        other.mapping.scheme = scheme;
        other.workload.posterior = Posterior::Synthetic { seed: 1, probabilistic };
        if planned(&other, &Base::Embedded).is_ok() { other } else { config }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1_000)))]

    /// Its stretches follow each other from cycle 0 to the end of the run, whatever the run contends for, and it does not
    /// depend on how the run is simulated. More of them: `PROPTEST_CASES=10000 cargo test --release --test critical`.
    #[test]
    fn the_chain_is_as_long_as_the_run(config in prop_oneof![tied(), split()]) {
        let found = critical(&config);
        prop_assert_eq!(found.chain.cycles(), found.cycles);
        prop_assert_eq!(found.chain.cycles_with(&found.timing), found.cycles);
        let mut at = 0;
        for segment in &found.chain.segments {
            prop_assert_eq!(segment.start, at);
            prop_assert_eq!(segment.cycles.values().sum::<u64>(), segment.end - segment.start);
            at = segment.end;
        }
        let places = found.chain.by_place();
        for (grain, grouping) in [
            (Grain::Op, Grouping::Grouped),
            (Grain::Read, Grouping::Expanded),
            (Grain::Conversion, Grouping::Grouped),
        ] {
            let mut other = config.clone();
            (other.schedule.grain, other.schedule.grouping) = (grain, grouping);
            let other = critical(&other);
            prop_assert_eq!(&places, &other.chain.by_place(), "{:?} {:?}", grain, grouping);
            prop_assert_eq!(&found.chain.waits, &other.chain.waits, "{:?} {:?}", grain, grouping);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1_000)))]

    /// With other times the jobs of the chain still wait for each other, so that no run is shorter than they take.
    #[test]
    fn no_run_with_other_times_is_shorter_than_the_chain(
        config in prop_oneof![tied(), split()],
        read in 1..6u64,
        times in prop::collection::vec(0..5u64, 13),
    ) {
        let mut other = config.clone();
        other.arch.array.read_time.0 = read * 1000;
        set_times(&mut other.arch.costs, 0, times.iter().map(|ns| ns * 1000));
        let predicted = critical(&config).chain.cycles_with(&timing(&other));
        let cycles = critical(&other).cycles;
        // About half of the cases: in the others messages take the links between tiles in another order.
        if order(&config) == order(&other) {
            prop_assert!(predicted <= cycles, "{} of {}", predicted, cycles);
        }
    }
}

fn cycles_of(critical: &Critical, layer: u32, component: Component) -> u64 {
    let places = critical.chain.by_place();
    places.iter().filter(|((l, c, _), _)| (*l, *c) == (layer, component)).map(|(_, cycles)| cycles).sum()
}

/// One image of one row of two pixels, streaming, reads of 4 cycles and conversions of 1, 2 input bits. A row is 2 B: read in
/// an access of 2 cycles, sent and written in 1 each; a pixel is 1 B. Layers have one row block (`c` two), one lane for 2
/// columns; a position is read in 8 cycles.
#[test]
fn a_small_case_by_hand() {
    let mut config = pointwise_toy(2);
    config.ensemble.members = 2;
    config.schedule.mode = Mode::Streaming;
    config.arch.array.read_time.0 = 4_000;
    config.arch.costs.adc[0].convert.time.0 = 1_000;
    let found = critical(&config);
    let segments = found.chain.segments.iter().map(|s| (s.start, s.end, found.stages[s.stage as usize].as_str()));
    let expected = [
        (0, 2, "source"),
        // Over the link, and into the buffer of `a`, another layer's.
        (2, 3, "source->a.link"),
        (3, 4, "source->a.link"),
        // The first window of 1 B, two reads and the last conversion.
        (4, 5, "a.buffer"),
        (5, 14, "a.crossbar[0]"),
        (14, 15, "a.accumulator"),
        // Two columns on a lane, and 1 B written.
        (15, 18, "a.digital"),
        // Read 1, sent 1; written 1.
        (18, 20, "a->b.link"),
        (20, 21, "a->b.link"),
        (21, 22, "b.buffer"),
        // From here on `b` reads without a pause: two positions of two members, and the last conversion.
        (22, 55, "b.crossbar[0]"),
        (55, 56, "b.accumulator"),
        (56, 59, "b.digital"),
        // `c` is on two arrays in a tile: one step more to spread.
        (59, 62, "b->c.link"),
        (62, 63, "b->c.link"),
        (63, 64, "c.buffer"),
        (64, 73, "c.crossbar[0]"),
        // Two row blocks: an adder.
        (73, 76, "c.accumulator"),
        (76, 79, "c.digital"),
        // Two logits, 8 B, in 4 accesses and steps; written to the global buffer in 4 accesses of 2 cycles.
        (79, 95, "c->sink.link"),
    ];
    assert_eq!(segments.collect::<Vec<_>>(), expected);
    assert_eq!(found.cycles, 95);
    assert_eq!([0, 1, 2].map(|l| cycles_of(&found, l, Component::Crossbar)), [8, 32, 8]);
    assert_eq!([0, 1, 2].map(|l| cycles_of(&found, l, Component::Adc)), [1, 1, 1]);
}

/// Two convolutions in a pipeline on a chip whose periphery takes no time, 64 positions of 5 and of 4 input bits. Conversions of
/// 1 ns, as many in turn as a layer has columns, take longer than the reads of 10 ns.
fn pipeline(first: u32, second: u32) -> Config {
    let mut arch = chip(64, 128);
    arch.adc.columns_per_adc = 64;
    let layers = vec![layer("a", conv(first)), layer("b", conv(second)), layer("c", Operation::Linear { outputs: 2 })];
    let mut config = config(arch, workload(layers));
    config.ensemble.members = 1;
    config.schedule.mode = Mode::Streaming;
    config
}

#[test]
fn the_path_stays_in_the_slower_of_two_layers() {
    // 40 conversions in turn in `a`, 20 in `b`: all 64 positions of `a`, then the 10 positions of `b` whose windows, or those
    // before them, reach to the last pixel.
    let found = critical(&pipeline(40, 20));
    assert_eq!(cycles_of(&found, 0, Component::Adc), 64 * 5 * 40);
    assert_eq!(cycles_of(&found, 1, Component::Adc), 10 * 4 * 20);
    // 20 in `a`, 60 in `b`: the first window of `b` needs the first ten positions of `a`, then all 64 positions of `b`.
    let found = critical(&pipeline(20, 60));
    assert_eq!(cycles_of(&found, 0, Component::Adc), 10 * 5 * 20);
    assert_eq!(cycles_of(&found, 1, Component::Adc), 64 * 4 * 60);
    assert_eq!(found.chain.longest(1)[0].component(), Component::Adc);
    assert_eq!(found.chain.longest(1)[0].layer, 1);
}

/// The path of a run and a run with other times.
fn asked(config: &Config, change: impl Fn(&mut Config)) -> WhatIf {
    let mut other = config.clone();
    change(&mut other);
    what_if(&critical(config), config, &ready(&other), String::new()).expect("times change")
}

#[test]
fn what_if_is_exact_while_no_other_path_is_longer() {
    let config = pipeline(40, 20);
    let cycles = critical(&config).cycles;
    // Two conversions less in turn, of all positions of `a`; `b` and `c` have fewer in turn anyway.
    let faster = asked(&config, |c| c.arch.adc.columns_per_adc = 38);
    assert_eq!(faster.estimated_cycles, cycles - 64 * 5 * 2);
    assert_eq!((faster.run_cycles, faster.note()), (faster.estimated_cycles, "exact"));
    // All times are whole nanoseconds: twice the cycles in the same time.
    let clock = asked(&config, |c| c.arch.clock.0 *= 2);
    assert_eq!((clock.estimated_cycles, clock.run_cycles, clock.run_gain), (2 * cycles, 2 * cycles, 0.0));
    // Without the time of conversions, of `c` only its last one, the path is a read of `a`, one of `b` and four of `c`; but
    // then the reads of all positions are.
    let none = asked(&config, |c| c.arch.costs.adc[0].convert.time.0 = 0);
    assert_eq!(none.estimated_cycles, cycles - 64 * 5 * 40 - 10 * 4 * 20 - 2);
    assert_eq!(none.estimated_cycles, 6 * 10);
    assert!(none.run_cycles >= 64 * 5 * 10, "{none:?}");
    assert_eq!(none.note(), "another path is longer");
    assert!(none.run_gain < none.estimated_gain);
    // 1 ns less 10 % is still a cycle of 1 ns.
    let same = asked(&config, |c| c.arch.costs.adc[0].convert.time.0 = 900);
    assert_eq!((same.run_cycles, same.estimated_cycles, same.note()), (cycles, cycles, "the same whole cycles"));
    assert_eq!(asked(&config, |_| ()).note(), "changes nothing");
}

#[test]
fn what_if_is_refused_for_what_changes_the_jobs() {
    let config = pipeline(40, 20);
    let found = critical(&config);
    for (change, key) in [
        ((|c: &mut Config| c.arch.array.rows = 32) as fn(&mut Config), "arch.array.rows"),
        (|c| c.ensemble.members = 2, "ensemble.members"),
        (|c| c.arch.digital.depth = 1, "arch.digital.depth"),
        (|c| c.schedule.mode = Mode::Layer, "schedule.mode"),
        (|c| c.arch.array.sample_and_hold = false, "arch.array.sample_and_hold"),
    ] {
        let mut other = config.clone();
        change(&mut other);
        let error = what_if(&found, &config, &ready(&other), String::new()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{key}: the critical path of a run says nothing about")), "{error}");
    }
}

#[test]
fn changes_are_shares_or_values() {
    let mut config = config(real_chip(64, 48), digits_like());
    config.arch.costs.adc.insert(0, AdcCost { bits: 3, convert: cost(7, 0) });
    let read = |text: &str| setting(text, &config).map(|(key, value)| format!("{key} = {value}"));
    // The entry of the chip's 8 bits is the second one, of 1 ns.
    assert_eq!(read("arch.adc.time=-10%").unwrap(), "arch.costs.adc[1].convert.time = 900 ps");
    assert_eq!(read(" arch.array.read_time = +12.345% ").unwrap(), "arch.array.read_time = 11.235 ns");
    assert_eq!(read("arch.costs.buffer_write.time=2 ns").unwrap(), "arch.costs.buffer_write.time = 2 ns");
    assert_eq!(read("arch.sampler.bits_per_cycle=-50%").unwrap(), "arch.sampler.bits_per_cycle = 64");
    assert_eq!(read("arch.digital.lanes=100%").unwrap(), "arch.digital.lanes = 32");
    for (text, message) in [
        ("arch.adc.time", "found no `=` in `arch.adc.time`"),
        ("=3", "found `=3`"),
        ("arch.array.read_tim=-10%", "there is no key arch.array.read_tim\nhelp: did you mean arch.array.read_time?"),
        ("arch.adc.tme=1 ns", "help: did you mean arch.adc.time?"),
        ("arch.adc.time=fast%", "`fast%` changes nothing by a share"),
        ("arch.adc.time=-101%", "expected a number from -100%"),
        ("arch.adc.time=-0.0001%", "at most three decimals"),
        ("arch.name=-10%", "arch.name is \"test\", which no percentage changes"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn the_picture_shows_every_layer_that_the_path_is_in() {
    let config = pipeline(40, 20);
    let found = critical(&config);
    let picture = picture(&config, &found.layers, &found.chain);
    let texts: Vec<&str> = picture
        .shapes
        .iter()
        .filter_map(|shape| if let Mark::Text { text, .. } = shape { Some(text.as_str()) } else { None })
        .collect();
    let places = found.chain.by_place();
    let of = |layer| places.iter().filter(|((l, ..), _)| *l == layer).map(|(_, cycles)| *cycles).sum::<u64>();
    let share = |layer| percent(of(layer) as f64 / found.cycles as f64);
    for text in ["a", "b", "c", &share(0), &share(1), &share(2)] {
        assert!(texts.contains(&text), "{text} is not in {texts:?}");
    }
    // The columns of a slice add up to no more than its height.
    let bars = picture.shapes.iter().filter_map(|shape| match shape {
        Mark::Rectangle { x, width, height, fill, .. } if *fill == component(Component::Adc) && *height != 12.0 => {
            Some((*x, *width, *height))
        }
        _ => None,
    });
    let area: f64 = bars.map(|(_, width, height)| width * height).sum();
    let whole = picture.width * 26.0;
    assert!(area > 0.7 * whole && area < whole, "{area} of {whole}");
}
