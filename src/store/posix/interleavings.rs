//! Runs, collections and readers at one store, in every order of their steps that can make a difference, and with the end of
//! a process at any step. It is the store's own code that runs, on a file system in memory: one step at a time.
//!
//! What must hold: a reader takes nothing unfinished; a run that lives does not lose what it counts on, and fails for nobody
//! else's sake; what an unfinished run left stays until its plan is finished; no two hold one lease; nobody waits for ever;
//! nothing is left behind; whoever ends where, the next collection and the next run find a sound store.

mod explorer;
mod scheduler;
mod steps;
mod world;

use explorer::{Explored, class_of, explore};
use scheduler::{Bug, Crash, With};
use world::Actor::{Collection, Reader, Renewal, Run};
use world::{Actor, Elsewhere, Meeting};

use crate::files::watch::folder;

const NOBODY: Meeting =
    Meeting { name: "", there: &[], damaged: &[], unfinished: None, actors: &[], mortal: &[], elsewhere: None };

/// From its beginning to its end.
const RUN: Actor = Run { plan: "one", counts_on: &[1], begun: false, finishes: true };
const RUN_OF_TWO: Actor = Run { plan: "one", counts_on: &[1, 2], begun: false, finishes: true };
/// One that is interrupted at last.
const BEGINNING: Actor = Run { plan: "one", counts_on: &[1], begun: false, finishes: false };
/// From the moment on at which it counts on its results.
const ENDING: Actor = Run { plan: "one", counts_on: &[1], begun: true, finishes: true };
const BUSY: Actor = Run { plan: "one", counts_on: &[1], begun: true, finishes: false };
const OTHER: Actor = Run { plan: "two", counts_on: &[1], begun: true, finishes: false };
const READER: Actor = Reader { number: 1 };
const RENEWAL: Actor = Renewal { number: 1 };

const A_RUN_AND_A_READER: Meeting = Meeting { name: "a run, a reader", actors: &[RUN, READER], mortal: &[0], ..NOBODY };
const TWO_RUNS: Meeting = Meeting { name: "two runs", actors: &[BUSY, OTHER], mortal: &[0], ..NOBODY };
const A_RUN_AND_A_COLLECTION: Meeting =
    Meeting { name: "a run, a collection", there: &[1], actors: &[RUN_OF_TWO, Collection], mortal: &[0, 1], ..NOBODY };

/// Those that can be held in every order while one waits.
const SHORT: [Meeting; 13] = [
    A_RUN_AND_A_READER,
    TWO_RUNS,
    A_RUN_AND_A_COLLECTION,
    Meeting { name: "one begins, one is at it", actors: &[BEGINNING, BUSY], mortal: &[0, 1], ..NOBODY },
    Meeting { name: "one begins, one ends", there: &[1], actors: &[BEGINNING, ENDING], mortal: &[0, 1], ..NOBODY },
    Meeting {
        name: "one begins, one ends, a collection",
        there: &[1],
        actors: &[BEGINNING, ENDING, Collection],
        ..NOBODY
    },
    Meeting {
        name: "a run, a collection, a reader",
        there: &[1],
        actors: &[RUN, Collection, READER],
        mortal: &[1],
        ..NOBODY
    },
    Meeting { name: "a collection, a reader", there: &[1], actors: &[Collection, READER], mortal: &[0], ..NOBODY },
    Meeting { name: "two collections", there: &[1], actors: &[Collection, Collection], mortal: &[0], ..NOBODY },
    Meeting { name: "two runs over damage", damaged: &[1], actors: &[BUSY, OTHER], mortal: &[0], ..NOBODY },
    Meeting {
        name: "a renewal, a run, a reader",
        there: &[1],
        actors: &[RENEWAL, BUSY, READER],
        mortal: &[0, 1],
        ..NOBODY
    },
    Meeting { name: "two runs, a reader", actors: &[BUSY, OTHER, READER], mortal: &[0], ..NOBODY },
    Meeting {
        name: "the heir of an unfinished run, a collection",
        unfinished: Some(("one", &[1])),
        actors: &[RUN, Collection],
        mortal: &[0, 1],
        ..NOBODY
    },
];

