//! A place in an object store: its URL, what lies where below it, and single requests with their messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::{Path, PathPart};
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutMode, PutPayload, RetryConfig,
};
use url::Url;

use super::said::{Kind, failed};
use super::{Came, Transferred, Watch};
use crate::error::{Error, Result};
use crate::store::Key;

/// The largest commit record that is sent or taken. One that gathers a hundred thousand parts has 40 MB.
pub(super) const LARGEST_RECORD: u64 = 256 << 20;

/// Results that travel at a time: most have few small files, and what takes time is to wait for answers.
pub(super) const TOGETHER: usize = 16;
/// Of more keys than this it is not asked one by one whether they are there.
const MANY: usize = 500;

/// A server that does not answer is given up after a few seconds; the same command given again goes on.
const CONNECT: Duration = Duration::from_secs(3);
const FIRST_ANSWER: Duration = Duration::from_secs(20);
/// Between two pieces of an answer. The time in which a part is sent counts as well, so there has to be room for a slow line.
const SILENCE: Duration = Duration::from_secs(120);
const RETRIES: usize = 4;
const RETRY_FOR: Duration = Duration::from_secs(6);

/// A place in an object store.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) objects: Arc<dyn ObjectStore>,
    prefix: Path,
    url: String,
    kind: Kind,
    /// What was there when it was listed, once it has been: for as long as one command takes, that is recent enough.
    listed: OnceLock<BTreeSet<Key>>,
}

/// An object: where it lies, and what messages call it.
#[derive(Debug)]
pub(super) struct Place {
    pub path: Path,
    pub url: String,
}

/// What is said on a wrong URL.
const EXAMPLES: &str = "expected for example `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or \
                        `file:///mnt/shared/results`";

