//! The report as a table for people: plain ASCII, at most 100 columns.

use crate::config::{AdcRange, Config, Execution, Mode, Packing, Placement, Plane, Sampler};
use crate::functional::Realised;
use crate::functional::metrics::Detection;
use crate::mapping::Placed;
use crate::mapping::replicate::LayerCopies;
use crate::report::quantity::{grouped, percent, si, significant, square_millimetres};
use crate::report::{ConverterFacts, LayerFacts, OutputFacts, Report, Setting, efficiency::GOPS_DEFINITION};
use crate::trace::Action;
use crate::units::Area;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Longest line.
const WIDTH: usize = 100;
/// Longest name of a layer; longer ones are cut with `..`.
const NAME: usize = 20;
/// Most layers that are listed by name.
const FROZEN_LAYERS: usize = 6;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        run(self, f)?;
        time(self, f)?;
        energy(self, f)?;
        layers(self, f)?;
        copies(self, f)?;
        arrays(self, f)?;
        tried(self, f)?;
        answers(self, f)?;
        closed_form(self, f)
    }
}

/// An underlined title with an empty line before it.
pub(crate) fn title(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    writeln!(f, "\n{text}\n{}", "-".repeat(text.len()))
}

/// A line `name  value`; a long value goes on below itself.
pub(crate) fn line(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    let mut text = format!("  {name:<24}");
    let indent = text.len();
    for word in value.split(' ') {
        if text.len() > indent && text.len() + word.len() > WIDTH {
            writeln!(f, "{}", text.trim_end())?;
            text = " ".repeat(indent);
        }
        text += word;
        text.push(' ');
    }
    writeln!(f, "{}", text.trim_end())
}

/// A table: the first column to the left, the others to the right, as wide as what they hold.
pub(super) fn grid<const N: usize>(f: &mut fmt::Formatter<'_>, head: [&str; N], rows: &[[String; N]]) -> fmt::Result {
    let width = |i: usize| rows.iter().map(|row| row[i].len()).chain([head[i].len()]).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut put = |cells: [&str; N]| {
        let mut text = format!("  {:<1$}", cells[0], widths[0]);
        for (cell, width) in cells.iter().zip(widths).skip(1) {
            write!(text, "  {cell:>width$}")?;
        }
        writeln!(f, "{}", text.trim_end())
    };
    put(head)?;
    rows.iter().try_for_each(|row| put(std::array::from_fn(|i| row[i].as_str())))
}

/// Columns of text, the first to the left, the others to the right.
#[must_use]
pub fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .enumerate()
            .map(|(c, cell)| if c == 0 { format!("{cell:<0$}", widths[c]) } else { format!("{cell:>0$}", widths[c]) });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A percentage in a column that is headed `%`.
fn bare_percent(share: f64) -> String {
    percent(share).replace(" %", "")
}

/// A name, cut if it is long.
pub(crate) fn cut(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 2).chain("..".chars()).collect()
}

/// Layers as tables have them, each with its name and its places among all: copies of a layer for members side by side are
/// one line.
pub(crate) fn folded<'a>(config: &Config, names: impl Iterator<Item = &'a str>) -> Vec<(String, Vec<usize>)> {
    let spatial = config.ensemble.execution == Execution::Spatial;
    let of_copy = |name: &'a str| {
        let (described, _) = name.strip_suffix(']')?.rsplit_once('[')?;
        config.workload.layers.iter().any(|layer| layer.name == described).then_some(described)
    };
    let mut layers: Vec<(&str, Vec<usize>)> = Vec::new();
    for (l, name) in names.enumerate() {
        let described = of_copy(name).filter(|_| spatial).unwrap_or(name);
        match layers.iter_mut().find(|(known, _)| *known == described) {
            Some((_, copies)) if spatial => copies.push(l),
            _ => layers.push((described, vec![l])),
        }
    }
    let named = |(name, copies): (&str, Vec<usize>)| match copies.len() {
        1 => (cut(name), copies),
        number => (format!("{} ({number} copies)", cut(name)), copies),
    };
    layers.into_iter().map(named).collect()
}

