//! `show sparsity`: what a posterior leaves to sample, and what packings store of it.

use super::plot::Pictures;
use super::text::{aligned, row, value};
use super::{Failure, Format, Global, posterior};
use crate::config::{Loaded, Posterior};
use crate::error::Error;
use crate::plot;
use crate::report::quantity::{grouped, percent, significant};
use crate::report::sparsity::{ArraySize, Counts, LayerSparsity, Sparsity, WIDTHS, sparsity};
use std::fmt::Write as _;

/// Options of `show sparsity`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// `sparsity`: synapses with eps < p < 1 - eps are probabilistic. The tables of packings are for the first one given.
    #[arg(long, value_name = "EPS", value_delimiter = ',', default_values_t = [0.05, 0.01, 0.1, 0.3], value_parser = eps)]
    eps: Vec<f64>,
    /// `sparsity`: square arrays with this number of rows and bitlines instead of the chip's.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(2..=4096))]
    array_rows: Vec<u32>,
}

/// Checks a threshold.
pub(super) fn eps(text: &str) -> Result<f64, String> {
    let expected = || format!("expected a number in 0..0.5, got `{text}`");
    let eps: f64 = text.parse().map_err(|_| expected())?;
    if (0.0..0.5).contains(&eps) { Ok(eps) } else { Err(expected()) }
}

/// The sparsity as tables, or as JSON. Draws pictures where a folder for them is named.
pub(super) fn text(options: &Options, to: &Pictures, loaded: &Loaded, global: &Global) -> Result<String, Failure> {
    let config = &loaded.config;
    let (net, posterior) = posterior::load(loaded)?;
    let array = &config.arch.array;
    let sizes: Vec<_> = if options.array_rows.is_empty() {
        vec![ArraySize::of(array)]
    } else {
        let square = |&rows| ArraySize { rows, synapse_columns: rows / array.cells_per_synapse };
        options.array_rows.iter().map(square).collect()
    };
    let p = posterior.layers.iter().map(|layer| layer.p.as_slice());
    let sparsity = sparsity(&config.workload.name, &net, p, &options.eps, &sizes);
    to.draw(global, || plot::sparsity::pictures(&sparsity, &options.eps, sizes[0]))?;
    if global.format == Format::Json {
        return Ok(value(&sparsity, true)?);
    }
    let synthetic = matches!(config.workload.posterior, Posterior::Synthetic { .. });
    tables(&sparsity, synthetic, &options.eps, &sizes).map_err(|_| Error::Internal("a table".to_owned()).into())
}

