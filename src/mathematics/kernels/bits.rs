//! Rows of bits, compared: counting ones is one instruction or a dozen, depending on what a kernel is compiled for.

use super::backend::{Backend, Kernel, dispatch};
use super::simd::Simd;

/// Reorders `rows` so that the first two are alike, the next two, and so on: the first is joined by the one of those behind it
/// that differs from it in the fewest bits, the first of equal ones, which changes places with the second. `bits` has `n_words`
/// words for each row, which go with it.
pub(crate) fn pair_alike(backend: Backend, rows: &mut [u32], bits: &mut [u64], n_words: usize) {
    assert_eq!(bits.len(), rows.len() * n_words);
    dispatch(backend, PairAlike { rows, bits, n_words });
}

struct PairAlike<'a> {
    rows: &'a mut [u32],
    bits: &'a mut [u64],
    n_words: usize,
}

impl Kernel for PairAlike<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { rows, bits, n_words } = self;
        // Of two rows, there is nothing to choose.
        for first in (0..rows.len().saturating_sub(2)).step_by(2) {
            let (of, behind) = bits[first * n_words..].split_at_mut(n_words);
            let (mut nearest, mut fewest) = (0, u32::MAX);
            for other in 0..rows.len() - first - 1 {
                let against = &behind[other * n_words..(other + 1) * n_words];
                let mut differences = 0;
                for word in 0..n_words {
                    differences += (of[word] ^ against[word]).count_ones();
                }
                if differences < fewest {
                    (nearest, fewest) = (other, differences);
                }
            }
            if nearest > 0 {
                rows.swap(first + 1, first + 1 + nearest);
                let (second, rest) = behind.split_at_mut(n_words);
                second.swap_with_slice(&mut rest[(nearest - 1) * n_words..nearest * n_words]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_those_that_are_left_comes_second_on_every_backend() {
        // By row number: bits set.
        let rows: [u64; 7] = [0b1111, 0b0000_1111_0000, 0b0111, 0b0001_1111_0000, 0b1110, 1 << 63, 0];
        for n_words in [1, 3] {
            for backend in Backend::available() {
                let mut order = [0, 1, 2, 3, 4, 5, 6];
                // In the last word alone, so that all words count.
                let mut bits: Vec<u64> = rows
                    .iter()
                    .flat_map(|&row| (0..n_words).map(move |word| if word + 1 == n_words { row } else { 7 }))
                    .collect();
                pair_alike(backend, &mut order, &mut bits, n_words);
                // 0 and 2 differ in one bit, as do 0 and 4: the first. Then 1, moved to the place of 2, is third.
                assert_eq!(order, [0, 2, 1, 3, 4, 6, 5], "{backend}");
                let expected: Vec<u64> = order.iter().map(|&row| rows[row as usize]).collect();
                let found: Vec<u64> = bits.chunks_exact(n_words).map(|row| row[n_words - 1]).collect();
                assert_eq!(found, expected, "{backend}");
            }
        }
    }
}
