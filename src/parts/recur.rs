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
        self.same(u64::from(token.position) << 32 | u64::from(token.lanes));
        self.same(token.reads.word());
    }

    /// A token, if there is one.
    fn token_if(&mut self, token: &mut Option<Token>) {
        self.same(token.is_some().into());
        if let Some(token) = token {
            self.token(token);
        }
    }
}

/// A piece of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Time(Cycle),
    Pass(u32, u32),
    Same(u64),
    Sum(u64),
}

/// The state when an answer has left.
#[derive(Debug, Default)]
struct Snapshot {
    now: Cycle,
    items: Vec<Item>,
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
struct Period {
    lap: Lap,
    /// How often it comes again.
    times: u32,
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
        (times > 0).then_some(Self { lap: Lap { cycles, images, members }, times, changes })
    }
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
        let room = self.last.back().map_or(0, |last| last.items.len());
        let mut here = Snapshot { now, items: Vec::with_capacity(room) };
        visit(&mut here);
        let found = self.last.iter().rev().zip(1..).find_map(|(before, looks)| {
            let period = Period::between(before, &here, self.size)?;
            Some((looks, period))
        });
        let mut answers = answers;
        let skip = found.map(|(looks, period)| {
            visit(&mut Move { period: &period, at: 0 });
            self.last.clear();
            answers += looks as u64 * self.each * u64::from(period.times);
            Skip { looks, times: period.times, lap: period.lap }
        });
        if skip.is_none() {
            if self.last.len() == REMEMBERED {
                self.last.pop_front();
            }
            self.last.push_back(here);
        }
        self.due = answers - answers % self.each + self.each;
        skip
    }
}
