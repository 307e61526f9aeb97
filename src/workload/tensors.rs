//! Tensors of a safetensors file, with errors that name them.

use crate::error::{Error, nearest};
use crate::read;
use safetensors::tensor::{Dtype, Metadata, SafeTensorError, SafeTensors, TensorView};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::Path;

/// Largest file that is read before it is looked at.
const SMALL: u64 = 64 << 20;
/// Bytes of the length of the header, which starts a file.
const LENGTH: u64 = 8;
/// First bytes of a zstd frame (RFC 8878, 3.1.1). No header of a safetensors file is as long as they would say.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The bytes of a safetensors file, compressed with zstd or not. Of a large file the header is read first: unless it
/// tells of tensors that fill the file, the file is something else and stays unread.
///
/// # Errors
/// Returns an error if it is no regular file, cannot be read, has more than [`read::TENSORS`] bytes (compressed:
/// [`read::UNPACKED`]), or is large and something else.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = read::open(path)?;
    let length = file.metadata()?.len();
    if (SMALL + 1..=read::TENSORS).contains(&length) {
        let mut start = [0; LENGTH as usize];
        file.read_exact(&mut start)?;
        if start.starts_with(&ZSTD) {
            return read::bytes(path, read::UNPACKED);
        }
        let header = u64::from_le_bytes(start);
        let mut text = Vec::new();
        file.take(header.min(SMALL)).read_to_end(&mut text)?;
        if file_length(&text) != Some(length) {
            let message = format!("its header tells of no tensors that fill its {length} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
    }
    read::bytes(path, read::TENSORS)
}

/// Bytes of the file whose header is `text`.
fn file_length(text: &[u8]) -> Option<u64> {
    let data = serde_json::from_slice::<Metadata>(text).ok()?.data_len() as u64;
    data.checked_add(LENGTH + text.len() as u64)
}

/// The safetensors file in `bytes`: they themselves, or what a zstd frame in them holds. The header is decompressed
/// first: it tells how many bytes follow, and a frame that holds more, or more than [`read::UNPACKED`], is refused before
/// it takes memory.
pub(super) fn unpacked<'a>(bytes: &'a [u8], path: &Path) -> Result<Cow<'a, [u8]>, Error> {
    if !bytes.starts_with(&ZSTD) {
        return Ok(bytes.into());
    }
    let wrong = |message: String| Error::Input { path: path.to_owned(), message };
    let mut frames = zstd::Decoder::with_buffer(bytes).map_err(Error::io(path))?;
    let mut unpacked = Vec::new();
    let mut up_to = |unpacked: &mut Vec<u8>, length: u64| {
        let more = frames.by_ref().take(length.saturating_sub(unpacked.len() as u64)).read_to_end(unpacked);
        more.map_err(|error| {
            let after = format!("after {} bytes", unpacked.len());
            wrong(match error.kind() {
                io::ErrorKind::UnexpectedEof => format!("its compressed contents (zstd) are cut short {after}"),
                _ => format!("its compressed contents (zstd) cannot be read {after}: {error}"),
            })
        })
    };
    up_to(&mut unpacked, LENGTH)?;
    let header = unpacked.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    if header > SMALL {
        return Err(wrong(format!(
            "its compressed contents (zstd) are no safetensors file: a header of {header} bytes"
        )));
    }
    up_to(&mut unpacked, LENGTH + header)?;
    let Some(length) = unpacked.get(LENGTH as usize..).and_then(file_length) else {
        return Err(wrong("its compressed contents (zstd) are no safetensors file".to_owned()));
    };
    if length > read::UNPACKED {
        return Err(wrong(format!(
            "its compressed contents (zstd) have {length} bytes; expected at most {}, or a file that is not compressed",
            read::UNPACKED
        )));
    }
    let most = usize::try_from(length - unpacked.len() as u64).unwrap_or(usize::MAX);
    unpacked.try_reserve_exact(most + 1).map_err(|error| wrong(error.to_string()))?;
    up_to(&mut unpacked, length + 1)?;
    if unpacked.len() as u64 == length {
        return Ok(unpacked.into());
    }
    let many = if unpacked.len() as u64 > length { "more than" } else { "fewer than" };
    Err(wrong(format!("its compressed contents (zstd) have {many} the {length} bytes that their header tells of")))
}

/// A safetensors file in memory and the path that messages name it by.
pub(super) struct TensorFile<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    tensors: SafeTensors<'a>,
}

