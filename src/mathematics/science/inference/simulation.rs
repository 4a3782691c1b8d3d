//! Simulated experiments: do the intervals cover as often as they promise, and how often do looks at noise decide something?
//!
//! An experiment tunes two rules, of 9 and of 81 cells, by racing with equal budgets ([`tuning`]) on one of four surfaces
//! ([`surfaces`]), and lets the survivors run on up to 160 seeds of the figure. What the procedure is expected to give is
//! the mean, over all experiments of a surface, of the difference of the means of the two cells that were picked.
//!
//! `tables_of_statistics` prints everything, from 20,000 experiments a row (two minutes); the other tests ask the same of a
//! thousand.

mod sequential;
mod surfaces;
mod tuning;

use surfaces::{Surface, figure};
use tuning::{budget_for, race};

use super::contrast::{Contrast, Estimate, Side, Survivor, selection_probabilities};
use super::looks::nominal_level;
use crate::science::seed::{Purpose, Stream, stream};

const ALPHA: f64 = 0.02;
const DRAWS: usize = 400;
/// Experiments of each row of the tables that vary a parameter.
const N_SWEPT: usize = 4000;
const LOOKS: [usize; 4] = [20, 40, 80, 160];
const FIGURE_RUNS: [usize; 2] = [20, 160];

fn noise(of: u32) -> Stream {
    stream(2026, Purpose::Task, of)
}

/// Standard error of a share of `n` that is p in truth.
fn standard_error(p: f64, n: usize) -> f64 {
    (p * (1.0 - p) / n as f64).sqrt()
}

/// One experiment: the difference of the true means of what was picked, and what the survivors gave on all figure seeds.
struct Experiment {
    difference_of_picks: f64,
    /// Sides × survivors.
    survivors: [Vec<Survivor>; 2],
}

impl Experiment {
    fn new(surface: &Surface, seed: u64, noise: &mut Stream) -> Self {
        let budget = budget_for(surface.plus.len());
        let sides = [&surface.plus, &surface.minus];
        let tuned = sides.map(|cells| race(cells, budget, noise));
        let probabilities = [0, 1].map(|side| {
            let scores: Vec<Vec<f64>> = tuned[side].iter().map(|runner| runner.scores.clone()).collect();
            selection_probabilities(&scores, seed, DRAWS)
        });
        let cells = [0, 1].map(|side| tuned[side].iter().map(|runner| sides[side][runner.cell]).collect::<Vec<_>>());
        let values = figure(&cells, LOOKS[3], noise);
        let survivors = [0, 1].map(|side| {
            let survivor = |(values, probability): (&Vec<f64>, &f64)| Survivor {
                probability: *probability,
                values: values.clone(),
            };
            values[side].iter().zip(&probabilities[side]).map(survivor).collect()
        });
        Self { difference_of_picks: cells[0][0].mean() - cells[1][0].mean(), survivors }
    }

    /// The contrast of the first `n` figure runs.
    fn contrast(&self, n: usize) -> Contrast {
        let [plus, minus] = [0, 1].map(|side: usize| {
            let shortened = |survivor: &Survivor| Survivor {
                probability: survivor.probability,
                values: survivor.values[..n].to_vec(),
            };
            Side::new(self.survivors[side].iter().map(shortened).collect()).unwrap()
        });
        Contrast::new(plus, Some(minus)).unwrap()
    }
}

/// Experiments on a surface, each as `summary` sees it, and what the procedure is expected to give.
fn experiments<T>(surface: &Surface, n_experiments: usize, summary: impl Fn(&Experiment) -> T) -> (Vec<T>, f64) {
    let mut noise = noise(surface.number);
    let mut sum = 0.0;
    let summaries = (0..n_experiments)
        .map(|seed| {
            let experiment = Experiment::new(surface, seed as u64, &mut noise);
            sum += experiment.difference_of_picks;
            summary(&experiment)
        })
        .collect();
    (summaries, sum / n_experiments as f64)
}

/// Shares of experiments whose interval contains what it is asked for.
#[derive(Debug)]
struct Coverage {
    /// Of the interval given the picks, of the expected difference of these picks.
    given: f64,
    /// Of the same interval, of what the procedure is expected to give.
    given_of_procedure: f64,
    /// Of the interval of the procedure.
    procedure: f64,
    /// Mean width of the interval of the procedure over that of the one given the picks.
    relative_width: f64,
}

