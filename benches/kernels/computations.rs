//! Whole computations: what a user waits for, and what the equations ask for at the least.
//!
//! Weights count 4 bytes, without what pads them, and pixels that are 0 do not count. Signals, which fit the first-level
//! cache, are not traffic. A pass over weights that goes the other way than the one before finds a first-level cache of them
//! still there ([`Limits::again`]). Steps of the first layer are carried out [`STEPS_TOGETHER`] at a time.

use std::path::Path;

use ojaflow::datasets;
use ojaflow::kernels::probes::{STEPS_TOGETHER, arithmetic_of};
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

use crate::machine::{Limits, Phases, Times, Work};
use crate::table::Row;

const NETWORKS: [(&str, &[usize]); 2] =
    [("5 layers", &[784, 170, 130, 100, 70, 10]), ("10 layers", &[784, 170, 150, 130, 120, 110, 100, 90, 80, 70, 10])];
const SOFTPLUS: Activation = Activation::Softplus { beta: 10.0 };

/// Bytes of a weight.
const WEIGHT: f64 = 4.0;

/// A rule as it is trained here, and what it asks of a weight.
#[derive(Clone, Copy)]
struct Learning {
    name: &'static str,
    feedback: Feedback,
    terms: &'static [&'static str],
}

const BP: Learning = Learning { name: "BP", feedback: Feedback::Symmetric, terms: &["gradient"] };
const BP_OJA: Learning = Learning { name: "BP+Oja", feedback: Feedback::Symmetric, terms: &["gradient", "oja"] };
const FA: Learning = Learning { name: "FA", feedback: Feedback::Random, terms: &["gradient"] };
const FA_OJA: Learning = Learning { name: "FA+Oja", feedback: Feedback::Random, terms: &["gradient", "oja"] };
const RULE_NINE: Learning = Learning {
    name: "rule (9)",
    feedback: Feedback::Plastic,
    terms: &["gradient", "error_hebb", "oja", "decay", "feedback_hebb", "feedback_decay"],
};

impl Learning {
    fn has(self, term: &str) -> bool {
        self.terms.contains(&term)
    }

    /// Small coefficients: the work does not depend on them, and nothing diverges however long the benchmark runs.
    fn rule(self) -> Rule {
        let small = |name: &str| if name.contains("decay") { 1e-7 } else { 1e-5 };
        let terms: Vec<_> = self.terms.iter().map(|&name| (name, Coefficient::Uniform(small(name)))).collect();
        Rule::new(&terms).expect("the terms are shipped ones")
    }
}

/// How many pixels are lit: of an image, and by any of [`STEPS_TOGETHER`] images in a row. Means over the first `n`.
#[derive(Clone, Copy)]
struct Lit {
    one: f64,
    together: f64,
}

impl Lit {
    fn of(samples: &Samples, n: usize) -> Self {
        let mean = |together: usize| {
            let groups = n / together;
            let lit = |group: usize| {
                let images: Vec<_> = (0..together).map(|k| samples.pixels(group * together + k)).collect();
                (0..samples.n_pixels()).filter(|&i| images.iter().any(|pixels| pixels[i] != 0)).count()
            };
            (0..groups).map(lit).sum::<usize>() as f64 / groups as f64
        };
        Self { one: mean(1), together: mean(STEPS_TOGETHER) }
    }
}

/// The sizes of a chain, as sums.
#[derive(Clone, Copy)]
struct Chain {
    n_inputs: f64,
    n_first: f64,
    /// Weights behind the first layer.
    hidden: f64,
    /// Units with an activation function.
    units: f64,
}

impl Chain {
    fn of(sizes: &[usize]) -> Self {
        Self {
            n_inputs: sizes[0] as f64,
            n_first: sizes[1] as f64,
            hidden: sizes.windows(2).skip(1).map(|pair| (pair[0] * pair[1]) as f64).sum(),
            units: sizes[1..sizes.len() - 1].iter().sum::<usize>() as f64,
        }
    }

