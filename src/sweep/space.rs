//! The points of a design space: a number to the overrides that make its configuration.

use crate::config::Base;
use crate::config::sweep::{Axis, Sweep};
use crate::config::tree::{self, Value};
use crate::error::{Problem, nearest};
use crate::sweep::condition::Condition;
use crate::sweep::figures;
use crate::sweep::table::{Cell, Head, Kind};
use std::collections::BTreeMap;
use std::path::Path;

/// Most combinations of a space.
pub const MOST_POINTS: u64 = 1_000_000_000;
/// Most values of an axis, which are kept in memory.
const MOST_VALUES: usize = 1_000_000;
/// Keys whose values may be files.
const FILES: [&str; 4] = ["arch", "workload", "arch.costs", "arch.device.model"];

/// The combinations of the values of axes. Points are not stored: [`Space::point`] makes one from its number, in which the
/// last axis counts fastest.
#[derive(Debug, Clone)]
pub struct Space {
    arch: Option<String>,
    workload: Option<String>,
    /// Overrides of all points.
    set: Vec<String>,
    axes: Vec<SpaceAxis>,
    /// Axes that vary together, and their number of values.
    groups: Vec<(Vec<usize>, u32)>,
    conditions: Vec<(Condition, String)>,
    record: Vec<Head>,
    base: Base,
    len: u64,
    /// Whether the last axis tells the points that are screened from those that are run on all images.
    screened: bool,
}

/// An axis and its values.
#[derive(Debug, Clone, PartialEq)]
pub struct SpaceAxis {
    /// Key that varies.
    pub key: String,
    /// Its values, as `--set` takes them.
    pub values: Vec<String>,
    /// Type of its column.
    pub kind: Kind,
    /// Path of each value in the sweep file.
    places: Places,
}

#[derive(Debug, Clone, PartialEq)]
enum Places {
    /// A list: the path of its items.
    Each(String),
    /// A range.
    Whole(String),
}

/// A point: what makes its configuration, and its cells in the columns of the axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Its number among all combinations.
    pub index: u64,
    /// Chip, if one is named.
    pub arch: Option<String>,
    /// Network, if one is named.
    pub workload: Option<String>,
    /// Overrides, in order.
    pub set: Vec<String>,
    /// The values of the axes.
    pub cells: Vec<Cell>,
}

/// How many points a space has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Points that are run.
    pub points: u64,
    /// Points that are left out, with the reason, in the order of the conditions. A point that several leave out counts for
    /// the first.
    pub dropped: Vec<(String, u64)>,
}

impl SpaceAxis {
    /// Path of a value in the sweep file.
    #[must_use]
    pub fn place(&self, value: usize) -> String {
        match &self.places {
            Places::Each(path) => format!("{path}[{value}]"),
            Places::Whole(path) => path.clone(),
        }
    }

    /// Path of the key in the sweep file.
    #[must_use]
    pub fn key_place(&self) -> String {
        let (Places::Each(path) | Places::Whole(path)) = &self.places;
        match path.split_once('.') {
            Some((axis, _)) if axis.starts_with("axes") => format!("{axis}.key"),
            _ => path.clone(),
        }
    }
}

