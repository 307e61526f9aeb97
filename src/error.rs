//! Errors of the library.

use std::path::PathBuf;

/// A problem with a value of the configuration, located by the dotted path of its key (`layers[2].op`); the reader of the
/// file translates the path into file, line and column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted path of the key within the file's value, `[i]` for list items; empty: the whole file.
    pub path: String,
    /// The problem, with the value found and the value expected.
    pub message: String,
    /// The remedy, where it is known.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// An error of the library. The command line exits with 2 for invalid input, else with 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration has problems; the text lists all of them with their places.
    #[error("{0}")]
    Config(String),
    /// Values of a valid configuration contradict each other; the loaded configuration knows their places
    /// ([`Loaded::locate`](crate::config::Loaded::locate)).
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    /// An input file (posterior, images, trace) is invalid.
    #[error("{path}: {message}")]
    Input { path: PathBuf, message: String },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// Parts of the chip wait for each other; the text names them.
    #[error("deadlock at cycle {cycle}: {message}")]
    Deadlock { cycle: u64, message: String },
    /// An invariant of the simulator does not hold: a defect of the program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// The exit code of the command line.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Config(_) | Error::Problems(_) | Error::Input { .. } => 2,
            _ => 1,
        }
    }

    /// An [`Error::Io`] for a path, for `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Error::Io { path, source }
    }
}

/// Problems as lines of `key: message`.
fn lines(problems: &[Problem]) -> String {
    let line = |p: &Problem| match &p.hint {
        Some(hint) => format!("{}: {}\nhelp: {hint}", p.path, p.message),
        None => format!("{}: {}", p.path, p.message),
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Names in a list for a message; of more than forty the first twenty.
pub fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>, separator: &str) -> String {
    let shown = if names.len() > 40 { 20 } else { names.len() };
    let rest = names.len() - shown;
    let mut list = names.take(shown).map(shorten).collect::<Vec<_>>().join(separator);
    if rest > 0 {
        list += &format!("{separator}and {rest} more");
    }
    list
}

/// At most forty characters of a text, for messages.
#[must_use]
pub fn shorten(text: &str) -> String {
    if text.chars().nth(40).is_none() {
        return text.to_owned();
    }
    text.chars().take(37).chain("...".chars()).collect()
}

/// Most pairs of names that are compared to suggest the nearest ones: beyond it a list of problems goes without.
pub const MOST_COMPARED: usize = 1_000_000;

/// The name nearest to `found` (insertions, deletions, replacements, swaps of neighbours; case ignored), if one is near
/// enough to be meant. Names of more than a hundred bytes are not compared.
pub fn nearest<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    let length = found.chars().count();
    let near = |name: &'a str| {
        let (lower, others) = (name.to_lowercase(), name.chars().count());
        let most = 1 + length.max(others) / 3;
        Some((strsim::osa_distance(&found, &lower), name)).filter(|(distance, _)| *distance <= most)
    };
    let names = names.into_iter().filter(|name| found.len().max(name.len()) <= 100);
    names.filter_map(near).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let names = ["columns_per_adc", "bits", "range"];
        assert_eq!(nearest("colums_per_adc", names), Some("columns_per_adc"));
        assert_eq!(nearest("bist", names), Some("bits"));
        assert_eq!(nearest("wavelength", names), None);
    }
}
