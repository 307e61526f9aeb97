//! The best points of data sets under several objectives, and what each axis does to the objectives.
//!
//! A point dominates another one if it is as good in all objectives and better in one. The front is the points within the
//! bounds that no other of them dominates (Pareto).

use crate::error::nearest;
use crate::sweep::figures;
use crate::sweep::table::{Head, Kind, Table};
use std::collections::BTreeMap;
use std::fmt;

/// Short names of figures.
pub const SHORT: [(&str, &str); 6] = [
    ("energy", "energy_j"),
    ("latency", "latency_cycles"),
    ("interval", "initiation_interval_cycles"),
    ("area", "area_mm2"),
    ("power", "power_w"),
    ("throughput", "images_per_s"),
];

/// Figures that are better the larger they are.
const LARGER: [&str; 9] = [
    "accuracy",
    "images_per_s",
    "run_images_per_s",
    "gops",
    "gops_per_w",
    "gops_per_w_per_mm2",
    "run_gops_per_w",
    "ood_auroc_entropy",
    "ood_auroc_mutual_information",
];
/// Figures that are better the smaller they are, and ends of the names of others.
const SMALLER: [&str; 7] = ["ece", "nll", "brier", "latency_s", "byte_hops", "arrays", "tiles"];
const SMALLER_ENDS: [&str; 4] = ["_j", "_cycles", "_mm2", "_w"];

/// Which values of an objective are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smaller ones.
    Min,
    /// Larger ones.
    Max,
}

impl Direction {
    /// Name: `min` or `max`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Direction::Min => "min",
            Direction::Max => "max",
        }
    }

    /// A value as one that is better the smaller it is.
    #[must_use]
    pub fn cost(self, value: f64) -> f64 {
        if self == Direction::Max { -value } else { value }
    }

    /// The direction in which a figure is better; none where that depends on what is asked.
    #[must_use]
    pub fn of(figure: &str) -> Option<Self> {
        if LARGER.contains(&figure) {
            return Some(Direction::Max);
        }
        let smaller = SMALLER.contains(&figure) || SMALLER_ENDS.iter().any(|end| figure.ends_with(end));
        smaller.then_some(Direction::Min)
    }
}

/// A figure, or an axis of numbers, that is to be small or large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objective {
    /// Name of its column.
    pub figure: String,
    /// Which values are better.
    pub direction: Direction,
}

impl Objective {
    /// Reads `energy`, `energy_j` or `max:entropy`. `heads`: columns of the data set.
    ///
    /// # Errors
    /// Returns a message if there is no such figure, or neither direction is better by itself.
    pub fn parse(text: &str, heads: &[Head]) -> Result<Self, String> {
        let text = text.trim();
        let (asked, name) = match text.split_once(':') {
            Some(("min", name)) => (Some(Direction::Min), name),
            Some(("max", name)) => (Some(Direction::Max), name),
            Some((other, _)) => return Err(format!("found {other}:, expected min: or max:")),
            None => (None, text),
        };
        let figure = column(name.trim(), heads)?;
        let unknown = || {
            let expected = format!("expected min:{figure} or max:{figure}");
            format!("neither small nor large values of {figure} are better by themselves; {expected}")
        };
        let direction = asked.or_else(|| Direction::of(&figure)).ok_or_else(unknown)?;
        Ok(Self { figure, direction })
    }
}

/// What a figure, or an axis of numbers, has to keep to.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// Name of its column.
    pub figure: String,
    /// `<=`, `<`, `>=` or `>`.
    pub operator: &'static str,
    /// The number.
    pub value: f64,
}

impl Bound {
    /// Reads `accuracy>=0.9`. `heads`: columns of the data set.
    ///
    /// # Errors
    /// Returns a message if it is none, or there is no such figure.
    pub fn parse(text: &str, heads: &[Head]) -> Result<Self, String> {
        let malformed = |found: &str| {
            let expected = "expected a figure, one of <=, <, >=, >, and a number, such as \"accuracy>=0.9\"";
            format!("{found}; {expected}")
        };
        let at = text.find(['<', '>']).ok_or_else(|| malformed("there is no comparison"))?;
        let (name, rest) = text.split_at(at);
        let operators = ["<=", ">=", "<", ">"];
        let operator = operators.into_iter().find(|operator| rest.starts_with(operator)).unwrap_or("<");
        let number = rest[operator.len()..].trim();
        if name.ends_with('=') {
            return Err(malformed(&format!("\"={operator}\" is no comparison")));
        }
        let value = number.parse().ok().filter(|value: &f64| value.is_finite());
        let value = value.ok_or_else(|| malformed(&format!("\"{number}\" is no number")))?;
        Ok(Self { figure: column(name.trim(), heads)?, operator, value })
    }