impl Space {
    /// The space of a sweep whose paths start from `base`. `set` is applied after the overrides of the sweep itself, and
    /// before the axes.
    ///
    /// # Errors
    /// All problems, by the dotted path of the key within the sweep.
    pub fn new(sweep: &Sweep, base: &Base, set: &[String]) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut axes = axes(sweep, &mut problems);
        if let Some(seeds) = seeds(sweep, &mut problems) {
            axes.push((seeds, None));
        }
        let screen = sweep.search.as_ref().and_then(|search| search.screen);
        if let Some(screen) = screen.filter(|_| !axes.is_empty()) {
            let values =
                [screen.images, screen.then].map(|answer| ron::to_string(&answer).expect("it is RON")).to_vec();
            let places = Places::Whole("search.screen.images".to_owned());
            axes.push((SpaceAxis { key: "values.answer".to_owned(), kind: kind(&values), values, places }, None));
        }
        if axes.is_empty() && problems.is_empty() {
            problems.push(Problem::new("", "the sweep has no axes; expected at least one, or seeds or repeats"));
        }
        problems.extend(clashes(&axes));
        let mut groups: Vec<(Vec<usize>, u32)> = Vec::new();
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, (axis, zip)) in axes.iter().enumerate() {
            let values = axis.values.len() as u32;
            match zip.as_deref().and_then(|zip| by_name.get(zip)) {
                Some(&group) if groups[group].1 == values => groups[group].0.push(i),
                Some(&group) => {
                    let (first, of_first) = (&axes[groups[group].0[0]].0.key, groups[group].1);
                    let message =
                        format!("{} has {values} values and {first}, with which it varies, {of_first}", axis.key);
                    problems.push(Problem::new(format!("axes[{i}].zip"), message).hint("expected as many"));
                }
                None => {
                    by_name.extend(zip.as_deref().map(|zip| (zip, groups.len())));
                    groups.push((vec![i], values));
                }
            }
        }
        let product = groups.iter().try_fold(1_u64, |product, (_, values)| product.checked_mul((*values).into()));
        let len = product.filter(|product| *product <= MOST_POINTS).unwrap_or_else(|| {
            let sizes: Vec<String> = groups.iter().map(|(_, values)| values.to_string()).collect();
            let message = format!("{} combinations of values; expected at most {MOST_POINTS}", sizes.join(" x "));
            problems.push(Problem::new("axes", message));
            0
        });
        let problems_of_axes = problems.len();
        let keys: Vec<(&str, &[String])> = axes.iter().map(|(axis, _)| (axis.key.as_str(), &axis.values[..])).collect();
        let mut conditions = Vec::new();
        // Axes that have problems are none that a condition could name.
        for (i, condition) in sweep.conditions.iter().enumerate().filter(|_| problems_of_axes == 0) {
            match Condition::parse(&condition.drop, &keys) {
                Ok(parsed) => conditions.push((parsed, condition.reason.clone())),
                Err((message, hint)) => {
                    problems.push(Problem { path: format!("conditions[{i}].drop"), message, hint });
                }
            }
        }
        let record = record(sweep, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut space = Self {
            arch: None,
            workload: None,
            set: sweep.set.iter().chain(set).cloned().collect(),
            axes: axes.into_iter().map(|(axis, _)| axis).collect(),
            groups,
            conditions,
            record,
            base: base.clone(),
            len,
            screened: screen.is_some(),
        };
        space.arch = sweep.arch.as_deref().map(|arch| space.anchored("arch", arch));
        space.workload = sweep.workload.as_deref().map(|workload| space.anchored("workload", workload));
        if space.next(0).is_none() {
            let reasons: Vec<String> =
                space.count().dropped.iter().map(|(reason, points)| format!("{reason}: {points}")).collect();
            let message = format!("the conditions drop all {len} points ({})", reasons.join("; "));
            return Err(vec![Problem::new("conditions", message)]);
        }
        Ok(space)
    }

    /// Combinations of values, those included that conditions drop.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The axes.
    #[must_use]
    pub fn axes(&self) -> &[SpaceAxis] {
        &self.axes
    }

    /// The figures that are kept.
    #[must_use]
    pub fn record(&self) -> &[Head] {
        &self.record
    }

    /// Number of values of each coordinate: of an axis, or of axes that vary together. Screening is none.
    pub(super) fn coordinates(&self) -> Vec<u32> {
        let sizes = self.groups.iter().map(|(_, values)| *values);
        sizes.take(self.groups.len() - usize::from(self.screened)).collect()
    }

    /// The coordinates of a point.
    pub(super) fn at(&self, index: u64) -> Vec<u32> {
        let choice = self.choice(index);
        self.groups[..self.coordinates().len()].iter().map(|(axes, _)| choice[axes[0]]).collect()
    }

    /// The point at coordinates, on the images that are answered first.
    pub(super) fn number(&self, coordinates: &[u32]) -> u64 {
        let place =
            |number: u64, (at, (_, values)): (&u32, &(Vec<usize>, u32))| number * u64::from(*values) + u64::from(*at);
        coordinates.iter().zip(&self.groups).fold(0, place) * self.step()
    }

    /// Distance of the numbers of points that differ in more than the images that they answer.
    pub(super) fn step(&self) -> u64 {
        1 + u64::from(self.screened)
    }

    /// Whether a point only answers the images by which promising points are told.
    #[must_use]
    pub fn is_screening(&self, index: u64) -> bool {
        self.screened && index.is_multiple_of(2)
    }

    /// The number of the value of each axis.
    #[must_use]
    pub fn choice(&self, index: u64) -> Vec<u32> {
        let (mut rest, mut choice) = (index, vec![0; self.axes.len()]);
        for (axes, values) in self.groups.iter().rev() {
            let value = (rest % u64::from(*values)) as u32;
            rest /= u64::from(*values);
            axes.iter().for_each(|&axis| choice[axis] = value);
        }
        choice
    }

    /// The `attempt`-th of some combinations with a value of an axis: the first values of the others, then any; none where the
    /// axis varies with others that have fewer.
    pub(super) fn with_value(&self, axis: usize, value: u32, attempt: u64) -> Option<u64> {
        let mut index = 0;
        for (g, (axes, values)) in self.groups.iter().enumerate() {
            let values = u64::from(*values);
            let at = if axes.contains(&axis) {
                u64::from(value)
            } else {
                // Multiplied by 2^64 over the golden ratio, whose high bits go through all values evenly.
                let scattered = (attempt << 8 | g as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                if attempt == 0 { 0 } else { (scattered >> 32) % values }
            };
            index = index * values + at;
        }
        (index < self.len).then_some(index)
    }

    /// The number of the condition that drops a point, if one does.
    #[must_use]
    pub fn dropped(&self, index: u64) -> Option<usize> {
        if self.conditions.is_empty() {
            return None;
        }
        let choice = self.choice(index);
        self.conditions.iter().position(|(condition, _)| condition.drops(&choice))
    }

    /// Which points a condition holds for: comparisons of axes and values, as in `conditions`.
    ///
    /// # Errors
    /// What is wrong, and the remedy where it is known.
    pub fn selection(&self, condition: &str) -> Result<impl Fn(u64) -> bool + use<'_>, (String, Option<String>)> {
        let keys: Vec<(&str, &[String])> =
            self.axes.iter().map(|axis| (axis.key.as_str(), axis.values.as_slice())).collect();
        let condition = Condition::parse(condition, &keys)?;
        Ok(move |index| condition.drops(&self.choice(index)))
    }

    /// The first number from `index` on whose point is not dropped.
    #[must_use]
    pub fn next(&self, index: u64) -> Option<u64> {
        (index..self.len).find(|&index| self.dropped(index).is_none())
    }

    /// Counts the points.
    #[must_use]
    pub fn count(&self) -> Count {
        let mut dropped: Vec<(String, u64)> = self.conditions.iter().map(|(_, reason)| (reason.clone(), 0)).collect();
        let mut points = self.len;
        if !dropped.is_empty() {
            for condition in (0..self.len).filter_map(|index| self.dropped(index)) {
                dropped[condition].1 += 1;
                points -= 1;
            }
        }
        Count { points, dropped }
    }

    /// What all points have, with one value of one axis or none.
    pub(super) fn alone(&self, value: Option<(usize, usize)>) -> Point {
        let mut choice = vec![u32::MAX; self.axes.len()];
        if let Some((axis, value)) = value {
            choice[axis] = value as u32;
        }
        self.chosen(0, &choice)
    }

    /// The point of a number below [`Self::len`].
    #[must_use]
    pub fn point(&self, index: u64) -> Point {
        self.chosen(index, &self.choice(index))
    }

    /// The point called `index` that has these values of the axes, by their numbers.
    #[must_use]
    pub fn chosen(&self, index: u64, choice: &[u32]) -> Point {
        let (mut arch, mut workload) = (self.arch.clone(), self.workload.clone());
        let (mut set, mut cells) = (self.set.clone(), Vec::new());
        for (axis, value) in self.axes.iter().zip(choice) {
            // Without a value an axis leaves what the files have.
            let Some(value) = axis.values.get(*value as usize) else { continue };
            cells.push(cell(axis.kind, value));
            match axis.key.as_str() {
                "arch" => arch = Some(self.anchored("arch", value)),
                "workload" => workload = Some(self.anchored("workload", value)),
                key => set.push(format!("{key}={}", self.anchored(key, value))),
            }
        }
        Point { index, arch, workload, set, cells }
    }

    /// The value of a key that may be a file, if it is one, from the sweep's folder on; another one as it is.
    fn anchored(&self, key: &str, value: &str) -> String {
        if !FILES.contains(&key) {
            return value.to_owned();
        }
        let name = text(value);
        let file = match &self.base {
            Base::Folder(folder) => std::path::absolute(folder.join(&name)).unwrap_or_default(),
            Base::Embedded => Path::new("").to_owned(),
        };
        let found = [file.clone(), file.with_extension("ron")].into_iter().find(|file| file.is_file());
        match (found.as_deref().and_then(Path::to_str), key) {
            (Some(path), "arch" | "workload") => path.to_owned(),
            (Some(path), _) => format!("{path:?}"),
            (None, "arch" | "workload") => name,
            (None, _) => value.to_owned(),
        }
    }
}

