//! What the cycles should be: the closed form of an idle periphery, extended by the fixed latencies of the parts.
//!
//! For a layer of P positions on r copies, with B pulses of a position, tau is the back-to-back time of p = ceil(P/r)
//! positions: `p B max(t_read, m t_adc) + min(t_read, m t_adc)` with a sample-and-hold, `p B (t_read + m t_adc)` without;
//! `p rows (t_read + t_compare)` for a row-serial plane. Passes of the `sequential` and `layer` schedules do not overlap
//! within a layer, and all its groups g of arrays get a window at the same time, once each has taken the one before. So
//! position k of a pass follows from maxima and sums alone, a closed form in the (max, +) algebra:
//!
//! ```text
//! window(l, 0)   = max(input(l) + fetch(l), done(l) of the pass before)
//! window(l, k)   = max over g of start(l, g, k-1)
//! start(l, g, k) = max(window(l, k) + gather(g), free(l, g, k-1), drawn(l, g))
//! free(l, g, k)  = max(start(l, g, k) + t_read, free(l, g, k-1) + t_convert) + (B - 1) t_period     with a sample-and-hold
//! free(l, g, k)  = start(l, g, k) + B t_period                                                      without
//! done(l)        = max over g of free(l, g, p-1), and t_convert with a sample-and-hold
//! drawn(l, g)    = start + t_draw where samples are double-buffered, else free + t_draw, of the last position that
//!                  had a sample of its own; the first sample is preloaded
//! ```
//! A gather that is not made ahead starts when the array is free. A group whose sums are kept takes part in the first
//! member's passes only. From the position on at which all groups move by the same time from one position to the next,
//! the rest of the pass follows at once.
//!
//! Input is there when the turn has come (`sequential`), or the source's pass is done (`layer`). Written out, with fixed =
//! fetch + after, redraw = the time from a pass's first windows to the sample of the next one, less the gather, and
//! interval = max(tau, redraw):
//! - sequential, where the turns of the other layers hide every draw: `load + sum over l < L0 of (tau + fixed) + T * sum
//!   over l >= L0 of (tau + fixed)`, for each image;
//!   Where L0 keeps the sums of its deterministic plane, tau is that of the first member once and that of the others T - 1
//!   times;
//! - layer, where no sums are kept, and in each layer the groups differ in nothing but their draws or no redraw takes longer
//!   than tau: `load + sum of (tau + fixed) + (T - 1) max over l >= L0 of interval`, then `II` for each further image with
//!   `II = max(max over l < L0 of interval, T max over l >= L0 of interval)`.
//!
//! Streaming has no closed form. Its passes follow each other without a gap, so the work of the busiest layer, all passes
//! back to back, and that layer's own fixed latencies bound it from below.
//!
//! What the simulation takes beyond that is contention: a unit, port or link that was busy.

use crate::config::{Config, Draws, Mode, Packing, Sampler};
use crate::mapping::{ArrayGroup, LayerMapping, Mapping, Plane};
use crate::parts::Assembly;
use crate::parts::Part;
use crate::parts::gather::Gather;
use crate::parts::generator::draw_cycles;
use crate::readout::{Block, Readout};
use crate::report::facts::ClosedForm;
use crate::workload::{LayerInput, Net, NetLayer};

/// Times of a group of arrays where nothing contends, cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupTime {
    /// How its arrays are read.
    block: Block,
    /// Gathering the inputs of a position, and whether that is done while the position before is read.
    gather: u64,
    ahead: bool,
    /// Drawing a sample of its weights, where they are drawn.
    draw: Option<DrawTime>,
    /// Whether it works for the first member only.
    first_member_only: bool,
}

/// Drawing the weights of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DrawTime {
    cycles: u64,
    /// Whether each position has a sample of its own, not each pass.
    each_position: bool,
    double_buffered: bool,
}

/// A group at a position of a pass: cycles at which its first read starts, its arrays are free, and its next sample is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AtPosition {
    start: u64,
    free: u64,
    drawn: u64,
}

