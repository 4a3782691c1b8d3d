//! What the layers of a chain keep: residuals, and images multiplied back to pixels (Figure 3).

use std::ops::Range;

use ndarray::Array2;

use super::passes::Input;
use crate::kernels::{self, as_flat, lanes_for};
use crate::science::network::Network;
use crate::science::place::Place;
use crate::science::reconstruction::Residual;
use crate::science::samples::Samples;

/// Images multiplied back from one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconstructions {
    /// ℓ.
    pub layer: usize,
    /// W_{0,1}ᵀ … W_{ℓ-1,ℓ}ᵀ y_ℓ, n_samples × n_pixels.
    pub pixels: Array2<f32>,
    /// Pearson correlation with the original, an image; None if either is constant or not finite.
    pub correlation: Vec<Option<f64>>,
    /// Mean over pixels of the squared difference from x = pixel / 255, an image.
    pub error: Vec<f64>,
}

impl Network {
    /// The residuals of the hidden layers ℓ = 1 … L − 1 over `samples[range]`.
    ///
    /// # Panics
    /// If images do not fit the network, or `range` exceeds the samples or is empty.
    pub fn residuals(&self, samples: &Samples, range: Range<usize>) -> Vec<Residual> {
        assert!(!range.is_empty(), "residuals need at least one sample");
        let sizes = self.architecture().sizes();
        let n = range.len() as f64;
        let mut sums = vec![(0.0_f64, 0.0_f64); self.n_layers() - 1];
        let mut projection = Vec::new();
        self.for_each_block(samples, range, Input::Written, |_, y| {
            for (layer, (error, signal)) in (1..).zip(&mut sums) {
                projection.clone_from(&y[layer - 1]);
                kernels::project_batch(self.backend, &self.forward[layer - 1], &y[layer], &mut projection);
                let stride = lanes_for(sizes[layer - 1]);
                for (y, d) in y[layer - 1].chunks_exact(stride).zip(projection.chunks_exact(stride)) {
                    let pairs = as_flat(y).iter().zip(as_flat(d)).take(sizes[layer - 1]);
                    *error += pairs.map(|(&y, &d)| (f64::from(y) - f64::from(d)).powi(2)).sum::<f64>();
                    *signal += as_flat(y).iter().map(|&y| f64::from(y).powi(2)).sum::<f64>();
                }
            }
        });
        (1..).zip(sums).map(|(layer, sums)| Residual::of(Place::layer(layer), sums, n)).collect()
    }

    /// `samples[range]` as layer `layer` remembers them: y_ℓ times Wᵀ, linearly, layer by layer down to pixels.
    ///
    /// # Panics
    /// If images do not fit the network, `range` exceeds the samples, or `layer` is not one of 1 … L.
    pub fn reconstructions(&self, samples: &Samples, range: Range<usize>, layer: usize) -> Reconstructions {
        assert!((1..=self.n_layers()).contains(&layer), "layer {layer} is not one of 1 … {}", self.n_layers());
        let sizes = self.architecture().sizes();
        let (n_samples, n_pixels) = (range.len(), sizes[0]);
        let mut pixels = Vec::with_capacity(n_samples * n_pixels);
        let (mut correlation, mut error) = (Vec::with_capacity(n_samples), Vec::with_capacity(n_samples));
        self.for_each_block(samples, range, Input::Written, |_, y| {
            self.answer_block(y);
            let mut back = y[layer].clone();
            for below in (0..layer).rev() {
                let mut next = y[below].clone();
                kernels::project_batch(self.backend, &self.forward[below], &back, &mut next);
                back = next;
            }
            let stride = lanes_for(n_pixels);
            for (x, image) in y[0].chunks_exact(stride).zip(back.chunks_exact(stride)) {
                let (x, image) = (&as_flat(x)[..n_pixels], &as_flat(image)[..n_pixels]);
                correlation.push(pearson(x, image));
                let squares = x.iter().zip(image).map(|(&x, &r)| (f64::from(r) - f64::from(x)).powi(2));
                error.push(squares.sum::<f64>() / n_pixels as f64);
                pixels.extend_from_slice(image);
            }
        });
        let pixels = Array2::from_shape_vec((n_samples, n_pixels), pixels).expect("n_pixels were added an image");
        Reconstructions { layer, pixels, correlation, error }
    }
}

