//! Results from here to there.

use std::io::{self, Read};
use std::time::Duration;

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt};

use super::bucket::{Bucket, LARGEST_RECORD, Place};
use super::{Came, Transferred, Watch};
use crate::error::{Error, Result};
use crate::store::entry::{Damaged, Entry};
use crate::store::record::StoredFile;
use crate::store::{Key, Store};

/// Larger files are sent in parts of this size, which is the least that stores take. Unit tests have no time for mebibytes.
const PART: u64 = if cfg!(test) { 1 << 10 } else { 5 << 20 };
/// Stores take 10,000 parts.
const MOST_PARTS: u64 = 9_000;
/// To take back the parts of a file that came to nothing; the server may be the reason.
const ABORT: Duration = Duration::from_secs(2);
/// A store may answer that another is writing a record at this moment, who then does not.
const ATTEMPTS: usize = 5;

pub(super) async fn push(bucket: &Bucket, local: &dyn Store, keys: &[Key], watch: Watch<'_>) -> Result<Transferred> {
    bucket.each(keys, watch, |key| send(bucket, local, key)).await
}

/// Files first, and the record when all of them are there.
async fn send(bucket: &Bucket, local: &dyn Store, key: &Key) -> Result<Came> {
    let Some(entry) = local.find(key)? else { return Ok(Came::Absent) };
    if bucket.has(key).await? {
        return Ok(Came::There);
    }
    let place = bucket.record(key);
    let record = Bytes::from(entry.record.to_bytes());
    if record.len() as u64 > LARGEST_RECORD {
        return Err(Error::Store(format!(
            "cannot write {}: the commit record has {} bytes, and nobody takes more than {LARGEST_RECORD}",
            place.url,
            record.len()
        )));
    }
    let mut bytes = 0;
    for file in &entry.record.files {
        match send_file(bucket, &entry, file).await? {
            Ok(sent) => bytes += sent,
            Err(damaged) => return Ok(Came::Damaged(vec![damaged])),
        }
    }
    for _ in 0..ATTEMPTS {
        let created = bucket.create(&place, record.clone()).await;
        let created = created.map_err(|error| bucket.failed("write", &place.url, &error))?;
        // Another's record of the same key is as good.
        if created || bucket.size(&place).await?.is_some() {
            return Ok(Came::Whole(bytes));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(Error::Store(format!(
        "cannot write {}: the store says that it is there, and that it is not\n`ojaflow store check {}` says whether the \
         store is fit.",
        place.url,
        bucket.url()
    )))
}

/// Sends a file unless it is there. Its bytes, or what is wrong with it here.
async fn send_file(bucket: &Bucket, entry: &Entry, file: &StoredFile) -> Result<Result<u64, Damaged>> {
    let place = bucket.object(&file.digest);
    if bucket.size(&place).await? == Some(file.bytes) {
        return Ok(Ok(0));
    }
    if file.bytes > PART {
        return send_parts(bucket, &place, entry, file).await;
    }
    match entry.read_file(&file.name) {
        Ok(content) => bucket.put(&place, content).await.map(|()| Ok(file.bytes)),
        Err(damaged) => Ok(Err(damaged)),
    }
}

/// A file of which no more than a part is in memory. It is held against its digest while it is read, and what differs is
/// taken back before anybody sees it.
async fn send_parts(bucket: &Bucket, place: &Place, entry: &Entry, file: &StoredFile) -> Result<Result<u64, Damaged>> {
    let mut content = match entry.open(&file.name) {
        Ok(content) => content,
        Err(damaged) => return Ok(Err(damaged)),
    };
    let failed = |error: object_store::Error| bucket.failed("write", &place.url, &error);
    let mut upload = bucket.objects.put_multipart(&place.path).await.map_err(failed)?;
    let came = match put_parts(&mut *upload, &mut content, file).await {
        Ok(()) => match upload.complete().await {
            Ok(_) => return Ok(Ok(file.bytes)),
            Err(error) => Err(failed(error)),
        },
        Err(Stopped::Sending(error)) => Err(failed(error)),
        Err(Stopped::Reading(found)) => Ok(Err(entry.damaged(&file.name, found))),
    };
    // Best effort: parts that stay are seen by nobody, and a rule of the bucket can remove them.
    let _ = tokio::time::timeout(ABORT, upload.abort()).await;
    came
}

enum Stopped {
    Sending(object_store::Error),
    /// What is wrong with the file.
    Reading(String),
}

async fn put_parts(upload: &mut dyn MultipartUpload, content: &mut dyn Read, file: &StoredFile) -> Result<(), Stopped> {
    // All of one size but the last, as some stores want it.
    let size = PART.max(file.bytes.div_ceil(MOST_PARTS));
    let mut hasher = blake3::Hasher::new();
    let mut bytes = 0;
    loop {
        let part = read_part(content, size).map_err(|error| Stopped::Reading(error.to_string()))?;
        if part.is_empty() {
            break;
        }
        hasher.update(&part);
        bytes += part.len() as u64;
        if bytes > file.bytes {
            return Err(Stopped::Reading(format!("more than the {} bytes that were committed", file.bytes)));
        }
        upload.put_part(part.into()).await.map_err(Stopped::Sending)?;
    }
    if bytes != file.bytes {
        return Err(Stopped::Reading(format!("{bytes} bytes where {} were committed", file.bytes)));
    }
    match *hasher.finalize().to_hex() == *file.digest {
        true => Ok(()),
        false => Err(Stopped::Reading("its digest differs from the one that was committed".to_owned())),
    }
}

/// The next bytes, as many as asked for unless they end.
fn read_part(content: &mut dyn Read, size: u64) -> io::Result<Vec<u8>> {
    let mut part = Vec::new();
    content.take(size).read_to_end(&mut part)?;
    Ok(part)
}
