//! Where in a network something is measured.

/// Where in a network something is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// ℓ.
    pub layer: usize,
    /// t, from 1, of a layer that has a time.
    pub time_step: Option<usize>,
}

impl Place {
    /// A layer of a network without time.
    pub fn layer(layer: usize) -> Self {
        Self { layer, time_step: None }
    }

    /// A layer at a time.
    pub fn at(layer: usize, time_step: usize) -> Self {
        Self { layer, time_step: Some(time_step) }
    }
}
