//! Checks across several keys of a value; each problem has its path within the value.

use crate::config::de::from_node;
use crate::config::tree::Node;
use crate::config::{
    Adc, AdcInput, AdcRange, Answer, Array, ArrayReadout, Chip, Config, Conversions, ConverterCost, Copies, CostTable,
    Device, DeviceModel, Execution, MAX_PASSES, Mode, Packing, Plane, Posterior, RandomSource, ReadNoise, Sampler,
    Samples, ScheduleSpec, Scheme, TraceWindow, Workload,
};
use crate::error::{MOST_COMPARED, Problem, nearest};
use crate::lfsr::{MOST_BITS, has_full_period};
use crate::network::resolve;
use std::collections::{BTreeMap, BTreeSet};

/// A value that a file holds as a whole.
pub trait Whole {
    /// Problems across its keys, beside those of what it holds.
    fn problems(&self) -> Vec<Problem>;
}

impl Whole for CostTable {
    fn problems(&self) -> Vec<Problem> {
        cost_table(self)
    }
}

impl Whole for DeviceModel {
    fn problems(&self) -> Vec<Problem> {
        DeviceModel::problems(self)
    }
}

impl Whole for Chip {
    fn problems(&self) -> Vec<Problem> {
        chip(self)
    }
}

impl Whole for Workload {
    fn problems(&self) -> Vec<Problem> {
        workload(self)
    }
}

impl Whole for Config {
    fn problems(&self) -> Vec<Problem> {
        config(self)
    }
}

/// Problems of the value in `node` of the type called `name`, which is part of another one.
pub(super) fn of(name: &str, node: &Node) -> Vec<Problem> {
    fn whole<T: serde::de::DeserializeOwned>(node: &Node, check: fn(&T) -> Vec<Problem>) -> Vec<Problem> {
        from_node(node).map_or_else(|_| Vec::new(), |value| check(&value))
    }
    match name {
        "Array" => whole(node, array),
        "ScheduleSpec" => whole(node, schedule),
        "CostTable" => whole(node, cost_table),
        "Device" => whole(node, Device::problems),
        "DeviceModel" => whole(node, DeviceModel::problems),
        "Chip" => whole(node, chip),
        "Workload" => whole(node, workload),
        _ => Vec::new(),
    }
}

/// Columns hold whole synapses; an on cell conducts more than an off one.
fn array(array: &Array) -> Vec<Problem> {
    let mut problems = Vec::new();
    if array.cells_per_synapse > 0 && !array.columns.is_multiple_of(array.cells_per_synapse) {
        problems.push(Problem::new(
            "columns",
            format!(
                "columns is {}; expected a multiple of cells_per_synapse ({})",
                array.columns, array.cells_per_synapse
            ),
        ));
    }
    if array.conductance_off >= array.conductance_on {
        problems.push(Problem::new(
            "conductance_off",
            format!(
                "conductance_off is {}; expected less than conductance_on ({})",
                array.conductance_off, array.conductance_on
            ),
        ));
    }
    problems
}

/// A window of at least one cycle.
fn schedule(schedule: &ScheduleSpec) -> Vec<Problem> {
    match schedule.window {
        TraceWindow::Cycles { from, to } if from >= to => {
            vec![Problem::new(
                "window",
                format!("the window ends at cycle {to}; expected more than its start ({from})"),
            )]
        }
        _ => Vec::new(),
    }
}

/// Every resolution at most once, and at least one of analogue-to-digital converters.
fn cost_table(table: &CostTable) -> Vec<Problem> {
    if table.adc.is_empty() {
        return vec![Problem::new("adc", "adc has no entry; expected one for each resolution")];
    }
    let mut problems = Vec::new();
    let mut once = |list: &str, resolutions: &mut dyn Iterator<Item = u32>| {
        let mut first = BTreeMap::new();
        for (i, bits) in resolutions.enumerate() {
            let first = *first.entry(bits).or_insert(i);
            if first < i {
                let message = format!("duplicate entry for {bits} bits; {list}[{first}] has it already");
                problems.push(Problem::new(format!("{list}[{i}].bits"), message));
            }
        }
    };
    once("adc", &mut table.adc.iter().map(|entry| entry.bits));
    once("dac", &mut table.dac.iter().map(|entry| entry.bits));
    problems
}

