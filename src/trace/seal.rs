//! The hash of a trace file, stored in the file itself, by which a changed file is recognised.
//!
//! It is BLAKE3 of all bytes of the file, the hash itself taken as 64 zeros, and stands in the file's metadata as 64
//! hexadecimal digits. So it covers rows, facts and layout alike, and readers that do not know it are not disturbed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Metadata key of the hash.
pub const HASH_KEY: &str = "crossbayes.hash";
/// Placeholder of the hash while the file is written and hashed.
pub(crate) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// What stands before the hash in the footer: in Thrift's compact protocol a string is its field's header, its length and
/// its bytes. Nothing else there holds it, for the other values are names and JSON, which have no control characters.
const BEFORE: &[u8] = b"\x18\x0fcrossbayes.hash\x18\x40";
/// End of a Parquet file: the length of the footer and four letters.
const END: u64 = 8;

/// A file that is hashed while it is written.
#[derive(Debug)]
pub(crate) struct Hashed {
    file: File,
    hasher: blake3::Hasher,
}

impl Hashed {
    /// Nothing of `file` is written yet; it is open to be read, too.
    pub fn new(file: File) -> Self {
        Self { file, hasher: blake3::Hasher::new() }
    }

    /// Puts the hash into the whole file, which holds [`BLANK`] in its place, and waits for the disk.
    pub fn seal(&mut self) -> io::Result<()> {
        let Self { file, hasher } = self;
        let place = locate(file)?.ok_or_else(|| io::Error::other("the footer has no place for the hash"))?;
        file.seek(SeekFrom::Start(place))?;
        file.write_all(hasher.finalize().to_hex().as_bytes())?;
        file.sync_all()
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The hash that a file carries, and the one that its bytes have; [`None`] for a file that carries none.
pub(crate) fn hashes(file: &mut File) -> io::Result<Option<[String; 2]>> {
    let Some(place) = locate(file)? else { return Ok(None) };
    let mut hasher = blake3::Hasher::new();
    file.seek(SeekFrom::Start(0))?;
    hasher.update_reader(file.take(place))?;
    let mut stored = [0; BLANK.len()];
    file.read_exact(&mut stored)?;
    hasher.update(BLANK.as_bytes());
    hasher.update_reader(file)?;
    Ok(Some([String::from_utf8_lossy(&stored).into_owned(), hasher.finalize().to_hex().to_string()]))
}

/// Where the hash starts in a file that ends as a Parquet file does; [`None`] where the footer holds none.
fn locate(file: &mut File) -> io::Result<Option<u64>> {
    let end = file.seek(SeekFrom::End(0))?.saturating_sub(END);
    file.seek(SeekFrom::Start(end))?;
    let mut length = [0; 4];
    file.read_exact(&mut length)?;
    let start = end.saturating_sub(u32::from_le_bytes(length).into());
    file.seek(SeekFrom::Start(start))?;
    let mut footer = Vec::new();
    file.take(end - start).read_to_end(&mut footer)?;
    let found = footer.windows(BEFORE.len()).position(|bytes| bytes == BEFORE).map(|place| place + BEFORE.len());
    Ok(found.filter(|place| place + BLANK.len() <= footer.len()).map(|place| start + place as u64))
}
