use super::inner::{InnerLoop, Sample};
use super::reverse::{Query, Reverse};
use super::*;
use crate::science::activation::Activation;
use crate::science::initialization::{Feedback, Initialization};
use crate::science::network::{Architecture, Network};
use crate::science::online::OnlineTrainer;
use crate::science::plasticity::{Coefficient, Rule};
use crate::science::samples::Samples;

const SOFTPLUS: Activation = Activation::Softplus { beta: 10.0 };

/// Coefficients at which every term matters, none to be lost in another's rounding.
const THETA: Coefficients = [0.05, 0.03, 0.02, 0.004, 0.03, 0.006];

/// Images with many silent pixels, in an order that leaves gaps of one step and of many.
fn images(n: usize, n_pixels: usize) -> Vec<Vec<u8>> {
    let lit = |s: usize, i: usize| (s * 7 + i * 5 + s * i).is_multiple_of(3) && (i != 2 || s.is_multiple_of(11));
    (0..n).map(|s| (0..n_pixels).map(|i| if lit(s, i) { (37 * s + 91 * i) as u8 | 1 } else { 0 }).collect()).collect()
}

fn samples(images: &[Vec<u8>], n_classes: usize) -> Vec<Sample<'_>> {
    images.iter().enumerate().map(|(s, pixels)| (&pixels[..], s * s % n_classes)).collect()
}

struct Case {
    activation: Activation,
    feedback: Feedback,
    learned: [bool; 6],
    n_steps: usize,
}

impl Case {
    fn inner<F: real::Real>(&self) -> InnerLoop<F> {
        let architecture = Architecture::new(vec![12, 9, 17, 5, 4], self.activation).unwrap();
        let mut inner = InnerLoop::new(&architecture, self.feedback, self.learned);
        inner.initialize(&Initialization::Xavier, 5);
        inner
    }

    fn theta(&self) -> Coefficients {
        std::array::from_fn(|k| if self.learned[k] { THETA[k] } else { 0.0 })
    }

    /// Query loss after the loop with coefficients `theta`, and its derivatives.
    fn run<F: real::Real>(&self, theta: &Coefficients) -> (Query, [f64; 6]) {
        let images = images(self.n_steps + 6, 12);
        let samples = samples(&images, 4);
        let mut inner = self.inner::<F>();
        let mut reverse = Reverse::new(&inner);
        inner.train(theta, &samples[..self.n_steps]);
        let query = reverse.query(&inner, &samples[self.n_steps..]);
        (query, reverse.differentiate(&mut inner))
    }

    /// dL/dθ_k by central differences of fourth order.
    fn difference(&self, k: usize) -> f64 {
        let loss = |h: f64| {
            let mut theta = self.theta();
            theta[k] += h;
            self.run::<f64>(&theta).0.loss
        };
        let h = 2e-5;
        (8.0 * (loss(h) - loss(-h)) - (loss(2.0 * h) - loss(-2.0 * h))) / (12.0 * h)
    }
}

fn cases() -> Vec<Case> {
    let (all, no_oja) = ([true; 6], [true, true, false, true, true, true]);
    let forward_only = [true, true, true, true, false, false];
    let case = |activation, feedback, learned, n_steps| Case { activation, feedback, learned, n_steps };
    vec![
        // More steps than two checkpoint intervals; fewer than one; exactly one; one.
        case(SOFTPLUS, Feedback::Plastic, all, 60),
        case(SOFTPLUS, Feedback::Plastic, all, 7),
        case(SOFTPLUS, Feedback::Plastic, all, 25),
        case(SOFTPLUS, Feedback::Plastic, all, 1),
        case(SOFTPLUS, Feedback::Plastic, no_oja, 60),
        case(SOFTPLUS, Feedback::Plastic, [true, false, true, true, true, true], 30),
        case(SOFTPLUS, Feedback::Random, forward_only, 30),
        case(SOFTPLUS, Feedback::Symmetric, [true, false, false, false, false, false], 60),
        case(SOFTPLUS, Feedback::Symmetric, forward_only, 30),
        case(SOFTPLUS, Feedback::Symmetric, [true, true, false, true, false, false], 30),
        case(Activation::Tanh, Feedback::Plastic, all, 30),
        case(Activation::Tanh, Feedback::Plastic, no_oja, 30),
        case(Activation::Sigmoid, Feedback::Plastic, all, 30),
        case(Activation::Sigmoid, Feedback::Symmetric, forward_only, 30),
    ]
}