    /// Whether a value keeps to it.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        match self.operator {
            "<=" => value <= self.value,
            "<" => value < self.value,
            ">=" => value >= self.value,
            _ => value > self.value,
        }
    }

    /// How far a value is beyond it, as a share of the bound; 0 for one that keeps to it.
    #[must_use]
    pub fn excess(&self, value: f64) -> f64 {
        let scale = if self.value == 0.0 { 1.0 } else { self.value.abs() };
        if self.holds(value) { 0.0 } else { ((value - self.value).abs() / scale).max(f64::MIN_POSITIVE) }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.figure, self.operator, self.value)
    }
}

/// The column of numbers that is meant by a name.
fn column(name: &str, heads: &[Head]) -> Result<String, String> {
    let long = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
    match heads.iter().find(|head| head.name == long && long != "point") {
        Some(head) if head.kind == Kind::Text => Err(format!("{long} holds texts, expected a figure that is a number")),
        Some(_) => Ok(long.to_owned()),
        None if figures::heads().any(|head| head.name == long) => {
            Err(format!("{long} is not kept by this sweep; its `record` names what is"))
        }
        None => {
            let numbers = heads.iter().filter(|head| head.kind != Kind::Text && head.name != "point");
            let names = numbers.map(|head| head.name.as_str()).chain(SHORT.iter().map(|(short, _)| *short));
            let help = match nearest(name, names) {
                Some(near) => format!("did you mean {near}?"),
                None => "crossbayes sweep figures lists them".to_owned(),
            };
            Err(format!("there is no figure \"{name}\"\nhelp: {help}"))
        }
    }
}

/// Where the points stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Rows of the front, best values of the first objective first; then of the second, and so on.
    pub front: Vec<usize>,
    /// Rows that have all figures and keep to the bounds, in their order.
    pub within: Vec<usize>,
    /// Rows that have all figures and break a bound, in their order.
    pub outside: Vec<usize>,
    /// Rows that break each bound.
    pub broken: Vec<u64>,
    /// Number of rows that lack a figure.
    pub without: u64,
}

/// The numbers of a column; absent where they are not finite.
#[must_use]
pub fn numbers(rows: &Table, name: &str) -> Vec<Option<f64>> {
    let numbers = rows.numbers(name).unwrap_or_else(|| vec![None; rows.rows()]);
    numbers.into_iter().map(|value| value.filter(|value| value.is_finite())).collect()
}

/// The front of all rows within the bounds.
#[must_use]
pub fn find(rows: &Table, objectives: &[Objective], bounds: &[Bound]) -> Found {
    let goals: Vec<_> = objectives.iter().map(|of| (numbers(rows, &of.figure), of.direction)).collect();
    let bounded: Vec<_> = bounds.iter().map(|bound| (numbers(rows, &bound.figure), bound)).collect();
    let mut found = Found { broken: vec![0; bounds.len()], ..Found::default() };
    let mut costs = Vec::new();
    for row in 0..rows.rows() {
        let cost = |(values, direction): &(Vec<Option<f64>>, Direction)| values[row].map(|value| direction.cost(value));
        let of_row: Option<Vec<f64>> = goals.iter().map(cost).collect();
        let of_bounds: Option<Vec<bool>> =
            bounded.iter().map(|(values, bound)| values[row].map(|value| bound.holds(value))).collect();
        match of_row.zip(of_bounds) {
            None => found.without += 1,
            Some((cost, holds)) if holds.iter().all(|holds| *holds) => {
                found.within.push(row);
                costs.push(cost);
            }
            Some((_, holds)) => {
                found.outside.push(row);
                found.broken.iter_mut().zip(holds).for_each(|(broken, holds)| *broken += u64::from(!holds));
            }
        }
    }
    found.front = front(&costs).into_iter().map(|at| found.within[at]).collect();
    found
}

/// Indices of the costs (finite, as many each) that no other dominates, in lexicographic order; equal ones are all kept, in
/// their order.
#[must_use]
pub fn front(costs: &[Vec<f64>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&a, &b| costs[a].partial_cmp(&costs[b]).expect("costs are finite"));
    let mut front: Vec<usize> = Vec::new();
    for at in order {
        // Who dominates comes before, and if it is not in the front itself, one that dominates it is.
        let dominates = |of: &usize| {
            let no_worse = costs[*of].iter().zip(&costs[at]).all(|(a, b)| a <= b);
            no_worse && costs[*of] != costs[at]
        };
        if !front.iter().any(dominates) {
            front.push(at);
        }
    }
    front
}

