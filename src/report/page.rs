//! The page: figures, claims, equations, parameters, provenance and schemas of published runs.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use super::claims::{Claim, claims, conditions, interval};
use super::svg::inline;
use crate::error::{Error, Result};
use crate::plan::Equations;
use crate::publish;
use crate::publish::manifest::{FileEntry, Manifest, StageEntry, TableEntry};
use crate::stages::claims::in_one_word;
use crate::tables::frame::Cell;
use crate::words::{grouped, size};

const STYLE: &str = include_str!("style.css");

/// Equations that are shown at once; a sweep has hundreds.
const SHOWN_EQUATIONS: usize = 6;
/// Values of an axis that are written out.
const SHOWN_VALUES: usize = 12;

/// One page on the published runs in `folders`, in this order. It holds everything that it shows, runs no script and
/// fetches nothing.
///
/// # Errors
/// A folder is not a published run, or a figure of it cannot be read.
pub(crate) fn page(folders: &[PathBuf]) -> Result<String> {
    let mut runs = Vec::new();
    for folder in folders {
        runs.push((folder.as_path(), Manifest::of(folder)?));
    }
    let mut page = Page::default();
    for (folder, manifest) in &runs {
        page.run(folder, manifest)?;
    }
    Ok(page.finish(&runs.iter().map(|(_, manifest)| manifest).collect::<Vec<_>>()))
}

#[derive(Default)]
struct Page {
    body: String,
    /// Style sheets of the figures, each once.
    styles: Vec<String>,
    n_figures: usize,
}

/// Text as it stands between tags and in attributes.
struct Text<T>(T);

impl<T: fmt::Display> fmt::Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Adds to the page; writing to a string does not fail.
macro_rules! put {
    ($page:expr, $($argument:tt)*) => {
        writeln!($page.body, $($argument)*).expect("writing to a string")
    };
}