#[test]
fn every_derivative_agrees_with_differences_of_the_whole_inner_loop() {
    for (number, case) in cases().iter().enumerate() {
        let (_, gradient) = case.run::<f64>(&case.theta());
        for (k, &derivative) in gradient.iter().enumerate() {
            if !case.learned[k] {
                assert_eq!(derivative, 0.0);
                continue;
            }
            let difference = case.difference(k);
            // B learns after it was used, so one step does not depend on θ4 and θ5 at all, and both sides are exactly 0.
            let error = (derivative - difference).abs();
            assert!(error <= 1e-8 * difference.abs(), "case {number}, θ{k}: {derivative} against {difference}");
        }
    }
}

#[test]
fn gradients_agree_with_automatic_differentiation_in_jax() {
    let fixture = include_str!("../../../../tests/reference/fixtures/meta_gradients.json");
    let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
    let sizes: Vec<usize> = serde_json::from_value(fixture["sizes"].clone()).unwrap();
    let pixels: Vec<u8> = serde_json::from_value(fixture["pixels"].clone()).unwrap();
    let labels: Vec<usize> = serde_json::from_value(fixture["labels"].clone()).unwrap();
    let matrices = |name: &str| -> Vec<Vec<f64>> { serde_json::from_value(fixture[name].clone()).unwrap() };
    let samples: Vec<Sample> = pixels.chunks_exact(sizes[0]).zip(labels).collect();
    let (training, query) = samples.split_at(fixture["n_training"].as_u64().unwrap() as usize);

    for case in fixture["cases"].as_array().unwrap() {
        let activation = match case["activation"].as_str().unwrap() {
            "tanh" => Activation::Tanh,
            _ => Activation::Softplus { beta: fixture["softplus_beta"].as_f64().unwrap() as f32 },
        };
        let (feedback, learned) = match case["feedback"].as_str().unwrap() {
            "symmetric" => (Feedback::Symmetric, [true, true, true, true, false, false]),
            _ => (Feedback::Plastic, [true; 6]),
        };
        let architecture = Architecture::new(sizes.clone(), activation).unwrap();
        let mut inner = InnerLoop::<f64>::new(&architecture, feedback, learned);
        for (to, from) in inner.w.iter_mut().zip(matrices("weights")) {
            for (at, weight) in from.into_iter().enumerate() {
                *to.weight_mut(at % to.n_in, at / to.n_in) = weight;
            }
        }
        for (to, from) in inner.b.iter_mut().zip(matrices("feedback")) {
            for (at, weight) in from.into_iter().enumerate() {
                *to.weight_mut(at / to.n_out, at % to.n_out) = weight;
            }
        }
        let mut reverse = Reverse::new(&inner);
        inner.train(&serde_json::from_value(case["theta"].clone()).unwrap(), training);
        let loss = reverse.query(&inner, query).loss;
        assert!((loss - case["loss"].as_f64().unwrap()).abs() < 1e-12);
        let expected: Coefficients = serde_json::from_value(case["gradient"].clone()).unwrap();
        for (actual, expected) in reverse.differentiate(&mut inner).iter().zip(expected) {
            assert!((actual - expected).abs() <= 1e-10 * expected.abs(), "{actual} against {expected}");
        }
    }
}

#[test]
fn single_precision_gives_the_same_gradient_to_its_own_precision() {
    for (number, case) in cases().iter().enumerate() {
        let ((double, gradient), (single, rounded)) = (case.run::<f64>(&case.theta()), case.run::<f32>(&case.theta()));
        assert!((double.loss - single.loss).abs() < 1e-5, "case {number}");
        for k in 0..6 {
            let error = (gradient[k] - rounded[k]).abs();
            assert!(error <= 2e-4 * gradient[k].abs() + 1e-6, "case {number}, θ{k}: {} {}", gradient[k], rounded[k]);
        }
    }
}

