//! The JSON Schema of the types, which leads the walk over a file, and the key reference made from it.
//!
//! The schema describes a file's values in the JSON shape that serde gives them: a struct is an object, a unit variant
//! its name, any other variant an object with its name as the only key. Words of ours in it: `x-quantity` (a text is a
//! number with a unit of that quantity), `x-range` (its least and largest value), `x-file` (the path of a file may stand
//! in place of the struct), `x-base` (a file may give only what differs from another one) and `x-any` (any value).

use crate::config::kind::FileKind;
use crate::config::{Chip, Config, CostTable, DeviceModel, Sweep, Workload};
use crate::units::Quantity;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// Schemas of all types by name.
static NAMED: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let mut all = Map::new();
    add::<Config>(&mut all);
    add::<Sweep>(&mut all);
    all
});

/// Adds the schemas of a type and of its parts.
fn add<T: JsonSchema>(all: &mut Map<String, Value>) {
    let mut root = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let Some(Value::Object(parts)) = root.remove("$defs") else { unreachable!("its parts have names") };
    all.extend(parts);
    all.insert(T::schema_name().into_owned(), root.to_value());
}

/// The schema of the struct or enum called `name`.
pub(super) fn named(name: &str) -> Schema {
    Schema(&NAMED[name])
}

/// A schema, with what is asked of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema(pub &'static Value);

impl Schema {
    /// The name of the struct or enum that it refers to.
    pub fn reference(self) -> Option<&'static str> {
        self.0["$ref"].as_str()?.strip_prefix("#/$defs/")
    }

    /// The schema of the value, where it may be `None`.
    pub fn optional(self) -> Option<Self> {
        if self.0["type"].is_array() {
            return Some(self);
        }
        self.0["anyOf"].as_array().filter(|of| of[1]["type"] == "null").map(|of| Self(&of[0]))
    }

    /// Its JSON type; empty if another keyword implies it.
    pub fn kind(self) -> &'static str {
        let kind = &self.0["type"];
        kind.as_str().or_else(|| kind[0].as_str()).unwrap_or_default()
    }

    /// The schema of a list's items.
    pub fn items(self) -> Self {
        Self(&self.0["items"])
    }

    /// The schema of the numbers of pairs of name and number.
    pub fn pairs(self) -> Option<Self> {
        self.0["anyOf"][1].get("additionalProperties").map(Self)
    }

    /// Quantity of a text with a unit.
    pub fn quantity(self) -> Option<&'static Quantity> {
        self.0["x-quantity"].as_str().and_then(Quantity::named)
    }

    /// Least and largest value of a quantity.
    pub fn bounds(self) -> Option<[&'static str; 2]> {
        let bounds = &self.0["x-range"];
        Some([bounds[0].as_str()?, bounds[1].as_str()?])
    }

    /// The largest whole number that the type holds.
    pub fn largest(self) -> u64 {
        if self.0["format"] == "uint32" { u32::MAX.into() } else { u64::MAX }
    }

    /// Whether a number lies within its range.
    pub fn allows(self, value: f64) -> bool {
        self.0["minimum"].as_f64().is_none_or(|least| value >= least)
            && self.0["maximum"].as_f64().is_none_or(|most| value <= most)
    }

    /// Allowed values as text, both ends included; none: what the type holds.
    pub fn range(self) -> Option<String> {
        let number = |word: &str| {
            let number = &self.0[word];
            number.as_u64().map(|n| n.to_string()).or_else(|| number.as_f64().map(|x| x.to_string()))
        };
        let (least, most) = match self.bounds() {
            Some([least, most]) => (least.to_owned(), Some(most.to_owned())),
            None => (number("minimum")?, number("maximum")),
        };
        match most {
            None if least == "0" => None,
            None => Some(format!("at least {least}")),
            Some(most) if most == least => Some(most),
            Some(most) => Some(format!("{least}..={most}")),
        }
    }

    /// Whether it may be anything.
    pub fn is_any(self) -> bool {
        self.0.get("x-any").is_some()
    }

    /// Whether a text must hold something.
    pub fn is_never_empty(self) -> bool {
        self.0.get("minLength").is_some()
    }

    /// Whether it is that of a struct, or of the keys of a variant.
    pub fn is_record(self) -> bool {
        self.0.get("properties").is_some()
    }

    /// The struct whose keys a variant has: its own, or the one that it holds.
    pub fn record(self) -> Option<Self> {
        let record = self.reference().map_or(self, named);
        record.is_record().then_some(record)
    }

    /// The keys of a struct in their order.
    pub fn keys(self) -> impl Iterator<Item = (&'static str, Self)> {
        self.0["properties"].as_object().into_iter().flatten().map(|(key, schema)| (key.as_str(), Self(schema)))
    }

    /// The schema of a struct's key.
    pub fn key(self, key: &str) -> Option<Self> {
        self.0["properties"].get(key).map(Self)
    }

    /// Whether a struct's key must be given.
    pub fn requires(self, key: &str) -> bool {
        self.0["required"].as_array().is_some_and(|required| required.iter().any(|name| name == key))
    }

    /// The variants of an enum.
    pub fn variants(self) -> Option<&'static [Value]> {
        self.0["oneOf"].as_array().map(Vec::as_slice)
    }

    /// Name of a variant, and what it holds.
    pub fn variant(self) -> (&'static str, Option<Self>) {
        match self.0["const"].as_str() {
            Some(name) => (name, None),
            None => self.keys().next().map(|(name, held)| (name, Some(held))).expect("a variant has a name"),
        }
    }

    /// Its documentation in one line.
    pub fn doc(self) -> String {
        self.0["description"].as_str().unwrap_or_default().replace('\n', " ")
    }
}