const SECOND_ELSEWHERE: Option<Elsewhere> = Some(Elsewhere { actor: 1, takes_for_dead: false });

/// With one on another machine, where no lock is seen.
const ELSEWHERE: [Meeting; 7] = [
    Meeting {
        name: "one begins and makes something, a collection elsewhere",
        actors: &[BEGINNING, Collection],
        elsewhere: SECOND_ELSEWHERE,
        ..NOBODY
    },
    Meeting {
        name: "a run, a collection elsewhere",
        there: &[1],
        actors: &[ENDING, Collection],
        mortal: &[0, 1],
        elsewhere: SECOND_ELSEWHERE,
        ..NOBODY
    },
    Meeting {
        name: "one begins, a collection elsewhere",
        there: &[1],
        actors: &[RUN, Collection],
        mortal: &[1],
        elsewhere: SECOND_ELSEWHERE,
        ..NOBODY
    },
    Meeting {
        name: "one that was paused wakes up, a collection elsewhere",
        there: &[1],
        actors: &[ENDING, Collection],
        mortal: &[1],
        elsewhere: Some(Elsewhere { actor: 1, takes_for_dead: true }),
        ..NOBODY
    },
    Meeting { name: "two runs, one elsewhere", actors: &[BUSY, OTHER], elsewhere: SECOND_ELSEWHERE, ..NOBODY },
    Meeting {
        name: "a run elsewhere, a collection",
        there: &[1],
        actors: &[Collection, ENDING],
        mortal: &[0],
        elsewhere: SECOND_ELSEWHERE,
        ..NOBODY
    },
    Meeting {
        name: "a run, a reader, a collection elsewhere",
        there: &[1],
        actors: &[ENDING, READER, Collection],
        elsewhere: Some(Elsewhere { actor: 2, takes_for_dead: false }),
        ..NOBODY
    },
];

/// Those that cannot: in as many orders as an hour has, or as chance makes.
const LONG: [Meeting; 4] = [
    Meeting { name: "two runs, a collection", actors: &[BUSY, OTHER, Collection], ..NOBODY },
    Meeting { name: "two runs, a collection, a reader", actors: &[BUSY, OTHER, Collection, READER], ..NOBODY },
    Meeting { name: "two equal runs from beginning to end", actors: &[RUN, RUN], ..NOBODY },
    Meeting { name: "two equal runs, a collection, a reader", actors: &[RUN, RUN, Collection, READER], ..NOBODY },
];

#[test]
fn whoever_meets_at_a_store_in_whatever_order_and_dies_at_whatever_step_nothing_is_wrong() {
    let (executions, steps) = hold_all(&SHORT, usize::MAX);
    println!("{executions} executions, {steps} steps, all that differ");
}

#[test]
fn nor_is_anything_wrong_with_one_of_them_on_a_machine_where_no_lock_is_seen() {
    let (executions, steps) = hold_all(&ELSEWHERE, usize::MAX);
    println!("{executions} executions, {steps} steps, all that differ");
}

/// An hour at most: of the last meetings, as many executions as are said.
#[test]
#[ignore = "takes an hour"]
fn the_long_meetings() {
    let (executions, steps) = hold_all(&LONG, 200_000);
    println!("{executions} executions, {steps} steps");
}

/// Every meeting in so many orders, side by side: how many executions and steps that were.
fn hold_all(meetings: &[Meeting], at_most: usize) -> (usize, usize) {
    std::thread::scope(|scope| {
        let held: Vec<_> =
            meetings.iter().map(|meeting| scope.spawn(move || hold_with_ends(meeting, at_most))).collect();
        let sums = held.into_iter().map(|held| held.join().expect("it was said what is wrong"));
        sums.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    })
}

