//! `sweep pareto`: the best points of sweeps, and what each axis does.

use super::text::aligned;
use super::{Failure, Format, Global, discard_on_signals, print};
use crate::error::Error;
use crate::plot::{Picture, paint};
use crate::report::quantity::{grouped, percent, si, significant, square_millimetres};
use crate::sweep::pareto::{self, Bound, Found, Moved, Objective, numbers};
use crate::sweep::{Cell, Folder, Table, merge};
use crate::whole;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

mod pictures;

/// Arguments of `sweep pareto`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The front: points within the bounds that no other of them dominates, which is to be as good in all objectives and
better in one. Equal points are all on it.

The spread of an objective over an axis: the mean, over all groups of points that differ in nothing but this axis, of
(max - min) / |mean| of the objective. All points with the figure count, within the bounds or not. Axes that only vary
together are one.

Short names: energy (energy_j), latency (latency_cycles), interval (initiation_interval_cycles), area (area_mm2), power (power_w),
throughput (images_per_s). Axes of numbers may be bounded too.

Examples:
  crossbayes sweep pareto digits --objectives energy,accuracy
  crossbayes sweep pareto digits --objectives energy,latency --subject-to \"accuracy>=0.9\" --subject-to \"area<=10\"
  crossbayes sweep pareto digits --objectives energy,max:entropy --csv front.csv --picture front.svg --png"
)]
pub(super) struct Args {
    /// Folders of complete sweeps with the same columns.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Figures that are to be small or large, each in the direction that is better, or as `min:` or `max:` before it says.
    #[arg(long, required = true, value_name = "FIGURE", value_delimiter = ',')]
    objectives: Vec<String>,
    /// Points that count, by their axes as in the `conditions` of a sweep file: `arch.costs == mine and arch.adc.bits < 8`.
    #[arg(long = "where", value_name = "CONDITION")]
    only: Option<String>,
    /// Bound of a figure, e.g. `accuracy>=0.9`; may be given several times.
    #[arg(long, value_name = "BOUND")]
    subject_to: Vec<String>,
    /// The front as CSV file; an earlier one is replaced.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Points over the first two objectives with the front, as SVG; an earlier one is replaced.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Spreads of the objectives over the axes, as SVG; an earlier one is replaced.
    #[arg(long, value_name = "FILE")]
    tornado: Option<PathBuf>,
    /// Points as lines over all axes and objectives, as SVG; an earlier one is replaced.
    #[arg(long, value_name = "FILE")]
    parallel: Option<PathBuf>,
    /// The best value of the first objective within the bounds over two axes, as SVG; an earlier one is replaced.
    #[arg(long, value_name = "FILE")]
    heat: Option<PathBuf>,
    /// The axes of `--heat`; without it the two with the largest spread.
    #[arg(long, value_name = "AXIS,AXIS", value_delimiter = ',', requires = "heat")]
    over: Vec<String>,
    /// The pictures as PNG too, beside the SVG.
    #[arg(long)]
    png: bool,
}

