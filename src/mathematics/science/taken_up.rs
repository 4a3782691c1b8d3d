//! Whatever learns, wherever it is put down, and by whom it is taken up: it ends with the same bits.

use super::activation::Activation;
use super::batch::{BatchSettings, BatchTrainer};
use super::feedback::{EquilibriumPropagation, Feedback, PredictiveCoding, WeightMirror};
use super::initialization::Initialization;
use super::learner::{Divergence, Learner};
use super::network::{Architecture, Network};
use super::normalization::{BatchNorm, Normalization};
use super::online::OnlineTrainer;
use super::optimizer::Optimizer;
use super::plasticity::{Coefficient, Rule, Synapses, Term, Written, WrittenState};
use super::recurrent::{OjaTarget, RecurrentArchitecture, RecurrentNetwork, RecurrentRule, RecurrentTrainer};
use super::reference::noise;
use super::samples::Samples;
use super::seed::{Purpose, stream};
use super::tape::Tape;

/// More than three blocks of the first layer, and no whole number of batches.
const STEPS: usize = 103;

fn put_down(learner: &mut impl Learner) -> Vec<u8> {
    Tape::written(|tape| learner.keep(tape))
}

fn take_up<L: Learner>(mut learner: L, bytes: &[u8]) -> L {
    Tape::read(bytes, |tape| learner.keep(tape)).expect("kept of the same");
    learner
}

/// All that a learner ends with: its state, and what it says of its last step.
fn end(learner: &mut impl Learner, samples: &Samples, order: &[u32]) -> (Vec<u8>, String) {
    let norms = learner.advance_recording(samples, &order[learner.steps() as usize..]);
    (put_down(learner), format!("{norms:?}"))
}

/// Cuts at the edges of blocks and batches, and at random.
fn goes_on<L: Learner>(what: &str, samples: &Samples, make: impl Fn() -> L) {
    let order: Vec<u32> = (0..STEPS as u32).map(|step| step * 7 % samples.len() as u32).collect();
    let (expected, norms) = end(&mut make(), samples, &order);
    let beginning = put_down(&mut make());
    assert!(beginning != expected, "{what}: it learns");
    let mut random = stream(what.len() as u64, Purpose::Task, 0);
    let mut cuts = vec![0, 1, 31, 32, 33, 64, STEPS - 1];
    cuts.extend((0..5).map(|_| random.below(STEPS as u32) as usize));
    for cut in cuts {
        let mut first = make();
        first.advance(samples, &order[..cut]).unwrap_or_else(|divergence| panic!("{what}: {divergence}"));
        let kept = put_down(&mut first);
        let mut second = take_up(make(), &kept);
        assert_eq!(second.steps(), cut as u64, "{what}");
        assert!(put_down(&mut second) == kept, "{what}, cut at {cut}: what is taken up is what was put down");
        assert!(
            end(&mut first, samples, &order) == (expected.clone(), norms.clone()),
            "{what}, cut at {cut}: unharmed"
        );
        // Once more on the way.
        let next = cut + (STEPS - cut) / 2;
        second.advance(samples, &order[cut..next]).unwrap_or_else(|divergence| panic!("{what}: {divergence}"));
        let mut third = take_up(make(), &put_down(&mut second));
        let (found, found_norms) = end(&mut third, samples, &order);
        assert_eq!(found_norms, norms, "{what}, cut at {cut}, {next}");
        let place = found.iter().zip(&expected).position(|(a, b)| a != b);
        assert!(found == expected, "{what}, cut at {cut}, {next}: byte {place:?}");
        // What is cut off is refused, wherever that is.
        let shorter = &kept[..random.below(kept.len() as u32) as usize];
        assert!(Tape::read(shorter, |tape| make().keep(tape)).is_err(), "{what}");
    }
}

