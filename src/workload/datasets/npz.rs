//! NumPy's `.npz`: a ZIP archive of `.npy` arrays, stored or deflated (`numpy.savez`, `numpy.savez_compressed`).
//!
//! The archive's directory at its end is read (PKWARE's APPNOTE 6.3, 4.3.12 and 4.3.16), and of the arrays only images and
//! labels. Archives beyond 4 GiB (ZIP64) are refused.

use super::{DataSet, Pixels, one_each, shape_of, wrong};
use crate::error::Error;
use crate::read;
use flate2::{Crc, read::DeflateDecoder};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// Names of the arrays that are looked for.
const IMAGES: [&str; 2] = ["images", "x_test"];
const LABELS: [&str; 2] = ["labels", "y_test"];
/// Bytes of the record at the end of an archive, without the comment of up to 65,535 bytes behind it.
const END: usize = 22;

/// Images and, if there are any, labels of an archive.
pub(super) fn read(path: &Path) -> Result<DataSet, Error> {
    let bytes = read::bytes(path, read::UNPACKED).map_err(Error::io(path))?;
    let entries = entries(&bytes).ok_or_else(|| {
        wrong(path, "is no ZIP archive, as .npz files are, or is cut short: its directory cannot be read")
    })?;
    let find = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, entries.get(name)?)));
    let Some((name, entry)) = find(IMAGES) else {
        let names = crate::error::listed(entries.keys().map(String::as_str), ", ");
        let expected = IMAGES.join(" or ");
        return Err(wrong(path, format!("has no array {expected}; its arrays are: {names}")));
    };
    let contents = entry.contents(&bytes, name, path)?;
    let array = Array::parse(&contents, name, path)?;
    let shape = shape_of(&array.shape, path)?;
    let pixels = match array.kind {
        "|u1" => Pixels::Bytes(array.data.to_vec()),
        "<f4" => Pixels::Floats(array.elements(f32::from_le_bytes)),
        // What is finite in 64 bits and infinite in 32 is refused as such.
        "<f8" => Pixels::Floats(array.elements(|bytes| f64::from_le_bytes(bytes) as f32)),
        kind => return Err(array.wrong(&format!("holds elements {kind}; expected |u1, <f4 or <f8"), path)),
    };
    let labels = match find(LABELS) {
        None => None,
        Some((name, entry)) => {
            let contents = entry.contents(&bytes, name, path)?;
            Some(Array::parse(&contents, name, path)?.labels(path)?)
        }
    };
    one_each(labels.as_ref(), shape[0], path)?;
    Ok(DataSet { shape, pixels, labels })
}

/// An array of an archive.
struct Entry {
    method: u16,
    crc: u32,
    compressed: usize,
    length: usize,
    /// Where its local header is.
    offset: usize,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)))
}

/// None for the mark that ZIP64 has the number.
fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let number = u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?);
    (number != u32::MAX).then_some(number as usize)
}

/// The archive's directory: arrays by their names without `.npy`.
fn entries(bytes: &[u8]) -> Option<BTreeMap<String, Entry>> {
    let end = (0..=bytes.len().checked_sub(END)?).rev().take(END + usize::from(u16::MAX));
    let mut end = end.filter(|&at| bytes[at..].starts_with(b"PK\x05\x06"));
    let end = end.next()?;
    let mut at = u32_at(bytes, end + 16)?;
    let mut entries = BTreeMap::new();
    for _ in 0..u16_at(bytes, end + 10)? {
        let header = bytes.get(at..)?;
        if !header.starts_with(b"PK\x01\x02") {
            return None;
        }
        let [name, extra, comment] = [28, 30, 32].map(|field| u16_at(header, field));
        let name_end = 46 + name?;
        let text = String::from_utf8_lossy(header.get(46..name_end)?).into_owned();
        let entry = Entry {
            method: u16_at(header, 10)? as u16,
            crc: u32::from_le_bytes(*header.get(16..)?.first_chunk()?),
            compressed: u32_at(header, 20)?,
            length: u32_at(header, 24)?,
            offset: u32_at(header, 42)?,
        };
        entries.insert(text.strip_suffix(".npy").unwrap_or(&text).to_owned(), entry);
        at = at.checked_add(name_end + extra? + comment?)?;
    }
    Some(entries)
}

