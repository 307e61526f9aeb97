//! Networks: what their files describe, and the layers with their shapes.

pub mod description;
pub mod shapes;

pub use description::{Images, Input, Layer, Operation, Posterior, Workload};
pub use shapes::{LayerInput, Net, NetLayer, Shape, resolve};
