//! Takes the answers at the global buffer.

use super::context::Context;
use crate::kernel::{PortId, Schedule};
use crate::trace::SpanSink;

/// Logits have come.
pub const ANSWER: u32 = 1;

/// Takes what arrives.
#[derive(Debug)]
pub struct Sink {
    /// Port from the link of the last layer.
    pub input: PortId,
    /// Pixels of an answer; 1 for a vector of logits.
    pub pixels: u32,
}

impl Sink {
    /// Handles an event.
    #[inline(never)]
    pub fn handle<S: Schedule, K: SpanSink>(&mut self, _: u32, cx: &mut Context<'_, S, K>) {
        while let Some(token) = cx.take(self.input) {
            cx.release(self.input, token.lanes);
            cx.shared.answers += u64::from(token.position + token.lanes == self.pixels);
        }
    }
}
