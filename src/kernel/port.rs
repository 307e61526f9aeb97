//! Bounded ports: a queue of tokens between two parts, governed by credits.
//!
//! A sender takes a credit before it may deliver. A sender that finds none is woken when one is released. So no queue grows
//! beyond its bound, and back-pressure propagates from part to part.

use super::event::{Event, PartId};
use super::queue::EventQueue;
use std::collections::VecDeque;

/// Index of a port.
pub type PortId = u32;

/// Tag of the event that notifies a sender that a credit has come back.
pub const CREDIT: u32 = 0;

/// One port, in a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Port<T> {
    /// Event for the receiver with a token, and for the sender when a credit has come back that it waits for.
    arrival: Event,
    credit: Event,
    capacity: u32,
    /// Credits left.
    free: u32,
    /// Credits that the sender waits for, or [`NOTHING`].
    wanted: u64,
    /// The token at the head if the port is not empty, stored here because most ports hold one at a time, and the number of
    /// tokens behind it.
    head: T,
    full: bool,
    behind: u32,
}

/// More credits than any port has: its sender does not wait.
const NOTHING: u64 = u64::MAX;

impl<T> Port<T> {
    #[inline]
    fn has_room(&mut self, credits: u32) -> bool {
        let room = self.free >= credits;
        if !room {
            self.wanted = credits.into();
        }
        room
    }
}

/// All ports of a chip.
#[derive(Debug)]
pub struct Ports<T> {
    ports: Vec<Port<T>>,
    /// For each port the tokens behind its head, stored apart so that ports lie close together.
    behind: Vec<VecDeque<T>>,
}

impl<T> Default for Ports<T> {
    fn default() -> Self {
        Self { ports: Vec::new(), behind: Vec::new() }
    }
}

impl<T: Copy + Default> Ports<T> {
    /// Adds a port of `capacity` credits; the receiver is notified of a token by the tag `arrival`.
    pub fn add(&mut self, sender: PartId, receiver: PartId, arrival: u32, capacity: u32) -> PortId {
        assert!(capacity > 0, "a port needs at least one credit");
        self.ports.push(Port {
            arrival: Event { part: receiver, tag: arrival },
            credit: Event { part: sender, tag: CREDIT },
            capacity,
            free: capacity,
            wanted: NOTHING,
            head: T::default(),
            full: false,
            behind: 0,
        });
        self.behind.push(VecDeque::new());
        (self.ports.len() - 1) as PortId
    }

