//! A comparison as a table for people: plain ASCII, at most 100 columns. A row of the comparison is a line in each of its
//! blocks.

use crate::compare::limits;
use crate::compare::{Comparison, Row};
use crate::report::efficiency::GOPS_DEFINITION;
use crate::report::quantity::{grouped, si, significant, square_millimetres};
use crate::report::table::{aligned, cut, line, title};
use std::fmt;

/// Longest label of a line: with it the widest block takes 100 columns.
const LABEL: usize = 34;

/// A column of a block: its head, and its text in a row.
type Column<'a> = (&'a str, Box<dyn Fn(&Row) -> Option<String> + 'a>);

/// The table without the definitions of its figures.
#[derive(Debug, Clone, Copy)]
pub struct Figures<'a>(pub &'a Comparison);

impl fmt::Display for Figures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.figures(f)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.figures(f)?;
        if self.reference.is_none() {
            return Ok(());
        }
        title(f, "Definitions")?;
        let definitions = [
            ("ratio", "figure of the row divided by that of the row named"),
            (
                "sampled",
                "synapses that are drawn for each member; stored: places for synapses in stochastic planes; probabilistic: 0.05 < p < 0.95",
            ),
            ("GOPS/W", GOPS_DEFINITION),
            ("distance", limits::DEFINITION),
        ];
        definitions.iter().try_for_each(|(name, text)| line(f, name, text))
    }
}

/// A number of things with four digits.
fn si_count(number: u64) -> String {
    if number < 10_000 { grouped(number) } else { si(number as f64, "") }
}

fn column<'a>(head: &'a str, text: impl Fn(&Row) -> Option<String> + 'a) -> Column<'a> {
    (head, Box::new(text))
}

impl Comparison {
    fn figures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows(f)?;
        let labels = self.labels(LABEL);
        let Some(reference) = self.reference else { return Ok(()) };
        let ratio =
            |name: &'static str| column("ratio", move |row| row.ratio.get(name).map(|ratio| significant(*ratio)));
        let to = format!("ratios to row {}", reference + 1);
        let blocks: [(String, Vec<Column<'_>>); 4] = [
            (
                format!("Energy of an image, mean power, area, latency; {to}"),
                vec![
                    column("energy", |row| Some(si(row.energy_j?, "J"))),
                    ratio("energy"),
                    column("power", |row| Some(si(row.power_w?, "W"))),
                    ratio("power"),
                    column("area", |row| Some(square_millimetres(row.area_mm2?))),
                    ratio("area"),
                    column("latency", |row| Some(si(row.latency_s?, "s"))),
                    ratio("latency"),
                ],
            ),
            (
                format!("Steady state: interval between images, efficiency; arrays; {to}"),
                vec![
                    column("interval", |row| {
                        let cycles = row.initiation_interval_cycles? as f64;
                        Some(si(cycles * row.latency_s? / row.latency_cycles? as f64, "s"))
                    }),
                    ratio("initiation_interval"),
                    column("GOPS/W", |row| Some(significant(row.gops_per_w?))),
                    ratio("gops_per_w"),
                    column("GOPS/W/mm2", |row| Some(significant(row.gops_per_w_per_mm2?))),
                    ratio("gops_per_w_per_mm2"),
                    column("arrays", |row| Some(grouped(row.arrays?))),
                    ratio("arrays"),
                ],
            ),
            (
                format!("Synapses and random bits of an image; {to}"),
                vec![
                    column("sampled", |row| Some(si_count(row.sampled_synapses?))),
                    ratio("sampled_synapses"),
                    column("stored", |row| Some(si_count(row.stored_synapses?))),
                    ratio("stored_synapses"),
                    column("probabilistic", |row| Some(si_count(row.probabilistic_synapses?))),
                    column("random bits", |row| Some(si_count(row.random_bits?))),
                    ratio("random_bits"),
                ],
            ),
            (
                format!("Answers; {to}"),
                vec![
                    column("accuracy", |row| Some(format!("{:.2} %", row.outputs.as_ref()?.accuracy? * 100.0))),
                    ratio("accuracy"),
                    column("ECE", |row| Some(format!("{:.4}", row.outputs.as_ref()?.ece?))),
                    ratio("ece"),
                    column("NLL", |row| Some(format!("{:.4}", row.outputs.as_ref()?.nll?))),
                    ratio("nll"),
                    column("mutual inf.", |row| Some(format!("{:.4}", row.outputs.as_ref()?.mutual_information?))),
                    ratio("mutual_information"),
                ],
            ),
        ];
        for (title, columns) in &blocks {
            self.block(f, &labels, title, columns)?;
        }
        self.limits(f, &labels)
    }
}

