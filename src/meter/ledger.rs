//! Sums of a run's spans by layer, plane, component and action.
//!
//! Everything that a report says about time and energy comes from here. The ledger takes the same spans live and from a
//! trace file; all sums are integers, so neither the order of the spans nor their grain changes them.

use crate::mapping::Plane;
use crate::meter::decimal;
use crate::trace::span::{KINDS, PLANES, kind, of_kind, place};
use crate::trace::{Action, Component, Lap, NONE, Span, SpanSink};
use serde::{Deserialize, Serialize};

/// Components whose work makes a pass of a layer: reads and the conversions that follow them.
const PASS: u32 = 1 << Component::Crossbar as u32 | 1 << Component::Adc as u32 | 1 << Component::Comparator as u32;

/// What a span is booked under in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account {
    /// Index of the layer; none: the chip.
    pub layer: Option<u32>,
    /// Plane of the arrays; none for what belongs to no array.
    pub plane: Option<Plane>,
    /// What the unit is.
    pub component: Component,
    /// What it does.
    pub action: Action,
}

impl Account {
    /// That of a span.
    #[must_use]
    pub fn of(span: &Span) -> Self {
        let layer = (span.layer != NONE).then_some(span.layer);
        Self { layer, plane: span.plane, component: span.component, action: span.action }
    }
}

/// Sums over the spans of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Cycles of all pieces on all units.
    #[serde(with = "decimal")]
    pub unit_cycles: u128,
    /// Attojoules.
    #[serde(with = "decimal")]
    pub energy: u128,
    /// Elementary actions (conversions, bytes, pulses, ...).
    #[serde(with = "decimal")]
    pub count: u128,
    /// Spans, however coarse: the only sum that depends on the grain.
    pub rows: u64,
    /// From the first start to the last end.
    pub window: Interval,
}

impl Entry {
    const EMPTY: Self = Self { unit_cycles: 0, energy: 0, count: 0, rows: 0, window: Interval::EMPTY };

    /// The sums of one span.
    pub(super) fn of(span: &Span) -> Self {
        Self {
            unit_cycles: span.unit_cycles(),
            energy: span.energy.into(),
            count: span.count.into(),
            rows: 1,
            window: Interval { start: span.start, end: span.end() },
        }
    }

    /// The same `times` times more, each time so much later.
    pub(super) fn again(&self, times: u32, cycles: u64) -> Self {
        let sum = |sum: u128| sum * u128::from(times);
        Self {
            unit_cycles: sum(self.unit_cycles),
            energy: sum(self.energy),
            count: sum(self.count),
            rows: self.rows * u64::from(times),
            window: self.window.later(cycles).join(self.window.later(cycles * u64::from(times))),
        }
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.unit_cycles += other.unit_cycles;
        self.energy += other.energy;
        self.count += other.count;
        self.rows += other.rows;
        self.window.widen(other.window);
    }
}

/// Cycles from a first start to a last end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// First cycle.
    pub start: u64,
    /// Cycle after the last one.
    pub end: u64,
}

impl Interval {
    /// Holds nothing, and leaves every window that it is joined with as it is.
    pub const EMPTY: Self = Self { start: u64::MAX, end: 0 };