impl GroupTime {
    /// Whether it works for a member.
    fn takes_part(&self, member: u32) -> bool {
        member == 0 || !self.first_member_only
    }

    /// Cycles for which conversions go on when the arrays are free.
    fn converting(&self) -> u64 {
        if self.block.overlapped { self.block.convert } else { 0 }
    }

    /// From the first read of a position to when its arrays are free, if no conversion of the one before is in the way.
    fn occupied(&self) -> u64 {
        self.block.back_to_back(1) - self.converting()
    }

    /// From the start of the position or pass that has a sample of its own, whose arrays are free `until_free` cycles later, to
    /// the next sample.
    fn redraw(draw: &DrawTime, until_free: u64) -> u64 {
        if draw.double_buffered { draw.cycles } else { until_free + draw.cycles }
    }

    /// The next position, whose window comes at `window`; `first`: of the pass.
    fn next(&self, before: AtPosition, window: u64, first: bool) -> AtPosition {
        let gathered = if self.ahead { window } else { window.max(before.free) } + self.gather;
        let mut start = gathered.max(before.free);
        let fresh = self.draw.is_some_and(|draw| first || draw.each_position);
        if fresh {
            start = start.max(before.drawn);
        }
        let block = &self.block;
        // The first sample is taken once the converters are done with the position before.
        let sampled = (start + block.read).max(if first { 0 } else { before.free + self.converting() });
        let free = sampled + self.occupied() - block.read;
        // With one set of latches the last position that uses a sample decides.
        let drawn = match self.draw {
            Some(draw) if !draw.double_buffered => free + draw.cycles,
            Some(draw) if fresh => start + draw.cycles,
            _ => before.drawn,
        };
        AtPosition { start, free, drawn }
    }

    /// The same position, were the pass `by` cycles later from its second position on.
    fn moved(&self, at: AtPosition, by: u64) -> AtPosition {
        let moves = self.draw.is_some_and(|draw| draw.each_position || !draw.double_buffered);
        AtPosition { start: at.start + by, free: at.free + by, drawn: at.drawn + if moves { by } else { 0 } }
    }

    /// Least distance between the starts of two positions.
    fn step(&self) -> u64 {
        let one = u64::from(self.block.pulses) * self.block.period();
        let reads = if self.ahead { one.max(self.gather) } else { one + self.gather };
        let fresh = self.draw.filter(|draw| draw.each_position);
        reads.max(fresh.map_or(0, |draw| Self::redraw(&draw, self.occupied())))
    }

    /// Least distance between the starts of two passes of `positions` positions that follow each other without a gap.
    fn step_of_pass(&self, positions: u64) -> u64 {
        let fresh = self.draw.filter(|draw| !draw.each_position);
        let until_free = (positions - 1) * self.step() + self.occupied();
        (positions * self.step()).max(fresh.map_or(0, |draw| Self::redraw(&draw, until_free)))
    }

    /// `passes` passes of `positions` positions without a gap, from the gather before them to the last conversion.
    fn back_to_back(&self, passes: u64, positions: u64) -> u64 {
        let of_pass = (positions - 1) * self.step() + self.block.back_to_back(1);
        passes.checked_sub(1).map_or(0, |gaps| self.gather + gaps * self.step_of_pass(positions) + of_pass)
    }
}

/// Times of a layer where nothing contends, cycles. Its groups of arrays work side by side: the slowest counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerTime {
    /// Times of the groups.
    groups: Vec<GroupTime>,
    /// Positions of a pass, one after another.
    positions: u64,
    /// Fetching the first window of a pass.
    pub fetch: u64,
    /// What accumulation, post-processing and transfer add to a pass.
    pub after: u64,
}

impl LayerTime {
    fn most(&self, of: impl Fn(&GroupTime) -> u64) -> u64 {
        self.groups.iter().map(of).max().unwrap_or(0)
    }

    /// `images` times `members` passes without a gap, from the first read to the last conversion.
    fn back_to_back(&self, images: u64, members: u64) -> u64 {
        let passes = |group: &GroupTime| images * if group.first_member_only { 1 } else { members };
        self.most(|group| group.back_to_back(passes(group), self.positions))
    }