/// Pearson's correlation in double precision; None if either side has no variance or is not finite.
fn pearson(a: &[f32], b: &[f32]) -> Option<f64> {
    let n = a.len() as f64;
    let mean = |v: &[f32]| v.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a) - mean_a, f64::from(b) - mean_b);
        (aa, bb, ab) = (aa + a * a, bb + b * b, ab + a * b);
    }
    let r = ab / (libm::sqrt(aa) * libm::sqrt(bb));
    r.is_finite().then_some(r.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::science::activation::Activation;
    use crate::science::feedback::Feedback;
    use crate::science::initialization::Initialization;
    use crate::science::reference::{Reference, architecture, input, noise};

    fn network(sizes: &[usize]) -> Network {
        let architecture = architecture(sizes, Activation::Softplus { beta: 10.0 });
        Network::initialize(&architecture, &Initialization::Xavier, Feedback::Symmetric, 9)
    }

    #[test]
    fn residual_is_equation_two() {
        let (network, samples) = (network(&[40, 30, 20, 10]), noise(101, 40, 10, 1));
        let reference = Reference::of(&network);
        let found = network.residuals(&samples, 1..101);
        assert_eq!(found.len(), 2);
        for (l, found) in found.iter().enumerate() {
            let (mut error, mut signal) = (0.0, 0.0);
            for s in 1..101 {
                let (_, y) = reference.forward(&input(&samples, s));
                error += (&y[l] - reference.w[l].t().dot(&y[l + 1])).mapv(|r| r * r).sum() / 100.0;
                signal += y[l].mapv(|y| y * y).sum() / 100.0;
            }
            assert_eq!(found.layer, l + 1);
            assert!((found.error / error - 1.0).abs() < 1e-5 && (found.signal / signal - 1.0).abs() < 1e-5);
            assert!((found.relative_error.unwrap() / (error / signal) - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn images_are_multiplied_back_linearly() {
        let (network, samples) = (network(&[40, 30, 20, 10]), noise(53, 40, 10, 2));
        let reference = Reference::of(&network);
        for layer in 1..=3 {
            let found = network.reconstructions(&samples, 3..53, layer);
            for s in 0..50 {
                let x = input(&samples, s + 3);
                let mut r = reference.forward(&x).1[layer].clone();
                for w in reference.w[..layer].iter().rev() {
                    r = w.t().dot(&r);
                }
                let error = (&r - &x).mapv(|d| d * d).mean().unwrap();
                let (dx, dr) = (&x - x.mean().unwrap(), &r - r.mean().unwrap());
                let correlation = dx.dot(&dr) / (dx.dot(&dx) * dr.dot(&dr)).sqrt();
                assert!(found.pixels.row(s).iter().zip(&r).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5));
                assert!((found.error[s] / error - 1.0).abs() < 1e-5);
                assert!((found.correlation[s].unwrap() - correlation).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn what_is_undefined_is_none() {
        let samples = Samples::new(vec![0; 40 * 2], vec![0, 1], 40, 10).unwrap();
        let network = network(&[40, 30, 10]);
        assert_eq!(network.residuals(&samples, 0..2)[0].relative_error, None);
        assert_eq!(network.reconstructions(&samples, 0..2, 1).correlation, [None, None]);
    }

    /// Rows that are orthonormal and span the data leave no residual: here the identity on active units.
    #[test]
    fn an_identity_layer_has_no_residual() {
        let eye = Array2::eye(40);
        let out = Array2::zeros((10, 40));
        let architecture = architecture(&[40, 40, 10], Activation::Relu);
        let network = Network::from_weights(&architecture, &[eye.view(), out.view()], None).unwrap();
        let samples = noise(20, 40, 10, 3);
        assert_eq!(network.residuals(&samples, 0..20)[0].error, 0.0);
        assert!(network.reconstructions(&samples, 0..20, 1).correlation.iter().all(|r| r.unwrap() > 1.0 - 1e-12));
    }
}
