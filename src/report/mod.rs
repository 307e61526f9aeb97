//! What a run is told as: figures for people and programs, computed from spans and [`RunFacts`].

pub mod facts;

pub use facts::{ClosedForm, EventFacts, InventoryItem, LayerFacts, OutputFacts, RunFacts, content_hash};
