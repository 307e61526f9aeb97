//! Do the shipped configurations load, and does our reader see in them what the `ron` crate sees?

use crossbayes::config::tree::{self, Node, Value};
use crossbayes::config::{
    AdcRange, Answer, Base, EnsembleSpec, Execution, Grain, Grouping, Location, Mode, Offset, Operation, Posterior,
    Queue, Sampler, Samples, Scheme,
};
use crossbayes::config::{
    Config, CostTable, FileKind, LoadRequest, check_files, embedded, json_schema, load, load_expanded,
    reference_markdown, to_ron,
};
use crossbayes::run::check_described;
use crossbayes::units::{Area, Energy, Time, Voltage};
use crossbayes::workload::resolve;
use proptest::prelude::*;
use serde_json::Value as Json;
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

/// Networks whose posteriors are too large to be built in, and a sweep of one.
const NOT_BUILT_IN: [&str; 4] = [
    "sweeps/fashion_study.ron",
    "workloads/fashion_mnist.ron",
    "workloads/vgg_cifar100.ron",
    "workloads/vgg_cifar100_half.ron",
];

#[test]
fn every_shipped_file_is_built_in_and_valid() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in [embedded::ARCH, embedded::PARTS, embedded::DEVICES, embedded::SWEEPS, embedded::WORKLOADS] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "ron") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                assert_eq!(embedded::at(&name).is_some(), !NOT_BUILT_IN.contains(&name.as_str()), "{name} is built in");
                paths.push(path);
            }
        }
    }
    assert_eq!(paths.len(), embedded::FILES.len() + NOT_BUILT_IN.len());
    check_files(&paths, &check_described).unwrap_or_else(|errors| panic!("{errors}"));
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
        Value::Map(pairs) => {
            ron::Value::Map(pairs.iter().map(|(key, value)| (to_value(key), to_value(value))).collect())
        }
        other => panic!("a file has no {other:?}"),
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

#[test]
fn the_key_reference_is_current() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/src/reference/configuration.md");
    let current = reference_markdown();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "write it anew: UPDATE_REFERENCE=1 cargo test --test config_files");
}

