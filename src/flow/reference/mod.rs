//! The reference of pipeline files: prose beside this file, one fragment a page, with everything in it that the program
//! knows of itself put in where a line of the fragment says so.
//!
//! | line | becomes |
//! |---|---|
//! | `{parameters}` | the parameters of the stage kind |
//! | `{tables}` | the tables that it makes |
//! | `{keys claims}` | the keys of a section of a pipeline file |
//! | `{layout lines}` | the parameters of a layout of figures, and the columns that it needs |

mod page;
mod parameters;

use schemars::SchemaGenerator;
use serde_json::{Map, Value};

use super::schema::schema;
use crate::error::{Error, Result};
use crate::science::plasticity::Term;
use crate::spec::node::{Node, instead_of};
use crate::spec::{Definitions, NamedNode};
use crate::stages::{self, claims::Claims, figure};
use crate::task::{Kind, Storage};
use crate::words::capitalised;
pub use page::Page;
use page::{Block, Key};
use parameters::parameters;

/// A page by name, in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// What `ojaflow explain` takes.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
}

/// The groups of the list, in flow order, with the topics of each and what stands in their pages.
const GROUPS: [(&str, &[(&str, &str)]); 6] = [
    ("Files", &[("pipeline", include_str!("pipeline.md")), ("claims", include_str!("claims.md"))]),
    (
        "Data and training",
        &[
            ("load", include_str!("load.md")),
            ("train", include_str!("train.md")),
            ("train_batch", include_str!("train_batch.md")),
            ("train_recurrent", include_str!("train_recurrent.md")),
            ("meta_learn", include_str!("meta_learn.md")),
        ],
    ),
    (
        "Looking at networks",
        &[
            ("activations", include_str!("activations.md")),
            ("explained_variance", include_str!("explained_variance.md")),
            ("activation_norms", include_str!("activation_norms.md")),
            ("reconstruction_error", include_str!("reconstruction_error.md")),
            ("reconstructions", include_str!("reconstructions.md")),
            ("weight_diagnostics", include_str!("weight_diagnostics.md")),
            ("receptive_fields", include_str!("receptive_fields.md")),
        ],
    ),
    ("Tables and statistics", &[("bootstrap", include_str!("bootstrap.md")), ("sql", include_str!("sql.md"))]),
    ("Tuning", &[("race", include_str!("race.md")), ("tuned", include_str!("tuned.md"))]),
    ("Figures", &[("figure", include_str!("figure.md"))]),
];

/// The file with the list of all pages.
const INDEX: &str = "README.md";

/// What there is to read of, in groups.
pub fn topics() -> Vec<(&'static str, Vec<Topic>)> {
    let topic = |&(name, _): &(&'static str, &str)| Topic { name, summary: summary(name) };
    GROUPS.iter().map(|(group, pages)| (*group, pages.iter().map(topic).collect())).collect()
}

fn summary(topic: &str) -> &'static str {
    match (topic, kind(topic)) {
        ("pipeline", _) => "The pipeline file: sections, the matrix, rules, terms, includes, overrides.",
        (_, Some(kind)) => kind.summary(),
        (_, None) => unreachable!("a topic that is no kind has a summary of its own"),
    }
}

/// The kind that a page is about; claims are a section of the file, and a stage of the plan.
fn kind(topic: &str) -> Option<&'static dyn Kind> {
    if topic == "claims" {
        return Some(&Claims);
    }
    stages::kinds().iter().copied().find(|kind| kind.name() == topic)
}

/// The page on a topic.
///
/// # Errors
/// There is no such topic.
pub fn page(topic: &str) -> Result<Page> {
    let all = || GROUPS.iter().flat_map(|(_, pages)| pages.iter());
    let Some((name, fragment)) = all().find(|(name, _)| *name == topic) else {
        let there = instead_of(topic, all().map(|(name, _)| *name));
        return Err(Error::usage(format!("there is nothing to explain about `{topic}`; {there}")));
    };
    Ok(Page { blocks: read(name, fragment) })
}

