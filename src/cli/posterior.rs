//! `show posterior`: what a posterior holds, and how it was made.

use super::Failure;
use super::text::{aligned, row, value};
use crate::config::Loaded;
use crate::error::Problem;
use crate::network::Net;
use crate::report::quantity::grouped;
use crate::run::load_posterior;
use crate::simulate::network;
use crate::workload::{LayerPosterior, LoadedPosterior};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The posterior of a configuration and its network.
pub(super) fn load(loaded: &Loaded) -> Result<(Net, LoadedPosterior), Failure> {
    let config = &loaded.config;
    let net = network(config).map_err(|problems| Failure::Config(loaded.locate(problems)))?;
    let (posterior, _) = load_posterior(&config.workload, &net, &loaded.workload_base)?;
    match posterior {
        Some(posterior) => Ok((net, posterior)),
        None => {
            let message = "the network has no posterior; expected `File(..)` or `Synthetic(..)`";
            Err(Failure::Config(loaded.locate(vec![Problem::new("workload.posterior", message)])))
        }
    }
}

/// What it holds as a table, or as JSON.
pub(super) fn text(loaded: &Loaded, json: bool) -> Result<String, Failure> {
    let (net, posterior) = load(loaded)?;
    // Keys of other programs are texts that may hold JSON.
    let parsed = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
    let made: serde_json::Map<String, Value> =
        posterior.metadata.iter().map(|(key, text)| (key.clone(), parsed(text))).collect();
    if json {
        let layers = net.layers.iter().zip(&posterior.layers).map(|(layer, of_layer)| {
            json!({
                "name": layer.name,
                "tensors": layer.tensors,
                "synapses": layer.synapses(),
                "levels": levels(of_layer),
                "input_scale": of_layer.input_scale,
                "samples": samples(of_layer),
            })
        });
        let sets = posterior.sets.iter().map(|set| {
            let first = set.key.first_ensembling_layer.map(|first| net.layers[first].name.as_str());
            json!({ "name": set.name, "first_ensembling_layer": first, "eps": set.key.eps })
        });
        let all = json!({
            "workload": loaded.config.workload.name,
            "layers": layers.collect::<Vec<_>>(),
            "sets": sets.collect::<Vec<_>>(),
            "metadata": made,
        });
        return Ok(value(&all, true)?);
    }
    let mut rows = vec![row(["layer", "tensors", "synapses", "levels of p", "input scale", "samples"])];
    rows.extend(net.layers.iter().zip(&posterior.layers).map(|(layer, of_layer)| {
        vec![
            layer.name.clone(),
            layer.tensors.clone(),
            grouped(layer.synapses()),
            grouped(levels(of_layer) as u64),
            format!("{:.6}", of_layer.input_scale),
            samples(of_layer).to_string(),
        ]
    }));
    let mut text = format!(
        "{}: {} synapses\n",
        loaded.config.workload.name,
        grouped(net.layers.iter().map(|layer| layer.synapses()).sum::<u64>())
    );
    for key in ["name", "description"] {
        if let Some(Value::String(value)) = made.get("crossbayes").and_then(|own| own.get(key)) {
            text += &format!("{key}: {}\n", value.escape_debug());
        }
    }
    text += &format!("\n{}\nbatch-norm statistics\n", aligned(&rows));
    text += "  sampled    all layers sampled\n  mode       no layer sampled\n";
    for set in &posterior.sets {
        let first = set.key.first_ensembling_layer.map_or("no layer", |first| &net.layers[first].name);
        text += &format!("  {:<9}  sampled from {first} on, eps {}\n", set.name, set.key.eps);
    }
    Ok(text)
}

/// Values that p takes in a layer.
fn levels(layer: &LayerPosterior) -> usize {
    layer.p.iter().map(|p| p.to_bits()).collect::<BTreeSet<_>>().len()
}

fn samples(layer: &LayerPosterior) -> usize {
    layer.samples.as_ref().map_or(0, |samples| samples.members)
}
