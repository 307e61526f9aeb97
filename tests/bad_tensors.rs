//! Does each kind of broken posterior or image file have its own clear message?

mod common;

use crossbayes::config::{Base, Described, Images, Posterior, Workload};
use crossbayes::run::check_described;
use crossbayes::workload::{LoadedImages, LoadedPosterior, Net, StatisticsKey, resolve};
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Element type, shape and bytes of a tensor.
type Tensor = (Dtype, Vec<usize>, Vec<u8>);

/// Tensors of a file under construction, by name.
type Tensors = BTreeMap<String, Tensor>;

fn floats(shape: &[usize], values: &[f32]) -> Tensor {
    (Dtype::F32, shape.to_vec(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

fn bytes(shape: &[usize], values: &[u8]) -> Tensor {
    (Dtype::U8, shape.to_vec(), values.to_vec())
}

fn file(tensors: &Tensors) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    serialize(views, None).unwrap()
}

/// The small network with images and labels.
fn workload() -> Workload {
    Workload {
        images: Some(Images {
            path: "images.st".to_owned(),
            images: "images".to_owned(),
            labels: Some("labels".to_owned()),
        }),
        ..common::small_workload()
    }
}

fn posterior_tensors() -> Tensors {
    let mut tensors = Tensors::new();
    for (layer, shape) in [("conv1", vec![2, 1, 3, 3]), ("fc1", vec![3, 8])] {
        let synapses = shape.iter().product();
        tensors.insert(format!("{layer}.p"), floats(&shape, &vec![0.5; synapses]));
        for name in ["bn_mean", "bn_var", "bn_mean_mode", "bn_var_mode"] {
            tensors.insert(format!("{layer}.{name}"), floats(&[shape[0]], &vec![1.0; shape[0]]));
        }
        tensors.insert(format!("{layer}.input_scale"), floats(&[1], &[0.25]));
        let packed = 2 * synapses.div_ceil(8);
        tensors.insert(format!("{layer}.w_samples_packed"), bytes(&[2, packed / 2], &vec![0xff; packed]));
    }
    tensors
}

fn image_tensors() -> Tensors {
    Tensors::from([("images".to_owned(), bytes(&[2, 1, 4, 4], &[15; 32])), ("labels".to_owned(), bytes(&[2], &[0, 2]))])
}

fn read_posterior(bytes: &[u8], spec: &Posterior, net: &Net) -> Result<LoadedPosterior, String> {
    LoadedPosterior::from_bytes(bytes, Path::new("small.st"), spec, net).map_err(|error| {
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    })
}

/// The message about a posterior file with some tensors replaced (or removed).
fn posterior_message(changes: &[(&str, Option<Tensor>)]) -> String {
    let mut tensors = posterior_tensors();
    for (name, tensor) in changes {
        tensors.remove(*name);
        if let Some(tensor) = tensor {
            tensors.insert((*name).to_owned(), tensor.clone());
        }
    }
    let workload = workload();
    read_posterior(&file(&tensors), &workload.posterior, &resolve(&workload).unwrap()).unwrap_err()
}

fn read_images(bytes: &[u8], workload: &Workload) -> Result<LoadedImages, String> {
    let net = resolve(workload).unwrap();
    LoadedImages::from_bytes(bytes, Path::new("images.st"), workload.images.as_ref().unwrap(), &workload.input, &net)
        .map_err(|error| {
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        })
}

/// The message about an image file with one tensor replaced (or removed).
fn image_message(name: &str, tensor: Option<Tensor>) -> String {
    let mut tensors = image_tensors();
    tensors.remove(name);
    if let Some(tensor) = tensor {
        tensors.insert(name.to_owned(), tensor);
    }
    read_images(&file(&tensors), &workload()).unwrap_err()
}

#[test]
fn a_network_whose_layers_store_unlike_many_samples_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let workload = workload();
    let problems = |posterior: &Tensors| {
        std::fs::write(folder.path().join("small.st"), file(posterior)).unwrap();
        std::fs::write(folder.path().join("images.st"), file(&image_tensors())).unwrap();
        let base = Base::Folder(folder.path().to_owned());
        let problems = check_described(Described::Workload(&workload), &base);
        problems.into_iter().map(|problem| (problem.path, problem.message)).collect::<Vec<_>>()
    };
    let mut tensors = posterior_tensors();
    assert_eq!(problems(&tensors), []);
    tensors.insert("fc1.w_samples_packed".to_owned(), bytes(&[1, 3], &[0xff; 3]));
    let reported = |count: u32| {
        let reported =
            format!("holds 2 weight samples of layer conv1 and {count} of layer fc1; expected as many of each");
        vec![("posterior.path".to_owned(), format!("{}: {reported}", folder.path().join("small.st").display()))]
    };
    assert_eq!(problems(&tensors), reported(1));
    tensors.remove("fc1.w_samples_packed");
    assert_eq!(problems(&tensors), reported(0));
}

#[test]
fn a_broken_file_of_calibration_images_is_reported_at_its_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small.st"), file(&posterior_tensors())).unwrap();
    std::fs::write(folder.path().join("images.st"), file(&image_tensors())).unwrap();
    let calibration = Images { path: "more.st".to_owned(), labels: None, ..workload().images.unwrap() };
    let workload = Workload { calibration: Some(calibration), ..workload() };
    let problems = || {
        let base = Base::Folder(folder.path().to_owned());
        let problems = check_described(Described::Workload(&workload), &base);
        problems.into_iter().map(|problem| (problem.path, problem.message)).collect::<Vec<_>>()
    };
    let path = folder.path().join("more.st");
    let [(key, message)] = &problems()[..] else { panic!("one problem") };
    assert_eq!(key, "calibration.path");
    assert!(message.starts_with(&format!("{}: cannot be read: ", path.display())), "{message}");
    let images = Tensors::from([("images".to_owned(), bytes(&[1, 1, 4, 4], &[16; 16]))]);
    std::fs::write(&path, file(&images)).unwrap();
    let reported = "tensor \"images\" holds 16 at [0, 0, 0, 0]; an input of 4 bits holds 0..=15";
    assert_eq!(problems(), [("calibration.path".to_owned(), format!("{}: {reported}", path.display()))]);
    std::fs::write(&path, file(&image_tensors())).unwrap();
    assert_eq!(problems(), []);
}

