//! Are two planes a layer what they stand for: the same answers as one plane, each array converted by itself, every cycle
//! and attojoule in its place?
//!
//! More cases: `PROPTEST_CASES=5000 cargo test --release --test planes`.

mod common;

use common::booked::assert_every_cycle_is_booked_once;
use common::tied::{cases, tied};
use common::*;
use crossbayes::config::*;
use crossbayes::functional::{
    ActivityTable, Clipping, Evaluation, FunctionalModel, FunctionalSpec, Keep, LayerClipping, Observer,
};
use crossbayes::mapping::{EMPTY, first_ensembling_layer};
use crossbayes::meter::{Account, Ledger};
use crossbayes::parts::accumulator::{HeldSums, PartialSums, adders};
use crossbayes::parts::{Outcome, RowActivity};
use crossbayes::readout::{Pulse, Readout};
use crossbayes::report::ClosedForm;
use crossbayes::report::closed_form::{LayerTime, closed_form, layer_times};
use crossbayes::simulate::{Plan, plan_split};
use crossbayes::trace::{Action, Component};
use crossbayes::units::{Bytes, read_energy};
use crossbayes::workload::{
    BatchNorm, LayerInput, LayerPosterior, Learned, LoadedImages, LoadedPosterior, Net, resolve,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// A run of a scheme on a posterior that is made in code, and its images.
#[derive(Clone)]
struct Case {
    config: Config,
    posterior: LoadedPosterior,
    images: LoadedImages,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let config = Config { arch: Chip { costs: costs(0), ..self.config.arch.clone() }, ..self.config.clone() };
        let times = &self.config.arch.costs;
        let p: Vec<_> = self.posterior.layers.iter().map(|layer| &layer.p).collect();
        let times = [&times.shift_add, &times.adder, &times.comparator, &times.random_bit].map(|cost| cost.time);
        let Chip { array, stochastic, adc, sampler, .. } = &config.arch;
        writeln!(
            f,
            "{:?}\n{array:?}\n{stochastic:?}\n{adc:?}\n{sampler:?}\n{:?} {:?}",
            config.mapping, config.schedule, config.ensemble
        )?;
        write!(
            f,
            "{:?}\n{:?}\n{:?}\ntimes {times:?}\np {p:?}",
            config.workload.layers, config.workload.input, config.arch.tile
        )
    }
}

impl Case {
    fn net(&self) -> Net {
        resolve(&self.config.workload).expect("the test's network is sound")
    }

    fn with(&self, change: impl FnOnce(&mut Config)) -> Self {
        let mut case = self.clone();
        change(&mut case.config);
        case
    }

    fn packed(&self, packing: Packing) -> Self {
        self.with(|config| {
            if let Scheme::Sparse { packing: of_scheme, .. } = &mut config.mapping.scheme {
                *of_scheme = packing;
            }
        })
    }

    fn without_skips(&self) -> Self {
        self.with(|config| {
            if let Scheme::Sparse { skip_zero_rows, .. } = &mut config.mapping.scheme {
                *skip_zero_rows = false;
            }
        })
    }

    fn plan(&self) -> Plan {
        plan_split(&self.config, Some(&self.posterior)).unwrap_or_else(|problems| panic!("{problems:?}: {self:?}"))
    }

    fn model(&self) -> FunctionalModel {
        FunctionalModel::new(&FunctionalSpec::of(&self.config), &self.net(), &self.posterior).expect("a sound model")
    }

    /// Answers, reads and accumulators of all images.
    fn values(&self, threads: usize) -> Evaluation {
        let images = self.images.len();
        let keep = Keep { activity: images, accumulators: true };
        self.model().evaluate(&self.images, 0..images, keep, threads, &|_| ()).expect("images of the network")
    }

    fn run(&self, activity: Option<Arc<ActivityTable>>) -> (Plan, Outcome, Both) {
        let plan = self.plan();
        let activity = activity.map(|activity| activity as Arc<dyn RowActivity>);
        let (outcome, both) = run_plan(&self.config, &plan, activity);
        (plan, outcome, both)
    }

    fn choices(&self) -> Choices<'_> {
        self.config.mapping.scheme.choices().expect("something is sampled")
    }

    fn first(&self) -> usize {
        let name = self.choices().first_ensembling_layer;
        name.map_or(0, |name| self.config.workload.layers.iter().position(|layer| layer.name == name).unwrap())
    }

    /// Whether a synapse of a layer from L0 on is probabilistic.
    fn probabilistic(&self, layer: usize, row: u32, column: u32) -> bool {
        let rows = self.net().layers[layer].rows;
        let p = f64::from(self.posterior.layers[layer].p[(column * rows + row) as usize]);
        self.choices().eps.is_none_or(|eps| p > eps && p < 1.0 - eps)
    }
}

/// Numbers that look random, by Knuth's generator.
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

