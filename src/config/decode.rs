//! From the tree of a file to typed values, collecting every problem on the way.

use crate::config::diagnostic::Diagnostic;
use crate::config::shape::{Bound, Kind, Range};
use crate::config::tree::{Entry, Node, Span, Value};
use crate::error::{Problem, nearest};
use std::collections::BTreeMap;

/// A type that a configuration holds.
pub trait Decode: Sized {
    /// What the type is, for the schema and the key reference.
    fn kind() -> Kind;

    /// Reads a value. Problems go to the decoder; `None` means that there is no value to go on with. A value outside of
    /// `range` is reported and yet returned, so that what else is wrong is found in the same go.
    fn decode(node: &Node, range: Option<&Range>, cx: &mut Decoder) -> Option<Self>;
}

/// Collects problems; knows the key whose value is being read.
#[derive(Debug, Default)]
pub struct Decoder {
    diagnostics: Vec<Diagnostic>,
    /// The key being read, with `[i]` inside a list.
    key: String,
}

impl Decoder {
    /// A decoder without problems yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was found.
    #[must_use]
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    /// Adds a problem.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds the problems of a value that was read from `node`; their paths start there.
    pub fn report_problems(&mut self, node: &Node, problems: Vec<Problem>) {
        for problem in problems {
            self.diagnostics.push(place(node, problem));
        }
    }

    /// Runs `read` with another current key.
    fn within<T>(&mut self, key: String, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.key, key);
        let value = read(self);
        self.key = outer;
        value
    }

    /// "rows: " in front of a message, where a key is known.
    fn subject(&self) -> String {
        if self.key.is_empty() { String::new() } else { format!("{}: ", self.key) }
    }

    /// Reports a value of the wrong type.
    pub fn wrong_type<T>(&mut self, node: &Node, expected: &str) -> Option<T> {
        if node.value != Value::Faulty {
            let message = format!("{}expected {expected}, found {}", self.subject(), node.describe());
            self.report(Diagnostic::new(node.span, message));
        }
        None
    }

    /// Reports a value outside of its range.
    fn out_of_range(&mut self, span: Span, found: &str, range: &Range) {
        let key = if self.key.is_empty() { "the value" } else { &self.key };
        let message = format!("{key} is {found}; expected {range}");
        self.report(Diagnostic::new(span, message));
    }

    /// The name of the variant of enum `choice` that `node` chooses; none (reported) where it is no variant.
    pub fn variant(&mut self, node: &Node, choice: &str, variants: &[&'static str]) -> Option<&'static str> {
        let found = match &node.value {
            Value::Name(name) | Value::Bare(name) => name,
            Value::Struct { name: Some(name), .. } | Value::Tuple { name: Some(name), .. } => name,
            Value::Text(text) if variants.iter().any(|v| names_variant(text, v)) => {
                let message = format!("{}expected {text} without quotes, found a text", self.subject());
                self.report(Diagnostic::new(node.span, message));
                return None;
            }
            _ => return self.wrong_type(node, &format!("one of {}", variants.join(", "))),
        };
        if let Some(variant) = variants.iter().find(|v| names_variant(found, v)) {
            return Some(variant);
        }
        let subject = if self.key.is_empty() { choice.to_owned() } else { self.key.clone() };
        let message = format!("unknown variant \"{found}\" of {subject}; expected one of {}", variants.join(", "));
        // The names in a file and their snake_case spellings are both right, so both are compared.
        let snake: Vec<String> = variants.iter().map(|v| snake_case(v)).collect();
        let near = nearest(found, variants.iter().copied())
            .or_else(|| nearest(found, snake.iter().map(String::as_str)))
            .and_then(|near| variants.iter().find(|v| names_variant(near, v)));
        let mut diagnostic = Diagnostic::new(name_span(node, found), message);
        if let Some(near) = near {
            diagnostic = diagnostic.help(format!("did you mean {near}?"));
        }
        self.report(diagnostic);
        None
    }

    /// Checks that a variant without content has none.
    pub fn unit_variant(&mut self, node: &Node, variant: &str) -> Option<()> {
        if matches!(&node.value, Value::Name(_) | Value::Bare(_)) {
            return Some(());
        }
        let message = format!("{}{variant} holds nothing; expected {variant} without parentheses", self.subject());
        self.report(Diagnostic::new(node.span, message));
        None
    }

    /// The one value of a variant.
    pub fn newtype_variant<'a>(&mut self, node: &'a Node, variant: &str) -> Option<&'a Node> {
        match &node.value {
            Value::Tuple { items, .. } if items.len() == 1 => Some(&items[0]),
            _ => {
                let message = format!("{}{variant} holds one value; expected {variant}(..)", self.subject());
                self.report(Diagnostic::new(node.span, message));
                None
            }
        }
    }
}

