//! Does any file of `src/` use, by whatever way round, a file that uses it?
//!
//! Read from the text of the files: paths that start with `crate::` or `super::`, and in a `mod.rs` those that start with
//! one of its modules. A name that a `mod.rs` hands on (`pub use`) counts as the file that defines it. What a folder's
//! `mod.rs` and the files of the folder use of each other does not count, nor do unit tests at the end of a file.

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::BTreeMap;
use std::path::Path;

/// Files of the crate by the path of their module: `src/kernel/ring.rs` is `["kernel", "ring"]`.
struct Crate {
    files: BTreeMap<Vec<String>, File>,
}

struct File {
    /// Source without comments, unit tests and `pub use`.
    text: String,
    /// Modules that it declares.
    modules: Vec<String>,
    /// Names that it hands on, with the path below it where they are defined.
    handed_on: BTreeMap<String, Vec<String>>,
}

fn words(path: &str) -> Vec<String> {
    path.split("::").map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

/// `a::{b, c::{d, self}}` as `a::b`, `a::c::d`, `a::c`.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split_whitespace().next().unwrap_or("");
        return vec![words(path).into_iter().filter(|word| word != "self").collect()];
    };
    let (prefix, inner) = (words(&tree[..open]), &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())]);
    let (mut depth, mut start, mut branches) = (0, 0, Vec::new());
    for (i, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                branches.push(&inner[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    branches.push(&inner[start..]);
    let below = branches.into_iter().filter(|branch| !branch.trim().is_empty()).flat_map(expand);
    below.map(|branch| prefix.iter().cloned().chain(branch).collect()).collect()
}

impl File {
    fn parse(source: &str) -> Self {
        let code = source.split("#[cfg(test)]\nmod ").next().unwrap_or("");
        let lines = code.lines().map(|line| line.split("//").next().unwrap_or(""));
        let code = lines.collect::<Vec<_>>().join("\n");
        let (mut text, mut modules, mut handed_on) = (String::new(), Vec::new(), BTreeMap::new());
        for statement in code.split_inclusive(';') {
            let bare = statement.trim().trim_end_matches(';');
            let last = bare.lines().last().unwrap_or("").trim();
            if let Some(name) = last.strip_prefix("pub mod ").or_else(|| last.strip_prefix("mod ")) {
                modules.push(name.to_owned());
            } else if let Some(tree) = bare.strip_prefix("pub use ") {
                for path in expand(tree) {
                    handed_on.insert(path.last().unwrap().clone(), path);
                }
            } else {
                text += statement;
            }
        }
        Self { text, modules, handed_on }
    }
}

impl Crate {
    fn read() -> Self {
        let mut files = BTreeMap::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![(root, Vec::new())];
        while let Some((folder, module)) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                let mut below = module.clone();
                match name.as_str() {
                    "main" => continue,
                    "lib" | "mod" => {}
                    _ => below.push(name),
                }
                if path.is_dir() {
                    folders.push((path, below));
                } else {
                    files.insert(below, File::parse(&std::fs::read_to_string(path).unwrap()));
                }
            }
        }
        Self { files }
    }

    /// Module of the file that defines what `path`, from the root, names.
    fn defines(&self, path: &[String]) -> Vec<String> {
        let depth = (0..=path.len()).rev().find(|&depth| self.files.contains_key(&path[..depth])).unwrap();
        let (module, rest) = path.split_at(depth);
        match rest.first().and_then(|name| self.files[module].handed_on.get(name)) {
            Some(below) if below[0] == "crate" => self.defines(&below[1..]),
            Some(below) => self.defines(&[module, below].concat()),
            None => module.to_vec(),
        }
    }

    /// Modules of the files that a file uses.
    fn uses(&self, module: &[String], file: &File) -> Vec<Vec<String>> {
        let is_folder = !file.modules.is_empty();
        let parent = if is_folder { module } else { &module[..module.len().saturating_sub(1)] };
        let mut starts = vec![("crate::".to_owned(), Vec::new())];
        // In a folder's own file `super` is the folder above.
        let above = if is_folder { &module[..module.len().saturating_sub(1)] } else { parent };
        starts.push(("super::".to_owned(), above.to_vec()));
        for name in &file.modules {
            starts.push((format!("{name}::"), [module, std::slice::from_ref(name)].concat()));
        }
        let mut used = Vec::new();
        for (start, root) in starts {
            for (at, _) in file.text.match_indices(&start) {
                let before = file.text[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                for path in expand(tree(&file.text[at + start.len()..])) {
                    used.push(self.defines(&[&root[..], &path].concat()));
                }
            }
        }
        let of_one_folder = |a: &[String], b: &[String]| a.split_last().is_some_and(|(_, folder)| folder == b);
        used.retain(|used| used != module && !of_one_folder(used, module) && !of_one_folder(module, used));
        used
    }
}

/// The path, braces included, that a text starts with.
fn tree(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        let within = depth > 0 || c == '}';
        !(c.is_alphanumeric() || c == '_' || c == ':' || within)
    });
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn no_file_uses_itself_by_way_of_others() {
    let files = Crate::read();
    let modules: Vec<&Vec<String>> = files.files.keys().collect();
    let number = |module: &Vec<String>| modules.binary_search(&module).unwrap();
    let mut graph = DiGraphMap::<usize, ()>::new();
    for (module, file) in &files.files {
        for used in files.uses(module, file) {
            graph.add_edge(number(module), number(&used), ());
        }
    }
    // The reader would find nothing if it were broken.
    assert!(graph.edge_count() > modules.len(), "{} uses in {} files", graph.edge_count(), modules.len());
    let name = |number: &usize| modules[*number].join("::");
    let circles: Vec<Vec<String>> =
        tarjan_scc(&graph).iter().filter(|part| part.len() > 1).map(|part| part.iter().map(name).collect()).collect();
    assert!(circles.is_empty(), "files that use each other: {circles:?}");
}

/// The modules stand in `lib.rs` so that each uses only what stands above it.
#[test]
fn modules_use_only_what_stands_above_them() {
    let files = Crate::read();
    let order = &files.files[&Vec::new()].modules;
    let place = |module: &[String]| order.iter().position(|name| *name == module[0]).unwrap();
    let mut wrong = Vec::new();
    for (module, file) in files.files.iter().filter(|(module, _)| !module.is_empty()) {
        let used = files.uses(module, file).into_iter().filter(|used| !used.is_empty() && place(used) > place(module));
        wrong.extend(used.map(|used| format!("{} uses {}", module.join("::"), used.join("::"))));
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn paths_are_read_as_written() {
    assert_eq!(expand("a::{b, c::{d, self}}").join(&"|".to_owned()), words("a::b::|::a::c::d::|::a::c"));
    assert_eq!(tree("parts::{link, turn::{Turn}}; let"), "parts::{link, turn::{Turn}}");
    assert_eq!(tree("config::Chip) -> u32"), "config::Chip");
}
