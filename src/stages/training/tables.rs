//! The tables of trainings: which there are, and how their rows come about.

use std::borrow::Cow;

use super::parameters::Units;
use super::rules::CoefficientSpec;
use crate::error::Result;
use crate::science::evaluation::Evaluation;
use crate::science::learner::{Divergence, Owner, Remembered, UpdateNorms};
use crate::science::model::{Blueprint, Model, Parameter};
use crate::science::samples::Samples;
use crate::science::tape::{Foreign, Tape};
use crate::stages::rows::{
    BatchOptions, CoefficientRow, EvaluationRow, OtherNorms, RunRow, SampleRow, StateRow, TermNormRow, UpdateRow,
    WeightRow, evaluations_by_loss, updates_of_terms,
};
use crate::tables::{Assembly, Row, TableSchema};
use crate::task::{Output, Surroundings};

/// The tables of a training whose `runs` and `weights` may have more to say: what is kept of every training, and the
/// weights at every step of the schedule, handed on in memory.
pub(super) fn outputs(runs: TableSchema, evaluations: TableSchema, weights: TableSchema) -> Vec<Output> {
    vec![
        Output::kept("runs", runs).register(),
        Output::kept("evaluations", evaluations),
        Output::kept("samples", SampleRow::schema()),
        Output::kept("weights", weights.clone()),
        Output::passing("trajectory", weights.named("trajectory")),
    ]
}

/// The tables of a training whose every step has an update to measure.
pub(super) fn updating_outputs() -> Vec<Output> {
    let mut outputs = outputs(RunRow::schema(), EvaluationRow::schema(), WeightRow::schema());
    outputs.insert(outputs.len() - 1, Output::kept("updates", UpdateRow::schema()));
    outputs
}

/// The tables of a training by any plasticity terms, whose parts are measured and whose neurons may remember something.
pub(super) fn plastic_outputs() -> Vec<Output> {
    let mut outputs = outputs(RunRow::schema(), evaluations_by_loss(), WeightRow::schema());
    outputs.insert(1, Output::kept("coefficients", CoefficientRow::schema()));
    let more = [
        Output::kept("state", StateRow::schema()).optional(),
        Output::kept("updates", updates_of_terms()),
        Output::kept("term_norms", TermNormRow::schema()),
    ];
    let before_trajectory = outputs.len() - 1;
    outputs.splice(before_trajectory..before_trajectory, more);
    outputs
}

/// A number for each column that is called as a plasticity term.
type ByName<'a> = Box<dyn Fn(&str) -> Option<f64> + 'a>;

/// What a recipe says of itself in the row of `runs`.
pub(super) struct Described<'a> {
    pub units: &'a Units,
    /// Where errors travel back.
    pub feedback: &'static str,
    /// The number in a column that is called as a plasticity term.
    pub coefficient: ByName<'a>,
    /// Of mini-batches.
    pub batches: Option<BatchOptions<'a>>,
    /// Parameters without a column.
    pub options: serde_json::Value,
}

/// Writes the row of `runs`, and tells the user of a divergence.
pub(super) fn write_run(
    context: &dyn Surroundings,
    blueprint: &Blueprint,
    described: Described<'_>,
    samples: u64,
    divergence: Option<Divergence>,
) -> Result<()> {
    let Described { units, feedback, coefficient, batches, options } = described;
    let (sizes, options) = (blueprint.sizes(), options.to_string());
    let row = RunRow {
        run_id: context.run_id(),
        n_layers: sizes.len() as i32 - 1,
        layer_sizes: &serde_json::to_string(&sizes).expect("integers serialise"),
        activation: units.activation,
        init: units.init,
        feedback,
        gradient: coefficient("gradient"),
        error_hebb: coefficient("error_hebb"),
        oja: coefficient("oja"),
        decay: coefficient("decay"),
        hebb: coefficient("hebb"),
        feedback_hebb: coefficient("feedback_hebb"),
        feedback_decay: coefficient("feedback_decay"),
        options: &options,
        samples: samples as i64,
        status: if divergence.is_some() { "diverged" } else { "completed" },
        diverged_at_step: divergence.map(|divergence| divergence.step as i64),
        diverged_at_layer: divergence.map(|divergence| divergence.layer as i32),
    };
    if let Some(divergence) = divergence {
        context.notice(&divergence.to_string());
    }
    let mut rows = Assembly::new(context.schema("runs")?.clone()).rows(&[row]);
    if let Some(batches) = batches {
        rows = rows.rows(&[batches]);
    }
    context.write("runs", rows.batch().map_err(|error| context.internal(error))?)
}

