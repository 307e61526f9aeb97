//! The JSON Schema and the key reference, both from the declarations of the types.
//!
//! The schema describes a file's values in the JSON shape that serde gives them: a struct is an object, a unit variant
//! its name, any other variant an object with its name as the only key.

use crate::config::decode::Decode;
use crate::config::load::FileKind;
use crate::config::shape::{Body, Bound, Choice, Field, Kind, Range, Record};
use crate::config::{Chip, Config, CostTable, Workload};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// JSON Schema (draft 2020-12) of a kind of file.
#[must_use]
pub fn json_schema(kind: FileKind) -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(format!("crossbayes {}", kind.description())));
    schema.extend(match root(kind) {
        // The file itself: it cannot be a path to another one.
        Kind::Record(record) => record_schema(&Record { from_file: false, ..record }),
        other => value_schema(&other, None),
    });
    Value::Object(schema)
}

fn root(kind: FileKind) -> Kind {
    match kind {
        FileKind::Arch => Chip::kind(),
        FileKind::Parts => CostTable::kind(),
        FileKind::Workload => Workload::kind(),
        FileKind::Run => Config::kind(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => unreachable!("only called with object literals"),
    }
}

/// Schema of a value within `range`.
fn value_schema(kind: &Kind, range: Option<&Range>) -> Map<String, Value> {
    match kind {
        Kind::Boolean => object(json!({"type": "boolean"})),
        Kind::Integer { largest } => {
            let mut schema = object(json!({"type": "integer", "minimum": 0, "maximum": largest}));
            schema.extend(limits(range));
            schema
        }
        Kind::Real => {
            let mut schema = object(json!({"type": "number"}));
            schema.extend(limits(range));
            schema
        }
        Kind::Text => {
            let mut schema = object(json!({"type": "string"}));
            if let Some(Range { least: Bound::Integer(least), .. }) = range {
                schema.insert("minLength".to_owned(), json!(least));
            }
            schema
        }
        Kind::Quantity { units, example, .. } => {
            let symbols: Vec<&str> = units.iter().map(|unit| unit.symbol).collect();
            let pattern = format!(r"^\s*[0-9_]*\.?[0-9_]*\s*({})\s*$", symbols.join("|"));
            let mut schema = object(json!({"type": "string", "pattern": pattern, "examples": [example]}));
            if let Some(range) = range {
                schema.insert("$comment".to_owned(), json!(format!("allowed: {range}")));
            }
            schema
        }
        Kind::Optional(inner) => {
            object(json!({"anyOf": [{"type": "null"}, Value::Object(value_schema(inner, range))]}))
        }
        Kind::List(inner) => object(json!({"type": "array", "items": Value::Object(value_schema(inner, range))})),
        Kind::Pairs => {
            let number = Value::Object(value_schema(&Kind::Integer { largest: u64::from(u32::MAX) }, range));
            object(json!({"anyOf": [
                {"type": "array", "items": {
                    "type": "array", "prefixItems": [{"type": "string"}, number], "minItems": 2, "maxItems": 2,
                }},
                {"type": "object", "additionalProperties": number},
            ]}))
        }
        Kind::Record(record) => record_schema(record),
        Kind::Choice(choice) => choice_schema(choice),
    }
}

/// `minimum` and `maximum` of a number.
fn limits(range: Option<&Range>) -> Map<String, Value> {
    let ends = [("minimum", range.map(|range| range.least)), ("maximum", range.and_then(|range| range.most))];
    let number = |bound: Bound| match bound {
        Bound::Integer(value) => Some(json!(value)),
        Bound::Real(value) => Some(json!(value)),
        Bound::Quantity(_) => None,
    };
    ends.into_iter().filter_map(|(key, bound)| Some((key.to_owned(), number(bound?)?))).collect()
}

fn fields_schema(fields: &[Field]) -> Map<String, Value> {
    let mut properties = Map::new();
    for field in fields {
        let mut schema = value_schema(&field.kind, field.range.as_ref());
        // What the key means here says more than what its type is.
        schema.insert("description".to_owned(), json!(field.doc));
        if let Some(default) = &field.default {
            schema.insert("default".to_owned(), default.json.clone());
        }
        properties.insert(field.key.to_owned(), Value::Object(schema));
    }
    let required: Vec<&str> = fields.iter().filter(|field| field.default.is_none()).map(|field| field.key).collect();
    object(json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    }))
}

fn record_schema(record: &Record) -> Map<String, Value> {
    let mut schema = fields_schema(&record.fields);
    if record.from_file {
        let path = json!({"type": "string", "minLength": 1, "description": "Path of a file that holds it."});
        schema = object(json!({"anyOf": [path, Value::Object(schema)]}));
    }
    schema.insert("description".to_owned(), json!(record.doc));
    schema
}

fn choice_schema(choice: &Choice) -> Map<String, Value> {
    let variants: Vec<Value> = choice
        .variants
        .iter()
        .map(|variant| {
            let name = variant.name;
            let held = match &variant.body {
                Body::Unit => return json!({"const": name, "description": variant.doc}),
                Body::Value(kind, range) => value_schema(kind, range.as_ref()),
                Body::Fields(fields) => fields_schema(fields),
            };
            json!({
                "type": "object",
                "properties": {name: Value::Object(held)},
                "required": [name],
                "additionalProperties": false,
                "description": variant.doc,
            })
        })
        .collect();
    object(json!({"description": choice.doc, "oneOf": variants}))
}

