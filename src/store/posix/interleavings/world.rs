//! A store in which runs, collections and readers meet, and what must hold for each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::PosixStore;
use super::super::layout::list;
use super::scheduler::{Execution, Node, Scheduler, With};
use crate::error::Result;
use crate::files::watch::{Watching, copy_all, folder, watch};
use crate::store::{Caretaking, Collection, Entry, Form, Key, KeyMaterial, Purpose, Session, Status, Store};

const SWEEP: Collection = Collection { dry_run: false, unfinished: false, now: 1_800_000_000 };

/// Results are numbered.
type Number = i64;

/// Somebody who uses the store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Actor {
    /// A run of a plan counts on these results, and makes those that are not there unless another is at it.
    Run { plan: &'static str, counts_on: &'static [Number], begun: bool, finishes: bool },
    /// `--force`: makes a result anew that may be there.
    Renewal { number: Number },
    /// `store gc`, with no published folder.
    Collection,
    /// Reads a result if there is one.
    Reader { number: Number },
}

/// What there is at the beginning, and who meets there.
#[derive(Debug)]
pub(super) struct Meeting {
    pub name: &'static str,
    /// Results that nothing refers to.
    pub there: &'static [Number],
    /// Results without a record.
    pub damaged: &'static [Number],
    /// An unfinished run of a plan, and the results that it left.
    pub unfinished: Option<(&'static str, &'static [Number])>,
    pub actors: &'static [Actor],
    /// The actors whose process may end; of two that do the same, one.
    pub mortal: &'static [usize],
    /// An actor on another machine, where the locks of this one are not seen, nor its own here.
    pub elsewhere: Option<Elsewhere>,
}

/// Who is on another machine, and what it thinks of runs on this one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elsewhere {
    pub actor: usize,
    /// Whether they have been paused for so long that it takes them for dead.
    pub takes_for_dead: bool,
}

struct World<'a> {
    store: PosixStore,
    elsewhere: Option<(Elsewhere, PosixStore)>,
    scheduler: &'a Scheduler,
    seen: Mutex<Seen>,
}

/// What actors can say of each other.
#[derive(Default)]
struct Seen {
    /// Who makes which result.
    making: BTreeMap<Number, usize>,
    /// What each run has seen in the store since it counts on it.
    counted: BTreeMap<usize, BTreeSet<Number>>,
    /// Who said that what it ran for is done.
    finished: BTreeSet<usize>,
}

impl Meeting {
    /// A template of the store as it is at the beginning.
    pub(super) fn prepare(&self, outputs: &Path) {
        let store = PosixStore::new(outputs);
        let session = store.session(Form::Loose).unwrap();
        for &number in self.there.iter().chain(self.damaged) {
            fill(&*session, number).unwrap();
        }
        drop(session);
        for &number in self.damaged {
            fs::remove_file(store.layout.folder(&material(number).key()).join("commit.json")).unwrap();
        }
        if let Some((plan, numbers)) = self.unfinished {
            let session = store.session(Form::Loose).unwrap();
            protect(&*session, plan, numbers).unwrap();
            numbers.iter().for_each(|&number| fill(&*session, number).map(drop).unwrap());
        }
        // A lease was had and given up, so that the folder is there.
        drop(store.session(Form::Loose).unwrap().lease(&material(0).key()));
    }

    /// Lets the actors meet in a store like the template, in the order that `nodes` begin.
    pub(super) fn hold(&self, template: &Path, nodes: Vec<Node>, with: &With) -> Execution {
        let outputs = folder();
        copy_all(template, outputs.path());
        let root = outputs.path().join(".store/v1");
        let blind = self.elsewhere.map(|elsewhere| elsewhere.actor);
        let scheduler = Arc::new(Scheduler::new(&root, self.actors.len(), nodes, &With { blind, ..*with }));
        let _watching: Watching = watch(&root, scheduler.clone());
        let store = PosixStore::new(outputs.path());
        let elsewhere = self.elsewhere.map(|elsewhere| {
            let gone_after = Duration::from_secs(if elsewhere.takes_for_dead { 0 } else { 3600 });
            let layout = store.layout.clone().on("another machine", gone_after);
            (elsewhere, PosixStore { layout, ..store.clone() })
        });
        let world = World { store, elsewhere, scheduler: &scheduler, seen: Mutex::default() };
        let begun = self.actors.iter().enumerate().map(|(me, actor)| match *actor {
            Actor::Run { plan, counts_on, begun: true, .. } => {
                Some(scheduler.before_all(me, || begin(world.store(me), plan, counts_on)).expect("nobody is there yet"))
            }
            _ => None,
        });
        let begun: Vec<_> = begun.collect();
        scheduler.begin();
        std::thread::scope(|scope| {
            for ((me, actor), begun) in self.actors.iter().enumerate().zip(begun) {
                let world = &world;
                scope.spawn(move || world.scheduler.play(me, || world.act(me, actor, begun)));
            }
        });
        let mut execution = scheduler.end();
        if !execution.given_up && execution.violation.is_none() {
            execution.violation = self.check(&world, execution.crashed).err();
        }
        execution
    }