impl Entry {
    /// The array's file.
    fn contents<'a>(&self, bytes: &'a [u8], name: &str, path: &Path) -> Result<Cow<'a, [u8]>, Error> {
        let wrong = |what: String| wrong(path, format!("array {name} {what}"));
        let raw = || {
            let header = bytes.get(self.offset..).filter(|header| header.starts_with(b"PK\x03\x04"))?;
            let start = 30 + u16_at(header, 26)? + u16_at(header, 28)?;
            header.get(start..start.checked_add(self.compressed)?)
        };
        let raw = raw().ok_or_else(|| wrong("lies beyond the end of the archive: it is cut short".to_owned()))?;
        let contents = match self.method {
            0 => Cow::Borrowed(raw),
            8 => {
                let mut contents = Vec::new();
                // No longer than the directory says, and that is bounded.
                let most = self.length.min(read::UNPACKED as usize) as u64;
                let read = DeflateDecoder::new(raw).take(most + 1).read_to_end(&mut contents);
                read.map_err(|error| wrong(format!("cannot be decompressed: {error}")))?;
                Cow::Owned(contents)
            }
            method => return Err(wrong(format!("is compressed by method {method}; expected none (0) or deflate (8)"))),
        };
        let mut crc = Crc::new();
        crc.update(&contents);
        if contents.len() != self.length || crc.sum() != self.crc {
            return Err(wrong(
                "does not have the length and the checksum that the archive's directory says".to_owned(),
            ));
        }
        Ok(contents)
    }
}

/// A `.npy` file.
struct Array<'a> {
    name: &'a str,
    kind: &'a str,
    shape: Vec<usize>,
    data: &'a [u8],
}

impl<'a> Array<'a> {
    /// Reads its header (numpy.lib.format, versions 1 to 3).
    fn parse(bytes: &'a [u8], name: &'a str, path: &Path) -> Result<Self, Error> {
        let header = || {
            let version = *bytes.strip_prefix(b"\x93NUMPY")?.first()?;
            let (start, length) = if version == 1 { (10_usize, u16_at(bytes, 8)?) } else { (12, u32_at(bytes, 8)?) };
            let text = std::str::from_utf8(bytes.get(start..start.checked_add(length)?)?).ok()?;
            let after = |key: &str| text.split_once(key).map(|(_, rest)| rest.trim_start());
            let kind = after("'descr':")?.strip_prefix('\'')?.split_once('\'')?.0;
            let fortran = after("'fortran_order':")?.starts_with("True");
            let sizes = after("'shape':")?.strip_prefix('(')?.split_once(')')?.0.split(',').map(str::trim);
            let sizes = sizes.filter(|size| !size.is_empty()).map(|size| size.parse().ok());
            Some((kind, fortran, sizes.collect::<Option<Vec<usize>>>()?, &bytes[start + length..]))
        };
        let Some((kind, fortran, shape, data)) = header() else {
            return Err(wrong(path, format!("array {name} is no .npy file of numbers: its header cannot be read")));
        };
        let array = Self { name, kind, shape, data };
        if fortran {
            return Err(array.wrong("is in Fortran's order; expected C order (numpy.ascontiguousarray)", path));
        }
        let size: usize = kind.get(2..).and_then(|size| size.parse().ok()).unwrap_or(0);
        let length = array.shape.iter().try_fold(size, |length, &side| length.checked_mul(side));
        if size == 0 || length != Some(data.len()) {
            let message = format!("has {} bytes; its shape {:?} of {kind} has others", data.len(), array.shape);
            return Err(array.wrong(&message, path));
        }
        Ok(array)
    }

    fn wrong(&self, what: &str, path: &Path) -> Error {
        wrong(path, format!("array {} {what}", self.name))
    }

    fn elements<T, const N: usize>(&self, of: impl Fn([u8; N]) -> T) -> Vec<T> {
        self.data.as_chunks::<N>().0.iter().map(|bytes| of(*bytes)).collect()
    }

    /// Its elements as labels.
    fn labels(&self, path: &Path) -> Result<Vec<i64>, Error> {
        // Keras keeps labels as [n, 1].
        if !matches!(self.shape[..], [_] | [_, 1]) {
            return Err(self.wrong(&format!("has shape {:?}; expected [n], one label an image", self.shape), path));
        }
        Ok(match self.kind {
            "|u1" => self.elements(|[byte]| i64::from(byte)),
            "|i1" => self.elements(|[byte]| i64::from(byte as i8)),
            "<i2" => self.elements(|bytes| i64::from(i16::from_le_bytes(bytes))),
            "<i4" => self.elements(|bytes| i64::from(i32::from_le_bytes(bytes))),
            "<i8" => self.elements(i64::from_le_bytes),
            kind => {
                let message = format!("holds elements {kind}; expected |u1, |i1, <i2, <i4 or <i8");
                return Err(self.wrong(&message, path));
            }
        })
    }
}
