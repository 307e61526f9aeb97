//! Technology: a cost table at another node than its own, and converters by the regression over a survey.
//!
//! Digital parts are scaled by the equations of Stillmaker and Baas (Integration 58, 2017). Analogue ones are not: their
//! sizes follow noise, matching and voltages rather than the length of a gate.

use crate::config::chip::{Chip, ConverterCost};
use crate::config::costs::{AdcCost, Cost, CostTable};
use crate::error::Problem;
use crate::units::{Area, Energy, Frequency, Length, Power, Time};

/// Supply voltage of the equations at hand: that of the tables that are built in.
const VOLTS: f64 = 0.8;

/// A node in the tables of Stillmaker and Baas.
struct Node {
    nm: f64,
    /// Area of the same circuit, that at 32 nm being 1.
    area: f64,
    /// Delay: coefficients of V^3, V^2, V and 1. From 45 nm down those of the high-performance models, which alone run on from
    /// those of larger nodes.
    delay: [f64; 4],
    /// Energy: coefficients of V^2, V and 1, likewise.
    energy: [f64; 3],
    /// Those of the low-power models.
    low_power: [f64; 3],
}

/// Largest node first. Coefficients as in nodeScale (UCLA NanoCAD Laboratory, 2021), areas and energies also as in
/// hwcomponents (Accelergy project).
#[rustfmt::skip]
const NODES: [Node; 10] = [
    Node { nm: 130.0, area: 14.0, delay: [-76.65, 334.9, -493.4, 275.8], energy: [7.171, -6.709, 2.904], low_power: [7.171, -6.709, 2.904] },
    Node { nm: 90.0, area: 6.1, delay: [-60.34, 262.5, -384.2, 210.9], energy: [4.762, -4.781, 2.092], low_power: [4.762, -4.781, 2.092] },
    Node { nm: 65.0, area: 3.3, delay: [-53.3, 230.4, -333.9, 178.6], energy: [3.755, -4.398, 1.975], low_power: [3.755, -4.398, 1.975] },
    Node { nm: 45.0, area: 2.2, delay: [-501.6, 1567.0, -1619.0, 566.1], energy: [1.018, -0.3107, 0.1539], low_power: [1.103, -0.362, 0.2767] },
    Node { nm: 32.0, area: 1.0, delay: [-1047.0, 2982.0, -2797.0, 873.5], energy: [0.8367, -0.4341, 0.1701], low_power: [0.9559, -0.7823, 0.471] },
    Node { nm: 20.0, area: 0.46, delay: [0.0, 34.63, -66.37, 41.15], energy: [0.373, -0.1582, 0.04104], low_power: [0.2632, -0.14, 0.06841] },
    Node { nm: 16.0, area: 0.41, delay: [0.0, 24.8, -47.52, 28.87], energy: [0.2958, -0.1241, 0.03024], low_power: [0.2139, -0.1187, 0.05639] },
    Node { nm: 14.0, area: 0.38, delay: [-40.66, 109.2, -100.6, 35.92], energy: [0.2363, -0.09675, 0.02239], low_power: [0.1556, -0.06472, 0.03066] },
    Node { nm: 10.0, area: 0.22, delay: [-34.95, 93.65, -85.99, 30.4], energy: [0.2068, -0.09311, 0.02375], low_power: [0.1261, -0.0518, 0.02769] },
    Node { nm: 7.0, area: 0.13, delay: [-28.58, 76.6, -70.26, 24.69], energy: [0.1776, -0.09097, 0.02447], low_power: [0.09365, -0.03409, 0.02043] },
];

/// What the costs of a digital part are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Factors {
    time: f64,
    energy: f64,
    area: f64,
    /// Energy by the low-power models.
    low_power: f64,
}

fn polynomial(coefficients: &[f64]) -> f64 {
    coefficients.iter().fold(0.0, |value, coefficient| value * VOLTS + coefficient)
}

/// What a figure is at a node, linear between those of the tables; none outside of them.
fn at(node: Length, figure: fn(&Node) -> f64) -> Option<f64> {
    let nm = nanometres(node);
    let pair = NODES.windows(2).find(|pair| (pair[1].nm..=pair[0].nm).contains(&nm))?;
    let [larger, smaller] = [&pair[0], &pair[1]];
    let place = (nm - smaller.nm) / (larger.nm - smaller.nm);
    Some(figure(smaller) + (figure(larger) - figure(smaller)) * place)
}