/// Writes what every term's coefficient is in every layer.
pub(super) fn write_coefficients(
    context: &dyn Surroundings,
    n_layers: usize,
    terms: &[(String, CoefficientSpec)],
) -> Result<()> {
    let run_id = context.run_id();
    let rows: Vec<CoefficientRow<'_>> = terms
        .iter()
        .flat_map(|(term, value)| {
            let value = value.coefficient();
            (1..=n_layers).map(move |layer| CoefficientRow {
                run_id,
                term,
                layer: layer as i32,
                coefficient: value.at(layer),
            })
        })
        .collect();
    context.write("coefficients", CoefficientRow::batch(&rows))
}

/// The rows that a training gathers while it goes on.
#[derive(Default)]
pub(super) struct Record {
    evaluations: Vec<(u64, Evaluation)>,
    updates: Vec<(u64, usize, UpdateNorms)>,
}

impl Record {
    /// Keeps what was gathered, or takes it up.
    pub(super) fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        tape.list("evaluations", &mut self.evaluations, usize::MAX, |tape, (step, found)| {
            tape.count("step", step)?;
            found.keep(tape)
        })?;
        tape.list("updates", &mut self.updates, usize::MAX, |tape, (step, layer, norms)| {
            tape.count("step", step)?;
            tape.size("layer", layer)?;
            norms.keep(tape)
        })
    }

    /// What happens at a scheduled step: the network is scored on the held-out images from `first` on, and handed on.
    pub(super) fn score_and_hand_on(
        &mut self,
        context: &dyn Surroundings,
        step: u64,
        model: &dyn Model,
        (held_out, first): (&Samples, usize),
    ) -> Result<()> {
        // A replay only hands weights on: nobody would read its scores.
        if context.wants("evaluations") {
            let found = model.evaluate(held_out, first..held_out.len());
            context.measured("accuracy", step, found.accuracy);
            self.evaluations.push((step, found));
        }
        if context.wants("trajectory") {
            write_weights(context, "trajectory", step, model)?;
        }
        Ok(())
    }

    /// The norms of the update at a scheduled step.
    pub(super) fn updates(&mut self, step: u64, norms: &[UpdateNorms]) {
        self.updates.extend(norms.iter().enumerate().map(|(index, norms)| (step, index + 1, norms.clone())));
    }

    /// Writes what was gathered, as far as there are tables for it.
    pub(super) fn write(&self, context: &dyn Surroundings, outputs: &[Output]) -> Result<()> {
        let run_id = context.run_id();
        let evaluation = |&(step, found): &(u64, Evaluation)| EvaluationRow {
            run_id,
            step: step as i64,
            accuracy: found.accuracy,
            // A network can be finite and its loss not (logits of 1e30): there is no number to write then.
            loss: Some(found.loss).filter(|loss| loss.is_finite()),
            n_samples: found.n_samples as i32,
        };
        let evaluations: Vec<_> = self.evaluations.iter().map(evaluation).collect();
        context.write("evaluations", EvaluationRow::batch(&evaluations))?;
        let has = |table: &str| outputs.iter().any(|output| output.table() == table);
        if !has("updates") {
            return Ok(());
        }
        let update = |(step, layer, norms): &(u64, usize, UpdateNorms)| UpdateRow {
            run_id,
            step: *step as i64,
            layer: *layer as i32,
            gradient_norm: norms.gradient,
            oja_norm: norms.oja,
            total_norm: norms.total,
        };
        let updates: Vec<_> = self.updates.iter().map(update).collect();
        let mut rows = Assembly::new(context.schema("updates")?.clone()).rows(&updates);
        if has("term_norms") {
            rows = rows.rows(&self.updates.iter().map(|(_, _, norms)| other_norms(norms)).collect::<Vec<_>>());
            context.write("term_norms", TermNormRow::batch(&self.term_norms(run_id)))?;
        }
        context.write("updates", rows.batch().map_err(|error| context.internal(error))?)
    }

    /// In the order of the table's key.
    fn term_norms<'a>(&'a self, run_id: &'a str) -> Vec<TermNormRow<'a>> {
        let mut rows = Vec::new();
        for (step, layer, norms) in &self.updates {
            let row = |(term, norm): &'a (Cow<'static, str>, f64)| TermNormRow {
                run_id,
                step: *step as i64,
                layer: *layer as i32,
                term,
                norm: *norm,
            };
            let first = rows.len();
            rows.extend(norms.terms.iter().map(row));
            rows[first..].sort_by_key(|row| row.term);
        }
        rows
    }
}

