//! A recurrent network as a [`Model`]: what is measured by layer and time step.
//!
//! Layers: 0 is the input x_t, 1 the hidden state z_t, 2 its activation h_t = σ(z_t), 3 the softmax of the output; matrices:
//! 1 is W_x, which brings the image into z_t, 2 is W_h, which reads h_t, 3 is W_o.

use std::ops::Range;

use ndarray::Array2;

use super::dynamics::{INPUT, READOUT, RECURRENT};
use super::{RecurrentArchitecture, RecurrentNetwork};
use crate::kernels::{self, Backend, Lanes, as_flat, lanes_for};
use crate::science::InvalidParameter;
use crate::science::diagnostics::{WeightDiagnostics, orthonormality};
use crate::science::evaluation::Evaluation;
use crate::science::model::{self, Blueprint, Model, NamedMatrix, Parameter, Place};
use crate::science::reconstruction::Residual;
use crate::science::samples::Samples;

/// Layers whose activations there are.
const IMAGE: usize = 0;
const STATE: usize = 1;
const ACTIVATION: usize = 2;
const OUTPUT: usize = 3;

impl RecurrentArchitecture {
    /// Units of x, z_t, h_t and the output.
    pub fn sizes(&self) -> Vec<usize> {
        vec![self.n_inputs(), self.n_hidden(), self.n_hidden(), self.n_outputs()]
    }

    /// When a layer is there, of `time_steps`: the image while it is shown, the output at T, the hidden layer always.
    pub(crate) fn places(&self, layer: usize, time_steps: &[usize]) -> Vec<Place> {
        let there = match layer {
            IMAGE => 1..=self.n_input_steps(),
            OUTPUT => self.n_steps()..=self.n_steps(),
            _ => 1..=self.n_steps(),
        };
        let mut times: Vec<usize> = time_steps.iter().copied().filter(|t| there.contains(t)).collect();
        times.sort_unstable();
        times.dedup();
        times.into_iter().map(|t| Place::at(layer, t)).collect()
    }
}

impl Model for RecurrentNetwork {
    fn blueprint(&self) -> Blueprint {
        Blueprint::Recurrent(self.architecture().clone())
    }

