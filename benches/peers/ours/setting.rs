//! What is compared: `setting.json`, which all sides read, and the coefficients of the figures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ojaflow::science::activation::Activation;
use ojaflow::science::feedback::Feedback;
use ojaflow::science::initialization::Initialization;
use ojaflow::science::meta::{ClassPool, MetaLearner, MetaSettings, Sampling, TaskSize};
use ojaflow::science::network::{Architecture, Network};
use ojaflow::science::online::OnlineTrainer;
use ojaflow::science::plasticity::{Coefficient, Rule};
use ojaflow::science::recurrent::{
    OjaTarget, RecurrentArchitecture, RecurrentNetwork, RecurrentRule, RecurrentTrainer,
};
use ojaflow::science::samples::Samples;
use ojaflow::science::seed::{Purpose, stream};
use ojaflow::stages::coefficients::{Coefficients, Tuned};
use serde::Deserialize;

use crate::Result;

/// Coefficients by term.
pub(crate) type Terms = BTreeMap<String, f64>;

#[derive(Deserialize)]
pub(crate) struct Setting {
    pub(crate) seeds: u64,
    pub(crate) networks: BTreeMap<String, Vec<usize>>,
    softplus_beta: f32,
    pub(crate) online: Online,
    pub(crate) recurrent: Recurrent,
    pub(crate) episode: Episode,
    pub(crate) experiments: Experiments,
}

/// Trainings of chains.
#[derive(Deserialize)]
pub(crate) struct Online {
    pub(crate) steps: u32,
    pub(crate) rules: BTreeMap<String, Learning>,
}

#[derive(Deserialize)]
pub(crate) struct Learning {
    pub(crate) feedback: Ways,
    pub(crate) terms: Terms,
}

/// Where errors travel back.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ways {
    Symmetric,
    Random,
    Plastic,
}

impl From<Ways> for Feedback {
    fn from(ways: Ways) -> Self {
        match ways {
            Ways::Symmetric => Self::Symmetric,
            Ways::Random => Self::Random,
            Ways::Plastic => Self::Plastic,
        }
    }
}

/// Trainings of the recurrent network.
#[derive(Deserialize)]
pub(crate) struct Recurrent {
    sizes: [usize; 3],
    time_steps: usize,
    image_steps: usize,
    pub(crate) steps: u32,
    pub(crate) rules: BTreeMap<String, Terms>,
}

/// Episodes of meta-learning, whose coefficients stay what they are.
#[derive(Deserialize)]
pub(crate) struct Episode {
    pub(crate) network: String,
    classes: usize,
    training: usize,
    query: usize,
    pub(crate) episodes: u32,
    pub(crate) rules: BTreeMap<String, Learning>,
}

/// What takes minutes.
#[derive(Deserialize)]
pub(crate) struct Experiments {
    pub(crate) samples: u32,
    pub(crate) every: usize,
    pub(crate) episodes: u32,
    pub(crate) learning_rate: f64,
}

impl Setting {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        Ok(serde_json::from_str(&fs::read_to_string(root.join("benches/peers/setting.json"))?)?)
    }

    fn architecture(&self, network: &str) -> Result<Architecture> {
        let sizes = self.networks.get(network).ok_or("no such network")?.clone();
        Ok(Architecture::new(sizes, Activation::Softplus { beta: self.softplus_beta })?)
    }

    pub(crate) fn network(&self, name: &str, feedback: Feedback, seed: u64) -> Result<Network> {
        Ok(Network::initialize(&self.architecture(name)?, &Initialization::Xavier, feedback, seed))
    }

    pub(crate) fn recurrent_network(&self, seed: u64) -> Result<RecurrentNetwork> {
        let Recurrent { sizes, time_steps, image_steps, .. } = self.recurrent;
        let architecture = RecurrentArchitecture::new(sizes, time_steps, image_steps, Activation::Tanh)?;
        Ok(RecurrentNetwork::initialize(&architecture, &Initialization::Xavier, seed))
    }

    /// As in a training of a pipeline: drawn from the first 50,000 images.
    pub(crate) fn order(&self, seed: u64, steps: u32) -> Vec<u32> {
        stream(seed, Purpose::SampleOrder, 0).without_replacement(50_000, steps)
    }

    pub(crate) fn task(&self) -> TaskSize {
        let Episode { classes, training, query, .. } = self.episode;
        TaskSize { n_classes: classes, n_training: training, n_query: query }
    }

    /// Learns the coefficients of `learned`; a rate of next to nothing leaves them what they are.
    pub(crate) fn meta_learner<'a>(
        &self,
        learning: &Learning,
        learned: Vec<String>,
        learning_rate: f64,
        pool: &'a ClassPool<'a>,
        seed: u64,
    ) -> Result<MetaLearner<'a>> {
        let settings = MetaSettings {
            architecture: self.architecture(&self.episode.network)?,
            initialization: Initialization::Xavier,
            feedback: learning.feedback.into(),
            task: self.task(),
            sampling: Sampling::default(),
            learned,
            rule: rule(&learning.terms)?,
            learning_rate,
            l1: 0.0,
            clip: Some(1.0),
            skip_above: None,
            step_back: false,
        };
        Ok(MetaLearner::new(settings, pool, seed)?)
    }
}

pub(crate) fn rule(terms: &Terms) -> Result<Rule> {
    let terms: Vec<_> = terms.iter().map(|(term, &c)| (term.as_str(), Coefficient::Uniform(c))).collect();
    Ok(Rule::new(&terms)?)
}

pub(crate) fn recurrent_rule(terms: &Terms) -> Result<RecurrentRule> {
    let coefficient = |name: &str| terms.get(name).copied().unwrap_or(0.0);
    Ok(RecurrentRule::new(coefficient("gradient"), coefficient("oja"), OjaTarget::HiddenState)?)
}

/// `start` after one online step for each index of `order`.
pub(crate) fn trained(start: &Network, rule: &Rule, samples: &Samples, order: &[u32]) -> Result<Network> {
    let mut trainer = OnlineTrainer::new(start.clone(), rule.clone())?;
    trainer.advance(samples, order)?;
    Ok(trainer.network().into_owned())
}

/// The same through time.
pub(crate) fn trained_in_time(
    start: &RecurrentNetwork,
    rule: RecurrentRule,
    samples: &Samples,
    order: &[u32],
) -> Result<RecurrentNetwork> {
    let mut trainer = RecurrentTrainer::new(start.clone(), rule);
    trainer.advance(samples, order)?;
    Ok(trainer.network().clone())
}

/// The coefficients of Figures 1 and 7 on MNIST, as tuning picked them: by setting, as the pipelines call it, and rule.
pub(crate) fn tuned(root: &Path) -> Result<BTreeMap<String, BTreeMap<String, Terms>>> {
    let mut found: BTreeMap<String, BTreeMap<String, Terms>> = BTreeMap::new();
    let tables = Coefficients::load(&root.join("pipelines"))?.tables.into_iter();
    let of_figures = tables.filter(|(_, table)| ["tune", "tune_rnn"].contains(&table.pipeline.as_str()));
    for Tuned { dataset, setting, rule, survivors, .. } in of_figures.flat_map(|(_, table)| table.coefficients) {
        if let ("mnist", Some(picked)) = (dataset.as_str(), survivors.into_iter().next()) {
            found.entry(setting.replace('_', "-")).or_default().insert(rule, picked.terms);
        }
    }
    Ok(found)
}
