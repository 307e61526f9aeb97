//! Exact fast-forward: a run whose state comes back goes on as it did before.
//!
//! What a part does next depends on its state alone: on times only by how far from now they are, on images and members only by
//! whether they are the first or the last. So when an answer leaves the chip and the state is that of an earlier answer, but for
//! times that are all later by the same number of cycles and passes that are all later by the same number of images (or of
//! members of an image), then what has happened in between happens again, as long as no part comes to the first or the last image
//! or member. These periods are skipped: their sums are booked as often as they would come, and the state is moved.
//!
//! A time that has not changed and lies in the past is as good as moved: the part has not used it. A pass that has not changed
//! belongs to a layer that has had nothing to do, which may be while members of one image follow each other.

use super::token::Token;
use crate::kernel::Cycle;
use crate::trace::{Lap, NONE};
use std::collections::VecDeque;

/// Is shown the state of the parts, always in the same order, and may change it.
pub trait Visitor {
    /// A cycle.
    fn time(&mut self, at: &mut Cycle);

    /// Image and member of a pass; [`NONE`]: of none.
    fn pass(&mut self, image: &mut u32, member: &mut u32);

    /// What decides how the part goes on.
    fn same(&mut self, value: u64);

    /// A sum that decides nothing.
    fn sum(&mut self, sum: &mut u64);

    /// An output position of the layer, before pooling.
    fn position(&mut self, position: &mut u32) {
        self.same((*position).into());
    }

    /// A number of steps of a pass, each of `lanes` positions.
    fn step(&mut self, step: &mut u64, lanes: u32) {
        let mut position = *step as u32 * lanes;
        self.position(&mut position);
        *step = u64::from(position / lanes);
    }

    /// A pixel of the layer's output.
    fn pixel(&mut self, pixel: &mut u32) {
        self.same((*pixel).into());
    }

    /// A number of 32 bits that grows while positions follow each other, and decides nothing by itself.
    fn count(&mut self, count: &mut u64) {
        self.same(*count);
    }

    /// What other layers decide.
    fn external(&mut self, value: u64) {
        self.same(value);
    }

    /// A sum over what other layers do.
    fn external_sum(&mut self, sum: &mut u64) {
        self.sum(sum);
    }

    /// A cycle, if there is one.
    fn time_if(&mut self, at: &mut Option<Cycle>) {
        self.same(at.is_some().into());
        if let Some(at) = at {
            self.time(at);
        }
    }

    /// A number of passes since the start of the run, of which each image has `of_image`.
    fn passes(&mut self, number: &mut u64, of_image: u64) {
        let (mut image, mut member) = ((*number / of_image) as u32, (*number % of_image) as u32);
        self.pass(&mut image, &mut member);
        *number = u64::from(image) * of_image + u64::from(member);
    }

    /// A token.
    fn token(&mut self, token: &mut Token) {
        self.pass(&mut token.image, &mut token.member);
        self.position(&mut token.position);
        self.same(token.lanes.into());
        self.same(token.reads.word());
    }

    /// A token of pixels.
    fn message(&mut self, token: &mut Token) {
        self.pass(&mut token.image, &mut token.member);
        self.pixel(&mut token.position);
        self.same(token.lanes.into());
    }
}

/// A piece of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Time(Cycle),
    Pass(u32, u32),
    Same(u64),
    Sum(u64),
    Count(u64),
    Position(u32),
    Pixel(u32),
}

/// The state of all parts, or of those of a layer within a pass.
#[derive(Debug)]
pub(super) struct Snapshot {
    now: Cycle,
    within: bool,
    items: Vec<Item>,
}

impl Snapshot {
    /// Of nothing yet, in the room of another one.
    pub(super) fn new(now: Cycle, within: bool, old: Option<Self>) -> Self {
        let mut items = old.map_or_else(Vec::new, |old| old.items);
        items.clear();
        Self { now, within, items }
    }
}

impl Visitor for Snapshot {
    fn time(&mut self, at: &mut Cycle) {
        self.items.push(Item::Time(*at));
    }

    fn pass(&mut self, image: &mut u32, member: &mut u32) {
        self.items.push(Item::Pass(*image, *member));
    }

    fn same(&mut self, value: u64) {
        self.items.push(Item::Same(value));
    }

    fn sum(&mut self, sum: &mut u64) {
        self.items.push(Item::Sum(*sum));
    }

    fn position(&mut self, position: &mut u32) {
        self.items.push(if self.within { Item::Position(*position) } else { Item::Same((*position).into()) });
    }

    fn pixel(&mut self, pixel: &mut u32) {
        self.items.push(if self.within { Item::Pixel(*pixel) } else { Item::Same((*pixel).into()) });
    }

    fn count(&mut self, count: &mut u64) {
        self.items.push(if self.within { Item::Count(*count) } else { Item::Same(*count) });
    }

