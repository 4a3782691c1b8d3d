//! The tables that trainings make, and the columns that many tables have.
//!
//! A kind of training may have more columns than are here: `runs` of mini-batches has [`BatchOptions`] in front of
//! `options`, `episodes` of meta-learning a column for each term in front of `gradient_norm`.

use crate::tables::{Column, ColumnType, Row, TableSchema, table};

/// Which training a row belongs to.
pub const RUN_ID: Column = Column::new("run_id", ColumnType::Category, "", "the training run");

/// When in the training.
pub const STEP: Column =
    Column::new("step", ColumnType::Int64, "samples", "training samples seen; 0 is the initial network");

/// A layer of units.
pub const LAYER: Column = Column::new("layer", ColumnType::Int32, "", "layer of the network; 0 is the input");

/// A layer of weights.
pub const WEIGHT_LAYER: Column = Column::new("layer", ColumnType::Int32, "", "layer of weights, 1 ... L");

/// The coefficient of a plasticity term.
const COEFFICIENT: Column = Column::new(
    "coefficient",
    ColumnType::Float64,
    "1/sample",
    "coefficient of this plasticity term; 0 without it, null where it differs by layer",
);

/// One of the episodes of an outer loop.
const EPISODE: Column = Column::new("episode", ColumnType::Int64, "episodes", "number of the episode, from 1");

table! {
    /// A training. Terms whose coefficients are no columns here stand in `coefficients`, and are columns where they are
    /// axes: so a new term changes no table of a run that does without it, and no key.
    pub struct RunRow<'a> in "runs" version 1 key(run_id) {
        run_id: Category = RUN_ID,
        /// layers of weights, L
        n_layers: Int32,
        /// units of layers 0 ... L, as a JSON list
        layer_sizes: Text in "units",
        /// activation function of the hidden layers
        activation: Category,
        /// distribution of the initial weights
        init: Category,
        /// feedback weights B: symmetric (transposed W), random or plastic
        feedback: Category,
        gradient: Option<Float64> = COEFFICIENT,
        error_hebb: Option<Float64> = COEFFICIENT,
        oja: Option<Float64> = COEFFICIENT,
        decay: Option<Float64> = COEFFICIENT,
        hebb: Option<Float64> = COEFFICIENT,
        feedback_hebb: Option<Float64> = COEFFICIENT,
        feedback_decay: Option<Float64> = COEFFICIENT,
        /// other parameters, as JSON
        options: Text,
        /// length of the training
        samples: Int64 in "samples",
        /// completed or diverged
        status: Category,
        /// first step with a number that is not finite
        diverged_at_step: Option<Int64> in "samples",
        /// layer of that number
        diverged_at_layer: Option<Int32>,
    }
}

table! {
    /// What `runs` of training in mini-batches has in front of `options`.
    pub struct BatchOptions<'a> in "runs" version 1 key() {
        /// what turns a mean gradient into an update
        optimizer: Category,
        /// learning rate of the optimiser
        rate: Float64 in "1/batch",
        /// samples a batch
        batch_size: Int32 in "samples",
        /// whether the hidden layers are normalised
        batch_norm: Boolean,
    }
}

table! {
    /// The coefficient of a term in a layer.
    pub struct CoefficientRow<'a> in "coefficients" version 1 key(run_id, term, layer) {
        run_id: Category = RUN_ID,
        /// plasticity term
        term: Category,
        layer: Int32 = WEIGHT_LAYER,
        /// its coefficient in this layer
        coefficient: Float64 in "1/sample",
    }
}

table! {
    /// How well a network does on held-out images at a step of its schedule.
    pub struct EvaluationRow<'a> in "evaluations" version 1 key(run_id, step) {
        run_id: Category = RUN_ID,
        step: Int64 = STEP,
        /// share of images classified correctly
        accuracy: Float64,
        /// mean cross-entropy
        loss: Option<Float64> in "nats",
        /// images evaluated
        n_samples: Int32 in "images",
    }
}

table! {
    /// Which training sample was seen at a step.
    pub struct SampleRow<'a> in "samples" version 1 key(run_id, step) {
        run_id: Category = RUN_ID,
        /// from 1: the step at which the sample was seen
        step: Int64 in "samples",
        /// its position in the training set
        sample_index: Int32,
    }
}

