//! Does a stored trace hold what the run gave, and is a broken one told from a whole one?

mod synthetic;

use crossbayes::Error;
use crossbayes::mapping::Plane;
use crossbayes::report::{self, Report, RunFacts};
use crossbayes::trace::columns::{COLUMNS, FACTS_KEY, HASH_KEY, LAYERS_KEY, VERSION_KEY};
use crossbayes::trace::{Action, Component, NONE, ParquetSink, Span, SpanSink, TraceReader};
use crossbayes::units::Frequency;
use parquet::basic::{Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const LAYERS: [&str; 3] = ["conv1", "conv2", "fc \u{3b1}"];

fn write(path: &Path, spans: &[Span], metadata: &[(&str, &str)]) {
    let mut sink = ParquetSink::create(path, &LAYERS).unwrap();
    spans.iter().for_each(|span| sink.push(span));
    sink.finish(metadata).unwrap();
}

fn read(path: &Path) -> Result<Vec<Span>, Error> {
    let mut spans = Vec::new();
    TraceReader::open(path)?.for_each(|span| spans.push(span))?;
    Ok(spans)
}

/// Any span, its end within 64 bits.
fn any_span() -> impl Strategy<Value = Span> {
    let index = || prop_oneof![0..5_u32, Just(NONE), any::<u32>()];
    let time = prop_oneof![0..100_u64, 0..1_u64 << 40];
    let plane = prop_oneof![Just(None), Just(Some(Plane::Deterministic)), Just(Some(Plane::Stochastic))];
    let work = (0..Component::ALL.len(), 0..Action::ALL.len(), plane, prop_oneof![0..3_u32, Just(NONE)]);
    let place = (index(), any::<u32>(), index(), index(), index(), index());
    (time.clone(), time, 1..1000_u32, 0..1_u64 << 40, work, place, any::<u32>(), any::<u64>(), any::<u64>()).prop_map(
        |(start, duration, repeats, period, (component, action, plane, layer), place, units, count, energy)| Span {
            start,
            duration,
            repeats,
            period,
            component: Component::ALL[component],
            action: Action::ALL[action],
            plane,
            layer,
            group: place.0,
            stage: place.1,
            image: place.2,
            member: place.3,
            position: place.4,
            unit: place.5,
            units,
            count,
            energy,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_span_comes_back_bit_by_bit(spans in prop::collection::vec(any_span(), 0..700)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.parquet");
        write(&path, &spans, &[]);
        prop_assert_eq!(read(&path).unwrap(), spans);
    }
}

#[test]
fn several_row_groups_come_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.parquet");
    let (_, few) = synthetic::run(3, 1, 2);
    let spans: Vec<Span> = few.iter().cycle().take(300_000).zip(0..).map(|(s, i)| Span { start: i, ..*s }).collect();
    write(&path, &spans, &[]);
    assert!(read(&path).unwrap() == spans);
    assert_eq!(TraceReader::open(&path).unwrap().rows(), 300_000);
}

#[test]
fn equal_runs_write_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let (_, spans) = synthetic::run(3, 2, 5);
    write(&a, &spans, &[("key", "value")]);
    write(&b, &spans, &[("key", "value")]);
    assert!(fs::read(a).unwrap() == fs::read(b).unwrap());
}

#[test]
fn a_stored_run_gives_the_report_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.parquet");
    let (facts, spans) = synthetic::run(9, 2, 10);
    let names: Vec<&str> = facts.layers.iter().map(|layer| layer.name.as_str()).collect();
    let mut sink = ParquetSink::create(&path, &names).unwrap();
    spans.iter().for_each(|span| sink.push(span));
    sink.finish(&[(FACTS_KEY, &serde_json::to_string(&facts).unwrap())]).unwrap();
    let ledger = synthetic::ledger(&facts, &spans);
    assert_eq!(report::load(&path).unwrap(), (facts.clone(), ledger.clone()));
    let live = Report::new(&facts, &ledger);
    let stored = report::from_trace(&path).unwrap();
    assert_eq!(stored.to_json(), live.to_json());
    assert_eq!(stored.to_string(), live.to_string());
}