/// A posterior of which each layer has its own share of p near 0 or 1.
fn posterior(net: &Net, seed: u64) -> LoadedPosterior {
    let mut number = numbers(seed);
    let layers = net.layers.iter().map(|layer| {
        let share = [0, 100, 500, 900, 1000][number() as usize % 5];
        let mut p = || {
            if number() % 1000 < share {
                (number() % 80 + 10) as f32 / 100.0
            } else {
                [0.0, 0.04, 0.96, 1.0][number() as usize % 4]
            }
        };
        let statistics = BatchNorm {
            mean: vec![0.25; layer.columns as usize],
            var: vec![layer.rows as f32; layer.columns as usize],
        };
        LayerPosterior {
            p: (0..layer.synapses()).map(|_| p()).collect(),
            sampled: statistics.clone(),
            mode: statistics,
            learned: Learned::none(layer.columns),
            input_scale: 0.5,
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

/// Images of a network, some of their codes 0.
fn images(net: &Net, number_of: usize, seed: u64) -> LoadedImages {
    let mut number = numbers(seed ^ 0x5eed);
    let bits = net.layers[0].input_bits;
    let mut code = || if number().is_multiple_of(3) { 0 } else { (number() % (1 << bits)) as u16 };
    LoadedImages::new(net.input, (0..net.input.len() as usize * number_of).map(|_| code()).collect(), None)
}

/// What a scheme chooses, and what its stochastic arrays are.
#[derive(Debug, Clone)]
struct Knobs {
    first: usize,
    eps: Eps,
    packing: Packing,
    keep: bool,
    skip: bool,
    draws_all: bool,
    rows: Option<u32>,
    columns: Option<u32>,
    readout: usize,
    source: usize,
    seed: u64,
}

fn knobs() -> impl Strategy<Value = Knobs> {
    let eps = prop::sample::select(vec![
        Eps::Everything,
        Eps::Above(0.0),
        Eps::Above(0.05),
        Eps::Above(0.05),
        Eps::Above(0.3),
        Eps::Above(0.3),
    ]);
    let packing = prop::sample::select(vec![
        Packing::Full,
        Packing::Rows,
        Packing::Rows,
        Packing::Lists { sorted: false },
        Packing::Lists { sorted: true },
    ]);
    let size = (prop::option::of(1..4u32), prop::option::of(1..5u32));
    (0..6usize, eps, packing, any::<[bool; 3]>(), size, 0..3usize, 0..3usize, any::<u64>()).prop_map(
        |(first, eps, packing, [keep, skip, draws_all], (rows, columns), readout, source, seed)| Knobs {
            first,
            eps,
            packing: if eps == Eps::Everything { Packing::Full } else { packing },
            keep: keep && eps != Eps::Everything,
            skip,
            draws_all,
            rows: rows.map(|rows| 2 * rows),
            columns: columns.map(|columns| 2 * columns),
            readout,
            source,
            seed,
        },
    )
}

/// Puts a scheme on a run of the dense one.
fn sparse(mut config: Config, knobs: Knobs) -> Case {
    let skips = knobs.skip && {
        let comparators = matches!(config.arch.sampler, Sampler::Comparator { .. });
        comparators || (knobs.readout == 2 || matches!(knobs.packing, Packing::Lists { .. }))
    };
    let first = config.workload.layers.get(knobs.first).map(|layer| FirstLayer::Layer(layer.name.clone()));
    config.mapping.scheme = Scheme::Sparse {
        first_ensembling_layer: first.unwrap_or_default(),
        eps: knobs.eps,
        packing: knobs.packing,
        keep_deterministic_part: knobs.keep,
        skip_zero_rows: skips,
    };
    let lists = matches!(knobs.packing, Packing::Lists { .. });
    let readout = match knobs.readout {
        0 if !lists => Some(ArrayReadout::Adc),
        1 if !lists => None,
        of => Some(ArrayReadout::SenseAmplifiers { sub_arrays: 1 + of as u32 % 2 }),
    };
    config.arch.stochastic = StochasticArrays {
        rows: knobs.rows,
        columns: knobs.columns,
        readout,
        draw_fixed_pairs: knobs.draws_all,
        ..StochasticArrays::default()
    };
    config.arch.stochastic.columns_per_adc = knobs.columns.map(|_| 1);
    config.arch.array.conductance_off.0 = [0, 3_000_000][knobs.seed as usize % 2];
    if let Sampler::Generator { source, bits_per_cycle, .. } = &mut config.arch.sampler {
        *source = match knobs.source {
            0 => RandomSource::Ideal,
            1 => RandomSource::Lfsr { bits: 8, taps: vec![8, 6, 5, 4], registers: 1 },
            _ => RandomSource::Lfsr { bits: 5, taps: vec![5, 3], registers: *bits_per_cycle },
        };
    }
    let net = resolve(&config.workload).expect("the test's network is sound");
    // A bitline's charge has no sign.
    let unsigned = config.arch.adc.input == AdcInput::Pair || net.layers.iter().all(|layer| !layer.input_signed);
    if knobs.seed & 4 != 0 && config.arch.array.sample_and_hold && unsigned {
        config.arch.adc.conversions = Conversions::PerValue;
    }
    let posterior = posterior(&net, knobs.seed);
    // Fewer arrays may be on fewer tiles, with less room.
    if plan_split(&config, Some(&posterior)).is_err() {
        config.arch.tile.input_buffer.capacity = Bytes(1 << 16);
        config.arch.tile.output_buffer.capacity = Bytes(1 << 16);
    }
    let images = images(&net, config.schedule.images as usize, knobs.seed);
    Case { config, posterior, images }
}

/// Runs full of ties on two planes.
fn any_case() -> impl Strategy<Value = Case> {
    (tied(), knobs()).prop_map(|(config, knobs)| sparse(config, knobs))
}

type Sums = BTreeMap<Account, (u128, u128, u128)>;

/// Unit-cycles, attojoules and elementary actions.
fn sums(ledger: &Ledger) -> Sums {
    let count = |account: &Account, count| if account.action.is_wait() { 0 } else { count };
    ledger.entries().map(|(of, e)| (of, (e.unit_cycles, e.energy, count(&of, e.count)))).collect()
}

/// Sums that are not the same in both.
fn differing(a: &Sums, b: &Sums) -> Vec<String> {
    let all: BTreeSet<Account> = a.keys().chain(b.keys()).copied().collect();
    let differ = all.into_iter().filter(|of| a.get(of) != b.get(of));
    differ.map(|of| format!("{of:?}: {:?}, {:?}", a.get(&of), b.get(&of))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(500)))]

    /// (a) Answers do not depend on threads, on anything of time, nor, where converters are exact, on how planes are
    /// packed.
    #[test]
    fn answers_depend_on_neither_time_nor_packing(case in any_case()) {
        let of_case = case.values(1);
        let threads = case.values(3);
        prop_assert_eq!(&of_case.outputs, &threads.outputs);
        prop_assert_eq!(&of_case.accumulators, &threads.accumulators);
        prop_assert_eq!(&of_case.activity, &threads.activity);
        let later = case.with(|config| {
            config.schedule = ScheduleSpec { mode: Mode::Streaming, grain: Grain::Op, grouping: Grouping::Expanded, ..config.schedule.clone() };
            config.arch.costs = costs(3);
            config.arch.array.read_time.0 *= 2;
            config.arch.stochastic.read_time = Some(crossbayes::units::Time(7_000));
            config.mapping.replication = Vec::new();
        });
        prop_assert_eq!(FunctionalSpec::of(&later.config), FunctionalSpec::of(&case.config));
        let mut packings = vec![Packing::Full];
        if case.choices().eps.is_some() {
            packings.push(Packing::Rows);
            if FunctionalSpec::of(&case.config).stochastic.adc.is_none() {
                packings.extend([true, false].map(|sorted| Packing::Lists { sorted }));
            }
        }
        for packing in packings {
            let other = case.packed(packing).values(1);
            prop_assert_eq!(&of_case.outputs.logits, &other.outputs.logits, "{:?}", packing);
            prop_assert_eq!(&of_case.accumulators, &other.accumulators, "{:?}", packing);
        }
    }

    /// (b) The scheme is the dense one on a posterior whose fixed synapses are certain: those before L0, and those beyond
    /// eps. With an eps of 0 that is the posterior itself.
    #[test]
    fn a_scheme_is_dense_with_what_it_fixes_made_certain(case in any_case()) {
        let of_case = case.values(1);
        let mut dense = case.with(|config| config.mapping.scheme = Scheme::Dense);
        let (first, eps) = (case.first(), case.choices().eps);
        for (l, layer) in dense.posterior.layers.iter_mut().enumerate() {
            for p in &mut layer.p {
                let value = f64::from(*p);
                if l < first || eps.is_some_and(|eps| value <= eps || value >= 1.0 - eps) {
                    *p = if *p > 0.5 { 1.0 } else { 0.0 };
                }
            }
        }
        let changed = case.posterior.layers.iter().zip(&dense.posterior.layers).any(|(a, b)| a.p != b.p);
        prop_assert!(!changed || first > 0 || eps != Some(0.0));
        let of_dense = dense.values(1);
        prop_assert_eq!(&of_case.outputs.logits, &of_dense.outputs.logits);
        let members = case.config.ensemble.members as usize;
        for (l, (sums, of_dense)) in of_case.accumulators.iter().zip(&of_dense.accumulators).enumerate() {
            if l >= first {
                prop_assert_eq!(sums, of_dense, "layer {}", l);
            } else {
                // Layers before L0 run for the first member only.
                let of_pass = of_dense.len() / members / case.images.len();
                let first_members: Vec<i32> = of_dense.chunks(of_pass).step_by(members).flatten().copied().collect();
                prop_assert_eq!(sums, &first_members, "layer {}", l);
            }
        }
    }

    /// (c) Grain, grouping and queue change no cycle, attojoule, count or random bit; each cycle of each unit is booked once.
    #[test]
    fn every_cycle_and_attojoule_has_its_place(case in any_case(), counted in any::<bool>()) {
        let activity = counted.then(|| Arc::new(case.values(1).activity));
        let (_, outcome, both) = case.run(activity.clone());
        let expected = sums(&both.ledger);
        let energy: u128 = both.spans.iter().map(|span| u128::from(span.energy)).sum();
        prop_assert_eq!(energy, expected.values().map(|(_, energy, _)| energy).sum::<u128>());
        for (grain, grouping, queue) in [
            (Grain::Op, Grouping::Grouped, Queue::PriorityQueue),
            (Grain::Conversion, Grouping::Grouped, Queue::Ring),
            (Grain::Read, Grouping::Expanded, Queue::Ring),
            (Grain::Op, Grouping::Expanded, Queue::Ring),
        ] {
            let other = case.with(|config| {
                config.schedule = ScheduleSpec { grain, grouping, queue, ..config.schedule.clone() };
            });
            let (plan, of_other, both) = other.run(activity.clone());
            prop_assert_eq!(outcome.cycles, of_other.cycles, "{:?} {:?}", grain, grouping);
            prop_assert_eq!(&outcome.random_bits, &of_other.random_bits, "{:?} {:?}", grain, grouping);
            prop_assert_eq!(differing(&expected, &sums(&both.ledger)), Vec::<String>::new(), "{:?} {:?}", grain, grouping);
            if grouping == Grouping::Expanded {
                assert_every_cycle_is_booked_once(&other.config, &plan, &of_other, &both);
            }
        }
    }

    /// The chain of jobs is as long as the run.
    #[test]
    fn the_critical_path_goes_through_both_planes(case in any_case()) {
        let plan = case.plan();
        let critical = plan.critical(&case.config, None, |_, _| ());
        let critical = critical.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(critical.chain.cycles(), critical.cycles);
        prop_assert_eq!(critical.chain.cycles_with(&critical.timing), critical.cycles);
    }

    /// (e) Random bits are those of the probabilistic synapses, or of all that are stored where fixed pairs are drawn too, once a member and copy, or at each position; reads,
    /// conversions and driven rows are those of each plane's arrays, of a kept deterministic part once an image.
    #[test]
    fn draws_reads_and_rows_are_those_of_the_planes(case in any_case()) {
        let net = case.net();
        let mut windows = Windows::default();
        for image in 0..case.images.len() {
            case.model().observe(&case.images, image, &mut windows).unwrap();
        }
        let (plan, outcome, both) = case.run(Some(Arc::new(case.values(1).activity)));
        let (images, members) = (case.images.len() as u64, u64::from(case.config.ensemble.members));
        let choices = case.choices();
        for (l, layer) in net.layers.iter().enumerate() {
            let mapped = &plan.mapping.layers[l];
            let sampled = l >= case.first();
            let synapses = || (0..layer.columns).flat_map(|column| (0..layer.rows).map(move |row| (row, column)));
            let drawn = if case.config.arch.stochastic.draw_fixed_pairs && !matches!(choices.packing, Packing::Lists { .. })
            {
                // All that is stored.
                let places = |array: PlaneShape| u64::from(array.rows) * u64::from(array.columns);
                shapes(&case, l, Plane::Stochastic).into_iter().map(places).sum()
            } else {
                synapses().filter(|&(row, column)| case.probabilistic(l, row, column)).count() as u64
            };
            let expected = match case.config.arch.sampler {
                Sampler::Generator { probability_bits, draws, .. } if sampled => {
                    let times = match draws {
                        Draws::PerMember => u64::from(mapped.replication),
                        Draws::PerPosition => u64::from(layer.positions),
                    };
                    u64::from(probability_bits) * drawn * members * images * times
                }
                _ => 0,
            };
            prop_assert_eq!(outcome.random_bits[l], expected, "{}", &layer.name);
            // Driven rows by plane, array by array.
            let keeps = choices.keep_deterministic_part && l == case.first() && members > 1 && mapped.planes.len() == 2;
            let mut additions = 0;
            for &plane in Plane::ALL {
                let arrays = if sampled || plane == Plane::Deterministic { arrays(&case, l, plane) } else { Vec::new() };
                prop_assert_eq!(mapped.plane(plane).map_or(0, |of| of.arrays as usize), arrays.len());
                let serial = FunctionalSpec::of(&case.config);
                let arrays_of = if plane == Plane::Stochastic { &serial.stochastic } else { &serial.deterministic };
                let of_arrays = shapes(&case, l, plane);
                let rows = || arrays.iter().zip(&of_arrays).flat_map(|(rows, of)| rows.iter().map(|row| (row, of.columns)));
                let (mut driven, mut on_columns) = (0, 0);
                for ((layer, member, _), window) in windows.0.iter().filter(|((layer, ..), _)| *layer == l) {
                    let runs = *member == 0 || !(keeps && plane == Plane::Deterministic);
                    for (row, columns) in rows().filter(|_| runs) {
                        let code = row.iter().fold(0, |code, &input| code | window[input as usize]);
                        let digits = serial.digits(&net.layers[*layer]);
                        let digit = |pulse| digits.of_pulse(pulse).any(|bit| code >> bit & 1 == 1);
                        let pulses = if arrays_of.adc.is_none() {
                            u32::from(code != 0)
                        } else {
                            (0..digits.pulses()).filter(|&pulse| digit(pulse)).count() as u32
                        };
                        driven += u128::from(pulses);
                        on_columns += u128::from(pulses * columns);
                    }
                }
                let of = |component| {
                    let all = both.ledger.entries().filter(move |(of, _)| {
                        let here = (of.layer, of.plane, of.component) == (Some(l as u32), Some(plane), component);
                        here && !of.action.is_wait() && of.action != Action::Gather
                    });
                    all.map(|(_, entry)| entry.count).sum::<u128>()
                };
                prop_assert_eq!(of(Component::Driver), driven, "{} {:?}", &layer.name, plane);
                // A code has a read of the register file, its index, and wires over half of the pitch of a tile.
                let (costs, of_net) = (&case.config.arch.costs, &net.layers[l]);
                let index = u64::from(of_net.rows.next_power_of_two().trailing_zeros().max(1)) * costs.index_bit.energy.0;
                let code = costs.gather.energy.0 + index + costs.link.energy.0 * u64::from(of_net.input_bits) / 16;
                for (_, entry) in both.ledger.entries().filter(|(of, _)| {
                    (of.layer, of.plane, of.action) == (Some(l as u32), Some(plane), Action::Gather)
                }) {
                    prop_assert_eq!(entry.energy, entry.count * u128::from(code));
                }
                let passes = windows.0.iter().filter(|((layer, member, _), _)| {
                    *layer == l && (*member == 0 || !(keeps && plane == Plane::Deterministic))
                });
                let expected: u128 = if arrays.is_empty() { 0 } else { passes.map(|(_, window)| cells(&case, l, plane, window)).sum() };
                let read = both.ledger.entries().filter(|(of, _)| {
                    (of.layer, of.plane, of.component, of.action) == (Some(l as u32), Some(plane), Component::Crossbar, Action::Read)
                });
                prop_assert_eq!(read.map(|(_, entry)| entry.energy).sum::<u128>(), expected, "{} {:?}", &layer.name, plane);
                // A result for each row of a serial array (that is not skipped) and column, or for each bit and column (both
                // lines of a pair).
                let passes = images * if !sampled || (keeps && plane == Plane::Deterministic) { 1 } else { members };
                let results: u64 = of_arrays.iter().map(|of| u64::from(of.columns) * match &arrays_of.adc {
                    None => u64::from(of.rows),
                    Some(adc) => conversions(adc, serial.digits(layer).pulses()) * if adc.input == AdcInput::Column { 2 } else { 1 },
                }).sum();
                let expected = if choices.skip_zero_rows && plane == Plane::Stochastic {
                    on_columns
                } else if arrays.is_empty() {
                    0
                } else {
                    u128::from(results * passes * u64::from(layer.positions))
                };
                prop_assert_eq!(of(Component::Adc) + of(Component::Comparator), expected, "{} {:?}", &layer.name, plane);
                additions += expected;
            }
            let entry = |action| both.ledger.entry(Some(l as u32), Component::Accumulator, action).count;
            // Each result is added to its column's sum.
            let added: u128 = both.ledger.entries().filter(|(of, _)| (of.layer, of.action) == (Some(l as u32), Action::ShiftAdd)).map(|(_, entry)| entry.count).sum();
            prop_assert_eq!(added, additions, "{}", &layer.name);
            // Partial sums of both planes become one for each column; to sums that are held those of the stochastic plane
            // are added.
            let partial = |plane| -> u64 {
                let sub_arrays = match (plane, &case.config.arch.sampler, case.config.arch.plane(plane).array.readout) {
                    (Plane::Stochastic, Sampler::Comparator { sub_arrays, .. }, _) => *sub_arrays,
                    (.., ArrayReadout::SenseAmplifiers { sub_arrays }) => sub_arrays,
                    _ => 1,
                };
                shapes(&case, l, plane).iter().map(|of| u64::from(of.columns) * u64::from(of.rows.min(sub_arrays))).sum()
            };
            let [fixed, drawn] = [Plane::Deterministic, Plane::Stochastic].map(partial);
            let all = fixed + drawn - u64::from(layer.columns);
            let of_image = match (sampled, keeps) {
                (false, _) => all,
                (true, false) => members * all,
                (true, true) => all + (members - 1) * drawn,
            };
            let positions = images * u64::from(layer.positions);
            prop_assert_eq!(entry(Action::Accumulate), u128::from(of_image * positions), "{}", &layer.name);
            // Held sums reach from -K 2^B to K 2^B.
            let bits = u64::BITS - (u64::from(layer.rows) << (layer.input_bits + 1)).leading_zeros();
            let bytes = if keeps { (u64::from(layer.columns) * u64::from(bits)).div_ceil(8) } else { 0 };
            prop_assert_eq!(entry(Action::Write), u128::from(bytes * positions), "{}", &layer.name);
            prop_assert_eq!(entry(Action::Fetch), u128::from(bytes * positions * (members - 1)), "{}", &layer.name);
        }
    }
}

/// Input codes of each row, by layer, member, and a running number.
#[derive(Default)]
struct Windows(Vec<((usize, usize, usize), Vec<u16>)>);

impl Observer for Windows {
    const WATCHES_INPUTS: bool = true;

    fn inputs(&mut self, layer: usize, _: usize, member: usize, position: usize, window: &[u16]) {
        self.0.push(((layer, member, position), window.to_vec()));
    }
}

/// Rows and columns in use of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PlaneShape {
    rows: u32,
    columns: u32,
}

/// Columns of a layer in the order in which a plane's blocks take them, cut into blocks.
fn column_blocks(case: &Case, layer: usize, plane: Plane) -> Vec<Vec<u32>> {
    let net = case.net();
    let columns = case.config.arch.plane(plane).synapse_columns() as usize;
    let mut order: Vec<u32> = (0..net.layers[layer].columns).collect();
    let count = |column: u32| (0..net.layers[layer].rows).filter(|&row| case.probabilistic(layer, row, column)).count();
    if plane == Plane::Stochastic && case.choices().packing == (Packing::Lists { sorted: true }) {
        order.sort_by_key(|&column| std::cmp::Reverse(count(column)));
    }
    order.chunks(columns).map(<[u32]>::to_vec).collect()
}

/// The arrays of a plane: the inputs of each of their rows, of which lists have several.
fn arrays(case: &Case, layer: usize, plane: Plane) -> Vec<Vec<Vec<u32>>> {
    blocks(case, layer, plane).into_iter().flat_map(|(_, arrays)| arrays).collect()
}

fn shapes(case: &Case, layer: usize, plane: Plane) -> Vec<PlaneShape> {
    let blocks = blocks(case, layer, plane).into_iter();
    blocks
        .flat_map(|(columns, arrays)| {
            arrays.into_iter().map(move |rows| PlaneShape { rows: rows.len() as u32, columns: columns.len() as u32 })
        })
        .collect()
}

/// Attojoules of the reads of a plane at one position: of each driven row the cells that it has.
fn cells(case: &Case, layer: usize, plane: Plane, window: &[u16]) -> u128 {
    let (chip, net) = (&case.config.arch, case.net());
    let (digits, readout) = (FunctionalSpec::of(&case.config).digits(&net.layers[layer]), Readout::new(chip, plane));
    let array = &readout.arrays.array;
    let [on, off] = [array.conductance_on, array.conductance_off]
        .map(|cell| u128::from(read_energy(array.read_voltage, cell, array.read_time).0));
    let serial = matches!(readout.pulse, Pulse::Row { .. });
    let full = if serial { 1 } else { u128::from(digits.full_level()).pow(2) };
    let lists = plane == Plane::Stochastic && matches!(case.choices().packing, Packing::Lists { .. });
    let of_array = |columns: &[u32], rows: &[Vec<u32>]| -> u128 {
        let of_row = |row: usize| {
            let drawn = |column: u32| layer >= case.first() && case.probabilistic(layer, rows[row][0], column);
            let holds = |column: u32| drawn(column) == (plane == Plane::Stochastic);
            // A list has a place in each column of the block, some of them empty.
            let held = if lists { rows[row].len() } else { columns.iter().filter(|&&column| holds(column)).count() };
            let (held, places) = (held as u128, columns.len() as u128);
            held * (on + off) + (places - held) * 2 * off + places * u128::from(readout.noise_rows) * (on + off)
        };
        let codes: Vec<u16> =
            rows.iter().map(|row| row.iter().fold(0, |code, &input| code | window[input as usize])).collect();
        if serial {
            return (0..rows.len()).filter(|&row| codes[row] != 0).map(of_row).sum();
        }
        let of_pulse = |pulse| {
            let bits = digits.of_pulse(pulse);
            let level = |row: usize| u128::from(codes[row] >> bits.start) % (1 << bits.len());
            let sum: u128 = (0..rows.len()).map(|row| level(row).pow(2) * of_row(row)).sum();
            (sum + full / 2) / full
        };
        (0..digits.pulses()).map(of_pulse).sum()
    };
    let blocks = blocks(case, layer, plane).into_iter();
    blocks.map(|(columns, arrays)| arrays.iter().map(|rows| of_array(&columns, rows)).sum::<u128>()).sum()
}

/// Column blocks of a plane, each with its arrays; nothing of a plane that holds no weight. By plain loops.
#[expect(clippy::type_complexity, reason = "columns, then arrays of rows of inputs")]
fn blocks(case: &Case, layer: usize, plane: Plane) -> Vec<(Vec<u32>, Vec<Vec<Vec<u32>>>)> {
    let net = case.net();
    let rows = net.layers[layer].rows;
    let (choices, sampled) = (case.choices(), layer >= case.first());
    let is = |row, column| sampled && case.probabilistic(layer, row, column);
    let held = |row: u32, column: u32| is(row, column) == (plane == Plane::Stochastic);
    if !(0..net.layers[layer].columns).any(|column| (0..rows).any(|row| held(row, column))) {
        return Vec::new();
    }
    let height = case.config.arch.plane(plane).array.rows as usize;
    let packing = if plane == Plane::Stochastic && choices.eps.is_some() { choices.packing } else { Packing::Full };
    let of_block = |columns: Vec<u32>| {
        let all: Vec<Vec<u32>> = match packing {
            Packing::Full => (0..rows).map(|row| vec![row]).collect(),
            Packing::Rows => {
                (0..rows).filter(|&row| columns.iter().any(|&column| is(row, column))).map(|row| vec![row]).collect()
            }
            Packing::Lists { .. } => {
                let lists: Vec<Vec<u32>> =
                    columns.iter().map(|&column| (0..rows).filter(|&row| is(row, column)).collect()).collect();
                let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
                (0..longest).map(|i| lists.iter().filter_map(|list| list.get(i).copied()).collect()).collect()
            }
        };
        let arrays = all.chunks(height).map(<[Vec<u32>]>::to_vec).collect();
        (columns, arrays)
    };
    column_blocks(case, layer, plane).into_iter().map(of_block).collect()
}

/// A layer of 3 rows and 2 columns, drawn from p row by row, on arrays of 2 x 1 synapses.
fn small(p: [[f32; 2]; 3], packing: Packing, change: impl FnOnce(&mut Config)) -> Case {
    let mut workload = workload(vec![layer("fc", Operation::Linear { outputs: 2 })]);
    workload.input = Input { channels: 3, height: 1, width: 1, bits: 2, signed: false };
    let mut config = config(chip(2, 2), workload);
    config.arch.adc.columns_per_adc = 1;
    config.ensemble.members = 2;
    config.mapping.scheme = Scheme::Sparse {
        first_ensembling_layer: FirstLayer::First,
        eps: Eps::Above(0.1),
        packing,
        keep_deterministic_part: false,
        skip_zero_rows: false,
    };
    change(&mut config);
    let net = resolve(&config.workload).unwrap();
    let mut of_net = posterior(&net, 1);
    of_net.layers[0].p = (0..2).flat_map(|column| p.map(|row| row[column])).collect();
    Case { config, posterior: of_net, images: images(&net, 1, 1) }
}

/// Partial sums of a plane that lies on another tile cross to the first one, whichever plane they are of.
#[test]
fn partial_sums_of_both_planes_meet_on_one_tile() {
    // One array for each plane: a fixed synapse and a probabilistic one in one column.
    let crossing = |arrays| {
        let mut workload = workload(vec![layer("fc", Operation::Linear { outputs: 1 })]);
        workload.input = Input { channels: 2, height: 1, width: 1, bits: 2, signed: false };
        let mut case = small([[0.5; 2]; 3], Packing::Full, |config| {
            config.workload = workload;
            config.arch.tile.arrays = arrays;
            config.arch.costs.link.time.0 = 1_000;
            config.arch.costs.adder.time.0 = 1_000;
        });
        case.posterior.layers[0].p = vec![1.0, 0.5];
        let (plan, _, both) = case.run(None);
        assert_eq!((plan.mapping.arrays, plan.mapping.tiles), (2, 2 / arrays));
        let of_sums = both.spans.iter().filter(|span| {
            let stage = &plan.dataflow.graph[petgraph::graph::NodeIndex::new(span.stage as usize)];
            stage.role == crossbayes::dataflow::Role::Accumulator && span.component == Component::Link
        });
        let tree = both.spans.iter().find(|span| span.action == Action::Accumulate).unwrap().duration;
        (of_sums.map(|span| span.count).sum::<u64>(), tree)
    };
    // A level of the tree; on two tiles also a hop, and 4 bytes for each of two members.
    assert_eq!([crossing(2), crossing(1)], [(0, 1), (8, 2)]);
}

/// The case on a chip whose buffers, links and post-processing take no time and have room.
fn idle(case: &Case) -> Case {
    case.with(|config| {
        let arch = &mut config.arch;
        let [adc, comparator, random] =
            [&arch.costs.adc[0].convert, &arch.costs.comparator, &arch.costs.random_bit].map(|cost| cost.time.0);
        set_times(&mut arch.costs, 0, [adc, comparator, 0, random, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        (arch.accumulator.depth, arch.digital.depth) = (4, 4);
        for buffer in [&mut arch.tile.input_buffer, &mut arch.tile.output_buffer, &mut arch.global_buffer] {
            *buffer = Buffer { capacity: Bytes(1 << 20), bytes_per_cycle: 64 };
        }
    })
}

/// The closed form beside the simulation.
fn form(case: &Case) -> ClosedForm {
    let (plan, outcome, _) = case.run(None);
    let assembly = plan.assemble(&case.config, None).unwrap();
    closed_form(&case.config, &plan.net, &plan.mapping, &assembly, outcome.cycles)
}

/// What the formula that the report tells gives, written out; none where it is a recurrence.
fn written_out(case: &Case, formula: &str) -> Option<u64> {
    let plan = case.plan();
    let assembly = plan.assemble(&case.config, None).unwrap();
    let times = layer_times(&case.config, &plan.net, &plan.mapping, &assembly);
    let (once, sampled) = times.split_at(plan.mapping.first_ensembling_layer);
    let (images, members) = (u64::from(case.config.schedule.images), u64::from(plan.mapping.members));
    let passes = |layers: &[LayerTime], member: u32| layers.iter().map(|time| time.pass(member)).sum::<u64>();
    let longest = |layers: &[LayerTime]| layers.iter().map(|time| time.interval(0)).max().unwrap_or(0);
    if formula.starts_with("images (load + sum_l ") {
        Some(images * (passes(&times, 0) + (members - 1) * passes(sampled, 1)))
    } else if formula.starts_with("images (load + sum_{l<L0} ") {
        Some(images * (passes(once, 0) + members * passes(sampled, 0)))
    } else if formula.starts_with("load + sum_l ") {
        let interval = longest(once).max(members * longest(sampled));
        Some(passes(&times, 0) + (members - 1) * longest(sampled) + (images - 1) * interval)
    } else {
        assert!(formula.starts_with("start(l,g,k) = "), "{formula}");
        None
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(500)))]

    /// (d) Where nothing contends the cycles are those of the closed form, and a schedule that lets more run at once is not
    /// slower.
    #[test]
    fn cycles_are_those_of_the_closed_form_where_nothing_contends(case in any_case()) {
        let mut case = idle(&case).without_skips();
        let mut of_mode = Vec::new();
        for mode in [Mode::Sequential, Mode::Layer, Mode::Streaming] {
            case.config.schedule.mode = mode;
            let form = form(&case);
            prop_assert_eq!(form.fixed_latency_cycles, 0);
            if mode == Mode::Streaming {
                prop_assert!(form.contention_cycles >= 0, "{:?}", form);
            } else {
                prop_assert_eq!(form.contention_cycles, 0, "{:?}: {:?}", mode, form);
                if let Some(cycles) = written_out(&case, &form.formula) {
                    prop_assert_eq!(form.predicted_cycles, cycles, "{:?}: {:?}", mode, form);
                }
            }
            of_mode.push(form.simulated_cycles);
        }
        prop_assert!(of_mode.is_sorted_by(|a, b| a >= b), "{:?}", of_mode);
    }

    /// Where rows are skipped the closed form, which counts all of them, is an upper bound.
    #[test]
    fn skipped_rows_make_no_run_longer_than_the_closed_form(case in any_case()) {
        let mut case = idle(&case);
        let activity = Arc::new(case.values(1).activity);
        for mode in [Mode::Sequential, Mode::Layer] {
            case.config.schedule.mode = mode;
            let (plan, outcome, _) = case.run(Some(activity.clone()));
            let assembly = plan.assemble(&case.config, None).unwrap();
            let form = closed_form(&case.config, &plan.net, &plan.mapping, &assembly, outcome.cycles);
            prop_assert!(form.contention_cycles <= 0, "{:?}: {:?}", mode, form);
            if !case.choices().skip_zero_rows {
                prop_assert!(form.contention_cycles >= 0, "{:?}: {:?}", mode, form);
            }
        }
    }
}

/// Conversions of an input of a converter for so many pulses.
fn conversions(adc: &Adc, pulses: u32) -> u64 {
    if adc.conversions == Conversions::PerValue { 1 } else { pulses.into() }
}

/// One fully connected layer on quantising converters.
#[derive(Debug, Clone)]
struct Quantised {
    case: Case,
    codes: Vec<u16>,
}

fn quantised() -> impl Strategy<Value = Quantised> {
    let converter = || (2..7u32, prop::option::of(1..12u32));
    let arrays = (1..5u32, 1..4u32, 1..5u32, 1..4u32);
    let of_net = (1..20u32, 1..6u32, 1..5u32, any::<u64>(), 0..5usize);
    let sampler = (0..4usize, 0..3usize, any::<bool>());
    ([converter(), converter()], arrays, any::<[bool; 3]>(), of_net, sampler, any::<bool>()).prop_map(
        |([fixed, drawn], arrays, [pair, rows_packing, per_value], of_net, (sampler, eps, equal), keep)| {
            let (rows, outputs, bits, seed, signed) = of_net;
            let mut workload = workload(vec![layer("fc", Operation::Linear { outputs })]);
            let signed = signed == 0;
            workload.input = Input { channels: rows, height: 1, width: 1, bits, signed };
            let mut config = config(chip(2 * arrays.0, 2 * arrays.1), workload);
            config.arch.costs.adc = (2..=16).map(|bits| AdcCost { bits, convert: cost(1, 1000) }).collect();
            let drawn = if equal { fixed } else { drawn };
            let range = |(_, range): (u32, Option<u32>)| {
                range.map_or(AdcRange::FullScale, |range| AdcRange::Fixed(f64::from(range) / 2.0))
            };
            config.arch.adc = Adc {
                bits: fixed.0,
                columns_per_adc: 1,
                input: if pair { AdcInput::Pair } else { AdcInput::Column },
                range: range(fixed),
                conversions: if per_value && (pair || !signed) { Conversions::PerValue } else { Conversions::PerPulse },
                cost: Default::default(),
            };
            config.arch.stochastic = StochasticArrays {
                rows: Some(2 * arrays.2),
                columns: Some(2 * arrays.3),
                adc_bits: Some(drawn.0),
                adc_range: Some(range(drawn)),
                ..StochasticArrays::default()
            };
            let draws = if sampler == 1 { Draws::PerPosition } else { Draws::PerMember };
            config.arch.sampler = match sampler {
                0 | 1 => Sampler::Generator {
                    source: RandomSource::Ideal,
                    bits_per_cycle: 8,
                    probability_bits: 8,
                    double_buffered: false,
                    draws,
                },
                2 => Sampler::Generator {
                    source: RandomSource::Lfsr { bits: 8, taps: vec![8, 6, 5, 4], registers: 1 },
                    bits_per_cycle: 3,
                    probability_bits: 5,
                    double_buffered: false,
                    draws,
                },
                _ => Sampler::Comparator { noise_rows: 1, sub_arrays: 1, offset: Offset::default() },
            };
            config.ensemble.members = 2;
            config.mapping.scheme = Scheme::Sparse {
                first_ensembling_layer: FirstLayer::First,
                eps: Eps::Above([0.0, 0.05, 0.3][eps]),
                packing: if rows_packing { Packing::Rows } else { Packing::Full },
                keep_deterministic_part: keep,
                skip_zero_rows: false,
            };
            let net = resolve(&config.workload).unwrap();
            let mut number = numbers(seed);
            let code = |raw: u64| {
                let code = (raw % (1 << bits)) as u16;
                if signed && code >> (bits - 1) == 1 { code | !0 << bits } else { code }
            };
            let codes = (0..rows).map(|_| code(number())).collect();
            let images = LoadedImages::new(net.input, vec![0; rows as usize], None);
            Quantised { case: Case { posterior: posterior(&net, seed), images, config }, codes }
        },
    )
}

/// A converter of a plane, whose largest array has `rows` rows with inputs of these bits: its step, and the code of a sum.
fn converter(adc: &Adc, rows: usize, bits: u32, signed: bool) -> (f64, impl Fn(i64) -> (i64, bool)) {
    let highest: u32 = match (adc.conversions, signed) {
        (Conversions::PerPulse, _) => 1,
        (Conversions::PerValue, true) => 1 << (bits - 1),
        (Conversions::PerValue, false) => (1 << bits) - 1,
    };
    let full = if adc.conversions == Conversions::PerValue && signed { (highest - 1).max(1) } else { highest };
    let rows = rows * highest as usize;
    let (bottom, top) = match adc.input {
        AdcInput::Pair => (-((1_i64 << (adc.bits - 1)) - 1), (1_i64 << (adc.bits - 1)) - 1),
        AdcInput::Column => (0, (1_i64 << adc.bits) - 1),
    };
    let step = match adc.range {
        AdcRange::FullScale => (rows as f64 / top as f64).max(1.0),
        AdcRange::Fixed(range) => range * f64::from(full) / top as f64,
        AdcRange::Percentile(_) => unreachable!("ranges are not calibrated here"),
    };
    (step, move |sum| {
        let code = (sum as f64 / step).round() as i64;
        (code.clamp(bottom, top), !(bottom..=top).contains(&code))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1_000)))]

    /// (f) Each array of each plane converts its own rows; the planes' sums are added in a common unit.
    #[test]
    fn each_array_of_each_plane_converts_its_own_rows(quantised in quantised()) {
        let Quantised { case, codes } = quantised;
        let net = case.net();
        let layer = &net.layers[0];
        let (rows, columns, bits) = (layer.rows, layer.columns, layer.input_bits);
        let model = case.model();
        let spec = FunctionalSpec::of(&case.config);
        // The weights that a member draws, one row at a time through exact arrays.
        let mut exact = case.with(|config| config.mapping.scheme = Scheme::Dense);
        let wide = |adc: &mut Adc| (adc.bits, adc.range) = (16, AdcRange::FullScale);
        wide(&mut exact.config.arch.adc);
        (exact.config.arch.stochastic.adc_bits, exact.config.arch.stochastic.adc_range) = (None, None);
        let exact = exact.model();
        for member in 0..2 {
            let weights: Vec<Vec<i32>> = (0..rows).map(|row| {
                let mut one = vec![0; rows as usize];
                one[row as usize] = 1;
                let sign = if layer.input_signed && bits == 1 { -1 } else { 1 };
                let code = if sign < 0 { u16::MAX } else { 1 };
                one[row as usize] = code;
                exact.accumulate(0, 0, member, &one, &mut ()).0.iter().map(|sum| sum * sign).collect()
            }).collect();
            let (mut sums, mut steps, mut expected_clipping) = (Vec::new(), Vec::new(), LayerClipping::default());
            for &plane in Plane::ALL {
                let adc = if plane == Plane::Stochastic { &spec.stochastic.adc } else { &spec.deterministic.adc };
                let blocks = blocks(&case, 0, plane);
                if blocks.is_empty() {
                    continue;
                }
                let largest = blocks.iter().flat_map(|(_, arrays)| arrays).map(Vec::len).max().unwrap();
                let mut of_plane = vec![0_i64; columns as usize];
                let mut step = 1.0;
                for (of_block, arrays) in &blocks {
                    for (&column, array) in of_block.iter().flat_map(|column| arrays.iter().map(move |array| (column, array))) {
                        let per_value = adc.as_ref().is_some_and(|adc| adc.conversions == Conversions::PerValue);
                        for first in (0..bits).step_by(if per_value { bits as usize } else { 1 }) {
                            let together = if per_value { bits } else { 1 };
                            let negative = |pulse: u32| layer.input_signed && pulse + 1 == bits;
                            let (mut plus, mut minus) = (0, 0);
                            for row in array.iter().flatten() {
                                let here = case.probabilistic(0, *row, column) == (plane == Plane::Stochastic);
                                let level = |pulse: u32| {
                                    let level = i64::from(codes[*row as usize] >> pulse & 1) << (pulse - first);
                                    if per_value && negative(pulse) { -level } else { level }
                                };
                                let bit: i64 = (first..first + together).map(level).sum();
                                // Fixed synapses are at their mode, whatever a sample says.
                                let p = case.posterior.layers[0].p[(column * rows + row) as usize];
                                let positive = if plane == Plane::Stochastic { weights[*row as usize][column as usize] > 0 } else { p > 0.5 };
                                match (here, positive) {
                                    (false, _) => {}
                                    (true, true) => plus += bit,
                                    (true, false) => minus += bit,
                                }
                            }
                            let code = match adc {
                                None => plus - minus,
                                Some(adc) => {
                                    let (of_plane, code) = converter(adc, largest, bits, layer.input_signed);
                                    step = of_plane;
                                    let mut convert = |sum| {
                                        let (code, clips) = code(sum);
                                        expected_clipping[plane as usize].add(Clipping { clipped: clips.into(), conversions: 1 });
                                        code
                                    };
                                    match adc.input {
                                        AdcInput::Pair => convert(plus - minus),
                                        AdcInput::Column => convert(plus) - convert(minus),
                                    }
                                }
                            };
                            let sign = if !per_value && negative(first) { -1 } else { 1 };
                            of_plane[column as usize] += sign * (code << first);
                        }
                    }
                }
                sums.push(of_plane);
                steps.push(step);
            }
            // One step is kept; of two the unit is a binary fraction of a cell current, 2^-10 where 31 bits suffice.
            let unit = if steps.iter().all(|step| *step == steps[0]) { steps[0] } else { 1.0 / 1024.0 };
            let mut expected = vec![0_i64; columns as usize];
            for (of_plane, step) in sums.iter().zip(&steps) {
                let scaled = of_plane.iter().map(|&sum| if *step == unit { sum } else { (sum as f64 * (step / unit)).round() as i64 });
                expected.iter_mut().zip(scaled).for_each(|(all, sum)| *all += sum);
            }
            let (found, clipping) = model.accumulate(0, 0, member, &codes, &mut ());
            prop_assert_eq!(model.step(0), unit);
            prop_assert_eq!(found.iter().map(|&sum| i64::from(sum)).collect::<Vec<_>>(), expected);
            prop_assert_eq!(clipping, expected_clipping);
        }
    }
}

