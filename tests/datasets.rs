//! Are data sets read as they lie in their files, and is each kind of broken file refused with its own message?
//!
//! `tests/npz/` was written by NumPy 2: codes 0..=15 of two 4x4 images times 17, as bytes (`savez_compressed`) and as floats
//! / 255 (`savez`), labels 2 and 0.

mod common;
mod shared;

use crossbayes::config::Workload;
use crossbayes::workload::datasets::{Normalisation, Reader};
use crossbayes::workload::{LoadedImages, resolve};
use flate2::{Compression, write::GzEncoder};
use safetensors::tensor::{Dtype, TensorView, serialize};
use shared::shared;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A network of `classes` classes on images of that shape.
fn network((channels, side): (u32, u32), classes: u32) -> Workload {
    common::vgg("test", (channels, side), &[(2, 1)], &[classes])
}

const SCALE: f32 = 1.0 / 255.0;

fn read(
    workload: &Workload,
    path: &Path,
    labels: Option<&Path>,
    normalisation: Option<&Normalisation>,
) -> Result<LoadedImages, String> {
    let net = resolve(workload).unwrap();
    let reader = Reader { input: &workload.input, net: &net, scale: SCALE, normalisation };
    reader.read(path, labels, true).map_err(|error| {
        assert_eq!(error.exit_code(), 2, "{error}");
        error.to_string().replace(&format!("{}/", path.parent().unwrap().display()), "")
    })
}

/// A folder for the files of a test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn refused(found: Result<LoadedImages, String>, expected: &str) {
    let found = found.map(|images| images.len()).unwrap_err();
    assert!(found.contains(expected), "\"{found}\" does not tell \"{expected}\"");
}

/// Records of CIFAR: labels, and pixels that count up from the record's index.
fn cifar(records: &[&[u8]]) -> Vec<u8> {
    let pixels = |index: usize| (0..3072).map(move |pixel| (index + pixel) as u8);
    records.iter().enumerate().flat_map(|(index, labels)| labels.iter().copied().chain(pixels(index))).collect()
}

fn idx(kind: u8, sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let dimensions = sizes.len() as u8;
    let sizes = sizes.iter().flat_map(|size| size.to_be_bytes());
    [0, 0, kind, dimensions].into_iter().chain(sizes).chain(bytes.iter().copied()).collect()
}

#[test]
fn cifar_is_read_record_by_record() {
    let files = Files::new();
    let ten = files.write("test.bin", &cifar(&[&[9], &[0], &[3]]));
    let images = read(&network((3, 32), 10), &ten, None, None).unwrap();
    assert_eq!((images.len(), images.labels().unwrap()), (3, &[9, 0, 3][..]));
    // At scale 1/255 the code of a byte is the byte.
    assert_eq!(images.codes(2)[..4], [2, 3, 4, 5]);
    // CIFAR-100 by its length; a network of 20 classes takes the coarse labels.
    let hundred = files.write("hundred.bin", &cifar(&[&[19, 99], &[0, 1]]));
    assert_eq!(read(&network((3, 32), 100), &hundred, None, None).unwrap().labels().unwrap(), [99, 1]);
    assert_eq!(read(&network((3, 32), 20), &hundred, None, None).unwrap().labels().unwrap(), [19, 0]);
    assert_eq!(read(&network((3, 32), 100), &hundred, None, None).unwrap().codes(1)[0], 1);
}

#[test]
fn broken_cifar_is_refused() {
    let files = Files::new();
    let ten = network((3, 32), 10);
    let whole = cifar(&[&[9], &[0], &[3]]);
    let of = |name: &str, bytes: &[u8]| read(&ten, &files.write(name, bytes), None, None);
    refused(of("short.bin", &whole[..9000]), "has 9000 bytes: 2 records of CIFAR-10 (3073 bytes) and 2854 bytes");
    refused(of("long.bin", &[&whole[..], &[0; 7]].concat()), "and 7 bytes, or 3 of CIFAR-100 (3074 bytes) and 4");
    refused(of("empty.bin", &[]), "is empty");
    refused(of("label.bin", &cifar(&[&[9], &[10]])), "record 1 has label 10; expected 0..=9");
    refused(of("hundred.bin", &cifar(&[&[1, 7], &[1, 57]])), "image 1 has label 57; the network has 10 classes, 0..=9");
    let grey = read(&network((1, 28), 10), &files.write("a.bin", &whole), None, None);
    refused(grey, "holds images of 3x32x32; the network reads 1x28x28");
}

