//! Σ_s pre_s post_sᵀ over a batch: gradients and Oja terms of mini-batches. Samples add in ascending order.

use super::backend::{Backend, Kernel, dispatch};
use super::lanes::{Lanes, WIDTH, as_flat, lanes_for};
use super::matrix::InputMajor;
use super::simd::Simd;

/// Sets row i of `out` to Σ_s pre_{s,i} post_s. `pre` holds one row padded to n_in a sample, `post` one padded to n_out.
pub(crate) fn outer_sum(backend: Backend, pre: &[Lanes], post: &[Lanes], out: &mut InputMajor) {
    let (in_stride, stride) = (lanes_for(out.n_in()), out.stride());
    assert_eq!(pre.len() % in_stride, 0);
    assert_eq!(post.len(), pre.len() / in_stride * stride);
    dispatch(backend, OuterSum { pre, post, out });
}

struct OuterSum<'a> {
    pre: &'a [Lanes],
    post: &'a [Lanes],
    out: &'a mut InputMajor,
}

impl Kernel for OuterSum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { pre, post, out } = self;
        for column in 0..out.stride() {
            let mut i = 0;
            while i + 6 <= out.n_in() {
                tile::<S, 6>(simd, pre, post, out, i, column);
                i += 6;
            }
            while i < out.n_in() {
                tile::<S, 1>(simd, pre, post, out, i, column);
                i += 1;
            }
        }
    }
}

/// `R` rows from `first` on, one column of sixteen outputs.
#[inline(always)]
fn tile<S: Simd, const R: usize>(
    simd: S,
    pre: &[Lanes],
    post: &[Lanes],
    out: &mut InputMajor,
    first: usize,
    column: usize,
) {
    let (in_stride, stride) = (lanes_for(out.n_in()), out.stride());
    let mut sum = [simd.splat(0.0); R];
    let pre = as_flat(pre);
    for s in 0..post.len() / stride {
        let start = s * in_stride * WIDTH + first;
        let inputs = &pre[start..start + R];
        let post = simd.load(&post[s * stride + column]);
        for r in 0..R {
            sum[r] = simd.mul_add(simd.splat(inputs[r]), post, sum[r]);
        }
    }
    for r in 0..R {
        simd.store(sum[r], &mut out.lanes_mut()[(first + r) * stride + column]);
    }
}
