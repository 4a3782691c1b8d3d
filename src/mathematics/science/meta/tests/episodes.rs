//! The outer loop: tasks, updates, and what becomes of an episode.

use std::collections::BTreeSet;

use super::*;
use crate::science::feedback::{PredictiveCoding, WeightMirror};

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
        sampling: Sampling::default(),
        rule: rule_nine([1e-3, 0.0, 0.0, 0.0, 0.0, 0.0]),
        learned: NINE.map(String::from).to_vec(),
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
    let draw = |seed, episode| pool.draw(size, Sampling::default(), seed, episode);
    let task = draw(1, 5);
    assert_eq!(task, draw(1, 5));
    assert_ne!(task.training, draw(1, 6).training);
    assert_ne!(task.seed, draw(2, 5).seed);
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

/// How often each class is among the samples, and the samples each once.
fn counted(pool: &ClassPool, samples: &[(usize, u32)]) -> (Vec<usize>, BTreeSet<(usize, u32)>) {
    let of = |class| samples.iter().filter(|(found, _)| *found == class).count();
    ((0..pool.n_classes()).map(of).collect(), samples.iter().copied().collect())
}

#[test]
fn a_class_that_comes_up_twice_brings_twice_as_many_samples_all_different() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    let size = TaskSize { n_classes: 3, n_training: 10, n_query: 5 };
    let sampling = Sampling { with_replacement: true, fixed_samples: false };
    pool.check(size, sampling).unwrap();
    let mut together = [0; 4];
    for episode in 1..=400 {
        let task = pool.draw(size, sampling, 1, episode);
        let (in_training, training) = counted(&pool, &task.training);
        let (in_query, query) = counted(&pool, &task.query);
        assert_eq!((training.len(), query.len()), (30, 15));
        assert!(training.is_disjoint(&query));
        assert!(in_training.iter().zip(&in_query).all(|(training, query)| *training == 2 * query && query % 5 == 0));
        together[in_query.iter().filter(|n| **n > 0).count()] += 1;
    }
    // Of 4³ draws 4 show one class, 36 two, 24 three.
    for (n, expected) in [(1, 25), (2, 225), (3, 150)] {
        assert!(together[n] > expected * 7 / 10 && together[n] < expected * 13 / 10 + 8, "{n}: {}", together[n]);
    }
    // 60 samples per class: enough for three draws of 20, not of 21.
    assert!(pool.check(TaskSize { n_training: 15, ..size }, sampling).is_ok());
    assert!(pool.check(TaskSize { n_training: 16, ..size }, sampling).is_err());
    assert!(pool.check(TaskSize { n_training: 16, ..size }, Sampling::default()).is_ok());
}

#[test]
fn a_class_with_fixed_samples_shows_the_same_ones_in_every_task_of_a_seed() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    let size = TaskSize { n_classes: 3, n_training: 10, n_query: 5 };
    for with_replacement in [false, true] {
        let sampling = Sampling { with_replacement, fixed_samples: true };
        let seen = |seed| {
            let (mut training, mut query) = (BTreeSet::new(), BTreeSet::new());
            for episode in 1..=100 {
                let task = pool.draw(size, sampling, seed, episode);
                assert_eq!((task.training.len(), task.query.len()), (30, 15));
                training.extend(task.training);
                query.extend(task.query);
            }
            (training, query)
        };
        let (training, query) = seen(1);
        assert_eq!((training.len(), query.len()), (40, 20), "four classes, and no sample more than a task has");
        assert!(training.is_disjoint(&query));
        assert_ne!(seen(2).0, training, "another seed has samples of its own");
    }
}

#[test]
fn outputs_without_a_class_are_never_right_and_learn_to_be_silent() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    let wider = MetaSettings { architecture: Architecture::new(vec![16, 12, 8, 9], SOFTPLUS).unwrap(), ..settings() };
    let [mut few, mut many] = [settings(), wider].map(|settings| MetaLearner::new(settings, &pool, 3).unwrap());
    let [few, many] = [few.run_episode(), many.run_episode()].map(|record| record.query_loss.unwrap());
    // Chance is ln 4 with four outputs, ln 9 with nine.
    assert!(many > few, "{few}, {many}");
    let mut trained = None;
    let wider = MetaSettings { architecture: Architecture::new(vec![16, 12, 8, 9], SOFTPLUS).unwrap(), ..settings() };
    let mut learner =
        MetaLearner::new(MetaSettings { rule: rule_nine([0.05, 0.0, 0.0, 0.0, 0.0, 0.0]), ..wider }, &pool, 3).unwrap();
    learner.run_episode_inspecting(|network, query| trained = Some(network.evaluate(query, 0..query.len())));
    assert!(trained.unwrap().loss < 9_f64.ln());
}