/// Whether `found` is the variant's name, as in Rust or in snake_case.
fn names_variant(found: &str, variant: &str) -> bool {
    found == variant || found == snake_case(variant)
}

/// `PriorityQueue` as `priority_queue`.
#[must_use]
pub fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// The name at the start of a node.
fn name_span(node: &Node, name: &str) -> Span {
    let mut span = node.span;
    if matches!(node.value, Value::Struct { .. } | Value::Tuple { .. }) {
        span.end = span.start;
        span.end.column += name.chars().count() as u32;
    }
    span
}

/// The diagnostic of a problem within `root`: its path is followed as far as the text goes. What is not given has its
/// default; the message then names the key.
#[must_use]
pub fn place(root: &Node, problem: Problem) -> Diagnostic {
    let mut node = root.inner();
    let mut rest = problem.path.as_str();
    while !rest.is_empty() {
        let (segment, after) = split_path(rest);
        let next = match segment {
            Segment::Key(key) => node.get(key),
            Segment::Index(index) => match &node.value {
                Value::List(items) | Value::Tuple { items, .. } => items.get(index),
                Value::Struct { entries, .. } => entries.get(index).map(|e| &e.value),
                Value::Map(pairs) => pairs.get(index).map(|(_, value)| value),
                _ => None,
            },
        };
        let Some(next) = next else { break };
        node = next.inner();
        rest = after;
    }
    let message = if rest.is_empty() {
        problem.message
    } else {
        format!("{} ({rest} is not given and has its default)", problem.message)
    };
    Diagnostic { span: node.span, message, help: problem.hint }
}

/// One step of a dotted path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

/// The first step of `a.b[2].c` and what follows it.
#[must_use]
pub fn split_path(path: &str) -> (Segment<'_>, &str) {
    if let Some((index, after)) = path.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && let Ok(index) = index.parse()
    {
        return (Segment::Index(index), after.strip_prefix('.').unwrap_or(after));
    }
    // A key has at least one character, whatever it is: a path always gets shorter.
    let end = path.char_indices().skip(1).find(|(_, c)| matches!(c, '.' | '[')).map_or(path.len(), |(i, _)| i);
    let (key, after) = path.split_at(end);
    (Segment::Key(key), after.strip_prefix('.').unwrap_or(after))
}

