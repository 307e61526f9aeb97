//! Nanoseconds that a span adds to a run: folded into the ledger, kept in memory, streamed to a Parquet file.
//!
//! `cargo bench --bench trace`. Spans are those of a small network at read grain: drive, read, conversion, shift-add and
//! accumulation per read, a fetch, a write and a transfer per position.

use crossbayes::mapping::Plane;
use crossbayes::meter::{Ledger, Tally};
use crossbayes::trace::{Action, Component, NONE, ParquetSink, Span, SpanSink};
use std::hint::black_box;
use std::time::Instant;

const SPANS: u32 = 4_000_000;
const LAYERS: u32 = 8;

/// The spans, one after another; `energy` varies as it does with real data.
fn spans() -> impl Iterator<Item = Span> {
    let kinds = [
        (Component::Buffer, Action::Fetch, 4, 1),
        (Component::Driver, Action::Drive, 1, 8),
        (Component::Crossbar, Action::Read, 10, 8),
        (Component::Adc, Action::Convert, 16, 8),
        (Component::Accumulator, Action::ShiftAdd, 1, 8),
        (Component::Crossbar, Action::WaitPort, 3, 1),
        (Component::Accumulator, Action::Accumulate, 3, 1),
        (Component::Link, Action::Transfer, 5, 1),
    ];
    let mut noise = 1_u64;
    (0..SPANS).map(move |i| {
        let (component, action, duration, units) = kinds[i as usize % kinds.len()];
        let position = i / 64;
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Span {
            start: u64::from(i / 8) * 16 + u64::from(i % 8),
            duration,
            repeats: 1,
            period: duration,
            component,
            action,
            plane: (units == 8).then_some(Plane::Stochastic),
            layer: i / 8 % LAYERS,
            group: if units == 8 { 0 } else { NONE },
            stage: i % 64,
            image: 0,
            member: i / (SPANS / 10 + 1),
            position: if action == Action::Transfer { NONE } else { position % 1024 },
            unit: if component == Component::Link { NONE } else { i / 8 % LAYERS * 8 },
            units,
            count: u64::from(units) * 128,
            energy: 1_000_000 + (noise >> 44),
        }
    })
}

/// Nanoseconds per span of `run`, the best of five.
fn best(mut run: impl FnMut()) -> f64 {
    let times = (0..5).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min) * 1e9 / f64::from(SPANS)
}

fn fill(sink: &mut impl SpanSink) {
    spans().for_each(|span| sink.push(&span));
}

fn main() {
    let making = best(|| {
        spans().for_each(|span| {
            black_box(span);
        })
    });
    println!("making a span          {making:6.1} ns");
    let ledger = best(|| {
        let mut tally = Tally::new(Ledger::new(LAYERS, 1, 10));
        fill(&mut tally);
        black_box(tally.ledger().makespan());
    });
    println!("ledger adds            {:6.1} ns", ledger - making);
    let memory = best(|| {
        let mut spans: Vec<Span> = Vec::new();
        fill(&mut spans);
        black_box(spans.len());
    });
    println!("vector adds            {:6.1} ns, {} bytes a span", memory - making, size_of::<Span>());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("trace.parquet");
    let layers: Vec<String> = (0..LAYERS).map(|i| format!("conv{i}")).collect();
    let parquet = best(|| {
        let mut sink = ParquetSink::create(&path, &layers).expect("a file");
        fill(&mut sink);
        sink.finish(&[]).expect("a trace");
    });
    let bytes = std::fs::metadata(&path).expect("the trace").len();
    println!("Parquet sink adds      {:6.1} ns, {:.2} bytes a span", parquet - making, bytes as f64 / f64::from(SPANS));
}