/// Any value that RON can write and that has one type only.
fn any_value() -> impl Strategy<Value = ron::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(ron::Value::Bool),
        any::<i64>().prop_map(|i| ron::from_str(&i.to_string()).unwrap()),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| ron::from_str(&format!("{x:?}")).unwrap()),
        any::<String>().prop_map(ron::Value::String),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(ron::Value::Seq),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| ron::Value::Map(map.into_iter().map(|(k, v)| (ron::Value::String(k), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn our_reader_reads_what_the_ron_crate_writes(value in any_value()) {
        let pretty = ron::ser::to_string_pretty(&value, ron::ser::PrettyConfig::new()).unwrap();
        for text in [pretty, ron::to_string(&value).unwrap()] {
            prop_assert_eq!(&to_value(&tree::read(&text, 0).unwrap()), &value);
        }
    }
}

#[test]
fn saved_paths_do_not_depend_on_the_folder() {
    let loaded = load(&LoadRequest::default()).unwrap();
    assert_eq!(loaded.workload_base, Base::Embedded);
    let saved = loaded.portable_config();
    let Posterior::File { path, .. } = &saved.workload.posterior else { panic!("digits has a posterior") };
    assert_eq!(path, "built-in:workloads/digits/posterior.safetensors");
    let elsewhere = Base::Folder(PathBuf::from("elsewhere"));
    assert_eq!(elsewhere.locate(path), Location::Embedded("workloads/digits/posterior.safetensors".to_owned()));
    assert_eq!(elsewhere.locate("a.safetensors"), Location::File(PathBuf::from("elsewhere").join("a.safetensors")));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.ron");
    std::fs::write(&file, embedded::at("workloads/digits.ron").unwrap().text).unwrap();
    let loaded = load(&request("pcm_128", file.to_str().unwrap())).unwrap();
    let images = loaded.portable_config().workload.images.unwrap().path;
    assert_eq!(PathBuf::from(&images), folder.path().join("digits/test.safetensors"));
    assert_eq!(elsewhere.locate(&images), Location::File(folder.path().join("digits/test.safetensors")));
    let calibration = loaded.portable_config().workload.calibration.unwrap().path;
    assert_eq!(PathBuf::from(&calibration), folder.path().join("digits/calibration.safetensors"));
}

/// A chain of two tables on a built-in one, and the chip that uses them.
#[test]
fn a_cost_table_may_give_only_what_differs_from_its_base() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    let silicon = write(
        "parts/silicon.ron",
        r#"(
            name: "silicon", base: "neurosim_22nm",
            link: (energy: "1 fJ", source: "measured", accuracy: "3%"),
            pool: (accuracy: "a guess"),
            adc: [
                (bits: 8, convert: (time: "4 ns", area: "90 um2", source: "our converter", accuracy: "silicon")),
                (bits: 11, convert: (time: "9 ns", energy: "200 fJ", area: "300 um2", leakage: "1 nW", source: "s", accuracy: "a")),
            ],
        )"#,
    );
    let faster = r#"(name: "faster", base: "silicon", link: (time: "2 ns", energy: "2 fJ", area: "1 um2", leakage: "0 fW", source: "all ours", accuracy: "1%"))"#;
    let faster = write("parts/faster.ron", faster);
    let chip = embedded::at("arch/pcm_128.ron").unwrap().text.replace("parts/neurosim_22nm.ron", "parts/faster.ron");
    let chip = write("chip.ron", &chip);
    check_files(&[silicon, faster], &check_described).unwrap_or_else(|errors| panic!("{errors}"));

    let base = load(&request("pcm_128", "digits")).unwrap().config.arch.costs;
    let loaded = load(&request(chip.to_str().unwrap(), "digits")).unwrap_or_else(|errors| panic!("{errors}"));
    let costs = &loaded.config.arch.costs;
    assert_eq!((costs.name.as_str(), costs.description.as_str()), ("faster", ""));
    assert_eq!(loaded.files.len(), 5, "{:?}", loaded.files);
    // A cost that is given whole has nothing of the base's; one that is not given is the base's.
    assert_eq!((costs.link.time, costs.link.source.as_str()), (Time(2_000), "all ours"));
    assert_eq!((&costs.adder, costs.node), (&base.adder, base.node));
    // A cost given in part has both sources.
    let bits =
        |bits: u32, costs: &CostTable| costs.adc.iter().find(|entry| entry.bits == bits).unwrap().convert.clone();
    let (mine, theirs) = (bits(8, costs), bits(8, &base));
    assert_eq!((mine.time, mine.energy, mine.area), (Time(4_000), theirs.energy, Area(90_000_000)));
    let source = format!("time, area: our converter; energy, leakage as in neurosim_22nm: {}", theirs.source);
    let accuracy = format!("time, area: silicon; energy, leakage as in neurosim_22nm: {}", theirs.accuracy);
    assert_eq!((mine.source, mine.accuracy), (source, accuracy));
    assert_eq!((costs.pool.accuracy.as_str(), &costs.pool.source), ("a guess", &base.pool.source));
    // Other resolutions stay, new ones are added.
    assert_eq!((bits(4, costs), bits(11, costs).energy), (bits(4, &base), Energy(200_000)));
    assert_eq!(costs.adc.len(), base.adc.len() + 1);
    // What is saved with a run is whole.
    assert!(!to_ron(&loaded.config).contains("base"));
    let table = serde_json::json!({"name": "silicon", "base": "neurosim_22nm", "link": {"energy": "1 fJ"}});
    assert_eq!(breaks(&json_schema(FileKind::Parts), &table, "parts"), None);
}

/// A configuration of the toy chip and network with overrides.
fn with(set: &[&str]) -> Config {
    let mut request = request("toy_2x2", "toy_two_layers");
    request.set = set.iter().map(|text| (*text).to_owned()).collect();
    load(&request).unwrap_or_else(|errors| panic!("{errors}")).config
}

