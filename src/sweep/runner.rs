//! Shards on many threads of this process, beside other processes that work on the same folder.

use crate::error::Error;
use crate::sweep::folder::{Claim, Folder, Shard};
use crate::sweep::table::{Cell, Table};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time between two looks at shards that other processes work on.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Most points that wait for values which other threads compute.
const MOST_WAITING: usize = 256;

/// What a run of shards has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ran {
    /// Points of shards that were there, or that another process made.
    pub found: u64,
    /// Points that this process computed.
    pub computed: u64,
    /// Points among both that could not be run.
    pub problems: u64,
    /// Shards that were cut short or changed, and were computed again.
    pub repaired: u64,
    /// Whether it was stopped before the end.
    pub stopped: bool,
}

/// A shard at work.
struct Work {
    shard: u64,
    points: Vec<u64>,
    rows: Mutex<Rows>,
}

struct Rows {
    rows: Vec<Option<Vec<Cell>>>,
    left: usize,
    claim: Option<Claim>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<u64>,
    /// Shards that other processes work on, and those of a search that wait for them.
    elsewhere: VecDeque<u64>,
    /// The shard whose points are given out, and how many of them were.
    open: Option<(Arc<Work>, usize)>,
    /// Points that were given out while another thread computed their values.
    busy: VecDeque<(Arc<Work>, usize)>,
    ran: Ran,
    error: Option<Error>,
}

enum Next {
    /// A point, and whether it must be run even if that means to wait for another thread.
    Point(Arc<Work>, usize, bool),
    LookAgain,
    Nothing,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees to it that `shards` are whole: those that are not are computed by `threads` threads, each a point at a time. A shard
/// that another process works on is waited for, and computed here if that process ends without it. When `stop` becomes true,
/// the points at work are ended and nothing else. `tell` hears how many points are there.
///
/// # Errors
/// Returns the first error of a file; what was written before stays.
pub fn run(
    folder: &Folder,
    shards: impl IntoIterator<Item = u64>,
    threads: usize,
    stop: &AtomicBool,
    tell: &(dyn Fn(&Ran) + Sync),
) -> Result<Ran, Error> {
    folder.tidy()?;
    let queue = Mutex::new(Queue { waiting: shards.into_iter().collect(), ..Queue::default() });
    let fail = |error: Error| {
        lock(&queue).error.get_or_insert(error);
    };
    let work = || {
        loop {
            let next = lock(&queue).next(folder, stop);
            match next {
                Err(error) => return fail(error),
                Ok(Next::Nothing) => return,
                Ok(Next::LookAgain) => std::thread::sleep(LOOK_AGAIN),
                Ok(Next::Point(work, at, must)) => {
                    let (points, point) = (folder.points(), folder.points().space().point(work.points[at]));
                    let row = if must { points.row(&point).map(Some) } else { points.row_unless_busy(&point) };
                    let ended = row.and_then(|row| row.map(|row| end_of_point(folder, &work, at, row)).transpose());
                    match ended {
                        Err(error) => return fail(error),
                        Ok(None) => lock(&queue).busy.push_back((work, at)),
                        Ok(Some(problems)) => {
                            let mut queue = lock(&queue);
                            queue.ran.computed += 1;
                            queue.ran.problems += u64::from(problems);
                            tell(&queue.ran);
                        }
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(work)).collect();
        work();
        for other in others {
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let queue = queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    let idle = queue.waiting.is_empty() && queue.elsewhere.is_empty() && queue.busy.is_empty();
    let left = queue.open.is_some() || !idle;
    match queue.error {
        Some(error) => Err(error),
        None => {
            // Of processes that were killed meanwhile.
            folder.tidy()?;
            Ok(Ran { stopped: left && stop.load(Ordering::Relaxed), ..queue.ran })
        }
    }
}

/// Puts a row into its shard, and writes the shard if it was the last one. Returns whether the point could not be run.
fn end_of_point(folder: &Folder, work: &Work, at: usize, row: Vec<Cell>) -> Result<bool, Error> {
    let problem = matches!(row.get(row.len().wrapping_sub(2)), Some(Cell::Text(_)));
    let mut rows = lock(&work.rows);
    rows.rows[at] = Some(row);
    rows.left -= 1;
    if rows.left == 0 {
        finish(folder, work.shard, &mut rows)?;
    }
    Ok(problem)
}

fn finish(folder: &Folder, shard: u64, rows: &mut Rows) -> Result<(), Error> {
    let mut table = Table::new(folder.plan().columns.clone());
    std::mem::take(&mut rows.rows).into_iter().flatten().for_each(|row| table.push(row));
    folder.write(shard, &table)?;
    if let Some(claim) = rows.claim.take() {
        claim.finish();
    }
    Ok(())
}

impl Queue {
    fn next(&mut self, folder: &Folder, stop: &AtomicBool) -> Result<Next, Error> {
        loop {
            if stop.load(Ordering::Relaxed) || self.error.is_some() {
                return Ok(Next::Nothing);
            }
            if self.busy.len() >= MOST_WAITING
                && let Some((work, at)) = self.busy.pop_front()
            {
                return Ok(Next::Point(work, at, true));
            }
            if let Some((work, given)) = &mut self.open {
                if *given < work.points.len() {
                    *given += 1;
                    return Ok(Next::Point(work.clone(), *given - 1, false));
                }
                self.open = None;
            }
            let Some(shard) = self.waiting.pop_front() else {
                if let Some((work, at)) = self.busy.pop_front() {
                    return Ok(Next::Point(work, at, true));
                }
                if self.elsewhere.is_empty() {
                    return Ok(Next::Nothing);
                }
                std::mem::swap(&mut self.waiting, &mut self.elsewhere);
                return Ok(Next::LookAgain);
            };
            if self.counts(folder.shard(shard)?) {
                continue;
            }
            // Those of a search that depend on earlier ones wait for them.
            let Some(points) = folder.of_shard(shard)? else {
                self.elsewhere.push_back(shard);
                self.elsewhere.append(&mut self.waiting);
                continue;
            };
            let Some(claim) = folder.claim(shard)? else {
                self.elsewhere.push_back(shard);
                continue;
            };
            // Whoever had it may have finished it in between.
            let found = folder.shard(shard)?;
            if self.counts(found) {
                claim.finish();
                continue;
            }
            self.ran.repaired += u64::from(found == Shard::Damaged);
            let rows = vec![None; points.len()];
            let mut rows = Rows { left: rows.len(), rows, claim: Some(claim) };
            if points.is_empty() {
                finish(folder, shard, &mut rows)?;
                continue;
            }
            self.open = Some((Arc::new(Work { shard, points, rows: Mutex::new(rows) }), 0));
        }
    }

    /// Counts the points of a shard if it is whole.
    fn counts(&mut self, shard: Shard) -> bool {
        let Shard::Done { rows, problems } = shard else { return false };
        self.ran.found += rows;
        self.ran.problems += problems;
        true
    }
}
