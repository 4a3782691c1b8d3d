//! What is printed and kept: one row a kernel or computation.

use std::fmt;

use serde::Serialize;

use crate::machine::{Limits, Times, Work};

/// Seconds of one piece of work, and the floor below them.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    median: f64,
    least: f64,
    /// Seconds that no program can undercut, and the least over it: the limits are the best of many tries too, and a busy
    /// machine adds to all others.
    floor: f64,
    times_floor: f64,
    work: Work,
}

impl Row {
    /// `times` of `pieces` pieces at once; `floor` and `work` of one.
    pub(crate) fn new(name: String, times: Times, pieces: f64, floor: f64, work: Work) -> Self {
        let (median, least) = (times.median / pieces, times.least / pieces);
        Self { name, median, least, floor, times_floor: least / floor, work }
    }
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    Microseconds,
    Milliseconds,
}

/// Rows that are shown in one unit.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    pub(crate) rows: Vec<Row>,
}

/// A section beside the limits of the machine.
pub(crate) struct Shown<'a>(pub(crate) &'a Section, pub(crate) &'a Limits);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(Section { title, unit, rows }, limits) = self;
        let (unit, factor) = match unit {
            Unit::Microseconds => ("µs", 1e6),
            Unit::Milliseconds => ("ms", 1e3),
        };
        let heading = format!("{title}, {unit}");
        let columns = ["median", "least", "arithmetic", "reading", "writing", "floor", "× floor"];
        write!(f, "{heading:42}")?;
        columns.iter().try_for_each(|column| write!(f, " {column:>10}"))?;
        for Row { name, median, least, floor, times_floor, work } in rows {
            let bounds =
                [work.multiply_adds / limits.multiply_adds, work.read / limits.read, work.written / limits.written];
            write!(f, "\n{name:42}")?;
            for seconds in [*median, *least].into_iter().chain(bounds).chain([*floor]) {
                write!(f, " {:>10.3}", seconds * factor)?;
            }
            write!(f, " {times_floor:>10.2}")?;
        }
        Ok(())
    }
}