/// What planes take, by hand. Of 3 x 2 synapses (row by row)
///
/// ```text
/// # .        `#` is probabilistic
/// # #
/// . .
/// ```
/// on arrays of 2 x 1 synapses.
#[test]
fn planes_take_the_arrays_that_a_page_of_paper_says() {
    let p = [[0.5, 0.0], [0.5, 0.5], [0.0, 1.0]];
    let mapped = |case: &Case| {
        let plan = case.plan();
        let [fixed, drawn] = &plan.mapping.layers[0].planes[..] else { panic!("two planes") };
        let of_layer = &plan.mapping.layers[0];
        let groups = of_layer.groups.iter().filter(|group| group.plane == Plane::Stochastic);
        let of_groups: Vec<_> = groups.map(|g| (g.rows, g.columns, g.drawn.clone().unwrap())).collect();
        let sums = PartialSums::new(&case.config.arch, &plan.net.layers[0], of_layer);
        let lanes = |_| 1;
        let adders = adders(&case.config.arch, &plan.net.layers[0], of_layer, lanes);
        assert_eq!(
            (fixed.plane, fixed.arrays, fixed.weights, &fixed.tallest),
            (Plane::Deterministic, 4, 3, &vec![2, 1])
        );
        assert_eq!((drawn.plane, drawn.weights), (Plane::Stochastic, 3));
        (drawn.clone(), of_groups, (sums.most, sums.additions, sums.additions_to_held), adders)
    };
    let wide = |config: &mut Config| config.arch.stochastic.columns = Some(4);

    // As large as the layer: row blocks of 2 and 1, two column blocks. Each column has 2 partial sums of each plane: 8, of
    // which 2 are left. A tree of one adder for each column and plane, and one to merge the planes of each column.
    let (plane, groups, sums, adders) = mapped(&small(p, Packing::Full, |_| ()));
    assert_eq!((plane.arrays, plane.slots, plane.most_drawn, plane.row_blocks(), plane.column_blocks), (4, 6, 2, 2, 2));
    assert_eq!(groups, [(2, 1, vec![2, 1]), (1, 1, vec![0, 0])]);
    assert_eq!((sums, adders), ((4, 6, 4), 2 + 2 + 2));

    // Column 0 stores rows 0 and 1, column 1 row 1: a partial sum each.
    let (plane, groups, sums, adders) = mapped(&small(p, Packing::Rows, |_| ()));
    assert_eq!((plane.arrays, plane.slots, plane.most_drawn, plane.row_blocks(), plane.column_blocks), (2, 3, 2, 1, 2));
    assert_eq!(groups, [(2, 1, vec![2]), (1, 1, vec![1])]);
    let inputs: Vec<_> = plane.packed.unwrap().iter().map(|array| (array.first_column, array.inputs.clone())).collect();
    assert_eq!(inputs, [(0, vec![0, 1]), (1, vec![1])]);
    assert_eq!((sums, adders), ((3, 4, 2), 2 + 2));

    // In one array of both columns: rows 0 and 1, one of whose four pairs is fixed.
    let (plane, groups, sums, adders) = mapped(&small(p, Packing::Rows, wide));
    assert_eq!((plane.arrays, plane.slots, plane.most_drawn, plane.row_blocks(), plane.column_blocks), (1, 4, 3, 1, 1));
    assert_eq!(groups, [(2, 2, vec![3])]);
    // A lane of the stochastic plane is as wide as one of the deterministic one here.
    assert_eq!((sums, adders), ((3, 4, 2), 2 + 2));

    // Lists of rows 0, 1 and of row 1 side by side, row by row; the last place is empty.
    let lists = |sorted| {
        move |config: &mut Config| {
            wide(config);
            config.arch.stochastic.readout = Some(ArrayReadout::SenseAmplifiers { sub_arrays: 1 });
            assert!(
                matches!(config.mapping.scheme, Scheme::Sparse { packing: Packing::Lists { sorted: s }, .. } if s == sorted)
            );
        }
    };
    let (plane, groups, ..) = mapped(&small(p, Packing::Lists { sorted: false }, lists(false)));
    assert_eq!((plane.arrays, plane.slots, plane.most_drawn), (1, 4, 3));
    assert_eq!(groups, [(2, 2, vec![3])]);
    assert_eq!(plane.packed.unwrap()[0].inputs, [0, 1, 1, EMPTY]);

    // Columns exchanged: sorting puts the longer list first again.
    let exchanged = p.map(|[a, b]| [b, a]);
    let (plane, ..) = mapped(&small(exchanged, Packing::Lists { sorted: false }, lists(false)));
    assert_eq!(plane.packed.unwrap()[0].inputs, [1, 0, EMPTY, 1]);
    let (plane, ..) = mapped(&small(exchanged, Packing::Lists { sorted: true }, lists(true)));
    assert_eq!(plane.packed.unwrap()[0].inputs, [0, 1, 1, EMPTY]);
}

