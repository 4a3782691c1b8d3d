//! The engineering that online plasticity does without: momentum and Adam.

use super::InvalidParameter;

/// How a mini-batch's mean gradient g becomes an update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// −rate · g.
    Sgd {
        /// Learning rate.
        rate: f64,
    },
    /// v ← momentum · v + g; −rate · v (heavy ball, Qian 1999).
    Momentum {
        /// Learning rate.
        rate: f64,
        /// Share of the velocity that is kept, in [0, 1).
        momentum: f64,
    },
    /// Kingma & Ba 2014, algorithm 1, bias corrections included.
    Adam {
        /// Learning rate.
        rate: f64,
        /// Decay of the mean of g, in [0, 1).
        beta1: f64,
        /// Decay of the mean of g², in [0, 1).
        beta2: f64,
        /// Added to the root of the mean square.
        epsilon: f64,
    },
}

impl Optimizer {
    /// Adam with the decays and ε of its paper.
    pub fn adam(rate: f64) -> Self {
        Optimizer::Adam { rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }

    /// The same, if its parameters make sense.
    ///
    /// # Errors
    /// If a rate is not finite or negative, a decay is outside [0, 1), or ε is not positive.
    pub fn check(self) -> Result<Self, InvalidParameter> {
        let fault = |name: &str, value: f64, allowed: &str| {
            Err(InvalidParameter::new(format!("optimizer: {name} must be {allowed}, found {value}")))
        };
        let (rate, decays) = match self {
            Optimizer::Sgd { rate } => (rate, vec![]),
            Optimizer::Momentum { rate, momentum } => (rate, vec![("momentum", momentum)]),
            Optimizer::Adam { rate, beta1, beta2, epsilon } => {
                if !(epsilon > 0.0 && epsilon.is_finite()) {
                    return fault("epsilon", epsilon, "positive and finite");
                }
                (rate, vec![("beta1", beta1), ("beta2", beta2)])
            }
        };
        if !(rate >= 0.0 && rate.is_finite()) {
            return fault("rate", rate, "finite and not negative");
        }
        match decays.into_iter().find(|(_, decay)| !(0.0..1.0).contains(decay)) {
            Some((name, decay)) => fault(name, decay, "in [0, 1)"),
            None => Ok(self),
        }
    }
}

/// An optimiser's memory for one array of parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct OptimizerState {
    /// Velocity, or mean of g.
    first: Vec<f32>,
    /// Mean of g².
    second: Vec<f32>,
    /// Updates made.
    updates: i32,
}

impl OptimizerState {
    /// Moves `parameters` by what `optimizer` makes of `gradient`. Every operation is rounded once, entry by entry.
    pub(crate) fn update(&mut self, optimizer: Optimizer, parameters: &mut [f32], gradient: &[f32]) {
        assert_eq!(parameters.len(), gradient.len());
        self.first.resize(gradient.len(), 0.0);
        self.updates += 1;
        let moves = parameters.iter_mut().zip(gradient);
        match optimizer {
            Optimizer::Sgd { rate } => {
                let rate = rate as f32;
                moves.for_each(|(w, g)| *w -= rate * g);
            }
            Optimizer::Momentum { rate, momentum } => {
                let (rate, momentum) = (rate as f32, momentum as f32);
                for ((w, g), v) in moves.zip(&mut self.first) {
                    *v = momentum * *v + g;
                    *w -= rate * *v;
                }
            }
            Optimizer::Adam { rate, beta1, beta2, epsilon } => {
                self.second.resize(gradient.len(), 0.0);
                // ε̂ form of the paper's section 2: both corrections in one factor of the rate, ε scaled alike.
                let correct1 = 1.0 - libm::pow(beta1, f64::from(self.updates));
                let correct2 = libm::sqrt(1.0 - libm::pow(beta2, f64::from(self.updates)));
                let (rate, epsilon) = ((rate * correct2 / correct1) as f32, (epsilon * correct2) as f32);
                let (keep1, take1) = (beta1 as f32, (1.0 - beta1) as f32);
                let (keep2, take2) = (beta2 as f32, (1.0 - beta2) as f32);
                for (((w, g), m), v) in moves.zip(&mut self.first).zip(&mut self.second) {
                    *m = keep1 * *m + take1 * g;
                    *v = keep2 * *v + take2 * (g * g);
                    *w -= rate * *m / (v.sqrt() + epsilon);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few updates against the definitions in double precision, corrections written out.
    #[test]
    fn updates_are_those_of_the_definitions() {
        let gradients = [0.5_f32, -2.0, 0.25, 1e-3];
        let run = |optimizer| {
            let (mut state, mut w) = (OptimizerState::default(), [1.0_f32]);
            gradients.iter().for_each(|&g| state.update(optimizer, &mut w, &[g]));
            f64::from(w[0])
        };
        let sgd = 1.0 - 0.1 * gradients.iter().map(|&g| f64::from(g)).sum::<f64>();
        assert!((run(Optimizer::Sgd { rate: 0.1 }) - sgd).abs() < 1e-6);
        let (mut w, mut v) = (1.0, 0.0);
        for g in gradients {
            v = 0.9 * v + f64::from(g);
            w -= 0.1 * v;
        }
        assert!((run(Optimizer::Momentum { rate: 0.1, momentum: 0.9 }) - w).abs() < 1e-6);
        let (mut w, mut m, mut v) = (1.0_f64, 0.0, 0.0);
        for (t, g) in (1..).zip(gradients) {
            let g = f64::from(g);
            (m, v) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g);
            w -= 0.01 * (m / (1.0 - 0.9_f64.powi(t))) / ((v / (1.0 - 0.999_f64.powi(t))).sqrt() + 1e-8);
        }
        assert!((run(Optimizer::adam(0.01)) - w).abs() < 1e-6);
    }

    #[test]
    fn parameters_out_of_range_are_refused_by_name() {
        let message = |optimizer: Optimizer| optimizer.check().unwrap_err().to_string();
        assert_eq!(
            message(Optimizer::Momentum { rate: 0.1, momentum: 1.0 }),
            "optimizer: momentum must be in [0, 1), found 1"
        );
        assert!(message(Optimizer::Sgd { rate: f64::NAN }).contains("rate"));
        assert!(message(Optimizer::Adam { rate: 0.1, beta1: 0.9, beta2: 0.9, epsilon: 0.0 }).contains("epsilon"));
    }
}
