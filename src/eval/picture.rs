//! Pictures of an evaluation: reliability, uncertainty in and out of distribution, measures over members and over drift.

use crate::eval::scores::{Measures, confidences};
use crate::eval::table::{Row, Spread, age};
use crate::eval::{Evaluated, Score};
use crate::functional::metrics::{Bin, DEFAULT_BINS, wilson};
use crate::plot::Picture;
use crate::plot::palette::INK;
use crate::plot::panels::{Contents, Panel, Point, Scale, line_colour, picture};
use crate::plot::picture::Colour;

/// Bins of entropies, and numbers of members, that one picture shows.
const ACROSS: usize = 16;

fn point(category: usize, value: f64) -> Point {
    Point { category, value, error: (value, value) }
}

fn panel(title: &str, unit: &'static str, scale: Scale, lines: Vec<Vec<Point>>) -> Panel {
    Panel { title: title.to_owned(), unit, scale, lines }
}

/// A measure as a chart: title, unit, value; the first one has error bars.
type Chart = (&'static str, &'static str, fn(&Measures) -> Option<f64>);

const CHARTS: [Chart; 4] = [
    ("accuracy", "%", |of| of.accuracy),
    ("expected calibration error", "", |of| of.ece),
    ("negative log-likelihood (nats)", "", |of| of.nll),
    ("mutual information (nats)", "", |of| Some(of.mutual_information)),
];

/// Measures of one or several deployments over categories.
type Line = Vec<(usize, Vec<Measures>)>;

/// Charts of lines. Several deployments are their mean, with their standard deviation as error bars.
fn charts(lines: &[Line], images: usize) -> Vec<Panel> {
    let several = lines.iter().flatten().any(|(_, of)| of.len() > 1);
    let of_chart = |(index, (title, unit, of)): (usize, &Chart)| {
        let of_line = |line: &Line| {
            let of_point = |(category, measures): &(usize, Vec<Measures>)| {
                // A label of probability 0 has no place.
                let values: Vec<f64> = measures.iter().filter_map(of).filter(|value| value.is_finite()).collect();
                let Spread { mean: value, std } = Spread::of(&values)?;
                let error = match (several, index) {
                    (true, _) => (value - std, value + std),
                    (false, 0) => wilson(value, images as f64),
                    _ => (value, value),
                };
                Some(Point { category: *category, value, error })
            };
            line.iter().filter_map(of_point).collect::<Vec<Point>>()
        };
        let bars = match (several, index) {
            (true, 0) => "; bars: standard deviation over deployments",
            (false, 0) => "; bars: standard error (Wilson)",
            _ => "",
        };
        panel(&format!("{title}{bars}"), unit, Scale::Range, lines.iter().map(of_line).collect())
    };
    let panels = CHARTS.iter().enumerate().map(of_chart);
    panels.filter(|panel| panel.lines.iter().any(|line| !line.is_empty())).collect()
}

/// All pictures that there is something to show in, with the names of their files: of the first condition, and `drift` of
/// all ages and compensations.
#[must_use]
pub fn pictures(of: &Evaluated) -> Vec<(&'static str, Picture)> {
    let mut pictures = Vec::new();
    let (Some(row), Some(scored)) = (of.table.rows.get(of.members.len() - 1), of.scored.first()) else {
        return pictures;
    };
    let subtitle = format!(
        "{} on {}, {} cells, {} member{}, {} images",
        of.table.workload,
        of.table.arch,
        of.table.device,
        row.members,
        if row.members > 1 { "s" } else { "" },
        row.images
    );
    let at = |set: usize, members: u32| -> Vec<Score> {
        scored.sets[set].iter().map(|of_image| of_image[members as usize - 1]).collect()
    };
    let labels = of.sets[0].images.labels();
    if let Some(labels) = labels {
        pictures.push(("reliability", reliability(&at(0, row.members), labels, &subtitle)));
    }
    let sets: Vec<Vec<Score>> = (0..scored.sets.len()).map(|set| at(set, row.members)).collect();
    pictures.push(("entropy", entropy(&sets, of.classes, &subtitle)));
    let most = row.members as usize;
    if most > 1 {
        let shown: Vec<usize> = (1..=most.min(ACROSS)).map(|i| i * most / most.min(ACROSS)).collect();
        let measures = shown.iter().enumerate().map(|(i, &n)| (i, vec![Measures::new(&at(0, n as u32), labels)]));
        pictures.push((
            "members",
            picture(&Contents {
                title: "Answers over the number of members",
                subtitle: &subtitle,
                legend: &[(line_colour(0), "the first T members".to_owned())],
                categories: &shown.iter().map(ToString::to_string).collect::<Vec<_>>(),
                axis: "members (T)",
                panels: &charts(&[measures.collect()], row.images),
            }),
        ));
    }
    pictures.extend(drift(&of.table.rows, row.members, &subtitle).map(|picture| ("drift", picture)));
    pictures
}

