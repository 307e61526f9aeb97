//! Data sets as one.

use crate::error::{Error, listed};
use crate::sweep::folder::Folder;
use crate::sweep::ranges;
use crate::sweep::table::{Cell, Head, Kind, Table};
use std::collections::BTreeSet;

/// What a merge has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Merged {
    /// Rows.
    pub rows: u64,
    /// Rows that were left out, since one of the same key and the same axes was there.
    pub repeated: u64,
}

/// Columns that all data sets have.
///
/// # Errors
/// Returns [`Error::Input`] for the first data set whose columns differ.
pub fn columns(folders: &[Folder]) -> Result<&[Head], Error> {
    let first = folders.first().ok_or_else(|| Error::Config("expected the folder of a sweep".to_owned()))?;
    for other in folders {
        let (of_first, of_other) = (&first.plan().columns, &other.plan().columns);
        if of_first != of_other {
            let lacks = |a: &[Head], b: &[Head]| {
                let names: Vec<&str> =
                    a.iter().filter(|head| !b.contains(head)).map(|head| head.name.as_str()).collect();
                if names.is_empty() { "none".to_owned() } else { listed(names.into_iter(), ", ") }
            };
            let message = format!(
                "its columns are not those of {}: {} are only there, {} only here",
                first.path().display(),
                lacks(of_first, of_other),
                lacks(of_other, of_first)
            );
            return Err(Error::Input { path: other.path().to_owned(), message });
        }
    }
    Ok(&first.plan().columns)
}

/// Hands the rows of all data sets to `take`, shard by shard, with the first folder of their plan, in the order of the folders and
/// their points. Folders of the same plan may each have some of its shards. Rows that several sweeps have alike are handed on
/// once.
///
/// # Errors
/// Returns [`Error::Input`] if shards are missing, or folders of the same plan differ in one; and errors of `take`.
pub fn merge(folders: &[Folder], take: &mut dyn FnMut(&Folder, &Table) -> Result<(), Error>) -> Result<Merged, Error> {
    let mut merged = Merged::default();
    // Rows are compared only where there are several sweeps.
    let several = folders.iter().any(|folder| folder.plan().id != folders[0].plan().id);
    let mut seen = BTreeSet::new();
    let mut done = BTreeSet::new();
    for folder in folders.iter().filter(|folder| done.insert(folder.plan().id.clone())) {
        let same: Vec<&Folder> = folders.iter().filter(|other| other.plan().id == folder.plan().id).collect();
        if let Some(other) = same.iter().find(|other| other.plan().points_per_shard != folder.plan().points_per_shard) {
            let message = format!("has other shards of the same sweep than {}", folder.path().display());
            return Err(Error::Input { path: other.path().to_owned(), message });
        }
        let mut missing = Vec::new();
        for shard in 0..folder.plan().shards {
            let mut found: Option<Table> = None;
            for of in &same {
                let Some(rows) = of.rows(shard)? else { continue };
                if found.as_ref().is_some_and(|found| *found != rows) {
                    let message = format!("shard {shard} is not that of the other folders of its sweep");
                    return Err(Error::Input { path: of.path().to_owned(), message });
                }
                found = Some(rows);
            }
            match found {
                None => missing.push(shard),
                // What is missing is told, and nothing else is of use.
                Some(_) if !missing.is_empty() => {}
                Some(rows) => {
                    let new = if several { unseen(&rows, &mut seen, &mut merged) } else { rows };
                    merged.rows += new.rows() as u64;
                    take(folder, &new)?;
                }
            }
        }
        if !missing.is_empty() {
            let message = format!(
                "{} of its {} shards are missing or damaged: {}\nhelp: crossbayes sweep run {} computes them",
                missing.len(),
                folder.plan().shards,
                ranges(&missing),
                folder.path().display()
            );
            return Err(Error::Input { path: folder.path().to_owned(), message });
        }
    }
    Ok(merged)
}

/// The rows whose keys and axes were not seen before.
fn unseen(rows: &Table, seen: &mut BTreeSet<[u8; blake3::OUT_LEN]>, merged: &mut Merged) -> Table {
    let mut new = Table::new(rows.heads.clone());
    for row in 0..rows.rows() {
        // All but the number of the point, which is another in another sweep.
        let cells: Vec<Cell> = (0..rows.columns.len()).map(|column| rows.cell(row, column)).collect();
        if seen.insert(blake3::hash(format!("{:?}", &cells[1..]).as_bytes()).into()) {
            new.push(cells);
        } else {
            merged.repeated += 1;
        }
    }
    new
}

/// Rows of data sets: `folder`, `point`, the axes, some figures and `key`. Points that were only screened are left out,
/// and those for which a condition on axes does not hold.
///
/// # Errors
/// As [`merge`], and [`Error::Config`] if it is no condition.
pub fn rows(folders: &[Folder], figures: &[&str], only: Option<&str>) -> Result<Table, Error> {
    let heads = self::columns(folders)?;
    let axes = axes(folders);
    let kept = |name: &str| ["point", "key"].contains(&name) || figures.contains(&name) || axes.contains(&name);
    let columns: Vec<usize> = (0..heads.len()).filter(|&column| kept(&heads[column].name)).collect();
    let folder_head = Head { name: "folder".to_owned(), kind: Kind::Text };
    let mut all =
        Table::new(std::iter::once(folder_head).chain(columns.iter().map(|&column| heads[column].clone())).collect());
    let refused = |(message, help): (String, Option<String>)| {
        let help = help.map_or(String::new(), |help| format!("\nhelp: {help}"));
        Error::Config(format!("--where {}: {message}{help}", only.unwrap_or_default()))
    };
    let selection = |folder| only.map(|only| Folder::points(folder).space().selection(only)).transpose();
    let selected = folders.iter().map(selection).collect::<Result<Vec<_>, _>>().map_err(refused)?;
    merge(folders, &mut |folder, table| {
        let selected = folders.iter().position(|of| std::ptr::eq(of, folder)).and_then(|at| selected[at].as_ref());
        for (row, point) in table.numbers("point").unwrap_or_default().into_iter().enumerate() {
            // Figures of some images are not to be held against those of all.
            let point = point.map(|point| point as u64);
            if point.is_some_and(|point| folder.points().space().is_screening(point))
                || point.zip(selected).is_some_and(|(point, selected)| !selected(point))
            {
                continue;
            }
            let place = Cell::Text(folder.path().display().to_string());
            all.push(std::iter::once(place).chain(columns.iter().map(|&column| table.cell(row, column))).collect());
        }
        Ok(())
    })?;
    Ok(all)
}

/// Keys of the axes of data sets with the same columns.
#[must_use]
pub fn axes(folders: &[Folder]) -> Vec<&str> {
    let axes = folders.first().map_or(&[][..], |folder| folder.points().space().axes());
    axes.iter().map(|axis| axis.key.as_str()).collect()
}
