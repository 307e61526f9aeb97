//! Is a run that skips what repeats itself the run that simulates all?

mod common;

use common::tied::{cases, tied};
use common::*;
use crossbayes::config::*;
use crossbayes::meter::{Ledger, Tally};
use crossbayes::parts::Outcome;
use crossbayes::simulate::{plan, simulate};
use crossbayes::units::Bytes;
use proptest::prelude::*;

/// A run with the given mode of skipping.
fn run(config: &Config, fast_forward: FastForward) -> (Outcome, Ledger) {
    let mut config = config.clone();
    config.schedule.fast_forward = fast_forward;
    let plan = plan(&config).unwrap();
    let assembly = plan.assemble(&config, None).unwrap();
    let ledger = Ledger::new(plan.net.layers.len() as u32, config.schedule.images, plan.mapping.members);
    let (outcome, tally) = simulate(&config, assembly, Tally::new(ledger), |_, _| ()).unwrap();
    (outcome, tally.ledger())
}

/// Events that were skipped, of how many; all else is the same.
fn skipped(config: &Config) -> (u64, u64) {
    let (outcome, ledger) = run(config, FastForward::On);
    let (whole, of_whole) = run(config, FastForward::Off);
    assert_eq!(whole, Outcome { skipped: 0, ..outcome.clone() });
    assert_eq!(of_whole, ledger);
    (outcome.skipped, outcome.events)
}

/// With both numbers some events are skipped, and as many are simulated.
fn costs_the_same(mut config: Config, numbers: [u32; 2], set: impl Fn(&mut Config, u32)) {
    let simulated = numbers.map(|number| {
        set(&mut config, number);
        let (skipped, all) = skipped(&config);
        assert!(skipped > 0, "{:?}", config.schedule.mode);
        all - skipped
    });
    assert_eq!(simulated[0], simulated[1], "{:?}", config.schedule.mode);
}

/// Cost does not grow with images: a thousand take as many simulated events as two hundred. Layers that are faster than a later
/// one run ahead until the buffers between them are full, so these are small.
#[test]
fn images_that_come_back_are_skipped() {
    for mode in [Mode::Sequential, Mode::Layer, Mode::Streaming] {
        let mut config = config(real_chip(64, 48), digits_like());
        config.schedule.mode = mode;
        config.ensemble.members = 3;
        config.arch.tile.input_buffer.capacity = Bytes(1 << 11);
        config.arch.tile.output_buffer.capacity = Bytes(1 << 11);
        config.arch.global_buffer.capacity = Bytes(1 << 8);
        costs_the_same(config, [200, 1000], |config, images| config.schedule.images = images);
    }
}

/// With one image members follow each other: a hundred take as many simulated events as thirty.
#[test]
fn members_that_come_back_are_skipped() {
    for mode in [Mode::Sequential, Mode::Layer, Mode::Streaming] {
        let mut config = config(real_chip(64, 48), digits_like());
        config.schedule.mode = mode;
        costs_the_same(config, [30, 100], |config, members| config.ensemble.members = members);
    }
}

/// A network of one convolution with so many rows of outputs, and one answer.
fn map(mode: Mode, height: u32, width: u32, pool: u32) -> Config {
    let mut conv = layer("conv", Operation::Conv { channels: 4, kernel: 3, stride: 1, padding: 1 });
    conv.pool = pool;
    let mut workload = workload(vec![conv, layer("fc", Operation::Linear { outputs: 3 })]);
    workload.input = Input { channels: 2, height, width, bits: 4, signed: false };
    let mut config = config(real_chip(64, 48), workload);
    config.schedule.mode = mode;
    config.schedule.images = 1;
    config.ensemble.members = 1;
    config
}

/// Within a pass positions follow each other: twice as many rows, or columns, take as many simulated events but for those of the
/// source, which sends row by row.
#[test]
fn positions_that_come_back_are_skipped() {
    for (mode, pool) in [(Mode::Sequential, 1), (Mode::Layer, 1), (Mode::Sequential, 2), (Mode::Layer, 2)] {
        let simulated = |height: u32, width: u32| {
            let (skipped, all) = skipped(&map(mode, height, width, pool));
            assert!(skipped > 0, "{mode:?} {pool}");
            all - skipped
        };
        // An event of the source and three of its link for each row, and one of the buffer that it fills.
        let most = simulated(32, 32);
        assert_eq!(simulated(32, 64), most, "{mode:?} {pool}");
        assert!(simulated(64, 32) <= most + 32 * 5, "{mode:?} {pool}: {} and {most}", simulated(64, 32));
    }
}

/// A streaming run of few images and members has nothing to skip, nor has one that books some cycles in detail.
#[test]
fn what_does_not_come_back_is_simulated() {
    let mut config = config(real_chip(64, 48), digits_like());
    config.schedule.mode = Mode::Streaming;
    config.ensemble.members = 3;
    assert_eq!(skipped(&config).0, 0);
    config.ensemble.members = 100;
    assert!(skipped(&config).0 > 0);
    config.schedule.window = TraceWindow::Cycles { from: 0, to: 100 };
    assert_eq!(skipped(&config).0, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(500)))]

    #[test]
    fn a_run_that_skips_is_the_run_that_simulates_all(
        mut config in tied(), images in 1..12_u32, members in 1..16_u32, queue in any::<bool>()
    ) {
        config.schedule.images = images;
        config.ensemble.members = members;
        config.schedule.queue = if queue { Queue::Ring } else { Queue::PriorityQueue };
        // More images may need larger buffers than the chip has.
        prop_assume!(plan(&config).is_ok());
        skipped(&config);
    }

    /// Maps that are large enough for positions to come back.
    #[test]
    fn a_pass_that_skips_is_the_pass_that_simulates_all(
        mut config in tied(), images in 1..8_u32, members in 1..8_u32, height in 3..14_u32, width in 3..20_u32,
        (streams, activity, grain) in (0..4_u32, prop::sample::select(vec![0.5, 0.25, 0.3, 1.0]), any::<bool>())
    ) {
        config.schedule.images = images;
        config.ensemble.members = members;
        if config.schedule.mode == Mode::Streaming && streams > 0 {
            config.schedule.mode = if streams == 1 { Mode::Sequential } else { Mode::Layer };
        }
        config.schedule.grain = if grain { Grain::Op } else { Grain::Read };
        (config.workload.input.height, config.workload.input.width) = (height, width);
        config.workload.activity = activity;
        for buffer in [&mut config.arch.tile.input_buffer, &mut config.arch.tile.output_buffer] {
            // Of one map, or of more.
            buffer.capacity = Bytes(buffer.capacity.0.max(8 * u64::from(height * width)));
        }
        prop_assume!(plan(&config).is_ok());
        skipped(&config);
    }
}
