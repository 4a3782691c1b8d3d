//! One actor moves at a time, from one step to the next, in an order that is chosen.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;

use super::steps::{Taken, is_of_locks};
use crate::files::Step;
use crate::files::watch::{Verdict, Watch};

thread_local! {
    /// Who this thread is, if it is one of the actors.
    static ACTOR: Cell<Option<usize>> = const { Cell::new(None) };
}

/// A choice that was made on the way, and what else could have been chosen.
#[derive(Debug)]
pub(super) struct Node {
    pub chosen: usize,
    /// The step that each actor waits to take, as far as it may.
    pub possible: BTreeMap<usize, Taken>,
    /// Who need not be tried here, with the steps: it comes to the same as what was tried elsewhere.
    pub asleep: BTreeMap<usize, Taken>,
    /// Who is to be tried here.
    pub wanted: Vec<usize>,
}

/// What an actor is at.
#[derive(Clone, Debug)]
enum At {
    /// Between two steps.
    Moving,
    /// Before this step.
    Waiting(Taken),
    Done,
}

/// The process of an actor ends before a step that would change something, or the moment after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crash {
    pub actor: usize,
    /// Among the steps of this actor that change something.
    pub step: usize,
}

/// A fault put in on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// This actor takes no lock at paths that begin like this.
    NoLock(usize, &'static str),
    /// A result is moved to its place piece by piece.
    Piecemeal,
}

/// What is out of the ordinary.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct With {
    pub crash: Option<Crash>,
    pub bug: Option<Bug>,
    /// An actor that sees nobody's locks.
    pub blind: Option<usize>,
    /// Choices are made by chance, which begins here.
    pub chance: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Scheduler {
    root: PathBuf,
    crash: Option<Crash>,
    bug: Option<Bug>,
    blind: Option<usize>,
    /// Chooses by chance where no choice is given.
    by_chance: bool,
    state: Mutex<State>,
    changed: Vec<Condvar>,
}

#[derive(Debug, Default)]
struct State {
    actors: Vec<At>,
    numbers: Vec<u64>,
    /// Steps that changed something, by actor.
    changes: Vec<usize>,
    crashed: Option<usize>,
    /// Before that, steps are neither counted nor chosen.
    begun: bool,
    turn: Option<usize>,
    chance: u64,
    nodes: Vec<Node>,
    taken: Vec<(usize, Taken)>,
    /// Locks that are held, with their holders, and whether each holds it alone.
    held: BTreeMap<PathBuf, BTreeMap<usize, bool>>,
    /// Whether the rest comes to the same as something that was tried: nobody need go on.
    given_up: bool,
    violation: Option<String>,
}

/// How an execution went.
#[derive(Debug)]
pub(super) struct Execution {
    pub nodes: Vec<Node>,
    pub taken: Vec<(usize, Taken)>,
    pub crashed: bool,
    pub given_up: bool,
    pub violation: Option<String>,
}

impl Scheduler {
    /// Of so many actors in `root`, who make the choices of `nodes` first.
    pub(super) fn new(root: &Path, actors: usize, nodes: Vec<Node>, with: &With) -> Self {
        let state = State {
            actors: vec![At::Moving; actors],
            numbers: vec![0; actors],
            changes: vec![0; actors],
            nodes,
            chance: with.chance.unwrap_or(0),
            ..State::default()
        };
        let changed = (0..actors).map(|_| Condvar::new()).collect();
        Self {
            root: root.to_owned(),
            crash: with.crash,
            bug: with.bug,
            blind: with.blind,
            by_chance: with.chance.is_some(),
            state: Mutex::new(state),
            changed,
        }
    }

    /// What an actor has done before the others see it.
    pub(super) fn before_all<T>(&self, actor: usize, act: impl FnOnce() -> T) -> T {
        ACTOR.set(Some(actor));
        let done = act();
        ACTOR.set(None);
        done
    }

    /// From now on one actor moves at a time.
    pub(super) fn begin(&self) {
        self.lock().begun = true;
    }