table! {
    /// One matrix of a network at a step.
    pub struct WeightRow<'a> in "weights" version 1 key(run_id, step, matrix, layer) in folder {
        run_id: Category = RUN_ID,
        step: Int64 = STEP,
        /// forward (W), feedback (B), input, recurrent or readout
        matrix: Category,
        /// l of W_{l-1,l} and B_{l,l-1}
        layer: Int32,
        /// rows of the matrix
        n_out: Int32,
        /// columns of the matrix
        n_in: Int32,
        /// the matrix, row-major (n_out x n_in)
        weights: Float32List,
    }
}

table! {
    /// How large the parts of an update are in a layer.
    pub struct UpdateRow<'a> in "updates" version 1 key(run_id, step, layer) {
        run_id: Category = RUN_ID,
        /// the step whose update is measured, from 1
        step: Int64 in "samples",
        layer: Int32 = WEIGHT_LAYER,
        /// Frobenius norm of the gradient part, coefficient included
        gradient_norm: Float64,
        /// Frobenius norm of the Oja part, coefficient included
        oja_norm: Float64,
        /// Frobenius norm of W after minus W before the step
        total_norm: Float64,
    }
}

table! {
    /// What `updates` of an online chain has in front of `total_norm`: the parts of the other terms that are shipped. As
    /// those of the first two, they are 0 where a rule has no such term: it adds nothing.
    pub struct OtherNorms in "updates" version 2 key() {
        /// Frobenius norm of the error_hebb part, coefficient included
        error_hebb_norm: Float64,
        /// Frobenius norm of the decay part, coefficient included
        decay_norm: Float64,
        /// Frobenius norm of the hebb part, coefficient included
        hebb_norm: Float64,
        /// Frobenius norm of the feedback_hebb part, which moves B and is no part of total_norm, coefficient included
        feedback_hebb_norm: Float64,
        /// Frobenius norm of the feedback_decay part, which moves B and is no part of total_norm, coefficient included
        feedback_decay_norm: Float64,
    }
}

table! {
    /// How large the part of a term is in the update of a layer, whoever has written the term.
    pub struct TermNormRow<'a> in "term_norms" version 1 key(run_id, step, layer, term) {
        run_id: Category = RUN_ID,
        /// the step whose update is measured, from 1
        step: Int64 in "samples",
        layer: Int32 = WEIGHT_LAYER,
        /// plasticity term of the rule
        term: Category,
        /// Frobenius norm of what it added to W, or to B if it moves B, coefficient included
        norm: Float64,
    }
}

table! {
    /// What the neurons of a term remember at a step: a value of its state in a layer.
    pub struct StateRow<'a> in "state" version 1 key(run_id, step, term, name, layer) {
        run_id: Category = RUN_ID,
        step: Int64 = STEP,
        /// plasticity term of the rule
        term: Category,
        /// what the equations of the term call the value
        name: Category,
        layer: Int32 = WEIGHT_LAYER,
        /// who remembers it: pre (each unit of layer l-1), post (each unit of layer l) or one (a number of the layer)
        side: Category,
        /// length of the list
        n_values: Int32,
        /// the value in each unit, after the sample of this step
        values: Float32List,
    }
}

table! {
    /// How large the hidden states of a recurrent network are at a time step.
    pub struct HiddenNormRow<'a> in "hidden_norms" version 1 key(run_id, step, time) {
        run_id: Category = RUN_ID,
        step: Int64 = STEP,
        /// time step t of the network, 1 ... T
        time: Int32,
        /// mean over images of the Euclidean norm of z_t
        mean_norm: Option<Float64>,
        /// images in the mean
        n_samples: Int32 in "images",
    }
}

table! {
    /// An outer loop of meta-learning.
    pub struct MetaRunRow<'a> in "meta_runs" version 2 key(run_id) {
        run_id: Category = RUN_ID,
        /// layers of weights, L
        n_layers: Int32,
        /// units of layers 0 ... L, as a JSON list
        layer_sizes: Text in "units",
        /// activation function of the hidden layers
        activation: Category,
        /// distribution of the initial weights
        init: Category,
        /// feedback weights B: symmetric, random or plastic
        feedback: Category,
        /// data sets whose classes make the pool, joined by +
        pool: Category,
        /// classes of the pool
        n_classes: Int32 in "classes",
        /// outputs of the network: further ones than classes are never right
        n_outputs: Int32 in "classes",
        /// length of the outer loop
        episodes: Int64 in "episodes",
        /// Adam's step size in the outer loop
        outer_rate: Float64,
        /// episodes that updated the coefficients
        n_updated: Int64 in "episodes",
        /// those among them whose gradient was shortened
        n_clipped: Int64 in "episodes",
        /// episodes without an update: not finite
        n_skipped: Int64 in "episodes",
        /// other parameters, as JSON
        options: Text,
        /// completed: an episode that diverges is skipped
        status: Category,
        /// null: an outer loop goes on
        diverged_at_step: Option<Int64>,
    }
}

