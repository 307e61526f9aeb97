//! What a mapped network occupies: instances, area and leakage of every part.

use crate::config::{Config, Cost, Interconnect, Sampler};
use crate::mapping::{ArrayGroup, Mapping, Plane};
use crate::parts::accumulator::partial_sums;
use crate::parts::generator::generator_parts;
use crate::readout::Readout;
use crate::report::facts::InventoryItem;
use crate::trace::Component;
use crate::workload::{LayerInput, Net};

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
        let mut lanes = 0;
        for plane in [Plane::Deterministic, Plane::Stochastic] {
            let of_plane = mapped.groups.iter().filter(|group| group.plane == plane);
            let arrays: u64 = of_plane.map(ArrayGroup::arrays).sum();
            if arrays == 0 {
                continue;
            }
            let readout = Readout::new(chip, plane);
            for of_array in &readout.instances {
                let number = arrays * of_array.number;
                let units = if of_array.units { number } else { 0 };
                add(of_array.component, of_array.part, at, number, units, of_array.cost);
            }
            let whole = readout.block(array.rows, synapse_columns as u32, net.layers[l].input_bits);
            lanes = lanes.max(u64::from(whole.lanes()));
            if let (Plane::Stochastic, Sampler::Generator { bits_per_cycle, probability_bits, double_buffered, .. }) =
                (plane, &chip.sampler)
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
        }
        let copies = u64::from(mapped.replication);
        let merged = u64::from(partial_sums(chip, &net.layers[l], mapped) - 1);
        let tree = copies * merged * u64::from(mapped.column_blocks) * lanes;
        if tree > 0 {
            add(Component::Accumulator, "adder", at, tree, tree, &costs.adder);
        }
        let lanes = tiles * u64::from(chip.digital.lanes);
        add(Component::Digital, "post_process", at, lanes, lanes, &costs.post_process);
        if net.layers[l].pool > 1 {
            add(Component::Digital, "pool", at, lanes, 0, &costs.pool);
        }
        // A tile's input buffer has a port to write and one to read; its output buffer has one to write, and that of the
        // layer's last tile one to read for each link that leaves.
        let input = tiles * chip.tile.input_buffer.capacity.0;
        add(Component::Buffer, "input_buffer", at, input, 2 * tiles, &costs.buffer_read);
        let output = tiles * chip.tile.output_buffer.capacity.0;
        let consumers = net.layers.iter().filter(|layer| layer.source == LayerInput::Layer(l)).count();
        let leaving = consumers as u64 + u64::from(l == net.output);
        add(Component::Buffer, "output_buffer", at, output, tiles + leaving, &costs.buffer_read);
    }
    let tiles = u64::from(mapping.tiles);
    let routers = match chip.interconnect {
        Interconnect::Bus { .. } => 1,
        Interconnect::Mesh { .. } => tiles,
        // Inner nodes of a binary tree over the tiles.
        Interconnect::HTree { .. } => tiles.next_power_of_two().max(2) - 1,
    };
    add(Component::Link, "router", None, routers, links, &costs.link);
    add(Component::GlobalBuffer, "global_buffer", None, chip.global_buffer.capacity.0, 2, &costs.global_read);
    items
}
