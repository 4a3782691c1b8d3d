//! A network that learns, whichever way: what training asks of it.

use std::borrow::Cow;

use super::model::Model;
use super::samples::Samples;
use super::tape::{Foreign, Tape};

/// A number became infinite or undefined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("diverged: layer {layer} was no longer finite at training sample {step}")]
pub struct Divergence {
    /// Training samples seen when it was first noticed, counting that one.
    pub step: u64,
    /// The layer where: its activations, errors or weights.
    pub layer: u32,
}

/// How large the last update of one layer was: Frobenius norms of what was applied, coefficients included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdateNorms {
    /// The `gradient` term's part; 0 without it.
    pub gradient: f64,
    /// The `oja` term's part; 0 without it.
    pub oja: f64,
    /// The whole update, W_after − W_before.
    pub total: f64,
    /// The part of every term of the rule, by its name and in the order of the rule, of W or of B, whichever it moves. Empty
    /// where a network learns by no other terms than these two.
    pub terms: Vec<(Cow<'static, str>, f64)>,
}

impl Divergence {
    /// Keeps it, or takes it up.
    pub(crate) fn keep(tape: &mut Tape<'_>, divergence: &mut Option<Self>) -> Result<(), Foreign> {
        tape.option("diverged", divergence, |tape, Self { step, layer }| {
            tape.count("step", step)?;
            tape.small_count("layer", layer)
        })
    }
}

impl UpdateNorms {
    /// Keeps them, or takes them up.
    ///
    /// # Errors
    /// Something else was kept.
    pub fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        let mut norms = [self.gradient, self.oja, self.total];
        tape.numbers("norms", &mut norms)?;
        [self.gradient, self.oja, self.total] = norms;
        tape.list("terms", &mut self.terms, usize::MAX, |tape, (term, norm)| {
            let mut name = std::mem::take(term).into_owned();
            tape.text("term", &mut name)?;
            *term = Cow::Owned(name);
            tape.number("norm", norm)
        })
    }
}

/// A value that a term's neurons remember from one sample to the next, in one layer of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remembered<'a> {
    /// The term.
    pub term: &'a str,
    /// What its equations call the value.
    pub name: &'a str,
    /// ℓ of W_{ℓ-1,ℓ}.
    pub layer: usize,
    /// Who remembers it.
    pub owner: Owner,
    /// One for each neuron of that side, or the one number.
    pub values: &'a [f32],
}

/// Who remembers a value of a term's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Each neuron of layer ℓ − 1.
    Pre,
    /// Each neuron of layer ℓ.
    Post,
    /// The layer, one number.
    Layer,
}

/// A model and the way in which it learns.
///
/// How a sequence of samples is cut into calls changes no number, nor does looking at the model between them.
pub trait Learner {
    /// What learns.
    type Model: Model + Clone;

    /// Learns from the samples of `order`, one after the other.
    ///
    /// # Errors
    /// If a number is no longer finite; the learner then stays where it was and returns the same again.
    ///
    /// # Panics
    /// If the samples do not fit the model.
    fn advance(&mut self, samples: &Samples, order: &[u32]) -> Result<(), Divergence>;

    /// As [`Learner::advance`], and the norms of the last step's update, one entry per layer 1 … L. Empty if `order` is, or
    /// if a step of this learner is not one sample's.
    ///
    /// # Errors
    /// As [`Learner::advance`].
    fn advance_recording(&mut self, samples: &Samples, order: &[u32]) -> Result<Vec<UpdateNorms>, Divergence>;

    /// Training samples seen.
    fn steps(&self) -> u64;

    /// What the neurons of its terms remember now: with the model, all that its further course depends on. Nothing where
    /// neurons do not remember.
    fn state(&self) -> Vec<Remembered<'_>> {
        Vec::new()
    }

    /// The model as it is now; a copy if the learner has steps that wait.
    fn model(&self) -> Cow<'_, Self::Model>;

    /// Keeps all that its further course depends on and that is not what it was made of: weights, steps that wait, what
    /// optimisers, normalisation and neurons remember, where random streams are. Or takes it up, into a learner that was made
    /// of the same: that one goes on as this one would have, to the last bit. Writing changes nothing.
    ///
    /// # Errors
    /// It was kept of a learner of another kind or shape. This one is then of no use any more.
    fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign>;
}
