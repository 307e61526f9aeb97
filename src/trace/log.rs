//! Spans kept in memory in a few bytes each.
//!
//! A [`Span`] takes 72 bytes, and filling memory that was never touched costs more than the span itself. So the log guesses
//! each span from those before it and keeps only what the guess missed: nothing where arrays do the same side by side, a
//! few bytes elsewhere. Every span survives, whatever its fields hold.
//!
//! What is guessed of a span:
//!
//! - its kind (component, action, layer): the kind that came after the last span's kind before;
//! - `start` and `unit`: as far from the last span's as when the kind came before;
//! - `position`: the last span's;
//! - all else: as when the kind came before, `period` by the gap between its pieces.
//!
//! Spans guessed without a miss are only counted. Any other span is a row: a header of two bytes, low byte first, with a
//! bit of `has` for each thing that follows, then these things, as numbers of `Row::put`.

use crate::trace::encode::zigzag;
use crate::trace::span::{KINDS, kind, of_kind};
use crate::trace::{Action, Component, NONE, Span, SpanSink};
use std::iter::FusedIterator;

const _: () = assert!(KINDS <= 1 << u8::BITS, "component and action share a byte");
/// Layers whose kinds have contexts of their own; the layers beyond share these, which only costs bytes.
const PLACES: u32 = 64;

/// Bytes of the first chunk and of the largest; each is twice the one before. Chunks are never moved.
const FIRST_CHUNK: usize = 1 << 12;
const LARGEST_CHUNK: usize = 1 << 20;
/// Bytes that a row is written or read within: as many as a byte can number, and the seven that a number may reach beyond.
/// The longest row takes 92.
const WINDOW: usize = (1 << u8::BITS) + 7;

/// What a row holds, in its order: bits of the header.
mod has {
    /// How many spans before this one were only counted.
    pub const RUN: u16 = 1;
    /// A byte of component and action, then the layer's number, [`NONE`](super::NONE) being 0 and the first layer 1.
    pub const KIND: u16 = 1 << 1;
    // The misses of fields.
    pub const START: u16 = 1 << 2;
    pub const POSITION: u16 = 1 << 3;
    pub const UNIT: u16 = 1 << 4;
    pub const ENERGY: u16 = 1 << 5;
    pub const COUNT: u16 = 1 << 6;
    pub const DURATION: u16 = 1 << 7;
    pub const GAP: u16 = 1 << 8;
    pub const REPEATS: u16 = 1 << 9;
    pub const UNITS: u16 = 1 << 10;
    pub const IMAGE: u16 = 1 << 11;
    pub const MEMBER: u16 = 1 << 12;
}

/// Keeps every span in memory, in order, in a few bytes: read back only from the first on.
///
/// ```
/// use crossbayes::trace::{Action, Component, NONE, Span, SpanLog, SpanSink};
///
/// let span = Span {
///     start: 0,
///     duration: 10,
///     repeats: 1,
///     period: 10,
///     component: Component::Crossbar,
///     action: Action::Read,
///     layer: 0,
///     image: 0,
///     member: NONE,
///     position: 0,
///     unit: 0,
///     units: 1,
///     count: 1,
///     energy: 360_000,
/// };
/// let spans = (0..1000).map(|unit| Span { unit, ..span });
/// let mut log = SpanLog::default();
/// spans.clone().for_each(|span| log.push(&span));
/// assert!(log.iter().eq(spans));
/// assert!(log.bytes() < 30);
/// ```
#[derive(Debug, Clone, Default)]
pub struct SpanLog {
    model: Model,
    /// Spans up to the last row, that one included.
    spans: usize,
    /// Spans after the last row.
    run: usize,
    /// Chunks that hold no further row.
    full: Vec<Chunk>,
    filling: Chunk,
}

#[derive(Debug, Clone, Default)]
struct Chunk {
    bytes: Vec<u8>,
    filled: usize,
}

/// What the spans so far tell of the next one; the same while the log is written and while it is read.
#[derive(Debug, Clone)]
struct Model {
    /// By layer's place, component and action.
    contexts: Vec<Context>,
    /// Index of the last span's context, and of that which comes next.
    last: usize,
    next: usize,
    // Of the last span.
    start: u64,
    unit: u32,
    position: u32,
}

