//! Layers to planes, arrays and tiles.
//!
//! The weight matrix of a layer (im2col: K rows, M columns) is cut into row blocks of the array's rows and column blocks of
//! its synapse columns. Each block takes an array, or rows of one that it shares with other layers; a layer takes whole
//! tiles, one after another, or shares them with its neighbours. Copies of a layer (replication) hold the same weights and work on neighbouring positions at the same time.

pub mod split;
pub mod pack;
pub mod place;
pub mod replicate;
pub mod arrays;

pub use arrays::{ArrayGroup, LayerMapping, Mapping, Plane, PlaneMapping, Splits, first_ensembling_layer, map};
pub use pack::{EMPTY, PackedArray, PackedBlock, Packing, pack};
pub use place::{Placed, Portion, SharedArray, SharedRows};
pub use replicate::Replicated;
pub use split::{Split, is_sampled};
