use ndarray::Array2;

use super::*;

fn resamples(n_runs: usize) -> Resamples {
    Resamples::draw(7, n_runs, 500)
}

/// Values without any pattern that a resample could hit by chance.
fn values(n_runs: usize, offset: f64) -> Vec<f64> {
    (0..n_runs).map(|i| offset + (i as f64 * 2.399 + offset).sin()).collect()
}

#[test]
fn resamples_draw_every_run_equally_often_and_with_replacement() {
    let drawn = Resamples::draw(3, 20, 5000);
    assert_eq!((drawn.n_runs(), drawn.n_resamples()), (20, 5000));
    let mut count = [0u32; 20];
    let mut n_distinct = 0;
    for resample in drawn.iter() {
        let mut seen = [false; 20];
        for &run in resample {
            count[run as usize] += 1;
            seen[run as usize] = true;
        }
        n_distinct += seen.iter().filter(|s| **s).count();
    }
    // Binomial(100,000, 1/20) has a standard deviation of 69; of 20 draws 20 (1 − (1 − 1/20)^20) = 12.83 are distinct.
    assert!(count.iter().all(|&c| c.abs_diff(5000) < 5 * 69), "{count:?}");
    assert!((n_distinct as f64 / 5000.0 - 12.83).abs() < 0.1);
}

#[test]
fn the_same_seed_draws_the_same_and_another_seed_others() {
    assert_eq!(Resamples::draw(1, 20, 500), Resamples::draw(1, 20, 500));
    assert_ne!(Resamples::draw(1, 20, 500), Resamples::draw(2, 20, 500));
}

#[test]
fn percentiles_interpolate_linearly_between_order_statistics() {
    // numpy.percentile([1, 2, 4, 8], [0, 10, 25, 50, 75, 99, 100])
    let sorted = [1.0, 2.0, 4.0, 8.0];
    let expected = [(0.0, 1.0), (0.1, 1.3), (0.25, 1.75), (0.5, 3.0), (0.75, 5.0), (0.99, 7.88), (1.0, 8.0)];
    for (fraction, value) in expected {
        assert!((percentile(&sorted, fraction) - value).abs() < 1e-14, "{fraction}");
    }
    assert_eq!(percentile(&[5.0], 0.99), 5.0);
}

#[test]
fn an_interval_moves_and_stretches_with_its_values() {
    let values = values(20, 0.0);
    let plain = resamples(20).interval(&values, 0.98);
    let moved: Vec<f64> = values.iter().map(|v| 3.0 * v + 10.0).collect();
    let moved = resamples(20).interval(&moved, 0.98);
    assert!((moved.mean - (3.0 * plain.mean + 10.0)).abs() < 1e-13);
    assert!((moved.ci_low.unwrap() - (3.0 * plain.ci_low.unwrap() + 10.0)).abs() < 1e-13);
    assert!((moved.ci_high.unwrap() - (3.0 * plain.ci_high.unwrap() + 10.0)).abs() < 1e-13);
    assert!(plain.ci_low < Some(plain.mean) && Some(plain.mean) < plain.ci_high);
}

#[test]
fn a_difference_of_paired_runs_is_narrower_than_its_parts() {
    let (a, noise) = (values(20, 0.0), values(20, 5.0));
    let b: Vec<f64> = a.iter().zip(&noise).map(|(a, n)| a - 1.0 + 0.01 * (n - 5.0)).collect();
    let width = |i: Interval| i.ci_high.unwrap() - i.ci_low.unwrap();
    let difference = resamples(20).interval_of_difference(&a, &b, 0.98);
    assert!((difference.mean - 1.0).abs() < 0.01);
    assert!(width(difference) < 0.02 * width(resamples(20).interval(&a, 0.98)));
}

#[test]
fn one_run_has_a_mean_and_no_interval() {
    let alone = Interval { mean: 0.8, ci_low: None, ci_high: None };
    assert_eq!(resamples(1).interval(&[0.8], 0.98), alone);
    let missing = [None, Some(0.8), None];
    assert_eq!(resamples(3).interval_of_present(&missing, 0.98), Some(alone));
}

#[test]
fn runs_without_a_value_are_left_out_and_no_run_at_all_is_no_interval() {
    let values = values(12, 0.0);
    let resamples = resamples(12);
    let all: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
    assert_eq!(resamples.interval_of_present(&all, 0.98), Some(resamples.interval(&values, 0.98)));

    let mut some = all;
    (some[2], some[9]) = (None, None);
    let by_hand = |runs: &[u32]| {
        let present: Vec<f64> = runs.iter().filter_map(|&run| some[run as usize]).collect();
        present.iter().sum::<f64>() / present.len() as f64
    };
    assert_eq!(resamples.interval_of_present(&some, 0.98), Some(resamples.interval_of(by_hand, 0.98)));
    assert_eq!(resamples.interval_of_present(&[None; 12], 0.98), None);
}

