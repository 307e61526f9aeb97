//! What a part may do: book work, book waiting, schedule events, use ports.

use super::network::{Departure, Network};
use super::recur::Visitor;
use super::shared::SharedArrays;
use super::token::Token;
use super::turn::Turn;
use crate::kernel::{Cycle, Event, EventQueue, PartId, PortId, Ports};
use crate::mapping::{LayerMapping, Plane};
use crate::trace::span::{account, account_of_link};
use crate::trace::{Action, Component, Moved, NONE, Span, SpanSink};
use std::ops::Range;

/// Where spans of a part are booked: what it is and its place in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// What the unit is.
    pub component: Component,
    /// Layer, or [`NONE`].
    pub layer: u32,
    /// Plane of its arrays; none for what belongs to no array.
    pub plane: Option<Plane>,
    /// Number of its account for the first action, computed once because each span needs it.
    account: usize,
}

impl Site {
    /// A unit of a layer, or of the chip ([`NONE`]), and of a plane if it belongs to arrays.
    #[must_use]
    pub const fn new(component: Component, layer: u32, plane: Option<Plane>) -> Self {
        Self { component, layer, plane, account: account(layer, plane, component) }
    }

    /// The same at the far end of the link into a layer.
    #[must_use]
    pub const fn of_link(self, into: u32) -> Self {
        Self { account: account_of_link(into, self.component), ..self }
    }
}

/// Units side by side that do the same at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// Number of the first one (array, link, tile), or [`NONE`].
    pub first: u32,
    /// How many there are.
    pub number: u32,
    /// Array group of the layer that they belong to, or [`NONE`].
    pub group: u32,
}

impl Units {
    /// Some that belong to no group of arrays.
    #[must_use]
    #[inline]
    pub fn new(first: u32, number: u32) -> Self {
        Self { first, number, group: NONE }
    }

    /// A single one that belongs to no group of arrays.
    #[must_use]
    #[inline]
    pub fn one(number: u32) -> Self {
        Self::new(number, 1)
    }

    /// The tiles of a layer.
    #[must_use]
    pub fn tiles(layer: &LayerMapping) -> Self {
        Self::new(layer.tiles.start, layer.tiles.len() as u32)
    }

    /// `copies` times as many units.
    #[must_use]
    #[inline]
    pub fn times(self, copies: u32) -> Self {
        // The plan refuses layers with more units than 32 bits can count.
        Self { number: self.number.checked_mul(copies).expect("units are counted with 32 bits"), ..self }
    }
}

/// An action of a part at a site: what it is, how long one takes and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Where it is booked.
    pub site: Site,
    /// What is done.
    pub action: Action,
    /// Cycles of one piece.
    pub duration: Cycle,
    /// Attojoules of one elementary action. 0 where the energy depends on data, see [`Context::work_with_energy`].
    pub energy: u64,
}

impl Job {
    /// Attojoules of elementary actions.
    ///
    /// # Panics
    /// Panics if they exceed 64 bits (18 J in one booking).
    #[inline(always)]
    #[must_use]
    pub fn energy_of(&self, count: u64) -> u64 {
        count.checked_mul(self.energy).unwrap_or_else(|| energy_overflow(self, count))
    }

    /// The same on the arrays of a plane.
    #[must_use]
    pub fn in_plane(self, plane: Plane) -> Self {
        Self { site: Site::new(self.site.component, self.site.layer, Some(plane)), ..self }
    }
}

/// The energy of one booking does not fit 64 bits.
#[cold]
#[inline(never)]
fn energy_overflow(job: &Job, count: u64) -> ! {
    panic!(
        "{} {} actions ({}) at {} aJ each are more than the {} aJ that one booking can hold",
        count,
        job.site.component.name(),
        job.action.name(),
        job.energy,
        u64::MAX
    )
}

/// How often, and on how many units, a job is done.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// Units that do it.
    pub units: Units,
    /// Pieces one after another.
    pub repeats: u32,
    /// Cycles from one piece to the next.
    pub period: Cycle,
    /// Elementary actions in all.
    pub count: u64,
}

impl Amount {
    /// One piece on each of `units`.
    #[must_use]
    #[inline]
    pub fn once(units: Units, count: u64) -> Self {
        Self { units, repeats: 1, period: 0, count }
    }
}

/// Starts and repeats of the rows for `repeats` pieces: one row each in `detail`, else one for all.
#[inline]
pub(super) fn rows(start: Cycle, repeats: u32, period: Cycle, detail: bool) -> impl Iterator<Item = (Cycle, u32)> {
    let (rows, each) = if detail { (repeats, 1) } else { (repeats.min(1), repeats) };
    (0..rows).map(move |row| (start + u64::from(row) * period, each))
}

