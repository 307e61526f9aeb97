//! Spans read back from a Parquet file, one row group at a time.

use crate::error::{Error, nearest};
use crate::mapping::Plane;
use crate::trace::columns::{COLUMNS, Column, FACTS_KEY, LAYERS_KEY, SCHEMA_VERSION, VERSION_KEY};
use crate::trace::{Action, Component, NONE, Span, seal};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Hint for a file that is not a trace.
const OTHER_FILE: &str = "\nhelp: name the folder of a run, or the trace.parquet in it";
/// Hint for a damaged file.
pub(crate) const DAMAGED: &str = "\nhelp: take another copy of the file, or repeat the run";
/// Hint for a trace written by another version of the program.
pub(crate) const REPEAT: &str =
    "\nhelp: repeat the run with this version: `crossbayes run --config`, the config.ron beside it";

/// An open trace file.
pub struct TraceReader {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    layers: Vec<String>,
    facts: Option<String>,
    sealed: bool,
    /// Where each of [`COLUMNS`] is in the file, and whether it may be null there.
    places: [(usize, bool); COLUMNS.len()],
}

impl std::fmt::Debug for TraceReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceReader").field("path", &self.path).field("layers", &self.layers).finish_non_exhaustive()
    }
}

impl TraceReader {
    /// Opens a trace and checks that it is one.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is no trace, was cut short or changed, has
    /// another schema version or lacks a column.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let input = |message: String| Error::Input { path: path.clone(), message };
        let mut file = crate::read::open(&path).map_err(Error::io(&path))?;
        check_ends(&mut file, &path)?;
        // Before the footer is trusted.
        let hashes = seal::hashes(&mut file).map_err(Error::io(&path))?;
        if let Some([stored, found]) = &hashes
            && stored != found
        {
            return Err(input(format!(
                "the file has changed since it was written: its BLAKE3 is {found}; expected {stored}{DAMAGED}"
            )));
        }
        let reader = SerializedFileReader::new(file).map_err(|error| {
            input(format!("the footer cannot be read ({error}); expected that of a Parquet file{DAMAGED}"))
        })?;
        let metadata = reader.metadata().file_metadata();
        let value = |key: &str| {
            let entry = metadata.key_value_metadata()?.iter().find(|entry| entry.key == key)?;
            entry.value.clone()
        };
        let version = value(VERSION_KEY).ok_or_else(|| {
            input(format!("a Parquet file, but no trace; expected {VERSION_KEY} in its metadata{OTHER_FILE}"))
        })?;
        if version != SCHEMA_VERSION {
            let message = format!("its schema version is {version}; expected {SCHEMA_VERSION}{REPEAT}");
            return Err(input(message));
        }
        let expected = "expected a JSON list of the layers' names";
        let layers =
            value(LAYERS_KEY).ok_or_else(|| input(format!("{LAYERS_KEY} is not in its metadata; {expected}")))?;
        let layers = serde_json::from_str(&layers)
            .map_err(|_| input(format!("{LAYERS_KEY} in its metadata is {layers}; {expected}")))?;
        let facts = value(FACTS_KEY);
        let schema = metadata.schema_descr();
        let mut places = [(0, false); COLUMNS.len()];
        for (place, column) in places.iter_mut().zip(COLUMNS) {
            let found = schema.columns().iter().position(|c| c.name() == column.name);
            let found = found.ok_or_else(|| {
                let others =
                    schema.columns().iter().map(|c| c.name()).filter(|name| !COLUMNS.iter().any(|c| c.name == *name));
                let near = nearest(column.name, others);
                let help = near.map(|near| format!("\nhelp: \"{near}\" may be it")).unwrap_or_default();
                let names = COLUMNS.map(|column| column.name).join(", ");
                input(format!("column \"{}\" is missing; expected {names}{help}", column.name))
            })?;
            let there = schema.column(found);
            let nested = there.max_rep_level() > 0 || there.max_def_level() > 1;
            if there.physical_type() != column.kind || nested {
                let (name, kind, is) = (column.name, column.kind, there.physical_type());
                let nested = if nested { "repeated or nested " } else { "" };
                return Err(input(format!("column \"{name}\" holds {nested}{is}; expected {kind}, one in each row")));
            }
            *place = (found, there.max_def_level() == 1);
        }
        Ok(Self { path, reader, layers, facts, sealed: hashes.is_some(), places })
    }

    /// Names of the layers that spans number.
    #[must_use]
    pub fn layers(&self) -> &[String] {
        &self.layers
    }

    /// The run's facts as JSON, if the file holds them.
    #[must_use]
    pub fn facts(&self) -> Option<&str> {
        self.facts.as_deref()
    }

    /// Whether the file carries its hash, so that it is as it was written. One that another tool wrote does not.
    #[must_use]
    pub fn sealed(&self) -> bool {
        self.sealed
    }

    /// Rows of the file.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.reader.metadata().file_metadata().num_rows().max(0) as u64
    }

    /// Calls `take` with every span, in the order of the file. Memory holds one row group.
    ///
    /// # Errors
    /// Returns [`Error::Input`] if a row group cannot be decoded or a row holds what no span can.
    pub fn for_each(&self, mut take: impl FnMut(Span)) -> Result<(), Error> {
        let mut first = 0;
        for group in 0..self.reader.num_row_groups() {
            let reader = self.reader.get_row_group(group);
            let reader = reader.map_err(|error| {
                self.input(format!(
                    "row group {group} cannot be read ({error}); expected all columns of its rows{DAMAGED}"
                ))
            })?;
            let columns = RowGroup { trace: self, reader: reader.as_ref(), first };
            let spans = columns.spans()?;
            first += spans.len() as u64;
            spans.into_iter().for_each(&mut take);
        }
        Ok(())
    }

    fn input(&self, message: String) -> Error {
        Error::Input { path: self.path.clone(), message }
    }
}

