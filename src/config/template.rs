//! Commented files to start from: a built-in chip, network, cost table or sweep with every key, each below what it means.

use crate::config::schema::{BASE, Schema, default_text, named, range_text};
use crate::config::{Config, FileKind, LoadRequest, Posterior, load, load_sweep};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Columns of a file; a comment goes on in the next line.
const WIDTH: usize = 120;

/// A chip, network, cost table or sweep called `name`: the default chip and its cost table, the default network with a
/// synthetic posterior, or a sweep of the digits. It is fine as it is: [`check_files`](crate::config::check_files) finds nothing to say.
///
/// # Panics
/// For [`FileKind::Run`], since what a run has expanded is not written by hand.
#[must_use]
pub fn template(kind: FileKind, name: &str) -> String {
    let Config { mut arch, mut workload, .. } = load(&LoadRequest::default()).expect("what is built in is fine").config;
    let made = |from: &str| format!("Started from {from}. Say here what it is.");
    let costs = arch.costs.name.clone();
    let (value, of) = match kind {
        FileKind::Arch => {
            arch.description = made(&arch.name);
            (json!(arch), "Chip")
        }
        FileKind::Parts => {
            arch.costs.description = made(&arch.costs.name);
            (json!(arch.costs), "CostTable")
        }
        FileKind::Device => {
            // An ideal cell shows nothing of what can be said.
            let set = vec!["arch.device.model=pcm_joshi".to_owned()];
            let request = LoadRequest { set, ..LoadRequest::default() };
            let mut model = load(&request).expect("what is built in is fine").config.arch.device.model;
            model.description = made(&model.name);
            (json!(model), "DeviceModel")
        }
        FileKind::Workload => {
            workload.description = made(&workload.name);
            workload.posterior = Posterior::Synthetic { seed: 1, probabilistic: vec![0.1; workload.layers.len()] };
            workload.images = None;
            workload.calibration = None;
            workload.out_of_distribution = None;
            (json!(workload), "Workload")
        }
        FileKind::Sweep => {
            let mut sweep = load_sweep("digits_adc").expect("what is built in is fine").sweep;
            sweep.description = made(&sweep.name);
            (json!(sweep), "Sweep")
        }
        FileKind::Run => panic!("a {} has no template", kind.description()),
    };
    let mut value = value;
    value["name"] = name.into();
    let mut file = File { text: String::new(), costs, described: BTreeSet::new() };
    file.comment(0, &format!("{} (crossbayes new {} {name}).", named(of).doc().trim_end_matches('.'), kind_word(kind)));
    file.comment(0, "A key with a default may be left out. Quantities are texts with a unit.");
    file.line(0);
    file.of_type(named(of), &value, 0, true);
    file.text.push('\n');
    file.text
}

/// Name of a kind of file in the command `new`.
const fn kind_word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Parts => "costs",
        kind => kind.name(),
    }
}

/// The file while it is written.
struct File {
    text: String,
    /// The cost table, which a chip names and does not hold.
    costs: String,
    /// Types whose keys have their comments.
    described: BTreeSet<&'static str>,
}