impl<'a> TensorFile<'a> {
    /// Reads the header.
    pub(super) fn parse(bytes: &'a [u8], path: &'a Path) -> Result<Self, Error> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| {
            let message = match error {
                SafeTensorError::HeaderTooSmall => {
                    format!("not a safetensors file: it has {} bytes, its header length alone takes 8", bytes.len())
                }
                SafeTensorError::InvalidHeaderLength => {
                    let declared = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
                    format!(
                        "not a safetensors file, or cut short: a header of {declared} bytes does not fit into {} bytes",
                        bytes.len()
                    )
                }
                SafeTensorError::MetadataIncompleteBuffer => format!(
                    "the tensors named in its header do not fill its {} bytes exactly: it is cut short or has extra \
                     bytes at its end",
                    bytes.len()
                ),
                SafeTensorError::InvalidHeaderDeserialization(_) => {
                    "not a safetensors file: its header is no JSON object of tensors".to_owned()
                }
                other => format!("not a safetensors file: {other}"),
            };
            Error::Input { path: path.to_owned(), message }
        })?;
        Ok(Self { path, bytes, tensors })
    }

    /// What the header says beside the tensors.
    pub(super) fn metadata(&self) -> BTreeMap<String, String> {
        let metadata = SafeTensors::read_metadata(self.bytes).ok();
        let of_file = metadata.and_then(|(_, metadata)| metadata.metadata().clone());
        of_file.into_iter().flatten().collect()
    }

    /// An error about this file.
    pub(super) fn error(&self, message: impl Into<String>) -> Error {
        Error::Input { path: self.path.to_owned(), message: message.into() }
    }

    /// The tensor of that name, if there is one.
    pub(super) fn find(&self, name: &str) -> Option<TensorView<'a>> {
        self.tensors.tensor(name).ok()
    }

    /// Names of all tensors, sorted.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names = self.tensors.names();
        names.sort_unstable();
        names
    }

    /// The tensor of that name; `meaning` says what it is for.
    pub(super) fn get(&self, name: &str, meaning: &str) -> Result<TensorView<'a>, Error> {
        self.find(name).ok_or_else(|| {
            let names = self.names();
            let mut message = format!("there is no tensor \"{name}\" ({meaning})");
            if let Some(near) = nearest(name, names) {
                let _ = write!(message, "; did you mean \"{near}\"?");
            }
            self.error(message)
        })
    }

    /// Refuses a tensor of another element type or shape.
    pub(super) fn expect(&self, name: &str, view: &TensorView, dtype: Dtype, shape: &[usize]) -> Result<(), Error> {
        self.expect_dtype(name, view, &[dtype])?;
        if view.shape() != shape {
            return Err(
                self.error(format!("tensor \"{name}\" has shape {:?}; the network expects {shape:?}", view.shape()))
            );
        }
        Ok(())
    }

    /// Refuses a tensor whose element type is none of `dtypes`.
    pub(super) fn expect_dtype(&self, name: &str, view: &TensorView, dtypes: &[Dtype]) -> Result<(), Error> {
        if dtypes.contains(&view.dtype()) {
            return Ok(());
        }
        let expected: Vec<String> = dtypes.iter().map(|d| format!("{d:?}")).collect();
        Err(self.error(format!(
            "tensor \"{name}\" holds {:?} elements; expected {}",
            view.dtype(),
            expected.join(" or ")
        )))
    }

    /// Finite 32-bit floats of a tensor of that shape, in C order.
    pub(super) fn floats(&self, name: &str, meaning: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let view = self.get(name, meaning)?;
        self.expect(name, &view, Dtype::F32, shape)?;
        let (chunks, _) = view.data().as_chunks::<4>();
        let values: Vec<f32> = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        match values.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(self.error(format!(
                "tensor \"{name}\" holds {} at {}; expected finite numbers",
                values[i],
                index_text(i, shape)
            ))),
            None => Ok(values),
        }
    }
}

/// Where element `flat` of a C-ordered tensor is, as `[i, j]`.
pub(super) fn index_text(flat: usize, shape: &[usize]) -> String {
    let mut rest = flat;
    let mut index = vec![0; shape.len()];
    for (i, &length) in index.iter_mut().zip(shape).rev() {
        *i = rest % length;
        rest /= length;
    }
    format!("{index:?}")
}
