//! Bounded ports: a queue of tokens between two parts, governed by credits.
//!
//! A sender takes a credit before it may deliver. Who finds none is remembered and woken when one comes back. So no queue
//! grows beyond its bound, and back-pressure travels from part to part by itself.

use super::event::{Cycle, Event, PartId};
use super::queue::Schedule;
use std::collections::VecDeque;

/// Index of a port.
pub type PortId = u32;

/// Tag of the event that tells a sender that a credit has come back.
pub const CREDIT: u32 = 0;

/// One port.
#[derive(Debug)]
struct Port<T> {
    receiver: PartId,
    /// Tag of the event that the receiver gets with a token.
    arrival: u32,
    sender: PartId,
    capacity: u32,
    /// Credits left.
    free: u32,
    /// Whether the sender found too few credits, and how many it wants.
    wanted: u32,
    /// The token at the head, here because most ports hold one at a time, and those behind it.
    head: Option<T>,
    behind: VecDeque<T>,
}

/// All ports of a chip.
#[derive(Debug)]
pub struct Ports<T> {
    ports: Vec<Port<T>>,
}

impl<T> Default for Ports<T> {
    fn default() -> Self {
        Self { ports: Vec::new() }
    }
}

impl<T: Copy> Ports<T> {
    /// Adds a port of `capacity` credits; the receiver is told of a token by the tag `arrival`.
    pub fn add(&mut self, sender: PartId, receiver: PartId, arrival: u32, capacity: u32) -> PortId {
        assert!(capacity > 0, "a port needs at least one credit");
        let (head, behind) = (None, VecDeque::new());
        self.ports.push(Port { receiver, arrival, sender, capacity, free: capacity, wanted: 0, head, behind });
        (self.ports.len() - 1) as PortId
    }

    /// Whether `credits` are free; if not, the sender is woken (tag [`CREDIT`]) once they are.
    #[inline]
    pub fn has_room(&mut self, port: PortId, credits: u32) -> bool {
        let port = &mut self.ports[port as usize];
        if port.free >= credits {
            true
        } else {
            port.wanted = credits;
            false
        }
    }

    /// Takes `credits` that [`Ports::has_room`] has found.
    #[inline]
    pub fn reserve(&mut self, port: PortId, credits: u32) {
        let port = &mut self.ports[port as usize];
        assert!(port.free >= credits, "a port was sent more than it has room for");
        port.free -= credits;
    }

    /// Puts a token whose credits were reserved into the port and wakes the receiver.
    #[inline]
    pub fn deliver(&mut self, port: PortId, token: T, now: Cycle, queue: &mut impl Schedule) {
        let port = &mut self.ports[port as usize];
        if port.head.is_none() {
            port.head = Some(token);
        } else {
            port.behind.push_back(token);
        }
        queue.push(now, Event { part: port.receiver, tag: port.arrival });
    }

    /// Reserves `credits` and delivers.
    #[inline]
    pub fn send(&mut self, port: PortId, token: T, credits: u32, now: Cycle, queue: &mut impl Schedule) {
        self.reserve(port, credits);
        self.deliver(port, token, now, queue);
    }

    /// The token at the head.
    #[inline]
    #[must_use]
    pub fn peek(&self, port: PortId) -> Option<T> {
        self.ports[port as usize].head
    }

    /// Takes the token at the head; its credits stay taken until [`Ports::release`].
    #[inline]
    pub fn take(&mut self, port: PortId) -> Option<T> {
        let port = &mut self.ports[port as usize];
        let token = port.head.take();
        if !port.behind.is_empty() {
            port.head = port.behind.pop_front();
        }
        token
    }

    /// Gives credits back and wakes the sender if it waits for them.
    #[inline]
    pub fn release(&mut self, port: PortId, credits: u32, now: Cycle, queue: &mut impl Schedule) {
        let port = &mut self.ports[port as usize];
        port.free += credits;
        debug_assert!(port.free <= port.capacity, "more credits came back than were given");
        if port.wanted > 0 && port.free >= port.wanted {
            port.wanted = 0;
            queue.push(now, Event { part: port.sender, tag: CREDIT });
        }
    }

    /// Senders that found too few credits, with the receiver and bound of the port.
    #[must_use]
    pub fn blocked(&self) -> Vec<(PartId, PartId, u32)> {
        self.ports.iter().filter(|p| p.wanted > 0).map(|p| (p.sender, p.receiver, p.capacity)).collect()
    }
}
