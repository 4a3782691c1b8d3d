//! A pipeline run from a program that shows its progress in its own way and can stop it:
//! `cargo run --example progress -- smoke`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ojaflow::error::{Error, Result};
use ojaflow::flow::{Options, Plan, Progress, Project, Request, Statuses, Task};

/// Counts tasks.
#[derive(Default)]
struct Counted {
    planned: AtomicUsize,
    finished: AtomicUsize,
}

impl Progress for Counted {
    fn planned(&self, plan: &Plan, statuses: &Statuses) {
        let runs = (0..plan.tasks.len()).filter(|&task| statuses.runs(task)).count();
        self.planned.store(runs, Ordering::Relaxed);
        println!("{}: {runs} of {} tasks have to run", plan.main().title, plan.tasks.len());
    }

    fn finished(&self, task: &Task, _estimated: f64, seconds: f64) {
        let done = self.finished.fetch_add(1, Ordering::Relaxed) + 1;
        println!("{done}/{} {} ({seconds:.2} s)", self.planned.load(Ordering::Relaxed), task.label);
    }

    fn notice(&self, text: &str) {
        println!("note: {text}");
    }
}

fn main() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "smoke".to_owned());
    let project = Project::at(env!("CARGO_MANIFEST_DIR"));
    // Whoever holds this flag can stop the run between two steps: here a clock, elsewhere a button.
    let stop = AtomicBool::new(false);
    let progress = Counted::default();
    let outcome = std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let options = Options { interrupt: Some(&stop), ..Options::default() };
            project.run(&Request::new(name), &options, &progress)
        });
        let started = std::time::Instant::now();
        while !run.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
            if started.elapsed() > Duration::from_secs(600) {
                stop.store(true, Ordering::Relaxed);
            }
        }
        run.join().expect("the run does not panic")
    });
    match outcome {
        Ok(outcome) => println!("published in {}", outcome.published.last().expect("a pipeline").folder.display()),
        Err(Error::Interrupted) => println!("stopped; the same request goes on from here"),
        Err(error) => return Err(error),
    }
    Ok(())
}