impl File {
    fn line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n("    ", indent));
    }

    /// A comment in as many lines as it needs, each from a new line on.
    fn comment(&mut self, indent: usize, text: &str) {
        let mut left = 0;
        for word in text.split(' ') {
            if word.len() + 1 > left {
                if !self.text.is_empty() {
                    self.line(indent);
                }
                self.text.push_str("//");
                left = WIDTH - 4 * indent - 2;
            }
            self.text.push(' ');
            self.text.push_str(word);
            left = left.saturating_sub(word.len() + 1);
        }
    }

    /// A value of a type as RON.
    fn value(&mut self, schema: Schema, value: &Value, indent: usize) {
        let schema = schema.optional().unwrap_or(schema);
        if let Some(name) = schema.reference() {
            let commented = self.described.insert(name);
            return self.of_type(named(name), value, indent, commented);
        }
        self.of_type(schema, value, indent, false);
    }

    fn of_type(&mut self, schema: Schema, value: &Value, indent: usize, commented: bool) {
        match value {
            _ if schema.variants().is_some() => self.variant(schema, value, indent, commented),
            Value::Object(_) => self.record(schema, value, indent, commented),
            Value::Array(items) if items.iter().any(Value::is_object) => {
                self.text.push('[');
                for item in items {
                    self.line(indent + 1);
                    self.value(schema.items(), item, indent + 1);
                    self.text.push(',');
                }
                self.line(indent);
                self.text.push(']');
            }
            Value::Array(items) => {
                let any = schema.items().0.get("x-any").is_some();
                let written =
                    |item: &Value| item.as_str().filter(|_| any).map_or_else(|| item.to_string(), str::to_owned);
                let items: Vec<String> = items.iter().map(written).collect();
                self.text.push_str(&format!("[{}]", items.join(", ")));
            }
            // Text and numbers are written alike in JSON and RON.
            value => self.text.push_str(&value.to_string()),
        }
    }

    fn record(&mut self, schema: Schema, value: &Value, indent: usize, commented: bool) {
        self.text.push('(');
        for (key, of) in schema.keys() {
            if commented {
                self.key(schema, key, of, indent + 1);
            }
            self.line(indent + 1);
            if value[key].is_null() {
                self.text.push_str("// ");
            }
            self.text.push_str(key);
            self.text.push_str(": ");
            match &value[key] {
                Value::Null => self.text.push_str(&absent(of)),
                Value::Object(held) if of.0.get("x-file").is_some() => self.text.push_str(&held["name"].to_string()),
                value => self.value(of, value, indent + 1),
            }
            self.text.push(',');
            if key == "name" && schema.0.get("x-base").is_some() {
                self.comment(indent + 1, BASE);
                self.line(indent + 1);
                self.text.push_str(&format!("// base: {},", Value::from(self.costs.as_str())));
            }
        }
        self.line(indent);
        self.text.push(')');
    }

    fn variant(&mut self, schema: Schema, value: &Value, indent: usize, commented: bool) {
        let Some((name, held)) = value.as_object().and_then(|object| object.iter().next()) else {
            return self.text.push_str(value.as_str().unwrap_or_default());
        };
        let of = schema.variants().into_iter().flatten().map(Schema).find(|of| of.variant().0 == name);
        let Some(of) = of.and_then(|of| of.variant().1) else { return };
        let of = of.record().unwrap_or(of);
        self.text.push_str(name);
        if held.is_object() {
            self.record(of, held, indent, commented);
        } else {
            self.text.push('(');
            self.value(of, held, indent);
            self.text.push(')');
        }
    }

    /// The comment of a key: what it means, what it may be and what it is by default.
    fn key(&mut self, record: Schema, key: &str, schema: Schema, indent: usize) {
        let mut text = schema.doc();
        let range = range_text(schema);
        if !range.is_empty() {
            text += &format!(" Allowed: {range}.");
        }
        let default = default_text(schema).replace('`', "");
        if !record.requires(key) && default != "its defaults" {
            text += &format!(" Default: {default}.");
        }
        self.comment(indent, text.trim_start());
        let inner = schema.optional().unwrap_or(schema);
        let Some(name) = inner.reference() else { return };
        for variant in named(name).variants().into_iter().flatten().map(Schema) {
            let (name, held) = variant.variant();
            let holds = if held.is_some() { "(..)" } else { "" };
            self.comment(indent, &format!("- {name}{holds}: {}", variant.doc()));
        }
    }
}

/// Text behind a key that is not given: the keys of a struct, or a note that it has none.
fn absent(schema: Schema) -> String {
    let inner = schema.optional().and_then(Schema::reference).map(named);
    let keys: Vec<String> =
        inner.iter().flat_map(|record| record.keys()).map(|(key, _)| format!("{key}: ..")).collect();
    if keys.is_empty() { "None".to_owned() } else { format!("({})", keys.join(", ")) }
}