fn named(terms: &[(&str, f64)]) -> Vec<(Term, Coefficient)> {
    let term = |name: &str| Term::named(name).expect("a shipped term").clone();
    terms.iter().map(|&(name, c)| (term(name), Coefficient::Uniform(c))).collect()
}

fn written(name: &str, equation: &str, state: &[(&str, f64, &str)], c: f64) -> (Term, Coefficient) {
    let state = state.iter().map(|&(name, start, update)| WrittenState {
        name: name.to_owned(),
        start,
        update: update.to_owned(),
    });
    let term = Term::of_equation(&Written {
        name: name.to_owned(),
        synapses: Synapses::Forward,
        equation: equation.to_owned(),
        parameters: Vec::new(),
        state: state.collect(),
    });
    (term.unwrap(), Coefficient::PerLayer(vec![c, -0.5 * c, c]))
}

/// Traces of either side and of the layer.
fn remembering(c: f64) -> (Term, Coefficient) {
    let state = [("theta", 0.1, "0.9 * theta + 0.1 * y_post.^2"), ("trace", 0.0, "0.5 * trace + y_pre")];
    let level = ("level", 1.0, "0.9 * level + 0.1 * mean(y_post)");
    written("remembering", "level * (y_post - theta) * trace'", &[&state[..], &[level]].concat(), c)
}

fn rule(terms: Vec<(Term, Coefficient)>) -> Rule {
    Rule::with_terms(terms).unwrap()
}

fn online(network: &Network, rule: &Rule) -> OnlineTrainer {
    OnlineTrainer::with_noise(network.clone(), rule.clone(), 5).unwrap()
}

fn network(activation: Activation, feedback: Feedback) -> Network {
    let architecture = Architecture::new(vec![50, 33, 20, 10], activation).unwrap();
    Network::initialize(&architecture, &Initialization::Xavier, feedback, 2)
}

#[test]
fn online_learning_under_every_pathway() {
    let samples = noise(40, 50, 10, 3);
    let mirror = WeightMirror { every: 7, presentations: 6, rate: 0.1, decay: 0.1 };
    let predictive = PredictiveCoding { steps: 4, rate: 0.2, fixed_prediction: false };
    let equilibrium = EquilibriumPropagation { steps: 4, nudged_steps: 3, beta: 0.5, symmetric: true };
    let pathways = [
        Feedback::Symmetric,
        Feedback::Random,
        Feedback::Plastic,
        Feedback::KolenPollack,
        Feedback::SignSymmetric { scale: 1.0 },
        Feedback::Direct,
        Feedback::Broadcast { std: 0.1 },
        Feedback::None,
        Feedback::WeightMirror(mirror),
        Feedback::PredictiveCoding(predictive),
        Feedback::EquilibriumPropagation(equilibrium),
        Feedback::EquilibriumPropagation(EquilibriumPropagation { symmetric: false, ..equilibrium }),
    ];
    let mut refused = Vec::new();
    for feedback in pathways {
        // What settles needs a function with a bound.
        let settles = matches!(feedback, Feedback::EquilibriumPropagation(_));
        let other = if settles { Activation::Sigmoid } else { Activation::Softplus { beta: 10.0 } };
        for activation in [other, Activation::Tanh] {
            let start = network(activation, feedback);
            // Steps of the first layer wait with all but the last two; the last reads noise and remembers.
            let noisy = written("noisy", "(y_post + 0.1 * noise) * y_pre' - 0.1 * W", &[], 1e-3);
            let shipped = [("gradient", 5e-3), ("decay", 1e-3)];
            for terms in [
                named(&shipped),
                named(&[&shipped[..], &[("oja", 2e-3)]].concat()),
                named(&[&shipped[..], &[("error_hebb", 1e-2), ("oja", 2e-3)]].concat()),
                [named(&shipped), vec![noisy, remembering(1e-3)]].concat(),
            ] {
                let mut terms = terms;
                terms.extend(feedback.completes(&terms, 3).unwrap());
                if feedback == Feedback::Plastic {
                    terms.extend(named(&[("feedback_hebb", 1e-2), ("feedback_decay", 1e-3)]));
                }
                let rule = rule(terms);
                if OnlineTrainer::new(start.clone(), rule.clone()).is_err() {
                    refused.push((feedback.name(), rule.equation()));
                    continue;
                }
                let what = format!("{feedback:?}, {activation}, {}", rule.equation());
                goes_on(&what, &samples, || online(&start, &rule));
            }
        }
    }
    // Noise that is the error goes to no image, and ends at no e_0.
    assert!(refused.iter().all(|(_, equation)| equation.contains("e_{ℓ-1}")) && refused.len() <= 8, "{refused:?}");
}

