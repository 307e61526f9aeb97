//! Memory cells: what is left of a target conductance after programming, drift and reading.
//!
//! ```text
//! target --program--> programmed --drift, age--> drifted --read--> conductance of a read
//!    |       ^             |           ^                     ^
//!    |   programming       |      drift exponent        read noise: Q(programmed) sqrt(ln((t + t_read) / 2 t_read))
//!    `--- (target) --------+------- (target)
//! ```
//! Pure functions of numbers and normal draws, without a clock. Conductances are in microsiemens, times in seconds. The
//! form of the model is that of the inference models of IBM's aihwkit 1.1.0 (MIT licence, `inference/noise/pcm.py`), which go
//! back to Nandakumar et al. (ICECS 2019) and Joshi et al. (Nat. Commun. 11, 2473, 2020); its numbers are data:
//! `arch/devices/`, or a file of the user's.

pub mod curve;
pub mod model;
pub mod cell;
pub mod pair;
pub mod one_over_f;
pub mod population;
pub mod wires;

pub use cell::{Cell, Draws};
pub use curve::{Form, Piece};
pub use model::{Compensation, Device, DeviceModel, Moment, NoisePer, PairSemantics, ReadNoise, Reference};
pub use wires::Wires;
