//! Runs on other machines. A lock tells whether a run lives where it is seen; on a file system whose locks stay within a machine
//! (Lustre with `localflock`, NFS with `local_lock`), or that has none at all, it is the run's heartbeat that tells: the time of
//! its file, which it renews for as long as it lives. That time is compared with that of another file, renewed at that moment
//! and in the same way, and never with a clock.

use std::path::Path;
use std::sync::LazyLock;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::layout::{Layout, RUN, name};
use crate::files;

/// How often a run renews the time of its file.
const BEAT: Duration = Duration::from_secs(20);

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

    /// What the names of its runs begin with.
    pub(super) fn prefix(&self) -> String {
        format!("{RUN}{}-", self.0)
    }

    /// Whether a run is one of this machine, whose lock is seen here; so are those that do not say where they were.
    pub(super) fn is_home_of(&self, run: &str) -> bool {
        let rest = run.strip_prefix(RUN).unwrap_or(run);
        rest.split_once('-').is_none_or(|(host, _)| host == self.0)
    }
}

/// What people call this machine; `OJAFLOW_HOST`, where several have the same name.
pub(super) fn machine_name() -> String {
    if let Some(name) = std::env::var_os("OJAFLOW_HOST").filter(|name| !name.is_empty()) {
        return name.to_string_lossy().into_owned();
    }
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What the time of the file system is now.
#[derive(Clone, Copy, Debug)]
struct Now {
    time: Option<SystemTime>,
    gone_after: Duration,
}

impl Now {
    /// Asked only where it is needed; without leave to write, nobody can know.
    fn of(layout: &Layout) -> Self {
        let path = layout.collecting_path();
        let time = files::touch(&path).and_then(|()| files::metadata(&path)?.modified()).ok();
        Self { time, gone_after: layout.gone_after() }
    }

    /// Whether a file has been renewed of late; yes, where it cannot be known.
    fn is_fresh(self, path: &Path) -> bool {
        let renewed = files::metadata(path).and_then(|found| found.modified());
        match (self.time, renewed) {
            (_, Err(error)) => !files::is_nothing(&error),
            (None, _) => true,
            (Some(now), Ok(renewed)) => now.duration_since(renewed).map_or(true, |age| age < self.gone_after),
        }
    }
}

/// Whether a run that is not seen to hold its lock may live all the same: on another machine, or on this one where there are
/// no locks.
pub(super) fn may_live(layout: &Layout, run: &Path, are_locks: bool) -> bool {
    let is_here = name(run).is_some_and(|name| layout.host().is_home_of(name));
    !(is_here && are_locks) && Now::of(layout).is_fresh(run)
}

/// A thread that renews the time of a run's file until this is dropped.
#[derive(Debug)]
pub(super) struct Heart {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    /// Best effort: without it, the run is seen where its lock is.
    pub(super) fn of(run: &Path) -> Self {
        let (stop, stopped) = channel::<()>();
        let run = run.to_owned();
        let beat = move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let _ = files::touch(&run);
            }
        };
        let thread = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(beat).ok();
        Self { stop: Some(stop), thread }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_run_is_at_home_where_its_name_says() {
        let (here, there) = (Host::named(b"here"), Host::named(b"there"));
        let run = format!("{}0123456789ab", here.prefix());
        assert!(here.is_home_of(&run) && !there.is_home_of(&run));
        assert!(there.is_home_of("run-0123456789ab"), "of a version that did not say");
        assert_eq!(Host::this(), Host::this());
    }

    #[test]
    fn a_file_is_fresh_by_the_time_of_its_file_system() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let run = folder.path().join("run");
        fs::write(&run, "").unwrap();
        assert!(Now::of(&layout).is_fresh(&run), "it cannot be known");
        fs::create_dir_all(layout.collecting_path().parent().unwrap()).unwrap();
        fs::write(layout.collecting_path(), "").unwrap();
        assert!(Now::of(&layout).is_fresh(&run));
        let long_ago = SystemTime::now() - 2 * GONE_AFTER;
        fs::File::options().write(true).open(&run).unwrap().set_modified(long_ago).unwrap();
        assert!(!Now::of(&layout).is_fresh(&run));
        files::touch(&run).unwrap();
        assert!(Now::of(&layout).is_fresh(&run));
        assert!(!Now::of(&layout).is_fresh(&folder.path().join("gone")));
    }
}
