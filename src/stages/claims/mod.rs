//! the values of runs behind bootstrap tables → claims: verdicts, with the numbers that they rest on
//!
//! A claim is a statement that runs can refute: one or more conditions on means over runs. It holds, is refuted, or stays
//! undecided; each is a result like any other. The verdict is about the procedure, tuning included (`science/inference`): it
//! would be the same if all were done again. So it needs runs with all coefficients that tuning left, and perhaps more runs
//! than there are: the plan has levels, and this stage says what the next one adds.

mod judge;
mod looks;
mod parts;
mod spec;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::science::inference::contrast::InvalidContrast;
use crate::science::inference::power::Needed;
use crate::science::inference::verdict::{Bound, Verdict};
use crate::spec::node::{Fault, Node, instead_of};
use crate::tables::frame::Frame;
use crate::tables::{Row, TableError, table};
use crate::task::{Axes, Kind, Output, Planned, Planning, Reference, Sequel, Surroundings, TableId, Work};
use judge::{Judged, JudgedPart, judge_claim};
pub use judge::{in_one_word, overall};
use looks::Looks;
use parts::{Part, parts};
pub use spec::{ClaimSpec, ConditionSpec, DecideSpec};
use spec::{Condition, read_claim, read_looks, sections, tables_of};
use wanted::{Axis, Wanted};

/// `[[claims]]`
pub struct Claims;

table! {
    /// The verdict of a part of a claim: one condition in one row of a bootstrap table.
    pub struct ClaimRow<'a> in "claims" version 4 key(claim, condition) {
        /// number of the claim
        claim: Category,
        /// the claim in words
        statement: Text,
        /// what is tested, and in which row of which table
        condition: Text,
        /// mean over runs, expected if tuning were done again; a ratio where logarithms were averaged; or a probability
        estimate: Option<Float64>,
        /// lower end of its interval, at the level of a look
        ci_low: Option<Float64>,
        /// upper end of its interval, at the level of a look
        ci_high: Option<Float64>,
        /// on which side of the threshold it has to lie: `above`, `below`, or `between` two
        bound: Category,
        /// what it is compared with; of two bounds the lower
        threshold: Float64,
        /// the upper of two bounds
        threshold_high: Option<Float64>,
        /// whether the part holds; null where it is undecided
        holds: Option<Boolean>,
        /// `holds`, `refuted` or `undecided`
        verdict: Category,
        /// runs behind it
        n_runs: Int32 in "runs",
        /// runs among those with the picked coefficients that failed
        n_failed: Int32 in "runs",
        /// trainings with the picked coefficients while they were tuned
        n_tuned: Int32 in "runs",
        /// trainings among them that failed
        n_tuned_failed: Int32 in "runs",
        /// two-sided level of a look: the interval is to cover with one minus this
        level: Float64,
        /// numbers of runs at which the claim was or would be looked at
        looks: Text,
        /// runs at the look at which the claim was decided; null where it is undecided
        decided_at: Option<Int32> in "runs",
        /// mean over runs with the coefficients that were picked
        picked_estimate: Option<Float64>,
        /// lower end of its interval, as if the coefficients had fallen from the sky
        picked_low: Option<Float64>,
        /// upper end of its interval
        picked_high: Option<Float64>,
        /// lower end of the interval of the estimate at the level of a refutation, which is shared by the parts of a claim
        refute_low: Option<Float64>,
        /// upper end of it
        refute_high: Option<Float64>,
        /// by how much tuning alone spreads the estimate; of ratios in logarithms
        tuning_sd: Option<Float64>,
        /// standard deviation of runs; of ratios in logarithms
        run_sd: Option<Float64>,
        /// what the paper reports
        paper_effect: Option<Float64>,
        /// chance of a verdict with these runs if that is the true effect
        power: Option<Float64>,
        /// runs for a chance of 80 %; null where no number of runs decides, or the effect is not said
        n_needed: Option<Int64> in "runs",
        /// the same if runs scatter less, as they well may
        n_needed_low: Option<Int64> in "runs",
        /// the same if they scatter more
        n_needed_high: Option<Int64> in "runs",
        /// what else has to be known of the verdict
        note: Text,
        /// what the pipeline says beside the claim
        remark: Text,
    }
}

