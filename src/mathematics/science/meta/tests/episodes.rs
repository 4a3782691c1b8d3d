//! The outer loop: tasks, updates, and what becomes of an episode.

use super::*;

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
            .contains("61 samples a class; class 0 of the pool has 60")
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
