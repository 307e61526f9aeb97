//! Do the answers depend on nothing but network, posterior, images, sampling and seed?

mod common;

use crossbayes::config::{
    AdcCost, AdcInput, Answer, Buffer, Config, Draws, Grain, Grouping, Interconnect, LoadRequest, Loaded, Mode, Offset,
    Queue, RandomSource, Sampler, Scheme, load,
};
use crossbayes::report::OutputFacts;
use crossbayes::run::prepare;
use crossbayes::trace::ParquetSink;
use crossbayes::units::Bytes;
use proptest::prelude::*;
use std::sync::LazyLock;

/// The digits on `pcm_128` with a converter of 16 bits, which counts the currents of any array exactly.
static WIDE: LazyLock<Loaded> = LazyLock::new(|| {
    let mut loaded = load(&LoadRequest::default()).unwrap();
    let config = &mut loaded.config;
    let convert = config.arch.costs.adc[0].convert.clone();
    config.arch.costs.adc.push(AdcCost { bits: 16, convert });
    config.arch.adc.bits = 16;
    config.values.answer = Answer::First(4);
    config.ensemble.members = 3;
    loaded
});

/// Runs a configuration from its images to its last span.
fn outputs(config: Config, threads: usize) -> OutputFacts {
    let prepared = prepare(config, &WIDE.workload_base, threads, &|_, _, _| ()).unwrap();
    let (finished, _) = prepared.simulate(None::<ParquetSink>, String::new(), &|_, _, _| ()).unwrap();
    // What converters see depends on the arrays.
    OutputFacts { converters: Vec::new(), ..finished.facts.outputs.unwrap() }
}

/// The samplers whose answers differ: what is drawn, with how many bits, and when.
fn samplings() -> [(Scheme, Sampler); 4] {
    let generator = |probability_bits, draws| Sampler::Generator {
        source: RandomSource::Ideal,
        bits_per_cycle: 128,
        probability_bits,
        double_buffered: true,
        draws,
    };
    [
        (Scheme::Deterministic, generator(8, Draws::PerMember)),
        (Scheme::Dense, generator(8, Draws::PerMember)),
        (Scheme::Dense, generator(5, Draws::PerPosition)),
        (Scheme::Dense, Sampler::Comparator { noise_rows: 4, sub_arrays: 1, offset: Offset::default() }),
    ]
}

fn sampled(which: usize) -> Config {
    let mut config = WIDE.config.clone();
    (config.mapping.scheme, config.arch.sampler) = samplings()[which].clone();
    config
}

/// Answers on the plain chip, one for each sampling.
static PLAIN: LazyLock<Vec<OutputFacts>> = LazyLock::new(|| (0..4).map(|which| outputs(sampled(which), 1)).collect());

/// Chips and schedules that share nothing with the plain one but the sampling.
fn any_config() -> impl Strategy<Value = (usize, usize, Config)> {
    let array = (1u32..300, 1u32..150, 1u32..12, any::<bool>(), any::<bool>());
    let times = prop::collection::vec(0u64..30_000, 13);
    let periphery = (1u32..64, 1u32..5, 1u32..5, 1u32..20, 0..3usize, 1u32..128, (1u32..200, any::<bool>()));
    let schedule = (0..3usize, 0..3usize, any::<bool>(), any::<bool>(), 1u32..4, 1u32..10);
    (0..4usize, 1..4usize, array, times, periphery, schedule).prop_map(
        |(which, threads, array, times, periphery, schedule)| {
            let mut config = sampled(which);
            let chip = &mut config.arch;
            (chip.array.rows, chip.array.columns) = (array.0, 2 * array.1);
            chip.adc.columns_per_adc = array.2;
            chip.adc.input = if array.3 { AdcInput::Pair } else { AdcInput::Column };
            chip.array.sample_and_hold = array.4;
            chip.array.read_time.0 = times[0] + 1;
            let last = chip.costs.adc.len() - 1;
            common::set_times(&mut chip.costs, last, times[1..].iter().copied());
            let (lanes, depth, tree_depth, arrays, network, bytes, (bits, second_bank)) = periphery;
            (chip.digital.lanes, chip.digital.depth, chip.accumulator.depth) = (lanes, depth, tree_depth);
            chip.tile.arrays = arrays;
            chip.tile.input_buffer = Buffer { capacity: Bytes(1 << 20), bytes_per_cycle: bytes };
            chip.interconnect = match network {
                0 => Interconnect::Bus { bytes_per_cycle: bytes },
                1 => Interconnect::HTree { bytes_per_cycle: bytes },
                _ => Interconnect::Mesh { width: 0, bytes_per_cycle: bytes },
            };
            match &mut chip.sampler {
                Sampler::Generator { bits_per_cycle, double_buffered, .. } => {
                    (*bits_per_cycle, *double_buffered) = (bits, second_bank);
                }
                Sampler::Comparator { noise_rows, sub_arrays, .. } => (*noise_rows, *sub_arrays) = (bits, depth),
            }
            let (mode, grain, expanded, ring, images, copies) = schedule;
            config.schedule.mode = [Mode::Sequential, Mode::Layer, Mode::Streaming][mode];
            config.schedule.grain = [Grain::Op, Grain::Read, Grain::Conversion][grain];
            // Single rows and columns make tens of thousands of arrays: too many to simulate one by one here.
            let few = config.arch.array.rows >= 32 && config.arch.array.columns >= 32;
            config.schedule.grouping = if expanded && few { Grouping::Expanded } else { Grouping::Grouped };
            config.schedule.queue = if ring { Queue::Ring } else { Queue::PriorityQueue };
            config.schedule.images = images;
            config.mapping.replication = vec![("conv1".to_owned(), copies)];
            (which, threads, config)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 8 } else { 48 }))]

    #[test]
    fn answers_depend_neither_on_time_nor_on_the_machine((which, threads, config) in any_config()) {
        prop_assert_eq!(&outputs(config, threads), &PLAIN[which]);
    }
}

#[test]
fn answers_do_depend_on_sampling_and_seed() {
    for (i, first) in PLAIN.iter().enumerate() {
        for second in &PLAIN[i + 1..] {
            assert_ne!(first.mean_probabilities, second.mean_probabilities);
        }
        let mut config = sampled(i);
        config.seed = 2;
        let same = outputs(config, 1).mean_probabilities == first.mean_probabilities;
        assert_eq!(same, samplings()[i].0 == Scheme::Deterministic);
    }
}

#[test]
fn a_run_gives_the_same_spans_again() {
    use crossbayes::trace::{Span, SpanSink};
    struct Spans(Vec<Span>);
    impl SpanSink for Spans {
        fn push(&mut self, span: &Span) {
            self.0.push(*span);
        }
    }
    for which in 0..4 {
        let spans = |threads| {
            let prepared = prepare(sampled(which), &WIDE.workload_base, threads, &|_, _, _| ()).unwrap();
            let (finished, spans) = prepared.simulate(Spans(Vec::new()), String::new(), &|_, _, _| ()).unwrap();
            (finished.ledger, spans.0)
        };
        let (ledger, first) = spans(1);
        assert!(first.len() > 1000);
        assert!((ledger, first) == spans(3), "sampling {which}");
    }
}