    /// Lets this thread be an actor until `act` is done.
    pub(super) fn play(&self, actor: usize, act: impl FnOnce()) {
        ACTOR.set(Some(actor));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(act)) {
            let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            self.violation(format!("{actor} panics: {}", said.unwrap_or_default()));
        }
        ACTOR.set(None);
        let mut state = self.lock();
        state.actors[actor] = At::Done;
        self.pass_on(&mut state);
    }

    /// What must not be.
    pub(super) fn violation(&self, what: String) {
        let mut state = self.lock();
        let is_crashed = ACTOR.get().is_some_and(|actor| state.crashed == Some(actor));
        if !state.given_up && !is_crashed {
            state.violation.get_or_insert(what);
            self.give_up(&mut state);
        }
    }

    /// Whether this actor goes on as it should.
    pub(super) fn is_well(&self) -> bool {
        let state = self.lock();
        !state.given_up && ACTOR.get().is_some_and(|actor| state.crashed != Some(actor))
    }

    /// A step that is in no file: others see it before or after theirs.
    pub(super) fn witness(&self, name: &str) {
        self.before(Step::Write, &[&self.root.join("witnesses").join(name)]);
    }

    pub(super) fn end(&self) -> Execution {
        let mut state = self.lock();
        Execution {
            nodes: std::mem::take(&mut state.nodes),
            taken: std::mem::take(&mut state.taken),
            crashed: state.crashed.is_some(),
            given_up: state.given_up,
            violation: state.violation.take(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_up(&self, state: &mut State) {
        state.given_up = true;
        self.changed.iter().for_each(Condvar::notify_all);
    }

    /// Chooses who takes the next step, once everyone waits for that.
    fn pass_on(&self, state: &mut State) {
        if state.given_up || state.actors.iter().any(|at| matches!(at, At::Moving)) {
            return;
        }
        let waiting = state.actors.iter().enumerate().filter_map(|(actor, at)| match at {
            At::Waiting(taken) => Some((actor, taken)),
            _ => None,
        });
        let is_free = |taken: &Taken| {
            let alone = match taken.step {
                Step::LockAlone => true,
                Step::LockTogether => false,
                _ => return true,
            };
            let holders = state.held.get(&taken.paths[0]);
            holders.is_none_or(|holders| !holders.values().any(|&other| alone || other))
        };
        let (mut possible, mut blocked) = (BTreeMap::new(), 0);
        for (actor, taken) in waiting {
            if is_free(taken) {
                possible.insert(actor, taken.clone());
            } else {
                blocked += 1;
            }
        }
        if possible.is_empty() {
            if blocked > 0 {
                state.violation.get_or_insert("everyone waits for a lock that another holds".to_owned());
                self.give_up(state);
            }
            return;
        }
        let depth = state.taken.len();
        if depth == state.nodes.len() {
            let asleep = match state.nodes.last() {
                Some(node) => {
                    let last = &node.possible[&node.chosen];
                    let still = |(actor, taken): (&usize, &Taken)| {
                        (*actor != node.chosen && !taken.depends_on(last)).then(|| (*actor, taken.clone()))
                    };
                    node.asleep.iter().filter_map(still).collect()
                }
                None => BTreeMap::new(),
            };
            let awake = |actor: &usize| possible.contains_key(actor) && !asleep.contains_key(actor);
            let others = || possible.keys().copied().filter(awake);
            let chosen = if self.by_chance {
                state.chance = state.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                others().nth((state.chance >> 33) as usize % possible.len())
            } else {
                state.nodes.last().map(|node| node.chosen).filter(awake).or_else(|| others().next())
            };
            let Some(chosen) = chosen else {
                return self.give_up(state);
            };
            state.nodes.push(Node { chosen, possible, asleep, wanted: vec![chosen] });
        } else {
            if state.nodes[depth].possible != possible {
                let found = format!("the same choices lead elsewhere: {:?}, {possible:?}", state.nodes[depth].possible);
                state.violation.get_or_insert(found);
                return self.give_up(state);
            }
        }
        let node = &state.nodes[depth];
        let (chosen, taken) = (node.chosen, node.possible[&node.chosen].clone());
        self.account(state, chosen, &taken);
        state.taken.push((chosen, taken));
        state.turn = Some(chosen);
        self.changed[chosen].notify_all();
    }

    /// Keeps account of the locks that a step takes or gives up.
    fn account(&self, state: &mut State, actor: usize, taken: &Taken) {
        let path = &taken.paths[0];
        match taken.step {
            Step::LockAlone | Step::LockTogether => {
                let alone = taken.step == Step::LockAlone;
                state.held.entry(path.clone()).or_default().insert(actor, alone);
            }
            // Runs look at each other's locks together.
            Step::TryLock => {
                let holders = state.held.entry(path.clone()).or_default();
                if !holders.values().any(|&alone| alone) {
                    holders.entry(actor).or_insert(taken.alone);
                }
            }
            Step::Unlock => {
                if let Some(holders) = state.held.get_mut(path) {
                    holders.remove(&actor);
                }
            }
            _ => {}
        }
    }

    fn inside<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    fn ignores(&self, actor: usize, path: &Path) -> bool {
        self.blind == Some(actor)
            || matches!(self.bug, Some(Bug::NoLock(of, at)) if of == actor && path.starts_with(at))
    }

    /// Who writes below `pending/run-…`: names of actors are counted from their number.
    fn owner(path: &Path) -> Option<(usize, bool)> {
        let mut names = path.iter().filter_map(|name| name.to_str());
        let run = (names.next()? == "pending").then(|| names.next())??.strip_prefix("run-")?.rsplit('-').next()?;
        let number = usize::from_str_radix(run, 16).ok()?;
        Some(((number / NAMES).checked_sub(1)?, names.next().is_some()))
    }

    /// Whether a step need not be told apart from the one before it, as nobody else can see it or change what it sees.
    fn is_private(&self, state: &mut State, actor: usize, step: Step, path: &Path) -> bool {
        if let Some((owner, true)) = Self::owner(path) {
            let lives = !matches!(state.actors.get(owner), Some(At::Done) | None) && state.crashed != Some(owner);
            if owner != actor && lives && step != Step::Rename {
                state.violation.get_or_insert(format!("{actor} takes what {owner} is writing: {}", path.display()));
                self.give_up(state);
            }
            return owner == actor && step != Step::Rename;
        }
        // What is in a result stays as it is: a file that has been opened reads the same whatever happens around it.
        path.starts_with("results") && matches!(step, Step::Read | Step::Sync)
    }
}

/// Nobody is so long at what is between two steps, unless it waits for what another holds from one step to the next.
const STUCK: Duration = Duration::from_secs(60);

/// How many names each actor has for what it makes.
const NAMES: usize = 1000;

impl Watch for Scheduler {
    fn before(&self, step: Step, paths: &[&Path]) -> Verdict {
        let Some(actor) = ACTOR.get() else { return Verdict::Go };
        let paths: Vec<PathBuf> = paths.iter().map(|path| self.inside(path).to_owned()).collect();
        let mut state = self.lock();
        if !state.begun {
            let taken = Taken { alone: step == Step::LockAlone, step, paths };
            self.account(&mut state, actor, &taken);
            return Verdict::Go;
        }
        // Who does not take a lock takes no step.
        if is_of_locks(step) && self.ignores(actor, &paths[0]) {
            return Verdict::Go;
        }
        if self.is_private(&mut state, actor, step, &paths[0]) && !state.given_up && state.crashed != Some(actor) {
            return Verdict::Go;
        }
        let ends_here = |state: &State| state.given_up || state.crashed == Some(actor) && step != Step::Unlock;
        if ends_here(&state) {
            return Verdict::Fail(Errno::IO);
        }
        if state.crashed != Some(actor) && changes(step) {
            let number = state.changes[actor];
            state.changes[actor] += 1;
            if self.crash == Some(Crash { actor, step: number }) {
                state.crashed = Some(actor);
                if step != Step::Unlock {
                    return Verdict::Fail(Errno::IO);
                }
            }
        }
        // What is there already, and nobody takes away, is only looked at.
        let step = match step {
            Step::MakeFolder if Self::owner(&paths[0]).is_none() && self.root.join(&paths[0]).is_dir() => Step::Look,
            Step::Create if paths[0] == Path::new("collecting") && self.root.join(&paths[0]).is_file() => Step::Open,
            step => step,
        };
        let alone = match step {
            Step::LockAlone => true,
            // Leases are had by one; runs look together whether another lives.
            Step::TryLock => paths[0].starts_with("leases"),
            Step::Unlock => state.held.get(&paths[0]).and_then(|holders| holders.get(&actor)) != Some(&false),
            _ => false,
        };
        state.actors[actor] = At::Waiting(Taken { step, paths, alone });
        self.pass_on(&mut state);
        while state.turn != Some(actor) && !state.given_up {
            let before = state.taken.len();
            let waited = self.changed[actor].wait_timeout(state, STUCK).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.taken.len() == before && !state.given_up {
                let stuck =
                    format!("nobody goes on while {actor} waits: is a mutex held over a step? {:?}", state.actors);
                state.violation.get_or_insert(stuck);
                self.give_up(&mut state);
            }
        }
        state.turn = None;
        state.actors[actor] = At::Moving;
        if state.given_up { Verdict::Fail(Errno::IO) } else { Verdict::Go }
    }

    fn is_blind_to(&self, path: &Path) -> bool {
        ACTOR.get().is_some_and(|actor| self.ignores(actor, self.inside(path)))
    }

    fn cuts(&self, path: &Path) -> bool {
        let path = self.inside(path);
        let is_a_result = path.starts_with("results") && path.iter().count() == 3;
        ACTOR.get().is_some() && self.bug == Some(Bug::Piecemeal) && is_a_result
    }

    fn number(&self) -> u64 {
        let Some(actor) = ACTOR.get() else { return 0 };
        let mut state = self.lock();
        state.numbers[actor] += 1;
        ((actor + 1) * NAMES) as u64 + state.numbers[actor]
    }
}

/// Whether it makes a difference to end before this step rather than after it.
fn changes(step: Step) -> bool {
    !matches!(step, Step::Look | Step::List | Step::Open | Step::Read | Step::Sync)
}
