//! Pictures of the best points of sweeps.

use super::{Answer, unit, written};
use crate::error::{Error, nearest};
use crate::plot::palette::{BLUE, GRID, ORANGE};
use crate::plot::parallel::{self, Along};
use crate::plot::picture::Colour;
use crate::plot::scatter::{self, Quantity, Series};
use crate::plot::{Picture, heat, tornado};
use crate::report::quantity::grouped;
use crate::sweep::Cell;
use crate::sweep::pareto::{Direction, Objective, numbers};
use std::collections::BTreeSet;

impl Answer<'_> {
    /// Whose points they are, and within which bounds.
    fn subtitle(&self) -> String {
        let bounds: Vec<String> = self.bounds.iter().map(ToString::to_string).collect();
        match bounds.is_empty() {
            true => self.of.clone(),
            false => format!("{}; bounds: {}", self.of, bounds.join(", ")),
        }
    }

    /// All points over the first two objectives.
    pub(super) fn scatter(&self) -> Picture {
        let [x, y] = [&self.objectives[0], &self.objectives[1]];
        let [across, up] = [x, y].map(|objective| numbers(self.rows, &objective.figure));
        let kinds = self.kinds().into_iter().map(|(colour, name, rows)| Series {
            colour,
            name,
            points: rows.iter().filter_map(|&row| across[row].zip(up[row])).collect(),
        });
        let all: Vec<Series> = kinds.collect();
        let title = |objective: &Objective| {
            let adjective = if objective.direction == Direction::Max { "large" } else { "small" };
            format!("{adjective} {}", objective.figure)
        };
        let names: Vec<String> = self.objectives.iter().map(title).collect();
        scatter::picture(&scatter::Contents {
            title: &format!("Front: {}", names.join(", ")),
            subtitle: &self.subtitle(),
            axes: [x, y].map(|objective| Quantity { name: &objective.figure, unit: unit(&objective.figure) }),
            series: &all,
            // Of more objectives the front is no line.
            stairs: self.objectives.len() == 2,
        })
    }

    pub(super) fn tornado(&self) -> Picture {
        let goals: Vec<&str> = self.objectives.iter().map(|objective| objective.figure.as_str()).collect();
        let axes: Vec<_> = self.moved.iter().map(|moved| (moved.axes.join("\n"), moved.spread.clone())).collect();
        tornado::picture(&self.of, &goals, &axes)
    }

    /// Rows in the order in which they are drawn, with their colour and what they are.
    fn kinds(&self) -> Vec<(Colour, String, &[usize])> {
        let found = &self.found;
        let within = if self.bounds.is_empty() { "points" } else { "within the bounds" };
        let kinds: [(Colour, &str, &[usize]); 3] = [
            (GRID, "outside of the bounds", &found.outside),
            (BLUE[1], within, &found.within),
            (ORANGE[0], "front", &found.front),
        ];
        let drawn = kinds.into_iter().filter(|(colour, _, rows)| *colour != GRID || !rows.is_empty());
        drawn.map(|(colour, name, rows)| (colour, format!("{name} ({})", grouped(rows.len() as u64)), rows)).collect()
    }

    /// The values of an axis, numbers in their order and texts as they come, and which one each row has.
    fn values(&self, axis: &str) -> (Vec<String>, Vec<usize>) {
        let cells: Vec<Cell> = (0..self.rows.rows()).map(|row| self.cell(row, axis)).collect();
        let mut values: Vec<&Cell> = Vec::new();
        for cell in &cells {
            if !values.contains(&cell) {
                values.push(cell);
            }
        }
        let number = |cell: &Cell| match cell {
            Cell::Integer(value) => *value as f64,
            Cell::Real(value) => *value,
            _ => 0.0,
        };
        values.sort_by(|a, b| number(a).total_cmp(&number(b)));
        let places = cells.iter().map(|cell| values.iter().position(|value| *value == cell).unwrap_or(0)).collect();
        let name = |cell: &&Cell| match cell {
            Cell::Absent => "-".to_owned(),
            cell => cell.to_string(),
        };
        let names: Vec<String> = values.iter().map(name).collect();
        // `fc1` instead of `Layer("fc1")`, where that says as much.
        let held: Vec<String> = names.iter().map(|name| held(name).to_owned()).collect();
        let differ = held.iter().collect::<BTreeSet<_>>().len() == held.len();
        (if differ { held } else { names }, places)
    }

    /// Points as lines: axes that vary, in the order of the sweep, then the objectives.
    pub(super) fn parallel(&self) -> Picture {
        let varies = |axis: &&&str| self.moved.iter().any(|moved| moved.axes[0] == **axis);
        let axes: Vec<(&str, Vec<String>, Vec<usize>)> = self
            .axes
            .iter()
            .filter(varies)
            .map(|axis| {
                let (values, places) = self.values(axis);
                (*axis, values, places)
            })
            .collect();
        let goals: Vec<Vec<Option<f64>>> =
            self.objectives.iter().map(|objective| numbers(self.rows, &objective.figure)).collect();
        let of_axes = axes.iter().map(|(name, values, _)| Along::Values { name: short(name), values });
        let of_goals =
            self.objectives.iter().map(|of| Along::Numbers(Quantity { name: &of.figure, unit: unit(&of.figure) }));
        let point = |&row: &usize| -> Vec<f64> {
            let places = axes.iter().map(|(.., places)| places[row] as f64);
            places.chain(goals.iter().filter_map(|values| values[row])).collect()
        };
        let series = self.kinds().into_iter().map(|(colour, name, rows)| parallel::Series {
            colour,
            name,
            points: rows.iter().map(point).collect(),
        });
        parallel::picture(&parallel::Contents {
            title: "Points over all axes and objectives",
            subtitle: &self.subtitle(),
            axes: &of_axes.chain(of_goals).collect::<Vec<_>>(),
            series: &series.collect::<Vec<_>>(),
        })
    }

    /// The axes of the heat map: those that are asked for, otherwise those that move the first objective most.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if there are no two such axes.
    pub(super) fn over(&self, asked: &[String]) -> Result<[&str; 2], Error> {
        let refused = |message: String| Err(Error::Config(message));
        if asked.is_empty() {
            return match &self.moved[..] {
                [first, second, ..] => Ok([&first.axes[0], &second.axes[0]]),
                _ => refused("--heat: expected a sweep with two axes that vary by themselves".to_owned()),
            };
        }
        let [first, second] = asked else { return refused(format!("--over {}: expected two axes", asked.join(","))) };
        let known = |name: &String| match self.axes.iter().find(|axis| **axis == name.trim()) {
            Some(axis) => Ok(*axis),
            None => {
                let near = nearest(name, self.axes.iter().copied());
                let help = near.map_or(String::new(), |near| format!("\nhelp: did you mean {near}?"));
                Err(Error::Config(format!("--over {name}: expected an axis: {}{help}", self.axes.join(", "))))
            }
        };
        match (known(first)?, known(second)?) {
            (first, second) if first == second => {
                refused(format!("--over {first},{second}: expected two different axes"))
            }
            (first, second) => Ok([first, second]),
        }
    }

    /// The best value of the first objective for each pair of values of two axes.
    pub(super) fn heat(&self, over: [&str; 2]) -> Picture {
        let goal = &self.objectives[0];
        let costs = numbers(self.rows, &goal.figure);
        let [(across, columns), (down, rows)] = over.map(|axis| self.values(axis));
        let mut cells: Vec<Option<(f64, String)>> = vec![None; across.len() * down.len()];
        for &row in &self.found.within {
            let Some(value) = costs[row] else { continue };
            let cell = &mut cells[rows[row] * across.len() + columns[row]];
            let better = |known: f64| if goal.direction == Direction::Max { value > known } else { value < known };
            if cell.as_ref().is_none_or(|(known, _)| better(*known)) {
                *cell = Some((value, written(&goal.figure, value)));
            }
        }
        let most = if goal.direction == Direction::Max { "Largest" } else { "Smallest" };
        let within = if self.bounds.is_empty() { "" } else { " within the bounds" };
        heat::picture(&heat::Contents {
            title: &format!("{most} {}{within}", goal.figure),
            subtitle: &self.subtitle(),
            axes: over,
            values: [&across, &down],
            cells: &cells,
        })
    }
}

/// What a variant holds; anything else as it is.
fn held(value: &str) -> &str {
    let inner = value.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(value, |inner| inner.trim_matches('"'))
}

/// The last part of a key.
fn short(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