/// State that parts share.
#[derive(Debug)]
pub struct Shared<K> {
    /// Ports between parts.
    pub ports: Ports<Token>,
    /// Takes the spans.
    pub sink: K,
    /// Links between tiles.
    pub network: Network,
    /// Messages that ask to leave in this cycle.
    pub departures: Vec<Departure>,
    /// Arrays that blocks of several layers share.
    pub arrays: SharedArrays,
    /// Whose turn it is in a sequential schedule.
    pub turn: Option<Turn>,
    /// For each part the last interval in which its output was refused.
    pub refused: Vec<(Cycle, Cycle)>,
    /// Answers that have reached the sink.
    pub answers: u64,
    /// For each layer the position from which on its state is looked at, and the layers whose state is to be looked at.
    pub look_at: Vec<u32>,
    pub due: Vec<u32>,
    /// Cycles in which arrays book each read and each conversion in a row of its own; may be empty.
    pub window: Range<Cycle>,
}

impl<K> Shared<K> {
    /// Shows what decides how a run goes on.
    pub(super) fn visit(&mut self, visitor: &mut dyn Visitor) {
        self.ports.visit(|credits, tokens| {
            credits.into_iter().for_each(|value| visitor.same(value));
            let mut number = 0;
            for token in tokens {
                visitor.token(token);
                number += 1;
            }
            visitor.same(number);
        });
        self.network.visit(visitor);
        self.arrays.visit(visitor);
        if let Some(turn) = &mut self.turn {
            turn.visit(visitor);
        }
        for (from, until) in &mut self.refused {
            visitor.time(from);
            visitor.time(until);
        }
        visitor.sum(&mut self.answers);
    }
}

/// A part's view of the simulation while it handles an event.
#[derive(Debug)]
pub struct Context<'a, S, K> {
    /// The cycle.
    pub now: Cycle,
    /// The part that handles the event.
    pub me: PartId,
    /// The event queue.
    pub queue: &'a mut S,
    /// What parts share.
    pub shared: &'a mut Shared<K>,
}

