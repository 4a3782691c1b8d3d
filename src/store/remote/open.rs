//! A remote, for who waits.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::runtime::{Builder, Runtime};

use super::bucket::Bucket;
use super::{Raced, Transferred, Watch, check, pull, push};
use crate::error::{Error, Result};
use crate::store::{Key, Session, Store};

/// How often it is looked whether the user wants to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Results in an object store.
#[derive(Debug)]
pub struct Remote {
    bucket: Bucket,
    runtime: Runtime,
}

impl Remote {
    /// The results at a URL: `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///…`. Credentials and the endpoint come from the
    /// environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …). Nothing is asked of it yet.
    ///
    /// # Errors
    /// The URL is none, or something that it needs is missing.
    pub fn open(url: &str) -> Result<Self> {
        Self::with(Bucket::at(url)?)
    }

    pub(super) fn with(bucket: Bucket) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Error::Store(format!("cannot connect to {}: the system refuses: {error}", bucket.url()))
        })?;
        Ok(Self { bucket, runtime })
    }

    /// As messages call it.
    pub fn url(&self) -> &str {
        self.bucket.url()
    }

    /// Tries whether anybody is there, and lets us in.
    ///
    /// # Errors
    /// Nobody is, or we are refused.
    pub fn reach(&self, watch: Watch<'_>) -> Result<()> {
        self.wait(watch.interrupt, self.bucket.reach())
    }

    /// The keys of all results.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn keys(&self, watch: Watch<'_>) -> Result<Vec<Key>> {
        let keys = async { Ok(self.bucket.keys().await?.iter().cloned().collect()) };
        self.wait(watch.interrupt, keys)
    }

    /// Sends those results of a local store that are not there yet. What is damaged here is not sent, but told.
    ///
    /// # Errors
    /// The local store cannot be read, or the remote not be written; what arrived before stays, and is not sent again.
    pub fn push(&self, local: &dyn Store, keys: &[Key], watch: Watch<'_>) -> Result<Transferred> {
        self.wait(watch.interrupt, push::push(&self.bucket, local, keys, watch))
    }

    /// Fetches those results that are not in the local store yet. What is damaged there is not taken, but told.
    ///
    /// # Errors
    /// The remote cannot be read, or the local store not be written; what arrived before stays, and is not fetched again.
    pub fn pull(&self, local: &dyn Session, keys: &[Key], watch: Watch<'_>) -> Result<Transferred> {
        self.wait(watch.interrupt, pull::pull(&self.bucket, local, keys, watch))
    }

    /// Tries whether results can be kept there: puts, gets, lists and removes an object of its own, and lets
    /// [`WRITERS`](super::WRITERS) race for one, so many times.
    ///
    /// # Errors
    /// Two won, or the bytes of one stand that was told it lost, or anything else does not do what it says.
    pub fn check(&self, rounds: usize, watch: Watch<'_>) -> Result<Raced> {
        self.wait(watch.interrupt, check::check(&self.bucket, rounds))
    }

    /// Waits for something, or until the user wants to stop. What was begun is dropped then: a result that is half there is
    /// none.
    fn wait<T>(&self, interrupt: &AtomicBool, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime.block_on(async {
            let stopped = async {
                while !interrupt.load(Ordering::Relaxed) {
                    tokio::time::sleep(LOOK).await;
                }
            };
            match select(pin!(work), pin!(stopped)).await {
                Either::Left((done, _)) => done,
                Either::Right(_) => Err(Error::Interrupted),
            }
        })
    }
}
