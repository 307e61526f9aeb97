//! The binary version of CIFAR-10 and CIFAR-100 (A. Krizhevsky, 2009): records without a header. A record of CIFAR-10 is a
//! label and 3 x 32 x 32 pixels, one of CIFAR-100 has a coarse label (of 20) in front of the fine one (of 100).

use super::{DataSet, Pixels, wrong};
use crate::error::Error;
use crate::read;
use std::path::Path;

const SHAPE: [usize; 3] = [3, 32, 32];
const PIXELS: usize = 3 * 32 * 32;

/// Reads a file; its length says which of the two it is. A network of 20 classes gets the coarse labels of CIFAR-100.
pub(super) fn read(path: &Path, classes: u32) -> Result<DataSet, Error> {
    let file = read::open(path).map_err(Error::io(path))?;
    let length = file.metadata().map_err(Error::io(path))?.len();
    let [ten, hundred] = [1, 2].map(|labels| (PIXELS + labels) as u64);
    if length == 0 {
        return Err(wrong(path, "is empty; expected records of CIFAR-10 or CIFAR-100"));
    }
    // A length may fit both.
    let labels = match (length % ten, length % hundred) {
        (0, 0) => 1 + usize::from(classes > 10),
        (0, _) => 1,
        (_, 0) => 2,
        (over_ten, over_hundred) => {
            let message = format!(
                "has {length} bytes: {} records of CIFAR-10 ({ten} bytes) and {over_ten} bytes, or {} of CIFAR-100 \
                 ({hundred} bytes) and {over_hundred}; it is cut short, has extra bytes at its end, or is something else",
                length / ten,
                length / hundred
            );
            return Err(wrong(path, message));
        }
    };
    let bytes = read::bytes(path, read::UNPACKED).map_err(Error::io(path))?;
    let record = PIXELS + labels;
    let count = bytes.len() / record;
    let mut set = DataSet {
        shape: [count, SHAPE[0], SHAPE[1], SHAPE[2]],
        pixels: Pixels::Bytes(Vec::new()),
        labels: Some(Vec::with_capacity(count)),
    };
    let mut pixels = Vec::with_capacity(count * PIXELS);
    let (name, most): (_, &[u8]) = if labels == 1 { ("CIFAR-10", &[9]) } else { ("CIFAR-100", &[19, 99]) };
    for (index, record) in bytes.chunks_exact(record).enumerate() {
        let (own, of_image) = record.split_at(labels);
        if let Some((label, most)) = own.iter().zip(most).find(|(label, most)| label > most) {
            let message = format!(
                "is no file of {name}, as its {length} bytes tell: record {index} has label {label}; expected 0..={most}"
            );
            return Err(wrong(path, message));
        }
        let label = if labels == 2 && classes == 20 { own[0] } else { own[labels - 1] };
        set.labels.iter_mut().for_each(|labels| labels.push(i64::from(label)));
        pixels.extend_from_slice(of_image);
    }
    set.pixels = Pixels::Bytes(pixels);
    Ok(set)
}
