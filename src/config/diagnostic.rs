//! Problems of configuration files with their places, and how they are shown.

use crate::config::tree::{SyntaxError, TextSpan};
use crate::error::Error;
use std::fmt::{self, Write as _};

/// A text that was read: a file, a built-in file or one `--set` override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// Name in messages.
    pub name: String,
    /// The text; empty where the file could not be read.
    pub text: String,
    /// Whether it is a `--set key=value`, whose name says its place already.
    pub is_override: bool,
}

/// The texts that spans point into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(Vec<SourceText>);

impl Sources {
    /// Adds a text and returns its number.
    pub fn add(&mut self, source: SourceText) -> usize {
        self.0.push(source);
        self.0.len() - 1
    }

    /// The text of that number.
    #[must_use]
    pub fn get(&self, source: usize) -> &SourceText {
        &self.0[source]
    }
}

/// One problem with its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Where.
    pub span: TextSpan,
    /// The value found and the value expected.
    pub message: String,
    /// The remedy.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem without help.
    pub fn new(span: TextSpan, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    /// The same with help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<SyntaxError> for Diagnostic {
    fn from(error: SyntaxError) -> Self {
        Self { span: error.span, message: error.message, help: error.help }
    }
}

/// Most problems that are kept; what is found beyond them is counted.
const KEPT: usize = 10_000;
/// Most problems that are shown.
const SHOWN: usize = 100;
/// Most characters of a message that are shown.
const LONGEST: usize = 2_000;
/// Most characters of a source line that are shown.
const WIDTH: usize = 240;

/// Problems as they are found. Their memory is bounded, whatever the files hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    kept: Vec<Diagnostic>,
    /// How many more were found.
    more: usize,
}

impl Diagnostics {
    /// Adds the problem returned by `make`, which is not called once the maximum number of problems is reached.
    pub fn push(&mut self, make: impl FnOnce() -> Diagnostic) {
        if self.kept.len() < KEPT {
            self.kept.push(make());
        } else {
            self.more += 1;
        }
    }

    /// How many were found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len() + self.more
    }

    /// Whether none was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// All problems of a configuration, in the order of its files, lines and columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    sources: Sources,
    diagnostics: Diagnostics,
}

impl ConfigErrors {
    /// Sorts the problems and removes duplicates.
    #[must_use]
    pub fn new(sources: Sources, mut diagnostics: Diagnostics) -> Self {
        diagnostics.kept.sort();
        diagnostics.kept.dedup();
        Self { sources, diagnostics }
    }

    /// The problems.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics.kept
    }

    /// The problems as text: `file:line:column: error: message`, the line with the place underlined, and help. Of very
    /// many the first are reported, of a very long line the part around the place.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let paint = |code: &str, text: &str| {
            if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
        };
        let mut out = String::new();
        // The problems stand in the order of the lines: each source is split once.
        let mut lines: Option<(usize, Vec<&str>)> = None;
        for diagnostic in self.diagnostics.kept.iter().take(SHOWN) {
            let Diagnostic { span, message, help } = diagnostic;
            let source = self.sources.get(span.source);
            let name = escaped(&source.name);
            let in_text = span.start.line > 0 && !source.is_override;
            let place = if in_text { format!("{name}:{}", span.start) } else { name };
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{}: {} {}", paint("1", &place), paint("1;31", "error:"), escaped(message));
            if in_text {
                if lines.as_ref().is_none_or(|(split, _)| *split != span.source) {
                    lines = Some((span.source, source.text.lines().collect()));
                }
                let line = lines.iter().flat_map(|(_, lines)| lines.get(span.start.line as usize - 1)).next();
                let line = line.unwrap_or(&"").trim_end_matches('\r');
                let (text, marks) = excerpt(line.strip_prefix('\u{feff}').unwrap_or(line), *span);
                let number = span.start.line.to_string();
                let gutter = " ".repeat(number.len());
                let _ = writeln!(out, "{number} | {text}");
                let _ = writeln!(out, "{gutter} | {}", paint("1;31", &marks));
            }
            if let Some(help) = help {
                let _ = writeln!(out, "{} {}", paint("1;36", "help:"), escaped(help));
            }
        }
        let more = self.diagnostics.len().saturating_sub(SHOWN);
        if more > 0 {
            let _ = writeln!(out, "and {more} more problems");
        }
        out
    }
}

/// A line, or the part of it around the span, and a line of blanks and carets that marks the span. Tabs stay tabs in
/// both, so that the carets stand below; a value that goes on over lines is marked by its first character only.
fn excerpt(line: &str, span: TextSpan) -> (String, String) {
    let start = span.start.column as usize - 1;
    let end = if span.end.line == span.start.line { span.end.column as usize - 1 } else { 0 }.max(start + 1);
    let from = if line.chars().nth(WIDTH).is_some() { start.saturating_sub(WIDTH / 4) } else { 0 };
    let cut = if from > 0 { "... " } else { "" };
    let (mut text, mut marks) = (cut.to_owned(), " ".repeat(cut.len()));
    let mut rest = line.chars().skip(from);
    for column in from..from + WIDTH {
        let c = rest.next();
        if c.is_none() && column >= end {
            break;
        }
        let shown = c.map(|c| if c == '\t' { "\t".to_owned() } else { escape(c) });
        let mark = if (start..end).contains(&column) { "^" } else { " " };
        match shown.as_deref() {
            Some("\t") if mark == " " => marks.push('\t'),
            shown => marks += &mark.repeat(shown.map_or(1, |shown| shown.chars().count())),
        }
        text += &shown.unwrap_or_default();
    }
    if rest.next().is_some() {
        text += " ...";
    }
    (text, marks.trim_end_matches([' ', '\t']).to_owned())
}

/// A text as it can be shown: nothing in it moves a terminal's cursor or the order of what is read, and it has an end.
fn escaped(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST).map(escape).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown += "...";
    }
    shown
}

fn escape(c: char) -> String {
    if is_hidden(c) { c.escape_default().to_string() } else { c.to_string() }
}

/// Whether a character cannot be seen, moves the cursor or changes the direction of what follows.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigErrors> for Error {
    fn from(errors: ConfigErrors) -> Self {
        Error::Config(errors.to_string())
    }
}
