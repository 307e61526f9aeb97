//! Workloads: layers and shapes, posterior, images.

pub mod net;
pub mod tensors;
pub mod posterior;
pub mod images;

pub use images::LoadedImages;
pub use net::{Net, NetLayer, Shape, Source, resolve};
pub use posterior::{BatchNorm, LayerPosterior, Learned, LoadedPosterior, PackedSamples};