#[test]
fn whole_files_are_read() {
    let workload = workload();
    let net = resolve(&workload).unwrap();
    let posterior = read_posterior(&file(&posterior_tensors()), &workload.posterior, &net).unwrap();
    assert_eq!(posterior.layers[1].p.len(), 24);
    let samples = posterior.layers[0].samples.as_ref().unwrap();
    assert_eq!((samples.members, samples.member(1)), (2, vec![0xff_ffff]));
    let images = read_images(&file(&image_tensors()), &workload).unwrap();
    assert_eq!((images.len(), images.codes(1), images.labels()), (2, &[15; 16][..], Some(&[0, 2][..])));
}

#[test]
fn files_are_found_beside_the_workload() {
    let folder = tempfile::tempdir().unwrap();
    let workload = workload();
    let net = resolve(&workload).unwrap();
    let missing = LoadedPosterior::load(&workload, &net, folder.path()).unwrap_err();
    assert!(missing.to_string().starts_with(&format!("{}: ", folder.path().join("small.st").display())), "{missing}");
    std::fs::write(folder.path().join("small.st"), file(&posterior_tensors())).unwrap();
    std::fs::write(folder.path().join("images.st"), file(&image_tensors())).unwrap();
    assert_eq!(LoadedPosterior::load(&workload, &net, folder.path()).unwrap().unwrap().layers.len(), 2);
    assert_eq!(LoadedImages::load(&workload, &net, folder.path()).unwrap().unwrap().len(), 2);
    assert!(LoadedImages::load_calibration(&workload, &net, folder.path()).unwrap().is_none());
    let calibration = Images { labels: None, ..workload.images.clone().unwrap() };
    let workload = Workload { calibration: Some(calibration), ..workload };
    let calibration = LoadedImages::load_calibration(&workload, &net, folder.path()).unwrap().unwrap();
    assert_eq!((calibration.len(), calibration.labels()), (2, None));
    let bare = Workload { posterior: Posterior::Absent, images: None, ..workload };
    assert!(LoadedPosterior::load(&bare, &net, folder.path()).unwrap().is_none());
    assert!(LoadedImages::load(&bare, &net, folder.path()).unwrap().is_none());
}

