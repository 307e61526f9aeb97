//! Are the spans of the toy still those that were checked by hand, and do they add up to the sums derived by hand?
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes `traces/golden/` anew; read the difference of the CSV files before
//! you commit it.

use crossbayes::config::{Base, LoadRequest, load};
use crossbayes::mapping::Plane;
use crossbayes::report;
use crossbayes::run::{Finished, prepare};
use crossbayes::trace::columns::{COLUMNS, FACTS_KEY};
use crossbayes::trace::{NONE, ParquetSink, Span, SpanSink, TraceReader};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const LAYERS: [&str; 2] = ["conv1", "fc1"];

/// Layer, component, action.
type Key = (&'static str, &'static str, &'static str);
type Entry = (&'static str, &'static str, &'static str, u128);

/// A run of `toy_two_layers` on `toy_2x2`.
fn run(set: &[&str]) -> (Finished, Vec<Span>) {
    let named = |name: &str| Some(name.to_owned());
    let set = set.iter().map(|&change| change.to_owned()).collect();
    let loaded = load(&LoadRequest { arch: named("toy_2x2"), workload: named("toy_two_layers"), set }).unwrap();
    let prepared = prepare(loaded.config, &Base::Embedded, 1, &|_, _, _| ()).unwrap();
    let (mut finished, Spans(spans)) =
        prepared.simulate(Spans(Vec::new()), "crossbayes run".to_owned(), &|_, _, _| ()).unwrap();
    (finished.facts.events.simulation_s, finished.facts.events.wall_s) = (0.0, 0.0);
    (finished, spans)
}

struct Spans(Vec<Span>);

impl SpanSink for Spans {
    fn push(&mut self, span: &Span) {
        self.0.push(*span);
    }
}

/// The spans as text: the columns of the Parquet file, nothing where it holds null.
fn csv(spans: &[Span]) -> String {
    let mut text = COLUMNS.map(|column| column.name).join(",") + "\n";
    for s in spans {
        let optional = |index: u32| if index == NONE { String::new() } else { index.to_string() };
        let layer = LAYERS.get(s.layer as usize).copied().unwrap_or_default();
        let plane = s.plane.map_or("", Plane::name);
        let [group, image, member, position, unit] = [s.group, s.image, s.member, s.position, s.unit].map(optional);
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{plane},{layer},{group},{},{image},{member},{position},{unit},{},{},{}",
            s.start,
            s.duration,
            s.repeats,
            s.period,
            s.component.name(),
            s.action.name(),
            s.stage,
            s.units,
            s.count,
            s.energy
        );
    }
    text
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/golden").join(name)
}

/// Compares a run with its two golden files, or writes them.
fn check(name: &str, set: &[&str]) -> Finished {
    let (finished, spans) = run(set);
    let (parquet, text) = (golden(&format!("{name}.parquet")), golden(&format!("{name}.csv")));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let mut sink = ParquetSink::create(&parquet, &LAYERS).unwrap();
        spans.iter().for_each(|span| sink.push(span));
        sink.finish(&[(FACTS_KEY, &serde_json::to_string(&finished.facts).unwrap())]).unwrap();
        std::fs::write(&text, csv(&spans)).unwrap();
    }
    let mut stored = Vec::new();
    TraceReader::open(&parquet).unwrap().for_each(|span| stored.push(span)).unwrap();
    for (i, (found, expected)) in spans.iter().zip(&stored).enumerate() {
        assert_eq!(found, expected, "span {i} of {name}");
    }
    assert_eq!(spans.len(), stored.len());
    let expected = std::fs::read_to_string(&text).unwrap();
    for (i, (found, expected)) in csv(&spans).lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {name}.csv", i + 1);
    }
    assert_eq!(expected.lines().count(), spans.len() + 1);
    // Reports of later versions may tell more; their figures of this run stay.
    let (live, reported) =
        (report::Report::new(&finished.facts, &finished.ledger), report::from_trace(&parquet).unwrap());
    assert_eq!((&live.latency, &live.energy), (&reported.latency, &reported.energy));
    finished
}

/// Attojoules of everything that a run books, by layer, component and action.
fn energies(finished: &Finished) -> BTreeMap<Key, u128> {
    let spent = finished.ledger.entries().filter(|(_, entry)| entry.energy > 0);
    spent
        .map(|(account, entry)| {
            let layer = account.layer.map_or("chip", |l| LAYERS[l as usize]);
            ((layer, account.component.name(), account.action.name()), entry.energy)
        })
        .collect()
}

