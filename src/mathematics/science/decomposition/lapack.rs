//! The LAPACK routine that `ndarray-linalg` calls for a symmetric matrix, on top of faer.
//!
//! `ndarray-linalg` without a backend feature leaves the LAPACK symbols open, and the linker asks only for those that are
//! reached. Defining the one we reach means that no system library is needed, that its version is pinned in `Cargo.lock`,
//! and that it runs on the calling thread only: tasks run side by side, and threads of its own would compete with them.
//! With the feature `openblas` this module is absent and the system library defines the symbol.

#![allow(unsafe_code, reason = "the signatures of LAPACK's entry points are raw pointers")]

use std::ffi::{c_char, c_int};

use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, MatMut, MatRef, Par};

/// Positions of `DSYEV`'s arguments, which it reports negated in `info` when one is wrong.
const JOBZ: c_int = 1;
const UPLO: c_int = 2;
const N: c_int = 3;
const LDA: c_int = 5;

/// LAPACK's `DSYEV`: eigenvalues `w` (ascending) of the symmetric `n × n` matrix `a`, and with `jobz = 'V'` its orthonormal
/// eigenvectors, which then replace `a` column by column.
///
/// As in LAPACK, only the triangle named by `uplo` is read; `lwork = −1` asks for the size of `work`, which is 1, for the
/// real workspace is allocated here; `info` is 0, −i for a wrong i-th argument, or positive where nothing converged (a
/// matrix with a number that is not finite included). A panic in here would abort the process; faer panics on broken
/// shapes only, and the shapes are checked.
///
/// # Safety
///
/// As for LAPACK: `a` points to `n` columns of `lda ≥ n` numbers of which the named triangle is initialised, `w` to room
/// for `n` numbers, `work` to room for one, and the rest each to one readable value (`info`: writable).
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn dsyev_(
    jobz: *const c_char,
    uplo: *const c_char,
    n: *const c_int,
    a: *mut f64,
    lda: *const c_int,
    w: *mut f64,
    work: *mut f64,
    lwork: *const c_int,
    info: *mut c_int,
) {
    // SAFETY: the caller promises that each of these points to one readable value.
    let (jobz, uplo, n, lda, lwork) = unsafe { (*jobz as u8, *uplo as u8, *n, *lda, *lwork) };
    let status = match (jobz, uplo) {
        (b'N' | b'n' | b'V' | b'v', b'U' | b'u' | b'L' | b'l') if n < 0 => -N,
        (b'N' | b'n' | b'V' | b'v', b'U' | b'u' | b'L' | b'l') if lda < n.max(1) => -LDA,
        (b'N' | b'n' | b'V' | b'v', b'U' | b'u' | b'L' | b'l') => {
            // SAFETY: the caller promises room for one number, also for the size query.
            unsafe { *work = 1.0 };
            if lwork == -1 || n == 0 {
                0
            } else {
                let vectors = matches!(jobz, b'V' | b'v');
                let lower = matches!(uplo, b'L' | b'l');
                // SAFETY: the caller promises `n` columns of `lda` numbers behind `a` and `n` numbers behind `w`, which do
                // not overlap; `n ≥ 1` and `lda ≥ n` were checked above, so the conversions to usize are exact.
                unsafe { symmetric_eigen(vectors, lower, n as usize, a, lda as usize, w) }
            }
        }
        (b'N' | b'n' | b'V' | b'v', _) => -UPLO,
        _ => -JOBZ,
    };
    // SAFETY: the caller promises that `info` is writable.
    unsafe { *info = status };
}

