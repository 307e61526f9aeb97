//! What a run is told as: figures for people and programs, computed from spans and [`RunFacts`].

pub mod facts;
pub mod inventory;
pub mod closed_form;

pub use facts::{ClosedForm, EventFacts, InventoryItem, LayerFacts, OutputFacts, RunFacts, content_hash};
