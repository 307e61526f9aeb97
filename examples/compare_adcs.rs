//! Compares converters: what fewer bits save in time and energy, and what they do to the answers.
//!
//! `FullScale` spreads the codes over all rows that a layer uses, so sums are rounded to coarser steps as bits get fewer; a
//! fixed range keeps the step fine and clips large sums instead.
//!
//! `cargo run --release --example compare_adcs`

use crossbayes::config::{LoadRequest, load};
use crossbayes::report::Report;
use crossbayes::run::prepare;
use crossbayes::trace::ParquetSink;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "{:<5} {:<10} {:>8} {:>13} {:>10} {:>9}",
        "bits", "range", "cycles", "nJ per image", "accuracy", "clipped"
    );
    for (bits, range) in [(9, "FullScale"), (8, "FullScale"), (6, "FullScale"), (6, "Fixed(31)"), (5, "Fixed(15)")] {
        let scheme = "mapping.scheme=Dense".to_owned();
        let set = vec![scheme, format!("arch.adc.bits={bits}"), format!("arch.adc.range={range}")];
        let loaded = load(&LoadRequest { set, ..LoadRequest::default() })?;
        let prepared = prepare(loaded.config, &loaded.workload_base, 1, &|_, _, _| {})?;
        let (finished, _) = prepared.simulate(None::<ParquetSink>, "example".into(), &|_, _, _| {})?;
        let report = Report::new(&finished.facts, &finished.ledger);
        let outputs = report.outputs.as_ref().ok_or("the workload has no images")?;
        let clipped = outputs.clipped_share.iter().copied().fold(0.0, f64::max);
        println!(
            "{bits:<5} {range:<10} {:>8} {:>13.1} {:>8.1} % {:>7.1} %",
            report.latency.cycles,
            report.energy.per_image_j * 1e9,
            outputs.accuracy.unwrap_or(0.0) * 100.0,
            clipped * 100.0
        );
    }
    Ok(())
}
