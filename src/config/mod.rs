//! Configuration: files in RON to a validated, fully expanded [`Config`].
//!
//! ```text
//! text --tree--> nodes with places --overrides--> nodes --walk (schema), check--> nodes without a problem --serde--> Config
//!        `-- every problem on the way: a Diagnostic with file, line and column
//! ```

pub mod tree;
pub mod diagnostic;
pub mod path;
pub mod decode;
mod de;
mod check;
mod base;
pub mod overrides;
pub mod embedded;
mod kind;
pub mod load;
pub mod schema;
pub mod template;
pub mod chip;
pub mod costs;
mod technology;
pub mod run;
pub mod sweep;

pub use crate::device::{Compensation, Device, DeviceModel, NoisePer, PairSemantics, ReadNoise, Reference};
pub use crate::network::{Images, Input, Layer, Operation, Posterior, Workload};
pub(crate) use check::config as check_config;
pub(crate) use check::{no_first_layer, ranges_without_images};
pub use chip::*;
pub use costs::{AdcCost, Cost, CostTable, DacCost};
pub use diagnostic::ConfigErrors;
pub use kind::FileKind;
pub use load::{
    Base, Described, LoadRequest, Loaded, Location, OpenedSweep, Opening, check_files, load, load_device,
    load_expanded, load_sweep, parse_sweep, to_ron,
};
pub use run::*;
pub use schema::{json_schema, reference_markdown};
pub use sweep::{Method, Screen, Search, Sweep};
pub use template::template;
