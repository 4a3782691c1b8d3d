//! The identity of a result: everything that can change it, and nothing else.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The digest (BLAKE3, 64 hex digits) of a task's [`KeyMaterial`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(deserializer)?.into()))
    }
}

impl Key {
    /// A key from 64 lower-case hex digits; none from anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        hex.then(|| Self(text.into()))
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 16 hex digits as a number. Keys are digests, so it is as good as drawn by chance.
    pub fn beginning(&self) -> u64 {
        u64::from_str_radix(self.short(), 16).expect("a key is hex digits")
    }

    /// The first 16 hex digits: `run_id` in the tables of a training.
    pub fn short(&self) -> &str {
        &self.0[..16]
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}…)", self.short())
    }
}

/// What a key is the digest of. No time, no path, no thread count, no name that a person chose for a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyMaterial {
    /// The kind of stage and the version of its results.
    pub kind: String,
    /// The version of the kind.
    pub version: u32,
    /// Checked parameters in canonical form: all of them, defaults filled in, not as they were written.
    pub parameters: serde_json::Value,
    /// The results that the task reads, in a fixed order.
    pub inputs: Vec<KeyedInput>,
}

/// One input of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyedInput {
    /// What the task calls it.
    pub role: String,
    /// The table of that result.
    pub table: String,
    /// The result that it is of.
    pub key: Key,
    /// Where the task sees axes of the matrix as columns: their names and values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub axes: Vec<(String, serde_json::Value)>,
}

impl KeyMaterial {
    /// The digest.
    pub fn key(&self) -> Key {
        // In one piece: a hasher fed number by number takes longer than all the rest of planning a task.
        let text = serde_json::to_vec(self).expect("plain values serialise");
        let mut hasher = blake3::Hasher::new_derive_key("ojaflow 2026 task key v1");
        hasher.update(&text);
        Key(hasher.finalize().to_hex().as_str().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn material() -> KeyMaterial {
        KeyMaterial {
            kind: "train".into(),
            version: 1,
            parameters: serde_json::json!({ "samples": 5000 }),
            inputs: vec![KeyedInput {
                role: "data".into(),
                table: "dataset".into(),
                key: Key::parse(&"0".repeat(64)).unwrap(),
                axes: vec![],
            }],
        }
    }

    #[test]
    fn every_field_invalidates_the_key() {
        let key = material().key();
        let changed = |change: fn(&mut KeyMaterial)| {
            let mut material = material();
            change(&mut material);
            assert_ne!(material.key(), key);
        };
        changed(|m| m.kind = "load".into());
        changed(|m| m.version = 2);
        changed(|m| m.parameters["samples"] = 4999.into());
        changed(|m| m.inputs[0].role = "of".into());
        changed(|m| m.inputs[0].table = "labels".into());
        changed(|m| m.inputs[0].key = Key::parse(&"1".repeat(64)).unwrap());
        changed(|m| m.inputs[0].axes = vec![("seed".into(), 0.into())]);
        changed(|m| m.inputs.clear());
    }

    #[test]
    fn equal_material_has_an_equal_key() {
        assert_eq!(material().key(), material().key());
    }
}
