//! What a comparison of two tuned rules may claim: intervals, looks at growing data, verdicts, power.
//!
//! A rule is tuned first, on tuning seeds, and a few of its cells survive; then the survivors run on the figure's seeds,
//! which tuning never saw. Two things can be asked. **Given** what was picked: the expected paired difference of the two
//! picked cells over fresh seeds. Of the **procedure**: the expected paired difference if both rules were tuned again on new
//! seeds with the same budget, Σ π_c μ_B(c) − Σ π'_c μ_A(c). A verdict is about the procedure ([`contrast`], [`verdict`]);
//! the difference of the truly best cells is a third thing, and nothing here claims it.
//!
//! Symbols: n runs of a figure; x_{c,i} what run i gives with cell c; π_c the probability that tuning picks c; D_i the
//! paired difference of run i; α the two-sided level of an interval, so that it is to cover with probability 1 − α.
//!
//! Everything is a function of its arguments; logarithms, exponentials and gamma functions are `libm`'s, and sums have a
//! fixed order, so that every processor gives the same bits. `simulation` (tests only) measures how often the intervals
//! cover, and how often looks at pure noise decide something.

pub mod contrast;
pub mod distributions;
pub mod interval;
pub mod looks;
pub mod power;
mod quadrature;
pub mod sample;
#[cfg(test)]
mod simulation;
mod special;
#[cfg(test)]
mod tests;
pub mod verdict;
