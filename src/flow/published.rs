//! The published folders of a project, held against their digests.

use super::Project;
use crate::error::Result;
use crate::publish::{self, Checked};

impl Project {
    /// Reads every byte of what is published, and makes anew what is damaged, as far as the store has it.
    ///
    /// # Errors
    /// The outputs folder cannot be read. Damage is not an error but a finding.
    pub fn verify_published(&self) -> Result<Vec<Checked>> {
        publish::verify(&self.store(), &self.outputs)
    }
}