fn run(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let config = &report.config;
    let heading = format!("{} on {}", config.workload.name, config.arch.name);
    writeln!(f, "{heading}\n{}", "=".repeat(heading.len().min(WIDTH)))?;
    let array = &config.arch.array;
    line(
        f,
        "chip",
        &format!("{} nm, {}, arrays of {} x {}", config.arch.node.0, config.arch.clock, array.rows, array.columns),
    )?;
    line(f, "costs", &config.arch.costs.name)?;
    if !config.arch.device.is_ideal() {
        line(f, "memory cells", &config.arch.device.to_string())?;
    }
    let mapping = &report.mapping;
    let placed = format!(
        "{} layers on {} arrays in {} tiles",
        mapping.per_layer.len(),
        grouped(mapping.arrays),
        grouped(mapping.tiles)
    );
    line(f, "mapping", &placed)?;
    if let (Some(placed), false) = (&mapping.placed, config.mapping.placement == Placement::InOrder) {
        for (i, text) in placement(config.mapping.placement, mapping.tiles, placed).lines().enumerate() {
            line(f, if i == 0 { "placement" } else { "" }, text)?;
        }
    }
    line(f, "scheme", &scheme(config))?;
    let mode = match config.schedule.mode {
        Mode::Sequential => "sequential",
        Mode::Layer => "layer",
        Mode::Streaming => "streaming",
    };
    let images = config.schedule.images;
    line(f, "schedule", &format!("{mode}, {images} image{}", if images == 1 { "" } else { "s" }))?;
    for (i, Setting { key, value, instead_of }) in report.provenance.settings.iter().enumerate() {
        let files = instead_of.as_ref().map(|value| format!(" (files: {value})")).unwrap_or_default();
        line(f, if i == 0 { "changed settings" } else { "" }, &format!("{key} = {value}{files}"))?;
    }
    let sampling = &report.sampling;
    let probabilistic = sampling.probabilistic_synapses.map_or("unknown".to_owned(), grouped);
    let synapses = grouped(sampling.per_layer.iter().map(|layer| layer.synapses).sum::<u64>());
    line(f, "probabilistic synapses", &format!("{probabilistic} of {synapses} (0.05 < p < 0.95)"))?;
    let whose = if config.ensemble.execution == Execution::Spatial { "by all members" } else { "by each member" };
    let mut sampled = format!("{} {whose}", grouped(sampling.sampled_synapses));
    if sampling.stored_synapses != sampling.sampled_synapses {
        let _ = write!(sampled, ", in stochastic planes with places for {}", grouped(sampling.stored_synapses));
    }
    line(f, "sampled synapses", &sampled)?;
    if let (Some(frozen @ 1..), Sampler::Generator { probability_bits, .. }) =
        (sampling.frozen_synapses, &config.arch.sampler)
    {
        let share = |frozen: u64, of: u64| percent(frozen as f64 / of.max(1) as f64);
        let all = format!("{} ({})", grouped(frozen), share(frozen, sampling.sampled_synapses));
        let mut layers: Vec<(f64, String)> = Vec::new();
        for (name, copies) in folded(config, sampling.per_layer.iter().map(|layer| layer.layer.as_str())) {
            let layer = &sampling.per_layer[copies[0]];
            if layer.sampled_synapses == 0 {
                continue;
            }
            let frozen = layer.frozen_synapses.unwrap_or(0);
            let text = format!("{name} {}", share(frozen, layer.sampled_synapses));
            layers.push((frozen as f64 / layer.sampled_synapses as f64, text));
        }
        // The report in JSON has all of them.
        let most = if layers.len() > FROZEN_LAYERS { "most in " } else { "" };
        layers.sort_by(|a, b| if most.is_empty() { Ordering::Equal } else { b.0.total_cmp(&a.0) });
        let first: Vec<String> = layers.into_iter().take(FROZEN_LAYERS).map(|(_, text)| text).collect();
        let text = format!("{all} have p = 0 or 1 at {probability_bits} bits: {most}{}", first.join(", "));
        line(f, "frozen synapses", &text)?;
    }
    line(f, "random bits", &grouped(sampling.random_bits))?;
    let events = &report.events;
    let rate = events.events_per_s.map_or(String::new(), |rate| format!(", {}", si(rate, "events/s")));
    line(f, "simulation", &format!("{} events in {}{rate}", grouped(events.count), si(events.simulation_s, "s")))
}

