//! Closed forms of the ratios that the literature reports for sparsity-aware accelerators.

use crate::workload::Net;

/// Share of a network's parameters in the layers from `first` on (phi).
#[must_use]
pub fn parameter_share(net: &Net, first: usize) -> f64 {
    let of = |layers: &[crate::workload::NetLayer]| layers.iter().map(|layer| layer.synapses()).sum::<u64>() as f64;
    of(&net.layers[first.min(net.layers.len())..]) / of(&net.layers)
}

/// Share of a network's multiply-accumulates in the layers from `first` on (s).
#[must_use]
pub fn mac_share(net: &Net, first: usize) -> f64 {
    let of = |layers: &[crate::workload::NetLayer]| layers.iter().map(|layer| layer.macs()).sum::<u64>() as f64;
    of(&net.layers[first.min(net.layers.len())..]) / of(&net.layers)
}

/// Energy of the dense scheme over that of layer sparsity where every multiply-accumulate costs the same:
/// `T / ((1 - s) + s T)` for `members` (T) and the share `s` of multiply-accumulates in ensembling layers.
#[must_use]
pub fn energy_ratio(members: u32, s: f64) -> f64 {
    let members = f64::from(members);
    members / ((1.0 - s) + s * members)
}

/// Area of `copies` copies of a dense network over that of one copy of its deterministic planes and as many copies of its
/// stochastic planes, side by side and of equal area for each synapse: `c / (1 + c f phi)`. The stochastic planes store the
/// share `f` of the synapses of ensembling layers, which hold the share `phi` of all parameters. With c = T all members
/// run at the same time; with c = 1 they run one after another.
#[must_use]
pub fn area_ratio(copies: u32, f: f64, phi: f64) -> f64 {
    let copies = f64::from(copies);
    copies / (1.0 + copies * f * phi)
}

/// The same where each member has deterministic planes of its own from the first ensembling layer on, as members that run
/// at the same time on inputs of their own need them: `c / (1 - phi + c phi (1 + f))`.
#[must_use]
pub fn area_ratio_side_by_side(copies: u32, f: f64, phi: f64) -> f64 {
    let copies = f64::from(copies);
    copies / (1.0 - phi + copies * phi * (1.0 + f))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LoadRequest, load};
    use crate::mapping::Plane;
    use crate::simulate::{network, plan_with};

    #[test]
    fn ratios_of_vgg_binaryconnect() {
        let request = LoadRequest { workload: Some("vgg_binaryconnect".to_owned()), ..LoadRequest::default() };
        let net = network(&load(&request).unwrap().config).unwrap();
        let at = |name: &str| net.layers.iter().position(|layer| layer.name == name).unwrap();
        // fc1..fc3 hold 9,539,584 of 14,114,176 parameters and 9,539,584 of 617,058,304 multiply-accumulates.
        let phi = parameter_share(&net, at("fc1"));
        assert_eq!(phi, 9_539_584.0 / 14_114_176.0);
        assert_eq!(mac_share(&net, at("fc1")), 9_539_584.0 / 617_058_304.0);
        let close =
            |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-3, "{found} instead of {expected}");
        close(area_ratio(10, 0.14, phi), 5.14);
        close(area_ratio(10, 0.131, phi), 5.30);
        for (first, expected) in [("fc1", 8.78), ("fc2", 9.83), ("conv6", 2.99), ("conv5", 2.25)] {
            close(energy_ratio(10, mac_share(&net, at(first))), expected);
        }
        // One copy: the deterministic planes are as large as the dense network, and the stochastic ones come on top.
        close(area_ratio(1, 0.14, phi), 0.914);
    }
    /// Arrays of members side by side, stochastic planes packed as lists, for the shares that the figures are quoted with.
    #[test]
    fn members_side_by_side_have_both_planes() {
        use crate::mapping::Split;
        use crate::workload::LoadedPosterior;
        use std::sync::Arc;
        for (f, reported) in [(0.14, 1.23), (0.131, 1.23)] {
            let set = |scheme: &str| {
                let set = [
                    scheme.to_owned(),
                    "ensemble.execution=Spatial".to_owned(),
                    "arch.stochastic.readout=SenseAmplifiers(sub_arrays: 1)".to_owned(),
                    format!("workload.posterior.probabilistic=[0,0,0,0,0,0,{f},{f},{f}]"),
                ];
                let request = LoadRequest {
                    workload: Some("vgg_binaryconnect".to_owned()),
                    set: set.into(),
                    ..LoadRequest::default()
                };
                load(&request).unwrap().config
            };
            let sparse = set(
                "mapping.scheme=Sparse(first_ensembling_layer: Layer(\"fc1\"), eps: Above(0.05), packing: Lists(sorted: true))",
            );
            let net = network(&sparse).unwrap();
            let posterior = LoadedPosterior::load(&sparse.workload, &net, std::path::Path::new("")).unwrap().unwrap();
            let split = |l: usize, eps: f64| {
                let layer = &net.layers[l];
                Some(Arc::new(Split::new(layer.rows, layer.columns, &posterior.layers[l].p, eps)))
            };
            let dense = plan_with(&set("mapping.scheme=Dense"), &net, |_, _| None).unwrap().mapping;
            let mapping = plan_with(&sparse, &net, split).unwrap().mapping;
            let ratio = dense.arrays as f64 / mapping.arrays as f64;
            assert!((ratio - reported).abs() < 0.005, "{ratio}");
            // Arrays that are not full, and lists that are not equally long, cost 2 % against the formula.
            let phi = parameter_share(&net, net.layers.iter().position(|layer| layer.name == "fc1").unwrap());
            let formula = area_ratio_side_by_side(10, f, phi);
            assert!((0.98..1.0).contains(&(ratio / formula)), "{ratio} {formula}");
            // One copy of the deterministic planes: 4.82 and 4.94 for 5.14 and 5.30.
            let stochastic = mapping.layers.iter().filter_map(|layer| layer.plane(Plane::Stochastic));
            let stochastic: u32 = stochastic.map(|plane| plane.arrays).sum();
            let ratio = 17_280.0 / f64::from(1_728 + stochastic);
            assert!((0.93..0.95).contains(&(ratio / area_ratio(10, f, phi))), "{ratio}");
        }
    }
}
