//! Speed of the functional path: drawing weights, one layer, whole passes. One thread each.

mod networks;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossbayes::functional::blocks::RowBlocks;
use crossbayes::functional::registers::{RegisterDraws, Registers};
use crossbayes::functional::weights::{BitMatrix, WeightDistribution};
use crossbayes::random::{Purpose, StreamName};
use networks::{cifar10_quarter, image, model, network, posterior, spec, vgg_binaryconnect};
use std::hint::black_box;

/// The 14 million weights of VGGBinaryConnect, 8-bit p.
fn sampling(c: &mut Criterion) {
    let net = vgg_binaryconnect();
    let posterior = posterior(&net);
    let mut layers: Vec<_> = net
        .layers
        .iter()
        .zip(&posterior.layers)
        .map(|(layer, posterior)| {
            let blocks = RowBlocks::new(layer.rows, 128);
            let distribution = WeightDistribution::new(posterior, layer.rows as usize, 8);
            (distribution, BitMatrix::new(blocks, layer.columns as usize))
        })
        .collect();
    let mut group = c.benchmark_group("sampling");
    group.throughput(Throughput::Elements(net.layers.iter().map(|layer| layer.synapses()).sum()));
    group.bench_function("vgg_binaryconnect", |b| {
        b.iter(|| {
            for (index, (distribution, matrix)) in layers.iter_mut().enumerate() {
                let name = StreamName { layer: index as u32, ..StreamName::new(Purpose::WeightSample) };
                distribution.draw(&mut name.open(1), matrix);
                black_box(&matrix);
            }
        });
    });
    drop(layers);
    // Registers as the chips have them by default; they run on from sample to sample.
    let registers = Registers { bits: 64, taps: vec![64, 63, 61, 60], number: 1, bits_per_cycle: 128, draw_bits: 8 };
    let mut layers: Vec<_> = (net.layers.iter().zip(&posterior.layers).enumerate())
        .map(|(index, (layer, posterior))| {
            let blocks = RowBlocks::new(layer.rows, 128);
            let draws = RegisterDraws::new(registers.clone(), posterior, index, blocks, 64, 1);
            let generators = draws.start(0);
            (draws, generators, BitMatrix::new(blocks, layer.columns as usize))
        })
        .collect();
    group.bench_function("vgg_binaryconnect/lfsr", |b| {
        b.iter(|| {
            for (draws, generators, matrix) in &mut layers {
                draws.draw(generators, matrix);
                black_box(&matrix);
            }
        });
    });
    group.finish();
}

/// One image, one member, with a converter that is exact (10 bits) and one that is not (7 bits). `benches/peers/values.py`
/// compares with PyTorch and aihwkit.
fn passes(c: &mut Criterion) {
    let networks = [
        ("digits_like", network(1, 8, &[(16, 1), (32, 2)], &[64, 10], 4)),
        ("cifar10_quarter", cifar10_quarter()),
        ("conv2_of_vgg", network(128, 32, &[(128, 2)], &[10], 8)),
        ("vgg_binaryconnect", vgg_binaryconnect()),
    ];
    let mut group = c.benchmark_group("pass");
    group.sample_size(10);
    for (name, net) in &networks {
        group.throughput(Throughput::Elements(1));
        for adc_bits in [10, 7] {
            let model = model(&spec(128, 64, adc_bits), net);
            let image = image(net);
            group.bench_function(format!("{name}/adc{adc_bits}"), |b| {
                b.iter(|| model.run(&image, 0..1, 1, &|_| ()).expect("the image fits"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, sampling, passes);
criterion_main!(benches);
