//! Are the figures of a report those that one adds up by hand, and are its keys the ones promised?

mod synthetic;

use crossbayes::config::Mode;
use crossbayes::mapping::Plane;
use crossbayes::meter::Ledger;
use crossbayes::report::Report;
use crossbayes::trace::{Action, Component, NONE, Span, SpanSink};
use std::collections::BTreeMap;

fn report(layers: u32, images: u32, members: u32) -> Report {
    let (facts, spans) = synthetic::run(layers, images, members);
    Report::new(&facts, &synthetic::ledger(&facts, &spans))
}

/// The keys of the design, which scripts rely on.
const KEYS: &str = "schema_version provenance.version provenance.seed provenance.arch_hash provenance.workload_hash \
    provenance.command config.arch config.workload config.mapping config.schedule config.ensemble config.seed \
    latency.cycles latency.ns latency.initiation_interval_cycles throughput.images_per_s throughput.gops \
    energy.total_j energy.per_component.crossbar energy.per_layer energy.leakage_j area.total_mm2 \
    area.per_component.adc efficiency.gops_per_w efficiency.gops_per_w_per_mm2 efficiency.gops_definition \
    utilisation.per_component.adc utilisation.per_layer stalls.per_reason_cycles.wait_port stalls.per_layer \
    sampling.probabilistic_synapses sampling.frozen_synapses sampling.stored_synapses sampling.random_bits sampling.per_layer events.count \
    events.per_kind events.simulation_s events.wall_s events.events_per_s outputs.predictions outputs.mean_probabilities outputs.entropy \
    outputs.mutual_information checks.closed_form.ideal_cycles checks.closed_form.predicted_cycles";

#[test]
fn the_json_has_every_promised_key() {
    let json: serde_json::Value = serde_json::from_str(&report(2, 2, 3).to_json()).unwrap();
    for key in KEYS.split_whitespace() {
        let found = key.split('.').try_fold(&json, |value, part| value.get(part));
        assert!(found.is_some_and(|value| !value.is_null()), "{key} is missing");
    }
    for section in ["energy", "area", "utilisation", "stalls", "sampling"] {
        assert_eq!(json[section]["per_layer"][0]["layer"], "conv1", "{section}.per_layer");
    }
}

#[test]
fn cycles_are_those_added_by_hand() {
    // A pass of layer 0 reads 100 cycles, of layer 1 200; each ends with a message 15 cycles later. A member takes
    // 115 + 215 = 330 cycles, an image of 3 members 990.
    let report = report(2, 2, 3);
    assert_eq!(report.latency.cycles, 1980);
    assert_eq!(report.latency.ns, 1980.0);
    let per_image: Vec<_> = report.latency.per_image.iter().map(|i| (i.start_cycle, i.end_cycle, i.cycles)).collect();
    assert_eq!(per_image, [(0, 990, 990), (990, 1980, 990)]);
    assert_eq!(report.latency.initiation_interval_cycles, 990);
    // 1e9 / 990 images a second; (8192 + 16384) * 100 * 3 multiply-accumulates an image.
    assert_eq!(report.throughput.images_per_s, Some(1e9 / 990.0));
    assert_eq!(report.throughput.macs_per_image, 7_372_800);
    assert_eq!(report.throughput.gops, Some(2.0 * 7_372_800.0 * (1e9 / 990.0) / 1e9));
}

#[test]
fn one_image_occupies_the_busiest_layer() {
    let (mut facts, spans) = synthetic::run(2, 1, 3);
    let ledger = synthetic::ledger(&facts, &spans);
    // Layer 1: from its first read at 115 to the last conversion of the third member, 660 + 115 + 200 + 10.
    assert_eq!(Report::new(&facts, &ledger).latency.initiation_interval_cycles, 985 - 115);
    facts.config.schedule.mode = Mode::Sequential;
    assert_eq!(Report::new(&facts, &ledger).latency.initiation_interval_cycles, 990);
}

