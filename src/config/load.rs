//! Reads chip, network and overrides into one [`Config`], or returns all their problems.

use crate::config::base;
use crate::config::de::from_node;
use crate::config::decode::decode;
use crate::config::diagnostic::{ConfigErrors, Diagnostic, Diagnostics, SourceText, Sources};
use crate::config::embedded::{self, Embedded};
use crate::config::kind::FileKind;
use crate::config::overrides::Override;
use crate::config::path::place;
use crate::config::tree::{self, Entry, Node, TextSpan, Value};
use crate::config::{Chip, Config, CostTable, DeviceModel, Posterior, Sweep, Workload};
use crate::error::{Problem, nearest};
use crate::network::resolve;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What to load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadRequest {
    /// Chip: a file, or the name of a built-in one. None: `pcm_128`.
    pub arch: Option<String>,
    /// Network: a file, or the name of a built-in one. None: `digits`.
    pub workload: Option<String>,
    /// `key=value` each, applied in order.
    pub set: Vec<String>,
}

/// Where the paths in a workload start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// A folder.
    Folder(PathBuf),
    /// The files built into the program, under `workloads/`.
    Embedded,
}

/// Marks the path of a built-in file, in messages and in saved configurations.
const BUILT_IN: &str = "built-in:";

/// Location of a file that a workload names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In the file system.
    File(PathBuf),
    /// Built into the program: its path in the repository, with `/`.
    Embedded(String),
}

impl Base {
    /// Location of the file at `path` of a workload.
    #[must_use]
    pub fn locate(&self, path: &str) -> Location {
        match (path.strip_prefix(BUILT_IN), self) {
            (Some(built_in), _) => Location::Embedded(built_in.to_owned()),
            (None, Base::Folder(folder)) => Location::File(folder.join(path)),
            // A built-in network has no folder; paths that say where they start are the user's own.
            (None, Base::Embedded) if Path::new(path).is_absolute() || path.starts_with("./") => {
                Location::File(PathBuf::from(path))
            }
            (None, Base::Embedded) => Location::Embedded(format!("{}/{path}", embedded::WORKLOADS)),
        }
    }

    /// `path` so that it leads to the same file from any other base.
    fn anchor(&self, path: &str) -> String {
        match self.locate(path) {
            Location::Embedded(built_in) => format!("{BUILT_IN}{built_in}"),
            // A path that is no text is not written: the one that is given leads there from this base alone.
            Location::File(file) => {
                std::path::absolute(&file).unwrap_or(file).to_str().map_or_else(|| path.to_owned(), str::to_owned)
            }
        }
    }
}

/// A configuration that can be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration, fully expanded.
    pub config: Config,
    /// Where the paths of posterior and images start.
    pub workload_base: Base,
    /// Names of the files read, built-in ones as `built-in:PATH`.
    pub files: Vec<String>,
    /// The tree that the configuration was decoded from, and the texts that its places point into.
    tree: Node,
    sources: Sources,
    /// What the files alone have; only where there are overrides.
    before: Option<Before>,
}

/// Sections of a configuration as the files have them.
#[derive(Debug, Clone, PartialEq)]
struct Before {
    /// Keys of the sections that overrides change.
    changed: BTreeSet<String>,
    /// Those of them that the files have.
    entries: Vec<Entry>,
    /// Where paths in the chip start.
    arch: Base,
}

impl Before {
    fn new(root: &Node, arch: &Base, set: &[String]) -> Self {
        let section = |text: &String| text.split(['.', '=']).next().unwrap_or_default().trim().to_owned();
        let changed: BTreeSet<String> = set.iter().map(section).collect();
        let entries = root.entries().unwrap_or_default();
        let entries = entries.iter().filter(|entry| changed.contains(&entry.key)).cloned().collect();
        Self { changed, entries, arch: arch.clone() }
    }
}

