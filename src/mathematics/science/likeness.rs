//! Images in the order of their likeness, so that neighbours are lit at nearly the same places.
//!
//! Whoever reads many images in any order that suits it, as an evaluation does, reads two at a time: see `ActivePairs`. The
//! arrangement costs a few evaluations, and is made once for a data set.

use std::ops::Range;

use crate::kernels::{self, ActivePairs, ActiveRows, Backend, InputMajor, Lanes};

/// Neighbouring pixels whose lit ones are counted together: a rough picture of an image.
const RUN: usize = 16;

/// Images among which each one's partner is looked for. The numbers of an evaluation do not depend on it, nor on the order.
const NEIGHBOURS: usize = 64;

/// The images of a range, arranged by likeness.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrangement {
    range: Range<usize>,
    /// By place: image of the data set. Places 2p and 2p + 1 are a pair; of an odd number, the last one is alone.
    order: Vec<u32>,
    pairs: ActivePairs,
}

impl Arrangement {
    /// Of the images `range` of `active`.
    pub(super) fn new(range: Range<usize>, n_pixels: usize, active: &ActiveRows) -> Self {
        let order = paired(&range, n_pixels, active);
        let pairs = ActivePairs::new(active, order.chunks_exact(2).map(|two| [two[0] as usize, two[1] as usize]));
        Self { range, order, pairs }
    }

    /// The images that are arranged.
    pub(crate) fn range(&self) -> &Range<usize> {
        &self.range
    }

    /// By place, the image of the data set.
    pub(crate) fn order(&self) -> &[u32] {
        &self.order
    }

    /// W x for the images at `places`, of which the first is even: one padded row of `z` each.
    pub(crate) fn forward(
        &self,
        backend: Backend,
        weights: &InputMajor,
        active: &ActiveRows,
        places: Range<usize>,
        z: &mut [Lanes],
    ) {
        assert_eq!(places.start % 2, 0, "pairs stay together");
        for (k, z) in z.chunks_mut(2 * weights.stride()).enumerate() {
            let place = places.start + 2 * k;
            if z.len() == 2 * weights.stride() {
                kernels::forward_pair(backend, weights, &self.pairs, place / 2, z);
            } else {
                kernels::forward_active(backend, weights, active.row(self.order[place] as usize), z);
            }
        }
    }
}

/// The images of a range such that the first two are alike, the next two, and so on.
fn paired(range: &Range<usize>, n_pixels: usize, active: &ActiveRows) -> Vec<u32> {
    let pictures: Vec<Picture> = range.clone().map(|image| Picture::of(image, n_pixels, active)).collect();
    let mut order: Vec<u32> = (0..pictures.len() as u32).collect();
    divide(&mut order, &pictures);
    let backend = kernels::backend();
    for neighbours in order.chunks_mut(NEIGHBOURS) {
        let mut lit: Vec<u64> =
            neighbours.iter().flat_map(|&picture| &pictures[picture as usize].lit).copied().collect();
        kernels::pair_alike(backend, neighbours, &mut lit, n_pixels.div_ceil(u64::BITS as usize));
    }
    order.into_iter().map(|picture| range.start as u32 + picture).collect()
}

/// Puts like with like: halves by the run of pixels in which they differ most, each half likewise, down to neighbours.
fn divide(images: &mut [u32], pictures: &[Picture]) {
    if images.len() <= NEIGHBOURS {
        return;
    }
    // n² times the variance of each run's counts: whole numbers have no rounding to disagree about.
    let n_runs = pictures[0].counts.len();
    let (mut sums, mut squares) = (vec![0_u64; n_runs], vec![0_u64; n_runs]);
    for &image in images.iter() {
        for ((sum, square), &count) in sums.iter_mut().zip(&mut squares).zip(&pictures[image as usize].counts) {
            let count = u64::from(count);
            (*sum, *square) = (*sum + count, *square + count * count);
        }
    }
    let spread = |run: usize| images.len() as u64 * squares[run] - sums[run] * sums[run];
    let widest = (0..n_runs).max_by_key(|&run| spread(run)).expect("an image has pixels");
    images.sort_by_key(|&image| pictures[image as usize].counts[widest]);
    let half = (images.len() / 2).next_multiple_of(NEIGHBOURS);
    let (low, high) = images.split_at_mut(half.min(images.len()));
    divide(low, pictures);
    divide(high, pictures);
}

/// Where an image is lit.
struct Picture {
    /// Lit pixels of each run.
    counts: Vec<u8>,
    /// One bit a pixel.
    lit: Vec<u64>,
}

impl Picture {
    fn of(image: usize, n_pixels: usize, active: &ActiveRows) -> Self {
        let mut picture =
            Self { counts: vec![0; n_pixels.div_ceil(RUN)], lit: vec![0; n_pixels.div_ceil(u64::BITS as usize)] };
        let lit = active.row(image);
        for pixel in (0..lit.len()).map(|k| lit.at(k).0) {
            picture.counts[pixel / RUN] += 1;
            picture.lit[pixel / u64::BITS as usize] |= 1 << (pixel % u64::BITS as usize);
        }
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::INTENSITY;

    fn images(n: usize, n_pixels: usize) -> Vec<u8> {
        let lit = |image: usize, pixel: usize| (pixel + 7 * (image % 11)) % n_pixels < n_pixels / 4;
        (0..n * n_pixels).map(|k| u8::from(lit(k / n_pixels, k % n_pixels)) * 200).collect()
    }

    #[test]
    fn every_image_of_the_range_has_one_place() {
        for (n, range) in [(1, 0..1), (2, 0..2), (5, 1..4), (700, 13..688), (700, 0..700), (3, 1..1)] {
            let active = ActiveRows::from_bytes(&images(n, 40), 40, &INTENSITY);
            let arrangement = Arrangement::new(range.clone(), 40, &active);
            let mut order = arrangement.order().to_vec();
            order.sort_unstable();
            assert_eq!(order, range.map(|image| image as u32).collect::<Vec<_>>());
        }
    }

    /// Eleven kinds of images in turn: nearly all find one of their kind.
    #[test]
    fn partners_are_alike() {
        let bytes = images(660, 80);
        let active = ActiveRows::from_bytes(&bytes, 80, &INTENSITY);
        let arrangement = Arrangement::new(0..660, 80, &active);
        let alike = arrangement.order().chunks(2).filter(|two| two[0] % 11 == two[1] % 11).count();
        assert!(alike > 300, "{alike} of 330");
    }
}
