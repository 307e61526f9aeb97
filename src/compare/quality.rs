//! Quality as a picture: answers, sampled synapses and energy over the first ensembling layer, a line for each eps.

use crate::compare::label::Part;
use crate::compare::{Comparison, Row};
use crate::error::Error;
use crate::functional::metrics::wilson;
use crate::plot::Picture;
use crate::plot::palette::INK;
use crate::plot::panels::{Contents, Panel, Point, Scale, line_colour, picture};
use crate::plot::picture::Colour;
use crate::report::quantity::grouped;

/// What a chart shows: its title, unit, scale and value, and the ends of the value's error bar.
type Chart = (&'static str, &'static str, Scale, fn(&Row) -> Option<f64>, fn(&Row) -> Option<(f64, f64)>);

const CHARTS: [Chart; 6] = [
    ("accuracy; bars: standard error (Wilson)", "%", Scale::Range, |row| row.outputs.as_ref()?.accuracy, error),
    ("expected calibration error", "", Scale::Range, |row| row.outputs.as_ref()?.ece, |_| None),
    ("negative log-likelihood (nats)", "", Scale::Range, |row| row.outputs.as_ref()?.nll, |_| None),
    ("mutual information (nats)", "", Scale::FromZero, |row| row.outputs.as_ref()?.mutual_information, |_| None),
    ("sampled synapses", "", Scale::Logarithmic, |row| Some(row.sampled_synapses? as f64), |_| None),
    ("energy of an image", "J", Scale::FromZero, |row| row.energy_j, |_| None),
];

/// Ends of the error bar of the accuracy.
fn error(row: &Row) -> Option<(f64, f64)> {
    let outputs = row.outputs.as_ref()?;
    Some(wilson(outputs.accuracy?, f64::from(outputs.images)))
}

impl Comparison {
    /// Whether a picture of quality can show these rows, with figures or without.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if rows differ in anything but scheme, first ensembling layer and eps.
    pub fn check_quality(&self) -> Result<(), Error> {
        let (varying, _) = self.varying();
        if let Some(part) = varying.iter().find(|part| !["scheme", "L0", "eps"].contains(&part.head)) {
            let message = format!(
                "a picture of quality has rows that differ in scheme, first ensembling layer and eps; these differ in {}",
                part.name
            );
            return Err(Error::Config(message));
        }
        Ok(())
    }

    /// Charts over the first ensembling layer, those of answers only where there are any.
    ///
    /// # Errors
    /// As [`check_quality`](Self::check_quality), and if no row has figures.
    pub fn quality(&self) -> Result<Picture, Error> {
        self.check_quality()?;
        let (_, same) = self.varying();
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.problem.is_none()).collect();
        let mut layers: Vec<(usize, &str)> =
            rows.iter().filter_map(|row| Some((row.first_layer?, row.first_ensembling_layer.as_deref()?))).collect();
        layers.sort_unstable();
        layers.dedup();
        let mut eps: Vec<Option<f64>> =
            rows.iter().filter(|row| row.first_layer.is_some()).map(|row| row.eps).collect();
        eps.sort_by(|a, b| a.unwrap_or(-1.0).total_cmp(&b.unwrap_or(-1.0)));
        eps.dedup();
        let none = rows.iter().any(|row| row.first_layer.is_none());
        let Some(first) = rows.first() else {
            return Err(Error::Config("a picture of quality: no row has figures".to_owned()));
        };
        let categories: Vec<String> =
            layers.iter().map(|(_, name)| (*name).to_owned()).chain(none.then(|| "none".to_owned())).collect();
        let mut legend: Vec<(Colour, String)> = eps
            .iter()
            .enumerate()
            .map(|(index, eps)| match eps {
                None => (line_colour(index), "all synapses sampled".to_owned()),
                Some(eps) => (line_colour(index), format!("{eps} < p < {}", 1.0 - eps)),
            })
            .collect();
        if none {
            legend.push((INK, "nothing sampled".to_owned()));
        }
        let panels = CHARTS.iter().filter_map(|(title, unit, scale, of, error)| {
            let line = |here: &dyn Fn(&Row) -> bool| {
                let mut points: Vec<Point> = rows
                    .iter()
                    .filter(|row| here(row))
                    .filter_map(|row| {
                        let value = of(row)?;
                        let category = match row.first_layer {
                            None => layers.len(),
                            Some(layer) => layers.iter().position(|(index, _)| *index == layer)?,
                        };
                        Some(Point { category, value, error: error(row).unwrap_or((value, value)) })
                    })
                    .collect();
                points.sort_by_key(|point| point.category);
                points
            };
            let mut lines: Vec<Vec<Point>> =
                eps.iter().map(|eps| line(&|row| row.first_layer.is_some() && row.eps == *eps)).collect();
            if none {
                lines.push(line(&|row| row.first_layer.is_none()));
            }
            let panel = Panel { title: (*title).to_owned(), unit, scale: *scale, lines };
            (!panel.lines.iter().all(Vec::is_empty)).then_some(panel)
        });
        let panels: Vec<Panel> = panels.collect();
        let same = same.iter().filter(|part| ["network", "chip", "T"].contains(&part.head));
        let text = |part: &Part| {
            let text = self.rows.iter().find_map(|row| part.text(row))?;
            Some(if part.head == "T" { format!("{text} members") } else { text })
        };
        let mut of_runs: Vec<String> = same.filter_map(text).collect();
        if let Some(outputs) = &first.outputs {
            of_runs.push(format!("{} images", grouped(u64::from(outputs.images))));
        }
        Ok(picture(&Contents {
            title: "Answers and cost over the first layer that is sampled",
            subtitle: &of_runs.join(", "),
            legend: &legend,
            categories: &categories,
            axis: "first ensembling layer",
            panels: &panels,
        }))
    }
}
