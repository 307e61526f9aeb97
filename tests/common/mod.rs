//! Small chips and networks for tests, built in code.
#![allow(dead_code, reason = "each test file uses some of them")]

pub mod booked;
pub mod tied;

use crossbayes::config::*;
use crossbayes::functional::{ArraySpec, FunctionalSpec, MemoryCells};
use crossbayes::meter::Ledger;
use crossbayes::parts::{Outcome, RowActivity};
use crossbayes::simulate::{Plan, plan, simulate};
use crossbayes::trace::{Span, SpanSink};
use crossbayes::units::*;
use std::sync::Arc;

/// A cost in nanoseconds and attojoules.
pub fn cost(ns: u64, attojoules: u64) -> Cost {
    Cost {
        time: Time(ns * 1000),
        energy: Energy(attojoules),
        area: Area(1_000_000),
        leakage: Power(1_000),
        source: "test".into(),
        accuracy: "exact by definition".into(),
    }
}

/// Costs of a chip whose buffers, links and post-processing take no time: reads 10 ns, conversions `adc_ns`.
pub fn costs(adc_ns: u64) -> CostTable {
    CostTable {
        name: "test".into(),
        description: String::new(),
        node: Length(22),
        cell: cost(0, 0),
        wordline: cost(0, 1_280),
        dac: [2, 3, 4, 8].map(|bits| DacCost { bits, convert: cost(0, 5 * u64::from(bits)) }).into(),
        sample_and_hold: cost(0, 7),
        multiplexer: cost(0, 3),
        adc: vec![AdcCost { bits: 8, convert: cost(adc_ns, 1000) }],
        comparator: cost(1, 11),
        sampled_accumulate: cost(0, 13),
        random_bit: cost(1, 2),
        true_random_bit: cost(1, 186),
        lfsr_register: cost(1, 3),
        lfsr_gate: cost(0, 1),
        draw_compare: cost(0, 4),
        draw_latch: cost(0, 1),
        probability_fetch: cost(0, 17),
        index_bit: cost(0, 3),
        gather: cost(1, 7),
        shift_add: cost(0, 19),
        adder: cost(0, 23),
        post_process: cost(0, 29),
        pool: cost(0, 31),
        buffer_read: cost(0, 37),
        buffer_write: cost(0, 41),
        global_read: cost(0, 43),
        global_write: cost(0, 47),
        link: cost(0, 53),
    }
}

/// Gives the converter `adc` of a table and the other parts, in this order, these times in picoseconds.
pub fn set_times(costs: &mut CostTable, adc: usize, picoseconds: impl IntoIterator<Item = u64>) {
    let parts = [
        &mut costs.adc[adc].convert,
        &mut costs.comparator,
        &mut costs.sampled_accumulate,
        &mut costs.random_bit,
        &mut costs.shift_add,
        &mut costs.adder,
        &mut costs.post_process,
        &mut costs.buffer_read,
        &mut costs.buffer_write,
        &mut costs.global_read,
        &mut costs.global_write,
        &mut costs.link,
        &mut costs.pool,
    ];
    for (part, picoseconds) in parts.into_iter().zip(picoseconds) {
        part.time.0 = picoseconds;
    }
}

