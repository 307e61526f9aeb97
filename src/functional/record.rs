//! The values of a run as a safetensors file, for comparison with other frameworks.
//!
//! | tensor | type, shape | |
//! |---|---|---|
//! | `logits` | F64 `[images, members, classes]` | |
//! | `probabilities` | F64 `[images, members, classes]` | softmax of each member's logits |
//! | `labels` | I64 `[images]` | where the images have labels |
//! | `accumulators.LAYER` | I32 `[images, members, channels, height, width]` | before pooling, in units of the layer's converter step; where asked for; one member of a layer that all share |
//!
//! Images are those that were answered, from the workload's first one on.

use crate::error::Error;
use crate::functional::run::Outputs;
use crate::functional::uncertainty::softmax;
use crate::workload::Net;
use safetensors::tensor::{Dtype, View, serialize};
use std::borrow::Cow;
use std::path::Path;

/// Values to be written.
#[derive(Debug)]
pub struct Recorded {
    /// Answers.
    pub outputs: Outputs,
    /// Labels of the answered images, if they have any.
    pub labels: Option<Vec<u32>>,
    /// As in [`Evaluation`](crate::functional::Evaluation).
    pub accumulators: Vec<Vec<i32>>,
}

impl Recorded {
    /// Writes the file.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if it cannot be written.
    pub fn write(&self, net: &Net, path: &Path) -> Result<(), Error> {
        let outputs = &self.outputs;
        let images = outputs.images.len();
        let shape = vec![images, outputs.members, outputs.classes];
        let probabilities: Vec<f64> = outputs.logits.chunks_exact(outputs.classes).flat_map(softmax).collect();
        let labels: Option<Vec<i64>> = self.labels.as_ref().map(|labels| labels.iter().map(|&l| l.into()).collect());
        let mut tensors = vec![
            ("logits".to_owned(), Tensor { shape: shape.clone(), values: Values::Real(&outputs.logits) }),
            ("probabilities".to_owned(), Tensor { shape, values: Values::Real(&probabilities) }),
        ];
        if let Some(labels) = &labels {
            tensors.push(("labels".to_owned(), Tensor { shape: vec![images], values: Values::Label(labels) }));
        }
        for (layer, accumulators) in net.layers.iter().zip(&self.accumulators) {
            let map = [layer.linear.channels, layer.linear.height, layer.linear.width].map(|side| side as usize);
            let members = accumulators.len() / (images * map.iter().product::<usize>()).max(1);
            let shape = [images, members].into_iter().chain(map).collect();
            let name = format!("accumulators.{}", layer.name);
            tensors.push((name, Tensor { shape, values: Values::Accumulator(accumulators) }));
        }
        // The crate's own files are of other names while they are written, and can be read by nobody else.
        let bytes = serialize(tensors, None).map_err(|error| Error::io(path)(std::io::Error::other(error)))?;
        std::fs::write(path, bytes).map_err(Error::io(path))
    }
}

/// A tensor whose bytes are made when they are written.
struct Tensor<'a> {
    shape: Vec<usize>,
    values: Values<'a>,
}

enum Values<'a> {
    Real(&'a [f64]),
    Label(&'a [i64]),
    Accumulator(&'a [i32]),
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        match self.values {
            Values::Real(_) => Dtype::F64,
            Values::Label(_) => Dtype::I64,
            Values::Accumulator(_) => Dtype::I32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self.values {
            Values::Real(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::Label(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Values::Accumulator(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    fn data_len(&self) -> usize {
        match self.values {
            Values::Real(values) => size_of_val(values),
            Values::Label(values) => size_of_val(values),
            Values::Accumulator(values) => size_of_val(values),
        }
    }
}
