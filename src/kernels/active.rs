//! A vector most of whose entries are zero, as images are.

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
        for (i, &byte) in bytes.iter().enumerate() {
            self.index[n] = i as u32;
            self.value[n] = value_of[usize::from(byte)];
            n += usize::from(byte != 0);
        }
        self.index.truncate(n);
        self.value.truncate(n);
    }

    /// How many entries are not zero.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// (place, value), ascending.
    #[inline(always)]
    pub fn iter(&self) -> impl Iterator<Item = (usize, f32)> + Clone + '_ {
        self.index.iter().zip(&self.value).map(|(&i, &x)| (i as usize, x))
    }
}