impl Page {
    fn finish(self, manifests: &[&Manifest]) -> String {
        let title = match manifests {
            [only] => format!("{}: {}", only.pipeline, only.title),
            _ => "Published runs".to_owned(),
        };
        let mut links = String::new();
        for manifest in manifests {
            let name = manifest.figure.as_deref().unwrap_or(&manifest.title);
            write!(links, "<li><a href=\"#{0}\"><code>{0}</code></a> {1}</li>", Text(&manifest.pipeline), Text(name))
                .expect("writing to a string");
        }
        let programs: BTreeSet<String> = manifests
            .iter()
            .map(|manifest| format!("{} {}", manifest.program.name, manifest.program.version))
            .collect();
        let made_by = programs.into_iter().collect::<Vec<_>>().join(", ");
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             img-src data:; font-src data:\">\n<title>{title}</title>\n<style>\n{STYLE}{styles}</style>\n</head>\n<body>\n\
             <header>\n<h1>{title}</h1>\n<p class=\"soft\">Figures, claims and where every number comes from. Made by \
             {made_by}.</p>\n<nav aria-label=\"Runs\"><ul>{links}</ul></nav>\n</header>\n<main>\n{body}</main>\n\
             <footer><p>Complete in itself: no script, nothing fetched.</p></footer>\n</body>\n</html>\n",
            title = Text(&title),
            styles = self.styles.join("\n"),
            made_by = Text(&made_by),
            body = self.body,
        )
    }

    fn run(&mut self, folder: &Path, manifest: &Manifest) -> Result<()> {
        let id = Text(&manifest.pipeline);
        put!(
            self,
            "<article id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{}</h2>",
            Text(&manifest.title)
        );
        let figure = manifest.figure.as_ref().map_or(String::new(), |figure| format!("{} · ", Text(figure)));
        put!(self, "<p class=\"soft\">{figure}<code>{id}</code></p>");
        for figure in manifest.figures.iter().filter(|figure| figure.name.ends_with(".svg")) {
            self.figure(folder, manifest, figure)?;
        }
        let conditions = conditions(folder, manifest)?;
        if !conditions.is_empty() {
            put!(self, "<h3>Claims</h3>");
            for claim in claims(&conditions) {
                self.claim(&claim);
            }
        }
        self.equations(&manifest.equations);
        self.parameters(manifest);
        self.provenance(manifest);
        put!(self, "<h3>Tables</h3>");
        for table in &manifest.tables {
            self.table(table);
        }
        put!(self, "</article>");
        Ok(())
    }

    fn figure(&mut self, folder: &Path, manifest: &Manifest, figure: &FileEntry) -> Result<()> {
        let content = publish::read(folder, &figure.name, &figure.digest)?;
        self.n_figures += 1;
        let label = format!("figure-{}", self.n_figures);
        let drawing =
            str::from_utf8(&content).ok().and_then(|text| inline(text, &format!("f{}-", self.n_figures), &label));
        let drawing = drawing.ok_or_else(|| {
            Error::Check(format!("{} is not a drawing that a page can hold", folder.join(&figure.name).display()))
        })?;
        for style in drawing.styles {
            if !self.styles.contains(&style) {
                self.styles.push(style);
            }
        }
        // Twice the printed size at most: small figures do not fill a wide screen.
        let width = drawing.width.map_or(String::new(), |width| format!(" style=\"max-width:{:.0}px\"", 2.0 * width));
        let element = drawing.element.replacen("<svg", &format!("<svg{width}"), 1);
        // The drawing shows its caption itself, to those who see it; its description is XML already.
        put!(
            self,
            "<figure>\n<div class=\"paper\" tabindex=\"0\" role=\"group\" aria-label=\"Drawing, scrolls sideways\">{element}</div>\n\
             <figcaption id=\"{label}\">{}<span class=\"unseen\"> {}</span></figcaption>\n</figure>",
            Text(title_of(manifest, figure)),
            drawing.description
        );
        Ok(())
    }

    fn claim(&mut self, claim: &Claim<'_>) {
        let (class, word) = verdict(claim.holds);
        put!(
            self,
            "<section class=\"claim\"><p><span class=\"verdict {class}\">{word}</span>{} {}</p>",
            Text(claim.name),
            Text(&claim.statement)
        );
        if let Some(remark) = claim.remark() {
            put!(self, "<p>{}</p>", Text(remark));
        }
        put!(
            self,
            "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Conditions of {}\"><table><thead><tr><th>holds</th><th class=\"number\">estimate [interval]</th><th>condition</th></tr></thead><tbody>",
            Text(claim.name)
        );
        for condition in &claim.conditions {
            let (class, word) = match condition.holds {
                Some(true) => ("yes", "yes"),
                Some(false) => ("no", "no"),
                None => ("open", "?"),
            };
            put!(
                self,
                "<tr><td class=\"{class}\">{word}</td><td class=\"number\">{}</td><td>{}{}</td></tr>",
                Text(interval(condition.estimate, condition.ci_low, condition.ci_high)),
                Text(&condition.condition),
                Text(condition.remarks.iter().map(|remark| format!("; {remark}")).collect::<String>())
            );
        }
        put!(self, "</tbody></table></div>");
        if let Some(first) = claim.conditions.first() {
            put!(self, "<p class=\"soft\">{}</p>", Text(&first.looks));
        }
        put!(self, "</section>");
    }

    fn equations(&mut self, equations: &[Equations]) {
        if equations.is_empty() {
            return;
        }
        put!(self, "<h3>Equations run</h3>");
        for (index, equation) in equations.iter().enumerate() {
            if index == SHOWN_EQUATIONS {
                put!(self, "<details><summary>{} more</summary><div>", equations.len() - SHOWN_EQUATIONS);
            }
            put!(
                self,
                "<p class=\"soft\">{}</p><pre class=\"equation\">{}</pre>",
                Text(equation.heading()),
                Text(&equation.plain)
            );
            for need in &equation.needs {
                put!(self, "<p>{}</p>", Text(need));
            }
        }
        if equations.len() > SHOWN_EQUATIONS {
            put!(self, "</div></details>");
        }
    }

    fn parameters(&mut self, manifest: &Manifest) {
        put!(self, "<h3>Parameters</h3>\n<dl>");
        for (axis, values) in &manifest.axes {
            put!(self, "<dt><code>{}</code></dt><dd>{}</dd>", Text(axis), Text(list(values)));
        }
        // A pipeline may have its seed in a stage instead of the matrix.
        if !manifest.axes.iter().any(|(axis, _)| axis == "seed") {
            let seeds = seeds(manifest);
            if !seeds.is_empty() {
                put!(self, "<dt>seeds</dt><dd>{}</dd>", Text(seeds.into_iter().collect::<Vec<_>>().join(", ")));
            }
        }
        for change in &manifest.overrides {
            put!(self, "<dt>override</dt><dd><code>{}</code></dd>", Text(change));
        }
        if let Some(to) = &manifest.to {
            put!(self, "<dt>up to stage</dt><dd><code>{}</code></dd>", Text(to));
        }
        put!(self, "</dl>");
        for source in &manifest.sources {
            put!(
                self,
                "<details><summary><code>{}</code></summary><pre>{}</pre></details>",
                Text(&source.path),
                Text(&source.text)
            );
        }
    }

    fn provenance(&mut self, manifest: &Manifest) {
        let program = &manifest.program;
        put!(self, "<h3>Provenance</h3>\n<dl>");
        put!(
            self,
            "<dt>program</dt><dd>{} {}, linear algebra: {}</dd>",
            Text(&program.name),
            Text(&program.version),
            Text(&program.linear_algebra)
        );
        put!(self, "<dt>fingerprint</dt><dd><code>{}</code></dd>", Text(&manifest.fingerprint));
        for include in &manifest.includes {
            put!(self, "<dt>composed of</dt><dd><code>{}</code></dd>", Text(include));
        }
        for figure in &manifest.figures {
            put!(
                self,
                "<dt>{}</dt><dd>{}, BLAKE3 <code>{}</code></dd>",
                Text(&figure.name),
                size(figure.bytes),
                Text(&figure.digest)
            );
        }
        put!(self, "</dl>");
        for stage in &manifest.stages {
            self.stage(stage);
        }
    }

    /// Every task of a stage with its key.
    fn stage(&mut self, stage: &StageEntry) {
        let version = stage.tasks.first().map_or(0, |task| task.material.version);
        let n_tasks = match stage.tasks.len() {
            1 => "1 task".to_owned(),
            n => format!("{} tasks", grouped(n as u64)),
        };
        put!(
            self,
            "<details><summary><code>{}</code> <span class=\"soft\">{} version {version}, {n_tasks}</span></summary>\
             <div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Tasks of {}\"><table><thead><tr>",
            Text(&stage.name),
            Text(&stage.kind),
            Text(&stage.name)
        );
        for axis in &stage.axes {
            put!(self, "<th>{}</th>", Text(axis));
        }
        put!(self, "<th>key</th></tr></thead><tbody>");
        for task in &stage.tasks {
            let cells: String = task.coordinates.iter().map(|value| format!("<td>{}</td>", Text(value))).collect();
            put!(self, "<tr>{cells}<td><code>{}</code></td></tr>", Text(&task.key));
        }
        put!(self, "</tbody></table></div></details>");
    }

    fn table(&mut self, table: &TableEntry) {
        put!(
            self,
            "<details><summary><code>{}</code> <span class=\"soft\">{} rows, {}</span></summary><dl>",
            Text(&table.path),
            grouped(table.rows as u64),
            size(table.bytes)
        );
        put!(self, "<dt>kind</dt><dd>{}, version {}</dd>", Text(&table.schema.kind), table.schema.version);
        if !table.schema.key.is_empty() {
            put!(self, "<dt>a row is</dt><dd>{}</dd>", Text(table.schema.key.join(", ")));
        }
        let again = match &table.schema.tolerance {
            None => "the same bytes on any machine".to_owned(),
            Some(tolerance) => format!("within {tolerance} relative on another machine"),
        };
        put!(self, "<dt>again</dt><dd>{}</dd>", Text(again));
        if let Some(digest) = &table.digest {
            put!(self, "<dt>BLAKE3</dt><dd><code>{}</code></dd>", Text(digest));
        }
        put!(
            self,
            "</dl><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Columns of {}\"><table><thead><tr>\
             <th>column</th><th>type</th><th>unit</th><th>what it is</th></tr></thead><tbody>",
            Text(&table.name)
        );
        for column in &table.schema.columns {
            let null = if column.nullable { ", or null" } else { "" };
            put!(
                self,
                "<tr><td><code>{}</code></td><td>{}{null}</td><td>{}</td><td>{}</td></tr>",
                Text(&column.name),
                column.kind.in_words(),
                Text(&column.unit),
                Text(&column.description)
            );
        }
        put!(self, "</tbody></table></div></details>");
    }
}

