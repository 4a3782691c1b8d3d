//! A network from outside: what it is, its parameters by name, what it answers, what can be measured on it.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ShapeBuilder};

use super::InvalidParameter;
use super::activation::Activation;
use super::chain::Reconstructions;
use super::diagnostics::WeightDiagnostics;
use super::evaluation::Evaluation;
use super::feedback::Feedback;
use super::network::{Architecture, Network};
use super::norms::ActivationNorms;
pub use super::place::Place;
use super::reconstruction::Residual;
use super::recurrent::{RecurrentArchitecture, RecurrentNetwork};
use super::samples::Samples;
use crate::kernels::{Backend, InputMajor, WIDTH, as_flat};

/// A matrix of a model as a visitor sees it.
#[derive(Clone, Debug)]
pub struct Parameter<'a> {
    /// `forward`, `feedback`, `scale`, `shift`, `input`, `recurrent` or `readout`.
    pub name: &'static str,
    /// ℓ, from 1.
    pub layer: usize,
    /// n_out × n_in of W, n_in × n_out of B, n_ℓ × 1 of a vector; not necessarily contiguous.
    pub values: ArrayView2<'a, f32>,
}

/// A matrix out of which a model is assembled again.
#[derive(Clone, Debug)]
pub struct NamedMatrix {
    /// As [`Parameter::name`].
    pub name: String,
    /// As [`Parameter::layer`].
    pub layer: usize,
    /// As [`Parameter::values`].
    pub values: Array2<f32>,
}

/// Everything about a model that is not a weight: with its matrices, it is known whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Blueprint {
    /// A chain of dense layers, and how its errors come back.
    Chain(Architecture, Feedback),
    /// One hidden layer, unrolled in time.
    Recurrent(RecurrentArchitecture),
}

impl Blueprint {
    /// n_0 … n_L. A recurrent network has the layers x, z_t, h_t and the output, and so as many matrices: W_x into z_t,
    /// W_h from h_t, W_o to the output.
    pub fn sizes(&self) -> Vec<usize> {
        match self {
            Blueprint::Chain(architecture, _) => architecture.sizes().to_vec(),
            Blueprint::Recurrent(architecture) => architecture.sizes(),
        }
    }

    /// σ of the hidden layers.
    pub fn activation(&self) -> Activation {
        match self {
            Blueprint::Chain(architecture, _) => architecture.activation(),
            Blueprint::Recurrent(architecture) => architecture.activation(),
        }
    }

    /// T, of a network that has a time.
    pub fn n_time_steps(&self) -> Option<usize> {
        match self {
            Blueprint::Chain(..) => None,
            Blueprint::Recurrent(architecture) => Some(architecture.n_steps()),
        }
    }

    /// The network with these matrices, in any order.
    ///
    /// # Errors
    /// If a matrix is missing, has another shape, or is not one of this network's.
    pub fn assemble(&self, matrices: Vec<NamedMatrix>) -> Result<Box<dyn Model>, InvalidParameter> {
        Ok(match self {
            Blueprint::Chain(architecture, feedback) => Box::new(Network::assemble(architecture, *feedback, matrices)?),
            Blueprint::Recurrent(architecture) => Box::new(RecurrentNetwork::assemble(architecture, matrices)?),
        })
    }
}

/// A network whose weights can be read and whose signals can be measured.
pub trait Model {
    /// All that is not a weight.
    fn blueprint(&self) -> Blueprint;

