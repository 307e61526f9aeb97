//! The messages of a run over the links between tiles, computed again from when they left.

use super::flow::Flow;
use super::timing::Timing;
use crate::kernel::{Cycle, PartId};
use crate::parts::network::Hop;
use std::collections::BTreeMap;

/// A link of the interconnect on the way of a message: stage, message, place on its route.
pub(super) type Granted = (PartId, usize, usize);

/// A message on its way.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub bytes: u64,
    pub left: Cycle,
    /// For each link of its route the cycle at which it was granted, and the message that had it before.
    pub hops: Vec<(Cycle, Option<Granted>)>,
    /// Cycles at which its tail has left and at which it has been written.
    pub sent: Cycle,
    pub delivered: Cycle,
    /// Pixels up to its end, of all messages of the stage.
    pub pixels: u64,
}

/// Messages by stage.
pub(super) type Messages = BTreeMap<PartId, Vec<Message>>;

/// All messages, in the order in which they left.
pub(super) fn messages(timing: &Timing, flow: &Flow) -> Messages {
    let mut network = timing.network.clone();
    let stages: BTreeMap<_, _> = timing.links.iter().map(|(stage, link)| (link.spec.input, (*stage, link))).collect();
    let mut messages: Messages = timing.links.keys().map(|stage| (*stage, Vec::new())).collect();
    let mut users: BTreeMap<u32, Granted> = BTreeMap::new();
    let mut hops: Vec<Hop> = Vec::new();
    for port in flow.order() {
        let (stage, link) = stages[port];
        let of_stage = messages.get_mut(&stage).expect("every stage has a list");
        let (number, spec) = (of_stage.len(), &link.spec);
        let passage = flow.at(*port)[number];
        let bytes = u64::from(passage.lanes) * spec.pixel_bytes;
        let (read, write) = spec.ends(bytes);
        let head = passage.taken + read;
        let tail = network.transfer(&spec.route, head, bytes, &mut hops);
        let before = of_stage.last().map_or((0, 0), |message| (message.delivered, message.pixels));
        let granted = hops.iter().enumerate();
        of_stage.push(Message {
            bytes,
            left: passage.taken,
            hops: granted.map(|(i, hop)| (hop.granted, users.insert(hop.link, (stage, number, i)))).collect(),
            sent: hops.first().map_or(head, |hop| hop.granted + network.occupancy(bytes)),
            delivered: before.0.max(tail + spec.spread) + write,
            pixels: before.1 + u64::from(passage.lanes),
        });
    }
    messages
}