/// What an axis does to the objectives.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// The axis, or axes that only vary together.
    pub axes: Vec<String>,
    /// Number of values.
    pub values: usize,
    /// For each objective the spread of points that differ in nothing else: the mean, over all groups of at least two of
    /// them, of (largest - smallest) / |mean|; none without such a group, or where the mean of one is 0 and its values
    /// differ.
    pub spread: Vec<Option<f64>>,
    /// Groups of each objective.
    pub groups: Vec<u64>,
}

/// Smallest and largest value of a group of points, their sum and number.
type Group = (f64, f64, f64, u64);

/// What each axis of more than one value does to the figures, the largest effect on the first one first. All rows that have
/// a figure count, within bounds or not; points of different folders are no group.
#[must_use]
pub fn sensitivity(rows: &Table, axes: &[&str], figures: &[&str]) -> Vec<Moved> {
    let folder = places(rows, "folder");
    // Axes that part the rows alike have the same numbers of values.
    let mut parted: Vec<(Vec<String>, Vec<usize>)> = Vec::new();
    for axis in axes {
        let numbers = places(rows, axis);
        match parted.iter_mut().find(|(_, known)| *known == numbers) {
            Some((names, _)) => names.push((*axis).to_owned()),
            None => parted.push((vec![(*axis).to_owned()], numbers)),
        }
    }
    let columns: Vec<_> = figures.iter().map(|figure| numbers(rows, figure)).collect();
    let of_axis = |at: usize| {
        let others: Vec<&Vec<usize>> =
            (0..parted.len()).filter(|&other| other != at).map(|other| &parted[other].1).chain([&folder]).collect();
        let mut groups: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        let number: Vec<usize> = (0..rows.rows())
            .map(|row| {
                let next = groups.len();
                *groups.entry(others.iter().map(|of| of[row]).collect()).or_insert(next)
            })
            .collect();
        let (spread, counted) = columns.iter().map(|values| spread(&number, groups.len(), values)).unzip();
        let values = parted[at].1.iter().max().map_or(0, |last| last + 1);
        Moved { axes: parted[at].0.clone(), values, spread, groups: counted }
    };
    let mut moved: Vec<Moved> = (0..parted.len()).map(of_axis).filter(|moved| moved.values > 1).collect();
    let first = |moved: &Moved| moved.spread.first().copied().flatten().unwrap_or(-1.0);
    moved.sort_by(|a, b| first(b).total_cmp(&first(a)));
    moved
}

/// The mean spread of groups, and how many there are of at least two values.
fn spread(number: &[usize], groups: usize, values: &[Option<f64>]) -> (Option<f64>, u64) {
    let mut all: Vec<Group> = vec![(f64::INFINITY, f64::NEG_INFINITY, 0.0, 0); groups];
    for (group, value) in number.iter().zip(values).filter_map(|(group, value)| Some((*group, (*value)?))) {
        let (low, high, sum, count) = &mut all[group];
        (*low, *high, *sum, *count) = (low.min(value), high.max(value), *sum + value, *count + 1);
    }
    all.retain(|group| group.3 > 1);
    let relative = |&(low, high, sum, count): &Group| {
        let mean = (sum / count as f64).abs();
        if low == high { Some(0.0) } else { (mean > 0.0).then(|| (high - low) / mean) }
    };
    let total: Option<f64> = all.iter().map(relative).sum();
    (total.filter(|_| !all.is_empty()).map(|total| total / all.len() as f64), all.len() as u64)
}

