//! A page of the reference: prose with what is derived in it, as Markdown or as plain text.

use std::fmt::Write as _;

use super::parameters::Parameter;
use crate::tables::{Column, Layout, TableSchema};
use crate::task::{Output, Storage};

/// A page.
#[derive(Debug)]
pub struct Page {
    pub(super) blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Debug)]
pub(super) enum Block {
    Heading(usize, String),
    /// A paragraph or an item of a list, as Markdown.
    Text(String),
    /// In a language.
    Code(String, Vec<String>),
    Keys(Vec<Key>),
    /// Under its published name.
    Table(String, Output),
    /// Titles of columns, and rows.
    Rows(Vec<String>, Vec<Vec<String>>),
}

/// A parameter, and whether an axis can set it.
#[derive(Debug)]
pub(super) struct Key {
    pub parameter: Parameter,
    pub axis: Option<String>,
}

impl Page {
    /// As Markdown, ending with a newline.
    pub fn markdown(&self) -> String {
        let mut page = String::new();
        for block in &self.blocks {
            let _ = match block {
                Block::Heading(level, title) => writeln!(page, "{} {title}\n", "#".repeat(*level)),
                Block::Text(text) => writeln!(page, "{text}\n"),
                Block::Code(language, lines) => writeln!(page, "```{language}\n{}\n```\n", lines.join("\n")),
                Block::Keys(keys) => {
                    writeln!(page, "{}", markdown_table(&KEYS, &keys.iter().map(key_row).collect::<Vec<_>>()))
                }
                Block::Table(name, output) => writeln!(page, "{}", table_in_markdown(name, output)),
                Block::Rows(titles, rows) => {
                    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
                    writeln!(page, "{}", markdown_table(&titles, rows))
                }
            };
        }
        format!("{}\n", page.trim_end())
    }

    /// As plain text, lines not folded.
    pub fn text(&self) -> String {
        let mut page = String::new();
        for block in &self.blocks {
            let _ = match block {
                Block::Heading(1, title) => writeln!(page, "{}\n", plain(title)),
                Block::Heading(_, title) => writeln!(page, "{}\n", plain(title).to_uppercase()),
                Block::Text(text) => writeln!(page, "{}\n", plain(text)),
                Block::Code(_, lines) => {
                    let indented = lines.iter().map(|line| format!("    {line}").trim_end().to_owned());
                    writeln!(page, "{}\n", indented.collect::<Vec<_>>().join("\n"))
                }
                Block::Keys(keys) => writeln!(page, "{}", keys.iter().map(key_in_text).collect::<String>()),
                Block::Table(name, output) => writeln!(page, "{}", table_in_text(name, output)),
                Block::Rows(_, rows) => writeln!(page, "{}", rows_in_text(rows)),
            };
        }
        page.trim_end().to_owned()
    }
}

const KEYS: [&str; 4] = ["key", "value", "if left out", "what it is"];

fn key_row(Key { parameter, axis }: &Key) -> Vec<String> {
    let mut description = parameter.description.clone();
    for (word, meaning) in &parameter.choices {
        let meaning = if meaning.is_empty() { String::new() } else { format!(": {meaning}") };
        let _ = write!(description, "<br>`{word}`{meaning}");
    }
    if let Some(axis) = axis {
        let _ = write!(description, "<br>{axis}");
    }
    let left_out = match (&parameter.default, parameter.is_required) {
        (_, true) => "**required**".to_owned(),
        (Some(default), false) => format!("`{default}`"),
        (None, false) => String::new(),
    };
    vec![format!("`{}`", parameter.path), parameter.kind.clone(), left_out, description]
}

fn key_in_text(Key { parameter, axis }: &Key) -> String {
    let Parameter { path, kind, default, is_required, description, choices } = parameter;
    let left_out = match (default, is_required) {
        (_, true) => ", required".to_owned(),
        (Some(default), false) => format!(", {default} if left out"),
        (None, false) => String::new(),
    };
    let mut text = format!("  {path}  ({kind}{left_out})\n");
    if !description.is_empty() {
        let _ = writeln!(text, "      {}", plain(description));
    }
    for (word, meaning) in choices {
        let meaning = if meaning.is_empty() { String::new() } else { format!("  {}", plain(meaning)) };
        let _ = writeln!(text, "        {word}{meaning}");
    }
    if let Some(axis) = axis {
        let _ = writeln!(text, "      {}", plain(axis));
    }
    text
}