#[test]
fn nothing_is_left_of_a_trace_that_was_not_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.parquet");
    let (_, spans) = synthetic::run(3, 2, 5);
    let mut sink = ParquetSink::create(&path, &LAYERS).unwrap();
    spans.iter().for_each(|span| sink.push(span));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file while it is written");
    drop(sink);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_earlier_trace_stays_until_the_new_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.parquet");
    fs::write(&path, "earlier").unwrap();
    let sink = ParquetSink::create(&path, &LAYERS).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "earlier");
    sink.finish(&[]).unwrap();
    assert_eq!(read(&path).unwrap(), []);
}

#[test]
fn a_folder_that_is_not_there_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/trace.parquet");
    let error = ParquetSink::create(&path, &LAYERS).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: No such file or directory (os error 2)", path.display()));
    assert_eq!(error.exit_code(), 1);
}

/// The error for the file that `make` writes, without its path.
fn reported(make: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.parquet");
    make(&path);
    let error = report::load(&path).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string().strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
}

/// A whole trace of nothing, cut or changed as bytes.
fn changed(change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    reported(|path| {
        let (_, spans) = synthetic::run(3, 1, 2);
        write(path, &spans, &[]);
        let bytes = fs::read(path).unwrap();
        fs::write(path, change(bytes)).unwrap();
    })
}

const OTHER_FILE: &str = "help: name the folder of a run, or the trace.parquet in it";
const DAMAGED: &str = "help: take another copy of the file, or repeat the run";
const REPEAT: &str = "help: repeat the run with this version: `crossbayes run --config`, the config.ron beside it";

#[test]
fn a_file_of_another_kind_is_reported() {
    assert_eq!(
        reported(|path| fs::write(path, "").unwrap()),
        format!("the file is empty; expected a trace, a Parquet file\n{OTHER_FILE}")
    );
    let other = format!("not a Parquet file; expected a trace, which starts with PAR1\n{OTHER_FILE}");
    assert_eq!(reported(|path| fs::write(path, "(arch: \"toy\")").unwrap()), other);
    assert_eq!(reported(|path| fs::write(path, "PAR").unwrap()), other);
}

#[test]
fn a_cut_file_is_told() {
    let half = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() / 2);
        bytes
    };
    assert_eq!(
        changed(half),
        format!("the file was cut short; expected a Parquet file, which ends with PAR1\n{DAMAGED}")
    );
    assert_eq!(changed(|_| b"PAR1PAR1".to_vec()), format!("the file was cut short; expected a footer\n{DAMAGED}"));
}

#[test]
fn a_broken_footer_is_told() {
    let zeroed = |mut bytes: Vec<u8>| {
        let end = bytes.len() - 8;
        bytes[end - 200..end].fill(0xff);
        bytes
    };
    let message = changed(zeroed);
    // What is in between is the Parquet library's.
    assert!(message.starts_with("the footer cannot be read ("), "{message}");
    assert!(message.ends_with(&format!("); expected that of a Parquet file\n{DAMAGED}")), "{message}");
}

#[test]
fn broken_pages_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.parquet");
    write(&path, &synthetic::run(3, 1, 2).1, &[]);
    // As one that another tool wrote: without the hash, pages still have checksums.
    let whole = unsealed(fs::read(&path).unwrap());
    let spans = read(&path).unwrap();
    // Wherever a byte of the pages is damaged, there is an error, or nothing that was read depends on it.
    let pages = whole.len() - 8 - u32::from_le_bytes(*whole[whole.len() - 8..].first_chunk().unwrap()) as usize;
    let mut reported = 0;
    for at in 4..pages {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&path, bytes).unwrap();
        match read(&path) {
            Ok(read) => assert!(read == spans, "byte {at} changes values"),
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains(": column \"") && message.contains("; expected "), "{message}");
                reported += 1;
            }
        }
    }
    assert!(reported > pages / 2, "{reported} of {pages} reported");
}

