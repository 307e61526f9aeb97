//! Arrays that blocks of several layers share: one position of one of them at a time.
//!
//! A block takes an array, with its converters, from its first read until its last result is converted, and only when the
//! accumulator has a place for that result: so it never holds the array while it waits for another part. Those that ask wait
//! in the order in which they asked; of the same cycle the block of the later layer is first, which lets what is under way
//! leave. The block that has the array may go on with its next position while it still converts, unless another one that
//! could start has asked before.

use super::recur::Visitor;
use super::token::Token;
use crate::kernel::{Cycle, Event, EventQueue, PartId, PortId, Ports};
use std::cmp::Reverse;

/// A block's use of a shared array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// When it asked.
    since: Cycle,
    layer: Reverse<u32>,
    /// The crossbar, which is notified that it has the array.
    event: Event,
    /// The array.
    array: u32,
    /// Port in which its results need a place.
    sums: PortId,
}

impl Request {
    /// Of a layer's block for an array, in a cycle.
    #[must_use]
    pub fn new(since: Cycle, layer: u32, event: Event, array: u32, sums: PortId) -> Self {
        Self { since, layer: Reverse(layer), event, array, sums }
    }
}

/// An array: the block that has it, and how many of its positions are not converted.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    by: PartId,
    positions: u32,
    /// Whether a block that could start waits for it.
    wanted: bool,
}

/// All shared arrays.
#[derive(Debug, Default)]
pub struct SharedArrays {
    arrays: Vec<Held>,
    waiting: Vec<Request>,
}

impl SharedArrays {
    /// So many free arrays.
    #[must_use]
    pub fn new(arrays: usize) -> Self {
        Self { arrays: vec![Held::default(); arrays], waiting: Vec::new() }
    }

    /// Asks for an array; the request is granted once all events of the cycle have run, or later.
    pub fn ask(&mut self, request: Request) {
        self.waiting.push(request);
    }

    /// Shows the state of all arrays.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        for array in &self.arrays {
            visitor.same(u64::from(array.by) << 1 | u64::from(array.wanted));
            visitor.same(array.positions.into());
        }
        visitor.same(self.waiting.len() as u64);
        for request in &mut self.waiting {
            visitor.time(&mut request.since);
            visitor.same(u64::from(request.event.part) << 32 | u64::from(request.array));
        }
    }

    /// Whether nothing waits.
    #[inline]
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A position of the block that has the array is converted.
    pub fn converted(&mut self, array: u32) {
        self.arrays[array as usize].positions -= 1;
    }

    /// Grants what can be granted in this cycle.
    pub fn grant(&mut self, ports: &mut Ports<Token>, queue: &mut impl EventQueue) {
        self.waiting.sort_unstable();
        let arrays = &mut self.arrays;
        for array in &mut *arrays {
            array.wanted = false;
        }
        self.waiting.retain(|request| {
            if !ports.has_room(request.sums, 1) {
                return true;
            }
            let array = &mut arrays[request.array as usize];
            let may = array.positions == 0 || (array.by == request.event.part && !array.wanted);
            if may {
                (array.by, array.positions) = (request.event.part, array.positions + 1);
                ports.reserve(request.sums, 1);
                queue.push_now(request.event);
            } else {
                array.wanted = true;
            }
            !may
        });
    }
}