/// A value without the quotes of a text.
fn text(value: &str) -> String {
    match tree::read(value, 0).map(|node| node.value) {
        Ok(Value::Text(text)) => text,
        _ => value.to_owned(),
    }
}

fn cell(kind: Kind, value: &str) -> Cell {
    match kind {
        Kind::Integer => value.parse().map_or(Cell::Absent, Cell::Integer),
        Kind::Real => value.parse().map_or(Cell::Absent, Cell::Real),
        Kind::Text => Cell::Text(text(value)),
    }
}

fn kind(values: &[String]) -> Kind {
    let all = |is: fn(&str) -> bool| values.iter().all(|value| is(value));
    if all(|value| value.parse::<i64>().is_ok()) {
        Kind::Integer
    } else if all(|value| value.parse::<f64>().is_ok_and(f64::is_finite)) {
        Kind::Real
    } else {
        Kind::Text
    }
}

/// The axes of a sweep that have values, with their groups.
fn axes(sweep: &Sweep, problems: &mut Vec<Problem>) -> Vec<(SpaceAxis, Option<String>)> {
    let mut axes = Vec::new();
    for (i, axis) in sweep.axes.iter().enumerate() {
        let at = format!("axes[{i}]");
        let key = axis.key.trim();
        if key.contains(['=', ' ']) {
            let message = format!("\"{key}\" is no key; expected one such as arch.adc.bits");
            problems.push(Problem::new(format!("{at}.key"), message));
        }
        match values(axis) {
            Err((below, message)) => {
                let path = if below.is_empty() { at } else { format!("{at}.{below}") };
                problems.push(Problem::new(path, format!("{}: {message}", axis.key)));
            }
            Ok((below, values)) => {
                let places = match below {
                    "values" => Places::Each(format!("{at}.values")),
                    below => Places::Whole(format!("{at}.{below}")),
                };
                let axis_of = SpaceAxis { key: key.to_owned(), kind: kind(&values), values, places };
                let mut first: BTreeMap<&str, usize> = BTreeMap::new();
                for (v, value) in axis_of.values.iter().enumerate() {
                    if axis.zip.is_none() && first.insert(value, v).is_some() {
                        problems
                            .push(Problem::new(axis_of.place(v), format!("{key}: the value {value} is given twice")));
                    }
                }
                axes.push((axis_of, axis.zip.clone()));
            }
        }
    }
    axes
}

