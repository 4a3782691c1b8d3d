//! Runs on other machines. A lock tells whether a run lives where it is seen; on a file system whose locks stay within a machine
//! (Lustre with `localflock`, NFS with `local_lock`), or that has none at all, it is the run's heartbeat that tells: the time of
//! its file, which it renews for as long as it lives. That time is compared with that of another file, renewed at that moment
//! and in the same way, and never with a clock.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::layout::{Layout, name};
use crate::files;

/// How often a run renews the time of its file.
const BEAT: Duration = Duration::from_secs(20);

/// What a run on another machine is at is left to it for so long after its last heartbeat.
const SILENT_AFTER: Duration = Duration::from_secs(100);

/// What the time of the file system is now.
#[derive(Clone, Copy, Debug)]
struct Now {
    time: Option<SystemTime>,
    gone_after: Duration,
}

impl Now {
    /// Asked only where it is needed; without leave to write, nobody can know.
    fn of(layout: &Layout, gone_after: Duration) -> Self {
        let path = layout.collecting_path();
        let time = files::touch(&path).and_then(|()| files::metadata(&path)?.modified()).ok();
        Self { time, gone_after }
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
    is_fresh(layout, run, are_locks, layout.gone_after())
}

/// The same, of a run that others would wait for: not for long, as what it makes may be made twice.
pub(super) fn is_heard(layout: &Layout, run: &Path, are_locks: bool) -> bool {
    is_fresh(layout, run, are_locks, layout.gone_after().min(SILENT_AFTER))
}

fn is_fresh(layout: &Layout, run: &Path, are_locks: bool, gone_after: Duration) -> bool {
    let is_here = name(run).is_some_and(|name| layout.is_home_of(name));
    !(is_here && are_locks) && Now::of(layout, gone_after).is_fresh(run)
}

/// A thread that renews the time of a run's file until this is dropped.
#[derive(Debug)]
pub(super) struct Heart {
    run: PathBuf,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    /// Best effort: without it, the run is seen where its lock is.
    pub(super) fn of(run: &Path) -> Self {
        let (stop, stopped) = channel::<()>();
        let renewed = run.to_owned();
        let beat = move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let _ = files::touch(&renewed);
            }
        };
        let thread = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(beat).ok();
        Self { run: run.to_owned(), stop: Some(stop), thread }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // Nobody elsewhere has to wait until it is taken for dead.
        let _ = files::antedate(&self.run);
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
        let is_fresh = |run: &Path| Now::of(&layout, GONE_AFTER).is_fresh(run);
        let run = folder.path().join("run");
        fs::write(&run, "").unwrap();
        assert!(is_fresh(&run), "it cannot be known");
        fs::create_dir_all(layout.collecting_path().parent().unwrap()).unwrap();
        fs::write(layout.collecting_path(), "").unwrap();
        assert!(is_fresh(&run));
        let long_ago = fs::metadata(&run).unwrap().modified().unwrap() - 2 * GONE_AFTER;
        fs::File::options().write(true).open(&run).unwrap().set_modified(long_ago).unwrap();
        assert!(!is_fresh(&run));
        files::touch(&run).unwrap();
        assert!(is_fresh(&run));
        assert!(!is_fresh(&folder.path().join("gone")));
        drop(Heart::of(&run));
        assert!(!is_fresh(&run), "it ended, and needs no time to be taken for dead");
    }
}