/// Parts of a chip that must fit each other.
fn chip(chip: &Chip) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for &plane in Plane::ALL {
        let arrays = chip.plane(plane);
        let stochastic = plane == Plane::Stochastic;
        if stochastic && (&arrays.array, &arrays.adc) == (&chip.array, &chip.adc) {
            continue;
        }
        let other = &chip.stochastic;
        if stochastic {
            let columns =
                array(&arrays.array).into_iter().filter(|problem| problem.path == "columns" && other.columns.is_some());
            problems.extend(columns.map(|problem| Problem { path: "stochastic.columns".to_owned(), ..problem }));
        }
        let by_comparators = stochastic && matches!(chip.sampler, Sampler::Comparator { .. });
        let by_converters = !by_comparators && arrays.array.readout == ArrayReadout::Adc;
        if !stochastic {
            problems.extend(converters(&arrays.array, &arrays.adc));
        } else if by_converters && (other.columns.is_some() || other.columns_per_adc.is_some()) {
            problems.extend(
                converters(&arrays.array, &arrays.adc).and_then(|problem| stochastic_converters(chip, problem)),
            );
        }
        let bits = arrays.adc.bits;
        if (!stochastic || other.adc_bits.is_some())
            && chip.adc.cost == ConverterCost::Table
            && !chip.costs.adc.is_empty()
            && !chip.costs.adc.iter().any(|entry| entry.bits == bits)
        {
            let known: Vec<String> = chip.costs.adc.iter().map(|entry| entry.bits.to_string()).collect();
            problems.push(Problem::new(
                if stochastic { "stochastic.adc_bits" } else { "adc.bits" },
                format!(
                    "cost table \"{}\" has no converter of {bits} bits; expected one of {}",
                    chip.costs.name,
                    known.join(", ")
                ),
            ));
        }
        if let ArrayReadout::SenseAmplifiers { sub_arrays } = arrays.array.readout
            && !by_comparators
        {
            let path = match (stochastic, &other.readout, other.rows) {
                (true, Some(_), _) => "stochastic.readout.sub_arrays",
                // What the chip says of both planes is wrong at its own key.
                (true, None, None) => continue,
                (true, None, Some(_)) => "stochastic.rows",
                (false, ..) => "array.readout.sub_arrays",
            };
            problems.extend(divides_rows(path, sub_arrays, arrays.array.rows));
        }
    }
    problems.extend(drivers(chip));
    problems.extend(conversions(chip));
    problems.extend(chip.technology_problems());
    if let Sampler::Comparator { sub_arrays, .. } = chip.sampler {
        problems.extend(divides_rows("sampler.sub_arrays", sub_arrays, chip.plane(Plane::Stochastic).array.rows));
    }
    problems.extend(registers(&chip.sampler));
    problems.extend(targets(chip));
    problems
}

/// Cells are programmed to conductances that their model covers.
fn targets(chip: &Chip) -> Option<Problem> {
    let (on, model) = (chip.array.conductance_on, &chip.device.model);
    if model.is_ideal() || on <= model.conductance_max {
        return None;
    }
    let message = format!("conductance_on is {on}; the cells of \"{}\" reach {}", model.name, model.conductance_max);
    Some(Problem::new("array.conductance_on", message).hint(format!("expected at most {}", model.conductance_max)))
}

/// Drivers of more than one bit have a digital-to-analogue converter in the cost table, where arrays are driven by them.
fn drivers(chip: &Chip) -> Option<Problem> {
    let bits = chip.driver.bits_per_pulse;
    let by_converters = |plane: &Plane| by_converters(chip, *plane, &chip.plane(*plane).array);
    let known: Vec<u32> = chip.costs.dac.iter().map(|entry| entry.bits).collect();
    // What is out of range has a message of its own.
    if !(2..=8).contains(&bits) || known.contains(&bits) || !Plane::ALL.iter().any(by_converters) {
        return None;
    }
    let table = &chip.costs.name;
    let Some(near) = known.iter().copied().min_by_key(|near| (near.abs_diff(bits), *near)) else {
        let message =
            format!("bits_per_pulse is {bits}; cost table \"{table}\" has no digital-to-analogue converters (dac)");
        return Some(
            Problem::new("driver.bits_per_pulse", message).hint("expected 1, or a table with an entry for them"),
        );
    };
    let list: Vec<String> = known.iter().map(u32::to_string).collect();
    let message = format!(
        "cost table \"{table}\" has no digital-to-analogue converter of {bits} bits; expected 1 (none), or one of {}",
        list.join(", ")
    );
    Some(Problem::new("driver.bits_per_pulse", message).hint(format!("the nearest is {near}")))
}

