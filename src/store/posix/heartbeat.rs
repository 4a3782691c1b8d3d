//! Runs on other machines. A lock tells whether a run lives where it is seen; on a file system whose locks stay within a machine
//! (Lustre with `localflock`, NFS with `local_lock`), or that has none at all, it is the run's heartbeat that tells: the time of
//! its file, which it renews for as long as it lives. That time is compared with that of another file, renewed at that moment
//! and in the same way, and never with a clock.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::layout::{Layout, name};
use crate::files;

/// How often a run renews the time of its file.
const BEAT: Duration = Duration::from_secs(20);

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
    let is_here = name(run).is_some_and(|name| layout.is_home_of(name));
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

    use super::super::host::GONE_AFTER;
    use super::*;

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
        let long_ago = fs::metadata(&run).unwrap().modified().unwrap() - 2 * GONE_AFTER;
        fs::File::options().write(true).open(&run).unwrap().set_modified(long_ago).unwrap();
        assert!(!Now::of(&layout).is_fresh(&run));
        files::touch(&run).unwrap();
        assert!(Now::of(&layout).is_fresh(&run));
        assert!(!Now::of(&layout).is_fresh(&folder.path().join("gone")));
    }
}
