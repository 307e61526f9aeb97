//! Spans streamed to a Parquet file with zstd.
//!
//! The simulation only fills a buffer of spans; a thread of its own encodes, compresses and writes it. A few buffers go
//! back and forth, so memory stays flat however long the run is: when the thread falls behind, `push` waits for it.

use crate::error::Error;
use crate::trace::columns::{LAYERS_KEY, SCHEMA_VERSION, VERSION_KEY, schema};
use crate::trace::row_group::RowGroup;
use crate::trace::seal::{BLANK, HASH_KEY, Hashed};
use crate::trace::{Span, SpanSink};
use crate::whole::NewFile;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Error>;

/// Rows of a row group, held in memory as columns while the file is written.
const ROW_GROUP: usize = 1 << 16;
/// Spans that are handed over at a time: few enough to be in a cache that both threads reach when they are taken apart.
const HANDED_OVER: usize = 1 << 12;
/// Buffers that go back and forth, beside the one that is being filled.
const BUFFERS: usize = 4;

/// Writes a trace file. The file appears under its name only when [`ParquetSink::finish`] succeeds.
#[derive(Debug)]
pub struct ParquetSink {
    path: PathBuf,
    /// Dropped after the thread has ended; taken when the sink is finished.
    unfinished: Option<NewFile>,
    filling: Vec<Span>,
    /// Taken when the sink is finished or dropped, which ends the thread.
    full: Option<SyncSender<Vec<Span>>>,
    empty: Receiver<Vec<Span>>,
    /// Time spent in handing over: what exceeds a few microseconds is waiting for the thread.
    waited: Duration,
    thread: Option<JoinHandle<parquet::errors::Result<SerializedFileWriter<Hashed>>>>,
}

impl ParquetSink {
    /// Opens a temporary file beside `path` and starts the writing thread. `layers` are the names of the layers that
    /// spans number.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be created.
    pub fn create<S: AsRef<str>>(path: impl Into<PathBuf>, layers: &[S]) -> Result<Self> {
        let path = path.into();
        let (unfinished, file) = NewFile::create(&path)?;
        Self::start(path, unfinished, file, layers)
    }

    /// Starts the thread that writes `file`, which is to become `path`.
    fn start<S: AsRef<str>>(path: PathBuf, unfinished: NewFile, file: File, layers: &[S]) -> Result<Self> {
        let names: Vec<&str> = layers.iter().map(AsRef::as_ref).collect();
        let writer = SerializedFileWriter::new(Hashed::new(file), schema(), Arc::new(properties(&names)))
            .map_err(error_at(&path))?;
        let row_group = RowGroup::new(&names).map_err(Error::io(&path))?;
        let (full, from_run) = sync_channel::<Vec<Span>>(BUFFERS - 1);
        let (to_run, empty) = sync_channel(BUFFERS + 1);
        for _ in 0..BUFFERS {
            to_run.send(Vec::with_capacity(HANDED_OVER)).expect("the receiver is held here");
        }
        let thread = std::thread::Builder::new()
            .name("trace".into())
            .spawn(move || write_all(writer, row_group, &from_run, &to_run))
            .map_err(Error::io(&path))?;
        Ok(Self {
            path,
            unfinished: Some(unfinished),
            filling: Vec::with_capacity(HANDED_OVER),
            full: Some(full),
            empty,
            waited: Duration::ZERO,
            thread: Some(thread),
        })
    }

    /// Hands the buffer to the thread and takes an empty one. When the thread has stopped on an error, spans are
    /// dropped: [`ParquetSink::finish`] returns the error.
    fn hand_over(&mut self) {
        let start = Instant::now();
        if let Some(full) = &self.full
            && full.send(std::mem::take(&mut self.filling)).is_ok()
            && let Ok(empty) = self.empty.recv()
        {
            self.filling = empty;
        } else {
            self.full = None;
        }
        self.filling.clear();
        self.waited += start.elapsed();
    }

