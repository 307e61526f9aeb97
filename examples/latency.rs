//! Simulates the built-in network on the built-in chip with a few keys changed, and prints how long and how much.
//!
//! `cargo run --release --example latency`

use crossbayes::config::{LoadRequest, load};
use crossbayes::report::Report;
use crossbayes::run::prepare;
use crossbayes::trace::ParquetSink;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let copies = r#"mapping.replication=[("conv1", 4), ("conv2", 4)]"#;
    println!("{:<48} {:>8} {:>13} {:>13}", "", "cycles", "images per s", "nJ per image");
    for set in [vec![], vec!["schedule.mode=sequential"], vec!["schedule.mode=streaming"], vec![copies]] {
        let request = LoadRequest { set: set.iter().map(ToString::to_string).collect(), ..LoadRequest::default() };
        let loaded = load(&request)?;
        let prepared = prepare(loaded.config, &loaded.workload_base, 1, &|_, _, _| {})?;
        // No file is written: the report is computed from the sums alone.
        let (finished, _) = prepared.simulate(None::<ParquetSink>, "example".into(), &|_, _, _| {})?;
        let report = Report::new(&finished.facts, &finished.ledger);
        println!(
            "{:<48} {:>8} {:>13.1} {:>13.1}",
            set.first().unwrap_or(&"as shipped"),
            report.latency.cycles,
            report.throughput.images_per_s.unwrap_or(0.0),
            report.energy.per_image_j * 1e9
        );
    }
    Ok(())
}
