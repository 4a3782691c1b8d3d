//! A feed-forward network: y_ℓ = σ(W_{ℓ-1,ℓ} y_{ℓ-1}), equation (1), and an output that is read as its loss wants it.

use ndarray::{Array2, ArrayView2};

use crate::kernels::{self, Backend, InputMajor, Lanes, as_flat, as_flat_mut, each_lane};
use crate::science::InvalidParameter;
use crate::science::activation::Activation;
use crate::science::feedback::{Feedback, OwnWeights};
use crate::science::initialization::Initialization;
use crate::science::loss::Loss;
use crate::science::normalization::standardize_units;
use crate::science::seed::{Purpose, stream};
use crate::science::tape::{Foreign, Tape};

/// Layer sizes n_0 … n_L, σ and the output, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    sizes: Vec<usize>,
    activation: Activation,
    loss: Loss,
}

impl Architecture {
    /// `sizes`: n_0 (the input) … n_L (the output).
    ///
    /// # Errors
    /// If there are fewer than two sizes, one is 0, or the activation's parameter makes no sense.
    pub fn new(sizes: Vec<usize>, activation: Activation) -> Result<Self, InvalidParameter> {
        if sizes.len() < 2 || sizes.contains(&0) {
            return Err(InvalidParameter::new(format!(
                "layer sizes: at least an input and an output are needed, none of them 0; found {sizes:?}"
            )));
        }
        Ok(Self { sizes, activation: activation.check()?, loss: Loss::CrossEntropy })
    }

    /// The same with another output; without this it is softmax and cross-entropy.
    pub fn with_loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// n_0 … n_L.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// L, the number of weight matrices.
    pub fn n_layers(&self) -> usize {
        self.sizes.len() - 1
    }

    /// Weights of all W.
    pub fn n_synapses(&self) -> usize {
        self.sizes.windows(2).map(|pair| pair[0] * pair[1]).sum()
    }

    /// σ of the hidden layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// How the output is read and judged.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// y_ℓ in place of z_ℓ: rows of hidden layers, one row at the output.
    pub(crate) fn answer(&self, backend: Backend, layer: usize, z: &mut [Lanes]) {
        if layer < self.n_layers() {
            kernels::activate(backend, self.activation, self.sizes[layer], z);
        } else {
            self.loss.answer(backend, self.sizes[layer], z);
        }
    }

    /// Rows and columns of B at ℓ − 1, of the layers ℓ = 1 … L; none where the pathway has no such weights.
    pub(crate) fn feedback_shapes(&self, feedback: Feedback) -> Vec<(usize, usize)> {
        let n_outputs = self.sizes[self.n_layers()];
        let pairs = self.sizes.windows(2);
        match feedback.own_weights() {
            OwnWeights::Absent => Vec::new(),
            OwnWeights::LikeTransposed => pairs.map(|pair| (pair[0], pair[1])).collect(),
            OwnWeights::FromOutput => pairs.map(|pair| (pair[0], n_outputs)).collect(),
        }
    }
}

/// The weights of a network. How they lie in memory is the kernels' affair.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    architecture: Architecture,
    feedback: Feedback,
    /// W_{ℓ-1,ℓ} at ℓ − 1.
    pub(crate) forward: Vec<InputMajor>,
    /// B_{ℓ,ℓ-1} at ℓ − 1, or B_ℓ from the output where feedback is direct; empty where there is no such matrix.
    pub(crate) backward: Vec<InputMajor>,
    /// What normalisation has become by evaluation time, for the hidden layers ℓ = 1 … L − 1; else empty.
    pub(crate) normalization: Vec<ScaleAndShift>,
    pub(crate) backend: Backend,
}

/// y_ℓ = σ(scale ⊙ z_ℓ + shift): a trained batch normalisation with its running statistics; or y_ℓ = σ(scale ⊙ ẑ_ℓ + shift),
/// ẑ_ℓ standardised over the units of the layer: layer normalisation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScaleAndShift {
    pub scale: Vec<Lanes>,
    pub shift: Vec<Lanes>,
    n_units: usize,
    /// Whether z is standardised over the units first.
    pub over_units: bool,
}

impl ScaleAndShift {
    /// Of as many units as both have numbers.
    pub(crate) fn new(scale: &[f32], shift: &[f32], over_units: bool) -> Self {
        assert_eq!(scale.len(), shift.len());
        let padded = |values: &[f32]| {
            let mut lanes = kernels::zeros(values.len());
            as_flat_mut(&mut lanes)[..values.len()].copy_from_slice(values);
            lanes
        };
        Self { scale: padded(scale), shift: padded(shift), n_units: scale.len(), over_units }
    }