#[test]
fn a_ratio_is_one_of_means_and_undefined_over_zero() {
    let (a, b) = (values(20, 3.0), values(20, 6.0));
    let doubled: Vec<f64> = b.iter().map(|b| 2.0 * b).collect();
    let exact = resamples(20).interval_of_ratio(&doubled, &b, 0.98);
    assert_eq!(exact, Interval { mean: 2.0, ci_low: Some(2.0), ci_high: Some(2.0) });
    let ratio = resamples(20).interval_of_ratio(&a, &b, 0.98);
    assert_eq!(ratio.mean, (a.iter().sum::<f64>() / 20.0) / (b.iter().sum::<f64>() / 20.0));
    let undefined = resamples(20).interval_of_ratio(&a, &[0.0; 20], 0.98);
    assert_eq!((undefined.ci_low, undefined.ci_high), (None, None));
}

#[test]
fn a_spread_compares_the_extreme_groups_of_each_resample() {
    let groups: Vec<Vec<f64>> = (0..5).map(|g| values(20, 4.0 + g as f64)).collect();
    let table = Array2::from_shape_fn((5, 20), |(g, run)| groups[g][run]);
    let spread = resamples(20).interval_of_spread(table.view(), 0.98);
    let by_hand = resamples(20).interval_of(
        |runs| {
            let mut means: Vec<f64> = groups.iter().map(|values| mean_of(values, runs)).collect();
            means.sort_by(f64::total_cmp);
            means[4] / means[0]
        },
        0.98,
    );
    assert_eq!(spread, by_hand);
    // A transposed table is the same table.
    let transposed = Array2::from_shape_fn((20, 5), |(run, g)| groups[g][run]);
    assert_eq!(resamples(20).interval_of_spread(transposed.t(), 0.98), spread);
}

/// Share of `n_draws` normal samples of 20 whose interval contains the true mean 0; `per_set` of them share resamples.
fn coverage(n_draws: u64, n_resamples: usize, per_set: u64) -> f64 {
    let mut normal = stream(99, Purpose::Task, 0);
    let covered = (0..n_draws / per_set).flat_map(|set| {
        let resamples = Resamples::draw(set, 20, n_resamples);
        let intervals: Vec<Interval> = (0..per_set)
            .map(|_| {
                let sample: Vec<f64> = (0..20).map(|_| normal.normal()).collect();
                resamples.interval(&sample, 0.98)
            })
            .collect();
        intervals
    });
    let covered = covered.filter(|i| i.ci_low.unwrap() <= 0.0 && 0.0 <= i.ci_high.unwrap()).count();
    covered as f64 / n_draws as f64
}

/// The theory of the module's head, evaluated with scipy.stats (norm.isf, t.sf) at n = 20, level 0.98:
/// P(|t_19| < z √0.95) with z = 2.3263 (endlessly many resamples), 2.3193 (B = 5,000) and 2.2588 (B = 500).
const THEORY_ENDLESS: f64 = 0.96478;
const THEORY_500: f64 = 0.95973;

#[test]
fn coverage_is_what_theory_gives() {
    // Three standard deviations of Binomial(2000, 0.96) / 2000 are 0.013.
    let few = coverage(2000, 500, 10);
    assert!((few - THEORY_500).abs() < 0.013, "500 resamples cover {few}");
    let many = coverage(2000, 5000, 200);
    assert!((many - THEORY_ENDLESS).abs() < 0.013, "5,000 resamples cover {many}");
}

#[test]
fn agrees_with_numpy_on_the_same_resamples() {
    let fixture = include_str!("../../../../tests/reference/fixtures/bootstrap_intervals.json");
    let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
    let level = fixture["level"].as_f64().unwrap();
    let n_resamples = fixture["n_resamples"].as_u64().unwrap() as usize;
    for case in fixture["cases"].as_array().unwrap() {
        let floats = |name: &str| -> Vec<f64> { serde_json::from_value(case[name].clone()).unwrap() };
        let (a, b) = (floats("a"), floats("b"));
        let resamples = Resamples::draw(case["seed"].as_u64().unwrap(), a.len(), n_resamples);
        let groups = Array2::from_shape_vec((3, a.len()), floats("groups")).unwrap();
        for (name, interval) in [
            ("interval", resamples.interval(&a, level)),
            ("difference", resamples.interval_of_difference(&a, &b, level)),
            ("ratio", resamples.interval_of_ratio(&a, &b, level)),
            ("spread", resamples.interval_of_spread(groups.view(), level)),
        ] {
            let expected = |key: &str| case[name][key].as_f64().unwrap();
            let found = [interval.mean, interval.ci_low.unwrap(), interval.ci_high.unwrap()];
            for (found, key) in found.into_iter().zip(["mean", "ci_low", "ci_high"]) {
                assert!((found - expected(key)).abs() < 1e-13, "{name} {key}: {found} instead of {}", expected(key));
            }
        }
    }
}
