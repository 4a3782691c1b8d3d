//! A project in a temporary folder, so that integration tests read as sentences:
//! `Fixture::new().pipeline(SMALL).run().hits(0).run().hits_all()`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ojaflow::publish::manifest::Manifest;
use ojaflow::tables::frame::Frame;
use ojaflow::tables::parquet;
use serde_json::Value;
use tempfile::TempDir;

/// Two rules, two seeds, every kind of storage: 12 tasks in well under a second.
pub const SMALL: &str = r#"
[pipeline]
name  = "small"
title = "Small enough to run in tests"

[matrix]
rule = ["bp", "bp_oja"]
seed = { first = 0, count = 2 }

[rules.bp]
gradient = 0.01

[rules.bp_oja]
gradient = 0.01
oja      = 0.001

[stages.data]
kind    = "load"
dataset = "tiny"

[stages.train]
kind      = "train"
data      = "data"
layers    = [784, 12, 10]
samples   = 100
schedule  = { every = 50 }
snapshots = [0, 100]

[stages.activations]
kind    = "activations"
of      = "train"
layers  = [1]
steps   = [100]
samples = 50

[stages.accuracy]
kind      = "bootstrap"
of        = "train_evaluations"
value     = "accuracy"
resamples = 99

[stages.last]
kind  = "sql"
query = "SELECT rule, mean FROM accuracy WHERE step = 100"

[[claims]]
id           = "S1"
statement    = "accuracy is a share"
of           = "accuracy"
where        = { step = 100 }
for_all      = { rule = ["bp", "bp_oja"] }
greater_than = -100.0
"#;

/// A race, which needs a matrix of its own, to its last level.
pub const RACE: &str = r#"
[pipeline]
name  = "small"
title = "Coefficients chosen"

[matrix]
dataset  = ["tiny"]
rule     = ["bp"]
gradient = [0.01, 0.02]
seed     = { first = 100, count = 3 }

[matrix.setting.small]
raced.layers = [784, 12, 10]

[rules.bp]

[stages.images_to_race_on]
kind = "load"

[stages.coefficients]
kind = "tuned"
data = "images_to_race_on"

[stages.raced]
kind     = "train"
data     = "images_to_race_on"
samples  = 60
schedule = [30, 60]

[stages.scores]
kind          = "bootstrap"
of            = "raced_evaluations"
value         = "accuracy"
mean_over     = ["step"]
when_diverged = 0.1
resamples     = 20

[stages.race]
kind         = "race"
of           = "scores_values"
coefficients = ["gradient"]
extra        = 8
"#;

/// Tasks of [`SMALL`]: data, 4 trainings, 4 recordings, interval, query, claims.
pub const SMALL_TASKS: usize = 12;

/// The program under test, deaf to the surroundings of the test run.
pub fn ojaflow() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ojaflow"));
    for variable in [
        "OJAFLOW_OUTPUTS",
        "OJAFLOW_DATA",
        "OJAFLOW_PIPELINES",
        "OJAFLOW_KERNELS",
        "OJAFLOW_HOST",
        "OJAFLOW_SHARD",
        "OJAFLOW_CHECKPOINT_SECONDS",
        "NO_COLOR",
    ] {
        command.env_remove(variable);
    }
    // A user without data sets of their own.
    command.env("XDG_DATA_HOME", "/nonexistent");
    command
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A data folder with the set `tiny`, made by the first test that needs it: 250 training images (the last 50 are the
/// tuning split) and 60 test images of ten classes, mostly dark, each class with bright rows of its own.
pub fn tiny_data() -> PathBuf {
    // The number is raised whenever what is made below changes.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let data = target.join("tiny-2");
    if data.is_dir() {
        return data;
    }
    let folder = tempfile::tempdir_in(target).unwrap();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    for (prefix, n) in [("train", 250_u32), ("t10k", 60)] {
        let mut images = [0x0803, n, 28, 28].map(u32::to_be_bytes).concat();
        let mut labels = [0x0801, n].map(u32::to_be_bytes).concat();
        for index in 0..n {
            let label = index * 7 % 10;
            labels.push(label as u8);
            images.extend((0..784_u32).map(|pixel| {
                let bright = pixel / 28 / 2 == label && (pixel + index) % 3 != 0;
                if bright { 255 - ((index * 13 + pixel) % 64) as u8 } else { 0 }
            }));
        }
        write_gz(&source.join(format!("{prefix}-images-idx3-ubyte.gz")), &images);
        write_gz(&source.join(format!("{prefix}-labels-idx1-ubyte.gz")), &labels);
    }
    let made = folder.path().join("data");
    let imported = ojaflow().args(["data", "import"]).arg(&source).args(["--as", "tiny", "--data"]).arg(&made).output();
    let imported = imported.unwrap();
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    // In one step, because tests start side by side; whoever comes late finds the same data there.
    if let Err(error) = fs::rename(&made, &data) {
        assert!(data.is_dir(), "{error}");
    }
    data
}

/// A project with one pipeline, and the committed data sets under a path that is the same everywhere.
pub fn project(name: &str, pipeline: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("pipelines")).unwrap();
    fs::write(folder.path().join("pipelines").join(name).with_extension("toml"), pipeline).unwrap();
    std::os::unix::fs::symlink(root().join("data"), folder.path().join("data")).unwrap();
    folder
}

