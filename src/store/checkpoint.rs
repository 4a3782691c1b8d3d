//! What an unfinished task has left behind, so that it can go on from there.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::key::Key;

/// Raised whenever what stands in front of a state changes. States themselves name what they are made of.
const FORMAT: u32 = 1;

/// What a task left before it could finish.
#[derive(Debug)]
pub struct Checkpoint {
    /// What it goes on from.
    pub state: Vec<u8>,
    /// What it had made until then, in the order in which it was left.
    pub pieces: Vec<Vec<u8>>,
    /// For whoever goes on and leaves more.
    pub trail: Trail,
}

/// The pieces that lie in the store already, and are not written again.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    pub(super) pieces: Vec<Piece>,
}

/// A piece as the head knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub digest: String,
    pub bytes: u64,
}

/// What stands in front of a state: whose it is, and on which pieces it builds.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    /// Another version may walk through a state in another way and find the same names in it.
    program: String,
    key: Key,
    pieces: Vec<Piece>,
}

impl Piece {
    pub(super) fn of(content: &[u8]) -> Self {
        Self { digest: blake3::hash(content).to_hex().to_string(), bytes: content.len() as u64 }
    }
}

/// The digest of all that follows in a line, whose state it is in another, then the state.
pub(super) fn to_bytes(key: &Key, trail: &Trail, state: &[u8]) -> Vec<u8> {
    let program = env!("CARGO_PKG_VERSION").to_owned();
    let head = Head { format: FORMAT, program, key: key.clone(), pieces: trail.pieces.clone() };
    let mut body = in_front(&head, state);
    let mut bytes = blake3::hash(&body).to_hex().as_bytes().to_vec();
    bytes.push(b'\n');
    bytes.append(&mut body);
    bytes
}

/// A state and the pieces that it builds on.
///
/// # Errors
/// It is damaged, another task's, or another version's.
pub(super) fn from_bytes(bytes: &[u8], key: &Key) -> Result<(Vec<u8>, Trail), String> {
    let (digest, body) = in_two(bytes).ok_or("it does not begin with its digest")?;
    if digest != blake3::hash(body).to_hex().as_bytes() {
        return Err("its digest is another".to_owned());
    }
    let (head, state): (Head, _) = behind(body)?;
    if head.key != *key {
        return Err(format!("it is one of {}", head.key));
    }
    if head.format != FORMAT || head.program != env!("CARGO_PKG_VERSION") {
        return Err(format!("version {} left it", head.program));
    }
    Ok((state.to_vec(), Trail { pieces: head.pieces }))
}

/// Something said in a line, then bytes.
pub(crate) fn in_front(said: &impl Serialize, bytes: &[u8]) -> Vec<u8> {
    let mut all = serde_json::to_vec(said).expect("plain data");
    all.push(b'\n');
    all.extend_from_slice(bytes);
    all
}

/// What [`in_front`] has put together, apart.
///
/// # Errors
/// It does not begin so.
pub(crate) fn behind<T: DeserializeOwned>(all: &[u8]) -> Result<(T, &[u8]), String> {
    let (said, bytes) = in_two(all).ok_or("it does not say what it is")?;
    let said = serde_json::from_slice(said).map_err(|error| format!("it does not say what it is: {error}"))?;
    Ok((said, bytes))
}

/// Before the first end of a line, and after it.
fn in_two(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..at], &bytes[at + 1..]))
}
