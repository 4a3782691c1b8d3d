//! Labelled images on disk → labelled images in memory: IDX files, their checksums, and the folder that holds them.
//!
//! ```text
//! data/mnist/dataset.toml ──find──▶ DataSetInfo ──load──▶ DataSet
//!          (title, sizes, checksums)     │           (pixels, labels)
//!                                        └──identity──▶ key of the `load` stage
//! ```
//!
//! A data set's identity is known from `dataset.toml` alone, so that planning reads no image. Everything read afterwards
//! is checked against it: what `load` returns is what was planned with, or it returns an error.
//!
//! No size that a file claims is trusted. Buffers grow with the bytes that are really there, up to what the header, the
//! 28 × 28 pixels of an image and [`MAX_ITEMS`] allow.

mod description;
mod download;
mod error;
mod fault;
mod idx;
mod import;
mod load;
mod registry;
mod source;
mod words;

pub(crate) use description::identity_of;
pub use description::{DataSetInfo, FileInfo, Role};
pub use download::download;
pub use error::DataError;
pub use fault::FileFault;
pub use idx::{Kind, MAX_ITEMS};
pub use import::{adopt, import};
pub use load::{FileStatus, load, verify};
pub use registry::{find, known, list};
pub use words::is_name;

/// Pixel rows of an image.
pub const ROWS: usize = 28;
/// Pixel columns of an image.
pub const COLS: usize = 28;
/// Pixels of an image, the width of a network's input layer.
pub const PIXELS: usize = ROWS * COLS;

/// The images and labels of one data set, as published: nothing is scaled, shuffled or turned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// What networks are trained on; its last images are the tuning split.
    pub train: Split,
    /// What they are tested on.
    pub test: Split,
}

/// One half of a data set: `n` images of `rows` × `cols` pixels and their `n` labels.
#[derive(Clone, PartialEq, Eq)]
pub struct Split {
    /// `n × rows × cols`, row-major: image by image, row by row; 0 is background, 255 full ink.
    pub pixels: Vec<u8>,
    /// `n` class indices, each below the set's `n_classes`.
    pub labels: Vec<u8>,
    /// Always [`ROWS`].
    pub rows: usize,
    /// Always [`COLS`].
    pub cols: usize,
}

impl Split {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The `rows × cols` pixels of one image, row-major.
    ///
    /// # Panics
    /// If `sample_index` is not below [`len`](Self::len).
    pub fn image(&self, sample_index: usize) -> &[u8] {
        let n_pixels = self.rows * self.cols;
        &self.pixels[sample_index * n_pixels..(sample_index + 1) * n_pixels]
    }
}

/// Sizes only: the pixels of 60,000 images in a failed assertion help nobody.
impl std::fmt::Debug for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Split({} images of {} × {})", self.len(), self.rows, self.cols)
    }
}