/// A list of 3 on arrays of 2 rows takes two arrays; a column without probabilistic synapses takes none.
#[test]
fn a_plane_is_as_tall_as_its_tallest_block() {
    let p = [[0.5, 0.0], [0.5, 1.0], [0.5, 1.0]];
    let case = small(p, Packing::Rows, |_| ());
    let plan = case.plan();
    let layer = &plan.mapping.layers[0];
    let drawn = layer.plane(Plane::Stochastic).unwrap();
    assert_eq!((&drawn.tallest, drawn.column_blocks, drawn.arrays), (&vec![2, 1], 1, 2));
    // Column 0: 2 + 2 partial sums, column 1: 2 of the deterministic plane; 2 are left.
    let sums = PartialSums::new(&case.config.arch, &plan.net.layers[0], layer);
    assert_eq!((sums.most, sums.additions, sums.additions_to_held), (4, 4, 2));
}

/// Sums of 3 rows of 2-bit codes lie within -12..=12: 5 bits, and 10 of two columns are 2 bytes.
#[test]
fn held_sums_have_the_bits_of_any_sum() {
    let case = small([[0.5, 0.0]; 3], Packing::Full, |config| {
        if let Scheme::Sparse { keep_deterministic_part, .. } = &mut config.mapping.scheme {
            *keep_deterministic_part = true;
        }
    });
    let plan = case.plan();
    let held = HeldSums::new(&plan.net.layers[0], &plan.mapping.layers[0]).unwrap();
    assert_eq!((held.bits, held.bytes_of_position, held.bytes), (5, 2, 2));
    let one_member = case.with(|config| config.ensemble.members = 1).plan();
    assert_eq!(HeldSums::new(&one_member.net.layers[0], &one_member.mapping.layers[0]), None);
}

