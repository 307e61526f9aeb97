//! Sends images out of the global buffer, row by row.

use super::build::Build;
use super::context::{Context, Job, Units};
use super::recur::Visitor;
use super::tag::tags;
use super::timeline::Timeline;
use super::token::{Reads, Token};
use crate::dataflow::pixel_bytes;
use crate::kernel::port::CREDIT;
use crate::kernel::{Cycle, EventQueue, PortId};
use crate::trace::{Action, Component, SpanSink};

tags! {
    /// Events of the source.
    pub enum Tag {
        /// A link that was full has room again.
        Credit = CREDIT,
        /// The run starts.
        Start,
        /// The turn has moved on.
        Turn,
        /// A row has been read.
        Done,
    }
}

/// Description and ports of the source.
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
    /// One access of the global buffer; energy of a byte.
    pub read: Job,
    /// Bytes read in one access.
    pub bytes_per_access: u64,
}

impl SourceSpec {
    pub(super) fn build(at: &Build<'_>) -> Self {
        let input = at.net.input;
        Self {
            outputs: at.outputs().collect(),
            images: at.config.schedule.images,
            height: input.height,
            width: input.width,
            pixel_bytes: pixel_bytes(input.channels, at.net.input_bits),
            read: at.job_of(None, Component::GlobalBuffer, Action::Fetch, &at.chip.costs.global_read),
            bytes_per_access: u64::from(at.chip.global_buffer.bytes_per_cycle),
        }
    }

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
    /// Whether a row is being read, or has been read and waits.
    reading: bool,
    ready: bool,
    roomy: usize,
    /// The port of the global buffer through which images are read.
    read_port: Timeline,
}

impl Source {
    /// A source before its first image.
    #[must_use]
    pub fn new(spec: SourceSpec) -> Self {
        let read_port = Timeline::new(spec.read.site, Units::one(0));
        Self { spec, image: 0, row: 0, reading: false, ready: false, roomy: 0, read_port }
    }

    /// Its description.
    #[must_use]
    pub fn spec(&self) -> &SourceSpec {
        &self.spec
    }

    /// Handles an event.
    #[inline(never)]
    pub fn handle<S: EventQueue, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Done => self.ready = true,
            Tag::Credit | Tag::Start | Tag::Turn => {}
        }
        if self.ready {
            self.pass_on(cx);
        }
        self.read(cx);
    }

    fn token(&self) -> Token {
        let width = self.spec.width;
        Token { image: self.image, member: 0, position: self.row * width, lanes: width, reads: Reads::default() }
    }

    fn read<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        // In a sequential schedule an image is sent when it has the turn.
        let turn = cx.shared.turn.as_ref().is_none_or(|turn| turn.image >= self.image);
        if self.reading || self.image == self.spec.images || !turn {
            return;
        }
        self.reading = true;
        let bytes = u64::from(self.spec.width) * self.spec.pixel_bytes;
        let token = self.token();
        self.read_port.wait(Action::WaitOperand, cx.now, token, cx);
        self.read_port.work(&self.spec.read, self.spec.row_cycles(), token, bytes, cx);
        cx.schedule(self.read_port.until(), Tag::Done);
    }

    fn pass_on<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let token = self.token();
        while let Some(&port) = self.spec.outputs.get(self.roomy) {
            if !cx.shared.ports.has_room(port, token.lanes) {
                return;
            }
            self.roomy += 1;
        }
        for &port in &self.spec.outputs {
            assert!(cx.send(port, &token, token.lanes), "room was found before");
        }
        self.read_port.wait(Action::WaitPort, cx.now, token, cx);
        self.roomy = 0;
        self.reading = false;
        self.ready = false;
        self.row += 1;
        if self.row == self.spec.height {
            self.row = 0;
            self.image += 1;
        }
    }

    /// Shows its state.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        visitor.pass(&mut self.image, &mut 0);
        visitor.same(self.row.into());
        visitor.same(u64::from(self.reading) << 1 | u64::from(self.ready));
        visitor.same(self.roomy as u64);
        self.read_port.visit(visitor);
    }

    /// Books the rest of the run.
    pub fn finish<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.read_port.finish(cx);
    }
}
