//! The tree of a RON file, each node and key with its place.
//!
//! The `ron` crate deserialises into a type at once and stops at the first error. This reader keeps the text's shape
//! instead, so that a whole file is checked in one go and every problem is reported with its place.

use crate::error::shorten;
use std::fmt;

/// A place in a text: 1-based line, and 1-based column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line; 0 for the file as a whole.
    pub line: u32,
    /// Column in characters.
    pub column: u32,
}

/// A stretch of one source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextSpan {
    /// Number of the text in its [`Sources`](super::diagnostic::Sources).
    pub source: usize,
    /// First character.
    pub start: Place,
    /// The place after the last character.
    pub end: Place,
}

impl TextSpan {
    /// The source as a whole, for problems that have no line.
    #[must_use]
    pub const fn whole(source: usize) -> Self {
        let nowhere = Place { line: 0, column: 0 };
        Self { source, start: nowhere, end: nowhere }
    }
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its place in the text.
    pub span: TextSpan,
    /// Its kind.
    pub value: Value,
}

/// A key of a struct with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Place of the key in the text.
    pub key_span: TextSpan,
    /// The value.
    pub value: Node,
}

/// Kind of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A number without point or exponent.
    Integer(i128),
    /// A number with point or exponent; finite.
    Float(f64),
    /// Text in quotes.
    Text(String),
    /// A name alone: `None`, `Pair`.
    Name(String),
    /// A word of a `--set` override, taken as a name, a text or a quantity, as the key needs.
    Bare(String),
    /// `(a: 1)` or `Name(a: 1)`.
    Struct { name: Option<String>, entries: Vec<Entry> },
    /// `(1, 2)`, `Name(1)` or `()`.
    Tuple { name: Option<String>, items: Vec<Node> },
    /// `[1, 2]`.
    List(Vec<Node>),
    /// `{"a": 1}`.
    Map(Vec<(Node, Node)>),
    /// A node whose problem has been reported already.
    Faulty,
}

impl Node {
    /// The entries of a struct, looking through `Some(..)`.
    #[must_use]
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.inner().value {
            Value::Struct { entries, .. } => Some(entries),
            Value::Tuple { items, .. } if items.is_empty() => Some(&[]),
            _ => None,
        }
    }

    /// The value of a struct's key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|e| e.key == key).map(|e| &e.value)
    }

    /// The node inside `Some(..)`, or the node itself.
    #[must_use]
    pub fn inner(&self) -> &Node {
        match &self.value {
            Value::Tuple { name: Some(name), items } if name == "Some" && items.len() == 1 => items[0].inner(),
            _ => self,
        }
    }

    /// The name of a variant or of a struct, as far as it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match &self.value {
            Value::Name(name) | Value::Bare(name) => Some(name),
            Value::Struct { name, .. } | Value::Tuple { name, .. } => name.as_deref(),
            _ => None,
        }
    }

    /// Whether the node is `None`.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(&self.value, Value::Name(name) | Value::Bare(name) if name == "None" || name == "none")
    }

    /// The same to change.
    pub fn inner_mut(&mut self) -> &mut Node {
        let is_some =
            matches!(&self.value, Value::Tuple { name: Some(name), items } if name == "Some" && items.len() == 1);
        if !is_some {
            return self;
        }
        match &mut self.value {
            Value::Tuple { items, .. } => items[0].inner_mut(),
            _ => unreachable!("only a tuple is Some(..)"),
        }
    }

    /// Description of the node for messages: "found ...".
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Bool(b) => format!("{b}"),
            Value::Integer(i) => format!("the number {i}"),
            Value::Float(x) => format!("the number {x:?}"),
            Value::Text(text) | Value::Bare(text) => format!("the text {:?}", shorten(text)),
            Value::Name(name) => format!("the name {name}"),
            Value::Struct { name: Some(name), .. } | Value::Tuple { name: Some(name), .. } => format!("{name}(..)"),
            Value::Struct { name: None, .. } => "a struct".to_owned(),
            Value::Tuple { name: None, items } if items.is_empty() => "()".to_owned(),
            Value::Tuple { name: None, items } => format!("a tuple of {}", items.len()),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Faulty => "a broken value".to_owned(),
        }
    }
}

