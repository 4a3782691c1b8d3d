//! Errors taken back through a layer that does not learn by the way.
//!
//! A network in time uses one matrix again and again, forward and back. It is larger than the first-level cache, but if every
//! second pass goes the other way, each finds there what the last one left: so passes take turns, which changes no bit.

use super::activation::Activation;
use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, WIDTH, each_lane, lanes_for};
use super::matrix::InputMajor;
use super::rows::dots;
use super::simd::Simd;

/// e_{ℓ-1,i} = (W_i · e_ℓ) σ′(z_{ℓ-1,i}), σ′ from y_{ℓ-1}; rows from the last to the first if `turned`. All vectors are padded.
pub(crate) fn errors_back(
    backend: Backend,
    activation: Activation,
    weights: &InputMajor,
    [error, pre_activation]: [&[Lanes]; 2],
    pre_error: &mut [Lanes],
    turned: bool,
) {
    assert_eq!(error.len(), weights.stride());
    assert_eq!([pre_activation.len(), pre_error.len()], [lanes_for(weights.n_in()); 2]);
    dispatch(backend, ErrorsBack { activation, weights, error, pre_activation, pre_error, turned });
}

struct ErrorsBack<'a> {
    activation: Activation,
    weights: &'a InputMajor,
    error: &'a [Lanes],
    pre_activation: &'a [Lanes],
    pre_error: &'a mut [Lanes],
    turned: bool,
}

impl Kernel for ErrorsBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (n_in, stride, blocks) = (self.weights.n_in(), self.weights.stride(), self.pre_activation.len());
        for k in 0..blocks {
            let block = if self.turned { blocks - 1 - k } else { k };
            let first = block * WIDTH;
            let rows = WIDTH.min(n_in - first);
            let mut e = [0.0; WIDTH];
            dots(simd, &self.weights.lanes()[first * stride..(first + rows) * stride], stride, self.error, &mut e);
            let slope = self.activation.derivative(self.pre_activation[block].0);
            self.pre_error[block].0 = each_lane!(k => e[k] * slope[k]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::noise::Noise;
    use crate::kernels::{ErrorBelow, LayerSignals, SynapticRule, as_flat_mut, update_layer, zeros};

    /// The bits of the pass in which a layer learns, on every backend and in both directions.
    #[test]
    fn errors_are_those_of_a_pass_that_learns_nothing() {
        let mut random = Noise(6);
        for (n_in, n_out) in [(1, 1), (33, 17), (128, 128), (50, 70)] {
            let mut weights = InputMajor::from_fn(n_in, n_out, |_, _| random.normal() as f32);
            let mut vector = |n: usize| {
                let mut v = zeros(n);
                as_flat_mut(&mut v)[..n].iter_mut().for_each(|x| *x = random.normal() as f32);
                v
            };
            let (e, y) = (vector(n_out), vector(n_in));
            let (mut expected, mut unread) = (zeros(n_in), zeros(n_in));
            let signals = LayerSignals {
                error: &e,
                activation: &e,
                pre_activation: &y,
                function: Activation::Tanh,
                pre_is_input: false,
                below: ErrorBelow::Wanted,
                pre_error: &mut expected,
                projection: &mut unread,
            };
            update_layer(Backend::Portable, &SynapticRule::default(), &mut weights, None, None, signals);
            for backend in Backend::available() {
                for turned in [false, true] {
                    let mut found = vec![Lanes([f32::NAN; WIDTH]); lanes_for(n_in)];
                    errors_back(backend, Activation::Tanh, &weights, [&e, &y], &mut found, turned);
                    assert_eq!(found, expected, "{backend}, {n_in} × {n_out}");
                }
            }
        }
    }
}