/// The scheme in words.
fn scheme(config: &Config) -> String {
    let name = config.mapping.scheme.name();
    let Some(choices) = config.mapping.scheme.choices() else { return name.to_owned() };
    let mut text = format!("{name}, {} members", config.ensemble.members);
    if config.ensemble.execution == Execution::Spatial {
        text.push_str(" side by side");
    }
    if let Some(layer) = choices.first_ensembling_layer {
        let _ = write!(text, ", from {layer} on");
    }
    if let Some(eps) = choices.eps {
        let packing = match choices.packing {
            Packing::Full => "full",
            Packing::Rows => "rows",
            Packing::Lists { sorted: true } => "sorted lists",
            Packing::Lists { sorted: false } => "lists",
        };
        let _ = write!(text, ", eps {eps}, packing {packing}");
    }
    for (set, name) in
        [(choices.keep_deterministic_part, "deterministic part kept"), (choices.skip_zero_rows, "zero rows skipped")]
    {
        if set {
            let _ = write!(text, ", {name}");
        }
    }
    text
}

fn time(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    title(f, "Latency, throughput and efficiency")?;
    let latency = &report.latency;
    let what = if report.config.schedule.images == 1 { "latency" } else { "all images" };
    line(f, what, &format!("{} cycles = {}", grouped(latency.cycles), si(latency.ns * 1e-9, "s")))?;
    if let [first, .., last] = latency.per_image.as_slice() {
        let text = format!("{} cycles, last {} cycles", grouped(first.cycles), grouped(last.cycles));
        line(f, "first image", &text)?;
    }
    line(f, "initiation interval", &format!("{} cycles", grouped(latency.initiation_interval_cycles)))?;
    if let Some(bottleneck) = &report.bottleneck {
        let reason = bottleneck.waits_for.and_then(Action::from_name).and_then(Action::waiting);
        let waits = reason.map(|reason| format!("; {reason} {}", percent(bottleneck.waiting)));
        line(f, "bottleneck", &(bottleneck.text.clone() + &waits.unwrap_or_default()))?;
    }
    writeln!(f)?;
    let (throughput, power, energy, efficiency) =
        (&report.throughput, &report.power, &report.energy, &report.efficiency);
    let unknown = || "-".to_owned();
    let number = |value: Option<f64>| value.map_or_else(unknown, significant);
    let watts = |power: Option<f64>| power.map_or_else(unknown, |power| si(power, "W"));
    let rows = [
        ("images/s", number(throughput.run_images_per_s), number(throughput.images_per_s)),
        ("GOPS", number(throughput.run_gops), number(throughput.gops)),
        ("energy per image", si(energy.per_image_j, "J"), si(energy.steady_state_per_image_j, "J")),
        ("power", watts(power.run_w), watts(power.steady_state_w)),
        ("GOPS/W", number(efficiency.run_gops_per_w), number(efficiency.gops_per_w)),
        ("GOPS/W/mm2", number(efficiency.run_gops_per_w_per_mm2), number(efficiency.gops_per_w_per_mm2)),
    ]
    .map(|(name, run, steady_state)| [name.to_owned(), run, steady_state]);
    grid(f, ["", "mean of the run", "steady state"], &rows)?;
    line(f, "", &format!("({GOPS_DEFINITION})"))?;
    compensation(report, f)
}

/// What a measurement of compensation factors costs, beside the run.
fn compensation(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(cost) = &report.compensation else { return Ok(()) };
    let measured = format!(
        "{} row reads of {} arrays in {} cycles, {}",
        grouped(cost.reads),
        grouped(cost.arrays),
        grouped(cost.cycles),
        si(cost.energy_j, "J")
    );
    let interval = report.config.arch.device.reference_interval;
    let often = match (interval, cost.power_w, cost.time_share) {
        (Some(interval), Some(power), Some(share)) => {
            format!("every {interval}: {} and {} of the time", si(power, "W"), percent(share))
        }
        _ => "once a deployment".to_owned(),
    };
    line(f, "drift compensation", &format!("{measured}, {often}; beside the run"))
}