    fn external(&mut self, value: u64) {
        if !self.within {
            self.same(value);
        }
    }

    fn external_sum(&mut self, sum: &mut u64) {
        if !self.within {
            self.sum(sum);
        }
    }
}

/// Images and members of a run.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Images.
    pub images: u32,
    /// Members.
    pub members: u32,
}

/// What changes in a period.
#[derive(Debug)]
pub(super) struct Period {
    lap: Lap,
    /// How often it comes again.
    pub(super) times: u32,
    /// Whether it lies within a pass of a layer.
    within: bool,
    /// For each item of the state what one period adds to it.
    changes: Vec<u64>,
}

impl Period {
    /// From one snapshot to a later one; none if the later state is another, or the period does not come again.
    fn between(before: &Snapshot, after: &Snapshot, size: Size) -> Option<Self> {
        if before.items.len() != after.items.len() {
            return None;
        }
        let cycles = after.now - before.now;
        let pairs = || before.items.iter().zip(&after.items);
        let moved = pairs().find_map(|pair| match pair {
            (Item::Pass(image, member), Item::Pass(to, to_member)) if (image, member) != (to, to_member) => {
                Some((to.checked_sub(*image)?, to_member.checked_sub(*member)?))
            }
            _ => None,
        });
        let (images, members) = moved?;
        if (images > 0) == (members > 0) {
            return None;
        }
        let mut times = u32::MAX;
        let mut changes = Vec::with_capacity(after.items.len());
        for pair in pairs() {
            let change = match pair {
                (Item::Same(value), Item::Same(after)) if value == after => 0,
                (Item::Sum(sum), Item::Sum(after)) => after - sum,
                (Item::Time(at), Item::Time(after)) if *after == at.wrapping_add(cycles) => cycles,
                (Item::Time(at), Item::Time(after)) if at == after && *at <= before.now => 0,
                (Item::Pass(NONE, NONE), Item::Pass(NONE, NONE)) => 0,
                (Item::Pass(image, member), Item::Pass(to, to_member))
                    if (*to, *to_member) == (image + images, member + members) =>
                {
                    // Neither the first member nor the last image or member may come up in a period.
                    let (all, at, by) = match (images, member) {
                        (0, 0) => return None,
                        (0, _) => (size.members, to_member, members),
                        _ => (size.images, to, images),
                    };
                    times = times.min(all.saturating_sub(2).checked_sub(*at)? / by);
                    1
                }
                (Item::Pass(image, member), Item::Pass(to, to_member))
                    if members > 0 && (image, member) == (to, to_member) =>
                {
                    0
                }
                _ => return None,
            };
            changes.push(change);
        }
        (times > 0).then_some(Self { lap: Lap { cycles, images, members }, times, within: false, changes })
    }

    /// The same within a pass of a layer, where positions and pixels move; with how far they do. How often it comes again is
    /// not known yet.
    pub(super) fn within(before: &Snapshot, after: &Snapshot) -> Option<(Self, Moves)> {
        if before.items.len() != after.items.len() {
            return None;
        }
        let cycles = after.now - before.now;
        let mut moves = Moves { positions: 0, pixels: 0, first: u32::MAX, last: 0, most: u32::MAX };
        let mut change = |pair: (&Item, &Item)| {
            Some(match pair {
                (Item::Same(value), Item::Same(after)) if value == after => 0,
                (Item::Sum(sum), Item::Sum(after)) => after.checked_sub(*sum)?,
                (Item::Count(count), Item::Count(after)) => {
                    let by = after.checked_sub(*count)?;
                    let room = u64::from(u32::MAX).saturating_sub(*after);
                    moves.most = moves.most.min(room.checked_div(by).map_or(u32::MAX, |most| most as u32));
                    by
                }
                (Item::Time(at), Item::Time(after)) if *after == at.wrapping_add(cycles) => cycles,
                (Item::Time(at), Item::Time(after)) if at == after && *at <= before.now => 0,
                (Item::Pass(image, member), Item::Pass(to, to_member)) if (image, member) == (to, to_member) => 0,
                (Item::Position(at), Item::Position(to)) if at == to => 0,
                (Item::Position(at), Item::Position(to)) => {
                    (moves.first, moves.last) = (moves.first.min(*at), moves.last.max(*to));
                    moved(&mut moves.positions, *at, *to)?
                }
                (Item::Pixel(at), Item::Pixel(to)) if at == to => 0,
                (Item::Pixel(at), Item::Pixel(to)) => moved(&mut moves.pixels, *at, *to)?,
                _ => return None,
            })
        };
        // Most looks find another state, early.
        for pair in before.items.iter().zip(&after.items) {
            change(pair)?;
        }
        let mut changes = Vec::with_capacity(after.items.len());
        changes.extend(before.items.iter().zip(&after.items).filter_map(change));
        let lap = Lap { cycles, images: 0, members: 0 };
        (cycles > 0 && moves.positions > 0).then_some((Self { lap, times: 0, within: true, changes }, moves))
    }