/// The trace of a run.
fn store(path: &Path) -> Report {
    let (facts, spans) = synthetic::run(3, 2, 2);
    let names: Vec<&str> = facts.layers.iter().map(|layer| layer.name.as_str()).collect();
    let mut sink = ParquetSink::create(path, &names).unwrap();
    spans.iter().for_each(|span| sink.push(span));
    sink.finish(&[(FACTS_KEY, &serde_json::to_string(&facts).unwrap())]).unwrap();
    Report::new(&facts, &synthetic::ledger(&facts, &spans))
}

/// The file with its hash under another key.
fn unsealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let key = HASH_KEY.as_bytes();
    let at = bytes.windows(key.len()).rposition(|found| found == key).expect("the file has a hash");
    bytes[at] ^= 1;
    bytes
}

#[test]
fn a_changed_file_is_reported_before_it_is_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.parquet");
    store(&path);
    let mut bytes = fs::read(&path).unwrap();
    let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    // The hash is that of the file with zeros in its place.
    let key = HASH_KEY.as_bytes();
    let at = bytes.windows(key.len()).rposition(|found| found == key).unwrap() + key.len() + 2;
    let stored = String::from_utf8(bytes[at..at + 64].to_vec()).unwrap();
    bytes[at..at + 64].fill(b'0');
    assert_eq!(hash(&bytes), stored);
    bytes[1000] ^= 1;
    let found = hash(&bytes);
    bytes[at..at + 64].copy_from_slice(stored.as_bytes());
    fs::write(&path, bytes).unwrap();
    assert_eq!(
        TraceReader::open(&path).unwrap_err().to_string(),
        format!(
            "{}: the file has changed since it was written: its BLAKE3 is {found}; expected {stored}\n{DAMAGED}",
            path.display()
        )
    );
}

#[test]
fn a_run_without_its_hash_has_no_report() {
    let message = reported(|path| {
        store(path);
        fs::write(path, unsealed(fs::read(path).unwrap())).unwrap();
    });
    assert_eq!(
        message,
        format!(
            "crossbayes.hash is not in its metadata; expected the hash that `crossbayes run` puts there, without which a \
             changed run is not told from a whole one\n{DAMAGED}"
        )
    );
}

/// Any bit of a stored run: rows, facts, layers, offsets, the footer's length. Nothing may change a report silently.
#[test]
fn a_flipped_bit_is_reported_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.parquet");
    let report = store(&path).to_json();
    let whole = fs::read(&path).unwrap();
    let flips = 600;
    let mut silent = Vec::new();
    for flip in 0..flips {
        // Evenly over the file, a different bit of each byte.
        let at = whole.len() * flip / flips;
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (flip % 8);
        fs::write(&path, bytes).unwrap();
        match report::from_trace(&path) {
            Ok(reported) if reported.to_json() == report => {}
            Ok(_) => silent.push(at),
            Err(error) => assert_eq!(error.exit_code(), 2, "{error}"),
        }
    }
    assert!(silent.is_empty(), "{} of {flips} flips change the report silently: {silent:?}", silent.len());
}

#[test]
fn a_trace_without_facts_has_no_report() {
    assert_eq!(
        changed(|bytes| bytes),
        "crossbayes.facts is not in its metadata; expected those of a run, as `crossbayes run` writes them"
    );
    let message = reported(|path| write(path, &[], &[(FACTS_KEY, "{}")]));
    assert_eq!(
        message,
        format!(
            "crossbayes.facts in its metadata cannot be read (missing field `version` at line 1 column 2); expected those \
             of a run of version {}\n{REPEAT}",
            env!("CARGO_PKG_VERSION")
        )
    );
}

#[test]
fn facts_of_another_version_are_reported_with_it() {
    let (facts, _) = synthetic::run(1, 1, 1);
    let mut facts = serde_json::to_value(facts).unwrap();
    facts["version"] = "0.0.9".into();
    facts.as_object_mut().unwrap().remove("closed_form");
    let message = reported(|path| write(path, &[], &[(FACTS_KEY, &facts.to_string())]));
    let start = "crossbayes.facts in its metadata, of version 0.0.9, cannot be read (missing field `closed_form` at ";
    assert!(message.starts_with(start), "{message}");
    let end = concat!("; expected those of a run of version ", env!("CARGO_PKG_VERSION"));
    assert!(message.ends_with(&format!("{end}\n{REPEAT}")), "{message}");
}