impl Comparison {
    /// What is compared.
    fn rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = format!("Comparison of {} rows", self.rows.len());
        writeln!(f, "{heading}\n{}", "=".repeat(heading.len()))?;
        let (varying, same) = self.varying();
        for part in same {
            if let Some(text) = self.rows.iter().find_map(|row| part.text(row)).filter(|text| text != "no") {
                line(f, part.name, &text)?;
            }
        }
        let heads = varying.iter().map(|part| part.head.to_owned());
        let mut grid = vec![[String::new()].into_iter().chain(heads).collect::<Vec<_>>()];
        for (index, row) in self.rows.iter().enumerate() {
            let number = format!("{}{}", index + 1, if row.problem.is_some() { " *" } else { "" });
            let cells = varying.iter().map(|part| part.text(row).map_or("-".to_owned(), |text| cut(&text)));
            grid.push([number].into_iter().chain(cells).collect());
        }
        writeln!(f)?;
        indented(f, &grid)?;
        for (index, row) in self.rows.iter().enumerate() {
            if let Some(run) = &row.run {
                line(f, &format!("row {}", index + 1), &format!("stored run {run}"))?;
            }
            if let Some(problem) = &row.problem {
                line(f, &format!("* row {}", index + 1), problem)?;
            }
        }
        Ok(())
    }

    /// Columns of figures; nothing where no row has one.
    fn block(
        &self,
        f: &mut fmt::Formatter<'_>,
        labels: &[String],
        heading: &str,
        columns: &[Column<'_>],
    ) -> fmt::Result {
        let rows: Vec<Vec<Option<String>>> =
            self.rows.iter().map(|row| columns.iter().map(|(_, text)| text(row)).collect()).collect();
        if rows.iter().flatten().all(Option::is_none) {
            return Ok(());
        }
        title(f, heading)?;
        let mut grid =
            vec![[""].into_iter().chain(columns.iter().map(|(head, _)| *head)).map(str::to_owned).collect::<Vec<_>>()];
        for (label, cells) in labels.iter().zip(rows) {
            let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
            grid.push([label.clone()].into_iter().chain(cells).collect());
        }
        indented(f, &grid)
    }

    fn limits(&self, f: &mut fmt::Formatter<'_>, labels: &[String]) -> fmt::Result {
        let times =
            |of: fn(&limits::Limits) -> Option<f64>| move |row: &Row| row.limits.as_ref().and_then(of).map(significant);
        let columns: Vec<Column<'_>> = vec![
            column("energy", times(|limits| limits.energy)),
            column("converters", times(|limits| limits.converters)),
            column("cells", times(|limits| limits.cells)),
            column("random bits", times(|limits| limits.random_bits)),
            column("MAC", |row| Some(si(row.limits.as_ref()?.mac_j?, "J"))),
            column("of core", times(|limits| limits.of_measured_core)),
            column("of conv.", times(|limits| limits.of_best_conversion)),
        ];
        let heading = "Distance to physical limits (1: at the limit), and to the best that was measured";
        self.block(f, labels, heading, &columns)
    }
}

fn indented(f: &mut fmt::Formatter<'_>, grid: &[Vec<String>]) -> fmt::Result {
    aligned(grid).lines().try_for_each(|line| writeln!(f, "  {line}"))
}