/// A meeting without an end of anyone, and with each.
fn hold_with_ends(meeting: &Meeting, at_most: usize) -> (usize, usize) {
    let mut explored = vec![hold(meeting, at_most, &With::default())];
    for &actor in meeting.mortal {
        for step in 0.. {
            let with = With { crash: Some(Crash { actor, step }), ..With::default() };
            explored.push(hold(meeting, at_most, &with));
            if !explored.last().is_some_and(|explored| explored.crashed) {
                break;
            }
        }
    }
    if let Some(violation) = explored.iter().find_map(|explored| explored.violation.as_ref()) {
        panic!("{}: {violation}", meeting.name);
    }
    let sum = |of: fn(&Explored) -> usize| explored.iter().map(of).sum::<usize>();
    let (executions, steps) = (sum(|explored| explored.executions), sum(|explored| explored.steps));
    let ends = explored.len() - 1 - meeting.mortal.len();
    let is_complete = explored.iter().all(|explored| explored.complete);
    let all = if is_complete { "all that differ" } else { "there are more" };
    println!("{}: {executions} executions ({all}), {ends} places to die at, {steps} steps", meeting.name);
    assert!(is_complete || at_most < usize::MAX);
    (executions, steps)
}

#[test]
fn faults_that_are_put_in_on_purpose_are_found() {
    let without_lock = |actor, at| Some(Bug::NoLock(actor, at));
    let faults = [
        ("a collection that does not wait for runs", &A_RUN_AND_A_COLLECTION, without_lock(1, "collecting"), "lost"),
        (
            "a run that does not lock its file",
            &A_RUN_AND_A_COLLECTION,
            without_lock(0, "runs"),
            "takes what 0 is writing",
        ),
        ("a lease without a lock", &TWO_RUNS, without_lock(1, "leases"), "hold the lease"),
        ("a result that appears piece by piece", &A_RUN_AND_A_READER, Some(Bug::Piecemeal), "a reader finds"),
    ];
    for (fault, meeting, bug, expected) in faults {
        let explored = hold(meeting, 10_000, &With { bug, ..With::default() });
        let violation = explored.violation.unwrap_or_else(|| panic!("{fault} is not found"));
        println!("{fault}: found after {} executions", explored.executions);
        assert!(violation.contains(expected), "{fault}: {violation}");
    }
}

#[test]
fn the_long_meetings_in_orders_that_chance_makes() {
    for meeting in &LONG {
        let template = folder();
        meeting.prepare(template.path());
        let mut deaths = 0;
        for chance in 0..200 {
            let n_actors = u64::try_from(meeting.actors.len()).expect("a handful");
            // Every second time, all live.
            let crash = (chance % 2 == 0).then_some(Crash {
                actor: usize::try_from(chance / 2 % n_actors).expect("a handful"),
                step: usize::try_from(chance / 2 / n_actors).expect("few"),
            });
            let with = With { crash, chance: Some(chance * 7919), ..With::default() };
            let execution = meeting.hold(template.path(), Vec::new(), &with);
            assert_eq!(execution.violation, None, "{}: {:?}", meeting.name, execution.taken);
            deaths += usize::from(execution.crashed);
        }
        println!("{}: 200 executions by chance, {deaths} with an end of one of them", meeting.name);
        assert!(deaths > 20, "{}: {deaths}", meeting.name);
    }
}

#[test]
fn no_order_that_chance_finds_is_missing_among_those_that_are_tried() {
    for meeting in [TWO_RUNS, A_RUN_AND_A_COLLECTION, A_RUN_AND_A_READER] {
        let explored = hold(&meeting, usize::MAX, &With::default());
        let template = folder();
        meeting.prepare(template.path());
        for chance in 0..100 {
            let with = With { chance: Some(chance * 7919), ..With::default() };
            let mut execution = meeting.hold(template.path(), Vec::new(), &with);
            assert_eq!(execution.violation, None);
            assert!(explored.classes.contains(&class_of(&mut execution)), "{}: {:?}", meeting.name, execution.taken);
        }
    }
}

/// A meeting in every order, or in so many.
fn hold(meeting: &Meeting, at_most: usize, with: &With) -> Explored {
    let template = folder();
    meeting.prepare(template.path());
    explore(at_most, |nodes| meeting.hold(template.path(), nodes, with))
}