    /// Multiply-adds of one image through all layers.
    fn forward(self, lit: Lit) -> f64 {
        let [value, _] = arithmetic_of(SOFTPLUS).map(|n| n as f64);
        lit.one * self.n_first + self.hidden + value * self.units
    }

    /// One online step. Hidden layers: W y; then B e, Wᵀ y where a term reads it, and for each of W and B its e and its y
    /// part in one reading and writing.
    fn step(self, learning: Learning, lit: Lit, limits: &Limits) -> Phases {
        let Self { n_inputs, n_first, hidden, units } = self;
        let [value, slope] = arithmetic_of(SOFTPLUS).map(|n| n as f64);
        let (oja, error_hebb) = (learning.has("oja"), learning.has("error_hebb"));
        let own_feedback = learning.feedback != Feedback::Symmetric;
        let plastic_feedback = learning.has("feedback_hebb");
        let count = |condition: bool| if condition { 1.0 } else { 0.0 };

        let receive =
            Work { multiply_adds: lit.one * n_first + value * n_first, read: WEIGHT * lit.one * n_first, written: 0.0 };
        let send = Work { multiply_adds: hidden + value * (units - n_first), read: WEIGHT * hidden, written: 0.0 };
        let learn = Work {
            multiply_adds: hidden * (2.0 + 2.0 * count(oja) + count(plastic_feedback)) + slope * units,
            read: limits.again(WEIGHT * hidden) + WEIGHT * hidden * count(own_feedback),
            written: WEIGHT * hidden * (1.0 + count(plastic_feedback)),
        };
        // Of the first layer: e xᵀ at lit pixels; with Oja's term Wᵀ y and its part of W at all; e_0 = B e_1 and B at lit ones.
        let moved = WEIGHT * n_first * if oja { n_inputs } else { lit.together } / STEPS_TOGETHER as f64;
        let moved_feedback = WEIGHT * n_first * lit.together / STEPS_TOGETHER as f64 * count(plastic_feedback);
        let first = Work {
            multiply_adds: n_first
                * (lit.one * (1.0 + count(error_hebb) + count(plastic_feedback)) + 2.0 * n_inputs * count(oja)),
            read: moved + moved_feedback + WEIGHT * lit.one * n_first * count(error_hebb),
            written: moved + moved_feedback,
        };
        Phases(vec![receive, send, learn, first])
    }

    /// One step of the inner loop of meta-learning taken back, as `kernels/row_adjoint.rs` derives it. A weight of W takes
    /// V · e, ē += α V, W −= α e, V += y z̄, and with the errors V += c e, ē += c W; with Oja's term the same of y and of d as well.
    /// B likewise without the terms that it has not. Then z = W y: ȳ += W z̄. In the first layer, whose steps go back many at a
    /// time (`kernels/block`), a row takes four for what Oja's term does to it, and lit ones the rest.
    fn step_back(self, learning: Learning, lit: Lit, limits: &Limits) -> Phases {
        let Self { n_inputs, n_first, hidden, .. } = self;
        let all_terms = learning.has("feedback_hebb");
        let (hidden_plasticity, lit_plasticity, every_row) = if all_terms { (14.0, 9.0, 4.0) } else { (6.0, 4.0, 0.0) };
        // W and V, and where it learns B and U.
        let matrices = if all_terms { 4.0 } else { 2.0 };
        let moved = if all_terms { 2.0 * n_inputs + 2.0 * lit.together } else { 2.0 * lit.together };
        let carried = WEIGHT * n_first * moved / STEPS_TOGETHER as f64;
        let first = Work {
            multiply_adds: n_first * (lit_plasticity * lit.one + every_row * n_inputs),
            read: WEIGHT * n_first * lit.one * matrices / 2.0 + carried,
            written: carried,
        };
        let traffic = WEIGHT * hidden * matrices;
        let plasticity = Work { multiply_adds: hidden_plasticity * hidden, read: traffic, written: traffic };
        let product = Work { multiply_adds: hidden, read: limits.again(WEIGHT * hidden), written: 0.0 };
        Phases(vec![first, plasticity, product])
    }