#[test]
fn the_scales_of_all_layers_may_be_one_tensor() {
    let mut workload = workload();
    let Posterior::File { input_scales, .. } = &mut workload.posterior else { unreachable!() };
    *input_scales = Some("scales".to_owned());
    let net = resolve(&workload).unwrap();
    let mut tensors = posterior_tensors();
    tensors.insert("scales".to_owned(), floats(&[2], &[0.5, 0.125]));
    let posterior = read_posterior(&file(&tensors), &workload.posterior, &net).unwrap();
    assert_eq!(posterior.layers.iter().map(|layer| layer.input_scale).collect::<Vec<_>>(), [0.5, 0.125]);
    tensors.insert("scales".to_owned(), floats(&[3], &[0.5, 0.125, 1.0]));
    assert_eq!(
        read_posterior(&file(&tensors), &workload.posterior, &net).unwrap_err(),
        "small.st: tensor \"scales\" has shape [3]; the network expects [2]"
    );
}

#[test]
fn what_is_no_safetensors_file_is_told() {
    let workload = workload();
    let net = resolve(&workload).unwrap();
    let message = |bytes: &[u8]| read_posterior(bytes, &workload.posterior, &net).unwrap_err();
    assert_eq!(message(b""), "small.st: not a safetensors file: it has 0 bytes, its header length alone takes 8");
    assert_eq!(
        message(&[100, 0, 0, 0, 0, 0, 0, 0, b'{']),
        "small.st: not a safetensors file, or cut short: a header of 100 bytes does not fit into 9 bytes"
    );
    assert_eq!(message(b"\x89PNG\r\n\x1a\n....."), "small.st: not a safetensors file: header too large");
    assert_eq!(
        message(b"\x02\0\0\0\0\0\0\0[}"),
        "small.st: not a safetensors file: its header is no JSON object of tensors"
    );
    let whole = file(&posterior_tensors());
    assert_eq!(
        message(&whole[..whole.len() - 3]),
        format!(
            "small.st: the tensors named in its header do not fill its {} bytes exactly: it is cut short or has extra \
             bytes at its end",
            whole.len() - 3
        )
    );
}

#[test]
fn missing_tensors_of_a_posterior_are_told() {
    assert_eq!(
        posterior_message(&[("conv1.p", None), ("conv1.P_", Some(floats(&[1], &[0.0])))]),
        "small.st: there is no tensor \"conv1.p\" (p of the synapses of layer conv1); did you mean \"conv1.P_\"?"
    );
    assert_eq!(
        posterior_message(&[("fc1.bn_var_mode", None)]),
        "small.st: there is no tensor \"fc1.bn_var_mode\" (batch-norm variances of layer fc1); did you mean \
         \"fc1.bn_mean_mode\"?"
    );
    assert_eq!(
        posterior_message(&[("fc1.input_scale", None)]),
        "small.st: there is no tensor \"fc1.input_scale\" (input scale of layer fc1); did you mean \
         \"conv1.input_scale\"?"
    );
}

#[test]
fn tensors_of_a_layer_that_are_not_known_are_refused() {
    let some = Some(floats(&[2], &[1.0; 2]));
    assert_eq!(
        posterior_message(&[("conv1.bn_wieght", some.clone())]),
        "small.st: tensor \"conv1.bn_wieght\" is none that layer conv1 reads; did you mean \"conv1.bn_weight\"?"
    );
    assert_eq!(
        posterior_message(&[("conv1.zzzzzzzzzz", some.clone())]),
        "small.st: tensor \"conv1.zzzzzzzzzz\" is none that layer conv1 reads; expected one of conv1.p, \
         conv1.p_u8, conv1.bn_mean, conv1.bn_var, conv1.bn_mean_mode, conv1.bn_var_mode, conv1.bn_weight, conv1.bn_bias, \
         conv1.bias, conv1.input_scale, conv1.w_samples_packed, conv1.lambda, or further \
         statistics as conv1.bn_mean_fel_LAYER"
    );
    // What belongs to no layer is the user's own.
    let mut tensors = posterior_tensors();
    for name in ["conv10.extra", "conv1", "notes", "conv1.lambda"] {
        tensors.insert(name.to_owned(), floats(&[2], &[1.0; 2]));
    }
    let workload = workload();
    read_posterior(&file(&tensors), &workload.posterior, &resolve(&workload).unwrap()).unwrap();
}

