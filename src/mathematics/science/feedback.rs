//! Where errors come from, equation (7) and its rivals: which weights carry them, what a neuron is told, what it has to wait
//! for.
//!
//! Whatever the pathway, e_ℓ stands for ∂loss/∂z_ℓ, so that a term such as −e_ℓ y_{ℓ-1}ᵀ means the same under each. The ways
//! themselves are `chain/pathways`, a file each.

use super::InvalidParameter;
use super::plasticity::{Coefficient, Rule, Signal, Synapses, Term, Wanted};

/// Where errors come from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Feedback {
    /// B = Wᵀ at every step: backpropagation.
    #[default]
    Symmetric,
    /// B fixed, drawn like W from streams of its own: feedback alignment (Lillicrap et al. 2016).
    Random,
    /// B drawn as with `Random`, then learned by terms that move it, such as the feedback terms of rule (9).
    Plastic,
    /// As `Plastic`, B moved by the gradient as Wᵀ is and decaying as W does, so that they become alike where no further term
    /// moves W (Kolen & Pollack 1994; Akrout et al. 2019): [`Feedback::completes`].
    KolenPollack,
    /// B has the signs of Wᵀ at every step, all of one size: `scale` times the standard deviation √(2 / (n_{ℓ-1} + n_ℓ)) of
    /// equation (3) (Liao, Leibo & Poggio 2016).
    SignSymmetric {
        /// Positive.
        scale: f64,
    },
    /// e_ℓ = (B_{ℓ+1} e_L) ⊙ σ′(z_ℓ), B_{ℓ+1} (n_ℓ × n_L) fixed: direct feedback alignment (Nøkland 2016).
    Direct,
    /// One number for all neurons: by how much the loss grows when noise is added to all z (node perturbation).
    Broadcast {
        /// Standard deviation of the noise.
        std: f64,
    },
    /// Only the output has an error: the layers before it learn from their activations alone.
    None,
    /// As `Plastic`, and B follows Wᵀ in phases of noise (Akrout et al. 2019).
    WeightMirror(WeightMirror),
    /// Errors settle together with the activations that they correct (Whittington & Bogacz 2017).
    PredictiveCoding(PredictiveCoding),
    /// Activations settle without and with a nudge of the output towards the label (Scellier & Bengio 2017).
    EquilibriumPropagation(EquilibriumPropagation),
}

/// Phases in which layers hear noise and B learns from the responses: those after the first, and the first where a term reads
/// e_0.
///
/// ΔB_{ℓ,ℓ-1} = rate · Σ_p ξ_p (r_p − r̄)ᵀ / (n − 1) − decay · B, with n vectors ξ_p ~ N(0, 1) in the place of y_{ℓ-1} and the
/// responses r_p = σ(W ξ_p), or W ξ_p at the output. By Stein's lemma the sum estimates Wᵀ times the mean slope of each neuron.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightMirror {
    /// Training samples from one phase to the next, the first phase standing before the first sample.
    pub every: u64,
    /// n, the vectors of noise of a phase; they count as no training samples.
    pub presentations: usize,
    /// Of the responses.
    pub rate: f64,
    /// Of B.
    pub decay: f64,
}

/// v_ℓ, which begin at y_ℓ, descend the energy ½ Σ ‖ε_ℓ‖² + loss, with ε_ℓ = v_ℓ − σ(z_ℓ), z_ℓ = W v_{ℓ-1}:
/// v_ℓ ← v_ℓ − rate · (ε_ℓ + Wᵀ e_{ℓ+1}), e_ℓ = −ε_ℓ ⊙ σ′(z_ℓ).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PredictiveCoding {
    /// T, after which e_ℓ is read.
    pub steps: usize,
    /// Of each step.
    pub rate: f64,
    /// Whether predictions σ(z_ℓ) and their slopes stay those of the forward pass; settled, e_ℓ is then backpropagation's
    /// (Millidge, Tschantz & Buckley 2022).
    pub fixed_prediction: bool,
}