/// Values are put together in a sample-and-hold, where there are converters.
fn conversions(chip: &Chip) -> Option<Problem> {
    if chip.adc.conversions == Conversions::PerPulse {
        return None;
    }
    let planes = || Plane::ALL.iter().map(|&plane| (plane, chip.plane(plane).array));
    if !planes().any(|(plane, array)| by_converters(chip, plane, &array)) {
        let message = "conversions is PerValue, and no array is read by converters: rows are read one by one";
        return Some(Problem::new("adc.conversions", message).hint("expected PerPulse, which has no meaning there"));
    }
    let message = "conversions is PerValue, and without a sample-and-hold nothing adds up the pulses of a value";
    (!chip.array.sample_and_hold)
        .then(|| Problem::new("adc.conversions", message).hint("expected array.sample_and_hold: true, or PerPulse"))
}

/// The charge of a sign's pulse is taken from that of the others: a pair's difference may be negative, a bitline's sum may not.
fn signed_values(config: &Config) -> Option<Problem> {
    let adc = &config.arch.adc;
    if adc.conversions == Conversions::PerPulse || adc.input == AdcInput::Pair {
        return None;
    }
    let net = resolve(&config.workload).ok()?;
    let layer = net.layers.iter().find(|layer| layer.input_signed)?;
    let message = format!(
        "conversions is PerValue, and converters of single bitlines have no negative codes; the inputs of layer \"{}\" are \
         signed",
        layer.name
    );
    Some(Problem::new("arch.adc.conversions", message).hint("expected arch.adc.input=Pair, or PerPulse"))
}

/// A register whose taps give the full period, and registers that share a cycle's bits evenly.
fn registers(sampler: &Sampler) -> Vec<Problem> {
    let Sampler::Generator { source: RandomSource::Lfsr { bits, taps, registers }, bits_per_cycle, .. } = sampler
    else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    let in_range = (2..=MOST_BITS).contains(bits) && taps.iter().all(|tap| (1..=*bits).contains(tap));
    let listed = || taps.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    if taps.iter().max() != Some(bits) {
        problems.push(Problem::new(
            "sampler.source.taps",
            format!("taps is [{}]; expected numbers in 1..={bits}, the largest of them bits ({bits})", listed()),
        ));
    } else if let Some(tap) = taps.iter().enumerate().find_map(|(i, tap)| taps[..i].contains(tap).then_some(tap)) {
        problems.push(Problem::new("sampler.source.taps", format!("taps is [{}]: {tap} stands there twice", listed())));
    } else if in_range && !has_full_period(*bits, taps) {
        let message = format!("a register of {bits} bits with taps [{}] repeats before 2^{bits} - 1 steps", listed());
        let known = "8: [8, 6, 5, 4], 16: [16, 15, 13, 4], 32: [32, 22, 2, 1], 64: [64, 63, 61, 60]";
        problems.push(Problem::new("sampler.source.taps", message).hint(format!("taps of full period are {known}")));
    }
    if *registers > 0 && !bits_per_cycle.is_multiple_of(*registers) {
        problems.push(Problem::new(
            "sampler.source.registers",
            format!("registers is {registers}; expected a divisor of bits_per_cycle ({bits_per_cycle})"),
        ));
    }
    problems
}

/// Sub-arrays have the same number of rows.
fn divides_rows(path: &str, sub_arrays: u32, rows: u32) -> Option<Problem> {
    let message = format!("sub_arrays is {sub_arrays}; expected a divisor of the {rows} rows of an array");
    (sub_arrays > 0 && !rows.is_multiple_of(sub_arrays)).then(|| Problem::new(path, message))
}

/// Each converter serves the same number of inputs.
fn converters(array: &Array, adc: &Adc) -> Option<Problem> {
    let (inputs, what) = match adc.input {
        // Columns that do not hold whole synapses have a message of their own.
        AdcInput::Pair if !array.columns.is_multiple_of(2) || array.cells_per_synapse != 2 => return None,
        AdcInput::Pair => (array.columns / 2, "pairs"),
        AdcInput::Column => (array.columns, "columns"),
    };
    let shared = adc.columns_per_adc;
    if inputs == 0 || shared == 0 || inputs.is_multiple_of(shared) {
        return None;
    }
    // The nearest divisor; the smaller one of two equally near.
    let near = (1..=inputs).filter(|d| inputs.is_multiple_of(*d)).min_by_key(|d| d.abs_diff(shared))?;
    let problem = Problem::new(
        "adc.columns_per_adc",
        format!("columns_per_adc is {shared}; expected a divisor of the {inputs} {what} of an array"),
    );
    Some(problem.hint(format!("the nearest is {near}")))
}