#[test]
fn learned_scale_shift_and_bias_are_read() {
    let mut tensors = posterior_tensors();
    for (name, values) in [("bias", [1.0, 2.0]), ("bn_weight", [-3.0, 0.0]), ("bn_bias", [5.0, 6.0])] {
        tensors.insert(format!("conv1.{name}"), floats(&[2], &values));
    }
    let workload = workload();
    let posterior = read_posterior(&file(&tensors), &workload.posterior, &resolve(&workload).unwrap()).unwrap();
    let learned = &posterior.layers[0].learned;
    assert_eq!(
        (&learned.bias[..], &learned.scale[..], &learned.shift[..]),
        (&[1.0, 2.0][..], &[-3.0, 0.0][..], &[5.0, 6.0][..])
    );
    let learned = &posterior.layers[1].learned;
    assert_eq!(
        (&learned.bias[..], &learned.scale[..], &learned.shift[..]),
        (&[0.0; 3][..], &[1.0; 3][..], &[0.0; 3][..])
    );
    assert_eq!(
        posterior_message(&[("conv1.bias", Some(floats(&[3], &[0.0; 3])))]),
        "small.st: tensor \"conv1.bias\" has shape [3]; the network expects [2]"
    );
}

#[test]
fn tensors_of_another_kind_or_shape_are_told() {
    assert_eq!(
        posterior_message(&[("conv1.p", Some((Dtype::F64, vec![2, 1, 3, 3], vec![0; 144])))]),
        "small.st: tensor \"conv1.p\" holds F64 elements; expected F32"
    );
    assert_eq!(
        posterior_message(&[("fc1.p", Some(floats(&[8, 3], &[0.5; 24])))]),
        "small.st: tensor \"fc1.p\" has shape [8, 3]; the network expects [3, 8]"
    );
    assert_eq!(
        posterior_message(&[("conv1.bn_mean", Some(floats(&[3], &[0.0; 3])))]),
        "small.st: tensor \"conv1.bn_mean\" has shape [3]; the network expects [2]"
    );
    assert_eq!(
        posterior_message(&[("conv1.w_samples_packed", Some(bytes(&[2, 4], &[0; 8])))]),
        "small.st: tensor \"conv1.w_samples_packed\" has shape [2, 4]; the network expects [2, 3]"
    );
    assert_eq!(
        posterior_message(&[("conv1.w_samples_packed", Some(bytes(&[0, 3], &[])))]),
        "small.st: tensor \"conv1.w_samples_packed\" holds no sample; expected at least one"
    );
}

#[test]
fn numbers_of_a_posterior_that_cannot_be_are_told() {
    let mut p = [0.5; 18];
    p[13] = 1.5;
    assert_eq!(
        posterior_message(&[("conv1.p", Some(floats(&[2, 1, 3, 3], &p)))]),
        "small.st: tensor \"conv1.p\" holds 1.5 at [1, 0, 1, 1]; a probability is within 0..=1"
    );
    p[13] = f32::NAN;
    assert_eq!(
        posterior_message(&[("conv1.p", Some(floats(&[2, 1, 3, 3], &p)))]),
        "small.st: tensor \"conv1.p\" holds NaN at [1, 0, 1, 1]; expected finite numbers"
    );
    assert_eq!(
        posterior_message(&[("fc1.bn_var", Some(floats(&[3], &[1.0, -2.0, 1.0])))]),
        "small.st: tensor \"fc1.bn_var\" holds -2 at [1]; a variance is not negative"
    );
    assert_eq!(
        posterior_message(&[("fc1.bn_mean_mode", Some(floats(&[3], &[0.0, 0.0, f32::INFINITY])))]),
        "small.st: tensor \"fc1.bn_mean_mode\" holds inf at [2]; expected finite numbers"
    );
    assert_eq!(
        posterior_message(&[("fc1.input_scale", Some(floats(&[1], &[0.0])))]),
        "small.st: tensor \"fc1.input_scale\" holds 0 at [0]; a scale is positive"
    );
}