#[test]
fn energy_is_that_added_by_hand() {
    // 6 passes of 10 and of 20 reads: 180 reads at 2 pJ and 180 conversions at 5 pJ; 12 messages of 0.64 pJ.
    let energy = report(2, 2, 3).energy;
    assert_eq!(energy.per_component["crossbar"], 360e-12);
    assert_eq!(energy.per_component["adc"], 900e-12);
    assert_eq!(energy.per_component["link"], 7.68e-12);
    assert_eq!(energy.per_layer[0].share.per_component["adc"], 300e-12);
    // Leakage: 2.001 mW in each layer and 0.5 uW outside, for 1980 ns.
    assert_eq!(energy.per_layer[1].share.leakage_j, 3_961_980_000e-18);
    assert_eq!(energy.no_layer.leakage_j, 990_000e-18);
    assert_eq!(energy.leakage_j, 7_924_950_000e-18);
    assert_eq!(energy.total_j, 9_192_630_000e-18);
    assert_eq!(energy.per_image_j, energy.total_j / 2.0);
}

#[test]
fn area_is_that_added_by_hand() {
    // A layer: 655.36 um2 of cells, 16 000 um2 of converters, 800 um2 of adders; 3000 um2 outside.
    let area = report(2, 1, 1).area;
    assert_eq!(area.total_mm2, 0.037_910_72);
    assert_eq!(area.per_component["adc"], 0.032);
    assert_eq!(area.per_part["cell"], 0.001_310_72);
    assert_eq!(area.per_layer[1].total_mm2, 0.017_455_36);
    assert_eq!(area.no_layer_mm2, 0.003);
}

#[test]
fn efficiency_follows_from_operations_energy_and_area() {
    let report = report(2, 2, 3);
    let gops_per_w = 2.0 * 7_372_800.0 / report.energy.per_image_j / 1e9;
    assert_eq!(report.efficiency.run_gops_per_w, Some(gops_per_w));
    assert_eq!(report.efficiency.run_gops_per_w_per_mm2, Some(gops_per_w / report.area.total_mm2));
}

/// Throughput, power and efficiency belong to one interval: the run, or an initiation interval in steady state.
#[test]
fn run_and_steady_state_are_two_views_each_of_one_interval() {
    // One image of 990 cycles, the next of which could come after 870.
    let report = report(2, 1, 3);
    assert_eq!((report.latency.cycles, report.latency.initiation_interval_cycles), (990, 870));
    // Work 180 + 450 + 3.84 pJ; leakage 2 x 2.001 mW + 0.5 uW = 4.0025 mW.
    let (work, leakage) = (633.84e-12, 4.0025e-3);
    let close = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-12, "{found}, {expected}");
    assert_eq!(report.power.leakage_w, leakage);
    close(report.energy.per_image_j, work + leakage * 990e-9);
    close(report.energy.steady_state_per_image_j, work + leakage * 870e-9);
    close(report.power.run_w.unwrap(), (work + leakage * 990e-9) / 990e-9);
    close(report.power.steady_state_w.unwrap(), (work + leakage * 870e-9) / 870e-9);
    close(report.throughput.run_images_per_s.unwrap(), 1e9 / 990.0);
    close(report.throughput.images_per_s.unwrap(), 1e9 / 870.0);
    let (throughput, power, efficiency) = (&report.throughput, &report.power, &report.efficiency);
    close(efficiency.run_gops_per_w.unwrap(), throughput.run_gops.unwrap() / power.run_w.unwrap());
    close(efficiency.gops_per_w.unwrap(), throughput.gops.unwrap() / power.steady_state_w.unwrap());
}