/// The keys of a struct while it is read.
#[derive(Debug)]
pub struct Fields<'a> {
    node: &'a Node,
    /// What messages call the struct: the key that holds it, or its type.
    owner: String,
    entries: BTreeMap<&'a str, &'a Entry>,
    legal: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Starts on a struct (of type `name`, which may stand before the parentheses); duplicate keys are reported.
    pub fn open(node: &'a Node, name: &str, cx: &mut Decoder) -> Option<Self> {
        let owner = if cx.key.is_empty() { snake_case(name) } else { cx.key.clone() };
        let (found, given): (Option<&String>, &[Entry]) = match &node.value {
            Value::Struct { name, entries } => (name.as_ref(), entries),
            Value::Tuple { name, items } if items.is_empty() => (name.as_ref(), &[]),
            Value::Name(found) if found == name => (Some(found), &[]),
            _ => return cx.wrong_type(node, &format!("a struct {name}(..)")),
        };
        if let Some(found) = found.filter(|found| found.as_str() != name) {
            let message = format!("{}expected a struct {name}(..), found {found}(..)", cx.subject());
            cx.report(Diagnostic::new(name_span(node, found), message));
        }
        let mut entries: BTreeMap<&str, &Entry> = BTreeMap::new();
        for entry in given {
            if let Some(first) = entries.get(entry.key.as_str()) {
                let line = first.key_span.start.line;
                // A struct given by `--set` has no lines.
                let first = if line > 0 { format!("; line {line} has it already") } else { String::new() };
                let message = format!("duplicate key \"{}\" of {owner}{first}", entry.key);
                cx.report(Diagnostic::new(entry.key_span, message));
            } else {
                entries.insert(&entry.key, entry);
            }
        }
        Some(Self { node, owner, entries, legal: Vec::new(), missing: Vec::new() })
    }

    /// Starts on the fields of an enum variant, whose name has been read already.
    pub fn open_variant(node: &'a Node, variant: &str, cx: &mut Decoder) -> Option<Self> {
        if matches!(&node.value, Value::Name(_) | Value::Bare(_)) {
            return Some(Self {
                node,
                owner: variant.to_owned(),
                entries: BTreeMap::new(),
                legal: Vec::new(),
                missing: Vec::new(),
            });
        }
        if matches!(&node.value, Value::Tuple { items, .. } if !items.is_empty()) {
            return cx.wrong_type(node, &format!("keys in {variant}(..)"));
        }
        let written = match &node.value {
            Value::Struct { name: Some(name), .. } | Value::Tuple { name: Some(name), .. } => name.clone(),
            _ => variant.to_owned(),
        };
        let mut fields = Self::open(node, &written, cx)?;
        fields.owner = variant.to_owned();
        Some(fields)
    }

    /// The value of `key`, or its default; a missing key without default is kept for [`Fields::close`].
    pub fn take<T: Decode>(
        &mut self,
        key: &'static str,
        range: Option<Range>,
        default: Option<T>,
        cx: &mut Decoder,
    ) -> Option<T> {
        self.legal.push(key);
        match self.entries.remove(key) {
            Some(entry) => cx.within(key.to_owned(), |cx| T::decode(&entry.value, range.as_ref(), cx)),
            None => {
                if default.is_none() {
                    self.missing.push(key);
                }
                default
            }
        }
    }

    /// Reports keys that do not exist, each with the nearest one that does, and keys that are missing.
    pub fn close(mut self, cx: &mut Decoder) {
        for entry in self.entries.values() {
            let message =
                format!("unknown key \"{}\" of {}; expected one of {}", entry.key, self.owner, self.legal.join(", "));
            let mut diagnostic = Diagnostic::new(entry.key_span, message);
            // A key that is missing is the likeliest one meant, and need not be reported as missing too.
            let near = nearest(&entry.key, self.missing.iter().copied());
            if let Some(near) = near.or_else(|| nearest(&entry.key, self.legal.iter().copied())) {
                diagnostic = diagnostic.help(format!("did you mean \"{near}\"?"));
                self.missing.retain(|key| *key != near);
            }
            cx.report(diagnostic);
        }
        for key in &self.missing {
            cx.report(Diagnostic::new(self.node.span, format!("missing key \"{key}\" of {}", self.owner)));
        }
    }
}

impl Decode for bool {
    fn kind() -> Kind {
        Kind::Boolean
    }

    fn decode(node: &Node, _range: Option<&Range>, cx: &mut Decoder) -> Option<Self> {
        match node.value {
            Value::Bool(value) => Some(value),
            _ => cx.wrong_type(node, "true or false"),
        }
    }
}