impl Kind for Claims {
    fn name(&self) -> &'static str {
        "claims"
    }

    fn summary(&self) -> &'static str {
        "Judges claims by the runs behind bootstrap tables: holds, refuted or undecided."
    }

    fn version(&self) -> u32 {
        5
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<Vec<ClaimSpec>>()
    }

    fn tables(&self) -> Vec<Output> {
        vec![Output::kept("", ClaimRow::schema())]
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        let mut references = Vec::new();
        let (claims, _) = sections(parameters);
        for claim in &claims {
            let table = claim.expect_table("a claim")?;
            let nested = table.get("all").map(spec::items).unwrap_or_default();
            for condition in std::iter::once(*claim).chain(nested) {
                references.extend(tables_of(condition)?);
            }
        }
        if references.is_empty() {
            let first = claims.first().map_or(&parameters.span, |claim| &claim.span);
            return Err(Fault::at(first, "a claim reads a bootstrap table: `of = \"…\"` is missing"));
        }
        Ok(references)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let (claims, decide) = sections(planning.parameters);
        let mut conditions = Vec::new();
        for claim in claims {
            conditions.extend(read_claim(planning, claim)?);
        }
        for condition in conditions.iter().filter(|condition| condition.given.is_some()) {
            let given = condition.given.as_deref().unwrap_or_default();
            let known = || conditions.iter().filter(|other| other.claim != condition.claim && other.given.is_none());
            if !known().any(|other| other.claim == given) {
                let there = instead_of(given, known().map(|other| &other.claim));
                let message = format!("claim `{}` is given `{given}`; {there}", condition.claim);
                return Err(Fault::at(&planning.parameters.span, message));
            }
        }
        let Some(over) = conditions.iter().find_map(|condition| condition.over.as_deref()) else {
            let message = "claims are judged by runs: at least one condition is about a bootstrap table";
            return Err(Fault::at(&planning.parameters.span, message));
        };
        let looks = read_looks(planning, decide, over)?;
        let axes = wanted::axes(planning);
        let mut task = ClaimsTask { conditions, looks, axes, outputs: vec![Output::kept("", ClaimRow::schema())] };
        if task.can_ask() {
            task.outputs.push(Output::private("wanted", wanted::schema(&task.axes)));
        }
        Ok(Planned::new(task))
    }
}

#[derive(Debug)]
struct ClaimsTask {
    conditions: Vec<Condition>,
    looks: Looks,
    /// Of the matrix.
    axes: Vec<Axis>,
    outputs: Vec<Output>,
}

impl Work for ClaimsTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({ "conditions": self.conditions, "looks": self.looks })
    }

    fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    fn sequel(&self) -> Option<&dyn Sequel> {
        self.can_ask().then_some(self)
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let tables = self.tables(context)?;
        let (verdicts, wanted) = self.judge(&tables).map_err(|error| context.internal(error))?;
        let rows: Vec<ClaimRow<'_>> = verdicts.iter().map(PartVerdict::row).collect();
        context.write("claims", ClaimRow::batch(&rows))?;
        match self.outputs.get(1) {
            Some(output) => {
                let wanted = wanted.table(&self.axes, output).map_err(|error| context.internal(error))?;
                context.write("wanted", wanted)
            }
            None => Ok(()),
        }
    }
}

/// A part of a claim, judged.
struct PartVerdict<'a> {
    condition: &'a Condition,
    part: Part,
    judged: JudgedPart,
    look: usize,
    decided: bool,
    looks: String,
    level: f64,
    note: String,
}

impl ClaimsTask {
    /// Without cells to choose from and without further looks, nothing can be asked for.
    fn can_ask(&self) -> bool {
        self.has_cells() || self.looks.at.len() > 1
    }

    fn tables(&self, context: &dyn Surroundings) -> Result<BTreeMap<TableId, Frame>> {
        let ids: BTreeSet<TableId> = self.conditions.iter().map(|condition| condition.values).collect();
        ids.into_iter().map(|id| Ok((id, Frame::new("values", context.gathered(id, Axes::Matrix)?)))).collect()
    }