/// The error for an empty trace of one layer, conv1, whose facts are those of a run after `edit`.
fn error_for_facts(edit: impl Fn(&mut RunFacts)) -> String {
    let (mut facts, _) = synthetic::run(1, 1, 1);
    edit(&mut facts);
    let facts = serde_json::to_string(&facts).unwrap();
    reported(|path| ParquetSink::create(path, &["conv1"]).unwrap().finish(&[(FACTS_KEY, &facts)]).unwrap())
}

#[test]
fn facts_of_another_run_are_told() {
    assert_eq!(
        error_for_facts(|facts| facts.layers[0].name = "fc1".into()),
        "crossbayes.layers is conv1; expected the layers of crossbayes.facts, fc1"
    );
    assert_eq!(
        error_for_facts(|facts| facts.inventory[0].layer = Some(7)),
        "part \"cell\" in crossbayes.facts belongs to layer 7; expected less than 1"
    );
    assert_eq!(
        error_for_facts(|facts| facts.config.arch.clock = Frequency(0)),
        "the clock in crossbayes.facts is 0 Hz; expected at least 1 Hz"
    );
    assert_eq!(
        error_for_facts(|facts| facts.config.schedule.images = 2_000_000),
        "the run in crossbayes.facts has 2000000 passes of a layer; expected at most 1000000"
    );
}

#[test]
fn an_image_that_the_run_does_not_have_is_told() {
    let (facts, mut spans) = synthetic::run(1, 1, 2);
    spans[2].image = 7;
    let reported = reported(|path| {
        let mut sink = ParquetSink::create(path, &["conv1"]).unwrap();
        spans.iter().for_each(|span| sink.push(span));
        sink.finish(&[(FACTS_KEY, &serde_json::to_string(&facts).unwrap())]).unwrap();
    });
    assert_eq!(reported, "row 2: image is 7; expected less than 1 (images of the run)");
}

/// Writes a Parquet file of one row by hand: `edit` changes the columns (name, type, value; `null` and `list` stand for
/// themselves).
fn by_hand(path: &Path, metadata: &[(&str, &str)], edit: impl Fn(&mut Vec<(&'static str, Physical, &'static str)>)) {
    let mut columns: Vec<(&str, Physical, &str)> = COLUMNS
        .iter()
        .map(|column| match column.name {
            "component" => (column.name, column.kind, "crossbar"),
            "action" => (column.name, column.kind, "read"),
            "plane" => (column.name, column.kind, "stochastic"),
            "layer" => (column.name, column.kind, "conv1"),
            name => (name, column.kind, "1"),
        })
        .collect();
    edit(&mut columns);
    let fields = columns.iter().map(|(name, kind, value)| {
        let repetition = if *value == "list" { Repetition::REPEATED } else { Repetition::OPTIONAL };
        let field = Type::primitive_type_builder(name, *kind).with_repetition(repetition);
        Arc::new(field.build().unwrap())
    });
    let schema = Type::group_type_builder("schema").with_fields(fields.collect()).build().unwrap();
    let metadata = metadata.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned()));
    let properties = WriterProperties::builder().set_key_value_metadata(Some(metadata.collect())).build();
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (_, kind, value) in columns {
        let mut column = group.next_column().unwrap().unwrap();
        let level = [i16::from(value != "null")];
        let within = (value == "list").then_some(&[0][..]);
        let number = value.parse().unwrap_or(0_i64);
        match kind {
            Physical::INT64 => column.typed::<Int64Type>().write_batch(&[number], Some(&level), within),
            Physical::INT32 => column.typed::<Int32Type>().write_batch(&[number as i32], Some(&level), within),
            _ => column.typed::<ByteArrayType>().write_batch(&[ByteArray::from(value)], Some(&level), within),
        }
        .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

const METADATA: [(&str, &str); 2] = [(VERSION_KEY, "2"), (LAYERS_KEY, "[\"conv1\"]")];

/// The error for a file written by hand.
fn error_by_hand(metadata: &[(&str, &str)], edit: impl Fn(&mut Vec<(&'static str, Physical, &'static str)>)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.parquet");
    by_hand(&path, metadata, edit);
    let error = read(&path).unwrap_err();
    error.to_string().strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
}

#[test]
fn a_file_that_another_tool_wrote_is_read_by_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.parquet");
    by_hand(&path, &METADATA, |columns| columns.reverse());
    let spans = read(&path).unwrap();
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].component, spans[0].layer, spans[0].energy), (Component::Crossbar, 0, 1));
}