fn energy(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let energy = &report.energy;
    let area = &report.area;
    title(f, "Energy, area and use by component")?;
    let leaking = energy.leakage.per_component.keys();
    let mut names: Vec<&str> =
        energy.per_component.keys().chain(leaking).chain(area.per_component.keys()).copied().collect();
    names.sort_by(|a, b| {
        let of = |sums: &BTreeMap<&str, f64>, name: &&str| sums.get(*name).copied().unwrap_or(0.0);
        let joules = |name: &&str| of(&energy.per_component, name) + of(&energy.leakage.per_component, name);
        joules(b).total_cmp(&joules(a)).then(a.cmp(b))
    });
    names.dedup();
    let share = |part: f64, whole: f64| if whole > 0.0 { bare_percent(part / whole) } else { "-".to_owned() };
    let dash = || "-".to_owned();
    let leakage = &energy.leakage.per_component;
    let mut rows: Vec<[String; 8]> = Vec::new();
    for name in names {
        let (work, leaked, mm2) = (energy.per_component.get(name), leakage.get(name), area.per_component.get(name));
        let all = work.copied().unwrap_or(0.0) + leaked.copied().unwrap_or(0.0);
        let used = report.utilisation.per_component.get(name);
        rows.push([
            name.to_owned(),
            work.map_or_else(dash, |joules| si(*joules, "J")),
            leaked.map_or_else(dash, |joules| si(*joules, "J")),
            share(all, energy.total_j),
            mm2.map_or_else(dash, |mm2| square_millimetres(*mm2)),
            mm2.map_or_else(dash, |mm2| share(*mm2, area.total_mm2)),
            used.and_then(|used| used.busy).map_or_else(dash, bare_percent),
            used.and_then(|used| used.busy_of_all).map_or_else(dash, bare_percent),
        ]);
    }
    let total = [
        "total".into(),
        si(energy.total_j - energy.leakage_j, "J"),
        si(energy.leakage_j, "J"),
        share(energy.total_j, energy.total_j),
        square_millimetres(area.total_mm2),
        share(area.total_mm2, area.total_mm2),
        String::new(),
        String::new(),
    ];
    rows.push(total);
    grid(f, ["", "work", "leakage", "%", "area", "%", "busy % in use", "of all"], &rows)?;
    let planes = &energy.per_plane;
    if planes.len() > 1 {
        let parts: Vec<String> = planes.iter().map(|(plane, joules)| format!("{} {plane}", si(*joules, "J"))).collect();
        line(f, "work by plane", &parts.join(", "))?;
    }
    Ok(())
}

fn layers(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    title(f, "Layers")?;
    let total = report.energy.total_j;
    let share = |joules: f64| if total > 0.0 { bare_percent(joules / total) } else { "-".to_owned() };
    let all = &report.mapping.per_layer;
    let mut rows: Vec<[String; 9]> = folded(&report.config, all.iter().map(|layer| layer.name.as_str()))
        .into_iter()
        .map(|(name, copies)| {
            let layer = &all[copies[0]];
            let joules = copies.iter().map(|&l| report.energy.per_layer[l].share.total_j).sum();
            [
                name,
                format!("{} x {}", layer.rows, layer.columns),
                grouped(layer.positions),
                grouped(layer.passes_per_image),
                grouped(layer.replication),
                grouped(copies.iter().map(|&l| all[l].arrays).sum::<u64>()),
                si(joules, "J"),
                share(joules),
                square_millimetres(copies.iter().map(|&l| report.area.per_layer[l].total_mm2).sum()),
            ]
        })
        .collect();
    let rest = &report.energy.no_layer;
    if rest.total_j > 0.0 || report.area.no_layer_mm2 > 0.0 {
        let mut row: [String; 9] = Default::default();
        row[0] = "(no layer)".into();
        row[6] = si(rest.total_j, "J");
        row[7] = share(rest.total_j);
        row[8] = square_millimetres(report.area.no_layer_mm2);
        rows.push(row);
    }
    grid(f, ["", "weights", "positions", "passes", "copies", "arrays", "energy", "%", "area"], &rows)
}

/// Most shared arrays that are listed.
const MOST_SHARED: usize = 8;

