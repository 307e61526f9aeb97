//! Data of a workload: posterior, images.

pub mod tensors;
pub mod posterior;
pub mod images;

pub use crate::network::{LayerInput, Net, NetLayer, Shape, resolve};
pub use images::LoadedImages;
pub use posterior::{BatchNorm, LayerPosterior, Learned, LoadedPosterior, PackedSamples};