impl Loaded {
    /// The configuration of the files alone, without overrides: this one where there are none. Returns none where the files
    /// alone are no configuration.
    #[must_use]
    pub fn without_overrides(&self) -> Option<Self> {
        let Some(before) = &self.before else { return Some(self.clone()) };
        let mut tree = self.tree.clone();
        let Value::Struct { entries, .. } = &mut tree.value else { return None };
        entries.retain(|entry| !before.changed.contains(&entry.key));
        entries.extend(before.entries.iter().cloned());
        let mut reading = Reading { sources: self.sources.clone(), files: self.files.clone(), ..Reading::default() };
        if let Some(chip) = entry_mut(&mut tree, "arch") {
            reading.expand(chip, &before.arch);
        }
        // What is only shown needs no walk along the schema.
        let config = from_node::<Config>(&tree).ok()?;
        reading.diagnostics.is_empty().then(|| reading.loaded(config, tree, self.workload_base.clone(), None))
    }

    /// The configuration to save with a run: its paths do not depend on the folder that it is saved in.
    #[must_use]
    pub fn portable_config(&self) -> Config {
        let mut config = self.config.clone();
        let workload = &mut config.workload;
        if let Posterior::File { path, .. } = &mut workload.posterior {
            *path = self.workload_base.anchor(path);
        }
        for images in
            [&mut workload.images, &mut workload.calibration, &mut workload.out_of_distribution].into_iter().flatten()
        {
            images.path = self.workload_base.anchor(&images.path);
        }
        config
    }

    /// Problems of the configuration with the places that their keys were given at.
    #[must_use]
    pub fn locate(&self, problems: Vec<Problem>) -> ConfigErrors {
        locate(&self.tree, &self.sources, problems)
    }
}

fn locate(tree: &Node, sources: &Sources, problems: Vec<Problem>) -> ConfigErrors {
    let mut diagnostics = Diagnostics::default();
    for problem in problems {
        diagnostics.push(|| place(tree, problem));
    }
    ConfigErrors::new(sources.clone(), diagnostics)
}

/// Reads chip and network, applies the overrides, expands the cost table and checks everything.
///
/// # Errors
/// Every problem found.
pub fn load(request: &LoadRequest) -> Result<Loaded, ConfigErrors> {
    Opening::new(request.arch.as_deref(), request.workload.as_deref()).load(&request.set)
}

/// Chip and network, read once, of which configurations are made that differ in their overrides.
#[derive(Debug, Clone)]
pub struct Opening {
    reading: Reading,
    root: Node,
    arch: Base,
    workload: Base,
}

impl Opening {
    /// Reads the files or built-in ones of these names; none: the default ones. What is wrong with them is told by
    /// [`Self::load`].
    #[must_use]
    pub fn new(arch: Option<&str>, workload: Option<&str>) -> Self {
        let mut reading = Reading::default();
        let arch = reading.named(embedded::ARCH, arch, embedded::DEFAULT_ARCH);
        let workload = reading.named(embedded::WORKLOADS, workload, embedded::DEFAULT_WORKLOAD);
        let root_span = arch.node.span;
        let entry = |key: &str, node: Node| Entry { key: key.to_owned(), key_span: node.span, value: node };
        let entries = vec![entry("arch", arch.node), entry("workload", workload.node)];
        let root = Node { span: root_span, value: Value::Struct { name: None, entries } };
        Self { reading, root, arch: arch.base, workload: workload.base }
    }

    /// The same with the files that the chip names in place, so that they are not read again for each configuration. If
    /// there is a problem with them they are left out: an override may name others.
    #[must_use]
    pub fn expanded(mut self) -> Self {
        let (mut reading, mut root) = (self.reading.clone(), self.root.clone());
        let before = reading.diagnostics.len();
        if let Some(chip) = entry_mut(&mut root, "arch") {
            reading.expand(chip, &self.arch);
        }
        if reading.diagnostics.len() == before {
            (self.reading, self.root) = (reading, root);
        }
        self
    }

    /// Applies overrides, expands the cost table and checks everything.
    ///
    /// # Errors
    /// Every problem found.
    pub fn load(&self, set: &[String]) -> Result<Loaded, ConfigErrors> {
        self.reading.clone().finish(self.root.clone(), &self.arch, self.workload.clone(), set)
    }
}

/// A design space with the text that it was read from.
#[derive(Debug, Clone)]
pub struct OpenedSweep {
    /// The design space.
    pub sweep: Sweep,
    /// Name of the file.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Where paths in it start.
    pub base: Base,
    tree: Node,
    sources: Sources,
}

