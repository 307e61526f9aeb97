//! `compare`: schemes, schedules, chips and cost tables, and stored runs, side by side.

use super::progress::Bar;
use super::report::trace_of;
use super::sparsity::eps;
use super::{Failure, Format, Global, discard_on_signals, print};
use crate::compare::{Axes, Comparison, Figures, PackingName, Preset, Row, default_first_layer, simulated, stored};
use crate::config::{Config, LoadRequest, Loaded, Mode, load};
use crate::error::Error;
use crate::plot::{Picture, paint};
use crate::run::Shared;
use crate::whole::NewFile;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Arguments of `compare`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Lists are separated by commas; all that is listed is combined. With stored runs and no list, only they
are compared. Ratios are to the first row.

Examples:
  crossbayes compare
  crossbayes compare --workload vgg_binaryconnect --schedules layer,sequential --costs neurosim_22nm,survey_22nm
  crossbayes compare --schemes dense,ls --first-ensembling-layer conv5,conv6,fc1,fc2 --workload vgg_binaryconnect
  crossbayes compare --schemes dense,rs --eps 0.01,0.05,0.3 --csv eps.csv --picture eps.svg
  crossbayes compare --first-ensembling-layer conv2,fc1,fc2 --eps 0.05,0.3 --quality quality.svg
  crossbayes compare traces/runs/pcm_128-digits traces/runs/small-adc"
)]
pub(super) struct Args {
    /// Schemes: dense, ls, rs, ls+rs, deterministic [default: dense,ls,rs,ls+rs]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = preset)]
    schemes: Vec<Preset>,
    /// First layers that run once a member, of ls and ls+rs [default: the first Linear layer]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    first_ensembling_layer: Vec<String>,
    /// Thresholds of rs and ls+rs: synapses with eps < p < 1 - eps are sampled [default: 0.05]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = eps)]
    eps: Vec<f64>,
    /// Packings of the stochastic planes of rs and ls+rs: full, rows, lists [default: full]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = packing)]
    packing: Vec<PackingName>,
    /// In rs and ls+rs, members after the first reuse the sums of the deterministic plane of the first ensembling layer.
    #[arg(long)]
    keep_deterministic_part: bool,
    /// Schedules: layer, sequential, streaming [default: layer]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = mode)]
    schedules: Vec<Mode>,
    /// Chips: files, or names of built-in ones [default: pcm_128]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    archs: Vec<String>,
    /// Cost tables: files, or names of built-in ones [default: each chip's own]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    costs: Vec<String>,
    /// Numbers of ensemble members [default: 10]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=10_000))]
    members: Vec<u32>,
    /// Network: a file, or the name of a built-in one.
    #[arg(long, value_name = "FILE")]
    workload: Option<String>,
    /// Changes one key in all rows, e.g. `arch.adc.bits=6`; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Writes the rows as CSV, with full precision; an earlier file is replaced.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draws energy, area and latency as SVG; an earlier file is replaced.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Draws answers, sampled synapses and energy over the first ensembling layer, a line for each eps, as SVG; an earlier
    /// file is replaced.
    #[arg(long, value_name = "FILE")]
    quality: Option<PathBuf>,
    /// The pictures as PNG too, beside the SVG.
    #[arg(long)]
    png: bool,
    /// Stored runs: their folders, or their traces.
    #[arg(value_name = "RUN")]
    runs: Vec<PathBuf>,
}

fn choice<T: Copy>(what: &str, text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
    let names = || choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("there is no {what} `{text}`; expected {}", names()))
}

fn preset(text: &str) -> Result<Preset, String> {
    let presets = [
        ("dense", Preset::Dense),
        ("ls", Preset::Ls),
        ("rs", Preset::Rs),
        ("ls+rs", Preset::LsRs),
        ("deterministic", Preset::Deterministic),
    ];
    choice("scheme", text, &presets)
}

fn packing(text: &str) -> Result<PackingName, String> {
    choice("packing", text, &[("full", PackingName::Full), ("rows", PackingName::Rows), ("lists", PackingName::Lists)])
}

fn mode(text: &str) -> Result<Mode, String> {
    let modes = [("layer", Mode::Layer), ("sequential", Mode::Sequential), ("streaming", Mode::Streaming)];
    choice("schedule", text, &modes)
}

impl Args {
    /// Whether anything is asked for beside stored runs.
    fn simulates(&self) -> bool {
        let lists = [
            self.schemes.is_empty(),
            self.first_ensembling_layer.is_empty(),
            self.eps.is_empty(),
            self.packing.is_empty(),
            !self.keep_deterministic_part,
            self.schedules.is_empty(),
            self.archs.is_empty(),
            self.costs.is_empty(),
            self.members.is_empty(),
            self.workload.is_none(),
            self.set.is_empty(),
        ];
        self.runs.is_empty() || lists.contains(&false)
    }

    /// The chips with each cost table.
    fn load(&self, global: &Global) -> Result<Vec<Loaded>, Failure> {
        if let Some(set) = self.set.iter().find(|set| set.trim_start().starts_with("mapping.scheme")) {
            let message =
                format!("--set {set}: rows take their schemes from --schemes, --eps, --packing and the others");
            return Err(Error::Config(message).into());
        }
        let names = |list: &[String]| match list {
            [] => vec![None],
            list => list.iter().cloned().map(Some).collect(),
        };
        let mut loaded = Vec::new();
        for arch in names(&self.archs) {
            for costs in names(&self.costs) {
                let mut set: Vec<String> = costs.iter().map(|costs| format!("arch.costs={costs}")).collect();
                set.extend(self.set.iter().cloned());
                set.extend(global.seed.map(|seed| format!("seed={seed}")));
                let request = LoadRequest { arch: arch.clone(), workload: self.workload.clone(), set };
                loaded.push(load(&request).map_err(Failure::Config)?);
            }
        }
        Ok(loaded)
    }

