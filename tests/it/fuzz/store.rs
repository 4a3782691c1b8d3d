//! A store and a published folder that something has happened to: what is published is as if nothing had.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ojaflow::flow::{Options, Outcome, Project, Request, Silent};
use proptest::prelude::*;
use tempfile::TempDir;

use super::edits::{Damage, edit};
use super::explore;
use crate::common::{SMALL, tiny_data};

/// A project in which [`SMALL`] was run, undisturbed.
pub struct Base {
    pub project: Project,
    pub outcome: Outcome,
    outputs: PathBuf,
    _folder: TempDir,
}

pub static BASE: LazyLock<Base> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let pipelines = folder.path().join("pipelines");
    fs::create_dir(&pipelines).unwrap();
    fs::write(pipelines.join("small.toml"), SMALL).unwrap();
    let outputs = folder.path().join("outputs");
    let project = Project { outputs: outputs.clone(), data: tiny_data(), shared_data: Vec::new(), pipelines };
    let outcome = project.run(&Request::new("small"), &Options::default(), &Silent).unwrap();
    Base { project, outcome, outputs, _folder: folder }
});

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(current) = waiting.pop() {
        for entry in fs::read_dir(&current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { waiting.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// What must not change: every published table and figure. Manifests and views name places.
fn published(outputs: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = outputs.join("small");
    let kept = files(&folder).into_iter().filter(|path| {
        path.extension().is_some_and(|extension| ["parquet", "svg", "png"].iter().any(|known| extension == *known))
    });
    kept.map(|path| (path.strip_prefix(outputs).unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

/// Numbers are four kinds of damage times the files: a file of the store, a commit record, a commit record that was given
/// a digest that fits, a manifest.
fn strikes() -> impl Strategy<Value = Damage> {
    prop::collection::vec((0_usize..4096, edit()), 1..4)
}

#[test]
fn stores_and_manifests_that_are_damaged() {
    let sound = published(&BASE.outputs);
    explore("stores", 10, strikes(), |damage| {
        let folder = tempfile::tempdir().unwrap();
        let outputs = folder.path().join("outputs");
        copy(&BASE.outputs, &outputs);
        let stored = files(&outputs.join(".store/v1/results"));
        let records: Vec<&PathBuf> = stored.iter().filter(|path| path.ends_with("commit.json")).collect();
        let manifest = outputs.join("small/manifest.json");
        let mut publishes_anew = false;
        for (number, edit) in damage {
            let (kind, number) = (number % 4, number / 4);
            let path = match kind {
                0 => &stored[number % stored.len()],
                3 => &manifest,
                _ => records[number % records.len()],
            };
            publishes_anew |= kind != 3;
            let mut bytes = fs::read(path).unwrap();
            if kind == 2 {
                let body = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let mut body = bytes.split_off(body);
                edit.apply(&mut body);
                bytes = [blake3::hash(&body).to_hex().as_bytes(), b"\n", &body].concat();
            } else {
                edit.apply(&mut bytes);
            }
            fs::write(path, bytes).unwrap();
        }
        let project = Project { outputs: outputs.clone(), ..BASE.project.clone() };
        // Whoever looks at it says what is wrong, or does without.
        drop(project.verify_store().expect("damage is a finding"));
        drop((project.kept(), project.sweep_store(true, false)));
        drop((project.report(&["small".to_owned()]), project.diff("small", "small")));
        drop(project.archive("small", &[].into(), None, Some(&folder.path().join("odd.tar.zst"))));
        if publishes_anew {
            fs::remove_dir_all(outputs.join("small")).unwrap();
        }
        let run = || project.run(&Request::new("small"), &Options::default(), &Silent);
        match run() {
            Ok(_) => assert!(published(&outputs) == sound, "other tables than without the damage"),
            // A folder that nobody would take for a published one may be the user's own.
            Err(error) => assert!(!publishes_anew, "the damage is not repaired: {error}"),
        }
        let verified = project.verify_store().unwrap();
        if publishes_anew {
            assert_eq!(verified.damaged.len(), 0, "damage is left after a run: {:?}", verified.damaged);
        }
    });
}
