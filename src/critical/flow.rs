//! When each piece of work passed each port of a run.

use crate::kernel::{Cycle, PortId};
use crate::trace::{Moved, Span, SpanSink};
use std::cmp::Ordering;

/// Image, member and first position of a piece of work: pieces pass a port in this order.
pub type Key = (u32, u32, u32);

/// A piece of work at a port. Samples of a position that pass one after another are one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// Image, member, first position.
    pub key: Key,
    /// Neighbouring positions, or pixels.
    pub lanes: u32,
    /// Reads of the position; 0 outside arrays.
    pub pulses: u32,
    /// Cycles at which its first and its last sample were sent.
    pub first: Cycle,
    pub last: Cycle,
    /// Cycle at which the receiver took the first one.
    pub taken: Cycle,
}

/// Takes down what passes the ports of a run: 48 bytes for each piece of work at each port. Spans are not kept.
#[derive(Debug, Default)]
pub struct Flow {
    ports: Vec<Vec<Passage>>,
    /// For each port the pieces taken so far.
    taken: Vec<usize>,
    /// Ports in the order in which first samples were taken from them.
    order: Vec<PortId>,
    /// Ports whose order counts.
    ordered: Vec<bool>,
}

impl Flow {
    /// An empty one, which notes the order in which pieces are taken from `ordered` ports.
    #[must_use]
    pub fn new(ordered: impl IntoIterator<Item = PortId>) -> Self {
        let mut flow = Self::default();
        for port in ordered {
            flow.grow(port);
            flow.ordered[port as usize] = true;
        }
        flow
    }

    fn grow(&mut self, port: PortId) {
        let ports = self.ports.len().max(port as usize + 1);
        self.ports.resize_with(ports, Vec::new);
        self.taken.resize(ports, 0);
        self.ordered.resize(ports, false);
    }

    /// What passed a port, in order.
    #[must_use]
    pub fn at(&self, port: PortId) -> &[Passage] {
        self.ports.get(port as usize).map_or(&[], Vec::as_slice)
    }

    /// Place of a piece among those that passed a port.
    #[must_use]
    pub fn find(&self, port: PortId, key: Key) -> Option<usize> {
        self.at(port).binary_search_by(|passage| passage.key.cmp(&key)).ok()
    }

    /// The ordered ports, one entry for each piece taken.
    #[must_use]
    pub fn order(&self) -> &[PortId] {
        &self.order
    }
}

impl SpanSink for Flow {
    const FOLLOWS: bool = true;

    #[inline(always)]
    fn push(&mut self, _span: &Span) {}

    fn moved(&mut self, moved: &Moved) {
        if moved.port as usize >= self.ports.len() {
            self.grow(moved.port);
        }
        let (at, port) = (moved.at, moved.port as usize);
        let key = (moved.image, moved.member, moved.position);
        let passages = &mut self.ports[port];
        if !moved.taken {
            match passages.last_mut() {
                Some(last) if last.key == key => last.last = at,
                last => {
                    debug_assert!(last.is_none_or(|last| last.key.cmp(&key) == Ordering::Less), "out of order");
                    passages.push(Passage {
                        key,
                        lanes: moved.lanes,
                        pulses: moved.pulses,
                        first: at,
                        last: at,
                        taken: Cycle::MAX,
                    });
                }
            }
            return;
        }
        let taken = &mut self.taken[port];
        // Further samples of the same position.
        if *taken > 0 && passages[*taken - 1].key == key {
            return;
        }
        passages[*taken].taken = at;
        *taken += 1;
        if self.ordered[port] {
            self.order.push(moved.port);
        }
    }
}
