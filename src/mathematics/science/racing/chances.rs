//! How probable it is that a cell is picked, if tuning were done again.

use crate::science::seed::{Purpose, stream};

/// Draws behind a probability.
pub const DRAWS: usize = 2000;

/// The share of draws in which each cell has the highest mean. `scores` holds, for each cell, its scores on the seeds that
/// all have in common, n of them; a draw takes n/2 of these seeds with replacement, the same for all cells.
///
/// Half as many, because the means that were found differ by the cells' own differences and by noise already: drawn n times,
/// the noise would be counted twice. Ties go to the earlier cell. Numbers come from the stream (seed,
/// [`Purpose::Selection`], layer 0).
///
/// # Panics
///
/// If there is no cell, no seed, or not one score a cell and seed.
pub fn chances(scores: &[&[f64]], seed: u64, draws: usize) -> Vec<f64> {
    let seeds = scores.first().map_or(0, |scores| scores.len());
    assert!(seeds > 0 && scores.iter().all(|scores| scores.len() == seeds), "one score a cell and seed");
    let bound = u32::try_from(seeds).expect("seeds are counted in 32 bits");
    let mut stream = stream(seed, Purpose::Selection, 0);
    let mut picked = vec![0u32; scores.len()];
    for _ in 0..draws {
        let drawn: Vec<usize> = (0..seeds.div_ceil(2)).map(|_| stream.below(bound) as usize).collect();
        let sums = scores.iter().map(|scores| drawn.iter().map(|&seed| scores[seed]).sum::<f64>());
        let best = sums.enumerate().fold((0, f64::NEG_INFINITY), |best, (cell, sum)| {
            if sum > best.1 { (cell, sum) } else { best }
        });
        picked[best.0] += 1;
    }
    picked.into_iter().map(|n| f64::from(n) / draws as f64).collect()
}
