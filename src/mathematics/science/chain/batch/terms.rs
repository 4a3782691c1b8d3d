//! Plasticity terms in mini-batches: the mean over a batch of what each of its samples would add to the weights before it.

use crate::kernels::program::{Beyond, Evaluator, SynapseSignals};
use crate::kernels::{self, Backend, InputMajor, Lanes, PreFactor, SynapticRule, as_flat, as_flat_mut, lanes_for};
use crate::science::plasticity::Rule;
use crate::science::tape::{Foreign, Tape};

/// The terms of a rule, by layer.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// What is a sum of products, as the kernels take it.
    synaptic: Vec<SynapticRule>,
    /// What has to be evaluated, with its coefficient.
    evaluated: Vec<Vec<(f64, Evaluator)>>,
    /// Whether e_0 is read.
    reads_input_error: bool,
}

/// What the synapses of a layer see of a batch, a padded row a sample.
#[derive(Clone, Copy)]
pub(super) struct BatchSignals<'a> {
    pub pre_activation: &'a [Lanes],
    pub activation: &'a [Lanes],
    pub pre_error: &'a [Lanes],
    pub error: &'a [Lanes],
}

impl Terms {
    pub(super) fn new(rule: &Rule, sizes: &[usize]) -> Self {
        use crate::science::plasticity::Signal::PreError;
        let of_layer = |layer: usize| {
            let terms = rule.evaluated().filter(|(.., coefficient)| coefficient.at(layer) != 0.0);
            terms
                .map(|(_, equation, coefficient)| {
                    (coefficient.at(layer), equation.evaluator(sizes[layer - 1], sizes[layer]))
                })
                .collect()
        };
        Self {
            synaptic: (1..sizes.len()).map(|layer| rule.of_layer(layer)).collect(),
            evaluated: (1..sizes.len()).map(of_layer).collect(),
            reads_input_error: rule.terms().iter().any(|(term, _)| term.signals().contains(&PreError)),
        }
    }

    /// Keeps what neurons remember, or takes it up.
    pub(super) fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        for (_, evaluator) in self.evaluated.iter_mut().flatten() {
            evaluator.states_mut().iter_mut().try_for_each(|state| tape.lanes("state", state))?;
        }
        Ok(())
    }

    /// Whether e_0 has to be there.
    pub(super) fn read_input_error(&self) -> bool {
        self.reads_input_error
    }

    /// What a batch adds to a layer's weights, from these as they were before it. Samples count in their order.
    pub(super) fn change(
        &mut self,
        backend: Backend,
        layer: usize,
        weights: &InputMajor,
        signals: BatchSignals<'_>,
    ) -> InputMajor {
        let m = signals.pre_activation.len() / lanes_for(weights.n_in());
        let rule = &self.synaptic[layer - 1];
        let mut change = InputMajor::zeros(weights.n_in(), weights.n_out());
        let mut projection = Vec::new();
        if rule.reads_projection() {
            projection.resize(signals.pre_activation.len(), Lanes::ZERO);
            kernels::project_batch(backend, weights, signals.activation, &mut projection);
        }
        for (factor, post) in [(rule.forward.by_error, signals.error), (rule.forward.by_activation, signals.activation)]
        {
            if !factor.is_zero() {
                let pre = weighted(factor, signals, &projection);
                let mut sum = InputMajor::zeros(weights.n_in(), weights.n_out());
                kernels::outer_sum(backend, &pre, post, &mut sum);
                add(&mut change, 1.0 / m as f32, &sum);
            }
        }
        if rule.forward.decay != 0.0 {
            add(&mut change, -rule.forward.decay, weights);
        }
        for (coefficient, evaluator) in &mut self.evaluated[layer - 1] {
            for sample in 0..m {
                let [pre, post] = [weights.n_in(), weights.n_out()].map(lanes_for);
                let seen = SynapseSignals {
                    weights,
                    feedback: weights,
                    pre_activation: &signals.pre_activation[sample * pre..][..pre],
                    activation: &signals.activation[sample * post..][..post],
                    pre_error: &signals.pre_error[sample * pre..][..pre],
                    error: &signals.error[sample * post..][..post],
                    beyond: Beyond::default(),
                };
                evaluator.prepare(backend, seen);
                evaluator.add(backend, (*coefficient / m as f64) as f32, [Some(weights); 2], &mut change);
            }
        }
        change
    }
}

/// What the presynaptic side of each sample contributes.
fn weighted(factor: PreFactor, signals: BatchSignals<'_>, projection: &[Lanes]) -> Vec<Lanes> {
    let row = |k: usize| {
        let projected = projection.get(k).map_or(&Lanes::ZERO, |d| d);
        Lanes(factor.of(&signals.pre_activation[k].0, &signals.pre_error[k].0, &projected.0))
    };
    (0..signals.pre_activation.len()).map(row).collect()
}

fn add(sum: &mut InputMajor, factor: f32, matrix: &InputMajor) {
    let pairs = as_flat_mut(sum.lanes_mut()).iter_mut().zip(as_flat(matrix.lanes()));
    pairs.for_each(|(sum, x)| *sum += factor * x);
}

#[cfg(test)]
mod tests;