    fn axes(&self) -> Axes {
        Axes {
            presets: self.schemes.clone(),
            first_ensembling_layers: self.first_ensembling_layer.clone(),
            eps: self.eps.clone(),
            packings: self.packing.clone(),
            keep_deterministic_part: self.keep_deterministic_part,
            schedules: self.schedules.clone(),
            members: self.members.clone(),
        }
    }
}

/// A file that is begun before the work, so that a place that cannot be written is refused before it.
struct Output {
    place: PathBuf,
    new: NewFile,
    file: File,
}

impl Output {
    fn create(place: &Path) -> Result<Self, Error> {
        let (new, file) = NewFile::create(place)?;
        Ok(Self { place: place.to_owned(), new, file })
    }

    /// Writes all, and gives the files their names when all are written.
    fn finish(outputs: Vec<(Self, Vec<u8>)>) -> Result<Vec<String>, Error> {
        let mut written = Vec::new();
        for (mut output, contents) in outputs {
            output.file.write_all(&contents).map_err(Error::io(&output.place))?;
            written.push((output.place, output.new));
        }
        written.into_iter().map(|(place, new)| new.finish().map(|()| place.display().to_string())).collect()
    }
}

pub(super) fn run(args: &Args, global: &Global) -> Result<(), Failure> {
    let pictures = [("--picture", &args.picture), ("--quality", &args.quality)];
    for (flag, path) in pictures.iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?))) {
        if path.extension().is_none_or(|kind| kind != "svg") {
            let message =
                format!("{flag} {}: expected a name that ends in .svg; --png draws a PNG too", path.display());
            return Err(Error::Config(message).into());
        }
    }
    if args.png && pictures.iter().all(|(_, path)| path.is_none()) {
        return Err(
            Error::Config("--png: expected --picture or --quality, which it draws as PNG too".to_owned()).into()
        );
    }
    discard_on_signals()?;
    let create = |place: &Option<PathBuf>| place.as_deref().map(Output::create).transpose();
    let csv = create(&args.csv)?;
    let drawn = |path: &Option<PathBuf>| -> Result<_, Error> {
        let png = path.as_ref().filter(|_| args.png).map(|path| path.with_extension("png"));
        Ok((create(path)?, create(&png)?))
    };
    let (ratios, quality) = (drawn(&args.picture)?, drawn(&args.quality)?);
    let bar = Bar::new(global);
    let tell = |stage, done, total| bar.tell(stage, done, total);
    let mut rows: Vec<Row> = Vec::new();
    if args.simulates() {
        let loaded = args.load(global)?;
        if args.quality.is_some() {
            let mut planned = Vec::new();
            for loaded in &loaded {
                planned.extend(args.axes().expand(&loaded.config)?.iter().map(Row::without_figures));
            }
            Comparison::new(planned).check_quality()?;
        }
        let mut shared: Option<Shared> = None;
        let (mut problems, mut first_layer) = (None, None);
        for loaded in &loaded {
            let configs: Vec<Config> = args.axes().expand(&loaded.config)?;
            if first_layer.is_none() && args.first_ensembling_layer.is_empty() {
                first_layer = configs
                    .iter()
                    .find(|row| row.mapping.scheme.name().starts_with("ls"))
                    .and(default_first_layer(&loaded.config));
            }
            for config in &configs {
                let shared = match &mut shared {
                    Some(shared) => shared,
                    none => none.insert(
                        Shared::new(config, &loaded.workload_base).map_err(|error| Failure::of(error, loaded))?,
                    ),
                };
                let row = simulated(config, shared, global.threads(), &tell)?;
                problems = problems.or_else(|| row.problem.clone());
                rows.push(row);
            }
        }
        bar.clear();
        if let Some(problem) = problems.filter(|_| rows.iter().all(|row| row.problem.is_some()) && args.runs.is_empty())
        {
            return Err(Error::Config(problem).into());
        }
        if let Some(layer) = first_layer {
            global.say(&format!(
                "first ensembling layer of ls and ls+rs: {layer} (--first-ensembling-layer names others)"
            ));
        }
    }
    for path in &args.runs {
        rows.push(stored(&trace_of(path)?, &path.display().to_string())?);
    }
    let comparison = Comparison::new(rows);
    let mut outputs = Vec::new();
    if let Some(csv) = csv {
        outputs.push((csv, comparison.to_csv()?));
    }
    let mut draw = |(svg, png): (Option<Output>, Option<Output>), picture: &Picture| -> Result<(), Error> {
        if let Some(svg) = svg {
            outputs.push((svg, paint::svg(picture)?.into_bytes()));
        }
        if let Some(png) = png {
            outputs.push((png, paint::png(picture)?));
        }
        Ok(())
    };
    if args.picture.is_some() {
        draw(ratios, &comparison.picture())?;
    }
    if args.quality.is_some() {
        draw(quality, &comparison.quality()?)?;
    }
    let written = Output::finish(outputs)?;
    print(&match global.format {
        Format::Json => comparison.to_json(),
        Format::Table if global.quiet => Figures(&comparison).to_string(),
        Format::Table => comparison.to_string(),
    })?;
    if !written.is_empty() {
        global.say(&format!("wrote {}", written.join(", ")));
    }
    Ok(())
}