/// Accuracy and mean confidence of the answers in each bin of confidence.
fn reliability(scores: &[Score], labels: &[u32], subtitle: &str) -> Picture {
    let bins = Bin::all(confidences(scores, labels), DEFAULT_BINS);
    let filled = || bins.iter().enumerate().filter(|(_, bin)| bin.images > 0);
    let right = filled().map(|(index, bin)| {
        let (n, value) = (bin.images as f64, bin.right as f64 / bin.images as f64);
        Point { category: index, value, error: wilson(value, n) }
    });
    let confidence = filled().map(|(index, bin)| point(index, bin.confidence / bin.images as f64));
    let share = filled().map(|(index, bin)| point(index, bin.images as f64 / scores.len() as f64));
    // Every third edge has room for its number.
    let edge = |bin: usize| {
        if bin % 3 == 2 { format!("{:.1}", (bin + 1) as f64 / DEFAULT_BINS as f64) } else { String::new() }
    };
    picture(&Contents {
        title: "Reliability: how often answers of a confidence are right",
        subtitle,
        legend: &[(line_colour(0), "right answers; bars: standard error".to_owned()), (INK, "confidence".to_owned())],
        categories: &(0..DEFAULT_BINS).map(edge).collect::<Vec<_>>(),
        axis: "confidence, upper end of the bin",
        panels: &[
            panel(
                "right answers, and what they should be",
                "%",
                Scale::FromZero,
                vec![right.collect(), confidence.collect()],
            ),
            panel("share of images", "%", Scale::FromZero, vec![share.collect()]),
        ],
    })
}

/// How entropy and mutual information are spread.
fn entropy(sets: &[Vec<Score>], classes: usize, subtitle: &str) -> Picture {
    let most = libm::log(classes as f64).max(f64::MIN_POSITIVE);
    let shares = |scores: &Vec<Score>, of: fn(&Score) -> f64| -> Vec<Point> {
        let mut counts = [0_u64; ACROSS];
        scores.iter().for_each(|score| counts[((of(score) / most * ACROSS as f64) as usize).min(ACROSS - 1)] += 1);
        let share = |(bin, &count): (usize, &u64)| point(bin, count as f64 / scores.len() as f64);
        counts.iter().enumerate().map(share).collect()
    };
    let lines = |of| sets.iter().map(|scores| shares(scores, of)).collect();
    let edge = |bin: usize| {
        if bin % 4 == 3 { format!("{:.2}", (bin + 1) as f64 / ACROSS as f64 * most) } else { String::new() }
    };
    let names = ["in distribution", "out of distribution"];
    let legend: Vec<(Colour, String)> =
        sets.iter().enumerate().map(|(set, _)| (line_colour(set), names[set].to_owned())).collect();
    picture(&Contents {
        title: "Uncertainty of the answers",
        subtitle,
        legend: &legend,
        categories: &(0..ACROSS).map(edge).collect::<Vec<_>>(),
        axis: "nats, upper end of the bin",
        panels: &[
            panel("entropy: share of images", "%", Scale::FromZero, lines(|score| score.entropy)),
            panel("mutual information: share of images", "%", Scale::FromZero, lines(Score::mutual_information)),
        ],
    })
}

/// Measures over the age of the memory cells, a line for each compensation; none with one age.
fn drift(rows: &[Row], members: u32, subtitle: &str) -> Option<Picture> {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.members == members).collect();
    let mut ages: Vec<f64> = rows.iter().map(|row| row.drift_s).collect();
    ages.sort_by(f64::total_cmp);
    ages.dedup();
    let mut names: Vec<&str> = Vec::new();
    rows.iter().for_each(|row| {
        if !names.contains(&row.compensation) {
            names.push(row.compensation);
        }
    });
    let line = |name: &&str| {
        let of_age = |(category, age): (usize, &f64)| {
            let of_name = rows.iter().filter(|row| row.compensation == *name && row.drift_s == *age);
            (category, of_name.map(|row| row.measures).collect())
        };
        ages.iter().enumerate().map(of_age).collect()
    };
    let lines: Vec<Line> = names.iter().map(line).collect();
    let images = rows.first()?.images;
    (ages.len() > 1).then(|| {
        picture(&Contents {
            title: "Answers over the age of the memory cells",
            subtitle,
            legend: &names.iter().enumerate().map(|(i, name)| (line_colour(i), (*name).to_owned())).collect::<Vec<_>>(),
            categories: &ages.iter().map(|&seconds| age(seconds)).collect::<Vec<_>>(),
            axis: "age",
            panels: &charts(&lines, images),
        })
    })
}