/// A figure's number and title.
fn title_of(manifest: &Manifest, figure: &FileEntry) -> String {
    let stage = manifest.stages.iter().find(|stage| stage.name == figure.stage);
    let parameters = stage.and_then(|stage| stage.tasks.first()).map(|task| &task.material.parameters);
    let title = parameters.and_then(|parameters| parameters["title"].as_str());
    let number = manifest.figure.as_deref().unwrap_or(&figure.stage);
    format!("{number}. {}", title.unwrap_or(&manifest.title))
}

fn verdict(holds: Option<bool>) -> (&'static str, &'static str) {
    let class = match holds {
        Some(true) => "yes",
        Some(false) => "no",
        None => "open",
    };
    (class, in_one_word(holds))
}

/// `0 … 19 (20 values)`, `bp, bp_oja`
fn list(values: &[Cell]) -> String {
    let consecutive = values.len() > 3
        && values.windows(2).all(|pair| match pair {
            [Cell::Integer(a), Cell::Integer(b)] => a + 1 == *b,
            _ => false,
        });
    if let ([first, .., last], true) = (values, consecutive) {
        return format!("{first} … {last} ({} values)", values.len());
    }
    let mut shown: Vec<String> = values.iter().take(SHOWN_VALUES).map(ToString::to_string).collect();
    if values.len() > SHOWN_VALUES {
        shown.push(format!("and {} more", values.len() - SHOWN_VALUES));
    }
    shown.join(", ")
}

fn seeds(manifest: &Manifest) -> BTreeSet<String> {
    let tasks = manifest.stages.iter().flat_map(|stage| &stage.tasks);
    tasks.filter_map(|task| task.material.parameters["seed"].as_i64()).map(|seed| seed.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_a_tag() {
        assert_eq!(Text("<b> & \"c\"").to_string(), "&lt;b&gt; &amp; &quot;c&quot;");
    }

    #[test]
    fn ranges_are_shown_as_ranges() {
        let seeds: Vec<Cell> = (0..20).map(Cell::Integer).collect();
        assert_eq!(list(&seeds), "0 … 19 (20 values)");
        assert_eq!(list(&[Cell::Text("bp".into()), Cell::Text("bp_oja".into())]), "bp, bp_oja");
        assert_eq!(list(&[1, 3, 7, 9].map(Cell::Integer)), "1, 3, 7, 9");
    }
}
