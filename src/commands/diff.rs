//! `ojaflow diff`

use std::path::Path;

use super::archive::published_folder;
use super::{environment, print};
use crate::archive::diff::{Content, Side, diff};
use crate::archive::verify;
use crate::cli::{DiffArgs, Roots};
use crate::error::{Error, Result};
use crate::plan::{self, Request};
use crate::publish::manifest::{self, Manifest};

pub fn execute(roots: &Roots, args: &DiffArgs) -> Result<()> {
    print(&diff(&side(roots, &args.a)?, &side(roots, &args.b)?)?)
}

/// A published run, an archive, or a pipeline: whichever the name stands for, in this order.
fn side(roots: &Roots, name: &str) -> Result<Side> {
    let is_published = |folder: &Path| folder.join(manifest::FILE).is_file();
    if is_published(&roots.outputs.join(name)) || is_published(Path::new(name)) {
        return Side::published(name, &published_folder(roots, name)?);
    }
    let path = Path::new(name);
    if path.is_file() && path.extension().is_none_or(|extension| extension != "toml") {
        let verified = verify(path)?;
        let manifests = verified.published.manifests.clone();
        let content = Content::Archive(path.to_owned(), Box::new(verified));
        return Ok(Side { label: name.to_owned(), manifests, content });
    }
    let request = Request { pipeline: name.to_owned(), ..Request::default() };
    match plan::build(&environment(roots)?, &request) {
        Ok(plan) => {
            // The one asked for is planned last.
            let manifests = plan.pipelines.iter().rev().map(|pipeline| Manifest::planned(&plan, pipeline)).collect();
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
