//! Small networks and images with numbers that can be computed by hand, for tests of the stages that look at them.

use std::sync::Arc;

use super::load::ImageRow;
use super::rows::{RunRow, WeightRow};
use super::{DataFacts, Known, NetworkFacts};
use crate::science::activation::Activation;
use crate::science::feedback::Feedback;
use crate::science::model::Blueprint;
use crate::science::network::Architecture;
use crate::science::recurrent::RecurrentArchitecture;
use crate::tables::{Row, Table};
use crate::task::bench::Bench;

/// One matrix of a network: what it is called, its layer, its rows.
pub(super) type Matrix<'a> = (&'a str, usize, &'a [&'a [f32]]);

/// Images with their classes. A lit pixel is 255 and counts 1.
pub(super) type Images<'a> = &'a [(&'a [u8], i32)];

/// A stage `train` whose network of rectified linear units had these weights at these steps. At steps without matrices it
/// had diverged.
pub(super) fn trained(sizes: &[usize], steps: &[(u64, &[Matrix<'_>])], test: Images<'_>, train: Images<'_>) -> Bench {
    let architecture = Architecture::new(sizes.to_vec(), Activation::Relu).unwrap();
    let has_own = steps.iter().any(|(_, matrices)| matrices.iter().any(|(name, ..)| *name == "feedback"));
    let feedback = if has_own { Feedback::Plastic } else { Feedback::Symmetric };
    trained_as(Blueprint::Chain(architecture, feedback), steps, test, train)
}

/// A stage `train` with one rectified linear unit that remembers an image of one pixel for three time steps:
/// z_1 = 2 x, z_{t+1} = h_t / 2, and the output h_3, 0.
pub(super) fn trained_in_time(test: Images<'_>) -> Bench {
    let architecture = RecurrentArchitecture::new([1, 1, 2], 3, 1, Activation::Relu).unwrap();
    let weights: &[Matrix<'_>] =
        &[("input", 1, &[&[2.0]]), ("readout", 3, &[&[1.0], &[0.0]]), ("recurrent", 2, &[&[0.5]])];
    trained_as(Blueprint::Recurrent(architecture), &[(0, weights)], test, &[(&[0], 0)])
}

fn trained_as(blueprint: Blueprint, steps: &[(u64, &[Matrix<'_>])], test: Images<'_>, train: Images<'_>) -> Bench {
    let sizes = &blueprint.sizes()[..];
    let images = |split, images: Images<'_>| {
        let rows = images.iter().zip(0..).map(|(&(pixels, label), sample_index)| ImageRow {
            split,
            sample_index,
            label,
            pixels,
        });
        // The owner of the rows' pixels is the caller: one batch a split.
        ImageRow::batch(&rows.collect::<Vec<_>>())
    };
    let data = Table::new(ImageRow::schema(), vec![images("test", test), images("train", train)]);
    let data_facts = DataFacts {
        name: "made_up".to_owned(),
        n_train: train.len(),
        n_test: test.len(),
        n_classes: sizes[sizes.len() - 1],
        n_pixels: sizes[0],
    };
    let snapshots: Vec<u64> = steps.iter().map(|(step, _)| *step).collect();
    let network = NetworkFacts { blueprint: blueprint.clone(), schedule: snapshots.clone(), snapshots };
    let known = Known { data: Some(Arc::new(data_facts)), network: Some(Arc::new(network)), ..Known::default() };
    Bench::new()
        .made("train", "runs", run(sizes), known.clone())
        .made("train", "weights", weights(steps), known.clone())
        // What a stage read is there for those who read the stage.
        .made("train", "dataset", data, Known { network: None, ..known })
}

fn run(sizes: &[usize]) -> Table {
    let row = RunRow {
        run_id: "a_run",
        n_layers: sizes.len() as i32 - 1,
        layer_sizes: &serde_json::to_string(sizes).unwrap(),
        activation: "relu",
        init: "by hand",
        feedback: "symmetric",
        gradient: Some(0.0),
        error_hebb: Some(0.0),
        oja: Some(0.0),
        decay: Some(0.0),
        hebb: Some(0.0),
        feedback_hebb: Some(0.0),
        feedback_decay: Some(0.0),
        options: "{}",
        samples: 1,
        status: "completed",
        diverged_at_step: None,
        diverged_at_layer: None,
    };
    Table::new(RunRow::schema(), vec![RunRow::batch(&[row])])
}

fn weights(steps: &[(u64, &[Matrix<'_>])]) -> Table {
    let batches = steps.iter().map(|(step, matrices)| {
        let values: Vec<Vec<f32>> = matrices.iter().map(|(_, _, rows)| rows.concat()).collect();
        let rows = matrices.iter().zip(&values).map(|(&(matrix, layer, rows), weights)| WeightRow {
            run_id: "a_run",
            step: *step as i64,
            matrix,
            layer: layer as i32,
            n_out: rows.len() as i32,
            n_in: rows[0].len() as i32,
            weights,
        });
        WeightRow::batch(&rows.collect::<Vec<_>>())
    });
    Table::new(WeightRow::schema(), batches.collect())
}

/// Whether numbers of single precision are what they should be.
#[track_caller]
pub(super) fn assert_close(found: impl IntoIterator<Item = impl Into<f64>>, expected: &[f64]) {
    let found: Vec<f64> = found.into_iter().map(Into::into).collect();
    let is_close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-6 * b.abs().max(1.0);
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(is_close), "{found:?}, not {expected:?}");
}