/// What was asked, and what was found.
struct Answer<'a> {
    rows: &'a Table,
    axes: &'a [&'a str],
    objectives: &'a [Objective],
    bounds: &'a [Bound],
    /// Figures that are shown of a point: of the objectives, then of the bounds.
    figures: Vec<&'a str>,
    found: Found,
    moved: Vec<Moved>,
    /// Names of the sweeps.
    of: String,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    args.check()?;
    let folders = args.folders.iter().map(|folder| Folder::open(folder)).collect::<Result<Vec<_>, _>>()?;
    let heads = merge::columns(&folders)?;
    let refused = |flag: &str, text: &str, message: String| Error::Config(format!("{flag} {text}: {message}"));
    let parsed =
        |text: &String| Objective::parse(text, heads).map_err(|message| refused("--objectives", text.trim(), message));
    let objectives = args.objectives.iter().map(parsed).collect::<Result<Vec<_>, _>>()?;
    for (index, objective) in objectives.iter().enumerate() {
        if objectives[..index].iter().any(|earlier| earlier.figure == objective.figure) {
            return Err(Error::Config(format!("--objectives: {} is there twice", objective.figure)).into());
        }
    }
    let parsed = |text: &String| Bound::parse(text, heads).map_err(|message| refused("--subject-to", text, message));
    let bounds = args.subject_to.iter().map(parsed).collect::<Result<Vec<_>, _>>()?;
    let axes = merge::axes(&folders);
    let goals: Vec<&str> = objectives.iter().map(|objective| objective.figure.as_str()).collect();
    let mut figures = goals.clone();
    for bound in &bounds {
        if !figures.contains(&bound.figure.as_str()) && !axes.contains(&bound.figure.as_str()) {
            figures.push(&bound.figure);
        }
    }
    let rows = merge::rows(&folders, &figures, args.only.as_deref())?;
    let asked = goals.iter().copied().chain(bounds.iter().map(|bound| bound.figure.as_str()));
    if let Some(none) = asked.into_iter().find(|figure| numbers(&rows, figure).iter().all(Option::is_none)) {
        let message = format!("no point of the sweep has the figure {none}, expected one that its runs have");
        return Err(Error::Config(message).into());
    }
    let mut of: Vec<&str> = folders.iter().map(|folder| folder.plan().name.as_str()).collect();
    of.dedup();
    let answer = Answer {
        found: pareto::find(&rows, &objectives, &bounds),
        moved: pareto::sensitivity(&rows, &axes, &goals),
        rows: &rows,
        axes: &axes,
        objectives: &objectives,
        bounds: &bounds,
        figures,
        of: args.only.iter().fold(of.join(", "), |of, only| format!("{of}, where {only}")),
    };
    if answer.found.within.is_empty() && answer.found.outside.is_empty() {
        return Err(Error::Config("no point of the sweep has all of the figures at once".to_owned()).into());
    }
    let mut files = Vec::new();
    if let Some(csv) = &args.csv {
        files.push((csv.clone(), answer.csv()?));
    }
    let mut draw = |place: &Option<PathBuf>, picture: &dyn Fn() -> Picture| -> Result<(), Error> {
        let Some(place) = place else { return Ok(()) };
        let picture = picture();
        files.push((place.clone(), paint::svg(&picture)?.into_bytes()));
        if args.png {
            files.push((place.with_extension("png"), paint::png(&picture)?));
        }
        Ok(())
    };
    draw(&args.picture, &|| answer.scatter())?;
    draw(&args.tornado, &|| answer.tornado())?;
    draw(&args.parallel, &|| answer.parallel())?;
    if args.heat.is_some() {
        let over = answer.over(&args.over)?;
        draw(&args.heat, &|| answer.heat(over))?;
    }
    discard_on_signals()?;
    for (place, contents) in &files {
        whole::write(place, contents, true)?;
    }
    print(&match global.format {
        Format::Json => format!("{:#}\n", answer.json()),
        Format::Table => answer.text(),
    })?;
    if !files.is_empty() {
        let written: Vec<String> = files.iter().map(|(place, _)| place.display().to_string()).collect();
        global.say(&format!("wrote {}", written.join(", ")));
    }
    Ok(())
}

impl Args {
    /// Checks what does not depend on the sweeps.
    fn check(&self) -> Result<(), Error> {
        for (flag, path) in self.pictures() {
            let Some(path) = path else { continue };
            if path.extension().is_none_or(|kind| kind != "svg") {
                let expected = "expected a name that ends in .svg; --png draws a PNG too";
                return Err(Error::Config(format!("{flag} {}: {expected}", path.display())));
            }
        }
        if self.picture.is_some() && self.objectives.len() < 2 {
            return Err(Error::Config("--picture: expected two objectives, to draw one over the other".to_owned()));
        }
        if self.png && self.pictures().iter().all(|(_, path)| path.is_none()) {
            let expected = self.pictures().map(|(flag, _)| flag).join(", ");
            return Err(Error::Config(format!("--png: expected one of {expected}, which it draws as PNG too")));
        }
        Ok(())
    }

    /// Flags of the pictures, and their files.
    fn pictures(&self) -> [(&'static str, &Option<PathBuf>); 4] {
        let (picture, tornado) = (&self.picture, &self.tornado);
        [("--picture", picture), ("--tornado", tornado), ("--parallel", &self.parallel), ("--heat", &self.heat)]
    }
}

/// A value of a figure for people.
fn written(figure: &str, value: f64) -> String {
    match unit(figure) {
        "%" => format!("{} %", significant(value * 100.0)),
        "" if figure.ends_with("_mm2") && !figure.contains("_per_") => square_millimetres(value),
        "" | "cycles" if value.fract() == 0.0 && value.abs() < 1e15 => grouped(value as i64),
        "" | "cycles" => significant(value),
        symbol => si(value, symbol),
    }
}

/// Symbol of a figure's unit, by the end of its name.
fn unit(figure: &str) -> &'static str {
    match figure {
        "accuracy" => "%",
        name if name.contains("_per_") => "",
        name => {
            let units = [("_j", "J"), ("_w", "W"), ("_s", "s"), ("_cycles", "cycles")];
            units.into_iter().find(|(end, _)| name.ends_with(end)).map_or("", |(_, symbol)| symbol)
        }
    }
}