/// # Safety
///
/// `a` points to `n` columns of `lda ≥ n` numbers, the named triangle initialised, and `w` to room for `n` numbers.
unsafe fn symmetric_eigen(vectors: bool, lower: bool, n: usize, a: *mut f64, lda: usize, w: *mut f64) -> c_int {
    // SAFETY: that is what the caller promises; the view ends before `a` is written below.
    let view = unsafe { MatRef::from_raw_parts(a.cast_const(), n, n, 1, lda as isize) };
    // faer reads the lower triangle, so the upper one is handed over as the lower one of the transpose.
    let triangle = if lower { view } else { view.transpose() };
    let not_finite = (0..n).any(|j| (j..n).any(|i| !triangle[(i, j)].is_finite()));
    if not_finite {
        return n as c_int;
    }

    let (par, compute) = (Par::Seq, if vectors { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No });
    let mut values = vec![0.0; n];
    let mut basis = vectors.then(|| Mat::<f64>::zeros(n, n));
    let mut scratch = MemBuffer::new(self_adjoint_evd_scratch::<f64>(n, compute, par, Default::default()));
    let outcome = self_adjoint_evd(
        triangle,
        DiagMut::from_slice_mut(&mut values),
        basis.as_mut().map(|basis| basis.as_mut()),
        par,
        MemStack::new(&mut scratch),
        Default::default(),
    );
    if outcome.is_err() {
        return n as c_int;
    }

    // SAFETY: the caller promises room for `n` numbers behind `w`.
    unsafe { w.copy_from_nonoverlapping(values.as_ptr(), n) };
    if let Some(basis) = basis {
        // SAFETY: as for `view`, which is not used any more.
        unsafe { MatMut::from_raw_parts_mut(a, n, n, 1, lda as isize) }.copy_from(&basis);
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls the routine as a C program would, on a column-major matrix with leading dimension `lda`.
    fn dsyev(jobz: u8, uplo: u8, n: c_int, a: &mut [f64], lda: c_int) -> (Vec<f64>, c_int) {
        let mut values = vec![f64::NAN; n.max(0) as usize];
        let (mut work, mut info) = (0.0, c_int::MIN);
        // SAFETY: every buffer has the size that the routine documents.
        unsafe {
            dsyev_(
                &(jobz as c_char),
                &(uplo as c_char),
                &n,
                a.as_mut_ptr(),
                &lda,
                values.as_mut_ptr(),
                &mut work,
                &1,
                &mut info,
            );
        }
        (values, info)
    }

    #[test]
    fn reads_only_the_named_triangle_and_keeps_to_the_leading_dimension() {
        // [[2, 1], [1, 2]] has the eigenvalues 1 and 3; rubbish stands in the other triangle and in the padding row.
        for (uplo, entries) in
            [(b'L', [2.0, 1.0, 7.5, f64::NAN, 2.0, 7.5]), (b'U', [2.0, f64::NAN, 7.5, 1.0, 2.0, 7.5])]
        {
            for jobz in [b'N', b'V'] {
                let mut a = entries;
                let (values, info) = dsyev(jobz, uplo, 2, &mut a, 3);
                assert_eq!(info, 0);
                assert!((values[0] - 1.0).abs() < 1e-15 && (values[1] - 3.0).abs() < 1e-15, "{values:?}");
                assert_eq!((a[2], a[5]), (7.5, 7.5));
                if jobz == b'V' {
                    let half = std::f64::consts::FRAC_1_SQRT_2;
                    assert!(
                        (a[0] + a[1]).abs() < 1e-15 && (a[3] - a[4]).abs() < 1e-15 && (a[3].abs() - half).abs() < 1e-15
                    );
                }
            }
        }
    }

    #[test]
    fn wrong_arguments_and_numbers_that_are_not_finite_are_reported_as_in_lapack() {
        assert_eq!(dsyev(b'X', b'L', 1, &mut [1.0], 1).1, -JOBZ);
        assert_eq!(dsyev(b'V', b'X', 1, &mut [1.0], 1).1, -UPLO);
        assert_eq!(dsyev(b'V', b'L', -1, &mut [1.0], 1).1, -N);
        assert_eq!(dsyev(b'V', b'L', 2, &mut [1.0; 4], 1).1, -LDA);
        assert_eq!(dsyev(b'V', b'L', 0, &mut [], 1).1, 0);
        assert!(dsyev(b'V', b'L', 2, &mut [1.0, f64::INFINITY, 0.0, 1.0], 2).1 > 0);
        assert_eq!(dsyev(b'V', b'L', 1, &mut [-4.0], 1), (vec![-4.0], 0));
    }
}