/// The last span of a kind.
#[derive(Debug, Clone, Copy)]
struct Context {
    component: Component,
    action: Action,
    layer: u32,
    /// Index of the context of the span after it.
    next: u32,
    /// `start` less that of the span before it.
    step: u64,
    /// `unit` less that of the span before it.
    unit_step: u32,
    units: u32,
    duration: u64,
    /// `period` less `duration`.
    gap: u64,
    repeats: u32,
    image: u32,
    member: u32,
    count: u64,
    energy: u64,
}

impl Context {
    /// Of a kind that did not come yet. The first of all contexts is that of this kind.
    const NEW: Self = Self {
        component: Component::ALL[0],
        action: Action::ALL[0],
        layer: NONE,
        next: 0,
        step: 0,
        unit_step: 0,
        units: 0,
        duration: 0,
        gap: 0,
        repeats: 0,
        image: 0,
        member: 0,
        count: 0,
        energy: 0,
    };
}

impl Default for Model {
    fn default() -> Self {
        Self { contexts: vec![Context::NEW], last: 0, next: 0, start: 0, unit: 0, position: 0 }
    }
}

impl Model {
    /// The next span, as far as can be told.
    #[inline(always)]
    fn guess(&self) -> Span {
        let context = &self.contexts[self.next];
        Span {
            start: self.start.wrapping_add(context.step),
            duration: context.duration,
            repeats: context.repeats,
            period: context.duration.wrapping_add(context.gap),
            component: context.component,
            action: context.action,
            layer: context.layer,
            image: context.image,
            member: context.member,
            position: self.position,
            unit: self.unit.wrapping_add(context.unit_step),
            units: context.units,
            count: context.count,
            energy: context.energy,
        }
    }

    /// Makes the next span one of this kind.
    fn set_kind(&mut self, component: Component, action: Action, layer: u32) {
        let place = (layer.wrapping_add(1) % PLACES) as usize;
        self.next = place * KINDS + kind(component, action);
        if self.next >= self.contexts.len() {
            self.contexts.resize((place + 1) * KINDS, Context::NEW);
        }
        self.contexts[self.last].next = self.next as u32;
        let context = &mut self.contexts[self.next];
        (context.component, context.action, context.layer) = (component, action, layer);
    }

    /// Takes what seldom changes of the next span, whose kind is set.
    #[inline(always)]
    fn learn_rest(&mut self, span: &Span) {
        let context = &mut self.contexts[self.next];
        context.units = span.units;
        context.duration = span.duration;
        context.gap = gap(span);
        context.repeats = span.repeats;
        context.image = span.image;
        context.member = span.member;
        context.count = span.count;
    }

    /// Takes the next span, the rest of which is known.
    #[inline(always)]
    fn learn(&mut self, span: &Span) {
        let context = &mut self.contexts[self.next];
        context.step = span.start.wrapping_sub(self.start);
        context.unit_step = span.unit.wrapping_sub(self.unit);
        context.energy = span.energy;
        self.go_on(span);
    }

    /// Takes the next span, of whose kind there is nothing to learn.
    #[inline(always)]
    fn go_on(&mut self, span: &Span) {
        (self.start, self.unit, self.position) = (span.start, span.unit, span.position);
        (self.last, self.next) = (self.next, self.contexts[self.next].next as usize);
    }
}

/// Cycles from the end of a piece to the start of the next one.
#[inline(always)]
fn gap(span: &Span) -> u64 {
    span.period.wrapping_sub(span.duration)
}

/// Whether component, action or layer differ.
#[inline(always)]
fn kind_differs(a: &Span, b: &Span) -> bool {
    (a.component as u32 ^ b.component as u32) | (a.action as u32 ^ b.action as u32) | (a.layer ^ b.layer) != 0
}

/// Whether fields differ that seldom do when the kind does not. Field by field and without branches: a comparison of several
/// fields at once would wait until all of them, just written one by one, have left the store buffer.
#[inline(always)]
fn rest_differs(a: &Span, b: &Span) -> bool {
    let long = (a.duration ^ b.duration) | (gap(a) ^ gap(b)) | (a.count ^ b.count);
    let short = (a.repeats ^ b.repeats) | (a.units ^ b.units) | (a.image ^ b.image) | (a.member ^ b.member);
    long | u64::from(short) != 0
}

/// Whether any field differs.
#[inline(always)]
fn differs(a: &Span, b: &Span) -> bool {
    let long = (a.start ^ b.start) | (a.energy ^ b.energy);
    let short = (a.position ^ b.position) | (a.unit ^ b.unit);
    kind_differs(a, b) | rest_differs(a, b) | (long | u64::from(short) != 0)
}

