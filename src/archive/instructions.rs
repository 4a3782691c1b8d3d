//! `REPRODUCE.md`: the commands, what they need, and what to expect.

use super::container::Member;
use super::contents::Published;
use super::part::Part;
use crate::publish::manifest::Manifest;
use crate::words::size;

/// The program, its libraries and tables on their way to the disk. Figure 4 was measured at 790 MB in all with two tasks
/// side by side, for which this adds up to 880 MB.
const PROGRAM_MEMORY: u64 = 512 << 20;
/// Pixels are held as they are stored and as float32.
const BYTES_PER_IMAGE: u64 = 784 * 5;

pub(super) fn text(published: &Published, members: &[Member]) -> String {
    let main = published.main();
    let name = &main.pipeline;
    let version = &main.program.version;
    let mut lines = vec![
        format!("# Reproducing `{name}`"),
        String::new(),
        format!("{}{}", main.title, main.figure.as_ref().map_or(String::new(), |figure| format!(" ({figure})"))),
        String::new(),
        format!("Made by ojaflow {version}, linear algebra: {}.", main.program.linear_algebra),
        String::new(),
        "## Check it".into(),
        String::new(),
        "```sh".into(),
        format!("ojaflow verify {name}.tar.zst                # every byte, offline, without unpacking"),
        format!("zstd -dc {name}.tar.zst | sha256sum          # the digest that `verify` prints, by other means"),
        format!("tar -xf {name}.tar.zst && bagit.py --validate {name}"),
        "```".into(),
        String::new(),
        "## Run it again".into(),
        String::new(),
        format!("With ojaflow {version} and the data sets below in a folder `data`:"),
        String::new(),
        "```sh".into(),
        format!("ojaflow reproduce {name}.tar.zst --data data"),
        "```".into(),
        String::new(),
        "This verifies the archive, runs its own copy of the pipeline in a scratch folder, and compares every table and \
         figure with the one in here. The same by hand:"
            .into(),
        String::new(),
        "```sh".into(),
        format!("tar -xf {name}.tar.zst && cd {name}/data"),
        by_hand(main),
        "```".into(),
        String::new(),
        "## What it takes".into(),
        String::new(),
    ];
    lines.extend(declared(main).into_iter().map(|line| format!("> {line}")));
    lines.extend([
        String::new(),
        format!(
            "- Disk: {} for the results; as much again on a file system that can neither share blocks nor give a file two \
             names.",
            size(disk(published))
        ),
        format!(
            "- Memory: about {}, and {} more for each task side by side.",
            size(memory(published)),
            size(task(published))
        ),
        String::new(),
        "## Data sets".into(),
        String::new(),
        "The images are not needed to check the archive, and to run it again they have to be these (SHA-256 of the \
         uncompressed files):"
            .into(),
        String::new(),
    ]);
    for set in &published.data_sets {
        let licence = set.licence.as_ref().map_or(String::new(), |licence| format!(", {licence}"));
        lines.push(format!("- `{}`: {}{licence}; {} + {} images", set.name, set.title, set.n_train, set.n_test));
        lines.extend(set.files.iter().map(|file| format!("  - {}: `{}`", file.role, file.sha256)));
    }
    lines.extend([String::new(), "## What to expect".into(), String::new()]);
    for manifest in &published.manifests {
        lines.extend(expectations(manifest, members));
    }
    lines.join("\n") + "\n"
}

/// The command that makes the same tables from the unpacked archive.
fn by_hand(main: &Manifest) -> String {
    let mut command = format!(
        "OJAFLOW_PIPELINES=pipelines ojaflow pipeline {} --as {} --data ../../data --outputs ../../again",
        main.sources.first().map_or("", |source| source.path.as_str()),
        main.pipeline
    );
    for change in &main.overrides {
        command += &format!(" --set {}", quoted(change));
    }
    if let Some(to) = &main.to {
        command += &format!(" --to {to}");
    }
    command
}

/// For a shell: bare where nothing in it means anything to one.
fn quoted(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-.=/,:+".contains(c);
    if text.chars().all(bare) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// The comment at the head of the pipeline file: what its author says of time, disk and results.
fn declared(main: &Manifest) -> Vec<String> {
    let Some(source) = main.sources.first() else { return Vec::new() };
    let head = source.text.lines().take_while(|line| line.starts_with('#'));
    head.filter(|line| !line.starts_with("#:")).map(|line| line.trim_start_matches('#').trim().to_owned()).collect()
}

fn disk(published: &Published) -> u64 {
    published.manifests.iter().flat_map(|manifest| &manifest.tables).map(|table| table.bytes).sum()
}

fn memory(published: &Published) -> u64 {
    let images: usize = published.data_sets.iter().map(|set| set.n_train + set.n_test).sum();
    PROGRAM_MEMORY + BYTES_PER_IMAGE * images as u64
}

/// A task holds its largest table once as it computes and once as it is written.
fn task(published: &Published) -> u64 {
    let tables = published.manifests.iter().flat_map(|manifest| &manifest.tables);
    tables.map(|table| 2 * table.bytes / table.parts.len().max(1) as u64).max().unwrap_or(0)
}

fn expectations(manifest: &Manifest, members: &[Member]) -> Vec<String> {
    let n_tasks: usize = manifest.stages.iter().map(|stage| stage.tasks.len()).sum();
    let mut lines = vec![
        format!("`outputs/{}`: {n_tasks} tasks, {} tables.", manifest.pipeline, manifest.tables.len()),
        String::new(),
        "| table | rows | again | inside |".into(),
        "|---|---|---|---|".into(),
    ];
    for table in &manifest.tables {
        let again = match &table.schema.tolerance {
            None => "the same bytes on any machine".to_owned(),
            Some(tolerance) => format!("the same bytes on the same machine, else within {tolerance} relative"),
        };
        let prefix = format!("outputs/{}/{}", manifest.pipeline, table.path);
        let inside = match Part::of(table) {
            _ if members.iter().any(|member| member.path.starts_with(&prefix)) => "yes",
            _ => "its digest",
        };
        lines.push(format!("| `{}` | {} | {again} | {inside} |", table.name, table.rows));
    }
    lines.push(String::new());
    lines
}
