//! z_ℓ = W y_{ℓ-1} differentiated. What V receives of it, y_{ℓ-1,i} z̄_ℓ, it receives where it is read next
//! (`row_adjoint.rs`), or here by rows of pixels.

use super::active::Active;
use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, each_lane, lanes_for};
use super::matrix::InputMajor;
use super::row_groups::{CHUNK, add_products, total};
use super::rows::dots;
use super::simd::Simd;

/// A product, and the adjoints to be carried through it; all vectors padded.
pub(crate) struct ProductAdjoint<'a> {
    pub weights: &'a InputMajor,
    /// By what they are to be multiplied.
    pub scale: f32,
    /// y_{ℓ-1}.
    pub pre_activation: &'a [Lanes],
    /// z̄_ℓ.
    pub pre_synaptic_adjoint: &'a [Lanes],
    /// ȳ_{ℓ-1}, which is added to: ȳ_{ℓ-1,i} += W_i · z̄_ℓ.
    pub pre_activation_adjoint: &'a mut [Lanes],
}

/// Adds to the adjoint of a product's vector; returns by how much V · W grows with what V receives, which is z̄ · z.
pub(crate) fn forward_back(backend: Backend, product: ProductAdjoint<'_>) -> f32 {
    let pre = [product.pre_activation.len(), product.pre_activation_adjoint.len()];
    assert_eq!(pre, [lanes_for(product.weights.n_in()); 2]);
    assert_eq!(product.pre_synaptic_adjoint.len(), product.weights.stride());
    dispatch(backend, product)
}

impl Kernel for ProductAdjoint<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let (n_in, stride, z) = (self.weights.n_in(), self.weights.stride(), self.pre_synaptic_adjoint);
        let mut grown = [0.0; CHUNK];
        for chunk in 0..lanes_for(n_in) {
            let from = chunk * CHUNK;
            let n = CHUNK.min(n_in - from);
            let rows = &self.weights.lanes()[from * stride..(from + n) * stride];
            let y = self.pre_activation[chunk].0;
            let mut products = [0.0; CHUNK];
            dots(simd, rows, stride, z, &mut products);
            products = each_lane!(k => self.scale * products[k]);
            add_products(&y, &products, &mut grown);
            let sum = &mut self.pre_activation_adjoint[chunk].0;
            *sum = each_lane!(k => sum[k] + products[k]);
        }
        total(simd, &grown)
    }
}

/// V_i += x_i z̄ for an input given by its non-zero entries, whose own adjoint nobody wants.
pub(crate) fn add_outer(backend: Backend, x: Active<'_>, z: &[Lanes], adjoint: &mut InputMajor) {
    assert_eq!(z.len(), adjoint.stride());
    dispatch(backend, AddOuter { x, z, adjoint });
}

struct AddOuter<'a> {
    x: Active<'a>,
    z: &'a [Lanes],
    adjoint: &'a mut InputMajor,
}

impl Kernel for AddOuter<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for k in 0..self.x.len() {
            let (i, x) = self.x.at(k);
            let (row, x) = (&mut self.adjoint.row_mut(i)[..self.z.len()], simd.splat(x));
            for t in 0..self.z.len() {
                simd.store(simd.mul_add(x, simd.load(&self.z[t]), simd.load(&row[t])), &mut row[t]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{as_flat, as_flat_mut, zeros};
    use crate::science::seed::{Purpose, stream};

    #[test]
    fn a_product_hands_back_its_factors_adjoints() {
        let mut random = stream(6, Purpose::Task, 3);
        let mut number = || random.normal() as f32;
        let (n_in, n_out) = (21, 37);
        let [w, v] = [0, 1].map(|_| InputMajor::from_fn(n_in, n_out, |_, _| number()));
        let mut vector = |n: usize| {
            let mut v = zeros(n);
            as_flat_mut(&mut v)[..n].iter_mut().for_each(|x| *x = number());
            v
        };
        let (y, z, before) = (vector(n_in), vector(n_out), vector(n_in));
        let lit: Vec<u32> = (0..n_in as u32).filter(|i| i % 5 != 0).collect();
        let values: Vec<f32> = lit.iter().map(|&i| as_flat(&y)[i as usize]).collect();
        let start = v.clone();
        let run = |backend: Backend| {
            let mut after = before.clone();
            let product = ProductAdjoint {
                weights: &w,
                scale: 1.0,
                pre_activation: &y,
                pre_synaptic_adjoint: &z,
                pre_activation_adjoint: &mut after,
            };
            let grown = forward_back(backend, product);
            let mut of_lit = start.clone();
            add_outer(backend, Active::new(&lit, &values), &z, &mut of_lit);
            (after, grown, of_lit)
        };
        let (after, grown, of_lit) = run(Backend::Portable);
        let z_from_w = (0..n_in).flat_map(|i| (0..n_out).map(move |j| (i, j)));
        let expected: f32 = z_from_w.map(|(i, j)| as_flat(&y)[i] * w.outgoing(i)[j] * as_flat(&z)[j]).sum();
        assert!((grown - expected).abs() < 1e-3, "{grown} {expected}");
        for i in 0..n_in {
            let listed = if i % 5 != 0 { 1.0 } else { 0.0 };
            let y_i = as_flat(&y)[i];
            let through: f32 = w.outgoing(i).iter().zip(as_flat(&z)).map(|(w, z)| w * z).sum();
            assert!((as_flat(&after)[i] - as_flat(&before)[i] - through).abs() < 1e-4);
            for j in 0..n_out {
                let change = y_i * as_flat(&z)[j];
                assert!((of_lit.outgoing(i)[j] - (v.outgoing(i)[j] + listed * change)).abs() < 1e-5);
            }
        }
        for backend in Backend::available() {
            assert_eq!(run(backend), (after.clone(), grown, of_lit.clone()), "{backend}");
        }
    }
}
