//! Columns of results, and their form as Parquet and CSV.

use crate::error::Error;
use crate::trace::parquet::error_at;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Type of a column. Any value may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Whole numbers of 64 bits with sign.
    Integer,
    /// Numbers of double precision.
    Real,
    /// Texts.
    Text,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// None.
    Absent,
    /// Of a [`Kind::Integer`] column.
    Integer(i64),
    /// Of a [`Kind::Real`] column.
    Real(f64),
    /// Of a [`Kind::Text`] column.
    Text(String),
}

/// As in a CSV file: nothing where there is none.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Absent => Ok(()),
            Cell::Integer(value) => value.fmt(f),
            Cell::Real(value) => value.fmt(f),
            Cell::Text(text) => text.fmt(f),
        }
    }
}

/// Name and type of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Name.
    pub name: String,
    /// Type.
    pub kind: Kind,
}

/// Values of a column, one a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Of [`Kind::Integer`].
    Integer(Vec<Option<i64>>),
    /// Of [`Kind::Real`].
    Real(Vec<Option<f64>>),
    /// Of [`Kind::Text`].
    Text(Vec<Option<String>>),
}

/// Columns with as many values each as there are rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Names and types.
    pub heads: Vec<Head>,
    /// Values, column by column.
    pub columns: Vec<Values>,
}

/// What is written into memory and to the disk fails alike; who knows the file puts its path.
fn failed(error: ParquetError) -> Error {
    error_at(Path::new("results"))(error)
}

impl Values {
    fn push(&mut self, cell: Cell) {
        match (self, cell) {
            (Values::Integer(values), Cell::Integer(value)) => values.push(Some(value)),
            (Values::Real(values), Cell::Real(value)) => values.push(Some(value)),
            // Whole numbers may stand in a column of others.
            (Values::Real(values), Cell::Integer(value)) => values.push(Some(value as f64)),
            (Values::Text(values), Cell::Text(value)) => values.push(Some(value)),
            (Values::Integer(values), _) => values.push(None),
            (Values::Real(values), _) => values.push(None),
            (Values::Text(values), _) => values.push(None),
        }
    }

    fn len(&self) -> usize {
        match self {
            Values::Integer(values) => values.len(),
            Values::Real(values) => values.len(),
            Values::Text(values) => values.len(),
        }
    }
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(heads: Vec<Head>) -> Self {
        let column = |head: &Head| match head.kind {
            Kind::Integer => Values::Integer(Vec::new()),
            Kind::Real => Values::Real(Vec::new()),
            Kind::Text => Values::Text(Vec::new()),
        };
        let columns = heads.iter().map(column).collect();
        Self { heads, columns }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Values::len)
    }

    /// Adds a row, a cell for each column in their order.
    ///
    /// # Panics
    /// Panics if there are more or fewer cells than columns.
    pub fn push(&mut self, row: Vec<Cell>) {
        assert_eq!(row.len(), self.columns.len(), "cells of a row");
        for (column, cell) in self.columns.iter_mut().zip(row) {
            column.push(cell);
        }
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Values> {
        self.heads.iter().position(|head| head.name == name).map(|at| &self.columns[at])
    }

    /// The numbers of the column of that name; none if there is no such column, or it holds texts.
    #[must_use]
    pub fn numbers(&self, name: &str) -> Option<Vec<Option<f64>>> {
        match self.column(name)? {
            Values::Integer(values) => Some(values.iter().map(|value| value.map(|value| value as f64)).collect()),
            Values::Real(values) => Some(values.clone()),
            Values::Text(_) => None,
        }
    }

    /// The cell of a row and a column.
    #[must_use]
    pub fn cell(&self, row: usize, column: usize) -> Cell {
        match &self.columns[column] {
            Values::Integer(values) => values[row].map_or(Cell::Absent, Cell::Integer),
            Values::Real(values) => values[row].map_or(Cell::Absent, Cell::Real),
            Values::Text(values) => values[row].clone().map_or(Cell::Absent, Cell::Text),
        }
    }

    /// Reads all rows of a Parquet file that [`Writer`] wrote.
    ///
    /// # Errors
    /// What the reader says.
    pub fn read<R: ChunkReader + 'static>(file: &SerializedFileReader<R>) -> Result<Self, ParquetError> {
        let description = file.metadata().file_metadata().schema_descr_ptr();
        let mut heads = Vec::new();
        for column in description.columns() {
            let kind = match column.physical_type() {
                Physical::INT64 => Kind::Integer,
                Physical::DOUBLE => Kind::Real,
                Physical::BYTE_ARRAY => Kind::Text,
                other => return Err(ParquetError::General(format!("column {} is {other}", column.name()))),
            };
            heads.push(Head { name: column.name().to_owned(), kind });
        }
        let mut table = Self::new(heads);
        for group in 0..file.num_row_groups() {
            let group = file.get_row_group(group)?;
            for (at, column) in table.columns.iter_mut().enumerate() {
                let reader = group.get_column_reader(at)?;
                let rows = group.metadata().num_rows() as usize;
                match column {
                    Values::Integer(values) => values.extend(get::<Int64Type>(reader, rows)?),
                    Values::Real(values) => values.extend(get::<DoubleType>(reader, rows)?),
                    Values::Text(values) => {
                        for text in get::<ByteArrayType>(reader, rows)? {
                            let text = text.map(|bytes| bytes.as_utf8().map(str::to_owned)).transpose()?;
                            values.push(text);
                        }
                    }
                }
            }
        }
        Ok(table)
    }

    /// The rows as CSV, without a head.
    ///
    /// # Errors
    /// Returns [`Error::Internal`] if the writer refuses.
    pub fn write_csv<W: Write>(&self, writer: &mut csv::Writer<W>) -> Result<(), Error> {
        for row in 0..self.rows() {
            let cells = (0..self.columns.len()).map(|column| self.cell(row, column).to_string());
            writer.write_record(cells).map_err(|error| Error::Internal(format!("results as CSV: {error}")))?;
        }
        Ok(())
    }
}

