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
    /// Port from the link of the last layer.
    pub input: PortId,
    /// Pixels of an answer; 1 for a vector of logits.
    pub pixels: u32,
}

impl Sink {
    /// The sink of a network's answers.
    pub(super) fn build(at: &Build<'_>) -> Self {
        Self { input: at.input(), pixels: at.net.layers[at.net.output].output.positions() }
    }

    /// Handles an event.
    #[inline(never)]
    pub fn handle<S: EventQueue, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        let Tag::Answer = tag;
        while let Some(token) = cx.take(self.input) {
            cx.release(self.input, token.lanes);
            cx.shared.answers += u64::from(token.position + token.lanes == self.pixels);
        }
    }
}
