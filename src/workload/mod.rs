//! Workloads: layers and shapes, posterior, images.

pub mod net;

pub use net::{Net, NetLayer, Shape, Source, resolve};