    /// An episode: the inner loop, the questions (whose weights can be read once for all of them), the way back. Drawing
    /// initial weights is not counted.
    fn episode(self, learning: Learning, task: TaskSize, lit: Lit, limits: &Limits) -> Phases {
        let steps = (task.n_classes * task.n_training) as f64;
        let questions = (task.n_classes * task.n_query) as f64;
        let question =
            Work { multiply_adds: self.forward(lit) + lit.one * self.n_first + 2.0 * self.hidden, ..Work::default() };
        self.step(learning, lit, limits)
            .repeated(steps)
            .followed_by(Phases(vec![question * questions]))
            .followed_by(self.step_back(learning, lit, limits).repeated(steps))
    }
}

/// Images, and what is to be measured on them.
pub(crate) struct Bench<'a> {
    samples: Samples,
    limits: &'a Limits,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
        let found = datasets::find(&[data], "mnist").and_then(|info| datasets::load(&info)).expect("MNIST is in data/");
        let labels = found.test.labels.into_iter().map(u16::from).collect();
        let samples = Samples::new(found.test.pixels, labels, datasets::PIXELS, 10).expect("images are well formed");
        Self { samples, limits }
    }

    fn row(&self, name: String, pieces: usize, phases: &Phases, run: impl FnMut()) -> Row {
        Row::new(name, Times::of(run), pieces as f64, phases.floor(self.limits), phases.total())
    }

    /// Online steps of both networks under each rule, and of the recurrent network.
    pub(crate) fn steps(&self) -> Vec<Row> {
        const STEPS: usize = 200;
        let (order, lit) = ((0..STEPS as u32).collect::<Vec<_>>(), Lit::of(&self.samples, STEPS));
        let mut rows = Vec::new();
        for (name, sizes) in NETWORKS {
            for learning in [BP, BP_OJA, FA, FA_OJA, RULE_NINE] {
                let network = Network::initialize(&architecture(sizes), &Initialization::Xavier, learning.feedback, 1);
                let mut trainer = OnlineTrainer::new(network, learning.rule()).expect("the rule fits the network");
                let phases = Chain::of(sizes).step(learning, lit, self.limits);
                let run = || trainer.advance(&self.samples, &order).expect("finite");
                rows.push(self.row(format!("{name}, {}", learning.name), STEPS, &phases, run));
            }
        }
        rows
    }

    /// Samples of the recurrent network: forward and back through time, then all that W_h learns in one product.
    pub(crate) fn recurrent_steps(&self) -> Vec<Row> {
        const STEPS: usize = 20;
        let (order, lit) = ((0..STEPS as u32).collect::<Vec<_>>(), Lit::of(&self.samples, STEPS).one);
        let network = recurrent_network();
        let architecture = network.architecture();
        let (n, n_outputs) = (architecture.n_hidden() as f64, architecture.n_outputs() as f64);
        let moments = (architecture.n_steps() - 1) as f64;
        let [value, slope] = arithmetic_of(architecture.activation()).map(|n| n as f64);
        let (input, recurrent, readout) = (lit * n, n * n, n * n_outputs);
        let again = self.limits.again(WEIGHT * recurrent);
        let mut rows = Vec::new();
        for (name, oja) in [("recurrent, BPTT", 0.0), ("recurrent, BPTT+Oja", 1e-6)] {
            let terms = if oja == 0.0 { 1.0 } else { 2.0 };
            let projections = terms - 1.0;
            let phases = Phases(vec![
                Work { multiply_adds: input + value * n, read: WEIGHT * input, written: 0.0 },
                Work { multiply_adds: recurrent + value * n, read: again, written: 0.0 } * moments,
                Work { multiply_adds: 3.0 * readout, read: WEIGHT * readout, written: WEIGHT * readout },
                Work { multiply_adds: recurrent + slope * n, read: again, written: 0.0 } * moments,
                Work {
                    multiply_adds: (terms + projections) * moments * recurrent,
                    read: WEIGHT * recurrent * terms,
                    written: WEIGHT * recurrent,
                },
                Work { multiply_adds: input, read: WEIGHT * input, written: WEIGHT * input },
            ]);
            let rule = RecurrentRule::new(1e-6, oja, OjaTarget::HiddenState).expect("coefficients are finite");
            let mut trainer = RecurrentTrainer::new(network.clone(), rule);
            let run = || trainer.advance(&self.samples, &order).expect("finite");
            rows.push(self.row(name.to_owned(), STEPS, &phases, run));
        }
        rows
    }

    /// Evaluations. Several images can share a reading of the weights, so the floor is the arithmetic of lit pixels alone.
    pub(crate) fn evaluations(&self) -> Vec<Row> {
        let n = self.samples.len();
        let lit = Lit::of(&self.samples, n);
        let mut rows = Vec::new();
        for (name, sizes) in NETWORKS {
            let network = Network::initialize(&architecture(sizes), &Initialization::Xavier, Feedback::Symmetric, 1);
            let work = Work { multiply_adds: n as f64 * Chain::of(sizes).forward(lit), ..Work::default() };
            let run = || {
                std::hint::black_box(network.evaluate(&self.samples, 0..n));
            };
            rows.push(self.row(format!("evaluation of {n} images, {name}"), 1, &Phases(vec![work]), run));
        }
        let network = recurrent_network();
        let architecture = network.architecture();
        let [value, _] = arithmetic_of(architecture.activation()).map(|n| n as f64);
        let (n_hidden, n_outputs) = (architecture.n_hidden() as f64, architecture.n_outputs() as f64);
        let moments = architecture.n_steps() as f64;
        let image = lit.one * n_hidden
            + (moments - 1.0) * n_hidden * n_hidden
            + moments * value * n_hidden
            + n_hidden * n_outputs;
        let work = Work { multiply_adds: n as f64 * image, ..Work::default() };
        let run = || {
            std::hint::black_box(network.evaluate(&self.samples, 0..n));
        };
        rows.push(self.row(format!("evaluation of {n} images, recurrent"), 1, &Phases(vec![work]), run));
        rows
    }

    /// Episodes of Figure 8, on MNIST alone: 250 steps, 50 questions, and the exact gradient of their loss.
    pub(crate) fn episodes(&self) -> Vec<Row> {
        let (name, sizes) = NETWORKS[0];
        let task = TaskSize { n_classes: 5, n_training: 50, n_query: 10 };
        let pool = ClassPool::new(vec![&self.samples]).expect("one data set");
        let lit = Lit::of(&self.samples, self.samples.len());
        let mut rows = Vec::new();
        for learning in [BP, RULE_NINE] {
            let start = |name: &str| if name == "gradient" { 1e-3 } else { 0.0 };
            let terms: Vec<_> = learning.terms.iter().map(|&name| (name, Coefficient::Uniform(start(name)))).collect();
            let settings = MetaSettings {
                architecture: architecture(sizes),
                initialization: Initialization::Xavier,
                feedback: learning.feedback,
                task,
                sampling: Sampling::default(),
                learned: learning.terms.iter().map(|name| (*name).to_owned()).collect(),
                rule: Rule::new(&terms).expect("the terms are shipped ones"),
                learning_rate: 1e-5,
                l1: 0.0,
                clip: Some(1.0),
                skip_above: None,
                step_back: false,
            };
            let mut learner = MetaLearner::new(settings, &pool, 1).expect("the pool is large enough");
            let phases = Chain::of(sizes).episode(learning, task, lit, self.limits);
            let run = || {
                learner.run_episode();
            };
            rows.push(self.row(format!("meta-episode, {name}, {}", learning.name), 1, &phases, run));
        }
        rows
    }
}

fn architecture(sizes: &[usize]) -> Architecture {
    Architecture::new(sizes.to_vec(), SOFTPLUS).expect("sizes are positive")
}

/// Figure 7's network: 128 hidden units, 50 time steps, 5 of which show the image.
fn recurrent_network() -> RecurrentNetwork {
    let architecture = RecurrentArchitecture::new([784, 128, 10], 50, 5, Activation::Tanh).expect("sizes are positive");
    RecurrentNetwork::initialize(&architecture, &Initialization::Xavier, 1)
}