#[test]
fn the_inner_loop_learns_what_the_online_trainer_learns() {
    for case in cases().iter().filter(|case| case.feedback != Feedback::Random) {
        let (images, theta) = (images(case.n_steps, 12), case.theta());
        let samples = samples(&images, 4);
        let mut inner = case.inner::<f32>();
        inner.train(&theta, &samples);

        let architecture = Architecture::new(inner.sizes.clone(), case.activation).unwrap();
        let network = Network::initialize(&architecture, &Initialization::Xavier, case.feedback, 5);
        let terms: Vec<(&str, Coefficient)> = TERMS
            .into_iter()
            .zip(theta)
            .filter(|&(_, theta)| theta != 0.0)
            .map(|(name, theta)| (name, Coefficient::Uniform(theta)))
            .collect();
        let mut trainer = OnlineTrainer::new(network, Rule::new(&terms).unwrap()).unwrap();
        let labels = samples.iter().map(|&(_, class)| class as u16).collect();
        let order: Vec<u32> = (0..case.n_steps as u32).collect();
        trainer.advance(&Samples::new(images.concat(), labels, 12, 4).unwrap(), &order).unwrap();

        for (layer, w) in (1..).zip(inner.forward_weights()) {
            let worst = (&w - &trainer.network().forward_weights(layer)).fold(0.0_f32, |m, d| m.max(d.abs()));
            assert!(worst < 3e-6, "W of layer {layer}: {worst}");
        }
        for (layer, b) in (1..).zip(inner.feedback_weights()) {
            let expected = trainer.network().feedback_weights(layer).unwrap();
            assert!((&b - &expected).iter().all(|d| d.abs() < 3e-6), "B of layer {layer}");
        }
    }
}

/// Four classes of noisy stripes, two data sets of two classes each.
fn striped_sets() -> [Samples; 2] {
    [0, 1].map(|set| {
        let mut pixels = Vec::new();
        let labels: Vec<u16> = (0..120).map(|s| (s % 2) as u16).collect();
        for s in 0..120_usize {
            let class = 2 * set + s % 2;
            let noise = |i: usize| ((s * 131 + i * 37 + s * i * 11) % 97) as u8;
            pixels.extend(
                (0..16).map(|i| if i % 4 == class { 255 - noise(i) } else { noise(i) / 3 * u8::from(noise(i) > 60) }),
            );
        }
        Samples::new(pixels, labels, 16, 2).unwrap()
    })
}

fn settings() -> MetaSettings {
    MetaSettings {
        architecture: Architecture::new(vec![16, 12, 8, 4], SOFTPLUS).unwrap(),
        initialization: Initialization::Xavier,
        feedback: Feedback::Plastic,
        task: TaskSize { n_classes: 3, n_training: 20, n_query: 10 },
        initial: [1e-3, 0.0, 0.0, 0.0, 0.0, 0.0],
        learned: [true; 6],
        learning_rate: 2e-3,
        l1: 0.0,
        clip: None,
        skip_above: None,
        step_back: false,
    }
}

#[test]
fn tasks_take_distinct_classes_and_disjoint_samples_and_depend_on_seed_and_episode_only() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    assert_eq!((pool.n_classes(), pool.n_pixels()), (4, 16));
    let size = TaskSize { n_classes: 3, n_training: 20, n_query: 10 };
    let task = pool.draw(size, 1, 5);
    assert_eq!(task, pool.draw(size, 1, 5));
    assert_ne!(task.training, pool.draw(size, 1, 6).training);
    assert_ne!(task.seed, pool.draw(size, 2, 5).seed);
    assert_eq!((task.training.len(), task.query.len()), (60, 30));
    let mut all: Vec<(usize, u32)> = task.training.iter().chain(&task.query).copied().collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 90);
    for &(class, index) in &all {
        assert_eq!(2 * (class / 2) + sets[class / 2].label(index as usize), class);
        assert_eq!(pool.pixels(class, index), sets[class / 2].pixels(index as usize));
    }
    let in_class = |class| task.query.iter().filter(|&&(c, _)| c == class).count();
    assert_eq!((0..4).filter(|&class| in_class(class) == 10).count(), 3);
}

