//! The event loop.

use super::event::{Cycle, Event};
use super::queue::EventQueue;

/// Handler of events.
pub trait Handler<S: EventQueue> {
    /// Handles events of one cycle, one after another; further events go into `queue`.
    fn handle(&mut self, now: Cycle, events: &[Event], queue: &mut S);

    /// Arbitrates what must not depend on the order of the events of a cycle, once all of them have run. Events that this
    /// pushes for the same cycle run next, and it is called again after them. It is called after every cycle, so it should
    /// return fast if there is nothing to arbitrate.
    fn settle(&mut self, now: Cycle, queue: &mut S);
}

/// Counts of the event loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Events handled.
    pub events: u64,
    /// Cycle of the last one.
    pub last: Cycle,
}

/// Runs until the queue is empty. `progress` is called about every 2^20 events with the handler and the cycle.
pub fn run<S: EventQueue, H: Handler<S>>(handler: &mut H, queue: &mut S, mut progress: impl FnMut(&H, Cycle)) -> Stats {
    let mut stats = Stats::default();
    let mut events = Vec::new();
    while let Some(now) = queue.take(&mut events) {
        handler.handle(now, &events, queue);
        if !queue.has_now() {
            handler.settle(now, queue);
        }
        let before = stats.events;
        stats.events += events.len() as u64;
        stats.last = now;
        if before >> 20 != stats.events >> 20 {
            progress(handler, now);
        }
    }
    stats
}
