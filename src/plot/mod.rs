//! Pictures of a run, as SVG and, on request, PNG of the same drawing.
//!
//! A picture is a list of shapes ([`Picture`]); one file per picture makes it, and one function draws it on whatever
//! backend. Text uses an embedded font, so no system library or font is needed.

pub mod picture;
pub mod text;
pub mod paint;
pub mod palette;
pub mod axis;
pub mod frame;
pub mod panels;
pub mod scatter;
pub mod parallel;
pub mod heat;
pub mod tornado;
pub mod timeline;
pub mod energy;
pub mod area;
pub mod utilisation;
pub mod critical;
pub mod sparsity;
pub mod device;
pub mod sampler;

pub use picture::Picture;

use crate::error::Error;
use crate::meter::Ledger;
use crate::report::RunFacts;
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

    /// The picture of that name.
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

/// Draws a picture, and returns names and contents of its files: SVG, and where `png` asks for it also PNG.
///
/// # Errors
/// Returns [`Error::Internal`] if plotters or the encoder refuses.
pub fn draw(kind: Kind, facts: &RunFacts, ledger: &Ledger, png: bool) -> Result<Vec<(String, Vec<u8>)>, Error> {
    files(kind.name(), &picture(kind, facts, ledger), png)
}

/// Names and contents of a picture's files: SVG, and where `png` asks for it also PNG.
///
/// # Errors
/// Returns [`Error::Internal`] if plotters or the encoder refuses.
pub fn files(name: &str, picture: &Picture, png: bool) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut files = vec![(format!("{name}.svg"), paint::svg(picture)?.into_bytes())];
    if png {
        files.push((format!("{name}.png"), paint::png(picture)?));
    }
    Ok(files)
}

/// Subtitle of every picture.
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
