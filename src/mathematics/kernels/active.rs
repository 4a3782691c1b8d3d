//! Vectors most of whose entries are zero, as images are.

use super::lanes::{Lanes, as_flat_mut};

/// The entries of a vector that are not zero, in ascending order of place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Active<'a> {
    index: &'a [u32],
    value: &'a [f32],
}

impl<'a> Active<'a> {
    /// The entries `value`, at the ascending places `index`.
    pub(crate) fn new(index: &'a [u32], value: &'a [f32]) -> Self {
        assert_eq!(index.len(), value.len());
        Self { index, value }
    }
}

impl Active<'_> {
    /// Writes the whole vector, zeros included.
    pub(crate) fn write(self, vector: &mut [Lanes]) {
        vector.fill(Lanes::ZERO);
        let vector = as_flat_mut(vector);
        for k in 0..self.len() {
            let (i, x) = self.at(k);
            vector[i] = x;
        }
    }

    /// The places, ascending.
    pub(crate) fn places(&self) -> &[u32] {
        self.index
    }

    /// The entries, in the order of their places.
    pub(crate) fn values(&self) -> &[f32] {
        self.value
    }

    /// How many entries are not zero.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.index.len()
    }

    /// The k-th entry, (place, value). For kernels, in which a loop over k is sure to be inlined and an iterator is not.
    #[inline(always)]
    pub(crate) fn at(self, k: usize) -> (usize, f32) {
        (self.index[k] as usize, self.value[k])
    }
}

/// The non-zero entries of many vectors, found once: whoever reads an image a thousand times need not look for its lit
/// pixels each time. 8 bytes an entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ActiveRows {
    /// Where the entries of each vector begin, and where the last one's end.
    start: Vec<usize>,
    index: Vec<u32>,
    value: Vec<f32>,
}

impl ActiveRows {
    /// Of vectors of `n` bytes each, a byte standing for `value_of[byte]`; `value_of[0]` must be 0.
    pub(crate) fn from_bytes(bytes: &[u8], n: usize, value_of: &[f32; 256]) -> Self {
        let n_active = bytes.iter().filter(|&&byte| byte != 0).count();
        // Every byte is written down, and the next one over it if it was zero: which bytes are, no processor can guess. What
        // follows the last entry has a place of its own.
        let (mut index, mut value) = (vec![0; n_active + 1], vec![0.0; n_active + 1]);
        let (mut start, mut next) = (vec![0], 0);
        for row in bytes.chunks_exact(n) {
            for (i, &byte) in row.iter().enumerate() {
                (index[next], value[next]) = (i as u32, value_of[usize::from(byte)]);
                next += usize::from(byte != 0);
            }
            start.push(next);
        }
        index.truncate(next);
        value.truncate(next);
        Self { start, index, value }
    }

    /// The entries of vector `row`.
    pub(crate) fn row(&self, row: usize) -> Active<'_> {
        let entries = self.start[row]..self.start[row + 1];
        Active { index: &self.index[entries.clone()], value: &self.value[entries] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{as_flat, zeros};

    #[test]
    fn entries_survive_wherever_they_lie() {
        let value_of: [f32; 256] = std::array::from_fn(|byte| byte as f32);
        for seed in 0..50_u32 {
            let bytes: Vec<u8> = (0..3 * 27).map(|i| if (i * seed) % 7 < 2 { (i + seed) as u8 } else { 0 }).collect();
            let rows = ActiveRows::from_bytes(&bytes, 27, &value_of);
            for (r, bytes) in bytes.chunks_exact(27).enumerate() {
                let active = rows.row(r);
                assert_eq!(active.len(), bytes.iter().filter(|&&b| b != 0).count());
                let mut vector = zeros(27);
                active.write(&mut vector);
                assert!(as_flat(&vector)[..27].iter().zip(bytes).all(|(&x, &byte)| x == f32::from(byte)));
            }
        }
    }
}
