use proptest::prelude::*;

use super::*;

fn survivor(probability: f64, values: &[f64]) -> Survivor {
    Survivor { probability, values: values.to_vec() }
}

fn side(survivors: &[(f64, &[f64])]) -> Side {
    Side::new(survivors.iter().map(|(probability, values)| survivor(*probability, values)).collect()).unwrap()
}

#[test]
fn what_is_wrong_is_said() {
    let refused = |survivors: &[(f64, &[f64])]| {
        let survivors = survivors.iter().map(|(probability, values)| survivor(*probability, values)).collect();
        Side::new(survivors).unwrap_err().to_string()
    };
    assert_eq!(refused(&[]), "a side of a contrast has no survivor");
    assert_eq!(refused(&[(1.0, &[])]), "a survivor has no runs");
    assert_eq!(
        refused(&[(0.5, &[1.0, 2.0]), (0.5, &[1.0])]),
        "survivors must have the same runs: one has 2, another 1"
    );
    assert_eq!(
        refused(&[(0.5, &[1.0]), (0.25, &[1.0])]),
        "the probabilities of a side's survivors must add up to 1, but add up to 0.75"
    );
    assert_eq!(refused(&[(1.5, &[1.0]), (-0.5, &[1.0])]), "a survivor's probability must lie between 0 and 1, got 1.5");
    assert_eq!(
        refused(&[(1.0, &[0.5, f64::NAN])]),
        "a survivor's value of run 1 is NaN; values must be finite numbers"
    );
    let (two, one) = (side(&[(1.0, &[1.0, 2.0])]), side(&[(1.0, &[1.0])]));
    let unpaired = Contrast::new(two, Some(one)).unwrap_err();
    assert_eq!(unpaired, InvalidContrast::LengthsDiffer { expected: 2, found: 1 });
}

#[test]
fn differences_are_paired_by_run_and_weighted_by_probability() {
    let plus = side(&[(0.75, &[1.0, 2.0]), (0.25, &[5.0, 2.0])]);
    let minus = side(&[(1.0, &[0.5, 0.25])]);
    let contrast = Contrast::new(plus.clone(), Some(minus)).unwrap();
    assert_eq!(contrast.n_runs(), 2);
    assert_eq!(contrast.given(), [0.5, 1.75]);
    assert_eq!(contrast.mixture(), [1.5, 1.75]);
    let alone = Contrast::new(plus, None).unwrap();
    assert_eq!((alone.given(), alone.mixture()), (vec![1.0, 2.0], vec![2.0, 2.0]));
}

/// Two cells with π = 1/2 that differ by 2δ in every run: V = δ², without noise to take away.
#[test]
fn cells_that_differ_by_a_constant_spread_by_half_of_it() {
    let plus = side(&[(0.5, &[0.75, 0.5, 0.25]), (0.5, &[1.0, 0.75, 0.5])]);
    let contrast = Contrast::new(plus.clone(), Some(plus.clone())).unwrap();
    assert_eq!(contrast.selection_variance(), 2.0 * 0.125 * 0.125);
    assert_eq!(Contrast::new(plus, None).unwrap().selection_variance(), 0.125 * 0.125);
}

/// x_c − x_π = ±(1, 3)/2 and its negative, mean 1, variance (of 1/2 and 3/2) 1/2, v = 1/4: V = 1 − 1/4 by hand.
#[test]
fn the_noise_of_the_runs_is_taken_away() {
    let plus = side(&[(0.5, &[1.0, 3.0]), (0.5, &[0.0, 0.0])]);
    assert_eq!(Contrast::new(plus, None).unwrap().selection_variance(), 0.75);
    // Cells that differ by nothing but noise add nothing.
    let noise = side(&[(0.5, &[1.0, -1.0]), (0.5, &[0.0, 0.0])]);
    assert_eq!(Contrast::new(noise, None).unwrap().selection_variance(), 0.0);
}

#[test]
fn without_a_choice_both_estimates_are_one() {
    let contrast = Contrast::new(side(&[(1.0, &[0.9, 0.8, 0.95])]), Some(side(&[(1.0, &[0.7, 0.75, 0.8])]))).unwrap();
    assert_eq!(contrast.selection_variance(), 0.0);
    assert_eq!(contrast.estimate_given(0.02), contrast.estimate_procedure(0.02));
    // A survivor that is never picked changes nothing either.
    let with_another = side(&[(1.0, &[0.9, 0.8, 0.95]), (0.0, &[0.1, 0.2, 0.0])]);
    let with_another = Contrast::new(with_another, contrast.minus().cloned()).unwrap();
    assert_eq!(with_another.estimate_procedure(0.02), contrast.estimate_procedure(0.02));
}

