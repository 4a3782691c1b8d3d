//! What the neurons of written terms remember, to be looked at.

use super::{Evaluated, OnlineTrainer};
use crate::kernels::program::{Extent, Side};
use crate::science::learner::{Owner, Remembered};

impl OnlineTrainer {
    /// What neurons remember now, by layer and in the order of the rule. A term whose coefficient is 0 in a layer does nothing
    /// there, and remembers nothing.
    pub fn state(&self) -> Vec<Remembered<'_>> {
        let layers = (1..).zip(&self.online.synapses.evaluated);
        layers.flat_map(|(layer, terms)| terms.iter().flat_map(move |term| self.state_of(term, layer))).collect()
    }

    fn state_of<'a>(&'a self, evaluated: &'a Evaluated, layer: usize) -> impl Iterator<Item = Remembered<'a>> {
        let of_rule = self.rule.evaluated().find(|(term, ..)| term.name == evaluated.name);
        let (term, equation, _) = of_rule.expect("a term of the rule");
        let owners = equation.program().state.iter().map(|(_, extent)| match extent {
            Extent::Vector(Side::Pre) => Owner::Pre,
            Extent::Vector(Side::Post) => Owner::Post,
            Extent::Number => Owner::Layer,
        });
        equation.written().state.iter().zip(owners).enumerate().map(move |(number, (state, owner))| Remembered {
            term: &term.name,
            name: &state.name,
            layer,
            owner,
            values: evaluated.evaluator.state(number),
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::super::tests::{SOFTPLUS, network};
    use super::*;
    use crate::science::feedback::Feedback;
    use crate::science::plasticity::{Coefficient, Rule, Synapses, Term, Written, WrittenState};
    use crate::science::reference::{Reference, input, noise};

    /// Values of either side and of the layer, after each sample, by their formulas in double precision; a layer in which
    /// the coefficient is 0 has none.
    #[test]
    fn neurons_remember_what_their_updates_say() {
        let sizes = [37, 33, 16, 10];
        let state =
            |name: &str, start: f64, update: &str| WrittenState { name: name.into(), start, update: update.into() };
        let term = Term::of_equation(&Written {
            name: "all_sides".into(),
            synapses: Synapses::Forward,
            equation: "level * (y_post - theta) * trace'".into(),
            parameters: Vec::new(),
            state: vec![
                state("theta", 0.1, "0.9 * theta + 0.1 * y_post.^2"),
                state("trace", 0.0, "0.5 * trace + y_pre"),
                state("level", 1.0, "0.9 * level + 0.1 * mean(y_post)"),
            ],
        })
        .unwrap();
        let gradient = (Term::named("gradient").unwrap().clone(), Coefficient::Uniform(0.02));
        let rule = Rule::with_terms(vec![gradient, (term, Coefficient::PerLayer(vec![0.01, 0.0, 0.03]))]).unwrap();
        let mut trainer = OnlineTrainer::new(network(&sizes, SOFTPLUS, Feedback::Symmetric), rule).unwrap();
        let samples = noise(8, 37, 10, 5);
        let mut theta: Vec<Array1<f64>> = sizes[1..].iter().map(|&n| Array1::from_elem(n, 0.1)).collect();
        let mut trace: Vec<Array1<f64>> = sizes[..3].iter().map(|&n| Array1::zeros(n)).collect();
        let mut level = [1.0; 3];
        for step in 0..=samples.len() {
            let found = trainer.state();
            let places: Vec<_> = found.iter().map(|value| (value.term, value.name, value.layer, value.owner)).collect();
            let expected = [("theta", Owner::Post), ("trace", Owner::Pre), ("level", Owner::Layer)];
            let in_layer = |layer: usize| expected.map(|(name, owner)| ("all_sides", name, layer, owner));
            assert_eq!(places, [in_layer(1), in_layer(3)].concat());
            for value in found {
                let l = value.layer - 1;
                let expected = match value.owner {
                    Owner::Post => theta[l].to_vec(),
                    Owner::Pre => trace[l].to_vec(),
                    Owner::Layer => vec![level[l]],
                };
                assert_eq!(value.values.len(), expected.len(), "{value:?}");
                let is_close = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() < 1e-5 * b.abs().max(1.0);
                assert!(value.values.iter().zip(&expected).all(is_close), "after {step}: {value:?}, not {expected:?}");
            }
            if step < samples.len() {
                // From the weights of single precision, so that only what is remembered is judged.
                let (_, y) = Reference::of(&trainer.network()).forward(&input(&samples, step));
                for l in 0..3 {
                    theta[l] = &theta[l] * 0.9 + &y[l + 1] * &y[l + 1] * 0.1;
                    trace[l] = &trace[l] * 0.5 + &y[l];
                    level[l] = level[l] * 0.9 + 0.1 * y[l + 1].mean().unwrap();
                }
                trainer.advance(&samples, &[step as u32]).unwrap();
            }
        }
    }
}
