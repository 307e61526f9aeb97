//! Takes the answers at the global buffer.

use super::build::Build;
use super::context::Context;
use super::tag::tags;
use crate::kernel::{EventQueue, PortId};
use crate::trace::SpanSink;

tags! {
    /// Events of the sink.
    pub enum Tag {
        /// Logits have arrived.
        Answer,
    }
}

/// Takes the answers.
#[derive(Debug)]
pub struct Sink {
    /// Ports from the links of the last layer, or of its copies for each member.
    pub inputs: Vec<PortId>,
    /// Pixels of an answer; 1 for a vector of logits.
    pub pixels: u32,
}

impl Sink {
    /// The sink of a network's answers.
    pub(super) fn build(at: &Build<'_>) -> Self {
        let inputs = at.inputs().map(|(_, port)| port).collect();
        Self { inputs, pixels: at.net.layers[at.net.output].output.positions() }
    }

    /// Handles an event.
    #[inline(never)]
    pub fn handle<S: EventQueue, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        let Tag::Answer = tag;
        for &input in &self.inputs {
            while let Some(token) = cx.take(input) {
                cx.release(input, token.lanes);
                cx.shared.answers += u64::from(token.position + token.lanes == self.pixels);
            }
        }
    }
}
