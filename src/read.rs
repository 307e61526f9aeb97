//! Reading of files that users name, bounded in time and memory: only regular files up to a maximum size.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Largest text that is read: chips, cost tables, networks, configurations.
pub const TEXT: u64 = 64 << 20;
/// Largest file of tensors that is read: posteriors, images.
pub const TENSORS: u64 = 16 << 30;
/// Most bytes that a compressed file of tensors is decompressed to.
pub const UNPACKED: u64 = 1 << 30;

/// Opens a regular file. Reading a pipe could block, and a device never ends.
///
/// # Errors
/// Returns an error if it is something else, or cannot be opened.
pub fn open(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() {
        return File::open(path);
    }
    let (error, what) = if kind.is_dir() {
        (ErrorKind::IsADirectory, "a folder")
    } else {
        (ErrorKind::InvalidInput, "a device, pipe or socket")
    };
    Err(io::Error::new(error, format!("it is {what}; expected a regular file")))
}

/// The bytes of a regular file that holds at most `most`.
///
/// # Errors
/// Returns an error if it is larger, something else, or cannot be read.
pub fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata()?.len();
    let too_large = |length: u64| {
        let message = format!("it has {length} bytes; expected at most {most}");
        io::Error::new(ErrorKind::FileTooLarge, message)
    };
    if length > most {
        return Err(too_large(length));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length as usize)?;
    // It may grow while it is read.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large(bytes.len() as u64)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "four").unwrap();
        assert_eq!(bytes(&path, 4).unwrap(), b"four");
        assert_eq!(bytes(&path, 3).unwrap_err().to_string(), "it has 4 bytes; expected at most 3");
        let message = bytes(folder.path(), 3).unwrap_err().to_string();
        assert_eq!(message, "it is a folder; expected a regular file");
    }
}