fn tables(sparsity: &Sparsity, synthetic: bool, eps: &[f64], sizes: &[ArraySize]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let layers = &sparsity.layers;
    let origin = if synthetic { ", a synthetic posterior" } else { "" };
    let total: u64 = layers.iter().map(LayerSparsity::synapses).sum();
    writeln!(text, "{}{origin}: {} synapses in {} layers\n", sparsity.workload, grouped(total), layers.len())?;

    let mut sorted: Vec<f64> = eps.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    writeln!(text, "Probabilistic synapses, eps < p < 1 - eps, of all synapses of the layer\n")?;
    let mut head = row(["layer", "K x M", "entropy/bit", "p = 0, 1"]);
    head.extend(sorted.iter().map(|eps| format!("eps {eps}")));
    let mut rows = vec![head];
    let of = |layer: &LayerSparsity, eps: f64| at(layer, eps, sizes[0]).probabilistic;
    for layer in layers {
        let all = layer.synapses() as f64;
        let mut cells = vec![
            layer.name.clone(),
            format!("{} x {}", layer.rows, layer.columns),
            significant(layer.entropy_bits / all),
            percent(layer.exact_zero_or_one as f64 / all),
        ];
        cells.extend(sorted.iter().map(|&eps| percent(of(layer, eps) as f64 / all)));
        rows.push(cells);
    }
    let entropy: f64 = layers.iter().map(|layer| layer.entropy_bits).sum();
    let exact: u64 = layers.iter().map(|layer| layer.exact_zero_or_one).sum();
    let mut cells = vec![
        "all".to_owned(),
        String::new(),
        significant(entropy / total as f64),
        percent(exact as f64 / total as f64),
    ];
    let all_of = |eps| layers.iter().map(|layer| of(layer, eps)).sum::<u64>();
    cells.extend(sorted.iter().map(|&eps| percent(all_of(eps) as f64 / total as f64)));
    rows.push(cells);
    text += &aligned(&rows);

    for &size in sizes {
        packings(&mut text, layers, eps[0], size)?;
    }

    writeln!(
        text,
        "\nStored share of the layer's synapses with packing by rows, by width of the stochastic plane; eps {}\n",
        eps[0]
    )?;
    let mut head = row(["synapse columns"]);
    head.extend(WIDTHS.map(|width| width.to_string()));
    let mut rows = vec![head];
    let stored =
        |layer: &LayerSparsity, width: u32| at(layer, eps[0], sizes[0]).rows_packing_by_width[&width.to_string()];
    for layer in layers {
        let mut cells = vec![layer.name.clone()];
        cells.extend(WIDTHS.map(|width| percent(stored(layer, width) as f64 / layer.synapses() as f64)));
        rows.push(cells);
    }
    let mut cells = vec!["all".to_owned()];
    cells.extend(
        WIDTHS.map(|width| percent(layers.iter().map(|layer| stored(layer, width)).sum::<u64>() as f64 / total as f64)),
    );
    rows.push(cells);
    text += &aligned(&rows);

    writeln!(text, "\nLeft to each member if ensembling starts at a layer; eps {}\n", eps[0])?;
    let mut rows = vec![row(["first layer", "synapses", "probabilistic", "of all", "MACs", "of all"])];
    let key = eps[0].to_string();
    let whole = all_of(eps[0]);
    for from in &sparsity.from_layer {
        let probabilistic = from.probabilistic[&key];
        rows.push(vec![
            from.layer.clone(),
            grouped(from.synapses),
            grouped(probabilistic),
            percent(if whole == 0 { 0.0 } else { probabilistic as f64 / whole as f64 }),
            grouped(from.macs),
            percent(from.mac_share),
        ]);
    }
    text += &aligned(&rows);
    Ok(text)
}

/// Arrays by packing.
fn packings(text: &mut String, layers: &[LayerSparsity], eps: f64, size: ArraySize) -> std::fmt::Result {
    writeln!(
        text,
        "\nArrays of {} rows and {} synapse columns by packing of the stochastic plane; eps {eps}\n",
        size.rows, size.synapse_columns
    )?;
    let mut rows = vec![row([
        "layer",
        "full",
        "rows",
        "lists",
        "sorted lists",
        "rows touched",
        "columns touched",
        "longest list",
        "slots of lists",
    ])];
    let mut sums = [0; 4];
    let (mut slots, mut all) = (0, 0);
    for layer in layers {
        let counts = at(layer, eps, size);
        let arrays = [
            counts.full.arrays,
            counts.rows_packing.arrays,
            counts.lists_packing.arrays,
            counts.sorted_lists_packing.arrays,
        ];
        sums.iter_mut().zip(arrays).for_each(|(sum, arrays)| *sum += arrays);
        slots += counts.lists_packing.slots;
        all += layer.synapses();
        let mut cells = vec![layer.name.clone()];
        cells.extend(arrays.map(grouped));
        cells.extend([
            percent(f64::from(counts.rows_with_any) / f64::from(layer.rows)),
            percent(f64::from(counts.columns_with_any) / f64::from(layer.columns)),
            grouped(counts.lists_packing.longest_column),
            percent(counts.lists_packing.slots as f64 / layer.synapses() as f64),
        ]);
        rows.push(cells);
    }
    let mut cells = vec!["all".to_owned()];
    cells.extend(sums.map(grouped));
    cells.extend([String::new(), String::new(), String::new(), percent(slots as f64 / all as f64)]);
    rows.push(cells);
    *text += &aligned(&rows);
    Ok(())
}

fn at(layer: &LayerSparsity, eps: f64, size: ArraySize) -> &Counts {
    &layer.by_eps[&eps.to_string()][&size.rows.to_string()]
}
