//! Speed of the functional path: drawing weights, one layer, whole passes. One thread each.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossbayes::config::{
    Adc, AdcInput, AdcRange, Draws, Input, Layer, Operation, Posterior, RandomSource, Sampler, Samples, Scheme,
    Workload,
};
use crossbayes::functional::blocks::RowBlocks;
use crossbayes::functional::registers::{RegisterDraws, Registers};
use crossbayes::functional::weights::{BitMatrix, WeightDistribution};
use crossbayes::functional::{ArraySpec, FunctionalModel, FunctionalSpec};
use crossbayes::random::{Purpose, StreamName};
use crossbayes::workload::{LoadedImages, LoadedPosterior, Net, resolve};
use std::hint::black_box;

/// 3x3 convolutions with their pools, then fully connected layers, on square 8-bit images.
fn network(channels: u32, side: u32, convs: &[(u32, u32)], linears: &[u32], activation_bits: u32) -> Net {
    let conv = |&(channels, pool): &(u32, u32)| (Operation::Conv { channels, kernel: 3, stride: 1, padding: 1 }, pool);
    let linear = |&outputs: &u32| (Operation::Linear { outputs }, 1);
    let layers = convs.iter().map(conv).chain(linears.iter().map(linear)).enumerate();
    let workload = Workload {
        name: "bench".to_owned(),
        description: String::new(),
        input: Input { channels, height: side, width: side, bits: 8, signed: false },
        layers: layers
            .map(|(i, (op, pool))| Layer {
                name: format!("layer{i}"),
                op,
                inputs: Vec::new(),
                pool,
                relu: true,
                activation_bits,
                activity: None,
                tensors: None,
            })
            .collect(),
        posterior: Posterior::Absent,
        images: None,
        calibration: None,
        out_of_distribution: None,
        activity: 0.5,
    };
    resolve(&workload).expect("the network is sound")
}

fn vgg_binaryconnect() -> Net {
    let convs = [(128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2)];
    network(3, 32, &convs, &[1024, 1024, 100], 8)
}

/// A quarter of its width, on ten classes.
fn cifar10_quarter() -> Net {
    let convs = [(32, 1), (32, 2), (64, 1), (64, 2), (128, 1), (128, 2)];
    network(3, 32, &convs, &[256, 10], 8)
}

fn posterior(net: &Net) -> LoadedPosterior {
    LoadedPosterior::synthetic(1, &vec![0.1; net.layers.len()], net).expect("one share a layer")
}

/// One member on arrays of 128 rows.
fn model(net: &Net, adc_bits: u32) -> FunctionalModel {
    let arrays = ArraySpec {
        rows: 128,
        columns: 64,
        adc: Some(Adc { bits: adc_bits, columns_per_adc: 8, input: AdcInput::Pair, range: AdcRange::FullScale }),
    };
    let spec = FunctionalSpec {
        cells: crossbayes::functional::MemoryCells::default(),
        deterministic: arrays.clone(),
        stochastic: arrays,
        bits_per_pulse: 1,
        sampler: Sampler::Generator {
            source: RandomSource::Ideal,
            bits_per_cycle: 32,
            probability_bits: 8,
            double_buffered: true,
            draws: Draws::PerMember,
        },
        scheme: Scheme::Dense,
        members: 1,
        samples: Samples::Drawn,
        times: None,
        seed: 1,
    };
    FunctionalModel::new(&spec, net, &posterior(net)).expect("the sizes are sound")
}

fn image(net: &Net) -> LoadedImages {
    let codes = (0..net.input.len()).map(|i| ((i * 2_654_435_761) >> 7 & 0xff) as u16).collect();
    LoadedImages::new(net.input, codes, None)
}

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

/// One image, one member, with a converter that is exact (10 bits) and one that is not (7 bits). `benches/peers/pytorch.py`
/// runs the same networks in PyTorch.
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
            let model = model(net, adc_bits);
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
