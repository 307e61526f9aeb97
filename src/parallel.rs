//! Work on many threads, whose results keep the order of their jobs.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Results of `jobs`, in their order, made by `threads` threads (at least one). Some jobs take longer than others: each
/// thread takes the next one when it is free.
pub(crate) fn in_order<T: Send>(jobs: Range<usize>, threads: usize, job: &(dyn Fn(usize) -> T + Sync)) -> Vec<T> {
    let next = AtomicUsize::new(jobs.start);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= jobs.end {
                return done;
            }
            done.push((index, job(index)));
        }
    };
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, jobs.len().max(1))).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.flat_map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    all.sort_unstable_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order() {
        assert_eq!(in_order(0..100, 3, &|job| job * job), (0..100).map(|job| job * job).collect::<Vec<_>>());
    }
}