impl Bucket {
    pub(super) fn at(url: &str) -> Result<Self> {
        let wrong = |why: &str| Error::usage(format!("`{url}` is no place for results: {why}; {EXAMPLES}"));
        let parsed = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            // Not repeated, as messages end up in logs.
            return Err(Error::usage(
                "a URL with a password in it is not taken: credentials come from the environment (AWS_ACCESS_KEY_ID, …)",
            ));
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(wrong("a prefix has no `?` and no `#`"));
        }
        let (scheme, prefix) = ObjectStoreScheme::parse(&parsed).map_err(|error| match parsed.scheme() {
            "file" | "s3" | "s3a" | "gs" | "az" | "abfs" | "abfss" => wrong(&error.to_string()),
            scheme => wrong(&format!("`{scheme}:` is none of the stores that are known")),
        })?;
        if url.split(['/', '\\']).any(|part| matches!(part, "." | "..")) {
            return Err(wrong("a prefix has no `.` and no `..`"));
        }
        let (objects, kind) = connect(&scheme, &parsed).map_err(|error| match error {
            Some(error) => wrong(&error.to_string()),
            None => wrong(&format!("`{}:` is none of the stores that are known", parsed.scheme())),
        })?;
        Ok(Self::new(objects, prefix, url, kind))
    }

    pub(super) fn new(objects: Arc<dyn ObjectStore>, prefix: Path, url: &str, kind: Kind) -> Self {
        Self { objects, prefix, url: url.trim_end_matches('/').to_owned(), kind, listed: OnceLock::new() }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The prefix of everything.
    pub(super) fn prefix(&self) -> Option<&Path> {
        Some(&self.prefix).filter(|prefix| !prefix.is_root())
    }

    pub(super) fn place(&self, below: &str) -> Place {
        let parts = self.prefix.parts().chain(below.split('/').map(PathPart::from));
        Place { path: Path::from_iter(parts), url: format!("{}/{below}", self.url) }
    }

    /// A file, by the digest of its content, which has to be one.
    pub(super) fn object(&self, digest: &str) -> Place {
        self.place(&format!("objects/{}/{digest}", digest.get(..2).unwrap_or_default()))
    }

    /// The commit record of a key.
    pub(super) fn record(&self, key: &Key) -> Place {
        self.place(&format!("results/{}/{key}", &key.as_str()[..2]))
    }

    /// What came of a request, in the words of the program.
    pub(super) fn failed(&self, doing: &str, url: &str, error: &object_store::Error) -> Error {
        failed(&self.kind, doing, url, error)
    }

    /// A first, cheap request: whoever is refused, or finds nobody, is told before anything else is tried. That there is
    /// nothing in a place that does not exist would not be told by the others.
    pub(super) async fn reach(&self) -> Result<()> {
        let listed = tokio::time::timeout(FIRST_ANSWER, self.objects.list_with_delimiter(self.prefix())).await;
        match listed {
            Ok(Ok(_)) => Ok(()),
            // No folder yet: what is written makes it.
            Ok(Err(object_store::Error::NotFound { .. })) if matches!(self.kind, Kind::Files) => Ok(()),
            Ok(Err(error)) => Err(self.failed("list", &self.url, &error)),
            Err(_) => Err(Error::Store(format!(
                "cannot list {}: no answer within {} s\n{}",
                self.url,
                FIRST_ANSWER.as_secs(),
                self.kind.unreachable()
            ))),
        }
    }

    /// The keys of all results. Other names are none of ours, and are let be.
    pub(super) async fn keys(&self) -> Result<&BTreeSet<Key>> {
        if let Some(listed) = self.listed.get() {
            return Ok(listed);
        }
        self.reach().await?;
        let results = self.place("results");
        let mut found = self.objects.list(Some(&results.path));
        let mut keys = BTreeSet::new();
        loop {
            match found.try_next().await {
                Ok(Some(object)) => {
                    // The same name in another folder is another object.
                    let is_its = |key: &Key| self.record(key).path == object.location;
                    keys.extend(object.location.filename().and_then(Key::parse).filter(is_its));
                }
                Ok(None) => return Ok(self.listed.get_or_init(|| keys)),
                Err(error) => return Err(self.failed("list", &results.url, &error)),
            }
        }
    }

    /// Lets results travel, several at a time, and tells after each what came of all so far.
    pub(super) async fn each<'a, F>(
        &self,
        keys: &'a [Key],
        watch: Watch<'_>,
        travel: impl Fn(&'a Key) -> F,
    ) -> Result<Transferred>
    where
        F: Future<Output = Result<Came>>,
    {
        self.reach().await?;
        self.list_for(keys).await?;
        let mut done = Transferred { of: keys.len(), ..Transferred::default() };
        let travelling = |key| {
            let came = travel(key);
            async move { came.await.map(|came| (key, came)) }
        };
        let mut travelled = stream::iter(keys).map(travelling).buffer_unordered(TOGETHER);
        while let Some((key, came)) = travelled.try_next().await? {
            done.count(key.clone(), came);
            (watch.told)(&done);
        }
        Ok(done)
    }

    /// Lists what is there, where that takes less time than to ask for each of so many keys.
    async fn list_for(&self, keys: &[Key]) -> Result<()> {
        if keys.len() > MANY {
            self.keys().await?;
        }
        Ok(())
    }

    pub(super) fn is_known_to_lack(&self, key: &Key) -> bool {
        self.listed.get().is_some_and(|listed| !listed.contains(key))
    }

    /// Whether a result is there.
    pub(super) async fn has(&self, key: &Key) -> Result<bool> {
        match self.listed.get() {
            Some(listed) => Ok(listed.contains(key)),
            None => self.size(&self.record(key)).await.map(|size| size.is_some()),
        }
    }

    /// The size of an object, if it is there.
    pub(super) async fn size(&self, place: &Place) -> Result<Option<u64>> {
        match self.objects.head(&place.path).await {
            Ok(object) => Ok(Some(object.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", &place.url, &error)),
        }
    }

    /// The size and the content of an object, if it is there.
    pub(super) async fn get(
        &self,
        place: &Place,
    ) -> Result<Option<(u64, BoxStream<'static, object_store::Result<Bytes>>)>> {
        match self.objects.get(&place.path).await {
            Ok(object) => Ok(Some((object.meta.size, object.into_stream()))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", &place.url, &error)),
        }
    }

    /// Puts a whole object, in the place of any that is there.
    pub(super) async fn put(&self, place: &Place, content: Vec<u8>) -> Result<()> {
        let put = self.objects.put_opts(&place.path, PutPayload::from(content), PutMode::Overwrite.into()).await;
        put.map(drop).map_err(|error| self.failed("write", &place.url, &error))
    }

    /// Puts a whole object where there is none, and says whether it did.
    pub(super) async fn create(&self, place: &Place, content: Bytes) -> object_store::Result<bool> {
        match self.objects.put_opts(&place.path, content.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Why a store cannot be had; none where there is none of the kind.
type Unknown = Option<object_store::Error>;

/// Asks nothing of the store yet.
fn connect(scheme: &ObjectStoreScheme, url: &Url) -> Result<(Arc<dyn ObjectStore>, Kind), Unknown> {
    // The library leaves the choice to the program. A second choice would be refused: the first one stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options =
        || ClientOptions::new().with_connect_timeout(CONNECT).with_read_timeout(SILENCE).with_timeout_disabled();
    let retry = || RetryConfig {
        backoff: BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() },
        max_retries: RETRIES,
        retry_timeout: RETRY_FOR,
    };
    match scheme {
        ObjectStoreScheme::Local => {
            // Objects first and the record last is what holds through a power failure as well.
            Ok((Arc::new(LocalFileSystem::new().with_fsync(true)), Kind::Files))
        }
        ObjectStoreScheme::AmazonS3 => {
            let mut builder = AmazonS3Builder::new().with_client_options(options()).with_retry(retry());
            for (name, value) in environment("AWS_") {
                if let Ok(key) = name.parse() {
                    builder = builder.with_config(key, value);
                }
            }
            let asked = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
            let endpoint = asked.iter().find_map(|key| builder.get_config_value(key));
            // Who writes `http:` wants it.
            if endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http:")) {
                builder = builder.with_allow_http(true);
            }
            let builder = builder.with_conditional_put(S3ConditionalPut::ETagMatch).with_url(url.as_str());
            Ok((Arc::new(builder.build().map_err(Some)?), Kind::S3 { endpoint }))
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let mut builder = GoogleCloudStorageBuilder::new().with_client_options(options()).with_retry(retry());
            for (name, value) in environment("GOOGLE_") {
                if let Ok(key) = name.parse() {
                    builder = builder.with_config(key, value);
                }
            }
            Ok((Arc::new(builder.with_url(url.as_str()).build().map_err(Some)?), Kind::Google))
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let mut builder = MicrosoftAzureBuilder::new().with_client_options(options()).with_retry(retry());
            for (name, value) in environment("AZURE_") {
                if let Ok(key) = name.parse() {
                    builder = builder.with_config(key, value);
                }
            }
            Ok((Arc::new(builder.with_url(url.as_str()).build().map_err(Some)?), Kind::Azure))
        }
        // Memory that ends with the command is of no use, and plain HTTP knows no conditional put.
        _ => Err(None),
    }
}

/// Variables of the environment by their names in lower case, as the library's settings are called.
fn environment(prefix: &str) -> BTreeMap<String, String> {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    variables
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect()
}
