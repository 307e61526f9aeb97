//! Does a cluster get the shards that are missing, and no others, and does the data set come out that one process makes?
#![cfg(unix)]

mod shards;

use shards::shards;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::{TempDir, tempdir};

/// 12 points of a shard each.
const SWEEP: &str = r#"(
    name: "toy",
    arch: "toy_2x2",
    workload: "toy_two_layers",
    axes: [(key: "arch.adc.bits", values: [6, 8]), (key: "schedule.images", range: (from: 1, to: 6))],
)"#;

/// Writes down its arguments, each on a line, and runs the jobs of the array one by one if `RUN` is set. With `REFUSE`, it
/// refuses every array but the first.
const SBATCH: &str = r#"#!/bin/sh
printf '%s\n' "$@" >> "$RECORD"
if [ -n "$REFUSE" ] && [ -e "$RECORD.once" ]; then
    echo 'sbatch: error: Invalid job array specification' >&2
    exit 1
fi
touch "$RECORD.once"
for argument; do
    case $argument in --array=*) array=${argument#--array=} ;; esac
done
while [ $# -gt 2 ]; do shift; done
if [ -n "$RUN" ]; then
    for range in $(echo "${array%%\%*}" | tr , ' '); do
        for task in $(seq "${range%-*}" "${range#*-}"); do
            SLURM_ARRAY_TASK_ID=$task sh "$1" "$2" > /dev/null || exit 1
        done
    done
fi
echo "41;cluster"
"#;

/// A folder with a sweep that is planned in `name`, and a folder of programs with an sbatch.
fn planned(name: &str) -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("toy.ron"), SWEEP).unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("sbatch"), SBATCH).unwrap();
    fs::set_permissions(bin.join("sbatch"), fs::Permissions::from_mode(0o755)).unwrap();
    fine(&command(&folder, &["sweep", "plan", "toy.ron", "--out", name]).output().unwrap());
    folder
}

fn command(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossbayes"));
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.path().join("bin").display());
    command.args(arguments).current_dir(folder.path()).env("PATH", path);
    command.env("RECORD", folder.path().join("record"));
    command
}

fn submit(folder: &TempDir, arguments: &[&str]) -> Command {
    command(folder, &[&["sweep", "submit"], arguments].concat())
}