#[test]
fn overrides_take_words_quantities_and_ron() {
    let config = with(&[
        "schedule.mode=sequential",
        "schedule.grain=conversion",
        "schedule.grouping=expanded",
        "schedule.queue=priority_queue",
        "mapping.scheme=deterministic",
        "arch.array.read_time=20 ns",
        "arch.array.read_voltage=0.1V",
        "arch.adc.range=Fixed(4)",
        "arch.name=other",
        "workload.layers.conv1.activation_bits=3",
        "workload.layers[1].activity=0.25",
        "workload.layers.1.tensors=last",
        "workload.layers.conv1.op.padding=1",
        "workload.layers.conv1.pool=2",
        "arch.sampler=Comparator(noise_rows: 4)",
        "arch.sampler.sub_arrays=2",
        "arch.costs=survey_22nm",
        "arch.costs.comparator.energy=2 fJ",
        "values.answer=First(3)",
        "seed=7",
    ]);
    assert_eq!(config.schedule.mode, Mode::Sequential);
    assert_eq!(config.schedule.grain, Grain::Conversion);
    assert_eq!(config.schedule.grouping, Grouping::Expanded);
    assert_eq!(config.schedule.queue, Queue::PriorityQueue);
    assert_eq!(config.mapping.scheme, Scheme::Deterministic);
    assert_eq!(config.arch.array.read_time, Time(20_000));
    assert_eq!(config.arch.array.read_voltage, Voltage(100_000));
    assert_eq!(config.arch.adc.range, AdcRange::Fixed(4.0));
    assert_eq!(config.arch.name, "other");
    assert_eq!(config.workload.layers[0].activation_bits, 3);
    assert_eq!(config.workload.layers[1].activity, Some(0.25));
    assert_eq!(config.workload.layers[1].tensors.as_deref(), Some("last"));
    assert_eq!(config.workload.layers[0].op, Operation::Conv { channels: 2, kernel: 2, stride: 1, padding: 1 });
    assert_eq!(config.arch.sampler, Sampler::Comparator { noise_rows: 4, sub_arrays: 2, offset: Offset::default() });
    assert_eq!(config.arch.costs.name, "survey_22nm");
    assert_eq!(config.arch.costs.comparator.energy, Energy(2_000));
    assert_eq!(config.values.answer, Answer::First(3));
    assert_eq!(config.seed, 7);
    // What is not given has its default.
    assert_eq!(config.schedule.images, 1);
    assert_eq!(config.ensemble, EnsembleSpec { members: 10, samples: Samples::Drawn, execution: Execution::Temporal });
}

#[test]
fn replication_is_given_layer_by_layer_or_at_once() {
    let pairs = |pairs: &[(&str, u32)]| pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect::<Vec<_>>();
    assert_eq!(with(&[]).mapping.replication, []);
    let both = pairs(&[("conv1", 4), ("fc1", 2)]);
    let one_by_one = ["mapping.replication.conv1=4", "mapping.replication.fc1=2"];
    assert_eq!(with(&one_by_one).mapping.replication, both);
    assert_eq!(with(&["mapping.replication=[(\"conv1\", 4)]", "mapping.replication.fc1=2"]).mapping.replication, both);
    assert_eq!(with(&["mapping.replication={\"conv1\": 8}", one_by_one[0], one_by_one[1]]).mapping.replication, both);
    assert_eq!(with(&["mapping.replication=[]", one_by_one[1]]).mapping.replication, pairs(&[("fc1", 2)]));
}

