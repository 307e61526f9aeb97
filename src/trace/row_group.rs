//! Spans to the pages of a row group: each column is encoded as spans come, and compressed by itself.

use crate::mapping::Plane;
use crate::trace::columns::{COLUMNS, Column};
use crate::trace::encode::{Delta, Hybrid, dictionary};
use crate::trace::seal::Hashed;
use crate::trace::{Action, Component, NONE, Span};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type as Physical, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// The fastest level of zstd that Parquet's writers offer.
const LEVEL: i32 = 1;
/// Number of spans taken apart at a time: few enough to stay in the nearest cache until the last column.
const AT_A_TIME: usize = 256;

/// Writes row groups; keeps its buffers between them.
pub(super) struct RowGroup {
    columns: [Values; COLUMNS.len()],
    rows: usize,
    /// Encoded dictionaries with their sizes: components, actions, planes, layers.
    names: [(Vec<u8>, usize); 4],
    zstd: zstd::bulk::Compressor<'static>,
    page: Vec<u8>,
}

/// Dictionary of a column, by its place in [`RowGroup::names`].
fn dictionary_of(column: Column) -> Option<usize> {
    ["component", "action", "plane", "layer"].into_iter().position(|name| name == column.name)
}

/// One column of the row group that is being written.
struct Values {
    /// For a nullable column 1 where a row is not null, else 0.
    levels: Hybrid,
    /// Values that are not null.
    known: Known,
}

enum Known {
    Numbers(Delta),
    /// Places in a dictionary.
    Names(Hybrid),
}

impl Values {
    #[inline(always)]
    fn take(&mut self, spans: &[Span], field: impl Fn(&Span) -> i64) {
        let mut values = [0; AT_A_TIME];
        let values = &mut values[..spans.len()];
        values.iter_mut().zip(spans).for_each(|(value, span)| *value = field(span));
        self.extend(values);
    }

    #[inline(always)]
    fn take_known(&mut self, spans: &[Span], field: impl Fn(&Span) -> u32) {
        let mut values = [0; AT_A_TIME];
        let values = &mut values[..spans.len()];
        values.iter_mut().zip(spans).for_each(|(value, span)| *value = i64::from(field(span) as i32));
        self.extend_known(values);
    }

    fn extend_known(&mut self, values: &mut [i64]) {
        let mut levels = [1; AT_A_TIME];
        let levels = &mut levels[..values.len()];
        // Most often no row is null.
        if !values.contains(&NULL) {
            self.levels.extend(levels);
            self.extend(values);
            return;
        }
        let mut known = 0;
        for row in 0..values.len() {
            levels[row] = i64::from(values[row] != NULL);
            values[known] = values[row];
            known += levels[row] as usize;
        }
        self.levels.extend(levels);
        self.extend(&values[..known]);
    }

    fn extend(&mut self, values: &[i64]) {
        match &mut self.known {
            Known::Numbers(delta) => delta.extend(values),
            Known::Names(hybrid) => hybrid.extend(values),
        }
    }
}

/// [`NONE`] among the values of a column.
const NULL: i64 = NONE as i32 as i64;

impl RowGroup {
    /// For spans of layers of these names.
    pub fn new(layers: &[&str]) -> std::io::Result<Self> {
        let mut zstd = zstd::bulk::Compressor::new(LEVEL)?;
        // A damaged page is then an error when it is read, not other values.
        zstd.include_checksum(true)?;
        let names = |names: Vec<&str>| (dictionary(names.iter().copied()), names.len());
        let names = [
            names(Component::ALL.iter().map(|component| component.name()).collect()),
            names(Action::ALL.iter().map(|action| action.name()).collect()),
            names(Plane::ALL.iter().map(|plane| plane.name()).collect()),
            names(layers.to_vec()),
        ];
        let columns = COLUMNS.map(|column| Values {
            levels: Hybrid::new(2),
            known: match dictionary_of(column) {
                Some(place) => Known::Names(Hybrid::new(names[place].1)),
                None => Known::Numbers(Delta::new(column.kind == Physical::INT64)),
            },
        });
        Ok(Self { columns, rows: 0, names, zstd, page: Vec::new() })
    }

