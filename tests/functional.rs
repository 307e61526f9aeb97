//! Does the bit-serial path compute what plain integer arithmetic does?

use crossbayes::config::{
    Adc, AdcInput, AdcRange, Conversions, Draws, Input, Layer, Offset, Operation, Posterior, RandomSource, Sampler,
    Samples, Scheme, Workload,
};
use crossbayes::functional::kernels::Instructions;
use crossbayes::functional::post::max_pool;
use crossbayes::functional::{ArraySpec, Clipping, FunctionalModel, FunctionalSpec, Keep, MemoryCells, Observer};
use crossbayes::workload::posterior::is_probabilistic;
use crossbayes::workload::{BatchNorm, LayerPosterior, Learned, LoadedImages, LoadedPosterior, Net, Shape, resolve};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

fn spec(array_rows: u32, bits: u32, input: AdcInput) -> FunctionalSpec {
    let arrays = ArraySpec {
        rows: array_rows,
        columns: 64,
        adc: Some(Adc {
            bits,
            columns_per_adc: 8,
            input,
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
        sampler: generator(Draws::PerMember),
        scheme: Scheme::Dense,
        members: 2,
        samples: Samples::Drawn,
        times: None,
        ranges: None,
        seed: 11,
    }
}

fn generator(draws: Draws) -> Sampler {
    Sampler::Generator {
        source: RandomSource::Ideal,
        bits_per_cycle: 32,
        probability_bits: 8,
        double_buffered: false,
        draws,
    }
}

fn layer(name: &str, op: Operation, pool: u32, relu: bool, bits: u32) -> Layer {
    let name = name.to_owned();
    Layer { name, op, inputs: Vec::new(), pool, relu, activation_bits: bits, activity: None, tensors: None }
}

fn net(input: Input, layers: Vec<Layer>) -> Net {
    let workload = Workload {
        name: "test".to_owned(),
        description: String::new(),
        input,
        layers,
        posterior: Posterior::Absent,
        images: None,
        calibration: None,
        out_of_distribution: None,
        activity: 0.5,
    };
    resolve(&workload).unwrap()
}

/// A fully connected layer of `rows` unsigned `bits`-bit inputs.
fn linear(rows: u32, outputs: u32, bits: u32) -> Net {
    let input = Input { channels: rows, height: 1, width: 1, bits, signed: false };
    net(input, vec![layer("fc", Operation::Linear { outputs }, 1, true, 8)])
}

/// A posterior with the given p, batch norm of mean 0.25 and variance K, and scales of 1/10.
fn posterior(net: &Net, mut p: impl FnMut() -> f32) -> LoadedPosterior {
    let layers = net.layers.iter().map(|layer| {
        let columns = layer.columns as usize;
        let statistics = |factor: f32| BatchNorm {
            mean: vec![0.25 * factor; columns],
            var: vec![factor * layer.rows as f32; columns],
        };
        LayerPosterior {
            p: (0..layer.synapses()).map(|_| p()).collect(),
            sampled: statistics(1.0),
            mode: statistics(2.0),
            learned: Learned::none(layer.columns),
            input_scale: 0.1,
            samples: None,
        }
    });
    LoadedPosterior {
        path: PathBuf::new(),
        layers: layers.collect(),
        sets: Vec::new(),
        member_sets: Vec::new(),
        metadata: BTreeMap::new(),
        kappa: 4.0,
        bn_eps: 1e-5,
    }
}

/// Repeats given values for ever.
fn cycle<T: Copy>(values: Vec<T>) -> impl FnMut() -> T {
    let mut index = 0;
    move || {
        index += 1;
        values[(index - 1) % values.len()]
    }
}

/// A code as the number that it stands for.
fn number(code: u16, signed: bool) -> i64 {
    if signed { i64::from(code as i16) } else { i64::from(code) }
}

/// What row `row` of the matrix reads at an output position, straight from the definition of a convolution.
fn row_input(net: &Net, index: usize, codes: &[u16], position: u32, row: u32) -> i64 {
    let layer = &net.layers[index];
    let shape = layer.input;
    let (channel, y, x) = match layer.op {
        Operation::Linear { .. } => return number(codes[row as usize], layer.input_signed),
        Operation::Conv { kernel, stride, padding, .. } => {
            let (ky, kx) = (row / kernel % kernel, row % kernel);
            let (oy, ox) = (position / layer.linear.width, position % layer.linear.width);
            let place = |o: u32, k: u32| i64::from(o * stride + k) - i64::from(padding);
            (row / (kernel * kernel), place(oy, ky), place(ox, kx))
        }
    };
    if (0..i64::from(shape.height)).contains(&y) && (0..i64::from(shape.width)).contains(&x) {
        let flat = (i64::from(channel) * i64::from(shape.height) + y) * i64::from(shape.width) + x;
        number(codes[flat as usize], layer.input_signed)
    } else {
        0
    }
}

/// Accumulators `[column][position]` by 64-bit integer arithmetic, for p of 0 and 1 only.
fn integer_product(net: &Net, index: usize, posterior: &LoadedPosterior, codes: &[u16]) -> Vec<i32> {
    let layer = &net.layers[index];
    let weights = posterior.layers[index].p.chunks_exact(layer.rows as usize);
    let mut accumulators = Vec::new();
    for column in weights {
        for position in 0..layer.positions {
            let term = |(row, &p): (usize, &f32)| {
                (if p > 0.5 { 1 } else { -1 }) * row_input(net, index, codes, position, row as u32)
            };
            accumulators.push(column.iter().enumerate().map(term).sum::<i64>() as i32);
        }
    }
    accumulators
}

/// Logits of the whole network by the formulas of the module `post`, written out for one value at a time.
fn integer_network(net: &Net, posterior: &LoadedPosterior, image: &[u16]) -> Vec<f64> {
    let mut codes = image.to_vec();
    for (index, layer) in net.layers.iter().enumerate() {
        let pooled = max_pool(&integer_product(net, index, posterior, &codes), layer.linear, layer.pool);
        let of_layer = &posterior.layers[index];
        let size = layer.output.positions() as usize;
        let input_scale = f64::from(of_layer.input_scale);
        let value = |channel: usize| {
            let mean = f64::from(of_layer.sampled.mean[channel]);
            let sd = (f64::from(of_layer.sampled.var[channel]) + posterior.bn_eps).sqrt();
            (mean, sd)
        };
        if index == net.output {
            let logit = |(i, &acc): (usize, &i32)| {
                let (mean, sd) = value(i / size);
                f64::from(acc) * ((posterior.kappa * input_scale) / sd) + (-(posterior.kappa * mean)) / sd
            };
            return pooled.iter().enumerate().map(logit).collect();
        }
        let output_scale = f64::from(posterior.layers[index + 1].input_scale);
        let (lowest, highest) = if layer.relu {
            (0.0, f64::from((1u32 << layer.output_bits) - 1))
        } else {
            let half = f64::from(1u32 << (layer.output_bits - 1));
            (-half, half - 1.0)
        };
        let code = |(i, &acc): (usize, &i32)| {
            let (mean, sd) = value(i / size);
            let y = f64::from(acc) * (input_scale / (sd * output_scale)) + (-mean) / (sd * output_scale);
            y.round_ties_even().clamp(lowest, highest) as i64 as u16
        };
        codes = pooled.iter().enumerate().map(code).collect();
    }
    unreachable!("the last layer gives the logits")
}

/// A small network: a convolution of any shape, a pooled one, and a fully connected layer, with p of 0 and 1.
fn any_network() -> impl Strategy<Value = (Net, LoadedPosterior, Vec<u16>)> {
    network_of(1..4)
}

/// The same with so many input channels.
fn network_of(channels: Range<u32>) -> impl Strategy<Value = (Net, LoadedPosterior, Vec<u16>)> {
    let input = (channels, 4u32..7, 1u32..17, any::<bool>());
    let conv = (1u32..5, 1u32..4, 1u32..3, 0u32..3, any::<bool>(), 1u32..17);
    (input, conv, any::<bool>(), prop::collection::vec(any::<u16>(), 97), prop::collection::vec(any::<bool>(), 101))
        .prop_map(|((channels, side, bits, signed), (m, kernel, stride, padding, relu, code_bits), pool, raw, w)| {
            let input = Input { channels, height: side, width: side, bits, signed };
            let first = Operation::Conv { channels: m, kernel, stride, padding: padding.min(kernel - 1) };
            let second = Operation::Conv { channels: 3, kernel: 1, stride: 1, padding: 0 };
            let out = (side + 2 * padding.min(kernel - 1) - kernel) / stride + 1;
            let pool = if pool && out % 2 == 0 { 2 } else { 1 };
            let net = net(
                input,
                vec![
                    layer("a", first, 1, relu, code_bits),
                    layer("b", second, pool, !relu, code_bits),
                    layer("c", Operation::Linear { outputs: 4 }, 1, true, 8),
                ],
            );
            let posterior = posterior(&net, cycle(w.into_iter().map(|w| if w { 1.0 } else { 0.0 }).collect()));
            let mut raw = cycle(raw);
            // Two's complement codes come sign-extended.
            let code = |raw: u16| {
                if signed { (((raw << (16 - bits)) as i16) >> (16 - bits)) as u16 } else { raw >> (16 - bits) }
            };
            let image = (0..net.input.len()).map(|_| code(raw())).collect();
            (net, posterior, image)
        })
}

/// A pulse: its lowest bit, how many it carries, and the sign of its worth.
struct Pulse {
    first: u32,
    bits: u32,
    sign: i64,
}

impl Pulse {
    fn level(&self, input: i64) -> i64 {
        input >> self.first & ((1 << self.bits) - 1)
    }
}

/// The pulses of the first layer: `bits_per_pulse` bits in each until none is left but the sign, which comes last.
fn pulses(net: &Net, bits_per_pulse: u32) -> Vec<Pulse> {
    let layer = &net.layers[0];
    let mut left = if layer.input_signed { layer.input_bits - 1 } else { layer.input_bits };
    let (mut pulses, mut first) = (Vec::new(), 0);
    while left > 0 {
        let bits = left.min(bits_per_pulse);
        pulses.push(Pulse { first, bits, sign: 1 });
        (first, left) = (first + bits, left - bits);
    }
    if layer.input_signed {
        pulses.push(Pulse { first, bits: 1, sign: -1 });
    }
    pulses
}

/// Keeps the accumulators of member 1; computed pulse by pulse where `SERIAL`, else by the fastest exact way.
#[derive(Default)]
struct Accumulators<const SERIAL: bool>(Vec<Vec<i32>>);

impl<const SERIAL: bool> Observer for Accumulators<SERIAL> {
    const WATCHES_INPUTS: bool = SERIAL;

    fn accumulators(&mut self, _: usize, _: usize, member: usize, accumulators: &[i32]) {
        if member == 1 {
            self.0.push(accumulators.to_vec());
        }
    }
}

fn images(net: &Net, codes: Vec<u16>) -> LoadedImages {
    LoadedImages::new(net.input, codes, None)
}

proptest! {
    #[test]
    fn a_wide_converter_gives_integer_arithmetic(
        (net, posterior, image) in any_network(),
        array_rows in 1u32..200,
        column in any::<bool>(),
        bits_per_pulse in 1u32..8,
    ) {
        let input = if column { AdcInput::Column } else { AdcInput::Pair };
        // Sums of 200 rows at level 127 are within 16 bits of a pair.
        let spec = FunctionalSpec { bits_per_pulse, ..spec(array_rows, 16, input) };
        let model = FunctionalModel::new(&spec, &net, &posterior).unwrap();
        prop_assert!((0..3).all(|layer| model.step(layer) == 1.0));
        let expected = integer_network(&net, &posterior, &image);
        let images = images(&net, image.clone());
        let (mut direct, mut serial) = (Accumulators::<false>::default(), Accumulators::<true>::default());
        let logits = model.observe(&images, 0, &mut direct).unwrap();
        prop_assert_eq!(&direct.0[0], &integer_product(&net, 0, &posterior, &image));
        prop_assert_eq!(&logits[..4], &expected[..]);
        prop_assert_eq!(&logits[4..], &expected[..]);
        // Watching inputs changes nothing, nor does a machine without wide instructions.
        let portable = model.with(Instructions::portable());
        prop_assert_eq!(portable.observe(&images, 0, &mut serial).unwrap(), logits);
        prop_assert_eq!(serial.0, direct.0);
    }

    #[test]
    fn a_narrow_converter_rounds_and_clips_each_block_and_pulse(
        (net, posterior, image) in prop_oneof![3 => network_of(1..4), 1 => network_of(20..60)],
        array_rows in prop_oneof![1u32..40, 40u32..300],
        bits in 2u32..8,
        column in any::<bool>(),
        fixed in prop::option::of(1u32..30),
        bits_per_pulse in 1u32..9,
        per_value in any::<bool>(),
    ) {
        let mut spec = spec(array_rows, bits, if column { AdcInput::Column } else { AdcInput::Pair });
        spec.bits_per_pulse = bits_per_pulse;
        let pulses = pulses(&net, bits_per_pulse);
        // In currents of a cell at level 1: stated at the driver's full level, or at the highest that occurs.
        let signed = net.layers[0].input_signed;
        // A bitline's charge has no sign.
        let per_value = per_value && !(column && net.layers.iter().any(|layer| layer.input_signed));
        let (highest, full): (u32, u32) = if per_value {
            let bits = net.layers[0].input_bits;
            let magnitudes = pulses.iter().filter(|pulse| pulse.sign > 0).count() as u32;
            let highest = if signed { 1 << (bits - 1) } else { (1 << bits) - 1 };
            (highest, ((1 << (bits_per_pulse * magnitudes)) - 1).max(1))
        } else {
            (pulses.iter().map(|pulse| (1 << pulse.bits) - 1).max().unwrap(), (1 << bits_per_pulse) - 1)
        };
        let range = match fixed {
            Some(range) => range * full,
            None => array_rows.min(net.layers[0].rows) * highest,
        };
        for arrays in [&mut spec.deterministic, &mut spec.stochastic] {
            let range = fixed.map_or(AdcRange::FullScale, |range| AdcRange::Fixed(f64::from(range)));
            let adc = arrays.adc.as_mut().unwrap();
            (adc.range, adc.conversions) =
                (range, if per_value { Conversions::PerValue } else { Conversions::PerPulse });
        }
        let model = FunctionalModel::new(&spec, &net, &posterior).unwrap();
        let (accumulators, clipping) = model.accumulate(0, 0, 0, &image, &mut ());
        for instructions in [Instructions::best().narrower(), Instructions::portable()] {
            let other = model.clone().with(instructions);
            prop_assert_eq!(&other.accumulate(0, 0, 0, &image, &mut ()), &(accumulators.clone(), clipping));
        }

        let layer = &net.layers[0];
        let top = if column { (1i64 << bits) - 1 } else { (1i64 << (bits - 1)) - 1 };
        let step = f64::from(range) / top as f64;
        let step = if fixed.is_some() { step } else { step.max(1.0) };
        prop_assert_eq!(model.step(0), step);
        let mut clipped = 0;
        let mut convert = |sum: i64| {
            let code = (sum as f64 / step).round() as i64;
            clipped += u64::from(code.abs() > top);
            code.clamp(-top, top)
        };
        let mut expected = Vec::new();
        for weights in posterior.layers[0].p.chunks_exact(layer.rows as usize) {
            for position in 0..layer.positions {
                let mut sum = 0;
                for together in pulses.chunks(if per_value { pulses.len() } else { 1 }) {
                    for (block, weights) in weights.chunks(array_rows as usize).enumerate() {
                        let (mut plus, mut minus) = (0, 0);
                        for (row, &p) in weights.iter().enumerate() {
                            let row = block as u32 * array_rows + row as u32;
                            let input = row_input(&net, 0, &image, position, row);
                            let level: i64 = if per_value {
                                together.iter().map(|pulse| pulse.sign * (pulse.level(input) << pulse.first)).sum()
                            } else {
                                together[0].level(input)
                            };
                            if p > 0.5 { plus += level } else { minus += level }
                        }
                        let code = if column { convert(plus) - convert(minus) } else { convert(plus - minus) };
                        sum += if per_value { code } else { together[0].sign * (code << together[0].first) };
                    }
                }
                expected.push(sum as i32);
            }
        }
        prop_assert_eq!(accumulators, expected);
        let clipping = Clipping::of_layer(&clipping);
        prop_assert_eq!(clipping.clipped, clipped);
        let blocks = u64::from(layer.rows.div_ceil(array_rows));
        let results = blocks * u64::from(layer.columns) * if column { 2 } else { 1 };
        let per_position = results * if per_value { 1 } else { pulses.len() as u64 };
        prop_assert_eq!(clipping.conversions, per_position * u64::from(layer.positions));
    }

    #[test]
    fn activity_counts_the_rows_that_each_pulse_drives(
        (net, posterior, image) in any_network(),
        array_rows in 1u32..40,
        bits_per_pulse in 1u32..9,
    ) {
        let spec = FunctionalSpec { bits_per_pulse, ..spec(array_rows, 10, AdcInput::Pair) };
        let model = FunctionalModel::new(&spec, &net, &posterior).unwrap();
        let mut two = vec![0; image.len()];
        two.extend(&image);
        let table = model.evaluate(&images(&net, two), 0..2, Keep { activity: 2, accumulators: false }, 1, &|_| ()).unwrap().activity;
        let (layer, counts) = (&net.layers[0], &table.layers[0][0]);
        for position in 0..layer.positions {
            for block in 0..layer.rows.div_ceil(array_rows) {
                let rows = block * array_rows..((block + 1) * array_rows).min(layer.rows);
                let inputs: Vec<i64> = rows.map(|row| row_input(&net, 0, &image, position, row)).collect();
                let (at, part) = (position as usize, block as usize);
                for member in 0..2 {
                    for (pulse, of_pulse) in pulses(&net, bits_per_pulse).iter().enumerate() {
                        let levels = || inputs.iter().map(|&input| of_pulse.level(input));
                        let squares: i64 = levels().map(|level| level * level).sum();
                        prop_assert_eq!(counts.driven(1, member, at, pulse, part), levels().filter(|&v| v > 0).count() as u16);
                        prop_assert_eq!(counts.squares(1, member, at, pulse, part), squares as u32);
                        prop_assert_eq!(counts.driven(0, member, at, pulse, part), 0);
                        prop_assert_eq!(counts.squares(0, member, at, pulse, part), 0);
                    }
                    let nonzero = inputs.iter().filter(|&&input| input != 0).count();
                    prop_assert_eq!(counts.nonzero(1, member, at, part), nonzero as u16);
                }
            }
        }
    }
}

/// A network with p well inside 0..1, and images.
fn uncertain() -> (Net, LoadedPosterior, LoadedImages) {
    let input = Input { channels: 2, height: 6, width: 6, bits: 4, signed: false };
    let conv = Operation::Conv { channels: 5, kernel: 3, stride: 1, padding: 1 };
    let net = net(input, vec![layer("a", conv, 2, true, 4), layer("b", Operation::Linear { outputs: 3 }, 1, true, 8)]);
    let posterior = posterior(&net, cycle((1..20).map(|i| i as f32 / 20.0).collect()));
    let codes = (0..7 * net.input.len()).map(|i| (i * i % 13) as u16).collect();
    let images = images(&net, codes);
    (net, posterior, images)
}

#[test]
fn outputs_do_not_depend_on_threads_or_on_the_size_of_arrays() {
    let (net, posterior, images) = uncertain();
    for sampler in [
        generator(Draws::PerMember),
        generator(Draws::PerPosition),
        Sampler::Comparator { noise_rows: 4, sub_arrays: 1, offset: Offset::default() },
    ] {
        let run = |array_rows, threads| {
            let spec = FunctionalSpec { sampler: sampler.clone(), ..spec(array_rows, 10, AdcInput::Pair) };
            let model = FunctionalModel::new(&spec, &net, &posterior).unwrap();
            model.run(&images, 1..7, threads, &|_| ()).unwrap()
        };
        let first = run(128, 1);
        assert_eq!(first, run(128, 4));
        let small_arrays = run(5, 2);
        assert_eq!(first.logits, small_arrays.logits);
        assert_eq!(first.predictions.len(), 6);
    }
}

#[test]
fn progress_counts_every_image_once() {
    let (net, posterior, images) = uncertain();
    let model = FunctionalModel::new(&spec(64, 10, AdcInput::Pair), &net, &posterior).unwrap();
    let reported = std::sync::Mutex::new(Vec::new());
    model.run(&images, 0..7, 3, &|done| reported.lock().unwrap().push(done)).unwrap();
    let mut reported = reported.into_inner().unwrap();
    reported.sort_unstable();
    assert_eq!(reported, [1, 2, 3, 4, 5, 6, 7]);
}

/// Accumulators of a layer with one row that is always driven by 1 are its weights.
fn drawn(p: f32, sampler: Sampler, image: usize, member: usize) -> Vec<i32> {
    let net = linear(1, 4000, 1);
    let spec = FunctionalSpec { sampler, ..spec(128, 10, AdcInput::Pair) };
    let model = FunctionalModel::new(&spec, &net, &posterior(&net, || p)).unwrap();
    model.accumulate(0, image, member, &[1], &mut ()).0
}

#[test]
fn weights_are_drawn_with_their_probability() {
    let comparator = Sampler::Comparator { noise_rows: 4, sub_arrays: 1, offset: Offset::default() };
    for sampler in [generator(Draws::PerMember), generator(Draws::PerPosition), comparator] {
        assert!(drawn(0.0, sampler.clone(), 0, 0).iter().all(|&w| w == -1));
        assert!(drawn(1.0, sampler.clone(), 0, 0).iter().all(|&w| w == 1));
        let ones = drawn(0.3, sampler, 0, 0).iter().filter(|&&w| w == 1).count();
        // 0.3 * 4000 = 1200, standard deviation sqrt(4000 * 0.3 * 0.7) = 29.
        assert!((1084..=1316).contains(&ones), "{ones} of 4000");
    }
}

#[test]
fn a_members_sample_is_held_for_all_images_or_fresh_at_every_position() {
    let held = |image, member| drawn(0.5, generator(Draws::PerMember), image, member);
    assert_eq!(held(0, 0), held(1, 0));
    assert_ne!(held(0, 0), held(0, 1));
    let fresh = |image, member| drawn(0.5, generator(Draws::PerPosition), image, member);
    assert_eq!(fresh(0, 0), fresh(0, 0));
    assert_ne!(fresh(0, 0), fresh(1, 0));
    assert_ne!(fresh(0, 0), fresh(0, 1));
}

/// Two rows of weights +1 and -1 on codes of 4 bits in two pulses of 2: 13 is (1, 3), 6 is (2, 1), lowest digit first. Sums
/// of the pair are -1 and 2, those of its lines 1, 2 and 3, 1.
#[test]
fn a_pulse_of_two_bits_sums_levels() {
    let net = linear(2, 1, 4);
    let posterior = posterior(&net, cycle(vec![1.0, 0.0]));
    let of = |bits: u32, input, range, codes: [u16; 2]| {
        let mut spec = FunctionalSpec { bits_per_pulse: 2, ..spec(128, bits, input) };
        for arrays in [&mut spec.deterministic, &mut spec.stochastic] {
            arrays.adc.as_mut().unwrap().range = range;
        }
        let model = FunctionalModel::new(&spec, &net, &posterior).unwrap();
        let (accumulators, clipping) = model.accumulate(0, 0, 0, &codes, &mut ());
        let clipping = Clipping::of_layer(&clipping);
        (accumulators[0], model.step(0), clipping.clipped, clipping.conversions)
    };
    use AdcRange::{Fixed, FullScale};
    // Exact: 13 - 6. Two rows at level 3 are 6, within 4 bits of a pair and 3 of a line.
    assert_eq!(of(4, AdcInput::Pair, FullScale, [13, 6]), (7, 1.0, 0, 2));
    assert_eq!(of(3, AdcInput::Column, FullScale, [13, 6]), (7, 1.0, 0, 4));
    // Codes -3..=3 of a pair span 6: -1 / 2 rounds to -1, 2 / 2 is 1; -1 + 4 x 1.
    assert_eq!(of(3, AdcInput::Pair, FullScale, [13, 6]), (3, 2.0, 0, 2));
    // Codes 0..=3 of a line span 6: 1 / 2 and 2 / 2 round to 1 and 1, 3 / 2 and 1 / 2 to 2 and 1; 0 + 4 x 1.
    assert_eq!(of(2, AdcInput::Column, FullScale, [13, 6]), (4, 2.0, 0, 4));
    // A fixed range of one cell at full level is 3 at level 1: 15 - 0 has sums 3 and 3; of half a cell, 1.5, both clip.
    assert_eq!(of(3, AdcInput::Pair, Fixed(1.0), [15, 0]), (15, 1.0, 0, 2));
    assert_eq!(of(3, AdcInput::Pair, Fixed(0.5), [15, 0]), (15, 0.5, 2, 2));
    // A negative sum clips at the other end: -3 - 4 x 3.
    assert_eq!(of(3, AdcInput::Pair, Fixed(0.5), [0, 15]), (-15, 0.5, 2, 2));
}

#[test]
fn comparators_do_not_go_through_the_converter() {
    // 200 rows of code 3 and p = 1: 600 exactly, where a 2-bit converter of 128 rows knows -128, 0 and 128 only:
    // blocks of 128 and 72 rows give 128 each, twice 128 for either bit: (1 + 1) * (1 + 2) * 128 = 768.
    let net = linear(200, 1, 2);
    let posterior = posterior(&net, || 1.0);
    let narrow = spec(128, 2, AdcInput::Pair);
    let sampler = Sampler::Comparator { noise_rows: 4, sub_arrays: 1, offset: Offset::default() };
    let compare = FunctionalSpec { sampler, ..narrow.clone() }.on(ArraySpec { rows: 128, columns: 64, adc: None });
    let value = |spec: &FunctionalSpec| {
        let model = FunctionalModel::new(spec, &net, &posterior).unwrap();
        let (accumulators, clipping) = model.accumulate(0, 0, 0, &[3; 200], &mut ());
        (f64::from(accumulators[0]) * model.step(0), Clipping::of_layer(&clipping).conversions)
    };
    assert_eq!(value(&compare), (600.0, 0));
    // 2 bits, 2 blocks, 1 column.
    assert_eq!(value(&narrow), (768.0, 4));
}

#[test]
fn the_deterministic_scheme_uses_mode_weights_and_mode_statistics() {
    // p = 0.5 is not above one half: w = -1. 4 rows of code 2 give -8.
    let net = linear(4, 2, 2);
    let posterior = posterior(&net, cycle(vec![0.5, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.1]));
    let spec = FunctionalSpec { scheme: Scheme::Deterministic, ..spec(128, 10, AdcInput::Pair) };
    let model = FunctionalModel::new(&spec, &net, &posterior).unwrap();
    assert_eq!(model.members(), 1);
    let logits = model.observe(&images(&net, vec![2; 4]), 0, &mut ()).unwrap();
    // Mode statistics: mean 0.5, variance 8. (acc * 0.1 - 0.5) * 4 / sqrt(8.00001), acc -8 and 4.
    let expected = [-8.0, 4.0].map(|acc: f64| (acc * f64::from(0.1f32) - 0.5) * 4.0 / 8.00001f64.sqrt());
    assert!(logits.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{logits:?} {expected:?}");
}

#[test]
fn a_synthetic_posterior_has_the_stated_share_of_probabilistic_synapses() {
    let (net, _, images) = uncertain();
    let net = Net { layers: net.layers.clone(), ..net };
    let made = LoadedPosterior::synthetic(3, &[0.0, 0.8], &net).unwrap();
    let count = |layer: usize| made.layers[layer].p.iter().filter(|&&p| 0.05 < p && p < 0.95).count() as u64;
    assert_eq!([count(0), count(1)], [0, 108], "0.8 of 135");
    let again = LoadedPosterior::synthetic(3, &[0.0, 0.8], &net).unwrap();
    assert_eq!(made.layers[1].p, again.layers[1].p);
    let model = FunctionalModel::new(&spec(64, 10, AdcInput::Pair), &net, &made).unwrap();
    let table = model.evaluate(&images, 0..1, Keep { activity: 1, accumulators: false }, 1, &|_| ()).unwrap().activity;
    let driven: u16 = (0..4).map(|pulse| table.layers[1][0].driven(0, 0, 0, pulse, 0)).sum();
    assert!(driven > 0, "hidden activations are alive");
}

#[test]
fn a_synthetic_posterior_is_counted_as_it_is_drawn() {
    let net = linear(160, 100, 4);
    for share in [0.0, 1e-5, 0.1, 0.333_33, 0.5, 0.999_99, 1.0] {
        for seed in 0..3 {
            let p = LoadedPosterior::synthetic(seed, &[share], &net).unwrap().layers.remove(0).p;
            let drawn = p.iter().filter(|&&p| is_probabilistic(p)).count() as u64;
            assert_eq!(LoadedPosterior::synthetic_counts(&[share], &net).unwrap(), [drawn], "{share}");
            // Its first half holds its share of them: hypergeometric, at most 5 standard deviations of 31.6 off.
            let first = p[..8_000].iter().filter(|&&p| is_probabilistic(p)).count() as f64;
            assert!((first - drawn as f64 / 2.0).abs() <= 160.0, "{share}: {first} of {drawn}");
        }
    }
    // Uniform between the bounds, and near 0 as often as near 1: standard errors 0.002 and 0.004.
    let p = LoadedPosterior::synthetic(7, &[1.0], &net).unwrap().layers.remove(0).p;
    let mean = |p: &[f32]| p.iter().map(|p| f64::from(*p)).sum::<f64>() / p.len() as f64;
    assert!((mean(&p) - 0.5).abs() < 0.01, "{}", mean(&p));
    let p = LoadedPosterior::synthetic(7, &[0.0], &net).unwrap().layers.remove(0).p;
    assert!((mean(&p) - 0.5).abs() < 0.02, "{}", mean(&p));
}

#[test]
fn what_does_not_fit_is_refused() {
    let (net, posterior, images) = uncertain();
    let good = spec(128, 10, AdcInput::Pair);
    let refuse = |spec: FunctionalSpec| FunctionalModel::new(&spec, &net, &posterior).unwrap_err().to_string();
    let arrays = good.stochastic.clone();
    let adc = arrays.adc.clone().unwrap();
    assert_eq!(
        refuse(good.clone().on(ArraySpec { rows: 0, ..arrays.clone() })),
        "arch.array.rows is 0; expected 1..=4096"
    );
    assert_eq!(refuse(FunctionalSpec { members: 0, ..good.clone() }), "ensemble.members is 0; expected at least 1");
    assert_eq!(
        refuse(FunctionalSpec { bits_per_pulse: 9, ..good.clone() }),
        "arch.driver.bits_per_pulse is 9; expected 1..=8"
    );
    assert_eq!(
        refuse(good.clone().on(ArraySpec { adc: Some(Adc { bits: 17, ..adc.clone() }), ..arrays.clone() })),
        "arch.adc.bits is 17; expected 1..=16"
    );
    assert_eq!(
        refuse(good.clone().on(ArraySpec { adc: Some(Adc { range: AdcRange::Fixed(0.0), ..adc }), ..arrays })),
        "arch.adc.range is 0; expected a positive number of cell currents"
    );
    assert_eq!(
        refuse(FunctionalSpec { samples: Samples::Stored, ..good.clone() }),
        "ensemble.samples is Stored; a synthetic posterior stores none, so expected Drawn"
    );
    assert_eq!(
        LoadedPosterior::synthetic(1, &[0.5], &net).unwrap_err().to_string(),
        "posterior.probabilistic has 1 shares; the network has 2 layers"
    );
    assert_eq!(
        LoadedPosterior::synthetic(1, &[0.5, 1.5], &net).unwrap_err().to_string(),
        "posterior.probabilistic[1] is 1.5; expected 0..=1"
    );
    let model = FunctionalModel::new(&good, &net, &posterior).unwrap();
    assert_eq!(model.run(&images, 5..8, 1, &|_| ()).unwrap_err().to_string(), "image 7 is asked for; there are 7");
    let other = LoadedImages::new(Shape { channels: 1, height: 1, width: 1 }, vec![0], None);
    assert_eq!(
        model.run(&other, 0..1, 1, &|_| ()).unwrap_err().to_string(),
        "images are 1x1x1; the network reads 2x6x6"
    );
    // Two layers that read one output: made by hand, since the networks of today are chains.
    let mut forked = net.clone();
    forked.layers.push(net.layers[1].clone());
    let mut scales = posterior.clone();
    scales.layers.push(LayerPosterior { input_scale: 0.5, ..posterior.layers[1].clone() });
    assert_eq!(
        FunctionalModel::new(&good, &forked, &scales).unwrap_err().to_string(),
        "layers b and b read the output of a at different input scales: 0.1 and 0.5"
    );
    let wide = linear(40_000, 1, 16);
    let many = FunctionalModel::new(&good, &wide, &self::posterior(&wide, || 1.0)).unwrap_err();
    assert_eq!(
        many.to_string(),
        "the accumulators of layer fc would need more than 32 bits: 40000 rows of 16-bit codes"
    );
}

/// A network with biases, affine batch norm and a max-pool whose channels have scales of either sign, in plain floating
/// point from real-valued inputs: convolution, pool, batch norm, ReLU, in the order of the definition.
#[test]
fn biases_and_affine_batch_norm_are_those_of_floating_point() {
    let input = Input { channels: 2, height: 4, width: 4, bits: 5, signed: false };
    let net = net(
        input,
        vec![
            layer("conv", Operation::Conv { channels: 3, kernel: 3, stride: 1, padding: 1 }, 2, true, 6),
            layer("fc", Operation::Linear { outputs: 4 }, 1, false, 8),
        ],
    );
    let mut posterior = posterior(&net, cycle(vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]));
    posterior.layers[0].input_scale = 0.125;
    posterior.layers[1].input_scale = 0.0625;
    posterior.layers[0].learned =
        Learned { bias: vec![0.5, -1.25, 2.0], scale: vec![1.5, -0.75, -2.0], shift: vec![-2.0, 2.5, 6.0] };
    posterior.layers[1].learned = Learned {
        bias: vec![0.125, 3.0, -2.0, 0.0],
        scale: vec![-1.0, 2.0, 0.5, 0.0],
        shift: vec![0.5, -0.5, 1.0, 7.0],
    };
    let image: Vec<u16> = (0..32).map(|i| (i * 7 + 3) % 32).collect();

    // Real-valued, one value at a time, nothing folded.
    let sign = |layer: usize, index: usize| if posterior.layers[layer].p[index] > 0.5 { 1.0 } else { -1.0 };
    let normalise = |layer: usize, channel: usize, x: f64| {
        let (of_layer, learned) = (&posterior.layers[layer], &posterior.layers[layer].learned);
        let sd = (f64::from(of_layer.sampled.var[channel]) + posterior.bn_eps).sqrt();
        let centred = x + f64::from(learned.bias[channel]) - f64::from(of_layer.sampled.mean[channel]);
        f64::from(learned.scale[channel]) * centred / sd + f64::from(learned.shift[channel])
    };
    let pixel = |channel: usize, y: i32, x: i32| {
        let inside = (0..4).contains(&y) && (0..4).contains(&x);
        if inside { f64::from(image[channel * 16 + (y * 4 + x) as usize]) * 0.125 } else { 0.0 }
    };
    let convolution = |m: usize, y: i32, x: i32| -> f64 {
        let taps = (0..2).flat_map(|c| (0..3).flat_map(move |ky| (0..3).map(move |kx| (c, ky, kx))));
        let tap = |(c, ky, kx): (usize, i32, i32)| {
            sign(0, m * 18 + c * 9 + (ky * 3 + kx) as usize) * pixel(c, y + ky - 1, x + kx - 1)
        };
        taps.map(tap).sum()
    };
    let mut hidden = Vec::new();
    for m in 0..3 {
        for (y, x) in [(0, 0), (0, 2), (2, 0), (2, 2)] {
            let window = [(y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)];
            let pooled = window.map(|(y, x)| convolution(m, y, x)).into_iter().fold(f64::NEG_INFINITY, f64::max);
            let code = (normalise(0, m, pooled) / 0.0625).round_ties_even().clamp(0.0, 63.0);
            hidden.push(code * 0.0625);
        }
    }
    // The order matters: the largest normalised value is another one where the scale is negative.
    let corner = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(y, x)| normalise(0, 2, convolution(2, y, x)));
    assert!((corner.into_iter().fold(f64::NEG_INFINITY, f64::max) / 0.0625).round() * 0.0625 != hidden[8]);
    let logits: Vec<f64> = (0..4)
        .map(|m| {
            let sum: f64 = hidden.iter().enumerate().map(|(row, &value)| sign(1, m * 12 + row) * value).sum();
            posterior.kappa * normalise(1, m, sum)
        })
        .collect();
    // Not a degenerate case: hidden values of channels of either sign are neither all cut off nor all clipped.
    for channel in hidden.chunks(4) {
        assert!(channel.iter().any(|&value| value > 0.0 && value < 63.0 * 0.0625), "{hidden:?}");
    }

    let model = FunctionalModel::new(&spec(128, 10, AdcInput::Pair), &net, &posterior).unwrap();
    let answers = model.observe(&images(&net, image), 0, &mut ()).unwrap();
    for (i, (answer, expected)) in answers.iter().zip(logits.iter().cycle()).enumerate() {
        assert!((answer - expected).abs() < 1e-12, "logit {i}: {answer} against {expected}");
    }
}

#[test]
fn images_are_computed_once_whatever_is_kept_of_them() {
    let (net, posterior, images) = uncertain();
    // A converter that rounds: products are computed pulse by pulse, or not, with and without counting reads.
    for bits in [4, 10] {
        let model = FunctionalModel::new(&spec(16, bits, AdcInput::Pair), &net, &posterior).unwrap();
        let outputs = model.run(&images, 1..5, 1, &|_| ()).unwrap();
        for threads in [1, 3] {
            // Reads of images 1 to 5 are counted, the last of which is not answered.
            let keep = Keep { activity: 5, accumulators: true };
            let all = model.evaluate(&images, 1..5, keep, threads, &|_| ()).unwrap();
            assert_eq!(all.outputs, outputs);
            assert_eq!(all.activity.images, 1..6);
            let each = (1..6).map(|image| {
                let mut seen = Seen::default();
                model.observe(&images, image, &mut seen).unwrap();
                let reads = Keep { activity: 1, accumulators: false };
                (seen, model.evaluate(&images, image..image, reads, 1, &|_| ()).unwrap().activity)
            });
            for (i, (seen, reads)) in each.enumerate() {
                for (l, layer) in reads.layers.iter().map(|planes| &planes[0]).enumerate() {
                    for (member, position) in (0..2).flat_map(|m| (0..layer.positions).map(move |p| (m, p))) {
                        for block in 0..layer.blocks {
                            let counts = |from: &crossbayes::functional::LayerActivity, image| {
                                let driven = (0..4).map(|pulse| from.driven(image, member, position, pulse, block));
                                (driven.collect::<Vec<_>>(), from.nonzero(image, member, position, block))
                            };
                            assert_eq!(counts(&all.activity.layers[l][0], i), counts(layer, 0));
                        }
                    }
                    if i < 4 {
                        let size = seen.0[l].len();
                        assert_eq!(all.accumulators[l][i * size..(i + 1) * size], seen.0[l]);
                    }
                }
            }
            assert_eq!(all.accumulators[1].len(), 4 * 2 * 3);
        }
    }
}

/// Accumulators of an image by layer, member after member.
#[derive(Default)]
struct Seen([Vec<i32>; 2]);

impl Observer for Seen {
    fn accumulators(&mut self, layer: usize, _: usize, _: usize, accumulators: &[i32]) {
        self.0[layer].extend(accumulators);
    }
}

#[test]
fn frozen_synapses_are_those_that_are_never_drawn_otherwise() {
    use crossbayes::workload::posterior::is_frozen;
    // At 8 bits below half a step, 1/512, and from 511/512 on.
    let below = |p: f32| p.next_down();
    assert!(is_frozen(below(1.0 / 512.0), 8) && !is_frozen(1.0 / 512.0, 8));
    assert!(is_frozen(511.0 / 512.0, 8) && !is_frozen(below(511.0 / 512.0), 8));
    assert!(!is_frozen(below(511.0 / 512.0), 16) && is_frozen(0.0, 16) && is_frozen(1.0, 16) && !is_frozen(0.5, 1));
    // What a made-up posterior is expected to have, and has: 4 standard deviations of a binomial at most.
    let net = linear(300, 400, 4);
    for (share, bits) in [(0.25, 8), (0.25, 3), (0.5, 1), (0.0, 12)] {
        let made = LoadedPosterior::synthetic(3, &[share], &net).unwrap();
        let found = made.layers[0].p.iter().filter(|&&p| is_frozen(p, bits)).count() as f64;
        let expected = LoadedPosterior::synthetic_frozen(&[share], &net, bits).unwrap()[0] as f64;
        let deviation = (expected * (1.0 - expected / 120_000.0)).sqrt();
        assert!((found - expected).abs() <= 4.0 * deviation, "{share}, {bits} bits: {found} against {expected}");
    }
}
