//! What is known of a result before it exists.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::tables::frame::Cell;

/// What is known of the columns of a table before it exists: by column, the values that can stand in it.
pub type KnownValues = BTreeMap<String, Arc<[Cell]>>;

/// What is known of a result before it exists, for the checks of those who read it. Kinds know what to ask it for.
#[derive(Clone, Default)]
pub struct Facts(Option<Arc<dyn Any + Send + Sync>>);

impl Facts {
    /// These facts.
    pub fn new(facts: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(facts)))
    }

    /// Whether these are the very same facts, said once; equal ones said twice are not.
    pub fn same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }

    /// The facts, if they are of this type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.as_ref()?.downcast_ref()
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Facts(…)" } else { "Facts(none)" })
    }
}
