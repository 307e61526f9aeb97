//! Passes per CPU-second of one case, for `benches/peers/values.py`: `cargo bench --bench values -- CASE SECONDS`.
//!
//! Cases: NETWORK/ROWS/BITS with a network of `networks` and a converter of so many bits, and layer/KIND: one layer of 4608 x 512
//! synapses on 36 arrays of 256 rows and 256 synapse columns, at 64 positions, with 8-bit converters; PCM cells but for `ideal_serial`.

mod networks;

use crossbayes::config::{Input, Operation, ReadNoise, Scheme, load_device};
use crossbayes::functional::{FunctionalModel, FunctionalSpec};
use crossbayes::workload::Net;
use networks::{cifar10_quarter, image, layers, model, spec, vgg_binaryconnect};
use std::time::Instant;

/// One convolution of 1 x 1 with 4608 rows and 512 columns, at 64 positions, and a small layer that has one position.
fn layer_of_4608_rows() -> Net {
    let input = Input { channels: 4608, height: 8, width: 8, bits: 8, signed: false };
    let op = Operation::Conv { channels: 512, kernel: 1, stride: 1, padding: 0 };
    layers(input, vec![(op, 8), (Operation::Linear { outputs: 1 }, 1)], 8)
}

/// The network of a case, its model, and passes of a run.
fn case(name: &str) -> Option<(Net, FunctionalModel, u32)> {
    let parts: Vec<&str> = name.split('/').collect();
    if let ["layer", kind] = parts[..] {
        let net = layer_of_4608_rows();
        let mut spec = FunctionalSpec { scheme: Scheme::Deterministic, ..spec(256, 256, 8) };
        let (noise, bits_per_pulse) = match kind {
            "ideal_serial" => (None, 1),
            "frozen" => (Some(ReadNoise::Frozen), 8),
            "frozen_serial" => (Some(ReadNoise::Frozen), 1),
            "white" => (Some(ReadNoise::White), 8),
            "white_serial" => (Some(ReadNoise::White), 1),
            _ => return None,
        };
        spec.bits_per_pulse = bits_per_pulse;
        if let Some(noise) = noise {
            spec.cells.device.model = load_device("pcm_joshi").expect("a built-in kind of cell");
            spec.cells.device.read_noise = noise;
        }
        let model = model(&spec, &net);
        return Some((net, model, 64));
    }
    let [network, rows, bits] = parts[..] else { return None };
    let net = match network {
        "vgg_binaryconnect" => vgg_binaryconnect(),
        "cifar10_quarter" => cifar10_quarter(),
        _ => return None,
    };
    let model = model(&spec(rows.parse().ok()?, 64, bits.parse().ok()?), &net);
    Some((net, model, 1))
}

/// Seconds of the CPU that this thread has had; of a clock where the system does not say.
fn seconds(start: Instant) -> f64 {
    let of_thread = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = of_thread.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |of| of / 1e9)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let ([name, time], start) = (&words[..], Instant::now()) else {
        println!("usage: cargo bench --bench values -- CASE SECONDS");
        return;
    };
    let Some((net, model, passes)) = case(name) else { panic!("unknown case {name}") };
    let time: f64 = time.parse().expect("a number of seconds");
    let image = image(&net);
    // On this thread, whose time is measured.
    let run = || model.observe(&image, 0, &mut ()).expect("the image fits");
    run();
    let (first, mut done) = (seconds(start), 0);
    let mut spent = 0.0;
    while spent < time {
        run();
        done += passes;
        spent = seconds(start) - first;
    }
    println!("{:.3}", f64::from(done) / spent);
}
