//! What a finished run says: what was written, the headline numbers, the verdict of each claim.

use std::fmt::Write as _;

use serde_json::json;

use crate::plan::{Disposition, Statuses};
use crate::publish::Published;
use crate::report::claims::{Condition, claims, conditions, grouped, interval, read};
use crate::tables::frame::Cell;
use crate::words::{duration, size};

/// How the run went.
pub struct Outcome<'a> {
    pub executed: usize,
    pub statuses: &'a Statuses,
    pub seconds: f64,
}

/// The report for people.
pub fn text(published: &[Published], outcome: &Outcome<'_>, colour: bool) -> String {
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
                    format_args!("  {:<28} {:>9} rows  {:>9}", table.path, grouped(table.rows), size(table.bytes)),
                );
            }
            for figure in &one.manifest.figures {
                line(&mut text, format_args!("  {:<28} {:>14}  {:>9}", figure.name, "", size(figure.bytes)));
            }
        }
        let headlines = headlines(one);
        if !headlines.is_empty() && !brief {
            text.push('\n');
            headlines.iter().for_each(|headline| line(&mut text, format_args!("  {headline}")));
        }
    }
    let conditions: Vec<Condition> = match published.last() {
        Some(last) => conditions(&last.folder, &last.manifest),
        None => Vec::new(),
    };
    if !conditions.is_empty() {
        text.push('\n');
        text += &verdicts(&conditions, colour);
    }
    let cached = outcome.statuses.count(Disposition::Cached);
    let rate = outcome.seconds;
    write!(text, "\n{} tasks run, {cached} from the store, {}", outcome.executed, duration(rate))
        .expect("writing to a string");
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a string");
}

/// The last point of every curve of the summary tables.
fn headlines(published: &Published) -> Vec<String> {
    let mut lines = Vec::new();
    for table in &published.manifest.tables {
        let has = |name: &str| table.schema.column(name).is_some();
        if !["panel", "series", "x", "mean", "ci_low", "ci_high"].into_iter().all(has) {
            continue;
        }
        let Some(frame) = read(&published.folder, &published.manifest, &table.path) else { continue };
        let (Ok(panels), Ok(series), Ok(x), Ok(mean)) =
            (frame.cells("panel"), frame.cells("series"), frame.numbers("x"), frame.numbers("mean"))
        else {
            continue;
        };
        let (low, high) = (frame.numbers("ci_low").unwrap_or_default(), frame.numbers("ci_high").unwrap_or_default());
        let mut last: Vec<(Cell, Cell, usize)> = Vec::new();
        for row in 0..frame.n_rows() {
            match last.iter_mut().find(|(panel, curve, _)| *panel == panels[row] && *curve == series[row]) {
                Some((_, _, best)) if x[row] > x[*best] => *best = row,
                Some(_) => {}
                None => last.push((panels[row].clone(), series[row].clone(), row)),
            }
        }
        // Cumulative curves all end at the same value: that is no news.
        let differs = |panel: &Cell| {
            let mut ends = last.iter().filter(|(other, ..)| other == panel).map(|(.., row)| mean[*row]);
            let first = ends.next().flatten();
            last.iter().filter(|(other, ..)| other == panel).count() == 1
                || ends.any(|end| end.zip(first).is_none_or(|(end, first)| (end - first).abs() > 1e-9))
        };
        for (panel, curve, row) in last.iter().filter(|(panel, ..)| differs(panel)) {
            let row = *row;
            let at = x[row].map_or(String::new(), |x| format!(" at {x}"));
            lines.push(format!(
                "{:<34} {}",
                format!("{panel}, {curve}{at}:"),
                interval(mean[row], low[row], high[row])
            ));
        }
    }
    lines
}

fn verdicts(conditions: &[Condition], colour: bool) -> String {
    let mut text = String::new();
    for claim in claims(conditions) {
        line(&mut text, format_args!("{:<4} {}  {}", claim.name, word(claim.holds, colour), claim.statement));
        for condition in claim.conditions {
            let mark = match condition.holds {
                Some(true) => "yes",
                Some(false) => "no",
                None => "?",
            };
            let found = interval(condition.estimate, condition.ci_low, condition.ci_high);
            line(&mut text, format_args!("       {mark:<3}  {found:<32} {}", condition.condition));
        }
    }
    text
}

fn word(verdict: Option<bool>, colour: bool) -> String {
    let (word, code) = match verdict {
        Some(true) => ("holds          ", 32),
        Some(false) => ("does not hold  ", 31),
        None => ("cannot be judged", 33),
    };
    if colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
}

/// The record for programs.
pub fn json(published: &[Published], outcome: &Outcome<'_>) -> String {
    let pipelines: Vec<_> = published
        .iter()
        .map(|one| {
            let claims: Vec<_> = conditions(&one.folder, &one.manifest)
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
            json!({
                "pipeline": one.manifest.pipeline,
                "folder": one.folder,
                "changed": one.changed,
                "tables": tables,
                "figures": figures,
                "claims": claims,
            })
        })
        .collect();
    let record = json!({
        "pipelines": pipelines,
        "tasks_run": outcome.executed,
        "tasks_cached": outcome.statuses.count(Disposition::Cached),
        "seconds": outcome.seconds,
    });
    serde_json::to_string_pretty(&record).expect("plain data")
}
