//! What units did with their time: the ledger folded once, by layer and component.

use crate::meter::Ledger;
use crate::trace::{Action, Component};
use std::collections::BTreeMap;

/// Unit-cycles of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Time {
    /// Work.
    pub work: u128,
    /// Waiting, by reason.
    pub waits: BTreeMap<Action, u128>,
}

impl Time {
    /// Work and waits.
    #[must_use]
    pub fn all(&self) -> u128 {
        self.work + self.waits.values().sum::<u128>()
    }

    /// What was waited for longest, and for how many unit-cycles; of equal waits the first reason.
    #[must_use]
    pub fn longest_wait(&self) -> Option<(Action, u128)> {
        let longest = self.waits.iter().rev().max_by_key(|(_, cycles)| **cycles)?;
        Some((*longest.0, *longest.1)).filter(|(_, cycles)| *cycles > 0)
    }

    fn add(&mut self, other: &Self) {
        self.work += other.work;
        for (reason, cycles) in &other.waits {
            *self.waits.entry(*reason).or_default() += cycles;
        }
    }
}

/// Time of all components, by layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// One entry a layer, then what belongs to none.
    pub layers: Vec<BTreeMap<Component, Time>>,
    /// All of them.
    pub all: BTreeMap<Component, Time>,
}

impl Booked {
    /// Of a ledger.
    #[must_use]
    pub fn of(ledger: &Ledger) -> Self {
        let mut layers = vec![BTreeMap::<Component, Time>::new(); ledger.layers() as usize + 1];
        for (account, entry) in ledger.entries() {
            // A message that waits for a link is no unit.
            if (account.component, account.action) == (Component::Link, Action::WaitLink) {
                continue;
            }
            let layer = account.layer.unwrap_or(ledger.layers()) as usize;
            let time = layers[layer].entry(account.component).or_default();
            if account.action.is_wait() {
                *time.waits.entry(account.action).or_default() += entry.unit_cycles;
            } else {
                time.work += entry.unit_cycles;
            }
        }
        let mut all = BTreeMap::<Component, Time>::new();
        for (component, time) in layers.iter().flatten() {
            all.entry(*component).or_default().add(time);
        }
        Self { layers, all }
    }
}