#[test]
fn a_variance_of_zero_needs_an_epsilon() {
    let mut workload = workload();
    let Posterior::File { bn_eps, .. } = &mut workload.posterior else { unreachable!() };
    *bn_eps = 0.0;
    let mut tensors = posterior_tensors();
    tensors.insert("conv1.bn_var".to_owned(), floats(&[2], &[1.0, 0.0]));
    assert_eq!(
        read_posterior(&file(&tensors), &workload.posterior, &resolve(&workload).unwrap()).unwrap_err(),
        "small.st: tensor \"conv1.bn_var\" holds 0 at [1], and bn_eps is 0: their sum divides"
    );
}

#[test]
fn images_that_do_not_fit_are_told() {
    assert_eq!(image_message("images", None), "images.st: there is no tensor \"images\" (pixel codes)");
    assert_eq!(
        image_message("images", Some(floats(&[2, 1, 4, 4], &[0.0; 32]))),
        "images.st: tensor \"images\" holds F32 elements; expected U8"
    );
    assert_eq!(
        image_message("images", Some(bytes(&[2, 4, 4], &[0; 32]))),
        "images.st: tensor \"images\" has shape [2, 4, 4]; the network expects [2, 1, 4, 4]"
    );
    assert_eq!(
        image_message("images", Some(bytes(&[0, 1, 4, 4], &[]))),
        "images.st: tensor \"images\" holds no image; expected at least one"
    );
    let mut codes = [0; 32];
    codes[21] = 16;
    assert_eq!(
        image_message("images", Some(bytes(&[2, 1, 4, 4], &codes))),
        "images.st: tensor \"images\" holds 16 at [1, 0, 1, 1]; an input of 4 bits holds 0..=15"
    );
    let mut signed = workload();
    signed.input.signed = true;
    let mut tensors = image_tensors();
    tensors.insert("images".to_owned(), (Dtype::I8, vec![2, 1, 4, 4], vec![0xf7; 32]));
    assert_eq!(
        read_images(&file(&tensors), &signed).unwrap_err(),
        "images.st: tensor \"images\" holds -9 at [0, 0, 0, 0]; an input of 4 bits holds -8..=7"
    );
}

#[test]
fn labels_that_do_not_fit_are_told() {
    assert_eq!(
        image_message("labels", None),
        "images.st: there is no tensor \"labels\" (labels; images without labels are `labels: None`)"
    );
    assert_eq!(
        image_message("labels", Some(bytes(&[3], &[0; 3]))),
        "images.st: tensor \"labels\" has shape [3]; expected [2], one label an image"
    );
    assert_eq!(
        image_message("labels", Some(floats(&[2], &[0.0; 2]))),
        "images.st: tensor \"labels\" holds F32 elements; expected U8 or I64"
    );
    assert_eq!(
        image_message("labels", Some(bytes(&[2], &[0, 3]))),
        "images.st: tensor \"labels\" holds label 3 at [1]; the network has 3 classes, 0..=2"
    );
    let negative = [0i64, -1].iter().flat_map(|label| label.to_le_bytes()).collect();
    assert_eq!(
        image_message("labels", Some((Dtype::I64, vec![2], negative))),
        "images.st: tensor \"labels\" holds label -1 at [1]; the network has 3 classes, 0..=2"
    );
}

#[test]
fn images_may_have_no_labels() {
    let mut workload = workload();
    workload.images.as_mut().unwrap().labels = None;
    let mut tensors = image_tensors();
    tensors.remove("labels");
    let images = read_images(&file(&tensors), &workload).unwrap();
    assert_eq!((images.len(), images.labels(), images.codes(1)), (2, None, &[15; 16][..]));
}

