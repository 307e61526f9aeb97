//! `--set key=value`: puts a value into the tree before it is decoded.

use crate::config::diagnostic::Diagnostic;
use crate::config::path::{Segment, split_path};
use crate::config::tree::{self, Entry, Node, TextSpan, Value};
use crate::error::nearest;

/// One `key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override<'a> {
    /// Dotted path of the key.
    pub key: &'a str,
    /// The value as it was written.
    pub value: &'a str,
}

impl<'a> Override<'a> {
    /// Splits the argument of `--set`.
    ///
    /// # Errors
    /// A message where there is no key, no `=` or no value.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| "expected key=value, such as schedule.mode=layer; found no `=`".to_owned())?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err("expected key=value, such as schedule.mode=layer; found no key".to_owned());
        }
        if value.is_empty() {
            return Err("expected key=value, such as schedule.mode=layer; found no value".to_owned());
        }
        Ok(Self { key, value })
    }

    /// The value as a node: RON where it is RON, else a bare word or quantity.
    fn node(&self, source: usize) -> Result<Node, Diagnostic> {
        let span = TextSpan::whole(source);
        match tree::read(self.value, source) {
            Ok(Node { value: Value::Name(name), .. }) => Ok(Node { span, value: Value::Bare(name) }),
            Ok(mut node) => {
                respan(&mut node, span);
                Ok(node)
            }
            Err(error) if self.value.starts_with(['(', '[', '{', '"']) => {
                Err(Diagnostic { span, message: error.message, help: error.help })
            }
            Err(_) => Ok(Node { span, value: Value::Bare(self.value.to_owned()) }),
        }
    }

    /// Puts the value into `root`. A key that does not exist yet is added, for the decoder to judge.
    ///
    /// # Errors
    /// The value is no RON, or the key leads to an item that is not there or into a value that has no keys.
    pub fn apply(&self, root: &mut Node, source: usize) -> Result<(), Diagnostic> {
        let value = self.node(source)?;
        put(root, self.key, value)
    }
}

/// All places within a value given by `--set` are that `--set`.
fn respan(node: &mut Node, span: TextSpan) {
    node.span = span;
    match &mut node.value {
        Value::Struct { entries, .. } => {
            for entry in entries {
                entry.key_span = span;
                respan(&mut entry.value, span);
            }
        }
        Value::Tuple { items, .. } | Value::List(items) => items.iter_mut().for_each(|item| respan(item, span)),
        Value::Map(pairs) => {
            for (key, value) in pairs {
                respan(key, span);
                respan(value, span);
            }
        }
        _ => {}
    }
}

/// Replaces what `path` leads to.
fn put(node: &mut Node, path: &str, value: Node) -> Result<(), Diagnostic> {
    if path.is_empty() {
        *node = value;
        return Ok(());
    }
    let span = value.span;
    let node = node.inner_mut();
    let (segment, rest) = split_path(path);
    let target = match segment {
        Segment::Key(key) => child(node, key, span)?,
        Segment::Index(index) => item(node, index, span)?,
    };
    put(target, rest, value)
}

/// The value of `key` in a struct (added where there is none), or the item of that name in a list.
fn child<'a>(node: &'a mut Node, key: &str, span: TextSpan) -> Result<&'a mut Node, Diagnostic> {
    // A unit variant, an empty struct and an empty list have no keys yet: they get them.
    match &node.value {
        Value::Name(name) | Value::Bare(name) if tree::is_name(name) => {
            node.value = Value::Struct { name: Some(name.clone()), entries: Vec::new() };
        }
        Value::Tuple { name, items } if items.is_empty() => {
            node.value = Value::Struct { name: name.clone(), entries: Vec::new() };
        }
        Value::List(items) if items.is_empty() => node.value = Value::Struct { name: None, entries: Vec::new() },
        _ => {}
    }
    if node.value == Value::Faulty {
        return Ok(node);
    }
    let found = node.describe();
    match &mut node.value {
        Value::Struct { entries, .. } => {
            let index = entries.iter().position(|e| e.key == key).unwrap_or_else(|| {
                let value = Node { span, value: Value::Struct { name: None, entries: Vec::new() } };
                entries.push(Entry { key: key.to_owned(), key_span: span, value });
                entries.len() - 1
            });
            Ok(&mut entries[index].value)
        }
        Value::List(items) => named_item(items, key, span),
        Value::Map(pairs) => {
            let is_key = |node: &Node| matches!(&node.value, Value::Text(text) if text == key);
            let index = pairs.iter().position(|(k, _)| is_key(k)).unwrap_or_else(|| {
                let value = Node { span, value: Value::Struct { name: None, entries: Vec::new() } };
                pairs.push((Node { span, value: Value::Text(key.to_owned()) }, value));
                pairs.len() - 1
            });
            Ok(&mut pairs[index].1)
        }
        _ => Err(Diagnostic::new(span, format!("there is no key \"{key}\" in {found}"))),
    }
}

/// The item of a list that is called `key`: by its `name`, as the first of a pair, or by its number.
fn named_item<'a>(items: &'a mut Vec<Node>, key: &str, span: TextSpan) -> Result<&'a mut Node, Diagnostic> {
    let pairs = items.iter().all(|item| matches!(&item.value, Value::Tuple { items, .. } if items.len() == 2));
    let names: Vec<Option<String>> = items.iter().map(|item| item_name(item).map(str::to_owned)).collect();
    if let Some(index) = names.iter().position(|name| name.as_deref() == Some(key)) {
        let item = &mut items[index];
        return Ok(if pairs { second(item) } else { item });
    }
    if pairs {
        let name = Node { span, value: Value::Text(key.to_owned()) };
        let empty = Node { span, value: Value::Struct { name: None, entries: Vec::new() } };
        let index = items.len();
        items.push(Node { span, value: Value::Tuple { name: None, items: vec![name, empty] } });
        return Ok(second(&mut items[index]));
    }
    if let Some(index) = key.parse().ok().filter(|&index: &usize| index < items.len()) {
        return Ok(&mut items[index]);
    }
    let names: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
    let message = if names.is_empty() {
        format!("there is no item \"{key}\"; expected a number below {}", items.len())
    } else {
        format!("there is no item named \"{key}\"; expected one of {}", names.join(", "))
    };
    let mut diagnostic = Diagnostic::new(span, message);
    if let Some(near) = nearest(key, names) {
        diagnostic = diagnostic.help(format!("did you mean \"{near}\"?"));
    }
    Err(diagnostic)
}

/// The second of a pair.
fn second(pair: &mut Node) -> &mut Node {
    match &mut pair.value {
        Value::Tuple { items, .. } if items.len() == 2 => &mut items[1],
        _ => unreachable!("the callers have seen a pair"),
    }
}

/// The name of a list's item, where it has one.
fn item_name(item: &Node) -> Option<&str> {
    let node = match &item.inner().value {
        Value::Tuple { items, .. } => items.first()?,
        _ => item.get("name")?,
    };
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Item `index` of a list.
fn item(node: &mut Node, index: usize, span: TextSpan) -> Result<&mut Node, Diagnostic> {
    if node.value == Value::Faulty {
        return Ok(node);
    }
    let found = node.describe();
    match &mut node.value {
        Value::List(items) | Value::Tuple { items, .. } => {
            let length = items.len();
            items
                .get_mut(index)
                .ok_or_else(|| Diagnostic::new(span, format!("there is no item [{index}] in a list of {length}")))
        }
        _ => Err(Diagnostic::new(span, format!("there is no item [{index}] in {found}"))),
    }
}