/// Reads a whole number of at most `largest`.
fn decode_integer(node: &Node, largest: u64, range: Option<&Range>, cx: &mut Decoder) -> Option<u64> {
    let Value::Integer(value) = node.value else {
        return cx.wrong_type(node, "a whole number");
    };
    let of_type = Range { least: Bound::Integer(0), most: Some(Bound::Integer(largest)) };
    let Some(value) = u64::try_from(value).ok().filter(|v| *v <= largest) else {
        cx.out_of_range(node.span, &value.to_string(), range.unwrap_or(&of_type));
        return None;
    };
    if let Some(range) = range {
        let least = matches!(range.least, Bound::Integer(least) if value < least);
        let most = matches!(range.most, Some(Bound::Integer(most)) if value > most);
        if least || most {
            cx.out_of_range(node.span, &value.to_string(), range);
        }
    }
    Some(value)
}

impl Decode for u32 {
    fn kind() -> Kind {
        Kind::Integer { largest: u64::from(u32::MAX) }
    }

    fn decode(node: &Node, range: Option<&Range>, cx: &mut Decoder) -> Option<Self> {
        decode_integer(node, u64::from(u32::MAX), range, cx).and_then(|value| u32::try_from(value).ok())
    }
}

impl Decode for u64 {
    fn kind() -> Kind {
        Kind::Integer { largest: u64::MAX }
    }

    fn decode(node: &Node, range: Option<&Range>, cx: &mut Decoder) -> Option<Self> {
        decode_integer(node, u64::MAX, range, cx)
    }
}

impl Decode for f64 {
    fn kind() -> Kind {
        Kind::Real
    }

    fn decode(node: &Node, range: Option<&Range>, cx: &mut Decoder) -> Option<Self> {
        let value = match node.value {
            Value::Float(value) => value,
            Value::Integer(value) => value as f64,
            _ => return cx.wrong_type(node, "a number"),
        };
        if let Some(range) = range {
            let least = matches!(range.least, Bound::Real(least) if value < least);
            let most = matches!(range.most, Some(Bound::Real(most)) if value > most);
            if least || most {
                cx.out_of_range(node.span, &value.to_string(), range);
            }
        }
        Some(value)
    }
}

impl Decode for String {
    fn kind() -> Kind {
        Kind::Text
    }

    fn decode(node: &Node, range: Option<&Range>, cx: &mut Decoder) -> Option<Self> {
        let (Value::Text(text) | Value::Bare(text)) = &node.value else {
            return cx.wrong_type(node, "a text in quotes");
        };
        if matches!(range, Some(Range { least: Bound::Integer(1..), .. })) && text.trim().is_empty() {
            let message = format!("{}the text is empty", cx.subject());
            cx.report(Diagnostic::new(node.span, message));
        }
        Some(text.clone())
    }
}

impl<T: Decode> Decode for Option<T> {
    fn kind() -> Kind {
        Kind::Optional(Box::new(T::kind()))
    }

    /// `None`, `Some(x)` or plain `x`. The outer option says whether there is a value to go on with.
    fn decode(node: &Node, range: Option<&Range>, cx: &mut Decoder) -> Option<Self> {
        match &node.value {
            Value::Name(name) | Value::Bare(name) if name == "None" || name == "none" => Some(None),
            _ => T::decode(node.inner(), range, cx).map(Some),
        }
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn kind() -> Kind {
        Kind::List(Box::new(T::kind()))
    }

    /// Each item within `range`.
    fn decode(node: &Node, range: Option<&Range>, cx: &mut Decoder) -> Option<Self> {
        let Value::List(items) = &node.value else {
            return cx.wrong_type(node, "a list [..]");
        };
        let key = cx.key.clone();
        let decoded: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(i, item)| cx.within(format!("{key}[{i}]"), |cx| T::decode(item, range, cx)))
            .collect();
        decoded.into_iter().collect()
    }
}

impl Decode for Vec<(String, u32)> {
    fn kind() -> Kind {
        Kind::Pairs
    }