/// The values of an axis, and the key below it that gives them; otherwise the key and what is wrong with it.
fn values(axis: &Axis) -> Result<(&'static str, Vec<String>), (&'static str, String)> {
    let given: Vec<&str> = [
        ("values", !axis.values.is_empty()),
        ("range", axis.range.is_some()),
        ("log_range", axis.log_range.is_some()),
        ("powers_of_two", axis.powers_of_two.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, given)| given.then_some(name))
    .collect();
    if given.len() != 1 {
        let found = if given.is_empty() { "found none".to_owned() } else { format!("found {}", given.join(" and ")) };
        return Err(("", format!("expected values, range, log_range or powers_of_two, one of them; {found}")));
    }
    let around = |number: String| axis.text.as_deref().map_or(number.clone(), |text| text.replace("{}", &number));
    if let Some(text) = &axis.text
        && (!text.contains("{}") || !axis.values.is_empty())
    {
        let message =
            format!("expected the text around the numbers of a range, with {{}} for the number, found {text:?}");
        return Err(("text", message));
    }
    let too_many = |most: f64| format!("{most:.0} values; expected at most {MOST_VALUES}");
    let numbers: Vec<String> = if let Some(range) = axis.range {
        if range.step <= 0.0 {
            return Err(("range", format!("step is {}; expected more than 0", range.step)));
        }
        let steps = libm::floor((range.to - range.from) / range.step * (1.0 + 1e-12) + 1e-9);
        if steps < 0.0 {
            return Err(("range", format!("the range is empty: from is {} and to is {}", range.from, range.to)));
        }
        if steps >= MOST_VALUES as f64 {
            return Err(("range", too_many(steps + 1.0)));
        }
        (0..=steps as u64).map(|step| number(range.from + step as f64 * range.step)).collect()
    } else if let Some(range) = axis.log_range {
        if !(range.from > 0.0 && range.to > range.from) {
            let message = format!("from is {} and to is {}; expected 0 < from < to", range.from, range.to);
            return Err(("log_range", message));
        }
        let last = f64::from(range.points - 1);
        let ratio = range.to / range.from;
        (0..range.points).map(|point| number(range.from * libm::pow(ratio, f64::from(point) / last))).collect()
    } else if let Some(range) = axis.powers_of_two {
        let powers = (0..u64::BITS).map(|power| 1_u64 << power);
        let powers: Vec<String> =
            powers.filter(|power| (range.from..=range.to).contains(power)).map(|power| power.to_string()).collect();
        if powers.is_empty() {
            return Err(("powers_of_two", format!("there is no power of two from {} to {}", range.from, range.to)));
        }
        powers
    } else {
        if axis.values.len() > MOST_VALUES {
            return Err(("values", too_many(axis.values.len() as f64)));
        }
        return Ok(("values", axis.values.iter().map(|value| value.0.clone()).collect()));
    };
    let name = ["range", "log_range", "powers_of_two"].into_iter().find(|name| given[0] == *name).unwrap_or("range");
    Ok((name, numbers.into_iter().map(around).collect()))
}

