//! Whole data sets in the formats that they are distributed in, as the codes that drive the first layer.
//!
//! The name of a file says its format; its header, or its length, is checked against that:
//! - `*.bin`: CIFAR-10 or CIFAR-100, binary version ([`cifar`]);
//! - `*ubyte`, `*.idx`, each also with `.gz`: IDX, plain or gzip ([`idx`]); labels are a file of their own;
//! - `*.npz`: NumPy arrays `images` (or `x_test`) and `labels` (or `y_test`) ([`npz`]);
//! - `*.safetensors`, also with `.zst`: tensors `images` and, if there is one, `labels`. Whole numbers are codes, as in the
//!   files that a workload names; F32 are pixels.
//!
//! The value of a pixel is a byte / 255, or a float as it stands; with a [`Normalisation`] that of its channel is
//! subtracted, and the rest divided. Its code is the value in units of the network's input scale, rounded to the nearest
//! whole number (ties to even) and clipped to the codes that the input has.

pub mod cifar;
pub mod idx;
pub mod npz;

use crate::config::{Images, Input};
use crate::error::Error;
use crate::network::{Net, Shape};
use crate::workload::LoadedImages;
use crate::workload::tensors::{self, TensorFile, index_text};
use safetensors::tensor::Dtype;
use std::path::Path;

/// Largest share of pixels that may lie beyond the input's codes: more of them point to another normalisation.
const MOST_CLIPPED: f64 = 0.01;

/// Mean and standard deviation of each channel, or one of each for all.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalisation {
    /// Subtracted from a pixel's value.
    pub mean: Vec<f64>,
    /// Divides what is left.
    pub std: Vec<f64>,
}

/// What data sets are read for.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// The network's input.
    pub input: &'a Input,
    /// The network.
    pub net: &'a Net,
    /// Value of input code 1.
    pub scale: f32,
    /// How pixels were normalised in training, if they were.
    pub normalisation: Option<&'a Normalisation>,
}

/// Pixels in C order `[n, channels, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pixels {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

/// A data set as it lies in its file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DataSet {
    /// `[n, channels, height, width]`.
    shape: [usize; 4],
    pixels: Pixels,
    labels: Option<Vec<i64>>,
}

/// An error about a file's contents.
pub(super) fn wrong(path: &Path, message: impl Into<String>) -> Error {
    Error::Input { path: path.to_owned(), message: message.into() }
}

