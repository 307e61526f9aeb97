//! Configuration: files in RON to a validated, fully expanded [`Config`].

pub mod chip;
pub mod costs;
pub mod network;
pub mod run;

pub use chip::*;
pub use costs::{AdcCost, Cost, CostTable};
pub use network::*;
pub use run::*;
