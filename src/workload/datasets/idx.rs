//! IDX files, in which MNIST and its kin are distributed (Y. LeCun): two bytes 0, the type of the elements, the number of
//! dimensions, their sizes in 32 bits, highest byte first, and the elements in C order; plain, or as gzip.

use super::{DataSet, Pixels, shape_of, wrong};
use crate::error::Error;
use crate::read;
use flate2::read::MultiGzDecoder;
use std::io::{BufRead as _, BufReader, ErrorKind, Read};
use std::path::Path;

/// First bytes of gzip (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Unsigned bytes.
const BYTES: u8 = 0x08;
/// Most dimensions of a file.
const MOST: u8 = 4;

/// Images `[n, height, width]` or `[n, channels, height, width]`.
pub(super) fn images(path: &Path) -> Result<DataSet, Error> {
    let (sizes, bytes) = contents(path)?;
    if sizes.len() == 1 {
        return Err(wrong(path, "holds one number each, as labels do; expected images"));
    }
    Ok(DataSet { shape: shape_of(&sizes, path)?, pixels: Pixels::Bytes(bytes), labels: None })
}

/// Labels `[n]`.
pub(super) fn labels(path: &Path) -> Result<Vec<i64>, Error> {
    let (sizes, bytes) = contents(path)?;
    if sizes.len() != 1 {
        return Err(wrong(path, format!("has shape {sizes:?}; expected labels, which have one dimension")));
    }
    Ok(bytes.into_iter().map(i64::from).collect())
}

/// Sizes and elements of a file.
fn contents(path: &Path) -> Result<(Vec<usize>, Vec<u8>), Error> {
    let mut file = BufReader::new(read::open(path).map_err(Error::io(path))?);
    let zipped = file.fill_buf().map_err(Error::io(path))?.starts_with(&GZIP);
    if zipped { parsed(MultiGzDecoder::new(file), path) } else { parsed(file, path) }
}

fn parsed(mut from: impl Read, path: &Path) -> Result<(Vec<usize>, Vec<u8>), Error> {
    let mut up_to = |length: u64| -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        from.by_ref().take(length).read_to_end(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                wrong(path, "its compressed contents (gzip) are cut short, or something else follows them")
            }
            ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                wrong(path, format!("its compressed contents (gzip) cannot be read: {error}"))
            }
            _ => Error::io(path)(error),
        })?;
        Ok(bytes)
    };
    let start = up_to(4)?;
    let &[0, 0, kind, dimensions @ 1..=MOST] = start.as_slice() else {
        let found: Vec<String> = start.iter().map(|byte| format!("{byte:02x}")).collect();
        let message = format!(
            "is no IDX file: it starts with bytes {}; expected 00 00, the type of its elements and 1 to {MOST} dimensions",
            found.join(" ")
        );
        return Err(wrong(path, message));
    };
    if kind != BYTES {
        return Err(wrong(
            path,
            format!("holds elements of type 0x{kind:02x}; expected 0x{BYTES:02x}, unsigned bytes"),
        ));
    }
    let header = up_to(4 * u64::from(dimensions))?;
    let (sizes, []) = header.as_chunks::<4>() else { return Err(wrong(path, "is cut short in its header")) };
    if sizes.len() < usize::from(dimensions) {
        return Err(wrong(path, "is cut short in its header"));
    }
    let sizes: Vec<usize> = sizes.iter().map(|size| u32::from_be_bytes(*size) as usize).collect();
    let length = sizes.iter().try_fold(1_u64, |length, &size| length.checked_mul(size as u64));
    let Some(length) = length.filter(|length| *length <= read::UNPACKED) else {
        return Err(wrong(path, format!("has shape {sizes:?}; expected at most {} elements", read::UNPACKED)));
    };
    // One byte more than there should be; of gzip this also checks the sum at its end.
    let bytes = up_to(length + 1)?;
    match (bytes.len() as u64).cmp(&length) {
        std::cmp::Ordering::Equal => Ok((sizes, bytes)),
        std::cmp::Ordering::Less => {
            let message =
                format!("is cut short: shape {sizes:?} has {length} elements, of which {} are there", bytes.len());
            Err(wrong(path, message))
        }
        std::cmp::Ordering::Greater => {
            Err(wrong(path, format!("has extra bytes behind the {length} elements of its shape {sizes:?}")))
        }
    }
}
