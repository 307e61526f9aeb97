//! Answers images without simulating time, and shows the one whose answers depend most on the weights.
//!
//! `cargo run --release --example answers`

use crossbayes::config::{LoadRequest, Location, Posterior, embedded, load};
use crossbayes::functional::{FunctionalModel, FunctionalSpec};
use crossbayes::workload::{LoadedImages, LoadedPosterior, resolve};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let loaded = load(&LoadRequest::default())?;
    let workload = &loaded.config.workload;
    let net = resolve(workload).map_err(|problems| format!("{problems:?}"))?;
    // The files of the built-in network are built into the program; those of another one would be read from disk.
    let bytes = |path: &str| match loaded.workload_base.locate(path) {
        Location::Embedded(name) => embedded::data(&name).map(<[u8]>::to_vec).ok_or(name),
        Location::File(file) => std::fs::read(&file).map_err(|error| error.to_string()),
    };
    let Posterior::File { path, .. } = &workload.posterior else {
        return Err("the workload has no posterior file".into());
    };
    let posterior = LoadedPosterior::from_bytes(&bytes(path)?, Path::new(path), &workload.posterior, &net)?;
    let names = workload.images.as_ref().ok_or("the workload has no images")?;
    let images = LoadedImages::from_bytes(&bytes(&names.path)?, Path::new(&names.path), names, &workload.input, &net)?;

    let model = FunctionalModel::new(&FunctionalSpec::of(&loaded.config), &net, &posterior)?;
    let outputs = model.run(&images, 0..images.len(), 1, &|_| {})?;
    let labels = images.labels().ok_or("the images have no labels")?;
    let right = outputs.predictions.iter().zip(labels).filter(|(a, b)| a == b).count();
    println!("{right} of {} right with {} members", images.len(), outputs.members);

    let information = &outputs.mutual_information;
    let most = (0..images.len()).max_by(|&a, &b| information[a].total_cmp(&information[b])).ok_or("no images")?;
    println!(
        "image {most}: answer {}, label {}, entropy {:.3} nats, of which {:.3} tell about the weights",
        outputs.predictions[most], labels[most], outputs.entropy[most], information[most]
    );
    for row in images.codes(most).chunks(images.shape().width as usize) {
        println!(
            "  {}",
            row.iter().map(|&code| [' ', '.', 'o', '#'][usize::from(code.min(16)) / 5]).collect::<String>()
        );
    }
    Ok(())
}
