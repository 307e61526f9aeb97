//! The event kernel: events, queues, bounded ports and the loop that runs them. It knows nothing of PCM.
//!
//! Order: events at the same cycle run in the order in which they were scheduled. Both queues keep it. Shared
//! resources must not depend on that order: they are arbitrated once all events of the cycle have run, in [`Handler::settle`].

pub mod event;
pub mod queue;
pub mod ring;
pub mod reference;
pub mod port;
pub mod engine;

pub use engine::{Handler, Stats, run};
pub use event::{Cycle, Event, PartId};
pub use port::{PortId, Ports};
pub use queue::EventQueue;
pub use reference::ReferenceQueue;
pub use ring::Ring;
