//! What this computer is.

use std::fs;

use crate::error::{Error, Result};
use crate::kernels::Backend;

/// The computer that the program runs on. No result depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The processor's name, where the system tells.
    pub processor: Option<String>,
    /// Cores that this process may use.
    pub cores: usize,
    /// The instruction set that the kernels use.
    pub kernels: String,
    /// The most memory that this process has held so far, in bytes, where the system tells.
    pub peak_memory: Option<u64>,
}

impl Machine {
    /// This one.
    ///
    /// # Errors
    /// `OJAFLOW_KERNELS` asks for instructions that there are not.
    pub fn this() -> Result<Self> {
        let kernels = Backend::choose().map_err(|error| Error::usage(error.to_string()))?.to_string();
        Ok(Self { processor: processor(), cores: cores(), kernels, peak_memory: peak_memory() })
    }
}

/// Whether the kernels are the portable ones of x86-64: a fused multiply-add has no instruction there and is computed in double
/// precision.
pub(super) fn portable_kernels() -> bool {
    let portable = Backend::choose().is_ok_and(|backend| backend.to_string() == "portable");
    portable && cfg!(all(target_arch = "x86_64", not(target_feature = "fma")))
}

/// Bytes of memory that this process may have, as far as the system tells: what there is, less where a container or a
/// limit of the shell gives less.
pub(super) fn memory() -> Option<u64> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let all = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(number(line.trim().strip_suffix("kB")?)? * 1024)
    });
    let container = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .map(|file| fs::read_to_string(file).ok().and_then(|text| number(&text)));
    let shell = fs::read_to_string("/proc/self/limits").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("Max address space"))?;
        let limit = number(line.split_whitespace().next()?)?;
        // Of addresses, the program itself and its threads have taken their part already.
        Some(limit.saturating_sub(status("VmSize:").unwrap_or(0)))
    });
    container.into_iter().chain([all, shell]).flatten().min()
}

/// Cores that this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Where Linux tells.
fn peak_memory() -> Option<u64> {
    status("VmHWM:")
}

/// What Linux says of this process under a name, in bytes.
fn status(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Where Linux tells.
fn processor() -> Option<String> {
    let information = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = information.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
}
