//! What is known of a point: every scalar of its report.

use crate::compare::limits::{Limits, limits};
use crate::config::Plane;
use crate::meter::Ledger;
use crate::report::{OutputFacts, Report, RunFacts};
use crate::sweep::table::{Cell, Head, Kind};
use crate::trace::{Action, Component};
use std::sync::LazyLock;

/// A run and what was computed of it.
struct Measured<'a> {
    facts: &'a RunFacts,
    report: Report,
    limits: Limits,
}

/// One figure.
struct Figure {
    head: Head,
    of: Box<dyn Fn(&Measured<'_>) -> Cell + Send + Sync>,
}

/// Names and types of all figures, in the order of their columns.
pub fn heads() -> impl Iterator<Item = &'static Head> {
    FIGURES.iter().map(|figure| &figure.head)
}

/// The figures of a run, in the order of [`heads`].
#[must_use]
pub fn figures(facts: &RunFacts, ledger: &Ledger) -> Vec<Cell> {
    let report = Report::new(facts, ledger);
    let limits = limits(facts, ledger, report.energy.per_image_j);
    let measured = Measured { facts, report, limits };
    FIGURES.iter().map(|figure| (figure.of)(&measured)).collect()
}

fn real(value: impl Into<Option<f64>>) -> Cell {
    value.into().map_or(Cell::Absent, Cell::Real)
}

fn whole(value: impl Into<Option<u64>>) -> Cell {
    value.into().map_or(Cell::Absent, |value| i64::try_from(value).map_or(Cell::Absent, Cell::Integer))
}

