//! The contract of an event queue.

use super::event::{Cycle, Event, PartId};

/// A queue of events in time.
///
/// [`EventQueue::take`] gives the events of one cycle, in the order in which they were pushed. What is pushed for that cycle
/// afterwards comes with the next call, for the same cycle. An event may be pushed for the cycle last taken (0 before the
/// first) or any later one, never for an earlier one.
pub trait EventQueue {
    /// Adds an event.
    ///
    /// # Panics
    /// May panic when `at` lies before the cycle last taken: a part has scheduled into the past.
    fn push(&mut self, at: Cycle, event: Event);

    /// Adds an event for the cycle last taken.
    fn push_now(&mut self, event: Event);

    /// Replaces `events` by all events of the earliest cycle, and returns that cycle.
    fn take(&mut self, events: &mut Vec<Event>) -> Option<Cycle>;

    /// Whether events wait for the cycle last taken.
    fn has_now(&self) -> bool;

    /// All events with their cycles, in the order in which they will come.
    fn events(&self) -> Vec<(Cycle, Event)>;

    /// Lets `cycles` pass in which nothing comes: the cycle last taken and all events are so much later. None may wait for the
    /// cycle last taken.
    fn delay(&mut self, cycles: Cycle);

    /// Makes the events of some parts so much later. The other events, and the cycle last taken, stay; none may wait for that
    /// cycle.
    fn put_off(&mut self, cycles: Cycle, of: &dyn Fn(PartId) -> bool);

    /// Number of events in the queue.
    fn len(&self) -> usize;

    /// Whether the queue is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