/// What `problem` says of the converters of stochastic arrays, at the key that makes them differ from the others. Where
/// narrow arrays have fewer inputs than share a converter elsewhere, all of them share one.
fn stochastic_converters(chip: &Chip, problem: Problem) -> Option<Problem> {
    let arrays = chip.plane(Plane::Stochastic);
    let inputs = if arrays.adc.input == AdcInput::Pair { arrays.synapse_columns() } else { arrays.array.columns };
    if chip.stochastic.columns_per_adc.is_some() {
        return Some(Problem { path: "stochastic.columns_per_adc".to_owned(), ..problem });
    }
    (inputs > arrays.adc.columns_per_adc).then(|| {
        let hint = problem.hint.unwrap_or_default();
        Problem {
            path: "stochastic.columns".to_owned(),
            hint: Some(format!("{hint}: set stochastic.columns_per_adc")),
            ..problem
        }
    })
}

/// The network, and a posterior that belongs to it.
fn workload(workload: &Workload) -> Vec<Problem> {
    let mut problems = resolve(workload).err().unwrap_or_default();
    if let Posterior::Synthetic { probabilistic, .. } = &workload.posterior
        && !workload.layers.is_empty()
        && probabilistic.len() != workload.layers.len()
    {
        problems.push(Problem::new(
            "posterior.probabilistic",
            format!(
                "probabilistic has {} numbers; expected one for each of the {} layers",
                probabilistic.len(),
                workload.layers.len()
            ),
        ));
    }
    problems
}

/// The problem of a first ensembling layer that is none of the layers called `names`.
pub(crate) fn no_first_layer<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Problem {
    let message = format!("first_ensembling_layer is \"{name}\", which is no layer");
    let problem = Problem::new("mapping.scheme.first_ensembling_layer", message);
    match nearest(name, names) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem,
    }
}

/// A first ensembling layer of the network, and a packing that the chip's stochastic plane can be read in.
fn scheme(config: &Config, names: &BTreeSet<&str>) -> Vec<Problem> {
    let Some(choices) = config.mapping.scheme.choices() else { return Vec::new() };
    let mut problems = Vec::new();
    if let Some(name) = choices.first_ensembling_layer
        && !names.contains(name)
    {
        problems.push(no_first_layer(name, names.iter().copied()));
    }
    let row_serial = matches!(config.arch.sampler, Sampler::Comparator { .. })
        || matches!(config.arch.plane(Plane::Stochastic).array.readout, ArrayReadout::SenseAmplifiers { .. });
    let serial = "expected a Comparator sampler, or stochastic.readout: SenseAmplifiers(..)";
    if matches!(choices.packing, Packing::Lists { .. }) && !row_serial {
        let message = "packing is Lists, whose rows hold another input in each column, and the stochastic plane is read by \
                       converters, with an input on each row";
        problems.push(Problem::new("mapping.scheme.packing", message).hint(format!("{serial}, or packing: Rows")));
    }
    if choices.skip_zero_rows && !row_serial {
        let message = "skip_zero_rows is set, and the stochastic plane is read by converters, all rows at once";
        problems.push(Problem::new("mapping.scheme.skip_zero_rows", message).hint(serial));
    }
    if choices.skip_zero_rows && config.arch.device.read_noise == ReadNoise::OneOverF {
        let message = "skip_zero_rows lets times depend on values, and arch.device.read_noise=OneOverF lets values depend on \
                       times";
        problems
            .push(Problem::new("mapping.scheme.skip_zero_rows", message).hint("expected White or Frozen, or no skips"));
    }
    if choices.packing != Packing::Full && choices.eps.is_none() {
        let message = "packing stores what is probabilistic, and eps is Everything: every synapse is sampled";
        problems
            .push(Problem::new("mapping.scheme.packing", message).hint("expected eps: Above(..), or packing: Full"));
    }
    if choices.keep_deterministic_part && choices.eps.is_none() {
        let message = "keep_deterministic_part is set, and eps is Everything: there is no deterministic plane to keep";
        problems.push(Problem::new("mapping.scheme.keep_deterministic_part", message).hint("expected eps: Above(..)"));
    }
    if config.ensemble.execution == Execution::Spatial {
        if config.schedule.mode == Mode::Sequential {
            let message = "execution is Spatial, and the sequential schedule runs one layer of one member at a time";
            problems
                .push(Problem::new("ensemble.execution", message).hint("expected schedule.mode Layer or Streaming"));
        }
        if choices.keep_deterministic_part {
            let message = "keep_deterministic_part keeps sums for later members, and with ensemble.execution=Spatial each \
                           member has planes of its own";
            problems.push(Problem::new("mapping.scheme.keep_deterministic_part", message));
        }
    }
    problems
}

