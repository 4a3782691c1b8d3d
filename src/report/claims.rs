//! The claims of a published run, as its table has them.

use std::path::Path;

use super::remarks::{looks, remarks};
use crate::error::{Error, Result};
use crate::publish;
use crate::publish::manifest::{Manifest, TableEntry};
use crate::stages::claims::{ClaimRow, natural, overall};
use crate::tables::cells::Category;
use crate::tables::frame::Frame;
use crate::tables::parquet;

/// One condition of a claim.
#[derive(Debug)]
pub(crate) struct Condition {
    /// Which of the pipelines of a composition; empty in the table of one pipeline.
    pub pipeline: String,
    /// The number of the claim: `C6`.
    pub claim: String,
    /// The claim in words.
    pub statement: String,
    /// What is tested, and in which row of which table.
    pub condition: String,
    /// The statistic over all runs.
    pub estimate: Option<f64>,
    /// Lower end of its interval.
    pub ci_low: Option<f64>,
    /// Upper end of its interval.
    pub ci_high: Option<f64>,
    /// The verdict; none if it is undecided.
    pub holds: Option<bool>,
    /// What has to be known beside it, each a sentence without its full stop.
    pub remarks: Vec<String>,
    /// What the pipeline says beside the claim.
    pub remark: String,
    /// At which runs it was looked at, and when it was decided.
    pub looks: String,
    /// Numbers of runs at which it was looked at.
    pub n_runs: i32,
    /// The whole interval at the level of a refutation, for the worst part.
    pub refute: Option<(f64, f64)>,
    /// On which side of what it has to lie.
    pub bound: (String, f64),
}

/// A claim with its conditions; it holds if all of them do.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    /// `C6`.
    pub name: &'a str,
    /// With the pipeline where several of a composition make the same claim.
    pub statement: String,
    /// None: it is undecided.
    pub holds: Option<bool>,
    /// In the order of the table.
    pub conditions: Vec<&'a Condition>,
}

/// A table of a published folder, checked against its digest before a number of it is shown.
pub(super) fn read(folder: &Path, table: &TableEntry) -> Result<Frame> {
    let bytes = publish::read(folder, &table.path, table.digest.as_deref().unwrap_or_default())?;
    let other = |error: String| Error::Check(format!("{}: {error}", folder.join(&table.path).display()));
    let read = parquet::read(bytes.into(), &table.schema).map_err(|error| other(error.to_string()))?;
    Ok(Frame::new(&*table.name, read.to_batch().map_err(|error| other(error.to_string()))?))
}

/// All conditions of all claims, in the order of the table; none where nothing is claimed.
///
/// # Errors
/// The table is not what was published.
pub(crate) fn conditions(folder: &Path, manifest: &Manifest) -> Result<Vec<Condition>> {
    let claims = manifest.tables.iter().find(|table| table.schema.kind == "claims");
    let Some(claims) = claims else { return Ok(Vec::new()) };
    let frame = read(folder, claims)?;
    // Axes of a composition stand in front; the table of one pipeline has none.
    let pipelines = frame.values::<Option<Category>>("pipeline").unwrap_or_else(|_| vec![None; frame.n_rows()]);
    let rows: Vec<ClaimRow<'_>> = frame.rows().unwrap_or_default();
    let conditions = rows
        .into_iter()
        .zip(pipelines)
        .map(|(row, pipeline)| Condition {
            pipeline: pipeline.unwrap_or_default().to_owned(),
            claim: row.claim.to_owned(),
            statement: row.statement.to_owned(),
            condition: row.condition.to_owned(),
            estimate: row.estimate,
            ci_low: row.ci_low,
            ci_high: row.ci_high,
            holds: row.holds,
            remarks: remarks(&row),
            remark: row.remark.to_owned(),
            looks: looks(&row),
            n_runs: row.n_runs,
            refute: row.refute_low.zip(row.refute_high),
            bound: (row.bound.to_owned(), row.threshold),
        })
        .collect();
    Ok(conditions)
}

/// The claims in the order of their names, each with its conditions.
pub(crate) fn claims(conditions: &[Condition]) -> Vec<Claim<'_>> {
    let identity = |one: &'_ Condition| (one.claim.clone(), one.pipeline.clone(), one.statement.clone());
    let mut firsts: Vec<&Condition> = conditions.iter().collect();
    firsts.sort_by_key(|one| natural(&one.claim));
    firsts.dedup_by_key(|one| identity(one));
    firsts
        .iter()
        .map(|first| {
            let own: Vec<&Condition> = conditions.iter().filter(|one| identity(one) == identity(first)).collect();
            let is_shared = firsts.iter().any(|one| one.claim == first.claim && one.pipeline != first.pipeline);
            let statement = match is_shared {
                true => format!("{} ({})", first.statement, first.pipeline),
                false => first.statement.clone(),
            };
            Claim { name: &first.claim, statement, holds: overall(own.iter().map(|one| one.holds)), conditions: own }
        })
        .collect()
}

impl Claim<'_> {
    /// What the pipeline says beside it.
    pub(crate) fn remark(&self) -> Option<&str> {
        self.conditions.first().map(|first| first.remark.as_str()).filter(|remark| !remark.is_empty())
    }

    /// `[0.0121, 0.084]`: of several parts with the same bound, the end of an interval that decides whether all of them hold, and
    /// the one, at the level of a refutation, that decides whether any is refuted. None where there is one part, or bounds
    /// differ.
    pub(crate) fn worst(&self) -> Option<String> {
        let [first, _, ..] = self.conditions.as_slice() else { return None };
        if self.conditions.iter().any(|one| one.bound != first.bound) {
            return None;
        }
        let ends = |of: &dyn Fn(&Condition) -> Option<f64>| -> Option<Vec<f64>> {
            self.conditions.iter().map(|one| of(one)).collect()
        };
        let least = |ends: Vec<f64>| ends.into_iter().fold(f64::INFINITY, f64::min);
        let most = |ends: Vec<f64>| ends.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = match first.bound.0.as_str() {
            "above" => (least(ends(&|one| one.ci_low)?), least(ends(&|one| Some(one.refute?.1))?)),
            "below" => (most(ends(&|one| Some(one.refute?.0))?), most(ends(&|one| one.ci_high)?)),
            _ => return None,
        };
        Some(format!("[{}, {}]", number(low), number(high)))
    }
}

/// `0.841 [0.835, 0.847]`
pub(crate) fn interval(mean: Option<f64>, low: Option<f64>, high: Option<f64>) -> String {
    match (mean, low, high) {
        (None, ..) => "–".to_owned(),
        (Some(mean), Some(low), Some(high)) => format!("{} [{}, {}]", number(mean), number(low), number(high)),
        (Some(mean), ..) => number(mean),
    }
}

/// Four significant digits.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if (-4..6).contains(&magnitude) {
        let decimals = (3 - magnitude).max(0) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_significant_digits() {
        assert_eq!(number(0.84123), "0.8412");
        assert_eq!(number(-0.0041236), "-0.004124");
        assert_eq!(number(1234.5), "1234");
        assert_eq!(number(1.5e9), "1.500e9");
    }
}