/// What a placement changes, in words: a line, and one for each shared array.
#[must_use]
pub fn placement(placement: Placement, tiles: u32, placed: &Placed) -> String {
    let name = match placement {
        Placement::InOrder => "in order",
        Placement::Packed => "packed",
        Placement::Shared => "packed, with shared arrays",
        Placement::ByTraffic => "by traffic",
    };
    let taken =
        |tiles: u32, byte_hops: u64| format!("{} tiles, {} byte hops an image", grouped(tiles), grouped(byte_hops));
    let now = format!("placed {name}: {}", taken(tiles, placed.byte_hops));
    if placement == Placement::InOrder {
        return now;
    }
    let mut text = format!("{now}; in order: {}", taken(placed.tiles_in_order, placed.byte_hops_in_order));
    for array in placed.shared_arrays.iter().take(MOST_SHARED) {
        text += &format!("\n{array}");
    }
    match placed.shared_arrays.len().saturating_sub(MOST_SHARED) {
        0 => text,
        more => format!("{text}\n{more} more arrays are shared"),
    }
}

/// The copies that were chosen.
fn copies(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(replicated) = &report.mapping.replicated else { return Ok(()) };
    title(f, "Copies, chosen to equalise the layers' intervals (cycles an image)")?;
    let mut rows: Vec<[String; 5]> = replicated.per_layer.iter().map(copies_row).collect();
    for row in &mut rows {
        row[0] = cut(&row[0]);
    }
    grid(f, COPIES_HEAD, &rows)?;
    line(f, "area", &format!("{} to {}", mm2(replicated.area_before), mm2(replicated.area)))?;
    line(f, "why no more", &replicated.to_string())
}

/// Columns of a table of chosen copies.
pub const COPIES_HEAD: [&str; 5] = ["", "copies given", "chosen", "interval given", "chosen"];

/// A row of it.
#[must_use]
pub fn copies_row(layer: &LayerCopies) -> [String; 5] {
    [
        layer.layer.clone(),
        grouped(layer.copies_before),
        grouped(layer.copies),
        grouped(layer.interval_before),
        grouped(layer.interval),
    ]
}

/// An area in square millimetres.
#[must_use]
pub fn mm2(area: Area) -> String {
    square_millimetres(area.0 as f64 / 1e12)
}

fn arrays(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const WAITS: [&str; 6] = ["wait_operand", "wait_random", "wait_resource", "wait_port", "wait_link", "wait_drained"];
    title(f, "Arrays: cells used, % of all; then time, % of the run: work, and waiting by reason")?;
    let cycles = report.latency.cycles.max(1) as f64;
    let share = |share: f64| if share == 0.0 { "-".to_owned() } else { bare_percent(share) };
    let row = |name: String, work: [Option<f64>; 3], waits: &BTreeMap<&str, f64>| -> [String; 10] {
        std::array::from_fn(|i| match i {
            0 => name.clone(),
            1..=3 => work[i - 1].map_or_else(String::new, share),
            _ => share(waits.get(WAITS[i - 4]).copied().unwrap_or(0.0) / cycles),
        })
    };
    let (used, stalls) = (&report.utilisation.per_layer, &report.stalls.per_layer);
    let mut rows: Vec<[String; 10]> = folded(&report.config, used.iter().map(|layer| layer.layer.as_str()))
        .into_iter()
        .map(|(name, copies)| {
            // Copies of a layer have as many arrays each: their shares are the means.
            let mean = |of: &dyn Fn(usize) -> f64| copies.iter().map(|&l| of(l)).sum::<f64>() / copies.len() as f64;
            let adc = |l: usize| used[l].per_component.get("adc").and_then(|used| used.busy);
            let adcs = adc(copies[0]).is_some().then(|| mean(&|l| adc(l).unwrap_or(0.0)));
            let wait = |reason| mean(&|l| stalls[l].per_reason_cycles.get(reason).copied().unwrap_or(0.0));
            let waits: BTreeMap<&str, f64> = WAITS.iter().map(|&reason| (reason, wait(reason))).collect();
            row(name, [Some(mean(&|l| used[l].cells)), Some(mean(&|l| used[l].arrays)), adcs], &waits)
        })
        .collect();
    let busy = |name| report.utilisation.per_component.get(name).and_then(|used| used.busy);
    rows.push(row("all".into(), [None, busy("crossbar"), busy("adc")], &report.stalls.per_reason_cycles));
    grid(f, ["", "cells", "reads", "ADCs", "operand", "random", "resource", "port", "link", "drained"], &rows)
}