    /// Applies it to rows of padded z.
    pub(crate) fn apply(&self, z: &mut [Lanes]) {
        for row in z.chunks_exact_mut(self.scale.len()) {
            let row = as_flat_mut(row);
            if self.over_units {
                standardize_units(&mut row[..self.n_units]);
            }
            let units = row.iter_mut().zip(as_flat(&self.scale)).zip(as_flat(&self.shift));
            units.for_each(|((z, scale), shift)| *z = *z * scale + shift);
        }
    }
}

impl Network {
    /// Weights drawn from the streams of `seed`: forward and feedback weights of each layer from streams of their own.
    pub fn initialize(
        architecture: &Architecture,
        initialization: &Initialization,
        feedback: Feedback,
        seed: u64,
    ) -> Network {
        let zeros = |(n_in, n_out): (usize, usize)| InputMajor::zeros(n_in, n_out);
        let forward = architecture.sizes.windows(2).map(|pair| zeros((pair[0], pair[1])));
        let mut network = Network {
            architecture: architecture.clone(),
            feedback,
            forward: forward.collect(),
            backward: architecture.feedback_shapes(feedback).into_iter().map(zeros).collect(),
            normalization: Vec::new(),
            backend: kernels::backend(),
        };
        network.draw(initialization, seed);
        network
    }

    /// Draws all weights anew, as [`Network::initialize`] does.
    pub(crate) fn draw(&mut self, initialization: &Initialization, seed: u64) {
        for (w, layer) in self.forward.iter_mut().zip(1..) {
            let (n_in, n_out) = (w.n_in(), w.n_out());
            let mut stream = stream(seed, Purpose::ForwardWeights, layer);
            w.fill_by_output(initialization.rows((n_in, n_out), n_in, &mut stream));
        }
        for (b, layer) in self.backward.iter_mut().zip(1..) {
            let (n_in, n_out) = (b.n_in(), b.n_out());
            let mut stream = stream(seed, Purpose::FeedbackWeights, layer);
            // B is n_in × n_out, its rows are the kernels' rows; its scale is that of the W which it answers.
            b.fill_by_input(initialization.rows((n_in, n_out), n_out, &mut stream));
        }
        self.follow_signs();
    }

    /// Where feedback is sign-symmetric, gives B of every layer the signs of Wᵀ.
    pub(crate) fn follow_signs(&mut self) {
        if let Feedback::SignSymmetric { scale } = self.feedback {
            for (w, b) in self.forward.iter().zip(&mut self.backward) {
                follow_signs(w, scale, b);
            }
        }
    }

    /// Given weights: W_{ℓ-1,ℓ} (n_ℓ × n_{ℓ-1}) and, if feedback has its own, B_{ℓ,ℓ-1} (n_{ℓ-1} × n_ℓ), for
    /// ℓ = 1 … L. With B the feedback counts as [`Feedback::Plastic`]; under a rule without feedback terms it stays fixed.
    ///
    /// # Errors
    /// If a number or a shape of the matrices does not fit the architecture.
    pub fn from_weights(
        architecture: &Architecture,
        forward: &[ArrayView2<f32>],
        feedback: Option<&[ArrayView2<f32>]>,
    ) -> Result<Network, InvalidParameter> {
        let kind = if feedback.is_some() { Feedback::Plastic } else { Feedback::Symmetric };
        Self::of_feedback(architecture, kind, forward, feedback.unwrap_or_default())
    }

    /// As [`Network::from_weights`], by the pathway of its errors: B has the shapes that this one has.
    ///
    /// # Errors
    /// As there.
    pub fn of_feedback(
        architecture: &Architecture,
        kind: Feedback,
        forward: &[ArrayView2<f32>],
        feedback: &[ArrayView2<f32>],
    ) -> Result<Network, InvalidParameter> {
        let shapes: Vec<(usize, usize)> = architecture.sizes.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let feedback_shapes = architecture.feedback_shapes(kind);
        let forward_shapes = shapes.iter().map(|&(n_in, n_out)| (n_out, n_in)).collect::<Vec<_>>();
        check_shapes("forward", forward, &forward_shapes)?;
        check_shapes("feedback", feedback, &feedback_shapes)?;
        let forward = forward.iter().zip(&shapes);
        let backward = feedback.iter().zip(&feedback_shapes);
        Ok(Network {
            architecture: architecture.clone(),
            feedback: kind,
            forward: forward.map(|(w, &(n_in, n_out))| InputMajor::from_fn(n_in, n_out, |i, j| w[[j, i]])).collect(),
            backward: backward.map(|(b, &(n_in, n_out))| InputMajor::from_fn(n_in, n_out, |i, j| b[[i, j]])).collect(),
            normalization: Vec::new(),
            backend: kernels::backend(),
        })
    }

