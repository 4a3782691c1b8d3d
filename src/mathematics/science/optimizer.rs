//! The engineering that online plasticity does without: momentum and Adam.

use std::ops::{Add, Div, Mul, SubAssign};

use super::InvalidParameter;
use super::plasticity::Notation;
use super::tape::{Foreign, Tape};

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

    /// What it remembers of gradients called G, and the update that it makes of them.
    pub(in crate::science) fn written(&self, notation: Notation) -> (Vec<String>, String) {
        let (becomes, square, hat) = match notation {
            Notation::Plain => ("←", "G²", ["M̂", "√Ŝ"]),
            Notation::Latex => (r"\leftarrow", "G^2", [r"\hat M", r"\sqrt{\hat S}"]),
        };
        match *self {
            Optimizer::Sgd { rate } => (Vec::new(), format!("-{rate} G")),
            Optimizer::Momentum { rate, momentum } => {
                (vec![format!("V {becomes} {momentum} V + G")], format!("-{rate} V"))
            }
            Optimizer::Adam { rate, beta1, beta2, epsilon } => {
                let [mean, root] = hat;
                let kept = vec![
                    format!("M {becomes} {beta1} M + (1 - {beta1}) G"),
                    format!("S {becomes} {beta2} S + (1 - {beta2}) {square}"),
                ];
                (kept, format!("-{rate} {mean} / ({root} + {epsilon:e})"))
            }
        }
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

/// The precision of what is optimised: weights are single, the few coefficients of a learning rule double.
pub(crate) trait Precision:
    Copy + Default + Add<Output = Self> + Div<Output = Self> + Mul<Output = Self> + SubAssign
{
    fn rounded(x: f64) -> Self;
    fn root(self) -> Self;
    fn keep(tape: &mut Tape<'_>, numbers: &mut [Self]) -> Result<(), Foreign>;
}

impl Precision for f32 {
    fn rounded(x: f64) -> Self {
        x as f32
    }

    fn root(self) -> Self {
        self.sqrt()
    }

    fn keep(tape: &mut Tape<'_>, numbers: &mut [Self]) -> Result<(), Foreign> {
        tape.singles("moment", numbers)
    }
}

impl Precision for f64 {
    fn rounded(x: f64) -> Self {
        x
    }

    fn root(self) -> Self {
        libm::sqrt(self)
    }

    fn keep(tape: &mut Tape<'_>, numbers: &mut [Self]) -> Result<(), Foreign> {
        tape.numbers("moment", numbers)
    }
}

/// An optimiser's memory for one array of parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct OptimizerState<F = f32> {
    /// Velocity, or mean of g.
    first: Vec<F>,
    /// Mean of g².
    second: Vec<F>,
    /// Updates made.
    updates: i32,
}

impl<F: Precision> OptimizerState<F> {
    /// Moves `parameters` by what `optimizer` makes of `gradient`. Every operation is rounded once, entry by entry.
    pub(crate) fn update(&mut self, optimizer: Optimizer, parameters: &mut [F], gradient: &[F]) {
        assert_eq!(parameters.len(), gradient.len());
        self.first.resize(gradient.len(), F::default());
        self.updates += 1;
        let moves = parameters.iter_mut().zip(gradient);
        match optimizer {
            Optimizer::Sgd { rate } => {
                let rate = F::rounded(rate);
                moves.for_each(|(w, g)| *w -= rate * *g);
            }
            Optimizer::Momentum { rate, momentum } => {
                let (rate, momentum) = (F::rounded(rate), F::rounded(momentum));
                for ((w, g), v) in moves.zip(&mut self.first) {
                    *v = momentum * *v + *g;
                    *w -= rate * *v;
                }
            }
            Optimizer::Adam { rate, beta1, beta2, epsilon } => {
                self.second.resize(gradient.len(), F::default());
                // ε̂ form of the paper's section 2: both corrections in one factor of the rate, ε scaled alike.
                let correct1 = 1.0 - libm::pow(beta1, f64::from(self.updates));
                let correct2 = libm::sqrt(1.0 - libm::pow(beta2, f64::from(self.updates)));
                let (rate, epsilon) = (F::rounded(rate * correct2 / correct1), F::rounded(epsilon * correct2));
                let (keep1, take1) = (F::rounded(beta1), F::rounded(1.0 - beta1));
                let (keep2, take2) = (F::rounded(beta2), F::rounded(1.0 - beta2));
                for (((w, g), m), v) in moves.zip(&mut self.first).zip(&mut self.second) {
                    *m = keep1 * *m + take1 * *g;
                    *v = keep2 * *v + take2 * (*g * *g);
                    *w -= rate * *m / (v.root() + epsilon);
                }
            }
        }
    }

    /// Keeps its memory, or takes it up: of no parameters before the first update, then of so many.
    pub(crate) fn keep(&mut self, tape: &mut Tape<'_>, n_parameters: usize) -> Result<(), Foreign> {
        let mut updates = self.updates as u64;
        tape.count("updates", &mut updates)?;
        self.updates = i32::try_from(updates).map_err(|_| Foreign::new(format!("{updates} updates are too many")))?;
        for moment in [&mut self.first, &mut self.second] {
            let mut length = moment.len() as u64;
            tape.count("moments", &mut length)?;
            if length != 0 && length != n_parameters as u64 {
                return Err(Foreign::new(format!("moments of {length} parameters, not of {n_parameters}")));
            }
            moment.resize(length as usize, F::default());
            F::keep(tape, moment)?;
        }
        Ok(())
    }

    /// Forgets where the parameters were heading, but not how large gradients were.
    pub(crate) fn forget_direction(&mut self) {
        self.first.fill(F::default());
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
    fn forgetting_the_direction_keeps_the_scale() {
        let (mut state, mut theta) = (OptimizerState::<f64>::default(), [1.0]);
        state.update(Optimizer::adam(0.1), &mut theta, &[0.5]);
        assert!((theta[0] - 0.9).abs() < 1e-8, "the first step of Adam has the length of the rate");
        state.forget_direction();
        let before = theta[0];
        state.update(Optimizer::adam(0.1), &mut theta, &[0.0]);
        assert_eq!(theta[0], before, "no gradient and no direction: no step");
        state.update(Optimizer::adam(0.1), &mut theta, &[0.5]);
        let (mean, square) = (0.1 * 0.5, (0.999 * 0.999 + 1.0) * 0.001 * 0.25);
        let step = 0.1 * (mean / (1.0 - 0.9_f64.powi(3))) / ((square / (1.0 - 0.999_f64.powi(3))).sqrt() + 1e-8);
        assert!((before - theta[0] - step).abs() < 1e-12);
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