#[test]
fn idx_is_read_plain_and_zipped() {
    let files = Files::new();
    let pixels: Vec<u8> = (0..32).collect();
    let plain = idx(8, &[2, 4, 4], &pixels);
    let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
    zipped.write_all(&plain).unwrap();
    let labels = files.write("labels-idx1-ubyte", &idx(8, &[2], &[1, 2]));
    let small = network((1, 4), 3);
    for (name, bytes) in [("images-idx3-ubyte", plain), ("images-idx3-ubyte.gz", zipped.finish().unwrap())] {
        let path = files.write(name, &bytes);
        let images = read(&small, &path, Some(&labels), None).unwrap();
        assert_eq!((images.len(), images.labels().unwrap()), (2, &[1, 2][..]));
        assert_eq!(images.codes(1), (16..32).collect::<Vec<u16>>());
        assert_eq!(read(&small, &path, None, None).unwrap().labels(), None);
    }
}

#[test]
fn broken_idx_is_refused() {
    let files = Files::new();
    let (small, pixels) = (network((1, 4), 3), [7; 32]);
    let of = |bytes: &[u8]| read(&small, &files.write("a-ubyte", bytes), None, None);
    let whole = idx(8, &[2, 4, 4], &pixels);
    refused(of(&whole[..40]), "is cut short: shape [2, 4, 4] has 32 elements, of which 24 are there");
    refused(of(&whole[..9]), "is cut short in its header");
    refused(of(&[&whole[..], &[0]].concat()), "has extra bytes behind the 32 elements of its shape [2, 4, 4]");
    refused(of(b"PK\x03\x04 something else"), "is no IDX file: it starts with bytes 50 4b 03 04");
    refused(of(b""), "is no IDX file");
    refused(of(&idx(0x0d, &[2, 4, 4], &pixels)), "holds elements of type 0x0d; expected 0x08");
    refused(of(&idx(8, &[2], &[0, 1])), "holds one number each, as labels do");
    refused(of(&idx(8, &[0, 4, 4], &[])), "holds no image");
    refused(of(&idx(8, &[u32::MAX, u32::MAX, 4], &pixels)), "expected at most 1073741824 elements");
    refused(of(&idx(8, &[2, 2, 8], &pixels)), "holds images of 1x2x8; the network reads 1x4x4");
    let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
    zipped.write_all(&whole).unwrap();
    let zipped = zipped.finish().unwrap();
    refused(of(&zipped[..zipped.len() - 12]), "its compressed contents (gzip) are cut short");
    let mut changed = zipped.clone();
    let end = changed.len() - 6;
    changed[end] ^= 1;
    refused(of(&changed), "its compressed contents (gzip) cannot be read");

    let images = files.write("a-ubyte", &whole);
    let labelled = |labels: &[u8]| {
        let file = files.write("l-ubyte", &idx(8, &[labels.len() as u32], labels));
        read(&small, &images, Some(&file), None)
    };
    refused(labelled(&[0, 1, 2]), "holds 3 labels; a-ubyte holds 2 images");
    refused(labelled(&[0, 3]), "l-ubyte: image 1 has label 3; the network has 3 classes");
    refused(read(&small, &images, Some(&images), None), "expected labels, which have one dimension");
    refused(read(&small, &files.write("a.png", &whole), None, None), "the format of a data set is known by its name");
}

#[test]
fn npz_is_what_numpy_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npz");
    let small = network((1, 4), 3);
    for name in ["compressed.npz", "stored.npz"] {
        let images = read(&small, &folder.join(name), None, None).unwrap();
        assert_eq!((images.len(), images.labels().unwrap()), (2, &[2, 0][..]), "{name}");
        assert_eq!(images.codes(1), (0..16).map(|code| code * 17).collect::<Vec<u16>>(), "{name}");
    }
    refused(read(&small, &folder.join("fortran.npz"), None, None), "array images is in Fortran's order");
    let files = Files::new();
    let whole = std::fs::read(folder.join("compressed.npz")).unwrap();
    let of = |bytes: &[u8]| read(&small, &files.write("a.npz", bytes), None, None);
    refused(of(&whole[..whole.len() - 30]), "is no ZIP archive, as .npz files are, or is cut short");
    refused(of(b""), "is no ZIP archive");
    let changed = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        of(&bytes)
    };
    // Wherever one byte differs, the file is refused or means the same.
    for at in 0..whole.len() {
        if let Ok(images) = changed(at) {
            assert_eq!(images.codes(1)[15], 255, "byte {at}");
        }
    }
    // The sixth byte of the compressed array.
    refused(changed(60), "array images");
    let mut named = whole.clone();
    // Its name in the directory stands behind all data.
    let at = named.windows(10).rposition(|name| name == b"images.npy").unwrap();
    named[at] = b'j';
    refused(of(&named), "has no array images or x_test; its arrays are: jmages, labels");
    refused(
        read(&network((1, 4), 2), &folder.join("stored.npz"), None, None),
        "image 0 has label 2; the network has 2",
    );
}

