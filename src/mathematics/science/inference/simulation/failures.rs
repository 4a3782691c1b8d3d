//! Rare failures: what the guard is worth.
//!
//! Differences scatter by 0.083, and with a small probability one is lower by the gap of 0.35. The bound is the true mean, so
//! that every verdict is false. Tuning, with its hundreds of runs, has seen a failure.

use super::super::contrast::{Contrast, Side};
use super::super::verdict::{Bound, Failures, Verdict, judge};
use super::{ALPHA, noise};

const DEVIATION: f64 = 0.083;
const GAP: f64 = 0.35;

pub(super) fn print_false_verdicts(n_experiments: usize) {
    println!(
        "\nfalse verdicts with rare failures, holds / refuted in %, one look, of {n_experiments} experiments: without guard, with it"
    );
    for (number, probability) in [0.01, 0.03, 0.1].into_iter().enumerate() {
        for n in [20, 40, 160] {
            let mut noise = noise(400 + number as u32);
            let bound = Bound::Above(-probability * GAP);
            let mut count = [[0_u32; 2]; 2];
            for _ in 0..n_experiments {
                let differences = (0..n).map(|_| {
                    let fails = noise.uniform_f64() < probability;
                    DEVIATION * noise.normal() - if fails { GAP } else { 0.0 }
                });
                let contrast = Contrast::new(Side::of_one_cell(differences.collect()).unwrap(), None).unwrap();
                for (n_failed, count) in count.iter_mut().enumerate() {
                    let judged = judge(&contrast, bound, ALPHA, 1, Failures { n_failed, gap: GAP }).unwrap();
                    count[0] += u32::from(judged.verdict == Verdict::Holds);
                    count[1] += u32::from(judged.verdict == Verdict::Refuted);
                }
            }
            let [without, with] = count.map(|sides| sides.map(|n| 100.0 * f64::from(n) / n_experiments as f64));
            println!(
                "{probability:4} {n:3} {:5.2} / {:5.2}   {:5.2} / {:5.2}",
                without[0], without[1], with[0], with[1]
            );
        }
    }
}