table! {
    /// An episode of an outer loop, without the coefficients that it was run with.
    pub struct EpisodeRow<'a> in "episodes" version 1 key(run_id, episode) {
        run_id: Category = RUN_ID,
        episode: Int64 = EPISODE,
        /// mean cross-entropy of the query samples, without penalty; null if the network diverged
        query_loss: Option<Float64> in "nats",
        /// share of query samples classified correctly; null if the network diverged
        query_accuracy: Option<Float64>,
        /// norm of the meta-gradient before clipping; null if not finite
        gradient_norm: Option<Float64>,
        /// updated, clipped, skipped_diverged or skipped_gradient
        status: Category,
    }
}

table! {
    /// Angles between forward and feedback weights after an episode.
    pub struct AngleRow<'a> in "angles" version 1 key(run_id, episode, layer) {
        run_id: Category = RUN_ID,
        episode: Int64 = EPISODE,
        layer: Int32 = WEIGHT_LAYER,
        /// between the transposed B and W after the episode; 0 with symmetric feedback
        feedback_angle: Option<Float64> in "degrees",
        /// between errors sent back through B and through the transposed W, mean over query samples
        error_angle: Option<Float64> in "degrees",
    }
}

/// `evaluations` of a network whose loss is a choice.
pub(super) fn evaluations_by_loss() -> TableSchema {
    let loss =
        "mean loss: cross-entropy in nats, or under squared_error half the squared distance to the one-hot label";
    EvaluationRow::schema().describing("loss", None, loss)
}

/// `updates` of a network that learns by any terms.
pub(super) fn updates_of_terms() -> TableSchema {
    let TableSchema { version, columns, .. } = OtherNorms::schema();
    TableSchema { version, ..UpdateRow::schema().with_columns_before("total_norm", columns) }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::*;
    use super::*;

    /// A schema as a person reads it.
    fn in_words(schema: &TableSchema) -> String {
        let TableSchema { kind, version, layout, key, tolerance, .. } = schema;
        let mut text = format!("{kind}, version {version}, {layout:?}, key {}", key.join(" "));
        text += &tolerance.as_ref().map_or(String::new(), |tolerance| format!(", tolerance {tolerance}"));
        for Column { name, kind, unit, description, nullable } in &schema.columns {
            let null = if *nullable { " or null" } else { "" };
            write!(text, "\n  {name}: {}{null} [{unit}] {description}", kind.in_words()).expect("writing to a string");
        }
        text
    }

    /// Schemas stand in published files and archives: a change here is a new version of a table.
    #[test]
    fn the_declared_schemas_are_what_archives_hold() {
        let batch_runs = RunRow::schema().with_columns_before("options", BatchOptions::schema().columns);
        let schemas = [
            RunRow::schema(),
            batch_runs,
            CoefficientRow::schema(),
            EvaluationRow::schema(),
            evaluations_by_loss(),
            SampleRow::schema(),
            WeightRow::schema(),
            UpdateRow::schema(),
            updates_of_terms(),
            TermNormRow::schema(),
            StateRow::schema(),
            HiddenNormRow::schema(),
            MetaRunRow::schema(),
            EpisodeRow::schema(),
            AngleRow::schema(),
            load::ImageRow::schema(),
            activations::ActivationRow::schema(),
            activation_norms::ActivationNormRow::schema(),
            weight_diagnostics::WeightDiagnosticsRow::schema(),
            explained_variance::ExplainedVarianceRow::schema(),
            reconstruction_error::ReconstructionErrorRow::schema(),
            reconstructions::ReconstructionRow::schema(),
            receptive_fields::ReceptiveFieldRow::schema(),
            bootstrap::SummaryRow::schema(),
            race::BestRow::schema(),
            race::CellRow::schema(),
            tuned::TunedRow::schema(),
            tuned::PickRow::schema(),
            bootstrap::ValueRow::schema(),
            claims::ClaimRow::schema(),
        ];
        insta::assert_snapshot!(schemas.each_ref().map(in_words).join("\n\n"));
    }
}