    /// Keeps all of its weights, or takes them up.
    pub(crate) fn keep(&mut self, tape: &mut Tape<'_>) -> Result<(), Foreign> {
        self.forward.iter_mut().try_for_each(|w| tape.lanes("W", w.lanes_mut()))?;
        self.backward.iter_mut().try_for_each(|b| tape.lanes("B", b.lanes_mut()))?;
        for ScaleAndShift { scale, shift, .. } in &mut self.normalization {
            tape.lanes("scale", scale)?;
            tape.lanes("shift", shift)?;
        }
        Ok(())
    }

    /// The same network, computed with the instructions of `backend`; the numbers do not change.
    ///
    /// # Errors
    /// If this processor lacks them.
    pub fn on(mut self, backend: Backend) -> Result<Network, InvalidParameter> {
        if !backend.is_available() {
            return Err(InvalidParameter::new(format!("this processor has no {backend}")));
        }
        self.backend = backend;
        Ok(self)
    }

    /// L, the number of weight matrices.
    pub fn n_layers(&self) -> usize {
        self.architecture.n_layers()
    }

    /// Sizes and σ.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Whether hidden layers are normalised, which a [`super::batch::BatchTrainer`] can make them.
    pub fn is_normalized(&self) -> bool {
        !self.normalization.is_empty()
    }

    /// Scale and shift (n_ℓ each) of y_ℓ = σ(scale ⊙ z_ℓ + shift), where hidden layer `layer` is normalised: with these
    /// beside its weights, a normalised network is known whole. With layer normalisation ẑ_ℓ stands in the place of z_ℓ.
    pub fn scale_and_shift(&self, layer: usize) -> Option<(Vec<f32>, Vec<f32>)> {
        let normalization = self.normalization.get(layer.checked_sub(1)?)?;
        let units = |padded: &[Lanes]| as_flat(padded)[..self.architecture.sizes[layer]].to_vec();
        Some((units(&normalization.scale), units(&normalization.shift)))
    }

    /// The same network with its hidden layers ℓ = 1 … L − 1 normalised, each by (scale, shift), n_ℓ each; on z_ℓ
    /// standardised `over_units` of the layer, which is layer normalisation, or else on z_ℓ as it is.
    ///
    /// # Errors
    /// If there is not one pair for each hidden layer, or a length is not that of its layer.
    pub fn with_scales_and_shifts(
        mut self,
        pairs: &[(Vec<f32>, Vec<f32>)],
        over_units: bool,
    ) -> Result<Network, InvalidParameter> {
        let hidden = &self.architecture.sizes[1..self.n_layers()];
        let fits = |((scale, shift), &n): (&(Vec<f32>, Vec<f32>), &usize)| scale.len() == n && shift.len() == n;
        if pairs.len() != hidden.len() || !pairs.iter().zip(hidden).all(fits) {
            let found: Vec<_> = pairs.iter().map(|(scale, shift)| (scale.len(), shift.len())).collect();
            return Err(InvalidParameter::new(format!(
                "normalisation: one scale and one shift for each unit of the hidden layers {hidden:?} are needed, found \
                 {found:?}"
            )));
        }
        self.normalization = pairs.iter().map(|(scale, shift)| ScaleAndShift::new(scale, shift, over_units)).collect();
        Ok(self)
    }

    /// What errors travel back through from `layer`: B, or W, which lies as Wᵀ does, where there is none.
    pub(crate) fn way_back(&self, layer: usize) -> &InputMajor {
        self.backward.get(layer - 1).unwrap_or(&self.forward[layer - 1])
    }

    /// The same weights, errors travelling back through Wᵀ.
    pub(crate) fn with_symmetric_feedback(&self) -> Network {
        Network { feedback: Feedback::Symmetric, backward: Vec::new(), ..self.clone() }
    }

    /// Where errors travel back.
    pub fn feedback(&self) -> Feedback {
        self.feedback
    }

    /// W_{ℓ-1,ℓ} (n_ℓ × n_{ℓ-1}).
    ///
    /// # Panics
    /// If `layer` is not one of 1 … L.
    pub fn forward_weights(&self, layer: usize) -> Array2<f32> {
        let w = &self.forward[self.matrix_index(layer)];
        Array2::from_shape_fn((w.n_out(), w.n_in()), |(j, i)| w.outgoing(i)[j])
    }