#[test]
fn too_few_stored_samples_are_told() {
    use crossbayes::config::Samples;
    use crossbayes::functional::{FunctionalModel, FunctionalSpec};
    let workload = workload();
    let net = resolve(&workload).unwrap();
    let spec = FunctionalSpec { members: 3, samples: Samples::Stored, seed: 0, ..common::functional_spec(128, 64, 10) };
    let message = |tensors: &Tensors| {
        let posterior = read_posterior(&file(tensors), &workload.posterior, &net).unwrap();
        FunctionalModel::new(&spec, &net, &posterior).unwrap_err().to_string()
    };
    let mut tensors = posterior_tensors();
    assert_eq!(
        message(&tensors),
        "small.st: tensor \"conv1.w_samples_packed\" holds 2 weight samples; 3 members need as many"
    );
    tensors.remove("conv1.w_samples_packed");
    assert_eq!(
        message(&tensors),
        "small.st: there is no tensor \"conv1.w_samples_packed\"; ensemble.samples = Stored reads its weight samples"
    );
}

/// A file that holds these tensors and, under `crossbayes` in its metadata, this text.
fn file_with_metadata(tensors: &Tensors, text: &str) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    serialize(views, Some([("crossbayes".to_owned(), text.to_owned())].into())).unwrap()
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn p_in_bytes_is_read_as_steps_of_one_255th() {
    let steps: Vec<u8> = (0..18).map(|i| i * 15).collect();
    let mut tensors = posterior_tensors();
    let p = tensors.remove("conv1.p").unwrap();
    tensors.insert("conv1.p_u8".to_owned(), bytes(&[2, 1, 3, 3], &steps));
    let workload = workload();
    let net = resolve(&workload).unwrap();
    let posterior = read_posterior(&file(&tensors), &workload.posterior, &net).unwrap();
    let expected: Vec<f32> = steps.iter().map(|&step| f32::from(step) / 255.0).collect();
    assert_eq!(posterior.layers[0].p, expected);
    assert_eq!((posterior.layers[0].p[0], posterior.layers[0].p[17]), (0.0, 1.0));
    tensors.insert("conv1.p".to_owned(), p);
    assert_eq!(
        read_posterior(&file(&tensors), &workload.posterior, &net).unwrap_err(),
        "small.st: tensors \"conv1.p\" and \"conv1.p_u8\" both hold p; expected one of them"
    );
    assert_eq!(
        posterior_message(&[("fc1.p", None), ("fc1.p_u8", Some(bytes(&[8, 3], &[0; 24])))]),
        "small.st: tensor \"fc1.p_u8\" has shape [8, 3]; the network expects [3, 8]"
    );
    assert_eq!(
        posterior_message(&[("fc1.p", None), ("fc1.p_u8", Some(floats(&[3, 8], &[0.5; 24])))]),
        "small.st: tensor \"fc1.p_u8\" holds F32 elements; expected U8"
    );
}

#[test]
fn compressed_files_are_read() {
    let workload = workload();
    let net = resolve(&workload).unwrap();
    let whole = file(&posterior_tensors());
    let posterior = read_posterior(&compressed(&whole), &workload.posterior, &net).unwrap();
    assert_eq!(posterior.layers[1].p.len(), 24);
    // Frames that follow each other are one file.
    let (first, second) = whole.split_at(whole.len() / 3);
    let frames = [compressed(first), compressed(second)].concat();
    assert!(read_posterior(&frames, &workload.posterior, &net).is_ok());
    let images = read_images(&compressed(&file(&image_tensors())), &workload).unwrap();
    assert_eq!(images.len(), 2);
}