/// Copies that are to be chosen have a goal, and a pipeline whose stages they can even out.
fn chosen_copies(config: &Config) -> Option<Problem> {
    let Copies::Auto { target_interval, area_budget } = config.mapping.copies else { return None };
    if target_interval.is_none() && area_budget.is_none() {
        let message = "copies is Auto without a goal; expected target_interval, area_budget or both";
        return Some(Problem::new("mapping.copies", message));
    }
    let message = "copies is Auto, which shortens the longest stage of a pipeline, and in schedule sequential layers take \
                   turns";
    (config.schedule.mode == Mode::Sequential)
        .then(|| Problem::new("mapping.copies", message).hint("expected schedule.mode Layer or Streaming"))
}

/// Comparators draw from read noise, which has to differ from read to read.
fn nothing_to_draw_from(config: &Config) -> Option<Problem> {
    let drawn = matches!(config.arch.sampler, Sampler::Comparator { .. })
        && config.mapping.scheme != Scheme::Deterministic
        && config.ensemble.samples != Samples::Stored;
    let frozen = config.arch.device.read_noise == ReadNoise::Frozen && !config.arch.device.has_ideal_cells();
    let message = "read noise is Frozen, and comparators draw weights from it: all their draws would be the same";
    (drawn && frozen).then(|| Problem::new("arch.device.read_noise", message).hint("expected OneOverF or White"))
}

/// The problem of a converter whose range is to be calibrated for a network without calibration images.
pub(crate) fn ranges_without_images(config: &Config) -> Option<Problem> {
    let calibrated = |plane: &Plane| {
        let arrays = config.arch.plane(*plane);
        by_converters(&config.arch, *plane, &arrays.array) && matches!(arrays.adc.range, AdcRange::Percentile(_))
    };
    let plane = Plane::ALL.iter().find(|plane| calibrated(plane)).filter(|_| config.workload.calibration.is_none())?;
    let path = match (plane, config.arch.stochastic.adc_range) {
        (Plane::Stochastic, Some(_)) => "arch.stochastic.adc_range",
        _ => "arch.adc.range",
    };
    let message = "the range is Percentile, which is calibrated on the network's calibration images, and it has none";
    Some(Problem::new(path, message).hint("expected FullScale or Fixed(..), or a network with calibration images"))
}

/// Whether the arrays of a plane are read by converters.
fn by_converters(chip: &Chip, plane: Plane, array: &Array) -> bool {
    let compared = plane == Plane::Stochastic && matches!(chip.sampler, Sampler::Comparator { .. });
    !compared && array.readout == ArrayReadout::Adc
}

/// What a run asks of its chip and network.
pub(crate) fn config(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let names: BTreeSet<&str> = config.workload.layers.iter().map(|layer| layer.name.as_str()).collect();
    let mut given = BTreeSet::new();
    for (i, (name, _)) in config.mapping.replication.iter().enumerate() {
        let path = format!("mapping.replication[{i}]");
        if !names.contains(name.as_str()) {
            let mut problem = Problem::new(path, format!("replication names \"{name}\", which is no layer"));
            if problems.len().saturating_mul(names.len()) < MOST_COMPARED
                && let Some(near) = nearest(name, names.iter().copied())
            {
                problem = problem.hint(format!("did you mean \"{near}\"?"));
            }
            problems.push(problem);
        } else if !given.insert(name) {
            problems.push(Problem::new(path, format!("replication names \"{name}\" twice")));
        }
    }
    problems.extend(scheme(config, &names));
    problems.extend(chosen_copies(config));
    problems.extend(nothing_to_draw_from(config));
    problems.extend(signed_values(config));
    if config.values.answer != Answer::Nothing && config.workload.images.is_some() {
        problems.extend(ranges_without_images(config));
    }
    if config.passes() > MAX_PASSES {
        let images_ask_for_more = config.schedule.images >= config.ensemble.members;
        problems.push(Problem::new(
            if images_ask_for_more { "schedule.images" } else { "ensemble.members" },
            format!("images times members is {} passes; expected at most {MAX_PASSES}", config.passes()),
        ));
    }
    if config.ensemble.samples == Samples::Stored && !matches!(config.workload.posterior, Posterior::File { .. }) {
        problems.push(Problem::new("ensemble.samples", "stored samples need a posterior file; this workload has none"));
    }
    problems
}
