//! A chain as a [`Model`].

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

use super::Reconstructions;
use super::network::{Architecture, Network, ScaleAndShift};
use crate::kernels::{Backend, as_flat};
use crate::science::InvalidParameter;
use crate::science::diagnostics::WeightDiagnostics;
use crate::science::evaluation::Evaluation;
use crate::science::feedback::Feedback;
use crate::science::model::{self, Blueprint, Model, NamedMatrix, Parameter, Place};
use crate::science::norms::ActivationNorms;
use crate::science::reconstruction::Residual;
use crate::science::samples::Samples;

/// Scale and shift of z, as tables name them.
const OF_A_BATCH: [&str; 2] = ["scale", "shift"];

/// And of z standardised over the units of its layer.
const OVER_UNITS: [&str; 2] = ["unit_scale", "unit_shift"];

impl Model for Network {
    fn blueprint(&self) -> Blueprint {
        Blueprint::Chain(self.architecture().clone(), self.feedback())
    }

    fn visit(&self, visitor: &mut dyn FnMut(Parameter<'_>)) {
        for (layer, b) in (1..).zip(&self.backward) {
            visitor(Parameter { name: "feedback", layer, values: model::rows(b) });
        }
        for (layer, w) in (1..).zip(&self.forward) {
            visitor(Parameter { name: "forward", layer, values: model::rows(w).reversed_axes() });
        }
        // y = σ(scale ⊙ W y + shift): a normalised network is not its matrices alone.
        let parts: [fn(&ScaleAndShift) -> &[crate::kernels::Lanes]; 2] =
            [|normalization| &normalization.scale, |normalization| &normalization.shift];
        for (kind, part) in parts.into_iter().enumerate() {
            for (layer, normalization) in (1..).zip(&self.normalization) {
                let name = if normalization.over_units { OVER_UNITS[kind] } else { OF_A_BATCH[kind] };
                let units = &as_flat(part(normalization))[..self.architecture().sizes()[layer]];
                let values = ArrayView2::from_shape((units.len(), 1), units).expect("a column has one number per row");
                visitor(Parameter { name, layer, values });
            }
        }
    }

    fn backend(&self) -> Backend {
        self.backend
    }

    fn evaluate(&self, samples: &Samples, range: Range<usize>) -> Evaluation {
        Network::evaluate(self, samples, range)
    }

    fn activations_at(&self, samples: &Samples, range: Range<usize>, places: &[Place]) -> Vec<Array2<f32>> {
        assert!(places.iter().all(|place| place.time_step.is_none()), "a chain of layers has no time");
        self.activations(samples, range, &places.iter().map(|place| place.layer).collect::<Vec<_>>())
    }

    fn residuals_at(&self, samples: &Samples, range: Range<usize>, _time_steps: &[usize]) -> Vec<Residual> {
        self.residuals(samples, range)
    }

    fn multiplied_back(&self, samples: &Samples, range: Range<usize>, layer: usize) -> Option<Reconstructions> {
        Some(self.reconstructions(samples, range, layer))
    }

    fn diagnose_weights(&self, samples: &Samples, range: Range<usize>) -> Vec<WeightDiagnostics> {
        self.weight_diagnostics(samples, range)
    }
}

impl Network {
    /// Statistics of each of `layers` over `samples[range]`.
    ///
    /// # Panics
    /// If images do not fit the network, `range` exceeds the samples or is empty, or a layer is beyond L.
    pub fn activation_norms(&self, samples: &Samples, range: Range<usize>, layers: &[usize]) -> Vec<ActivationNorms> {
        self.activation_norms_at(samples, range, &layers.iter().map(|&layer| Place::layer(layer)).collect::<Vec<_>>())
    }