fn fine(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it tells on stderr, ending with `code`.
fn fails(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// Arguments that sbatch was called with.
fn record(folder: &TempDir) -> Vec<String> {
    let text = fs::read_to_string(folder.path().join("record")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn jobs_make_the_data_set_of_a_single_process() {
    // A folder whose name a shell must not read.
    let name = "it's $HOME 5%";
    let folder = planned(name);
    let path = folder.path().join(name);
    fine(&command(&folder, &["sweep", "run", "toy.ron", "--out", "whole"]).output().unwrap());
    for shard in ["3", "8"] {
        fine(&command(&folder, &["sweep", "shard", name, "--index", shard]).output().unwrap());
    }
    // Three arrays of at most five jobs: the number of a shard is that of its job and the first argument of the script.
    let options = ["--engine", "slurm", "--array-size", "5", "--at-once", "2", "--", "--partition=main", "--time", "5"];
    let said = fine(&submit(&folder, &[&[name][..], &options].concat()).env("RUN", "1").output().unwrap());
    assert_eq!(said, "job 41: shards 0-2,4\njob 41: shards 5-7,9\njob 41: shards 10-11\n");
    let script = path.canonicalize().unwrap().join("slurm.sh");
    let recorded = record(&folder);
    let arrays: Vec<_> = recorded.chunks(9).collect();
    for (arguments, (array, base)) in arrays.iter().zip([("0-2,4%2", "0"), ("0-2,4%2", "5"), ("0-1%2", "10")]) {
        assert_eq!(arguments[0..2], ["--parsable", "--job-name=toy"]);
        assert!(arguments[2].ends_with("/it's $HOME 5%%/logs/%A_%a.txt"), "{}", arguments[2]);
        assert_eq!(arguments[3], format!("--array={array}"));
        assert_eq!(arguments[4..7], ["--partition=main", "--time", "5"]);
        assert_eq!(Path::new(&arguments[7]).canonicalize().unwrap(), script);
        assert_eq!(arguments[8], base);
    }
    assert_eq!(arrays.len(), 3);
    assert!(path.join("logs").is_dir(), "sbatch does not make the folder of its logs");
    assert_eq!(shards(&path).len(), 12);
    assert!(shards(&path) == shards(&folder.path().join("whole")));
    // Nothing is missing: nothing is submitted.
    let output = submit(&folder, &[name, "--engine", "slurm"]).output().unwrap();
    assert_eq!(fine(&output), "");
    assert_eq!(fails(&output, 0), "none of the 12 shards is missing: nothing is submitted\n");
    let json = fine(&submit(&folder, &[name, "--engine", "slurm", "--format", "json"]).output().unwrap());
    assert_eq!(json, "[]\n");
    assert_eq!(record(&folder), recorded);
    // The files are what counts.
    fs::write(path.join("shards/00006.parquet"), "damaged").unwrap();
    fs::remove_file(path.join("shards/00011.parquet")).unwrap();
    let json = fine(&submit(&folder, &[name, "--engine", "slurm", "--format", "json"]).output().unwrap());
    let jobs: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(jobs, serde_json::json!([{ "job": "41", "shards": "6,11" }]));
}

#[test]
fn a_dry_run_prints_what_would_be_done() {
    let folder = planned("s");
    fs::remove_dir_all(folder.path().join("bin")).unwrap();
    let arguments = ["s", "--engine", "slurm", "--dry-run", "--", "--comment=two words"];
    let said = fine(&submit(&folder, &arguments).env("PATH", "").output().unwrap());
    let place = folder.path().canonicalize().unwrap().join("s");
    let place = place.to_str().unwrap();
    let program = env!("CARGO_BIN_EXE_crossbayes");
    let script = format!(
        "#!/bin/sh\n#SBATCH --requeue\n#SBATCH --open-mode=append\nexec {program} sweep shard {place} \
         --index $((${{1:-0}} + SLURM_ARRAY_TASK_ID)) --threads \"${{SLURM_CPUS_PER_TASK:-1}}\"\n"
    );
    let expected = format!(
        "# {place}/slurm.sh\n{script}\nsbatch --parsable --job-name=toy --output={place}/logs/%A_%a.txt --array=0-11 \
         '--comment=two words' {place}/slurm.sh 0\n"
    );
    assert_eq!(said, expected);
    let json = fine(&submit(&folder, &["s", "--engine", "slurm", "--dry-run", "--format", "json"]).output().unwrap());
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["script"].as_str(), &json["commands"][0][4]), (Some(script.as_str()), &"--array=0-11".into()));
    assert!(!folder.path().join("s/slurm.sh").exists() && !folder.path().join("s/logs").exists());
}

#[test]
fn what_cannot_be_submitted_is_told() {
    let folder = planned("s");
    let slurm = ["s", "--engine", "slurm"];
    let told = fails(&submit(&folder, &slurm).env("PATH", "").output().unwrap(), 2);
    assert_eq!(
        told,
        "error: --engine slurm: there is no sbatch on the PATH; expected Slurm's commands, or --dry-run\n"
    );
    for option in ["--array=0-3", "--array", "-a0-3"] {
        let told = fails(&submit(&folder, &[&slurm[..], &["--", option]].concat()).output().unwrap(), 2);
        let expected = "the array is that of the missing shards; expected --at-once N before --\n";
        assert_eq!(told, format!("error: {option}: {expected}"));
    }
    let told = fails(&submit(&folder, &["s", "--engine", "pbs"]).output().unwrap(), 2);
    assert!(told.contains("invalid value 'pbs' for '--engine <ENGINE>'") && told.contains("slurm"), "{told}");
    let told = fails(&submit(&folder, &["nowhere", "--engine", "slurm"]).output().unwrap(), 2);
    assert!(told.contains("nowhere: is no folder of a sweep"), "{told}");
    assert_eq!(record(&folder), [""; 0], "nothing was submitted");
    // The second array is refused: the first one is told all the same.
    let output = submit(&folder, &[&slurm[..], &["--array-size", "8"]].concat()).env("REFUSE", "1").output().unwrap();
    let told = fails(&output, 1);
    assert_eq!(told, "error: sbatch: exit status: 1: sbatch: error: Invalid job array specification\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "job 41: shards 0-7\n");
    // An sbatch that says nothing has submitted nothing that can be told.
    fs::write(folder.path().join("bin/sbatch"), "#!/bin/sh\n").unwrap();
    let told = fails(&submit(&folder, &slurm).output().unwrap(), 1);
    assert_eq!(told, "error: sbatch: expected the number of a job, found \"\"\n");
}
