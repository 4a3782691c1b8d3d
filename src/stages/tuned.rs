//! the committed tables of tuned coefficients → which of them a training runs with, and how probable that choice is
//!
//! A rule is tuned on seeds of its own, and another tuning would have picked otherwise. So a pipeline that wants to know what
//! that adds to the uncertainty of its figure trains not only the cell that was picked (`cell = 1`) but all that the race
//! left, and this table says how much each of them counts.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coefficients::{Pick, Survivor};
use super::parameters::axes_of;
use super::pool::{self, Stages};
use super::training::rules::{BESIDE_TERMS, Condition, find_survivor, picked, read_rule};
use crate::error::Result;
use crate::spec::Definitions;
use crate::spec::node::{Fault, Node};
use crate::tables::{Row, table};
use crate::task::{Kind, Output, Planned, Planning, Reference, Surroundings, Work};

/// `kind = "tuned"`
pub struct TunedKind;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TunedSpec {
    /// The stage that loads the data, or several whose classes make one pool.
    #[allow(dead_code)]
    data: Stages,
    /// What is taken instead where one of several is not there.
    #[allow(dead_code)]
    #[serde(default)]
    otherwise: Stages,
    /// A learning rule of `[rules]`; usually an axis of the matrix.
    rule: String,
    /// The name under which the coefficients of this network are tuned.
    #[serde(default)]
    setting: Option<String>,
    /// Which of the coefficients that tuning left; usually an axis of the matrix.
    #[serde(default = "picked")]
    cell: usize,
    /// Whether what has not been tuned counts as if its coefficients were written; otherwise it is refused.
    #[serde(default)]
    may_be_untuned: bool,
}

table! {
    /// One of the cells that a race left.
    pub struct TunedRow<'a> in "tuned" version 1 key() {
        /// the terms and their coefficients; empty where the rule is not tuned
        coefficients: Text,
        /// of being picked if tuning were done again
        probability: Float64,
        /// cells that were left
        n_cells: Int32 in "cells",
        /// trainings with these coefficients while they were tuned
        n_tuned: Int32 in "runs",
        /// trainings among them that failed
        n_failed: Int32 in "runs",
        /// mean score on the tuning split; the pick's is too good
        tuning_mean: Option<Float64>,
        /// standard error of the mean
        tuning_error: Option<Float64>,
        /// how far the mean of failed trainings lay below that of the others
        gap: Option<Float64>,
    }
}

impl TunedRow<'_> {
    /// Of coefficients that were written, not tuned: there is nothing to choose from.
    pub(super) const WRITTEN: Self = Self {
        coefficients: "",
        probability: 1.0,
        n_cells: 1,
        n_tuned: 0,
        n_failed: 0,
        tuning_mean: None,
        tuning_error: None,
        gap: None,
    };
}

table! {
    /// How probable each coefficient of each term is to be the best of the grid, over all cells that the race left.
    pub struct PickRow<'a> in "tuned_picks" version 1 key(term, coefficient) {
        /// the plasticity term
        term: Category,
        /// its coefficient; 0 leaves the term out
        coefficient: Float64 in "1/sample",
        /// that tuning again would pick it
        probability: Float64,
    }
}

static OUTPUTS: LazyLock<[Output; 2]> =
    LazyLock::new(|| [Output::kept("", TunedRow::schema()), Output::kept("picks", PickRow::schema())]);

impl Kind for TunedKind {
    fn name(&self) -> &'static str {
        "tuned"
    }

    fn summary(&self) -> &'static str {
        "Which tuned coefficients a training runs with, and how probable that choice is."
    }

    fn version(&self) -> u32 {
        2
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<TunedSpec>()
    }

    fn tables(&self) -> Vec<Output> {
        OUTPUTS.to_vec()
    }

    fn axis_parameter(&self, axis: &str, _: &Definitions) -> Option<Vec<String>> {
        static AXES: LazyLock<BTreeSet<String>> = LazyLock::new(|| axes_of::<TunedSpec>(&["data", "otherwise"]));
        AXES.contains(axis).then(|| vec![axis.to_owned()])
    }

    fn references(&self, parameters: &Node) -> Result<Vec<Reference>, Fault> {
        pool::references(parameters)
    }

    fn plan(&self, planning: &Planning<'_>) -> Result<Planned, Fault> {
        let spec: TunedSpec = planning.parameters.read()?;
        let data = pool::chosen(planning)?;
        let dataset = pool::name_of(data.iter().map(|(_, data)| data.as_ref()));
        let rule = read_rule(planning, &spec.rule, &BESIDE_TERMS)?;
        if !rule.tuned {
            return Ok(Planned::new(TunedTask { cell: None }));
        }
        let condition = Condition { dataset: &dataset, setting: spec.setting.as_deref(), cell: spec.cell };
        let found = find_survivor(planning, rule.name_span, &spec.rule, condition);
        if found.is_err() && spec.may_be_untuned && spec.cell == picked() {
            return Ok(Planned::new(TunedTask { cell: None }));
        }
        let (tuned, survivor, source) = found?;
        // They are the condition's: told once, with what was picked.
        let picks = if spec.cell == picked() { tuned.picks.clone() } else { Vec::new() };
        let cell = CellLeft { survivor: survivor.clone(), n_cells: tuned.survivors.len(), picks };
        Ok(Planned::new(TunedTask { cell: Some(cell) }).looked_up_in([source.clone()]))
    }
}

#[derive(Debug, Serialize)]
struct CellLeft {
    #[serde(flatten)]
    survivor: Survivor,
    n_cells: usize,
    picks: Vec<Pick>,
}

impl CellLeft {
    /// The share of each coefficient of each term.
    fn pick_rows(&self) -> Vec<PickRow<'_>> {
        let mut rows: Vec<PickRow<'_>> = Vec::new();
        for (pick, (term, coefficient)) in self.picks.iter().flat_map(|pick| pick.terms.iter().map(move |t| (pick, t)))
        {
            match rows.iter_mut().find(|row| (row.term, row.coefficient) == (term.as_str(), *coefficient)) {
                Some(row) => row.probability += pick.probability,
                None => rows.push(PickRow { term, coefficient: *coefficient, probability: pick.probability }),
            }
        }
        rows.sort_by(|a, b| a.term.cmp(b.term).then(a.coefficient.total_cmp(&b.coefficient)));
        rows
    }
}

#[derive(Debug, Serialize)]
struct TunedTask {
    /// None where the rule is not tuned.
    cell: Option<CellLeft>,
}

impl Work for TunedTask {
    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("plain data")
    }

    fn outputs(&self) -> &'static [Output] {
        &*OUTPUTS
    }

    fn run(&self, context: &dyn Surroundings) -> Result<()> {
        let picks = self.cell.as_ref().map(CellLeft::pick_rows).unwrap_or_default();
        context.write("picks", PickRow::batch(&picks))?;
        let Some(CellLeft { survivor, n_cells, .. }) = &self.cell else {
            return context.write("tuned", TunedRow::batch(&[TunedRow::WRITTEN]));
        };
        let terms = survivor.terms.iter().map(|(name, value)| format!("{name} = {value:e}"));
        let row = TunedRow {
            coefficients: &terms.collect::<Vec<_>>().join(", "),
            probability: survivor.probability,
            n_cells: *n_cells as i32,
            n_tuned: survivor.n as i32,
            n_failed: survivor.failed as i32,
            tuning_mean: Some(survivor.mean),
            tuning_error: Some(survivor.error),
            gap: survivor.gap,
        };
        context.write("tuned", TunedRow::batch(&[row]))
    }
}
