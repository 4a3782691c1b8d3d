//! What this side does at a request: a piece of work by its name, prepared once and run as often as asked for.

use std::collections::BTreeMap;

use ojaflow::science::evaluation::Evaluation;
use ojaflow::science::feedback::Feedback;
use ojaflow::science::meta::{ClassPool, EpisodeRecord};
use ojaflow::science::network::Network;
use ojaflow::science::recurrent::RecurrentNetwork;
use ojaflow::science::samples::Samples;

use crate::Result;
use crate::experiments::{episodes, figure_1, figure_7};
use crate::setting::{Setting, Terms, recurrent_rule, rule, trained, trained_in_time};

/// The rule after which a network is evaluated.
const EVALUATED: &str = "bp_oja";
const EVALUATED_IN_TIME: &str = "bptt_oja";
/// An outer learning rate that leaves coefficients what they are, so that every episode has the same ones.
const STANDSTILL: f64 = 1e-15;

/// What work ends at; numbers are made of it when no clock runs.
pub(crate) enum Outcome {
    Network(Box<Network>),
    Recurrent(Box<RecurrentNetwork>),
    Numbers(Vec<f32>),
}

impl Outcome {
    /// In the order of the exported files.
    pub(crate) fn numbers(&self) -> Vec<f32> {
        match self {
            Self::Network(network) => weights(network),
            Self::Recurrent(network) => recurrent_weights(network),
            Self::Numbers(numbers) => numbers.clone(),
        }
    }
}

/// W of each layer (n_ℓ × n_{ℓ-1}), then, where it has weights of its own, B (n_{ℓ-1} × n_ℓ).
pub(crate) fn weights(network: &Network) -> Vec<f32> {
    let layers = 1..=network.n_layers();
    let forward = layers.clone().flat_map(|layer| network.forward_weights(layer));
    forward.chain(layers.filter_map(|layer| network.feedback_weights(layer)).flatten()).collect()
}

/// W_x, W_h, W_o, a row an output.
pub(crate) fn recurrent_weights(network: &RecurrentNetwork) -> Vec<f32> {
    [network.input_weights(), network.recurrent_weights(), network.readout_weights()].into_iter().flatten().collect()
}

pub(crate) type Work<'a> = Box<dyn FnMut() -> Result<Outcome> + 'a>;

/// All that the works are about.
pub(crate) struct Bench<'a> {
    pub(crate) setting: &'a Setting,
    pub(crate) train: &'a Samples,
    pub(crate) test: &'a Samples,
    /// By setting and rule.
    pub(crate) tuned: &'a BTreeMap<String, BTreeMap<String, Terms>>,
    pub(crate) pool: &'a ClassPool<'a>,
}

impl<'a> Bench<'a> {
    /// The work called `name`, with the weights and samples of `seed`; experiments have seeds of their own.
    pub(crate) fn work(&'a self, name: &str, seed: u64) -> Result<Work<'a>> {
        let Self { setting, train, test, pool, .. } = *self;
        match name.split('/').collect::<Vec<_>>()[..] {
            ["online", network, rule_name] => {
                let learning = setting.online.rules.get(rule_name).ok_or("no such rule")?;
                let (start, rule) = (setting.network(network, learning.feedback.into(), seed)?, rule(&learning.terms)?);
                let order = setting.order(seed, setting.online.steps);
                Ok(Box::new(move || Ok(Outcome::Network(Box::new(trained(&start, &rule, train, &order)?)))))
            }
            ["evaluation", "recurrent"] => {
                let rule = recurrent_rule(&setting.recurrent.rules[EVALUATED_IN_TIME])?;
                let (start, order) = (setting.recurrent_network(seed)?, setting.order(seed, setting.recurrent.steps));
                let network = trained_in_time(&start, rule, train, &order)?;
                Ok(Box::new(move || Ok(scores_of(&network.evaluate(test, 0..test.len())))))
            }
            ["evaluation", network] => {
                let start = setting.network(network, Feedback::Symmetric, seed)?;
                let order = setting.order(seed, setting.online.steps);
                let network = trained(&start, &rule(&setting.online.rules[EVALUATED].terms)?, train, &order)?;
                Ok(Box::new(move || Ok(scores_of(&network.evaluate(test, 0..test.len())))))
            }
            ["recurrent", rule_name] => {
                let rule = recurrent_rule(setting.recurrent.rules.get(rule_name).ok_or("no such rule")?)?;
                let (start, order) = (setting.recurrent_network(seed)?, setting.order(seed, setting.recurrent.steps));
                Ok(Box::new(move || Ok(Outcome::Recurrent(Box::new(trained_in_time(&start, rule, train, &order)?)))))
            }
            ["episode", rule_name] => {
                let learning = setting.episode.rules.get(rule_name).ok_or("no such rule")?;
                let learned = learning.terms.keys().cloned().collect();
                let learner = setting.meta_learner(learning, learned, STANDSTILL, pool, seed)?;
                Ok(Box::new(move || {
                    let mut learner = learner.clone();
                    let records = (0..setting.episode.episodes).map(|_| learner.run_episode());
                    Ok(Outcome::Numbers(records.flat_map(|record| scores(&record)).collect()))
                }))
            }
            ["figure-1", n_seeds] => {
                let n_seeds = n_seeds.parse()?;
                Ok(Box::new(move || Ok(Outcome::Numbers(figure_1(self, n_seeds)?))))
            }
            ["figure-7", n_seeds] => {
                let n_seeds = n_seeds.parse()?;
                Ok(Box::new(move || Ok(Outcome::Numbers(figure_7(self, n_seeds)?))))
            }
            ["episodes", _] => Ok(Box::new(move || Ok(Outcome::Numbers(episodes(self)?)))),
            _ => Err(format!("no such work: {name}").into()),
        }
    }

    /// |dL/dθ| of each coefficient after the first episodes, in the order of the terms' names: learned alone, a coefficient's
    /// gradient is the norm of all.
    pub(crate) fn gradients(&self, rule_name: &str) -> Result<Vec<Vec<f32>>> {
        let learning = &self.setting.episode.rules[rule_name];
        let of_term = |term: &String| {
            let mut learner = self.setting.meta_learner(learning, vec![term.clone()], STANDSTILL, self.pool, 0)?;
            let records = (0..self.setting.episode.episodes).map(|_| learner.run_episode());
            Ok(records.map(|record| record.gradient_norm.unwrap_or(f64::NAN) as f32).collect())
        };
        learning.terms.keys().map(of_term).collect()
    }
}

fn scores_of(found: &Evaluation) -> Outcome {
    Outcome::Numbers(vec![found.accuracy as f32, found.loss as f32])
}

/// Loss, accuracy and the norm of the gradient; NaN where there is none.
fn scores(record: &EpisodeRecord) -> [f32; 3] {
    [record.query_loss, record.query_accuracy, record.gradient_norm].map(|number| number.unwrap_or(f64::NAN) as f32)
}