#[test]
fn leakage_is_split_by_component_and_layer() {
    // Over 990 ns: 1 uW of arrays and 2 mW of converters in each layer, 0.5 uW of links outside.
    let report = report(2, 1, 3);
    let leakage = &report.energy.leakage;
    assert_eq!(leakage.per_layer[1].per_component, BTreeMap::from([("adc", 1980e-12), ("crossbar", 0.99e-12)]));
    assert_eq!(leakage.no_layer, BTreeMap::from([("link", 0.495e-12)]));
    assert_eq!(leakage.per_component, BTreeMap::from([("adc", 3960e-12), ("crossbar", 1.98e-12), ("link", 0.495e-12)]));
    let table = report.to_string();
    assert!(table.lines().any(|line| line.starts_with("  adc ") && line.contains("3.960 nJ")), "{table}");
}

#[test]
fn work_is_split_by_plane() {
    let (mut facts, mut spans) = synthetic::run(2, 1, 1);
    facts.config.schedule.images = 1;
    for span in spans.iter_mut().filter(|span| span.layer == 0) {
        span.plane = Some(Plane::Deterministic);
    }
    let report = Report::new(&facts, &synthetic::ledger(&facts, &spans));
    // Layer 0: 10 reads at 2 pJ and 10 conversions at 5 pJ; layer 1 twice as many; messages are of no plane.
    assert_eq!(report.energy.per_plane, BTreeMap::from([("deterministic", 70e-12), ("stochastic", 140e-12)]));
    assert_eq!(report.energy.per_layer[0].share.per_plane, BTreeMap::from([("deterministic", 70e-12)]));
    assert!(report.to_string().contains("70.00 pJ deterministic, 140.0 pJ stochastic"), "{report}");
}

#[test]
fn the_busiest_units_in_use_are_named() {
    let (facts, mut spans) = synthetic::run(2, 1, 1);
    // 330 cycles. Arrays of layer 1 read for 200 of them and wait 15 for a port; its 8 converters work as long. What is
    // left they wait for input, the converters of layer 1 but for 20 cycles.
    for (template, wait, duration) in [(0, Action::WaitOperand, 215), (4, Action::WaitOperand, 115)] {
        spans.push(Span { action: wait, duration, repeats: 1, period: duration, energy: 0, ..spans[template] });
    }
    // The two links carry 10 cycles of messages.
    for (template, duration) in [(1, 230), (5, 20), (3, 650)] {
        let idle = Span { duration, repeats: 1, period: duration, energy: 0, ..spans[template] };
        spans.push(Span { action: Action::WaitOperand, ..idle });
    }
    let report = Report::new(&facts, &synthetic::ledger(&facts, &spans));
    let bottleneck = report.bottleneck.as_ref().unwrap();
    assert_eq!((bottleneck.component, bottleneck.busy), ("adc", 200.0 / 220.0));
    assert_eq!((bottleneck.waits_for, bottleneck.waiting), (Some("wait_operand"), 20.0 / 220.0));
    assert_eq!(
        bottleneck.text,
        format!("{}, 90.9 % busy of those in use", facts.layers[1].name.clone() + " converters")
    );
    assert!(report.to_string().contains("waiting for input 9.1 %"), "{report}");
    // 8 converters for 220 of 330 cycles are 5.3 in use; those of layer 0 are all in use.
    let used = |layer: usize| report.utilisation.per_layer[layer].per_component["adc"];
    assert_eq!((used(0).units, used(0).units_in_use, used(1).units_in_use), (8, Some(8), Some(5)));
    assert_eq!((used(0).busy, used(0).busy_of_all), (Some(100.0 / 330.0), Some(100.0 / 330.0)));
}