/// Schemes that were tried on calibration images.
fn tried(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if report.tried.is_empty() {
        return Ok(());
    }
    title(f, "Schemes tried on calibration images")?;
    let rows: Vec<[String; 8]> = report
        .tried
        .iter()
        .map(|tried| {
            [
                tried.first_ensembling_layer.as_deref().map_or_else(|| "(first)".to_owned(), cut),
                tried.eps.map_or_else(|| "-".to_owned(), |eps| eps.to_string()),
                grouped(tried.sampled_synapses),
                percent(tried.accuracy),
                format!("{:.4}", tried.ece),
                format!("{:.4}", tried.nll),
                tried.auroc.map_or_else(|| "-".to_owned(), |auroc| format!("{auroc:.4}")),
                if tried.kept { "yes" } else { "no" }.to_owned(),
            ]
        })
        .collect();
    let head = ["first ensembling layer", "eps", "sampled synapses", "accuracy", "ECE", "NLL", "AUROC", "kept"];
    grid(f, head, &rows)?;
    if report.tried.iter().all(|tried| tried.auroc.is_none()) {
        let reported = "not compared: the network names no out-of-distribution images, so its tolerance has no effect";
        line(f, "AUROC", reported)?;
    }
    Ok(())
}

fn answers(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    title(f, "Answers")?;
    let Some(outputs) = &report.outputs else {
        return line(f, "none", "timing and energy only");
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    line(
        f,
        "images",
        &format!(
            "{}, each by {} member{}",
            outputs.images,
            outputs.members,
            if outputs.members == 1 { "" } else { "s" }
        ),
    )?;
    let scores = [
        ("accuracy", outputs.accuracy.map(percent)),
        ("ECE", outputs.ece.map(|ece| format!("{ece:.4}"))),
        ("NLL", outputs.nll.map(|nll| format!("{nll:.4} nats"))),
        ("Brier score", outputs.brier.map(|brier| format!("{brier:.4}"))),
    ];
    for (name, score) in scores {
        if let Some(score) = score {
            line(f, name, &score)?;
        }
    }
    line(f, "mean entropy", &format!("{:.4} nats", mean(&outputs.entropy)))?;
    line(f, "mutual information", &format!("{:.4} nats (mean)", mean(&outputs.mutual_information)))?;
    if let Some(correlation) = outputs.member_correlation {
        line(f, "member correlation", &format!("{correlation:.4} (logits of two members; mean over pairs)"))?;
    }
    if let Some(apart) = outputs.members_apart {
        let text =
            format!("{} apart; their read noise correlates by {:.3}", si(apart.seconds, "s"), apart.noise_correlation);
        line(f, "members", &text)?;
    }
    for (realised, layer) in outputs.realised.iter().zip(&report.mapping.per_layer) {
        if let Some(realised) = realised {
            let Realised { mean_intended, mean_realised, mean_error, worst, .. } = realised;
            let text = format!(
                "mean {mean_realised:.3} of p, intended {mean_intended:.3}; off by {mean_error:.3} (mean), {worst:.3} (worst)"
            );
            line(f, &format!("drawn in {}", cut(&layer.name)), &text)?;
        }
    }
    if let Some(ood) = &outputs.ood {
        line(f, "out of distribution", &format!("{} images", ood.images))?;
        for (name, found) in [("by entropy", ood.entropy), ("by mutual information", ood.mutual_information)] {
            let Detection { auroc, aupr, fpr95 } = found;
            line(f, name, &format!("AUROC {auroc:.4}, AUPR {aupr:.4}, FPR95 {}", percent(fpr95)))?;
        }
    }
    statistics(report, outputs, f)?;
    let clipped = outputs.clipped_share.iter().copied().fold(0.0, f64::max);
    line(f, "clipped conversions", &format!("{} in the layer that clips most", percent(clipped)))?;
    let steps = outputs.adc_step.iter().zip(&report.mapping.per_layer);
    let Some((&step, layer)) = steps.reduce(|a, b| if b.0 > a.0 { b } else { a }) else { return Ok(()) };
    // Of rows at level 1.
    let level = if report.config.arch.driver.bits_per_pulse > 1 { " at the lowest level" } else { "" };
    let text = if step != 1.0 {
        format!("{} cell currents{level}, in {}", significant(step), cut(&layer.name))
    } else {
        format!("1 cell current{level} in all layers")
    };
    line(f, "largest converter step", &text)?;
    converters(report, outputs, f)
}

/// The converters plane by plane, where any clips or has a calibrated range.
fn converters(report: &Report, outputs: &OutputFacts, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let chip = &report.config.arch;
    let calibrated = Plane::ALL.iter().any(|plane| matches!(chip.plane(*plane).adc.range, AdcRange::Percentile(_)));
    if !calibrated && outputs.clipped_share.iter().all(|share| *share == 0.0) {
        return Ok(());
    }
    let layers = report.mapping.per_layer.iter().zip(&outputs.converters);
    let row = |layer: &LayerFacts, of: &ConverterFacts| {
        let ConverterFacts { range, clipping, clipped_share } = of;
        [
            cut(&layer.name),
            range.plane.name().to_owned(),
            significant(range.step),
            significant(range.range),
            grouped(range.full_scale),
            grouped(clipping.conversions),
            percent(*clipped_share),
        ]
    };
    let rows: Vec<_> = layers.flat_map(|(layer, planes)| planes.iter().map(move |of| row(layer, of))).collect();
    grid(f, ["converters of", "plane", "step", "range", "full scale", "conversions", "clipped"], &rows)
}

/// Which batch-norm statistics were used, where they are not simply those of the sampling configuration.
fn statistics(report: &Report, outputs: &OutputFacts, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut reported = Vec::new();
    if let Some(used) = outputs.statistics.iter().find(|used| used.per_member) {
        reported.push(format!("\"{}\", each member's own", used.set));
    }
    let mut tell = |read_otherwise: bool, what: &str| {
        let mut sets: Vec<(&str, Vec<String>)> = Vec::new();
        for used in outputs.statistics.iter().filter(|used| !used.exact && used.read_otherwise == read_otherwise) {
            match sets.last_mut() {
                Some((set, layers)) if *set == used.set => layers.push(cut(&used.layer)),
                _ => sets.push((&used.set, vec![cut(&used.layer)])),
            }
        }
        let of = |(set, layers): &(&str, Vec<String>)| format!("\"{set}\" in {}", layers.join(", "));
        let sets: Vec<String> = sets.iter().map(of).collect();
        if !sets.is_empty() {
            reported.push(format!("{what}: {}", sets.join("; ")));
        }
    };
    tell(false, &format!("the nearest, not those of {}", scheme(&report.config)));
    tell(true, "taken with other converters or memory cells");
    if !outputs.statistics_of_others.is_empty() {
        let others = outputs.statistics_of_others.join("\", \"");
        reported.push(format!("\"{others}\" not used: of members with other weights, or read otherwise"));
    }
    if reported.is_empty() { Ok(()) } else { line(f, "batch-norm statistics", &reported.join("; ")) }
}

fn closed_form(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let check = &report.checks.closed_form;
    title(f, "Closed form")?;
    line(f, "formula", &check.formula)?;
    // Without the rows that are skipped a run is shorter than the formula, whatever contends.
    let skips = report.config.mapping.scheme.choices().is_some_and(|choices| choices.skip_zero_rows);
    let beyond = match report.config.schedule.mode {
        _ if skips => "difference",
        Mode::Streaming => "above the bound",
        Mode::Sequential | Mode::Layer => "contention",
    };
    let rows: Vec<[String; 2]> = [
        ("ideal periphery", grouped(check.ideal_cycles)),
        ("fixed latencies", grouped(check.fixed_latency_cycles)),
        ("predicted", grouped(check.predicted_cycles)),
        ("simulated", grouped(check.simulated_cycles)),
        (beyond, grouped(check.contention_cycles)),
    ]
    .map(|(name, cycles)| [name.to_owned(), cycles])
    .into();
    grid(f, ["", "cycles"], &rows)
}
