//! `ojaflow explain`: the reference of pipeline files, and the methods of a pipeline.

use std::fs;
use std::path::Path;

use super::terminal::{print, print_exactly};
use crate::cli::{ExplainArgs, PageFormat};
use crate::error::{Error, Result};
use crate::flow::{Project, Request, Topic, methods, page, pages, topics};

pub(super) fn execute(project: &Project, args: &ExplainArgs) -> Result<()> {
    if let Some(folder) = &args.write {
        return write(folder);
    }
    if let Some(name) = &args.methods {
        let ahead = project.plan(&Request::new(name).setting(&args.set), None)?;
        let methods = methods(project, &ahead.level.plan)?;
        return if args.latex { print_exactly(&methods.latex()) } else { print(&methods.text()) };
    }
    match (&args.topic, args.format) {
        (None, _) => print(&list()),
        (Some(topic), PageFormat::Text) => print(&page(topic)?.text()),
        (Some(topic), PageFormat::Markdown) => print_exactly(page(topic)?.markdown().trim_end()),
    }
}

fn list() -> String {
    let topics = topics();
    let width = topics.iter().flat_map(|(_, topics)| topics).map(|topic| topic.name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (group, topics) in topics {
        lines.push(format!("{group}:"));
        lines.extend(topics.into_iter().map(|Topic { name, summary }| format!("  {name:<width$}  {summary}")));
        lines.push(String::new());
    }
    lines.push(
        "`ojaflow explain train` prints one page, `ojaflow explain --methods fig1` the methods of a pipeline.".into(),
    );
    lines.join("\n")
}

/// Every page as a file.
fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let pages = pages();
    for (name, text) in &pages {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    print(&format!("{} pages in {}", pages.len(), folder.display()))
}
