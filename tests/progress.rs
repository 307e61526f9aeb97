//! Is the progress of a long run reported in answers, as its bar counts it?

mod common;

use common::{chip, config, digits_like};
use crossbayes::config::FastForward;
use crossbayes::simulate::{plan, simulate};
use crossbayes::trace::Span;

#[test]
fn progress_is_reported_in_answers() {
    let mut config = config(chip(128, 128), digits_like());
    config.schedule.images = 100;
    // Each event is simulated.
    config.schedule.fast_forward = FastForward::Off;
    let plan = plan(&config).expect("the test's configuration is valid");
    let expected = plan.answers(&config);
    assert_eq!(expected, 1000, "100 images, 10 members");
    let assembly = plan.assemble(&config, None).expect("sound");
    let mut reported = Vec::new();
    let sink = None::<Vec<Span>>;
    let (outcome, _) =
        simulate(&config, assembly, sink, |answers, now| reported.push((answers, now))).expect("no deadlock");
    assert!(outcome.events >> 20 >= 2, "{} events", outcome.events);
    assert_eq!(reported.len() as u64, outcome.events >> 20);
    assert!(reported.is_sorted());
    // Answers come at one pace: what share of them is there is the share of the cycles that are over, but for the fill.
    for (answers, now) in reported {
        let share = now as f64 / outcome.cycles as f64;
        let there = answers as f64 / expected as f64;
        assert!((share - there).abs() < 0.02, "{answers} of {expected} answers at {now} of {} cycles", outcome.cycles);
    }
}
