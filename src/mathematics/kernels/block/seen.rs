//! Numbers for each step of a block, and what its steps see of the layer below.

use crate::kernels::active::Active;
use crate::kernels::lanes::{Lanes, WIDTH};
use crate::kernels::simd::Simd;

/// Steps of a block. More cost more work on vectors, fewer more passes over weights that do not fit in the second-level cache.
pub(crate) const STEPS: usize = 2 * WIDTH;

/// [`Lanes`] with a number for each step.
pub(super) const GROUPS: usize = STEPS / WIDTH;

/// A number for each step of a block, ready for the kernels.
pub(crate) type StepLanes = [Lanes; GROUPS];

pub(crate) const NO_STEPS: StepLanes = [Lanes::ZERO; GROUPS];

#[inline(always)]
pub(super) fn of_step(lanes: &StepLanes, s: usize) -> f32 {
    lanes[s / WIDTH].0[s % WIDTH]
}

#[inline(always)]
pub(super) fn of_step_mut(lanes: &mut StepLanes, s: usize) -> &mut f32 {
    &mut lanes[s / WIDTH].0[s % WIDTH]
}

#[inline(always)]
pub(super) fn in_lanes(numbers: &PerStep) -> StepLanes {
    let mut lanes = NO_STEPS;
    for s in 0..STEPS {
        *of_step_mut(&mut lanes, s) = numbers[s];
    }
    lanes
}

/// Sums x_i seen_i: x_s · x for each step s. Four partial sums, the entry k in sum k mod 4.
#[inline(always)]
pub(super) fn overlaps<S: Simd>(simd: S, seen: &[StepLanes], x: Active<'_>) -> PerStep {
    let mut sums = [[simd.splat(0.0); 4]; GROUPS];
    let whole = x.len() / 4 * 4;
    let mut k = 0;
    while k < whole {
        for part in 0..4 {
            let (i, value) = x.at(k + part);
            for g in 0..GROUPS {
                sums[g][part] = simd.mul_add(simd.splat(value), simd.load(&seen[i][g]), sums[g][part]);
            }
        }
        k += 4;
    }
    for k in whole..x.len() {
        let (i, value) = x.at(k);
        for g in 0..GROUPS {
            sums[g][k - whole] = simd.mul_add(simd.splat(value), simd.load(&seen[i][g]), sums[g][k - whole]);
        }
    }
    let mut out = [0.0; STEPS];
    for g in 0..GROUPS {
        let mut parts = [Lanes::ZERO; 4];
        for k in 0..4 {
            simd.store(sums[g][k], &mut parts[k]);
        }
        for s in 0..WIDTH {
            out[g * WIDTH + s] = (parts[0].0[s] + parts[1].0[s]) + (parts[2].0[s] + parts[3].0[s]);
        }
    }
    out
}

/// A number for each step of a block; 0 for steps that are still to come.
pub(crate) type PerStep = [f32; STEPS];

/// x_{s,i} and a_{s,i} as number s of entry i. W and B of a layer see the same.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(super) inputs: Vec<StepLanes>,
    pub(super) errors: Vec<StepLanes>,
    /// The steps at which entry i saw something, as bits.
    pub(super) lit: Vec<u32>,
}

impl Seen {
    pub(crate) fn new(n_in: usize) -> Self {
        Self { inputs: vec![NO_STEPS; n_in], errors: vec![NO_STEPS; n_in], lit: vec![0; n_in] }
    }

    /// Nothing seen yet.
    pub(crate) fn clear(&mut self) {
        self.inputs.fill(NO_STEPS);
        self.errors.fill(NO_STEPS);
        self.lit.fill(0);
    }

    /// All that it has seen: x and a of the steps, and when each entry was lit.
    pub(crate) fn parts_mut(&mut self) -> ([&mut [Lanes]; 2], &mut [u32]) {
        ([self.inputs.as_flattened_mut(), self.errors.as_flattened_mut()], &mut self.lit)
    }

    /// What step s sees: x, and a at the same places, or none.
    pub(crate) fn set(&mut self, s: usize, x: Active<'_>, a: &[f32]) {
        for k in 0..x.len() {
            let (i, value) = x.at(k);
            *of_step_mut(&mut self.inputs[i], s) = value;
            self.lit[i] |= 1 << s;
        }
        for (k, &a) in a.iter().enumerate() {
            *of_step_mut(&mut self.errors[x.at(k).0], s) = a;
        }
    }
}
