//! Which machine this is.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use crate::files;

/// A run on another machine that has not renewed it for so long is taken for dead. Long enough for a file server that hangs,
/// and for clocks that differ where the file system takes its times from them.
pub(super) const GONE_AFTER: Duration = Duration::from_secs(15 * 60);

/// What tells this machine, since it was started, from every other: 8 hex digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host(String);

impl Host {
    pub(super) fn this() -> Self {
        static THIS: LazyLock<Host> = LazyLock::new(|| {
            // Containers on one machine have its boot id, and share its locks where they share a file system.
            let boot = files::read(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default();
            Host::named(&[boot, machine_name().into_bytes()].concat())
        });
        THIS.clone()
    }

    /// The machine of this name.
    pub(super) fn named(name: &[u8]) -> Self {
        Self(blake3::hash(name).to_hex()[..8].to_owned())
    }

    /// Its digits.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What people call this machine; `OJAFLOW_HOST`, where several have the same name.
pub(super) fn machine_name() -> String {
    if let Some(name) = std::env::var_os("OJAFLOW_HOST").filter(|name| !name.is_empty()) {
        return name.to_string_lossy().into_owned();
    }
    let name = files::read(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    String::from_utf8_lossy(&name).trim().to_owned()
}