/// The node as RON, in one line.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T>(
            f: &mut fmt::Formatter<'_>,
            items: &[T],
            write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
        ) -> fmt::Result {
            for (i, item) in items.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { ", " })?;
                write(f, item)?;
            }
            Ok(())
        }
        match &self.value {
            Value::Bool(value) => write!(f, "{value}"),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Name(name) | Value::Bare(name) => f.write_str(name),
            Value::Struct { name, entries } => {
                write!(f, "{}(", name.as_deref().unwrap_or_default())?;
                list(f, entries, |f, entry| write!(f, "{}: {}", entry.key, entry.value))?;
                f.write_str(")")
            }
            Value::Tuple { name, items } => {
                write!(f, "{}(", name.as_deref().unwrap_or_default())?;
                list(f, items, |f, item| write!(f, "{item}"))?;
                f.write_str(")")
            }
            Value::List(items) => {
                f.write_str("[")?;
                list(f, items, |f, item| write!(f, "{item}"))?;
                f.write_str("]")
            }
            Value::Map(pairs) => {
                f.write_str("{")?;
                list(f, pairs, |f, (key, value)| write!(f, "{key}: {value}"))?;
                f.write_str("}")
            }
            Value::Faulty => Ok(()),
        }
    }
}

/// Why a text is not RON; a file is read up to its first such error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub span: TextSpan,
    /// The value found and the value expected.
    pub message: String,
    /// The remedy.
    pub help: Option<String>,
}

/// Deepest nesting that is read; a configuration needs less than ten levels.
const DEEPEST: usize = 64;

/// Reads one RON value and nothing after it; `source` is the number that the spans carry.
///
/// # Errors
/// The first [`SyntaxError`] of the text.
pub fn read(text: &str, source: usize) -> Result<Node, SyntaxError> {
    let mut reader = Reader::new(text, source);
    reader.skip_blank()?;
    while reader.peek() == Some('#') {
        reader.extensions()?;
        reader.skip_blank()?;
    }
    let node = reader.value(0)?;
    reader.skip_blank()?;
    if reader.peek().is_some() {
        return Err(reader.unexpected("the end of the file"));
    }
    Ok(node)
}

/// Whether `text` may be a name, as RON writes keys and variants.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(starts_name) && chars.all(continues_name)
}

