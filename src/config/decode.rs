//! From the tree of a file to typed values. One walk over the tree, led by the JSON Schema of the types, finds every
//! problem; serde then builds the value.
//!
//! A value outside of its range is reported and yet built, so that what else is wrong is found in the same go.

use crate::config::check::{self, Whole};
use crate::config::de::from_node;
use crate::config::diagnostic::{Diagnostic, Diagnostics, is_hidden};
use crate::config::path::place;
use crate::config::schema::{self, Schema};
use crate::config::tree::{Entry, Node, TextSpan, Value, names_variant, snake_case};
use crate::error::{nearest, shorten};
use crate::units::Quantity;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Reads a value of one of the configuration's types out of `node`; none where a problem (each goes to `found`) leaves
/// none to go on with.
pub fn decode<T: JsonSchema + DeserializeOwned + Whole>(node: &Node, found: &mut Diagnostics) -> Option<T> {
    if !(Walk { found }).shape(node, &T::schema_name(), "") {
        return None;
    }
    match from_node::<T>(node) {
        Ok(value) => {
            for problem in value.problems() {
                found.push(|| place(node, problem));
            }
            Some(value)
        }
        Err(error) => {
            found.push(|| Diagnostic::new(node.span, error.to_string()));
            None
        }
    }
}

/// Name of the whole configuration of a run in messages.
const ROOT: &str = "config";

/// The keys of an entry and of what it holds, as far as there is one in each.
fn path_of(entry: &Entry) -> Vec<&str> {
    let mut path = vec![entry.key.as_str()];
    let mut node = &entry.value;
    while let Some([only]) = node.entries() {
        path.push(&only.key);
        node = &only.value;
    }
    path
}

/// "rows: " in front of a message, where a key is known.
fn subject(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

/// The name at the start of a node.
fn name_span(node: &Node, name: &str) -> TextSpan {
    let mut span = node.span;
    if matches!(node.value, Value::Struct { .. } | Value::Tuple { .. }) {
        span.end = span.start;
        span.end.column += name.chars().count() as u32;
    }
    span
}

/// The walk. Its functions take the key whose value is read (`[i]` within a list; empty: the whole file), and tell
/// whether there is a value to build.
struct Walk<'a> {
    found: &'a mut Diagnostics,
}

