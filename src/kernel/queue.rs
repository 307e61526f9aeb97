//! The queue's contract.

use super::event::{Cycle, Event};

/// A queue of events in time.
///
/// [`Schedule::take`] gives the events of one cycle, in the order in which they were pushed. What is pushed for that cycle
/// afterwards comes with the next call, for the same cycle. An event may be pushed for the cycle last taken (0 before the
/// first) or any later one, never for an earlier one.
pub trait Schedule {
    /// Adds an event.
    ///
    /// # Panics
    /// May panic when `at` lies before the cycle last taken: a part has scheduled into the past.
    fn push(&mut self, at: Cycle, event: Event);

    /// Adds an event for the cycle last taken.
    fn push_now(&mut self, event: Event);

    /// Replaces `events` by all events that wait for the earliest cycle, and tells that cycle.
    fn take(&mut self, events: &mut Vec<Event>) -> Option<Cycle>;

    /// Whether events wait for the cycle last taken.
    fn has_now(&self) -> bool;

    /// Events that wait.
    fn len(&self) -> usize;

    /// Whether none waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
