//! Initial weights.

use super::InvalidParameter;
use super::seed::Stream;

/// The distribution of initial weights. Every layer draws from its own stream, row-major (n_ℓ × n_{ℓ-1}), in double
/// precision, rounded once to single.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initialization {
    /// U(±√(6 / (n_{ℓ-1} + n_ℓ))), equation (3).
    Xavier,
    /// N(0, std²) whatever the layer's size, section 2.2; the paper's N(0, 0.01) is read as a standard deviation.
    Naive {
        /// Standard deviation.
        std: f64,
    },
    /// N(0, 2 / n_{ℓ-1}), He et al. 2015 (fan-in).
    Kaiming,
}

impl Initialization {
    /// The same, if its parameter makes sense.
    ///
    /// # Errors
    /// If the standard deviation is negative or not finite.
    pub fn check(self) -> Result<Self, InvalidParameter> {
        match self {
            Initialization::Naive { std } if !(std >= 0.0 && std.is_finite()) => Err(InvalidParameter::new(format!(
                "naive initialization: std must be finite and not negative, found {std}"
            ))),
            other => Ok(other),
        }
    }

    /// The next weights of a matrix from `n_in` to `n_out` units.
    pub(crate) fn draw(self, n_in: usize, n_out: usize, stream: &mut Stream, weights: &mut [f32]) {
        let mut drawn = [0.0; 256];
        for weights in weights.chunks_mut(drawn.len()) {
            let drawn = &mut drawn[..weights.len()];
            match self {
                Initialization::Xavier => {
                    stream.uniforms(drawn);
                    let limit = libm::sqrt(6.0 / (n_in + n_out) as f64);
                    drawn.iter_mut().for_each(|x| *x = limit * (2.0 * *x - 1.0));
                }
                Initialization::Naive { std } => {
                    stream.normals(drawn);
                    drawn.iter_mut().for_each(|x| *x *= std);
                }
                Initialization::Kaiming => {
                    stream.normals(drawn);
                    let std = libm::sqrt(2.0 / n_in as f64);
                    drawn.iter_mut().for_each(|x| *x *= std);
                }
            }
            weights.iter_mut().zip(drawn).for_each(|(w, x)| *w = *x as f32);
        }
    }
}

/// Where errors travel back, equation (7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// B = Wᵀ at every step: backpropagation.
    Symmetric,
    /// B fixed, drawn like W from streams of its own: feedback alignment.
    Random,
    /// B drawn as with `Random`, then learned by the feedback terms of rule (9).
    Plastic,
}

#[cfg(test)]
mod tests {
    use super::super::seed::{Purpose, stream};
    use super::*;

    /// (mean, variance, largest magnitude) of many weights.
    fn moments(initialization: Initialization) -> (f64, f64, f64) {
        let mut s = stream(11, Purpose::ForwardWeights, 1);
        let n = 100_000;
        let mut draws = vec![0.0; n as usize];
        initialization.draw(150, 50, &mut s, &mut draws);
        let draws: Vec<f64> = draws.into_iter().map(f64::from).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / f64::from(n);
        (mean, variance, draws.iter().fold(0.0, |m, w| w.abs().max(m)))
    }

    #[test]
    fn variances_are_those_of_the_definitions() {
        let (mean, variance, largest) = moments(Initialization::Xavier);
        assert!(mean.abs() < 2e-3 && (variance / 0.01 - 1.0).abs() < 0.02 && largest <= 0.03_f64.sqrt());
        let (mean, variance, _) = moments(Initialization::Naive { std: 0.01 });
        assert!(mean.abs() < 2e-4 && (variance / 1e-4 - 1.0).abs() < 0.02);
        let (mean, variance, _) = moments(Initialization::Kaiming);
        assert!(mean.abs() < 2e-3 && (variance / (2.0 / 150.0) - 1.0).abs() < 0.02);
    }

    #[test]
    fn a_negative_deviation_is_refused() {
        assert!(Initialization::Naive { std: -0.1 }.check().is_err());
        assert!(Initialization::Naive { std: f64::NAN }.check().is_err());
    }
}
