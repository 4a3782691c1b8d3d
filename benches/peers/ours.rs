//! Our side of the comparison with PyTorch and JAX, started by `benches/peers/run`.
//!
//! Two commands: `export FOLDER` writes what every side starts from, initial weights and sample orders, and what this side
//! ends at; `serve FOLDER` answers the requests of `compare.py` on standard input, the same as `worker.py` does for a peer.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;
use std::time::Instant;

use ojaflow::datasets::{self, Split};
use ojaflow::science::activation::Activation;
use ojaflow::science::initialization::{Feedback, Initialization};
use ojaflow::science::network::{Architecture, Network};
use ojaflow::science::online::OnlineTrainer;
use ojaflow::science::plasticity::{Coefficient, Rule};
use ojaflow::science::samples::Samples;
use ojaflow::science::seed::{Purpose, stream};
use serde::Deserialize;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What is compared: `setting.json`, which all sides read.
#[derive(Deserialize)]
struct Setting {
    /// Online steps of one training.
    steps: u32,
    seeds: u64,
    networks: BTreeMap<String, Vec<usize>>,
    softplus_beta: f32,
    /// Coefficients by rule and term.
    rules: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Setting {
    fn network(&self, name: &str, seed: u64) -> Result<Network> {
        let sizes = self.networks.get(name).ok_or("no such network")?.clone();
        let architecture = Architecture::new(sizes, Activation::Softplus { beta: self.softplus_beta })?;
        Ok(Network::initialize(&architecture, &Initialization::Xavier, Feedback::Symmetric, seed))
    }

    /// A coefficient of 0 is a term that the rule does not have.
    fn rule(&self, name: &str) -> Result<Rule> {
        let terms = self.rules.get(name).ok_or("no such rule")?.iter().filter(|&(_, &c)| c != 0.0);
        let terms: Vec<_> = terms.map(|(term, &c)| (term.as_str(), Coefficient::Uniform(c))).collect();
        Ok(Rule::new(&terms)?)
    }

    /// As in a training of a pipeline: drawn from the first 50,000 images.
    fn order(&self, seed: u64) -> Vec<u32> {
        stream(seed, Purpose::SampleOrder, 0).without_replacement(50_000, self.steps)
    }
}

/// `start` after one online step for each index of `order`.
fn trained(start: &Network, rule: &Rule, samples: &Samples, order: &[u32]) -> Result<Network> {
    let mut trainer = OnlineTrainer::new(start.clone(), rule.clone())?;
    trainer.advance(samples, order)?;
    Ok(trainer.network().into_owned())
}

fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [command, folder] = &arguments[..] else {
        println!("peers: one side of a comparison, which benches/peers/run makes");
        return Ok(());
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let setting: Setting = serde_json::from_str(&fs::read_to_string(root.join("benches/peers/setting.json"))?)?;
    let images = datasets::load(&datasets::find(&root.join("data"), "mnist")?)?;
    let train = samples(images.train)?;
    match command.as_str() {
        "export" => export(&setting, &train, Path::new(folder)),
        "serve" => serve(&setting, &train, &samples(images.test)?),
        _ => Err("peers: the commands are `export FOLDER` and `serve FOLDER`".into()),
    }
}

fn samples(split: Split) -> Result<Samples> {
    Ok(Samples::new(split.pixels, split.labels.into_iter().map(u16::from).collect(), datasets::PIXELS, 10)?)
}

/// `order.u32`: seeds × steps; `NETWORK.initial.f32` and `NETWORK.RULE.f32`: for each seed, W of each layer, row-major
/// n_ℓ × n_{ℓ-1}. Little-endian.
fn export(setting: &Setting, samples: &Samples, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let orders: Vec<_> = (0..setting.seeds).map(|seed| setting.order(seed)).collect();
    fs::write(folder.join("order.u32"), orders.iter().flatten().flat_map(|i| i.to_le_bytes()).collect::<Vec<_>>())?;
    for name in setting.networks.keys() {
        let starts = (0..setting.seeds).map(|seed| setting.network(name, seed)).collect::<Result<Vec<_>>>()?;
        fs::write(folder.join(format!("{name}.initial.f32")), bytes(&starts))?;
        for rule_name in setting.rules.keys() {
            let rule = setting.rule(rule_name)?;
            let trained = starts.iter().zip(&orders).map(|(start, order)| trained(start, &rule, samples, order));
            let trained = trained.collect::<Result<Vec<_>>>()?;
            fs::write(folder.join(format!("{name}.{rule_name}.f32")), bytes(&trained))?;
        }
    }
    Ok(())
}

fn bytes(networks: &[Network]) -> Vec<u8> {
    let weights = networks.iter().flat_map(|n| (1..=n.n_layers()).map(move |layer| n.forward_weights(layer)));
    weights.flat_map(|w| w.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>()).collect()
}

/// One line a request, one line an answer; the first line says what answers.
fn serve(setting: &Setting, train: &Samples, test: &Samples) -> Result<()> {
    let order = setting.order(0);
    // Made before any request: `compare.py` counts all the processor time between request and answer.
    let (mut starts, mut evaluated) = (BTreeMap::new(), BTreeMap::new());
    for name in setting.networks.keys() {
        let start = setting.network(name, 0)?;
        evaluated.insert(name.as_str(), trained(&start, &setting.rule("bp_oja")?, train, &order)?);
        starts.insert(name.as_str(), start);
    }
    answer(&ojaflow::kernels::backend().to_string())?;
    for request in stdin().lock().lines() {
        match request?.split_whitespace().collect::<Vec<_>>()[..] {
            ["train", network, rule, repeats] => {
                let (start, rule) = (starts.get(network).ok_or("no such network")?, setting.rule(rule)?);
                let seconds = timed(repeats.parse()?, || trained(start, &rule, train, &order).map(drop))?;
                answer(&seconds.to_string())?;
            }
            ["evaluate", network, repeats] => {
                let network = evaluated.get(network).ok_or("no such network")?;
                let mut result = None;
                let seconds = timed(repeats.parse()?, || {
                    result = Some(network.evaluate(test, 0..test.len()));
                    Ok(())
                })?;
                let result = result.ok_or("nothing was evaluated")?;
                answer(&format!("{seconds} {} {}", result.accuracy, result.loss))?;
            }
            _ => return Err("no such request".into()),
        }
    }
    Ok(())
}

fn answer(text: &str) -> Result<()> {
    let mut output = stdout().lock();
    writeln!(output, "{text}")?;
    Ok(output.flush()?)
}

/// Seconds for one of `repeats` runs of `work`.
fn timed(repeats: u32, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..repeats {
        work()?;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(repeats))
}