#[test]
fn a_parquet_file_that_is_no_trace_is_told() {
    assert_eq!(
        error_by_hand(&[], |_| ()),
        format!("a Parquet file, but no trace; expected crossbayes.schema_version in its metadata\n{OTHER_FILE}")
    );
    assert_eq!(error_by_hand(&[(VERSION_KEY, "1")], |_| ()), format!("its schema version is 1; expected 2\n{REPEAT}"));
    assert_eq!(
        error_by_hand(&METADATA[..1], |_| ()),
        "crossbayes.layers is not in its metadata; expected a JSON list of the layers' names"
    );
    assert_eq!(
        error_by_hand(&[METADATA[0], (LAYERS_KEY, "conv1")], |_| ()),
        "crossbayes.layers in its metadata is conv1; expected a JSON list of the layers' names"
    );
}

#[test]
fn wrong_columns_are_told() {
    let reported = |edit: fn(&mut Vec<_>)| error_by_hand(&METADATA, edit);
    let missing = "column \"period\" is missing; expected start, duration, repeats, period, component, action, plane, \
                   layer, group, stage, image, member, position, unit, units, count, energy_aj";
    assert_eq!(reported(|columns| columns.retain(|c| c.0 != "period")), missing);
    assert_eq!(reported(|columns| columns[3].0 = "periods"), format!("{missing}\nhelp: \"periods\" may be it"));
    assert_eq!(
        reported(|columns| columns[0].1 = Physical::INT32),
        "column \"start\" holds INT32; expected INT64, one in each row"
    );
    assert_eq!(
        reported(|columns| columns[0].2 = "list"),
        "column \"start\" holds repeated or nested INT64; expected INT64, one in each row"
    );
}

#[test]
fn wrong_values_are_told() {
    let reported = |column: usize, value: &'static str| error_by_hand(&METADATA, |columns| columns[column].2 = value);
    assert_eq!(
        reported(4, "crosbar"),
        "row 0: unknown component \"crosbar\"; expected one of driver, crossbar, sample_hold, adc, comparator, generator, \
         accumulator, digital, buffer, link, global_buffer\n\
         help: did you mean \"crossbar\"?"
    );
    assert_eq!(
        reported(5, "think"),
        "row 0: unknown action \"think\"; expected one of drive, read, sample, convert, compare, draw, shift_add, \
         accumulate, post_process, pool, fetch, write, transfer, gather, wait_operand, wait_resource, wait_port, wait_link, \
         wait_random, wait_drained"
    );
    assert_eq!(reported(6, "sparse"), "row 0: unknown plane \"sparse\"; expected one of deterministic, stochastic");
    assert_eq!(
        reported(7, "conv9"),
        "row 0: unknown layer \"conv9\"; expected one of conv1\nhelp: did you mean \"conv1\"?"
    );
    assert_eq!(reported(0, "null"), "row 0: start is null; expected a value");
    assert_eq!(reported(2, "0"), "row 0: repeats is 0; expected at least 1");
    assert_eq!(
        reported(0, "-1"),
        "row 0: the span ends after cycle 18446744073709551615; expected an end, start + (repeats - 1) * period + \
         duration, of at most 64 bits"
    );
}
