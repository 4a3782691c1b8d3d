//! Which tables are large.

use crate::publish::manifest::TableEntry;
use crate::tables::Layout;

/// Large tables that an archive may or may not hold. Their digests stand in the manifest either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Kept weights of networks.
    Weights,
    /// Recorded activations.
    Activations,
    /// The pixels of the data sets.
    Images,
}

impl Part {
    /// The part that a table belongs to; none for what every archive holds.
    pub fn of(table: &TableEntry) -> Option<Self> {
        match table.schema.kind.as_ref() {
            "dataset" => Some(Self::Images),
            "activations" => Some(Self::Activations),
            // Whatever else is published as a folder is large as well.
            "weights" => Some(Self::Weights),
            _ => (table.schema.layout == Layout::Folder).then_some(Self::Weights),
        }
    }
}
