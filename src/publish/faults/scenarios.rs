//! What is tried while something fails.

use std::fs;

use super::super::verify;
use super::project::{Project, SWEEP};
use crate::error::Result;
use crate::store::{Caretaking, Collection, Form, Store};

pub(super) struct Scenario {
    pub name: &'static str,
    /// What there is before.
    pub prepare: fn(&Project),
    pub act: fn(&Project) -> Result<()>,
    /// Whether nothing is damaged before: then nothing may be at any time.
    pub is_whole: bool,
    /// Whether the file system can exchange two folders.
    pub exchanges: bool,
}

pub(super) const SCENARIOS: [Scenario; 7] = [
    Scenario { name: "a first run", prepare: |_| {}, act: Project::run, is_whole: true, exchanges: true },
    Scenario {
        name: "a first run with a part that is held once",
        prepare: Project::enlarge,
        act: Project::run,
        is_whole: true,
        exchanges: true,
    },
    Scenario { name: "a run with nothing to do", prepare: publish, act: Project::run, is_whole: true, exchanges: true },
    Scenario { name: "a run over damage", prepare: spoil, act: Project::run, is_whole: false, exchanges: true },
    Scenario {
        name: "a run over damage, where folders cannot be exchanged",
        prepare: spoil,
        act: Project::run,
        is_whole: false,
        exchanges: false,
    },
    Scenario { name: "a collection", prepare: litter, act: care, is_whole: true, exchanges: true },
    Scenario { name: "a repair", prepare: scratch, act: repair, is_whole: false, exchanges: true },
];

fn publish(project: &Project) {
    project.run().unwrap();
}

/// Results without a record or with a flipped bit, and a published folder that lost a file and holds one of the user's.
fn spoil(project: &Project) {
    publish(project);
    fs::remove_file(project.table_file("number", "commit.json")).unwrap();
    flip(&project.table_file("double", "doubled.parquet"));
    let published = project.outputs().join("fake");
    fs::remove_file(published.join("views.sql")).unwrap();
    fs::create_dir(published.join("mine")).unwrap();
    fs::write(published.join("mine/notes.txt"), "mine").unwrap();
}

fn flip(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Results of an unfinished run, what dead runs left, and a lease that nobody holds.
fn litter(project: &Project) {
    publish(project);
    let other = project.plan(&["stages.double.plus=1"]);
    let session = project.store().session(Form::Loose).unwrap();
    project.execute(&other, &*session, false).unwrap();
    drop(session);
    let store = project.outputs().join(".store/v1");
    for path in ["runs/run-dead", "pending/run-dead/result-a/half.parquet", "pending/collected-b/commit.json"] {
        fs::create_dir_all(store.join(path).parent().unwrap()).unwrap();
        fs::write(store.join(path), "").unwrap();
    }
    fs::write(store.join("leases").join("0".repeat(64)), "").unwrap();
}

/// Everything that looks after a store.
fn care(project: &Project) -> Result<()> {
    let store = project.store();
    store.verify()?;
    store.entries()?;
    store.awaited()?;
    store.remember("a", b"note");
    store.recall("a");
    project.collect_as(&Collection { dry_run: true, ..SWEEP })?;
    project.collect_all()
}

/// A published table with a flipped bit, and one file of the published that is gone.
fn scratch(project: &Project) {
    publish(project);
    let published = project.outputs().join("fake");
    flip(&published.join("total.parquet"));
    fs::remove_file(published.join("views.sql")).unwrap();
}

fn repair(project: &Project) -> Result<()> {
    verify(&project.store(), &project.outputs()).map(drop)
}