impl SpanSink for SpanLog {
    // Inlined with all that writes a row: the span is then compared and encoded where it was made, and needs no memory.
    #[inline(always)]
    fn push(&mut self, span: &Span) {
        if differs(&self.model.guess(), span) {
            self.write(span);
        } else {
            self.model.go_on(span);
            self.run += 1;
        }
    }
}

impl SpanLog {
    /// Spans kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans + self.run
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the spans take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.chunks().map(|chunk| chunk.filled).sum()
    }

    /// The spans, in the order in which they were pushed.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        let model = Model::default();
        let mut iter = Iter { log: self, left: self.len(), model, chunk: 0, at: 0, row: None, run: 0 };
        iter.open_row();
        iter
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.full.iter().chain([&self.filling])
    }

    fn chunk(&self, index: usize) -> Option<&Chunk> {
        if index == self.full.len() { Some(&self.filling) } else { self.full.get(index) }
    }

    /// Appends a row.
    #[inline(always)]
    fn write(&mut self, span: &Span) {
        if self.filling.bytes.len() < self.filling.filled + WINDOW {
            self.start_chunk();
        }
        let bytes = self.filling.bytes[self.filling.filled..].first_chunk_mut().expect("there is room for a row");
        let mut row = Row { bytes, at: 2, header: 0 };
        if self.run > 0 {
            row.header |= has::RUN;
            row.put(self.run as u64);
        }
        let model = &mut self.model;
        if kind_differs(&model.guess(), span) {
            row.header |= has::KIND;
            row.put_byte(kind(span.component, span.action) as u8);
            row.put(u64::from(span.layer.wrapping_add(1)));
            model.set_kind(span.component, span.action, span.layer);
        }
        let guess = model.guess();
        row.miss(has::START, long(span.start, guess.start));
        row.miss(has::POSITION, short(span.position, guess.position));
        row.miss(has::UNIT, short(span.unit, guess.unit));
        row.miss(has::ENERGY, long(span.energy, guess.energy));
        if rest_differs(&guess, span) {
            row.miss(has::COUNT, long(span.count, guess.count));
            row.miss(has::DURATION, long(span.duration, guess.duration));
            row.miss(has::GAP, long(gap(span), gap(&guess)));
            row.miss(has::REPEATS, short(span.repeats, guess.repeats));
            row.miss(has::UNITS, short(span.units, guess.units));
            row.miss(has::IMAGE, short(span.image, guess.image));
            row.miss(has::MEMBER, short(span.member, guess.member));
            model.learn_rest(span);
        }
        model.learn(span);
        row.bytes[..2].copy_from_slice(&row.header.to_le_bytes());
        self.filling.filled += usize::from(row.at);
        self.spans += self.run + 1;
        self.run = 0;
    }

    #[cold]
    fn start_chunk(&mut self) {
        let size = (2 * self.filling.bytes.len()).clamp(FIRST_CHUNK, LARGEST_CHUNK);
        // Zeroed memory comes from the system untouched, so a chunk costs nothing until it is filled.
        let full = std::mem::replace(&mut self.filling, Chunk { bytes: vec![0; size], filled: 0 });
        if full.filled > 0 {
            self.full.push(full);
        }
    }
}

/// Difference from a guess, as a number that is small for a near one.
#[inline(always)]
fn long(value: u64, guess: u64) -> i64 {
    value.wrapping_sub(guess) as i64
}

/// [`long`] of 32 bits.
#[inline(always)]
fn short(value: u32, guess: u32) -> i64 {
    i64::from(value.wrapping_sub(guess) as i32)
}

/// A row while it is written.
struct Row<'a> {
    bytes: &'a mut [u8; WINDOW],
    /// A byte, so that the compiler sees that it is inside.
    at: u8,
    header: u16,
}

impl Row<'_> {
    #[inline(always)]
    fn put_byte(&mut self, byte: u8) {
        self.bytes[usize::from(self.at)] = byte;
        self.at = self.at.wrapping_add(1);
    }

    #[inline(always)]
    fn put_word(&mut self, word: u64, bytes: u32) {
        let at = usize::from(self.at);
        self.bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        self.at = self.at.wrapping_add(bytes as u8);
    }

    /// Appends a number of up to 56 bits: seven bits a byte, low bits first, behind as many zeros as bytes follow the first
    /// and a one. A larger number takes the eight bytes behind a zero byte.
    #[inline(always)]
    fn put(&mut self, value: u64) {
        let bits = u64::BITS - (value | 1).leading_zeros();
        // Sevenths, rounded up, for up to 63 bits, and above 8 for 64.
        let bytes = (bits * 9 + 64) / 64;
        if bytes > 8 {
            self.put_byte(0);
            self.put_word(value, 8);
        } else {
            self.put_word((value << 1 | 1) << (bytes - 1), bytes);
        }
    }

    /// Appends the miss of a field, if it is one: even numbers for misses from 0 up, odd ones for those below.
    #[inline(always)]
    fn miss(&mut self, bit: u16, difference: i64) {
        if difference != 0 {
            self.header |= bit;
            self.put(zigzag(difference));
        }
    }
}

