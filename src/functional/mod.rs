//! Values: what the network on the chip answers, with ideal memory cells or real ones (`devices`).
//!
//! ```text
//! image codes -> input (window -> bit planes) -> product (row block by row block) -> adc -> accumulators
//!                                                   ^                                       |
//!          posterior -> weights (mode, drawn or stored)          post (max-pool, batch norm, codes) -> next layer
//!                                                                                           |
//!                                     metrics <- uncertainty (mean of softmax) <- logits <--'
//! ```
//! Sums are whole numbers throughout. With a converter that is exact for its arrays the accumulators are those of integer
//! matrix arithmetic and computed as such (`lanes`).

pub mod blocks;
pub mod kernels;
pub mod weights;
pub mod registers;
pub mod tiles;
pub mod input;
pub mod adc;
pub mod product;
pub mod lanes;
pub mod post;
mod devices;
pub mod model;
pub mod pass;
pub mod uncertainty;
pub mod rows;
mod run;
pub mod record;
pub mod times;
pub mod realised;
pub mod study;
pub mod activity;
pub mod choose;
mod maps;
mod ranges;
pub mod calibrate;
pub mod metrics;

pub use activity::{ActivityTable, LayerActivity};
pub use calibrate::CalibratedLayer;
pub use choose::Tried;
pub use model::{ArraySpec, FunctionalModel, FunctionalSpec, MemoryCells, PlaneRange, UsedStatistics};
pub use pass::{Clipping, LayerClipping, Observer};
pub use ranges::with_ranges;
pub use realised::{MembersApart, Realised};
pub use record::Recorded;
pub use run::{Evaluation, Keep, Outputs};
pub use times::{ReadClock, ReadTimes};
