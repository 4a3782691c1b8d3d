//! How often claims are looked at, and at which level each time.

use serde::Serialize;

use crate::science::inference::looks::nominal_level;

/// The looks at growing data, fixed before the first.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Looks {
    /// Numbers of runs; none where there is one look, at whatever runs there are.
    pub at: Vec<usize>,
    /// Of all looks together.
    pub level: f64,
}

impl Looks {
    /// The looks that `n_runs` runs allow, in order. Runs that do not make up the first one are looked at all the same.
    pub(super) fn possible(&self, n_runs: usize) -> Vec<usize> {
        let made: Vec<usize> = self.at.iter().copied().filter(|look| *look <= n_runs).collect();
        if made.is_empty() { vec![n_runs] } else { made }
    }

    /// The look after one at so many runs.
    pub(super) fn after(&self, n_runs: usize) -> Option<usize> {
        self.at.iter().copied().find(|look| *look > n_runs)
    }

    /// The two-sided level of a single look.
    pub(super) fn nominal(&self) -> f64 {
        if self.at.is_empty() { self.level } else { nominal_level(&self.at, self.level) }
    }

    /// `20, 40, 80`, or the runs that there are.
    pub(super) fn in_words(&self, n_runs: usize) -> String {
        match self.at.as_slice() {
            [] => n_runs.to_string(),
            looks => looks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        }
    }
}
