//! The input buffer of a layer: stores pixels, decides when a window may be read, and fetches it.
//!
//! A window is fetched while the arrays work on the one before. In the `sequential` and `layer` schedules a pass starts when
//! its whole input has arrived and the pass before it has left the converters of the layer (the weights are switched then);
//! in `streaming` a position starts as soon as its window has arrived. A layer that runs several times on the same input (the first
//! ensembling layer) keeps it until the last time.

use super::build::Build;
use super::context::{Context, Job, Units};
use super::link::Sent;
use super::recur::Visitor;
use super::tag::tags;
use super::timeline::Timeline;
use super::token::{Reads, Token};
use crate::config::Mode;
use crate::dataflow::pixel_bytes;
use crate::kernel::port::CREDIT;
use crate::kernel::{Cycle, EventQueue, PartId, PortId};
use crate::trace::{Action, Component, SpanSink};
use crate::workload::{LayerInput, NetLayer};

tags! {
    /// Events of a buffer.
    pub enum Tag {
        /// A group of arrays that had no room for a window has room again.
        Credit = CREDIT,
        /// Pixels have arrived.
        Pixels,
        /// A pass has left the converters of this layer.
        PassThrough,
        /// The turn has moved on.
        Turn,
        /// A window has been fetched.
        Fetched,
    }
}

/// Description and ports of a buffer.
#[derive(Debug, Clone)]
pub struct BufferSpec {
    /// Port of pixels, from the link.
    pub input: PortId,
    /// Ports of the groups of arrays; whether a group takes part in the first member only.
    pub groups: Vec<(PortId, bool)>,
    /// Index of the layer.
    pub index: u32,
    /// The layer.
    pub layer: NetLayer,
    /// Copies of the layer.
    pub replication: u32,
    /// Passes for one image.
    pub passes: u32,
    /// Passes for one image that read the same input.
    pub replays: u32,
    /// Images of the run.
    pub images: u32,
    /// When a position may start.
    pub mode: Mode,
    /// One access of the buffer; energy of a byte.
    pub fetch: Job,
    /// Bytes of one access on all tiles that hold different rows.
    pub bytes_per_access: u64,
    /// Tiles of the layer.
    pub tiles: Units,
}

impl BufferSpec {
    pub(super) fn build(at: &Build<'_>) -> Self {
        let (l, layer, mapped) = at.layer();
        let sources = match layer.source {
            LayerInput::Input => 1,
            LayerInput::Layer(j) => at.mapping.layers[j].passes,
        };
        let tiles = Units::tiles(mapped);
        // Tiles that hold different row blocks serve different rows of a window side by side.
        let (banks, of_tile) =
            (tiles.number.min(mapped.row_blocks()), at.chip.tile.input_buffer.bytes_per_cycle.into());
        let bytes_per_access = if banks == tiles.number {
            mapped.of_tiles(of_tile)
        } else {
            u64::from(banks) * mapped.least_of_tile(of_tile)
        };
        Self {
            input: at.input(),
            groups: at.groups().collect(),
            index: l as u32,
            layer: layer.clone(),
            replication: mapped.replication,
            passes: mapped.passes,
            replays: mapped.passes / sources,
            images: at.config.schedule.images,
            mode: at.config.schedule.mode,
            fetch: at.job_of(Some(l), Component::Buffer, Action::Fetch, &at.chip.costs.buffer_read),
            bytes_per_access,
            tiles,
        }
    }