/// A chip of `rows` x `columns` arrays with an idle periphery.
pub fn chip(rows: u32, columns: u32) -> Chip {
    let buffer = |kib: u64, bytes_per_cycle| Buffer { capacity: Bytes(kib * 1024), bytes_per_cycle };
    Chip {
        device: crossbayes::config::Device::default(),
        name: "test".into(),
        description: String::new(),
        node: Length(22),
        clock: Frequency(1_000_000_000),
        costs: costs(1),
        array: Array {
            rows,
            columns,
            cells_per_synapse: 2,
            read_voltage: Voltage(200_000),
            conductance_on: Conductance(25_000_000),
            conductance_off: Conductance(0),
            read_time: Time(10_000),
            sample_and_hold: true,
            read_start: ReadStart::Late,
            held_bitlines: HeldBitlines::Selected,
            readout: ArrayReadout::Adc,
        },
        driver: Driver { bits_per_pulse: 1 },
        adc: Adc {
            bits: 8,
            columns_per_adc: 4,
            input: AdcInput::Pair,
            range: AdcRange::FullScale,
            conversions: Conversions::PerPulse,
            cost: Default::default(),
        },
        sampler: Sampler::Generator {
            source: RandomSource::Ideal,
            bits_per_cycle: 128,
            probability_bits: 8,
            double_buffered: true,
            draws: Draws::PerMember,
        },
        stochastic: StochasticArrays::default(),
        accumulator: Accumulator { depth: 4 },
        digital: Digital { lanes: 16, depth: 4 },
        tile: Tile { arrays: 8, input_buffer: buffer(256, 64), output_buffer: buffer(16, 64) },
        interconnect: Interconnect::Mesh { width: 0, bytes_per_cycle: 32 },
        global_buffer: buffer(1024, 64),
    }
}

/// The same chip with a periphery that takes time.
pub fn real_chip(rows: u32, columns: u32) -> Chip {
    let mut chip = chip(rows, columns);
    let costs = &mut chip.costs;
    for (cost, ns) in [
        (&mut costs.shift_add, 2),
        (&mut costs.adder, 1),
        (&mut costs.post_process, 1),
        (&mut costs.buffer_read, 1),
        (&mut costs.buffer_write, 1),
        (&mut costs.global_read, 2),
        (&mut costs.global_write, 2),
        (&mut costs.link, 1),
    ] {
        cost.time = Time(ns * 1000);
    }
    chip
}

/// A layer by operation.
pub fn layer(name: &str, op: Operation) -> Layer {
    Layer {
        name: name.into(),
        op,
        inputs: Vec::new(),
        pool: 1,
        relu: true,
        activation_bits: 4,
        activity: None,
        tensors: None,
    }
}

/// A convolution with 3x3 kernels and padding 1.
pub fn conv(channels: u32) -> Operation {
    Operation::Conv { channels, kernel: 3, stride: 1, padding: 1 }
}

/// A convolution of 2 channels (3x3 on 1x4x4 of 4 bits) and a fully connected layer of 3 classes, with a posterior file.
pub fn small_workload() -> Workload {
    let layers = vec![
        layer("conv1", Operation::Conv { channels: 2, kernel: 3, stride: 1, padding: 0 }),
        layer("fc1", Operation::Linear { outputs: 3 }),
    ];
    Workload {
        input: Input { channels: 1, height: 4, width: 4, bits: 4, signed: false },
        posterior: Posterior::File { path: "small.st".to_owned(), kappa: 4.0, bn_eps: 1e-5, input_scales: None },
        ..workload(layers)
    }
}

/// A network of layers on an input of 8x8 pixels with 5 bits.
pub fn workload(layers: Vec<Layer>) -> Workload {
    Workload {
        name: "test".into(),
        description: String::new(),
        input: Input { channels: 1, height: 8, width: 8, bits: 5, signed: false },
        layers,
        posterior: Posterior::Absent,
        images: None,
        calibration: None,
        out_of_distribution: None,
        activity: 0.25,
    }
}

/// A network on square images of 8 bits: convolutions (channels, pool), then fully connected layers, named `layer0` and up.
pub fn vgg(name: &str, (channels, side): (u32, u32), convs: &[(u32, u32)], linears: &[u32]) -> Workload {
    let convs = convs.iter().map(|&(channels, pool)| (conv(channels), pool));
    let linears = linears.iter().map(|&outputs| (Operation::Linear { outputs }, 1));
    let layers = convs.chain(linears).enumerate();
    let layers = layers.map(|(i, (op, pool))| Layer { pool, ..layer(&format!("layer{i}"), op) });
    Workload {
        name: name.to_owned(),
        input: Input { channels, height: side, width: side, bits: 8, signed: false },
        ..workload(layers.collect())
    }
}

