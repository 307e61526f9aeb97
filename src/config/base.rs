//! A cost table on the base of another one: `base: "neurosim_22nm"`, and what differs from it.
//!
//! An entry may give some of its numbers; the others are the base's. An overriding entry states its own
//! `source` and `accuracy`, which are shown together with those of the base.

use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::tree::{Entry, Node, Value};

/// The numbers of a cost.
const NUMBERS: [&str; 4] = ["time", "energy", "area", "leakage"];

/// The table `over`, completed with what only `base` gives. Name and description are the table's own.
pub(super) fn merge(over: Node, base: Node, found: &mut Diagnostics) -> Node {
    let name = text(&base, "name").unwrap_or("its base").to_owned();
    let span = over.span;
    let (Some(mut given), Some(inherited)) = (entries(over), entries(base)) else {
        return Node { span, value: Value::Faulty };
    };
    let mut merged = Vec::new();
    for entry in inherited.into_iter().filter(|entry| !matches!(entry.key.as_str(), "name" | "description")) {
        let Some(at) = given.iter().position(|other| other.key == entry.key) else {
            merged.push(entry);
            continue;
        };
        let own = given.remove(at);
        let value = match (own.value.value, entry.value.value) {
            (Value::List(own_items), Value::List(items)) => {
                Node { span: own.value.span, value: Value::List(resolutions(own_items, items, &name, found)) }
            }
            (own_value, value) => {
                let own_node = Node { span: own.value.span, value: own_value };
                cost(&own.key, own_node, Node { span: entry.value.span, value }, &name, found)
            }
        };
        merged.push(Entry { value, ..own });
    }
    given.extend(merged);
    Node { span, value: Value::Struct { name: None, entries: given } }
}

/// The entries of a struct.
fn entries(node: Node) -> Option<Vec<Entry>> {
    match node.value {
        Value::Struct { entries, .. } => Some(entries),
        _ => None,
    }
}

fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    match &node.get(key)?.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Converters by resolution: those of the base, each with what is given for it, then those that it lacks.
fn resolutions(mut over: Vec<Node>, base: Vec<Node>, name: &str, found: &mut Diagnostics) -> Vec<Node> {
    let bits = |node: &Node| node.get("bits").map(|bits| bits.value.clone());
    let mut merged = Vec::new();
    for item in base {
        let at = over.iter().position(|own| bits(own).is_some() && bits(own) == bits(&item));
        let Some(mut own) = at.map(|at| over.remove(at)) else {
            merged.push(item);
            continue;
        };
        if let (Value::Struct { entries, .. }, Some(whole)) = (&mut own.value, item.get("convert")) {
            for entry in entries.iter_mut().filter(|entry| entry.key == "convert") {
                let value = std::mem::replace(&mut entry.value.value, Value::Faulty);
                let own = Node { span: entry.value.span, value };
                entry.value = cost("convert", own, whole.clone(), name, found);
            }
        }
        merged.push(own);
    }
    merged.extend(over);
    merged
}

/// A cost of which some numbers may be given; anything else replaces the base's.
fn cost(key: &str, over: Node, base: Node, name: &str, found: &mut Diagnostics) -> Node {
    let (own, others): (Vec<_>, Vec<_>) = NUMBERS.iter().copied().partition(|number| over.get(number).is_some());
    let (Some(given), Value::Struct { entries: inherited, .. }) = (over.entries(), &base.value) else { return over };
    if others.is_empty() {
        return over;
    }
    let mut merged = given.to_vec();
    for entry in inherited {
        match merged.iter_mut().find(|own| own.key == entry.key) {
            None => merged.push(entry.clone()),
            // "energy: measured; time, area, leakage as in neurosim_22nm: ..."
            Some(Entry { value: Node { value: Value::Text(stated), .. }, .. }) if !own.is_empty() => {
                if let Some(base) = text(&base, &entry.key).filter(|_| !NUMBERS.contains(&entry.key.as_str())) {
                    *stated = format!("{}: {stated}; {} as in {name}: {base}", own.join(", "), others.join(", "));
                }
            }
            Some(_) => {}
        }
    }
    let unstated: Vec<&str> = ["source", "accuracy"].into_iter().filter(|key| over.get(key).is_none()).collect();
    if !own.is_empty() && !unstated.is_empty() {
        let (own, unstated) = (own.join(", "), unstated.join("\", \""));
        let keys = if unstated.contains(',') { "keys" } else { "key" };
        let message = format!("missing {keys} \"{unstated}\" of {key}: its {own} is not that of {name}");
        found.push(|| Diagnostic::new(over.span, message));
    }
    Node { span: over.span, value: Value::Struct { name: None, entries: merged } }
}
