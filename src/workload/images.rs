//! Images, labelled or not, as the codes that drive the first layer.

use crate::config::{Images, Input, Workload};
use crate::error::Error;
use crate::network::{Net, Shape};
use crate::workload::tensors::{self, TensorFile, index_text};
use safetensors::tensor::Dtype;
use std::path::Path;

/// Images in memory.
#[derive(Debug, Clone)]
pub struct LoadedImages {
    shape: Shape,
    /// Codes, image by image in C order; a signed code is sign-extended to 16 bits.
    codes: Vec<u16>,
    labels: Option<Vec<u32>>,
}

impl LoadedImages {
    /// Images of `shape` from their codes, image by image in C order, and their labels, if they have any.
    ///
    /// # Panics
    /// Panics if the codes are not those of whole images, or not those of as many images as there are labels.
    #[must_use]
    pub fn new(shape: Shape, codes: Vec<u16>, labels: Option<Vec<u32>>) -> Self {
        assert!((codes.len() as u64).is_multiple_of(shape.len()), "whole images");
        let images = Self { shape, codes, labels };
        assert!(images.labels().is_none_or(|labels| labels.len() == images.len()), "one label an image");
        images
    }

    /// The images of `workload`, whose resolved network is `net`; the file is taken relative to `folder`. None where the
    /// workload has no images.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read, otherwise those of [`from_bytes`](Self::from_bytes).
    pub fn load(workload: &Workload, net: &Net, folder: &Path) -> Result<Option<Self>, Error> {
        workload.images.as_ref().map(|images| Self::of(images, workload, net, folder)).transpose()
    }

    /// The calibration images of `workload`, as [`load`](Self::load) reads those that are answered.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_calibration(workload: &Workload, net: &Net, folder: &Path) -> Result<Option<Self>, Error> {
        workload.calibration.as_ref().map(|images| Self::of(images, workload, net, folder)).transpose()
    }

    /// The out-of-distribution images of `workload`, without labels, as [`load`](Self::load) reads those that are answered.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_out_of_distribution(workload: &Workload, net: &Net, folder: &Path) -> Result<Option<Self>, Error> {
        let images = workload.out_of_distribution.as_ref().map(Images::unlabelled);
        images.map(|images| Self::of(&images, workload, net, folder)).transpose()
    }

    fn of(images: &Images, workload: &Workload, net: &Net, folder: &Path) -> Result<Self, Error> {
        let path = folder.join(&images.path);
        let bytes = tensors::read(&path).map_err(Error::io(&path))?;
        Self::from_bytes(&bytes, &path, images, &workload.input, net)
    }

    /// Reads an image file that is in memory, compressed with zstd or not; `path` names it in messages, `names` its
    /// tensors. Pixels are U8 `[n, channels, height, width]` (I8 where `input` is signed), labels U8 or I64 `[n]`.
    ///
    /// # Errors
    /// [`Error::Input`] with the first thing that is wrong: not a safetensors file, cut short, too large when
    /// decompressed, a tensor missing or of another type or shape, no image, a pixel that the input's bits do not hold, a
    /// label that is no class.
    pub fn from_bytes(bytes: &[u8], path: &Path, names: &Images, input: &Input, net: &Net) -> Result<Self, Error> {
        let bytes = tensors::unpacked(bytes, path)?;
        let file = TensorFile::parse(&bytes, path)?;
        let pixels = file.get(&names.images, "pixel codes")?;
        let count = pixels.shape().first().copied().unwrap_or(0);
        let shape = [count, net.input.channels as usize, net.input.height as usize, net.input.width as usize];
        let signed = input.signed;
        file.expect(&names.images, &pixels, if signed { Dtype::I8 } else { Dtype::U8 }, &shape)?;
        if count == 0 {
            return Err(file.error(format!("tensor \"{}\" holds no image; expected at least one", names.images)));
        }
        let bits = input.bits;
        let (lowest, highest) =
            if signed { (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1) } else { (0, (1i64 << bits) - 1) };
        let mut codes = Vec::with_capacity(pixels.data().len());
        for (i, &byte) in pixels.data().iter().enumerate() {
            let code = if signed { i16::from(byte as i8) } else { i16::from(byte) };
            if !(lowest..=highest).contains(&i64::from(code)) {
                return Err(file.error(format!(
                    "tensor \"{}\" holds {code} at {}; an input of {bits} bits holds {lowest}..={highest}",
                    names.images,
                    index_text(i, &shape)
                )));
            }
            codes.push(code as u16);
        }
        let labels = names.labels.as_ref().map(|name| labels(&file, name, count, net.classes())).transpose()?;
        Ok(Self { shape: net.input, codes, labels })
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len() / self.shape.len() as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Shape of an image.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Codes of image `index` in C order `[channels, height, width]`, signed ones sign-extended to 16 bits.
    ///
    /// # Panics
    /// Panics if there is no such image.
    #[must_use]
    pub fn codes(&self, index: usize) -> &[u16] {
        let length = self.shape.len() as usize;
        &self.codes[index * length..(index + 1) * length]
    }

    /// The same images with these labels.
    ///
    /// # Panics
    /// Panics if there is not one label an image.
    #[must_use]
    pub fn labelled(self, labels: Vec<u32>) -> Self {
        Self::new(self.shape, self.codes, Some(labels))
    }

    /// The images of these indices, in their order.
    ///
    /// # Panics
    /// Panics if there is no such image.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            shape: self.shape,
            codes: indices.iter().flat_map(|&index| self.codes(index)).copied().collect(),
            labels: self.labels.as_ref().map(|labels| indices.iter().map(|&index| labels[index]).collect()),
        }
    }

    /// BLAKE3 of shape and codes; labels do not count.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for side in [self.shape.channels, self.shape.height, self.shape.width] {
            hasher.update(&side.to_le_bytes());
        }
        for codes in self.codes.chunks(1 << 16) {
            let bytes: Vec<u8> = codes.iter().flat_map(|code| code.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
        *hasher.finalize().as_bytes()
    }

    /// Labels of all images, if they have any.
    #[must_use]
    pub fn labels(&self) -> Option<&[u32]> {
        self.labels.as_deref()
    }
}

/// Labels of `count` images, each below `classes`.
fn labels(file: &TensorFile, name: &str, count: usize, classes: u32) -> Result<Vec<u32>, Error> {
    let view = file.get(name, "labels; images without labels are `labels: None`")?;
    file.expect_dtype(name, &view, &[Dtype::U8, Dtype::I64])?;
    if view.shape() != [count] {
        return Err(file
            .error(format!("tensor \"{name}\" has shape {:?}; expected [{count}], one label an image", view.shape())));
    }
    let values: Vec<i64> = if view.dtype() == Dtype::U8 {
        view.data().iter().map(|&byte| i64::from(byte)).collect()
    } else {
        view.data().as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
    };
    let mut labels = Vec::with_capacity(count);
    for (i, value) in values.into_iter().enumerate() {
        match u32::try_from(value) {
            Ok(label) if label < classes => labels.push(label),
            _ => {
                return Err(file.error(format!(
                    "tensor \"{name}\" holds label {value} at [{i}]; the network has {classes} classes, 0..={}",
                    classes - 1
                )));
            }
        }
    }
    Ok(labels)
}
