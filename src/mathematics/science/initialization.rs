//! Initial weights.

use super::InvalidParameter;
use super::seed::Stream;

/// The distribution of initial weights. Every layer draws from its own stream, row-major (n_ℓ × n_{ℓ-1}), in double
/// precision, rounded once to single.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initialization {
    /// U(±√(6 / (n_{ℓ-1} + n_ℓ))), equation (3).
    Xavier,
    /// N(0, std²) whatever the layer's size, section 2.2; the paper's N(0, 0.01) is read as a standard deviation.
    Naive {
        /// Standard deviation.
        std: f64,
    },
    /// N(0, 2 / n_{ℓ-1}), He et al. 2015 (fan-in).
    Kaiming,
    /// Orthonormal rows, or columns where there are fewer of them, uniform among all such matrices (Saxe et al. 2014).
    Orthogonal,
}

impl Initialization {
    /// The same, if its parameter makes sense.
    ///
    /// # Errors
    /// If the standard deviation is negative or not finite.
    pub fn check(self) -> Result<Self, InvalidParameter> {
        match self {
            Initialization::Naive { std } if !(std >= 0.0 && std.is_finite()) => Err(InvalidParameter::new(format!(
                "naive initialization: std must be finite and not negative, found {std}"
            ))),
            other => Ok(other),
        }
    }

    /// The standard deviation, where it is a parameter.
    pub fn std(self) -> Option<f64> {
        match self {
            Initialization::Naive { std } => Some(std),
            _ => None,
        }
    }

    /// Weights from `n_in` to `n_out` units, asked for in rows of `n_columns`.
    pub(crate) fn rows(
        self,
        (n_in, n_out): (usize, usize),
        n_columns: usize,
        stream: &mut Stream,
    ) -> impl FnMut(&mut [f32]) {
        // The rows of an orthogonal matrix are not independent: it exists before the first is asked for.
        let whole = match self {
            Initialization::Orthogonal => orthonormal(n_in * n_out / n_columns, n_columns, stream),
            _ => Vec::new(),
        };
        let mut taken = 0;
        move |row| {
            if self == Initialization::Orthogonal {
                row.iter_mut().zip(&whole[taken..]).for_each(|(w, x)| *w = *x as f32);
                taken += row.len();
            } else {
                self.draw(n_in, n_out, stream, row);
            }
        }
    }

    /// The next weights of a matrix whose entries are independent.
    fn draw(self, n_in: usize, n_out: usize, stream: &mut Stream, weights: &mut [f32]) {
        let mut drawn = [0.0; 256];
        for weights in weights.chunks_mut(drawn.len()) {
            let drawn = &mut drawn[..weights.len()];
            match self {
                Initialization::Xavier => {
                    stream.uniforms(drawn);
                    let limit = libm::sqrt(6.0 / (n_in + n_out) as f64);
                    drawn.iter_mut().for_each(|x| *x = limit * (2.0 * *x - 1.0));
                }
                Initialization::Naive { std } => {
                    stream.normals(drawn);
                    drawn.iter_mut().for_each(|x| *x *= std);
                }
                Initialization::Kaiming => {
                    stream.normals(drawn);
                    let std = libm::sqrt(2.0 / n_in as f64);
                    drawn.iter_mut().for_each(|x| *x *= std);
                }
                Initialization::Orthogonal => unreachable!("its rows are not independent"),
            }
            weights.iter_mut().zip(drawn).for_each(|(w, x)| *w = *x as f32);
        }
    }
}

