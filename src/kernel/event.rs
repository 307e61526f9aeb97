//! What the queue holds.

/// Simulated time in clock cycles.
pub type Cycle = u64;

/// Index of a part in the engine's flat list.
pub type PartId = u32;

/// Something that a part is to do at a cycle. The cycle itself is kept by the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// The part that handles it.
    pub part: PartId,
    /// What it means to that part.
    pub tag: u32,
}
