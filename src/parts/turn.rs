//! Whose turn it is when one layer of one member runs at a time.

use crate::kernel::Event;

/// Position in the order of a sequential schedule, and whom to wake.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Layer whose turn it is.
    pub layer: u32,
    /// Image.
    pub image: u32,
    /// Member.
    pub member: u32,
    /// Deliveries of the layer's last outputs that are still to come.
    pending: u32,
    members: u32,
    first_ensembling_layer: u32,
    /// For each layer, how many links carry its output.
    links: Vec<u32>,
    /// For each layer, what wakes its buffer.
    buffers: Vec<Event>,
    /// What wakes the source.
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

    /// Whether it is the turn of this pass of this layer.
    #[must_use]
    pub fn is(&self, layer: u32, image: u32, member: u32) -> bool {
        (self.layer, self.image, self.member) == (layer, image, member)
    }

    /// Notes that a link has delivered the last output of the pass whose turn it is. Returns what wakes the parts
    /// concerned when the turn moves on.
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