    fn visit(&self, visitor: &mut dyn FnMut(Parameter<'_>)) {
        let matrices = [
            ("input", INPUT, &self.input),
            ("readout", READOUT, &self.readout),
            ("recurrent", RECURRENT, &self.recurrent),
        ];
        for (name, layer, w) in matrices {
            visitor(Parameter { name, layer, values: model::rows(w).reversed_axes() });
        }
    }

    fn backend(&self) -> Backend {
        self.backend
    }

    fn evaluate(&self, samples: &Samples, range: Range<usize>) -> Evaluation {
        RecurrentNetwork::evaluate(self, samples, range)
    }

    fn activations_at(&self, samples: &Samples, range: Range<usize>, places: &[Place]) -> Vec<Array2<f32>> {
        let architecture = self.architecture();
        let sizes = architecture.sizes();
        for place in places {
            let there = place.time_step.is_some_and(|t| !architecture.places(place.layer, &[t]).is_empty());
            assert!(there, "a recurrent network has no {place:?}");
        }
        let mut found: Vec<_> = places.iter().map(|place| Array2::zeros((range.len(), sizes[place.layer]))).collect();
        let start = range.start;
        let mut other = Vec::new();
        self.for_each_block(samples, range, |first, t, z, h| {
            let n = h.len() / lanes_for(architecture.n_hidden());
            let here = places.iter().zip(&mut found).filter(|(place, _)| place.time_step == Some(t + 1));
            for (place, array) in here {
                let stride = lanes_for(sizes[place.layer]);
                let rows = match place.layer {
                    STATE => z,
                    ACTIVATION => h,
                    layer => {
                        zero_rows(&mut other, n * stride);
                        if layer == IMAGE {
                            write_images(samples, first, &mut other, stride);
                        } else {
                            self.answer(h, &mut other);
                        }
                        &other
                    }
                };
                for (s, row) in rows.chunks_exact(stride).enumerate() {
                    let numbers = as_flat(row).iter();
                    array.row_mut(first - start + s).iter_mut().zip(numbers).for_each(|(to, from)| *to = *from);
                }
            }
        });
        found
    }

    /// Of W_x, what it reconstructs of the image from the activation at every time, ‖x − W_xᵀ h_t‖²: at t = 1 this is
    /// equation (2), later it says how much of the image is still there. Of W_h, what Oja's rule in time reduces for the
    /// input of W_h: ‖h_t − W_hᵀ v_t‖² with v_t = W_h h_t, for t < T.
    fn residuals_at(&self, samples: &Samples, range: Range<usize>, time_steps: &[usize]) -> Vec<Residual> {
        assert!(!range.is_empty(), "residuals need at least one sample");
        let architecture = self.architecture();
        let (n_steps, n_hidden) = (architecture.n_steps(), architecture.n_hidden());
        let places: Vec<Place> = [INPUT, RECURRENT]
            .into_iter()
            .flat_map(|layer| architecture.places(if layer == INPUT { STATE } else { ACTIVATION }, time_steps))
            .filter(|place| place.layer == INPUT || place.time_step < Some(n_steps))
            .collect();
        let n = range.len() as f64;
        let mut sums = vec![(0.0_f64, 0.0_f64); places.len()];
        let (stride, pixel_stride) = (lanes_for(n_hidden), lanes_for(architecture.n_inputs()));
        let (mut image, mut response, mut back) = (Vec::new(), Vec::new(), Vec::new());
        self.for_each_block(samples, range, |first, t, _, h| {
            let block = h.len() / stride;
            for (place, sums) in places.iter().zip(&mut sums).filter(|(place, _)| place.time_step == Some(t + 1)) {
                if place.layer == INPUT {
                    image.resize(block * pixel_stride, Lanes::ZERO);
                    write_images(samples, first, &mut image, pixel_stride);
                    zero_rows(&mut back, block * pixel_stride);
                    kernels::project_batch(self.backend, &self.input, h, &mut back);
                    add_squares(sums, &image, &back);
                } else {
                    response.resize(h.len(), Lanes::ZERO);
                    kernels::forward_batch(self.backend, &self.recurrent, h, &mut response);
                    zero_rows(&mut back, h.len());
                    kernels::project_batch(self.backend, &self.recurrent, &response, &mut back);
                    add_squares(sums, h, &back);
                }
            }
        });
        places.into_iter().zip(sums).map(|(place, sums)| Residual::of(place, sums, n)).collect()
    }

    /// Errors go back through the weights themselves, so feedback agrees with them.
    fn diagnose_weights(&self, _samples: &Samples, _range: Range<usize>) -> Vec<WeightDiagnostics> {
        let matrices = [(INPUT, &self.input), (RECURRENT, &self.recurrent), (READOUT, &self.readout)];
        let diagnose = |(layer, w)| WeightDiagnostics {
            layer,
            orthonormality: orthonormality(self.backend, w),
            feedback_angle: Some(0.0),
            error_angle: Some(0.0),
        };
        matrices.into_iter().map(diagnose).collect()
    }
}

impl RecurrentNetwork {
    /// As [`RecurrentNetwork::from_weights`], from matrices called `input`, `recurrent` and `readout`.
    ///
    /// # Errors
    /// As there, or if a matrix is missing or of another name.
    pub fn assemble(
        architecture: &RecurrentArchitecture,
        mut matrices: Vec<NamedMatrix>,
    ) -> Result<Self, InvalidParameter> {
        let mut one = |name: &str| {
            let missing = || InvalidParameter::new(format!("a recurrent network needs one matrix `{name}`"));
            let [matrix] = <[_; 1]>::try_from(model::take(&mut matrices, name)).map_err(|_| missing())?;
            Ok::<Array2<f32>, InvalidParameter>(matrix)
        };
        let (input, recurrent, readout) = (one("input")?, one("recurrent")?, one("readout")?);
        model::none_left(&matrices)?;
        Self::from_weights(architecture, input.view(), recurrent.view(), readout.view())
    }