impl Reader<'_> {
    /// Reads images, with the labels that their file holds or those of another IDX file; `labelled`: whether labels are
    /// wanted at all.
    ///
    /// # Errors
    /// Returns [`Error::Config`] if the name tells of no known format or the normalisation does not fit the channels,
    /// [`Error::Io`] if a file cannot be read, and [`Error::Input`] with the first thing that is wrong in it: another
    /// format, cut short or with extra bytes, no image, a shape that is not the network's input, a pixel that is not
    /// finite, a normalisation for codes, more than 1% of the pixels beyond the input's codes, not one label an image, a label that is no class.
    pub fn read(&self, path: &Path, labels: Option<&Path>, labelled: bool) -> Result<LoadedImages, Error> {
        let classes = self.net.classes();
        let set = match Format::of(path)? {
            Format::Cifar => cifar::read(path, classes)?,
            Format::Idx => idx::images(path)?,
            Format::Npz => npz::read(path)?,
            Format::Safetensors => match self.tensors(path, labelled && labels.is_none())? {
                Tensors::Codes(_) if self.normalisation.is_some() => {
                    return Err(wrong(path, "holds codes of the input, not pixels; expected no normalisation"));
                }
                Tensors::Codes(images) => return self.with_labels(images, path, labels.filter(|_| labelled)),
                Tensors::Pixels(set) => set,
            },
        };
        let codes = self.codes(&set, path)?;
        let own = set.labels.filter(|_| labelled);
        if let (Some(labels), Some(_)) = (labels, &own) {
            let message = format!("holds labels itself; expected no others ({})", labels.display());
            return Err(wrong(path, message));
        }
        let own = own.map(|labels| checked(labels, classes, path)).transpose()?;
        let images = LoadedImages::new(self.net.input, codes, own);
        self.with_labels(images, path, labels.filter(|_| labelled))
    }

    /// Puts the labels of another file to images.
    fn with_labels(&self, images: LoadedImages, path: &Path, labels: Option<&Path>) -> Result<LoadedImages, Error> {
        let Some(labels_path) = labels else { return Ok(images) };
        let labels = checked(idx::labels(labels_path)?, self.net.classes(), labels_path)?;
        if labels.len() != images.len() {
            let message = format!("holds {} labels; {} holds {} images", labels.len(), path.display(), images.len());
            return Err(wrong(labels_path, message));
        }
        Ok(images.labelled(labels))
    }

    /// Tensors of a safetensors file: codes as a workload's file has them, or pixels.
    fn tensors(&self, path: &Path, labelled: bool) -> Result<Tensors, Error> {
        let bytes = tensors::read(path).map_err(Error::io(path))?;
        let bytes = tensors::unpacked(&bytes, path)?;
        let file = TensorFile::parse(&bytes, path)?;
        let labels = (labelled && file.find("labels").is_some()).then(|| "labels".to_owned());
        let names = Images { path: path.display().to_string(), images: "images".to_owned(), labels };
        let pixels = file.get(&names.images, "pixels")?;
        if pixels.dtype() != Dtype::F32 {
            return LoadedImages::from_bytes(&bytes, path, &names, self.input, self.net).map(Tensors::Codes);
        }
        let shape = shape_of(pixels.shape(), path)?;
        let floats = pixels.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let labels = match &names.labels {
            None => None,
            Some(name) => {
                let view = file.get(name, "labels")?;
                file.expect_dtype(name, &view, &[Dtype::U8, Dtype::I64])?;
                Some(match view.dtype() {
                    Dtype::U8 => view.data().iter().map(|&byte| i64::from(byte)).collect::<Vec<_>>(),
                    _ => view.data().as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
                })
            }
        };
        one_each(labels.as_ref(), shape[0], path)?;
        Ok(Tensors::Pixels(DataSet { shape, pixels: Pixels::Floats(floats), labels }))
    }

    /// Pixels as codes.
    fn codes(&self, set: &DataSet, path: &Path) -> Result<Vec<u16>, Error> {
        let [count, channels, height, width] = set.shape;
        let input = self.net.input;
        let expected = [input.channels, input.height, input.width].map(|length| length as usize);
        if count == 0 {
            return Err(wrong(path, "holds no image; expected at least one"));
        }
        if [channels, height, width] != expected {
            let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
            let found = Shape { channels: side(channels), height: side(height), width: side(width) };
            return Err(wrong(path, format!("holds images of {found}; the network reads {input}")));
        }
        let of_channel = self.channels(channels)?;
        let (lowest, highest) = self.range();
        let mut beyond = 0_u64;
        let mut code = |channel: usize, pixel: f64| {
            let (mean, std) = of_channel[channel];
            let exact = (pixel - mean) / std / f64::from(self.scale);
            beyond += u64::from(exact < lowest - 0.5 || exact > highest + 0.5);
            exact.round_ties_even().clamp(lowest, highest) as i32 as u16
        };
        let place = height * width;
        let codes: Vec<u16> = match &set.pixels {
            Pixels::Bytes(bytes) => {
                bytes.iter().enumerate().map(|(i, &byte)| code(i / place % channels, f64::from(byte) / 255.0)).collect()
            }
            Pixels::Floats(floats) => {
                if let Some(i) = floats.iter().position(|pixel| !pixel.is_finite()) {
                    let at = index_text(i, &set.shape);
                    return Err(wrong(path, format!("pixel {at} is {}; expected finite numbers", floats[i])));
                }
                floats.iter().enumerate().map(|(i, &pixel)| code(i / place % channels, f64::from(pixel))).collect()
            }
        };
        if beyond as f64 > MOST_CLIPPED * codes.len() as f64 {
            let (low, high) = (lowest * f64::from(self.scale), highest * f64::from(self.scale));
            return Err(wrong(
                path,
                format!(
                    "{beyond} of its {} pixels are beyond the values that the input's codes hold, {low:.3}..={high:.3}; \
                     expected pixels that are normalised as in training (a byte is taken as byte / 255)",
                    codes.len()
                ),
            ));
        }
        Ok(codes)
    }

    /// Mean and standard deviation of each channel.
    fn channels(&self, channels: usize) -> Result<Vec<(f64, f64)>, Error> {
        let Some(Normalisation { mean, std }) = self.normalisation else { return Ok(vec![(0.0, 1.0); channels]) };
        let fits = |numbers: &[f64]| numbers.len() == 1 || numbers.len() == channels;
        if !fits(mean) || !fits(std) {
            let message = format!(
                "a normalisation by {} means and {} standard deviations; images of {channels} channels take 1 of each, or \
                 {channels}",
                mean.len(),
                std.len()
            );
            return Err(Error::Config(message));
        }
        if let Some(number) = mean.iter().find(|mean| !mean.is_finite()) {
            return Err(Error::Config(format!("a normalisation by a mean of {number}; expected a finite number")));
        }
        if let Some(number) = std.iter().find(|std| !(std.is_finite() && **std > 0.0)) {
            let message = format!("a normalisation by a standard deviation of {number}; expected a positive number");
            return Err(Error::Config(message));
        }
        let of = |numbers: &[f64], channel: usize| numbers[if numbers.len() == 1 { 0 } else { channel }];
        Ok((0..channels).map(|channel| (of(mean, channel), of(std, channel))).collect())
    }

    /// Lowest and highest code of the input.
    fn range(&self) -> (f64, f64) {
        let bits = self.input.bits;
        let (lowest, highest) =
            if self.input.signed { (-(1_i64 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) };
        (lowest as f64, highest as f64)
    }
}