/// A row while it is read.
#[derive(Debug, Clone)]
struct Reader<'a> {
    bytes: &'a [u8; WINDOW],
    at: u8,
    header: u16,
}

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        let byte = self.bytes[usize::from(self.at)];
        self.at = self.at.wrapping_add(1);
        byte
    }

    fn word(&self) -> u64 {
        u64::from_le_bytes(*self.bytes[usize::from(self.at)..].first_chunk().expect("the window reaches beyond"))
    }

    /// What [`Row::put`] appended.
    fn number(&mut self) -> u64 {
        let word = self.word();
        let bytes = word.trailing_zeros() + 1;
        if bytes > 8 {
            self.at = self.at.wrapping_add(1);
            let value = self.word();
            self.at = self.at.wrapping_add(8);
            value
        } else {
            self.at = self.at.wrapping_add(bytes as u8);
            word << (64 - 8 * bytes) >> (64 - 7 * bytes)
        }
    }

    fn has(&self, bit: u16) -> bool {
        self.header & bit != 0
    }

    /// What was given to [`Row::miss`].
    fn miss(&mut self, bit: u16) -> u64 {
        if !self.has(bit) {
            return 0;
        }
        let number = self.number();
        number >> 1 ^ (number & 1).wrapping_neg()
    }

    fn long(&mut self, bit: u16, field: &mut u64) {
        *field = field.wrapping_add(self.miss(bit));
    }

    fn short(&mut self, bit: u16, field: &mut u32) {
        *field = field.wrapping_add(self.miss(bit) as u32);
    }
}

/// The spans of a [`SpanLog`], in order.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    log: &'a SpanLog,
    left: usize,
    model: Model,
    /// Where the next row begins.
    chunk: usize,
    at: usize,
    /// The next row, from behind its run; none after the last one.
    row: Option<Reader<'a>>,
    /// Spans before that row.
    run: u64,
}

impl<'a> Iter<'a> {
    /// Moves to the next row and reads how many spans come before it.
    fn open_row(&mut self) {
        (self.row, self.run) = (None, 0);
        while let Some(chunk) = self.log.chunk(self.chunk) {
            if self.at < chunk.filled {
                let bytes: &'a [u8; WINDOW] =
                    chunk.bytes[self.at..].first_chunk().expect("a row is written within a window");
                let mut row = Reader { bytes, at: 2, header: u16::from_le_bytes([bytes[0], bytes[1]]) };
                if row.has(has::RUN) {
                    self.run = row.number();
                }
                self.row = Some(row);
                return;
            }
            (self.chunk, self.at) = (self.chunk + 1, 0);
        }
    }

    /// The span of a row, from behind its run.
    fn read(&mut self, mut row: Reader<'a>) -> Span {
        if row.has(has::KIND) {
            let (component, action) = of_kind(row.byte().into());
            let layer = (row.number() as u32).wrapping_sub(1);
            self.model.set_kind(component, action, layer);
        }
        let mut span = self.model.guess();
        let mut gap = gap(&span);
        row.long(has::START, &mut span.start);
        row.short(has::POSITION, &mut span.position);
        row.short(has::UNIT, &mut span.unit);
        row.long(has::ENERGY, &mut span.energy);
        row.long(has::COUNT, &mut span.count);
        row.long(has::DURATION, &mut span.duration);
        row.long(has::GAP, &mut gap);
        row.short(has::REPEATS, &mut span.repeats);
        row.short(has::UNITS, &mut span.units);
        row.short(has::IMAGE, &mut span.image);
        row.short(has::MEMBER, &mut span.member);
        span.period = span.duration.wrapping_add(gap);
        self.model.learn_rest(&span);
        self.model.learn(&span);
        self.at += usize::from(row.at);
        self.open_row();
        span
    }
}