/// Each plane fits 32 bits, 32767 (2^16 - 1); both together do not.
#[test]
fn sums_of_both_planes_that_need_more_than_32_bits_are_refused() {
    let sums = |p| {
        let mut workload = workload(vec![layer("fc", Operation::Linear { outputs: 1 })]);
        workload.input = Input { channels: 2, height: 1, width: 1, bits: 16, signed: false };
        let mut case = small([[0.5; 2]; 3], Packing::Full, |config| {
            config.workload = workload;
            config.arch.costs.adc = vec![AdcCost { bits: 16, convert: cost(1, 1) }];
            (config.arch.adc.bits, config.arch.adc.range) = (16, AdcRange::Fixed(0.5));
        });
        case.posterior.layers[0].p = p;
        let model = FunctionalModel::new(&FunctionalSpec::of(&case.config), &case.net(), &case.posterior);
        model.map(|model| model.accumulate(0, 0, 0, &[u16::MAX; 2], &mut ()).0)
    };
    assert_eq!(sums(vec![1.0, 1.0]).unwrap(), [32_767 * 65_535]);
    let message = sums(vec![1.0, 0.89]).unwrap_err().to_string();
    assert!(message.contains("the sums of its planes reach 4294770690 units"), "{message}");
}

#[test]
fn lists_on_converters_have_no_values() {
    let case = small([[0.5, 0.0]; 3], Packing::Lists { sorted: true }, |_| ());
    let model = FunctionalModel::new(&FunctionalSpec::of(&case.config), &case.net(), &case.posterior);
    let message = model.unwrap_err().to_string();
    assert!(message.contains("packing is Lists and the stochastic plane is read by converters"), "{message}");
}

