//! Are the probabilistic synapses of real trained posteriors, and what packings store of them, those that an independent
//! program counted?
//!
//! The posteriors are large and not part of the repository; where they are absent the test says so and passes.

mod common;
mod shared;

use common::{layer, vgg, workload};
use crossbayes::config::{Input, LoadRequest, Operation, Workload, load};
use crossbayes::plot::picture::{Mark, Picture};
use crossbayes::plot::sparsity::pictures;
use crossbayes::report::sparsity::{ArraySize, Sparsity, sparsity};
use crossbayes::workload::{LoadedPosterior, resolve};
use safetensors::SafeTensors;
use serde_json::Value;
use shared::shared;
use std::path::Path;

/// Every figure of `golden` stands in `ours` under the same key: integers exactly, reals but for the order of a sum.
fn stands_in(golden: &Value, ours: &Value, place: &str) -> usize {
    match golden {
        Value::Object(keys) => {
            keys.iter().map(|(key, value)| stands_in(value, &ours[key], &format!("{place}.{key}"))).sum()
        }
        Value::Number(number) if number.is_f64() => {
            let (expected, got) = (golden.as_f64().unwrap(), ours.as_f64().expect(place));
            assert!((expected - got).abs() <= 1e-11 * expected.abs(), "{place}: expected {expected}, got {got}");
            1
        }
        _ => {
            assert_eq!(golden, ours, "{place}");
            1
        }
    }
}

#[test]
fn trained_posteriors_are_as_sparse_as_counted_elsewhere() {
    let networks = [
        vgg("fmnist_n1000", (1, 28), &[(32, 1), (32, 2), (64, 1), (64, 2)], &[256, 10]),
        vgg(
            "cifar100_half_n1000",
            (3, 32),
            &[(64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2)],
            &[512, 512, 100],
        ),
    ];
    let Some(golden) = shared("golden/sparsity.json") else { return };
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    assert_eq!(golden.as_object().unwrap().len(), networks.len());
    for workload in networks {
        let Some(path) = shared(&format!("data/posteriors/{}.safetensors", workload.name)) else { return };
        let bytes = std::fs::read(path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let net = resolve(&workload).unwrap();
        let p: Vec<Vec<f32>> = (0..net.layers.len())
            .map(|layer| {
                let p = tensors.tensor(&format!("layer{layer}.p")).unwrap();
                p.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            })
            .collect();
        let arrays = [128, 256].map(|rows| ArraySize { rows, synapse_columns: rows / 2 });
        let eps = [0.01, 0.05, 0.1, 0.3];
        let ours = sparsity(&workload.name, &net, p.iter().map(Vec::as_slice), &eps, &arrays);
        let mut figures = 0;
        for (layer, golden) in golden[&workload.name].as_array().unwrap().iter().enumerate() {
            let ours = serde_json::to_value(&ours.layers[layer]).unwrap();
            figures += stands_in(golden, &ours, &format!("{}[{layer}]", workload.name));
        }
        println!("{}: {figures} figures agree", workload.name);
    }
}

/// Packed to steps of 1/255 no p crosses 0.1 or 0.3, half-way points between two steps: every figure at these eps stays.
#[test]
fn packed_posteriors_are_as_sparse_as_before() {
    let Some(golden) = shared("golden/sparsity.json") else { return };
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    for (name, packed) in [("fmnist_n1000", "fashion_mnist"), ("cifar100_half_n1000", "vgg_cifar100_half")] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads");
        let file = folder.join(format!("{packed}.ron")).display().to_string();
        let loaded = load(&LoadRequest { arch: None, workload: Some(file), set: Vec::new() }).unwrap();
        let workload = &loaded.config.workload;
        let net = resolve(workload).unwrap();
        let posterior = LoadedPosterior::load(workload, &net, &folder).unwrap().unwrap();
        let arrays = [128, 256].map(|rows| ArraySize { rows, synapse_columns: rows / 2 });
        let p = posterior.layers.iter().map(|layer| layer.p.as_slice());
        let ours = sparsity(packed, &net, p, &[0.1, 0.3], &arrays);
        let mut figures = 0;
        for (layer, golden) in golden[name].as_array().unwrap().iter().enumerate() {
            let ours = serde_json::to_value(&ours.layers[layer]).unwrap();
            for eps in ["0.1", "0.3"] {
                let (golden, ours) = (&golden["by_eps"][eps], &ours["by_eps"][eps]);
                figures += stands_in(golden, ours, &format!("{packed}[{layer}], eps {eps}"));
            }
        }
        println!("{packed}: {figures} figures agree");
    }
}

