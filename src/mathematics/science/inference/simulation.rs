//! Simulated experiments: do the intervals cover as often as they promise, and how often do looks at noise decide something?
//!
//! An experiment tunes two rules, of 9 and of 81 cells, by racing with equal budgets, extensions of an edge included ([`tuning`]), on one of four surfaces
//! ([`surfaces`]), and lets the survivors run on up to 160 seeds of the figure. What the procedure is expected to give is
//! the mean, over all experiments of a surface, of the difference of the means of the two cells that were picked.
//!
//! `tables_of_statistics` prints everything, from 20,000 experiments per row (six minutes); the other tests ask the same of a
//! thousand.

mod experiment;
mod failures;
mod sequential;
mod stored;
mod surfaces;
mod tuning;

use experiment::{coverage, false_verdicts};
use surfaces::Surface;

use crate::science::seed::{Purpose, Stream, stream};

const ALPHA: f64 = 0.02;
/// Experiments of each row of the tables that vary a parameter.
const N_SWEPT: usize = 4000;
const LOOKS: [usize; 4] = [20, 40, 80, 160];
const FIGURE_RUNS: [usize; 2] = [20, 160];

fn noise(of: u32) -> Stream {
    stream(2026, Purpose::Task, of)
}

/// Standard error of a share of `n` that is p in truth.
fn standard_error(p: f64, n: usize) -> f64 {
    (p * (1.0 - p) / n as f64).sqrt()
}

fn print_swept(what: &str, parameter: f64, surface: &Surface) {
    let found = coverage(surface, N_SWEPT);
    let [few, many] = found.map(|c| format!("{:6.2} {:6.2}", 100.0 * c.given_of_procedure, 100.0 * c.procedure));
    println!("{what} {parameter:6} {few}  {many}");
}

#[test]
#[ignore = "six minutes: prints the tables that the documentation quotes"]
fn tables_of_statistics() {
    const N_EXPERIMENTS: usize = 20_000;
    println!("coverage at 98 %, in %, of {N_EXPERIMENTS} experiments");
    println!("surface    n  E1 of E1  E1 of E2  E2 of E2  width E2/E1");
    for surface in Surface::all() {
        for (n, found) in FIGURE_RUNS.iter().zip(coverage(&surface, N_EXPERIMENTS)) {
            let [given, of_procedure, procedure] =
                [found.given, found.given_of_procedure, found.procedure].map(|share| 100.0 * share);
            let name = surface.name;
            println!("{name:8} {n:3}  {given:8.2}  {of_procedure:8.2}  {procedure:8.2}  {:11.3}", found.relative_width);
        }
    }
    println!("\nE2 in E1's and in E2's interval, n = 20 and 160, of {N_SWEPT} experiments");
    for fall in [0.0, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3] {
        print_swept("fall", fall, &Surface::falling_by(fall));
    }
    for gap in [0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06] {
        print_swept("gap of two", gap, &Surface::of_two_good_cells(gap));
    }
    println!(
        "\nfalse verdicts of tuned rules at the bound, four looks, holds / refuted in %, of {N_SWEPT} experiments: E1, E2"
    );
    for surface in Surface::all() {
        let [given, procedure] = false_verdicts(&surface, N_SWEPT)
            .map(|[holds, refuted]| format!("{:5.2} / {:5.2}", 100.0 * holds, 100.0 * refuted));
        println!("{:8} {given}   {procedure}", surface.name);
    }
    tuning::print_regret(4000);
    sequential::print_coverage(20_000);
    sequential::print_errors_at_the_bound(20_000);
    sequential::print_power(10_000);
    failures::print_false_verdicts(10_000);
}

/// What `tables_of_statistics` measures for the interval of the procedure at n = 20 and 160 is what a thousand experiments
/// measure, within two standard errors.
#[test]
fn the_interval_of_the_procedure_covers_as_often_as_the_long_run_measured() {
    const N_EXPERIMENTS: usize = 1000;
    let measured = [
        (Surface::flat(), [0.9936, 0.9906]),
        (Surface::steep(), [0.9927, 0.9950]),
        (Surface::bimodal(), [0.9935, 0.9935]),
    ];
    for (surface, expected) in measured {
        for (found, expected) in coverage(&surface, N_EXPERIMENTS).iter().zip(expected) {
            let allowed = 2.0 * standard_error(expected, N_EXPERIMENTS);
            assert!((found.procedure - expected).abs() < allowed, "{}: {found:?}, not {expected}", surface.name);
        }
    }
}