/// Attojoules of loading an image.
const LOADING: [Entry; 3] = [
    // 9 pixels of 2 bits, a byte each, at 1.113 pJ.
    ("chip", "global_buffer", "fetch", 9 * 1_113_000),
    // 256 fJ a byte: over the bus to the first tile of conv1, and once more to the second.
    ("chip", "link", "transfer", 9 * 256_000 * 2),
    // 254 fJ a byte, on both tiles.
    ("conv1", "buffer", "write", 9 * 254_000 * 2),
];

/// Attojoules of one pass of conv1, up to the buffers of fc1. Arrays have 2 rows and a pair of columns; codes have 2 bits, half of which
/// are 1. 4 x 2 weights take 2 x 2 arrays on 2 tiles; 4 positions.
const CONV1: [Entry; 13] = [
    // Windows of 2 x 2 pixels; of the second one in a row only the new column is fetched: 4 + 2 + 4 + 2 bytes at 229 fJ.
    ("conv1", "buffer", "fetch", 12 * 229_000),
    // 4 arrays x 4 positions x 2 pulses x 2 rows / 2 = 32 driven rows. A pulse takes 18.4 fJ for 128 cells, 287 aJ for 2.
    ("conv1", "driver", "drive", 32 * 287),
    // One cell of the pair is on: (0.2 V)^2 x 25 uS x 10 ns = 10 fJ.
    ("conv1", "crossbar", "read", 32 * 10_000),
    // 4 arrays x 4 positions x 2 pulses = 32 samples at 970 aJ, conversions at 33 fJ behind a multiplexer at 262 aJ,
    // shift-and-adds at 99 fJ.
    ("conv1", "sample_hold", "sample", 32 * 970),
    ("conv1", "adc", "convert", 32 * (33_000 + 262)),
    ("conv1", "accumulator", "shift_add", 32 * 99_000),
    // 2 row blocks: one addition for each of 2 columns, 17.1 fJ; one of the two sums of 4 bytes crosses tiles.
    ("conv1", "accumulator", "accumulate", 4 * 2 * 17_100),
    ("conv1", "link", "transfer", 4 * 2 * 4 * 256_000),
    ("conv1", "digital", "post_process", 4 * 2 * 87_100),
    // Two channels of 2 bits: a byte a pixel.
    ("conv1", "buffer", "write", 4 * 254_000),
    ("conv1", "buffer", "fetch", 4 * 229_000),
    // To the first of four tiles and to the three others.
    ("conv1", "link", "transfer", 4 * 256_000 * 4),
    ("fc1", "buffer", "write", 4 * 254_000 * 4),
];

/// The same of fc1, up to the way of its logits into the global buffer. 8 x 2 weights take 4 x 2 arrays on 4 tiles; one
/// position.
const FC1: [Entry; 12] = [
    ("fc1", "buffer", "fetch", 4 * 229_000),
    // 8 arrays x 2 pulses: 16 driven rows, samples, conversions.
    ("fc1", "driver", "drive", 16 * 287),
    ("fc1", "crossbar", "read", 16 * 10_000),
    ("fc1", "sample_hold", "sample", 16 * 970),
    ("fc1", "adc", "convert", 16 * (33_000 + 262)),
    ("fc1", "accumulator", "shift_add", 16 * 99_000),
    // 4 row blocks: 3 additions a column, 3 sums of 4 bytes cross tiles.
    ("fc1", "accumulator", "accumulate", 3 * 2 * 17_100),
    ("fc1", "link", "transfer", 3 * 2 * 4 * 256_000),
    ("fc1", "digital", "post_process", 2 * 87_100),
    // Two logits of 4 bytes: into the output buffer, out of it, over the bus, into the global buffer.
    ("fc1", "buffer", "write", 8 * 254_000),
    ("fc1", "buffer", "fetch", 8 * 229_000),
    ("fc1", "link", "transfer", 8 * 256_000),
];

/// Attojoules of an answer's way into the global buffer; layers book what leaves them.
const ANSWER: Entry = ("fc1", "global_buffer", "write", 8 * 1_016_000);

/// Attojoules of a weight sample. An array of two synapses takes two cycles of 8 bits; in each its register of 64 bits steps at
/// 2.6 fJ a bit, and 8 times 3 gates of 386 aJ work. Each synapse takes 8.6 fJ to compare, 2.6 fJ to latch and 150 fJ for
/// its probability.
const SAMPLE_CONV1: Entry =
    ("conv1", "generator", "draw", 4 * 2 * (64 * 2_600 + 8 * 3 * 386) + 8 * (8_600 + 2_600 + 150_000));
const SAMPLE_FC1: Entry =
    ("fc1", "generator", "draw", 8 * 2 * (64 * 2_600 + 8 * 3 * 386) + 16 * (8_600 + 2_600 + 150_000));