impl Walk<'_> {
    fn report(&mut self, span: TextSpan, message: impl Into<String>) {
        self.found.push(|| Diagnostic::new(span, message));
    }

    fn wrong_type(&mut self, node: &Node, key: &str, expected: &str) -> bool {
        if node.value != Value::Faulty {
            self.report(node.span, format!("{}expected {expected}, found {}", subject(key), node.describe()));
        }
        false
    }

    fn out_of_range(&mut self, node: &Node, key: &str, found: &str, range: &str) {
        let key = if key.is_empty() { "the value" } else { key };
        self.report(node.span, format!("{key} is {found}; expected {range}"));
    }

    /// A value of the struct or enum called `name`.
    fn named(&mut self, node: &Node, name: &str, key: &str) -> bool {
        let whole = self.shape(node, name, key);
        if whole {
            for problem in check::of(name, node) {
                self.found.push(|| place(node, problem));
            }
        }
        whole
    }

    /// The same without the checks across its own keys.
    fn shape(&mut self, node: &Node, name: &str, key: &str) -> bool {
        let schema = schema::named(name);
        match schema.variants() {
            Some(variants) => self.choice(node, name, variants, key),
            None => self.record(node, name, schema, key),
        }
    }

    fn value(&mut self, node: &Node, schema: Schema, key: &str) -> bool {
        let (node, schema) = match schema.optional() {
            Some(_) if node.is_none() => return true,
            Some(inner) => (node.inner(), inner),
            None => (node, schema),
        };
        if let Some(name) = schema.reference() {
            return self.named(node, name, key);
        }
        if schema.is_any() {
            return node.value != Value::Faulty;
        }
        if let Some(number) = schema.pairs() {
            return self.pairs(node, number, key);
        }
        if let Some(quantity) = schema.quantity() {
            return self.quantity(node, quantity, schema, key);
        }
        match schema.kind() {
            "boolean" => matches!(node.value, Value::Bool(_)) || self.wrong_type(node, key, "true or false"),
            "integer" => self.integer(node, schema, key),
            "number" => self.real(node, schema, key),
            "array" => {
                let Value::List(items) = &node.value else { return self.wrong_type(node, key, "a list [..]") };
                let mut whole = true;
                for (i, item) in items.iter().enumerate() {
                    whole &= self.value(item, schema.items(), &format!("{key}[{i}]"));
                }
                whole
            }
            _ => {
                let (Value::Text(text) | Value::Bare(text)) = &node.value else {
                    return self.wrong_type(node, key, "a text in quotes");
                };
                if schema.is_never_empty() {
                    if text.trim().is_empty() {
                        self.report(node.span, format!("{}the text is empty", subject(key)));
                    }
                    // Names go to terminals and tables.
                    if let Some(c) = text.chars().find(|&c| is_hidden(c) && !matches!(c, '\n' | '\t')) {
                        let message = format!("{}the text holds the control character {c}", subject(key));
                        self.report(node.span, message);
                    }
                }
                true
            }
        }
    }

    fn integer(&mut self, node: &Node, schema: Schema, key: &str) -> bool {
        let Value::Integer(value) = node.value else { return self.wrong_type(node, key, "a whole number") };
        let largest = schema.largest();
        let fits = u64::try_from(value).is_ok_and(|value| value <= largest);
        if !fits || !schema.allows(value as f64) {
            let range = schema.range().unwrap_or_else(|| format!("0..={largest}"));
            self.out_of_range(node, key, &value.to_string(), &range);
        }
        fits
    }

    fn real(&mut self, node: &Node, schema: Schema, key: &str) -> bool {
        let value = match node.value {
            Value::Float(value) => value,
            Value::Integer(value) => value as f64,
            _ => return self.wrong_type(node, key, "a number"),
        };
        if !schema.allows(value) {
            self.out_of_range(node, key, &value.to_string(), &schema.range().unwrap_or_default());
        }
        true
    }

    fn quantity(&mut self, node: &Node, quantity: &Quantity, schema: Schema, key: &str) -> bool {
        let (Value::Text(text) | Value::Bare(text)) = &node.value else {
            let expected = format!("a {} as text with a unit, such as \"{}\"", quantity.name, quantity.example);
            return self.wrong_type(node, key, &expected);
        };
        match quantity.parse(text) {
            Ok(value) => {
                let bound = |text: &str| quantity.parse(text).expect("the bounds of a key are quantities");
                if schema.bounds().is_some_and(|[least, most]| value < bound(least) || value > bound(most)) {
                    let range = schema.range().unwrap_or_default();
                    self.out_of_range(node, key, &quantity.format(value), &range);
                }
                true
            }
            Err(error) => {
                let message = format!("{}{error}", subject(key));
                self.found.push(|| Diagnostic { span: node.span, message, help: error.help().map(str::to_owned) });
                false
            }
        }
    }

    /// `[("conv1", 4)]`, `{"conv1": 4}` or `(conv1: 4)`.
    fn pairs(&mut self, node: &Node, number: Schema, key: &str) -> bool {
        const EXPECTED: &str = "pairs of a name and a number, such as [(\"conv1\", 4)]";
        let named = |key: &Node| match &key.value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        let pairs: Vec<(Option<String>, &Node)> = match &node.value {
            Value::Struct { name: None, entries } => entries.iter().map(|e| (Some(e.key.clone()), &e.value)).collect(),
            Value::Map(pairs) => pairs.iter().map(|(key, value)| (named(key), value)).collect(),
            Value::List(items) => items
                .iter()
                .map(|item| match &item.value {
                    Value::Tuple { name: None, items } if items.len() == 2 => (named(&items[0]), &items[1]),
                    _ => (None, item),
                })
                .collect(),
            _ => return self.wrong_type(node, key, EXPECTED),
        };
        let mut whole = true;
        for (name, value) in pairs {
            whole &= match name {
                Some(name) => self.value(value, number, &format!("{key}.{name}")),
                None => self.wrong_type(value, key, EXPECTED),
            };
        }
        whole
    }

    fn record(&mut self, node: &Node, name: &str, schema: Schema, key: &str) -> bool {
        let owner = if key.is_empty() { snake_case(name) } else { key.to_owned() };
        let (found, given): (Option<&String>, &[Entry]) = match &node.value {
            Value::Struct { name, entries } => (name.as_ref(), entries),
            Value::Tuple { name, items } if items.is_empty() => (name.as_ref(), &[]),
            Value::Name(found) if found == name => (Some(found), &[]),
            _ => return self.wrong_type(node, key, &format!("a struct {name}(..)")),
        };
        if let Some(found) = found.filter(|found| found.as_str() != name) {
            let message = format!("{}expected a struct {name}(..), found {found}(..)", subject(key));
            self.report(name_span(node, found), message);
        }
        self.fields(node, given, schema, &owner)
    }

    /// The keys of a struct or variant, which messages call `owner`. Keys that are given twice, that do not exist (each
    /// with the nearest one that does) and that are missing are reported.
    fn fields(&mut self, node: &Node, given: &[Entry], schema: Schema, owner: &str) -> bool {
        let mut first: BTreeMap<&str, &Entry> = BTreeMap::new();
        let mut unknown = Vec::new();
        for entry in given {
            if let Some(first) = first.get(entry.key.as_str()) {
                let line = first.key_span.start.line;
                // A struct given by `--set` has no lines.
                let first = if line > 0 { format!("; line {line} has it already") } else { String::new() };
                self.report(entry.key_span, format!("duplicate key \"{}\" of {owner}{first}", entry.key));
                continue;
            }
            first.insert(&entry.key, entry);
            if schema.key(&entry.key).is_none() {
                unknown.push(entry);
            }
        }
        let (mut whole, mut missing) = (true, Vec::new());
        for (key, property) in schema.keys() {
            match first.get(key) {
                Some(entry) => whole &= self.value(&entry.value, property, key),
                None if schema.requires(key) => missing.push(key),
                None => {}
            }
        }
        whole &= missing.is_empty();
        let legal: Vec<&str> = schema.keys().map(|(key, _)| key).collect();
        for entry in unknown {
            self.found.push(|| {
                let message =
                    format!("unknown key \"{}\" of {owner}; expected one of {}", shorten(&entry.key), legal.join(", "));
                let mut diagnostic = Diagnostic::new(entry.key_span, message);
                // A key without the sections that it stands in: `--set adc.bits=9`.
                let meant = if owner == ROOT { schema::ending_with(&path_of(entry)) } else { Vec::new() };
                if !meant.is_empty() {
                    let meant: Vec<String> = meant.iter().map(|path| format!("\"{path}\"")).collect();
                    return diagnostic.help(format!("did you mean {}?", meant.join(" or ")));
                }
                // A missing key is the most likely intended one, and need not be reported as missing too.
                let near = nearest(&entry.key, missing.iter().copied());
                if let Some(near) = near.or_else(|| nearest(&entry.key, legal.iter().copied())) {
                    diagnostic = diagnostic.help(format!("did you mean \"{near}\"?"));
                    missing.retain(|key| *key != near);
                }
                diagnostic
            });
        }
        if !missing.is_empty() {
            let missing: Vec<String> = missing.iter().map(|key| format!("\"{key}\"")).collect();
            let keys = if missing.len() == 1 { "key" } else { "keys" };
            self.report(node.span, format!("missing {keys} {} of {owner}", missing.join(", ")));
        }
        whole
    }

    /// An enum.
    fn choice(&mut self, node: &Node, choice: &str, variants: &'static [serde_json::Value], key: &str) -> bool {
        let variants: Vec<(&str, Option<Schema>)> = variants.iter().map(|v| Schema(v).variant()).collect();
        let names = || variants.iter().map(|(name, _)| *name);
        let listed = || names().collect::<Vec<_>>().join(", ");
        let found = match (&node.value, node.name()) {
            (_, Some(name)) => name,
            (Value::Text(text), _) if names().any(|v| names_variant(text, v)) => {
                self.report(node.span, format!("{}expected {text} without quotes, found a text", subject(key)));
                return false;
            }
            _ => return self.wrong_type(node, key, &format!("one of {}", listed())),
        };
        let Some((variant, body)) = variants.iter().find(|(v, _)| names_variant(found, v)) else {
            let subject = if key.is_empty() { choice } else { key };
            let message = format!("unknown variant \"{found}\" of {subject}; expected one of {}", listed());
            // The names in a file and their snake_case spellings are both right, so both are compared.
            let snake: Vec<String> = names().map(snake_case).collect();
            let near = nearest(found, names()).or_else(|| {
                let near = nearest(found, snake.iter().map(String::as_str))?;
                names().find(|v| names_variant(near, v))
            });
            let help = near.map(|near| format!("did you mean {near}?"));
            self.found.push(|| Diagnostic { span: name_span(node, found), message, help });
            return false;
        };
        let alone = matches!(&node.value, Value::Name(_) | Value::Bare(_));
        let record = body.and_then(Schema::record);
        let held = match &node.value {
            Value::Tuple { items, .. } if items.len() == 1 => Some(&items[0]),
            _ => None,
        };
        match (*body, record, held) {
            (None, ..) if alone => true,
            (None, ..) => {
                let message = format!("{variant} holds nothing; expected {variant} without parentheses");
                self.report(node.span, subject(key) + &message);
                false
            }
            // A struct that a variant holds may have parentheses of its own, as the `ron` crate writes it.
            (Some(body), Some(_), Some(held)) if body.reference().is_some() && held.entries().is_some() => {
                self.value(held, body, key)
            }
            (_, Some(record), _) => match &node.value {
                Value::Struct { entries, .. } => self.fields(node, entries, record, variant),
                Value::Tuple { items, .. } if !items.is_empty() => {
                    self.wrong_type(node, key, &format!("keys in {variant}(..)"))
                }
                _ => self.fields(node, &[], record, variant),
            },
            (Some(body), None, Some(held)) => self.value(held, body, key),
            (Some(_), None, None) => {
                self.report(node.span, format!("{}{variant} holds one value; expected {variant}(..)", subject(key)));
                false
            }
        }
    }
}