    /// Shows every matrix, sorted by name and then by layer.
    fn visit(&self, visitor: &mut dyn FnMut(Parameter<'_>));

    /// The instructions that it computes with.
    fn backend(&self) -> Backend;

    /// Accuracy and mean cross-entropy over `samples[range]`.
    ///
    /// # Panics
    /// If images or classes do not fit the network, or `range` exceeds the samples or is empty.
    fn evaluate(&self, samples: &Samples, range: Range<usize>) -> Evaluation;

    /// The places that a layer has at the `time_steps` asked for, ascending: one in a network without time, which ignores
    /// them. Empty if the layer is nowhere at these times.
    ///
    /// # Panics
    /// If the layer is beyond L.
    fn places(&self, layer: usize, time_steps: &[usize]) -> Vec<Place> {
        self.blueprint().places(layer, time_steps)
    }

    /// Activations (n_samples × n_ℓ) at each of `places`: layer 0 is the input, L the softmax.
    ///
    /// # Panics
    /// If images do not fit the network, `range` exceeds the samples, or it has no such place.
    fn activations_at(&self, samples: &Samples, range: Range<usize>, places: &[Place]) -> Vec<Array2<f32>>;

    /// Statistics of the activations at each of `places`.
    ///
    /// # Panics
    /// As [`Model::activations_at`], or if `range` is empty.
    fn activation_norms_at(&self, samples: &Samples, range: Range<usize>, places: &[Place]) -> Vec<ActivationNorms> {
        assert!(!range.is_empty(), "norms need at least one sample");
        let activations = self.activations_at(samples, range, places);
        let pairs = places.iter().zip(&activations);
        pairs.map(|(&place, y)| ActivationNorms::of(place, self.backend(), y)).collect()
    }

    /// How much of their input the hidden layers lose, equation (2), at `time_steps` where the network has a time.
    ///
    /// # Panics
    /// If images do not fit the network, `range` exceeds the samples or is empty, or a time is beyond T.
    fn residuals_at(&self, samples: &Samples, range: Range<usize>, time_steps: &[usize]) -> Vec<Residual>;

    /// Images multiplied back from a layer to pixels, layer by layer; None of a network that does not go back so.
    ///
    /// # Panics
    /// If images do not fit the network, `range` exceeds the samples, or `layer` is not one of 1 … L.
    fn multiplied_back(&self, _samples: &Samples, _range: Range<usize>, _layer: usize) -> Option<Reconstructions> {
        None
    }

    /// Orthonormality of every layer's weights, and how well feedback agrees with them.
    ///
    /// # Panics
    /// If images or classes do not fit the network, or `range` exceeds the samples.
    fn diagnose_weights(&self, samples: &Samples, range: Range<usize>) -> Vec<WeightDiagnostics>;
}

impl Blueprint {
    /// As [`Model::places`].
    ///
    /// # Panics
    /// If the layer is beyond L.
    pub fn places(&self, layer: usize, time_steps: &[usize]) -> Vec<Place> {
        assert!(layer < self.sizes().len(), "layer {layer} is beyond the last");
        match self {
            Blueprint::Chain(..) => vec![Place::layer(layer)],
            Blueprint::Recurrent(architecture) => architecture.places(layer, time_steps),
        }
    }
}

/// The rows of a matrix as the kernels hold it: n_in × n_out, padding left out.
pub(crate) fn rows(matrix: &InputMajor) -> ArrayView2<'_, f32> {
    let shape = (matrix.n_in(), matrix.n_out()).strides((matrix.stride() * WIDTH, 1));
    ArrayView2::from_shape(shape, as_flat(matrix.lanes())).expect("padded rows lie one after the other")
}

/// The matrices called `name`, by ascending layer; what is left stays in `matrices`.
pub(crate) fn take(matrices: &mut Vec<NamedMatrix>, name: &str) -> Vec<Array2<f32>> {
    let mut found: Vec<NamedMatrix> = matrices.extract_if(.., |matrix| matrix.name == name).collect();
    found.sort_by_key(|matrix| matrix.layer);
    found.into_iter().map(|matrix| matrix.values).collect()
}

/// # Errors
/// A matrix that nobody took.
pub(crate) fn none_left(matrices: &[NamedMatrix]) -> Result<(), InvalidParameter> {
    match matrices.first() {
        None => Ok(()),
        Some(matrix) => Err(InvalidParameter::new(format!("the network has no matrix `{}`", matrix.name))),
    }
}
