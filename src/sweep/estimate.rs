//! How long a sweep takes and how much memory, from a few of its points.

use crate::error::Error;
use crate::sweep::points::Points;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Points that are tried, spread over the space.
const TRIED: u64 = 5;
/// No further point is tried once this has passed.
const LONG_ENOUGH: Duration = Duration::from_secs(10);
/// Bytes of a cell of a shard in memory: its values, and its columns while they are written.
const CELL: u64 = 64;

/// What points take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pilot {
    /// Points that were tried.
    pub tried: u64,
    /// Seconds that the first point took beyond the mean: reading files that all points share.
    pub first_s: f64,
    /// Mean seconds of a point on one thread.
    pub point_s: f64,
}

/// What a sweep takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// What its points take.
    pub pilot: Pilot,
    /// Seconds of all points on all threads.
    pub total_s: f64,
    /// Most memory of the process, bytes; none where the system does not report it.
    pub memory: Option<u64>,
}

impl Pilot {
    /// Runs a few points of a space.
    ///
    /// # Errors
    /// Those of [`Points::row`].
    pub fn run(of: &Points) -> Result<Self, Error> {
        let space = of.space();
        let mut times = Vec::new();
        let mut tried = BTreeSet::new();
        let started = Instant::now();
        for at in 0..TRIED {
            let index = space.next(space.len().saturating_sub(1) * at / (TRIED - 1)).or_else(|| space.next(0));
            let Some(index) = index.filter(|index| tried.insert(*index)) else { continue };
            let start = Instant::now();
            of.row(&space.point(index))?;
            times.push(start.elapsed().as_secs_f64());
            if started.elapsed() > LONG_ENOUGH {
                break;
            }
        }
        let others = if times.len() > 1 { &times[1..] } else { &times[..] };
        let point_s = others.iter().sum::<f64>() / others.len().max(1) as f64;
        let first_s = (times.first().copied().unwrap_or(0.0) - point_s).max(0.0);
        Ok(Self { tried: times.len() as u64, first_s, point_s })
    }
}

/// Estimates by a few points of a space what `points` of them take in shards of `per_shard`, which `threads` threads are to run.
///
/// # Errors
/// Those of [`Points::row`].
pub fn estimate(of: &Points, points: u64, per_shard: u64, threads: usize) -> Result<Estimate, Error> {
    let most = || bytes_of("/proc/self/status", "VmHWM:");
    let before = most();
    let pilot = Pilot::run(of)?;
    // What a point takes, each thread takes.
    let of_threads = |after: u64| after + (after - before.unwrap_or(after)) * (threads.max(1) as u64 - 1);
    Ok(Estimate {
        pilot,
        total_s: pilot.first_s + pilot.point_s * points as f64 / threads.max(1) as f64,
        memory: most().map(|after| of_threads(after).saturating_add(of_shards(of.heads().len(), per_shard, threads))),
    })
}

/// A line of kibibytes in a file of the system.
fn bytes_of(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Bytes of the shards that are open at a time: one, and one more for each thread that is still at the end of an earlier one.
fn of_shards(columns: usize, per_shard: u64, threads: usize) -> u64 {
    let cells = (columns as u64).saturating_mul(per_shard);
    cells.saturating_mul(CELL).saturating_mul(threads.max(1) as u64 + 1)
}

/// Refuses shards that do not fit into the free memory of the machine, where the system reports it.
///
/// # Errors
/// Returns [`Error::Config`] that says how much of both.
pub fn check_memory(columns: usize, per_shard: u64, threads: usize) -> Result<(), Error> {
    let takes = of_shards(columns, per_shard, threads);
    match bytes_of("/proc/meminfo", "MemAvailable:") {
        Some(free) if takes > free => Err(Error::Config(format!(
            "shards of {per_shard} points take about {} MiB on {threads} threads, and {} MiB are free; expected fewer points a \
             shard (--points-per-shard, --time-per-shard)",
            takes >> 20,
            free >> 20
        ))),
        _ => Ok(()),
    }
}