#[test]
fn compressed_files_that_are_not_whole_are_told() {
    let workload = workload();
    let net = resolve(&workload).unwrap();
    let message = |bytes: &[u8]| read_posterior(bytes, &workload.posterior, &net).unwrap_err();
    let whole = file(&posterior_tensors());
    let frame = compressed(&whole);
    for length in 4..frame.len() {
        let reported = message(&frame[..length]);
        assert!(
            reported.starts_with("small.st: its compressed contents (zstd) are cut short after "),
            "{length}: {reported}"
        );
    }
    assert_eq!(
        message(&compressed(&whole[..whole.len() - 3])),
        format!(
            "small.st: its compressed contents (zstd) have fewer than the {0} bytes that their header tells of",
            whole.len()
        )
    );
    assert_eq!(
        message(&compressed(&[&whole[..], b"more"].concat())),
        format!(
            "small.st: its compressed contents (zstd) have more than the {0} bytes that their header tells of",
            whole.len()
        )
    );
    let mut altered = frame.clone();
    altered.extend(b"more");
    assert!(message(&altered).starts_with("small.st: its compressed contents (zstd) cannot be read after "));
    assert_eq!(message(&compressed(b"text")), "small.st: its compressed contents (zstd) are no safetensors file");
    assert_eq!(
        message(&compressed(b"longer text")),
        format!(
            "small.st: its compressed contents (zstd) are no safetensors file: a header of {} bytes",
            u64::from_le_bytes(*b"longer t")
        )
    );
}

