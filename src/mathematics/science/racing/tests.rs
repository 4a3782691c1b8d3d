//! Races over made-up scores.

use proptest::prelude::*;

use super::*;

const GRADIENTS: [f64; 9] = [1e-3, 1.8e-3, 3.2e-3, 5.6e-3, 1e-2, 1.8e-2, 3.2e-2, 5.6e-2, 1e-1];
const OJA: [f64; 9] = [0.0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2];
const BUDGET: usize = 443;

fn ladder(values: &[f64]) -> Ladder {
    Ladder::new(values.to_vec()).unwrap()
}

fn race() -> Race {
    Race::new(vec![ladder(&GRADIENTS), ladder(&OJA)], BUDGET, Some(1))
}

/// Noise between −1 and 1 that belongs to a cell and a seed.
fn noise(cell: &[i32], seed: usize) -> f64 {
    let mut state = cell.iter().fold(seed as u64 + 1, |state, &rung| {
        (state ^ (rung as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    });
    state ^= state >> 29;
    (state.wrapping_mul(0x94D0_49BB_1331_11EB) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// A hill whose top is the cell `top`, in noise so large.
fn hill(top: [i32; 2], steepness: f64, size: f64) -> impl Fn(&[i32], usize) -> f64 {
    move |cell, seed| {
        let apart: f64 = cell.iter().zip(top).map(|(rung, top)| f64::from((rung - top).pow(2))).sum();
        0.8 - steepness * apart + size * noise(cell, seed)
    }
}

/// Runs a race to its end; trainings come in by as many at a time as `portion` says.
fn run(race: &Race, score: impl Fn(&[i32], usize) -> f64, mut portion: impl FnMut() -> usize) -> (Standing, Scores) {
    let mut scores = Scores::new();
    for _ in 0..100_000 {
        match race.step(&scores) {
            Step::Done(standing) => return (standing, scores),
            Step::Train(wanted) => {
                let wanting = wanted.iter().flat_map(|(cell, seeds)| {
                    let there = scores.get(cell).map_or(0, Vec::len);
                    (there..*seeds).map(move |seed| (cell.clone(), seed))
                });
                for (cell, seed) in wanting.take(portion()).collect::<Vec<_>>() {
                    scores.entry(cell.clone()).or_default().push(score(&cell, seed));
                }
            }
        }
    }
    panic!("the race does not end");
}

fn trainings(scores: &Scores) -> usize {
    scores.values().map(Vec::len).sum()
}

#[test]
fn a_race_spends_its_trainings_to_the_last_and_finds_the_top() {
    let (standing, scores) = run(&race(), hill([4, 5], 0.01, 0.05), || usize::MAX);
    assert_eq!(trainings(&scores), BUDGET);
    assert_eq!(standing.survivors[0], [4, 5]);
    assert!((2..=6).contains(&standing.survivors.len()) && standing.common_seeds > LAST_ROUND, "{standing:?}");
    assert!(standing.untried.is_empty());
    // As many as are cut: the others have 3, 6 or 12 seeds behind them.
    let with = |n: usize| scores.values().filter(|scores| scores.len() == n).count();
    assert_eq!(with(3) + with(6) + with(12), scores.len() - standing.survivors.len());
}

#[test]
fn one_coefficient_gets_as_many_trainings_as_two() {
    let bp = Race::new(vec![ladder(&GRADIENTS)], BUDGET, None);
    let (standing, scores) = run(&bp, |cell, seed| hill([4, 0], 0.01, 0.05)(&[cell[0], 0], seed), || usize::MAX);
    assert_eq!((trainings(&scores), &standing.survivors[0]), (BUDGET, &vec![4]));
}

proptest! {
    /// Conditions of a setting get as many trainings, also where these do not suffice for the next round of all.
    #[test]
    fn whatever_the_grid_and_the_budget_all_of_it_is_spent(
        (rungs, spare) in (2usize..9, 0usize..80), (top, size) in (0i32..9, 0.0..0.3f64)
    ) {
        let race = Race::new(vec![ladder(&GRADIENTS[..rungs])], Race::budget_for(rungs, spare), None);
        let score = |cell: &[i32], seed: usize| hill([top, 0], 0.01, size)(&[cell[0], 0], seed);
        let (_, scores) = run(&race, score, || usize::MAX);
        prop_assert_eq!(trainings(&scores), Race::budget_for(rungs, spare));
    }
}

#[test]
fn cells_that_are_clearly_worse_are_gone_after_three_seeds() {
    let (standing, scores) = run(&race(), hill([4, 5], 0.2, 0.001), || usize::MAX);
    assert_eq!(standing.survivors.len(), FEWEST);
    assert_eq!(scores.values().filter(|scores| scores.len() > 3).count(), FEWEST);
    assert_eq!(trainings(&scores), BUDGET);
}

#[test]
fn a_top_beyond_the_edge_is_found_within_the_same_trainings() {
    let (standing, scores) = run(&race(), hill([-2, 5], 0.02, 0.01), || usize::MAX);
    assert_eq!(standing.survivors[0], [-2, 5]);
    assert!(standing.untried.is_empty(), "its neighbours were tried");
    assert!(scores.contains_key(&vec![-3, 5]));
    assert_eq!(trainings(&scores), BUDGET);
}

#[test]
fn a_ladder_that_begins_with_nothing_ends_there() {
    let (standing, scores) = run(&race(), hill([4, 0], 0.02, 0.01), || usize::MAX);
    assert_eq!(standing.survivors[0], [4, 0]);
    assert!(standing.untried.is_empty() && scores.keys().all(|cell| cell[1] >= 0));
    // But two cells with the term are still among them.
    assert!(standing.survivors.iter().filter(|cell| race().is_positive(cell)).count() >= FEWEST);
}

#[test]
fn an_edge_that_never_ends_is_told() {
    let climbing = |cell: &[i32], _: usize| 0.1 * f64::from(cell[0]);
    let short = Race::new(vec![ladder(&GRADIENTS)], 3 * 9 + 4, None);
    let (standing, scores) = run(&short, climbing, || usize::MAX);
    assert!(trainings(&scores) <= 31);
    assert!(!standing.untried.is_empty(), "{standing:?}");
}

#[test]
fn of_equals_the_smaller_coefficients_win() {
    let (standing, _) = run(&race(), |_, _| 0.1, || usize::MAX);
    assert_eq!(standing.survivors[0], [0, 0]);
}

#[test]
fn ladders_go_on_by_their_own_steps() {
    let oja = ladder(&OJA);
    let found: Vec<Option<f64>> = (-2..12).map(|rung| oja.value(rung)).collect();
    assert_eq!(found[..3], [None, None, Some(0.0)]);
    assert_eq!(found[10..], [Some(3e-2), Some(1e-1), Some(3e-1), Some(1.0)]);
    let powers = ladder(&[1.0, 2.0, 4.0]);
    assert_eq!([-2, -1, 3, 4].map(|rung| powers.value(rung)), [0.25, 0.5, 8.0, 16.0].map(Some));
    let pair = ladder(&[1.0, 10.0]);
    assert_eq!([-2, -1, 2, 3].map(|rung| pair.value(rung)), [0.01, 0.1, 100.0, 1000.0].map(Some));
    assert_eq!([-1, 0, 1].map(|rung| ladder(&[5.0]).value(rung)), [None, Some(5.0), None]);
    assert_eq!((powers.rung(8.0), powers.rung(3.0), oja.rung(0.0)), (Some(3), None, Some(0)));
    assert_eq!(Ladder::new(vec![1.0, 1.0]), None);
    assert_eq!(Ladder::new(vec![-1.0]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However trainings come in, and whoever is asked in between, the race is the same.
    #[test]
    fn a_race_is_a_function_of_its_scores(
        top in (-1i32..10, 0i32..10), steepness in 0.0..0.05f64, size in 0.0..0.2f64, portions in prop::collection::vec(1usize..200, 1..8)
    ) {
        let score = hill([top.0, top.1], steepness, size);
        let whole = run(&race(), &score, || usize::MAX);
        let mut portion = portions.iter().cycle().copied();
        let pieces = run(&race(), &score, || portion.next().unwrap());
        prop_assert_eq!(&whole.0, &pieces.0);
        prop_assert_eq!(&whole.1, &pieces.1);
        prop_assert!(trainings(&whole.1) <= BUDGET);
    }
}
