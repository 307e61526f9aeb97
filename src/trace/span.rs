//! One row of the trace: work or waiting of one unit, with its energy.

use crate::mapping::Plane;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a unit is: the `component` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Component {
    /// Wordline drivers; a unit is all drivers of an array.
    Driver,
    /// Crossbar arrays.
    Crossbar,
    /// Sample-and-hold circuits, one for each input of a converter.
    SampleHold,
    /// Converters with their multiplexers.
    Adc,
    /// Comparators of row-serial planes.
    Comparator,
    /// Random generators with latches; a unit is that of an array.
    Generator,
    /// Shift-and-add units, adder trees, accumulators behind comparators.
    Accumulator,
    /// Lanes of post-processing and pooling.
    Digital,
    /// Input and output buffers of the tiles.
    Buffer,
    /// Links of the interconnect.
    Link,
    /// Buffer that images come from and answers go to.
    GlobalBuffer,
}

/// What it does: the `action` column. `Wait*` actions book gaps, every other one books work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Action {
    /// Wordline pulses of a read.
    Drive,
    /// Crossbar read.
    Read,
    /// Sample taken.
    Sample,
    /// Analogue-to-digital conversion.
    Convert,
    /// Comparison of the row-serial sampler.
    Compare,
    /// Random draw of weights.
    Draw,
    /// Shift-and-add.
    ShiftAdd,
    /// Adder tree over row blocks, or accumulation behind a comparator.
    Accumulate,
    /// Batch norm, activation, quantisation.
    PostProcess,
    /// Max-pooling.
    Pool,
    /// Window read from a buffer.
    Fetch,
    /// Output position written to a buffer.
    Write,
    /// Message over the interconnect.
    Transfer,
    /// Input codes gathered by the indices of a packed array.
    Gather,
    /// No input window yet.
    WaitOperand,
    /// The unit that must come next is busy.
    WaitResource,
    /// The port after it is full.
    WaitPort,
    /// A link on the route carries another message.
    WaitLink,
    /// The weight sample is not drawn yet.
    WaitRandom,
    /// All work of the run is done.
    WaitDrained,
}

/// No layer, group, image, member, position or unit.
pub const NONE: u32 = u32::MAX;

/// One row of the trace.
///
/// A row stands for `repeats` equal pieces: piece i occupies `duration` cycles from `start + i * period`, on each of
/// `units` units. So a coarse grain holds the same busy cycles and the same energy as a fine one in fewer rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First cycle.
    pub start: u64,
    /// Cycles of one piece; may be 0.
    pub duration: u64,
    /// Pieces, at least 1.
    pub repeats: u32,
    /// Cycles from one piece's start to the next one's; `duration` where pieces follow each other.
    pub period: u64,
    /// What the unit is.
    pub component: Component,
    /// What it does, or waits for.
    pub action: Action,
    /// Plane of the array that does it; none for what belongs to no array.
    pub plane: Option<Plane>,
    /// Index of the layer in the workload, or [`NONE`].
    pub layer: u32,
    /// Index of the array group in the layer, or [`NONE`] for what belongs to no group.
    pub group: u32,
    /// Index of the dataflow's stage that booked it.
    pub stage: u32,
    /// Image in the run, or [`NONE`].
    pub image: u32,
    /// Ensemble member, or [`NONE`].
    pub member: u32,
    /// First output position that it works for, or [`NONE`].
    pub position: u32,
    /// Number on the chip of the first unit that it stands for: an array; a tile for buffers and post-processing; a link
    /// for transfers. [`NONE`] where units have no number of their own.
    pub unit: u32,
    /// Units (arrays, tiles, links) that do the same at the same time.
    pub units: u32,
    /// Elementary actions in all pieces on all units together (conversions, bytes, pulses, ...).
    pub count: u64,
    /// Energy of all pieces on all units together, attojoules.
    pub energy: u64,
}

/// Number of pairs of a component and an action.
pub(crate) const KINDS: usize = Component::ALL.len() * Action::ALL.len();

/// Place of an action of a component among all pairs.
#[inline]
pub(crate) fn kind(component: Component, action: Action) -> usize {
    component as usize * Action::ALL.len() + action as usize
}

