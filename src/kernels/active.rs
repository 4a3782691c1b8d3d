//! A vector most of whose entries are zero, as images are.

use super::lanes::{Lanes, as_flat_mut};

/// The entries that are not zero, in ascending order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Active {
    index: Vec<u32>,
    value: Vec<f32>,
}

impl Active {
    /// Room for `n` entries.
    pub fn with_capacity(n: usize) -> Self {
        Self { index: Vec::with_capacity(n + 1), value: Vec::with_capacity(n + 1) }
    }

    /// Replaces the content by the non-zero ones among `bytes`, each as `value_of[byte]`; `value_of[0]` must be 0.
    pub fn read_bytes(&mut self, bytes: &[u8], value_of: &[f32; 256]) {
        // Branchless: every byte is written, only non-zero ones advance. One slot more than there are bytes.
        self.index.resize(bytes.len() + 1, 0);
        self.value.resize(bytes.len() + 1, 0.0);
        let mut n = 0;
        let mut place = 0;
        for chunk in bytes.chunks(8) {
            // Margins are silent for whole runs of pixels.
            if chunk != [0; 8] {
                for (i, &byte) in (place..).zip(chunk) {
                    self.index[n] = i;
                    self.value[n] = value_of[usize::from(byte)];
                    n += usize::from(byte != 0);
                }
            }
            place += 8;
        }
        self.index.truncate(n);
        self.value.truncate(n);
    }

    /// Writes the whole vector, zeros included.
    pub fn write(&self, vector: &mut [Lanes]) {
        vector.fill(Lanes::ZERO);
        let vector = as_flat_mut(vector);
        for (i, x) in self.iter() {
            vector[i] = x;
        }
    }

    /// How many entries are not zero.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// The k-th entry, (place, value). For kernels, in which a loop over k is sure to be inlined and an iterator is not.
    #[inline(always)]
    pub fn at(&self, k: usize) -> (usize, f32) {
        (self.index[k] as usize, self.value[k])
    }

    /// (place, value), ascending.
    #[inline(always)]
    pub fn iter(&self) -> impl Iterator<Item = (usize, f32)> + Clone + '_ {
        self.index.iter().zip(&self.value).map(|(&i, &x)| (i as usize, x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{as_flat, zeros};

    #[test]
    fn entries_survive_wherever_they_lie() {
        let value_of: [f32; 256] = std::array::from_fn(|byte| byte as f32);
        let mut active = Active::with_capacity(27);
        for seed in 0..50_u32 {
            let bytes: Vec<u8> = (0..27).map(|i| if (i * seed) % 7 < 2 { (i + seed) as u8 } else { 0 }).collect();
            active.read_bytes(&bytes, &value_of);
            assert_eq!(active.len(), bytes.iter().filter(|&&b| b != 0).count());
            let mut vector = zeros(27);
            active.write(&mut vector);
            assert!(as_flat(&vector)[..27].iter().zip(&bytes).all(|(&x, &byte)| x == f32::from(byte)));
        }
    }
}