impl OpenedSweep {
    /// Problems of the design space with the places that their keys were given at.
    #[must_use]
    pub fn locate(&self, problems: Vec<Problem>) -> ConfigErrors {
        locate(&self.tree, &self.sources, problems)
    }
}

/// Reads a design space: a file, or a built-in one by its name.
///
/// # Errors
/// Every problem found.
pub fn load_sweep(asked: &str) -> Result<OpenedSweep, ConfigErrors> {
    let mut reading = Reading::default();
    let opened = reading.named(embedded::SWEEPS, Some(asked), embedded::SWEEPS);
    reading.sweep(opened)
}

/// The design space of a text that was read before from a file of that name.
///
/// # Errors
/// Every problem found.
pub fn parse_sweep(name: &str, text: &str, base: Base) -> Result<OpenedSweep, ConfigErrors> {
    let mut reading = Reading::default();
    let node = reading.parse(name.to_owned(), text.to_owned());
    reading.sweep(Opened { node, base })
}

/// Reads a fully expanded configuration, as [`to_ron`] writes it, and applies overrides.
///
/// # Errors
/// Every problem found.
pub fn load_expanded(file: &Path, set: &[String]) -> Result<Loaded, ConfigErrors> {
    let mut reading = Reading::default();
    let opened = reading.file(file);
    let base = opened.base.clone();
    reading.finish(opened.node, &base, opened.base, set)
}

/// Reads a kind of memory cell: a file, or a built-in one by its name.
///
/// # Errors
/// Every problem found.
pub fn load_device(asked: &str) -> Result<DeviceModel, ConfigErrors> {
    let mut reading = Reading::default();
    let opened = reading.named(embedded::DEVICES, Some(asked), embedded::DEVICES);
    let model = decode::<DeviceModel>(&opened.node, &mut reading.diagnostics);
    reading.answer(())?;
    Ok(model.expect("a kind of cell without a problem is whole"))
}