#[test]
fn a_compressed_file_that_would_fill_the_memory_is_refused_from_its_header() {
    let workload = workload();
    let net = resolve(&workload).unwrap();
    let message = |bytes: &[u8]| read_posterior(bytes, &workload.posterior, &net).unwrap_err();
    // 8 GiB of zeros, as its header says; as many follow as a small frame holds.
    let header = format!(r#"{{"conv1.p":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}}}}"#, 8u64 << 30);
    let start = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let bomb = compressed(&[start, vec![0; 64 << 20]].concat());
    assert!(bomb.len() < 10_000, "{} bytes", bomb.len());
    assert_eq!(
        message(&bomb),
        format!(
            "small.st: its compressed contents (zstd) have {} bytes; expected at most 1073741824, or a file that is not \
             compressed",
            (8u64 << 30) + 8 + header.len() as u64
        )
    );
    // Zeros are a header of no bytes.
    let zeros = compressed(&vec![0; 64 << 20]);
    assert_eq!(message(&zeros), "small.st: its compressed contents (zstd) are no safetensors file");
}

/// Tensors with a further set of statistics in both layers.
fn with_set(name: &str, mean: f32) -> Tensors {
    let mut tensors = posterior_tensors();
    add_set(&mut tensors, name, mean);
    tensors
}

fn add_set(tensors: &mut Tensors, name: &str, mean: f32) {
    for (layer, columns) in [("conv1", 2), ("fc1", 3)] {
        tensors.insert(format!("{layer}.bn_mean_{name}"), floats(&[columns], &vec![mean; columns]));
        tensors.insert(format!("{layer}.bn_var_{name}"), floats(&[columns], &vec![2.0; columns]));
    }
}

#[test]
fn further_statistics_are_read_and_found() {
    let workload = workload();
    let net = resolve(&workload).unwrap();
    let mut tensors = with_set("fel_fc1", 7.0);
    add_set(&mut tensors, "coarse", 8.0);
    let text = r#"{"statistics": {"coarse": {"first_ensembling_layer": "conv1", "eps": 0.25}}, "more": 1}"#;
    let posterior = read_posterior(&file_with_metadata(&tensors, text), &workload.posterior, &net).unwrap();
    assert_eq!(posterior.metadata["crossbayes"], text);
    let key = |first_ensembling_layer, eps| StatisticsKey { first_ensembling_layer, eps };
    let sets: Vec<_> = posterior.sets.iter().map(|set| (set.name.as_str(), set.key)).collect();
    assert_eq!(sets, [("coarse", key(Some(0), 0.25)), ("fel_fc1", key(Some(1), 0.0))]);
    let found = |layer, key: StatisticsKey| {
        let found = posterior.statistics(layer, &key, &serde_json::Value::Null);
        (found.set.to_owned(), found.exact, found.batch_norm.mean[0])
    };
    let is = |set: &str, exact, mean| (set.to_owned(), exact, mean);
    for layer in 0..2 {
        assert_eq!(found(layer, StatisticsKey::MODE), is("mode", true, 1.0));
        assert_eq!(found(layer, StatisticsKey::SAMPLED), is("sampled", true, 1.0));
        assert_eq!(found(layer, key(Some(0), 0.25)), is("coarse", true, 8.0));
        // Nearer to 0.25 than to 0, nearer to 0, and as far from both.
        assert_eq!(found(layer, key(Some(0), 0.2)), is("coarse", false, 8.0));
        assert_eq!(found(layer, key(Some(0), 0.1)), is("sampled", false, 1.0));
        assert_eq!(found(layer, key(Some(0), 0.125)), is("sampled", false, 1.0));
    }
    // The layer before the first ensembling layer sees the mode network.
    assert_eq!(found(0, key(Some(1), 0.0)), is("mode", true, 1.0));
    assert_eq!(found(1, key(Some(1), 0.0)), is("fel_fc1", true, 7.0));
    assert_eq!(found(1, key(Some(1), 0.25)), is("fel_fc1", false, 7.0));
}

#[test]
fn statistics_of_no_known_configuration_are_refused() {
    let workload = workload();
    let net = resolve(&workload).unwrap();
    let message = |bytes: &[u8]| read_posterior(bytes, &workload.posterior, &net).unwrap_err();
    assert_eq!(
        message(&file(&with_set("fel_fc2", 0.0))),
        "small.st: tensor \"conv1.bn_mean_fel_fc2\" is none that layer conv1 reads; did you mean \
         \"conv1.bn_mean_fel_fc1\"?"
    );
    assert_eq!(
        message(&file(&with_set("fel_conv1", 0.0))),
        "small.st: statistics \"fel_conv1\" belong to the same sampling configuration as bn_mean and bn_var; expected one \
         set for each"
    );
    let mut one_layer = with_set("fel_fc1", 0.0);
    one_layer.remove("conv1.bn_var_fel_fc1");
    assert_eq!(
        message(&file(&one_layer)),
        "small.st: there is no tensor \"conv1.bn_var_fel_fc1\" (batch-norm variances of layer conv1); did you mean \
         \"conv1.bn_mean_fel_fc1\"?"
    );
    let mut negative = with_set("fel_fc1", 0.0);
    negative.insert("fc1.bn_var_fel_fc1".to_owned(), floats(&[3], &[1.0, -1.0, 1.0]));
    assert_eq!(
        message(&file(&negative)),
        "small.st: tensor \"fc1.bn_var_fel_fc1\" holds -1 at [1]; a variance is not negative"
    );
    let described = |text: &str| message(&file_with_metadata(&with_set("fine", 0.0), text));
    assert_eq!(
        described(r#"{"statistics": {"fien": {"first_ensembling_layer": "fc1"}}}"#),
        "small.st: tensor \"conv1.bn_mean_fine\" is none that layer conv1 reads; did you mean \"conv1.bn_mean_fien\"?"
    );
    assert_eq!(
        described(r#"{"statistics": {"fine": {"first_ensembling_layer": "fc2"}}}"#),
        "small.st: statistics \"fine\" are described as sampled from \"fc2\" on, which is no layer; did you mean \"fc1\"?"
    );
    assert_eq!(
        described(r#"{"statistics": {"fine": {"first_ensembling_layer": "fc1", "eps": 0.5}}}"#),
        "small.st: statistics \"fine\" are described with an eps of 0.5; expected 0..0.5"
    );
    assert_eq!(
        described(r#"{"statistics": {"fine": {"first_ensembling_layer": "fc1", "epz": 0.5}}}"#),
        "small.st: statistics in the metadata \"crossbayes\" are not described by first_ensembling_layer and eps: unknown \
         field `epz`, expected one of `first_ensembling_layer`, `eps`, `weights`, `calibration`, `read_by`"
    );
    // Statistics of two members have two rows.
    let members = r#"{"statistics": {"fine": {"first_ensembling_layer": "fc1", "weights": ["a", "b"]}}}"#;
    let refused = described(members);
    assert!(
        refused.contains(".bn_mean_fine\" has shape [") && refused.contains("the network expects [2, 2]"),
        "{refused}"
    );
    let mut twice = with_set("fel_fc1", 0.0);
    add_set(&mut twice, "fine", 0.0);
    assert_eq!(
        message(&file_with_metadata(&twice, r#"{"statistics": {"fine": {"first_ensembling_layer": "fc1"}}}"#)),
        "small.st: statistics \"fine\" belong to the same sampling configuration as \"fel_fc1\"; expected one set for \
         each"
    );
}