/// What a safetensors file of images holds.
enum Tensors {
    Codes(LoadedImages),
    Pixels(DataSet),
}

enum Format {
    Cifar,
    Idx,
    Npz,
    Safetensors,
}

impl Format {
    /// By the name of the file.
    fn of(path: &Path) -> Result<Self, Error> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        let plain_tensors = name.strip_suffix(".zst").unwrap_or(&name);
        if name.ends_with(".bin") {
            Ok(Format::Cifar)
        } else if plain.ends_with("ubyte") || plain.ends_with(".idx") {
            Ok(Format::Idx)
        } else if name.ends_with(".npz") {
            Ok(Format::Npz)
        } else if plain_tensors.ends_with(".safetensors") {
            Ok(Format::Safetensors)
        } else {
            let formats = "*.bin (CIFAR), *ubyte or *.idx (IDX, also .gz), *.npz, *.safetensors (also .zst)";
            Err(Error::Config(format!("{}: the format of a data set is known by its name: {formats}", path.display())))
        }
    }
}

/// `[n, channels, height, width]` of images; with three dimensions they have one channel.
pub(super) fn shape_of(shape: &[usize], path: &Path) -> Result<[usize; 4], Error> {
    match *shape {
        [n, height, width] => Ok([n, 1, height, width]),
        [n, channels, height, width] => Ok([n, channels, height, width]),
        _ => {
            let message =
                format!("its images have shape {shape:?}; expected [n, channels, height, width] or [n, height, width]");
            Err(wrong(path, message))
        }
    }
}

/// Refuses labels that are not one an image.
pub(super) fn one_each(labels: Option<&Vec<i64>>, images: usize, path: &Path) -> Result<(), Error> {
    match labels {
        Some(labels) if labels.len() != images => {
            Err(wrong(path, format!("holds {} labels and {images} images; expected one label an image", labels.len())))
        }
        _ => Ok(()),
    }
}

/// Labels, each of which is a class.
fn checked(labels: Vec<i64>, classes: u32, path: &Path) -> Result<Vec<u32>, Error> {
    let label = |(i, label): (usize, i64)| match u32::try_from(label) {
        Ok(label) if label < classes => Ok(label),
        _ => {
            let last = classes - 1;
            Err(wrong(path, format!("image {i} has label {label}; the network has {classes} classes, 0..={last}")))
        }
    };
    labels.into_iter().enumerate().map(label).collect()
}