impl Answer<'_> {
    /// A cell by row and name.
    fn cell(&self, row: usize, name: &str) -> Cell {
        let column = self.rows.heads.iter().position(|head| head.name == name);
        column.map_or(Cell::Absent, |column| self.rows.cell(row, column))
    }

    /// The same for people and programs.
    fn value(&self, row: usize, name: &str) -> Value {
        match self.cell(row, name) {
            Cell::Absent => Value::Null,
            Cell::Integer(value) => json!(value),
            Cell::Real(value) => json!(value),
            Cell::Text(text) => json!(text),
        }
    }

    fn text(&self) -> String {
        let found = &self.found;
        let mut text = format!(
            "{}: {} points, {} without the figures, {} outside of the bounds, {} on the front\n",
            self.of,
            grouped(self.rows.rows() as u64),
            grouped(found.without),
            grouped(found.outside.len() as u64),
            grouped(found.front.len() as u64)
        );
        for (bound, broken) in self.bounds.iter().zip(&found.broken) {
            let _ = writeln!(text, "{} points break {bound}", grouped(*broken));
        }
        text.push('\n');
        // Of one sweep the folder says nothing.
        let several = (0..self.rows.rows()).any(|row| self.cell(row, "folder") != self.cell(0, "folder"));
        let places: Vec<&str> =
            several.then_some("folder").into_iter().chain(["point"]).chain(self.axes.iter().copied()).collect();
        let direction = |figure: &str| {
            let objective = self.objectives.iter().find(|objective| objective.figure == figure);
            objective.map_or(String::new(), |objective| format!(" ({})", objective.direction.name()))
        };
        if !found.front.is_empty() {
            let head = places.iter().map(|name| (*name).to_owned());
            let mut lines: Vec<Vec<String>> =
                vec![head.chain(self.figures.iter().map(|figure| format!("{figure}{}", direction(figure)))).collect()];
            let columns: Vec<_> = self.figures.iter().map(|figure| (figure, numbers(self.rows, figure))).collect();
            for &row in &found.front {
                let place = |name: &&str| match self.value(row, name) {
                    Value::String(text) => text,
                    Value::Null => String::new(),
                    number => number.to_string(),
                };
                let figures = columns
                    .iter()
                    .map(|(figure, values)| values[row].map_or(String::new(), |value| written(figure, value)));
                lines.push(places.iter().map(place).chain(figures).collect());
            }
            text += &aligned(&lines);
            text.push('\n');
        }
        text += "spread over an axis: mean of (max - min) / mean of points that differ in nothing else\n";
        let goals = || self.objectives.iter().map(|objective| objective.figure.clone());
        let mut lines: Vec<Vec<String>> =
            vec![["axis", "values"].map(str::to_owned).into_iter().chain(goals()).collect()];
        for moved in &self.moved {
            let spreads = moved.spread.iter().map(|spread| spread.map_or_else(|| "-".to_owned(), percent));
            lines.push([moved.axes.join(", "), grouped(moved.values as u64)].into_iter().chain(spreads).collect());
        }
        text + &aligned(&lines)
    }

    fn json(&self) -> Value {
        let found = &self.found;
        let of = |row: usize, names: &[&str]| -> Map<String, Value> {
            names.iter().map(|name| ((*name).to_owned(), self.value(row, name))).collect()
        };
        let point = |&row: &usize| {
            json!({
                "folder": self.value(row, "folder"), "point": self.value(row, "point"), "key": self.value(row, "key"),
                "axes": of(row, self.axes), "figures": of(row, &self.figures),
            })
        };
        let bound = |(bound, broken): (&Bound, &u64)| {
            json!({
                "figure": bound.figure, "operator": bound.operator, "value": bound.value, "broken": broken,
            })
        };
        let moved = |moved: &Moved| {
            let by_name = |values: Vec<Value>| -> Map<String, Value> {
                self.objectives.iter().map(|objective| objective.figure.clone()).zip(values).collect()
            };
            json!({
                "axes": moved.axes, "values": moved.values,
                "spread": by_name(moved.spread.iter().map(|spread| json!(spread)).collect()),
                "groups": by_name(moved.groups.iter().map(|groups| json!(groups)).collect()),
            })
        };
        json!({
            "objectives": self.objectives.iter()
                .map(|of| json!({ "figure": of.figure, "direction": of.direction.name() })).collect::<Vec<_>>(),
            "bounds": self.bounds.iter().zip(&found.broken).map(bound).collect::<Vec<_>>(),
            "points": {
                "all": self.rows.rows(), "without_figures": found.without, "outside_bounds": found.outside.len(),
                "front": found.front.len(),
            },
            "front": found.front.iter().map(point).collect::<Vec<_>>(),
            "sensitivity": self.moved.iter().map(moved).collect::<Vec<_>>(),
        })
    }

    /// The rows of the front.
    fn csv(&self) -> Result<Vec<u8>, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Internal(format!("the front as CSV: {error}"));
        let mut front = Table::new(self.rows.heads.clone());
        for &row in &self.found.front {
            front.push((0..self.rows.columns.len()).map(|column| self.rows.cell(row, column)).collect());
        }
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(front.heads.iter().map(|head| &head.name)).map_err(|error| failed(&error))?;
        front.write_csv(&mut writer)?;
        writer.into_inner().map_err(|error| failed(&error))
    }
}