fn sum(parts: &[(&[Entry], u128)]) -> BTreeMap<Key, u128> {
    let mut sums = BTreeMap::new();
    for (entries, times) in parts {
        for &(layer, component, action, energy) in *entries {
            *sums.entry((layer, component, action)).or_default() += energy * times;
        }
    }
    sums
}

/// One image through the mode network, cycle by cycle at 1 GHz.
///
/// | ends | what | cycles |
/// |---|---|---|
/// | 12 | three rows of 3 B out of the global buffer: 2 accesses of 2 B, 1.6 ns each | 3 x 2 x 2 |
/// | 17 | the last row over the bus (2 B a cycle), to the second tile, into the buffers (0.61 ns for 2 B) | 2 + 1 + 2 |
/// | 18 | the first window, 4 B out of two tiles | 1 |
/// | 103 | conv1: 4 positions x 2 bits x max(10 ns, 1 x 5 ns) + min(10, 5) | 85 |
/// | 108 | shift-and-add; adder and hop between tiles; post-processing of 2 values on 2 lanes; write | 1 + 2 + 1 + 1 |
/// | 113 | out of the buffer, over the bus, two levels to four tiles, into the buffers | 1 + 1 + 2 + 1 |
/// | 114 | fc1's window: 4 B out of four tiles | 1 |
/// | 139 | fc1: 1 x 2 x 10 + 5 | 25 |
/// | 146 | shift-and-add; two levels of adders, two of hops; post-processing; 8 B written by four tiles | 1 + 4 + 1 + 1 |
/// | 162 | 8 B out of one buffer, over the bus, into the global buffer: 4 accesses of 1, 1 and 2 cycles | 4 + 4 + 8 |
#[test]
fn the_mode_network_takes_what_was_derived_by_hand() {
    let finished = check("toy_deterministic", &["mapping.scheme=Deterministic"]);
    assert_eq!(finished.ledger.makespan(), 162);
    let expected = sum(&[(&LOADING, 1), (&CONV1, 1), (&FC1, 1), (&[ANSWER], 1)]);
    assert_eq!(energies(&finished), expected);
    assert_eq!(expected.values().sum::<u128>(), 69_328_312);
    // Leakage: 24 wordlines at 156.25 pW, 12 shift-and-adds and 8 adders at 2.2 nW, 6 lanes at 12.1 nW, 6 x 128 B of tile
    // buffers at 647 pW and 256 B of global buffer at 515 pW are 749.086 nW; times 162 ns 121,351.9 aJ, of which the report
    // holds whole attojoules.
    let report = report::Report::new(&finished.facts, &finished.ledger);
    assert_eq!(report.energy.leakage_j, 121_351e-18);
    assert_eq!(report.energy.total_j, (69_328_312.0 + 121_351.0) / 1e18);
}

/// Two members: conv1 is the longest stage, and the second pass follows the first after its 85 cycles: 162 + 85. Drawing
/// 2 synapses of 8 bits at 8 bits a cycle takes an array 2 cycles, behind the reads. The image is loaded once.
#[test]
fn two_members_take_what_was_derived_by_hand() {
    let finished = check("toy_dense", &["mapping.scheme=Dense", "ensemble.members=2"]);
    assert_eq!(finished.ledger.makespan(), 247);
    let expected = sum(&[(&LOADING, 1), (&CONV1, 2), (&FC1, 2), (&[ANSWER, SAMPLE_CONV1, SAMPLE_FC1], 2)]);
    assert_eq!(energies(&finished), expected);
    assert_eq!(expected.values().sum::<u128>(), 135_629_096);
}

/// The default scheme: two members from fc1 on. conv1 runs once, and its output stays in the buffers of fc1, whose second
/// pass follows the first after its 25 cycles: 162 + 25. Only fc1 draws.
#[test]
fn two_members_from_fc1_on_take_what_was_derived_by_hand() {
    let finished = check("toy_from_fc1", &["ensemble.members=2"]);
    assert_eq!(finished.ledger.makespan(), 187);
    let expected = sum(&[(&LOADING, 1), (&CONV1, 1), (&FC1, 2), (&[ANSWER, SAMPLE_FC1], 2)]);
    assert_eq!(energies(&finished), expected);
}

/// Without a sample-and-hold each of the 48 driven cells of [`CONV1`] and [`FC1`] draws 10 fJ in its read and 1 fJ in each of the 5 cycles
/// in which its own input is converted; the report counts both.
#[test]
fn the_report_counts_what_cells_draw_while_they_wait() {
    let (finished, _) = run(&["mapping.scheme=Deterministic", "arch.array.sample_and_hold=false"]);
    let report = report::Report::new(&finished.facts, &finished.ledger);
    assert_eq!(report.energy.per_component["crossbar"], 48.0 * 15_000.0 / 1e18);
}