fn factors(from: Length, to: Length) -> Option<Factors> {
    let of = |figure: fn(&Node) -> f64| Some(at(to, figure)? / at(from, figure)?);
    Some(Factors {
        time: of(|node| polynomial(&node.delay))?,
        energy: of(|node| polynomial(&node.energy))?,
        area: of(|node| node.area)?,
        low_power: of(|node| polynomial(&node.low_power))?,
    })
}

fn nanometres(length: Length) -> f64 {
    length.0 as f64
}

fn scaled(value: u64, factor: f64) -> u64 {
    libm::round(value as f64 * factor) as u64
}

impl CostTable {
    /// The costs of parts whose size and energy are those of gates and wires.
    fn digital(&mut self) -> [&mut Cost; 17] {
        [
            &mut self.sampled_accumulate,
            &mut self.random_bit,
            &mut self.lfsr_register,
            &mut self.lfsr_gate,
            &mut self.draw_compare,
            &mut self.draw_latch,
            &mut self.probability_fetch,
            &mut self.index_bit,
            &mut self.gather,
            &mut self.shift_add,
            &mut self.adder,
            &mut self.post_process,
            &mut self.pool,
            &mut self.buffer_read,
            &mut self.buffer_write,
            &mut self.global_read,
            &mut self.global_write,
        ]
    }

    fn analogue(&mut self) -> impl Iterator<Item = &mut Cost> {
        let single = [
            &mut self.cell,
            &mut self.wordline,
            &mut self.sample_and_hold,
            &mut self.multiplexer,
            &mut self.comparator,
            &mut self.true_random_bit,
        ];
        let levels = self.dac.iter_mut().map(|entry| &mut entry.convert);
        single.into_iter().chain(levels).chain(self.adc.iter_mut().map(|entry| &mut entry.convert))
    }

    /// The table at another node, if the equations reach from its own to it.
    fn scale(&mut self, to: Length) {
        let from = self.node;
        let Some(by) = factors(from, to).filter(|_| from != to) else { return };
        let how = format!(
            "; scaled from {from} to {to} after Stillmaker and Baas (Integration 2017), high-performance models at {VOLTS} V: \
             energy x {:.3}, area x {:.3}, time x {:.3}",
            by.energy, by.area, by.time
        );
        let trust = format!(
            "; scaled: a trend of logic gates, not a design (by the low-power models energy x {:.3}); leakage as at {from}",
            by.low_power
        );
        let digital = self.digital().into_iter();
        // Its wires are longer than a part, and its step is that of the clock.
        for cost in digital {
            cost.time = Time(scaled(cost.time.0, by.time));
            cost.energy = Energy(scaled(cost.energy.0, by.energy));
            cost.area = Area(scaled(cost.area.0, by.area));
            cost.source += &how;
            cost.accuracy += &trust;
        }
        let link = &mut self.link;
        link.energy = Energy(scaled(link.energy.0, by.energy));
        link.area = Area(scaled(link.area.0, by.area));
        link.source += &how.replace(&format!(", time x {:.3}", by.time), "; time kept");
        link.accuracy += &trust;
        for cost in self.analogue() {
            cost.accuracy += &format!("; analogue: as at {from}, not scaled to {to}");
        }
        self.name += &format!(" at {to}");
        self.node = to;
    }
}

/// Nodes of the converters in the survey.
const SURVEYED: [u64; 2] = [7, 1000];
/// Least resolution of the regression, bits.
const LEAST_BITS: u32 = 4;

/// A converter by the regression over Murmann's survey, fitted to good rather than mean ones (a fifth of the designs take
/// less energy, a tenth less area), as in accelergy-adc-plug-in (Andrulis et al., 2024).
fn surveyed(bits: u32, rate: Frequency, node: Length) -> Cost {
    let (enob, rate_hz, nm) = (f64::from(bits), rate.0 as f64, nanometres(node));
    // Schreier's figure of merit, dB: bounded by the rate and by the resolution.
    let by_rate = 213.780_668_734_811_8 - 2.871_903_039_952_995_7 * libm::log(rate_hz);
    let by_bits = 128.306_828_739_881_7 + 3.220_511_510_977_55 * enob;
    let sndr = enob * 20.0 * libm::log10(2.0) + 10.0 * libm::log10(1.5);
    let merit = by_rate.min(by_bits);
    let fit = 26.049_621_568_651_8 + 1.880_036_920_681_500_4 * libm::log(nm)
        - 2.829_125_605_059_452_7 * libm::log(enob)
        - 1.470_202_213_378_440_5;
    let picojoules = 0.5 * libm::pow(10.0, (sndr - merit) / 10.0) * libm::exp(fit);
    let um2 = libm::exp(
        1.346_191_643_991_074_2
            + 0.993_279_474_474_502_2 * libm::log(nm)
            + 0.180_715_384_245_082_38 * libm::log(rate_hz)
            + 0.299_124_261_926_534_85 * libm::log(picojoules),
    );
    Cost {
        time: Time(1_000_000_000_000_u64.div_ceil(rate.0.max(1))),
        energy: Energy(scaled(1_000_000, picojoules)),
        area: Area(scaled(1_000_000, um2)),
        leakage: Power(0),
        source: format!(
            "regression over Murmann's ADC survey (ISSCC and VLSI), as fitted in accelergy-adc-plug-in, evaluated at {node}, \
             {bits} bits and {rate}"
        ),
        accuracy:
            "survey regression: a trend, not a design; area of stand-alone chips, pessimistic for converters in a \
                   column pitch; leakage is part of the energy"
                .to_owned(),
    }
}