#[test]
fn episodes_improve_learning() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    for feedback in [Feedback::Plastic, Feedback::Symmetric] {
        let mut settings = MetaSettings { feedback, learning_rate: 3e-4, clip: Some(1.0), ..settings() };
        if feedback == Feedback::Symmetric {
            settings.learned = [true, false, false, false, false, false];
        }
        let mut learner = MetaLearner::new(settings, &pool, 3).unwrap();
        let losses: Vec<f64> = (0..130).map(|_| learner.run_episode().query_loss.unwrap()).collect();
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        // An untrained network of four outputs has ln 4 = 1.39.
        let (first, last) = (mean(&losses[..20]), mean(&losses[110..]));
        assert!(first > 1.2 && last < 0.75 * first, "{feedback:?}: {first} to {last}");
        assert_eq!(learner.episodes(), 130);
    }
}

#[test]
fn looking_changes_nothing_and_shows_the_trained_network() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    let (mut plain, mut looked) =
        (MetaLearner::new(settings(), &pool, 3).unwrap(), MetaLearner::new(settings(), &pool, 3).unwrap());
    for _ in 0..5 {
        let mut seen = None;
        let record = looked.run_episode_inspecting(|network, query| {
            seen = Some(network.evaluate(query, 0..query.len()));
        });
        assert_eq!(plain.run_episode(), record);
        let seen = seen.unwrap();
        assert_eq!(Some(seen.accuracy), record.query_accuracy);
        assert!((seen.loss - record.query_loss.unwrap()).abs() < 1e-5);
    }
}

#[test]
fn clipped_and_skipped_episodes_say_so_and_a_skipped_one_moves_nothing() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    let mut clipped = MetaLearner::new(MetaSettings { clip: Some(1e-6), ..settings() }, &pool, 3).unwrap();
    let record = clipped.run_episode();
    assert_eq!((record.status, record.status.name()), (EpisodeStatus::Clipped, "clipped"));
    assert!(record.gradient_norm.unwrap() > 1e-6 && *clipped.coefficients() != record.coefficients);

    let initial = [50.0, 0.0, 50.0, 0.0, 0.0, 0.0];
    let mut diverging = MetaLearner::new(MetaSettings { initial, ..settings() }, &pool, 3).unwrap();
    let record = diverging.run_episode();
    assert_eq!((record.status, record.query_loss, record.gradient_norm), (EpisodeStatus::SkippedDiverged, None, None));
    assert_eq!(*diverging.coefficients(), initial);

    // A gradient that is not trusted is recorded, and moves nothing either.
    let run = |skip_above| {
        let settings = MetaSettings { skip_above: Some(skip_above), ..settings() };
        MetaLearner::new(settings, &pool, 3).unwrap().run_episode()
    };
    let norm = run(f64::MAX).gradient_norm.unwrap();
    let (trusted, not_trusted) = (run(1.01 * norm), run(0.99 * norm));
    assert_eq!(trusted.status, EpisodeStatus::Updated);
    assert_eq!((not_trusted.status, not_trusted.gradient_norm), (EpisodeStatus::SkippedGradient, Some(norm)));
    assert!(not_trusted.query_accuracy.is_some());
}

#[test]
fn an_inner_loop_that_diverged_leaves_nothing_behind() {
    let images = images(36, 12);
    let samples = samples(&images, 4);
    let run = |inner: &mut InnerLoop<f32>, reverse: &mut Reverse<f32>, theta| {
        inner.initialize(&Initialization::Xavier, 8);
        inner.train(theta, &samples[..30]);
        let query = reverse.query(inner, &samples[30..]);
        (query, reverse.differentiate(inner))
    };
    let case = &cases()[0];
    let (mut fresh, mut used) = (case.inner::<f32>(), case.inner::<f32>());
    let (mut of_fresh, mut of_used) = (Reverse::new(&fresh), Reverse::new(&used));
    assert!(!run(&mut used, &mut of_used, &[1e4; 6]).0.loss.is_finite());
    assert_eq!(run(&mut used, &mut of_used, &THETA), run(&mut fresh, &mut of_fresh, &THETA));
}