/// Every key with type, default, range and meaning, as a page of the docs book.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = Page::default();
    page.text.push_str(
        "# Configuration keys\n\n\
         <!-- Made from the types by `reference_markdown`; a test compares this page with them. -->\n\n\
         Files are written in [RON](https://github.com/ron-rs/ron). A quantity is a text with a unit, such as\n\
         `\"10 ns\"`. `--set` takes the dotted path of a key (`arch.adc.columns_per_adc=16`,\n\
         `workload.layers.conv1.pool=2`), its value without quotes. A key without a default must be given.\n",
    );
    let files = [
        (FileKind::Arch, "Chip: `arch/*.ron`"),
        (FileKind::Parts, "Cost table: `arch/parts/*.ron`"),
        (FileKind::Workload, "Network: `workloads/*.ron`"),
        (FileKind::Run, "Run: `--set`, and the configuration that is saved with each run"),
    ];
    // The parts of a kind of file are told under it; what another kind describes is told there.
    for (kind, _) in files {
        if let Kind::Record(record) = root(kind) {
            page.told.insert(record.name);
        }
    }
    for (kind, title) in files {
        let _ = writeln!(page.text, "\n## {title}");
        if let Kind::Record(record) = root(kind) {
            page.record(&record);
        }
    }
    page.text
}

/// The page while it is written.
#[derive(Default)]
struct Page {
    text: String,
    /// Types that have their section or will get it.
    told: BTreeSet<&'static str>,
}

impl Page {
    /// A struct's text and table, then the sections of the types in it.
    fn record(&mut self, record: &Record) {
        let _ = writeln!(self.text, "\n{}\n", record.doc);
        self.table(&record.fields);
        self.parts(&record.fields);
    }

    fn choice(&mut self, choice: &Choice) {
        let _ = writeln!(self.text, "\n{}\n", choice.doc);
        for variant in &choice.variants {
            let holds = match &variant.body {
                Body::Unit => String::new(),
                Body::Value(kind, range) => {
                    let range = range.map(|range| format!(", {range}")).unwrap_or_default();
                    format!("({}{range})", type_text(kind))
                }
                Body::Fields(_) => "(..)".to_owned(),
            };
            let _ = writeln!(self.text, "- `{}{holds}`: {}", variant.name, variant.doc);
        }
        for variant in &choice.variants {
            if let Body::Fields(fields) = &variant.body {
                let _ = writeln!(self.text, "\nKeys of `{}`:\n", variant.name);
                self.table(fields);
            }
        }
        for variant in &choice.variants {
            match &variant.body {
                Body::Fields(fields) => self.parts(fields),
                Body::Value(kind, _) => self.section(kind),
                Body::Unit => {}
            }
        }
    }

    fn table(&mut self, fields: &[Field]) {
        self.text.push_str("| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n");
        for field in fields {
            let default = field.default.as_ref().map_or("".to_owned(), |default| default_text(field, &default.ron));
            let range = field.range.as_ref().map_or(String::new(), |range| range_text(&field.kind, range));
            let doc = field.doc.replace('|', "\\|");
            let _ =
                writeln!(self.text, "| `{}` | {} | {default} | {range} | {doc} |", field.key, type_text(&field.kind));
        }
    }

    fn parts(&mut self, fields: &[Field]) {
        for field in fields {
            self.section(&field.kind);
        }
    }

    /// The section of a type, the first time it is met.
    fn section(&mut self, kind: &Kind) {
        match kind {
            Kind::Optional(inner) | Kind::List(inner) => self.section(inner),
            Kind::Record(record) if self.told.insert(record.name) => {
                let _ = writeln!(self.text, "\n### {}", record.name);
                self.record(record);
            }
            Kind::Choice(choice) if self.told.insert(choice.name) => {
                let _ = writeln!(self.text, "\n### {}", choice.name);
                self.choice(choice);
            }
            _ => {}
        }
    }
}

/// A default as a cell of a table; a struct of defaults is told in its own section.
fn default_text(field: &Field, ron: &str) -> String {
    match &field.kind {
        Kind::Record(_) => "its defaults".to_owned(),
        _ => format!("`{ron}`"),
    }
}

/// A range as a cell of a table.
fn range_text(kind: &Kind, range: &Range) -> String {
    match kind {
        Kind::Text => "not empty".to_owned(),
        Kind::Optional(inner) => range_text(inner, range),
        Kind::List(inner) => format!("each {}", range_text(inner, range)),
        _ => range.to_string(),
    }
}

fn type_text(kind: &Kind) -> String {
    match kind {
        Kind::Boolean => "true or false".to_owned(),
        Kind::Integer { .. } => "whole number".to_owned(),
        Kind::Real => "number".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Quantity { name, units, .. } => {
            let symbols: Vec<&str> = units.iter().map(|unit| unit.symbol).collect();
            format!("{name} ({})", symbols.join(", "))
        }
        Kind::Optional(inner) => format!("{}, or `None`", type_text(inner)),
        Kind::List(inner) => format!("list of {}", type_text(inner)),
        Kind::Pairs => "pairs of name and number, `[(\"conv1\", 4)]`".to_owned(),
        Kind::Record(record) if record.from_file => format!("{}, or the path of its file", record.name),
        Kind::Record(record) => record.name.to_owned(),
        Kind::Choice(choice) => choice.name.to_owned(),
    }
}