    /// Bytes and cycles to fetch the windows of neighbouring positions.
    #[must_use]
    pub fn fetch(&self, position: u32, lanes: u32) -> (u64, Cycle) {
        let pixels: u64 = (position..position + lanes).map(|p| u64::from(self.layer.pixels_fetched(p))).sum();
        let bytes = pixels * pixel_bytes(self.layer.input.channels, self.layer.input_bits);
        (bytes, bytes.div_ceil(self.bytes_per_access) * self.fetch.duration)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Fetching,
    Holding,
}

/// A buffer at work.
#[derive(Debug)]
pub struct Buffer {
    spec: BufferSpec,
    phase: Phase,
    /// The next position to fetch, or the one being fetched.
    image: u32,
    member: u32,
    position: u32,
    /// Pixels that have arrived, and that have been released, since the start of the run.
    arrived: u64,
    /// Messages that they came with.
    heard: u64,
    released: u64,
    /// Pixels that no later position reads, since the start of the run. Some of them may not have arrived yet: rows at the
    /// end of a map that a stride skips.
    done: u64,
    /// Passes that have left the converters.
    through: u64,
    /// Number of groups that have room for the current window.
    roomy: usize,
    /// The ports through which windows are read.
    read_port: Timeline,
}

impl Buffer {
    /// An empty buffer.
    #[must_use]
    pub fn new(spec: BufferSpec) -> Self {
        Self {
            read_port: Timeline::new(spec.fetch.site, spec.tiles),
            spec,
            phase: Phase::Waiting,
            image: 0,
            member: 0,
            position: 0,
            arrived: 0,
            heard: 0,
            released: 0,
            done: 0,
            through: 0,
            roomy: 0,
        }
    }

    /// Its description.
    #[must_use]
    pub fn spec(&self) -> &BufferSpec {
        &self.spec
    }

    /// Handles an event.
    #[inline(never)]
    pub fn handle<S: EventQueue, K: SpanSink>(&mut self, tag: Tag, cx: &mut Context<'_, S, K>) {
        match tag {
            Tag::Pixels => {
                self.heard += 1;
                while let Some(token) = cx.take(self.spec.input) {
                    self.arrived += u64::from(token.lanes);
                }
                self.let_go(cx);
            }
            Tag::PassThrough => self.through += 1,
            Tag::Fetched => self.phase = Phase::Holding,
            Tag::Credit | Tag::Turn => {}
        }
        if self.phase == Phase::Waiting {
            self.fetch(cx);
        }
        if self.phase == Phase::Holding {
            self.issue(cx);
        }
    }

    /// The position that is fetched next or being fetched, where it is one of a pass whose whole input is there; with image and
    /// member.
    #[must_use]
    pub fn within(&self) -> Option<(u32, (u32, u32))> {
        let whole = self.base() + u64::from(self.spec.layer.input.positions());
        let goes_on = self.position > 0 && self.phase != Phase::Waiting && self.arrived >= whole;
        goes_on.then_some((self.position, (self.image, self.member)))
    }

    /// Pixels that have been released.
    #[must_use]
    pub fn released(&self) -> u64 {
        self.released
    }

    /// Pixels that have yet to arrive in the run.
    #[must_use]
    pub fn expected(&self) -> u64 {
        let maps = u64::from(self.spec.images) * u64::from(self.spec.passes / self.spec.replays);
        (maps * u64::from(self.spec.layer.input.positions())).saturating_sub(self.arrived)
    }

    /// Messages that it has heard of.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// Pixels have arrived that were not sent one by one.
    pub fn hear(&mut self, sent: Sent) {
        self.arrived += sent.pixels;
        self.heard += sent.messages;
    }

    fn pass(&self) -> u64 {
        u64::from(self.image) * u64::from(self.spec.passes) + u64::from(self.member)
    }

    fn lanes(&self) -> u32 {
        self.spec.replication.min(self.spec.layer.positions - self.position)
    }

    /// Pixels before the map that the current pass reads.
    fn base(&self) -> u64 {
        self.pass() / u64::from(self.spec.replays) * u64::from(self.spec.layer.input.positions())
    }

    /// Whether the pixels of the window have arrived, and whether the pass has the turn.
    fn ready<S: EventQueue, K: SpanSink>(&self, cx: &Context<'_, S, K>) -> bool {
        if self.image == self.spec.images {
            return false;
        }
        let layer = &self.spec.layer;
        let needed = match self.spec.mode {
            Mode::Streaming => layer.pixels_needed_by(self.position, self.lanes()),
            Mode::Sequential | Mode::Layer => layer.input.positions(),
        };
        let turn = cx.shared.turn.as_ref().is_none_or(|turn| turn.is(self.spec.index, self.image, self.member));
        turn && self.arrived >= self.base() + u64::from(needed)
    }

    fn token(&self) -> Token {
        Token {
            image: self.image,
            member: self.member,
            position: self.position,
            lanes: self.lanes(),
            reads: Reads::default(),
        }
    }