    /// One pass of a member whose weights are drawn, from the first windows to the last conversion (tau).
    #[must_use]
    pub fn pass(&self, member: u32) -> u64 {
        self.done(0, &mut vec![0; self.groups.len()], member)
    }

    /// The end of the pass of a member whose first windows come at `start`; `drawn` has for each group when its weights
    /// are drawn, and then when those of its next pass are.
    fn done(&self, start: u64, drawn: &mut [u64], member: u32) -> u64 {
        let taking_part = || self.groups.iter().enumerate().filter(|(_, group)| group.takes_part(member));
        let mut at: Vec<AtPosition> =
            taking_part().map(|(g, _)| AtPosition { start, free: start, drawn: drawn[g] }).collect();
        let mut next = at.clone();
        let mut window = start;
        for position in 0..self.positions {
            for (((_, group), at), next) in taking_part().zip(&at).zip(&mut next) {
                *next = group.next(*at, window, position == 0);
            }
            let Some(by) = next.iter().zip(&at).map(|(next, at)| next.start - at.start).max() else { return start };
            let alike =
                || taking_part().zip(&at).zip(&next).all(|(((_, group), at), next)| group.moved(*at, by) == *next);
            if position > 0 && alike() {
                for ((_, group), next) in taking_part().zip(&mut next) {
                    *next = group.moved(*next, by * (self.positions - 1 - position));
                }
                at.clone_from(&next);
                break;
            }
            std::mem::swap(&mut at, &mut next);
            window = at.iter().map(|at| at.start).max().unwrap_or(start);
        }
        let mut done = start;
        for ((g, group), at) in taking_part().zip(&at) {
            drawn[g] = at.drawn;
            done = done.max(at.free + group.converting());
        }
        done
    }

    /// From the first windows of a pass to the sample of the next one, less the gather before it is used; 0 where none is drawn.
    #[must_use]
    pub fn redraw(&self) -> u64 {
        let mut drawn = vec![0; self.groups.len()];
        self.done(0, &mut drawn, 0);
        self.groups.iter().zip(drawn).map(|(group, drawn)| drawn.saturating_sub(group.gather)).max().unwrap_or(0)
    }

    /// Least distance between the starts of a member's pass and of the next one, which do not overlap.
    #[must_use]
    pub fn interval(&self, member: u32) -> u64 {
        self.pass(member).max(self.redraw())
    }

    /// Whether a group takes longer than it does for later members, because its sums are kept from the first one.
    fn keeps(&self) -> bool {
        self.pass(1) < self.pass(0)
    }

    /// Whether a pass starts an interval after the one before, or when its input is there: draws do not show, or the groups
    /// differ in nothing else.
    fn is_one(&self) -> bool {
        let reads = |group: &GroupTime| GroupTime { draw: None, ..*group };
        self.redraw() <= self.pass(1) || self.groups.windows(2).all(|pair| reads(&pair[0]) == reads(&pair[1]))
    }

    /// The same for the passes of all members of an image.
    fn interval_of_image(&self, members: u32) -> u64 {
        self.interval(0) + u64::from(members.saturating_sub(1)) * self.interval(1)
    }

    /// Work of `passes` passes for an image that follow those of the image before without a gap.
    fn streaming(&self, passes: u32) -> u64 {
        let passes_of = |group: &GroupTime| if group.first_member_only { 1 } else { u64::from(passes) };
        self.most(|group| passes_of(group) * group.step_of_pass(self.positions))
    }

    /// The same layer with a periphery that takes no time.
    fn ideal(&self) -> Self {
        Self { fetch: 0, after: 0, ..self.clone() }
    }
}

