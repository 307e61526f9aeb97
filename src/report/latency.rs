//! How long it takes: latency, initiation interval and throughput.

use crate::config::Mode;
use crate::meter::{Interval, Ledger};
use crate::report::RunFacts;
use crate::units::cycles_to_ns;
use serde::Serialize;

/// Time of the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    /// Cycles from 0 to the end of the last work: with one image the latency of an inference.
    pub cycles: u64,
    /// The same in nanoseconds.
    pub ns: f64,
    /// Cycles from one image to the next, see [`initiation_interval`].
    pub initiation_interval_cycles: u64,
    /// Each image by itself.
    pub per_image: Vec<ImageLatency>,
}

/// Time of one image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageLatency {
    /// Number in the run.
    pub image: u32,
    /// Cycle of its first work.
    pub start_cycle: u64,
    /// Cycle after its last work.
    pub end_cycle: u64,
    /// Cycles between them.
    pub cycles: u64,
}

/// Work per time; none where there is no time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Throughput {
    /// Images per second in steady state: they follow each other at the initiation interval.
    pub images_per_s: Option<f64>,
    /// 1e9 operations per second there, see [`GOPS_DEFINITION`](crate::report::efficiency::GOPS_DEFINITION).
    pub gops: Option<f64>,
    /// Images of the run divided by its latency.
    pub run_images_per_s: Option<f64>,
    /// 1e9 operations per second of the run: all of its operations divided by its latency.
    pub run_gops: Option<f64>,
    /// Multiply-accumulates executed for one image: all passes of all layers.
    pub macs_per_image: u64,
}

/// Time of the run.
#[must_use]
pub fn latency(facts: &RunFacts, ledger: &Ledger) -> Latency {
    let cycles = ledger.makespan();
    let per_image = (0..ledger.images()).filter_map(|image| {
        let Interval { start, end } = ledger.image(image)?;
        Some(ImageLatency { image, start_cycle: start, end_cycle: end, cycles: end - start })
    });
    Latency {
        cycles,
        ns: cycles_to_ns(cycles, facts.config.arch.clock),
        initiation_interval_cycles: initiation_interval(facts, ledger),
        per_image: per_image.collect(),
    }
}

/// Cycles from one image to the next.
///
/// With several images: from the first completion to the last, divided by the images between them, rounded up. With
/// one image: the whole latency where layers run one at a time, else the time that the busiest layer is occupied with
/// it, from its first read to its last conversion over all members.
#[must_use]
pub fn initiation_interval(facts: &RunFacts, ledger: &Ledger) -> u64 {
    let ends = || (0..ledger.images()).filter_map(|image| ledger.image(image)).map(|window| window.end);
    let images = ends().count() as u64;
    if let (Some(first), Some(last), true) = (ends().min(), ends().max(), images > 1) {
        return (last - first).div_ceil(images - 1);
    }
    let occupied = |layer| {
        let of_image = ledger.passes(layer).filter(|(image, _, _)| *image == 0);
        of_image.fold(Interval::EMPTY, |all, (_, _, window)| all.join(window)).cycles()
    };
    match facts.config.schedule.mode {
        Mode::Sequential => ledger.makespan(),
        Mode::Layer | Mode::Streaming => {
            (0..ledger.layers()).map(occupied).max().filter(|cycles| *cycles > 0).unwrap_or(ledger.makespan())
        }
    }
}

/// Multiply-accumulates executed for one image.
#[must_use]
pub fn macs_per_image(facts: &RunFacts) -> u64 {
    facts.layers.iter().map(|layer| layer.macs_per_pass * u64::from(layer.passes_per_image)).sum()
}

/// Work per time.
#[must_use]
pub fn throughput(facts: &RunFacts, latency: &Latency) -> Throughput {
    let macs = macs_per_image(facts);
    let rate = |images: u32, cycles: u64| {
        (cycles > 0).then(|| f64::from(images) * facts.config.arch.clock.0 as f64 / cycles as f64)
    };
    let steady_state = rate(1, latency.initiation_interval_cycles);
    let run = rate(facts.config.schedule.images, latency.cycles);
    let gops = |rate: Option<f64>| rate.map(|rate| 2.0 * macs as f64 * rate / 1e9);
    Throughput {
        images_per_s: steady_state,
        gops: gops(steady_state),
        run_images_per_s: run,
        run_gops: gops(run),
        macs_per_image: macs,
    }
}