fn write_gz(path: &Path, bytes: &[u8]) {
    let mut encoder = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap();
}

/// Changes the content of a compressed file.
pub fn edit_gz(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = Vec::new();
    GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    change(&mut bytes);
    write_gz(path, &bytes);
}

/// A folder with pipelines and outputs of its own.
pub struct Fixture {
    folder: TempDir,
    text: String,
    /// Options of every command.
    options: Vec<String>,
    /// What the last `run` reported (`--json`).
    record: Option<Value>,
    /// What was planned before the last `run`, and its `plan --format json`.
    planned: Vec<Value>,
}

impl Fixture {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pipelines")).unwrap();
        Self { folder, text: String::new(), options: Vec::new(), record: None, planned: Vec::new() }
    }

    /// The pipeline that is run from now on.
    pub fn pipeline(mut self, text: &str) -> Self {
        self.text = text.to_owned();
        self.save()
    }

    /// Changes a part of the pipeline's text.
    pub fn edit(mut self, from: &str, to: &str) -> Self {
        assert_eq!(self.text.matches(from).count(), 1, "`{from}` stands once in the pipeline");
        self.text = self.text.replace(from, to);
        self.save()
    }

    /// Another pipeline beside the first.
    pub fn beside(self, name: &str, text: &str) -> Self {
        fs::write(self.path(&format!("pipelines/{name}.toml")), text).unwrap();
        self
    }

    /// Options of every run from now on.
    pub fn with(mut self, options: &[&str]) -> Self {
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
        self
    }

    fn save(self) -> Self {
        fs::write(self.path("pipelines/small.toml"), &self.text).unwrap();
        self
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub fn outputs(&self) -> PathBuf {
        self.path("outputs")
    }

    /// `ojaflow` in this project.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = ojaflow();
        command.current_dir(self.folder.path()).env("OJAFLOW_DATA", tiny_data()).args(args);
        command
    }

    pub fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that has to succeed; its stdout.
    pub fn stdout(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "ojaflow {}\n{stdout}\n{stderr}", args.join(" "));
        stdout
    }

    /// Runs a command in the background.
    pub fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn args<'a>(&'a self, head: &[&'a str]) -> Vec<&'a str> {
        head.iter().copied().chain(self.options.iter().map(String::as_str)).collect()
    }

    /// Plans, then runs; both are remembered, so that a test can say what was predicted and what happened.
    pub fn run(mut self) -> Self {
        self.planned = self.plan();
        let output = self.output(&self.args(&["pipeline", "small", "--json"]));
        assert!(output.status.success(), "{}", text(&output.stderr));
        self.record = Some(serde_json::from_slice(&output.stdout).expect("one JSON record"));
        // Whatever is run in these tests, the plan before it was right.
        assert_eq!(self.record()["tasks_cached"], self.count_planned("cached"), "cached as predicted");
        assert_eq!(
            self.record()["tasks_run"],
            self.count_planned("run") + self.count_planned("replay"),
            "run as predicted"
        );
        self
    }

    /// `plan --format json`
    pub fn plan(&self) -> Vec<Value> {
        // `--jobs` and the like belong to runs only.
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let mut args = vec!["plan", "small", "--format", "json"];
        let mut rest = options.iter();
        while let Some(option) = rest.next() {
            match *option {
                "--jobs" => drop(rest.next()),
                "--quiet" => {}
                other => args.push(other),
            }
        }
        serde_json::from_str(&self.stdout(&args)).expect("a list of tasks")
    }

    /// How many different tasks were planned with a status.
    pub fn count_planned(&self, status: &str) -> usize {
        let mut keys: Vec<&str> = self
            .planned
            .iter()
            .filter(|task| task["status"] == status)
            .map(|task| task["key"].as_str().expect("a key"))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys.len()
    }

    /// The stages of which something ran last time.
    pub fn ran(&self) -> Vec<String> {
        let mut stages: Vec<String> = Vec::new();
        for task in self.planned.iter().filter(|task| task["status"] == "run" || task["status"] == "replay") {
            let stage = task["stage"].as_str().expect("a stage").to_owned();
            if !stages.contains(&stage) {
                stages.push(stage);
            }
        }
        stages
    }

    pub fn record(&self) -> &Value {
        self.record.as_ref().expect("after a run")
    }

    /// Asserts how many tasks the last run found in the store.
    pub fn hits(self, expected: usize) -> Self {
        assert_eq!(self.record()["tasks_cached"], expected, "tasks from the store; run: {:?}", self.ran());
        self
    }

    /// Asserts that the last run found everything in the store.
    pub fn hits_all(self) -> Self {
        assert_eq!(self.record()["tasks_run"], 0, "run: {:?}", self.ran());
        self
    }

    /// Asserts which stages ran, and that all of their tasks did unless the plan says otherwise.
    pub fn reran(self, stages: &[&str]) -> Self {
        assert_eq!(self.ran(), stages);
        self
    }

    pub fn manifest(&self, published: &str) -> Value {
        let path = self.outputs().join(published).join("manifest.json");
        serde_json::from_slice(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
    }

    /// A published table that is one file.
    pub fn frame(&self, published: &str, table: &str) -> Frame {
        let folder = self.outputs().join(published);
        let manifest = Manifest::read(&folder).unwrap().expect("published");
        let entry = manifest.tables.iter().find(|entry| entry.name == table).expect("one of its tables");
        let bytes = fs::read(folder.join(&entry.path)).unwrap();
        Frame::new(&*entry.name, parquet::read(bytes.into(), &entry.schema).unwrap().to_batch().unwrap())
    }

    /// Published folders whose name tells of an override.
    pub fn published_beside(&self) -> Vec<String> {
        let entries =
            fs::read_dir(self.outputs()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        entries.filter(|name| name.contains('~')).collect()
    }

    /// Everything in the manifest that is a digest: of tables, their parts and figures, by name.
    pub fn digests(&self, published: &str) -> BTreeMap<String, String> {
        digests(&self.manifest(published))
    }

    /// All files below the outputs folder, relative to it.
    pub fn files(&self) -> Vec<PathBuf> {
        files_below(&self.outputs())
    }

    /// Asserts that the store is sound: every result reads back as it was committed.
    pub fn verified(self) -> Self {
        self.assert_verified();
        self
    }

    pub fn assert_verified(&self) {
        self.stdout(&["store", "verify"]);
    }

    /// The stored file of a kind of table (`evaluations.parquet`) that comes first.
    pub fn stored(&self, file: &str) -> PathBuf {
        let mut found: Vec<PathBuf> = files_below(&self.outputs().join(".store/v1/results"))
            .into_iter()
            .filter(|path| path.file_name().is_some_and(|name| name == file))
            .collect();
        found.sort();
        self.outputs().join(".store/v1/results").join(found.first().unwrap_or_else(|| panic!("no stored {file}")))
    }
}

pub fn digests(manifest: &Value) -> BTreeMap<String, String> {
    let mut digests = BTreeMap::new();
    for table in manifest["tables"].as_array().expect("tables") {
        let name = table["name"].as_str().expect("a name");
        if let Some(digest) = table["digest"].as_str() {
            digests.insert(name.to_owned(), digest.to_owned());
        }
        for part in table["parts"].as_array().expect("parts") {
            let key = part["key"].as_str().expect("a key");
            digests.insert(format!("{name}/{key}"), part["digest"].as_str().expect("a digest").to_owned());
        }
    }
    for figure in manifest["figures"].as_array().expect("figures") {
        let name = figure["name"].as_str().expect("a name");
        digests.insert(name.to_owned(), figure["digest"].as_str().expect("a digest").to_owned());
    }
    digests
}

/// `smoke`, published in a folder of its own: every kind of file that there is.
pub struct Smoke {
    outputs: TempDir,
}

impl Smoke {
    pub fn run() -> Self {
        let smoke = Self { outputs: tempfile::tempdir().unwrap() };
        smoke.succeeds(&["pipeline", "smoke", "--quiet"]);
        smoke
    }

    pub fn output(&self, args: &[&str]) -> Output {
        ojaflow().current_dir(root()).arg("--outputs").arg(self.outputs.path()).args(args).output().unwrap()
    }

    /// Runs a command that has to succeed.
    pub fn succeeds(&self, args: &[&str]) -> Output {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}\n{}", text(&output.stderr));
        output
    }

    /// Runs a command that has to fail, to name a file, and to say what to do.
    pub fn fails(&self, args: &[&str], named: &Path) {
        let output = self.output(args);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}\n{said}");
        assert!(said.contains(named.to_str().unwrap()) && said.contains("run the pipeline again"), "{args:?}\n{said}");
    }

    pub fn outputs(&self) -> PathBuf {
        self.outputs.path().to_owned()
    }

    pub fn folder(&self) -> PathBuf {
        self.outputs.path().join("smoke")
    }

    pub fn files(&self) -> Vec<PathBuf> {
        let files: Vec<PathBuf> =
            files_below(&self.folder()).into_iter().map(|path| self.folder().join(path)).collect();
        assert!(files.len() > 25, "parts, tables, figures, views and the manifest");
        files
    }
}

/// Flips one bit in the middle of a file, also of one that is read-only: its owner can take that back.
pub fn flip_a_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    let mode = fs::metadata(path).unwrap().permissions();
    fs::set_permissions(path, fs::Permissions::from_mode(mode.mode() | 0o200)).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, mode).unwrap();
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What readers of the published folders see: every file with its digest, and one that cannot be read as if nothing were in it.
pub fn published_below(outputs: &Path) -> BTreeMap<PathBuf, blake3::Hash> {
    let files = files_below(outputs).into_iter().filter(|path| !path.starts_with(".store"));
    files
        .map(|path| {
            let bytes = fs::read(outputs.join(&path)).unwrap_or_default();
            (path, blake3::hash(&bytes))
        })
        .collect()
}

pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(current) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&current) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