/// The parts of the terms that have a column and are no field of the norms.
fn other_norms(norms: &UpdateNorms) -> OtherNorms {
    let of = |name: &str| norms.terms.iter().find(|(term, _)| term == name).map_or(0.0, |(_, norm)| *norm);
    OtherNorms {
        error_hebb_norm: of("error_hebb"),
        decay_norm: of("decay"),
        hebb_norm: of("hebb"),
        feedback_hebb_norm: of("feedback_hebb"),
        feedback_decay_norm: of("feedback_decay"),
    }
}

/// Which training sample was seen at which step, up to the last one seen.
pub(super) fn write_samples(context: &dyn Surroundings, seen: &[u32]) -> Result<()> {
    let run_id = context.run_id();
    let row = |(step, &index)| SampleRow { run_id, step, sample_index: index as i32 };
    let rows: Vec<_> = (1..).zip(seen).map(row).collect();
    context.write("samples", SampleRow::batch(&rows))
}

/// Writes the matrices of a network to the output `weights` or `trajectory`, in the order of the table's key.
pub(super) fn write_weights(context: &dyn Surroundings, output: &str, step: u64, model: &dyn Model) -> Result<()> {
    /// Name, layer, shape and values of a matrix.
    type Matrix = (&'static str, usize, (usize, usize), Vec<f32>);
    let mut matrices: Vec<Matrix> = Vec::new();
    model.visit(&mut |Parameter { name, layer, values }| {
        matrices.push((name, layer, values.dim(), values.iter().copied().collect()));
    });
    let run_id = context.run_id();
    let rows: Vec<WeightRow<'_>> = matrices
        .iter()
        .map(|(matrix, layer, (n_out, n_in), values)| WeightRow {
            run_id,
            step: step as i64,
            matrix,
            layer: *layer as i32,
            n_out: *n_out as i32,
            n_in: *n_in as i32,
            weights: values,
        })
        .collect();
    context.write(output, WeightRow::batch(&rows))
}

/// Writes what neurons remember to the output `state`, in the order of the table's key.
pub(super) fn write_state<'a>(context: &'a dyn Surroundings, step: u64, mut state: Vec<Remembered<'a>>) -> Result<()> {
    let run_id = context.run_id();
    state.sort_by_key(|value| (value.term, value.name, value.layer));
    let row = |value: Remembered<'a>| StateRow {
        run_id,
        step: step as i64,
        term: value.term,
        name: value.name,
        layer: value.layer as i32,
        side: match value.owner {
            Owner::Pre => "pre",
            Owner::Post => "post",
            Owner::Layer => "one",
        },
        n_values: value.values.len() as i32,
        values: value.values,
    };
    let rows: Vec<_> = state.into_iter().map(row).collect();
    context.write("state", StateRow::batch(&rows))
}
