//! Do the documents lead to what is there, and do the outputs that they quote come out of the program?
//!
//! A block of output stands below a comment that names its command:
//!
//! ```text
//! <!-- output of: crossbayes show mapping -->
//! ```
//!
//! A line `...` in the block stands for any number of lines. `UPDATE_DOCS=1 cargo test --test docs` writes the blocks
//! without such lines anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder that end in `.md`.
fn markdown_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            markdown_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Every document of the repository that has links or quotes outputs.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["docs/src", "plots", "workloads"] {
        markdown_below(&root().join(folder), &mut found);
    }
    let pages = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "traces/README.md"];
    found.extend(pages.iter().map(|page| root().join(page)));
    found.sort();
    found
}

/// Text outside of fenced blocks, where links are links.
fn prose(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Targets of `[text](target)`.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let after = prose.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.trim().to_owned()).collect()
}

/// Anchors of a page's headings, as mdBook and forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in documents() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            if link.starts_with("http://") || link.starts_with("https://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let there = target.exists()
                && (anchor.is_empty() || fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor)));
            if !there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_summary_lists_every_page() {
    let source = root().join("docs/src");
    let summary = source.join("SUMMARY.md");
    let listed: BTreeSet<PathBuf> =
        links(&fs::read_to_string(&summary).unwrap()).into_iter().map(|link| source.join(link)).collect();
    let mut pages = Vec::new();
    markdown_below(&source, &mut pages);
    let there: BTreeSet<PathBuf> = pages.into_iter().filter(|page| *page != summary).collect();
    assert_eq!(listed, there);
}

/// Arguments of a command line; single quotes hold a word together.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in command.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

/// What a command prints: results, or messages where it fails.
fn output(command: &str) -> String {
    let words = words(command);
    assert_eq!(words[0], "crossbayes", "{command}");
    let done = Command::new(env!("CARGO_BIN_EXE_crossbayes")).args(&words[1..]).current_dir(root()).output().unwrap();
    let text = if done.status.success() { done.stdout } else { done.stderr };
    String::from_utf8(text).unwrap()
}

/// Whether a line states the simulator's own run time, which differs from run to run.
fn is_wall_time(line: &str) -> bool {
    line.trim_start().starts_with("simulation ")
}

/// Whether lines are those expected, where `...` stands for any number of them.
fn agree(expected: &[&str], found: &[&str]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((&"...", rest)) => (0..=found.len()).any(|skipped| agree(rest, &found[skipped..])),
        Some((first, rest)) => found.split_first().is_some_and(|(line, others)| {
            (first == line || is_wall_time(first) && is_wall_time(line)) && agree(rest, others)
        }),
    }
}

#[test]
fn quoted_outputs_are_what_the_program_prints() {
    const MARK: &str = "<!-- output of: ";
    let mut stale = Vec::new();
    let mut printed: BTreeMap<String, String> = BTreeMap::new();
    for page in documents() {
        let mut text = fs::read_to_string(&page).unwrap();
        let marks: Vec<usize> = text.match_indices(MARK).map(|(at, _)| at).collect();
        // From the end, so that what is rewritten moves no other block.
        for at in marks.into_iter().rev() {
            let (command, rest) = text[at + MARK.len()..].split_once(" -->").unwrap();
            let (command, skipped) = (command.to_owned(), at + MARK.len() + command.len() + " -->".len());
            let start = skipped + rest.find("```text\n").expect("a block follows") + "```text\n".len();
            let end = start + text[start..].find("```").expect("the block ends");
            let block: Vec<&str> = text[start..end].lines().collect();
            let found = printed.entry(command.clone()).or_insert_with(|| output(&command));
            if agree(&block, &found.lines().collect::<Vec<_>>()) {
                continue;
            }
            if std::env::var_os("UPDATE_DOCS").is_some() && !block.contains(&"...") {
                text.replace_range(start..end, &format!("{}\n", found.trim_end()));
                fs::write(&page, &text).unwrap();
            } else {
                stale.push(format!("{}: `{command}` prints\n{found}", page.display()));
            }
        }
    }
    assert!(stale.is_empty(), "write anew with UPDATE_DOCS=1, or by hand:\n{}", stale.join("\n"));
    assert!(!printed.is_empty(), "no output is quoted");
}