/// Where `value` breaks `schema`; of JSON Schema only the words that ours uses.
fn breaks(schema: &Json, value: &Json, path: &str) -> Option<String> {
    let of_type = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{path}: our schema has no type {other}"),
    };
    // One type or several.
    let types = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    let types: Vec<&str> = types.iter().filter_map(Json::as_str).collect();
    if !types.is_empty() && !types.iter().any(|name| of_type(name)) {
        return Some(format!("{path}: {value} is no {}", types.join(" or ")));
    }
    if schema.get("const").is_some_and(|expected| expected != value) {
        return Some(format!("{path}: {value} is not {}", schema["const"]));
    }
    let number = value.as_f64();
    if number.zip(schema["minimum"].as_f64()).is_some_and(|(x, least)| x < least)
        || number.zip(schema["maximum"].as_f64()).is_some_and(|(x, most)| x > most)
    {
        return Some(format!("{path}: {value} is out of range"));
    }
    for (word, most) in [("anyOf", usize::MAX), ("oneOf", 1)] {
        if let Some(options) = schema[word].as_array() {
            let fitting = options.iter().filter(|option| breaks(option, value, path).is_none()).count();
            if fitting == 0 || fitting > most {
                return Some(format!("{path}: {value} fits {fitting} of {word}"));
            }
        }
    }
    if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object()) {
        for key in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(key.as_str().unwrap()) {
                return Some(format!("{path}: {key} is missing"));
            }
        }
        for (key, value) in object {
            let Some(property) = properties.get(key) else { return Some(format!("{path}: {key} is unknown")) };
            if let Some(broken) = breaks(property, value, &format!("{path}.{key}")) {
                return Some(broken);
            }
        }
    }
    value.as_array().into_iter().flatten().find_map(|item| breaks(&schema["items"], item, path))
}

#[test]
fn the_schemas_fit_the_shipped_files() {
    let schema = json_schema(FileKind::Run);
    for arch in embedded::names(embedded::ARCH) {
        for workload in embedded::names(embedded::WORKLOADS) {
            let config = load(&request(arch, workload)).unwrap().config;
            let mut json = serde_json::to_value(&config).unwrap();
            assert_eq!(breaks(&schema, &json, "run"), None);
            assert_eq!(breaks(&json_schema(FileKind::Arch), &json["arch"], "arch"), None);
            assert_eq!(breaks(&json_schema(FileKind::Parts), &json["arch"]["costs"], "parts"), None);
            assert_eq!(breaks(&json_schema(FileKind::Workload), &json["workload"], "workload"), None);
            // The check can fail.
            json["arch"]["adc"]["bits"] = serde_json::json!(17);
            assert_eq!(breaks(&schema, &json, "run").as_deref(), Some("run.arch.adc.bits: 17 is out of range"));
            json["arch"]["adc"] = serde_json::json!({"bist": 8});
            assert_eq!(breaks(&schema, &json, "run").as_deref(), Some("run.arch.adc: \"bits\" is missing"));
        }
    }
}

#[test]
fn a_schema_describes_every_key() {
    fn walk(schema: &Json, path: &str, keys: &mut usize) {
        if let Some(properties) = schema["properties"].as_object() {
            for (key, property) in properties {
                *keys += 1;
                let described = |schema: &Json| schema["description"].as_str().is_some_and(|text| !text.is_empty());
                // A variant's only property is described by the variant.
                assert!(described(property) || described(schema), "{path}.{key}");
                walk(property, &format!("{path}.{key}"), keys);
            }
            assert_eq!(schema["additionalProperties"], false, "{path}");
        }
        for word in ["anyOf", "oneOf"] {
            for option in schema[word].as_array().into_iter().flatten() {
                walk(option, path, keys);
            }
        }
        if schema["items"].is_object() {
            walk(&schema["items"], path, keys);
        }
    }
    for kind in FileKind::ALL {
        let schema = json_schema(kind);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        let mut keys = 0;
        walk(&schema, kind.name(), &mut keys);
        assert!(keys > 20, "{} has {keys} keys", kind.name());
    }
    assert_eq!(json_schema(FileKind::Run)["properties"]["seed"]["default"], 1);
}

