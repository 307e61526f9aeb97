//! Tensors of a safetensors file, with errors that name them.

use crate::error::{Error, nearest};
use crate::read;
use safetensors::tensor::{Dtype, Metadata, SafeTensorError, SafeTensors, TensorView};
use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::Path;

/// Largest file that is read before it is looked at.
const SMALL: u64 = 64 << 20;
/// Bytes of the length of the header, which starts a file.
const LENGTH: u64 = 8;

/// The bytes of a safetensors file. Of a large file the header is read first: unless it tells of tensors that fill the
/// file, the file is something else and stays unread.
///
/// # Errors
/// Returns an error if it is no regular file, cannot be read, has more than [`read::TENSORS`] bytes, or is large and something else.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = read::open(path)?;
    let length = file.metadata()?.len();
    if (SMALL + 1..=read::TENSORS).contains(&length) {
        let mut start = [0; LENGTH as usize];
        file.read_exact(&mut start)?;
        let header = u64::from_le_bytes(start);
        let mut text = Vec::new();
        file.take(header.min(SMALL)).read_to_end(&mut text)?;
        let told = serde_json::from_slice::<Metadata>(&text).ok().map(|metadata| metadata.data_len() as u64);
        if told.and_then(|data| data.checked_add(LENGTH + header)) != Some(length) {
            let message = format!("its header tells of no tensors that fill its {length} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
    }
    read::bytes(path, read::TENSORS)
}

/// A safetensors file in memory and the path that messages name it by.
pub(super) struct TensorFile<'a> {
    path: &'a Path,
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
        Ok(Self { path, tensors })
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