    /// `[("conv1", 4)]`, `{"conv1": 4}` or `(conv1: 4)`; each number within `range`.
    fn decode(node: &Node, range: Option<&Range>, cx: &mut Decoder) -> Option<Self> {
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
            _ => return cx.wrong_type(node, EXPECTED),
        };
        let key = cx.key.clone();
        let decoded: Vec<Option<(String, u32)>> = pairs
            .into_iter()
            .map(|(name, value)| {
                let Some(name) = name else { return cx.wrong_type(value, EXPECTED) };
                let number = cx.within(format!("{key}.{name}"), |cx| u32::decode(value, range, cx))?;
                Some((name, number))
            })
            .collect();
        decoded.into_iter().collect()
    }
}

/// Reads a quantity from its text; the messages are those of [`crate::units`].
macro_rules! decode_quantity {
    ($($name:ident)*) => {$(
        impl Decode for crate::units::$name {
            fn kind() -> Kind {
                Kind::Quantity { name: Self::QUANTITY, units: Self::UNITS, example: Self::EXAMPLE }
            }

            fn decode(node: &Node, range: Option<&Range>, cx: &mut Decoder) -> Option<Self> {
                let (Value::Text(text) | Value::Bare(text)) = &node.value else {
                    let expected = format!("a {} as text with a unit, such as \"{}\"", Self::QUANTITY, Self::EXAMPLE);
                    return cx.wrong_type(node, &expected);
                };
                match Self::parse(text) {
                    Ok(value) => {
                        if let Some(range) = range {
                            let bound = |bound: Bound| match bound {
                                Bound::Quantity(text) => Self::parse(text).ok(),
                                _ => None,
                            };
                            if bound(range.least).is_some_and(|least| value < least)
                                || range.most.and_then(bound).is_some_and(|most| value > most)
                            {
                                cx.out_of_range(node.span, &value.to_string(), range);
                            }
                        }
                        Some(value)
                    }
                    Err(error) => {
                        let message = format!("{}{error}", cx.subject());
                        cx.report(Diagnostic::new(node.span, message));
                        None
                    }
                }
            }
        }
    )*};
}

decode_quantity!(Time Frequency Energy Power Area Voltage Conductance Length Bytes);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree;

    #[test]
    fn paths_are_walked_step_by_step() {
        assert_eq!(split_path("a.b[2].c"), (Segment::Key("a"), "b[2].c"));
        assert_eq!(split_path("b[2].c"), (Segment::Key("b"), "[2].c"));
        assert_eq!(split_path("[2].c"), (Segment::Index(2), "c"));
        assert_eq!(split_path("[x]"), (Segment::Key("[x]"), ""));
        assert_eq!(split_path("a."), (Segment::Key("a"), ""));
        assert_eq!(split_path("µ.b"), (Segment::Key("µ"), "b"));
    }

    #[test]
    fn a_problem_is_placed_where_its_path_leads() {
        let root = tree::read("(a: [(b: Some(1)), Name(c: 2)], d: {\"x\": 3})", 0).unwrap();
        let placed = |path: &str| {
            let diagnostic = place(&root, Problem::new(path, "wrong"));
            (diagnostic.span.start.column, diagnostic.message)
        };
        assert_eq!(placed("a[0].b"), (15, "wrong".to_owned()));
        assert_eq!(placed("a[1].c"), (28, "wrong".to_owned()));
        assert_eq!(placed("d[0]"), (42, "wrong".to_owned()));
        assert_eq!(placed(""), (1, "wrong".to_owned()));
        assert_eq!(placed("a[1].e.f"), (20, "wrong (e.f is not given and has its default)".to_owned()));
    }

    #[test]
    fn variants_have_a_spelling_in_snake_case() {
        assert_eq!(snake_case("PriorityQueue"), "priority_queue");
        assert_eq!(snake_case("Layer"), "layer");
        assert!(names_variant("priority_queue", "PriorityQueue") && names_variant("PriorityQueue", "PriorityQueue"));
        assert!(!names_variant("priorityqueue", "PriorityQueue"));
    }
}