/// Times of a layer on `copies` copies, with a periphery that takes no time.
fn ideal_time(config: &Config, layer: &NetLayer, mapped: &LayerMapping, copies: u32) -> LayerTime {
    let of_group = |group: &ArrayGroup| {
        let readout = Readout::new(&config.arch, group.plane);
        let block = readout.block(group.rows, group.columns, layer);
        let draw = match &config.arch.sampler {
            Sampler::Generator { draws, double_buffered, .. } if group.plane == Plane::Stochastic => Some(DrawTime {
                cycles: draw_cycles(&config.arch, mapped.draws_at_once(group)),
                each_position: *draws == Draws::PerPosition,
                double_buffered: *double_buffered,
            }),
            _ => None,
        };
        let plane = mapped.plane(group.plane).expect("a group belongs to a plane of its layer");
        let packing = config.mapping.scheme.choices().map_or(Packing::Full, |choices| choices.packing);
        let gather = Gather::new(&config.arch, layer, plane, packing, group, &block);
        GroupTime {
            block,
            gather: gather.map_or(0, |gather| gather.cycles),
            ahead: gather.is_none_or(|gather| gather.ahead),
            draw: draw.filter(|draw| draw.cycles > 0),
            first_member_only: group.first_member_only,
        }
    };
    LayerTime {
        groups: mapped.groups.iter().map(of_group).collect(),
        positions: u64::from(layer.positions.div_ceil(copies)),
        fetch: 0,
        after: 0,
    }
}

/// Cycles from one image to the next that a layer on `copies` copies takes, in the schedules `layer` and `streaming`.
#[must_use]
pub fn interval(config: &Config, layer: &NetLayer, mapped: &LayerMapping, copies: u32) -> u64 {
    let time = ideal_time(config, layer, mapped, copies);
    match config.schedule.mode {
        Mode::Streaming => time.streaming(mapped.passes),
        Mode::Sequential | Mode::Layer => time.interval_of_image(mapped.passes),
    }
}

/// Times of all layers; what the periphery takes is read from the specs of the assembled parts.
#[must_use]
pub fn layer_times(config: &Config, net: &Net, mapping: &Mapping, assembly: &Assembly) -> Vec<LayerTime> {
    let mut times: Vec<LayerTime> = net
        .layers
        .iter()
        .zip(&mapping.layers)
        .map(|(layer, mapped)| ideal_time(config, layer, mapped, mapped.replication))
        .collect();
    for (id, part) in assembly.parts.iter().enumerate() {
        let Some(l) = assembly.layers[id] else { continue };
        let (layer, copies) = (&net.layers[l], mapping.layers[l].replication);
        match part {
            Part::Buffer(buffer) => times[l].fetch += buffer.spec().fetch(0, copies.min(layer.positions)).1,
            Part::Accumulator(accumulator) => times[l].after += accumulator.spec().latency,
            Part::Digital(digital) => {
                let first = (layer.positions - 1) / copies * copies;
                let pixels = layer.completed(layer.positions) - layer.completed(first);
                times[l].after += digital.spec().cycles(layer.positions - first, pixels).iter().sum::<u64>();
            }
            _ => {}
        }
    }
    // A layer's last message goes to each of its consumers; the slowest counts.
    for (l, layer) in net.layers.iter().enumerate() {
        let copies = mapping.layers[l].replication;
        let first = (layer.positions - 1) / copies * copies;
        let pixels = layer.completed(layer.positions) - layer.completed(first);
        let slowest = links_from(assembly, l as u32).map(|link| message_cycles(link, pixels, assembly)).max();
        times[l].after += slowest.unwrap_or(0);
    }
    times
}

/// Links that carry the output of a layer; [`crate::trace::NONE`]: the images.
fn links_from(assembly: &Assembly, producer: u32) -> impl Iterator<Item = &crate::parts::link::LinkSpec> {
    assembly.parts.iter().filter_map(move |part| match part {
        Part::Link(link) if link.spec().transfer.site.layer == producer => Some(link.spec()),
        _ => None,
    })
}

/// Cycles of a message of `pixels` over an idle link.
fn message_cycles(link: &crate::parts::link::LinkSpec, pixels: u32, assembly: &Assembly) -> u64 {
    let bytes = u64::from(pixels) * link.pixel_bytes;
    let (read, write) = link.ends(bytes);
    read + assembly.network.latency(link.route.len(), bytes) + link.spread + write
}

