//! Two sparse vectors side by side: one reading of a matrix's rows serves both.
//!
//! A product with one image is bound by the reading of weights from the second-level cache. Two images that are lit at nearly
//! the same places share it; where only one of them is lit, the other adds a product with zero, which changes nothing.

use super::active::ActiveRows;
use super::backend::{Backend, dispatch};
use super::forward::{Forward, Inputs};
use super::lanes::Lanes;
use super::matrix::InputMajor;

/// Pairs of vectors, by the places at which either has an entry. 12 bytes a place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ActivePairs {
    /// Where the places of each pair begin, and where the last one's end.
    start: Vec<usize>,
    index: Vec<u32>,
    values: Vec<[f32; 2]>,
}

impl ActivePairs {
    /// Of these vectors of `rows`.
    pub(crate) fn new(rows: &ActiveRows, pairs: impl IntoIterator<Item = [usize; 2]>) -> Self {
        let mut merged = Self { start: vec![0], index: Vec::new(), values: Vec::new() };
        for pair in pairs {
            let [a, b] = pair.map(|row| rows.row(row));
            let (mut k, mut m) = (0, 0);
            while k < a.len() || m < b.len() {
                let place = |one: super::Active<'_>, k: usize| if k < one.len() { one.at(k).0 } else { usize::MAX };
                let (first, second) = (place(a, k), place(b, m));
                let mut values = [0.0; 2];
                if first <= second {
                    values[0] = a.at(k).1;
                    k += 1;
                }
                if second <= first {
                    values[1] = b.at(m).1;
                    m += 1;
                }
                merged.index.push(first.min(second) as u32);
                merged.values.push(values);
            }
            merged.start.push(merged.index.len());
        }
        merged
    }
}

/// z = W x for both vectors of pair `pair`; `z` holds two padded rows of n_out. Each number is that of
/// [`forward_active`](super::forward_active), for finite weights.
pub(crate) fn forward_pair(backend: Backend, weights: &InputMajor, pairs: &ActivePairs, pair: usize, z: &mut [Lanes]) {
    let places = pairs.start[pair]..pairs.start[pair + 1];
    let inputs = Pair { index: &pairs.index[places.clone()], values: &pairs.values[places] };
    let (first, second) = z.split_at_mut(weights.stride());
    dispatch(backend, Forward { weights, inputs, z: [first, second] });
}

#[derive(Clone, Copy)]
struct Pair<'a> {
    index: &'a [u32],
    values: &'a [[f32; 2]],
}

impl Inputs<2> for Pair<'_> {
    #[inline(always)]
    fn len(self) -> usize {
        self.index.len()
    }

    #[inline(always)]
    fn at(self, k: usize) -> (usize, [f32; 2]) {
        (self.index[k] as usize, self.values[k])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::noise::Noise;
    use crate::kernels::{INTENSITY, forward_active, lanes_for};

    /// The bits of a product with one vector, whatever it is paired with: with itself, with another, with nothing.
    #[test]
    fn a_pair_is_two_products() {
        for (n_in, n_out) in [(40, 7), (31, 33), (64, 170), (50, 400)] {
            let bytes: Vec<u8> = (0..4 * n_in)
                .map(|k| if k / n_in == 3 || (k * k + k / n_in) % 5 < 3 { 0 } else { (k % 251) as u8 })
                .collect();
            let rows = ActiveRows::from_bytes(&bytes, n_in, &INTENSITY);
            let mut noise = Noise(3);
            let w = InputMajor::from_fn(n_in, n_out, |_, _| noise.normal() as f32);
            let twos = [[0, 1], [2, 2], [1, 3], [3, 0], [3, 3]];
            let pairs = ActivePairs::new(&rows, twos);
            for backend in Backend::available() {
                for (pair, members) in twos.iter().enumerate() {
                    let mut z = vec![Lanes([f32::NAN; 16]); 2 * lanes_for(n_out)];
                    forward_pair(backend, &w, &pairs, pair, &mut z);
                    for (z, &member) in z.chunks_exact(lanes_for(n_out)).zip(members) {
                        let mut alone = vec![Lanes::ZERO; lanes_for(n_out)];
                        forward_active(backend, &w, rows.row(member), &mut alone);
                        assert!(z == alone, "{backend}, {n_in} × {n_out}, pair {pair}");
                    }
                }
            }
        }
    }
}