    /// What must hold when everyone is done.
    fn check(&self, world: &World<'_>, is_crashed: bool) -> Result<(), String> {
        let (store, seen) = (&world.store, world.seen());
        let run = |me: usize| match self.actors[me] {
            Actor::Run { plan, .. } => Some(plan),
            _ => None,
        };
        let finished: Vec<&str> = seen.finished.iter().filter_map(|&me| run(me)).collect();
        let left = seen.counted.iter().filter_map(|(&me, numbers)| Some((run(me)?, numbers)));
        let before = self.unfinished.iter().map(|(plan, numbers)| (*plan, numbers.iter().copied().collect()));
        let left: Vec<(&str, BTreeSet<Number>)> =
            left.map(|(plan, numbers)| (plan, numbers.clone())).chain(before).collect();
        let all_finished = (0..self.actors.len()).all(|me| run(me).is_none() || seen.finished.contains(&me))
            && self.unfinished.is_none_or(|(plan, _)| finished.contains(&plan));
        drop(seen);
        let collected = store.collect(&BTreeSet::new(), &SWEEP).map_err(|error| format!("afterwards: {error}"))?;
        for (plan, numbers) in left.iter().filter(|(plan, _)| !finished.contains(plan)) {
            if let Some(number) = numbers.iter().find(|&&number| self.read(store, number) != Ok(true)) {
                return Err(format!("`{plan}` is unfinished and lost {number}: {collected:?}"));
            }
        }
        if all_finished && !is_crashed && collected.kept > 0 {
            return Err(format!("all is finished, and yet something is kept: {collected:?}"));
        }
        let layout = &store.layout;
        for folder in [layout.pending(), layout.leases()] {
            let left = list(&folder).map_err(|error| error.to_string())?;
            if !left.is_empty() {
                return Err(format!("a collection leaves {left:?}"));
            }
        }
        let verified = store.verify().map_err(|error| error.to_string())?;
        // What was damaged before may be so still where nobody lived to make it again.
        let before: Vec<Key> = self.damaged.iter().map(|&number| material(number).key()).collect();
        match verified
            .damaged
            .iter()
            .find(|(key, _)| !is_crashed || !key.as_ref().is_some_and(|key| before.contains(key)))
        {
            Some(damaged) => Err(format!("damaged: {damaged:?}")),
            None => Ok(()),
        }
    }

    /// Whether a result is there and right.
    fn read(&self, store: &PosixStore, number: Number) -> Result<bool, String> {
        match store.find(&material(number).key()).map_err(|error| error.to_string())? {
            Some(entry) => right(&entry, number).map(|()| true),
            None => Ok(false),
        }
    }
}

