//! Settings of a run that differ from what chip, network and defaults say.

use crate::config::Config;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A key whose value was changed for the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Dotted path of the key in the configuration.
    pub key: String,
    /// Its value in the run.
    pub value: String,
    /// Its value in the files, or its default; none where it was not read.
    pub instead_of: Option<String>,
}

/// Keys whose values differ between the configuration of the files and that of the run. Where a choice or the length of a
/// list differs, it is one difference.
///
/// # Panics
/// Never: every configuration can be written as JSON.
#[must_use]
pub fn differences(files: &Config, run: &Config) -> Vec<Setting> {
    let mut found = Vec::new();
    // Most sections are equal; only others are taken apart.
    section(&files.arch, &run.arch, "arch", &mut found);
    section(&files.workload, &run.workload, "workload", &mut found);
    section(&files.mapping, &run.mapping, "mapping", &mut found);
    section(&files.schedule, &run.schedule, "schedule", &mut found);
    section(&files.ensemble, &run.ensemble, "ensemble", &mut found);
    section(&files.values, &run.values, "values", &mut found);
    section(&files.seed, &run.seed, "seed", &mut found);
    found
}

fn section<T: PartialEq + Serialize>(files: &T, run: &T, key: &str, found: &mut Vec<Setting>) {
    if files != run {
        let json = |section| serde_json::to_value(section).expect("configuration values are JSON");
        compare(&json(files), &json(run), key, found);
    }
}

fn compare(files: &Value, run: &Value, path: &str, found: &mut Vec<Setting>) {
    match (files, run) {
        _ if files == run => {}
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for (key, value) in a {
                // Names of choices are not part of the path, as with `--set`.
                let dot = if path.is_empty() { "" } else { "." };
                let below = if is_choice(key) { path.to_owned() } else { format!("{path}{dot}{key}") };
                compare(value, &b[key], &below, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (files, run)) in a.iter().zip(b).enumerate() {
                compare(files, run, &format!("{path}[{i}]"), found);
            }
        }
        _ => found.push(Setting { key: path.to_owned(), value: text(run), instead_of: Some(text(files)) }),
    }
}

/// Whether a key of an object is the name of a choice and not that of a field.
fn is_choice(key: &str) -> bool {
    key.starts_with(|letter: char| letter.is_ascii_uppercase())
}

/// A value much as it stands in a file: `Comparator(noise_rows: 4)`.
fn text(value: &Value) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", list(items.iter().map(text).collect())),
        Value::Object(fields) => match fields.iter().next() {
            Some((choice, value)) if fields.len() == 1 && is_choice(choice) => {
                let inner = text(value);
                if value.is_object() { format!("{choice}{inner}") } else { format!("{choice}({inner})") }
            }
            _ => format!("({})", list(fields.iter().map(|(key, value)| format!("{key}: {}", text(value))).collect())),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LoadRequest, load};

    /// A section that is left out would hide its settings.
    #[test]
    fn every_section_is_compared() {
        let config = |set: &[&str]| {
            let set = set.iter().map(|&set| set.to_owned()).collect();
            load(&LoadRequest { set, ..LoadRequest::default() }).unwrap().config
        };
        let set = [
            "arch.adc.bits=5",
            "workload.activity=0.3",
            "mapping.scheme=deterministic",
            "schedule.grain=op",
            "ensemble.members=3",
            "values.answer=Nothing",
            "seed=9",
        ];
        let sections = serde_json::to_value(config(&[])).unwrap().as_object().unwrap().len();
        let found = differences(&config(&[]), &config(&set));
        let mut keys: Vec<&str> = found.iter().map(|setting| setting.key.split('.').next().unwrap()).collect();
        keys.dedup();
        assert_eq!(keys.len(), sections, "{found:?}");
    }

    #[test]
    fn differences_are_listed_by_key() {
        let json = |text: &str| serde_json::from_str(text).expect("JSON");
        let files = json(r#"{"a": {"Pair": {"x": 1, "y": "2 ns"}}, "b": [[1, 2], [3, 4]], "c": "Layer", "d": [1]}"#);
        let run = json(r#"{"a": {"Pair": {"x": 1, "y": "3 ns"}}, "b": [[1, 2], [3, 5]], "c": {"Only": 7}, "d": []}"#);
        let mut found = Vec::new();
        compare(&files, &run, "", &mut found);
        let lines: Vec<String> = found
            .iter()
            .map(|setting| format!("{} = {} ({})", setting.key, setting.value, setting.instead_of.as_ref().unwrap()))
            .collect();
        assert_eq!(lines, ["a.y = 3 ns (2 ns)", "b[1][1] = 5 (4)", "c = Only(7) (Layer)", "d = [] ([1])"]);
        assert_eq!(text(&json(r#"{"Comparator": {"noise_rows": 4}}"#)), "Comparator(noise_rows: 4)");
    }
}