/// Cycles at which each image is done.
fn finish(times: &[LayerTime], load: u64, config: &Config, net: &Net, mapping: &Mapping) -> Vec<u64> {
    let mut layers: Vec<Passes<'_>> =
        times.iter().map(|time| Passes { time, done: 0, drawn: vec![0; time.groups.len()] }).collect();
    let images = config.schedule.images;
    let first_sampled = mapping.first_ensembling_layer;
    let mut finished = Vec::with_capacity(images as usize);
    if config.schedule.mode == Mode::Sequential {
        let (once, sampled) = layers.split_at_mut(first_sampled);
        let mut now = 0;
        for _ in 0..images {
            now = once.iter_mut().fold(now + load, |now, layer| layer.run(now, 0));
            if !sampled.is_empty() {
                for member in 0..mapping.members {
                    now = sampled.iter_mut().fold(now, |now, layer| layer.run(now, member));
                }
            }
            finished.push(now);
        }
        return finished;
    }
    // Ends of the passes of the image in hand, by layer.
    let mut ends: Vec<Vec<u64>> = vec![Vec::new(); layers.len()];
    for _ in 0..images {
        for (l, layer) in layers.iter_mut().enumerate() {
            let input = |pass: usize| match net.layers[l].source {
                LayerInput::Input => load,
                // A sampled layer replays the one map of a layer that is not.
                LayerInput::Layer(j) => ends[j][pass.min(ends[j].len() - 1)],
            };
            let passes = mapping.layers[l].passes;
            ends[l] = (0..passes).map(|pass| layer.run(input(pass as usize), pass)).collect();
        }
        finished.push(ends.iter().flatten().copied().max().unwrap_or(0));
    }
    finished
}

/// The passes of a layer, one after another.
struct Passes<'a> {
    time: &'a LayerTime,
    /// When the last pass has left the converters.
    done: u64,
    /// When the next sample of each group is drawn.
    drawn: Vec<u64>,
}

impl Passes<'_> {
    /// Runs the pass of a member, whose input is there at `input`; gives the cycle at which its output has arrived.
    fn run(&mut self, input: u64, member: u32) -> u64 {
        let start = (input + self.time.fetch).max(self.done);
        self.done = self.time.done(start, &mut self.drawn, member);
        self.done + self.time.after
    }
}

/// The recurrence over the positions of a pass, whose first window comes as `first` says.
macro_rules! recurrence {
    ($first:literal) => {
        concat!(
            "start(l,g,k) = max(window(l,k) + gather_g, free(l,g,k-1), drawn(l,g)); free = max(start + t_read, ",
            "conversions of position k-1) + other reads; window(l,k) = max_g start(l,g,k-1), window(l,0) = ",
            $first,
            "; input = done + after of the pass before it, load for an image"
        )
    };
}

/// The formula that gives the prediction.
fn formula(mode: Mode, times: &[LayerTime], first_sampled: usize) -> &'static str {
    let sampled = &times[first_sampled..];
    let keeps = sampled.iter().any(LayerTime::keeps);
    match mode {
        Mode::Sequential => {
            // From a layer's pass to its next one all sampled layers have a turn.
            let turns: u64 = sampled.iter().map(|time| time.pass(1)).sum();
            if sampled.iter().any(|time| time.redraw() > turns) {
                recurrence!("input + fetch")
            } else if keeps {
                "images (load + sum_l (tau_l + fixed_l) + (T-1) sum_{l>=L0} (tau'_l + fixed_l)); tau' without the plane whose \
                 sums are kept"
            } else {
                "images (load + sum_{l<L0} (tau_l + fixed_l) + T sum_{l>=L0} (tau_l + fixed_l))"
            }
        }
        Mode::Layer if keeps || !sampled.iter().all(LayerTime::is_one) => {
            recurrence!("max(input + fetch, done)")
        }
        Mode::Layer => {
            "load + sum_l (tau_l + fixed_l) + (T-1) max_{l>=L0} interval_l + (images-1) max(max_{l<L0} interval_l, \
             T max_{l>=L0} interval_l); interval_l = max(tau_l, redraw_l)"
        }
        Mode::Streaming => "lower bound: the busiest layer, max_l (fixed_l + tau_l of all its passes without a gap)",
    }
}