/// A number with at most twelve digits, which hide what sums of decimal fractions are off.
fn number(value: f64) -> String {
    let rounded: f64 = format!("{value:.11e}").parse().unwrap_or(value);
    rounded.to_string()
}

/// The axis of the seeds, if there are any.
fn seeds(sweep: &Sweep, problems: &mut Vec<Problem>) -> Option<SpaceAxis> {
    if !sweep.seeds.is_empty() && sweep.repeats.is_some() {
        problems.push(Problem::new(
            "repeats",
            "repeats count the seeds from 1 on, and seeds gives them; expected one of both",
        ));
        return None;
    }
    let (values, places): (Vec<String>, Places) = match sweep.repeats {
        Some(repeats) => ((1..=repeats).map(|seed| seed.to_string()).collect(), Places::Whole("repeats".to_owned())),
        None => (sweep.seeds.iter().map(u64::to_string).collect(), Places::Each("seeds".to_owned())),
    };
    (!values.is_empty()).then(|| SpaceAxis { key: "seed".to_owned(), kind: kind(&values), values, places })
}

/// Axes of the same key, and those that replace what an earlier one has set.
fn clashes(axes: &[(SpaceAxis, Option<String>)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (i, (axis, _)) in axes.iter().enumerate() {
        let place = axis.key_place();
        for (earlier, _) in &axes[..i] {
            if earlier.key == axis.key {
                let message = format!("there are two axes of {}; expected one", axis.key);
                problems.push(Problem::new(place.clone(), message));
                break;
            }
            let below = earlier.key.strip_prefix(axis.key.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']));
            if below && !["arch", "workload"].contains(&axis.key.as_str()) {
                let message =
                    format!("{} comes after {}, which it replaces; expected it before", axis.key, earlier.key);
                problems.push(Problem::new(place.clone(), message));
                break;
            }
        }
    }
    problems
}

/// The figures that are kept.
fn record(sweep: &Sweep, problems: &mut Vec<Problem>) -> Vec<Head> {
    if sweep.record.is_empty() {
        return figures::heads().cloned().collect();
    }
    for (i, name) in sweep.record.iter().enumerate() {
        let path = format!("record[{i}]");
        if !figures::heads().any(|head| head.name == *name) {
            let names = figures::heads().map(|head| head.name.as_str());
            let near = nearest(name, names).map(|near| format!("did you mean \"{near}\"?"));
            let message = format!("\"{name}\" is no figure; `crossbayes sweep figures` lists them");
            problems.push(Problem { path, message, hint: near });
        } else if sweep.record[..i].contains(name) {
            problems.push(Problem::new(path, format!("\"{name}\" is named twice")));
        }
    }
    figures::heads().filter(|head| sweep.record.contains(&head.name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_sweep;

    fn space(text: &str) -> Result<Space, Vec<Problem>> {
        let opened = parse_sweep("test.ron", text, Base::Embedded).unwrap_or_else(|errors| panic!("{errors}"));
        Space::new(&opened.sweep, &opened.base, &[])
    }

    fn values(axis: &str) -> Vec<String> {
        space(&format!("(name: \"s\", axes: [(key: \"k\", {axis})])")).unwrap().axes()[0].values.clone()
    }

    #[test]
    fn axes_have_the_values_that_they_say() {
        assert_eq!(values("range: (from: 4, to: 6)"), ["4", "5", "6"]);
        assert_eq!(values("range: (from: 0, to: 0.3, step: 0.1)"), ["0", "0.1", "0.2", "0.3"]);
        assert_eq!(values("range: (from: 1, to: 2, step: 0.4)"), ["1", "1.4", "1.8"]);
        assert_eq!(values("log_range: (from: 0.01, to: 1, points: 3)"), ["0.01", "0.1", "1"]);
        assert_eq!(values("powers_of_two: (from: 3, to: 32)"), ["4", "8", "16", "32"]);
        assert_eq!(values("range: (from: 1, to: 2), text: \"Above(0.{})\""), ["Above(0.1)", "Above(0.2)"]);
        let given = "values: [1, \"10 ns\", Layer(\"fc1\"), (a: 1, b: [2.5, true]), {\"x\": None}]";
        assert_eq!(values(given), ["1", "\"10 ns\"", "Layer(\"fc1\")", "(a: 1, b: [2.5, true])", "{\"x\": None}"]);
    }

    #[test]
    fn the_last_axis_varies_fastest_and_zipped_ones_together() {
        let text =
            "(name: \"s\", workload: \"digits\", set: [\"c=0\"], axes: [(key: \"a\", values: [1, 2], zip: \"g\"),
            (key: \"arch\", values: [\"x\", \"y\", \"z\"]), (key: \"b\", values: [3.5, 4], zip: \"g\")], repeats: 2)";
        let space = space(text).unwrap();
        assert_eq!(space.len(), 12);
        let point = space.point(9);
        assert_eq!(point.set, ["c=0", "a=2", "b=4", "seed=2"]);
        assert_eq!((point.arch.as_deref(), point.workload.as_deref()), (Some("y"), Some("digits")));
        let cells = [Cell::Integer(2), Cell::Text("y".to_owned()), Cell::Real(4.0), Cell::Integer(2)];
        assert_eq!(point.cells, cells);
        assert_eq!(space.choice(0), [0, 0, 0, 0]);
        assert_eq!(space.choice(1), [0, 0, 0, 1]);
        assert_eq!(space.choice(2), [0, 1, 0, 0]);
    }

    #[test]
    fn dropped_points_are_counted_by_reason() {
        let text = "(name: \"s\", axes: [(key: \"a\", values: [1, 2, 3]), (key: \"b\", values: [1, 2, 3])],
            conditions: [(drop: \"a > b\", reason: \"first\"), (drop: \"a == 3 and b >= 2\", reason: \"second\")])";
        let space = space(text).unwrap();
        let count = space.count();
        assert_eq!((count.points, &count.dropped[..]), (5, &[("first".to_owned(), 3), ("second".to_owned(), 1)][..]));
        assert_eq!((space.next(3), space.next(8)), (Some(4), None));
    }

    #[test]
    fn what_is_no_space_is_told_with_its_place() {
        let axis = |axis: &str| format!("(name: \"s\", axes: [{axis}])");
        let one = "(key: \"a\", values: [1])";
        for (text, path, message) in [
            ("(name: \"s\")".to_owned(), "", "the sweep has no axes"),
            (axis("(key: \"a\")"), "axes[0]", "one of them; found none"),
            (axis("(key: \"a\", values: [])"), "axes[0]", "one of them; found none"),
            (axis("(key: \"a\", values: [1], range: (from: 1, to: 2))"), "axes[0]", "found values and range"),
            (axis("(key: \"a\", range: (from: 3, to: 2))"), "axes[0].range", "the range is empty"),
            (axis("(key: \"a\", range: (from: 1, to: 2, step: 0))"), "axes[0].range", "step is 0"),
            (axis("(key: \"a\", range: (from: 0, to: 1, step: 1e-9))"), "axes[0].range", "1000000001 values; expected"),
            (
                axis("(key: \"a\", log_range: (from: 0, to: 1, points: 3))"),
                "axes[0].log_range",
                "expected 0 < from < to",
            ),
            (axis("(key: \"a\", powers_of_two: (from: 5, to: 7))"), "axes[0].powers_of_two", "no power of two from 5"),
            (axis("(key: \"a\", values: [1], text: \"{}\")"), "axes[0].text", "the text around the numbers of a range"),
            (axis("(key: \"a\", values: [1, 2, 1])"), "axes[0].values[2]", "a: the value 1 is given twice"),
            (axis("(key: \"a=1\", values: [1])"), "axes[0].key", "\"a=1\" is no key"),
            (axis(&format!("{one}, {one}")), "axes[1].key", "there are two axes of a"),
            (
                axis(&format!("(key: \"a.b\", values: [1]), {one}")),
                "axes[1].key",
                "a comes after a.b, which it replaces",
            ),
            (
                axis("(key: \"a\", values: [1], zip: \"z\"), (key: \"b\", values: [1, 2], zip: \"z\")"),
                "axes[1].zip",
                "b has 2 values and a, with which it varies, 1",
            ),
            (
                axis(&["a", "b", "c"].map(|key| format!("(key: \"{key}\", range: (from: 1, to: 2000))")).join(", ")),
                "axes",
                "2000 x 2000 x 2000 combinations of values; expected at most 1000000000",
            ),
            (format!("(name: \"s\", axes: [{one}], seeds: [1], repeats: 2)"), "repeats", "expected one of both"),
            ("(name: \"s\", axes: [(key: \"seed\", values: [1])], seeds: [1])".to_owned(), "seeds", "two axes of seed"),
            (format!("(name: \"s\", axes: [{one}], record: [\"enrgy_j\"])"), "record[0]", "\"enrgy_j\" is no figure"),
            (
                format!("(name: \"s\", axes: [{one}], conditions: [(drop: \"a == 1\", reason: \"none wanted\")])"),
                "conditions",
                "the conditions drop all 1 points (none wanted: 1)",
            ),
            (
                format!("(name: \"s\", axes: [{one}], conditions: [(drop: \"b.c == 1\", reason: \"x\")])"),
                "conditions[0].drop",
                "\"b.c\" is no axis; expected one of a",
            ),
        ] {
            let problems = space(&text).unwrap_err();
            assert!(
                problems.iter().any(|problem| problem.path == path && problem.message.contains(message)),
                "{text}: {problems:?}"
            );
        }
    }
}