#[test]
fn episodes_improve_learning() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    for feedback in [Feedback::Plastic, Feedback::Symmetric] {
        let mut settings = MetaSettings { feedback, learning_rate: 3e-4, clip: Some(1.0), ..settings() };
        if feedback == Feedback::Symmetric {
            settings.learned = vec!["gradient".into()];
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
fn a_rule_with_hebb_and_a_made_up_term_is_learned_by_name() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    let rule = made_up(&[("gradient", 0.02), ("hebb", 0.0), ("cross", 0.0), ("cross_feedback", 1e-4)]);
    let learned = ["hebb", "cross"].map(String::from).to_vec();
    let settings = MetaSettings { rule, learned, learning_rate: 1e-4, clip: Some(1.0), ..settings() };
    let mut learner = MetaLearner::new(settings, &pool, 3).unwrap();
    let record = learner.run_episode();
    assert_eq!(record.coefficients, [0.02, 0.0, 0.0, 1e-4]);
    assert!(record.gradient_norm.is_some_and(|norm| norm > 0.0));
    // The first step of Adam has the length of the rate, whatever the gradient.
    for name in ["hebb", "cross"] {
        assert!((learner.coefficient(name).unwrap().abs() - 1e-4).abs() < 1e-7, "{name} is learned");
    }
    assert_eq!(learner.coefficient("gradient"), Some(0.02));
    assert_eq!(learner.coefficient("cross_feedback"), Some(1e-4));
    assert_eq!(learner.coefficient("oja"), None);
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
    assert!(record.gradient_norm.unwrap() > 1e-6 && clipped.coefficients() != record.coefficients);

    let initial = [50.0, 0.0, 50.0, 0.0, 0.0, 0.0];
    let mut diverging = MetaLearner::new(MetaSettings { rule: rule_nine(initial), ..settings() }, &pool, 3).unwrap();
    let record = diverging.run_episode();
    assert_eq!((record.status, record.query_loss, record.gradient_norm), (EpisodeStatus::SkippedDiverged, None, None));
    assert_eq!(diverging.coefficients(), initial);

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
fn after_a_skipped_episode_coefficients_stay_or_return_to_those_that_worked() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    for step_back in [false, true] {
        let mut learner =
            MetaLearner::new(MetaSettings { learning_rate: 0.02, step_back, ..settings() }, &pool, 3).unwrap();
        let mut good = Vec::new();
        let skipped = loop {
            let before = learner.coefficients().to_vec();
            match learner.run_episode().status {
                EpisodeStatus::Updated => good.push(before),
                _ => break before,
            }
        };
        assert!(good.len() > 1);
        assert_eq!(learner.coefficients(), if step_back { &good[good.len() - 1] } else { &skipped });
        // With it learning goes on: some later episode updates again.
        let mut later = (0..30).map(|_| learner.run_episode().status);
        assert!(!step_back || later.any(|status| status == EpisodeStatus::Updated));
    }
}

#[test]
fn the_penalty_pulls_a_coefficient_that_does_nothing_to_zero() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    let rule = rule_nine([1e-3, 0.0, 0.0, 0.0, 2e-3, 0.0]);
    let heavy = MetaSettings { l1: 1e3, learning_rate: 1e-4, rule, ..settings() };
    let mut learner = MetaLearner::new(heavy, &pool, 3).unwrap();
    let record = learner.run_episode();
    // The penalty outweighs the loss: every coefficient that is not 0 falls by one step of Adam.
    assert!((learner.coefficient("feedback_hebb").unwrap() - 1.9e-3).abs() < 1e-6);
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
            .contains("61 samples per class; class 0 of the pool has 60")
    );
    assert!(refusal(MetaSettings { feedback: Feedback::Random, ..settings() }).contains("`feedback_hebb`"));
    assert!(refusal(MetaSettings { learned: Vec::new(), ..settings() }).contains("at least one learned"));
    let unknown = refusal(MetaSettings { learned: vec!["ojaa".into()], ..settings() });
    assert!(unknown.contains("`ojaa` is no term of the rule; there are: `gradient`, `error_hebb`"), "{unknown}");
    let rule = Rule::new(&[("gradient", Coefficient::PerLayer(vec![0.1, 0.2, 0.3]))]).unwrap();
    let per_layer = MetaSettings { rule, learned: vec!["gradient".into()], ..settings() };
    assert!(refusal(per_layer).contains("`gradient` is one number in meta-learning"));
    assert!(refusal(MetaSettings { learning_rate: 0.0, ..settings() }).contains("positive"));
    assert!(refusal(MetaSettings { clip: Some(f64::NAN), ..settings() }).contains("NaN"));
    assert!(refusal(MetaSettings { skip_above: Some(0.0), ..settings() }).contains("must be positive, found 0"));
    let architecture = Architecture::new(vec![16, 3], SOFTPLUS).unwrap();
    assert!(refusal(MetaSettings { architecture, ..settings() }).contains("does not fit a pool of 4 classes"));
    assert!(ClassPool::new(Vec::new()).is_err());
}

