//! What a run adds up to: the ledger, a fold over spans.

pub mod decimal;
pub mod ledger;

pub use ledger::{Entry, Ledger, Window};