    /// B_{ℓ,ℓ-1} (n_{ℓ-1} × n_ℓ; n_{ℓ-1} × n_L where feedback is direct), where feedback has weights of its own.
    ///
    /// # Panics
    /// If `layer` is not one of 1 … L.
    pub fn feedback_weights(&self, layer: usize) -> Option<Array2<f32>> {
        let b = self.backward.get(self.matrix_index(layer))?;
        Some(Array2::from_shape_fn((b.n_in(), b.n_out()), |(i, j)| b.outgoing(i)[j]))
    }

    fn matrix_index(&self, layer: usize) -> usize {
        assert!((1..=self.n_layers()).contains(&layer), "layer {layer} is not one of 1 … {}", self.n_layers());
        layer - 1
    }
}

/// The signs of W, all of one size, where W lies as B does.
pub(crate) fn follow_signs(w: &InputMajor, scale: f64, b: &mut InputMajor) {
    let size = (scale * libm::sqrt(2.0 / (w.n_in() + w.n_out()) as f64)) as f32;
    for (b, w) in b.lanes_mut().iter_mut().zip(w.lanes()) {
        b.0 = each_lane!(k => if w.0[k] > 0.0 { size } else if w.0[k] < 0.0 { -size } else { w.0[k] * 0.0 });
    }
}

fn check_shapes(name: &str, found: &[ArrayView2<f32>], expected: &[(usize, usize)]) -> Result<(), InvalidParameter> {
    if found.len() != expected.len() {
        return Err(InvalidParameter::new(format!(
            "{name} weights: {} matrices given, {} layers need them",
            found.len(),
            expected.len()
        )));
    }
    for (layer, (matrix, &(rows, columns))) in (1..).zip(found.iter().zip(expected)) {
        if matrix.dim() != (rows, columns) {
            return Err(InvalidParameter::new(format!(
                "{name} weights of layer {layer}: {} × {} given, {rows} × {columns} needed",
                matrix.nrows(),
                matrix.ncols()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn architecture() -> Architecture {
        Architecture::new(vec![20, 17, 3], Activation::Tanh).unwrap()
    }

    #[test]
    fn weights_survive_the_way_in_and_out() {
        let network = Network::initialize(&architecture(), &Initialization::Xavier, Feedback::Random, 5);
        let w = [network.forward_weights(1), network.forward_weights(2)];
        let b = [network.feedback_weights(1).unwrap(), network.feedback_weights(2).unwrap()];
        assert_eq!((w[0].dim(), b[0].dim()), ((17, 20), (20, 17)));
        let again = Network::from_weights(
            &architecture(),
            &w.each_ref().map(|w| w.view()),
            Some(&b.each_ref().map(|b| b.view())),
        )
        .unwrap();
        assert_eq!((again.forward, again.backward), (network.forward, network.backward));
    }

    #[test]
    fn scales_and_shifts_survive_the_way_in_and_out() {
        let network = Network::initialize(&architecture(), &Initialization::Xavier, Feedback::Symmetric, 5);
        assert_eq!(network.scale_and_shift(1), None);
        let pair = ((1..=17).map(|k| k as f32).collect::<Vec<_>>(), vec![0.5; 17]);
        let network = network.with_scales_and_shifts(std::slice::from_ref(&pair), false).unwrap();
        assert_eq!(network.scale_and_shift(1), Some(pair.clone()));
        assert_eq!(network.scale_and_shift(2), None, "the output is not normalised");
        let error = network.with_scales_and_shifts(&[(pair.0, vec![0.5; 3])], false).unwrap_err().to_string();
        assert!(error.contains("hidden layers [17]") && error.contains("[(17, 3)]"), "{error}");
    }

    #[test]
    fn feedback_does_not_change_the_forward_weights() {
        let forward = |feedback| Network::initialize(&architecture(), &Initialization::Kaiming, feedback, 5).forward;
        assert_eq!(forward(Feedback::Symmetric), forward(Feedback::Random));
    }

    #[test]
    fn a_wrong_shape_is_refused_by_name() {
        let w = [Array2::zeros((17, 20)), Array2::zeros((17, 3))];
        let error = Network::from_weights(&architecture(), &w.each_ref().map(|w| w.view()), None).unwrap_err();
        assert_eq!(error.to_string(), "forward weights of layer 2: 17 × 3 given, 3 × 17 needed");
        assert!(Architecture::new(vec![4], Activation::Tanh).is_err());
        assert!(Architecture::new(vec![4, 0, 2], Activation::Tanh).is_err());
    }
}