#[test]
fn episodes_improve_learning_where_kernels_cannot_go() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    let mirror = WeightMirror { every: 10, presentations: 8, rate: 0.1, decay: 0.1 };
    for feedback in [Feedback::Direct, Feedback::KolenPollack, Feedback::WeightMirror(mirror)] {
        let terms = [("gradient", 1e-3), ("decay", 0.0)].map(|(name, c)| (name, Coefficient::Uniform(c)));
        let settings = MetaSettings {
            feedback,
            rule: Rule::new(&terms).unwrap(),
            learned: ["gradient", "decay"].map(String::from).to_vec(),
            learning_rate: 1e-3,
            clip: Some(1.0),
            ..settings()
        };
        assert!(!settings.suits_kernels());
        let mut learner = MetaLearner::new(settings.clone(), &pool, 3).unwrap();
        let records: Vec<_> = (0..110).map(|_| learner.run_episode()).collect();
        let mean = |records: &[EpisodeRecord]| {
            records.iter().map(|record| record.query_loss.unwrap()).sum::<f64>() / records.len() as f64
        };
        let (first, last) = (mean(&records[..20]), mean(&records[90..]));
        assert!(first > 1.2 && last < 0.9 * first, "{feedback:?}: {first} to {last}");
        let mut again = MetaLearner::new(settings, &pool, 3).unwrap();
        assert_eq!(again.run_episode(), records[0]);
    }
}

#[test]
fn what_cannot_be_differentiated_or_learned_is_refused_with_the_reason() {
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    let why = |feedback, terms: &[&str]| {
        let terms: Vec<_> = terms.iter().map(|name| (*name, Coefficient::Uniform(0.1))).collect();
        let settings =
            MetaSettings { feedback, rule: Rule::new(&terms).unwrap(), learned: vec!["gradient".into()], ..settings() };
        MetaLearner::new(settings, &pool, 3).err().map(|error| error.to_string())
    };
    let predictive = Feedback::PredictiveCoding(PredictiveCoding { steps: 5, rate: 0.1, fixed_prediction: false });
    assert!(why(predictive, &["gradient"]).unwrap().contains("settle step by step"));
    assert!(why(Feedback::Random, &["gradient", "feedback_hebb"]).unwrap().contains("keeps feedback weights fixed"));
    assert!(why(Feedback::None, &["gradient", "error_hebb"]).unwrap().contains("to the output alone"));
    assert!(why(Feedback::KolenPollack, &["gradient"]).unwrap().contains("the rule has no `decay`"));
    assert_eq!(why(Feedback::KolenPollack, &["gradient", "decay"]), None);
}

/// With steps back, which need what was good before, and clipping; by kernels and by plain matrices.
#[test]
fn an_outer_loop_is_taken_up_between_any_two_episodes() {
    use crate::science::tape::Tape;
    let sets = striped_sets();
    let pool = ClassPool::new(sets.iter().collect()).unwrap();
    for feedback in [Feedback::Plastic, Feedback::Broadcast { std: 0.1 }] {
        let skipping = MetaSettings {
            feedback,
            rule: rule_nine([1e-3, 0.0, 0.0, 0.0, 0.0, 0.0]),
            learned: vec!["gradient".to_owned()],
            step_back: true,
            ..settings()
        };
        let rule = if feedback == Feedback::Plastic { skipping.rule.clone() } else { gradient_alone() };
        let skipping = MetaSettings { rule, ..skipping };
        // Half of the gradients are too long, and most of the others are shortened.
        let tried = MetaSettings { clip: None, skip_above: None, ..skipping.clone() };
        let mut tried = MetaLearner::new(tried, &pool, 3).unwrap();
        let mut norms: Vec<f64> = (0..12).filter_map(|_| tried.run_episode().gradient_norm).collect();
        norms.sort_by(f64::total_cmp);
        let middle = norms[norms.len() / 2];
        let skipping = MetaSettings { clip: Some(middle / 2.0), skip_above: Some(middle), ..skipping };
        let make = || MetaLearner::new(skipping.clone(), &pool, 3).unwrap();
        let put_down = |learner: &mut MetaLearner<'_>| Tape::written(|tape| learner.keep(tape));
        let mut straight = make();
        let expected: Vec<EpisodeRecord> = (0..12).map(|_| straight.run_episode()).collect();
        let names: BTreeSet<&str> = expected.iter().map(|episode| episode.status.name()).collect();
        assert!(names.len() > 1, "{feedback:?}: some are skipped or clipped, others not: {names:?}");
        for cut in 0..12 {
            let mut first = make();
            (0..cut).for_each(|_| drop(first.run_episode()));
            let mut second = make();
            let kept = put_down(&mut first);
            Tape::read(&kept, |tape| second.keep(tape)).unwrap();
            assert_eq!(second.episodes(), cut);
            let found: Vec<EpisodeRecord> = (cut..12).map(|_| second.run_episode()).collect();
            assert_eq!(found, expected[cut as usize..], "{feedback:?}, cut at {cut}");
            assert!(put_down(&mut second) == put_down(&mut straight));
        }
        for mut record in expected {
            let bytes = Tape::written(|tape| record.keep(tape));
            let mut found = EpisodeRecord::default();
            Tape::read(&bytes, |tape| found.keep(tape)).unwrap();
            assert_eq!(found, record);
        }
    }
}

fn gradient_alone() -> crate::science::plasticity::Rule {
    use crate::science::plasticity::{Coefficient, Rule};
    Rule::new(&[("gradient", Coefficient::Uniform(1e-3))]).unwrap()
}