/// A layer `a` of 3 rows and 8 columns and a layer `b` of 8 and 2. In `a` columns 0 to 7 have 3, 0, 1, 0, 2, 0, 0, 1
/// probabilistic synapses from row 0 on, at p = 0.5, 0.5, .., the second of column 0 at p = 0.9; in `b` each column has one, at
/// p = 0.05. Others are at p = 0 in `a` and at 1 in `b`.
fn by_hand() -> Sparsity {
    let layers = vec![layer("a", Operation::Linear { outputs: 8 }), layer("b", Operation::Linear { outputs: 2 })];
    let input = Input { channels: 3, height: 1, width: 1, bits: 4, signed: false };
    let net = resolve(&Workload { input, ..workload(layers) }).unwrap();
    let lists = [3, 0, 1, 0, 2, 0, 0, 1];
    let a = lists.into_iter().flat_map(|list| (0..3).map(move |row| if row < list { 0.5 } else { 0.0 }));
    let mut a: Vec<f32> = a.collect();
    a[1] = 0.9;
    let b: Vec<f32> = (0..16).map(|i| if i % 8 == 0 { 0.05 } else { 1.0 }).collect();
    let size = ArraySize { rows: 4, synapse_columns: 4 };
    sparsity("by hand", &net, [a.as_slice(), b.as_slice()], &[0.01, 0.2], &[size])
}

#[test]
fn places_of_lists_by_width() {
    let sparsity = by_hand();
    let counts = &sparsity.layers[0].by_eps["0.01"]["4"];
    // Blocks of 4 columns: longest lists 3 and 2. Of 8: 3. Sorted 3, 2, 1, 1, 0..: 3 and 0.
    let at = |map: &std::collections::BTreeMap<String, u64>| [4, 8, 128].map(|width: u32| map[&width.to_string()]);
    assert_eq!(at(&counts.lists_slots_by_width), [4 * 3 + 4 * 2, 8 * 3, 8 * 3]);
    assert_eq!(at(&counts.sorted_lists_slots_by_width), [4 * 3, 8 * 3, 8 * 3]);
    // Rows 0 to 2 hold one in the first block, rows 0 and 1 in the second; all of them in both.
    assert_eq!(at(&counts.rows_packing_by_width), [4 * 3 + 4 * 2, 8 * 3, 8 * 3]);
    // At the chip's own width the same as there.
    assert_eq!(counts.lists_packing.slots, counts.lists_slots_by_width["4"]);
    assert_eq!(counts.sorted_lists_packing.slots, counts.sorted_lists_slots_by_width["4"]);
}

fn texts(picture: &Picture) -> Vec<&str> {
    let shapes = picture.shapes.iter();
    shapes.filter_map(|shape| if let Mark::Text { text, .. } = shape { Some(text.as_str()) } else { None }).collect()
}

/// Widths of the rectangles that are as high as `height`.
fn widths(picture: &Picture, height: f64) -> Vec<f64> {
    let width = |shape: &Mark| match shape {
        Mark::Rectangle { width, height: h, .. } if (h - height).abs() < 1e-9 => Some(*width),
        _ => None,
    };
    picture.shapes.iter().filter_map(width).collect()
}

#[test]
fn pictures_show_what_was_counted() {
    let sparsity = by_hand();
    let size = ArraySize { rows: 4, synapse_columns: 4 };
    let drawn = pictures(&sparsity, &[0.2, 0.01], size);
    assert_eq!(
        drawn.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["sparsity-first-layer", "sparsity-histogram", "sparsity-width"]
    );
    // 7 and 2 of 40 synapses at eps 0.01; at 0.2 the one at 0.9 and those at 0.05 are fixed. Bars in this order, the least eps
    // first, and as long as their numbers.
    let found = texts(&drawn[0].1);
    for text in ["9, 22.5 %", "6, 15.0 %", "2, 5.0 %", "0, 0.0 %", "eps 0.01", "eps 0.2", "from a", "from b"] {
        assert!(found.contains(&text), "{text} is not in {found:?}");
    }
    let bars = widths(&drawn[0].1, 12.0);
    let bars = &bars[bars.len() - 3..];
    assert!((bars[1] / bars[0] - 6.0 / 9.0).abs() < 1e-6 && (bars[2] / bars[0] - 2.0 / 9.0).abs() < 1e-6, "{bars:?}");
    // The histogram of `a`: 17 at 0, 6 at 0.5, 1 at 0.9; of `b` 2 at 0.05, 14 at 1; and of both together.
    let of = |share: f64| 48.0 * (1.0 + share.log10() / 4.0);
    for (share, number) in [(17.0 / 24.0, 1), (6.0 / 24.0, 1), (1.0 / 24.0, 1), (2.0 / 16.0, 1), (14.0 / 16.0, 1)] {
        assert_eq!(widths(&drawn[1].1, of(share)).len(), number, "{share}");
    }
    for share in [17.0 / 40.0, 6.0 / 40.0, 1.0 / 40.0, 2.0 / 40.0, 14.0 / 40.0] {
        assert_eq!(widths(&drawn[1].1, of(share)).len(), 1, "{share}");
    }
    // For the first eps given, 0.2: lists of 2, 0, 1, 0, 2, 0, 0, 1 in `a`, none in `b`.
    let found = texts(&drawn[2].1);
    // Width 4: of rows 2 in both blocks, as of lists, 16 of 40 places; sorted, 2 in one block. Width 8: 3 rows, lists of 2.
    for text in ["probabilistic synapses, 15.0 %", "60.0 %", "40.0 %", "20.0 %", "4 columns", "128 columns"] {
        assert!(found.contains(&text), "{text} is not in {found:?}");
    }
}