/// Number of planes that sums are kept apart by, with a last one for what belongs to no array.
pub(crate) const PLANES: usize = 1 + Plane::ALL.len();

/// Place of a plane among them.
#[inline]
pub(crate) const fn place(plane: Option<Plane>) -> usize {
    match plane {
        Some(plane) => plane as usize,
        None => Plane::ALL.len(),
    }
}

/// Number of a component of a layer, or of the chip ([`NONE`], which comes first), and plane: the first of
/// [`Action::ALL`]`.len()` numbers, one for each action.
#[inline]
pub(crate) const fn account(layer: u32, plane: Option<Plane>, component: Component) -> usize {
    (layer.wrapping_add(1) as usize * PLANES + place(plane)) * KINDS + component as usize * Action::ALL.len()
}

/// The same for what the link into a layer does at the layer's buffer and on the links of the interconnect, which is kept apart
/// because it follows the layer before: numbers that no span has, since neither belongs to arrays.
#[inline]
pub(crate) const fn account_of_link(layer: u32, component: Component) -> usize {
    account(layer, Some(Plane::Stochastic), component)
}

/// Layer and plane to which the spans of a component belong that have the number of a layer and a plane.
pub(crate) fn booked_at(
    layer: Option<u32>,
    plane: Option<Plane>,
    component: Component,
) -> (Option<u32>, Option<Plane>) {
    match component {
        Component::Buffer => (layer, None),
        Component::Link if plane.is_some() => (None, None),
        _ => (layer, plane),
    }
}

/// The component and action of a place.
pub(crate) fn of_kind(kind: usize) -> (Component, Action) {
    (Component::ALL[kind / Action::ALL.len()], Action::ALL[kind % Action::ALL.len()])
}

impl Component {
    /// All of them, in the order of their codes.
    pub const ALL: &'static [Component] = &[
        Component::Driver,
        Component::Crossbar,
        Component::SampleHold,
        Component::Adc,
        Component::Comparator,
        Component::Generator,
        Component::Accumulator,
        Component::Digital,
        Component::Buffer,
        Component::Link,
        Component::GlobalBuffer,
    ];

    /// Name in traces, reports and configuration keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Component::Driver => "driver",
            Component::Crossbar => "crossbar",
            Component::SampleHold => "sample_hold",
            Component::Adc => "adc",
            Component::Comparator => "comparator",
            Component::Generator => "generator",
            Component::Accumulator => "accumulator",
            Component::Digital => "digital",
            Component::Buffer => "buffer",
            Component::Link => "link",
            Component::GlobalBuffer => "global_buffer",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|x| x.name() == name)
    }

    /// What several units are called in text.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Component::Driver => "wordline drivers",
            Component::Crossbar => "arrays",
            Component::SampleHold => "sample-and-hold circuits",
            Component::Adc => "converters",
            Component::Comparator => "comparators",
            Component::Generator => "generators",
            Component::Accumulator => "accumulators",
            Component::Digital => "post-processing lanes",
            Component::Buffer => "buffer ports",
            Component::Link => "links",
            Component::GlobalBuffer => "global buffer ports",
        }
    }

    /// Whether work and waits of a unit add up to the run. Drivers work while their array reads, samples take no time, and
    /// accumulators are pipelines.
    #[must_use]
    pub const fn books_every_cycle(self) -> bool {
        match self {
            Component::Driver | Component::SampleHold | Component::Accumulator => false,
            Component::Crossbar
            | Component::Adc
            | Component::Comparator
            | Component::Generator
            | Component::Digital
            | Component::Buffer
            | Component::Link
            | Component::GlobalBuffer => true,
        }
    }
}