/// Coverage at each of [`FIGURE_RUNS`].
fn coverage(surface: &Surface, n_experiments: usize) -> [Coverage; 2] {
    let (experiments, of_procedure) = experiments(surface, n_experiments, |experiment| {
        let estimates = FIGURE_RUNS.map(|n| {
            let contrast = experiment.contrast(n);
            [contrast.estimate_given(ALPHA).unwrap(), contrast.estimate_procedure(ALPHA).unwrap()]
        });
        (experiment.difference_of_picks, estimates)
    });
    let contains = |interval: &Estimate, truth: f64| interval.low <= truth && truth <= interval.high;
    [0, 1].map(|look| {
        let share = |covers: &dyn Fn(f64, &[Estimate; 2]) -> bool| {
            let covered = experiments.iter().filter(|(of_picks, looks)| covers(*of_picks, &looks[look])).count();
            covered as f64 / n_experiments as f64
        };
        let width =
            |which: usize| experiments.iter().map(|(_, l)| l[look][which].high - l[look][which].low).sum::<f64>();
        Coverage {
            given: share(&|of_picks, [given, _]| contains(given, of_picks)),
            given_of_procedure: share(&|_, [given, _]| contains(given, of_procedure)),
            procedure: share(&|_, [_, procedure]| contains(procedure, of_procedure)),
            relative_width: width(1) / width(0),
        }
    })
}

/// Shares of experiments in which [E1's, E2's] interval, looked at four times, is ever wholly [above, below] what the
/// procedure is expected to give.
fn false_verdicts(surface: &Surface, n_experiments: usize) -> [[f64; 2]; 2] {
    let alpha = nominal_level(&LOOKS, ALPHA);
    let (experiments, truth) = experiments(surface, n_experiments, |experiment| {
        LOOKS.map(|n| {
            let contrast = experiment.contrast(n);
            [contrast.estimate_given(alpha).unwrap(), contrast.estimate_procedure(alpha).unwrap()]
        })
    });
    let above = |interval: &Estimate| interval.low > truth;
    let below = |interval: &Estimate| interval.high < truth;
    [0, 1].map(|which: usize| {
        // The first look that decides counts.
        let decisive = |looks: &[[Estimate; 2]; 4]| {
            looks.iter().map(|look| look[which]).find(|interval| above(interval) || below(interval))
        };
        let share = |side: &dyn Fn(&Estimate) -> bool| {
            let wrong = experiments.iter().filter_map(decisive).filter(side).count();
            wrong as f64 / n_experiments as f64
        };
        [share(&above), share(&below)]
    })
}

fn print_swept(what: &str, parameter: f64, surface: &Surface) {
    let found = coverage(surface, N_SWEPT);
    let [few, many] = found.map(|c| format!("{:6.2} {:6.2}", 100.0 * c.given_of_procedure, 100.0 * c.procedure));
    println!("{what} {parameter:6} {few}  {many}");
}

#[test]
#[ignore = "two minutes: prints the tables that the documentation quotes"]
fn tables_of_statistics() {
    const N_EXPERIMENTS: usize = 20_000;
    println!("coverage at 98 %, in %, of {N_EXPERIMENTS} experiments");
    println!("surface    n  E1 of E1  E1 of E2  E2 of E2  width E2/E1");
    for surface in Surface::all() {
        for (n, found) in FIGURE_RUNS.iter().zip(coverage(&surface, N_EXPERIMENTS)) {
            let [given, of_procedure, procedure] =
                [found.given, found.given_of_procedure, found.procedure].map(|share| 100.0 * share);
            let name = surface.name;
            println!("{name:8} {n:3}  {given:8.2}  {of_procedure:8.2}  {procedure:8.2}  {:11.3}", found.relative_width);
        }
    }
    println!("\nE2 in E1's and in E2's interval, n = 20 and 160, of {N_SWEPT} experiments");
    for fall in [0.0, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3] {
        print_swept("fall", fall, &Surface::falling_by(fall));
    }
    for gap in [0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06] {
        print_swept("gap of two", gap, &Surface::of_two_good_cells(gap));
    }
    println!(
        "\nfalse verdicts of tuned rules at the bound, four looks, holds / refuted in %, of {N_SWEPT} experiments: E1, E2"
    );
    for surface in Surface::all() {
        let [given, procedure] = false_verdicts(&surface, N_SWEPT)
            .map(|[holds, refuted]| format!("{:5.2} / {:5.2}", 100.0 * holds, 100.0 * refuted));
        println!("{:8} {given}   {procedure}", surface.name);
    }
    tuning::print_regret(4000);
    sequential::print_coverage(20_000);
    sequential::print_errors_at_the_bound(20_000);
    sequential::print_power(10_000);
}

/// What `tables_of_statistics` measures for the interval of the procedure at n = 20 and 160 is what a thousand experiments
/// measure, within two standard errors.
#[test]
fn the_interval_of_the_procedure_covers_as_often_as_the_long_run_measured() {
    const N_EXPERIMENTS: usize = 1000;
    let measured = [
        (Surface::flat(), [0.9936, 0.9909]),
        (Surface::steep(), [0.9928, 0.9958]),
        (Surface::bimodal(), [0.9947, 0.9942]),
    ];
    for (surface, expected) in measured {
        for (found, expected) in coverage(&surface, N_EXPERIMENTS).iter().zip(expected) {
            let allowed = 2.0 * standard_error(expected, N_EXPERIMENTS);
            assert!((found.procedure - expected).abs() < allowed, "{}: {found:?}, not {expected}", surface.name);
        }
    }
}
