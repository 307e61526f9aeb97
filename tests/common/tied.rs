//! Random runs in which much happens in the same cycle.

use super::*;
use proptest::prelude::*;

/// Number of cases: `PROPTEST_CASES` if set, else the given number in optimised tests and a fifth of it in others.
pub fn cases(usual: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    asked.unwrap_or(if cfg!(debug_assertions) { usual / 5 } else { usual })
}

/// Small chips and networks full of ties: few times, which divide each other or are zero, so that much happens in the same
/// cycle; narrow links and buffers, so that it contends.
pub fn tied() -> impl Strategy<Value = Config> {
    let ns = prop::sample::select(vec![0, 1, 1, 1, 2, 2, 4]);
    let bytes = prop::sample::select(vec![1u32, 2, 4, 64]);
    let flags = any::<[bool; 7]>();
    let array = (1..4u32, 1..3u32, prop::sample::select(vec![1, 2, 4]), 1..3u32, 1..3u32, 1..5u32);
    let times = prop::collection::vec(ns, 13);
    let network = (0..5usize, bytes.clone(), [bytes.clone(), bytes.clone(), bytes], 1..4u32);
    let queues = (1..4u32, 1..4u32, 1..4u32);
    let of_layer = (1..4u32, 0..4usize, 1..5u32, 1..3u32);
    let net = (prop::collection::vec(of_layer, 2..5), 1..3u32, 2..6u32, 1..3u32, 1..4u32);
    let run = (0..5usize, 1..4u32, 1..5u32, 0..6usize, 1..9u32);
    let reads = (any::<[bool; 4]>(), prop::sample::select(vec![1u32, 1, 2, 3, 4]));
    (flags, array, times, network, queues, net, run, reads).prop_map(
        |(flags, array, times, network, queues, (stack, height, width, bits, outputs), run, reads)| {
            let mut chip = chip(2 * array.0, 4 * array.1);
            let (reads, bits_per_pulse) = reads;
            chip.driver.bits_per_pulse = bits_per_pulse;
            chip.array.read_time.0 = array.2 * 1000;
            chip.array.sample_and_hold = flags[0];
            chip.adc.columns_per_adc = array.3;
            chip.array.read_start = if reads[0] { ReadStart::Late } else { ReadStart::Early };
            chip.array.held_bitlines = if reads[1] { HeldBitlines::Selected } else { HeldBitlines::All };
            if reads[2] && reads[3] {
                chip.array.readout = ArrayReadout::SenseAmplifiers { sub_arrays: 1 + u32::from(flags[1]) };
            }
            chip.adc.input = if flags[1] { AdcInput::Pair } else { AdcInput::Column };
            super::set_times(&mut chip.costs, 0, times.iter().map(|ns| ns * 1000));
            let (kind, bytes_per_cycle, buffers, arrays) = network;
            chip.interconnect = match kind {
                0 => Interconnect::Mesh { width: 0, bytes_per_cycle },
                1 => Interconnect::HTree { bytes_per_cycle },
                _ => Interconnect::Bus { bytes_per_cycle },
            };
            let tile = &mut chip.tile;
            let into = [&mut tile.input_buffer, &mut tile.output_buffer, &mut chip.global_buffer];
            for (buffer, bytes) in into.into_iter().zip(buffers) {
                buffer.bytes_per_cycle = bytes;
            }
            tile.arrays = arrays;
            (chip.accumulator.depth, chip.digital.depth, chip.digital.lanes) = queues;
            let (mode, images, members, sampler, width_of_generator) = run;
            chip.sampler = match sampler {
                0 | 1 => {
                    Sampler::Comparator { noise_rows: 1, sub_arrays: 1 + sampler as u32, offset: Offset::default() }
                }
                _ => Sampler::Generator {
                    source: RandomSource::Ideal,
                    bits_per_cycle: width_of_generator,
                    probability_bits: 2,
                    double_buffered: flags[2],
                    draws: if sampler == 2 { Draws::PerPosition } else { Draws::PerMember },
                },
            };
            let mut layers = Vec::new();
            let mut copies = Vec::new();
            let mut map = (height, width);
            let (mut stack, mut input) = (stack, (array.4, bits));
            // Layers that are alike keep step with each other.
            if flags[6] {
                let (channels, kind, replicas, bits) = stack[0];
                input = (channels, bits);
                stack.fill((channels, kind.min(2), replicas, bits));
            }
            for (channels, kind, replicas, activation_bits) in stack {
                let op = if kind < 2 {
                    Operation::Conv { channels, kernel: 1, stride: 1, padding: 0 }
                } else {
                    Operation::Conv { channels, kernel: 3, stride: 1, padding: 1 }
                };
                let mut layer = layer(&format!("conv{}", layers.len()), op);
                copies.push((layer.name.clone(), replicas.min(map.0 * map.1)));
                layer.activation_bits = activation_bits;
                if kind == 3 && map.0 % 2 == 0 && map.1 % 2 == 0 {
                    layer.pool = 2;
                    map = (map.0 / 2, map.1 / 2);
                }
                layers.push(layer);
            }
            layers.push(layer("fc", Operation::Linear { outputs }));
            let mut workload = workload(layers);
            // A fraction of a row in most pulses.
            workload.activity = if reads[2] { 0.25 } else { 0.3 };
            workload.input = Input { channels: input.0, height, width, bits: input.1, signed: false };
            let mut config = config(chip, workload);
            config.schedule.mode = [Mode::Sequential, Mode::Layer, Mode::Layer, Mode::Streaming, Mode::Streaming][mode];
            config.schedule.images = images;
            config.ensemble.members = members;
            config.mapping.replication = copies;
            if flags[3] {
                config.mapping.scheme = Scheme::Deterministic;
            }
            // Buffers just large enough make back-pressure.
            if flags[4] {
                config.arch.tile.input_buffer.capacity = smallest(&config, |c| &mut c.arch.tile.input_buffer);
            }
            if flags[5] {
                config.arch.tile.output_buffer.capacity = smallest(&config, |c| &mut c.arch.tile.output_buffer);
            }
            config
        },
    )
}

/// The least capacity of a buffer that is accepted.
fn smallest(config: &Config, of: impl Fn(&mut Config) -> &mut Buffer) -> Bytes {
    let accepted = |bytes| {
        let mut config = config.clone();
        of(&mut config).capacity = Bytes(bytes);
        plan(&config).is_ok()
    };
    Bytes((0..16).map(|bit| 1 << bit).find(|&bytes| accepted(bytes)).expect("some capacity is enough"))
}