/// A matrix of normal numbers, its rows (or columns, where there are fewer) made orthonormal one after the other, row-major.
///
/// Gram and Schmidt's way, each vector freed of its predecessors twice, after which nothing of them is left but rounding
/// (Giraud, Langou & Rozloznik 2005). Numbers are added in a fixed order, so that every machine draws the same.
fn orthonormal(n_rows: usize, n_columns: usize, stream: &mut Stream) -> Vec<f64> {
    let mut matrix = vec![0.0; n_rows * n_columns];
    stream.normals(&mut matrix);
    // Component k of vector v.
    let place = |v: usize, k: usize| if n_rows <= n_columns { v * n_columns + k } else { k * n_columns + v };
    let (n_vectors, length) = (n_rows.min(n_columns), n_rows.max(n_columns));
    for v in 0..n_vectors {
        for earlier in (0..v).chain(0..v) {
            let along: f64 = (0..length).map(|k| matrix[place(v, k)] * matrix[place(earlier, k)]).sum();
            (0..length).for_each(|k| matrix[place(v, k)] -= along * matrix[place(earlier, k)]);
        }
        let norm = libm::sqrt((0..length).map(|k| matrix[place(v, k)].powi(2)).sum());
        (0..length).for_each(|k| matrix[place(v, k)] /= norm);
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::super::seed::{Purpose, stream};
    use super::*;

    /// (mean, variance, largest magnitude) of many weights.
    fn moments(initialization: Initialization) -> (f64, f64, f64) {
        let mut s = stream(11, Purpose::ForwardWeights, 1);
        let n = 100_000;
        let mut draws = vec![0.0; n as usize];
        initialization.draw(150, 50, &mut s, &mut draws);
        let draws: Vec<f64> = draws.into_iter().map(f64::from).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / f64::from(n);
        (mean, variance, draws.iter().fold(0.0, |m, w| w.abs().max(m)))
    }

    #[test]
    fn variances_are_those_of_the_definitions() {
        let (mean, variance, largest) = moments(Initialization::Xavier);
        assert!(mean.abs() < 2e-3 && (variance / 0.01 - 1.0).abs() < 0.02 && largest <= 0.03_f64.sqrt());
        let (mean, variance, _) = moments(Initialization::Naive { std: 0.01 });
        assert!(mean.abs() < 2e-4 && (variance / 1e-4 - 1.0).abs() < 0.02);
        let (mean, variance, _) = moments(Initialization::Kaiming);
        assert!(mean.abs() < 2e-3 && (variance / (2.0 / 150.0) - 1.0).abs() < 0.02);
    }

    /// Rows of length 1 at right angles; turned over where the matrix is tall. Signs are fair: Gram and Schmidt's way leaves
    /// the first number of a row as normal as it was drawn.
    #[test]
    fn orthogonal_weights_are_orthonormal_whatever_their_shape() {
        for (n_in, n_out) in [(40, 40), (40, 17), (17, 40), (1, 5)] {
            let mut s = stream(11, Purpose::ForwardWeights, 1);
            let mut next = Initialization::Orthogonal.rows((n_in, n_out), n_in, &mut s);
            let rows: Vec<Vec<f64>> = (0..n_out)
                .map(|_| {
                    let mut row = vec![0.0; n_in];
                    next(&mut row);
                    row.into_iter().map(f64::from).collect()
                })
                .collect();
            let vectors: Vec<Vec<f64>> =
                if n_out <= n_in { rows } else { (0..n_in).map(|i| rows.iter().map(|row| row[i]).collect()).collect() };
            for (a, left) in vectors.iter().enumerate() {
                for (b, right) in vectors.iter().enumerate() {
                    let product: f64 = left.iter().zip(right).map(|(x, y)| x * y).sum();
                    let expected = f64::from(u8::from(a == b));
                    assert!((product - expected).abs() < 1e-6, "{n_out} × {n_in}: {a} and {b}: {product}");
                }
            }
        }
        let firsts = (0..2000).map(|seed| {
            let mut s = stream(seed, Purpose::ForwardWeights, 1);
            let mut row = vec![0.0; 3];
            Initialization::Orthogonal.rows((3, 3), 3, &mut s)(&mut row);
            f64::from(row[0])
        });
        // Of a vector that is uniform on a sphere in three dimensions, a component has mean 0 and variance 1/3.
        let (sum, squares) = firsts.fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
        assert!((sum / 2000.0).abs() < 0.04 && (squares / 2000.0 - 1.0 / 3.0).abs() < 0.03, "{sum} {squares}");
    }

    #[test]
    fn a_negative_deviation_is_refused() {
        assert!(Initialization::Naive { std: -0.1 }.check().is_err());
        assert!(Initialization::Naive { std: f64::NAN }.check().is_err());
    }
}
