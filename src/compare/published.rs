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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LoadRequest, load};
    use crate::simulate::network;

    #[test]
    fn ratios_of_vgg_binaryconnect() {
        let request = LoadRequest { workload: Some("vgg_binaryconnect".to_owned()), ..LoadRequest::default() };
        let net = network(&load(&request).unwrap().config).unwrap();
        let at = |name: &str| net.layers.iter().position(|layer| layer.name == name).unwrap();
        // fc1..fc3 hold 9,539,584 of 14,114,176 parameters and 9,539,584 of 617,058,304 multiply-accumulates.
        let phi = parameter_share(&net, at("fc1"));
        assert_eq!(phi, 9_539_584.0 / 14_114_176.0);
        assert_eq!(mac_share(&net, at("fc1")), 9_539_584.0 / 617_058_304.0);
        let close = |found: f64, told: f64| assert!((found / told - 1.0).abs() < 1e-3, "{found} instead of {told}");
        close(area_ratio(10, 0.14, phi), 5.14);
        close(area_ratio(10, 0.131, phi), 5.30);
        for (first, told) in [("fc1", 8.78), ("fc2", 9.83), ("conv6", 2.99), ("conv5", 2.25)] {
            close(energy_ratio(10, mac_share(&net, at(first))), told);
        }
        // One copy: the deterministic planes are as large as the dense network, and the stochastic ones come on top.
        close(area_ratio(1, 0.14, phi), 0.914);
    }
}