#[test]
fn mini_batches_with_all_that_they_remember() {
    let samples = noise(40, 50, 10, 3);
    let optimizers =
        [Optimizer::Sgd { rate: 0.05 }, Optimizer::Momentum { rate: 0.05, momentum: 0.9 }, Optimizer::adam(1e-3)];
    let normalizations = [None, Some(Normalization::Batch(BatchNorm::default())), Some(Normalization::Layer)];
    let start = network(Activation::Tanh, Feedback::Symmetric);
    for optimizer in optimizers {
        for normalization in normalizations {
            for (oja, terms) in [(0.0, vec![]), (1e-3, vec![remembering(1e-3)])] {
                let settings = BatchSettings { batch_size: 7, optimizer, normalization, oja };
                let rule = rule(terms);
                goes_on(&format!("{settings:?}"), &samples, || {
                    BatchTrainer::with_terms(start.clone(), settings, &rule).unwrap()
                });
            }
        }
    }
}

#[test]
fn a_network_in_time() {
    let samples = noise(40, 50, 10, 3);
    let architecture = RecurrentArchitecture::new([50, 19, 10], 5, 2, Activation::Tanh).unwrap();
    let start = RecurrentNetwork::initialize(&architecture, &Initialization::Xavier, 1);
    let plain = |oja, target| RecurrentRule::new(0.02, oja, target).unwrap();
    for rule in [
        plain(0.0, OjaTarget::HiddenState),
        plain(0.01, OjaTarget::Activation),
        plain(0.01, OjaTarget::HiddenState).clipped(0.5).unwrap(),
    ] {
        goes_on(&format!("{rule:?}"), &samples, || RecurrentTrainer::new(start.clone(), rule));
    }
}

#[test]
fn what_is_of_another_network_or_rule_is_refused_and_a_divergence_stays() {
    let samples = noise(40, 50, 10, 3);
    let order: Vec<u32> = (0..40).collect();
    let gradient = rule(named(&[("gradient", 0.02)]));
    let start = network(Activation::Tanh, Feedback::Random);
    let mut known = online(&start, &gradient);
    known.advance(&samples, &order).unwrap();
    let kept = put_down(&mut known);
    let refuses =
        |mut other: OnlineTrainer| Tape::read(&kept, |tape| Learner::keep(&mut other, tape)).unwrap_err().to_string();
    let longer = Architecture::new(vec![50, 33, 21, 10], Activation::Tanh).unwrap();
    let longer = Network::initialize(&longer, &Initialization::Xavier, Feedback::Random, 2);
    assert_eq!(refuses(online(&longer, &gradient)), "`W` is 320 long, not 336", "rows of W_3, padded");
    assert!(refuses(online(&network(Activation::Tanh, Feedback::Symmetric), &gradient)).contains("where"));
    assert!(refuses(online(&start, &rule(vec![remembering(0.01)]))).contains("where"));
    let explosive = rule(named(&[("decay", 1e35)]));
    let mut diverged = online(&start, &explosive);
    let divergence: Divergence = diverged.advance(&samples, &order).unwrap_err();
    let mut other = take_up(online(&start, &explosive), &put_down(&mut diverged));
    assert_eq!(other.advance(&samples, &order), Err(divergence));
}