/// Whether `found` is the variant's name, as in Rust or in snake_case.
pub(super) fn names_variant(found: &str, variant: &str) -> bool {
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

fn starts_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn continues_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A cursor over the characters of a text.
struct Reader {
    chars: Vec<char>,
    position: usize,
    place: Place,
    source: usize,
    /// Where the last text over several lines starts and ends: its closing quote may be another text's opening one.
    long_text: Option<(Place, Place)>,
}

type Read<T> = Result<T, SyntaxError>;

impl Reader {
    fn new(text: &str, source: usize) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            chars: text.chars().collect(),
            position: 0,
            place: Place { line: 1, column: 1 },
            source,
            long_text: None,
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.position).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.position + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.position += 1;
        if c == '\n' {
            self.place = Place { line: self.place.line + 1, column: 1 };
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    fn since(&self, start: Place) -> TextSpan {
        TextSpan { source: self.source, start, end: self.place }
    }

    /// The character here.
    fn here(&self) -> TextSpan {
        let end = Place { line: self.place.line, column: self.place.column + 1 };
        TextSpan { source: self.source, start: self.place, end }
    }

    fn error<T>(&self, span: TextSpan, message: impl Into<String>) -> Read<T> {
        Err(SyntaxError { span, message: message.into(), help: None })
    }

    /// "expected X, found Y" at the word or character here.
    fn unexpected(&self, expected: &str) -> SyntaxError {
        let (found, length) = match self.peek() {
            None => ("the end of the file".to_owned(), 1),
            Some(c) if continues_name(c) => {
                let rest = &self.chars[self.position..];
                let word: String = rest.iter().copied().take_while(|&c| continues_name(c)).take(40).collect();
                (format!("`{word}`"), word.chars().count())
            }
            Some(c) if c.is_control() => (format!("`{}`", c.escape_default()), 1),
            Some(c) => (format!("`{c}`"), 1),
        };
        let end = Place { line: self.place.line, column: self.place.column + length as u32 };
        SyntaxError {
            span: TextSpan { source: self.source, start: self.place, end },
            message: format!("expected {expected}, found {found}"),
            help: None,
        }
    }

    /// Skips white space and comments; block comments nest.
    fn skip_blank(&mut self) -> Read<()> {
        loop {
            match (self.peek(), self.peek_at(1)) {
                (Some(c), _) if c.is_whitespace() => {
                    self.next();
                }
                (Some('/'), Some('/')) => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.next();
                    }
                }
                (Some('/'), Some('*')) => self.skip_block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_block_comment(&mut self) -> Read<()> {
        let start = self.place;
        let mut depth = 0_usize;
        loop {
            match (self.peek(), self.peek_at(1)) {
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.next();
                }
                (Some('*'), Some('/')) => {
                    depth -= 1;
                    self.next();
                    if depth == 0 {
                        self.next();
                        return Ok(());
                    }
                }
                (Some(_), _) => {}
                (None, _) => {
                    let end = Place { line: start.line, column: start.column + 2 };
                    let span = TextSpan { source: self.source, start, end };
                    return self.error(span, "the comment that starts here is not closed by `*/`");
                }
            }
            self.next();
        }
    }

    /// `#![enable(implicit_some)]`.
    fn extensions(&mut self) -> Read<()> {
        for expected in ["#", "!", "[", "enable", "("] {
            self.skip_blank()?;
            self.expect_token(expected, "`#![enable(implicit_some)]`")?;
        }
        loop {
            self.skip_blank()?;
            if self.peek() == Some(')') {
                break;
            }
            self.expect_token("implicit_some", "the extension `implicit_some`, the only one that is read")?;
            self.skip_blank()?;
            if self.peek() == Some(',') {
                self.next();
            }
        }
        self.expect_token(")", "`)`")?;
        self.skip_blank()?;
        self.expect_token("]", "`]`")
    }

    fn expect_token(&mut self, token: &str, expected: &str) -> Read<()> {
        let found = token.chars().enumerate().all(|(i, c)| self.peek_at(i) == Some(c));
        let ends = !token.ends_with(continues_name) || !self.peek_at(token.len()).is_some_and(continues_name);
        if !found || !ends {
            return Err(self.unexpected(expected));
        }
        for _ in token.chars() {
            self.next();
        }
        Ok(())
    }

    /// A value; blanks before it are skipped already.
    fn value(&mut self, depth: usize) -> Read<Node> {
        let start = self.place;
        if depth > DEEPEST {
            return self.error(self.here(), format!("nested more than {DEEPEST} levels deep"));
        }
        let value = match self.peek() {
            Some('(') => self.parentheses(None, depth)?,
            Some('[') => self.list(depth)?,
            Some('{') => self.map(depth)?,
            Some('"') => Value::Text(self.text()?),
            Some('r') if self.raw_text_ahead() => Value::Text(self.raw_text()?),
            Some('\'') => {
                let mut error = self.unexpected("a value");
                error.help = Some("texts stand in double quotes".to_owned());
                return Err(error);
            }
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => self.number()?,
            Some(c) if starts_name(c) => {
                let name = self.name()?;
                match name.as_str() {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    _ => {
                        let (position, place) = (self.position, self.place);
                        self.skip_blank()?;
                        if self.peek() == Some('(') {
                            self.parentheses(Some(name), depth)?
                        } else {
                            (self.position, self.place) = (position, place);
                            Value::Name(name)
                        }
                    }
                }
            }
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Node { span: self.since(start), value })
    }

    /// A name, or a raw name `r#name`.
    fn name(&mut self) -> Read<String> {
        if self.peek() == Some('r') && self.peek_at(1) == Some('#') {
            self.next();
            self.next();
        }
        if !self.peek().is_some_and(starts_name) {
            return Err(self.unexpected("a name"));
        }
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|&c| continues_name(c)) {
            name.push(c);
            self.next();
        }
        Ok(name)
    }

    /// Whether a key and its colon come here.
    fn key_ahead(&mut self) -> bool {
        let (position, place) = (self.position, self.place);
        let ahead = self.peek().is_some_and(starts_name)
            && !self.raw_text_ahead()
            && self.name().is_ok()
            && self.skip_blank().is_ok()
            && self.peek() == Some(':');
        (self.position, self.place) = (position, place);
        ahead
    }

    /// `(...)` after an optional name: a struct where a key comes first, else a tuple.
    fn parentheses(&mut self, name: Option<String>, depth: usize) -> Read<Value> {
        let opened = self.place;
        self.next();
        self.skip_blank()?;
        if !self.key_ahead() {
            let items = self.items(opened, '(', ')', |reader| reader.value(depth + 1))?;
            return Ok(Value::Tuple { name, items });
        }
        let entries = self.items(opened, '(', ')', |reader| {
            let start = reader.place;
            if reader.peek() == Some('"') {
                let mut error = reader.unexpected("a key");
                error.help = Some("keys of a struct stand without quotes".to_owned());
                return Err(error);
            }
            if !reader.peek().is_some_and(starts_name) {
                return Err(reader.unexpected("a key"));
            }
            let key = reader.name()?;
            let key_span = reader.since(start);
            reader.skip_blank()?;
            reader.expect_token(":", &format!("`:` after the key \"{key}\""))?;
            reader.skip_blank()?;
            let value = reader.value(depth + 1)?;
            Ok(Entry { key, key_span, value })
        })?;
        Ok(Value::Struct { name, entries })
    }

    fn list(&mut self, depth: usize) -> Read<Value> {
        let opened = self.place;
        self.next();
        self.items(opened, '[', ']', |reader| reader.value(depth + 1)).map(Value::List)
    }

    fn map(&mut self, depth: usize) -> Read<Value> {
        let opened = self.place;
        self.next();
        self.items(opened, '{', '}', |reader| {
            let key = reader.value(depth + 1)?;
            reader.skip_blank()?;
            reader.expect_token(":", "`:` after the key")?;
            reader.skip_blank()?;
            Ok((key, reader.value(depth + 1)?))
        })
        .map(Value::Map)
    }

    /// Items up to `close`, with commas between them and perhaps after the last.
    fn items<T>(
        &mut self,
        opened: Place,
        open: char,
        close: char,
        item: impl Fn(&mut Self) -> Read<T>,
    ) -> Read<Vec<T>> {
        let mut items = Vec::new();
        loop {
            self.skip_blank()?;
            if self.peek() == Some(close) {
                self.next();
                return Ok(items);
            }
            if self.peek().is_none() {
                return Err(self.unclosed(opened, open, close));
            }
            items.push(item(self)?);
            let after = self.place;
            let after_digit = self.position > 0 && self.chars[self.position - 1].is_ascii_digit();
            self.skip_blank()?;
            match self.peek() {
                Some(',') => {
                    self.next();
                }
                Some(c) if c == close => {}
                None => return Err(self.unclosed(opened, open, close)),
                Some(c) => {
                    let mut error = self.unexpected(&format!("`,` or `{close}`"));
                    if after_digit && c.is_alphabetic() && self.place.line == after.line {
                        error.help = Some("a number with a unit is a text: write it in quotes, \"10 ns\"".to_owned());
                    }
                    if let Some((start, _)) = self.long_text.filter(|(_, end)| *end == after) {
                        let line = start.line;
                        error.help = Some(format!("is the closing quote of the text on line {line} missing?"));
                    }
                    return Err(error);
                }
            }
        }
    }

    fn unclosed(&self, opened: Place, open: char, close: char) -> SyntaxError {
        self.unexpected(&format!("`{close}` for the `{open}` of line {}, column {}", opened.line, opened.column))
    }

    /// A number: decimal, hexadecimal, octal, binary or with point and exponent; `_` may stand between digits.
    fn number(&mut self) -> Read<Value> {
        let start = self.place;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            // A sign is allowed in front and after a decimal exponent.
            let signs = text.is_empty() || (text.ends_with(['e', 'E']) && !text.contains(['x', 'X']));
            let sign = matches!(c, '-' | '+') && signs;
            if !(continues_name(c) || c == '.' || sign) {
                break;
            }
            text.push(c);
            self.next();
        }
        let span = self.since(start);
        let clean: String = text.chars().filter(|c| *c != '_').collect();
        let (negative, digits) = match clean.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, clean.strip_prefix('+').unwrap_or(&clean)),
        };
        let radix = match digits.get(..2) {
            Some("0x") => 16,
            Some("0o") => 8,
            Some("0b") => 2,
            _ => 10,
        };
        let body = if radix == 10 { digits } else { &digits[2..] };
        if !body.is_empty() && body.chars().all(|c| c.is_digit(radix)) {
            return match i128::from_str_radix(body, radix) {
                Ok(integer) => Ok(Value::Integer(if negative { -integer } else { integer })),
                Err(_) => self.error(span, format!("the number {text} is too large")),
            };
        }
        let decimal =
            radix == 10 && body.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+'));
        match digits.parse::<f64>() {
            Ok(x) if decimal && x.is_finite() => Ok(Value::Float(if negative { -x } else { x })),
            Ok(_) if decimal => self.error(span, format!("the number {text} is too large")),
            _ => {
                let help = body
                    .find(|c: char| c.is_alphabetic())
                    .filter(|&split| split > 0 && radix == 10)
                    .map(|split| format!("a number with a unit is a text: \"{} {}\"", &body[..split], &body[split..]));
                Err(SyntaxError { span, message: format!("expected a number, found `{text}`"), help })
            }
        }
    }

    fn unclosed_text<T>(&self, start: Place) -> Read<T> {
        let end = Place { line: start.line, column: start.column + 1 };
        let span = TextSpan { source: self.source, start, end };
        self.error(span, "the text that starts here is not closed by a quote")
    }

    /// A text in quotes with its escapes.
    fn text(&mut self) -> Read<String> {
        let start = self.place;
        self.next();
        let mut text = String::new();
        loop {
            let escape_start = self.place;
            match self.next() {
                None => return self.unclosed_text(start),
                Some('"') => {
                    if self.place.line != start.line {
                        self.long_text = Some((start, self.place));
                    }
                    return Ok(text);
                }
                Some('\\') => {
                    if let Some(c) = self.escape(escape_start, start)? {
                        text.push(c);
                    }
                }
                Some(c) => text.push(c),
            }
        }
    }

    /// The character of an escape; none for a line break that is skipped together with the blanks after it.
    fn escape(&mut self, start: Place, text_start: Place) -> Read<Option<char>> {
        let unknown = |reader: &Self| {
            reader.error(
                reader.since(start),
                "unknown escape; expected one of \\n \\r \\t \\\\ \\\" \\' \\0 \\x41 \\u{41}",
            )
        };
        match self.next() {
            None => self.unclosed_text(text_start),
            Some('n') => Ok(Some('\n')),
            Some('r') => Ok(Some('\r')),
            Some('t') => Ok(Some('\t')),
            Some('0') => Ok(Some('\0')),
            Some(c @ ('\\' | '"' | '\'')) => Ok(Some(c)),
            Some('\n') => {
                while self.peek().is_some_and(char::is_whitespace) {
                    self.next();
                }
                Ok(None)
            }
            Some('x') => {
                let mut code = 0;
                for _ in 0..2 {
                    match self.next().and_then(|c| c.to_digit(16)) {
                        Some(digit) => code = code * 16 + digit,
                        None => return unknown(self),
                    }
                }
                Ok(char::from_u32(code))
            }
            Some('u') if self.peek() == Some('{') => {
                self.next();
                let mut code: u32 = 0;
                let mut digits = 0;
                loop {
                    match self.next() {
                        Some('}') if digits > 0 => break,
                        Some(c) if digits < 6 && c.is_ascii_hexdigit() => {
                            code = code * 16 + c.to_digit(16).unwrap_or(0);
                            digits += 1;
                        }
                        _ => return unknown(self),
                    }
                }
                match char::from_u32(code) {
                    Some(c) => Ok(Some(c)),
                    None => unknown(self),
                }
            }
            Some(_) => unknown(self),
        }
    }

    /// Whether `r"` or `r#"` comes here.
    fn raw_text_ahead(&self) -> bool {
        let mut ahead = 1;
        while self.peek_at(ahead) == Some('#') {
            ahead += 1;
        }
        self.peek() == Some('r') && self.peek_at(ahead) == Some('"')
    }

    /// `r"..."`, `r#"..."#`, and so on.
    fn raw_text(&mut self) -> Read<String> {
        let start = self.place;
        self.next();
        let mut hashes = 0;
        while self.peek() == Some('#') {
            hashes += 1;
            self.next();
        }
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None => return self.unclosed_text(start),
                Some('"') if (0..hashes).all(|i| self.peek_at(i) == Some('#')) => {
                    for _ in 0..hashes {
                        self.next();
                    }
                    return Ok(text);
                }
                Some(c) => text.push(c),
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        read(text, 0).unwrap_or_else(|error| panic!("{text}: {}", error.message)).value
    }

    fn message(text: &str) -> String {
        let error = read(text, 0).unwrap_err();
        format!("{}: {}", error.span.start, error.message)
    }

    #[test]
    fn numbers_are_read_in_every_base() {
        for (text, expected) in [
            ("0", 0),
            ("-12", -12),
            ("+7", 7),
            ("1_000", 1000),
            ("0xff_FF", 65_535),
            ("-0x10", -16),
            ("0b101", 5),
            ("0o17", 15),
        ] {
            assert_eq!(value(text), Value::Integer(expected), "{text}");
        }
        for (text, expected) in [("0.5", 0.5), ("-1.", -1.0), (".25", 0.25), ("1e-5", 1e-5), ("2.5E+3", 2500.0)] {
            assert_eq!(value(text), Value::Float(expected), "{text}");
        }
        assert_eq!(message("0xfg"), "1:1: expected a number, found `0xfg`");
        assert_eq!(message("1e999"), "1:1: the number 1e999 is too large");
        assert_eq!(message("1.2.3"), "1:1: expected a number, found `1.2.3`");
    }

    #[test]
    fn texts_are_read_with_their_escapes() {
        assert_eq!(value(r#""a\n\t\"\\\x41\u{b5}""#), Value::Text("a\n\t\"\\A\u{b5}".to_owned()));
        assert_eq!(value("\"one \\\n   line\""), Value::Text("one line".to_owned()));
        assert_eq!(value(r###"r#"a "quoted" \ one"#"###), Value::Text(r#"a "quoted" \ one"#.to_owned()));
        assert_eq!(message(r#""\u{110000}""#).split(';').next(), Some("1:2: unknown escape"));
    }

    #[test]
    fn structs_tuples_and_variants_are_distinguished() {
        assert!(matches!(value("(a: 1)"), Value::Struct { name: None, .. }));
        assert!(matches!(value("Name (a: 1,)"), Value::Struct { name: Some(name), .. } if name == "Name"));
        assert!(matches!(value("Some(a)"), Value::Tuple { name: Some(_), items } if items.len() == 1));
        assert!(matches!(value("(1, 2)"), Value::Tuple { name: None, items } if items.len() == 2));
        assert!(matches!(value("(r#type: 1)"), Value::Struct { entries, .. } if entries[0].key == "type"));
        assert!(matches!(value("{\"a\": 1}"), Value::Map(pairs) if pairs.len() == 1));
        assert_eq!(value("None"), Value::Name("None".to_owned()));
        assert_eq!(value("#![enable(implicit_some)]\n true"), Value::Bool(true));
        assert_eq!(value("/* a /* nested */ comment */ [] // end"), Value::List(Vec::new()));
    }

    #[test]
    fn places_are_counted_in_characters() {
        let root = read("(\n  \u{e4}: \"\u{b5}\", b: (c: 10),\n)", 3).unwrap();
        let b = root.get("b").unwrap();
        assert_eq!(b.span.source, 3);
        assert_eq!((b.span.start.to_string(), b.span.end.to_string()), ("2:14".to_owned(), "2:21".to_owned()));
        assert_eq!(b.get("c").unwrap().span.start, Place { line: 2, column: 18 });
        assert_eq!(root.entries().unwrap()[1].key_span.start, Place { line: 2, column: 11 });
        assert_eq!(root.span.end, Place { line: 3, column: 2 });
    }

    #[test]
    fn variants_have_a_spelling_in_snake_case() {
        assert_eq!(snake_case("PriorityQueue"), "priority_queue");
        assert_eq!(snake_case("Layer"), "layer");
        assert!(names_variant("priority_queue", "PriorityQueue") && names_variant("PriorityQueue", "PriorityQueue"));
        assert!(!names_variant("priorityqueue", "PriorityQueue"));
    }
}
