//! Results of images in a file, written as they come: an evaluation that is killed goes on from there.
//!
//! The file starts with a line that says what it is and the hash of configuration and data. A record is where it belongs, its
//! numbers, and the first 8 bytes of their BLAKE3; all records are equally long. A torn record at the end is cut off, and
//! one whose hash does not fit is computed again.

use crate::error::Error;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Start of the first line, which the key ends.
const MAGIC: &str = "crossbayes eval journal 1 ";
const KEY: usize = 64;
const HASH: usize = 8;

/// Where a record belongs: condition, set of images, image.
pub(super) type Place = [u32; 3];

/// An open journal; no other process writes it meanwhile.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Numbers of a record.
    numbers: usize,
}

impl Journal {
    /// Opens the journal of `key`, 64 hexadecimal digits, or begins one, and gives the records that it holds. `anew`: one of
    /// another key is overwritten.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if it belongs to another key, or another process writes it, [`Error::Input`] if the file is
    /// something else, [`Error::Io`] if it cannot be read or written.
    pub(super) fn open(
        path: &Path,
        key: &str,
        numbers: usize,
        anew: bool,
    ) -> Result<(Self, BTreeMap<Place, Vec<f64>>), Error> {
        let failed = |error| Error::io(path)(error);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(failed)?;
        if file.try_lock().is_err() {
            return Err(Error::Config(format!("{}: another eval is writing it", path.display())));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let head = MAGIC.len() + KEY + 1;
        let start = format!("{MAGIC}{key}\n");
        if !bytes.is_empty() && !bytes.starts_with(&MAGIC.as_bytes()[..bytes.len().min(MAGIC.len())]) {
            let message = "is no journal of eval, and is kept".to_owned();
            return Err(Error::Input { path: path.to_owned(), message });
        }
        let whole = bytes.len() >= head;
        if whole && !bytes.starts_with(start.as_bytes()) && !anew {
            return Err(Error::Config(format!(
                "{} holds the results of another configuration, other data or another version; expected another folder, or \
                 --force to begin anew",
                path.display()
            )));
        }
        let mut journal = Self { path: path.to_owned(), file, numbers };
        let mut found = BTreeMap::new();
        let mut end = head;
        if whole && bytes.starts_with(start.as_bytes()) {
            let records = bytes[head..].chunks_exact(journal.record());
            end += records.len() * journal.record();
            found.extend(records.filter_map(|record| journal.parse(record)));
        } else {
            journal.file.set_len(0).map_err(failed)?;
            journal.file.seek(SeekFrom::Start(0)).map_err(failed)?;
            journal.file.write_all(start.as_bytes()).map_err(failed)?;
        }
        journal.file.set_len(end as u64).map_err(failed)?;
        journal.file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok((journal, found))
    }

    /// Bytes of a record.
    fn record(&self) -> usize {
        size_of::<Place>() + self.numbers * size_of::<f64>() + HASH
    }

    fn parse(&self, record: &[u8]) -> Option<(Place, Vec<f64>)> {
        let (contents, hash) = record.split_last_chunk::<HASH>()?;
        if blake3::hash(contents).as_bytes()[..HASH] != hash[..] {
            return None;
        }
        let (place, numbers) = contents.split_at(size_of::<Place>());
        let mut of_place = place.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        let place = [of_place.next()?, of_place.next()?, of_place.next()?];
        Some((place, numbers.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()))
    }

    /// Adds records; fewer numbers than a record has are filled up with zeros.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if they cannot be written.
    pub(super) fn add(&mut self, records: &[(Place, Vec<f64>)]) -> Result<(), Error> {
        let mut bytes = Vec::with_capacity(records.len() * self.record());
        for (place, numbers) in records {
            let start = bytes.len();
            bytes.extend(place.iter().flat_map(|number| number.to_le_bytes()));
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            bytes.resize(start + self.record() - HASH, 0);
            let hash = blake3::hash(&bytes[start..]);
            bytes.extend_from_slice(&hash.as_bytes()[..HASH]);
        }
        self.file.write_all(&bytes).map_err(Error::io(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_outlive_the_process_and_torn_ones_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let key = "a".repeat(KEY);
        let records = [([0, 0, 1], vec![0.5, f64::INFINITY]), ([2, 1, 7], vec![-1.0, 3.0])];
        let (mut journal, found) = Journal::open(&path, &key, 2, false).unwrap();
        assert!(found.is_empty());
        journal.add(&records).unwrap();
        let busy = Journal::open(&path, &key, 2, false).unwrap_err().to_string();
        assert!(busy.contains("another eval is writing it"), "{busy}");
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        // Cut anywhere, what is whole is found, and what is added next follows it.
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let (mut journal, found) = Journal::open(&path, &key, 2, false).unwrap();
            let head = MAGIC.len() + KEY + 1;
            assert_eq!(found.len(), length.saturating_sub(head) / journal.record(), "{length}");
            assert!(found.iter().all(|(place, numbers)| records.contains(&(*place, numbers.clone()))));
            journal.add(&records[1..]).unwrap();
            drop(journal);
            let (_, found) = Journal::open(&path, &key, 2, false).unwrap();
            assert_eq!(found[&[2, 1, 7]], [-1.0, 3.0], "{length}");
        }
        // A changed byte costs its record.
        for at in MAGIC.len() + KEY + 1..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(Journal::open(&path, &key, 2, false).unwrap().1.len(), 1, "{at}");
        }
        let other = Journal::open(&path, &"b".repeat(KEY), 2, false).unwrap_err().to_string();
        assert!(other.contains("holds the results of another configuration"), "{other}");
        assert!(Journal::open(&path, &"b".repeat(KEY), 2, true).unwrap().1.is_empty());
        std::fs::write(&path, "my thesis").unwrap();
        let kept = Journal::open(&path, &key, 2, true).unwrap_err().to_string();
        assert!(kept.contains("is no journal of eval, and is kept"), "{kept}");
        assert_eq!(std::fs::read(&path).unwrap(), b"my thesis");
    }
}
