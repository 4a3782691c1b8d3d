//! Whether an object store can keep results: whether it does what it says, also when many ask at once.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;

use super::bucket::{Bucket, Place, TOGETHER};
use super::{Raced, WRITERS};
use crate::error::{Error, Result};

/// What a writer puts; longer than what travels as one with the request.
const BYTES: usize = 4 << 10;

/// Whatever is found, no probe stays.
pub(super) async fn check(bucket: &Bucket, rounds: usize) -> Result<Raced> {
    bucket.reach().await?;
    let token = RandomState::new().hash_one(()) >> 16;
    let probes: Vec<Place> = (0..=rounds).map(|round| bucket.place(&format!("probe-{token:012x}-{round}"))).collect();
    let raced = async {
        one_after_the_other(bucket, &probes[0]).await?;
        race(bucket, &probes[1..]).await
    }
    .await;
    let removed = remove(bucket, &probes).await;
    let raced = raced?;
    removed?;
    Ok(raced)
}

fn unfit(bucket: &Bucket, why: &str) -> Error {
    Error::Store(format!(
        "{} is not fit for results: {why}\nTwo who make the same result would each take theirs for the one that stands: \
         choose a store that honours conditional puts (`If-None-Match: *`).",
        bucket.url()
    ))
}

/// Puts, gets, lists, and is refused a second put.
async fn one_after_the_other(bucket: &Bucket, probe: &Place) -> Result<()> {
    let (first, second) = (content(0), content(1));
    bucket.put(probe, first.to_vec()).await?;
    if read(bucket, probe).await?.as_ref() != Some(&first) {
        return Err(unfit(bucket, "what was put is not what is there afterwards"));
    }
    let listed = bucket.objects.list_with_delimiter(bucket.prefix()).await;
    let listed = listed.map_err(|error| bucket.failed("list", bucket.url(), &error))?;
    if !listed.objects.iter().any(|object| object.location == probe.path) {
        return Err(unfit(bucket, "what was put is not listed afterwards"));
    }
    match bucket.create(probe, second).await {
        Ok(true) => {
            return Err(unfit(bucket, "a conditional put took the place of an object, though it was to fail there"));
        }
        Err(object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }) => {
            return Err(unfit(bucket, "it knows no conditional put"));
        }
        Err(error) => return Err(bucket.failed("write", &probe.url, &error)),
        Ok(false) => {}
    }
    match read(bucket, probe).await?.as_ref() == Some(&first) {
        true => Ok(()),
        false => Err(unfit(bucket, "a conditional put was refused, and its bytes are there nevertheless")),
    }
}

/// Lets writers race for each of the probes.
async fn race(bucket: &Bucket, probes: &[Place]) -> Result<Raced> {
    let mut unanswered = 0;
    for (round, probe) in probes.iter().enumerate() {
        let round = round + 1;
        let answers = join_all((0..WRITERS).map(|writer| bucket.create(probe, content(writer)))).await;
        let mut winners = Vec::new();
        for (writer, answer) in answers.into_iter().enumerate() {
            if answer.map_err(|error| bucket.failed("write", &probe.url, &error))? {
                winners.push(writer);
            }
        }
        let stands = read(bucket, probe).await?;
        let standing = stands.and_then(|stands| (0..WRITERS).find(|&writer| content(writer) == stands));
        match (winners.as_slice(), standing) {
            ([winner], Some(standing)) if *winner == standing => {}
            // The first answer to the winner was lost, and the second was that somebody had been there.
            ([], Some(_)) => unanswered += 1,
            ([], None) => return Err(unfit(bucket, &format!("in round {round} all {WRITERS} writers were refused"))),
            ([_], _) => {
                let why = format!("in round {round} the bytes of a writer stand that was told it had lost");
                return Err(unfit(bucket, &why));
            }
            (several, _) => {
                let why = format!("in round {round}, {} of {WRITERS} writers were told they had won", several.len());
                return Err(unfit(bucket, &why));
            }
        }
    }
    Ok(Raced { rounds: probes.len(), unanswered })
}

async fn remove(bucket: &Bucket, probes: &[Place]) -> Result<()> {
    let remove = |probe: &'_ Place| {
        let (path, url) = (probe.path.clone(), probe.url.clone());
        async move {
            match bucket.objects.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(bucket.failed("remove", &url, &error)),
            }
        }
    };
    let mut removed = stream::iter(probes).map(remove).buffer_unordered(TOGETHER);
    while removed.try_next().await?.is_some() {}
    match read(bucket, &probes[0]).await? {
        None => Ok(()),
        Some(_) => Err(unfit(bucket, "what was removed is there afterwards")),
    }
}

async fn read(bucket: &Bucket, probe: &Place) -> Result<Option<Bytes>> {
    let Some((_, content)) = bucket.get(probe).await? else { return Ok(None) };
    let mut content = content.map_err(|error| bucket.failed("read", &probe.url, &error));
    let mut bytes = Vec::new();
    while let Some(piece) = content.try_next().await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > 2 * BYTES {
            break;
        }
    }
    Ok(Some(bytes.into()))
}

/// What a writer puts.
fn content(writer: usize) -> Bytes {
    let text = format!("a probe of `ojaflow store check`, writer {writer}\n");
    text.into_bytes().into_iter().cycle().take(BYTES).collect::<Vec<u8>>().into()
}