/// All pages as Markdown, by file name, the index first.
pub fn pages() -> Vec<(String, String)> {
    let mut blocks = vec![
        Block::Heading(1, "Reference".to_owned()),
        Block::Text(
            "What can be written in a pipeline file. These pages are what `ojaflow explain` prints, written by \
             `ojaflow explain --write docs/reference`: parameters, columns and units come from the program itself."
                .to_owned(),
        ),
    ];
    for (group, topics) in topics() {
        blocks.push(Block::Heading(2, group.to_owned()));
        let row = |Topic { name, summary }: Topic| vec![format!("[`{name}`]({name}.md)"), summary.to_owned()];
        let titles = ["page", "what it is about"].map(str::to_owned).to_vec();
        blocks.push(Block::Rows(titles, topics.into_iter().map(row).collect()));
    }
    let index = Page { blocks };
    let pages = GROUPS.iter().flat_map(|(_, pages)| pages.iter()).map(|(name, fragment)| {
        let page = Page { blocks: read(name, fragment) };
        (format!("{name}.md"), page.markdown())
    });
    [(INDEX.to_owned(), index.markdown())].into_iter().chain(pages).collect()
}

/// A fragment with what is derived put in.
fn read(topic: &str, fragment: &str) -> Vec<Block> {
    let heading = if kind(topic).is_some() && topic != "claims" { format!("`{topic}`") } else { capitalised(topic) };
    let mut blocks = vec![Block::Heading(1, heading), Block::Text(summary(topic).to_owned())];
    let mut paragraph: Vec<&str> = Vec::new();
    let mut lines = fragment.lines();
    while let Some(line) = lines.next() {
        let begins_item = line.starts_with("- ");
        let stands_for = line.strip_prefix('{').and_then(|line| line.strip_suffix('}'));
        if !(line.is_empty() || begins_item || line.starts_with('#') || line.starts_with("```") || stands_for.is_some())
        {
            paragraph.push(line.trim());
            continue;
        }
        if !paragraph.is_empty() {
            blocks.push(Block::Text(std::mem::take(&mut paragraph).join(" ")));
        }
        if let Some(language) = line.strip_prefix("```") {
            let code: Vec<String> = lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect();
            blocks.push(Block::Code(language.to_owned(), code));
        } else if let Some(what) = stands_for {
            blocks.extend(derived(topic, what));
        } else if line.starts_with('#') {
            let title = line.trim_start_matches('#');
            blocks.push(Block::Heading(line.len() - title.len(), title.trim().to_owned()));
        } else if begins_item {
            paragraph.push(line);
        }
    }
    if !paragraph.is_empty() {
        blocks.push(Block::Text(paragraph.join(" ")));
    }
    blocks
}

/// What a line of a fragment stands for.
fn derived(topic: &str, what: &str) -> Vec<Block> {
    let kind = || kind(topic).unwrap_or_else(|| panic!("`{topic}` is no stage kind"));
    match what.split_once(' ') {
        None if what == "parameters" => vec![parameters_of(kind())],
        None if what == "tables" => {
            let made = kind().tables().into_iter().filter(|output| output.storage != Storage::Private);
            // All claims together are one stage, whose name is fixed.
            let stage = if topic == "claims" { topic } else { "STAGE" };
            made.map(|output| Block::Table(output.published(stage), output)).collect()
        }
        Some(("keys", section)) => vec![keys_of(section)],
        Some(("layout", name)) => layout(name),
        _ => panic!("{topic}.md: what is `{{{what}}}`?"),
    }
}

fn parameters_of(kind: &dyn Kind) -> Block {
    let mut generator = SchemaGenerator::default();
    let schema = kind.schema(&mut generator);
    let definitions: Map<String, Value> = generator.take_definitions(true).into_iter().collect();
    let found = parameters(schema.as_value(), &definitions);
    Block::Keys(found.into_iter().map(|parameter| Key { axis: axis(kind, &parameter.path), parameter }).collect())
}

/// What an axis of the matrix does to a parameter.
fn axis(kind: &dyn Kind, parameter: &str) -> Option<String> {
    let goes_to = |axis: &str, definitions: &Definitions| kind.axis_parameter(axis, definitions);
    let none = Definitions::default();
    if goes_to(parameter, &none).is_some_and(|path| path == [parameter]) {
        return Some(format!("May be an axis: `{parameter} = […]` in `[matrix]`."));
    }
    let is_set_by = |term: &Term| {
        goes_to(&term.name, &none).is_some_and(|path| path.first().is_some_and(|first| first == parameter))
    };
    if Term::shipped().iter().any(is_set_by) {
        return Some("An axis that is called as a term sets its coefficient.".to_owned());
    }
    // A term that a pipeline could write, with a number.
    let node = Node::parse("example", "parameters = { number = 1.0 }").expect("an example");
    let term = NamedNode { name: "term".to_owned(), name_span: node.span.clone(), node };
    let definitions = Definitions { terms: vec![term], ..Definitions::default() };
    let number = goes_to("term_number", &definitions)?;
    (number.first()? == parameter).then(|| "An axis `TERM_NUMBER` sets a number of a written term.".to_owned())
}

