//! What an event costs: 864 arrays, each simulated by itself, spans summed by the ledger.
//!
//! `cargo bench --bench kernel`; the time per element is the time per event. Mapping and building the parts is not timed.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{chip, config, conv, layer, workload};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use crossbayes::config::{Config, Grouping, Queue};
use crossbayes::meter::{Ledger, Tally};
use crossbayes::parts::Assembly;
use crossbayes::simulate::{plan, simulate};
use crossbayes::trace::{ParquetSink, Span, SpanSink};

/// Takes spans and forgets them: the kernel alone.
#[derive(Debug)]
struct Nothing;

impl SpanSink for Nothing {
    fn push(&mut self, _: &Span) {}
}

/// One layer of 27 x 32 blocks of 128 x 128 cells on an 8 x 8 map, pooled down to one position.
fn config_864() -> Config {
    let mut layer = layer("conv", conv(2048));
    // Logits have one position.
    layer.pool = 8;
    let mut workload = workload(vec![layer]);
    workload.input.channels = 384;
    workload.input.bits = 8;
    let mut config = config(chip(128, 128), workload);
    config.ensemble.members = 1;
    config.schedule.grouping = Grouping::Expanded;
    config.arch.global_buffer.capacity.0 = 1 << 30;
    config.arch.tile.output_buffer.capacity.0 = 1 << 20;
    config
}

fn parts(config: &Config) -> Assembly {
    let plan = plan(config).expect("the bench's configuration is valid");
    plan.assemble(config, None).expect("the dataflow is sound")
}

fn run<K: SpanSink>(config: &Config, assembly: Assembly, sink: K) -> (u64, K) {
    let (outcome, sink) = simulate(config, assembly, sink, |_, _| ()).expect("no deadlock");
    (outcome.events, sink)
}

fn kernel(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel, 864 arrays");
    group.sample_size(10);
    let config = config_864();
    let tally = || Tally::new(Ledger::new(1, 1, 1));
    let (events, _) = run(&config, parts(&config), Nothing);
    let (_, sums) = run(&config, parts(&config), tally());
    println!("{events} events, {} spans", sums.ledger().spans());
    group.throughput(Throughput::Elements(events));
    group.bench_function("without ledger", |b| {
        b.iter_batched(|| parts(&config), |parts| run(&config, parts, Nothing), BatchSize::PerIteration);
    });
    group.bench_function("with ledger", |b| {
        b.iter_batched(|| parts(&config), |parts| run(&config, parts, tally()), BatchSize::PerIteration);
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let to_file = |parts| {
        let sink = ParquetSink::create(folder.path().join("trace.parquet"), &["conv"]).expect("writable");
        let (events, (_, sink)) = run(&config, parts, (tally(), sink));
        sink.finish(&[]).expect("writable");
        events
    };
    group.bench_function("with ledger and spans to Parquet", |b| {
        b.iter_batched(|| parts(&config), to_file, BatchSize::PerIteration);
    });
    let mut reference = config.clone();
    reference.schedule.queue = Queue::PriorityQueue;
    group.bench_function("with ledger, priority-queue", |b| {
        b.iter_batched(|| parts(&reference), |parts| run(&reference, parts, tally()), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, kernel);
criterion_main!(benches);
