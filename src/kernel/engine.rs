//! The loop: take the events of a cycle, hand them over, count.

use super::event::{Cycle, Event};
use super::queue::Schedule;

/// Whoever handles events.
pub trait Handler<S: Schedule> {
    /// Handles events of one cycle, one after another; further events go into `queue`.
    fn handle(&mut self, now: Cycle, events: &[Event], queue: &mut S);

    /// Decides what must not depend on the order of the events of a cycle, once all of them have run. Events that this
    /// pushes for the same cycle run next, and it is called again after them. Called whenever no event of the cycle waits,
    /// so it should find out fast that there is nothing to decide.
    fn settle(&mut self, now: Cycle, queue: &mut S);
}

/// What the loop saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Events handled.
    pub events: u64,
    /// Cycle of the last one.
    pub last: Cycle,
}

/// Runs until the queue is empty. `progress` is called about every 2^20 events with the handler and the cycle.
pub fn run<S: Schedule, H: Handler<S>>(handler: &mut H, queue: &mut S, mut progress: impl FnMut(&H, Cycle)) -> Stats {
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
