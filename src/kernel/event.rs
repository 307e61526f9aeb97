//! Events.

/// Simulated time in clock cycles.
pub type Cycle = u64;

/// Index of a part in the engine's flat list.
pub type PartId = u32;

/// An event for a part. The queue keeps its cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// The part that handles it.
    pub part: PartId,
    /// Tag of the event, defined by that part.
    pub tag: u32,
}