/// For each row the number of its value in a column, counted by their first rows.
fn places(rows: &Table, name: &str) -> Vec<usize> {
    let Some(column) = rows.heads.iter().position(|head| head.name == name) else { return vec![0; rows.rows()] };
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    (0..rows.rows())
        .map(|row| {
            let next = known.len();
            *known.entry(format!("{:?}", rows.cell(row, column))).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::table::Cell;
    use proptest::prelude::*;

    proptest! {
        /// Few values, so that many are equal.
        #[test]
        fn the_front_is_what_nothing_dominates(
            costs in (1_usize..5).prop_flat_map(|n| {
                proptest::collection::vec(proptest::collection::vec((-3_i32..4).prop_map(|v| f64::from(v) * 0.5), n), 0..60)
            })
        ) {
            let dominated = |b: &Vec<f64>| costs.iter().any(|a| {
                a.iter().zip(b).all(|(a, b)| a <= b) && a.iter().zip(b).any(|(a, b)| a < b)
            });
            let expected: Vec<usize> = (0..costs.len()).filter(|&at| !dominated(&costs[at])).collect();
            let found = front(&costs);
            let mut sorted = found.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, expected);
            for pair in found.windows(2) {
                let (a, b) = (&costs[pair[0]], &costs[pair[1]]);
                prop_assert!(a < b || a == b && pair[0] < pair[1]);
            }
        }
    }

    fn table(names: &[&str], rows: &[&[f64]]) -> Table {
        let head = |name: &&str| Head { name: (*name).to_owned(), kind: Kind::Real };
        let mut table = Table::new(names.iter().map(head).collect());
        for row in rows {
            let cell = |value: &f64| if value.is_nan() { Cell::Absent } else { Cell::Real(*value) };
            table.push(row.iter().map(cell).collect());
        }
        table
    }

    #[test]
    fn bounds_come_before_the_front_and_absent_figures_are_counted() {
        let rows = table(
            &["energy_j", "accuracy", "area_mm2"],
            &[
                &[1.0, 0.5, 1.0],
                &[2.0, 0.9, 1.0],
                &[3.0, 0.9, 1.0],
                &[4.0, 0.95, 1.0],
                &[0.5, 0.99, 9.0],
                &[0.1, f64::NAN, 1.0],
                &[2.0, 0.9, 2.0],
            ],
        );
        let objectives = ["energy", "accuracy"].map(|text| Objective::parse(text, &rows.heads).unwrap());
        let bounds = ["accuracy > 0.5", "area<=2"].map(|text| Bound::parse(text, &rows.heads).unwrap());
        let found = find(&rows, &objectives, &bounds);
        assert_eq!(found.front, [1, 6, 3]);
        assert_eq!((found.within, found.outside), (vec![1, 2, 3, 6], vec![0, 4]));
        assert_eq!((found.broken, found.without), (vec![1, 1], 1));
        let larger = Objective::parse("max:energy_j", &rows.heads).unwrap();
        assert_eq!(find(&rows, &[larger], &[]).front, [3]);
    }

    /// By hand. For a: (1, 3) and (2, 2) at b = 0 and 1, 2 / 2 and 0 / 2. For b: (1, 2) and (3, 2), 1 / 1.5 and 1 / 2.5. The
    /// last row has a value of b of its own, so that no group has it together with another one.
    #[test]
    fn spreads_are_means_over_otherwise_equal_points() {
        let nan = f64::NAN;
        let rows = table(
            &["a", "b", "c", "same", "x", "sign"],
            &[
                &[4.0, 0.0, 0.0, 7.0, 1.0, -1.0],
                &[5.0, 0.0, 0.0, 7.0, 3.0, 1.0],
                &[4.0, 1.0, 2.0, 7.0, 2.0, nan],
                &[5.0, 1.0, 2.0, 7.0, 2.0, nan],
                &[4.0, 9.0, 1.0, 7.0, nan, nan],
            ],
        );
        let moved = sensitivity(&rows, &["a", "b", "c", "same"], &["x", "sign"]);
        assert_eq!(moved.len(), 2);
        let (b, a) = (&moved[0], &moved[1]);
        assert_eq!((&b.axes[..], b.values, &b.groups[..]), (&["b".to_owned(), "c".to_owned()][..], 3, &[2, 0][..]));
        assert!((b.spread[0].unwrap() - (1.0 / 1.5 + 1.0 / 2.5) / 2.0).abs() < 1e-15);
        assert_eq!((a.values, &a.groups[..], a.spread[0]), (2, &[2, 1][..], Some(0.5)));
        assert_eq!((a.spread[1], b.spread[1]), (None, None));
    }

    #[test]
    fn directions_and_short_names_are_of_figures() {
        let is_figure = |name: &str| figures::heads().any(|head| head.name == name);
        for name in LARGER.iter().chain(&SMALLER).chain(SHORT.iter().map(|(_, long)| long)) {
            assert!(is_figure(name), "{name}");
        }
        assert!(!SHORT.iter().any(|(short, _)| is_figure(short)));
        assert_eq!(Direction::of("gops_per_w"), Some(Direction::Max));
        assert_eq!(Direction::of("wait_port_cycles"), Some(Direction::Min));
        assert_eq!(Direction::of("entropy"), None);
    }
}
