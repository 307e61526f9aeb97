//! Do the shipped configurations load, and does our reader see in them what the `ron` crate sees?

use crossbayes::config::tree::{self, Node, Value};
use crossbayes::config::{Config, LoadRequest, check_files, embedded, load, load_expanded, to_ron};
use std::path::PathBuf;

fn request(arch: &str, workload: &str) -> LoadRequest {
    LoadRequest { arch: Some(arch.to_owned()), workload: Some(workload.to_owned()), set: Vec::new() }
}

#[test]
fn every_shipped_chip_loads_with_every_shipped_network() {
    for arch in embedded::names(embedded::ARCH) {
        for workload in embedded::names(embedded::WORKLOADS) {
            let loaded = load(&request(arch, workload)).unwrap_or_else(|errors| panic!("{errors}"));
            assert_eq!(loaded.config.arch.name, arch);
            assert_eq!(loaded.config.workload.name, workload);
        }
    }
}

#[test]
fn every_shipped_file_is_built_in_and_valid() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in [embedded::ARCH, embedded::PARTS, embedded::WORKLOADS] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "ron") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                assert!(embedded::at(&name).is_some(), "{name} is not built in");
                paths.push(path);
            }
        }
    }
    assert_eq!(paths.len(), embedded::FILES.len());
    check_files(&paths).unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn an_expanded_configuration_goes_round() {
    for (arch, workload) in [("toy_2x2", "toy_two_layers"), ("pcm_128", "digits"), ("pcm_256", "vgg_binaryconnect")] {
        let mut request = request(arch, workload);
        request.set.push("mapping.replication.conv1=4".to_owned());
        let config = load(&request).unwrap_or_else(|errors| panic!("{errors}")).config;
        assert_eq!(config.mapping.replication, [("conv1".to_owned(), 4)]);
        let text = to_ron(&config);
        let by_ron: Config = ron::from_str(&text).unwrap();
        assert_eq!(by_ron, config);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.ron");
        std::fs::write(&file, &text).unwrap();
        let loaded = load_expanded(&file, &[]).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(loaded.config, config);
        assert_eq!(to_ron(&loaded.config), text);
    }
}

/// Our tree as the `ron` crate's value, which drops the names of structs and variants.
fn to_value(node: &Node) -> ron::Value {
    match &node.value {
        Value::Bool(b) => ron::Value::Bool(*b),
        Value::Integer(i) => ron::from_str(&i.to_string()).unwrap(),
        Value::Float(x) => ron::from_str(&format!("{x:?}")).unwrap(),
        Value::Text(text) => ron::Value::String(text.clone()),
        Value::Name(_) => ron::Value::Unit,
        Value::Struct { entries, .. } => {
            ron::Value::Map(entries.iter().map(|e| (ron::Value::String(e.key.clone()), to_value(&e.value))).collect())
        }
        Value::Tuple { items, .. } if items.is_empty() => ron::Value::Unit,
        Value::Tuple { items, .. } | Value::List(items) => ron::Value::Seq(items.iter().map(to_value).collect()),
        other => panic!("the shipped files have no {other:?}"),
    }
}

#[test]
fn our_reader_agrees_with_the_ron_crate() {
    for file in embedded::FILES {
        let ours = to_value(&tree::read(file.text, 0).unwrap());
        let theirs: ron::Value = ron::from_str(file.text).unwrap();
        assert_eq!(ours, theirs, "{}", file.path);
    }
}
