//! When arrays are read: times of passes, taken from the spans of a simulated schedule.
//!
//! For each pass of a plane of a layer (an image and a member) the first and the last read are known. Output positions are
//! taken to lie evenly between them, and the pulses of a position at one time: they follow each other within nanoseconds.
//! Images beyond those that were simulated follow at the distance of the last two of these.

use crate::mapping::Plane;
use crate::network::{Net, NetLayer};
use crate::trace::{Action, Component, Span, SpanSink};

/// Images of the schedule that read times are taken from, at least: two of them have a distance.
pub const TIMED_IMAGES: u32 = 2;

/// The first and the last read of a pass, in seconds from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pass {
    first: f64,
    last: f64,
}

/// When the planes of each layer are read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadTimes {
    images: usize,
    members: usize,
    /// `[layer][plane][image][member]`; none where there is no such pass.
    passes: Vec<[Vec<Option<Pass>>; 2]>,
    /// Seconds from one image to the next.
    interval: f64,
    /// Seconds from the first to the last read of the first image.
    latency: f64,
}

fn of_plane(plane: Plane) -> usize {
    match plane {
        Plane::Deterministic => 0,
        Plane::Stochastic => 1,
    }
}

impl ReadTimes {
    /// Passes whose reads start at these times, in seconds, all positions at once: `start` is asked for layer, image (of
    /// `images`) and member. For what is computed without a schedule.
    #[must_use]
    pub fn given(layers: usize, images: usize, members: usize, start: impl Fn(usize, usize, usize) -> f64) -> Self {
        let of_layer = |layer| {
            let pass = |at: usize| {
                let time = start(layer, at / members, at % members);
                Some(Pass { first: time, last: time })
            };
            let passes: Vec<Option<Pass>> = (0..images * members).map(pass).collect();
            [passes.clone(), passes]
        };
        Self::new(images, members, (0..layers).map(of_layer).collect())
    }

    fn new(images: usize, members: usize, passes: Vec<[Vec<Option<Pass>>; 2]>) -> Self {
        let of_image = |image: usize| {
            let passes = passes.iter().flatten().flat_map(|of| &of[image * members..(image + 1) * members]);
            passes
                .flatten()
                .fold((f64::INFINITY, 0.0_f64), |(first, last), pass| (first.min(pass.first), last.max(pass.last)))
        };
        let (first, last) = of_image(0);
        let interval = if images > 1 { of_image(images - 1).0 - of_image(images - 2).0 } else { last - first };
        Self { images, members, passes, interval, latency: last - first }
    }

    /// Seconds from the first to the last read of an image.
    #[must_use]
    pub fn latency(&self) -> f64 {
        self.latency
    }

    /// Seconds from one image to the next.
    #[must_use]
    pub fn interval(&self) -> f64 {
        self.interval
    }

    /// Seconds of the first and the last read of a plane in a pass of a member. Where only the first member has a pass, it is
    /// that one.
    ///
    /// # Panics
    /// Panics if there is no such layer.
    #[must_use]
    pub fn of_pass(&self, layer: usize, plane: Plane, image: usize, member: usize) -> [f64; 2] {
        let simulated = image.min(self.images - 1);
        let passes = &self.passes[layer][of_plane(plane)];
        let of = |member: usize| passes.get(simulated * self.members + member).copied().flatten();
        let pass = of(member).or_else(|| of(0)).unwrap_or(Pass { first: 0.0, last: 0.0 });
        let later = (image - simulated) as f64 * self.interval;
        [pass.first + later, pass.last + later]
    }
}

/// Takes read times from the spans of a run.
#[derive(Debug)]
pub struct ReadClock {
    /// For each layer of the plan the layer of the network, and the member where it is a copy for one.
    layers: Vec<(usize, Option<u32>)>,
    images: usize,
    members: usize,
    cycle: f64,
    passes: Vec<[Vec<Option<Pass>>; 2]>,
}

impl ReadClock {
    /// For a run of so many images and members of a plan's network, on a chip whose cycle takes `cycle` seconds.
    #[must_use]
    pub fn new(net: &Net, images: u32, members: u32, cycle: f64) -> Self {
        let copy = |(l, layer): (usize, &NetLayer)| (net.described(l), layer.copy.as_ref().map(|copy| copy.member));
        let layers: Vec<(usize, Option<u32>)> = net.layers.iter().enumerate().map(copy).collect();
        let described = layers.iter().map(|(layer, _)| layer + 1).max().unwrap_or(0);
        let (images, members) = (images as usize, members as usize);
        let passes = vec![[vec![None; images * members], vec![None; images * members]]; described];
        Self { layers, images, members, cycle, passes }
    }

    /// What was read when.
    #[must_use]
    pub fn times(self) -> ReadTimes {
        ReadTimes::new(self.images, self.members, self.passes)
    }
}

impl SpanSink for ReadClock {
    fn push(&mut self, span: &Span) {
        let (Component::Crossbar, Action::Read, Some(plane)) = (span.component, span.action, span.plane) else {
            return;
        };
        let (layer, copy) = self.layers[span.layer as usize];
        let place = span.image as usize * self.members + copy.unwrap_or(span.member) as usize;
        let seconds = |cycles: u64| cycles as f64 * self.cycle;
        let last = seconds(span.start + u64::from(span.repeats - 1) * span.period);
        let first = seconds(span.start);
        let pass = &mut self.passes[layer][of_plane(plane)][place];
        *pass = Some(
            pass.map_or(Pass { first, last }, |pass| Pass { first: pass.first.min(first), last: pass.last.max(last) }),
        );
    }
}
