//! Principal components of a layer's activations: how much variance each carries (Figure 4).
//!
//! Symbols: N samples, n units, X (N × n) activations, C = (X − x̄)ᵀ(X − x̄) / (N − 1) their covariance (n × n),
//! λ_1 ≥ … ≥ λ_n its eigenvalues, which are the variances along the principal components.
//!
//! Everything is float64 whatever the activations are. Matrix product and eigensolver choose their instructions by
//! processor, so the last digits may differ between machines; [`TOLERANCE`] bounds that.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use ndarray_linalg::error::LinalgError;
use ndarray_linalg::{EigValshInto, UPLO};
use thiserror::Error;

#[cfg(not(feature = "openblas"))]
mod lapack;

/// How far a variance may lie from another machine's, relative to the largest variance of the same matrix (the smallest
/// are differences of large numbers, so their own size says nothing).
pub const TOLERANCE: f64 = 1e-10;

/// Samples whose centred rows are held in float64 at once.
const BLOCK: usize = 256;

/// Variances along the principal components, the largest first.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedVariance {
    /// λ_k, in the squared unit of the activations, one per unit. An eigenvalue that rounding made negative is 0: a
    /// covariance has none.
    pub variance: Vec<f64>,
    /// λ_k / Σλ; `None` where the total variance is 0.
    pub ratio: Vec<Option<f64>>,
    /// Σ_{j ≤ k} λ_j / Σλ, which ends at exactly 1; `None` where the total variance is 0.
    pub cumulative_ratio: Vec<Option<f64>>,
}

/// Why activations have no principal components.
#[allow(missing_docs, reason = "the message of a variant says what its fields are")]
#[derive(Debug, Error)]
pub enum DecompositionError {
    #[error("a covariance needs at least 2 samples, got {n_samples}")]
    TooFewSamples { n_samples: usize },
    #[error("a covariance needs at least 1 unit")]
    NoUnits,
    #[error("the activation of unit {unit} is {value} at sample {sample}: only finite numbers have a covariance")]
    NotFinite { sample: usize, unit: usize, value: f32 },
    #[error("the variances of {n_units} units cannot be told apart: the eigensolver failed")]
    Eigensolver {
        n_units: usize,
        #[source]
        source: LinalgError,
    },
}

/// Explained variance of `activations` (n_samples × n_units): centred, divisor N − 1.
///
/// # Errors
///
/// With fewer than two samples, no unit, or a number that is not finite.
pub fn explained_variance(activations: ArrayView2<f32>) -> Result<ExplainedVariance, DecompositionError> {
    let n_units = activations.ncols();
    let variance = covariance(activations)?
        .eigvalsh_into(UPLO::Lower)
        .map_err(|source| DecompositionError::Eigensolver { n_units, source })?;
    // LAPACK returns them ascending.
    let variance: Vec<f64> = variance.iter().rev().map(|&lambda| lambda.max(0.0)).collect();

    let cumulative: Vec<f64> = variance
        .iter()
        .scan(0.0, |sum, lambda| {
            *sum += lambda;
            Some(*sum)
        })
        .collect();
    let total = *cumulative.last().expect("there is at least one unit");
    let share = |x: &f64| (total > 0.0).then(|| x / total);
    Ok(ExplainedVariance {
        ratio: variance.iter().map(share).collect(),
        cumulative_ratio: cumulative.iter().map(share).collect(),
        variance,
    })
}

/// Covariance (n_units × n_units) of `activations` (n_samples × n_units), divisor N − 1, in float64.
///
/// The mean is subtracted before squares are formed: units whose mean is large against their spread, as softplus units are,
/// would otherwise lose their digits.
///
/// # Errors
///
/// As for [`explained_variance`].
pub fn covariance(activations: ArrayView2<f32>) -> Result<Array2<f64>, DecompositionError> {
    let (n_samples, n_units) = activations.dim();
    if n_samples < 2 {
        return Err(DecompositionError::TooFewSamples { n_samples });
    }
    if n_units == 0 {
        return Err(DecompositionError::NoUnits);
    }
    if let Some(((sample, unit), &value)) = activations.indexed_iter().find(|(_, value)| !value.is_finite()) {
        return Err(DecompositionError::NotFinite { sample, unit, value });
    }

    let mut mean = Array1::<f64>::zeros(n_units);
    for row in activations.rows() {
        mean.zip_mut_with(&row, |sum, &x| *sum += f64::from(x));
    }
    mean /= n_samples as f64;

    let mut covariance = Array2::<f64>::zeros((n_units, n_units));
    let mut centred = Array2::<f64>::zeros((BLOCK.min(n_samples), n_units));
    for block in activations.axis_chunks_iter(Axis(0), BLOCK) {
        let mut centred = centred.slice_mut(s![..block.nrows(), ..]);
        for (mut row, x) in centred.rows_mut().into_iter().zip(block.rows()) {
            row.assign(&mean);
            row.zip_mut_with(&x, |c, &x| *c = f64::from(x) - *c);
        }
        ndarray::linalg::general_mat_mul(1.0, &centred.t(), &centred, 1.0, &mut covariance);
    }
    covariance /= (n_samples - 1) as f64;
    Ok(covariance)
}

#[cfg(test)]
mod tests;
