//! Writes the dataflow of a network on a chip as Graphviz DOT.
//!
//! `cargo run --release --example dataflow_dot -- toy_2x2 toy_two_layers | dot -Tsvg > dataflow.svg`

use crossbayes::config::{LoadRequest, load};
use crossbayes::dataflow::{check, to_dot};
use crossbayes::simulate::plan;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut names = std::env::args().skip(1);
    let request = LoadRequest { arch: names.next(), workload: names.next(), set: Vec::new() };
    let config = load(&request)?.config;
    let plan = plan(&config).map_err(|problems| format!("{problems:?}"))?;
    check(&plan.dataflow)?;
    print!("{}", to_dot(&plan.dataflow));
    Ok(())
}