/// The keys of a section, from the published schema.
fn keys_of(section: &str) -> Block {
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("there are definitions");
    let sections = &schema["properties"];
    let found = match section {
        "include" => &sections["include"]["items"]["anyOf"][1],
        "terms" => &sections["terms"]["additionalProperties"],
        "rules" => &sections["rules"]["additionalProperties"]["anyOf"][0],
        "rules of train_batch" => &sections["rules"]["additionalProperties"]["anyOf"][1],
        "claims" => &sections["claims"]["items"],
        "stages" => &sections["stages"]["additionalProperties"]["oneOf"][0],
        plain => &sections[plain],
    };
    let mut found = parameters(found, definitions);
    if section == "stages" {
        // Those that every kind has; the rest is said of each.
        found.retain(|parameter| ["kind", "keep", "publish"].contains(&parameter.path.as_str()));
        for parameter in found.iter_mut().filter(|parameter| parameter.path == "kind") {
            parameter.description = "The kind of stage: one of those that have a page here.".to_owned();
            parameter.choices.clear();
        }
    }
    assert!(!found.is_empty(), "the section `{section}` has keys");
    Block::Keys(found.into_iter().map(|parameter| Key { parameter, axis: None }).collect())
}

fn layout(name: &str) -> Vec<Block> {
    let mut generator = SchemaGenerator::default();
    let layouts = figure::layouts(&mut generator);
    let definitions: Map<String, Value> = generator.take_definitions(true).into_iter().collect();
    let layout = layouts.iter().find(|layout| layout.name == name);
    let layout = layout.unwrap_or_else(|| panic!("there is no layout `{name}`"));
    let columns: Vec<String> = layout.columns.iter().map(|column| format!("`{column}`")).collect();
    let found = parameters(layout.schema.as_value(), &definitions);
    vec![
        Block::Text(format!("The table has the columns {}.", columns.join(", "))),
        Block::Keys(found.into_iter().map(|parameter| Key { parameter, axis: None }).collect()),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_page_with_its_parameters_and_its_tables() {
        let listed: BTreeSet<&str> = topics().iter().flat_map(|(_, topics)| topics).map(|topic| topic.name).collect();
        for kind in stages::kinds() {
            assert!(listed.contains(kind.name()), "`{}` is in no group", kind.name());
        }
        for (name, fragment) in GROUPS.iter().flat_map(|(_, pages)| pages.iter()) {
            if let Some(kind) = kind(name).filter(|_| !["figure", "claims"].contains(name)) {
                assert!(fragment.contains("\n{parameters}\n"), "{name}.md does not list the parameters");
                assert_eq!(fragment.contains("\n{tables}\n"), !kind.tables().is_empty(), "{name}.md lists its tables");
                assert!(fragment.contains("\n```toml\n"), "{name}.md has an example");
            }
        }
    }

    #[test]
    fn every_key_of_every_page_says_what_it_is() {
        for (name, _) in GROUPS.iter().flat_map(|(_, pages)| pages.iter()) {
            for block in page(name).unwrap().blocks {
                let Block::Keys(keys) = block else { continue };
                for Key { parameter, .. } in keys {
                    assert!(!parameter.description.is_empty(), "{name}: `{}` has no description", parameter.path);
                    assert!(!parameter.kind.is_empty(), "{name}: `{}` has no type", parameter.path);
                }
            }
        }
    }

    #[test]
    fn what_a_page_says_of_axes_is_what_the_matrix_does() {
        let said = |kind: &str, parameter: &str| axis(super::kind(kind).unwrap(), parameter);
        assert!(said("train", "seed").unwrap().contains("`seed = […]`"));
        assert!(said("train", "coefficients").unwrap().contains("called as a term"));
        assert!(said("train", "terms").unwrap().contains("`TERM_NUMBER`"));
        assert_eq!(said("train", "layers"), None, "a list is set by a bundle");
        assert_eq!(said("train", "data"), None);
        assert_eq!(said("bootstrap", "level"), None);
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let message = page("trian").unwrap_err().to_string();
        assert!(message.contains("did you mean `train`"), "{message}");
        assert!(page("nonsense").unwrap_err().to_string().contains("`meta_learn`"));
    }
}