/// The closed form of a run that took `simulated` cycles.
#[must_use]
pub fn closed_form(config: &Config, net: &Net, mapping: &Mapping, assembly: &Assembly, simulated: u64) -> ClosedForm {
    let times = layer_times(config, net, mapping, assembly);
    let ideal_times: Vec<LayerTime> = times.iter().map(LayerTime::ideal).collect();
    let longest = |of: &dyn Fn(&LayerTime, u32) -> u64| {
        let passes = mapping.layers.iter().map(|mapped| mapped.passes);
        times.iter().zip(passes).map(|(time, passes)| of(time, passes)).max().unwrap_or(0)
    };
    let busiest = |times: &[LayerTime]| {
        let work = times.iter().zip(&mapping.layers).map(|(time, mapped)| {
            let back_to_back = time.back_to_back(config.schedule.images.into(), mapped.passes.into());
            time.fetch + back_to_back + time.after
        });
        work.max().unwrap_or(0)
    };
    let finished = |times: &[LayerTime], load| finish(times, load, config, net, mapping);
    let last = |finished: &[u64]| finished.last().copied().unwrap_or(0);
    let (ideal, predicted, initiation_interval) = match config.schedule.mode {
        Mode::Sequential => {
            let ends = finished(&times, load_cycles(net, assembly));
            let before = if let [.., before, _] = ends[..] { before } else { 0 };
            (last(&finished(&ideal_times, 0)), last(&ends), last(&ends) - before)
        }
        Mode::Layer => (
            last(&finished(&ideal_times, 0)),
            last(&finished(&times, load_cycles(net, assembly))),
            longest(&|time, passes| time.interval_of_image(passes)),
        ),
        Mode::Streaming => (busiest(&ideal_times), busiest(&times), longest(&|time, passes| time.streaming(passes))),
    };
    let mut formula = formula(config.schedule.mode, &times, mapping.first_ensembling_layer).to_owned();
    if config.mapping.scheme.choices().is_some_and(|choices| choices.skip_zero_rows) {
        formula.push_str(match config.schedule.mode {
            Mode::Sequential | Mode::Layer => {
                "; an upper bound where nothing contends: rows whose input is 0 are skipped"
            }
            Mode::Streaming => "; no bound here: it counts rows whose input is 0, and these are skipped",
        });
    }
    ClosedForm {
        formula,
        ideal_cycles: ideal,
        fixed_latency_cycles: predicted - ideal,
        predicted_cycles: predicted,
        simulated_cycles: 0,
        contention_cycles: 0,
        initiation_interval_cycles: initiation_interval,
    }
    .beside(simulated)
}

impl ClosedForm {
    /// The same beside a simulation that took `simulated` cycles.
    #[must_use]
    pub fn beside(self, simulated: u64) -> Self {
        let contention_cycles = simulated as i64 - self.predicted_cycles as i64;
        Self { simulated_cycles: simulated, contention_cycles, ..self }
    }
}

/// Cycles until an image is in the first buffer: its rows follow each other at the pace of the slowest of global buffer,
/// link and write port.
fn load_cycles(net: &Net, assembly: &Assembly) -> u64 {
    let rows = u64::from(net.input.height);
    let row = assembly.parts.iter().find_map(|part| match part {
        Part::Source(source) => Some(source.spec().row_cycles()),
        _ => None,
    });
    let row = row.unwrap_or(0);
    links_from(assembly, crate::trace::NONE)
        .map(|link| {
            let bytes = u64::from(net.input.width) * link.pixel_bytes;
            let (read, write) = link.ends(bytes);
            let pace = row.max(read + assembly.network.occupancy(bytes)).max(write);
            row + (rows - 1) * pace + message_cycles(link, net.input.width, assembly)
        })
        .max()
        .unwrap_or(0)
}