/// Two convolutions with pooling and two linear layers: the shape of `digits`.
pub fn digits_like() -> Workload {
    let mut conv2 = layer("conv2", conv(32));
    conv2.pool = 2;
    workload(vec![
        layer("conv1", conv(16)),
        conv2,
        layer("fc1", Operation::Linear { outputs: 64 }),
        layer("fc2", Operation::Linear { outputs: 10 }),
    ])
}

/// A run of a network on a chip with default settings, timing only.
pub fn config(arch: Chip, workload: Workload) -> Config {
    Config {
        arch,
        workload,
        mapping: MappingSpec { scheme: Scheme::Dense, ..MappingSpec::default() },
        schedule: ScheduleSpec {
            mode: Mode::Layer,
            images: 1,
            grain: Grain::Read,
            window: TraceWindow::Nowhere,
            grouping: Grouping::Grouped,
            queue: Queue::Ring,
            fast_forward: FastForward::On,
        },
        ensemble: EnsembleSpec { members: 10, samples: Samples::Drawn, execution: Execution::Temporal },
        values: ValuesSpec { answer: Answer::Nothing, record: Record::Nothing },
        seed: 1,
    }
}

/// Keeps the spans and sums them.
#[derive(Debug)]
pub struct Both {
    pub spans: Vec<Span>,
    pub ledger: Ledger,
}

impl SpanSink for Both {
    fn push(&mut self, span: &Span) {
        self.spans.push(*span);
        self.ledger.push(span);
    }
}

/// Runs a configuration to the end.
pub fn run(config: &Config) -> (Outcome, Both) {
    let plan = plan(config).expect("the test's configuration is valid");
    run_plan(config, &plan, None)
}

/// The same of a plan, with the driven rows that images gave.
pub fn run_plan(config: &Config, plan: &Plan, activity: Option<Arc<dyn RowActivity>>) -> (Outcome, Both) {
    let assembly = plan.assemble(config, activity).expect("the dataflow is sound");
    let ledger = Ledger::new(plan.net.layers.len() as u32, config.schedule.images, plan.mapping.members);
    simulate(config, assembly, Both { spans: Vec::new(), ledger }, |_, _| ()).expect("no deadlock")
}

/// The shipped `toy_2x2` (arrays of one synapse column with a converter of its own, tile buffers and bus of 2 bytes a cycle)
/// with pointwise convolutions `a` and `b` of 2 channels and a linear layer `c` of 2 outputs on an input of 2 channels and
/// one row; 2 bits everywhere. Every layer has two arrays of 2 x 1 synapses in a tile.
pub fn pointwise_toy(width: u32) -> Config {
    let named = |name: &str| Some(name.to_owned());
    let request = LoadRequest { arch: named("toy_2x2"), workload: named("toy_two_layers"), set: Vec::new() };
    let arch = load(&request).expect("the shipped files are valid").config.arch;
    let pointwise = Operation::Conv { channels: 2, kernel: 1, stride: 1, padding: 0 };
    let mut layers = vec![layer("a", pointwise), layer("b", pointwise), layer("c", Operation::Linear { outputs: 2 })];
    layers.iter_mut().for_each(|layer| layer.activation_bits = 2);
    let mut workload = workload(layers);
    workload.input = Input { channels: 2, height: 1, width, bits: 2, signed: false };
    config(arch, workload)
}

/// One member on arrays of so many rows and synapse columns, all weights drawn.
pub fn functional_spec(rows: u32, columns: u32, adc_bits: u32) -> FunctionalSpec {
    let arrays = ArraySpec {
        rows,
        columns,
        adc: Some(Adc {
            bits: adc_bits,
            columns_per_adc: 8,
            input: AdcInput::Pair,
            range: AdcRange::FullScale,
            conversions: Conversions::PerPulse,
            cost: Default::default(),
        }),
    };
    FunctionalSpec {
        cells: MemoryCells::default(),
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
        ranges: None,
        seed: 1,
    }
}
