//! What this machine can do on one core, and what a piece of work cannot undercut on it.

use std::fs;
use std::ops::{Add, Mul};
use std::time::{Duration, Instant};

use ojaflow::kernels::Backend;
use ojaflow::kernels::probes::{Probe, limits};
use serde::Serialize;

/// What has to be done, however it is done.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Work {
    pub(crate) multiply_adds: f64,
    /// Bytes that come from the second-level cache, and bytes that go there.
    pub(crate) read: f64,
    pub(crate) written: f64,
}

impl Work {
    /// Seconds that no program can undercut.
    pub(crate) fn floor(self, limits: &Limits) -> f64 {
        let arithmetic = self.multiply_adds / limits.multiply_adds;
        arithmetic.max(self.read / limits.read).max(self.written / limits.written)
    }
}

impl Add for Work {
    type Output = Work;

    fn add(self, other: Work) -> Work {
        Work {
            multiply_adds: self.multiply_adds + other.multiply_adds,
            read: self.read + other.read,
            written: self.written + other.written,
        }
    }
}

impl Mul<f64> for Work {
    type Output = Work;

    fn mul(self, times: f64) -> Work {
        Work { multiply_adds: self.multiply_adds * times, read: self.read * times, written: self.written * times }
    }
}

/// Phases of a computation, each of which waits for the one before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phases(pub(crate) Vec<Work>);

impl Phases {
    pub(crate) fn floor(&self, limits: &Limits) -> f64 {
        self.0.iter().map(|work| work.floor(limits)).sum()
    }

    pub(crate) fn total(&self) -> Work {
        self.0.iter().fold(Work::default(), |sum, &work| sum + work)
    }

    /// The same, `times` over, and then `others`.
    pub(crate) fn repeated(self, times: f64) -> Phases {
        Phases(self.0.into_iter().map(|work| work * times).collect())
    }

    pub(crate) fn followed_by(mut self, others: Phases) -> Phases {
        self.0.extend(others.0);
        self
    }
}

/// Multiply-adds and bytes a second.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Limits {
    pub(crate) multiply_adds: f64,
    /// From the second-level cache.
    pub(crate) read: f64,
    /// To the second-level cache.
    pub(crate) written: f64,
    /// Bytes a second each way where the same are read and written.
    pub(crate) updated: f64,
    /// The same of the first-level cache.
    pub(crate) first_level_read: f64,
    pub(crate) first_level_written: f64,
    /// Bytes that the first-level cache holds.
    pub(crate) first_level_size: f64,
}

impl Limits {
    /// The best that each probe reaches: a limit is what was reached once.
    pub(crate) fn measure(backend: Backend) -> Self {
        // Several times a first-level cache, and so little of a second-level one that no page gets in another's way there.
        const SECOND_LEVEL: usize = 256 << 10;
        const FIRST_LEVEL: usize = 12 << 10;
        let least = |mut probe: Probe| (Times::of(|| probe.run()).least, probe);
        let (seconds, peak) = least(limits::multiply_adds(backend));
        let multiply_adds = peak.multiply_adds / seconds;
        let read = |bytes| {
            let (seconds, probe) = least(limits::reading(backend, bytes));
            probe.read / seconds
        };
        let written = |bytes| {
            let (seconds, probe) = least(limits::writing(backend, bytes));
            probe.written / seconds
        };
        let (seconds, update) = least(limits::updating(backend, SECOND_LEVEL));
        Self {
            multiply_adds,
            read: read(SECOND_LEVEL),
            written: written(SECOND_LEVEL),
            updated: update.written / seconds,
            first_level_read: read(FIRST_LEVEL),
            first_level_written: written(FIRST_LEVEL),
            first_level_size: first_level_size(),
        }
    }

    /// Of `bytes` that were read a moment before, in the opposite order: those that have to be fetched again.
    pub(crate) fn again(&self, bytes: f64) -> f64 {
        (bytes - self.first_level_size).max(0.0)
    }
}

/// As the operating system tells it; 32 KiB, the size of most, where it does not.
fn first_level_size() -> f64 {
    let told = fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index0/size").ok();
    let kibibytes = told.and_then(|text| text.trim().strip_suffix('K')?.parse::<f64>().ok());
    1024.0 * kibibytes.unwrap_or(32.0)
}

/// Seconds a run.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Times {
    pub(crate) median: f64,
    pub(crate) least: f64,
}

impl Times {
    /// Over samples of at least a millisecond each.
    pub(crate) fn of(mut run: impl FnMut()) -> Self {
        const SAMPLES: usize = 41;
        let mut repeats = 1_u32;
        while timed(&mut run, repeats) < Duration::from_millis(1) {
            repeats *= 2;
        }
        let mut seconds: Vec<f64> =
            (0..SAMPLES).map(|_| timed(&mut run, repeats).as_secs_f64() / f64::from(repeats)).collect();
        seconds.sort_by(f64::total_cmp);
        Self { median: seconds[SAMPLES / 2], least: seconds[0] }
    }
}

fn timed(run: &mut impl FnMut(), repeats: u32) -> Duration {
    let start = Instant::now();
    (0..repeats).for_each(|_| run());
    start.elapsed()
}