impl Action {
    /// All of them, in the order of their codes.
    pub const ALL: &'static [Action] = &[
        Action::Drive,
        Action::Read,
        Action::Sample,
        Action::Convert,
        Action::Compare,
        Action::Draw,
        Action::ShiftAdd,
        Action::Accumulate,
        Action::PostProcess,
        Action::Pool,
        Action::Fetch,
        Action::Write,
        Action::Transfer,
        Action::Gather,
        Action::WaitOperand,
        Action::WaitResource,
        Action::WaitPort,
        Action::WaitLink,
        Action::WaitRandom,
        Action::WaitDrained,
    ];

    /// Name in traces, reports and configuration keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Action::Drive => "drive",
            Action::Read => "read",
            Action::Sample => "sample",
            Action::Convert => "convert",
            Action::Compare => "compare",
            Action::Draw => "draw",
            Action::ShiftAdd => "shift_add",
            Action::Accumulate => "accumulate",
            Action::PostProcess => "post_process",
            Action::Pool => "pool",
            Action::Fetch => "fetch",
            Action::Write => "write",
            Action::Transfer => "transfer",
            Action::Gather => "gather",
            Action::WaitOperand => "wait_operand",
            Action::WaitResource => "wait_resource",
            Action::WaitPort => "wait_port",
            Action::WaitLink => "wait_link",
            Action::WaitRandom => "wait_random",
            Action::WaitDrained => "wait_drained",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|x| x.name() == name)
    }

    /// What a gap is called in text; none for work.
    #[must_use]
    pub const fn waiting(self) -> Option<&'static str> {
        match self {
            Action::WaitOperand => Some("waiting for input"),
            Action::WaitResource => Some("waiting for the next unit"),
            Action::WaitPort => Some("waiting for room"),
            Action::WaitLink => Some("waiting for a link"),
            Action::WaitRandom => Some("waiting for random bits"),
            Action::WaitDrained => Some("drained"),
            _ => None,
        }
    }

    /// Whether it books a gap instead of work.
    #[must_use]
    #[inline]
    pub const fn is_wait(self) -> bool {
        self as u8 >= Action::WaitOperand as u8
    }
}

impl Span {
    /// Number of its layer, plane, component and action among those of all layers.
    #[must_use]
    #[inline]
    pub fn account(&self) -> usize {
        account(self.layer, self.plane, self.component) + self.action as usize
    }

    /// Whether it may be booked under that number: its own, or that of a link.
    #[must_use]
    pub(crate) fn is_of(&self, account: usize) -> bool {
        let of_link = || {
            let (row, (component, action)) = (account / KINDS, of_kind(account % KINDS));
            let layer = (row / PLANES).checked_sub(1).map(|layer| layer as u32);
            let (layer, plane) = booked_at(layer, Plane::ALL.get(row % PLANES).copied(), component);
            (layer.unwrap_or(NONE), plane, component, action) == (self.layer, self.plane, self.component, self.action)
        };
        account == self.account() || of_link()
    }

    /// Busy (or waiting) unit-cycles of the row: `duration * repeats * units`.
    #[must_use]
    #[inline]
    pub fn unit_cycles(&self) -> u128 {
        // The inner product fits 64 bits, so one widening multiplication is enough.
        u128::from(self.duration) * u128::from(u64::from(self.repeats) * u64::from(self.units))
    }

    /// The cycle after the last piece.
    #[must_use]
    #[inline]
    pub fn end(&self) -> u64 {
        self.start + u64::from(self.repeats - 1) * self.period + self.duration
    }

    /// The row's pieces as rows of their own (`repeats` 1), in order of time. Their busy cycles, counts and energies add
    /// up to the row's; what does not divide by `repeats` goes to the first pieces, one each.
    pub fn pieces(&self) -> impl ExactSizeIterator<Item = Span> + use<> {
        let whole = *self;
        let share = move |total: u64, piece: u32| {
            let repeats = u64::from(whole.repeats);
            total / repeats + u64::from(u64::from(piece) < total % repeats)
        };
        (0..whole.repeats).map(move |piece| Span {
            start: whole.start + u64::from(piece) * whole.period,
            repeats: 1,
            period: whole.duration,
            count: share(whole.count, piece),
            energy: share(whole.energy, piece),
            ..whole
        })
    }
}

/// What a period of a run that repeats itself moves: its cycles, and images or members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lap {
    /// Cycles.
    pub cycles: u64,
    /// Images; 0: members of an image follow each other.
    pub images: u32,
    /// Members.
    pub members: u32,
}

/// What books for a layer: its own parts, and the link that carries its output.
#[derive(Debug, Clone, Copy)]
pub struct OfLayer {
    /// The layer.
    pub layer: u32,
    /// The one that reads its output.
    pub consumer: u32,
}

