//! Sends images out of the global buffer, row by row.

use super::context::{Amount, Context, Job, Units};
use super::token::Token;
use crate::kernel::{Cycle, PortId, Schedule};
use crate::trace::SpanSink;

/// The run starts.
pub const START: u32 = 1;
/// A row is read.
const DONE: u32 = 2;

/// What the source is and how it is wired.
#[derive(Debug, Clone)]
pub struct SourceSpec {
    /// Ports of the links to the layers that read the input.
    pub outputs: Vec<PortId>,
    /// Images of the run.
    pub images: u32,
    /// Rows of an image.
    pub height: u32,
    /// Pixels of a row.
    pub width: u32,
    /// Bytes of a pixel.
    pub pixel_bytes: u64,
    /// One access of the global buffer.
    pub read: Job,
    /// Attojoules to read a byte.
    pub byte_energy: u64,
    /// Bytes read in one access.
    pub bytes_per_access: u64,
}

impl SourceSpec {
    /// Cycles to read one row.
    #[must_use]
    pub fn row_cycles(&self) -> Cycle {
        (u64::from(self.width) * self.pixel_bytes).div_ceil(self.bytes_per_access) * self.read.duration
    }
}

/// The source at work.
#[derive(Debug)]
pub struct Source {
    spec: SourceSpec,
    image: u32,
    row: u32,
    /// A row is being read, or is read and waits.
    reading: bool,
    ready: bool,
    roomy: usize,
}

impl Source {
    /// A source before its first image.
    #[must_use]
    pub fn new(spec: SourceSpec) -> Self {
        Self { spec, image: 0, row: 0, reading: false, ready: false, roomy: 0 }
    }

    /// What it is.
    #[must_use]
    pub fn spec(&self) -> &SourceSpec {
        &self.spec
    }

    /// Handles an event.
    #[inline(never)]
    pub fn handle<S: Schedule, K: SpanSink>(&mut self, tag: u32, cx: &mut Context<'_, S, K>) {
        if tag == DONE {
            self.ready = true;
        }
        if self.ready {
            self.pass_on(cx);
        }
        self.read(cx);
    }

    fn token(&self) -> Token {
        let width = self.spec.width;
        Token { image: self.image, member: 0, position: self.row * width, lanes: width, pulses: 0, last: false }
    }

    fn read<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        // In a sequential schedule an image is sent when its turn has come.
        let turn = cx.shared.turn.as_ref().is_none_or(|turn| turn.image >= self.image);
        if self.reading || self.image == self.spec.images || !turn {
            return;
        }
        self.reading = true;
        let bytes = u64::from(self.spec.width) * self.spec.pixel_bytes;
        let job = Job { duration: self.spec.row_cycles(), ..self.spec.read };
        cx.work(&job, cx.now, self.token(), Amount::once(Units::one(0), bytes, bytes * self.spec.byte_energy));
        cx.schedule(cx.now + job.duration, DONE);
    }

    fn pass_on<S: Schedule, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let token = self.token();
        while let Some(&port) = self.spec.outputs.get(self.roomy) {
            if !cx.shared.ports.has_room(port, token.lanes) {
                return;
            }
            self.roomy += 1;
        }
        for &port in &self.spec.outputs {
            assert!(cx.send(port, token, token.lanes), "room was found before");
        }
        self.roomy = 0;
        self.reading = false;
        self.ready = false;
        self.row += 1;
        if self.row == self.spec.height {
            self.row = 0;
            self.image += 1;
        }
    }
}