#[test]
fn use_and_waiting_are_those_added_by_hand() {
    let report = report(2, 1, 1);
    // 330 cycles; layer 0 reads 100 of them on each of its 4 arrays and waits 15 for a port.
    assert_eq!(report.utilisation.per_layer[0].arrays, 100.0 / 330.0);
    assert_eq!(report.utilisation.per_layer[0].cells, 5_000.0 / 65_536.0);
    let busy = |component: &str| report.utilisation.per_component[component].busy_of_all;
    assert_eq!(busy("crossbar"), Some(300.0 / 660.0));
    assert_eq!(busy("adc"), Some(300.0 / 660.0));
    // 10 of 660 unit-cycles of two links.
    assert_eq!(busy("link"), Some(10.0 / 660.0));
    assert_eq!(busy("accumulator"), Some(0.0));
    assert_eq!(report.utilisation.per_component["accumulator"].busy, None);
    assert_eq!(report.stalls.per_layer[1].per_reason_cycles["wait_port"], 15.0);
    assert_eq!(report.stalls.per_reason_cycles["wait_port"], 15.0);
    assert_eq!(report.stalls.per_reason_cycles["wait_link"], 0.0);
    assert_eq!(report.stalls.per_component_unit_cycles["crossbar"]["wait_port"], 120);
    assert_eq!(report.stalls.per_layer[0].per_component_unit_cycles["crossbar"]["wait_port"], 60);
}

#[test]
fn a_run_without_work_has_a_report() {
    let (facts, _) = synthetic::run(2, 1, 1);
    let report = Report::new(&facts, &synthetic::ledger(&facts, &[]));
    assert_eq!(report.latency.cycles, 0);
    assert_eq!(report.throughput.images_per_s, None);
    assert_eq!(report.efficiency.gops_per_w, None);
    assert_eq!((report.bottleneck.as_ref(), report.power.run_w), (None, None));
    assert!(report.to_string().lines().any(|line| line.split_whitespace().eq(["GOPS/W", "-", "-"])), "{report}");
}

#[test]
fn the_order_of_spans_does_not_matter() {
    let (facts, mut spans) = synthetic::run(3, 2, 2);
    let forward = synthetic::ledger(&facts, &spans);
    spans.reverse();
    assert_eq!(synthetic::ledger(&facts, &spans), forward);
}

#[test]
fn a_coarse_row_equals_its_pieces() {
    let (facts, spans) = synthetic::run(3, 2, 2);
    let pieces: Vec<Span> = spans.iter().flat_map(Span::pieces).collect();
    assert!(pieces.len() > spans.len());
    let (coarse, fine) = (synthetic::ledger(&facts, &spans), synthetic::ledger(&facts, &pieces));
    assert_eq!(Report::new(&facts, &coarse), Report::new(&facts, &fine));
}

#[test]
fn wide_sums_do_not_overflow() {
    let span = Span {
        start: 0,
        duration: u64::MAX / 4,
        repeats: 2,
        period: u64::MAX / 4,
        component: Component::Crossbar,
        action: Action::Read,
        plane: None,
        layer: 0,
        group: NONE,
        stage: 0,
        image: 0,
        member: NONE,
        position: NONE,
        unit: 0,
        units: u32::MAX,
        count: u64::MAX,
        energy: u64::MAX,
    };
    let mut ledger = Ledger::new(1, 1, 1);
    (0..4).for_each(|_| ledger.push(&span));
    let entry = ledger.entry(Some(0), Component::Crossbar, Action::Read);
    assert_eq!(entry.energy, 4 * u128::from(u64::MAX));
    assert_eq!(entry.unit_cycles, 8 * u128::from(u64::MAX / 4) * u128::from(u32::MAX));
}

#[test]
fn the_table_fits_a_terminal_and_is_ascii() {
    for (layers, images, members) in [(2, 1, 1), (9, 1, 10), (9, 100, 10)] {
        let table = report(layers, images, members).to_string();
        for line in table.lines() {
            assert!(line.is_ascii() && line.len() <= 100, "{} columns: {line}", line.len());
        }
    }
}

mod pictures {
    use super::synthetic;
    use crossbayes::plot::picture::{Anchor, Mark, Picture};
    use crossbayes::plot::text::text_width;
    use crossbayes::plot::{self, KINDS, Kind};

