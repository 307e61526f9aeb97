//! Design spaces: many configurations of one file, run on all cores or many machines, without losing a point.
//!
//! ```text
//! sweeps/*.ron --Space--> number -> Point (overrides) --Points--> row of figures --Folder--> shards/*.parquet
//! ```

pub mod table;
pub mod figures;
mod condition;
pub mod space;
pub mod points;
mod sample;
mod nsga2;
pub mod search;
pub mod estimate;
pub mod folder;
pub mod runner;
pub mod merge;
pub mod pareto;

pub use estimate::{Estimate, estimate};
pub use folder::{Folder, Plan, Refused, Shard, ShardSize};
pub use points::Points;
pub use runner::{Ran, run};
pub use search::Search;
pub use space::{Count, Point, Space, SpaceAxis};
pub use table::{Cell, Head, Kind, Table, Values, Writer};

use crate::config::{Base, Sweep};
use crate::error::Problem;

/// Problems of a sweep whose paths start from `base`, by their path within it.
#[must_use]
pub fn problems(sweep: &Sweep, base: &Base) -> Vec<Problem> {
    match Space::new(sweep, base, &[]) {
        Ok(space) => {
            let points = Points::new(space);
            let refused = points.refused_values();
            if refused.is_empty() { Search::new(sweep, &points).err().unwrap_or_default() } else { refused }
        }
        Err(problems) => problems,
    }
}

/// Numbers in ascending order as a list of ranges: `9,16-63`.
#[must_use]
pub fn ranges(numbers: &[u64]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let text = |run: &[u64]| match run {
        [first, .., last] => format!("{first}-{last}"),
        run => run[0].to_string(),
    };
    runs.map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    #[test]
    fn ranges_are_short() {
        assert_eq!(super::ranges(&[9, 16, 17, 18, 20, 21]), "9,16-18,20-21");
        assert_eq!(super::ranges(&[]), "");
    }
}
