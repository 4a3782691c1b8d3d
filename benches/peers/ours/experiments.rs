//! Whole experiments on all cores: as many trainings at a time as there are, each as a stage of a pipeline runs it.

use ojaflow::science::feedback::Feedback;
use ojaflow::science::learner::Learner;
use ojaflow::science::model::Model;
use ojaflow::science::online::OnlineTrainer;
use ojaflow::science::recurrent::RecurrentTrainer;
use rayon::prelude::*;

use crate::Result;
use crate::setting::{recurrent_rule, rule};
use crate::works::Bench;

/// Both rules of a figure, in the order of the numbers.
const RULES: [&str; 2] = ["bp", "bp_oja"];
const RULES_IN_TIME: [&str; 2] = ["bptt", "bptt_oja"];

/// Figure 1: accuracies by network, rule, seed and step, networks in the order of their names, 0 where it diverged.
pub(crate) fn figure_1(bench: &Bench<'_>, n_seeds: u64) -> Result<Vec<f32>> {
    let networks = bench.setting.networks.keys();
    let each = networks.flat_map(|network| RULES.map(|rule| (network.as_str(), rule)));
    let trainings: Vec<_> =
        each.flat_map(|(network, rule)| (0..n_seeds).map(move |seed| (network, rule, seed))).collect();
    let curves = in_parallel(&trainings, |&(network, name, seed)| {
        let start = bench.setting.network(network, Feedback::Symmetric, seed)?;
        curve(bench, OnlineTrainer::new(start, rule(&bench.tuned[network][name])?)?, seed)
    })?;
    Ok(curves.concat())
}

/// Figure 7: accuracies by rule, seed and step.
pub(crate) fn figure_7(bench: &Bench<'_>, n_seeds: u64) -> Result<Vec<f32>> {
    let trainings: Vec<_> =
        RULES_IN_TIME.into_iter().flat_map(|rule| (0..n_seeds).map(move |seed| (rule, seed))).collect();
    let curves = in_parallel(&trainings, |&(name, seed)| {
        let rule = recurrent_rule(&bench.tuned["rnn"][name])?;
        curve(bench, RecurrentTrainer::new(bench.setting.recurrent_network(seed)?, rule), seed)
    })?;
    Ok(curves.concat())
}

/// Meta-learning by each rule, rules side by side: of every episode loss, accuracy and the coefficients that it was run with,
/// in the order of the terms' names.
pub(crate) fn episodes(bench: &Bench<'_>) -> Result<Vec<f32>> {
    let rules: Vec<_> = bench.setting.episode.rules.values().collect();
    let found = in_parallel(&rules, |learning| {
        let learned = learning.terms.keys().cloned().collect();
        let rate = bench.setting.experiments.learning_rate;
        let mut learner = bench.setting.meta_learner(learning, learned, rate, bench.pool, 0)?;
        let mut numbers = Vec::new();
        for _ in 0..bench.setting.experiments.episodes {
            let record = learner.run_episode();
            let scores = [record.query_loss, record.query_accuracy].map(|number| number.unwrap_or(f64::NAN));
            numbers.extend(scores.into_iter().chain(record.coefficients).map(|number| number as f32));
        }
        Ok(numbers)
    })?;
    Ok(found.concat())
}

/// Accuracy on the test images before the first step and after every so many.
fn curve<L: Learner>(bench: &Bench<'_>, mut learner: L, seed: u64) -> Result<Vec<f32>> {
    let order = bench.setting.order(seed, bench.setting.experiments.samples);
    let accuracy = |learner: &L| learner.model().evaluate(bench.test, 0..bench.test.len()).accuracy as f32;
    let mut found = vec![accuracy(&learner)];
    for part in order.chunks(bench.setting.experiments.every) {
        let learned = learner.advance(bench.train, part);
        found.push(if learned.is_ok() { accuracy(&learner) } else { 0.0 });
    }
    Ok(found)
}

/// One result for each of `pieces`, in their order, on all cores.
fn in_parallel<T: Sync>(pieces: &[T], work: impl Fn(&T) -> Result<Vec<f32>> + Sync) -> Result<Vec<Vec<f32>>> {
    // An error need not know threads; its words are enough.
    let found: Vec<_> = pieces.par_iter().map(|piece| work(piece).map_err(|error| error.to_string())).collect();
    found.into_iter().map(|result| result.map_err(Into::into)).collect()
}
