//! What tasks decode from their inputs, once for all tasks of a run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::store::Key;
use crate::task::Shared;

type Slot = Arc<Mutex<Option<Shared>>>;

/// By the key of the task that made the table, and the table's name. One table is decoded in one way.
#[derive(Default)]
pub(super) struct Memo {
    known: Mutex<BTreeMap<(Key, String), Slot>>,
}

impl Memo {
    /// Remembers what somebody has made without decoding anything.
    pub(super) fn put(&self, (key, table): (&Key, &str), shared: Shared) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((key.clone(), table.to_owned()), Arc::new(Mutex::new(Some(shared))));
    }

    /// What is remembered, or else what `decode` makes.
    pub(super) fn get(&self, (key, table): (&Key, &str), decode: impl FnOnce() -> Result<Shared>) -> Result<Shared> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = known.entry((key.clone(), table.to_owned())).or_default().clone();
        drop(known);
        // The slot's own lock: others wait for this table only, and an error leaves it empty for the next try.
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = &*slot {
            return Ok(shared.clone());
        }
        let shared = decode()?;
        *slot = Some(shared.clone());
        Ok(shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn what_is_decoded_once_is_not_decoded_again_but_an_error_is_not_remembered() {
        let memo = Memo::default();
        let key = Key::parse(&"0".repeat(64)).unwrap();
        assert!(memo.get((&key, "a"), || Err(Error::Interrupted)).is_err());
        let get = |table: &str, value: u32| {
            *memo.get((&key, table), || Ok(Arc::new(value))).unwrap().downcast::<u32>().unwrap()
        };
        assert_eq!([get("a", 1), get("a", 2), get("b", 3)], [1, 1, 3]);
        memo.put((&key, "c"), Arc::new(4_u32));
        assert_eq!(get("c", 5), 4, "what somebody has at hand is not decoded at all");
    }
}
