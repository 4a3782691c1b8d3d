//! The same mathematics again for tests: double precision, whole matrices, straight from the equations, no shortcut.

use ndarray::{Array1, Array2, Axis};

use super::activation::Activation;
use super::network::{Architecture, Network};
use super::plasticity::Rule;
use super::samples::Samples;

/// A network in double precision.
#[derive(Clone)]
pub(crate) struct Reference {
    pub activation: Activation,
    /// W_{ℓ-1,ℓ} at ℓ − 1.
    pub w: Vec<Array2<f64>>,
    /// B_{ℓ,ℓ-1} at ℓ − 1, where feedback has its own.
    pub b: Option<Vec<Array2<f64>>>,
}

/// σ(z) and σ′(z) from their definitions, neither taken from the other.
pub(crate) fn sigma(activation: Activation, z: f64) -> (f64, f64) {
    match activation {
        Activation::Softplus { beta } => {
            let beta = f64::from(beta);
            (z.max(0.0) + libm::log1p(libm::exp(-beta * z.abs())) / beta, 1.0 / (1.0 + libm::exp(-beta * z)))
        }
        Activation::Tanh => (libm::tanh(z), 1.0 - libm::tanh(z).powi(2)),
        Activation::Relu => (z.max(0.0), f64::from(u8::from(z > 0.0))),
        Activation::Sigmoid => {
            let s = 1.0 / (1.0 + libm::exp(-z));
            (s, s * (1.0 - s))
        }
        Activation::Linear => (z, 1.0),
    }
}

/// a bᵀ.
pub(crate) fn outer(a: &Array1<f64>, b: &Array1<f64>) -> Array2<f64> {
    a.view().insert_axis(Axis(1)).dot(&b.view().insert_axis(Axis(0)))
}

impl Reference {
    pub(super) fn of(network: &Network) -> Self {
        let layers = 1..=network.n_layers();
        Self {
            activation: network.architecture().activation(),
            w: layers.clone().map(|l| network.forward_weights(l).mapv(f64::from)).collect(),
            b: layers.map(|l| network.feedback_weights(l).map(|b| b.mapv(f64::from))).collect(),
        }
    }

    /// z_1 … z_L and y_0 … y_L.
    pub(super) fn forward(&self, x: &Array1<f64>) -> (Vec<Array1<f64>>, Vec<Array1<f64>>) {
        let (mut z, mut y) = (Vec::new(), vec![x.clone()]);
        for (l, w) in (1..).zip(&self.w) {
            let argument = w.dot(y.last().unwrap());
            y.push(if l == self.w.len() {
                let max = argument.iter().copied().fold(f64::MIN, f64::max);
                let exp = argument.mapv(|z| libm::exp(z - max));
                &exp / exp.sum()
            } else {
                argument.mapv(|z| sigma(self.activation, z).0)
            });
            z.push(argument);
        }
        (z, y)
    }

    pub(super) fn loss(&self, x: &Array1<f64>, label: usize) -> f64 {
        -libm::log(self.forward(x).1.last().unwrap()[label])
    }

    /// e_0 … e_L.
    pub(super) fn errors(&self, z: &[Array1<f64>], y: &[Array1<f64>], label: usize) -> Vec<Array1<f64>> {
        let n_layers = self.w.len();
        let mut e = vec![Array1::zeros(0); n_layers + 1];
        e[n_layers] = y[n_layers].clone();
        e[n_layers][label] -= 1.0;
        for l in (0..n_layers).rev() {
            let back = match &self.b {
                None => self.w[l].t().dot(&e[l + 1]),
                Some(b) => b[l].dot(&e[l + 1]),
            };
            e[l] = match (l, self.activation) {
                (0, Activation::Softplus { beta }) => back * y[0].mapv(|x| 1.0 - libm::exp(-f64::from(beta) * x)),
                (0, _) => back,
                _ => back * z[l - 1].mapv(|z| sigma(self.activation, z).1),
            };
        }
        e
    }

    /// ΔW and ΔB of rule (9) and plain Hebb for one sample, Oja's term in the form y yᵀ W.
    pub(super) fn update(&self, rule: &Rule, x: &Array1<f64>, label: usize) -> Vec<(Array2<f64>, Array2<f64>)> {
        let (z, y) = self.forward(x);
        let e = self.errors(&z, &y, label);
        (1..=self.w.len())
            .map(|l| {
                let w = &self.w[l - 1];
                let c = |name| rule.coefficient(name, l);
                let dw = outer(&e[l], &y[l - 1]) * -c("gradient")
                    + outer(&e[l], &e[l - 1]) * c("error_hebb")
                    + (outer(&y[l], &y[l - 1]) - outer(&y[l], &y[l]).dot(w)) * c("oja")
                    - w * c("decay")
                    + outer(&y[l], &y[l - 1]) * c("hebb");
                let db = self.b.as_ref().map_or_else(
                    || Array2::zeros((0, 0)),
                    |b| outer(&y[l - 1], &e[l]) * -c("feedback_hebb") - &b[l - 1] * c("feedback_decay"),
                );
                (dw, db)
            })
            .collect()
    }

    pub(super) fn step(&mut self, rule: &Rule, x: &Array1<f64>, label: usize) {
        for (l, (dw, db)) in self.update(rule, x, label).into_iter().enumerate() {
            self.w[l] += &dw;
            if let Some(b) = &mut self.b {
                b[l] += &db;
            }
        }
    }
}

/// Image `index` as a vector.
pub(crate) fn input(samples: &Samples, index: usize) -> Array1<f64> {
    samples.pixels(index).iter().map(|&p| f64::from(f32::from(p) / 255.0)).collect()
}

/// Random images, about half of their pixels silent, with random labels.
pub(crate) fn noise(n: usize, n_pixels: usize, n_classes: usize, seed: u64) -> Samples {
    let mut s = super::seed::stream(seed, super::seed::Purpose::Task, 0);
    let pixels = (0..n * n_pixels).map(|_| (s.below(512) as i32 - 256).max(0) as u8).collect();
    let labels = (0..n).map(|_| s.below(n_classes as u32) as u16).collect();
    Samples::new(pixels, labels, n_pixels, n_classes).unwrap()
}

/// Largest deviation relative to the largest magnitude of `b`.
pub(crate) fn deviation(a: &Array2<f32>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    let scale = b.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    a.iter().zip(b).fold(0.0_f64, |m, (a, b)| m.max((f64::from(*a) - b).abs())) / scale
}

pub(crate) fn architecture(sizes: &[usize], activation: Activation) -> Architecture {
    Architecture::new(sizes.to_vec(), activation).unwrap()
}