/// A Parquet file starts and ends with the same four letters.
fn check_ends(file: &mut File, path: &Path) -> Result<(), Error> {
    let input =
        |message: &str, help: &str| Err(Error::Input { path: path.to_owned(), message: format!("{message}{help}") });
    let length = file.metadata().map_err(Error::io(path))?.len();
    let mut ends = [[0; 4]; 2];
    if length >= 4 {
        file.read_exact(&mut ends[0]).map_err(Error::io(path))?;
        file.seek(SeekFrom::End(-4)).map_err(Error::io(path))?;
        file.read_exact(&mut ends[1]).map_err(Error::io(path))?;
    }
    match ends.map(|end| &end == b"PAR1") {
        _ if length == 0 => input("the file is empty; expected a trace, a Parquet file", OTHER_FILE),
        [false, _] => input("not a Parquet file; expected a trace, which starts with PAR1", OTHER_FILE),
        [true, false] => input("the file was cut short; expected a Parquet file, which ends with PAR1", DAMAGED),
        [true, true] if length < 12 => input("the file was cut short; expected a footer", DAMAGED),
        [true, true] => Ok(()),
    }
}

/// One row group while it is decoded.
struct RowGroup<'a> {
    trace: &'a TraceReader,
    reader: &'a dyn RowGroupReader,
    /// Number of its first row in the file.
    first: u64,
}