/// The value described by a file, if more than its text can be checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Described<'a> {
    /// A network.
    Workload(&'a Workload),
    /// An expanded configuration.
    Run(&'a Config),
    /// A design space.
    Sweep(&'a Sweep),
}

/// Checks files of any kind, recognised by their keys; the answer has the kind of each. `further` is asked for problems of
/// what a file without any describes; its paths start from the base.
///
/// # Errors
/// Every problem in any of them.
pub fn check_files(
    paths: &[PathBuf],
    further: &dyn Fn(Described<'_>, &Base) -> Vec<Problem>,
) -> Result<Vec<(PathBuf, FileKind)>, ConfigErrors> {
    let mut reading = Reading::default();
    let mut kinds = Vec::new();
    for path in paths {
        let mut opened = reading.file(path);
        let Some(kind) = reading.kind(&opened.node) else { continue };
        kinds.push((path.clone(), kind));
        let before = reading.diagnostics.len();
        let (mut workload, mut config, mut sweep) = (None, None, None);
        match kind {
            FileKind::Arch => {
                reading.expand(&mut opened.node, &opened.base);
                decode::<Chip>(&opened.node, &mut reading.diagnostics);
            }
            FileKind::Parts => {
                reading.complete(&mut opened.node, &opened.base);
                decode::<CostTable>(&opened.node, &mut reading.diagnostics);
            }
            FileKind::Device => {
                decode::<DeviceModel>(&opened.node, &mut reading.diagnostics);
            }
            FileKind::Workload => {
                workload = decode::<Workload>(&opened.node, &mut reading.diagnostics);
            }
            FileKind::Run => {
                if let Some(arch) = entry_mut(&mut opened.node, "arch") {
                    reading.expand(arch, &opened.base);
                }
                config = decode::<Config>(&opened.node, &mut reading.diagnostics);
            }
            FileKind::Sweep => sweep = decode::<Sweep>(&opened.node, &mut reading.diagnostics),
        }
        let described = workload.as_ref().map(Described::Workload);
        let described = described.or(config.as_ref().map(Described::Run)).or(sweep.as_ref().map(Described::Sweep));
        if reading.diagnostics.len() == before
            && let Some(described) = described
        {
            for problem in further(described, &opened.base) {
                reading.diagnostics.push(|| place(&opened.node, problem));
            }
        }
    }
    reading.answer(kinds)
}

/// The configuration as RON that [`load_expanded`] and the `ron` crate read back as an equal value.
#[must_use]
pub fn to_ron(config: &Config) -> String {
    let pretty = ron::ser::PrettyConfig::new().new_line("\n").indentor("    ").depth_limit(usize::MAX);
    let mut text = ron::ser::to_string_pretty(config, pretty).expect("a configuration has no value that RON lacks");
    text.push('\n');
    text
}

/// A file's tree, and the place that its relative paths start from.
#[derive(Debug)]
struct Opened {
    node: Node,
    base: Base,
}

/// Texts read and problems found so far.
#[derive(Debug, Clone, Default)]
struct Reading {
    sources: Sources,
    files: Vec<String>,
    diagnostics: Diagnostics,
    /// Files of the cost tables that are being completed by one another.
    bases: Vec<PathBuf>,
}

impl Reading {
    /// The text's tree; a faulty node (its problem reported) where it is no RON.
    fn parse(&mut self, name: String, text: String) -> Node {
        let source = self.sources.add(SourceText { name: name.clone(), text, is_override: false });
        self.files.push(name);
        match tree::read(&self.sources.get(source).text, source) {
            Ok(node) => node,
            Err(error) => {
                self.diagnostics.push(|| error.into());
                Node { span: TextSpan::whole(source), value: Value::Faulty }
            }
        }
    }

    fn sweep(mut self, opened: Opened) -> Result<OpenedSweep, ConfigErrors> {
        let sweep = decode::<Sweep>(&opened.node, &mut self.diagnostics);
        if !self.diagnostics.is_empty() {
            return Err(ConfigErrors::new(self.sources, self.diagnostics));
        }
        let sweep = sweep.expect("a sweep without a problem is whole");
        let SourceText { name, text, .. } = self.sources.get(opened.node.span.source).clone();
        Ok(OpenedSweep { sweep, name, text, base: opened.base, tree: opened.node, sources: self.sources })
    }

    /// A node for a text that could not be had, with its problem reported.
    fn faulty(&mut self, name: String, message: String, help: Option<String>) -> Node {
        let source = self.sources.add(SourceText { name, text: String::new(), is_override: false });
        let span = TextSpan::whole(source);
        self.diagnostics.push(|| Diagnostic { span, message, help });
        Node { span, value: Value::Faulty }
    }

    fn embedded(&mut self, file: Embedded) -> Node {
        self.parse(format!("{BUILT_IN}{}", file.path), file.text.to_owned())
    }

    fn file(&mut self, path: &Path) -> Opened {
        let name = path.display().to_string();
        let node = match crate::read::bytes(path, crate::read::TEXT) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => self.parse(name, text),
                Err(error) => {
                    let message = format!("is not UTF-8 text: byte {} is none", error.utf8_error().valid_up_to() + 1);
                    self.faulty(name, message, None)
                }
            },
            Err(error) => self.faulty(name, format!("cannot be read: {error}"), None),
        };
        Opened { node, base: Base::Folder(path.parent().unwrap_or(Path::new("")).to_owned()) }
    }

    /// The file or built-in of a folder that the user asked for, or the default.
    fn named(&mut self, folder: &str, asked: Option<&str>, default: &str) -> Opened {
        let Some(asked) = asked else {
            let file = embedded::at(default).expect("the default is built in");
            return Opened { node: self.embedded(file), base: Base::Embedded };
        };
        if Path::new(asked).exists() {
            return self.file(Path::new(asked));
        }
        if let Some(file) = embedded::named(folder, asked).or_else(|| embedded::at(asked)) {
            return Opened { node: self.embedded(file), base: Base::Embedded };
        }
        let names: Vec<&str> = embedded::names(folder).collect();
        let message = format!("there is no such file, and none of that name is built in ({})", names.join(", "));
        let stem = Path::new(asked).file_stem().map_or(asked.into(), |stem| stem.to_string_lossy());
        let help = nearest(&stem, names).map(|near| format!("did you mean {near}?"));
        Opened { node: self.faulty(asked.to_owned(), message, help), base: Base::Embedded }
    }

    /// Replaces the paths of files in a chip by what they hold.
    fn expand(&mut self, chip: &mut Node, base: &Base) {
        self.expand_costs(chip, base);
        self.expand_device(chip, base);
    }

    /// Replaces the name or path of a kind of memory cell in a chip by its description.
    fn expand_device(&mut self, chip: &mut Node, base: &Base) {
        let Some(model) = entry_mut(chip, "device").and_then(|device| entry_mut(device, "model")) else { return };
        if let Value::Text(path) | Value::Bare(path) = &model.value {
            *model = self.part(&path.clone(), "model", embedded::DEVICES, model.span, base).node;
        }
    }

    /// Replaces the path of a cost table in a chip by the table itself, whole.
    fn expand_costs(&mut self, chip: &mut Node, base: &Base) {
        let Some(costs) = entry_mut(chip, "costs") else { return };
        let mut base = base.clone();
        if let Value::Text(path) | Value::Bare(path) = &costs.value {
            let opened = self.part(&path.clone(), "costs", embedded::PARTS, costs.span, &base);
            (*costs, base) = (opened.node, opened.base);
        }
        self.complete(costs, &base);
    }

    /// Completes a cost table with the one that it names as its base, which is completed first.
    fn complete(&mut self, table: &mut Node, base: &Base) {
        let Some(entry) = take_entry(table, "base") else { return };
        let span = entry.value.span;
        let (Value::Text(path) | Value::Bare(path)) = &entry.value.value else {
            let message = format!("base: expected the name or path of a cost table, found {}", entry.value.describe());
            self.diagnostics.push(|| Diagnostic::new(span, message));
            table.value = Value::Faulty;
            return;
        };
        let mut below = self.part(path, "base", embedded::PARTS, span, base);
        // Neither a file nor a built-in table may come twice.
        let name = &self.sources.get(below.node.span.source).name;
        let file = std::fs::canonicalize(name).unwrap_or_else(|_| name.into());
        if self.bases.contains(&file) {
            let message = format!(
                "base: \"{path}\" leads back to a table that is on its base; expected bases that come to an end"
            );
            self.diagnostics.push(|| Diagnostic::new(span, message));
            table.value = Value::Faulty;
            return;
        }
        self.bases.push(file);
        self.complete(&mut below.node, &below.base);
        self.bases.pop();
        let own = Node { span: table.span, value: std::mem::replace(&mut table.value, Value::Faulty) };
        *table = base::merge(own, below.node, &mut self.diagnostics);
    }

    /// The file at `path`, which stands at `span` as the value of `key`; built-in ones of its kind are in `folder`.
    fn part(&mut self, path: &str, key: &str, folder: &str, span: TextSpan, base: &Base) -> Opened {
        let mut candidates = Vec::new();
        // What is given on the command line starts from the current folder, what stands in a file from its own.
        if self.sources.get(span.source).is_override {
            candidates.push(PathBuf::from(path));
        }
        if let Base::Folder(base) = base {
            candidates.push(base.join(path));
            candidates.push(base.join(format!("{path}.ron")));
        }
        if let Some(file) = candidates.into_iter().find(|file| file.is_file()) {
            return self.file(&file);
        }
        // A file outside of the repository may use those that are built in.
        let built_in = embedded::at(&format!("{}/{path}", embedded::ARCH)).or(embedded::named(folder, path));
        if let Some(file) = built_in {
            return Opened { node: self.embedded(file), base: Base::Embedded };
        }
        let names: Vec<&str> = embedded::names(folder).collect();
        let message =
            format!("{key}: there is no file \"{path}\", and none of that name is built in ({})", names.join(", "));
        let stem = Path::new(path).file_stem().unwrap_or_default().to_string_lossy();
        let help = nearest(&stem, names).map(|near| match key {
            "costs" => format!("did you mean \"parts/{near}.ron\"?"),
            _ => format!("did you mean \"{near}\"?"),
        });
        self.diagnostics.push(|| Diagnostic { span, message, help });
        Opened { node: Node { span, value: Value::Faulty }, base: Base::Embedded }
    }

    /// Overrides, cost table, decoding.
    fn finish(
        mut self,
        mut root: Node,
        arch: &Base,
        workload_base: Base,
        set: &[String],
    ) -> Result<Loaded, ConfigErrors> {
        let before = (!set.is_empty()).then(|| Before::new(&root, arch, set));
        for text in set {
            let name = format!("--set {text}");
            let source = self.sources.add(SourceText { name, text: text.clone(), is_override: true });
            let applied = Override::parse(text)
                .map_err(|message| Diagnostic::new(TextSpan::whole(source), message))
                .and_then(|change| {
                    // A key within the cost table needs the table in place.
                    if change.key.starts_with("arch.costs.")
                        && let Some(chip) = entry_mut(&mut root, "arch")
                    {
                        self.expand_costs(chip, arch);
                    }
                    if change.key.starts_with("arch.device.model.")
                        && let Some(chip) = entry_mut(&mut root, "arch")
                    {
                        self.expand_device(chip, arch);
                    }
                    if change.key == "arch.costs.base" {
                        // By now it has every entry, and a base would give nothing.
                        let message =
                            "base: the cost table of a chip is complete; expected another table or its entries";
                        let help = Some(format!("`--set arch.costs={}` takes another table", change.value));
                        return Err(Diagnostic { span: TextSpan::whole(source), message: message.to_owned(), help });
                    }
                    change.apply(&mut root, source)
                });
            if let Err(problem) = applied {
                self.diagnostics.push(|| problem);
            }
        }
        if let Some(chip) = entry_mut(&mut root, "arch") {
            self.expand(chip, arch);
        }
        let config = decode::<Config>(&root, &mut self.diagnostics);
        if !self.diagnostics.is_empty() {
            return Err(ConfigErrors::new(self.sources, self.diagnostics));
        }
        let config = config.expect("a configuration without a problem is whole");
        Ok(self.loaded(config, root, workload_base, before))
    }

    /// What was read, with the first ensembling layer by its name.
    fn loaded(self, mut config: Config, tree: Node, workload_base: Base, before: Option<Before>) -> Loaded {
        config.arch.apply_technology();
        if let Ok(net) = resolve(&config.workload) {
            config.mapping.scheme.name_first_layer(&net);
        }
        Loaded { config, workload_base, files: self.files, tree, sources: self.sources, before }
    }

    /// The kind of file that shares most of its own keys with `node`; none (reported) where none does.
    fn kind(&mut self, node: &Node) -> Option<FileKind> {
        if node.value == Value::Faulty {
            return None;
        }
        let shared = |kind: &FileKind| kind.own_keys().iter().filter(|key| node.get(key).is_some()).count();
        // The first of equals wins; max_by_key returns the last.
        let kind = FileKind::ALL.iter().rev().copied().max_by_key(shared)?;
        if shared(&kind) > 0 {
            return Some(kind);
        }
        let known: Vec<String> = FileKind::ALL
            .iter()
            .map(|kind| format!("{} ({}, ..)", kind.description(), kind.own_keys()[..2].join(", ")))
            .collect();
        let message = format!("the keys tell no kind of file; expected those of one of: {}", known.join(", "));
        self.diagnostics.push(|| Diagnostic::new(node.span, message));
        None
    }

    fn answer<T>(self, value: T) -> Result<T, ConfigErrors> {
        if self.diagnostics.is_empty() { Ok(value) } else { Err(ConfigErrors::new(self.sources, self.diagnostics)) }
    }
}

/// Takes a struct's entry out of it.
fn take_entry(node: &mut Node, key: &str) -> Option<Entry> {
    match &mut node.value {
        Value::Struct { entries, .. } => entries.iter().position(|entry| entry.key == key).map(|at| entries.remove(at)),
        _ => None,
    }
}

/// The value of a struct's key, to change.
fn entry_mut<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    match &mut node.inner_mut().value {
        Value::Struct { entries, .. } => entries.iter_mut().find(|e| e.key == key).map(|e| &mut e.value),
        _ => None,
    }
}
