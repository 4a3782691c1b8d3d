//! Probes that measure the machine: what no kernel can exceed on one core.

use super::Probe;
use crate::kernels::backend::{Backend, Kernel, dispatch};
use crate::kernels::lanes::{Lanes, WIDTH};
use crate::kernels::simd::Simd;

/// Multiply-adds on registers only: the peak of one core.
pub fn multiply_adds(backend: Backend) -> Probe {
    const ROUNDS: usize = 10_000;
    let chains = dispatch(backend, Chains);
    Probe::new("multiply-adds", ROUNDS * chains * WIDTH, [0, 0], move || {
        std::hint::black_box(dispatch(backend, RegisterOnly { rounds: ROUNDS }));
    })
}

/// How many multiply-adds are under way at a time: as many sums as a loop may hold, which hides their latency.
struct Chains;

impl Kernel for Chains {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        S::ACCUMULATORS
    }
}

struct RegisterOnly {
    rounds: usize,
}

impl Kernel for RegisterOnly {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        if S::ACCUMULATORS >= 12 { converge::<S, 12>(simd, self.rounds) } else { converge::<S, 6>(simd, self.rounds) }
    }
}

/// x ← x / 2 + 1 converges to 2: no denormal, no overflow.
#[inline(always)]
fn converge<S: Simd, const N: usize>(simd: S, rounds: usize) -> f32 {
    let (half, one) = (simd.splat(std::hint::black_box(0.5)), simd.splat(std::hint::black_box(1.0)));
    let mut x = [simd.splat(0.0); N];
    for _ in 0..rounds {
        for k in 0..N {
            x[k] = simd.mul_add(x[k], half, one);
        }
    }
    let mut sum = 0.0;
    for k in 0..N {
        sum += simd.sum(x[k]);
    }
    sum
}

/// Sums that a reading adds to: they hide the latency of an addition, and AVX2 can hold them.
const SUMS: usize = 6;

/// Reads `bytes` again and again, and writes nothing.
pub fn reading(backend: Backend, bytes: usize) -> Probe {
    let data = vec![Lanes([1.0; WIDTH]); bytes / size_of::<Lanes>()];
    Probe::new("reading", 0, [size_of_val(data.as_slice()), 0], move || {
        std::hint::black_box(dispatch(backend, Read { data: &data }));
    })
}

struct Read<'a> {
    data: &'a [Lanes],
}

impl Kernel for Read<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let one = simd.splat(std::hint::black_box(1.0));
        let mut sums = [simd.splat(0.0); SUMS];
        for lanes in self.data.chunks_exact(SUMS) {
            for k in 0..SUMS {
                sums[k] = simd.mul_add(one, simd.load(&lanes[k]), sums[k]);
            }
        }
        let mut sum = 0.0;
        for k in 0..SUMS {
            sum += simd.sum(sums[k]);
        }
        sum
    }
}

/// Writes `bytes` again and again, and reads nothing of what it writes; the cache may have to.
pub fn writing(backend: Backend, bytes: usize) -> Probe {
    let mut data = vec![Lanes([1.0; WIDTH]); bytes / size_of::<Lanes>()];
    Probe::new("writing", 0, [0, size_of_val(data.as_slice())], move || {
        dispatch(backend, Write { data: std::hint::black_box(&mut data) });
    })
}

struct Write<'a> {
    data: &'a mut [Lanes],
}

impl Kernel for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let one = simd.splat(std::hint::black_box(1.0));
        for lanes in self.data {
            simd.store(one, lanes);
        }
    }
}

/// Reads `bytes`, multiplies, and writes them back in place.
pub fn updating(backend: Backend, bytes: usize) -> Probe {
    let mut data = vec![Lanes([1.0; WIDTH]); bytes / size_of::<Lanes>()];
    let bytes = size_of_val(data.as_slice());
    Probe::new("updating", 0, [bytes, bytes], move || {
        dispatch(backend, Update { data: &mut data });
    })
}

struct Update<'a> {
    data: &'a mut [Lanes],
}

impl Kernel for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let one = simd.splat(std::hint::black_box(1.0));
        for lanes in self.data {
            simd.store(simd.mul(one, simd.load(lanes)), lanes);
        }
    }
}