impl Chip {
    /// Brings the cost table to the node of the chip, and gives it the converters of the survey where the chip asks for them.
    /// Once done, doing it again changes nothing.
    pub(super) fn apply_technology(&mut self) {
        self.costs.scale(self.node);
        let ConverterCost::Survey { rate } = self.adc.cost else { return };
        for bits in [Some(self.adc.bits), self.stochastic.adc_bits].into_iter().flatten() {
            let convert = surveyed(bits, rate, self.node);
            match self.costs.adc.iter_mut().find(|entry| entry.bits == bits) {
                // Numbers that were changed since stay as they are.
                Some(entry) if entry.convert.source == convert.source => {}
                Some(entry) => entry.convert = convert,
                None => self.costs.adc.push(AdcCost { bits, convert }),
            }
        }
    }

    /// What keeps a table from being brought to the node of the chip, or a converter from being one of the survey.
    pub(super) fn technology_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.node != self.costs.node && factors(self.costs.node, self.node).is_none() {
            let message = format!(
                "node is {}; cost table \"{}\" is for {}; expected the same, or both from 7 nm to 130 nm, between which \
                 digital parts are scaled",
                self.node, self.costs.name, self.costs.node
            );
            problems.push(Problem::new("node", message));
        }
        if let ConverterCost::Survey { .. } = self.adc.cost {
            let mut refused = |what: String, expected: String| {
                let message = format!("the regression over the survey does not reach to {what}; expected {expected}");
                problems.push(Problem::new("adc.cost", message));
            };
            if !(SURVEYED[0]..=SURVEYED[1]).contains(&self.node.0) {
                refused(format!("{}", self.node), "7 nm to 1 um".to_owned());
            }
            let bits = self.stochastic.adc_bits.unwrap_or(self.adc.bits).min(self.adc.bits);
            if bits < LEAST_BITS {
                refused(format!("{bits} bits"), format!("at least {LEAST_BITS}"));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LoadRequest, load};

    fn chip(set: &[&str]) -> Chip {
        let set: Vec<String> = set.iter().map(|text| (*text).to_owned()).collect();
        let request = LoadRequest { set, ..LoadRequest::default() };
        load(&request).unwrap_or_else(|errors| panic!("{errors}")).config.arch
    }

    #[test]
    fn factors_are_those_of_the_equations() {
        let by = |from, to| factors(Length(from), Length(to)).unwrap();
        // 20 nm to 14 nm by hand, at 0.8 V. Energy: 0.2363 x 0.64 - 0.09675 x 0.8 + 0.02239 = 0.096222 of
        // 0.373 x 0.64 - 0.1582 x 0.8 + 0.04104 = 0.1532; delay: -40.66 x 0.512 + 109.2 x 0.64 - 100.6 x 0.8 + 35.92 = 4.51008
        // of 34.63 x 0.64 - 66.37 x 0.8 + 41.15 = 10.2172; area: 0.38 / 0.46, which the paper gives as 0.82.
        let Factors { time, energy, area, .. } = by(20, 14);
        assert!((energy - 0.096_222 / 0.1532).abs() < 1e-6, "{energy}");
        assert!((time - 4.510_08 / 10.217_2).abs() < 1e-6, "{time}");
        assert!((area - 0.38 / 0.46).abs() < 1e-9 && (area - 0.82).abs() < 0.01, "{area}");
        // 22 nm lies a sixth of the way from 20 nm to 32 nm: 0.46 + 0.54 / 6.
        assert!((by(32, 22).area - 0.55).abs() < 1e-9);
        let back = by(22, 14);
        let forth = by(14, 22);
        assert!((back.energy * forth.energy - 1.0).abs() < 1e-12 && (back.time * forth.time - 1.0).abs() < 1e-12);
        assert!(factors(Length(22), Length(5)).is_none() && factors(Length(180), Length(22)).is_none());
        // Each node takes less energy than the one before, with either kind of models.
        for pair in NODES.windows(2) {
            assert!(polynomial(&pair[1].energy) < polynomial(&pair[0].energy), "{}", pair[1].nm);
            assert!(polynomial(&pair[1].low_power) < polynomial(&pair[0].low_power), "{}", pair[1].nm);
            assert!(pair[1].area < pair[0].area);
        }
    }

    #[test]
    fn digital_parts_are_scaled_and_analogue_ones_are_not() {
        let at_22 = chip(&["arch.costs=survey_22nm"]);
        let mut at_14 = chip(&["arch.costs=survey_22nm", "arch.node=\"14 nm\""]);
        let by = factors(Length(22), Length(14)).unwrap();
        assert_eq!((at_14.costs.name.as_str(), at_14.costs.node), ("survey_22nm at 14 nm", Length(14)));
        let [of_22, of_14] = [&at_22.costs.adder, &at_14.costs.adder];
        assert_eq!(of_14.energy, Energy(scaled(of_22.energy.0, by.energy)));
        assert_eq!(of_14.area, Area(scaled(of_22.area.0, by.area)));
        assert_eq!((of_14.time, of_14.leakage), (Time(scaled(of_22.time.0, by.time)), of_22.leakage));
        assert!(of_14.source.contains("scaled from 22 nm to 14 nm after Stillmaker and Baas"), "{}", of_14.source);
        assert!(of_14.accuracy.contains("leakage as at 22 nm"));
        for ((name, of_22), (_, of_14)) in at_22.costs.entries().zip(at_14.costs.entries()) {
            let analogue = of_14.accuracy.contains("analogue: as at 22 nm, not scaled to 14 nm");
            assert_ne!(analogue, of_14.source.contains("scaled from 22 nm to 14 nm"), "{name}");
            let same = (of_22.time, of_22.energy, of_22.area) == (of_14.time, of_14.energy, of_14.area);
            let nothing = (of_22.time.0, of_22.energy.0, of_22.area.0) == (0, 0, 0);
            assert!(analogue == same || nothing, "{name}");
        }
        // A second time nothing changes, and it is read again as it is.
        let once = at_14.clone();
        at_14.apply_technology();
        assert_eq!(at_14, once);
    }

    #[test]
    fn the_regression_gives_the_converters_of_the_table() {
        let table = chip(&["arch.costs=survey_22nm"]).costs;
        for entry in &table.adc {
            let cost = surveyed(entry.bits, Frequency(1_000_000_000), Length(22));
            let near = |a: u64, b: u64| (a as f64 / b as f64 - 1.0).abs() < 0.002;
            assert_eq!(cost.time, entry.convert.time);
            assert!(near(cost.energy.0, entry.convert.energy.0), "{} bits: {}", entry.bits, cost.energy);
            assert!(near(cost.area.0, entry.convert.area.0), "{} bits: {}", entry.bits, cost.area);
        }
        // By node: 14 nm to 22 nm as (14 / 22)^1.88 = 0.4275.
        let [small, large] = [14, 22].map(|nm| surveyed(8, Frequency(1_000_000_000), Length(nm)).energy.0 as f64);
        assert!((small / large - 0.4275).abs() < 1e-4);
    }

    #[test]
    fn survey_converters_are_chosen_by_rate_and_bits() {
        let mut chip = chip(&[
            "arch.adc.cost=Survey(rate: \"500 MHz\")",
            "arch.adc.bits=11",
            "arch.stochastic.adc_bits=6",
            "arch.node=\"16 nm\"",
        ]);
        for (bits, time) in [(11, 2000), (6, 2000)] {
            let entry = chip.costs.adc.iter().find(|entry| entry.bits == bits).unwrap();
            assert_eq!(entry.convert, surveyed(bits, Frequency(500_000_000), Length(16)));
            assert_eq!(entry.convert.time, Time(time));
        }
        // The others are those of the table.
        assert!(chip.costs.adc.iter().any(|entry| entry.bits == 8 && entry.convert.source.contains("NeuroSim")));
        let again = chip.clone();
        chip.apply_technology();
        assert_eq!(chip, again);
    }
}
