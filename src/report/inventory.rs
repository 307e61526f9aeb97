//! What a mapped network occupies: instances, area and leakage of every part.

use crate::config::{AdcInput, Config, Cost, Interconnect, Sampler, Scheme};
use crate::mapping::Mapping;
use crate::parts::generator::generator_parts;
use crate::parts::readout::adc_cost;
use crate::report::facts::InventoryItem;
use crate::trace::Component;
use crate::workload::Net;

/// Parts by layer, then those of the chip. Arrays and tiles that no layer uses do not count.
#[must_use]
pub fn inventory(config: &Config, net: &Net, mapping: &Mapping, links: u64) -> Vec<InventoryItem> {
    let (chip, costs) = (&config.arch, &config.arch.costs);
    let array = &chip.array;
    let mut items = Vec::new();
    let mut add = |component, part: &str, layer: Option<usize>, instances: u64, units: u64, cost: &Cost| {
        items.push(InventoryItem {
            component,
            part: part.to_owned(),
            layer: layer.map(|l| l as u32),
            instances,
            units,
            area_nm2: u128::from(instances) * u128::from(cost.area.0),
            leakage_fw: u128::from(instances) * u128::from(cost.leakage.0),
        });
    };
    let synapse_columns = u64::from(array.columns / array.cells_per_synapse);
    let synapses = u64::from(array.rows) * synapse_columns;
    for (l, mapped) in mapping.layers.iter().enumerate() {
        let at = Some(l);
        let (arrays, tiles) = (mapped.arrays(), mapped.tiles.len() as u64);
        let cells = arrays * u64::from(array.rows) * u64::from(array.columns);
        add(Component::Crossbar, "cell", at, cells, arrays, &costs.cell);
        add(Component::Driver, "wordline", at, arrays * u64::from(array.rows), arrays, &costs.wordline);
        let adders = match (config.mapping.scheme, &chip.sampler) {
            (Scheme::Dense, Sampler::Comparator { noise_rows, sub_arrays }) => {
                let noise = arrays * u64::from(*noise_rows) * u64::from(array.columns);
                add(Component::Crossbar, "noise_cell", at, noise, 0, &costs.cell);
                let columns = arrays * synapse_columns * u64::from((*sub_arrays).min(array.rows));
                add(Component::Comparator, "comparator", at, columns, columns, &costs.comparator);
                add(Component::Accumulator, "sampled_accumulate", at, columns, columns, &costs.sampled_accumulate);
                columns / arrays
            }
            (scheme, sampler) => {
                let inputs = match chip.adc.input {
                    AdcInput::Pair => synapse_columns,
                    AdcInput::Column => u64::from(array.columns),
                };
                let converters = inputs.div_ceil(u64::from(chip.adc.columns_per_adc));
                if array.sample_and_hold {
                    let held = arrays * inputs;
                    add(Component::SampleHold, "sample_and_hold", at, held, held, &costs.sample_and_hold);
                }
                let all = arrays * converters;
                add(Component::Adc, "adc", at, all, all, adc_cost(chip));
                add(Component::Adc, "multiplexer", at, all, 0, &costs.multiplexer);
                add(Component::Accumulator, "shift_add", at, all, all, &costs.shift_add);
                if let (Scheme::Dense, Sampler::Generator { bits_per_cycle, probability_bits, double_buffered, .. }) =
                    (scheme, sampler)
                {
                    for (i, part) in generator_parts(chip).into_iter().enumerate() {
                        // Spans name the generator of an array as one unit.
                        let units = if i == 0 { arrays } else { 0 };
                        add(Component::Generator, part.name, at, arrays * part.number, units, part.cost);
                    }
                    let comparators = arrays * u64::from(bits_per_cycle.div_ceil(*probability_bits));
                    add(Component::Generator, "draw_compare", at, comparators, 0, &costs.draw_compare);
                    let latches = arrays * synapses * (1 + u64::from(*double_buffered));
                    add(Component::Generator, "draw_latch", at, latches, 0, &costs.draw_latch);
                    add(Component::Generator, "probability_store", at, arrays * synapses, 0, &costs.probability_fetch);
                }
                converters
            }
        };
        let copies = u64::from(mapped.replication);
        let tree = copies * u64::from(mapped.row_blocks - 1) * u64::from(mapped.column_blocks) * adders;
        if tree > 0 {
            add(Component::Accumulator, "adder", at, tree, tree, &costs.adder);
        }
        let lanes = tiles * u64::from(chip.digital.lanes);
        add(Component::Digital, "post_process", at, lanes, lanes, &costs.post_process);
        if net.layers[l].pool > 1 {
            add(Component::Digital, "pool", at, lanes, 0, &costs.pool);
        }
        let input = tiles * chip.tile.input_buffer.capacity.0;
        add(Component::Buffer, "input_buffer", at, input, tiles, &costs.buffer_read);
        let output = tiles * chip.tile.output_buffer.capacity.0;
        add(Component::Buffer, "output_buffer", at, output, tiles, &costs.buffer_read);
    }
    let tiles = u64::from(mapping.tiles);
    let routers = match chip.interconnect {
        Interconnect::Bus { .. } => 1,
        Interconnect::Mesh { .. } => tiles,
        // Inner nodes of a binary tree over the tiles.
        Interconnect::HTree { .. } => tiles.next_power_of_two().max(2) - 1,
    };
    add(Component::Link, "router", None, routers, links, &costs.link);
    add(Component::GlobalBuffer, "global_buffer", None, chip.global_buffer.capacity.0, 1, &costs.global_read);
    items
}