    fn pictures(layers: u32, images: u32, members: u32) -> Vec<Picture> {
        let (facts, spans) = synthetic::run(layers, images, members);
        let ledger = synthetic::ledger(&facts, &spans);
        KINDS.iter().map(|kind| plot::picture(*kind, &facts, &ledger)).collect()
    }

    #[test]
    fn nothing_is_cut_off_at_the_page() {
        for picture in
            [(1, 1, 1), (4, 1, 1), (9, 1, 10), (9, 10, 10)].into_iter().flat_map(|(l, i, m)| pictures(l, i, m))
        {
            for shape in &picture.shapes {
                let (left, right, top, bottom) = match shape {
                    Mark::Rectangle { x, y, width, height, .. } => (*x, x + width, *y, y + height),
                    Mark::Line { from, to, .. } => (from.0, to.0, from.1, to.1),
                    Mark::Text { x, y, text, size, bold, anchor, .. } => {
                        let width = text_width(text, *size, *bold);
                        let left = match anchor {
                            Anchor::Start => *x,
                            Anchor::Middle => x - width / 2.0,
                            Anchor::End => x - width,
                        };
                        (left, left + width, y - size / 2.0, y + size / 2.0)
                    }
                };
                let inside = left >= 10.0 && right <= picture.width - 10.0 && top >= 10.0;
                assert!(inside && bottom <= picture.height - 10.0, "{shape:?}");
            }
        }
    }

    #[test]
    fn both_files_show_the_whole_picture() {
        let (facts, spans) = synthetic::run(4, 1, 10);
        let ledger = synthetic::ledger(&facts, &spans);
        for kind in KINDS {
            let files = plot::draw(*kind, &facts, &ledger, true).unwrap();
            let names: Vec<_> = files.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(names, [format!("{}.svg", kind.name()), format!("{}.png", kind.name())]);
            assert_eq!(plot::draw(*kind, &facts, &ledger, false).unwrap(), files[..1]);
            let svg = String::from_utf8(files[0].1.clone()).unwrap();
            assert!(svg.contains("nothing on made_up, 1 image, 10 members") && svg.trim_end().ends_with("</svg>"));
            let png = png::Decoder::new(std::io::Cursor::new(&files[1].1));
            let mut reader = png.read_info().unwrap();
            assert_eq!(reader.info().width, 1800);
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            let dark = pixels.chunks(3).filter(|p| p.iter().all(|c| *c < 0x60)).count();
            assert!(dark > 1000, "{}: {dark} pixels of text", kind.name());
        }
    }

    #[test]
    fn a_picture_is_drawn_the_same_again() {
        let picture = &pictures(4, 2, 3)[0];
        assert_eq!(plot::paint::png(picture).unwrap(), plot::paint::png(picture).unwrap());
        assert_eq!(picture, &pictures(4, 2, 3)[0]);
    }

    #[test]
    fn every_pass_has_a_bar_while_there_is_room() {
        let bars = |picture: &Picture| {
            let bar = |mark: &&Mark| matches!(mark, Mark::Rectangle { height, .. } if *height == 20.0);
            picture.shapes.iter().filter(bar).count()
        };
        assert_eq!(bars(&pictures(4, 1, 10)[0]), 40);
        // 1000 passes a layer do not fit; the picture stays small.
        assert!((400..8000).contains(&bars(&pictures(4, 100, 10)[0])));
    }

    #[test]
    fn kinds_have_names() {
        assert!(KINDS.iter().all(|kind| Kind::from_name(kind.name()) == Some(*kind)));
        assert_eq!(Kind::from_name("pie"), None);
    }

    #[test]
    fn a_run_without_work_has_pictures() {
        let (facts, _) = synthetic::run(2, 1, 1);
        let ledger = synthetic::ledger(&facts, &[]);
        for kind in KINDS {
            plot::paint::svg(&plot::picture(*kind, &facts, &ledger)).unwrap();
        }
    }
}
