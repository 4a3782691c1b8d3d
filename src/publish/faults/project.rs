//! A project of fake stages in a temporary folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::super::{check_places, damage, publish, published_already, referred_keys};
use super::faulty::Faulty;
use crate::error::Result;
use crate::files::watch::{Watching, copy_all, folder, watch};
use crate::plan::{self, Plan, Request, Statuses};
use crate::publish::manifest::Manifest;
use crate::run::{Manner, Run, Silent};
use crate::store::{Caretaking, Collection, Form, Key, PosixStore, Purpose, Session, Store};
use crate::task::fake::Fakes;

/// A table handed on in memory, one as a folder of parts, one joined from parts, one copied as it lies in the store.
const PIPELINE: &str = "[pipeline]\nname = \"fake\"\ntitle = \"fake\"\n[matrix]\nvalue = [1]\n\
                        [stages.number]\nkind = \"number\"\n\
                        [stages.double]\nkind = \"double\"\nof = \"number\"\npassing = true\n\
                        [stages.total]\nkind = \"total\"\nof = \"double\"\n";

pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const SWEEP: Collection = Collection { dry_run: false, unfinished: false, now: NOW };

pub(super) struct Project {
    folder: tempfile::TempDir,
    pub(super) watch: Arc<Faulty>,
    _watching: Watching,
}

impl Project {
    pub(super) fn new() -> Self {
        Self::watched(true)
    }

    fn watched(exchanges: bool) -> Self {
        let folder = folder();
        fs::write(folder.path().join("fake.toml"), PIPELINE).unwrap();
        let faulty = Arc::new(Faulty::new(exchanges));
        let outputs = folder.path().join("outputs");
        fs::create_dir(&outputs).unwrap();
        Self { watch: faulty.clone(), _watching: watch(&outputs, faulty), folder }
    }

    /// Lets the part that is published as it lies in the store be so large that it is held once.
    pub(super) fn enlarge(&self) {
        let large = PIPELINE.replace("passing = true", "passing = true\nmore = 2000");
        fs::write(self.folder.path().join("fake.toml"), large).unwrap();
    }

    /// Another project with the same content, where nothing has been done yet.
    pub(super) fn copy(&self, exchanges: bool) -> Self {
        let other = Self::watched(exchanges);
        fs::copy(self.folder.path().join("fake.toml"), other.folder.path().join("fake.toml")).unwrap();
        copy_all(&self.outputs(), &other.outputs());
        other
    }

    pub(super) fn outputs(&self) -> PathBuf {
        self.folder.path().join("outputs")
    }

    pub(super) fn store(&self) -> PosixStore {
        PosixStore::new(&self.outputs())
    }

    pub(super) fn plan(&self, overrides: &[&str]) -> Plan {
        let file = self.folder.path().join("fake.toml").display().to_string();
        let request = overrides.iter().fold(Request::new(file), |request, one| request.set(*one));
        plan::build(&Fakes::default(), self.folder.path(), &request).unwrap()
    }

    /// What the user's command does.
    pub(super) fn run(&self) -> Result<()> {
        let (plan, store, outputs) = (self.plan(&[]), self.store(), self.outputs());
        check_places(&plan, &outputs)?;
        if published_already(&plan, &store, &outputs)?.is_some() {
            let statuses = Statuses::predict(&plan, &store, None)?;
            if !(0..plan.tasks.len()).any(|task| statuses.runs(task)) {
                store.finished(&purpose(&plan));
                return Ok(());
            }
        }
        let session = store.session(Form::Loose)?;
        self.execute(&plan, &*session, true)?;
        session.finish();
        Ok(())
    }

    /// Makes what a plan lacks, and publishes it or does not.
    pub(super) fn execute(&self, plan: &Plan, session: &dyn Session, publishes: bool) -> Result<()> {
        let store = self.store();
        let keys: Vec<&Key> = plan.tasks.iter().map(|task| &task.key).collect();
        session.protect(&purpose(plan), &keys)?;
        let statuses = Statuses::predict(plan, &store, None)?;
        let never = AtomicBool::new(false);
        let run = Run::new(plan, &store, session, &statuses, &Silent, &never);
        run.execute(&Manner::side_by_side(1))?;
        if publishes {
            publish(&run, plan.main(), &self.outputs(), &[])?;
        }
        Ok(())
    }

    /// `ojaflow store gc`
    pub(super) fn collect(&self) -> Result<()> {
        self.collect_as(&SWEEP)
    }