/// Calls `visit` for every key of `value` that has a default, with its path and default.
fn defaulted(schema: &Json, value: &Json, path: &str, visit: &mut dyn FnMut(&str, &Json)) {
    if let Some(inner) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        for option in inner.iter().filter(|option| breaks(option, value, "").is_none()) {
            defaulted(option, value, path, visit);
        }
    }
    for (key, property) in schema["properties"].as_object().filter(|_| value.is_object()).into_iter().flatten() {
        let path = format!("{path}/{key}");
        // What may be null has that for a default.
        if property.get("default").is_some() || breaks(property, &Json::Null, "").is_none() {
            visit(&path, &property["default"]);
        }
        defaulted(property, &value[key], &path, visit);
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        defaulted(&schema["items"], item, &format!("{path}/{i}"), visit);
    }
}

/// Runs that an older version stored lack the keys that came since: they are read with their defaults.
#[test]
fn a_stored_configuration_without_a_key_has_its_default() {
    let config = with(&["seed=7", "schedule.window=Cycles(from:5,to:9)", "workload.layers.conv1.pool=2"]);
    let stored = serde_json::to_value(&config).unwrap();
    let (mut keys, mut bare) = (Vec::new(), stored.clone());
    defaulted(&json_schema(FileKind::Run), &stored, "", &mut |path, default| {
        let (parent, key) = path.rsplit_once('/').unwrap();
        let (mut without, mut expected) = (stored.clone(), stored.clone());
        without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
        expected.pointer_mut(parent).unwrap()[key] = default.clone();
        let read: Config = serde_json::from_value(without).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(read, serde_json::from_value(expected).unwrap(), "{path}");
        keys.push(path.to_owned());
        if let Some(parent) = bare.pointer_mut(parent) {
            parent.as_object_mut().unwrap().remove(key);
        }
    });
    assert!(keys.len() > 30, "{keys:?}");
    for key in ["/seed", "/schedule/queue", "/arch/sampler/Generator/draws", "/workload/layers/0/op/Conv/stride"] {
        assert!(keys.iter().any(|path| path == key), "{key}: {keys:?}");
    }
    // All of them at once, and as the RON that a run leaves.
    let read: Config = serde_json::from_value(bare).unwrap();
    assert_eq!((read.seed, &read.schedule, &read.ensemble), (1, &Default::default(), &Default::default()));
    let text = to_ron(&config).replace("    seed: 7,\n", "").replace("            pool: 2,\n", "");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.ron");
    std::fs::write(&file, text).unwrap();
    let read = load_expanded(&file, &[]).unwrap_or_else(|errors| panic!("{errors}")).config;
    assert_eq!((read.seed, read.workload.layers[0].pool), (1, 1));
}

/// In `layer` mode a layer's input is double-buffered in the tiles that hold its arrays.
#[test]
fn the_chips_hold_vgg_binaryconnect() {
    // 1,728 and 434 arrays: the field's counts for arrays of 128 x 128 and 256 x 256 cells.
    for (arch, expected) in [("pcm_128", 1728), ("pcm_256", 434), ("ideal_periphery", 1728)] {
        let config = load(&request(arch, "vgg_binaryconnect")).unwrap().config;
        let net = resolve(&config.workload).unwrap();
        let (array, tile) = (&config.arch.array, &config.arch.tile);
        let mut total = 0;
        for layer in &net.layers {
            let columns = layer.columns * array.cells_per_synapse;
            let arrays = layer.rows.div_ceil(array.rows) * columns.div_ceil(array.columns);
            let tiles = u64::from(arrays.div_ceil(tile.arrays));
            let input_bytes = (layer.input.len() * u64::from(layer.input_bits)).div_ceil(8);
            assert!(2 * input_bytes <= tiles * tile.input_buffer.capacity.0, "{arch}: {}", layer.name);
            total += arrays;
        }
        assert_eq!(total, expected, "{arch}");
        assert_eq!(net.layers.iter().map(|layer| layer.synapses()).sum::<u64>(), 14_114_176);
        assert_eq!(net.layers.iter().map(|layer| layer.macs()).sum::<u64>(), 617_058_304);
    }
}