/// Networks are chains today, so the fork is put into a resolved one.
#[test]
fn a_first_ensembling_layer_is_one_that_all_later_ones_depend_on() {
    let layers = ["a", "b", "c"].map(|name| layer(name, conv(2))).into_iter();
    let layers = layers.chain([layer("fc", Operation::Linear { outputs: 2 })]);
    let mut net = resolve(&workload(layers.collect())).unwrap();
    let scheme = |name: &str| Scheme::Sparse {
        first_ensembling_layer: FirstLayer::Layer(name.to_owned()),
        eps: Eps::Everything,
        packing: Packing::Full,
        keep_deterministic_part: false,
        skip_zero_rows: false,
    };
    assert_eq!(first_ensembling_layer(&scheme("b"), &net), Ok(1));
    net.layers[2].source = LayerInput::Layer(0);
    assert_eq!(first_ensembling_layer(&scheme("a"), &net), Ok(0));
    assert_eq!(first_ensembling_layer(&scheme("c"), &net), Ok(2));
    let problem = first_ensembling_layer(&scheme("b"), &net).unwrap_err();
    assert_eq!(
        problem.message,
        "first_ensembling_layer is \"b\", but layer \"c\" behind it reads what comes before: the network forks there"
    );
}

/// Also where members run side by side, on copies of the layers.
#[test]
fn the_default_is_an_ensemble_from_the_first_linear_layer_on() {
    let linear = |name: &str| layer(name, Operation::Linear { outputs: 2 });
    let found = |layers: Vec<Layer>, reads: &[(usize, LayerInput)]| {
        let mut net = resolve(&workload(layers)).unwrap();
        reads.iter().for_each(|&(layer, source)| net.layers[layer].source = source);
        let mut scheme = Scheme::default();
        let first = first_ensembling_layer(&scheme, &net).unwrap();
        assert_eq!(first_ensembling_layer(&scheme, &net.side_by_side(first, 3)), Ok(first));
        scheme.name_first_layer(&net);
        assert_eq!(first_ensembling_layer(&scheme, &net), Ok(first));
        let Scheme::Sparse { first_ensembling_layer, eps: Eps::Everything, packing: Packing::Full, .. } = &scheme
        else {
            panic!("{scheme:?}")
        };
        (first_ensembling_layer.clone(), scheme.name())
    };
    let named = |name: &str| (FirstLayer::Layer(name.to_owned()), "ls");
    assert_eq!(found(vec![layer("a", conv(2)), linear("b"), linear("c")], &[]), named("b"));
    // Linear throughout: dense.
    assert_eq!(found(vec![linear("a"), linear("b")], &[]), (FirstLayer::First, "dense"));
    // None at all: the layer that gives the logits.
    let pooled = Layer { pool: 8, ..layer("b", conv(2)) };
    assert_eq!(found(vec![layer("a", conv(2)), pooled], &[]), named("b"));
    // c reads the input or a, beside b.
    for source in [LayerInput::Input, LayerInput::Layer(0)] {
        let layers = vec![layer("a", conv(2)), linear("b"), linear("c"), linear("d")];
        assert_eq!(found(layers, &[(2, source), (3, LayerInput::Layer(2))]), named("c"));
    }
}

