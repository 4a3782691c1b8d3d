//! Every step that a run, a collection or a repair asks of the operating system fails, one after the other, in every way in
//! which it can. Whatever fails: what is there is sound, the message says what happened, what was finished is kept, the same
//! command given again ends with the same bytes, and a collection leaves nothing behind.

mod faulty;
mod project;
mod scenarios;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;

use crate::error::Error;
use crate::files::Step;
use faulty::{Fault, Point};
use project::Project;
use scenarios::{SCENARIOS, Scenario};

#[test]
fn whatever_step_fails_nothing_wrong_is_there_and_the_same_command_ends_with_the_same_bytes() {
    let mut failures = Vec::new();
    let mut points = 0;
    for scenario in &SCENARIOS {
        let (tried, failed) = try_all(scenario);
        println!("{}: {tried} points, {} failures", scenario.name, failed.len());
        points += tried;
        failures.extend(failed);
    }
    println!("{points} points, {} failures", failures.len());
    assert!(failures.is_empty(), "{} of {points}:\n{}", failures.len(), failures.join("\n"));
    assert!(points > 1_000, "{points}: the store asks more of the system than that");
}

/// A scenario with each of its steps failing in each way: how many were tried, and what went wrong.
fn try_all(scenario: &Scenario) -> (usize, Vec<String>) {
    let template = Project::new();
    (scenario.prepare)(&template);
    let sound = template.copy(scenario.exchanges);
    (scenario.act)(&sound).expect("nothing failed");
    let steps = sound.watch.steps();
    sound.run().expect("nothing failed");
    sound.collect_all().expect("nothing failed");
    let expected = sound.content();
    let mut points: Vec<Point> = steps.iter().enumerate().flat_map(|(at, (step, _))| Fault::of(*step, at)).collect();
    points.extend([Point::everywhere(Fault::Interrupted), Point::everywhere(Fault::Short)]);
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut failed = Vec::new();
        while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
            let project = template.copy(scenario.exchanges);
            let tried = catch_unwind(AssertUnwindSafe(|| try_one(scenario, &project, *point, &expected)));
            let found = match tried {
                Ok(Ok(())) => continue,
                Ok(Err(found)) => found,
                Err(_) => "it panics".to_owned(),
            };
            let (step, path) = &steps[point.at.unwrap_or(0)];
            let path = path.strip_prefix(sound.outputs()).unwrap_or(path).display();
            failed.push(format!("{}, {point:?}, {step:?} {path}: {found}", scenario.name));
        }
        failed
    };
    let failed = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("panics are caught")).collect()
    });
    (points.len(), failed)
}

fn try_one(scenario: &Scenario, project: &Project, point: Point, expected: &project::Content) -> Result<(), String> {
    let whole = scenario.is_whole.then(|| project.published());
    let before = project.finished();
    project.watch.arm(point);
    let outcome = (scenario.act)(project);
    project.watch.disarm();
    match (&outcome, point.fault) {
        (Err(error), fault) => explained(error, fault, project)?,
        (Ok(()), _) => {}
    }
    if scenario.is_whole {
        project.check_whole(whole.flatten().as_ref())?;
    }
    let finished = project.finished();
    if !finished.is_superset(&before) {
        return Err("what was finished before is lost".to_owned());
    }
    project.collect().map_err(|error| format!("a collection fails afterwards: {error}"))?;
    if !project.finished().is_superset(&finished) {
        return Err("a collection takes what was finished".to_owned());
    }
    project.run().map_err(|error| format!("the same command fails afterwards: {error}"))?;
    project.forgets_what_is_done()?;
    project.collect_all().map_err(|error| format!("a collection fails at last: {error}"))?;
    expected.compare(&project.content())
}

/// Whether a message says where it happened, what, and what is to be done.
fn explained(error: &Error, fault: Fault, project: &Project) -> Result<(), String> {
    let (reason, advice) = match fault {
        Fault::Interrupted | Fault::Short => return Err(format!("it is an error: {error}")),
        Fault::Once(Errno::NOSPC) | Fault::Torn | Fault::Lasting => ("No space left on device", "Free some space"),
        Fault::Once(_) | Fault::Crash | Fault::TornCrash => ("Input/output error", ""),
    };
    let message = error.to_string();
    let place = project.outputs().display().to_string();
    match [reason, advice, &place].into_iter().find(|words| !message.contains(*words)) {
        Some(missing) => Err(format!("the message is without `{missing}`: {message}")),
        None => Ok(()),
    }
}

#[test]
fn every_kind_of_step_is_among_those_that_fail() {
    let mut seen: Vec<Step> = Vec::new();
    for scenario in &SCENARIOS {
        let project = Project::new();
        (scenario.prepare)(&project);
        let project = project.copy(scenario.exchanges);
        (scenario.act)(&project).expect("nothing failed");
        seen.extend(project.watch.steps().iter().map(|(step, _)| *step));
    }
    seen.sort();
    seen.dedup();
    use Step::*;
    let all = [
        Look,
        List,
        Open,
        Create,
        MakeFolder,
        Read,
        Write,
        Clone,
        Sync,
        Link,
        Protect,
        Rename,
        Exchange,
        RemoveFile,
        RemoveFolder,
        LockAlone,
        LockTogether,
        TryLock,
    ];
    assert_eq!(seen, all);
}
