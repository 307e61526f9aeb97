//! `show`: what the program makes of a configuration, before anything runs.

use super::plot::Pictures;
use super::text::{aligned, row, value};
use super::{Failure, Format, Global, Target, device, posterior, print, sampler, sparsity, sweep};
use crate::config::{Config, CostTable, Plane};
use crate::dataflow::{check, to_dot};
use crate::error::Error;
use crate::mapping::{ArrayGroup, LayerMapping, PlaneMapping};
use crate::report::quantity::{grouped, percent};
use crate::report::table::{COPIES_HEAD, copies_row, folded, mm2, placement};
use crate::run;
use crate::simulate::Plan;
use crate::units::Area;
use clap::ValueEnum;
use std::fmt::Write as _;

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crossbayes show arch --arch pcm_256
  crossbayes show mapping --workload vgg_binaryconnect
  crossbayes show dataflow --dot | dot -Tsvg > dataflow.svg
  crossbayes show costs --arch pcm_128 --format json
  crossbayes show sparsity --eps 0.05,0.3 --array-rows 128,256
  crossbayes show sparsity --out plots/sparsity
  crossbayes show device --g '10 uS' --t '3600 s' --devices 1000000
  crossbayes show sweep digits_adc
  crossbayes show sampler --arch pcm_128_rowserial --set arch.device.model=pcm_joshi --set arch.device.read_noise=White")]
pub(super) struct Args {
    /// What to show.
    #[arg(value_enum)]
    what: What,
    /// The sweep: a file, or the name of a built-in one.
    #[arg(value_name = "FILE", required_if_eq("what", "sweep"))]
    file: Option<String>,
    #[command(flatten)]
    target: Target,
    /// The dataflow as Graphviz DOT.
    #[arg(long)]
    dot: bool,
    #[command(flatten)]
    sparsity: sparsity::Options,
    #[command(flatten)]
    device: device::DeviceOptions,
    #[command(flatten)]
    sampler: sampler::SamplerOptions,
    #[command(flatten)]
    pictures: Pictures,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The chip with its cost table, every default filled in.
    Arch,
    /// The network, every default filled in.
    Workload,
    /// Everything that a run depends on.
    Config,
    /// Layers to arrays and tiles.
    Mapping,
    /// Stages and channels.
    Dataflow,
    /// The cost table with its sources.
    Costs,
    /// What the posterior holds, and how it was made.
    Posterior,
    /// What the posterior leaves to sample, and what packings store of it.
    Sparsity,
    /// What is left of a conductance after programming, drift and reading.
    Device,
    /// What comparators that draw from device noise make of a probability.
    Sampler,
    /// The points of a sweep, and how long they take.
    Sweep,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    match (&args.file, args.what) {
        (Some(file), What::Sweep) => return Ok(print(&sweep::shown(file, &args.target.set, global)?)?),
        (Some(file), _) => {
            let message =
                format!("{file}: only a sweep is named by a file alone; expected --arch, --workload or --config");
            return Err(Error::Config(message).into());
        }
        (None, _) => {}
    }
    if args.what == What::Device {
        return Ok(print(&device::text(&args.device, &args.pictures, &args.target, global)?)?);
    }
    if args.what == What::Sampler {
        return Ok(print(&sampler::text(&args.sampler, &args.pictures, &args.target, global)?)?);
    }
    let loaded = args.target.load(global.seed)?;
    let config = &loaded.config;
    let json = global.format == Format::Json;
    let text = match args.what {
        What::Arch => value(&config.arch, json)?,
        What::Workload => value(&config.workload, json)?,
        What::Config => value(config, json)?,
        What::Costs if json => value(&config.arch.costs, json)?,
        What::Costs => costs(&config.arch.costs),
        What::Posterior => posterior::text(&loaded, json)?,
        What::Sparsity => sparsity::text(&args.sparsity, &args.pictures, &loaded, global)?,
        What::Device | What::Sampler | What::Sweep => unreachable!("shown above"),
        What::Mapping | What::Dataflow => {
            let plan = run::planned(config, &loaded.workload_base).map_err(|error| match error {
                Error::Problems(problems) => Failure::Config(loaded.locate(problems)),
                other => other.into(),
            })?;
            match args.what {
                What::Mapping if json => value(plan.mapping.as_ref(), json)?,
                What::Mapping => mapping(config, &plan),
                _ if args.dot => to_dot(&plan.dataflow),
                _ => {
                    check(&plan.dataflow)?;
                    dataflow(&plan, json)?
                }
            }
        }
    };
    print(&text)?;
    Ok(())
}