/// The paths of at most three keys of a run that end with `path`, those with the fewest steps first. An item of a list
/// of structs stands in them as `NAME`.
pub(super) fn ending_with(path: &[&str]) -> Vec<String> {
    fn search(schema: Schema, at: &str, path: &[&str], found: &mut Vec<String>) {
        let schema = schema.optional().unwrap_or(schema);
        if schema.kind() == "array" {
            return search(schema.items(), &format!("{at}.NAME"), path, found);
        }
        let schema = schema.reference().map_or(schema, named);
        let bodies = schema.variants().into_iter().flatten().filter_map(|of| Schema(of).variant().1?.record());
        for record in std::iter::once(schema).chain(bodies) {
            for (key, below) in record.keys() {
                let at = if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
                if leads(record, path) && key == path[0] {
                    found.push(at.clone() + &path[1..].iter().map(|key| format!(".{key}")).collect::<String>());
                }
                search(below, &at, path, found);
            }
        }
    }
    /// Whether a struct has a key at `path`.
    fn leads(record: Schema, path: &[&str]) -> bool {
        let Some((key, rest)) = path.split_first() else { return true };
        record.key(key).is_some_and(|below| {
            let below = below.optional().unwrap_or(below);
            let below = below.reference().map_or(below, named);
            let bodies = below.variants().into_iter().flatten().filter_map(|of| Schema(of).variant().1?.record());
            rest.is_empty() || std::iter::once(below).chain(bodies).any(|record| leads(record, rest))
        })
    }
    let mut found = Vec::new();
    search(named(&Config::schema_name()), "", path, &mut found);
    found.sort_by_key(|path| path.split('.').count());
    found.truncate(3);
    found
}

/// JSON Schema (draft 2020-12) of a kind of file.
#[must_use]
pub fn json_schema(kind: FileKind) -> Value {
    let generator = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut schema = match kind {
        FileKind::Arch => generator.into_root_schema_for::<Chip>(),
        FileKind::Parts => generator.into_root_schema_for::<CostTable>(),
        FileKind::Device => generator.into_root_schema_for::<DeviceModel>(),
        FileKind::Workload => generator.into_root_schema_for::<Workload>(),
        FileKind::Run => generator.into_root_schema_for::<Config>(),
        FileKind::Sweep => generator.into_root_schema_for::<Sweep>(),
    };
    ForPeople.transform(&mut schema);
    schema.insert("title".to_owned(), json!(format!("crossbayes {}", kind.description())));
    schema.to_value()
}

/// Meaning of the key `base` of a cost table.
pub(super) const BASE: &str = "Name or path of the table that gives what is left out here.";

/// Joins the lines of descriptions; says where a path may stand.
struct ForPeople;

impl Transform for ForPeople {
    fn transform(&mut self, schema: &mut schemars::Schema) {
        transform_subschemas(self, schema);
        schema.remove("x-any");
        if let Some(Value::String(description)) = schema.get_mut("description") {
            *description = description.replace('\n', " ");
        }
        if schema.remove("x-base").is_some() {
            // With a base, a table needs a name only, and a cost in it nothing.
            let (whole, mut costs) = (schema.remove("required"), Map::new());
            if let Some(Value::Object(properties)) = schema.get_mut("properties") {
                for (key, property) in properties.iter_mut() {
                    if let Some(required) = property.as_object_mut().and_then(|cost| cost.remove("required")) {
                        costs.insert(key.clone(), json!({ "required": required }));
                    }
                }
                properties.insert("base".to_owned(), json!({"type": "string", "minLength": 1, "description": BASE}));
            }
            schema.insert("if".to_owned(), json!({"required": ["base"]}));
            schema.insert("then".to_owned(), json!({"required": ["name"]}));
            schema.insert("else".to_owned(), json!({"required": whole, "properties": costs}));
        }
        if schema.remove("x-file").is_some() {
            let description = schema.remove("description");
            let path = json!({"type": "string", "minLength": 1, "description": "Path of a file that holds it."});
            *schema = schemars::json_schema!({"description": description, "anyOf": [path, schema]});
        }
    }
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
        ("Chip", "Chip: `arch/*.ron`"),
        ("CostTable", "Cost table: `arch/parts/*.ron`"),
        ("DeviceModel", "Memory cell: `arch/devices/*.ron`"),
        ("Workload", "Network: `workloads/*.ron`"),
        ("Config", "Run: `--set`, and the configuration that is saved with each run"),
        ("Sweep", "Sweep: `sweeps/*.ron`"),
    ];
    // The parts of a kind of file are described under it; parts that are files themselves have a section of their own.
    page.described.extend(files.map(|(name, _)| name));
    for (name, title) in files {
        let _ = writeln!(page.text, "\n## {title}");
        page.named(named(name));
    }
    page.text
}

