//! Results from there to here.

use futures_util::TryStreamExt;

use super::bucket::{Bucket, LARGEST_RECORD, Place};
use super::{Came, Transferred, Watch};
use crate::error::Result;
use crate::store::entry::Damaged;
use crate::store::pending::{Pending, Status};
use crate::store::record::{Record, StoredFile};
use crate::store::{Key, Session};

pub(super) async fn pull(bucket: &Bucket, local: &dyn Session, keys: &[Key], watch: Watch<'_>) -> Result<Transferred> {
    bucket.each(keys, watch, |key| fetch(bucket, local, key)).await
}

/// The record says what the result is; its files are written as they arrive, and appear when all of them are right.
async fn fetch(bucket: &Bucket, local: &dyn Session, key: &Key) -> Result<Came> {
    let slot = match local.open(key)? {
        Status::Hit(_) => return Ok(Came::There),
        Status::Miss(slot) => slot,
    };
    if bucket.is_known_to_lack(key) {
        return Ok(Came::Absent);
    }
    let place = bucket.record(key);
    let record = match fetch_record(bucket, &place, key).await? {
        Some(Ok(record)) => record,
        Some(Err(found)) => return Ok(Came::Damaged(vec![Damaged { place: place.url, found }])),
        None => return Ok(Came::Absent),
    };
    let mut pending = slot.begin()?;
    for file in &record.files {
        let place = bucket.object(&file.digest);
        if let Err(found) = fetch_file(bucket, &place, &mut pending, file).await? {
            return Ok(Came::Damaged(vec![Damaged { place: place.url, found }]));
        }
    }
    pending.commit(&record.material)?;
    Ok(Came::Whole(record.bytes()))
}

/// A record, or what is wrong with it.
async fn fetch_record(bucket: &Bucket, place: &Place, key: &Key) -> Result<Option<Result<Record, String>>> {
    let Some((size, mut content)) = bucket.get(place).await? else { return Ok(None) };
    let too_large = || Ok(Some(Err(format!("it has more than {LARGEST_RECORD} bytes"))));
    if size > LARGEST_RECORD {
        return too_large();
    }
    let mut bytes = Vec::new();
    while let Some(piece) = content.try_next().await.map_err(|error| bucket.failed("read", &place.url, &error))? {
        // Whatever size was said.
        if (bytes.len() + piece.len()) as u64 > LARGEST_RECORD {
            return too_large();
        }
        bytes.extend_from_slice(&piece);
    }
    let record = Record::read(&bytes, key);
    Ok(Some(record.and_then(|record| fault(&record).map_or(Ok(record), Err))))
}

/// What a record from elsewhere must not say: anybody can put a digest over it.
fn fault(record: &Record) -> Option<String> {
    let mut names: Vec<&str> = record.files.iter().map(|file| &*file.name).collect();
    names.sort_unstable();
    if let Some(two) = names.windows(2).find(|two| two[0] == two[1]) {
        return Some(format!("it names the file {:?} twice", two[0]));
    }
    let of_no_file = |file: &&StoredFile| !is_name(&file.name) || Key::parse(&file.digest).is_none();
    record.files.iter().find(of_no_file).map(|file| {
        let name: String = file.name.chars().take(100).collect();
        format!("it names a file {name:?} that no result can have")
    })
}

/// Whether a file of a result can have this name: nothing that leads out of its folder, or to its record.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-~+ ".contains(c) || !c.is_ascii();
    !name.is_empty()
        && name.len() <= 200
        && name.chars().all(|c| is_plain(c) && !c.is_control())
        && !name.starts_with('.')
        && name != crate::store::record::FILE
}

/// Writes a file as it arrives, or says what is wrong with it.
async fn fetch_file(
    bucket: &Bucket,
    place: &Place,
    pending: &mut Pending,
    file: &StoredFile,
) -> Result<Result<(), String>> {
    let Some((size, mut content)) = bucket.get(place).await? else {
        return Ok(Err("it is not there, though a commit record names it".to_owned()));
    };
    if size != file.bytes {
        return Ok(Err(format!("{size} bytes where {} were committed", file.bytes)));
    }
    let mut arriving = pending.expect_file(file)?;
    while let Some(piece) = content.try_next().await.map_err(|error| bucket.failed("read", &place.url, &error))? {
        // Who sends more than was said, for ever perhaps, does not fill the disk.
        if piece.len() as u64 > arriving.left() {
            return Ok(Err(format!("more than the {} bytes that were committed", file.bytes)));
        }
        arriving.write(&piece)?;
    }
    pending.take_file(arriving)
}