/// What a sample comes to where fixed pairs are left out, and where they are drawn, too: random bits, attojoules, and the
/// generators' cycles. Two samples, the first of which is drawn before the run.
#[test]
fn fixed_pairs_are_left_out_or_drawn() {
    let p = [[0.5, 0.0], [0.5, 0.5], [0.0, 1.0]];
    let drawn = |packing, draws_all, columns| {
        let case = small(p, packing, |config| {
            config.arch.stochastic.draw_fixed_pairs = draws_all;
            config.arch.stochastic.columns = columns;
            if matches!(packing, Packing::Lists { .. }) {
                config.arch.stochastic.readout = Some(ArrayReadout::SenseAmplifiers { sub_arrays: 1 });
            }
            if let Sampler::Generator { bits_per_cycle, .. } = &mut config.arch.sampler {
                *bits_per_cycle = 8;
            }
        });
        let (_, outcome, both) = case.run(None);
        let draws = both.ledger.entry(Some(0), Component::Generator, Action::Draw);
        (outcome.random_bits[0], draws.energy, draws.unit_cycles)
    };
    // A draw takes 8 bits, a cycle, and 8 * 2 + 17 + 4 + 1 aJ.
    let of = |synapses: u64, cycles: u128| (2 * 8 * synapses, 2 * 38 * u128::from(synapses), cycles);
    // Four arrays of 2, 2, 1 and 1 synapses, of which 2, 1, 0 and 0 are probabilistic. They keep step with the first.
    assert_eq!(drawn(Packing::Full, false, None), of(3, 4 * 2));
    assert_eq!(drawn(Packing::Full, true, None), of(6, 2 + 2 + 1 + 1));
    // Rows 0 and 1 of both columns in one array; lists store no fixed pair.
    assert_eq!(drawn(Packing::Rows, false, Some(4)), of(3, 3));
    assert_eq!(drawn(Packing::Rows, true, Some(4)), of(4, 4));
    let lists = Packing::Lists { sorted: false };
    assert_eq!(drawn(lists, false, Some(4)), of(3, 3));
    assert_eq!(drawn(lists, true, Some(4)), of(3, 3));
}
