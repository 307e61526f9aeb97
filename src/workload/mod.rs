//! Data of a workload: posterior, images.

pub mod tensors;
pub mod statistics;
pub mod posterior;
pub mod images;
pub mod datasets;
pub mod pack;

pub use crate::network::{LayerInput, Net, NetLayer, Shape, resolve};
pub use images::LoadedImages;
pub use posterior::{LayerPosterior, Learned, LoadedPosterior, PackedSamples};
pub use statistics::{BatchNorm, MemberStatistics, Statistics, StatisticsKey, StatisticsSet};
