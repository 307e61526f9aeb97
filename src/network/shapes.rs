//! Layers with their shapes: the network as the mapping and the functional path see it.

use crate::error::{MOST_COMPARED, Problem, listed, nearest};
use crate::network::description::{Layer, Operation, Workload};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Channels, rows and columns of a feature map; a vector is `channels` x 1 x 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Channels, or values of a vector.
    pub channels: u32,
    /// Rows of pixels.
    pub height: u32,
    /// Pixels in a row.
    pub width: u32,
}

impl Shape {
    /// Values in the map.
    #[must_use]
    pub fn len(self) -> u64 {
        u64::from(self.channels) * u64::from(self.height) * u64::from(self.width)
    }

    /// Whether the map holds nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Pixels of the map.
    #[must_use]
    pub fn positions(self) -> u32 {
        self.height * self.width
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// Where a layer's input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum LayerInput {
    /// The network's input.
    Input,
    /// The output of a layer, by index.
    Layer(usize),
}

/// A layer with everything that follows from its place in the network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetLayer {
    /// Name, unique in the network.
    pub name: String,
    /// The linear operation.
    pub op: Operation,
    /// Where its input comes from.
    pub source: LayerInput,
    /// Shape of the input.
    pub input: Shape,
    /// Shape of the accumulators, before pooling.
    pub linear: Shape,
    /// Shape of the output, after pooling.
    pub output: Shape,
    /// Rows of the weight matrix (K), `cin * k * k`.
    pub rows: u32,
    /// Columns of the weight matrix (M).
    pub columns: u32,
    /// Output positions before pooling (P).
    pub positions: u32,
    /// Bits of an input code (B).
    pub input_bits: u32,
    /// Whether input codes are two's complement.
    pub input_signed: bool,
    /// Bits of an output code.
    pub output_bits: u32,
    /// Side and stride of the pooling window; 1: none.
    pub pool: u32,
    /// Whether negative values are cut off.
    pub relu: bool,
    /// Share of input bits that are 1 where no image is simulated.
    pub activity: f64,
    /// Prefix of its tensors in the posterior file.
    pub tensors: String,
    /// The layer that it is a copy of, where members run side by side.
    pub copy: Option<LayerCopy>,
}

/// A layer's copy for one member.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerCopy {
    /// Name of the layer in the network.
    pub name: String,
    /// Its index there.
    pub layer: usize,
    /// The member that the copy works for.
    pub member: u32,
}

impl NetLayer {
    /// Name of the layer in the network that was described, of which this may be a copy.
    #[must_use]
    pub fn described_name(&self) -> &str {
        self.copy.as_ref().map_or(&self.name, |copy| &copy.name)
    }