#[test]
fn after_a_skipped_episode_coefficients_stay_or_return_to_those_that_worked() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    for step_back in [false, true] {
        let mut learner =
            MetaLearner::new(MetaSettings { learning_rate: 0.02, step_back, ..settings() }, &pool, 3).unwrap();
        let mut good = Vec::new();
        let skipped = loop {
            let before = *learner.coefficients();
            match learner.run_episode().status {
                EpisodeStatus::Updated => good.push(before),
                _ => break before,
            }
        };
        assert!(good.len() > 1);
        assert_eq!(*learner.coefficients(), if step_back { good[good.len() - 1] } else { skipped });
        // With it learning goes on: some later episode updates again.
        let mut later = (0..30).map(|_| learner.run_episode().status);
        assert!(!step_back || later.any(|status| status == EpisodeStatus::Updated));
    }
}

#[test]
fn adam_follows_its_algorithm() {
    let mut adam = learner::Adam::new(0.1);
    let mut theta = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let (mut mean, mut square, mut expected) = (0.0, 0.0, 1.0);
    for step in 1..=3 {
        let gradient = [0.5 * f64::from(step), 0.0, 0.0, 0.0, 0.0, 0.0];
        adam.update(&mut theta, &gradient);
        mean = 0.9 * mean + 0.1 * gradient[0];
        square = 0.999 * square + 0.001 * gradient[0].powi(2);
        let (mean, square) = (mean / (1.0 - 0.9_f64.powi(step)), square / (1.0 - 0.999_f64.powi(step)));
        expected -= 0.1 * mean / (square.sqrt() + 1e-8);
        assert!((theta[0] - expected).abs() < 1e-14);
    }
    assert_eq!(theta[1..], [0.0; 5]);
}

#[test]
fn the_penalty_pulls_a_coefficient_that_does_nothing_to_zero() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    let mut heavy = MetaSettings { l1: 1e3, learning_rate: 1e-4, ..settings() };
    heavy.initial[4] = 2e-3;
    let mut learner = MetaLearner::new(heavy, &pool, 3).unwrap();
    let record = learner.run_episode();
    // The penalty outweighs the loss: every coefficient that is not 0 falls by one step of Adam.
    assert!((learner.coefficients()[4] - 1.9e-3).abs() < 1e-6);
    assert!(record.query_loss.unwrap() < 10.0, "the recorded loss is without the penalty");
}

#[test]
fn impossible_settings_are_refused_with_the_reason() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    let refusal = |settings| MetaLearner::new(settings, &pool, 0).unwrap_err().to_string();
    let task = |n_classes, n_training| TaskSize { n_classes, n_training, n_query: 10 };
    assert!(
        refusal(MetaSettings { task: task(5, 20), ..settings() })
            .contains("5 classes cannot be drawn from a pool of 4")
    );
    assert!(
        refusal(MetaSettings { task: task(3, 51), ..settings() })
            .contains("61 samples a class; class 0 of the pool has 60")
    );
    assert!(refusal(MetaSettings { feedback: Feedback::Random, ..settings() }).contains("`feedback_hebb`"));
    assert!(refusal(MetaSettings { learned: [false; 6], ..settings() }).contains("at least one learned"));
    assert!(refusal(MetaSettings { learning_rate: 0.0, ..settings() }).contains("positive"));
    assert!(refusal(MetaSettings { clip: Some(f64::NAN), ..settings() }).contains("NaN"));
    assert!(refusal(MetaSettings { skip_above: Some(0.0), ..settings() }).contains("must be positive, found 0"));
    let architecture = Architecture::new(vec![16, 3], SOFTPLUS).unwrap();
    assert!(refusal(MetaSettings { architecture, ..settings() }).contains("does not fit a pool of 4 classes"));
    assert!(ClassPool::new(Vec::new()).is_err());
}