    /// Writes what is left and the file's metadata, seals the file with its hash, and gives it its name.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file could not be written, now or earlier; nothing is left behind then.
    pub fn finish(mut self, metadata: &[(&str, &str)]) -> Result<()> {
        if !self.filling.is_empty() {
            self.hand_over();
        }
        let once = "a sink is finished once";
        let mut writer = self.stop().expect(once).map_err(error_at(&self.path))?;
        for (key, value) in metadata {
            writer.append_key_value_metadata(KeyValue::new((*key).to_owned(), (*value).to_owned()));
        }
        writer.append_key_value_metadata(KeyValue::new(HASH_KEY.to_owned(), BLANK.to_owned()));
        writer.finish().map_err(error_at(&self.path))?;
        writer.inner_mut().seal().map_err(Error::io(&self.path))?;
        self.unfinished.take().expect(once).finish()
    }

    /// Ends the thread and takes its file; [`None`] when it was ended before.
    fn stop(&mut self) -> Option<parquet::errors::Result<SerializedFileWriter<Hashed>>> {
        self.full = None;
        let joined = self.thread.take()?.join();
        Some(joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

impl SpanSink for ParquetSink {
    #[inline]
    fn push(&mut self, span: &Span) {
        self.filling.push(*span);
        if self.filling.len() == HANDED_OVER {
            self.hand_over();
        }
    }

    fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for ParquetSink {
    fn drop(&mut self) {
        self.full = None;
        if let Some(thread) = self.thread.take() {
            // An error no longer matters: the file goes away.
            let _ = thread.join();
        }
    }
}

/// An error of the Parquet library as one of ours, for `map_err`.
pub(crate) fn error_at(path: &Path) -> impl FnOnce(ParquetError) -> Error {
    let path = path.to_owned();
    move |error| {
        let source = match error {
            ParquetError::External(source) => match source.downcast::<std::io::Error>() {
                Ok(io) => *io,
                Err(other) => std::io::Error::other(other),
            },
            other => std::io::Error::other(other),
        };
        Error::Io { path, source }
    }
}

fn properties(layers: &[&str]) -> WriterProperties {
    let metadata = vec![
        KeyValue::new(VERSION_KEY.to_owned(), SCHEMA_VERSION.to_owned()),
        KeyValue::new(LAYERS_KEY.to_owned(), serde_json::to_string(layers).expect("names are JSON")),
    ];
    WriterProperties::builder()
        .set_created_by(concat!("crossbayes version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_offset_index_disabled(true)
        .set_key_value_metadata(Some(metadata))
        .build()
}

/// Writes row groups until the run hangs up.
fn write_all(
    mut writer: SerializedFileWriter<Hashed>,
    mut row_group: RowGroup,
    full: &Receiver<Vec<Span>>,
    empty: &SyncSender<Vec<Span>>,
) -> parquet::errors::Result<SerializedFileWriter<Hashed>> {
    while let Ok(mut spans) = full.recv() {
        row_group.take(&spans);
        spans.clear();
        // The run may have hung up meanwhile; what it sent before is still received.
        let _ = empty.send(spans);
        if row_group.rows() == ROW_GROUP {
            row_group.write(&mut writer)?;
        }
    }
    if row_group.rows() > 0 {
        row_group.write(&mut writer)?;
    }
    Ok(writer)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::trace::{Action, Component, NONE};

    #[test]
    fn a_full_disk_is_reported_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.parquet");
        let (unfinished, _) = NewFile::create(&path).unwrap();
        // A device whose every write fails for lack of space.
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut sink = ParquetSink::start(path.clone(), unfinished, full, &["conv1"]).unwrap();
        let span = Span {
            start: 0,
            duration: 1,
            repeats: 1,
            period: 1,
            component: Component::Crossbar,
            action: Action::Read,
            plane: None,
            layer: 0,
            group: NONE,
            stage: 0,
            image: 0,
            member: NONE,
            position: 0,
            unit: 0,
            units: 1,
            count: 1,
            energy: 1,
        };
        (0..10 * ROW_GROUP as u64).for_each(|start| sink.push(&Span { start, ..span }));
        let error = sink.finish(&[]).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: No space left on device (os error 28)", path.display()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }
}