    /// Synapses: K M.
    #[must_use]
    pub fn synapses(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.columns)
    }

    /// Output pixels that are complete once the first `positions` positions are done, row by row: a pooling window is
    /// complete with its last position.
    #[must_use]
    pub fn completed(&self, positions: u32) -> u32 {
        let positions = positions.min(self.positions);
        let (y, x) = (positions / self.linear.width, positions % self.linear.width);
        let rows = y / self.pool * self.output.width;
        let last_row_of_windows = y % self.pool == self.pool - 1;
        rows + if last_row_of_windows { x / self.pool } else { 0 }
    }

    /// Input pixels, row by row, that must be there before `position` can be read: up to the last one in its window.
    #[must_use]
    pub fn pixels_needed(&self, position: u32) -> u32 {
        match self.op {
            Operation::Linear { .. } => self.input.positions(),
            Operation::Conv { kernel, stride, padding, .. } => {
                let (y, x) = (position / self.linear.width, position % self.linear.width);
                let last_row = (y * stride + kernel - 1).saturating_sub(padding).min(self.input.height - 1);
                let last_column = (x * stride + kernel - 1).saturating_sub(padding).min(self.input.width - 1);
                last_row * self.input.width + last_column + 1
            }
        }
    }

    /// [`NetLayer::pixels_needed`] of some neighbouring positions. At the bottom of a map an earlier one may need more than
    /// the last.
    #[must_use]
    pub fn pixels_needed_by(&self, position: u32, lanes: u32) -> u32 {
        (position..position + lanes).map(|p| self.pixels_needed(p)).max().unwrap_or(0)
    }

    /// Input pixels, row by row, that no position from `position` on reads again: whole rows above its window.
    #[must_use]
    pub fn pixels_done(&self, position: u32) -> u32 {
        if position >= self.positions {
            return self.input.positions();
        }
        match self.op {
            Operation::Linear { .. } => 0,
            Operation::Conv { stride, padding, .. } => {
                let y = position / self.linear.width;
                (y * stride).saturating_sub(padding).min(self.input.height) * self.input.width
            }
        }
    }

    /// Input pixels to fetch for `position` when the window of the position before it in the row is at hand (a line
    /// buffer): the whole window at the start of a row, then the new columns. Padding is not fetched.
    #[must_use]
    pub fn pixels_fetched(&self, position: u32) -> u32 {
        match self.op {
            Operation::Linear { .. } => self.input.positions(),
            Operation::Conv { kernel, stride, padding, .. } => {
                let (y, x) = (position / self.linear.width, position % self.linear.width);
                let within = |from: u32, to: u32, side: u32| {
                    to.saturating_sub(padding).min(side) - from.saturating_sub(padding).min(side)
                };
                let rows = within(y * stride, y * stride + kernel, self.input.height);
                let end = x * stride + kernel;
                let start = if x == 0 { 0 } else { (end - stride).max(x * stride) };
                rows * within(start, end, self.input.width)
            }
        }
    }

    /// Multiply-accumulates of one pass: K M P.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.synapses() * u64::from(self.positions)
    }
}

/// A network whose shapes fit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Net {
    /// Shape of the input.
    pub input: Shape,
    /// Bits of an input code.
    pub input_bits: u32,
    /// Layers in an order in which each comes after what it reads.
    pub layers: Vec<NetLayer>,
    /// Index of the layer that gives the logits.
    pub output: usize,
}

impl Net {
    /// Layers that read the output of layer `index`.
    pub fn consumers(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.layers.len()).filter(move |&i| self.layers[i].source == LayerInput::Layer(index))
    }

    /// Layers that read the network's input.
    pub fn first_layers(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.layers.len()).filter(|&i| self.layers[i].source == LayerInput::Input)
    }

    /// Index of the first Linear layer on which all later ones depend; of the last layer where there is none.
    #[must_use]
    pub fn first_linear(&self) -> usize {
        let mut found = self.output;
        // The earliest that layers behind read: 0 is the input, 1 the first layer.
        let mut earliest = usize::MAX;
        // Copies for other members have the shape of those for the first.
        let first_member = |layer: &NetLayer| layer.copy.as_ref().is_none_or(|copy| copy.member == 0);
        let layers = self.layers.iter().enumerate().filter(|(_, layer)| first_member(layer));
        for (index, layer) in layers.rev() {
            if earliest > index && matches!(layer.op, Operation::Linear { .. }) {
                found = index;
            }
            earliest = earliest.min(match layer.source {
                LayerInput::Input => 0,
                LayerInput::Layer(source) => source + 1,
            });
        }
        found
    }

    /// Layers that give logits: one, or the copy of it for each member.
    pub fn outputs(&self) -> impl Iterator<Item = usize> + '_ {
        let last = self.layers[self.output].described_name();
        (0..self.layers.len()).filter(move |&i| self.layers[i].described_name() == last)
    }

    /// The network with a copy of every layer from `first` on for each of `members` members: they run side by side, and
    /// each reads what its own copies put out.
    #[must_use]
    pub fn side_by_side(&self, first: usize, members: u32) -> Self {
        let mut layers = self.layers[..first].to_vec();
        let copied = self.layers.len() - first;
        for member in 0..members {
            let offset = member as usize * copied;
            layers.extend(self.layers[first..].iter().enumerate().map(|(i, layer)| NetLayer {
                name: format!("{}[{member}]", layer.name),
                source: match layer.source {
                    LayerInput::Layer(source) if source >= first => LayerInput::Layer(source + offset),
                    source => source,
                },
                copy: Some(LayerCopy { name: layer.name.clone(), layer: first + i, member }),
                ..layer.clone()
            }));
        }
        Self { layers, ..self.clone() }
    }

    /// Index of a layer in the network that was described, of which it may be a copy.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    #[must_use]
    pub fn described(&self, layer: usize) -> usize {
        self.layers[layer].copy.as_ref().map_or(layer, |copy| copy.layer)
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> u32 {
        self.layers[self.output].columns
    }
}