    /// The softmax of the output from rows of h_T.
    fn answer(&self, h: &[Lanes], rows: &mut [Lanes]) {
        let n_outputs = self.architecture().n_outputs();
        kernels::forward_batch(self.backend, &self.readout, h, rows);
        rows.chunks_exact_mut(lanes_for(n_outputs)).for_each(|row| kernels::softmax(self.backend, n_outputs, row));
    }
}

/// x of the samples from `first` on, as padded rows.
fn write_images(samples: &Samples, first: usize, rows: &mut [Lanes], stride: usize) {
    rows.chunks_exact_mut(stride).enumerate().for_each(|(s, row)| samples.active(first + s).write(row));
}

/// Padding included, which kernels leave as it was.
fn zero_rows(rows: &mut Vec<Lanes>, length: usize) {
    rows.clear();
    rows.resize(length, Lanes::ZERO);
}

/// Adds ‖y − d‖² and ‖y‖²; padding is zero on both sides.
fn add_squares((error, signal): &mut (f64, f64), y: &[Lanes], d: &[Lanes]) {
    for (&y, &d) in as_flat(y).iter().zip(as_flat(d)) {
        let (y, d) = (f64::from(y), f64::from(d));
        *error += (y - d).powi(2);
        *signal += y.powi(2);
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Axis};

    use super::*;
    use crate::science::activation::Activation;
    use crate::science::decomposition::explained_variance;
    use crate::science::initialization::Initialization;
    use crate::science::reference::{input, noise};

    const T: usize = 7;
    const SHOWN: usize = 3;

    fn network() -> RecurrentNetwork {
        let architecture = RecurrentArchitecture::new([40, 21, 10], T, SHOWN, Activation::Tanh).unwrap();
        RecurrentNetwork::initialize(&architecture, &Initialization::Xavier, 3)
    }

    /// z_1 … z_T of one image in double precision, from the definition.
    fn states(network: &RecurrentNetwork, x: &Array1<f64>) -> Vec<Array1<f64>> {
        let (w_x, w_h) = (network.input_weights().mapv(f64::from), network.recurrent_weights().mapv(f64::from));
        let mut z = vec![w_x.dot(x)];
        for t in 1..T {
            let brought = w_h.dot(&z[t - 1].mapv(f64::tanh));
            z.push(if t < SHOWN { brought + w_x.dot(x) } else { brought });
        }
        z
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-5 * b.abs().max(1e-3)
    }

    #[test]
    fn activations_are_those_of_the_recurrence_in_double_precision() {
        let (network, samples) = (network(), noise(110, 40, 10, 8));
        let all: Vec<usize> = (1..=T).collect();
        let places: Vec<Place> = (0..=3).flat_map(|layer| network.places(layer, &all)).collect();
        assert_eq!(places.len(), SHOWN + T + T + 1);
        let found = network.activations_at(&samples, 3..110, &places);
        let w_o = network.readout_weights().mapv(f64::from);
        for s in 0..107 {
            let x = input(&samples, s + 3);
            let z = states(&network, &x);
            for (place, found) in places.iter().zip(&found) {
                let z = &z[place.time_step.unwrap() - 1];
                let expected = match place.layer {
                    0 => x.clone(),
                    1 => z.clone(),
                    2 => z.mapv(f64::tanh),
                    _ => {
                        let e = w_o.dot(&z.mapv(f64::tanh)).mapv(f64::exp);
                        &e / e.sum()
                    }
                };
                assert!(found.row(s).iter().zip(&expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5), "{place:?}");
            }
        }
    }

    #[test]
    fn norms_are_those_of_the_hidden_states_and_of_their_definitions() {
        let (network, samples) = (network(), noise(60, 40, 10, 8));
        let places = network.places(1, &[1, 4, T]);
        let found = network.activation_norms_at(&samples, 0..60, &places);
        let hidden_norms = network.hidden_norms(&samples, 0..60);
        for (place, found) in places.iter().zip(&found) {
            let t = place.time_step.unwrap();
            assert_eq!((found.layer, found.time_step, found.n_samples), (1, Some(t), 60));
            assert!(close(found.mean_norm, hidden_norms[t - 1]));
            let mut z = Array2::zeros((60, 21));
            (0..60).for_each(|s| z.row_mut(s).assign(&states(&network, &input(&samples, s))[t - 1]));
            let centred = &z - &z.mean_axis(Axis(0)).unwrap();
            let covariance = centred.t().dot(&centred) / 60.0;
            let ratio = covariance.diag().sum().powi(2) / covariance.dot(&covariance).diag().sum();
            assert!(close(found.std_activation, z.std(0.0)) && close(found.participation_ratio.unwrap(), ratio));
        }
    }

    #[test]
    fn residuals_are_those_of_whole_matrices() {
        let (network, samples) = (network(), noise(130, 40, 10, 8));
        let (w_x, w_h) = (network.input_weights().mapv(f64::from), network.recurrent_weights().mapv(f64::from));
        let found = network.residuals_at(&samples, 1..130, &[1, 3, T]);
        let places: Vec<_> = found.iter().map(|r| (r.layer, r.time_step.unwrap())).collect();
        assert_eq!(places, [(1, 1), (1, 3), (1, T), (2, 1), (2, 3)], "W_h is not applied to h_T");
        for found in &found {
            let (mut error, mut signal) = (0.0, 0.0);
            for s in 1..130 {
                let x = input(&samples, s);
                let h = states(&network, &x)[found.time_step.unwrap() - 1].mapv(f64::tanh);
                let (y, back) =
                    if found.layer == 1 { (x, w_x.t().dot(&h)) } else { (h.clone(), w_h.t().dot(&w_h.dot(&h))) };
                error += (&y - &back).mapv(|r| r * r).sum() / 129.0;
                signal += y.mapv(|y| y * y).sum() / 129.0;
            }
            assert!(close(found.error, error) && close(found.signal, signal), "{found:?}");
            assert!(close(found.relative_error.unwrap(), error / signal));
        }
    }

    /// Orthogonal W_h reconstructs its input whole, and has orthonormal rows.
    #[test]
    fn an_orthogonal_recurrence_loses_nothing() {
        let architecture = RecurrentArchitecture::new([40, 21, 10], T, SHOWN, Activation::Tanh).unwrap();
        let rotation = Array2::from_shape_fn((21, 21), |(j, i)| if (i + 1) % 21 == j { -1.0 } else { 0.0 });
        let start = network();
        let network = RecurrentNetwork::from_weights(
            &architecture,
            start.input_weights().view(),
            rotation.view(),
            start.readout_weights().view(),
        )
        .unwrap();
        let samples = noise(20, 40, 10, 8);
        let lost = network.residuals_at(&samples, 0..20, &[2, 5]);
        assert!(lost.iter().filter(|r| r.layer == 2).all(|r| r.error == 0.0 && r.signal > 0.0));
        let found = network.diagnose_weights(&samples, 0..20);
        assert_eq!((found[1].layer, found[1].orthonormality), (2, 0.0));
        for (found, w) in found.iter().zip([network.input_weights(), rotation.clone(), network.readout_weights()]) {
            let w = w.mapv(f64::from);
            let gram = w.dot(&w.t()) - Array2::<f64>::eye(w.nrows());
            assert!((found.orthonormality - gram.mapv(|g| g * g).sum().sqrt()).abs() < 1e-5);
            assert_eq!((found.feedback_angle, found.error_angle), (Some(0.0), Some(0.0)));
        }
    }

    /// Without W_h nothing of the image is left when it is no longer shown.
    #[test]
    fn without_recurrence_the_image_is_forgotten_and_has_no_variance_to_explain() {
        let start = network();
        let network = RecurrentNetwork::from_weights(
            start.architecture(),
            start.input_weights().view(),
            Array2::zeros((21, 21)).view(),
            start.readout_weights().view(),
        )
        .unwrap();
        let samples = noise(30, 40, 10, 8);
        let found = network.residuals_at(&samples, 0..30, &[SHOWN + 1]);
        assert_eq!((found[0].layer, found[0].relative_error), (1, Some(1.0)));
        assert_eq!((found[1].signal, found[1].relative_error), (0.0, None));
        let states = network.activations_at(&samples, 0..30, &[Place::at(1, SHOWN), Place::at(1, SHOWN + 1)]);
        let variance = |t: usize| explained_variance(states[t].view()).unwrap().variance.iter().sum::<f64>();
        let expected = {
            let w_x = start.input_weights().mapv(f64::from);
            let mut z = Array2::zeros((30, 21));
            (0..30).for_each(|s| z.row_mut(s).assign(&w_x.dot(&input(&samples, s))));
            z.var_axis(Axis(0), 1.0).sum()
        };
        assert!(close(variance(0), expected) && variance(1) == 0.0);
    }

    #[test]
    fn a_network_taken_apart_and_assembled_is_the_same() {
        let network = network();
        let mut matrices = Vec::new();
        network.visit(&mut |Parameter { name, layer, values }| {
            matrices.push(NamedMatrix { name: name.to_owned(), layer, values: values.to_owned() });
        });
        let order: Vec<_> = matrices.iter().map(|matrix| (matrix.name.as_str(), matrix.layer)).collect();
        assert_eq!(order, [("input", 1), ("readout", 3), ("recurrent", 2)]);
        assert_eq!(RecurrentNetwork::assemble(network.architecture(), matrices.clone()).unwrap(), network);
        matrices.pop();
        let error = network.blueprint().assemble(matrices).err().unwrap().to_string();
        assert_eq!(error, "a recurrent network needs one matrix `recurrent`");
    }
}