/// A safetensors file of float images of one channel and 4x4 pixels.
fn tensors(pixels: &[f32], labels: &[u8]) -> Vec<u8> {
    let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
    let images = TensorView::new(Dtype::F32, vec![pixels.len() / 16, 1, 4, 4], &bytes).unwrap();
    let labels = TensorView::new(Dtype::U8, vec![labels.len()], labels).unwrap();
    serialize([("images", images), ("labels", labels)], None).unwrap()
}

#[test]
fn pixels_are_normalised_as_stated() {
    let files = Files::new();
    let mut small = network((1, 4), 3);
    let path = files.write("a.safetensors", &tensors(&[0.5; 16], &[1]));
    // 0.5 * 255 = 127.5 exactly in the middle of two codes, and 1/255 in 32 bits is a little above: 127.499992.
    assert_eq!(read(&small, &path, None, None).unwrap().codes(0)[0], 127);
    let normalisation = Normalisation { mean: vec![0.25], std: vec![0.5] };
    // (0.5 - 0.25) / 0.5 * 255 = 127.5 again; of a byte 51 = 0.2: -0.1 is below the codes.
    assert_eq!(read(&small, &path, None, Some(&normalisation)).unwrap().codes(0)[0], 127);
    let bytes = files.write("b-ubyte", &idx(8, &[1, 4, 4], &[51; 16]));
    refused(read(&small, &bytes, None, Some(&normalisation)), "16 of its 16 pixels are beyond the values");
    small.input.signed = true;
    // -0.1 * 255 = -25.5, a little above in 32 bits: -25.4999; codes are in two's complement.
    assert_eq!(read(&small, &bytes, None, Some(&normalisation)).unwrap().codes(0)[0] as i16, -25);
    let two = Normalisation { mean: vec![0.25, 0.5], std: vec![1.0] };
    refused(read(&small, &bytes, None, Some(&two)), "images of 1 channels take 1 of each, or 1");
    let none = Normalisation { mean: vec![0.0], std: vec![0.0] };
    refused(read(&small, &bytes, None, Some(&none)), "a standard deviation of 0; expected a positive number");
}

#[test]
fn pixels_that_are_none_are_refused() {
    let files = Files::new();
    let small = network((1, 4), 3);
    let mut pixels = [0.5; 32];
    let of = |pixels: &[f32], labels: &[u8]| {
        read(&small, &files.write("a.safetensors", &tensors(pixels, labels)), None, None)
    };
    // Bytes where values are expected.
    refused(
        of(&[200.0; 32], &[1, 2]),
        "32 of its 32 pixels are beyond the values that the input's codes hold, 0.000..=1.000",
    );
    pixels[21] = f32::NAN;
    refused(of(&pixels, &[1, 2]), "pixel [1, 0, 1, 1] is NaN; expected finite numbers");
    pixels[21] = f32::NEG_INFINITY;
    refused(of(&pixels, &[1, 2]), "pixel [1, 0, 1, 1] is -inf");
    pixels[21] = 0.5;
    refused(of(&pixels, &[1]), "holds 1 labels and 2 images");
    refused(of(&pixels, &[1, 3]), "image 1 has label 3; the network has 3 classes, 0..=2");
    let path = files.write("a.safetensors", &tensors(&pixels, &[1, 2]));
    let wide = read(&network((1, 8), 3), &path, None, None);
    refused(wide, "holds images of 1x4x4; the network reads 1x8x8");
}

#[test]
fn real_data_sets_are_read() {
    let grey = network((1, 28), 10);
    for (name, labels) in [
        ("fashion-mnist/t10k-images-idx3-ubyte.gz", "fashion-mnist/t10k-labels-idx1-ubyte.gz"),
        ("mnist/t10k-images-idx3-ubyte.gz", "mnist/t10k-labels-idx1-ubyte.gz"),
        ("notmnist/t10k-images-idx3-ubyte.gz", "notmnist/t10k-labels-idx1-ubyte.gz"),
    ] {
        let Some((name, labels)) = shared(&format!("data/{name}")).zip(shared(&format!("data/{labels}"))) else {
            return;
        };
        assert_eq!(read(&grey, &name, Some(&labels), None).unwrap().len(), 10_000);
    }
    for (name, classes) in [("cifar10", 10), ("cifar100", 100)] {
        let Some(path) = shared(&format!("data/{name}/test.bin")) else { return };
        let images = read(&network((3, 32), classes), &path, None, None).unwrap();
        assert_eq!(images.len(), 10_000);
        // As many of each class; rows interleave them.
        let mut of_class = vec![0; classes as usize];
        images.labels().unwrap().iter().for_each(|&label| of_class[label as usize] += 1);
        assert!(of_class.iter().all(|&count| count == 10_000 / classes), "{of_class:?}");
    }
}