/// y_ℓ = σ(W y_{ℓ-1} + Wᵀ y_{ℓ+1} − β Wᵀ e_L), the last only in the layer below the output and in the nudged phases, found
/// by sweeps from the first hidden layer to the last. Each sweep is a step down the network's energy. The output only reads:
/// y_L = softmax(W y_{L-1}) (Laborieux et al. 2021).
///
/// e_ℓ = (y_ℓ⁻ − y_ℓ⁺) / (β⁺ − β⁻), from the two phases. The gradient of the loss is e_ℓ y_{ℓ-1}ᵀ + y_ℓ e_{ℓ-1}ᵀ, since every
/// weight is used both ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EquilibriumPropagation {
    /// Sweeps without a nudge.
    pub steps: usize,
    /// Sweeps of each nudged phase, which begins where the free one has ended.
    pub nudged_steps: usize,
    /// β, the strength of the nudge.
    pub beta: f64,
    /// Whether the phases are β and −β, or β and 0.
    pub symmetric: bool,
}

/// How a matrix that is called B comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnWeights {
    /// There is none.
    Absent,
    /// As large as Wᵀ.
    LikeTransposed,
    /// From the output to each layer.
    FromOutput,
}

impl Feedback {
    /// The same, if its parameters make sense.
    ///
    /// # Errors
    /// One is negative, not finite, or leaves nothing to do.
    pub fn check(self) -> Result<Self, InvalidParameter> {
        let positive = |name: &str, value: f64| match value > 0.0 && (value as f32).is_finite() {
            true => Ok(()),
            false => Err(InvalidParameter::new(format!("`{name}` must be a positive number, found {value}"))),
        };
        let some = |name: &str, value: u64| match value > 0 {
            true => Ok(()),
            false => Err(InvalidParameter::new(format!("`{name}` must be at least 1"))),
        };
        match self {
            Self::SignSymmetric { scale } => positive("scale", scale)?,
            Self::Broadcast { std } => positive("std", std)?,
            Self::WeightMirror(WeightMirror { every, presentations, rate, decay }) => {
                some("every", every)?;
                if presentations < 2 {
                    return Err(InvalidParameter::new("`presentations` must be at least 2, or no response has a mean"));
                }
                positive("rate", rate)?;
                if !(0.0..=1.0).contains(&decay) {
                    return Err(InvalidParameter::new(format!("`decay` lies between 0 and 1, found {decay}")));
                }
            }
            Self::PredictiveCoding(PredictiveCoding { steps, rate, .. }) => {
                some("steps", steps as u64)?;
                positive("rate", rate)?;
            }
            Self::EquilibriumPropagation(EquilibriumPropagation { steps, nudged_steps, beta, .. }) => {
                some("steps", steps as u64)?;
                some("nudged_steps", nudged_steps as u64)?;
                positive("beta", beta)?;
            }
            Self::Symmetric | Self::Random | Self::Plastic | Self::KolenPollack | Self::Direct | Self::None => {}
        }
        Ok(self)
    }

