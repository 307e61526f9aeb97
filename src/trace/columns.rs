//! The columns of a trace file. `traces/README.md` describes them for users.

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::schema::types::{Type, TypePtr};
use std::sync::Arc;

/// Changes whenever a column or its meaning does.
pub const SCHEMA_VERSION: &str = "2";
/// Metadata key of [`SCHEMA_VERSION`]; its presence marks a Parquet file as a trace.
pub const VERSION_KEY: &str = "crossbayes.schema_version";
/// Metadata key of the layers' names, a JSON list: the index of a layer is its place there.
pub const LAYERS_KEY: &str = "crossbayes.layers";
/// Metadata key of the hash by which a changed file is recognised.
pub use super::seal::HASH_KEY;
/// Metadata key of the run's facts, JSON.
pub const FACTS_KEY: &str = "crossbayes.facts";

/// A column: its name, what it holds, and whether it may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name in the file.
    pub name: &'static str,
    /// Physical type.
    pub kind: Physical,
    /// Null stands for [`NONE`](crate::trace::NONE).
    pub nullable: bool,
}

const fn long(name: &'static str) -> Column {
    Column { name, kind: Physical::INT64, nullable: false }
}

const fn int(name: &'static str, nullable: bool) -> Column {
    Column { name, kind: Physical::INT32, nullable }
}

const fn text(name: &'static str, nullable: bool) -> Column {
    Column { name, kind: Physical::BYTE_ARRAY, nullable }
}

/// All of them, in the order of the file.
pub const COLUMNS: [Column; 17] = [
    long("start"),
    long("duration"),
    int("repeats", false),
    long("period"),
    text("component", false),
    text("action", false),
    text("plane", true),
    text("layer", true),
    int("group", true),
    int("stage", false),
    int("image", true),
    int("member", true),
    int("position", true),
    int("unit", true),
    int("units", false),
    long("count"),
    long("energy_aj"),
];

/// The Parquet schema of [`COLUMNS`].
pub(crate) fn schema() -> TypePtr {
    let fields = COLUMNS.iter().map(|column| {
        let repetition = if column.nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let logical = (column.kind == Physical::BYTE_ARRAY).then_some(LogicalType::String);
        let field = Type::primitive_type_builder(column.name, column.kind)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build();
        Arc::new(field.expect("the columns are well formed"))
    });
    let schema = Type::group_type_builder("trace").with_fields(fields.collect()).build();
    Arc::new(schema.expect("the schema is well formed"))
}
