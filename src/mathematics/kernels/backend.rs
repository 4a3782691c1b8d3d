//! Which instructions the kernels use: asked of the processor once, or forced by `OJAFLOW_KERNELS`.

#![allow(unsafe_code, reason = "the proof that this processor has the instructions is made here")]

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use super::invalid::InvalidParameter;
#[cfg(target_arch = "aarch64")]
use super::neon::Neon;
use super::simd::{Portable, Simd};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512};

/// The variable that forces a backend.
const VARIABLE: &str = "OJAFLOW_KERNELS";

/// A set of instructions. All return the same bits; they differ in speed only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Plain Rust, any processor.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512.
    Avx512,
    /// NEON, of 64-bit ARM.
    Neon,
}

impl Backend {
    /// Every backend, slowest first.
    pub const ALL: [Backend; 4] = [Backend::Portable, Backend::Avx2, Backend::Avx512, Backend::Neon];

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        match self {
            Backend::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2 => Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512 => Avx512::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Backend::Avx2 | Backend::Avx512 => false,
            #[cfg(target_arch = "aarch64")]
            Backend::Neon => Neon::detect().is_some(),
            #[cfg(not(target_arch = "aarch64"))]
            Backend::Neon => false,
        }
    }

    /// The backends of this processor, slowest first.
    pub fn available() -> impl Iterator<Item = Backend> {
        Self::ALL.into_iter().filter(|b| b.is_available())
    }

    /// The backend that `OJAFLOW_KERNELS` names, or else the fastest of this processor.
    ///
    /// # Errors
    /// If the variable names no backend, or one that this processor lacks.
    pub fn choose() -> Result<Backend, InvalidParameter> {
        static CHOICE: OnceLock<Result<Backend, InvalidParameter>> = OnceLock::new();
        CHOICE
            .get_or_init(|| match std::env::var(VARIABLE) {
                Ok(name) => {
                    let forced: Backend =
                        name.parse().map_err(|e| InvalidParameter::new(format!("{VARIABLE}: {e}")))?;
                    if forced.is_available() {
                        Ok(forced)
                    } else {
                        let choices = Self::available().map(|b| b.to_string()).collect::<Vec<_>>().join(", ");
                        Err(InvalidParameter::new(format!(
                            "{VARIABLE}={forced}: this processor does not have it; it has: {choices}"
                        )))
                    }
                }
                Err(_) => Ok(Self::available().last().expect("the portable backend is always available")),
            })
            .clone()
    }
}

/// [`Backend::choose`], for code that runs after the program has checked it at start-up.
///
/// # Panics
/// If `OJAFLOW_KERNELS` is wrong.
pub fn backend() -> Backend {
    Backend::choose().unwrap_or_else(|e| panic!("{e}"))
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Backend::Portable => "portable",
            Backend::Avx2 => "avx2",
            Backend::Avx512 => "avx512",
            Backend::Neon => "neon",
        })
    }
}

impl FromStr for Backend {
    type Err = InvalidParameter;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|b| b.to_string() == name).ok_or_else(|| {
            let choices = Self::ALL.map(|b| b.to_string()).join(", ");
            InvalidParameter::new(format!("`{name}` is none of: {choices}"))
        })
    }
}

/// A loop that [`dispatch`] compiles for each backend. `run` and all that it calls must be `#[inline(always)]`: only
/// what is inlined into the `#[target_feature]` function is compiled with its instructions.
pub(crate) trait Kernel {
    type Output;
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs a kernel with the instructions of `backend`.
///
/// # Panics
/// If the processor lacks them.
pub(crate) fn dispatch<K: Kernel>(backend: Backend, kernel: K) -> K::Output {
    match backend {
        Backend::Portable => kernel.run(Portable),
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2 => {
            let simd = Avx2::detect().expect("the backend was chosen among the available ones");
            // SAFETY: `simd` proves that the processor has AVX2 and FMA.
            unsafe { with_avx2(simd, kernel) }
        }
        #[cfg(target_arch = "x86_64")]
        Backend::Avx512 => {
            let simd = Avx512::detect().expect("the backend was chosen among the available ones");
            // SAFETY: `simd` proves that the processor has AVX-512F, AVX-512VL, AVX2 and FMA.
            unsafe { with_avx512(simd, kernel) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Backend::Avx2 | Backend::Avx512 => unreachable!("not available on this architecture"),
        #[cfg(target_arch = "aarch64")]
        Backend::Neon => {
            let simd = Neon::detect().expect("the backend was chosen among the available ones");
            // SAFETY: `simd` proves that the processor has NEON.
            unsafe { with_neon(simd, kernel) }
        }
        #[cfg(not(target_arch = "aarch64"))]
        Backend::Neon => unreachable!("not available on this architecture"),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<K: Kernel>(simd: Avx2, kernel: K) -> K::Output {
    kernel.run(simd)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
fn with_avx512<K: Kernel>(simd: Avx512, kernel: K) -> K::Output {
    kernel.run(simd)
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn with_neon<K: Kernel>(simd: Neon, kernel: K) -> K::Output {
    kernel.run(simd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_a_wrong_one_lists_the_choices() {
        for backend in Backend::ALL {
            assert_eq!(backend.to_string().parse::<Backend>().unwrap(), backend);
        }
        assert_eq!("sse".parse::<Backend>().unwrap_err().to_string(), "`sse` is none of: portable, avx2, avx512, neon");
    }
}