impl Iterator for Iter<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        self.left = self.left.checked_sub(1)?;
        if self.run == 0
            && let Some(row) = self.row.take()
        {
            return Some(self.read(row));
        }
        // Behind the last row there is no number: what is left was only counted.
        self.run = self.run.saturating_sub(1);
        let span = self.model.guess();
        self.model.go_on(&span);
        Some(span)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl FusedIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a SpanLog {
    type Item = Span;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPAN: Span = Span {
        start: 5,
        duration: 10,
        repeats: 1,
        period: 10,
        component: Component::Crossbar,
        action: Action::Read,
        layer: 0,
        image: 0,
        member: NONE,
        position: 7,
        unit: 3,
        units: 1,
        count: 1,
        energy: 100,
    };

    fn log(spans: &[Span]) -> SpanLog {
        let mut log = SpanLog::default();
        spans.iter().for_each(|span| log.push(span));
        log
    }

    fn bytes(log: &SpanLog) -> Vec<u8> {
        log.chunks().flat_map(|chunk| &chunk.bytes[..chunk.filled]).copied().collect()
    }

    /// Whether the log gives back what it was given.
    fn survive(spans: &[Span]) -> bool {
        let log = log(spans);
        log.len() == spans.len() && log.is_empty() == spans.is_empty() && log.iter().eq(spans.iter().copied())
    }

    #[test]
    fn rows_are_those_computed_by_hand() {
        // Bits 1 to 7, 9, 10 and 12: all but the run, the gap (0) and the image (0).
        let header = [0b1111_1110, 0b0001_0110];
        // Component 1 of 19 actions each, action 1. One byte holds 2 n + 1, a number below 128; a miss of m is number 2 m.
        let kind = [20, 2 + 1];
        let start_position_unit = [2 * 10 + 1, 2 * 14 + 1, 2 * 6 + 1];
        // The number 200 takes eight bits: 4 * 200 + 2 = 0x322.
        let energy = [0x22, 0x03];
        let count_duration_repeats_units = [2 * 2 + 1, 2 * 20 + 1, 2 * 2 + 1, 2 * 2 + 1];
        // NONE is 1 below 0, the number 1.
        let member = [2 + 1];
        let first =
            [&header[..], &kind, &start_position_unit, &energy, &count_duration_repeats_units, &member].concat();
        assert_eq!(bytes(&log(&[SPAN])), first);

        // As far again: only that the kind follows itself is new, then nothing.
        let step = |i: u32| Span { start: 5 + 5 * u64::from(i), unit: 3 + 3 * i, ..SPAN };
        let second = [0b10, 0, 20, 2 + 1];
        assert_eq!(bytes(&log(&[step(0), step(1)])), [&first[..], &second].concat());
        assert_eq!(bytes(&log(&[step(0), step(1), step(2), step(3)])), [&first[..], &second].concat());
        // Two spans without a miss, then one attojoule less (the number 1).
        let last = Span { energy: 99, ..step(4) };
        let third = [0b10_0001, 0, 2 * 2 + 1, 2 + 1];
        let spans = [step(0), step(1), step(2), step(3), last];
        assert_eq!(bytes(&log(&spans)), [&first[..], &second, &third].concat());
        assert!(survive(&spans));
    }

    #[test]
    fn numbers_take_a_byte_for_seven_bits() {
        for bits in 0..=u64::BITS {
            let largest = u64::MAX.checked_shr(u64::BITS - bits).unwrap_or(0);
            let mut row = Row { bytes: &mut [0xff; WINDOW], at: 0, header: 0 };
            row.put(largest);
            let length = if bits <= 56 { bits.div_ceil(7).max(1) } else { 9 };
            assert_eq!(u32::from(row.at), length, "{bits} bits");
            let mut reader = Reader { bytes: row.bytes, at: 0, header: 0 };
            assert_eq!(reader.number(), largest);
            assert_eq!(u32::from(reader.at), length, "{bits} bits");
        }
    }

    #[test]
    fn the_longest_row_fits_its_window() {
        // Every difference has 64 bits, or 32 for short fields; the run is as long as any.
        let far = 1 << 63;
        let span = Span {
            start: far,
            duration: far,
            repeats: 1 << 31,
            period: 0,
            component: Component::GlobalBuffer,
            action: Action::WaitDrained,
            layer: NONE - 1,
            image: 1 << 31,
            member: 1 << 31,
            position: 1 << 31,
            unit: 1 << 31,
            units: 1 << 31,
            count: far,
            energy: far,
        };
        let mut log = SpanLog { run: usize::MAX >> 1, ..SpanLog::default() };
        log.push(&span);
        // Header, run, kind, layer, five fields of 64 bits and six of 32.
        assert_eq!(log.bytes(), 2 + 9 + 1 + 5 + 5 * 9 + 6 * 5);
        assert!(log.bytes() + 7 <= WINDOW);
    }

    #[test]
    fn layers_that_share_a_context_survive() {
        let layers = [0, PLACES, NONE, PLACES - 1, 0, PLACES, 2 * PLACES, NONE, NONE - 1];
        let spans = layers.map(|layer| Span { layer, ..SPAN });
        assert!(survive(&spans));
    }

    #[test]
    fn chunks_grow_and_none_is_left_out() {
        let noise = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let spans: Vec<Span> = (0..300_000).map(|i| Span { start: noise(i), energy: noise(i + 1), ..SPAN }).collect();
        assert!(survive(&spans));
        let sizes: Vec<usize> = log(&spans).chunks().map(|chunk| chunk.bytes.len()).collect();
        assert_eq!(sizes[..3], [FIRST_CHUNK, 2 * FIRST_CHUNK, 4 * FIRST_CHUNK]);
        assert_eq!(sizes.last(), Some(&LARGEST_CHUNK));
    }

    #[test]
    fn an_empty_log_takes_nothing() {
        assert!(survive(&[]));
        assert_eq!(SpanLog::default().bytes(), 0);
        assert_eq!(SpanLog::default().iter().next(), None);
    }

    fn kind() -> impl Strategy<Value = (Component, Action)> {
        (prop::sample::select(Component::ALL), prop::sample::select(Action::ALL))
    }

    /// Numbers of every length, and those around which differences wrap.
    fn any_long() -> impl Strategy<Value = u64> {
        prop_oneof![
            (0..u64::BITS, any::<u64>()).prop_map(|(shift, x)| x >> shift),
            Just(u64::MAX),
            Just(1 << 63),
            Just(0)
        ]
    }

    fn any_short() -> impl Strategy<Value = u32> {
        prop_oneof![(0..u32::BITS, any::<u32>()).prop_map(|(shift, x)| x >> shift), Just(NONE), Just(1 << 31), Just(0)]
    }

    prop_compose! {
        fn any_span()(
            (component, action) in kind(),
            [start, duration, period, count, energy] in prop::array::uniform5(any_long()),
            [repeats, layer, image, member, position, unit, units] in prop::array::uniform7(any_short()),
        ) -> Span {
            Span {
                start, duration, repeats, period, component, action, layer, image, member, position, unit, units, count,
                energy,
            }
        }
    }

    prop_compose! {
        /// A few spans that come again and again, moved on in time and from unit to unit, with a change now and then.
        fn any_run()(
            kinds in prop::collection::vec((any_span(), 0_u64..20, 0_u32..3), 1..6),
            order in prop::collection::vec((any::<prop::sample::Index>(), 0..20_u32, any_span()), 0..40),
            turns in 1..6,
        ) -> Vec<Span> {
            let mut now = 0_u64;
            let mut kinds = kinds;
            let mut spans = Vec::new();
            for _ in 0..turns {
                for (which, change, other) in &order {
                    let (span, cycles, units) = which.get(&kinds);
                    let index = kinds.iter().position(|kind| std::ptr::eq(&kind.0, span)).expect("one of them");
                    now += cycles;
                    let unit = span.unit.wrapping_add(*units);
                    let mut next = Span { start: now, unit, ..*span };
                    match change {
                        0 => next.energy = other.energy,
                        1 => next.position = other.position,
                        2 => next.duration = other.duration,
                        3 => next.layer = other.layer,
                        4 => next = *other,
                        _ => {}
                    }
                    kinds[index].0 = next;
                    spans.push(next);
                }
            }
            spans
        }
    }

    proptest! {
        #[test]
        fn any_spans_survive(spans in prop::collection::vec(any_span(), 0..40)) {
            prop_assert!(survive(&spans));
        }

        #[test]
        fn runs_of_spans_survive(spans in any_run()) {
            prop_assert!(survive(&spans));
        }

        #[test]
        fn what_is_left_is_told(spans in any_run(), taken in 0_usize..50) {
            let log = log(&spans);
            let mut iter = log.iter();
            prop_assert!(iter.by_ref().take(taken).eq(spans.iter().copied().take(taken)));
            prop_assert_eq!(iter.len(), spans.len().saturating_sub(taken));
        }
    }
}
