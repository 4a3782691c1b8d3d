//! The commit record of a result: the files it consists of, with the digests of their contents.

use serde::{Deserialize, Serialize};

use super::key::{Key, KeyMaterial};
use crate::tables::TableSchema;

pub(super) const FILE: &str = "commit.json";

/// What was committed under a key, and of what it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The key.
    pub key: Key,
    /// What the key is the digest of.
    pub material: KeyMaterial,
    /// The files, by name.
    pub files: Vec<StoredFile>,
}

/// One file of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its name in the result.
    pub name: String,
    /// BLAKE3 of the content.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
    /// For tables: what is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<StoredTable>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredTable {
    pub name: String,
    pub rows: usize,
    pub schema: TableSchema,
}

impl Record {
    /// The record in `bytes`, unless it is damaged or speaks of another key.
    pub fn from_bytes(bytes: &[u8], key: &Key) -> Option<Self> {
        Self::read(bytes, key).ok()
    }

    /// The record in `bytes`, or what is wrong with it.
    ///
    /// The first line is the digest of the rest, so a flipped bit in the record itself is a miss, not a wrong answer.
    pub(super) fn read(bytes: &[u8], key: &Key) -> Result<Self, String> {
        let split = bytes.iter().position(|byte| *byte == b'\n').ok_or("it does not begin with its digest")?;
        let (digest, body) = (&bytes[..split], &bytes[split + 1..]);
        let found = blake3::hash(body).to_hex();
        if digest != found.as_bytes() {
            let expected = String::from_utf8_lossy(&digest[..digest.len().min(found.len())]);
            return Err(format!("its digest is {found} where it says {}", expected.escape_debug()));
        }
        let record: Self = serde_json::from_slice(body).map_err(|error| format!("it is no commit record: {error}"))?;
        let of = record.material.key();
        match record.key == *key && of == *key {
            true => Ok(record),
            false => Err(format!("it is the record of {of}, not of {key}")),
        }
    }

    /// The digest of the record in a line, then the record as JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = serde_json::to_vec_pretty(self).expect("a record is plain data");
        let mut bytes = blake3::hash(&body).to_hex().as_bytes().to_vec();
        bytes.push(b'\n');
        bytes.extend(body);
        bytes
    }

    /// The file of a name.
    pub fn file(&self, name: &str) -> Option<&StoredFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// The table of a name, with its file.
    pub fn table(&self, name: &str) -> Option<(&StoredFile, &StoredTable)> {
        self.files
            .iter()
            .find_map(|file| file.table.as_ref().filter(|table| table.name == name).map(|table| (file, table)))
    }

    /// The size of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The key is worked out again from what was read: a number that came back as its neighbour would be another result's.
        #[test]
        fn a_record_is_that_of_its_key_whatever_numbers_are_in_it(number in prop::num::f64::NORMAL) {
            let material = KeyMaterial {
                kind: "tuned".to_owned(),
                version: 2,
                parameters: serde_json::json!({ "number": number, "other": 0.962_000_000_000_000_1 }),
                inputs: Vec::new(),
            };
            let record = Record { key: material.key(), material, files: Vec::new() };
            prop_assert_eq!(Record::read(&record.to_bytes(), &record.key), Ok(record));
        }
    }
}
