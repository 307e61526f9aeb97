//! Pictures of a run, as SVG and PNG of the same drawing.
//!
//! A picture is a list of shapes ([`Picture`]); one file per picture makes it, and one function draws it on whatever
//! backend. Text uses an embedded font, so no system library or font is needed.

pub mod picture;
pub mod text;
pub mod paint;
pub mod palette;
pub mod axis;
pub mod frame;
pub mod timeline;
pub mod energy;
pub mod area;
pub mod utilisation;

pub use picture::Picture;

use crate::error::Error;
use crate::meter::Ledger;
use crate::report::RunFacts;
use crate::whole;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// A picture that can be drawn of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Passes of each layer over time.
    Timeline,
    /// Energy by layer and component.
    Energy,
    /// Area by part.
    Area,
    /// Busy arrays and used cells by layer.
    Utilisation,
}

/// All pictures.
pub const KINDS: &[Kind] = &[Kind::Timeline, Kind::Energy, Kind::Area, Kind::Utilisation];

impl Kind {
    /// Name on the command line and of its files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Timeline => "timeline",
            Kind::Energy => "energy",
            Kind::Area => "area",
            Kind::Utilisation => "utilisation",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        KINDS.iter().copied().find(|kind| kind.name() == name)
    }
}

/// Makes the embedded font known to plotters, once. Everything here that needs it calls this.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(text::register);
}

/// The picture of a run, not yet drawn.
#[must_use]
pub fn picture(kind: Kind, facts: &RunFacts, ledger: &Ledger) -> Picture {
    match kind {
        Kind::Timeline => timeline::picture(facts, ledger),
        Kind::Energy => energy::picture(facts, ledger),
        Kind::Area => area::picture(facts),
        Kind::Utilisation => utilisation::picture(facts, ledger),
    }
}

/// Draws a picture to `<stem>.svg` and `<stem>.png`, each whole or not at all, and returns their paths.
///
/// # Errors
/// [`Error::Io`] when a file cannot be written.
pub fn draw(kind: Kind, facts: &RunFacts, ledger: &Ledger, stem: &Path) -> Result<Vec<PathBuf>, Error> {
    let picture = picture(kind, facts, ledger);
    let files = [("svg", paint::svg(&picture)?.into_bytes()), ("png", paint::png(&picture)?)];
    let mut written = Vec::new();
    for (extension, bytes) in files {
        let mut path = stem.as_os_str().to_owned();
        path.push(".");
        path.push(extension);
        let path = PathBuf::from(path);
        whole::write(&path, &bytes)?;
        written.push(path);
    }
    Ok(written)
}

/// What every picture says below its title.
fn subtitle(facts: &RunFacts) -> String {
    let count = |n: u32, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let members = facts.layers.iter().map(|layer| layer.passes_per_image).max().unwrap_or(1);
    format!(
        "{} on {}, {}, {}",
        facts.config.workload.name,
        facts.config.arch.name,
        count(facts.config.schedule.images, "image"),
        count(members, "member")
    )
}