    /// The smallest window that holds both.
    #[must_use]
    #[inline]
    pub fn join(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// [`Interval::join`] in place. Branches instead of minimum and maximum: a span that changes neither is the common case,
    /// and costs no store.
    #[inline]
    pub(super) fn widen(&mut self, other: Self) {
        if other.start < self.start {
            self.start = other.start;
        }
        if other.end > self.end {
            self.end = other.end;
        }
    }

    /// The same, later.
    fn later(self, cycles: u64) -> Self {
        Self { start: self.start + cycles, end: self.end + cycles }
    }

    /// Cycles; 0 when empty.
    #[must_use]
    pub fn cycles(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether nothing was joined to it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    fn non_empty(self) -> Option<Self> {
        (!self.is_empty()).then_some(self)
    }
}

/// Sums over all spans of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Listing", into = "Listing")]
pub struct Ledger {
    layers: u32,
    images: u32,
    members: u32,
    /// By (layer, plane, component, action); the last layer stands for the chip.
    entries: Vec<Entry>,
    /// By (layer, image, member), each with a last place for "none".
    passes: Vec<Interval>,
    /// Work by image, with a last place for "none".
    image_work: Vec<Interval>,
}

impl Ledger {
    /// An empty ledger for a run of so many layers, images and ensemble members.
    #[must_use]
    pub fn new(layers: u32, images: u32, members: u32) -> Self {
        let [rows, columns, depth] = [layers, images, members].map(|n| n as usize + 1);
        Self {
            layers,
            images,
            members,
            entries: vec![Entry::EMPTY; rows * PLANES * KINDS],
            passes: vec![Interval::EMPTY; rows * columns * depth],
            image_work: vec![Interval::EMPTY; columns],
        }
    }

    /// Layers that it has room for.
    #[must_use]
    pub fn layers(&self) -> u32 {
        self.layers
    }

    /// Images that it has room for.
    #[must_use]
    pub fn images(&self) -> u32 {
        self.images
    }

    /// Ensemble members that it has room for.
    #[must_use]
    pub fn members(&self) -> u32 {
        self.members
    }

    /// The sums of one action over all planes; `layer` [`None`]: of work that belongs to no layer.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    #[must_use]
    pub fn entry(&self, layer: Option<u32>, component: Component, action: Action) -> Entry {
        let row = layer.map_or(self.layers, |layer| {
            assert!(layer < self.layers, "layer {layer} of {}", self.layers);
            layer
        });
        let mut sum = Entry::EMPTY;
        for plane in 0..PLANES {
            sum.join(&self.entries[(row as usize * PLANES + plane) * KINDS + kind(component, action)]);
        }
        sum
    }

    /// Every sum that holds a span, by layer (the chip last), plane, component and action.
    pub fn entries(&self) -> impl Iterator<Item = (Account, &Entry)> {
        self.entries.iter().enumerate().filter(|(_, entry)| entry.rows > 0).map(|(i, entry)| {
            let (row, kind) = (i / KINDS, i % KINDS);
            let layer = (row / PLANES) as u32;
            let layer = (layer < self.layers).then_some(layer);
            let plane = Plane::ALL.get(row % PLANES).copied();
            let (component, action) = of_kind(kind);
            (Account { layer, plane, component, action }, entry)
        })
    }

    /// Place of the sums of an account whose layer there is.
    fn slot(&self, account: &Account) -> usize {
        let row = account.layer.unwrap_or(self.layers) as usize * PLANES + place(account.plane);
        row * KINDS + kind(account.component, account.action)
    }

    /// Passes of a layer, by image and member: from the first crossbar read to the last conversion.
    /// Image and member are [`NONE`] where the spans name none.
    pub fn passes(&self, layer: u32) -> impl Iterator<Item = (u32, u32, Interval)> {
        let (images, members) = (self.images, self.members);
        let depth = members as usize + 1;
        let size = (images as usize + 1) * depth;
        let slice = &self.passes[layer as usize * size..][..size];
        slice.iter().enumerate().filter(|(_, window)| !window.is_empty()).map(move |(i, window)| {
            let (image, member) = ((i / depth) as u32, (i % depth) as u32);
            (if image < images { image } else { NONE }, if member < members { member } else { NONE }, *window)
        })
    }

    /// From the first to the last work for an image.
    #[must_use]
    pub fn image(&self, image: u32) -> Option<Interval> {
        self.image_work[..self.images as usize].get(image as usize).and_then(|window| window.non_empty())
    }

    /// The cycle after the last work of the run. Waiting does not count.
    #[must_use]
    pub fn makespan(&self) -> u64 {
        self.image_work.iter().map(|window| window.end).max().unwrap_or(0)
    }

    /// Spans taken, however coarse.
    #[must_use]
    pub fn spans(&self) -> u64 {
        self.entries.iter().map(|entry| entry.rows).sum()
    }
}

impl Ledger {
    /// Adds the sums of spans that are all of one account, for this image and member.
    pub(super) fn add(&mut self, account: &Account, (image, member): (u32, u32), sums: &Entry) {
        let known = |index: u32, size: u32| index < size || index == NONE;
        debug_assert!(account.layer.is_none_or(|layer| layer < self.layers), "{account:?} of {} layers", self.layers);
        debug_assert!(known(image, self.images), "image {image} of {}", self.images);
        debug_assert!(known(member, self.members), "member {member} of {}", self.members);
        let layer = account.layer.unwrap_or(self.layers) as usize;
        // NONE is the largest index, so the minimum sends it to the last place.
        let image = image.min(self.images) as usize;
        let member = member.min(self.members) as usize;
        let slot = self.slot(account);
        self.entries[slot].join(sums);
        if account.action.is_wait() {
            return;
        }
        self.image_work[image].widen(sums.window);
        if PASS >> account.component as u32 & 1 == 1 {
            let pass = (layer * (self.images as usize + 1) + image) * (self.members as usize + 1) + member;
            self.passes[pass].widen(sums.window);
        }
    }
}

impl Ledger {
    /// Adds sums as [`Ledger::add`] took them that come `times` times more.
    pub(super) fn add_again(
        &mut self,
        account: &Account,
        (image, member): (u32, u32),
        sums: &Entry,
        times: u32,
        lap: Lap,
    ) {
        let again = sums.again(times, lap.cycles);
        if account.action.is_wait() || (lap.images, lap.members) == (0, 0) {
            self.add(account, (image, member), &again);
            return;
        }
        let slot = self.slot(account);
        self.entries[slot].join(&again);
        // What belongs to no image or member does not move.
        let moved = |at: u32, by: u32| if at == NONE { NONE } else { at + by };
        for time in 1..=times {
            let pass = (moved(image, lap.images * time), moved(member, lap.members * time));
            let window = sums.window.later(lap.cycles * u64::from(time));
            self.add(account, pass, &Entry { window, ..Entry::EMPTY });
        }
    }
}

impl SpanSink for Ledger {
    fn push(&mut self, span: &Span) {
        self.add(&Account::of(span), (span.image, span.member), &Entry::of(span));
    }
}

/// A ledger as it is stored: what holds spans, by name.
#[derive(Serialize, Deserialize)]
struct Listing {
    layers: u32,
    images: u32,
    members: u32,
    entries: Vec<(Account, Entry)>,
    passes: Vec<(usize, Interval)>,
    image_work: Vec<Interval>,
}

impl From<Ledger> for Listing {
    fn from(ledger: Ledger) -> Self {
        Self {
            layers: ledger.layers,
            images: ledger.images,
            members: ledger.members,
            entries: ledger.entries().map(|(account, entry)| (account, *entry)).collect(),
            passes: ledger.passes.iter().copied().enumerate().filter(|(_, window)| !window.is_empty()).collect(),
            image_work: ledger.image_work,
        }
    }
}

impl TryFrom<Listing> for Ledger {
    type Error = String;

    fn try_from(listing: Listing) -> Result<Self, String> {
        let mut ledger = Self::new(listing.layers, listing.images, listing.members);
        let outside = || "the ledger names a layer, image or member that it has no room for".to_owned();
        if listing.image_work.len() != ledger.image_work.len() {
            return Err(outside());
        }
        ledger.image_work = listing.image_work;
        for (account, entry) in listing.entries {
            if account.layer.is_some_and(|layer| layer >= listing.layers) {
                return Err(outside());
            }
            let slot = ledger.slot(&account);
            ledger.entries[slot] = entry;
        }
        for (place, window) in listing.passes {
            *ledger.passes.get_mut(place).ok_or_else(outside)? = window;
        }
        Ok(ledger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 arrays read for 3 cycles, 4 times, a new read every 5 cycles from cycle 10 on: 24 unit-cycles, over at 28.
    const READ: Span = Span {
        start: 10,
        duration: 3,
        repeats: 4,
        period: 5,
        component: Component::Crossbar,
        action: Action::Read,
        plane: Some(Plane::Stochastic),
        layer: 1,
        group: 0,
        stage: 0,
        image: 0,
        member: 2,
        position: 0,
        unit: 0,
        units: 2,
        count: 8,
        energy: 100,
    };

    fn ledger(spans: impl IntoIterator<Item = Span>) -> Ledger {
        let mut ledger = Ledger::new(2, 2, 3);
        spans.into_iter().for_each(|span| ledger.push(&span));
        ledger
    }

    #[test]
    fn sums_are_those_done_by_hand() {
        let convert = Span { component: Component::Adc, action: Action::Convert, start: 13, ..READ };
        let wait = Span { component: Component::Crossbar, action: Action::WaitPort, start: 90, energy: 0, ..READ };
        let transfer = Span {
            component: Component::Link,
            action: Action::Transfer,
            layer: NONE,
            image: 1,
            member: NONE,
            start: 40,
            repeats: 1,
            ..READ
        };
        let ledger = ledger([READ, READ, convert, wait, transfer]);
        assert_eq!(
            ledger.entry(Some(1), Component::Crossbar, Action::Read),
            Entry { unit_cycles: 48, energy: 200, count: 16, rows: 2, window: Interval { start: 10, end: 28 } }
        );
        assert_eq!(ledger.entry(None, Component::Link, Action::Transfer).unit_cycles, 6);
        // The wait ends at 108, but waiting is no work.
        assert_eq!(ledger.makespan(), 43);
        assert_eq!(ledger.image(0), Some(Interval { start: 10, end: 31 }));
        assert_eq!(ledger.image(1), Some(Interval { start: 40, end: 43 }));
        assert_eq!(ledger.passes(1).collect::<Vec<_>>(), [(0, 2, Interval { start: 10, end: 31 })]);
        assert_eq!(ledger.passes(0).count(), 0);
        assert_eq!(ledger.spans(), 5);
    }

    #[test]
    fn none_has_a_place_of_its_own() {
        let ledger = ledger([Span { image: NONE, member: NONE, ..READ }]);
        assert_eq!(ledger.passes(1).collect::<Vec<_>>(), [(NONE, NONE, Interval { start: 10, end: 28 })]);
        assert_eq!(ledger.image(0), None);
        assert_eq!(ledger.makespan(), 28);
    }

    #[test]
    fn an_empty_run_has_no_cycles() {
        assert_eq!(ledger([]).makespan(), 0);
        assert_eq!(ledger([]).entries().count(), 0);
    }

    #[test]
    fn a_stored_ledger_is_the_same() {
        let ledger = ledger([READ, Span { layer: NONE, start: u64::MAX / 2, ..READ }]);
        let text = serde_json::to_string(&ledger).unwrap();
        assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
        let broken = text.replace("\"layers\":2", "\"layers\":0");
        assert!(serde_json::from_str::<Ledger>(&broken).unwrap_err().to_string().starts_with("the ledger names"));
    }
}
