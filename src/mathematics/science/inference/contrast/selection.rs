//! How probable each survivor was to be picked.

use crate::science::seed::{Purpose, stream};

/// π_c: how probable tuning is to pick each of the survivors, which have `scores` (cells × n_t) on n_t common tuning seeds.
///
/// The share of `draws` in which a cell's mean is the largest, ties going to the earlier cell. A draw takes n_t/2 of the
/// seeds (rounded up) with replacement, the same for every cell, from the stream (seed,
/// [`Purpose::Selection`]). Half of the seeds and not all of them: the observed means already contain the noise of tuning,
/// and drawing all n_t would make π too sure of the cell that was lucky.
///
/// # Panics
/// If there is no cell, no seed or no draw, or if cells differ in their number of seeds.
pub fn selection_probabilities(scores: &[Vec<f64>], seed: u64, draws: usize) -> Vec<f64> {
    let n_seeds = scores.first().map_or(0, Vec::len);
    assert!(n_seeds > 0 && draws > 0, "picking needs a cell, a tuning seed and a draw");
    assert!(scores.iter().all(|of_cell| of_cell.len() == n_seeds), "cells must have the same tuning seeds");
    let bound = u32::try_from(n_seeds).expect("tuning seeds are counted in 32 bits");
    let mut stream = stream(seed, Purpose::Selection, 0);
    let mut drawn = vec![0; n_seeds.div_ceil(2)];
    let mut n_picked = vec![0_u32; scores.len()];
    for _ in 0..draws {
        drawn.fill_with(|| stream.below(bound) as usize);
        n_picked[largest(scores.iter().map(|of_cell| drawn.iter().map(|&i| of_cell[i]).sum()))] += 1;
    }
    n_picked.iter().map(|&n| f64::from(n) / draws as f64).collect()
}

/// The place of the largest of `sums`, of the first if there are several.
fn largest(sums: impl Iterator<Item = f64>) -> usize {
    let later_if_larger = |best: (usize, f64), next: (usize, f64)| if next.1 > best.1 { next } else { best };
    sums.enumerate().reduce(later_if_larger).map_or(0, |(place, _)| place)
}
