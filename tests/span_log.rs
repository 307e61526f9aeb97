//! Whether the log in memory holds the spans of a run, and in how many bytes.

mod common;

use common::{chip, config, digits_like, real_chip};
use crossbayes::config::{Chip, Grain, Grouping};
use crossbayes::simulate::{plan, simulate};
use crossbayes::trace::{Span, SpanLog};

/// Bytes a span in the log of a run, which is compared with the run's spans.
fn bytes_a_span(chip: Chip, grain: Grain, grouping: Grouping) -> f64 {
    let mut config = config(chip, digits_like());
    config.schedule.grain = grain;
    config.schedule.grouping = grouping;
    let assembly = plan(&config).expect("the test's configuration is valid").assemble(&config, None).expect("sound");
    let sinks = (SpanLog::default(), Vec::<Span>::new());
    let (_, (log, spans)) = simulate(&config, assembly, sinks, |_, _| ()).expect("no deadlock");
    assert!(spans.len() > 10_000);
    assert_eq!(log.len(), spans.len());
    assert_eq!(log.iter().len(), spans.len());
    for (i, (kept, span)) in log.iter().zip(&spans).enumerate() {
        assert_eq!(kept, *span, "span {i}");
    }
    assert_eq!(log.iter().nth(spans.len()), None);
    log.bytes() as f64 / spans.len() as f64
}

#[test]
fn a_run_survives_in_a_few_bytes_a_span() {
    for grain in [Grain::Op, Grain::Read, Grain::Conversion] {
        for grouping in [Grouping::Grouped, Grouping::Expanded] {
            for chip in [chip(128, 128), real_chip(128, 128)] {
                let bytes = bytes_a_span(chip, grain, grouping);
                assert!(bytes < 8.0, "{grain:?}, {grouping:?}: {bytes} bytes a span");
            }
        }
    }
}
