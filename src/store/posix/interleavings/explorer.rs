//! Every order of steps that can make a difference, one execution after the other.
//!
//! Two executions that differ only in the order of steps that do not depend on each other come to the same; of those, one is
//! tried. Which steps have to be tried the other way round is read off the executions themselves (dynamic partial order
//! reduction with source sets and sleep sets: P. Abdulla, S. Aronis, B. Jonsson and K. Sagonas, POPL 2014).

use std::collections::BTreeSet;

use super::scheduler::{Execution, Node};
use super::steps::Taken;

/// What came of all executions.
#[derive(Debug, Default)]
pub(super) struct Explored {
    pub executions: usize,
    pub steps: usize,
    /// What the complete ones are like, whatever the order of steps that do not depend on each other.
    pub classes: BTreeSet<[u8; 32]>,
    /// Whether the crash that was asked for came in any of them.
    pub crashed: bool,
    /// The first that must not be, with the steps that led to it.
    pub violation: Option<String>,
    /// Whether nothing is left to be tried.
    pub complete: bool,
}

/// Tries executions until there are no more, one of them is wrong, or so many have been tried.
pub(super) fn explore(at_most: usize, execute: impl Fn(Vec<Node>) -> Execution) -> Explored {
    let mut explored = Explored::default();
    let mut nodes = Vec::new();
    while explored.executions < at_most {
        let mut execution = execute(nodes);
        explored.executions += 1;
        explored.steps += execution.taken.len();
        explored.crashed |= execution.crashed;
        if let Some(violation) = &execution.violation {
            explored.violation = Some(format!("{violation}\n{}", told(&execution.taken)));
            return explored;
        }
        let clocks = turn_round(&execution.taken, &mut execution.nodes);
        if !execution.given_up {
            explored.classes.insert(class(&execution.taken, &clocks));
        }
        nodes = match next(execution.nodes) {
            Some(nodes) => nodes,
            None => {
                explored.complete = true;
                return explored;
            }
        };
    }
    explored
}

/// The choices up to the last one at which somebody else is to be tried, and that other.
fn next(mut nodes: Vec<Node>) -> Option<Vec<Node>> {
    while let Some(node) = nodes.last_mut() {
        node.asleep.insert(node.chosen, node.possible[&node.chosen].clone());
        match node.wanted.iter().copied().find(|actor| !node.asleep.contains_key(actor)) {
            Some(other) => {
                node.chosen = other;
                return Some(nodes);
            }
            None => {
                nodes.pop();
            }
        }
    }
    None
}

/// Of each actor, how many of its steps come before.
type Clock = Vec<usize>;

/// Wants the steps of each race in the other order, too.
fn turn_round(taken: &[(usize, Taken)], nodes: &mut [Node]) -> Vec<Clock> {
    let n_actors = taken.iter().map(|(actor, _)| actor + 1).max().unwrap_or(0);
    let mut counts = vec![0; n_actors];
    // Of each step, its number among those of its actor, and what comes before it, itself included.
    let mut numbers: Vec<usize> = Vec::with_capacity(taken.len());
    let mut clocks: Vec<Clock> = Vec::with_capacity(taken.len());
    let mut last: Vec<Option<usize>> = vec![None; n_actors];
    for (here, (actor, step)) in taken.iter().enumerate() {
        let mut clock = last[*actor].map_or_else(|| vec![0; n_actors], |before: usize| clocks[before].clone());
        let mut releases = Vec::new();
        for there in (0..here).rev() {
            let (other, earlier) = &taken[there];
            if other == actor || !step.depends_on(earlier) {
                continue;
            }
            // A lock was had because it was given up; what could come first instead is who took it.
            if !step.may_meet(earlier) {
                releases.push(there);
            } else if clock[*other] < numbers[there] {
                want(&mut nodes[there], initials(taken, &clocks, &numbers, there, here));
                join(&mut clock, &clocks[there]);
            }
        }
        releases.into_iter().for_each(|there| join(&mut clock, &clocks[there]));
        counts[*actor] += 1;
        clock[*actor] = counts[*actor];
        numbers.push(counts[*actor]);
        clocks.push(clock);
        last[*actor] = Some(here);
    }
    clocks
}

/// What an execution is like, whatever the order of steps that do not depend on each other.
fn class(taken: &[(usize, Taken)], clocks: &[Clock]) -> [u8; 32] {
    let mut said: Vec<String> =
        taken.iter().zip(clocks).map(|((actor, step), clock)| format!("{actor} {clock:?} {step:?}")).collect();
    said.sort();
    blake3::hash(said.join("\n").as_bytes()).into()
}

/// What an execution is like in which nothing was chosen but by chance.
pub(super) fn class_of(execution: &mut Execution) -> [u8; 32] {
    let clocks = turn_round(&execution.taken, &mut execution.nodes);
    class(&execution.taken, &clocks)
}

/// Who can take the first step of what leads to `here` without `there`.
fn initials(taken: &[(usize, Taken)], clocks: &[Clock], numbers: &[usize], there: usize, here: usize) -> Vec<usize> {
    let follows = |later: usize, earlier: usize| clocks[later][taken[earlier].0] >= numbers[earlier];
    let free: Vec<usize> = (there + 1..here).filter(|&step| !follows(step, there)).collect();
    let mut firsts: Vec<usize> = Vec::new();
    for (position, &step) in free.iter().enumerate() {
        let is_first = !free[..position].iter().any(|&before| follows(step, before));
        if is_first && !firsts.contains(&taken[step].0) {
            firsts.push(taken[step].0);
        }
    }
    if firsts.is_empty() {
        firsts.push(taken[here].0);
    }
    firsts
}

fn want(node: &mut Node, initials: Vec<usize>) {
    if !initials.iter().any(|actor| node.wanted.contains(actor)) {
        match initials.iter().find(|actor| node.possible.contains_key(actor)) {
            Some(&actor) => node.wanted.push(actor),
            // It waits for a lock there: then whoever can move.
            None => node.wanted = node.possible.keys().copied().collect(),
        }
    }
}

fn join(clock: &mut Clock, other: &Clock) {
    clock.iter_mut().zip(other).for_each(|(one, two)| *one = (*one).max(*two));
}

fn told(taken: &[(usize, Taken)]) -> String {
    let line = |(actor, taken): &(usize, Taken)| {
        let paths: Vec<String> = taken.paths.iter().map(|path| path.display().to_string()).collect();
        format!("  {actor}: {:?} {}", taken.step, paths.join(" → "))
    };
    taken.iter().map(line).collect::<Vec<_>>().join("\n")
}