type Scalar = fn(&Measured<'_>) -> Cell;

/// Figures of the answers to images.
static OF_VALUES: &[(&str, Scalar)] = &[
    ("accuracy", |m| real(outputs(m).and_then(|of| of.accuracy))),
    ("ece", |m| real(outputs(m).and_then(|of| of.ece))),
    ("nll", |m| real(outputs(m).and_then(|of| of.nll))),
    ("brier", |m| real(outputs(m).and_then(|of| of.brier))),
    ("entropy", |m| real(outputs(m).and_then(|of| mean(&of.entropy)))),
    ("mutual_information", |m| real(outputs(m).and_then(|of| mean(&of.mutual_information)))),
    ("member_correlation", |m| real(outputs(m).and_then(|of| of.member_correlation))),
    ("ood_auroc_entropy", |m| real(outputs(m).and_then(|of| Some(of.ood.as_ref()?.entropy.auroc)))),
    ("ood_auroc_mutual_information", |m| {
        real(outputs(m).and_then(|of| Some(of.ood.as_ref()?.mutual_information.auroc)))
    }),
];

/// Whether a figure is one of the answers to images.
#[must_use]
pub fn needs_values(figure: &str) -> bool {
    OF_VALUES.iter().any(|(name, _)| *name == figure)
}

static FIGURES: LazyLock<Vec<Figure>> = LazyLock::new(|| {
    let mut all = Vec::new();
    let mut add = |name: &str, kind, of: Box<dyn Fn(&Measured<'_>) -> Cell + Send + Sync>| {
        all.push(Figure { head: Head { name: name.to_owned(), kind }, of });
    };
    let integers: &[(&str, Scalar)] = &[
        ("latency_cycles", |m| whole(first_image(m))),
        ("initiation_interval_cycles", |m| whole(m.report.latency.initiation_interval_cycles)),
        ("run_cycles", |m| whole(m.report.latency.cycles)),
        ("macs_per_image", |m| whole(m.report.throughput.macs_per_image)),
        ("arrays", |m| whole(m.facts.arrays)),
        ("tiles", |m| whole(u64::from(m.facts.tiles))),
        ("byte_hops", |m| whole(m.facts.placed.as_ref().map(|placed| placed.byte_hops))),
        ("random_bits", |m| whole(m.report.sampling.random_bits / images(m))),
        ("sampled_synapses", |m| whole(m.report.sampling.sampled_synapses)),
        ("probabilistic_synapses", |m| whole(m.report.sampling.probabilistic_synapses)),
        ("frozen_synapses", |m| whole(m.report.sampling.frozen_synapses)),
        ("stored_synapses", |m| whole(m.report.sampling.stored_synapses)),
        ("closed_form_cycles", |m| whole(m.facts.closed_form.predicted_cycles)),
        ("contention_cycles", |m| Cell::Integer(m.facts.closed_form.contention_cycles)),
    ];
    let reals: &[(&str, Scalar)] = &[
        ("latency_s", |m| real(first_image(m) as f64 / m.facts.config.arch.clock.0 as f64)),
        ("images_per_s", |m| real(m.report.throughput.images_per_s)),
        ("run_images_per_s", |m| real(m.report.throughput.run_images_per_s)),
        ("gops", |m| real(m.report.throughput.gops)),
        ("energy_j", |m| real(m.report.energy.per_image_j)),
        ("steady_state_energy_j", |m| real(m.report.energy.steady_state_per_image_j)),
        ("run_energy_j", |m| real(m.report.energy.total_j)),
        ("run_leakage_j", |m| real(m.report.energy.leakage_j)),
        ("power_w", |m| real(m.report.power.run_w)),
        ("steady_state_power_w", |m| real(m.report.power.steady_state_w)),
        ("leakage_w", |m| real(m.report.power.leakage_w)),
        ("area_mm2", |m| real(m.report.area.total_mm2)),
        ("gops_per_w", |m| real(m.report.efficiency.gops_per_w)),
        ("gops_per_w_per_mm2", |m| real(m.report.efficiency.gops_per_w_per_mm2)),
        ("run_gops_per_w", |m| real(m.report.efficiency.run_gops_per_w)),
        ("compensation_energy_j", |m| real(m.report.compensation.as_ref().map(|of| of.energy_j))),
        ("compensation_power_w", |m| real(m.report.compensation.as_ref().and_then(|of| of.power_w))),
        ("bottleneck_busy", |m| real(m.report.bottleneck.as_ref().map(|of| of.busy))),
        ("limits.energy", |m| real(m.limits.energy)),
        ("limits.converters", |m| real(m.limits.converters)),
        ("limits.cells", |m| real(m.limits.cells)),
        ("limits.random_bits", |m| real(m.limits.random_bits)),
        ("mac_j", |m| real(m.limits.mac_j)),
    ];
    for (name, of) in integers {
        add(name, Kind::Integer, Box::new(of));
    }
    add("answered_images", Kind::Integer, Box::new(|m| whole(outputs(m).map(|of| u64::from(of.images)))));
    for (name, of) in reals.iter().chain(OF_VALUES) {
        add(name, Kind::Real, Box::new(of));
    }
    let bottleneck =
        |m: &Measured<'_>| m.report.bottleneck.as_ref().map_or(Cell::Absent, |of| Cell::Text(of.component.to_owned()));
    add("bottleneck", Kind::Text, Box::new(bottleneck));
    for component in Component::ALL {
        let name = component.name();
        let of = move |m: &Measured<'_>| real(m.report.energy.per_component.get(name).copied());
        add(&format!("energy.{name}_j"), Kind::Real, Box::new(of));
        let of = move |m: &Measured<'_>| real(m.report.energy.leakage.per_component.get(name).copied());
        add(&format!("leakage.{name}_j"), Kind::Real, Box::new(of));
        let of = move |m: &Measured<'_>| real(m.report.area.per_component.get(name).copied());
        add(&format!("area.{name}_mm2"), Kind::Real, Box::new(of));
        let of = move |m: &Measured<'_>| real(m.report.utilisation.per_component.get(name).and_then(|of| of.busy));
        add(&format!("busy.{name}"), Kind::Real, Box::new(of));
    }
    for plane in Plane::ALL {
        let name = plane.name();
        let of = move |m: &Measured<'_>| real(m.report.energy.per_plane.get(name).copied());
        add(&format!("energy.{name}_plane_j"), Kind::Real, Box::new(of));
    }
    for reason in Action::ALL.iter().filter(|action| action.is_wait()) {
        let name = reason.name();
        let of = move |m: &Measured<'_>| real(m.report.stalls.per_reason_cycles.get(name).copied());
        add(&format!("{name}_cycles"), Kind::Real, Box::new(of));
    }
    all
});

/// Cycles to the end of the first image.
fn first_image(m: &Measured<'_>) -> u64 {
    m.report.latency.per_image.first().map_or(m.report.latency.cycles, |image| image.end_cycle)
}

fn images(m: &Measured<'_>) -> u64 {
    u64::from(m.facts.config.schedule.images.max(1))
}

fn outputs<'a>(m: &Measured<'a>) -> Option<&'a OutputFacts> {
    m.facts.outputs.as_ref()
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_no_keys() {
        let names: BTreeSet<&str> = heads().map(|head| head.name.as_str()).collect();
        assert_eq!(names.len(), heads().count());
        assert!(names.len() > 80);
        for section in
            ["arch", "workload", "mapping", "schedule", "ensemble", "values", "seed", "point", "problem", "key"]
        {
            assert!(!names.iter().any(|name| name.split('.').next() == Some(section)), "{section}");
        }
    }
}