    fn fetch<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        if !self.ready(cx) {
            return;
        }
        let (bytes, cycles) = self.spec.fetch(self.position, self.lanes());
        let token = self.token();
        self.read_port.wait(Action::WaitOperand, cx.now, token, cx);
        self.read_port.work(&self.spec.fetch, cycles, token, bytes, cx);
        self.phase = if cycles == 0 { Phase::Holding } else { Phase::Fetching };
        if cycles > 0 {
            cx.schedule(cx.now + cycles, Tag::Fetched);
        }
    }

    /// Passes the window to the arrays when all of them have room.
    fn issue<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        loop {
            let barrier = self.position == 0 && self.spec.mode != Mode::Streaming;
            if barrier && self.through < self.pass() {
                return;
            }
            let token = self.token();
            // Groups before `roomy` have room, and no other part can take it.
            let takes_part = |first_member_only: bool| token.member == 0 || !first_member_only;
            while let Some(&(port, first_member_only)) = self.spec.groups.get(self.roomy) {
                if takes_part(first_member_only) && !cx.shared.ports.has_room(port, 1) {
                    return;
                }
                self.roomy += 1;
            }
            for &(port, _) in self.spec.groups.iter().filter(|(_, first_member_only)| takes_part(*first_member_only)) {
                assert!(cx.send(port, &token, 1), "room was found before");
            }
            // Arrays whose last pass has left the converters have room.
            let reason = if barrier { Action::WaitResource } else { Action::WaitPort };
            self.read_port.wait(reason, cx.now, token, cx);
            self.roomy = 0;
            self.phase = Phase::Waiting;
            self.advance(cx);
            let look_at = &mut cx.shared.look_at[self.spec.index as usize];
            if self.position == 0 {
                // Never stays never.
                *look_at = if *look_at == u32::MAX { u32::MAX } else { 0 };
            } else if self.position >= *look_at && cx.shared.due.last() != Some(&self.spec.index) {
                cx.shared.due.push(self.spec.index);
            }
            self.fetch(cx);
            if self.phase != Phase::Holding {
                return;
            }
        }
    }

    /// Moves to the next position and releases pixels that no later one reads.
    fn advance<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let base = self.base();
        let last_replay = self.pass() % u64::from(self.spec.replays) == u64::from(self.spec.replays) - 1;
        self.position += self.lanes();
        if last_replay {
            self.done = base + u64::from(self.spec.layer.pixels_done(self.position));
            self.let_go(cx);
        }
        if self.position == self.spec.layer.positions {
            self.position = 0;
            self.member += 1;
            if self.member == self.spec.passes {
                self.member = 0;
                self.image += 1;
            }
        }
    }

    /// Releases the room of pixels that are no longer needed.
    fn let_go<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        let done = self.done.min(self.arrived);
        if done > self.released {
            let pixels = (done - self.released) as u32;
            self.released = done;
            cx.release(self.spec.input, pixels);
        }
    }

    /// Shows its state: pixels are counted from the map that the current pass reads.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        visitor.same(self.phase as u64);
        visitor.position(&mut self.position);
        visitor.same(self.roomy as u64);
        let from = self.base();
        visitor.pass(&mut self.image, &mut self.member);
        let base = self.base();
        let here = |pixels: u64| pixels.wrapping_sub(from);
        visitor.external(here(self.arrived));
        visitor.external_sum(&mut self.heard);
        let (mut released, kept) = (here(self.released), self.done.wrapping_sub(self.released));
        visitor.count(&mut released);
        visitor.same(kept);
        self.arrived = base.wrapping_add(here(self.arrived));
        self.released = base.wrapping_add(released);
        self.done = self.released.wrapping_add(kept);
        visitor.passes(&mut self.through, self.spec.passes.into());
        self.read_port.visit(visitor);
    }

    /// Books the rest of the run.
    pub fn finish<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.read_port.finish(cx);
    }

    /// The part that it waits for in a deadlock, and the reason.
    #[must_use]
    pub fn waits_for(&self, producer: PartId) -> Option<(PartId, String)> {
        if self.image == self.spec.images || self.phase != Phase::Waiting {
            return None;
        }
        let pixels = self.spec.layer.input.positions();
        let here = self.arrived.saturating_sub(self.base());
        Some((producer, format!("waits for its input, {here} of {pixels} pixels are there")))
    }
}