/// The page while it is written.
#[derive(Default)]
struct Page {
    text: String,
    /// Types that have their section or will get it.
    described: BTreeSet<&'static str>,
}

impl Page {
    /// The text of a struct or enum with its keys or variants, then the sections of the types in it.
    fn named(&mut self, schema: Schema) {
        let _ = writeln!(self.text, "\n{}\n", schema.doc());
        let Some(variants) = schema.variants() else {
            self.table(schema);
            return self.sections(schema);
        };
        let variants: Vec<Schema> = variants.iter().map(Schema).collect();
        for variant in &variants {
            let (name, body) = variant.variant();
            let holds = match body {
                None => String::new(),
                Some(body) if body.record().is_some() => "(..)".to_owned(),
                Some(body) => {
                    let range = body.range().map(|range| format!(", {range}")).unwrap_or_default();
                    format!("({}{range})", type_text(body))
                }
            };
            let _ = writeln!(self.text, "- `{name}{holds}`: {}", variant.doc());
        }
        let bodies = || variants.iter().filter_map(|variant| Some((variant.variant().0, variant.variant().1?)));
        for (name, body) in bodies().filter_map(|(name, body)| Some((name, body.record()?))) {
            let _ = writeln!(self.text, "\nKeys of `{name}`:\n");
            self.table(body);
        }
        for (_, body) in bodies() {
            self.sections(body.record().unwrap_or(body));
        }
    }

    fn table(&mut self, record: Schema) {
        self.text.push_str("| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n");
        for (key, schema) in record.keys() {
            let default = if record.requires(key) { String::new() } else { default_text(schema) };
            let doc = schema.doc().replace('|', "\\|");
            let _ =
                writeln!(self.text, "| `{key}` | {} | {default} | {} | {doc} |", type_text(schema), range_text(schema));
        }
    }

    /// The sections of the types in a struct, each the first time it is met.
    fn sections(&mut self, record: Schema) {
        for (_, schema) in record.keys() {
            let schema = schema.optional().unwrap_or(schema);
            let schema = if schema.kind() == "array" { schema.items() } else { schema };
            if let Some(name) = schema.reference().filter(|name| self.described.insert(name)) {
                let _ = writeln!(self.text, "\n### {name}");
                self.named(named(name));
            }
        }
    }
}

/// A default as a cell of a table; a struct of defaults has its own section.
pub(super) fn default_text(schema: Schema) -> String {
    let is_choice = schema.reference().map(|name| named(name).variants().is_some());
    match (&schema.0["default"], is_choice) {
        (_, Some(false)) => "its defaults".to_owned(),
        (Value::Null, _) => "`None`".to_owned(),
        (Value::String(variant), Some(true)) => format!("`{variant}`"),
        (json, _) => format!("`{json}`"),
    }
}

/// A range as a cell of a table.
pub(super) fn range_text(schema: Schema) -> String {
    let schema = schema.optional().unwrap_or(schema);
    if let Some(number) = schema.pairs() {
        return range_text(number);
    }
    match schema.kind() {
        "array" => match range_text(schema.items()) {
            range if range.is_empty() => range,
            range => format!("each {range}"),
        },
        "string" if schema.is_never_empty() => "not empty".to_owned(),
        _ => schema.range().unwrap_or_default(),
    }
}

fn type_text(schema: Schema) -> String {
    let is_file = schema.0.get("x-file").is_some();
    if let Some(inner) = schema.optional() {
        return format!("{}, or `None`", plain_type_text(inner));
    }
    if is_file { plain_type_text(schema) + ", or the path of its file" } else { plain_type_text(schema) }
}

fn plain_type_text(schema: Schema) -> String {
    if let Some(name) = schema.reference() {
        return name.to_owned();
    }
    if schema.is_any() {
        return "values".to_owned();
    }
    if let Some(quantity) = schema.quantity() {
        return format!("{} ({})", quantity.name, quantity.symbols(", "));
    }
    match schema.kind() {
        "boolean" => "true or false".to_owned(),
        "integer" => "whole number".to_owned(),
        "number" => "number".to_owned(),
        "string" => "text".to_owned(),
        "array" => format!("list of {}", type_text(schema.items())),
        _ => "pairs of name and number, `[(\"conv1\", 4)]`".to_owned(),
    }
}