/// Values and absences of a column of a row group.
fn get<T: DataType>(
    reader: parquet::column::reader::ColumnReader,
    rows: usize,
) -> Result<Vec<Option<T::T>>, ParquetError> {
    let mut reader = get_typed_column_reader::<T>(reader);
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    while levels.len() < rows {
        let (read, ..) = reader.read_records(rows - levels.len(), Some(&mut levels), None, &mut values)?;
        if read == 0 {
            return Err(ParquetError::EOF("fewer rows than the footer has".to_owned()));
        }
    }
    let mut values = values.into_iter();
    Ok(levels.into_iter().map(|level| if level == 0 { None } else { values.next() }).collect())
}

/// Writes tables of equal columns into one Parquet file, a row group each.
pub struct Writer<W: Write + Send>(SerializedFileWriter<W>);

impl<W: Write + Send> std::fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written.
    pub fn new(heads: &[Head], file: W) -> Result<Self, Error> {
        let field = |head: &Head| {
            let (physical, logical) = match head.kind {
                Kind::Integer => (Physical::INT64, None),
                Kind::Real => (Physical::DOUBLE, None),
                Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            };
            let field = Type::primitive_type_builder(&head.name, physical);
            field.with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build().map(Arc::new)
        };
        let fields = heads.iter().map(field).collect::<Result<_, _>>().map_err(failed)?;
        let schema = Type::group_type_builder("points").with_fields(fields).build().map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_created_by(concat!("crossbayes version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .build();
        Ok(Self(SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).map_err(failed)?))
    }

    /// Adds the rows of a table.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if they cannot be written.
    pub fn add(&mut self, table: &Table) -> Result<(), Error> {
        let mut group = self.0.next_row_group().map_err(failed)?;
        for column in &table.columns {
            match column {
                Values::Integer(values) => put::<Int64Type, W>(&mut group, values)?,
                Values::Real(values) => put::<DoubleType, W>(&mut group, values)?,
                Values::Text(values) => {
                    let bytes = |text: &Option<String>| text.as_deref().map(ByteArray::from);
                    put::<ByteArrayType, W>(&mut group, &values.iter().map(bytes).collect::<Vec<_>>())?;
                }
            }
        }
        group.close().map_err(failed)?;
        Ok(())
    }

    /// Writes the footer with `metadata`, and gives what was written to.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written.
    pub fn finish(&mut self, metadata: &[(&str, String)]) -> Result<&mut W, Error> {
        for (key, value) in metadata {
            self.0.append_key_value_metadata(KeyValue::new((*key).to_owned(), value.clone()));
        }
        self.0.finish().map_err(failed)?;
        Ok(self.0.inner_mut())
    }
}

/// Writes the next column.
fn put<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[Option<T::T>],
) -> Result<(), Error> {
    let Some(mut column) = group.next_column().map_err(failed)? else {
        return Err(Error::Internal("results as Parquet: more columns than the schema has".to_owned()));
    };
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let known: Vec<T::T> = values.iter().flatten().cloned().collect();
    column.typed::<T>().write_batch(&known, Some(&levels), None).map_err(failed)?;
    column.close().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_table_goes_through_parquet_and_csv() {
        let head = |name: &str, kind| Head { name: name.to_owned(), kind };
        let mut table =
            Table::new(vec![head("n", Kind::Integer), head("x", Kind::Real), head("a \"text\"", Kind::Text)]);
        table.push(vec![Cell::Integer(-7), Cell::Real(0.1), Cell::Text("a, \"b\"\nc".to_owned())]);
        table.push(vec![Cell::Absent, Cell::Absent, Cell::Absent]);
        table.push(vec![Cell::Integer(i64::MAX), Cell::Integer(3), Cell::Text(String::new())]);
        let mut writer = Writer::new(&table.heads, Vec::new()).unwrap();
        writer.add(&table).unwrap();
        writer.add(&table).unwrap();
        let bytes = std::mem::take(writer.finish(&[("key", "value".to_owned())]).unwrap());
        let read = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        let twice = Table::read(&read).unwrap();
        assert_eq!((twice.rows(), &twice.heads), (6, &table.heads));
        for row in 0..6 {
            for column in 0..3 {
                assert_eq!(twice.cell(row, column), table.cell(row % 3, column));
            }
        }
        assert_eq!(twice.numbers("x").unwrap()[..3], [Some(0.1), None, Some(3.0)]);
        assert_eq!((twice.numbers("a \"text\""), twice.numbers("none")), (None, None));
        let mut csv = csv::Writer::from_writer(Vec::new());
        table.write_csv(&mut csv).unwrap();
        let text = String::from_utf8(csv.into_inner().unwrap()).unwrap();
        assert_eq!(text, "-7,0.1,\"a, \"\"b\"\"\nc\"\n,,\n9223372036854775807,3,\n");
    }
}
