//! The turn of a sequential schedule, in which one layer of one member runs at a time.

use super::recur::Visitor;
use crate::kernel::Event;

/// The layer, image and member whose turn it is, and the parts to wake when it moves on.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Layer whose turn it is.
    pub layer: u32,
    /// Image.
    pub image: u32,
    /// Member.
    pub member: u32,
    /// Number of links that have not delivered the layer's last output yet.
    pending: u32,
    members: u32,
    first_ensembling_layer: u32,
    /// For each layer, the number of links that carry its output.
    links: Vec<u32>,
    /// For each layer, the event that wakes its buffer.
    buffers: Vec<Event>,
    /// The event that wakes the source.
    source: Event,
}

impl Turn {
    /// The first layer of the first image.
    #[must_use]
    pub fn new(links: Vec<u32>, buffers: Vec<Event>, source: Event, members: u32, first_ensembling_layer: u32) -> Self {
        Self {
            layer: 0,
            image: 0,
            member: 0,
            pending: links[0],
            members,
            first_ensembling_layer,
            links,
            buffers,
            source,
        }
    }

    /// Shows its state.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        visitor.same(u64::from(self.layer) << 32 | u64::from(self.pending));
        visitor.pass(&mut self.image, &mut self.member);
    }

    /// Whether this pass of this layer has the turn.
    #[must_use]
    pub fn is(&self, layer: u32, image: u32, member: u32) -> bool {
        (self.layer, self.image, self.member) == (layer, image, member)
    }

    /// Records that a link has delivered the last output of the pass that has the turn. Returns the events to send when
    /// the turn moves on.
    pub fn delivered(&mut self) -> Option<[Event; 2]> {
        self.pending -= 1;
        if self.pending > 0 {
            return None;
        }
        let layers = self.links.len() as u32;
        if self.layer + 1 < layers {
            self.layer += 1;
        } else if self.first_ensembling_layer < layers && self.member + 1 < self.members {
            self.member += 1;
            self.layer = self.first_ensembling_layer;
        } else {
            self.member = 0;
            self.layer = 0;
            self.image += 1;
        }
        self.pending = self.links[self.layer as usize];
        Some([self.buffers[self.layer as usize], self.source])
    }
}