impl<S: EventQueue, K: SpanSink> Context<'_, S, K> {
    /// Whether something from `start` up to `end` is to be booked in detail.
    #[inline]
    #[must_use]
    pub fn in_window(&self, start: Cycle, end: Cycle) -> bool {
        start < self.shared.window.end && end > self.shared.window.start
    }

    /// Books work: busy cycles, energy and trace row together. The energy is the job's for each elementary action.
    ///
    /// # Panics
    /// As [`Job::energy_of`].
    #[inline(always)]
    pub fn work(&mut self, job: &Job, start: Cycle, token: Token, amount: Amount) {
        self.work_with_energy(job, start, token, amount, job.energy_of(amount.count));
    }

    /// Books work whose energy in attojoules depends on data: reads and wordline pulses, which cost what the driven rows
    /// come to.
    #[inline(always)]
    pub fn work_with_energy(&mut self, job: &Job, start: Cycle, token: Token, amount: Amount, energy: u64) {
        // What takes neither time nor energy leaves no row, nor do units that have nothing to do.
        if amount.units.number == 0 || (energy == 0 && job.duration == 0) {
            return;
        }
        self.book(&job.site, job.action, start, job.duration, &token, &amount, energy);
    }

    /// Books a gap of a token or unit from `since` to now, with its reason.
    #[inline]
    pub fn wait(&mut self, reason: Action, site: Site, since: Cycle, token: Token, units: Units) {
        self.wait_between(reason, site, since, self.now, token, units);
    }

    /// Books a gap from `since` to `until`.
    #[inline]
    pub fn wait_between(&mut self, reason: Action, site: Site, since: Cycle, until: Cycle, token: Token, units: Units) {
        if until > since {
            self.wait_repeated(reason, site, since, until - since, token, Amount::once(units, 1), 0);
        }
    }

    /// Books equal gaps that come back with a period, in which cells draw `energy` attojoules in all.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "the columns of a row")]
    pub fn wait_repeated(
        &mut self,
        reason: Action,
        site: Site,
        start: Cycle,
        duration: Cycle,
        token: Token,
        amount: Amount,
        energy: u64,
    ) {
        if duration > 0 && amount.repeats > 0 && amount.units.number > 0 {
            let count = u64::from(amount.repeats) * u64::from(amount.units.number);
            self.book(&site, reason, start, duration, &token, &Amount { count, ..amount }, energy);
        }
    }

    /// Inlined, so that what a caller knows of the span is not computed again.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the columns of a row")]
    fn book(
        &mut self,
        site: &Site,
        action: Action,
        start: Cycle,
        duration: Cycle,
        token: &Token,
        amount: &Amount,
        energy: u64,
    ) {
        let span = Span {
            start,
            duration,
            repeats: amount.repeats,
            period: if amount.repeats == 1 { duration } else { amount.period },
            component: site.component,
            action,
            plane: site.plane,
            layer: site.layer,
            group: amount.units.group,
            stage: self.me,
            image: token.image,
            member: token.member,
            position: token.position,
            unit: amount.units.first,
            units: amount.units.number,
            count: amount.count,
            energy,
        };
        self.shared.sink.push_to(site.account + action as usize, &span);
    }

    /// Schedules an event for this part.
    #[inline]
    pub fn schedule(&mut self, at: Cycle, tag: impl Into<u32>) {
        self.queue.push(at, Event { part: self.me, tag: tag.into() });
    }

    /// Sends another part an event in this cycle.
    #[inline]
    pub fn notify(&mut self, event: Event) {
        self.queue.push_now(event);
    }

    /// Sends a token if the port has room; else this part is notified (tag `CREDIT`) when it has.
    #[inline]
    pub fn send(&mut self, port: PortId, token: &Token, credits: u32) -> bool {
        let sent = self.shared.ports.send(port, token, credits, self.queue);
        if sent {
            self.tell(port, false, token);
        }
        sent
    }

    /// Puts a token whose credits were reserved into a port.
    #[inline]
    pub fn deliver(&mut self, port: PortId, token: &Token) {
        self.shared.ports.deliver(port, token, self.queue);
        self.tell(port, false, token);
    }

    /// Takes the token at the head of a port; its credits stay taken.
    #[inline]
    pub fn take(&mut self, port: PortId) -> Option<Token> {
        let token = self.shared.ports.take(port);
        if let Some(token) = &token {
            self.tell(port, true, token);
        }
        token
    }

    /// The same into a place that has a token already. Tells whether there was one.
    #[inline]
    pub fn take_into(&mut self, port: PortId, into: &mut Token) -> bool {
        let taken = self.shared.ports.take_into(port, into);
        if taken {
            self.tell(port, true, into);
        }
        taken
    }

    /// Tells a sink that follows tokens that one has moved.
    #[inline(always)]
    fn tell(&mut self, port: PortId, taken: bool, token: &Token) {
        if !K::FOLLOWS {
            return;
        }
        let Token { image, member, position, lanes, reads } = *token;
        let pulses = reads.pulses() + reads.left();
        self.shared.sink.moved(&Moved { port, taken, at: self.now, image, member, position, lanes, pulses });
    }

    /// Gives credits of a port back.
    #[inline]
    pub fn release(&mut self, port: PortId, credits: u32) {
        self.shared.ports.release(port, credits, self.queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Interconnect;
    use crate::kernel::Ring;
    use crate::parts::network::Topology;

    struct Spans(Vec<Span>);

    impl SpanSink for Spans {
        fn push(&mut self, span: &Span) {
            self.0.push(*span);
        }
    }

    /// What `count` actions of 3 aJ are booked with.
    fn booked(count: u64) -> u64 {
        let bus = Interconnect::Bus { bytes_per_cycle: 1 };
        let mut shared = Shared {
            ports: Ports::default(),
            sink: Spans(Vec::new()),
            network: Network::new(&bus, Topology::new(&bus, 1), 1),
            departures: Vec::new(),
            arrays: SharedArrays::default(),
            turn: None,
            refused: Vec::new(),
            answers: 0,
            look_at: Vec::new(),
            due: Vec::new(),
            window: 0..0,
        };
        let site = Site::new(Component::Adc, 0, None);
        let job = Job { site, action: Action::Convert, duration: 1, energy: 3 };
        let cx = &mut Context { now: 0, me: 0, queue: &mut Ring::default(), shared: &mut shared };
        cx.work(&job, 0, Token::NONE, Amount::once(Units::one(0), count));
        shared.sink.0[0].energy
    }

    #[test]
    fn work_costs_what_its_actions_cost() {
        assert_eq!(booked(7), 21);
        assert_eq!(booked(u64::MAX / 3), u64::MAX / 3 * 3);
    }

    #[test]
    #[should_panic(expected = "6148914691236517206 adc actions (convert) at 3 aJ each are more than")]
    fn energies_do_not_wrap() {
        booked(u64::MAX / 3 + 1);
    }
}
