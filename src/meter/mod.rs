//! What a run adds up to: the ledger, a fold over spans.

pub mod decimal;
pub mod ledger;
pub mod tally;

pub use ledger::{Account, Entry, Interval, Ledger};
pub use tally::Tally;