    /// The name in tables and pipelines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Symmetric => "symmetric",
            Self::Random => "random",
            Self::Plastic => "plastic",
            Self::KolenPollack => "kolen_pollack",
            Self::SignSymmetric { .. } => "sign_symmetric",
            Self::Direct => "direct",
            Self::Broadcast { .. } => "broadcast",
            Self::None => "none",
            Self::WeightMirror(_) => "weight_mirror",
            Self::PredictiveCoding(_) => "predictive_coding",
            Self::EquilibriumPropagation(_) => "equilibrium_propagation",
        }
    }

    /// How many times longer a training sample and an evaluated image take than under `Symmetric`, roughly.
    pub fn effort(self) -> [f64; 2] {
        match self {
            Self::Broadcast { .. } => [2.0, 1.0],
            Self::WeightMirror(WeightMirror { every, presentations, .. }) => {
                [1.0 + presentations as f64 / every as f64, 1.0]
            }
            Self::PredictiveCoding(PredictiveCoding { steps, .. }) => [1.0 + steps as f64 / 2.0, 1.0],
            Self::EquilibriumPropagation(EquilibriumPropagation { steps, nudged_steps, .. }) => {
                [1.0 + (steps + 2 * nudged_steps) as f64 / 2.0, 1.0 + steps as f64]
            }
            _ => [1.0, 1.0],
        }
    }

    /// What a brain would need for it.
    pub fn needs(self) -> &'static str {
        match self {
            Self::Symmetric => "Weight transport: errors travel back through the transposed forward weights.",
            Self::Random => "No weight transport for errors: feedback weights are random and stay fixed.",
            Self::Plastic => "No weight transport for errors: feedback weights are learned beside the forward ones.",
            Self::KolenPollack => {
                "No weight transport for errors: feedback weights are moved by the same signals as the forward ones, and both \
                 decay."
            }
            Self::SignSymmetric { .. } => {
                "Half of weight transport: feedback weights know the signs of the forward weights, not their sizes."
            }
            Self::Direct => {
                "No weight transport for errors: every layer hears the error of the output, through random weights that \
                 stay fixed."
            }
            Self::Broadcast { .. } => {
                "No weight transport: one number goes to all neurons, each of which remembers its own noise; the image is \
                 shown once with noise and once without."
            }
            Self::None => "No errors but at the output: the layers before it learn from their activations alone.",
            Self::WeightMirror(_) => {
                "No weight transport: feedback weights learn from responses to noise, in phases without images."
            }
            Self::PredictiveCoding(_) => {
                "Weight transport between neurons of value and of error, and time for both to settle on every image."
            }
            Self::EquilibriumPropagation(_) => {
                "Weight transport: every connection is used both ways; and time to settle, without and with the label."
            }
        }
    }

    pub(crate) fn own_weights(self) -> OwnWeights {
        match self {
            Self::Random | Self::Plastic | Self::KolenPollack | Self::SignSymmetric { .. } | Self::WeightMirror(_) => {
                OwnWeights::LikeTransposed
            }
            Self::Direct => OwnWeights::FromOutput,
            Self::Symmetric
            | Self::Broadcast { .. }
            | Self::None
            | Self::PredictiveCoding(_)
            | Self::EquilibriumPropagation(_) => OwnWeights::Absent,
        }
    }

    /// Whether terms can move B.
    pub fn is_plastic(self) -> bool {
        matches!(self, Self::Plastic | Self::KolenPollack | Self::WeightMirror(_))
    }

    /// Whether errors pass from layer to layer, so that a layer learns as they pass it. All others are known before any layer
    /// learns.
    pub(crate) fn is_layerwise(self) -> bool {
        matches!(
            self,
            Self::Symmetric
                | Self::Random
                | Self::Plastic
                | Self::KolenPollack
                | Self::SignSymmetric { .. }
                | Self::WeightMirror(_)
        )
    }

    /// Whether e_0 is made where the first layer learns, back through its B or Wᵀ.
    pub(crate) fn makes_image_error(self) -> bool {
        self.is_layerwise() || matches!(self, Self::PredictiveCoding(_))
    }

    /// Whether activations have to settle, and those after it can be read.
    pub fn settles(self) -> bool {
        matches!(self, Self::PredictiveCoding(_) | Self::EquilibriumPropagation(_))
    }

    /// Terms that a rule gets from this pathway, each with the term whose coefficient it shares.
    pub(crate) fn followers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::KolenPollack => &[("feedback_hebb", "gradient"), ("feedback_decay", "decay")],
            _ => &[],
        }
    }

    /// The terms that a rule gets from this pathway, with their coefficients: Kolen and Pollack's B moves as Wᵀ does, and where
    /// every weight is used both ways, the gradient has a part for either.
    ///
    /// # Errors
    /// The rule lacks what they follow, or has them already.
    pub fn completes(
        self,
        terms: &[(Term, Coefficient)],
        n_layers: usize,
    ) -> Result<Vec<(Term, Coefficient)>, InvalidParameter> {
        let name = self.name();
        let of = |term: &str| terms.iter().find(|(known, _)| known.name == term).map(|(_, coefficient)| coefficient);
        let not_given = |term: &str| match of(term) {
            None => Ok(()),
            Some(_) => Err(InvalidParameter::new(format!("`{term}` follows from `{name}`: leave it out"))),
        };
        match self {
            Self::KolenPollack => {
                let follow = self.followers().iter().map(|&(follower, leader)| {
                    not_given(follower)?;
                    let leads = of(leader).filter(|coefficient| coefficient.values().iter().any(|&c| c != 0.0));
                    let coefficient = leads.ok_or_else(|| {
                        InvalidParameter::new(format!(
                            "under `{name}` both sides learn by `gradient` and forget by `decay`: the rule has no `{leader}`"
                        ))
                    })?;
                    Ok((Term::named(follower)?.clone(), coefficient.clone()))
                });
                follow.collect()
            }
            Self::EquilibriumPropagation(_) => {
                let term = Term::gradient_back();
                not_given(&term.name)?;
                let Some(gradient) = of("gradient") else { return Ok(Vec::new()) };
                // The output only reads: its weights are used one way.
                let layers = (1..=n_layers).map(|layer| if layer < n_layers { gradient.at(layer) } else { 0.0 });
                Ok(vec![(term, Coefficient::PerLayer(layers.collect()))])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Why a term cannot learn from this pathway; none if it can.
    pub fn refuses(self, term: &Term) -> Option<String> {
        let name = self.name();
        if term.synapses == Synapses::Feedback && !self.is_plastic() {
            let why = match self.own_weights() {
                OwnWeights::Absent => "where there are no feedback weights to move",
                _ => "which keeps feedback weights fixed or derives them from the forward weights",
            };
            return Some(format!("moves feedback weights, and the network's feedback is `{name}`, {why}"));
        }
        let reads = |signal: Signal| term.signals().contains(&signal);
        let wants = term.wants();
        if reads(Signal::PreError) && matches!(self, Self::None | Self::Broadcast { .. }) {
            let why = match self {
                Self::None => "gives an error to the output alone",
                _ => "gives no error to the image, which has no noise",
            };
            return Some(format!("reads e_{{ℓ-1}}, and `{name}` {why}"));
        }
        if wants.contains(&Wanted::Feedback) && matches!(self, Self::Direct | Self::None | Self::Broadcast { .. }) {
            let why = match self {
                Self::Direct => "has weights from the output to each layer in its place",
                _ => "has no feedback weights",
            };
            return Some(format!("reads B_{{ℓ,ℓ-1}}, and `{name}` {why}"));
        }
        if wants.contains(&Wanted::Settled) && !self.settles() {
            return Some(format!("reads settled activations, and under `{name}` nothing settles"));
        }
        if wants.contains(&Wanted::LossChange) && !matches!(self, Self::Broadcast { .. }) {
            return Some(format!("reads the change of the loss, which only `broadcast` makes, and not `{name}`"));
        }
        None
    }

    /// # Errors
    /// A term of the rule cannot learn from this pathway.
    pub fn check_rule(self, rule: &Rule) -> Result<(), InvalidParameter> {
        let refused = rule.terms().iter().find_map(|(term, _)| Some((term, self.refuses(term)?)));
        refused.map_or(Ok(()), |(term, why)| Err(InvalidParameter::new(format!("term `{}` {why}", term.name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(feedback: Feedback, term: &str) -> Option<String> {
        let rule = Rule::new(&[(term, Coefficient::Uniform(0.1))]).unwrap();
        feedback.check_rule(&rule).err().map(|error| error.to_string())
    }

    #[test]
    fn what_a_pathway_does_not_give_is_refused_with_the_reason() {
        let broadcast = Feedback::Broadcast { std: 1e-3 };
        assert!(why(Feedback::Direct, "feedback_hebb").unwrap().contains("is `direct`, which keeps feedback weights"));
        assert!(why(broadcast, "feedback_decay").unwrap().contains("no feedback weights to move"));
        assert!(why(broadcast, "error_hebb").unwrap().contains("no error to the image"));
        assert!(why(Feedback::None, "error_hebb").unwrap().contains("to the output alone"));
        for feedback in [Feedback::Direct, broadcast, Feedback::None] {
            assert_eq!((why(feedback, "gradient"), why(feedback, "oja")), (None, None));
        }
        assert_eq!(why(Feedback::Direct, "error_hebb"), None);
    }

    #[test]
    fn parameters_without_a_meaning_are_refused() {
        let mirror = WeightMirror { every: 10, presentations: 10, rate: 0.1, decay: 0.1 };
        let settling = EquilibriumPropagation { steps: 5, nudged_steps: 5, beta: 0.1, symmetric: true };
        for wrong in [
            Feedback::SignSymmetric { scale: 0.0 },
            Feedback::Broadcast { std: f64::NAN },
            Feedback::Broadcast { std: 1e300 },
            Feedback::WeightMirror(WeightMirror { every: 0, ..mirror }),
            Feedback::WeightMirror(WeightMirror { presentations: 1, ..mirror }),
            Feedback::WeightMirror(WeightMirror { decay: 1.5, ..mirror }),
            Feedback::PredictiveCoding(PredictiveCoding { steps: 0, rate: 0.1, fixed_prediction: false }),
            Feedback::EquilibriumPropagation(EquilibriumPropagation { beta: -1.0, ..settling }),
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
        assert!(Feedback::WeightMirror(mirror).check().is_ok());
    }
}
