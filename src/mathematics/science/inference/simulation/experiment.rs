//! Experiments from tuning to interval, and what becomes of many.

use super::super::contrast::{Contrast, Estimate, Side, Survivor, selection_probabilities};
use super::super::looks::nominal_level;
use super::surfaces::{Surface, figure};
use super::tuning::tune;
use super::{ALPHA, FIGURE_RUNS, LOOKS, noise};
use crate::science::seed::Stream;

/// Draws of tuning seeds behind a probability.
const DRAWS: usize = 400;

/// One experiment: the difference of the true means of what was picked, and what the survivors gave on all figure seeds.
struct Experiment {
    difference_of_picks: f64,
    /// Sides × survivors.
    survivors: [Vec<Survivor>; 2],
}

impl Experiment {
    fn new(surface: &Surface, seed: u64, noise: &mut Stream) -> Self {
        let sides = [&surface.plus, &surface.minus];
        let tuned = sides.map(|landscape| tune(landscape, noise));
        let probabilities = [0, 1].map(|side| selection_probabilities(&tuned[side].scores, seed, DRAWS));
        let cells = [0, 1]
            .map(|side: usize| tuned[side].survivors.iter().map(|rungs| sides[side].cell(rungs)).collect::<Vec<_>>());
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
pub(super) struct Coverage {
    /// Of the interval given the picks, of the expected difference of these picks.
    pub(super) given: f64,
    /// Of the same interval, of what the procedure is expected to give.
    pub(super) given_of_procedure: f64,
    /// Of the interval of the procedure.
    pub(super) procedure: f64,
    /// Mean width of the interval of the procedure over that of the one given the picks.
    pub(super) relative_width: f64,
}

/// Coverage at each of [`FIGURE_RUNS`].
pub(super) fn coverage(surface: &Surface, n_experiments: usize) -> [Coverage; 2] {
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
pub(super) fn false_verdicts(surface: &Surface, n_experiments: usize) -> [[f64; 2]; 2] {
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