    /// As [`Network::of_feedback`] and [`Network::with_scales_and_shifts`], from matrices called `forward`, `feedback`,
    /// `scale` and `shift`, or `unit_scale` and `unit_shift` where layers are normalised over their units.
    ///
    /// # Errors
    /// As these two, or if there is a matrix of another name.
    pub fn assemble(
        architecture: &Architecture,
        kind: Feedback,
        mut matrices: Vec<NamedMatrix>,
    ) -> Result<Self, InvalidParameter> {
        let over_units = matrices.iter().any(|matrix| matrix.name == OVER_UNITS[0]);
        let [scale, shift] = if over_units { OVER_UNITS } else { OF_A_BATCH };
        let [forward, feedback, scales, shifts] =
            ["forward", "feedback", scale, shift].map(|name| model::take(&mut matrices, name));
        model::none_left(&matrices)?;
        let forward: Vec<ArrayView2<'_, f32>> = forward.iter().map(|matrix| matrix.view()).collect();
        let feedback: Vec<ArrayView2<'_, f32>> = feedback.iter().map(|matrix| matrix.view()).collect();
        let network = Network::of_feedback(architecture, kind, &forward, &feedback)?;
        let vector = |matrix: Array2<f32>| matrix.into_iter().collect::<Vec<_>>();
        let pairs: Vec<_> =
            scales.into_iter().zip(shifts).map(|(scale, shift)| (vector(scale), vector(shift))).collect();
        if pairs.is_empty() { Ok(network) } else { network.with_scales_and_shifts(&pairs, over_units) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::science::activation::Activation;
    use crate::science::feedback::Feedback;
    use crate::science::initialization::Initialization;
    use crate::science::reference::{architecture, noise};

    fn taken_apart(model: &dyn Model) -> Vec<NamedMatrix> {
        let mut matrices = Vec::new();
        model.visit(&mut |parameter| {
            let Parameter { name, layer, values } = parameter;
            matrices.push(NamedMatrix { name: name.to_owned(), layer, values: values.to_owned() });
        });
        matrices
    }

    #[test]
    fn a_network_taken_apart_and_assembled_answers_the_same() {
        let architecture = architecture(&[20, 17, 9, 3], Activation::Tanh);
        let plastic = Network::initialize(&architecture, &Initialization::Xavier, Feedback::Plastic, 5);
        let pairs = [(vec![1.5; 17], vec![0.25; 17]), (vec![0.5; 9], vec![-0.25; 9])];
        let [of_a_batch, over_units] = [false, true].map(|over_units| {
            Network::initialize(&architecture, &Initialization::Xavier, Feedback::Symmetric, 5)
                .with_scales_and_shifts(&pairs, over_units)
                .unwrap()
        });
        let samples = noise(20, 20, 3, 1);
        assert_ne!(of_a_batch.evaluate(&samples, 0..20), over_units.evaluate(&samples, 0..20));
        for network in [plastic, of_a_batch, over_units] {
            let matrices = taken_apart(&network);
            let order: Vec<_> = matrices.iter().map(|matrix| (matrix.name.clone(), matrix.layer)).collect();
            assert!(order.is_sorted(), "{order:?}");
            for matrix in &matrices {
                let expected = match matrix.name.as_str() {
                    "forward" => network.forward_weights(matrix.layer),
                    "feedback" => network.feedback_weights(matrix.layer).unwrap(),
                    name => {
                        let (scale, shift) = network.scale_and_shift(matrix.layer).unwrap();
                        let values = if name.ends_with("scale") { scale } else { shift };
                        Array2::from_shape_vec((values.len(), 1), values).unwrap()
                    }
                };
                assert_eq!(matrix.values, expected);
            }
            let again = network.blueprint().assemble(matrices).unwrap();
            assert_eq!(again.evaluate(&samples, 0..20), network.evaluate(&samples, 0..20));
            assert_eq!(again.blueprint(), network.blueprint());
        }
    }

    #[test]
    fn a_matrix_of_another_network_is_refused_by_name() {
        let network = Network::initialize(
            &architecture(&[4, 3], Activation::Tanh),
            &Initialization::Xavier,
            Feedback::Symmetric,
            5,
        );
        let mut matrices = taken_apart(&network);
        matrices.push(NamedMatrix { name: "recurrent".into(), layer: 2, values: Array2::zeros((3, 3)) });
        let error = network.blueprint().assemble(matrices).err().unwrap().to_string();
        assert_eq!(error, "the network has no matrix `recurrent`");
    }
}
