//! Shape and weights of the recurrent network.

use ndarray::{Array2, ArrayView2};

use crate::kernels::{self, Backend, InputMajor};
use crate::science::InvalidParameter;
use crate::science::activation::Activation;
use crate::science::initialization::Initialization;
use crate::science::seed::{Purpose, stream};

/// Sizes and times of a recurrent network, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct RecurrentArchitecture {
    n_inputs: usize,
    n_hidden: usize,
    n_outputs: usize,
    n_steps: usize,
    n_input_steps: usize,
    activation: Activation,
}

impl RecurrentArchitecture {
    /// `sizes`: inputs, hidden units and outputs; `n_steps`: T; `n_input_steps`: S, how many of them show the image.
    ///
    /// # Errors
    /// If a size is 0, if not 1 ≤ S ≤ T, or if the activation's parameter makes no sense.
    pub fn new(
        sizes: [usize; 3],
        n_steps: usize,
        n_input_steps: usize,
        activation: Activation,
    ) -> Result<Self, InvalidParameter> {
        let [n_inputs, n_hidden, n_outputs] = sizes;
        if sizes.contains(&0) {
            return Err(InvalidParameter::new(format!(
                "a recurrent network needs inputs, hidden units and outputs, found {sizes:?}"
            )));
        }
        if n_input_steps == 0 || n_input_steps > n_steps {
            return Err(InvalidParameter::new(format!(
                "the image must be shown for at least 1 and at most all of the {n_steps} time steps, found {n_input_steps}"
            )));
        }
        Ok(Self { n_inputs, n_hidden, n_outputs, n_steps, n_input_steps, activation: activation.check()? })
    }

    /// Pixels of the image.
    pub fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    /// n_h.
    pub fn n_hidden(&self) -> usize {
        self.n_hidden
    }

    /// Classes that the output can name.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// T.
    pub fn n_steps(&self) -> usize {
        self.n_steps
    }

    /// S, the first steps, which show the image.
    pub fn n_input_steps(&self) -> usize {
        self.n_input_steps
    }

    /// σ of the hidden units.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// (n_in, n_out) of W_x, W_h, W_o.
    fn shapes(&self) -> [(usize, usize); 3] {
        [(self.n_inputs, self.n_hidden), (self.n_hidden, self.n_hidden), (self.n_hidden, self.n_outputs)]
    }
}

/// The weights of a recurrent network.
#[derive(Clone, Debug, PartialEq)]
pub struct RecurrentNetwork {
    pub(super) architecture: RecurrentArchitecture,
    pub(super) input: InputMajor,
    pub(super) recurrent: InputMajor,
    pub(super) readout: InputMajor,
    pub(super) backend: Backend,
}

impl RecurrentNetwork {
    /// Weights drawn from the streams (seed, forward weights, layer), the layers being 1 for W_x, 2 for W_h, 3 for W_o.
    pub fn initialize(architecture: &RecurrentArchitecture, initialization: &Initialization, seed: u64) -> Self {
        Self::initialize_each(architecture, [*initialization; 3], seed)
    }

    /// As [`RecurrentNetwork::initialize`], W_x, W_h and W_o each from a distribution of its own.
    pub fn initialize_each(
        architecture: &RecurrentArchitecture,
        initializations: [Initialization; 3],
        seed: u64,
    ) -> Self {
        let mut drawn = architecture.shapes().into_iter().zip(initializations).zip(1..).map(
            |(((n_in, n_out), initialization), layer)| {
                let mut stream = stream(seed, Purpose::ForwardWeights, layer);
                let mut w = InputMajor::zeros(n_in, n_out);
                w.fill_by_output(initialization.rows((n_in, n_out), n_in, &mut stream));
                w
            },
        );
        let [input, recurrent, readout] = std::array::from_fn(|_| drawn.next().expect("three matrices"));
        Self { architecture: architecture.clone(), input, recurrent, readout, backend: kernels::backend() }
    }

    /// Given weights W_x (n_h × n_0), W_h (n_h × n_h), W_o (n_o × n_h).
    ///
    /// # Errors
    /// If a shape does not fit the architecture.
    pub fn from_weights(
        architecture: &RecurrentArchitecture,
        input: ArrayView2<f32>,
        recurrent: ArrayView2<f32>,
        readout: ArrayView2<f32>,
    ) -> Result<Self, InvalidParameter> {
        let named = [("input", input), ("recurrent", recurrent), ("readout", readout)];
        for ((name, matrix), (n_in, n_out)) in named.iter().zip(architecture.shapes()) {
            if matrix.dim() != (n_out, n_in) {
                let (rows, columns) = matrix.dim();
                return Err(InvalidParameter::new(format!(
                    "{name} weights: {rows} × {columns} given, {n_out} × {n_in} needed"
                )));
            }
        }
        Ok(Self {
            architecture: architecture.clone(),
            input: input_major(input),
            recurrent: input_major(recurrent),
            readout: input_major(readout),
            backend: kernels::backend(),
        })
    }

    /// The same network, computed with the instructions of `backend`; the numbers do not change.
    ///
    /// # Errors
    /// If this processor lacks them.
    pub fn on(mut self, backend: Backend) -> Result<Self, InvalidParameter> {
        if !backend.is_available() {
            return Err(InvalidParameter::new(format!("this processor has no {backend}")));
        }
        self.backend = backend;
        Ok(self)
    }

    /// Sizes, times and σ.
    pub fn architecture(&self) -> &RecurrentArchitecture {
        &self.architecture
    }

    /// W_x (n_h × n_0).
    pub fn input_weights(&self) -> Array2<f32> {
        row_major(&self.input)
    }

    /// W_h (n_h × n_h).
    pub fn recurrent_weights(&self) -> Array2<f32> {
        row_major(&self.recurrent)
    }

    /// W_o (n_o × n_h).
    pub fn readout_weights(&self) -> Array2<f32> {
        row_major(&self.readout)
    }
}

fn input_major(w: ArrayView2<f32>) -> InputMajor {
    InputMajor::from_fn(w.ncols(), w.nrows(), |i, j| w[[j, i]])
}

fn row_major(w: &InputMajor) -> Array2<f32> {
    Array2::from_shape_fn((w.n_out(), w.n_in()), |(j, i)| w.outgoing(i)[j])
}