fn mapping(config: &Config, plan: &Plan) -> String {
    let mut rows =
        vec![row(["layer", "K x M", "positions", "R x C", "copies", "arrays", "tiles", "cells used", "passes"])];
    let blocks = |plane: &PlaneMapping| format!("{} x {}", plane.row_blocks(), plane.column_blocks);
    for (name, copies) in folded(config, plan.net.layers.iter().map(|layer| layer.name.as_str())) {
        let (layer, mapped) = (&plan.net.layers[copies[0]], &plan.mapping.layers[copies[0]]);
        let all = || copies.iter().map(|&l| &plan.mapping.layers[l]);
        rows.push(vec![
            name,
            format!("{} x {}", layer.rows, layer.columns),
            grouped(layer.positions),
            mapped.planes.iter().map(blocks).collect::<Vec<_>>().join(" + "),
            mapped.replication.to_string(),
            grouped(all().map(LayerMapping::arrays).sum::<u64>()),
            grouped(all().map(|mapped| mapped.tiles.len() as u64).sum::<u64>()),
            percent(mapped.cells_used as f64 / mapped.cells as f64),
            mapped.passes.to_string(),
        ]);
    }
    let chosen = plan.mapping.replicated.as_ref().map(|replicated| {
        let mut rows = vec![row(COPIES_HEAD)];
        rows.extend(replicated.per_layer.iter().map(|layer| copies_row(layer).to_vec()));
        let (before, after) = (mm2(replicated.area_before), mm2(replicated.area));
        format!("\n{}\n{replicated}; area {before} to {after}\n", aligned(&rows))
    });
    let (used, all): (u64, u64) =
        plan.mapping.layers.iter().fold((0, 0), |(used, all), mapped| (used + mapped.cells_used, all + mapped.cells));
    let mut text = aligned(&rows);
    let planes = |plane| {
        let groups = plan.mapping.layers.iter().flat_map(|mapped| &mapped.groups);
        groups.filter(move |group| group.plane == plane && !group.is_guest()).map(ArrayGroup::arrays)
    };
    let kinds = Plane::ALL.iter().map(|&plane| (config.arch.plane(plane).array, plane, planes(plane).sum::<u64>()));
    let kinds: Vec<String> = kinds
        .filter(|(.., number)| *number > 0)
        .map(|(array, plane, number)| {
            format!("{} {} of {} x {} cells", grouped(number), plane.name(), array.rows, array.columns)
        })
        .collect();
    let _ = writeln!(
        text,
        "\n{} arrays on {} tiles: {}; {} of the cells hold weights",
        grouped(plan.mapping.arrays),
        grouped(plan.mapping.tiles),
        kinds.join(", "),
        percent(used as f64 / all as f64)
    );
    let _ = writeln!(text, "{}", placement(config.mapping.placement, plan.mapping.tiles, &plan.mapping.placed));
    text + &chosen.unwrap_or_default()
}

fn dataflow(plan: &Plan, json: bool) -> Result<String, Error> {
    let graph = &plan.dataflow.graph;
    if json {
        let channels: Vec<_> = graph
            .edge_indices()
            .filter_map(|edge| {
                let (from, to) = graph.edge_endpoints(edge)?;
                Some(serde_json::json!({ "from": graph[from].name, "to": graph[to].name, "channel": graph[edge] }))
            })
            .collect();
        let stages: Vec<_> = graph.node_weights().collect();
        return value(&serde_json::json!({ "stages": stages, "channels": channels }), true);
    }
    let mut rows = vec![row(["from", "to", "room", "", "shape"])];
    for edge in graph.edge_indices() {
        let Some((from, to)) = graph.edge_endpoints(edge) else { continue };
        let channel = &graph[edge];
        let signal = channel.capacity == 0;
        rows.push(vec![
            graph[from].name.clone(),
            graph[to].name.clone(),
            if signal { "-".into() } else { grouped(channel.capacity) },
            format!("{}{}", channel.credit, if channel.feedback { " (feedback)" } else { "" }),
            channel.shape.map(|shape| shape.to_string()).unwrap_or_default(),
        ]);
    }
    Ok(aligned(&rows) + &format!("\n{} stages, {} channels\n", graph.node_count(), graph.edge_count()))
}

/// An area in um2 with all its digits: one unit for a column, so that its numbers compare.
fn um2(area: Area) -> String {
    let per_um2 = 1_000_000;
    let (whole, rest) = (area.0 / per_um2, area.0 % per_um2);
    let digits = format!("{whole}.{rest:06}");
    format!("{} um2", digits.trim_end_matches('0').trim_end_matches('.'))
}

fn costs(table: &CostTable) -> String {
    let mut rows = vec![row(["action", "time", "energy", "area", "leakage"])];
    let mut sources = String::new();
    for (name, cost) in table.entries() {
        rows.push(vec![
            name.clone(),
            cost.time.to_string(),
            cost.energy.to_string(),
            um2(cost.area),
            cost.leakage.to_string(),
        ]);
        let _ = writeln!(sources, "{name}\n    source: {}\n    accuracy: {}", cost.source, cost.accuracy);
    }
    format!("{}: {}\n\n{}\n{sources}", table.name, table.description, aligned(&rows))
}