/// Largest side of a kernel and number of outputs that is accepted.
pub const LARGEST: u32 = 1 << 20;
/// Most channels of the network's input.
const LARGEST_INPUT: u32 = 1 << 16;
/// Most rows and columns of a feature map.
const LARGEST_SIDE: u32 = 1 << 12;
/// Most multiply-accumulates of a layer; keeps sums over layers, bits and members within 64 bits.
const MOST_MACS: u128 = 1 << 44;

/// Resolves names, orders the layers and infers the shapes.
///
/// # Errors
/// Every problem of the network: dangling, duplicate or missing names, cycles, shapes that do not fit, a last layer with
/// more than one output position.
pub fn resolve(workload: &Workload) -> Result<Net, Vec<Problem>> {
    let mut problems = Vec::new();
    let names: Vec<&str> = workload.layers.iter().map(|l| l.name.as_str()).collect();
    if names.is_empty() {
        return Err(vec![Problem::new("layers", "a network needs at least one layer, found none")]);
    }
    let mut first = BTreeMap::new();
    for (i, &name) in names.iter().enumerate() {
        let first = *first.entry(name).or_insert(i);
        if name == "input" {
            problems.push(Problem::new(
                format!("layers[{i}].name"),
                "\"input\" names the network's input; expected another name",
            ));
        } else if first < i {
            problems.push(Problem::new(
                format!("layers[{i}].name"),
                format!("duplicate layer name \"{name}\"; layer {first} has it already"),
            ));
        }
    }
    let mut sources = Vec::with_capacity(names.len());
    for (i, layer) in workload.layers.iter().enumerate() {
        sources.push(source_of(i, layer, &first, &mut problems));
    }
    let input = &workload.input;
    let sides = [("channels", input.channels, LARGEST_INPUT), ("height", input.height, LARGEST_SIDE)];
    for (key, value, most) in sides.into_iter().chain([("width", input.width, LARGEST_SIDE)]) {
        if value == 0 || value > most {
            problems.push(Problem::new(format!("input.{key}"), format!("{key} is {value}; expected 1..={most}")));
        }
    }
    let input_fits = !problems.iter().any(|problem| problem.path.starts_with("input."));
    let (order, cycle) = topological(&sources);
    if let Some(cycle) = &cycle {
        // A layer that reads the one before it by default closes no cycle: start from one that names what it reads.
        let first = cycle.iter().position(|&i| !workload.layers[i].inputs.is_empty()).unwrap_or(0);
        let cycle: Vec<usize> = cycle[first..].iter().chain(&cycle[..first]).copied().collect();
        let path = listed(cycle.iter().map(|&i| names[i]), " -> ");
        problems.push(Problem::new(
            format!("layers[{}].inputs[0]", cycle[0]),
            format!("the network has a cycle: {path} -> {}", names[cycle[0]]),
        ));
    }
    // Shapes are inferred as far as possible, so that mismatches are reported together with wrong names.
    let mut shapes: Vec<Option<NetLayer>> = vec![None; names.len()];
    for &i in &order {
        let (shape, bits, signed) = match sources[i] {
            Some(LayerInput::Input) if input_fits => {
                (Shape { channels: input.channels, height: input.height, width: input.width }, input.bits, input.signed)
            }
            Some(LayerInput::Layer(j)) => match &shapes[j] {
                Some(layer) => (layer.output, layer.output_bits, !layer.relu),
                None => continue,
            },
            _ => continue,
        };
        shapes[i] = infer(i, &workload.layers[i], workload.activity, shape, bits, signed, &mut problems);
        if let (Some(layer), Some(source)) = (&mut shapes[i], sources[i]) {
            layer.source = source;
        }
    }
    let mut read = vec![false; names.len()];
    for source in sources.iter().flatten() {
        if let LayerInput::Layer(j) = source {
            read[*j] = true;
        }
    }
    let outputs: Vec<usize> = (0..names.len()).filter(|&i| !read[i]).collect();
    let all_linked = cycle.is_none() && sources.iter().all(Option::is_some);
    if outputs.len() > 1 && all_linked {
        problems.push(Problem::new(
            format!("layers[{}].name", outputs[0]),
            format!(
                "expected one layer that no other reads (the logits), found {}: {}",
                outputs.len(),
                listed(outputs.iter().map(|&i| names[i]), ", ")
            ),
        ));
    }
    if let ([last], Some(layer)) = (outputs.as_slice(), outputs.first().and_then(|&i| shapes[i].as_ref()))
        && layer.output.positions() > 1
    {
        problems.push(
            Problem::new(
                format!("layers[{last}].op"),
                format!(
                    "\"{}\" gives the logits at {} output positions ({}); expected one",
                    layer.name,
                    layer.output.positions(),
                    layer.output
                ),
            )
            .hint("put a Linear layer behind it, or pool it down to one position"),
        );
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut new_index = vec![0; names.len()];
    for (new, &old) in order.iter().enumerate() {
        new_index[old] = new;
    }
    let mut layers: Vec<NetLayer> = Vec::with_capacity(names.len());
    for &i in &order {
        let mut layer = shapes[i].take().expect("every layer has a shape when there is no problem");
        if let LayerInput::Layer(j) = layer.source {
            layer.source = LayerInput::Layer(new_index[j]);
        }
        layers.push(layer);
    }
    Ok(Net {
        input: Shape { channels: input.channels, height: input.height, width: input.width },
        input_bits: input.bits,
        output: new_index[outputs[0]],
        layers,
    })
}

/// The input of layer `i`; the layer before it if it names none. `layers` has the index of each name.
fn source_of(
    i: usize,
    layer: &Layer,
    layers: &BTreeMap<&str, usize>,
    problems: &mut Vec<Problem>,
) -> Option<LayerInput> {
    match layer.inputs.as_slice() {
        [] if i == 0 => Some(LayerInput::Input),
        [] => Some(LayerInput::Layer(i - 1)),
        [name] if name == "input" => Some(LayerInput::Input),
        [name] => match layers.get(name.as_str()) {
            Some(&j) => Some(LayerInput::Layer(j)),
            None => {
                let mut problem =
                    Problem::new(format!("layers[{i}].inputs[0]"), format!("there is no layer named \"{name}\""));
                if problems.len().saturating_mul(layers.len()) < MOST_COMPARED
                    && let Some(near) = nearest(name, layers.keys().copied().chain(["input"]))
                {
                    problem = problem.hint(format!("did you mean \"{near}\"?"));
                }
                problems.push(problem);
                None
            }
        },
        several => {
            problems.push(Problem::new(
                format!("layers[{i}].inputs"),
                format!("a convolution or linear layer reads one input, found {}", several.len()),
            ));
            None
        }
    }
}

/// Indices so that each comes after its source, lowest index first, as far as there are no cycles; and a cycle, if
/// there is one. A layer whose source is unknown comes as if it read the input.
fn topological(sources: &[Option<LayerInput>]) -> (Vec<usize>, Option<Vec<usize>>) {
    let mut readers = vec![Vec::new(); sources.len()];
    let mut ready = BinaryHeap::new();
    for (i, source) in sources.iter().enumerate() {
        match source {
            Some(LayerInput::Layer(j)) => readers[*j].push(i),
            _ => ready.push(Reverse(i)),
        }
    }
    let mut order = Vec::with_capacity(sources.len());
    let mut placed = vec![false; sources.len()];
    while let Some(Reverse(i)) = ready.pop() {
        placed[i] = true;
        order.push(i);
        ready.extend(readers[i].iter().copied().map(Reverse));
    }
    let Some(left) = placed.iter().position(|p| !p) else { return (order, None) };
    // Every layer left reads another one left: walking back runs into a cycle.
    let mut walk = vec![left];
    let mut at = vec![None; sources.len()];
    loop {
        let i = walk[walk.len() - 1];
        at[i] = Some(walk.len() - 1);
        let Some(LayerInput::Layer(j)) = sources[i] else { unreachable!("it would be placed") };
        if let Some(start) = at[j] {
            let mut cycle = walk.split_off(start);
            cycle.reverse();
            return (order, Some(cycle));
        }
        walk.push(j);
    }
}

/// Shapes of layer `i` on an input of shape `input`.
fn infer(
    i: usize,
    layer: &Layer,
    activity: f64,
    input: Shape,
    input_bits: u32,
    input_signed: bool,
    problems: &mut Vec<Problem>,
) -> Option<NetLayer> {
    let before = problems.len();
    let (rows, columns, linear) = match layer.op {
        Operation::Conv { channels, kernel, stride, padding } => {
            for (key, value) in [("channels", channels), ("kernel", kernel), ("stride", stride)] {
                if value == 0 || value > LARGEST {
                    problems.push(Problem::new(
                        format!("layers[{i}].op.{key}"),
                        format!("{key} is {value}; expected 1..={LARGEST}"),
                    ));
                }
            }
            if padding >= kernel && kernel > 0 {
                problems.push(Problem::new(
                    format!("layers[{i}].op.padding"),
                    format!("padding is {padding}; expected less than the kernel ({kernel})"),
                ));
            }
            if problems.len() > before {
                return None;
            }
            let side = |length: u32| (length + 2 * padding).checked_sub(kernel).map(|rest| rest / stride + 1);
            let (Some(height), Some(width)) = (side(input.height), side(input.width)) else {
                problems.push(Problem::new(
                    format!("layers[{i}].op.kernel"),
                    format!("a kernel of {kernel}x{kernel} does not fit an input of {input} with padding {padding}"),
                ));
                return None;
            };
            let rows = u64::from(input.channels) * u64::from(kernel) * u64::from(kernel);
            (rows, channels, Shape { channels, height, width })
        }
        Operation::Linear { outputs } => {
            if outputs == 0 || outputs > LARGEST {
                problems.push(Problem::new(
                    format!("layers[{i}].op.outputs"),
                    format!("outputs is {outputs}; expected 1..={LARGEST}"),
                ));
                return None;
            }
            (input.len(), outputs, Shape { channels: outputs, height: 1, width: 1 })
        }
    };
    let Ok(rows) = u32::try_from(rows).map_err(|_| ()).and_then(|r| if r <= LARGEST * 64 { Ok(r) } else { Err(()) })
    else {
        problems.push(Problem::new(
            format!("layers[{i}].op"),
            format!("the weight matrix would have {rows} rows; expected at most {}", LARGEST * 64),
        ));
        return None;
    };
    if linear.height > LARGEST_SIDE || linear.width > LARGEST_SIDE {
        problems.push(Problem::new(
            format!("layers[{i}].op"),
            format!("the output would be {linear}; expected at most {LARGEST_SIDE} rows and columns"),
        ));
        return None;
    }
    let macs = u128::from(rows) * u128::from(columns) * u128::from(linear.positions());
    if macs > MOST_MACS {
        problems.push(Problem::new(
            format!("layers[{i}].op"),
            format!("the layer would take {macs} multiply-accumulates; expected at most {MOST_MACS}"),
        ));
        return None;
    }
    let pool = layer.pool;
    if pool == 0 || !linear.height.is_multiple_of(pool) || !linear.width.is_multiple_of(pool) {
        problems.push(Problem::new(
            format!("layers[{i}].pool"),
            format!("a pooling window of {pool} does not divide the map of {linear}"),
        ));
        return None;
    }
    Some(NetLayer {
        name: layer.name.clone(),
        op: layer.op,
        source: LayerInput::Input,
        input,
        linear,
        output: Shape { channels: linear.channels, height: linear.height / pool, width: linear.width / pool },
        rows,
        columns,
        positions: linear.positions(),
        input_bits,
        input_signed,
        output_bits: layer.activation_bits,
        pool,
        relu: layer.relu,
        activity: layer.activity.unwrap_or(activity),
        tensors: layer.tensors.clone().unwrap_or_else(|| layer.name.clone()),
        copy: None,
    })
}