impl RowGroup<'_> {
    fn spans(&self) -> Result<Vec<Span>, Error> {
        let [start, duration, repeats, period, component, action, plane, layer, group, stage, rest @ ..] = COLUMNS;
        let [image, member, position, unit, units, count, energy] = rest;
        let blank = Span {
            start: 0,
            duration: 0,
            repeats: 1,
            period: 0,
            component: Component::Driver,
            action: Action::Drive,
            plane: None,
            layer: NONE,
            group: NONE,
            stage: 0,
            image: NONE,
            member: NONE,
            position: NONE,
            unit: NONE,
            units: 0,
            count: 0,
            energy: 0,
        };
        let starts = self.long(start)?;
        let mut spans = vec![blank; starts.len()];
        self.fill(&mut spans, start, starts, |span, value| span.start = value)?;
        self.fill(&mut spans, duration, self.long(duration)?, |span, value| span.duration = value)?;
        self.fill(&mut spans, repeats, self.int(repeats)?, |span, value| span.repeats = value)?;
        self.fill(&mut spans, period, self.long(period)?, |span, value| span.period = value)?;
        let components = self.named(component, Component::ALL, Component::name)?;
        self.fill(&mut spans, component, components, |span, value| span.component = value)?;
        let actions = self.named(action, Action::ALL, Action::name)?;
        self.fill(&mut spans, action, actions, |span, value| span.action = value)?;
        let planes = self.named_or_null(plane, Plane::ALL, Plane::name)?;
        self.fill(&mut spans, plane, planes, |span, value| span.plane = value)?;
        self.fill(&mut spans, layer, self.layer(layer)?, |span, value| span.layer = value)?;
        self.fill(&mut spans, group, self.index(group)?, |span, value| span.group = value)?;
        self.fill(&mut spans, stage, self.int(stage)?, |span, value| span.stage = value)?;
        self.fill(&mut spans, image, self.index(image)?, |span, value| span.image = value)?;
        self.fill(&mut spans, member, self.index(member)?, |span, value| span.member = value)?;
        self.fill(&mut spans, position, self.index(position)?, |span, value| span.position = value)?;
        self.fill(&mut spans, unit, self.index(unit)?, |span, value| span.unit = value)?;
        self.fill(&mut spans, units, self.int(units)?, |span, value| span.units = value)?;
        self.fill(&mut spans, count, self.long(count)?, |span, value| span.count = value)?;
        self.fill(&mut spans, energy, self.long(energy)?, |span, value| span.energy = value)?;
        for (i, span) in spans.iter().enumerate() {
            self.check(i, span)?;
        }
        Ok(spans)
    }

    /// Sets one field of every span.
    fn fill<V>(
        &self,
        spans: &mut [Span],
        column: Column,
        values: Vec<V>,
        set: impl Fn(&mut Span, V),
    ) -> Result<(), Error> {
        if values.len() != spans.len() {
            let (name, found, expected) = (column.name, values.len(), spans.len());
            let message = format!("column \"{name}\" has {found} values; expected {expected}{DAMAGED}");
            return Err(self.trace.input(message));
        }
        spans.iter_mut().zip(values).for_each(|(span, value)| set(span, value));
        Ok(())
    }

    /// Invariants that the arithmetic on spans relies on.
    fn check(&self, i: usize, span: &Span) -> Result<(), Error> {
        if span.repeats == 0 {
            return Err(self.row(i, "repeats is 0; expected at least 1"));
        }
        let last = u64::from(span.repeats - 1).checked_mul(span.period);
        let end = last.and_then(|last| span.start.checked_add(last)?.checked_add(span.duration));
        let expected = "expected an end, start + (repeats - 1) * period + duration, of at most 64 bits";
        end.map(drop).ok_or_else(|| self.row(i, &format!("the span ends after cycle {}; {expected}", u64::MAX)))
    }

    fn row(&self, i: usize, message: &str) -> Error {
        self.trace.input(format!("row {}: {message}", self.first + i as u64))
    }

    /// The error about an unknown name.
    fn unknown(&self, i: usize, column: Column, found: &ByteArray, names: &[&str]) -> Error {
        let found = String::from_utf8_lossy(found.data());
        let near = nearest(&found, names.iter().copied());
        let help = near.map(|near| format!("\nhelp: did you mean \"{near}\"?")).unwrap_or_default();
        self.row(i, &format!("unknown {} \"{found}\"; expected one of {}{help}", column.name, names.join(", ")))
    }

    /// Values of a column, [`None`] for null.
    fn values<T: DataType, R>(&self, column: Column, read: impl Fn(&T::T) -> R) -> Result<Vec<Option<R>>, Error> {
        let (place, nullable) = self.trace.places[COLUMNS.iter().position(|c| *c == column).expect("one of ours")];
        let rows = self.reader.metadata().num_rows().max(0) as usize;
        let decode = || {
            let mut reader = get_typed_column_reader::<T>(self.reader.get_column_reader(place)?);
            let (mut values, mut levels) = (Vec::new(), Vec::new());
            loop {
                let before = levels.len().max(values.len());
                let (records, _, _) = reader.read_records(rows, Some(&mut levels), None, &mut values)?;
                if records == 0 || levels.len().max(values.len()) == before {
                    break;
                }
            }
            Ok::<_, parquet::errors::ParquetError>((values, levels))
        };
        let undecoded = |error| {
            let (name, kind) = (column.name, column.kind);
            let expected = format!("expected {rows} values of {kind}");
            self.trace.input(format!("column \"{name}\" cannot be decoded ({error}); {expected}{DAMAGED}"))
        };
        let (values, levels) = decode().map_err(undecoded)?;
        let mut values = values.iter().map(read);
        Ok(if nullable {
            levels.iter().map(|level| if *level == 1 { values.next() } else { None }).collect()
        } else {
            values.map(Some).collect()
        })
    }

    fn required<T: DataType, R>(&self, column: Column, read: impl Fn(&T::T) -> R) -> Result<Vec<R>, Error> {
        let values = self.values::<T, R>(column, read)?;
        self.no_null(column, values)
    }

    fn no_null<R>(&self, column: Column, values: Vec<Option<R>>) -> Result<Vec<R>, Error> {
        let missing = |i| self.row(i, &format!("{} is null; expected a value", column.name));
        values.into_iter().enumerate().map(|(i, value)| value.ok_or_else(|| missing(i))).collect()
    }

    fn long(&self, column: Column) -> Result<Vec<u64>, Error> {
        self.required::<Int64Type, _>(column, |x| *x as u64)
    }

    fn int(&self, column: Column) -> Result<Vec<u32>, Error> {
        self.required::<Int32Type, _>(column, |x| *x as u32)
    }

    /// Indices, [`NONE`] for null.
    fn index(&self, column: Column) -> Result<Vec<u32>, Error> {
        let values = self.values::<Int32Type, _>(column, |x| *x as u32)?;
        Ok(values.into_iter().map(|value| value.unwrap_or(NONE)).collect())
    }

    fn named<R: Copy>(&self, column: Column, all: &[R], name: impl Fn(R) -> &'static str) -> Result<Vec<R>, Error> {
        let values = self.named_or_null(column, all, name)?;
        self.no_null(column, values)
    }

    /// Values stored by name, [`None`] for null.
    fn named_or_null<R: Copy>(
        &self,
        column: Column,
        all: &[R],
        name: impl Fn(R) -> &'static str,
    ) -> Result<Vec<Option<R>>, Error> {
        let names: Vec<&str> = all.iter().map(|x| name(*x)).collect();
        let places = self.places(column, &names)?;
        Ok(places.into_iter().map(|place| place.map(|place| all[place])).collect())
    }

    /// Indices of a column's names among the known names, [`None`] for null.
    fn places(&self, column: Column, names: &[&str]) -> Result<Vec<Option<usize>>, Error> {
        let place = |text: &ByteArray| names.iter().position(|name| name.as_bytes() == text.data());
        let found = self.values::<ByteArrayType, _>(column, |text| place(text).ok_or_else(|| text.clone()))?;
        let checked = found
            .into_iter()
            .enumerate()
            .map(|(i, found)| found.transpose().map_err(|text| self.unknown(i, column, &text, names)));
        checked.collect()
    }

    /// Indices of layers, [`NONE`] for null.
    fn layer(&self, column: Column) -> Result<Vec<u32>, Error> {
        let names: Vec<&str> = self.trace.layers.iter().map(String::as_str).collect();
        let places = self.places(column, &names)?;
        Ok(places.into_iter().map(|place| place.map_or(NONE, |place| place as u32)).collect())
    }
}
