//! The queue's contract.

use super::event::{Cycle, Event};

/// A queue of events in time.
///
/// `pop` gives events by cycle, and those of one cycle in the order in which they were pushed. An event may be pushed for
/// the cycle of the event last popped or any later one, never for an earlier one.
pub trait Schedule {
    /// Adds an event.
    ///
    /// # Panics
    /// May panic when `at` lies before the cycle last popped: a part has scheduled into the past.
    fn push(&mut self, at: Cycle, event: Event);

    /// Takes the next event and its cycle.
    fn pop(&mut self) -> Option<(Cycle, Event)>;

    /// Events that wait.
    fn len(&self) -> usize;

    /// Whether none waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
