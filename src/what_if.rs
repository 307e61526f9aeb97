//! What a run would gain from other times: estimated from its critical path, and run.

use crate::config::path::{Segment, split_path};
use crate::config::{Chip, Config, Interconnect, Sampler};
use crate::error::{Error, Problem, nearest};
use crate::report::critical::WhatIf;
use crate::report::settings::differences;
use crate::run::Prepared;
use crate::simulate::Critical;
use crate::units::{QUANTITIES, Time};
use serde_json::Value;

/// Another name for the time of the converter that the chip has: its entry in the cost table is found by its bits.
pub const ADC_TIME: &str = "arch.adc.time";

/// What `KEY=CHANGE` asks for, as `key=value`: a change in percent (`arch.array.read_time=-20%`) is applied to the value that
/// the configuration has, in whole base units, halves rounded up; any other value stands.
///
/// # Errors
/// A message where there is no key or no number that a percentage can change.
pub fn setting(text: &str, config: &Config) -> Result<(String, String), String> {
    let expected = "expected KEY=CHANGE, such as arch.adc.time=-10% or arch.costs.buffer_write.time=\"2 ns\"";
    let (key, change) = text.split_once('=').ok_or_else(|| format!("{expected}; found no `=` in `{text}`"))?;
    let (key, change) = (key.trim(), change.trim());
    if key.is_empty() || change.is_empty() {
        return Err(format!("{expected}; found `{text}`"));
    }
    let key = if key == ADC_TIME { adc_time(&config.arch) } else { key.to_owned() };
    let tree = serde_json::to_value(config).map_err(|error| error.to_string())?;
    let Some(value) = find(&tree, &key) else {
        let names = times(&tree);
        let near = nearest(&key, names.iter().map(String::as_str).chain([ADC_TIME]));
        let help = near.map(|near| format!("\nhelp: did you mean {near}?")).unwrap_or_default();
        return Err(format!("there is no key {key}{help}"));
    };
    let Some(percent) = change.strip_suffix('%') else { return Ok((key, change.to_owned())) };
    let factor = factor(percent).ok_or_else(|| {
        format!("`{change}` changes nothing by a share; expected a number from -100% on with at most three decimals")
    })?;
    let scaled = |number: u64| (u128::from(number) * u128::from(factor) + u128::from(WHOLE / 2)) / u128::from(WHOLE);
    let number = |number: u64| u64::try_from(scaled(number)).ok();
    let new = match value {
        Value::String(text) => QUANTITIES.iter().find_map(|quantity| {
            let number = number(quantity.parse(text).ok()?)?;
            Some(quantity.format(number))
        }),
        Value::Number(whole) => whole.as_u64().and_then(number).map(|number| number.to_string()),
        _ => None,
    };
    new.map(|new| (key.clone(), new)).ok_or_else(|| format!("{key} is {value}, which no percentage changes"))
}

/// 100 % in thousandths of a percent.
const WHOLE: u64 = 100_000;

/// 1 + percent / 100 in units of 1 / [`WHOLE`].
fn factor(percent: &str) -> Option<u64> {
    let (negative, digits) = match percent.trim().strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, percent.trim().trim_start_matches('+')),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || whole.len() > 6 || decimals.len() > 3 || !plain(whole) || !plain(decimals) {
        return None;
    }
    let thousandths = whole.parse::<u64>().ok()? * 1000 + format!("{decimals:0<3}").parse::<u64>().ok()?;
    if negative { WHOLE.checked_sub(thousandths) } else { WHOLE.checked_add(thousandths) }
}

fn adc_time(chip: &Chip) -> String {
    let entry = chip.costs.adc.iter().position(|entry| entry.bits == chip.adc.bits);
    format!("arch.costs.adc[{}].convert.time", entry.unwrap_or(0))
}

/// The value at a dotted path; names of choices are not part of it.
fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(value);
    }
    if let Value::Object(fields) = value
        && let (1, Some((choice, inner))) = (fields.len(), fields.iter().next())
        && choice.starts_with(|c: char| c.is_ascii_uppercase())
    {
        return find(inner, path);
    }
    let (segment, rest) = split_path(path);
    let next = match (segment, value) {
        (Segment::Key(key), Value::Object(fields)) => fields.get(key),
        (Segment::Key(key), Value::Array(items)) => items.get(key.parse::<usize>().ok()?),
        (Segment::Index(index), Value::Array(items)) => items.get(index),
        _ => None,
    };
    find(next?, rest)
}