const COLUMNS: [&str; 4] = ["column", "type", "unit", "what it is"];

fn column_rows(schema: &TableSchema) -> Vec<[String; 4]> {
    let row = |column: &Column| {
        let null = if column.nullable { ", may be null" } else { "" };
        let kind = format!("{}{null}", column.kind.in_words());
        [column.name.to_string(), kind, column.unit.to_string(), column.description.to_string()]
    };
    schema.columns.iter().map(row).collect()
}

/// What there is to know of a table beside its columns.
fn remarks(output: &Output) -> String {
    let schema = &output.schema;
    let mut remarks = Vec::new();
    if !schema.key.is_empty() {
        let key: Vec<String> = schema.key.iter().map(|name| format!("`{name}`")).collect();
        remarks.push(format!("A row is identified by {}.", key.join(", ")));
    }
    if output.storage == Storage::Passing {
        remarks.push("It is handed on in memory to the stages that read it, and never stored.".to_owned());
    }
    if schema.layout == Layout::Folder {
        remarks.push("It is published as a folder with one file a run; `run_id` joins the axes.".to_owned());
    }
    if output.is_optional {
        remarks.push("It is published only where it has rows.".to_owned());
    }
    if let Some(tolerance) = schema.tolerance() {
        remarks.push(format!("Between machines its numbers may differ by {tolerance:e}, relatively."));
    }
    remarks.join(" ")
}

fn table_in_markdown(name: &str, output: &Output) -> String {
    let rows: Vec<Vec<String>> = column_rows(&output.schema)
        .into_iter()
        .map(|[name, kind, unit, description]| vec![format!("`{name}`"), kind, unit, description])
        .collect();
    let remarks = remarks(output);
    let remarks = if remarks.is_empty() { String::new() } else { format!("{remarks}\n\n") };
    format!("### `{name}`\n\n{remarks}{}", markdown_table(&COLUMNS, &rows))
}

fn table_in_text(name: &str, output: &Output) -> String {
    let mut text = format!("  {name}\n");
    let remarks = remarks(output);
    if !remarks.is_empty() {
        let _ = writeln!(text, "      {}", plain(&remarks));
    }
    for [name, kind, unit, description] in column_rows(&output.schema) {
        let unit = if unit.is_empty() { String::new() } else { format!(", in {unit}") };
        let _ = writeln!(text, "    {name}  ({kind}{unit})  {}", plain(&description));
    }
    text
}

fn rows_in_text(rows: &[Vec<String>]) -> String {
    let width = rows.iter().filter_map(|row| row.first()).map(|first| plain(first).chars().count()).max().unwrap_or(0);
    let line = |row: &Vec<String>| {
        let (first, rest) = row.split_first().expect("a row has cells");
        let rest: Vec<String> = rest.iter().map(|cell| plain(cell)).collect();
        format!("  {:<width$}  {}\n", plain(first), rest.join("  "))
    };
    rows.iter().map(line).collect()
}

fn markdown_table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &mut dyn Iterator<Item = String>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut table = line(&mut titles.iter().map(|title| (*title).to_owned()));
    table += &line(&mut titles.iter().map(|_| "---".to_owned()));
    for row in rows {
        table += &line(&mut row.iter().map(|cell| cell.replace('|', "\\|")));
    }
    table
}

/// Markdown without what the terminal has no use for: `[text](where)` becomes the text. Code stays between its marks, as in messages.
fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some(start) = rest.find('[') {
        let Some((label, target)) = rest[start + 1..].split_once("](") else { break };
        if label.contains(['[', ']', '\n']) {
            text += &rest[..=start];
            rest = &rest[start + 1..];
            continue;
        }
        let Some((_, after)) = target.split_once(')') else { break };
        text += &rest[..start];
        text += label;
        rest = after;
    }
    text += rest;
    text.replace("**", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_is_shown_no_marks() {
        assert_eq!(plain("see [the **rules**](../rules.md): `x[0]`"), "see the rules: `x[0]`");
        assert_eq!(plain("panels[].title and [one](two)"), "panels[].title and one");
        assert_eq!(plain("no [link"), "no [link");
    }

    #[test]
    fn a_bar_in_a_cell_does_not_end_it() {
        let table = markdown_table(&["a"], &[vec!["|θ|".to_owned()]]);
        assert_eq!(table, "| a |\n| --- |\n| \\|θ\\| |\n");
    }
}
