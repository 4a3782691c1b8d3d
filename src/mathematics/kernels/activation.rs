//! Activation functions σ of the hidden layers, and their derivatives from the value alone.

use std::fmt;

use super::elementary;
use super::invalid::InvalidParameter;
use super::lanes::{WIDTH, each_lane};

/// σ in y_ℓ = σ(z_ℓ), equation (1).
///
/// The derivative is taken from the value y = σ(z): that is what a synapse can see, and no z need be kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// ln(1 + e^{βz}) / β; σ′ = 1 − e^{−βy}. The paper's (β = 10).
    Softplus {
        /// Sharpness; towards infinity it becomes the rectifier.
        beta: f32,
    },
    /// tanh z; σ′ = 1 − y².
    Tanh,
    /// max(z, 0); σ′ = 1 where y > 0, else 0.
    Relu,
    /// 1 / (1 + e^{−z}); σ′ = y (1 − y).
    Sigmoid,
    /// z; σ′ = 1.
    Linear,
}

impl Activation {
    /// The same, if its parameter makes sense.
    ///
    /// # Errors
    /// If β is not a positive finite number.
    pub fn check(self) -> Result<Self, InvalidParameter> {
        match self {
            Activation::Softplus { beta } if !(beta > 0.0 && beta.is_finite()) => {
                Err(InvalidParameter::new(format!("softplus: beta must be positive and finite, found {beta}")))
            }
            other => Ok(other),
        }
    }

    /// σ(z), sixteen at a time.
    #[inline(always)]
    pub(crate) fn value(self, z: [f32; WIDTH]) -> [f32; WIDTH] {
        match self {
            Activation::Softplus { beta } => elementary::softplus(z, beta),
            Activation::Tanh => elementary::tanh(z),
            // A comparison that is false for NaN, so that NaN stays visible.
            Activation::Relu => each_lane!(k => if z[k] < 0.0 { 0.0 } else { z[k] }),
            Activation::Sigmoid => elementary::sigmoid(z),
            Activation::Linear => z,
        }
    }

    /// σ′(z) from y = σ(z), sixteen at a time.
    #[inline(always)]
    pub(crate) fn derivative(self, y: [f32; WIDTH]) -> [f32; WIDTH] {
        match self {
            Activation::Softplus { beta } => {
                let m = elementary::exp_m1(each_lane!(k => -beta * y[k]));
                each_lane!(k => -m[k])
            }
            Activation::Tanh => each_lane!(k => y[k].mul_add(-y[k], 1.0)),
            Activation::Relu => each_lane!(k => if y[k] > 0.0 { 1.0 } else { 0.0 }),
            Activation::Sigmoid => each_lane!(k => y[k].mul_add(-y[k], y[k])),
            Activation::Linear => [1.0; WIDTH],
        }
    }

    /// dσ′/dy from y = σ(z) and σ′(z).
    #[inline]
    pub(crate) fn curvature(self, y: f32, slope: f32) -> f32 {
        match self {
            Activation::Softplus { beta } => beta * (1.0 - slope),
            Activation::Tanh => -2.0 * y,
            Activation::Relu | Activation::Linear => 0.0,
            Activation::Sigmoid => 1.0 - 2.0 * y,
        }
    }

    /// The factor by which e_0 = (B_{1,0} e_1) ⊙ f(x) is masked: 1 − e^{−βx} with softplus, 1 with any other function.
    #[inline(always)]
    pub(crate) fn input_mask(self, x: [f32; WIDTH]) -> [f32; WIDTH] {
        match self {
            Activation::Softplus { .. } => self.derivative(x),
            _ => [1.0; WIDTH],
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Activation::Softplus { beta } => write!(f, "softplus({beta})"),
            Activation::Tanh => f.write_str("tanh"),
            Activation::Relu => f.write_str("relu"),
            Activation::Sigmoid => f.write_str("sigmoid"),
            Activation::Linear => f.write_str("linear"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Activation; 5] = [
        Activation::Softplus { beta: 10.0 },
        Activation::Tanh,
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Linear,
    ];

    /// σ and σ′ in double precision, from their definitions.
    fn reference(activation: Activation, z: f64) -> (f64, f64) {
        match activation {
            Activation::Softplus { beta } => {
                let beta = f64::from(beta);
                (libm::log1p((beta * z).exp()) / beta, 1.0 / (1.0 + (-beta * z).exp()))
            }
            Activation::Tanh => (z.tanh(), 1.0 - z.tanh().powi(2)),
            Activation::Relu => (z.max(0.0), if z > 0.0 { 1.0 } else { 0.0 }),
            Activation::Sigmoid => {
                let s = 1.0 / (1.0 + (-z).exp());
                (s, s * (1.0 - s))
            }
            Activation::Linear => (z, 1.0),
        }
    }

    #[test]
    fn value_and_derivative_agree_with_double_precision() {
        for activation in ALL {
            for step in -400..400 {
                let z = (step as f32 + 0.5) / 100.0;
                let y = activation.value([z; WIDTH]);
                let (value, derivative) = reference(activation, f64::from(z));
                assert!((f64::from(y[0]) - value).abs() < 1e-6, "{activation} at {z}");
                assert!((f64::from(activation.derivative(y)[0]) - derivative).abs() < 2e-6, "{activation}′ at {z}");
            }
        }
    }

    #[test]
    fn derivative_keeps_its_relative_precision_where_the_unit_is_nearly_silent() {
        let softplus = Activation::Softplus { beta: 10.0 };
        let y = softplus.value([-1.5; WIDTH]);
        let truth = reference(softplus, -1.5).1;
        assert!((f64::from(softplus.derivative(y)[0]) / truth - 1.0).abs() < 1e-5);
    }

    #[test]
    fn a_softplus_without_sharpness_is_refused() {
        for beta in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(Activation::Softplus { beta }.check().is_err());
        }
    }
}
