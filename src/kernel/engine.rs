//! The loop: pop, hand over, count.

use super::event::{Cycle, Event};
use super::queue::Schedule;

/// Whoever handles events.
pub trait Handler<S: Schedule> {
    /// Handles one event; further events go into `queue`.
    fn handle(&mut self, now: Cycle, event: Event, queue: &mut S);
}

/// What the loop saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Events handled.
    pub events: u64,
    /// Cycle of the last one.
    pub last: Cycle,
}

/// Runs until the queue is empty. `progress` is called every 2^20 events with the count so far and the cycle.
pub fn run<S: Schedule, H: Handler<S>>(handler: &mut H, queue: &mut S, mut progress: impl FnMut(u64, Cycle)) -> Stats {
    let mut stats = Stats::default();
    while let Some((now, event)) = queue.pop() {
        handler.handle(now, event, queue);
        stats.events += 1;
        stats.last = now;
        if stats.events & 0xF_FFFF == 0 {
            progress(stats.events, now);
        }
    }
    stats
}
