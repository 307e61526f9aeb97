//! The scores of each image as Parquet, a row for each condition, image and number of members.

use crate::error::Error;
use crate::eval::{Evaluated, Score};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use std::sync::Arc;

const TEXTS: [&str; 2] = ["compensation", "set"];
const INTS: [&str; 4] = ["deployment", "image", "members", "prediction"];
const DOUBLES: [&str; 5] = ["drift_s", "confidence", "entropy", "aleatoric", "mutual_information"];
/// Null without labels.
const OF_LABELS: [&str; 2] = ["nll", "brier"];

fn failed(error: ParquetError) -> Error {
    Error::Internal(format!("scores as Parquet: {error}"))
}

impl Evaluated {
    /// The file: texts `compensation` and `set` (`in` or `out` of distribution); `deployment`, `image` (its number in its
    /// file), `members`, `prediction`; `label`, `nll` and `brier`, null without labels; `drift_s`, `confidence`, `entropy`,
    /// `aleatoric` and `mutual_information`.
    ///
    /// # Errors
    /// Returns [`Error::Internal`] if the writer refuses.
    pub fn to_parquet(&self) -> Result<Vec<u8>, Error> {
        let field = |name: &&str, kind: Physical, repetition: Repetition| {
            let text = (kind == Physical::BYTE_ARRAY).then_some(LogicalType::String);
            let field =
                Type::primitive_type_builder(name, kind).with_repetition(repetition).with_logical_type(text).build();
            field.map(Arc::new).map_err(failed)
        };
        let mut fields = Vec::new();
        for name in &TEXTS {
            fields.push(field(name, Physical::BYTE_ARRAY, Repetition::REQUIRED)?);
        }
        for name in &INTS {
            fields.push(field(name, Physical::INT32, Repetition::REQUIRED)?);
        }
        fields.push(field(&"label", Physical::INT32, Repetition::OPTIONAL)?);
        for name in &DOUBLES {
            fields.push(field(name, Physical::DOUBLE, Repetition::REQUIRED)?);
        }
        for name in &OF_LABELS {
            fields.push(field(name, Physical::DOUBLE, Repetition::OPTIONAL)?);
        }
        let schema = Type::group_type_builder("images").with_fields(fields).build().map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_created_by(concat!("crossbayes version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let mut writer =
            SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).map_err(failed)?;
        let conditions = self.table.rows.chunks_exact(self.members.len());
        for (rows, scored) in conditions.zip(&self.scored) {
            for (set, (answered, of_images)) in self.sets.iter().zip(&scored.sets).enumerate() {
                let (members, n) = (&self.members, of_images.len() * self.members.len());
                // Row by row: image by image, members within.
                let scores: Vec<&Score> = of_images
                    .iter()
                    .flat_map(|of_image| members.iter().map(|&members| &of_image[members as usize - 1]))
                    .collect();
                let each = |values: &mut dyn Iterator<Item = i32>| -> Vec<i32> {
                    values.flat_map(|value| members.iter().map(move |_| value)).collect()
                };
                let mut group = writer.next_row_group().map_err(failed)?;
                for text in [rows[0].compensation, ["in", "out"][set]] {
                    put::<ByteArrayType>(&mut group, &vec![ByteArray::from(text); n], None)?;
                }
                put::<Int32Type>(&mut group, &vec![rows[0].deployment as i32; n], None)?;
                let images = each(&mut answered.order.iter().map(|&image| image as i32));
                put::<Int32Type>(&mut group, &images, None)?;
                let of_members: Vec<i32> =
                    of_images.iter().flat_map(|_| members.iter().map(|&members| members as i32)).collect();
                put::<Int32Type>(&mut group, &of_members, None)?;
                let predictions: Vec<i32> = scores.iter().map(|score| score.prediction as i32).collect();
                put::<Int32Type>(&mut group, &predictions, None)?;
                let labels = answered.images.labels();
                let known = vec![i16::from(labels.is_some()); n];
                let labels = each(&mut labels.unwrap_or_default().iter().map(|&label| label as i32));
                put::<Int32Type>(&mut group, &labels, Some(&known))?;
                put::<DoubleType>(&mut group, &vec![rows[0].drift_s; n], None)?;
                for of in [
                    |score: &Score| score.confidence,
                    |score: &Score| score.entropy,
                    |score: &Score| score.aleatoric,
                    Score::mutual_information,
                ] {
                    let values: Vec<f64> = scores.iter().map(|score| of(score)).collect();
                    put::<DoubleType>(&mut group, &values, None)?;
                }
                for of in [|score: &Score| score.label.map(|p| -libm::log(p)), |score: &Score| score.brier] {
                    let values: Vec<f64> = scores.iter().filter_map(|score| of(score)).collect();
                    put::<DoubleType>(&mut group, &values, Some(&known))?;
                }
                group.close().map_err(failed)?;
            }
        }
        writer.into_inner().map_err(failed)
    }
}

/// Writes the next column: values that are not null, and for a nullable one which rows have one.
fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
    known: Option<&[i16]>,
) -> Result<(), Error> {
    let Some(mut column) = group.next_column().map_err(failed)? else {
        return Err(Error::Internal("scores as Parquet: more columns than the schema has".to_owned()));
    };
    column.typed::<T>().write_batch(values, known, None).map_err(failed)?;
    column.close().map_err(failed)
}