impl World<'_> {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store as an actor has it.
    fn store(&self, me: usize) -> &PosixStore {
        match &self.elsewhere {
            Some((elsewhere, store)) if elsewhere.actor == me => store,
            _ => &self.store,
        }
    }

    fn act(&self, me: usize, actor: &Actor, begun: Option<Box<dyn Session>>) {
        let outcome = match *actor {
            Actor::Run { plan, counts_on, finishes, .. } => {
                let session = begun.map_or_else(|| begin(self.store(me), plan, counts_on), Ok);
                session.and_then(|session| self.run(me, session, plan, (counts_on, finishes)))
            }
            Actor::Renewal { number } => self.renew(me, number),
            Actor::Collection => self.store(me).collect(&BTreeSet::new(), &SWEEP).map(drop),
            Actor::Reader { number } => self.read(number),
        };
        if let Err(error) = outcome {
            self.scheduler.violation(format!("{me} fails: {error}"));
        }
    }

    /// As `flow` carries a plan out: one that was taken for dead begins again.
    fn run(
        &self,
        me: usize,
        mut session: Box<dyn Session>,
        plan: &str,
        (counts_on, finishes): (&[Number], bool),
    ) -> Result<()> {
        loop {
            let made = self.make_all(me, &*session, counts_on);
            if session.stands() || !self.scheduler.is_well() {
                made?;
                break;
            }
            session = begin(self.store(me), plan, counts_on)?;
        }
        let counted = self.seen().counted.get(&me).cloned().unwrap_or_default();
        for number in counted {
            match self.store.find(&material(number).key())? {
                found if self.elsewhere.is_some() => self.secure(me, &*session, found, number)?,
                Some(entry) => self.expect(me, &entry, number),
                None => self.scheduler.violation(format!("{me} lives and lost {number}")),
            }
        }
        if finishes {
            if self.scheduler.is_well() {
                self.seen().finished.insert(me);
            }
            session.finish();
        }
        Ok(())
    }

    /// A collection that does not see this run may have listed all runs before it began. What is missing then when it is to be
    /// published is made again.
    fn secure(&self, me: usize, session: &dyn Session, mut found: Option<Entry>, number: Number) -> Result<()> {
        for _ in 0..3 {
            if found.is_some_and(|entry| right(&entry, number).is_ok()) {
                return Ok(());
            }
            found = Some(write(session.renew(&material(number).key())?, number)?);
        }
        self.scheduler.violation(format!("{me} lives and cannot keep {number}"));
        Ok(())
    }

    fn make_all(&self, me: usize, session: &dyn Session, counts_on: &[Number]) -> Result<()> {
        for &number in counts_on {
            match session.open(&material(number).key())? {
                Status::Hit(entry) => self.expect(me, &entry, number),
                Status::Miss(_) => {
                    let Some(lease) = session.lease(&material(number).key()) else { continue };
                    let making = self.make(me, number);
                    fill(session, number)?;
                    drop(making);
                    drop(lease);
                }
            }
            self.count(me, number);
        }
        Ok(())
    }

    fn renew(&self, me: usize, number: Number) -> Result<()> {
        let session = self.store.session(Form::Loose)?;
        protect(&*session, "renewal", &[number])?;
        let entry = write(session.renew(&material(number).key())?, number)?;
        self.expect(me, &entry, number);
        session.finish();
        Ok(())
    }

    /// Whatever is taken is right. It may be taken away meanwhile, or another may come in its place; that happens once.
    fn read(&self, number: Number) -> Result<()> {
        let mut found = Ok(());
        for _ in 0..3 {
            let Some(entry) = self.store.find(&material(number).key())? else { return Ok(()) };
            found = right(&entry, number);
            if found.is_ok() {
                return Ok(());
            }
        }
        found.unwrap_or_else(|found| self.scheduler.violation(format!("a reader finds what it cannot read: {found}")));
        Ok(())
    }

    fn expect(&self, me: usize, entry: &Entry, number: Number) {
        let lost = |found: String| self.scheduler.violation(format!("{me} lives and lost {number}: {found}"));
        match right(entry, number) {
            // It is taken away in this moment by a collection that does not see this run.
            Err(_) if self.elsewhere.is_some() && matches!(self.store.find(&entry.record.key), Ok(None)) => {}
            found => found.unwrap_or_else(lost),
        }
    }

    fn count(&self, me: usize, number: Number) {
        if self.scheduler.is_well() {
            self.seen().counted.entry(me).or_default().insert(number);
        }
    }

    /// Under a lease: nobody else may be at it.
    fn make(&self, me: usize, number: Number) -> Making<'_> {
        self.scheduler.witness(&number.to_string());
        if self.scheduler.is_well() {
            let other = self.seen().making.insert(number, me);
            // Between machines that do not see each other's locks two may be at it, and either's result is as good.
            if let Some(other) = other.filter(|_| self.elsewhere.is_none()) {
                self.scheduler.violation(format!("{other} and {me} hold the lease of {number}"));
            }
        }
        Making { world: self, me, number }
    }
}

/// A result is being made until this is dropped.
struct Making<'a> {
    world: &'a World<'a>,
    me: usize,
    number: Number,
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        let mut seen = self.world.seen();
        if seen.making.get(&self.number) == Some(&self.me) {
            seen.making.remove(&self.number);
        }
        drop(seen);
        self.world.scheduler.witness(&self.number.to_string());
    }
}

fn material(number: Number) -> KeyMaterial {
    KeyMaterial { kind: "test".into(), version: 1, parameters: serde_json::json!({ "n": number }), inputs: vec![] }
}

fn content(number: Number) -> Vec<u8> {
    format!("the result {number}").into_bytes()
}

fn begin(store: &PosixStore, plan: &str, numbers: &[Number]) -> Result<Box<dyn Session>> {
    let session = store.session(Form::Loose)?;
    protect(&*session, plan, numbers)?;
    Ok(session)
}

fn protect(session: &dyn Session, plan: &str, numbers: &[Number]) -> Result<()> {
    let purpose = Purpose { pipeline: plan.to_owned(), plan: plan.to_owned(), since: SWEEP.now };
    let keys: Vec<Key> = numbers.iter().map(|&number| material(number).key()).collect();
    session.protect(&purpose, &keys.iter().collect::<Vec<_>>())
}

fn fill(session: &dyn Session, number: Number) -> Result<Entry> {
    match session.open(&material(number).key())? {
        Status::Hit(entry) => Ok(entry),
        Status::Miss(slot) => write(slot, number),
    }
}

fn write(slot: crate::store::Slot, number: Number) -> Result<Entry> {
    let mut pending = slot.begin()?;
    pending.write_file("result", &content(number))?;
    pending.commit(&material(number))
}

fn right(entry: &Entry, number: Number) -> Result<(), String> {
    match entry.read_file("result") {
        Ok(found) if found == content(number) => Ok(()),
        Ok(_) => Err(format!("{number} is not what it should be")),
        Err(damaged) => Err(damaged.to_string()),
    }
}