    /// All parts of all claims in the order of the claims' numbers, and the runs that would be needed to go on.
    fn judge<'a>(&'a self, tables: &BTreeMap<TableId, Frame>) -> Result<(Vec<PartVerdict<'a>>, Wanted), TableError> {
        let invalid = |error: InvalidContrast| TableError::new("values", "value", error.to_string());
        let mut by_claim: BTreeMap<Number, Vec<(&Condition, Part)>> = BTreeMap::new();
        for condition in &self.conditions {
            let found = parts(condition, &tables[&condition.values])?;
            let claim = by_claim.entry(natural(&condition.claim)).or_default();
            claim.extend(found.into_iter().map(|part| (condition, part)));
        }
        let mut wanted = Wanted::default();
        let mut holding: BTreeSet<&str> = BTreeSet::new();
        let mut judged: Vec<(Vec<(&Condition, Part)>, Judged)> = Vec::new();
        for (_, claim) in by_claim {
            let shown: Vec<(&Condition, &Part)> = claim.iter().map(|(condition, part)| (*condition, part)).collect();
            let found = judge_claim(&shown, &self.looks).map_err(invalid)?;
            wanted.add(&shown, &found, &self.looks, (tables, &self.axes))?;
            if found.verdict == Verdict::Holds {
                holding.insert(&claim[0].0.claim);
            }
            judged.push((claim, found));
        }
        let level = self.looks.nominal();
        let mut verdicts: Vec<PartVerdict<'_>> = Vec::new();
        for (claim, Judged { verdict, look, parts, .. }) in judged {
            for ((condition, part), mut judged) in claim.into_iter().zip(parts) {
                let mut note = judged.note.to_owned();
                if let Some(given) = condition.given.as_deref().filter(|given| !holding.contains(given)) {
                    judged.verdict = Verdict::Undecided;
                    note = format!("cannot be judged, as {given} does not hold");
                }
                let looks = self.looks.in_words(part.runs.len());
                let decided = verdict != Verdict::Undecided;
                verdicts.push(PartVerdict { condition, part, judged, look, decided, looks, level, note });
            }
        }
        verdicts.sort_by(|a, b| {
            let of = |one: &PartVerdict<'_>| natural(&one.condition.claim);
            of(a).cmp(&of(b)).then_with(|| a.part.condition.cmp(&b.part.condition))
        });
        Ok((verdicts, wanted))
    }
}

impl PartVerdict<'_> {
    fn row(&self) -> ClaimRow<'_> {
        let found = self.judged.found.as_ref();
        let shown = |value: f64| if self.part.is_log { libm::exp(value) } else { value };
        let (bound, threshold, threshold_high) = match self.condition.bound {
            Bound::Above(low) => ("above", low, None),
            Bound::Below(high) => ("below", high, None),
            Bound::Between(low, high) => ("between", low, Some(high)),
        };
        let holds = self.judged.verdict.holds();
        let verdict = self.judged.verdict.word();
        let (here, tuning) = self.part.counted(self.look);
        let needed = match self.judged.needed {
            Some(Needed::Runs { n, low, high }) => [n, low, high].map(|runs| i64::try_from(runs).ok()),
            Some(Needed::CannotDecide { .. }) | None => [None; 3],
        };
        ClaimRow {
            claim: &self.condition.claim,
            statement: &self.condition.statement,
            condition: &self.part.condition,
            estimate: found.map(|found| shown(found.procedure.estimate)).or(self.part.probability),
            ci_low: found.map(|found| shown(found.procedure.low)),
            ci_high: found.map(|found| shown(found.procedure.high)),
            bound,
            threshold,
            threshold_high,
            holds,
            verdict,
            n_runs: self.judged.n_runs as i32,
            n_failed: here.failed as i32,
            n_tuned: tuning.of as i32,
            n_tuned_failed: tuning.failed as i32,
            level: self.level,
            looks: &self.looks,
            decided_at: (self.decided && holds.is_some()).then_some(self.look as i32),
            picked_estimate: found.map(|found| shown(found.given.estimate)),
            picked_low: found.map(|found| shown(found.given.low)),
            picked_high: found.map(|found| shown(found.given.high)),
            refute_low: found.map(|found| shown(found.procedure_for_refuting.low)),
            refute_high: found.map(|found| shown(found.procedure_for_refuting.high)),
            tuning_sd: found.map(|found| found.selection_sd),
            run_sd: found.map(|_| self.judged.deviation),
            paper_effect: self.condition.paper_effect,
            power: self.judged.power,
            n_needed: needed[0],
            n_needed_low: needed[1],
            n_needed_high: needed[2],
            note: &self.note,
            remark: &self.condition.remark,
        }
    }
}

/// What claims are ordered by: `C`, 7 and `v` of `C7v`.
type Number = (String, u64, String);

/// `C2` before `C10`, and `C7v` behind `C7`.
pub fn natural(claim: &str) -> Number {
    let digits = claim.find(|c: char| c.is_ascii_digit()).unwrap_or(claim.len());
    let (name, rest) = claim.split_at(digits);
    let (number, suffix) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    (name.to_owned(), number.parse().unwrap_or(0), suffix.to_owned())
}
