//! What a mapped network occupies: instances, area and leakage of every part.

use crate::config::{Config, Cost, Interconnect, Sampler};
use crate::mapping::pack::index_bits;
use crate::mapping::{Mapping, PackedArray, Plane};
use crate::parts::accumulator::{HeldSums, adders};
use crate::parts::generator::generator_parts;
use crate::readout::Readout;
use crate::report::facts::InventoryItem;
use crate::trace::Component;
use crate::workload::{LayerInput, Net};

/// Parts by layer, then those of the chip. Arrays and tiles that no layer uses do not count.
#[must_use]
pub fn inventory(config: &Config, net: &Net, mapping: &Mapping, links: u64) -> Vec<InventoryItem> {
    let (chip, costs) = (&config.arch, &config.arch.costs);
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
    for (l, mapped) in mapping.layers.iter().enumerate() {
        let at = Some(l);
        let tiles = mapped.tiles.len() as u64;
        for plane in &mapped.planes {
            let arrays = u64::from(plane.arrays) * u64::from(mapped.replication);
            let readout = Readout::new(chip, plane.plane);
            let array = &readout.arrays.array;
            // Layers have their parts of what an array that they share has; each names all of its units.
            let of_arrays = |of_array| mapped.of_arrays(plane, of_array);
            let cells = of_arrays(u64::from(array.rows) * u64::from(array.columns));
            let synapses = u64::from(array.rows) * u64::from(readout.arrays.synapse_columns());
            add(Component::Crossbar, "cell", at, cells, arrays, &costs.cell);
            add(Component::Driver, "wordline", at, of_arrays(array.rows.into()), arrays, &costs.wordline);
            if let Some(packed) = &plane.packed {
                let indices: u64 = packed.iter().map(PackedArray::indices).sum();
                let bits = indices * u64::from(index_bits(net.layers[l].rows)) * u64::from(mapped.replication);
                add(Component::Driver, "index_bit", at, bits, 0, &costs.index_bit);
                add(Component::Driver, "gather", at, arrays * u64::from(chip.gather_banks()), 0, &costs.gather);
            }
            for of_array in &readout.instances {
                let number = of_arrays(of_array.number);
                let units = if of_array.units { arrays * of_array.number } else { 0 };
                add(of_array.component, of_array.part, at, number, units, of_array.cost);
            }
            if let (Plane::Stochastic, Sampler::Generator { bits_per_cycle, probability_bits, double_buffered, .. }) =
                (plane.plane, &chip.sampler)
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
        let lanes = |plane| {
            let readout = Readout::new(chip, plane);
            let arrays = &readout.arrays;
            u64::from(readout.block(arrays.array.rows, arrays.synapse_columns(), &net.layers[l]).lanes())
        };
        let copies = u64::from(mapped.replication);
        let tree = copies * adders(chip, &net.layers[l], mapped, lanes);
        if tree > 0 {
            add(Component::Accumulator, "adder", at, tree, tree, &costs.adder);
        }
        if let Some(held) = HeldSums::new(&net.layers[l], mapped) {
            add(Component::Accumulator, "held_sum_byte", at, held.bytes, 0, &costs.buffer_read);
        }
        let lanes = mapped.of_tiles(chip.digital.lanes.into());
        add(Component::Digital, "post_process", at, lanes, lanes, &costs.post_process);
        if net.layers[l].pool > 1 {
            add(Component::Digital, "pool", at, lanes, 0, &costs.pool);
        }
        // A tile's input buffer has a port to write and one to read; its output buffer has one to write, and that of the
        // layer's last tile one to read for each link that leaves. Layers that share a tile have ports of their own, each with
        // its part of the width.
        let input = mapped.of_tiles(chip.tile.input_buffer.capacity.0);
        add(Component::Buffer, "input_buffer", at, input, 2 * tiles, &costs.buffer_read);
        let output = mapped.of_tiles(chip.tile.output_buffer.capacity.0);
        let consumers = net.layers.iter().filter(|layer| layer.source == LayerInput::Layer(l)).count();
        let leaving = consumers as u64 + u64::from(net.outputs().any(|output| output == l));
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