    /// `ojaflow store gc --unfinished`
    pub(super) fn collect_all(&self) -> Result<()> {
        self.collect_as(&Collection { unfinished: true, ..SWEEP })
    }

    pub(super) fn collect_as(&self, how: &Collection) -> Result<()> {
        let referred = referred_keys(&self.outputs())?.into_iter().flat_map(|(_, keys)| keys).collect();
        self.store().collect(&referred, how).map(drop)
    }

    /// Whether no run of the plan counts as unfinished once it is published.
    pub(super) fn forgets_what_is_done(&self) -> Result<(), String> {
        let ours = purpose(&self.plan(&[])).plan;
        let awaited = self.store().awaited().map_err(|error| error.to_string())?;
        match awaited.iter().any(|(purpose, _)| purpose.plan == ours) {
            true => Err("what is published counts as unfinished".to_owned()),
            false => Ok(()),
        }
    }

    /// The file of a task's table in the store.
    pub(super) fn table_file(&self, stage: &str, table: &str) -> PathBuf {
        let plan = self.plan(&[]);
        let task = plan.tasks.iter().find(|task| *task.stage == *stage).unwrap();
        let key = task.key.as_str();
        self.outputs().join(format!(".store/v1/results/{}/{key}/{table}", &key[..2]))
    }

    /// The results of the plan that are there and sound.
    pub(super) fn finished(&self) -> BTreeSet<Key> {
        let store = self.store();
        let keys = self.plan(&[]).tasks.into_iter().map(|task| task.key);
        keys.filter(|key| store.find(key).unwrap().is_some_and(|entry| entry.verify().is_empty())).collect()
    }

    /// What is published, if anything is.
    pub(super) fn published(&self) -> Option<Manifest> {
        Manifest::read(&self.outputs().join("fake")).unwrap()
    }

    /// Whether no result is damaged, and what is published is whole: the old folder or the new one.
    pub(super) fn check_whole(&self, before: Option<&Manifest>) -> Result<(), String> {
        let verified = self.store().verify().map_err(|error| error.to_string())?;
        if !verified.damaged.is_empty() || !verified.strays.is_empty() {
            return Err(format!("damaged or strange in the store: {:?} {:?}", verified.damaged, verified.strays));
        }
        let folder = self.outputs().join("fake");
        match Manifest::read(&folder).map_err(|error| error.to_string())? {
            None if before.is_some() => Err("what was published is gone".to_owned()),
            None if folder.exists() => Err("what is published has no manifest".to_owned()),
            None => Ok(()),
            Some(manifest) => match &damage(&folder, &manifest)[..] {
                [] => Ok(()),
                unsound => Err(format!("what is published is damaged: {unsound:?}")),
            },
        }
    }

    /// Everything that is there but for notes, which have times in them.
    pub(super) fn content(&self) -> Content {
        let mut files = BTreeMap::new();
        read(&self.outputs(), Path::new(""), &mut files);
        files.retain(|path, _| !path.starts_with(".store/v1/notes"));
        Content(files)
    }
}

pub(super) fn purpose(plan: &Plan) -> Purpose {
    let keys: String = plan.tasks.iter().map(|task| task.key.short()).collect();
    Purpose { pipeline: "fake".to_owned(), plan: keys, since: NOW }
}

/// Files by path; a folder has no content.
pub(super) struct Content(BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Content {
    /// Says where the other differs.
    pub(super) fn compare(&self, other: &Self) -> Result<(), String> {
        let paths: BTreeSet<&PathBuf> = self.0.keys().chain(other.0.keys()).collect();
        let differing: Vec<String> = paths
            .into_iter()
            .filter(|path| self.0.get(*path) != other.0.get(*path))
            .map(|path| match (self.0.get(path), other.0.get(path)) {
                (Some(_), Some(_)) => format!("{} is not the same", path.display()),
                (Some(_), None) => format!("{} is missing", path.display()),
                _ => format!("{} is left behind", path.display()),
            })
            .collect();
        if differing.is_empty() { Ok(()) } else { Err(differing.join(", ")) }
    }
}

fn read(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let path = folder.join(entry.unwrap().file_name());
        if root.join(&path).is_dir() {
            read(root, &path, files);
            files.insert(path, None);
        } else {
            files.insert(path.clone(), Some(fs::read(root.join(path)).unwrap()));
        }
    }
}