/// A piece of work that has entered a port, or has been taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Index of the port.
    pub port: u32,
    /// Whether the receiver has taken it; else the sender has sent it.
    pub taken: bool,
    /// Cycle.
    pub at: u64,
    /// Image in the run.
    pub image: u32,
    /// Ensemble member; 0 in layers that run once an image.
    pub member: u32,
    /// First position, or pixel.
    pub position: u32,
    /// Number of neighbouring positions, or pixels.
    pub lanes: u32,
    /// Reads of the position from this sample on; 0 outside arrays.
    pub pulses: u32,
}

/// Receives the spans of a run, one after another, in the order in which they were booked.
pub trait SpanSink {
    /// Takes one span. By reference: a sink that keeps nothing copies nothing.
    fn push(&mut self, span: &Span);

    /// Whether it follows the pieces of work that move between stages. Known when the program is built, so that a run whose
    /// sink does not follow them takes no instruction for it.
    const FOLLOWS: bool = false;

    /// Called for each piece of work that moves between two stages, if the sink follows them.
    #[inline(always)]
    fn moved(&mut self, _moved: &Moved) {}

    /// The same, from those who have the number of the span's account at hand, see [`Span::account`].
    #[inline(always)]
    fn push_to(&mut self, account: usize, span: &Span) {
        debug_assert!(span.is_of(account));
        self.push(span);
    }

    /// Whether it can book periods that repeat themselves without seeing their spans.
    fn repeats(&self) -> bool {
        false
    }

    /// A period may begin here, if it can repeat them. The last `most` of these marks count.
    fn mark(&mut self, _most: usize) {}

    /// What has come since the mark `marks` before the last one comes `times` times more.
    fn repeat(&mut self, _marks: usize, _times: u32, _lap: Lap) {}

    /// A period of a layer may begin here, if it can repeat them: its mark of this number. Of those before, the ones from
    /// `oldest` on count.
    fn mark_layer(&mut self, _layer: OfLayer, _mark: u32, _oldest: u32) {}

    /// What the layer has booked since a mark comes `times` times more, each time `cycles` later.
    fn repeat_layer(&mut self, _layer: u32, _mark: u32, _times: u32, _cycles: u64) {}

    /// The marks of a layer count no more.
    fn forget_layer(&mut self, _layer: u32) {}

    /// Time for which those who gave it spans had to wait for it so far, because it is slower than they are.
    fn waited(&self) -> Duration {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_uses_the_names_of_the_trace() {
        for component in Component::ALL {
            assert_eq!(serde_json::to_value(component).unwrap(), component.name());
            assert_eq!(Component::from_name(component.name()), Some(*component));
        }
        for action in Action::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
            assert_eq!(Action::from_name(action.name()), Some(*action));
        }
    }

    #[test]
    fn codes_are_places_in_all() {
        assert!(Component::ALL.iter().enumerate().all(|(i, c)| *c as usize == i));
        assert!(Action::ALL.iter().enumerate().all(|(i, a)| *a as usize == i));
    }

    #[test]
    fn pieces_add_up() {
        // 3 pieces of 2 cycles, 5 apart, on 4 units: 24 unit-cycles, [10, 12) [15, 17) [20, 22).
        let row = Span {
            start: 10,
            duration: 2,
            repeats: 3,
            period: 5,
            component: Component::Crossbar,
            action: Action::Read,
            plane: Some(Plane::Stochastic),
            layer: 0,
            group: 0,
            stage: 0,
            image: 0,
            member: NONE,
            position: 7,
            unit: 0,
            units: 4,
            count: 11,
            energy: 100,
        };
        let pieces: Vec<Span> = row.pieces().collect();
        assert_eq!(pieces.iter().map(|p| (p.start, p.end())).collect::<Vec<_>>(), [(10, 12), (15, 17), (20, 22)]);
        assert_eq!(pieces.iter().map(|p| p.count).collect::<Vec<_>>(), [4, 4, 3]);
        assert_eq!(pieces.iter().map(|p| p.energy).collect::<Vec<_>>(), [34, 33, 33]);
        assert_eq!(pieces.iter().map(Span::unit_cycles).sum::<u128>(), 24);
        assert_eq!(row.unit_cycles(), 24);
        assert_eq!(row.end(), 22);
    }
}