    /// Rows taken since the last one was written.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Appends what was taken as one row group.
    pub fn write(&mut self, file: &mut SerializedFileWriter<Hashed>) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let schema = file.schema_descr().columns().to_vec();
        let mut group = file.next_row_group()?;
        for (place, (column, descriptor)) in COLUMNS.into_iter().zip(schema).enumerate() {
            let (chunk, close) = self.chunk(place, column, descriptor, rows)?;
            group.append_column(&chunk, close)?;
        }
        group.close().map(drop)
    }

    /// Takes rows apart into columns.
    pub fn take(&mut self, spans: &[Span]) {
        self.rows += spans.len();
        let [start, duration, repeats, period, component, action, plane, layer, group, stage, rest @ ..] =
            &mut self.columns;
        let [image, member, position, unit, units, count, energy] = rest;
        for spans in spans.chunks(AT_A_TIME) {
            start.take(spans, |span| span.start as i64);
            duration.take(spans, |span| span.duration as i64);
            repeats.take(spans, |span| i64::from(span.repeats as i32));
            period.take(spans, |span| span.period as i64);
            component.take(spans, |span| span.component as i64);
            action.take(spans, |span| span.action as i64);
            plane.take_known(spans, |span| span.plane.map_or(NONE, |plane| plane as u32));
            layer.take_known(spans, |span| span.layer);
            group.take_known(spans, |span| span.group);
            stage.take(spans, |span| i64::from(span.stage as i32));
            image.take_known(spans, |span| span.image);
            member.take_known(spans, |span| span.member);
            position.take_known(spans, |span| span.position);
            unit.take_known(spans, |span| span.unit);
            units.take(spans, |span| i64::from(span.units as i32));
            count.take(spans, |span| span.count as i64);
            energy.take(spans, |span| span.energy as i64);
        }
    }

    /// The pages of one column, and their metadata in the file's footer.
    fn chunk(
        &mut self,
        place: usize,
        column: Column,
        descriptor: ColumnDescPtr,
        rows: usize,
    ) -> Result<(Bytes, ColumnCloseResult)> {
        let Values { known, levels } = &mut self.columns[place];
        let names = dictionary_of(column).map(|place| &self.names[place]);
        let mut chunk = TrackedWrite::new(Vec::new());
        let mut pages = SerializedPageWriter::new(&mut chunk);
        let mut uncompressed = 0;
        if let Some((encoded, count)) = names {
            let page = Page::DictionaryPage {
                buf: self.zstd.compress(encoded)?.into(),
                num_values: *count as u32,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            uncompressed += pages.write_page(CompressedPage::new(page, encoded.len()))?.uncompressed_size;
        }

        self.page.clear();
        if column.nullable {
            // The levels of a page stand behind their length.
            self.page.extend_from_slice(&[0; 4]);
            levels.finish(&mut self.page);
            let length = (self.page.len() - 4) as u32;
            self.page[..4].copy_from_slice(&length.to_le_bytes());
        }
        let encoding = match known {
            Known::Names(hybrid) => {
                // Indices stand behind their width.
                self.page.push(hybrid.width() as u8);
                hybrid.finish(&mut self.page);
                Encoding::RLE_DICTIONARY
            }
            Known::Numbers(delta) => {
                delta.finish(&mut self.page);
                Encoding::DELTA_BINARY_PACKED
            }
        };
        let page = Page::DataPage {
            buf: self.zstd.compress(&self.page)?.into(),
            num_values: rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let data = pages.write_page(CompressedPage::new(page, self.page.len()))?;
        uncompressed += data.uncompressed_size;

        let chunk = Bytes::from(chunk.into_inner()?);
        let metadata = ColumnChunkMetaData::builder(descriptor)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE, encoding])
            .set_num_values(rows as i64)
            .set_total_uncompressed_size(uncompressed as i64)
            .set_total_compressed_size(chunk.len() as i64)
            .set_dictionary_page_offset(names.map(|_| 0))
            .set_data_page_offset(data.offset as i64)
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: chunk.len() as u64,
            rows_written: rows as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok((chunk, close))
    }
}
