//! What changed between two runs, archives or plans.

use std::path::Path;

use super::Project;
use crate::archive::diff::{Content, Side, diff};
use crate::archive::verify;
use crate::error::{Error, Result};
use crate::plan::{self, Request};
use crate::publish::manifest::{self, Manifest};

impl Project {
    /// What changed from one to the other, in words. Each is a published run (name or folder), an archive, or a pipeline
    /// (name or file).
    ///
    /// # Errors
    /// One is none of these, or cannot be read.
    pub fn diff(&self, a: &str, b: &str) -> Result<String> {
        diff(&self.side(a)?, &self.side(b)?)
    }

    /// A published run, an archive, or a pipeline: whichever the name stands for, in this order.
    fn side(&self, name: &str) -> Result<Side> {
        let is_published = |folder: &Path| folder.join(manifest::FILE).is_file();
        if is_published(&self.outputs.join(name)) || is_published(Path::new(name)) {
            return Side::published(name, &self.published_folder(name)?);
        }
        let path = Path::new(name);
        if path.is_file() && path.extension().is_none_or(|extension| extension != "toml") {
            let verified = verify(path)?;
            let manifests = verified.published.manifests.clone();
            let content = Content::Archive(path.to_owned(), Box::new(verified));
            return Ok(Side { label: name.to_owned(), manifests, content });
        }
        match plan::build(&self.catalogue()?, &self.pipelines, &Request::new(name)) {
            Ok(plan) => {
                // The one asked for is planned last.
                let manifests =
                    plan.pipelines.iter().rev().map(|pipeline| Manifest::planned(&plan, pipeline)).collect();
                Ok(Side { label: format!("{name} (planned)"), manifests, content: Content::Planned })
            }
            Err(Error::Spec(mut faults)) if !path.is_file() => {
                for fault in &mut faults {
                    fault.message = format!("{}, and no published run or archive of that name either", fault.message);
                }
                Err(Error::Spec(faults))
            }
            Err(error) => Err(error),
        }
    }
}