/// Paths of all times.
fn times(tree: &Value) -> Vec<String> {
    fn below(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    below(value, &format!("{path}.{key}"), found);
                }
            }
            Value::Array(items) => {
                for (i, value) in items.iter().enumerate() {
                    below(value, &format!("{path}[{i}]"), found);
                }
            }
            Value::String(text) if Time::QUANTITY.parse(text).is_ok() => found.push(path.to_owned()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    below(&tree["arch"], "arch", &mut found);
    found
}

/// `other` with those times and widths of `config` that leave the jobs of a run, and what they wait for, as they are.
fn with_times_of(config: &Config, other: &Config) -> Config {
    let mut same = other.clone();
    let (chip, of) = (&mut same.arch, &config.arch);
    chip.costs = of.costs.clone();
    (chip.clock, chip.node, chip.array.read_time) = (of.clock, of.node, of.array.read_time);
    (chip.adc.bits, chip.adc.columns_per_adc, chip.digital.lanes) =
        (of.adc.bits, of.adc.columns_per_adc, of.digital.lanes);
    let (plane, of_plane) = (&mut chip.stochastic, &of.stochastic);
    (plane.read_time, plane.adc_bits, plane.columns_per_adc) =
        (of_plane.read_time, of_plane.adc_bits, of_plane.columns_per_adc);
    let buffers = [
        (&mut chip.tile.input_buffer, &of.tile.input_buffer),
        (&mut chip.tile.output_buffer, &of.tile.output_buffer),
        (&mut chip.global_buffer, &of.global_buffer),
    ];
    for (buffer, of) in buffers {
        buffer.bytes_per_cycle = of.bytes_per_cycle;
    }
    if let (Interconnect::Mesh { bytes_per_cycle, .. }, Interconnect::Mesh { bytes_per_cycle: of, .. })
    | (Interconnect::HTree { bytes_per_cycle }, Interconnect::HTree { bytes_per_cycle: of })
    | (Interconnect::Bus { bytes_per_cycle }, Interconnect::Bus { bytes_per_cycle: of }) =
        (&mut chip.interconnect, &of.interconnect)
    {
        *bytes_per_cycle = *of;
    }
    if let (Sampler::Generator { bits_per_cycle, .. }, Sampler::Generator { bits_per_cycle: of, .. }) =
        (&mut chip.sampler, &of.sampler)
    {
        *bits_per_cycle = *of;
    }
    same
}

/// The length of the critical path of a run of `config` with the times of `other`, and how long that run is. `change` is what
/// was asked for.
///
/// # Errors
/// Returns [`Error::Problems`] if `other` changes more than times and widths: then its jobs are not those of the chain;
/// [`Error::Deadlock`] if its parts wait for each other.
pub fn what_if(critical: &Critical, config: &Config, prepared: &Prepared, change: String) -> Result<WhatIf, Error> {
    let other = prepared.config();
    if let Some(more) = differences(config, &with_times_of(config, other)).first() {
        let message = format!("the critical path of a run says nothing about another value of {}", more.key);
        return Err(Error::Problems(vec![Problem::new(more.key.clone(), message).hint(
            "times of actions, the clock and widths (bytes or bits per cycle, lanes, converters) can be asked for; \
             for the others, compare two runs",
        )]));
    }
    let timing = prepared.plan().timing(other)?;
    let run_cycles = prepared.cycles()?;
    let same_cycles = critical.chain.same_cycles(&critical.timing, &timing);
    let seconds = |cycles: u64, config: &Config| cycles as f64 / config.arch.clock.0 as f64;
    let gain = |cycles: u64| 1.0 - seconds(cycles, other) / seconds(critical.cycles, config);
    let estimated = critical.chain.cycles_with(&timing);
    Ok(WhatIf {
        change,
        settings: differences(config, other),
        estimated_cycles: estimated,
        run_cycles,
        estimated_gain: gain(estimated),
        run_gain: gain(run_cycles),
        same_cycles,
    })
}
