//! Time of a unit, booked without gaps.

use super::context::{Amount, Context, Job, Site, Units};
use super::recur::Visitor;
use super::token::Token;
use crate::kernel::{Cycle, EventQueue};
use crate::trace::{Action, SpanSink};

/// Units that work together. Each of their cycles from 0 on is booked exactly once, as work or as a wait with its reason.
#[derive(Debug, Clone)]
pub struct Timeline {
    site: Site,
    units: Units,
    until: Cycle,
}

impl Timeline {
    /// Units with nothing booked yet; their waits are booked at `site`.
    #[must_use]
    pub fn new(site: Site, units: Units) -> Self {
        Self { site, units, until: 0 }
    }

    /// The cycle up to which everything is booked; the units are free from there on.
    #[must_use]
    pub fn until(&self) -> Cycle {
        self.until
    }

    /// Books a wait up to `at`, or nothing if the time up to there is booked already.
    pub fn wait<S: EventQueue, K: SpanSink>(
        &mut self,
        reason: Action,
        at: Cycle,
        token: Token,
        cx: &mut Context<'_, S, K>,
    ) {
        cx.wait_between(reason, self.site, self.until, at, token, self.units);
        self.until = self.until.max(at);
    }

    /// Books work of `duration` cycles on all units, starting where the booked time ends.
    pub fn work<S: EventQueue, K: SpanSink>(
        &mut self,
        job: &Job,
        duration: Cycle,
        token: Token,
        count: u64,
        cx: &mut Context<'_, S, K>,
    ) {
        cx.work(&Job { duration, ..*job }, self.until, token, Amount::once(self.units, count));
        self.until += duration;
    }

    /// Shows its state.
    pub fn visit(&mut self, visitor: &mut dyn Visitor) {
        visitor.time(&mut self.until);
    }

    /// Books the rest of the run.
    pub fn finish<S: EventQueue, K: SpanSink>(&mut self, cx: &mut Context<'_, S, K>) {
        self.wait(Action::WaitDrained, cx.now, Token::NONE, cx);
    }
}
