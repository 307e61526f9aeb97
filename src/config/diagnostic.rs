//! Problems of configuration files with their places, and how they are shown.

use crate::config::tree::{Place, Span, SyntaxError};
use crate::error::Error;
use std::fmt::{self, Write as _};

/// A text that was read: a file, a built-in file or one `--set` override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Name in messages.
    pub name: String,
    /// The text; empty where the file could not be read.
    pub text: String,
    /// Whether it is a `--set key=value`, whose name says its place already.
    pub is_override: bool,
}

/// The texts that spans point into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text and returns its number.
    pub fn add(&mut self, source: Source) -> usize {
        self.0.push(source);
        self.0.len() - 1
    }

    /// The text of that number.
    #[must_use]
    pub fn get(&self, source: usize) -> &Source {
        &self.0[source]
    }
}

/// One problem with its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Where.
    pub span: Span,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem without help.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
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

/// All problems of a configuration, in the order of its files, lines and columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
}

impl ConfigErrors {
    /// Sorts the problems and drops those told twice.
    #[must_use]
    pub fn new(sources: Sources, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort();
        diagnostics.dedup();
        Self { sources, diagnostics }
    }

    /// The problems.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// All problems as text: `file:line:column: error: message`, the line with the place underlined, and help.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let paint = |code: &str, text: &str| {
            if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
        };
        let mut out = String::new();
        for diagnostic in &self.diagnostics {
            let source = self.sources.get(diagnostic.span.source);
            let Place { line, .. } = diagnostic.span.start;
            let place = if line == 0 || source.is_override {
                source.name.clone()
            } else {
                format!("{}:{}", source.name, diagnostic.span.start)
            };
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{}: {} {}", paint("1", &place), paint("1;31", "error:"), diagnostic.message);
            if line > 0 && !source.is_override {
                let text = source.text.lines().nth(line as usize - 1).unwrap_or("").trim_end_matches('\r');
                let text = text.strip_prefix('\u{feff}').unwrap_or(text);
                let number = line.to_string();
                let gutter = " ".repeat(number.len());
                let _ = writeln!(out, "{number} | {text}");
                let _ = writeln!(out, "{gutter} | {}", paint("1;31", &underline(text, diagnostic.span)));
            }
            if let Some(help) = &diagnostic.help {
                let _ = writeln!(out, "{} {help}", paint("1;36", "help:"));
            }
        }
        out
    }
}

/// Blanks and carets below the part of `line` that the span covers; tabs stay tabs, so that the carets stand below.
fn underline(line: &str, span: Span) -> String {
    let before = span.start.column as usize - 1;
    let length = line.chars().count();
    let end = if span.end.line == span.start.line { span.end.column as usize - 1 } else { length };
    let mut marks: String = line.chars().chain(std::iter::repeat(' ')).take(before).map(blank).collect();
    // A value that goes on over lines is marked by its first character only.
    let carets = if span.end.line == span.start.line { end.saturating_sub(before).max(1) } else { 1 };
    marks.extend(std::iter::repeat_n('^', carets));
    marks
}

fn blank(c: char) -> char {
    if c == '\t' { '\t' } else { ' ' }
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