#[test]
fn the_interval_of_the_procedure_is_that_of_the_definition() {
    let plus = side(&[(0.5, &[0.75, 0.5, 0.25, 0.5]), (0.5, &[1.0, 0.75, 0.625, 0.75])]);
    let contrast = Contrast::new(plus, None).unwrap();
    let v = contrast.selection_variance();
    let t = 4.540_702_858_568_132; // scipy.stats.t.ppf(0.99, 3)
    let differences = contrast.mixture();
    let HalfWidths { below, above } = half_widths(&differences, 0.02).unwrap();
    let found = contrast.estimate_procedure(0.02).unwrap();
    let middle = differences.iter().sum::<f64>() / 4.0;
    assert!(v > 0.0);
    assert!((found.low - (middle - (below * below + t * t * v).sqrt())).abs() < 1e-12);
    assert!((found.high - (middle + (above * above + t * t * v).sqrt())).abs() < 1e-12);
}

#[test]
fn one_run_has_no_interval() {
    let contrast = Contrast::new(side(&[(0.5, &[0.9]), (0.5, &[0.8])]), None).unwrap();
    assert_eq!((contrast.estimate_given(0.02), contrast.estimate_procedure(0.02)), (None, None));
    assert_eq!(contrast.selection_variance(), 0.0);
}

#[test]
fn the_same_picks_are_identical_and_one_condition_never_is() {
    let zeros = || side(&[(1.0, &[0.0, 0.0])]);
    assert!(Contrast::new(zeros(), Some(zeros())).unwrap().is_identical());
    assert!(!Contrast::new(zeros(), None).unwrap().is_identical());
    // The same picks, but other mixtures.
    let other = side(&[(0.5, &[0.0, 0.0]), (0.5, &[0.0, 0.1])]);
    assert!(!Contrast::new(zeros(), Some(other)).unwrap().is_identical());
}

#[test]
fn a_clear_winner_is_always_picked_and_a_tie_goes_to_the_earlier() {
    let scores = [vec![0.5; 6], vec![0.9; 6], vec![0.9; 6]];
    assert_eq!(selection_probabilities(&scores, 1, 400), [0.0, 1.0, 0.0]);
    assert_eq!(selection_probabilities(&[vec![0.3]], 1, 400), [1.0]);
}

/// Draws of 2 of 4 seeds with replacement: the second cell, ahead by 1 on one seed and behind by 0.25 on three, is ahead
/// where its seed is drawn at all, 1 − (3/4)² = 7/16 of the draws.
#[test]
fn half_of_the_seeds_are_drawn_with_replacement() {
    let scores = [vec![0.0; 4], vec![1.0, -0.25, -0.25, -0.25]];
    let found = selection_probabilities(&scores, 5, 40_000);
    // Three standard deviations of Binomial(40,000, 7/16) / 40,000 are 0.0074.
    assert!((found[1] - 7.0 / 16.0).abs() < 0.0075, "{found:?}");
    assert_eq!(found[0] + found[1], 1.0);
}

#[test]
fn the_same_seed_draws_the_same_and_another_seed_others() {
    let scores = [vec![0.1, 0.9, 0.3, 0.4, 0.2], vec![0.4, 0.3, 0.6, 0.1, 0.5]];
    let drawn = |seed| selection_probabilities(&scores, seed, 400);
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

/// A side of three cells with `n` runs, probabilities made from three weights.
fn sides(n: usize) -> impl Strategy<Value = Side> {
    let cell = move || (0.01_f64..1.0, prop::collection::vec(-1.0_f64..1.0, n));
    prop::collection::vec(cell(), 3).prop_map(|cells| {
        let total: f64 = cells.iter().map(|(weight, _)| weight).sum();
        let survivors = cells.into_iter().map(|(weight, values)| Survivor { probability: weight / total, values });
        Side::new(survivors.collect()).expect("weights over their sum")
    })
}

proptest! {
    #[test]
    fn picking_only_widens(plus in sides(8), minus in sides(8), alpha in 0.002_f64..0.2) {
        let contrast = Contrast::new(plus, Some(minus)).unwrap();
        let HalfWidths { below, above } = half_widths(&contrast.mixture(), alpha).unwrap();
        let found = contrast.estimate_procedure(alpha).unwrap();
        prop_assert!(contrast.selection_variance() >= 0.0);
        prop_assert!(found.low <= found.estimate - below && found.high >= found.estimate + above);
        let stricter = contrast.estimate_procedure(alpha / 2.0).unwrap();
        prop_assert!(stricter.low <= found.low && stricter.high >= found.high);
    }

    #[test]
    fn exchanging_the_sides_turns_the_estimate_round(plus in sides(8), minus in sides(8)) {
        let there = Contrast::new(plus.clone(), Some(minus.clone())).unwrap().estimate_procedure(0.02).unwrap();
        let back = Contrast::new(minus, Some(plus)).unwrap().estimate_procedure(0.02).unwrap();
        prop_assert!((there.low + back.high).abs() < 1e-12 && (there.high + back.low).abs() < 1e-12);
    }
}