    /// Its cycles.
    pub(super) fn cycles(&self) -> Cycle {
        self.lap.cycles
    }

    /// Moves a state on that `visit` shows.
    pub(super) fn skip(&self, visit: impl FnOnce(&mut dyn Visitor)) {
        visit(&mut Move { period: self, at: 0 });
    }
}

/// The distance from one number to a later one, which is that of all before.
fn moved(all: &mut u32, from: u32, to: u32) -> Option<u64> {
    let by = to.checked_sub(from)?;
    if *all == 0 {
        *all = by;
    }
    (*all == by).then_some(by.into())
}

/// How far a pass of a layer moves in a period.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moves {
    /// Positions, and pixels of the layer's output; 0 if no part has one that moves.
    pub(super) positions: u32,
    pub(super) pixels: u32,
    /// The first position at its start, and the last one at its end.
    pub(super) first: u32,
    pub(super) last: u32,
    /// How often a period can come before a number exceeds 32 bits.
    pub(super) most: u32,
}

/// Moves the state on.
struct Move<'a> {
    period: &'a Period,
    at: usize,
}

impl Move<'_> {
    fn next(&mut self) -> u64 {
        self.at += 1;
        self.period.changes[self.at - 1] * u64::from(self.period.times)
    }
}

impl Visitor for Move<'_> {
    fn time(&mut self, at: &mut Cycle) {
        *at += self.next();
    }

    fn pass(&mut self, image: &mut u32, member: &mut u32) {
        let times = self.next() as u32;
        let Lap { images, members, .. } = self.period.lap;
        // Those of no pass do not move.
        *image = image.wrapping_add(times * images);
        *member = member.wrapping_add(times * members);
    }

    fn same(&mut self, _: u64) {
        self.next();
    }

    fn sum(&mut self, sum: &mut u64) {
        *sum += self.next();
    }

    fn position(&mut self, position: &mut u32) {
        // Those of no position do not move.
        *position = position.wrapping_add(self.next() as u32);
    }

    fn pixel(&mut self, pixel: &mut u32) {
        *pixel = pixel.wrapping_add(self.next() as u32);
    }

    fn count(&mut self, count: &mut u64) {
        *count += self.next();
    }

    fn external(&mut self, value: u64) {
        if !self.period.within {
            self.same(value);
        }
    }

    fn external_sum(&mut self, sum: &mut u64) {
        if !self.period.within {
            self.sum(sum);
        }
    }
}

/// Earlier states with which the present one is compared.
pub const REMEMBERED: usize = 8;

/// Looks for states that come back: at the end of each image, or of each member where there are few images.
#[derive(Debug)]
pub struct Recurrence {
    size: Size,
    /// Answers from one look to the next, and before the next one.
    each: u64,
    due: u64,
    /// The states of the last looks.
    last: VecDeque<Snapshot>,
}

/// Periods that are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip {
    /// Looks since the state was the same.
    pub looks: usize,
    /// Times that the period comes again.
    pub times: u32,
    /// What one of them moves.
    pub lap: Lap,
}

impl Recurrence {
    /// Of a run with so many answers; none where no period can come again, because the first member and the last image or
    /// member are in none.
    #[must_use]
    pub fn new(size: Size, answers: u64) -> Option<Self> {
        let images = size.images > 3;
        let each = if images { answers / u64::from(size.images) } else { 1 };
        (images || size.members > 4).then(|| Self { size, each, due: each, last: VecDeque::new() })
    }

    /// Answers at which it is time to look.
    #[must_use]
    pub fn due(&self) -> u64 {
        self.due
    }

    /// Looks at the state, which `visit` shows. Where it is one that was seen before, moves it on over all periods that can be
    /// skipped.
    pub fn look(&mut self, now: Cycle, answers: u64, mut visit: impl FnMut(&mut dyn Visitor)) -> Option<Skip> {
        let old = if self.last.len() == REMEMBERED { self.last.pop_front() } else { None };
        let mut here = Snapshot::new(now, false, old);
        visit(&mut here);
        let found = self.last.iter().rev().zip(1..).find_map(|(before, looks)| {
            let period = Period::between(before, &here, self.size)?;
            Some((looks, period))
        });
        let mut answers = answers;
        let skip = found.map(|(looks, period)| {
            period.skip(&mut visit);
            self.last.clear();
            answers += looks as u64 * self.each * u64::from(period.times);
            Skip { looks, times: period.times, lap: period.lap }
        });
        if skip.is_none() {
            self.last.push_back(here);
        }
        self.due = answers - answers % self.each + self.each;
        skip
    }
}
