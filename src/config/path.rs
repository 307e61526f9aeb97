//! Dotted paths of keys: `layers[2].op.kernel`.

use crate::config::diagnostic::Diagnostic;
use crate::config::tree::{Node, Value};
use crate::error::Problem;

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

/// The diagnostic of a problem within `root`: its path is followed as far as the text has it. What is not given has its
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
}
