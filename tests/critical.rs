//! Is the critical path a chain of jobs of the run, as long as the run, and what it says with other times never too long?

mod common;

use common::tied::{cases, tied};
use common::*;
use crossbayes::config::*;
use crossbayes::critical::{Flow, Timing};
use crossbayes::simulate::{Critical, plan, simulate};
use proptest::prelude::*;

fn critical(config: &Config) -> Critical {
    let plan = plan(config).expect("the test's configuration is valid");
    plan.critical(config, |_, _| ()).expect("every moment follows from an earlier one")
}

fn timing(config: &Config) -> Timing {
    plan(config).expect("the test's configuration is valid").timing(config).expect("the dataflow is sound")
}

/// The ports that messages leave from, message by message.
fn order(config: &Config) -> Vec<u32> {
    let plan = plan(config).expect("the test's configuration is valid");
    let assembly = plan.assemble(config, None).expect("the dataflow is sound");
    let flow = Flow::new(timing(config).departures());
    simulate(config, assembly, flow, |_, _| ()).expect("no deadlock").1.order().to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1_000)))]

    /// Its stretches follow each other from cycle 0 to the end of the run, whatever the run contends for, and it does not
    /// depend on how the run is simulated. More of them: `PROPTEST_CASES=10000 cargo test --release --test critical`.
    #[test]
    fn the_chain_is_as_long_as_the_run(config in tied()) {
        let found = critical(&config);
        prop_assert_eq!(found.chain.cycles(), found.cycles);
        prop_assert_eq!(found.chain.cycles_with(&found.timing), found.cycles);
        prop_assert_eq!(found.cycles, run(&config).0.cycles);
        let mut at = 0;
        for segment in &found.chain.segments {
            prop_assert_eq!(segment.start, at);
            prop_assert_eq!(segment.cycles.values().sum::<u64>(), segment.end - segment.start);
            at = segment.end;
        }
        let places = found.chain.by_place();
        for (grain, grouping) in [
            (Grain::Op, Grouping::Grouped),
            (Grain::Read, Grouping::Expanded),
            (Grain::Conversion, Grouping::Grouped),
        ] {
            let mut other = config.clone();
            (other.schedule.grain, other.schedule.grouping) = (grain, grouping);
            let other = critical(&other);
            prop_assert_eq!(&places, &other.chain.by_place(), "{:?} {:?}", grain, grouping);
            prop_assert_eq!(&found.chain.waits, &other.chain.waits, "{:?} {:?}", grain, grouping);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1_000)))]

    /// With other times the jobs of the chain still wait for each other, so that no run is shorter than they take.
    #[test]
    fn no_run_with_other_times_is_shorter_than_the_chain(
        config in tied(),
        read in 1..6u64,
        times in prop::collection::vec(0..5u64, 13),
    ) {
        let mut other = config.clone();
        other.arch.array.read_time.0 = read * 1000;
        set_times(&mut other.arch.costs, 0, times.iter().map(|ns| ns * 1000));
        let predicted = critical(&config).chain.cycles_with(&timing(&other));
        let cycles = run(&other).0.cycles;
        // About half of the cases: in the others messages take the links between tiles in another order.
        if order(&config) == order(&other) {
            prop_assert!(predicted <= cycles, "{} of {}", predicted, cycles);
        }
    }
}
