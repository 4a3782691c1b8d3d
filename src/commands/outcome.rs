//! What a finished run says: what was written, the headline numbers, the verdict of each claim.

use std::fmt::Write as _;

use serde_json::json;

use crate::error::Result;
use crate::flow::{Condition, Published, claims, conditions, headlines, interval};
use crate::words::{duration, grouped, size};

/// How the run went.
pub(super) struct Outcome {
    pub executed: usize,
    pub found: usize,
    pub seconds: f64,
}

/// The report for people.
///
/// # Errors
/// What would be printed is not what was published.
pub(super) fn text(published: &[Published], outcome: &Outcome, colour: bool) -> Result<String> {
    let mut text = String::new();
    for one in published {
        let state = if one.changed { "" } else { " (as before)" };
        line(&mut text, format_args!("{}/{state}", one.folder.display()));
        // A composition lists its parts by name; their tables stand in their own folders.
        let brief = published.len() > 1;
        if !brief {
            for table in &one.manifest.tables {
                line(
                    &mut text,
                    format_args!(
                        "  {:<28} {:>9} rows  {:>9}",
                        table.path,
                        grouped(table.rows as u64),
                        size(table.bytes)
                    ),
                );
            }
            for figure in &one.manifest.figures {
                line(&mut text, format_args!("  {:<28} {:>14}  {:>9}", figure.name, "", size(figure.bytes)));
            }
        }
        let headlines = if brief { Vec::new() } else { headlines(one)? };
        if !headlines.is_empty() {
            text.push('\n');
            for end in headlines {
                let at = end.x.map_or(String::new(), |x| format!(" at {x}"));
                let curve = format!("{}, {}{at}:", end.panel, end.series);
                line(&mut text, format_args!("  {curve:<34} {}", interval(end.mean, end.ci_low, end.ci_high)));
            }
        }
    }
    let conditions: Vec<Condition> = match published.last() {
        Some(last) => conditions(&last.folder, &last.manifest)?,
        None => Vec::new(),
    };
    if !conditions.is_empty() {
        text.push('\n');
        text += &verdicts(&conditions, colour);
    }
    let Outcome { executed, found, seconds } = outcome;
    write!(text, "\n{executed} tasks run, {found} from the store, {}", duration(*seconds))
        .expect("writing to a string");
    Ok(text)
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a string");
}

fn verdicts(conditions: &[Condition], colour: bool) -> String {
    let mut text = String::new();
    for claim in claims(conditions) {
        line(&mut text, format_args!("{:<4} {}  {}", claim.name, word(claim.holds, colour), claim.statement));
        for condition in &claim.conditions {
            let mark = match condition.holds {
                Some(true) => "yes",
                Some(false) => "no",
                None => "?",
            };
            let found = interval(condition.estimate, condition.ci_low, condition.ci_high);
            line(&mut text, format_args!("       {mark:<3}  {found:<32} {}", condition.condition));
            for remark in &condition.remarks {
                line(&mut text, format_args!("            {remark}"));
            }
        }
        if let Some(worst) = claim.worst() {
            line(&mut text, format_args!("       worst part {worst}"));
        }
        if let Some(first) = claim.conditions.first() {
            line(&mut text, format_args!("       {}", first.looks));
        }
    }
    text
}

fn word(verdict: Option<bool>, colour: bool) -> String {
    let (word, code) = match verdict {
        Some(true) => ("holds    ", 32),
        Some(false) => ("refuted  ", 31),
        None => ("undecided", 33),
    };
    if colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
}

/// The record for programs.
///
/// # Errors
/// As [`text`].
pub(super) fn json(published: &[Published], outcome: &Outcome) -> Result<String> {
    let pipelines: Result<Vec<_>> = published
        .iter()
        .map(|one| {
            let claims: Vec<_> = conditions(&one.folder, &one.manifest)?
                .into_iter()
                .map(|condition| {
                    json!({
                        "claim": condition.claim,
                        "statement": condition.statement,
                        "condition": condition.condition,
                        "estimate": condition.estimate,
                        "ci_low": condition.ci_low,
                        "ci_high": condition.ci_high,
                        "holds": condition.holds,
                        "n_runs": condition.n_runs,
                        "looks": condition.looks,
                        "remarks": condition.remarks,
                    })
                })
                .collect();
            let tables: Vec<_> = one
                .manifest
                .tables
                .iter()
                .map(|table| json!({ "name": table.name, "path": one.folder.join(&table.path), "rows": table.rows, "digest": table.digest }))
                .collect();
            let figures: Vec<_> = one.manifest.figures.iter().map(|figure| one.folder.join(&figure.name)).collect();
            Ok(json!({
                "pipeline": one.manifest.pipeline,
                "folder": one.folder,
                "changed": one.changed,
                "tables": tables,
                "figures": figures,
                "claims": claims,
            }))
        })
        .collect();
    let record = json!({
        "pipelines": pipelines?,
        "tasks_run": outcome.executed,
        "tasks_cached": outcome.found,
        "seconds": outcome.seconds,
    });
    Ok(serde_json::to_string_pretty(&record).expect("plain data"))
}
