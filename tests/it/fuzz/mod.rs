//! Inputs that nobody meant, made up by the thousand: nothing panics, what is refused leaves nothing behind, and what is
//! accepted is what it should be.
//!
//! Each target draws inputs with proptest, which makes a found one as small as it can and says which it is. In `cargo test`
//! a target takes about a second and draws the same inputs every time. With `OJAFLOW_FUZZ_SECONDS=600` it draws new ones
//! for so long, goes on after a finding, and says how many it tried (`--nocapture`); what it finds it leaves in
//! `corpus/TARGET/`, where every later run tries it first.

mod documents;
mod edits;
mod files;
mod pipelines;
mod queries;
mod store;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::common::root;

/// Seconds that each target may take, instead of its few cases.
const SECONDS: &str = "OJAFLOW_FUZZ_SECONDS";

/// Longer than any of these inputs may keep the program busy, on a machine that has other things to do as well.
const PATIENCE: Duration = Duration::from_secs(60);

/// An input that a file of the corpus can hold.
pub trait Input: Debug + Sized {
    /// As a file.
    fn to_file(&self) -> Vec<u8>;
    /// From a file.
    fn from_file(bytes: &[u8]) -> Self;
}

impl Input for String {
    fn to_file(&self) -> Vec<u8> {
        self.clone().into_bytes()
    }

    fn from_file(bytes: &[u8]) -> Self {
        String::from_utf8(bytes.to_vec()).expect("a corpus of texts")
    }
}

/// Tries everything in the corpus of `target`, then inputs that `strategy` makes up. `check` panics where something is
/// wrong, or lets the program do so.
pub fn explore<S: Strategy<Value: Input>>(target: &str, cases: u32, strategy: S, check: impl Fn(&S::Value)) {
    let corpus = root().join("tests/it/fuzz/corpus").join(target);
    let mut kept: Vec<PathBuf> =
        fs::read_dir(&corpus).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    kept.sort();
    for path in &kept {
        let input = S::Value::from_file(&fs::read(path).unwrap());
        if let Err(message) = attempt(&check, &input) {
            panic!("{}: {message}", path.display());
        }
    }
    let seconds = std::env::var(SECONDS).ok().map(|text| text.parse().expect("a number of seconds"));
    let finder = Finder { target, seen: RefCell::default(), executions: Cell::new(0), check };
    let mut found = Vec::new();
    let Some(seconds) = seconds.map(Duration::from_secs) else {
        let config = Config { cases, ..finder.config() };
        let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        found.extend(finder.run(TestRunner::new_with_rng(config, random), &strategy));
        assert!(found.is_empty(), "{target}: {}", found.join("\n"));
        return;
    };
    let started = Instant::now();
    while started.elapsed() < seconds {
        let config = Config { cases: 32, ..finder.config() };
        if let Some(finding) = finder.run(TestRunner::new(config), &strategy) {
            eprintln!("{target}: {finding}");
            found.push(finding);
        }
    }
    let (executions, replayed) = (finder.executions.get(), kept.len());
    println!("{target}: {executions} executions, {replayed} replayed, {} findings", found.len());
    assert!(found.is_empty(), "{target}:\n{}", found.join("\n"));
}

struct Finder<'a, C> {
    target: &'a str,
    /// What is known already, so that the search goes on past it.
    seen: RefCell<BTreeSet<String>>,
    executions: Cell<u64>,
    check: C,
}

impl<C> Finder<'_, C> {
    fn config(&self) -> Config {
        Config { failure_persistence: None, max_shrink_time: 30_000, max_shrink_iters: 4000, ..Config::default() }
    }

    /// One finding, kept in the corpus.
    fn run<S: Strategy<Value: Input>>(&self, mut runner: TestRunner, strategy: &S) -> Option<String>
    where
        C: Fn(&S::Value),
    {
        let shrinking: RefCell<Option<String>> = RefCell::default();
        let result = runner.run(strategy, |input| {
            self.executions.set(self.executions.get() + 1);
            match attempt(&self.check, &input) {
                Ok(()) => Ok(()),
                Err(message) => {
                    let kind = kind_of(&message);
                    // While an input is made smaller, only what makes the same mistake is a smaller one.
                    let is_other = shrinking.borrow().as_ref().is_some_and(|shrunk| *shrunk != kind);
                    if is_other || self.seen.borrow().contains(&kind) {
                        return Ok(());
                    }
                    *shrinking.borrow_mut() = Some(kind);
                    Err(TestCaseError::fail(message))
                }
            }
        });
        self.seen.borrow_mut().extend(shrinking.into_inner());
        match result {
            Ok(()) => None,
            Err(TestError::Abort(reason)) => Some(format!("gave up: {reason}")),
            Err(TestError::Fail(reason, input)) => {
                let bytes = input.to_file();
                let folder = root().join("tests/it/fuzz/corpus").join(self.target);
                let path = folder.join(&blake3::hash(&bytes).to_hex()[..8]);
                fs::create_dir_all(&folder)
                    .and_then(|()| fs::write(&path, bytes))
                    .expect("a corpus that can be written");
                Some(format!("{reason}\n  kept as {}", path.display()))
            }
        }
    }
}

/// Runs a check; what it panics with is what is wrong.
fn attempt<T>(check: &impl Fn(&T), input: &T) -> Result<(), String> {
    let started = Instant::now();
    catch_unwind(AssertUnwindSafe(|| check(input))).map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })?;
    let took = started.elapsed();
    if took > PATIENCE { Err(format!("takes {} s", took.as_secs())) } else { Ok(()) }
}

/// A message without what differs from input to input: two findings of one kind are one.
fn kind_of(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_ascii_digit()).take(60).collect()
}