    /// Whether `credits` are free; if not, the sender is woken (tag [`CREDIT`]) once they are.
    #[inline]
    pub fn has_room(&mut self, port: PortId, credits: u32) -> bool {
        self.ports[port as usize].has_room(credits)
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
    pub fn deliver(&mut self, at: PortId, token: &T, queue: &mut impl EventQueue) {
        let port = &mut self.ports[at as usize];
        queue.push_now(port.arrival);
        if port.full {
            self.put_behind(at, token);
        } else {
            port.full = true;
            port.head = *token;
        }
    }

    /// Takes `credits` and delivers; or takes nothing, and the sender is woken (tag [`CREDIT`]) once they are free.
    #[inline]
    pub fn send(&mut self, at: PortId, token: &T, credits: u32, queue: &mut impl EventQueue) -> bool {
        let port = &mut self.ports[at as usize];
        if !port.has_room(credits) {
            return false;
        }
        port.free -= credits;
        self.deliver(at, token, queue);
        true
    }

    #[cold]
    #[inline(never)]
    fn put_behind(&mut self, at: PortId, token: &T) {
        self.ports[at as usize].behind += 1;
        self.behind[at as usize].push_back(*token);
    }

    #[cold]
    #[inline(never)]
    fn move_up(&mut self, at: PortId) {
        let port = &mut self.ports[at as usize];
        port.head = self.behind[at as usize].pop_front().expect("tokens are counted");
        port.full = true;
        port.behind -= 1;
    }

    /// The token at the head.
    #[inline]
    #[must_use]
    pub fn peek(&self, port: PortId) -> Option<T> {
        let port = &self.ports[port as usize];
        port.full.then_some(port.head)
    }

    /// Takes the token at the head; its credits stay taken until [`Ports::release`].
    #[inline]
    pub fn take(&mut self, at: PortId) -> Option<T> {
        let mut token = T::default();
        self.take_into(at, &mut token).then_some(token)
    }

    /// The same into a place that has a token already, which costs no further copy. Returns whether there was one.
    #[inline]
    pub fn take_into(&mut self, at: PortId, into: &mut T) -> bool {
        let port = &mut self.ports[at as usize];
        if !port.full {
            return false;
        }
        *into = port.head;
        port.full = false;
        if port.behind > 0 {
            self.move_up(at);
        }
        true
    }

    /// Gives credits back and wakes the sender if it waits for them.
    #[inline]
    pub fn release(&mut self, port: PortId, credits: u32, queue: &mut impl EventQueue) {
        let port = &mut self.ports[port as usize];
        port.free += credits;
        debug_assert!(port.free <= port.capacity, "more credits came back than were given");
        if u64::from(port.free) >= port.wanted {
            port.wanted = NOTHING;
            queue.push_now(port.credit);
        }
    }

    /// Credits of a port when it is empty.
    #[must_use]
    pub fn capacity(&self, port: PortId) -> u32 {
        self.ports[port as usize].capacity
    }

    /// Shows the state of each port: its credits and what the sender waits for, and its tokens.
    pub fn visit(&mut self, mut visit: impl FnMut([u64; 2], &mut dyn Iterator<Item = &mut T>)) {
        (0..self.ports.len() as PortId).for_each(|port| self.visit_one(port, &mut visit));
    }

    /// Shows the state of one.
    pub fn visit_one(&mut self, port: PortId, mut visit: impl FnMut([u64; 2], &mut dyn Iterator<Item = &mut T>)) {
        let (port, behind) = (&mut self.ports[port as usize], &mut self.behind[port as usize]);
        let head = port.full.then_some(&mut port.head);
        visit([port.free.into(), port.wanted], &mut head.into_iter().chain(behind));
    }

    /// Credits that are free; none if the sender waits for some.
    #[must_use]
    pub fn free(&self, port: PortId) -> Option<u32> {
        let port = &self.ports[port as usize];
        (port.wanted == NOTHING).then_some(port.free)
    }

    /// Senders that found too few credits, with the receiver and bound of the port.
    #[must_use]
    pub fn blocked(&self) -> Vec<(PartId, PartId, u32)> {
        self.ports.iter().filter(|p| p.wanted < NOTHING).map(|p| (p.credit.part, p.arrival.part, p.capacity)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Ring;

    const ARRIVAL: Event = Event { part: 8, tag: 3 };
    const WOKEN: Event = Event { part: 7, tag: CREDIT };

    /// A port from part 7 to part 8.
    fn port(capacity: u32) -> (Ports<u32>, PortId, Ring) {
        let mut ports = Ports::default();
        ports.add(0, 0, 0, 1);
        let port = ports.add(WOKEN.part, ARRIVAL.part, ARRIVAL.tag, capacity);
        (ports, port, Ring::default())
    }

    fn notified(queue: &mut Ring) -> Vec<Event> {
        let mut events = Vec::new();
        queue.take(&mut events);
        events
    }

    #[test]
    fn tokens_leave_in_the_order_in_which_they_came() {
        let (mut ports, port, mut queue) = port(10);
        let mut send = |ports: &mut Ports<u32>, token| assert!(ports.send(port, &token, 2, &mut queue));
        send(&mut ports, 1);
        send(&mut ports, 2);
        send(&mut ports, 3);
        assert_eq!((ports.take(port), ports.peek(port)), (Some(1), Some(2)));
        send(&mut ports, 4);
        assert_eq!([(); 4].map(|()| ports.take(port)), [Some(2), Some(3), Some(4), None]);
        // What comes to an empty port is its head again.
        send(&mut ports, 5);
        assert_eq!([(); 2].map(|()| ports.take(port)), [Some(5), None]);
        assert_eq!(notified(&mut queue), [ARRIVAL; 5]);
    }

    #[test]
    fn a_refused_sender_is_woken_once_and_when_all_that_it_wants_is_free() {
        let (mut ports, port, mut queue) = port(3);
        assert!(ports.send(port, &1, 3, &mut queue));
        assert_eq!(ports.blocked(), []);
        assert!(!ports.send(port, &2, 2, &mut queue));
        assert_eq!(ports.blocked(), [(WOKEN.part, ARRIVAL.part, 3)]);
        // No credit is needed for what needs no place, even in a full port.
        assert!(ports.send(port, &3, 0, &mut queue));
        assert_eq!(notified(&mut queue), [ARRIVAL; 2]);
        ports.release(port, 1, &mut queue);
        assert_eq!(notified(&mut queue), []);
        ports.release(port, 1, &mut queue);
        ports.release(port, 1, &mut queue);
        assert_eq!(notified(&mut queue), [WOKEN]);
        assert_eq!(ports.blocked(), []);
        // The refused token was not taken.
        assert_eq!([(); 3].map(|()| ports.take(port)), [Some(1), Some(3), None]);
    }

    #[test]
    #[should_panic(expected = "more than it has room for")]
    fn a_port_has_no_more_credits_than_it_was_given() {
        let (mut ports, port, _) = port(1);
        ports.reserve(port, 2);
    }
}
