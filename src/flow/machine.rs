//! What this computer is.

use std::fs;

use super::cores;
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

/// Where Linux tells.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Where Linux tells.
fn processor() -> Option<String> {
    let information = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = information.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
}
